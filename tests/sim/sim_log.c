#include <stdlib.h>

#include "base/record_headers.h"
#include "check.h"
#include "log.h"

void sim_log_init(struct sim *w)
{
    struct sim_log *log = leat_arena_zalloc(w->arena, 1, sizeof *log);
    for (int32_t t = 0; t < SIM_TOPICS; t++) {
        int32_t n = sim_topic_partitions(t);
        log->topics[t] = leat_arena_zalloc(w->arena, (size_t)n, sizeof *log->topics[t]);
        for (int32_t k = 0; k < n; k++) {
            log->topics[t][k].records =
                leat_arena_alloc(w->arena, SIM_RECORDS_MAX * sizeof(struct sim_record *));
        }
    }
    for (int32_t g = 0; g < SIM_GROUPS; g++) {
        log->groups[g].name =
            g < SIM_PROCESSORS ? sim_topology()->processors[g].group : sim_topology()->relay_group;
    }
    w->log = log;
}

struct sim_partition *sim_log_partition(const struct sim *w, int32_t topic, int32_t k)
{
    leat_assert(topic >= 0 && topic < SIM_TOPICS && k >= 0 && k < sim_topic_partitions(topic));
    return &w->log->topics[topic][k];
}

static bool number_of(const struct sim_record *r, struct leat_str name, int64_t *ret)
{
    struct leat_str text;
    char digits[24] = {0};
    if (!leat_headers_find(r->headers, name, &text) || text.len >= sizeof digits)
        return false;
    memcpy(digits, text.at, text.len);
    *ret = strtoll(digits, NULL, 10);
    return true;
}

bool sim_position_of(const struct sim_record *r, struct sim_position *ret)
{
    struct leat_str id, store;
    return number_of(r, LEAT_STR("leat-seq"), &ret->seq) &&
           number_of(r, LEAT_STR("ce_time"), &ret->recorded_at_us) &&
           leat_headers_find(r->headers, LEAT_STR("ce_id"), &id) &&
           leat_headers_find(r->headers, LEAT_STR("leat-store"), &store) &&
           leat_uuid_parse(id, &ret->event_id) && leat_uuid_parse(store, &ret->store_id);
}

int64_t sim_log_append(struct sim *w, const struct sim_message *m)
{
    struct sim_partition *p = sim_log_partition(w, m->topic, m->partition);
    if (p->end == SIM_RECORDS_MAX) {
        sim_fail(w, "flood", "%s %d: %d records, and no end", sim_topic_name(m->topic),
                 m->partition, SIM_RECORDS_MAX);
        return p->end - 1;
    }
    struct sim_record *r = leat_arena_zalloc(w->arena, 1, sizeof *r);
    *r = (struct sim_record){.key = leat_arena_copy(w->arena, m->key),
                             .headers = leat_arena_copy(w->arena, m->headers),
                             .value = leat_arena_copy(w->arena, m->value),
                             .key_null = m->key_null,
                             .timestamp_ms = sim_now_ms(w)};
    p->records[p->end] = r;
    w->log->produced++;
    return p->end++;
}

void sim_log_lose_tail(struct sim *w, int32_t k, int64_t n)
{
    struct sim_partition *p = sim_log_partition(w, SIM_TOPIC_EVENTS, k);
    if (n > p->end)
        n = p->end;
    sim_trace(w, "Kafka loses the last %lld records of events %d", (long long)n, k);
    p->end -= n;
    w->log->lost += n;
}

/* ---- producers ---- */

struct sending {
    struct sim_producer *producer; /* valid in the actor's life only */
    struct sim_actor *actor;
    uint64_t life, turn;
    struct leat_arena *arena;
    struct sim_message m;
    sim_acked acked;
    bool (*producer_refuses)(const struct sim_message *m);
    void *who, *opaque;
    bool again, failed, refused;
};

static void drop_sending(void *data)
{
    struct sending *s = data;
    leat_arena_free(s->arena);
}

static void ack(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sending *s = data;
    if (!s->failed || s->turn == s->producer->turn) { /* failures of former turns are known */
        s->acked(w, s->who, s->opaque,
                 s->failed    ? SIM_DELIVERY_FAILED
                 : s->refused ? SIM_DELIVERY_REFUSED
                              : SIM_DELIVERED);
    }
    drop_sending(s);
}

static void answer(struct sim *w, struct sending *s)
{
    struct sim_task t = {.actor = s->actor,
                         .life = s->life,
                         .what = "ack",
                         .fire = ack,
                         .data = s,
                         .drop = drop_sending};
    sim_after(w, sim_net_delay(w), &t);
}

static void arrive(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sending *s = data;
    s->refused = s->producer_refuses != NULL && s->producer_refuses(&s->m);
    if (!s->refused)
        (void)sim_log_append(w, &s->m);
    if (s->again && !s->refused) { /* the broker has forgotten the producer's sequence numbers */
        (void)sim_log_append(w, &s->m);
        w->log->copies++;
    }
    answer(w, s);
}

/* It leaves the process (one that has stopped sends nothing); from here on the world carries it,
 * and it outlives its sender. */
static void leave(struct sim *w, void *who, void *data)
{
    (void)who;
    struct sending *s = data;
    struct sim_producer *p = s->producer;
    bool breaks = p->broken != s->turn && sim_faulty(w, SIM_FAULT_CUT, 3);
    s->failed = breaks || p->broken == s->turn;
    if (breaks)
        p->broken = s->turn;
    if (s->failed && !(breaks && sim_rng_permille(&w->trouble, 500))) {
        answer(w, s); /* never arrived; the one that broke it may have */
        return;
    }
    int64_t *last = &p->last_us[s->m.topic][s->m.partition];
    int64_t at = w->now_us + sim_net_delay(w);
    if (sim_faulty(w, SIM_FAULT_COPY, 5))
        at += sim_rng_in(&w->trouble, 0, 3000) * SIM_MS; /* stuck in a socket */
    if (at < w->kafka_back_us)
        at = w->kafka_back_us + sim_net_delay(w);
    *last = at > *last ? at : *last + 1;
    struct sim_task t = {.what = "produce", .fire = arrive, .data = s, .drop = drop_sending};
    sim_after(w, *last - w->now_us, &t);
}

void sim_produce(struct sim *w, struct sim_producer *p, const struct sim_message *m, void *opaque)
{
    struct leat_arena *arena = leat_arena_new(1024, 0);
    struct sending *s = leat_arena_zalloc(arena, 1, sizeof *s);
    *s = (struct sending){.producer = p,
                          .actor = p->actor,
                          .life = p->actor->life,
                          .turn = p->turn,
                          .arena = arena,
                          .m = *m,
                          .acked = p->acked,
                          .producer_refuses = p->refuses,
                          .who = p->who,
                          .opaque = opaque,
                          .again = sim_faulty(w, SIM_FAULT_COPY, 10)};
    s->m.key = leat_arena_copy(arena, m->key);
    s->m.headers = leat_arena_copy(arena, m->headers);
    s->m.value = leat_arena_copy(arena, m->value);
    struct sim_task t = {
        .actor = p->actor, .what = "send", .fire = leave, .data = s, .drop = drop_sending};
    sim_after(w, 200, &t);
}
