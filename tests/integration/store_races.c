/* uses: base store */
/* Several connections at once, killed backends, lost replies: what the fence, the offset and the
 * head row are for. */
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "store_kit_batch.h"

#define DEADLINE_MS 20000

/* Waits until a query gives this number; the admin's connection asks. */
static void await(const char *sql, long long expected)
{
    int64_t until = leat_now_ms() + DEADLINE_MS;
    while (kit_number(kit_admin, sql) != expected) {
        CHECK(leat_now_ms() < until);
        kit_sql(kit_admin, "select pg_sleep(0.005)");
    }
}

#define WAITING_FOR_LOCK                                                                           \
    "select count(*) from pg_stat_activity where datname = current_database() and"                 \
    " wait_event_type = 'Lock'"

/* ---- one call on a thread of its own ---- */

struct call {
    pthread_t thread;
    struct leat_store *store;
    struct kit_batch *batch;
    leat_status status;
    struct leat_error err;
};

static void *append_in_thread(void *arg)
{
    struct call *c = arg;
    c->status = kit_try(c->store, c->batch, &c->err);
    return NULL;
}

static void start(struct call *c)
{
    CHECK(pthread_create(&c->thread, NULL, append_in_thread, c) == 0);
}

static void join(struct call *c)
{
    CHECK(pthread_join(c->thread, NULL) == 0);
}

/* One command of order-1 with one event, offsets 0 to 1 of lane t. */
static struct kit_batch *first_command(int64_t epoch, uint64_t id)
{
    struct kit_batch *k = kit_batch("a");
    kit_fence(k, 1, epoch, 0);
    kit_lane(k, 1, 0, 1);
    (void)kit_command(k, 1, "order-1", 0, id);
    kit_at(k, 0, 0);
    kit_event(k);
    return k;
}

static void same_epoch_and_offset_on_two_connections_is_stored_once(void)
{
    struct leat_store *s = kit_fresh();
    PGconn *holder = kit_connect(kit_url);
    kit_sql(holder, "begin; select 1 from shop.slices where slice = 1 for update");
    /* other ids, so that only the offset can tell them apart */
    struct call calls[2] = {{.store = s, .batch = first_command(0, 1)},
                            {.store = kit_open(), .batch = first_command(0, 2)}};
    start(&calls[0]);
    start(&calls[1]);
    await(WAITING_FOR_LOCK, 2);
    kit_sql(holder, "commit");
    join(&calls[0]);
    join(&calls[1]);
    CHECK_EQ(calls[0].status, LEAT_OK);
    CHECK_EQ(calls[1].status, LEAT_OK);
    CHECK_EQ(calls[0].batch->reply.fences[0].result + calls[1].batch->reply.fences[0].result,
             LEAT_FENCE_OFFSET);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.events"), 1);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.commands"), 1);
    kit_check_dense(kit_admin);
    for (int i = 0; i < 2; i++) {
        leat_store_close(calls[i].store);
        kit_batch_free(calls[i].batch);
    }
    PQfinish(holder);
}

struct claiming {
    pthread_t thread;
    struct leat_store *store;
    int64_t epoch, next_offset;
};

static void *claim_in_thread(void *arg)
{
    struct claiming *c = arg;
    if (setjmp(kit_out) == 0)
        c->epoch = kit_claim(c->store, "a", 1, &c->next_offset);
    return NULL;
}

