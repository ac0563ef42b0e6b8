/* Versions of a model as folders, the mark of one that is being built, and what a version keeps of
 * its declaration. */
static const char topology_text[] =
    "leat: 1\nname: shop\npartitions: 4\nkafka: {bootstrap.servers: k}\nstore: {url: pg}\n"
    "aggregates: {order: {key: order_id}, item: {key: sku}}\n"
    "processors:\n"
    "  orders: {aggregate: order, commands: [Place], emits: [Placed, Dropped]}\n"
    "  items: {aggregate: item, commands: [Count], emits: [Counted]}\n"
    "projections:\n"
    "  orders:\n"
    "    key: $.order_id\n"
    "    from:\n"
    "      Placed: {when: \"$.total > 0\", set: {status: placed, kind: \"it's: # new\", n: 7, m: "
    "\"7\","
    " day: \"day($meta.time, 'Europe/Berlin')\", cost: \"'$$5'\", empty: \"\"}, add: {sum: "
    "$.total}}\n"
    "      Dropped: {delete: true}\n"
    "    indexes: {by_status: [status, -sum]}\n"
    "  stock: {key: $.sku, from: {Counted: {max: {most: $.n}}}}\n";

#include "projection/build_file.h"
#include "projection/rebuild.h"
#include "projection/switches.h"
#include "projection/version_copy.h"
#include "projection/version_state.h"
#include "projection_kit.h"
#include "topology/declaration.h"

TestSuite(versions, .init = set_up, .fini = tear_down);

static struct leat_error err;

static void list_versions(struct leat_str model, struct leat_versions *ret)
{
    cr_assert_eq(leat_versions_list(data_dir, model, ret, &err), LEAT_OK, "%s", err.msg);
}

static void dir_of(const struct leat_projection *p, const char *version,
                   char ret[LEAT_MODEL_PATH_BYTES])
{
    cr_assert_eq(leat_version_dir(data_dir, p->name, version, ret, &err), LEAT_OK);
}

