/* leat effects: effects outside whose outcome nobody knows, and what a person says of them. */
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "cli/show.h"
#include "store/effects.h"

#define LIMIT_DEFAULT 100
#define OF_ONE_MAX    1000
#define OUTPUT_MAX    (16U << 20)

struct effects_options {
    const char *topology, *processor, *call, *done;
    int64_t number, limit;
    bool not_done, all, json;
};

#define FIELD(name) offsetof(struct effects_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct effects_options, topology),
    {"processor", 'p', LEAT_OPT_STR, FIELD(processor), "NAME", NULL, NULL, 0, 0,
     "Those of this processor."},
    {"call", 'c', LEAT_OPT_STR, FIELD(call), "NAME", NULL, NULL, 0, 0,
     "Those on this service of `calls`."},
    {"number", 0, LEAT_OPT_INT, FIELD(number), "N", "-1", NULL, -1, INT32_MAX,
     "settle: the N-th of the message alone (default: all that are unknown)."},
    {"all", 0, LEAT_OPT_FLAG, FIELD(all), NULL, NULL, NULL, 0, 0,
     "list: also those that are done, under way or given up."},
    {"limit", 'n', LEAT_OPT_INT, FIELD(limit), "N", "100", NULL, 1, 10000, "list: rows at most."},
    {"done", 0, LEAT_OPT_STR, FIELD(done), "RESULT", NULL, NULL, 0, 0,
     "settle: it was made, with this result, which the handler gets."},
    {"not-done", 0, LEAT_OPT_FLAG, FIELD(not_done), NULL, NULL, NULL, 0, 0,
     "settle: it was not made; the next try makes it."},
    LEAT_CLI_JSON(struct effects_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat effects list|settle [options] [<id of the message>]",
    .summary = "List claimed effects whose outcome is unknown, and say what came of them.",
    .details =
        "An effect on a service with `effects: claim` is unknown when a try began it and "
        "ended before it\ncould tell. With `on_unknown: hold` its message is dead, with the "
        "code 'effect-unknown'. Ask the\nservice whether it was made, settle it, and redrive "
        "the message. Exit code 3 when there is none.\n\n"
        "  leat effects list\n"
        "  leat effects settle 0197f3a2-4c1e-7b6a-9f00-8d3f1c2b7a10 --done '<250 ok>'\n"
        "  leat effects settle 0197f3a2-4c1e-7b6a-9f00-8d3f1c2b7a10 --not-done\n"
        "  leat dlq redrive --code effect-unknown\n",
    LEAT_OPTS(options),
    .args_min = 1,
    .args_max = 2,
};

/* ---- list ---- */

static void put_time(struct leat_json_writer *w, const char *name, int64_t unix_ms)
{
    struct leat_buf text;
    leat_buf_init(&text, 64);
    if (unix_ms != 0)
        leat_show_time(unix_ms, &text);
    leat_json_put_str(w, name, leat_buf_str(&text));
    leat_buf_done(&text);
}

static const char *state_of(const struct leat_effect_found *e)
{
    if (e->done)
        return "done";
    if (e->unknown_ms != 0)
        return "unknown";
    return e->settled_ms != 0 ? "given up" : "claimed";
}

