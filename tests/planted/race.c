/* race.c - two threads add to one counter; with LEAT_PLANTED without the lock. */
#include <pthread.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static long total;

static void *add(void *opaque)
{
    (void)opaque;
    for (int i = 0; i < 1000; i++) {
#ifdef LEAT_PLANTED
        total++;
#else
        (void)pthread_mutex_lock(&lock);
        total++;
        (void)pthread_mutex_unlock(&lock);
#endif
    }
    return NULL;
}

int main(void)
{
    pthread_t thread[2];
    (void)lock;
    for (int i = 0; i < 2; i++)
        if (pthread_create(&thread[i], NULL, add, NULL) != 0)
            return 1;
    for (int i = 0; i < 2; i++)
        (void)pthread_join(thread[i], NULL);
    puts(total > 0 ? "ok planted_race" : "FAIL planted_race: nothing was counted");
    return 0;
}
