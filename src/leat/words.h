/* words.h - varints, and short text that is copied and seen to be ASCII, eight bytes and more at a
 * time. For wire.h and the codec; nothing here is checked but what is said. */
#ifndef LEAT_WORDS_H
#define LEAT_WORDS_H

#include <stdint.h>
#include <string.h>

#define LEAT_VARINT_BYTES_MAX 10
#define LEAT_HIGH_BITS        UINT64_C(0x8080808080808080)

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

#endif
