/* query_view.h - answers of `get`, `list`, `send` and `stream` on standard output: the JSON that
 * HTTP gives, or lines for people. Main thread. Each returns an exit code. */
#ifndef LEAT_CLI_QUERY_VIEW_H
#define LEAT_CLI_QUERY_VIEW_H

#include "cli/at_least.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "query/reads.h"
#include "query/streams.h"

#define LEAT_VIEW_BYTES_MAX (64U << 20)

/* The row of --data, for option tables. */
#define LEAT_CLI_DATA(type, field)                                                                 \
    {                                                                                              \
        "data", 0, LEAT_OPT_STR, offsetof(type, field), "DIR", NULL, "LEAT_DATA", 0, 0,            \
            "Folder of the read models (default: .leat/<name> beside the topology)."               \
    }

/* Opens the model, waits until it is as new as asked for, asks, prints the answer: `{"rows":…}` as
 * a table, any other object as lines. Exit code 3 also when some of several keys have no row. */
int leat_view_read(const struct leat_session *s, const struct leat_projection *model,
                   const struct leat_read *read, const struct leat_at_least *at_least,
                   bool as_json);
/* NULL: the error is printed. */
const struct leat_projection *leat_view_find(const struct leat_session *s, const char *model);
/* What became of a command. */
int leat_view_command(const struct leat_session *s, const struct leat_command_view *v,
                      bool as_json);
/* Appends an event as one line for people. */
void leat_view_event(const struct leat_session *s, const struct leat_stored_event *e,
                     struct leat_buf *out);

#endif
