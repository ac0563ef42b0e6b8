/* A breaker on a virtual clock: each way between its states, then random sequences against a naive
 * model that keeps all that ever happened. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "guard/breaker.h"

static struct leat_breaker_config in_a_row(int64_t failures)
{
    return (struct leat_breaker_config){.failures = failures, .open_for_ms = 1000, .trials = 1};
}

/* One call from begin to end at once. */
static bool call(struct leat_breaker *b, bool ok, int64_t now_ms)
{
    struct leat_breaker_pass pass = leat_breaker_begin(b, now_ms);
    if (pass.allowed)
        leat_breaker_end(b, &pass, ok, now_ms);
    return pass.allowed;
}

static leat_breaker_state state_of(struct leat_breaker *b)
{
    struct leat_breaker_figures f;
    leat_breaker_figures(b, &f);
    return f.state;
}

Test(guard_breaker, opens_after_failures_in_a_row_and_refuses_until_open_for_is_over)
{
    struct leat_breaker_config c = in_a_row(3);
    struct leat_breaker *b = leat_breaker_new(&c);
    cr_expect(call(b, false, 10));
    cr_expect(call(b, false, 11));
    cr_expect(call(b, true, 12)); /* ends the row */
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(state_of(b), LEAT_BREAKER_CLOSED);
        cr_expect(call(b, false, 13 + i));
    }
    cr_expect_eq(state_of(b), LEAT_BREAKER_OPEN);
    struct leat_breaker_pass pass = leat_breaker_begin(b, 1014);
    cr_expect_not(pass.allowed);
    cr_expect_eq(pass.retry_at_ms, 1015);
    int64_t retry_at_ms = 0;
    cr_expect(leat_breaker_unwell(b, 1014, &retry_at_ms));
    cr_expect_eq(retry_at_ms, 1015);
    cr_expect(call(b, true, 1015));
    cr_expect_eq(state_of(b), LEAT_BREAKER_CLOSED);
    cr_expect_not(leat_breaker_unwell(b, 1015, &retry_at_ms));
    struct leat_breaker_figures f;
    leat_breaker_figures(b, &f);
    cr_expect_eq(f.calls, 7);
    cr_expect_eq(f.failures, 5);
    cr_expect_eq(f.refused, 1);
    cr_expect_eq(f.opened, 1);
    leat_breaker_free(b);
    leat_breaker_free(NULL);
}

Test(guard_breaker, a_trial_that_fails_opens_it_again)
{
    struct leat_breaker_config c = in_a_row(1);
    struct leat_breaker *b = leat_breaker_new(&c);
    cr_expect(call(b, false, 0));
    cr_expect(call(b, false, 1000));
    cr_expect_eq(state_of(b), LEAT_BREAKER_OPEN);
    cr_expect_not(call(b, true, 1999));
    cr_expect(call(b, true, 2000));
    cr_expect_eq(state_of(b), LEAT_BREAKER_CLOSED);
    leat_breaker_free(b);
}

Test(guard_breaker, trials_are_bounded_and_all_must_work)
{
    struct leat_breaker_config c = in_a_row(1);
    c.trials = 3;
    struct leat_breaker *b = leat_breaker_new(&c);
    cr_expect(call(b, false, 0));
    struct leat_breaker_pass pass[3];
    for (int i = 0; i < 3; i++) {
        pass[i] = leat_breaker_begin(b, 1000);
        cr_expect(pass[i].allowed && pass[i].trial);
    }
    struct leat_breaker_pass more = leat_breaker_begin(b, 1000);
    cr_expect_not(more.allowed);
    cr_expect_gt(more.retry_at_ms, 1000);
    cr_expect_leq(more.retry_at_ms, 2000);
    for (int i = 0; i < 3; i++) {
        cr_expect_eq(state_of(b), LEAT_BREAKER_HALF_OPEN);
        leat_breaker_end(b, &pass[i], true, 1100);
    }
    cr_expect_eq(state_of(b), LEAT_BREAKER_CLOSED);
    leat_breaker_free(b);
}

