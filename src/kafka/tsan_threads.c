/* Only in builds with ThreadSanitizer: librdkafka uses C11's threads and locks, which that
 * sanitizer does not know: the first allocation in such a thread ends the process, and what is
 * handed over under such a lock looks like a race. Defined in the program, these take the place of
 * libc's. */
#if defined(__SANITIZE_THREAD__)

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sanitizer/tsan_interface.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>
#include <time.h>

#include "kafka/internal.h"

struct start {
    thrd_start_t run;
    void *arg;
};

static void *trampoline(void *arg)
{
    struct start s = *(struct start *)arg;
    free(arg);
    return (void *)(intptr_t)s.run(s.arg);
}

int thrd_create(thrd_t *ret, thrd_start_t run, void *arg)
{
    struct start *s = malloc(sizeof *s);
    leat_assert(s != NULL);
    *s = (struct start){run, arg};
    int e = pthread_create(ret, NULL, trampoline, s);
    if (e == 0)
        return thrd_success;
    free(s);
    return e == ENOMEM ? thrd_nomem : thrd_error;
}

int thrd_join(thrd_t thread, int *ret_result)
{
    void *result = NULL;
    if (pthread_join(thread, &result) != 0)
        return thrd_error;
    if (ret_result != NULL)
        *ret_result = (int)(intptr_t)result;
    return thrd_success;
}

int thrd_detach(thrd_t thread)
{
    return pthread_detach(thread) == 0 ? thrd_success : thrd_error;
}

/* ---- locks: libc lays C11's out as its own ---- */

static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t) && sizeof(cnd_t) >= sizeof(pthread_cond_t),
              "one fits into the other");

static pthread_mutex_t *mutex_of(mtx_t *m)
{
    return (pthread_mutex_t *)(void *)m;
}

static pthread_cond_t *cond_of(cnd_t *c)
{
    return (pthread_cond_t *)(void *)c;
}

static int result_of(int e)
{
    if (e == ETIMEDOUT)
        return thrd_timedout;
    return e == 0 ? thrd_success : thrd_error;
}

int mtx_init(mtx_t *m, int type)
{
    pthread_mutexattr_t a;
    (void)pthread_mutexattr_init(&a);
    if ((type & mtx_recursive) != 0)
        (void)pthread_mutexattr_settype(&a, PTHREAD_MUTEX_RECURSIVE);
    int e = pthread_mutex_init(mutex_of(m), &a);
    (void)pthread_mutexattr_destroy(&a);
    __tsan_release(m); /* it comes to other threads under a lock that is not seen */
    return result_of(e);
}

void mtx_destroy(mtx_t *m)
{
    (void)pthread_mutex_destroy(mutex_of(m));
}

int mtx_lock(mtx_t *m)
{
    __tsan_acquire(m);
    return result_of(pthread_mutex_lock(mutex_of(m)));
}

int mtx_unlock(mtx_t *m)
{
    return result_of(pthread_mutex_unlock(mutex_of(m)));
}

int cnd_init(cnd_t *c)
{
    return result_of(pthread_cond_init(cond_of(c), NULL));
}

void cnd_destroy(cnd_t *c)
{
    (void)pthread_cond_destroy(cond_of(c));
}

int cnd_signal(cnd_t *c)
{
    return result_of(pthread_cond_signal(cond_of(c)));
}

int cnd_broadcast(cnd_t *c)
{
    return result_of(pthread_cond_broadcast(cond_of(c)));
}

int cnd_wait(cnd_t *c, mtx_t *m)
{
    return result_of(pthread_cond_wait(cond_of(c), mutex_of(m)));
}

int cnd_timedwait(cnd_t *restrict c, mtx_t *restrict m, const struct timespec *restrict until)
{
    return result_of(pthread_cond_timedwait(cond_of(c), mutex_of(m), until));
}

void leat_kafka_tsan_threads(void) {}

#else
typedef int leat_kafka_no_tsan; /* a file must hold something */
#endif
