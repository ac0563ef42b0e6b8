/* buf.h - a growable run of bytes with a mandatory maximum. Owner: one thread. */
#ifndef LEAT_BASE_BUF_H
#define LEAT_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "leat/str.h"

struct leat_buf {
    char *at;
    size_t len, cap, max;
    bool
        overflow; /* something did not fit, and all after it was dropped; checked once at the end */
};

void leat_buf_init(struct leat_buf *b, size_t max);
void leat_buf_done(struct leat_buf *b); /* frees; the struct may be initialised again */
void leat_buf_clear(struct leat_buf *b);
void leat_buf_put(struct leat_buf *b, const void *bytes, size_t len);
void leat_buf_puts(struct leat_buf *b, const char *cstr);
void leat_buf_putc(struct leat_buf *b, char c);
void leat_buf_printf(struct leat_buf *b, const char *fmt, ...) LEAT_PRINTF(2, 3);
void *leat_buf_reserve(struct leat_buf *b, size_t len); /* NULL when over max; then b->overflow */
struct leat_str leat_buf_str(const struct leat_buf *b);

#endif
