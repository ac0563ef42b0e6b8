#include <criterion/criterion.h>
#include <stdio.h>

#include "worker/cache.h"

static struct leat_str key_at(char room[16], int i)
{
    int n = snprintf(room, 16, "key-%05d", i);
    return (struct leat_str){room, (uint32_t)n};
}

Test(cache, gives_back_what_was_put)
{
    struct leat_cache *c = leat_cache_new(1 << 20, 4);
    struct leat_cached in = {7, 70, LEAT_STR("state")}, out;
    leat_cache_put(c, 1, LEAT_STR("a"), &in);
    cr_assert(leat_cache_get(c, 1, LEAT_STR("a"), &out));
    cr_expect_eq(out.version, 7);
    cr_expect_eq(out.as_of, 70);
    cr_expect(leat_str_eq(out.state, LEAT_STR("state")));
    cr_expect_not(leat_cache_get(c, 1, LEAT_STR("b"), &out));
    in.state = LEAT_STR("a state that is a good deal longer than the one before it");
    leat_cache_put(c, 1, LEAT_STR("a"), &in);
    cr_assert(leat_cache_get(c, 1, LEAT_STR("a"), &out));
    cr_expect(leat_str_eq(out.state, in.state));
    leat_cache_free(c);
}

Test(cache, a_dropped_slice_is_gone_and_others_are_not)
{
    struct leat_cache *c = leat_cache_new(1 << 20, 4);
    struct leat_cached in = {1, 1, LEAT_STR("s")}, out;
    leat_cache_put(c, 0, LEAT_STR("a"), &in);
    leat_cache_put(c, 1, LEAT_STR("b"), &in);
    leat_cache_drop_slice(c, 0);
    cr_expect_not(leat_cache_get(c, 0, LEAT_STR("a"), &out));
    cr_expect(leat_cache_get(c, 1, LEAT_STR("b"), &out));
    leat_cache_put(c, 0, LEAT_STR("a"), &in);
    cr_expect(leat_cache_get(c, 0, LEAT_STR("a"), &out));
    leat_cache_free(c);
}

Test(cache, stays_within_its_bytes_and_finds_what_it_keeps)
{
    struct leat_cache *c = leat_cache_new(64 * 1024, 2);
    char room[16];
    size_t found = 0;
    for (int i = 0; i < 10000; i++) {
        struct leat_cached in = {i, i, LEAT_STR("some state of a stream")};
        leat_cache_put(c, i % 2, key_at(room, i), &in);
        cr_assert_leq(leat_cache_bytes(c), 64 * 1024);
    }
    for (int i = 0; i < 10000; i++) {
        struct leat_cached out;
        if (!leat_cache_get(c, i % 2, key_at(room, i), &out))
            continue;
        cr_assert_eq(out.version, i);
        found++;
    }
    cr_expect_eq(found, leat_cache_count(c));
    cr_expect_gt(found, 100);
    leat_cache_free(c);
}

Test(cache, single_keys_can_be_dropped_in_any_order)
{
    struct leat_cache *c = leat_cache_new(8 << 20, 1);
    char room[16];
    struct leat_cached in = {1, 1, LEAT_STR("s")}, out;
    for (int i = 0; i < 3000; i++)
        leat_cache_put(c, 0, key_at(room, i), &in);
    for (int i = 0; i < 3000; i += 2)
        leat_cache_drop(c, 0, key_at(room, (i * 7) % 3000));
    for (int i = 0; i < 3000; i++) {
        bool dropped = i % 2 == 0;
        cr_assert_eq(leat_cache_get(c, 0, key_at(room, i), &out), !dropped, "key %d", i);
    }
    leat_cache_free(c);
}
