/* Walks over a model in Redis: the orders of all slices, each a sorted set that is read page by
 * page, merged as they come; rows follow window by window. Rows that several slices share have one
 * order only by their keys: by an index they are all read and sorted here, up to a bound. */
#include <stdlib.h>
#include <string.h>

#include "projection/model_rows_redis.h"

#define FIRST_WINDOW 32 /* entries; doubles up to: */
#define LAST_WINDOW  1024
#define MERGED_MAX   100000 /* shared rows that are sorted by an index */
#define ARENA_BLOCK  65536
#define ARENA_KEEP   ((size_t)1024 * 1024)

struct head { /* of a slice's order */
    struct leat_str *page;
    uint32_t n, at;
    struct leat_index_key last; /* of the former page */
    bool ended;
};

struct entry { /* of the window */
    struct leat_str bytes, db_key;
    struct leat_model_row row;
};

struct part { /* a slice that has the row of an entry */
    uint32_t entry;
    int32_t slice;
};

struct leat_rows_walk {
    struct leat_redis_snapshot *s;
    struct leat_redis_version *v;
    struct leat_rows_range range;
    const struct leat_shape_index *index; /* NULL: by key */
    struct leat_arena *pages, *window;    /* pages live as long as the walk's heads point to them */
    struct head *heads;
    struct entry *entries;
    struct part *parts;
    uint32_t size, n, at, n_parts, cap_parts;
    bool ended, keys_only;         /* keys_only: the window has no rows */
    struct leat_model_row *sorted; /* shared rows by an index */
    uint32_t n_sorted;
};

/* ---- bounds ---- */

static int compare_bytes(struct leat_str a, struct leat_str b)
{
    uint32_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.at, b.at, n);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static struct leat_str str_of(const struct leat_index_key *k)
{
    return (struct leat_str){(const char *)k->bytes, k->len};
}

/* The least bytes greater than all that start with these; false: there are none. */
static bool behind(const struct leat_index_key *prefix, struct leat_index_key *ret)
{
    *ret = *prefix;
    while (ret->len > 0 && ret->bytes[ret->len - 1] == 0xff)
        ret->len--;
    if (ret->len == 0)
        return false;
    ret->bytes[ret->len - 1]++;
    return true;
}

static void put_bound(struct leat_arena *arena, char mark, const struct leat_index_key *k,
                      struct leat_str *ret)
{
    char *text = leat_arena_alloc(arena, (size_t)k->len + 1);
    text[0] = mark;
    memcpy(text + 1, k->bytes, k->len);
    *ret = (struct leat_str){text, k->len + 1};
}

/* In the words of ZRANGEBYLEX; a page goes on behind the last entry of the one before. */
static void bounds_of(const struct leat_rows_walk *w, const struct head *h,
                      struct leat_str *ret_low, struct leat_str *ret_high)
{
    const struct leat_rows_range *r = &w->range;
    struct leat_index_key low = r->prefix, high, of_to;
    const struct leat_index_key *after = h->last.len > 0 ? &h->last : &r->after;
    bool bounded = behind(&r->prefix, &high);
    if (compare_bytes(str_of(&r->from), str_of(&low)) > 0)
        low = r->from;
    if (r->to.len > 0 && behind(&r->to, &of_to)) {
        if (!bounded || compare_bytes(str_of(&of_to), str_of(&high)) < 0)
            high = of_to;
        bounded = true;
    }
    *ret_low = LEAT_STR("-");
    *ret_high = LEAT_STR("+");
    if (low.len > 0)
        put_bound(w->window, '[', &low, ret_low);
    if (bounded)
        put_bound(w->window, '(', &high, ret_high);
    if (after->len > 0)
        put_bound(w->window, '(', after, r->descending ? ret_high : ret_low);
}

/* ---- pages ---- */

static bool is_dry(const struct head *h)
{
    return !h->ended && h->at == h->n;
}

static void send_page(struct leat_rows_walk *w, int32_t k)
{
    const struct leat_redis_slice_keys *keys = &w->v->keys.slices[k];
    struct leat_redis *r = w->s->redis;
    struct leat_str low, high;
    bounds_of(w, &w->heads[k], &low, &high);
    leat_redis_command(r, 7);
    leat_redis_arg(r, w->range.descending ? LEAT_STR("ZREVRANGEBYLEX") : LEAT_STR("ZRANGEBYLEX"));
    leat_redis_arg(r, w->index == NULL ? keys->order : keys->indexes[w->range.index]);
    leat_redis_arg(r, w->range.descending ? high : low);
    leat_redis_arg(r, w->range.descending ? low : high);
    leat_redis_arg(r, LEAT_STR("LIMIT"));
    leat_redis_arg(r, LEAT_STR("0"));
    leat_redis_arg_int(r, w->size);
}

