/* uses: base store */
/* store_random.c - random batches against the store and against a model of store.h, replies
 * compared. The simulator trusts the same words; this shows that the SQL means what they say. The
 * seed is fixed unless $LEAT_SEED is set; a failure names seed and batch. */
#include "store_kit_batch.h"

#define SLICES     4
#define STREAMS    6
#define PROCESSORS 2
#define TOPICS     2
#define BATCHES    600
#define EVENTS_MAX 20000
#define IDS_MAX    20000

struct known {
    int32_t slice, processor;
    uint64_t id;
    bool dead; /* whatever comes under its id later takes its place */
};
struct model {
    int64_t epoch[PROCESSORS][SLICES], lane[PROCESSORS][TOPICS][SLICES]; /* lane -1 = no row yet */
    int64_t head[SLICES], outbox[SLICES], version[SLICES][STREAMS];
    uint8_t stream_of[SLICES][EVENTS_MAX]; /* by seq - 1 */
    struct known known[IDS_MAX];
    size_t known_count;
    uint64_t rng, next_id;
};

/* What was asked for, in the model's terms, parallel to the batch. */
struct asked {
    int32_t processor;
    int32_t stream[KIT_ROWS];
    uint64_t id[KIT_ROWS];
    int64_t events[KIT_ROWS];
    uint8_t settled[KIT_ROWS];
    int32_t lane_topic[8];
};

static const char *const streams[STREAMS] = {"a-1", "a-2", "a-3", "b-1", "b-2", "b-3"};
static const char *const processors[PROCESSORS] = {"a", "b"};
static const char *const topics[TOPICS] = {"hot", "cold"};

