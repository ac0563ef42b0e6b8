#include "base/buf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 64

void leat_buf_init(struct leat_buf *b, size_t max)
{
    *b = (struct leat_buf){.max = max > UINT32_MAX ? UINT32_MAX : max};
}

void leat_buf_done(struct leat_buf *b)
{
    free(b->at);
    *b = (struct leat_buf){.max = b->max};
}

void leat_buf_clear(struct leat_buf *b)
{
    b->len = 0;
    b->overflow = false;
}

/* Out of memory counts as overflow: the caller's one check at the end sees both. */
static bool make_room(struct leat_buf *b, size_t len)
{
    if (b->overflow)
        return false;
    if (len <= b->cap - b->len)
        return true;
    if (len > b->max - b->len) {
        b->overflow = true;
        return false;
    }
    size_t cap = b->cap < CAP_MIN ? CAP_MIN : b->cap * 2;
    if (cap < b->len + len)
        cap = b->len + len;
    if (cap > b->max)
        cap = b->max;
    char *at = realloc(b->at, cap);
    if (at == NULL) {
        b->overflow = true;
        return false;
    }
    b->at = at;
    b->cap = cap;
    return true;
}

void leat_buf_put(struct leat_buf *b, const void *bytes, size_t len)
{
    if (len == 0 || !make_room(b, len))
        return;
    memcpy(b->at + b->len, bytes, len);
    b->len += len;
}

void leat_buf_puts(struct leat_buf *b, const char *cstr)
{
    leat_buf_put(b, cstr, strlen(cstr));
}

void leat_buf_putc(struct leat_buf *b, char c)
{
    if (!make_room(b, 1))
        return;
    b->at[b->len++] = c;
}

void leat_buf_printf(struct leat_buf *b, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_list again;
    va_start(args, fmt);
    va_copy(again, args);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    leat_assert(n >= 0);
    if ((size_t)n < sizeof text) {
        leat_buf_put(b, text, (size_t)n);
    } else {
        char *big = malloc((size_t)n + 1);
        if (big != NULL) {
            (void)vsnprintf(big, (size_t)n + 1, fmt, again);
            leat_buf_put(b, big, (size_t)n);
        } else {
            b->overflow = true;
        }
        free(big);
    }
    va_end(again);
}

void *leat_buf_reserve(struct leat_buf *b, size_t len)
{
    if (!make_room(b, len))
        return NULL;
    void *at = b->at + b->len;
    b->len += len;
    return at;
}

struct leat_str leat_buf_str(const struct leat_buf *b)
{
    return (struct leat_str){b->at == NULL ? "" : b->at, (uint32_t)b->len};
}
