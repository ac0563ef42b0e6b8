#include "projection/redis_versions.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/units.h"
#include "projection/model_rows_redis.h"
#include "projection/redis_pool.h"
#include "topology/declaration.h"

#define BLOCK_BYTES    16384
#define SCAN_COUNT     1000
#define MAKE_TRIES     100
#define SLICE_KEYS_MAX (4 + LEAT_INDEXES_MAX + 1) /* one more: when rows end */

/* ---- asking ---- */

struct ask {
    const struct leat_redis_model *m;
    struct leat_redis *redis;
    struct leat_arena *arena;
};

static void ask_done(struct ask *a)
{
    leat_redis_give(a->redis);
    leat_arena_free(a->arena);
}

static leat_status ask_start(const struct leat_redis_model *m, struct ask *ret,
                             struct leat_error *err)
{
    *ret = (struct ask){.m = m, .arena = leat_arena_new(BLOCK_BYTES, 0)};
    return leat_redis_take(m->topology, &ret->redis, err);
}

static void send_words(struct leat_redis *r, const struct leat_str *words, size_t n)
{
    leat_redis_command(r, n);
    for (size_t i = 0; i < n; i++)
        leat_redis_arg(r, words[i]);
}

#define SEND(a, ...)                                                                               \
    send_words((a)->redis, (const struct leat_str[]){__VA_ARGS__},                                 \
               sizeof((const struct leat_str[]){__VA_ARGS__}) / sizeof(struct leat_str))

static struct leat_str key(const struct ask *a, const char *what)
{
    return leat_redis_model_key(a->m->topology->name, a->m->projection->name, what, a->arena);
}

static struct leat_str key_of(const struct ask *a, const char *what, const char *version)
{
    return key(a, leat_arena_printf(a->arena, "%s:%s", what, version));
}

static struct leat_str text_of(const struct ask *a, int64_t number)
{
    return leat_str_of(leat_arena_printf(a->arena, "%" PRId64, number));
}

static int64_t number(const struct leat_redis_reply *reply)
{
    int64_t n = 0;
    return leat_parse_int(leat_redis_text(reply), &n) == LEAT_UNITS_OK ? n : 0;
}

/* ---- which there are ---- */

/* Members of `about` that are read of each version. */
static const char *const about[] = {"made",        "left",    "build_pid", "build_done",
                                    "build_total", "build_s", "build_beg", "build_at",
                                    "paused",      "pace"};
enum {
    MADE,
    LEFT,
    BUILD_PID,
    BUILD_DONE,
    BUILD_TOTAL,
    BUILD_PER_S,
    BUILD_STARTED,
    BUILD_TOLD,
    PAUSED,
    PACE,
    ABOUTS,
};

static void send_about(struct ask *a, const char *version)
{
    leat_redis_command(a->redis, 2 + ABOUTS);
    leat_redis_arg(a->redis, LEAT_STR("HMGET"));
    leat_redis_arg(a->redis, key_of(a, "about", version));
    for (int i = 0; i < ABOUTS; i++)
        leat_redis_arg(a->redis, leat_str_of(about[i]));
    SEND(a, LEAT_STR("EXISTS"), key_of(a, "shape", version));
}

static leat_status read_about(struct ask *a, struct leat_version *v, struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "version %s", v->name);
    if (leat_redis_count(reply) == ABOUTS) {
        v->made_ms = number(leat_redis_item(reply, MADE));
        v->left_ms = number(leat_redis_item(reply, LEFT));
        v->building = !leat_redis_is_nil(leat_redis_item(reply, BUILD_PID));
    }
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "version %s", v->name);
    v->has_data = leat_redis_int(reply) == 1;
    return LEAT_OK;
}

static bool name_version(struct leat_str text, struct leat_version *ret)
{
    *ret = (struct leat_version){.number = 1};
    if (text.len == 0 || text.len >= sizeof ret->name)
        return false;
    (void)snprintf(ret->name, sizeof ret->name, "%.*s", LEAT_STR_FMT(text));
    ret->hash = leat_version_hash(ret->name);
    const char *dash = strchr(ret->name, '-');
    int64_t n = 0;
    if (dash != NULL && leat_parse_int(leat_str_of(dash + 1), &n) == LEAT_UNITS_OK && n < INT32_MAX)
        ret->number = (int)n;
    return ret->hash != 0;
}

static int by_age(const void *a, const void *b)
{
    const struct leat_version *x = a, *y = b;
    if (x->made_ms != y->made_ms)
        return x->made_ms < y->made_ms ? -1 : 1;
    return x->number != y->number ? (x->number < y->number ? -1 : 1) : strcmp(x->name, y->name);
}

