/* uses: base topology codec kafka store guard worker */
/* One message in memory: what comes of it, in what order, and what a single fault leaves behind. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "worker/trial.h"
#include "worker/trial_watch.h"

/* ---- a processor: adds what it is told to, sends a note of it ---- */

struct add {
    struct leat_str id, how;
    int64_t value;
};
struct added {
    struct leat_str id;
    int64_t value;
};
struct sum_state {
    int64_t sum, times;
};

#define TEXT(type, field)                                                                          \
    {                                                                                              \
        .name = #field, .kind = LEAT_KIND_STRING, .offset = offsetof(struct type, field),          \
        .has_offset = -1                                                                           \
    }
#define LONG(type, field)                                                                          \
    {                                                                                              \
        .name = #field, .kind = LEAT_KIND_LONG, .offset = offsetof(struct type, field),            \
        .has_offset = -1                                                                           \
    }
#define SCHEMA(name, fields) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[" fields "]}"
#define F_TEXT(name)         "{\"name\":\"" name "\",\"type\":\"string\"}"
#define F_LONG(name)         "{\"name\":\"" name "\",\"type\":\"long\"}"

#define ADD_SCHEMA   SCHEMA("Add", F_TEXT("id") "," F_TEXT("how") "," F_LONG("value"))
#define ADDED_SCHEMA SCHEMA("Added", F_TEXT("id") "," F_LONG("value"))
#define NOTE_SCHEMA  SCHEMA("Note", F_TEXT("id") "," F_LONG("value"))
#define STATE_SCHEMA SCHEMA("SumState", F_LONG("sum") "," F_LONG("times"))

static const struct leat_field add_fields[] = {TEXT(add, id), TEXT(add, how), LONG(add, value)};
static const struct leat_field added_fields[] = {TEXT(added, id), LONG(added, value)};
static const struct leat_field state_fields[] = {LONG(sum_state, sum), LONG(sum_state, times)};
#define TYPE(tag, name_, fields_, schema_, key_)                                                   \
    {                                                                                              \
        .name = (name_), .size = sizeof(struct tag), .fields = (fields_),                          \
        .field_count = sizeof(fields_) / sizeof(fields_)[0], .schema = (schema_), .key = (key_)    \
    }
static const struct leat_type add_type = TYPE(add, "Add", add_fields, ADD_SCHEMA, "id");
static const struct leat_type added_type = TYPE(added, "Added", added_fields, ADDED_SCHEMA, "id");
static const struct leat_type note_type = TYPE(added, "Note", added_fields, NOTE_SCHEMA, "id");
static const struct leat_type state_type =
    TYPE(sum_state, "SumState", state_fields, STATE_SCHEMA, NULL);

static void fold_added(void *state, const void *event)
{
    struct sum_state *s = state;
    s->sum += ((const struct added *)event)->value;
    s->times++;
}

static leat_answer on_add(struct leat_ctx *ctx, const void *message, const void *state)
{
    const struct add *c = message;
    const struct sum_state *s = state;
    struct added e = {.id = c->id, .value = c->value};
    if (leat_str_eq(c->how, LEAT_STR("reject")))
        return leat_reject(ctx, "no", "sum is %lld", (long long)s->sum);
    if (leat_str_eq(c->how, LEAT_STR("retry")))
        return leat_retry(ctx, "later");
    leat_emit(ctx, &added_type, &e);
    leat_send_priority(ctx, "hot");
    leat_send(ctx, &note_type,
              &(struct added){.id = leat_text(ctx, "of-%lld", (long long)s->sum),
                              .value = s->sum + c->value});
    leat_emit(ctx, &added_type, &e);
    if (leat_str_eq(c->how, LEAT_STR("clock")))
        return time(NULL) == 0 ? LEAT_ANSWER_RETRY : LEAT_DONE;
    return leat_str_eq(c->how, LEAT_STR("poison")) ? leat_poison(ctx, "bad") : LEAT_DONE;
}

