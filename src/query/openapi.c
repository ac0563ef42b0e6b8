/* /openapi.json: printed from the table of routes and the topology's own names. */
#include <stdio.h>
#include <string.h>

#include "query/http.h"
#include "query/openapi_parts.h"
#include "query/queries.h"
#include "query/routes_operators.h"

#define PROBLEM  "application/problem+json"
#define REGISTRY "application/vnd.schemaregistry.v1+json"

static bool is_variable(struct leat_str part)
{
    return part.at[0] == '{';
}

/* "{key*}" is "key". */
static struct leat_str variable_name(struct leat_str part)
{
    uint32_t cut = part.at[part.len - 2] == '*' ? 3 : 2;
    return (struct leat_str){part.at + 1, part.len - cut};
}

static void begin(struct leat_json_writer *w, const char *key)
{
    leat_json_key(w, leat_str_of(key));
    leat_json_begin_object(w);
}

static void put_schema(struct leat_json_writer *w, const char *type)
{
    begin(w, "schema");
    leat_json_put_cstr(w, "type", type);
    leat_json_end_object(w);
}

/* ---- parameters ---- */

struct parameter {
    struct leat_str name;
    const char *in, *schema,
        *description; /* schema NULL: text or `values`; description NULL: none */
    bool required;
    struct leat_names values; /* n 0: any */
};

static void put_parameter(struct leat_json_writer *w, const struct parameter *p)
{
    leat_json_begin_object(w);
    leat_json_put_str(w, "name", p->name);
    leat_json_put_cstr(w, "in", p->in);
    if (p->description != NULL)
        leat_json_put_cstr(w, "description", p->description);
    leat_json_put_bool(w, "required", p->required);
    if (p->schema != NULL) {
        leat_json_key(w, LEAT_STR("schema"));
        leat_json_raw(w, leat_str_of(p->schema));
        leat_json_end_object(w);
        return;
    }
    begin(w, "schema");
    leat_json_put_cstr(w, "type", "string");
    if (p->values.n > 0) {
        leat_json_key(w, LEAT_STR("enum"));
        leat_json_begin_array(w);
        for (uint32_t i = 0; i < p->values.n; i++)
            leat_json_str(w, p->values.at[i]);
        leat_json_end_array(w);
    }
    leat_json_end_object(w);
    leat_json_end_object(w);
}

static void put_query_list(struct leat_json_writer *w, const char *list, struct leat_names needed)
{
    while (*list != 0) {
        size_t n = strcspn(list, ",");
        struct leat_str name = {list, (uint32_t)n};
        struct parameter p = {.name = name, .in = "query"};
        p.required = leat_names_has(&needed, name);
        if (!p.required) { /* a query's own parameter means what the topology says */
            struct leat_openapi_param part = leat_openapi_param(name);
            p.schema = part.schema;
            p.description = part.description;
        }
        put_parameter(w, &p);
        list += n + (list[n] == ',');
    }
}

static struct leat_names command_types(const struct leat_topology *t, struct leat_arena *arena)
{
    uint32_t n = 0, total = 0;
    for (uint32_t i = 0; i < t->n_processors; i++)
        total += t->processors[i].commands.n;
    struct leat_str *at = leat_arena_zalloc(arena, total + (size_t)1, sizeof *at);
    for (uint32_t i = 0; i < t->n_processors; i++) {
        for (uint32_t j = 0; j < t->processors[i].commands.n; j++)
            at[n++] = t->processors[i].commands.at[j];
    }
    return (struct leat_names){at, n};
}

static struct leat_names model_names(const struct leat_topology *t, struct leat_arena *arena)
{
    struct leat_str *at = leat_arena_zalloc(arena, t->n_projections + (size_t)1, sizeof *at);
    for (uint32_t i = 0; i < t->n_projections; i++)
        at[i] = t->projections[i].name;
    return (struct leat_names){at, t->n_projections};
}

static void put_path_parameters(const struct leat_topology *t, const struct leat_route *r,
                                struct leat_json_writer *w)
{
    const char *pattern = r->pattern;
    struct leat_arena *arena = leat_arena_new(1024, 0);
    struct leat_str part;
    while (leat_pattern_next(&pattern, &part)) {
        if (!is_variable(part))
            continue;
        struct parameter p = {.name = variable_name(part), .in = "path", .required = true};
        if (r->handle == leat_route_post_command)
            p.values = command_types(t, arena);
        if (leat_str_eq(p.name, LEAT_STR("model")))
            p.values = model_names(t, arena);
        put_parameter(w, &p);
    }
    leat_arena_free(arena);
}

static void put_command_headers(struct leat_json_writer *w)
{
    put_parameter(w, &(struct parameter){
                         .name = LEAT_STR("Idempotency-Key"),
                         .in = "header",
                         .description = "Id of the command, a UUID or any text: sent again, it is "
                                        "not done twice."});
    put_parameter(w, &(struct parameter){.name = LEAT_STR("Prefer"),
                                         .in = "header",
                                         .description = "wait=5: wait so many seconds for the "
                                                        "outcome."});
}