static void take_names(const struct leat_redis_reply *reply, struct leat_versions *ret)
{
    ret->at = calloc(leat_redis_count(reply) + 1, sizeof *ret->at);
    leat_assert(ret->at != NULL);
    for (size_t i = 0; i < leat_redis_count(reply); i++)
        ret->n += name_version(leat_redis_text(leat_redis_item(reply, i)), &ret->at[ret->n]);
}

static leat_status read_all(struct ask *a, struct leat_redis_versions *ret, struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct leat_versions dropped = {0};
    struct leat_version current;
    SEND(a, LEAT_STR("SMEMBERS"), key(a, "versions"));
    SEND(a, LEAT_STR("SMEMBERS"), key(a, "dropped"));
    SEND(a, LEAT_STR("GET"), key(a, "current"));
    SEND(a, LEAT_STR("GET"), key(a, "held"));
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "versions");
    take_names(reply, &ret->all);
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "versions");
    take_names(reply, &dropped);
    ret->dropped = calloc(dropped.n + 1, sizeof *ret->dropped);
    leat_assert(ret->dropped != NULL);
    for (size_t i = 0; i < dropped.n; i++)
        memcpy(ret->dropped[ret->n_dropped++], dropped.at[i].name, sizeof *ret->dropped);
    leat_versions_free(&dropped);
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "current version");
    if (name_version(leat_redis_text(reply), &current))
        memcpy(ret->current, current.name, sizeof ret->current);
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "held");
    if (name_version(leat_redis_text(reply), &current))
        ret->held = current.hash;
    for (size_t i = 0; i < ret->all.n; i++)
        send_about(a, ret->all.at[i].name);
    for (size_t i = 0; i < ret->all.n; i++)
        LEAT_TRY(read_about(a, &ret->all.at[i], err), err, "versions");
    qsort(ret->all.at, ret->all.n, sizeof *ret->all.at, by_age);
    return LEAT_OK;
}

leat_status leat_redis_versions_read(const struct leat_redis_model *m,
                                     struct leat_redis_versions *ret, struct leat_error *err)
{
    struct ask a;
    *ret = (struct leat_redis_versions){.held = 0};
    leat_status status = ask_start(m, &a, err);
    if (status == LEAT_OK)
        status = read_all(&a, ret, err);
    ask_done(&a);
    if (status != LEAT_OK)
        leat_redis_versions_free(ret);
    return status;
}

void leat_redis_versions_free(struct leat_redis_versions *v)
{
    leat_versions_free(&v->all);
    free(v->dropped);
    *v = (struct leat_redis_versions){.held = 0};
}

bool leat_redis_version_was_dropped(const struct leat_redis_versions *v, const char *version)
{
    for (size_t i = 0; i < v->n_dropped; i++) {
        if (strcmp(v->dropped[i], version) == 0)
            return true;
    }
    return false;
}

void leat_redis_version_next(const struct leat_redis_versions *v, uint64_t hash,
                             char ret[LEAT_VERSION_BYTES])
{
    int next = 1;
    for (size_t i = 0; i < v->all.n; i++) {
        if (v->all.at[i].hash == hash && v->all.at[i].number >= next)
            next = v->all.at[i].number + 1;
    }
    for (size_t i = 0; i < v->n_dropped; i++) {
        struct leat_version gone;
        if (name_version(leat_str_of(v->dropped[i]), &gone) && gone.hash == hash &&
            gone.number >= next)
            next = gone.number + 1;
    }
    if (next == 1)
        (void)snprintf(ret, LEAT_VERSION_BYTES, "%016" PRIx64, hash);
    else
        (void)snprintf(ret, LEAT_VERSION_BYTES, "%016" PRIx64 "-%d", hash, next);
}

/* ---- one of them ---- */

static void take_build(const struct leat_redis_reply *reply, struct leat_version_state *s)
{
    if (leat_redis_count(reply) != ABOUTS)
        return;
    s->building = !leat_redis_is_nil(leat_redis_item(reply, BUILD_PID));
    s->build = (struct leat_build_state){
        .done = number(leat_redis_item(reply, BUILD_DONE)),
        .total = number(leat_redis_item(reply, BUILD_TOTAL)),
        .per_s = number(leat_redis_item(reply, BUILD_PER_S)),
        .started_ms = number(leat_redis_item(reply, BUILD_STARTED)),
        .told_ms = number(leat_redis_item(reply, BUILD_TOLD)),
        .pid = number(leat_redis_item(reply, BUILD_PID)),
        .paused = !leat_redis_is_nil(leat_redis_item(reply, PAUSED)),
        .pace_per_s = number(leat_redis_item(reply, PACE)),
    };
}

