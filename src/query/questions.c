#include "query/questions.h"

#include <string.h>

#include "base/json.h"
#include "base/suggest.h"

#define TEXT_BYTES_MAX 65536 /* of a list of texts joined */

struct parse {
    struct leat_json_reader reader;
    struct leat_arena *arena;
    struct leat_error *err;
};

static leat_status next(struct parse *p, struct leat_json_token *t)
{
    leat_status status = leat_json_next(&p->reader, t, p->err);
    if (status == LEAT_POISON) {
        p->err->status = status = LEAT_INVALID;
        leat_error_wrap(p->err, "the body");
    }
    return status;
}

static leat_status wrong(struct parse *p, struct leat_str member, const char *needed)
{
    return leat_fail(p->err, LEAT_INVALID, "the body: '%.*s' must be %s",
                     (int)(member.len < 100 ? member.len : 100), member.at, needed);
}

static leat_status begin_object(struct parse *p, const char *what)
{
    struct leat_json_token t;
    leat_status status = next(p, &t);
    if (status == LEAT_OK && t.kind != LEAT_JSON_OBJECT_BEGIN)
        status = leat_fail(p->err, LEAT_INVALID, "%s must be a JSON object", what);
    return status;
}

/* ---- values ---- */

static bool scalar_text(struct parse *p, const struct leat_json_token *t, struct leat_str *ret)
{
    switch (t->kind) {
    case LEAT_JSON_STRING:
        *ret = leat_json_unescape(t, p->arena);
        return true;
    case LEAT_JSON_INT:
    case LEAT_JSON_DOUBLE:
        *ret = t->text;
        return true;
    case LEAT_JSON_BOOL:
        *ret = t->boolean ? LEAT_STR("true") : LEAT_STR("false");
        return true;
    case LEAT_JSON_END:
    case LEAT_JSON_OBJECT_BEGIN:
    case LEAT_JSON_OBJECT_END:
    case LEAT_JSON_ARRAY_BEGIN:
    case LEAT_JSON_ARRAY_END:
    case LEAT_JSON_KEY:
    case LEAT_JSON_NULL:
        break;
    }
    return false;
}

static leat_status read_text(struct parse *p, struct leat_str member, struct leat_str *ret)
{
    struct leat_json_token t;
    leat_status status = next(p, &t);
    if (status == LEAT_OK && !(t.kind == LEAT_JSON_STRING && scalar_text(p, &t, ret)))
        status = wrong(p, member, "a text");
    return status;
}

static leat_status read_keys(struct parse *p, struct leat_str member, const struct leat_str **ret,
                             uint32_t *ret_n)
{
    struct leat_json_token t;
    struct leat_str *keys = NULL;
    size_t cap = 0;
    uint32_t n = 0;
    leat_status status = next(p, &t);
    if (status == LEAT_OK && t.kind != LEAT_JSON_ARRAY_BEGIN)
        return wrong(p, member, "a list of texts");
    while (status == LEAT_OK && (status = next(p, &t)) == LEAT_OK &&
           t.kind != LEAT_JSON_ARRAY_END) {
        keys = leat_arena_grow(p->arena, keys, sizeof *keys, &cap, n + (size_t)1);
        if (n == LEAT_MODEL_KEYS_MAX || t.kind != LEAT_JSON_STRING ||
            !scalar_text(p, &t, &keys[n]) || keys[n].len > LEAT_KEY_BYTES_MAX)
            return wrong(p, member, "a list of at most 1000 texts of at most 4096 bytes");
        n++;
    }
    *ret = keys;
    *ret_n = n;
    return status;
}

static void put_quoted(struct leat_str text, struct leat_buf *out)
{
    leat_buf_putc(out, '"');
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"')
            leat_buf_putc(out, '"');
        leat_buf_putc(out, text.at[i]);
    }
    leat_buf_putc(out, '"');
}

/* ["a", 5] is "a",5: as the same parameter is written in an address. */
static leat_status join_list(struct parse *p, struct leat_str member, struct leat_buf *out)
{
    struct leat_json_token t;
    struct leat_str text;
    leat_status status = LEAT_OK;
    for (bool first = true; (status = next(p, &t)) == LEAT_OK && t.kind != LEAT_JSON_ARRAY_END;
         first = false) {
        if (!scalar_text(p, &t, &text))
            return wrong(p, member, "a text, a number or a list of them");
        if (!first)
            leat_buf_putc(out, ',');
        if (t.kind == LEAT_JSON_STRING) {
            put_quoted(text, out);
        } else {
            leat_buf_put(out, text.at, text.len);
        }
    }
    return status;
}

