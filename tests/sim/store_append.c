/* store_append.c - the batch function: fences, duplicates, versions, numbers, rows, offsets. */
#include "base/hash.h"
#include "check.h"
#include "store.h"

/* ---- small tables ---- */

static uint64_t row_key(int32_t k, int32_t processor, const struct leat_uuid *id)
{
    return leat_hash64(id->b, sizeof id->b, (uint64_t)k * SIM_PROCESSORS + (uint64_t)processor);
}

const struct sim_row *sim_store_row(const struct sim_store *s, int32_t k, int32_t processor,
                                    const struct leat_uuid *id)
{
    int32_t i = s->row_hash[row_key(k, processor, id) % SIM_COMMANDS_MAX];
    for (; i >= 0; i = s->rows[i].next) {
        const struct sim_row *r = &s->rows[i];
        if (r->k == k && r->processor == processor && leat_uuid_eq(&r->id, id))
            return r;
    }
    return NULL;
}

struct sim_lane *sim_store_lane(struct sim_store *s, int32_t topic, int32_t k, int32_t processor)
{
    for (int32_t i = 0; i < s->lane_count; i++) {
        struct sim_lane *l = &s->lanes[i];
        if (l->topic == topic && l->k == k && l->processor == processor)
            return l;
    }
    return NULL;
}

int32_t sim_store_stream(struct sim *w, int32_t k, struct leat_str name)
{
    struct sim_store *s = w->store;
    const char *mark = name.len == 0 ? NULL : memchr(name.at, '~', name.len);
    if (mark != NULL) { /* planted: a stray that is handled where it lies */
        const char *dash = memchr(name.at, '-', name.len);
        name.len = (uint32_t)(mark - name.at);
        k = leat_partition((struct leat_str){dash + 1, (uint32_t)(mark - dash) - 1},
                           SIM_PARTITIONS);
    }
    for (int32_t i = 0; i < s->stream_count; i++) {
        if (s->streams[i].k == k && leat_str_eq(s->streams[i].name, name))
            return i;
    }
    leat_assert(s->stream_count < SIM_STREAMS_MAX);
    s->streams[s->stream_count] =
        (struct sim_stream){.k = k, .name = leat_arena_copy(w->arena, name)};
    return s->stream_count++;
}

/* ---- steps ---- */

struct append {
    struct sim *w;
    struct sim_store *s;
    struct sim_call *c;
    const struct leat_batch *b;
    bool *lost;                         /* [fence] */
    int32_t *fence_of;                  /* [k] */
    bool *tainted;                      /* [stream]: a duplicate or conflict of it came before */
    int64_t *made;                      /* [stream]: events stored by this batch */
    uint32_t event, outbox, wait, dead; /* next of the batch */
};

/* What a relay repeats when it crashes has a defence of its own: without that of what clients send
 * alone, single-writer plants can be told from copies. */
static bool looks_up(const struct sim *w, int32_t processor)
{
    return !sim_off(w, processor < SIM_AUDITS ? SIM_D_DEDUPE : SIM_D_DEDUPE_SENT);
}

/* Planted: an epoch per lane. */
static void fence_lane(struct append *a, const struct leat_batch_lane *l)
{
    int32_t topic = sim_topic_find(l->topic);
    int32_t priority = topic < SIM_TOPIC_EVENTS ? topic % SIM_PRIORITIES : 0;
    const struct sim_owner *o = &a->s->owners[a->c->processor][l->k];
    if ((*a->c->lane_epochs)[l->k].epoch[priority] != o->lanes.epoch[priority])
        a->c->result.fences[a->fence_of[l->k]].result = LEAT_FENCE_LOST;
}

