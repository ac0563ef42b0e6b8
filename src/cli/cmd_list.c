/* leat list: rows of a read model, by key or by an index. */
#include <stdio.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "cli/show.h"
#include "projection/projection.h"

#define ANSWER_BYTES_MAX (64U << 20)

struct list_options {
    const char *topology, *data, *index, *from, *to, *cursor;
    int64_t limit;
    bool json;
};

#define FIELD(name) offsetof(struct list_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct list_options, topology),
    {"data", 0, LEAT_OPT_STR, FIELD(data), "DIR", NULL, "LEAT_DATA", 0, 0,
     "Folder of the read models (default: .leat/<name> beside the topology)."},
    {"index", 0, LEAT_OPT_STR, FIELD(index), "NAME", NULL, NULL, 0, 0,
     "Order and range by this index instead of the key."},
    {"from", 0, LEAT_OPT_STR, FIELD(from), "VALUES", NULL, NULL, 0, 0,
     "First row: a key, or values of the index's leading columns with commas."},
    {"to", 0, LEAT_OPT_STR, FIELD(to), "VALUES", NULL, NULL, 0, 0,
     "Last row, in the same form; rows that start with it belong to the range."},
    {"limit", 'n', LEAT_OPT_INT, FIELD(limit), "N", "20", NULL, 1, 1000, "Rows at most."},
    {"cursor", 0, LEAT_OPT_STR, FIELD(cursor), "CURSOR", NULL, NULL, 0, 0,
     "Go on where a former list ended."},
    LEAT_CLI_JSON(struct list_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat list [options] <model>",
    .summary = "Show rows of a read model.",
    .details = "Reads the model's files: no server of leat need run.\n\n"
               "  leat list leads --index by_tier --from hot --to hot\n"
               "  leat list leads --index by_tier --from hot,90 --limit 100 --json\n",
    LEAT_OPTS(options),
    .args_min = 1,
    .args_max = 1,
};

static leat_status show(struct leat_str json, struct leat_buf *text, struct leat_error *err)
{
    struct leat_json_token token;
    struct leat_str rows;
    LEAT_TRY(leat_json_find(json, LEAT_STR("rows"), &token, &rows, err), err, "answer");
    LEAT_TRY(leat_show_rows(rows, text, err), err, "answer");
    if (leat_json_find(json, LEAT_STR("cursor"), &token, NULL, err) == LEAT_OK &&
        token.kind == LEAT_JSON_STRING)
        (void)fprintf(stderr, "more: --cursor %.*s\n", LEAT_STR_FMT(token.text));
    return LEAT_OK;
}

static int print_rows(struct leat_buf *json, bool as_json)
{
    if (as_json) {
        leat_buf_putc(json, '\n');
        return leat_cli_print(json);
    }
    struct leat_buf text;
    struct leat_error err = {0};
    leat_buf_init(&text, ANSWER_BYTES_MAX);
    int code = show(leat_buf_str(json), &text, &err) == LEAT_OK ? leat_cli_print(&text)
                                                                : leat_cli_fail(&err);
    leat_buf_done(&text);
    return code;
}

static int list_rows(const struct leat_session *s, const struct list_options *o, const char *model)
{
    struct leat_model *m = NULL;
    struct leat_buf json;
    struct leat_error err = {0};
    struct leat_model_range range = {
        .index = o->index,
        .from = leat_str_of(o->from),
        .to = leat_str_of(o->to),
        .cursor = leat_str_of(o->cursor),
        .limit = (int32_t)o->limit,
    };
    leat_buf_init(&json, ANSWER_BYTES_MAX);
    leat_status status = leat_model_open(s->topology, model, s->data_dir, &m, &err);
    if (status == LEAT_OK)
        status = leat_model_list(m, &range, &json, &err);
    int code = status == LEAT_OK ? print_rows(&json, o->json) : leat_cli_fail(&err);
    leat_model_close(m);
    leat_buf_done(&json);
    return code;
}

int leat_cmd_list(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_list(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct list_options o = {0};
    struct leat_session s;
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if ((code = leat_session_files(&s, o.topology, o.data)) != LEAT_EXIT_GO_ON)
        return code;
    code = list_rows(&s, &o, argv[1]);
    leat_session_close(&s);
    return code;
}
