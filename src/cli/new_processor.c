/* leat new processor: rows in the topology, the schemas that are not there yet, a
 * C file, a test. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/suggest.h"
#include "cli/cli.h"
#include "cli/new.h"
#include "cli/new_change.h"

void leat_new_add_processor(struct leat_new_files *f, const struct leat_new_processor *p,
                            const char *dir, const char *schema_dir)
{
    struct leat_arena *a = f->arena;
    const char *at = strcmp(dir, ".") == 0 ? "" : leat_arena_printf(a, "%s/", dir);
    for (uint32_t i = 0; i < p->made.n; i++) {
        const char *path = leat_arena_printf(a, "%s/%s.avsc", schema_dir, p->made.at[i].at);
        leat_new_file(f, LEAT_NEW_WRITE, path, leat_new_schema(p, p->made.at[i], a));
    }
    leat_new_file(f, LEAT_NEW_WRITE, leat_arena_printf(a, "%sprocessors/%s.c", at, p->name.at),
                  leat_new_code(p, a));
    struct leat_str tests = leat_new_tests(p, a);
    if (tests.len > 0) {
        leat_new_file(f, LEAT_NEW_WRITE,
                      leat_arena_printf(a, "%sprocessors/%s_test.yaml", at, p->name.at), tests);
    }
}

/* Every name of the topology that an option may give, for "did you mean". */
static leat_status fail_unknown(const char *option, struct leat_str wrong,
                                const struct leat_topology *t, struct leat_error *err)
{
    struct leat_suggest s;
    bool commands = strcmp(option, "sends") == 0;
    leat_suggest_start(&s, wrong);
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_processor *p = &t->processors[i];
        const struct leat_names *names = commands ? &p->commands : &p->emits;
        for (uint32_t j = 0; j < names->n; j++)
            leat_suggest_offer(&s, names->at[j]);
    }
    (void)leat_fail(err, LEAT_INVALID, "--%s: no processor %s '%s'", option,
                    commands ? "handles" : "emits", wrong.at);
    if (s.best.len > 0) {
        leat_error_hint(err, "Did you mean '%.*s'?", LEAT_STR_FMT(s.best));
    } else {
        leat_error_hint(err,
                        "First the processor that %s it, with its schema: `leat new "
                        "processor`, or by hand.",
                        commands ? "handles" : "emits");
    }
    return LEAT_INVALID;
}

static leat_status fill_sends(struct leat_new_processor *p, const struct leat_topology *t,
                              struct leat_arena *arena, struct leat_error *err)
{
    struct leat_str *keys = leat_arena_zalloc(arena, p->sends.n + (size_t)1, sizeof *keys);
    for (uint32_t i = 0; i < p->sends.n; i++) {
        const struct leat_processor *to = leat_topology_handler(t, p->sends.at[i]);
        bool own = leat_names_has(&p->commands, p->sends.at[i]);
        if (to == NULL && !own)
            return fail_unknown("sends", p->sends.at[i], t, err);
        if (!own && to->aggregate == NULL && p->events.n > 0) {
            return leat_fail(err, LEAT_INVALID, "--sends: '%s' goes to no aggregate",
                             p->sends.at[i].at);
        }
        keys[i] = own || to->aggregate == NULL ? p->key : to->aggregate->key;
    }
    p->send_keys = (struct leat_names){keys, p->sends.n};
    return LEAT_OK;
}

static leat_status fill_policy(const struct leat_new_options *o, struct leat_new_processor *p,
                               const struct leat_topology *t, struct leat_error *err)
{
    if (o->commands != NULL || o->emits != NULL || o->aggregate != NULL) {
        return leat_fail(err, LEAT_INVALID,
                         "--events makes a policy: it has no --aggregate, --commands or --emits");
    }
    for (uint32_t i = 0; i < p->events.n; i++) {
        if (leat_topology_emitter(t, p->events.at[i]) == NULL)
            return fail_unknown("events", p->events.at[i], t, err);
    }
    return LEAT_OK;
}

/* The starter without --commands; else what was asked for, on a new aggregate or one
 * that is there. */