static void step_fences(struct append *a)
{
    const struct leat_batch *b = a->b;
    for (size_t i = 0; i < b->fence_count; i++) {
        const struct leat_batch_fence *f = &b->fences[i];
        struct leat_reply_fence *r = &a->c->result.fences[i];
        const struct sim_owner *o = &a->s->owners[a->c->processor][f->k];
        a->fence_of[f->k] = (int32_t)i;
        *r = (struct leat_reply_fence){.head_before = a->s->slices[f->k].head,
                                       .outbox_before = a->s->slices[f->k].outbox_head,
                                       .store_id = a->s->slices[f->k].store_id};
        if (!sim_off(a->w, SIM_D_EPOCH) && !sim_off(a->w, SIM_D_ONE_FENCE) && f->epoch >= 0 &&
            f->epoch != o->epoch)
            r->result = LEAT_FENCE_LOST;
    }
    for (size_t i = 0; i < b->lane_count && sim_off(a->w, SIM_D_ONE_FENCE); i++)
        fence_lane(a, &b->lanes[i]);
    for (size_t i = 0; i < b->lane_count && !sim_off(a->w, SIM_D_OFFSET); i++) {
        const struct leat_batch_lane *l = &b->lanes[i];
        const struct sim_lane *have =
            sim_store_lane(a->s, sim_topic_find(l->topic), l->k, a->c->processor);
        struct leat_reply_fence *r = &a->c->result.fences[a->fence_of[l->k]];
        if (r->result == LEAT_FENCE_OK && have != NULL && have->next_offset != l->first_offset)
            r->result = LEAT_FENCE_OFFSET;
    }
    for (size_t i = 0; i < b->fence_count; i++) {
        a->lost[i] = a->c->result.fences[i].result != LEAT_FENCE_OK;
        a->s->fenced += a->lost[i];
    }
}

/* As the statement that compares versions sees it. */
static int64_t version_seen(const struct append *a, int32_t stream)
{
    int64_t version = a->s->streams[stream].version;
    if (a->c->seen == NULL)
        return version;
    return a->c->seen->versions[stream] + a->made[stream];
}

static bool conflicts(struct append *a, const struct leat_batch_command *c, int32_t stream)
{
    const struct leat_batch_fence *f = &a->b->fences[a->fence_of[c->k]];
    const struct leat_reply_fence *r = &a->c->result.fences[a->fence_of[c->k]];
    const struct sim_stream *st = &a->s->streams[stream];
    if (a->tainted[stream] && !sim_off(a->w, SIM_D_TAINT))
        return true;
    if (c->expected_version < 0 || c->expected_version == version_seen(a, stream) ||
        sim_off(a->w, SIM_D_VERSIONS))
        return false;
    /* What only waits makes no event: whatever version it names harms nobody. */
    if (f->since == r->head_before && c->outcome == LEAT_OUTCOME_WAITING)
        return false;
    if (f->since == r->head_before && a->c->seen == NULL && !sim_off(a->w, SIM_D_TAINT) &&
        !sim_off(a->w, SIM_D_FORWARD)) {
        sim_fail(a->w, "since",
                 "%s says (outcome %d) that %.*s is at version %lld as of seq %lld; it is at %lld",
                 a->c->actor->name, (int)c->outcome, LEAT_STR_FMT(st->name),
                 (long long)c->expected_version, (long long)f->since, (long long)st->version);
        return false;
    }
    return true;
}

static bool known(const struct append *a, const struct leat_batch_command *c)
{
    const struct sim_store *s = a->s;
    bool wide = sim_off(a->w, SIM_D_DEDUPE_NARROW), brief = sim_off(a->w, SIM_D_DEDUPE_LONG);
    if (!looks_up(a->w, a->c->processor))
        return false;
    if (!wide && !brief && a->c->seen == NULL) {
        const struct sim_row *r = sim_store_row(s, c->k, a->c->processor, &c->id);
        return r != NULL && r->outcome != LEAT_OUTCOME_DEAD;
    }
    int32_t n = a->c->seen == NULL ? s->row_count : a->c->seen->rows;
    for (int32_t i = 0; i < n; i++) {
        const struct sim_row *r = &s->rows[i];
        if (leat_uuid_eq(&r->id, &c->id) && r->outcome != LEAT_OUTCOME_DEAD &&
            (wide || r->processor == a->c->processor) && (wide || r->k == c->k) &&
            (!brief || r->at_us / SIM_TIME_PARTITION_US == a->w->now_us / SIM_TIME_PARTITION_US))
            return true;
    }
    return false;
}

