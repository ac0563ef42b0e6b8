/* worker_internal.h - shared by worker.c, acquire.c and feeds.c; nobody else includes it. */
#ifndef LEAT_WORKER_WORKER_INTERNAL_H
#define LEAT_WORKER_WORKER_INTERNAL_H

#include <pthread.h>

#include "base/buf.h"
#include "kafka/kafka.h"
#include "worker/executor.h"
#include "worker/keeper.h"
#include "worker/ownership.h"
#include "worker/sync.h"
#include "worker/worker.h"

#define WORKER_EXECUTORS_MAX 64
#define WORKER_POLL_MS       20 /* how late a lost k is noticed */
#define WORKER_CONFIRM_MS    3000
#define WORKER_STREAM_MAX    8192 /* of a stream name: the store's indexes take less */

/* A topic whose partition k every owner of k reads. */
struct worker_feed {
    char *name; /* as in the store's lanes */
    leat_lane_kind kind;
    int32_t priority, source;
    int32_t first_k, last_k; /* of foreign topics with fewer partitions than we have */
};

/* Where a lane stands, by the store's last answer; of one that the store does not know, the first
 * offset its topic has. */
struct worker_place {
    int64_t next_offset, next_seq;
    uint64_t fingerprint;
};

struct worker_cleaning { /* of void snapshots; the group's thread */
    bool *todo;          /* [partitions] */
    int32_t left, k;     /* how many; the one under way */
    struct leat_buf after;
    int64_t due_ms, removed;
};

struct worker_watch {
    int64_t due_ms; /* of the group's thread */
    /* under the worker's mutex; times are mono */
    int64_t started_ms, failed_ms;
    int64_t *acquiring_ms; /* [partitions] since when; 0 = it is ours, or not to be */
    bool *was_ours;        /* [partitions] since it was assigned */
    char failed[200];      /* why acquiring failed last */
    uint64_t restarts;
};

struct leat_worker {
    struct leat_worker_config c;
    struct leat_kafka_config kafka;
    char *client_id;
    const char *anchor;
    int32_t session_timeout_ms, stop_timeout_ms;
    struct leat_dispatch *dispatch;
    struct leat_keeper *keeper; /* NULL: no service has `effects: claim` */
    struct leat_executor *executors[WORKER_EXECUTORS_MAX];
    int32_t executor_count;
    struct worker_feed *feeds;
    size_t feed_count;

    /* of the group's thread */
    pthread_t thread;
    struct leat_group *group;
    struct leat_store *store;
    struct leat_admin *admin; /* only at the start */
    struct leat_arena *arena;
    struct worker_place *places;  /* [feed_count * partitions], of the ks that were read */
    struct leat_flow_lane *lanes; /* what the group reads, in its order */
    size_t lane_count;
    struct leat_fence_state *fence_of_k; /* as claimed */
    bool fresh;                          /* assigned since the lanes were last given to the group */
    struct worker_cleaning cleaning;
    int64_t trim_due_ms;

    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    struct leat_ownership ownership;
    struct leat_held *held;
    bool quit, ended, joined;
    struct worker_watch watch;
};

/* feeds.c: which topics this processor reads. */
LEAT_MUST_CHECK leat_status leat_worker_feeds(struct leat_worker *w, struct leat_error *err);
/* acquire.c: takes all steps that can be taken now. */
void leat_worker_acquire(struct leat_worker *w);
/* clean.c: a k has been acquired; one step when one is due; at the end. */
void leat_worker_clean_from(struct leat_worker *w, int32_t k);
void leat_worker_clean(struct leat_worker *w);
void leat_worker_clean_done(struct leat_worker *w);
/* trim.c: one step when one is due. */
void leat_worker_trim(struct leat_worker *w);
/* worker_watch.c */
void leat_worker_watch_new(struct leat_worker *w);
void leat_worker_watch_done(struct leat_worker *w);
void leat_worker_watch_assigned(struct leat_worker *w); /* mutex held */
void leat_worker_watch(struct leat_worker *w);          /* the group's thread, each turn */
void leat_worker_stalled(struct leat_worker *w, struct leat_worker_figures *ret); /* any thread */
void leat_worker_acquire_failed(struct leat_worker *w, const char *what,
                                const struct leat_error *err);
/* worker.c */
void leat_worker_rejoin(struct leat_worker *w);

#endif