Test(guard_breaker, trials_that_never_end_are_given_up)
{
    struct leat_breaker_config c = in_a_row(1);
    struct leat_breaker *b = leat_breaker_new(&c);
    cr_expect(call(b, false, 0));
    struct leat_breaker_pass lost = leat_breaker_begin(b, 1000);
    cr_expect(lost.allowed);
    cr_expect_not(call(b, true, 1999));
    struct leat_breaker_pass next = leat_breaker_begin(b, 2000);
    cr_expect(next.allowed && next.trial);
    leat_breaker_end(b, &lost, false, 2001); /* late: decides nothing */
    cr_expect_eq(state_of(b), LEAT_BREAKER_HALF_OPEN);
    leat_breaker_end(b, &next, true, 2002);
    cr_expect_eq(state_of(b), LEAT_BREAKER_CLOSED);
    leat_breaker_free(b);
}

Test(guard_breaker, what_began_before_it_opened_decides_nothing_later)
{
    struct leat_breaker_config c = in_a_row(2);
    struct leat_breaker *b = leat_breaker_new(&c);
    struct leat_breaker_pass early = leat_breaker_begin(b, 0);
    cr_expect(call(b, false, 0));
    cr_expect(call(b, false, 0));
    struct leat_breaker_pass trial = leat_breaker_begin(b, 1000);
    leat_breaker_end(b, &early, true, 1001); /* not a trial */
    cr_expect_eq(state_of(b), LEAT_BREAKER_HALF_OPEN);
    leat_breaker_end(b, &trial, true, 1002);
    cr_expect_eq(state_of(b), LEAT_BREAKER_CLOSED);
    leat_breaker_free(b);
}

Test(guard_breaker, opens_by_the_share_of_failures_in_the_window)
{
    struct leat_breaker_config c = {
        .rate = 0.5, .window_ms = 1000, .min_calls = 10, .open_for_ms = 500, .trials = 1};
    struct leat_breaker *b = leat_breaker_new(&c);
    for (int i = 0; i < 9; i++) /* too few to mean anything */
        cr_expect(call(b, false, i));
    for (int i = 0; i < 20; i++) /* in the next window: 20 good ones */
        cr_expect(call(b, true, 2000 + i));
    for (int i = 0; i < 19; i++)
        cr_expect(call(b, false, 2100 + i));
    cr_expect_eq(state_of(b), LEAT_BREAKER_CLOSED);
    cr_expect(call(b, false, 2200));
    cr_expect_eq(state_of(b), LEAT_BREAKER_OPEN);
    cr_expect(call(b, true, 2700));
    for (int i = 0; i < 9; i++) /* what was before it closed is forgotten */
        cr_expect(call(b, false, 2701));
    cr_expect(call(b, false, 2701));
    cr_expect_eq(state_of(b), LEAT_BREAKER_OPEN);
    leat_breaker_free(b);
}

Test(guard_breaker, without_limits_it_only_counts)
{
    struct leat_breaker_config c = {.open_for_ms = 1, .trials = 1};
    struct leat_breaker *b = leat_breaker_new(&c);
    for (int i = 0; i < 1000; i++)
        cr_expect(call(b, false, i));
    cr_expect_eq(state_of(b), LEAT_BREAKER_CLOSED);
    leat_breaker_free(b);
}

static struct leat_breaker_change heard[8];
static int heard_count;

static void listen(void *arg, const struct leat_breaker_change *change)
{
    cr_expect_eq(arg, &heard_count);
    heard[heard_count++] = *change;
}

Test(guard_breaker, each_change_is_told_with_its_reason)
{
    struct leat_breaker_config c = in_a_row(2);
    c.changed = listen;
    c.arg = &heard_count;
    struct leat_breaker *b = leat_breaker_new(&c);
    (void)call(b, false, 5);
    (void)call(b, false, 5);
    (void)call(b, true, 1005);
    cr_assert_eq(heard_count, 3);
    cr_expect_eq(heard[0].to, LEAT_BREAKER_OPEN);
    cr_expect_eq(heard[0].in_a_row, 2);
    cr_expect_eq(heard[0].until_ms, 1005);
    cr_expect_eq(heard[1].from, LEAT_BREAKER_OPEN);
    cr_expect_eq(heard[1].to, LEAT_BREAKER_HALF_OPEN);
    cr_expect_eq(heard[2].to, LEAT_BREAKER_CLOSED);
    leat_breaker_free(b);
}

