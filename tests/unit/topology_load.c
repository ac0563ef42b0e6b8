#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "topology/topology.h"

#define HEAD                                                                                       \
    "leat: 1\nname: shop\npartitions: 12\nkafka: {bootstrap.servers: k}\nstore: {url: pg}\n"

struct outcome {
    struct leat_topology *t;
    struct leat_report report;
    struct leat_error err;
    char text[20000];
};

static void load(struct outcome *o, const char *yaml)
{
    *o = (struct outcome){0};
    leat_status status =
        leat_topology_load_text("shop.yaml", leat_str_of(yaml), false, &o->t, &o->report, &o->err);
    cr_assert_eq(status == LEAT_OK, o->t != NULL);
    struct leat_buf b;
    leat_buf_init(&b, sizeof o->text - 1);
    leat_report_text(&o->report, &b);
    if (b.len > 0)
        memcpy(o->text, b.at, b.len);
    leat_buf_done(&b);
}

static void done(struct outcome *o)
{
    leat_topology_free(o->t);
    leat_report_done(&o->report);
}

static void expect_findings(const char *yaml, const char *want)
{
    struct outcome o;
    load(&o, yaml);
    cr_expect_str_eq(o.text, want);
    done(&o);
}

static bool is(struct leat_str s, const char *want)
{
    return leat_str_eq(s, leat_str_of(want));
}

Test(topology, loads_the_whole_grammar)
{
    struct outcome o;
    char path[500];
    (void)snprintf(path, sizeof path, "%s/shop.yaml", LEAT_TEST_DATA);
    (void)unsetenv("KAFKA"); /* what the file says without it */
    o = (struct outcome){0};
    leat_status status = leat_topology_load(path, &o.t, &o.report, &o.err);
    cr_assert_eq(status, LEAT_OK, "%s", o.err.msg);
    const struct leat_topology *t = o.t;
    cr_expect(is(t->name, "shop"));
    cr_expect_eq(t->partitions, 12);
    cr_expect_str_eq(leat_props_get(&t->kafka.common, "bootstrap.servers", ""), "127.0.0.1:9092");
    cr_expect_null(leat_props_get(&t->kafka.common, "sasl.password", NULL), "empty: not given");
    cr_expect_str_eq(t->store.schema, "shop");
    cr_expect_eq(t->store.keep_commands_ms, INT64_C(2592000000));
    cr_expect_eq(t->priorities.n, 3);
    cr_expect_eq(t->priorities.default_index, 1);
    cr_expect_eq(t->priorities.at[2].max_wait_ms, 120000);
    cr_expect_str_eq(leat_props_get(&t->events.configs, "retention.ms", ""), "2592000000");
    cr_expect_str_eq(leat_props_get(&t->events.configs, "replication.factor", ""), "3");
    cr_expect_str_eq(leat_props_get(&t->commands.configs, "compression.type", ""), "zstd");
    cr_expect(is(t->events_topic, "shop.events"));
    cr_expect_str_eq(t->relay_group, "shop.relay");
    done(&o);
}

