/* sim_records.c - what an executor's flow is given: records of Kafka, events and waiting messages
 * of the store, each a copy of its own. */
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/record_headers.h"
#include "check.h"
#include "cluster.h"

/* ---- records ---- */

struct taken { /* the flow's own copy: used after release, it is freed memory */
    struct leat_str headers;
    char seq[24]; /* planted: what is taken for leat-seq; "" = not */
    char bytes[];
};

bool sim_record_header(void *arg, const struct leat_incoming *r, const char *name,
                       struct leat_str *ret_value)
{
    (void)arg;
    const struct taken *t = r->handle;
    if (t->seq[0] != '\0' && strcmp(name, "leat-seq") == 0) {
        *ret_value = leat_str_of(t->seq);
        return true;
    }
    return leat_headers_find(t->headers, leat_str_of(name), ret_value);
}

void sim_record_pack(void *arg, const struct leat_incoming *r, struct leat_buf *out)
{
    (void)arg;
    const struct taken *t = r->handle;
    leat_buf_put(out, t->headers.at, t->headers.len);
}

void sim_record_release(void *arg, struct leat_incoming *r)
{
    struct sim_executor *e = arg;
    e->out--;
    free(r->handle);
    r->handle = NULL;
}

static struct leat_str put(char **at, struct leat_str s)
{
    char *start = *at;
    if (s.len > 0)
        memcpy(start, s.at, s.len);
    *at += s.len;
    return (struct leat_str){start, s.len};
}

static struct leat_incoming take_record(struct sim_executor *e, const struct sim_record *r,
                                        int64_t offset)
{
    struct taken *t = malloc(sizeof *t + r->headers.len + r->key.len + r->value.len);
    leat_assert(t != NULL);
    t->seq[0] = '\0';
    char *at = t->bytes;
    t->headers = put(&at, r->headers);
    struct leat_incoming in = {.offset = offset,
                               .timestamp_ms = r->timestamp_ms,
                               .key = put(&at, r->key),
                               .value = put(&at, r->value),
                               .key_null = r->key_null,
                               .handle = t};
    e->out++;
    return in;
}

/* Planted: the owner of one partition handles what belongs to another, under a key that its own
 * partition function takes for one of its own; the store knows better whose stream it is. */
static void take_stray(struct sim_executor *e, size_t lane, struct sim_record *r)
{
    static char alias[24];
    int32_t k = e->lanes[lane].k;
    if (!sim_off(e->worker->w, SIM_D_FORWARD) || r->key_null || r->key.len == 0 ||
        e->lanes[lane].topic >= SIM_TOPIC_EVENTS || leat_partition(r->key, SIM_PARTITIONS) == k)
        return;
    for (int i = 0; i < 1000; i++) {
        int n = snprintf(alias, sizeof alias, "%.*s~%d", LEAT_STR_FMT(r->key), i);
        struct leat_str key = {alias, (uint32_t)n};
        if (leat_partition(key, SIM_PARTITIONS) == k) {
            r->key = key;
            return;
        }
    }
}

/* False: none of ours to see. */
static bool take_one(struct sim_executor *e, size_t lane, const struct sim_record *from,
                     int64_t offset, struct leat_incoming *ret)
{
    struct sim *w = e->worker->w;
    int32_t k = e->lanes[lane].k;
    struct sim_record r = *from;
    struct sim_position at;
    if (e->lanes[lane].topic == SIM_TOPIC_EVENTS) {
        /* Of another store: what the slice had lost there has no seq here. */
        if (!sim_off(w, SIM_D_STORE_ID) && sim_position_of(from, &at) &&
            !leat_uuid_eq(&at.store_id, &e->ks[k].store_id))
            return false;
    }
    take_stray(e, lane, &r);
    *ret = take_record(e, &r, offset);
    if (e->lanes[lane].topic == SIM_TOPIC_EVENTS && sim_off(w, SIM_D_SEQ_LANE)) {
        struct taken *t = ret->handle;
        (void)snprintf(t->seq, sizeof t->seq, "%lld", (long long)++e->lanes[lane].count);
    }
    return true;
}

