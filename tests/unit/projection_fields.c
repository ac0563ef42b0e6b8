/* Every kind of field through rules, indexes and queries, from Avro and from JSON. */
#include <stdlib.h>
#include <string.h>

static const char topology_text[] =
    "leat: 1\n"
    "name: t\n"
    "partitions: 4\n"
    "kafka: {bootstrap.servers: 127.0.0.1:1}\n"
    "store: {url: 'postgresql:///t'}\n"
    "priorities: {all: {weight: 1, default: true}}\n"
    "aggregates: {thing: {key: id, state: ThingState}}\n"
    "processors: {things: {aggregate: thing, commands: [Make], emits: [Filled, Moved, Gone]}}\n"
    "projections:\n"
    "  all:\n"
    "    key: $.id\n"
    "    from:\n"
    "      Filled:\n"
    "        set: {flag: $.flag, i: $.i, l: $.l, f: $.f, d: $.d, s: $.s, e: $.e, opt: $.opt,\n"
    "              opt_e: $.opt_e, a: $.rec.a, deep: $.rec.inner.b, rec: $.rec, arr: $.arr,\n"
    "              m: $.m, day: $.day, at: $.at, uid: $.uid, price: $.price, fprice: $.fprice}\n"
    "  raw:\n"
    "    key: $.id\n"
    "    from: {Filled: {set: {b: $.b, x: $.x}}}\n"
    "  spread:\n"
    "    key: $.id\n"
    "    from:\n"
    "      Filled:\n"
    "        when: [$.e == RED, $.rec.a >= 2, $.opt != null]\n"
    "        add: {n: 1, total: $.l, share: $.d, deep: $.rec.a}\n"
    "        min: {first: $.at, word: $.s, low: $.d}\n"
    "        max: {last: $.at, high: $.l}\n"
    "  hours:\n"
    "    key: [\"hour($.at, 'Europe/Berlin')\", $.e]\n"
    "    from: {Filled: {add: {n: 1}, min: {first: $.at}}}\n"
    "  moving:\n"
    "    key: $.id\n"
    "    from:\n"
    "      Filled: {set: {color: $.e, place: $.s, at: $.at, opt: $.opt}, add: {times: 1}}\n"
    "      Moved: {set: {place: $.s}, delete: opt}\n"
    "      Gone: {delete: true}\n"
    "    indexes: {by_place: [place, -at], by_color: [color, -place, at], by_opt: [-opt]}\n"
    "queries:\n"
    "  AtPlace: {model: moving, index: by_place, params: [place], where: {color: RED}, limit: 2}\n"
    "  Same: {model: moving, where: {opt: $row.place}}\n"
    "  NoOpt: {model: moving, where: {opt: null}}\n"
    "http: {listen: '127.0.0.1:0'}\n";

#include "projection_kit.h"

static const char filled_schema[] =
    "{\"type\":\"record\",\"name\":\"Filled\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"flag\",\"type\":\"boolean\"},"
    "{\"name\":\"i\",\"type\":\"int\"},{\"name\":\"l\",\"type\":\"long\"},"
    "{\"name\":\"f\",\"type\":\"float\"},{\"name\":\"d\",\"type\":\"double\"},"
    "{\"name\":\"s\",\"type\":\"string\"},{\"name\":\"b\",\"type\":\"bytes\"},"
    "{\"name\":\"x\",\"type\":{\"type\":\"fixed\",\"name\":\"X\",\"size\":3}},"
    "{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"RED\",\"BLUE\"]}},"
    "{\"name\":\"opt\",\"type\":[\"null\",\"string\"]},"
    "{\"name\":\"opt_e\",\"type\":[\"null\",\"E\"]},"
    "{\"name\":\"rec\",\"type\":{\"type\":\"record\",\"name\":\"R\",\"fields\":["
    "{\"name\":\"a\",\"type\":\"long\"},{\"name\":\"inner\",\"type\":{\"type\":\"record\","
    "\"name\":\"N\",\"fields\":[{\"name\":\"b\",\"type\":\"string\"}]}}]}},"
    "{\"name\":\"arr\",\"type\":{\"type\":\"array\",\"items\":\"long\"}},"
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":\"string\"}},"
    "{\"name\":\"day\",\"type\":{\"type\":\"int\",\"logicalType\":\"date\"}},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"}},"
    "{\"name\":\"uid\",\"type\":{\"type\":\"string\",\"logicalType\":\"uuid\"}},"
    "{\"name\":\"price\",\"type\":{\"type\":\"bytes\",\"logicalType\":\"decimal\","
    "\"precision\":12,\"scale\":2}},"
    "{\"name\":\"fprice\",\"type\":{\"type\":\"fixed\",\"name\":\"F\",\"size\":8,\"logicalType\":"
    "\"decimal\",\"precision\":12,\"scale\":2}}]}";

