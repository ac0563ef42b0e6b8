#include "relay/tail.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

static const struct leat_event_id *id_at(const struct leat_event_id *ids, size_t n, int64_t seq)
{
    if (n == 0 || seq < ids[0].seq || seq > ids[n - 1].seq)
        return NULL;
    return &ids[seq - ids[0].seq]; /* seqs are dense */
}

static int by_seq(const void *a, const void *b)
{
    const struct leat_tail_record *x = a, *y = b;
    if (x->seq != y->seq)
        return x->seq < y->seq ? -1 : 1;
    int order = memcmp(x->event_id.b, y->event_id.b, sizeof x->event_id.b);
    return order != 0 ? order : (x->offset > y->offset) - (x->offset < y->offset);
}

/* A relay may publish an event twice; readers drop the copy, and so does the list. */
static size_t each_once(struct leat_tail_record *records, size_t n)
{
    size_t kept = 0;
    qsort(records, n, sizeof *records, by_seq);
    for (size_t i = 0; i < n; i++) {
        if (kept > 0 && records[kept - 1].seq == records[i].seq &&
            leat_uuid_eq(&records[kept - 1].event_id, &records[i].event_id))
            continue;
        records[kept++] = records[i];
    }
    return kept;
}

struct seen {     /* of the records that agree */
    bool *at;     /* by place in `ids` */
    int64_t stop; /* lowest seq at which the topic is not ours */
};

static void note_foreign(struct leat_tail *t, const struct leat_uuid *id)
{
    for (size_t i = 0; i < t->n_foreign; i++)
        if (leat_uuid_eq(&t->foreign[i], id))
            return;
    if (t->n_foreign < LEAT_TAIL_FOREIGN_MAX)
        t->foreign[t->n_foreign++] = *id;
}

static void look_at(struct leat_tail *t, const struct leat_tail_record *r,
                    const struct leat_event_id *have, const struct leat_event_id *ids,
                    struct seen *seen)
{
    bool agrees = have != NULL && leat_uuid_eq(&have->id, &r->event_id);
    bool ours = r->descent == LEAT_DESCENT_OURS;
    t->agrees |= agrees;
    if (r->descent == LEAT_DESCENT_FOREIGN)
        note_foreign(t, &r->store_id);
    if (r->seq > t->topic_seq)
        t->topic_seq = r->seq;
    if (ours && (t->low_seq == 0 || r->seq < t->low_seq)) {
        t->low_seq = r->seq;
        t->low_agrees = agrees;
    }
    if (agrees && ours) {
        seen->at[have - ids] = true;
    } else if (r->seq < seen->stop) {
        seen->stop = r->seq;
    }
}

/* Everything up to it is in the topic, under an id that stays: what comes after is published once
 * more. Below what was looked at, all that is published counts as there. */
static int64_t fork_of(const struct leat_tail *t, const struct leat_event_id *ids, size_t n_ids,
                       const struct seen *seen)
{
    int64_t fork = t->published_seq;
    if (t->low_seq > fork + 1)
        fork = t->low_seq - 1;
    for (const struct leat_event_id *e; (e = id_at(ids, n_ids, fork + 1)) != NULL; fork++) {
        if (!seen->at[e - ids])
            break;
    }
    if (fork >= seen->stop)
        fork = seen->stop - 1;
    return fork < t->head_seq ? fork : t->head_seq;
}

void leat_tail_compare(struct leat_tail *t, struct leat_tail_record *records, size_t n,
                       const struct leat_event_id *ids, size_t n_ids)
{
    struct seen seen = {.stop = INT64_MAX};
    size_t lost = 0;
    seen.at = calloc(n_ids + 1, sizeof *seen.at);
    leat_assert(seen.at != NULL);
    t->topic_seq = t->low_seq = 0;
    t->n_foreign = 0;
    t->agrees = t->low_agrees = false;
    for (size_t i = 0; i < n; i++) {
        const struct leat_event_id *have = id_at(ids, n_ids, records[i].seq);
        if (records[i].descent == LEAT_DESCENT_VOID)
            continue;
        look_at(t, &records[i], have, ids, &seen);
        if (have == NULL || !leat_uuid_eq(&have->id, &records[i].event_id))
            records[lost++] = records[i];
    }
    t->lost = each_once(records, lost);
    t->forks = seen.stop != INT64_MAX;
    t->fork_seq = t->forks ? fork_of(t, ids, n_ids, &seen) : 0;
    free(seen.at);
}
