/* schema_text.c - what avro-c reads over: defaults of fields and enums, aliases, logical types. A
 * second walk of the schema's text meets the types in the same order as the parser did. */
#include "codec/decimal.h"
#include "codec/json_walk.h"
#include "codec/nodes.h"

#define ALIASES_MAX 64

struct walk {
    struct leat_schema *s;
    struct leat_error *err;
    uint32_t next; /* nodes before this one have been met */
    int depth;
};

static leat_status walk_type(struct walk *w, struct leat_str type);

/* The text of member `name`, empty when absent. */
static leat_status member(struct walk *w, struct leat_str object, const char *name,
                          struct leat_json_token *ret_token, struct leat_str *ret)
{
    struct leat_str raw = {NULL, 0};
    *ret_token = (struct leat_json_token){.kind = LEAT_JSON_END};
    leat_status st = leat_json_find(object, leat_str_of(name), ret_token, &raw, w->err);
    *ret = (struct leat_str){NULL, 0};
    if (st == LEAT_ABSENT) {
        *ret_token = (struct leat_json_token){.kind = LEAT_JSON_END};
        return LEAT_OK;
    }
    if (st == LEAT_OK)
        *ret = raw;
    return st;
}

/* The parser takes the last of two members of one name and this walk the first. */
static leat_status next_node(struct walk *w, leat_node_kind kind, struct leat_node **ret)
{
    if (w->next >= w->s->node_count || w->s->nodes[w->next].kind != kind)
        return leat_fail(w->err, LEAT_INVALID, "the text can be read in two ways: a key twice?");
    *ret = &w->s->nodes[w->next++];
    return LEAT_OK;
}

static struct leat_str without_space(struct leat_str name)
{
    for (uint32_t i = name.len; i > 0; i--) {
        if (name.at[i - 1] == '.')
            return (struct leat_str){name.at + i, name.len - i};
    }
    return name;
}

static leat_status walk_aliases(struct walk *w, struct leat_str object, struct leat_aliases *ret)
{
    struct leat_json_token t;
    struct leat_json_reader r;
    struct leat_str text;
    leat_status st = member(w, object, "aliases", &t, &text);
    if (st != LEAT_OK || t.kind == LEAT_JSON_END)
        return st;
    struct leat_str *at = leat_arena_zalloc(w->s->arena, ALIASES_MAX, sizeof *at);
    if (t.kind != LEAT_JSON_ARRAY_BEGIN)
        return leat_fail(w->err, LEAT_INVALID, "aliases are an array of names");
    leat_json_reader_init(&r, text);
    st = leat_json_next(&r, &t, w->err);
    for (uint32_t n = 0; st == LEAT_OK; n++) {
        st = leat_json_next(&r, &t, w->err);
        if (st != LEAT_OK || t.kind == LEAT_JSON_ARRAY_END) {
            *ret = (struct leat_aliases){at, n};
            break;
        }
        if (t.kind != LEAT_JSON_STRING || n == ALIASES_MAX)
            return leat_fail(w->err, LEAT_INVALID, "aliases are at most %d names", ALIASES_MAX);
        struct leat_str name = without_space(leat_json_unescape(&t, w->s->arena));
        at[n] = (struct leat_str){leat_arena_cstr(w->s->arena, name), name.len};
    }
    return st;
}

