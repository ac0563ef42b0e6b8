#include "topology/keys.h"

#include "topology/topology.h"

#define NUM(s, name, type, struct_, field, min, max, def, flags, doc)                              \
    {LEAT_SECTION_##s,                                                                             \
     name,                                                                                         \
     LEAT_KEY_##type,                                                                              \
     offsetof(struct_, field),                                                                     \
     min,                                                                                          \
     max,                                                                                          \
     NULL,                                                                                         \
     def,                                                                                          \
     flags,                                                                                        \
     NULL,                                                                                         \
     doc},
#define TXT(s, name, type, struct_, field, allowed, def, flags, doc)                               \
    {LEAT_SECTION_##s,                                                                             \
     name,                                                                                         \
     LEAT_KEY_##type,                                                                              \
     offsetof(struct_, field),                                                                     \
     0,                                                                                            \
     0,                                                                                            \
     allowed,                                                                                      \
     def,                                                                                          \
     flags,                                                                                        \
     NULL,                                                                                         \
     doc},
#define OPS(name, kind, doc)                                                                       \
    {LEAT_SECTION_FROM, name, LEAT_KEY_OPS, 0, kind, 0, "field: value", NULL, 0, NULL, doc},
#define OWN(s, name, shape, load, def, flags, doc)                                                 \
    {LEAT_SECTION_##s, name, LEAT_KEY_OWN, 0, 0, 0, shape, def, flags, load, doc},

const struct leat_key leat_keys[] = {
#include "topology/keys.def"
};

const size_t leat_key_count = sizeof leat_keys / sizeof *leat_keys;

const struct leat_section_row leat_sections[LEAT_SECTION_COUNT] = {
    [LEAT_SECTION_ROOT] = {"the file", "Keys that begin with `x-` are ignored everywhere here."},
    [LEAT_SECTION_STORE] = {"store", NULL},
    [LEAT_SECTION_REDIS] = {"redis", "Needed only when it is not the default; used by projections "
                                     "with `store: redis`."},
    [LEAT_SECTION_PRIORITY] = {"priorities.<name>", "At most 16, in order of rank."},
    [LEAT_SECTION_TOPICS] = {"topics", NULL},
    [LEAT_SECTION_LIMITS] = {"limits", NULL},
    [LEAT_SECTION_AGGREGATE] = {"aggregates.<name>", NULL},
    [LEAT_SECTION_DEFAULTS] = {"defaults", NULL},
    [LEAT_SECTION_PROCESSOR] = {"processors.<name>", NULL},
    [LEAT_SECTION_RETRY] = {"processors.<name>.retry", NULL},
    [LEAT_SECTION_FLOOD] = {"processors.<name>.flood", NULL},
    [LEAT_SECTION_CALL] = {"processors.<name>.calls.<name>", NULL},
    [LEAT_SECTION_BREAKER] = {"processors.<name>.calls.<name>.breaker",
                              "At least one of `failures` and `rate`. While it is open, messages "
                              "that need the service pause their lane and count no attempt."},
    [LEAT_SECTION_SCALE] = {"processors.<name>.scale", NULL},
    [LEAT_SECTION_SOURCE] = {"sources.<name>", "Either `command` or `event`."},
    [LEAT_SECTION_ROUTE] = {"sources.<name>.command (routed)", "Either `header` or `field`."},
    [LEAT_SECTION_PROJECTION] =
        {"projections.<name>",
         "A row keyed by the aggregate's key may use any operation. A row keyed by anything else "
         "is fed by several partitions and may use only `add`, `min`, `max` and `collect`, and "
         "`set` of a part of its key."},
    [LEAT_SECTION_FROM] = {"projections.<name>.from.<Event>", NULL},
    [LEAT_SECTION_QUERY] = {"queries.<name>", NULL},
    [LEAT_SECTION_HTTP] = {"http", "Without `auth` only this machine is answered."},
    [LEAT_SECTION_HTTP_LIMITS] = {"http.limits", NULL},
    [LEAT_SECTION_AUTH] = {"http.auth", "`/healthz` and `/readyz` answer everybody."},
    [LEAT_SECTION_ROLE] =
        {"http.auth.roles.<name>",
         "A role may what it names, nothing else. Of several roles of a caller the "
         "first one in this list that names a model is the one it is read by."},
    [LEAT_SECTION_GRANT] = {"http.auth.roles.<name>.models.<name>", NULL},
    [LEAT_SECTION_ACCESS_KEY] = {"http.auth.keys.<name>",
                                 "Sent as `Authorization: Bearer <key>` or `X-API-Key: <key>`."},
    [LEAT_SECTION_JWT] = {"http.auth.jwt", "Sent as `Authorization: Bearer <token>`."},
};

const struct leat_key *leat_key_find(leat_section section, struct leat_str name)
{
    for (size_t i = 0; i < leat_key_count; i++) {
        if (leat_keys[i].section == section && leat_str_eq(name, leat_str_of(leat_keys[i].name)))
            return &leat_keys[i];
    }
    return NULL;
}
