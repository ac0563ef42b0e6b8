/* schema_defaults.c - the defaults of fields, which avro-c reads over. A second walk of the
 * schema's text meets the record definitions in the same order as the parser did. */
#include "codec/json_walk.h"
#include "codec/nodes.h"

struct walk {
    struct leat_schema *s;
    struct leat_error *err;
    uint32_t next; /* nodes before this one have been met */
    int depth;
};

static leat_status walk_type(struct walk *w, struct leat_str type);

/* The text of member `name`, empty when absent. */
static leat_status member(struct walk *w, struct leat_str object, const char *name,
                          struct leat_str *ret)
{
    struct leat_json_token t;
    struct leat_str raw = {NULL, 0};
    leat_status st = leat_json_find(object, leat_str_of(name), &t, &raw, w->err);
    *ret = (struct leat_str){NULL, 0};
    if (st == LEAT_ABSENT)
        return LEAT_OK;
    if (st == LEAT_OK)
        *ret = raw;
    return st;
}

static bool is_record(const struct leat_json_token *t)
{
    return t->kind == LEAT_JSON_STRING &&
           (leat_json_token_is(t, LEAT_STR("record")) || leat_json_token_is(t, LEAT_STR("error")));
}

static leat_status walk_field(struct walk *w, struct leat_str text, struct leat_node_field *field)
{
    struct leat_str fallback;
    struct leat_str type;
    leat_status st = member(w, text, "default", &fallback);
    if (st == LEAT_OK)
        st = member(w, text, "type", &type);
    if (st != LEAT_OK)
        return st;
    if (fallback.len > 0) {
        fallback.at = leat_arena_cstr(w->s->arena, fallback);
        field->fallback = fallback;
    }
    return walk_type(w, type);
}

static leat_status walk_record(struct walk *w, struct leat_str text)
{
    struct leat_schema *s = w->s;
    while (w->next < s->node_count && s->nodes[w->next].kind != LEAT_NODE_RECORD)
        w->next++;
    leat_assert(w->next < s->node_count);
    const struct leat_node *record = &s->nodes[w->next++];

    struct leat_str fields;
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_status st = member(w, text, "fields", &fields);
    leat_json_reader_init(&r, fields);
    if (st == LEAT_OK)
        st = leat_json_next(&r, &t, w->err);
    for (uint32_t i = 0; st == LEAT_OK && i < record->count; i++) {
        struct leat_str one = {NULL, 0};
        bool more = false;
        st = leat_json_item(&r, &one, &more, w->err);
        if (st == LEAT_OK && more)
            st = walk_field(w, one, &s->fields[record->first + i]);
    }
    return st;
}

static leat_status walk_union(struct walk *w, struct leat_str text)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, text);
    leat_status st = leat_json_next(&r, &t, w->err);
    for (bool more = true; st == LEAT_OK;) {
        struct leat_str one = {NULL, 0};
        st = leat_json_item(&r, &one, &more, w->err);
        if (st != LEAT_OK || !more)
            break;
        st = walk_type(w, one);
    }
    return st;
}

static leat_status walk_object(struct walk *w, struct leat_str text)
{
    struct leat_json_token type;
    struct leat_str raw;
    leat_status st = leat_json_find(text, LEAT_STR("type"), &type, &raw, w->err);
    if (st != LEAT_OK)
        return st;
    if (is_record(&type))
        return walk_record(w, text);
    if (type.kind != LEAT_JSON_STRING)
        return walk_type(w, raw);
    static const char *const inner[] = {"items", "values"};
    for (size_t i = 0; i < 2 && st == LEAT_OK; i++) {
        st = member(w, text, inner[i], &raw);
        if (st == LEAT_OK && raw.len > 0)
            st = walk_type(w, raw);
    }
    return st;
}

static leat_status walk_type(struct walk *w, struct leat_str type)
{
    if (type.len == 0 || (type.at[0] != '{' && type.at[0] != '['))
        return LEAT_OK;
    if (w->depth == LEAT_SCHEMA_DEPTH_MAX) {
        return leat_fail(w->err, LEAT_INVALID, "types are nested deeper than %d",
                         LEAT_SCHEMA_DEPTH_MAX);
    }
    w->depth++;
    leat_status st = type.at[0] == '[' ? walk_union(w, type) : walk_object(w, type);
    w->depth--;
    return st;
}

leat_status leat_schema_defaults(struct leat_str json, struct leat_schema *s,
                                 struct leat_error *err)
{
    while (json.len > 0 && strchr(" \t\r\n", json.at[0]) != NULL) {
        json.at++;
        json.len--;
    }
    struct walk w = {.s = s, .err = err};
    leat_status st = walk_type(&w, json);
    return st == LEAT_OK ? LEAT_OK : leat_error_invalid(err);
}
