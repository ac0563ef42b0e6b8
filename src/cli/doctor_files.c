#include "cli/doctor.h"
#include "worker/dispatch.h"
#include "worker/registry.h"

static void look_at_unsupported(struct leat_doctor *d)
{
    struct leat_report report = {0};
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    size_t errors = leat_topology_unsupported(d->topology, &report);
    leat_buf_init(&text, 65536);
    leat_report_text(&report, &text);
    for (size_t i = text.len; i > 0 && text.at[i - 1] == '\n'; i--)
        text.len--;
    if (report.errors + report.warnings == 0) {
        leat_doctor_ok(d, "topology", "%s: '%s', %d partitions", d->topology->path,
                       d->topology->name.at, (int)d->topology->partitions);
    } else {
        leat_doctor_say(d, errors > 0 ? LEAT_CHECK_FAIL : LEAT_CHECK_WARN, "topology",
                        "it declares what this version does not run",
                        "leave it out, or use a version that does", "%.*s",
                        LEAT_STR_FMT(leat_buf_str(&text)));
    }
    leat_report_done(&report);
}

static bool load_schemas(struct leat_doctor *d)
{
    const struct leat_topology *t = d->topology;
    struct leat_names types = leat_topology_types(t, d->arena);
    size_t before = d->n;
    for (uint32_t i = 0; i < types.n; i++) {
        struct leat_error err = {0};
        if (leat_schemas_load_file(d->schemas, t->schema_dirs, t->n_schema_dirs, types.at[i],
                                   &err) != LEAT_OK) {
            leat_doctor_error(d, "schemas", "no message of this type can be read or written",
                              "write the schema, then `leat check`", &err);
        }
    }
    bool all = d->n == before;
    if (all)
        leat_doctor_ok(d, "schemas", "%u types", types.n);
    return all;
}

/* Loads the module and holds its handlers against the topology, as `leat run` does. */
static void look_at_module(struct leat_doctor *d, const struct leat_processor *p, bool schemas)
{
    static const char why[] = "leat run would not start this processor";
    struct leat_error err = {0};
    struct leat_dispatch *dispatch = NULL;
    const char *path = leat_module_path(d->topology, p->module, d->arena);
    const char *name = leat_arena_printf(d->arena, "module %s", p->name.at);
    if (leat_modules_load(d->topology, &p->name, 1, &err) != LEAT_OK) {
        leat_doctor_error(d, name, why, "build it, or name its folder in $LEAT_MODULES", &err);
    } else if (!schemas) {
        leat_doctor_skip(d, name, "%s loads; the schemas it needs are not all there", path);
    } else if (leat_dispatch_new(d->topology, p, d->schemas, &dispatch, &err) != LEAT_OK) {
        leat_doctor_error(d, name, why, "run `leat gen` and build the module again", &err);
    } else {
        leat_doctor_ok(d, name, "%s, version %d",
                       path != NULL ? path : "registered by its aggregate's module",
                       leat_dispatch_version(dispatch));
    }
    leat_dispatch_free(dispatch);
}

void leat_doctor_files(struct leat_doctor *d)
{
    look_at_unsupported(d);
    bool schemas = load_schemas(d);
    for (uint32_t i = 0; i < d->topology->n_processors; i++)
        look_at_module(d, &d->topology->processors[i], schemas);
}
