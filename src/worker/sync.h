/* sync.h - a mutex and a condition whose waits end at monotonic times. Private to the worker. */
#ifndef LEAT_WORKER_SYNC_H
#define LEAT_WORKER_SYNC_H

#include <pthread.h>
#include <time.h>

#include "base/clock.h"

static inline void leat_sync_init(pthread_mutex_t *mutex, pthread_cond_t *cond)
{
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(mutex, NULL);
    (void)pthread_cond_init(cond, &attr);
    (void)pthread_condattr_destroy(&attr);
}

/* For pthread_cond_timedwait(). */
static inline struct timespec leat_sync_deadline(int timeout_ms)
{
    int64_t at_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    return (struct timespec){.tv_sec = at_us / 1000000, .tv_nsec = at_us % 1000000 * 1000};
}

#endif
