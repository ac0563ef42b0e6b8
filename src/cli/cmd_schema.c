/* leat schema: the schemas of a topology and its store, and whether one reads what
 * another wrote. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/suggest.h"
#include "base/units.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "cli/show.h"
#include "codec/compare.h"

#define OUTPUT_MAX (16u << 20)

int leat_cmd_schema(struct leat_cli *cli, int argc, char **argv);

struct schema_options {
    const char *topology, *need;
    bool json;
};

static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct schema_options, topology),
    {"need", 0, LEAT_OPT_STR, offsetof(struct schema_options, need), "KIND", "backward", NULL, 0, 0,
     "compare: exit 0 only if so: backward, forward or full."},
    LEAT_CLI_JSON(struct schema_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat schema list | show SCHEMA | compare OLD NEW",
    .summary = "List, show and compare schemas.",
    .details = "A SCHEMA is a type (its file in the topology's folders), TYPE:VERSION or "
               "TYPE:latest or an\n"
               "id (as the store has it), or the path of an .avsc file. backward: NEW reads what "
               "OLD wrote,\n"
               "which replay and upgraded consumers need; forward: OLD reads what NEW writes, "
               "which readers\n"
               "not upgraded yet need; full: both. Exit code 3 when it is not as needed.\n\n"
               "  leat schema list\n"
               "  leat schema show OrderPlaced:1\n"
               "  leat schema compare OrderPlaced:latest OrderPlaced\n"
               "  leat schema compare --need full old/OrderPlaced.avsc new/OrderPlaced.avsc\n",
    LEAT_OPTS(options),
    .args_min = 1,
    .args_max = 3,
};

struct command {
    const struct schema_options *o;
    struct leat_session s;
    bool has_session;
    struct leat_arena *arena;
    struct leat_schema_row *rows; /* of the store, by id */
    size_t n;
    bool has_rows;
    struct leat_error err;
};

struct found {
    const char *name;
    struct leat_str text;
    struct leat_schema *schema;
};

static int by_id(const void *a, const void *b)
{
    const struct leat_schema_row *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* LEAT_EXIT_GO_ON, or the code to return. */
static int need_session(struct command *c)
{
    if (c->has_session)
        return LEAT_EXIT_GO_ON;
    int code = leat_session_files(&c->s, c->o->topology, NULL);
    c->has_session = code == LEAT_EXIT_GO_ON;
    return code;
}

static int need_rows(struct command *c)
{
    int code = need_session(c);
    if (code != LEAT_EXIT_GO_ON || c->has_rows)
        return code;
    if (leat_store_open(&c->s.store_options, &c->s.store, &c->err) != LEAT_OK ||
        leat_store_check(c->s.store, c->s.topology->partitions, &c->err) != LEAT_OK ||
        leat_store_schemas(c->s.store, c->arena, &c->rows, &c->n, &c->err) != LEAT_OK)
        return leat_cli_fail(&c->err);
    if (c->n > 0)
        qsort(c->rows, c->n, sizeof *c->rows, by_id);
    c->has_rows = true;
    return LEAT_EXIT_GO_ON;
}

/* ---- which schema is meant ---- */

static leat_status from_file(struct command *c, const char *path, struct found *f)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf dir;
    leat_buf_init(&dir, 4096);
    const char *slash = strrchr(path, '/');
    const char *name = slash == NULL ? path : slash + 1;
    leat_buf_printf(&dir, "%.*s", slash == NULL ? 1 : (int)(slash - path + 1),
                    slash == NULL ? "." : path);
    leat_buf_putc(&dir, '\0');
    size_t len = strlen(name);
    if (len > 5 && strcmp(name + len - 5, ".avsc") == 0)
        len -= 5;
    struct leat_str type = {name, (uint32_t)len};
    struct leat_schemas *set = leat_schemas_new();
    leat_status st = leat_schemas_load_file(set, (const char *const[]){dir.at}, 1, type, &c->err);
    if (st == LEAT_OK)
        f->text = leat_arena_copy(c->arena, leat_schemas_text(set, type));
    leat_schemas_free(set);
    return st;
}

