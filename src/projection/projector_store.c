#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "projection/projector.h"
#include "projection/stored.h"

#define AREA             "projection"
#define REPAIR_PAGE      2000
#define STORE_RETRY_MS   200
#define QUIET_US         1000000 /* nothing from Kafka at all: a slice behind has lost its tail */
#define STILL_CHECKS     5       /* others flow, this one does not */
#define SCHEMAS_EVERY_US 2000000

/* ---- connection ---- */

static leat_status connect_store(struct leat_projector *p, struct leat_error *err)
{
    if (p->store == NULL)
        return leat_store_open(&p->store_options, &p->store, err);
    return leat_store_connected(p->store) ? LEAT_OK : leat_store_reconnect(p->store, err);
}

static bool pause_before_retry(struct leat_projector *p)
{
    leat_projector_wait(p, STORE_RETRY_MS);
    return !atomic_load(&p->stop);
}

/* ---- events from the store ---- */

static void offer_stored(struct leat_projector *p, const struct leat_stored_event *s,
                         const struct leat_uuid *store_id)
{
    struct leat_fold_event e = leat_fold_event_stored(s, store_id, p->repair);
    p->repaired++;
    leat_projector_offer(p, &e, true);
}

leat_status leat_projector_published(struct leat_projector *p, const int32_t *slices, size_t n,
                                     struct leat_published **ret, size_t *ret_n,
                                     struct leat_error *err)
{
    LEAT_TRY(leat_store_published(p->store, slices, n, p->repair, ret, err), err, "published");
    *ret_n = n;
    return LEAT_OK;
}

/* One page of a slice. *ret_last: seq of the last event got; `from` - 1 when there was none. */
static leat_status repair_page(struct leat_projector *p, int32_t slice, int64_t from, int64_t to,
                               int64_t *ret_last, struct leat_error *err)
{
    struct leat_stored_event *events = NULL;
    struct leat_published *published = NULL;
    struct leat_store_page page = {
        .slice = slice, .after = from - 1, .upto = to, .limit = REPAIR_PAGE};
    size_t n = 0, n_published = 0;
    LEAT_TRY(connect_store(p, err), err, "repair slice %d", (int)slice);
    LEAT_TRY(leat_projector_published(p, &slice, 1, &published, &n_published, err), err,
             "repair slice %d", (int)slice);
    LEAT_TRY(leat_store_slice(p->store, &page, p->repair, &events, &n, err), err, "repair slice %d",
             (int)slice);
    *ret_last = from - 1;
    for (size_t i = 0; i < n; i++) {
        offer_stored(p, &events[i], &published[0].store_id);
        *ret_last = events[i].seq;
    }
    leat_projector_commit(p, true); /* the page's bytes go away now */
    leat_arena_reset(p->repair);
    return LEAT_OK;
}

leat_status leat_projector_repair(struct leat_projector *p, int32_t slice, int64_t from, int64_t to,
                                  struct leat_error *err)
{
    while (from <= to && !atomic_load(&p->stop)) {
        int64_t last = from - 1;
        leat_status status = repair_page(p, slice, from, to, &last, err);
        if (status == LEAT_RETRY) { /* the store is away: Kafka keeps the backlog meanwhile */
            leat_log_limited_kv(LEAT_LOG_WARN, AREA, "store-away",
                                LEAT_LOG_FIELDS(LEAT_LOG_INT("slice", slice)), "%s", err->msg);
            leat_arena_reset(p->repair);
            if (!pause_before_retry(p))
                break;
            continue;
        }
        if (status != LEAT_OK)
            return status;
        if (last < from) {
            return leat_fail(err, LEAT_ABSENT, "the store has no event %lld of slice %d",
                             (long long)from, (int)slice);
        }
        from = last + 1;
    }
    return from > to ? LEAT_OK : leat_fail(err, LEAT_RETRY, "stopped while repairing");
}

/* ---- offering ---- */

static void warn_verdict(const struct leat_projector_model *m, const struct leat_fold_event *e,
                         const char *event, const char *what)
{
    leat_log_limited_kv(LEAT_LOG_ERROR, AREA, event,
                        LEAT_LOG_FIELDS(LEAT_LOG_STR("model", m->projection->name),
                                        LEAT_LOG_INT("slice", e->slice),
                                        LEAT_LOG_INT("seq", e->at.seq)),
                        "%s", what);
}

/* Same seq, other event: the store says which history is the true one. */
static void settle_mismatch(struct leat_projector *p, struct leat_projector_model *m,
                            const struct leat_fold_event *e)
{
    struct leat_stored_event *found = NULL;
    size_t n = 0;
    struct leat_error err = {0};
    warn_verdict(m, e, "mismatch", "another event stands at the seq applied last");
    const struct leat_checkpoint *have = &m->fold->seen[e->slice];
    struct leat_store_page page = {
        .slice = e->slice, .after = have->seq - 1, .upto = have->seq, .limit = 1};
    if (connect_store(p, &err) != LEAT_OK ||
        leat_store_slice(p->store, &page, p->repair, &found, &n, &err) != LEAT_OK)
        return; /* not known: the record is passed over; a rebuild is not started on a guess */
    if (n == 0 || !leat_uuid_eq(&found[0].id, &have->event_id)) {
        leat_projector_refuse_slice(m, e->slice,
                                    "event %lld of slice %d is another one in the store now",
                                    (long long)have->seq, (int)e->slice);
    }
}

