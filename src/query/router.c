#include <stdio.h>
#include <string.h>

#include "query/http.h"

#define PATTERN_PARTS_MAX LEAT_SEGMENTS_MAX

/* clang-format off */
const struct leat_route leat_routes[] = {
    {"POST", "/v1/commands/{type}", leat_route_post_command, "priority",
     "Send a command. Idempotency-Key is its id; Prefer: wait=5 waits for the outcome."},
    {"GET", "/v1/commands/{id}", leat_route_get_command, "",
     "What became of a command."},
    {"GET", "/v1/models/{model}", leat_route_list_rows, "index,from,to,limit,cursor",
     "Rows of a read model, by key or by an index; from and to are column values with commas."},
    {"GET", "/v1/models/{model}/{key*}", leat_route_get_row, "",
     "One row of a read model."},
    {"GET", "/v1/streams/{id*}", leat_route_get_stream, "after,limit",
     "Events of one stream in order, with their payloads as JSON."},
    {"GET", "/healthz", leat_route_health, "", "The process runs."},
    {"GET", "/readyz", leat_route_ready, "", "The process can do its work; 503 says why not."},
    {"GET", "/metrics", leat_route_metrics, "", "Figures for Prometheus."},
    {"GET", "/openapi.json", leat_route_openapi, "", "This interface."},
    {"GET", "/schemas/ids/{id}", leat_route_schema, "subject,fetchMaxId,format",
     "A schema by its id, in the Confluent registry's form."},
    {"GET", "/subjects", leat_route_subjects, "subjectPrefix,deleted",
     "Names under which schemas are registered."},
    {"GET", "/subjects/{subject}/versions", leat_route_versions, "deleted",
     "Versions of a subject."},
    {"GET", "/subjects/{subject}/versions/{version}", leat_route_version, "deleted",
     "One version of a subject; 'latest' is the newest."},
};
/* clang-format on */
const size_t leat_route_count = sizeof leat_routes / sizeof *leat_routes;

/* The next part of a pattern, without its slash; false at the end. */
static bool next_part(const char **at, struct leat_str *ret)
{
    if (**at != '/')
        return false;
    const char *start = *at + 1;
    size_t n = strcspn(start, "/");
    *ret = (struct leat_str){start, (uint32_t)n};
    *at = start + n;
    return n > 0;
}

static bool is_variable(struct leat_str part)
{
    return part.at[0] == '{';
}

static bool takes_rest(struct leat_str part)
{
    return is_variable(part) && part.len > 2 && part.at[part.len - 2] == '*';
}

static bool matches(const char *pattern, const struct leat_target *t)
{
    struct leat_str part;
    uint32_t i = 0;
    for (; next_part(&pattern, &part); i++) {
        if (i >= t->n_segments)
            return false;
        if (takes_rest(part))
            return t->tails[i].len > 0;
        if (is_variable(part) ? t->segments[i].len == 0 : !leat_str_eq(part, t->segments[i]))
            return false;
    }
    return i == t->n_segments;
}

const struct leat_route *leat_route_find(const char *method, const struct leat_target *t,
                                         char ret_methods[64])
{
    ret_methods[0] = 0;
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    for (size_t i = 0; i < leat_route_count; i++) {
        const struct leat_route *r = &leat_routes[i];
        if (!matches(r->pattern, t))
            continue;
        if (strcmp(r->method, wanted) == 0)
            return r;
        size_t n = strlen(ret_methods);
        (void)snprintf(ret_methods + n, 64 - n, "%s%s", n == 0 ? "" : ", ", r->method);
    }
    return NULL;
}

struct leat_str leat_route_value(const struct leat_request *rq, const char *name)
{
    const char *pattern = rq->route->pattern;
    size_t len = strlen(name);
    struct leat_str part;
    for (uint32_t i = 0; next_part(&pattern, &part); i++) {
        if (is_variable(part) && part.len > len + 1 && strncmp(part.at + 1, name, len) == 0)
            return takes_rest(part) ? rq->target.tails[i] : rq->target.segments[i];
    }
    return (struct leat_str){"", 0};
}

/* ---- /openapi.json: printed from the same table ---- */

static void put_parameter(struct leat_json_writer *w, struct leat_str name, const char *in)
{
    leat_json_begin_object(w);
    leat_json_put_str(w, "name", name);
    leat_json_put_cstr(w, "in", in);
    leat_json_put_bool(w, "required", strcmp(in, "path") == 0);
    leat_json_key(w, LEAT_STR("schema"));
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "type", "string");
    leat_json_end_object(w);
    leat_json_end_object(w);
}

static struct leat_str variable_name(struct leat_str part)
{
    uint32_t cut = takes_rest(part) ? 3 : 2;
    return (struct leat_str){part.at + 1, part.len - cut};
}

static void put_parameters(const struct leat_route *r, struct leat_json_writer *w)
{
    const char *pattern = r->pattern;
    struct leat_str part;
    leat_json_key(w, LEAT_STR("parameters"));
    leat_json_begin_array(w);
    while (next_part(&pattern, &part)) {
        if (is_variable(part))
            put_parameter(w, variable_name(part), "path");
    }
    for (const char *at = r->params; *at != 0;) {
        size_t n = strcspn(at, ",");
        put_parameter(w, (struct leat_str){at, (uint32_t)n}, "query");
        at += n + (at[n] == ',');
    }
    leat_json_end_array(w);
}

static void put_operation(const struct leat_route *r, struct leat_json_writer *w)
{
    leat_json_key(w, strcmp(r->method, "POST") == 0 ? LEAT_STR("post") : LEAT_STR("get"));
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "summary", r->summary);
    put_parameters(r, w);
    leat_json_key(w, LEAT_STR("responses"));
    leat_json_begin_object(w);
    leat_json_key(w, LEAT_STR("200"));
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "description", "the answer");
    leat_json_end_object(w);
    leat_json_key(w, LEAT_STR("default"));
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "description", "a problem (RFC 9457)");
    leat_json_end_object(w);
    leat_json_end_object(w);
    leat_json_end_object(w);
}

/* "{key*}" is "{key}" to the world. */
static void put_path(const char *pattern, struct leat_json_writer *w)
{
    char text[128];
    size_t n = 0;
    for (; *pattern != 0 && n + 1 < sizeof text; pattern++) {
        if (*pattern != '*')
            text[n++] = *pattern;
    }
    leat_json_key(w, (struct leat_str){text, (uint32_t)n});
}

void leat_openapi(const struct leat_topology *t, struct leat_buf *out)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_cstr(&w, "openapi", "3.1.0");
    leat_json_key(&w, LEAT_STR("info"));
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "title", t->name);
    leat_json_put_cstr(&w, "version", "1");
    leat_json_end_object(&w);
    leat_json_key(&w, LEAT_STR("paths"));
    leat_json_begin_object(&w);
    for (size_t i = 0; i < leat_route_count; i++) {
        const struct leat_route *r = &leat_routes[i];
        bool second = i > 0 && strcmp(leat_routes[i - 1].pattern, r->pattern) == 0;
        leat_assert(!second); /* one method per path so far */
        put_path(r->pattern, &w);
        leat_json_begin_object(&w);
        put_operation(r, &w);
        leat_json_end_object(&w);
    }
    leat_json_end_object(&w);
    leat_json_end_object(&w);
}
