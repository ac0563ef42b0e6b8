/* Rows of the batch: commands with their events and outbox rows, forwarded records, dead ones. */
#include <stdio.h>

#include "base/hash.h"
#include "base/record_headers.h"
#include "worker/flow_internal.h"

static struct leat_batch_command *add(struct leat_flow *f, struct flow_work *w,
                                      leat_outcome outcome)
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
    if (w->stream != NULL) {
        w->stream->decided = true;
        w->stream->last_command = (uint32_t)w->batch_command;
    }
    return c;
}

static struct leat_batch_outbox *add_outbox(struct leat_flow *f, const struct flow_work *w)
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
    (void)add(f, w, rejected ? LEAT_OUTCOME_REJECTED : LEAT_OUTCOME_ACCEPTED);
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
        struct leat_batch_outbox *o = add_outbox(f, w);
        o->partition = c->partition;
        o->topic = leat_str_of(c->topic);
        o->key = c->key;
        o->headers = c->headers;
        o->value = c->value;
    }
}

static struct leat_str packed_headers(struct leat_flow *f, const struct flow_work *w)
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
    (void)add(f, w, LEAT_OUTCOME_FORWARDED);
    struct leat_batch_outbox *o = add_outbox(f, w);
    o->topic = w->to_topic.len > 0 ? w->to_topic : leat_str_of(f->lanes[w->lane].spec.topic);
    o->partition = leat_partition(w->key, f->c.partitions);
    o->key = w->key;
    o->value = w->made_value.len > 0 ? w->made_value : r->value;
    (void)packed_headers(f, w); /* into the scratch, which moves when it grows */
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

/* The lane's place as Kafka knows it: partitions beyond ours are "topic#<turn>" to us. */
static struct leat_str place_of(const struct leat_flow *f, const struct flow_lane *l,
                                int32_t *ret_partition)
{
    const char *mark = strchr(l->spec.topic, '#');
    int32_t turn = 0;
    *ret_partition = l->spec.k;
    if (mark == NULL)
        return leat_str_of(l->spec.topic);
    for (const char *c = mark + 1; *c >= '0' && *c <= '9'; c++)
        turn = turn * 10 + (*c - '0');
    *ret_partition += turn * f->c.partitions;
    return (struct leat_str){l->spec.topic, (uint32_t)(mark - l->spec.topic)};
}

/* Original headers untouched, then why it is here; each bounded (contract 3). */
static struct leat_str dead_headers(struct leat_flow *f, struct flow_work *w, int64_t now_ms)
{
    const struct flow_lane *l = &f->lanes[w->lane];
    struct leat_buf *out = &f->scratch;
    int32_t partition = 0;
    (void)packed_headers(f, w);
    leat_headers_put(out, LEAT_STR("__leat.errors.topic"), place_of(f, l, &partition));
    put_number(out, "__leat.errors.partition", partition);
    put_number(out, "__leat.errors.offset", w->item->in.offset);
    leat_headers_put(out, LEAT_STR("__leat.errors.class"), LEAT_STR("poison"));
    leat_headers_put(out, LEAT_STR("__leat.errors.code"), bounded(w->code, 100));
    leat_headers_put(out, LEAT_STR("__leat.errors.message"), bounded(w->text, FLOW_TEXT_MAX));
    put_number(out, "__leat.errors.attempts", w->attempts + 1);
    put_number(out, "__leat.errors.first", w->item->in.timestamp_ms);
    put_number(out, "__leat.errors.last", now_ms);
    leat_headers_put(out, LEAT_STR("__leat.errors.handler"), leat_dispatch_name(f->c.dispatch));
    put_number(out, "__leat.errors.version", leat_dispatch_version(f->c.dispatch));
    return leat_arena_copy(f->arena, leat_buf_str(out));
}

/* Over the limit the bytes are not kept: position and hash tell which record it was. */
static struct leat_str hash_text(struct leat_flow *f, const struct flow_work *w)
{
    uint8_t digest[32];
    char hex[65];
    const struct leat_incoming *r = &w->item->in;
    leat_sha256(r->value.at, r->value.len, digest);
    for (size_t i = 0; i < sizeof digest; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    int32_t partition = 0;
    struct leat_str topic = place_of(f, &f->lanes[w->lane], &partition);
    return leat_str_of(leat_arena_printf(f->arena, "%.*s/%d/%lld %u bytes sha256 %s",
                                         LEAT_STR_FMT(topic), (int)partition, (long long)r->offset,
                                         r->value.len, hex));
}

void flow_add_dead(struct leat_flow *f, struct flow_work *w, int64_t now_ms)
{
    const struct leat_incoming *r = &w->item->in;
    w->key = r->key;
    struct leat_batch_command *c = add(f, w, LEAT_OUTCOME_DEAD);
    if (w->stream == NULL)
        c->expected_version = -1;
    bool large = r->value.len > (uint64_t)f->topology->message_bytes_max;
    if (large)
        c->payload = hash_text(f, w);
    struct leat_str headers = dead_headers(f, w, now_ms);
    struct leat_batch_outbox *o = add_outbox(f, w);
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
