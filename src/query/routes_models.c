/* Read models over HTTP: one question per request; batch.c has those with a body. */
#include <string.h>

#include "query/http.h"
#include "query/lane.h"
#include "query/queries.h"
#include "query/reads.h"
#include "query/snapshots.h"

void leat_answer_read(struct leat_request *rq, const struct leat_projection *p,
                      const struct leat_read *read)
{
    struct leat_error err = {0};
    struct leat_model_read m;
    if (!leat_snapshot_begin(rq, p, leat_read_cursor(read), &m))
        return;
    leat_status status = LEAT_OK;
    if (leat_read_is_heavy(read) && !rq->on_lane) {
        leat_model_end(&m);
        status = leat_lane_take(rq->http->lane, rq, &err);
        if (status != LEAT_OK)
            leat_answer_error(rq, &err);
        return;
    }
    leat_snapshot_headers(rq, p, &m);
    status = leat_read_run(read, &m, &rq->out, &err);
    leat_model_end(&m);
    if (status == LEAT_OK && rq->out.overflow) {
        leat_answer_problem(rq, 400, "Answer too large", "too-large",
                            "the answer is over its limit of 16 MiB",
                            "ask for fewer rows (limit) or fields");
    } else if (status == LEAT_OK) {
        leat_answer_tagged(rq);
    } else {
        leat_answer_error(rq, &err);
    }
}

static void answer_of_model(struct leat_request *rq, leat_read_kind kind)
{
    struct leat_read read = {.kind = kind, .given = &rq->target};
    const struct leat_projection *p = leat_request_model(rq, leat_route_value(rq, "model"));
    if (p == NULL)
        return;
    if (kind == LEAT_READ_ROW)
        read.key = leat_route_value(rq, "key");
    leat_answer_read(rq, p, &read);
}

void leat_route_get_row(struct leat_request *rq)
{
    answer_of_model(rq, LEAT_READ_ROW);
}

void leat_route_count_rows(struct leat_request *rq)
{
    answer_of_model(rq, LEAT_READ_COUNT);
}

void leat_route_sum_rows(struct leat_request *rq)
{
    answer_of_model(rq, LEAT_READ_SUMS);
}

void leat_route_top_rows(struct leat_request *rq)
{
    answer_of_model(rq, LEAT_READ_TOP);
}

/* ?keys= makes a list a multi-get. */
void leat_route_list_rows(struct leat_request *rq)
{
    struct leat_str keys;
    struct leat_error err = {0};
    struct leat_read read = {.kind = LEAT_READ_ROWS, .given = &rq->target};
    if (!leat_target_param(&rq->target, "keys", &keys)) {
        answer_of_model(rq, LEAT_READ_LIST);
        return;
    }
    const struct leat_projection *p = leat_request_model(rq, leat_route_value(rq, "model"));
    if (p == NULL)
        return;
    leat_status status = leat_target_allow(&rq->target, "keys,fields," LEAT_SNAPSHOT_PARAMS, &err);
    if (status == LEAT_OK)
        status = leat_read_split_keys(keys, rq->arena, &read.keys, &read.n_keys, &err);
    if (status == LEAT_OK) {
        leat_answer_read(rq, p, &read);
    } else {
        leat_answer_error(rq, &err);
    }
}

void leat_route_query(struct leat_request *rq)
{
    struct leat_error err = {0};
    struct leat_read read = {.kind = LEAT_READ_QUERY, .given = &rq->target};
    leat_status status =
        leat_query_find(rq->http->c.topology, leat_route_value(rq, "name"), &read.query, &err);
    if (status == LEAT_OK) {
        const char *allowed = leat_query_params(read.query, rq->arena);
        allowed = leat_arena_printf(rq->arena, "%s%s" LEAT_SNAPSHOT_PARAMS, allowed,
                                    allowed[0] != 0 ? "," : "");
        status = leat_target_allow(&rq->target, allowed, &err);
    }
    if (status == LEAT_OK) {
        leat_answer_read(rq, read.query->model, &read);
    } else {
        leat_answer_error(rq, &err);
    }
}
