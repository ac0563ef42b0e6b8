/* A limiter on a virtual clock, against a model that keeps every request. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "guard/limiter.h"

static const struct leat_limit ten = {.requests = 10, .window_ms = 1000};

static bool take(struct leat_limiter *l, const char *key, int64_t now_ms)
{
    return leat_limiter_take(l, leat_str_of(key), &ten, now_ms).allowed;
}

Test(guard_limiter, lets_as_many_through_as_allowed_and_says_how_many_are_left)
{
    struct leat_limiter *l = leat_limiter_new(100);
    for (int i = 0; i < 10; i++) {
        struct leat_limited r = leat_limiter_take(l, LEAT_STR("a"), &ten, 5000);
        cr_expect(r.allowed);
        cr_expect_eq(r.remaining, 9 - i);
    }
    struct leat_limited r = leat_limiter_take(l, LEAT_STR("a"), &ten, 5000);
    cr_expect_not(r.allowed);
    cr_expect_eq(r.remaining, 0);
    cr_expect(take(l, "b", 5000), "another key has its own");
    leat_limiter_free(l);
}

Test(guard_limiter, retry_after_is_when_one_passes_and_not_before)
{
    srand(7);
    for (int round = 0; round < 300; round++) {
        struct leat_limiter *early = leat_limiter_new(100), *right = leat_limiter_new(100);
        struct leat_limited r = {.allowed = true};
        int64_t now = 10000;
        for (int i = 0; i < 60 || r.allowed; i++) {
            now += rand() % 80;
            r = leat_limiter_take(early, LEAT_STR("k"), &ten, now);
            (void)leat_limiter_take(right, LEAT_STR("k"), &ten, now);
        }
        cr_assert_gt(r.retry_after_ms, 0);
        cr_assert_leq(r.retry_after_ms, 2 * ten.window_ms);
        cr_expect(take(right, "k", now + r.retry_after_ms), "round %d", round);
        if (r.retry_after_ms > 1)
            cr_expect_not(take(early, "k", now + r.retry_after_ms - 1), "round %d: %lld", round,
                          (long long)r.retry_after_ms);
        leat_limiter_free(early);
        leat_limiter_free(right);
    }
}

/* Any window holds at most twice the limit, and a steady pace below the limit is never refused. */
Test(guard_limiter, no_window_holds_more_than_two_limits)
{
    struct leat_limiter *l = leat_limiter_new(100);
    enum {
        N = 20000
    };
    static int64_t passed[N];
    int n = 0;
    int64_t now = 0;
    srand(3);
    for (int i = 0; i < N; i++) {
        now += rand() % 40;
        if (take(l, "x", now))
            passed[n++] = now;
    }
    for (int i = 0, from = 0; i < n; i++) {
        while (passed[i] - passed[from] >= ten.window_ms)
            from++;
        cr_assert_leq(i - from + 1, 2 * ten.requests);
    }
    cr_expect_gt(n, (int)(now / ten.window_ms * ten.requests * 8 / 10));
    for (now += 10000; n > 0; n--, now += 112) /* 8.9 a second */
        cr_assert(take(l, "x", now));
    leat_limiter_free(l);
}

Test(guard_limiter, a_full_table_forgets_the_key_used_longest_ago)
{
    struct leat_limiter *l = leat_limiter_new(64);
    char key[32];
    for (int i = 0; i < 10; i++)
        (void)take(l, "busy", 1000);
    for (int i = 0; i < 100000; i++) {
        (void)snprintf(key, sizeof key, "k%d", i);
        cr_assert(take(l, key, 1001 + i / 1000));
        if (i % 10 == 0)
            cr_assert_not(take(l, "busy", 1001 + i / 1000), "used all the time: %d", i);
    }
    leat_limiter_free(l);
}
