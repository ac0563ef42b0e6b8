#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/units.h"
#include "base/utf8.h"

void leat_json_writer_init(struct leat_json_writer *w, struct leat_buf *buf)
{
    *w = (struct leat_json_writer){.buf = buf};
}

static bool in_object(const struct leat_json_writer *w)
{
    return w->depth > 0 && (w->objects >> (w->depth - 1) & 1) != 0;
}

static void comma(struct leat_json_writer *w)
{
    if (w->depth == 0)
        return;
    uint64_t bit = UINT64_C(1) << (w->depth - 1);
    if ((w->filled & bit) != 0)
        leat_buf_putc(w->buf, ',');
    w->filled |= bit;
}

static void before_value(struct leat_json_writer *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    leat_assert(!in_object(w));
    comma(w);
}

static void begin(struct leat_json_writer *w, char open, bool object)
{
    before_value(w);
    leat_assert(w->depth < LEAT_JSON_DEPTH_MAX);
    uint64_t bit = UINT64_C(1) << w->depth;
    w->objects = object ? w->objects | bit : w->objects & ~bit;
    w->filled &= ~bit;
    w->depth++;
    leat_buf_putc(w->buf, open);
}

void leat_json_begin_object(struct leat_json_writer *w)
{
    begin(w, '{', true);
}

void leat_json_begin_array(struct leat_json_writer *w)
{
    begin(w, '[', false);
}

void leat_json_end_object(struct leat_json_writer *w)
{
    leat_assert(in_object(w) && !w->after_key);
    w->depth--;
    leat_buf_putc(w->buf, '}');
}

void leat_json_end_array(struct leat_json_writer *w)
{
    leat_assert(w->depth > 0 && !in_object(w));
    w->depth--;
    leat_buf_putc(w->buf, ']');
}

static void put_escape(struct leat_buf *b, unsigned char c)
{
    static const char short_escapes[] = "btn\0fr"; /* 0x08 .. 0x0d */
    char e = '\0';
    if (c == '"' || c == '\\')
        e = (char)c;
    else if (c >= 0x08 && c <= 0x0d)
        e = short_escapes[c - 0x08];
    if (e != '\0') {
        const char two[2] = {'\\', e};
        leat_buf_put(b, two, sizeof two);
    } else {
        leat_buf_printf(b, "\\u%04x", c);
    }
}

/* Eight bytes at once: printable ASCII, no quote, no backslash. A byte minus what it must not be
 * below borrows its highest bit; so does one that is zero minus one. */
static bool is_plain_word(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101U, tops = 0x8080808080808080U;
    uint64_t quote = w ^ ones * '"', backslash = w ^ ones * '\\';
    return ((w | (w - ones * 0x20) | (quote - ones) | (backslash - ones)) & tops) == 0;
}

static uint64_t eight_at(const char *at)
{
    uint64_t w = 0;
    memcpy(&w, at, sizeof w);
    return w;
}

static uint64_t four_at(const char *at)
{
    uint32_t w = 0;
    memcpy(&w, at, sizeof w);
    return w;
}

/* Length of the bytes at `at` that can be copied as they are. */
static size_t plain_run(const char *at, const char *end)
{
    const char *p = at;
    while (end - p >= 8 && is_plain_word(eight_at(p)))
        p += 8;
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            p++;
            continue;
        }
        size_t n = c < 0x80 ? 0 : leat_utf8_length(p, end);
        if (n == 0)
            break;
        p += n;
    }
    return (size_t)(p - at);
}

/* The last word overlaps with the one before. */
static bool is_plain(struct leat_str s)
{
    if (s.len == 0)
        return true;
    const char *end = s.at + s.len;
    if (s.len < 4)
        return plain_run(s.at, end) == s.len;
    if (s.len < 8)
        return is_plain_word(four_at(s.at) | four_at(end - 4) << 32);
    for (const char *p = s.at; end - p > 8; p += 8) {
        if (!is_plain_word(eight_at(p)))
            return false;
    }
    return is_plain_word(eight_at(end - 8));
}

static char *put_plain(char *to, struct leat_str s)
{
    *to++ = '"';
    if (s.len > 0)
        memcpy(to, s.at, s.len);
    to += s.len;
    *to++ = '"';
    return to;
}

