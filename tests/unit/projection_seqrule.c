#include <criterion/criterion.h>

#include "projection/seqrule.h"

static struct leat_uuid id(uint8_t n)
{
    struct leat_uuid u = {{n}};
    return u;
}

static const struct leat_uuid store = {{200}};

static struct leat_seq_event event(int64_t seq)
{
    return (struct leat_seq_event){.store_id = store, .event_id = id((uint8_t)seq), .seq = seq};
}

static struct leat_checkpoint at(int64_t seq)
{
    return (struct leat_checkpoint){
        .store_id = store, .event_id = seq > 0 ? id((uint8_t)seq) : id(0), .seq = seq};
}

static leat_seq_verdict judge(const struct leat_checkpoint *c, struct leat_seq_event e,
                              struct leat_seq_range *hole)
{
    *hole = (struct leat_seq_range){0, 0};
    return leat_seqrule_judge(c, &e, hole);
}

Test(seqrule, next_event_is_applied_and_advances)
{
    struct leat_checkpoint c = at(5);
    struct leat_seq_range hole;
    struct leat_seq_event e = event(6);
    cr_assert_eq(judge(&c, e, &hole), LEAT_SEQ_APPLY);
    leat_seqrule_advance(&c, &e);
    cr_assert_eq(c.seq, 6);
    cr_assert_eq(judge(&c, e, &hole), LEAT_SEQ_DROP);
}

Test(seqrule, copies_are_dropped_whatever_their_order)
{
    struct leat_checkpoint c = at(5);
    struct leat_seq_range hole;
    for (int64_t seq = 5; seq >= -1; seq--)
        cr_assert_eq(judge(&c, event(seq), &hole), LEAT_SEQ_DROP);
}

Test(seqrule, a_later_event_names_the_hole)
{
    struct leat_checkpoint c = at(5);
    struct leat_seq_range hole;
    cr_assert_eq(judge(&c, event(9), &hole), LEAT_SEQ_HOLE);
    cr_assert_eq(hole.from, 6);
    cr_assert_eq(hole.to, 8);
    cr_assert_eq(c.seq, 5);
}

Test(seqrule, a_new_reader_of_a_trimmed_topic_takes_the_beginning_from_the_store)
{
    struct leat_checkpoint c = at(0);
    struct leat_seq_range hole;
    cr_assert_eq(judge(&c, event(1), &hole), LEAT_SEQ_APPLY);
    cr_assert_eq(judge(&c, event(4), &hole), LEAT_SEQ_HOLE);
    cr_assert_eq(hole.from, 1);
    cr_assert_eq(hole.to, 3);
}

Test(seqrule, another_store_is_never_applied)
{
    struct leat_checkpoint c = at(5);
    struct leat_seq_range hole;
    struct leat_seq_event e = event(6);
    e.store_id = id(201);
    cr_assert_eq(judge(&c, e, &hole), LEAT_SEQ_FOREIGN);
    c.store_id = id(0);
    cr_assert_eq(judge(&c, e, &hole), LEAT_SEQ_APPLY, "no store is known yet");
}

Test(seqrule, another_event_at_our_seq_is_a_mismatch)
{
    struct leat_checkpoint c = at(5);
    struct leat_seq_range hole;
    struct leat_seq_event e = event(5);
    e.event_id = id(99);
    cr_assert_eq(judge(&c, e, &hole), LEAT_SEQ_MISMATCH);
}

Test(seqrule, an_idle_tail_is_fetched_up_to_what_is_published)
{
    struct leat_checkpoint c = at(5);
    struct leat_seq_range missing = {0, 0};
    cr_assert_eq(leat_seqrule_tail(&c, &store, 5, 7, &missing), LEAT_TAIL_COMPLETE);
    cr_assert_eq(leat_seqrule_tail(&c, &store, 4, 7, &missing), LEAT_TAIL_COMPLETE,
                 "a relay records later than it publishes");
    cr_assert_eq(leat_seqrule_tail(&c, &store, 8, 9, &missing), LEAT_TAIL_FETCH);
    cr_assert_eq(missing.from, 6);
    cr_assert_eq(missing.to, 8);
    cr_assert_eq(leat_seqrule_tail(&c, &store, 3, 4, &missing), LEAT_TAIL_AHEAD);
    struct leat_uuid other = id(201);
    cr_assert_eq(leat_seqrule_tail(&c, &other, 8, 9, &missing), LEAT_TAIL_FOREIGN);
}

/* interleavings 18: an old projector wakes up beside its successor. */
Test(seqrule, a_file_that_is_ahead_is_adopted)
{
    struct leat_checkpoint mine = at(5), file = at(9);
    file.next_offset = 77;
    cr_assert_eq(leat_seqrule_reconcile(&mine, &file), LEAT_RECONCILED_ADOPT);
    cr_assert_eq(mine.seq, 9);
    cr_assert_eq(mine.next_offset, 77);
}

Test(seqrule, a_file_that_is_behind_rewinds)
{
    struct leat_checkpoint mine = at(9), file = at(5);
    cr_assert_eq(leat_seqrule_reconcile(&mine, &file), LEAT_RECONCILED_REWIND);
    cr_assert_eq(mine.seq, 5);
}

Test(seqrule, another_history_in_the_file_is_refused)
{
    struct leat_checkpoint mine = at(5), file = at(5);
    cr_assert_eq(leat_seqrule_reconcile(&mine, &file), LEAT_RECONCILED_SAME);
    file.event_id = id(99);
    cr_assert_eq(leat_seqrule_reconcile(&mine, &file), LEAT_RECONCILED_FOREIGN);
    file = at(9);
    file.store_id = id(201);
    cr_assert_eq(leat_seqrule_reconcile(&mine, &file), LEAT_RECONCILED_FOREIGN);
    cr_assert_eq(mine.seq, 5);
}

Test(seqrule, a_new_file_is_taken_as_it_is)
{
    struct leat_checkpoint mine = at(0), file = {.seq = 0};
    cr_assert_eq(leat_seqrule_reconcile(&mine, &file), LEAT_RECONCILED_SAME);
}
