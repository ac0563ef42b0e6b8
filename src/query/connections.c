#include "query/connections.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/status.h"

#define LOOK_EVERY_US 1000000

struct connection {
    struct leat_connection public; /* first: what callers hold */
    _Atomic(int64_t) until_us;     /* it reads or sends; 0: nothing is asked of the other side */
    int fd;
    struct connection *next, *previous;
};

struct leat_connections {
    pthread_mutex_t lock;
    struct connection *first;
    int64_t looked_us;
};

struct leat_connections *leat_connections_new(void)
{
    struct leat_connections *cs = calloc(1, sizeof *cs);
    leat_assert(cs != NULL);
    (void)pthread_mutex_init(&cs->lock, NULL);
    return cs;
}

void leat_connections_free(struct leat_connections *cs)
{
    if (cs == NULL)
        return;
    leat_assert(cs->first == NULL);
    (void)pthread_mutex_destroy(&cs->lock);
    free(cs);
}

static int64_t in_seconds(int64_t s)
{
    return leat_mono_us() + s * 1000000;
}

struct leat_connection *leat_connection_open(struct leat_connections *cs, int fd)
{
    struct connection *c = calloc(1, sizeof *c);
    leat_assert(c != NULL);
    c->fd = fd;
    atomic_init(&c->until_us, in_seconds(LEAT_REQUEST_TIMEOUT_S));
    (void)pthread_mutex_lock(&cs->lock);
    c->next = cs->first;
    if (c->next != NULL)
        c->next->previous = c;
    cs->first = c;
    (void)pthread_mutex_unlock(&cs->lock);
    return &c->public;
}

/* Told before the socket is closed: nobody cuts a number that belongs to somebody else by now. */
void leat_connection_close(struct leat_connections *cs, struct leat_connection *public)
{
    struct connection *c = (struct connection *)public;
    (void)pthread_mutex_lock(&cs->lock);
    if (c->next != NULL)
        c->next->previous = c->previous;
    if (c->previous != NULL) {
        c->previous->next = c->next;
    } else {
        cs->first = c->next;
    }
    (void)pthread_mutex_unlock(&cs->lock);
    free(c);
}

void leat_connection_answers(struct leat_connection *c)
{
    if (c != NULL)
        atomic_store(&((struct connection *)c)->until_us, 0);
}

void leat_connection_sends(struct leat_connection *c, size_t bytes)
{
    int64_t seconds = LEAT_ANSWER_TIMEOUT_S + (int64_t)(bytes / LEAT_ANSWER_BYTES_PER_S);
    if (c != NULL)
        atomic_store(&((struct connection *)c)->until_us, in_seconds(seconds));
}

void leat_connection_reads(struct leat_connection *c)
{
    if (c != NULL)
        atomic_store(&((struct connection *)c)->until_us, in_seconds(LEAT_REQUEST_TIMEOUT_S));
}

int leat_connections_expire(struct leat_connections *cs, int64_t mono_us)
{
    int cut = 0;
    if (mono_us - cs->looked_us < LOOK_EVERY_US)
        return 0;
    cs->looked_us = mono_us;
    (void)pthread_mutex_lock(&cs->lock);
    for (struct connection *c = cs->first; c != NULL; c = c->next) {
        int64_t until_us = atomic_load(&c->until_us);
        if (until_us == 0 || until_us > mono_us)
            continue;
        (void)shutdown(c->fd, SHUT_RDWR);
        atomic_store(&c->until_us, 0); /* once is enough */
        cut++;
    }
    (void)pthread_mutex_unlock(&cs->lock);
    return cut;
}
