/* wire.h - how generated code reads and writes plain values in Avro: what is well formed, all there
 * and usual. Each function answers the position after the value, or NULL: not a matter for here (a
 * number of more than eight bytes, text that is not ASCII, the last bytes of a body, what is
 * malformed or may not be written). The program's codec then handles that value from its start, and
 * says what is wrong; so nothing here decides what is valid. Included by generated headers. */
#ifndef LEAT_WIRE_H
#define LEAT_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "leat/str.h"
#include "leat/words.h"

/* Least room for a value but the bytes of its text: a branch, ten bytes, text copied by 16. */
#define LEAT_WRITE_ROOM 24

/* --- Reading: the value at `p` goes to `at`, its member in the struct. */

static inline const uint8_t *leat_read_long(const uint8_t *p, const uint8_t *end, void *at)
{
    int64_t v = 0;
    uint32_t bytes = 1;
    if (p == end)
        return NULL;
    if (__builtin_expect(*p < 0x80, 1)) {
        v = (int64_t)(*p >> 1) ^ -(int64_t)(*p & 1);
    } else if (end - p < 8 || (bytes = leat_wire_varint8(p, &v)) == 0) {
        return NULL;
    }
    memcpy(at, &v, sizeof v);
    return p + bytes;
}

static inline const uint8_t *leat_read_int(const uint8_t *p, const uint8_t *end, void *at)
{
    int64_t v = 0;
    p = leat_read_long(p, end, &v);
    int32_t narrow = (int32_t)v;
    memcpy(at, &narrow, sizeof narrow);
    return v == narrow ? p : NULL;
}

static inline const uint8_t *leat_read_enum(const uint8_t *p, const uint8_t *end, void *at,
                                            uint32_t symbols)
{
    int64_t v = 0;
    p = leat_read_long(p, end, &v);
    int32_t narrow = (int32_t)v;
    memcpy(at, &narrow, sizeof narrow);
    return (uint64_t)v < symbols ? p : NULL;
}

static inline const uint8_t *leat_read_bool(const uint8_t *p, const uint8_t *end, bool *at)
{
    if (p == end || *p > 1)
        return NULL;
    *at = *p == 1;
    return p + 1;
}

/* Of known size: float, double, fixed; little-endian like the wire, as every
 * machine leat runs on. */
static inline const uint8_t *leat_read_raw(const uint8_t *p, const uint8_t *end, void *at,
                                           uint32_t size)
{
    if ((size_t)(end - p) < size)
        return NULL;
    memcpy(at, p, size);
    return p + size;
}

static inline const uint8_t *leat_read_bytes(const uint8_t *p, const uint8_t *end, void *at)
{
    if (p == end)
        return NULL;
    uint32_t len = *p++;
    if ((len & 0x80) != 0) {
        if (p == end || *p >= 0x80)
            return NULL;
        len = (len & 0x7f) | (uint32_t)*p++ << 7;
    }
    struct leat_str s = {(const char *)p, len >> 1};
    if ((len & 1) != 0 || (ptrdiff_t)s.len > end - p)
        return NULL;
    memcpy(at, &s, sizeof s);
    return p + s.len;
}

static inline const uint8_t *leat_read_text(const uint8_t *p, const uint8_t *end, void *at)
{
    struct leat_str s;
    p = leat_read_bytes(p, end, &s);
    if (p == NULL || (leat_wire_or(s.at, s.len) & LEAT_HIGH_BITS) != 0)
        return NULL;
    memcpy(at, &s, sizeof s);
    return p;
}

/* The branch of a union with null. */
static inline const uint8_t *leat_read_has(const uint8_t *p, const uint8_t *end, bool *has,
                                           uint8_t null_branch)
{
    if (p == end || (*p & ~2) != 0)
        return NULL;
    *has = *p != null_branch * 2;
    return p + 1;
}

/* --- Writing: the value at `at` goes to `p`, where LEAT_WRITE_ROOM is. */

static inline uint8_t *leat_write_long(uint8_t *p, const void *at)
{
    int64_t v;
    memcpy(&v, at, sizeof v);
    return leat_wire_put_long(p, v);
}

static inline uint8_t *leat_write_int(uint8_t *p, const void *at)
{
    int32_t v;
    memcpy(&v, at, sizeof v);
    return leat_wire_put_long(p, v);
}

static inline uint8_t *leat_write_enum(uint8_t *p, const void *at, uint32_t symbols)
{
    int32_t v;
    memcpy(&v, at, sizeof v);
    return (uint32_t)v < symbols ? leat_wire_put_long(p, v) : NULL;
}

static inline uint8_t *leat_write_bool(uint8_t *p, const bool *at)
{
    *p = *at ? 1 : 0;
    return p + 1;
}

/* float, double. */
static inline uint8_t *leat_write_raw(uint8_t *p, const void *at, uint32_t size)
{
    memcpy(p, at, size);
    return p + size;
}

/* There is room for `limit - p` bytes of text, and for all other fields behind. */
static inline uint8_t *leat_write_bytes(uint8_t *p, const uint8_t *limit, const void *at)
{
    struct leat_str s;
    memcpy(&s, at, sizeof s);
    if (limit - p < (ptrdiff_t)s.len)
        return NULL;
    p = leat_wire_put_long(p, s.len);
    (void)leat_wire_copy_or(p, s.at, s.len);
    return p + s.len;
}

static inline uint8_t *leat_write_text(uint8_t *p, const uint8_t *limit, const void *at)
{
    struct leat_str s;
    memcpy(&s, at, sizeof s);
    if (limit - p < (ptrdiff_t)s.len)
        return NULL;
    p = leat_wire_put_long(p, s.len);
    return (leat_wire_copy_or(p, s.at, s.len) & LEAT_HIGH_BITS) != 0 ? NULL : p + s.len;
}

static inline uint8_t *leat_write_has(uint8_t *p, bool has, uint8_t null_branch)
{
    *p = (uint8_t)((has ? 1 - null_branch : null_branch) * 2);
    return p + 1;
}

/* --- The lines of a generated function, one per field; see leat_type.read and .write. `p` is the
 * position; a value that is not a matter for here ends the function, which is called again with
 * the field after it. */
#define LEAT_FIELD(index_, call_)                                                                  \
    case index_:                                                                                   \
        start = p;                                                                                 \
        p = (call_);                                                                               \
        if (__builtin_expect(p == NULL, 0)) {                                                      \
            *ret_at = start;                                                                       \
            return index_;                                                                         \
        }                                                                                          \
        __attribute__((fallthrough));
/* `branch_` reads or writes which branch of a union with null it is, and `has_` then tells. */
#define LEAT_FIELD_OR_NULL(index_, branch_, has_, call_)                                           \
    case index_:                                                                                   \
        start = p;                                                                                 \
        p = (branch_);                                                                             \
        if (p != NULL && (has_))                                                                   \
            p = (call_);                                                                           \
        if (__builtin_expect(p == NULL, 0)) {                                                      \
            *ret_at = start;                                                                       \
            return index_;                                                                         \
        }                                                                                          \
        __attribute__((fallthrough));
/* Records, arrays, maps, unions, decimals: the codec's. */
#define LEAT_FIELD_OTHER(index_)                                                                   \
    case index_:                                                                                   \
        *ret_at = p;                                                                               \
        return index_;

/* A type's function; NULL where the compiler does not optimise, as the codec is faster then. */
#ifdef __OPTIMIZE__
#define LEAT_OWN(fn_) (fn_)
#else
#define LEAT_OWN(fn_) NULL
#endif

#endif