struct fill {                     /* what differs between events */
    const char *id, *e, *s, *opt; /* opt as JSON */
    int64_t l, a, at;
    double d;
};
#define BASE                                                                                       \
    (struct fill)                                                                                  \
    {                                                                                              \
        "t1", "RED", "here", "\"o\"", 5, 2, 1700000000000, 0.25                                    \
    }

static const char *filled_json(const struct fill *x)
{
    static char text[2048];
    (void)snprintf(text, sizeof text,
                   "{\"id\":\"%s\",\"flag\":true,\"i\":-7,\"l\":%" PRId64 ",\"f\":1.5,\"d\":%g,"
                   "\"s\":\"%s\",\"b\":\"\\u0000\\u00ff\",\"x\":\"abc\",\"e\":\"%s\",\"opt\":%s,"
                   "\"opt_e\":\"BLUE\",\"rec\":{\"a\":%" PRId64 ",\"inner\":{\"b\":\"deep\"}},"
                   "\"arr\":[1,2],\"m\":{\"k\":\"v\"},\"day\":19675,\"at\":%" PRId64 ","
                   "\"uid\":\"0197f3a2-4c1e-7b6a-9f00-8d3f1c2b7a10\",\"price\":\"12.50\","
                   "\"fprice\":\"-0.07\"}",
                   x->id, x->l, x->d, x->s, x->e, x->opt, x->a, x->at);
    return text;
}

static void take_avro(struct leat_fold *f, int64_t seq, const struct fill *x)
{
    struct leat_buf out;
    struct leat_error err = {0};
    struct leat_seq_range hole;
    leat_buf_init(&out, 4096);
    if (leat_schemas_by_id(schemas, 7) == NULL)
        cr_assert_eq(
            leat_schemas_put(schemas, 7, LEAT_STR("Filled"), leat_str_of(filled_schema), &err),
            LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_schemas_from_json(schemas, LEAT_STR("Filled"), true,
                                        leat_str_of(filled_json(x)), &out, &err),
                 LEAT_OK, "%s", err.msg);
    struct leat_fold_event e = event(1, seq, "Filled", "");
    e.payload = leat_buf_str(&out);
    cr_assert_eq(leat_fold_take(f, &e, schemas, &hole), LEAT_SEQ_APPLY);
    commit(f);
    leat_buf_done(&out);
}

/* Keys of the rows, as many letters each; '+' behind them when there is a cursor. */
static void assert_listed(const char *model, const struct leat_model_range *r, const char *expected)
{
    struct leat_buf out;
    struct leat_error err = {0};
    char keys[64] = "";
    leat_buf_init(&out, 65536);
    cr_assert_eq(list(model, r, &out, &err), LEAT_OK, "%s", err.msg);
    leat_buf_putc(&out, 0);
    for (const char *at = out.at; (at = strstr(at, "{\"key\":\"")) != NULL; at++)
        (void)strncat(keys, at + 8, 2);
    if (strstr(out.at, "\"cursor\":\"") != NULL)
        (void)strncat(keys, "+", 2);
    cr_expect_str_eq(keys, expected, "%s: %s", keys, expected);
    leat_buf_done(&out);
}

TestSuite(fields, .init = set_up, .fini = tear_down);

static const char all_row[] =
    "{\"key\":\"t1\",\"flag\":true,\"i\":-7,\"l\":5,\"f\":1.5,\"d\":0.25,\"s\":\"here\","
    "\"e\":\"RED\",\"opt\":\"o\",\"opt_e\":\"BLUE\",\"a\":2,\"deep\":\"deep\","
    "\"rec\":{\"a\":2,\"inner\":{\"b\":\"deep\"}},\"arr\":[1,2],\"m\":{\"k\":\"v\"},"
    "\"day\":19675,\"at\":1700000000000,\"uid\":\"0197f3a2-4c1e-7b6a-9f00-8d3f1c2b7a10\","
    "\"price\":\"12.50\",\"fprice\":\"-0.07\"}";

