#include "projection/row.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROW_VERSION   1
#define ROW_HAS_KEY   1
#define ROW_HAS_UNTIL 2
#define UNTIL_BYTES   8
#define LIST_DEPTH    4 /* lists hold scalars; a few levels for what foreign bytes may claim */
#define VARINT_BYTES  10

typedef enum row_tag {
    TAG_NULL = 0,
    TAG_FALSE,
    TAG_TRUE,
    TAG_INT,
    TAG_DOUBLE,
    TAG_STRING,
    TAG_JSON,
    TAG_BYTES,
    TAG_LIST,
} row_tag;

struct cursor {
    const uint8_t *at, *end;
};

static void put_varint(struct leat_buf *out, uint64_t v)
{
    uint8_t bytes[VARINT_BYTES];
    size_t n = 0;
    while (v >= 0x80) {
        bytes[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    bytes[n++] = (uint8_t)v;
    leat_buf_put(out, bytes, n);
}

static bool take_varint(struct cursor *c, uint64_t *ret)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64 && c->at < c->end; shift += 7) {
        uint8_t b = *c->at++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if ((b & 0x80) == 0) {
            *ret = v;
            return true;
        }
    }
    return false;
}

static bool take_text(struct cursor *c, struct leat_str *ret)
{
    uint64_t len = 0;
    if (!take_varint(c, &len) || len > (uint64_t)(c->end - c->at))
        return false;
    *ret = (struct leat_str){(const char *)c->at, (uint32_t)len};
    c->at += len;
    return true;
}

static void put_text(struct leat_buf *out, row_tag tag, struct leat_str s)
{
    leat_buf_putc(out, (char)tag);
    put_varint(out, s.len);
    leat_buf_put(out, s.at, s.len);
}

static void put_int(struct leat_buf *out, int64_t i)
{
    leat_buf_putc(out, TAG_INT);
    put_varint(out, (uint64_t)i << 1 ^ (i < 0 ? UINT64_MAX : 0));
}

static void put_double(struct leat_buf *out, double d)
{
    uint64_t bits = 0;
    uint8_t bytes[8];
    memcpy(&bits, &d, sizeof bits);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(bits >> (8 * i));
    leat_buf_putc(out, TAG_DOUBLE);
    leat_buf_put(out, bytes, sizeof bytes);
}

static void put_cell(const struct leat_cell *cell, struct leat_buf *out)
{
    switch (cell->kind) {
    case LEAT_CELL_NULL:
        leat_buf_putc(out, TAG_NULL);
        return;
    case LEAT_CELL_BOOL:
        leat_buf_putc(out, cell->b ? TAG_TRUE : TAG_FALSE);
        return;
    case LEAT_CELL_INT:
        put_int(out, cell->i);
        return;
    case LEAT_CELL_DOUBLE:
        put_double(out, cell->d);
        return;
    case LEAT_CELL_STRING:
        put_text(out, TAG_STRING, cell->s);
        return;
    case LEAT_CELL_JSON:
        put_text(out, TAG_JSON, cell->s);
        return;
    case LEAT_CELL_BYTES:
        put_text(out, TAG_BYTES, cell->s);
        return;
    case LEAT_CELL_LIST:
        put_text(out, TAG_LIST, cell->s);
        put_varint(out, cell->count);
        return;
    }
}

static bool take_double(struct cursor *c, double *ret)
{
    if (c->end - c->at < 8)
        return false;
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++)
        bits |= (uint64_t)c->at[i] << (8 * i);
    c->at += 8;
    memcpy(ret, &bits, sizeof bits);
    return true;
}

static bool take_list(struct cursor *c, struct leat_cell *ret)
{
    uint64_t count = 0;
    ret->kind = LEAT_CELL_LIST;
    if (!take_text(c, &ret->s) || !take_varint(c, &count) || count > ret->s.len)
        return false;
    ret->count = (uint32_t)count;
    return true;
}

static bool take_cell(struct cursor *c, struct leat_cell *ret)
{
    if (c->at >= c->end)
        return false;
    uint64_t v = 0;
    *ret = (struct leat_cell){.kind = LEAT_CELL_NULL};
    switch (*c->at++) {
    case TAG_NULL:
        return true;
    case TAG_FALSE:
    case TAG_TRUE:
        ret->kind = LEAT_CELL_BOOL;
        ret->b = c->at[-1] == TAG_TRUE;
        return true;
    case TAG_INT:
        ret->kind = LEAT_CELL_INT;
        if (!take_varint(c, &v))
            return false;
        ret->i = (int64_t)(v >> 1 ^ (0 - (v & 1)));
        return true;
    case TAG_DOUBLE:
        ret->kind = LEAT_CELL_DOUBLE;
        return take_double(c, &ret->d);
    case TAG_STRING:
        ret->kind = LEAT_CELL_STRING;
        return take_text(c, &ret->s);
    case TAG_JSON:
        ret->kind = LEAT_CELL_JSON;
        return take_text(c, &ret->s);
    case TAG_BYTES:
        ret->kind = LEAT_CELL_BYTES;
        return take_text(c, &ret->s);
    case TAG_LIST:
        return take_list(c, ret);
    default:
        return false;
    }
}

