#include "projection/rules.h"

#include <stdlib.h>
#include <string.h>

#include "codec/fields.h"

#define KEY_BYTES_MAX 4096
#define KEY_PARTS_MAX 8 /* as the topology allows */

static leat_row_op row_op(leat_op_kind kind)
{
    switch (kind) {
    case LEAT_OP_ADD:
        return LEAT_ROW_ADD;
    case LEAT_OP_MIN:
        return LEAT_ROW_MIN;
    case LEAT_OP_MAX:
        return LEAT_ROW_MAX;
    case LEAT_OP_APPEND:
        return LEAT_ROW_APPEND;
    case LEAT_OP_COLLECT:
        return LEAT_ROW_COLLECT;
    case LEAT_OP_SET:
    case LEAT_OP_DELETE:
        break;
    }
    return LEAT_ROW_SET;
}

static leat_status compile_ops(struct leat_eval_compiler *c, const struct leat_from *from,
                               struct leat_rule *rule, struct leat_error *err)
{
    rule->n_ops = from->n_ops;
    rule->ops = leat_arena_zalloc(c->arena, from->n_ops, sizeof *rule->ops);
    for (uint32_t i = 0; i < from->n_ops; i++) {
        const struct leat_op *op = &from->ops[i];
        struct leat_rule_op *to = &rule->ops[i];
        to->field = op->field;
        to->op = row_op(op->kind);
        to->clear = op->kind == LEAT_OP_DELETE;
        to->bound = op->bound;
        if (!to->clear)
            LEAT_TRY(leat_eval_compile(c, op->value, &to->value, err), err, "field %u", op->field);
    }
    return LEAT_OK;
}

static leat_status compile_tests(struct leat_eval_compiler *c, const struct leat_from *from,
                                 struct leat_rule *rule, struct leat_error *err)
{
    rule->n_tests = from->n_when;
    rule->tests = leat_arena_zalloc(c->arena, from->n_when, sizeof *rule->tests);
    for (uint32_t i = 0; i < from->n_when; i++) {
        const struct leat_condition *when = &from->when[i];
        rule->tests[i].compare = when->compare;
        LEAT_TRY(leat_eval_compile(c, when->left, &rule->tests[i].left, err), err, "when");
        LEAT_TRY(leat_eval_compile(c, when->right, &rule->tests[i].right, err), err, "when");
    }
    return LEAT_OK;
}

static bool reads_row(const struct leat_expr *e)
{
    bool found = e->kind == LEAT_EXPR_ROW;
    for (uint32_t i = 0; i < e->n_args && !found; i++)
        found = reads_row(e->args[i]);
    return found;
}

static bool rows_are_read(const struct leat_from *from)
{
    for (uint32_t i = 0; i < from->n_ops; i++) {
        if (from->ops[i].value != NULL && reads_row(from->ops[i].value))
            return true;
    }
    return false;
}

static bool is_blind(const struct leat_projection *p, const struct leat_from *from)
{
    bool written[LEAT_ROW_FIELDS_MAX] = {false};
    uint32_t n = 0;
    if (p->n_indexes > 0 || from->n_when > 0 || p->ttl_ms > 0 || rows_are_read(from))
        return false;
    for (uint32_t i = 0; i < from->n_ops; i++) {
        const struct leat_op *op = &from->ops[i];
        if (op->kind != LEAT_OP_SET)
            return false;
        n += !written[op->field];
        written[op->field] = true;
    }
    return n == p->fields.n;
}

static leat_status compile_rule(struct leat_eval_compiler *c, const struct leat_from *from,
                                struct leat_rule *rule, struct leat_error *err)
{
    const struct leat_projection *p = c->projection;
    const struct leat_eval **keys = leat_arena_zalloc(c->arena, p->n_keys, sizeof(void *));
    rule->event = from->event;
    c->paths = &rule->paths;
    for (uint32_t i = 0; i < p->n_keys; i++) {
        if (reads_row(p->keys[i]))
            return leat_fail(err, LEAT_INVALID, "a key cannot use $row: it is what finds the row");
        LEAT_TRY(leat_eval_compile(c, p->keys[i], &keys[i], err), err, "key");
        if (p->ttl_ms > 0 && !p->keyed_by_stream && leat_eval_is_period(keys[i]))
            rule->period = keys[i];
    }
    rule->keys = keys;
    rule->n_keys = p->n_keys;
    LEAT_TRY(compile_tests(c, from, rule, err), err, "%.*s", LEAT_STR_FMT(from->event));
    LEAT_TRY(compile_ops(c, from, rule, err), err, "%.*s", LEAT_STR_FMT(from->event));
    rule->reads_row = rows_are_read(from);
    rule->blind = is_blind(p, from);
    return LEAT_OK;
}

static leat_status bind_rule(const struct leat_from *from, const struct leat_coded *coded,
                             struct leat_rule *rule)
{
    rule->event = from->event;
    rule->on = leat_coded_on(coded, from->event);
    return LEAT_OK;
}

