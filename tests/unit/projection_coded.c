/* Projections in C: what their functions may do to rows, and what becomes of those that do wrong.
 */
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "leat/rows.h"

static const char topology_text[] =
    "leat: 1\n"
    "name: t\n"
    "partitions: 4\n"
    "kafka: {bootstrap.servers: 127.0.0.1:1}\n"
    "store: {url: 'postgresql:///t'}\n"
    "priorities: {all: {weight: 1, default: true}}\n"
    "aggregates: {lead: {key: id, state: LeadState}}\n"
    "processors: {leads: {aggregate: lead, commands: [Make], emits: [Did]}}\n"
    "projections:\n"
    "  parts:\n"
    "    events: [Did]\n"
    "    row: {id: string, no: int, name: string?, price: double, big: long, tags: [string]}\n"
    "    key: [id, no]\n"
    "    indexes: {by_price: [-price, name]}\n"
    "  card:\n"
    "    events: [Did]\n"
    "    row: {id: string, n: long}\n"
    "    key: id\n"
    "http: {listen: '127.0.0.1:0'}\n";

#include "projection_kit.h"

/* ---- as `leat gen` writes it ---- */

struct did {
    struct leat_str id, what;
    int32_t no;
};
static const struct leat_field did_fields[] = {
    {.name = "id", .kind = LEAT_KIND_STRING, .offset = offsetof(struct did, id), .has_offset = -1},
    {.name = "what",
     .kind = LEAT_KIND_STRING,
     .offset = offsetof(struct did, what),
     .has_offset = -1},
    {.name = "no",
     .kind = LEAT_KIND_INT,
     .offset = offsetof(struct did, no),
     .has_offset = -1,
     .fallback = "0"},
};
static const struct leat_type type_did = {
    .name = "Did",
    .size = sizeof(struct did),
    .fields = did_fields,
    .field_count = 3,
    .schema = "{\"type\":\"record\",\"name\":\"Did\",\"fields\":["
              "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"what\",\"type\":\"string\"},"
              "{\"name\":\"no\",\"type\":\"int\",\"default\":0}]}"};

struct tag_list {
    struct leat_str *at;
    size_t len;
};
struct parts_row {
    struct leat_str id;
    int32_t no;
    bool has_name;
    struct leat_str name;
    double price;
    int64_t big;
    struct tag_list tags;
};
static const struct leat_field tag = {.name = "item", .kind = LEAT_KIND_STRING, .has_offset = -1};
#define PART(field_, kind_)                                                                        \
    {                                                                                              \
        .name = #field_, .kind = LEAT_KIND_##kind_, .offset = offsetof(struct parts_row, field_),  \
        .has_offset = -1                                                                           \
    }
static const struct leat_field parts_fields[] = {
    PART(id, STRING),
    PART(no, INT),
    {.name = "name",
     .kind = LEAT_KIND_STRING,
     .offset = offsetof(struct parts_row, name),
     .has_offset = offsetof(struct parts_row, has_name),
     .fallback = "null"},
    PART(price, DOUBLE),
    PART(big, LONG),
    {.name = "tags",
     .kind = LEAT_KIND_ARRAY,
     .offset = offsetof(struct parts_row, tags),
     .has_offset = -1,
     .item = &tag,
     .item_bytes = sizeof(struct leat_str)},
};
static const struct leat_type type_parts_row = {
    .name = "parts_row",
    .size = sizeof(struct parts_row),
    .fields = parts_fields,
    .field_count = 6,
    .schema = "{\"type\":\"record\",\"name\":\"parts_row\",\"fields\":["
              "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"no\",\"type\":\"int\"},"
              "{\"name\":\"name\",\"type\":[\"null\",\"string\"],\"default\":null},"
              "{\"name\":\"price\",\"type\":\"double\"},{\"name\":\"big\",\"type\":\"long\"},"
              "{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":\"string\"}}]}"};
#define LEAT_ROW_TYPE_parts &type_parts_row

struct card_row {
    struct leat_str id;
    int64_t n;
};
static const struct leat_field card_fields[] = {
    {.name = "id",
     .kind = LEAT_KIND_STRING,
     .offset = offsetof(struct card_row, id),
     .has_offset = -1},
    {.name = "n", .kind = LEAT_KIND_LONG, .offset = offsetof(struct card_row, n), .has_offset = -1},
};
static const struct leat_type type_card_row = {
    .name = "card_row",
    .size = sizeof(struct card_row),
    .fields = card_fields,
    .field_count = 2,
    .schema = "{\"type\":\"record\",\"name\":\"card_row\",\"fields\":["
              "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"n\",\"type\":\"long\"}]}"};
