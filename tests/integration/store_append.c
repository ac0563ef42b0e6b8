/* uses: base kafka store */
/* The batch function against a real server: what is stored, what is left out, and where lanes
 * stand. */
#include "kafka/kafka.h"
#include "store_kit_batch.h"

#define S(batch, i) ((batch)->reply.settled[i])

static void what_is_appended_comes_back(void)
{
    struct leat_store *s = kit_fresh();
    struct kit_batch *k = kit_batch("a");
    kit_fence(k, 2, 0, 0);
    kit_lane(k, 2, 10, 13);
    (void)kit_command(k, 2, "order-1", 0, 1);
    kit_at(k, 0, 10);
    kit_event(k);
    kit_event(k);
    (void)kit_command(k, 2, "order-2", 0, 2);
    kit_at(k, 0, 11);
    kit_outbox(k, 3);
    (void)kit_command(k, 2, "order-1", 2, 3);
    kit_at(k, 0, 12);
    kit_event(k);
    kit_append(s, k);
    CHECK_EQ(k->reply.fences[0].result, LEAT_FENCE_OK);
    CHECK_EQ(k->reply.fences[0].head_before, 0);
    CHECK_EQ(k->reply.fences[0].head_after, 3);
    CHECK_EQ(k->reply.fences[0].outbox_after, 1);
    CHECK_EQ(k->reply.lane_offsets[0], 13);

    struct leat_stored_event *e = NULL;
    size_t n = 0;
    OK(leat_store_slice(s, &(struct leat_store_page){2, {0}, 0, -1, 10}, k->arena, &e, &n, &err));
    CHECK_EQ(n, 3);
    CHECK_EQ(e[2].seq, 3);
    CHECK_EQ(e[2].version, 3);
    CHECK_EQ(e[2].schema_id, 5);
    CHECK(leat_str_eq(e[2].stream, LEAT_STR("order-1")) &&
          leat_str_eq(e[2].type, LEAT_STR("Done")));
    CHECK(leat_str_eq(e[2].payload, LEAT_STR("event")));
    CHECK(leat_uuid_eq(&e[2].command_id, &k->commands[2].id));
    CHECK(leat_uuid_eq(&e[2].correlation_id, &k->commands[2].id));
    CHECK_EQ(e[0].recorded_at_us, k->reply.recorded_at_us);
    OK(leat_store_stream(s, &(struct leat_store_page){2, LEAT_STR("order-1"), 1, 0, 10}, k->arena,
                         &e, &n, &err));
    CHECK_EQ(n, 2);
    CHECK_EQ(e[0].version, 2);
    CHECK_EQ(kit_number(kit_admin, "select next_offset from shop.lanes where k = 2"), 13);
    CHECK_EQ(kit_number(kit_admin, "select fingerprint from shop.lanes where k = 2"), 77);
    kit_check_dense(kit_admin);
    kit_batch_free(k);
    leat_store_close(s);
}

