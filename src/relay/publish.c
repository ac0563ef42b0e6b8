/* Sending and what comes back. Senders are executors (fresh batches, from memory) and the relay's
 * own thread (what the store has and nobody offered); the slice's lock keeps them in seq order. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/record_headers.h"
#include "relay/relay_internal.h"

static void *word_of(int32_t slice, uint32_t generation, int64_t seq, bool outbox)
{
    uint64_t word = (uint64_t)seq | ((uint64_t)generation << RELAY_SEQ_BITS) |
                    ((uint64_t)slice << RELAY_SLICE_SHIFT) | (outbox ? RELAY_KIND_OUTBOX : 0);
    return (void *)(uintptr_t)word;
}

static int32_t slice_of(uint64_t word)
{
    return (int32_t)((word >> RELAY_SLICE_SHIFT) & 0xffff);
}

static uint32_t generation_of(uint64_t word)
{
    return (uint32_t)(word >> RELAY_SEQ_BITS) & RELAY_GENERATIONS;
}

static int64_t seq_of(uint64_t word)
{
    return (int64_t)(word & ((1ull << RELAY_SEQ_BITS) - 1));
}

static void put(struct leat_buf *out, const char *name, const char *value, size_t len)
{
    leat_headers_put(out, leat_str_of(name), (struct leat_str){value, (uint32_t)len});
}

static void put_number(struct leat_buf *out, const char *name, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)value);
    put(out, name, text, (size_t)n);
}

static void put_id(struct leat_buf *out, const char *name, const struct leat_uuid *id)
{
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(id, text);
    put(out, name, text, LEAT_UUID_TEXT - 1);
}

/* What a reader needs, no more: each header costs an allocation on either side. */
static void put_headers(struct leat_buf *out, const struct relay_slice *s,
                        const struct leat_stored_event *e)
{
    put_id(out, "ce_id", &e->id);
    leat_headers_put(out, LEAT_STR("ce_type"), e->type);
    put_number(out, "leat-seq", e->seq);
    put_number(out, "leat-version", e->version);
    put(out, "leat-store", s->store_text, LEAT_UUID_TEXT - 1);
    put_id(out, "leat-causation", &e->command_id);
    if (!leat_uuid_eq(&e->correlation_id, &e->command_id))
        put_id(out, "leat-correlation", &e->correlation_id);
}

/* Slice lock held. Nothing can publish it: readers find an event in the store, an outbox row is put
 * aside with its reason. The store's connection is the relay thread's: an executor leaves the row
 * to it, which reads it, sends it and is refused again. */
static void refused(struct leat_relay *r, const struct leat_outgoing *o, const char *what)
{
    uint64_t word = (uint64_t)(uintptr_t)o->opaque;
    int32_t slice = slice_of(word);
    int64_t seq = seq_of(word);
    bool outbox = (word & RELAY_KIND_OUTBOX) != 0;
    struct relay_slice *s = &r->slices[slice];
    struct leat_error err = {0};
    struct leat_outbox_row *row = NULL;
    size_t n = 0;
    if (outbox && !pthread_equal(pthread_self(), r->thread)) {
        s->failed = true;
        return;
    }
    leat_log_kv(LEAT_LOG_ERROR, "relay", outbox ? "outbox-refused" : "event-refused",
                LEAT_LOG_FIELDS(LEAT_LOG_INT("slice", slice), LEAT_LOG_INT("seq", seq)),
                "the broker refuses a record for good: %s", what);
    leat_status status = LEAT_OK;
    if (outbox) {
        status = leat_store_outbox(
            r->store, &(struct leat_store_page){.slice = slice, .after = seq - 1, .limit = 1},
            r->arena, &row, &n, &err);
    }
    if (outbox && status == LEAT_OK && n == 1 && row->seq == seq)
        status = leat_store_refuse(r->store, slice, s->epoch, row, what, &err);
    if (status == LEAT_OK) {
        leat_window_ack(outbox ? &s->outbox : &s->events, seq);
        return;
    }
    leat_log_error(LEAT_LOG_ERROR, "relay", "refused-not-kept", &err);
    s->failed = true; /* sent again, refused again, until it can be put aside */
}

