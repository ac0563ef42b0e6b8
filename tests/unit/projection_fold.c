#include <stdlib.h>
#include <string.h>

/* A model of every operation, keyed by the stream, and one that many streams feed. */
static const char topology_text[] =
    "leat: 1\n"
    "name: t\n"
    "partitions: 4\n"
    "kafka: {bootstrap.servers: 127.0.0.1:1}\n"
    "store: {url: 'postgresql:///t'}\n"
    "priorities: {all: {weight: 1, default: true}}\n"
    "aggregates: {lead: {key: id, state: LeadState}}\n"
    "processors: {leads: {aggregate: lead, commands: [Make], emits: [Made, Scored, Gone]}}\n"
    "projections:\n"
    "  card:\n"
    "    store: lmdb\n"
    "    key: $.id\n"
    "    from:\n"
    "      Made: {set: {name: $.name, tier: none, made: $meta.recorded_at}, add: {n: 1}}\n"
    "      Scored:\n"
    "        when: $.score >= 0\n"
    "        set: {tier: $.tier, before: $row.tier}\n"
    "        add: {n: 1, sum: $.score}\n"
    "        min: {least: $.score}\n"
    "        max: {most: $.score}\n"
    "        append: {scores: $.score}\n"
    "      Gone: {delete: true}\n"
    "    indexes: {by_tier: [tier, -sum]}\n"
    "  tiers:\n"
    "    store: lmdb\n"
    "    key: [$.tier, \"day($meta.recorded_at)\"]\n"
    "    from: {Scored: {add: {n: 1, sum: $.score}, collect: {ids: $.id}}}\n"
    "  few:\n"
    "    key: $.id\n"
    "    from:\n"
    "      Scored: {append: {last: {value: $.score, max: 3}}, collect: {least: {value: $.score, "
    "max: 2}}}\n"
    "http: {listen: '127.0.0.1:0'}\n";

#include "projection_kit.h"

TestSuite(fold, .init = set_up, .fini = tear_down);

Test(fold, lists_keep_as_much_as_is_declared)
{
    static const int scores[] = {5, 9, 2, 7, 4, 2};
    struct leat_fold *f = open_fold("few", 0);
    for (int i = 0; i < 6; i++) {
        char *json = NULL;
        cr_assert_gt(asprintf(&json, "{\"id\":\"a\",\"score\":%d}", scores[i]), 0);
        cr_assert_eq(take(f, 1, i + 1, "Scored", json), LEAT_SEQ_APPLY);
        commit(f);
        free(json);
    }
    assert_row("few", "a", "{\"key\":\"a\",\"last\":[7,4,2],\"least\":[2,4]}");
    leat_fold_close(f);
}

Test(fold, every_operation_over_several_commits)
{
    struct leat_fold *f = open_fold("card", 0);
    cr_assert_eq(take(f, 1, 1, "Made", "{\"id\":\"a\",\"name\":\"A\"}"), LEAT_SEQ_APPLY);
    cr_assert_eq(take(f, 1, 2, "Scored", "{\"id\":\"a\",\"tier\":\"warm\",\"score\":5}"),
                 LEAT_SEQ_APPLY);
    commit(f);
    assert_row("card", "a",
               "{\"key\":\"a\",\"name\":\"A\",\"tier\":\"warm\",\"made\":1700000000001,\"n\":2,"
               "\"before\":\"none\",\"sum\":5,\"least\":5,\"most\":5,\"scores\":[5]}");
    cr_assert_eq(take(f, 1, 3, "Scored", "{\"id\":\"a\",\"tier\":\"hot\",\"score\":3}"),
                 LEAT_SEQ_APPLY);
    cr_assert_eq(take(f, 1, 4, "Scored", "{\"id\":\"a\",\"tier\":\"odd\",\"score\":-1}"),
                 LEAT_SEQ_APPLY, "its condition does not hold");
    cr_assert_eq(take(f, 1, 5, "Other", "{}"), LEAT_SEQ_APPLY);
    commit(f);
    assert_row("card", "a",
               "{\"key\":\"a\",\"name\":\"A\",\"tier\":\"hot\",\"made\":1700000000001,\"n\":3,"
               "\"before\":\"warm\",\"sum\":8,\"least\":3,\"most\":5,\"scores\":[5,3]}");
    cr_assert_eq(f->committed[1].seq, 5);
    cr_assert_eq(take(f, 1, 6, "Gone", "{\"id\":\"a\"}"), LEAT_SEQ_APPLY);
    commit(f);
    assert_row("card", "a", NULL);
    leat_fold_close(f);
}

