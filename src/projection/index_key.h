/* index_key.h - keys of rows and of secondary indexes as bytes that memcmp orders. Pure.
 *
 * Index entry = index number, one encoded value per column, then the row's key. Values sort as
 * leat_cell_compare() orders them; a descending column is its bytes inverted. Texts count up to
 * LEAT_INDEX_TEXT_MAX bytes: longer ones with the same beginning sort by row key. */
#ifndef LEAT_PROJECTION_INDEX_KEY_H
#define LEAT_PROJECTION_INDEX_KEY_H

#include "projection/row.h"
#include "topology/models.h"

#define LEAT_INDEX_COLUMNS_MAX 4
#define LEAT_INDEX_TEXT_MAX    48
#define LEAT_INDEX_KEY_MAX     511 /* LMDB's */
#define LEAT_ROW_KEY_MAX       96  /* longer keys: their first bytes and a hash */

struct leat_index_key {
    uint8_t bytes[LEAT_INDEX_KEY_MAX];
    uint32_t len;
};

/* The LMDB key of a row: `key` itself, or the short form of a long one in `scratch`; *ret_shortened
 * then says that the row must keep the full key. `key` is not empty. */
struct leat_str leat_row_key(struct leat_str key, uint8_t scratch[LEAT_ROW_KEY_MAX],
                             bool *ret_shortened);

void leat_index_key_start(struct leat_index_key *k, uint8_t index_no);
void leat_index_key_column(struct leat_index_key *k, const struct leat_cell *cell, bool descending);
void leat_index_key_end(struct leat_index_key *k, struct leat_str row_key);
/* The row key at the end of an entry with `columns` columns; false when the entry is damaged. */
bool leat_index_key_row(struct leat_str entry, const struct leat_index_column *columns, uint32_t n,
                        struct leat_str *ret_row_key);

#endif
