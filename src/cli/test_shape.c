#include "cli/test_shape.h"

#include "base/suggest.h"
#include "cli/test_time.h"

/* ---- types ---- */

static bool simple_kind(struct leat_str name, leat_shape_kind *ret)
{
    static const struct {
        const char *name;
        leat_shape_kind kind;
    } kinds[] = {
        {"string", LEAT_SHAPE_TEXT},  {"bytes", LEAT_SHAPE_TEXT},   {"int", LEAT_SHAPE_NUMBER},
        {"long", LEAT_SHAPE_NUMBER},  {"float", LEAT_SHAPE_NUMBER}, {"double", LEAT_SHAPE_NUMBER},
        {"boolean", LEAT_SHAPE_BOOL},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!leat_str_eq(name, leat_str_of(kinds[i].name)))
            continue;
        *ret = kinds[i].kind;
        return true;
    }
    return false;
}

static struct leat_str text_member(struct leat_str object, const char *name,
                                   struct leat_arena *arena)
{
    struct leat_json_token t;
    if (leat_json_find(object, leat_str_of(name), &t, NULL, NULL) != LEAT_OK ||
        t.kind != LEAT_JSON_STRING)
        return (struct leat_str){"", 0};
    return leat_json_unescape(&t, arena);
}

static struct leat_str short_name(struct leat_str full)
{
    for (uint32_t i = full.len; i > 0; i--)
        if (full.at[i - 1] == '.')
            return (struct leat_str){full.at + i, full.len - i};
    return full;
}

/* Where the schema defines the type called `name`. */
static bool find_named(struct leat_str root, struct leat_str name, struct leat_arena *arena,
                       struct leat_str *ret)
{
    struct leat_json_reader r, before;
    struct leat_json_token t;
    leat_json_reader_init(&r, root);
    for (;;) {
        before = r;
        if (leat_json_next(&r, &t, NULL) != LEAT_OK || t.kind == LEAT_JSON_END)
            return false;
        if (t.kind != LEAT_JSON_OBJECT_BEGIN)
            continue;
        struct leat_str raw;
        if (leat_json_skip(&before, &raw, NULL) != LEAT_OK)
            return false;
        struct leat_str type = text_member(raw, "type", arena);
        bool defines = leat_str_eq(type, LEAT_STR("record")) ||
                       leat_str_eq(type, LEAT_STR("enum")) || leat_str_eq(type, LEAT_STR("fixed"));
        if (!defines || !leat_str_eq(short_name(text_member(raw, "name", arena)), short_name(name)))
            continue;
        *ret = raw;
        return true;
    }
}

static leat_status shape_of(struct leat_str root, struct leat_str raw, struct leat_arena *arena,
                            struct leat_shape *ret, struct leat_error *err);

static leat_status object_shape(struct leat_str raw, struct leat_arena *arena,
                                struct leat_shape *ret, struct leat_error *err)
{
    struct leat_json_token t;
    struct leat_str inner = {0};
    LEAT_TRY(leat_json_find(raw, LEAT_STR("type"), &t, &inner, err), err, "type");
    if (t.kind != LEAT_JSON_STRING)
        return shape_of(ret->root, inner, arena, ret, err);
    struct leat_str type = leat_json_unescape(&t, arena);
    struct leat_str logical = text_member(raw, "logicalType", arena);
    ret->raw = raw;
    ret->name = short_name(text_member(raw, "name", arena));
    if (leat_str_eq(type, LEAT_STR("record"))) {
        ret->kind = LEAT_SHAPE_RECORD;
    } else if (leat_str_eq(type, LEAT_STR("enum"))) {
        ret->kind = LEAT_SHAPE_ENUM;
    } else if (leat_str_eq(type, LEAT_STR("array"))) {
        ret->kind = LEAT_SHAPE_ARRAY;
    } else if (leat_str_eq(type, LEAT_STR("map"))) {
        ret->kind = LEAT_SHAPE_MAP;
    } else if (leat_str_eq(logical, LEAT_STR("decimal"))) {
        ret->kind = LEAT_SHAPE_DECIMAL;
    } else if (leat_str_eq(type, LEAT_STR("fixed"))) {
        ret->kind = LEAT_SHAPE_TEXT;
    } else {
        (void)simple_kind(type, &ret->kind);
    }
    if (leat_str_eq(logical, LEAT_STR("timestamp-millis")))
        ret->per_ms = 1;
    if (leat_str_eq(logical, LEAT_STR("timestamp-micros")))
        ret->per_ms = 1000;
    ret->date = leat_str_eq(logical, LEAT_STR("date"));
    return LEAT_OK;
}