/* True when the hole was filled: judge the event again. */
static bool fill_hole(struct leat_projector *p, const struct leat_projector_model *m,
                      const struct leat_fold_event *e, const struct leat_seq_range *hole)
{
    struct leat_error err = {0};
    leat_status status = leat_projector_repair(p, e->slice, hole->from, hole->to, &err);
    if (status == LEAT_OK)
        return true;
    if (!atomic_load(&p->stop))
        warn_verdict(m, e, "hole", err.msg);
    return false;
}

static void offer_to(struct leat_projector *p, struct leat_projector_model *m,
                     const struct leat_fold_event *e, bool from_store)
{
    struct leat_seq_range hole = {0, 0};
    if (!leat_projector_takes(p, m, e->slice))
        return;
    for (int tries = 0; tries < 2 && m->fold != NULL && !m->refused; tries++) {
        switch (leat_fold_take(m->fold, e, p->schemas, &hole)) {
        case LEAT_SEQ_APPLY:
        case LEAT_SEQ_DROP:
            return;
        case LEAT_SEQ_HOLE:
            if (from_store || !fill_hole(p, m, e, &hole))
                return;
            break;
        case LEAT_SEQ_FOREIGN:
            /* Which of the two stores is ours is said by the store: see check_tails(). */
            warn_verdict(m, e, "foreign", "an event of another store was passed over");
            return;
        case LEAT_SEQ_MISMATCH:
            settle_mismatch(p, m, e);
            return;
        }
    }
}

static bool schema_known(const struct leat_projector *p, struct leat_str payload)
{
    int32_t id = 0;
    struct leat_str body;
    return !leat_framing_split(payload, &id, &body) || leat_schemas_by_id(p->schemas, id) != NULL;
}

void leat_projector_offer(struct leat_projector *p, const struct leat_fold_event *e,
                          bool from_store)
{
    if (!schema_known(p, e->payload))
        leat_projector_learn_schemas(p);
    for (size_t i = 0; i < p->n_models; i++)
        offer_to(p, &p->models[i], e, from_store);
}

void leat_projector_learn_schemas(struct leat_projector *p)
{
    int64_t now_us = leat_mono_us();
    if (p->schemas_us != 0 && now_us - p->schemas_us < SCHEMAS_EVERY_US)
        return;
    p->schemas_us = now_us;
    struct leat_arena *arena = leat_arena_new((size_t)64 * 1024, 0);
    struct leat_schema_row *rows = NULL;
    size_t n = 0;
    struct leat_error err = {0};
    leat_status status = connect_store(p, &err);
    if (status == LEAT_OK)
        status = leat_store_schemas(p->store, arena, &rows, &n, &err);
    for (size_t i = 0; i < n && status == LEAT_OK; i++) {
        if (leat_schemas_put(p->schemas, rows[i].id, rows[i].subject, rows[i].text, &err) !=
            LEAT_OK)
            leat_log_error(LEAT_LOG_WARN, AREA, "bad-schema", &err);
    }
    if (status != LEAT_OK)
        leat_log_error(LEAT_LOG_WARN, AREA, "schemas-not-read", &err);
    leat_arena_free(arena);
}

/* ---- tails ---- */

/* Counts checks without a move; true when Kafka has had its time to bring what is published. */
static bool is_idle(struct leat_projector *p, struct leat_projector_model *m, int32_t k)
{
    int64_t seq = m->fold->seen[k].seq;
    if (m->checked_seq[k] != seq) {
        m->still_checks[k] = 0;
    } else if (m->still_checks[k] < STILL_CHECKS) {
        m->still_checks[k]++;
    }
    m->checked_seq[k] = seq;
    bool quiet = leat_mono_us() - p->last_record_us >= QUIET_US;
    return m->still_checks[k] >= STILL_CHECKS || (quiet && m->still_checks[k] > 0);
}

/* True when the slice needs events that Kafka does not bring. */
static bool check_slice(struct leat_projector *p, struct leat_projector_model *m,
                        const struct leat_published *pub, struct leat_seq_range *ret)
{
    int32_t k = pub->slice;
    int64_t seq = m->fold->seen[k].seq;
    bool idle = is_idle(p, m, k);
    m->target[k] = pub->seq;
    switch (leat_seqrule_tail(&m->fold->seen[k], &pub->store_id, pub->seq, pub->head_seq, ret)) {
    case LEAT_TAIL_COMPLETE:
        return false;
    case LEAT_TAIL_FETCH:
        return idle;
    case LEAT_TAIL_FOREIGN:
        leat_projector_refuse_slice(m, k, "slice %d belongs to another store now", (int)k);
        return false;
    case LEAT_TAIL_AHEAD:
        leat_projector_refuse_slice(m, k,
                                    "slice %d ends at %lld in the store, the model is at %lld",
                                    (int)k, (long long)pub->head_seq, (long long)seq);
        return false;
    }
    return false;
}