static leat_status look_about(struct ask *a, const char *version, struct leat_version_state *ret,
                              struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    send_about(a, version);
    SEND(a, LEAT_STR("EXISTS"), key_of(a, "builder", version));
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "version %s", version);
    take_build(reply, ret);
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "version %s", version);
    ret->has_data = leat_redis_int(reply) == 1;
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "version %s", version);
    ret->build.alive = leat_redis_int(reply) == 1;
    return LEAT_OK;
}

static size_t keys_of_slice(const struct leat_redis_keys *keys, int32_t k, struct leat_str *ret)
{
    const struct leat_redis_slice_keys *s = &keys->slices[k];
    size_t n = 0;
    ret[n++] = s->rows;
    ret[n++] = s->order;
    ret[n++] = s->skipped;
    ret[n++] = s->fresh;
    for (uint32_t i = 0; i < keys->n_indexes; i++)
        ret[n++] = s->indexes[i];
    return n;
}

/* What Redis will not estimate (an ACL, an old server) counts as nothing. */
static void look_sizes(struct ask *a, const struct leat_redis_keys *keys,
                       struct leat_version_state *ret)
{
    struct leat_str names[SLICE_KEYS_MAX];
    const struct leat_redis_reply *reply = NULL;
    struct leat_error ignored = {0};
    size_t n = 0;
    for (int32_t k = 0; k < keys->partitions; k++) {
        n = keys_of_slice(keys, k, names);
        for (size_t i = 0; i < n; i++)
            SEND(a, LEAT_STR("MEMORY"), LEAT_STR("USAGE"), names[i]);
    }
    for (size_t i = 0; i < n * (size_t)keys->partitions; i++) {
        if (leat_redis_pending(a->redis) > 0 &&
            leat_redis_reply(a->redis, &reply, &ignored) == LEAT_OK)
            ret->figures.used_bytes += (uint64_t)leat_redis_int(reply);
    }
}

static leat_status look_skipped(struct ask *a, const struct leat_redis_keys *keys,
                                struct leat_version_state *ret, struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    for (int32_t k = 0; k < keys->partitions; k++)
        SEND(a, LEAT_STR("HLEN"), keys->slices[k].skipped);
    for (int32_t k = 0; k < keys->partitions; k++) {
        LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "skipped");
        ret->skipped += (uint64_t)leat_redis_int(reply);
    }
    return LEAT_OK;
}

static leat_status look_rows(struct ask *a, struct leat_rows_version *v, bool full,
                             struct leat_arena *arena, struct leat_version_state *ret,
                             struct leat_error *err)
{
    struct leat_rows_snapshot *s = NULL;
    const struct leat_redis_keys *keys = &((struct leat_redis_version *)v)->keys;
    LEAT_TRY(leat_rows_redis.begin(v, arena, &s, err), err, "look");
    ret->partitions = keys->partitions;
    ret->at = leat_redis_snapshot_of(s)->at;
    ret->complete_ms = leat_redis_snapshot_of(s)->complete_ms;
    leat_status status = full ? leat_rows_redis.count(s, &ret->rows, err) : LEAT_OK;
    leat_rows_redis.end(s);
    if (full && status == LEAT_OK)
        status = look_skipped(a, keys, ret, err);
    if (full && status == LEAT_OK)
        look_sizes(a, keys, ret);
    return status;
}

leat_status leat_redis_version_look(const struct leat_redis_model *m, const char *version,
                                    bool full, struct leat_arena *arena,
                                    struct leat_version_state *ret, struct leat_error *err)
{
    const struct leat_rows_place place = {.topology = m->topology, .declared = m->projection};
    struct leat_version_state s = {0};
    struct leat_rows_version *v = NULL;
    struct ask a;
    leat_status status = ask_start(m, &a, err);
    if (status == LEAT_OK)
        status = look_about(&a, version, &s, err);
    if (status == LEAT_OK && s.has_data)
        status = leat_rows_redis.open(&place, version, &v, err);
    if (status == LEAT_OK && s.has_data)
        status = look_rows(&a, v, full, arena, &s, err);
    leat_rows_redis.close(v);
    ask_done(&a);
    if (status == LEAT_OK)
        *ret = s;
    return status;
}

