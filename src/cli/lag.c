#include "cli/lag.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "projection/projection.h"

#define LAG_KAFKA_MS   10000
#define LANE_NAME_MAX  300
#define PARTITIONS_MAX 65536 /* of a foreign topic, looked at */

const char *const leat_lag_kind_names[LEAT_LAG_KINDS] = {"lane", "source", "relay", "outbox",
                                                         "model"};

static struct leat_lag_row *add_row(struct leat_lag *l)
{
    l->rows = leat_arena_grow(l->s->arena, l->rows, sizeof *l->rows, &l->cap, l->n + 1);
    struct leat_lag_row *row = &l->rows[l->n++];
    *row = (struct leat_lag_row){.age_ms = LEAT_AGE_UNKNOWN};
    return row;
}

/* ---- lanes: the store's next_offset against the end of the topic ---- */

static leat_status head_age(struct leat_lag *l, const struct leat_position *at, int64_t *ret_ms,
                            struct leat_error *err)
{
    struct leat_record record;
    leat_status status = leat_admin_record(l->admin, at, l->s->arena, &record, LAG_KAFKA_MS, err);
    if (status == LEAT_OK && record.timestamp_ms > 0)
        *ret_ms = record.timestamp_ms < l->now_ms ? l->now_ms - record.timestamp_ms : 0;
    return status == LEAT_ABSENT ? LEAT_OK : status; /* compacted away or a marker: no age */
}

/* `row` says which partition and where the lane stands. */
static leat_status add_lane(struct leat_lag *l, struct leat_lag_row row, struct leat_error *err)
{
    struct leat_position at = {row.topic, row.partition, 0};
    struct leat_watermarks marks = {0};
    LEAT_TRY(leat_admin_watermarks(l->admin, &at, 1, &marks, LAG_KAFKA_MS, err), err, "%s",
             row.name);
    at.offset = row.next < marks.low ? marks.low : row.next; /* no row yet: from the start */
    row.next = at.offset;
    row.end = marks.high;
    row.waiting = marks.high > at.offset ? marks.high - at.offset : 0;
    row.age_ms = row.waiting == 0 ? 0 : LEAT_AGE_UNKNOWN;
    if (row.waiting > 0)
        LEAT_TRY(head_age(l, &at, &row.age_ms, err), err, "%s", row.name);
    *add_row(l) = row;
    return LEAT_OK;
}

static int64_t next_of(const struct leat_fence_answer *answer, const char *lane, int32_t k)
{
    for (size_t i = 0; i < answer->lane_count; i++) {
        if (answer->lanes[i].k == k && leat_str_eq(answer->lanes[i].topic, leat_str_of(lane)))
            return answer->lanes[i].next_offset;
    }
    return 0;
}

/* Every partition the topic has: the owner of k reads k, and beyond ours (partition % ours), in the
 * lane "topic#1" and so on (worker/feeds.c). `like` has everything but where they stand. */
static leat_status add_lanes(struct leat_lag *l, struct leat_lag_row like,
                             const struct leat_fence_answer *answer, struct leat_error *err)
{
    int32_t ours = l->s->topology->partitions, count = 0;
    leat_lag_kind kind = like.kind;
    leat_status status = leat_admin_partitions(l->admin, like.topic, &count, LAG_KAFKA_MS, err);
    if (status == LEAT_ABSENT) {
        leat_error_hint(err, kind == LEAT_LAG_SOURCE ? "It belongs to somebody else."
                                                     : "Run `leat apply`: it creates topics.");
        return err->status = LEAT_FATAL; /* no answer, rather than the answer no */
    }
    LEAT_TRY(status, err, "%s", like.name);
    for (int32_t p = 0; p < count && p < PARTITIONS_MAX; p++) {
        char lane[LANE_NAME_MAX];
        int32_t turn = p / ours;
        (void)snprintf(lane, sizeof lane, turn == 0 ? "%s" : "%s#%d", like.topic, (int)turn);
        like.partition = p;
        like.next = next_of(answer, lane, p - turn * ours);
        like.kind = turn == 0 ? kind : LEAT_LAG_SOURCE;
        LEAT_TRY(add_lane(l, like, err), err, "lane");
    }
    return LEAT_OK;
}

/* The processor that handles a source's (first) type reads it. */
static bool reads_source(const struct leat_topology *t, const struct leat_processor *p,
                         const struct leat_source *s)
{
    struct leat_str type = s->type.len > 0 || s->n_routes == 0 ? s->type : s->routes[0].type;
    return leat_topology_handler(t, type) == p;
}

static leat_status add_processor(struct leat_lag *l, const struct leat_processor *p,
                                 const int32_t *ks, struct leat_error *err)
{
    const struct leat_topology *t = l->s->topology;
    struct leat_fence_ask ask = {.processor = p->name, .ks = ks, .n = (size_t)t->partitions};
    struct leat_fence_answer answer = {0};
    struct leat_lag_row like = {.kind = LEAT_LAG_LANE, .name = p->name.at};
    leat_status status = leat_store_fences(l->s->store, &ask, l->s->arena, &answer, err);
    if (status == LEAT_ABSENT) {
        leat_error_hint(err, "Run `leat apply`: processor '%s' is new.", p->name.at);
        return err->status = LEAT_FATAL;
    }
    LEAT_TRY(status, err, "%s", p->name.at);
    for (uint32_t c = 0; p->topics != NULL && c < p->priorities.n; c++) {
        like.topic = p->topics[c].at;
        like.priority = p->priorities.at[c].name.at;
        LEAT_TRY(add_lanes(l, like, &answer, err), err, "%s", p->name.at);
    }
    like.priority = NULL;
    like.topic = t->events_topic.at;
    if (p->events.n > 0)
        LEAT_TRY(add_lanes(l, like, &answer, err), err, "%s", p->name.at);
    like.kind = LEAT_LAG_SOURCE;
    for (uint32_t i = 0; i < t->n_sources; i++) {
        like.topic = t->sources[i].topic.at;
        if (reads_source(t, p, &t->sources[i]))
            LEAT_TRY(add_lanes(l, like, &answer, err), err, "%s", p->name.at);
    }
    return LEAT_OK;
}

