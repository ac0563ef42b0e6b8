/* row.h - a row of a read model as bytes: typed cells by declared field index. Pure.
 *
 * Cells borrow their text: from the row's bytes, the event or an arena. Byte form (version 1):
 * version, flags, [until], [full key], field count, then per field a tag and its value; numbers are
 * varints. A row written under fewer fields reads as null in the rest, so decoding never needs the
 * writer.
 */
#ifndef LEAT_PROJECTION_ROW_H
#define LEAT_PROJECTION_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/status.h"
#include "leat/str.h"

#define LEAT_ROW_FIELDS_MAX 256
#define LEAT_ROW_BYTES_MAX  (1U << 20)

typedef enum leat_cell_kind {
    LEAT_CELL_NULL = 0,
    LEAT_CELL_BOOL,
    LEAT_CELL_INT,
    LEAT_CELL_DOUBLE,
    LEAT_CELL_STRING,
    LEAT_CELL_JSON,  /* a record, array or map of the event, as JSON text */
    LEAT_CELL_BYTES, /* shown as base64 */
    LEAT_CELL_LIST,  /* `s` = packed cells one after the other; `count` of them */
} leat_cell_kind;

struct leat_cell {
    leat_cell_kind kind;
    uint32_t count; /* LIST */
    union {
        bool b;
        int64_t i;
        double d;
        struct leat_str s;
    };
};

/* `key` is kept in the row only when non-empty (rows whose LMDB key is a shortened one). */
void leat_row_encode(const struct leat_cell *cells, uint32_t n, struct leat_str key,
                     struct leat_buf *out);
/* The same with the time at which a row with a `ttl` goes: unix ms, 0 = never. */
void leat_row_encode_until(const struct leat_cell *cells, uint32_t n, struct leat_str key,
                           int64_t until_ms, struct leat_buf *out);
int64_t leat_row_until(struct leat_str bytes);
/* Fills all n cells; *ret_key (NULL allowed) = the kept key or empty. POISON on damaged bytes. */
LEAT_MUST_CHECK leat_status leat_row_decode(struct leat_str bytes, struct leat_cell *cells,
                                            uint32_t n, struct leat_str *ret_key,
                                            struct leat_error *err);
/* Members of an open JSON object, in declared order. */
void leat_row_json(const struct leat_str *names, const struct leat_cell *cells, uint32_t n,
                   struct leat_json_writer *w);
void leat_cell_json(const struct leat_cell *cell, struct leat_json_writer *w);
/* The packed form of a cell, as in a row and a list. */
void leat_cell_put(const struct leat_cell *cell, struct leat_buf *out);
/* The items of a LIST one by one: *rest starts as its `s`. False at the end. */
bool leat_cell_next(struct leat_str *rest, struct leat_cell *ret);

/* Total order over scalars: null < bool < numbers < texts (by bytes) < lists. Numbers compare by
 * value whatever their kind. */
int leat_cell_compare(const struct leat_cell *a, const struct leat_cell *b);
bool leat_cell_equal(const struct leat_cell *a, const struct leat_cell *b);

typedef enum leat_row_op {
    LEAT_ROW_SET = 0,
    LEAT_ROW_ADD, /* null counts as 0; int + int stays int unless it overflows */
    LEAT_ROW_MIN, /* of scalars that are not null */
    LEAT_ROW_MAX,
    LEAT_ROW_APPEND,  /* to a list, which keeps its last `bound` items */
    LEAT_ROW_COLLECT, /* into a sorted set, which keeps its `bound` least items: commutes */
} leat_row_op;

/* cell := cell op operand. The same inputs give the same cell on every machine. False = the operand
 * does not fit (a number added to a text): the cell is unchanged. New text lives in the arena. */
bool leat_row_apply(struct leat_cell *cell, leat_row_op op, const struct leat_cell *operand,
                    uint32_t bound, struct leat_arena *arena);

#endif
