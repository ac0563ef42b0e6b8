#include "query/feed.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "query/feed_rows.h"

#define LOOK_EVERY_MS   20
#define SIGN_OF_LIFE_US 10000000 /* also finds out whose connection is gone */
#define CHUNK_BYTES_MAX ((size_t)64 << 20)
#define PIECE_BYTES     16384

struct follower {
    struct leat_feed *feed;
    struct MHD_Connection *connection;
    const struct leat_projection *model;
    struct leat_model *handle;
    char *fields;
    struct leat_feed_at at; /* the feed's thread's while `busy` */
    struct leat_buf pending;
    size_t taken; /* of `pending` */
    int64_t written_us;
    bool suspended, ended, busy, gone;
    struct follower *next;
};

struct leat_feed {
    struct leat_http *http;
    struct leat_feed_rows *rows; /* the thread's */
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t wake;
    struct follower *followers;
    int n;
    bool started, stop;
};

static void follower_free(struct follower *w)
{
    leat_buf_done(&w->pending);
    free(w->fields);
    free(w->at.seqs);
    free(w->at.stores);
    free(w);
}

/* ---- under the lock ---- */

static void wake(struct follower *w)
{
    if (!w->suspended)
        return;
    w->suspended = false;
    MHD_resume_connection(w->connection);
}

static void append(struct follower *w, struct leat_str text)
{
    if (w->taken == w->pending.len) {
        leat_buf_clear(&w->pending);
        w->taken = 0;
    }
    leat_buf_put(&w->pending, text.at, text.len);
    w->written_us = leat_mono_us();
    wake(w);
}

/* The last that a follower is told. */
static void cut(struct follower *w, const char *code, const char *reason)
{
    struct leat_buf text;
    struct leat_json_writer j;
    leat_buf_init(&text, PIECE_BYTES);
    leat_buf_puts(&text, "event: end\ndata: ");
    leat_json_writer_init(&j, &text);
    leat_json_begin_object(&j);
    leat_json_put_cstr(&j, "code", code);
    leat_json_put_cstr(&j, "detail", reason);
    leat_json_end_object(&j);
    leat_buf_puts(&text, "\n\n");
    w->ended = true;
    append(w, leat_buf_str(&text));
    leat_buf_done(&text);
}

static void give(struct follower *w, struct leat_str text)
{
    if (w->gone || w->ended)
        return;
    if (w->pending.len - w->taken > LEAT_FEED_PENDING_BYTES) {
        leat_log_limited(LEAT_LOG_WARN, "query", "slow-follower",
                         "a stream of changes of '%s' was cut: its reader is too slow",
                         w->model->name.at);
        cut(w, "too-slow", "more than 1 MiB of changes waited to be read");
        return;
    }
    append(w, text);
}

static void unlink_follower(struct leat_feed *f, struct follower *w)
{
    struct follower **at = &f->followers;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    f->n--;
}

/* ---- libmicrohttpd's threads ---- */

static ssize_t read_pending(void *arg, uint64_t offset, char *to, size_t max)
{
    (void)offset;
    struct follower *w = arg;
    (void)pthread_mutex_lock(&w->feed->lock);
    size_t left = w->pending.len - w->taken, n = left < max ? left : max;
    ssize_t result = (ssize_t)n;
    if (n > 0) {
        memcpy(to, w->pending.at + w->taken, n);
        w->taken += n;
    } else if (w->ended) {
        result = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        w->suspended = true;
        MHD_suspend_connection(w->connection);
    }
    (void)pthread_mutex_unlock(&w->feed->lock);
    return result;
}

static void follower_gone(void *arg)
{
    struct follower *w = arg;
    struct leat_feed *f = w->feed;
    (void)pthread_mutex_lock(&f->lock);
    unlink_follower(f, w);
    w->gone = true;
    bool busy = w->busy; /* then the feed's thread frees it */
    (void)pthread_mutex_unlock(&f->lock);
    if (!busy)
        follower_free(w);
}

