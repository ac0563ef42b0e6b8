/* pick_reader.c - what a picker gives for a field that the message's schema does not have: as in
 * Avro's resolution, the field is looked for under its aliases, and then its default counts. */
#include "codec/pick_reader.h"

#include "codec/decimal.h"
#include "codec/latin1.h"
#include "codec/nodes.h"

static const struct leat_node_field *written_as(const struct leat_schema *writer, uint32_t node,
                                                const struct leat_node_field *field)
{
    const struct leat_node_field *found = leat_node_field_find(writer, node, field->name);
    for (uint32_t i = 0; found == NULL && i < field->aliases.count; i++)
        found = leat_node_field_find(writer, node, field->aliases.at[i]);
    return found;
}

/* A default is told as for the first branch of a union. */
static const struct leat_node *default_node(const struct leat_schema *s, uint32_t node)
{
    const struct leat_node *n = leat_node_at(s, node);
    return n->kind == LEAT_NODE_UNION ? leat_node_at(s, s->branches[n->first]) : n;
}

/* JSON has one kind of number and writes bytes as a string. */
static leat_status as_the_type_is(const struct leat_node *n, struct leat_arena *arena,
                                  struct leat_value *v, struct leat_error *err)
{
    if ((n->kind == LEAT_NODE_FLOAT || n->kind == LEAT_NODE_DOUBLE) && v->kind == LEAT_VALUE_INT)
        *v = (struct leat_value){.kind = LEAT_VALUE_DOUBLE, .d = (double)v->i};
    if ((n->kind != LEAT_NODE_BYTES && n->kind != LEAT_NODE_FIXED) || v->kind != LEAT_VALUE_STRING)
        return LEAT_OK;
    char *bytes = leat_arena_alloc(arena, v->s.len + (size_t)1);
    memcpy(bytes, v->s.at, v->s.len);
    uint32_t len = 0;
    if (!leat_latin1_shrink(bytes, v->s.len, &len))
        return leat_fail(err, LEAT_INVALID, "a default of bytes has characters above U+00FF");
    *v = (struct leat_value){.kind = LEAT_VALUE_BYTES, .s = {bytes, len}};
    char text[LEAT_DECIMAL_TEXT_MAX];
    if (!n->decimal)
        return LEAT_OK;
    if (!leat_decimal_text(v->s, n->scale, text, &len))
        return leat_fail(err, LEAT_INVALID, "a default of a decimal has too many bytes");
    *v = (struct leat_value){.kind = LEAT_VALUE_STRING,
                             .s = leat_arena_copy(arena, (struct leat_str){text, len})};
    return LEAT_OK;
}

/* The default is read as the member of an object, so that a path may go on below it. */
static leat_status read_default(const struct leat_pick_path *path, uint32_t depth,
                                struct leat_str fallback, struct leat_value *ret,
                                struct leat_error *err)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf object;
    LEAT_AUTO(leat_buf_done) struct leat_buf name;
    leat_buf_init(&object, fallback.len + (size_t)16);
    leat_buf_init(&name, 64 * 1024);
    leat_buf_printf(&object, "{\"d\":%.*s}", LEAT_STR_FMT(fallback));
    leat_buf_puts(&name, "d");
    for (uint32_t i = depth + 1; i < path->count; i++)
        leat_buf_printf(&name, ".%.*s", LEAT_STR_FMT(path->parts[i]));
    if (object.overflow || name.overflow)
        return leat_fail(err, LEAT_INVALID, "a default is too long");
    struct leat_str text = leat_arena_copy(path->arena, leat_buf_str(&object));
    struct leat_str member = leat_buf_str(&name);
    struct leat_picker *picker = NULL;
    LEAT_TRY(leat_picker_new(NULL, &member, 1, &picker, err), err, "default");
    leat_status status = leat_pick(picker, text, path->arena, ret, err);
    leat_picker_free(picker);
    return status;
}

leat_status leat_pick_resolve(const struct leat_schema *writer, const struct leat_schema *reader,
                              struct leat_pick_path *path, struct leat_value *ret,
                              struct leat_error *err)
{
    uint32_t read = reader->top;
    uint32_t written = writer == NULL ? 0 : writer->top;
    const struct leat_node_field *field = NULL;
    const struct leat_node_field *there = NULL;
    uint32_t depth = 0;
    for (; depth < path->count; depth++) {
        field = leat_node_field_find(reader, leat_node_plain(reader, read), path->parts[depth]);
        if (field == NULL)
            return LEAT_OK; /* not the reader's: as the writer has it, or null */
        there = writer == NULL ? NULL : written_as(writer, leat_node_plain(writer, written), field);
        read = field->node;
        if (writer == NULL && depth + 1 < path->count)
            continue;
        if (there == NULL)
            break;
        path->parts[depth] = there->name;
        written = there->node;
    }
    if (depth == path->count || field->fallback.at == NULL)
        return LEAT_OK;
    LEAT_TRY(read_default(path, depth, field->fallback, ret, err), err, "field '%s'",
             field->name.at);
    if (depth + 1 < path->count)
        return LEAT_OK;
    return as_the_type_is(default_node(reader, field->node), path->arena, ret, err);
}
