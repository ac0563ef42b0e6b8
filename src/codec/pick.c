/* pick.c - some fields of a message in one pass. Over Avro the paths become a tree of the records
 * they go through, and reading stops after the last one wanted; over JSON the same walk goes by
 * names. */
#include <math.h>
#include <stdlib.h>

#include "base/json.h"
#include "codec/decimal.h"
#include "codec/latin1.h"
#include "codec/nodes.h"
#include "codec/pick_reader.h"
#include "codec/plan.h"
#include "codec/wire.h"

#define ARENA_BYTES    1024
#define PICK_JSON_MAX  (1u << 20)
#define PICK_PATHS_MAX 256

struct pick_record;

struct pick_step {
    uint32_t node;                   /* the field's type */
    int32_t first;                   /* path that ends here, -1: none; others by next[] */
    const struct pick_record *inner; /* paths that go on below, or NULL */
    struct leat_str name;
};

struct pick_record {
    struct pick_step *at;
    uint32_t count; /* up to the last field wanted */
};

struct leat_picker {
    struct leat_arena *arena;
    const struct leat_schema *schema; /* NULL: JSON */
    struct leat_pick_path *paths;
    int32_t *next;              /* chain of paths that end at the same field */
    struct leat_value *missing; /* what a path gives that the message does not have */
    size_t n;
    const struct pick_record *top;
};

/* ---- compiling ---- */

static leat_status split(struct leat_picker *p, struct leat_str text, struct leat_pick_path *path,
                         struct leat_error *err)
{
    path->text = leat_arena_copy(p->arena, text);
    const char *at = path->text.at;
    const char *end = at + text.len;
    while (at <= end && text.len > 0) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        const char *stop = dot == NULL ? end : dot;
        if (stop == at || path->count == LEAT_PATH_PARTS_MAX)
            break;
        path->parts[path->count++] = (struct leat_str){at, (uint32_t)(stop - at)};
        at = stop + 1;
    }
    if (text.len == 0 || at != end + 1)
        return leat_fail(err, LEAT_INVALID, "'%.*s' is not a path of fields", LEAT_STR_FMT(text));
    return LEAT_OK;
}

static bool goes_through(const struct leat_pick_path *path, const struct leat_str *prefix,
                         uint32_t depth, struct leat_str name)
{
    if (path->count <= depth || !leat_str_eq(path->parts[depth], name))
        return false;
    for (uint32_t i = 0; i < depth; i++) {
        if (!leat_str_eq(path->parts[i], prefix[i]))
            return false;
    }
    return true;
}

static const struct pick_record *compile_record(struct leat_picker *p, uint32_t node,
                                                struct leat_str *prefix, uint32_t depth);

static bool compile_step(struct leat_picker *p, const struct leat_node_field *f,
                         struct leat_str *prefix, uint32_t depth, struct pick_step *step)
{
    bool below = false;
    *step = (struct pick_step){.node = f->node, .first = -1, .name = f->name};
    for (size_t i = 0; i < p->n; i++) {
        if (!goes_through(&p->paths[i], prefix, depth, f->name))
            continue;
        if (p->paths[i].count > depth + 1) {
            below = true;
            continue;
        }
        p->next[i] = step->first;
        step->first = (int32_t)i;
    }
    uint32_t plain = leat_node_plain(p->schema, f->node);
    if (below && p->schema->nodes[plain].kind == LEAT_NODE_RECORD) {
        prefix[depth] = f->name;
        step->inner = compile_record(p, plain, prefix, depth + 1);
    }
    return step->first >= 0 || step->inner != NULL;
}

static const struct pick_record *compile_record(struct leat_picker *p, uint32_t node,
                                                struct leat_str *prefix, uint32_t depth)
{
    const struct leat_node *n = leat_node_at(p->schema, node);
    struct pick_record *r = leat_arena_zalloc(p->arena, 1, sizeof *r);
    r->at = leat_arena_zalloc(p->arena, n->count + (size_t)1, sizeof *r->at);
    for (uint32_t i = 0; i < n->count; i++) {
        if (compile_step(p, &p->schema->fields[n->first + i], prefix, depth, &r->at[i]))
            r->count = i + 1;
    }
    return r->count == 0 ? NULL : r;
}

