#include "cli/test_case.h"

#include <stdio.h>

#include "base/uuid.h"
#include "worker/trial_watch.h"

#define ARENA_BLOCK (64u * 1024)

struct came {                 /* everything that came of one run of the case */
    struct leat_trial *trial; /* owns what is in it */
    struct leat_trial_outcome *outcomes;
    uint32_t n;
};

struct walk {
    const struct leat_test_run *run;
    struct leat_test_checking k;
    struct leat_fault fault;
    const char *fallible[LEAT_TEST_FAULTS_MAX]; /* calls of the first run, in order */
    int64_t faults;
};

static void sentence(struct walk *w, const struct leat_place *place, const char *fmt, ...)
    LEAT_PRINTF(3, 4);

static void sentence(struct walk *w, const struct leat_place *place, const char *fmt, ...)
{
    char text[600];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    leat_test_problem_put(&w->k, place, leat_str_of(text), (struct leat_str){0},
                          (struct leat_str){0});
}

static void note(const struct walk *w, const char *when, struct leat_str type)
{
    (void)snprintf(w->run->note, LEAT_TEST_NOTE_BYTES, "handler of %.*s in processor '%s'%s",
                   LEAT_STR_FMT(type), w->run->c->processor->name.at, when);
}

/* ---- one run ---- */

/* The same on every run, another for every message. */
static struct leat_uuid message_id(const struct leat_test_case *c, uint32_t i)
{
    static const struct leat_uuid space = {{0x6c, 0x65, 0x61, 0x74, 0x2d, 0x74, 0x5e, 0x73, 0x8a,
                                            0x2d, 0x69, 0x64, 0x2e, 0x76, 0x31, 0x2e}};
    struct leat_uuid of_case = leat_uuid_v5(&space, c->it.at, c->it.len);
    return leat_uuid_child(&of_case, c->processor->name, 'c', i);
}

static bool fault_fired(const struct leat_fault *fault)
{
    return fault != NULL && fault->fired != NULL;
}

static void check_calls(struct walk *w, const struct leat_place *place, const char *of,
                        struct leat_str type)
{
    struct leat_watch_finding f = leat_watch_take();
    if (f.called != NULL)
        sentence(w, place, "the %s of %.*s calls %s(), which is not the same each time: %s", of,
                 LEAT_STR_FMT(type), f.called, f.instead);
}

static leat_status give(struct walk *w, struct leat_trial *t, struct leat_error *err)
{
    const struct leat_test_case *c = w->run->c;
    for (uint32_t i = 0; i < c->n_given; i++) {
        (void)snprintf(w->run->note, LEAT_TEST_NOTE_BYTES, "fold of %.*s in aggregate '%s'",
                       LEAT_STR_FMT(c->given[i].type), c->processor->aggregate->name.at);
        LEAT_TRY(leat_trial_given(t, c->given[i].key, c->given[i].type, c->given[i].bytes, err),
                 err, "given[%u]", i);
        check_calls(w, &c->given[i].place, "fold", c->given[i].type);
    }
    return LEAT_OK;
}

static bool same_outcome(const struct leat_trial_outcome *a, const struct leat_trial_outcome *b,
                         const char **ret_what);

/* What the runtime makes of a call in which something failed has to be: again, from the start. */
static void check_faulty(struct walk *w, const struct leat_test_message *m,
                         const struct leat_trial_outcome *o, const struct leat_trial_outcome *base)
{
    static const char *const words[] = {"done", "rejected", "retry", "poison"};
    const char *what = "";
    if (o->answer == LEAT_ANSWER_RETRY && o->made_count == 0)
        return;
    if (same_outcome(o, base, &what)) /* the handler did without */
        return;
    sentence(
        w, &m->place,
        "with fault %u (%s fails) the handler of %.*s answers %s: %.*s; it has to answer retry",
        w->fault.nth, w->fault.fired, LEAT_STR_FMT(m->type), words[o->answer],
        LEAT_STR_FMT(o->answer == LEAT_DONE ? LEAT_STR("effects are missing") : o->text));
}

/* Runs the case; after a fault the message is run again, as a worker would. `base` NULL: none to
 * compare with. */
