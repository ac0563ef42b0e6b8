/* Dead letters over HTTP. A sweep of many is bounded by `max`, so that no request takes long. */
#include <string.h>

#include "base/clock.h"
#include "base/suggest.h"
#include "query/by_id.h"
#include "query/filters.h"
#include "query/http.h"
#include "query/routes_operators.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000
#define SWEEP_DEFAULT 1000
#define SWEEP_MAX     5000
#define IDS_MAX       1000
#define OPEN          (1U << LEAT_DEAD_DEAD | 1U << LEAT_DEAD_QUARANTINED)

/* ---- GET /v1/dlq, GET /v1/dlq/{id} ---- */

static leat_status read_page(struct leat_request *rq, struct leat_dead_filter *f,
                             struct leat_dead_page *page, struct leat_error *err)
{
    int64_t limit = LIMIT_DEFAULT;
    struct leat_str cursor;
    leat_status status = leat_target_int(&rq->target, "limit", 1, LIMIT_MAX, &limit, err);
    for (uint32_t i = 0; i < rq->target.n_params && status == LEAT_OK; i++) {
        const struct leat_param *p = &rq->target.params[i];
        const char *name = leat_arena_cstr(rq->arena, p->name);
        if (strcmp(name, "limit") != 0 && strcmp(name, "cursor") != 0)
            status = leat_dead_filter_set(f, name, p->value, leat_now_ms() * 1000, err);
    }
    if (status == LEAT_OK && leat_target_param(&rq->target, "cursor", &cursor))
        status = leat_dead_cursor_read(cursor, page, err);
    page->limit = (size_t)limit;
    return status;
}

void leat_route_list_dead(struct leat_request *rq)
{
    struct leat_error err = {0};
    struct leat_store *store = NULL;
    struct leat_dead_filter f = leat_dead_filter_of(LEAT_DEAD_OPEN);
    struct leat_dead_page page = {.limit = 0};
    struct leat_dead_list l = {.n = 0};
    struct leat_json_writer w;
    leat_status status = read_page(rq, &f, &page, &err);
    if (status == LEAT_OK)
        status = leat_store_pool_take(rq->http->stores, &store, &err);
    if (status == LEAT_OK && f.processor.len > 0)
        status = leat_processor_known(store, f.processor, rq->arena, &err);
    if (status == LEAT_OK)
        status = leat_dead_list_read(store, &f, &page, rq->arena, &l, &err);
    leat_store_pool_give(rq->http->stores, store);
    if (status != LEAT_OK) {
        leat_answer_error(rq, &err);
        return;
    }
    leat_json_writer_init(&w, &rq->out);
    leat_dead_list_json(&l, &w);
    leat_answer_json(rq, 200);
}

leat_status leat_request_id(struct leat_request *rq, struct leat_uuid *ret,
                            struct leat_str *ret_processor, struct leat_error *err)
{
    *ret_processor = (struct leat_str){"", 0};
    (void)leat_target_param(&rq->target, "processor", ret_processor);
    if (leat_uuid_parse(leat_route_value(rq, "id"), ret))
        return LEAT_OK;
    return leat_fail(err, LEAT_INVALID, "an id is a UUID");
}

void leat_route_get_dead(struct leat_request *rq)
{
    struct leat_error err = {0};
    struct leat_store *store = NULL;
    struct leat_uuid id;
    struct leat_str processor;
    struct leat_dead_row d;
    struct leat_json_writer w;
    leat_status status = leat_request_id(rq, &id, &processor, &err);
    if (status == LEAT_OK)
        status = leat_store_pool_take(rq->http->stores, &store, &err);
    if (status == LEAT_OK)
        status = leat_dead_by_id(store, processor, &id, rq->arena, &d, &err);
    leat_store_pool_give(rq->http->stores, store);
    if (status != LEAT_OK) {
        leat_answer_error(rq, &err);
        return;
    }
    leat_json_writer_init(&w, &rq->out);
    leat_dead_json(rq->http->c.schemas, &d, &w);
    leat_answer_json(rq, 200);
}

/* ---- POST /v1/dlq/redrive, POST /v1/dlq/drop ---- */

