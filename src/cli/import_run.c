#include "cli/import_run.h"

#include <errno.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/import_show.h"
#include "codec/codec.h"
#include "codec/field_check.h"
#include "codec/fields.h"
#include "query/query.h"

#define ARENA_BYTES       1024
#define COLUMN_SHOWN      40
#define COMMAND_BYTES_MAX ((size_t)1 << 20)
#define SAVE_EVERY_US     INT64_C(1000000)
#define SHOW_EVERY_ROWS   256
#define POLL_MS           100
#define QUIET_US          INT64_C(3000000) /* without a delivery: say that we wait */
#define GIVE_UP_STOP_US   INT64_C(3000000) /* of waiting for deliveries after a signal */
#define TRIES_MAX         5                /* at one place in the file, when deliveries fail */

struct run {
    const struct leat_import *im;
    struct leat_import_counts now; /* acked->counts and what was read since */
    struct leat_import_show show;
    struct leat_buf json, avro;
    int64_t next_save_us;
    int tries;
};

static bool stopping(const struct run *r)
{
    return *r->im->stop != 0;
}

static leat_status stopped(struct leat_error *err)
{
    return leat_fail(err, LEAT_RETRY, "stopped");
}

/* Waits until something was delivered or it is plain that nothing is, and says so. */
static size_t await_delivery(struct run *r, size_t before, int64_t *quiet_since_us)
{
    size_t left = leat_sender_pending(r->im->sender, POLL_MS);
    int64_t now_us = leat_mono_us();
    if (left < before || *quiet_since_us == 0)
        *quiet_since_us = now_us;
    if (now_us - *quiet_since_us >= QUIET_US) {
        leat_import_show_waiting(&r->show, (int64_t)left);
        *quiet_since_us = now_us;
    }
    return left;
}

/* Until all is delivered or has failed. RETRY: a signal came and the broker is silent. */
static leat_status drain(struct run *r, struct leat_error *err)
{
    int64_t quiet_since_us = 0;
    int64_t stop_us = 0;
    size_t left = leat_sender_pending(r->im->sender, 0);
    while (left > 0) {
        left = await_delivery(r, left, &quiet_since_us);
        if (!stopping(r))
            continue;
        int64_t now_us = leat_mono_us();
        stop_us = stop_us == 0 ? now_us : stop_us;
        if (now_us - stop_us > GIVE_UP_STOP_US)
            return stopped(err);
    }
    return LEAT_OK;
}

/* Back to what is acknowledged for certain. */
static leat_status go_back(struct run *r, struct leat_error *err)
{
    const struct leat_import *im = r->im;
    r->now = im->acked->counts;
    if (im->rejects != NULL) {
        LEAT_TRY(leat_import_rejects_back(im->rejects, im->acked->rejects_bytes, err), err,
                 "rejects");
    }
    return leat_import_source_seek(im->source, im->acked->offset, im->acked->line, err);
}

static leat_status again(struct run *r, size_t failed, struct leat_error *err)
{
    if (stopping(r))
        return stopped(err);
    if (++r->tries >= TRIES_MAX) {
        return leat_fail(err, LEAT_FATAL,
                         "the broker did not take %zu records after line %jd, %d times in a row",
                         failed, (intmax_t)r->im->acked->line, r->tries);
    }
    leat_log(LEAT_LOG_WARN, "cli", "import-again",
             "the broker did not take %zu records; sending again from line %jd", failed,
             (intmax_t)r->im->acked->line);
    struct timespec pause = {.tv_sec = r->tries};
    (void)nanosleep(&pause, NULL); /* a signal ends it */
    return go_back(r, err);
}

static leat_status save(struct run *r, bool finished, struct leat_error *err)
{
    const struct leat_import *im = r->im;
    if (im->rejects != NULL) {
        LEAT_TRY(leat_import_rejects_flush(im->rejects, &im->acked->rejects_bytes, err), err,
                 "rejects");
    }
    im->acked->counts = r->now;
    im->acked->offset = im->source->csv.offset;
    im->acked->line = im->source->csv.line;
    im->acked->finished = finished;
    r->tries = 0;
    r->next_save_us = leat_mono_us() + SAVE_EVERY_US;
    return im->progress_path == NULL ? LEAT_OK
                                     : leat_import_progress_save(im->progress_path, im->acked, err);
}

/* Everything up to here acknowledged and written down, or back to where that is so (*ret_back). */
static leat_status settle(struct run *r, bool finished, bool *ret_back, struct leat_error *err)
{
    *ret_back = false;
    if (r->im->sender == NULL)
        return save(r, finished, err);
    leat_status status = drain(r, err);
    if (status != LEAT_OK)
        return status;
    size_t failed = leat_sender_failed(r->im->sender);
    if (failed == 0)
        return save(r, finished, err);
    *ret_back = true;
    return again(r, failed, err);
}