static void put_quoted(struct leat_buf *b, struct leat_str s)
{
    const char *p = s.at;
    const char *end = s.len == 0 ? p : p + s.len;
    if (is_plain(s)) { /* as nearly all */
        char *to = leat_buf_reserve(b, (size_t)s.len + 2);
        if (to != NULL)
            (void)put_plain(to, s);
        return;
    }
    leat_buf_putc(b, '"');
    while (p < end) {
        size_t n = plain_run(p, end);
        leat_buf_put(b, p, n);
        p += n;
        if (p == end)
            break;
        if ((unsigned char)*p >= 0x80)
            leat_buf_puts(b, "\xef\xbf\xbd");
        else
            put_escape(b, (unsigned char)*p);
        p++;
    }
    leat_buf_putc(b, '"');
}

void leat_json_key(struct leat_json_writer *w, struct leat_str key)
{
    leat_assert(in_object(w) && !w->after_key);
    comma(w);
    w->after_key = true;
    char *to = is_plain(key) ? leat_buf_reserve(w->buf, (size_t)key.len + 3) : NULL;
    if (to != NULL) {
        *put_plain(to, key) = ':';
        return;
    }
    put_quoted(w->buf, key);
    leat_buf_putc(w->buf, ':');
}

void leat_json_str(struct leat_json_writer *w, struct leat_str value)
{
    before_value(w);
    put_quoted(w->buf, value);
}

void leat_json_cstr(struct leat_json_writer *w, const char *value)
{
    if (value == NULL)
        leat_json_null(w);
    else
        leat_json_str(w, leat_str_of(value));
}

void leat_json_int(struct leat_json_writer *w, int64_t value)
{
    char room[LEAT_INT_TEXT];
    struct leat_str text = leat_int_text(value, room);
    before_value(w);
    leat_buf_put(w->buf, text.at, text.len);
}

/* Most doubles are a few digits: value * 10^n whole and small for a small n. A quotient of two
 * exact doubles is the double nearest to it, so the digits found read as the value, and as there
 * are at most 15 of them they are those that "%.15g" finds, ten times as slowly. */
static bool put_short(struct leat_buf *b, double value)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
    char room[LEAT_INT_TEXT], zeros[] = "0.000000";
    double size = fabs(value);
    if (!(size >= 1e-4 && size < 1e9))
        return false;
    for (uint32_t n = 0; n < sizeof powers / sizeof *powers; n++) {
        double whole = rint(size * powers[n]);
        if (whole / powers[n] != size)
            continue;
        struct leat_str digits = leat_int_text((int64_t)whole, room);
        uint32_t before = digits.len > n ? digits.len - n : 0;
        if (value < 0)
            leat_buf_putc(b, '-');
        leat_buf_put(b, digits.at, before);
        leat_buf_put(b, before > 0 ? "." : zeros, before > 0 ? 1 : 2 + n - digits.len);
        leat_buf_put(b, n == 0 ? "0" : digits.at + before, n == 0 ? 1 : digits.len - before);
        return true;
    }
    return false;
}

void leat_json_double(struct leat_json_writer *w, double value)
{
    if (!isfinite(value)) {
        leat_json_null(w);
        return;
    }
    before_value(w);
    if (put_short(w->buf, value))
        return;
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    /* A double stays a double for whoever reads it: 3 is written 3.0. */
    if (strpbrk(text, ".e") == NULL)
        memcpy(text + strlen(text), ".0", 3);
    leat_buf_puts(w->buf, text);
}

void leat_json_bool(struct leat_json_writer *w, bool value)
{
    before_value(w);
    leat_buf_puts(w->buf, value ? "true" : "false");
}

void leat_json_null(struct leat_json_writer *w)
{
    before_value(w);
    leat_buf_puts(w->buf, "null");
}

void leat_json_raw(struct leat_json_writer *w, struct leat_str json)
{
    before_value(w);
    leat_buf_put(w->buf, json.at, json.len);
}

void leat_json_put_str(struct leat_json_writer *w, const char *key, struct leat_str value)
{
    leat_json_key(w, leat_str_of(key));
    leat_json_str(w, value);
}

void leat_json_put_cstr(struct leat_json_writer *w, const char *key, const char *value)
{
    leat_json_key(w, leat_str_of(key));
    leat_json_cstr(w, value);
}

void leat_json_put_int(struct leat_json_writer *w, const char *key, int64_t value)
{
    leat_json_key(w, leat_str_of(key));
    leat_json_int(w, value);
}

void leat_json_put_double(struct leat_json_writer *w, const char *key, double value)
{
    leat_json_key(w, leat_str_of(key));
    leat_json_double(w, value);
}

void leat_json_put_bool(struct leat_json_writer *w, const char *key, bool value)
{
    leat_json_key(w, leat_str_of(key));
    leat_json_bool(w, value);
}
