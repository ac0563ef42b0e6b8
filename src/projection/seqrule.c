#include "projection/seqrule.h"

#include <string.h>

static bool uuid_zero(const struct leat_uuid *id)
{
    static const struct leat_uuid zero;
    return memcmp(id->b, zero.b, sizeof zero.b) == 0;
}

static bool same_store(const struct leat_checkpoint *have, const struct leat_uuid *store_id)
{
    return uuid_zero(&have->store_id) || leat_uuid_eq(&have->store_id, store_id);
}

leat_seq_verdict leat_seqrule_judge(const struct leat_checkpoint *have,
                                    const struct leat_seq_event *event,
                                    struct leat_seq_range *ret_hole)
{
    if (!same_store(have, &event->store_id))
        return LEAT_SEQ_FOREIGN;
    if (event->seq == have->seq + 1)
        return LEAT_SEQ_APPLY;
    if (event->seq > have->seq) {
        *ret_hole = (struct leat_seq_range){.from = have->seq + 1, .to = event->seq - 1};
        return LEAT_SEQ_HOLE;
    }
    if (event->seq == have->seq && have->seq > 0 &&
        !leat_uuid_eq(&have->event_id, &event->event_id))
        return LEAT_SEQ_MISMATCH;
    return LEAT_SEQ_DROP;
}

void leat_seqrule_advance(struct leat_checkpoint *have, const struct leat_seq_event *event)
{
    have->store_id = event->store_id;
    have->event_id = event->event_id;
    have->seq = event->seq;
}

leat_seq_tail leat_seqrule_tail(const struct leat_checkpoint *have,
                                const struct leat_uuid *store_id, int64_t published, int64_t head,
                                struct leat_seq_range *ret_missing)
{
    if (!same_store(have, store_id))
        return LEAT_TAIL_FOREIGN;
    if (have->seq > head)
        return LEAT_TAIL_AHEAD;
    if (have->seq >= published)
        return LEAT_TAIL_COMPLETE;
    *ret_missing = (struct leat_seq_range){.from = have->seq + 1, .to = published};
    return LEAT_TAIL_FETCH;
}

leat_seq_reconciled leat_seqrule_reconcile(struct leat_checkpoint *committed,
                                           const struct leat_checkpoint *file)
{
    bool known = !uuid_zero(&committed->store_id) && !uuid_zero(&file->store_id);
    if (known && !leat_uuid_eq(&committed->store_id, &file->store_id))
        return LEAT_RECONCILED_FOREIGN;
    if (file->seq == committed->seq) {
        if (file->seq > 0 && !leat_uuid_eq(&committed->event_id, &file->event_id))
            return LEAT_RECONCILED_FOREIGN;
        *committed = *file;
        return LEAT_RECONCILED_SAME;
    }
    bool ahead = file->seq > committed->seq;
    *committed = *file;
    return ahead ? LEAT_RECONCILED_ADOPT : LEAT_RECONCILED_REWIND;
}
