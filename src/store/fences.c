#include <string.h>

#include "store/blocked.h"
#include "store/reply.h"

/* Arguments in k order, because the arrays of the answer are. */
static void put_ks(struct leat_pg_params *p, const int32_t *ks, const int64_t *expected, size_t n)
{
    leat_pg_int4s(p, ks, n);
    if (expected == NULL) {
        leat_pg_null(p);
    } else {
        leat_pg_int8s(p, expected, n);
    }
}

static size_t index_of(const int32_t *ks, size_t n, int64_t k)
{
    size_t i = 0;
    while (i < n && ks[i] != k)
        i++;
    return i;
}

static leat_status missing(struct leat_error *err, const char *what, int32_t k)
{
    (void)leat_fail(err, LEAT_ABSENT, "the store has no row for %s, k %d", what, k);
    leat_error_hint(err, "Run 'leat apply' to create or upgrade the store.");
    return LEAT_ABSENT;
}

/* ---- fences ---- */

static void read_lanes(struct leat_pg_reply *r, struct leat_lane_position **ret, size_t *ret_n)
{
    struct leat_pg_list topic = leat_reply_list(r, 5, LEAT_PG_TEXT);
    size_t n = topic.count;
    struct leat_pg_list k = leat_reply_list_of(r, 6, LEAT_PG_INT4, n);
    struct leat_pg_list next = leat_reply_list_of(r, 7, LEAT_PG_INT8, n);
    struct leat_pg_list fingerprint = leat_reply_list_of(r, 8, LEAT_PG_INT8, n);
    struct leat_pg_list next_seq = leat_reply_list_of(r, 9, LEAT_PG_INT8, n);
    struct leat_lane_position *lanes = leat_arena_zalloc(r->arena, n + 1, sizeof *lanes);
    for (size_t i = 0; i < n && !r->bad; i++) {
        lanes[i].topic = leat_list_bytes(&topic);
        lanes[i].k = (int32_t)leat_list_int(&k);
        lanes[i].next_offset = leat_list_int(&next);
        lanes[i].fingerprint = (uint64_t)leat_list_int(&fingerprint);
        lanes[i].next_seq = leat_list_int(&next_seq);
    }
    *ret = lanes;
    *ret_n = n;
}

/* In the order of ks; a k that the answer does not name keeps k = -1. */
static struct leat_fence_state *read_fences(struct leat_pg_reply *r, const int32_t *ks, size_t n)
{
    struct leat_pg_list k = leat_reply_list(r, 0, LEAT_PG_INT4);
    struct leat_pg_list epoch = leat_reply_list_of(r, 1, LEAT_PG_INT8, k.count);
    struct leat_pg_list claimed = leat_reply_list_of(r, 2, LEAT_PG_BOOL, k.count);
    struct leat_pg_list head = leat_reply_list_of(r, 3, LEAT_PG_INT8, k.count);
    struct leat_pg_list store = leat_reply_list_of(r, 4, LEAT_PG_UUID, k.count);
    struct leat_fence_state *states = leat_arena_zalloc(r->arena, n + 1, sizeof *states);
    for (size_t i = 0; i < n; i++)
        states[i].k = -1;
    for (size_t i = 0; i < k.count && !r->bad; i++) {
        struct leat_fence_state f = {.k = (int32_t)leat_list_int(&k)};
        f.epoch = leat_list_int(&epoch);
        f.claimed = leat_list_int(&claimed) != 0;
        f.head_seq = leat_list_int(&head);
        f.store_id = leat_list_uuid(&store);
        size_t at = index_of(ks, n, f.k);
        if (at < n) {
            states[at] = f;
        } else {
            r->bad = true;
        }
    }
    return states;
}

static leat_status ask_fences(struct leat_store *s, const struct leat_fence_ask *ask,
                              struct leat_arena *arena, struct leat_fence_answer *ret,
                              struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_text(&s->params, ask->processor);
    put_ks(&s->params, ask->ks, ask->expected, ask->n);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *result = NULL;
    leat_status status = leat_pg_call(s, ask->expected == NULL ? LEAT_PG_READ : LEAT_PG_WRITE,
                                      "select * from @.fences($1,$2,$3,$4)", &result, err);
    if (status != LEAT_OK) {
        leat_store_say_who_blocks(s, err);
        return status;
    }
    struct leat_pg_reply r = leat_reply_of(result, 11, arena);
    struct leat_fence_answer answer = {.fences = read_fences(&r, ask->ks, ask->n)};
    read_lanes(&r, &answer.lanes, &answer.lane_count);
    answer.paused = leat_reply_bytes(&r, 0, 10);
    status = leat_reply_ok(&r, "fences", err);
    if (status != LEAT_OK)
        return status;
    for (size_t i = 0; i < ask->n; i++) {
        if (answer.fences[i].k < 0)
            return missing(err, "this processor", ask->ks[i]);
    }
    *ret = answer;
    return LEAT_OK;
}