static leat_status read_page(struct leat_rows_walk *w, int32_t k, struct leat_error *err)
{
    struct head *h = &w->heads[k];
    const struct leat_redis_reply *reply = NULL;
    LEAT_TRY(leat_redis_reply(w->s->redis, &reply, err), err, "list slice %d", (int)k);
    h->n = (uint32_t)leat_redis_count(reply);
    h->at = 0;
    h->ended = h->n == 0;
    h->page = leat_arena_alloc(w->pages, (h->n + (size_t)1) * sizeof *h->page);
    for (uint32_t i = 0; i < h->n; i++)
        h->page[i] = leat_arena_copy(w->pages, leat_redis_text(leat_redis_item(reply, i)));
    if (h->n == 0)
        return LEAT_OK;
    struct leat_str last = h->page[h->n - 1];
    if (last.len == 0 || last.len > LEAT_INDEX_KEY_MAX)
        return leat_fail(err, LEAT_FATAL, "an entry of slice %d is damaged", (int)k);
    memcpy(h->last.bytes, last.at, last.len);
    h->last.len = last.len;
    return LEAT_OK;
}

/* What the heads still hold moves on, the rest of the old pages goes. */
static void renew_pages(struct leat_rows_walk *w)
{
    struct leat_arena *fresh = leat_arena_new(ARENA_BLOCK, ARENA_KEEP);
    for (int32_t k = 0; k < w->v->keys.partitions; k++) {
        struct head *h = &w->heads[k];
        uint32_t n = h->n - h->at;
        struct leat_str *page = leat_arena_alloc(fresh, (n + (size_t)1) * sizeof *page);
        for (uint32_t i = 0; i < n; i++)
            page[i] = leat_arena_copy(fresh, h->page[h->at + i]);
        h->page = page;
        h->n = n;
        h->at = 0;
    }
    leat_arena_free(w->pages);
    w->pages = fresh;
}

static leat_status fill_heads(struct leat_rows_walk *w, struct leat_error *err)
{
    bool asked[LEAT_PARTITIONS_MAX];
    if (leat_arena_used(w->pages) > ARENA_KEEP)
        renew_pages(w);
    for (int32_t k = 0; k < w->v->keys.partitions; k++) {
        asked[k] = is_dry(&w->heads[k]);
        if (asked[k])
            send_page(w, k);
    }
    for (int32_t k = 0; k < w->v->keys.partitions; k++) {
        if (asked[k])
            LEAT_TRY(read_page(w, k, err), err, "list");
    }
    return LEAT_OK;
}

/* ---- the merge ---- */

/* The slice whose head is next; -1: all have ended; -2: one must be filled first. */
static int32_t next_slice(const struct leat_rows_walk *w)
{
    int32_t found = -1;
    for (int32_t k = 0; k < w->v->keys.partitions; k++) {
        const struct head *h = &w->heads[k];
        if (is_dry(h))
            return -2;
        if (h->ended)
            continue;
        const struct head *best = found < 0 ? NULL : &w->heads[found];
        int order = best == NULL ? -1 : compare_bytes(h->page[h->at], best->page[best->at]);
        if (best == NULL || (w->range.descending ? order > 0 : order < 0))
            found = k;
    }
    return found;
}

static void add_part(struct leat_rows_walk *w, uint32_t entry, int32_t slice)
{
    if (w->n_parts == w->cap_parts) {
        w->cap_parts = w->cap_parts == 0 ? FIRST_WINDOW : w->cap_parts * 2;
        w->parts = realloc(w->parts, w->cap_parts * sizeof *w->parts);
        leat_assert(w->parts != NULL);
    }
    w->parts[w->n_parts++] = (struct part){entry, slice};
}

static leat_status take_head(struct leat_rows_walk *w, int32_t k, struct leat_error *err)
{
    struct head *h = &w->heads[k];
    struct leat_str bytes = h->page[h->at];
    struct entry *last = w->n == 0 ? NULL : &w->entries[w->n - 1];
    bool shared = !w->v->form.by_stream && last != NULL && leat_str_eq(last->bytes, bytes);
    h->at++;
    if (shared) {
        add_part(w, w->n - 1, k);
        return LEAT_OK;
    }
    struct entry *e = &w->entries[w->n];
    *e = (struct entry){.bytes = leat_arena_copy(w->window, bytes)};
    e->db_key = e->bytes;
    if (w->index != NULL &&
        !leat_index_key_row(e->bytes, w->index->columns, w->index->n_columns, &e->db_key)) {
        return leat_fail(err, LEAT_FATAL, "index '%.*s' is damaged", LEAT_STR_FMT(w->index->name));
    }
    e->row = (struct leat_model_row){.key = e->db_key, .entry = e->bytes};
    add_part(w, w->n++, k);
    return LEAT_OK;
}

