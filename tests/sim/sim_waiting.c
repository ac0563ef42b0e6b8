/* sim_waiting.c - the store's waiting room and dead letters: what a batch does to them, what their
 * owner reads, and what a person does under the fence row. */
#include "check.h"
#include "cluster.h"
#include "store.h"

/* ---- rows ---- */

static bool same_place(const struct sim_waiting *r, int32_t processor,
                       const struct leat_waiting_row *row)
{
    return r->processor == processor && r->row.k == row->k && r->row.ticket == row->ticket &&
           leat_str_eq(r->row.key, row->key);
}

static int32_t find(const struct sim_store *s, int32_t processor,
                    const struct leat_waiting_row *row)
{
    for (int32_t i = 0; i < s->waiting_count; i++) {
        if (same_place(&s->waiting[i], processor, row))
            return i;
    }
    return -1;
}

static void remove_row(struct sim_store *s, int32_t i)
{
    s->waiting_count--;
    memmove(&s->waiting[i], &s->waiting[i + 1],
            (size_t)(s->waiting_count - i) * sizeof *s->waiting);
}

static void copy_texts(struct leat_arena *arena, struct leat_waiting_row *row)
{
    struct leat_str *texts[] = {&row->key,        &row->type,  &row->priority, &row->topic,
                                &row->error_code, &row->error, &row->headers,  &row->value};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = texts[i]->len == 0 ? (struct leat_str){0} : leat_arena_copy(arena, *texts[i]);
}

static void add_row(struct sim *w, int32_t processor, const struct leat_waiting_row *row)
{
    struct sim_store *s = w->store;
    if (s->waiting_count == SIM_WAITING_MAX) {
        sim_fail(w, "flood", "%d rows wait", SIM_WAITING_MAX);
        return;
    }
    struct sim_waiting *r = &s->waiting[s->waiting_count++];
    *r = (struct sim_waiting){.processor = processor, .row = *row};
    copy_texts(w->arena, &r->row);
}

void sim_waits_copy(struct sim_call *c, const struct leat_batch *b)
{
    struct leat_batch *to = &c->batch;
    to->waits = leat_arena_alloc(c->arena, b->wait_count * sizeof *b->waits + 1);
    to->dead = leat_arena_alloc(c->arena, b->dead_count * sizeof *b->dead + 1);
    for (size_t i = 0; i < b->wait_count; i++) {
        to->waits[i] = b->waits[i];
        copy_texts(c->arena, &to->waits[i].row);
    }
    for (size_t i = 0; i < b->dead_count; i++) {
        struct leat_batch_dead *d = &to->dead[i];
        *d = b->dead[i];
        d->key = leat_arena_copy(c->arena, d->key);
        d->topic = leat_arena_copy(c->arena, d->topic);
        d->headers = leat_arena_copy(c->arena, d->headers);
        d->value = leat_arena_copy(c->arena, d->value);
    }
}

/* ---- of a batch ---- */

static void put(struct sim *w, int32_t processor, const struct leat_waiting_row *row)
{
    struct sim_store *s = w->store;
    if (find(s, processor, row) >= 0) {
        sim_fail(w, "ticket", "ticket %lld of key %.*s is given twice", (long long)row->ticket,
                 LEAT_STR_FMT(row->key));
        return;
    }
    add_row(w, processor, row);
    s->scheduled += row->reason == LEAT_WAIT_SCHEDULED;
    s->parked += row->reason == LEAT_WAIT_PARKED;
    s->retried += row->reason == LEAT_WAIT_RETRY;
}

static void take(struct sim *w, int32_t processor, const struct leat_waiting_row *row, bool stored)
{
    struct sim_store *s = w->store;
    int32_t i = find(s, processor, row);
    if (i < 0)
        return;
    if (stored && s->waiting[i].row.reason == LEAT_WAIT_SCHEDULED)
        check_released(w, &s->waiting[i].row);
    /* Planted: settled now, and the row goes later, or never, as who was to delete it dies. */
    if (!sim_off(w, SIM_D_WAIT_TAKEN) || sim_rng_permille(&w->net, 700))
        remove_row(s, i);
}

