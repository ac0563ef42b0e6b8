#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/suggest.h"
#include "base/units.h"
#include "query/http.h"
#include "query/streams.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000

/* ---- GET /v1/streams/{id} ---- */

static leat_status no_stream(const struct leat_topology *t, struct leat_str stream,
                             struct leat_error *err)
{
    struct leat_suggest near;
    uint32_t n = 0;
    while (n < stream.len && stream.at[n] != '-')
        n++;
    leat_suggest_start(&near, (struct leat_str){stream.at, n});
    for (uint32_t i = 0; i < t->n_aggregates; i++)
        leat_suggest_offer(&near, t->aggregates[i].name);
    if (n + 1 >= stream.len && leat_topology_aggregate(t, near.wrong) != NULL) {
        (void)leat_fail(err, LEAT_ABSENT,
                        "'%.*s' is an aggregate, not a stream: its key is missing", (int)n,
                        stream.at);
        leat_error_hint(err, "a stream is <aggregate>-<key>, like %.*s-17", (int)n, stream.at);
        return LEAT_ABSENT;
    }
    leat_status status =
        leat_fail(err, LEAT_ABSENT, "'%.*s' is not a stream's id: no aggregate has that name",
                  (int)(stream.len < 100 ? stream.len : 100), stream.at);
    if (near.best.len > 0) {
        leat_error_hint(err, "a stream's id is <aggregate>-<key>: did you mean '%.*s%.*s'?",
                        LEAT_STR_FMT(near.best), (int)(stream.len - n < 100 ? stream.len - n : 100),
                        stream.at + n);
    } else {
        leat_error_hint(err, "a stream's id is <aggregate>-<key>, as in '%s-…'",
                        t->n_aggregates > 0 ? t->aggregates[0].name.at : "x");
    }
    return status;
}

/* The longest aggregate name that fits wins. */
bool leat_stream_key(const struct leat_topology *t, struct leat_str stream, struct leat_str *ret)
{
    uint32_t best = 0;
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        struct leat_str name = t->aggregates[i].name;
        if (stream.len > name.len + 1 && name.len + 1 > best && stream.at[name.len] == '-' &&
            memcmp(stream.at, name.at, name.len) == 0)
            best = name.len + 1;
    }
    *ret = (struct leat_str){stream.at + best, stream.len - best};
    return best > 0;
}

leat_status leat_stream_find(const struct leat_topology *t, struct leat_str stream,
                             struct leat_str *ret_key, struct leat_error *err)
{
    return leat_stream_key(t, stream, ret_key) ? LEAT_OK : no_stream(t, stream, err);
}

static void put_uuid(struct leat_json_writer *w, const char *name, const struct leat_uuid *id)
{
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(id, text);
    leat_json_put_cstr(w, name, text);
}

void leat_event_json(const struct leat_schemas *schemas, const struct leat_stored_event *e,
                     struct leat_json_writer *w)
{
    struct leat_buf text;
    struct leat_error err = {0};
    leat_json_begin_object(w);
    leat_json_put_str(w, "type", e->type);
    leat_json_put_int(w, "version", e->version);
    leat_json_put_int(w, "slice", e->slice);
    leat_json_put_int(w, "seq", e->seq);
    leat_json_put_int(w, "recorded_at", e->recorded_at_us / 1000);
    put_uuid(w, "id", &e->id);
    put_uuid(w, "command_id", &e->command_id);
    put_uuid(w, "correlation_id", &e->correlation_id);
    leat_buf_init(&text, LEAT_ANSWER_BYTES_MAX);
    bool good = leat_schemas_to_json(schemas, e->payload, &text, &err) == LEAT_OK && !text.overflow;
    leat_json_key(w, LEAT_STR("data"));
    if (good) {
        leat_json_raw(w, leat_buf_str(&text));
    } else {
        leat_json_null(w);
    }
    if (!good)
        leat_json_put_cstr(w, "error", err.msg);
    leat_buf_done(&text);
    leat_json_end_object(w);
}

/* Schemas registered since this process started. */
leat_status leat_schemas_refresh(struct leat_schemas *schemas, struct leat_store *store,
                                 struct leat_arena *arena, struct leat_error *err)
{
    struct leat_schema_row *rows = NULL;
    size_t n = 0;
    LEAT_TRY(leat_store_schemas(store, arena, &rows, &n, err), err, "schemas");
    for (size_t i = 0; i < n; i++) {
        LEAT_TRY(leat_schemas_put(schemas, rows[i].id, rows[i].subject, rows[i].text, err), err,
                 "schema %d", (int)rows[i].id);
    }
    return LEAT_OK;
}

