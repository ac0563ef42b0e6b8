#include "query/params.h"

#include <string.h>
#include <strings.h>

#include "base/suggest.h"
#include "base/units.h"
#include "base/utf8.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char lower = (char)(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Nothing in it is to be decoded. */
static bool is_plain(struct leat_str raw, bool plus_is_space)
{
    for (uint32_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.at[i];
        if (c == 0 || c >= 0x80 || c == '%' || (c == '+' && plus_is_space))
            return false;
    }
    return true;
}

static leat_status decode(struct leat_str raw, bool plus_is_space, struct leat_arena *arena,
                          struct leat_str *ret, struct leat_error *err)
{
    uint32_t n = 0;
    if (is_plain(raw, plus_is_space)) {
        *ret = raw;
        return LEAT_OK;
    }
    char *to = leat_arena_alloc(arena, raw.len + 1);
    for (uint32_t i = 0; i < raw.len; i++) {
        char c = raw.at[i];
        if (c == '%') {
            int high = i + 1 < raw.len ? hex_value(raw.at[i + 1]) : -1;
            int low = i + 2 < raw.len ? hex_value(raw.at[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return leat_fail(err, LEAT_INVALID,
                                 "a '%%' in the address is not followed by two "
                                 "hexadecimal digits");
            }
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        if (c == 0)
            return leat_fail(err, LEAT_INVALID, "the address holds a NUL byte");
        to[n++] = c;
    }
    to[n] = 0;
    *ret = (struct leat_str){to, n};
    if (!leat_utf8_valid(*ret))
        return leat_fail(err, LEAT_INVALID, "the address is not UTF-8");
    return LEAT_OK;
}

static leat_status parse_path(struct leat_str path, struct leat_arena *arena, struct leat_target *t,
                              struct leat_error *err)
{
    if (path.len == 0 || path.at[0] != '/')
        return leat_fail(err, LEAT_INVALID, "the address must start with '/'");
    bool plain = is_plain(path, false);
    uint32_t start = 1;
    while (start < path.len) {
        const char *slash = memchr(path.at + start, '/', path.len - start);
        uint32_t end = slash == NULL ? path.len : (uint32_t)(slash - path.at);
        if (t->n_segments == LEAT_SEGMENTS_MAX)
            return LEAT_OK; /* deeper levels are in the tails of those before */
        uint32_t i = t->n_segments++;
        struct leat_str segment = {path.at + start, end - start};
        struct leat_str tail = {path.at + start, path.len - start};
        start = end + 1;
        if (plain) {
            t->segments[i] = segment;
            t->tails[i] = tail;
            continue;
        }
        LEAT_TRY(decode(segment, false, arena, &t->segments[i], err), err, "path");
        LEAT_TRY(decode(tail, false, arena, &t->tails[i], err), err, "path");
    }
    return LEAT_OK;
}

static leat_status parse_param(struct leat_str pair, struct leat_arena *arena,
                               struct leat_target *t, struct leat_error *err)
{
    if (pair.len == 0)
        return LEAT_OK;
    if (t->n_params == LEAT_PARAMS_MAX)
        return leat_fail(err, LEAT_INVALID, "more than %d parameters", LEAT_PARAMS_MAX);
    struct leat_param *p = &t->params[t->n_params++];
    const char *equals = memchr(pair.at, '=', pair.len);
    uint32_t name_len = equals == NULL ? pair.len : (uint32_t)(equals - pair.at);
    uint32_t value_at = equals == NULL ? pair.len : name_len + 1;
    LEAT_TRY(decode((struct leat_str){pair.at, name_len}, true, arena, &p->name, err), err,
             "parameter");
    return decode((struct leat_str){pair.at + value_at, pair.len - value_at}, true, arena,
                  &p->value, err);
}

leat_status leat_target_parse(struct leat_str raw, struct leat_arena *arena,
                              struct leat_target *ret, struct leat_error *err)
{
    memset(ret, 0, sizeof *ret);
    if (raw.len > LEAT_TARGET_BYTES_MAX) {
        return leat_fail(err, LEAT_INVALID, "the address is longer than %d bytes",
                         LEAT_TARGET_BYTES_MAX);
    }
    const char *mark = raw.len == 0 ? NULL : memchr(raw.at, '?', raw.len);
    struct leat_str path = {raw.at, mark == NULL ? raw.len : (uint32_t)(mark - raw.at)};
    LEAT_TRY(parse_path(path, arena, ret, err), err, "address");
    uint32_t start = mark == NULL ? raw.len : path.len + 1;
    while (start < raw.len) {
        const char *amp = memchr(raw.at + start, '&', raw.len - start);
        uint32_t end = amp == NULL ? raw.len : (uint32_t)(amp - raw.at);
        LEAT_TRY(parse_param((struct leat_str){raw.at + start, end - start}, arena, ret, err), err,
                 "address");
        start = end + 1;
    }
    return LEAT_OK;
}

bool leat_target_param(const struct leat_target *t, const char *name, struct leat_str *ret)
{
    for (uint32_t i = 0; i < t->n_params; i++) {
        if (leat_str_eq(t->params[i].name, leat_str_of(name))) {
            *ret = t->params[i].value;
            return true;
        }
    }
    return false;
}

/* False at the end of the list. */
static bool next_of(const char **list, struct leat_str *ret)
{
    const char *end = strchrnul(*list, ',');
    *ret = (struct leat_str){*list, (uint32_t)(end - *list)};
    *list = end + (*end == ',');
    return ret->len > 0;
}

static bool in_list(const char *list, struct leat_str name)
{
    struct leat_str item;
    while (next_of(&list, &item)) {
        if (leat_str_eq(item, name))
            return true;
    }
    return false;
}

static leat_status not_in_list(const char *list, struct leat_str name, struct leat_error *err)
{
    struct leat_suggest nearest;
    struct leat_str item;
    leat_suggest_start(&nearest, name);
    for (const char *rest = list; next_of(&rest, &item);)
        leat_suggest_offer(&nearest, item);
    leat_status status = leat_fail(err, LEAT_INVALID, "there is no parameter '%.*s'",
                                   (int)(name.len < 100 ? name.len : 100), name.at);
    if (nearest.best.len > 0) {
        leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(nearest.best));
    } else if (*list != 0) {
        leat_error_hint(err, "here are: %s", list);
    }
    return status;
}

leat_status leat_target_allow(const struct leat_target *t, const char *allowed,
                              struct leat_error *err)
{
    for (uint32_t i = 0; i < t->n_params; i++) {
        struct leat_str name = t->params[i].name;
        if (!in_list(allowed, name))
            return not_in_list(allowed, name, err);
        for (uint32_t j = 0; j < i; j++) {
            if (leat_str_eq(t->params[j].name, name)) {
                return leat_fail(err, LEAT_INVALID, "parameter '%.*s' is given twice",
                                 LEAT_STR_FMT(name));
            }
        }
    }
    return LEAT_OK;
}

leat_status leat_target_int(const struct leat_target *t, const char *name, int64_t min, int64_t max,
                            int64_t *ret, struct leat_error *err)
{
    struct leat_str text;
    int64_t v = 0;
    if (!leat_target_param(t, name, &text))
        return LEAT_OK;
    if (leat_parse_int(text, &v) != LEAT_UNITS_OK || v < min || v > max) {
        return leat_fail(err, LEAT_INVALID,
                         "parameter '%s' must be a whole number from %lld to %lld", name,
                         (long long)min, (long long)max);
    }
    *ret = v;
    return LEAT_OK;
}

static struct leat_str trim(struct leat_str s)
{
    while (s.len > 0 && (s.at[0] == ' ' || s.at[0] == '\t')) {
        s.at++;
        s.len--;
    }
    while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    return s;
}

bool leat_prefer_wait(struct leat_str header, int64_t *ret_ms)
{
    static const char name[] = "wait=";
    while (header.len > 0) {
        const char *comma = memchr(header.at, ',', header.len);
        uint32_t n = comma == NULL ? header.len : (uint32_t)(comma - header.at);
        struct leat_str item = trim((struct leat_str){header.at, n});
        int64_t seconds = 0;
        if (item.len >= sizeof name && strncasecmp(item.at, name, sizeof name - 1) == 0 &&
            leat_parse_int((struct leat_str){item.at + 5, item.len - 5}, &seconds) ==
                LEAT_UNITS_OK &&
            seconds >= 0) {
            *ret_ms = (seconds < LEAT_WAIT_S_MAX ? seconds : LEAT_WAIT_S_MAX) * 1000;
            return true;
        }
        header.at += comma == NULL ? n : n + 1;
        header.len -= comma == NULL ? n : n + 1;
    }
    return false;
}

int64_t leat_prefer_wait_ms(struct leat_str header)
{
    int64_t ms = 0;
    (void)leat_prefer_wait(header, &ms);
    return ms;
}

bool leat_etag_listed(struct leat_str header, struct leat_str etag)
{
    while (header.len > 0) {
        const char *comma = memchr(header.at, ',', header.len);
        uint32_t n = comma == NULL ? header.len : (uint32_t)(comma - header.at);
        struct leat_str item = trim((struct leat_str){header.at, n});
        if (item.len > 2 && memcmp(item.at, "W/", 2) == 0)
            item = (struct leat_str){item.at + 2, item.len - 2};
        if (leat_str_eq(item, etag) || leat_str_eq(item, LEAT_STR("*")))
            return true;
        header.at += comma == NULL ? n : n + 1;
        header.len -= comma == NULL ? n : n + 1;
    }
    return false;
}

leat_status leat_idempotency_id(struct leat_str topology, struct leat_str key,
                                struct leat_uuid *ret, struct leat_error *err)
{
    /* The space of these names: arbitrary, fixed for ever. */
    static const struct leat_uuid space = {{0x9a, 0x0e, 0x4b, 0x1c, 0x5d, 0x7a, 0x5f, 0x0c, 0x8e,
                                            0x21, 0x6c, 0x65, 0x61, 0x74, 0x2d, 0x69}};
    key = trim(key);
    if (key.len == 0 || key.len > LEAT_IDEMPOTENCY_MAX) {
        return leat_fail(err, LEAT_INVALID, "Idempotency-Key must have 1 to %d characters",
                         LEAT_IDEMPOTENCY_MAX);
    }
    for (uint32_t i = 0; i < key.len; i++) {
        if ((unsigned char)key.at[i] < 0x20 || (unsigned char)key.at[i] > 0x7e)
            return leat_fail(err, LEAT_INVALID, "Idempotency-Key must be printable ASCII");
    }
    if (leat_uuid_parse(key, ret))
        return LEAT_OK;
    struct leat_uuid own = leat_uuid_v5(&space, topology.at, topology.len);
    *ret = leat_uuid_v5(&own, key.at, key.len);
    return LEAT_OK;
}