Test(fields, every_type_gives_the_same_row_from_avro_and_from_json)
{
    struct leat_fold *f = open_fold("all", 0);
    take_avro(f, 1, &BASE);
    assert_row("all", "t1", all_row);
    cr_assert_eq(take(f, 1, 2, "Filled", "{\"id\":\"t1\"}"), LEAT_SEQ_APPLY);
    commit(f);
    assert_row(
        "all", "t1",
        "{\"key\":\"t1\",\"flag\":null,\"i\":null,\"l\":null,\"f\":null,\"d\":null,\"s\":null,"
        "\"e\":null,\"opt\":null,\"opt_e\":null,\"a\":null,\"deep\":null,\"rec\":null,"
        "\"arr\":null,\"m\":null,\"day\":null,\"at\":null,\"uid\":null,\"price\":null,"
        "\"fprice\":null}");
    cr_assert_eq(take(f, 2, 1, "Filled", filled_json(&BASE)), LEAT_SEQ_APPLY);
    commit(f);
    assert_row("all", "t1", all_row);
    leat_fold_close(f);
    f = open_fold("raw", 0); /* only Avro knows what bytes are */
    take_avro(f, 1, &BASE);
    assert_row("raw", "t1", "{\"key\":\"t1\",\"b\":\"AP8=\",\"x\":\"YWJj\"}");
    leat_fold_close(f);
}

Test(fields, add_min_and_max_of_numbers_times_and_texts)
{
    struct leat_fold *f = open_fold("spread", 0);
    struct fill x = BASE;
    take_avro(f, 1, &x);
    x = (struct fill){"t1", "RED", "a", "\"o\"", -20, 3, 1600000000000, 0.5};
    take_avro(f, 2, &x);
    const char *row = "{\"key\":\"t1\",\"n\":2,\"total\":-15,\"share\":0.75,\"deep\":5,"
                      "\"first\":1600000000000,\"word\":\"a\",\"low\":0.25,"
                      "\"last\":1700000000000,\"high\":5}";
    assert_row("spread", "t1", row);
    x.e = "BLUE"; /* none of these three holds its conditions */
    take_avro(f, 3, &x);
    x = BASE;
    x.a = 1;
    take_avro(f, 4, &x);
    x = BASE;
    x.opt = "null";
    take_avro(f, 5, &x);
    assert_row("spread", "t1", row);
    leat_fold_close(f);
}

/* 2023-10-29: in Berlin 02:00 to 03:00 came twice. */
Test(fields, hours_of_a_zone_make_a_key_with_an_enum)
{
    struct leat_fold *f = open_fold("hours", 0);
    const int64_t first_two = 1698537600000, hour = 3600000; /* 02:00 summer time */
    for (int64_t i = -1; i < 3; i++) {
        struct fill x = BASE;
        x.at = first_two + i * hour;
        take_avro(f, i + 2, &x);
    }
    assert_row("hours", "2023-10-29T01/RED",
               "{\"key\":\"2023-10-29T01/RED\",\"n\":1,\"first\":1698534000000}");
    assert_row("hours", "2023-10-29T02/RED",
               "{\"key\":\"2023-10-29T02/RED\",\"n\":2,\"first\":1698537600000}");
    assert_row("hours", "2023-10-29T03/RED",
               "{\"key\":\"2023-10-29T03/RED\",\"n\":1,\"first\":1698544800000}");
    leat_fold_close(f);
}

static void move(struct leat_fold *f, int64_t seq, const char *id, const char *place)
{
    char json[200];
    (void)snprintf(json, sizeof json, "{\"id\":\"%s\",\"s\":\"%s\"}", id, place);
    cr_assert_eq(take(f, 1, seq, "Moved", json), LEAT_SEQ_APPLY);
    commit(f);
}

Test(fields, rows_move_between_index_entries_go_and_come_back)
{
    struct leat_fold *f = open_fold("moving", 0);
    struct leat_model_range by_place = {.index = "by_place", .limit = 10};
    struct leat_model_range by_color = {.index = "by_color", .limit = 10};
    struct leat_model_range by_opt = {.index = "by_opt", .limit = 10};
    take_avro(f, 1, &(struct fill){"t1", "RED", "b", "\"z\"", 1, 1, 100, 0});
    take_avro(f, 2, &(struct fill){"t2", "RED", "b", "null", 1, 1, 200, 0});
    take_avro(f, 3, &(struct fill){"t3", "BLUE", "a", "\"y\"", 1, 1, 300, 0});
    assert_listed("moving", &by_place, "t3t2t1");
    assert_listed("moving", &by_color, "t3t1t2"); /* BLUE, then RED by time */
    assert_listed("moving", &by_opt, "t1t3t2");   /* descending: null is last */
    move(f, 4, "t1", "c");
    assert_listed("moving", &by_place, "t3t2t1");
    assert_listed("moving", &by_color, "t3t1t2"); /* RED: place descending */
    assert_listed("moving", &by_opt, "t3t1t2");   /* its opt was deleted */
    by_place.from = by_place.to = LEAT_STR("b");
    assert_listed("moving", &by_place, "t2");
    cr_assert_eq(take(f, 1, 5, "Gone", "{\"id\":\"t2\"}"), LEAT_SEQ_APPLY);
    commit(f);
    assert_row("moving", "t2", NULL);
    assert_listed("moving", &by_place, "");
    assert_listed("moving", &by_opt, "t3t1");
    take_avro(f, 6, &(struct fill){"t2", "BLUE", "b", "null", 1, 1, 50, 0});
    assert_row("moving", "t2",
               "{\"key\":\"t2\",\"color\":\"BLUE\",\"place\":\"b\",\"at\":50,\"opt\":null,"
               "\"times\":1}");
    assert_listed("moving", &by_place, "t2");
    by_color.from = by_color.to = LEAT_STR("BLUE,b");
    assert_listed("moving", &by_color, "t2");
    leat_fold_close(f);
}

