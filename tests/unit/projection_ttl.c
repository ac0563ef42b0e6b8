/* Rows that go by themselves: against a fold written down here, whatever the batches and the order
 * in which slices are read. */
#include <stdlib.h>
#include <string.h>

#define DAY_MS  INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)

static const char topology_text[] =
    "leat: 1\n"
    "name: t\n"
    "partitions: 4\n"
    "kafka: {bootstrap.servers: 127.0.0.1:1}\n"
    "store: {url: 'postgresql:///t'}\n"
    "priorities: {all: {weight: 1, default: true}}\n"
    "aggregates: {lead: {key: id, state: LeadState}}\n"
    "processors: {leads: {aggregate: lead, commands: [Make], emits: [Seen, Other]}}\n"
    "projections:\n"
    "  seen: {key: $.id, from: {Seen: {add: {n: 1}}}, ttl: 10h, indexes: {by_n: [-n]}}\n"
    "  days: {key: [$.kind, \"day($meta.time, 'Europe/Berlin')\"], from: {Seen: {add: {n: 1}}},\n"
    "         ttl: 2d}\n"
    "http: {listen: '127.0.0.1:0'}\n";

#include "projection_kit.h"

TestSuite(ttl, .init = set_up, .fini = tear_down);

#define EVENTS 4000
#define IDS    40
/* 2026-10-20T00:00Z: Berlin's clocks go back on the 25th. */
#define BEGIN_MS INT64_C(1792454400000)

struct sample {
    int32_t slice;
    int64_t seq, ms;
    int id, kind;
    bool other; /* of a type that no model follows: it moves the clock */
    char json[64];
};
static struct sample samples[EVENTS];

static void make_samples(void)
{
    uint64_t x = 88172645463325252;
    int64_t ms = BEGIN_MS, seqs[4] = {0};
    for (int i = 0; i < EVENTS; i++) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        struct sample *s = &samples[i];
        ms += (int64_t)(x % (HOUR_MS / 2));
        s->id = (int)((x >> 32) % IDS);
        s->kind = (int)((x >> 40) % 3);
        s->slice = s->id % 4;
        s->seq = ++seqs[s->slice];
        s->ms = x % 17 == 0 ? ms - 2 * HOUR_MS : ms; /* a server's clock may go back */
        s->other = x % 11 == 0;
        (void)snprintf(s->json, sizeof s->json, "{\"id\":\"i%d\",\"kind\":\"k%d\"}", s->id,
                       s->kind);
    }
}

static void feed(struct leat_fold *f, const struct sample *s)
{
    struct leat_fold_event e = event(s->slice, s->seq, s->other ? "Other" : "Seen", s->json);
    struct leat_seq_range hole;
    e.meta.recorded_at_ms = s->ms;
    cr_assert_eq(leat_fold_take(f, &e, schemas, &hole), LEAT_SEQ_APPLY);
}

/* The first n events in batches of `size`, all of one slice after those of the other or as they
 * are. */
static void fold_all(const char *model, int n, int size, bool by_slice)
{
    struct leat_fold *f = open_fold(model, 0);
    int kept = 0;
    for (int slice = 3; slice >= (by_slice ? 0 : 3); slice--) {
        for (int i = 0; i < n; i++) {
            if (by_slice && samples[i].slice != slice)
                continue;
            feed(f, &samples[i]);
            if (++kept % size == 0)
                commit(f);
        }
    }
    commit(f);
    leat_fold_close(f);
}

static void read_all(const char *model, const char *index, char ret[65536])
{
    struct leat_buf out;
    struct leat_error err = {0};
    struct leat_model_range r = {.index = index, .limit = 1000};
    leat_buf_init(&out, 65536);
    cr_assert_eq(list(model, &r, &out, &err), LEAT_OK, "%s", err.msg);
    (void)snprintf(ret, 65536, "%.*s", LEAT_STR_FMT(leat_buf_str(&out)));
    leat_buf_done(&out);
}

