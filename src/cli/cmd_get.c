/* leat get: rows of a read model by their keys, or what became of a command. */

#include "cli/cli.h"
#include "cli/query_view.h"
#include "cli/session.h"

struct get_options {
    const char *topology, *data, *fields;
    struct leat_at_least at_least;
    bool json;
};

static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct get_options, topology),
    LEAT_CLI_DATA(struct get_options, data),
    {"fields", 0, LEAT_OPT_STR, offsetof(struct get_options, fields), "NAMES", NULL, NULL, 0, 0,
     "Only these fields, with commas between; the key comes always."},
    LEAT_CLI_AT_LEAST(struct get_options, at_least),
    LEAT_CLI_WAIT(struct get_options, at_least),
    LEAT_CLI_JSON(struct get_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat get [options] <model> <key> [key …] | <command id>",
    .summary = "Show rows of a read model by their keys, or what became of a command.",
    .details = "Reads the model's files or the store itself: no server of leat need run. --json is "
               "what HTTP\nanswers. Exit code 3 when there is no such row or command.\n\n"
               "  leat get leads L-1001\n"
               "  leat get leads L-1001 --at-least now\n"
               "  leat get leads L-1001 L-1002 --fields tier,score\n"
               "  leat get 0197f3a2-4c1e-7b6a-9f00-8d3f1c2b7a10 --json\n",
    LEAT_OPTS(options),
    .args_min = 1,
    .args_max = -1,
};

static int get_rows(struct leat_session *s, struct get_options *o, char **args, int n)
{
    struct leat_target given = {.n_params = 0};
    struct leat_error err = {0};
    struct leat_read read = {.kind = n > 2 ? LEAT_READ_ROWS : LEAT_READ_ROW, .given = &given};
    const struct leat_projection *p = leat_view_find(s, args[0]);
    if (p == NULL)
        return LEAT_EXIT_USAGE;
    struct leat_str *keys = leat_arena_zalloc(s->arena, (size_t)n, sizeof *keys);
    for (int i = 1; i < n; i++)
        keys[read.n_keys++] = leat_str_of(args[i]);
    read.keys = keys;
    read.key = keys[0];
    if (o->fields != NULL)
        given.params[given.n_params++] =
            (struct leat_param){LEAT_STR("fields"), leat_str_of(o->fields)};
    if (leat_at_least_read(s, &o->at_least, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    return leat_view_read(s, p, &read, &o->at_least, o->json);
}

static int get_command(struct leat_session *s, const struct leat_uuid *id, bool as_json)
{
    struct leat_command_view view = {.n = 0};
    struct leat_error err = {0};
    leat_status status = leat_store_open(&s->store_options, &s->store, &err);
    if (status == LEAT_OK)
        status = leat_store_command(s->store, -1, id, s->arena, &view.status, &err);
    if (status == LEAT_ABSENT) {
        (void)leat_fail(&err, LEAT_ABSENT, "no such command is known (yet)");
        leat_error_hint(&err, "a command just sent is known once its processor has handled it");
    }
    if (status == LEAT_OK)
        status = leat_command_events(s->store, s->schemas, s->arena, &view, &err);
    return status == LEAT_OK ? leat_view_command(s, &view, as_json) : leat_cli_fail(&err);
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
        leat_error_hint(&err, "leat get <model> <key> …, or leat get <command id>");
        return leat_cli_fail(&err);
    }
    if ((code = leat_session_files(&s, o.topology, o.data)) != LEAT_EXIT_GO_ON)
        return code;
    code = args > 1 ? get_rows(&s, &o, argv + 1, args) : get_command(&s, &id, o.json);
    leat_session_close(&s);
    return code;
}
