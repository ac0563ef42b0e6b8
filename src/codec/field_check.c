#include "codec/field_check.h"

#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "codec/json_walk.h"
#include "codec/nodes.h"

#define PATH_BYTES 400 /* longer ones are cut */
#define SHOWN      100
#define LIST_BYTES 200

struct check {
    const struct leat_schema *schema;
    struct leat_arena *arena;
    char path[PATH_BYTES];
    size_t path_len;
    struct leat_error *err;
};

static leat_status check_value(struct check *c, uint32_t node, struct leat_str json);

static void leave(struct check *c, size_t before)
{
    c->path_len = before;
    c->path[before] = '\0';
}

/* The length to go back to. */
static size_t enter(struct check *c, struct leat_str step, const char *open, const char *close)
{
    size_t before = c->path_len, room = sizeof c->path - before;
    int n = snprintf(c->path + before, room, "%s%.*s%s", open,
                     (int)(step.len < SHOWN ? step.len : SHOWN), step.at, close);
    c->path_len += n > 0 && (size_t)n < room ? (size_t)n : room - 1;
    return before;
}

static leat_status unknown(struct check *c, const struct leat_node *record, struct leat_str name)
{
    struct leat_buf all;
    struct leat_suggest near;
    leat_buf_init(&all, LIST_BYTES);
    leat_suggest_start(&near, name);
    for (uint32_t i = 0; i < record->count; i++) {
        struct leat_str known = c->schema->fields[record->first + i].name;
        leat_suggest_offer(&near, known);
        leat_buf_printf(&all, "%s%.*s", i > 0 ? ", " : "", LEAT_STR_FMT(known));
    }
    leat_status status = leat_fail(c->err, LEAT_INVALID, "%s has no field '%s'",
                                   leat_schema_name(c->schema), c->path);
    if (near.best.len > 0) {
        leat_error_hint(c->err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    } else if (all.len > 0) {
        leat_error_hint(c->err, "there are %.*s%s", LEAT_STR_FMT(leat_buf_str(&all)),
                        all.overflow ? " …" : "");
    }
    leat_buf_done(&all);
    return status;
}

/* What a member's value is: *ret_node. False: no such name, or for a union no such branch. */
static bool member_of(const struct check *c, uint32_t node, const struct leat_json_token *key,
                      uint32_t *ret_node)
{
    const struct leat_node *n = leat_node_at(c->schema, node);
    if (n->kind == LEAT_NODE_MAP) {
        *ret_node = n->item;
        return true;
    }
    for (uint32_t i = 0; n->kind == LEAT_NODE_UNION && i < n->count; i++) {
        *ret_node = c->schema->branches[n->first + i];
        if (leat_node_is_branch(c->schema, *ret_node, key, c->arena))
            return true;
    }
    struct leat_str name = leat_json_unescape(key, c->arena);
    const struct leat_node_field *f = leat_node_field_find(c->schema, node, name);
    *ret_node = f == NULL ? 0 : f->node;
    return f != NULL;
}

static leat_status check_member(struct check *c, uint32_t node, const struct leat_json_token *key,
                                struct leat_str value)
{
    const struct leat_node *n = leat_node_at(c->schema, node);
    struct leat_str name = leat_json_unescape(key, c->arena);
    bool map = n->kind == LEAT_NODE_MAP;
    size_t before = enter(c, name, map ? "[" : c->path_len > 0 ? "." : "", map ? "]" : "");
    leat_status status = LEAT_OK;
    uint32_t of = 0;
    if (member_of(c, node, key, &of)) {
        status = check_value(c, of, value);
    } else if (n->kind == LEAT_NODE_RECORD) {
        status = unknown(c, n, name);
    }
    leave(c, before);
    return status;
}

/* A record, a map, or one of several types: {"branch": value}. */
static leat_status check_object(struct check *c, uint32_t node, struct leat_json_reader *r)
{
    for (bool more = true;;) {
        struct leat_json_token key;
        struct leat_str value = {NULL, 0};
        leat_status status = leat_json_member(r, &key, &value, &more, c->err);
        if (status != LEAT_OK || !more)
            return status;
        status = check_member(c, node, &key, value);
        if (status != LEAT_OK)
            return status;
    }
}

static leat_status check_items(struct check *c, uint32_t item, struct leat_json_reader *r)
{
    for (uint32_t i = 0;; i++) {
        char number[16];
        bool more = false;
        struct leat_str value = {NULL, 0};
        leat_status status = leat_json_item(r, &value, &more, c->err);
        if (status != LEAT_OK || !more)
            return status;
        (void)snprintf(number, sizeof number, "%u", i);
        size_t before = enter(c, leat_str_of(number), "[", "]");
        status = check_value(c, item, value);
        leave(c, before);
        if (status != LEAT_OK)
            return status;
    }
}

/* May hold names at all: most fields do not, and are not read again. */
static bool has_names(leat_node_kind kind)
{
    return kind == LEAT_NODE_RECORD || kind == LEAT_NODE_MAP || kind == LEAT_NODE_ARRAY ||
           kind == LEAT_NODE_UNION;
}

static leat_status check_value(struct check *c, uint32_t node, struct leat_str json)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    if (leat_node_at(c->schema, node)->optional)
        node = leat_node_plain(c->schema, node);
    leat_node_kind kind = leat_node_at(c->schema, node)->kind;
    if (!has_names(kind))
        return LEAT_OK;
    leat_json_reader_init(&r, json);
    leat_status status = leat_json_next(&r, &t, c->err);
    if (status != LEAT_OK)
        return status;
    if (kind == LEAT_NODE_ARRAY && t.kind == LEAT_JSON_ARRAY_BEGIN)
        return check_items(c, leat_node_at(c->schema, node)->item, &r);
    if (kind != LEAT_NODE_ARRAY && t.kind == LEAT_JSON_OBJECT_BEGIN)
        return check_object(c, node, &r);
    return LEAT_OK;
}

leat_status leat_check_fields(const struct leat_schema *schema, struct leat_str json,
                              struct leat_arena *arena, struct leat_error *err)
{
    struct check c = {.schema = schema, .arena = arena, .err = err};
    return check_value(&c, schema->top, json);
}

struct leat_str leat_node_meant(const struct leat_schema *s, uint32_t record, struct leat_str json,
                                struct leat_str missing, struct leat_arena *arena)
{
    struct leat_suggest near;
    struct leat_json_reader r;
    struct leat_json_token t;
    struct leat_str value;
    bool more = true;
    leat_suggest_start(&near, missing);
    leat_json_reader_init(&r, json);
    if (leat_json_next(&r, &t, NULL) != LEAT_OK || t.kind != LEAT_JSON_OBJECT_BEGIN)
        return near.best;
    while (leat_json_member(&r, &t, &value, &more, NULL) == LEAT_OK && more) {
        struct leat_str name = leat_json_unescape(&t, arena);
        if (leat_node_field_find(s, record, name) == NULL)
            leat_suggest_offer(&near, name);
    }
    return near.best;
}

struct leat_str leat_field_meant(const struct leat_schema *schema, struct leat_str json,
                                 struct leat_str missing, struct leat_arena *arena)
{
    return leat_node_meant(schema, schema->top, json, missing, arena);
}
