/* Only in builds with ThreadSanitizer: librdkafka starts its threads with C11's thrd_create, which
 * that sanitizer does not know, and the first allocation in such a thread ends the process. Defined
 * in the program, these take the place of libc's and start them as threads it knows. */
#if defined(__SANITIZE_THREAD__)

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

#include "kafka/internal.h"

int thrd_create(thrd_t *ret, thrd_start_t run, void *arg);
int thrd_join(thrd_t thread, int *ret_result);
int thrd_detach(thrd_t thread);

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

void leat_kafka_tsan_threads(void) {}

#else
typedef int leat_kafka_no_tsan; /* a file must hold something */
#endif
