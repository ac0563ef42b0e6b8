/* What came of a case against what its `then` lists: only what is listed is compared. */
#include <stdlib.h>

#include "base/units.h"
#include "cli/test_case.h"
#include "cli/test_shape.h"
#include "cli/test_time.h"

#define JSON_BYTES_MAX (16u << 20)
#define DEPTH_MAX      32

void leat_test_problem_put(struct leat_test_checking *k, const struct leat_place *place,
                           struct leat_str what, struct leat_str expected, struct leat_str actual)
{
    k->problems++;
    leat_json_begin_object(k->w);
    leat_json_put_int(k->w, "line", place == NULL ? 0 : place->line);
    leat_json_put_int(k->w, "column", place == NULL ? 0 : place->column);
    leat_json_put_str(k->w, "what", what);
    if (expected.len > 0 || actual.len > 0) {
        leat_json_put_str(k->w, "expected", expected);
        leat_json_put_str(k->w, "actual", actual);
    }
    leat_json_end_object(k->w);
}

/* ---- values ---- */

static struct leat_str quoted(const struct leat_test_checking *k, struct leat_str text)
{
    struct leat_buf b;
    struct leat_json_writer w;
    leat_buf_init(&b, JSON_BYTES_MAX);
    leat_json_writer_init(&w, &b);
    leat_json_str(&w, text);
    struct leat_str made = leat_arena_copy(k->arena, leat_buf_str(&b));
    leat_buf_done(&b);
    return made;
}

static struct leat_str yaml_json(const struct leat_test_checking *k, const struct leat_yaml *node)
{
    struct leat_buf b;
    struct leat_json_writer w;
    struct leat_report report = {0};
    struct leat_shaper s = {.arena = k->arena, .report = &report, .w = &w};
    struct leat_shape any = {.kind = LEAT_SHAPE_ANY};
    leat_buf_init(&b, JSON_BYTES_MAX);
    leat_json_writer_init(&w, &b);
    leat_shape_put(&s, node, &any);
    struct leat_str made = leat_arena_copy(k->arena, leat_buf_str(&b));
    leat_buf_done(&b);
    leat_report_done(&report);
    return made;
}

static double number_of(const struct leat_test_checking *k, struct leat_str text)
{
    return strtod(leat_arena_cstr(k->arena, text), NULL);
}

static bool same_number(const struct leat_test_checking *k, const struct leat_yaml *e,
                        const struct leat_json_token *t)
{
    int64_t ms = 0, days = 0;
    if (t->kind == LEAT_JSON_INT && leat_parse_time(e->text, &ms))
        return t->integer == ms || t->integer == ms * 1000; /* millis, micros */
    if (t->kind == LEAT_JSON_INT && leat_parse_date(e->text, &days))
        return t->integer == days;
    if (!leat_is_number(e->text))
        return false;
    if (leat_str_eq(e->text, t->text))
        return true;
    double expected = number_of(k, e->text), actual = number_of(k, t->text);
    /* Whole numbers beyond 2^53 are only equal as text; a float lost digits on its way. */
    bool big = t->kind == LEAT_JSON_INT && (actual > 9e15 || actual < -9e15);
    return !big && !(expected < actual) && !(expected > actual)
               ? true
               : t->kind == LEAT_JSON_DOUBLE && !((double)(float)expected < actual) &&
                     !((double)(float)expected > actual);
}

static bool same_scalar(const struct leat_test_checking *k, const struct leat_yaml *e,
                        const struct leat_json_token *t)
{
    if (e->null || t->kind == LEAT_JSON_NULL)
        return e->null && t->kind == LEAT_JSON_NULL;
    if (t->kind == LEAT_JSON_STRING)
        return leat_str_eq(leat_json_unescape(t, k->arena), e->text);
    if (t->kind == LEAT_JSON_BOOL)
        return leat_str_eq(e->text, t->boolean ? LEAT_STR("true") : LEAT_STR("false"));
    return (t->kind == LEAT_JSON_INT || t->kind == LEAT_JSON_DOUBLE) && same_number(k, e, t);
}

static void differ(struct leat_test_checking *k, const struct leat_yaml *e, const char *path,
                   struct leat_str actual)
{
    bool text = actual.len > 0 && actual.at[0] == '"' && e->kind == LEAT_YAML_SCALAR && !e->null;
    leat_test_problem_put(k, &e->place, leat_str_of(path),
                          text ? quoted(k, e->text) : yaml_json(k, e), actual);
}

