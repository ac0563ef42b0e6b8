#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "projection/projector_versions.h"

#define AREA             "projection"
#define BATCH_RECORDS    8192
#define BUSY_RECORDS     128 /* a batch of that many: the topic is busy */
#define GATHER_US        30000
#define TAKE_WAIT_MS     100
#define CHECK_EVERY_US   1000000
#define QUEUED_KBYTES    2048
#define RETRY_MS         500
#define STANDBY_MS       200
#define NO_MODELS_MS     100 /* all of them are being built */
#define BAD_AGAIN_US     5000000
#define OFFSET_BEGINNING (-2) /* librdkafka's */
#define PROPS_MAX        256

void leat_projector_wait(struct leat_projector *p, int timeout_ms)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    (void)pthread_mutex_lock(&p->stop_lock);
    int rc = 0;
    while (!atomic_load(&p->stop) && rc == 0)
        rc = pthread_cond_timedwait(&p->stopping, &p->stop_lock, &until);
    (void)pthread_mutex_unlock(&p->stop_lock);
}

/* ---- the reader ---- */

static size_t add_props(struct leat_kafka_prop *to, size_t n, const struct leat_props *from)
{
    for (uint32_t i = 0; i < from->n && n < PROPS_MAX; i++)
        to[n++] = (struct leat_kafka_prop){from->at[i].name, from->at[i].value};
    return n;
}

/* Where every model can go on: the lowest hint; one that has nothing yet needs the beginning. */
static int64_t start_offset(const struct leat_projector *p, int32_t slice)
{
    int64_t lowest = INT64_MAX;
    for (size_t i = 0; i < p->n_models; i++) {
        const struct leat_fold *f = p->models[i].fold;
        if (f == NULL)
            continue;
        int64_t hint = f->committed[slice].next_offset;
        if (f->committed[slice].seq == 0)
            return OFFSET_BEGINNING;
        if (hint > 0 && hint < lowest) /* one built from the store has none: it takes holes there */
            lowest = hint;
    }
    return lowest == INT64_MAX ? OFFSET_BEGINNING : lowest;
}

static leat_status open_reader(struct leat_projector *p, struct leat_error *err)
{
    const struct leat_topology *t = p->topology;
    struct leat_kafka_prop props[PROPS_MAX];
    size_t n = add_props(props, 0, &t->kafka.common);
    n = add_props(props, n, &t->kafka.consumer);
    char client_id[128];
    (void)snprintf(client_id, sizeof client_id, "%s.projector", t->name.at);
    struct leat_kafka_config c = {.props = props, .prop_count = n, .client_id = client_id};
    struct leat_position *at = calloc(p->n_slices, sizeof *at);
    leat_assert(at != NULL);
    for (size_t i = 0; i < p->n_slices; i++) {
        int32_t k = p->slices[i];
        at[i] = (struct leat_position){t->events_topic.at, k, start_offset(p, k)};
    }
    leat_status status = leat_reader_new(&c, at, p->n_slices, QUEUED_KBYTES, &p->reader, err);
    free(at);
    return status;
}

/* Offsets may be gone (retention, a topic made anew): the seq rule sorts out whatever comes from
 * the beginning. A passing trouble is tried at the old place first. */
static void reposition(struct leat_projector *p, int32_t partition, const struct leat_error *why)
{
    leat_log_limited_kv(LEAT_LOG_WARN, AREA, "reader-trouble",
                        LEAT_LOG_FIELDS(LEAT_LOG_INT("partition", partition)), "%s", why->msg);
    leat_projector_wait(p, RETRY_MS);
    if (partition < 0 || partition >= p->partitions)
        return;
    int64_t now_us = leat_mono_us();
    bool again = p->bad_us[partition] != 0 && now_us - p->bad_us[partition] < BAD_AGAIN_US;
    p->bad_us[partition] = now_us;
    struct leat_position at = {p->topology->events_topic.at, partition,
                               again ? OFFSET_BEGINNING : start_offset(p, partition)};
    struct leat_error err = {0};
    if (leat_reader_seek(p->reader, &at, RETRY_MS, &err) != LEAT_OK)
        leat_log_error(LEAT_LOG_WARN, AREA, "seek-failed", &err);
}

/* Under load one transaction for more records costs far less than two for few (each is a sync of
 * the disk and rewrites the same pages), and nobody notices some milliseconds. */
static leat_status gather(struct leat_projector *p, size_t *n, struct leat_error *err)
{
    int64_t until_us = p->last_record_us + GATHER_US;
    leat_status status = LEAT_OK;
    while (*n < BATCH_RECORDS && status == LEAT_OK) {
        size_t more = 0;
        int64_t left_us = until_us - leat_mono_us();
        if (left_us <= 0)
            break;
        status = leat_reader_take(p->reader, (int)(left_us / 1000) + 1, p->records + *n,
                                  BATCH_RECORDS - *n, &more, err);
        *n += more;
    }
    return status;
}

