#include "projection/coded_end.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
#define SIGNALS     (sizeof signals / sizeof *signals)
#define STACK_BYTES ((size_t)64 * 1024) /* a handler needs one after an overflow, too */

static struct sigaction before[SIGNALS];
static _Thread_local _Atomic int *mark;
static _Thread_local char *stack;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t stacks;

static void set_mark(void)
{
    if (mark != NULL)
        atomic_store(mark, 1);
}

/* Back to what was set before: the faulting instruction, or abort(), comes here no more. */
static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)context;
    set_mark();
    for (size_t i = 0; i < SIGNALS; i++) {
        if (signals[i] == signal)
            (void)sigaction(signal, &before[i], NULL);
    }
    if (info->si_code <= 0 && signal != SIGABRT) /* sent, not met */
        (void)raise(signal);
}

static void watch(void)
{
    struct sigaction a = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    (void)sigemptyset(&a.sa_mask);
    for (size_t i = 0; i < SIGNALS; i++)
        (void)sigaction(signals[i], &a, &before[i]);
    (void)atexit(set_mark); /* runs on the thread that calls exit() */
    (void)pthread_key_create(&stacks, free);
}

void leat_coded_ends_watch(void)
{
    (void)pthread_once(&once, watch);
}

/* Once per thread, unless it has one already. */
static void give_stack(void)
{
    stack_t has;
    if (stack != NULL || sigaltstack(NULL, &has) != 0 || (has.ss_flags & SS_DISABLE) == 0)
        return;
    stack = malloc(STACK_BYTES);
    stack_t s = {.ss_sp = stack, .ss_size = STACK_BYTES};
    if (stack != NULL && sigaltstack(&s, NULL) == 0)
        (void)pthread_setspecific(stacks, stack);
}

void leat_coded_ends_mark(_Atomic int *at)
{
    if (at != NULL)
        give_stack();
    mark = at;
}
