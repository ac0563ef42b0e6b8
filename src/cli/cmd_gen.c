/* leat gen: the C header of a topology's commands, events and states. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "codec/gen.h"

#define GEN_BYTES_MAX (16u << 20)

int leat_cmd_gen(struct leat_cli *cli, int argc, char **argv);

struct gen_options {
    const char *topology, *out;
    bool check, json;
};

#define FIELD(name) offsetof(struct gen_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct gen_options, topology),
    {"out", 'o', LEAT_OPT_STR, FIELD(out), "DIR", ".", NULL, 0, 0,
     "Folder of the header; made when it does not exist."},
    {"check", 0, LEAT_OPT_FLAG, FIELD(check), NULL, NULL, NULL, 0, 0,
     "Write nothing; exit code 3 when the header is missing or would change."},
    LEAT_CLI_JSON(struct gen_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat gen [options]",
    .summary =
        "Write <name>.h: structs, emit_, send_, ON_, FOLD_ and ROWS_ for the topology's types.",
    .details =
        "Processors and aggregates include it; it needs only leat's own headers. A file that\n"
        "would not change is left alone, so that nothing is built again.\n\n"
        "  leat gen -t shop.yaml -o build/gen\n",
    .opts = options,
    .n_opts = sizeof options / sizeof options[0],
    .args_max = 0,
};

/* ---- the generator's facts ---- */

static struct leat_gen_names names_of(const struct leat_names *n)
{
    return (struct leat_gen_names){n->at, n->n};
}

/* Those in C, with the types of their rows added to `types`. */
static const struct leat_gen_projection *projections_of(const struct leat_session *s,
                                                        struct leat_names *types, size_t *ret_n)
{
    const struct leat_topology *t = s->topology;
    struct leat_gen_projection *all =
        leat_arena_zalloc(s->arena, t->n_projections + (size_t)1, sizeof *all);
    struct leat_str *names =
        leat_arena_zalloc(s->arena, (size_t)types->n + t->n_projections + 1, sizeof *names);
    for (uint32_t i = 0; i < types->n; i++)
        names[i] = types->at[i];
    types->at = names;
    for (uint32_t i = 0; i < t->n_projections; i++) {
        const struct leat_projection *p = &t->projections[i];
        if (!p->is_coded)
            continue;
        struct leat_str *events = leat_arena_zalloc(s->arena, p->n_from, sizeof *events);
        for (uint32_t j = 0; j < p->n_from; j++)
            events[j] = p->from[j].event;
        all[(*ret_n)++] = (struct leat_gen_projection){p->name, p->row_type, {events, p->n_from}};
        names[types->n++] = p->row_type;
    }
    return all;
}

static struct leat_gen_input facts_of(const struct leat_session *s)
{
    const struct leat_topology *t = s->topology;
    struct leat_gen_aggregate *aggregates =
        leat_arena_zalloc(s->arena, t->n_aggregates + (size_t)1, sizeof *aggregates);
    struct leat_gen_processor *processors =
        leat_arena_zalloc(s->arena, t->n_processors + (size_t)1, sizeof *processors);
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        const struct leat_aggregate *a = &t->aggregates[i];
        aggregates[i] = (struct leat_gen_aggregate){a->name, a->key, a->state};
    }
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *p = &t->processors[i];
        int32_t aggregate = p->aggregate == NULL ? -1 : (int32_t)(p->aggregate - t->aggregates);
        processors[i] = (struct leat_gen_processor){.name = p->name,
                                                    .aggregate = aggregate,
                                                    .commands = names_of(&p->commands),
                                                    .events = names_of(&p->events),
                                                    .emits = names_of(&p->emits),
                                                    .sends = names_of(&p->sends)};
    }
    struct leat_names types = leat_topology_types(t, s->arena);
    size_t n_projections = 0;
    const struct leat_gen_projection *projections = projections_of(s, &types, &n_projections);
    return (struct leat_gen_input){.topology = t->name,
                                   .aggregates = aggregates,
                                   .n_aggregates = t->n_aggregates,
                                   .processors = processors,
                                   .n_processors = t->n_processors,
                                   .projections = projections,
                                   .n_projections = n_projections,
                                   .types = names_of(&types),
                                   .schemas = s->schemas};
}

/* ---- the file ---- */

static void close_file(FILE **f)
{
    if (*f != NULL)
        (void)fclose(*f);
}

