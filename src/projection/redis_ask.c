#include "projection/redis_ask.h"

#include <inttypes.h>

#include "base/units.h"
#include "projection/model_rows_redis.h"
#include "projection/redis_pool.h"

#define BLOCK_BYTES 16384

const char *const leat_redis_about[LEAT_ABOUTS] = {
    "made",    "left",      "build_pid", "build_done", "build_total",
    "build_s", "build_beg", "build_at",  "paused",     "pace"};

void leat_redis_ask_done(struct leat_redis_ask *a)
{
    leat_redis_give(a->redis);
    leat_arena_free(a->arena);
}

leat_status leat_redis_ask_start(const struct leat_redis_model *m, struct leat_redis_ask *ret,
                                 struct leat_error *err)
{
    *ret = (struct leat_redis_ask){.m = m, .arena = leat_arena_new(BLOCK_BYTES, 0)};
    return leat_redis_take(m->topology, &ret->redis, err);
}

void leat_redis_send_words(struct leat_redis *r, const struct leat_str *words, size_t n)
{
    leat_redis_command(r, n);
    for (size_t i = 0; i < n; i++)
        leat_redis_arg(r, words[i]);
}

struct leat_str leat_redis_ask_key(const struct leat_redis_ask *a, const char *what)
{
    return leat_redis_model_key(a->m->topology->name, a->m->projection->name, what, a->arena);
}

struct leat_str leat_redis_ask_key_of(const struct leat_redis_ask *a, const char *what,
                                      const char *version)
{
    return leat_redis_ask_key(a, leat_arena_printf(a->arena, "%s:%s", what, version));
}

struct leat_str leat_redis_ask_number(const struct leat_redis_ask *a, int64_t number)
{
    return leat_str_of(leat_arena_printf(a->arena, "%" PRId64, number));
}

int64_t leat_redis_told(const struct leat_redis_reply *reply)
{
    int64_t n = 0;
    return leat_parse_int(leat_redis_text(reply), &n) == LEAT_UNITS_OK ? n : 0;
}