static leat_status run_messages(struct walk *w, struct came *to, struct leat_fault *fault,
                                const struct came *base, struct leat_error *err)
{
    const struct leat_test_case *c = w->run->c;
    bool told = false;
    for (uint32_t i = 0; i < c->n_when; i++) {
        const struct leat_test_message *m = &c->when[i];
        struct leat_trial_message in = {.type = m->type,
                                        .bytes = m->bytes,
                                        .key = m->key,
                                        .priority = m->priority,
                                        .id = message_id(c, i),
                                        .received_at_ms = m->at_ms};
        char when[96] = "";
        if (fault != NULL && fault->nth > 0)
            (void)snprintf(when, sizeof when, ", with fault %u (%s fails)", fault->nth,
                           w->fallible[fault->nth - 1]);
        note(w, when, m->type);
        LEAT_TRY(leat_trial_run(to->trial, &in, fault, &to->outcomes[i], err), err, "when[%u]", i);
        check_calls(w, &m->place, "handler", m->type);
        if (!fault_fired(fault) || told)
            continue;
        told = true;
        check_faulty(w, m, &to->outcomes[i], &base->outcomes[i]);
        if (to->outcomes[i].answer == LEAT_DONE)
            continue;
        note(w, ", again after a fault", m->type);
        LEAT_TRY(leat_trial_run(to->trial, &in, NULL, &to->outcomes[i], err), err,
                 "when[%u], again", i);
    }
    return LEAT_OK;
}

static leat_status run_once(struct walk *w, struct came *to, struct leat_fault *fault,
                            const struct came *base, struct leat_error *err)
{
    const struct leat_test_case *c = w->run->c;
    struct leat_trial_config config = {.topology = w->run->topology,
                                       .processor = c->processor,
                                       .schemas = w->run->schemas,
                                       .options = &c->options,
                                       .open = &c->open,
                                       .unknown = &c->unknown};
    *to = (struct came){.n = c->n_when};
    to->outcomes = leat_arena_zalloc(w->k.arena, (size_t)c->n_when + 1, sizeof *to->outcomes);
    (void)snprintf(w->run->note, LEAT_TEST_NOTE_BYTES, "open of processor '%s'",
                   c->processor->name.at);
    leat_status status = leat_trial_new(&config, &to->trial, err);
    if (status != LEAT_OK)
        return status;
    leat_trial_watch(to->trial);
    LEAT_TRY(give(w, to->trial, err), err, "history");
    return run_messages(w, to, fault, base, err);
}

/* ---- runs against each other ---- */

static bool same_made(const struct leat_trial_made *a, const struct leat_trial_made *b,
                      const char **ret_what)
{
    *ret_what = !leat_str_eq(a->type, b->type)           ? "type"
                : !leat_str_eq(a->payload, b->payload)   ? "bytes"
                : !leat_str_eq(a->key, b->key)           ? "key"
                : !leat_str_eq(a->priority, b->priority) ? "priority"
                : !leat_str_eq(a->headers, b->headers)   ? "headers"
                : !leat_uuid_eq(&a->id, &b->id)          ? "id"
                                                         : NULL;
    return *ret_what == NULL;
}

static bool same_outcome(const struct leat_trial_outcome *a, const struct leat_trial_outcome *b,
                         const char **ret_what)
{
    *ret_what = a->answer != b->answer                 ? "answer"
                : !leat_str_eq(a->code, b->code)       ? "code"
                : !leat_str_eq(a->text, b->text)       ? "text"
                : a->made_count != b->made_count       ? "number of events and commands"
                : a->version_after != b->version_after ? "version"
                                                       : NULL;
    for (size_t i = 0; *ret_what == NULL && i < a->made_count; i++)
        (void)same_made(&a->made[i], &b->made[i], ret_what);
    return *ret_what == NULL;
}

/* True when they are the same; else says what differs. */
static bool same_runs(struct walk *w, const struct came *a, const struct came *b, const char *how)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const char *what = NULL;
        if (same_outcome(&a->outcomes[i], &b->outcomes[i], &what))
            continue;
        const struct leat_test_message *m = &w->run->c->when[i];
        sentence(w, &m->place, "%s, what comes of %.*s differs in its %s", how,
                 LEAT_STR_FMT(m->type), what);
        return false;
    }
    return true;
}

