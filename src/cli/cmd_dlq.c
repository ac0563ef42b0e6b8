/* leat dlq: what processors gave up on, and what becomes of it. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/suggest.h"
#include "cli/dlq.h"
#include "cli/kept_show.h"
#include "cli/show.h"
#include "cli/sweep_run.h"
#include "cli/words.h"
#include "query/by_id.h"

#define LIMIT_DEFAULT 20
#define OUTPUT_MAX    (64U << 20)

#define FIELD(name) offsetof(struct leat_dlq_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct leat_dlq_options, topology),
    {"processor", 'p', LEAT_OPT_STR, FIELD(processor), "NAME", NULL, NULL, 0, 0,
     "Those of this processor."},
    {"key", 'k', LEAT_OPT_STR, FIELD(key), "KEY", NULL, NULL, 0, 0, "Those of this key."},
    {"code", 0, LEAT_OPT_STR, FIELD(code), "CODE", NULL, NULL, 0, 0, "Those with this error code."},
    {"class", 0, LEAT_OPT_STR, FIELD(class), "CLASS", NULL, NULL, 0, 0,
     "Those of this class of error: poison, retry, crash or cancelled."},
    {"type", 0, LEAT_OPT_STR, FIELD(type), "TYPE", NULL, NULL, 0, 0,
     "Those of this command or event type."},
    {"origin", 0, LEAT_OPT_STR, FIELD(origin), "TOPIC[/PARTITION[/OFFSET]]", NULL, NULL, 0, 0,
     "Those that came from there."},
    {"state", 0, LEAT_OPT_STR, FIELD(state), "dead|redriving|quarantined|settled|dropped|open|all",
     NULL, NULL, 0, 0,
     "Those in these states, with commas (list, export: open, which is the first three; redrive, "
     "drop: dead and quarantined)."},
    {"since", 0, LEAT_OPT_STR, FIELD(since), "TIME", NULL, NULL, 0, 0,
     "Those that died then or later: 15m (ago), 2026-11-22 or 2026-11-22T10:00:00Z."},
    {"until", 0, LEAT_OPT_STR, FIELD(until), "TIME", NULL, NULL, 0, 0, "Those that died before."},
    {"limit", 'n', LEAT_OPT_INT, FIELD(limit), "N", NULL, NULL, 0, 10000,
     "list: rows at most (default: 20); 0 shows the histogram alone."},
    {"cursor", 0, LEAT_OPT_STR, FIELD(cursor), "CURSOR", NULL, NULL, 0, 0,
     "list: go on where a former list ended."},
    {"all", 0, LEAT_OPT_FLAG, FIELD(all), NULL, NULL, NULL, 0, 0,
     "redrive, drop: all there are, without a filter."},
    {"dry-run", 0, LEAT_OPT_FLAG, FIELD(dry_run), NULL, NULL, NULL, 0, 0,
     "redrive, drop: only count them."},
    {"rate", 0, LEAT_OPT_STR, FIELD(rate), "N/s", NULL, NULL, 0, 0, "redrive: at most so many."},
    {"max", 0, LEAT_OPT_INT, FIELD(max), "N", NULL, NULL, 1, LEAT_SWEEP_MAX,
     "redrive, drop: at most so many in all, those first that died first."},
    {"force", 0, LEAT_OPT_FLAG, FIELD(force), NULL, NULL, NULL, 0, 0,
     "redrive: also what is in quarantine or was dropped."},
    {"reason", 0, LEAT_OPT_STR, FIELD(reason), "TEXT", NULL, NULL, 0, 0,
     "drop: why; it is kept, with your name."},
    LEAT_CLI_JSON(struct leat_dlq_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat dlq list|show|redrive|drop|export|import [options] [<id> …|<file>]",
    .summary = "List, show, redrive or drop what processors gave up on.",
    .details =
        "list: a histogram, then rows, the newest first. show: one with its headers and value.\n"
        "redrive: another chance, in the order in which they died, only at the processor that gave "
        "up;\none that is given it has it once, whoever asks; broken off, it goes on where it "
        "stopped when it is\nrun again. drop: given up for good; what its key held back goes on. "
        "export: lines of JSON with\nall bytes; import: such lines (- is standard input) become "
        "dead letters of their processors.\nExit code 3 when there is none of that id, or one was "
        "refused.\n\n"
        "  leat dlq list --processor orders --since 1h\n"
        "  leat dlq redrive --code no-such-customer --dry-run\n"
        "  leat dlq redrive --processor orders --rate 200/s --max 10000\n"
        "  leat dlq drop 0197f3a2-4c1e-7b6a-9f00-8d3f1c2b7a10 --reason 'a test of Monday'\n"
        "  leat dlq export --class poison > dead.jsonl\n",
    LEAT_OPTS(options),
    .args_min = 1,
    .args_max = -1,
};

enum word_bit {
    LIST = 1,
    SHOW = 2,
    REDRIVE = 4,
    DROP = 8,
    EXPORT = 16,
    IMPORT = 32,
    FILTERED = LIST | REDRIVE | DROP | EXPORT,
};

static const struct leat_word word_list[] = {
    {"list", LIST, 0, 0, "takes filters, no arguments"},
    {"show", SHOW, 1, 1, "takes one id"},
    {"redrive", REDRIVE, 0, -1, ""},
    {"drop", DROP, 0, -1, ""},
    {"export", EXPORT, 0, 0, "takes filters, no arguments"},
    {"import", IMPORT, 1, 1, "takes one file, or - for standard input"},
};
static const struct leat_words words = {"dlq", word_list, sizeof word_list / sizeof *word_list};
static int (*const runs[])(struct leat_session *, const struct leat_dlq_options *, char **,
                           int) = {leat_dlq_list, leat_dlq_show,   leat_dlq_redrive,
                                   leat_dlq_drop, leat_dlq_export, leat_dlq_import};

static leat_status check_options(const struct leat_dlq_options *o, int word, struct leat_error *err)
{
    const struct leat_word_option all[] = {
        {"processor", o->processor != NULL, FILTERED | SHOW},
        {"key", o->key != NULL, FILTERED},
        {"code", o->code != NULL, FILTERED},
        {"class", o->class != NULL, FILTERED},
        {"type", o->type != NULL, FILTERED},
        {"origin", o->origin != NULL, FILTERED},
        {"state", o->state != NULL, FILTERED},
        {"since", o->since != NULL, FILTERED},
        {"until", o->until != NULL, FILTERED},
        {"limit", o->limit >= 0, LIST},
        {"cursor", o->cursor != NULL, LIST},
        {"all", o->all, REDRIVE | DROP},
        {"dry-run", o->dry_run, REDRIVE | DROP},
        {"rate", o->rate != NULL, REDRIVE},
        {"max", o->max > 0, REDRIVE | DROP},
        {"force", o->force, REDRIVE},
        {"reason", o->reason != NULL, DROP},
    };
    return leat_word_options(&words, word, all, sizeof all / sizeof *all, err);
}

/* ---- filters ---- */

