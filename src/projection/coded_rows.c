/* coded_rows.c - one batch of a projection in C: its functions called, event after event, on the
 * rows of the batch, which are those of a declared projection. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "projection/coded_guard.h"
#include "projection/fold_batch.h"

#define REASON_BYTES 512
#define WHY_BYTES    400
#define KEY_PARTS    8
#define FIRST_SLOTS  256
#define STREAM_SEED  0x726f7773U
#define CELL_BYTES   16 /* at most, besides text */

struct undo { /* a row as it was before the call */
    uint32_t row;
    struct leat_cell *cells;
    bool exists, touched;
    int64_t until;
};

struct leat_rows {
    struct leat_fold *f;
    const struct leat_fold_change *change;
    leat_fold_fetch fetch;
    void *arg;
    struct undo *undo;
    size_t n_undo, cap_undo;
    uint64_t stream;    /* hash of its key */
    leat_status status; /* of reading rows: then the transaction is broken off */
    struct leat_error *err;
    bool skipped;
    char why[WHY_BYTES + 1];
};

static struct leat_fold_batch *batch_of(const struct leat_rows *r)
{
    return r->f->batch;
}

static struct leat_coded *coded_of(const struct leat_rows *r)
{
    return r->f->rules->coded;
}

static bool is_over(const struct leat_rows *r)
{
    return r->skipped || r->status != LEAT_OK;
}

/* ---- rows of a stream in the batch ---- */

static struct leat_fold_stream *stream_slot(struct leat_fold_streams *s, uint64_t hash)
{
    size_t at = hash & (s->n_slots - 1);
    while (s->slots[at].first != 0 && s->slots[at].hash != hash)
        at = (at + 1) & (s->n_slots - 1);
    return &s->slots[at];
}

static void grow_streams(struct leat_fold_streams *s)
{
    struct leat_fold_streams old = *s;
    s->n_slots = old.n_slots == 0 ? FIRST_SLOTS : old.n_slots * 2;
    s->slots = calloc(s->n_slots, sizeof *s->slots);
    leat_assert(s->slots != NULL);
    for (size_t i = 0; i < old.n_slots; i++) {
        if (old.slots[i].first != 0)
            *stream_slot(s, old.slots[i].hash) = old.slots[i];
    }
    free(old.slots);
}

static void link_row(struct leat_rows *r, struct leat_fold_row *row)
{
    struct leat_fold_streams *s = &batch_of(r)->streams;
    if ((s->n + 1) * 2 > s->n_slots)
        grow_streams(s);
    struct leat_fold_stream *at = stream_slot(s, r->stream);
    s->n += at->first == 0;
    row->of_stream = at->first == 0 ? LEAT_FOLD_NO_ROW : at->first - 1;
    *at = (struct leat_fold_stream){r->stream, (uint32_t)(row - batch_of(r)->rows) + 1};
}

/* The row of the key, with its cells as the batch has them so far; NULL: the call is over. */
static struct leat_fold_row *row_of(struct leat_rows *r, struct leat_str key)
{
    bool fresh = false;
    struct leat_fold_row *row = leat_fold_row_for(r->f, r->change->slice, key, &fresh);
    if (fresh) {
        link_row(r, row);
        r->status = r->fetch(r->f, r->arg, row, r->err);
    }
    if (r->status != LEAT_OK)
        return NULL;
    leat_fold_row_at(r->f, row, r->change->clock_ms);
    return row;
}

/* ---- keys ---- */

static struct leat_cell key_cell(const struct leat_field *field, const void *row)
{
    const char *at = (const char *)row + field->offset;
    struct leat_cell c = {.kind = LEAT_CELL_NULL};
    int32_t small = 0;
    switch (field->kind) {
    case LEAT_KIND_STRING:
        c.kind = LEAT_CELL_STRING;
        memcpy(&c.s, at, sizeof c.s);
        break;
    case LEAT_KIND_BOOL:
        c.kind = LEAT_CELL_BOOL;
        memcpy(&c.b, at, sizeof c.b);
        break;
    case LEAT_KIND_INT:
        memcpy(&small, at, sizeof small);
        c.kind = LEAT_CELL_INT;
        c.i = small;
        break;
    case LEAT_KIND_LONG:
        c.kind = LEAT_CELL_INT;
        memcpy(&c.i, at, sizeof c.i);
        break;
    case LEAT_KIND_DOUBLE:
        c.kind = LEAT_CELL_DOUBLE;
        memcpy(&c.d, at, sizeof c.d);
        break;
    case LEAT_KIND_FLOAT:
    case LEAT_KIND_BYTES:
    case LEAT_KIND_ENUM:
    case LEAT_KIND_FIXED:
    case LEAT_KIND_RECORD:
    case LEAT_KIND_ARRAY:
    case LEAT_KIND_MAP:
    case LEAT_KIND_NULL:
    case LEAT_KIND_UNION:
        break; /* no type of a row's field */
    }
    return c;
}