static void put_read_headers(struct leat_json_writer *w, bool tagged)
{
    put_parameter(w, &(struct parameter){.name = LEAT_STR("Leat-At-Least"),
                                         .in = "header",
                                         .description = "As at_least; both count."});
    put_parameter(w, &(struct parameter){.name = LEAT_STR("Prefer"),
                                         .in = "header",
                                         .description = "wait=5: as the parameter wait."});
    if (tagged)
        put_parameter(w, &(struct parameter){.name = LEAT_STR("If-None-Match"),
                                             .in = "header",
                                             .description = "ETag of what is known: 304 if it is "
                                                            "still so."});
}

/* ---- answers ---- */

struct response {
    const char *status, *description, *media; /* media NULL: no body */
    const char *schema;                       /* JSON; NULL: anything, or a problem */
    bool reads_model;
};

static void put_response_headers(struct leat_json_writer *w)
{
    static const char *const names[] = {"Leat-Position", "Leat-Age-Ms", "Leat-Version"};
    begin(w, "headers");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        begin(w, names[i]);
        put_schema(w, i == 1 ? "integer" : "string");
        leat_json_end_object(w);
    }
    leat_json_end_object(w);
}

static void put_media(struct leat_json_writer *w, const char *media, struct leat_str schema)
{
    begin(w, media);
    leat_json_key(w, LEAT_STR("schema"));
    leat_json_raw(w, schema);
    leat_json_end_object(w);
}

static void put_response(struct leat_json_writer *w, const struct response *r)
{
    struct leat_str schema = r->schema != NULL ? leat_str_of(r->schema) : LEAT_STR("{}");
    static const struct leat_str problem = {"{\"$ref\":\"#/components/schemas/Problem\"}",
                                            sizeof("{\"$ref\":\"#/components/schemas/Problem\"}") -
                                                1};
    begin(w, r->status);
    leat_json_put_cstr(w, "description", r->description);
    if (r->reads_model)
        put_response_headers(w);
    if (r->media != NULL) {
        begin(w, "content");
        put_media(w, r->media, strcmp(r->media, PROBLEM) == 0 ? problem : schema);
        if (strcmp(r->media, REGISTRY) == 0 && r->schema == NULL && strcmp(r->status, "200") != 0)
            put_media(w, PROBLEM, problem); /* of what is no matter of the registry */
        leat_json_end_object(w);
    }
    leat_json_end_object(w);
}

static const char *media_of(const char *pattern)
{
    bool registry = strncmp(pattern, "/subjects", 9) == 0 || strncmp(pattern, "/schemas", 8) == 0 ||
                    strcmp(pattern, "/mode") == 0;
    return strcmp(pattern, "/metrics") == 0              ? "text/plain"
           : strcmp(pattern, "/v1/changes/{model}") == 0 ? "text/event-stream"
           : registry                                    ? REGISTRY
                                                         : "application/json";
}