/* Slice lock held. A full local queue ends the run; a record refused at once counts as sent. */
static size_t hand_over(struct leat_relay *r, const struct leat_outgoing *out, size_t n)
{
    size_t done = 0;
    (void)pthread_rwlock_rdlock(&r->producer_lock);
    while (done < n) {
        struct leat_error err = {0};
        size_t sent = 0;
        leat_status status = leat_producer_send(r->producer, out + done, n - done, &sent, &err);
        done += sent;
        if (status != LEAT_INVALID)
            break;
        refused(r, &out[done++], err.msg);
    }
    (void)pthread_rwlock_unlock(&r->producer_lock);
    return done;
}

static size_t send_some(struct leat_relay *r, int32_t slice, const struct leat_stored_event *events,
                        size_t n, struct leat_buf *headers)
{
    struct relay_slice *s = &r->slices[slice];
    struct leat_outgoing out[RELAY_SEND_MAX];
    size_t at[RELAY_SEND_MAX + 1];
    leat_buf_clear(headers);
    for (size_t i = 0; i < n; i++) {
        at[i] = headers->len;
        put_headers(headers, s, &events[i]);
    }
    at[n] = headers->len;
    for (size_t i = 0; i < n; i++) {
        out[i] =
            (struct leat_outgoing){.topic = r->c.topology->events_topic.at,
                                   .partition = slice,
                                   .key = leat_stored_key(events[i].stream),
                                   .value = events[i].payload,
                                   .headers = {headers->at + at[i], (uint32_t)(at[i + 1] - at[i])},
                                   .timestamp_ms = events[i].recorded_at_us / 1000,
                                   .opaque = word_of(slice, s->generation, events[i].seq, false)};
    }
    /* Sent before handed over: the answer may come at once. */
    leat_window_sent(&s->events, (int64_t)n);
    size_t done = hand_over(r, out, n);
    s->events.next -= (int64_t)(n - done);
    return done;
}

static size_t send_events(struct leat_relay *r, int32_t slice,
                          const struct leat_stored_event *events, size_t n)
{
    struct relay_slice *s = &r->slices[slice];
    struct leat_buf headers;
    size_t done = 0;
    leat_buf_init(&headers, RELAY_HEADERS_MAX);
    while (done < n) {
        size_t some = n - done < RELAY_SEND_MAX ? n - done : RELAY_SEND_MAX;
        int64_t room = leat_window_room(&s->events);
        if ((int64_t)some > room)
            some = (size_t)room;
        leat_assert(some == 0 || events[done].seq == s->events.next);
        size_t sent = some == 0 ? 0 : send_some(r, slice, events + done, some, &headers);
        done += sent;
        if (sent < some || some == 0)
            break;
    }
    leat_buf_done(&headers);
    return done;
}

/* Slice lock held. */
static size_t send_rows(struct leat_relay *r, int32_t slice, const struct leat_outbox_row *rows,
                        size_t n)
{
    struct relay_slice *s = &r->slices[slice];
    size_t done = 0;
    while (done < n && leat_window_room(&s->outbox) > 0) {
        const struct leat_outbox_row *row = &rows[done];
        leat_assert(row->seq == s->outbox.next);
        char topic[256];
        (void)snprintf(topic, sizeof topic, "%.*s", LEAT_STR_FMT(row->topic));
        struct leat_outgoing out = {.topic = topic,
                                    .partition = row->partition,
                                    .key = row->key,
                                    .value = row->value,
                                    .headers = row->headers,
                                    .key_null = row->key_null,
                                    .value_null = row->value_null,
                                    .opaque = word_of(slice, s->generation, row->seq, true)};
        leat_window_sent(&s->outbox, 1);
        if (hand_over(r, &out, 1) == 0) {
            s->outbox.next--;
            break;
        }
        done++;
    }
    return done;
}

