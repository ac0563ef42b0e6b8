/* The keys of who signs: a file, read again when that is due, or an address, read by a thread.
 * Nobody who asks for a key waits for an address. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "auth/auth_internal.h"
#include "base/clock.h"
#include "base/log.h"
#include "web/web.h"

#define RETRY_MS   3000 /* between two looks: for an unknown kid, or after a failure */
#define TIMEOUT_MS 5000 /* of an address */

struct leat_signers {
    const struct leat_access_jwt *j;
    bool by_address;
    pthread_mutex_t lock;   /* of what follows */
    struct leat_jwks *keys; /* NULL: not read yet */
    int64_t due_ms, tried_ms;

    pthread_t thread; /* of an address */
    pthread_cond_t wake;
    bool started, reading;
    bool failing; /* the thread's own: said once */
    atomic_bool stop;
};

static int64_t mono_ms(void)
{
    return leat_mono_us() / 1000;
}

static const struct leat_jwk *find(const struct leat_jwks *s, struct leat_str kid)
{
    for (uint32_t i = 0; s != NULL && i < s->n; i++)
        if (kid.len == 0 ? s->n == 1 : leat_str_eq(s->keys[i].kid, kid))
            return &s->keys[i];
    return NULL;
}

/* Held: s->lock. NULL leaves the old set, which is tried again soon. */
static void replace(struct leat_signers *s, struct leat_jwks *fresh, int64_t next_ms)
{
    s->tried_ms = mono_ms();
    s->due_ms = s->tried_ms + (fresh != NULL ? next_ms : RETRY_MS);
    if (fresh == NULL)
        return;
    leat_jwks_free(s->keys);
    s->keys = fresh;
}

/* ---- an address ---- */

static leat_status read_address(const struct leat_signers *s, struct leat_jwks **ret,
                                int64_t *ret_next_ms, struct leat_error *err)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    const struct leat_web_get get = {
        .url = s->j->jwks, .ca = s->j->ca, .timeout_ms = TIMEOUT_MS, .stop = &s->stop};
    struct leat_web_got got;
    int64_t next_ms = s->j->refresh_ms;
    leat_buf_init(&text, LEAT_JWKS_BYTES_MAX);
    LEAT_TRY(leat_web_fetch(&get, &text, &got, err), err, "key set");
    LEAT_TRY(leat_jwks_parse(leat_buf_str(&text), ret, err), err, "what 'jwks' names");
    if (got.max_age_s > 0 && got.max_age_s < next_ms / 1000)
        next_ms = got.max_age_s * 1000;
    *ret_next_ms = next_ms > RETRY_MS ? next_ms : RETRY_MS;
    return LEAT_OK;
}

/* Tells what changed; that it goes on failing is no news. */
static void tell(struct leat_signers *s, leat_status status, const struct leat_error *err)
{
    bool failed = status != LEAT_OK;
    if (atomic_load(&s->stop))
        return;
    if (failed && !s->failing)
        leat_log_error(LEAT_LOG_WARN, "auth", "key-set", err);
    if (!failed && s->failing)
        leat_log(LEAT_LOG_INFO, "auth", "key-set-read", "the key set can be read again");
    s->failing = failed;
}

/* True: it is due; false: the end. */
static bool await_due(struct leat_signers *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->reading = false;
    while (!atomic_load(&s->stop) && mono_ms() < s->due_ms) {
        const struct timespec until = {.tv_sec = s->due_ms / 1000,
                                       .tv_nsec = s->due_ms % 1000 * 1000000};
        (void)pthread_cond_timedwait(&s->wake, &s->lock, &until);
    }
    s->reading = true;
    (void)pthread_mutex_unlock(&s->lock);
    return !atomic_load(&s->stop);
}

