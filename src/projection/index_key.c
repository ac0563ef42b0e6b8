#include "projection/index_key.h"

#include <math.h>
#include <string.h>

#include "base/hash.h"

#define SHA256_BYTES 32
#define NUMBER_BYTES 10 /* ordered double and what of an int64 it could not hold */

enum value_tag { /* in the order of leat_cell_compare() */
    VALUE_NULL = 1,
    VALUE_FALSE = 2,
    VALUE_TRUE = 3,
    VALUE_NUMBER = 4,
    VALUE_TEXT = 5,
    VALUE_OTHER = 6,
};

/* Index 4 columns x (tag, 48 bytes all escaped, end) + row key must fit LMDB's 511 bytes. */
_Static_assert(1 + LEAT_INDEX_COLUMNS_MAX * (2 * LEAT_INDEX_TEXT_MAX + 3) + LEAT_ROW_KEY_MAX <=
                   LEAT_INDEX_KEY_MAX,
               "index keys must fit LMDB's limit");

struct leat_str leat_row_key(struct leat_str key, uint8_t scratch[LEAT_ROW_KEY_MAX],
                             bool *ret_shortened)
{
    leat_assert(key.len > 0);
    *ret_shortened = key.len >= LEAT_ROW_KEY_MAX;
    if (!*ret_shortened)
        return key;
    uint32_t head = LEAT_ROW_KEY_MAX - SHA256_BYTES;
    memcpy(scratch, key.at, head);
    leat_sha256(key.at, key.len, scratch + head);
    return (struct leat_str){(const char *)scratch, LEAT_ROW_KEY_MAX};
}

static void put(struct leat_index_key *k, uint8_t byte)
{
    leat_assert(k->len < LEAT_INDEX_KEY_MAX);
    k->bytes[k->len++] = byte;
}

static void put_big_endian(struct leat_index_key *k, uint64_t v, int bytes)
{
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        put(k, (uint8_t)(v >> shift));
}

/* Doubles sort by their bits once the sign is flipped (all bits of negative ones). NaN is least. */
static void put_number(struct leat_index_key *k, const struct leat_cell *cell)
{
    double d = cell->kind == LEAT_CELL_INT ? (double)cell->i : cell->d;
    int64_t rest = 0;
    if (cell->kind == LEAT_CELL_INT)
        rest = d >= 9223372036854775808.0 ? cell->i - INT64_MAX - 1 : cell->i - (int64_t)d;
    if (d == 0)
        d = 0; /* -0 and 0 are one value */
    uint64_t bits = 0;
    if (!isnan(d)) {
        memcpy(&bits, &d, sizeof bits);
        bits = bits >> 63 ? ~bits : bits | 1ULL << 63;
    }
    put_big_endian(k, bits, 8);
    put_big_endian(k, (uint64_t)(rest + 0x8000), 2);
}

static void put_text(struct leat_index_key *k, struct leat_str s)
{
    uint32_t n = s.len < LEAT_INDEX_TEXT_MAX ? s.len : LEAT_INDEX_TEXT_MAX;
    for (uint32_t i = 0; i < n; i++) {
        put(k, (uint8_t)s.at[i]);
        if (s.at[i] == 0)
            put(k, 0xff);
    }
    put(k, 0);
    put(k, 1);
}

void leat_index_key_start(struct leat_index_key *k, uint8_t index_no)
{
    k->bytes[0] = index_no;
    k->len = 1;
}

void leat_index_key_column(struct leat_index_key *k, const struct leat_cell *cell, bool descending)
{
    uint32_t start = k->len;
    switch (cell->kind) {
    case LEAT_CELL_NULL:
        put(k, VALUE_NULL);
        break;
    case LEAT_CELL_BOOL:
        put(k, cell->b ? VALUE_TRUE : VALUE_FALSE);
        break;
    case LEAT_CELL_INT:
    case LEAT_CELL_DOUBLE:
        put(k, VALUE_NUMBER);
        put_number(k, cell);
        break;
    case LEAT_CELL_STRING:
    case LEAT_CELL_JSON:
    case LEAT_CELL_BYTES:
        put(k, VALUE_TEXT);
        put_text(k, cell->s);
        break;
    case LEAT_CELL_LIST:
        put(k, VALUE_OTHER);
        break;
    }
    for (uint32_t i = start; descending && i < k->len; i++)
        k->bytes[i] = (uint8_t)~k->bytes[i];
}

void leat_index_key_end(struct leat_index_key *k, struct leat_str row_key)
{
    leat_assert(k->len + row_key.len <= LEAT_INDEX_KEY_MAX);
    memcpy(k->bytes + k->len, row_key.at, row_key.len);
    k->len += row_key.len;
}

/* Length of the text at `at` with its end mark, 0 when there is no end. `flip` = descending. */
static uint32_t text_length(const uint8_t *at, uint32_t left, uint8_t flip)
{
    for (uint32_t i = 0; i + 1 < left; i++) {
        if ((at[i] ^ flip) != 0)
            continue;
        if ((at[i + 1] ^ flip) == 1)
            return i + 2;
        i++;
    }
    return 0;
}

static uint32_t value_length(const uint8_t *at, uint32_t left, bool descending)
{
    uint8_t flip = descending ? 0xff : 0;
    uint32_t rest = 0;
    if (left == 0)
        return 0;
    switch (at[0] ^ flip) {
    case VALUE_NULL:
    case VALUE_FALSE:
    case VALUE_TRUE:
    case VALUE_OTHER:
        return 1;
    case VALUE_NUMBER:
        return left > NUMBER_BYTES ? 1 + NUMBER_BYTES : 0;
    case VALUE_TEXT:
        rest = text_length(at + 1, left - 1, flip);
        return rest == 0 ? 0 : 1 + rest;
    default:
        return 0;
    }
}

bool leat_index_key_row(struct leat_str entry, const struct leat_index_column *columns, uint32_t n,
                        struct leat_str *ret_row_key)
{
    const uint8_t *at = (const uint8_t *)entry.at;
    uint32_t used = 1;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t len =
            used < entry.len ? value_length(at + used, entry.len - used, columns[i].descending) : 0;
        if (len == 0)
            return false;
        used += len;
    }
    if (used >= entry.len)
        return false;
    *ret_row_key = (struct leat_str){entry.at + used, entry.len - used};
    return true;
}
