#include <microhttpd.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "query/connections.h"
#include "query/http.h"
#include "query/snapshots.h"

/* Waiting requests: each is suspended in the daemon and lies in one list here. The pump's thread
 * serves deliveries and asks the store which commands are settled, all that are due at once, then
 * for the outcome of those; it resumes the connection, whose thread sends the answer. A request
 * belongs to the pump from leat_pump_send() to its resume. */
#define WAITING_MAX     1024
#define SERVE_MS        2
#define POLL_MS_MAX     50
#define ARENA_BYTES     65536
#define POLLS_PER_ROUND 64  /* so that deliveries are never far away */
#define ASKS_PER_ROUND  256 /* the others are the first of the next round */

/* What travels through the producer: outlives a request that was answered without it. */
struct ticket {
    struct leat_pump *pump;
    struct leat_request *rq; /* NULL: nobody waits any more */
};

struct list { /* first in, first looked at */
    struct leat_request *first, **last;
};

struct leat_pump {
    struct leat_http *http;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct list waiting;
    size_t n_waiting, n_tickets;
    struct leat_arena *arena; /* of one look at a model */
    bool stop, started, closed;
};

static void list_clear(struct list *l)
{
    *l = (struct list){NULL, &l->first};
}

static void list_put(struct list *l, struct leat_request *rq)
{
    rq->next = NULL;
    *l->last = rq;
    l->last = &rq->next;
}

/* `more` is empty afterwards. */
static void list_append(struct list *l, struct list *more)
{
    if (more->first == NULL)
        return;
    *l->last = more->first;
    l->last = more->last;
    list_clear(more);
}

static void on_delivered(void *arg, void *opaque, leat_status status)
{
    struct leat_pump *p = arg;
    struct ticket *t = opaque;
    (void)pthread_mutex_lock(&p->lock);
    struct leat_request *rq = t->rq;
    if (rq != NULL) {
        rq->ticket = NULL;
        rq->delivered = true;
        rq->delivery = status;
        rq->next_poll_us = leat_mono_us() + (int64_t)rq->poll_ms * 1000;
    }
    p->n_tickets--;
    (void)pthread_mutex_unlock(&p->lock);
    free(t);
}

leat_status leat_pump_send(struct leat_pump *p, struct leat_request *rq,
                           const struct leat_command_in *in, struct leat_error *err)
{
    struct ticket *t = calloc(1, sizeof *t);
    leat_assert(t != NULL);
    *t = (struct ticket){.pump = p, .rq = rq};
    (void)pthread_mutex_lock(&p->lock);
    leat_status status = LEAT_OK;
    if (p->n_waiting >= WAITING_MAX || p->closed) {
        status = leat_fail(err, LEAT_RETRY, "too many commands are under way");
    } else {
        status = leat_sender_queue(p->http->sender, in, t, &rq->sent, err);
    }
    if (status == LEAT_OK) {
        rq->ticket = t;
        rq->suspended = true;
        atomic_store(&rq->handed, true);
        list_put(&p->waiting, rq);
        p->n_waiting++;
        p->n_tickets++;
        MHD_suspend_connection(rq->connection);
        (void)pthread_cond_signal(&p->wake);
    }
    (void)pthread_mutex_unlock(&p->lock);
    if (status != LEAT_OK)
        free(t);
    return status;
}

