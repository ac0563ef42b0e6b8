/* projection.h - read models: declared projections folded from the events topic into LMDB.
 *
 * A projector holds all partitions of all LMDB projections it is given: one LMDB environment per
 * model version, with a vector of checkpoints (store id, seq, event id; and the Kafka offset as a
 * hint) in the same environment, written in the same transaction as the rows. It applies seq ==
 * last + 1, drops what it has, takes holes from the store, compares itself with the store's
 * published seq when idle (1 s). */
#ifndef LEAT_PROJECTION_PROJECTION_H
#define LEAT_PROJECTION_PROJECTION_H

#include "base/status.h"
#include "codec/schemas.h"
#include "kafka/kafka.h"
#include "store/store.h"
#include "topology/topology.h"

struct leat_projector;

struct leat_projector_config {
    const struct leat_topology *topology;
    const struct leat_store_options *store;
    struct leat_schemas *schemas; /* shared, thread-safe; unknown ids are fetched from the store */
    const char *data_dir;         /* environments live in <data_dir>/models/<name>.<version>/ */
    /* Of the group that shares the slices of models in Redis. */
    const char *instance_id;    /* NULL: a dynamic member */
    int32_t session_timeout_ms; /* 0 = the group's default */
};
LEAT_MUST_CHECK leat_status leat_projector_start(const struct leat_projector_config *c,
                                                 struct leat_projector **ret,
                                                 struct leat_error *err);
void leat_projector_stop(struct leat_projector *p, int timeout_ms);

struct leat_projector_figures {
    uint64_t applied, dropped, repaired, transactions;
    uint64_t skipped; /* events that did not decode: listed in the model, their rows untouched */
    uint64_t foreign; /* events of another store or history, passed over */
    int64_t lag;      /* published - applied, over all slices and models; -1 unknown */
};
void leat_projector_figures(struct leat_projector *p, struct leat_projector_figures *ret);

/* ---- reading a model: any process, any thread (bounded reader pool inside) ---- */

struct leat_model; /* an open read handle on one model's current version; `t` must outlive it */
LEAT_MUST_CHECK leat_status leat_model_open(const struct leat_topology *t, const char *model,
                                            const char *data_dir, struct leat_model **ret,
                                            struct leat_error *err);
void leat_model_close(struct leat_model *m);
/* One row as a JSON object into `out`; ABSENT when there is none. */
LEAT_MUST_CHECK leat_status leat_model_get(struct leat_model *m, struct leat_str key,
                                           struct leat_buf *out, struct leat_error *err);
#define LEAT_MODEL_LIMIT_MAX 10000
#define LEAT_MODEL_SCAN_MAX  10000 /* rows looked at per answer when `where` leaves some out */
struct leat_model_range {
    const char *index;        /* NULL: by key */
    struct leat_str from, to; /* comma-separated leading column values; empty = open */
    /* Instead of from and to, with an index: its leading columns, one value each, as text. */
    const struct leat_str *equal;
    uint32_t n_equal;
    /* Instead of from and to: keys that start with it; with an index, leading column values with
     * commas, of which the last one may go on. */
    struct leat_str prefix;
    bool descending;                /* from the end of the range to its beginning */
    const struct leat_query *where; /* NULL: all rows; else those its `where` holds for */
    struct leat_str filter;         /* and those for which all tests hold: see model_filter.h */
    struct leat_str fields;         /* names with commas; empty: all */
    struct leat_str cursor;         /* from a former answer to the same question */
    int32_t limit;                  /* 1..LEAT_MODEL_LIMIT_MAX */
};
/* {"rows":[…],"cursor":"…"|null}. With `where` or `filter` an answer may hold fewer rows than
 * `limit`, even none, and still have a cursor: after LEAT_MODEL_SCAN_MAX rows looked at. INVALID: a
 * name or value that does not fit, with the nearest; a cursor that is not from such a list. RETRY:
 * the version that is served does not have the index or field yet. */
LEAT_MUST_CHECK leat_status leat_model_list(struct leat_model *m, const struct leat_model_range *r,
                                            struct leat_buf *out, struct leat_error *err);
/* Position of the model: seq applied per slice (array of topology partitions) and when it was last
 * known complete to the published seq (unix ms; 0 = never). */
LEAT_MUST_CHECK leat_status leat_model_position(struct leat_model *m, int64_t *ret_seqs,
                                                struct leat_uuid *ret_store_ids,
                                                int64_t *ret_complete_ms, struct leat_error *err);

/* The first `limit` events that could not be applied: [{"slice", "seq", "type", "reason"}, …]. */
LEAT_MUST_CHECK leat_status leat_model_skipped(struct leat_model *m, int32_t limit,
                                               struct leat_buf *out, struct leat_error *err);

#endif
