/* status.h - what runs of a topology, as its servers and one HTTP door tell: collected once, then
 * shown. Each part says for itself why it is not known. */
#ifndef LEAT_CLI_STATUS_H
#define LEAT_CLI_STATUS_H

#include "cli/http_get.h"
#include "cli/lag.h"
#include "kafka/probe.h"
#include "projection/env.h"
#include "query/filters.h"
#include "store/probe.h"

struct leat_status_options {
    const char *topology, *data, *listen;
    int64_t timeout_ms, every_ms;
    bool json, watch;
};

struct leat_status_door { /* of the process that serves HTTP */
    const char *address;
    const char *unreachable; /* NULL: it answers */
    bool ready;
    const char *not_ready; /* why */
    const char *version;
    int64_t uptime_s;
    const char *stopped;     /* lines "who: why" of what does not flow; "" = all flows */
    struct leat_str stalled; /* JSON array; "" = nothing is */
    const char *held;        /* lines: the message that holds a processor's lane by retry */
    struct leat_str metrics; /* Prometheus text */
};

struct leat_status_kept { /* what the store keeps for a processor */
    int64_t dead;         /* letters that nobody settled or dropped */
    int64_t age_ms;       /* of the newest of them */
    const char *code, *message;
    int64_t waits[LEAT_WAITS_MAX + 1]; /* by leat_wait_reason */
    int64_t due_at_us;                 /* of the first retry; LEAT_DUE_NEVER */
    const char *paused, *paused_by; /* why it stands still, and who said so; NULL = it does not */
};

struct leat_status_group { /* a processor, or the relay */
    const char *name, *group;
    const char *unknown; /* why the group is not known; NULL: it is */
    struct leat_probe_group members;
    int32_t unowned; /* partitions that no member has */
    struct leat_lag_sum lag;
    struct leat_status_kept kept;
};

struct leat_status_model {
    const char *name;
    bool here; /* kept in this data folder */
    struct leat_env_figures figures;
    int64_t age_ms; /* since it was last known complete; LEAT_AGE_UNKNOWN = never */
    struct leat_lag_sum lag;
    struct leat_str skipped; /* JSON array of the first ones */
};

struct leat_status_view {
    const struct leat_status_options *o;
    struct leat_session *s;
    struct leat_status_door door;
    struct leat_lag lag;
    const char *lag_unknown;
    struct leat_str stalled;          /* JSON array of lanes that stand still */
    struct leat_status_group *groups; /* processors, then the relay */
    size_t n_groups;
    struct leat_status_model *models;
    struct leat_server_facts server;
    struct leat_store_counters store;
};

/* A value of the metrics: *ret 0 and false when the door has none. `label` NULL: without one. */
bool leat_status_metric(const struct leat_status_door *door, const char *metric, const char *label,
                        int64_t *ret);
LEAT_MUST_CHECK leat_status leat_status_collect(struct leat_session *s,
                                                const struct leat_status_options *o,
                                                struct leat_status_view *ret,
                                                struct leat_error *err);
/* status_kept.c; unread when the store does not answer */
void leat_status_kept_read(struct leat_status_view *v, struct leat_str processor,
                           struct leat_status_kept *ret);
void leat_status_kept_json(const struct leat_status_kept *k, struct leat_json_writer *w);
void leat_status_kept_text(const struct leat_status_kept *k, struct leat_buf *out);
void leat_status_json(const struct leat_status_view *v, struct leat_buf *out);
void leat_status_text(const struct leat_status_view *v, struct leat_buf *out);

/* Figures of the version that readers use; false when there is none here. */
bool leat_model_files_figures(const char *data_dir, struct leat_str model,
                              struct leat_env_figures *ret);

#endif