static leat_status read_value(struct parse *p, struct leat_str member, struct leat_str *ret)
{
    struct leat_json_token t;
    struct leat_buf joined;
    leat_status status = next(p, &t);
    if (status != LEAT_OK || scalar_text(p, &t, ret))
        return status;
    if (t.kind != LEAT_JSON_ARRAY_BEGIN)
        return wrong(p, member, "a text, a number or a list of them");
    leat_buf_init(&joined, TEXT_BYTES_MAX);
    status = join_list(p, member, &joined);
    if (status == LEAT_OK && joined.overflow)
        status = wrong(p, member, "at most 65536 bytes");
    if (status == LEAT_OK)
        *ret = leat_arena_copy(p->arena, leat_buf_str(&joined));
    leat_buf_done(&joined);
    return status;
}

static leat_status give(struct parse *p, struct leat_str name, struct leat_target *to)
{
    struct leat_str value = {NULL, 0};
    if (to->n_params == LEAT_PARAMS_MAX)
        return leat_fail(p->err, LEAT_INVALID, "more than %d parameters", LEAT_PARAMS_MAX);
    leat_status status = read_value(p, name, &value);
    to->params[to->n_params++] = (struct leat_param){name, value};
    return status;
}

static leat_status read_params(struct parse *p, struct leat_target *to)
{
    struct leat_json_token t;
    leat_status status = begin_object(p, "'params'");
    while (status == LEAT_OK && (status = next(p, &t)) == LEAT_OK && t.kind != LEAT_JSON_OBJECT_END)
        status = give(p, leat_json_unescape(&t, p->arena), to);
    return status;
}

/* ---- questions ---- */