#define LEAT_ROW_TYPE_card &type_card_row

/* ---- the projections ---- */

static void put_part(struct leat_rows *rows, const struct did *e, double price)
{
    static struct leat_str tags[2] = {{"a/b", 3}, {"\"", 1}};
    struct parts_row row = {.no = e->no,
                            .has_name = e->no % 2 == 1,
                            .name = leat_rows_text(rows, "n%d", (int)e->no),
                            .price = price,
                            .big = INT64_MAX - e->no,
                            .tags = {tags, (size_t)(e->no % 3)}};
    leat_rows_put(rows, &type_parts_row, &row);
}

/* The sum of all prices becomes row 0; the others stay as they are read. */
static void sum(struct leat_rows *rows)
{
    const void *all = NULL;
    struct parts_row total = {.no = 0};
    size_t n = leat_rows_scan(rows, &type_parts_row, &total, 1, &all);
    for (size_t i = 0; i < n; i++) {
        const struct parts_row *part = (const struct parts_row *)all + i;
        total.price += part->no == 0 ? 0 : part->price;
        total.big++;
        leat_rows_put(rows, &type_parts_row, part);
    }
    leat_rows_put(rows, &type_parts_row, &total);
}

static void did_parts(struct leat_rows *rows, const struct did *e)
{
    struct parts_row key = {.no = e->no};
    if (leat_str_eq(e->what, LEAT_STR("put"))) {
        put_part(rows, e, 1.5 * e->no);
    } else if (leat_str_eq(e->what, LEAT_STR("sum"))) {
        sum(rows);
    } else if (leat_str_eq(e->what, LEAT_STR("delete"))) {
        leat_rows_delete(rows, &type_parts_row, &key);
    } else if (leat_str_eq(e->what, LEAT_STR("skip"))) {
        put_part(rows, e, 99);
        key.no = 1;
        leat_rows_delete(rows, &type_parts_row, &key);
        leat_rows_skip(rows, "no such %s", "thing");
        put_part(rows, e, 98);
    } else if (leat_str_eq(e->what, LEAT_STR("other"))) {
        key.id = LEAT_STR("somebody");
        leat_rows_put(rows, &type_parts_row, &key);
    } else if (leat_str_eq(e->what, LEAT_STR("nan"))) {
        put_part(rows, e, NAN);
    } else if (leat_str_eq(e->what, LEAT_STR("utf8"))) {
        key.has_name = true;
        key.name = LEAT_STR("\xff\xfe");
        leat_rows_put(rows, &type_parts_row, &key);
    } else if (leat_str_eq(e->what, LEAT_STR("crash"))) {
        abort();
    } else if (leat_str_eq(e->what, LEAT_STR("kill"))) {
        (void)raise(SIGKILL);
    }
}
LEAT_PROJECTION(parts, 1,
                {.event = &type_did,
                 .call = (void (*)(struct leat_rows *, const void *))did_parts});

static void did_card(struct leat_rows *rows, const struct did *e)
{
    struct card_row row = {.id = e->id};
    bool found = leat_rows_get(rows, &type_card_row, &row);
    row.n = found ? row.n * 3 + 1 : 1;
    leat_rows_put(rows, &type_card_row, &row);
}
LEAT_PROJECTION(card, 7,
                {.event = &type_did, .call = (void (*)(struct leat_rows *, const void *))did_card});

/* ---- tests ---- */

static struct leat_arena *texts; /* of events: kept until their commit */

static void set_up_texts(void)
{
    set_up();
    texts = leat_arena_new(65536, 0);
}

static void tear_down_texts(void)
{
    leat_arena_free(texts);
    tear_down();
}

TestSuite(coded, .init = set_up_texts, .fini = tear_down_texts);

static int64_t next_seq;

static void did(struct leat_fold *f, const char *id, const char *what, int no)
{
    const char *json =
        leat_arena_printf(texts, "{\"id\":\"%s\",\"what\":\"%s\",\"no\":%d}", id, what, no);
    struct leat_fold_event e = event(1, ++next_seq, "Did", json);
    struct leat_seq_range hole;
    e.meta.key = leat_arena_copy(texts, leat_str_of(id));
    cr_assert_eq(leat_fold_take(f, &e, schemas, &hole), LEAT_SEQ_APPLY);
}

