/* GET /v1/changes/{model}: server-sent events from a position on. */
#include "projection/model_values.h"
#include "query/admission.h"
#include "query/feed.h"
#include "query/snapshots.h"

/* Slices that the token names begin behind it, others at the model's position. */
static bool begin_at(struct leat_request *rq, const struct leat_token *t,
                     const struct leat_rows_position *now, struct leat_rows_position *ret)
{
    int64_t *seqs = leat_arena_alloc(rq->arena, (size_t)now->n * sizeof *seqs);
    for (int32_t k = 0; k < now->n; k++)
        seqs[k] = now->seqs[k];
    for (uint32_t i = 0; i < t->n; i++) {
        if (t->at[i].slice < now->n)
            seqs[t->at[i].slice] = t->at[i].seq;
    }
    *ret = *now;
    ret->seqs = seqs;
    if (leat_token_check(t, now) != LEAT_TOKEN_GONE)
        return true;
    leat_answer_problem(rq, 410, "Position of another store", "other-store",
                        "the position names a store this model is not built from",
                        "read the rows again, and follow from the position of that answer");
    return false;
}

static leat_status read_start(struct leat_request *rq, struct leat_token *ret,
                              struct leat_error *err)
{
    struct leat_str text = leat_request_header(rq, "Last-Event-ID");
    if (text.len == 0)
        (void)leat_target_param(&rq->target, "after", &text);
    leat_status status = leat_token_parse(text, rq->arena, ret, err);
    if (status != LEAT_OK)
        leat_error_wrap(err, "parameter 'after'");
    return status;
}

static leat_status follow(struct leat_request *rq, const struct leat_projection *p,
                          struct leat_model *model, struct leat_model_read *m,
                          struct leat_error *err)
{
    struct leat_token start;
    struct leat_chosen chosen;
    struct leat_rows_position now, from;
    struct leat_follow f = {
        .model = p, .handle = model, .from = &from, .version = m->version->version};
    leat_status status = read_start(rq, &start, err);
    (void)leat_target_param(&rq->target, "fields", &f.fields);
    if (status == LEAT_OK)
        status = leat_choose_fields(m->version, f.fields, &chosen, err);
    if (status == LEAT_OK)
        status = leat_read_position(m, &now, err);
    if (status != LEAT_OK || !begin_at(rq, &start, &now, &from))
        return status;
    leat_snapshot_headers(rq, p, m);
    leat_answer_header_text(rq, "Cache-Control", "no-store");
    leat_answer_header_text(rq, "X-Accel-Buffering", "no"); /* nginx passes it on at once */
    rq->content_type = "text/event-stream";
    status = leat_feed_follow(rq->http->feed, rq, &f, &rq->stream, err);
    if (status == LEAT_OK) {
        rq->status = 200;
        rq->state = LEAT_REQUEST_READY;
    }
    return status;
}

void leat_route_changes(struct leat_request *rq)
{
    struct leat_error err = {0};
    struct leat_model *model = NULL;
    struct leat_model_read m;
    const struct leat_projection *p = leat_request_model(rq, leat_route_value(rq, "model"));
    if (p == NULL)
        return;
    if (!leat_admitted_to_model(rq, p))
        return;
    if (p->module != NULL) {
        leat_answer_problem(rq, 501, "Not implemented", NULL,
                            "the model is written in C: which rows an event changes is not known",
                            "");
        return;
    }
    leat_status status = leat_http_model(rq->http, p, &model, &err);
    if (status == LEAT_OK)
        status = leat_model_begin(model, rq->arena, &m, &err);
    if (status == LEAT_OK) {
        leat_admission_guard(rq, p, &m);
        if (m.guard != NULL) {
            leat_answer_problem(rq, 403, "Forbidden", "forbidden",
                                "changes are for those who may see every row and field", "");
        } else {
            status = follow(rq, p, model, &m, &err);
        }
        leat_model_end(&m);
    }
    if (status != LEAT_OK) {
        rq->content_type = NULL;
        leat_answer_error(rq, &err);
    }
}
