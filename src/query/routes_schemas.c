/* routes_schemas.c - the store's schemas in the Confluent registry's form, read-only: what its
 * deserialisers ask for when `schema.registry.url` is leat.
 *
 * A subject is a type's name. So that clients of every naming strategy find it, the name may have
 * the record's namespace before it, or the topic: "OrderPlaced", "shop.OrderPlaced" and
 * "shop.events-shop.OrderPlaced" are one. Versions of a subject count from 1 in the order of the
 * ids. */
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "query/http.h"

#define REGISTRY_JSON "application/vnd.schemaregistry.v1+json"

struct rows {
    struct leat_schema_row *at; /* by id */
    size_t n;
};

static void answer(struct leat_request *rq, int status)
{
    rq->content_type = REGISTRY_JSON;
    leat_answer_json(rq, status);
}

static void registry_error(struct leat_request *rq, int status, int code, const char *text)
{
    struct leat_json_writer w;
    leat_buf_clear(&rq->out);
    leat_json_writer_init(&w, &rq->out);
    leat_json_begin_object(&w);
    leat_json_put_int(&w, "error_code", code);
    leat_json_put_cstr(&w, "message", text);
    leat_json_end_object(&w);
    answer(rq, status);
}

static int by_id(const void *a, const void *b)
{
    const struct leat_schema_row *x = a, *y = b;
    return (x->id > y->id) - (x->id < y->id);
}

/* All rows; false: answered. Schemas are few, and clients keep what they got. */
static bool load(struct leat_request *rq, struct rows *ret)
{
    struct leat_store *store = NULL;
    struct leat_error err = {0};
    leat_status status = leat_store_pool_take(rq->http->stores, &store, &err);
    if (status == LEAT_OK) {
        status = leat_store_schemas(store, rq->arena, &ret->at, &ret->n, &err);
        leat_store_pool_give(rq->http->stores, store);
    }
    if (status != LEAT_OK) {
        registry_error(rq, 500, 50001, err.msg);
        return false;
    }
    if (ret->n > 0)
        qsort(ret->at, ret->n, sizeof *ret->at, by_id);
    return true;
}

static bool has_subject(const struct rows *rows, struct leat_str subject)
{
    for (size_t i = 0; i < rows->n; i++) {
        if (leat_str_eq(rows->at[i].subject, subject))
            return true;
    }
    return false;
}

static struct leat_str after_last(struct leat_str name, char c)
{
    for (uint32_t i = name.len; i > 0; i--) {
        if (name.at[i - 1] == c)
            return (struct leat_str){name.at + i, name.len - i};
    }
    return name;
}

/* The stored name a client means; false: answered. Names of records hold neither '-' nor '.'. */
static bool find_subject(struct leat_request *rq, struct rows *rows, struct leat_str *ret)
{
    struct leat_str asked = leat_route_value(rq, "subject");
    if (!load(rq, rows))
        return false;
    *ret = has_subject(rows, asked) ? asked : after_last(after_last(asked, '-'), '.');
    if (ret->len > 0 && has_subject(rows, *ret))
        return true;
    registry_error(rq, 404, 40401, "Subject not found");
    return false;
}

/* 1 for the subject's oldest row. */
static int64_t version_of(const struct rows *rows, const struct leat_schema_row *row)
{
    int64_t version = 0;
    for (const struct leat_schema_row *r = rows->at; r <= row; r++)
        version += leat_str_eq(r->subject, row->subject);
    return version;
}

/* The row of {id}; NULL: answered. */
static const struct leat_schema_row *find_id(struct leat_request *rq, struct rows *rows)
{
    int64_t id = 0;
    bool is_number = leat_parse_int(leat_route_value(rq, "id"), &id) == LEAT_UNITS_OK;
    if (is_number && !load(rq, rows))
        return NULL;
    for (size_t i = 0; is_number && i < rows->n; i++) {
        if (rows->at[i].id == id)
            return &rows->at[i];
    }
    registry_error(rq, 404, 40403, "Schema not found");
    return NULL;
}

void leat_route_schema(struct leat_request *rq)
{
    struct rows rows = {0};
    struct leat_json_writer w;
    const struct leat_schema_row *row = find_id(rq, &rows);
    if (row == NULL)
        return;
    leat_json_writer_init(&w, &rq->out);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "schema", row->text);
    leat_json_end_object(&w);
    answer(rq, 200);
}

void leat_route_schema_text(struct leat_request *rq)
{
    struct rows rows = {0};
    const struct leat_schema_row *row = find_id(rq, &rows);
    if (row == NULL)
        return;
    leat_buf_put(&rq->out, row->text.at, row->text.len);
    answer(rq, 200);
}

