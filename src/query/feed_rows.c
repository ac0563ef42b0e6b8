#include "query/feed_rows.h"

#include <stdlib.h>
#include <string.h>

#include "projection/model_changes.h"
#include "projection/model_values.h"
#include "query/streams.h"

#define EVENTS_PER_LOOK 400
#define ARENA_BYTES     ((size_t)256 * 1024)

struct leat_feed_rows {
    struct leat_http *http;
    struct leat_changes **changes; /* by projection; made when first followed */
    struct leat_arena *arena;      /* of one look */
};

struct leat_feed_rows *leat_feed_rows_new(struct leat_http *http)
{
    struct leat_feed_rows *r = calloc(1, sizeof *r);
    leat_assert(r != NULL);
    r->http = http;
    r->changes = calloc(http->c.topology->n_projections + 1, sizeof *r->changes);
    leat_assert(r->changes != NULL);
    r->arena = leat_arena_new(ARENA_BYTES, ARENA_BYTES);
    return r;
}

void leat_feed_rows_free(struct leat_feed_rows *r)
{
    if (r == NULL)
        return;
    for (uint32_t i = 0; i < r->http->c.topology->n_projections; i++)
        leat_changes_free(r->changes[i]);
    leat_arena_free(r->arena);
    free(r->changes);
    free(r);
}

void leat_feed_put_id(const struct leat_feed_at *at, struct leat_buf *out)
{
    const struct leat_rows_position p = {.n = at->n, .seqs = at->seqs, .stores = at->stores};
    leat_buf_puts(out, "id: ");
    leat_token_put(&p, out);
    leat_buf_putc(out, '\n');
}

/* ---- events ---- */

struct taken { /* of one look */
    struct leat_stored_event *events;
    size_t n, cap;
    int64_t *seqs; /* where the follower stands afterwards */
    bool more;
};

static leat_status take_slice(struct leat_feed_rows *r, struct leat_store *store, int32_t slice,
                              int64_t upto, struct taken *t, struct leat_error *err)
{
    struct leat_stored_event *page = NULL;
    size_t n = 0;
    struct leat_store_page ask = {
        .slice = slice, .after = t->seqs[slice], .upto = upto, .limit = EVENTS_PER_LOOK - t->n};
    if (ask.limit == 0) {
        t->more = true;
        return LEAT_OK;
    }
    LEAT_TRY(leat_store_slice(store, &ask, r->arena, &page, &n, err), err, "changes");
    t->events = leat_arena_grow(r->arena, t->events, sizeof *t->events, &t->cap, t->n + n + 1);
    if (n > 0)
        memcpy(&t->events[t->n], page, n * sizeof *page);
    t->n += n;
    t->seqs[slice] = n < ask.limit ? upto : page[n - 1].seq;
    t->more = t->more || t->seqs[slice] < upto;
    return LEAT_OK;
}

static leat_status take_slices(struct leat_feed_rows *r, struct leat_store *store,
                               const struct leat_rows_position *now, struct taken *t,
                               struct leat_error *err)
{
    struct leat_error ignored = {0};
    for (int32_t k = 0; k < now->n; k++) {
        if (now->seqs[k] > t->seqs[k])
            LEAT_TRY(take_slice(r, store, k, now->seqs[k], t, err), err, "changes");
    }
    if (!leat_schemas_know(r->http->c.schemas, t->events, t->n))
        (void)!leat_schemas_refresh(r->http->c.schemas, store, r->arena, &ignored);
    return LEAT_OK;
}

static leat_status take(struct leat_feed_rows *r, const struct leat_rows_position *now,
                        struct taken *t, struct leat_error *err)
{
    struct leat_store *store = NULL;
    bool moved = false;
    for (int32_t k = 0; k < now->n; k++)
        moved = moved || now->seqs[k] > t->seqs[k];
    if (!moved)
        return LEAT_OK;
    LEAT_TRY(leat_store_pool_take(r->http->stores, &store, err), err, "changes");
    leat_status status = take_slices(r, store, now, t, err);
    leat_store_pool_give(r->http->stores, store);
    return status;
}

/* ---- messages ---- */

static void put_row(const struct leat_model_read *m, const struct leat_model_row *row,
                    const struct leat_chosen *chosen, struct leat_buf *out)
{
    struct leat_json_writer w;
    leat_buf_puts(out, "event: row\ndata: ");
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "key", row->key);
    leat_json_key(&w, LEAT_STR("row"));
    if (row->cells == NULL) {
        leat_json_null(&w);
    } else {
        leat_row_put(m->version->shape, row, chosen, &w);
    }
    leat_json_end_object(&w);
    leat_buf_puts(out, "\n\n");
}

