#include "cli/sweep_run.h"

#include <errno.h>
#include <inttypes.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/env.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/cli.h"

#define OUTPUT_MAX  (64U << 20)
#define PROGRESS_US 1000000
#define TICKS_PER_S 4 /* calls at a given rate: each costs the slice's owner a new start */
#define TRIES_MAX   5
#define NOTE_MAX    500

leat_status leat_sweep_rate(const char *text, int64_t *ret, struct leat_error *err)
{
    int64_t n = 0;
    if (text == NULL)
        return LEAT_OK;
    struct leat_str s = leat_str_of(text);
    if (s.len > 2 && memcmp(s.at + s.len - 2, "/s", 2) == 0)
        s.len -= 2;
    if (leat_parse_int(s, &n) == LEAT_UNITS_OK && n >= 1 && n <= LEAT_SWEEP_MAX) {
        *ret = n;
        return LEAT_OK;
    }
    (void)leat_fail(err, LEAT_INVALID, "'%.40s' is no rate from 1/s to %d/s", text, LEAT_SWEEP_MAX);
    leat_error_hint(err, "So many in a second, as in 200/s.");
    return LEAT_INVALID;
}

leat_status leat_sweep_ids(char **args, int n, struct leat_arena *arena, struct leat_uuid **ret,
                           struct leat_error *err)
{
    struct leat_uuid *ids = leat_arena_zalloc(arena, (size_t)n + 1, sizeof *ids);
    for (int i = 0; i < n; i++) {
        if (!leat_uuid_parse(leat_str_of(args[i]), &ids[i])) {
            (void)leat_fail(err, LEAT_INVALID, "'%.100s' is no id", args[i]);
            leat_error_hint(err, "An id is a UUID, as `list` shows it.");
            return LEAT_INVALID;
        }
    }
    *ret = ids;
    return LEAT_OK;
}

struct leat_str leat_sweep_note(const char *text, struct leat_arena *arena)
{
    const char *user = leat_env("USER");
    const struct passwd *entry = user == NULL || user[0] == '\0' ? getpwuid(getuid()) : NULL;
    if (user == NULL || user[0] == '\0')
        user = entry != NULL ? entry->pw_name : "somebody";
    return leat_str_of(leat_arena_printf(arena, "%.*s (by %.64s)", NOTE_MAX, text, user));
}

/* ---- pace ---- */

