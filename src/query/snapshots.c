#include "query/snapshots.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/suggest.h"
#include "query/admission.h"
#include "query/tokens.h"

#define POSITION_BYTES_MAX LEAT_TOKEN_BYTES_MAX

leat_status leat_model_unknown(const struct leat_topology *t, struct leat_str name,
                               struct leat_error *err)
{
    struct leat_suggest near;
    leat_suggest_start(&near, name);
    for (uint32_t i = 0; i < t->n_projections; i++)
        leat_suggest_offer(&near, t->projections[i].name);
    leat_status status = leat_fail(err, LEAT_ABSENT, "there is no read model '%.*s'",
                                   (int)(name.len < 100 ? name.len : 100), name.at);
    if (near.best.len > 0)
        leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return status;
}

const struct leat_projection *leat_request_model(struct leat_request *rq, struct leat_str name)
{
    const struct leat_topology *t = rq->http->c.topology;
    const struct leat_projection *p = leat_topology_projection(t, name);
    struct leat_error err = {0};
    if (p == NULL) {
        (void)leat_model_unknown(t, name, &err);
        leat_answer_error(rq, &err);
    }
    return p;
}

leat_status leat_http_model(struct leat_http *h, const struct leat_projection *p,
                            struct leat_model **ret, struct leat_error *err)
{
    struct leat_http_model *m = &h->models[p->index];
    leat_status status = LEAT_OK;
    if ((*ret = atomic_load(&m->model)) != NULL)
        return LEAT_OK;
    (void)pthread_mutex_lock(&h->models_lock);
    if ((*ret = atomic_load(&m->model)) == NULL)
        status = leat_model_open(h->c.topology, p->name.at, h->data_dir, ret, err);
    if (status == LEAT_OK)
        atomic_store(&m->model, *ret);
    (void)pthread_mutex_unlock(&h->models_lock);
    if (status == LEAT_ABSENT)
        err->status = status = LEAT_RETRY; /* it exists, but has not been built yet */
    return status;
}

/* ---- how new it is ---- */

/* Most requests meet the same state: its text is kept. NULL: not that of this state. */
static const char *kept_text(struct leat_request *rq, struct leat_http_model *kept,
                             const struct leat_model_read *m, uint64_t state)
{
    const char *text = NULL;
    (void)pthread_rwlock_rdlock(&kept->lock);
    if (state != 0 && kept->text != NULL && kept->state == state &&
        strcmp(kept->version, m->version->version) == 0)
        text = leat_arena_cstr(rq->arena, leat_str_of(kept->text));
    (void)pthread_rwlock_unlock(&kept->lock);
    return text;
}

static void keep_text(struct leat_http_model *kept, const struct leat_model_read *m, uint64_t state,
                      const char *text)
{
    (void)pthread_rwlock_wrlock(&kept->lock);
    free(kept->text);
    kept->text = strdup(text);
    kept->state = state;
    memcpy(kept->version, m->version->version, sizeof kept->version);
    (void)pthread_rwlock_unlock(&kept->lock);
}

/* NULL: it cannot be read, or is too long. */
static const char *position_text(struct leat_request *rq, const struct leat_projection *p,
                                 struct leat_model_read *m)
{
    struct leat_http_model *kept = &rq->http->models[p->index];
    struct leat_rows_position at;
    struct leat_buf fresh;
    struct leat_error err = {0};
    uint64_t state = leat_read_state(m);
    const char *text = kept_text(rq, kept, m, state);
    if (text != NULL || leat_read_position(m, &at, &err) != LEAT_OK)
        return text;
    leat_buf_init(&fresh, POSITION_BYTES_MAX);
    leat_token_put(&at, &fresh);
    if (!fresh.overflow) {
        text = leat_arena_cstr(rq->arena, leat_buf_str(&fresh));
        keep_text(kept, m, state, text);
    }
    leat_buf_done(&fresh);
    return text;
}

static int64_t age_ms(int64_t complete_ms)
{
    int64_t age = leat_now_ms() - complete_ms;
    return complete_ms <= 0 ? -1 : age > 0 ? age : 0;
}

void leat_snapshot_headers(struct leat_request *rq, const struct leat_projection *p,
                           struct leat_model_read *m)
{
    const char *text = position_text(rq, p, m);
    int64_t age = age_ms(leat_read_complete_ms(m));
    if (text != NULL)
        leat_answer_header_text(rq, "Leat-Position", text);
    if (age >= 0)
        leat_answer_header_int(rq, "Leat-Age-Ms", age);
    text = leat_arena_cstr(rq->arena, leat_str_of(m->version->version));
    leat_answer_header_text(rq, "Leat-Version", text);
}

leat_status leat_snapshot_json(struct leat_model_read *m, struct leat_json_writer *w,
                               struct leat_error *err)
{
    struct leat_rows_position at;
    struct leat_buf text;
    LEAT_TRY(leat_read_position(m, &at, err), err, "position");
    leat_buf_init(&text, POSITION_BYTES_MAX);
    leat_token_put(&at, &text);
    leat_json_put_str(w, "position", leat_buf_str(&text));
    leat_buf_done(&text);
    if (age_ms(at.complete_ms) >= 0)
        leat_json_put_int(w, "age_ms", age_ms(at.complete_ms));
    leat_json_put_cstr(w, "version", m->version->version);
    return LEAT_OK;
}

