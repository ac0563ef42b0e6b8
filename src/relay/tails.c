#include "relay/tails.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

#define LOOK_BACK_FIRST 4096
#define LOOK_BACK_MORE  8
#define LOOK_BACK_MAX   ((int64_t)1 << 20)
#define TAKE_MAX        1024
#define QUEUED_KBYTES   4096
#define IDS_PAGE        20000

struct end {            /* of a partition */
    int64_t low, high;  /* watermarks when it began */
    int64_t from, next; /* looked at since, and up to */
    bool done;
    struct leat_tail_record *records;
    size_t n, cap;
};

struct look {
    const struct leat_tails_config *c;
    struct leat_arena *arena;
    struct leat_admin *admin;
    struct leat_lineage lineage;
    struct end *ends;
    struct leat_tails *tails;
};

static int32_t partitions(const struct look *l)
{
    return l->c->topology->partitions;
}

/* ---- from Kafka ---- */

static leat_status read_ends(struct look *l, struct leat_error *err)
{
    size_t n = (size_t)partitions(l);
    struct leat_position *at = leat_arena_zalloc(l->arena, n, sizeof *at);
    struct leat_watermarks *marks = leat_arena_zalloc(l->arena, n, sizeof *marks);
    for (size_t k = 0; k < n; k++)
        at[k] = (struct leat_position){l->c->topology->events_topic.at, (int32_t)k, 0};
    LEAT_TRY(leat_admin_watermarks(l->admin, at, n, marks, l->c->timeout_ms, err), err,
             "ends of topic '%s'", l->c->topology->events_topic.at);
    for (size_t k = 0; k < n; k++)
        l->ends[k] = (struct end){.low = marks[k].low, .high = marks[k].high};
    return LEAT_OK;
}

static bool number_of(const struct leat_record *r, const char *name, int64_t *ret)
{
    struct leat_str text;
    return leat_record_header(r, name, &text) && leat_parse_int(text, ret) == LEAT_UNITS_OK;
}

static bool id_of(const struct leat_record *r, const char *name, struct leat_uuid *ret)
{
    struct leat_str text;
    return leat_record_header(r, name, &text) && leat_uuid_parse(text, ret);
}

static bool read_record(struct look *l, const struct leat_record *r, struct leat_tail_record *ret)
{
    struct leat_tail_record t = {
        .slice = r->partition, .offset = r->offset, .published_ms = r->timestamp_ms};
    struct leat_str type = {0};
    if (!number_of(r, "leat-seq", &t.seq) || t.seq < 1 || !id_of(r, "leat-store", &t.store_id) ||
        !id_of(r, "ce_id", &t.event_id) || !leat_record_header(r, "ce_type", &type))
        return false;
    (void)number_of(r, "leat-version", &t.version);
    (void)id_of(r, "leat-causation", &t.command_id);
    t.type = leat_arena_copy(l->arena, type);
    t.key = leat_arena_copy(l->arena, r->key);
    t.descent = leat_lineage_judge(&l->lineage, t.slice, &t.store_id, t.seq);
    *ret = t;
    return true;
}

static void take_record(struct look *l, const struct leat_record *r)
{
    if (r->partition < 0 || r->partition >= partitions(l))
        return;
    struct end *e = &l->ends[r->partition];
    if (e->done || r->offset < e->next)
        return;
    if (r->offset >= e->high) {
        e->done = true;
        return;
    }
    if (e->n == e->cap) {
        e->cap = e->cap == 0 ? LOOK_BACK_FIRST : e->cap * 2;
        e->records = realloc(e->records, e->cap * sizeof *e->records);
        leat_assert(e->records != NULL);
    }
    if (read_record(l, r, &e->records[e->n])) {
        e->n++;
    } else {
        l->tails->strangers++;
    }
    e->next = r->offset + 1;
    e->done = e->next >= e->high;
}

/* Kafka brings nothing more: an end that is no record (a transaction's marker, or compacted away)
 * has been read. */
static leat_status nothing_comes(struct look *l, bool *ret_done, struct leat_error *err)
{
    *ret_done = true;
    for (int32_t k = 0; k < partitions(l); k++) {
        struct end *e = &l->ends[k];
        struct leat_position at = {l->c->topology->events_topic.at, k, e->high - 1};
        struct leat_record last = {0};
        if (e->done)
            continue;
        leat_status status =
            leat_admin_record(l->admin, &at, l->arena, &last, l->c->timeout_ms, err);
        if (status == LEAT_OK)
            return leat_fail(err, LEAT_RETRY, "could not read %s[%d] to its end: it stands at %lld",
                             at.topic, k, (long long)e->next);
        if (status != LEAT_ABSENT)
            return status;
        e->done = true;
    }
    return LEAT_OK;
}