static leat_status compile(struct leat_picker *p, const struct leat_schema *reader,
                           const struct leat_str *paths, struct leat_error *err)
{
    const struct leat_schema *schema = p->schema;
    p->paths = leat_arena_zalloc(p->arena, p->n + 1, sizeof *p->paths);
    p->next = leat_arena_zalloc(p->arena, p->n + 1, sizeof *p->next);
    p->missing = leat_arena_zalloc(p->arena, p->n + 1, sizeof *p->missing);
    for (size_t i = 0; i < p->n; i++) {
        p->paths[i].arena = p->arena;
        p->missing[i].kind = LEAT_VALUE_NULL;
        leat_status st = split(p, paths[i], &p->paths[i], err);
        if (st == LEAT_OK && reader != NULL && reader != schema)
            st = leat_pick_resolve(schema, reader, &p->paths[i], &p->missing[i], err);
        if (st != LEAT_OK)
            return st;
        p->next[i] = -1;
    }
    struct leat_str prefix[LEAT_PATH_PARTS_MAX + 1];
    if (schema != NULL && leat_node_at(schema, schema->top)->kind == LEAT_NODE_RECORD)
        p->top = compile_record(p, schema->top, prefix, 0);
    return LEAT_OK;
}

leat_status leat_picker_new(const struct leat_schema *schema, const struct leat_str *paths,
                            size_t n, struct leat_picker **ret, struct leat_error *err)
{
    return leat_picker_reading(schema, NULL, paths, n, ret, err);
}

leat_status leat_picker_reading(const struct leat_schema *schema, const struct leat_schema *reader,
                                const struct leat_str *paths, size_t n, struct leat_picker **ret,
                                struct leat_error *err)
{
    if (n > PICK_PATHS_MAX)
        return leat_fail(err, LEAT_INVALID, "more than %d paths", PICK_PATHS_MAX);
    struct leat_picker *p = calloc(1, sizeof *p);
    if (p == NULL)
        return leat_fail(err, LEAT_FATAL, "out of memory");
    p->arena = leat_arena_new(ARENA_BYTES, 0);
    p->schema = schema;
    p->n = n;
    leat_status st = compile(p, reader, paths, err);
    if (st == LEAT_OK) {
        *ret = p;
    } else {
        leat_picker_free(p);
    }
    return st;
}

void leat_picker_free(struct leat_picker *p)
{
    if (p == NULL)
        return;
    leat_arena_free(p->arena);
    free(p);
}

/* ---- Avro ---- */

struct pick {
    const struct leat_picker *p;
    struct leat_wire_in in;
    struct leat_arena *arena;
    struct leat_value *values;
    struct leat_error *err;
};

static leat_status bad(struct pick *c, const struct pick_step *step)
{
    return leat_fail(c->err, LEAT_POISON, "field '%s' at byte %zu: not a value of its type",
                     step->name.at, (size_t)(c->in.at - c->in.start));
}

static leat_status pick_nested(struct pick *c, uint32_t node, struct leat_value *v)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, PICK_JSON_MAX);
    leat_status st = leat_node_to_json(c->p->schema, node, &c->in, &text, c->err);
    if (st != LEAT_OK)
        return st;
    v->kind = LEAT_VALUE_JSON;
    v->s = leat_arena_copy(c->arena, leat_buf_str(&text));
    return LEAT_OK;
}

static bool pick_number(struct pick *c, const struct leat_node *n, struct leat_value *v)
{
    float f = 0;
    if (n->kind == LEAT_NODE_INT || n->kind == LEAT_NODE_LONG) {
        v->kind = LEAT_VALUE_INT;
        return leat_wire_long(&c->in, &v->i);
    }
    v->kind = LEAT_VALUE_DOUBLE;
    if (n->kind == LEAT_NODE_DOUBLE)
        return leat_wire_raw(&c->in, &v->d, sizeof v->d);
    bool ok = leat_wire_raw(&c->in, &f, sizeof f);
    v->d = (double)f;
    return ok;
}

/* As in JSON: "12.50". */
static bool decimal_text(struct pick *c, const struct leat_node *n, struct leat_value *v)
{
    char text[LEAT_DECIMAL_TEXT_MAX];
    uint32_t len = 0;
    if (!leat_decimal_text(v->s, n->scale, text, &len))
        return false;
    v->kind = LEAT_VALUE_STRING;
    v->s = leat_arena_copy(c->arena, (struct leat_str){text, len});
    return true;
}

