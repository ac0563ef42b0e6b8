#include "cli/csv.h"

void leat_csv_init(struct leat_csv *c, char delimiter)
{
    *c = (struct leat_csv){.delimiter = delimiter, .line = 1};
    leat_buf_init(&c->unescaped, LEAT_CSV_ROW_BYTES_MAX);
}

void leat_csv_done(struct leat_csv *c)
{
    leat_buf_done(&c->unescaped);
}

/* Where a scan of one row stands. */
struct scan {
    const char *at, *end; /* end = of what may be looked at */
    bool last;            /* the file ends at `end` */
    int64_t lines;        /* line ends passed */
    size_t n;             /* fields found */
    leat_csv_problem problem;
};

typedef enum step {
    STEP_FIELD, /* a field ended at a delimiter */
    STEP_ROW,   /* a field ended the row; `at` is behind the line end */
    STEP_MORE,
    STEP_BAD,
} step;

static step bad(struct scan *s, leat_csv_problem problem)
{
    s->problem = problem;
    return STEP_BAD;
}

/* Bytes of the line end at `at`: 0 = none, -1 = a CR at the window's end, an LF may follow. */
static int line_end(const char *at, const char *end, bool last)
{
    if (*at == '\n')
        return 1;
    if (*at != '\r')
        return 0;
    if (at + 1 == end)
        return last ? 1 : -1;
    return at[1] == '\n' ? 2 : 1;
}

/* What follows a field: delimiter, line end, end of the file, or something wrong. */
static step after_field(struct scan *s, char delimiter)
{
    if (s->at == s->end)
        return s->last ? STEP_ROW : STEP_MORE;
    if (*s->at == delimiter) {
        s->at++;
        return STEP_FIELD;
    }
    int n = line_end(s->at, s->end, s->last);
    if (n < 0)
        return STEP_MORE;
    if (n == 0)
        return bad(s, LEAT_CSV_AFTER_QUOTE);
    s->at += n;
    s->lines++;
    return STEP_ROW;
}

static step plain_field(struct scan *s, char delimiter, struct leat_str *ret)
{
    const char *from = s->at;
    while (s->at < s->end && *s->at != delimiter && *s->at != '\n' && *s->at != '\r')
        s->at++;
    if (s->at - from > LEAT_CSV_FIELD_BYTES_MAX)
        return bad(s, LEAT_CSV_FIELD_TOO_LONG);
    *ret = (struct leat_str){from, (uint32_t)(s->at - from)};
    return after_field(s, delimiter);
}

/* Passes the content of a quoted field; `at` is behind the opening quote and ends behind the
 * closing one. *ret_doubled: it holds quotes that have to be made single. */
static step quoted_content(struct scan *s, bool *ret_doubled)
{
    const char *from = s->at;
    for (; s->at < s->end; s->at++) {
        if (s->at - from > INT64_C(2) * LEAT_CSV_FIELD_BYTES_MAX)
            return bad(s, LEAT_CSV_FIELD_TOO_LONG);
        if (*s->at == '"') {
            if (s->at + 1 == s->end && !s->last)
                return STEP_MORE;
            if (s->at + 1 == s->end || s->at[1] != '"') {
                s->at++;
                return STEP_FIELD;
            }
            *ret_doubled = true;
            s->at++;
        } else if (*s->at == '\n' || (*s->at == '\r' && s->at + 1 < s->end && s->at[1] != '\n')) {
            s->lines++;
        }
    }
    return s->last ? bad(s, LEAT_CSV_UNCLOSED) : STEP_MORE;
}

static struct leat_str single_quotes(struct leat_buf *out, struct leat_str s)
{
    if (out->cap < LEAT_CSV_ROW_BYTES_MAX) {
        /* All of it at once: fields of a row point into the buffer while it is being filled. */
        (void)leat_buf_reserve(out, LEAT_CSV_ROW_BYTES_MAX);
        leat_buf_clear(out);
    }
    char *to = leat_buf_reserve(out, s.len);
    leat_assert(to != NULL); /* no row is longer than the buffer's maximum */
    uint32_t n = 0;
    for (uint32_t i = 0; i < s.len; i++) {
        to[n++] = s.at[i];
        if (s.at[i] == '"')
            i++;
    }
    out->len -= s.len - n;
    return (struct leat_str){to, n};
}

static step quoted_field(struct leat_csv *c, struct scan *s, struct leat_str *ret)
{
    const char *from = ++s->at;
    bool doubled = false;
    step how = quoted_content(s, &doubled);
    if (how != STEP_FIELD)
        return how;
    *ret = (struct leat_str){from, (uint32_t)(s->at - 1 - from)};
    if (doubled)
        *ret = single_quotes(&c->unescaped, *ret);
    if (ret->len > LEAT_CSV_FIELD_BYTES_MAX)
        return bad(s, LEAT_CSV_FIELD_TOO_LONG);
    return after_field(s, c->delimiter);
}

static step scan_row(struct leat_csv *c, struct scan *s)
{
    for (;;) {
        if (s->n == LEAT_CSV_FIELDS_MAX)
            return bad(s, LEAT_CSV_TOO_MANY_FIELDS);
        bool quote = s->at < s->end && *s->at == '"';
        step how = quote ? quoted_field(c, s, &c->fields[s->n])
                         : plain_field(s, c->delimiter, &c->fields[s->n]);
        if (how == STEP_MORE || how == STEP_BAD)
            return how;
        s->n++;
        if (how == STEP_ROW)
            return STEP_ROW;
    }
}