struct given {
    const char *name, *value;
};

static size_t given_filters(const struct leat_dlq_options *o, struct given ret[9])
{
    const struct given all[] = {
        {"processor", o->processor}, {"key", o->key},     {"code", o->code},
        {"class", o->class},         {"type", o->type},   {"origin", o->origin},
        {"state", o->state},         {"since", o->since}, {"until", o->until}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (all[i].value != NULL)
            ret[n++] = all[i];
    }
    return n;
}

bool leat_dlq_filtered(const struct leat_dlq_options *o)
{
    struct given given[9];
    return given_filters(o, given) > 0;
}

leat_status leat_dlq_filter(struct leat_session *s, const struct leat_dlq_options *o,
                            uint32_t states, struct leat_dead_filter *ret, struct leat_error *err)
{
    struct given given[9];
    size_t n = given_filters(o, given);
    *ret = leat_dead_filter_of(states);
    for (size_t i = 0; i < n; i++) {
        leat_status status = leat_dead_filter_set(ret, given[i].name, leat_str_of(given[i].value),
                                                  leat_now_ms() * 1000, err);
        if (status != LEAT_OK)
            return status;
    }
    return ret->processor.len == 0 ? LEAT_OK
                                   : leat_processor_known(s->store, ret->processor, s->arena, err);
}

