/* What waits, over HTTP. */
#include <string.h>

#include "base/clock.h"
#include "query/by_id.h"
#include "query/filters.h"
#include "query/http.h"
#include "query/routes_operators.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000

static leat_status read_page(struct leat_request *rq, struct leat_waiter_filter *f,
                             struct leat_waiter_page *page, struct leat_error *err)
{
    int64_t limit = LIMIT_DEFAULT;
    struct leat_str cursor;
    leat_status status = leat_target_int(&rq->target, "limit", 1, LIMIT_MAX, &limit, err);
    for (uint32_t i = 0; i < rq->target.n_params && status == LEAT_OK; i++) {
        const struct leat_param *p = &rq->target.params[i];
        const char *name = leat_arena_cstr(rq->arena, p->name);
        if (strcmp(name, "limit") != 0 && strcmp(name, "cursor") != 0)
            status = leat_waiter_filter_set(f, name, p->value, leat_now_ms() * 1000, err);
    }
    if (status == LEAT_OK && leat_target_param(&rq->target, "cursor", &cursor))
        status = leat_waiter_cursor_read(cursor, page, err);
    page->limit = (size_t)limit;
    return status;
}

void leat_route_list_waiting(struct leat_request *rq)
{
    struct leat_error err = {0};
    struct leat_store *store = NULL;
    struct leat_waiter_filter f = leat_waiter_filter_of(LEAT_WAITS_ALL);
    struct leat_waiter_page page = {.limit = 0};
    struct leat_waiter_list l = {.n = 0};
    struct leat_json_writer w;
    leat_status status = read_page(rq, &f, &page, &err);
    if (status == LEAT_OK)
        status = leat_store_pool_take(rq->http->stores, &store, &err);
    if (status == LEAT_OK && f.processor.len > 0)
        status = leat_processor_known(store, f.processor, rq->arena, &err);
    if (status == LEAT_OK)
        status = leat_waiter_list_read(store, &f, &page, rq->arena, &l, &err);
    leat_store_pool_give(rq->http->stores, store);
    if (status != LEAT_OK) {
        leat_answer_error(rq, &err);
        return;
    }
    leat_json_writer_init(&w, &rq->out);
    leat_waiter_list_json(&l, &w);
    leat_answer_json(rq, 200);
}

void leat_route_get_waiting(struct leat_request *rq)
{
    struct leat_error err = {0};
    struct leat_store *store = NULL;
    struct leat_uuid id;
    struct leat_str processor;
    struct leat_waiter r;
    struct leat_json_writer w;
    leat_status status = leat_request_id(rq, &id, &processor, &err);
    if (status == LEAT_OK)
        status = leat_store_pool_take(rq->http->stores, &store, &err);
    if (status == LEAT_OK)
        status = leat_waiter_by_id(store, processor, &id, rq->arena, &r, &err);
    leat_store_pool_give(rq->http->stores, store);
    if (status != LEAT_OK) {
        leat_answer_error(rq, &err);
        return;
    }
    leat_json_writer_init(&w, &rq->out);
    leat_waiter_json(rq->http->c.schemas, &r, &w);
    leat_answer_json(rq, 200);
}

static leat_status change(struct leat_request *rq, struct leat_store *store, struct leat_sweep *s,
                          struct leat_error *err)
{
    struct leat_uuid id;
    struct leat_str processor;
    struct leat_waiter r;
    bool more = true;
    leat_status status = leat_request_id(rq, &id, &processor, err);
    if (status == LEAT_OK)
        status = leat_waiter_by_id(store, processor, &id, rq->arena, &r, err);
    if (status == LEAT_OK) {
        struct leat_dead_ref *ref = leat_arena_zalloc(rq->arena, 1, sizeof *ref);
        *ref = (struct leat_dead_ref){r.processor, r.slice, r.id}; /* as long as the sweep */
        s->store = store;
        s->topology = rq->http->c.topology;
        s->arena = rq->arena;
        status = leat_sweep_start(s, ref, 1, err);
    }
    if (status == LEAT_OK)
        status = leat_sweep_step(s, 1, &more, err);
    return status;
}

static void answer(struct leat_request *rq, const struct leat_sweep *s)
{
    struct leat_json_writer w;
    char id[LEAT_UUID_TEXT];
    leat_operated result = s->told[0].result;
    const struct leat_dead_ref *ref = s->told[0].ref;
    leat_uuid_format(&ref->id, id);
    if (result == LEAT_OPERATED_ABSENT) { /* settled while we looked */
        leat_answer_problem(rq, 404, "Not found", NULL, "nothing waits under this id any more", "");
        return;
    }
    if (result > LEAT_OPERATED_DEAD) {
        leat_answer_problem(rq, 409, "Not possible", leat_operated_names[result],
                            leat_arena_printf(rq->arena, "%s %s", id, leat_operated_text(result)),
                            "");
        return;
    }
    leat_json_writer_init(&w, &rq->out);
    leat_json_begin_object(&w);
    leat_json_put_cstr(&w, "id", id);
    leat_json_put_str(&w, "processor", ref->processor);
    leat_json_put_cstr(&w, "result", leat_operated_names[result]);
    leat_json_end_object(&w);
    leat_answer_json(rq, 200);
}

static void run(struct leat_request *rq, struct leat_sweep *s)
{
    struct leat_error err = {0};
    struct leat_store *store = NULL;
    leat_status status = leat_store_pool_take(rq->http->stores, &store, &err);
    if (status == LEAT_OK)
        status = change(rq, store, s, &err);
    leat_store_pool_give(rq->http->stores, store);
    if (status == LEAT_OK && s->seen == 1)
        answer(rq, s);
    else
        leat_answer_error(rq, &err);
}

void leat_route_hurry(struct leat_request *rq)
{
    struct leat_sweep s = {.what = LEAT_SWEEP_NOW};
    run(rq, &s);
}

void leat_route_cancel(struct leat_request *rq)
{
    struct leat_sweep s = {.what = LEAT_SWEEP_CANCEL,
                           .note = LEAT_STR("cancelled while it waited (over HTTP)")};
    run(rq, &s);
}