static void take_batch(struct leat_projector *p)
{
    size_t n = 0;
    struct leat_error err = {0};
    leat_status status =
        leat_reader_take(p->reader, TAKE_WAIT_MS, p->records, BATCH_RECORDS, &n, &err);
    if (n > 0)
        p->last_record_us = leat_mono_us();
    if (n >= BUSY_RECORDS && status == LEAT_OK)
        status = gather(p, &n, &err);
    for (size_t i = 0; i < n; i++)
        leat_projector_take_record(p, &p->records[i]);
    leat_projector_commit(p, n == 0);
    leat_records_free(p->records, n);
    if (status != LEAT_OK)
        reposition(p, leat_reader_bad_partition(p->reader), &err);
}

static void ensure_reader(struct leat_projector *p)
{
    struct leat_error err = {0};
    if (p->reader != NULL || open_reader(p, &err) == LEAT_OK)
        return;
    leat_log_error(LEAT_LOG_ERROR, AREA, "no-reader", &err);
    leat_projector_wait(p, RETRY_MS);
}

static void drop_reader(struct leat_projector *p)
{
    leat_reader_free(p->reader);
    p->reader = NULL;
}

/* False while another process does the work. */
static bool is_at_work(struct leat_projector *p)
{
    bool moved = false;
    if (p->redis != NULL) {
        bool works = leat_projector_redis_works(p, &moved);
        if (moved || !works)
            drop_reader(p);
        return works;
    }
    if (!leat_leader_works(&p->leader, leat_mono_us())) {
        if (!p->standing_by)
            leat_projector_commit(p, true);
        p->standing_by = true;
        p->store_lag = -1;
        drop_reader(p);
        leat_projector_wait(p, STANDBY_MS);
        return false;
    }
    if (p->standing_by) { /* the files are not as we left them */
        p->standing_by = false;
        p->checked_us = 0;
        leat_projector_reopen(p);
        leat_log(LEAT_LOG_INFO, AREA, "took-over", "this process feeds the read models now");
    }
    return true;
}

static void *projector_main(void *arg)
{
    struct leat_projector *p = arg;
    (void)pthread_setname_np(pthread_self(), p->redis == NULL ? "projector" : "projector-redis");
    while (!atomic_load(&p->stop)) {
        if (!is_at_work(p)) {
            leat_projector_update_figures(p);
            continue;
        }
        if (p->redis == NULL && leat_projector_follow(p, false))
            drop_reader(p); /* one starts at the beginning */
        if (p->n_models == 0) {
            leat_projector_wait(p, NO_MODELS_MS);
            continue;
        }
        if (!leat_projector_name_stores(p))
            break;
        int64_t now_us = leat_mono_us();
        if (p->checked_us == 0 || now_us - p->checked_us >= CHECK_EVERY_US) {
            p->checked_us = now_us;
            leat_projector_check_tails(p);
            if (p->redis != NULL)
                leat_projector_redis_check(p);
        }
        if (leat_projector_replace_refused(p)) {
            drop_reader(p); /* the successor starts at the beginning */
            continue;
        }
        ensure_reader(p);
        if (p->reader != NULL)
            take_batch(p);
        leat_projector_update_figures(p);
    }
    leat_projector_commit(p, true);
    leat_projector_update_figures(p);
    return NULL;
}

/* ---- life ---- */

static void projector_free(struct leat_projector *p)
{
    if (p == NULL)
        return;
    leat_reader_free(p->reader);
    leat_store_close(p->store);
    leat_leader_close(&p->leader);
    leat_projector_versions_free(p);
    for (size_t i = 0; i < p->n_models; i++) {
        leat_projector_close_model(&p->models[i]);
        leat_projector_model_done(&p->models[i]);
    }
    leat_projector_redis_free(p);
    if (p->repair != NULL)
        leat_arena_free(p->repair);
    (void)pthread_mutex_destroy(&p->figures_lock);
    (void)pthread_mutex_destroy(&p->stop_lock);
    (void)pthread_cond_destroy(&p->stopping);
    free(p->models);
    free(p->records);
    free(p->slices);
    leat_lineage_done(&p->lineage);
    free(p->bad_us);
    free(p->data_dir);
    free(p);
}

static void projector_freep(struct leat_projector **p)
{
    projector_free(*p);
}

static void *zeroed(size_t n, size_t size)
{
    void *p = calloc(n > 0 ? n : 1, size);
    leat_assert(p != NULL);
    return p;
}

static struct leat_projector *projector_new(const struct leat_projector_config *c)
{
    struct leat_projector *p = zeroed(1, sizeof *p);
    size_t n = (size_t)c->topology->partitions;
    p->topology = c->topology;
    p->store_options = *c->store;
    p->schemas = c->schemas;
    p->partitions = c->topology->partitions;
    p->store_lag = -1;
    p->figures.lag = -1;
    p->leader.fd = -1;
    p->data_dir = strdup(c->data_dir);
    leat_assert(p->data_dir != NULL);
    p->cap_models = (size_t)c->topology->n_projections * LEAT_VERSIONS_FED;
    p->models = zeroed(p->cap_models, sizeof *p->models);
    p->records = zeroed(BATCH_RECORDS, sizeof *p->records);
    p->slices = zeroed(n, sizeof *p->slices);
    p->bad_us = zeroed(n, sizeof *p->bad_us);
    p->repair = leat_arena_new((size_t)64 * 1024, (size_t)1024 * 1024);
    for (size_t k = 0; k < n; k++)
        p->slices[k] = (int32_t)k;
    p->n_slices = n;
    (void)pthread_mutex_init(&p->figures_lock, NULL);
    (void)pthread_mutex_init(&p->stop_lock, NULL);
    (void)pthread_cond_init(&p->stopping, NULL);
    return p;
}

