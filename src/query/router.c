#include <stdio.h>
#include <string.h>

#include "query/filters.h"
#include "query/http.h"
#include "query/routes_operators.h"

#define PATTERN_PARTS_MAX LEAT_SEGMENTS_MAX

/* Of two patterns that fit an address, the one that stands first is meant. */
/* clang-format off */
const struct leat_route leat_routes[] = {
    {"POST", "/v1/commands/{command}", leat_route_post_command, LEAT_NEEDS_SEND, "priority",
     "Send a command of this type. Idempotency-Key is its id; Prefer: wait=5 waits for its end."},
    {"GET", "/v1/commands/{command}", leat_route_get_command, LEAT_NEEDS_CALLER, "",
     "What became of the command with this id."},
    {"GET", "/v1/models/{model}", leat_route_list_rows, LEAT_NEEDS_CALLER,
     "index,from,to,prefix,order,where,fields,limit,cursor,keys,at_least,wait",
     "Rows of a read model by key or by an index, page by page; or those of some keys."},
    {"POST", "/v1/models/{model}", leat_route_get_rows, LEAT_NEEDS_CALLER, "",
     "Rows of as many keys as the body names: {\"keys\": [...]}."},
    {"GET", "/v1/models/{model}/{key*}", leat_route_get_row, LEAT_NEEDS_CALLER,
     "fields,at_least,wait",
     "One row of a read model."},
    {"GET", "/v1/count/{model}", leat_route_count_rows, LEAT_NEEDS_CALLER,
     "index,from,to,prefix,where,at_least,wait",
     "How many rows there are, in a range and with a filter."},
    {"GET", "/v1/aggregate/{model}", leat_route_sum_rows, LEAT_NEEDS_CALLER,
     "group,values,order,limit,index,from,to,prefix,where,at_least,wait",
     "Rows in groups: count, sum, min, max and avg of fields."},
    {"GET", "/v1/top/{model}", leat_route_top_rows, LEAT_NEEDS_CALLER,
     "by,limit,index,from,to,prefix,where,fields,at_least,wait",
     "The first rows in the order of any fields."},
    {"GET", "/v1/changes/{model}", leat_route_changes, LEAT_NEEDS_CALLER, "after,fields",
     "Rows as they change, as server-sent events; Last-Event-ID goes on where a stream ended."},
    {"POST", "/v1/batch", leat_route_batch, LEAT_NEEDS_CALLER, "",
     "Several questions in one request, of each model one snapshot."},
    {"GET", "/v1/queries/{name}", leat_route_query, LEAT_NEEDS_CALLER, NULL,
     "A named query of the topology."},
    {"GET", "/v1/streams/{id*}", leat_route_get_stream, LEAT_NEEDS_STREAMS, "after,limit",
     "Events of one stream in order, with their payloads as JSON."},
    {"GET", "/v1/retries", leat_route_list_waiting, LEAT_NEEDS_OPERATE,
     LEAT_WAITER_FILTERS ",limit,cursor",
     "What waits for another try, its turn or its time: a histogram and rows by due time."},
    {"GET", "/v1/retries/{id}", leat_route_get_waiting, LEAT_NEEDS_OPERATE, "processor",
     "One message that waits, with its headers and value."},
    {"DELETE", "/v1/retries/{id}", leat_route_cancel, LEAT_NEEDS_OPERATE, "processor",
     "Waits no more: a scheduled command is not sent, anything else becomes a dead letter."},
    {"POST", "/v1/retries/{id}/now", leat_route_hurry, LEAT_NEEDS_OPERATE,
     "processor", "Due at once."},
    {"GET", "/v1/dlq", leat_route_list_dead, LEAT_NEEDS_OPERATE, LEAT_DEAD_FILTERS ",limit,cursor",
     "Dead letters: a histogram and rows, the newest first."},
    {"POST", "/v1/dlq/redrive", leat_route_redrive, LEAT_NEEDS_OPERATE, "",
     "Another chance for those of the body's ids or filters; dry_run only counts."},
    {"POST", "/v1/dlq/drop", leat_route_drop, LEAT_NEEDS_OPERATE, "",
     "Gives up those of the body's ids or filters, with a reason; dry_run only counts."},
    {"GET", "/v1/dlq/{id}", leat_route_get_dead, LEAT_NEEDS_OPERATE, "processor",
     "One dead letter with its headers and value."},
    {"GET", "/healthz", leat_route_health, LEAT_NEEDS_NOTHING, "", "The process runs."},
    {"GET", "/readyz", leat_route_ready, LEAT_NEEDS_NOTHING,
     "", "The process can do its work; 503 says why not."},
    {"GET", "/metrics", leat_route_metrics, LEAT_NEEDS_OPERATE, "", "Figures for Prometheus."},
    {"GET", "/openapi.json", leat_route_openapi, LEAT_NEEDS_CALLER, "", "This interface."},
    {"GET", "/schemas/ids/{id}", leat_route_schema, LEAT_NEEDS_CALLER, "subject,fetchMaxId,format",
     "A schema by its id, in the Confluent registry's form."},
    {"GET", "/schemas/ids/{id}/schema", leat_route_schema_text, LEAT_NEEDS_CALLER, "subject,format",
     "The text of a schema alone."},
    {"GET", "/schemas/ids/{id}/versions", leat_route_schema_versions, LEAT_NEEDS_CALLER,
     "subject,deleted",
     "The subject and version that have an id."},
    {"GET", "/schemas/types", leat_route_schema_types, LEAT_NEEDS_CALLER,
     "", "What the schemas are: Avro."},
    {"GET", "/mode", leat_route_registry_mode, LEAT_NEEDS_CALLER,
     "", "What the registry lets one do: read."},
    {"GET", "/subjects", leat_route_subjects, LEAT_NEEDS_CALLER, "subjectPrefix,deleted",
     "Names under which schemas are registered."},
    {"GET", "/subjects/{subject}/versions", leat_route_versions, LEAT_NEEDS_CALLER, "deleted",
     "Versions of a subject."},
    {"GET", "/subjects/{subject}/versions/{version}", leat_route_version, LEAT_NEEDS_CALLER,
     "deleted,format",
     "One version of a subject; 'latest' is the newest."},
    {"GET", "/subjects/{subject}/versions/{version}/schema", leat_route_version_text,
     LEAT_NEEDS_CALLER, "deleted",
     "The text of one version alone."},
};
/* clang-format on */
const size_t leat_route_count = sizeof leat_routes / sizeof *leat_routes;

