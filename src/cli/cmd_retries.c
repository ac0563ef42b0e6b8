/* leat retries: what waits for another try, for its turn or for its time. */
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/kept_show.h"
#include "cli/session.h"
#include "cli/show.h"
#include "cli/sweep_run.h"
#include "cli/words.h"
#include "query/by_id.h"
#include "query/filters.h"

#define LIMIT_DEFAULT 20
#define OUTPUT_MAX    (64U << 20)
/* Reasons that now and cancel mean where none is given. */
#define AGAIN     (1U << LEAT_WAIT_RETRY | 1U << LEAT_WAIT_REDRIVEN)
#define HURRIED   (AGAIN | 1U << LEAT_WAIT_SCHEDULED)
#define CANCELLED (LEAT_WAITS_ALL & ~(1U << LEAT_WAIT_HELD))

struct retries_options {
    const char *topology, *processor, *key, *code, *type, *reason, *until, *cursor;
    int64_t limit, max;
    bool all, json;
};

#define FIELD(name) offsetof(struct retries_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct retries_options, topology),
    {"processor", 'p', LEAT_OPT_STR, FIELD(processor), "NAME", NULL, NULL, 0, 0,
     "Those of this processor."},
    {"key", 'k', LEAT_OPT_STR, FIELD(key), "KEY", NULL, NULL, 0, 0, "Those of this key."},
    {"code", 0, LEAT_OPT_STR, FIELD(code), "CODE", NULL, NULL, 0, 0, "Those with this error code."},
    {"type", 0, LEAT_OPT_STR, FIELD(type), "TYPE", NULL, NULL, 0, 0,
     "Those of this command or event type."},
    {"reason", 0, LEAT_OPT_STR, FIELD(reason), "retry|parked|scheduled|held|redriven|all", NULL,
     NULL, 0, 0,
     "Those that wait for this, with commas (list: all; now: retry, scheduled and redriven; "
     "cancel: all but held)."},
    {"until", 0, LEAT_OPT_STR, FIELD(until), "TIME", NULL, NULL, 0, 0,
     "Those that are due before: 15m (from now) or 2026-11-22T10:00:00Z."},
    {"limit", 'n', LEAT_OPT_INT, FIELD(limit), "N", NULL, NULL, 0, 10000,
     "list: rows at most (default: 20); 0 shows the histogram alone."},
    {"cursor", 0, LEAT_OPT_STR, FIELD(cursor), "CURSOR", NULL, NULL, 0, 0,
     "list: go on where a former list ended."},
    {"all", 0, LEAT_OPT_FLAG, FIELD(all), NULL, NULL, NULL, 0, 0,
     "now, cancel: all there are, without a filter."},
    {"max", 0, LEAT_OPT_INT, FIELD(max), "N", NULL, NULL, 1, LEAT_SWEEP_MAX,
     "now, cancel: at most so many in all."},
    LEAT_CLI_JSON(struct retries_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat retries list|show|now|cancel [options] [<id> …]",
    .summary = "List, hurry or cancel what waits.",
    .details =
        "What waits: for another try (retry), behind another message of its key (parked), for its "
        "time\n(scheduled), for a person (held: it is dead and its key waits), or for a second "
        "chance (redriven).\nnow: due at once; the schedule goes on from there if it fails again. "
        "cancel: a scheduled command\nis not sent; anything else becomes a dead letter with the "
        "code 'cancelled', which can be redriven.\nWhat is held: leat dlq redrive, or leat dlq "
        "drop. Exit code 3 when there is none of that id, or one\nwas refused.\n\n"
        "  leat retries list --processor orders\n"
        "  leat retries now --processor orders --code psp-down\n"
        "  leat retries cancel 0197f3a2-4c1e-7b6a-9f00-8d3f1c2b7a10\n",
    LEAT_OPTS(options),
    .args_min = 1,
    .args_max = -1,
};

/* ---- which ---- */

static bool is_filtered(const struct retries_options *o)
{
    return o->processor != NULL || o->key != NULL || o->code != NULL || o->type != NULL ||
           o->reason != NULL || o->until != NULL;
}

static leat_status make_filter(struct leat_session *s, const struct retries_options *o,
                               uint32_t reasons, struct leat_waiter_filter *ret,
                               struct leat_error *err)
{
    const struct {
        const char *name, *value;
    } all[] = {{"processor", o->processor}, {"key", o->key},       {"code", o->code},
               {"type", o->type},           {"reason", o->reason}, {"until", o->until}};
    *ret = leat_waiter_filter_of(reasons);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].value == NULL)
            continue;
        leat_status status = leat_waiter_filter_set(ret, all[i].name, leat_str_of(all[i].value),
                                                    leat_now_ms() * 1000, err);
        if (status != LEAT_OK)
            return status;
    }
    return ret->processor.len == 0 ? LEAT_OK
                                   : leat_processor_known(s->store, ret->processor, s->arena, err);
}

/* ---- list, show ---- */

