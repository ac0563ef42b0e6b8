/* leat lag: what waits in the lanes, in the relay and before the read models. */
#include "base/clock.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "cli/show.h"
#include "kafka/kafka.h"
#include "projection/projection.h"

#define LAG_KAFKA_MS    10000
#define LAG_OUTPUT_MAX  (16u << 20)
#define LAG_AGE_UNKNOWN (-1)

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
        "them), events and outbox records the relay has not published, events a read model on\n"
        "this machine has not applied. The store's positions count, not Kafka's offsets.\n\n"
        "  leat lag\n"
        "  leat lag --json | jq '.total.messages'\n",
    LEAT_OPTS(options),
    .args_max = 0,
};

struct lag_row {
    const char *kind; /* lane, relay, outbox, model */
    const char *name; /* processor, relay, model */
    const char *topic;
    const char *priority; /* or NULL */
    int32_t partition;
    int64_t next, end, waiting, age_ms;
};
struct lag {
    struct lag_options o;
    struct leat_session s;
    struct leat_admin *admin;
    struct lag_row *rows;
    size_t n, cap;
    int64_t now_ms;
};

static struct lag_row *add_row(struct lag *l)
{
    l->rows = leat_arena_grow(l->s.arena, l->rows, sizeof *l->rows, &l->cap, l->n + 1);
    struct lag_row *row = &l->rows[l->n++];
    *row = (struct lag_row){.age_ms = LAG_AGE_UNKNOWN};
    return row;
}

static leat_status open_kafka(struct lag *l, struct leat_error *err)
{
    const struct leat_props *common = &l->s.topology->kafka.common;
    struct leat_kafka_prop *props = leat_arena_zalloc(l->s.arena, common->n + 1u, sizeof *props);
    for (uint32_t i = 0; i < common->n; i++)
        props[i] = (struct leat_kafka_prop){common->at[i].name, common->at[i].value};
    struct leat_kafka_config kc = {props, common->n, "leat-lag"};
    return leat_admin_new(&kc, &l->admin, err);
}

/* ---- lanes: the store's next_offset against the end of the topic ---- */

static leat_status head_age(struct lag *l, const struct leat_position *at, int64_t *ret_ms,
                            struct leat_error *err)
{
    struct leat_record record;
    leat_status status = leat_admin_record(l->admin, at, l->s.arena, &record, LAG_KAFKA_MS, err);
    if (status == LEAT_OK && record.timestamp_ms > 0)
        *ret_ms = record.timestamp_ms < l->now_ms ? l->now_ms - record.timestamp_ms : 0;
    return status == LEAT_ABSENT ? LEAT_OK : status; /* compacted away or a marker: no age */
}

/* `row` says which lane and where it stands. */
static leat_status add_lane(struct lag *l, struct lag_row row, struct leat_error *err)
{
    struct leat_position at = {row.topic, row.partition, 0};
    struct leat_watermarks marks = {0};
    LEAT_TRY(leat_admin_watermarks(l->admin, &at, 1, &marks, LAG_KAFKA_MS, err), err, "%s",
             row.name);
    at.offset = row.next < marks.low ? marks.low : row.next; /* no row yet: from the start */
    row.kind = "lane";
    row.next = at.offset;
    row.end = marks.high;
    row.waiting = marks.high > at.offset ? marks.high - at.offset : 0;
    row.age_ms = row.waiting == 0 ? 0 : LAG_AGE_UNKNOWN;
    if (row.waiting > 0)
        LEAT_TRY(head_age(l, &at, &row.age_ms, err), err, "%s", row.name);
    *add_row(l) = row;
    return LEAT_OK;
}

static int64_t next_of(const struct leat_lane_position *lanes, size_t n, const char *topic,
                       int32_t k)
{
    for (size_t i = 0; i < n; i++) {
        if (lanes[i].k == k && leat_str_eq(lanes[i].topic, leat_str_of(topic)))
            return lanes[i].next_offset;
    }
    return 0;
}

/* The lanes of one topic, partition by partition; `like` has everything but where they stand. */
static leat_status add_lanes(struct lag *l, struct lag_row like,
                             const struct leat_fence_answer *answer, struct leat_error *err)
{
    for (int32_t k = 0; k < l->s.topology->partitions; k++) {
        like.partition = k;
        like.next = next_of(answer->lanes, answer->lane_count, like.topic, k);
        LEAT_TRY(add_lane(l, like, err), err, "lane");
    }
    return LEAT_OK;
}

