/* json_number.h - which JSON numbers stand for which Avro numbers. Private to codec. */
#ifndef LEAT_CODEC_JSON_NUMBER_H
#define LEAT_CODEC_JSON_NUMBER_H

#include "base/json.h"

/* Whole numbers, also when written as 1e3 or 5.0 and exact in a double. */
static inline bool leat_json_integral(const struct leat_json_token *t, int64_t *ret)
{
    const double exact = 9007199254740992.0; /* 2^53 */
    if (t->kind == LEAT_JSON_INT) {
        *ret = t->integer;
        return true;
    }
    if (t->kind != LEAT_JSON_DOUBLE || t->number < -exact || t->number > exact ||
        (double)(int64_t)t->number != t->number)
        return false;
    *ret = (int64_t)t->number;
    return true;
}

static inline bool leat_json_real(const struct leat_json_token *t, double *ret)
{
    if (t->kind != LEAT_JSON_INT && t->kind != LEAT_JSON_DOUBLE)
        return false;
    *ret = t->kind == LEAT_JSON_INT ? (double)t->integer : t->number;
    return true;
}

#endif
