#include "relay/relay.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "base/units.h"
#include "relay/relay_internal.h"

int64_t leat_relay_now_ms(void)
{
    return leat_mono_us() / 1000;
}

/* ---- the store ---- */

/* What answers now may be another server that lacks the last commits of the one before, with the
 * same epochs: positions we remember would make it skip what it appends anew. Every slice is
 * acquired again, which reads them from it and compares the topic's end with it. */
static void start_over(struct leat_relay *r)
{
    leat_relay_let_go(r);
    for (int32_t k = 0; k < r->partitions; k++)
        leat_ownership_lost(&r->ownership, k, 0);
}

bool leat_relay_connected(struct leat_relay *r)
{
    struct leat_error err = {0};
    if (leat_relay_now_ms() < r->retry_at_ms)
        return false;
    if (leat_store_connected(r->store))
        return true;
    if (leat_store_reconnect(r->store, &err) == LEAT_OK)
        start_over(r); /* and what the caller had in mind is of before */
    else
        leat_relay_store_trouble(r, "connect", &err);
    return false;
}

void leat_relay_store_trouble(struct leat_relay *r, const char *what, const struct leat_error *err)
{
    int64_t wait = 50LL << (r->failures < 6 ? r->failures : 6);
    leat_log_limited(LEAT_LOG_WARN, "relay", "store-trouble", "%s: %s", what, err->msg);
    r->failures++;
    r->retry_at_ms = leat_relay_now_ms() + wait;
    leat_ownership_failed(&r->ownership, leat_relay_now_ms());
}

/* ---- positions ---- */

static size_t positions(struct leat_relay *r, struct leat_published *moves)
{
    size_t n = 0;
    for (int32_t k = 0; k < r->partitions; k++) {
        struct relay_slice *s = &r->slices[k];
        (void)pthread_mutex_lock(&s->mutex);
        if (s->owned && (leat_window_to_record(&s->events) || leat_window_to_record(&s->outbox))) {
            moves[n++] = (struct leat_published){.slice = k,
                                                 .epoch = s->epoch,
                                                 .seq = s->events.acked,
                                                 .outbox_seq = s->outbox.acked};
        }
        (void)pthread_mutex_unlock(&s->mutex);
    }
    return n;
}

static void recorded(struct leat_relay *r, const struct leat_published *move)
{
    struct relay_slice *s = &r->slices[move->slice];
    (void)pthread_mutex_lock(&s->mutex);
    if (move->claimed) {
        leat_window_recorded(&s->events, move->seq);
        leat_window_recorded(&s->outbox, move->outbox_seq);
    } else if (s->owned && s->epoch == move->epoch) {
        s->owned = false; /* another relay has it; if Kafka still gives it to us we ask again */
        leat_ownership_lost(&r->ownership, move->slice, 0);
    }
    (void)pthread_mutex_unlock(&s->mutex);
}

static void record(struct leat_relay *r)
{
    struct leat_error err = {0};
    leat_arena_reset(r->arena);
    struct leat_published *moves =
        leat_arena_alloc(r->arena, (size_t)r->partitions * sizeof *moves);
    size_t n = positions(r, moves);
    if (n == 0 || !leat_relay_connected(r))
        return;
    if (leat_store_record(r->store, moves, n, &err) != LEAT_OK) {
        leat_relay_store_trouble(r, "record positions", &err);
        return;
    }
    (void)atomic_fetch_add(&r->n_records, 1);
    r->failures = 0;
    for (size_t i = 0; i < n; i++)
        recorded(r, &moves[i]);
}

/* ---- heads: what other processes appended ---- */

/* A slice whose writer sits in this process is about to be offered what the store shows already:
 * only what was there a poll ago and still has not gone out is read. */
static void head_of(struct leat_relay *r, const struct leat_published *p)
{
    struct relay_slice *s = &r->slices[p->slice];
    (void)pthread_mutex_lock(&s->mutex);
    if (s->owned && s->epoch != p->epoch) { /* a stopped slice records nothing and learns it here */
        s->owned = false;
        leat_ownership_lost(&r->ownership, p->slice, 0);
    }
    bool local = leat_relay_now_ms() - s->offered_ms < RELAY_BUSY_MS;
    leat_window_head(&s->events, local ? s->polled_events : p->head_seq);
    leat_window_head(&s->outbox, local ? s->polled_outbox : p->head_outbox);
    s->polled_events = p->head_seq;
    s->polled_outbox = p->head_outbox;
    (void)pthread_mutex_unlock(&s->mutex);
}

