/* uses: base topology codec kafka store guard worker */
/* What a handler may ask about services outside, on a clock of the test. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/dispatch.h"

/* ---- a policy that does what the test says ---- */

struct go {
    struct leat_str id;
};
static const struct leat_field go_fields[] = {
    {.name = "id", .kind = LEAT_KIND_STRING, .offset = offsetof(struct go, id), .has_offset = -1}};
#define GO_SCHEMA                                                                                  \
    "{\"type\":\"record\",\"name\":\"Go\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"}]}"
static const struct leat_type go_type = {.name = "Go",
                                         .size = sizeof(struct go),
                                         .fields = go_fields,
                                         .field_count = 1,
                                         .schema = GO_SCHEMA,
                                         .key = "id"};

static leat_answer (*script)(struct leat_ctx *ctx);

static leat_answer on_go(struct leat_ctx *ctx, const void *message)
{
    (void)message;
    return script(ctx);
}

static const struct leat_on on[] = {{.message = &go_type, .state = NULL, {.react = on_go}}};
static struct leat_processor_def def = {.name = "p", .version = 1, .on = on, .on_count = 1};

static const char topology_text[] =
    "leat: 1\nname: t\npartitions: 4\nkafka: {bootstrap.servers: x}\n"
    "store: {url: 'postgresql:///t'}\n"
    "processors:\n"
    "  p:\n    commands: [Go]\n    timeout: 10s\n"
    "    calls:\n"
    "      psp: {url: 'http://psp', timeout: 2s, breaker: {failures: 2, open_for: 30s}}\n"
    "      crm: {url: 'http://crm', timeout: 60s}\n"
    "      smtp: {url: 'smtp://x', effects: claim, breaker: {failures: 1, open_for: 10s}}\n"
    "      fax: {url: 'fax://x', effects: claim, on_unknown: give_up}\n"
    "      sms: {url: 'sms://x', effects: claim, on_unknown: repeat}\n";

static struct leat_topology *topology;
static struct leat_schemas *schemas;
static struct leat_dispatch *dispatch;
static struct leat_arena *arena;
static struct leat_buf scratch;
static int64_t mono = 1000000, heard_until;
static int heard;

static int64_t test_mono(void *arg)
{
    (void)arg;
    return mono;
}

static int64_t test_unix(void *arg) /* another origin than the monotonic one */
{
    (void)arg;
    return mono + 500000000;
}

static void hear(void *arg, const struct leat_external_call *service,
                 const struct leat_breaker_change *change, int64_t now_ms)
{
    cr_expect_eq(arg, &heard);
    cr_expect_neq(service->name.len, 0);
    cr_expect_eq(now_ms, mono);
    heard++;
    heard_until = change->until_ms;
}

static void setup(void)
{
    static struct leat_error err;
    struct leat_report report = {0};
    char dir[] = "/tmp/leat-calls-XXXXXX", path[300];
    leat_register_processor(&def);
    cr_assert_eq(leat_topology_load_text("t.yaml", leat_str_of(topology_text), false, &topology,
                                         &report, &err),
                 LEAT_OK, "%s", err.msg);
    leat_report_done(&report);
    cr_assert_not_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/Go.avsc", dir);
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_geq(fputs(GO_SCHEMA, f), 0);
    cr_assert_eq(fclose(f), 0);
    schemas = leat_schemas_new();
    const char *const dirs[] = {dir};
    cr_assert_eq(leat_schemas_load_file(schemas, dirs, 1, LEAT_STR("Go"), &err), LEAT_OK, "%s",
                 err.msg);
    (void)unlink(path);
    (void)rmdir(dir);
    const struct leat_processor *p = leat_topology_processor(topology, LEAT_STR("p"));
    cr_assert_eq(leat_dispatch_new(topology, p, schemas, &dispatch, &err), LEAT_OK, "%s", err.msg);
    leat_dispatch_set_clock(dispatch, &(struct leat_dispatch_clock){test_mono, test_unix, NULL});
    leat_dispatch_on_circuit(dispatch, hear, &heard);
    arena = leat_arena_new(4096, 0);
    leat_buf_init(&scratch, 4096);
}

static void teardown(void)
{
    leat_dispatch_free(dispatch);
    leat_schemas_free(schemas);
    leat_topology_free(topology);
    leat_arena_free(arena);
    leat_buf_done(&scratch);
}

TestSuite(calls, .init = setup, .fini = teardown);

static struct leat_call run(leat_answer (*what)(struct leat_ctx *ctx), uint8_t id)
{
    struct go message = {LEAT_STR("k")};
    struct leat_call call = {.dispatch = dispatch,
                             .arena = arena,
                             .scratch = &scratch,
                             .id = {{id, 1, 2}},
                             .key = message.id,
                             .type = LEAT_STR("Go")};
    script = what;
    leat_dispatch_call(&call, 0, &message, NULL);
    return call;
}