static leat_status refuse(struct run *r, const struct leat_csv_row *row,
                          const struct leat_import_refusal *why, struct leat_error *err)
{
    const struct leat_import *im = r->im;
    leat_import_count_refusal(&r->now, why->code);
    if (im->rejects != NULL)
        LEAT_TRY(leat_import_rejects_add(im->rejects, row, why, err), err, "rejects");
    if (im->refused_max < 0 || r->now.refused <= im->refused_max)
        return LEAT_OK;
    return leat_fail(err, LEAT_INVALID, "line %jd: %s (more than %jd rows refused)",
                     (intmax_t)row->line, why->reason, (intmax_t)im->refused_max);
}

static struct leat_uuid row_id(const struct run *r, const struct leat_csv_row *row)
{
    uint8_t name[8];
    if (r->im->ids)
        return leat_import_row_id(r->im->plan);
    for (int i = 0; i < 8; i++)
        name[i] = (uint8_t)((uint64_t)row->offset >> (56 - 8 * i));
    return leat_uuid_v5(&r->im->acked->id, name, sizeof name);
}

static leat_status queue(struct run *r, const struct leat_csv_row *row, struct leat_error *err)
{
    struct leat_uuid id = row_id(r, row);
    const struct leat_command_in in = {.type = r->im->type,
                                       .json = leat_buf_str(&r->json),
                                       .id = &id,
                                       .priority = r->im->priority,
                                       .any_fields = r->im->any_fields};
    int64_t quiet_since_us = 0;
    for (;;) {
        struct leat_command_sent sent;
        leat_status status = leat_sender_queue(r->im->sender, &in, NULL, &sent, err);
        if (status != LEAT_RETRY)
            return status;
        if (stopping(r))
            return stopped(err);
        size_t left = leat_sender_pending(r->im->sender, 0);
        (void)await_delivery(r, left, &quiet_since_us);
    }
}

static leat_status check(struct run *r, struct leat_error *err)
{
    leat_buf_clear(&r->avro);
    struct leat_str json = leat_buf_str(&r->json);
    leat_status status = leat_schema_from_json(r->im->schema, json, &r->avro, err);
    if (status != LEAT_OK || r->im->any_fields)
        return status;
    struct leat_arena *arena = leat_arena_new(ARENA_BYTES, 0);
    status = leat_check_fields(r->im->schema, json, arena, err);
    leat_arena_free(arena);
    return status;
}

/* The plan let the row pass, the schema did not: its column, where one value is at fault. */
static void say_why(const struct run *r, const struct leat_error *err,
                    struct leat_import_refusal *why)
{
    struct leat_str field = leat_schema_misfit(r->im->schema, leat_buf_str(&r->json));
    struct leat_str column;
    why->code = "encode";
    if (field.len > 0 && leat_import_column(r->im->plan, field, &column)) {
        (void)snprintf(why->reason, sizeof why->reason, "column %.*s: %.240s",
                       (int)(column.len < COLUMN_SHOWN ? column.len : COLUMN_SHOWN), column.at,
                       err->msg);
    } else {
        bool near = err->hint[0] != '\0';
        (void)snprintf(why->reason, sizeof why->reason, "%.220s%s%.80s%s", err->msg,
                       near ? " (" : "", err->hint, near ? ")" : "");
    }
}

static leat_status one_row(struct run *r, const struct leat_csv_row *row, struct leat_error *err)
{
    struct leat_import_refusal why = {0};
    r->now.rows++;
    if (!leat_import_row(r->im->plan, row, &r->json, &why))
        return refuse(r, row, &why, err);
    leat_status status = r->im->sender == NULL ? check(r, err) : queue(r, row, err);
    if (status == LEAT_INVALID || status == LEAT_POISON) {
        say_why(r, err, &why);
        return refuse(r, row, &why, err);
    }
    r->now.sent += status == LEAT_OK;
    return status;
}

static leat_status all_rows(struct run *r, struct leat_error *err)
{
    for (;;) {
        struct leat_csv_row row;
        bool end = false;
        bool back = false;
        leat_status status = leat_import_source_next(r->im->source, &row, &end, err);
        if (status == LEAT_OK && !end)
            status = one_row(r, &row, err);
        if (status != LEAT_OK)
            return status;
        bool often = r->now.rows % SHOW_EVERY_ROWS == 0;
        if (often && r->im->sender != NULL)
            (void)leat_sender_pending(r->im->sender, 0); /* serves deliveries */
        if (often)
            leat_import_show(&r->show, &r->now, r->im->source->csv.offset);
        if (end || stopping(r) || (often && leat_mono_us() >= r->next_save_us))
            status = settle(r, end, &back, err);
        if (status != LEAT_OK || (end && !back))
            return status;
        if (stopping(r))
            return stopped(err);
    }
}

leat_status leat_import_run(const struct leat_import *im, struct leat_error *err)
{
    struct run r = {.im = im, .now = im->acked->counts};
    r.next_save_us = leat_mono_us() + SAVE_EVERY_US;
    leat_buf_init(&r.json, COMMAND_BYTES_MAX);
    leat_buf_init(&r.avro, COMMAND_BYTES_MAX);
    leat_import_show_start(&r.show, im->show, im->acked);
    leat_status status = all_rows(&r, err);
    leat_import_show_end(&r.show);
    leat_buf_done(&r.json);
    leat_buf_done(&r.avro);
    return status;
}