static void command_rows_answer_what_became_of_it(void)
{
    struct leat_store *s = kit_fresh();
    kit_poke(s, 1, "order-9", 100);
    struct kit_batch *k = kit_batch("a");
    kit_fence(k, 1, 0, 1);
    (void)kit_command(k, 1, "order-1", 0, 1);
    kit_event(k);
    struct leat_batch_command *c = kit_command(k, 1, "order-2", 0, 2);
    c->outcome = LEAT_OUTCOME_REJECTED;
    c->error_code = LEAT_STR("closed");
    c->error_text = LEAT_STR("the order is closed");
    c->attempts = 2;
    c->correlation_id = kit_id(900);
    c = kit_command(k, 1, "", -1, 3);
    c->outcome = LEAT_OUTCOME_DEAD;
    c->error_text = LEAT_STR("bad \xff bytes \0 here");
    c->payload = LEAT_STR("\0\xff\0");
    c = kit_command(k, 1, "order-77", -1, 4);
    c->outcome = LEAT_OUTCOME_FORWARDED;
    kit_outbox(k, 3);
    kit_append(s, k);
    CHECK_EQ(k->reply.conflicts + k->reply.duplicates, 0);

    struct leat_command_status st;
    struct leat_uuid id = kit_id(2);
    OK(leat_store_command(s, 1, &id, k->arena, &st, &err));
    CHECK(leat_str_eq(st.outcome, LEAT_STR("rejected")));
    CHECK(leat_str_eq(st.error_code, LEAT_STR("closed")));
    CHECK(leat_str_eq(st.processor, LEAT_STR("a")));
    CHECK_EQ(st.first_seq, 2);
    CHECK_EQ(st.last_seq, 2);
    CHECK_EQ(st.received_at_us, 1700000000123000);
    id = kit_id(1);
    OK(leat_store_command(s, -1, &id, k->arena, &st, &err));
    CHECK(leat_str_eq(st.outcome, LEAT_STR("accepted")));
    CHECK_EQ(st.slice, 1);
    CHECK_EQ(st.first_seq, 2);
    id = kit_id(3);
    OK(leat_store_command(s, 1, &id, k->arena, &st, &err));
    CHECK(leat_str_eq(st.error_text, LEAT_STR("bad \\xff bytes \\x00 here")));
    CHECK_EQ(
        kit_number(kit_admin, "select length(payload) from shop.commands where outcome='dead'"), 3);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.commands where slice = 1"), 4);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.outbox"), 1);
    id = kit_id(4);
    CHECK_EQ(leat_store_command(s, -1, &id, k->arena, &st, NULL), LEAT_ABSENT);
    CHECK(kit_text_is(kit_admin,
                      "select correlation_id::text || error || attempts from shop.commands where"
                      " outcome = 'rejected'",
                      "00000000-0000-0000-0000-000000000384closed: the order is closed2"));
    kit_batch_free(k);
    leat_store_close(s);
}

static void another_epoch_loses_the_fence(void)
{
    struct leat_store *s = kit_fresh();
    CHECK_EQ(kit_claim(s, "a", 1, NULL), 1);
    struct kit_batch *k = kit_batch("a");
    kit_fence(k, 3, 0, 0); /* not in k order, and this one holds */
    kit_fence(k, 1, 0, 0);
    kit_lane(k, 1, 0, 1);
    kit_lane(k, 3, 0, 1);
    (void)kit_command(k, 1, "order-1", 0, 1);
    kit_at(k, 0, 0);
    kit_event(k);
    (void)kit_command(k, 3, "order-3", 0, 3);
    kit_at(k, 1, 0);
    kit_event(k);
    kit_outbox(k, 1);
    kit_append(s, k);
    CHECK_EQ(k->reply.fences[0].result, LEAT_FENCE_OK);
    CHECK_EQ(k->reply.fences[1].result, LEAT_FENCE_LOST);
    CHECK_EQ(k->reply.fences[1].head_after, 0);
    CHECK_EQ(k->reply.fences[0].head_after, 1);
    CHECK_EQ(k->reply.fences[0].outbox_after, 1);
    CHECK_EQ(S(k, 0), LEAT_SETTLED_LEFT_OUT);
    CHECK_EQ(S(k, 1), LEAT_SETTLED_STORED);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.events"), 1);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.lanes"), 1);
    kit_check_dense(kit_admin);
    kit_batch_free(k);
    leat_store_close(s);
}

static void another_offset_leaves_its_k_out(void)
{
    struct leat_store *s = kit_fresh();
    struct kit_batch *k = kit_batch("a");
    for (int round = 0; round < 2; round++) {
        k->b.fence_count = k->b.lane_count = k->b.command_count = k->b.event_count = 0;
        kit_fence(k, 0, 0, round);
        kit_fence(k, 1, 0, round);
        kit_lane(k, 0, 5, 6);
        kit_lane(k, 1, 5 + round, 6 + round);
        (void)kit_command(k, 0, "order-1", 0, 1);
        kit_at(k, 0, 5);
        kit_event(k);
        (void)kit_command(k, 1, "order-2", round, 10 + (uint64_t)round);
        kit_at(k, 1, 5 + round);
        kit_event(k);
        kit_append(s, k);
    }
    CHECK_EQ(k->reply.fences[0].result, LEAT_FENCE_OFFSET);
    CHECK_EQ(k->reply.fences[1].result, LEAT_FENCE_OK);
    CHECK_EQ(S(k, 0), LEAT_SETTLED_LEFT_OUT);
    CHECK_EQ(k->reply.duplicates, 0);
    CHECK_EQ(k->reply.lane_offsets[0], 6);
    CHECK_EQ(k->reply.lane_offsets[1], 7);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.events where slice = 0"), 1);
    kit_check_dense(kit_admin);
    kit_batch_free(k);
    leat_store_close(s);
}