static void free_picker(struct leat_rule *rule, uint32_t i)
{
    leat_picker_free(rule->pickers[i].picker);
    leat_plan_free(rule->pickers[i].plan);
}

void leat_rules_free(struct leat_rules *r)
{
    if (r == NULL)
        return;
    for (uint32_t i = 0; i < r->n; i++) {
        for (uint32_t j = 0; j < r->at[i].n_pickers; j++)
            free_picker(&r->at[i], j);
    }
    leat_coded_free(r->coded);
    leat_arena_free(r->arena);
    free(r);
}

leat_status leat_rules_new(const struct leat_projection *p, struct leat_rules **ret,
                           struct leat_error *err)
{
    if (p->fields.n > LEAT_ROW_FIELDS_MAX) {
        return leat_fail(err, LEAT_INVALID, "projection '%.*s' has more than %d fields",
                         LEAT_STR_FMT(p->name), LEAT_ROW_FIELDS_MAX);
    }
    struct leat_rules *r = calloc(1, sizeof *r);
    if (r == NULL)
        return leat_fail(err, LEAT_FATAL, "out of memory");
    r->arena = leat_arena_new((size_t)16 * 1024, 0);
    r->at = leat_arena_zalloc(r->arena, p->n_from, sizeof *r->at);
    struct leat_eval_compiler c = {.arena = r->arena, .projection = p};
    leat_status bound = p->is_coded ? leat_coded_bind(p, &r->coded, err) : LEAT_OK;
    if (bound != LEAT_OK) {
        leat_rules_free(r);
        return bound;
    }
    for (uint32_t i = 0; i < p->n_from; i++) {
        leat_status status = r->coded != NULL ? bind_rule(&p->from[i], r->coded, &r->at[i])
                                              : compile_rule(&c, &p->from[i], &r->at[i], err);
        if (status != LEAT_OK) {
            leat_error_wrap(err, "projection '%.*s'", LEAT_STR_FMT(p->name));
            leat_rules_free(r);
            return status;
        }
        r->n++;
    }
    *ret = r;
    return LEAT_OK;
}

#define PATH_PARTS_MAX 16

static uint64_t path_hash(const struct leat_schema *schema, struct leat_str path, uint64_t seed)
{
    struct leat_str parts[PATH_PARTS_MAX];
    uint32_t n = 0;
    const char *end = path.at + path.len;
    for (const char *at = path.at; at < end && n < PATH_PARTS_MAX; n++) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        const char *stop = dot == NULL ? end : dot;
        parts[n] = (struct leat_str){at, (uint32_t)(stop - at)};
        at = stop + 1;
    }
    return leat_schema_reading_hash(schema, parts, n, seed);
}

leat_status leat_rules_hash(const struct leat_projection *p, const struct leat_schemas *schemas,
                            uint64_t *ret, struct leat_error *err)
{
    struct leat_rules *r = NULL;
    uint64_t hash = p->hash;
    if (p->is_coded) {
        *ret = leat_coded_hash(p);
        return LEAT_OK;
    }
    LEAT_TRY(leat_rules_new(p, &r, err), err, "hash");
    for (uint32_t i = 0; i < r->n; i++) {
        const struct leat_schema *schema = leat_schemas_current(schemas, r->at[i].event);
        for (uint32_t j = 0; schema != NULL && j < r->at[i].paths.n; j++)
            hash = path_hash(schema, r->at[i].paths.at[j], hash);
    }
    leat_rules_free(r);
    *ret = hash;
    return LEAT_OK;
}

struct leat_rule *leat_rules_find(const struct leat_rules *r, struct leat_str event)
{
    for (uint32_t i = 0; i < r->n; i++) {
        if (leat_str_eq(r->at[i].event, event))
            return &r->at[i];
    }
    return NULL;
}

/* What reads messages of a schema: *ret_at is its place among the rule's. */
static leat_status picker_for(struct leat_rule *rule, const struct leat_schemas *schemas,
                              int32_t id, uint32_t *ret_at, struct leat_error *err)
{
    for (uint32_t i = 0; i < rule->n_pickers; i++) {
        if (rule->pickers[i].schema_id == id) {
            *ret_at = i;
            return LEAT_OK;
        }
    }
    const struct leat_schema *schema = id == 0 ? NULL : leat_schemas_by_id(schemas, id);
    if (id != 0 && schema == NULL)
        return leat_fail(err, LEAT_ABSENT, "schema id %d is not known", (int)id);
    struct leat_picker *made = NULL;
    struct leat_plan *plan = NULL;
    const struct leat_schema *reader = leat_schemas_current(schemas, rule->event);
    leat_status status = LEAT_OK;
    if (rule->on == NULL)
        status = leat_picker_reading(schema, reader, rule->paths.at, rule->paths.n, &made, err);
    else if (schema != NULL)
        status = leat_plan_new(schema, rule->on->event, &plan, err);
    LEAT_TRY(status, err, "schema id %d", (int)id);
    if (rule->n_pickers == LEAT_PICKERS_MAX) { /* many old schemas: keep the newest ones */
        free_picker(rule, 0);
        memmove(&rule->pickers[0], &rule->pickers[1],
                (LEAT_PICKERS_MAX - 1) * sizeof rule->pickers[0]);
        rule->n_pickers--;
    }
    *ret_at = rule->n_pickers++;
    rule->pickers[*ret_at].schema_id = id;
    rule->pickers[*ret_at].picker = made;
    rule->pickers[*ret_at].plan = plan;
    return LEAT_OK;
}