/* ---- the naive model ---- */

#define MODEL_ENDS 4096
#define MODEL_OPEN 16 /* calls under way at once */

struct model {
    struct leat_breaker_config c;
    leat_breaker_state state;
    int era; /* number of changes and rounds of trials */
    int64_t until_ms, since_ms, given, worked, row;
    struct {
        int64_t at_ms;
        bool ok;
    } ends[MODEL_ENDS]; /* of this closed time */
    int end_count;
};

static bool model_begin(struct model *m, int64_t now)
{
    if (m->state == LEAT_BREAKER_CLOSED)
        return true;
    bool again = m->state == LEAT_BREAKER_OPEN
                     ? now >= m->until_ms
                     : m->given == m->c.trials && now >= m->since_ms + m->c.open_for_ms;
    if (again) {
        m->state = LEAT_BREAKER_HALF_OPEN;
        m->era++;
        m->since_ms = now;
        m->given = m->worked = 0;
    }
    if (m->state == LEAT_BREAKER_OPEN || m->given == m->c.trials)
        return false;
    m->given++;
    return true;
}

static bool model_too_much(const struct model *m, int64_t now)
{
    int64_t tenth = (m->c.window_ms + 9) / 10, calls = 0, failures = 0;
    for (int i = 0; m->c.rate > 0 && i < m->end_count; i++) {
        bool in = m->ends[i].at_ms / tenth > now / tenth - 10;
        calls += in;
        failures += in && !m->ends[i].ok;
    }
    return (m->c.failures > 0 && m->row >= m->c.failures) ||
           (m->c.rate > 0 && calls >= m->c.min_calls &&
            (double)failures >= m->c.rate * (double)calls);
}

static void model_change(struct model *m, leat_breaker_state to, int64_t now)
{
    m->state = to;
    m->era++;
    m->until_ms = now + m->c.open_for_ms;
    m->row = 0;
    m->end_count = 0;
}

static void model_end(struct model *m, int era, bool ok, int64_t now)
{
    if (era != m->era)
        return;
    if (m->state == LEAT_BREAKER_HALF_OPEN) {
        if (!ok)
            model_change(m, LEAT_BREAKER_OPEN, now);
        else if (++m->worked == m->c.trials)
            model_change(m, LEAT_BREAKER_CLOSED, now);
        return;
    }
    cr_assert_lt(m->end_count, MODEL_ENDS);
    m->ends[m->end_count].at_ms = now;
    m->ends[m->end_count++].ok = ok;
    m->row = ok ? 0 : m->row + 1;
    if (!ok && model_too_much(m, now))
        model_change(m, LEAT_BREAKER_OPEN, now);
}

struct under_way {
    struct leat_breaker_pass pass;
    int era;
};

static uint64_t seed;
static int64_t below(int64_t n)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int64_t)(seed >> 33) % n;
}

static void step(struct leat_breaker *b, struct model *m, struct under_way *calls, int *n,
                 int64_t now)
{
    if (*n < MODEL_OPEN && (*n == 0 || below(2) == 0)) {
        struct leat_breaker_pass pass = leat_breaker_begin(b, now);
        bool allowed = model_begin(m, now);
        cr_assert_eq(pass.allowed, allowed, "seed %llu", (unsigned long long)seed);
        cr_assert(allowed || pass.retry_at_ms > now);
        if (allowed)
            calls[(*n)++] = (struct under_way){pass, m->era};
    } else {
        int i = (int)below(*n);
        bool ok = below(100) < (now / 3000 % 2 == 0 ? 90 : 20); /* good and bad times */
        leat_breaker_end(b, &calls[i].pass, ok, now);
        model_end(m, calls[i].era, ok, now);
        calls[i] = calls[--*n];
    }
    cr_assert_eq(state_of(b), m->state, "at %lld", (long long)now);
}