static int64_t model_lag(const struct leat_projector_model *m, const struct leat_published *pub,
                         size_t n)
{
    int64_t lag = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t behind = pub[i].seq - m->fold->seen[pub[i].slice].seq;
        lag += behind > 0 ? behind : 0;
    }
    return lag;
}

/* The lowest range that any model lacks in each slice is fetched; the others drop what they have.
 */
static void check_models(struct leat_projector *p, const struct leat_published *pub, size_t n,
                         int64_t asked_ms, struct leat_seq_range *missing)
{
    p->store_lag = 0;
    for (size_t i = 0; i < p->n_models; i++) {
        struct leat_projector_model *m = &p->models[i];
        if (m->fold == NULL || m->refused)
            continue;
        p->store_lag += model_lag(m, pub, n);
        for (size_t j = 0; j < n; j++) {
            struct leat_seq_range range = {0, 0};
            struct leat_seq_range *to = &missing[pub[j].slice];
            if (!leat_projector_takes(p, m, pub[j].slice) || !check_slice(p, m, &pub[j], &range))
                continue;
            if (to->from == 0 || range.from < to->from)
                to->from = range.from;
            to->to = range.to;
        }
        m->target_ms = asked_ms;
    }
}

/* A slice that forked has another id than we know. */
static leat_status learn_lineage(struct leat_projector *p, const struct leat_published *pub,
                                 size_t n, struct leat_error *err)
{
    bool known = p->lineage.partitions > 0;
    for (size_t i = 0; i < n && known; i++)
        known = leat_uuid_eq(&p->lineage.now[pub[i].slice], &pub[i].store_id);
    return known ? LEAT_OK : leat_store_lineage(p->store, p->partitions, &p->lineage, err);
}

void leat_projector_check_tails(struct leat_projector *p)
{
    struct leat_published *pub = NULL;
    struct leat_seq_range missing[LEAT_PARTITIONS_MAX];
    size_t n = 0;
    struct leat_error err = {0};
    int64_t asked_ms = leat_now_ms();
    memset(missing, 0, sizeof missing);
    leat_status status = connect_store(p, &err);
    if (status == LEAT_OK)
        status = leat_projector_published(p, p->slices, p->n_slices, &pub, &n, &err);
    if (status == LEAT_OK)
        status = learn_lineage(p, pub, n, &err);
    if (status != LEAT_OK) {
        p->store_lag = -1;
        leat_log_limited(LEAT_LOG_WARN, AREA, "store-away", "%s", err.msg);
        return;
    }
    check_models(p, pub, n, asked_ms, missing);
    leat_arena_reset(p->repair);
    for (int32_t k = 0; k < p->partitions; k++) {
        if (missing[k].from == 0)
            continue;
        leat_log_kv(LEAT_LOG_WARN, AREA, "tail-missing",
                    LEAT_LOG_FIELDS(LEAT_LOG_INT("slice", k), LEAT_LOG_INT("from", missing[k].from),
                                    LEAT_LOG_INT("to", missing[k].to)),
                    "published events that Kafka does not bring are taken from the store");
        if (leat_projector_repair(p, k, missing[k].from, missing[k].to, &err) != LEAT_OK &&
            !atomic_load(&p->stop))
            leat_log_error(LEAT_LOG_ERROR, AREA, "tail-not-repaired", &err);
    }
}

static bool store_unknown(const struct leat_projector *p)
{
    static const struct leat_uuid zero;
    for (size_t i = 0; i < p->n_models; i++) {
        for (size_t j = 0; p->models[i].fold != NULL && j < p->n_slices; j++) {
            if (leat_uuid_eq(&p->models[i].fold->seen[p->slices[j]].store_id, &zero))
                return true;
        }
    }
    return false;
}

static void name_store(struct leat_projector *p, const struct leat_published *pub)
{
    static const struct leat_uuid zero;
    for (size_t i = 0; i < p->n_models; i++) {
        struct leat_fold *f = p->models[i].fold;
        if (f != NULL && leat_uuid_eq(&f->seen[pub->slice].store_id, &zero) &&
            f->seen[pub->slice].seq == 0)
            leat_fold_set_store(f, pub->slice, &pub->store_id);
    }
}

bool leat_projector_name_stores(struct leat_projector *p)
{
    while (store_unknown(p) && !atomic_load(&p->stop)) {
        struct leat_published *pub = NULL;
        size_t n = 0;
        struct leat_error err = {0};
        leat_status status = connect_store(p, &err);
        if (status == LEAT_OK)
            status = leat_projector_published(p, p->slices, p->n_slices, &pub, &n, &err);
        for (size_t i = 0; i < n && status == LEAT_OK; i++)
            name_store(p, &pub[i]);
        leat_arena_reset(p->repair);
        if (status == LEAT_OK)
            break;
        leat_log_limited(LEAT_LOG_WARN, AREA, "store-away", "%s", err.msg);
        if (!pause_before_retry(p))
            return false;
    }
    return !atomic_load(&p->stop);
}
