#include "worker/pool.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/thread.h"

struct runner {
    struct leat_pool *pool;
    pthread_t thread;
    int32_t number;
};

struct leat_pool {
    struct runner *runners; /* [count]; 0 is the caller */
    int32_t count, started;

    pthread_mutex_t mutex; /* guards all below but `next` */
    pthread_cond_t wake, done;
    uint64_t round;  /* of calls */
    int32_t working; /* threads that may still take a job of this round */
    bool quit;
    leat_flow_job job;
    void *ctx;
    size_t jobs;
    _Atomic size_t next;
};

static void take_jobs(struct leat_pool *p, leat_flow_job job, void *ctx, int32_t runner)
{
    size_t jobs = p->jobs; /* unchanged while somebody works */
    for (size_t i = atomic_fetch_add(&p->next, 1); i < jobs; i = atomic_fetch_add(&p->next, 1))
        job(ctx, i, runner);
}

static void *runner_main(void *arg)
{
    struct runner *r = arg;
    struct leat_pool *p = r->pool;
    uint64_t seen = 0;
    (void)pthread_setname_np(pthread_self(), "handlers");
    (void)pthread_mutex_lock(&p->mutex);
    for (;;) {
        while (!p->quit && p->round == seen)
            (void)pthread_cond_wait(&p->wake, &p->mutex);
        if (p->quit)
            break;
        seen = p->round;
        leat_flow_job job = p->job;
        void *ctx = p->ctx;
        (void)pthread_mutex_unlock(&p->mutex);
        take_jobs(p, job, ctx, r->number);
        (void)pthread_mutex_lock(&p->mutex);
        if (--p->working == 0)
            (void)pthread_cond_signal(&p->done);
    }
    (void)pthread_mutex_unlock(&p->mutex);
    return NULL;
}

leat_status leat_pool_new(int32_t threads, struct leat_pool **ret, struct leat_error *err)
{
    leat_assert(threads >= 2);
    struct leat_pool *p = calloc(1, sizeof *p);
    leat_assert(p != NULL);
    p->runners = calloc((size_t)threads, sizeof *p->runners);
    leat_assert(p->runners != NULL);
    (void)pthread_mutex_init(&p->mutex, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    (void)pthread_cond_init(&p->done, NULL);
    p->count = threads;
    for (p->started = 1; p->started < threads; p->started++) {
        struct runner *r = &p->runners[p->started];
        *r = (struct runner){.pool = p, .number = p->started};
        leat_status status = leat_thread_start(&r->thread, runner_main, r, err);
        if (status != LEAT_OK) {
            leat_error_wrap(err, "thread %d of concurrency %d", p->started, threads);
            leat_pool_free(p);
            return status;
        }
    }
    *ret = p;
    return LEAT_OK;
}

void leat_pool_run(struct leat_pool *p, size_t jobs, leat_flow_job job, void *ctx)
{
    (void)pthread_mutex_lock(&p->mutex);
    p->job = job;
    p->ctx = ctx;
    p->jobs = jobs;
    p->working = p->count - 1;
    p->round++;
    atomic_store(&p->next, 0);
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_mutex_unlock(&p->mutex);
    take_jobs(p, job, ctx, 0);
    (void)pthread_mutex_lock(&p->mutex);
    while (p->working > 0)
        (void)pthread_cond_wait(&p->done, &p->mutex);
    (void)pthread_mutex_unlock(&p->mutex);
}

void leat_pool_free(struct leat_pool *p)
{
    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->mutex);
    p->quit = true;
    (void)pthread_cond_broadcast(&p->wake);
    (void)pthread_mutex_unlock(&p->mutex);
    for (int32_t i = 1; i < p->started; i++)
        (void)pthread_join(p->runners[i].thread, NULL);
    (void)pthread_cond_destroy(&p->wake);
    (void)pthread_cond_destroy(&p->done);
    (void)pthread_mutex_destroy(&p->mutex);
    free(p->runners);
    free(p);
}