static void *signers_main(void *arg)
{
    struct leat_signers *s = arg;
    (void)pthread_setname_np(pthread_self(), "key-set");
    while (await_due(s)) {
        struct leat_error err = {0};
        struct leat_jwks *fresh = NULL;
        int64_t next_ms = 0;
        leat_status status = read_address(s, &fresh, &next_ms, &err);
        (void)pthread_mutex_lock(&s->lock);
        replace(s, fresh, next_ms);
        (void)pthread_mutex_unlock(&s->lock);
        tell(s, status, &err);
    }
    return NULL;
}

static leat_status start(struct leat_signers *s, struct leat_error *err)
{
    int rc = pthread_create(&s->thread, NULL, signers_main, s);
    if (rc != 0)
        return leat_fail(err, LEAT_FATAL, "could not start a thread: %s", strerror(rc));
    s->started = true;
    return LEAT_OK;
}

/* ---- a file ---- */

/* Held: s->lock. */
static void read_file_again(struct leat_signers *s)
{
    struct leat_error err = {0};
    struct leat_jwks *fresh = NULL;
    if (leat_jwks_read(s->j->jwks, &fresh, &err) != LEAT_OK)
        leat_log_error(LEAT_LOG_WARN, "auth", "key-set", &err);
    replace(s, fresh, s->j->refresh_ms);
}

/* ---- both ---- */

leat_status leat_signers_new(const struct leat_access_jwt *j, struct leat_signers **ret,
                             struct leat_error *err)
{
    struct leat_signers *s = calloc(1, sizeof *s);
    pthread_condattr_t attr;
    leat_assert(s != NULL);
    s->j = j;
    s->by_address = strstr(j->jwks, "://") != NULL;
    (void)pthread_mutex_init(&s->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&s->wake, &attr);
    (void)pthread_condattr_destroy(&attr);
    struct leat_jwks *keys = NULL;
    leat_status status = s->by_address ? LEAT_OK : leat_jwks_read(j->jwks, &keys, err);
    if (keys != NULL)
        replace(s, keys, j->refresh_ms);
    s->reading = s->by_address;
    if (status == LEAT_OK && s->by_address)
        status = start(s, err);
    if (status == LEAT_OK)
        *ret = s;
    else
        leat_signers_free(s);
    return status;
}

void leat_signers_free(struct leat_signers *s)
{
    if (s == NULL)
        return;
    (void)pthread_mutex_lock(&s->lock);
    atomic_store(&s->stop, true);
    (void)pthread_cond_signal(&s->wake);
    (void)pthread_mutex_unlock(&s->lock);
    if (s->started)
        (void)pthread_join(s->thread, NULL);
    leat_jwks_free(s->keys);
    (void)pthread_cond_destroy(&s->wake);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Held: s->lock. True: the kid may be in a set that is being read. */
static bool look(struct leat_signers *s, struct leat_str kid)
{
    int64_t now = mono_ms();
    bool unknown = find(s->keys, kid) == NULL, rested = now - s->tried_ms >= RETRY_MS;
    if (!s->by_address) {
        if ((unknown || now >= s->due_ms) && rested)
            read_file_again(s);
        return false;
    }
    if (unknown && rested && !s->reading) {
        s->due_ms = now;
        s->reading = true; /* as good as */
        (void)pthread_cond_signal(&s->wake);
    }
    return unknown && (s->reading || s->keys == NULL);
}

leat_status leat_signers_find(struct leat_signers *s, struct leat_str kid, struct leat_arena *arena,
                              struct leat_str *ret, struct leat_error *err)
{
    (void)pthread_mutex_lock(&s->lock);
    bool may_come = look(s, kid);
    const struct leat_jwk *k = find(s->keys, kid);
    if (k != NULL) /* a copy: the set may be replaced meanwhile */
        *ret = leat_arena_copy(arena, leat_str_of(k->pem));
    (void)pthread_mutex_unlock(&s->lock);
    if (k != NULL)
        return LEAT_OK;
    if (may_come)
        return leat_fail(err, LEAT_RETRY, "the keys of who signs tokens have not been read yet");
    return leat_fail(err, LEAT_INVALID, "the token's key (kid) is not known here");
}