/* c2 expects what c1 would have made, and by accident another made just that. */
static void accidental_match_is_a_conflict(void)
{
    struct leat_store *s = kit_fresh();
    kit_poke(s, 1, "order-1", 100);
    struct kit_batch *k = kit_batch("a");
    kit_fence(k, 1, 0, 1);
    kit_lane(k, 1, 20, 24);
    (void)kit_command(k, 1, "order-8", 0, 1);
    kit_at(k, 0, 20);
    kit_event(k);
    (void)kit_command(k, 1, "order-1", 1, 2);
    kit_at(k, 0, 21);
    kit_event(k);
    (void)kit_command(k, 1, "order-1", 2, 3);
    kit_at(k, 0, 22);
    kit_event(k);
    kit_outbox(k, 0);
    (void)kit_command(k, 1, "order-9", 0, 4);
    kit_at(k, 0, 23);
    kit_event(k);
    kit_outbox(k, 0);
    kit_poke(s, 1, "order-1", 101); /* another processor: version 2 */
    kit_append(s, k);
    CHECK_EQ(S(k, 0), LEAT_SETTLED_STORED);
    CHECK_EQ(S(k, 1), LEAT_SETTLED_CONFLICT);
    CHECK_EQ(S(k, 2), LEAT_SETTLED_CONFLICT);
    CHECK_EQ(S(k, 3), LEAT_SETTLED_STORED);
    CHECK_EQ(k->reply.conflicts, 2);
    CHECK_EQ(k->reply.fences[0].head_before, 2);
    CHECK_EQ(k->reply.fences[0].head_after, 4);
    CHECK_EQ(k->reply.fences[0].outbox_after, 1);
    CHECK_EQ(k->reply.lane_offsets[0], 21); /* at the conflict, not past it */
    CHECK_EQ(kit_number(kit_admin, "select fingerprint from shop.lanes"), 0);
    CHECK_EQ(kit_number(kit_admin, "select max(version) from shop.events where stream='order-1'"),
             2);
    CHECK_EQ(kit_number(kit_admin, "select seq from shop.outbox"), 1);
    kit_check_dense(kit_admin);

    /* decided again: the lane continues from 21, and what is above it is known */
    k->b.fence_count = k->b.lane_count = k->b.command_count = k->b.event_count = 0;
    k->b.outbox_count = 0;
    kit_fence(k, 1, 0, 4);
    kit_lane(k, 1, 21, 24);
    (void)kit_command(k, 1, "order-1", 2, 2);
    kit_at(k, 0, 21);
    kit_event(k);
    (void)kit_command(k, 1, "order-1", 3, 3);
    kit_at(k, 0, 22);
    kit_event(k);
    kit_append(s, k);
    CHECK_EQ(k->reply.conflicts + k->reply.duplicates, 0);
    CHECK_EQ(k->reply.lane_offsets[0], 24);
    CHECK_EQ(kit_number(kit_admin, "select fingerprint from shop.lanes"), 77);
    kit_check_dense(kit_admin);
    kit_batch_free(k);
    leat_store_close(s);
}