static bool is_same(const char *path, struct leat_str text)
{
    LEAT_AUTO(close_file) FILE *f = fopen(path, "re");
    char part[65536];
    size_t at = 0;
    if (f == NULL)
        return false;
    for (size_t got; (got = fread(part, 1, sizeof part, f)) > 0; at += got) {
        if (got > text.len - at || memcmp(part, text.at + at, got) != 0)
            return false;
    }
    return !ferror(f) && at == text.len;
}

static leat_status make_folders(const char *dir, struct leat_error *err)
{
    char path[PATH_MAX];
    size_t len = strlen(dir);
    if (len == 0 || len >= sizeof path)
        return leat_fail(err, LEAT_INVALID, "'%s' is not a folder's name", dir);
    memcpy(path, dir, len + 1);
    for (char *p = path + 1;; p++) {
        if (*p != '/' && *p != '\0')
            continue;
        char end = *p;
        *p = '\0';
        if (mkdir(path, 0777) != 0 && errno != EEXIST) {
            return leat_fail(err, LEAT_FATAL, "could not make folder '%s': %s", path,
                             strerror(errno));
        }
        *p = end;
        if (end == '\0')
            return LEAT_OK;
    }
}

/* Whole or not at all: builds may read the old file meanwhile. */
static leat_status write_file(const char *path, struct leat_str text, struct leat_error *err)
{
    char beside[PATH_MAX];
    int len = snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid());
    if (len < 0 || (size_t)len >= sizeof beside)
        return leat_fail(err, LEAT_INVALID, "the path of '%s' is too long", path);
    FILE *f = fopen(beside, "wxe");
    if (f == NULL)
        return leat_fail(err, LEAT_FATAL, "could not write '%s': %s", beside, strerror(errno));
    bool ok = fwrite(text.at, 1, text.len, f) == text.len;
    ok = fclose(f) == 0 && ok && rename(beside, path) == 0;
    if (ok)
        return LEAT_OK;
    leat_status st = leat_fail(err, LEAT_FATAL, "could not write '%s': %s", path, strerror(errno));
    (void)unlink(beside);
    return st;
}

static int show(const struct gen_options *o, const char *path, bool changed)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, PATH_MAX * 8);
    if (o->json) {
        struct leat_json_writer w;
        leat_json_writer_init(&w, &text);
        leat_json_begin_object(&w);
        leat_json_put_cstr(&w, "file", path);
        leat_json_put_bool(&w, "changed", changed);
        leat_json_end_object(&w);
        leat_buf_putc(&text, '\n');
    } else {
        const char *what = !changed ? "up to date" : o->check ? "out of date" : "written";
        leat_buf_printf(&text, "%s: %s\n", path, what);
    }
    return leat_cli_print(&text);
}

/* Their types have no files, and no ids of the store's. */
static leat_status add_rows(struct leat_session *s, struct leat_error *err)
{
    for (uint32_t i = 0; i < s->topology->n_projections; i++) {
        const struct leat_projection *p = &s->topology->projections[i];
        if (p->is_coded)
            LEAT_TRY(leat_schemas_put(s->schemas, INT32_MAX - (int32_t)i, p->row_type,
                                      p->row_schema, err),
                     err, "rows of '%s'", p->name.at);
    }
    return LEAT_OK;
}

static int generate(const struct gen_options *o, struct leat_session *s)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    struct leat_error err = {0};
    if (add_rows(s, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    struct leat_gen_input in = facts_of(s);
    leat_buf_init(&text, GEN_BYTES_MAX);
    if (leat_gen_header(&in, &text, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    const char *path = leat_arena_printf(s->arena, "%s/%s.h", o->out, s->topology->name.at);
    bool changed = !is_same(path, leat_buf_str(&text));
    if (changed && !o->check &&
        (make_folders(o->out, &err) != LEAT_OK ||
         write_file(path, leat_buf_str(&text), &err) != LEAT_OK))
        return leat_cli_fail(&err);
    int code = show(o, path, changed);
    return code == LEAT_EXIT_OK && changed && o->check ? LEAT_EXIT_NO : code;
}

int leat_cmd_gen(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct gen_options o = {0};
    struct leat_session s;
    int args = 0;
    int code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code == LEAT_EXIT_GO_ON)
        code = leat_session_types(&s, o.topology);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    code = generate(&o, &s);
    leat_session_close(&s);
    return code;
}