Test(versions, come_in_order_and_never_take_a_number_that_was_used)
{
    const struct leat_projection *p = &topology->projections[0];
    char first[LEAT_VERSION_BYTES], second[LEAT_VERSION_BYTES], dir[LEAT_MODEL_PATH_BYTES];
    struct leat_versions all = {0};
    list_versions(p->name, &all);
    cr_assert_eq(all.n, 0);
    cr_assert_eq(leat_rebuild_make(data_dir, topology, p, first, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_rebuild_make(data_dir, topology, p, second, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_version_hash(first), p->hash);
    list_versions(p->name, &all);
    cr_assert_eq(all.n, 2);
    cr_assert_str_eq(all.at[0].name, first);
    cr_assert_str_eq(all.at[1].name, second);
    cr_assert(all.at[1].building && !all.at[1].has_data && !all.at[1].refused);
    cr_assert_null(leat_versions_newest(&all, p->hash, true), "neither is whole");
    cr_assert_str_eq(leat_versions_newest(&all, p->hash, false)->name, second);
    leat_versions_free(&all);
    cr_assert_eq(leat_version_drop(data_dir, p->name, first, &err), LEAT_OK, "%s", err.msg);
    dir_of(p, first, dir);
    cr_assert_neq(access(dir, F_OK), 0);
    cr_assert_eq(leat_rebuild_make(data_dir, topology, p, first, &err), LEAT_OK);
    cr_assert(strstr(first, "-3") != NULL, "%s", first);
    cr_assert_eq(leat_version_drop(data_dir, p->name, "0000000000000001", &err), LEAT_ABSENT);
    list_versions(topology->projections[1].name, &all);
    cr_assert_eq(all.n, 0, "another model's are its own");
}

Test(versions, what_a_person_holds_is_known_to_be_held_against_that_declaration_alone)
{
    const struct leat_projection *p = &topology->projections[0];
    char version[LEAT_VERSION_BYTES], now[LEAT_VERSION_BYTES];
    cr_assert_eq(leat_version_stamp(data_dir, p->name), 0);
    cr_assert_eq(leat_rebuild_make(data_dir, topology, p, version, &err), LEAT_OK);
    cr_assert_eq(leat_version_switch(data_dir, p->name, version, &err), LEAT_OK);
    uint64_t stamp = leat_version_stamp(data_dir, p->name);
    cr_assert_neq(stamp, 0);
    cr_assert_eq(leat_version_stamp(data_dir, p->name), stamp);
    cr_assert_not(leat_version_is_held(data_dir, p->name, 5));
    cr_assert_eq(leat_version_hold(data_dir, p->name, version, 5, &err), LEAT_OK);
    cr_assert_neq(leat_version_stamp(data_dir, p->name), stamp);
    cr_assert(leat_version_is_held(data_dir, p->name, 5));
    cr_assert_not(leat_version_is_held(data_dir, p->name, 6));
    cr_assert_eq(leat_version_current(data_dir, p->name, now, &err), LEAT_OK);
    cr_assert_str_eq(now, version);
}

Test(versions, one_builds_at_a_time_and_what_was_begun_before_a_restart_is_lost)
{
    const struct leat_projection *p = &topology->projections[0];
    char version[LEAT_VERSION_BYTES], dir[LEAT_MODEL_PATH_BYTES], path[LEAT_MODEL_PATH_BYTES + 32];
    struct leat_build_state s = {0};
    bool over = true, paused = false;
    int fd = -1, other = -1;
    int64_t pace = 0;
    cr_assert_eq(leat_rebuild_make(data_dir, topology, p, version, &err), LEAT_OK);
    dir_of(p, version, dir);
    cr_assert_eq(leat_build_lock(dir, &fd, &over, &err), LEAT_OK, "%s", err.msg);
    cr_assert_not(over, "begun since the machine started");
    cr_assert_eq(leat_build_lock(dir, &other, &over, &err), LEAT_RETRY);
    s = (struct leat_build_state){.done = 3, .total = 7, .per_s = 2, .started_ms = 9};
    leat_build_tell(fd, &s);
    cr_assert_eq(leat_build_pause(dir, true, &err), LEAT_OK);
    cr_assert_eq(leat_build_pace(dir, 250, &err), LEAT_OK);
    cr_assert_eq(leat_build_read(dir, &s, &err), LEAT_OK);
    cr_assert(s.alive && s.paused && s.done == 3 && s.total == 7 && s.pace_per_s == 250);
    cr_assert_eq(s.pid, (int64_t)getpid());
    cr_assert_eq(leat_build_pause(dir, false, &err), LEAT_OK);
    leat_build_asked(dir, &paused, &pace);
    cr_assert(!paused && pace == 250);
    leat_build_unlock(fd);
    cr_assert_eq(leat_build_read(dir, &s, &err), LEAT_OK);
    cr_assert_not(s.alive);

    (void)snprintf(path, sizeof path, "%s/building", dir);
    FILE *f = fopen(path, "w");
    (void)fputs("another-boot 1 2 3 4 5 6\n", f);
    (void)fclose(f);
    (void)snprintf(path, sizeof path, "%s/data.mdb", dir);
    f = fopen(path, "w");
    (void)fclose(f);
    cr_assert_eq(leat_build_lock(dir, &fd, &over, &err), LEAT_OK, "%s", err.msg);
    cr_assert(over);
    cr_assert_neq(access(path, F_OK), 0, "its files went");
    cr_assert_eq(leat_build_done(dir, fd, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_build_read(dir, &s, &err), LEAT_ABSENT);
}

Test(versions, a_declaration_is_read_back_as_what_it_was)
{
    for (uint32_t i = 0; i < topology->n_projections; i++) {
        const struct leat_projection *p = &topology->projections[i], *q = NULL;
        struct leat_topology *again = NULL;
        struct leat_buf text;
        leat_buf_init(&text, LEAT_DECLARATION_BYTES_MAX);
        leat_declaration_text(topology, p, &text);
        cr_assert_eq(leat_declaration_load(leat_buf_str(&text), &again, &err), LEAT_OK, "%s: %.*s",
                     err.msg, LEAT_STR_FMT(leat_buf_str(&text)));
        q = &again->projections[0];
        cr_assert(leat_str_eq(p->name, q->name));
        cr_assert_eq(p->hash, q->hash, "%.*s", LEAT_STR_FMT(leat_buf_str(&text)));
        cr_assert_eq(p->fields.n, q->fields.n);
        cr_assert_eq(p->n_indexes, q->n_indexes);
        cr_assert_eq(p->keyed_by_stream, q->keyed_by_stream);
        cr_assert_eq(again->partitions, topology->partitions);
        leat_topology_free(again);
        leat_buf_done(&text);
    }
    struct leat_topology *none = NULL;
    cr_assert_eq(leat_declaration_load(LEAT_STR("leat: 1\n"), &none, &err), LEAT_INVALID);
}

Test(versions, reaching_is_by_slice_and_only_within_one_store)
{
    struct leat_uuid other = {{9}};
    struct leat_checkpoint a[2] = {{.store_id = store_id, .seq = 5}, {.store_id = store_id}};
    struct leat_checkpoint b[2] = {{.store_id = store_id, .seq = 5}, {.store_id = store_id}};
    cr_assert(leat_checkpoints_reach(a, b, 2));
    b[1].seq = 3;
    cr_assert_not(leat_checkpoints_reach(a, b, 2));
    cr_assert_eq(leat_checkpoints_behind(a, b, 2), 3);
    a[0].seq = 100; /* more of one slice makes up for nothing in another */
    cr_assert_eq(leat_checkpoints_behind(a, b, 2), 3);
    a[1] = (struct leat_checkpoint){.store_id = other, .seq = 1};
    cr_assert(leat_checkpoints_reach(a, b, 2));
}

Test(versions, who_watches_sees_every_switch_and_one_that_was_broken_off)
{
    const struct leat_projection *p = &topology->projections[0];
    char version[LEAT_VERSION_BYTES];
    struct leat_switches *w = NULL, *s = NULL;
    cr_assert_null(leat_switches_watch(data_dir, p->name), "there is no folder yet");
    cr_assert_eq(leat_switches_count(NULL) & 1, 1, "look each time");
    cr_assert_eq(leat_rebuild_make(data_dir, topology, p, version, &err), LEAT_OK, "%s", err.msg);
    cr_assert_not_null(w = leat_switches_watch(data_dir, p->name));
    uint64_t before = leat_switches_count(w);
    cr_assert_eq(before & 1, 0);
    cr_assert_eq(leat_version_switch(data_dir, p->name, version, &err), LEAT_OK, "%s", err.msg);
    uint64_t after = leat_switches_count(w);
    cr_assert(after != before && (after & 1) == 0);
    cr_assert_eq(leat_switches_begin(data_dir, p->name, &s, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_switches_count(w) & 1, 1, "being switched");
    leat_switches_free(s); /* as the end of a process does */
    cr_assert_eq(leat_switches_count(w) & 1, 1);
    cr_assert_eq(leat_version_switch(data_dir, p->name, version, &err), LEAT_OK, "%s", err.msg);
    cr_assert(leat_switches_count(w) != after && (leat_switches_count(w) & 1) == 0);
    leat_switches_free(w);
}