static void known_duplicates_stay_duplicates_and_spoil_the_rest(void)
{
    struct leat_store *s = kit_fresh();
    struct kit_batch *k = kit_batch("a");
    for (int round = 0; round < 2; round++) {
        k->b.fence_count = k->b.lane_count = k->b.command_count = k->b.event_count = 0;
        kit_fence(k, 0, 0, 2 * round);
        kit_lane(k, 0, 2 * round, 2 * round + 4);
        (void)kit_command(k, 0, "order-1", 2 * round, 1);
        kit_at(k, 0, 2 * round);
        kit_event(k);
        (void)kit_command(k, 0, "order-1", 2 * round + 1, 2);
        kit_at(k, 0, 2 * round + 1);
        kit_event(k);
        if (round == 1) {
            (void)kit_command(k, 0, "order-1", 4, 3);
            kit_at(k, 0, 4);
            kit_event(k);
            (void)kit_command(k, 0, "order-2", 0, 4);
            kit_at(k, 0, 5);
            kit_event(k);
        } else {
            k->lanes[0].next_offset = 2;
        }
        kit_append(s, k);
    }
    CHECK_EQ(S(k, 0), LEAT_SETTLED_DUPLICATE);
    CHECK_EQ(S(k, 1), LEAT_SETTLED_DUPLICATE);
    CHECK_EQ(S(k, 2), LEAT_SETTLED_CONFLICT);
    CHECK_EQ(S(k, 3), LEAT_SETTLED_STORED);
    CHECK_EQ(k->reply.duplicates, 2);
    CHECK_EQ(k->reply.lane_offsets[0], 4);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.events"), 3);
    kit_check_dense(kit_admin);
    kit_batch_free(k);
    leat_store_close(s);
}

/* Nothing of a stream that conflicts is inserted, so no index would show that an id is known. */
static void a_known_id_is_a_duplicate_where_its_stream_conflicts(void)
{
    struct leat_store *s = kit_fresh();
    struct kit_batch *k = kit_batch("a");
    kit_fence(k, 0, 0, 0);
    (void)kit_command(k, 0, "order-1", 0, 1);
    kit_event(k);
    kit_append(s, k);
    CHECK_EQ(S(k, 0), LEAT_SETTLED_STORED);
    kit_poke(s, 0, "order-1", 100); /* somebody else */
    k->b.command_count = k->b.event_count = 0;
    k->fences[0].since = 1;
    (void)kit_command(k, 0, "order-1", 1, 2); /* new, and decided on version 1 of 2 */
    kit_event(k);
    (void)kit_command(k, 0, "order-1", 2, 1); /* known */
    kit_event(k);
    (void)kit_command(k, 0, "order-1", 3, 3);
    kit_event(k);
    kit_append(s, k);
    CHECK_EQ(S(k, 0), LEAT_SETTLED_CONFLICT);
    CHECK_EQ(S(k, 1), LEAT_SETTLED_DUPLICATE);
    CHECK_EQ(S(k, 2), LEAT_SETTLED_CONFLICT);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.events"), 2);
    kit_check_dense(kit_admin);
    kit_batch_free(k);
    leat_store_close(s);
}

static void second_of_two_in_one_batch_is_a_duplicate(void)
{
    struct leat_store *s = kit_fresh();
    struct kit_batch *k = kit_batch("a");
    kit_fence(k, 0, 0, 0);
    kit_fence(k, 1, 0, 0);
    (void)kit_command(k, 0, "order-1", 0, 1);
    kit_event(k);
    (void)kit_command(k, 0, "order-1", 1, 1);
    kit_event(k);
    (void)kit_command(k, 0, "order-1", 2, 2);
    kit_event(k);
    (void)kit_command(k, 1, "order-5", 0, 1); /* the same id in another slice is another command */
    kit_event(k);
    kit_append(s, k);
    CHECK_EQ(S(k, 0), LEAT_SETTLED_STORED);
    CHECK_EQ(S(k, 1), LEAT_SETTLED_DUPLICATE);
    CHECK_EQ(S(k, 2), LEAT_SETTLED_CONFLICT);
    CHECK_EQ(S(k, 3), LEAT_SETTLED_STORED);
    kit_check_dense(kit_admin);

    /* the first is a conflict: the second is not settled either */
    k->b.fence_count = k->b.command_count = k->b.event_count = 0;
    kit_fence(k, 0, 0, 0);
    (void)kit_command(k, 0, "order-1", 0, 7);
    kit_event(k);
    (void)kit_command(k, 0, "order-6", 0, 7);
    kit_event(k);
    kit_append(s, k);
    CHECK_EQ(S(k, 0), LEAT_SETTLED_CONFLICT);
    CHECK_EQ(S(k, 1), LEAT_SETTLED_CONFLICT);
    kit_check_dense(kit_admin);
    kit_batch_free(k);
    leat_store_close(s);
}

