/* running.h - what each thread that runs handlers is at, in memory that the supervisor shares.
 *
 * A thread writes its slot before and after each call, without locks or system calls. When it
 * crashes in a call, the handler of fatal signals marks its slot; when a call takes too long, the
 * supervisor does. These marks are the only evidence against a message: a process that ends in any
 * other way (kill -9, want of memory, a crash outside a call) leaves none (interleavings 21). */
#ifndef LEAT_WORKER_RUNNING_H
#define LEAT_WORKER_RUNNING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "leat/str.h"

#define LEAT_RUNNING_SLOTS 512 /* threads that run handlers in a process; more are not watched */
/* Verdicts beside the numbers of signals: */
#define LEAT_RUNNING_HUNG   1000 /* ran too long */
#define LEAT_RUNNING_EXITED 1001 /* called exit() */

/* What runs, as text that outlives the process. Names that are too long are cut. */
struct leat_running {
    char processor[256], topic[256], type[128];
    char key[128];
    uint32_t key_bytes; /* as many of it as fit */
    int32_t version;    /* of the processor */
    int32_t k;
    int64_t timeout_ms, offset;
    struct leat_uuid id;
};
struct leat_running_slot {
    _Atomic uint64_t turn;   /* odd: a call is under way; the next number: it is over */
    _Atomic int32_t verdict; /* a fatal signal of the call's own, or one of the above */
    struct leat_running what;
};
/* Of one process; all zero at its start. */
struct leat_running_table {
    _Atomic uint32_t used; /* slots, from the first; may count beyond their number */
    struct leat_running_slot slots[LEAT_RUNNING_SLOTS];
};

/* ---- the process that runs handlers ---- */

/* From here on this process writes into `table` and marks fatal signals there; before any thread
 * that runs handlers starts. Without it nothing is watched and all below does nothing. */
void leat_running_start(struct leat_running_table *table);
/* A slot for one runner, NULL when nothing is watched or the table is full. Any thread. */
struct leat_running_slot *leat_running_slot(struct leat_str processor, int32_t version,
                                            int64_t timeout_ms);
struct leat_running_call {
    const char *topic; /* the same text is at the same place */
    int32_t k;
    int64_t offset;
    const struct leat_uuid *id;
    struct leat_str type, key;
};
/* On the thread that makes the call. NULL as slot: does nothing. */
void leat_running_enter(struct leat_running_slot *slot, const struct leat_running_call *call);
void leat_running_leave(struct leat_running_slot *slot);

/* ---- the supervisor ---- */

struct leat_running_clock { /* how long the calls of a process have run, by the watcher's ticks */
    uint64_t turn[LEAT_RUNNING_SLOTS];
    int64_t ran_ms[LEAT_RUNNING_SLOTS];
};
/* A tick of `ms` has gone by in which the process ran. Index of a slot whose call has now run for
 * longer than its time-out and `grace_ms`, -1: none. Ticks are counted, not the clock: time in
 * which process or machine stood still is nobody's fault. */
int32_t leat_running_tick(const struct leat_running_table *t, struct leat_running_clock *c,
                          int64_t ms, int64_t grace_ms);
/* Is some call the one that was under way at the last tick? (Then it is worth to ask whether the
 * process is stopped.) */
bool leat_running_busy(const struct leat_running_table *t, const struct leat_running_clock *c);
/* Marks it hung; false: the call is over, or has crashed meanwhile. */
bool leat_running_hung(struct leat_running_table *t, const struct leat_running_clock *c,
                       int32_t slot);
/* After the process has ended: the next marked slot from *at on, and its verdict; 0 = no more. */
int32_t leat_running_evidence(const struct leat_running_table *t, uint32_t *at,
                              struct leat_running *ret);
/* "SIGSEGV", "hung", "exit()"; static text. */
const char *leat_running_verdict_name(int32_t verdict);

#endif