leat_status leat_pump_await(struct leat_pump *p, struct leat_request *rq, struct leat_model *model,
                            struct leat_error *err)
{
    leat_status status = LEAT_OK;
    (void)pthread_mutex_lock(&p->lock);
    if (p->n_waiting >= WAITING_MAX || p->closed) {
        status = leat_fail(err, LEAT_RETRY, "too many requests wait already");
    } else {
        rq->awaited = model;
        rq->suspended = true;
        atomic_store(&rq->handed, true);
        list_put(&p->waiting, rq);
        p->n_waiting++;
        MHD_suspend_connection(rq->connection);
        (void)pthread_cond_signal(&p->wake);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return status;
}

static void finish(struct leat_request *rq)
{
    rq->awaited = NULL;
    if (rq->ticket != NULL)
        rq->ticket->rq = NULL;
    rq->ticket = NULL;
    rq->next = NULL;
    struct MHD_Connection *connection = rq->connection;
    atomic_store(&rq->handed, false);
    MHD_resume_connection(connection);
}

/* True when the handler is to run again. */
static bool advance_read(struct leat_pump *p, struct leat_request *rq, int64_t now_us, bool closed)
{
    bool ready = closed || now_us >= rq->deadline_us || leat_snapshot_ready(rq, p->arena);
    leat_arena_reset(p->arena);
    return ready;
}

/* True when the answer is set. */
static bool advance(struct leat_request *rq, int64_t now_us, int *polls)
{
    if (!rq->delivered) {
        if (now_us < rq->next_poll_us)
            return false;
        leat_answer_problem(rq, 503, "Not available now", NULL,
                            "Kafka did not acknowledge the command in time",
                            "send it again with the same Idempotency-Key");
        return true;
    }
    if (rq->delivery != LEAT_OK) {
        leat_answer_problem(rq, rq->delivery == LEAT_INVALID ? 413 : 503, "Not taken", NULL,
                            "Kafka did not take the command", "");
        return true;
    }
    if (rq->deadline_us == 0 || now_us >= rq->deadline_us) {
        leat_command_accepted(rq);
        return true;
    }
    if (!rq->settled || *polls >= POLLS_PER_ROUND)
        return false;
    (*polls)++;
    rq->settled = false;
    return leat_command_poll(rq);
}

static bool is_due(const struct leat_request *rq, int64_t now_us)
{
    return rq->awaited == NULL && rq->delivered && rq->delivery == LEAT_OK && !rq->settled &&
           rq->deadline_us > now_us && now_us >= rq->next_poll_us;
}

static void put_off(struct leat_request *rq)
{
    rq->poll_ms = rq->poll_ms * 3 / 2 < POLL_MS_MAX ? rq->poll_ms * 3 / 2 : POLL_MS_MAX;
    rq->next_poll_us = leat_mono_us() + (int64_t)rq->poll_ms * 1000;
}

/* Asks the store about those that are due, in one statement; they go behind the others. */
static void look(struct leat_pump *p, struct list *list)
{
    struct leat_request *due[ASKS_PER_ROUND];
    struct leat_command_at at[ASKS_PER_ROUND];
    struct list asked, others;
    size_t n = 0;
    int64_t now_us = leat_mono_us();
    list_clear(&asked);
    list_clear(&others);
    for (struct leat_request *rq = list->first, *next = NULL; rq != NULL; rq = next) {
        next = rq->next;
        bool asks = n < ASKS_PER_ROUND && is_due(rq, now_us);
        if (asks) {
            at[n] = (struct leat_command_at){rq->sent.slice, rq->sent.id};
            due[n++] = rq;
        }
        list_put(asks ? &asked : &others, rq);
    }
    leat_commands_look(p->http, at, due, n, p->arena);
    leat_arena_reset(p->arena);
    for (size_t i = 0; i < n; i++)
        put_off(due[i]);
    list_clear(list);
    list_append(list, &others);
    list_append(list, &asked);
}

/* Takes the list, so that new requests are not held up by questions to the store. */
static void take_waiting(struct leat_pump *p, struct list *ret, bool *ret_closed)
{
    list_clear(ret);
    (void)pthread_mutex_lock(&p->lock);
    *ret_closed = p->closed;
    list_append(ret, &p->waiting);
    (void)pthread_mutex_unlock(&p->lock);
}

/* Before those that came meanwhile. */
static void give_back(struct leat_pump *p, struct list *kept)
{
    (void)pthread_mutex_lock(&p->lock);
    list_append(kept, &p->waiting);
    list_append(&p->waiting, kept);
    (void)pthread_mutex_unlock(&p->lock);
}

static void finish_locked(struct leat_pump *p, struct leat_request *rq)
{
    (void)pthread_mutex_lock(&p->lock);
    p->n_waiting--;
    finish(rq);
    (void)pthread_mutex_unlock(&p->lock);
}

static void go_round(struct leat_pump *p)
{
    int polls = 0;
    bool closed = false;
    struct list list, kept;
    list_clear(&kept);
    take_waiting(p, &list, &closed);
    look(p, &list);
    for (struct leat_request *rq = list.first, *next = NULL; rq != NULL; rq = next) {
        next = rq->next;
        if (closed && rq->delivered)
            rq->deadline_us = 0; /* stopping: 202 and the Location */
        int64_t now_us = leat_mono_us();
        if (rq->awaited != NULL ? advance_read(p, rq, now_us, closed)
                                : advance(rq, now_us, &polls)) {
            finish_locked(p, rq);
        } else {
            list_put(&kept, rq);
        }
    }
    give_back(p, &kept);
}

/* A second at most: slow connections are looked for too. False: nothing will come any more. */
static bool await_work(struct leat_pump *p, bool *ret_work)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec++;
    (void)pthread_mutex_lock(&p->lock);
    int rc = 0;
    while (rc == 0 && !p->stop && p->n_waiting == 0 && p->n_tickets == 0)
        rc = pthread_cond_timedwait(&p->wake, &p->lock, &until);
    *ret_work = p->n_waiting > 0 || p->n_tickets > 0;
    bool go_on = !p->stop || p->n_waiting > 0;
    (void)pthread_mutex_unlock(&p->lock);
    return go_on;
}

