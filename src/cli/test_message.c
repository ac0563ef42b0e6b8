/* One event or command of a test case: {Type: {field: value}}, with key, priority or at beside. */
#include <inttypes.h>

#include "base/json.h"
#include "base/suggest.h"
#include "base/units.h"
#include "cli/test_file.h"
#include "cli/test_shape.h"
#include "cli/test_time.h"

#define MESSAGE_BYTES_MAX (16u << 20)

struct parts {                         /* of one mapping */
    const struct leat_yaml_pair *type; /* the pair that is not one of the words below */
    const struct leat_yaml *key, *priority, *at, *text, *after;
};

#define MISTAKE(r, place, ...)                                                                     \
    leat_report_add((r)->report, LEAT_SEVERITY_ERROR, (place), __VA_ARGS__)

/* "did you mean" after the finding just added. */
static void suggest(struct leat_test_reading *r, struct leat_str wrong, const struct leat_names *a,
                    const struct leat_names *b)
{
    struct leat_suggest near;
    leat_suggest_start(&near, wrong);
    for (uint32_t i = 0; i < a->n; i++)
        leat_suggest_offer(&near, a->at[i]);
    for (uint32_t i = 0; i < b->n; i++)
        leat_suggest_offer(&near, b->at[i]);
    if (near.best.len > 0)
        leat_report_hint(r->report, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
}

/* ---- a mapping's parts ---- */

#define WORDS 5
static const char *const beside_words[WORDS] = {"key", "priority", "at", "text", "after"};

static bool take_word(struct parts *p, const struct leat_yaml_pair *pair)
{
    const struct leat_yaml **to[WORDS] = {&p->key, &p->priority, &p->at, &p->text, &p->after};
    for (size_t i = 0; i < WORDS; i++) {
        if (!leat_str_eq(pair->key, leat_str_of(beside_words[i])))
            continue;
        *to[i] = pair->value;
        return true;
    }
    return false;
}

/* The word a key that is no type was meant to be; empty when it is near none. */
static struct leat_str meant_word(const struct leat_test_reading *r, struct leat_str key)
{
    struct leat_suggest near;
    if (leat_schemas_text(r->env->schemas, key).len > 0)
        return (struct leat_str){0};
    leat_suggest_start(&near, key);
    for (size_t i = 0; i < WORDS; i++)
        leat_suggest_offer_cstr(&near, beside_words[i]);
    return near.best;
}

static void two_types(struct leat_test_reading *r, const struct leat_yaml_pair *one,
                      const struct leat_yaml_pair *other)
{
    const struct leat_yaml_pair *odd = meant_word(r, one->key).len > 0 ? one : other;
    const struct leat_yaml_pair *type = odd == one ? other : one;
    struct leat_str word = meant_word(r, odd->key);
    if (word.len > 0) {
        MISTAKE(r, &odd->place, "'%.*s' beside '%.*s': no such key", LEAT_STR_FMT(odd->key),
                LEAT_STR_FMT(type->key));
        leat_report_hint(r->report, "did you mean '%.*s'?", LEAT_STR_FMT(word));
        return;
    }
    MISTAKE(r, &other->place, "'%.*s' beside '%.*s': one type in each mapping",
            LEAT_STR_FMT(other->key), LEAT_STR_FMT(one->key));
    leat_report_hint(r->report, "a list keeps their order: - %.*s: {…}", LEAT_STR_FMT(other->key));
}

static bool take_parts(struct leat_test_reading *r, const struct leat_yaml *node, struct parts *p)
{
    const struct leat_yaml_pair *word = NULL;
    *p = (struct parts){0};
    if (node->kind != LEAT_YAML_MAP) {
        MISTAKE(r, &node->place, "an event or command is written {Type: {field: value}}");
        return false;
    }
    for (uint32_t i = 0; i < node->n; i++) {
        if (take_word(p, &node->pairs[i])) {
            word = &node->pairs[i];
            continue;
        }
        if (p->type != NULL) {
            two_types(r, p->type, &node->pairs[i]);
            return false;
        }
        p->type = &node->pairs[i];
    }
    if (p->type == NULL) {
        MISTAKE(r, &node->place, "a mapping without the type of an event or command");
        if (word != NULL) {
            leat_report_hint(r->report, "its place is beside: {Type: {field: value}, %.*s: …}",
                             LEAT_STR_FMT(word->key));
        }
    }
    return p->type != NULL;
}

static bool scalar_text(struct leat_test_reading *r, const struct leat_yaml *node, const char *what,
                        struct leat_str *ret)
{
    if (node->kind != LEAT_YAML_SCALAR || node->null || node->text.len == 0) {
        MISTAKE(r, &node->place, "%s takes a text", what);
        return false;
    }
    *ret = node->text;
    return true;
}

static bool duration(struct leat_test_reading *r, const struct leat_yaml *node, int64_t *ret_ms)
{
    struct leat_str text;
    if (!scalar_text(r, node, "'after'", &text))
        return false;
    if (leat_parse_duration(text, ret_ms) == LEAT_UNITS_OK && *ret_ms >= 0)
        return true;
    MISTAKE(r, &node->place, "'after' is a duration as 15m or 2h30m, not '%.*s'",
            LEAT_STR_FMT(text));
    return false;
}

bool leat_test_at(struct leat_test_reading *r, const struct leat_yaml *node, int64_t *ret_ms)
{
    struct leat_str text;
    if (!scalar_text(r, node, "'at'", &text))
        return false;
    if (leat_parse_time(text, ret_ms))
        return true;
    MISTAKE(r, &node->place, "'%s' is no time", node->raw.at);
    leat_report_hint(r->report, "as in 2026-03-01T10:00:00Z");
    return false;
}

bool leat_test_priority(struct leat_test_reading *r, const struct leat_yaml *node,
                        struct leat_str *ret)
{
    const struct leat_priorities *all = &r->processor->priorities;
    struct leat_suggest near;
    if (!scalar_text(r, node, "'priority'", ret))
        return false;
    if (leat_priority_find(all, *ret) >= 0)
        return true;
    leat_suggest_start(&near, *ret);
    for (uint32_t i = 0; i < all->n; i++)
        leat_suggest_offer(&near, all->at[i].name);
    MISTAKE(r, &node->place, "processor '%s' has no priority '%s'", r->processor->name.at,
            node->raw.at);
    if (near.best.len > 0)
        leat_report_hint(r->report, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return false;
}

/* ---- fields ---- */

static bool top_shape(struct leat_test_reading *r, const struct leat_yaml_pair *type,
                      struct leat_shape *ret)
{
    struct leat_error err = {0};
    struct leat_str schema = leat_schemas_text(r->env->schemas, type->key);
    if (schema.len == 0) {
        MISTAKE(r, &type->place, "type '%.*s' has no schema", LEAT_STR_FMT(type->key));
        return false;
    }
    if (leat_shape_top(schema, r->env->arena, ret, &err) == LEAT_OK)
        return true;
    MISTAKE(r, &type->place, "schema of '%.*s': %s", LEAT_STR_FMT(type->key), err.msg);
    return false;
}

static bool is_nothing(const struct leat_yaml *node)
{
    return node->kind == LEAT_YAML_SCALAR && node->null;
}

/* Puts the fields into the bytes a worker would see; *ret_json is their text. */
static bool encode(struct leat_test_reading *r, const struct leat_yaml_pair *type, bool is_event,
                   struct leat_str *ret_bytes, struct leat_str *ret_json)
{
    const struct leat_topology *t = r->env->topology;
    struct leat_shape shape;
    struct leat_buf json, bytes;
    struct leat_json_writer w;
    struct leat_shaper s = {.arena = r->env->arena, .report = r->report, .w = &w};
    struct leat_error err = {0};
    size_t errors = r->report->errors;
    if (!top_shape(r, type, &shape))
        return false;
    leat_buf_init(&json, MESSAGE_BYTES_MAX);
    leat_buf_init(&bytes, MESSAGE_BYTES_MAX);
    leat_json_writer_init(&w, &json);
    if (is_nothing(type->value)) {
        leat_buf_puts(&json, "{}");
    } else {
        leat_shape_put(&s, type->value, &shape);
    }
    bool avro = (is_event ? t->events.format : t->commands.format) == LEAT_FORMAT_AVRO;
    if (r->report->errors == errors &&
        leat_schemas_from_json(r->env->schemas, type->key, avro, leat_buf_str(&json), &bytes,
                               &err) != LEAT_OK)
        MISTAKE(r, &type->place, "%s", err.msg);
    *ret_json = leat_arena_copy(r->env->arena, leat_buf_str(&json));
    *ret_bytes = leat_arena_copy(r->env->arena, leat_buf_str(&bytes));
    leat_buf_done(&json);
    leat_buf_done(&bytes);
    return r->report->errors == errors;
}

static struct leat_str key_in(struct leat_test_reading *r, const struct leat_aggregate *a,
                              struct leat_str json)
{
    struct leat_json_token t;
    if (a == NULL || leat_json_find(json, a->key, &t, NULL, NULL) != LEAT_OK)
        return (struct leat_str){0};
    if (t.kind == LEAT_JSON_STRING)
        return leat_json_unescape(&t, r->env->arena);
    if (t.kind == LEAT_JSON_INT)
        return leat_str_of(leat_arena_printf(r->env->arena, "%" PRId64, t.integer));
    return (struct leat_str){0};
}

/* Words that are for others than the caller. */
static bool refuse(struct leat_test_reading *r, const struct leat_yaml *node, const char *what)
{
    if (node != NULL)
        MISTAKE(r, &node->place, "%s", what);
    return node != NULL;
}

/* ---- given, when, then ---- */

static bool is_event_of(struct leat_test_reading *r, const struct leat_yaml_pair *type)
{
    const struct leat_topology *t = r->env->topology;
    const struct leat_aggregate *own = r->processor->aggregate;
    const struct leat_aggregate *from = leat_topology_emitter(t, type->key);
    if (from == own && from != NULL)
        return true;
    if (from != NULL) {
        MISTAKE(r, &type->place, "'%.*s' is an event of aggregate '%s', not of '%s'",
                LEAT_STR_FMT(type->key), from->name.at, own->name.at);
        return false;
    }
    MISTAKE(r, &type->place, "no processor of aggregate '%s' emits '%.*s'", own->name.at,
            LEAT_STR_FMT(type->key));
    struct leat_suggest near;
    leat_suggest_start(&near, type->key);
    for (uint32_t i = 0; i < t->n_processors; i++) {
        for (uint32_t j = 0; t->processors[i].aggregate == own && j < t->processors[i].emits.n; j++)
            leat_suggest_offer(&near, t->processors[i].emits.at[j]);
    }
    if (near.best.len > 0)
        leat_report_hint(r->report, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return false;
}

bool leat_test_given(struct leat_test_reading *r, const struct leat_yaml *node,
                     struct leat_test_message *ret)
{
    struct parts p;
    struct leat_str json;
    if (r->processor->aggregate == NULL) {
        bool map = node->kind == LEAT_YAML_MAP && node->n > 0;
        MISTAKE(r, map ? &node->pairs[0].place : &node->place,
                "processor '%s' has no aggregate, so nothing can be given", r->processor->name.at);
        return false;
    }
    if (!take_parts(r, node, &p) || !is_event_of(r, p.type) ||
        refuse(r, p.priority, "'priority' is of commands") ||
        refuse(r, p.at, "'at' is of what is received: `when`") ||
        refuse(r, p.text, "'text' is of rejected: `then`") ||
        refuse(r, p.after, "'after' is of commands sent: `then`"))
        return false;
    *ret = (struct leat_test_message){.place = p.type->place, .type = p.type->key};
    if (!encode(r, p.type, true, &ret->bytes, &json))
        return false;
    ret->key = key_in(r, r->processor->aggregate, json);
    return p.key == NULL || scalar_text(r, p.key, "'key'", &ret->key);
}

bool leat_test_when(struct leat_test_reading *r, const struct leat_yaml *node,
                    struct leat_test_message *ret)
{
    const struct leat_processor *own = r->processor;
    struct parts p;
    struct leat_str json;
    if (!take_parts(r, node, &p) || refuse(r, p.text, "'text' is of rejected: `then`") ||
        refuse(r, p.after, "'after' is of commands sent: `then`"))
        return false;
    bool is_event = leat_names_has(&own->events, p.type->key);
    if (!is_event && !leat_names_has(&own->commands, p.type->key)) {
        MISTAKE(r, &p.type->place, "processor '%s' does not handle '%.*s'", own->name.at,
                LEAT_STR_FMT(p.type->key));
        suggest(r, p.type->key, &own->commands, &own->events);
        return false;
    }
    if (p.at != NULL && !leat_test_at(r, p.at, &r->at_ms))
        return false;
    *ret =
        (struct leat_test_message){.place = p.type->place, .type = p.type->key, .at_ms = r->at_ms};
    if (p.priority != NULL && !leat_test_priority(r, p.priority, &ret->priority))
        return false;
    if (!encode(r, p.type, is_event, &ret->bytes, &json))
        return false;
    ret->key = key_in(
        r, is_event ? leat_topology_emitter(r->env->topology, p.type->key) : own->aggregate, json);
    return p.key == NULL || scalar_text(r, p.key, "'key'", &ret->key);
}

static bool outcome_word(struct leat_str word, leat_test_expect_kind *ret)
{
    static const struct {
        const char *word;
        leat_test_expect_kind kind;
    } words[] = {
        {"rejected", LEAT_TEST_REJECTED}, {"retry", LEAT_TEST_RETRY}, {"poison", LEAT_TEST_POISON}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!leat_str_eq(word, leat_str_of(words[i].word)))
            continue;
        *ret = words[i].kind;
        return true;
    }
    return false;
}

/* {rejected: code, text: part}, {retry: part}, {poison: part} */
static bool answer(struct leat_test_reading *r, const struct parts *p, struct leat_test_expect *ret)
{
    const struct leat_yaml *value = p->type->value;
    if (refuse(r, p->key, "'key' is of events and commands") ||
        refuse(r, p->priority, "'priority' is of commands") ||
        refuse(r, p->after, "'after' is of commands") ||
        refuse(r, p->at, "'at' is of what is received: `when`"))
        return false;
    if (ret->kind == LEAT_TEST_REJECTED) {
        if (!scalar_text(r, value, "'rejected' with the handler's code", &ret->code))
            return false;
    } else if (!is_nothing(value) &&
               !scalar_text(r, value, "'retry' or 'poison' with a part of its text", &ret->text)) {
        return false;
    }
    return p->text == NULL || scalar_text(r, p->text, "'text'", &ret->text);
}

bool leat_test_then(struct leat_test_reading *r, const struct leat_yaml *node,
                    struct leat_test_expect *ret)
{
    const struct leat_processor *own = r->processor;
    struct parts p;
    struct leat_shape shape;
    if (!take_parts(r, node, &p))
        return false;
    *ret = (struct leat_test_expect){.place = p.type->place, .type = p.type->key, .after_ms = -1};
    if (outcome_word(p.type->key, &ret->kind))
        return answer(r, &p, ret);
    bool sent = leat_names_has(&own->sends, p.type->key);
    if (!sent && !leat_names_has(&own->emits, p.type->key)) {
        MISTAKE(r, &p.type->place, "processor '%s' neither emits nor sends '%.*s'", own->name.at,
                LEAT_STR_FMT(p.type->key));
        static const struct leat_str words[] = {{"rejected", 8}, {"retry", 5}, {"poison", 6}};
        struct leat_suggest near;
        leat_suggest_start(&near, p.type->key);
        for (size_t i = 0; i < 3; i++)
            leat_suggest_offer(&near, words[i]);
        if (near.best.len > 0) {
            leat_report_hint(r->report, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
        } else {
            suggest(r, p.type->key, &own->emits, &own->sends);
        }
        return false;
    }
    if (refuse(r, p.at, "'at' is of what is received: `when`") ||
        refuse(r, p.text, "'text' is of rejected") ||
        (!sent && refuse(r, p.priority, "'priority' is of commands")) ||
        (!sent && refuse(r, p.after, "'after' is of commands")))
        return false;
    if ((p.after != NULL && !duration(r, p.after, &ret->after_ms)) ||
        (p.key != NULL && !scalar_text(r, p.key, "'key'", &ret->key)) ||
        (p.priority != NULL && !scalar_text(r, p.priority, "'priority'", &ret->priority)) ||
        !top_shape(r, p.type, &shape))
        return false;
    struct leat_shaper s = {.arena = r->env->arena, .report = r->report};
    size_t errors = r->report->errors;
    if (!is_nothing(p.type->value)) {
        leat_shape_put(&s, p.type->value, &shape);
        ret->fields = p.type->value;
    }
    return r->report->errors == errors;
}
