#include <string.h>

#include "base/log.h"
#include "projection/projector.h"

#define AREA "projection"

/* Decimal digits; a header is short, so an overflow is malformed. */
static bool parse_seq(struct leat_str text, int64_t *ret)
{
    int64_t v = 0;
    if (text.len == 0 || text.len > 18)
        return false;
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] < '0' || text.at[i] > '9')
            return false;
        v = v * 10 + (text.at[i] - '0');
    }
    *ret = v;
    return true;
}

/* An event that an ancestor of the slice had before its fork is one of the slice as it is now. The
 * store id is the same text in nearly all records: parsed when it is not that. False: no id. */
static bool parse_store(const struct leat_projector *p, struct leat_str text,
                        struct leat_fold_event *e, leat_descent *ret)
{
    const struct leat_lineage *l = &p->lineage;
    *ret = leat_lineage_judge_text(l, e->slice, text, e->at.seq);
    if (*ret != LEAT_DESCENT_OURS)
        return leat_uuid_parse(text, &e->at.store_id);
    e->at.store_id = l->now[e->slice];
    return true;
}

static bool read_headers(const struct leat_projector *p, const struct leat_record *r,
                         struct leat_fold_event *e, leat_descent *ret)
{
    struct leat_str seq, store, id, type;
    if (!leat_record_header(r, "leat-seq", &seq) || !leat_record_header(r, "leat-store", &store) ||
        !leat_record_header(r, "ce_id", &id) || !leat_record_header(r, "ce_type", &type))
        return false;
    if (!parse_seq(seq, &e->at.seq) || !leat_uuid_parse(id, &e->at.event_id) ||
        !parse_store(p, store, e, ret))
        return false;
    e->meta.type = type;
    if (!leat_record_header(r, "leat-causation", &e->meta.command_id))
        e->meta.command_id = (struct leat_str){NULL, 0};
    return true;
}

void leat_projector_take_record(struct leat_projector *p, const struct leat_record *r)
{
    struct leat_fold_event e = {
        .slice = r->partition,
        .next_offset = r->offset + 1,
        .meta = {.recorded_at_ms = r->timestamp_ms, .key = r->key},
        .payload = r->value,
    };
    leat_descent descent = LEAT_DESCENT_FOREIGN;
    if (r->partition < 0 || r->partition >= p->partitions || !read_headers(p, r, &e, &descent)) {
        p->strangers++;
        leat_log_limited_kv(LEAT_LOG_WARN, AREA, "no-event",
                            LEAT_LOG_FIELDS(LEAT_LOG_STR("topic", r->topic),
                                            LEAT_LOG_INT("partition", r->partition),
                                            LEAT_LOG_INT("offset", r->offset)),
                            "a record without leat's headers was passed over");
        return;
    }
    if (descent == LEAT_DESCENT_VOID)
        return; /* a commit that a fail-over lost */
    e.meta.seq = e.at.seq;
    leat_projector_offer(p, &e, false);
}