static bool all_done(const struct look *l)
{
    for (int32_t k = 0; k < partitions(l); k++)
        if (!l->ends[k].done)
            return false;
    return true;
}

static leat_status read_to_end(struct look *l, struct leat_reader *reader, struct leat_error *err)
{
    struct leat_record records[TAKE_MAX];
    while (!all_done(l)) {
        size_t n = 0;
        bool done = false;
        LEAT_TRY(leat_reader_take(reader, l->c->timeout_ms, records, TAKE_MAX, &n, err), err,
                 "events topic");
        for (size_t i = 0; i < n; i++)
            take_record(l, &records[i]);
        leat_records_free(records, n);
        if (n == 0)
            LEAT_TRY(nothing_comes(l, &done, err), err, "events topic");
    }
    return LEAT_OK;
}

/* Reads the ends that are not done from where they are to begin. */
static leat_status read_records(struct look *l, struct leat_error *err)
{
    size_t n = 0;
    struct leat_position *at = leat_arena_zalloc(l->arena, (size_t)partitions(l), sizeof *at);
    for (int32_t k = 0; k < partitions(l); k++) {
        struct end *e = &l->ends[k];
        e->done = e->done || e->from >= e->high;
        if (!e->done)
            at[n++] = (struct leat_position){l->c->topology->events_topic.at, k, e->from};
    }
    if (n == 0)
        return LEAT_OK;
    struct leat_reader *reader = NULL;
    LEAT_TRY(leat_reader_new(l->c->kafka, at, n, QUEUED_KBYTES, &reader, err), err, "Kafka");
    leat_status status = read_to_end(l, reader, err);
    leat_reader_free(reader);
    return status;
}

/* ---- against the store ---- */

static void seq_range(const struct end *e, int64_t *ret_low, int64_t *ret_high)
{
    *ret_low = INT64_MAX;
    *ret_high = 0;
    for (size_t i = 0; i < e->n; i++) {
        if (e->records[i].descent == LEAT_DESCENT_VOID)
            continue;
        *ret_low = e->records[i].seq < *ret_low ? e->records[i].seq : *ret_low;
        *ret_high = e->records[i].seq > *ret_high ? e->records[i].seq : *ret_high;
    }
}

static leat_status read_ids(struct look *l, const struct leat_tail *t, struct leat_event_id **ret,
                            size_t *ret_n, struct leat_error *err)
{
    int64_t low = 0, high = 0;
    seq_range(&l->ends[t->slice], &low, &high);
    high = high < t->head_seq ? high : t->head_seq;
    if (low > high)
        return LEAT_OK;
    size_t cap = (size_t)(high - low + 1), n = 0;
    struct leat_event_id *ids = leat_arena_alloc(l->arena, cap * sizeof *ids);
    while (n < cap) {
        struct leat_event_id *page = NULL;
        size_t got = 0, want = cap - n < IDS_PAGE ? cap - n : IDS_PAGE;
        struct leat_store_page ask = {
            .slice = t->slice, .after = low - 1 + (int64_t)n, .limit = want};
        LEAT_TRY(leat_store_event_ids(l->c->store, &ask, l->arena, &page, &got, err), err, "store");
        if (got == 0 || page[0].seq != low + (int64_t)n)
            return leat_fail(err, LEAT_FATAL, "slice %d of the store has no event %lld", t->slice,
                             (long long)(low + (int64_t)n));
        memcpy(ids + n, page, got * sizeof *ids);
        n += got;
    }
    *ret = ids;
    *ret_n = n;
    return LEAT_OK;
}

/* Nothing below what was looked at can be lost: histories part once. */
static bool is_anchored(const struct end *e, const struct leat_tail *t)
{
    return e->from <= e->low || (t->low_agrees && t->low_seq <= t->published_seq + 1);
}

