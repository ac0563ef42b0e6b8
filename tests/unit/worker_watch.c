/* uses: base topology codec kafka store guard worker */
/* When a lane counts as standing still, for which reason, and when it is looked at and restarted.
 */
#include <criterion/criterion.h>

#include "worker/watch.h"

#define START ((int64_t)1000000)

static const struct leat_executor_seen idle = {.doing = LEAT_DOING_NOTHING, .since_ms = START};

static struct leat_lane_seen at(int64_t committed, int64_t position, int64_t high)
{
    return (struct leat_lane_seen){.committed = committed,
                                   .position = position,
                                   .high = high,
                                   .on_hand = (int32_t)(position - committed)};
}

static struct leat_lane_watch seen_at(struct leat_lane_seen seen, int64_t now_ms)
{
    struct leat_lane_watch w = {0};
    leat_lane_seen(&w, &seen, true, now_ms);
    return w;
}

static struct leat_lane_verdict judged(const struct leat_lane_watch *w, int64_t after_ms)
{
    return leat_lane_judge(w, &idle, true, START + after_ms);
}

/* ---- lag and progress ---- */

Test(watch, a_lane_that_was_never_seen_or_has_no_lag_stands_well)
{
    struct leat_lane_watch none = {0}, done = seen_at(at(10, 10, 10), START);
    cr_assert_eq(judged(&none, 60000).why, LEAT_STALL_NONE);
    cr_assert_eq(judged(&done, 60000).why, LEAT_STALL_NONE);
    cr_assert_not(judged(&done, 60000).overdue);
    cr_assert_not(judged(&done, 60000).look);
}

Test(watch, an_end_that_is_not_known_is_no_lag_but_what_is_on_hand_is)
{
    struct leat_lane_watch unknown = seen_at(at(10, 10, -1), START);
    struct leat_lane_watch taken = seen_at(at(10, 13, -1), START);
    cr_assert_eq(judged(&unknown, 60000).why, LEAT_STALL_NONE);
    cr_assert_eq(judged(&taken, 60000).lag, 3);
}

Test(watch, time_counts_from_the_last_progress)
{
    struct leat_lane_watch w = seen_at(at(10, 10, 20), START);
    cr_assert_not(judged(&w, 4999).overdue);
    cr_assert(judged(&w, 5000).overdue);
    struct leat_lane_seen moved = at(11, 11, 20), same = at(11, 11, 30);
    leat_lane_seen(&w, &moved, false, START + 6000);
    leat_lane_seen(&w, &same, false, START + 9000);
    cr_assert_eq(judged(&w, 9000).since_ms, START + 6000);
    cr_assert_eq(judged(&w, 9000).lag, 19);
    cr_assert_not(judged(&w, 10999).overdue);
    cr_assert(judged(&w, 11000).overdue);
}

Test(watch, time_counts_from_when_lag_began)
{
    struct leat_lane_watch w = seen_at(at(10, 10, 10), START);
    struct leat_lane_seen none = at(10, 10, 10), lag = at(10, 10, 11);
    leat_lane_seen(&w, &none, false, START + 60000);
    leat_lane_seen(&w, &lag, false, START + 60100);
    cr_assert_eq(judged(&w, 60200).since_ms, START + 60000);
}

Test(watch, a_k_that_is_acquired_again_goes_on_counting_and_one_given_by_others_does_not)
{
    struct leat_lane_watch w = seen_at(at(10, 10, 20), START);
    struct leat_lane_seen again = at(10, 9, 20);
    leat_lane_seen(&w, &again, false, START + 5000);
    cr_assert(judged(&w, 5000).overdue);
    leat_lane_seen(&w, &again, true, START + 5000);
    cr_assert_not(judged(&w, 5000).overdue);
}

/* ---- reasons ---- */

Test(watch, each_reason_before_the_less_telling_ones)
{
    struct leat_lane_watch w = seen_at(at(10, 12, 20), START);
    struct leat_executor_seen e = idle;
    int64_t now = START + 8000;
    cr_assert_eq(leat_lane_judge(&w, &e, true, now).why, LEAT_STALL_UNKNOWN);
    e.doing = LEAT_DOING_HANDLERS;
    cr_assert_eq(leat_lane_judge(&w, &e, true, now).why, LEAT_STALL_HANDLER);
    e.doing = LEAT_DOING_STORE;
    cr_assert_eq(leat_lane_judge(&w, &e, true, now).why, LEAT_STALL_STORE);
    e.since_ms = now - 999; /* a call that takes as long as calls take */
    cr_assert_eq(leat_lane_judge(&w, &e, true, now).why, LEAT_STALL_UNKNOWN);
    e = (struct leat_executor_seen){.doing = LEAT_DOING_HANDLERS, .since_ms = START};
    w.now.because = LEAT_STALL_PARKED;
    cr_assert_eq(leat_lane_judge(&w, &e, true, now).why, LEAT_STALL_PARKED);
    cr_assert_eq(leat_lane_judge(&w, &e, false, now).why, LEAT_STALL_ACQUIRING);
    e.trouble_since_ms = START;
    cr_assert_eq(leat_lane_judge(&w, &e, false, now).why, LEAT_STALL_STORE);
    w.now.because = LEAT_STALL_STOPPED;
    cr_assert_eq(leat_lane_judge(&w, &e, false, now).why, LEAT_STALL_STOPPED);
}

