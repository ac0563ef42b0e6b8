/* lineage.h - whose events are part of this store's history: the store id of each slice now, and
 * those it had before it forked, each up to the seq it forked at.
 *
 * A record in Kafka names its store id and seq. Of an ancestor above its fork it is a commit that a
 * fail-over lost: void, wherever it stands in the topic. Owner: one thread; answers any number. */
#ifndef LEAT_STORE_LINEAGE_H
#define LEAT_STORE_LINEAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "base/uuid.h"
#include "leat/str.h"

struct leat_store;

struct leat_ancestor {
    int32_t slice;
    struct leat_uuid store_id;
    int64_t upto; /* events above it are lost */
};

struct leat_lineage {
    struct leat_uuid *now; /* [partitions] */
    char (*text)[LEAT_UUID_TEXT];
    int32_t partitions;
    struct leat_ancestor *ancestors;
    size_t n_ancestors;
};

typedef enum leat_descent {
    LEAT_DESCENT_OURS,    /* part of this store's history */
    LEAT_DESCENT_VOID,    /* of an ancestor, above the fork: lost */
    LEAT_DESCENT_FOREIGN, /* of a store that is neither */
} leat_descent;

leat_descent leat_lineage_judge(const struct leat_lineage *l, int32_t slice,
                                const struct leat_uuid *store_id, int64_t seq);
/* The same of the text in a record's header; what is no id is FOREIGN. Cheap for the id of now. */
leat_descent leat_lineage_judge_text(const struct leat_lineage *l, int32_t slice,
                                     struct leat_str store_id, int64_t seq);

/* Reads it, all slices in one trip; *ret must be zero or of before, which is freed. On failure it
 * stays as it is. */
LEAT_MUST_CHECK leat_status leat_store_lineage(struct leat_store *s, int32_t partitions,
                                               struct leat_lineage *ret, struct leat_error *err);
void leat_lineage_done(struct leat_lineage *l);

#endif