Test(fold, copies_and_holes_change_nothing)
{
    struct leat_fold *f = open_fold("card", 0);
    const char *scored = "{\"id\":\"a\",\"tier\":\"t\",\"score\":1}";
    cr_assert_eq(take(f, 0, 1, "Scored", scored), LEAT_SEQ_APPLY);
    cr_assert_eq(take(f, 0, 1, "Scored", scored), LEAT_SEQ_DROP);
    cr_assert_eq(take(f, 0, 3, "Scored", scored), LEAT_SEQ_HOLE);
    cr_assert_eq(take(f, 0, 2, "Scored", scored), LEAT_SEQ_APPLY);
    commit(f);
    cr_assert_eq(take(f, 0, 2, "Scored", scored), LEAT_SEQ_DROP);
    cr_assert_eq(f->committed[0].next_offset, 3, "a record behind a hole is not read past");
    leat_fold_close(f);
    f = open_fold("card", 0);
    cr_assert_eq(f->committed[0].seq, 2, "the checkpoint is in the file");
    cr_assert_eq(take(f, 0, 1, "Scored", scored), LEAT_SEQ_DROP);
    leat_fold_close(f);
}

Test(fold, rows_of_many_streams_have_joined_keys)
{
    struct leat_fold *f = open_fold("tiers", 0);
    take(f, 0, 1, "Scored", "{\"id\":\"b\",\"tier\":\"x/y\",\"score\":1}");
    take(f, 3, 1, "Scored", "{\"id\":\"a\",\"tier\":\"x/y\",\"score\":2}");
    take(f, 3, 2, "Scored", "{\"id\":\"a\",\"tier\":null,\"score\":2}");
    commit(f);
    assert_row("tiers", "x%2Fy/2023-11-14",
               "{\"key\":\"x%2Fy/2023-11-14\",\"n\":2,\"sum\":3,\"ids\":[\"a\",\"b\"]}");
    leat_fold_close(f);
}

Test(fold, bytes_that_do_not_decode_are_listed_and_passed)
{
    struct leat_fold *f = open_fold("card", 0);
    cr_assert_eq(take(f, 2, 1, "Made", "{\"id\":"), LEAT_SEQ_APPLY);
    cr_assert_eq(take(f, 2, 2, "Made", ""), LEAT_SEQ_APPLY);
    struct leat_fold_event framed = event(2, 3, "Made", "");
    struct leat_seq_range hole;
    framed.payload = (struct leat_str){"\0\0\0\0\x09zz", 7};
    cr_assert_eq(leat_fold_take(f, &framed, schemas, &hole), LEAT_SEQ_APPLY);
    cr_assert_eq(take(f, 2, 4, "Made", "{\"id\":\"a\",\"name\":\"A\"}"), LEAT_SEQ_APPLY);
    commit(f);
    cr_assert_eq(f->figures.skipped, 3);
    struct leat_model *m = NULL;
    struct leat_buf out;
    struct leat_error err = {0};
    leat_buf_init(&out, 65536);
    cr_assert_eq(leat_model_open(topology, "card", data_dir, &m, &err), LEAT_OK);
    cr_assert_eq(leat_model_skipped(m, 10, &out, &err), LEAT_OK);
    leat_buf_putc(&out, 0);
    cr_assert_not_null(strstr(out.at, "{\"slice\":2,\"seq\":1,\"type\":\"Made\",\"reason\":"), "%s",
                       out.at);
    cr_assert_not_null(strstr(out.at, "\"seq\":3"), "%s", out.at);
    int64_t seqs[4], complete_ms = -1;
    cr_assert_eq(leat_model_position(m, seqs, NULL, &complete_ms, &err), LEAT_OK);
    cr_assert_eq(seqs[2], 4);
    leat_model_close(m);
    leat_buf_done(&out);
    leat_fold_close(f);
}

/* interleavings 18: two projectors write one file. */
Test(fold, two_writers_of_one_file_apply_each_event_once)
{
    struct leat_fold *a = open_fold("tiers", 0), *b = open_fold("tiers", 0);
    struct leat_arena *payloads = leat_arena_new(65536, 0);
    for (int64_t seq = 1; seq <= 40; seq++) {
        const char *json =
            leat_arena_printf(payloads, "{\"id\":\"a\",\"tier\":\"t\",\"score\":%" PRId64 "}", seq);
        (void)take(a, 0, seq, "Scored", json);
        (void)take(b, 0, seq, "Scored", json);
        if (seq % 3 == 0)
            commit(a);
        if (seq % 7 == 0)
            commit(b);
    }
    commit(b);
    commit(a);
    assert_row("tiers", "t/2023-11-14",
               "{\"key\":\"t/2023-11-14\",\"n\":40,\"sum\":820,\"ids\":[\"a\"]}");
    cr_assert_gt(a->figures.adopted + b->figures.adopted, 0);
    leat_fold_close(a);
    leat_fold_close(b);
    leat_arena_free(payloads);
}