static void versions_are_looked_up_when_they_may_have_changed(void)
{
    struct leat_store *s = kit_fresh();
    kit_poke(s, 0, "order-1", 100);
    kit_poke(s, 0, "order-2", 101);
    struct kit_batch *k = kit_batch("a");
    kit_fence(k, 0, 0, 1); /* head is 2, and its event is of another stream */
    (void)kit_command(k, 0, "order-1", 1, 1);
    kit_event(k);
    kit_append(s, k);
    CHECK_EQ(k->reply.conflicts, 0);
    CHECK_EQ(k->reply.fences[0].head_before, 2);

    k->b.fence_count = k->b.command_count = k->b.event_count = 0;
    kit_fence(k, 0, 0, -1); /* nothing is known: everything is looked up */
    (void)kit_command(k, 0, "order-1", 2, 2);
    kit_event(k);
    (void)kit_command(k, 0, "order-2", 0, 3); /* is at 1 */
    kit_event(k);
    (void)kit_command(k, 0, "order-3", -1, 4); /* any: 0 */
    kit_event(k);
    (void)kit_command(k, 0, "order-3", -1, 5);
    kit_event(k);
    (void)kit_command(k, 0, "order-1", 4, 6); /* a hole: 3 would be right */
    kit_event(k);
    kit_append(s, k);
    CHECK_EQ(S(k, 0), LEAT_SETTLED_STORED);
    CHECK_EQ(S(k, 1), LEAT_SETTLED_CONFLICT);
    CHECK_EQ(S(k, 2), LEAT_SETTLED_STORED);
    CHECK_EQ(S(k, 3), LEAT_SETTLED_STORED);
    CHECK_EQ(S(k, 4), LEAT_SETTLED_CONFLICT);
    kit_check_dense(kit_admin);

    k->b.fence_count = k->b.command_count = k->b.event_count = 0;
    kit_fence(k, 0, 0, 6); /* head = since, yet the cached version is wrong: the index says so */
    (void)kit_command(k, 0, "order-1", 1, 8);
    kit_event(k);
    kit_append(s, k);
    CHECK_EQ(S(k, 0), LEAT_SETTLED_CONFLICT);
    CHECK_EQ(k->reply.fences[0].head_after, 6);
    kit_check_dense(kit_admin);
    kit_batch_free(k);
    leat_store_close(s);
}

static void event_lanes_move_all_or_nothing(void)
{
    struct leat_store *s = kit_fresh();
    struct kit_batch *k = kit_batch("a");
    kit_fence(k, 0, 0, 0);
    kit_lane(k, 0, 0, 2);
    k->lanes[0].next_seq = 9;
    (void)kit_command(k, 0, "order-1", 0, 1);
    kit_at(k, 0, 0);
    (void)kit_command(k, 0, "order-2", 1, 2); /* a conflict: it is at 0 */
    kit_at(k, 0, 1);
    k->fences[0].since = -1;
    kit_append(s, k);
    CHECK_EQ(S(k, 1), LEAT_SETTLED_CONFLICT);
    CHECK_EQ(k->reply.lane_offsets[0], 0);
    CHECK_EQ(kit_number(kit_admin, "select next_offset + next_seq from shop.lanes"), 0);
    kit_batch_free(k);
    leat_store_close(s);
}

