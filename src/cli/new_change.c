#include "cli/new_change.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/new_insert.h"

#define FILE_BYTES_MAX     ((size_t)1024 * 1024) /* the loader's bound too */
#define SNIPPET_BYTES_MAX  65536
#define FINDINGS_BYTES_MAX 65536

static void close_file(FILE **f)
{
    if (*f != NULL)
        (void)fclose(*f);
}

static leat_status read_file(struct leat_new_change *c, const char *path, struct leat_error *err)
{
    LEAT_AUTO(close_file) FILE *f = fopen(path, "re");
    if (f == NULL)
        return leat_fail(err, LEAT_INVALID, "could not read '%s': %s", path, strerror(errno));
    char *at = leat_arena_alloc(c->arena, FILE_BYTES_MAX);
    size_t len = fread(at, 1, FILE_BYTES_MAX, f);
    if (ferror(f) || len == FILE_BYTES_MAX)
        return leat_fail(err, LEAT_INVALID, "could not read all of '%s'", path);
    c->text = (struct leat_str){at, (uint32_t)len};
    return LEAT_OK;
}

int leat_new_change_open(struct leat_new_change *c, const char *path)
{
    struct leat_error err = {0};
    *c = (struct leat_new_change){.safe = true};
    int code = leat_cli_topology(path, false, &c->t);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    c->arena = leat_arena_new(64 * 1024, 0);
    leat_buf_init(&c->snippet, SNIPPET_BYTES_MAX);
    if (read_file(c, path, &err) == LEAT_OK)
        return LEAT_EXIT_GO_ON;
    leat_new_change_done(c);
    return leat_cli_fail(&err);
}

void leat_new_change_done(struct leat_new_change *c)
{
    if (c->arena != NULL)
        leat_buf_done(&c->snippet);
    leat_topology_free(c->t);
    leat_arena_free(c->arena);
    *c = (struct leat_new_change){0};
}

void leat_new_change_insert(struct leat_new_change *c, const char *section, struct leat_str rows)
{
    struct leat_str indented = leat_new_indented(rows, 2, c->arena);
    leat_buf_printf(&c->snippet, "%s:\n%.*s", section, LEAT_STR_FMT(indented));
    struct leat_str text = leat_new_insert(c->text, leat_str_of(section), rows, c->arena);
    if (text.len == 0) {
        c->safe = false;
    } else {
        c->text = text;
    }
    c->aggregates += strcmp(section, "aggregates") == 0;
    c->processors += strcmp(section, "processors") == 0;
    c->projections += strcmp(section, "projections") == 0;
}

/* What was there is there, in its order, and the new comes on top. */
static bool is_larger_by(const struct leat_new_change *c, const struct leat_topology *now)
{
    const struct leat_topology *t = c->t;
    bool same = now->n_aggregates == t->n_aggregates + c->aggregates &&
                now->n_processors == t->n_processors + c->processors &&
                now->n_projections == t->n_projections + c->projections &&
                now->n_sources == t->n_sources && now->n_queries == t->n_queries &&
                now->partitions == t->partitions && leat_str_eq(now->name, t->name);
    for (uint32_t i = 0; same && i < t->n_aggregates; i++)
        same = leat_topology_aggregate(now, t->aggregates[i].name) != NULL;
    for (uint32_t i = 0; same && i < t->n_processors; i++)
        same = leat_topology_processor(now, t->processors[i].name) != NULL;
    for (uint32_t i = 0; same && i < t->n_projections; i++)
        same = leat_topology_projection(now, t->projections[i].name) != NULL;
    return same;
}

/* GO_ON, or the exit code when the loader finds mistakes in what was asked for. */
static int judge(struct leat_new_change *c)
{
    struct leat_report report = {0};
    struct leat_error err = {0};
    struct leat_topology *now = NULL;
    int code = LEAT_EXIT_GO_ON;
    if (leat_topology_load_text(c->t->path, c->text, false, &now, &report, &err) == LEAT_OK) {
        c->safe = is_larger_by(c, now);
    } else if (now == NULL && report.errors == 0) {
        c->safe = false;
    } else {
        LEAT_AUTO(leat_buf_done) struct leat_buf text;
        leat_buf_init(&text, FINDINGS_BYTES_MAX);
        leat_report_text_from(&report, LEAT_SEVERITY_ERROR, &text);
        (void)fprintf(stderr,
                      "leat: nothing was written: with these lines the topology would have "
                      "mistakes\n\n%.*s\n%.*s",
                      (int)c->snippet.len, c->snippet.at, (int)text.len, text.at);
        code = LEAT_EXIT_USAGE;
    }
    leat_topology_free(now);
    leat_report_done(&report);
    return code;
}

static int hand_over(struct leat_new_change *c)
{
    (void)fprintf(stderr,
                  "leat: could not insert into '%s' without risk to what is there.\n"
                  "      Put these lines into it by hand:\n",
                  c->t->path);
    int code = leat_cli_print(&c->snippet);
    return code == LEAT_EXIT_OK ? LEAT_EXIT_FAILED : code;
}

int leat_new_change_write(struct leat_new_change *c, struct leat_new_files *f)
{
    if (c->safe) {
        int code = judge(c);
        if (code != LEAT_EXIT_GO_ON)
            return code;
    }
    if (c->safe)
        leat_new_file(f, LEAT_NEW_CHANGE, c->t->path, c->text);
    int code = leat_new_write(f);
    return code == LEAT_EXIT_OK && !c->safe ? hand_over(c) : code;
}