static void compare_value(struct leat_test_checking *k, const struct leat_yaml *e,
                          struct leat_str actual, const char *path, int depth);

static void compare_map(struct leat_test_checking *k, const struct leat_yaml *e,
                        struct leat_str actual, const char *path, int depth)
{
    for (uint32_t i = 0; i < e->n; i++) {
        const struct leat_yaml_pair *pair = &e->pairs[i];
        struct leat_json_token t;
        struct leat_str raw;
        const char *inner = leat_arena_printf(k->arena, "%s.%.*s", path, LEAT_STR_FMT(pair->key));
        if (leat_json_find(actual, pair->key, &t, &raw, NULL) == LEAT_OK)
            compare_value(k, pair->value, raw, inner, depth + 1);
        else
            differ(k, pair->value, inner, LEAT_STR("(absent)"));
    }
}

/* The next item of an array; false at its end. */
static bool next_item(struct leat_json_reader *r, struct leat_str *ret)
{
    struct leat_json_token t;
    struct leat_json_reader before = *r;
    if (leat_json_next(r, &t, NULL) != LEAT_OK || t.kind == LEAT_JSON_ARRAY_END)
        return false;
    *r = before;
    return leat_json_skip(r, ret, NULL) == LEAT_OK;
}

static void compare_list(struct leat_test_checking *k, const struct leat_yaml *e,
                         struct leat_str actual, const char *path, int depth)
{
    struct leat_json_reader first, r;
    struct leat_json_token t;
    struct leat_str raw;
    uint32_t n = 0;
    leat_json_reader_init(&first, actual);
    if (leat_json_next(&first, &t, NULL) != LEAT_OK)
        return;
    for (r = first; next_item(&r, &raw);)
        n++;
    if (n != e->n) {
        differ(k, e, path, actual);
        return;
    }
    r = first;
    for (uint32_t i = 0; i < n && next_item(&r, &raw); i++)
        compare_value(k, e->items[i], raw, leat_arena_printf(k->arena, "%s[%u]", path, i),
                      depth + 1);
}

static void compare_value(struct leat_test_checking *k, const struct leat_yaml *e,
                          struct leat_str actual, const char *path, int depth)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, actual);
    if (depth > DEPTH_MAX || leat_json_next(&r, &t, NULL) != LEAT_OK) {
        differ(k, e, path, actual);
    } else if (e->kind == LEAT_YAML_MAP && t.kind == LEAT_JSON_OBJECT_BEGIN) {
        compare_map(k, e, actual, path, depth);
    } else if (e->kind == LEAT_YAML_LIST && t.kind == LEAT_JSON_ARRAY_BEGIN) {
        compare_list(k, e, actual, path, depth);
    } else if (e->kind != LEAT_YAML_SCALAR || !same_scalar(k, e, &t)) {
        differ(k, e, path, actual);
    }
}

/* ---- one that came ---- */

static struct leat_str payload_json(const struct leat_test_checking *k, struct leat_str payload)
{
    struct leat_buf b;
    struct leat_error err = {0};
    leat_buf_init(&b, JSON_BYTES_MAX);
    struct leat_str made = {"(does not decode)", 17};
    if (leat_schemas_to_json(k->schemas, payload, &b, &err) == LEAT_OK)
        made = leat_arena_copy(k->arena, leat_buf_str(&b));
    leat_buf_done(&b);
    return made;
}

static const char *answer_word(leat_test_expect_kind kind)
{
    switch (kind) {
    case LEAT_TEST_REJECTED:
        return "rejected";
    case LEAT_TEST_RETRY:
        return "retry";
    case LEAT_TEST_POISON:
        return "poison";
    case LEAT_TEST_MADE:
        break;
    }
    return "done";
}

struct leat_str leat_test_came_text(const struct leat_test_checking *k,
                                    const struct leat_test_came *came)
{
    struct leat_buf b;
    leat_buf_init(&b, JSON_BYTES_MAX);
    if (came->kind == LEAT_TEST_MADE) {
        struct leat_str json = payload_json(k, came->made->payload);
        leat_buf_printf(&b, "%.*s: ", LEAT_STR_FMT(came->made->type));
        leat_buf_put(&b, json.at, json.len);
    } else if (came->code.len > 0 &&
               !leat_str_eq(came->code, leat_str_of(answer_word(came->kind)))) {
        leat_buf_printf(&b, "%s: %.*s (%.*s)", answer_word(came->kind), LEAT_STR_FMT(came->code),
                        LEAT_STR_FMT(came->text));
    } else {
        leat_buf_printf(&b, "%s: %.*s", answer_word(came->kind), LEAT_STR_FMT(came->text));
    }
    struct leat_str made = leat_arena_copy(k->arena, leat_buf_str(&b));
    leat_buf_done(&b);
    return made;
}

