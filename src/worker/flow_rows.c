/* Rows of the batch: commands with their events and outbox rows, forwarded records, dead ones. */
#include <stdio.h>

#include "base/hash.h"
#include "base/record_headers.h"
#include "worker/flow_internal.h"

struct leat_batch_command *flow_add(struct leat_flow *f, struct flow_work *w, leat_outcome outcome)
{
    struct leat_batch *b = &f->batch;
    if (b->command_count == f->command_cap)
        b->commands = leat_arena_grow(f->arena, b->commands, sizeof *b->commands, &f->command_cap,
                                      b->command_count == 0 ? f->work_count : b->command_count + 1);
    const struct flow_lane *l = &f->lanes[w->lane];
    const struct leat_incoming *r = &w->item->in;
    struct leat_batch_command *c = &b->commands[b->command_count];
    *c = (struct leat_batch_command){.k = l->spec.k,
                                     .lane = l->batch_lane,
                                     .offset = r->offset,
                                     .id = w->id,
                                     .type = w->type,
                                     .stream = w->stream != NULL ? w->stream->stream : w->key,
                                     .source = w->source,
                                     .priority = f->priorities->at[w->priority].name,
                                     .error_code = w->code,
                                     .error_text = w->text,
                                     .payload = r->value,
                                     .received_at_ms = r->timestamp_ms,
                                     .expected_version =
                                         w->stream != NULL && w->stream->known ? w->version : -1,
                                     .attempts = w->attempts,
                                     .outcome = outcome,
                                     .correlation_id = w->correlation_id,
                                     .causation_id = w->causation_id};
    w->batch_command = (int32_t)b->command_count++;
    if (w->stream != NULL && w->version >= 0) { /* else the store does not confirm the version */
        w->stream->decided = true;
        w->stream->last_command = (uint32_t)w->batch_command;
    }
    return c;
}

struct leat_batch_outbox *flow_add_outbox(struct leat_flow *f, const struct flow_work *w)
{
    struct leat_batch *b = &f->batch;
    if (b->outbox_count == f->outbox_cap)
        b->outbox = leat_arena_grow(f->arena, b->outbox, sizeof *b->outbox, &f->outbox_cap,
                                    b->outbox_count + 1);
    struct leat_batch_outbox *o = &b->outbox[b->outbox_count++];
    *o = (struct leat_batch_outbox){.command = (uint32_t)w->batch_command};
    return o;
}

void flow_add_command(struct leat_flow *f, struct flow_work *w, const struct leat_call *call)
{
    struct leat_batch *b = &f->batch;
    bool rejected = call->answer == LEAT_ANSWER_REJECTED;
    (void)flow_add(f, w, rejected ? LEAT_OUTCOME_REJECTED : LEAT_OUTCOME_ACCEPTED);
    if (b->event_count + call->event_count > f->event_cap)
        b->events = leat_arena_grow(f->arena, b->events, sizeof *b->events, &f->event_cap,
                                    b->event_count + f->work_count + call->event_count);
    for (size_t i = 0; i < call->event_count; i++) {
        const struct leat_made_event *e = &call->events[i];
        b->events[b->event_count++] =
            (struct leat_batch_event){.command = (uint32_t)w->batch_command,
                                      .schema_id = e->schema_id,
                                      .id = e->id,
                                      .type = e->type_name,
                                      .payload = e->payload};
    }
    for (size_t i = 0; i < call->command_count; i++) {
        const struct leat_made_command *c = &call->commands[i];
        if (c->due_ms > 0) {
            flow_schedule(f, w, c);
            continue;
        }
        struct leat_batch_outbox *o = flow_add_outbox(f, w);
        o->partition = c->partition;
        o->topic = leat_str_of(c->topic);
        o->key = c->key;
        o->headers = c->headers;
        o->value = c->value;
    }
    for (size_t i = 0; i < call->cancel_count; i++)
        flow_cancel(f, w, &call->cancels[i]);
}

struct leat_str flow_packed_headers(struct leat_flow *f, const struct flow_work *w)
{
    leat_buf_clear(&f->scratch);
    f->c.headers_pack(f->c.arg, &w->item->in, &f->scratch);
    return leat_buf_str(&f->scratch);
}

/* The id of a record without one comes from its place: it must travel with it. What somebody else
 * means by ce_id and ce_type stays, ours comes after it: the last header of a name is read. */