leat_status leat_redis_version_declaration(const struct leat_redis_model *m, const char *version,
                                           struct leat_arena *arena, struct leat_str *ret,
                                           struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct ask a;
    leat_status status = ask_start(m, &a, err);
    if (status == LEAT_OK) {
        SEND(&a, LEAT_STR("HGET"), key_of(&a, "about", version), LEAT_STR("declaration"));
        status = leat_redis_reply(a.redis, &reply, err);
    }
    if (status == LEAT_OK)
        *ret = leat_arena_copy(arena, leat_redis_text(reply));
    ask_done(&a);
    return status;
}

struct leat_str leat_redis_declaration_text(const struct leat_redis_model *m,
                                            struct leat_arena *arena)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, LEAT_DECLARATION_BYTES_MAX);
    leat_declaration_text(m->topology, m->projection, &text);
    return text.overflow ? LEAT_STR("") : leat_arena_copy(arena, leat_buf_str(&text));
}

/* ---- switching, dropping ---- */

leat_status leat_redis_version_switch(const struct leat_redis_model *m, const char *version,
                                      bool held, struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct ask a;
    char hash[LEAT_VERSION_BYTES], from[LEAT_VERSION_BYTES] = "";
    leat_status status = ask_start(m, &a, err);
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, m->projection->hash);
    if (status == LEAT_OK) {
        SEND(&a, LEAT_STR("GET"), key(&a, "current"));
        status = leat_redis_reply(a.redis, &reply, err);
    }
    if (status == LEAT_OK) {
        (void)snprintf(from, sizeof from, "%.*s", LEAT_STR_FMT(leat_redis_text(reply)));
        SEND(&a, LEAT_STR("MULTI"));
        if (held)
            SEND(&a, LEAT_STR("SET"), key(&a, "held"), leat_str_of(hash));
        else
            SEND(&a, LEAT_STR("UNLINK"), key(&a, "held"));
        if (from[0] != 0 && strcmp(from, version) != 0)
            SEND(&a, LEAT_STR("HSET"), key_of(&a, "about", from), LEAT_STR("left"),
                 text_of(&a, leat_now_ms()));
        SEND(&a, LEAT_STR("HDEL"), key_of(&a, "about", version), LEAT_STR("left"));
        SEND(&a, LEAT_STR("SET"), key(&a, "current"), leat_str_of(version));
        SEND(&a, LEAT_STR("EXEC"));
        status = leat_redis_finish(a.redis, err);
    }
    ask_done(&a);
    return status;
}

/* One slice at a time: UNLINK leaves the freeing to a thread of the server. */
static leat_status unlink_slices(struct ask *a, const struct leat_redis_keys *keys,
                                 struct leat_error *err)
{
    struct leat_str names[SLICE_KEYS_MAX];
    for (int32_t k = 0; k < keys->partitions; k++) {
        size_t n = keys_of_slice(keys, k, names);
        for (size_t i = 0; i < n; i++)
            SEND(a, LEAT_STR("UNLINK"), names[i]);
        LEAT_TRY(leat_redis_finish(a->redis, err), err, "slice %d", (int)k);
    }
    return LEAT_OK;
}

/* What SCAN's pattern would take for more than itself is escaped. */
static struct leat_str pattern_of(struct ask *a, const char *version)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    const char *tag =
        leat_arena_printf(a->arena, "{%.*s.%.*s.%s.", LEAT_STR_FMT(a->m->topology->name),
                          LEAT_STR_FMT(a->m->projection->name), version);
    leat_buf_init(&text, BLOCK_BYTES);
    for (; *tag != 0; tag++) {
        if (strchr("*?[]^-\\", *tag) != NULL)
            leat_buf_putc(&text, '\\');
        leat_buf_putc(&text, *tag);
    }
    leat_buf_putc(&text, '*');
    return leat_arena_copy(a->arena, leat_buf_str(&text));
}

/* Its form is gone, so its keys are looked for. */
static leat_status unlink_found(struct ask *a, const char *version, struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct leat_str pattern = pattern_of(a, version), cursor = LEAT_STR("0");
    do {
        SEND(a, LEAT_STR("SCAN"), cursor, LEAT_STR("MATCH"), pattern, LEAT_STR("COUNT"),
             text_of(a, SCAN_COUNT));
        LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "scan");
        if (leat_redis_count(reply) != 2)
            return leat_fail(err, LEAT_FATAL, "scan: an answer that is none");
        cursor = leat_arena_copy(a->arena, leat_redis_text(leat_redis_item(reply, 0)));
        const struct leat_redis_reply *found = leat_redis_item(reply, 1);
        for (size_t i = 0; i < leat_redis_count(found); i++)
            SEND(a, LEAT_STR("UNLINK"), leat_redis_text(leat_redis_item(found, i)));
        LEAT_TRY(leat_redis_finish(a->redis, err), err, "scan");
    } while (!leat_str_eq(cursor, LEAT_STR("0")));
    return LEAT_OK;
}