static leat_status add_processor(struct lag *l, const struct leat_processor *p, const int32_t *ks,
                                 struct leat_error *err)
{
    const struct leat_topology *t = l->s.topology;
    struct leat_fence_ask ask = {.processor = p->name, .ks = ks, .n = (size_t)t->partitions};
    struct leat_fence_answer answer = {0};
    struct lag_row like = {.name = p->name.at};
    LEAT_TRY(leat_store_fences(l->s.store, &ask, l->s.arena, &answer, err), err, "%s", p->name.at);
    for (uint32_t c = 0; p->topics != NULL && c < p->priorities.n; c++) {
        like.topic = p->topics[c].at;
        like.priority = p->priorities.at[c].name.at;
        LEAT_TRY(add_lanes(l, like, &answer, err), err, "%s", p->name.at);
    }
    if (p->events.n == 0) {
        return LEAT_OK;
    }
    like.topic = t->events_topic.at;
    like.priority = NULL;
    return add_lanes(l, like, &answer, err);
}

/* ---- relay and read models: positions against the head of the slice ---- */

static leat_status event_age(struct lag *l, int32_t slice, int64_t after, int64_t *ret_ms,
                             struct leat_error *err)
{
    struct leat_stored_event *event = NULL;
    size_t n = 0;
    struct leat_store_page page = {.slice = slice, .after = after, .upto = -1, .limit = 1};
    LEAT_TRY(leat_store_slice(l->s.store, &page, l->s.arena, &event, &n, err), err, "slice %d",
             slice);
    if (n == 1) {
        *ret_ms =
            event->recorded_at_us / 1000 < l->now_ms ? l->now_ms - event->recorded_at_us / 1000 : 0;
    }
    return LEAT_OK;
}

static leat_status add_events(struct lag *l, const char *kind, const char *name,
                              const struct leat_published *p, int64_t seq, struct leat_error *err)
{
    struct lag_row *row = add_row(l);
    row->kind = kind;
    row->name = name;
    row->topic = l->s.topology->events_topic.at;
    row->partition = p->slice;
    row->next = seq + 1;
    row->end = p->head_seq + 1;
    row->waiting = p->head_seq > seq ? p->head_seq - seq : 0;
    row->age_ms = 0;
    return row->waiting == 0 ? LEAT_OK : event_age(l, p->slice, seq, &row->age_ms, err);
}

static leat_status add_relay(struct lag *l, const struct leat_published *p, struct leat_error *err)
{
    LEAT_TRY(add_events(l, "relay", "relay", p, p->seq, err), err, "relay");
    struct lag_row *row = add_row(l);
    row->kind = "outbox";
    row->name = "relay";
    row->topic = "";
    row->partition = p->slice;
    row->next = p->outbox_seq + 1;
    row->end = p->head_outbox + 1;
    row->waiting = p->head_outbox > p->outbox_seq ? p->head_outbox - p->outbox_seq : 0;
    row->age_ms = row->waiting == 0 ? 0 : LAG_AGE_UNKNOWN; /* rows have no time of their own */
    return LEAT_OK;
}

/* A model that is not kept on this machine is left out. */
static leat_status add_model(struct lag *l, const struct leat_projection *projection,
                             const struct leat_published *published, struct leat_error *err)
{
    const struct leat_topology *t = l->s.topology;
    struct leat_model *m = NULL;
    struct leat_error absent = {0};
    if (leat_model_open(t, projection->name.at, l->s.data_dir, &m, &absent) != LEAT_OK)
        return LEAT_OK;
    int64_t complete_ms = 0;
    size_t count = (size_t)t->partitions;
    int64_t *seqs = leat_arena_zalloc(l->s.arena, count, sizeof *seqs);
    struct leat_uuid *ids = leat_arena_zalloc(l->s.arena, count, sizeof *ids);
    leat_status status = leat_model_position(m, seqs, ids, &complete_ms, err);
    for (size_t i = 0; i < count && status == LEAT_OK; i++) {
        status = add_events(l, "model", projection->name.at, &published[i],
                            seqs[published[i].slice], err);
    }
    leat_model_close(m);
    return status;
}

