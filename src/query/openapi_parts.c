#include "query/openapi_parts.h"

#define TEXT      "{\"type\":\"string\"}"
#define ROWS      "{\"type\":\"array\",\"items\":{\"$ref\":\"#/components/schemas/Row\"}}"
#define REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define TEXTS_OR_TEXT                                                                              \
    "{\"oneOf\":[{\"type\":\"string\"},{\"type\":\"array\",\"items\":{\"type\":\"string\"}}]}"

static const struct leat_openapi_param known[] = {
    {"index", TEXT, "Name of an index of the model: its order and ranges instead of the key's."},
    {"from", TEXT, "First key, or values of the index's leading columns with commas."},
    {"to", TEXT, "Last key or values; rows that start with them belong to the range."},
    {"prefix", TEXT, "Beginning of the key, or leading values of which the last may go on."},
    {"order", TEXT, "asc or desc; of groups: a field or value, '-' for the greatest first."},
    {"where", TEXT,
     "Tests with commas, all must hold: field=a|b, !=, <, <=, >, >=, ^= (starts), *= (contains)."},
    {"fields", TEXT, "Fields to show, with commas; the key comes always."},
    {"limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":10000}", "Rows at most."},
    {"after", "{\"type\":\"string\"}", "Go on behind this."},
    {"cursor", TEXT, "The cursor of a former answer to the same question: what follows."},
    {"keys", TEXT, "Keys with commas ('\"a,b\"' for one with a comma): these rows."},
    {"group", TEXT, "Fields with commas, at most 4: a group per combination."},
    {"values", TEXT, "count, sum(f), min(f), max(f), avg(f), with commas."},
    {"by", TEXT, "Fields with commas, '-' before one: the greatest first."},
    {"at_least", TEXT, "A Leat-Position (several with ';'): waits until the model has it."},
    {"wait", "{\"type\":\"integer\",\"minimum\":0,\"maximum\":60}",
     "Seconds to wait for at_least at most; 0: 412 at once."},
};

struct leat_openapi_param leat_openapi_param(struct leat_str name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (leat_str_eq(name, leat_str_of(known[i].name)))
            return known[i];
    }
    return (struct leat_openapi_param){NULL, TEXT, NULL};
}

static const struct {
    leat_route_handler handle;
    struct leat_openapi_answers answers;
} routes[] = {
    {leat_route_get_row, {REF("Row"), NULL, true, true}},
    {leat_route_list_rows, {"{\"anyOf\":[" REF("Rows") "," REF("Found") "]}", NULL, true, true}},
    {leat_route_get_rows, {REF("Found"), REF("Keys"), true, false}},
    {leat_route_count_rows, {REF("Count"), NULL, true, true}},
    {leat_route_sum_rows, {REF("Groups"), NULL, true, true}},
    {leat_route_top_rows, {REF("Top"), NULL, true, true}},
    {leat_route_query, {"{\"anyOf\":[" REF("Rows") "," REF("Row") "]}", NULL, true, true}},
    {leat_route_changes, {NULL, NULL, false, false}},
    {leat_route_batch, {REF("Answers"), REF("Batch"), false, false}},
};

struct leat_openapi_answers leat_openapi_answers(const struct leat_route *r)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        if (routes[i].handle == r->handle)
            return routes[i].answers;
    }
    return (struct leat_openapi_answers){NULL, NULL, false, false};
}

static const struct {
    const char *name, *json;
} schemas[] = {
    {"Problem", "{\"type\":\"object\",\"required\":[\"type\",\"title\",\"status\",\"detail\","
                "\"correlation_id\"],\"properties\":{\"type\":" TEXT ",\"title\":" TEXT
                ",\"status\":{\"type\":\"integer\"},\"detail\":" TEXT ",\"code\":" TEXT
                ",\"hint\":" TEXT ",\"correlation_id\":" TEXT "}}"},
    {"Row", "{\"type\":\"object\",\"description\":\"A row: its key (`key`, or `_key` beside a "
            "field of that name) and its fields.\"}"},
    {"Rows", "{\"type\":\"object\",\"required\":[\"rows\",\"cursor\"],\"properties\":{"
             "\"rows\":" ROWS ",\"cursor\":{\"type\":[\"string\",\"null\"]}}}"},
    {"Found", "{\"type\":\"object\",\"required\":[\"rows\",\"missing\"],\"properties\":{"
              "\"rows\":" ROWS ",\"missing\":{\"type\":\"array\",\"items\":" TEXT "}}}"},
    {"Top", "{\"type\":\"object\",\"required\":[\"rows\"],\"properties\":{\"rows\":" ROWS "}}"},
    {"Count", "{\"type\":\"object\",\"required\":[\"count\"],\"properties\":{"
              "\"count\":{\"type\":\"integer\",\"minimum\":0}}}"},
    {"Groups",
     "{\"type\":\"object\",\"required\":[\"groups\",\"rows\",\"more\"],\"properties\":{"
     "\"groups\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"key\","
     "\"count\"],\"properties\":{\"key\":{\"type\":\"object\"},\"count\":{\"type\":\"integer\"},"
     "\"sum\":{\"type\":\"object\"},\"min\":{\"type\":\"object\"},\"max\":{\"type\":\"object\"},"
     "\"avg\":{\"type\":\"object\"}}}},\"rows\":{\"type\":\"integer\"},\"more\":{\"type\":"
     "\"boolean\"}}}"},
    {"Keys", "{\"type\":\"object\",\"required\":[\"keys\"],\"additionalProperties\":false,"
             "\"properties\":{\"keys\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":1000,"
             "\"items\":{\"type\":\"string\",\"minLength\":1}},\"fields\":" TEXTS_OR_TEXT
             ",\"at_least\":" TEXT "}}"},
    {"Read", "{\"type\":\"object\",\"required\":[\"read\"],\"properties\":{\"read\":{\"enum\":["
             "\"row\",\"rows\",\"list\",\"count\",\"aggregate\",\"top\",\"query\"]},\"model\":" TEXT
             ",\"name\":" TEXT ",\"key\":" TEXT ",\"keys\":{\"type\":\"array\",\"items\":" TEXT
             "},\"params\":{\"type\":\"object\"},\"fields\":" TEXTS_OR_TEXT "}}"},
    {"Batch", "{\"type\":\"object\",\"required\":[\"reads\"],\"additionalProperties\":false,"
              "\"properties\":{\"reads\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":50,"
              "\"items\":" REF("Read") "},\"at_least\":" TEXT "}}"},
    {"Answers",
     "{\"type\":\"object\",\"required\":[\"models\",\"answers\"],\"properties\":{\"models\":{"
     "\"type\":\"object\",\"additionalProperties\":{\"type\":\"object\",\"required\":["
     "\"position\",\"version\"],\"properties\":{\"position\":" TEXT
     ",\"age_ms\":{\"type\":\"integer\"},\"version\":" TEXT "}}},\"answers\":{\"type\":\"array\","
     "\"items\":{\"type\":\"object\",\"required\":[\"status\"],\"properties\":{\"status\":{"
     "\"type\":\"integer\"},\"body\":{\"type\":\"object\"},\"detail\":" TEXT ",\"hint\":" TEXT
     "}}}}}"},
};

void leat_openapi_schemas(struct leat_json_writer *w)
{
    for (size_t i = 0; i < sizeof schemas / sizeof *schemas; i++) {
        leat_json_key(w, leat_str_of(schemas[i].name));
        leat_json_raw(w, leat_str_of(schemas[i].json));
    }
}