static leat_status drop(struct ask *a, const char *version, struct leat_error *err)
{
    const struct leat_rows_place place = {.topology = a->m->topology, .declared = a->m->projection};
    struct leat_rows_version *v = NULL;
    struct leat_error absent = {0};
    SEND(a, LEAT_STR("MULTI"));
    SEND(a, LEAT_STR("SADD"), key(a, "dropped"), leat_str_of(version));
    SEND(a, LEAT_STR("SREM"), key(a, "versions"), leat_str_of(version));
    SEND(a, LEAT_STR("EXEC"));
    LEAT_TRY(leat_redis_finish(a->redis, err), err, "drop");
    if (leat_rows_redis.open(&place, version, &v, &absent) == LEAT_OK) {
        leat_status status = unlink_slices(a, &((struct leat_redis_version *)v)->keys, err);
        leat_rows_redis.close(v);
        LEAT_TRY(status, err, "drop");
    } else {
        LEAT_TRY(unlink_found(a, version, err), err, "drop");
    }
    SEND(a, LEAT_STR("UNLINK"), key_of(a, "shape", version));
    SEND(a, LEAT_STR("UNLINK"), key_of(a, "about", version));
    SEND(a, LEAT_STR("UNLINK"), key_of(a, "builder", version));
    return leat_redis_finish(a->redis, err);
}

leat_status leat_redis_version_drop(const struct leat_redis_model *m, const char *version,
                                    struct leat_error *err)
{
    struct ask a;
    leat_status status = ask_start(m, &a, err);
    if (status == LEAT_OK)
        status = drop(&a, version, err);
    ask_done(&a);
    return status;
}

/* ---- building ---- */

/* *ret_made false: somebody else took that name. */
static leat_status make(struct ask *a, const char *version, bool *ret_made, struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    SEND(a, LEAT_STR("HSETNX"), key_of(a, "about", version), LEAT_STR("build_pid"),
         text_of(a, (int64_t)getpid()));
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "new version");
    *ret_made = leat_redis_int(reply) == 1;
    if (!*ret_made)
        return LEAT_OK;
    SEND(a, LEAT_STR("MULTI"));
    SEND(a, LEAT_STR("HSET"), key_of(a, "about", version), LEAT_STR("made"),
         text_of(a, leat_now_ms()), LEAT_STR("declaration"),
         leat_redis_declaration_text(a->m, a->arena));
    SEND(a, LEAT_STR("SADD"), key(a, "versions"), leat_str_of(version));
    SEND(a, LEAT_STR("EXEC"));
    return leat_redis_finish(a->redis, err);
}

leat_status leat_redis_version_make(const struct leat_redis_model *m,
                                    char ret_version[LEAT_VERSION_BYTES], struct leat_error *err)
{
    bool made = false;
    for (int i = 0; i < MAKE_TRIES && !made; i++) {
        struct leat_redis_versions v;
        struct ask a;
        LEAT_TRY(leat_redis_versions_read(m, &v, err), err, "new version");
        leat_redis_version_next(&v, m->projection->hash, ret_version);
        leat_redis_versions_free(&v);
        leat_status status = ask_start(m, &a, err);
        if (status == LEAT_OK)
            status = make(&a, ret_version, &made, err);
        ask_done(&a);
        LEAT_TRY(status, err, "new version");
    }
    return made ? LEAT_OK : leat_fail(err, LEAT_RETRY, "others make versions all the time");
}

leat_status leat_redis_build_lock(const struct leat_redis_model *m, const char *version,
                                  struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct ask a;
    leat_status status = ask_start(m, &a, err);
    if (status == LEAT_OK) {
        SEND(&a, LEAT_STR("SET"), key_of(&a, "builder", version), text_of(&a, (int64_t)getpid()),
             LEAT_STR("NX"), LEAT_STR("PX"), text_of(&a, LEAT_REDIS_BUILDER_MS));
        status = leat_redis_reply(a.redis, &reply, err);
    }
    if (status == LEAT_OK && leat_redis_is_nil(reply))
        status =
            leat_fail(err, LEAT_RETRY, "version %s is being built by another process", version);
    ask_done(&a);
    return status;
}

