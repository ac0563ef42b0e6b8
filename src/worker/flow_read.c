/* What a record is: a command or event for our handler, one to be forwarded to the partition of its
 * key, or one that can never be handled (contract 4). */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "worker/dispatch_internal.h"
#include "worker/flow_internal.h"
#include "worker/source.h"

uint64_t flow_fingerprint(const struct leat_incoming *r)
{
    uint64_t h = leat_hash64(r->key.at, r->key.len, (uint64_t)r->timestamp_ms);
    h = leat_hash64(r->value.at, r->value.len, h);
    return h == 0 ? 1 : h; /* 0 says "none" */
}

static struct leat_str header(struct leat_flow *f, const struct flow_work *w, const char *name)
{
    struct leat_str value = {0};
    return f->c.header(f->c.arg, &w->item->in, name, &value) ? value : (struct leat_str){0};
}

static void dead(struct leat_flow *f, struct flow_work *w, const char *code, const char *fmt, ...)
    LEAT_PRINTF(4, 5);

static void dead(struct leat_flow *f, struct flow_work *w, const char *code, const char *fmt, ...)
{
    char text[FLOW_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    w->what = FLOW_DEAD;
    w->code = leat_str_of(code);
    w->text = leat_arena_copy(f->arena, leat_str_of(text));
}

/* Records without an id get one that the same bytes at the same place always get. The bytes belong
 * to it: in a re-created topic other messages stand at these offsets (interleavings 11). */
static struct leat_uuid id_of_place(const struct flow_lane *l, const struct leat_incoming *r)
{
    static const struct leat_uuid space = {{0x6c, 0x65, 0x61, 0x74, 0x2d, 0x70, 0x5c, 0x61, 0x8c,
                                            0x65, 0x2d, 0x69, 0x64, 0x2e, 0x76, 0x31}};
    struct {
        uint64_t topic, offset, bytes;
        int32_t k, pad;
    } name = {leat_hash64(l->spec.topic, strlen(l->spec.topic), 0), (uint64_t)r->offset,
              flow_fingerprint(r), l->spec.k, 0};
    return leat_uuid_v5(&space, &name, sizeof name);
}

static void read_id(struct leat_flow *f, struct flow_work *w)
{
    const struct flow_lane *l = &f->lanes[w->lane];
    struct leat_str text = header(f, w, "ce_id");
    if (w->item->wait != NULL) {
        w->id = w->item->wait->id;
    } else if (text.len == 0) {
        w->id = id_of_place(l, &w->item->in);
    } else if (!leat_uuid_parse(text, &w->id)) {
        /* Any unique text is a valid CloudEvents id. */
        static const struct leat_uuid space = {{0x6c, 0x65, 0x61, 0x74, 0x2d, 0x63, 0x5c, 0x65,
                                                0x8f, 0x69, 0x64, 0x2e, 0x76, 0x31, 0x2e, 0x2e}};
        w->id = leat_uuid_v5(&space, text.at, text.len);
    }
    text = header(f, w, "leat-correlation");
    if (text.len == 0 && w->event)
        text = header(f, w, "leat-causation"); /* left out of events where they are the same */
    if (text.len == 0 || !leat_uuid_parse(text, &w->correlation_id))
        w->correlation_id = w->id;
    text = header(f, w, "leat-causation");
    if (w->event || !leat_uuid_parse(text, &w->causation_id))
        w->causation_id = w->id; /* what a policy decides is caused by the event */
}

static void read_meta(struct leat_flow *f, struct flow_work *w)
{
    read_id(f, w);
    w->source = header(f, w, "ce_source");
    w->priority = f->lanes[w->lane].spec.priority;
    if (w->priority < 0) {
        w->priority = leat_priority_find(f->priorities, header(f, w, "leat-priority"));
        if (w->priority < 0)
            w->priority = (int32_t)f->priorities->default_index;
    }
    if (w->item->wait != NULL) {
        int32_t priority = leat_priority_find(f->priorities, w->item->wait->priority);
        w->priority = priority >= 0 ? priority : w->priority;
        w->attempts = w->item->wait->attempt;
        return;
    }
    struct leat_str attempt = header(f, w, "leat-attempt");
    for (uint32_t i = 0; i < attempt.len && i < 4; i++)
        if (attempt.at[i] >= '0' && attempt.at[i] <= '9')
            w->attempts = w->attempts * 10 + (attempt.at[i] - '0');
}

bool flow_refresh_schemas(struct leat_flow *f)
{
    if (f->refreshed || f->c.refresh_schemas == NULL)
        return false;
    f->refreshed = true;
    f->refresh_status = f->c.refresh_schemas(f->c.arg);
    return f->refresh_status == LEAT_OK;
}

void flow_later(struct flow_work *w)
{
    w->what = FLOW_LATER; /* the store is away: nobody is at fault */
    w->text = LEAT_STR("its schema is not known here and the store could not be asked");
}

leat_status flow_schema_of(struct leat_flow *f, struct leat_str bytes,
                           const struct leat_schema **ret_schema, struct leat_str *ret_body)
{
    int32_t id = 0;
    if (!leat_framing_split(bytes, &id, ret_body))
        return LEAT_INVALID;
    const struct leat_schemas *schemas = f->c.dispatch->schemas;
    *ret_schema = leat_schemas_by_id(schemas, id);
    if (*ret_schema == NULL && flow_refresh_schemas(f))
        *ret_schema = leat_schemas_by_id(schemas, id);
    if (*ret_schema != NULL)
        return LEAT_OK;
    return f->refreshed && f->refresh_status != LEAT_OK ? LEAT_RETRY : LEAT_ABSENT;
}

static bool read_type(struct leat_flow *f, struct flow_work *w)
{
    struct leat_str type = w->item->wait != NULL ? w->item->wait->type : header(f, w, "ce_type");
    w->handler =
        type.len > 0 ? leat_dispatch_find(f->c.dispatch, type) : leat_dispatch_only(f->c.dispatch);
    if (type.len == 0 && w->handler < 0) {
        const struct leat_schema *schema = NULL;
        struct leat_str body;
        leat_status status = flow_schema_of(f, w->item->in.value, &schema, &body);
        if (status == LEAT_RETRY) {
            flow_later(w);
            return false;
        }
        if (status == LEAT_OK)
            type = leat_str_of(leat_schema_name(schema));
        w->handler = leat_dispatch_find(f->c.dispatch, type);
    }
    if (w->handler >= 0) {
        w->type = leat_dispatch_type(f->c.dispatch, w->handler);
        return true;
    }
    if (type.len > 200)
        type.len = 200;
    w->type = type;
    if (type.len == 0)
        dead(f, w, "no-type",
             "neither a ce_type header nor a known schema, and the topic carries several types");
    else
        dead(f, w, "unknown-type", "type '%.*s' has no handler here", LEAT_STR_FMT(type));
    return false;
}

static bool read_value(struct leat_flow *f, struct flow_work *w)
{
    const struct leat_incoming *r = &w->item->in;
    if (r->value_null) {
        dead(f, w, "null-value", "a record without a value is no message");
        return false;
    }
    if (r->value.len > (uint64_t)f->topology->message_bytes_max) {
        dead(f, w, "too-large", "%u bytes, allowed are %lld", r->value.len,
             (long long)f->topology->message_bytes_max);
        return false;
    }
    struct leat_error err = {0};
    leat_status status =
        leat_dispatch_decode(f->c.dispatch, w->handler, r->value, f->arena, &w->message, &err);
    if (status == LEAT_ABSENT && flow_refresh_schemas(f))
        status =
            leat_dispatch_decode(f->c.dispatch, w->handler, r->value, f->arena, &w->message, &err);
    if (status == LEAT_ABSENT && f->refreshed && f->refresh_status != LEAT_OK) {
        flow_later(w);
        return false;
    }
    if (status != LEAT_OK)
        dead(f, w, "undecodable", "%s", err.msg);
    return status == LEAT_OK;
}

/* The record's key, else the one its payload holds. */
static bool read_key(struct leat_flow *f, struct flow_work *w)
{
    const struct leat_incoming *r = &w->item->in;
    w->key = r->key;
    if (r->key_null || r->key.len == 0)
        w->key = leat_dispatch_key(f->c.dispatch, w->handler, w->message);
    if (w->key.len == 0) {
        dead(f, w, "no-key", "neither the record nor its payload has a key");
        return false;
    }
    bool elsewhere = leat_partition(w->key, f->c.partitions) != f->lanes[w->lane].spec.k;
    if (elsewhere || r->key_null || r->key.len == 0) {
        w->what = FLOW_FORWARD;
        f->figures.foreign_partition++;
    }
    return true;
}

/* Events for a policy: ids and positions are the store's; copies and old ones are passed over. */
static bool read_event_position(struct leat_flow *f, struct flow_work *w)
{
    struct flow_lane *l = &f->lanes[w->lane];
    struct leat_str text = header(f, w, "leat-seq");
    char digits[24] = {0};
    if (text.len == 0 || text.len >= sizeof digits) {
        dead(f, w, "no-seq", "a record on the events topic without leat-seq");
        return true;
    }
    memcpy(digits, text.at, text.len);
    w->seq = strtoll(digits, NULL, 10);
    if (f->c.is_void != NULL && f->c.is_void(f->c.arg, &w->item->in, l->spec.k, w->seq)) {
        w->what = FLOW_SKIP;
        w->seq = 0;
        return false;
    }
    if (w->seq == l->batch_seq) {
        l->batch_seq++;
        return true;
    }
    w->what = w->seq < l->batch_seq ? FLOW_SKIP : FLOW_HOLE;
    return false;
}

void flow_read(struct leat_flow *f, struct flow_work *w)
{
    const struct flow_lane *l = &f->lanes[w->lane];
    const struct leat_waiting_row *wait = w->item->wait;
    w->what = FLOW_COMMAND;
    w->event = l->spec.kind == LEAT_LANE_EVENTS || (wait != NULL && wait->event_seq > 0);
    if (wait != NULL)
        w->seq = wait->event_seq;
    else if (w->event && !read_event_position(f, w))
        return;
    read_meta(f, w);
    if (wait != NULL && wait->reason == LEAT_WAIT_SCHEDULED) {
        w->key = wait->key;
        w->type = wait->type;
        w->what = FLOW_RELEASE;
        return;
    }
    if (w->what == FLOW_DEAD)
        return;
    if (l->spec.kind == LEAT_LANE_FOREIGN) {
        leat_source_read(f, w);
        return;
    }
    if (w->event) {
        struct leat_str type = wait != NULL ? wait->type : header(f, w, "ce_type");
        if (leat_dispatch_find(f->c.dispatch, type) < 0) {
            w->what = FLOW_SKIP; /* not one of the events this policy asks for */
            return;
        }
    }
    if (read_type(f, w) && read_value(f, w))
        (void)read_key(f, w);
}