static leat_status compare_slice(struct look *l, struct leat_tail *t, bool *ret_again,
                                 struct leat_error *err)
{
    struct end *e = &l->ends[t->slice];
    struct leat_event_id *ids = NULL;
    size_t n = 0;
    LEAT_TRY(read_ids(l, t, &ids, &n, err), err, "slice %d", t->slice);
    leat_tail_compare(t, e->records, e->n, ids, n);
    if (is_anchored(e, t))
        return LEAT_OK;
    int64_t back = (e->high - e->from) * LOOK_BACK_MORE;
    if (back > LOOK_BACK_MAX)
        return leat_fail(err, LEAT_FATAL,
                         "the last %lld records of %s[%d] and the store have nothing in common",
                         (long long)(e->high - e->from), l->c->topology->events_topic.at, t->slice);
    e->from = e->next = e->high - back > e->low ? e->high - back : e->low;
    e->n = 0;
    e->done = false;
    *ret_again = true;
    return LEAT_OK;
}

static leat_status compare_all(struct look *l, struct leat_error *err)
{
    bool again = true;
    for (int32_t k = 0; k < partitions(l); k++) {
        struct end *e = &l->ends[k];
        e->from = e->high - LOOK_BACK_FIRST > e->low ? e->high - LOOK_BACK_FIRST : e->low;
        e->next = e->from;
    }
    while (again) {
        bool *todo = leat_arena_zalloc(l->arena, (size_t)partitions(l), sizeof *todo);
        for (int32_t k = 0; k < partitions(l); k++)
            todo[k] = !l->ends[k].done;
        LEAT_TRY(read_records(l, err), err, "read");
        again = false;
        for (int32_t k = 0; k < partitions(l); k++)
            if (todo[k])
                LEAT_TRY(compare_slice(l, &l->tails->at[k], &again, err), err, "compare");
    }
    return LEAT_OK;
}

static void collect(struct look *l)
{
    struct leat_tails *t = l->tails;
    bool records = false;
    for (int32_t k = 0; k < t->n; k++) {
        t->n_lost += t->at[k].lost;
        t->in_common |= t->at[k].agrees;
        records |= t->at[k].topic_seq > 0;
    }
    t->in_common |= !records;
    t->lost = leat_arena_alloc(l->arena, (t->n_lost + 1) * sizeof *t->lost);
    size_t n = 0;
    for (int32_t k = 0; k < t->n; k++) {
        if (t->at[k].lost > 0)
            memcpy(t->lost + n, l->ends[k].records, t->at[k].lost * sizeof *t->lost);
        n += t->at[k].lost;
    }
}

static leat_status read_slices(struct look *l, struct leat_error *err)
{
    size_t n = (size_t)partitions(l);
    int32_t *ks = leat_arena_alloc(l->arena, n * sizeof *ks);
    struct leat_published *p = NULL;
    for (size_t k = 0; k < n; k++)
        ks[k] = (int32_t)k;
    LEAT_TRY(leat_store_lineage(l->c->store, partitions(l), &l->lineage, err), err, "store");
    LEAT_TRY(leat_store_published(l->c->store, ks, n, l->arena, &p, err), err, "store");
    for (size_t k = 0; k < n; k++)
        l->tails->at[k] = (struct leat_tail){.slice = (int32_t)k,
                                             .head_seq = p[k].head_seq,
                                             .published_seq = p[k].seq,
                                             .store_id = p[k].store_id};
    return LEAT_OK;
}

static leat_status compare(struct look *l, struct leat_error *err)
{
    /* The store last: of what is published meanwhile it has every event. */
    LEAT_TRY(leat_admin_new(l->c->kafka, &l->admin, err), err, "Kafka");
    LEAT_TRY(read_ends(l, err), err, "Kafka");
    LEAT_TRY(read_slices(l, err), err, "slices");
    LEAT_TRY(compare_all(l, err), err, "tails");
    collect(l);
    return LEAT_OK;
}

leat_status leat_tails_compare(const struct leat_tails_config *c, struct leat_arena *arena,
                               struct leat_tails *ret, struct leat_error *err)
{
    size_t n = (size_t)c->topology->partitions;
    struct leat_tails tails = {.n = (int32_t)n};
    struct look l = {.c = c, .arena = arena, .tails = &tails};
    tails.at = leat_arena_zalloc(arena, n, sizeof *tails.at);
    l.ends = leat_arena_zalloc(arena, n, sizeof *l.ends);
    leat_status status = compare(&l, err);
    for (size_t k = 0; k < n; k++)
        free(l.ends[k].records);
    leat_lineage_done(&l.lineage);
    leat_admin_free(l.admin);
    if (status == LEAT_OK)
        *ret = tails;
    return status;
}