static bool pick_text(struct pick *c, const struct leat_node *n, struct leat_value *v)
{
    const struct leat_schema *s = c->p->schema;
    int64_t i = 0;
    v->kind = n->kind == LEAT_NODE_BYTES || n->kind == LEAT_NODE_FIXED ? LEAT_VALUE_BYTES
                                                                       : LEAT_VALUE_STRING;
    if (n->kind == LEAT_NODE_ENUM) {
        if (!leat_wire_long(&c->in, &i) || i < 0 || i >= n->count)
            return false;
        v->s = s->symbols[n->first + (uint32_t)i];
        return true;
    }
    if (n->kind == LEAT_NODE_FIXED) {
        v->s = (struct leat_str){(const char *)c->in.at, n->size};
        return leat_node_skip(s, (uint32_t)(n - s->nodes), &c->in, 0) &&
               (!n->decimal || decimal_text(c, n, v));
    }
    if (!leat_wire_bytes(&c->in, &v->s))
        return false;
    if (n->decimal)
        return decimal_text(c, n, v);
    return n->kind == LEAT_NODE_BYTES || leat_wire_utf8(v->s);
}

static leat_status pick_value(struct pick *c, const struct pick_step *step, uint32_t node,
                              struct leat_value *v)
{
    const struct leat_node *n = leat_node_at(c->p->schema, node);
    bool ok = true;
    switch (n->kind) {
    case LEAT_NODE_NULL:
    case LEAT_NODE_UNION: /* its branch has been read */
        v->kind = LEAT_VALUE_NULL;
        break;
    case LEAT_NODE_BOOL:
        v->kind = LEAT_VALUE_BOOL;
        ok = leat_wire_bool(&c->in, &v->b);
        break;
    case LEAT_NODE_INT:
    case LEAT_NODE_LONG:
    case LEAT_NODE_FLOAT:
    case LEAT_NODE_DOUBLE:
        ok = pick_number(c, n, v);
        break;
    case LEAT_NODE_STRING:
    case LEAT_NODE_BYTES:
    case LEAT_NODE_FIXED:
    case LEAT_NODE_ENUM:
        ok = pick_text(c, n, v);
        break;
    case LEAT_NODE_RECORD:
    case LEAT_NODE_ARRAY:
    case LEAT_NODE_MAP:
        return pick_nested(c, node, v);
    }
    return ok ? LEAT_OK : bad(c, step);
}

static leat_status pick_record(struct pick *c, const struct pick_record *r);

/* A field may be wanted whole and in parts: it is read once for each. */
static leat_status pick_plain(struct pick *c, const struct pick_step *step, uint32_t node)
{
    struct leat_wire_in before = c->in;
    if (step->first >= 0) {
        struct leat_value v = {.kind = LEAT_VALUE_NULL};
        leat_status st = pick_value(c, step, node, &v);
        if (st != LEAT_OK)
            return st;
        for (int32_t i = step->first; i >= 0; i = c->p->next[i])
            c->values[i] = v;
    }
    struct leat_wire_in after = c->in;
    if (step->inner != NULL) {
        c->in = before;
        leat_status st = pick_record(c, step->inner);
        if (st != LEAT_OK)
            return st;
        c->in = before;
    }
    if (step->first >= 0) {
        c->in = after;
        return LEAT_OK;
    }
    return leat_node_skip(c->p->schema, node, &c->in, 0) ? LEAT_OK : bad(c, step);
}

static leat_status pick_record(struct pick *c, const struct pick_record *r)
{
    const struct leat_schema *s = c->p->schema;
    for (uint32_t i = 0; i < r->count; i++) {
        const struct pick_step *step = &r->at[i];
        const struct leat_node *n = leat_node_at(s, step->node);
        if (step->first < 0 && step->inner == NULL) {
            if (!leat_node_skip(s, step->node, &c->in, 0))
                return bad(c, step);
            continue;
        }
        int64_t branch = 0;
        uint32_t plain = step->node;
        if (n->kind == LEAT_NODE_UNION) {
            if (!leat_wire_long(&c->in, &branch) || branch < 0 || branch >= n->count)
                return bad(c, step);
            plain = s->branches[n->first + (uint32_t)branch];
        }
        if (s->nodes[plain].kind == LEAT_NODE_NULL)
            continue;
        leat_status st = pick_plain(c, step, plain);
        if (st != LEAT_OK)
            return st;
    }
    return LEAT_OK;
}

/* ---- JSON ---- */

struct jpick {
    const struct leat_picker *p;
    struct leat_json_reader r;
    struct leat_arena *arena;
    struct leat_value *values;
    struct leat_error *err;
    struct leat_str prefix[LEAT_PATH_PARTS_MAX + 1];
};