Test(topology, processors_know_their_topics_groups_and_defaults)
{
    struct outcome o = {0};
    char path[500];
    (void)snprintf(path, sizeof path, "%s/shop.yaml", LEAT_TEST_DATA);
    cr_assert_eq(leat_topology_load(path, &o.t, &o.report, &o.err), LEAT_OK, "%s", o.err.msg);
    const struct leat_processor *p = leat_topology_processor(o.t, LEAT_STR("orders"));
    cr_assert_not_null(p);
    cr_expect(is(p->topics[0], "shop.orders.hot") && is(p->topics[2], "shop.orders.cold"));
    cr_expect_eq(p->anchor, 1);
    cr_expect(is(p->dlq_topic, "shop.orders.dlq"));
    cr_expect_str_eq(p->group, "shop.orders");
    cr_expect_eq(p->threads, 0);
    cr_expect_eq(p->timeout_ms, 30000);
    cr_expect_eq(p->retry.n_delays, 3, "from defaults.processor");
    cr_expect_eq(p->retry.delays_ms[2], 600000);
    cr_expect_float_eq(p->retry.jitter, 0.1, 1e-9, "the table's default stays");
    cr_expect_eq(leat_topology_handler(o.t, LEAT_STR("MarkPaid")), p);
    cr_expect(is(leat_topology_emitter(o.t, LEAT_STR("PaymentTaken"))->key, "payment_id"));
    const struct leat_processor *policy = leat_topology_processor(o.t, LEAT_STR("checkout"));
    cr_expect_null(policy->aggregate);
    cr_expect_null(policy->topics);
    const struct leat_processor *pay = leat_topology_processor(o.t, LEAT_STR("payments"));
    cr_expect_str_eq(pay->calls[0].url, "http://127.0.0.1:9999");
    cr_expect_eq(pay->calls[0].breaker.open_for_ms, 30000);
    cr_expect_eq(pay->scale_max, 6);
    cr_expect_eq(o.t->sources[0].tombstone, LEAT_TOMBSTONE_SKIP);
    cr_expect_eq(o.t->sources[0].key->kind, LEAT_EXPR_FIELD);
    done(&o);
}

Test(topology, projections_are_compiled)
{
    struct outcome o = {0};
    char path[500];
    (void)snprintf(path, sizeof path, "%s/shop.yaml", LEAT_TEST_DATA);
    cr_assert_eq(leat_topology_load(path, &o.t, &o.report, &o.err), LEAT_OK, "%s", o.err.msg);
    const struct leat_projection *p = leat_topology_projection(o.t, LEAT_STR("orders"));
    cr_expect(p->keyed_by_stream);
    static const char *const fields[] = {"customer",  "total",   "status",
                                         "placed_at", "paid_at", "reason"};
    cr_assert_eq(p->fields.n, 6);
    for (uint32_t i = 0; i < 6; i++)
        cr_expect(is(p->fields.at[i], fields[i]), "%s", fields[i]);
    cr_expect_eq(p->from[0].ops[2].value->kind, LEAT_EXPR_STRING);
    cr_expect_eq(p->from[0].ops[3].value->meta, LEAT_META_TIME);
    const struct leat_index *x = leat_projection_index(p, LEAT_STR("by_customer"));
    cr_expect_eq(x->columns[0].field, 0);
    cr_expect(x->columns[1].descending && x->columns[1].field == 3);
    const struct leat_projection *r = leat_topology_projection(o.t, LEAT_STR("revenue_by_day"));
    cr_expect_not(r->keyed_by_stream);
    cr_expect_str_eq(r->keys[1]->zone, "Europe/Berlin");
    cr_expect_eq(r->from[0].ops[0].value->integer, 1);
    const struct leat_query *q = leat_topology_query(o.t, LEAT_STR("OpenOrders"));
    cr_expect_eq(q->index, x);
    cr_expect_eq(q->limit, 50);
    cr_expect_neq(p->hash, r->hash);
    done(&o);
}

Test(topology, unsupported_keys_are_refused_only_where_it_would_go_unnoticed)
{
    struct outcome o;
    load(&o, "leat: 1\nname: shop\npartitions: 12\nkafka: {bootstrap.servers: k}\n"
             "store: {url: pg, shards: [a, b]}\naggregates: {a: {key: id}}\n"
             "processors:\n"
             "  p: {aggregate: a, commands: [C], emits: [E], on_dead: hold, concurrency: 4}\n"
             "projections: {m: {key: $.id, from: {E: {set: {b: $.b}}}}}\n");
    cr_assert_not_null(o.t, "%s", o.err.msg);
    struct leat_report report = {0};
    cr_expect_eq(leat_topology_unsupported(o.t, &report), 1);
    cr_expect_eq(report.errors, 1);
    cr_expect_eq(report.warnings, 0);
    leat_report_done(&report);
    done(&o);
}

