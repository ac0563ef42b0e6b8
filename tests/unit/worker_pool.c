/* uses: base topology codec kafka store guard worker */
/* Each job once, no runner in two at a time, all done when the call returns. */
#include <criterion/criterion.h>
#include <stdatomic.h>

#include "worker/pool.h"

#define JOBS    200
#define RUNNERS 4

static struct {
    atomic_int done[JOBS], busy[RUNNERS], wrong;
    long plain[JOBS]; /* no atomic: the call's return must make it seen */
} seen;

static void job(void *ctx, size_t i, int32_t runner)
{
    if (ctx != &seen || runner < 0 || runner >= RUNNERS ||
        atomic_fetch_add(&seen.busy[runner], 1) != 0)
        atomic_fetch_add(&seen.wrong, 1);
    atomic_fetch_add(&seen.done[i], 1);
    seen.plain[i]++;
    atomic_fetch_sub(&seen.busy[runner], 1);
}

Test(worker_pool, runs_every_job_once_in_many_rounds)
{
    struct leat_pool *p = NULL;
    struct leat_error err = {0};
    cr_assert_eq(leat_pool_new(RUNNERS, &p, &err), LEAT_OK);
    for (int round = 1; round <= 2000; round++) {
        size_t jobs = (size_t)(round % 3 == 0 ? 1 : round % JOBS);
        long before = seen.plain[0];
        leat_pool_run(p, jobs, job, &seen);
        cr_assert_eq(seen.plain[0], before + (jobs > 0));
    }
    long sum = 0, expected = 0;
    for (int round = 1; round <= 2000; round++)
        expected += round % 3 == 0 ? 1 : round % JOBS;
    for (size_t i = 0; i < JOBS; i++) {
        cr_expect_eq(seen.plain[i], atomic_load(&seen.done[i]));
        sum += seen.plain[i];
    }
    cr_expect_eq(sum, expected);
    cr_expect_eq(atomic_load(&seen.wrong), 0);
    leat_pool_free(p);
}

Test(worker_pool, a_pool_that_never_ran_ends)
{
    struct leat_pool *p = NULL;
    struct leat_error err = {0};
    cr_assert_eq(leat_pool_new(2, &p, &err), LEAT_OK);
    leat_pool_free(p);
    leat_pool_free(NULL);
}