static leat_answer on_note(struct leat_ctx *ctx, const void *message)
{
    (void)ctx;
    (void)message;
    return LEAT_DONE;
}

static const struct leat_on sums_on[] = {
    {.message = &add_type, .state = &state_type, {.call = on_add}}};
static const struct leat_on notes_on[] = {
    {.message = &note_type, .state = NULL, {.react = on_note}}};
static const struct leat_fold sum_fold[] = {{&added_type, &state_type, fold_added}};
static struct leat_processor_def sums_def = {
    .name = "sums", .version = 1, .on = sums_on, .on_count = 1};
static struct leat_processor_def notes_def = {
    .name = "notes", .version = 1, .on = notes_on, .on_count = 1};
static struct leat_aggregate_def sum_def = {
    .name = "sum", .version = 1, .fold = sum_fold, .fold_count = 1};

static const char topology_text[] =
    "leat: 1\nname: t\npartitions: 4\nkafka: {bootstrap.servers: x}\n"
    "store: {url: 'postgresql:///t'}\n"
    "priorities:\n  hot: {weight: 70}\n  cold: {weight: 30, default: true}\n"
    "aggregates: {sum: {key: id, state: SumState}}\n"
    "processors:\n"
    "  sums: {aggregate: sum, commands: [Add], emits: [Added], sends: [Note]}\n"
    "  notes: {commands: [Note]}\n";

static struct leat_error err;
static struct leat_topology *topology;
static struct leat_schemas *schemas;
static struct leat_arena *arena;
static struct leat_buf buf;

static void write_schema(const char *dir, const char *type, const char *text)
{
    char path[300];
    (void)snprintf(path, sizeof path, "%s/%s.avsc", dir, type);
    FILE *f = fopen(path, "wb");
    cr_assert_not_null(f);
    cr_assert_geq(fputs(text, f), 0);
    cr_assert_eq(fclose(f), 0);
    const char *const dirs[] = {dir};
    cr_assert_eq(leat_schemas_load_file(schemas, dirs, 1, leat_str_of(type), &err), LEAT_OK, "%s",
                 err.msg);
    cr_assert_eq(unlink(path), 0);
}

static void setup(void)
{
    char dir[] = "/tmp/leat-trial-XXXXXX";
    struct leat_report report = {0};
    leat_register_processor(&sums_def);
    leat_register_processor(&notes_def);
    leat_register_aggregate(&sum_def);
    cr_assert_eq(leat_topology_load_text("t.yaml", leat_str_of(topology_text), false, &topology,
                                         &report, &err),
                 LEAT_OK, "%s", report.n > 0 ? report.findings[0].message : err.msg);
    leat_report_done(&report);
    schemas = leat_schemas_new();
    cr_assert_not_null(mkdtemp(dir));
    write_schema(dir, "Add", ADD_SCHEMA);
    write_schema(dir, "Added", ADDED_SCHEMA);
    write_schema(dir, "Note", NOTE_SCHEMA);
    write_schema(dir, "SumState", STATE_SCHEMA);
    cr_assert_eq(rmdir(dir), 0);
    cr_assert_eq(leat_trial_schema_ids(schemas, &err), LEAT_OK, "%s", err.msg);
    arena = leat_arena_new(4096, 0);
    leat_buf_init(&buf, 65536);
}

static void teardown(void)
{
    leat_buf_done(&buf);
    leat_arena_free(arena);
    leat_schemas_free(schemas);
    leat_topology_free(topology);
}

static struct leat_str bytes_of(const struct leat_type *type, const void *value)
{
    leat_buf_clear(&buf);
    leat_framing_put(&buf, leat_schemas_id(schemas, leat_str_of(type->name)));
    cr_assert_eq(leat_encode_avro(type, value, &buf, &err), LEAT_OK, "%s", err.msg);
    return leat_arena_copy(arena, leat_buf_str(&buf));
}

