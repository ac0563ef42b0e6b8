/* rows.h - what a projection in C is written against: a read model folded by functions, for what a
 * declaration in the topology cannot say (several rows of one event, arithmetic over rows).
 *
 *     static void placed(struct leat_rows *rows, const struct order_placed *e)
 *     {
 *         struct order_board_row row = {.order_id = e->order_id};
 *         get_order_board(rows, &row);            (false: new, the rest is zero)
 *         row.cents += e->total_cents;
 *         put_order_board(rows, &row);
 *     }
 *     LEAT_PROJECTION(order_board, 1, ROWS_ORDER_PLACED(placed));
 *
 * struct order_board_row, get_, put_, delete_, scan_order_board() and ROWS_<EVENT>() are written by
 * `leat gen` from `row` and `key` of the projection in the topology.
 *
 * Rows belong to streams: the first part of a row's key is the stream's key of the events that make
 * it. A call sees and writes rows of its event's stream alone, as the events before it in the
 * stream's partition left them, so that a model is a function of the store: the order in which
 * partitions are read does not matter, rebuilds and replays give the same rows.
 * A function is deterministic: no clock, no random numbers, no I/O, no variables that outlive the
 * call. It may run again for the same event (a transaction that is tried again, a rebuild).
 * Ownership: all pointers given to a function, and those it gets from here, are valid until it
 * returns; what it puts is copied. Threads: calls of one model version never overlap; a rebuild
 * runs beside the model in use, so calls for different versions may. Errors: what cannot be done
 * (see leat_rows_skip) makes the whole call undone and its event skipped: listed in the model, no
 * row touched, the next event goes on. The first reason counts. */
#ifndef LEAT_ROWS_H
#define LEAT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/abi.h"
#include "leat/str.h"
#include "leat/type.h"

struct leat_rows; /* one call for one event */

#define LEAT_ROWS_SCAN_MAX  10000 /* rows of one scan */
#define LEAT_ROWS_WRITE_MAX 10000 /* rows written by one call */

struct leat_str leat_rows_key(const struct leat_rows *rows);  /* the stream's key */
struct leat_str leat_rows_type(const struct leat_rows *rows); /* the event's type */
int64_t leat_rows_time(const struct leat_rows *rows); /* unix ms: when the event was recorded */
int64_t leat_rows_seq(const struct leat_rows *rows);  /* its position in its slice of the store */

/* This event changes nothing: it is listed among what the model skipped, with this text (bounded at
 * 400 bytes). What the call has written is undone, what it goes on to write is ignored. */
void leat_rows_skip(struct leat_rows *rows, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Memory for texts and arrays of rows that the call puts. */
void *leat_rows_alloc(struct leat_rows *rows, size_t bytes);
struct leat_str leat_rows_text(struct leat_rows *rows, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* What generated code calls. `row` has its key's fields filled in; the first of them empty means
 * the stream's key. Skips the event: a first part that is not the stream's key, another part that
 * is null or empty, text that is not UTF-8, a number that is none (NaN), a row larger than 1 MiB.
 * get: fills in the rest of the row, false when there is none. put: writes it whole. delete: one
 * that is not there is no mistake. */
bool leat_rows_get(struct leat_rows *rows, const struct leat_type *type, void *row);
void leat_rows_put(struct leat_rows *rows, const struct leat_type *type, const void *row);
void leat_rows_delete(struct leat_rows *rows, const struct leat_type *type, const void *row);
/* The stream's rows whose first `parts` key fields are those of `row` (0 and 1: all), in the order
 * of their keys' bytes: an array at *ret_rows, and how many. More than LEAT_ROWS_SCAN_MAX: the
 * event is skipped and there are 0. */
size_t leat_rows_scan(struct leat_rows *rows, const struct leat_type *type, const void *row,
                      unsigned parts, const void **ret_rows);

/* ---- registration: filled in by LEAT_PROJECTION, run when the module loads ---- */

/* One event a projection follows. Generated ROWS_<EVENT>(fn) makes it and refuses, at compile time,
 * a function of another type. */
struct leat_rows_on {
    const struct leat_type *event;
    void (*call)(struct leat_rows *rows, const void *event);
};

struct leat_projection_def {
    const char *name;
    int version;
    const struct leat_type *row;
    const struct leat_rows_on *on;
    size_t on_count;
    struct leat_projection_def *next;
};

void leat_register_projection(struct leat_projection_def *def);

/* LEAT_PROJECTION(order_board, 1, ROWS_ORDER_PLACED(placed), ROWS_ORDER_PAID(paid)); The version is
 * part of the model's version: raise it with every change that makes other rows, and the model is
 * built anew from the store beside the one in use, which stands still until it is replaced. */
#define LEAT_PROJECTION(name_, version_, ...)                                                      \
    static const struct leat_rows_on leat_rows_on_##name_[] = {__VA_ARGS__};                       \
    static struct leat_projection_def leat_projection_##name_ = {                                  \
        .name = #name_,                                                                            \
        .version = (version_),                                                                     \
        .row = LEAT_ROW_TYPE_##name_,                                                              \
        .on = leat_rows_on_##name_,                                                                \
        .on_count = sizeof leat_rows_on_##name_ / sizeof leat_rows_on_##name_[0]};                 \
    __attribute__((constructor)) static void leat_enter_projection_##name_(void)                   \
    {                                                                                              \
        leat_register_projection(&leat_projection_##name_);                                        \
    }                                                                                              \
    LEAT_ABI_NOTE(projection_##name_) /* takes the semicolon */

#endif
