/* Schemas, tests and topology rows of what `leat new` writes. */
#include <string.h>

#include "cli/new.h"

#define TEXT_BYTES_MAX 65536

/* Moves the text into the arena. */
static struct leat_str finish(struct leat_buf *b, struct leat_arena *arena)
{
    leat_assert(!b->overflow); /* names and lists are bounded */
    struct leat_str text = leat_arena_copy(arena, leat_buf_str(b));
    leat_buf_done(b);
    return text;
}

static void put_name(struct leat_buf *b, struct leat_str name)
{
    leat_buf_put(b, name.at, name.len);
}

static void put_list(struct leat_buf *b, const char *key, const struct leat_names *names)
{
    if (names->n == 0)
        return;
    leat_buf_printf(b, "  %s: [", key);
    for (uint32_t i = 0; i < names->n; i++) {
        leat_buf_puts(b, i == 0 ? "" : ", ");
        put_name(b, names->at[i]);
    }
    leat_buf_puts(b, "]\n");
}

struct leat_str leat_new_aggregate_row(const struct leat_new_processor *p, struct leat_arena *arena)
{
    return leat_str_of(leat_arena_printf(arena, "%s: {key: %s, state: %s, module: %s}\n",
                                         p->aggregate.at, p->key.at, p->state.at, p->name.at));
}

struct leat_str leat_new_processor_rows(const struct leat_new_processor *p,
                                        struct leat_arena *arena)
{
    struct leat_buf b;
    leat_buf_init(&b, TEXT_BYTES_MAX);
    leat_buf_printf(&b, "%s:\n", p->name.at);
    if (p->aggregate.len > 0)
        leat_buf_printf(&b, "  aggregate: %s\n", p->aggregate.at);
    put_list(&b, "commands", &p->commands);
    put_list(&b, "events", &p->events);
    put_list(&b, "emits", &p->emits);
    put_list(&b, "sends", &p->sends);
    return finish(&b, arena);
}

static void put_sets(struct leat_buf *b, const struct leat_names *fields)
{
    leat_buf_puts(b, "{set: {");
    for (uint32_t i = 0; i < fields->n; i++)
        leat_buf_printf(b, "%s: $.%s, ", fields->at[i].at, fields->at[i].at);
    leat_buf_puts(b, "changed_at: $meta.time}}\n");
}

struct leat_str leat_new_projection_rows(const struct leat_new_projection *p,
                                         struct leat_arena *arena)
{
    struct leat_buf b;
    leat_buf_init(&b, TEXT_BYTES_MAX);
    leat_buf_printf(&b, "%s:\n  store: lmdb\n  key: $.%s\n  from:\n", p->name.at, p->key.at);
    for (uint32_t i = 0; i < p->events.n; i++) {
        leat_buf_printf(&b, "    %s: ", p->events.at[i].at);
        if (p->own_key) {
            put_sets(&b, &p->fields[i]);
        } else {
            leat_buf_puts(&b, "{add: {count: 1}, max: {last_at: $meta.time}}\n");
        }
    }
    if (p->own_key)
        leat_buf_puts(&b, "  indexes:\n    by_time: [-changed_at]\n");
    return finish(&b, arena);
}

struct leat_str leat_new_indented(struct leat_str rows, uint32_t columns, struct leat_arena *arena)
{
    struct leat_buf b;
    leat_buf_init(&b, TEXT_BYTES_MAX);
    for (uint32_t i = 0; i < rows.len; i++) {
        if (i == 0 || rows.at[i - 1] == '\n')
            leat_buf_printf(&b, "%*s", (int)columns, "");
        leat_buf_putc(&b, rows.at[i]);
    }
    return finish(&b, arena);
}

/* ---- schemas ---- */

static void put_state_schema(const struct leat_new_processor *p, struct leat_buf *b,
                             struct leat_arena *arena)
{
    const char *type = leat_new_type(p->aggregate, arena).at;
    leat_buf_printf(b,
                    "  \"doc\": \"What is needed to know of it to decide. Every field needs a "
                    "default.\",\n"
                    "  \"fields\": [\n"
                    "    {\"name\": \"status\", \"default\": \"NONE\",\n"
                    "     \"type\": {\"type\": \"enum\", \"name\": \"%sStatus\", \"symbols\": "
                    "[\"NONE\", \"ACTIVE\"]}}\n"
                    "  ]\n}\n",
                    type);
}

struct leat_str leat_new_schema(const struct leat_new_processor *p, struct leat_str type,
                                struct leat_arena *arena)
{
    struct leat_buf b;
    leat_buf_init(&b, TEXT_BYTES_MAX);
    leat_buf_printf(&b,
                    "{\n  \"type\": \"record\",\n  \"name\": \"%s\",\n  \"namespace\": \"%s\",\n",
                    type.at, p->topology.at);
    if (leat_str_eq(type, p->state)) {
        put_state_schema(p, &b, arena);
        return finish(&b, arena);
    }
    leat_buf_printf(&b, "  \"fields\": [\n    {\"name\": \"%s\", \"type\": \"string\"}", p->key.at);
    if (p->starter)
        leat_buf_puts(&b, ",\n    {\"name\": \"title\", \"type\": \"string\"}");
    leat_buf_puts(&b, "\n  ]\n}\n");
    return finish(&b, arena);
}

/* ---- tests: only of messages whose fields are known, those made here ---- */

static void put_message(struct leat_buf *b, const struct leat_new_processor *p,
                        struct leat_str type, const char *title)
{
    leat_buf_printf(b, "%s: {%s: \"1\"", type.at, p->key.at);
    if (p->starter)
        leat_buf_printf(b, ", title: %s", title);
    leat_buf_putc(b, '}');
}

static bool is_made(const struct leat_new_processor *p, struct leat_str type)
{
    return leat_names_has(&p->made, type);
}

static void put_refusal(struct leat_buf *b, const struct leat_new_processor *p)
{
    leat_buf_printf(b,
                    "- it: refuses a second %s under the same id\n  processor: %s\n"
                    "  given: [",
                    p->aggregate.at, p->name.at);
    put_message(b, p, p->emits.at[0], "first");
    leat_buf_puts(b, "]\n  when: {");
    put_message(b, p, p->commands.at[0], "second");
    leat_buf_printf(b, "}\n  then: {rejected: %s-exists}\n", p->aggregate.at);
}

struct leat_str leat_new_tests(const struct leat_new_processor *p, struct leat_arena *arena)
{
    struct leat_buf b;
    leat_buf_init(&b, TEXT_BYTES_MAX);
    for (uint32_t i = 0; i < p->commands.n; i++) {
        uint32_t j = i < p->emits.n ? i : p->emits.n - 1;
        if (!is_made(p, p->commands.at[i]) || (p->emits.n > 0 && !is_made(p, p->emits.at[j])))
            continue;
        leat_buf_printf(&b, "- it: takes %s\n  processor: %s\n  given: []\n  when: {",
                        p->commands.at[i].at, p->name.at);
        put_message(&b, p, p->commands.at[i], "first");
        leat_buf_puts(&b, p->emits.n == 0 ? "}\n  then: []\n" : "}\n  then:\n    - ");
        if (p->emits.n > 0) {
            put_message(&b, p, p->emits.at[j], "first");
            leat_buf_putc(&b, '\n');
        }
    }
    if (p->starter)
        put_refusal(&b, p);
    return finish(&b, arena);
}