/* Null and one other is that other, or nothing; more than that is taken as written. */
static leat_status union_shape(struct leat_str raw, struct leat_arena *arena,
                               struct leat_shape *ret, struct leat_error *err)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    struct leat_shape other = {.root = ret->root};
    uint32_t others = 0;
    leat_json_reader_init(&r, raw);
    LEAT_TRY(leat_json_next(&r, &t, err), err, "union");
    for (;;) {
        struct leat_json_reader before = r;
        struct leat_str branch = {0};
        LEAT_TRY(leat_json_next(&r, &t, err), err, "union");
        if (t.kind == LEAT_JSON_ARRAY_END)
            break;
        r = before;
        LEAT_TRY(leat_json_skip(&r, &branch, err), err, "union");
        if (t.kind == LEAT_JSON_STRING && leat_json_token_is(&t, LEAT_STR("null"))) {
            ret->nullable = true;
            continue;
        }
        if (others++ == 0)
            LEAT_TRY(shape_of(ret->root, branch, arena, &other, err), err, "union");
    }
    if (others != 1)
        return LEAT_OK;
    other.nullable = ret->nullable;
    *ret = other;
    return LEAT_OK;
}

static leat_status shape_of(struct leat_str root, struct leat_str raw, struct leat_arena *arena,
                            struct leat_shape *ret, struct leat_error *err)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    *ret = (struct leat_shape){.root = root, .raw = raw, .name = {"", 0}};
    leat_json_reader_init(&r, raw);
    LEAT_TRY(leat_json_next(&r, &t, err), err, "type");
    if (t.kind == LEAT_JSON_ARRAY_BEGIN)
        return union_shape(raw, arena, ret, err);
    if (t.kind == LEAT_JSON_OBJECT_BEGIN)
        return object_shape(raw, arena, ret, err);
    struct leat_str name = leat_json_unescape(&t, arena), defined;
    if (simple_kind(name, &ret->kind) || !find_named(root, name, arena, &defined))
        return LEAT_OK;
    return object_shape(defined, arena, ret, err);
}

leat_status leat_shape_top(struct leat_str schema, struct leat_arena *arena, struct leat_shape *ret,
                           struct leat_error *err)
{
    return shape_of(schema, schema, arena, ret, err);
}

/* Offers every field's name to *near and stops at the one asked for; NULL name: all are offered. */
static leat_status each_field(const struct leat_shape *record, struct leat_str name,
                              struct leat_arena *arena, struct leat_suggest *near,
                              struct leat_str *ret_raw)
{
    struct leat_json_token t;
    struct leat_json_reader r;
    struct leat_str list = {0};
    if (leat_json_find(record->raw, LEAT_STR("fields"), &t, &list, NULL) != LEAT_OK)
        return LEAT_ABSENT;
    leat_json_reader_init(&r, list);
    if (leat_json_next(&r, &t, NULL) != LEAT_OK)
        return LEAT_ABSENT;
    for (;;) {
        struct leat_json_reader before = r;
        struct leat_str raw = {0};
        if (leat_json_next(&r, &t, NULL) != LEAT_OK || t.kind != LEAT_JSON_OBJECT_BEGIN)
            return LEAT_ABSENT;
        r = before;
        if (leat_json_skip(&r, &raw, NULL) != LEAT_OK)
            return LEAT_ABSENT;
        struct leat_str found = text_member(raw, "name", arena);
        if (near != NULL)
            leat_suggest_offer(near, found);
        if (ret_raw != NULL && leat_str_eq(found, name)) {
            *ret_raw = raw;
            return LEAT_OK;
        }
    }
}

/* Of a RECORD; ABSENT when it has none of that name. */
static leat_status field_shape(const struct leat_shape *record, struct leat_str name,
                               struct leat_arena *arena, struct leat_shape *ret,
                               struct leat_error *err)
{
    struct leat_json_token t;
    struct leat_str raw = {0}, type = {0};
    if (each_field(record, name, arena, NULL, &raw) != LEAT_OK)
        return leat_fail(err, LEAT_ABSENT, "%.*s has no field '%.*s'", LEAT_STR_FMT(record->name),
                         LEAT_STR_FMT(name));
    LEAT_TRY(leat_json_find(raw, LEAT_STR("type"), &t, &type, err), err, "type");
    return shape_of(record->root, type, arena, ret, err);
}

static leat_status item_shape(const struct leat_shape *shape, struct leat_arena *arena,
                              struct leat_shape *ret)
{
    struct leat_json_token t;
    struct leat_str raw = {0};
    const char *name = shape->kind == LEAT_SHAPE_MAP ? "values" : "items";
    *ret = (struct leat_shape){.root = shape->root, .name = {"", 0}};
    if (leat_json_find(shape->raw, leat_str_of(name), &t, &raw, NULL) != LEAT_OK)
        return LEAT_ABSENT;
    return shape_of(shape->root, raw, arena, ret, NULL);
}