/* A claim settles an unknown outcome because it waits; a plain read would have said 0. */
static void claim_tells_the_outcome_of_a_call_in_flight(bool killed)
{
    struct leat_store *s = kit_fresh();
    PGconn *holder = kit_connect(kit_url);
    kit_sql(holder, "begin; select 1 from shop.slices where slice = 1 for update");
    struct call flight = {.store = s, .batch = first_command(0, 1)};
    struct claiming claiming = {.store = kit_open(), .next_offset = -1};
    char kill_sql[80];
    (void)snprintf(kill_sql, sizeof kill_sql, "select pg_terminate_backend(%d)",
                   PQbackendPID(s->conn));
    start(&flight);
    await(WAITING_FOR_LOCK, 1);
    CHECK(pthread_create(&claiming.thread, NULL, claim_in_thread, &claiming) == 0);
    await(WAITING_FOR_LOCK, 2);
    if (killed)
        kit_sql(kit_admin, kill_sql);
    else
        kit_sql(holder, "commit");
    join(&flight);
    CHECK(pthread_join(claiming.thread, NULL) == 0);
    CHECK_EQ(claiming.epoch, 1);
    CHECK_EQ(claiming.next_offset, killed ? 0 : 1);
    CHECK_EQ(kit_number(kit_admin, "select count(*) from shop.events"), killed ? 0 : 1);
    CHECK_EQ(flight.status, killed ? LEAT_RETRY : LEAT_OK);
    CHECK_EQ(leat_store_connected(s), !killed);
    PQfinish(holder);

    /* whoever comes with the old epoch is too late */
    OK(leat_store_reconnect(s, &err));
    CHECK_EQ(kit_try(s, flight.batch, &flight.err), LEAT_OK);
    CHECK_EQ(flight.batch->reply.fences[0].result, LEAT_FENCE_LOST);
    kit_check_dense(kit_admin);
    kit_batch_free(flight.batch);
    leat_store_close(s);
    leat_store_close(claiming.store);
}

static void claim_waits_for_a_call_that_commits(void)
{
    claim_tells_the_outcome_of_a_call_in_flight(false);
}

static void claim_waits_for_a_call_that_is_killed(void)
{
    claim_tells_the_outcome_of_a_call_in_flight(true);
}

static void only_one_of_two_claims_wins(void)
{
    struct leat_store *s = kit_fresh();
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_fence_answer got;
    int32_t ks[] = {2, 0};
    int64_t expected[] = {0, 7};
    struct leat_fence_ask ask = {LEAT_STR("a"), ks, expected, 2};
    OK(leat_store_claim(s, &ask, arena, &got, &err));
    CHECK(got.fences[0].claimed && got.fences[0].k == 2 && got.fences[0].epoch == 1);
    CHECK(!got.fences[1].claimed && got.fences[1].k == 0 && got.fences[1].epoch == 0);
    expected[1] = 0;
    OK(leat_store_claim(s, &ask, arena, &got, &err));
    CHECK(!got.fences[0].claimed && got.fences[0].epoch == 1);
    CHECK(got.fences[1].claimed && got.fences[1].epoch == 1);
    ks[0] = 9;
    struct leat_error err = {0};
    CHECK_EQ(leat_store_claim(s, &ask, arena, &got, &err), LEAT_ABSENT);
    CHECK(strstr(err.hint, "leat apply") != NULL);
    leat_arena_free(arena);
    leat_store_close(s);
}

static void who_waits_in_vain_names_the_holder(void)
{
    struct leat_store *s = kit_fresh();
    PGconn *holder = kit_connect(kit_url);
    kit_sql(holder, "set application_name = 'the holder'; begin;"
                    " select 1 from shop.owners where processor = 'a' and k = 1 for update");
    struct kit_batch *k = first_command(0, 1);
    struct leat_error err = {0};
    int64_t before = leat_now_ms();
    CHECK_EQ(kit_try(s, k, &err), LEAT_RETRY);
    int64_t waited = leat_now_ms() - before;
    CHECK(waited >= 1900 && waited < 4500); /* the kit's lock_timeout is 2 s */
    char pid[32];
    (void)snprintf(pid, sizeof pid, "process %d ", PQbackendPID(holder));
    CHECK(strstr(err.hint, pid) != NULL && strstr(err.hint, "the holder") != NULL);
    CHECK(leat_store_connected(s));
    kit_sql(holder, "rollback");
    kit_append(s, k);
    CHECK_EQ(k->reply.fences[0].head_after, 1);
    kit_batch_free(k);
    leat_store_close(s);
    PQfinish(holder);
}