/* The first `n` parts of the row's key as text; false: skipped. */
static bool key_parts(struct leat_rows *r, const void *row, uint32_t n, struct leat_str *ret)
{
    const struct leat_coded *c = coded_of(r);
    for (uint32_t i = 0; i < n; i++) {
        struct leat_cell cell = key_cell(c->key_fields[i], row);
        ret[i] = leat_cell_text(&cell, batch_of(r)->work);
        if (i == 0 && ret[0].len == 0)
            ret[0] = r->change->meta.key;
        if (ret[i].len == 0) {
            leat_rows_skip(r, "'%s', a part of the row's key, is empty", c->key_fields[i]->name);
            return false;
        }
    }
    if (leat_str_eq(ret[0], r->change->meta.key))
        return true;
    leat_rows_skip(r,
                   "'%s' of the row is '%.*s', the stream's key is '%.*s': rows of other streams "
                   "are not to be touched",
                   c->key_fields[0]->name, LEAT_STR_FMT(ret[0]), LEAT_STR_FMT(r->change->meta.key));
    return false;
}

static bool row_key(struct leat_rows *r, const void *row, struct leat_str *ret)
{
    struct leat_str parts[KEY_PARTS];
    uint32_t n = coded_of(r)->projection->n_key_fields;
    if (!key_parts(r, row, n, parts))
        return false;
    *ret = leat_key_join(parts, n, batch_of(r)->work);
    if (ret->len == 0)
        leat_rows_skip(r, "the row's key is too long");
    return ret->len > 0;
}

/* ---- between a struct and cells ---- */

/* The row as cells, in the batch's memory; NULL: skipped. */
static struct leat_cell *cells_of(struct leat_rows *r, const struct leat_type *type,
                                  const void *row)
{
    struct leat_coded *c = coded_of(r);
    struct leat_arena *work = batch_of(r)->work;
    struct leat_error err = {0};
    uint32_t n = c->projection->fields.n;
    leat_buf_clear(&c->bytes);
    struct leat_value *values = leat_arena_alloc(work, n * sizeof *values);
    leat_status status = leat_encode_avro(type, row, &c->bytes, &err);
    if (status == LEAT_OK) {
        struct leat_str body = leat_arena_copy(work, leat_buf_str(&c->bytes));
        status = leat_pick(c->picker, body, work, values, &err);
    }
    if (status != LEAT_OK) {
        leat_rows_skip(r, "%s", err.msg);
        return NULL;
    }
    struct leat_cell *cells = leat_arena_alloc(work, n * sizeof *cells);
    size_t bytes = 0;
    for (uint32_t i = 0; i < n; i++) {
        cells[i] = leat_cell_of_value(&values[i]);
        bytes += CELL_BYTES + (cells[i].kind >= LEAT_CELL_STRING ? cells[i].s.len : 0);
        if (cells[i].kind == LEAT_CELL_DOUBLE && !isfinite(cells[i].d)) {
            leat_rows_skip(r, "'%.*s' is not a number", LEAT_STR_FMT(c->projection->fields.at[i]));
            return NULL;
        }
    }
    if (bytes > LEAT_ROW_BYTES_MAX / 2) {
        leat_rows_skip(r, "the row has %zu bytes, more than %u", bytes, LEAT_ROW_BYTES_MAX / 2);
        return NULL;
    }
    cells[c->projection->key_fields[0]] =
        (struct leat_cell){.kind = LEAT_CELL_STRING, .s = r->change->meta.key};
    return cells;
}

/* False: skipped. */
static bool struct_of(struct leat_rows *r, const struct leat_type *type,
                      const struct leat_cell *cells, void *row)
{
    const struct leat_projection *p = coded_of(r)->projection;
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    struct leat_json_writer w;
    struct leat_error err = {0};
    leat_buf_init(&text, (size_t)LEAT_ROW_BYTES_MAX * 8);
    leat_json_writer_init(&w, &text);
    leat_json_begin_object(&w);
    leat_row_json(p->fields.at, cells, p->fields.n, &w);
    leat_json_end_object(&w);
    struct leat_str json = leat_arena_copy(batch_of(r)->work, leat_buf_str(&text));
    if (leat_decode_json(type, json, batch_of(r)->work, row, &err) == LEAT_OK)
        return true;
    leat_rows_skip(r, "a row cannot be read: %s", err.msg);
    return false;
}

/* ---- what functions call ---- */

struct leat_str leat_rows_key(const struct leat_rows *r)
{
    return r->change->meta.key;
}

struct leat_str leat_rows_type(const struct leat_rows *r)
{
    return r->change->meta.type;
}

