#include "codec/wire.h"

#include "codec/nodes.h"

bool leat_wire_long_slow(struct leat_wire_in *in, int64_t *ret)
{
    uint64_t v = 0;
    const uint8_t *p = in->at;
    for (int shift = 0; shift < 70; shift += 7) {
        if (p == in->end)
            return false;
        uint64_t b = *p++;
        if (shift == 63 && b > 1)
            return false;
        v |= (b & 0x7f) << shift;
        if (b < 0x80) {
            in->at = p;
            *ret = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
            return true;
        }
    }
    return false;
}

bool leat_wire_block(struct leat_wire_in *in, uint32_t bytes_min, uint32_t *ret_count,
                     int64_t *ret_bytes)
{
    int64_t count = 0;
    int64_t bytes = -1;
    if (!leat_wire_long(in, &count) || count == INT64_MIN)
        return false;
    if (count < 0) {
        count = -count;
        if (!leat_wire_long(in, &bytes) || bytes < 0 || (uint64_t)bytes > leat_wire_left(in))
            return false;
    }
    if ((uint64_t)count > leat_wire_left(in) / bytes_min)
        return false;
    *ret_count = (uint32_t)count;
    *ret_bytes = bytes;
    return true;
}

/* Room is taken from the buffer, and given back as spare capacity: `at` stays the end of what is
 * written until leat_wire_out_done(). */
bool leat_wire_grow(struct leat_wire_out *out, size_t len)
{
    struct leat_buf *b = out->buf;
    leat_wire_out_done(out);
    size_t used = b->len;
    if (leat_buf_reserve(b, len) == NULL)
        return false;
    b->len = used;
    out->at = (uint8_t *)b->at + used;
    out->end = (uint8_t *)b->at + b->cap;
    return true;
}

/* Near the end of the room only the bytes really needed are asked for. */
bool leat_wire_add_long_slow(struct leat_wire_out *out, int64_t value)
{
    uint8_t bytes[LEAT_VARINT_BYTES_MAX];
    size_t len = (size_t)(leat_wire_put_long(bytes, value) - bytes);
    return leat_wire_add_raw(out, bytes, len);
}
