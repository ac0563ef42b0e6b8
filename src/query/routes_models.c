#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/suggest.h"
#include "query/http.h"
#include "query/queries.h"

#define LIMIT_DEFAULT 100
#define LIMIT_MAX     1000
#define BOUND_BYTES   2048

static void unknown_model(struct leat_request *rq, struct leat_str name)
{
    const struct leat_topology *t = rq->http->c.topology;
    struct leat_suggest near;
    struct leat_error err = {0};
    leat_suggest_start(&near, name);
    for (uint32_t i = 0; i < t->n_projections; i++)
        leat_suggest_offer(&near, t->projections[i].name);
    (void)leat_fail(&err, LEAT_ABSENT, "there is no read model '%.*s'",
                    (int)(name.len < 100 ? name.len : 100), name.at);
    if (near.best.len > 0)
        leat_error_hint(&err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    leat_answer_error(rq, &err);
}

/* The handle of a model, opened once; NULL: the answer says why there is none. */
static struct leat_model *open_model(struct leat_request *rq, const struct leat_projection *p)
{
    struct leat_http *h = rq->http;
    struct leat_error err = {0};
    if (p->store != LEAT_MODEL_LMDB) {
        leat_answer_problem(rq, 501, "Not implemented", NULL,
                            "this model is declared for Redis, which this version does not run",
                            "store: lmdb");
        return NULL;
    }
    (void)pthread_mutex_lock(&h->models_lock);
    struct leat_http_model *m = &h->models[p->index];
    leat_status status = LEAT_OK;
    if (m->model == NULL)
        status = leat_model_open(h->c.topology, p->name.at, h->data_dir, &m->model, &err);
    (void)pthread_mutex_unlock(&h->models_lock);
    if (status == LEAT_OK)
        return m->model;
    if (status == LEAT_ABSENT)
        err.status = LEAT_RETRY; /* it exists, but has not been built yet */
    leat_answer_error(rq, &err);
    return NULL;
}

static struct leat_model *find_model(struct leat_request *rq)
{
    struct leat_str name = leat_route_value(rq, "model");
    const struct leat_projection *p = leat_topology_projection(rq->http->c.topology, name);
    if (p == NULL)
        unknown_model(rq, name);
    return p == NULL ? NULL : open_model(rq, p);
}

/* "<store id>:0=17,1=4,…", one group per store id. */
static const char *position_text(struct leat_request *rq, const int64_t *seqs,
                                 const struct leat_uuid *stores, int32_t n)
{
    struct leat_buf text;
    char id[LEAT_UUID_TEXT];
    leat_buf_init(&text, 4000);
    for (int32_t k = 0; k < n; k++) {
        bool same = k > 0 && leat_uuid_eq(&stores[k], &stores[k - 1]);
        leat_uuid_format(&stores[k], id);
        if (!same)
            leat_buf_printf(&text, "%s%s:", k > 0 ? ";" : "", id);
        leat_buf_printf(&text, "%s%d=%" PRId64, same ? "," : "", (int)k, seqs[k]);
    }
    const char *kept = text.overflow ? NULL : leat_arena_cstr(rq->arena, leat_buf_str(&text));
    leat_buf_done(&text);
    return kept;
}

static void put_position(struct leat_request *rq, struct leat_model *m)
{
    int64_t seqs[LEAT_PARTITIONS_MAX], complete_ms = 0;
    struct leat_uuid stores[LEAT_PARTITIONS_MAX];
    struct leat_error err = {0};
    if (leat_model_position(m, seqs, stores, &complete_ms, &err) != LEAT_OK)
        return;
    const char *text = position_text(rq, seqs, stores, rq->http->c.topology->partitions);
    if (text != NULL)
        leat_answer_header(rq, "Leat-Position", "%s", text);
    int64_t age_ms = leat_now_ms() - complete_ms;
    if (complete_ms > 0)
        leat_answer_header(rq, "Leat-Age-Ms", "%" PRId64, age_ms > 0 ? age_ms : 0);
}

static void answer_rows(struct leat_request *rq, leat_status status, const struct leat_error *err)
{
    if (status == LEAT_OK) {
        leat_answer_json(rq, 200);
    } else {
        leat_answer_error(rq, err);
    }
}

void leat_route_get_row(struct leat_request *rq)
{
    struct leat_error err = {0};
    struct leat_model *m = find_model(rq);
    if (m == NULL)
        return;
    put_position(rq, m); /* before the row: the answer is at least as new as it says */
    leat_status status = leat_model_get(m, leat_route_value(rq, "key"), &rq->out, &err);
    answer_rows(rq, status, &err);
}

static leat_status read_range(const struct leat_request *rq, struct leat_model_range *r,
                              struct leat_error *err)
{
    struct leat_str index = {NULL, 0};
    int64_t limit = LIMIT_DEFAULT;
    leat_status status = leat_target_int(&rq->target, "limit", 1, LIMIT_MAX, &limit, err);
    if (status != LEAT_OK)
        return status;
    r->limit = (int32_t)limit;
    if (leat_target_param(&rq->target, "index", &index))
        r->index = leat_arena_cstr(rq->arena, index);
    (void)leat_target_param(&rq->target, "from", &r->from);
    (void)leat_target_param(&rq->target, "to", &r->to);
    (void)leat_target_param(&rq->target, "cursor", &r->cursor);
    if (r->from.len > BOUND_BYTES || r->to.len > BOUND_BYTES || r->cursor.len > BOUND_BYTES) {
        return leat_fail(err, LEAT_INVALID, "from, to and cursor are at most %d bytes",
                         BOUND_BYTES);
    }
    return LEAT_OK;
}

void leat_route_list_rows(struct leat_request *rq)
{
    struct leat_error err = {0};
    struct leat_model_range range = {0};
    struct leat_model *m = find_model(rq);
    if (m == NULL)
        return;
    put_position(rq, m);
    leat_status status = read_range(rq, &range, &err);
    if (status == LEAT_OK)
        status = leat_model_list(m, &range, &rq->out, &err);
    answer_rows(rq, status, &err);
}

void leat_route_query(struct leat_request *rq)
{
    struct leat_error err = {0};
    const struct leat_query *q = NULL;
    leat_status status =
        leat_query_find(rq->http->c.topology, leat_route_value(rq, "name"), &q, &err);
    if (status == LEAT_OK)
        status = leat_target_allow(&rq->target, leat_query_params(q, rq->arena), &err);
    if (status != LEAT_OK) {
        leat_answer_error(rq, &err);
        return;
    }
    struct leat_model *m = open_model(rq, q->model);
    if (m == NULL)
        return;
    put_position(rq, m);
    status = leat_query_run(q, m, &rq->target, rq->arena, &rq->out, &err);
    answer_rows(rq, status, &err);
}