int64_t leat_rows_time(const struct leat_rows *r)
{
    return r->change->meta.recorded_at_ms;
}

int64_t leat_rows_seq(const struct leat_rows *r)
{
    return r->change->meta.seq;
}

void *leat_rows_alloc(struct leat_rows *r, size_t bytes)
{
    return leat_arena_alloc(batch_of(r)->work, bytes);
}

struct leat_str leat_rows_text(struct leat_rows *r, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *text = leat_arena_alloc(batch_of(r)->work, n < 0 ? 1 : (size_t)n + 1);
    if (n > 0)
        (void)vsnprintf(text, (size_t)n + 1, fmt, again);
    va_end(again);
    return (struct leat_str){text, n < 0 ? 0 : (uint32_t)n};
}

void leat_rows_skip(struct leat_rows *r, const char *fmt, ...)
{
    if (is_over(r))
        return;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(r->why, sizeof r->why, fmt, args);
    va_end(args);
    r->skipped = true;
}

bool leat_rows_get(struct leat_rows *r, const struct leat_type *type, void *row)
{
    struct leat_str key;
    if (is_over(r) || !row_key(r, row, &key))
        return false;
    const struct leat_fold_row *found = row_of(r, key);
    return found != NULL && found->exists && struct_of(r, type, found->cells, row);
}

static void write_row(struct leat_rows *r, struct leat_str key, struct leat_cell *cells)
{
    struct leat_fold_batch *b = batch_of(r);
    struct leat_fold_row *row = row_of(r, key);
    if (row == NULL)
        return;
    if (row->call != b->calls) {
        if (r->n_undo == LEAT_ROWS_WRITE_MAX) {
            leat_rows_skip(r, "more than %d rows are written", LEAT_ROWS_WRITE_MAX);
            return;
        }
        r->undo = leat_arena_grow(b->work, r->undo, sizeof *r->undo, &r->cap_undo, r->n_undo + 1);
        r->undo[r->n_undo++] = (struct undo){(uint32_t)(row - b->rows), row->cells, row->exists,
                                             row->touched, row->until};
        row->call = b->calls;
    }
    if (cells != NULL)
        row->cells = cells;
    row->exists = cells != NULL;
    row->touched = true;
    leat_fold_row_touched(r->f, row, r->change, NULL);
}

void leat_rows_put(struct leat_rows *r, const struct leat_type *type, const void *row)
{
    struct leat_str key;
    if (is_over(r) || !row_key(r, row, &key))
        return;
    struct leat_cell *cells = cells_of(r, type, row);
    if (cells != NULL)
        write_row(r, key, cells);
}

void leat_rows_delete(struct leat_rows *r, const struct leat_type *type, const void *row)
{
    struct leat_str key;
    (void)type;
    if (!is_over(r) && row_key(r, row, &key))
        write_row(r, key, NULL);
}

/* ---- scan ---- */

static bool begins_with(struct leat_str s, struct leat_str prefix)
{
    return s.len >= prefix.len && memcmp(s.at, prefix.at, prefix.len) == 0;
}

static int by_key(const void *a, const void *b)
{
    const struct leat_str *x = a, *y = b;
    uint32_t n = x->len < y->len ? x->len : y->len;
    int order = memcmp(x->at, y->at, n);
    return order != 0 ? order : (x->len > y->len) - (x->len < y->len);
}

/* Keys of the batch's rows of this stream; those the file has too come twice. */
static void add_kept(struct leat_rows *r, struct leat_str prefix, struct leat_fold_keys *keys)
{
    struct leat_fold_batch *b = batch_of(r);
    if (b->streams.n == 0)
        return;
    uint32_t next = stream_slot(&b->streams, r->stream)->first;
    for (next = next == 0 ? LEAT_FOLD_NO_ROW : next - 1; next != LEAT_FOLD_NO_ROW;
         next = b->rows[next].of_stream) {
        if (!b->rows[next].exists || !begins_with(b->rows[next].key, prefix))
            continue;
        keys->at = leat_arena_grow(b->work, keys->at, sizeof *keys->at, &keys->cap, keys->n + 1);
        keys->at[keys->n++] = b->rows[next].key;
    }
}

/* Begin of the keys that are asked for, or one whole key; false: skipped. */
static bool scan_prefix(struct leat_rows *r, const void *row, uint32_t parts, struct leat_str *ret,
                        bool *ret_whole)
{
    struct leat_str texts[KEY_PARTS + 1];
    uint32_t n = coded_of(r)->projection->n_key_fields;
    parts = parts == 0 ? 1 : parts > n ? n : parts;
    if (!key_parts(r, row, parts, texts))
        return false;
    *ret_whole = parts == n;
    texts[parts] = (struct leat_str){"", 0};
    *ret = leat_key_join(texts, *ret_whole ? parts : parts + 1, batch_of(r)->work);
    if (ret->len == 0)
        leat_rows_skip(r, "the row's key is too long");
    return ret->len > 0;
}

