/* uses: base store */
/* Reading, relay positions, outbox, schemas, migrations against a real server. */
#include <glob.h>
#include <pthread.h>

#include "store_kit_batch.h"

static void load_gives_streams_in_order_and_heads_of_the_same_moment(void)
{
    struct leat_store *s = kit_fresh();
    for (uint64_t i = 0; i < 5; i++)
        kit_poke(s, 1, "order-1", 100 + i);
    kit_poke(s, 2, "order-2", 200);
    kit_poke(s, 1, "order-3", 300);
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_stream_want wants[] = {{2, LEAT_STR("order-2"), 0, NULL},
                                       {1, LEAT_STR("order-1"), 3, NULL},
                                       {1, LEAT_STR("nobody"), 0, NULL},
                                       {1, LEAT_STR("order-3"), 0, NULL},
                                       {1, LEAT_STR("order-2"), 0, NULL}};
    struct leat_loaded l;
    OK(leat_store_load(s, wants, 5, arena, &l, &err));
    CHECK_EQ(l.event_count, 4);
    static const uint32_t want[] = {0, 1, 1, 3};
    static const int64_t version[] = {1, 4, 5, 1};
    for (size_t i = 0; i < 4; i++) {
        CHECK_EQ(l.want[i], want[i]);
        CHECK_EQ(l.events[i].version, version[i]);
    }
    CHECK_EQ(l.head_count, 2);
    for (size_t i = 0; i < 2; i++)
        CHECK_EQ(l.heads[i].head_seq, l.heads[i].k == 1 ? 6 : 1);
    OK(leat_store_load(s, wants, 0, arena, &l, &err));
    CHECK_EQ(l.event_count + l.head_count, 0);
    leat_arena_free(arena);
    leat_store_close(s);
}

static void slice_is_read_in_pages(void)
{
    struct leat_store *s = kit_fresh();
    for (uint64_t i = 0; i < 7; i++)
        kit_poke(s, 1, "order-1", 100 + i);
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_stored_event *e = NULL;
    size_t n = 0;
    OK(leat_store_slice(s, &(struct leat_store_page){1, {0}, 2, -1, 3}, arena, &e, &n, &err));
    CHECK(n == 3 && e[0].seq == 3 && e[2].seq == 5);
    OK(leat_store_slice(s, &(struct leat_store_page){1, {0}, 5, 6, 3}, arena, &e, &n, &err));
    CHECK(n == 1 && e[0].seq == 6);
    OK(leat_store_slice(s, &(struct leat_store_page){1, {0}, 7, -1, 3}, arena, &e, &n, &err));
    CHECK_EQ(n, 0);
    OK(leat_store_stream(s, &(struct leat_store_page){1, LEAT_STR("order-1"), 5, 0, 9}, arena, &e,
                         &n, &err));
    CHECK(n == 2 && e[0].version == 6);
    leat_arena_free(arena);
    leat_store_close(s);
}

/* Three outbox rows in slice 1. */
static void fill_outbox(struct leat_store *s)
{
    struct kit_batch *k = kit_batch("a");
    kit_fence(k, 1, 0, 0);
    (void)kit_command(k, 1, "order-1", 0, 1);
    kit_event(k);
    for (int i = 0; i < 3; i++)
        kit_outbox(k, i);
    k->outbox[1].key_null = true;
    k->outbox[1].value_null = true;
    k->outbox[1].headers = LEAT_STR("\0\1a\xff\xff\xff\xff");
    kit_append(s, k);
    kit_batch_free(k);
}

static void relay_moves_only_forward_and_only_its_own(void)
{
    struct leat_store *s = kit_fresh();
    fill_outbox(s);
    struct leat_arena *arena = leat_arena_new(4096, 0);
    int32_t slices[] = {1, 0};
    int64_t expected[] = {0, 3};
    struct leat_fence_ask ask = {.ks = slices, .expected = expected, .n = 2};
    struct leat_published *p = NULL;
    OK(leat_store_claim_relay(s, &ask, arena, &p, &err));
    CHECK(p[0].claimed && p[0].epoch == 1 && p[0].head_seq == 1 && p[0].head_outbox == 3);
    CHECK(!p[1].claimed && p[1].epoch == 0);

    struct leat_published moves[] = {
        {.slice = 1, .epoch = 1, .seq = 1, .outbox_seq = 2},
        {.slice = 0, .epoch = 9, .seq = 5, .outbox_seq = 5}}; /* another's */
    OK(leat_store_record(s, moves, 2, &err));
    CHECK(moves[0].claimed && !moves[1].claimed);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.outbox"), 1);
    moves[0].seq = 0; /* back: nothing happens */
    moves[0].outbox_seq = 1;
    OK(leat_store_record(s, moves, 1, &err));
    OK(leat_store_published(s, slices, 2, arena, &p, &err));
    CHECK(p[0].seq == 1 && p[0].outbox_seq == 2 && !p[0].claimed);
    CHECK(p[1].seq == 0 && p[1].outbox_seq == 0);
    leat_arena_free(arena);
    leat_store_close(s);
}

