/* leat get: a row of a read model, or what became of a command. */

#include "base/json.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "cli/show.h"
#include "projection/projection.h"

#define ANSWER_BYTES_MAX (16U << 20)

struct get_options {
    const char *topology, *data;
    bool json;
};

static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct get_options, topology),
    {"data", 0, LEAT_OPT_STR, offsetof(struct get_options, data), "DIR", NULL, "LEAT_DATA", 0, 0,
     "Folder of the read models (default: .leat/<name> beside the topology)."},
    LEAT_CLI_JSON(struct get_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat get [options] <model> <key> | <command id>",
    .summary = "Show one row of a read model, or what became of a command.",
    .details = "Reads the model's files or the store itself: no server of leat need run.\n"
               "Exit code 3 when there is no such row or command.\n\n"
               "  leat get leads L-1001\n"
               "  leat get 0197f3a2-4c1e-7b6a-9f00-8d3f1c2b7a10 --json\n",
    LEAT_OPTS(options),
    .args_min = 1,
    .args_max = 2,
};

/* An object as it is, or as lines. */
static int print_object(struct leat_buf *json, bool as_json)
{
    if (as_json) {
        leat_buf_putc(json, '\n');
        return leat_cli_print(json);
    }
    struct leat_buf text;
    struct leat_error err = {0};
    leat_buf_init(&text, ANSWER_BYTES_MAX);
    int code = leat_show_object(leat_buf_str(json), &text, &err) == LEAT_OK ? leat_cli_print(&text)
                                                                            : leat_cli_fail(&err);
    leat_buf_done(&text);
    return code;
}

static int get_row(const struct leat_session *s, const char *model, const char *key, bool as_json)
{
    struct leat_model *m = NULL;
    struct leat_buf json;
    struct leat_error err = {0};
    leat_buf_init(&json, ANSWER_BYTES_MAX);
    leat_status status = leat_model_open(s->topology, model, s->data_dir, &m, &err);
    if (status == LEAT_OK)
        status = leat_model_get(m, leat_str_of(key), &json, &err);
    int code = status == LEAT_OK ? print_object(&json, as_json) : leat_cli_fail(&err);
    leat_model_close(m);
    leat_buf_done(&json);
    return code;
}

/* ---- a command ---- */

static void put_time(struct leat_json_writer *w, const char *name, int64_t us, bool as_json)
{
    struct leat_buf text;
    if (as_json) {
        leat_json_put_int(w, name, us / 1000);
        return;
    }
    leat_buf_init(&text, 64);
    leat_show_time(us / 1000, &text);
    leat_json_put_str(w, name, leat_buf_str(&text));
    leat_buf_done(&text);
}

static void write_command(const struct leat_command_status *st, bool as_json, struct leat_buf *out)
{
    struct leat_json_writer w;
    char id[LEAT_UUID_TEXT], store[LEAT_UUID_TEXT];
    leat_uuid_format(&st->id, id);
    leat_uuid_format(&st->store_id, store);
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_cstr(&w, "id", id);
    leat_json_put_str(&w, "type", st->type);
    leat_json_put_str(&w, "processor", st->processor);
    leat_json_put_str(&w, "stream", st->stream);
    leat_json_put_str(&w, "outcome", st->outcome);
    if (st->error_code.len > 0)
        leat_json_put_str(&w, "error_code", st->error_code);
    if (st->error_text.len > 0)
        leat_json_put_str(&w, "error_text", st->error_text);
    put_time(&w, "received_at", st->received_at_us, as_json);
    put_time(&w, "finished_at", st->finished_at_us, as_json);
    leat_json_put_cstr(&w, "store_id", store);
    leat_json_put_int(&w, "slice", st->slice);
    leat_json_put_int(&w, "first_seq", st->first_seq);
    leat_json_put_int(&w, "last_seq", st->last_seq);
    leat_json_end_object(&w);
}

static int get_command(struct leat_session *s, const struct leat_uuid *id, bool as_json)
{
    struct leat_command_status st;
    struct leat_buf json;
    struct leat_error err = {0};
    leat_status status = leat_store_open(&s->store_options, &s->store, &err);
    if (status == LEAT_OK)
        status = leat_store_command(s->store, -1, id, s->arena, &st, &err);
    if (status == LEAT_ABSENT)
        (void)leat_fail(&err, LEAT_ABSENT, "no such command is known (yet)");
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    leat_buf_init(&json, ANSWER_BYTES_MAX);
    write_command(&st, as_json, &json);
    int code = print_object(&json, as_json);
    leat_buf_done(&json);
    return code;
}

int leat_cmd_get(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_get(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct get_options o = {0};
    struct leat_session s;
    struct leat_uuid id;
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if (args == 1 && !leat_uuid_parse(leat_str_of(argv[1]), &id)) {
        struct leat_error err = {0};
        (void)leat_fail(&err, LEAT_INVALID, "'%.100s' is no command id, and a row needs its key",
                        argv[1]);
        leat_error_hint(&err, "leat get <model> <key>, or leat get <command id>");
        return leat_cli_fail(&err);
    }
    if ((code = leat_session_files(&s, o.topology, o.data)) != LEAT_EXIT_GO_ON)
        return code;
    code = args == 2 ? get_row(&s, argv[1], argv[2], o.json) : get_command(&s, &id, o.json);
    leat_session_close(&s);
    return code;
}