/* ---- values ---- */

static const char *kind_text(leat_shape_kind kind)
{
    switch (kind) {
    case LEAT_SHAPE_ANY:
        return "value";
    case LEAT_SHAPE_TEXT:
        return "text";
    case LEAT_SHAPE_NUMBER:
    case LEAT_SHAPE_DECIMAL:
        return "number";
    case LEAT_SHAPE_BOOL:
        return "true or false";
    case LEAT_SHAPE_ENUM:
        return "symbol";
    case LEAT_SHAPE_RECORD:
        return "record";
    case LEAT_SHAPE_ARRAY:
        return "list";
    case LEAT_SHAPE_MAP:
        return "map";
    }
    return "value";
}

bool leat_is_number(struct leat_str text)
{
    struct leat_json_reader r;
    struct leat_json_token t, end;
    leat_json_reader_init(&r, text);
    return leat_json_next(&r, &t, NULL) == LEAT_OK &&
           (t.kind == LEAT_JSON_INT || t.kind == LEAT_JSON_DOUBLE) &&
           leat_json_next(&r, &end, NULL) == LEAT_OK;
}

static bool is_bool(struct leat_str text)
{
    return leat_str_eq(text, LEAT_STR("true")) || leat_str_eq(text, LEAT_STR("false"));
}

