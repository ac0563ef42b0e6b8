#include <endian.h>
#include <string.h>

#include "base/utf8.h"
#include "store/pg.h"

void leat_pg_clear(struct leat_pg_params *p)
{
    leat_buf_clear(&p->bytes);
    p->count = 0;
}

static void begin(struct leat_pg_params *p)
{
    leat_assert(p->count < LEAT_PG_PARAMS_MAX);
    p->of[p->count].at = (uint32_t)p->bytes.len;
    p->of[p->count].len = 0;
}

static void end(struct leat_pg_params *p)
{
    size_t len = p->bytes.len - p->of[p->count].at;
    if (len > INT32_MAX)
        p->bytes.overflow = true;
    p->of[p->count].len = (int32_t)len;
    p->count++;
}

void leat_pg_null(struct leat_pg_params *p)
{
    begin(p);
    p->of[p->count].len = -1;
    p->count++;
}

void leat_pg_bytes(struct leat_pg_params *p, const void *at, size_t len)
{
    begin(p);
    leat_buf_put(&p->bytes, at, len);
    end(p);
}

void leat_pg_bool(struct leat_pg_params *p, bool v)
{
    leat_pg_bytes(p, v ? "\1" : "\0", 1);
}

void leat_pg_int4(struct leat_pg_params *p, int32_t v)
{
    uint32_t be = htobe32((uint32_t)v);
    leat_pg_bytes(p, &be, sizeof be);
}

void leat_pg_int8(struct leat_pg_params *p, int64_t v)
{
    uint64_t be = htobe64((uint64_t)v);
    leat_pg_bytes(p, &be, sizeof be);
}

void leat_pg_limit(struct leat_pg_params *p, size_t rows)
{
    leat_pg_int8(p, rows > INT32_MAX ? INT32_MAX : (int64_t)rows);
}

int64_t leat_pg_us(int64_t unix_us)
{
    int64_t us = 0;
    return __builtin_sub_overflow(unix_us, LEAT_PG_EPOCH_US, &us) ? INT64_MIN : us;
}

void leat_pg_time(struct leat_pg_params *p, int64_t unix_us)
{
    if (unix_us == 0)
        leat_pg_null(p);
    else
        leat_pg_int8(p, leat_pg_us(unix_us));
}

static char *store4(char *to, uint32_t v)
{
    uint32_t be = htobe32(v);
    memcpy(to, &be, sizeof be);
    return to + sizeof be;
}

/* Array form: dimensions, a flag for nulls (ignored on input), element oid, length, lower bound. */
void leat_pg_array(struct leat_pg_params *p, leat_pg_type element, size_t n)
{
    char head[20];
    begin(p);
    leat_assert(n <= INT32_MAX);
    char *to = store4(head, n > 0 ? 1 : 0);
    to = store4(to, 0);
    to = store4(to, (uint32_t)element);
    to = store4(to, (uint32_t)n);
    (void)store4(to, 1);
    leat_buf_put(&p->bytes, head, n > 0 ? 20 : 12);
}

void leat_pg_array_end(struct leat_pg_params *p)
{
    end(p);
}

char *leat_pg_room(struct leat_pg_params *p, size_t n, size_t bytes)
{
    return leat_buf_reserve(&p->bytes, n * (4 + bytes));
}

char *leat_pg_put2(char *to, int16_t v)
{
    to = store4(to, 2);
    uint16_t be = htobe16((uint16_t)v);
    memcpy(to, &be, sizeof be);
    return to + sizeof be;
}

char *leat_pg_put4(char *to, int32_t v)
{
    return store4(store4(to, 4), (uint32_t)v);
}

char *leat_pg_put8(char *to, int64_t v)
{
    to = store4(to, 8);
    uint64_t be = htobe64((uint64_t)v);
    memcpy(to, &be, sizeof be);
    return to + sizeof be;
}

char *leat_pg_put16(char *to, const void *v)
{
    to = store4(to, 16);
    memcpy(to, v, 16);
    return to + 16;
}

void leat_pg_put(struct leat_pg_params *p, const void *at, size_t len)
{
    char *to = len > INT32_MAX ? NULL : leat_buf_reserve(&p->bytes, 4 + len);
    if (to == NULL) {
        p->bytes.overflow = true;
        return;
    }
    to = store4(to, (uint32_t)len);
    if (len > 0)
        memcpy(to, at, len);
}

void leat_pg_put_null(struct leat_pg_params *p)
{
    char *to = leat_buf_reserve(&p->bytes, 4);
    if (to != NULL)
        (void)store4(to, UINT32_MAX);
}

void leat_pg_put_bytes(struct leat_pg_params *p, struct leat_str s, bool null)
{
    if (null)
        leat_pg_put_null(p);
    else
        leat_pg_put(p, s.at, s.len);
}

bool leat_pg_text_fits(struct leat_str s)
{
    uint32_t i = 0;
    for (; i < s.len && s.at[i] > 0; i++) /* plain ASCII without NUL, the usual case */
        continue;
    for (; i < s.len;) {
        size_t n = s.at[i] == '\0' ? 0 : leat_utf8_length(s.at + i, s.at + s.len);
        if (n == 0)
            return false;
        i += (uint32_t)n;
    }
    return true;
}

static void put_escaped(struct leat_pg_params *p, struct leat_str s)
{
    for (uint32_t i = 0; i < s.len;) {
        size_t n = s.at[i] == '\0' ? 0 : leat_utf8_length(s.at + i, s.at + s.len);
        if (n == 0) {
            leat_buf_printf(&p->bytes, "\\x%02x", (unsigned)(uint8_t)s.at[i]);
            n = 1;
        } else {
            leat_buf_put(&p->bytes, s.at + i, n);
        }
        i += (uint32_t)n;
    }
}

void leat_pg_put_text(struct leat_pg_params *p, struct leat_str s)
{
    if (leat_pg_text_fits(s)) {
        leat_pg_put(p, s.at, s.len);
        return;
    }
    size_t at = p->bytes.len;
    leat_pg_put(p, NULL, 0);
    put_escaped(p, s);
    if (!p->bytes.overflow)
        (void)store4(p->bytes.at + at, (uint32_t)(p->bytes.len - at - 4));
}

void leat_pg_put_text_or_null(struct leat_pg_params *p, struct leat_str s)
{
    if (s.len == 0)
        leat_pg_put_null(p);
    else
        leat_pg_put_text(p, s);
}

void leat_pg_text(struct leat_pg_params *p, struct leat_str s)
{
    begin(p);
    put_escaped(p, s);
    end(p);
}

void leat_pg_int4s(struct leat_pg_params *p, const int32_t *v, size_t n)
{
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, v[i]));
}

void leat_pg_int8s(struct leat_pg_params *p, const int64_t *v, size_t n)
{
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, v[i]));
}