static void write_rows(const struct leat_effect_found *rows, size_t n, struct leat_json_writer *w)
{
    char id[LEAT_UUID_TEXT];
    leat_json_begin_array(w);
    for (size_t i = 0; i < n; i++) {
        leat_uuid_format(&rows[i].effect.id, id);
        leat_json_begin_object(w);
        put_time(w, "claimed", rows[i].claimed_ms);
        leat_json_put_cstr(w, "state", state_of(&rows[i]));
        leat_json_put_str(w, "processor", rows[i].effect.processor);
        leat_json_put_str(w, "call", rows[i].effect.service);
        leat_json_put_int(w, "number", rows[i].effect.n);
        leat_json_put_cstr(w, "id", id);
        leat_json_put_str(w, "key", rows[i].effect.key);
        leat_json_put_int(w, "claims", rows[i].claims);
        leat_json_put_str(w, "result", rows[i].result);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
}

static int print_rows(const struct leat_effect_found *rows, size_t n, bool as_json)
{
    struct leat_buf json, text;
    struct leat_json_writer w;
    struct leat_error err = {0};
    leat_buf_init(&json, OUTPUT_MAX);
    leat_buf_init(&text, OUTPUT_MAX);
    leat_json_writer_init(&w, &json);
    write_rows(rows, n, &w);
    leat_status status = LEAT_OK;
    if (!as_json)
        status = leat_show_rows(leat_buf_str(&json), &text, &err);
    leat_buf_putc(&json, '\n');
    int code = status != LEAT_OK ? leat_cli_fail(&err) : leat_cli_print(as_json ? &json : &text);
    leat_buf_done(&json);
    leat_buf_done(&text);
    return code;
}

static struct leat_effect_filter filter_of(const struct effects_options *o, int32_t limit)
{
    return (struct leat_effect_filter){.processor = leat_str_of(o->processor),
                                       .service = leat_str_of(o->call),
                                       .all = o->all,
                                       .limit = limit};
}

static int list(struct leat_session *s, const struct effects_options *o)
{
    struct leat_effect_found *rows = NULL;
    struct leat_error err = {0};
    struct leat_effect_filter f = filter_of(o, (int32_t)o->limit);
    size_t n = 0;
    if (leat_store_effects(s->store, &f, s->arena, &rows, &n, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    return print_rows(rows, n, o->json);
}

/* ---- settle ---- */

static leat_status settle_rows(struct leat_session *s, const struct effects_options *o,
                               struct leat_effect_found *rows, size_t *n, struct leat_error *err)
{
    struct leat_str result = leat_str_of(o->done);
    size_t settled = 0;
    for (size_t i = 0; i < *n; i++) {
        if (o->number >= 0 && rows[i].effect.n != (uint32_t)o->number)
            continue;
        leat_status status =
            leat_store_effect_settle(s->store, &rows[i].effect, o->not_done ? NULL : &result, err);
        if (status == LEAT_ABSENT) /* somebody else was faster */
            continue;
        LEAT_TRY(status, err, "settle");
        rows[i].done = !o->not_done;
        rows[i].result = o->not_done ? (struct leat_str){0} : result;
        rows[i].unknown_ms = 0;
        rows[settled++] = rows[i];
    }
    *n = settled;
    return settled > 0 ? LEAT_OK
                       : leat_fail(err, LEAT_ABSENT, "no effect of this message is unknown");
}

static int settle(struct leat_session *s, const struct effects_options *o, const char *id_text)
{
    struct leat_effect_found *rows = NULL;
    struct leat_error err = {0};
    struct leat_uuid id;
    size_t n = 0;
    if ((o->done != NULL) == o->not_done) {
        (void)leat_fail(&err, LEAT_INVALID, "settle takes one of --done RESULT and --not-done");
        return leat_cli_fail(&err);
    }
    if (id_text == NULL || !leat_uuid_parse(leat_str_of(id_text), &id)) {
        (void)leat_fail(&err, LEAT_INVALID, "'%.80s' is not the id of a message",
                        id_text == NULL ? "" : id_text);
        leat_error_hint(&err, "`leat effects list` shows them.");
        return leat_cli_fail(&err);
    }
    struct leat_effect_filter f = filter_of(o, OF_ONE_MAX);
    f.id = &id;
    f.all = false;
    if (leat_store_effects(s->store, &f, s->arena, &rows, &n, &err) != LEAT_OK ||
        settle_rows(s, o, rows, &n, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    return print_rows(rows, n, o->json);
}

int leat_cmd_effects(struct leat_cli *cli, int argc, char **argv);
int leat_cmd_effects(struct leat_cli *cli, int argc, char **argv)
{
    struct effects_options o = {0};
    struct leat_session s;
    struct leat_error err = {0};
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    (void)cli;
    if (code != LEAT_EXIT_GO_ON)
        return code;
    bool lists = strcmp(argv[1], "list") == 0;
    if (!lists && strcmp(argv[1], "settle") != 0) {
        (void)leat_fail(&err, LEAT_INVALID, "'%.80s' is neither list nor settle", argv[1]);
        return leat_cli_fail(&err);
    }
    if ((code = leat_session_open_stored(&s, o.topology, NULL)) != LEAT_EXIT_GO_ON)
        return code;
    code = lists ? list(&s, &o) : settle(&s, &o, args > 1 ? argv[2] : NULL);
    leat_session_close(&s);
    return code;
}
