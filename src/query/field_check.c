#include "query/field_check.h"

#include "base/json.h"
#include "base/suggest.h"
#include "codec/fields.h"

#define DEPTH_MAX  16
#define SHOWN      100
#define LIST_BYTES 200

struct check {
    const struct leat_schema *schema;
    struct leat_arena *arena;
    struct leat_str path[DEPTH_MAX];
    uint32_t depth;
    struct leat_error *err;
};

static void put_path(const struct check *c, struct leat_buf *out)
{
    for (uint32_t i = 0; i < c->depth; i++) {
        uint32_t n = c->path[i].len < SHOWN ? c->path[i].len : SHOWN;
        leat_buf_printf(out, "%s%.*s", i > 0 ? "." : "", (int)n, c->path[i].at);
    }
}

/* The last step of the path is no field of the record before it. */
static leat_status unknown(const struct check *c)
{
    struct leat_buf text, all;
    struct leat_suggest near;
    struct leat_str name;
    leat_buf_init(&text, (size_t)DEPTH_MAX * (SHOWN + 1) + 1);
    leat_buf_init(&all, LIST_BYTES);
    put_path(c, &text);
    leat_suggest_start(&near, c->path[c->depth - 1]);
    for (uint32_t i = 0; leat_schema_field_name(c->schema, c->path, c->depth - 1, i, &name); i++) {
        leat_suggest_offer(&near, name);
        leat_buf_printf(&all, "%s%.*s", i > 0 ? ", " : "", LEAT_STR_FMT(name));
    }
    leat_status status = leat_fail(c->err, LEAT_INVALID, "%s has no field '%.*s'",
                                   leat_schema_name(c->schema), LEAT_STR_FMT(leat_buf_str(&text)));
    if (near.best.len > 0) {
        leat_error_hint(c->err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    } else if (all.len > 0) {
        leat_error_hint(c->err, "there are %.*s%s", LEAT_STR_FMT(leat_buf_str(&all)),
                        all.overflow ? " …" : "");
    }
    leat_buf_done(&text);
    leat_buf_done(&all);
    return status;
}

static leat_status check_object(struct check *c, struct leat_str json);

static leat_status check_member(struct check *c, const struct leat_json_token *key,
                                struct leat_str value)
{
    struct leat_field_info field;
    uint32_t known = 0;
    if (c->depth == DEPTH_MAX)
        return LEAT_OK;
    c->path[c->depth++] = leat_json_unescape(key, c->arena);
    leat_status status = LEAT_OK;
    if (!leat_schema_field(c->schema, c->path, c->depth, &field, &known)) {
        status = unknown(c);
    } else if (field.kind == LEAT_FIELD_RECORD) {
        status = check_object(c, value);
    }
    c->depth--;
    return status;
}

static leat_status check_object(struct check *c, struct leat_str json)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    struct leat_str value;
    leat_json_reader_init(&r, json);
    LEAT_TRY(leat_json_next(&r, &t, c->err), c->err, "body");
    if (t.kind != LEAT_JSON_OBJECT_BEGIN)
        return LEAT_OK;
    for (;;) {
        LEAT_TRY(leat_json_next(&r, &t, c->err), c->err, "body");
        if (t.kind != LEAT_JSON_KEY)
            return LEAT_OK;
        LEAT_TRY(leat_json_skip(&r, &value, c->err), c->err, "body");
        leat_status status = check_member(c, &t, value);
        if (status != LEAT_OK)
            return status;
    }
}

leat_status leat_check_fields(const struct leat_schema *schema, struct leat_str json,
                              struct leat_arena *arena, struct leat_error *err)
{
    struct check c = {.schema = schema, .arena = arena, .err = err};
    return check_object(&c, json);
}