struct asked { /* the body */
    struct leat_dead_filter filter;
    bool filtered, all, dry_run, force;
    struct leat_str reason;
    struct leat_uuids ids;
    int64_t max;
};

static leat_status read_ids(struct leat_json_reader *r, struct leat_arena *arena, struct asked *a,
                            struct leat_error *err)
{
    struct leat_json_token t;
    a->ids.at = leat_arena_zalloc(arena, IDS_MAX, sizeof *a->ids.at);
    LEAT_TRY(leat_json_next(r, &t, err), err, "body");
    if (t.kind != LEAT_JSON_ARRAY_BEGIN)
        return leat_fail(err, LEAT_INVALID, "'ids' must be an array of texts");
    for (;;) {
        LEAT_TRY(leat_json_next(r, &t, err), err, "body");
        if (t.kind == LEAT_JSON_ARRAY_END)
            break;
        if (a->ids.n == IDS_MAX)
            return leat_fail(err, LEAT_INVALID, "more than %d ids", IDS_MAX);
        if (t.kind != LEAT_JSON_STRING ||
            !leat_uuid_parse(leat_json_unescape(&t, arena), &a->ids.at[a->ids.n++]))
            return leat_fail(err, LEAT_INVALID, "'ids' must hold UUIDs");
    }
    return a->ids.n > 0 ? LEAT_OK : leat_fail(err, LEAT_INVALID, "'ids' is empty");
}

static leat_status unknown_member(struct leat_str name, const char *allowed, struct leat_error *err)
{
    struct leat_suggest near;
    leat_suggest_start(&near, name);
    while (*allowed != '\0') {
        size_t n = strcspn(allowed, ",");
        leat_suggest_offer(&near, (struct leat_str){allowed, (uint32_t)n});
        allowed += n + (allowed[n] == ',');
    }
    (void)leat_fail(err, LEAT_INVALID, "there is no member '%.*s'",
                    (int)(name.len < 100 ? name.len : 100), name.at);
    if (near.best.len > 0)
        leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return LEAT_INVALID;
}

static bool is_in(const char *list, struct leat_str name)
{
    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        if (leat_str_eq((struct leat_str){list, (uint32_t)n}, name))
            return true;
        list += n + (list[n] == ',');
    }
    return false;
}

static leat_status read_flag(const struct leat_json_token *t, struct leat_str name, bool *ret,
                             struct leat_error *err)
{
    if (t->kind != LEAT_JSON_BOOL)
        return leat_fail(err, LEAT_INVALID, "'%.*s' must be true or false", LEAT_STR_FMT(name));
    *ret = t->boolean;
    return LEAT_OK;
}

static leat_status read_member(struct leat_json_reader *r, struct leat_str name,
                               struct leat_arena *arena, struct asked *a, struct leat_error *err)
{
    struct leat_json_token t;
    if (leat_str_eq(name, LEAT_STR("ids")))
        return read_ids(r, arena, a, err);
    LEAT_TRY(leat_json_next(r, &t, err), err, "body");
    if (leat_str_eq(name, LEAT_STR("all")))
        return read_flag(&t, name, &a->all, err);
    if (leat_str_eq(name, LEAT_STR("dry_run")))
        return read_flag(&t, name, &a->dry_run, err);
    if (leat_str_eq(name, LEAT_STR("force")))
        return read_flag(&t, name, &a->force, err);
    if (leat_str_eq(name, LEAT_STR("max"))) {
        if (t.kind != LEAT_JSON_INT || t.integer < 1 || t.integer > SWEEP_MAX)
            return leat_fail(err, LEAT_INVALID, "'max' must be a whole number from 1 to %d",
                             SWEEP_MAX);
        a->max = t.integer;
        return LEAT_OK;
    }
    if (t.kind != LEAT_JSON_STRING)
        return leat_fail(err, LEAT_INVALID, "'%.*s' must be a text", LEAT_STR_FMT(name));
    struct leat_str value = leat_json_unescape(&t, arena);
    if (leat_str_eq(name, LEAT_STR("reason"))) {
        a->reason = value;
        return LEAT_OK;
    }
    a->filtered |= !leat_str_eq(name, LEAT_STR("processor"));
    return leat_dead_filter_set(&a->filter, leat_arena_cstr(arena, name), value,
                                leat_now_ms() * 1000, err);
}

