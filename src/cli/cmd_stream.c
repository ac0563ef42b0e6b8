/* leat stream: the events of one stream, from the store. */
#include "base/hash.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/query_view.h"
#include "cli/session.h"

struct stream_options {
    const char *topology;
    int64_t after, limit;
    bool json;
};

#define FIELD(name) offsetof(struct stream_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct stream_options, topology),
    {"after", 0, LEAT_OPT_INT, FIELD(after), "VERSION", "0", NULL, 0, INT64_MAX,
     "Only events after this version."},
    {"limit", 'n', LEAT_OPT_INT, FIELD(limit), "N", "1000", NULL, 1, 10000, "Events at most."},
    LEAT_CLI_JSON(struct stream_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat stream [options] <aggregate>-<key>",
    .summary = "Show the events of one stream in order.",
    .details = "With --json one object per line. Exit code 3 when the stream has no events.\n\n"
               "  leat stream lead-L-1001\n",
    LEAT_OPTS(options),
    .args_min = 1,
    .args_max = 1,
};

static int print_events(const struct leat_session *s, const struct leat_stored_event *events,
                        size_t n, bool as_json)
{
    struct leat_buf out;
    leat_buf_init(&out, LEAT_VIEW_BYTES_MAX);
    for (size_t i = 0; i < n; i++) {
        struct leat_json_writer w;
        if (!as_json) {
            leat_view_event(s, &events[i], &out);
            continue;
        }
        leat_json_writer_init(&w, &out);
        leat_event_json(s->schemas, &events[i], &w);
        leat_buf_putc(&out, '\n');
    }
    int code = leat_cli_print(&out);
    leat_buf_done(&out);
    return code;
}

static leat_status load(struct leat_session *s, const struct stream_options *o, const char *stream,
                        struct leat_stored_event **ret, size_t *ret_n, struct leat_error *err)
{
    struct leat_str key;
    leat_status status = leat_stream_find(s->topology, leat_str_of(stream), &key, err);
    if (status != LEAT_OK) {
        err->status = LEAT_INVALID; /* a wrong call, not an answer */
        return LEAT_INVALID;
    }
    struct leat_store_page page = {.slice = leat_partition(key, s->topology->partitions),
                                   .stream = leat_str_of(stream),
                                   .after = o->after,
                                   .limit = (size_t)o->limit};
    status = leat_store_stream(s->store, &page, s->arena, ret, ret_n, err);
    if (status == LEAT_OK && *ret_n == 0) {
        return leat_fail(err, LEAT_ABSENT, "stream '%.100s' has no events%s", stream,
                         o->after > 0 ? " after that version" : "");
    }
    return status;
}

int leat_cmd_stream(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_stream(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct stream_options o = {0};
    struct leat_session s;
    struct leat_stored_event *events = NULL;
    struct leat_error err = {0};
    size_t n = 0;
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if ((code = leat_session_open_stored(&s, o.topology, NULL)) != LEAT_EXIT_GO_ON)
        return code;
    code = load(&s, &o, argv[1], &events, &n, &err) == LEAT_OK ? print_events(&s, events, n, o.json)
                                                               : leat_cli_fail(&err);
    leat_session_close(&s);
    return code;
}