static leat_answer fails(struct leat_ctx *ctx)
{
    if (!leat_call_begin(ctx, "psp"))
        return leat_retry(ctx, "away");
    leat_call_end(ctx, "psp", false);
    return leat_retry(ctx, "failed");
}

static leat_answer works(struct leat_ctx *ctx)
{
    if (!leat_call_begin(ctx, "psp"))
        return leat_retry(ctx, "away");
    leat_call_end(ctx, "psp", true);
    return LEAT_DONE;
}

static leat_answer forgets(struct leat_ctx *ctx)
{
    (void)leat_call_begin(ctx, "psp");
    return LEAT_DONE;
}

static leat_breaker_state state(void)
{
    struct leat_breaker_figures f;
    leat_dispatch_circuit(dispatch, 0, &f);
    return f.state;
}

/* ---- circuits ---- */

Test(calls, a_retry_is_no_fault_of_the_message_only_once_the_circuit_is_open)
{
    struct leat_call call = run(fails, 1);
    cr_expect_eq(call.answer, LEAT_ANSWER_RETRY);
    cr_expect_not(call.unavailable, "the circuit is closed: it counts");
    call = run(fails, 2);
    cr_expect(call.unavailable, "the one that opened it");
    cr_expect_eq(call.unavailable_until_ms, test_unix(NULL) + 30000);
    mono += 10000;
    call = run(fails, 3);
    cr_expect(call.unavailable, "refused");
    cr_expect_eq(call.unavailable_until_ms, test_unix(NULL) + 20000);
    mono += 20000;
    call = run(fails, 3);
    cr_expect(call.unavailable, "a trial that failed");
    cr_expect_eq(call.unavailable_until_ms, test_unix(NULL) + 30000);
    mono += 30000;
    call = run(works, 3);
    cr_expect_eq(call.answer, LEAT_DONE);
    cr_expect_not(call.unavailable);
    cr_expect_eq(state(), LEAT_BREAKER_CLOSED);
    cr_expect_eq(heard, 5, "open, half-open, open, half-open, closed");
    struct leat_breaker_figures f;
    leat_dispatch_circuit(dispatch, 0, &f);
    cr_expect_eq(f.calls, 4);
    cr_expect_eq(f.failures, 3);
    cr_expect_eq(f.refused, 1);
    cr_expect_eq(f.opened, 2);
}

static leat_answer does_without(struct leat_ctx *ctx)
{
    return leat_call_begin(ctx, "psp") ? leat_retry(ctx, "it was there") : LEAT_DONE;
}

static leat_answer waits_for_something_else(struct leat_ctx *ctx)
{
    (void)leat_call_begin(ctx, "psp"); /* refused: done without */
    if (leat_call_begin(ctx, "crm"))
        leat_call_end(ctx, "crm", true);
    return leat_retry(ctx, "the customer is not known yet");
}

Test(calls, a_handler_may_do_without_and_retry_for_other_reasons)
{
    (void)run(fails, 1);
    (void)run(fails, 2);
    struct leat_call call = run(does_without, 3);
    cr_expect_eq(call.answer, LEAT_DONE);
    cr_expect_not(call.unavailable);
    call = run(waits_for_something_else, 4);
    cr_expect_eq(call.answer, LEAT_ANSWER_RETRY);
    cr_expect_not(call.unavailable, "crm was asked last, and answered");
}

Test(calls, one_without_end_has_failed)
{
    (void)run(forgets, 1);
    cr_expect_eq(state(), LEAT_BREAKER_CLOSED);
    (void)run(forgets, 2);
    cr_expect_eq(state(), LEAT_BREAKER_OPEN);
    cr_expect_eq(heard_until, mono + 30000);
}

static leat_answer begins_twice(struct leat_ctx *ctx)
{
    (void)leat_call_begin(ctx, "psp");
    (void)leat_call_begin(ctx, "psp");
    leat_call_end(ctx, "psp", true);
    return LEAT_DONE;
}

static leat_answer ends_only(struct leat_ctx *ctx)
{
    leat_call_end(ctx, "psp", true);
    return LEAT_DONE;
}

Test(calls, begin_and_end_come_in_pairs)
{
    struct leat_breaker_figures f;
    cr_expect_eq(run(begins_twice, 1).answer, LEAT_DONE);
    leat_dispatch_circuit(dispatch, 0, &f);
    cr_expect_eq(f.calls, 2);
    cr_expect_eq(f.failures, 1);
    struct leat_call call = run(ends_only, 2);
    cr_expect_eq(call.answer, LEAT_ANSWER_POISON);
    cr_expect(leat_str_eq(call.code, LEAT_STR("call-not-begun")));
}

