#include "query/lane.h"

#include <microhttpd.h>
#include <stdlib.h>

struct leat_lane {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct leat_request *first, **last;
    int waiting;
    bool started, stop;
};

leat_status leat_lane_take(struct leat_lane *l, struct leat_request *rq, struct leat_error *err)
{
    leat_status status = LEAT_OK;
    (void)pthread_mutex_lock(&l->lock);
    if (l->waiting >= LEAT_LANE_MAX || l->stop) {
        status = leat_fail(err, LEAT_RETRY, "too many long questions wait already");
    } else {
        rq->suspended = true;
        atomic_store(&rq->handed, true);
        rq->next = NULL;
        *l->last = rq;
        l->last = &rq->next;
        l->waiting++;
        MHD_suspend_connection(rq->connection);
        (void)pthread_cond_signal(&l->wake);
    }
    (void)pthread_mutex_unlock(&l->lock);
    return status;
}

/* NULL: stopped. */
static struct leat_request *take_first(struct leat_lane *l, bool *ret_stopping)
{
    (void)pthread_mutex_lock(&l->lock);
    while (l->first == NULL && !l->stop)
        (void)pthread_cond_wait(&l->wake, &l->lock);
    struct leat_request *rq = l->first;
    if (rq != NULL) {
        l->first = rq->next;
        l->last = l->first == NULL ? &l->first : l->last;
        l->waiting--;
    }
    *ret_stopping = l->stop;
    (void)pthread_mutex_unlock(&l->lock);
    return rq;
}

static void *lane_main(void *arg)
{
    struct leat_lane *l = arg;
    bool stopping = false;
    (void)pthread_setname_np(pthread_self(), "http-lane");
    for (struct leat_request *rq; (rq = take_first(l, &stopping)) != NULL;) {
        struct MHD_Connection *connection = rq->connection;
        rq->on_lane = true;
        if (stopping) {
            leat_answer_problem(rq, 503, "Not available now", NULL, "stopping", "");
        } else {
            rq->route->handle(rq);
        }
        leat_assert(rq->state == LEAT_REQUEST_READY);
        atomic_store(&rq->handed, false);
        MHD_resume_connection(connection);
    }
    return NULL;
}

leat_status leat_lane_new(struct leat_lane **ret, struct leat_error *err)
{
    struct leat_lane *l = calloc(1, sizeof *l);
    leat_assert(l != NULL);
    l->last = &l->first;
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_cond_init(&l->wake, NULL);
    int rc = pthread_create(&l->thread, NULL, lane_main, l);
    if (rc != 0) {
        leat_lane_free(l);
        return leat_fail(err, LEAT_FATAL, "could not start a thread: error %d", rc);
    }
    l->started = true;
    *ret = l;
    return LEAT_OK;
}

void leat_lane_close(struct leat_lane *l)
{
    (void)pthread_mutex_lock(&l->lock);
    l->stop = true;
    (void)pthread_cond_signal(&l->wake);
    (void)pthread_mutex_unlock(&l->lock);
    if (l->started)
        (void)pthread_join(l->thread, NULL);
    l->started = false;
}

void leat_lane_free(struct leat_lane *l)
{
    if (l == NULL)
        return;
    leat_lane_close(l);
    (void)pthread_mutex_destroy(&l->lock);
    (void)pthread_cond_destroy(&l->wake);
    free(l);
}