static void say_near(const char *what, struct leat_str wanted, const struct leat_suggest *near)
{
    if (wanted.len == 0)
        return;
    if (near->best.len > 0)
        (void)fprintf(stderr, "      no %s '%.*s' is there: did you mean '%.*s'?\n", what,
                      LEAT_STR_FMT(wanted), LEAT_STR_FMT(near->best));
}

void leat_dlq_suggest(struct leat_session *s, const struct leat_dead_filter *f)
{
    struct leat_dead_filter any = leat_dead_filter_of(LEAT_DEAD_ALL);
    struct leat_dead_groups g = {.n = 0};
    struct leat_error err = {0};
    struct leat_suggest code, class, type;
    leat_suggest_start(&code, f->code);
    leat_suggest_start(&class, f->class);
    leat_suggest_start(&type, f->type);
    if (leat_store_dead_groups(s->store, &any, s->arena, &g, &err) != LEAT_OK)
        return; /* only a hint */
    bool has_code = false, has_class = false, has_type = false;
    for (size_t i = 0; i < g.n; i++) {
        leat_suggest_offer(&code, g.at[i].code);
        leat_suggest_offer(&class, g.at[i].class);
        leat_suggest_offer(&type, g.at[i].type);
        has_code |= leat_str_eq(g.at[i].code, f->code);
        has_class |= leat_str_eq(g.at[i].class, f->class);
        has_type |= leat_str_eq(g.at[i].type, f->type);
    }
    if (!has_code)
        say_near("code", f->code, &code);
    if (!has_class)
        say_near("class", f->class, &class);
    if (!has_type)
        say_near("type", f->type, &type);
}

/* ---- list ---- */

static void put_time(struct leat_json_writer *w, const char *name, int64_t us)
{
    struct leat_buf text;
    leat_buf_init(&text, 64);
    leat_show_time(us / 1000, &text);
    leat_json_put_str(w, name, leat_buf_str(&text));
    leat_buf_done(&text);
}

int leat_dlq_print_groups(const struct leat_dead_groups *g, struct leat_buf *out)
{
    struct leat_buf json;
    struct leat_json_writer w;
    struct leat_error err = {0};
    leat_buf_init(&json, OUTPUT_MAX);
    leat_json_writer_init(&w, &json);
    leat_json_begin_array(&w);
    for (size_t i = 0; i < g->n; i++) {
        const struct leat_dead_group *at = &g->at[i];
        leat_json_begin_object(&w);
        leat_json_put_int(&w, "count", at->count);
        leat_json_put_str(&w, "processor", at->processor);
        leat_json_put_str(&w, "state", at->state);
        leat_json_put_str(&w, "class", at->class);
        leat_json_put_str(&w, "code", at->code);
        leat_json_put_str(&w, "type", at->type);
        put_time(&w, "first", at->first_at_us);
        put_time(&w, "last", at->last_at_us);
        leat_json_end_object(&w);
    }
    leat_json_end_array(&w);
    leat_status status = leat_show_rows(leat_buf_str(&json), out, &err);
    leat_buf_done(&json);
    return status == LEAT_OK ? LEAT_EXIT_GO_ON : leat_cli_fail(&err);
}

