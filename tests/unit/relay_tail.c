#include <criterion/criterion.h>
#include <string.h>

#include "relay/tail.h"

#define IDS 10

static struct leat_event_id ids[IDS]; /* of the store: seqs 1 .. IDS */

static struct leat_uuid id_of(int64_t n)
{
    struct leat_uuid id = {{0}};
    id.b[0] = (uint8_t)n;
    return id;
}

static void setup(void)
{
    for (int i = 0; i < IDS; i++)
        ids[i] = (struct leat_event_id){i + 1, id_of(i + 1)};
}

static struct leat_tail_record record(int64_t offset, int64_t seq, int64_t event)
{
    return (struct leat_tail_record){
        .offset = offset, .seq = seq, .event_id = id_of(event), .descent = LEAT_DESCENT_OURS};
}

TestSuite(tail, .init = setup);

Test(tail, a_topic_that_is_behind_or_level_has_lost_nothing)
{
    struct leat_tail t = {.head_seq = 10, .published_seq = 6};
    struct leat_tail_record r[] = {record(5, 6, 6), record(6, 7, 7), record(7, 7, 7)};
    leat_tail_compare(&t, r, 3, ids, IDS);
    cr_expect_eq(t.lost, 0);
    cr_expect_not(t.forks);
    cr_expect(t.agrees && t.low_agrees);
    cr_expect_eq(t.low_seq, 6);
    cr_expect_eq(t.topic_seq, 7);
}

Test(tail, what_is_above_the_head_is_lost_once_and_the_fork_is_the_head)
{
    struct leat_tail t = {.head_seq = 10, .published_seq = 8};
    struct leat_tail_record r[] = {record(7, 8, 8),    record(8, 9, 9),    record(9, 10, 10),
                                   record(10, 12, 62), record(11, 11, 61), record(12, 12, 62)};
    leat_tail_compare(&t, r, 6, ids, IDS);
    cr_assert_eq(t.lost, 2);
    cr_expect_eq(r[0].seq, 11);
    cr_expect_eq(r[1].seq, 12);
    cr_expect_eq(r[1].offset, 10, "of copies the first");
    cr_expect(t.forks);
    cr_expect_eq(t.fork_seq, 10);
    cr_expect_eq(t.topic_seq, 12);
}

Test(tail, another_event_at_a_seq_forks_below_it)
{
    struct leat_tail t = {.head_seq = 10, .published_seq = 10};
    struct leat_tail_record r[] = {record(7, 8, 8), record(8, 9, 69), record(9, 9, 9),
                                   record(10, 10, 10)};
    leat_tail_compare(&t, r, 4, ids, IDS);
    cr_assert_eq(t.lost, 1);
    cr_expect_eq(r[0].seq, 9);
    cr_expect_eq(t.fork_seq, 8, "the store went on under the same id");
}

Test(tail, what_the_topic_lacks_below_the_lost_ones_is_published_again)
{
    struct leat_tail t = {.head_seq = 10, .published_seq = 6};
    struct leat_tail_record r[] = {record(5, 6, 6), record(6, 7, 7), record(7, 9, 9),
                                   record(8, 11, 61)};
    leat_tail_compare(&t, r, 4, ids, IDS);
    cr_expect_eq(t.lost, 1);
    cr_expect_eq(t.fork_seq, 7, "8 is not in the topic");
}

Test(tail, void_records_are_not_lost_again)
{
    struct leat_tail t = {.head_seq = 10, .published_seq = 10};
    struct leat_tail_record r[] = {record(8, 10, 10), record(9, 11, 61)};
    r[1].descent = LEAT_DESCENT_VOID;
    leat_tail_compare(&t, r, 2, ids, IDS);
    cr_expect_eq(t.lost, 0);
    cr_expect_not(t.forks);
    cr_expect_eq(t.topic_seq, 10);
}

Test(tail, a_store_id_nobody_knows_forks_and_is_named)
{
    struct leat_tail t = {.head_seq = 10, .published_seq = 9};
    struct leat_tail_record r[] = {record(8, 9, 9), record(9, 10, 10), record(10, 11, 61)};
    for (int i = 1; i < 3; i++) {
        r[i].descent = LEAT_DESCENT_FOREIGN;
        r[i].store_id = id_of(99);
    }
    leat_tail_compare(&t, r, 3, ids, IDS);
    cr_expect_eq(t.lost, 1, "the store has the event of 10, whoever published it");
    cr_expect_eq(t.n_foreign, 1);
    cr_expect_eq(t.fork_seq, 9);
}

Test(tail, an_empty_store_has_lost_all)
{
    struct leat_tail t = {.head_seq = 0, .published_seq = 0};
    struct leat_tail_record r[] = {record(0, 1, 1), record(1, 2, 2)};
    leat_tail_compare(&t, r, 2, NULL, 0);
    cr_expect_eq(t.lost, 2);
    cr_expect_not(t.agrees);
    cr_expect_eq(t.fork_seq, 0);
}

Test(lineage, an_ancestor_counts_up_to_its_fork)
{
    struct leat_uuid now[] = {id_of(1), id_of(2)};
    char text[2][LEAT_UUID_TEXT];
    struct leat_ancestor ancestors[] = {{1, id_of(3), 7}, {1, id_of(4), 5}};
    struct leat_lineage l = {now, text, 2, ancestors, 2};
    struct leat_uuid parent = id_of(3), stranger = id_of(9);
    leat_uuid_format(&now[0], text[0]);
    leat_uuid_format(&now[1], text[1]);
    cr_expect_eq(leat_lineage_judge(&l, 1, &now[1], 1000), LEAT_DESCENT_OURS);
    cr_expect_eq(leat_lineage_judge(&l, 1, &parent, 7), LEAT_DESCENT_OURS);
    cr_expect_eq(leat_lineage_judge(&l, 1, &parent, 8), LEAT_DESCENT_VOID);
    cr_expect_eq(leat_lineage_judge(&l, 0, &parent, 1), LEAT_DESCENT_FOREIGN, "of another slice");
    cr_expect_eq(leat_lineage_judge(&l, 1, &stranger, 1), LEAT_DESCENT_FOREIGN);
    cr_expect_eq(leat_lineage_judge(&l, 2, &now[1], 1), LEAT_DESCENT_FOREIGN);
    cr_expect_eq(leat_lineage_judge_text(&l, 1, leat_str_of(text[1]), 9), LEAT_DESCENT_OURS);
    cr_expect_eq(leat_lineage_judge_text(&l, 1, leat_str_of(text[0]), 9), LEAT_DESCENT_FOREIGN);
    cr_expect_eq(leat_lineage_judge_text(&l, 1, LEAT_STR("x"), 9), LEAT_DESCENT_FOREIGN);
}
