#include "worker/source.h"

#include <stdio.h>

#include "base/json.h"
#include "worker/flow_internal.h"

static void dead(struct flow_work *w, const char *code, const char *text)
{
    w->what = FLOW_DEAD;
    w->code = leat_str_of(code);
    w->text = leat_str_of(text);
}

/* JSON, or Avro framed with an id of the store's: as the first byte says. */
static leat_status pick(struct leat_flow *f, const struct flow_work *w, const struct leat_expr *e,
                        struct leat_value *ret, struct leat_error *err)
{
    const struct leat_schema *schema = NULL;
    struct leat_picker *picker = NULL;
    struct leat_str body = w->item->in.value;
    leat_status status = flow_schema_of(f, body, &schema, &body);
    if (status == LEAT_RETRY)
        return status;
    if (status == LEAT_ABSENT)
        return leat_fail(err, LEAT_ABSENT, "the store does not have its schema's id");
    if (leat_picker_new(schema, &e->text, 1, &picker, err) != LEAT_OK)
        return LEAT_INVALID;
    status = leat_pick(picker, body, f->arena, ret, err);
    leat_picker_free(picker);
    return status == LEAT_OK ? LEAT_OK : LEAT_INVALID;
}

/* A field of the record as text; "" when absent. What can't be read makes the record dead. */
static struct leat_str field_text(struct leat_flow *f, struct flow_work *w,
                                  const struct leat_expr *e)
{
    struct leat_error err = {0};
    struct leat_value v = {0};
    struct leat_str none = {0};
    leat_status status = pick(f, w, e, &v, &err);
    if (status == LEAT_RETRY) {
        flow_later(w);
        return none;
    }
    if (status != LEAT_OK) {
        dead(w, "undecodable", leat_arena_printf(f->arena, "%s", err.msg));
        return none;
    }
    switch (v.kind) {
    case LEAT_VALUE_STRING:
        return v.s;
    case LEAT_VALUE_INT:
        return leat_str_of(leat_arena_printf(f->arena, "%lld", (long long)v.i));
    case LEAT_VALUE_NULL:
    case LEAT_VALUE_BOOL:
    case LEAT_VALUE_DOUBLE:
    case LEAT_VALUE_BYTES:
    case LEAT_VALUE_JSON:
        break;
    }
    return none;
}

static struct leat_str value_of(struct leat_flow *f, struct flow_work *w, const struct leat_expr *e)
{
    struct leat_str value = {0};
    switch (e->kind) {
    case LEAT_EXPR_STRING:
        return e->text;
    case LEAT_EXPR_FIELD:
        return field_text(f, w, e);
    case LEAT_EXPR_HEADER:
        return f->c.header(f->c.arg, &w->item->in, e->text.at, &value) ? value
                                                                       : (struct leat_str){0};
    case LEAT_EXPR_META:
        return e->meta == LEAT_META_KEY ? w->item->in.key : (struct leat_str){0};
    case LEAT_EXPR_INT:
    case LEAT_EXPR_DOUBLE:
    case LEAT_EXPR_BOOL:
    case LEAT_EXPR_NULL:
    case LEAT_EXPR_ROW:
    case LEAT_EXPR_CALL:
        break; /* `leat check` refuses them here */
    }
    return value;
}

static struct leat_str routed_type(struct leat_flow *f, struct flow_work *w,
                                   const struct leat_source *s)
{
    if (s->type.len > 0)
        return s->type;
    struct leat_str by = {0};
    if (s->route_field != NULL)
        by = value_of(f, w, s->route_field);
    else if (!f->c.header(f->c.arg, &w->item->in, s->route_header.at, &by))
        return by;
    for (uint32_t i = 0; i < s->n_routes; i++)
        if (leat_str_eq(s->routes[i].value, by))
            return s->routes[i].type;
    return (struct leat_str){0};
}

static void read_source_id(struct leat_flow *f, struct flow_work *w, const struct leat_source *s)
{
    static const struct leat_uuid space = {{0x6c, 0x65, 0x61, 0x74, 0x2d, 0x73, 0x5f, 0x72, 0x8c,
                                            0x69, 0x64, 0x2e, 0x76, 0x31, 0x2e, 0x2e}};
    if (s->id == NULL)
        return; /* as read: ce_id, else the record's place */
    struct leat_str text = value_of(f, w, s->id);
    if (text.len > 0 && !leat_uuid_parse(text, &w->id)) {
        struct leat_uuid of_topic = leat_uuid_v5(&space, s->topic.at, s->topic.len);
        w->id = leat_uuid_v5(&of_topic, text.at, text.len);
    }
    w->correlation_id = w->id;
}

