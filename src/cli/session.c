#include "cli/session.h"

#include <stdio.h>

#include "cli/check_exprs.h"
#include "cli/cli.h"
#include "projection/rules.h"
#include "worker/registry.h"

#define FINDINGS_BYTES_MAX ((size_t)512 * 1024)

static leat_status load_schemas(struct leat_session *s, struct leat_error *err)
{
    struct leat_names types = leat_topology_types(s->topology, s->arena);
    for (uint32_t i = 0; i < types.n; i++)
        LEAT_TRY(leat_schemas_load_file(s->schemas, s->topology->schema_dirs,
                                        s->topology->n_schema_dirs, types.at[i], err),
                 err, "schema of '%s'", types.at[i].at);
    return LEAT_OK;
}

static leat_status hash_models(struct leat_session *s, struct leat_error *err)
{
    LEAT_TRY(leat_modules_load_projections(s->topology, err), err, "modules");
    for (uint32_t i = 0; i < s->topology->n_projections; i++) {
        struct leat_projection *p = &s->topology->projections[i];
        LEAT_TRY(leat_rules_hash(p, s->schemas, &p->hash, err), err, "read model");
    }
    return LEAT_OK;
}

static int open_topology(struct leat_session *s, const char *topology_path, const char *data)
{
    *s = (struct leat_session){0};
    int code = leat_cli_topology(topology_path, false, &s->topology);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    s->arena = leat_arena_new(16 * 1024, 64 * 1024);
    s->data_dir = data != NULL ? data
                               : leat_arena_printf(s->arena, "%s/.leat/%s", s->topology->dir,
                                                   s->topology->name.at);
    s->store_options = (struct leat_store_options){.url = s->topology->store.url,
                                                   .schema = s->topology->store.schema,
                                                   .application_name = "leat",
                                                   .prepare = s->topology->store.prepare};
    s->schemas = leat_schemas_new();
    return LEAT_EXIT_GO_ON;
}

int leat_session_types(struct leat_session *s, const char *topology_path)
{
    struct leat_error err = {0};
    int code = open_topology(s, topology_path, NULL);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if (load_schemas(s, &err) == LEAT_OK)
        return LEAT_EXIT_GO_ON;
    leat_session_close(s);
    return leat_cli_fail(&err);
}

int leat_session_files(struct leat_session *s, const char *topology_path, const char *data)
{
    struct leat_error err = {0};
    int code = open_topology(s, topology_path, data);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if (load_schemas(s, &err) == LEAT_OK && hash_models(s, &err) == LEAT_OK)
        return LEAT_EXIT_GO_ON;
    leat_session_close(s);
    return leat_cli_fail(&err);
}

int leat_session_check(const struct leat_session *s)
{
    struct leat_report report = {0};
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, FINDINGS_BYTES_MAX);
    leat_check_exprs(s->topology, s->schemas, &report);
    size_t mistakes = report.errors;
    if (mistakes > 0) {
        leat_report_text_from(&report, LEAT_SEVERITY_ERROR, &text);
        (void)fwrite(text.at, 1, text.len, stderr);
    }
    leat_report_done(&report);
    return mistakes > 0 ? LEAT_EXIT_USAGE : LEAT_EXIT_GO_ON;
}

static leat_status open_store(struct leat_session *s, struct leat_error *err)
{
    LEAT_TRY(leat_store_open(&s->store_options, &s->store, err), err, "store");
    LEAT_TRY(leat_store_check(s->store, s->topology->partitions, err), err, "store");
    struct leat_schema_row *rows = NULL;
    size_t n = 0;
    LEAT_TRY(leat_store_schemas(s->store, s->arena, &rows, &n, err), err, "schemas");
    for (size_t i = 0; i < n; i++)
        LEAT_TRY(leat_schemas_put(s->schemas, rows[i].id, rows[i].subject, rows[i].text, err), err,
                 "schema %d of '%.*s'", rows[i].id, LEAT_STR_FMT(rows[i].subject));
    return LEAT_OK;
}

static leat_status all_registered(struct leat_session *s, struct leat_error *err)
{
    struct leat_names types = leat_topology_types(s->topology, s->arena);
    for (uint32_t i = 0; i < types.n; i++)
        if (leat_schemas_id(s->schemas, types.at[i]) == 0) {
            (void)leat_fail(err, LEAT_INVALID, "the schema of '%s' is not registered in the store",
                            types.at[i].at);
            leat_error_hint(err, "Run `leat apply`: it registers what is new.");
            return LEAT_INVALID;
        }
    return LEAT_OK;
}

static int not_open(struct leat_session *s, struct leat_error *err)
{
    leat_session_close(s);
    int code = leat_cli_fail(err);
    return code == LEAT_EXIT_NO ? LEAT_EXIT_FAILED : code; /* a store not set up is no answer */
}

int leat_session_open(struct leat_session *s, const char *topology_path, const char *data)
{
    struct leat_error err = {0};
    int code = leat_session_files(s, topology_path, data);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    bool good = open_store(s, &err) == LEAT_OK && all_registered(s, &err) == LEAT_OK;
    return good ? LEAT_EXIT_GO_ON : not_open(s, &err);
}

int leat_session_open_stored(struct leat_session *s, const char *topology_path, const char *data)
{
    struct leat_error err = {0};
    int code = open_topology(s, topology_path, data);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    return open_store(s, &err) == LEAT_OK ? LEAT_EXIT_GO_ON : not_open(s, &err);
}

void leat_session_close(struct leat_session *s)
{
    leat_store_close(s->store);
    leat_schemas_free(s->schemas);
    leat_topology_free(s->topology);
    leat_arena_free(s->arena);
    *s = (struct leat_session){0};
}
