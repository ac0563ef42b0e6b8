/* codec_hand.h - the yardstick of bench_codec: the event's struct copied to and from bytes by hand,
 * with varints and bounds and nothing else: no check of UTF-8, no text of an error. */
#ifndef LEAT_TESTS_CODEC_HAND_H
#define LEAT_TESTS_CODEC_HAND_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "leat/str.h"

struct hand_event {
    struct leat_str order_id, customer, currency, sku;
    int32_t status; /* an enum of four */
    int32_t quantity;
    int64_t amount_cents, placed_at, paid_at;
    double weight;
    bool express, has_note;
    struct leat_str note;
};

static inline uint8_t *hand_put(uint8_t *p, int64_t value)
{
    uint64_t v = ((uint64_t)value << 1) ^ (uint64_t)(value >> 63);
    for (; v >= 0x80; v >>= 7)
        *p++ = (uint8_t)(v | 0x80);
    *p++ = (uint8_t)v;
    return p;
}

static inline uint8_t *hand_put_str(uint8_t *p, struct leat_str s)
{
    p = hand_put(p, s.len);
    memcpy(p, s.at, s.len);
    return p + s.len;
}

/* Bytes written, or 0 when there is not enough room. */
static size_t __attribute__((noinline))
hand_encode(const struct hand_event *e, uint8_t *out, size_t room)
{
    size_t text = (size_t)e->order_id.len + e->customer.len + e->currency.len + e->sku.len +
                  (e->has_note ? e->note.len : 0);
    if (room < text + 13 * 10)
        return 0;
    uint8_t *p = hand_put_str(out, e->order_id);
    p = hand_put_str(p, e->customer);
    p = hand_put_str(p, e->currency);
    p = hand_put_str(p, e->sku);
    p = hand_put(p, e->status);
    p = hand_put(p, e->quantity);
    p = hand_put(p, e->amount_cents);
    p = hand_put(p, e->placed_at);
    p = hand_put(p, e->paid_at);
    memcpy(p, &e->weight, sizeof e->weight);
    p += sizeof e->weight;
    *p++ = e->express;
    *p++ = e->has_note ? 2 : 0;
    if (e->has_note)
        p = hand_put_str(p, e->note);
    return (size_t)(p - out);
}

static inline const uint8_t *hand_get(const uint8_t *p, const uint8_t *end, int64_t *ret)
{
    uint64_t v = 0;
    for (int shift = 0; p < end && shift < 70; shift += 7) {
        uint8_t b = *p++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (b < 0x80) {
            *ret = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
            return p;
        }
    }
    return NULL;
}

static inline const uint8_t *hand_get_str(const uint8_t *p, const uint8_t *end,
                                          struct leat_str *ret)
{
    int64_t len = 0;
    p = hand_get(p, end, &len);
    if (p == NULL || len < 0 || len > end - p)
        return NULL;
    *ret = (struct leat_str){(const char *)p, (uint32_t)len};
    return p + len;
}

static inline const uint8_t *hand_get_int(const uint8_t *p, const uint8_t *end, int32_t *ret)
{
    int64_t v = 0;
    p = hand_get(p, end, &v);
    *ret = (int32_t)v;
    return v == *ret ? p : NULL;
}

static bool __attribute__((noinline))
hand_decode(struct hand_event *e, const uint8_t *p, const uint8_t *end)
{
    memset(e, 0, sizeof *e);
    if ((p = hand_get_str(p, end, &e->order_id)) == NULL ||
        (p = hand_get_str(p, end, &e->customer)) == NULL ||
        (p = hand_get_str(p, end, &e->currency)) == NULL ||
        (p = hand_get_str(p, end, &e->sku)) == NULL ||
        (p = hand_get_int(p, end, &e->status)) == NULL || e->status < 0 || e->status > 3 ||
        (p = hand_get_int(p, end, &e->quantity)) == NULL ||
        (p = hand_get(p, end, &e->amount_cents)) == NULL ||
        (p = hand_get(p, end, &e->placed_at)) == NULL ||
        (p = hand_get(p, end, &e->paid_at)) == NULL || end - p < 10)
        return false;
    memcpy(&e->weight, p, sizeof e->weight);
    p += sizeof e->weight;
    e->express = *p++ == 1;
    e->has_note = *p++ == 2;
    if (e->has_note)
        p = hand_get_str(p, end, &e->note);
    return p == end;
}

#endif