#define IN_C                                                                                       \
    HEAD "aggregates: {a: {key: id}}\nprocessors: {p: {aggregate: a, commands: [C], emits: "       \
         "[E]}}\n"

Test(topology, a_projection_in_c)
{
    struct outcome o;
    load(&o, IN_C "projections:\n"
                  "  m: {events: [E], row: {id: string, n: int, x: 'double?', tags: [string]},\n"
                  "      key: [id, n], indexes: {by_x: [-x]}}\n");
    cr_assert_not_null(o.t, "%s", o.err.msg);
    const struct leat_projection *p = &o.t->projections[0];
    cr_expect(p->is_coded && p->keyed_by_stream && p->n_from == 1 && p->n_keys == 2);
    cr_expect_str_eq(p->module, "m");
    cr_expect_eq(p->fields.n, 4);
    cr_expect(
        leat_str_eq(p->row_schema,
                    LEAT_STR("{\"type\":\"record\",\"name\":\"m_row\",\"fields\":["
                             "{\"name\":\"id\",\"type\":\"string\"},"
                             "{\"name\":\"n\",\"type\":\"int\"},"
                             "{\"name\":\"x\",\"type\":[\"null\",\"double\"],\"default\":null},"
                             "{\"name\":\"tags\",\"type\":{\"type\":\"array\","
                             "\"items\":\"string\"}}]}")),
        "%.*s", LEAT_STR_FMT(p->row_schema));
    done(&o);
}

