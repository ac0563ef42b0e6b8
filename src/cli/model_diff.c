/* leat model diff: two versions row by row at one position. */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/model_verbs.h"
#include "cli/replay.h"
#include "projection/compare.h"
#include "projection/redis_copy.h"

#define LOOK_EVERY_MS 5
#define COPY_EVERY_MS 50
#define SHOWN_MAX     ((size_t)4 << 20)

struct side {
    char version[LEAT_VERSION_BYTES];
    struct leat_env *env;
    struct leat_env_txn txn;
    bool reading;
    struct leat_shape *shape;
    struct leat_checkpoint *at;
    struct leat_model_sum sum;
};

struct diff {
    struct leat_model_call *c;
    struct side left, right;
    struct leat_comparison comparison;
    struct leat_buf shown; /* lines, or members of an array */
    int64_t left_to_show;
    bool same_position;
};

/* ---- which two ---- */

static leat_status choose(struct diff *d, struct leat_error *err)
{
    const struct leat_model_call *c = d->c;
    const struct leat_version *a = leat_versions_find(&c->versions, c->current), *b = NULL;
    if (c->n_args > 0)
        LEAT_TRY(leat_model_version(c, c->args[0], &a, err), err, "diff");
    if (c->n_args > 1)
        LEAT_TRY(leat_model_version(c, c->args[1], &b, err), err, "diff");
    if (a == NULL)
        return leat_fail(err, LEAT_ABSENT, "model '%s' has no current version",
                         c->projection->name.at);
    for (size_t i = 0; i < c->versions.n && c->n_args < 2; i++) {
        const struct leat_version *v = &c->versions.at[i];
        if (v != a && !v->refused && !v->building && v->has_data &&
            (b == NULL || v->made_ms >= b->made_ms))
            b = v;
    }
    if (b == NULL)
        return leat_fail(err, LEAT_ABSENT, "model '%s' has no other version to compare with",
                         c->projection->name.at);
    if (a->building || b->building)
        return leat_fail(err, LEAT_INVALID, "version %s is not built yet",
                         a->building ? a->name : b->name);
    memcpy(d->left.version, a->name, sizeof a->name);
    memcpy(d->right.version, b->name, sizeof b->name);
    return LEAT_OK;
}

static leat_status open_side(const struct diff *d, struct side *s, struct leat_error *err)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    if (leat_model_in_redis(d->c))
        return LEAT_OK; /* copied when both stand at one position */
    LEAT_TRY(leat_version_dir(d->c->s.data_dir, d->c->projection->name, s->version, dir, err), err,
             "diff");
    return leat_env_open(dir, false, 0, &s->env, err);
}

static void let_go(struct side *s)
{
    if (s->reading)
        leat_env_read_end(&s->txn);
    s->reading = false;
}

static void close_side(struct side *s)
{
    let_go(s);
    leat_shape_free(s->shape);
    leat_env_close(s->env);
}

/* ---- at one position ---- */

static leat_status look(const struct diff *d, struct side *s, struct leat_error *err)
{
    LEAT_TRY(leat_env_read_begin(s->env, &s->txn, err), err, "version %s", s->version);
    s->reading = true;
    if (s->shape == NULL)
        LEAT_TRY(leat_shape_read(&s->txn, &s->shape, err), err, "version %s", s->version);
    if (s->at == NULL)
        s->at = leat_arena_zalloc(d->c->s.arena, (size_t)s->shape->partitions, sizeof *s->at);
    return leat_checkpoints_read(&s->txn, s->shape->partitions, s->at, err);
}

static bool at_one_position(const struct diff *d)
{
    int32_t n = d->left.shape->partitions;
    if (n != d->right.shape->partitions)
        return true; /* never the same */
    for (int32_t k = 0; k < n; k++) {
        if (d->left.at[k].seq != d->right.at[k].seq)
            return false;
    }
    return true;
}

/* ---- Redis: copies of both ---- */

static leat_status copy_side(const struct diff *d, struct side *s, struct leat_error *err)
{
    char dir[LEAT_MODEL_PATH_BYTES];
    const struct leat_model_call *c = d->c;
    close_side(s);
    s->env = NULL;
    s->shape = NULL;
    s->at = NULL;
    LEAT_TRY(leat_scratch_folder(dir, err), err, "diff");
    leat_status status =
        leat_redis_copy(c->s.topology, c->projection, s->version, dir, &s->env, err);
    leat_scratch_folder_remove(dir);
    return status == LEAT_OK ? look(d, s, err) : status;
}

