/* wire.h - Avro's binary primitives over a bounded run of bytes. Private to codec, hot path. */
#ifndef LEAT_CODEC_WIRE_H
#define LEAT_CODEC_WIRE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/utf8.h"
#include "leat/str.h"

#define LEAT_VARINT_BYTES_MAX 10

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

#define LEAT_HIGH_BITS UINT64_C(0x8080808080808080)

static inline uint64_t leat_wire_word(const void *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

static inline uint64_t leat_wire_half(const void *at)
{
    uint32_t half;
    memcpy(&half, at, sizeof half);
    return half;
}

typedef uint64_t leat_wire_pair __attribute__((vector_size(16)));

static inline leat_wire_pair leat_wire_two(const void *at)
{
    leat_wire_pair pair;
    memcpy(&pair, at, sizeof pair);
    return pair;
}

/* The bytes ORed into words: ASCII has no high bit. What comes last overlaps what came before. */
static inline uint64_t leat_wire_or(const char *at, uint32_t len)
{
    if (len >= 16) {
        leat_wire_pair bits = leat_wire_two(at + len - 16);
        for (uint32_t i = 0; i + 16 < len; i += 16)
            bits |= leat_wire_two(at + i);
        return bits[0] | bits[1];
    }
    if (len >= 8)
        return leat_wire_word(at) | leat_wire_word(at + len - 8);
    if (len >= 4)
        return leat_wire_half(at) | leat_wire_half(at + len - 4);
    if (len == 0)
        return 0;
    return (uint64_t)(uint8_t)at[0] | (uint8_t)at[len / 2] | (uint8_t)at[len - 1];
}

/* Copies, and answers as leat_wire_or(): short text costs no call. */
static inline uint64_t leat_wire_copy_or(uint8_t *to, const char *from, uint32_t len)
{
    if (len >= 16) {
        leat_wire_pair last = leat_wire_two(from + len - 16);
        leat_wire_pair bits = last;
        for (uint32_t i = 0; i + 16 < len; i += 16) {
            leat_wire_pair pair = leat_wire_two(from + i);
            memcpy(to + i, &pair, sizeof pair);
            bits |= pair;
        }
        memcpy(to + len - 16, &last, sizeof last);
        return bits[0] | bits[1];
    }
    if (len >= 8) {
        uint64_t first = leat_wire_word(from);
        uint64_t last = leat_wire_word(from + len - 8);
        memcpy(to, &first, sizeof first);
        memcpy(to + len - 8, &last, sizeof last);
        return first | last;
    }
    if (len >= 4) {
        uint32_t first = (uint32_t)leat_wire_half(from);
        uint32_t last = (uint32_t)leat_wire_half(from + len - 4);
        memcpy(to, &first, sizeof first);
        memcpy(to + len - 4, &last, sizeof last);
        return (uint64_t)(first | last);
    }
    if (len == 0)
        return 0;
    uint8_t first = (uint8_t)from[0];
    uint8_t middle = (uint8_t)from[len / 2];
    uint8_t last = (uint8_t)from[len - 1];
    to[0] = first;
    to[len / 2] = middle;
    to[len - 1] = last;
    return (uint64_t)first | middle | last;
}

/* Text that is all ASCII is seen eight bytes at a time; the rest is checked in full. */
static inline bool leat_wire_utf8(struct leat_str s)
{
    return (leat_wire_or(s.at, s.len) & LEAT_HIGH_BITS) == 0 || leat_utf8_valid(s);
}

/* A varint of at most eight bytes out of eight that are there; 0 bytes: it is longer. */
static inline uint32_t leat_wire_varint8(const uint8_t *at, int64_t *ret)
{
    uint64_t w = leat_wire_word(at);
    uint64_t stop = ~w & LEAT_HIGH_BITS;
    if (stop == 0)
        return 0;
    uint32_t bytes = ((uint32_t)__builtin_ctzll(stop) + 1) / 8;
    w &= (stop ^ (stop - 1)) & ~LEAT_HIGH_BITS;
    w = (w & UINT64_C(0x007f007f007f007f)) | (w & UINT64_C(0x7f007f007f007f00)) >> 1;
    w = (w & UINT64_C(0x00003fff00003fff)) | (w & UINT64_C(0x3fff00003fff0000)) >> 2;
    w = (w & UINT64_C(0x000000000fffffff)) | (w & UINT64_C(0x0fffffff00000000)) >> 4;
    *ret = (int64_t)(w >> 1) ^ -(int64_t)(w & 1);
    return bytes;
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

/* Room for LEAT_VARINT_BYTES_MAX must be there: up to eight bytes are written at once. */
static inline uint8_t *leat_wire_put_long(uint8_t *at, int64_t value)
{
    uint64_t v = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    if (__builtin_expect(v < 0x80, 1)) {
        *at = (uint8_t)v;
        return at + 1;
    }
    if (v < UINT64_C(1) << 56) {
        uint32_t bytes = (70 - (uint32_t)__builtin_clzll(v)) / 7;
        v = (v & 0x0fffffff) | (v & UINT64_C(0x00fffffff0000000)) << 4;
        v = (v & UINT64_C(0x00003fff00003fff)) | (v & UINT64_C(0x0fffc0000fffc000)) << 2;
        v = (v & UINT64_C(0x007f007f007f007f)) | (v & UINT64_C(0x3f803f803f803f80)) << 1;
        v |= LEAT_HIGH_BITS & ((UINT64_C(1) << (8 * bytes - 1)) - 1);
        memcpy(at, &v, sizeof v);
        return at + bytes;
    }
    while (v >= 0x80) {
        *at++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *at++ = (uint8_t)v;
    return at;
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