static void again(struct sim *w, int32_t processor, const struct leat_waiting_row *row)
{
    struct sim_store *s = w->store;
    int32_t i = find(s, processor, row);
    if (i < 0)
        return;
    struct leat_waiting_row *r = &s->waiting[i].row;
    r->reason = row->reason;
    r->due_ms = row->due_ms;
    r->attempt = row->attempt;
    r->first_at_ms = row->first_at_ms;
}

static void cancel(struct sim_store *s, int32_t processor, const struct leat_waiting_row *row)
{
    for (int32_t i = s->waiting_count - 1; i >= 0; i--) {
        const struct sim_waiting *r = &s->waiting[i];
        if (r->processor == processor && r->row.k == row->k &&
            r->row.reason == LEAT_WAIT_SCHEDULED && leat_uuid_eq(&r->row.id, &row->id)) {
            remove_row(s, i);
            s->unscheduled++;
        }
    }
}

void sim_wait_do(struct sim *w, const struct sim_call *c, const struct leat_batch_wait *wait,
                 leat_settled settled)
{
    const struct leat_waiting_row *row = &wait->row;
    bool stored = settled == LEAT_SETTLED_STORED, known = settled == LEAT_SETTLED_DUPLICATE;
    static const char *const names[] = {"", "put", "take", "again", "cancel"};
    sim_trace(w, "%s: %s %.*s/%d key %.*s ticket %lld reason %d due %lld: settled %d",
              c->actor->name, names[wait->op], LEAT_STR_FMT(c->batch.processor), row->k,
              LEAT_STR_FMT(row->key), (long long)row->ticket, (int)row->reason,
              row->due_ms == LEAT_NEVER_MS ? -1 : (long long)(row->due_ms - 1600000000000),
              (int)settled);
    if (!stored && !known)
        return;
    switch (wait->op) {
    case LEAT_WAIT_PUT:
        if (stored)
            put(w, c->processor, row);
        break;
    case LEAT_WAIT_TAKE:
        take(w, c->processor, row, stored);
        break;
    case LEAT_WAIT_AGAIN:
        if (stored) {
            again(w, c->processor, row);
        } else {
            take(w, c->processor, row, false);
        }
        break;
    case LEAT_WAIT_CANCEL:
        if (stored)
            cancel(w->store, c->processor, row);
        break;
    }
}

static struct sim_dead *dead_letter(struct sim_store *s, int32_t processor, int32_t k,
                                    const struct leat_uuid *id)
{
    for (int32_t i = 0; i < s->dead_count; i++) {
        struct sim_dead *d = &s->dead[i];
        if (d->processor == processor && d->k == k && leat_uuid_eq(&d->id, id))
            return d;
    }
    return NULL;
}

void sim_dead_do(struct sim *w, const struct sim_call *c, const struct leat_batch_dead *dead)
{
    struct sim_store *s = w->store;
    const struct leat_batch_command *command = &c->batch.commands[dead->command];
    struct sim_dead *d = dead_letter(s, c->processor, command->k, &command->id);
    if (d == NULL) {
        leat_assert(s->dead_count < SIM_DEAD_MAX);
        d = &s->dead[s->dead_count++];
        *d = (struct sim_dead){.processor = c->processor, .k = command->k, .id = command->id};
        d->row = (struct leat_waiting_row){.k = command->k,
                                           .key = dead->key,
                                           .id = command->id,
                                           .type = command->type,
                                           .priority = LEAT_STR("cold"),
                                           .topic = dead->topic,
                                           .partition = dead->partition,
                                           .offset = dead->offset,
                                           .event_seq = dead->event_seq,
                                           .received_at_ms = command->received_at_ms,
                                           .headers = dead->headers,
                                           .value = dead->value,
                                           .value_null = dead->value_null};
        copy_texts(w->arena, &d->row);
    }
    d->state = d->redrives >= 3 ? SIM_QUARANTINED : SIM_DEAD;
}

void sim_dead_settled(struct sim *w, int32_t processor, int32_t k, const struct leat_uuid *id)
{
    struct sim_dead *d = dead_letter(w->store, processor, k, id);
    if (d != NULL)
        d->state = SIM_DEAD_SETTLED;
}

/* ---- read by the owner ---- */

static bool later(const struct sim_waiting *a, const struct sim_waiting *b)
{
    return a->row.ticket > b->row.ticket;
}

