/* uses: base topology codec kafka store projection query */
/* http_params.c - request lines, preferences and keys as anybody may send them: bounded results or
 * a reason, never a crash. Input: request target, newline, Prefer, newline, Idempotency-Key. */
#include <stdlib.h>

#include "query/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct leat_str take_line(struct leat_str *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->at, '\n', rest->len);
    struct leat_str line = {rest->at, end == NULL ? rest->len : (uint32_t)(end - rest->at)};
    uint32_t used = line.len + (end != NULL);
    rest->at += used;
    rest->len -= used;
    return line;
}

static void check_target(struct leat_str raw, struct leat_arena *arena)
{
    struct leat_request rq = {0};
    struct leat_error err = {0};
    char methods[64];
    int64_t limit = 100;
    if (leat_target_parse(raw, arena, &rq.target, &err) != LEAT_OK)
        return;
    leat_assert(rq.target.n_segments <= LEAT_SEGMENTS_MAX);
    leat_assert(rq.target.n_params <= LEAT_PARAMS_MAX);
    rq.route = leat_route_find("GET", &rq.target, methods);
    if (rq.route == NULL)
        return;
    if (leat_target_allow(&rq.target, rq.route->params, &err) != LEAT_OK)
        return;
    static const char *const names[] = {"model", "key", "id", "subject", "version", "type"};
    uint32_t total = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        total += leat_route_value(&rq, names[i]).len;
    leat_assert(total <= 6 * raw.len);
    if (leat_target_int(&rq.target, "limit", 1, 1000, &limit, &err) == LEAT_OK)
        leat_assert(limit >= 1 && limit <= 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n > 65536)
        return 0;
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_str rest = {(const char *)bytes, (uint32_t)n};
    struct leat_uuid id;
    struct leat_error err = {0};
    check_target(take_line(&rest), arena);
    int64_t wait_ms = leat_prefer_wait_ms(take_line(&rest));
    leat_assert(wait_ms >= 0 && wait_ms <= LEAT_WAIT_S_MAX * 1000);
    (void)!leat_idempotency_id(LEAT_STR("shop"), rest, &id, &err);
    leat_arena_free(arena);
    return 0;
}
