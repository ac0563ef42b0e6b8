/* pending.h - what a store has and what it lacks, read without changing it: for `leat plan`. Part
 * of store.h, with its rules about threads and errors. */
#ifndef LEAT_STORE_PENDING_H
#define LEAT_STORE_PENDING_H

#include <stdbool.h>

#include "store/store.h"

struct leat_pending_migration {
    int number;
    const char *name;
    struct leat_str sql; /* as it would run, the schema's name filled in */
};
struct leat_sample { /* an early event of a slice */
    struct leat_str stream, type, payload;
};
struct leat_anchor { /* the topic a processor's group is assigned by, since its first start */
    struct leat_str processor, topic;
};
struct leat_pending {
    bool exists;                 /* there is a store under this schema name */
    const char *refused;         /* why this binary cannot upgrade it; NULL: it can */
    int32_t partitions;          /* it was made for; 0: not laid out yet */
    struct leat_str *processors; /* that have fence rows */
    size_t processor_count;
    struct leat_anchor *anchors; /* of processors that have run */
    size_t anchor_count;
    struct leat_pending_migration *migrations; /* not applied yet, in order */
    size_t migration_count;
    struct leat_sample *samples; /* the first events of every slice, by slice and seq */
    size_t sample_count;
};

/* Memory: the arena's. */
LEAT_MUST_CHECK leat_status leat_store_pending(struct leat_store *s, struct leat_arena *arena,
                                               struct leat_pending *ret, struct leat_error *err);

#endif