static leat_answer asks_an_unknown_one(struct leat_ctx *ctx)
{
    cr_expect_str_eq(leat_call_url(ctx, "pps"), "");
    return leat_retry(ctx, "no address");
}

Test(calls, an_unknown_service_is_poison)
{
    struct leat_call call = run(asks_an_unknown_one, 1);
    cr_expect_eq(call.answer, LEAT_ANSWER_POISON);
    cr_expect_not_null(strstr(call.text.at, "'pps'"));
}

Test(calls, a_test_opens_a_circuit)
{
    cr_expect_not(leat_dispatch_open_circuit(dispatch, LEAT_STR("pps")));
    cr_expect(leat_dispatch_open_circuit(dispatch, LEAT_STR("psp")));
    struct leat_call call = run(works, 1);
    cr_expect_eq(call.answer, LEAT_ANSWER_RETRY);
    cr_expect(call.unavailable);
    mono += 3600000;
    cr_expect_eq(run(works, 1).answer, LEAT_ANSWER_RETRY, "for good");
}

/* ---- time and ids ---- */

static leat_answer looks_at_the_time(struct leat_ctx *ctx)
{
    cr_expect_str_eq(leat_call_url(ctx, "psp"), "http://psp");
    cr_expect_eq(leat_deadline_ms(ctx), 10000);
    cr_expect_eq(leat_call_timeout_ms(ctx, "psp"), 2000);
    cr_expect_eq(leat_call_timeout_ms(ctx, "crm"), 10000);
    mono += 9000;
    cr_expect_eq(leat_deadline_ms(ctx), 1000);
    cr_expect_eq(leat_call_timeout_ms(ctx, "psp"), 1000);
    mono += 9000;
    cr_expect_eq(leat_deadline_ms(ctx), 0);
    cr_expect_eq(leat_call_timeout_ms(ctx, "psp"), 1);
    return LEAT_DONE;
}

Test(calls, one_takes_no_longer_than_the_handler_may)
{
    cr_expect_eq(run(looks_at_the_time, 1).answer, LEAT_DONE);
    cr_expect_eq(run(looks_at_the_time, 1).answer, LEAT_DONE, "each call has its own deadline");
}

static char ids[4][40];

static leat_answer takes_ids(struct leat_ctx *ctx)
{
    for (uint32_t i = 0; i < 4; i++) {
        struct leat_str id = leat_call_id(ctx, i < 2 ? "psp" : "crm", i % 2);
        cr_assert_eq(id.len, 36);
        (void)snprintf(ids[i], sizeof ids[i], "%s", id.at);
    }
    return LEAT_DONE;
}

Test(calls, ids_are_the_same_at_each_try_and_different_otherwise)
{
    char first[4][40];
    (void)run(takes_ids, 1);
    memcpy(first, ids, sizeof ids);
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < i; j++)
            cr_expect_str_neq(ids[i], ids[j]);
    (void)run(takes_ids, 1);
    cr_expect_arr_eq(first, ids, sizeof ids);
    (void)run(takes_ids, 2);
    for (int i = 0; i < 4; i++)
        cr_expect_str_neq(first[i], ids[i]);
}

/* ---- effects that are claimed ---- */

static struct kept { /* one effect, as the store would keep it */
    leat_claim next; /* what the next claim is told */
    struct leat_effect last;
    char result[40];
    int claims, settled, undone;
} kept;

static leat_claim keep_claim(void *arg, const struct leat_effect *e, struct leat_arena *in,
                             struct leat_str *ret_result)
{
    (void)in;
    cr_expect_eq(arg, &kept);
    kept.last = *e;
    kept.claims++;
    *ret_result = leat_str_of(kept.result);
    return kept.next;
}

static void keep_settle(void *arg, const struct leat_effect *e, const struct leat_str *result)
{
    cr_expect_eq(arg, &kept);
    cr_expect(leat_uuid_eq(&e->id, &kept.last.id));
    if (result == NULL) {
        kept.undone++;
        return;
    }
    kept.settled++;
    (void)snprintf(kept.result, sizeof kept.result, "%.*s", LEAT_STR_FMT(*result));
}

static void keep(leat_claim next)
{
    kept = (struct kept){.next = next};
    leat_dispatch_keep_effects(dispatch,
                               &(struct leat_effect_keeper){keep_claim, keep_settle, &kept});
}

static const char *service = "smtp";
static char got[40];
static bool smtp_works = true, smtp_refused;