static leat_status check_redis_models(struct leat_projector *p, struct leat_error *err)
{
    for (uint32_t i = 0; i < p->topology->n_projections; i++) {
        const struct leat_projection *decl = &p->topology->projections[i];
        if (decl->store != LEAT_MODEL_REDIS || decl->module != NULL)
            continue; /* leat_topology_unsupported() has said so */
        struct leat_redis_fold_config fc = {.topology = p->topology,
                                            .projection = decl,
                                            .version = "",
                                            .declaration = LEAT_STR("")};
        struct leat_fold *f = NULL; /* which versions there are is asked for later */
        LEAT_TRY(leat_redis_fold_open(&fc, &f, err), err, "read model '%.*s'",
                 LEAT_STR_FMT(decl->name));
        leat_fold_close(f);
    }
    return LEAT_OK;
}

static leat_status start_thread(struct leat_projector *p, struct leat_error *err)
{
    int rc = pthread_create(&p->thread, NULL, projector_main, p);
    if (rc != 0) {
        return leat_fail(err, LEAT_FATAL, "could not start the projector's thread: %s",
                         strerror(rc));
    }
    p->running = true;
    return LEAT_OK;
}

static bool has_models_in_redis(const struct leat_topology *t)
{
    bool any = false;
    for (uint32_t i = 0; i < t->n_projections; i++)
        any = any ||
              (t->projections[i].store == LEAT_MODEL_REDIS && t->projections[i].module == NULL);
    return any;
}

static leat_status start_redis(const struct leat_projector_config *c, struct leat_projector **ret,
                               struct leat_error *err)
{
    if (!has_models_in_redis(c->topology))
        return LEAT_OK;
    LEAT_AUTO(projector_freep) struct leat_projector *p = projector_new(c);
    LEAT_TRY(leat_projector_redis_new(p, c, err), err, "start the projector");
    LEAT_TRY(check_redis_models(p, err), err, "start the projector");
    LEAT_TRY(start_thread(p, err), err, "start the projector");
    *ret = LEAT_TAKE(p);
    return LEAT_OK;
}

leat_status leat_projector_start(const struct leat_projector_config *c, struct leat_projector **ret,
                                 struct leat_error *err)
{
    leat_assert(c->topology != NULL && c->store != NULL && c->schemas != NULL);
    LEAT_AUTO(projector_freep) struct leat_projector *p = projector_new(c);
    LEAT_TRY(leat_projector_versions_new(p, err), err, "start the projector");
    LEAT_TRY(start_redis(c, &p->next, err), err, "start the projector");
    if (leat_projector_versions_count(p) > 0) {
        leat_status status = leat_leader_open(&p->leader, p->data_dir, err);
        if (status == LEAT_OK)
            status = start_thread(p, err);
        if (status != LEAT_OK) {
            leat_projector_stop(LEAT_TAKE(p->next), 0);
            return status;
        }
    }
    *ret = LEAT_TAKE(p);
    return LEAT_OK;
}

void leat_projector_stop(struct leat_projector *p, int timeout_ms)
{
    if (p == NULL)
        return;
    (void)pthread_mutex_lock(&p->stop_lock);
    atomic_store(&p->stop, true);
    (void)pthread_cond_broadcast(&p->stopping);
    (void)pthread_mutex_unlock(&p->stop_lock);
    leat_projector_stop(p->next, timeout_ms);
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000 + 1;
    if (p->running && pthread_timedjoin_np(p->thread, NULL, &until) != 0) {
        leat_log(LEAT_LOG_WARN, AREA, "stop-timeout",
                 "the projector did not stop in time: its memory is left to the process's end");
        return;
    }
    projector_free(p);
}

void leat_projector_figures(struct leat_projector *p, struct leat_projector_figures *ret)
{
    struct leat_projector_figures other = {0};
    if (p->next != NULL)
        leat_projector_figures(p->next, &other);
    (void)pthread_mutex_lock(&p->figures_lock);
    *ret = p->figures;
    (void)pthread_mutex_unlock(&p->figures_lock);
    if (p->next == NULL)
        return;
    if (p->n_models == 0)
        *ret = (struct leat_projector_figures){0};
    ret->applied += other.applied;
    ret->dropped += other.dropped;
    ret->repaired += other.repaired;
    ret->transactions += other.transactions;
    ret->skipped += other.skipped;
    ret->foreign += other.foreign;
    ret->lag = ret->lag < 0 || other.lag < 0 ? -1 : ret->lag + other.lag;
}
