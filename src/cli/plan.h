/* plan.h - a topology beside what is live: what is missing, what differs, what must not be changed.
 * `leat plan` shows it, `leat apply` does it and nothing else. Main thread. */
#ifndef LEAT_CLI_PLAN_H
#define LEAT_CLI_PLAN_H

#include "base/json.h"
#include "cli/session.h"
#include "kafka/topics.h"
#include "store/pending.h"

typedef enum leat_plan_mark {
    LEAT_PLAN_MAKE = '+',
    LEAT_PLAN_CHANGE = '~',
    LEAT_PLAN_LEAVE = '-',  /* differs or is not declared, and stays as it is */
    LEAT_PLAN_REFUSE = '!', /* would lose data, or cannot be */
    LEAT_PLAN_FOREIGN,      /* missing and somebody else's: shown as '!', stops nothing */
} leat_plan_mark;

typedef enum leat_plan_section {
    LEAT_PLAN_TOPICS,
    LEAT_PLAN_STORE,
    LEAT_PLAN_SCHEMAS,
    LEAT_PLAN_MODELS, /* shown only: `leat run` builds them */
    LEAT_PLAN_SECTIONS,
} leat_plan_section;

struct leat_plan_item {
    leat_plan_section section;
    leat_plan_mark mark;
    const char *what;    /* a topic, a migration, a type */
    const char *detail;  /* what is made or changed; of LEAVE and REFUSE: why */
    struct leat_str sql; /* of a migration, else empty */
};

struct leat_plan_alter {
    const struct leat_topic_live *topic;
    const struct leat_kafka_prop *changes;
    size_t n;
};

struct leat_change_plan {
    struct leat_session s; /* files; its store is open once connected */
    struct leat_admin *admin;
    struct leat_topic_spec *topics; /* declared */
    size_t topic_count;
    struct leat_topic_live *live; /* that exist under the topology's name, or are declared */
    size_t live_count;
    bool *source_live; /* of the topology's sources, by their index */
    struct leat_plan_alter *alters;
    size_t alter_count;
    struct leat_pending pending;
    struct leat_plan_item *items; /* by section, in the order found */
    size_t n, cap;
    size_t todo; /* of marks + and ~ that apply does */
    size_t refused;
    size_t foreign; /* what apply cannot do, and does the rest without */
};

/* Reads the files. LEAT_EXIT_GO_ON, or the code to return (errors are printed). */
int leat_change_plan_open(struct leat_change_plan *p, const char *topology_path);
void leat_change_plan_close(struct leat_change_plan *p);
/* Asks the servers, changes nothing. */
LEAT_MUST_CHECK leat_status leat_change_plan_make(struct leat_change_plan *p,
                                                  struct leat_error *err);
void leat_change_plan_text(const struct leat_change_plan *p, bool sql, struct leat_buf *out);
/* "shop: 5 to do, 1 refused", "shop: 2 to do, 1 that apply cannot do", "shop: nothing to do". */
void leat_change_plan_summary(const struct leat_change_plan *p, struct leat_buf *out);
/* Members of an open object: "changes", "to_do", "refused", "missing". */
void leat_change_plan_json(const struct leat_change_plan *p, bool sql, struct leat_json_writer *w);

/* --- for the parts of a plan: plan_topics.c plan_store.c plan_schemas.c plan_models.c --- */
void leat_change_plan_add(struct leat_change_plan *p, leat_plan_section section,
                          leat_plan_mark mark, const char *what, const char *detail);
LEAT_MUST_CHECK leat_status leat_plan_topics(struct leat_change_plan *p, struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_plan_store(struct leat_change_plan *p, struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_plan_schemas(struct leat_change_plan *p, struct leat_error *err);
void leat_plan_models(struct leat_change_plan *p);

#endif