static void put_command_responses(struct leat_json_writer *w)
{
    static const struct response all[] = {
        {"200", "Done, with its events and their position", "application/json", NULL, false},
        {"202", "Sent; its outcome will be at Location", "application/json", NULL, false},
        {"413", "The body is too large", PROBLEM, NULL, false},
        {"422", "Rejected, with the handler's code; or the key is in use", PROBLEM, NULL, false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        put_response(w, &all[i]);
}

/* Of reads of a model, beside their 200. */
static void put_read_responses(struct leat_json_writer *w, bool tagged)
{
    static const struct response all[] = {
        {"304", "Still what the asker has", NULL, NULL, true},
        {"404", "There is no such row, model or query", PROBLEM, NULL, false},
        {"410", "at_least is of another store, or the cursor of a version that is gone", PROBLEM,
         NULL, false},
        {"412", "at_least is not reached, and wait=0", PROBLEM, NULL, false},
        {"504", "at_least was not reached in time", PROBLEM, NULL, false}};
    for (size_t i = tagged ? 0 : 1; i < sizeof all / sizeof *all; i++)
        put_response(w, &all[i]);
}

static void put_responses(struct leat_json_writer *w, const struct leat_route *r)
{
    struct leat_openapi_answers a = leat_openapi_answers(r);
    begin(w, "responses");
    if (r->handle == leat_route_post_command) {
        put_command_responses(w);
    } else {
        put_response(
            w, &(struct response){"200", "The answer", media_of(r->pattern), a.ok, a.reads_model});
    }
    if (r->handle == leat_route_hurry || r->handle == leat_route_cancel)
        put_response(w,
                     &(struct response){"409", "Not possible as it stands", PROBLEM, NULL, false});
    if (a.reads_model || a.body != NULL)
        put_read_responses(w, a.tagged);
    bool registry = strcmp(media_of(r->pattern), REGISTRY) == 0; /* errors in its own form */
    const struct response all[] = {
        {"400", "A parameter or the body does not fit", NULL, NULL, false},
        {"503", "Not now: the store, Kafka or the model is not ready", NULL, NULL, false},
        {"default", "What is wrong", NULL, NULL, false}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct response one = all[i];
        one.media = registry ? REGISTRY : PROBLEM;
        put_response(w, &one);
    }
    leat_json_end_object(w);
}

static void put_body(struct leat_json_writer *w, const char *schema)
{
    begin(w, "requestBody");
    leat_json_put_bool(w, "required", true);
    begin(w, "content");
    begin(w, "application/json");
    leat_json_key(w, LEAT_STR("schema"));
    leat_json_raw(w, schema != NULL ? leat_str_of(schema) : LEAT_STR("{\"type\":\"object\"}"));
    leat_json_end_object(w);
    leat_json_end_object(w);
    leat_json_end_object(w);
}

/* ---- paths ---- */

static void put_operation(const struct leat_topology *t, const struct leat_route *r,
                          struct leat_json_writer *w)
{
    bool command = r->handle == leat_route_post_command;
    struct leat_openapi_answers a = leat_openapi_answers(r);
    begin(w, strcmp(r->method, "POST") == 0     ? "post"
             : strcmp(r->method, "DELETE") == 0 ? "delete"
                                                : "get");
    leat_json_put_cstr(w, "summary", r->summary);
    leat_json_key(w, LEAT_STR("parameters"));
    leat_json_begin_array(w);
    put_path_parameters(t, r, w);
    if (command)
        put_command_headers(w);
    if (a.reads_model || a.body != NULL)
        put_read_headers(w, a.tagged);
    if (r->params != NULL)
        put_query_list(w, r->params, (struct leat_names){NULL, 0});
    leat_json_end_array(w);
    if (command || r->handle == leat_route_redrive || r->handle == leat_route_drop ||
        a.body != NULL)
        put_body(w, a.body);
    put_responses(w, r);
    leat_json_end_object(w);
}

static void put_path(const char *pattern, struct leat_json_writer *w)
{
    char text[128];
    size_t n = 0;
    for (; *pattern != 0 && n + 1 < sizeof text; pattern++) {
        if (*pattern != '*')
            text[n++] = *pattern;
    }
    leat_json_key(w, (struct leat_str){text, (uint32_t)n});
    leat_json_begin_object(w);
}

static void put_routes(const struct leat_topology *t, struct leat_json_writer *w)
{
    for (size_t i = 0; i < leat_route_count;) {
        const char *pattern = leat_routes[i].pattern;
        if (leat_routes[i].handle == leat_route_query) { /* each has a path of its own */
            i++;
            continue;
        }
        put_path(pattern, w);
        for (; i < leat_route_count && strcmp(leat_routes[i].pattern, pattern) == 0; i++)
            put_operation(t, &leat_routes[i], w);
        leat_json_end_object(w);
    }
}

static const struct leat_route *query_route(void)
{
    size_t i = 0;
    while (leat_routes[i].handle != leat_route_query)
        i++;
    return &leat_routes[i];
}

static void put_named_query(const struct leat_query *q, struct leat_json_writer *w)
{
    struct leat_arena *arena = leat_arena_new(512, 0);
    leat_json_key(w, leat_str_of(leat_arena_printf(arena, "/v1/queries/%s", q->name.at)));
    leat_json_begin_object(w);
    begin(w, "get");
    leat_json_put_cstr(w, "summary",
                       leat_arena_printf(arena, "%s of the model %s%s%s.",
                                         leat_query_is_row(q) ? "A row" : "Rows", q->model->name.at,
                                         q->index != NULL ? " by its index " : "",
                                         q->index != NULL ? q->index->name.at : ""));
    leat_json_key(w, LEAT_STR("parameters"));
    leat_json_begin_array(w);
    put_query_list(w, leat_arena_printf(arena, "%s,at_least,wait", leat_query_params(q, arena)),
                   leat_query_needs(q));
    put_read_headers(w, true);
    leat_json_end_array(w);
    put_responses(w, query_route());
    leat_json_end_object(w);
    leat_json_end_object(w);
    leat_arena_free(arena);
}

void leat_openapi(const struct leat_topology *t, struct leat_buf *out)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_cstr(&w, "openapi", "3.1.0");
    begin(&w, "info");
    leat_json_put_str(&w, "title", t->name);
    leat_json_put_cstr(&w, "version", "1");
    leat_json_end_object(&w);
    begin(&w, "paths");
    put_routes(t, &w);
    for (uint32_t i = 0; i < t->n_queries; i++)
        put_named_query(&t->queries[i], &w);
    leat_json_end_object(&w);
    begin(&w, "components");
    begin(&w, "schemas");
    leat_openapi_schemas(&w);
    leat_json_end_object(&w);
    leat_json_end_object(&w);
    leat_json_end_object(&w);
}
