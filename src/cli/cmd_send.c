/* leat send: one command, straight to its topic. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/poll.h"
#include "cli/query_view.h"
#include "cli/send_dry.h"
#include "cli/session.h"
#include "query/query.h"

#define BODY_BYTES_MAX  (64U << 20)
#define SEND_TIMEOUT_MS 15000
#define FREE_TIMEOUT_MS 1000

struct send_options {
    const char *topology, *id, *priority;
    int64_t wait_ms;
    bool json, dry_run;
};

#define FIELD(name) offsetof(struct send_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct send_options, topology),
    {"id", 0, LEAT_OPT_STR, FIELD(id), "UUID", NULL, NULL, 0, 0,
     "Id of the command; the same id again is not done twice (default: a new one)."},
    {"priority", 'p', LEAT_OPT_STR, FIELD(priority), "NAME", NULL, NULL, 0, 0,
     "Priority (default: the processor's default)."},
    {"wait", 'w', LEAT_OPT_DURATION, FIELD(wait_ms), "DURATION", "0s", NULL, 0, 3600000,
     "Wait that long for the outcome; rejected or dead is exit code 3."},
    {"dry-run", 0, LEAT_OPT_FLAG, FIELD(dry_run), NULL, NULL, NULL, 0, 0,
     "Decide on live state, print what would happen, send and write nothing. A no is exit code 3."},
    LEAT_CLI_JSON(struct send_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat send [options] <Type> <json> | - | @file",
    .summary = "Send one command; returns when Kafka has it.",
    .details =
        "The body is a JSON object as the command's schema says; '-' reads standard input.\n\n"
        "  leat send CreateLead '{\"lead_id\":\"L-1\",\"email\":\"a@b.example\"}' --wait 5s\n"
        "  leat send CreateLead @lead.json --priority hot\n"
        "  leat send CreateLead @lead.json --dry-run\n",
    LEAT_OPTS(options),
    .args_min = 2,
    .args_max = 2,
};

/* ---- the body ---- */

static leat_status read_stream(FILE *f, const char *name, struct leat_buf *out,
                               struct leat_error *err)
{
    char bytes[8192];
    size_t n = 0;
    while ((n = fread(bytes, 1, sizeof bytes, f)) > 0 && !out->overflow)
        leat_buf_put(out, bytes, n);
    if (ferror(f))
        return leat_fail(err, LEAT_FATAL, "could not read %s", name);
    if (out->overflow)
        return leat_fail(err, LEAT_INVALID, "%s is larger than %u bytes", name, BODY_BYTES_MAX);
    return LEAT_OK;
}

static leat_status read_body(const char *arg, struct leat_buf *out, struct leat_error *err)
{
    if (strcmp(arg, "-") == 0)
        return read_stream(stdin, "standard input", out, err);
    if (arg[0] != '@') {
        leat_buf_puts(out, arg);
        return LEAT_OK;
    }
    FILE *f = fopen(arg + 1, "rb");
    if (f == NULL)
        return leat_fail(err, LEAT_INVALID, "could not read '%s'", arg + 1);
    leat_status status = read_stream(f, arg + 1, out, err);
    (void)fclose(f);
    return status;
}

/* ---- the outcome ---- */

/* Polls the command's row, as it is the only sign. ABSENT: not known in time. */
static leat_status await_outcome(struct leat_session *s, const struct leat_command_sent *sent,
                                 int64_t wait_ms, struct leat_command_status *ret,
                                 struct leat_error *err)
{
    struct leat_poll poll = leat_poll_start(wait_ms);
    leat_status status = LEAT_OK;
    do {
        status = leat_store_command(s->store, sent->slice, &sent->id, s->arena, ret, err);
        if (status != LEAT_ABSENT && (status != LEAT_OK || !leat_command_waits(ret)))
            break;
    } while (leat_poll_again(&poll));
    return status;
}

/* As HTTP answers it. */
static void print_json(struct leat_session *s, const char *type,
                       const struct leat_command_sent *sent, const struct leat_command_status *st)
{
    struct leat_buf out;
    struct leat_json_writer w;
    struct leat_error ignored = {0};
    if (st != NULL) {
        struct leat_command_view view = {.status = *st};
        (void)!leat_command_events(s->store, s->schemas, s->arena, &view, &ignored);
        (void)leat_view_command(s, &view, true);
        return;
    }
    leat_buf_init(&out, 65536);
    leat_json_writer_init(&w, &out);
    leat_command_sent_json(leat_str_of(type), &sent->id, sent->processor, sent->slice, &w);
    leat_buf_putc(&out, '\n');
    (void)leat_cli_print(&out);
    leat_buf_done(&out);
}

