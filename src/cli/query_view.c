#include "cli/query_view.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/show.h"

static leat_status show_rows(struct leat_str json, struct leat_str rows, struct leat_buf *text,
                             struct leat_error *err)
{
    struct leat_json_token token;
    LEAT_TRY(leat_show_rows(rows, text, err), err, "answer");
    if (leat_json_find(json, LEAT_STR("cursor"), &token, NULL, err) == LEAT_OK &&
        token.kind == LEAT_JSON_STRING)
        (void)fprintf(stderr, "more: --cursor %.*s\n", LEAT_STR_FMT(token.text));
    return LEAT_OK;
}

static leat_status show(struct leat_str json, struct leat_buf *text, struct leat_error *err)
{
    struct leat_json_token token;
    struct leat_str rows;
    leat_status status = leat_json_find(json, LEAT_STR("rows"), &token, &rows, err);
    if (status == LEAT_OK && token.kind == LEAT_JSON_ARRAY_BEGIN)
        return show_rows(json, rows, text, err);
    status = leat_json_find(json, LEAT_STR("groups"), &token, &rows, err);
    if (status == LEAT_OK && token.kind == LEAT_JSON_ARRAY_BEGIN)
        return leat_show_rows(rows, text, err);
    return leat_show_object(json, text, err);
}

/* Keys that have no row: said beside the rows. */
static int missing(struct leat_str json)
{
    struct leat_json_token token;
    struct leat_str keys;
    struct leat_error ignored = {0};
    if (leat_json_find(json, LEAT_STR("missing"), &token, &keys, &ignored) != LEAT_OK ||
        token.kind != LEAT_JSON_ARRAY_BEGIN || leat_str_eq(keys, LEAT_STR("[]")))
        return LEAT_EXIT_OK;
    (void)fprintf(stderr, "there are no rows of %.*s\n", LEAT_STR_FMT(keys));
    return LEAT_EXIT_NO;
}

static int print_answer(struct leat_buf *json, bool as_json)
{
    struct leat_buf text;
    struct leat_error err = {0};
    int absent = missing(leat_buf_str(json));
    if (as_json) {
        leat_buf_putc(json, '\n');
        int code = leat_cli_print(json);
        return code == LEAT_EXIT_OK ? absent : code;
    }
    leat_buf_init(&text, LEAT_VIEW_BYTES_MAX);
    int code = show(leat_buf_str(json), &text, &err) == LEAT_OK ? leat_cli_print(&text)
                                                                : leat_cli_fail(&err);
    leat_buf_done(&text);
    return code == LEAT_EXIT_OK ? absent : code;
}

int leat_view_read(const struct leat_session *s, const struct leat_projection *model,
                   const struct leat_read *read, const struct leat_at_least *at_least, bool as_json)
{
    struct leat_model_read snapshot;
    struct leat_buf json;
    struct leat_error err = {0};
    if (leat_at_least_begin(s, model->name.at, leat_read_cursor(read), at_least, &snapshot, &err) !=
        LEAT_OK)
        return leat_cli_fail(&err);
    leat_buf_init(&json, LEAT_VIEW_BYTES_MAX);
    leat_status status = leat_read_run(read, &snapshot, &json, &err);
    if (status == LEAT_OK && json.overflow)
        status = leat_fail(&err, LEAT_FATAL, "the answer is over its limit: ask for fewer rows");
    int code = status == LEAT_OK ? print_answer(&json, as_json) : leat_cli_fail(&err);
    leat_at_least_end(&snapshot);
    leat_buf_done(&json);
    return code;
}

const struct leat_projection *leat_view_find(const struct leat_session *s, const char *model)
{
    const struct leat_projection *p = leat_topology_projection(s->topology, leat_str_of(model));
    struct leat_model *none = NULL;
    struct leat_error err = {0};
    if (p != NULL)
        return p;
    (void)!leat_model_open(s->topology, model, s->data_dir, &none, &err); /* says what is near */
    (void)leat_cli_fail(&err);
    return NULL;
}

void leat_view_event(const struct leat_session *s, const struct leat_stored_event *e,
                     struct leat_buf *out)
{
    struct leat_error err = {0};
    leat_buf_printf(out, "%6" PRId64 "  ", e->version);
    leat_show_time(e->recorded_at_us / 1000, out);
    leat_buf_printf(out, "  %-24.*s  ", LEAT_STR_FMT(e->type));
    size_t start = out->len;
    if (leat_schemas_to_json(s->schemas, e->payload, out, &err) != LEAT_OK) {
        out->len = start;
        leat_buf_printf(out, "(does not decode: %s)", err.msg);
    }
    leat_buf_putc(out, '\n');
}

static void put_line(struct leat_buf *out, const char *name, struct leat_str value)
{
    if (value.len > 0)
        leat_buf_printf(out, "%-12s %.*s\n", name, LEAT_STR_FMT(value));
}

static void put_time(struct leat_buf *out, const char *name, int64_t us)
{
    leat_buf_printf(out, "%-12s ", name);
    leat_show_time(us / 1000, out);
    leat_buf_putc(out, '\n');
}

static void command_text(const struct leat_session *s, const struct leat_command_view *v,
                         struct leat_buf *out)
{
    const struct leat_command_status *st = &v->status;
    char id[LEAT_UUID_TEXT], store[LEAT_UUID_TEXT];
    leat_uuid_format(&st->id, id);
    leat_uuid_format(&st->store_id, store);
    put_line(out, "id", leat_str_of(id));
    put_line(out, "type", st->type);
    put_line(out, "processor", st->processor);
    put_line(out, "stream", st->stream);
    put_line(out, "outcome", st->outcome);
    put_line(out, "error_code", st->error_code);
    put_line(out, "error_text", st->error_text);
    put_time(out, "received_at", st->received_at_us);
    if (leat_command_waits(st)) {
        put_line(out, "waits", st->waits);
        leat_buf_printf(out, "%-12s %d\n", "attempts", (int)st->attempts);
        if (st->due_at_us > 0)
            put_time(out, "due_at", st->due_at_us);
        return;
    }
    put_time(out, "finished_at", st->finished_at_us);
    leat_buf_printf(out, "%-12s store %s, slice %d, seq %" PRId64 "\n", "position", store,
                    (int)st->slice, st->last_seq);
    if (v->n > 0)
        leat_buf_puts(out, "events\n");
    for (size_t i = 0; i < v->n; i++)
        leat_view_event(s, &v->events[i], out);
}

int leat_view_command(const struct leat_session *s, const struct leat_command_view *v, bool as_json)
{
    struct leat_buf out;
    struct leat_json_writer w;
    leat_buf_init(&out, LEAT_VIEW_BYTES_MAX);
    if (as_json) {
        leat_json_writer_init(&w, &out);
        leat_command_json(s->schemas, v, &w);
        leat_buf_putc(&out, '\n');
    } else {
        command_text(s, v, &out);
    }
    int code = leat_cli_print(&out);
    leat_buf_done(&out);
    return code;
}