/* Until it is time for what comes after `calls` calls. */
static void keep_pace(int64_t started_us, int64_t done, int64_t per_s)
{
    int64_t at_us = started_us + done * 1000000 / per_s;
    struct timespec until = {.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
        continue;
}

static void say_progress(const struct leat_sweep_run *r, int64_t since_us)
{
    const struct leat_sweep *s = r->sweep;
    int64_t goal = s->max > 0 && s->max < s->todo ? s->max : s->todo;
    (void)fprintf(stderr, "%" PRId64 " of %" PRId64 " %s, %" PRId64 "/s\n", leat_sweep_done(s),
                  goal, r->done, since_us > 0 ? leat_sweep_done(s) * 1000000 / since_us : 0);
}

/* A call whose fate is open is made again: what it did is told then as done already. */
static leat_status step(struct leat_sweep *s, int64_t limit, bool *ret_more, struct leat_error *err)
{
    for (int tries = 1;; tries++) {
        leat_status status = LEAT_OK;
        if (!leat_store_connected(s->store))
            status = leat_store_reconnect(s->store, err);
        if (status == LEAT_OK)
            status = leat_sweep_step(s, limit, ret_more, err);
        if (status != LEAT_RETRY || tries == TRIES_MAX)
            return status;
        keep_pace(leat_mono_us(), tries, 2);
    }
}

static leat_status run(struct leat_sweep_run *r, int64_t started_us, struct leat_error *err)
{
    int64_t told_us = started_us;
    int64_t limit = r->per_s > 0 ? (r->per_s + TICKS_PER_S - 1) / TICKS_PER_S : LEAT_SWEEP_BATCH;
    bool more = true;
    while (more) {
        leat_status status = step(r->sweep, limit, &more, err);
        if (status != LEAT_OK)
            return status;
        int64_t now_us = leat_mono_us();
        if (more && now_us - told_us >= PROGRESS_US) {
            told_us = now_us;
            say_progress(r, now_us - started_us);
        }
        if (more && r->per_s > 0)
            keep_pace(started_us, leat_sweep_done(r->sweep), r->per_s);
    }
    return LEAT_OK;
}

/* ---- what came of it ---- */

static void print_json(const struct leat_sweep_run *r, int64_t took_us)
{
    const struct leat_sweep *s = r->sweep;
    struct leat_buf out;
    struct leat_json_writer w;
    char id[LEAT_UUID_TEXT];
    leat_buf_init(&out, OUTPUT_MAX);
    leat_json_writer_init(&w, &out);
    leat_json_begin_object(&w);
    leat_json_put_int(&w, r->done, leat_sweep_done(s));
    leat_json_put_int(&w, "refused", leat_sweep_refused(s));
    leat_json_key(&w, LEAT_STR("results"));
    leat_json_begin_object(&w);
    for (int i = 0; i < LEAT_OPERATED_COUNT; i++) {
        if (s->counts[i] > 0)
            leat_json_put_int(&w, leat_operated_names[i], s->counts[i]);
    }
    leat_json_end_object(&w);
    leat_json_put_int(&w, "left", s->todo - s->seen);
    leat_json_put_int(&w, "took_ms", took_us / 1000);
    if (r->ids) {
        leat_json_key(&w, LEAT_STR("ids"));
        leat_json_begin_array(&w);
        for (int64_t i = 0; i < s->seen; i++) {
            leat_uuid_format(&s->told[i].ref->id, id);
            leat_json_begin_object(&w);
            leat_json_put_cstr(&w, "id", id);
            leat_json_put_str(&w, "processor", s->told[i].ref->processor);
            leat_json_put_cstr(&w, "result", leat_operated_names[s->told[i].result]);
            leat_json_end_object(&w);
        }
        leat_json_end_array(&w);
    }
    leat_json_end_object(&w);
    leat_buf_putc(&out, '\n');
    (void)leat_cli_print(&out);
    leat_buf_done(&out);
}

static void print_text(const struct leat_sweep_run *r, int64_t took_us)
{
    const struct leat_sweep *s = r->sweep;
    char id[LEAT_UUID_TEXT], took[LEAT_UNITS_TEXT];
    for (int64_t i = 0; r->ids && i < s->seen; i++) {
        if (s->told[i].result <= LEAT_OPERATED_DEAD)
            continue;
        leat_uuid_format(&s->told[i].ref->id, id);
        (void)fprintf(stderr, "%s %s\n", id, leat_operated_text(s->told[i].result));
    }
    (void)printf("%" PRId64 " %s", leat_sweep_done(s), r->done);
    if (s->counts[LEAT_OPERATED_DEAD] > 0)
        (void)printf(" (%" PRId64 " are dead letters now)", s->counts[LEAT_OPERATED_DEAD]);
    for (int i = LEAT_OPERATED_ABSENT; i < LEAT_OPERATED_COUNT; i++) {
        if (s->counts[i] > 0)
            (void)printf("; %" PRId64 " not: each %s", s->counts[i],
                         leat_operated_text((leat_operated)i));
    }
    if (s->seen < s->todo)
        (void)printf("; %" PRId64 " not looked at", s->todo - s->seen);
    (void)printf("; took %s, %" PRId64 "/s\n", leat_format_duration(took_us / 1000, took),
                 took_us > 0 ? leat_sweep_done(s) * 1000000 / took_us : 0);
    if (s->counts[LEAT_OPERATED_QUARANTINED] > 0 && !s->force)
        (void)fprintf(stderr, "leat: what is in quarantine is redriven with --force only\n");
}

int leat_sweep_run(struct leat_sweep_run *r)
{
    struct leat_error err = {0};
    int64_t started_us = leat_mono_us();
    leat_status status = run(r, started_us, &err);
    int64_t took_us = leat_mono_us() - started_us;
    if (r->json)
        print_json(r, took_us);
    else
        print_text(r, took_us);
    if (status != LEAT_OK) {
        leat_error_hint(&err, "%s", r->again);
        return leat_cli_fail(&err) == LEAT_EXIT_USAGE ? LEAT_EXIT_USAGE : LEAT_EXIT_FAILED;
    }
    bool refused =
        leat_sweep_refused(r->sweep) > 0 || (r->ids && leat_sweep_done(r->sweep) < r->sweep->todo);
    return refused ? LEAT_EXIT_NO : LEAT_EXIT_OK;
}
