/* waiting.h - who waits in the partitions k of one processor, and who is due: keys, tickets and
 * times of the rows of table `waiting`, without their bytes. Pure; one thread.
 *
 * A key is parked iff a row of it parks; its rows go by ticket, each when the one before is gone
 * and its own time has come. Rows that do not park go by their time alone. A row that is fetched is
 * on hand: nobody fetches it again until it has been let go of. */
#ifndef LEAT_WORKER_WAITING_H
#define LEAT_WORKER_WAITING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/append.h"

struct leat_waiting;

/* Keys of struct leat_waiting_ref that come out of here are valid until the k changes. */

struct leat_waiting *leat_waiting_new(int32_t partitions);
void leat_waiting_free(struct leat_waiting *w); /* NULL allowed */
void leat_waiting_drop(struct leat_waiting *w, int32_t k);

/* A row; its ticket is above all of its key. due_ms: unix ms, INT64_MAX = when somebody says so. */
void leat_waiting_put(struct leat_waiting *w, const struct leat_waiting_ref *row, bool parks,
                      int64_t due_ms);
/* The row is gone, or waits anew; both let go of it. A row that is not there is none's. */
void leat_waiting_take(struct leat_waiting *w, const struct leat_waiting_ref *row);
void leat_waiting_again(struct leat_waiting *w, const struct leat_waiting_ref *row, int64_t due_ms);
void leat_waiting_let_go(struct leat_waiting *w, const struct leat_waiting_ref *row);

/* A row on hand that must not be handled, as one of its key before it waits on. */
bool leat_waiting_stale(const struct leat_waiting *w, const struct leat_waiting_ref *row);
bool leat_waiting_parked(const struct leat_waiting *w, int32_t k, struct leat_str key);
size_t leat_waiting_count(const struct leat_waiting *w, int32_t k); /* rows */
int64_t leat_waiting_next_ticket(const struct leat_waiting *w, int32_t k);
/* The earliest time at which a row that is not on hand is due; INT64_MAX = none. */
int64_t leat_waiting_due_ms(const struct leat_waiting *w, int32_t k);
/* At most max rows of k that are due, in the order in which they are to be handled: they are on
 * hand then. */
size_t leat_waiting_fetch(struct leat_waiting *w, int32_t k, int64_t now_ms,
                          struct leat_waiting_ref *ret, size_t max);

#endif
