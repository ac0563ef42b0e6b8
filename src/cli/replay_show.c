#include <inttypes.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/replay.h"

#define OUTPUT_BYTES_MAX (64u << 20)
#define SHOWN_BYTES_MAX  (16u << 20) /* no more rows are added then */

static const char *const kind_names[] = {
    [LEAT_DIFFERENT_FIELDS] = "fields",
    [LEAT_ONLY_LEFT] = "only_live",
    [LEAT_ONLY_RIGHT] = "only_replay",
    [LEAT_DAMAGED_LEFT] = "damaged",
};
static const char *const kind_texts[] = {
    [LEAT_DIFFERENT_FIELDS] = "",
    [LEAT_ONLY_LEFT] = " is only in the live model",
    [LEAT_ONLY_RIGHT] = " is missing in the live model",
    [LEAT_DAMAGED_LEFT] = " is damaged in the live model",
};

static bool is_equal(const struct leat_replay_result *r)
{
    return r->other_history == NULL && r->c.different == 0 &&
           (r->c.rounded > 0 || (r->c.index_only_left == 0 && r->c.index_only_right == 0));
}

/* ---- one row that differs ---- */

static void put_field(const struct leat_difference *d, uint32_t i, struct leat_json_writer *w)
{
    leat_json_begin_object(w);
    leat_json_put_str(w, "name", d->fields[i]);
    if (d->left != NULL) {
        leat_json_key(w, LEAT_STR("live"));
        leat_cell_json(&d->left[i], w);
    }
    if (d->right != NULL) {
        leat_json_key(w, LEAT_STR("replay"));
        leat_cell_json(&d->right[i], w);
    }
    leat_json_end_object(w);
}

static bool is_worth_showing(const struct leat_difference *d, uint32_t i, bool may_round)
{
    static const struct leat_cell null = {.kind = LEAT_CELL_NULL};
    bool rounded = false;
    return !leat_cell_same(d->left == NULL ? &null : &d->left[i],
                           d->right == NULL ? &null : &d->right[i], may_round, &rounded);
}

static void found_json(const struct leat_replay_show *s, const struct leat_difference *d)
{
    struct leat_json_writer w;
    struct leat_buf *out = &s->result->differences;
    if (s->result->shown > 0)
        leat_buf_putc(out, ',');
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "key", d->key);
    leat_json_put_cstr(&w, "kind", kind_names[d->kind]);
    if (d->why != NULL)
        leat_json_put_cstr(&w, "why", d->why);
    leat_json_key(&w, LEAT_STR("fields"));
    leat_json_begin_array(&w);
    for (uint32_t i = 0; i < d->n_fields; i++) {
        if (is_worth_showing(d, i, s->result->c.sums_may_round))
            put_field(d, i, &w);
    }
    leat_json_end_array(&w);
    leat_json_end_object(&w);
}

static void put_cell_text(struct leat_buf *out, const char *side, const struct leat_cell *cell)
{
    struct leat_json_writer w;
    leat_buf_printf(out, "  %s ", side);
    leat_json_writer_init(&w, out);
    leat_cell_json(cell, &w);
}

static void found_text(const struct leat_replay_show *s, const struct leat_difference *d)
{
    struct leat_buf *out = &s->result->differences;
    leat_buf_printf(out, "row '%.*s'%s%s%s\n", LEAT_STR_FMT(d->key), kind_texts[d->kind],
                    d->why == NULL ? "" : ": ", d->why == NULL ? "" : d->why);
    for (uint32_t i = 0; i < d->n_fields; i++) {
        if (!is_worth_showing(d, i, s->result->c.sums_may_round))
            continue;
        leat_buf_printf(out, "    %-20.*s", LEAT_STR_FMT(d->fields[i]));
        if (d->left != NULL)
            put_cell_text(out, "live", &d->left[i]);
        if (d->right != NULL)
            put_cell_text(out, "replay", &d->right[i]);
        leat_buf_putc(out, '\n');
    }
}

void leat_replay_found(void *arg, const struct leat_difference *d)
{
    const struct leat_replay_show *s = arg;
    if ((int64_t)s->result->shown >= s->limit || s->result->differences.len > SHOWN_BYTES_MAX)
        return;
    if (s->json) {
        found_json(s, d);
    } else {
        found_text(s, d);
    }
    s->result->shown++;
}

/* ---- the whole answer ---- */

/* "<store id>:0=17,1=4,…", one group per store id, as the header Leat-Position. */
static void put_position(const struct leat_replay_result *r, struct leat_buf *out)
{
    char id[LEAT_UUID_TEXT];
    for (int32_t k = 0; k < r->partitions; k++) {
        bool same = k > 0 && leat_uuid_eq(&r->at[k].store_id, &r->at[k - 1].store_id);
        leat_uuid_format(&r->at[k].store_id, id);
        if (!same)
            leat_buf_printf(out, "%s%s:", k > 0 ? ";" : "", id);
        leat_buf_printf(out, "%s%d=%" PRId64, same ? "," : "", (int)k, r->at[k].seq);
    }
}