static leat_settled judge(struct append *a, const struct leat_batch_command *c, int32_t stream)
{
    if (c->outcome == LEAT_OUTCOME_FORWARDED)
        return LEAT_SETTLED_STORED;
    /* Of what is to wait the id is looked up only where others of the batch make it so. */
    bool looked_up = c->outcome != LEAT_OUTCOME_WAITING || sim_rng_permille(&a->w->net, 500);
    bool is_known = looked_up && known(a, c);
    if (c->stream.len == 0) /* alone: settled whatever becomes of others */
        return is_known ? LEAT_SETTLED_DUPLICATE : LEAT_SETTLED_STORED;
    if (is_known) {
        a->tainted[stream] = true;
        return LEAT_SETTLED_DUPLICATE;
    }
    if (!conflicts(a, c, stream))
        return LEAT_SETTLED_STORED;
    a->tainted[stream] = true;
    return LEAT_SETTLED_CONFLICT;
}

static void store_event(struct append *a, const struct leat_batch_event *e,
                        const struct leat_batch_command *c, int32_t stream)
{
    struct sim_stream *st = &a->s->streams[stream];
    struct sim_slice *slice = &a->s->slices[st->k];
    leat_assert(a->s->event_count < SIM_EVENTS_MAX &&
                e->payload.len == sizeof(struct sim_event_body));
    struct sim_stored *row = &a->s->events[a->s->event_count];
    *row = (struct sim_stored){.k = st->k,
                               .stream = stream,
                               .seq = ++slice->head,
                               .version = ++st->version,
                               .recorded_at_us = a->w->now_us,
                               .id = e->id,
                               .command_id = c->id,
                               .type = leat_arena_copy(a->w->arena, e->type)};
    memcpy(&row->body, e->payload.at, sizeof row->body);
    slice->events[row->seq - 1] = a->s->event_count++;
    a->made[stream]++;
    check_event(a->w, row, st);
}

static void store_outbox(struct append *a, const struct leat_batch_outbox *o, int32_t k)
{
    struct sim_slice *slice = &a->s->slices[k];
    struct leat_arena *arena = a->w->arena;
    struct sim_outbox *row = leat_arena_zalloc(arena, 1, sizeof *row);
    *row = (struct sim_outbox){.seq = ++slice->outbox_head,
                               .topic = sim_topic_find(o->topic),
                               .partition = o->partition,
                               .key = leat_arena_copy(arena, o->key),
                               .headers = leat_arena_copy(arena, o->headers),
                               .value = leat_arena_copy(arena, o->value),
                               .key_null = o->key_null};
    leat_assert(row->topic >= 0);
    *slice->outbox_end = row;
    slice->outbox_end = &row->next;
}

/* A row of one that had died is replaced: it has been given another chance. */
static struct sim_row *row_for(struct sim_store *s, int32_t k, int32_t processor,
                               const struct leat_uuid *id)
{
    uint64_t slot = row_key(k, processor, id) % SIM_COMMANDS_MAX;
    for (int32_t i = s->row_hash[slot]; i >= 0; i = s->rows[i].next) {
        struct sim_row *r = &s->rows[i];
        if (r->k == k && r->processor == processor && leat_uuid_eq(&r->id, id) &&
            r->outcome == LEAT_OUTCOME_DEAD)
            return r;
    }
    leat_assert(s->row_count < SIM_COMMANDS_MAX);
    s->rows[s->row_count] = (struct sim_row){.next = s->row_hash[slot]};
    s->row_hash[slot] = s->row_count++;
    return &s->rows[s->row_hash[slot]];
}

static void store_row(struct append *a, const struct leat_batch_command *c, uint32_t events,
                      uint32_t sends)
{
    struct sim_store *s = a->s;
    struct sim_row *r = row_for(s, c->k, a->c->processor, &c->id);
    *r = (struct sim_row){.k = c->k,
                          .processor = a->c->processor,
                          .lane = c->lane,
                          .id = c->id,
                          .outcome = c->outcome,
                          .events = events,
                          .sends = sends,
                          .offset = c->offset,
                          .settled = ++s->settled,
                          .at_us = a->w->now_us,
                          .next = r->next};
    if (c->outcome != LEAT_OUTCOME_DEAD)
        sim_dead_settled(a->w, a->c->processor, c->k, &c->id);
}