static leat_status positions_meet(const struct diff *d, bool *ret, struct leat_error *err)
{
    struct leat_version_state left = {0}, right = {0};
    LEAT_TRY(leat_model_peek(d->c, d->left.version, &left, err), err, "diff");
    LEAT_TRY(leat_model_peek(d->c, d->right.version, &right, err), err, "diff");
    if (!left.has_data || !right.has_data)
        return leat_fail(err, LEAT_ABSENT, "version %s has no data",
                         left.has_data ? d->right.version : d->left.version);
    *ret = left.partitions != right.partitions;
    bool same = !*ret;
    for (int32_t k = 0; k < left.partitions && same; k++)
        same = left.at[k].seq == right.at[k].seq;
    *ret = *ret || same;
    return LEAT_OK;
}

static leat_status meet_copies(struct diff *d, struct leat_error *err)
{
    int64_t until_us = leat_mono_us() + d->c->wait_ms * 1000;
    for (;;) {
        bool met = false, late = leat_mono_us() >= until_us;
        LEAT_TRY(positions_meet(d, &met, err), err, "diff");
        if (met || late) {
            LEAT_TRY(copy_side(d, &d->left, err), err, "diff");
            LEAT_TRY(copy_side(d, &d->right, err), err, "diff");
            d->same_position = at_one_position(d);
            if (d->same_position || late)
                return LEAT_OK;
        }
        (void)poll(NULL, 0, COPY_EVERY_MS);
    }
}

/* ---- LMDB ---- */

/* The projector writes one after the other: between two batches they are equally far. */
static leat_status meet(struct diff *d, struct leat_error *err)
{
    int64_t until_us = leat_mono_us() + d->c->wait_ms * 1000;
    for (;;) {
        LEAT_TRY(look(d, &d->left, err), err, "diff");
        LEAT_TRY(look(d, &d->right, err), err, "diff");
        d->same_position = at_one_position(d);
        if (d->same_position || leat_mono_us() >= until_us)
            return LEAT_OK;
        let_go(&d->left);
        let_go(&d->right);
        (void)poll(NULL, 0, LOOK_EVERY_MS);
    }
}

/* ---- what differs ---- */

static const char *const kinds[] = {[LEAT_DIFFERENT_FIELDS] = "fields",
                                    [LEAT_ONLY_LEFT] = "only_left",
                                    [LEAT_ONLY_RIGHT] = "only_right",
                                    [LEAT_DAMAGED_LEFT] = "damaged_left"};

static void put_cells(const struct leat_difference *x, bool may_round, struct leat_json_writer *w)
{
    for (uint32_t i = 0; i < x->n_fields; i++) {
        bool rounded = false;
        if (x->left == NULL || x->right == NULL ||
            leat_cell_same(&x->left[i], &x->right[i], may_round, &rounded))
            continue;
        leat_json_key(w, x->fields[i]);
        leat_json_begin_array(w);
        leat_cell_json(&x->left[i], w);
        leat_cell_json(&x->right[i], w);
        leat_json_end_array(w);
    }
}

static void found(void *arg, const struct leat_difference *x)
{
    struct diff *d = arg;
    struct leat_json_writer w;
    if (d->left_to_show-- <= 0 || d->shown.len > SHOWN_MAX / 2)
        return;
    if (d->c->o->json && d->shown.len > 0)
        leat_buf_putc(&d->shown, ',');
    if (!d->c->o->json)
        leat_buf_puts(&d->shown, "  ");
    leat_json_writer_init(&w, &d->shown);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "key", x->key);
    leat_json_put_cstr(&w, "kind", kinds[x->kind]);
    put_cells(x, d->comparison.sums_may_round, &w);
    leat_json_end_object(&w);
    if (!d->c->o->json)
        leat_buf_putc(&d->shown, '\n');
}

