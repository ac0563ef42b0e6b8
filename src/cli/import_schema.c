#include "cli/import_schema.h"

#include "base/json.h"

/* The kind of a type given by its name alone. Names of records and enums met before are JSON and
 * text to us: the encoder has the last word. */
static leat_import_kind named_kind(struct leat_str name)
{
    static const struct {
        const char *name;
        leat_import_kind kind;
    } kinds[] = {
        {"string", LEAT_IMPORT_STRING}, {"int", LEAT_IMPORT_INT},
        {"long", LEAT_IMPORT_LONG},     {"float", LEAT_IMPORT_DOUBLE},
        {"double", LEAT_IMPORT_DOUBLE}, {"boolean", LEAT_IMPORT_BOOL},
        {"bytes", LEAT_IMPORT_STRING},  {"fixed", LEAT_IMPORT_STRING},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (leat_str_eq(name, leat_str_of(kinds[i].name)))
            return kinds[i].kind;
    }
    return LEAT_IMPORT_JSON;
}

static leat_status read_symbols(struct leat_str raw, struct leat_arena *arena,
                                struct leat_import_field *f, struct leat_error *err)
{
    struct leat_str *symbols = NULL;
    size_t cap = 0;
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, raw);
    do {
        LEAT_TRY(leat_json_next(&r, &t, err), err, "symbols");
        if (t.kind != LEAT_JSON_STRING)
            continue;
        symbols = leat_arena_grow(arena, symbols, sizeof *symbols, &cap, f->symbol_count + 1u);
        symbols[f->symbol_count++] = t.text;
    } while (t.kind != LEAT_JSON_END);
    f->symbols = symbols;
    return LEAT_OK;
}

static void read_logical(struct leat_str raw, struct leat_import_field *f)
{
    struct leat_json_token t;
    if (leat_json_find(raw, LEAT_STR("logicalType"), &t, NULL, NULL) != LEAT_OK)
        return;
    f->date = f->kind == LEAT_IMPORT_INT && leat_json_token_is(&t, LEAT_STR("date"));
    if (f->kind == LEAT_IMPORT_LONG && leat_json_token_is(&t, LEAT_STR("timestamp-millis")))
        f->per_ms = 1;
    if (f->kind == LEAT_IMPORT_LONG && leat_json_token_is(&t, LEAT_STR("timestamp-micros")))
        f->per_ms = 1000;
}

/* {"type": …}: an enum, a logical type over a simple one, or something nested. */
static leat_status object_kind(struct leat_str raw, struct leat_arena *arena,
                               struct leat_import_field *f, struct leat_error *err)
{
    struct leat_json_token t;
    struct leat_str inner = {0};
    LEAT_TRY(leat_json_find(raw, LEAT_STR("type"), &t, &inner, err), err, "type");
    if (t.kind != LEAT_JSON_STRING) {
        f->kind = LEAT_IMPORT_JSON;
        return LEAT_OK;
    }
    f->kind = named_kind(t.text);
    read_logical(raw, f);
    if (!leat_str_eq(t.text, LEAT_STR("enum")))
        return LEAT_OK;
    f->kind = LEAT_IMPORT_ENUM;
    LEAT_TRY(leat_json_find(raw, LEAT_STR("symbols"), &t, &inner, err), err, "enum");
    return read_symbols(inner, arena, f, err);
}

/* ["null", X] in either order is X or nothing; any other union is JSON. */
static leat_status union_kind(struct leat_str raw, struct leat_arena *arena,
                              struct leat_import_field *f, struct leat_error *err)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    uint32_t others = 0;
    leat_json_reader_init(&r, raw);
    LEAT_TRY(leat_json_next(&r, &t, err), err, "union");
    for (;;) {
        struct leat_json_reader before = r;
        LEAT_TRY(leat_json_next(&r, &t, err), err, "union");
        if (t.kind == LEAT_JSON_ARRAY_END)
            break;
        if (t.kind == LEAT_JSON_STRING && leat_str_eq(t.text, LEAT_STR("null"))) {
            f->nullable = true;
            continue;
        }
        others++;
        if (t.kind == LEAT_JSON_STRING) {
            f->kind = named_kind(t.text);
            continue;
        }
        struct leat_str branch = {0};
        r = before;
        LEAT_TRY(leat_json_skip(&r, &branch, err), err, "union");
        LEAT_TRY(object_kind(branch, arena, f, err), err, "union");
    }
    if (others != 1)
        f->kind = LEAT_IMPORT_JSON;
    return LEAT_OK;
}

static leat_status read_field(struct leat_str raw, struct leat_arena *arena,
                              struct leat_import_field *f, struct leat_error *err)
{
    struct leat_json_token t;
    struct leat_str inner = {0};
    *f = (struct leat_import_field){0};
    LEAT_TRY(leat_json_find(raw, LEAT_STR("name"), &t, &inner, err), err, "field");
    f->name = leat_json_unescape(&t, arena);
    f->has_default = leat_json_find(raw, LEAT_STR("default"), &t, &inner, NULL) == LEAT_OK;
    LEAT_TRY(leat_json_find(raw, LEAT_STR("type"), &t, &inner, err), err, "field '%.*s'",
             LEAT_STR_FMT(f->name));
    if (t.kind == LEAT_JSON_STRING) {
        f->kind = named_kind(t.text);
    } else if (t.kind == LEAT_JSON_OBJECT_BEGIN) {
        return object_kind(inner, arena, f, err);
    } else {
        return union_kind(inner, arena, f, err);
    }
    return LEAT_OK;
}

leat_status leat_import_schema_fields(struct leat_str schema, struct leat_arena *arena,
                                      struct leat_import_field **ret, uint32_t *ret_n,
                                      struct leat_error *err)
{
    struct leat_json_token t;
    struct leat_str list = {0};
    struct leat_json_reader r;
    struct leat_import_field *fields = NULL;
    size_t cap = 0;
    uint32_t n = 0;
    LEAT_TRY(leat_json_find(schema, LEAT_STR("fields"), &t, &list, err), err, "schema");
    leat_json_reader_init(&r, list);
    LEAT_TRY(leat_json_next(&r, &t, err), err, "schema");
    for (;;) {
        struct leat_json_reader before = r;
        struct leat_str raw = {0};
        LEAT_TRY(leat_json_next(&r, &t, err), err, "schema");
        if (t.kind != LEAT_JSON_OBJECT_BEGIN)
            break;
        if (n == LEAT_IMPORT_FIELDS_MAX) {
            return leat_fail(err, LEAT_INVALID, "schema: more than %d fields",
                             LEAT_IMPORT_FIELDS_MAX);
        }
        r = before;
        LEAT_TRY(leat_json_skip(&r, &raw, err), err, "schema");
        fields = leat_arena_grow(arena, fields, sizeof *fields, &cap, n + 1u);
        LEAT_TRY(read_field(raw, arena, &fields[n], err), err, "schema");
        n++;
    }
    *ret = fields;
    *ret_n = n;
    return LEAT_OK;
}