leat_status leat_store_fences(struct leat_store *s, const struct leat_fence_ask *ask,
                              struct leat_arena *arena, struct leat_fence_answer *ret,
                              struct leat_error *err)
{
    struct leat_fence_ask look = *ask;
    look.expected = NULL;
    LEAT_TRY(ask_fences(s, &look, arena, ret, err), err, "could not read fences of '%.*s'",
             LEAT_STR_FMT(ask->processor));
    return LEAT_OK;
}

leat_status leat_store_claim(struct leat_store *s, const struct leat_fence_ask *ask,
                             struct leat_arena *arena, struct leat_fence_answer *ret,
                             struct leat_error *err)
{
    leat_assert(ask->expected != NULL);
    LEAT_TRY(ask_fences(s, ask, arena, ret, err), err, "could not claim '%.*s'",
             LEAT_STR_FMT(ask->processor));
    return LEAT_OK;
}

/* ---- relay positions ---- */

static struct leat_published *read_relays(struct leat_pg_reply *r, const int32_t *slices, size_t n)
{
    struct leat_pg_list slice = leat_reply_list(r, 0, LEAT_PG_INT4);
    struct leat_pg_list epoch = leat_reply_list_of(r, 1, LEAT_PG_INT8, slice.count);
    struct leat_pg_list claimed = leat_reply_list_of(r, 2, LEAT_PG_BOOL, slice.count);
    struct leat_pg_list seq = leat_reply_list_of(r, 3, LEAT_PG_INT8, slice.count);
    struct leat_pg_list outbox_seq = leat_reply_list_of(r, 4, LEAT_PG_INT8, slice.count);
    struct leat_pg_list head = leat_reply_list_of(r, 5, LEAT_PG_INT8, slice.count);
    struct leat_pg_list head_outbox = leat_reply_list_of(r, 6, LEAT_PG_INT8, slice.count);
    struct leat_pg_list store = leat_reply_list_of(r, 7, LEAT_PG_UUID, slice.count);
    struct leat_published *rows = leat_arena_zalloc(r->arena, n + 1, sizeof *rows);
    for (size_t i = 0; i < n; i++)
        rows[i].slice = -1;
    for (size_t i = 0; i < slice.count && !r->bad; i++) {
        struct leat_published row = {.slice = (int32_t)leat_list_int(&slice)};
        row.epoch = leat_list_int(&epoch);
        row.claimed = leat_list_int(&claimed) != 0;
        row.seq = leat_list_int(&seq);
        row.outbox_seq = leat_list_int(&outbox_seq);
        row.head_seq = leat_list_int(&head);
        row.head_outbox = leat_list_int(&head_outbox);
        row.store_id = leat_list_uuid(&store);
        size_t at = index_of(slices, n, row.slice);
        if (at < n) {
            rows[at] = row;
        } else {
            r->bad = true;
        }
    }
    return rows;
}

static leat_status ask_relays(struct leat_store *s, const struct leat_fence_ask *ask,
                              struct leat_arena *arena, struct leat_published **ret,
                              struct leat_error *err)
{
    leat_pg_clear(&s->params);
    put_ks(&s->params, ask->ks, ask->expected, ask->n);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *result = NULL;
    leat_status status = leat_pg_call(s, ask->expected == NULL ? LEAT_PG_READ : LEAT_PG_WRITE,
                                      "select * from @.relays($1,$2,$3)", &result, err);
    if (status != LEAT_OK) {
        leat_store_say_who_blocks(s, err);
        return status;
    }
    struct leat_pg_reply r = leat_reply_of(result, 8, arena);
    struct leat_published *rows = read_relays(&r, ask->ks, ask->n);
    status = leat_reply_ok(&r, "relays", err);
    if (status != LEAT_OK)
        return status;
    for (size_t i = 0; i < ask->n; i++) {
        if (rows[i].slice < 0)
            return missing(err, "the relay", ask->ks[i]);
    }
    *ret = rows;
    return LEAT_OK;
}