static void write_rows(const struct leat_dead_list *l, struct leat_arena *arena,
                       struct leat_json_writer *w)
{
    char id[LEAT_UUID_TEXT];
    leat_json_begin_array(w);
    for (size_t i = 0; i < l->n; i++) {
        const struct leat_dead_row *d = &l->rows[i];
        leat_uuid_format(&d->id, id);
        leat_json_begin_object(w);
        put_time(w, "died", d->last_at_us);
        leat_json_put_str(w, "processor", d->processor);
        leat_json_put_cstr(w, "id", id);
        leat_json_put_str(w, "key", d->key);
        leat_json_put_str(w, "type", d->type);
        leat_json_put_str(w, "code", d->code);
        leat_json_put_str(w, "message", d->message);
        leat_json_put_cstr(w, "origin",
                           leat_arena_printf(arena, "%.*s/%d/%lld", LEAT_STR_FMT(d->topic),
                                             (int)d->partition, (long long)d->offset));
        leat_json_put_str(w, "state", d->state);
        leat_json_put_int(w, "redrives", d->redrives);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
}

static int print_list(struct leat_session *s, const struct leat_dead_list *l)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf json, out;
    struct leat_json_writer w;
    struct leat_error err = {0};
    leat_buf_init(&json, OUTPUT_MAX);
    leat_buf_init(&out, OUTPUT_MAX);
    int code = leat_dlq_print_groups(&l->groups, &out);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    leat_buf_printf(&out, "%s%lld dead letters\n", l->groups.n > 0 ? "\n" : "",
                    (long long)l->groups.total);
    if (l->n > 0)
        leat_buf_putc(&out, '\n');
    leat_json_writer_init(&w, &json);
    write_rows(l, s->arena, &w);
    if (leat_show_rows(leat_buf_str(&json), &out, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    code = leat_cli_print(&out);
    if (code == LEAT_EXIT_OK && l->more && l->n > 0) {
        leat_buf_clear(&json);
        leat_dead_cursor_put(&l->rows[l->n - 1], &json);
        (void)fprintf(stderr, "more: --cursor %.*s\n", LEAT_STR_FMT(leat_buf_str(&json)));
    }
    return code;
}

int leat_dlq_list(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n)
{
    (void)args;
    (void)n;
    struct leat_error err = {0};
    struct leat_dead_filter f;
    struct leat_dead_list l = {.n = 0};
    struct leat_dead_page page = {.limit = o->limit < 0 ? LIMIT_DEFAULT : (size_t)o->limit};
    leat_status status = leat_dlq_filter(s, o, LEAT_DEAD_OPEN, &f, &err);
    if (status == LEAT_OK && o->cursor != NULL)
        status = leat_dead_cursor_read(leat_str_of(o->cursor), &page, &err);
    if (status == LEAT_OK)
        status = leat_dead_list_read(s->store, &f, &page, s->arena, &l, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    if (page.limit == 0)
        l.more = false;
    int code = LEAT_EXIT_OK;
    if (o->json) {
        LEAT_AUTO(leat_buf_done) struct leat_buf out;
        struct leat_json_writer w;
        leat_buf_init(&out, OUTPUT_MAX);
        leat_json_writer_init(&w, &out);
        leat_dead_list_json(&l, &w);
        leat_buf_putc(&out, '\n');
        code = leat_cli_print(&out);
    } else {
        code = print_list(s, &l);
    }
    if (l.groups.total == 0)
        leat_dlq_suggest(s, &f);
    return code;
}

/* ---- show ---- */

int leat_dlq_show(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n)
{
    (void)n;
    struct leat_error err = {0};
    struct leat_dead_row d;
    struct leat_uuid *id = NULL;
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    struct leat_json_writer w;
    leat_buf_init(&out, OUTPUT_MAX);
    leat_status status = leat_sweep_ids(args, 1, s->arena, &id, &err);
    if (status == LEAT_OK)
        status = leat_dead_by_id(s->store, leat_str_of(o->processor), id, s->arena, &d, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    if (o->json) {
        leat_json_writer_init(&w, &out);
        leat_dead_json(s->schemas, &d, &w);
        leat_buf_putc(&out, '\n');
    } else {
        leat_dead_text(s->schemas, &d, &out);
    }
    return leat_cli_print(&out);
}

int leat_cmd_dlq(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_dlq(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct leat_dlq_options o = {.limit = -1};
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