static void ask_heads(struct leat_relay *r)
{
    struct leat_error err = {0};
    size_t n = 0;
    leat_arena_reset(r->arena);
    int32_t *ks = leat_arena_alloc(r->arena, (size_t)r->partitions * sizeof *ks);
    for (int32_t k = 0; k < r->partitions; k++) {
        if (r->held[k].hold == LEAT_HOLD_OWNED)
            ks[n++] = k;
    }
    struct leat_published *p = NULL;
    if (n == 0 || !leat_relay_connected(r))
        return;
    if (leat_store_published(r->store, ks, n, r->arena, &p, &err) != LEAT_OK) {
        leat_relay_store_trouble(r, "read heads", &err);
        return;
    }
    for (size_t i = 0; i < n; i++)
        head_of(r, &p[i]);
}

static void catch_up(struct leat_relay *r, int64_t now_ms)
{
    struct leat_error err = {0};
    size_t sent = 0;
    if (now_ms < r->retry_at_ms || !leat_store_connected(r->store))
        return;
    if (leat_relay_catch_up(r, &sent, &err) != LEAT_OK)
        leat_relay_store_trouble(r, "read", &err);
    if (sent > 0)
        r->moved_ms = now_ms;
}

/* ---- the thread ---- */

/* As a worker does (worker.c): joins again, without an instance id that another process has. What
 * is in flight may still arrive: readers drop copies by seq. */
static void replace_member(struct leat_relay *r, const struct leat_error *why)
{
    leat_log_error(LEAT_LOG_ERROR, "relay", "member-ended", why);
    if (leat_group_replaced(r->group))
        r->c.instance_id = NULL;
    leat_group_free(LEAT_TAKE(r->group), false, r->c.session_timeout_ms);
    leat_relay_let_go(r);
    leat_ownership_rejoined(&r->ownership);
}

static void serve_group(struct leat_relay *r)
{
    struct leat_error err = {0};
    if (r->group == NULL && leat_relay_join(r, &err) != LEAT_OK) {
        leat_log_limited(LEAT_LOG_ERROR, "relay", "join-failed", "%s", err.msg);
        return;
    }
    leat_status status = leat_group_poll(r->group, 0, &err);
    if (status == LEAT_FATAL) {
        replace_member(r, &err);
        return;
    }
    if (status != LEAT_OK)
        leat_log_limited(LEAT_LOG_WARN, "relay", "group", "%s", err.msg);
    leat_relay_acquire(r);
    int32_t acquiring = 0;
    for (int32_t k = 0; k < r->partitions; k++)
        acquiring += r->held[k].hold != LEAT_HOLD_NONE && r->held[k].hold != LEAT_HOLD_OWNED;
    atomic_store(&r->acquiring, acquiring);
    if (r->rejoin) {
        r->rejoin = false;
        leat_group_free(LEAT_TAKE(r->group), true, r->c.session_timeout_ms);
        leat_relay_let_go(r);
        leat_ownership_rejoined(&r->ownership);
    }
}

/* Until deliveries have come or it is time again. Not within librdkafka: its waits end by the wall
 * clock, and one that is under way when that is set back lasts as much longer. */
static void wait_deliveries(struct leat_relay *r)
{
    uint64_t rings;
    struct pollfd bell = {.fd = r->bell, .events = POLLIN};
    if (leat_producer_poll(r->producer, 0) > 0 || poll(&bell, 1, RELAY_POLL_BUSY_MS) <= 0)
        return;
    (void)!read(r->bell, &rings, sizeof rings);
    (void)leat_producer_poll(r->producer, 0);
}

static void turn(struct leat_relay *r)
{
    uint64_t moves = atomic_load(&r->n_moves);
    wait_deliveries(r); /* offers are sent by those who make them */
    int64_t now_ms = leat_relay_now_ms();
    if (moves != r->seen_moves)
        r->moved_ms = now_ms;
    r->seen_moves = moves;
    if (now_ms >= r->group_due_ms) {
        r->group_due_ms = now_ms + RELAY_POLL_BUSY_MS;
        serve_group(r);
    }
    leat_relay_mend(r, now_ms);
    if (now_ms >= r->heads_due_ms) {
        bool busy = now_ms - r->moved_ms < RELAY_BUSY_MS;
        r->heads_due_ms = now_ms + (busy ? RELAY_POLL_BUSY_MS : RELAY_POLL_IDLE_MS);
        ask_heads(r);
    }
    catch_up(r, now_ms);
    if (now_ms >= r->record_due_ms) {
        r->record_due_ms = now_ms + RELAY_RECORD_MS;
        leat_relay_watch(r, now_ms);
        record(r);
    }
}

