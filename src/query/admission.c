#include "query/admission.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth.h"
#include "base/clock.h"
#include "base/log.h"
#include "projection/model_guard.h"
#include "query/limits.h"

struct leat_admission {
    const struct leat_access *access;
    struct leat_auth *auth;
    struct leat_limits *limits;
};

leat_status leat_admission_new(const struct leat_topology *t, const char *listen,
                               struct leat_admission **ret, struct leat_error *err)
{
    const struct leat_access *access = &t->http.access;
    if (!leat_access_serves(access, listen)) {
        (void)leat_fail(err, LEAT_INVALID,
                        "'%.80s' is open to other machines, and there is no http.auth", listen);
        leat_error_hint(err, "Say in the topology who may do what, or listen on 127.0.0.1.");
        return LEAT_INVALID;
    }
    struct leat_admission *a = calloc(1, sizeof *a);
    leat_assert(a != NULL);
    a->access = access;
    leat_status status = leat_auth_new(access, &a->auth, err);
    if (status == LEAT_OK)
        status = leat_limits_new(t, &a->limits, err);
    if (status != LEAT_OK) {
        leat_admission_free(a);
        return status;
    }
    *ret = a;
    return LEAT_OK;
}

void leat_admission_free(struct leat_admission *a)
{
    if (a == NULL)
        return;
    leat_auth_free(a->auth);
    leat_limits_free(a->limits);
    free(a);
}

static void forbid(struct leat_request *rq, const char *detail)
{
    leat_answer_problem(rq, 403, "Not allowed", "forbidden", detail,
                        "the roles of http.auth say who may do what");
}

/* ---- how often ---- */

static struct leat_str last_forwarded(struct leat_str header)
{
    const char *comma = memrchr(header.at, ',', header.len);
    uint32_t skip = comma == NULL ? 0 : (uint32_t)(comma - header.at) + 1;
    while (skip < header.len && header.at[skip] == ' ')
        skip++;
    return (struct leat_str){header.at + skip, header.len - skip};
}

static struct leat_str address_of(struct leat_request *rq)
{
    struct leat_str forwarded = leat_request_header(rq, "X-Forwarded-For");
    if (rq->http->admission->access->forwarded && forwarded.len > 0)
        return last_forwarded(forwarded);
    char text[INET6_ADDRSTRLEN] = "";
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(rq->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *at = info == NULL ? NULL : info->client_addr;
    if (at != NULL && at->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)at)->sin6_addr, text,
                        sizeof text);
    else if (at != NULL)
        (void)inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)at)->sin_addr, text,
                        sizeof text);
    return leat_arena_copy(rq->arena, leat_str_of(text));
}

static bool within_limit(struct leat_request *rq)
{
    const struct leat_admission *a = rq->http->admission;
    struct leat_rate rate = leat_rate_of(a->access, &rq->caller);
    if (rate.requests == 0)
        return true;
    bool by_address = a->access->rate_per == LEAT_RATE_PER_ADDRESS || rq->caller.name.len == 0;
    struct leat_str who = by_address ? address_of(rq) : rq->caller.name;
    const char *key =
        leat_arena_printf(rq->arena, "%s:%.*s", by_address ? "a" : "c", LEAT_STR_FMT(who));
    const struct leat_limit limit = {rate.requests, rate.window_ms};
    struct leat_limited r = leat_limits_take(a->limits, leat_str_of(key), &limit);
    leat_answer_header_int(rq, "X-RateLimit-Limit", rate.requests);
    leat_answer_header_int(rq, "X-RateLimit-Remaining", r.remaining);
    leat_answer_header_int(rq, "X-RateLimit-Reset", (r.reset_ms + 999) / 1000);
    if (r.allowed)
        return true;
    leat_answer_header_int(rq, "Retry-After", (r.retry_after_ms + 999) / 1000);
    leat_answer_problem(rq, 429, "Too many requests", "rate-limit",
                        "more requests than http.limits allows", "Retry-After says when");
    return false;
}

/* ---- who, and whether they may ---- */

static bool may(struct leat_request *rq)
{
    const struct leat_access *a = rq->http->admission->access;
    switch (rq->route->needs) {
    case LEAT_NEEDS_SEND:
        if (leat_may_send(a, &rq->caller, leat_route_value(rq, "command")))
            return true;
        forbid(rq, "you may not send this command");
        return false;
    case LEAT_NEEDS_STREAMS:
        if (leat_may_stream(a, &rq->caller))
            return true;
        forbid(rq, "you may not read streams");
        return false;
    case LEAT_NEEDS_OPERATE:
        if (leat_may_operate(a, &rq->caller))
            return true;
        forbid(rq, "this is for those who operate");
        return false;
    case LEAT_NEEDS_NOTHING:
    case LEAT_NEEDS_CALLER:
        break;
    }
    return true;
}

bool leat_admitted(struct leat_request *rq)
{
    const struct leat_credentials shown = {leat_request_header(rq, "Authorization"),
                                           leat_request_header(rq, "X-API-Key")};
    struct leat_error err = {0};
    if (rq->route->needs == LEAT_NEEDS_NOTHING)
        return true;
    leat_status status = leat_auth_admit(rq->http->admission->auth, &shown, leat_now_ms(),
                                         rq->arena, &rq->caller, &err);
    if (status != LEAT_OK) { /* counted by its address: keys are not to be guessed at any pace */
        rq->caller = (struct leat_caller){.name = {"", 0}};
        if (!within_limit(rq))
            return false;
        if (status == LEAT_RETRY) {
            leat_answer_error(rq, &err);
            return false;
        }
        leat_answer_header(rq, "WWW-Authenticate", "Bearer");
        leat_answer_problem(rq, 401, "Who asks?", "unauthorized", err.msg, err.hint);
        return false;
    }
    return within_limit(rq) && may(rq);
}

bool leat_admitted_to_command(const struct leat_request *rq, struct leat_str type)
{
    return leat_may_send(rq->http->admission->access, &rq->caller, type);
}

/* ---- models ---- */

bool leat_admitted_to_model(struct leat_request *rq, const struct leat_projection *p)
{
    if (leat_may_read(rq->http->admission->access, &rq->caller, p).given)
        return true;
    forbid(rq, leat_arena_printf(rq->arena, "you may not read the model '%.*s'",
                                 LEAT_STR_FMT(p->name)));
    return false;
}

void leat_admission_guard(struct leat_request *rq, const struct leat_projection *p,
                          struct leat_model_read *m)
{
    struct leat_grant g = leat_may_read(rq->http->admission->access, &rq->caller, p);
    if (p->audited && !rq->audited)
        leat_log_kv(LEAT_LOG_INFO, "audit", "model-read",
                    LEAT_LOG_FIELDS(LEAT_LOG_STR("caller", rq->caller.name),
                                    LEAT_LOG_STR("model", p->name), LEAT_LOG_STR("asked", rq->raw)),
                    "a read of an audited model");
    rq->audited |= p->audited;
    if (g.model == NULL)
        return;
    struct leat_guard_rules rules = {.none = g.none,
                                     .n_where = g.model->n_where,
                                     .mask = g.model->mask.at,
                                     .n_mask = g.model->mask.n};
    struct leat_guard_field *where =
        leat_arena_zalloc(rq->arena, g.model->n_where + (size_t)1, sizeof *where);
    for (uint32_t i = 0; i < g.model->n_where; i++)
        where[i] =
            (struct leat_guard_field){p->fields.at[g.model->where[i].field],
                                      leat_grant_value(&g.model->where[i], &rq->caller, rq->arena)};
    rules.where = where;
    leat_model_guard(m, &rules);
}
