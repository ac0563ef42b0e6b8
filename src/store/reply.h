/* reply.h - private to src/store: reading a binary result without trusting it. Every value is
 * checked for type and length; the first that does not fit sets `bad`, after which everything reads
 * as 0 or empty, so that callers check once at the end with leat_reply_ok(). */
#ifndef LEAT_STORE_REPLY_H
#define LEAT_STORE_REPLY_H

#include "base/arena.h"
#include "store/pg.h"

struct leat_pg_reply {
    const PGresult *result;
    struct leat_arena *arena; /* strings and arrays that outlive the result */
    int rows;
    bool bad;
};

struct leat_pg_reply leat_reply_of(const PGresult *r, int columns, struct leat_arena *arena);
LEAT_MUST_CHECK leat_status leat_reply_ok(const struct leat_pg_reply *r, const char *what,
                                          struct leat_error *err);

bool leat_reply_null(struct leat_pg_reply *r, int row, int col);
bool leat_reply_bool(struct leat_pg_reply *r, int row, int col);
int32_t leat_reply_int4(struct leat_pg_reply *r, int row, int col);
int64_t leat_reply_int8(struct leat_pg_reply *r, int row, int col);
int64_t leat_reply_unix_us(struct leat_pg_reply *r, int row, int col);
/* Null is 0, infinity LEAT_NEVER_MS. */
int64_t leat_reply_unix_ms(struct leat_pg_reply *r, int row, int col);
struct leat_uuid leat_reply_uuid(struct leat_pg_reply *r, int row, int col);
/* text or bytea, copied into the arena; null reads as empty */
struct leat_str leat_reply_bytes(struct leat_pg_reply *r, int row, int col);

/* One-dimensional arrays; null reads as an array of no elements. */
struct leat_pg_list {
    struct leat_pg_reply *reply;
    const uint8_t *at, *end;
    size_t count, left;
};
struct leat_pg_list leat_reply_list(struct leat_pg_reply *r, int col, leat_pg_type element);
/* As above, but of exactly n elements. */
struct leat_pg_list leat_reply_list_of(struct leat_pg_reply *r, int col, leat_pg_type element,
                                       size_t n);
/* The next element. A list that is at its end is bad. */
int64_t leat_list_int(struct leat_pg_list *l); /* int2, int4, int8, bool; null reads as 0 */
struct leat_uuid leat_list_uuid(struct leat_pg_list *l);
struct leat_str leat_list_bytes(struct leat_pg_list *l); /* copied into the arena */

#endif