static leat_status walk_field(struct walk *w, struct leat_str text, struct leat_node_field *field)
{
    struct leat_json_token t;
    struct leat_str fallback;
    struct leat_str type;
    leat_status st = member(w, text, "default", &t, &fallback);
    if (st == LEAT_OK)
        st = member(w, text, "type", &t, &type);
    if (st == LEAT_OK)
        st = walk_aliases(w, text, &field->aliases);
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
    struct leat_node *record = NULL;
    struct leat_str fields;
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_status st = next_node(w, LEAT_NODE_RECORD, &record);
    if (st == LEAT_OK)
        st = walk_aliases(w, text, &record->aliases);
    if (st == LEAT_OK)
        st = member(w, text, "fields", &t, &fields);
    if (st != LEAT_OK)
        return st;
    leat_json_reader_init(&r, fields);
    st = leat_json_next(&r, &t, w->err);
    for (uint32_t i = 0; st == LEAT_OK && i < record->count; i++) {
        struct leat_str one = {NULL, 0};
        bool more = false;
        st = leat_json_item(&r, &one, &more, w->err);
        if (st == LEAT_OK && more) {
            LEAT_TRY(walk_field(w, one, &s->fields[record->first + i]), w->err, "field '%s'",
                     s->fields[record->first + i].name.at);
        }
    }
    return st;
}

static leat_status walk_enum(struct walk *w, struct leat_str text)
{
    struct leat_node *n = NULL;
    struct leat_json_token t;
    struct leat_str raw;
    leat_status st = next_node(w, LEAT_NODE_ENUM, &n);
    if (st == LEAT_OK)
        st = walk_aliases(w, text, &n->aliases);
    if (st == LEAT_OK)
        st = member(w, text, "default", &t, &raw);
    if (st != LEAT_OK || t.kind == LEAT_JSON_END)
        return st;
    for (uint32_t i = 0; t.kind == LEAT_JSON_STRING && i < n->count; i++) {
        if (leat_json_token_is(&t, w->s->symbols[n->first + i]))
            n->enum_default = (int32_t)i;
    }
    return n->enum_default >= 0 ? LEAT_OK
                                : leat_fail(w->err, LEAT_INVALID,
                                            "the default of enum '%s' is %.*s, which is not one of "
                                            "its symbols",
                                            n->name.at, LEAT_STR_FMT(raw));
}

/* A decimal whose digits make no sense is, as Avro says, the type it is written in. */
static void set_decimal(struct leat_node *n, const struct leat_json_token *precision,
                        const struct leat_json_token *scale)
{
    int64_t digits = scale->kind == LEAT_JSON_INT ? scale->integer : 0;
    if ((n->kind != LEAT_NODE_BYTES && n->kind != LEAT_NODE_FIXED) ||
        precision->kind != LEAT_JSON_INT || precision->integer < 1 || precision->integer > 255 ||
        digits < 0 || digits > precision->integer || digits > 254 ||
        n->size > LEAT_DECIMAL_BYTES_MAX)
        return;
    n->decimal = true;
    n->precision = (uint8_t)precision->integer;
    n->scale = (uint8_t)digits;
}

static leat_status walk_logical(struct walk *w, struct leat_str text, struct leat_node *n)
{
    struct leat_json_token t, precision, scale;
    struct leat_str raw;
    leat_status st = member(w, text, "logicalType", &t, &raw);
    if (st != LEAT_OK || t.kind != LEAT_JSON_STRING)
        return st;
    struct leat_str name = leat_json_unescape(&t, w->s->arena);
    n->logical = (struct leat_str){leat_arena_cstr(w->s->arena, name), name.len};
    if (!leat_str_eq(name, LEAT_STR("decimal")))
        return LEAT_OK;
    st = member(w, text, "precision", &precision, &raw);
    if (st == LEAT_OK)
        st = member(w, text, "scale", &scale, &raw);
    if (st == LEAT_OK)
        set_decimal(n, &precision, &scale);
    return st;
}

static leat_status walk_fixed(struct walk *w, struct leat_str text)
{
    struct leat_node *n = NULL;
    leat_status st = next_node(w, LEAT_NODE_FIXED, &n);
    if (st == LEAT_OK)
        st = walk_aliases(w, text, &n->aliases);
    return st == LEAT_OK ? walk_logical(w, text, n) : st;
}

