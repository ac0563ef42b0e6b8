/* model_verbs.h - what the parts of `leat model` share. Main thread. */
#ifndef LEAT_CLI_MODEL_VERBS_H
#define LEAT_CLI_MODEL_VERBS_H

#include "base/json.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "projection/rebuild.h"
#include "projection/redis_versions.h"
#include "projection/version_state.h"

#define LEAT_MODEL_OUTPUT_MAX (64U << 20)

struct leat_model_options {
    const char *topology, *data, *throttle, *wait, *version, *older_than;
    int64_t connections, limit;
    bool do_switch, restart, behind, keep, former, dry_run, json;
};

struct leat_model_call {
    const struct leat_model_options *o;
    struct leat_session s;
    const struct leat_projection *projection; /* NULL: all (list) */
    struct leat_versions versions;            /* of the projection */
    char current[LEAT_VERSION_BYTES];         /* "" = none */
    uint64_t held;                            /* Redis: against that declaration; 0 = not */
    char **args;                              /* behind the model's name */
    int n_args;
    int64_t wait_ms;
};

/* ---- model_place.c: LMDB or Redis ---- */

bool leat_model_in_redis(const struct leat_model_call *c);
struct leat_redis_model leat_model_redis(const struct leat_model_call *c);
bool leat_model_is_held(const struct leat_model_call *c);
LEAT_MUST_CHECK leat_status leat_model_drop_version(const struct leat_model_call *c,
                                                    const char *version, struct leat_error *err);
/* A new version of the declaration, marked as being built. */
LEAT_MUST_CHECK leat_status leat_model_make(const struct leat_model_call *c,
                                            char ret_version[LEAT_VERSION_BYTES],
                                            struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_model_build(const struct leat_model_call *c,
                                             const struct leat_rebuild_config *rc,
                                             struct leat_rebuild_result *ret,
                                             struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_model_set_pace(const struct leat_model_call *c,
                                                const char *version, int64_t per_s,
                                                struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_model_set_pause(const struct leat_model_call *c,
                                                 const char *version, bool pause,
                                                 struct leat_error *err);

/* ---- for all of them ---- */

/* Reads versions and current again. */
LEAT_MUST_CHECK leat_status leat_model_versions(struct leat_model_call *c, struct leat_error *err);
/* The version of that name, or of a beginning of it that only one has. INVALID, with
 * what there is. */
LEAT_MUST_CHECK leat_status leat_model_version(const struct leat_model_call *c, const char *name,
                                               const struct leat_version **ret,
                                               struct leat_error *err);
/* ret_where: its folder, or the beginning of its keys. */
LEAT_MUST_CHECK leat_status leat_model_look(const struct leat_model_call *c, const char *version,
                                            char ret_where[LEAT_MODEL_PATH_BYTES],
                                            struct leat_version_state *ret, struct leat_error *err);
/* Waits until `version` is at or past the current one, at most wait_ms. *ret_behind: events that it
 * still lacks. RETRY when it does not come to be. */
LEAT_MUST_CHECK leat_status leat_model_await(struct leat_model_call *c, const char *version,
                                             int64_t *ret_behind, struct leat_error *err);
/* The same without what takes time: rows and sizes may be 0. */
LEAT_MUST_CHECK leat_status leat_model_peek(const struct leat_model_call *c, const char *version,
                                            struct leat_version_state *ret, struct leat_error *err);
/* Makes it current; held when the topology declares another one. */
LEAT_MUST_CHECK leat_status leat_model_make_current(const struct leat_model_call *c,
                                                    const struct leat_version *v,
                                                    struct leat_error *err);

/* "<model>: <what> <version>: <rest>", or {"model", "version", "done", "dry_run", "detail"}. */
int leat_model_say(const struct leat_model_call *c, const char *what, const char *version,
                   const char *rest);

/* ---- the words; exit codes ---- */

int leat_model_list_run(struct leat_model_call *c);
int leat_model_status_run(struct leat_model_call *c);
int leat_model_rebuild_run(struct leat_model_call *c);
int leat_model_pause_run(struct leat_model_call *c);
int leat_model_resume_run(struct leat_model_call *c);
int leat_model_switch_run(struct leat_model_call *c);
int leat_model_drop_run(struct leat_model_call *c);
int leat_model_backup_run(struct leat_model_call *c);
int leat_model_compact_run(struct leat_model_call *c);
int leat_model_check_run(struct leat_model_call *c);
int leat_model_diff_run(struct leat_model_call *c);

#endif
