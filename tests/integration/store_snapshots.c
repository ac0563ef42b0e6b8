/* uses: base store */
/* Snapshots against a real server: kept in the call that appends, read with the events after them,
 * void for others than those that wrote them, cleaned in steps. */
#include "store_kit_batch.h"

static const struct leat_snapshot_form form = {3, 0xfeedfacecafebeefull};

/* One command with n events on order-1 at `expected`, and the state after it. */
static leat_settled keep(struct leat_store *s, const char *stream, int64_t expected, int n,
                         const char *state, const struct leat_snapshot_form *of)
{
    static uint64_t ids = 1;
    struct kit_batch *k = kit_batch("");
    kit_fence(k, 1, -1, -1);
    (void)kit_command(k, 1, stream, expected, ids++);
    for (int i = 0; i < n; i++)
        kit_event(k);
    struct leat_batch_snapshot snapshot = {0, expected + n, leat_str_of(state)};
    k->b.snapshots = &snapshot;
    k->b.snapshot_count = 1;
    k->b.snapshot_form = *of;
    kit_append(s, k);
    leat_settled settled = (leat_settled)k->reply.settled[0];
    kit_batch_free(k);
    return settled;
}

static struct leat_loaded load(struct leat_store *s, struct leat_arena *arena, const char *stream,
                               int64_t after, const struct leat_snapshot_form *of)
{
    struct leat_stream_want wants[] = {{1, LEAT_STR("order-none"), 0, NULL},
                                       {1, leat_str_of(stream), after, of}};
    struct leat_loaded l;
    OK(leat_store_load(s, wants, 2, arena, &l, &err));
    for (size_t i = 0; i < l.snapshot_count; i++)
        CHECK_EQ(l.snapshots[i].want, 1);
    for (size_t i = 0; i < l.event_count; i++)
        CHECK_EQ(l.want[i], 1);
    CHECK_EQ(l.head_count, 1);
    return l;
}

static void a_stream_is_read_from_its_snapshot_on(void)
{
    struct leat_store *s = kit_fresh();
    struct leat_arena *arena = leat_arena_new(4096, 0);
    uint64_t trips = leat_store_counts(s).write_trips;
    CHECK_EQ(keep(s, "order-1", 0, 5, "five", &form), LEAT_SETTLED_STORED);
    CHECK_EQ(leat_store_counts(s).write_trips, trips + 1);
    kit_poke(s, 1, "order-1", 900);
    struct leat_loaded l = load(s, arena, "order-1", 0, &form);
    CHECK(l.snapshot_count == 1 && l.event_count == 1);
    CHECK(l.snapshots[0].version == 5 && !l.snapshots[0].damaged);
    CHECK(leat_str_eq(l.snapshots[0].state, LEAT_STR("five")));
    CHECK_EQ(l.events[0].version, 6);
    CHECK_EQ(l.heads[0].head_seq, 6);
    l = load(s, arena, "order-1", 5, &form); /* what is cached is as new */
    CHECK(l.snapshot_count == 0 && l.event_count == 1);
    CHECK_EQ(keep(s, "order-1", 6, 3, "nine", &form), LEAT_SETTLED_STORED);
    l = load(s, arena, "order-1", 2, &form);
    CHECK(l.snapshot_count == 1 && l.snapshots[0].version == 9 && l.event_count == 0);
    l = load(s, arena, "order-1", 2, NULL);
    CHECK(l.snapshot_count == 0 && l.event_count == 7);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.snapshots"), 1);
    leat_arena_free(arena);
    leat_store_close(s);
}

static void other_forms_are_void(void)
{
    struct leat_store *s = kit_fresh();
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_snapshot_form version = {4, form.state_schema};
    struct leat_snapshot_form schema = {3, form.state_schema + 1};
    CHECK_EQ(keep(s, "order-1", 0, 4, "four", &form), LEAT_SETTLED_STORED);
    struct leat_loaded l = load(s, arena, "order-1", 0, &version);
    CHECK(l.snapshot_count == 0 && l.event_count == 4);
    l = load(s, arena, "order-1", 0, &schema);
    CHECK(l.snapshot_count == 0 && l.event_count == 4);
    CHECK_EQ(keep(s, "order-1", 4, 1, "other", &version), LEAT_SETTLED_STORED);
    l = load(s, arena, "order-1", 0, &version);
    CHECK(l.snapshot_count == 1 && l.event_count == 0);
    l = load(s, arena, "order-1", 0, &form);
    CHECK(l.snapshot_count == 0 && l.event_count == 5);
    leat_arena_free(arena);
    leat_store_close(s);
}