static leat_status walk_union(struct walk *w, struct leat_str text)
{
    struct leat_node *n = NULL;
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_status st = next_node(w, LEAT_NODE_UNION, &n);
    leat_json_reader_init(&r, text);
    if (st == LEAT_OK)
        st = leat_json_next(&r, &t, w->err);
    for (bool more = true; st == LEAT_OK;) {
        struct leat_str one = {NULL, 0};
        st = leat_json_item(&r, &one, &more, w->err);
        if (st != LEAT_OK || !more)
            break;
        st = walk_type(w, one);
    }
    return st;
}

static leat_status walk_items(struct walk *w, struct leat_str text, leat_node_kind kind)
{
    struct leat_node *n = NULL;
    struct leat_json_token t;
    struct leat_str raw;
    leat_status st = next_node(w, kind, &n);
    if (st == LEAT_OK)
        st = member(w, text, kind == LEAT_NODE_ARRAY ? "items" : "values", &t, &raw);
    return st == LEAT_OK ? walk_type(w, raw) : st;
}

/* The type called `t`, in an object `text` or (empty) alone. Other names are of
 * types already met. */
static leat_status walk_name(struct walk *w, const struct leat_json_token *t, struct leat_str text)
{
    if (leat_json_token_is(t, LEAT_STR("record")) || leat_json_token_is(t, LEAT_STR("error")))
        return walk_record(w, text);
    if (leat_json_token_is(t, LEAT_STR("enum")))
        return walk_enum(w, text);
    if (leat_json_token_is(t, LEAT_STR("fixed")))
        return walk_fixed(w, text);
    if (leat_json_token_is(t, LEAT_STR("array")))
        return walk_items(w, text, LEAT_NODE_ARRAY);
    if (leat_json_token_is(t, LEAT_STR("map")))
        return walk_items(w, text, LEAT_NODE_MAP);
    for (leat_node_kind k = LEAT_NODE_NULL; k <= LEAT_NODE_BYTES; k++) {
        struct leat_node *n = NULL;
        if (!leat_json_token_is(t, leat_str_of(leat_node_kind_name(k))))
            continue;
        leat_status st = next_node(w, k, &n);
        return st == LEAT_OK && text.len > 0 ? walk_logical(w, text, n) : st;
    }
    return LEAT_OK;
}

static leat_status walk_object(struct walk *w, struct leat_str text)
{
    struct leat_json_token type;
    struct leat_str raw;
    leat_status st = leat_json_find(text, LEAT_STR("type"), &type, &raw, w->err);
    if (st != LEAT_OK)
        return st;
    return type.kind == LEAT_JSON_STRING ? walk_name(w, &type, text) : walk_type(w, raw);
}

static leat_status walk_alone(struct walk *w, struct leat_str type)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, type);
    leat_status st = leat_json_next(&r, &t, w->err);
    if (st != LEAT_OK || t.kind != LEAT_JSON_STRING)
        return st;
    return walk_name(w, &t, (struct leat_str){"", 0});
}

static leat_status walk_type(struct walk *w, struct leat_str type)
{
    if (type.len == 0)
        return LEAT_OK;
    if (w->depth == LEAT_SCHEMA_DEPTH_MAX) {
        return leat_fail(w->err, LEAT_INVALID, "types are nested deeper than %d",
                         LEAT_SCHEMA_DEPTH_MAX);
    }
    w->depth++;
    leat_status st = type.at[0] == '['   ? walk_union(w, type)
                     : type.at[0] == '{' ? walk_object(w, type)
                                         : walk_alone(w, type);
    w->depth--;
    return st;
}

leat_status leat_schema_text(struct leat_str json, struct leat_schema *s, struct leat_error *err)
{
    while (json.len > 0 && strchr(" \t\r\n", json.at[0]) != NULL) {
        json.at++;
        json.len--;
    }
    struct walk w = {.s = s, .err = err};
    leat_status st = walk_type(&w, json);
    return st == LEAT_OK ? LEAT_OK : leat_error_invalid(err);
}
