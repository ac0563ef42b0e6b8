/* standby.c - the store goes back: a copy of its tables that lags, and what becomes of the rest.
 * Rows are only ever appended to the big tables, so a copy is their lengths and the small tables;
 * what the checker knows of settled records goes back with it. */
#include "check.h"
#include "cluster.h"
#include "store.h"

struct sim_standby {
    struct sim_store tables;
    int32_t row_hash[SIM_COMMANDS_MAX];
    struct sim_row *rows;
    struct sim_waiting *waiting;
    struct sim_dead *dead;
    struct sim_check_mark *mark;
};

struct sim_standby *sim_standby_copy(struct sim *w)
{
    struct sim_standby *s = leat_arena_zalloc(w->arena, 1, sizeof *s);
    size_t n = (size_t)w->store->row_count;
    s->tables = *w->store;
    memcpy(s->row_hash, w->store->row_hash, sizeof s->row_hash);
    s->rows = leat_arena_alloc(w->arena, (n + 1) * sizeof *s->rows);
    memcpy(s->rows, w->store->rows, n * sizeof *s->rows);
    s->waiting = leat_arena_alloc(w->arena, SIM_WAITING_MAX * sizeof *s->waiting);
    memcpy(s->waiting, w->store->waiting, (size_t)w->store->waiting_count * sizeof *s->waiting);
    s->dead = leat_arena_alloc(w->arena, SIM_DEAD_MAX * sizeof *s->dead);
    memcpy(s->dead, w->store->dead, (size_t)w->store->dead_count * sizeof *s->dead);
    s->mark = check_mark(w);
    return s;
}

void sim_standby_promote(struct sim *w, const struct sim_standby *s)
{
    struct sim_store *store = w->store;
    uint64_t sessions = store->sessions;
    int32_t streams = store->stream_count;
    int64_t lost = store->event_count - s->tables.event_count;
    sim_store_crash(w);
    struct sim_stream *known = leat_arena_alloc(w->arena, sizeof store->streams);
    memcpy(known, store->streams, sizeof store->streams);
    *store = s->tables;
    for (int32_t i = store->stream_count; i < streams;
         i++) /* numbers outlive rows: models use them */
        store->streams[i] = (struct sim_stream){.k = known[i].k, .name = known[i].name};
    store->stream_count = streams;
    memset(store->transactions, 0, sizeof store->transactions);
    memcpy(store->row_hash, s->row_hash, sizeof s->row_hash);
    memcpy(store->rows, s->rows, (size_t)store->row_count * sizeof *s->rows);
    memcpy(store->waiting, s->waiting, (size_t)store->waiting_count * sizeof *s->waiting);
    memcpy(store->dead, s->dead, (size_t)store->dead_count * sizeof *s->dead);
    store->sessions = store->dead_session = sessions;
    store->timeline++;
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        *store->slices[k].outbox_end = NULL;
        store->slices[k].lock = 0;
        for (int32_t p = 0; p < SIM_PROCESSORS; p++)
            store->owners[p][k].lock = 0;
    }
    check_back(w, s->mark);
    if (sim_off(w, SIM_D_STORE_ID))
        store->adopted = store->timeline; /* nobody notices */
    sim_trace(w, "the store is back without its last %lld events", (long long)lost);
}

/* The end of the events topic shows something that the store does not have. */
static bool tail_differs(const struct sim *w, int32_t k)
{
    const struct sim_partition *p = sim_log_partition(w, SIM_TOPIC_EVENTS, k);
    const struct sim_slice *slice = &w->store->slices[k];
    struct sim_position at;
    if (p->end == 0 || !sim_position_of(p->records[p->end - 1], &at) ||
        !leat_uuid_eq(&at.store_id, &slice->store_id))
        return false;
    return at.seq > slice->head ||
           !leat_uuid_eq(&w->store->events[slice->events[at.seq - 1]].id, &at.event_id);
}

void sim_store_adopt(struct sim *w)
{
    struct sim_store *s = w->store;
    for (int32_t k = 0; k < SIM_PARTITIONS; k++) {
        struct sim_slice *slice = &s->slices[k];
        if (!sim_off(w, SIM_D_FORK_ALWAYS) || tail_differs(w, k)) {
            slice->parent = slice->store_id;
            slice->fork_seq = slice->head;
            slice->store_id.b[1] = (uint8_t)s->timeline;
        }
        if (sim_off(w, SIM_D_FORK_EPOCHS))
            continue;
        slice->relay_epoch += 1000;
        for (int32_t p = 0; p < SIM_PROCESSORS; p++)
            s->owners[p][k].epoch += 1000;
    }
    s->adopted = s->timeline;
    sim_trace(w, "the store is adopted");
}