/* ---- the three passes ---- */

static void flatten(struct walk *w, const struct came *from, struct leat_test_came **ret,
                    size_t *ret_n)
{
    size_t n = 0, cap = 0;
    struct leat_test_came *all = NULL;
    for (uint32_t i = 0; i < from->n; i++) {
        const struct leat_trial_outcome *o = &from->outcomes[i];
        size_t more = o->answer == LEAT_DONE ? o->made_count : 1;
        all = leat_arena_grow(w->k.arena, all, sizeof *all, &cap, n + more + 1);
        for (size_t j = 0; j < more; j++, n++) {
            all[n] = (struct leat_test_came){.code = o->code, .text = o->text};
            if (o->answer == LEAT_DONE)
                all[n].made = &o->made[j];
            all[n].kind = o->answer == LEAT_DONE              ? LEAT_TEST_MADE
                          : o->answer == LEAT_ANSWER_REJECTED ? LEAT_TEST_REJECTED
                          : o->answer == LEAT_ANSWER_RETRY    ? LEAT_TEST_RETRY
                                                              : LEAT_TEST_POISON;
        }
    }
    *ret = all;
    *ret_n = n;
}

static void walk_faults(struct walk *w, const struct came *base, uint32_t fallible)
{
    struct leat_error err = {0};
    uint32_t before = w->k.problems;
    for (uint32_t nth = 1; nth <= fallible && w->k.problems == before; nth++) {
        struct came with = {0};
        memset(&w->fault, 0, sizeof w->fault);
        w->fault.nth = nth;
        if (run_once(w, &with, &w->fault, base, &err) != LEAT_OK)
            sentence(w, NULL, "with fault %u (%s fails): %s", nth,
                     w->fault.fired == NULL ? "?" : w->fault.fired, err.msg);
        else if (w->fault.fired == NULL)
            sentence(w, NULL, "fault %u of %u did not come again: the handler is not deterministic",
                     nth, fallible);
        else if (w->k.problems == before) {
            char text[160];
            (void)snprintf(text, sizeof text, "run again after fault %u (%s failed)", nth,
                           w->fault.fired);
            (void)same_runs(w, base, &with, text);
        }
        w->faults++;
        leat_trial_free(with.trial);
    }
}

static void all_passes(struct walk *w, struct came *base)
{
    struct leat_error err = {0};
    struct came second = {0};
    memset(&w->fault, 0, sizeof w->fault);
    w->fault.names = w->fallible;
    w->fault.names_room = LEAT_TEST_FAULTS_MAX;
    if (run_once(w, base, &w->fault, NULL, &err) != LEAT_OK) {
        sentence(w, NULL, "%s", err.msg);
        return;
    }
    uint32_t fallible = w->fault.seen;
    struct leat_test_came *came = NULL;
    size_t n = 0;
    flatten(w, base, &came, &n);
    bool steady = w->k.problems == 0; /* else it is known not to be deterministic */
    leat_test_compare(&w->k, came, n);
    if (!steady)
        return;
    if (run_once(w, &second, NULL, NULL, &err) != LEAT_OK)
        sentence(w, NULL, "run a second time: %s", err.msg);
    else if (same_runs(w, base, &second, "not deterministic: run a second time") && w->run->faults)
        walk_faults(w, base, fallible < LEAT_TEST_FAULTS_MAX ? fallible : LEAT_TEST_FAULTS_MAX);
    leat_trial_free(second.trial);
}

static void put_got(struct walk *w, const struct came *base)
{
    struct leat_test_came *came = NULL;
    size_t n = 0;
    leat_json_key(w->k.w, LEAT_STR("got"));
    leat_json_begin_array(w->k.w);
    flatten(w, base, &came, &n);
    for (size_t i = 0; i < n; i++)
        leat_json_str(w->k.w, leat_test_came_text(&w->k, &came[i]));
    leat_json_end_array(w->k.w);
}