static uint64_t next_random(struct model *m)
{
    uint64_t z = m->rng += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t in(struct model *m, int64_t from, int64_t to)
{
    return from + (int64_t)(next_random(m) % (uint64_t)(to - from + 1));
}

static bool chance(struct model *m, int percent)
{
    return in(m, 0, 99) < percent;
}

static struct known *find_known(struct model *m, int32_t slice, int32_t processor, uint64_t id)
{
    for (size_t i = 0; i < m->known_count; i++) {
        if (m->known[i].id == id && m->known[i].slice == slice &&
            m->known[i].processor == processor)
            return &m->known[i];
    }
    return NULL;
}

static int64_t version_at(const struct model *m, int32_t k, int32_t stream, int64_t seq)
{
    int64_t n = 0;
    for (int64_t i = 0; i < seq; i++)
        n += m->stream_of[k][i] == stream;
    return n;
}

/* ---- a random batch ---- */

static void ask_fences(struct model *m, struct kit_batch *b, const struct asked *a)
{
    int32_t order[SLICES] = {0, 1, 2, 3};
    for (int32_t i = SLICES - 1; i > 0; i--) {
        int32_t j = (int32_t)in(m, 0, i), t = order[i];
        order[i] = order[j];
        order[j] = t;
    }
    int64_t n = in(m, 1, SLICES);
    for (int64_t i = 0; i < n; i++) {
        int32_t k = order[i];
        int64_t epoch = m->epoch[a->processor][k], since = m->head[k];
        if (chance(m, 8))
            epoch = chance(m, 50) ? -1 : epoch - 1 + 2 * in(m, 0, 1);
        if (chance(m, 50))
            since = chance(m, 50) ? -1 : in(m, since > 8 ? since - 8 : 0, since);
        kit_fence(b, k, epoch, since);
    }
}

static void ask_lanes(struct model *m, struct kit_batch *b, struct asked *a)
{
    for (size_t i = 0; i < b->b.fence_count; i++) {
        for (int32_t t = 0; t < TOPICS; t++) {
            int32_t k = b->fences[i].k;
            int64_t first = m->lane[a->processor][t][k];
            if (b->fences[i].epoch < 0 || chance(m, 50))
                continue; /* without an epoch nobody may move a lane */
            if (first < 0) {
                first = in(m, 0, 5);
            } else if (chance(m, 4)) {
                first += chance(m, 50) ? 1 : -1;
            }
            kit_lane(b, k, first, first);
            b->lanes[b->b.lane_count - 1].topic = leat_str_of(topics[t]);
            a->lane_topic[b->b.lane_count - 1] = t;
        }
    }
}

static uint64_t ask_id(struct model *m, const struct kit_batch *b, const struct asked *a, int32_t k)
{
    size_t n = b->b.command_count;
    if (chance(m, 10) && m->known_count > 0) {
        const struct known *old = &m->known[in(m, 0, (int64_t)m->known_count - 1)];
        return old->id;
    }
    if (chance(m, 8) && n > 0) {
        size_t i = (size_t)in(m, 0, (int64_t)n - 1);
        if (b->commands[i].k == k)
            return a->id[i];
    }
    return ++m->next_id;
}

static int64_t ask_expected(struct model *m, const struct leat_batch_fence *f, int32_t stream)
{
    if (f->since >= 0)
        return version_at(m, f->k, stream, f->since);
    int64_t v = m->version[f->k][stream];
    return chance(m, 75) ? v : v > 0 && chance(m, 50) ? v - 1 : v + 1;
}

static void ask_lane_of(struct model *m, struct kit_batch *b, int32_t k)
{
    int32_t at[8], n = 0;
    for (size_t i = 0; i < b->b.lane_count; i++) {
        if (b->lanes[i].k == k)
            at[n++] = (int32_t)i;
    }
    if (n == 0 || chance(m, 15))
        return;
    int32_t lane = at[in(m, 0, n - 1)];
    kit_at(b, lane, b->lanes[lane].next_offset++);
}

static void ask_command(struct model *m, struct kit_batch *b, struct asked *a,
                        int64_t expected[SLICES][STREAMS])
{
    const struct leat_batch_fence *f = &b->fences[in(m, 0, (int64_t)b->b.fence_count - 1)];
    int32_t s = (int32_t)in(m, 0, STREAMS - 1);
    size_t i = b->b.command_count;
    if (expected[f->k][s] < 0)
        expected[f->k][s] = ask_expected(m, f, s);
    a->id[i] = ask_id(m, b, a, f->k);
    a->stream[i] = s;
    struct leat_batch_command *c = kit_command(b, f->k, streams[s], expected[f->k][s], a->id[i]);
    int64_t dice = in(m, 0, 9);
    c->outcome = dice < 7    ? LEAT_OUTCOME_ACCEPTED
                 : dice == 7 ? LEAT_OUTCOME_REJECTED
                 : dice == 8 ? LEAT_OUTCOME_DEAD
                             : LEAT_OUTCOME_FORWARDED;
    if (c->outcome == LEAT_OUTCOME_FORWARDED || chance(m, 8))
        c->expected_version = -1;
    a->events[i] = c->outcome == LEAT_OUTCOME_ACCEPTED ? in(m, 0, 2) : 0;
    for (int64_t e = 0; e < a->events[i]; e++)
        kit_event(b);
    expected[f->k][s] += a->events[i];
    if (c->outcome == LEAT_OUTCOME_FORWARDED || chance(m, 25))
        kit_outbox(b, 1);
    ask_lane_of(m, b, f->k);
}

/* ---- what the model says to it ---- */

static size_t fence_at(const struct kit_batch *b, int32_t k)
{
    size_t i = 0;
    while (b->fences[i].k != k)
        i++;
    return i;
}

static void judge_fences(const struct model *m, const struct kit_batch *b, const struct asked *a,
                         leat_fence_result *ret)
{
    for (size_t i = 0; i < b->b.fence_count; i++) {
        const struct leat_batch_fence *f = &b->fences[i];
        bool lost = f->epoch >= 0 && f->epoch != m->epoch[a->processor][f->k];
        ret[i] = lost ? LEAT_FENCE_LOST : LEAT_FENCE_OK;
    }
    for (size_t i = 0; i < b->b.lane_count; i++) {
        const struct leat_batch_lane *l = &b->lanes[i];
        int64_t have = m->lane[a->processor][a->lane_topic[i]][l->k];
        leat_fence_result *r = &ret[fence_at(b, l->k)];
        if (*r == LEAT_FENCE_OK && have >= 0 && have != l->first_offset)
            *r = LEAT_FENCE_OFFSET;
    }
}

/* Index of the first command of the batch with this id in this slice, forwarded ones apart. */
static size_t twin_of(const struct kit_batch *b, const struct asked *a, size_t i)
{
    for (size_t j = 0; j < i; j++) {
        if (a->id[j] == a->id[i] && b->commands[j].k == b->commands[i].k &&
            b->commands[j].outcome != LEAT_OUTCOME_FORWARDED)
            return j;
    }
    return i;
}

static void store_command(struct model *m, const struct kit_batch *b, const struct asked *a,
                          size_t i)
{
    int32_t k = b->commands[i].k;
    for (int64_t e = 0; e < a->events[i]; e++) {
        CHECK(m->head[k] < EVENTS_MAX);
        m->stream_of[k][m->head[k]++] = (uint8_t)a->stream[i];
        m->version[k][a->stream[i]]++;
    }
    for (size_t o = 0; o < b->b.outbox_count; o++)
        m->outbox[k] += b->outbox[o].command == i;
    if (b->commands[i].outcome == LEAT_OUTCOME_FORWARDED)
        return;
    struct known *row = find_known(m, k, a->processor, a->id[i]);
    CHECK(m->known_count < IDS_MAX);
    if (row == NULL)
        row = &m->known[m->known_count++];
    *row = (struct known){k, a->processor, a->id[i], b->commands[i].outcome == LEAT_OUTCOME_DEAD};
}

/* A known id that is spoiled as well may come back as either: it is not written, and is looked up
 * only once something collides with it. */
static leat_settled judge(struct model *m, const struct kit_batch *b, const struct asked *a,
                          size_t i, bool spoiled[SLICES][STREAMS])
{
    const struct leat_batch_command *c = &b->commands[i];
    bool *spoil = &spoiled[c->k][a->stream[i]];
    if (c->outcome == LEAT_OUTCOME_FORWARDED)
        return LEAT_SETTLED_STORED;
    if (c->expected_version >= 0 && c->expected_version != m->version[c->k][a->stream[i]])
        *spoil = true;
    size_t twin = twin_of(b, a, i);
    bool conflict = *spoil || (twin < i && a->settled[twin] == LEAT_SETTLED_CONFLICT);
    const struct known *row = find_known(m, c->k, a->processor, a->id[i]);
    bool stored_here = twin < i && a->settled[twin] == LEAT_SETTLED_STORED;
    if (row != NULL && (!row->dead || stored_here)) {
        *spoil = true;
        return conflict && b->reply.settled[i] == LEAT_SETTLED_CONFLICT ? LEAT_SETTLED_CONFLICT
                                                                        : LEAT_SETTLED_DUPLICATE;
    }
    *spoil |= conflict;
    return conflict ? LEAT_SETTLED_CONFLICT : LEAT_SETTLED_STORED;
}

static void judge_commands(struct model *m, const struct kit_batch *b, struct asked *a,
                           const leat_fence_result *fences)
{
    bool spoiled[SLICES][STREAMS] = {{false}};
    for (size_t i = 0; i < b->b.command_count; i++) {
        bool left_out = fences[fence_at(b, b->commands[i].k)] != LEAT_FENCE_OK;
        a->settled[i] = (uint8_t)(left_out ? LEAT_SETTLED_LEFT_OUT : judge(m, b, a, i, spoiled));
        if (a->settled[i] == LEAT_SETTLED_STORED)
            store_command(m, b, a, i);
    }
}

static void judge_lanes(struct model *m, const struct kit_batch *b, const struct asked *a,
                        const leat_fence_result *fences)
{
    for (size_t i = 0; i < b->b.lane_count; i++) {
        const struct leat_batch_lane *l = &b->lanes[i];
        int64_t next = l->next_offset;
        if (fences[fence_at(b, l->k)] != LEAT_FENCE_OK)
            continue;
        for (size_t c = 0; c < b->b.command_count; c++) {
            if (b->commands[c].lane == (int32_t)i && b->commands[c].offset < next &&
                a->settled[c] == LEAT_SETTLED_CONFLICT)
                next = b->commands[c].offset;
        }
        m->lane[a->processor][a->lane_topic[i]][l->k] = next;
        CHECK_EQ(b->reply.lane_offsets[i], next);
    }
}

/* ---- one turn ---- */

static void explain(const struct kit_batch *b, const struct asked *a)
{
    for (size_t i = 0; i < b->b.fence_count; i++) {
        (void)fprintf(stderr, "fence k %d epoch %lld since %lld: %d, head %lld\n", b->fences[i].k,
                      (long long)b->fences[i].epoch, (long long)b->fences[i].since,
                      (int)b->reply.fences[i].result, (long long)b->reply.fences[i].head_before);
    }
    for (size_t i = 0; i < b->b.command_count; i++) {
        (void)fprintf(stderr,
                      "%zu: k %d %s id %llu expects %lld, outcome %d, %lld events: %d, not %d\n", i,
                      b->commands[i].k, streams[a->stream[i]], (unsigned long long)a->id[i],
                      (long long)b->commands[i].expected_version, (int)b->commands[i].outcome,
                      (long long)a->events[i], (int)b->reply.settled[i], (int)a->settled[i]);
    }
}

static void compare(struct model *m, const struct kit_batch *b, struct asked *a)
{
    leat_fence_result fences[SLICES] = {LEAT_FENCE_OK};
    int64_t head[SLICES], outbox[SLICES];
    memcpy(head, m->head, sizeof head);
    memcpy(outbox, m->outbox, sizeof outbox);
    judge_fences(m, b, a, fences);
    for (size_t i = 0; i < b->b.fence_count; i++)
        CHECK_EQ(b->reply.fences[i].result, fences[i]);
    judge_commands(m, b, a, fences);
    if (memcmp(b->reply.settled, a->settled, b->b.command_count) != 0)
        explain(b, a);
    size_t conflicts = 0, duplicates = 0;
    for (size_t i = 0; i < b->b.command_count; i++) {
        CHECK_EQ(b->reply.settled[i], a->settled[i]);
        conflicts += a->settled[i] == LEAT_SETTLED_CONFLICT;
        duplicates += a->settled[i] == LEAT_SETTLED_DUPLICATE;
    }
    CHECK_EQ(b->reply.conflicts, conflicts);
    CHECK_EQ(b->reply.duplicates, duplicates);
    for (size_t i = 0; i < b->b.fence_count; i++) {
        const struct leat_reply_fence *r = &b->reply.fences[i];
        int32_t k = b->fences[i].k;
        if (r->result != LEAT_FENCE_OK)
            continue;
        CHECK_EQ(r->head_before, head[k]);
        CHECK_EQ(r->head_after, m->head[k]);
        CHECK_EQ(r->outbox_before, outbox[k]);
        CHECK_EQ(r->outbox_after, m->outbox[k]);
    }
    judge_lanes(m, b, a, fences);
}

static void one_batch(struct model *m, struct leat_store *s)
{
    struct asked *a = calloc(1, sizeof *a);
    CHECK(a != NULL);
    a->processor = (int32_t)in(m, 0, PROCESSORS - 1);
    struct kit_batch *b = kit_batch(processors[a->processor]);
    int64_t expected[SLICES][STREAMS];
    for (int32_t k = 0; k < SLICES; k++) {
        for (int32_t i = 0; i < STREAMS; i++)
            expected[k][i] = -1;
    }
    ask_fences(m, b, a);
    ask_lanes(m, b, a);
    for (int64_t n = in(m, 1, 14); n > 0; n--)
        ask_command(m, b, a, expected);
    kit_append(s, b);
    compare(m, b, a);
    kit_batch_free(b);
    free(a);
}

static void one_claim(struct model *m, struct leat_store *s)
{
    int32_t p = (int32_t)in(m, 0, PROCESSORS - 1), k = (int32_t)in(m, 0, SLICES - 1);
    int64_t epoch = kit_claim(s, processors[p], k, NULL);
    CHECK_EQ(epoch, m->epoch[p][k] + 1);
    m->epoch[p][k] = epoch;
}

static void check_rows(const struct model *m)
{
    char sql[160];
    kit_check_dense(kit_admin);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.commands"), m->known_count);
    for (int32_t k = 0; k < SLICES; k++) {
        for (int32_t s = 0; s < STREAMS; s++) {
            (void)snprintf(sql, sizeof sql,
                           "select count(*) from shop.events where slice = %d and stream = '%s'", k,
                           streams[s]);
            CHECK_EQ(kit_number(kit_admin, sql), m->version[k][s]);
        }
    }
}

static void random_batches_do_what_the_header_says(void)
{
    static struct model m;
    const char *text = getenv("LEAT_SEED");
    uint64_t seed = text == NULL ? 7 : strtoull(text, NULL, 10);
    struct leat_store *s = kit_fresh();
    memset(&m, 0, sizeof m);
    memset(m.lane, 0xff, sizeof m.lane);
    m.rng = seed;
    for (int n = 0; n < BATCHES; n++) {
        /* Printed first: the line before a failure says where it was. */
        if (n % 100 == 0)
            (void)fprintf(stderr, "seed %llu, batch %d\n", (unsigned long long)seed, n);
        if (chance(&m, 8)) {
            one_claim(&m, s);
        } else {
            one_batch(&m, s);
        }
    }
    check_rows(&m);
    leat_store_close(s);
}

int main(int argc, char **argv)
{
    static const struct kit_test tests[] = {
        {"random_batches_do_what_the_header_says", random_batches_do_what_the_header_says}};
    return kit_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
