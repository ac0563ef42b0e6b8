/* Calls of handlers, one by one or, with `concurrency`, those of different keys at once: their
 * results are then taken over in the batch's order, so that what comes out does not depend on who
 * was faster. */
#include <stdlib.h>

#include "base/hash.h"
#include "worker/flow_internal.h"

/* What a call has made is folded into the state at once: the key's next command decides on it. */
static void fold_made(struct leat_flow *f, struct flow_key *key, const struct leat_call *call)
{
    for (size_t i = 0; i < call->event_count; i++) {
        const struct leat_made_event *e = &call->events[i];
        struct leat_error err = {0};
        if (leat_dispatch_has_state(f->c.dispatch) &&
            leat_dispatch_fold(f->c.dispatch, e->type_name, e->payload, call->arena, key->state,
                               &err) != LEAT_OK)
            key->unreadable =
                leat_arena_printf(call->arena, "could not fold its own event: %s", err.msg);
        key->version++;
    }
}

static void entering(const struct leat_flow *f, const struct flow_work *w,
                     const struct flow_room *room)
{
    if (f->c.entering == NULL)
        return;
    struct leat_flow_running what = {.lane = &f->lanes[w->lane].spec,
                                     .offset = w->item->wait != NULL ? w->item->wait->offset
                                                                     : w->item->in.offset,
                                     .id = w->id,
                                     .key = w->key,
                                     .type = w->type,
                                     .runner = (int32_t)(room - f->rooms)};
    f->c.entering(f->c.arg, &what);
}

static void left(const struct leat_flow *f, const struct flow_room *room)
{
    if (f->c.left != NULL)
        f->c.left(f->c.arg, (int32_t)(room - f->rooms));
}

void flow_call(struct leat_flow *f, struct flow_work *w, const struct flow_room *room,
               struct leat_call *call)
{
    struct flow_key *key = w->stream;
    w->version = key == NULL ? 0 : key->version;
    *call = (struct leat_call){.dispatch = f->c.dispatch,
                               .arena = room->arena,
                               .scratch = room->scratch,
                               .id = w->id,
                               .correlation_id = w->correlation_id,
                               .key = w->key,
                               .type = w->type,
                               .priority = w->priority,
                               .received_at_ms = w->item->in.timestamp_ms,
                               .version = w->version,
                               .attempt = w->attempts,
                               .k = f->lanes[w->lane].spec.k,
                               .epoch = f->slices[f->lanes[w->lane].spec.k].epoch};
    entering(f, w, room);
    leat_dispatch_call(call, w->handler, w->message, key == NULL ? NULL : key->state);
    if (key != NULL)
        fold_made(f, key, call);
    left(f, room);
}

/* ---- at once ---- */

struct job { /* the commands of a key, in the batch's order */
    uint64_t hash;
    struct flow_work *first, *last;
};

struct jobs {
    struct leat_flow *f;
    struct job *at;
    size_t n;
    uint32_t *slots; /* hash table: job + 1 */
    size_t mask;
};

/* Keys whose hashes are the same make one job: they run one by one, which is no harm. */
static void add_to_job(struct jobs *j, struct flow_work *w)
{
    uint64_t hash = leat_hash64(w->key.at, w->key.len, 0);
    size_t i = hash & j->mask;
    while (j->slots[i] != 0 && j->at[j->slots[i] - 1].hash != hash)
        i = (i + 1) & j->mask;
    if (j->slots[i] == 0) {
        j->at[j->n++] = (struct job){hash, w, w};
        j->slots[i] = (uint32_t)j->n;
        return;
    }
    struct job *job = &j->at[j->slots[i] - 1];
    job->last->next_of_key = w;
    job->last = w;
}

/* Not those that stand, in their lane, behind a record that can't be handled now. */
static struct jobs make_jobs(struct leat_flow *f)
{
    struct jobs j = {.f = f, .mask = 15};
    while (j.mask < 2 * f->work_count)
        j.mask = 2 * j.mask + 1;
    j.slots = leat_arena_zalloc(f->arena, j.mask + 1, sizeof *j.slots);
    j.at = leat_arena_alloc(f->arena, (f->work_count + 1) * sizeof *j.at);
    bool *cut = leat_arena_zalloc(f->arena, f->lane_count, sizeof *cut);
    for (size_t i = 0; i < f->work_count; i++) {
        struct flow_work *w = &f->work[i];
        bool unreadable = w->stream != NULL && w->stream->unreadable != NULL;
        cut[w->lane] |= w->what == FLOW_LATER || w->what == FLOW_HOLE || unreadable;
        /* One that is condemned makes nothing and cuts nothing. */
        if (w->what == FLOW_COMMAND && !cut[w->lane] && !flow_is_condemned(f, w))
            add_to_job(&j, w);
    }
    return j;
}

/* A job may end early: what is left of it is called one by one, in its turn. */
static void run_job(void *ctx, size_t index, int32_t runner)
{
    const struct jobs *j = ctx;
    const struct flow_room *room = &j->f->rooms[runner];
    for (struct flow_work *w = j->at[index].first; w != NULL; w = w->next_of_key) {
        struct leat_call *call = leat_arena_alloc(room->arena, sizeof *call);
        flow_call(j->f, w, room, call);
        w->call = call;
        if (call->answer == LEAT_ANSWER_RETRY ||
            (w->stream != NULL && w->stream->unreadable != NULL))
            return;
    }
}

void flow_call_at_once(struct leat_flow *f)
{
    struct jobs j = make_jobs(f);
    if (j.n > 1)
        f->c.run_all(f->c.arg, j.n, run_job, &j);
}

/* ---- memory of those who run ---- */

void flow_rooms_new(struct leat_flow *f)
{
    size_t n = f->c.run_all == NULL ? 1 : (size_t)f->c.runners;
    f->rooms = calloc(n, sizeof *f->rooms);
    leat_assert(f->rooms != NULL && n > 0);
    f->rooms[0] = (struct flow_room){f->arena, &f->scratch};
    for (size_t i = 1; i < n; i++) {
        struct leat_buf *scratch = calloc(1, sizeof *scratch);
        leat_assert(scratch != NULL);
        leat_buf_init(scratch, f->scratch.max);
        f->rooms[i] = (struct flow_room){leat_arena_new(64 * 1024, 1024 * 1024), scratch};
    }
    f->room_count = n;
}

void flow_rooms_reset(struct leat_flow *f)
{
    for (size_t i = 1; i < f->room_count; i++)
        leat_arena_reset(f->rooms[i].arena);
}

void flow_rooms_free(struct leat_flow *f)
{
    for (size_t i = 1; i < f->room_count; i++) {
        leat_arena_free(f->rooms[i].arena);
        leat_buf_done(f->rooms[i].scratch);
        free(f->rooms[i].scratch);
    }
    free(f->rooms);
}
