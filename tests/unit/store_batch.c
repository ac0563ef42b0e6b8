/* uses: base store */
/* A batch numbered in advance: positions, versions, order, and what it refuses. */
#include <criterion/criterion.h>
#include <string.h>

#include "store/batch.h"

static struct leat_arena *arena;
static struct leat_batch_fence fences[3];
static struct leat_batch_command commands[8];
static struct leat_batch_event events[8];
static struct leat_batch_outbox outbox[8];
static struct leat_batch batch;

static void set_up(void)
{
    arena = leat_arena_new(4096, 0);
    batch = (struct leat_batch){.processor = LEAT_STR("p"),
                                .fences = fences,
                                .commands = commands,
                                .events = events,
                                .outbox = outbox};
}

static void tear_down(void)
{
    leat_arena_free(arena);
}

TestSuite(store_batch, .init = set_up, .fini = tear_down);

static void fence(int32_t k, int64_t since)
{
    fences[batch.fence_count++] = (struct leat_batch_fence){k, 1, since};
}

static void command(int32_t k, const char *stream, int64_t expected, uint32_t event_count)
{
    uint32_t c = (uint32_t)batch.command_count++;
    commands[c] = (struct leat_batch_command){.k = k,
                                              .lane = -1,
                                              .stream = leat_str_of(stream),
                                              .expected_version = expected,
                                              .outcome = LEAT_OUTCOME_ACCEPTED};
    commands[c].id.b[0] = (uint8_t)(100 - c);
    for (uint32_t i = 0; i < event_count; i++)
        events[batch.event_count++] = (struct leat_batch_event){.command = c};
}

static struct leat_plan plan(void)
{
    struct leat_plan p;
    struct leat_error err = {0};
    cr_assert_eq(leat_plan_batch(&batch, arena, &p, &err), LEAT_OK, "%s", err.msg);
    return p;
}

Test(store_batch, positions_run_per_slice_in_the_order_of_events)
{
    fence(7, 0);
    fence(2, 0);
    command(7, "a-1", 0, 2);
    command(2, "a-2", 4, 1);
    command(7, "a-3", 0, 0);
    command(7, "a-1", 2, 1);
    outbox[0].command = 0;
    outbox[1].command = 1;
    outbox[2].command = 3;
    batch.outbox_count = 3;
    struct leat_plan p = plan();
    cr_expect_eq(p.fence_of[0], 1); /* k 2 first */
    int32_t rel[] = {1, 2, 1, 3};
    int64_t version[] = {1, 2, 5, 3};
    cr_expect_arr_eq(p.event_rel, rel, sizeof rel);
    cr_expect_arr_eq(p.event_version, version, sizeof version);
    int32_t first[] = {1, 1, 3, 3};
    int32_t last[] = {2, 1, 3, 3}; /* no events: everything the slice gets */
    cr_expect_arr_eq(p.first, first, sizeof first);
    cr_expect_arr_eq(p.last, last, sizeof last);
    int32_t outbox_rel[] = {1, 1, 2};
    cr_expect_arr_eq(p.outbox_rel, outbox_rel, sizeof outbox_rel);
    int32_t order[] = {2, 4, 3, 1}; /* by slice, then id */
    cr_expect_arr_eq(p.order, order, sizeof order);
    int32_t event_order[] = {3, 1, 2, 4}; /* by slice */
    cr_expect_arr_eq(p.event_order, event_order, sizeof event_order);
    cr_expect_not(p.look_up);
}

Test(store_batch, versions_that_do_not_follow_are_looked_up)
{
    fence(1, 0);
    command(1, "a-1", 3, 1);
    command(1, "a-1", 5, 1);
    cr_expect(plan().look_up);
}

Test(store_batch, any_version_follows_what_the_batch_knows)
{
    fence(1, 0);
    command(1, "a-1", 3, 1);
    command(1, "a-1", -1, 1);
    struct leat_plan p = plan();
    cr_expect_eq(p.event_version[1], 5);
    cr_expect_not(p.look_up);
    command(1, "a-2", -1, 0); /* nothing needs its version */
    cr_expect_not(plan().look_up);
    command(1, "a-2", -1, 1);
    cr_expect(plan().look_up);
}

Test(store_batch, unknown_since_is_looked_up)
{
    fence(1, -1);
    command(1, "a-1", 0, 1);
    cr_expect(plan().look_up);
}

Test(store_batch, forwarded_commands_get_no_row)
{
    fence(1, 0);
    command(1, "a-1", 0, 1);
    command(1, "a-2", -1, 0);
    commands[1].outcome = LEAT_OUTCOME_FORWARDED;
    struct leat_plan p = plan();
    cr_expect_eq(p.order_count, 1);
    cr_expect_eq(p.order[0], 1);
}

static void refused(const char *why)
{
    struct leat_plan p;
    struct leat_error err = {0};
    cr_expect_eq(leat_plan_batch(&batch, arena, &p, &err), LEAT_INVALID);
    cr_expect_str_eq(err.msg, why);
}

Test(store_batch, what_breaks_the_contract_is_refused)
{
    refused("a batch needs a fence");
    fence(1, 0);
    command(2, "a-1", 0, 1);
    refused("no fence for command 0 (k 2)");
    commands[0].k = 1;
    commands[0].lane = 0;
    refused("command 0 is not of lane 0");
    commands[0].lane = -1;
    commands[0].outcome = LEAT_OUTCOME_REJECTED;
    refused("command 0 has events but is not accepted");
    commands[0].outcome = LEAT_OUTCOME_ACCEPTED;
    commands[0].expected_version = -2;
    refused("command 0 expects version -2");
    commands[0].expected_version = 0;
    events[0].command = 1;
    refused("event 0 is out of order or of no command");
    events[0].command = 0;
    outbox[0].command = 1;
    batch.outbox_count = 1;
    refused("outbox row 0 is out of order or of no command");
    outbox[0].command = 0;
    fence(1, 0);
    refused("a batch names k 1 twice");
}

Test(store_batch, parameters_are_as_many_as_the_function_has)
{
    fence(1, 0);
    command(1, "a-1", 0, 1);
    struct leat_plan p = plan();
    struct leat_pg_params params = {0};
    leat_buf_init(&params.bytes, 1 << 16);
    leat_plan_params(&batch, &p, 1000, arena, &params);
    cr_expect_eq(params.count, LEAT_APPEND_PARAMS);
    cr_expect_not(params.bytes.overflow);
    leat_buf_done(&params.bytes);
}