static leat_status tell(struct ask *a, const char *version, struct leat_build_state *s,
                        struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct leat_str about_key = key_of(a, "about", version);
    SEND(a, LEAT_STR("SISMEMBER"), key(a, "dropped"), leat_str_of(version));
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "build");
    if (leat_redis_int(reply) == 1)
        return leat_fail(err, LEAT_ABSENT, "version %s was dropped meanwhile", version);
    SEND(a, LEAT_STR("HMGET"), about_key, LEAT_STR("paused"), LEAT_STR("pace"));
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "build");
    if (leat_redis_count(reply) == 2) {
        s->paused = !leat_redis_is_nil(leat_redis_item(reply, 0));
        s->pace_per_s = number(leat_redis_item(reply, 1));
    }
    SEND(a, LEAT_STR("HSET"), about_key, leat_str_of(about[BUILD_PID]), text_of(a, s->pid),
         leat_str_of(about[BUILD_DONE]), text_of(a, s->done), leat_str_of(about[BUILD_TOTAL]),
         text_of(a, s->total), leat_str_of(about[BUILD_PER_S]), text_of(a, s->per_s),
         leat_str_of(about[BUILD_STARTED]), text_of(a, s->started_ms),
         leat_str_of(about[BUILD_TOLD]), text_of(a, s->told_ms));
    SEND(a, LEAT_STR("SADD"), key(a, "versions"), leat_str_of(version));
    SEND(a, LEAT_STR("SET"), key_of(a, "builder", version), text_of(a, s->pid), LEAT_STR("PX"),
         text_of(a, LEAT_REDIS_BUILDER_MS));
    return leat_redis_finish(a->redis, err);
}

leat_status leat_redis_build_tell(const struct leat_redis_model *m, const char *version,
                                  struct leat_build_state *s, struct leat_error *err)
{
    struct ask a;
    leat_status status = ask_start(m, &a, err);
    if (status == LEAT_OK)
        status = tell(&a, version, s, err);
    ask_done(&a);
    return status;
}

void leat_redis_build_unlock(const struct leat_redis_model *m, const char *version)
{
    struct leat_error ignored = {0};
    struct ask a;
    if (ask_start(m, &a, &ignored) == LEAT_OK) {
        SEND(&a, LEAT_STR("UNLINK"), key_of(&a, "builder", version));
        (void)!leat_redis_finish(a.redis, &ignored); /* else it goes by itself */
    }
    ask_done(&a);
}

leat_status leat_redis_build_done(const struct leat_redis_model *m, const char *version,
                                  struct leat_error *err)
{
    struct ask a;
    leat_status status = ask_start(m, &a, err);
    if (status == LEAT_OK) {
        leat_redis_command(a.redis, 2 + ABOUTS - BUILD_PID);
        leat_redis_arg(a.redis, LEAT_STR("HDEL"));
        leat_redis_arg(a.redis, key_of(&a, "about", version));
        for (int i = BUILD_PID; i < ABOUTS; i++)
            leat_redis_arg(a.redis, leat_str_of(about[i]));
        SEND(&a, LEAT_STR("UNLINK"), key_of(&a, "builder", version));
        status = leat_redis_finish(a.redis, err);
    }
    ask_done(&a);
    return status;
}

leat_status leat_redis_build_pause(const struct leat_redis_model *m, const char *version,
                                   bool pause, struct leat_error *err)
{
    struct ask a;
    leat_status status = ask_start(m, &a, err);
    if (status == LEAT_OK) {
        if (pause)
            SEND(&a, LEAT_STR("HSET"), key_of(&a, "about", version), LEAT_STR("paused"),
                 LEAT_STR("1"));
        else
            SEND(&a, LEAT_STR("HDEL"), key_of(&a, "about", version), LEAT_STR("paused"));
        status = leat_redis_finish(a.redis, err);
    }
    ask_done(&a);
    return status;
}

leat_status leat_redis_build_pace(const struct leat_redis_model *m, const char *version,
                                  int64_t per_s, struct leat_error *err)
{
    struct ask a;
    leat_status status = ask_start(m, &a, err);
    if (status == LEAT_OK) {
        SEND(&a, LEAT_STR("HSET"), key_of(&a, "about", version), LEAT_STR("pace"),
             text_of(&a, per_s));
        status = leat_redis_finish(a.redis, err);
    }
    ask_done(&a);
    return status;
}