static void put_live_json(const struct leat_replay_result *r, struct leat_json_writer *w)
{
    leat_json_key(w, LEAT_STR("live"));
    leat_json_begin_object(w);
    leat_json_put_bool(w, "compared", r->compared);
    if (!r->compared) {
        leat_json_put_cstr(w, "why_not", r->why_not);
        leat_json_end_object(w);
        return;
    }
    leat_json_put_bool(w, "equal", is_equal(r));
    if (r->other_history != NULL)
        leat_json_put_cstr(w, "other_history", r->other_history);
    leat_json_put_int(w, "rows", (int64_t)r->live_sum.rows);
    leat_json_put_int(w, "skipped", (int64_t)r->live_sum.skipped);
    leat_json_put_cstr(w, "digest", r->live_sum.digest);
    leat_json_put_int(w, "different", (int64_t)r->c.different);
    leat_json_put_int(w, "rounded", (int64_t)r->c.rounded);
    leat_json_put_int(w, "index_only_live", (int64_t)r->c.index_only_left);
    leat_json_put_int(w, "index_only_replay", (int64_t)r->c.index_only_right);
    leat_json_key(w, LEAT_STR("differences"));
    leat_json_raw(w, leat_buf_str(&r->differences));
    leat_json_end_object(w);
}

static void put_json(const struct leat_replay_result *r, struct leat_buf *out)
{
    struct leat_json_writer w;
    LEAT_AUTO(leat_buf_done) struct leat_buf position;
    leat_buf_init(&position, OUTPUT_BYTES_MAX);
    put_position(r, &position);
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "model", r->projection->name);
    leat_json_put_cstr(&w, "version", r->version);
    leat_json_put_int(&w, "events", (int64_t)r->events);
    leat_json_put_int(&w, "rows", (int64_t)r->sum.rows);
    leat_json_put_int(&w, "skipped", (int64_t)r->sum.skipped);
    leat_json_put_str(&w, "position", leat_buf_str(&position));
    leat_json_put_cstr(&w, "digest", r->sum.digest);
    leat_json_put_int(&w, "took_ms", r->took_ms);
    put_live_json(r, &w);
    leat_json_end_object(&w);
    leat_buf_putc(out, '\n');
}

static void put_live_text(const struct leat_replay_result *r, struct leat_buf *out)
{
    if (!r->compared) {
        leat_buf_printf(out, "live      not compared: %s\n", r->why_not);
        return;
    }
    if (is_equal(r)) {
        leat_buf_printf(out, "live      equal, row by row, at the same position\n");
        if (r->c.rounded > 0) {
            leat_buf_printf(out, "          %" PRIu64 " sums differ by rounding only\n",
                            r->c.rounded);
        }
        return;
    }
    leat_buf_printf(out, "live      DIFFERENT: %" PRIu64 " of %" PRIu64 " rows; digest %s\n",
                    r->c.different, r->c.rows, r->live_sum.digest);
    if (r->other_history != NULL)
        leat_buf_printf(out, "          %s\n", r->other_history);
    if (r->c.index_only_left + r->c.index_only_right > 0) {
        leat_buf_printf(out,
                        "          indexes: %" PRIu64 " entries too many, %" PRIu64 " missing\n",
                        r->c.index_only_left, r->c.index_only_right);
    }
    struct leat_str items = leat_buf_str(&r->differences);
    leat_buf_put(out, items.at, items.len);
    if (r->c.different > r->shown)
        leat_buf_printf(out, "and %" PRIu64 " more rows (--limit)\n", r->c.different - r->shown);
}

static void put_text(const struct leat_replay_result *r, struct leat_buf *out)
{
    int64_t rate = r->took_ms > 0 ? (int64_t)r->events * 1000 / r->took_ms : 0;
    leat_buf_printf(out, "model     %.*s, version %s\n", LEAT_STR_FMT(r->projection->name),
                    r->version);
    leat_buf_printf(out, "events    %" PRIu64 " in %.1f s (%" PRId64 "/s)\n", r->events,
                    (double)r->took_ms / 1000, rate);
    leat_buf_printf(out, "rows      %" PRIu64 "\n", r->sum.rows);
    if (r->sum.skipped > 0)
        leat_buf_printf(out, "skipped   %" PRIu64 " events that do not decode\n", r->sum.skipped);
    leat_buf_puts(out, "position  ");
    put_position(r, out);
    leat_buf_printf(out, "\ndigest    %s\n", r->sum.digest);
    put_live_text(r, out);
}

int leat_replay_print(const struct leat_replay_result *r, bool json)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    leat_buf_init(&out, OUTPUT_BYTES_MAX);
    if (json) {
        put_json(r, &out);
    } else {
        put_text(r, &out);
    }
    int code = leat_cli_print(&out);
    if (code == LEAT_EXIT_OK && r->compared && !is_equal(r))
        return LEAT_EXIT_NO;
    return code;
}