/* ---- relay and read models: positions against the head of the slice ---- */

static leat_status event_age(struct leat_lag *l, int32_t slice, int64_t after, int64_t *ret_ms,
                             struct leat_error *err)
{
    struct leat_stored_event *event = NULL;
    size_t n = 0;
    struct leat_store_page page = {.slice = slice, .after = after, .upto = -1, .limit = 1};
    LEAT_TRY(leat_store_slice(l->s->store, &page, l->s->arena, &event, &n, err), err, "slice %d",
             slice);
    if (n == 1) {
        *ret_ms =
            event->recorded_at_us / 1000 < l->now_ms ? l->now_ms - event->recorded_at_us / 1000 : 0;
    }
    return LEAT_OK;
}

static leat_status add_events(struct leat_lag *l, leat_lag_kind kind, const char *name,
                              const struct leat_published *p, int64_t seq, struct leat_error *err)
{
    struct leat_lag_row *row = add_row(l);
    row->kind = kind;
    row->name = name;
    row->topic = l->s->topology->events_topic.at;
    row->partition = p->slice;
    row->next = seq + 1;
    row->end = p->head_seq + 1;
    row->waiting = p->head_seq > seq ? p->head_seq - seq : 0;
    row->age_ms = 0;
    return row->waiting == 0 ? LEAT_OK : event_age(l, p->slice, seq, &row->age_ms, err);
}

static leat_status add_relay(struct leat_lag *l, const struct leat_published *p,
                             struct leat_error *err)
{
    LEAT_TRY(add_events(l, LEAT_LAG_RELAY, "relay", p, p->seq, err), err, "relay");
    struct leat_lag_row *row = add_row(l);
    row->kind = LEAT_LAG_OUTBOX;
    row->name = "relay";
    row->topic = "";
    row->partition = p->slice;
    row->next = p->outbox_seq + 1;
    row->end = p->head_outbox + 1;
    row->waiting = p->head_outbox > p->outbox_seq ? p->head_outbox - p->outbox_seq : 0;
    row->age_ms = row->waiting == 0 ? 0 : LEAT_AGE_UNKNOWN; /* rows have no time of their own */
    return LEAT_OK;
}

/* A model that is not kept on this machine is left out. */
static leat_status add_model(struct leat_lag *l, const struct leat_projection *projection,
                             const struct leat_published *published, struct leat_error *err)
{
    const struct leat_topology *t = l->s->topology;
    struct leat_model *m = NULL;
    struct leat_error absent = {0};
    if (leat_model_open(t, projection->name.at, l->s->data_dir, &m, &absent) != LEAT_OK)
        return LEAT_OK;
    int64_t complete_ms = 0;
    size_t count = (size_t)t->partitions;
    int64_t *seqs = leat_arena_zalloc(l->s->arena, count, sizeof *seqs);
    struct leat_uuid *ids = leat_arena_zalloc(l->s->arena, count, sizeof *ids);
    leat_status status = leat_model_position(m, seqs, ids, &complete_ms, err);
    for (size_t i = 0; i < count && status == LEAT_OK; i++) {
        status = add_events(l, LEAT_LAG_MODEL, projection->name.at, &published[i],
                            seqs[published[i].slice], err);
    }
    leat_model_close(m);
    return status;
}

static leat_status collect(struct leat_lag *l, struct leat_error *err)
{
    const struct leat_topology *t = l->s->topology;
    size_t count = (size_t)t->partitions;
    int32_t *ks = leat_arena_zalloc(l->s->arena, count, sizeof *ks);
    for (int32_t k = 0; k < t->partitions; k++)
        ks[k] = k;
    for (uint32_t i = 0; i < t->n_processors; i++)
        LEAT_TRY(add_processor(l, &t->processors[i], ks, err), err, "processor");
    struct leat_published *published = NULL;
    LEAT_TRY(leat_store_published(l->s->store, ks, count, l->s->arena, &published, err), err,
             "store");
    for (size_t i = 0; i < count; i++)
        LEAT_TRY(add_relay(l, &published[i], err), err, "store");
    for (uint32_t i = 0; i < t->n_projections; i++)
        LEAT_TRY(add_model(l, &t->projections[i], published, err), err, "model");
    return LEAT_OK;
}

struct leat_lag_sum leat_lag_sum(const struct leat_lag *l, leat_lag_kind kind, const char *name)
{
    struct leat_lag_sum sum = {0};
    for (size_t i = 0; i < l->n; i++) {
        const struct leat_lag_row *row = &l->rows[i];
        if (row->kind != kind || (name != NULL && strcmp(name, row->name) != 0))
            continue;
        sum.waiting += row->waiting;
        sum.age_ms = row->age_ms > sum.age_ms ? row->age_ms : sum.age_ms;
    }
    return sum;
}

leat_status leat_lag_collect(struct leat_session *s, struct leat_admin *admin, struct leat_lag *ret,
                             struct leat_error *err)
{
    struct leat_lag l = {.s = s, .admin = admin, .now_ms = leat_now_ms()};
    leat_status status = collect(&l, err);
    if (status == LEAT_OK)
        *ret = l;
    return status;
}