void leat_test_run_case(const struct leat_test_run *run, struct leat_json_writer *w)
{
    struct walk walk = {
        .run = run,
        .k = {
            .c = run->c, .schemas = run->schemas, .arena = leat_arena_new(ARENA_BLOCK, 0), .w = w}};
    struct came base = {0};
    leat_json_begin_object(w);
    leat_json_key(w, LEAT_STR("problems"));
    leat_json_begin_array(w);
    all_passes(&walk, &base);
    leat_json_end_array(w);
    put_got(&walk, &base);
    leat_json_put_int(w, "faults", walk.faults);
    leat_json_end_object(w);
    leat_trial_free(base.trial);
    leat_arena_free(walk.k.arena);
}

/* ---- reading it back ---- */

static leat_status read_problem(struct leat_str raw, struct leat_arena *arena,
                                struct leat_test_problem *ret, struct leat_error *err)
{
    struct leat_json_token t;
    *ret = (struct leat_test_problem){0};
    LEAT_TRY(leat_json_find(raw, LEAT_STR("line"), &t, NULL, err), err, "line");
    ret->line = (uint32_t)t.integer;
    LEAT_TRY(leat_json_find(raw, LEAT_STR("column"), &t, NULL, err), err, "column");
    ret->column = (uint32_t)t.integer;
    LEAT_TRY(leat_json_find(raw, LEAT_STR("what"), &t, NULL, err), err, "what");
    ret->what = leat_json_unescape(&t, arena);
    if (leat_json_find(raw, LEAT_STR("expected"), &t, NULL, NULL) == LEAT_OK)
        ret->expected = leat_json_unescape(&t, arena);
    if (leat_json_find(raw, LEAT_STR("actual"), &t, NULL, NULL) == LEAT_OK)
        ret->actual = leat_json_unescape(&t, arena);
    return LEAT_OK;
}

/* The texts of a member's items. */
static leat_status read_items(struct leat_str json, const char *name, struct leat_arena *arena,
                              struct leat_str **ret, uint32_t *ret_n, struct leat_error *err)
{
    struct leat_json_token t;
    struct leat_json_reader r;
    struct leat_str list = {0};
    size_t cap = 0;
    *ret = NULL;
    *ret_n = 0;
    LEAT_TRY(leat_json_find(json, leat_str_of(name), &t, &list, err), err, "%s", name);
    leat_json_reader_init(&r, list);
    LEAT_TRY(leat_json_next(&r, &t, err), err, "%s", name);
    for (;;) {
        struct leat_json_reader before = r;
        LEAT_TRY(leat_json_next(&r, &t, err), err, "%s", name);
        if (t.kind == LEAT_JSON_ARRAY_END)
            return LEAT_OK;
        r = before;
        *ret = leat_arena_grow(arena, *ret, sizeof **ret, &cap, *ret_n + 1u);
        LEAT_TRY(leat_json_skip(&r, &(*ret)[*ret_n], err), err, "%s", name);
        (*ret_n)++;
    }
}

leat_status leat_test_result_read(struct leat_str json, struct leat_arena *arena,
                                  struct leat_test_result *ret, struct leat_error *err)
{
    struct leat_json_token t;
    struct leat_json_reader r;
    struct leat_str *items = NULL;
    uint32_t n = 0;
    *ret = (struct leat_test_result){0};
    LEAT_TRY(read_items(json, "problems", arena, &items, &n, err), err, "result");
    ret->problems = leat_arena_zalloc(arena, (size_t)n + 1, sizeof *ret->problems);
    for (; ret->n_problems < n; ret->n_problems++)
        LEAT_TRY(read_problem(items[ret->n_problems], arena, &ret->problems[ret->n_problems], err),
                 err, "result");
    LEAT_TRY(read_items(json, "got", arena, &ret->got, &ret->n_got, err), err, "result");
    for (uint32_t i = 0; i < ret->n_got; i++) {
        leat_json_reader_init(&r, ret->got[i]);
        LEAT_TRY(leat_json_next(&r, &t, err), err, "result");
        ret->got[i] = leat_json_unescape(&t, arena);
    }
    LEAT_TRY(leat_json_find(json, LEAT_STR("faults"), &t, NULL, err), err, "result");
    ret->faults = t.integer;
    return LEAT_OK;
}
