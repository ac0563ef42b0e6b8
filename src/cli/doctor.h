/* doctor.h - what `leat doctor` looks at: one call per area, each adding its checks to a list. Each
 * is bounded in time by itself; what cannot be looked at is said to be skipped, and why. */
#ifndef LEAT_CLI_DOCTOR_H
#define LEAT_CLI_DOCTOR_H

#include "cli/cli.h"
#include "codec/schemas.h"
#include "kafka/probe.h"
#include "store/lineage.h"
#include "store/probe.h"
#include "store/store.h"
#include "topology/topology.h"

typedef enum leat_check_level {
    LEAT_CHECK_OK,
    LEAT_CHECK_WARN,
    LEAT_CHECK_FAIL,
    LEAT_CHECK_SKIP,
} leat_check_level;

struct leat_check { /* texts in the doctor's arena */
    leat_check_level level;
    const char *area, *name;
    const char *found;
    const char *why; /* it matters; NULL when ok */
    const char *todo;
};

struct leat_doctor {
    const struct leat_topology *topology;
    const char *data_dir, *listen;
    int timeout_ms; /* of each question */
    struct leat_arena *arena;
    struct leat_schemas *schemas;
    struct leat_check *checks;
    size_t n, cap;
    const char *area;
    struct leat_published *published; /* a row per slice, when there is a store; arena */
    size_t n_published;
    struct leat_lineage lineage; /* the slices' store ids of before */
};

/* "found" of a check that is fine. */
void leat_doctor_ok(struct leat_doctor *d, const char *name, const char *fmt, ...)
    LEAT_PRINTF(3, 4);
void leat_doctor_skip(struct leat_doctor *d, const char *name, const char *fmt, ...)
    LEAT_PRINTF(3, 4);
/* WARN or FAIL, with why it matters and what to do. */
void leat_doctor_say(struct leat_doctor *d, leat_check_level level, const char *name,
                     const char *why, const char *todo, const char *fmt, ...) LEAT_PRINTF(6, 7);
/* As a failed check: the error's message, and its hint (or `todo`) as what to do. */
void leat_doctor_error(struct leat_doctor *d, const char *name, const char *why, const char *todo,
                       const struct leat_error *err);

void leat_doctor_files(struct leat_doctor *d); /* schemas, modules */
void leat_doctor_host(struct leat_doctor *d);  /* disk, limits, port, read models */
void leat_doctor_store(struct leat_doctor *d); /* Postgres and the store in it */
void leat_doctor_kafka(struct leat_doctor *d); /* brokers, topics, groups */
void leat_doctor_topics(struct leat_doctor *d, struct leat_probe *p); /* part of the above */
void leat_doctor_events(struct leat_doctor *d, const struct leat_kafka_config *c); /* likewise */

#endif
