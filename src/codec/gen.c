/* gen.c - the header as a whole: which types, then what handlers call and register with. */
#include "codec/gen.h"

#include "codec/gen_names.h"
#include "codec/gen_types.h"

#define ARENA_BYTES 65536

static bool has_name(struct leat_gen_names names, struct leat_str name)
{
    for (size_t i = 0; i < names.n; i++) {
        if (leat_str_eq(names.at[i], name))
            return true;
    }
    return false;
}

static const struct leat_gen_aggregate *aggregate_at(const struct leat_gen *g, size_t index)
{
    leat_assert(g->in->aggregates != NULL && index < g->in->n_aggregates);
    return &g->in->aggregates[index];
}

/* The processor that handles the command; a topology names one at most. */
static const struct leat_gen_processor *handler_of(const struct leat_gen *g,
                                                   struct leat_str command)
{
    for (size_t i = 0; i < g->in->n_processors; i++) {
        if (has_name(g->in->processors[i].commands, command))
            return &g->in->processors[i];
    }
    return NULL;
}

static const struct leat_gen_aggregate *aggregate_of(const struct leat_gen *g,
                                                     const struct leat_gen_processor *p)
{
    return p == NULL || p->aggregate < 0 ? NULL : aggregate_at(g, (size_t)p->aggregate);
}

static bool emitted_to(const struct leat_gen *g, struct leat_str event, size_t aggregate)
{
    for (size_t i = 0; i < g->in->n_processors; i++) {
        const struct leat_gen_processor *p = &g->in->processors[i];
        if (p->aggregate == (int32_t)aggregate && has_name(p->emits, event))
            return true;
    }
    return false;
}

/* ---- types ---- */

static leat_status check_key(struct leat_gen *g, struct leat_gen_def *d, struct leat_str key,
                             bool needed)
{
    const struct leat_node_field *f = leat_node_field_find(d->schema, d->node, key);
    if (f == NULL && !needed)
        return LEAT_OK;
    if (f == NULL) {
        return leat_fail(g->err, LEAT_INVALID, "'%s' has no field '%.*s', its aggregate's key",
                         d->name.at, LEAT_STR_FMT(key));
    }
    if (leat_node_at(d->schema, f->node)->kind != LEAT_NODE_STRING) {
        return leat_fail(g->err, LEAT_INVALID, "field '%s' of '%s' is a key and not a string",
                         f->name.at, d->name.at);
    }
    d->key = f->name.at;
    return LEAT_OK;
}

static leat_status find_key(struct leat_gen *g, struct leat_gen_def *d)
{
    const struct leat_gen_aggregate *a = aggregate_of(g, handler_of(g, d->name));
    if (a != NULL)
        return check_key(g, d, a->key, true);
    for (size_t i = 0; i < g->in->n_aggregates; i++) {
        if (emitted_to(g, d->name, i))
            return check_key(g, d, aggregate_at(g, i)->key, false);
    }
    return LEAT_OK;
}

static leat_status collect_type(struct leat_gen *g, struct leat_str name)
{
    const struct leat_schema *schema = leat_schemas_current(g->in->schemas, name);
    if (schema == NULL)
        return leat_fail(g->err, LEAT_INVALID, "type '%.*s' has no schema", LEAT_STR_FMT(name));
    if (leat_node_at(schema, schema->top)->kind != LEAT_NODE_RECORD)
        return leat_fail(g->err, LEAT_INVALID, "schema '%.*s' is not a record", LEAT_STR_FMT(name));
    LEAT_TRY(leat_gen_collect(g, schema, schema->top), g->err, "schema '%.*s'", LEAT_STR_FMT(name));
    struct leat_gen_def *d = leat_gen_find(g, name);
    if (d == NULL) {
        return leat_fail(g->err, LEAT_INVALID, "schema '%.*s' defines '%s'", LEAT_STR_FMT(name),
                         leat_schema_name(schema));
    }
    d->text = leat_schemas_text(g->in->schemas, name);
    return find_key(g, d);
}