static leat_status from_topology(struct command *c, const char *name, struct found *f)
{
    struct leat_str type = leat_str_of(name);
    f->text = leat_schemas_text(c->s.schemas, type);
    if (f->text.len > 0)
        return LEAT_OK;
    struct leat_suggest near;
    struct leat_str other;
    leat_suggest_start(&near, type);
    for (size_t i = 0; leat_schemas_at(c->s.schemas, i, &other); i++)
        leat_suggest_offer(&near, other);
    (void)leat_fail(&c->err, LEAT_ABSENT, "the topology has no type '%.100s'", name);
    if (near.best.len > 0)
        leat_error_hint(&c->err, "Did you mean %.*s?", LEAT_STR_FMT(near.best));
    return LEAT_ABSENT;
}

static leat_status from_id(struct command *c, int64_t id, struct found *f)
{
    for (size_t i = 0; i < c->n; i++) {
        if (c->rows[i].id == id) {
            f->text = c->rows[i].text;
            return LEAT_OK;
        }
    }
    return leat_fail(&c->err, LEAT_ABSENT, "the store has no schema of id %lld", (long long)id);
}

static leat_status from_version(struct command *c, struct leat_str type, const char *version,
                                struct found *f)
{
    int64_t wanted = INT64_MAX;
    int64_t at = 0;
    if (strcmp(version, "latest") != 0 &&
        (leat_parse_int(leat_str_of(version), &wanted) != LEAT_UNITS_OK || wanted < 1)) {
        return leat_fail(&c->err, LEAT_INVALID, "'%.40s' is no version: a number from 1, or latest",
                         version);
    }
    for (size_t i = 0; i < c->n && at < wanted; i++) {
        if (leat_str_eq(c->rows[i].subject, type)) {
            f->text = c->rows[i].text;
            at++;
        }
    }
    if (at == 0) {
        return leat_fail(&c->err, LEAT_ABSENT, "the store has no schema of '%.*s'",
                         LEAT_STR_FMT(type));
    }
    if (wanted != INT64_MAX && at < wanted) {
        return leat_fail(&c->err, LEAT_ABSENT, "'%.*s' has %lld version%s in the store",
                         LEAT_STR_FMT(type), (long long)at, at == 1 ? "" : "s");
    }
    return LEAT_OK;
}

/* LEAT_EXIT_GO_ON, or the code to return; the schema is the caller's. */
static int find(struct command *c, const char *name, struct found *f)
{
    const char *colon = strrchr(name, ':');
    const char *dot = strrchr(name, '.');
    int64_t id = 0;
    bool is_file = strchr(name, '/') != NULL || (dot != NULL && strcmp(dot, ".avsc") == 0);
    bool is_id = leat_parse_int(leat_str_of(name), &id) == LEAT_UNITS_OK;
    int code = is_file ? LEAT_EXIT_GO_ON : is_id || colon ? need_rows(c) : need_session(c);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    *f = (struct found){.name = name};
    leat_status st =
        is_file ? from_file(c, name, f)
        : is_id ? from_id(c, id, f)
        : colon != NULL
            ? from_version(c, (struct leat_str){name, (uint32_t)(colon - name)}, colon + 1, f)
            : from_topology(c, name, f);
    if (st == LEAT_OK)
        st = leat_schema_parse(f->text, &f->schema, &c->err);
    return st == LEAT_OK ? LEAT_EXIT_GO_ON : leat_cli_fail(&c->err);
}

/* ---- list ---- */