static struct leat_trial *trial(void)
{
    struct leat_trial *t = NULL;
    struct leat_trial_config c = {.topology = topology,
                                  .processor = leat_topology_processor(topology, LEAT_STR("sums")),
                                  .schemas = schemas};
    cr_assert_eq(leat_trial_new(&c, &t, &err), LEAT_OK, "%s", err.msg);
    struct added e = {.id = LEAT_STR("a"), .value = 40};
    cr_assert_eq(
        leat_trial_given(t, LEAT_STR("a"), LEAT_STR("Added"), bytes_of(&added_type, &e), &err),
        LEAT_OK, "%s", err.msg);
    return t;
}

static struct leat_trial_outcome add(struct leat_trial *t, const char *how, struct leat_fault *f)
{
    struct leat_trial_outcome o;
    struct add c = {.id = LEAT_STR("a"), .how = leat_str_of(how), .value = 2};
    struct leat_trial_message m = {.type = LEAT_STR("Add"),
                                   .bytes = bytes_of(&add_type, &c),
                                   .id = {{7}},
                                   .received_at_ms = 9};
    cr_assert_eq(leat_trial_run(t, &m, f, &o, &err), LEAT_OK, "%s", err.msg);
    return o;
}

static const char *state(struct leat_trial *t)
{
    static struct leat_buf json;
    leat_buf_done(&json);
    leat_buf_init(&json, 4096);
    cr_assert_eq(leat_trial_state(t, LEAT_STR("a"), &json, &err), LEAT_OK, "%s", err.msg);
    leat_buf_putc(&json, '\0');
    return json.at;
}

TestSuite(worker_trial, .init = setup, .fini = teardown);

Test(worker_trial, what_is_made_keeps_its_order_and_moves_the_stream)
{
    struct leat_trial *t = trial();
    struct leat_trial_outcome o = add(t, "well", NULL);
    cr_assert_eq(o.answer, LEAT_DONE);
    cr_assert_eq(o.made_count, 3);
    cr_assert(!o.made[0].is_command && o.made[1].is_command && !o.made[2].is_command);
    cr_assert(leat_str_eq(o.made[1].key, LEAT_STR("of-40")));
    cr_assert(leat_str_eq(o.made[1].priority, LEAT_STR("hot")));
    cr_assert_str_eq(o.made[1].topic, "t.notes.hot");
    cr_assert(!leat_uuid_eq(&o.made[0].id, &o.made[2].id));
    cr_assert_eq(o.version_before, 1);
    cr_assert_eq(o.version_after, 3);
    cr_assert_str_eq(state(t), "{\"sum\":44,\"times\":3}");
    leat_trial_free(t);
}

Test(worker_trial, only_done_changes_the_stream)
{
    struct leat_trial *t = trial();
    struct leat_trial_outcome o = add(t, "reject", NULL);
    cr_assert_eq(o.answer, LEAT_ANSWER_REJECTED);
    cr_assert(leat_str_eq(o.code, LEAT_STR("no")));
    cr_assert(leat_str_eq(o.text, LEAT_STR("sum is 40")));
    cr_assert_eq(add(t, "retry", NULL).answer, LEAT_ANSWER_RETRY);
    o = add(t, "poison", NULL); /* after three emits and sends */
    cr_assert_eq(o.answer, LEAT_ANSWER_POISON);
    cr_assert_eq(o.made_count, 0);
    cr_assert_eq(o.version_after, 1);
    cr_assert_str_eq(state(t), "{\"sum\":40,\"times\":1}");
    leat_trial_free(t);
}

