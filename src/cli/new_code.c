/* The C file of a processor that `leat new` writes. */
#include <string.h>

#include "cli/new.h"
#include "codec/gen_names.h"

#define CODE_BYTES_MAX 65536

struct code {
    const struct leat_new_processor *p;
    struct leat_arena *arena;
    struct leat_buf b;
};

static const char *snake(const struct code *c, struct leat_str type)
{
    return leat_gen_snake(c->arena, type);
}

static const char *upper(const struct code *c, struct leat_str type)
{
    return leat_gen_upper(c->arena, type);
}

static const char *member(const struct code *c, struct leat_str field)
{
    return leat_gen_member(c->arena, field);
}

/* ITEM_ACTIVE, ITEM_NONE */
static const char *status(const struct code *c, const char *symbol)
{
    struct leat_str type = leat_str_of(
        leat_arena_printf(c->arena, "%sStatus", leat_new_type(c->p->aggregate, c->arena).at));
    return leat_arena_printf(c->arena, "%s_%s", leat_gen_enum_prefix(c->arena, type), symbol);
}

static void put_folds(struct code *c)
{
    const struct leat_new_processor *p = c->p;
    for (uint32_t i = 0; i < p->emits.n; i++) {
        const char *event = snake(c, p->emits.at[i]);
        leat_buf_printf(&c->b,
                        "static void fold_%s(struct %s *state, const struct %s *e)\n{\n"
                        "    (void)e;\n    state->status = %s;\n}\n\n",
                        event, snake(c, p->state), event, status(c, "ACTIVE"));
    }
    leat_buf_printf(&c->b, "LEAT_AGGREGATE(%s, 1", p->aggregate.at);
    for (uint32_t i = 0; i < p->emits.n; i++) {
        leat_buf_printf(&c->b, ", FOLD_%s(fold_%s)", upper(c, p->emits.at[i]),
                        snake(c, p->emits.at[i]));
    }
    leat_buf_puts(&c->b, ");\n\n");
}

/* emit_item_created(ctx, &(struct item_created){.item_id = c->item_id}); fields of a schema that
 * was there already are the user's to fill. */
static void put_emit(struct code *c, struct leat_str event)
{
    const struct leat_new_processor *p = c->p;
    const char *key = member(c, p->key);
    leat_buf_printf(&c->b, "    emit_%s(ctx, &(struct %s){.%s = c->%s", snake(c, event),
                    snake(c, event), key, key);
    leat_buf_puts(&c->b, p->starter ? ", .title = c->title});\n" : "});\n");
}

static void put_refusal(struct code *c)
{
    leat_buf_printf(&c->b,
                    "    if (state->status != %s)\n"
                    "        return leat_reject(ctx, \"%s-exists\", \"there is one under this id\")"
                    ";\n\n",
                    status(c, "NONE"), c->p->aggregate.at);
}

static void put_handler(struct code *c, uint32_t i)
{
    const struct leat_new_processor *p = c->p;
    const char *command = snake(c, p->commands.at[i]);
    leat_buf_printf(&c->b, "static leat_answer on_%s(struct leat_ctx *ctx, const struct %s *c",
                    command, command);
    if (p->state.len > 0) {
        leat_buf_printf(&c->b, ",\n%*sconst struct %s *state",
                        (int)(sizeof "static leat_answer on_(" - 1 + strlen(command)), "",
                        snake(c, p->state));
    }
    leat_buf_puts(&c->b, ")\n{\n");
    if (p->starter) {
        put_refusal(c);
    } else if (p->state.len > 0) {
        leat_buf_puts(&c->b, "    (void)state; /* what must hold first: return leat_reject(ctx, "
                             "\"code\", \"why\") */\n");
    }
    if (p->emits.n > 0) {
        put_emit(c, p->emits.at[i < p->emits.n ? i : p->emits.n - 1]);
    } else {
        leat_buf_puts(&c->b, "    (void)ctx;\n    (void)c;\n");
    }
    for (uint32_t j = 0; j < p->sends.n && i == 0; j++) {
        leat_buf_printf(&c->b, "    /* send_%s(ctx, &(struct %s){...}); */\n",
                        snake(c, p->sends.at[j]), snake(c, p->sends.at[j]));
    }
    leat_buf_puts(&c->b, "    return LEAT_DONE;\n}\n\n");
}

/* An event knows the key of its own stream only: to whom a policy really sends is its author's. */
static void put_reaction(struct code *c, uint32_t i)
{
    const struct leat_new_processor *p = c->p;
    const char *event = snake(c, p->events.at[i]);
    leat_buf_printf(&c->b,
                    "static leat_answer on_%s(struct leat_ctx *ctx, const struct %s *e)\n{\n"
                    "    (void)e;\n",
                    event, event);
    if (p->sends.n == 0) {
        leat_buf_puts(&c->b, "    (void)ctx;\n");
    } else {
        uint32_t j = i < p->sends.n ? i : p->sends.n - 1;
        struct leat_str command = p->sends.at[j];
        leat_buf_printf(&c->b, "    send_%s(ctx, &(struct %s){.%s = leat_key(ctx)});\n",
                        snake(c, command), snake(c, command), member(c, p->send_keys.at[j]));
    }
    leat_buf_puts(&c->b, "    return LEAT_DONE;\n}\n\n");
}

static void put_registration(struct code *c)
{
    const struct leat_new_processor *p = c->p;
    const struct leat_names *types = p->events.n > 0 ? &p->events : &p->commands;
    leat_buf_printf(&c->b, "LEAT_PROCESSOR(%s, 1", p->name.at);
    for (uint32_t i = 0; i < types->n; i++)
        leat_buf_printf(&c->b, ", ON_%s(on_%s)", upper(c, types->at[i]), snake(c, types->at[i]));
    leat_buf_puts(&c->b, ");\n");
}

struct leat_str leat_new_code(const struct leat_new_processor *p, struct leat_arena *arena)
{
    struct code c = {.p = p, .arena = arena};
    leat_buf_init(&c.b, CODE_BYTES_MAX);
    if (p->events.n > 0) {
        leat_buf_printf(&c.b, "/* %s.c - a policy: events in, commands out. */\n", p->name.at);
    } else if (p->new_aggregate) {
        leat_buf_printf(&c.b,
                        "/* %s.c - the life of one %s: what its events make of it, and what its "
                        "commands may do. */\n",
                        p->name.at, p->aggregate.at);
    } else {
        leat_buf_printf(&c.b, "/* %s.c - decides on commands to one %s. */\n", p->name.at,
                        p->aggregate.at);
    }
    leat_buf_printf(&c.b, "#include \"%s.h\" /* written by `leat gen` */\n\n", p->topology.at);
    if (p->new_aggregate)
        put_folds(&c);
    for (uint32_t i = 0; i < p->commands.n; i++)
        put_handler(&c, i);
    for (uint32_t i = 0; i < p->events.n; i++)
        put_reaction(&c, i);
    put_registration(&c);
    leat_assert(!c.b.overflow);
    struct leat_str text = leat_arena_copy(arena, leat_buf_str(&c.b));
    leat_buf_done(&c.b);
    return text;
}
