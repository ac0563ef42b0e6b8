#include "query/filters.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/units.h"
#include "base/when.h"

#define SHOWN 100 /* characters of what was given */

static int shown(struct leat_str s)
{
    return (int)(s.len < SHOWN ? s.len : SHOWN);
}

struct leat_dead_filter leat_dead_filter_of(uint32_t states)
{
    return (struct leat_dead_filter){.partition = -1, .offset = -1, .states = states};
}

struct leat_waiter_filter leat_waiter_filter_of(uint32_t reasons)
{
    return (struct leat_waiter_filter){.reasons = reasons};
}

/* ---- values ---- */

struct names {
    const char *what;
    const char *const *at;
    size_t n;
    uint32_t all, open; /* bits that the words "all" and "open" stand for; 0: no such word */
};

static leat_status no_such_name(const struct names *names, struct leat_str item,
                                struct leat_error *err)
{
    struct leat_suggest near;
    leat_suggest_start(&near, item);
    for (size_t i = 0; i < names->n; i++)
        leat_suggest_offer_cstr(&near, names->at[i]);
    (void)leat_fail(err, LEAT_INVALID, "'%.*s' is no %s", shown(item), item.at, names->what);
    if (near.best.len > 0) {
        leat_error_hint(err, "Did you mean '%.*s'?", LEAT_STR_FMT(near.best));
        return LEAT_INVALID;
    }
    size_t len = 0;
    char list[128] = "";
    for (size_t i = 0; i < names->n; i++) {
        size_t n = strlen(names->at[i]);
        if (n == 0 || len + n + 3 > sizeof list)
            continue;
        if (len > 0) {
            memcpy(list + len, ", ", 3);
            len += 2;
        }
        memcpy(list + len, names->at[i], n + 1);
        len += n;
    }
    leat_error_hint(err, "There are %s and all.", list);
    return LEAT_INVALID;
}

/* "dead,quarantined" as bits. */
static leat_status set_names(const struct names *names, struct leat_str value, uint32_t *ret,
                             struct leat_error *err)
{
    uint32_t bits = 0;
    while (value.len > 0 || bits == 0) {
        const char *comma = value.len == 0 ? NULL : memchr(value.at, ',', value.len);
        uint32_t n = comma == NULL ? value.len : (uint32_t)(comma - value.at);
        struct leat_str item = {value.at, n};
        uint32_t bit = leat_str_eq(item, LEAT_STR("all"))    ? names->all
                       : leat_str_eq(item, LEAT_STR("open")) ? names->open
                                                             : 0;
        for (size_t i = 0; i < names->n && bit == 0; i++) {
            if (item.len > 0 && leat_str_eq(item, leat_str_of(names->at[i])))
                bit = 1U << i;
        }
        if (bit == 0)
            return no_such_name(names, item, err);
        bits |= bit;
        value = comma == NULL ? (struct leat_str){"", 0}
                              : (struct leat_str){comma + 1, value.len - n - 1};
    }
    *ret = bits;
    return LEAT_OK;
}

static leat_status set_when(const char *name, struct leat_str value, int64_t now_us, int64_t *ret,
                            struct leat_error *err)
{
    if (leat_when_parse(value, now_us, ret))
        return LEAT_OK;
    (void)leat_fail(err, LEAT_INVALID, "%s: '%.*s' is no time", name, shown(value), value.at);
    leat_error_hint(err, "A time is " LEAT_WHEN_FORMS ".");
    return LEAT_INVALID;
}

/* "topic", "topic/partition" or "topic/partition/offset"; no topic's name has a slash. */
static leat_status set_origin(struct leat_dead_filter *f, struct leat_str value,
                              struct leat_error *err)
{
    struct leat_str part[3] = {{0}};
    uint32_t n = 0, start = 0;
    for (uint32_t i = 0; i <= value.len && n < 3; i++) {
        if (i == value.len || (value.at[i] == '/' && n < 2)) {
            part[n++] = (struct leat_str){value.at + start, i - start};
            start = i + 1;
        }
    }
    int64_t partition = -1, offset = -1;
    bool good = part[0].len > 0;
    if (n > 1)
        good = good && leat_parse_int(part[1], &partition) == LEAT_UNITS_OK && partition >= 0 &&
               partition <= INT32_MAX;
    if (n > 2)
        good = good && leat_parse_int(part[2], &offset) == LEAT_UNITS_OK && offset >= 0;
    if (!good) {
        (void)leat_fail(err, LEAT_INVALID, "origin: '%.*s' is no place of a record", shown(value),
                        value.at);
        leat_error_hint(err, "An origin is <topic>, <topic>/<partition> or "
                             "<topic>/<partition>/<offset>.");
        return LEAT_INVALID;
    }
    f->topic = part[0];
    f->partition = (int32_t)partition;
    f->offset = offset;
    return LEAT_OK;
}

/* An empty value would mean "any": not what is asked for. */
static leat_status set_text(const char *name, struct leat_str value, struct leat_str *ret,
                            struct leat_error *err)
{
    if (value.len == 0)
        return leat_fail(err, LEAT_INVALID, "%s: nothing is given", name);
    *ret = value;
    return LEAT_OK;
}