/* ---- waiting ---- */

/* What parameter and header ask for, joined. */
static leat_status read_token(struct leat_request *rq, struct leat_error *err)
{
    struct leat_str param = rq->at_least; /* of a body */
    struct leat_str header = leat_request_header(rq, "Leat-At-Least");
    (void)leat_target_param(&rq->target, "at_least", &param);
    if (param.len == 0 && header.len == 0) {
        rq->token.n = 0;
        return LEAT_OK;
    }
    const char *both =
        leat_arena_printf(rq->arena, "%.*s%s%.*s", LEAT_STR_FMT(param),
                          param.len > 0 && header.len > 0 ? ";" : "", LEAT_STR_FMT(header));
    leat_status status = leat_token_parse(leat_str_of(both), rq->arena, &rq->token, err);
    if (status != LEAT_OK)
        leat_error_wrap(err, "parameter 'at_least'");
    return status;
}

static leat_status read_wait(struct leat_request *rq, struct leat_error *err)
{
    int64_t ms = LEAT_AT_LEAST_WAIT_MS, seconds = -1;
    (void)leat_prefer_wait(leat_request_header(rq, "Prefer"), &ms);
    leat_status status = leat_target_int(&rq->target, "wait", 0, LEAT_WAIT_S_MAX, &seconds, err);
    if (seconds >= 0)
        ms = seconds * 1000;
    rq->waits_at_all = ms > 0;
    rq->deadline_us = leat_mono_us() + ms * 1000;
    return status;
}

static void answer_late(struct leat_request *rq)
{
    leat_answer_header(rq, "Retry-After", "1");
    if (rq->waits_at_all) {
        leat_answer_problem(rq, 504, "Not there in time", "behind",
                            "the model did not reach the position of at_least in time",
                            "ask again; Leat-Position says how far it is");
    } else {
        leat_answer_problem(rq, 412, "Not there yet", "behind",
                            "the model has not reached the position of at_least",
                            "ask again, or let it wait: wait=<seconds>");
    }
}

/* True: the snapshot has what is asked for. */
static bool is_new_enough(struct leat_request *rq, const struct leat_projection *p,
                          struct leat_model *model, struct leat_model_read *m)
{
    struct leat_rows_position at;
    struct leat_error err = {0};
    if (leat_read_position(m, &at, &err) != LEAT_OK) {
        leat_answer_error(rq, &err);
        return false;
    }
    leat_token_state state = leat_token_check(&rq->token, &at);
    if (state == LEAT_TOKEN_REACHED)
        return true;
    if (state == LEAT_TOKEN_GONE) {
        leat_snapshot_headers(rq, p, m);
        leat_answer_problem(rq, 410, "Position of another store", "other-store",
                            "at_least names a store this model is not built from",
                            "forget the position and read again without it");
    } else if (leat_mono_us() >= rq->deadline_us) {
        leat_snapshot_headers(rq, p, m);
        answer_late(rq);
    } else if (rq->on_lane) { /* another version was switched to meanwhile */
        leat_answer_header(rq, "Retry-After", "1");
        leat_answer_problem(rq, 503, "Not available now", NULL, "the model was switched", "");
    } else if (leat_pump_await(rq->http->pump, rq, model, &err) != LEAT_OK) {
        leat_answer_error(rq, &err);
    }
    return false;
}

/* The rows that a page would go on with are gone. */
static void answer_gone(struct leat_request *rq, const struct leat_error *err)
{
    leat_answer_problem(rq, 410, "Version that is gone", "version-gone", err->msg, err->hint);
}

bool leat_snapshot_begin(struct leat_request *rq, const struct leat_projection *p,
                         struct leat_str cursor, struct leat_model_read *ret)
{
    struct leat_error err = {0};
    struct leat_model *model = NULL;
    leat_status status = LEAT_OK;
    if (!leat_admitted_to_model(rq, p))
        return false;
    if (rq->deadline_us == 0) {
        status = read_wait(rq, &err);
        if (status == LEAT_OK)
            status = read_token(rq, &err);
    }
    if (status == LEAT_OK)
        status = leat_http_model(rq->http, p, &model, &err);
    if (status == LEAT_OK && cursor.len == 0)
        status = leat_model_begin(model, rq->arena, ret, &err);
    else if (status == LEAT_OK)
        status = leat_model_begin_page(model, cursor, rq->arena, ret, &err);
    if (status != LEAT_OK) {
        status == LEAT_ABSENT ? answer_gone(rq, &err) : leat_answer_error(rq, &err);
        return false;
    }
    if (rq->token.n == 0 || is_new_enough(rq, p, model, ret)) {
        leat_admission_guard(rq, p, ret);
        return true;
    }
    leat_model_end(ret);
    return false;
}

bool leat_snapshot_ready(struct leat_request *rq, struct leat_arena *arena)
{
    struct leat_model_read m;
    struct leat_rows_position at;
    struct leat_error err = {0};
    if (leat_model_begin(rq->awaited, arena, &m, &err) != LEAT_OK)
        return true; /* the handler will say why */
    bool ready = leat_read_position(&m, &at, &err) != LEAT_OK ||
                 leat_token_check(&rq->token, &at) != LEAT_TOKEN_AHEAD;
    leat_model_end(&m);
    return ready;
}