static void check_symbol(struct leat_shaper *s, const struct leat_yaml *value,
                         const struct leat_shape *shape)
{
    struct leat_json_token t;
    struct leat_json_reader r;
    struct leat_str list = {0};
    struct leat_suggest near;
    leat_suggest_start(&near, value->text);
    if (leat_json_find(shape->raw, LEAT_STR("symbols"), &t, &list, NULL) != LEAT_OK)
        return;
    leat_json_reader_init(&r, list);
    while (leat_json_next(&r, &t, NULL) == LEAT_OK && t.kind != LEAT_JSON_END) {
        if (t.kind != LEAT_JSON_STRING)
            continue;
        if (leat_str_eq(t.text, value->text))
            return;
        leat_suggest_offer(&near, t.text);
    }
    leat_report_add(s->report, LEAT_SEVERITY_ERROR, &value->place, "'%s' is no symbol of %.*s",
                    value->raw.at, LEAT_STR_FMT(shape->name));
    if (near.best.len > 0)
        leat_report_hint(s->report, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    else
        leat_report_hint(s->report, "one of %.*s", LEAT_STR_FMT(list));
}

static void put_raw(const struct leat_shaper *s, struct leat_str json)
{
    if (s->w != NULL)
        leat_json_raw(s->w, json);
}

static void wrong(struct leat_shaper *s, const struct leat_yaml *value,
                  const struct leat_shape *shape, const char *what)
{
    leat_report_add(s->report, LEAT_SEVERITY_ERROR, &value->place, "%s where a %s belongs", what,
                    kind_text(shape->kind));
    put_raw(s, LEAT_STR("null"));
}

static void put_text(const struct leat_shaper *s, struct leat_str text)
{
    if (s->w != NULL)
        leat_json_str(s->w, text);
}

static void put_number(struct leat_shaper *s, const struct leat_yaml *value,
                       const struct leat_shape *shape)
{
    int64_t ms = 0, days = 0;
    if (leat_is_number(value->text)) {
        put_raw(s, value->text);
    } else if (shape->per_ms > 0 && leat_parse_time(value->text, &ms)) {
        if (s->w != NULL)
            leat_json_int(s->w, ms * shape->per_ms);
    } else if (shape->date && leat_parse_date(value->text, &days)) {
        if (s->w != NULL)
            leat_json_int(s->w, days);
    } else if (shape->date || shape->per_ms > 0) {
        leat_report_add(s->report, LEAT_SEVERITY_ERROR, &value->place, "'%s' is no %s",
                        value->raw.at, shape->date ? "date" : "time");
        leat_report_hint(s->report, "as in %s, or a number of %s since 1970",
                         shape->date ? "2026-03-01" : "2026-03-01T10:00:00Z",
                         shape->date         ? "days"
                         : shape->per_ms > 1 ? "microseconds"
                                             : "milliseconds");
        put_raw(s, LEAT_STR("null"));
    } else if (shape->raw.len > 0 && shape->raw.at[0] == '{') {
        put_text(s, value->text); /* a logical type's own way of writing: the encoder judges it */
    } else {
        leat_report_add(s->report, LEAT_SEVERITY_ERROR, &value->place, "'%s' is no number",
                        value->raw.at);
        put_raw(s, LEAT_STR("null"));
    }
}

static void put_any(struct leat_shaper *s, const struct leat_yaml *value)
{
    bool bare = value->plain && (is_bool(value->text) || leat_is_number(value->text));
    if (bare)
        put_raw(s, value->text);
    else
        put_text(s, value->text);
}

static void put_scalar(struct leat_shaper *s, const struct leat_yaml *value,
                       const struct leat_shape *shape)
{
    if (value->null) {
        if (shape->nullable || shape->kind == LEAT_SHAPE_ANY)
            put_raw(s, LEAT_STR("null"));
        else
            wrong(s, value, shape, "nothing");
        return;
    }
    switch (shape->kind) {
    case LEAT_SHAPE_ANY:
        put_any(s, value);
        break;
    case LEAT_SHAPE_ENUM:
        check_symbol(s, value, shape);
        put_text(s, value->text);
        break;
    case LEAT_SHAPE_TEXT:
    case LEAT_SHAPE_DECIMAL:
        put_text(s, value->text);
        break;
    case LEAT_SHAPE_NUMBER:
        put_number(s, value, shape);
        break;
    case LEAT_SHAPE_BOOL:
        put_raw(s, is_bool(value->text) ? value->text : LEAT_STR("null"));
        if (!is_bool(value->text))
            leat_report_add(s->report, LEAT_SEVERITY_ERROR, &value->place,
                            "'%s' is neither true nor false", value->raw.at);
        break;
    case LEAT_SHAPE_RECORD:
    case LEAT_SHAPE_ARRAY:
    case LEAT_SHAPE_MAP:
        wrong(s, value, shape, "a single value");
        break;
    }
}

static void unknown_field(struct leat_shaper *s, const struct leat_yaml_pair *pair,
                          const struct leat_shape *record)
{
    struct leat_suggest near;
    leat_suggest_start(&near, pair->key);
    (void)each_field(record, pair->key, s->arena, &near, NULL);
    leat_report_add(s->report, LEAT_SEVERITY_ERROR, &pair->place, "%.*s has no field '%.*s'",
                    LEAT_STR_FMT(record->name), LEAT_STR_FMT(pair->key));
    if (near.best.len > 0)
        leat_report_hint(s->report, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
}

static void put_map(struct leat_shaper *s, const struct leat_yaml *value,
                    const struct leat_shape *shape)
{
    if (s->w != NULL)
        leat_json_begin_object(s->w);
    for (uint32_t i = 0; i < value->n; i++) {
        const struct leat_yaml_pair *pair = &value->pairs[i];
        struct leat_shape inner = {.root = shape->root, .name = {"", 0}};
        if (shape->kind == LEAT_SHAPE_MAP) {
            (void)item_shape(shape, s->arena, &inner);
        } else if (shape->kind == LEAT_SHAPE_RECORD &&
                   field_shape(shape, pair->key, s->arena, &inner, NULL) != LEAT_OK) {
            unknown_field(s, pair, shape);
            continue;
        }
        if (s->w != NULL)
            leat_json_key(s->w, pair->key);
        leat_shape_put(s, pair->value, &inner);
    }
    if (s->w != NULL)
        leat_json_end_object(s->w);
}

static void put_list(struct leat_shaper *s, const struct leat_yaml *value,
                     const struct leat_shape *shape)
{
    struct leat_shape inner = {.root = shape->root, .name = {"", 0}};
    if (shape->kind == LEAT_SHAPE_ARRAY)
        (void)item_shape(shape, s->arena, &inner);
    if (s->w != NULL)
        leat_json_begin_array(s->w);
    for (uint32_t i = 0; i < value->n; i++)
        leat_shape_put(s, value->items[i], &inner);
    if (s->w != NULL)
        leat_json_end_array(s->w);
}

void leat_shape_put(struct leat_shaper *s, const struct leat_yaml *value,
                    const struct leat_shape *shape)
{
    bool any = shape->kind == LEAT_SHAPE_ANY;
    switch (value->kind) {
    case LEAT_YAML_SCALAR:
        put_scalar(s, value, shape);
        return;
    case LEAT_YAML_MAP:
        if (any || shape->kind == LEAT_SHAPE_RECORD || shape->kind == LEAT_SHAPE_MAP)
            put_map(s, value, shape);
        else
            wrong(s, value, shape, "a mapping");
        return;
    case LEAT_YAML_LIST:
        if (any || shape->kind == LEAT_SHAPE_ARRAY)
            put_list(s, value, shape);
        else
            wrong(s, value, shape, "a list");
        return;
    }
}