/* ---- offers: fresh batches from memory ---- */

struct offer { /* what one slice got, in seq order */
    struct leat_stored_event *events;
    struct leat_outbox_row *rows;
    size_t events_n, rows_n;
    bool unknown; /* some version is not known here */
};

static void collect_events(struct offer *o, const struct leat_batch *b,
                           const struct leat_reply *reply, size_t fence)
{
    const struct leat_reply_fence *f = &reply->fences[fence];
    uint32_t last = UINT32_MAX;
    int64_t version = 0;
    for (size_t i = 0; i < b->event_count; i++) {
        const struct leat_batch_event *e = &b->events[i];
        const struct leat_batch_command *c = &b->commands[e->command];
        if (c->k != b->fences[fence].k || reply->settled[e->command] != LEAT_SETTLED_STORED)
            continue;
        version = e->command == last ? version + 1 : c->expected_version + 1;
        last = e->command;
        o->unknown |= c->expected_version < 0;
        size_t at = o->events_n++;
        o->events[at] = (struct leat_stored_event){.slice = c->k,
                                                   .seq = f->head_before + 1 + (int64_t)at,
                                                   .version = version,
                                                   .schema_id = e->schema_id,
                                                   .id = e->id,
                                                   .command_id = c->id,
                                                   .correlation_id = c->correlation_id,
                                                   .stream = c->stream,
                                                   .type = e->type,
                                                   .payload = e->payload,
                                                   .recorded_at_us = reply->recorded_at_us};
    }
}

static void collect_rows(struct offer *o, const struct leat_batch *b,
                         const struct leat_reply *reply, size_t fence)
{
    const struct leat_reply_fence *f = &reply->fences[fence];
    for (size_t i = 0; i < b->outbox_count; i++) {
        const struct leat_batch_outbox *from = &b->outbox[i];
        if (b->commands[from->command].k != b->fences[fence].k ||
            reply->settled[from->command] != LEAT_SETTLED_STORED)
            continue;
        size_t at = o->rows_n++;
        o->rows[at] = (struct leat_outbox_row){.slice = b->fences[fence].k,
                                               .seq = f->outbox_before + 1 + (int64_t)at,
                                               .partition = from->partition,
                                               .topic = from->topic,
                                               .key = from->key,
                                               .headers = from->headers,
                                               .value = from->value,
                                               .key_null = from->key_null,
                                               .value_null = from->value_null};
    }
}

/* What does not fit (somebody else wrote in between, no room) is read from the store. */
static void offer_slice(struct leat_relay *r, const struct offer *o,
                        const struct leat_reply_fence *f, struct relay_slice *s, int32_t slice)
{
    (void)pthread_mutex_lock(&s->mutex);
    if (s->owned && s->stopped == NULL) {
        int64_t now_ms = leat_relay_now_ms();
        s->offered_ms = now_ms;
        leat_window_head(&s->events, f->head_after);
        leat_window_head(&s->outbox, f->outbox_after);
        bool whole = (int64_t)o->events_n == f->head_after - f->head_before;
        if (whole && o->events_n > 0 && !o->unknown && !s->failed &&
            s->events.next == f->head_before + 1 &&
            !leat_relay_stalls(&s->events, &s->events_at, now_ms))
            (void)send_events(r, slice, o->events, o->events_n);
        whole = (int64_t)o->rows_n == f->outbox_after - f->outbox_before;
        if (whole && o->rows_n > 0 && !s->failed && s->outbox.next == f->outbox_before + 1 &&
            !leat_relay_stalls(&s->outbox, &s->outbox_at, now_ms))
            (void)send_rows(r, slice, o->rows, o->rows_n);
    }
    (void)pthread_mutex_unlock(&s->mutex);
}

