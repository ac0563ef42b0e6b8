#include "projection/shares.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "kafka/kafka.h"

#define AREA      "projection"
#define PROPS_MAX 256
#define POLL_MS   200
#define AGAIN_MS  500
#define LEAVE_MS  3000

struct leat_shares {
    const struct leat_topology *topology;
    char *instance_id;
    int32_t session_timeout_ms;
    struct leat_group *group; /* the thread's own */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopping;
    bool stop;
    bool *owned;
    uint64_t changes;
};

static void set_owned(struct leat_shares *s, const int32_t *ks, size_t n, bool owned)
{
    (void)pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < n; i++) {
        if (ks[i] >= 0 && ks[i] < s->topology->partitions)
            s->owned[ks[i]] = owned;
    }
    s->changes++;
    (void)pthread_mutex_unlock(&s->lock);
}

static void on_assigned(void *arg, const int32_t *ks, size_t n)
{
    set_owned(arg, ks, n, true);
    leat_log_kv(LEAT_LOG_INFO, AREA, "shares",
                LEAT_LOG_FIELDS(LEAT_LOG_INT("partitions", (int64_t)n)),
                "this process folds its share of the partitions into Redis");
}

static void on_revoked(void *arg, const int32_t *ks, size_t n, bool lost)
{
    (void)lost; /* whoever owns them now finds in Redis how far we came */
    set_owned(arg, ks, n, false);
}

static size_t add_props(struct leat_kafka_prop *to, size_t n, const struct leat_props *from)
{
    for (uint32_t i = 0; i < from->n && n < PROPS_MAX; i++)
        to[n++] = (struct leat_kafka_prop){from->at[i].name, from->at[i].value};
    return n;
}

static leat_status join(struct leat_shares *s, struct leat_error *err)
{
    const struct leat_topology *t = s->topology;
    struct leat_kafka_prop props[PROPS_MAX];
    char client_id[128];
    size_t n = add_props(props, 0, &t->kafka.common);
    n = add_props(props, n, &t->kafka.consumer);
    (void)snprintf(client_id, sizeof client_id, "%s.projector.shares", t->name.at);
    struct leat_group_config c = {
        .kafka = {.props = props, .prop_count = n, .client_id = client_id},
        .group = t->projector_group,
        .instance_id = s->instance_id,
        .session_timeout_ms = s->session_timeout_ms,
        .anchor = t->events_topic.at,
        .partitions = t->partitions,
    };
    struct leat_group_events events = {.assigned = on_assigned, .revoked = on_revoked, .arg = s};
    return leat_group_new(&c, &events, &s->group, err);
}

static bool stops(struct leat_shares *s, int wait_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += (long)wait_ms * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_mutex_lock(&s->lock);
    for (int rc = 0; !s->stop && rc == 0 && wait_ms > 0;)
        rc = pthread_cond_timedwait(&s->stopping, &s->lock, &until);
    bool stop = s->stop;
    (void)pthread_mutex_unlock(&s->lock);
    return stop;
}

static void leave(struct leat_shares *s)
{
    leat_group_free(s->group, s->instance_id == NULL, LEAVE_MS);
    s->group = NULL;
    (void)pthread_mutex_lock(&s->lock);
    memset(s->owned, 0, (size_t)s->topology->partitions * sizeof *s->owned);
    s->changes++;
    (void)pthread_mutex_unlock(&s->lock);
}

static void *shares_main(void *arg)
{
    struct leat_shares *s = arg;
    (void)pthread_setname_np(pthread_self(), "shares");
    while (!stops(s, 0)) {
        struct leat_error err = {0};
        leat_status status = s->group == NULL ? join(s, &err) : LEAT_OK;
        if (status == LEAT_OK)
            status = leat_group_poll(s->group, POLL_MS, &err);
        if (status == LEAT_OK)
            continue;
        leat_log_limited(LEAT_LOG_WARN, AREA, "shares-trouble", "%s", err.msg);
        if (status == LEAT_FATAL && s->group != NULL)
            leave(s);
        (void)stops(s, AGAIN_MS);
    }
    if (s->group != NULL)
        leave(s);
    return NULL;
}

static void shares_free(struct leat_shares *s)
{
    (void)pthread_mutex_destroy(&s->lock);
    (void)pthread_cond_destroy(&s->stopping);
    free(s->owned);
    free(s->instance_id);
    free(s);
}

leat_status leat_shares_start(const struct leat_shares_config *c, struct leat_shares **ret,
                              struct leat_error *err)
{
    struct leat_shares *s = calloc(1, sizeof *s);
    leat_assert(s != NULL);
    s->topology = c->topology;
    s->session_timeout_ms = c->session_timeout_ms;
    s->instance_id = c->instance_id == NULL ? NULL : strdup(c->instance_id);
    leat_assert(c->instance_id == NULL || s->instance_id != NULL);
    s->owned = calloc((size_t)c->topology->partitions, sizeof *s->owned);
    leat_assert(s->owned != NULL);
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_cond_init(&s->stopping, NULL);
    int rc = pthread_create(&s->thread, NULL, shares_main, s);
    if (rc != 0) {
        shares_free(s);
        return leat_fail(err, LEAT_FATAL, "could not start a thread: %s", strerror(rc));
    }
    *ret = s;
    return LEAT_OK;
}

void leat_shares_stop(struct leat_shares *s)
{
    if (s == NULL)
        return;
    (void)pthread_mutex_lock(&s->lock);
    s->stop = true;
    (void)pthread_cond_broadcast(&s->stopping);
    (void)pthread_mutex_unlock(&s->lock);
    (void)pthread_join(s->thread, NULL);
    shares_free(s);
}

uint64_t leat_shares_owned(struct leat_shares *s, bool *ret_owned)
{
    (void)pthread_mutex_lock(&s->lock);
    uint64_t changes = s->changes;
    if (ret_owned != NULL)
        memcpy(ret_owned, s->owned, (size_t)s->topology->partitions * sizeof *ret_owned);
    (void)pthread_mutex_unlock(&s->lock);
    return changes;
}