static void outbox_rows_come_back_as_they_went_in(void)
{
    struct leat_store *s = kit_fresh();
    fill_outbox(s);
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_outbox_row *o = NULL;
    size_t n = 0;
    OK(leat_store_outbox(s, &(struct leat_store_page){1, {0}, 0, 0, 2}, arena, &o, &n, &err));
    CHECK_EQ(n, 2);
    CHECK(o[0].seq == 1 && o[0].partition == 0 && !o[0].key_null && !o[0].value_null);
    CHECK(leat_str_eq(o[0].key, LEAT_STR("key")) && leat_str_eq(o[0].value, LEAT_STR("value")));
    CHECK(leat_str_eq(o[0].topic, LEAT_STR("next")));
    CHECK(o[1].key_null && o[1].value_null);
    CHECK(leat_str_eq(o[1].headers, LEAT_STR("\0\1a\xff\xff\xff\xff")));

    struct leat_error err = {0};
    CHECK_EQ(leat_store_refuse(s, 1, 4, &o[1], "too large", &err), LEAT_FENCED);
    CHECK_EQ(leat_store_refuse(s, 1, 0, &o[1], "too large", &err), LEAT_OK);
    CHECK_EQ(leat_store_refuse(s, 1, 0, &o[1], "too large", &err), LEAT_OK); /* once */
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.outbox_refused where seq = 2 and"
                                   " reason = 'too large' and value is null"),
             1);
    leat_arena_free(arena);
    leat_store_close(s);
}

static void schema_text_gets_an_id_once(void)
{
    struct leat_store *s = kit_fresh();
    int32_t ids[4] = {0};
    struct leat_str subject = LEAT_STR("Placed");
    OK(leat_store_put_schema(s, subject, LEAT_STR("{1}"), &ids[0], &err));
    OK(leat_store_put_schema(s, subject, LEAT_STR("{1}"), &ids[1], &err));
    OK(leat_store_put_schema(s, subject, LEAT_STR("{2}"), &ids[2], &err));
    OK(leat_store_put_schema(s, LEAT_STR("Other"), LEAT_STR("{1}"), &ids[3], &err));
    CHECK(ids[0] == 1 && ids[1] == 1 && ids[2] == 2 && ids[3] == 3);
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_schema_row *rows = NULL;
    size_t n = 0;
    OK(leat_store_schemas(s, arena, &rows, &n, &err));
    CHECK_EQ(n, 3);
    CHECK(rows[1].id == 2 && leat_str_eq(rows[1].text, LEAT_STR("{2}")) &&
          leat_str_eq(rows[1].subject, subject));
    struct leat_error bad = {0};
    CHECK_EQ(leat_store_put_schema(s, subject, LEAT_STR("\xff"), &ids[0], &bad), LEAT_INVALID);
    leat_arena_free(arena);
    leat_store_close(s);
}

/* ---- migrations ---- */

/* How many files are in src/store/migrations; *ret_last = the text of the last one, the caller's.
 */
static int migration_files(char **ret_last)
{
    glob_t found;
    size_t n = 0;
    if (glob(LEAT_SOURCE_DIR "/src/store/migrations/*.sql", 0, NULL, &found) != 0)
        return 0;
    FILE *f = ret_last == NULL ? NULL : fopen(found.gl_pathv[found.gl_pathc - 1], "r");
    if (f != NULL) {
        *ret_last = calloc(1, 1 << 20);
        leat_assert(*ret_last != NULL);
        n = fread(*ret_last, 1, (1 << 20) - 1, f);
        (void)fclose(f);
        CHECK(n > 0);
    }
    int count = (int)found.gl_pathc;
    globfree(&found);
    return count;
}