void leat_row_encode(const struct leat_cell *cells, uint32_t n, struct leat_str key,
                     struct leat_buf *out)
{
    leat_row_encode_until(cells, n, key, 0, out);
}

void leat_row_encode_until(const struct leat_cell *cells, uint32_t n, struct leat_str key,
                           int64_t until_ms, struct leat_buf *out)
{
    leat_buf_putc(out, ROW_VERSION);
    leat_buf_putc(out,
                  (char)((key.len > 0 ? ROW_HAS_KEY : 0) | (until_ms > 0 ? ROW_HAS_UNTIL : 0)));
    for (int shift = 8 * (UNTIL_BYTES - 1); until_ms > 0 && shift >= 0; shift -= 8)
        leat_buf_putc(out, (char)(uint8_t)((uint64_t)until_ms >> shift));
    if (key.len > 0) {
        put_varint(out, key.len);
        leat_buf_put(out, key.at, key.len);
    }
    put_varint(out, n);
    for (uint32_t i = 0; i < n; i++)
        put_cell(&cells[i], out);
}

int64_t leat_row_until(struct leat_str bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.at;
    uint64_t until = 0;
    if (bytes.len < 2 + UNTIL_BYTES || (at[1] & ROW_HAS_UNTIL) == 0)
        return 0;
    for (int i = 0; i < UNTIL_BYTES; i++)
        until = until << 8 | at[2 + i];
    return (int64_t)until;
}

leat_status leat_row_decode(struct leat_str bytes, struct leat_cell *cells, uint32_t n,
                            struct leat_str *ret_key, struct leat_error *err)
{
    struct cursor c = {(const uint8_t *)bytes.at, (const uint8_t *)bytes.at + bytes.len};
    struct leat_str key = {NULL, 0};
    uint64_t stored = 0;
    if (bytes.len < 3 || c.at[0] != ROW_VERSION)
        return leat_fail(err, LEAT_POISON, "row has another format (%u bytes)", bytes.len);
    bool has_key = (c.at[1] & ROW_HAS_KEY) != 0;
    uint32_t head = (c.at[1] & ROW_HAS_UNTIL) != 0 ? 2 + UNTIL_BYTES : 2;
    if (bytes.len < head)
        return leat_fail(err, LEAT_POISON, "row ends in its head");
    c.at += head;
    if ((has_key && !take_text(&c, &key)) || !take_varint(&c, &stored))
        return leat_fail(err, LEAT_POISON, "row ends in its head");
    for (uint64_t i = 0; i < stored; i++) {
        struct leat_cell spare;
        if (!take_cell(&c, i < n ? &cells[i] : &spare))
            return leat_fail(err, LEAT_POISON, "row is damaged at field %u", (unsigned)i);
    }
    for (uint64_t i = stored; i < n; i++)
        cells[i] = (struct leat_cell){.kind = LEAT_CELL_NULL};
    if (ret_key != NULL)
        *ret_key = key;
    return LEAT_OK;
}

static void base64_json(struct leat_str s, struct leat_json_writer *w)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    struct leat_buf text;
    leat_buf_init(&text, (size_t)s.len * 2 + 8);
    for (uint32_t i = 0; i < s.len; i += 3) {
        uint32_t left = s.len - i;
        uint32_t v = (uint32_t)(uint8_t)s.at[i] << 16;
        v |= left > 1 ? (uint32_t)(uint8_t)s.at[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)(uint8_t)s.at[i + 2] : 0;
        leat_buf_putc(&text, digits[v >> 18]);
        leat_buf_putc(&text, digits[v >> 12 & 63]);
        leat_buf_putc(&text, (char)(left > 1 ? digits[v >> 6 & 63] : '='));
        leat_buf_putc(&text, (char)(left > 2 ? digits[v & 63] : '='));
    }
    leat_json_str(w, leat_buf_str(&text));
    leat_buf_done(&text);
}

