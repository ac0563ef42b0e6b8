/* leat lag: what waits in the lanes, in the relay and before the read models. */
#include "base/json.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/kafka_config.h"
#include "cli/lag.h"
#include "cli/show.h"

#define LAG_OUTPUT_MAX (16u << 20)

struct lag_options {
    const char *topology, *data;
    bool json, all;
};

static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct lag_options, topology),
    {"data", 0, LEAT_OPT_STR, offsetof(struct lag_options, data), "DIR", NULL, "LEAT_DATA", 0, 0,
     "Folder of the read models (default: .leat/<name> beside the topology)."},
    {"all", 'a', LEAT_OPT_FLAG, offsetof(struct lag_options, all), NULL, NULL, NULL, 0, 0,
     "Also what has nothing waiting."},
    LEAT_CLI_JSON(struct lag_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat lag [options]",
    .summary = "Show what waits, in messages and in seconds.",
    .details =
        "Per partition: commands and events a processor has not settled (age: of the first of\n"
        "them), records of foreign topics not taken in (source), events and outbox records the\n"
        "relay has not published, events a read model on this machine has not applied. The\n"
        "store's positions count, not Kafka's offsets.\n\n"
        "  leat lag\n"
        "  leat lag --json | jq '.total.messages'\n",
    LEAT_OPTS(options),
    .args_max = 0,
};

/* ---- output ---- */

static void write_age(struct leat_json_writer *w, int64_t age_ms, bool as_json)
{
    char text[LEAT_UNITS_TEXT];
    if (as_json && age_ms == LEAT_AGE_UNKNOWN) {
        leat_json_key(w, LEAT_STR("age_ms"));
        leat_json_null(w);
    } else if (as_json) {
        leat_json_put_int(w, "age_ms", age_ms);
    } else if (age_ms == LEAT_AGE_UNKNOWN) {
        leat_json_put_cstr(w, "age", "?");
    } else { /* whole seconds are enough once there are many */
        int64_t shown = age_ms < 10000 ? age_ms : age_ms / 1000 * 1000;
        leat_json_put_cstr(w, "age", leat_format_duration(shown, text));
    }
}

static void write_rows(const struct lag_options *o, const struct leat_lag *l,
                       struct leat_json_writer *w)
{
    leat_json_begin_array(w);
    for (size_t i = 0; i < l->n; i++) {
        const struct leat_lag_row *row = &l->rows[i];
        if (row->waiting == 0 && !o->all)
            continue;
        leat_json_begin_object(w);
        leat_json_put_cstr(w, "kind", leat_lag_kind_names[row->kind]);
        leat_json_put_cstr(w, "name", row->name);
        leat_json_put_cstr(w, "topic", row->topic);
        if (o->json && row->priority != NULL)
            leat_json_put_cstr(w, "priority", row->priority);
        leat_json_put_int(w, "partition", row->partition);
        leat_json_put_int(w, "next", row->next);
        leat_json_put_int(w, "end", row->end);
        leat_json_put_int(w, "waiting", row->waiting);
        write_age(w, row->age_ms, o->json);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
}

struct lag_total {
    int64_t messages, events, outbox, model_events, age_ms;
};

static struct lag_total total_of(const struct leat_lag *l)
{
    struct leat_lag_sum lanes = leat_lag_sum(l, LEAT_LAG_LANE, NULL);
    struct leat_lag_sum sources = leat_lag_sum(l, LEAT_LAG_SOURCE, NULL);
    return (struct lag_total){
        .messages = lanes.waiting + sources.waiting,
        .events = leat_lag_sum(l, LEAT_LAG_RELAY, NULL).waiting,
        .outbox = leat_lag_sum(l, LEAT_LAG_OUTBOX, NULL).waiting,
        .model_events = leat_lag_sum(l, LEAT_LAG_MODEL, NULL).waiting,
        .age_ms = lanes.age_ms > sources.age_ms ? lanes.age_ms : sources.age_ms,
    };
}

static int print_json(const struct lag_options *o, const struct leat_lag *l)
{
    struct lag_total t = total_of(l);
    struct leat_buf out;
    struct leat_json_writer w;
    leat_buf_init(&out, LAG_OUTPUT_MAX);
    leat_json_writer_init(&w, &out);
    leat_json_begin_object(&w);
    leat_json_key(&w, LEAT_STR("rows"));
    write_rows(o, l, &w);
    leat_json_key(&w, LEAT_STR("total"));
    leat_json_begin_object(&w);
    leat_json_put_int(&w, "messages", t.messages);
    leat_json_put_int(&w, "age_ms", t.age_ms);
    leat_json_put_int(&w, "unpublished_events", t.events);
    leat_json_put_int(&w, "unpublished_commands", t.outbox);
    leat_json_put_int(&w, "unapplied_events", t.model_events);
    leat_json_end_object(&w);
    leat_json_end_object(&w);
    leat_buf_putc(&out, '\n');
    int code = leat_cli_print(&out);
    leat_buf_done(&out);
    return code;
}

static int print_text(const struct lag_options *o, const struct leat_lag *l)
{
    struct lag_total t = total_of(l);
    struct leat_buf json, out;
    struct leat_json_writer w;
    struct leat_error err = {0};
    char age[LEAT_UNITS_TEXT];
    leat_buf_init(&json, LAG_OUTPUT_MAX);
    leat_buf_init(&out, LAG_OUTPUT_MAX);
    leat_json_writer_init(&w, &json);
    write_rows(o, l, &w);
    leat_status status = leat_show_rows(leat_buf_str(&json), &out, &err);
    leat_buf_printf(&out, "%s%lld messages wait, the oldest for %s; ", out.len > 0 ? "\n" : "",
                    (long long)t.messages, leat_format_duration(t.age_ms, age));
    leat_buf_printf(&out, "%lld events and %lld commands to publish, %lld events to apply\n",
                    (long long)t.events, (long long)t.outbox, (long long)t.model_events);
    int code = status == LEAT_OK ? leat_cli_print(&out) : leat_cli_fail(&err);
    leat_buf_done(&json);
    leat_buf_done(&out);
    return code;
}

int leat_cmd_lag(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_lag(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct lag_options o = {0};
    struct leat_session s;
    struct leat_lag l = {0};
    struct leat_admin *admin = NULL;
    struct leat_error err = {0};
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if ((code = leat_session_open(&s, o.topology, o.data)) != LEAT_EXIT_GO_ON)
        return code;
    struct leat_kafka_config kc = leat_cli_kafka_config(s.topology, "lag", s.arena);
    if (leat_admin_new(&kc, &admin, &err) != LEAT_OK ||
        leat_lag_collect(&s, admin, &l, &err) != LEAT_OK) {
        code = leat_cli_fail(&err);
    } else {
        code = o.json ? print_json(&o, &l) : print_text(&o, &l);
    }
    leat_admin_free(admin);
    leat_session_close(&s);
    return code;
}