static leat_answer mails(struct leat_ctx *ctx)
{
    struct leat_str id = {0};
    switch (leat_effect_claim(ctx, service, 3, &id)) {
    case LEAT_CLAIM_AWAY:
        return leat_retry(ctx, "not now");
    case LEAT_CLAIM_UNKNOWN:
        return LEAT_DONE;
    case LEAT_CLAIM_MINE:
        if (!leat_call_begin(ctx, service))
            return leat_retry(ctx, "it is away");
        leat_call_end(ctx, service, smtp_works);
        if (smtp_refused)
            leat_effect_undone(ctx, service, 3);
        if (!smtp_works)
            return leat_retry(ctx, "it does not answer");
        id = LEAT_STR("250 ok");
        leat_effect_done(ctx, service, 3, id);
        break;
    case LEAT_CLAIM_DONE:
        break;
    }
    (void)snprintf(got, sizeof got, "%.*s", LEAT_STR_FMT(id));
    return LEAT_DONE;
}

Test(calls, an_effect_is_made_once_and_its_result_comes_back)
{
    keep(LEAT_CLAIM_MINE);
    cr_expect_eq(run(mails, 1).answer, LEAT_DONE);
    cr_expect_eq(kept.settled, 1);
    cr_expect_eq(kept.undone, 0);
    cr_expect_eq(kept.last.n, 3);
    cr_expect_eq(kept.last.on_unknown, LEAT_ON_UNKNOWN_HOLD);
    cr_expect(leat_str_eq(kept.last.service, LEAT_STR("smtp")));
    kept.next = LEAT_CLAIM_DONE;
    got[0] = '\0';
    cr_expect_eq(run(mails, 1).answer, LEAT_DONE);
    cr_expect_str_eq(got, "250 ok");
    cr_expect_eq(kept.settled, 1, "not made again");
}

Test(calls, an_unknown_outcome_is_held_given_up_or_repeated)
{
    keep(LEAT_CLAIM_UNKNOWN);
    struct leat_call call = run(mails, 1);
    cr_expect_eq(call.answer, LEAT_ANSWER_POISON, "hold: whatever the handler answers");
    cr_expect(leat_str_eq(call.code, LEAT_STR("effect-unknown")));
    service = "fax";
    cr_expect_eq(run(mails, 1).answer, LEAT_DONE, "give_up: the handler goes on");
    service = "sms";
    (void)run(mails, 1);
    cr_expect_eq(kept.last.on_unknown, LEAT_ON_UNKNOWN_REPEAT, "the keeper is told");
}

Test(calls, a_claim_whose_call_was_refused_is_taken_back)
{
    keep(LEAT_CLAIM_MINE);
    cr_expect(leat_dispatch_open_circuit(dispatch, LEAT_STR("smtp")));
    struct leat_call call = run(mails, 1);
    cr_expect_eq(call.answer, LEAT_ANSWER_RETRY);
    cr_expect(call.unavailable);
    cr_expect_eq(kept.undone, 1);
}

Test(calls, a_claim_whose_call_was_made_stays_unless_the_handler_knows_better)
{
    keep(LEAT_CLAIM_MINE);
    smtp_works = false;
    (void)run(mails, 1);
    cr_expect_eq(kept.undone + kept.settled, 0);
    mono += 10000;
    smtp_refused = true;
    (void)run(mails, 1);
    cr_expect_eq(kept.undone, 1);
}

Test(calls, a_store_that_is_away_is_no_fault_of_the_message)
{
    keep(LEAT_CLAIM_AWAY);
    struct leat_call call = run(mails, 1);
    cr_expect_eq(call.answer, LEAT_ANSWER_RETRY);
    cr_expect(call.unavailable);
    cr_expect_gt(call.unavailable_until_ms, test_unix(NULL));
}

static leat_answer claims_of_psp(struct leat_ctx *ctx)
{
    cr_expect_eq(leat_effect_claim(ctx, "psp", 0, NULL), LEAT_CLAIM_AWAY);
    cr_expect_eq(leat_effect_claim(ctx, "smtp", 0, NULL), LEAT_CLAIM_AWAY);
    cr_expect_not(leat_call_begin(ctx, "crm"), "nothing is called for what is dead");
    return LEAT_DONE;
}

static leat_answer ends_what_it_did_not_claim(struct leat_ctx *ctx)
{
    leat_effect_done(ctx, "smtp", 0, LEAT_STR(""));
    return LEAT_DONE;
}

Test(calls, effects_are_declared_and_claimed_first)
{
    keep(LEAT_CLAIM_MINE);
    struct leat_call call = run(claims_of_psp, 1);
    cr_expect_eq(call.answer, LEAT_ANSWER_POISON);
    cr_expect_not_null(strstr(call.text.at, "effects: claim"));
    cr_expect_eq(kept.claims, 0);
    call = run(ends_what_it_did_not_claim, 1);
    cr_expect(leat_str_eq(call.code, LEAT_STR("not-claimed")));
}
