/* utf8.h - strict UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. Pure. */
#ifndef LEAT_BASE_UTF8_H
#define LEAT_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "leat/str.h"

/* Bytes of the character at `at` (at < end), 1 to 4; 0 when it is not one. */
static inline size_t leat_utf8_length(const char *at, const char *end)
{
    const uint8_t *p = (const uint8_t *)at;
    size_t left = (size_t)(end - at);
    if (p[0] < 0x80)
        return 1;
    if (p[0] < 0xc2 || p[0] > 0xf4 || left < 2)
        return 0;
    uint8_t low = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
    uint8_t high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
    if (p[1] < low || p[1] > high)
        return 0;
    size_t n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (left < n || (n > 2 && (p[2] & 0xc0) != 0x80) || (n > 3 && (p[3] & 0xc0) != 0x80))
        return 0;
    return n;
}

static inline bool leat_utf8_valid(struct leat_str s)
{
    for (uint32_t i = 0; i < s.len;) {
        uint64_t eight = 0; /* most texts are ASCII for the most part */
        if (s.len - i >= sizeof eight) {
            memcpy(&eight, s.at + i, sizeof eight);
            if ((eight & 0x8080808080808080U) == 0) {
                i += (uint32_t)sizeof eight;
                continue;
            }
        }
        size_t n = leat_utf8_length(s.at + i, s.at + s.len);
        if (n == 0)
            return false;
        i += (uint32_t)n;
    }
    return true;
}

/* Writes a scalar value (not a surrogate) to `to`, which has room for 4; returns the length. */
static inline size_t leat_utf8_put(uint32_t c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* One line for people, in `size` bytes: what is not UTF-8, or a control character, shows as '?'; a
 * text that is too long is cut and ends in `more`. */
static inline void leat_utf8_line(char *to, size_t size, struct leat_str text, const char *more)
{
    size_t n = 0, more_bytes = strlen(more);
    for (uint32_t i = 0; i < text.len;) {
        size_t bytes = leat_utf8_length(text.at + i, text.at + text.len);
        bool plain = bytes > 0 && (uint8_t)text.at[i] >= ' ' && text.at[i] != 0x7f;
        bytes = bytes > 0 ? bytes : 1;
        if (n + bytes + more_bytes + 1 > size) {
            memcpy(to + n, more, more_bytes);
            n += more_bytes;
            break;
        }
        memcpy(to + n, plain ? text.at + i : "?", plain ? bytes : 1);
        n += plain ? bytes : 1;
        i += (uint32_t)bytes;
    }
    to[n] = '\0';
}

#endif
