/* leat status: what runs of a topology, where, how far behind, and what somebody should look at. */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/cli.h"
#include "cli/status.h"

#define OUTPUT_BYTES_MAX (16u << 20)
#define CLEAR_SCREEN     "\033[H\033[2J"

#define FIELD(name) offsetof(struct leat_status_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct leat_status_options, topology),
    {"watch", 'w', LEAT_OPT_FLAG, FIELD(watch), NULL, NULL, NULL, 0, 0,
     "Again and again until interrupted; with --json one line each time."},
    {"every", 0, LEAT_OPT_DURATION, FIELD(every_ms), "DURATION", "2s", NULL, 100, 3600000,
     "With --watch: how long to wait in between."},
    {"listen", 0, LEAT_OPT_STR, FIELD(listen), "ADDRESS", NULL, "LEAT_LISTEN", 0, 0,
     "HTTP address to ask instead of the topology's."},
    {"data", 0, LEAT_OPT_STR, FIELD(data), "DIR", NULL, "LEAT_DATA", 0, 0,
     "Folder of the read models (default: .leat/<name> beside the topology)."},
    {"timeout", 0, LEAT_OPT_DURATION, FIELD(timeout_ms), "DURATION", "3s", NULL, 100, 60000,
     "How long each question may take."},
    LEAT_CLI_JSON(struct leat_status_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat status [options]",
    .summary = "Show what runs and how it is.",
    .details =
        "Processors with their members and partitions (from Kafka's groups), what waits, the\n"
        "relay, the read models of this machine, and what somebody should look at. Counts of\n"
        "commands are those of the one process that answers at the HTTP address. Does not\n"
        "work without the servers: then see `leat doctor`.\n\n"
        "  leat status\n"
        "  leat status --json | jq '.problems'\n",
    LEAT_OPTS(options),
    .args_max = 0,
};

static int show(const struct leat_status_options *o)
{
    struct leat_session s;
    struct leat_status_view v;
    struct leat_error err = {0};
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    leat_buf_init(&out, OUTPUT_BYTES_MAX);
    int code = leat_session_open(&s, o->topology, o->data);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if (leat_status_collect(&s, o, &v, &err) != LEAT_OK) {
        code = leat_cli_fail(&err);
    } else {
        if (o->watch && !o->json && isatty(STDOUT_FILENO) == 1)
            leat_buf_puts(&out, CLEAR_SCREEN);
        if (o->json) {
            leat_status_json(&v, &out);
        } else {
            leat_status_text(&v, &out);
        }
        code = leat_cli_print(&out);
    }
    leat_session_close(&s);
    return code;
}

int leat_cmd_status(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_status(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct leat_status_options o = {0};
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    leat_log_set_level(LEAT_LOG_ERROR); /* what is wrong is part of the answer */
    code = show(&o);
    while (o.watch && code == LEAT_EXIT_OK) {
        (void)poll(NULL, 0, (int)o.every_ms);
        code = show(&o);
    }
    return code;
}
