/* leat new topology: a whole small project in the current folder. */
#include <string.h>

#include "cli/cli.h"
#include "cli/new.h"

#define TEXT_BYTES_MAX 65536
#define VALUES         7

extern const char leat_cli_new_topology_tmpl[], leat_cli_new_cmake_tmpl[];
extern const char leat_cli_new_gitignore_tmpl[], leat_cli_new_readme_tmpl[];

struct value { /* @name@ in a template */
    const char *name;
    struct leat_str text;
};

/* Value of the name between the @ at `at` and the next one; *len counts both. */
static const struct value *find_value(const struct value *values, const char *at, size_t *len)
{
    for (size_t i = 0; i < VALUES; i++) {
        size_t n = strlen(values[i].name);
        if (strncmp(at + 1, values[i].name, n) == 0 && at[1 + n] == '@') {
            *len = n + 2;
            return &values[i];
        }
    }
    return NULL;
}

static struct leat_str fill(const char *template, const struct value *values,
                            struct leat_arena *arena)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf b;
    leat_buf_init(&b, TEXT_BYTES_MAX);
    for (const char *at = template; *at != '\0';) {
        size_t len = 0;
        const struct value *v = *at == '@' ? find_value(values, at, &len) : NULL;
        if (v == NULL) {
            leat_buf_putc(&b, *at++);
            continue;
        }
        leat_buf_put(&b, v->text.at, v->text.len);
        at += len;
    }
    leat_assert(!b.overflow);
    return leat_arena_copy(arena, leat_buf_str(&b));
}

static struct leat_str without_end(struct leat_str row)
{
    return (struct leat_str){row.at, row.len - 1};
}

static struct leat_str projection_of(const struct leat_new_processor *p, struct leat_arena *arena)
{
    static const struct leat_str title[] = {{"title", 5}};
    const struct leat_names fields = {title, 1};
    return leat_new_projection_rows(
        &(struct leat_new_projection){p->name, p->key, p->emits, &fields, true}, arena);
}

static void add_project(struct leat_new_files *f, const struct leat_new_processor *p)
{
    struct leat_arena *a = f->arena;
    const struct value values[VALUES] = {
        {"topology", p->topology},
        {"aggregate_row", without_end(leat_new_aggregate_row(p, a))},
        {"processor_rows", leat_new_indented(leat_new_processor_rows(p, a), 2, a)},
        {"projection_rows", leat_new_indented(projection_of(p, a), 2, a)},
        {"command", p->commands.at[0]},
        {"body",
         leat_str_of(leat_arena_printf(a, "{\"%s\": \"1\", \"title\": \"first\"}", p->key.at))},
        {"projection", p->name},
    };
    leat_new_file(f, LEAT_NEW_WRITE, "leat.yaml", fill(leat_cli_new_topology_tmpl, values, a));
    leat_new_add_processor(f, p, ".", "schemas");
    leat_new_file(f, LEAT_NEW_WRITE, "CMakeLists.txt", fill(leat_cli_new_cmake_tmpl, values, a));
    leat_new_file(f, LEAT_NEW_WRITE, "README.md", fill(leat_cli_new_readme_tmpl, values, a));
    leat_new_file(f, LEAT_NEW_WRITE, ".gitignore", fill(leat_cli_new_gitignore_tmpl, values, a));
}

int leat_new_make_topology(const struct leat_new_options *o, struct leat_str name)
{
    struct leat_error err = {0};
    struct leat_str processor = leat_str_of(o->processor == NULL ? "items" : o->processor);
    if (leat_new_check_name("topology", name, &err) != LEAT_OK ||
        leat_new_check_name("processor", processor, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    struct leat_arena *arena = leat_arena_new(16 * 1024, 0);
    struct leat_new_files f = {
        .arena = arena, .force = o->force, .dry_run = o->dry_run, .json = o->json};
    struct leat_str aggregate =
        o->aggregate != NULL ? leat_str_of(o->aggregate) : leat_new_singular(processor, arena);
    int code = LEAT_EXIT_USAGE;
    if (leat_new_check_name("aggregate", aggregate, &err) == LEAT_OK) {
        struct leat_new_processor p = leat_new_starter(name, processor, aggregate, arena);
        add_project(&f, &p);
        code = leat_new_write(&f);
    } else {
        code = leat_cli_fail(&err);
    }
    leat_arena_free(arena);
    return code;
}
