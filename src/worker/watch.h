/* watch.h - why a lane that has lag makes no progress, and when it is to be given back and acquired
 * anew. Pure: what was seen and the time come in; all times are of leat_mono_us(), in ms.
 *
 * Progress: the lane's offset in the store moved. Lag: what is on hand, or what Kafka's last answer
 * said there is beyond it; no request is made for it. */
#ifndef LEAT_WORKER_WATCH_H
#define LEAT_WORKER_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#define LEAT_STALL_MS         5000   /* without progress for longer: it is told */
#define LEAT_BUSY_MS          1000   /* the store or a handler takes longer: that is the reason */
#define LEAT_STARVED_MS       10000  /* without progress or reason for longer: looked at */
#define LEAT_LOOK_BACKOFF_MAX 300000 /* between two looks at the same lane, at most */

typedef enum leat_stall {
    LEAT_STALL_NONE = 0,     /* no lag, or progress */
    LEAT_STALL_STOPPED,      /* it does not flow until somebody looks: its topic was re-created */
    LEAT_STALL_NOT_ASSIGNED, /* we are no member of the group */
    LEAT_STALL_ACQUIRING,    /* Kafka gave us its k, which is not ours yet */
    LEAT_STALL_PAUSED,       /* the circuit of a service is open, or the processor is paused */
    LEAT_STALL_PARKED,       /* the waiting room is full */
    LEAT_STALL_HELD,         /* a message can't be judged now: history or schema unreadable */
    LEAT_STALL_STORE,        /* Postgres does not answer, or a lock is waited for */
    LEAT_STALL_HANDLER,      /* a handler runs */
    LEAT_STALL_STARVED,      /* Kafka gives nothing although it has more */
    LEAT_STALL_UNKNOWN,
} leat_stall;
#define LEAT_STALLS 11
const char *leat_stall_name(leat_stall why); /* "not-assigned"; static text */

/* What the lane's executor says of it. */
struct leat_lane_seen {
    int64_t high;                /* end of the partition as far as known; negative: it is not */
    int64_t position, committed; /* next wanted from Kafka; as in the store */
    int32_t on_hand;             /* records taken and not settled */
    leat_stall because;          /* STOPPED, PAUSED, PARKED, HELD by itself; NONE */
};

typedef enum leat_doing {
    LEAT_DOING_NOTHING = 0,
    LEAT_DOING_STORE,    /* a call of the store is awaited */
    LEAT_DOING_HANDLERS, /* handlers run */
} leat_doing;
struct leat_executor_seen {
    leat_doing doing;
    int64_t since_ms;         /* when it began to */
    int64_t trouble_since_ms; /* calls of the store fail since then; 0 = they do not */
};

struct leat_lane_watch {       /* zero: never seen */
    struct leat_lane_seen now; /* as last seen */
    int64_t since_ms;   /* of the last progress, or when it had no lag last; 0 = never seen */
    int64_t quiet_high; /* another reader found nothing before this end either; 0 = none */
    int64_t looks;      /* in a row, without progress between them */
    int64_t look_at_ms; /* not looked at before */
};

/* The lane as it is now. `fresh`: what was before does not count (it was somebody else's). */
void leat_lane_seen(struct leat_lane_watch *w, const struct leat_lane_seen *now, bool fresh,
                    int64_t now_ms);

struct leat_lane_verdict {
    leat_stall why;   /* NONE: nothing is wrong */
    int64_t lag;      /* records */
    int64_t since_ms; /* without progress */
    bool overdue;     /* for longer than LEAT_STALL_MS: to be told */
    bool look;        /* time to ask another reader, and to restart it if that one finds something:
                         see leat_lane_looked */
};
/* `owned`: its k is ours now. */
struct leat_lane_verdict leat_lane_judge(const struct leat_lane_watch *w,
                                         const struct leat_executor_seen *e, bool owned,
                                         int64_t now_ms);

typedef enum leat_look {
    LEAT_LOOK_RECORDS, /* another reader finds records: the lane is restarted */
    LEAT_LOOK_NOTHING, /* it finds none: markers of transactions, or one that is still open */
    LEAT_LOOK_FAILED,  /* it could not be asked */
} leat_look;
/* The next look is due after 10 s, twice that, and so on to five minutes, until there is progress.
 * True: restart it. */
bool leat_lane_looked(struct leat_lane_watch *w, leat_look found, int64_t now_ms);

#endif
