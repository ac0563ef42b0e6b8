/* gen_rows.c - what a projection in C calls and registers with. */
#include <string.h>

#include "codec/gen_names.h"
#include "codec/gen_types.h"

static bool is_read_in_c(const struct leat_gen *g, struct leat_str event)
{
    for (size_t i = 0; i < g->in->n_projections; i++) {
        const struct leat_gen_names *events = &g->in->projections[i].events;
        for (size_t j = 0; j < events->n; j++) {
            if (leat_str_eq(events->at[j], event))
                return true;
        }
    }
    return false;
}

void leat_gen_write_rows_on(struct leat_gen *g, const struct leat_gen_def *d)
{
    if (!is_read_in_c(g, d->name))
        return;
    const char *upper = leat_gen_upper(g->arena, d->name);
    const char *args =
        leat_arena_printf(g->arena, "struct leat_rows *, const struct %s *", d->snake);
    leat_buf_printf(g->out,
                    "#define ROWS_%s(fn_) \\\n"
                    "    {.event = &leat_type_%s + LEAT_MUST_BE(fn_, void(%s), \\\n"
                    "        \"ROWS_%s takes void fn(%s)\"), \\\n"
                    "     .call = (void (*)(struct leat_rows *, const void *))(fn_)}\n\n",
                    upper, d->snake, args, upper, args);
}

static void write_rows_call(struct leat_gen *g, const char *verb, const char *answer,
                            const char *name, const struct leat_gen_def *row)
{
    bool gives = strcmp(verb, "get") == 0;
    leat_buf_printf(g->out,
                    "LEAT_GENERATED inline %s %s_%s(struct leat_rows *rows,\n"
                    "    %sstruct %s *row)\n"
                    "{\n    %sleat_rows_%s(rows, &leat_type_%s, row);\n}\n\n",
                    answer, verb, name, gives ? "" : "const ", row->snake, gives ? "return " : "",
                    verb, row->snake);
}

void leat_gen_write_projection(struct leat_gen *g, const struct leat_gen_projection *p)
{
    const struct leat_gen_def *row = leat_gen_find(g, p->row);
    const char *name = leat_gen_snake(g->arena, p->name);
    leat_buf_printf(g->out, "#define LEAT_ROW_TYPE_%.*s &leat_type_%s\n\n", LEAT_STR_FMT(p->name),
                    row->snake);
    write_rows_call(g, "get", "bool", name, row);
    write_rows_call(g, "put", "void", name, row);
    write_rows_call(g, "delete", "void", name, row);
    leat_buf_printf(g->out,
                    "LEAT_GENERATED inline size_t scan_%s(struct leat_rows *rows,\n"
                    "    const struct %s *row, unsigned parts, const struct %s **ret_rows)\n"
                    "{\n    const void *all = NULL;\n"
                    "    size_t n = leat_rows_scan(rows, &leat_type_%s, row, parts, &all);\n"
                    "    *ret_rows = (const struct %s *)all;\n    return n;\n}\n\n",
                    name, row->snake, row->snake, row->snake, row->snake);
}