void sim_store_bury(struct sim *w, int32_t processor, const struct leat_waiting_row *row)
{
    struct sim_row *r = row_for(w->store, row->k, processor, &row->id);
    *r = (struct sim_row){.k = row->k,
                          .processor = processor,
                          .lane = -1,
                          .id = row->id,
                          .outcome = LEAT_OUTCOME_DEAD,
                          .offset = row->offset,
                          .settled = ++w->store->settled,
                          .at_us = w->now_us,
                          .next = r->next};
}

static leat_settled settled_of(const struct append *a, const struct leat_batch_wait *wait)
{
    if (a->lost[a->fence_of[wait->row.k]])
        return LEAT_SETTLED_LEFT_OUT;
    return wait->command < 0 ? LEAT_SETTLED_STORED
                             : (leat_settled)a->c->result.settled[wait->command];
}

/* Those of a command, and those before it that have the fence alone. */
static void step_waits(struct append *a, int32_t upto)
{
    for (; a->wait < a->b->wait_count && a->b->waits[a->wait].command <= upto; a->wait++) {
        const struct leat_batch_wait *wait = &a->b->waits[a->wait];
        if (wait->op != LEAT_WAIT_CANCEL)
            sim_wait_do(a->w, a->c, wait, settled_of(a, wait));
    }
}

/* After all others: what goes out in this batch is not cancelled by it. */
static void step_cancels(struct append *a)
{
    for (size_t i = 0; i < a->b->wait_count; i++) {
        const struct leat_batch_wait *wait = &a->b->waits[i];
        if (wait->op == LEAT_WAIT_CANCEL)
            sim_wait_do(a->w, a->c, wait, settled_of(a, wait));
    }
}

static bool leaves_row(const struct append *a, const struct leat_batch_command *c)
{
    return c->outcome != LEAT_OUTCOME_FORWARDED &&
           (c->outcome != LEAT_OUTCOME_WAITING || sim_off(a->w, SIM_D_WAITING_OPEN));
}

static void step_command(struct append *a, uint32_t index)
{
    const struct leat_batch *b = a->b;
    const struct leat_batch_command *c = &b->commands[index];
    bool alone = c->stream.len == 0;
    int32_t stream = alone ? 0 : sim_store_stream(a->w, c->k, c->stream);
    leat_settled settled = a->lost[a->fence_of[c->k]] ? LEAT_SETTLED_LEFT_OUT : judge(a, c, stream);
    a->c->result.settled[index] = (uint8_t)settled;
    bool stored = settled == LEAT_SETTLED_STORED;
    sim_trace(a->w, "%s: %.*s outcome %d lane %d offset %lld expects %lld: settled %d",
              a->c->actor->name, LEAT_STR_FMT(c->stream), (int)c->outcome, c->lane,
              (long long)c->offset, (long long)c->expected_version, (int)settled);
    if (stored) {
        check_command(a->w, c, &a->s->streams[stream]);
        check_turn(a->w, a->c, index);
    }
    uint32_t events = 0, sends = 0;
    for (; a->event < b->event_count && b->events[a->event].command == index; a->event++) {
        if (stored && ++events > 0)
            store_event(a, &b->events[a->event], c, stream);
    }
    for (; a->outbox < b->outbox_count && b->outbox[a->outbox].command == index; a->outbox++) {
        if (stored && ++sends > 0)
            store_outbox(a, &b->outbox[a->outbox], c->k);
    }
    if (stored && leaves_row(a, c))
        store_row(a, c, events, sends);
    step_waits(a, (int32_t)index);
    for (; a->dead < b->dead_count && b->dead[a->dead].command == index; a->dead++) {
        if (stored)
            sim_dead_do(a->w, a->c, &b->dead[a->dead]);
    }
    a->c->result.conflicts += settled == LEAT_SETTLED_CONFLICT;
    a->c->result.duplicates += settled == LEAT_SETTLED_DUPLICATE;
    if (settled == LEAT_SETTLED_STORED || settled == LEAT_SETTLED_DUPLICATE)
        check_settled(a->w, a->c, c, settled);
}

