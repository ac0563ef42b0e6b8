#include <string.h>

#include "cli/new.h"

#define NAME_BYTES_MAX 48
#define TYPES_MAX      32

static bool ends_with(struct leat_str s, const char *end)
{
    size_t len = strlen(end);
    return s.len > len && memcmp(s.at + s.len - len, end, len) == 0;
}

struct leat_str leat_new_singular(struct leat_str name, struct leat_arena *arena)
{
    if (ends_with(name, "ies")) {
        const char *text = leat_arena_printf(arena, "%.*sy", (int)name.len - 3, name.at);
        return leat_str_of(text);
    }
    uint32_t drop = 0;
    if (ends_with(name, "sses") || ends_with(name, "xes") || ends_with(name, "ches") ||
        ends_with(name, "shes")) {
        drop = 2;
    } else if (ends_with(name, "s") && !ends_with(name, "ss") && !ends_with(name, "us")) {
        drop = 1;
    }
    return leat_str_of(leat_arena_cstr(arena, (struct leat_str){name.at, name.len - drop}));
}

struct leat_str leat_new_type(struct leat_str name, struct leat_arena *arena)
{
    char *to = leat_arena_alloc(arena, (size_t)name.len + 1);
    uint32_t n = 0;
    bool capital = true;
    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (c == '_') {
            capital = true;
            continue;
        }
        to[n++] = capital && c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
        capital = false;
    }
    to[n] = '\0';
    return (struct leat_str){to, n};
}

leat_status leat_new_check_name(const char *what, struct leat_str name, struct leat_error *err)
{
    bool ok = name.len > 0 && name.len <= NAME_BYTES_MAX;
    for (uint32_t i = 0; i < name.len && ok; i++) {
        char c = name.at[i];
        bool digit = c >= '0' && c <= '9';
        ok = (c >= 'a' && c <= 'z') || (i > 0 && (digit || c == '_'));
    }
    if (ok)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_INVALID, "'%.*s' cannot be the name of a %s",
                    (int)(name.len < 80 ? name.len : 80), name.at, what);
    leat_error_hint(err,
                    "a-z, 0-9 and _, a letter first, at most %d: it becomes part of names in "
                    "C, SQL and Kafka.",
                    NAME_BYTES_MAX);
    return LEAT_INVALID;
}

static bool is_type(struct leat_str s)
{
    for (uint32_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool more = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
        if (!(c >= 'A' && c <= 'Z') && (i == 0 || !more))
            return false;
    }
    return s.len > 0 && s.len <= NAME_BYTES_MAX;
}

leat_status leat_new_types(const char *option, const char *list, struct leat_arena *arena,
                           struct leat_names *ret, struct leat_error *err)
{
    struct leat_str *names = leat_arena_zalloc(arena, TYPES_MAX, sizeof *names);
    uint32_t n = 0;
    for (const char *at = list; at != NULL;) {
        size_t len = strcspn(at, ",");
        struct leat_str name = {at, (uint32_t)len};
        if (!is_type(name)) {
            (void)leat_fail(err, LEAT_INVALID, "--%s: '%.*s' is not the name of a type", option,
                            (int)(len < 80 ? len : 80), at);
            leat_error_hint(err, "Letters and digits, a capital first, commas between: "
                                 "PlaceOrder,CancelOrder.");
            return LEAT_INVALID;
        }
        if (n == TYPES_MAX)
            return leat_fail(err, LEAT_INVALID, "--%s: more than %d types", option, TYPES_MAX);
        names[n++] = leat_str_of(leat_arena_cstr(arena, name));
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    *ret = (struct leat_names){names, n};
    return LEAT_OK;
}

static struct leat_names one(struct leat_arena *arena, const char *name)
{
    struct leat_str *at = leat_arena_alloc(arena, sizeof *at);
    *at = leat_str_of(name);
    return (struct leat_names){at, 1};
}

struct leat_new_processor leat_new_starter(struct leat_str topology, struct leat_str name,
                                           struct leat_str aggregate, struct leat_arena *arena)
{
    const char *type = leat_new_type(aggregate, arena).at;
    struct leat_str *made = leat_arena_zalloc(arena, 3, sizeof *made);
    made[0] = leat_str_of(leat_arena_printf(arena, "Create%s", type));
    made[1] = leat_str_of(leat_arena_printf(arena, "%sCreated", type));
    made[2] = leat_str_of(leat_arena_printf(arena, "%sState", type));
    return (struct leat_new_processor){
        .topology = topology,
        .name = name,
        .aggregate = aggregate,
        .key = leat_str_of(leat_arena_printf(arena, "%.*s_id", LEAT_STR_FMT(aggregate))),
        .state = made[2],
        .new_aggregate = true,
        .starter = true,
        .commands = one(arena, made[0].at),
        .emits = one(arena, made[1].at),
        .made = {made, 3}};
}
