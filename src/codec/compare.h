/* compare.h - may what one schema wrote be read with another? Every reason why not, with the path
 * to it. Pure; for people: a plan (codec.h) stops at the first reason. */
#ifndef LEAT_CODEC_COMPARE_H
#define LEAT_CODEC_COMPARE_H

#include "codec/codec.h"

struct leat_compare_finding {
    const char *path;   /* "lines[].price", "" at the top; until the call returns */
    const char *reason; /* "long can't be read as int" */
    bool sometimes;     /* only for some values: an enum's symbol, a branch of a union, null */
};

typedef void (*leat_compare_found)(void *arg, const struct leat_compare_finding *f);

/* Calls `found` for each reason (NULL allowed); how many there are. `sometimes` ones count. */
size_t leat_schema_compare(const struct leat_schema *writer, const struct leat_schema *reader,
                           leat_compare_found found, void *arg);

/* INVALID with the first reason and its path. Stricter by one rule: records, enums and fixed types
 * must have the same name or an alias, as other readers of the topic want it; leat
 * itself does not. */
LEAT_MUST_CHECK leat_status leat_schema_reads(const struct leat_schema *reader,
                                              const struct leat_schema *writer,
                                              struct leat_error *err);

#endif