/* Does the row still stand where the entry says? It may have been written since. */
static bool is_there(const struct leat_rows_walk *w, const struct entry *e)
{
    struct leat_index_key key;
    if (e->row.cells == NULL)
        return false;
    if (w->index == NULL)
        return true;
    leat_index_key_start(&key, (uint8_t)w->range.index);
    for (uint32_t i = 0; i < w->index->n_columns; i++) {
        const struct leat_index_column *c = &w->index->columns[i];
        leat_index_key_column(&key, &e->row.cells[c->field], c->descending);
    }
    leat_index_key_end(&key, e->db_key);
    return leat_str_eq(str_of(&key), e->bytes);
}

static leat_status read_rows(struct leat_rows_walk *w, struct leat_error *err)
{
    for (uint32_t i = 0; i < w->n_parts; i++)
        leat_redis_send_row(w->s, w->parts[i].slice, w->entries[w->parts[i].entry].db_key);
    for (uint32_t i = 0; i < w->n_parts; i++) {
        LEAT_TRY(leat_redis_read_row(w->s, w->window, &w->entries[w->parts[i].entry].row, err), err,
                 "list");
    }
    return LEAT_OK;
}

/* The next entries with their rows. A shared row is whole once another key follows it: the last
 * entry of the window is only let go when all heads have passed it. */
static leat_status fill_window(struct leat_rows_walk *w, struct leat_error *err)
{
    int32_t k = -1;
    leat_arena_reset(w->window);
    w->n = w->at = w->n_parts = 0;
    w->size = w->size == 0 ? FIRST_WINDOW : w->size < LAST_WINDOW ? w->size * 2 : LAST_WINDOW;
    w->entries = leat_arena_alloc(w->window, (w->size + (size_t)1) * sizeof *w->entries);
    for (;;) {
        k = next_slice(w);
        if (k == -2) {
            LEAT_TRY(fill_heads(w, err), err, "list");
            continue;
        }
        bool full = w->n == w->size;
        if (k < 0 ||
            (full && !leat_str_eq(w->heads[k].page[w->heads[k].at], w->entries[w->n - 1].bytes)))
            break;
        LEAT_TRY(take_head(w, k, err), err, "list");
    }
    w->ended = k < 0;
    /* A key as long as shortened ones may be one: the full one is in the row. */
    w->keys_only =
        w->range.keys_only && w->index == NULL && (w->v->form.by_stream || !w->v->form.ttl);
    for (uint32_t i = 0; i < w->n && w->keys_only; i++)
        w->keys_only = w->entries[i].db_key.len < LEAT_ROW_KEY_MAX;
    return w->keys_only ? LEAT_OK : read_rows(w, err);
}

static leat_status next_entry(struct leat_rows_walk *w, struct leat_model_row *ret,
                              struct leat_error *err)
{
    for (;;) {
        if (w->at == w->n) {
            if (w->ended)
                return LEAT_ABSENT;
            LEAT_TRY(fill_window(w, err), err, "model");
            continue;
        }
        struct entry *e = &w->entries[w->at++];
        if (!w->keys_only && !is_there(w, e))
            continue;
        *ret = e->row;
        return LEAT_OK;
    }
}

/* ---- shared rows by an index ---- */

static int by_entry(const void *a, const void *b)
{
    const struct leat_model_row *x = a, *y = b;
    return compare_bytes(x->entry, y->entry);
}

static bool in_range(const struct leat_rows_range *r, struct leat_str entry)
{
    struct leat_str prefix = str_of(&r->prefix), to = str_of(&r->to), after = str_of(&r->after);
    if (entry.len < prefix.len || memcmp(entry.at, prefix.at, prefix.len) != 0)
        return false;
    if (r->from.len > 0 && compare_bytes(entry, str_of(&r->from)) < 0)
        return false;
    bool starts = entry.len >= to.len && memcmp(entry.at, to.at, to.len) == 0;
    if (to.len > 0 && compare_bytes(entry, to) > 0 && !starts)
        return false;
    int order = after.len == 0 ? 0 : compare_bytes(entry, after);
    return after.len == 0 || (r->descending ? order < 0 : order > 0);
}