static bool in_flight(struct leat_relay *r)
{
    bool any = false;
    for (int32_t k = 0; k < r->partitions; k++) {
        struct relay_slice *s = &r->slices[k];
        (void)pthread_mutex_lock(&s->mutex);
        any |= s->owned && s->stopped == NULL &&
               (s->events.acked < s->events.head || s->outbox.acked < s->outbox.head);
        (void)pthread_mutex_unlock(&s->mutex);
    }
    return any;
}

static void *relay_main(void *arg)
{
    struct leat_relay *r = arg;
    (void)pthread_setname_np(pthread_self(), "relay");
    while (!atomic_load(&r->quit))
        turn(r);
    while (in_flight(r) && leat_mono_us() < atomic_load(&r->quit_by_us)) {
        wait_deliveries(r);
        leat_relay_mend(r, leat_relay_now_ms());
        leat_relay_watch(r, leat_relay_now_ms());
        catch_up(r, leat_relay_now_ms());
    }
    record(r);
    leat_group_free(LEAT_TAKE(r->group), true, 3000);
    return NULL;
}

/* ---- start and stop ---- */

static void relay_done(struct leat_relay *r)
{
    r->renewing = true; /* what fails now is not sent again by us */
    leat_producer_free(r->producer, 500);
    leat_admin_free(r->admin);
    leat_store_close(r->store);
    leat_lineage_done(&r->lineage);
    leat_arena_free(r->arena);
    for (int32_t k = 0; k < r->partitions; k++) {
        (void)pthread_mutex_destroy(&r->slices[k].mutex);
        free(r->slices[k].stopped);
    }
    (void)pthread_rwlock_destroy(&r->producer_lock);
    (void)close(r->bell);
    free(r->slices);
    free(r->held);
    free((void *)(uintptr_t)r->kafka.props);
    free((void *)(uintptr_t)r->kafka_producer.props);
    free(r->client_id);
    free(r);
}

/* The broker refuses a batch that is larger than its topic allows, and with it records that are
 * not: no batch is made larger than the strictest of our topics takes. */
static const char *batch_bytes(const struct leat_topology *t, char text[24])
{
    const struct leat_topic_section *sections[RELAY_SECTIONS] = {&t->commands, &t->events, &t->dlq};
    int64_t least = RELAY_BATCH_BYTES;
    for (size_t i = 0; i < RELAY_SECTIONS; i++) {
        int64_t limit = least;
        const char *set = leat_props_get(&sections[i]->configs, "max.message.bytes", NULL);
        if (set != NULL && leat_parse_int(leat_str_of(set), &limit) == LEAT_UNITS_OK &&
            limit < least)
            least = limit;
    }
    (void)snprintf(text, 24, "%lld", (long long)(least > 0 ? least : 1));
    return text;
}

/* Later ones win: `first`, then what is common, then the role's own, then `last`. */
static struct leat_kafka_config kafka_config(struct leat_kafka_prop first,
                                             const struct leat_props *common,
                                             const struct leat_props *own,
                                             struct leat_kafka_prop last, const char *client_id)
{
    size_t n = 0;
    struct leat_kafka_prop *props = calloc((size_t)common->n + own->n + 2, sizeof *props);
    leat_assert(props != NULL);
    if (first.name != NULL)
        props[n++] = first;
    for (uint32_t i = 0; i < common->n; i++)
        props[n++] = (struct leat_kafka_prop){common->at[i].name, common->at[i].value};
    for (uint32_t i = 0; i < own->n; i++)
        props[n++] = (struct leat_kafka_prop){own->at[i].name, own->at[i].value};
    if (last.name != NULL)
        props[n++] = last;
    return (struct leat_kafka_config){props, n, client_id};
}