/* Undoes what a migration made: tables and functions, with all that hangs on them. */
static void undo(const char *sql)
{
    static const char *const kinds[] = {"table", "function"};
    for (size_t i = 0; i < 2; i++) {
        char mark[64], statement[256];
        (void)snprintf(mark, sizeof mark, "create %s @schema@.", kinds[i]);
        for (const char *at = sql; (at = strstr(at, mark)) != NULL;) {
            at += strlen(mark);
            (void)snprintf(statement, sizeof statement, "drop %s shop.%.*s cascade", kinds[i],
                           (int)strspn(at, "abcdefghijklmnopqrstuvwxyz_0123456789"), at);
            kit_sql(kit_admin, statement);
        }
    }
}

static int logged;

static void count_line(void *arg, const char *line)
{
    (void)arg;
    (void)line;
    logged++;
}

static const char *const two[] = {"a", "b"};

static void *migrate_in_thread(void *arg)
{
    struct leat_store *s = arg;
    struct leat_store_layout layout = {3, two, 2};
    struct leat_error err = {0};
    leat_status status = leat_store_migrate(s, &layout, NULL, NULL, &err);
    if (status != LEAT_OK)
        (void)fprintf(stderr, "%s\n", err.msg);
    return status == LEAT_OK ? NULL : s;
}

static void four_migrators_at_once_make_one_store(void)
{
    kit_sql(kit_admin, "drop schema if exists shop cascade");
    pthread_t threads[4];
    struct leat_store *stores[4];
    for (int i = 0; i < 4; i++) {
        stores[i] = kit_open();
        CHECK(pthread_create(&threads[i], NULL, migrate_in_thread, stores[i]) == 0);
    }
    bool failed = false;
    for (int i = 0; i < 4; i++) {
        void *result = NULL;
        (void)pthread_join(threads[i], &result);
        failed |= result != NULL;
        leat_store_close(stores[i]);
    }
    CHECK(!failed);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.owners"), 6);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.slices"), 3);
    CHECK_EQ(kit_number(kit_admin, "select max(number) from shop.migrations"),
             migration_files(NULL));
}

static void a_store_is_checked_before_it_is_used(void)
{
    kit_sql(kit_admin, "drop schema if exists shop cascade");
    struct leat_store *s = kit_open();
    struct leat_error bad = {0};
    CHECK_EQ(leat_store_check(s, 3, &bad), LEAT_ABSENT);
    CHECK(strstr(bad.hint, "leat apply") != NULL);
    struct leat_store_layout layout = {3, two, 2};
    logged = 0;
    OK(leat_store_migrate(s, &layout, count_line, NULL, &err));
    CHECK_EQ(logged, migration_files(NULL) + 1);
    OK(leat_store_check(s, 3, &err));
    CHECK_EQ(leat_store_check(s, 4, &bad), LEAT_INVALID);
    logged = 0;
    OK(leat_store_migrate(s, &layout, count_line, NULL, &err));
    CHECK_EQ(logged, 0);
    layout.partitions = 4;
    CHECK_EQ(leat_store_migrate(s, &layout, NULL, NULL, &bad), LEAT_INVALID);
    CHECK(strstr(bad.msg, "3 partitions, the topology says 4") != NULL);
    CHECK(leat_store_connected(s));

    kit_sql(kit_admin, "update shop.topology set timeline = timeline + 1");
    CHECK_EQ(leat_store_check(s, 3, &bad), LEAT_FATAL);
    CHECK(strstr(bad.msg, "timeline") != NULL && strstr(bad.hint, "adopt") != NULL);
    kit_sql(kit_admin, "update shop.topology set timeline = timeline - 1,"
                       " system_identifier = 1");
    CHECK_EQ(leat_store_check(s, 3, &bad), LEAT_FATAL);
    CHECK(strstr(bad.msg, "system identifier") != NULL);

    kit_sql(kit_admin, "update shop.migrations set hash = 'x' where number = 2");
    CHECK_EQ(leat_store_check(s, 3, &bad), LEAT_FATAL);
    CHECK(strstr(bad.msg, "migration 2 is not the one of this leat") != NULL);
    kit_sql(kit_admin, "insert into shop.migrations values (999, 'x', 'x')");
    CHECK_EQ(leat_store_check(s, 3, &bad), LEAT_FATAL);
    CHECK(strstr(bad.msg, "newer leat") != NULL);
    leat_store_close(s);
}