/* Planted: [m2, m3] of a key are put again by their times: [m3, m2]. */
static void shuffle_tickets(struct sim_store *s, int32_t processor, int32_t k)
{
    for (int32_t i = 0; i < s->waiting_count; i++) {
        for (int32_t j = i + 1; j < s->waiting_count; j++) {
            struct sim_waiting *a = &s->waiting[i], *b = &s->waiting[j];
            bool one_key = a->processor == processor && b->processor == processor &&
                           a->row.k == k && b->row.k == k && leat_str_eq(a->row.key, b->row.key);
            if (!one_key || (a->row.ticket < b->row.ticket) == (a->row.due_ms <= b->row.due_ms))
                continue;
            int64_t ticket = a->row.ticket;
            a->row.ticket = b->row.ticket;
            b->row.ticket = ticket;
        }
    }
}

void sim_waiting_keys(struct sim *w, struct sim_call *c)
{
    struct sim_store *s = w->store;
    const struct sim_waiting **found =
        leat_arena_alloc(c->arena, ((size_t)s->waiting_count + 1) * sizeof(struct sim_waiting *));
    size_t n = 0;
    if (sim_off(w, SIM_D_TICKETS))
        shuffle_tickets(s, c->processor, c->slice);
    for (int32_t i = 0; i < s->waiting_count && !sim_off(w, SIM_D_PARKED_KNOWN); i++) {
        const struct sim_waiting *r = &s->waiting[i];
        if (r->processor != c->processor || r->row.k != c->slice)
            continue;
        size_t at = n++;
        for (; at > 0 && later(found[at - 1], r); at--)
            found[at] = found[at - 1];
        found[at] = r;
    }
    c->waiting = leat_arena_alloc(c->arena, (n + 1) * sizeof *c->waiting);
    for (; c->row_count < n; c->row_count++) {
        c->waiting[c->row_count] = found[c->row_count]->row;
        copy_texts(c->arena, &c->waiting[c->row_count]);
    }
}

void sim_waiting_rows(struct sim *w, struct sim_call *c)
{
    const struct sim_store *s = w->store;
    c->waiting = leat_arena_alloc(c->arena, (c->n + 1) * sizeof *c->waiting);
    c->asked = leat_arena_alloc(c->arena, (c->n + 1) * sizeof *c->asked);
    for (size_t i = 0; i < c->n; i++) {
        struct leat_waiting_row ask = {.k = c->refs_asked[i].k,
                                       .key = c->refs_asked[i].key,
                                       .ticket = c->refs_asked[i].ticket};
        int32_t at = find(s, c->processor, &ask);
        sim_trace(w, "%s: asks for key %.*s ticket %lld: %s", c->actor->name, LEAT_STR_FMT(ask.key),
                  (long long)ask.ticket, at < 0 ? "gone" : "there");
        if (at < 0)
            continue;
        c->waiting[c->row_count] = s->waiting[at].row;
        copy_texts(c->arena, &c->waiting[c->row_count]);
        c->asked[c->row_count++] = i;
    }
}

/* ---- a person's doing ---- */

static void operate_now(struct sim *w, struct sim_call *c, struct sim_waiting *r)
{
    struct leat_waiting_row *row = &r->row;
    if (row->reason == LEAT_WAIT_HELD || check_behind(w, r) || row->due_ms <= sim_now_ms(w))
        return;
    row->due_ms = sim_now_ms(w);
    c->changed = true;
}

/* Given up: a row as dead, unless it was only to be sent, or is a copy of one that is settled. */
static void operate_cancel(struct sim *w, struct sim_call *c, int32_t at)
{
    struct sim_store *s = w->store;
    struct leat_waiting_row row = s->waiting[at].row;
    const struct sim_row *known = sim_store_row(s, row.k, c->processor, &row.id);
    if (row.reason == LEAT_WAIT_HELD)
        return;
    if (row.reason == LEAT_WAIT_SCHEDULED) {
        s->unscheduled++;
    } else if (known == NULL || known->outcome == LEAT_OUTCOME_DEAD) {
        sim_store_bury(w, c->processor, &row);
        check_cancelled(w, c->processor, &row);
        struct sim_dead *d = dead_letter(s, c->processor, row.k, &row.id);
        leat_assert(s->dead_count < SIM_DEAD_MAX);
        if (d == NULL)
            d = &s->dead[s->dead_count++];
        *d = (struct sim_dead){
            .processor = c->processor, .k = row.k, .id = row.id, .row = row, .state = SIM_DEAD};
    }
    for (int32_t i = s->waiting_count - 1; i >= 0; i--) { /* copies, too */
        const struct sim_waiting *r = &s->waiting[i];
        if (r->processor == c->processor && r->row.k == row.k && r->row.reason != LEAT_WAIT_HELD &&
            leat_uuid_eq(&r->row.id, &row.id))
            remove_row(s, i);
    }
    c->changed = true;
}

