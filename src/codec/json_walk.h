/* json_walk.h - the two steps every walk over JSON text here is made of. Private to codec. */
#ifndef LEAT_CODEC_JSON_WALK_H
#define LEAT_CODEC_JSON_WALK_H

#include "base/json.h"

/* After ARRAY_BEGIN: the text of the next item; *ret_more is false at the array's end. */
LEAT_MUST_CHECK static inline leat_status leat_json_item(struct leat_json_reader *r,
                                                         struct leat_str *ret_raw, bool *ret_more,
                                                         struct leat_error *err)
{
    struct leat_json_reader before = *r;
    struct leat_json_token t;
    leat_status st = leat_json_next(r, &t, err);
    if (st != LEAT_OK)
        return st;
    *ret_more = t.kind != LEAT_JSON_ARRAY_END;
    if (!*ret_more)
        return LEAT_OK;
    *r = before;
    return leat_json_skip(r, ret_raw, err);
}

/* After OBJECT_BEGIN: key and text of the next member; *ret_more is false at the object's end. */
LEAT_MUST_CHECK static inline leat_status leat_json_member(struct leat_json_reader *r,
                                                           struct leat_json_token *ret_key,
                                                           struct leat_str *ret_raw, bool *ret_more,
                                                           struct leat_error *err)
{
    struct leat_json_token t;
    leat_status st = leat_json_next(r, &t, err);
    if (st != LEAT_OK)
        return st;
    *ret_more = t.kind == LEAT_JSON_KEY;
    if (!*ret_more)
        return LEAT_OK;
    *ret_key = t;
    return leat_json_skip(r, ret_raw, err);
}

#endif