/* The event as its struct. */
static leat_status decode(const struct leat_rule *rule, const struct leat_plan *plan,
                          struct leat_str body, struct leat_arena *arena, struct leat_value *ret,
                          struct leat_error *err)
{
    const struct leat_type *type = rule->on->event;
    void *event = leat_arena_zalloc(arena, 1, type->size);
    LEAT_TRY(plan == NULL ? leat_decode_json(type, body, arena, event, err)
                          : leat_decode_avro(plan, body, arena, event, err),
             err, "%.*s", LEAT_STR_FMT(rule->event));
    *ret = (struct leat_value){.kind = LEAT_VALUE_BYTES, .s = {event, (uint32_t)type->size}};
    return LEAT_OK;
}

leat_status leat_rule_pick(struct leat_rule *rule, const struct leat_schemas *schemas,
                           struct leat_str payload, struct leat_arena *arena,
                           const struct leat_value **ret, struct leat_error *err)
{
    int32_t id = 0;
    struct leat_str body = payload;
    uint32_t at = 0;
    if (payload.len == 0)
        return leat_fail(err, LEAT_POISON, "the event has no bytes");
    if (!leat_framing_split(payload, &id, &body)) {
        id = 0;
        body = payload;
    } else if (id == 0) {
        return leat_fail(err, LEAT_POISON, "schema id 0 is no schema");
    }
    LEAT_TRY(picker_for(rule, schemas, id, &at, err), err, "%.*s", LEAT_STR_FMT(rule->event));
    struct leat_value *values = leat_arena_alloc(arena, (rule->paths.n + 1) * sizeof *values);
    *ret = values;
    if (rule->on != NULL)
        return decode(rule, rule->pickers[at].plan, body, arena, values, err);
    LEAT_TRY(leat_pick(rule->pickers[at].picker, body, arena, values, err), err, "%.*s",
             LEAT_STR_FMT(rule->event));
    return LEAT_OK;
}

static uint32_t put_escaped(char *to, uint32_t len, struct leat_str part)
{
    static const char hex[] = "0123456789ABCDEF";
    for (uint32_t i = 0; i < part.len; i++) {
        char c = part.at[i];
        if (c != '/' && c != '%') {
            to[len++] = c;
            continue;
        }
        to[len++] = '%';
        to[len++] = hex[(unsigned char)c >> 4];
        to[len++] = hex[(unsigned char)c & 15];
    }
    return len;
}

struct leat_str leat_key_join(const struct leat_str *parts, uint32_t n, struct leat_arena *arena)
{
    if (n == 1)
        return parts[0].len <= KEY_BYTES_MAX ? parts[0] : (struct leat_str){NULL, 0};
    uint64_t room = n;
    for (uint32_t i = 0; i < n; i++)
        room += (uint64_t)parts[i].len * 3;
    char *text = leat_arena_alloc(arena, room < KEY_BYTES_MAX * 3 ? room : KEY_BYTES_MAX * 3);
    uint32_t len = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (len + 1 + (uint64_t)parts[i].len * 3 > KEY_BYTES_MAX * 3)
            return (struct leat_str){NULL, 0};
        if (i > 0)
            text[len++] = '/';
        len = put_escaped(text, len, parts[i]);
    }
    return len <= KEY_BYTES_MAX ? (struct leat_str){text, len} : (struct leat_str){NULL, 0};
}

bool leat_rule_key(const struct leat_rule *rule, const struct leat_eval_scope *scope,
                   struct leat_str *ret)
{
    struct leat_str parts[KEY_PARTS_MAX];
    leat_assert(rule->n_keys <= KEY_PARTS_MAX);
    for (uint32_t i = 0; i < rule->n_keys; i++) {
        struct leat_cell cell = leat_eval(rule->keys[i], scope);
        parts[i] = leat_cell_text(&cell, scope->arena);
        if (parts[i].len == 0)
            return false;
    }
    *ret = leat_key_join(parts, rule->n_keys, scope->arena);
    return ret->len > 0;
}

bool leat_rule_holds(const struct leat_rule *rule, const struct leat_eval_scope *scope)
{
    for (uint32_t i = 0; i < rule->n_tests; i++) {
        const struct leat_rule_test *test = &rule->tests[i];
        struct leat_cell left = leat_eval(test->left, scope);
        struct leat_cell right = leat_eval(test->right, scope);
        if (!leat_eval_condition(test->compare, &left, &right))
            return false;
    }
    return true;
}
