/* check_waiting.c - what must hold of the waiting room: order of a key, tickets, times, scheduled
 * commands. */
#include <stdio.h>

#include "check.h"
#include "cluster.h"

static struct leat_str key_of(const struct leat_batch_command *c, int32_t processor)
{
    static const char *const prefixes[SIM_PROCESSORS] = {"account-", "account-", "audit-", ""};
    uint32_t skip = (uint32_t)strlen(prefixes[processor]);
    return c->stream.len < skip ? c->stream
                                : (struct leat_str){c->stream.at + skip, c->stream.len - skip};
}

static const struct sim_waiting *first_of(const struct sim *w, int32_t processor, int32_t k,
                                          struct leat_str key)
{
    const struct sim_waiting *first = NULL;
    for (int32_t i = 0; i < w->store->waiting_count; i++) {
        const struct sim_waiting *r = &w->store->waiting[i];
        if (r->processor == processor && r->row.k == k && r->row.parks &&
            leat_str_eq(r->row.key, key) && (first == NULL || r->row.ticket < first->row.ticket))
            first = r;
    }
    return first;
}

bool check_behind(const struct sim *w, const struct sim_waiting *r)
{
    const struct sim_waiting *first = first_of(w, r->processor, r->row.k, r->row.key);
    return r->row.parks && first != r;
}

/* The row of the waiting room that the command comes from; NULL = a record of a lane. */
static const struct leat_waiting_row *row_of(const struct sim_call *c, uint32_t index)
{
    for (size_t i = 0; i < c->batch.wait_count; i++) {
        const struct leat_batch_wait *wait = &c->batch.waits[i];
        if (wait->command == (int32_t)index &&
            (wait->op == LEAT_WAIT_TAKE || wait->op == LEAT_WAIT_AGAIN))
            return &wait->row;
    }
    return NULL;
}

/* As it stands in the table: what the batch has may be its next time. */
static void check_due(struct sim *w, const struct sim_call *c, const struct leat_waiting_row *ref)
{
    const struct leat_waiting_row *row = NULL;
    for (int32_t i = 0; i < w->store->waiting_count; i++) {
        const struct sim_waiting *r = &w->store->waiting[i];
        if (r->processor == c->processor && r->row.k == ref->k && r->row.ticket == ref->ticket &&
            leat_str_eq(r->row.key, ref->key))
            row = &r->row;
    }
    if (row == NULL)
        return;
    if (row->due_ms > sim_wall_ms(c->actor, w)) {
        sim_fail(w, "early", "%s handles a message of key %.*s %lld ms before it is due",
                 c->actor->name, LEAT_STR_FMT(row->key),
                 (long long)(row->due_ms - sim_wall_ms(c->actor, w)));
    }
}

/* By where its messages came from, whatever tickets say; a redriven one comes when it comes. */
static void check_place(struct sim *w, const struct leat_waiting_row *row)
{
    int32_t topic = sim_topic_find(row->topic);
    int32_t key = row->key.len == 1 ? row->key.at[0] - 'a' : -1;
    bool bare = row->reason == LEAT_WAIT_RETRY || row->reason == LEAT_WAIT_PARKED;
    if (!bare || topic < 0 || topic >= SIM_TOPIC_EVENTS || key < 0 || key >= SIM_KEYS)
        return;
    int64_t *last = &w->check->last_offset[topic][row->partition][key];
    if (row->offset < *last) {
        sim_fail(w, "order", "%s %d: key %c at offset %lld was handled after offset %lld",
                 sim_topic_name(topic), row->partition, 'a' + key, (long long)row->offset,
                 (long long)*last);
    }
    *last = row->offset;
}

void check_turn(struct sim *w, const struct sim_call *c, uint32_t index)
{
    const struct leat_batch_command *m = &c->batch.commands[index];
    const struct leat_waiting_row *row = row_of(c, index);
    bool decided = m->outcome == LEAT_OUTCOME_ACCEPTED || m->outcome == LEAT_OUTCOME_REJECTED;
    /* What dies undecoded, or by its tries, decides nothing: its turn does not matter. */
    if (!decided && (row == NULL || m->outcome == LEAT_OUTCOME_DEAD))
        return;
    struct leat_str key = row != NULL ? row->key : key_of(m, c->processor);
    const struct sim_waiting *first = first_of(w, c->processor, m->k, key);
    if (row != NULL && (w->o.faults & SIM_FAULT_CLOCK) == 0)
        check_due(w, c, row);
    if (row != NULL && decided && row->parks && (w->o.faults & SIM_FAULT_BACK) == 0)
        check_place(w, row);
    if (row == NULL && first != NULL) {
        sim_fail(w, "order", "%s: a message of key %.*s overtakes one that waits with ticket %lld",
                 sim_topology()->processors[c->processor].name.at, LEAT_STR_FMT(key),
                 (long long)first->row.ticket);
    } else if (row != NULL && row->parks && first != NULL && first->row.ticket < row->ticket) {
        sim_fail(w, "order", "%s: key %.*s: ticket %lld is handled before ticket %lld",
                 sim_topology()->processors[c->processor].name.at, LEAT_STR_FMT(key),
                 (long long)row->ticket, (long long)first->row.ticket);
    }
}

void check_released(struct sim *w, const struct leat_waiting_row *row)
{
    struct sim_store *s = w->store;
    for (int32_t i = 0; i < s->released_count; i++) {
        if (leat_uuid_eq(&s->released[i], &row->id)) {
            sim_fail(w, "scheduled-once", "a scheduled command of key %.*s is sent twice",
                     LEAT_STR_FMT(row->key));
        }
    }
    leat_assert(s->released_count < SIM_RELEASED_MAX);
    s->released[s->released_count++] = row->id;
}

/* A person has given it up: it may be dead in the end. */
void check_cancelled(struct sim *w, int32_t processor, const struct leat_waiting_row *row)
{
    struct sim_command m;
    w->check->cancelled++;
    if (processor >= SIM_AUDITS || row->value.len != sizeof m)
        return;
    memcpy(&m, row->value.at, sizeof m);
    if (m.number < (uint32_t)w->check->sent_count)
        w->check->sent[m.number].may_die = true;
}

const char *check_waiting_left(const struct sim *w, char *text, size_t size)
{
    const struct sim_store *s = w->store;
    for (int32_t i = 0; i < s->waiting_count; i++) {
        const struct leat_waiting_row *r = &s->waiting[i].row;
        (void)snprintf(text, size,
                       "a message of %s waits: key %.*s, slice %d, ticket %lld, reason %d",
                       sim_topology()->processors[s->waiting[i].processor].name.at,
                       LEAT_STR_FMT(r->key), r->k, (long long)r->ticket, (int)r->reason);
        return text;
    }
    return NULL;
}

void check_scheduled(struct sim *w)
{
    const struct sim_store *s = w->store;
    if (s->scheduled != s->released_count + s->unscheduled) {
        sim_fail(w, "scheduled-once", "%lld commands were scheduled, %d sent, %lld cancelled",
                 (long long)s->scheduled, s->released_count, (long long)s->unscheduled);
    }
}