static void second_try_decides_under_the_lock(void)
{
    struct leat_store *s = kit_fresh();
    struct leat_store *other = kit_open();
    kit_poke(other, 1, "order-1", 50);
    struct kit_batch *k = first_command(0, 1);
    OK(leat_store_lock(s, &k->b, &err));
    struct leat_stream_want want = {1, LEAT_STR("order-1"), 0, NULL};
    struct leat_loaded loaded;
    OK(leat_store_load(s, &want, 1, k->arena, &loaded, &err));
    CHECK_EQ(loaded.event_count, 1);
    CHECK_EQ(loaded.heads[0].head_seq, 1);

    struct kit_batch *poke = kit_batch("b"); /* waits until we are done */
    kit_fence(poke, 1, 0, -1);
    (void)kit_command(poke, 1, "order-1", -1, 60);
    kit_event(poke);
    struct call rival = {.store = other, .batch = poke};
    start(&rival);
    await(WAITING_FOR_LOCK, 1);
    k->fences[0].since = 1;
    k->commands[0].expected_version = 1;
    kit_append(s, k);
    join(&rival);
    CHECK_EQ(k->reply.conflicts, 0);
    CHECK_EQ(k->reply.fences[0].head_after, 2);
    CHECK_EQ(rival.status, LEAT_OK);
    CHECK_EQ(poke->reply.fences[0].head_after, 3);
    kit_check_dense(kit_admin);

    OK(leat_store_lock(s, &k->b, &err)); /* and given up: others go on */
    leat_store_abort(s);
    kit_poke(other, 1, "order-1", 61);

    OK(leat_store_lock(s, &k->b, &err)); /* and lost */
    char sql[80];
    (void)snprintf(sql, sizeof sql, "select pg_terminate_backend(%d)", PQbackendPID(s->conn));
    kit_sql(kit_admin, sql);
    struct leat_error lost = {0};
    CHECK_EQ(kit_try(s, k, &lost), LEAT_RETRY);
    CHECK(!leat_store_connected(s));
    OK(leat_store_reconnect(s, &err));
    kit_poke(s, 1, "order-1", 62);
    kit_check_dense(kit_admin);
    kit_batch_free(k);
    kit_batch_free(poke);
    leat_store_close(s);
    leat_store_close(other);
}

struct pokes {
    pthread_t thread;
    struct leat_store *store;
    atomic_bool over;
    bool failed;
};

static void *poke_in_thread(void *arg)
{
    struct pokes *p = arg;
    if (setjmp(kit_out) != 0) {
        p->failed = true;
        return NULL;
    }
    for (uint64_t i = 0; !p->over; i++)
        kit_poke(p->store, (int32_t)(i % 2), i % 2 == 0 ? "order-0" : "order-1", 1000 + i);
    return NULL;
}

/* All events of a slice are of one stream here, so what is loaded must reach exactly to its head.
 */
static void load_sees_one_moment(void)
{
    struct leat_store *s = kit_fresh();
    struct pokes pokes = {.store = kit_open()};
    struct leat_arena *arena = leat_arena_new(1 << 16, 1 << 20);
    struct leat_stream_want wants[] = {{0, LEAT_STR("order-0"), 0, NULL},
                                       {1, LEAT_STR("order-1"), 0, NULL}};
    CHECK(pthread_create(&pokes.thread, NULL, poke_in_thread, &pokes) == 0);
    bool same = true;
    int64_t reached = 0;
    for (int i = 0; i < 200 && same; i++) {
        struct leat_loaded l;
        leat_arena_reset(arena);
        same = leat_store_load(s, wants, 2, arena, &l, NULL) == LEAT_OK && l.head_count == 2 &&
               (int64_t)l.event_count == l.heads[0].head_seq + l.heads[1].head_seq;
        reached = same ? l.heads[0].head_seq + l.heads[1].head_seq : -1;
        /* they are filled in turn: one moment never shows them further apart */
        same = same && llabs(l.heads[0].head_seq - l.heads[1].head_seq) <= 1;
    }
    pokes.over = true;
    (void)pthread_join(pokes.thread, NULL);
    CHECK(same && !pokes.failed);
    CHECK(reached > 0);
    leat_arena_free(arena);
    leat_store_close(s);
    leat_store_close(pokes.store);
}

