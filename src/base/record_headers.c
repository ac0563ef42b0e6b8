#include "base/record_headers.h"

#include <string.h>

#define NAME_BYTES_MAX 0xffffu
#define NULL_VALUE     0xffffffffu

static void put_u16(struct leat_buf *out, uint32_t v)
{
    const uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};
    leat_buf_put(out, b, sizeof b);
}

static void put_u32(struct leat_buf *out, uint32_t v)
{
    const uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    leat_buf_put(out, b, sizeof b);
}

/* What does not fit the form counts as overflow, which the caller checks anyway. */
static bool put_name(struct leat_buf *out, struct leat_str name, uint32_t value_len)
{
    if (name.len > NAME_BYTES_MAX || (value_len > INT32_MAX && value_len != NULL_VALUE)) {
        out->overflow = true;
        return false;
    }
    put_u16(out, name.len);
    leat_buf_put(out, name.at, name.len);
    put_u32(out, value_len);
    return true;
}

void leat_headers_put(struct leat_buf *out, struct leat_str name, struct leat_str value)
{
    if (put_name(out, name, value.len))
        leat_buf_put(out, value.at, value.len);
}

void leat_headers_put_null(struct leat_buf *out, struct leat_str name)
{
    (void)put_name(out, name, NULL_VALUE);
}

static uint32_t get_be(const char *at, size_t bytes)
{
    uint32_t v = 0;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | (uint8_t)at[i];
    return v;
}

bool leat_headers_next(struct leat_headers_iter *iter, struct leat_str *ret_name,
                       struct leat_str *ret_value, bool *ret_null)
{
    const char *at = iter->rest.at;
    uint32_t left = iter->rest.len;
    if (left < 6)
        return false;
    uint32_t name_len = get_be(at, 2);
    if (left - 6 < name_len)
        return false;
    uint32_t value_len = get_be(at + 2 + name_len, 4);
    bool null = value_len == NULL_VALUE;
    if (null)
        value_len = 0;
    if (left - 6 - name_len < value_len)
        return false;
    *ret_name = (struct leat_str){at + 2, name_len};
    *ret_value = (struct leat_str){at + 6 + name_len, value_len};
    *ret_null = null;
    uint32_t used = 6 + name_len + value_len;
    iter->rest = (struct leat_str){at + used, left - used};
    return true;
}

bool leat_headers_find(struct leat_str packed, struct leat_str name, struct leat_str *ret_value)
{
    struct leat_headers_iter iter = {packed};
    struct leat_str found;
    struct leat_str value;
    bool null = false;
    while (leat_headers_next(&iter, &found, &value, &null)) {
        if (!null && leat_str_eq(found, name)) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}
