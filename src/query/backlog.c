#include "query/backlog.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "store/backlog.h"

#define COUNT_EVERY_MS 5000

struct counted {
    int64_t waiting, oldest_us, dead[LEAT_DEAD_STATES];
};

struct leat_backlog_counts {
    const struct leat_topology *t;
    struct leat_store_pool *stores;
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    bool wanted, known, quit;
    int64_t due_ms;     /* mono */
    struct counted *of; /* by index of the topology's processors */
};

/* ---- counting ---- */

static void keep(struct leat_backlog_counts *b, const struct leat_backlog *rows, size_t n)
{
    for (uint32_t i = 0; i < b->t->n_processors; i++) {
        b->of[i] = (struct counted){0};
        for (size_t j = 0; j < n; j++) {
            if (!leat_str_eq(rows[j].processor, b->t->processors[i].name))
                continue;
            b->of[i].waiting = rows[j].waiting;
            b->of[i].oldest_us = rows[j].oldest_us;
            memcpy(b->of[i].dead, rows[j].dead, sizeof b->of[i].dead);
        }
    }
}

static void count(struct leat_backlog_counts *b)
{
    struct leat_store *store = NULL;
    struct leat_backlog *rows = NULL;
    struct leat_error err = {0};
    size_t n = 0;
    struct leat_arena *arena = leat_arena_new(4096, 0);
    leat_status status = leat_store_pool_take(b->stores, &store, &err);
    if (status == LEAT_OK) {
        status = leat_store_backlog(store, arena, &rows, &n, &err);
        leat_store_pool_give(b->stores, store);
    }
    (void)pthread_mutex_lock(&b->lock);
    b->known = status == LEAT_OK;
    if (b->known)
        keep(b, rows, n);
    b->due_ms = leat_mono_us() / 1000 + COUNT_EVERY_MS;
    (void)pthread_mutex_unlock(&b->lock);
    leat_arena_free(arena);
}

/* False: quit. */
static bool wait_until_wanted(struct leat_backlog_counts *b)
{
    (void)pthread_mutex_lock(&b->lock);
    while (!b->quit && !(b->wanted && leat_mono_us() / 1000 >= b->due_ms))
        (void)pthread_cond_wait(&b->changed, &b->lock);
    b->wanted = false;
    bool quit = b->quit;
    (void)pthread_mutex_unlock(&b->lock);
    return !quit;
}

static void *count_main(void *arg)
{
    struct leat_backlog_counts *b = arg;
    (void)pthread_setname_np(pthread_self(), "backlog");
    while (wait_until_wanted(b))
        count(b);
    return NULL;
}

leat_status leat_backlog_new(const struct leat_topology *t, struct leat_store_pool *stores,
                             struct leat_backlog_counts **ret, struct leat_error *err)
{
    struct leat_backlog_counts *b = calloc(1, sizeof *b);
    leat_assert(b != NULL);
    b->t = t;
    b->stores = stores;
    b->of = calloc(t->n_processors + 1u, sizeof *b->of);
    leat_assert(b->of != NULL);
    (void)pthread_mutex_init(&b->lock, NULL);
    (void)pthread_cond_init(&b->changed, NULL);
    int rc = pthread_create(&b->thread, NULL, count_main, b);
    if (rc == 0) {
        *ret = b;
        return LEAT_OK;
    }
    free(b->of);
    free(b);
    return leat_fail(err, LEAT_FATAL, "could not start a thread: %s", strerror(rc));
}

void leat_backlog_free(struct leat_backlog_counts *b)
{
    if (b == NULL)
        return;
    (void)pthread_mutex_lock(&b->lock);
    b->quit = true;
    (void)pthread_cond_signal(&b->changed);
    (void)pthread_mutex_unlock(&b->lock);
    (void)pthread_join(b->thread, NULL);
    free(b->of);
    (void)pthread_cond_destroy(&b->changed);
    (void)pthread_mutex_destroy(&b->lock);
    free(b);
}

/* ---- metrics ---- */

static void put_head(struct leat_buf *out, const char *name, const char *help)
{
    leat_buf_printf(out, "# HELP %s %s.\n# TYPE %s gauge\n", name, help, name);
}

static void put(const struct leat_backlog_counts *b, uint32_t i, const char *name,
                const char *state, int64_t value, struct leat_buf *out)
{
    leat_buf_printf(out, "%s{topology=\"%s\",processor=\"%s\"", name, b->t->name.at,
                    b->t->processors[i].name.at);
    if (state != NULL)
        leat_buf_printf(out, ",state=\"%s\"", state);
    leat_buf_printf(out, "} %" PRId64 "\n", value);
}

static void put_all(const struct leat_backlog_counts *b, struct leat_buf *out)
{
    int64_t now_us = leat_now_ms() * 1000;
    put_head(out, "leat_waiting", "Messages in the waiting room");
    for (uint32_t i = 0; i < b->t->n_processors; i++)
        put(b, i, "leat_waiting", NULL, b->of[i].waiting, out);
    put_head(out, "leat_waiting_oldest_seconds",
             "For how long the oldest of them waits; commands sent for later left out");
    for (uint32_t i = 0; i < b->t->n_processors; i++) {
        int64_t since_us = b->of[i].oldest_us;
        put(b, i, "leat_waiting_oldest_seconds", NULL,
            since_us > 0 && since_us < now_us ? (now_us - since_us) / 1000000 : 0, out);
    }
    put_head(out, "leat_dead_letters", "Dead letters by what has become of them");
    for (uint32_t i = 0; i < b->t->n_processors; i++)
        for (size_t s = 0; s < LEAT_DEAD_STATES; s++)
            put(b, i, "leat_dead_letters", leat_dead_state_names[s], b->of[i].dead[s], out);
}

void leat_backlog_metrics(struct leat_backlog_counts *b, struct leat_buf *out)
{
    (void)pthread_mutex_lock(&b->lock);
    b->wanted = true;
    (void)pthread_cond_signal(&b->changed);
    if (b->known)
        put_all(b, out);
    (void)pthread_mutex_unlock(&b->lock);
}
