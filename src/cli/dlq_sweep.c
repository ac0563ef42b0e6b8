/* leat dlq redrive and drop. */
#include <stdio.h>

#include "base/json.h"
#include "cli/dlq.h"
#include "cli/sweep_run.h"
#include "query/by_id.h"

#define OUTPUT_MAX (4U << 20)
#define OPEN       (1U << LEAT_DEAD_DEAD | 1U << LEAT_DEAD_QUARANTINED)

/* ---- a dry run ---- */

static int print_groups(struct leat_session *s, const struct leat_dlq_options *o,
                        const struct leat_dead_filter *f)
{
    struct leat_error err = {0};
    struct leat_dead_list l = {.n = 0};
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    leat_buf_init(&out, OUTPUT_MAX);
    if (leat_store_dead_groups(s->store, f, s->arena, &l.groups, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    if (o->json) {
        struct leat_json_writer w;
        leat_json_writer_init(&w, &out);
        leat_dead_list_json(&l, &w);
        leat_buf_putc(&out, '\n');
    } else {
        int code = leat_dlq_print_groups(&l.groups, &out);
        if (code != LEAT_EXIT_GO_ON)
            return code;
        leat_buf_printf(&out, "%s%lld dead letters; nothing was changed\n",
                        l.groups.n > 0 ? "\n" : "", (long long)l.groups.total);
    }
    int code = leat_cli_print(&out);
    if (l.groups.total == 0)
        leat_dlq_suggest(s, f);
    return code;
}

static int print_found(const struct leat_dlq_options *o, const struct leat_dead_rows *all)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    struct leat_json_writer w;
    char id[LEAT_UUID_TEXT];
    leat_buf_init(&out, OUTPUT_MAX);
    leat_json_writer_init(&w, &out);
    if (o->json)
        leat_json_begin_array(&w);
    for (size_t i = 0; i < all->n; i++) {
        const struct leat_dead_row *d = &all->at[i];
        leat_uuid_format(&d->id, id);
        if (o->json) {
            leat_json_begin_object(&w);
            leat_json_put_cstr(&w, "id", id);
            leat_json_put_str(&w, "processor", d->processor);
            leat_json_put_str(&w, "state", d->state);
            leat_json_end_object(&w);
        } else {
            leat_buf_printf(&out, "%s  %.*s  %.*s\n", id, LEAT_STR_FMT(d->processor),
                            LEAT_STR_FMT(d->state));
        }
    }
    if (o->json)
        leat_json_end_array(&w);
    leat_buf_puts(&out, o->json ? "\n" : "nothing was changed\n");
    return leat_cli_print(&out);
}

/* ---- both ---- */

/* Ids or filters: with both it is not plain what is meant, with neither it may be a slip. */
static leat_status check_call(const struct leat_dlq_options *o, const char *word, int n,
                              struct leat_error *err)
{
    struct leat_dlq_options without = *o;
    without.processor = NULL;
    if (n > 0 && (leat_dlq_filtered(&without) || o->all))
        return leat_fail(err, LEAT_INVALID, "leat dlq %s takes ids or filters, not both", word);
    if (n > 0 || leat_dlq_filtered(o) || o->all)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_INVALID, "leat dlq %s: which ones is not said", word);
    leat_error_hint(err, "Give ids, filters (--processor, --code, --since …) or --all.");
    return LEAT_INVALID;
}

static int sweep(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n,
                 struct leat_sweep_run *r)
{
    struct leat_error err = {0};
    struct leat_dead_filter f;
    struct leat_dead_rows found = {.n = 0};
    struct leat_uuids ids = {.n = (size_t)n};
    const struct leat_dead_page all = {.filter = &f, .limit = LEAT_SWEEP_MAX};
    struct leat_dead_ref *refs = NULL;
    size_t count = 0;
    leat_status status = leat_dlq_filter(s, o, OPEN, &f, &err);
    if (status == LEAT_OK && n > 0)
        status = leat_sweep_ids(args, n, s->arena, &ids.at, &err);
    if (status == LEAT_OK && n > 0)
        status =
            leat_dead_by_ids(s->store, leat_str_of(o->processor), &ids, s->arena, &found, &err);
    if (status == LEAT_OK && o->dry_run)
        return n > 0 ? print_found(o, &found) : print_groups(s, o, &f);
    if (status == LEAT_OK && n == 0)
        status = leat_store_dead_refs(s->store, &all, s->arena, &refs, &count, &err);
    if (status == LEAT_OK && n > 0) {
        refs = leat_dead_refs_of(&found, s->arena);
        count = found.n;
    }
    r->sweep->store = s->store;
    r->sweep->topology = s->topology;
    r->sweep->arena = s->arena;
    r->sweep->max = o->max;
    r->ids = n > 0;
    r->json = o->json;
    if (status == LEAT_OK)
        status = leat_sweep_start(r->sweep, refs, count, &err);
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    int code = leat_sweep_run(r);
    if (count == 0)
        leat_dlq_suggest(s, &f);
    return code;
}

int leat_dlq_redrive(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n)
{
    struct leat_error err = {0};
    struct leat_sweep all = {.what = LEAT_SWEEP_REDRIVE, .force = o->force};
    struct leat_sweep_run r = {
        .sweep = &all, .done = "redriven", .again = "Run it again: it goes on where it stopped."};
    if (check_call(o, "redrive", n, &err) != LEAT_OK ||
        leat_sweep_rate(o->rate, &r.per_s, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    return sweep(s, o, args, n, &r);
}

int leat_dlq_drop(struct leat_session *s, const struct leat_dlq_options *o, char **args, int n)
{
    struct leat_error err = {0};
    struct leat_sweep all = {.what = LEAT_SWEEP_DROP};
    struct leat_sweep_run r = {
        .sweep = &all, .done = "dropped", .again = "Run it again: it goes on where it stopped."};
    leat_status status = check_call(o, "drop", n, &err);
    if (status == LEAT_OK && !o->dry_run && (o->reason == NULL || o->reason[0] == '\0')) {
        status = leat_fail(&err, LEAT_INVALID, "leat dlq drop: why is not said");
        leat_error_hint(&err, "Give --reason TEXT; it is kept with what is dropped.");
    }
    if (status != LEAT_OK)
        return leat_cli_fail(&err);
    all.note = leat_sweep_note(o->reason != NULL ? o->reason : "", s->arena);
    return sweep(s, o, args, n, &r);
}