Test(topology, bounds_of_lists)
{
    static const struct {
        const char *ops, *finding;
    } cases[] = {
        {"{append: {b: {value: $.b, max: 0}}}", "max"},
        {"{append: {b: {value: $.b, max: 4001}}}", "max"},
        {"{collect: {b: {max: 3}}}", "takes a value, or {value, max}"},
        {"{collect: {b: {value: $.b, maxx: 3}}}", "takes a value, or {value, max}"},
        {"{append: {b: {value: $.b, max: 3}}, collect: {b: $.b}}", "another rule keeps 3 items"},
        {"{set: {b: {value: $.b, max: 3}}}", "m.from.E.set.b"},
        {"{append: {b: {value: $.b, max: 4000}}}", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct outcome o;
        char text[1000];
        struct leat_buf found;
        leat_buf_init(&found, 65536);
        (void)snprintf(text, sizeof text, "%sprojections: {m: {key: $.id, from: {E: %s}}}\n", IN_C,
                       cases[i].ops);
        load(&o, text);
        leat_report_text(&o.report, &found);
        leat_buf_putc(&found, '\0');
        if (cases[i].finding == NULL)
            cr_expect_eq(o.t->projections[0].from[0].ops[0].bound, 4000);
        else
            cr_expect(o.t == NULL && strstr(found.at, cases[i].finding) != NULL, "%s: %s",
                      cases[i].ops, found.at);
        leat_buf_done(&found);
        done(&o);
    }
}

Test(topology, what_a_projection_in_c_cannot_be)
{
    static const struct {
        const char *text, *finding;
    } wrong[] = {
        {"{events: [E], row: {id: text}, key: id}", "'text' is not a type of a row's field"},
        {"{events: [E], row: {id: string}, key: name}", "`row` has no field 'name'"},
        {"{events: [E], row: {id: 'string?'}, key: id}", "'id' may be null, or is a list"},
        {"{events: [E], row: {n: int}, key: n}", "'n' is the stream's key, a string"},
        {"{events: [E], row: {id: string}, key: id, store: redis}", "cannot be in Redis"},
        {"{row: {id: string}, key: id}", "'events' is missing"},
        {"{events: [E], key: id}", "'row' is missing"},
        {"{key: id}", "'from' is missing"},
        {"{from: {E: {set: {b: $.b}}}, key: $.id, module: x}", "has both `from` and `module`"},
        {"{events: [E], row: {id: string}, key: id, indexes: {i: [x]}}", "a field 'x'"},
        {"{events: [F], row: {id: string}, key: id}", "no processor emits the event 'F'"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct outcome o;
        char text[1000];
        struct leat_buf found;
        leat_buf_init(&found, 65536);
        (void)snprintf(text, sizeof text, "%sprojections: {m: %s}\n", IN_C, wrong[i].text);
        load(&o, text);
        leat_report_text(&o.report, &found);
        leat_buf_putc(&found, '\0');
        cr_expect_not_null(strstr(found.at, wrong[i].finding), "%s: %s", wrong[i].text, found.at);
        cr_expect_null(o.t, "%s", wrong[i].text);
        leat_buf_done(&found);
        done(&o);
    }
}

Test(topology, services_outside_and_their_breakers)
{
    struct outcome o;
    load(&o,
         HEAD "aggregates: {a: {key: id}}\n"
              "processors:\n"
              "  p: {aggregate: a, commands: [C], calls: {psp: {url: 'http://psp', timeout: 2s,\n"
              "      breaker: {failures: 5, rate: 0.5, window: 20s, min_calls: 7, open_for: 1s,\n"
              "                trials: 3}}, crm: {url: 'http://crm', effects: claim, on_unknown: "
              "give_up}}}\n");
    cr_assert_not_null(o.t, "%s", o.text);
    const struct leat_processor *p = &o.t->processors[0];
    cr_assert_eq(p->n_calls, 2);
    cr_expect_eq(p->calls[0].timeout_ms, 2000);
    cr_expect_eq(p->calls[0].breaker.failures, 5);
    cr_expect_float_eq(p->calls[0].breaker.rate, 0.5, 1e-9);
    cr_expect_eq(p->calls[0].breaker.window_ms, 20000);
    cr_expect_eq(p->calls[0].breaker.min_calls, 7);
    cr_expect_eq(p->calls[0].breaker.open_for_ms, 1000);
    cr_expect_eq(p->calls[0].breaker.trials, 3);
    cr_expect_eq(p->calls[0].effects, LEAT_EFFECTS_KEY);
    cr_expect_eq(p->calls[0].on_unknown, LEAT_ON_UNKNOWN_HOLD);
    cr_expect_eq(p->calls[1].effects, LEAT_EFFECTS_CLAIM);
    cr_expect_eq(p->calls[1].on_unknown, LEAT_ON_UNKNOWN_GIVE_UP);
    cr_expect_eq(p->calls[1].timeout_ms, 5000);
    cr_expect_eq(p->calls[1].breaker.failures, 0);
    cr_expect_float_eq(p->calls[1].breaker.rate, 0, 1e-9);
    cr_expect_eq(p->calls[1].breaker.trials, 1);
    done(&o);
}

/* --- mistakes --- */

Test(topology, a_breaker_that_nothing_opens)
{
    expect_findings(
        HEAD "aggregates: {a: {key: id}}\n"
             "processors:\n"
             "  p: {aggregate: a, commands: [C], calls: {psp: {url: u,\n"
             "      breaker: {open_for: 1s, trials: 0}}, crm: {url: u,\n"
             "      breaker: {open_for: 1s}}}}\n",
        "shop.yaml:9:39: error: processors.p.calls.psp.breaker.trials: 0 is out of "
        "range (1 to 1000)\n"
        "shop.yaml:10:16: error: processors.p.calls.crm.breaker: nothing opens it (give "
        "`failures` (in a row), `rate` (their share), or both)\n");
}

Test(topology, unknown_keys_name_the_nearest)
{
    expect_findings(
        HEAD "proccessors: {}\nstore2: {}\n",
        "shop.yaml:6:1: error: unknown key 'proccessors' in the file (did you mean "
        "'processors'?)\n"
        "shop.yaml:7:1: error: unknown key 'store2' in the file (did you mean 'store'?)\n");
    expect_findings(HEAD "priorities: {a: {weight: 1, wait: 1s}}\n",
                    "shop.yaml:6:29: error: unknown key 'wait' in priorities.a (did you mean "
                    "'max_wait'?)\n");
}

Test(topology, numbers_units_and_ranges)
{
    expect_findings("leat: 1\nname: shop\npartitions: 0\nkafka: {bootstrap.servers: k}\n"
                    "store: {url: pg, keep_commands: 30, prepare: yes}\n"
                    "limits: {message: 1000000000TiB}\n"
                    "priorities: {a: {weight: 1001, max_wait: 5 minutes}}\n",
                    "shop.yaml:3:13: error: partitions: 0 is out of range (1 to 1024)\n"
                    "shop.yaml:5:33: error: store.keep_commands: '30' has no unit (such as 500ms, "
                    "5s, 1m, 2h or 30d)\n"
                    "shop.yaml:5:46: error: store.prepare: 'yes' is not true or false\n"
                    "shop.yaml:6:19: error: limits.message: 1000000000TiB is out of range (1KiB to "
                    "64MiB)\n"
                    "shop.yaml:7:26: error: priorities.a.weight: 1001 is out of range (1 to 1000)\n"
                    "shop.yaml:7:42: error: priorities.a.max_wait: '5 minutes' is not a duration "
                    "(such as 500ms, 5s, 1m, 2h or 30d)\n");
}

Test(topology, required_keys_and_the_grammar_version)
{
    expect_findings("leat: 2\n",
                    "shop.yaml:1:1: error: the file: 'name' is missing (Prefix of topics and "
                    "groups, Postgres schema, metrics label: a-z, 0-9 and _, at most 48.)\n"
                    "shop.yaml:1:1: error: the file: 'partitions' is missing (Partitions of every "
                    "topic and slices of the store, for the store's life.)\n"
                    "shop.yaml:1:1: error: the file: 'store' is missing (The event store.)\n"
                    "shop.yaml:1:1: error: kafka: 'bootstrap.servers' is missing (such as "
                    "127.0.0.1:9092)\n"
                    "shop.yaml:1:7: error: leat: 2 is out of range (this version of leat reads "
                    "grammar 1)\n");
}

Test(topology, properties_of_leat_cannot_be_set)
{
    expect_findings("leat: 1\nname: s\npartitions: 1\nstore: {url: pg}\n"
                    "kafka:\n  bootstrap.servers: [a, b]\n  group.id: x\n"
                    "  producer: {acks: 1, linger.ms: 5}\n",
                    "shop.yaml:7:3: error: kafka: 'group.id' belongs to leat (a processor's group "
                    "is <topology>.<processor>)\n"
                    "shop.yaml:8:14: error: kafka.producer: 'acks' belongs to leat (always all)\n");
}

Test(topology, exactly_one_default_priority)
{
    expect_findings(HEAD "priorities: {a: {weight: 1}, b: {weight: 2}}\n",
                    "shop.yaml:6:13: error: priorities: none is the default (exactly one says "
                    "default: true)\n");
    expect_findings(HEAD "priorities: {a: {weight: 1, default: true}, b: {weight: 2, default: "
                         "true}}\n",
                    "shop.yaml:6:13: error: priorities: more than one is the default (exactly one "
                    "says default: true)\n");
    expect_findings(HEAD "priorities: {a: {weight: 1}}\n", "");
}

Test(topology, commands_have_one_handler_and_events_one_owner)
{
    expect_findings(
        HEAD "aggregates: {a: {key: id}, b: {key: id}}\n"
             "processors:\n"
             "  p: {aggregate: a, commands: [Place], emits: [Placed], sends: [Plaec]}\n"
             "  q: {aggregate: b, commands: [Place], emits: [Placed]}\n"
             "  r: {events: [Plced], sends: [Place]}\n",
        "shop.yaml:8:65: error: processor 'p': no processor handles the command 'Plaec' (did you "
        "mean 'Place'?)\n"
        "shop.yaml:9:32: error: command 'Place' is handled by 'p' and by 'q' (a command type has "
        "exactly one handler)\n"
        "shop.yaml:9:48: error: event 'Placed' belongs to 'a' and to 'b' (an event type is of one "
        "aggregate: its key and its fold)\n"
        "shop.yaml:10:16: error: processor 'r': no processor emits the event 'Plced' (did you mean "
        "'Placed'?)\n");
}

Test(topology, shape_of_a_processor)
{
    expect_findings(HEAD "aggregates: {order: {key: id}}\n"
                         "processors:\n"
                         "  p: {aggregate: ordre, commands: [C]}\n"
                         "  q: {emits: [E]}\n"
                         "  relay: {commands: [D]}\n"
                         "  a-b: {commands: [F-G]}\n",
                    "shop.yaml:8:18: error: processors.p.aggregate: no aggregate 'ordre' (did you "
                    "mean 'order'?)\n"
                    "shop.yaml:9:3: error: processor 'q' has neither commands nor events\n"
                    "shop.yaml:9:3: error: processor 'q' emits events, but has no aggregate\n"
                    "shop.yaml:10:3: error: processor 'relay': the name is taken "
                    "(<topology>.relay is leat's own)\n"
                    "shop.yaml:11:3: error: processor 'a-b' cannot be used (letters, digits and "
                    "'_': it becomes a name in C)\n"
                    "shop.yaml:11:20: error: command 'F-G' cannot be used (letters, digits and "
                    "'_': it becomes a name in C)\n");
}

Test(topology, circles_of_commands_are_warned_about_with_their_path)
{
    expect_findings(HEAD "processors:\n"
                         "  a: {commands: [A], sends: [B]}\n"
                         "  b: {commands: [B], sends: [C]}\n"
                         "  c: {commands: [C], sends: [B, C]}\n",
                    "shop.yaml:8:30: warning: commands may go round for ever: b -> C -> c -> B -> "
                    "b (fine when a handler ends it, or each round waits)\n"
                    "shop.yaml:9:33: warning: commands may go round for ever: c -> C -> c (fine "
                    "when a handler ends it, or each round waits)\n");
}

#define MODEL                                                                                      \
    HEAD "aggregates: {order: {key: order_id}, pay: {key: pay_id}}\n"                              \
         "processors:\n"                                                                           \
         "  o: {aggregate: order, commands: [C], emits: [Placed]}\n"                               \
         "  p: {aggregate: pay, commands: [D], emits: [Paid]}\n"                                   \
         "projections:\n"

Test(topology, rows_fed_by_several_partitions_take_commuting_operations_only)
{
    expect_findings(
        MODEL "  m:\n    key: $.customer\n    from:\n"
              "      Placed: {set: {customer: $.customer, last: $.order_id}, add: {n: 1}}\n",
        "shop.yaml:14:50: error: projections.m.from.Placed: 'set' of 'last' depends on the order "
        "of "
        "events (its rows are not keyed by the aggregate's key, so several partitions feed them: "
        "only add, min, max and collect, and set of a part of the key, give the same row in any "
        "order)\n");
    expect_findings(MODEL "  m: {key: [$.order_id, $.line], from: {Placed: {set: {x: $.y}}}}\n",
                    "");
    expect_findings(MODEL "  m: {key: $meta.key, from: {Placed: {set: {x: $.y}}, Paid: {delete: "
                          "true}}}\n",
                    "");
}

Test(topology, a_row_keyed_by_two_streams_at_once_belongs_to_neither)
{
    struct outcome o;
    load(&o, MODEL "  m:\n    key: [$.order_id, $.pay_id]\n    from:\n"
                   "      Placed: {set: {x: $.y}}\n      Paid: {set: {x: $.y}}\n");
    cr_expect_eq(o.report.errors, 2, "%s", o.text);
    done(&o);
}

Test(topology, mistakes_in_models)
{
    expect_findings(
        MODEL "  m:\n    key: $.order_id\n    from:\n"
              "      Placd: {set: {a: $meta.tme, b: days($meta.time)}}\n"
              "      Placed: {when: $.x = 1, add: {n: one}}\n"
              "    indexes: {i: [a, -other]}\n",
        "shop.yaml:14:7: error: projection 'm': no processor emits the event 'Placd' (did you mean "
        "'Placed'?)\n"
        "shop.yaml:14:24: error: projections.m.from.Placd.set.a: '$meta.tme': unknown $meta.tme at "
        "column 7 of the expression (did you mean $meta.time?)\n"
        "shop.yaml:14:38: error: projections.m.from.Placd.set.b: 'days($meta.time)': unknown "
        "function 'days' at column 1 of the expression (did you mean 'day'?)\n"
        "shop.yaml:15:22: error: projections.m.from.Placed.when: '$.x = 1': expected ==, !=, <, "
        "<=, > or >= at column 5 of the expression\n"
        "shop.yaml:15:40: error: projections.m.from.Placed.add.n: 'one' is not a number\n"
        "shop.yaml:16:22: error: projections.m.indexes.i: no rule sets a field 'other' (there "
        "are a, b, n)\n");
}

Test(topology, topics_are_never_two_things)
{
    expect_findings(HEAD "priorities: {dlq: {weight: 1}}\nprocessors: {p: {commands: [C]}}\n",
                    "shop.yaml:7:14: error: topic 'shop.p.dlq' is used for two things\n");
    expect_findings(HEAD "topics: {commands: {name: \"x.{processor}\", retention.sm: 1}}\n",
                    "shop.yaml:6:27: error: topics.commands.name: 'x.{processor}' must hold "
                    "{priority}\n"
                    "shop.yaml:6:44: warning: topics.commands: Kafka has no topic config "
                    "'retention.sm' that leat knows of (did you mean 'retention.ms'?)\n");
}

Test(topology, what_stands_where_is_known_by_its_address)
{
    struct outcome o;
    load(&o, HEAD "aggregates: {a: {key: id}}\n"
                  "processors:\n"
                  "  p: {aggregate: a, commands: [C, D], emits: [E]}\n"
                  "projections:\n"
                  "  m: {key: $.id, from: {E: {set: {x: $.y}}}}\n");
    cr_assert_not_null(o.t, "%s", o.err.msg);
    const struct leat_place nowhere = {NULL, 0, 0};
    const struct leat_processor *p = &o.t->processors[0];
    const struct leat_place *at = leat_topology_place(o.t, p->commands.at[1].at, &nowhere);
    cr_expect_eq(at->line, 8);
    cr_expect_eq(at->column, 35);
    const struct leat_expr *value = o.t->projections[0].from[0].ops[0].value;
    at = leat_topology_place(o.t, value, &nowhere);
    cr_expect_eq(at->line, 10);
    cr_expect_eq(at->column, 38);
    cr_expect_eq(leat_topology_place(o.t, "D", &nowhere), &nowhere, "an equal text is not it");
    done(&o);
}

Test(topology, a_file_with_mistakes_can_be_looked_at_in_part)
{
    struct leat_report report = {0};
    const char *path = "/tmp/leat_unit_inspect.yaml";
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    (void)fputs(HEAD "partitons: 3\naggregates: {a: {key: id}}\n", f);
    (void)fclose(f);
    struct leat_topology *t = leat_topology_inspect(path, &report);
    cr_assert_not_null(t);
    cr_expect_eq(report.errors, 1);
    cr_expect_eq(t->n_aggregates, 1);
    leat_topology_free(t);
    leat_report_done(&report);
    cr_expect_null(leat_topology_inspect("/nowhere/leat.yaml", &report));
    cr_expect_eq(report.errors, 1);
    leat_report_done(&report);
}
