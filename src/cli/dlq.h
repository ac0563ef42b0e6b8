/* dlq.h - inside of `leat dlq`: its options and what each of its words does. Main thread. */
#ifndef LEAT_CLI_DLQ_H
#define LEAT_CLI_DLQ_H

#include "cli/cli.h"
#include "cli/session.h"
#include "query/filters.h"

struct leat_dlq_options {
    const char *topology, *processor, *key, *code, *class, *type, *origin, *state, *since, *until;
    const char *cursor, *rate, *reason;
    int64_t limit, max;
    bool all, dry_run, force, json;
};

/* All are given an open session (also import), arguments behind the word, and return exit codes. */
int leat_dlq_list(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n);
int leat_dlq_show(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n);
int leat_dlq_redrive(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n);
int leat_dlq_drop(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n);
int leat_dlq_export(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n);
int leat_dlq_import(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n);

/* The filter that the options make; `states` where --state is not given. The
 * processor is checked. */
LEAT_MUST_CHECK leat_status leat_dlq_filter(struct leat_session *s,
                                            const struct leat_dlq_options *o, uint32_t states,
                                            struct leat_dead_filter *ret, struct leat_error *err);
bool leat_dlq_filtered(const struct leat_dlq_options *o); /* is any filter given? */
/* Nothing was found: says on standard error which value is nearest to one that is there. */
void leat_dlq_suggest(struct leat_session *s, const struct leat_dead_filter *f);
/* The histogram as a table. */
int leat_dlq_print_groups(const struct leat_dead_groups *g, struct leat_buf *out);

#endif
