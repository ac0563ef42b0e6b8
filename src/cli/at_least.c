#include "cli/at_least.h"

#include <string.h>

#include "cli/poll.h"
#include "projection/model_read.h"

/* What the store has, of every slice. */
static leat_status read_heads(struct leat_session *s, struct leat_token *ret,
                              struct leat_error *err)
{
    struct leat_published *heads = NULL;
    size_t n = (size_t)s->topology->partitions;
    int32_t *slices = leat_arena_zalloc(s->arena, n, sizeof *slices);
    for (size_t k = 0; k < n; k++)
        slices[k] = (int32_t)k;
    if (s->store == NULL)
        LEAT_TRY(leat_store_open(&s->store_options, &s->store, err), err, "--at-least now");
    LEAT_TRY(leat_store_published(s->store, slices, n, s->arena, &heads, err), err,
             "--at-least now");
    ret->at = leat_arena_zalloc(s->arena, n, sizeof *ret->at);
    ret->n = (uint32_t)n;
    for (size_t k = 0; k < n; k++)
        ret->at[k] = (struct leat_token_part){heads[k].store_id, heads[k].slice, heads[k].head_seq};
    return LEAT_OK;
}

leat_status leat_at_least_read(struct leat_session *s, struct leat_at_least *a,
                               struct leat_error *err)
{
    if (a->position == NULL)
        return LEAT_OK;
    if (strcmp(a->position, "now") == 0)
        return read_heads(s, &a->token, err);
    leat_status status = leat_token_parse(leat_str_of(a->position), s->arena, &a->token, err);
    if (status != LEAT_OK)
        leat_error_wrap(err, "--at-least");
    return status;
}

static leat_status judge(leat_token_state state, struct leat_error *err)
{
    if (state == LEAT_TOKEN_REACHED)
        return LEAT_OK;
    if (state == LEAT_TOKEN_GONE)
        return leat_fail(err, LEAT_INVALID,
                         "--at-least names a store this model is not built from");
    (void)leat_fail(err, LEAT_RETRY, "the model did not reach the position of --at-least in time");
    leat_error_hint(err, "leat lag says how far it is; --wait gives it more time.");
    return LEAT_RETRY;
}

/* ABSENT: not built yet. RETRY: behind. */
static leat_status begin(const struct leat_session *s, const char *model, struct leat_str cursor,
                         const struct leat_token *token, struct leat_model_read *ret,
                         struct leat_error *err)
{
    struct leat_model *m = NULL;
    struct leat_rows_position at;
    leat_status status = leat_model_open(s->topology, model, s->data_dir, &m, err);
    if (status != LEAT_OK)
        return status;
    status = leat_model_begin_page(m, cursor, s->arena, ret, err);
    if (status != LEAT_OK) {
        leat_model_close(m);
        return status;
    }
    if (token->n > 0)
        status = leat_read_position(ret, &at, err);
    if (token->n > 0 && status == LEAT_OK)
        status = judge(leat_token_check(token, &at), err);
    if (status != LEAT_OK)
        leat_at_least_end(ret);
    return status;
}

leat_status leat_at_least_begin(const struct leat_session *s, const char *model,
                                struct leat_str cursor, const struct leat_at_least *a,
                                struct leat_model_read *ret, struct leat_error *err)
{
    struct leat_poll poll = leat_poll_start(a->wait_ms);
    leat_status status = LEAT_OK;
    do {
        status = begin(s, model, cursor, &a->token, ret, err);
    } while ((status == LEAT_ABSENT || status == LEAT_RETRY) && a->token.n > 0 &&
             leat_poll_again(&poll));
    return status;
}

void leat_at_least_end(struct leat_model_read *r)
{
    struct leat_model *m = r->model;
    leat_model_end(r);
    leat_model_close(m);
}