static leat_status fill_aggregate(const struct leat_new_options *o, struct leat_new_processor *p,
                                  const struct leat_topology *t, struct leat_arena *arena,
                                  struct leat_error *err)
{
    struct leat_str name =
        o->aggregate != NULL ? leat_str_of(o->aggregate) : leat_new_singular(p->name, arena);
    if (leat_new_check_name("aggregate", name, err) != LEAT_OK)
        return LEAT_INVALID;
    const struct leat_aggregate *there = leat_topology_aggregate(t, name);
    if (there != NULL && p->commands.n == 0) {
        (void)leat_fail(err, LEAT_INVALID, "the aggregate '%s' exists: which commands to it?",
                        there->name.at);
        leat_error_hint(err, "--commands CancelOrder --emits OrderCancelled, or another "
                             "--aggregate.");
        return LEAT_INVALID;
    }
    struct leat_new_processor starter = leat_new_starter(t->name, p->name, name, arena);
    if (there == NULL && p->commands.n == 0 && p->emits.n == 0) {
        starter.sends = p->sends;
        *p = starter;
        return LEAT_OK;
    }
    if (p->commands.n == 0 || (there == NULL && p->emits.n == 0)) {
        (void)leat_fail(err, LEAT_INVALID, "--commands and --emits belong together");
        leat_error_hint(err, "What is asked for, and what then happened: --commands PlaceOrder "
                             "--emits OrderPlaced.");
        return LEAT_INVALID;
    }
    p->aggregate = name;
    p->new_aggregate = there == NULL;
    p->key = there == NULL ? starter.key : there->key;
    p->state = there == NULL ? starter.state : there->state;
    return LEAT_OK;
}

/* Types without a schema file get one. */
static void fill_made(struct leat_new_processor *p, const struct leat_topology *t,
                      struct leat_new_files *f)
{
    const struct leat_names state = {&p->state, p->new_aggregate ? 1 : 0};
    const struct leat_names *all[] = {&p->commands, &p->emits, &state};
    struct leat_str *made =
        leat_arena_zalloc(f->arena, p->commands.n + p->emits.n + (size_t)1, sizeof *made);
    uint32_t n = 0;
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        for (uint32_t i = 0; i < all[k]->n; i++) {
            const char *path = leat_topology_schema_path(t, all[k]->at[i], f->arena);
            if (path == NULL) {
                made[n++] = all[k]->at[i];
            } else {
                leat_new_file(f, LEAT_NEW_KEEP, path, (struct leat_str){NULL, 0});
            }
        }
    }
    p->starter = p->starter && n == 3;
    p->made = (struct leat_names){made, n};
}

static leat_status fill(const struct leat_new_options *o, struct leat_new_processor *p,
                        const struct leat_topology *t, struct leat_arena *arena,
                        struct leat_error *err)
{
    if (leat_new_check_name("processor", p->name, err) != LEAT_OK)
        return LEAT_INVALID;
    if (leat_topology_processor(t, p->name) != NULL)
        return leat_fail(err, LEAT_INVALID, "there is a processor '%s' already", p->name.at);
    leat_status status = leat_new_types("commands", o->commands, arena, &p->commands, err);
    if (status == LEAT_OK)
        status = leat_new_types("events", o->events, arena, &p->events, err);
    if (status == LEAT_OK)
        status = leat_new_types("emits", o->emits, arena, &p->emits, err);
    if (status == LEAT_OK)
        status = leat_new_types("sends", o->sends, arena, &p->sends, err);
    if (status == LEAT_OK)
        status = p->events.n > 0 ? fill_policy(o, p, t, err) : fill_aggregate(o, p, t, arena, err);
    return status == LEAT_OK ? fill_sends(p, t, arena, err) : status;
}

static void say_what_is_left(const struct leat_new_processor *p, const struct leat_topology *t)
{
    const struct leat_aggregate *a = leat_topology_aggregate(t, p->aggregate);
    for (uint32_t i = 0; a != NULL && a->state.len > 0 && i < p->emits.n; i++) {
        if (leat_topology_emitter(t, p->emits.at[i]) == NULL) {
            (void)fprintf(stderr,
                          "leat: what '%s' does to the state of '%s' is not said yet: add a FOLD_ "
                          "to its LEAT_AGGREGATE (module '%s')\n",
                          p->emits.at[i].at, a->name.at, a->module);
        }
    }
}

int leat_new_make_processor(const struct leat_new_options *o, struct leat_str name)
{
    struct leat_error err = {0};
    struct leat_new_change c;
    int code = leat_new_change_open(&c, o->topology);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    struct leat_new_files f = {
        .arena = c.arena, .force = o->force, .dry_run = o->dry_run, .json = o->json};
    struct leat_new_processor p = {.topology = c.t->name, .name = name};
    if (fill(o, &p, c.t, c.arena, &err) == LEAT_OK) {
        fill_made(&p, c.t, &f);
        const char *schemas = c.t->n_schema_dirs > 0
                                  ? c.t->schema_dirs[0]
                                  : leat_arena_printf(c.arena, "%s/schemas", c.t->dir);
        leat_new_add_processor(&f, &p, c.t->dir, schemas);
        if (p.new_aggregate)
            leat_new_change_insert(&c, "aggregates", leat_new_aggregate_row(&p, c.arena));
        leat_new_change_insert(&c, "processors", leat_new_processor_rows(&p, c.arena));
        code = leat_new_change_write(&c, &f);
        if (code == LEAT_EXIT_OK)
            say_what_is_left(&p, c.t);
    } else {
        code = leat_cli_fail(&err);
    }
    leat_new_change_done(&c);
    return code;
}
