/* The rows of the topology and the C file of a projection in C that `leat new` writes. */
#include "cli/new.h"
#include "codec/gen_names.h"

#define TEXT_BYTES_MAX 65536

static struct leat_str finish(struct leat_buf *b, struct leat_arena *arena)
{
    struct leat_str text = leat_arena_copy(arena, leat_buf_str(b));
    leat_buf_done(b);
    return text;
}

struct leat_str leat_new_coded_rows(const struct leat_new_projection *p, struct leat_arena *arena)
{
    struct leat_buf b;
    leat_buf_init(&b, TEXT_BYTES_MAX);
    leat_buf_printf(&b, "%s:\n  events: [", p->name.at);
    for (uint32_t i = 0; i < p->events.n; i++)
        leat_buf_printf(&b, "%s%s", i == 0 ? "" : ", ", p->events.at[i].at);
    leat_buf_printf(&b, "]\n  row: {%s: string, events: int, last: string, last_at: long}\n",
                    p->key.at);
    leat_buf_printf(&b, "  key: %s\n  indexes:\n    by_time: [-last_at]\n", p->key.at);
    return finish(&b, arena);
}

struct leat_str leat_new_coded(const struct leat_new_projection *p, struct leat_str topology,
                               struct leat_arena *arena)
{
    struct leat_buf b;
    const char *name = leat_gen_snake(arena, p->name);
    leat_buf_init(&b, TEXT_BYTES_MAX);
    leat_buf_printf(
        &b,
        "/* %s: a read model in C. Rows are of the event's stream; no clock, no I/O. */\n"
        "#include \"%.*s.h\"\n\n"
        "static void note(struct leat_rows *rows, const char *what)\n{\n"
        "    struct %s_row row = {0}; /* the key is the stream's */\n"
        "    get_%s(rows, &row);      /* false: there is none yet */\n"
        "    row.events++;\n"
        "    row.last = leat_str_of(what);\n"
        "    row.last_at = leat_rows_time(rows);\n"
        "    put_%s(rows, &row);\n}\n\n",
        name, LEAT_STR_FMT(topology), name, name, name);
    for (uint32_t i = 0; i < p->events.n; i++) {
        const char *event = leat_gen_snake(arena, p->events.at[i]);
        leat_buf_printf(&b,
                        "static void on_%s(struct leat_rows *rows, const struct %s *e)\n{\n"
                        "    (void)e;\n    note(rows, \"%s\");\n}\n\n",
                        event, event, p->events.at[i].at);
    }
    leat_buf_printf(&b, "LEAT_PROJECTION(%s, 1", p->name.at);
    for (uint32_t i = 0; i < p->events.n; i++) {
        leat_buf_printf(&b, ",\n                ROWS_%s(on_%s)",
                        leat_gen_upper(arena, p->events.at[i]),
                        leat_gen_snake(arena, p->events.at[i]));
    }
    leat_buf_puts(&b, ");\n");
    return finish(&b, arena);
}
