#include <criterion/criterion.h>

#include "worker/ownership.h"

#define N 4

static struct leat_held ks[N];
static struct leat_ownership o;
static int32_t out[N];
static size_t out_n;
static int64_t wait_ms;

static void start(void)
{
    static const int32_t all[] = {0, 1, 2};
    leat_ownership_init(&o, ks, N);
    leat_ownership_assigned(&o, all, 3);
}

static leat_acquire next(int64_t now_ms)
{
    return leat_ownership_next(&o, now_ms, out, &out_n, &wait_ms);
}

static void acquire_all(void)
{
    start();
    for (int32_t k = 0; k < 3; k++)
        leat_ownership_read(&o, k, 10 + k);
    leat_ownership_confirmed(&o, (int32_t[]){0, 1, 2}, 3);
    for (int32_t k = 0; k < 3; k++)
        leat_ownership_claimed(&o, k, true, 11 + k);
    for (int32_t k = 0; k < 3; k++)
        leat_ownership_started(&o, k);
}

Test(ownership, steps_come_in_order_and_together)
{
    start();
    cr_expect_eq(next(0), LEAT_ACQUIRE_READ);
    cr_expect_eq(out_n, 3);
    for (int32_t k = 0; k < 3; k++)
        leat_ownership_read(&o, k, 7);
    cr_expect_eq(next(0), LEAT_ACQUIRE_CONFIRM);
    leat_ownership_confirmed(&o, out, out_n);
    cr_expect_eq(next(0), LEAT_ACQUIRE_CLAIM);
    for (int32_t k = 0; k < 3; k++)
        leat_ownership_claimed(&o, k, true, 8);
    cr_expect_eq(next(0), LEAT_ACQUIRE_START);
    for (int32_t k = 0; k < 3; k++)
        leat_ownership_started(&o, k);
    cr_expect_eq(next(0), LEAT_ACQUIRE_WAIT);
    cr_expect_eq(ks[1].hold, LEAT_HOLD_OWNED);
    cr_expect_eq(ks[1].epoch, 8);
    cr_expect_eq(ks[3].hold, LEAT_HOLD_NONE);
}

Test(ownership, a_lost_k_is_acquired_again_and_only_it)
{
    acquire_all();
    leat_ownership_lost(&o, 1, 0);
    cr_expect_eq(next(0), LEAT_ACQUIRE_READ);
    cr_expect_eq(out_n, 1);
    cr_expect_eq(out[0], 1);
}

Test(ownership, a_revoked_k_is_not_acquired_again_when_lost_late)
{
    acquire_all();
    leat_ownership_revoked(&o, (int32_t[]){1}, 1);
    leat_ownership_lost(&o, 1, 0);
    cr_expect_eq(next(0), LEAT_ACQUIRE_WAIT);
}

Test(ownership, a_claim_lost_to_another_starts_over_with_a_fresh_epoch)
{
    start();
    leat_ownership_read(&o, 0, 5);
    leat_ownership_confirmed(&o, (int32_t[]){0}, 1);
    leat_ownership_claimed(&o, 0, false, 6);
    cr_expect_eq(ks[0].hold, LEAT_HOLD_READ);
}

Test(ownership, results_for_a_revoked_k_change_nothing)
{
    start();
    leat_ownership_revoked(&o, (int32_t[]){0, 1, 2}, 3);
    leat_ownership_read(&o, 0, 5);
    leat_ownership_confirmed(&o, (int32_t[]){0}, 1);
    leat_ownership_claimed(&o, 0, true, 6);
    leat_ownership_started(&o, 0);
    cr_expect_eq(ks[0].hold, LEAT_HOLD_NONE);
}

Test(ownership, failures_back_off_within_bounds)
{
    start();
    int64_t now = 1000, longest = 0;
    for (int i = 0; i < 40; i++) {
        leat_ownership_failed(&o, now);
        cr_expect_eq(next(now), LEAT_ACQUIRE_WAIT);
        cr_assert_gt(wait_ms, 0);
        longest = wait_ms > longest ? wait_ms : longest;
        now += wait_ms;
        cr_expect_eq(next(now), LEAT_ACQUIRE_READ);
    }
    cr_expect_eq(longest, LEAT_BACKOFF_MAX_MS);
}

Test(ownership, refused_too_often_leaves_and_rejoins)
{
    start();
    for (int i = 0; i < LEAT_REFUSALS_MAX; i++) {
        for (int32_t k = 0; k < 3; k++)
            leat_ownership_read(&o, k, 5);
        leat_ownership_refused(&o, 0);
        cr_expect_eq(ks[0].hold, LEAT_HOLD_READ, "the epoch is read again");
    }
    cr_expect_eq(next(0), LEAT_ACQUIRE_REJOIN);
    leat_ownership_rejoined(&o);
    cr_expect_eq(next(0), LEAT_ACQUIRE_WAIT);
}