bool leat_pattern_next(const char **at, struct leat_str *ret)
{
    if (**at != '/')
        return false;
    const char *start = *at + 1;
    size_t n = (size_t)(strchrnul(start, '/') - start);
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

/* Most patterns differ from an address in its first parts: no more of them is looked at. */
static bool takes_literal(const char **pattern, struct leat_str segment)
{
    const char *start = *pattern + 1;
    if (strncmp(start, segment.at, segment.len) != 0)
        return false;
    *pattern = start + segment.len;
    return segment.len > 0 && (**pattern == '/' || **pattern == 0);
}

static bool matches(const char *pattern, const struct leat_target *t)
{
    struct leat_str part;
    uint32_t i = 0;
    for (; *pattern != 0; i++) {
        if (i >= t->n_segments)
            return false;
        if (pattern[1] != '{') {
            if (!takes_literal(&pattern, t->segments[i]))
                return false;
        } else if (leat_pattern_next(&pattern, &part) && takes_rest(part)) {
            return t->tails[i].len > 0;
        } else if (t->segments[i].len == 0) {
            return false;
        }
    }
    return i == t->n_segments;
}

const struct leat_route *leat_route_find(const char *method, const struct leat_target *t,
                                         char ret_methods[64])
{
    ret_methods[0] = 0;
    const char *wanted = strcmp(method, "HEAD") == 0 ? "GET" : method;
    const char *pattern = NULL; /* the first that fits: no other one may answer for it */
    for (size_t i = 0; i < leat_route_count; i++) {
        const struct leat_route *r = &leat_routes[i];
        if (pattern != NULL ? strcmp(r->pattern, pattern) != 0 : !matches(r->pattern, t))
            continue;
        pattern = r->pattern;
        if (strcmp(r->method, wanted) == 0)
            return r;
        size_t n = strlen(ret_methods);
        (void)snprintf(ret_methods + n, 64 - n, "%s%s", r->method,
                       strcmp(r->method, "GET") == 0 ? ", HEAD, " : ", ");
    }
    if (ret_methods[0] != 0)
        (void)snprintf(ret_methods + strlen(ret_methods), 64 - strlen(ret_methods), "OPTIONS");
    return NULL;
}

struct leat_str leat_route_value(const struct leat_request *rq, const char *name)
{
    const char *pattern = rq->route->pattern;
    size_t len = strlen(name);
    struct leat_str part;
    for (uint32_t i = 0; leat_pattern_next(&pattern, &part); i++) {
        if (is_variable(part) && part.len > len + 1 && strncmp(part.at + 1, name, len) == 0)
            return takes_rest(part) ? rq->target.tails[i] : rq->target.segments[i];
    }
    return (struct leat_str){"", 0};
}
