/* Reads with a body: rows of many keys, and batches of questions, of each model one snapshot. */
#include <string.h>

#include "query/http.h"
#include "query/lane.h"
#include "query/queries.h"
#include "query/questions.h"
#include "query/snapshots.h"

void leat_route_get_rows(struct leat_request *rq)
{
    struct leat_questions qs;
    struct leat_error err = {0};
    const struct leat_projection *p = leat_request_model(rq, leat_route_value(rq, "model"));
    if (p == NULL)
        return;
    if (leat_question_keys(leat_buf_str(&rq->body), rq->arena, &qs, &err) != LEAT_OK) {
        leat_answer_error(rq, &err);
        return;
    }
    struct leat_read read = {.kind = LEAT_READ_ROWS,
                             .keys = qs.at[0].keys,
                             .n_keys = qs.at[0].n_keys,
                             .given = &qs.at[0].given};
    rq->at_least = qs.at_least;
    leat_answer_read(rq, p, &read);
}

/* ---- batches ---- */

struct batch {
    struct leat_request *rq;
    struct leat_questions asked;
    struct leat_read *reads;           /* per question */
    const struct leat_projection **of; /* its model; NULL: see `why` */
    struct leat_error *why;            /* per question */
    struct leat_model_read *snapshots; /* per model of the topology */
    bool *open;
    struct leat_buf body; /* of one answer */
};

static leat_status resolve(const struct batch *b, const struct leat_question *q,
                           struct leat_read *ret, const struct leat_projection **ret_of,
                           struct leat_error *err)
{
    const struct leat_topology *t = b->rq->http->c.topology;
    leat_status status = LEAT_OK;
    *ret = (struct leat_read){
        .kind = q->kind, .key = q->key, .keys = q->keys, .n_keys = q->n_keys, .given = &q->given};
    if (q->kind == LEAT_READ_QUERY) {
        status = leat_query_find(t, q->name, &ret->query, err);
        *ret_of = status == LEAT_OK ? ret->query->model : NULL;
    } else {
        *ret_of = leat_topology_projection(t, q->model);
        status = *ret_of != NULL ? LEAT_OK : leat_model_unknown(t, q->model, err);
    }
    if (status == LEAT_OK)
        status =
            leat_target_allow(&q->given, leat_read_params(q->kind, ret->query, b->rq->arena), err);
    return status;
}

static bool resolve_all(struct batch *b)
{
    struct leat_arena *arena = b->rq->arena;
    uint32_t n = b->asked.n, n_models = b->rq->http->c.topology->n_projections;
    bool heavy = false;
    b->reads = leat_arena_zalloc(arena, n, sizeof *b->reads);
    b->of = leat_arena_zalloc(arena, n, sizeof *b->of);
    b->why = leat_arena_zalloc(arena, n, sizeof *b->why);
    b->snapshots = leat_arena_zalloc(arena, n_models + (size_t)1, sizeof *b->snapshots);
    b->open = leat_arena_zalloc(arena, n_models + (size_t)1, sizeof *b->open);
    for (uint32_t i = 0; i < n; i++) {
        if (resolve(b, &b->asked.at[i], &b->reads[i], &b->of[i], &b->why[i]) != LEAT_OK)
            b->of[i] = NULL;
        heavy = heavy || leat_read_is_heavy(&b->reads[i]);
    }
    return heavy;
}

static void end_all(struct batch *b)
{
    for (uint32_t i = 0; i < b->rq->http->c.topology->n_projections; i++) {
        if (b->open[i])
            leat_model_end(&b->snapshots[i]);
        b->open[i] = false;
    }
}

/* False: the answer is set, or the request waits. */
static bool begin_all(struct batch *b)
{
    for (uint32_t i = 0; i < b->asked.n; i++) {
        const struct leat_projection *p = b->of[i];
        if (p == NULL || b->open[p->index])
            continue;
        if (!leat_snapshot_begin(b->rq, p, (struct leat_str){NULL, 0}, &b->snapshots[p->index])) {
            end_all(b);
            return false;
        }
        b->open[p->index] = true;
    }
    return true;
}

static void put_answer(struct batch *b, uint32_t i, struct leat_json_writer *w)
{
    struct leat_error *err = &b->why[i];
    leat_status status = err->status;
    leat_buf_clear(&b->body);
    if (b->of[i] != NULL) {
        status = leat_read_run(&b->reads[i], &b->snapshots[b->of[i]->index], &b->body, err);
        if (status == LEAT_OK && b->body.overflow)
            status = leat_fail(err, LEAT_INVALID, "the answer is over its limit");
    }
    leat_json_begin_object(w);
    leat_json_put_int(w, "status", status == LEAT_OK ? 200 : leat_status_http(status));
    if (status == LEAT_OK) {
        leat_json_key(w, LEAT_STR("body"));
        leat_json_raw(w, leat_buf_str(&b->body));
    } else {
        leat_json_put_cstr(w, "detail", err->msg);
        if (err->hint[0] != 0)
            leat_json_put_cstr(w, "hint", err->hint);
    }
    leat_json_end_object(w);
}

static leat_status put_models(struct batch *b, struct leat_json_writer *w, struct leat_error *err)
{
    const struct leat_topology *t = b->rq->http->c.topology;
    leat_json_key(w, LEAT_STR("models"));
    leat_json_begin_object(w);
    for (uint32_t i = 0; i < t->n_projections; i++) {
        if (!b->open[i])
            continue;
        leat_json_key(w, t->projections[i].name);
        leat_json_begin_object(w);
        LEAT_TRY(leat_snapshot_json(&b->snapshots[i], w, err), err, "batch");
        leat_json_end_object(w);
    }
    leat_json_end_object(w);
    return LEAT_OK;
}

static leat_status put_batch(struct batch *b, struct leat_error *err)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, &b->rq->out);
    leat_json_begin_object(&w);
    LEAT_TRY(put_models(b, &w, err), err, "batch");
    leat_json_key(&w, LEAT_STR("answers"));
    leat_json_begin_array(&w);
    for (uint32_t i = 0; i < b->asked.n; i++)
        put_answer(b, i, &w);
    leat_json_end_array(&w);
    leat_json_end_object(&w);
    return LEAT_OK;
}

static void answer_batch(struct batch *b)
{
    struct leat_error err = {0};
    leat_buf_init(&b->body, LEAT_ANSWER_BYTES_MAX);
    leat_status status = put_batch(b, &err);
    leat_buf_done(&b->body);
    if (status == LEAT_OK) {
        leat_answer_json(b->rq, 200);
    } else {
        leat_answer_error(b->rq, &err);
    }
}

void leat_route_batch(struct leat_request *rq)
{
    struct batch b = {.rq = rq};
    struct leat_error err = {0};
    leat_status status = leat_questions_batch(leat_buf_str(&rq->body), rq->arena, &b.asked, &err);
    if (status != LEAT_OK) {
        leat_answer_error(rq, &err);
        return;
    }
    rq->at_least = b.asked.at_least;
    bool heavy = resolve_all(&b);
    if (!begin_all(&b))
        return;
    if (!heavy || rq->on_lane) {
        answer_batch(&b);
        end_all(&b);
        return;
    }
    end_all(&b);
    status = leat_lane_take(rq->http->lane, rq, &err);
    if (status != LEAT_OK)
        leat_answer_error(rq, &err);
}