static void init_memory(struct leat_relay *r)
{
    const struct leat_kafka_section *k = &r->c.topology->kafka;
    r->partitions = r->c.topology->partitions;
    r->page = RELAY_READ_MIN;
    r->slices = calloc((size_t)r->partitions, sizeof *r->slices);
    r->held = calloc((size_t)r->partitions, sizeof *r->held);
    leat_assert(r->slices != NULL && r->held != NULL);
    for (int32_t i = 0; i < r->partitions; i++)
        (void)pthread_mutex_init(&r->slices[i].mutex, NULL);
    (void)pthread_rwlock_init(&r->producer_lock, NULL);
    r->bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    leat_assert(r->bell >= 0);
    leat_ownership_init(&r->ownership, r->held, r->partitions);
    r->arena = leat_arena_new(RELAY_ARENA_BLOCK, RELAY_ARENA_KEEP);
    if (r->c.session_timeout_ms <= 0)
        r->c.session_timeout_ms = 6000;
    const char *who = r->c.instance_id == NULL ? "dynamic" : r->c.instance_id;
    if (asprintf(&r->client_id, "%s@%s", r->c.topology->relay_group, who) < 0)
        r->client_id = NULL;
    struct leat_kafka_prop batch = {"batch.size", batch_bytes(r->c.topology, r->batch_bytes)};
    /* A record that gave up would be sent again behind those that were behind it: none gives up. */
    struct leat_kafka_prop patient = {"message.timeout.ms", "0"};
    struct leat_kafka_prop none = {0};
    r->kafka = kafka_config(none, &k->common, &k->consumer, none, r->client_id);
    r->kafka_producer = kafka_config(batch, &k->common, &k->producer, patient, r->client_id);
}

static leat_status init(struct leat_relay *r, struct leat_error *err)
{
    LEAT_TRY(leat_store_open(r->c.store, &r->store, err), err, "store");
    LEAT_TRY(leat_admin_new(&r->kafka, &r->admin, err), err, "Kafka");
    LEAT_TRY(leat_producer_new(&r->kafka_producer, leat_relay_delivered, r, &r->producer, err), err,
             "Kafka");
    leat_producer_wake_fd(r->producer, r->bell);
    return leat_relay_join(r, err);
}

leat_status leat_relay_start(const struct leat_relay_config *c, struct leat_relay **ret,
                             struct leat_error *err)
{
    struct leat_relay *r = calloc(1, sizeof *r);
    leat_assert(r != NULL);
    r->c = *c;
    init_memory(r);
    leat_status status = init(r, err);
    if (status == LEAT_OK)
        status = leat_thread_start(&r->thread, relay_main, r, err);
    if (status != LEAT_OK) {
        leat_group_free(r->group, true, 1000);
        relay_done(r);
        return status;
    }
    *ret = r;
    return LEAT_OK;
}

void leat_relay_stop(struct leat_relay *r, int timeout_ms)
{
    if (r == NULL)
        return;
    atomic_store(&r->quit_by_us, leat_mono_us() + (int64_t)timeout_ms * 1000);
    atomic_store(&r->quit, true);
    (void)pthread_join(r->thread, NULL); /* every wait of the thread is bounded */
    relay_done(r);
}

/* Slice lock held. For how long something was to be published and nothing was. */
static int64_t waits_ms(const struct relay_slice *s, int64_t now_ms)
{
    int64_t events = s->events.acked < s->events.head ? now_ms - s->events_at.since_ms : 0;
    int64_t outbox = s->outbox.acked < s->outbox.head ? now_ms - s->outbox_at.since_ms : 0;
    return events > outbox ? events : outbox;
}

void leat_relay_figures(struct leat_relay *r, struct leat_relay_figures *ret)
{
    *ret = (struct leat_relay_figures){.joined = atomic_load(&r->joined),
                                       .slices_acquiring = atomic_load(&r->acquiring),
                                       .events = atomic_load(&r->n_events),
                                       .commands = atomic_load(&r->n_commands),
                                       .store_reads = atomic_load(&r->n_reads),
                                       .records = atomic_load(&r->n_records),
                                       .events_again = atomic_load(&r->n_again)};
    int64_t now_ms = leat_relay_now_ms();
    for (int32_t k = 0; k < r->partitions; k++) {
        struct relay_slice *s = &r->slices[k];
        (void)pthread_mutex_lock(&s->mutex);
        ret->slices_owned += s->owned;
        if (s->stopped != NULL && ret->stopped == NULL)
            ret->stopped = "a slice's topic and store differ: see the log";
        int64_t ms = s->owned && s->stopped == NULL ? waits_ms(s, now_ms) : 0;
        ret->slices_waiting += ms >= RELAY_WAITING_MS;
        if (ms > ret->waiting_ms)
            ret->waiting_ms = ms;
        (void)pthread_mutex_unlock(&s->mutex);
    }
}