void leat_relay_offer(struct leat_relay *r, const struct leat_batch *batch,
                      const struct leat_reply *reply)
{
    struct offer o = {0};
    o.events = malloc((batch->event_count + 1) * sizeof *o.events);
    o.rows = malloc((batch->outbox_count + 1) * sizeof *o.rows);
    leat_assert(o.events != NULL && o.rows != NULL);
    for (size_t i = 0; i < batch->fence_count; i++) {
        const struct leat_reply_fence *f = &reply->fences[i];
        if (f->result != LEAT_FENCE_OK ||
            (f->head_after == f->head_before && f->outbox_after == f->outbox_before))
            continue;
        o.events_n = o.rows_n = 0;
        o.unknown = false;
        collect_events(&o, batch, reply, i);
        collect_rows(&o, batch, reply, i);
        offer_slice(r, &o, f, &r->slices[batch->fences[i].k], batch->fences[i].k);
    }
    free(o.events);
    free(o.rows);
    (void)atomic_fetch_add(&r->n_moves, 1);
}

/* ---- deliveries: on the relay's thread, no slice lock held ---- */

/* Slice lock held. A broker that has just become the leader and knows nothing of this producer may
 * take a later batch first and call the earlier one a copy: that one has no offset, and is nowhere.
 * And one who writes alone gets rising offsets, as long as the topic keeps what it acknowledges. */
static void acknowledged(struct leat_relay *r, struct relay_slice *s, uint64_t word, int64_t offset)
{
    bool outbox = (word & RELAY_KIND_OUTBOX) != 0;
    const char *why = NULL;
    if (offset < 0) {
        why = "a record is said to be a copy of one that nobody has acknowledged";
    } else if (!outbox && offset < s->end && s->lost_at < 0) {
        why = "the events topic has lost records that it had acknowledged";
        s->lost_at = offset;
    }
    if (why != NULL) {
        s->failed = true;
        leat_relay_renew(r, why);
    } else if (outbox) {
        leat_window_ack(&s->outbox, seq_of(word));
    } else if (s->lost_at < 0) {
        s->end = offset + 1;
        leat_window_ack(&s->events, seq_of(word));
    }
}

void leat_relay_delivered(void *arg, void *opaque, leat_status status, int32_t partition,
                          int64_t offset, const char *what)
{
    (void)partition;
    struct leat_relay *r = arg;
    uint64_t word = (uint64_t)(uintptr_t)opaque;
    bool outbox = (word & RELAY_KIND_OUTBOX) != 0;
    struct relay_slice *s = &r->slices[slice_of(word)];
    (void)pthread_mutex_lock(&s->mutex);
    bool current = generation_of(word) == s->generation; /* else sent again since, or void */
    if (current && status == LEAT_OK) {
        acknowledged(r, s, word, offset);
    } else if (current && status == LEAT_INVALID && s->owned) {
        refused(r, &(struct leat_outgoing){.opaque = opaque}, what);
    } else if (current) {
        s->failed = true;
        leat_relay_renew(r, what);
    }
    (void)pthread_mutex_unlock(&s->mutex);
    if (status == LEAT_OK) {
        (void)atomic_fetch_add_explicit(outbox ? &r->n_commands : &r->n_events, 1,
                                        memory_order_relaxed);
    }
}

/* ---- what nobody offered: from the store ---- */

/* What was read and finds no room is read again: as much is read as found room the last time. */
static void adapt(struct leat_relay *r, size_t n, size_t bytes, bool full)
{
    r->full |= full;
    if ((full || bytes > RELAY_READ_BYTES) && r->page > RELAY_READ_MIN)
        r->page /= 2;
    else if (!full && n == r->page && bytes * 2 <= RELAY_READ_BYTES && r->page < RELAY_READ_MAX)
        r->page *= 2;
}

/* The reads are made without the slice's lock; whoever sent meanwhile has moved `next`, and what
 * was read before it is passed over. */
