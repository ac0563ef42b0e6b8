/* trial.h - messages through a processor's real code in memory: decoding, folding, the handler, the
 * folding of what it emitted. No server, no clock: what would be written comes back instead, and no
 * time goes by until a deadline.
 * For `leat test` and `leat send --dry-run`. Owner: one thread. */
#ifndef LEAT_WORKER_TRIAL_H
#define LEAT_WORKER_TRIAL_H

#include "worker/dispatch.h"

struct leat_trial;

struct leat_trial_config {
    const struct leat_topology *topology;
    const struct leat_processor *processor;
    struct leat_schemas *schemas;     /* every type has an id */
    const struct leat_props *options; /* over the processor's own; NULL: none */
    const struct leat_names *open;    /* services whose circuit is open; NULL: none */
    const struct leat_names *unknown; /* services of which every claim is unknown; NULL: none */
};
/* Opens the processor's module, which must be loaded. INVALID names what does not fit. */
LEAT_MUST_CHECK leat_status leat_trial_new(const struct leat_trial_config *c,
                                           struct leat_trial **ret, struct leat_error *err);
void leat_trial_free(struct leat_trial *t); /* NULL is allowed */

/* From now on what the module calls while its handlers run is watched: see trial_watch.h. */
void leat_trial_watch(struct leat_trial *t);

/* Gives every type without an id one, as registering in a new store would. */
LEAT_MUST_CHECK leat_status leat_trial_schema_ids(struct leat_schemas *schemas,
                                                  struct leat_error *err);

/* An event of the stream's history, in order; `payload` as stored, and living as long as *t. */
LEAT_MUST_CHECK leat_status leat_trial_given(struct leat_trial *t, struct leat_str key,
                                             struct leat_str type, struct leat_str payload,
                                             struct leat_error *err);

/* Which of the store's snapshots may be given here. */
struct leat_snapshot_form leat_trial_snapshot_form(const struct leat_trial *t);
/* State of the stream as of `version`, as stored; before any event of that key is given. */
LEAT_MUST_CHECK leat_status leat_trial_snapshot(struct leat_trial *t, struct leat_str key,
                                                int64_t version, struct leat_str state,
                                                struct leat_error *err);

struct leat_trial_message {
    struct leat_str type, bytes; /* bytes as they travel, living as long as the trial */
    struct leat_str key;         /* "": the message's own, else its id */
    struct leat_str priority;    /* "": the processor's default */
    struct leat_uuid id;
    int64_t received_at_ms;
};
struct leat_trial_made { /* an event or command, in the order the handler made them */
    bool is_command;
    struct leat_uuid id;
    struct leat_str type, payload;     /* payload as it would be stored or sent */
    struct leat_str key;               /* of the stream, or the command's */
    struct leat_str priority, headers; /* commands */
    const char *topic;                 /* commands */
    int32_t partition;                 /* commands */
    int64_t after_ms; /* of leat_send_after(): since it was received; 0 = at once */
};
struct leat_trial_outcome { /* memory of the trial */
    leat_answer answer;
    struct leat_str code, text;
    const struct leat_trial_made *made; /* only after LEAT_DONE */
    size_t made_count;
    struct leat_str key;
    int64_t version_before, version_after; /* of the key's stream */
    bool broken_off; /* a fault ended it where the process would have ended: answer is retry */
};
/* Key of the stream that the message belongs to; errors as below. */
LEAT_MUST_CHECK leat_status leat_trial_key(struct leat_trial *t, const struct leat_trial_message *m,
                                           struct leat_str *ret, struct leat_error *err);
/* What a worker would do with the message. Errors are of the message or the given history: POISON
 * (does not decode), INVALID (no handler, no key, unknown priority). After an outcome other than
 * LEAT_DONE the stream is as before. `fault` NULL: none. */
LEAT_MUST_CHECK leat_status leat_trial_run(struct leat_trial *t, const struct leat_trial_message *m,
                                           struct leat_fault *fault, struct leat_trial_outcome *ret,
                                           struct leat_error *err);
/* State of a key's stream as JSON; ABSENT for a processor without state. */
LEAT_MUST_CHECK leat_status leat_trial_state(struct leat_trial *t, struct leat_str key,
                                             struct leat_buf *out, struct leat_error *err);

#endif
