#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

enum expect {
    EXPECT_VALUE = 0,
    EXPECT_VALUE_OR_END, /* after '[' */
    EXPECT_KEY_OR_END,   /* after '{' */
    EXPECT_COMMA_OR_END, /* after a value inside a container */
    EXPECT_NOTHING,      /* after the outermost value */
};

void leat_json_reader_init(struct leat_json_reader *r, struct leat_str text)
{
    const char *start = text.len == 0 ? "" : text.at;
    *r = (struct leat_json_reader){.start = start, .at = start, .end = start + text.len};
}

static leat_status fail_at(const struct leat_json_reader *r, const char *at, struct leat_error *err,
                           const char *what)
{
    return leat_fail(err, LEAT_POISON, "%s at byte %zu", what, (size_t)(at - r->start));
}

static leat_status fail_here(const struct leat_json_reader *r, struct leat_error *err,
                             const char *what)
{
    if (r->at == r->end)
        return leat_fail(err, LEAT_POISON, "text ends at byte %zu, %s", (size_t)(r->at - r->start),
                         what);
    return fail_at(r, r->at, err, what);
}

static inline const char *skip_space(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

static inline bool in_object(const struct leat_json_reader *r)
{
    return (r->objects >> (r->depth - 1) & 1) != 0;
}

static inline void after_value(struct leat_json_reader *r)
{
    r->expect = r->depth == 0 ? EXPECT_NOTHING : EXPECT_COMMA_OR_END;
}

#define ONES        UINT64_C(0x0101010101010101)
#define HIGHS       UINT64_C(0x8080808080808080)
#define HAS_ZERO(v) (((v)-ONES) & ~(v)&HIGHS)

/* Non-zero when one of eight bytes needs a look: '"', '\\', a control or a byte above 0x7f. A
 * false alarm (a borrow from the neighbour) only costs the slow path. */
static inline uint64_t special_bytes(uint64_t v)
{
    uint64_t quote = HAS_ZERO(v ^ (ONES * '"'));
    uint64_t slash = HAS_ZERO(v ^ (ONES * '\\'));
    uint64_t control = v - ONES * 0x20;
    return (quote | slash | control | v) & HIGHS;
}

static inline const char *skip_plain(const char *p, const char *end)
{
    while (end - p >= 8) {
        uint64_t v;
        memcpy(&v, p, sizeof v);
        if (special_bytes(v) != 0)
            break;
        p += 8;
    }
    while (p < end) {
        unsigned char c = (unsigned char)*p;
        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            break;
        p++;
    }
    return p;
}

/* Four hex digits; -1 when they are not. */
static int32_t read_hex4(const char *p, const char *end)
{
    if (end - p < 4)
        return -1;
    int32_t v = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit;
        if (c >= '0' && c <= '9')
            digit = c - '0';
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (c | 0x20) - 'a' + 10;
        else
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* Decodes \uXXXX (or a pair of them) at `p`, the byte after the backslash: the
 * bytes taken, or 0. */
static size_t read_unicode(const char *p, const char *end, uint32_t *ret_char)
{
    int32_t high = read_hex4(p + 1, end);
    if (high < 0 || (high >= 0xdc00 && high <= 0xdfff))
        return 0;
    *ret_char = (uint32_t)high;
    if (high < 0xd800 || high > 0xdbff)
        return 5;
    if (end - p < 11 || p[5] != '\\' || p[6] != 'u')
        return 0;
    int32_t low = read_hex4(p + 7, end);
    if (low < 0xdc00 || low > 0xdfff)
        return 0;
    *ret_char = 0x10000 + (((uint32_t)high - 0xd800) << 10) + ((uint32_t)low - 0xdc00);
    return 11;
}

/* `p` is at the backslash; returns the byte after the escape, or NULL. */
static const char *skip_escape(const char *p, const char *end)
{
    if (end - p < 2)
        return NULL;
    if (p[1] == 'u') {
        uint32_t c = 0;
        size_t n = read_unicode(p + 1, end, &c);
        return n == 0 ? NULL : p + 1 + n;
    }
    return p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL ? p + 2 : NULL;
}

/* r->at is at the opening quote. */
static leat_status read_string(struct leat_json_reader *r, struct leat_json_token *t,
                               struct leat_error *err)
{
    const char *begin = r->at + 1;
    const char *p = begin;
    t->has_escapes = false;
    for (;;) {
        p = skip_plain(p, r->end);
        if (p == r->end)
            return leat_fail(err, LEAT_POISON, "string from byte %zu has no end",
                             (size_t)(r->at - r->start));
        unsigned char c = (unsigned char)*p;
        if (c == '"')
            break;
        if (c == '\\') {
            const char *next = skip_escape(p, r->end);
            if (next == NULL)
                return fail_at(r, p, err, "malformed escape");
            t->has_escapes = true;
            p = next;
        } else if (c < 0x20) {
            return fail_at(r, p, err, "control character in a string");
        } else {
            size_t n = leat_utf8_length(p, r->end);
            if (n == 0)
                return fail_at(r, p, err, "invalid UTF-8");
            p += n;
        }
    }
    t->text = (struct leat_str){begin, (uint32_t)(p - begin)};
    r->at = p + 1;
    return LEAT_OK;
}

static inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_digits(const char *p, const char *end)
{
    while (p < end && is_digit(*p))
        p++;
    return p;
}

/* The end of the number at `p` by the grammar, or NULL; *ret_whole: no fraction, no exponent. */
static const char *scan_number(const char *p, const char *end, bool *ret_whole)
{
    if (p < end && *p == '-')
        p++;
    if (p == end || !is_digit(*p))
        return NULL;
    p = *p == '0' ? p + 1 : skip_digits(p, end);
    *ret_whole = true;
    if (p < end && *p == '.') {
        *ret_whole = false;
        const char *digits = p + 1;
        p = skip_digits(digits, end);
        if (p == digits)
            return NULL;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        *ret_whole = false;
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        const char *digits = p;
        p = skip_digits(digits, end);
        if (p == digits)
            return NULL;
    }
    return p;
}

static bool to_int64(struct leat_str s, int64_t *ret)
{
    bool negative = s.at[0] == '-';
    uint64_t limit = negative ? UINT64_C(1) << 63 : INT64_MAX;
    uint64_t v = 0;
    for (uint32_t i = negative ? 1 : 0; i < s.len; i++) {
        uint64_t digit = (uint64_t)(s.at[i] - '0');
        if (v > (limit - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *ret = negative ? (int64_t)(0 - v) : (int64_t)v;
    return true;
}

/* Up to 15 digits and a power of ten up to 22 are exact in double arithmetic: one operation. */
static bool to_double_fast(struct leat_str s, double *ret)
{
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    uint64_t mantissa = 0;
    uint32_t digits = 0, fraction = 0, i = s.at[0] == '-' ? 1 : 0;
    bool point = false;
    for (; i < s.len; i++) {
        if (s.at[i] == '.') {
            point = true;
            continue;
        }
        if (!is_digit(s.at[i]) || ++digits > 15)
            return false;
        mantissa = mantissa * 10 + (uint64_t)(s.at[i] - '0');
        fraction += point ? 1 : 0;
    }
    double v = (double)mantissa / powers[fraction];
    *ret = s.at[0] == '-' ? -v : v;
    return true;
}

static leat_status read_double(struct leat_json_reader *r, struct leat_json_token *t,
                               struct leat_error *err)
{
    t->kind = LEAT_JSON_DOUBLE;
    if (to_double_fast(t->text, &t->number))
        return LEAT_OK;
    char text[LEAT_JSON_NUMBER_BYTES_MAX + 1];
    if (t->text.len > LEAT_JSON_NUMBER_BYTES_MAX)
        return fail_at(r, t->text.at, err, "number of more than 1024 characters");
    memcpy(text, t->text.at, t->text.len);
    text[t->text.len] = '\0';
    t->number = strtod(text, NULL);
    if (!isfinite(t->number))
        return fail_at(r, t->text.at, err, "number too large");
    return LEAT_OK;
}

static leat_status read_number(struct leat_json_reader *r, struct leat_json_token *t,
                               struct leat_error *err)
{
    bool whole = true;
    const char *end = scan_number(r->at, r->end, &whole);
    if (end == NULL)
        return fail_at(r, r->at, err, "malformed number");
    t->text = (struct leat_str){r->at, (uint32_t)(end - r->at)};
    r->at = end;
    after_value(r);
    if (whole && to_int64(t->text, &t->integer)) {
        t->kind = LEAT_JSON_INT;
        return LEAT_OK;
    }
    return read_double(r, t, err);
}

static bool take_word(struct leat_json_reader *r, const char *word, size_t len)
{
    if ((size_t)(r->end - r->at) < len || memcmp(r->at, word, len) != 0)
        return false;
    r->at += len;
    after_value(r);
    return true;
}

static leat_status read_word(struct leat_json_reader *r, struct leat_json_token *t,
                             struct leat_error *err)
{
    if (take_word(r, "true", 4)) {
        t->kind = LEAT_JSON_BOOL;
        t->boolean = true;
    } else if (take_word(r, "false", 5)) {
        t->kind = LEAT_JSON_BOOL;
        t->boolean = false;
    } else if (take_word(r, "null", 4)) {
        t->kind = LEAT_JSON_NULL;
    } else {
        return fail_here(r, err, "expected a value");
    }
    return LEAT_OK;
}

static leat_status open_container(struct leat_json_reader *r, struct leat_json_token *t,
                                  bool object, struct leat_error *err)
{
    if (r->depth == LEAT_JSON_DEPTH_MAX)
        return fail_here(r, err, "nested more than 64 deep");
    uint64_t bit = UINT64_C(1) << r->depth;
    r->objects = object ? r->objects | bit : r->objects & ~bit;
    r->depth++;
    r->at++;
    r->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
    t->kind = object ? LEAT_JSON_OBJECT_BEGIN : LEAT_JSON_ARRAY_BEGIN;
    return LEAT_OK;
}

static leat_status read_value(struct leat_json_reader *r, struct leat_json_token *t,
                              struct leat_error *err)
{
    if (r->at == r->end)
        return fail_here(r, err, "expected a value");
    t->offset = (uint32_t)(r->at - r->start);
    switch (*r->at) {
    case '"':
        t->kind = LEAT_JSON_STRING;
        after_value(r);
        return read_string(r, t, err);
    case '{':
        return open_container(r, t, true, err);
    case '[':
        return open_container(r, t, false, err);
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return read_number(r, t, err);
    default:
        return read_word(r, t, err);
    }
}

static leat_status read_key(struct leat_json_reader *r, struct leat_json_token *t,
                            struct leat_error *err)
{
    if (r->at == r->end || *r->at != '"')
        return fail_here(r, err, "expected a key");
    t->kind = LEAT_JSON_KEY;
    t->offset = (uint32_t)(r->at - r->start);
    leat_status status = read_string(r, t, err);
    if (status != LEAT_OK)
        return status;
    r->at = skip_space(r->at, r->end);
    if (r->at == r->end || *r->at != ':')
        return fail_here(r, err, "expected ':'");
    r->at++;
    r->expect = EXPECT_VALUE;
    return LEAT_OK;
}

static bool take_end(struct leat_json_reader *r, struct leat_json_token *t)
{
    bool object = in_object(r);
    if (r->at == r->end || *r->at != (object ? '}' : ']'))
        return false;
    t->kind = object ? LEAT_JSON_OBJECT_END : LEAT_JSON_ARRAY_END;
    t->offset = (uint32_t)(r->at - r->start);
    r->at++;
    r->depth--;
    after_value(r);
    return true;
}

static leat_status read_next_member(struct leat_json_reader *r, struct leat_json_token *t,
                                    struct leat_error *err)
{
    if (take_end(r, t))
        return LEAT_OK;
    if (r->at == r->end || *r->at != ',')
        return fail_here(r, err, in_object(r) ? "expected ',' or '}'" : "expected ',' or ']'");
    r->at = skip_space(r->at + 1, r->end);
    return in_object(r) ? read_key(r, t, err) : read_value(r, t, err);
}

leat_status leat_json_next(struct leat_json_reader *r, struct leat_json_token *ret,
                           struct leat_error *err)
{
    r->at = skip_space(r->at, r->end);
    switch ((enum expect)r->expect) {
    case EXPECT_VALUE:
        return read_value(r, ret, err);
    case EXPECT_VALUE_OR_END:
        return take_end(r, ret) ? LEAT_OK : read_value(r, ret, err);
    case EXPECT_KEY_OR_END:
        return take_end(r, ret) ? LEAT_OK : read_key(r, ret, err);
    case EXPECT_COMMA_OR_END:
        return read_next_member(r, ret, err);
    case EXPECT_NOTHING:
        break;
    }
    if (r->at != r->end)
        return fail_here(r, err, "more text after the value");
    ret->kind = LEAT_JSON_END;
    ret->offset = (uint32_t)(r->at - r->start);
    return LEAT_OK;
}

leat_status leat_json_skip(struct leat_json_reader *r, struct leat_str *ret_raw,
                           struct leat_error *err)
{
    struct leat_json_token t = {.kind = LEAT_JSON_END};
    int depth = r->depth;
    const char *begin = NULL;
    do {
        leat_status status = leat_json_next(r, &t, err);
        if (status != LEAT_OK)
            return status;
        if (begin == NULL)
            begin = r->start + t.offset;
    } while (r->depth > depth);
    if (ret_raw != NULL)
        *ret_raw = (struct leat_str){begin, (uint32_t)(r->at - begin)};
    return LEAT_OK;
}

static const char *unescape_one(const char *p, const char *end, char **to)
{
    static const char meanings[][2] = {{'"', '"'},  {'\\', '\\'}, {'/', '/'},  {'b', '\b'},
                                       {'f', '\f'}, {'n', '\n'},  {'r', '\r'}, {'t', '\t'}};
    if (p[1] == 'u') {
        uint32_t c = 0;
        size_t n = read_unicode(p + 1, end, &c);
        *to += leat_utf8_put(c, *to);
        return p + 1 + n;
    }
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
        if (meanings[i][0] == p[1])
            *(*to)++ = meanings[i][1];
    }
    return p + 2;
}

uint32_t leat_json_unescape_into(const struct leat_json_token *t, char *to)
{
    const char *p = t->text.at;
    const char *end = p + t->text.len;
    char *out = to;
    while (p < end) {
        if (*p == '\\')
            p = unescape_one(p, end, &out);
        else
            *out++ = *p++;
    }
    return (uint32_t)(out - to);
}

struct leat_str leat_json_unescape(const struct leat_json_token *t, struct leat_arena *arena)
{
    if (!t->has_escapes)
        return t->text;
    char *to = leat_arena_alloc(arena, t->text.len);
    return (struct leat_str){to, leat_json_unescape_into(t, to)};
}

/* Keys with escapes are rare and short: compared character by character, without a copy. */
static bool escaped_is(const struct leat_json_token *t, struct leat_str name)
{
    const char *p = t->text.at;
    const char *end = p + t->text.len;
    uint32_t seen = 0;
    while (p < end) {
        char one[4];
        char *to = one;
        if (*p == '\\')
            p = unescape_one(p, end, &to);
        else
            *to++ = *p++;
        uint32_t n = (uint32_t)(to - one);
        if (name.len - seen < n || memcmp(name.at + seen, one, n) != 0)
            return false;
        seen += n;
    }
    return seen == name.len;
}

bool leat_json_token_is(const struct leat_json_token *t, struct leat_str name)
{
    return t->has_escapes ? escaped_is(t, name) : leat_str_eq(t->text, name);
}

static leat_status read_found(struct leat_json_reader *r, struct leat_json_token *ret,
                              struct leat_str *ret_raw, struct leat_error *err)
{
    struct leat_json_reader value = *r;
    struct leat_str raw;
    LEAT_TRY(leat_json_skip(r, &raw, err), err, "malformed JSON");
    LEAT_TRY(leat_json_next(&value, ret, err), err, "malformed JSON");
    if (ret_raw != NULL)
        *ret_raw = raw;
    return LEAT_OK;
}

leat_status leat_json_find(struct leat_str text, struct leat_str name, struct leat_json_token *ret,
                           struct leat_str *ret_raw, struct leat_error *err)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, text);
    LEAT_TRY(leat_json_next(&r, &t, err), err, "malformed JSON");
    if (t.kind != LEAT_JSON_OBJECT_BEGIN)
        return leat_fail(err, LEAT_POISON, "not a JSON object");
    for (;;) {
        LEAT_TRY(leat_json_next(&r, &t, err), err, "malformed JSON");
        if (t.kind == LEAT_JSON_OBJECT_END)
            return leat_fail(err, LEAT_ABSENT, "no field '%.*s'", LEAT_STR_FMT(name));
        if (leat_json_token_is(&t, name))
            return read_found(&r, ret, ret_raw, err);
        LEAT_TRY(leat_json_skip(&r, NULL, err), err, "malformed JSON");
    }
}