static void step_snapshot(struct append *a, const struct leat_batch_snapshot *kept)
{
    const struct leat_batch_command *c = &a->b->commands[kept->command];
    bool stored = a->c->result.settled[kept->command] == LEAT_SETTLED_STORED;
    if (!stored && !sim_off(a->w, SIM_D_SNAPSHOT))
        return;
    struct sim_stream *s = &a->s->streams[sim_store_stream(a->w, c->k, c->stream)];
    check_snapshot(a->w, kept, s);
    s->kept_version = kept->version;
    memcpy(&s->kept, kept->state.at, sizeof s->kept);
    a->s->snapshots++;
}

static void step_lane(struct append *a, size_t index)
{
    const struct leat_batch_lane *l = &a->b->lanes[index];
    int32_t topic = sim_topic_find(l->topic);
    if (a->lost[a->fence_of[l->k]])
        return;
    int64_t next = l->next_offset;
    for (size_t i = 0; i < a->b->command_count; i++) {
        if (a->b->commands[i].lane == (int32_t)index && a->b->commands[i].offset < next &&
            a->c->result.settled[i] == LEAT_SETTLED_CONFLICT && !sim_off(a->w, SIM_D_MARK))
            next = l->next_seq > 0 ? l->first_offset : a->b->commands[i].offset;
    }
    struct sim_lane *have = sim_store_lane(a->s, topic, l->k, a->c->processor);
    if (have == NULL) {
        leat_assert(a->s->lane_count < SIM_LANES_MAX);
        have = &a->s->lanes[a->s->lane_count++];
        *have = (struct sim_lane){.topic = topic,
                                  .k = l->k,
                                  .processor = a->c->processor,
                                  .next_offset = l->first_offset};
    }
    /* The fingerprint belongs to the record before next_offset: known only where
     * all has settled. */
    bool whole = next == l->next_offset;
    if (next != have->next_offset && !whole)
        have->bare_epoch = a->b->fences[a->fence_of[l->k]].epoch;
    check_lane(a->w, a->c, have, next, whole ? l->next_seq : have->next_seq);
    if (next != have->next_offset || whole)
        have->fingerprint = whole ? l->fingerprint : 0;
    have->next_offset = next;
    have->next_seq = whole ? l->next_seq : have->next_seq;
}

static bool stopped_again(const struct append *a, const struct sim_lane *lane)
{
    for (size_t i = 0; i < a->b->lane_count; i++) {
        const struct leat_batch_lane *l = &a->b->lanes[i];
        if (l->k == lane->k && sim_topic_find(l->topic) == lane->topic)
            return l->next_offset != lane->next_offset;
    }
    return false;
}

/* A conflict leaves a lane without fingerprint: the owner's next batch with that k brings it. */
static void check_bare(struct append *a)
{
    for (int32_t i = 0; i < a->s->lane_count; i++) {
        struct sim_lane *l = &a->s->lanes[i];
        if (l->processor != a->c->processor || l->fingerprint != 0 || l->bare_epoch == 0)
            continue;
        for (size_t j = 0; j < a->b->fence_count; j++) {
            if (a->lost[j] || a->b->fences[j].k != l->k || a->b->fences[j].epoch != l->bare_epoch)
                continue;
            if (!stopped_again(a, l)) {
                sim_fail(a->w, "fingerprint", "%s %d stands at %lld without one",
                         sim_topic_name(l->topic), l->k, (long long)l->next_offset);
            }
        }
    }
}

/* Planted: two transactions have seen the same version; the unique key ends the second one. */
static bool violates_key(const struct append *a)
{
    for (uint32_t i = 0; a->c->seen != NULL && i < a->b->event_count; i++) {
        const struct leat_batch_command *c = &a->b->commands[a->b->events[i].command];
        int32_t stream = sim_store_stream(a->w, c->k, c->stream);
        if (a->c->seen->versions[stream] != a->s->streams[stream].version)
            return true;
    }
    return false;
}