bool leat_schemas_know(const struct leat_schemas *schemas, const struct leat_stored_event *events,
                       size_t n)
{
    int32_t id = 0;
    struct leat_str body;
    for (size_t i = 0; i < n; i++) {
        if (leat_framing_split(events[i].payload, &id, &body) &&
            leat_schemas_by_id(schemas, id) == NULL)
            return false;
    }
    return true;
}

struct page { /* of a stream */
    struct leat_str stream;
    int32_t slice;
    int64_t after, limit;
    struct leat_stored_event *events;
    size_t n;
    struct leat_uuid store_id;
    int64_t head_seq; /* of the slice, before the events were read: the answer is at least at it */
};

static leat_status load_page(struct leat_request *rq, struct page *p, struct leat_error *err)
{
    struct leat_http *h = rq->http;
    struct leat_store *store = NULL;
    struct leat_error ignored = {0};
    leat_status status = leat_store_pool_take(h->stores, &store, err);
    if (status != LEAT_OK)
        return status;
    struct leat_store_page page = {
        .slice = p->slice, .stream = p->stream, .after = p->after, .limit = (size_t)p->limit};
    struct leat_published *at = NULL;
    status = leat_store_published(store, &p->slice, 1, rq->arena, &at, err);
    if (status == LEAT_OK) {
        p->store_id = at[0].store_id;
        p->head_seq = at[0].head_seq;
        status = leat_store_stream(store, &page, rq->arena, &p->events, &p->n, err);
    }
    if (status == LEAT_OK && !leat_schemas_know(h->c.schemas, p->events, p->n))
        (void)!leat_schemas_refresh(h->c.schemas, store, rq->arena, &ignored);
    leat_store_pool_give(h->stores, store);
    return status;
}

static void put_position(struct leat_request *rq, const struct page *p)
{
    char store[LEAT_UUID_TEXT];
    leat_uuid_format(&p->store_id, store);
    leat_answer_header(rq, "Leat-Position", "%s:%d=%" PRId64, store, (int)p->slice, p->head_seq);
    leat_answer_header(rq, "Leat-Age-Ms", "0"); /* read from the store itself */
}

static void write_page(struct leat_request *rq, const struct page *p)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, &rq->out);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "stream", p->stream);
    leat_json_key(&w, LEAT_STR("events"));
    leat_json_begin_array(&w);
    for (size_t i = 0; i < p->n; i++)
        leat_event_json(rq->http->c.schemas, &p->events[i], &w);
    leat_json_end_array(&w);
    leat_json_key(&w, LEAT_STR("next"));
    if (p->n == (size_t)p->limit) {
        leat_json_int(&w, p->events[p->n - 1].version); /* ?after= of the next page */
    } else {
        leat_json_null(&w);
    }
    leat_json_end_object(&w);
}

void leat_route_get_stream(struct leat_request *rq)
{
    struct leat_error err = {0};
    struct leat_str key;
    struct page p = {.stream = leat_route_value(rq, "id"), .limit = LIMIT_DEFAULT};
    leat_status status = leat_target_int(&rq->target, "after", 0, INT64_MAX, &p.after, &err);
    if (status == LEAT_OK)
        status = leat_target_int(&rq->target, "limit", 1, LIMIT_MAX, &p.limit, &err);
    if (status != LEAT_OK) {
        leat_answer_error(rq, &err);
        return;
    }
    if (leat_stream_find(rq->http->c.topology, p.stream, &key, &err) != LEAT_OK) {
        leat_answer_error(rq, &err);
        return;
    }
    p.slice = leat_partition(key, rq->http->c.topology->partitions);
    if (load_page(rq, &p, &err) != LEAT_OK) {
        leat_answer_error(rq, &err);
        return;
    }
    put_position(rq, &p);
    if (p.n == 0 && p.after == 0) {
        leat_answer_problem(rq, 404, "Not found", NULL, "the stream has no events (yet)", "");
        return;
    }
    write_page(rq, &p);
    leat_answer_json(rq, 200);
}
