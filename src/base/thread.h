/* thread.h - the start of a thread, and the words for when there is none to be had. */
#ifndef LEAT_BASE_THREAD_H
#define LEAT_BASE_THREAD_H

#include <pthread.h>
#include <string.h>

#include "base/status.h"

/* FATAL names the cause; pthread_create() returns it and leaves errno alone. */
LEAT_MUST_CHECK static inline leat_status leat_thread_start(pthread_t *ret, void *(*run)(void *),
                                                            void *arg, struct leat_error *err)
{
    int cause = pthread_create(ret, NULL, run, arg);
    return cause == 0 ? LEAT_OK
                      : leat_fail(err, LEAT_FATAL, "could not start a thread: %s", strerror(cause));
}

#endif