static leat_status compare(struct diff *d, struct leat_error *err)
{
    d->comparison = (struct leat_comparison){
        .left = {&d->left.txn, d->left.shape},
        .right = {&d->right.txn, d->right.shape},
        .common_only = true,
        .sums_may_round = !d->c->projection->keyed_by_stream,
        .found = found,
        .arg = d,
    };
    LEAT_TRY(leat_model_sum(&d->comparison.left, &d->left.sum, err), err, "diff");
    LEAT_TRY(leat_model_sum(&d->comparison.right, &d->right.sum, err), err, "diff");
    return leat_models_compare(&d->comparison, err);
}

/* ---- the answer ---- */

static bool is_equal(const struct diff *d)
{
    const struct leat_comparison *c = &d->comparison;
    return c->different == 0 && (c->rounded > 0 || c->common_only ||
                                 (c->index_only_left == 0 && c->index_only_right == 0));
}

static void put_side(struct leat_json_writer *w, const char *name, const struct side *s)
{
    leat_json_key(w, leat_str_of(name));
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "version", s->version);
    leat_json_put_int(w, "rows", (int64_t)s->sum.rows);
    leat_json_put_cstr(w, "digest", s->sum.digest);
    leat_json_end_object(w);
}

static void put_json(const struct diff *d, struct leat_buf *out)
{
    const struct leat_comparison *c = &d->comparison;
    struct leat_json_writer w;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_str(&w, "model", d->c->projection->name);
    leat_json_put_bool(&w, "equal", is_equal(d));
    leat_json_put_bool(&w, "same_position", d->same_position);
    put_side(&w, "left", &d->left);
    put_side(&w, "right", &d->right);
    leat_json_put_int(&w, "rows", (int64_t)c->rows);
    leat_json_put_int(&w, "different", (int64_t)c->different);
    leat_json_put_int(&w, "rounded", (int64_t)c->rounded);
    leat_json_put_int(&w, "fields_compared", c->n_common);
    leat_json_put_bool(&w, "same_declaration", !c->common_only);
    leat_json_put_int(&w, "index_only_left", (int64_t)c->index_only_left);
    leat_json_put_int(&w, "index_only_right", (int64_t)c->index_only_right);
    leat_json_key(&w, LEAT_STR("differences"));
    LEAT_AUTO(leat_buf_done) struct leat_buf list;
    leat_buf_init(&list, SHOWN_MAX);
    leat_buf_printf(&list, "[%.*s]", LEAT_STR_FMT(leat_buf_str(&d->shown)));
    leat_json_raw(&w, leat_buf_str(&list));
    leat_json_end_object(&w);
    leat_buf_putc(out, '\n');
}

static void put_text(const struct diff *d, struct leat_buf *out)
{
    const struct leat_comparison *c = &d->comparison;
    leat_buf_printf(out, "%s: %s and %s are %s: %" PRIu64 " rows, %" PRIu64 " different\n",
                    d->c->projection->name.at, d->left.version, d->right.version,
                    is_equal(d) ? "equal" : "DIFFERENT", c->rows, c->different);
    if (c->common_only)
        leat_buf_printf(out, "of different declarations: only the %u fields of both compared\n",
                        c->n_common);
    if (!d->same_position)
        leat_buf_puts(out, "at different positions: one did not come to where the other is within "
                           "--wait\n");
    leat_buf_put(out, d->shown.at, d->shown.len);
}

int leat_model_diff_run(struct leat_model_call *c)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    struct diff d = {.c = c, .left_to_show = c->o->limit};
    struct leat_error err = {0};
    leat_buf_init(&out, LEAT_MODEL_OUTPUT_MAX);
    leat_buf_init(&d.shown, SHOWN_MAX);
    leat_status status = choose(&d, &err);
    if (status == LEAT_OK)
        status = open_side(&d, &d.left, &err);
    if (status == LEAT_OK)
        status = open_side(&d, &d.right, &err);
    if (status == LEAT_OK)
        status = leat_model_in_redis(c) ? meet_copies(&d, &err) : meet(&d, &err);
    if (status == LEAT_OK)
        status = compare(&d, &err);
    int code = 0;
    if (status == LEAT_OK) {
        if (c->o->json)
            put_json(&d, &out);
        else
            put_text(&d, &out);
        code = leat_cli_print(&out);
        if (code == LEAT_EXIT_OK && !is_equal(&d))
            code = LEAT_EXIT_NO;
    } else {
        code = leat_cli_fail(&err);
    }
    close_side(&d.left);
    close_side(&d.right);
    leat_buf_done(&d.shown);
    return code;
}