static void assert_skipped(const char *model, const char *expected)
{
    struct leat_model *m = NULL;
    struct leat_buf out;
    struct leat_error err = {0};
    leat_buf_init(&out, 65536);
    cr_assert_eq(leat_model_open(topology, model, data_dir, &m, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_model_skipped(m, 100, &out, &err), LEAT_OK, "%s", err.msg);
    leat_buf_putc(&out, '\0');
    if (expected == NULL)
        cr_assert_str_eq(out.at, "[]");
    else
        cr_assert_not_null(strstr(out.at, expected), "%s has no %s", out.at, expected);
    leat_model_close(m);
    leat_buf_done(&out);
}

Test(coded, puts_several_rows_and_scans_those_of_its_stream)
{
    struct leat_fold *f = open_fold("parts", 0);
    did(f, "a", "put", 1);
    did(f, "a", "put", 10);
    commit(f);
    did(f, "a", "put", 2);
    did(f, "ab", "put", 4);
    did(f, "a", "sum", 0); /* 1 and 10 of the file, 2 of this batch, nothing of "ab" */
    commit(f);
    assert_row("parts", "a/1",
               "{\"key\":\"a/1\",\"id\":\"a\",\"no\":1,\"name\":\"n1\",\"price\":1.5,"
               "\"big\":9223372036854775806,\"tags\":[\"a/b\"]}");
    assert_row("parts", "a/2",
               "{\"key\":\"a/2\",\"id\":\"a\",\"no\":2,\"name\":null,\"price\":3.0,"
               "\"big\":9223372036854775805,\"tags\":[\"a/b\",\"\\\"\"]}");
    assert_row("parts", "a/0",
               "{\"key\":\"a/0\",\"id\":\"a\",\"no\":0,\"name\":null,\"price\":19.5,"
               "\"big\":3,\"tags\":[]}");
    did(f, "a", "delete", 10);
    did(f, "a", "delete", 77);
    did(f, "a", "sum", 0);
    commit(f);
    assert_row("parts", "a/10", NULL);
    assert_row("parts", "a/0",
               "{\"key\":\"a/0\",\"id\":\"a\",\"no\":0,\"name\":null,\"price\":4.5,"
               "\"big\":3,\"tags\":[]}");
    assert_skipped("parts", NULL);
    leat_fold_close(f);
}

Test(coded, rows_are_in_their_indexes)
{
    struct leat_fold *f = open_fold("parts", 0);
    struct leat_buf out;
    struct leat_error err = {0};
    leat_buf_init(&out, 65536);
    for (int i = 1; i <= 3; i++)
        did(f, "a", "put", i);
    did(f, "a", "delete", 2);
    commit(f);
    struct leat_model_range r = {.index = "by_price", .limit = 10, .fields = LEAT_STR("no")};
    cr_assert_eq(list("parts", &r, &out, &err), LEAT_OK, "%s", err.msg);
    leat_buf_putc(&out, '\0');
    cr_assert_str_eq(out.at, "{\"rows\":[{\"key\":\"a/3\",\"no\":3},{\"key\":\"a/1\",\"no\":1}],"
                             "\"cursor\":null}");
    leat_buf_done(&out);
    leat_fold_close(f);
}

Test(coded, a_wrong_call_changes_nothing_and_is_listed)
{
    static const struct {
        const char *what, *reason;
    } wrong[] = {
        {"skip", "no such thing"},
        {"other", "rows of other streams are not to be touched"},
        {"nan", "'price' is not a number"},
        {"utf8", "UTF-8"},
    };
    struct leat_fold *f = open_fold("parts", 0);
    did(f, "a", "put", 1);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        did(f, "a", wrong[i].what, 5);
    did(f, "a", "sum", 0);
    commit(f);
    assert_row("parts", "a/5", NULL);
    assert_row("parts", "a/0",
               "{\"key\":\"a/0\",\"id\":\"a\",\"no\":0,\"name\":null,\"price\":1.5,"
               "\"big\":1,\"tags\":[]}");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_skipped("parts", wrong[i].reason);
    cr_assert_eq(f->figures.skipped, sizeof wrong / sizeof *wrong);
    leat_fold_close(f);
}

/* A map that is too small makes the transaction run again, functions and all. */
Test(coded, a_transaction_that_is_tried_again_gives_the_same)
{
    char key[32], expected[160];
    int64_t n = 1;
    struct leat_fold *f = open_fold("card", 65536);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3000; i++) {
            (void)snprintf(key, sizeof key, "stream-%05d", i);
            did(f, key, "", 0);
            did(f, key, "", 0);
        }
        commit(f);
    }
    for (int i = 1; i < 6; i++)
        n = n * 3 + 1;
    (void)snprintf(expected, sizeof expected, "{\"key\":\"%s\",\"id\":\"%s\",\"n\":%" PRId64 "}",
                   key, key, n);
    assert_row("card", key, expected);
    assert_skipped("card", NULL);
    leat_fold_close(f);
}

