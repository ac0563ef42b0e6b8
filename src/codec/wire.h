/* wire.h - Avro's binary primitives over a bounded run of bytes. Private to codec, hot path. */
#ifndef LEAT_CODEC_WIRE_H
#define LEAT_CODEC_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "leat/str.h"
#include "leat/wire.h"

struct leat_wire_in {
    const uint8_t *start, *at, *end;
};

static inline struct leat_wire_in leat_wire_in_of(struct leat_str body)
{
    const uint8_t *p = (const uint8_t *)body.at;
    return (struct leat_wire_in){p, p, p + body.len};
}

static inline size_t leat_wire_left(const struct leat_wire_in *in)
{
    return (size_t)(in->end - in->at);
}

bool leat_wire_long_slow(struct leat_wire_in *in, int64_t *ret); /* wire.c */

static inline bool leat_wire_long(struct leat_wire_in *in, int64_t *ret)
{
    if (__builtin_expect(in->at < in->end && *in->at < 0x80, 1)) {
        uint32_t v = *in->at++;
        *ret = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
        return true;
    }
    return leat_wire_long_slow(in, ret);
}

/* A length that is there in full. */
static inline bool leat_wire_length(struct leat_wire_in *in, uint32_t *ret)
{
    int64_t len = 0;
    if (!leat_wire_long(in, &len) || len < 0 || (uint64_t)len > leat_wire_left(in))
        return false;
    *ret = (uint32_t)len;
    return true;
}

static inline bool leat_wire_bytes(struct leat_wire_in *in, struct leat_str *ret)
{
    uint32_t len = 0;
    if (!leat_wire_length(in, &len))
        return false;
    *ret = (struct leat_str){(const char *)in->at, len};
    in->at += len;
    return true;
}

/* Bytes of known size; little-endian like the wire, as every machine leat runs on. */
static inline bool leat_wire_raw(struct leat_wire_in *in, void *to, size_t len)
{
    if (leat_wire_left(in) < len)
        return false;
    memcpy(to, in->at, len);
    in->at += len;
    return true;
}

static inline bool leat_wire_bool(struct leat_wire_in *in, bool *ret)
{
    if (in->at == in->end || *in->at > 1)
        return false;
    *ret = *in->at++ == 1;
    return true;
}

/* Text that is all ASCII is seen eight bytes at a time; the rest is checked in full. */
static inline bool leat_wire_utf8(struct leat_str s)
{
    return (leat_wire_or(s.at, s.len) & LEAT_HIGH_BITS) == 0 || leat_utf8_valid(s);
}

/* A block count of an array or map: > 0 items, 0 at the end. The byte size that follows a negative
 * count is returned too (-1 when absent). `bytes_min`: least bytes of an item. */
bool leat_wire_block(struct leat_wire_in *in, uint32_t bytes_min, uint32_t *ret_count,
                     int64_t *ret_bytes);

/* --- Writing: room is taken in steps, then bytes go through a bare pointer. */
struct leat_wire_out {
    uint8_t *at, *end;
    struct leat_buf *buf;
    size_t start; /* length of the buffer when the value began */
};

bool leat_wire_grow(struct leat_wire_out *out, size_t len); /* wire.c */

static inline struct leat_wire_out leat_wire_out_of(struct leat_buf *buf)
{
    uint8_t *p = (uint8_t *)buf->at;
    return (struct leat_wire_out){p == NULL ? NULL : p + buf->len, p == NULL ? NULL : p + buf->cap,
                                  buf, buf->len};
}

/* False when the buffer's maximum does not allow it. */
static inline bool leat_wire_room(struct leat_wire_out *out, size_t len)
{
    return __builtin_expect((size_t)(out->end - out->at) >= len, 1) || leat_wire_grow(out, len);
}

static inline void leat_wire_out_done(struct leat_wire_out *out)
{
    if (out->at != NULL)
        out->buf->len = (size_t)(out->at - (uint8_t *)out->buf->at);
}

static inline void leat_wire_out_cancel(struct leat_wire_out *out)
{
    out->buf->len = out->start;
}

bool leat_wire_add_long_slow(struct leat_wire_out *out, int64_t value); /* wire.c */

static inline bool leat_wire_add_long(struct leat_wire_out *out, int64_t value)
{
    if (__builtin_expect(out->end - out->at < LEAT_VARINT_BYTES_MAX, 0))
        return leat_wire_add_long_slow(out, value);
    out->at = leat_wire_put_long(out->at, value);
    return true;
}

static inline bool leat_wire_add_raw(struct leat_wire_out *out, const void *bytes, size_t len)
{
    if (!leat_wire_room(out, len))
        return false;
    if (len > 0)
        memcpy(out->at, bytes, len);
    out->at += len;
    return true;
}

static inline bool leat_wire_add_bytes(struct leat_wire_out *out, struct leat_str s)
{
    return leat_wire_add_long(out, s.len) && leat_wire_add_raw(out, s.at, s.len);
}

#endif