static void what_is_not_stored_leaves_no_snapshot(void)
{
    struct leat_store *s = kit_fresh();
    CHECK_EQ(keep(s, "order-1", 0, 2, "two", &form), LEAT_SETTLED_STORED);
    CHECK_EQ(keep(s, "order-1", 1, 2, "wrong", &form), LEAT_SETTLED_CONFLICT);
    CHECK(kit_text_is(kit_admin,
                      "select version || convert_from(state, 'UTF8') from shop.snapshots", "2two"));
    leat_store_close(s);
}

static void damage_is_seen(void)
{
    static const char *const harms[] = {"state = set_byte(state, 1, 0)", "state = ''",
                                        "version = version - 1", "checksum = checksum + 1",
                                        "stream = 'order-2'"};
    struct leat_store *s = kit_fresh();
    struct leat_arena *arena = leat_arena_new(4096, 0);
    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
        char sql[200];
        kit_sql(kit_admin, "delete from shop.snapshots");
        CHECK_EQ(keep(s, "order-1", 2 * (int64_t)i, 2, "state", &form), LEAT_SETTLED_STORED);
        (void)snprintf(sql, sizeof sql, "update shop.snapshots set %s", harms[i]);
        kit_sql(kit_admin, sql);
        struct leat_loaded l = load(s, arena, i == 4 ? "order-2" : "order-1", 0, &form);
        CHECK(l.snapshot_count == 1 && l.snapshots[0].damaged);
    }
    leat_arena_free(arena);
    leat_store_close(s);
}

/* Steps of two rows until it is done; how many there were. */
static int clean(struct leat_store *s, const char *prefix, const struct leat_snapshot_form *of,
                 int32_t *ret_removed)
{
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_snapshot_clean c = {1, leat_str_of(prefix), *of, LEAT_STR(""), 2};
    int steps = 0;
    *ret_removed = 0;
    do {
        int32_t removed = 0;
        OK(leat_store_clean_snapshots(s, &c, arena, &c.after, &removed, &err));
        CHECK(removed <= 2);
        *ret_removed += removed;
        steps++;
    } while (c.after.len > 0 && steps < 100);
    leat_arena_free(arena);
    return steps;
}

static void void_ones_are_cleaned_in_steps(void)
{
    struct leat_store *s = kit_fresh();
    struct leat_snapshot_form newer = {4, 1}, other = {3, 1};
    int32_t removed = 0;
    for (int i = 0; i < 5; i++) {
        char stream[32];
        (void)snprintf(stream, sizeof stream, "order-%d", i);
        CHECK_EQ(keep(s, stream, 0, 1, "x", i == 3 ? &newer : &form), LEAT_SETTLED_STORED);
    }
    CHECK_EQ(keep(s, "invoice-1", 0, 1, "x", &form), LEAT_SETTLED_STORED);
    CHECK_EQ(keep(s, "orders-1", 0, 1, "x", &form), LEAT_SETTLED_STORED);
    CHECK_EQ(clean(s, "order-", &form, &removed), 3); /* 5 rows: the third step meets the end */
    CHECK_EQ(removed, 0);
    CHECK_EQ(clean(s, "order-", &other, &removed), 3);
    CHECK_EQ(removed, 4); /* the one of a newer version stays */
    CHECK(kit_text_is(kit_admin,
                      "select string_agg(stream, ' ' order by stream) from"
                      " shop.snapshots",
                      "invoice-1 order-3 orders-1"));
    CHECK_EQ(clean(s, "order-", &(struct leat_snapshot_form){5, 1}, &removed), 1);
    CHECK_EQ(removed, 1);
    leat_store_close(s);
}

static const struct kit_test tests[] = {
    {"a_stream_is_read_from_its_snapshot_on", a_stream_is_read_from_its_snapshot_on},
    {"other_forms_are_void", other_forms_are_void},
    {"what_is_not_stored_leaves_no_snapshot", what_is_not_stored_leaves_no_snapshot},
    {"damage_is_seen", damage_is_seen},
    {"void_ones_are_cleaned_in_steps", void_ones_are_cleaned_in_steps},
};

int main(int argc, char **argv)
{
    return kit_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