Test(worker_trial, any_single_fault_is_answered_retry_and_keeps_nothing)
{
    struct leat_trial *t = trial();
    struct leat_fault none = {0};
    struct leat_trial_outcome base = add(t, "well", &none);
    leat_trial_free(t);
    cr_assert_eq(none.seen, 7, "leat_text, and two for each emit and send: %u", none.seen);
    for (uint32_t nth = 1; nth <= none.seen; nth++) {
        struct leat_fault f = {.nth = nth};
        t = trial();
        struct leat_trial_outcome o = add(t, "well", &f);
        cr_assert_not_null(f.fired, "fault %u", nth);
        cr_assert_eq(o.answer, LEAT_ANSWER_RETRY, "fault %u at %s", nth, f.fired);
        cr_assert_eq(o.made_count, 0);
        cr_assert_eq(o.version_after, 1);
        cr_assert_str_eq(state(t), "{\"sum\":40,\"times\":1}");
        o = add(t, "well", NULL);
        cr_assert_eq(o.answer, LEAT_DONE);
        cr_assert_eq(o.made_count, base.made_count);
        cr_assert_str_eq(state(t), "{\"sum\":44,\"times\":3}");
        leat_trial_free(t);
    }
}

Test(worker_trial, a_fault_overrules_what_the_handler_says_of_the_message)
{
    struct leat_fault f = {.nth = 1}; /* the first event cannot be encoded for want of memory */
    struct leat_trial *t = trial();
    struct leat_trial_outcome o = add(t, "poison", &f);
    cr_assert_str_eq(f.fired, "Added");
    cr_assert_eq(o.answer, LEAT_ANSWER_RETRY);
    cr_assert(!o.broken_off);
    leat_trial_free(t);
}

Test(worker_trial, a_snapshot_stands_for_the_events_before_it)
{
    struct leat_trial *t = trial();
    struct sum_state s = {.sum = 1000, .times = 500};
    leat_buf_clear(&buf);
    cr_assert_eq(leat_encode_avro(&state_type, &s, &buf, &err), LEAT_OK);
    cr_assert_eq(leat_trial_snapshot(t, LEAT_STR("a"), 500, leat_buf_str(&buf), &err),
                 LEAT_INVALID); /* there are events already */
    leat_trial_free(t);
    struct leat_trial_config c = {.topology = topology,
                                  .processor = leat_topology_processor(topology, LEAT_STR("sums")),
                                  .schemas = schemas};
    cr_assert_eq(leat_trial_new(&c, &t, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_trial_snapshot(t, LEAT_STR("a"), 500, leat_buf_str(&buf), &err), LEAT_OK,
                 "%s", err.msg);
    struct leat_trial_outcome o = add(t, "well", NULL);
    cr_assert_eq(o.version_before, 500);
    cr_assert_eq(o.version_after, 502);
    cr_assert_str_eq(state(t), "{\"sum\":1004,\"times\":502}");
    leat_trial_free(t);
}

Test(worker_trial, the_program_itself_is_not_watched)
{
    struct leat_trial *t = trial();
    leat_trial_watch(t);
    cr_assert_eq(add(t, "clock", NULL).answer, LEAT_DONE);
    cr_assert_null(leat_watch_take().called);
    leat_trial_free(t);
}

Test(worker_trial, what_cannot_be_tried_is_an_error)
{
    struct leat_trial *t = trial();
    struct leat_trial_outcome o;
    struct leat_trial_message m = {.type = LEAT_STR("Sub"), .bytes = LEAT_STR("{}")};
    cr_assert_eq(leat_trial_run(t, &m, NULL, &o, &err), LEAT_INVALID);
    cr_assert_str_eq(err.msg, "processor 'sums' has no handler for 'Sub'");
    struct add c = {.id = LEAT_STR("a")};
    m = (struct leat_trial_message){.type = LEAT_STR("Add"), .bytes = bytes_of(&add_type, &c)};
    m.priority = LEAT_STR("hott");
    cr_assert_eq(leat_trial_run(t, &m, NULL, &o, &err), LEAT_INVALID);
    cr_assert_str_eq(err.msg, "processor 'sums' has no priority 'hott'");
    m.bytes.len -= 1;
    cr_assert_eq(leat_trial_run(t, &m, NULL, &o, &err), LEAT_POISON);
    leat_trial_free(t);
}