/* A role that may not create anything is told so each time, on the same connection. */
static void a_refused_migration_leaves_no_transaction_open(void)
{
    struct leat_store_options o = {.schema = KIT_SCHEMA};
    struct leat_store_layout layout = {3, two, 2};
    struct leat_store *s = NULL;
    struct leat_error bad = {0};
    char url[600];
    kit_sql(kit_admin, "drop schema if exists shop cascade");
    kit_sql(kit_admin, "do $$ begin if to_regrole('leat_test_guest') is null then"
                       " create role leat_test_guest login; end if; end $$");
    const char *at = strchr(kit_url, '@');
    CHECK(at != NULL);
    (void)snprintf(url, sizeof url, "postgresql://leat_test_guest%s", at);
    o.url = url;
    OK(leat_store_open(&o, &s, &err));
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(leat_store_migrate(s, &layout, NULL, NULL, &bad), LEAT_FATAL);
        CHECK(strstr(bad.msg, "permission denied for database") != NULL);
    }
    leat_store_close(s);
}

static void an_upgrade_applies_only_what_is_missing(void)
{
    struct leat_store *s = kit_fresh();
    kit_poke(s, 1, "order-1", 1);
    static const char made[] = "select (select count(*) from pg_proc where pronamespace ="
                               " 'shop'::regnamespace) + (select count(*) from pg_class where"
                               " relnamespace = 'shop'::regnamespace)";
    char *last = NULL;
    int64_t before = kit_number(kit_admin, made);
    CHECK(migration_files(&last) > 1 && last != NULL);
    undo(last);
    free(last);
    CHECK(kit_number(kit_admin, made) < before);
    kit_sql(kit_admin, "delete from shop.migrations where number = (select max(number) from"
                       " shop.migrations)");
    struct leat_error bad = {0};
    CHECK_EQ(leat_store_check(s, 4, &bad), LEAT_ABSENT);
    struct leat_store_layout layout = {4, two, 2};
    logged = 0;
    OK(leat_store_migrate(s, &layout, count_line, NULL, &err));
    CHECK_EQ(logged, 1);
    OK(leat_store_check(s, 4, &err));
    CHECK_EQ(kit_number(kit_admin, made), before);
    kit_check_dense(kit_admin);
    leat_store_close(s);
}

static void bad_addresses_say_so(void)
{
    struct leat_store_options o = {
        .url = "postgresql://nobody@127.0.0.1:1/x", .schema = "shop", .connect_timeout_ms = 1000};
    struct leat_store *s = NULL;
    struct leat_error err = {0};
    CHECK_EQ(leat_store_open(&o, &s, &err), LEAT_RETRY);
    CHECK(strstr(err.msg, "could not connect to the store: ") != NULL);
    o.url = "postgresql://%zz";
    CHECK_EQ(leat_store_open(&o, &s, &err), LEAT_INVALID);
    o.url = kit_url;
    o.schema = "a\"b";
    CHECK_EQ(leat_store_open(&o, &s, &err), LEAT_INVALID);
    CHECK(s == NULL);
}

static void a_lost_connection_is_a_retry_and_can_be_mended(void)
{
    struct leat_store *s = kit_fresh();
    char sql[80];
    (void)snprintf(sql, sizeof sql, "select pg_terminate_backend(%d)", PQbackendPID(s->conn));
    kit_sql(kit_admin, sql);
    struct leat_error bad = {0};
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_stored_event *e = NULL;
    size_t n = 0;
    CHECK_EQ(leat_store_slice(s, &(struct leat_store_page){1, {0}, 0, -1, 3}, arena, &e, &n, &bad),
             LEAT_RETRY);
    CHECK(!leat_store_connected(s));
    CHECK_EQ(leat_store_slice(s, &(struct leat_store_page){1, {0}, 0, -1, 3}, arena, &e, &n, &bad),
             LEAT_RETRY);
    OK(leat_store_reconnect(s, &err));
    OK(leat_store_slice(s, &(struct leat_store_page){1, {0}, 0, -1, 3}, arena, &e, &n, &err));
    leat_arena_free(arena);
    leat_store_close(s);
}

int main(int argc, char **argv)
{
#define T(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }
    static const struct kit_test tests[] = {
        T(load_gives_streams_in_order_and_heads_of_the_same_moment),
        T(slice_is_read_in_pages),
        T(relay_moves_only_forward_and_only_its_own),
        T(outbox_rows_come_back_as_they_went_in),
        T(schema_text_gets_an_id_once),
        T(four_migrators_at_once_make_one_store),
        T(a_store_is_checked_before_it_is_used),
        T(a_refused_migration_leaves_no_transaction_open),
        T(an_upgrade_applies_only_what_is_missing),
        T(bad_addresses_say_so),
        T(a_lost_connection_is_a_retry_and_can_be_mended),
    };
    return kit_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
