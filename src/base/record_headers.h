/* record_headers.h - Kafka record headers as one run of bytes, for the outbox and for dead letters.
 * Form: per header u16 name length, name, i32 value length (-1 = null), value; big-endian. Pure. */
#ifndef LEAT_BASE_RECORD_HEADERS_H
#define LEAT_BASE_RECORD_HEADERS_H

#include <stdbool.h>

#include "base/buf.h"
#include "leat/str.h"

void leat_headers_put(struct leat_buf *out, struct leat_str name, struct leat_str value);
void leat_headers_put_null(struct leat_buf *out, struct leat_str name);

struct leat_headers_iter {
    struct leat_str rest;
};
/* False at the end, or when the bytes are malformed (then iter->rest is not empty). */
bool leat_headers_next(struct leat_headers_iter *iter, struct leat_str *ret_name,
                       struct leat_str *ret_value, bool *ret_null);
bool leat_headers_find(struct leat_str packed, struct leat_str name, struct leat_str *ret_value);

#endif