Test(watch, a_lane_that_is_stopped_stands_whatever_its_numbers_are)
{
    struct leat_lane_seen stopped = at(50, 50, 3);
    stopped.because = LEAT_STALL_STOPPED;
    struct leat_lane_watch w = seen_at(stopped, START);
    leat_lane_seen(&w, &stopped, false, START + 4000);
    cr_assert_eq(judged(&w, 5000).why, LEAT_STALL_STOPPED);
    cr_assert_eq(judged(&w, 5000).lag, 0);
    cr_assert(judged(&w, 5000).overdue);
    cr_assert_not(judged(&w, 600000).look);
}

/* ---- looking and restarting ---- */

Test(watch, a_lane_that_starves_is_looked_at_after_ten_seconds)
{
    struct leat_lane_watch w = seen_at(at(10, 10, 20), START);
    cr_assert_eq(judged(&w, 9999).why, LEAT_STALL_STARVED);
    cr_assert_not(judged(&w, 9999).look);
    cr_assert(judged(&w, 10000).look);
}

Test(watch, what_has_a_reason_is_never_looked_at)
{
    static const leat_stall reasons[] = {LEAT_STALL_PAUSED, LEAT_STALL_PARKED, LEAT_STALL_HELD,
                                         LEAT_STALL_STOPPED};
    struct leat_lane_watch w = seen_at(at(10, 10, 20), START);
    struct leat_executor_seen busy = {.doing = LEAT_DOING_HANDLERS, .since_ms = START};
    struct leat_executor_seen away = {.since_ms = START, .trouble_since_ms = START};
    cr_assert_not(leat_lane_judge(&w, &busy, true, START + 600000).look);
    cr_assert_not(leat_lane_judge(&w, &away, true, START + 600000).look);
    cr_assert_not(leat_lane_judge(&w, &idle, false, START + 600000).look);
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        w.now.because = reasons[i];
        cr_assert_not(judged(&w, 600000).look);
    }
}

Test(watch, records_on_hand_are_a_case_only_while_their_executor_does_nothing)
{
    struct leat_lane_watch w = seen_at(at(10, 12, 20), START);
    struct leat_executor_seen e = {.doing = LEAT_DOING_NOTHING, .since_ms = START + 9000};
    cr_assert_not(leat_lane_judge(&w, &e, true, START + 15000).look);
    cr_assert(leat_lane_judge(&w, &e, true, START + 19000).look);
}

Test(watch, restarts_keep_a_distance_that_doubles_up_to_five_minutes)
{
    static const int64_t waits[] = {10, 20, 40, 80, 160, 300, 300, 300};
    struct leat_lane_watch w = seen_at(at(10, 10, 20), START);
    int64_t now = START + 10000;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++) {
        cr_assert(leat_lane_judge(&w, &idle, true, now).look, "look %zu", i);
        cr_assert(leat_lane_looked(&w, LEAT_LOOK_RECORDS, now));
        now += waits[i] * 1000;
        cr_assert_not(leat_lane_judge(&w, &idle, true, now - 1).look, "after look %zu", i);
    }
}

Test(watch, progress_ends_the_distance)
{
    struct leat_lane_watch w = seen_at(at(10, 10, 20), START);
    for (int i = 0; i < 5; i++)
        (void)leat_lane_looked(&w, LEAT_LOOK_RECORDS, START + 10000);
    struct leat_lane_seen moved = at(11, 11, 20);
    leat_lane_seen(&w, &moved, false, START + 20000);
    cr_assert_not(judged(&w, 29999).look);
    cr_assert(judged(&w, 30000).look);
}

Test(watch, markers_of_transactions_are_no_lag_until_the_end_moves_on)
{
    struct leat_lane_watch w = seen_at(at(10, 10, 12), START);
    cr_assert(judged(&w, 10000).look);
    cr_assert_not(leat_lane_looked(&w, LEAT_LOOK_NOTHING, START + 10000), "no restart");
    cr_assert_eq(judged(&w, 15000).why, LEAT_STALL_NONE);
    cr_assert_not(judged(&w, 19999).look);
    cr_assert(judged(&w, 20000).look, "it may have been the broker");
    struct leat_lane_seen same = at(10, 10, 12), more = at(10, 10, 13);
    leat_lane_seen(&w, &same, false, START + 16000);
    leat_lane_seen(&w, &more, false, START + 17000);
    cr_assert_eq(judged(&w, 21000).why, LEAT_STALL_STARVED);
    cr_assert_eq(judged(&w, 21000).lag, 3);
    cr_assert_eq(judged(&w, 21000).since_ms, START + 16000);
}

Test(watch, a_look_that_fails_restarts_nothing_and_is_told_on)
{
    struct leat_lane_watch w = seen_at(at(10, 10, 20), START);
    cr_assert_not(leat_lane_looked(&w, LEAT_LOOK_FAILED, START + 10000));
    cr_assert_eq(judged(&w, 15000).why, LEAT_STALL_STARVED);
    cr_assert(judged(&w, 20000).look);
}
