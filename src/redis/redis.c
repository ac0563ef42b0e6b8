#include "redis/redis.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "redis/url.h"

#define TIMEOUT_MS        5000
#define PIPELINE_MAX      ((size_t)512 << 20)
#define SHA_TEXT          41
#define REPLY_SHOWN       160
#define SERVER_NAME_BYTES (LEAT_REDIS_HOST_MAX + 16)

struct leat_redis {
    struct leat_redis_url url;
    const char *const *scripts;
    char shas[LEAT_REDIS_SCRIPTS_MAX][SHA_TEXT];
    size_t n_scripts;
    struct timeval timeout;
    redisContext *c;
    bool scripts_known;
    size_t last_host; /* of the last connection: tried first */
    char server[SERVER_NAME_BYTES];
    struct leat_buf out; /* commands not sent yet */
    size_t pending, args_due;
    redisReply *reply; /* the last one */
    uint64_t connections;
};

leat_status leat_redis_open(const struct leat_redis_options *o, struct leat_redis **ret,
                            struct leat_error *err)
{
    leat_assert(o->n_scripts <= LEAT_REDIS_SCRIPTS_MAX);
    struct leat_redis_url url;
    leat_status status = leat_redis_url_parse(o->url, &url, err);
    if (status != LEAT_OK)
        return status;
    struct leat_redis *r = calloc(1, sizeof *r);
    leat_assert(r != NULL);
    int timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : TIMEOUT_MS;
    r->url = url;
    r->scripts = o->scripts;
    r->n_scripts = o->n_scripts;
    r->timeout = (struct timeval){timeout_ms / 1000, timeout_ms % 1000 * 1000L};
    (void)snprintf(r->server, sizeof r->server, "%s:%d", url.hosts[0].name, url.hosts[0].port);
    leat_buf_init(&r->out, PIPELINE_MAX);
    *ret = r;
    return LEAT_OK;
}

static void forget_reply(struct leat_redis *r)
{
    if (r->reply != NULL)
        freeReplyObject(r->reply);
    r->reply = NULL;
}

void leat_redis_drop(struct leat_redis *r)
{
    forget_reply(r);
    if (r->c != NULL)
        redisFree(r->c);
    r->c = NULL;
    r->scripts_known = false;
    r->pending = r->args_due = 0;
    leat_buf_clear(&r->out);
}

void leat_redis_close(struct leat_redis *r)
{
    if (r == NULL)
        return;
    leat_redis_drop(r);
    leat_buf_done(&r->out);
    memset(&r->url, 0, sizeof r->url); /* the password */
    free(r);
}

bool leat_redis_connected(const struct leat_redis *r)
{
    return r->c != NULL;
}

uint64_t leat_redis_connections(const struct leat_redis *r)
{
    return r->connections;
}

const char *leat_redis_server(const struct leat_redis *r)
{
    return r->server;
}

/* ---- a pipeline ---- */

static void put_head(struct leat_redis *r, char mark, uint64_t n)
{
    char text[24];
    size_t at = sizeof text;
    text[--at] = '\n';
    text[--at] = '\r';
    do {
        text[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n > 0);
    text[--at] = mark;
    leat_buf_put(&r->out, text + at, sizeof text - at);
}

void leat_redis_command(struct leat_redis *r, size_t n)
{
    leat_assert(r->c != NULL && r->args_due == 0 && n > 0);
    put_head(r, '*', n);
    r->args_due = n;
    r->pending++;
}

void leat_redis_arg(struct leat_redis *r, struct leat_str arg)
{
    leat_assert(r->args_due > 0);
    r->args_due--;
    put_head(r, '$', arg.len);
    leat_buf_put(&r->out, arg.at, arg.len);
    leat_buf_put(&r->out, "\r\n", 2);
}

void leat_redis_arg_int(struct leat_redis *r, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)value);
    leat_redis_arg(r, (struct leat_str){text, (uint32_t)n});
}

