#include <criterion/criterion.h>

#include "relay/window.h"

static struct leat_window w;

Test(window, acked_is_the_lowest_contiguous)
{
    leat_window_start(&w, 10, 20);
    cr_expect(leat_window_behind(&w));
    leat_window_sent(&w, 5); /* 11 .. 15 */
    leat_window_ack(&w, 13);
    leat_window_ack(&w, 12);
    cr_expect_eq(w.acked, 10);
    cr_expect_not(leat_window_to_record(&w));
    leat_window_ack(&w, 11);
    cr_expect_eq(w.acked, 13);
    cr_expect(leat_window_to_record(&w));
    leat_window_recorded(&w, 13);
    cr_expect_not(leat_window_to_record(&w));
}

Test(window, late_repeated_and_foreign_acks_change_nothing)
{
    leat_window_start(&w, 0, 0);
    leat_window_sent(&w, 2);
    leat_window_ack(&w, 0);
    leat_window_ack(&w, 3); /* not sent */
    leat_window_ack(&w, 1);
    leat_window_ack(&w, 1);
    cr_expect_eq(w.acked, 1);
    leat_window_sent(&w, 1); /* 3 */
    leat_window_ack(&w, 2);
    cr_expect_eq(w.acked, 2, "an ack of a seq before it was sent is forgotten");
}

Test(window, a_rewind_sends_all_that_is_not_acknowledged_in_one_piece)
{
    leat_window_start(&w, 0, 4);
    leat_window_sent(&w, 4);
    leat_window_ack(&w, 1);
    leat_window_ack(&w, 3);
    leat_window_rewind(&w);
    cr_expect_eq(w.next, 2);
    cr_expect(leat_window_behind(&w));
    leat_window_sent(&w, 3);
    leat_window_ack(&w, 2);
    cr_expect_eq(w.acked, 2, "3 is acknowledged anew");
    leat_window_ack(&w, 3);
    leat_window_ack(&w, 4);
    cr_expect_eq(w.acked, 4);
}

Test(window, room_is_bounded_and_the_ring_wraps)
{
    leat_window_start(&w, 0, 0);
    for (int round = 0; round < 5; round++) {
        int64_t room = leat_window_room(&w), first = w.next;
        cr_assert_eq(room, LEAT_WINDOW_FLIGHT_MAX);
        leat_window_sent(&w, room);
        cr_assert_eq(leat_window_room(&w), 0);
        for (int64_t seq = first + room - 1; seq >= first; seq--)
            leat_window_ack(&w, seq);
        cr_assert_eq(w.acked, first + room - 1);
    }
}

Test(window, position_and_head_only_go_forward)
{
    leat_window_start(&w, 5, 3);
    cr_expect_eq(w.head, 5);
    leat_window_head(&w, 4);
    cr_expect_eq(w.head, 5);
    leat_window_recorded(&w, 4);
    cr_expect_eq(w.recorded, 5);
}