static struct leat_str expected_text(const struct leat_test_checking *k,
                                     const struct leat_test_expect *e)
{
    if (e->kind == LEAT_TEST_MADE)
        return e->type;
    return leat_str_of(leat_arena_printf(k->arena, "%s: %.*s", answer_word(e->kind),
                                         LEAT_STR_FMT(e->code.len > 0 ? e->code : e->text)));
}

static bool contains(struct leat_str text, struct leat_str part)
{
    return part.len == 0 || (text.len > 0 && memmem(text.at, text.len, part.at, part.len) != NULL);
}

static void compare_meta(struct leat_test_checking *k, const struct leat_test_expect *e,
                         const struct leat_test_came *came, const char *path)
{
    const struct leat_trial_made *m = came->made;
    if (e->key.len > 0 && !leat_str_eq(e->key, m->key))
        leat_test_problem_put(
            k, &e->place, leat_str_of(leat_arena_printf(k->arena, "%s key", path)), e->key, m->key);
    if (e->priority.len > 0 && !leat_str_eq(e->priority, m->priority))
        leat_test_problem_put(k, &e->place,
                              leat_str_of(leat_arena_printf(k->arena, "%s priority", path)),
                              e->priority, m->priority);
    if (e->after_ms >= 0 && e->after_ms != m->after_ms) {
        char expected[LEAT_UNITS_TEXT], came_after[LEAT_UNITS_TEXT];
        leat_test_problem_put(
            k, &e->place, leat_str_of(leat_arena_printf(k->arena, "%s after", path)),
            leat_arena_copy(k->arena, leat_str_of(leat_format_duration(e->after_ms, expected))),
            leat_arena_copy(k->arena, leat_str_of(leat_format_duration(m->after_ms, came_after))));
    }
}

static void compare_answer(struct leat_test_checking *k, const struct leat_test_expect *e,
                           const struct leat_test_came *came, const char *path)
{
    if (e->code.len > 0 && !leat_str_eq(e->code, came->code))
        leat_test_problem_put(k, &e->place, leat_str_of(path), expected_text(k, e),
                              leat_test_came_text(k, came));
    else if (!contains(came->text, e->text) && !leat_str_eq(e->text, came->code))
        leat_test_problem_put(k, &e->place,
                              leat_str_of(leat_arena_printf(k->arena, "%s text", path)),
                              quoted(k, e->text), quoted(k, came->text));
}

static void compare_one(struct leat_test_checking *k, uint32_t i, const struct leat_test_came *came)
{
    const struct leat_test_expect *e = &k->c->then[i];
    const char *path = leat_arena_printf(k->arena, "then[%u]", i);
    bool same = e->kind == came->kind &&
                (e->kind != LEAT_TEST_MADE || leat_str_eq(e->type, came->made->type));
    if (!same) {
        leat_test_problem_put(k, &e->place, leat_str_of(path), expected_text(k, e),
                              leat_test_came_text(k, came));
        return;
    }
    if (e->kind != LEAT_TEST_MADE) {
        compare_answer(k, e, came, path);
        return;
    }
    compare_meta(k, e, came, path);
    path = leat_arena_printf(k->arena, "%s.%.*s", path, LEAT_STR_FMT(e->type));
    if (e->fields != NULL)
        compare_value(k, e->fields, payload_json(k, came->made->payload), path, 0);
}

void leat_test_compare(struct leat_test_checking *k, const struct leat_test_came *came, size_t n)
{
    for (uint32_t i = 0; i < k->c->n_then || i < n; i++) {
        if (i < k->c->n_then && i < n) {
            compare_one(k, i, &came[i]);
            continue;
        }
        bool missing = i < k->c->n_then;
        leat_test_problem_put(k, missing ? &k->c->then[i].place : &k->c->place,
                              leat_str_of(leat_arena_printf(k->arena, "then[%u]", i)),
                              missing ? expected_text(k, &k->c->then[i]) : LEAT_STR("nothing more"),
                              missing ? LEAT_STR("nothing") : leat_test_came_text(k, &came[i]));
    }
}