Test(fold, another_stores_file_is_refused)
{
    struct leat_fold *f = open_fold("tiers", 0);
    struct leat_error err = {0};
    take(f, 0, 1, "Scored", "{\"id\":\"a\",\"tier\":\"t\",\"score\":1}");
    commit(f);
    struct leat_fold *g = open_fold("tiers", 0);
    take(g, 0, 2, "Scored", "{\"id\":\"a\",\"tier\":\"t\",\"score\":1}");
    g->committed[0].store_id.b[0] ^= 1;
    g->seen[0].store_id.b[0] ^= 1;
    cr_assert_eq(leat_fold_commit(g, &err), LEAT_FENCED);
    leat_fold_close(g);
    leat_fold_close(f);
}

Test(fold, a_full_map_grows_and_the_batch_is_retried)
{
    struct leat_arena *payloads = leat_arena_new(65536, 0);
    struct leat_fold *f = open_fold("card", 64 * 1024);
    char json[512];
    for (int64_t seq = 1; seq <= 3000; seq++) {
        (void)snprintf(json, sizeof json, "{\"id\":\"lead-%" PRId64 "\",\"name\":\"%0300d\"}", seq,
                       (int)seq);
        struct leat_str copy = leat_arena_copy(payloads, leat_str_of(json));
        struct leat_fold_event e = event(0, seq, "Made", "");
        struct leat_seq_range hole;
        e.payload = copy; /* borrowed until the commit */
        cr_assert_eq(leat_fold_take(f, &e, schemas, &hole), LEAT_SEQ_APPLY);
        if (seq % 500 == 0)
            commit(f);
    }
    struct leat_env_figures figures;
    struct leat_error err = {0};
    cr_assert_eq(leat_env_figures(f->env, &figures, &err), LEAT_OK);
    cr_assert_eq(figures.rows, 3000);
    cr_assert_gt(figures.map_bytes, 64 * 1024);
    leat_fold_close(f);
    leat_arena_free(payloads);
}

static void fill_index(struct leat_fold *f)
{
    static const char *const rows[] = {
        "{\"id\":\"a\",\"tier\":\"hot\",\"score\":10}",
        "{\"id\":\"b\",\"tier\":\"hot\",\"score\":90}",
        "{\"id\":\"c\",\"tier\":\"warm\",\"score\":50}",
        "{\"id\":\"d\",\"tier\":\"hot\",\"score\":50}",
        "{\"id\":\"e\",\"tier\":\"cold\",\"score\":1}",
    };
    for (int64_t i = 0; i < 5; i++)
        cr_assert_eq(take(f, 0, i + 1, "Scored", rows[i]), LEAT_SEQ_APPLY);
    commit(f);
}

static void assert_keys(const struct leat_model_range *r, const char *expected)
{
    struct leat_buf out;
    struct leat_error err = {0};
    char keys[64] = "";
    leat_buf_init(&out, 65536);
    cr_assert_eq(list("card", r, &out, &err), LEAT_OK, "%s", err.msg);
    leat_buf_putc(&out, 0);
    for (const char *at = out.at; (at = strstr(at, "{\"key\":\"")) != NULL; at++)
        (void)strncat(keys, at + 8, 1);
    cr_assert_str_eq(keys, expected);
    leat_buf_done(&out);
}

Test(fold, indexes_follow_the_rows_and_list_in_order)
{
    struct leat_fold *f = open_fold("card", 0);
    fill_index(f);
    struct leat_model_range all = {.index = "by_tier", .limit = 10};
    assert_keys(&all, "ebdac");
    struct leat_model_range hot = {
        .index = "by_tier", .from = LEAT_STR("hot"), .to = LEAT_STR("hot"), .limit = 10};
    assert_keys(&hot, "bda");
    struct leat_model_range from_50 = {
        .index = "by_tier", .from = LEAT_STR("hot,50"), .to = LEAT_STR("\"hot\""), .limit = 10};
    assert_keys(&from_50, "da");
    struct leat_model_range keys = {.from = LEAT_STR("b"), .to = LEAT_STR("d"), .limit = 10};
    assert_keys(&keys, "bcd");
    take(f, 0, 6, "Scored", "{\"id\":\"b\",\"tier\":\"cold\",\"score\":1}");
    take(f, 0, 7, "Gone", "{\"id\":\"d\"}");
    commit(f);
    assert_keys(&hot, "a");
    assert_keys(&all, "beac");
    leat_fold_close(f);
}