static void print_text(const char *type, const struct leat_command_sent *sent,
                       const struct leat_command_status *st)
{
    char id[LEAT_UUID_TEXT];
    leat_uuid_format(&sent->id, id);
    if (st == NULL) {
        (void)printf("sent %s %s to %.*s, partition %d\n", type, id, LEAT_STR_FMT(sent->processor),
                     (int)sent->slice);
    } else if (st->error_code.len > 0 || st->error_text.len > 0) {
        (void)printf("%.*s %s %s: %.*s: %.*s\n", LEAT_STR_FMT(st->outcome), type, id,
                     LEAT_STR_FMT(st->error_code), LEAT_STR_FMT(st->error_text));
    } else {
        (void)printf("%.*s %s %s: %.*s, seq %" PRId64 " of slice %d\n", LEAT_STR_FMT(st->outcome),
                     type, id, LEAT_STR_FMT(st->stream), st->last_seq, (int)st->slice);
    }
}

static int report(struct leat_session *s, const struct send_options *o, const char *type,
                  const struct leat_command_sent *sent)
{
    struct leat_command_status st = {.slice = 0};
    struct leat_error err = {0};
    leat_status status = LEAT_ABSENT;
    if (o->wait_ms > 0)
        status = await_outcome(s, sent, o->wait_ms, &st, &err);
    const struct leat_command_status *known = status == LEAT_OK ? &st : NULL;
    if (o->json) {
        print_json(s, type, sent, known);
    } else {
        print_text(type, sent, known);
    }
    if (o->wait_ms == 0)
        return LEAT_EXIT_OK;
    if (known != NULL && leat_command_waits(&st)) {
        (void)leat_fail(&err, LEAT_RETRY, "it waits (%.*s), its outcome is not known yet",
                        LEAT_STR_FMT(st.waits));
        return leat_cli_fail(&err);
    }
    if (known != NULL)
        return leat_str_eq(st.outcome, LEAT_STR("accepted")) ? LEAT_EXIT_OK : LEAT_EXIT_NO;
    char id[LEAT_UUID_TEXT];
    leat_uuid_format(&sent->id, id);
    if (status == LEAT_ABSENT) {
        (void)leat_fail(&err, LEAT_RETRY, "sent, but its outcome is not known yet: leat get %s",
                        id);
    }
    return leat_cli_fail(&err);
}

/* The command of the arguments; `body` and `id` are kept by the caller. */
static leat_status read_command(const struct send_options *o, char **argv, struct leat_buf *body,
                                struct leat_uuid *id, struct leat_command_in *ret,
                                struct leat_error *err)
{
    if (o->id != NULL && !leat_uuid_parse(leat_str_of(o->id), id))
        return leat_fail(err, LEAT_INVALID, "--id: '%.100s' is not a UUID", o->id);
    if (o->dry_run && o->wait_ms > 0)
        return leat_fail(err, LEAT_INVALID, "--wait has nothing to wait for with --dry-run");
    leat_status status = read_body(argv[2], body, err);
    if (status != LEAT_OK)
        return status;
    *ret = (struct leat_command_in){.type = leat_str_of(argv[1]),
                                    .json = leat_buf_str(body),
                                    .id = o->id != NULL ? id : NULL,
                                    .priority = leat_str_of(o->priority)};
    return LEAT_OK;
}

static int send_it(struct leat_session *s, const struct send_options *o,
                   const struct leat_command_in *in)
{
    struct leat_sender *sender = NULL;
    struct leat_command_sent sent = {.slice = 0};
    struct leat_error err = {0};
    leat_status status = leat_sender_new(s->topology, s->schemas, &sender, &err);
    if (status == LEAT_OK)
        status = leat_sender_send(sender, in, SEND_TIMEOUT_MS, &sent, &err);
    int code = status == LEAT_OK ? report(s, o, in->type.at, &sent) : leat_cli_fail(&err);
    leat_sender_free(sender, FREE_TIMEOUT_MS);
    return code;
}

int leat_cmd_send(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_send(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct send_options o = {0};
    struct leat_session s;
    struct leat_command_in in;
    struct leat_uuid id;
    struct leat_error err = {0};
    LEAT_AUTO(leat_buf_done) struct leat_buf body;
    leat_buf_init(&body, BODY_BYTES_MAX);
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if (read_command(&o, argv, &body, &id, &in, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    if ((code = leat_session_open(&s, o.topology, NULL)) != LEAT_EXIT_GO_ON)
        return code;
    code = o.dry_run ? leat_send_dry(&s, &in, o.json) : send_it(&s, &o, &in);
    leat_session_close(&s);
    return code;
}