static void *pump_main(void *arg)
{
    struct leat_pump *p = arg;
    (void)pthread_setname_np(pthread_self(), "http-pump");
    for (bool work = false; await_work(p, &work);) {
        if (work) {
            (void)leat_sender_pending(p->http->sender, SERVE_MS);
            go_round(p);
        }
        int cut = leat_connections_expire(p->http->connections, leat_mono_us());
        if (cut > 0) {
            leat_log_limited(LEAT_LOG_WARN, "query", "slow-clients",
                             "%d connections were cut: no whole request in %d s, or an answer not "
                             "taken in %d s and more for a large one",
                             cut, LEAT_REQUEST_TIMEOUT_S, LEAT_ANSWER_TIMEOUT_S);
        }
    }
    return NULL;
}

leat_status leat_pump_new(struct leat_http *http, struct leat_pump **ret, struct leat_error *err)
{
    struct leat_pump *p = calloc(1, sizeof *p);
    leat_assert(p != NULL);
    p->http = http;
    list_clear(&p->waiting);
    p->arena = leat_arena_new(ARENA_BYTES, ARENA_BYTES);
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_cond_init(&p->wake, NULL);
    leat_sender_on_done(http->sender, on_delivered, p);
    int rc = pthread_create(&p->thread, NULL, pump_main, p);
    if (rc != 0) {
        leat_pump_free(p);
        return leat_fail(err, LEAT_FATAL, "could not start a thread: error %d", rc);
    }
    p->started = true;
    *ret = p;
    return LEAT_OK;
}

void leat_pump_close(struct leat_pump *p, int64_t until_us)
{
    (void)pthread_mutex_lock(&p->lock);
    p->closed = true;
    for (struct leat_request *rq = p->waiting.first; rq != NULL; rq = rq->next) {
        if (!rq->delivered && rq->next_poll_us > until_us)
            rq->next_poll_us = until_us;
    }
    p->stop = true; /* ends when nobody waits any more */
    (void)pthread_cond_signal(&p->wake);
    (void)pthread_mutex_unlock(&p->lock);
    if (p->started)
        (void)pthread_join(p->thread, NULL);
    p->started = false;
}

void leat_pump_free(struct leat_pump *p)
{
    if (p == NULL)
        return;
    if (p->started)
        leat_pump_close(p, leat_mono_us());
    (void)pthread_mutex_destroy(&p->lock);
    (void)pthread_cond_destroy(&p->wake);
    leat_arena_free(p->arena);
    free(p);
}