static leat_status read_events(struct leat_relay *r, int32_t slice, int64_t after, size_t *ret_sent,
                               struct leat_error *err)
{
    struct relay_slice *s = &r->slices[slice];
    struct leat_stored_event *events = NULL;
    struct leat_store_page page = {.slice = slice, .after = after, .upto = -1, .limit = r->page};
    size_t n = 0, skip = 0, bytes = 0, sent = 0;
    bool full = false;
    LEAT_TRY(leat_store_slice(r->store, &page, r->arena, &events, &n, err), err, "slice %d", slice);
    (void)atomic_fetch_add(&r->n_reads, 1);
    for (size_t i = 0; i < n; i++)
        bytes += events[i].payload.len + events[i].stream.len;
    (void)pthread_mutex_lock(&s->mutex);
    while (skip < n && events[skip].seq < s->events.next)
        skip++;
    if (s->owned && skip < n && events[skip].seq == s->events.next) {
        sent = send_events(r, slice, events + skip, n - skip);
        full = sent < n - skip && leat_window_room(&s->events) > 0;
    }
    (void)pthread_mutex_unlock(&s->mutex);
    adapt(r, n, bytes, full);
    *ret_sent += sent;
    return LEAT_OK;
}

static leat_status read_outbox(struct leat_relay *r, int32_t slice, int64_t after, size_t *ret_sent,
                               struct leat_error *err)
{
    struct relay_slice *s = &r->slices[slice];
    struct leat_outbox_row *rows = NULL;
    struct leat_store_page page = {.slice = slice, .after = after, .limit = r->page};
    size_t n = 0, bytes = 0, sent = 0;
    bool full = false;
    LEAT_TRY(leat_store_outbox(r->store, &page, r->arena, &rows, &n, err), err,
             "outbox of slice %d", slice);
    (void)atomic_fetch_add(&r->n_reads, 1);
    for (size_t i = 0; i < n; i++)
        bytes += rows[i].value.len + rows[i].key.len;
    (void)pthread_mutex_lock(&s->mutex);
    if (s->owned && n > 0 && rows[0].seq == s->outbox.next) {
        sent = send_rows(r, slice, rows, n);
        full = sent < n && leat_window_room(&s->outbox) > 0;
    }
    (void)pthread_mutex_unlock(&s->mutex);
    adapt(r, n, bytes, full);
    *ret_sent += sent;
    return LEAT_OK;
}

struct todo {
    bool events, outbox;
    int64_t events_after, outbox_after;
};

static struct todo look(const struct leat_relay *r, struct relay_slice *s)
{
    struct todo todo = {0};
    int64_t now_ms = leat_relay_now_ms();
    (void)pthread_mutex_lock(&s->mutex);
    bool mending = s->failed && (r->renew || s->unsure);
    if (s->owned && s->stopped == NULL && !mending) {
        if (s->failed) {
            s->failed = false;
            leat_window_rewind(&s->events);
            leat_window_rewind(&s->outbox);
        }
        todo.events = leat_window_behind(&s->events) && leat_window_room(&s->events) > 0 &&
                      !leat_relay_stalls(&s->events, &s->events_at, now_ms);
        todo.outbox = leat_window_behind(&s->outbox) && leat_window_room(&s->outbox) > 0 &&
                      !leat_relay_stalls(&s->outbox, &s->outbox_at, now_ms);
        todo.events_after = s->events.next - 1;
        todo.outbox_after = s->outbox.next - 1;
    }
    (void)pthread_mutex_unlock(&s->mutex);
    return todo;
}

/* A round ends where the producer's queue is full; the next begins with the slice behind. */
leat_status leat_relay_catch_up(struct leat_relay *r, size_t *ret_sent, struct leat_error *err)
{
    r->full = false;
    for (int32_t i = 0; i < r->partitions && !r->full; i++) {
        int32_t k = r->first_read;
        r->first_read = (k + 1) % r->partitions;
        struct todo todo = look(r, &r->slices[k]);
        leat_arena_reset(r->arena);
        if (todo.events)
            LEAT_TRY(read_events(r, k, todo.events_after, ret_sent, err), err, "read");
        if (todo.outbox)
            LEAT_TRY(read_outbox(r, k, todo.outbox_after, ret_sent, err), err, "read");
    }
    return LEAT_OK;
}