static struct leat_model_range query(const char *name, const struct leat_str *equal, uint32_t n)
{
    const struct leat_query *q = leat_topology_query(topology, leat_str_of(name));
    cr_assert_not_null(q);
    return (struct leat_model_range){.index = q->index == NULL ? NULL : q->index->name.at,
                                     .equal = equal,
                                     .n_equal = n,
                                     .where = q,
                                     .limit = (int32_t)q->limit};
}

Test(fields, where_leaves_rows_out_and_is_bounded)
{
    struct leat_fold *f = open_fold("moving", 0);
    for (int i = 0; i < 6; i++) {
        char id[8];
        (void)snprintf(id, sizeof id, "t%d", i);
        take_avro(
            f, i + 1,
            &(struct fill){id, i % 2 == 0 ? "RED" : "BLUE", "b,1", "\"b,1\"", 1, 1, 100 + i, 0});
    }
    struct leat_str place = LEAT_STR("b,1"); /* as it is: no quotes, no commas that part */
    struct leat_model_range r = query("AtPlace", &place, 1);
    assert_listed("moving", &r, "t4t2+");
    place = LEAT_STR("b");
    assert_listed("moving", &r, "");
    r = query("Same", NULL, 0);
    assert_listed("moving", &r, "t0t1t2t3t4t5");
    move(f, 7, "t3", "x");
    assert_listed("moving", &r, "t0t1t2t4t5");
    r = query("NoOpt", NULL, 0);
    assert_listed("moving", &r, "t3");
    static char json[LEAT_MODEL_SCAN_MAX][100]; /* borrowed until they are committed */
    for (int i = 0; i < LEAT_MODEL_SCAN_MAX; i++) {
        (void)snprintf(json[i], sizeof json[i],
                       "{\"id\":\"u%06d\",\"e\":\"RED\",\"s\":\"p\",\"at\":1,\"opt\":\"x\"}", i);
        cr_assert_eq(take(f, 1, 8 + i, "Filled", json[i]), LEAT_SEQ_APPLY);
    }
    commit(f);
    struct leat_str nobody = LEAT_STR("p");
    r = query("AtPlace", &nobody, 1);
    r.where = leat_topology_query(topology, LEAT_STR("NoOpt"));
    assert_listed("moving", &r, ""); /* just so many */
    r = query("NoOpt", NULL, 0);
    assert_listed("moving", &r, "t3+"); /* looked at as many as it may, and says so */
    leat_fold_close(f);
}

Test(fields, what_is_declared_and_not_served_yet_is_worth_another_try)
{
    struct leat_fold *f = open_fold("moving", 0);
    struct leat_buf out;
    struct leat_error err = {0};
    struct leat_model_range r = {.index = "by_place", .limit = 10};
    leat_buf_init(&out, 65536);
    take_avro(f, 1, &BASE);
    leat_fold_close(f);
    /* The file keeps the shape it was made with: one of a topology without the index. */
    struct leat_projection old = *projection("moving");
    old.indexes++;
    old.n_indexes -= 2;
    old.hash++;
    char version[LEAT_VERSION_BYTES], dir[LEAT_MODEL_PATH_BYTES];
    cr_assert_eq(leat_version_pick(data_dir, old.name, old.hash, version, &err), LEAT_OK);
    cr_assert_eq(leat_version_dir(data_dir, old.name, version, dir, &err), LEAT_OK);
    cr_assert_eq(leat_fold_open(&old, topology->partitions, dir, 0, &f, &err), LEAT_OK, "%s",
                 err.msg);
    take_avro(f, 1, &BASE);
    leat_fold_close(f);
    cr_assert_eq(leat_version_switch(data_dir, old.name, version, &err), LEAT_OK);
    cr_assert_eq(list("moving", &r, &out, &err), LEAT_RETRY, "%s", err.msg);
    r.index = "by_color";
    cr_assert_eq(list("moving", &r, &out, &err), LEAT_OK, "%s", err.msg);
    r.index = "by_colour";
    cr_assert_eq(list("moving", &r, &out, &err), LEAT_INVALID);
    cr_assert_str_eq(err.hint, "did you mean 'by_color'?");
    leat_buf_done(&out);
}