static void what_breaks_the_contract_is_refused_before_it_is_sent(void)
{
    struct leat_store *s = kit_fresh();
    struct kit_batch *k = kit_batch("a");
    struct leat_error err = {0};
    kit_fence(k, 0, 0, 0);
    (void)kit_command(k, 0, "order-\xff", 0, 1);
    kit_event(k);
    CHECK_EQ(kit_try(s, k, &err), LEAT_INVALID);
    CHECK(strcmp(err.msg, "could not append 1 commands: the stream of command 0 is not a text") ==
          0);
    k->commands[0].stream = LEAT_STR("order-1");
    k->commands[0].k = 3;
    CHECK_EQ(kit_try(s, k, &err), LEAT_INVALID);
    k->commands[0].k = 0;
    k->events[0].command = 1;
    CHECK_EQ(kit_try(s, k, &err), LEAT_INVALID);
    k->events[0].command = 0;
    kit_fence(k, 0, 0, 0);
    CHECK_EQ(kit_try(s, k, &err), LEAT_INVALID);
    k->fences[1].k = 99; /* no such slice in this store */
    k->fences[1].epoch = -1;
    CHECK_EQ(kit_try(s, k, &err), LEAT_FATAL);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.commands"), 0);
    kit_batch_free(k);
    leat_store_close(s);
}

/* The times that Kafka's records may have (kafka/kafka.h), and what waits a year more. */
static void times_of_records_fit(void)
{
    struct leat_store *s = kit_fresh();
    struct kit_batch *k = kit_batch("a");
    kit_fence(k, 0, 0, 0);
    kit_command(k, 0, "order-1", 0, 1)->received_at_ms = LEAT_RECORD_TIME_MIN_MS;
    kit_command(k, 0, "order-2", 0, 2)->received_at_ms =
        LEAT_RECORD_TIME_MAX_MS + INT64_C(31622400000);
    kit_append(s, k);
    CHECK(kit_text_is(kit_admin, "select min(received_at) < '4000-01-01 BC' from shop.commands",
                      "t"));
    CHECK(
        kit_text_is(kit_admin, "select max(received_at) > '280000-01-01' from shop.commands", "t"));
    kit_batch_free(k);
    leat_store_close(s);
}

static void prepared_and_empty_batches_work(void)
{
    leat_store_close(kit_fresh());
    struct leat_store_options o = {.url = kit_url, .schema = KIT_SCHEMA, .prepare = true};
    struct leat_store *s = NULL;
    OK(leat_store_open(&o, &s, &err));
    struct kit_batch *k = kit_batch("a");
    for (int i = 0; i < 12; i++) { /* past the point where plans become generic */
        k->b.fence_count = k->b.lane_count = k->b.command_count = k->b.event_count = 0;
        kit_fence(k, 0, 0, i);
        kit_lane(k, 0, i, i + 1);
        (void)kit_command(k, 0, "order-1", i, 1 + (uint64_t)i);
        kit_at(k, 0, i);
        kit_event(k);
        kit_append(s, k);
        CHECK_EQ(k->reply.fences[0].head_after, i + 1);
    }
    k->b.lane_count = k->b.command_count = k->b.event_count = 0;
    kit_append(s, k);
    CHECK_EQ(k->reply.fences[0].head_after, 12);
    kit_check_dense(kit_admin);
    kit_batch_free(k);
    leat_store_close(s);
}

int main(int argc, char **argv)
{
#define T(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }
    static const struct kit_test tests[] = {
        T(what_is_appended_comes_back),
        T(command_rows_answer_what_became_of_it),
        T(another_epoch_loses_the_fence),
        T(another_offset_leaves_its_k_out),
        T(accidental_match_is_a_conflict),
        T(known_duplicates_stay_duplicates_and_spoil_the_rest),
        T(a_known_id_is_a_duplicate_where_its_stream_conflicts),
        T(second_of_two_in_one_batch_is_a_duplicate),
        T(versions_are_looked_up_when_they_may_have_changed),
        T(event_lanes_move_all_or_nothing),
        T(what_breaks_the_contract_is_refused_before_it_is_sent),
        T(times_of_records_fit),
        T(prepared_and_empty_batches_work),
    };
    return kit_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