static void put_own(struct leat_buf *headers, const char *name, struct leat_str value,
                    bool of_source)
{
    struct leat_str found;
    bool there = leat_headers_find(leat_buf_str(headers), leat_str_of(name), &found);
    if (!there || (of_source && !leat_str_eq(found, value)))
        leat_headers_put(headers, leat_str_of(name), value);
}

void flow_add_forward(struct leat_flow *f, struct flow_work *w)
{
    const struct leat_incoming *r = &w->item->in;
    (void)flow_add(f, w, LEAT_OUTCOME_FORWARDED);
    struct leat_batch_outbox *o = flow_add_outbox(f, w);
    o->topic = w->to_topic.len > 0 ? w->to_topic : leat_str_of(f->lanes[w->lane].spec.topic);
    o->partition = leat_partition(w->key, f->c.partitions);
    o->key = w->key;
    o->value = w->made_value.len > 0 ? w->made_value : r->value;
    (void)flow_packed_headers(f, w); /* into the scratch, which moves when it grows */
    char id[LEAT_UUID_TEXT];
    leat_uuid_format(&w->id, id);
    bool of_source = f->lanes[w->lane].spec.source >= 0;
    put_own(&f->scratch, "ce_id", (struct leat_str){id, LEAT_UUID_TEXT - 1}, of_source);
    if (of_source)
        put_own(&f->scratch, "ce_type", w->type, true);
    o->headers = leat_arena_copy(f->arena, leat_buf_str(&f->scratch));
}

static void put_number(struct leat_buf *out, const char *name, int64_t value)
{
    char text[24];
    int n = snprintf(text, sizeof text, "%lld", (long long)value);
    leat_headers_put(out, leat_str_of(name), (struct leat_str){text, (uint32_t)n});
}

static struct leat_str bounded(struct leat_str s, uint32_t max)
{
    return s.len <= max ? s : (struct leat_str){s.at, max};
}

/* The record's place as Kafka knows it: partitions beyond ours are "topic#<turn>" to us. */
struct leat_str flow_place(const struct leat_flow *f, const struct flow_work *w,
                           int32_t *ret_partition, int64_t *ret_offset)
{
    const struct flow_lane *l = &f->lanes[w->lane];
    const struct leat_waiting_row *wait = w->item->wait;
    *ret_partition = wait != NULL ? wait->partition : l->spec.k;
    *ret_offset = wait != NULL ? wait->offset : w->item->in.offset;
    if (wait != NULL)
        return wait->topic;
    const char *mark = strchr(l->spec.topic, '#');
    int32_t turn = 0;
    if (mark == NULL)
        return leat_str_of(l->spec.topic);
    for (const char *c = mark + 1; *c >= '0' && *c <= '9'; c++)
        turn = turn * 10 + (*c - '0');
    *ret_partition += turn * f->c.partitions;
    return (struct leat_str){l->spec.topic, (uint32_t)(mark - l->spec.topic)};
}

/* Original headers untouched, then why it is here; each bounded (contract 3). */
static struct leat_str dead_headers(struct leat_flow *f, const struct flow_work *w,
                                    const struct leat_batch_dead *d)
{
    struct leat_buf *out = &f->scratch;
    (void)flow_packed_headers(f, w);
    leat_headers_put(out, LEAT_STR("__leat.errors.topic"), d->topic);
    put_number(out, "__leat.errors.partition", d->partition);
    put_number(out, "__leat.errors.offset", d->offset);
    leat_headers_put(out, LEAT_STR("__leat.errors.class"), d->error_class);
    leat_headers_put(out, LEAT_STR("__leat.errors.code"), bounded(w->code, 100));
    leat_headers_put(out, LEAT_STR("__leat.errors.message"), bounded(w->text, FLOW_TEXT_MAX));
    put_number(out, "__leat.errors.attempts", w->attempts + 1);
    put_number(out, "__leat.errors.first", d->first_at_ms);
    put_number(out, "__leat.errors.last", d->last_at_ms);
    leat_headers_put(out, LEAT_STR("__leat.errors.handler"), leat_dispatch_name(f->c.dispatch));
    put_number(out, "__leat.errors.version", leat_dispatch_version(f->c.dispatch));
    return leat_arena_copy(f->arena, leat_buf_str(out));
}