static void list_row(const struct command *c, size_t i, int64_t version, struct leat_json_writer *w)
{
    const struct leat_schema_row *row = &c->rows[i];
    struct leat_str file = leat_schemas_text(c->s.schemas, row->subject);
    leat_json_begin_object(w);
    leat_json_put_str(w, "type", row->subject);
    leat_json_put_int(w, "version", version);
    leat_json_put_int(w, "id", row->id);
    leat_json_put_bool(w, "current", leat_str_eq(file, row->text));
    leat_json_end_object(w);
}

static void list_unregistered(const struct command *c, struct leat_json_writer *w)
{
    struct leat_str type;
    for (size_t t = 0; leat_schemas_at(c->s.schemas, t, &type); t++) {
        bool known = false;
        for (size_t i = 0; i < c->n && !known; i++)
            known = leat_str_eq(c->rows[i].subject, type) &&
                    leat_str_eq(c->rows[i].text, leat_schemas_text(c->s.schemas, type));
        if (known)
            continue;
        leat_json_begin_object(w);
        leat_json_put_str(w, "type", type);
        leat_json_key(w, LEAT_STR("version"));
        leat_json_null(w); /* leat apply registers it */
        leat_json_key(w, LEAT_STR("id"));
        leat_json_null(w);
        leat_json_put_bool(w, "current", true);
        leat_json_end_object(w);
    }
}

static int list(struct command *c)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf json, text;
    struct leat_json_writer w;
    int code = need_rows(c);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    leat_buf_init(&json, OUTPUT_MAX);
    leat_buf_init(&text, OUTPUT_MAX);
    leat_json_writer_init(&w, &json);
    leat_json_begin_array(&w);
    for (size_t i = 0; i < c->n; i++) {
        int64_t version = 0;
        for (size_t k = 0; k <= i; k++)
            version += leat_str_eq(c->rows[k].subject, c->rows[i].subject);
        list_row(c, i, version, &w);
    }
    list_unregistered(c, &w);
    leat_json_end_array(&w);
    if (c->o->json) {
        leat_buf_putc(&json, '\n');
        return leat_cli_print(&json);
    }
    if (leat_show_rows(leat_buf_str(&json), &text, &c->err) != LEAT_OK)
        return leat_cli_fail(&c->err);
    return leat_cli_print(&text);
}

static int show(struct command *c, const char *name)
{
    struct found f = {0};
    int code = find(c, name, &f);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    leat_buf_init(&out, OUTPUT_MAX);
    leat_buf_put(&out, f.text.at, f.text.len);
    if (out.len > 0 && out.at[out.len - 1] != '\n')
        leat_buf_putc(&out, '\n');
    leat_schema_free(f.schema);
    return leat_cli_print(&out);
}

/* ---- compare ---- */

struct direction {
    const char *name, *reads; /* "backward", "NEW reads what OLD wrote" */
    struct leat_buf findings; /* JSON array, or lines */
    struct leat_json_writer w;
    bool json;
    size_t count;
};

static void on_finding(void *arg, const struct leat_compare_finding *f)
{
    struct direction *d = arg;
    if (!d->json) {
        leat_buf_printf(&d->findings, "  %s%s%s%s\n", f->path, f->path[0] == '\0' ? "" : ": ",
                        f->reason, f->sometimes ? " (where it occurs)" : "");
        return;
    }
    leat_json_begin_object(&d->w);
    leat_json_put_cstr(&d->w, "path", f->path);
    leat_json_put_cstr(&d->w, "reason", f->reason);
    leat_json_put_bool(&d->w, "sometimes", f->sometimes);
    leat_json_end_object(&d->w);
}

static void judge(struct direction *d, const struct found *writer, const struct found *reader,
                  bool json)
{
    d->json = json;
    leat_buf_init(&d->findings, OUTPUT_MAX);
    leat_json_writer_init(&d->w, &d->findings);
    if (json)
        leat_json_begin_array(&d->w);
    d->count = leat_schema_compare(writer->schema, reader->schema, on_finding, d);
    if (json)
        leat_json_end_array(&d->w);
}