/* Up to and with the next line end; false when the window has none (then all of it is passed). */
static bool pass_line(struct leat_csv *c, const char **at, const char *end, bool last)
{
    const char *from = *at;
    const char *p = from;
    int n = 0;
    while (p < end && (n = line_end(p, end, last)) == 0)
        p++;
    bool found = p < end && n > 0;
    p += n > 0 ? n : 0;
    c->offset += p - from;
    c->line += found;
    *at = p;
    return found;
}

/* Passes a byte order mark, empty lines and the rest of a refused line. False: nothing is left but
 * what needs more bytes. */
static bool pass_nothing(struct leat_csv *c, const char **at, const char *end, bool last)
{
    if (c->offset == 0 && end - *at < 3 && !last)
        return false;
    if (c->offset == 0 && end - *at >= 3 && memcmp(*at, "\xef\xbb\xbf", 3) == 0) {
        *at += 3;
        c->offset += 3;
    }
    while (*at < end && (c->skipping || **at == '\n' || **at == '\r')) {
        const char *before = *at;
        bool found = pass_line(c, at, end, last);
        c->skipping = c->skipping && !found;
        if (!found && *at == before)
            return false; /* a CR at the end of the window */
    }
    return *at < end;
}

static void refuse(struct leat_csv *c, const struct scan *s, const char **at, const char *end,
                   struct leat_csv_row *ret)
{
    const char *from = *at;
    ret->problem = s->problem;
    ret->problem_field = (uint32_t)s->n;
    c->skipping = !pass_line(c, at, end, s->last);
    const char *to = *at;
    while (to > from && (to[-1] == '\n' || to[-1] == '\r'))
        to--;
    ret->raw = (struct leat_str){from, (uint32_t)(to - from)};
}

static void accept(struct leat_csv *c, const struct scan *s, const char **at,
                   struct leat_csv_row *ret)
{
    const char *to = s->at;
    if (to > *at && to[-1] == '\n')
        to--;
    if (to > *at && to[-1] == '\r')
        to--;
    ret->raw = (struct leat_str){*at, (uint32_t)(to - *at)};
    ret->fields = c->fields;
    ret->n = s->n;
    c->offset += s->at - *at;
    c->line += s->lines;
    *at = s->at;
}

leat_csv_result leat_csv_next(struct leat_csv *c, struct leat_str window, bool last,
                              size_t *ret_used, struct leat_csv_row *ret)
{
    const char *at = window.at;
    const char *end = at + window.len;
    *ret_used = 0;
    if (window.len > 0 && !pass_nothing(c, &at, end, last)) {
        *ret_used = (size_t)(at - window.at);
        return last ? LEAT_CSV_END : LEAT_CSV_MORE;
    }
    if (window.len == 0)
        return last ? LEAT_CSV_END : LEAT_CSV_MORE;

    leat_buf_clear(&c->unescaped);
    *ret = (struct leat_csv_row){.line = c->line, .offset = c->offset};
    bool cut = end - at > LEAT_CSV_ROW_BYTES_MAX;
    struct scan s = {.at = at, .end = cut ? at + LEAT_CSV_ROW_BYTES_MAX : end};
    s.last = last && !cut;
    step how = scan_row(c, &s);
    if (how == STEP_MORE && cut)
        how = bad(&s, LEAT_CSV_ROW_TOO_LONG);
    if (how == STEP_BAD) {
        refuse(c, &s, &at, end, ret);
    } else if (how != STEP_MORE) {
        accept(c, &s, &at, ret);
    }
    *ret_used = (size_t)(at - window.at);
    return how == STEP_MORE ? LEAT_CSV_MORE : how == STEP_BAD ? LEAT_CSV_BAD : LEAT_CSV_ROW;
}

static bool blank(struct leat_str s)
{
    for (uint32_t i = 0; i < s.len; i++) {
        if (s.at[i] != ' ' && s.at[i] != '\t')
            return false;
    }
    return true;
}

leat_csv_result leat_csv_next_line(struct leat_csv *c, struct leat_str window, bool last,
                                   size_t *ret_used, struct leat_csv_row *ret)
{
    const char *at = window.at;
    const char *end = at + window.len;
    *ret_used = 0;
    for (;;) {
        if (window.len == 0 || !pass_nothing(c, &at, end, last)) {
            *ret_used = (size_t)(at - window.at);
            return last ? LEAT_CSV_END : LEAT_CSV_MORE;
        }
        *ret_used = (size_t)(at - window.at);
        *ret = (struct leat_csv_row){.line = c->line, .offset = c->offset};
        const char *lf = memchr(at, '\n', (size_t)(end - at));
        size_t bytes = (size_t)((lf == NULL ? end : lf) - at);
        if (lf == NULL && !last && bytes <= LEAT_CSV_ROW_BYTES_MAX)
            return LEAT_CSV_MORE;
        if (bytes > LEAT_CSV_ROW_BYTES_MAX) {
            refuse(c, &(struct scan){.problem = LEAT_CSV_ROW_TOO_LONG, .last = last}, &at, end,
                   ret);
            *ret_used = (size_t)(at - window.at);
            return LEAT_CSV_BAD;
        }
        accept(c, &(struct scan){.at = at + bytes + (lf != NULL), .lines = lf != NULL}, &at, ret);
        *ret_used = (size_t)(at - window.at);
        if (!blank(ret->raw))
            return LEAT_CSV_ROW;
    }
}