static leat_status collect(struct lag *l, struct leat_error *err)
{
    const struct leat_topology *t = l->s.topology;
    size_t count = (size_t)t->partitions;
    int32_t *ks = leat_arena_zalloc(l->s.arena, count, sizeof *ks);
    for (int32_t k = 0; k < t->partitions; k++)
        ks[k] = k;
    LEAT_TRY(open_kafka(l, err), err, "Kafka");
    for (uint32_t i = 0; i < t->n_processors; i++)
        LEAT_TRY(add_processor(l, &t->processors[i], ks, err), err, "processor");
    struct leat_published *published = NULL;
    LEAT_TRY(leat_store_published(l->s.store, ks, count, l->s.arena, &published, err), err,
             "store");
    for (size_t i = 0; i < count; i++)
        LEAT_TRY(add_relay(l, &published[i], err), err, "store");
    for (uint32_t i = 0; i < t->n_projections; i++)
        LEAT_TRY(add_model(l, &t->projections[i], published, err), err, "model");
    return LEAT_OK;
}

/* ---- output ---- */

static void write_age(struct leat_json_writer *w, int64_t age_ms, bool as_json)
{
    char text[LEAT_UNITS_TEXT];
    if (as_json && age_ms == LAG_AGE_UNKNOWN) {
        leat_json_key(w, LEAT_STR("age_ms"));
        leat_json_null(w);
    } else if (as_json) {
        leat_json_put_int(w, "age_ms", age_ms);
    } else if (age_ms == LAG_AGE_UNKNOWN) {
        leat_json_put_cstr(w, "age", "?");
    } else { /* whole seconds are enough once there are many */
        int64_t shown = age_ms < 10000 ? age_ms : age_ms / 1000 * 1000;
        leat_json_put_cstr(w, "age", leat_format_duration(shown, text));
    }
}

static void write_rows(const struct lag *l, struct leat_json_writer *w)
{
    leat_json_begin_array(w);
    for (size_t i = 0; i < l->n; i++) {
        const struct lag_row *row = &l->rows[i];
        if (row->waiting == 0 && !l->o.all)
            continue;
        leat_json_begin_object(w);
        leat_json_put_cstr(w, "kind", row->kind);
        leat_json_put_cstr(w, "name", row->name);
        leat_json_put_cstr(w, "topic", row->topic);
        if (l->o.json && row->priority != NULL)
            leat_json_put_cstr(w, "priority", row->priority);
        leat_json_put_int(w, "partition", row->partition);
        leat_json_put_int(w, "next", row->next);
        leat_json_put_int(w, "end", row->end);
        leat_json_put_int(w, "waiting", row->waiting);
        write_age(w, row->age_ms, l->o.json);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
}

struct lag_total {
    int64_t messages, events, outbox, model_events, age_ms;
};

static struct lag_total total_of(const struct lag *l)
{
    struct lag_total t = {0};
    for (size_t i = 0; i < l->n; i++) {
        const struct lag_row *row = &l->rows[i];
        if (strcmp(row->kind, "lane") == 0) {
            t.messages += row->waiting;
            t.age_ms = row->age_ms > t.age_ms ? row->age_ms : t.age_ms;
        } else if (strcmp(row->kind, "relay") == 0) {
            t.events += row->waiting;
        } else if (strcmp(row->kind, "outbox") == 0) {
            t.outbox += row->waiting;
        } else {
            t.model_events += row->waiting;
        }
    }
    return t;
}

static int print_json(const struct lag *l)
{
    struct lag_total t = total_of(l);
    struct leat_buf out;
    struct leat_json_writer w;
    leat_buf_init(&out, LAG_OUTPUT_MAX);
    leat_json_writer_init(&w, &out);
    leat_json_begin_object(&w);
    leat_json_key(&w, LEAT_STR("rows"));
    write_rows(l, &w);
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

static int print_text(const struct lag *l)
{
    struct lag_total t = total_of(l);
    struct leat_buf json, out;
    struct leat_json_writer w;
    struct leat_error err = {0};
    char age[LEAT_UNITS_TEXT];
    leat_buf_init(&json, LAG_OUTPUT_MAX);
    leat_buf_init(&out, LAG_OUTPUT_MAX);
    leat_json_writer_init(&w, &json);
    write_rows(l, &w);
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
    struct lag l = {.now_ms = leat_now_ms()};
    struct leat_error err = {0};
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &l.o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if ((code = leat_session_open(&l.s, l.o.topology, l.o.data)) != LEAT_EXIT_GO_ON)
        return code;
    if (collect(&l, &err) != LEAT_OK) {
        code = leat_cli_fail(&err);
    } else {
        code = l.o.json ? print_json(&l) : print_text(&l);
    }
    leat_admin_free(l.admin);
    leat_session_close(&l.s);
    return code;
}