static void put_text(const struct direction *d, struct leat_buf *out)
{
    leat_buf_printf(out, "%s: %s (%s)\n", d->name, d->count == 0 ? "yes" : "no", d->reads);
    leat_buf_put(out, d->findings.at, d->findings.len);
}

static void put_json(const struct direction *d, struct leat_json_writer *w)
{
    leat_json_key(w, leat_str_of(d->name));
    leat_json_begin_object(w);
    leat_json_put_bool(w, "compatible", d->count == 0);
    leat_json_key(w, LEAT_STR("reasons"));
    leat_json_raw(w, leat_buf_str(&d->findings));
    leat_json_end_object(w);
}

static int print_verdict(const struct command *c, const struct direction *backward,
                         const struct direction *forward)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    struct leat_json_writer w;
    leat_buf_init(&out, OUTPUT_MAX);
    if (c->o->json) {
        leat_json_writer_init(&w, &out);
        leat_json_begin_object(&w);
        put_json(backward, &w);
        put_json(forward, &w);
        leat_json_end_object(&w);
        leat_buf_putc(&out, '\n');
    } else {
        put_text(backward, &out);
        put_text(forward, &out);
    }
    return leat_cli_print(&out);
}

static int compare(struct command *c, const char *old_name, const char *new_name)
{
    struct found old = {0}, new = {0};
    struct direction backward = {.name = "backward",
                                 .reads = "the new one reads what the old wrote"};
    struct direction forward = {.name = "forward",
                                .reads = "the old one reads what the new writes"};
    bool full = strcmp(c->o->need, "full") == 0;
    bool need_backward = full || strcmp(c->o->need, "backward") == 0;
    bool need_forward = full || strcmp(c->o->need, "forward") == 0;
    if (!need_backward && !need_forward) {
        (void)leat_fail(&c->err, LEAT_INVALID,
                        "--need is '%.40s': it is one of backward, forward and full", c->o->need);
        return leat_cli_fail(&c->err);
    }
    int code = find(c, old_name, &old);
    if (code == LEAT_EXIT_GO_ON)
        code = find(c, new_name, &new);
    if (code == LEAT_EXIT_GO_ON) {
        judge(&backward, &old, &new, c->o->json);
        judge(&forward, &new, &old, c->o->json);
        code = print_verdict(c, &backward, &forward);
        if (code == LEAT_EXIT_OK &&
            ((need_backward && backward.count > 0) || (need_forward && forward.count > 0)))
            code = LEAT_EXIT_NO;
    }
    leat_buf_done(&backward.findings);
    leat_buf_done(&forward.findings);
    leat_schema_free(old.schema);
    leat_schema_free(new.schema);
    return code;
}

static int run(struct command *c, int args, char **argv)
{
    const char *verb = argv[1];
    if (strcmp(verb, "list") == 0 && args == 1)
        return list(c);
    if (strcmp(verb, "show") == 0 && args == 2)
        return show(c, argv[2]);
    if (strcmp(verb, "compare") == 0 && args == 3)
        return compare(c, argv[2], argv[3]);
    bool known =
        strcmp(verb, "list") == 0 || strcmp(verb, "show") == 0 || strcmp(verb, "compare") == 0;
    (void)leat_fail(&c->err, LEAT_INVALID,
                    known ? "wrong number of arguments after '%.40s'"
                          : "'%.40s' is none of list, show and compare",
                    verb);
    leat_error_hint(&c->err, "Usage: %s", spec.usage);
    return leat_cli_fail(&c->err);
}

int leat_cmd_schema(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct schema_options o = {0};
    int args = 0;
    int code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    struct command c = {.o = &o, .arena = leat_arena_new(16 * 1024, 0)};
    code = run(&c, args, argv);
    if (c.has_session)
        leat_session_close(&c.s);
    leat_arena_free(c.arena);
    return code;
}