static leat_status read_body(struct leat_request *rq, const char *allowed, struct asked *a,
                             struct leat_error *err)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, leat_buf_str(&rq->body));
    LEAT_TRY(leat_json_next(&r, &t, err), err, "the body is not JSON");
    if (t.kind != LEAT_JSON_OBJECT_BEGIN)
        return leat_fail(err, LEAT_INVALID, "the body must be a JSON object");
    for (;;) {
        LEAT_TRY(leat_json_next(&r, &t, err), err, "the body is not JSON");
        if (t.kind == LEAT_JSON_OBJECT_END)
            break;
        struct leat_str name = leat_json_unescape(&t, rq->arena);
        if (!is_in(allowed, name))
            return unknown_member(name, allowed, err);
        leat_status status = read_member(&r, name, rq->arena, a, err);
        if (status != LEAT_OK)
            return status;
    }
    LEAT_TRY(leat_json_next(&r, &t, err), err, "the body is not JSON");
    return LEAT_OK;
}

static leat_status check_asked(const struct asked *a, struct leat_error *err)
{
    if (a->ids.n > 0 && (a->filtered || a->all))
        return leat_fail(err, LEAT_INVALID, "'ids' or filters, not both");
    if (a->ids.n > 0 || a->filtered || a->filter.processor.len > 0 || a->all)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_INVALID, "which ones is not said");
    leat_error_hint(err, "give 'ids', filters (processor, code, since …) or \"all\": true");
    return LEAT_INVALID;
}

/* Nothing is changed: the histogram of what is meant. */
static leat_status dry_run(struct leat_request *rq, struct leat_store *store, const struct asked *a,
                           struct leat_error *err)
{
    struct leat_dead_list l = {.n = 0};
    struct leat_json_writer w;
    if (a->ids.n > 0) {
        struct leat_dead_rows rows = {.n = 0};
        leat_status status =
            leat_dead_by_ids(store, a->filter.processor, &a->ids, rq->arena, &rows, err);
        if (status != LEAT_OK)
            return status;
        l.rows = rows.at;
        l.n = rows.n;
        l.groups.total = (int64_t)l.n;
    } else {
        LEAT_TRY(leat_store_dead_groups(store, &a->filter, rq->arena, &l.groups, err), err, "dlq");
    }
    leat_json_writer_init(&w, &rq->out);
    leat_dead_list_json(&l, &w);
    return LEAT_OK;
}

struct meant {
    struct leat_dead_ref *refs;
    size_t n;
    int64_t left; /* beyond `max` */
};

static leat_status find(struct leat_request *rq, struct leat_store *store, const struct asked *a,
                        struct meant *ret, struct leat_error *err)
{
    struct leat_dead_groups groups = {.n = 0};
    if (a->ids.n > 0) {
        struct leat_dead_rows rows = {.n = 0};
        leat_status status =
            leat_dead_by_ids(store, a->filter.processor, &a->ids, rq->arena, &rows, err);
        if (status == LEAT_OK)
            *ret = (struct meant){leat_dead_refs_of(&rows, rq->arena), rows.n, 0};
        return status;
    }
    const struct leat_dead_page page = {.filter = &a->filter, .limit = (size_t)a->max};
    LEAT_TRY(leat_store_dead_groups(store, &a->filter, rq->arena, &groups, err), err, "dlq");
    LEAT_TRY(leat_store_dead_refs(store, &page, rq->arena, &ret->refs, &ret->n, err), err, "dlq");
    ret->left = groups.total > (int64_t)ret->n ? groups.total - (int64_t)ret->n : 0;
    return LEAT_OK;
}

