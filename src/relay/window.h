/* window.h - how far one slice is published: sent, acknowledged, recorded. Pure; owner: the slice's
 * lock. Seqs are dense from 1; a window serves the events of a slice or its outbox.
 *
 * What must hold: recorded <= acked < next; acked is the lowest contiguous acknowledged seq, so a
 * successor that starts after `recorded` loses nothing. */
#ifndef LEAT_RELAY_WINDOW_H
#define LEAT_RELAY_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#define LEAT_WINDOW_FLIGHT_MAX 32768 /* sent and not acknowledged; a power of two */

struct leat_window {
    int64_t recorded;                           /* position the store knows */
    int64_t acked;                              /* lowest contiguous acknowledged */
    int64_t next;                               /* next to send */
    int64_t head;                               /* highest seq known to exist in the store */
    uint64_t bits[LEAT_WINDOW_FLIGHT_MAX / 64]; /* acknowledged above `acked`, by seq modulo size */
};

void leat_window_start(struct leat_window *w, int64_t recorded, int64_t head);
/* How many more may be sent now. */
int64_t leat_window_room(const struct leat_window *w);
/* Seqs next .. next + n - 1 went out. */
void leat_window_sent(struct leat_window *w, int64_t n);
/* The broker has `seq`. Late and repeated ones are harmless. */
void leat_window_ack(struct leat_window *w, int64_t seq);
/* A send failed: everything not acknowledged in one piece goes out again. */
void leat_window_rewind(struct leat_window *w);
void leat_window_head(struct leat_window *w, int64_t head); /* only forward */
/* Something exists that was not sent: it is to be read from the store. */
bool leat_window_behind(const struct leat_window *w);
/* Acknowledged further than recorded: worth a call. */
bool leat_window_to_record(const struct leat_window *w);
void leat_window_recorded(struct leat_window *w, int64_t seq);

#endif