void leat_redis_script(struct leat_redis *r, size_t script, size_t keys, size_t args)
{
    leat_assert(script < r->n_scripts && r->scripts_known);
    leat_redis_command(r, 3 + keys + args);
    leat_redis_arg(r, LEAT_STR("EVALSHA"));
    leat_redis_arg(r, leat_str_of(r->shas[script]));
    leat_redis_arg_int(r, (int64_t)keys);
}

size_t leat_redis_pending(const struct leat_redis *r)
{
    return r->pending;
}

static leat_status connection_failed(struct leat_redis *r, struct leat_error *err)
{
    char why[128];
    (void)snprintf(why, sizeof why, "%s", r->c->err != 0 ? r->c->errstr : "no answer in time");
    leat_redis_drop(r);
    return leat_fail(err, LEAT_RETRY, "Redis %s: %s", r->server, why);
}

struct refusal { /* how the server's error begins */
    const char *code;
    leat_status status;
    bool look_elsewhere; /* another server may be the right one, or this one in another state */
    const char *hint;    /* NULL: the server's words are enough */
};
#define CLUSTER_HINT                                                                               \
    "It is one of several nodes of a cluster: redis.url needs a master that holds all slots."
#define ACL_HINT "docs/reference/redis.md lists the commands and keys a user needs (ACL SETUSER)."
static const struct refusal refusals[] = {
    {"NOSCRIPT", LEAT_RETRY, true, NULL},
    {"READONLY", LEAT_RETRY, true, NULL},
    {"MASTERDOWN", LEAT_RETRY, true, NULL},
    {"LOADING", LEAT_RETRY, true, NULL},
    {"CLUSTERDOWN", LEAT_RETRY, true, CLUSTER_HINT},
    {"TRYAGAIN", LEAT_RETRY, false, NULL},
    {"NOREPLICAS", LEAT_RETRY, false, NULL},
    {"MISCONF", LEAT_RETRY, false, NULL},
    {"BUSY ", LEAT_RETRY, false, NULL},
    {"OOM", LEAT_RETRY, false, NULL},
    {"NOAUTH", LEAT_INVALID, true, "redis.url needs a password: redis://user:password@host:port/0"},
    {"WRONGPASS", LEAT_INVALID, true, "The user and password of redis.url are not the server's."},
    {"NOPERM", LEAT_INVALID, false, ACL_HINT},
    {"can't run this command or subcommand", LEAT_INVALID, false, ACL_HINT}, /* in a script */
    {"MOVED", LEAT_INVALID, true, CLUSTER_HINT},
    {"ASK ", LEAT_INVALID, true, CLUSTER_HINT},
    {"UNKILLABLE", LEAT_RETRY, false, NULL},
    {"ERR max number", LEAT_RETRY, true, NULL},
    {"ERR invalid password", LEAT_INVALID, true, NULL},
};

static leat_status refused(struct leat_redis *r, struct leat_error *err)
{
    const struct refusal *found = NULL;
    const char *text = r->reply->str;
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0] && found == NULL; i++) {
        /* Within a script the code comes behind its own name. */
        if (strstr(text, refusals[i].code) != NULL)
            found = &refusals[i];
    }
    leat_status status = leat_fail(err, found == NULL ? LEAT_FATAL : found->status,
                                   "Redis %s: %.*s", r->server, REPLY_SHOWN, text);
    if (found != NULL && found->hint != NULL)
        leat_error_hint(err, "%s", found->hint);
    if (found != NULL && found->look_elsewhere)
        leat_redis_drop(r);
    return status;
}

static leat_status hand_over(struct leat_redis *r, struct leat_error *err)
{
    if (r->out.overflow) {
        leat_redis_drop(r);
        return leat_fail(err, LEAT_FATAL, "a pipeline of more than %zu MiB", PIPELINE_MAX >> 20);
    }
    if (r->out.len > 0 && redisAppendFormattedCommand(r->c, r->out.at, r->out.len) != REDIS_OK)
        return connection_failed(r, err);
    leat_buf_clear(&r->out);
    return LEAT_OK;
}