Test(guard_breaker, does_as_the_naive_model_in_random_sequences)
{
    static struct model m;
    int opened = 0;
    for (uint64_t run = 1; run <= 200; run++) {
        seed = run * 7919;
        m = (struct model){.c = {.failures = below(2) * (1 + below(8)),
                                 .rate = (double)below(3) * 0.3,
                                 .window_ms = 50 + below(2000),
                                 .min_calls = 1 + below(30),
                                 .open_for_ms = 1 + below(500),
                                 .trials = 1 + below(4)}};
        struct leat_breaker *b = leat_breaker_new(&m.c);
        struct under_way calls[MODEL_OPEN];
        int n = 0;
        int64_t now = below(1000000);
        for (int i = 0; i < 3000; i++) {
            step(b, &m, calls, &n, now);
            now += below(4) == 0 ? below(20) : 0;
        }
        struct leat_breaker_figures f;
        leat_breaker_figures(b, &f);
        opened += (int)f.opened;
        leat_breaker_free(b);
    }
    cr_expect_gt(opened, 500); /* else it has shown little */
}

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS  20000

static struct {
    struct leat_breaker *b;
    atomic_int trials, trials_seen, refused, allowed;
} shared;

static void *hammer(void *arg)
{
    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        struct leat_breaker_pass pass = leat_breaker_begin(shared.b, 2000);
        atomic_fetch_add(pass.allowed ? &shared.allowed : &shared.refused, 1);
        if (pass.allowed && pass.trial)
            atomic_fetch_add(&shared.trials, 1);
    }
    return NULL;
}

Test(guard_breaker, threads_share_the_trials)
{
    struct leat_breaker_config c = in_a_row(1);
    c.trials = 7;
    shared.b = leat_breaker_new(&c);
    (void)call(shared.b, false, 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, hammer, NULL), 0);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    cr_expect_eq(atomic_load(&shared.trials), 7);
    cr_expect_eq(atomic_load(&shared.allowed), 7);
    cr_expect_eq(atomic_load(&shared.refused), THREADS * ROUNDS - 7);
    struct leat_breaker_figures f;
    leat_breaker_figures(shared.b, &f);
    cr_expect_eq(f.refused, THREADS * ROUNDS - 7);
    leat_breaker_free(shared.b);
}

/* Each goes its own way through good and bad times on one clock that all of them push. */
static _Atomic int64_t storm_ms;

static void *storm(void *arg)
{
    uint64_t own = (uint64_t)(uintptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        own = own * 6364136223846793005u + 1442695040888963407u;
        int64_t now = atomic_fetch_add(&storm_ms, (own >> 33) % 2 == 0);
        struct leat_breaker_pass pass = leat_breaker_begin(shared.b, now);
        atomic_fetch_add(pass.allowed ? &shared.allowed : &shared.refused, 1);
        if (pass.allowed)
            leat_breaker_end(shared.b, &pass, now / 1000 % 2 == 0 || (own >> 40) % 10 == 0, now);
    }
    return NULL;
}

Test(guard_breaker, threads_in_a_storm_lose_no_count_and_end_closed)
{
    struct leat_breaker_config c = {.failures = 5,
                                    .rate = 0.5,
                                    .window_ms = 200,
                                    .min_calls = 20,
                                    .open_for_ms = 50,
                                    .trials = 2};
    shared.b = leat_breaker_new(&c);
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, storm, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    struct leat_breaker_figures f;
    leat_breaker_figures(shared.b, &f);
    cr_expect_eq(f.calls, atomic_load(&shared.allowed));
    cr_expect_eq(f.refused, atomic_load(&shared.refused));
    cr_expect_gt(f.opened, 10);
    int64_t now = atomic_load(&storm_ms) + 1000;
    for (int i = 0; i < 2; i++)
        cr_expect(call(shared.b, true, now));
    cr_expect_eq(state_of(shared.b), LEAT_BREAKER_CLOSED);
    leat_breaker_free(shared.b);
}