static struct follower *follower_new(struct leat_feed *f, struct leat_request *rq,
                                     const struct leat_follow *follow)
{
    struct follower *w = calloc(1, sizeof *w);
    leat_assert(w != NULL);
    int32_t n = follow->from->n;
    w->feed = f;
    w->connection = rq->connection;
    w->model = follow->model;
    w->handle = follow->handle;
    w->fields = strndup(follow->fields.len > 0 ? follow->fields.at : "", follow->fields.len);
    w->at.n = n;
    w->at.seqs = calloc((size_t)n + 1, sizeof *w->at.seqs);
    w->at.stores = calloc((size_t)n + 1, sizeof *w->at.stores);
    leat_assert(w->fields != NULL && w->at.seqs != NULL && w->at.stores != NULL);
    memcpy(w->at.seqs, follow->from->seqs, (size_t)n * sizeof *w->at.seqs);
    memcpy(w->at.stores, follow->from->stores, (size_t)n * sizeof *w->at.stores);
    leat_buf_init(&w->pending, CHUNK_BYTES_MAX + 2 * LEAT_FEED_PENDING_BYTES);
    leat_feed_put_id(&w->at, &w->pending);
    leat_buf_printf(&w->pending, "event: position\ndata: {\"version\":\"%s\"}\n\n",
                    follow->version);
    w->written_us = leat_mono_us();
    return w;
}

leat_status leat_feed_follow(struct leat_feed *f, struct leat_request *rq,
                             const struct leat_follow *follow, struct MHD_Response **ret,
                             struct leat_error *err)
{
    struct follower *w = follower_new(f, rq, follow);
    leat_status status = LEAT_OK;
    (void)pthread_mutex_lock(&f->lock);
    if (f->n >= LEAT_FEED_MAX || f->stop) {
        status = leat_fail(err, LEAT_RETRY, "too many follow changes already");
    } else {
        w->next = f->followers;
        f->followers = w;
        f->n++;
        (void)pthread_cond_signal(&f->wake);
    }
    (void)pthread_mutex_unlock(&f->lock);
    if (status != LEAT_OK) {
        follower_free(w);
        return status;
    }
    *ret = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE_BYTES, read_pending, w,
                                             follower_gone);
    if (*ret != NULL)
        return LEAT_OK;
    follower_gone(w);
    return leat_fail(err, LEAT_FATAL, "out of memory");
}

/* ---- the thread ---- */