/* Over the limit the bytes are not kept: position and hash tell which record it was. */
static struct leat_str hash_text(struct leat_flow *f, const struct leat_batch_dead *d)
{
    char hex[65];
    for (size_t i = 0; i < sizeof d->value_sha256; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", d->value_sha256[i]);
    return leat_str_of(leat_arena_printf(f->arena, "%.*s/%d/%lld %u bytes sha256 %s",
                                         LEAT_STR_FMT(d->topic), (int)d->partition,
                                         (long long)d->offset, d->value_bytes, hex));
}

static struct leat_batch_dead *describe_dead(struct leat_flow *f, struct flow_work *w,
                                             const char *error_class, int64_t now_ms)
{
    struct leat_batch *b = &f->batch;
    const struct leat_incoming *r = &w->item->in;
    const struct leat_waiting_row *wait = w->item->wait;
    if (b->dead_count == f->dead_cap)
        b->dead =
            leat_arena_grow(f->arena, b->dead, sizeof *b->dead, &f->dead_cap, b->dead_count + 1);
    struct leat_batch_dead *d = &b->dead[b->dead_count++];
    bool large = r->value.len > (uint64_t)f->topology->message_bytes_max;
    *d = (struct leat_batch_dead){
        .command = (uint32_t)w->batch_command,
        .key = r->key,
        .error_class = leat_str_of(error_class),
        .handler_version = (int32_t)leat_dispatch_version(f->c.dispatch),
        .event_seq = w->seq,
        .first_at_ms = wait != NULL && wait->first_at_ms > 0 ? wait->first_at_ms : now_ms,
        .last_at_ms = now_ms,
        .value_bytes = r->value.len,
        .value = large ? (struct leat_str){0} : r->value,
        .value_null = large || r->value_null};
    d->topic = flow_place(f, w, &d->partition, &d->offset);
    leat_sha256(r->value.at, r->value.len, d->value_sha256);
    d->headers = leat_arena_copy(f->arena, flow_packed_headers(f, w));
    return d;
}

void flow_add_dead(struct leat_flow *f, struct flow_work *w, const char *error_class,
                   int64_t now_ms)
{
    const struct leat_incoming *r = &w->item->in;
    w->key = r->key;
    struct leat_batch_command *c = flow_add(f, w, LEAT_OUTCOME_DEAD);
    if (w->stream == NULL)
        c->expected_version = -1;
    struct leat_batch_dead *d = describe_dead(f, w, error_class, now_ms);
    bool large = r->value.len > (uint64_t)f->topology->message_bytes_max;
    if (large)
        c->payload = hash_text(f, d);
    struct leat_str headers = dead_headers(f, w, d);
    struct leat_batch_outbox *o = flow_add_outbox(f, w);
    o->topic = leat_dispatch_processor(f->c.dispatch)->dlq_topic;
    o->partition = f->lanes[w->lane].spec.k;
    o->key = r->key;
    o->key_null = r->key_null;
    o->value = large ? c->payload : r->value;
    o->value_null = r->value_null;
    o->headers = headers;
}

/* Due when the batch takes the stream past a multiple of `every`, or when loading it has just taken
 * as many events: its snapshot is missing, void or damaged. */
static bool snapshot_due(const struct leat_flow *f, const struct flow_key *key)
{
    return key->decided && key->known && !key->broken && key->unreadable == NULL &&
           key->version > 0 &&
           (key->version / f->snapshot_every > key->from_version / f->snapshot_every ||
            key->folded >= f->snapshot_every);
}

void flow_add_snapshots(struct leat_flow *f)
{
    struct leat_batch *b = &f->batch;
    size_t cap = 0;
    b->snapshot_form = f->form;
    for (const struct flow_key *key = f->first_key; key != NULL; key = key->next) {
        struct leat_error err = {0};
        if (!snapshot_due(f, key))
            continue;
        leat_buf_clear(&f->scratch);
        if (leat_dispatch_state_encode(f->c.dispatch, key->state, &f->scratch, &err) != LEAT_OK)
            continue;
        if (b->snapshot_count == cap)
            b->snapshots = leat_arena_grow(f->arena, b->snapshots, sizeof *b->snapshots, &cap,
                                           b->snapshot_count + 8);
        b->snapshots[b->snapshot_count++] = (struct leat_batch_snapshot){
            .command = key->last_command,
            .version = key->version,
            .state = leat_arena_copy(f->arena, leat_buf_str(&f->scratch))};
    }
}