/* ---- functions and macros ---- */

static void write_call(struct leat_gen *g, const struct leat_gen_def *d, const char *verb)
{
    leat_buf_printf(
        g->out,
        "LEAT_GENERATED inline void %s_%s(struct leat_ctx *ctx, const struct %s *value)\n"
        "{\n    leat_%s(ctx, &leat_type_%s, value);\n}\n\n",
        verb, d->snake, d->snake, verb, d->snake);
}

static void write_later(struct leat_gen *g, const struct leat_gen_def *d)
{
    leat_buf_printf(g->out,
                    "LEAT_GENERATED inline struct leat_str send_%s_after(struct leat_ctx *ctx,\n"
                    "    int64_t delay_ms, const struct %s *value)\n"
                    "{\n    return leat_send_after(ctx, delay_ms, &leat_type_%s, value);\n}\n\n",
                    d->snake, d->snake, d->snake);
}

/* ON_<TYPE>(fn) with the aggregate's state, or without when `state` is NULL. */
static void write_on(struct leat_gen *g, const struct leat_gen_def *d,
                     const struct leat_gen_def *state)
{
    const char *upper = leat_gen_upper(g->arena, d->name);
    const char *args =
        leat_arena_printf(g->arena, "struct leat_ctx *, const struct %s *%s%s%s", d->snake,
                          state == NULL ? "" : ", const struct ", state == NULL ? "" : state->snake,
                          state == NULL ? "" : " *");
    leat_buf_printf(g->out, "typedef leat_answer leat_on_%s_fn(%s);\n", d->snake, args);
    leat_buf_printf(g->out,
                    "#define ON_%s(fn_) \\\n"
                    "    {.message = &leat_type_%s + LEAT_MUST_BE(fn_, leat_on_%s_fn, \\\n"
                    "        \"ON_%s takes leat_answer fn(%s)\"), \\\n",
                    upper, d->snake, d->snake, upper, args);
    if (state != NULL) {
        leat_buf_printf(g->out,
                        "     .state = &leat_type_%s, \\\n"
                        "     .call = (leat_answer(*)(struct leat_ctx *, const void *, "
                        "const void *))(fn_)}\n\n",
                        state->snake);
    } else {
        leat_buf_puts(g->out, "     .react = (leat_answer(*)(struct leat_ctx *, const void *))"
                              "(fn_)}\n\n");
    }
}

static void write_fold(struct leat_gen *g, const struct leat_gen_def *d,
                       const struct leat_gen_def *state, struct leat_str aggregate)
{
    const char *upper = leat_gen_upper(g->arena, d->name);
    const char *infix = "";
    if (aggregate.len > 0)
        infix = leat_arena_printf(g->arena, "%s_", leat_gen_upper(g->arena, aggregate));
    const char *args =
        leat_arena_printf(g->arena, "struct %s *, const struct %s *", state->snake, d->snake);
    leat_buf_printf(
        g->out,
        "#define FOLD_%s%s(fn_) \\\n"
        "    {.event = &leat_type_%s + LEAT_MUST_BE(fn_, void(%s), \\\n"
        "        \"FOLD_%s%s takes void fn(%s)\"), \\\n"
        "     .state = &leat_type_%s, .call = (void (*)(void *, const void *))(fn_)}\n\n",
        infix, upper, d->snake, args, infix, upper, args, state->snake);
}

/* An event of several aggregates has one macro for each: FOLD_<AGGREGATE>_<EVENT>. */
static void write_folds(struct leat_gen *g, const struct leat_gen_def *d)
{
    size_t owners = 0;
    for (size_t i = 0; i < g->in->n_aggregates; i++)
        owners += emitted_to(g, d->name, i);
    for (size_t i = 0; i < g->in->n_aggregates; i++) {
        const struct leat_gen_aggregate *a = aggregate_at(g, i);
        if (a->state.len > 0 && emitted_to(g, d->name, i)) {
            write_fold(g, d, leat_gen_find(g, a->state),
                       owners > 1 ? a->name : (struct leat_str){"", 0});
        }
    }
}