void leat_route_schema_versions(struct leat_request *rq)
{
    struct rows rows = {0};
    struct leat_json_writer w;
    const struct leat_schema_row *row = find_id(rq, &rows);
    if (row == NULL)
        return;
    leat_json_writer_init(&w, &rq->out);
    leat_json_begin_array(&w);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "subject", row->subject);
    leat_json_put_int(&w, "version", version_of(&rows, row));
    leat_json_end_object(&w);
    leat_json_end_array(&w);
    answer(rq, 200);
}

void leat_route_schema_types(struct leat_request *rq)
{
    leat_buf_puts(&rq->out, "[\"AVRO\"]");
    answer(rq, 200);
}

void leat_route_registry_mode(struct leat_request *rq)
{
    leat_buf_puts(&rq->out, "{\"mode\":\"READONLY\"}");
    answer(rq, 200);
}

void leat_route_subjects(struct leat_request *rq)
{
    struct rows rows = {0};
    struct leat_str prefix = {"", 0};
    struct leat_json_writer w;
    if (!load(rq, &rows))
        return;
    (void)leat_target_param(&rq->target, "subjectPrefix", &prefix);
    if (leat_str_eq(prefix, LEAT_STR(":*:"))) /* what clients say for all */
        prefix.len = 0;
    leat_json_writer_init(&w, &rq->out);
    leat_json_begin_array(&w);
    for (size_t i = 0; i < rows.n; i++) {
        struct leat_str subject = rows.at[i].subject;
        if (version_of(&rows, &rows.at[i]) == 1 && subject.len >= prefix.len &&
            memcmp(subject.at, prefix.at, prefix.len) == 0)
            leat_json_str(&w, rows.at[i].subject);
    }
    leat_json_end_array(&w);
    answer(rq, 200);
}

void leat_route_versions(struct leat_request *rq)
{
    struct rows rows = {0};
    struct leat_str subject = {"", 0};
    struct leat_json_writer w;
    int64_t version = 0;
    if (!find_subject(rq, &rows, &subject))
        return;
    leat_json_writer_init(&w, &rq->out);
    leat_json_begin_array(&w);
    for (size_t i = 0; i < rows.n; i++) {
        if (leat_str_eq(rows.at[i].subject, subject))
            leat_json_int(&w, ++version);
    }
    leat_json_end_array(&w);
    answer(rq, 200);
}

/* The row of {version} among those of the subject; NULL: answered. */
static const struct leat_schema_row *find_version(struct leat_request *rq, const struct rows *rows,
                                                  struct leat_str subject)
{
    const struct leat_schema_row *newest = NULL;
    int64_t wanted = -1;
    int64_t version = 0;
    struct leat_str text = leat_route_value(rq, "version");
    bool latest = leat_str_eq(text, LEAT_STR("latest")) || leat_str_eq(text, LEAT_STR("-1"));
    if (!latest && (leat_parse_int(text, &wanted) != LEAT_UNITS_OK || wanted < 1)) {
        registry_error(rq, 422, 42202, "The version is a number from 1, or 'latest'");
        return NULL;
    }
    for (size_t i = 0; i < rows->n; i++) {
        if (!leat_str_eq(rows->at[i].subject, subject))
            continue;
        newest = &rows->at[i];
        if (++version == wanted)
            return newest;
    }
    if (!latest)
        registry_error(rq, 404, 40402, "Version not found");
    return latest ? newest : NULL;
}

void leat_route_version(struct leat_request *rq)
{
    struct rows rows = {0};
    struct leat_str subject = {"", 0};
    struct leat_json_writer w;
    if (!find_subject(rq, &rows, &subject))
        return;
    const struct leat_schema_row *row = find_version(rq, &rows, subject);
    if (row == NULL)
        return;
    leat_json_writer_init(&w, &rq->out);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "subject", row->subject);
    leat_json_put_int(&w, "version", version_of(&rows, row));
    leat_json_put_int(&w, "id", row->id);
    leat_json_put_str(&w, "schema", row->text);
    leat_json_end_object(&w);
    answer(rq, 200);
}

void leat_route_version_text(struct leat_request *rq)
{
    struct rows rows = {0};
    struct leat_str subject = {"", 0};
    if (!find_subject(rq, &rows, &subject))
        return;
    const struct leat_schema_row *row = find_version(rq, &rows, subject);
    if (row == NULL)
        return;
    leat_buf_put(&rq->out, row->text.at, row->text.len);
    answer(rq, 200);
}