Test(fold, a_cursor_goes_on_and_names_its_version)
{
    struct leat_fold *f = open_fold("card", 0);
    fill_index(f);
    struct leat_buf out;
    struct leat_error err = {0};
    char cursor[2048], keys[16] = "";
    struct leat_model_range r = {.index = "by_tier", .limit = 2};
    leat_buf_init(&out, 65536);
    for (int page = 0; page < 4; page++) {
        leat_buf_clear(&out);
        cr_assert_eq(list("card", &r, &out, &err), LEAT_OK, "%s", err.msg);
        leat_buf_putc(&out, 0);
        for (const char *at = out.at; (at = strstr(at, "{\"key\":\"")) != NULL; at++)
            (void)strncat(keys, at + 8, 1);
        const char *next = strstr(out.at, "\"cursor\":\"");
        if (next == NULL)
            break;
        (void)snprintf(cursor, sizeof cursor, "%.*s", (int)strcspn(next + 10, "\""), next + 10);
        r.cursor = leat_str_of(cursor);
    }
    cr_assert_str_eq(keys, "ebdac");
    r.index = NULL; /* the cursor of another list, then one that was changed */
    cr_assert_eq(list("card", &r, &out, &err), LEAT_INVALID);
    cr_assert_str_eq(err.msg, "the cursor is not one of this list");
    r.index = "by_tier";
    for (size_t i = 0; i < strlen(cursor); i++) {
        char before = cursor[i];
        cursor[i] = before == 'A' ? 'B' : 'A';
        cr_assert_eq(list("card", &r, &out, &err), LEAT_INVALID, "changed at %zu", i);
        cursor[i] = before;
    }
    cr_assert_eq(list("card", &r, &out, &err), LEAT_OK);
    r.cursor = LEAT_STR("nonsense");
    cr_assert_eq(list("card", &r, &out, &err), LEAT_INVALID);
    r = (struct leat_model_range){.index = "by_tire", .limit = 2};
    cr_assert_eq(list("card", &r, &out, &err), LEAT_INVALID);
    r = (struct leat_model_range){.index = "by_tier", .from = LEAT_STR("a,b,c"), .limit = 2};
    cr_assert_eq(list("card", &r, &out, &err), LEAT_INVALID);
    leat_buf_done(&out);
    leat_fold_close(f);
}

Test(fold, long_keys_keep_their_whole_text)
{
    struct leat_fold *f = open_fold("card", 0);
    char json[1200], key[600];
    memset(key, 'k', sizeof key - 1);
    key[sizeof key - 1] = 0;
    (void)snprintf(json, sizeof json, "{\"id\":\"%s\",\"tier\":\"hot\",\"score\":1}", key);
    take(f, 0, 1, "Scored", json);
    commit(f);
    struct leat_model *m = NULL;
    struct leat_buf out;
    struct leat_error err = {0};
    leat_buf_init(&out, 65536);
    cr_assert_eq(leat_model_open(topology, "card", data_dir, &m, &err), LEAT_OK);
    cr_assert_eq(leat_model_get(m, leat_str_of(key), &out, &err), LEAT_OK, "%s", err.msg);
    leat_buf_putc(&out, 0);
    cr_assert_not_null(strstr(out.at, key));
    leat_model_close(m);
    leat_buf_done(&out);
    leat_fold_close(f);
}

Test(fold, readers_follow_a_switch_and_refused_versions_are_left)
{
    const struct leat_projection *p = projection("card");
    char first[LEAT_VERSION_BYTES], second[LEAT_VERSION_BYTES], dir[LEAT_MODEL_PATH_BYTES];
    struct leat_error err = {0};
    struct leat_fold *f = open_fold("card", 0);
    cr_assert_eq(leat_version_pick(data_dir, p->name, p->hash, first, &err), LEAT_OK);
    cr_assert_eq(leat_version_dir(data_dir, p->name, first, dir, &err), LEAT_OK);
    cr_assert_eq(leat_version_refuse(dir, "of another store", &err), LEAT_OK);
    cr_assert_eq(leat_version_pick(data_dir, p->name, p->hash, second, &err), LEAT_OK);
    cr_assert_str_neq(first, second);
    leat_fold_close(f);
    f = open_fold("card", 0);
    cr_assert_eq(f->committed[0].seq, 0, "the successor is empty");
    leat_fold_close(f);
}

Test(fold, an_unknown_model_names_the_nearest)
{
    struct leat_model *m = NULL;
    struct leat_error err = {0};
    cr_assert_eq(leat_model_open(topology, "cards", data_dir, &m, &err), LEAT_INVALID);
    cr_assert_str_eq(err.msg, "there is no read model 'cards'");
    cr_assert_str_eq(err.hint, "did you mean 'card'?");
    cr_assert_eq(leat_model_open(topology, "card", data_dir, &m, &err), LEAT_ABSENT);
}