static struct leat_value json_value(struct jpick *c, const struct leat_json_token *t,
                                    struct leat_str raw)
{
    switch (t->kind) {
    case LEAT_JSON_STRING:
        return (struct leat_value){.kind = LEAT_VALUE_STRING, .s = leat_json_unescape(t, c->arena)};
    case LEAT_JSON_INT:
        return (struct leat_value){.kind = LEAT_VALUE_INT, .i = t->integer};
    case LEAT_JSON_DOUBLE:
        return (struct leat_value){.kind = LEAT_VALUE_DOUBLE, .d = t->number};
    case LEAT_JSON_BOOL:
        return (struct leat_value){.kind = LEAT_VALUE_BOOL, .b = t->boolean};
    case LEAT_JSON_OBJECT_BEGIN:
    case LEAT_JSON_ARRAY_BEGIN:
        return (struct leat_value){.kind = LEAT_VALUE_JSON, .s = raw};
    case LEAT_JSON_NULL:
    case LEAT_JSON_KEY:
    case LEAT_JSON_OBJECT_END:
    case LEAT_JSON_ARRAY_END:
    case LEAT_JSON_END:
        break;
    }
    return (struct leat_value){.kind = LEAT_VALUE_NULL};
}

static leat_status json_object(struct jpick *c, uint32_t depth);

static leat_status json_member(struct jpick *c, struct leat_str name, uint32_t depth)
{
    bool wanted = false;
    bool below = false;
    for (size_t i = 0; i < c->p->n; i++) {
        if (!goes_through(&c->p->paths[i], c->prefix, depth, name))
            continue;
        wanted = wanted || c->p->paths[i].count == depth + 1;
        below = below || c->p->paths[i].count > depth + 1;
    }
    struct leat_json_reader before = c->r;
    struct leat_str raw = {NULL, 0};
    leat_status st = leat_json_skip(&c->r, &raw, c->err);
    if (st != LEAT_OK || (!wanted && !below))
        return st;
    struct leat_json_reader after = c->r;
    struct leat_json_token t;
    c->r = before;
    st = leat_json_next(&c->r, &t, c->err);
    for (size_t i = 0; st == LEAT_OK && wanted && i < c->p->n; i++) {
        if (c->p->paths[i].count == depth + 1 &&
            goes_through(&c->p->paths[i], c->prefix, depth, name))
            c->values[i] = json_value(c, &t, raw);
    }
    if (st == LEAT_OK && below && t.kind == LEAT_JSON_OBJECT_BEGIN) {
        c->prefix[depth] = name;
        st = json_object(c, depth + 1);
    }
    c->r = after;
    return st;
}

static leat_status json_object(struct jpick *c, uint32_t depth)
{
    for (;;) {
        struct leat_json_token t;
        leat_status st = leat_json_next(&c->r, &t, c->err);
        if (st != LEAT_OK || t.kind == LEAT_JSON_OBJECT_END)
            return st;
        st = json_member(c, leat_json_unescape(&t, c->arena), depth);
        if (st != LEAT_OK)
            return st;
    }
}

static leat_status pick_json(const struct leat_picker *p, struct leat_str body,
                             struct leat_arena *arena, struct leat_value *values,
                             struct leat_error *err)
{
    struct jpick c = {.p = p, .arena = arena, .values = values, .err = err};
    struct leat_json_token t;
    leat_json_reader_init(&c.r, body);
    leat_status st = leat_json_next(&c.r, &t, err);
    if (st != LEAT_OK)
        return st;
    if (t.kind != LEAT_JSON_OBJECT_BEGIN)
        return leat_fail(err, LEAT_POISON, "a JSON object was expected");
    st = json_object(&c, 0);
    return st == LEAT_OK ? leat_json_next(&c.r, &t, err) : st;
}

leat_status leat_pick(const struct leat_picker *p, struct leat_str body, struct leat_arena *arena,
                      struct leat_value *values, struct leat_error *err)
{
    for (size_t i = 0; i < p->n; i++)
        values[i] = p->missing[i];
    if (p->schema == NULL)
        return pick_json(p, body, arena, values, err);
    struct pick c = {
        .p = p, .in = leat_wire_in_of(body), .arena = arena, .values = values, .err = err};
    return p->top == NULL ? LEAT_OK : pick_record(&c, p->top);
}