static leat_status read_kind(struct parse *p, leat_read_kind *ret)
{
    struct leat_str text = {NULL, 0};
    struct leat_suggest near;
    leat_status status = read_text(p, LEAT_STR("read"), &text);
    leat_suggest_start(&near, text);
    for (leat_read_kind k = LEAT_READ_ROW; status == LEAT_OK && k < LEAT_READ_KINDS; k++) {
        leat_suggest_offer_cstr(&near, leat_read_names[k]);
        if (leat_str_eq(text, leat_str_of(leat_read_names[k]))) {
            *ret = k;
            return LEAT_OK;
        }
    }
    if (status != LEAT_OK)
        return status;
    status = wrong(p, LEAT_STR("read"), "row, rows, list, count, aggregate, top or query");
    if (near.best.len > 0)
        leat_error_hint(p->err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return status;
}

static leat_status read_member(struct parse *p, struct leat_str name, struct leat_question *q)
{
    if (leat_str_eq(name, LEAT_STR("read")))
        return read_kind(p, &q->kind);
    if (leat_str_eq(name, LEAT_STR("model")))
        return read_text(p, name, &q->model);
    if (leat_str_eq(name, LEAT_STR("name")))
        return read_text(p, name, &q->name);
    if (leat_str_eq(name, LEAT_STR("key")))
        return read_text(p, name, &q->key);
    if (leat_str_eq(name, LEAT_STR("keys")))
        return read_keys(p, name, &q->keys, &q->n_keys);
    if (leat_str_eq(name, LEAT_STR("params")))
        return read_params(p, &q->given);
    return give(p, name, &q->given);
}

static leat_status complete(struct parse *p, const struct leat_question *q)
{
    bool query = q->kind == LEAT_READ_QUERY;
    const char *missing = q->kind == LEAT_READ_KINDS                      ? "read"
                          : query && q->name.at == NULL                   ? "name"
                          : !query && q->model.at == NULL                 ? "model"
                          : q->kind == LEAT_READ_ROW && q->key.at == NULL ? "key"
                          : q->kind == LEAT_READ_ROWS && q->n_keys == 0   ? "keys"
                                                                          : NULL;
    if (missing == NULL)
        return LEAT_OK;
    return leat_fail(p->err, LEAT_INVALID, "the body: a read is without '%s'", missing);
}

static leat_status read_question(struct parse *p, struct leat_question *ret)
{
    struct leat_json_token t;
    leat_status status = LEAT_OK;
    *ret = (struct leat_question){.kind = LEAT_READ_KINDS};
    while ((status = next(p, &t)) == LEAT_OK && t.kind != LEAT_JSON_OBJECT_END) {
        status = read_member(p, leat_json_unescape(&t, p->arena), ret);
        if (status != LEAT_OK)
            return status;
    }
    return status == LEAT_OK ? complete(p, ret) : status;
}

static leat_status read_questions(struct parse *p, struct leat_questions *ret)
{
    struct leat_json_token t;
    leat_status status = next(p, &t);
    if (status == LEAT_OK && t.kind != LEAT_JSON_ARRAY_BEGIN)
        return wrong(p, LEAT_STR("reads"), "a list of questions");
    ret->at = leat_arena_alloc(p->arena, LEAT_BATCH_MAX * sizeof *ret->at);
    ret->n = 0;
    while (status == LEAT_OK && (status = next(p, &t)) == LEAT_OK &&
           t.kind != LEAT_JSON_ARRAY_END) {
        if (ret->n == LEAT_BATCH_MAX || t.kind != LEAT_JSON_OBJECT_BEGIN)
            return wrong(p, LEAT_STR("reads"), "a list of 1 to 50 objects");
        status = read_question(p, &ret->at[ret->n]);
        if (status != LEAT_OK)
            leat_error_wrap(p->err, "reads[%u]", ret->n);
        ret->n++;
    }
    return status;
}

static leat_status at_end(struct parse *p)
{
    struct leat_json_token t;
    return next(p, &t); /* END, or an error */
}

static leat_status unknown_member(struct parse *p, struct leat_str name, const char *const *known)
{
    struct leat_suggest near;
    leat_suggest_start(&near, name);
    for (; *known != NULL; known++)
        leat_suggest_offer_cstr(&near, *known);
    leat_status status = leat_fail(p->err, LEAT_INVALID, "the body: there is no member '%.*s'",
                                   (int)(name.len < 100 ? name.len : 100), name.at);
    if (near.best.len > 0)
        leat_error_hint(p->err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return status;
}

leat_status leat_question_keys(struct leat_str body, struct leat_arena *arena,
                               struct leat_questions *ret, struct leat_error *err)
{
    static const char *const known[] = {"keys", "fields", "at_least", NULL};
    struct parse p = {.arena = arena, .err = err};
    struct leat_json_token t;
    *ret = (struct leat_questions){.n = 1};
    ret->at = leat_arena_zalloc(arena, 1, sizeof *ret->at);
    ret->at[0].kind = LEAT_READ_ROWS;
    leat_json_reader_init(&p.reader, body);
    leat_status status = begin_object(&p, "the body");
    while (status == LEAT_OK && (status = next(&p, &t)) == LEAT_OK &&
           t.kind != LEAT_JSON_OBJECT_END) {
        struct leat_str name = leat_json_unescape(&t, arena);
        if (leat_str_eq(name, LEAT_STR("keys"))) {
            status = read_keys(&p, name, &ret->at[0].keys, &ret->at[0].n_keys);
        } else if (leat_str_eq(name, LEAT_STR("fields"))) {
            status = give(&p, name, &ret->at[0].given);
        } else if (leat_str_eq(name, LEAT_STR("at_least"))) {
            status = read_text(&p, name, &ret->at_least);
        } else {
            status = unknown_member(&p, name, known);
        }
    }
    if (status == LEAT_OK && ret->at[0].n_keys == 0)
        status = wrong(&p, LEAT_STR("keys"), "a list of 1 to 1000 texts");
    return status == LEAT_OK ? at_end(&p) : status;
}

leat_status leat_questions_batch(struct leat_str body, struct leat_arena *arena,
                                 struct leat_questions *ret, struct leat_error *err)
{
    static const char *const known[] = {"reads", "at_least", NULL};
    struct parse p = {.arena = arena, .err = err};
    struct leat_json_token t;
    *ret = (struct leat_questions){.n = 0};
    leat_json_reader_init(&p.reader, body);
    leat_status status = begin_object(&p, "the body");
    while (status == LEAT_OK && (status = next(&p, &t)) == LEAT_OK &&
           t.kind != LEAT_JSON_OBJECT_END) {
        struct leat_str name = leat_json_unescape(&t, arena);
        if (leat_str_eq(name, LEAT_STR("reads"))) {
            status = read_questions(&p, ret);
        } else if (leat_str_eq(name, LEAT_STR("at_least"))) {
            status = read_text(&p, name, &ret->at_least);
        } else {
            status = unknown_member(&p, name, known);
        }
    }
    if (status == LEAT_OK && ret->n == 0)
        status = wrong(&p, LEAT_STR("reads"), "a list of 1 to 50 questions");
    return status == LEAT_OK ? at_end(&p) : status;
}