static void put_time(struct leat_json_writer *w, const char *name, int64_t us)
{
    struct leat_buf text;
    leat_buf_init(&text, 64);
    if (us != LEAT_DUE_NEVER)
        leat_show_time(us / 1000, &text);
    leat_json_put_str(w, name, leat_buf_str(&text));
    leat_buf_done(&text);
}

static void write_groups(const struct leat_waiter_groups *g, struct leat_json_writer *w)
{
    leat_json_begin_array(w);
    for (size_t i = 0; i < g->n; i++) {
        leat_json_begin_object(w);
        leat_json_put_int(w, "count", g->at[i].count);
        leat_json_put_str(w, "processor", g->at[i].processor);
        leat_json_put_cstr(w, "reason", leat_waits_names[g->at[i].reason]);
        leat_json_put_str(w, "type", g->at[i].type);
        leat_json_put_str(w, "code", g->at[i].code);
        put_time(w, "first due", g->at[i].due_at_us);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
}

static void write_rows(const struct leat_waiter_list *l, struct leat_json_writer *w)
{
    char id[LEAT_UUID_TEXT];
    leat_json_begin_array(w);
    for (size_t i = 0; i < l->n; i++) {
        const struct leat_waiter *r = &l->rows[i];
        leat_uuid_format(&r->id, id);
        leat_json_begin_object(w);
        put_time(w, "due", r->due_at_us);
        leat_json_put_cstr(w, "reason", leat_waits_names[r->reason]);
        leat_json_put_str(w, "processor", r->processor);
        leat_json_put_cstr(w, "id", id);
        leat_json_put_str(w, "key", r->key);
        leat_json_put_str(w, "type", r->type);
        leat_json_put_int(w, "tries", r->attempt);
        leat_json_put_int(w, "ahead", r->ahead);
        leat_json_put_str(w, "code", r->error_code);
        leat_json_put_str(w, "error", r->error);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
}

static int print_list(const struct leat_waiter_list *l)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf json, rows, out;
    struct leat_json_writer w;
    struct leat_error err = {0};
    leat_buf_init(&json, OUTPUT_MAX);
    leat_buf_init(&rows, OUTPUT_MAX);
    leat_buf_init(&out, OUTPUT_MAX);
    leat_json_writer_init(&w, &json);
    write_groups(&l->groups, &w);
    leat_json_writer_init(&w, &rows);
    write_rows(l, &w);
    leat_status status = leat_show_rows(leat_buf_str(&json), &out, &err);
    leat_buf_printf(&out, "%s%lld wait\n%s", l->groups.n > 0 ? "\n" : "",
                    (long long)l->groups.total, l->n > 0 ? "\n" : "");
    if (status == LEAT_OK)
        status = leat_show_rows(leat_buf_str(&rows), &out, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    int code = leat_cli_print(&out);
    if (code == LEAT_EXIT_OK && l->more && l->n > 0) {
        leat_buf_clear(&json);
        leat_waiter_cursor_put(&l->rows[l->n - 1], &json);
        (void)fprintf(stderr, "more: --cursor %.*s\n", LEAT_STR_FMT(leat_buf_str(&json)));
    }
    return code;
}

static int list(struct leat_session *s, const struct retries_options *o, char **args, int n)
{
    (void)args;
    (void)n;
    struct leat_error err = {0};
    struct leat_waiter_filter f;
    struct leat_waiter_list l = {.n = 0};
    struct leat_waiter_page page = {.limit = o->limit < 0 ? LIMIT_DEFAULT : (size_t)o->limit};
    leat_status status = make_filter(s, o, LEAT_WAITS_ALL, &f, &err);
    if (status == LEAT_OK && o->cursor != NULL)
        status = leat_waiter_cursor_read(leat_str_of(o->cursor), &page, &err);
    if (status == LEAT_OK)
        status = leat_waiter_list_read(s->store, &f, &page, s->arena, &l, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    l.more = l.more && l.n > 0;
    if (!o->json)
        return print_list(&l);
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    struct leat_json_writer w;
    leat_buf_init(&out, OUTPUT_MAX);
    leat_json_writer_init(&w, &out);
    leat_waiter_list_json(&l, &w);
    leat_buf_putc(&out, '\n');
    return leat_cli_print(&out);
}

static int show(struct leat_session *s, const struct retries_options *o, char **args, int n)
{
    struct leat_error err = {0};
    struct leat_waiter r;
    struct leat_uuid *id = NULL;
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    struct leat_json_writer w;
    leat_buf_init(&out, OUTPUT_MAX);
    leat_status status = leat_sweep_ids(args, n, s->arena, &id, &err);
    if (status == LEAT_OK)
        status = leat_waiter_by_id(s->store, leat_str_of(o->processor), id, s->arena, &r, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    if (o->json) {
        leat_json_writer_init(&w, &out);
        leat_waiter_json(s->schemas, &r, &w);
        leat_buf_putc(&out, '\n');
    } else {
        leat_waiter_text(s->schemas, &r, &out);
    }
    return leat_cli_print(&out);
}

/* ---- now, cancel ---- */

static leat_status check_call(const struct retries_options *o, int n, struct leat_error *err)
{
    struct retries_options without = *o;
    without.processor = NULL;
    if (n > 0 && (is_filtered(&without) || o->all))
        return leat_fail(err, LEAT_INVALID, "ids or filters, not both");
    if (n > 0 || is_filtered(o) || o->all)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_INVALID, "which ones is not said");
    leat_error_hint(err, "Give ids, filters (--processor, --code, --key …) or --all.");
    return LEAT_INVALID;
}

static leat_status find_all(struct leat_session *s, const char *processor, char **args, int n,
                            struct leat_dead_ref *ret, struct leat_error *err)
{
    struct leat_uuid *ids = NULL;
    leat_status status = leat_sweep_ids(args, n, s->arena, &ids, err);
    for (int i = 0; status == LEAT_OK && i < n; i++) {
        struct leat_waiter r = {.slice = 0};
        status = leat_waiter_by_id(s->store, leat_str_of(processor), &ids[i], s->arena, &r, err);
        ret[i] = (struct leat_dead_ref){r.processor, r.slice, r.id};
    }
    return status;
}

static int change(struct leat_session *s, const struct retries_options *o, char **args, int n,
                  struct leat_sweep *sweep)
{
    struct leat_error err = {0};
    struct leat_waiter_filter f;
    const struct leat_waiter_page all = {.filter = &f, .limit = LEAT_SWEEP_MAX};
    struct leat_dead_ref *refs = NULL;
    size_t count = (size_t)n;
    bool hurry = sweep->what == LEAT_SWEEP_NOW;
    sweep->store = s->store;
    sweep->topology = s->topology;
    sweep->arena = s->arena;
    sweep->max = o->max;
    leat_status status = check_call(o, n, &err);
    if (status == LEAT_OK)
        status = make_filter(s, o, hurry ? HURRIED : CANCELLED, &f, &err);
    if (status == LEAT_OK && n > 0) {
        refs = leat_arena_zalloc(s->arena, (size_t)n + 1, sizeof *refs);
        status = find_all(s, o->processor, args, n, refs, &err);
    } else if (status == LEAT_OK) {
        status = leat_store_waiter_refs(s->store, &all, s->arena, &refs, &count, &err);
    }
    if (status == LEAT_OK)
        status = leat_sweep_start(sweep, refs, count, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    struct leat_sweep_run r = {.sweep = sweep,
                               .done = hurry ? "hurried" : "cancelled",
                               .again = "Run it again: what is done stays done.",
                               .ids = n > 0,
                               .json = o->json};
    return leat_sweep_run(&r);
}

static int now(struct leat_session *s, const struct retries_options *o, char **args, int n)
{
    struct leat_sweep sweep = {.what = LEAT_SWEEP_NOW};
    return change(s, o, args, n, &sweep);
}

static int cancel(struct leat_session *s, const struct retries_options *o, char **args, int n)
{
    struct leat_sweep sweep = {.what = LEAT_SWEEP_CANCEL,
                               .note = leat_sweep_note("cancelled while it waited", s->arena)};
    return change(s, o, args, n, &sweep);
}

/* ---- the verb ---- */

enum word_bit {
    LIST = 1,
    SHOW = 2,
    NOW = 4,
    CANCEL = 8,
    FILTERED = LIST | NOW | CANCEL,
};

static const struct leat_word word_list[] = {
    {"list", LIST, 0, 0, "takes filters, no arguments"},
    {"show", SHOW, 1, 1, "takes one id"},
    {"now", NOW, 0, -1, ""},
    {"cancel", CANCEL, 0, -1, ""},
};
static const struct leat_words words = {"retries", word_list, sizeof word_list / sizeof *word_list};
static int (*const runs[])(struct leat_session *, const struct retries_options *, char **,
                           int) = {list, show, now, cancel};

static leat_status check_options(const struct retries_options *o, int word, struct leat_error *err)
{
    const struct leat_word_option all[] = {
        {"processor", o->processor != NULL, FILTERED | SHOW},
        {"key", o->key != NULL, FILTERED},
        {"code", o->code != NULL, FILTERED},
        {"type", o->type != NULL, FILTERED},
        {"reason", o->reason != NULL, FILTERED},
        {"until", o->until != NULL, FILTERED},
        {"limit", o->limit >= 0, LIST},
        {"cursor", o->cursor != NULL, LIST},
        {"all", o->all, NOW | CANCEL},
        {"max", o->max > 0, NOW | CANCEL},
    };
    return leat_word_options(&words, word, all, sizeof all / sizeof *all, err);
}

int leat_cmd_retries(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_retries(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct retries_options o = {.limit = -1};
    struct leat_session s;
    struct leat_error err = {0};
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    int word = leat_word_find(&words, argv[1], args - 1, &err);
    if (word < 0 || check_options(&o, word, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    if ((code = leat_session_open_stored(&s, o.topology, NULL)) != LEAT_EXIT_GO_ON)
        return code;
    code = runs[word](&s, &o, argv + 2, args - 1);
    leat_session_close(&s);
    return code;
}
