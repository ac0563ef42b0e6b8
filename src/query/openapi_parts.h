/* openapi_parts.h - the fixed texts of /openapi.json: what parameters and answers look like. */
#ifndef LEAT_QUERY_OPENAPI_PARTS_H
#define LEAT_QUERY_OPENAPI_PARTS_H

#include "query/http.h"

struct leat_openapi_param {
    const char *name, *schema, *description; /* schema: JSON */
};
/* A text without further description when it is none of ours. */
struct leat_openapi_param leat_openapi_param(struct leat_str name);

struct leat_openapi_answers {
    const char *ok;   /* JSON: schema of a 200's body; NULL: anything */
    const char *body; /* JSON: schema of the request's; NULL: none, or a command's */
    bool reads_model; /* with the headers of such answers */
    bool tagged;      /* 304 too */
};
struct leat_openapi_answers leat_openapi_answers(const struct leat_route *r);
/* Members of components.schemas. */
void leat_openapi_schemas(struct leat_json_writer *w);

#endif