/* All followers, theirs now; NULL-terminated by count. */
static int take_all(struct leat_feed *f, struct follower *all[LEAT_FEED_MAX])
{
    int n = 0;
    (void)pthread_mutex_lock(&f->lock);
    for (struct follower *w = f->followers; w != NULL; w = w->next) {
        w->busy = !w->ended;
        if (w->busy)
            all[n++] = w;
    }
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

static void give_back(struct leat_feed *f, struct follower *const *all, int n)
{
    for (int i = 0; i < n; i++) {
        (void)pthread_mutex_lock(&f->lock);
        all[i]->busy = false;
        bool gone = all[i]->gone;
        (void)pthread_mutex_unlock(&f->lock);
        if (gone)
            follower_free(all[i]);
    }
}

static bool side_by_side(const struct follower *a, const struct follower *b)
{
    return a->model == b->model && strcmp(a->fields, b->fields) == 0 &&
           a->at.state == b->at.state &&
           memcmp(a->at.seqs, b->at.seqs, (size_t)a->at.n * sizeof *a->at.seqs) == 0 &&
           memcmp(a->at.stores, b->at.stores, (size_t)a->at.n * sizeof *a->at.stores) == 0;
}

/* Moves all[0] and those beside it, which come next to it; returns how many. */
static int gather(struct follower **all, int n)
{
    int together = 1;
    for (int i = 1; i < n; i++) {
        if (!side_by_side(all[0], all[i]))
            continue;
        struct follower *w = all[i];
        all[i] = all[together];
        all[together++] = w;
    }
    return together;
}

static void hand_out(struct leat_feed *f, struct follower *const *to, int n,
                     const struct leat_feed_at *at, struct leat_str text,
                     const struct leat_error *err)
{
    (void)pthread_mutex_lock(&f->lock);
    for (int i = 0; i < n; i++) {
        struct leat_feed_at *own = &to[i]->at;
        if (own != at) {
            memcpy(own->seqs, at->seqs, (size_t)at->n * sizeof *own->seqs);
            memcpy(own->stores, at->stores, (size_t)at->n * sizeof *own->stores);
            own->state = at->state;
        }
        if (text.len > 0)
            give(to[i], text);
        bool over = err->status != LEAT_OK && err->status != LEAT_RETRY;
        if (over && !to[i]->gone && !to[i]->ended)
            cut(to[i], err->status == LEAT_ABSENT ? "other-store" : "failed", err->msg);
    }
    (void)pthread_mutex_unlock(&f->lock);
}

static void show_life(struct leat_feed *f, struct follower *const *all, int n)
{
    struct leat_buf text;
    int64_t now_us = leat_mono_us();
    leat_buf_init(&text, LEAT_TOKEN_BYTES_MAX + 16);
    (void)pthread_mutex_lock(&f->lock);
    for (int i = 0; i < n; i++) {
        if (now_us - all[i]->written_us < SIGN_OF_LIFE_US)
            continue;
        leat_buf_clear(&text);
        leat_feed_put_id(&all[i]->at, &text);
        leat_buf_putc(&text, '\n');
        give(all[i], leat_buf_str(&text));
    }
    (void)pthread_mutex_unlock(&f->lock);
    leat_buf_done(&text);
}

static void go_round(struct leat_feed *f)
{
    struct follower *all[LEAT_FEED_MAX];
    struct leat_buf text;
    int n = take_all(f, all);
    leat_buf_init(&text, CHUNK_BYTES_MAX);
    for (int i = 0, together = 0; i < n; i += together) {
        struct leat_error err = {0};
        struct follower *first = all[i];
        together = gather(all + i, n - i);
        struct leat_feed_ask ask = {first->model, first->handle, leat_str_of(first->fields)};
        leat_buf_clear(&text);
        if (leat_feed_rows_next(f->rows, &ask, &first->at, &text, &err) != LEAT_OK) {
            leat_buf_clear(&text);
        } else if (text.overflow) {
            (void)leat_fail(&err, LEAT_FATAL, "the changed rows are over 64 MiB");
            leat_buf_clear(&text);
        }
        hand_out(f, all + i, together, &first->at, leat_buf_str(&text), &err);
    }
    show_life(f, all, n);
    leat_buf_done(&text);
    give_back(f, all, n);
}

/* False: stop. Files that another process writes tell nobody: they are looked at. */
static bool await_round(struct leat_feed *f)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += LOOK_EVERY_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_mutex_lock(&f->lock);
    if (f->n > 0 && !f->stop)
        (void)pthread_cond_timedwait(&f->wake, &f->lock, &until);
    while (f->n == 0 && !f->stop)
        (void)pthread_cond_wait(&f->wake, &f->lock);
    bool go_on = !f->stop;
    (void)pthread_mutex_unlock(&f->lock);
    return go_on;
}

static void *feed_main(void *arg)
{
    (void)pthread_setname_np(pthread_self(), "http-feed");
    while (await_round(arg))
        go_round(arg);
    return NULL;
}

leat_status leat_feed_new(struct leat_http *http, struct leat_feed **ret, struct leat_error *err)
{
    struct leat_feed *f = calloc(1, sizeof *f);
    leat_assert(f != NULL);
    f->http = http;
    f->rows = leat_feed_rows_new(http);
    (void)pthread_mutex_init(&f->lock, NULL);
    (void)pthread_cond_init(&f->wake, NULL);
    int rc = pthread_create(&f->thread, NULL, feed_main, f);
    if (rc != 0) {
        leat_feed_free(f);
        return leat_fail(err, LEAT_FATAL, "could not start a thread: error %d", rc);
    }
    f->started = true;
    *ret = f;
    return LEAT_OK;
}

void leat_feed_close(struct leat_feed *f)
{
    (void)pthread_mutex_lock(&f->lock);
    f->stop = true;
    (void)pthread_cond_signal(&f->wake);
    (void)pthread_mutex_unlock(&f->lock);
    if (f->started)
        (void)pthread_join(f->thread, NULL);
    f->started = false;
    (void)pthread_mutex_lock(&f->lock);
    for (struct follower *w = f->followers; w != NULL; w = w->next) {
        if (!w->ended)
            cut(w, "stopping", "the server stops: follow again from the last id");
    }
    (void)pthread_mutex_unlock(&f->lock);
}

void leat_feed_free(struct leat_feed *f)
{
    if (f == NULL)
        return;
    leat_feed_close(f);
    leat_assert(f->n == 0);
    leat_feed_rows_free(f->rows);
    (void)pthread_mutex_destroy(&f->lock);
    (void)pthread_cond_destroy(&f->wake);
    free(f);
}