static void cell_json(const struct leat_cell *cell, struct leat_json_writer *w, int depth)
{
    switch (cell->kind) {
    case LEAT_CELL_NULL:
        leat_json_null(w);
        return;
    case LEAT_CELL_BOOL:
        leat_json_bool(w, cell->b);
        return;
    case LEAT_CELL_INT:
        leat_json_int(w, cell->i);
        return;
    case LEAT_CELL_DOUBLE:
        leat_json_double(w, cell->d);
        return;
    case LEAT_CELL_STRING:
        leat_json_str(w, cell->s);
        return;
    case LEAT_CELL_JSON:
        leat_json_raw(w, cell->s);
        return;
    case LEAT_CELL_BYTES:
        base64_json(cell->s, w);
        return;
    case LEAT_CELL_LIST:
        break;
    }
    leat_json_begin_array(w);
    struct cursor c = {(const uint8_t *)cell->s.at, (const uint8_t *)cell->s.at + cell->s.len};
    struct leat_cell item;
    for (uint32_t i = 0; i < cell->count && depth < LIST_DEPTH && take_cell(&c, &item); i++)
        cell_json(&item, w, depth + 1);
    leat_json_end_array(w);
}

void leat_cell_json(const struct leat_cell *cell, struct leat_json_writer *w)
{
    cell_json(cell, w, 0);
}

void leat_cell_put(const struct leat_cell *cell, struct leat_buf *out)
{
    put_cell(cell, out);
}

bool leat_cell_next(struct leat_str *rest, struct leat_cell *ret)
{
    struct cursor c = {(const uint8_t *)rest->at, (const uint8_t *)rest->at + rest->len};
    if (rest->len == 0 || !take_cell(&c, ret))
        return false;
    *rest = (struct leat_str){(const char *)c.at, (uint32_t)(c.end - c.at)};
    return true;
}

void leat_row_json(const struct leat_str *names, const struct leat_cell *cells, uint32_t n,
                   struct leat_json_writer *w)
{
    for (uint32_t i = 0; i < n; i++) {
        leat_json_key(w, names[i]);
        leat_cell_json(&cells[i], w);
    }
}

static int rank(const struct leat_cell *c)
{
    switch (c->kind) {
    case LEAT_CELL_NULL:
        return 0;
    case LEAT_CELL_BOOL:
        return 1;
    case LEAT_CELL_INT:
    case LEAT_CELL_DOUBLE:
        return 2;
    case LEAT_CELL_STRING:
    case LEAT_CELL_JSON:
    case LEAT_CELL_BYTES:
        return 3;
    case LEAT_CELL_LIST:
        return 4;
    }
    return 5;
}