/* ---- the storm ---- */

#define WRITERS 8
#define ROUNDS  60
#define STREAMS 5

struct writer {
    pthread_t thread;
    int number;
    char name[8];
    struct leat_store *store;
    struct kit_batch *k;
    int64_t epoch, offset;
    int retries, conflicts, lost;
    char why[512];
};

/* Four commands of two slices, some deciding on versions that others change meanwhile. */
static void storm_batch(struct writer *w, unsigned *seed)
{
    static const char *const streams[STREAMS] = {"order-0", "order-1", "order-2", "order-3",
                                                 "order-4"};
    struct kit_batch *k = w->k;
    k->b.fence_count = k->b.lane_count = k->b.command_count = k->b.event_count = 0;
    k->b.outbox_count = 0;
    kit_fence(k, 1, w->epoch, -1);
    kit_fence(k, 0, -1, -1);
    kit_lane(k, 1, w->offset, w->offset + 3);
    for (int i = 0; i < 3; i++) {
        int64_t offset = w->offset + i;
        /* the same message has the same id whenever it is tried */
        uint64_t id = (uint64_t)(w->number + 1) * 1000000 + (uint64_t)offset;
        const char *stream = streams[(unsigned)rand_r(seed) % STREAMS];
        (void)kit_command(k, 1, stream, rand_r(seed) % 4 == 0 ? rand_r(seed) % 50 : -1, id);
        kit_at(k, 0, offset);
        for (int e = rand_r(seed) % 3; e >= 0; e--)
            kit_event(k);
        kit_outbox(k, 0);
    }
    (void)kit_command(k, 0, "other-1", -1,
                      (uint64_t)(w->number + 1) * 1000000000 + (uint64_t)rand_r(seed));
    kit_event(k);
}

static void storm_round(struct writer *w, unsigned *seed)
{
    struct leat_error err = {0};
    storm_batch(w, seed);
    leat_status status = kit_try(w->store, w->k, &err);
    if (status == LEAT_OK) {
        w->conflicts += (int)w->k->reply.conflicts;
        w->lost += w->k->reply.fences[0].result != LEAT_FENCE_OK;
        w->offset = w->k->reply.lane_offsets[0];
        return;
    }
    if (status != LEAT_RETRY)
        kit_fail(__FILE__, __LINE__, err.msg);
    w->retries++; /* not known whether it is stored: claiming tells */
    for (int attempt = 0;; attempt++) {
        CHECK(attempt < 50);
        struct leat_arena *arena = leat_arena_new(4096, 0);
        struct leat_fence_answer got;
        int32_t k = 1;
        struct leat_fence_ask ask = {leat_str_of(w->name), &k, &w->epoch, 1};
        bool done = leat_store_reconnect(w->store, &err) == LEAT_OK &&
                    leat_store_claim(w->store, &ask, arena, &got, &err) == LEAT_OK;
        if (done) {
            /* a claim whose reply was lost has already moved the epoch */
            w->epoch = got.fences[0].epoch;
            w->offset = got.lane_count > 0 ? got.lanes[0].next_offset : 0;
        }
        leat_arena_free(arena);
        if (done)
            return;
    }
}

static void *storm_writer(void *arg)
{
    struct writer *w = arg;
    unsigned seed = (unsigned)w->number + 1;
    if (setjmp(kit_out) != 0) {
        (void)snprintf(w->why, sizeof w->why, "%s", kit_why);
        return NULL;
    }
    for (int i = 0; i < ROUNDS; i++)
        storm_round(w, &seed);
    return NULL;
}

static atomic_bool storm_over;