static void forward_to(struct flow_work *w, const struct leat_source *s,
                       const struct leat_processor *to)
{
    uint32_t priority = s->priority >= 0 && (uint32_t)s->priority < to->priorities.n
                            ? (uint32_t)s->priority
                            : to->priorities.default_index;
    w->to_topic = to->topics[priority];
    w->what = FLOW_FORWARD;
}

/* There is no payload to look into: the record's own key, unless a header holds it. */
static struct leat_str key_of_tombstone(struct leat_flow *f, struct flow_work *w,
                                        const struct leat_source *s)
{
    bool payload = s->key == NULL || s->key->kind == LEAT_EXPR_FIELD;
    return payload ? w->item->in.key : value_of(f, w, s->key);
}

/* The command it means holds the key; its other fields have their defaults. */
static void make_command(struct leat_flow *f, struct flow_work *w, const struct leat_source *s)
{
    const struct leat_processor *to = leat_topology_handler(f->topology, s->tombstone_command);
    struct leat_json_writer json;
    if (to == NULL || to->aggregate == NULL) {
        dead(w, "unknown-type", "no processor with an aggregate handles the tombstone's command");
        return;
    }
    w->type = s->tombstone_command;
    w->key = key_of_tombstone(f, w, s);
    if (w->key.len == 0) {
        dead(w, "no-key", "a tombstone without key");
        return;
    }
    leat_buf_clear(&f->scratch);
    leat_json_writer_init(&json, &f->scratch);
    leat_json_begin_object(&json);
    leat_json_key(&json, to->aggregate->key);
    leat_json_str(&json, w->key);
    leat_json_end_object(&json);
    w->made_value = leat_arena_copy(f->arena, leat_buf_str(&f->scratch));
    if (s->id != NULL && s->id->kind != LEAT_EXPR_FIELD)
        read_source_id(f, w, s);
    forward_to(w, s, to);
}

static void read_tombstone(struct leat_flow *f, struct flow_work *w, const struct leat_source *s)
{
    switch (s->tombstone) {
    case LEAT_TOMBSTONE_SKIP:
        w->what = FLOW_SKIP;
        return;
    case LEAT_TOMBSTONE_COMMAND:
        make_command(f, w, s);
        return;
    case LEAT_TOMBSTONE_DEAD:
        break;
    }
    dead(w, "null-value", "a tombstone, and the source does not say what it means");
}

static void read_of_source(struct leat_flow *f, struct flow_work *w, const struct leat_source *s)
{
    if (w->item->in.value_null) {
        read_tombstone(f, w, s);
        return;
    }
    w->type = routed_type(f, w, s);
    if (w->what != FLOW_COMMAND)
        return;
    if (w->type.len == 0) {
        dead(w, "no-route", "no route of the source fits this record");
        return;
    }
    w->key = s->key != NULL ? value_of(f, w, s->key) : w->item->in.key;
    if (w->what != FLOW_COMMAND)
        return;
    if (w->key.len == 0) {
        dead(w, "no-key", "the record gives no key");
        return;
    }
    const struct leat_processor *to = leat_topology_handler(f->topology, w->type);
    if (to == NULL) {
        dead(w, "unknown-type", "no processor handles the source's type");
        return;
    }
    read_source_id(f, w, s);
    if (w->what != FLOW_COMMAND)
        return;
    forward_to(w, s, to);
}

void leat_source_read(struct leat_flow *f, struct flow_work *w)
{
    const struct flow_lane *l = &f->lanes[w->lane];
    if (w->item->in.value.len > (uint64_t)f->topology->message_bytes_max) {
        dead(w, "too-large", "the record is over limits.message");
        return;
    }
    if (l->spec.source >= 0) {
        read_of_source(f, w, &f->topology->sources[l->spec.source]);
        return;
    }
    /* A partition of ours beyond `partitions`: somebody altered the topic. */
    w->key = w->item->in.key;
    if (w->key.len == 0)
        dead(w, "no-key", "a record without key in a partition beyond the topology's");
    else {
        w->what = FLOW_FORWARD;
        w->to_topic = leat_str_of(l->spec.topic);
        w->to_topic.len = (uint32_t)strcspn(l->spec.topic, "#");
    }
    f->figures.foreign_partition++;
}
