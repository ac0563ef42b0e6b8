#include "base/base64.h"

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void leat_base64_put(struct leat_buf *out, struct leat_str bytes)
{
    for (uint32_t i = 0; i < bytes.len; i += 3) {
        uint32_t left = bytes.len - i;
        uint32_t v = (uint32_t)(uint8_t)bytes.at[i] << 16;
        v |= left > 1 ? (uint32_t)(uint8_t)bytes.at[i + 1] << 8 : 0;
        v |= left > 2 ? (uint32_t)(uint8_t)bytes.at[i + 2] : 0;
        char *to = leat_buf_reserve(out, 4);
        if (to == NULL)
            return;
        to[0] = digits[v >> 18];
        to[1] = digits[v >> 12 & 63];
        to[2] = left > 1 ? digits[v >> 6 & 63] : '=';
        to[3] = left > 2 ? digits[v & 63] : '=';
    }
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool leat_base64_read(struct leat_str text, struct leat_arena *arena, struct leat_str *ret)
{
    uint32_t n = text.len, bits = 0, held = 0, out = 0;
    if (n % 4 != 0)
        return false;
    char *to = leat_arena_alloc(arena, (size_t)n / 4 * 3 + 1);
    for (int i = 0; i < 2 && n > 0 && text.at[n - 1] == '='; i++)
        n--;
    for (uint32_t i = 0; i < n; i++) {
        int v = value_of(text.at[i]);
        if (v < 0)
            return false;
        bits = bits << 6 | (uint32_t)v;
        held += 6;
        if (held >= 8) {
            held -= 8;
            to[out++] = (char)(bits >> held);
        }
    }
    *ret = (struct leat_str){to, out};
    return (bits & ((1U << held) - 1)) == 0;
}