leat_status leat_dead_filter_set(struct leat_dead_filter *f, const char *name,
                                 struct leat_str value, int64_t now_us, struct leat_error *err)
{
    static const struct names states = {"state of a dead letter", leat_dead_state_names,
                                        LEAT_DEAD_STATES, LEAT_DEAD_ALL, LEAT_DEAD_OPEN};
    if (strcmp(name, "key") == 0) {
        f->key = value;
        f->has_key = true;
        return LEAT_OK;
    }
    if (strcmp(name, "origin") == 0)
        return set_origin(f, value, err);
    if (strcmp(name, "state") == 0)
        return set_names(&states, value, &f->states, err);
    if (strcmp(name, "since") == 0)
        return set_when(name, value, now_us, &f->since_us, err);
    if (strcmp(name, "until") == 0)
        return set_when(name, value, now_us, &f->until_us, err);
    struct leat_str *to = strcmp(name, "processor") == 0 ? &f->processor
                          : strcmp(name, "code") == 0    ? &f->code
                          : strcmp(name, "class") == 0   ? &f->class
                                                         : &f->type;
    return set_text(name, value, to, err);
}

leat_status leat_waiter_filter_set(struct leat_waiter_filter *f, const char *name,
                                   struct leat_str value, int64_t now_us, struct leat_error *err)
{
    static const struct names reasons = {"reason to wait", leat_waits_names, LEAT_WAITS_MAX + 1,
                                         LEAT_WAITS_ALL, 0};
    if (strcmp(name, "key") == 0) {
        f->key = value;
        f->has_key = true;
        return LEAT_OK;
    }
    if (strcmp(name, "reason") == 0)
        return set_names(&reasons, value, &f->reasons, err);
    if (strcmp(name, "until") == 0) {
        int64_t ms = 0;
        if (leat_parse_duration(value, &ms) == LEAT_UNITS_OK && ms >= 0) { /* from now on, here */
            f->due_until_us = now_us + ms * 1000;
            return LEAT_OK;
        }
        return set_when(name, value, now_us, &f->due_until_us, err);
    }
    struct leat_str *to = strcmp(name, "processor") == 0 ? &f->processor
                          : strcmp(name, "code") == 0    ? &f->code
                                                         : &f->type;
    return set_text(name, value, to, err);
}

leat_status leat_processor_known(struct leat_store *s, struct leat_str name,
                                 struct leat_arena *arena, struct leat_error *err)
{
    struct leat_str *names = NULL;
    size_t n = 0;
    struct leat_suggest near;
    leat_suggest_start(&near, name);
    LEAT_TRY(leat_store_processors(s, arena, &names, &n, err), err, "processor '%.*s'", shown(name),
             name.at);
    for (size_t i = 0; i < n; i++) {
        if (leat_str_eq(names[i], name))
            return LEAT_OK;
        leat_suggest_offer(&near, names[i]);
    }
    (void)leat_fail(err, LEAT_INVALID, "there is no processor '%.*s'", shown(name), name.at);
    if (near.best.len > 0)
        leat_error_hint(err, "Did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return LEAT_INVALID;
}

/* ---- cursors: "<microseconds>_<id>_<processor>" ---- */

static void put_cursor(int64_t us, const struct leat_uuid *id, struct leat_str processor,
                       struct leat_buf *out)
{
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(id, text);
    leat_buf_printf(out, "%" PRId64 "_%s_%.*s", us, text, LEAT_STR_FMT(processor));
}

static leat_status read_cursor(struct leat_str text, int64_t *ret_us, struct leat_uuid *ret_id,
                               struct leat_str *ret_processor, struct leat_error *err)
{
    const char *bar = text.len == 0 ? NULL : memchr(text.at, '_', text.len);
    uint32_t n = bar == NULL ? 0 : (uint32_t)(bar - text.at);
    struct leat_str rest = {text.at + n + 1, text.len > n + 1 ? text.len - n - 1 : 0};
    bool good = n > 0 && leat_parse_int((struct leat_str){text.at, n}, ret_us) == LEAT_UNITS_OK &&
                *ret_us > 0 && rest.len > LEAT_UUID_TEXT && rest.at[LEAT_UUID_TEXT - 1] == '_' &&
                leat_uuid_parse((struct leat_str){rest.at, LEAT_UUID_TEXT - 1}, ret_id);
    if (!good)
        return leat_fail(err, LEAT_INVALID, "the cursor is not one of this list");
    *ret_processor =
        (struct leat_str){rest.at + LEAT_UUID_TEXT, rest.len - (uint32_t)LEAT_UUID_TEXT};
    return LEAT_OK;
}

void leat_dead_cursor_put(const struct leat_dead_row *last, struct leat_buf *out)
{
    put_cursor(last->last_at_us, &last->id, last->processor, out);
}

leat_status leat_dead_cursor_read(struct leat_str text, struct leat_dead_page *ret,
                                  struct leat_error *err)
{
    return read_cursor(text, &ret->last_at_us, &ret->id, &ret->processor, err);
}

void leat_waiter_cursor_put(const struct leat_waiter *last, struct leat_buf *out)
{
    put_cursor(last->due_at_us, &last->id, last->processor, out);
}

leat_status leat_waiter_cursor_read(struct leat_str text, struct leat_waiter_page *ret,
                                    struct leat_error *err)
{
    LEAT_TRY(read_cursor(text, &ret->due_at_us, &ret->id, &ret->processor, err), err, "page");
    ret->behind = true;
    return LEAT_OK;
}