static void *storm_killer(void *arg)
{
    PGconn *c = arg;
    while (!storm_over) {
        PQclear(PQexec(c, "select pg_sleep(0.02), pg_terminate_backend(pid) from (select pid from"
                          " pg_stat_activity where application_name = 'storm' and state = 'active'"
                          " order by random() limit 1) s"));
    }
    return NULL;
}

static void seq_is_dense_under_eight_writers_and_a_killer(void)
{
    leat_store_close(kit_fresh());
    struct leat_store_options o = {
        .url = kit_url, .schema = KIT_SCHEMA, .application_name = "storm"};
    static struct writer writers[WRITERS];
    memset(writers, 0, sizeof writers);
    for (int i = 0; i < WRITERS; i++) {
        (void)snprintf(writers[i].name, sizeof writers[i].name, "p%d", i);
        writers[i].number = i;
        writers[i].k = kit_batch(writers[i].name);
        OK(leat_store_open(&o, &writers[i].store, &err));
    }
    PGconn *killing = kit_connect(kit_url);
    pthread_t killer;
    storm_over = false;
    CHECK(pthread_create(&killer, NULL, storm_killer, killing) == 0);
    for (int i = 0; i < WRITERS; i++)
        CHECK(pthread_create(&writers[i].thread, NULL, storm_writer, &writers[i]) == 0);
    int retries = 0;
    int conflicts = 0;
    for (int i = 0; i < WRITERS; i++)
        (void)pthread_join(writers[i].thread, NULL);
    storm_over = true;
    (void)pthread_join(killer, NULL);
    for (int i = 0; i < WRITERS; i++) {
        if (writers[i].why[0] != '\0')
            kit_fail(__FILE__, __LINE__, writers[i].why);
        retries += writers[i].retries;
        conflicts += writers[i].conflicts;
        CHECK_EQ(writers[i].lost, 0);
        leat_store_close(writers[i].store);
        char sql[160];
        (void)snprintf(sql, sizeof sql,
                       "select next_offset from shop.lanes where processor = 'p%d' and k = 1", i);
        CHECK_EQ(kit_number(kit_admin, sql), writers[i].offset);
        /* below the mark everything is there exactly once, whatever was killed */
        (void)snprintf(sql, sizeof sql,
                       "select count(*) - count(distinct id) from shop.commands where slice = 1"
                       " and processor = 'p%d'",
                       i);
        CHECK_EQ(kit_number(kit_admin, sql), 0);
        (void)snprintf(sql, sizeof sql,
                       "select count(*) from shop.commands where slice = 1 and processor = 'p%d'",
                       i);
        CHECK(kit_number(kit_admin, sql) >= writers[i].offset);
        kit_batch_free(writers[i].k);
    }
    (void)fprintf(stderr, "%d killed calls, %d conflicts\n", retries, conflicts);
    CHECK(retries > 5);
    CHECK(conflicts > 5);
    kit_check_dense(kit_admin);
    CHECK_EQ(kit_number(kit_admin, "select count(*) - max(seq) from shop.outbox where slice = 1"),
             0);
    CHECK_EQ(kit_number(kit_admin, "select (select outbox_seq from shop.slices where slice = 1) -"
                                   " (select max(seq) from shop.outbox where slice = 1)"),
             0);
    PQfinish(killing);
}

int main(int argc, char **argv)
{
#define T(name)                                                                                    \
    {                                                                                              \
#name, name                                                                                \
    }
    static const struct kit_test tests[] = {
        T(same_epoch_and_offset_on_two_connections_is_stored_once),
        T(claim_waits_for_a_call_that_commits),
        T(claim_waits_for_a_call_that_is_killed),
        T(only_one_of_two_claims_wins),
        T(who_waits_in_vain_names_the_holder),
        T(second_try_decides_under_the_lock),
        T(load_sees_one_moment),
        T(seq_is_dense_under_eight_writers_and_a_killer),
    };
    return kit_main(tests, sizeof tests / sizeof tests[0], argc, argv);
}