void sim_take_lane(struct sim_executor *e, size_t lane)
{
    struct sim *w = e->worker->w;
    struct leat_incoming in[64];
    if (e->lanes[lane].topic < 0)
        return; /* the flow's own: the waiting room */
    int32_t quota = leat_flow_quota(e->flow, lane, sim_wall_ms(&e->worker->actor, w));
    if (quota <= 0 || sim_kafka_away(w))
        return;
    const struct sim_partition *p = sim_log_partition(w, e->lanes[lane].topic, e->lanes[lane].k);
    int64_t position = leat_flow_position(e->flow, lane), at = position;
    /* What a seek has left in a queue comes along now and then. */
    if (at > 0 && !sim_off(w, SIM_D_SEQ_LANE) && sim_rng_permille(&w->net, 20))
        at -= at > 3 ? sim_rng_in(&w->net, 1, 3) : 1;
    /* Fetches bring what they bring: often not everything there is. */
    size_t max = (size_t)sim_rng_in(&w->net, 1, quota < 24 ? quota : 24), n = 0;
    for (; n < max && at < p->end; at++)
        n += take_one(e, lane, p->records[at], at, &in[n]);
    bool made_again = w->cluster->recreated.done &&
                      w->cluster->recreated.topic == e->lanes[lane].topic &&
                      w->cluster->recreated.k == e->lanes[lane].k;
    if (n > 0 && !leat_flow_offer(e->flow, lane, in, n, sim_wall_ms(&e->worker->actor, w)) &&
        !made_again) {
        sim_fail(w, "lane", "%s stops %s %d: %s", e->worker->name,
                 sim_topic_name(e->lanes[lane].topic), e->lanes[lane].k,
                 leat_flow_lane_stopped(e->flow, lane));
    }
}

/* ---- from the store ---- */

struct leat_incoming sim_fetched(struct sim_executor *e, const struct leat_stored_event *stored)
{
    struct leat_buf headers;
    const char *dash = memchr(stored->stream.at, '-', stored->stream.len);
    uint32_t skip = (uint32_t)(dash + 1 - stored->stream.at);
    leat_buf_init(&headers, 4096);
    sim_headers(&headers, &stored->id, stored->type);
    sim_headers_event(&headers, &e->ks[stored->slice].store_id, stored->seq,
                      stored->recorded_at_us);
    struct sim_record r = {.key = {stored->stream.at + skip, stored->stream.len - skip},
                           .headers = leat_buf_str(&headers),
                           .value = stored->payload,
                           .timestamp_ms = stored->recorded_at_us / 1000};
    struct leat_incoming in = take_record(e, &r, 0);
    leat_buf_done(&headers);
    return in;
}

struct leat_flow_waiter sim_waiter(struct sim_executor *e, const struct leat_waiting_row *row,
                                   size_t asked)
{
    struct leat_flow_waiter v = {.asked = asked, .row = *row};
    struct leat_str *texts[] = {&v.row.key,        &v.row.type,  &v.row.priority, &v.row.topic,
                                &v.row.error_code, &v.row.error, &v.row.headers,  &v.row.value};
    const size_t n = sizeof texts / sizeof texts[0];
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += texts[i]->len;
    struct taken *t = malloc(sizeof *t + bytes + 1);
    leat_assert(t != NULL);
    char *at = t->bytes;
    for (size_t i = 0; i < n; i++)
        *texts[i] = put(&at, *texts[i]);
    t->headers = v.row.headers;
    t->seq[0] = '\0';
    e->out++;
    v.in = (struct leat_incoming){.offset = row->offset,
                                  .timestamp_ms = row->received_at_ms,
                                  .key = v.row.key,
                                  .value = v.row.value,
                                  .value_null = row->value_null,
                                  .handle = t};
    return v;
}
