/* leat pause, leat resume: a processor stands still, and goes on. */
#include <stdio.h>
#include <stdlib.h>

#include "base/env.h"
#include "base/json.h"
#include "base/suggest.h"
#include "cli/cli.h"
#include "cli/session.h"
#include "store/pauses.h"

struct pause_options {
    const char *topology, *reason;
    bool json;
};

#define FIELD(name) offsetof(struct pause_options, name)
static const struct leat_opt pause_opts[] = {
    LEAT_CLI_TOPOLOGY(struct pause_options, topology),
    {"reason", 0, LEAT_OPT_STR, FIELD(reason), "TEXT", NULL, NULL, 0, 0,
     "Why; `leat status` shows it."},
    LEAT_CLI_JSON(struct pause_options, json),
};
static const struct leat_opt resume_opts[] = {
    LEAT_CLI_TOPOLOGY(struct pause_options, topology),
    LEAT_CLI_JSON(struct pause_options, json),
};

static const struct leat_opt_spec pause_spec = {
    .usage = "leat pause [options] <processor>",
    .summary = "Let a processor stand still, in all its processes, until `leat resume`.",
    .details = "Within a second it takes no more messages; what it is at is finished. Its backlog\n"
               "stays where it is, in order. Exit code 3 when it is paused already.\n\n"
               "  leat pause orders --reason 'prices are being mended'\n",
    LEAT_OPTS(pause_opts),
    .args_min = 1,
    .args_max = 1,
};
static const struct leat_opt_spec resume_spec = {
    .usage = "leat resume [options] <processor>",
    .summary = "Let a processor go on that a flood of dead letters, or a person, has paused.",
    .details = "Exit code 3 when it is not paused.\n\n"
               "  leat resume orders\n",
    LEAT_OPTS(resume_opts),
    .args_min = 1,
    .args_max = 1,
};

static const struct leat_processor *find(const struct leat_topology *t, const char *name,
                                         struct leat_error *err)
{
    const struct leat_processor *p = leat_topology_processor(t, leat_str_of(name));
    struct leat_suggest near;
    if (p != NULL)
        return p;
    leat_suggest_start(&near, leat_str_of(name));
    for (uint32_t i = 0; i < t->n_processors; i++)
        leat_suggest_offer(&near, t->processors[i].name);
    (void)leat_fail(err, LEAT_INVALID, "there is no processor '%.80s' in %s", name, t->path);
    if (near.best.len > 0)
        leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return NULL;
}

static leat_status pause_it(struct leat_session *s, const struct leat_processor *p,
                            const struct pause_options *o, struct leat_error *err)
{
    const char *who = leat_env("USER");
    bool paused = false;
    struct leat_pause pause = {.processor = p->name,
                               .reason = leat_str_of(o->reason == NULL ? "by hand" : o->reason),
                               .by = leat_str_of(who == NULL || *who == '\0' ? "somebody" : who)};
    LEAT_TRY(leat_store_pause(s->store, &pause, &paused, err), err, "leat pause");
    if (!paused)
        return leat_fail(err, LEAT_ABSENT, "processor '%s' is paused already", p->name.at);
    return LEAT_OK;
}

static int print(const char *processor, const char *state, bool as_json)
{
    struct leat_json_writer w;
    struct leat_buf out;
    leat_buf_init(&out, 4096);
    if (as_json) {
        leat_json_writer_init(&w, &out);
        leat_json_begin_object(&w);
        leat_json_key(&w, LEAT_STR("processor"));
        leat_json_str(&w, leat_str_of(processor));
        leat_json_key(&w, LEAT_STR("state"));
        leat_json_str(&w, leat_str_of(state));
        leat_json_end_object(&w);
        leat_buf_putc(&out, '\n');
    } else {
        leat_buf_printf(&out, "%s %s\n", processor, state);
    }
    int code = leat_cli_print(&out);
    leat_buf_done(&out);
    return code;
}

static int change(const struct leat_opt_spec *spec, bool pause, int argc, char **argv)
{
    struct pause_options o = {0};
    struct leat_session s;
    struct leat_error err = {0};
    int args = 0, code = leat_cli_parse(spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if ((code = leat_session_open_stored(&s, o.topology, NULL)) != LEAT_EXIT_GO_ON)
        return code;
    const struct leat_processor *p = find(s.topology, argv[1], &err);
    leat_status status = p == NULL ? LEAT_INVALID
                         : pause   ? pause_it(&s, p, &o, &err)
                                   : leat_store_resume(s.store, p->name, &err);
    code = status == LEAT_OK ? print(argv[1], pause ? "paused" : "resumed", o.json)
                             : leat_cli_fail(&err);
    leat_session_close(&s);
    return code;
}

int leat_cmd_pause(struct leat_cli *cli, int argc, char **argv);
int leat_cmd_resume(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_pause(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    return change(&pause_spec, true, argc, argv);
}

int leat_cmd_resume(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    return change(&resume_spec, false, argc, argv);
}