static void expect_seen(int n, char ret[65536])
{
    struct {
        int n;
        int64_t until;
    } rows[IDS] = {{0}};
    int64_t clock[4] = {0};
    for (int i = 0; i < n; i++) {
        const struct sample *s = &samples[i];
        clock[s->slice] = s->ms > clock[s->slice] ? s->ms : clock[s->slice];
        if (s->other)
            continue;
        if (rows[s->id].until <= clock[s->slice])
            rows[s->id].n = 0;
        rows[s->id].n++;
        rows[s->id].until = clock[s->slice] + 10 * HOUR_MS;
    }
    int at = snprintf(ret, 65536, "{\"rows\":[");
    const char *comma = "";
    for (int id = 0; id < IDS; id++) {
        if (rows[id].n == 0 || rows[id].until <= clock[id % 4])
            continue;
        at += snprintf(ret + at, (size_t)(65536 - at), "%s{\"key\":\"i%d\",\"n\":%d}", comma, id,
                       rows[id].n);
        comma = ",";
    }
    (void)snprintf(ret + at, (size_t)(65536 - at), "],\"cursor\":null}");
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* `"key":"i7","n":3` of each row, sorted: two lists in different orders are the same rows. */
static void sorted_rows(const char *text, char ret[65536])
{
    static char copy[65536];
    char *rows[IDS + 1];
    int n = 0, at = 0;
    (void)snprintf(copy, sizeof copy, "%s", text);
    for (char *p = strstr(copy, "{\"key\""); p != NULL && n < IDS; p = strstr(p + 1, "{\"key\"")) {
        rows[n++] = p;
        p[strcspn(p, "}")] = 0;
        p += strlen(p);
    }
    qsort(rows, (size_t)n, sizeof *rows, compare_rows);
    ret[0] = 0;
    for (int i = 0; i < n; i++)
        at += snprintf(ret + at, (size_t)(65536 - at), "%s\n", rows[i]);
}

static char got[65536], wanted[65536], a[65536], b[65536];

static void assert_seen(int n, int size, bool by_slice)
{
    fold_all("seen", n, size, by_slice);
    expect_seen(n, wanted);
    sorted_rows(wanted, a);
    read_all("seen", NULL, got);
    sorted_rows(got, b);
    cr_assert_str_eq(a, b, "%d in batches of %d", n, size);
    cr_assert_gt(strlen(a), 50U);
    read_all("seen", "by_n", got);
    sorted_rows(got, b);
    cr_assert_str_eq(a, b, "by its index");
}

Test(ttl, rows_go_by_the_clock_of_their_slice)
{
    make_samples();
    assert_seen(700, 1, false);
}

Test(ttl, whatever_the_batches)
{
    make_samples();
    assert_seen(EVENTS, 333, false);
}

Test(ttl, whatever_the_order_of_slices)
{
    make_samples();
    assert_seen(EVENTS - 77, 500, true);
}

Test(ttl, rows_that_several_slices_feed_go_with_their_period)
{
    make_samples();
    fold_all("days", EVENTS, 250, true);
    read_all("days", NULL, got);
    sorted_rows(got, a);
    remove_tree(data_dir);
    fold_all("days", EVENTS, 7, false);
    read_all("days", NULL, got);
    sorted_rows(got, b);
    cr_assert_str_eq(a, b);
    int64_t last = 0;
    for (int i = 0; i < EVENTS; i++)
        last = samples[i].ms > last ? samples[i].ms : last;
    int n = 0;
    for (const char *p = strstr(got, "{\"key\""); p != NULL; p = strstr(p + 1, "{\"key\""))
        n++;
    cr_assert(n >= 3 && n <= 9, "two days and what has begun: %s", got);
}

/* 2026-10-25 has 25 hours in Berlin: it ends at 23:00Z. */
Test(ttl, a_day_ends_where_its_zone_says)
{
    static const int64_t midnight = INT64_C(1792969200000); /* 2026-10-25T23:00:00Z */
    static struct sample s[3] = {
        {.slice = 0, .seq = 1, .ms = midnight - 1, .json = "{\"id\":\"x\",\"kind\":\"k\"}"},
        {.slice = 1, .seq = 1, .ms = midnight + 2 * DAY_MS - 1, .other = true, .json = "{}"},
        {.slice = 1, .seq = 2, .ms = midnight + 2 * DAY_MS, .other = true, .json = "{}"},
    };
    struct leat_fold *f = open_fold("days", 0);
    feed(f, &s[0]);
    feed(f, &s[1]);
    commit(f);
    assert_row("days", "k/2026-10-25", "{\"key\":\"k/2026-10-25\",\"n\":1}");
    feed(f, &s[2]);
    commit(f);
    assert_row("days", "k/2026-10-25", NULL);
    leat_fold_close(f);
}