leat_status leat_redis_send(struct leat_redis *r, struct leat_error *err)
{
    leat_assert(r->args_due == 0);
    leat_status status = hand_over(r, err);
    for (int done = 0; status == LEAT_OK && !done;) {
        if (redisBufferWrite(r->c, &done) != REDIS_OK)
            status = connection_failed(r, err);
    }
    return status;
}

leat_status leat_redis_reply(struct leat_redis *r, const struct leat_redis_reply **ret,
                             struct leat_error *err)
{
    leat_assert(r->pending > 0 && r->args_due == 0);
    forget_reply(r);
    leat_status status = hand_over(r, err);
    if (status != LEAT_OK)
        return status;
    void *reply = NULL;
    if (redisGetReply(r->c, &reply) != REDIS_OK || reply == NULL)
        return connection_failed(r, err);
    r->pending--;
    r->reply = reply;
    if (r->reply->type == REDIS_REPLY_ERROR)
        return refused(r, err);
    *ret = (const struct leat_redis_reply *)reply;
    return LEAT_OK;
}

leat_status leat_redis_finish(struct leat_redis *r, struct leat_error *err)
{
    leat_status first = LEAT_OK;
    struct leat_error later = {0};
    const struct leat_redis_reply *ignored = NULL;
    while (r->c != NULL && r->pending > 0) {
        leat_status status = leat_redis_reply(r, &ignored, first == LEAT_OK ? err : &later);
        first = first == LEAT_OK ? status : first;
    }
    return first;
}

/* ---- connecting ---- */

static leat_status ask(struct leat_redis *r, const struct leat_redis_reply **ret,
                       struct leat_error *err, size_t n, const char *const *args)
{
    leat_redis_command(r, n);
    for (size_t i = 0; i < n; i++)
        leat_redis_arg(r, leat_str_of(args[i]));
    return leat_redis_reply(r, ret, err);
}

static leat_status log_in(struct leat_redis *r, struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    char db[16];
    bool named = r->url.user[0] != 0;
    if (r->url.password[0] != 0) {
        const char *args[] = {"AUTH", named ? r->url.user : r->url.password, r->url.password};
        LEAT_TRY(ask(r, &reply, err, named ? 3 : 2, args), err, "log in");
    }
    if (r->url.db != 0) {
        (void)snprintf(db, sizeof db, "%d", r->url.db);
        const char *args[] = {"SELECT", db};
        LEAT_TRY(ask(r, &reply, err, 2, args), err, "select database");
    }
    return LEAT_OK;
}

/* A replica would serve the past and refuse writes. */
static leat_status check_master(struct leat_redis *r, struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    const char *args[] = {"ROLE"};
    LEAT_TRY(ask(r, &reply, err, 1, args), err, "ask for its role");
    if (leat_redis_count(reply) > 0 &&
        leat_str_eq(leat_redis_text(leat_redis_item(reply, 0)), LEAT_STR("master")))
        return LEAT_OK;
    leat_redis_drop(r);
    return leat_fail(err, LEAT_RETRY, "Redis %s is a replica", r->server);
}

static leat_status load_scripts(struct leat_redis *r, struct leat_error *err)
{
    for (size_t i = 0; i < r->n_scripts; i++) {
        const struct leat_redis_reply *reply = NULL;
        const char *args[] = {"SCRIPT", "LOAD", r->scripts[i]};
        LEAT_TRY(ask(r, &reply, err, 3, args), err, "load a script");
        struct leat_str sha = leat_redis_text(reply);
        if (sha.len != SHA_TEXT - 1)
            return leat_fail(err, LEAT_FATAL, "Redis %s: no hash of a script", r->server);
        memcpy(r->shas[i], sha.at, sha.len);
    }
    r->scripts_known = true;
    return LEAT_OK;
}