static size_t read_scan(struct leat_rows *r, const struct leat_type *type,
                        const struct leat_fold_keys *keys, const void **ret_rows)
{
    char *rows = leat_arena_zalloc(batch_of(r)->work, keys->n + 1, type->size);
    size_t n = 0;
    for (size_t i = 0; i < keys->n; i++) {
        if (i > 0 && leat_str_eq(keys->at[i], keys->at[i - 1]))
            continue;
        const struct leat_fold_row *row = row_of(r, keys->at[i]);
        if (row == NULL)
            return 0;
        if (row->exists && !struct_of(r, type, row->cells, rows + n * type->size))
            return 0;
        n += row->exists;
    }
    *ret_rows = rows;
    return n;
}

size_t leat_rows_scan(struct leat_rows *r, const struct leat_type *type, const void *row,
                      unsigned parts, const void **ret_rows)
{
    struct leat_fold_keys keys = {NULL, 0, 0};
    struct leat_error err = {0};
    struct leat_str prefix;
    bool whole = false;
    *ret_rows = NULL;
    if (is_over(r) || !scan_prefix(r, row, parts, &prefix, &whole))
        return 0;
    if (whole) {
        keys.at = leat_arena_alloc(batch_of(r)->work, sizeof *keys.at);
        keys.at[keys.n++] = prefix;
        return read_scan(r, type, &keys, ret_rows);
    }
    leat_status status =
        batch_of(r)->backend->scan(r->f, r->arg, prefix, LEAT_ROWS_SCAN_MAX, &keys, &err);
    if (status != LEAT_OK && status != LEAT_INVALID) {
        r->status = leat_fail(r->err, status, "%s", err.msg);
        return 0;
    }
    add_kept(r, prefix, &keys);
    if (status == LEAT_INVALID || keys.n > 2 * LEAT_ROWS_SCAN_MAX) {
        leat_rows_skip(r, "more than %d rows are scanned", LEAT_ROWS_SCAN_MAX);
        return 0;
    }
    if (keys.n > 1)
        qsort(keys.at, keys.n, sizeof *keys.at, by_key);
    return read_scan(r, type, &keys, ret_rows);
}

/* ---- calls ---- */

static void undo(struct leat_rows *r)
{
    for (size_t i = 0; i < r->n_undo; i++) {
        struct leat_fold_row *row = &batch_of(r)->rows[r->undo[i].row];
        row->cells = r->undo[i].cells;
        row->exists = r->undo[i].exists;
        row->touched = r->undo[i].touched;
        row->until = r->undo[i].until;
    }
}

static void call_function(struct leat_rows *r)
{
    const struct leat_fold_change *c = r->change;
    struct leat_coded_guard *guard = batch_of(r)->guard;
    if (guard != NULL && !leat_guard_enter(guard, c->slice, c->meta.seq)) {
        leat_rows_skip(r, "the process ended %d times while its function was at this event",
                       LEAT_GUARD_TRIES);
        return;
    }
    c->rule->on->call(r, c->picked[0].s.at);
    if (guard != NULL)
        leat_guard_leave(guard);
}

static leat_status call(struct leat_fold *f, const struct leat_fold_change *c,
                        leat_fold_fetch fetch, void *arg, struct leat_error *err)
{
    struct leat_rows r = {.f = f, .change = c, .fetch = fetch, .arg = arg, .err = err};
    r.stream = leat_hash64(c->meta.key.at, c->meta.key.len, STREAM_SEED);
    f->batch->calls++;
    if (c->meta.key.len == 0)
        leat_rows_skip(&r, "the event has no key");
    else
        call_function(&r);
    if (is_over(&r))
        undo(&r);
    if (r.status == LEAT_OK && r.skipped)
        leat_fold_skip_change(f, c, r.why);
    return r.status;
}

leat_status leat_coded_rows(struct leat_fold *f, leat_fold_fetch fetch, void *arg,
                            const int64_t *skip_below, struct leat_error *err)
{
    struct leat_fold_batch *b = f->batch;
    leat_fold_start_rows(b);
    leat_fold_forget_skips(f);
    b->calls = 0;
    b->streams.n = 0;
    if (b->streams.n_slots > 0)
        memset(b->streams.slots, 0, b->streams.n_slots * sizeof *b->streams.slots);
    for (size_t i = 0; i < b->n_changes; i++) {
        const struct leat_fold_change *c = &b->changes[i];
        if (c->meta.seq > skip_below[c->slice])
            LEAT_TRY(call(f, c, fetch, arg, err), err, "model '%.*s'",
                     LEAT_STR_FMT(f->projection->name));
    }
    return LEAT_OK;
}
