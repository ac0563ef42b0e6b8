#include "projection/coded_guard.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/env.h"
#include "base/log.h"
#include "projection/coded_end.h"
#include "projection/versions.h"

#define AREA         "projection"
#define SUSPECTS_MAX 64 /* those of a batch that is not written yet, and more */

struct place {           /* as it lies in the file */
    _Atomic int64_t seq; /* of the event a function is at; 0 = none */
    _Atomic int32_t slice;
    _Atomic int ended;   /* the function ended the process, nobody from outside */
    uint32_t n_suspects; /* so far; the last ones are listed */
    struct suspect {
        int64_t seq;
        int32_t slice;
        uint32_t deaths;
    } suspects[SUSPECTS_MAX];
};

struct leat_coded_guard {
    struct place *at;
    struct leat_str model;
    _Atomic uint64_t calls;
    _Atomic bool inside;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool stop;
    int seconds;
};

/* ---- a function that never ends ---- */

/* One second, or until the end. Turns are counted, not time: a process that was paused is not late.
 */
static bool wait_turn(struct leat_coded_guard *g)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec++;
    (void)pthread_mutex_lock(&g->lock);
    int rc = 0;
    while (!g->stop && rc == 0)
        rc = pthread_cond_timedwait(&g->ended, &g->lock, &until);
    bool go_on = !g->stop;
    (void)pthread_mutex_unlock(&g->lock);
    return go_on;
}

static void *watch_main(void *arg)
{
    struct leat_coded_guard *g = arg;
    uint64_t call = 0;
    int turns = 0;
    (void)pthread_setname_np(pthread_self(), "rows-watch");
    while (wait_turn(g)) {
        uint64_t now = atomic_load(&g->calls);
        turns = atomic_load(&g->inside) && now == call ? turns + 1 : 0;
        call = now;
        if (turns < g->seconds)
            continue;
        leat_log_kv(LEAT_LOG_ERROR, AREA, "projection-hangs",
                    LEAT_LOG_FIELDS(LEAT_LOG_STR("model", g->model),
                                    LEAT_LOG_INT("slice", atomic_load(&g->at->slice)),
                                    LEAT_LOG_INT("seq", atomic_load(&g->at->seq))),
                    "its function has been at one event for %d s: the process ends", turns);
        atomic_store(&g->at->ended, 1);
        abort();
    }
    return NULL;
}

static int seconds_allowed(void)
{
    const char *text = leat_env("LEAT_ROWS_DEADLINE_S");
    long n = text == NULL ? 0 : strtol(text, NULL, 10);
    return n >= 1 && n <= 86400 ? (int)n : LEAT_GUARD_SECONDS;
}

static bool start_watch(struct leat_coded_guard *g)
{
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&g->lock, NULL);
    (void)pthread_cond_init(&g->ended, &attr);
    (void)pthread_condattr_destroy(&attr);
    return pthread_create(&g->thread, NULL, watch_main, g) == 0;
}

/* ---- the file ---- */

static struct place *map_file(const char *dir)
{
    char path[LEAT_MODEL_PATH_BYTES];
    int n = snprintf(path, sizeof path, "%s/handling", dir);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return NULL;
    void *at = MAP_FAILED;
    if (ftruncate(fd, sizeof(struct place)) == 0)
        at = mmap(NULL, sizeof(struct place), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    return at == MAP_FAILED ? NULL : at;
}

static struct suspect *find_suspect(struct place *at, int32_t slice, int64_t seq)
{
    for (uint32_t i = 0; i < at->n_suspects && i < SUSPECTS_MAX; i++) {
        if (at->suspects[i].seq == seq && at->suspects[i].slice == slice)
            return &at->suspects[i];
    }
    return NULL;
}

/* A process that is gone was at an event when it ended. One that was killed counts for nothing. */
static void count_death(struct place *at)
{
    int64_t seq = atomic_exchange(&at->seq, 0);
    int32_t slice = atomic_load(&at->slice);
    if (atomic_exchange(&at->ended, 0) == 0 || seq == 0)
        return;
    struct suspect *s = find_suspect(at, slice, seq);
    if (s == NULL) {
        s = &at->suspects[at->n_suspects++ % SUSPECTS_MAX];
        *s = (struct suspect){.seq = seq, .slice = slice};
    }
    s->deaths++;
}

leat_status leat_guard_open(const char *dir, struct leat_str model, struct leat_coded_guard **ret,
                            struct leat_error *err)
{
    struct place *at = map_file(dir);
    if (at == NULL)
        return leat_fail(err, LEAT_FATAL, "%s/handling: %s", dir, strerror(errno));
    count_death(at);
    leat_coded_ends_watch();
    struct leat_coded_guard *g = calloc(1, sizeof *g);
    leat_assert(g != NULL);
    g->at = at;
    g->model = model;
    g->seconds = seconds_allowed();
    if (!start_watch(g)) {
        (void)munmap(at, sizeof *at);
        free(g);
        return leat_fail(err, LEAT_FATAL, "could not start a thread");
    }
    *ret = g;
    return LEAT_OK;
}

void leat_guard_close(struct leat_coded_guard *g)
{
    if (g == NULL)
        return;
    (void)pthread_mutex_lock(&g->lock);
    g->stop = true;
    (void)pthread_cond_signal(&g->ended);
    (void)pthread_mutex_unlock(&g->lock);
    (void)pthread_join(g->thread, NULL);
    (void)pthread_cond_destroy(&g->ended);
    (void)pthread_mutex_destroy(&g->lock);
    (void)munmap(g->at, sizeof *g->at);
    free(g);
}

/* ---- calls ---- */

bool leat_guard_enter(struct leat_coded_guard *g, int32_t slice, int64_t seq)
{
    if (g->at->n_suspects > 0) {
        const struct suspect *s = find_suspect(g->at, slice, seq);
        if (s != NULL && s->deaths >= LEAT_GUARD_TRIES)
            return false;
    }
    atomic_store_explicit(&g->at->slice, slice, memory_order_relaxed);
    atomic_store_explicit(&g->at->seq, seq, memory_order_release);
    atomic_fetch_add_explicit(&g->calls, 1, memory_order_relaxed);
    atomic_store_explicit(&g->inside, true, memory_order_release);
    leat_coded_ends_mark(&g->at->ended);
    return true;
}

void leat_guard_leave(struct leat_coded_guard *g)
{
    leat_coded_ends_mark(NULL);
    atomic_store_explicit(&g->inside, false, memory_order_release);
    atomic_store_explicit(&g->at->seq, 0, memory_order_release);
}