static void keep_sorted(struct leat_rows_walk *w, const struct leat_model_row *row, size_t *cap)
{
    struct leat_arena *arena = w->s->public.arena;
    uint32_t n = w->v->names.n;
    struct leat_index_key key;
    struct leat_buf packed;
    uint8_t scratch[LEAT_ROW_KEY_MAX];
    bool shortened = false;
    leat_index_key_start(&key, (uint8_t)w->range.index);
    const struct leat_shape_index *index = &w->v->public.shape->indexes[w->range.index];
    for (uint32_t i = 0; i < index->n_columns; i++) {
        leat_index_key_column(&key, &row->cells[index->columns[i].field],
                              index->columns[i].descending);
    }
    leat_index_key_end(&key, leat_row_key(row->key, scratch, &shortened));
    if (!in_range(&w->range, str_of(&key)))
        return;
    w->sorted = leat_arena_grow(arena, w->sorted, sizeof *w->sorted, cap, w->n_sorted + (size_t)1);
    struct leat_model_row *to = &w->sorted[w->n_sorted++];
    to->key = leat_arena_copy(arena, row->key);
    to->entry = leat_arena_copy(arena, str_of(&key));
    to->cells = leat_arena_alloc(arena, (n + (size_t)1) * sizeof *to->cells);
    leat_buf_init(&packed, LEAT_ROW_BYTES_MAX); /* the cells' texts move with their packed form */
    leat_row_encode(row->cells, n, (struct leat_str){NULL, 0}, &packed);
    struct leat_error ignored = {0};
    if (leat_row_decode(leat_arena_copy(arena, leat_buf_str(&packed)), to->cells, n, NULL,
                        &ignored) != LEAT_OK)
        w->n_sorted--; /* larger than any row */
    leat_buf_done(&packed);
}

static leat_status sort_shared(struct leat_rows_walk *w, struct leat_error *err)
{
    const struct leat_rows_range all = {.index = -1};
    struct leat_rows_walk *by_key = NULL;
    struct leat_model_row row;
    size_t cap = 0, looked_at = 0;
    leat_status status = leat_redis_walk(&w->s->public, &all, &by_key, err);
    while (status == LEAT_OK && (status = leat_redis_next(by_key, &row, err)) == LEAT_OK) {
        if (++looked_at > MERGED_MAX) {
            status = leat_fail(err, LEAT_INVALID,
                               "the model has more than %d rows that several partitions share: in "
                               "Redis they are kept per partition and have no index",
                               MERGED_MAX);
            leat_error_hint(err, "List it by key, or keep it in LMDB (`store: lmdb`).");
            break;
        }
        keep_sorted(w, &row, &cap);
    }
    leat_redis_walk_close(by_key);
    if (status != LEAT_ABSENT)
        return status;
    if (w->n_sorted > 0)
        qsort(w->sorted, w->n_sorted, sizeof *w->sorted, by_entry);
    return LEAT_OK;
}

/* ---- the walk ---- */

void leat_redis_walk_close(struct leat_rows_walk *w)
{
    if (w == NULL)
        return;
    if (w->pages != NULL)
        leat_arena_free(w->pages);
    if (w->window != NULL)
        leat_arena_free(w->window);
    w->pages = w->window = NULL;
    free(w->parts);
    w->parts = NULL;
}

leat_status leat_redis_walk(struct leat_rows_snapshot *s, const struct leat_rows_range *range,
                            struct leat_rows_walk **ret, struct leat_error *err)
{
    struct leat_redis_version *v = leat_redis_version_of(s);
    struct leat_rows_walk *w = leat_arena_zalloc(s->arena, 1, sizeof *w);
    w->s = leat_redis_snapshot_of(s);
    w->v = v;
    w->range = *range;
    if (range->index >= 0 && !v->form.by_stream) {
        LEAT_TRY(sort_shared(w, err), err, "list");
        w->at = range->descending ? w->n_sorted : 0;
        w->ended = true;
        *ret = w;
        return LEAT_OK;
    }
    w->index = range->index < 0 ? NULL : &v->public.shape->indexes[range->index];
    w->heads = leat_arena_zalloc(s->arena, (size_t)v->keys.partitions, sizeof *w->heads);
    w->pages = leat_arena_new(ARENA_BLOCK, ARENA_KEEP);
    w->window = leat_arena_new(ARENA_BLOCK, ARENA_KEEP);
    *ret = w;
    return LEAT_OK;
}

leat_status leat_redis_next(struct leat_rows_walk *w, struct leat_model_row *ret,
                            struct leat_error *err)
{
    if (w->heads != NULL)
        return next_entry(w, ret, err);
    if (w->range.descending ? w->at == 0 : w->at == w->n_sorted)
        return LEAT_ABSENT;
    *ret = w->range.descending ? w->sorted[--w->at] : w->sorted[w->at++];
    return LEAT_OK;
}