static leat_status sweep(struct leat_request *rq, struct leat_store *store, const struct asked *a,
                         struct leat_sweep *s, struct leat_error *err)
{
    struct meant m = {.n = 0};
    if (a->filter.processor.len > 0) {
        leat_status known = leat_processor_known(store, a->filter.processor, rq->arena, err);
        if (known != LEAT_OK)
            return known;
    }
    if (a->dry_run)
        return dry_run(rq, store, a, err);
    leat_status status = find(rq, store, a, &m, err);
    s->store = store;
    s->topology = rq->http->c.topology;
    s->arena = rq->arena;
    if (status == LEAT_OK)
        status = leat_sweep_start(s, m.refs, m.n, err);
    bool more = m.n > 0;
    while (status == LEAT_OK && more)
        status = leat_sweep_step(s, LEAT_SWEEP_BATCH, &more, err);
    if (status == LEAT_OK)
        leat_answer_sweep(rq, s, a->ids.n > 0, m.left);
    return status;
}

static void change(struct leat_request *rq, const char *allowed, struct leat_sweep *s)
{
    struct leat_error err = {0};
    struct leat_store *store = NULL;
    struct asked a = {.filter = leat_dead_filter_of(OPEN), .max = SWEEP_DEFAULT};
    bool drops = s->what == LEAT_SWEEP_DROP;
    leat_status status = read_body(rq, allowed, &a, &err);
    if (status != LEAT_OK)
        err.status = LEAT_INVALID; /* what is no JSON is the caller's mistake */
    if (status == LEAT_OK)
        status = check_asked(&a, &err);
    if (status == LEAT_OK && drops && !a.dry_run && a.reason.len == 0)
        status = leat_fail(&err, LEAT_INVALID,
                           "'reason' is missing: it is kept with what is "
                           "dropped");
    s->force = a.force;
    s->note = leat_str_of(leat_arena_printf(rq->arena, "%.*s (over HTTP)",
                                            (int)(a.reason.len < 500 ? a.reason.len : 500),
                                            a.reason.at == NULL ? "" : a.reason.at));
    if (status == LEAT_OK)
        status = leat_store_pool_take(rq->http->stores, &store, &err);
    if (status == LEAT_OK)
        status = sweep(rq, store, &a, s, &err);
    leat_store_pool_give(rq->http->stores, store);
    if (status != LEAT_OK)
        leat_answer_error(rq, &err);
    else
        leat_answer_json(rq, 200);
}

void leat_route_redrive(struct leat_request *rq)
{
    struct leat_sweep s = {.what = LEAT_SWEEP_REDRIVE};
    change(rq, LEAT_DEAD_FILTERS ",ids,all,dry_run,max,force", &s);
}

void leat_route_drop(struct leat_request *rq)
{
    struct leat_sweep s = {.what = LEAT_SWEEP_DROP};
    change(rq, LEAT_DEAD_FILTERS ",ids,all,dry_run,max,reason", &s);
}

void leat_answer_sweep(struct leat_request *rq, const struct leat_sweep *s, bool ids, int64_t left)
{
    struct leat_json_writer w;
    char id[LEAT_UUID_TEXT];
    leat_json_writer_init(&w, &rq->out);
    leat_json_begin_object(&w);
    leat_json_put_int(&w, s->what == LEAT_SWEEP_DROP ? "dropped" : "redriven", leat_sweep_done(s));
    leat_json_put_int(&w, "refused", leat_sweep_refused(s));
    leat_json_key(&w, LEAT_STR("results"));
    leat_json_begin_object(&w);
    for (int i = 0; i < LEAT_OPERATED_COUNT; i++) {
        if (s->counts[i] > 0)
            leat_json_put_int(&w, leat_operated_names[i], s->counts[i]);
    }
    leat_json_end_object(&w);
    leat_json_put_int(&w, "left", left);
    if (ids) {
        leat_json_key(&w, LEAT_STR("ids"));
        leat_json_begin_array(&w);
        for (int64_t i = 0; i < s->seen; i++) {
            leat_uuid_format(&s->told[i].ref->id, id);
            leat_json_begin_object(&w);
            leat_json_put_cstr(&w, "id", id);
            leat_json_put_str(&w, "processor", s->told[i].ref->processor);
            leat_json_put_cstr(&w, "result", leat_operated_names[s->told[i].result]);
            leat_json_end_object(&w);
        }
        leat_json_end_array(&w);
    }
    leat_json_end_object(&w);
}