leat_status leat_store_published(struct leat_store *s, const int32_t *slices, size_t n,
                                 struct leat_arena *arena, struct leat_published **ret,
                                 struct leat_error *err)
{
    struct leat_fence_ask ask = {.ks = slices, .n = n};
    LEAT_TRY(ask_relays(s, &ask, arena, ret, err), err, "could not read relay positions");
    return LEAT_OK;
}

leat_status leat_store_claim_relay(struct leat_store *s, const struct leat_fence_ask *ask,
                                   struct leat_arena *arena, struct leat_published **ret,
                                   struct leat_error *err)
{
    leat_assert(ask->expected != NULL);
    LEAT_TRY(ask_relays(s, ask, arena, ret, err), err, "could not claim relay positions");
    return LEAT_OK;
}

static void put_moves(struct leat_pg_params *p, const struct leat_published *moves, size_t n)
{
    leat_pg_clear(p);
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, moves[i].slice));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, moves[i].epoch));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, moves[i].seq));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, moves[i].outbox_seq));
}

leat_status leat_store_record(struct leat_store *s, struct leat_published *moves, size_t n,
                              struct leat_error *err)
{
    if (n == 0)
        return LEAT_OK;
    put_moves(&s->params, moves, n);
    leat_pg_int4(&s->params, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *result = NULL;
    leat_status status = leat_pg_call(
        s, LEAT_PG_WRITE, "select own from @.record_published($1,$2,$3,$4,$5)", &result, err);
    if (status != LEAT_OK) {
        leat_store_say_who_blocks(s, err);
        leat_error_wrap(err, "could not record what is published");
        return status;
    }
    struct leat_pg_reply r = leat_reply_of(result, 1, NULL);
    struct leat_pg_list own = leat_reply_list(&r, 0, LEAT_PG_INT4);
    for (size_t i = 0; i < n; i++)
        moves[i].claimed = false;
    for (size_t j = 0; j < own.count && !r.bad; j++) {
        int64_t slice = leat_list_int(&own);
        for (size_t i = 0; i < n; i++)
            moves[i].claimed |= moves[i].slice == slice;
    }
    return leat_reply_ok(&r, "record", err);
}

leat_status leat_store_refuse(struct leat_store *s, int32_t slice, int64_t epoch,
                              const struct leat_outbox_row *row, const char *reason,
                              struct leat_error *err)
{
    struct leat_pg_params *p = &s->params;
    leat_pg_clear(p);
    leat_pg_int4(p, slice);
    leat_pg_int8(p, epoch);
    leat_pg_int8(p, row->seq);
    leat_pg_int4(p, row->partition);
    leat_pg_text(p, row->topic);
    if (row->key_null) {
        leat_pg_null(p);
    } else {
        leat_pg_bytes(p, row->key.at, row->key.len);
    }
    leat_pg_bytes(p, row->headers.at, row->headers.len);
    if (row->value_null) {
        leat_pg_null(p);
    } else {
        leat_pg_bytes(p, row->value.at, row->value.len);
    }
    leat_pg_text(p, leat_str_of(reason));
    leat_pg_int4(p, s->lock_timeout_ms);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE,
                          "select @.refuse_record($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)", &result, err),
             err, "could not keep a refused record");
    struct leat_pg_reply r = leat_reply_of(result, 1, NULL);
    bool own = leat_reply_bool(&r, 0, 0);
    LEAT_TRY(leat_reply_ok(&r, "refuse", err), err, "could not keep a refused record");
    if (!own)
        return leat_fail(err, LEAT_FENCED, "slice %d has another relay", slice);
    return LEAT_OK;
}

leat_status leat_store_anchor(struct leat_store *s, struct leat_str processor,
                              struct leat_str topic, struct leat_arena *arena,
                              struct leat_str *ret_topic, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_text(&s->params, processor);
    leat_pg_text(&s->params, topic);
    LEAT_PG_AUTO PGresult *result = NULL;
    LEAT_TRY(leat_pg_call(s, LEAT_PG_WRITE, "select @.anchor($1,$2)", &result, err), err,
             "could not read the anchor of '%.*s'", LEAT_STR_FMT(processor));
    struct leat_pg_reply r = leat_reply_of(result, 1, arena);
    struct leat_str found = leat_reply_bytes(&r, 0, 0);
    LEAT_TRY(leat_reply_ok(&r, "anchor", err), err, "could not read an anchor");
    *ret_topic = found;
    return LEAT_OK;
}
