#include "projection/coded.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

/* Filled by constructors while dlopen runs, on the main thread, before any other thread exists. */
static struct leat_projection_def *projections;

void leat_register_projection(struct leat_projection_def *def)
{
    def->next = projections;
    projections = def;
}

const struct leat_projection_def *leat_coded_find(struct leat_str name)
{
    for (const struct leat_projection_def *d = projections; d != NULL; d = d->next) {
        if (leat_str_eq(leat_str_of(d->name), name))
            return d;
    }
    return NULL;
}

uint64_t leat_coded_hash(const struct leat_projection *p)
{
    const struct leat_projection_def *def = leat_coded_find(p->name);
    return def == NULL ? p->hash : leat_hash64(&def->version, sizeof def->version, p->hash);
}

const struct leat_rows_on *leat_coded_on(const struct leat_coded *c, struct leat_str event)
{
    for (size_t i = 0; i < c->def->on_count; i++) {
        if (leat_str_eq(leat_str_of(c->def->on[i].event->name), event))
            return &c->def->on[i];
    }
    return NULL;
}

/* ---- binding ---- */

static leat_status check_events(const struct leat_coded *c, struct leat_error *err)
{
    const struct leat_projection *p = c->projection;
    for (uint32_t i = 0; i < p->n_from; i++) {
        if (leat_coded_on(c, p->from[i].event) == NULL) {
            return leat_fail(err, LEAT_INVALID, "its module has no function for the event '%.*s'",
                             LEAT_STR_FMT(p->from[i].event));
        }
    }
    if (c->def->on_count == p->n_from)
        return LEAT_OK;
    return leat_fail(err, LEAT_INVALID,
                     "its module has functions for %zu events, the topology "
                     "names %u",
                     c->def->on_count, p->n_from);
}

static leat_status check_row(struct leat_coded *c, struct leat_error *err)
{
    struct leat_schema *declared = NULL;
    const struct leat_projection *p = c->projection;
    LEAT_TRY(leat_schema_parse(leat_str_of(c->def->row->schema), &c->schema, err), err, "row");
    LEAT_TRY(leat_schema_parse(p->row_schema, &declared, err), err, "row");
    bool same = leat_schema_fingerprint(declared) == leat_schema_fingerprint(c->schema);
    leat_schema_free(declared);
    if (same)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_INVALID, "its module was compiled for other fields of a row");
    leat_error_hint(err, "Run `leat gen` and build it again.");
    return LEAT_INVALID;
}

static const struct leat_field *field_named(const struct leat_type *type, struct leat_str name)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (leat_str_eq(leat_str_of(type->fields[i].name), name))
            return &type->fields[i];
    }
    return NULL;
}

static leat_status bind(struct leat_coded *c, struct leat_error *err)
{
    const struct leat_projection *p = c->projection;
    LEAT_TRY(check_events(c, err), err, "events");
    LEAT_TRY(check_row(c, err), err, "row");
    LEAT_TRY(leat_picker_new(c->schema, p->fields.at, p->fields.n, &c->picker, err), err, "row");
    c->key_fields = calloc(p->n_key_fields, sizeof(void *));
    leat_assert(c->key_fields != NULL);
    for (uint32_t i = 0; i < p->n_key_fields; i++) {
        c->key_fields[i] = field_named(c->def->row, p->fields.at[p->key_fields[i]]);
        leat_assert(c->key_fields[i] != NULL);
    }
    return LEAT_OK;
}

leat_status leat_coded_bind(const struct leat_projection *p, struct leat_coded **ret,
                            struct leat_error *err)
{
    const struct leat_projection_def *def = leat_coded_find(p->name);
    if (def == NULL) {
        (void)leat_fail(err, LEAT_INVALID,
                        "projection '%.*s' is written in C, and no module has it",
                        LEAT_STR_FMT(p->name));
        leat_error_hint(err,
                        "Build module '%s', with LEAT_PROJECTION(%.*s, …) in it; `leat check` "
                        "says where it is looked for.",
                        p->module, LEAT_STR_FMT(p->name));
        return LEAT_INVALID;
    }
    struct leat_coded *c = calloc(1, sizeof *c);
    leat_assert(c != NULL);
    *c = (struct leat_coded){.def = def, .projection = p};
    leat_buf_init(&c->bytes, LEAT_ROW_BYTES_MAX);
    leat_status status = bind(c, err);
    if (status == LEAT_OK)
        *ret = c;
    else
        leat_coded_free(c);
    return status;
}

void leat_coded_free(struct leat_coded *c)
{
    if (c == NULL)
        return;
    leat_picker_free(c->picker);
    leat_schema_free(c->schema);
    leat_buf_done(&c->bytes);
    free(c->key_fields);
    free(c);
}