static leat_status connect_host(struct leat_redis *r, size_t host, struct leat_error *err)
{
    const char *name = r->url.hosts[host].name;
    int port = r->url.hosts[host].port;
    (void)snprintf(r->server, sizeof r->server, "%s:%d", name, port);
    r->c = redisConnectWithTimeout(name, port, r->timeout);
    if (r->c == NULL)
        return leat_fail(err, LEAT_RETRY, "Redis %s: out of memory", r->server);
    if (r->c->err != 0 || redisSetTimeout(r->c, r->timeout) != REDIS_OK)
        return connection_failed(r, err);
    (void)redisEnableKeepAlive(r->c); /* only finds a dead server sooner */
    leat_status status = log_in(r, err);
    if (status == LEAT_OK)
        status = check_master(r, err);
    if (status == LEAT_OK)
        status = load_scripts(r, err);
    if (status != LEAT_OK)
        leat_redis_drop(r);
    return status;
}

leat_status leat_redis_ready(struct leat_redis *r, struct leat_error *err)
{
    struct leat_error ignored = {0};
    if (r->args_due > 0) /* an argument too few: its words would swallow the next command */
        leat_redis_drop(r);
    if (r->c != NULL && r->pending > 0) /* of a pipeline that was given up */
        (void)!leat_redis_finish(r, &ignored);
    if (r->c != NULL)
        return LEAT_OK;
    leat_status status = LEAT_RETRY;
    for (size_t i = 0; i < r->url.n_hosts && status != LEAT_OK; i++) {
        size_t host = (r->last_host + i) % r->url.n_hosts;
        status = connect_host(r, host, err);
        if (status == LEAT_OK) {
            r->last_host = host;
            r->connections++;
        }
    }
    return status;
}

/* ---- an answer ---- */

static const redisReply *raw(const struct leat_redis_reply *r)
{
    return (const redisReply *)r;
}

bool leat_redis_is_nil(const struct leat_redis_reply *r)
{
    return raw(r)->type == REDIS_REPLY_NIL;
}

struct leat_str leat_redis_text(const struct leat_redis_reply *r)
{
    const redisReply *reply = raw(r);
    if (reply->type != REDIS_REPLY_STRING && reply->type != REDIS_REPLY_STATUS)
        return (struct leat_str){NULL, 0};
    return (struct leat_str){reply->str, (uint32_t)reply->len};
}

int64_t leat_redis_int(const struct leat_redis_reply *r)
{
    return raw(r)->type == REDIS_REPLY_INTEGER ? raw(r)->integer : 0;
}

size_t leat_redis_count(const struct leat_redis_reply *r)
{
    return raw(r)->type == REDIS_REPLY_ARRAY ? raw(r)->elements : 0;
}

const struct leat_redis_reply *leat_redis_item(const struct leat_redis_reply *r, size_t i)
{
    leat_assert(i < leat_redis_count(r));
    return (const struct leat_redis_reply *)raw(r)->element[i];
}

leat_status leat_redis_policy(struct leat_redis *r, char ret_policy[LEAT_REDIS_POLICY_MAX],
                              bool *ret_evicts, struct leat_error *err)
{
    static const char field[] = "maxmemory_policy:";
    const struct leat_redis_reply *reply = NULL;
    const char *args[] = {"INFO", "memory"};
    ret_policy[0] = 0;
    *ret_evicts = false;
    LEAT_TRY(ask(r, &reply, err, 2, args), err, "ask for its memory policy");
    struct leat_str text = leat_redis_text(reply);
    const char *found = text.len == 0 ? NULL : strstr(text.at, field);
    if (found == NULL) /* not told: some services hide it */
        return LEAT_OK;
    found += sizeof field - 1;
    size_t len = strcspn(found, "\r\n");
    (void)snprintf(ret_policy, LEAT_REDIS_POLICY_MAX, "%.*s", (int)(len & 31), found);
    *ret_evicts = strncmp(ret_policy, "allkeys-", strlen("allkeys-")) == 0;
    return LEAT_OK;
}