/* The position goes with the last row: who breaks off before it gets all of them again. */
static leat_status put_rows(struct leat_model_read *m, const struct leat_changed *changed,
                            struct leat_str fields, const struct leat_feed_at *at,
                            struct leat_buf *out, struct leat_error *err)
{
    struct leat_chosen chosen;
    uint32_t n = changed->n;
    struct leat_model_row *rows = leat_arena_alloc(m->arena, (n + (size_t)1) * sizeof *rows);
    LEAT_TRY(leat_choose_fields(m->version, fields, &chosen, err), err, "changes");
    LEAT_TRY(m->version->backend->get(m->rows, changed->keys, n, rows, err), err, "changes");
    for (uint32_t i = 0; i < n; i++) {
        if (i + 1 == n)
            leat_feed_put_id(at, out);
        put_row(m, &rows[i], &chosen, out);
    }
    return LEAT_OK;
}

static bool same_stores(const struct leat_feed_at *at, const struct leat_rows_position *now)
{
    static const struct leat_uuid none;
    for (int32_t k = 0; k < at->n && k < now->n; k++) {
        if (leat_uuid_eq(&at->stores[k], &none)) {
            at->stores[k] = now->stores[k];
        } else if (!leat_uuid_eq(&now->stores[k], &none) &&
                   !leat_uuid_eq(&now->stores[k], &at->stores[k])) {
            return false;
        }
    }
    return at->n == now->n;
}

/* Where the model is now; n -1: it has not moved since it was looked at. */
static leat_status look(struct leat_feed_rows *r, const struct leat_feed_ask *ask,
                        const struct leat_feed_at *at, struct leat_rows_position *ret,
                        uint64_t *ret_state, struct leat_error *err)
{
    struct leat_model_read m;
    leat_status status = leat_model_begin(ask->handle, r->arena, &m, err);
    if (status != LEAT_OK)
        return status;
    *ret_state = m.version->backend->state(m.rows);
    ret->n = -1;
    if (*ret_state == 0 || *ret_state != at->state)
        status = leat_read_position(&m, ret, err);
    leat_model_end(&m);
    return status;
}

/* The rows are read after the store was asked: a snapshot is not held while one waits for it. */
static leat_status tell(struct leat_feed_rows *r, const struct leat_feed_ask *ask,
                        const struct taken *t, const struct leat_feed_at *next,
                        struct leat_buf *out, struct leat_error *err)
{
    struct leat_model_read m;
    struct leat_changed changed;
    leat_changes_keys(r->changes[ask->model->index], r->http->c.schemas, t->events, t->n, r->arena,
                      &changed);
    if (changed.n == 0)
        return LEAT_OK;
    LEAT_TRY(leat_model_begin(ask->handle, r->arena, &m, err), err, "changes");
    leat_status status = put_rows(&m, &changed, ask->fields, next, out, err);
    leat_model_end(&m);
    return status;
}

static leat_status go_on(struct leat_feed_rows *r, const struct leat_feed_ask *ask,
                         struct leat_feed_at *at, struct leat_buf *out, struct leat_error *err)
{
    struct leat_rows_position now;
    uint64_t state = 0;
    LEAT_TRY(look(r, ask, at, &now, &state, err), err, "changes");
    if (now.n < 0)
        return LEAT_OK;
    if (!same_stores(at, &now))
        return leat_fail(err, LEAT_ABSENT, "the model is built from another store now");
    size_t bytes = (size_t)at->n * sizeof *at->seqs;
    struct taken t = {.seqs = leat_arena_alloc(r->arena, bytes)};
    memcpy(t.seqs, at->seqs, bytes);
    LEAT_TRY(take(r, &now, &t, err), err, "changes");
    struct leat_feed_at next = {.n = at->n, .seqs = t.seqs, .stores = at->stores};
    LEAT_TRY(tell(r, ask, &t, &next, out, err), err, "changes");
    memcpy(at->seqs, t.seqs, bytes);
    at->state = t.more ? 0 : state;
    return LEAT_OK;
}

leat_status leat_feed_rows_next(struct leat_feed_rows *r, const struct leat_feed_ask *ask,
                                struct leat_feed_at *at, struct leat_buf *out,
                                struct leat_error *err)
{
    struct leat_changes **changes = &r->changes[ask->model->index];
    if (*changes == NULL)
        LEAT_TRY(leat_changes_new(ask->model, changes, err), err, "changes");
    leat_status status = go_on(r, ask, at, out, err);
    leat_arena_reset(r->arena);
    return status;
}
