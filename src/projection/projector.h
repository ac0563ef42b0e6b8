/* projector.h - inside of the projector's thread: targets, intake, repair. Used by projector*.c. */
#ifndef LEAT_PROJECTION_PROJECTOR_H
#define LEAT_PROJECTION_PROJECTOR_H

#include <pthread.h>
#include <stdatomic.h>

#include "projection/fold.h"
#include "projection/leader.h"
#include "projection/projection.h"
#include "projection/redis_fold.h"
#include "projection/shares.h"
#include "projection/versions.h"
#include "store/lineage.h"

struct leat_projector_model { /* one version that is kept up to date */
    const struct leat_projection *projection;
    struct leat_topology *older; /* of a former declaration: holds `projection`; NULL */
    uint64_t folder;             /* LMDB: see struct leat_version; 0 = not looked at yet */
    struct leat_fold *fold;
    char version[LEAT_VERSION_BYTES];
    char dir[LEAT_MODEL_PATH_BYTES];
    int fresh_fd;
    bool current;          /* readers use this version */
    bool wants;            /* Redis: to be that, once it is as far */
    bool refused;          /* this version must be given up: reason in `why` */
    int32_t refused_slice; /* Redis: of this slice */
    char why[256];
    int64_t *target;       /* published seqs of the last check not yet reached, per slice */
    int64_t target_ms;     /* when they were asked for; 0 = reached */
    int64_t *checked_seq;  /* seq at the last check: a slice that moved is not idle */
    uint8_t *still_checks; /* checks since it moved */
    int64_t committed_us;  /* last commit, to bound how long a bare checkpoint waits */
    struct leat_fold_figures before; /* of former versions in this process */
    uint64_t cleared_told;           /* Redis: what of it was logged */
    uint64_t held_txn;               /* LMDB: the oldest that was read at the last look */
    int64_t held_by;                 /* its process */
};

/* Of the models in Redis: what is different about folding them. Each slice stands for itself, and
 * other processes fold other slices. */
struct leat_projector_redis {
    struct leat_shares *shares;
    uint64_t changes; /* of the shares, as of `owned` */
    bool *owned, *spare;
    int64_t *complete_ms; /* scratch */
    bool lost;            /* a slice went back: events that were read must be read again */
};

/* One thread for the models of one kind of store. */
struct leat_projector {
    struct leat_projector *next;        /* of the other kind; NULL */
    struct leat_projector_redis *redis; /* NULL: LMDB */
    const struct leat_topology *topology;
    struct leat_store_options store_options;
    struct leat_schemas *schemas;
    char *data_dir;
    int32_t partitions;
    struct leat_projector_model *models;
    size_t n_models, cap_models;
    struct leat_projector_versions *versions; /* LMDB: projector_versions.h */
    struct leat_fold_figures gone;            /* of versions that are fed no more */

    pthread_t thread;
    bool running;
    atomic_bool stop;
    pthread_mutex_t stop_lock;
    pthread_cond_t stopping;

    /* the thread's own */
    struct leat_leader leader;
    bool standing_by;
    struct leat_store *store; /* NULL: not connected yet */
    struct leat_reader *reader;
    struct leat_record *records;
    struct leat_arena *repair;
    int32_t *slices; /* those this process folds: LMDB all of them */
    size_t n_slices;
    struct leat_lineage lineage; /* empty until the store has told */
    int64_t checked_us, schemas_us, last_record_us;
    int64_t *bad_us;              /* per slice: when reading it failed last */
    uint64_t strangers, repaired; /* records that are no events of ours */

    pthread_mutex_t figures_lock;
    struct leat_projector_figures figures;
    int64_t store_lag; /* of the last check; -1 unknown */
};

/* ---- projector_models.c ---- */
LEAT_MUST_CHECK leat_status leat_projector_open_model(struct leat_projector *p,
                                                      struct leat_projector_model *m,
                                                      struct leat_error *err);
void leat_projector_close_model(struct leat_projector_model *m);
/* The version is fed no more; another model may take its place in the array. */
void leat_projector_let_go(struct leat_projector *p, struct leat_projector_model *m);
/* What it holds in memory, not its files. */
void leat_projector_model_init(const struct leat_projector *p, struct leat_projector_model *m,
                               const struct leat_projection *projection);
void leat_projector_model_done(struct leat_projector_model *m);
/* Commits what every model has kept. `force` false: bare checkpoints may wait a little. */
void leat_projector_commit(struct leat_projector *p, bool force);
/* Gives up refused versions and opens their successors; true when there was one. */
bool leat_projector_replace_refused(struct leat_projector *p);
void leat_projector_refuse(struct leat_projector_model *m, const char *fmt, ...) LEAT_PRINTF(2, 3);
void leat_projector_update_figures(struct leat_projector *p);

/* Slice k of the model cannot be gone on from: LMDB gives up the version, Redis the slice. */
void leat_projector_refuse_slice(struct leat_projector_model *m, int32_t k, const char *fmt, ...)
    LEAT_PRINTF(3, 4);

/* ---- projector_redis.c ---- */
LEAT_MUST_CHECK leat_status leat_projector_redis_new(struct leat_projector *p,
                                                     const struct leat_projector_config *c,
                                                     struct leat_error *err);
void leat_projector_redis_free(struct leat_projector *p);
LEAT_MUST_CHECK leat_status leat_projector_redis_open_model(struct leat_projector *p,
                                                            struct leat_projector_model *m,
                                                            struct leat_error *err);
/* Feeds all versions there are, and lets go of those that were dropped. RETRY: Redis is away. */
leat_status leat_projector_redis_follow(struct leat_projector *p, struct leat_error *err);
/* Takes on and hands over slices; false while there is nothing to fold, after a short wait.
 * *ret_moved: `slices` is not what it was. */
bool leat_projector_redis_works(struct leat_projector *p, bool *ret_moved);
/* Commits, again and again while Redis is away. */
leat_status leat_projector_redis_commit(struct leat_projector *p, struct leat_projector_model *m,
                                        struct leat_error *err);
/* Once a second: is what was written still there, which version do readers use. */
void leat_projector_redis_check(struct leat_projector *p);
/* Does the model take events of this slice now? */
bool leat_projector_takes(const struct leat_projector *p, const struct leat_projector_model *m,
                          int32_t k);

/* ---- projector.c ---- */
/* Waits that long, less when asked to stop. */
void leat_projector_wait(struct leat_projector *p, int timeout_ms);

/* ---- projector_intake.c ---- */
void leat_projector_take_record(struct leat_projector *p, const struct leat_record *r);

/* ---- projector_store.c: everything that asks the store; waits while it is away ---- */
/* Takes events [from, to] of a slice from the store into every model that lacks them. */
leat_status leat_projector_repair(struct leat_projector *p, int32_t slice, int64_t from, int64_t to,
                                  struct leat_error *err);
/* Offers a stored or received event to all models; repairs holes on the way. */
void leat_projector_offer(struct leat_projector *p, const struct leat_fold_event *e,
                          bool from_store);
/* Lists of the store are read into p->repair. */
leat_status leat_projector_published(struct leat_projector *p, const int32_t *slices, size_t n,
                                     struct leat_published **ret, size_t *ret_n,
                                     struct leat_error *err);
/* Compares every slice with what the store has published. */
void leat_projector_check_tails(struct leat_projector *p);
/* Store ids of models that were never written to; false when asked to stop meanwhile. */
bool leat_projector_name_stores(struct leat_projector *p);
/* Unknown schema ids: reads the store's schemas, at most every few seconds. */
void leat_projector_learn_schemas(struct leat_projector *p);

#endif