static leat_status write_type(struct leat_gen *g, const struct leat_gen_def *d)
{
    bool emitted = false;
    bool sent = false;
    bool reacted = false;
    for (size_t i = 0; i < g->in->n_processors; i++) {
        const struct leat_gen_processor *p = &g->in->processors[i];
        emitted = emitted || has_name(p->emits, d->name);
        sent = sent || has_name(p->sends, d->name);
        reacted = reacted || has_name(p->events, d->name);
    }
    const struct leat_gen_processor *handler = handler_of(g, d->name);
    if (handler != NULL && reacted) {
        return leat_fail(g->err, LEAT_INVALID, "'%s' is used as a command and as an event",
                         d->name.at);
    }
    const struct leat_gen_aggregate *a = aggregate_of(g, handler);
    if (handler != NULL)
        write_on(g, d, a != NULL && a->state.len > 0 ? leat_gen_find(g, a->state) : NULL);
    if (reacted)
        write_on(g, d, NULL);
    if (emitted)
        write_call(g, d, "emit");
    if (sent) {
        write_call(g, d, "send");
        write_later(g, d);
    }
    write_folds(g, d);
    leat_gen_write_rows_on(g, d);
    return LEAT_OK;
}

static leat_status write_header(struct leat_gen *g)
{
    const char *guard = leat_gen_upper(g->arena, g->in->topology);
    leat_status st = LEAT_OK;
    for (size_t i = 0; st == LEAT_OK && i < g->in->types.n; i++)
        st = collect_type(g, g->in->types.at[i]);
    if (st != LEAT_OK)
        return st;
    leat_buf_printf(g->out,
                    "/* %.*s.h - generated by `leat gen` from the topology and its schemas: do not "
                    "edit. */\n#ifndef LEAT_TOPOLOGY_%s_H\n#define LEAT_TOPOLOGY_%s_H\n\n"
                    "/* clang-format off */\n"
                    "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n"
                    "#include \"leat/leat.h\"\n%s#include \"leat/wire.h\"\n\n",
                    LEAT_STR_FMT(g->in->topology), guard, guard,
                    g->in->n_projections > 0 ? "#include \"leat/rows.h\"\n" : "");
    st = leat_gen_write_types(g);
    for (size_t i = 0; st == LEAT_OK && i < g->in->types.n; i++)
        st = write_type(g, leat_gen_find(g, g->in->types.at[i]));
    for (size_t i = 0; st == LEAT_OK && i < g->in->n_projections; i++)
        leat_gen_write_projection(g, &g->in->projections[i]);
    leat_buf_puts(g->out, "#endif\n");
    return st;
}

static void free_arena(struct leat_arena **a)
{
    leat_arena_free(*a);
}

leat_status leat_gen_header(const struct leat_gen_input *in, struct leat_buf *out,
                            struct leat_error *err)
{
    LEAT_AUTO(free_arena) struct leat_arena *arena = leat_arena_new(ARENA_BYTES, 0);
    struct leat_gen g = {.in = in, .arena = arena, .out = out, .err = err};
    size_t start = out->len;
    g.defs_end = &g.defs;
    leat_status st = write_header(&g);
    if (st == LEAT_OK && out->overflow)
        st = leat_fail(err, LEAT_INVALID, "the header is larger than %zu bytes", out->max);
    leat_table_done(&g.seen);
    leat_table_done(&g.taken);
    if (st == LEAT_OK)
        return LEAT_OK;
    out->len = start;
    leat_error_wrap(err, "could not generate '%.*s.h'", LEAT_STR_FMT(in->topology));
    return st;
}