static void steps(struct append *a)
{
    const struct leat_batch *b = a->b;
    step_fences(a);
    for (size_t i = 0; i < b->fence_count; i++) {
        if (!a->lost[i])
            check_owner(a->w, a->c, b->fences[i].k);
    }
    for (uint32_t i = 0; i < b->command_count; i++)
        step_command(a, i);
    step_waits(a, INT32_MAX);
    step_cancels(a);
    for (size_t i = 0; i < b->snapshot_count; i++)
        step_snapshot(a, &b->snapshots[i]);
    for (size_t i = 0; i < b->lane_count; i++)
        step_lane(a, i);
    check_bare(a);
    for (size_t i = 0; i < b->fence_count; i++) {
        a->c->result.fences[i].head_after = a->s->slices[b->fences[i].k].head;
        a->c->result.fences[i].outbox_after = a->s->slices[b->fences[i].k].outbox_head;
    }
}

bool sim_store_append(struct sim *w, struct sim_call *c)
{
    const struct leat_batch *b = &c->batch;
    int32_t fence_of[SIM_PARTITIONS];
    bool lost[SIM_PARTITIONS] = {false};
    bool tainted[SIM_STREAMS_MAX] = {false};
    int64_t made[SIM_STREAMS_MAX] = {0};
    struct append a = {.w = w,
                       .s = w->store,
                       .c = c,
                       .b = b,
                       .lost = lost,
                       .fence_of = fence_of,
                       .tainted = tainted,
                       .made = made};
    leat_assert(b->fence_count <= SIM_PARTITIONS);
    if (violates_key(&a))
        return false;
    c->result = (struct leat_reply){
        .recorded_at_us = w->now_us,
        .fences = leat_arena_zalloc(c->arena, b->fence_count + 1, sizeof *c->result.fences),
        .settled = leat_arena_zalloc(c->arena, b->command_count + 1, 1)};
    steps(&a);
    w->store->appends++;
    w->store->conflicts += c->result.conflicts;
    w->store->duplicates += c->result.duplicates;
    return true;
}

/* ---- a batch outlives its flow when the call is late: deep copy ---- */

static struct leat_str keep(struct sim_call *c, struct leat_str s)
{
    return s.len == 0 ? (struct leat_str){0} : leat_arena_copy(c->arena, s);
}

static void *keep_array(struct sim_call *c, const void *from, size_t n, size_t size)
{
    void *to = leat_arena_alloc(c->arena, n * size + 1);
    if (n > 0)
        memcpy(to, from, n * size);
    return to;
}

void sim_call_copy_batch(struct sim_call *c, const struct leat_batch *b)
{
    c->batch = *b;
    struct leat_batch *to = &c->batch;
    to->fences = keep_array(c, b->fences, b->fence_count, sizeof *b->fences);
    to->lanes = keep_array(c, b->lanes, b->lane_count, sizeof *b->lanes);
    to->commands = keep_array(c, b->commands, b->command_count, sizeof *b->commands);
    to->events = keep_array(c, b->events, b->event_count, sizeof *b->events);
    to->outbox = keep_array(c, b->outbox, b->outbox_count, sizeof *b->outbox);
    sim_waits_copy(c, b);
    to->snapshots = keep_array(c, b->snapshots, b->snapshot_count, sizeof *b->snapshots);
    for (size_t i = 0; i < b->snapshot_count; i++)
        to->snapshots[i].state = keep(c, b->snapshots[i].state);
    for (size_t i = 0; i < b->lane_count; i++)
        to->lanes[i].topic = keep(c, b->lanes[i].topic);
    for (size_t i = 0; i < b->command_count; i++) {
        struct leat_batch_command *m = &to->commands[i];
        m->type = keep(c, m->type);
        m->stream = keep(c, m->stream);
        m->error_code = keep(c, m->error_code);
        m->error_text = keep(c, m->error_text);
        m->source = m->priority = m->payload = (struct leat_str){0};
    }
    for (size_t i = 0; i < b->event_count; i++) {
        to->events[i].type = keep(c, b->events[i].type);
        to->events[i].payload = keep(c, b->events[i].payload);
    }
    for (size_t i = 0; i < b->outbox_count; i++) {
        struct leat_batch_outbox *o = &to->outbox[i];
        o->topic = keep(c, o->topic);
        o->key = keep(c, o->key);
        o->headers = keep(c, o->headers);
        o->value = keep(c, o->value);
    }
}