static int64_t next_ticket(const struct sim_store *s, int32_t processor, int32_t k)
{
    int64_t last = 0;
    for (int32_t i = 0; i < s->waiting_count; i++) {
        const struct sim_waiting *r = &s->waiting[i];
        if (r->processor == processor && r->row.k == k && r->row.ticket > last)
            last = r->row.ticket;
    }
    return last + 1;
}

static void operate_redrive(struct sim *w, struct sim_call *c, struct sim_dead *d)
{
    struct sim_store *s = w->store;
    struct leat_waiting_row row = d->row;
    if (d->state != SIM_DEAD && !sim_off(w, SIM_D_REDRIVE_ONCE))
        return;
    row.ticket = next_ticket(s, d->processor, d->k);
    row.reason = LEAT_WAIT_REDRIVEN;
    row.parks = d->processor != SIM_ALERTS;
    row.due_ms = sim_now_ms(w);
    row.attempt = 0;
    row.first_at_ms = 0;
    bool held = false;
    for (int32_t i = 0; i < s->waiting_count; i++) {
        struct sim_waiting *r = &s->waiting[i];
        if (r->processor != d->processor || r->row.k != d->k || !leat_uuid_eq(&r->row.id, &d->id))
            continue;
        if (r->row.reason == LEAT_WAIT_HELD) {
            r->row.reason = LEAT_WAIT_REDRIVEN;
            r->row.due_ms = row.due_ms;
            r->row.attempt = 0;
        }
        held = true;
    }
    if (!held || sim_off(w, SIM_D_REDRIVE_ONCE))
        add_row(w, d->processor, &row);
    d->state = SIM_REDRIVING;
    d->redrives++;
    c->changed = true;
}

static void operate_drop(struct sim *w, struct sim_call *c, struct sim_dead *d)
{
    struct sim_store *s = w->store;
    if (d->state != SIM_DEAD && d->state != SIM_QUARANTINED)
        return;
    d->state = SIM_DROPPED;
    for (int32_t i = s->waiting_count - 1; i >= 0; i--) {
        const struct sim_waiting *r = &s->waiting[i];
        if (r->processor == d->processor && r->row.k == d->k && r->row.reason == LEAT_WAIT_HELD &&
            leat_uuid_eq(&r->row.id, &d->id)) {
            remove_row(s, i);
            c->changed = true;
        }
    }
}

void sim_operate(struct sim *w, struct sim_call *c)
{
    struct sim_store *s = w->store;
    struct sim_dead *d = dead_letter(s, c->processor, c->slice, &c->id);
    int32_t at = 0;
    while (at < s->waiting_count &&
           (s->waiting[at].processor != c->processor || s->waiting[at].row.k != c->slice ||
            !leat_uuid_eq(&s->waiting[at].row.id, &c->id)))
        at++;
    switch (c->operation) {
    case SIM_OPERATE_NOW:
        if (at < s->waiting_count)
            operate_now(w, c, &s->waiting[at]);
        break;
    case SIM_OPERATE_CANCEL:
        if (at < s->waiting_count)
            operate_cancel(w, c, at);
        break;
    case SIM_OPERATE_REDRIVE:
        if (d != NULL)
            operate_redrive(w, c, d);
        break;
    case SIM_OPERATE_DROP:
        if (d != NULL)
            operate_drop(w, c, d);
        break;
    }
    if (c->changed && !sim_off(w, SIM_D_CHANGE_FENCED)) {
        s->owners[c->processor][c->slice].epoch++;
        for (int32_t i = 0; i < SIM_PRIORITIES; i++)
            s->owners[c->processor][c->slice].lanes.epoch[i]++;
    }
}