static int compare_text(struct leat_str a, struct leat_str b)
{
    uint32_t n = a.len < b.len ? a.len : b.len;
    int order = n == 0 ? 0 : memcmp(a.at, b.at, n);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

/* Exact, though an int64 has more digits than a double: compares in double first, then the rest. */
static int compare_int_double(int64_t i, double d)
{
    if (isnan(d))
        return 1; /* NaN sorts below every number, so that the order is total */
    if (d >= 9223372036854775808.0)
        return -1;
    if (d < -9223372036854775808.0)
        return 1;
    int64_t whole = (int64_t)d;
    if (i != whole)
        return i > whole ? 1 : -1;
    double rest = d - (double)whole;
    return rest > 0 ? -1 : rest < 0;
}

static int compare_number(const struct leat_cell *a, const struct leat_cell *b)
{
    if (a->kind == LEAT_CELL_INT && b->kind == LEAT_CELL_INT)
        return (a->i > b->i) - (a->i < b->i);
    if (a->kind == LEAT_CELL_INT)
        return compare_int_double(a->i, b->d);
    if (b->kind == LEAT_CELL_INT)
        return -compare_int_double(b->i, a->d);
    if (isnan(a->d) || isnan(b->d))
        return isnan(b->d) - isnan(a->d);
    return (a->d > b->d) - (a->d < b->d);
}

int leat_cell_compare(const struct leat_cell *a, const struct leat_cell *b)
{
    int order = rank(a) - rank(b);
    if (order != 0)
        return order;
    switch (rank(a)) {
    case 0:
        return 0;
    case 1:
        return (int)a->b - (int)b->b;
    case 2:
        return compare_number(a, b);
    default:
        return compare_text(a->s, b->s);
    }
}

bool leat_cell_equal(const struct leat_cell *a, const struct leat_cell *b)
{
    return a->kind == b->kind && leat_cell_compare(a, b) == 0 &&
           (a->kind != LEAT_CELL_LIST || a->count == b->count);
}

static double as_double(const struct leat_cell *c)
{
    return c->kind == LEAT_CELL_INT ? (double)c->i : c->d;
}

static bool add(struct leat_cell *cell, const struct leat_cell *operand)
{
    if (rank(operand) != 2 || (rank(cell) != 2 && cell->kind != LEAT_CELL_NULL))
        return false;
    if (cell->kind == LEAT_CELL_NULL) {
        *cell = *operand;
        return true;
    }
    int64_t sum = 0;
    if (cell->kind == LEAT_CELL_INT && operand->kind == LEAT_CELL_INT &&
        !__builtin_add_overflow(cell->i, operand->i, &sum)) {
        cell->i = sum;
        return true;
    }
    double total = as_double(cell) + as_double(operand);
    *cell = (struct leat_cell){.kind = LEAT_CELL_DOUBLE, .d = total};
    return true;
}

static bool append(struct leat_cell *cell, const struct leat_cell *operand, uint32_t bound,
                   struct leat_arena *arena)
{
    if (cell->kind != LEAT_CELL_LIST && cell->kind != LEAT_CELL_NULL)
        return false;
    if (operand->kind == LEAT_CELL_LIST)
        return false;
    struct leat_str old = cell->kind == LEAT_CELL_LIST ? cell->s : (struct leat_str){NULL, 0};
    uint32_t count = cell->kind == LEAT_CELL_LIST ? cell->count : 0;
    struct cursor c = {(const uint8_t *)old.at, (const uint8_t *)old.at + old.len};
    struct leat_cell skipped;
    for (; count > 0 && count + 1 > bound && take_cell(&c, &skipped); count--)
        ;
    struct leat_buf packed;
    leat_buf_init(&packed, LEAT_ROW_BYTES_MAX);
    leat_buf_put(&packed, c.at, (size_t)(c.end - c.at));
    put_cell(operand, &packed);
    bool fits = !packed.overflow;
    if (fits) {
        *cell = (struct leat_cell){.kind = LEAT_CELL_LIST,
                                   .count = count + 1,
                                   .s = leat_arena_copy(arena, leat_buf_str(&packed))};
    }
    leat_buf_done(&packed);
    return fits;
}

/* Writes the set with the operand in its place; false when it is there already. */
static bool merge(const struct leat_cell *set, const struct leat_cell *operand, uint32_t bound,
                  struct leat_buf *out, uint32_t *ret_count)
{
    struct cursor c = {(const uint8_t *)set->s.at, (const uint8_t *)set->s.at + set->s.len};
    bool placed = false;
    uint32_t count = 0;
    struct leat_cell item;
    for (uint32_t i = 0; i < set->count && take_cell(&c, &item); i++) {
        int order = leat_cell_compare(operand, &item);
        if (order == 0)
            return false;
        if (order < 0 && !placed && count < bound) {
            put_cell(operand, out);
            placed = true;
            count++;
        }
        if (count < bound) {
            put_cell(&item, out);
            count++;
        }
    }
    if (!placed && count < bound) {
        put_cell(operand, out);
        count++;
    }
    *ret_count = count;
    return true;
}

static bool collect(struct leat_cell *cell, const struct leat_cell *operand, uint32_t bound,
                    struct leat_arena *arena)
{
    if ((cell->kind != LEAT_CELL_LIST && cell->kind != LEAT_CELL_NULL) ||
        operand->kind == LEAT_CELL_LIST)
        return false;
    struct leat_cell set = {.kind = LEAT_CELL_LIST};
    if (cell->kind == LEAT_CELL_LIST)
        set = *cell;
    struct leat_buf packed;
    leat_buf_init(&packed, LEAT_ROW_BYTES_MAX);
    uint32_t count = 0;
    bool changed = merge(&set, operand, bound, &packed, &count);
    bool fits = !packed.overflow;
    if (changed && fits) {
        *cell = (struct leat_cell){.kind = LEAT_CELL_LIST,
                                   .count = count,
                                   .s = leat_arena_copy(arena, leat_buf_str(&packed))};
    }
    leat_buf_done(&packed);
    return fits;
}

bool leat_row_apply(struct leat_cell *cell, leat_row_op op, const struct leat_cell *operand,
                    uint32_t bound, struct leat_arena *arena)
{
    if (op == LEAT_ROW_SET) {
        *cell = *operand;
        return true;
    }
    if (operand->kind == LEAT_CELL_NULL && op != LEAT_ROW_APPEND)
        return true;
    switch (op) {
    case LEAT_ROW_ADD:
        return add(cell, operand);
    case LEAT_ROW_MIN:
        if (cell->kind == LEAT_CELL_NULL || leat_cell_compare(operand, cell) < 0)
            *cell = *operand;
        return true;
    case LEAT_ROW_MAX:
        if (cell->kind == LEAT_CELL_NULL || leat_cell_compare(operand, cell) > 0)
            *cell = *operand;
        return true;
    case LEAT_ROW_APPEND:
        return append(cell, operand, bound, arena);
    case LEAT_ROW_COLLECT:
        return collect(cell, operand, bound, arena);
    case LEAT_ROW_SET:
        break;
    }
    return false;
}