/* In a process of its own, without the test's asserts: 0 = written. */
static int fold_three(const char *dir, const char *second)
{
    const char *const json[] = {"{\"id\":\"a\",\"what\":\"put\",\"no\":1}", second,
                                "{\"id\":\"b\",\"what\":\"put\",\"no\":1}"};
    struct leat_fold *f = NULL;
    struct leat_error err = {0};
    struct leat_seq_range hole;
    if (leat_fold_open(projection("parts"), 4, dir, 0, &f, &err) != LEAT_OK)
        return 1;
    for (int i = 0; i < 3; i++) {
        struct leat_fold_event e = event(1, i + 1, "Did", json[i]);
        e.meta.key = i < 2 ? LEAT_STR("a") : LEAT_STR("b");
        (void)leat_fold_take(f, &e, schemas, &hole);
    }
    leat_status status = leat_fold_commit(f, &err);
    leat_fold_close(f);
    return status == LEAT_OK ? 0 : 2;
}

/* How a process ends that folds them. */
static int fold_in_child(const char *dir, const char *second)
{
    int how = 0;
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(fold_three(dir, second));
    cr_assert_eq(waitpid(child, &how, 0), child);
    return how;
}

static void new_parts(char ret_dir[LEAT_MODEL_PATH_BYTES])
{
    char version[LEAT_VERSION_BYTES];
    struct leat_error err = {0};
    const struct leat_projection *p = projection("parts");
    leat_fold_close(open_fold("parts", 0));
    cr_assert_eq(leat_version_pick(data_dir, p->name, p->hash, version, &err), LEAT_OK);
    cr_assert_eq(leat_version_dir(data_dir, p->name, version, ret_dir, &err), LEAT_OK);
}

/* The process dies at one event time and again; another one takes its place. */
Test(coded, an_event_that_ends_the_process_three_times_is_skipped)
{
    static const char crash[] = "{\"id\":\"a\",\"what\":\"crash\",\"no\":0}";
    char dir[LEAT_MODEL_PATH_BYTES];
    new_parts(dir);
    for (int i = 0; i < 3; i++) {
        int how = fold_in_child(dir, crash);
        cr_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGABRT, "try %d: %d", i, how);
    }
    cr_assert_eq(fold_in_child(dir, crash), 0);
    assert_row("parts", "b/1",
               "{\"key\":\"b/1\",\"id\":\"b\",\"no\":1,\"name\":\"n1\",\"price\":1.5,"
               "\"big\":9223372036854775806,\"tags\":[\"a/b\"]}");
    assert_row("parts", "a/1",
               "{\"key\":\"a/1\",\"id\":\"a\",\"no\":1,\"name\":\"n1\",\"price\":1.5,"
               "\"big\":9223372036854775806,\"tags\":[\"a/b\"]}");
    assert_skipped("parts", "ended 3 times");
}

Test(coded, one_at_which_it_is_killed_from_outside_is_not)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    new_parts(dir);
    for (int i = 0; i < 5; i++) {
        int how = fold_in_child(dir, "{\"id\":\"a\",\"what\":\"kill\",\"no\":0}");
        cr_assert(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL, "try %d: %d", i, how);
    }
    cr_assert_eq(fold_in_child(dir, "{\"id\":\"a\",\"what\":\"put\",\"no\":2}"), 0);
    assert_skipped("parts", NULL);
}

Test(coded, the_version_of_the_code_is_part_of_the_models)
{
    struct leat_projection p = *projection("card");
    uint64_t hash = 0;
    struct leat_error err = {0};
    cr_assert_eq(leat_rules_hash(&p, schemas, &hash, &err), LEAT_OK);
    cr_assert_neq(hash, p.hash);
    p.name = LEAT_STR("nobody");
    struct leat_rules *rules = NULL;
    cr_assert_eq(leat_rules_new(&p, &rules, &err), LEAT_INVALID);
    cr_assert_not_null(strstr(err.msg, "no module has it"), "%s", err.msg);
    p = *projection("card");
    p.row_schema = projection("parts")->row_schema;
    cr_assert_eq(leat_rules_new(&p, &rules, &err), LEAT_INVALID);
    cr_assert_not_null(strstr(err.msg, "other fields"), "%s", err.msg);
}
