#include "worker/running.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/status.h"

#define ALT_STACK_BYTES ((size_t)64 * 1024)

static struct leat_running_table *table;             /* of this process; NULL: nobody watches */
static _Thread_local struct leat_running_slot *mine; /* while this thread is in a call */
static _Thread_local bool prepared;                  /* this thread has its other stack */
static pthread_key_t stack_key;

static const int fatal_signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
#define FATAL_SIGNALS (sizeof fatal_signals / sizeof fatal_signals[0])
static struct sigaction before[FATAL_SIGNALS];

/* ---- a crash ---- */

/* Somebody's `kill -ABRT` is no crash of the message that happens to run. */
static bool is_own(const siginfo_t *info)
{
    return info->si_code > 0 || info->si_pid == getpid();
}

/* A fault comes again when its instruction does; what was raised has to be raised again. Then the
 * process ends as it would have without us, with its core. */
static void on_fatal(int sig, siginfo_t *info, void *context)
{
    struct leat_running_slot *slot = mine;
    (void)context;
    if (slot != NULL && (atomic_load_explicit(&slot->turn, memory_order_relaxed) & 1) != 0 &&
        is_own(info))
        atomic_store_explicit(&slot->verdict, sig, memory_order_release);
    for (size_t i = 0; i < FATAL_SIGNALS; i++) {
        if (fatal_signals[i] == sig)
            (void)sigaction(sig, &before[i], NULL);
    }
    if (info->si_code <= 0 || sig == SIGSYS || sig == SIGTRAP)
        (void)raise(sig);
}

/* exit() runs this on the thread that called it. */
static void on_exit_in_call(void)
{
    struct leat_running_slot *slot = mine;
    if (slot != NULL && (atomic_load_explicit(&slot->turn, memory_order_relaxed) & 1) != 0)
        atomic_store_explicit(&slot->verdict, LEAT_RUNNING_EXITED, memory_order_release);
}

static void stack_free(void *stack)
{
    stack_t none = {.ss_flags = SS_DISABLE};
    (void)sigaltstack(&none, NULL);
    (void)munmap(stack, ALT_STACK_BYTES);
}

/* A stack that has overflowed can't run the signal's handler. Without another one the crash is a
 * crash all the same, only that nothing is marked. */
static void prepare_thread(void)
{
    prepared = true;
    void *stack = mmap(NULL, ALT_STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return;
    stack_t alt = {.ss_sp = stack, .ss_size = ALT_STACK_BYTES};
    if (sigaltstack(&alt, NULL) != 0 || pthread_setspecific(stack_key, stack) != 0)
        stack_free(stack);
}

void leat_running_start(struct leat_running_table *t)
{
    struct sigaction action = {.sa_sigaction = on_fatal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    (void)sigemptyset(&action.sa_mask);
    int failed = pthread_key_create(&stack_key, stack_free);
    leat_assert(table == NULL && failed == 0);
    for (size_t i = 0; i < FATAL_SIGNALS; i++)
        (void)sigaction(fatal_signals[i], &action, &before[i]); /* fails for no valid signal */
    (void)atexit(on_exit_in_call);
    table = t;
}

/* ---- calls ---- */

static void put_text(char *to, size_t room, struct leat_str text)
{
    size_t n = text.len < room - 1 ? text.len : room - 1;
    if (n > 0)
        memcpy(to, text.at, n);
    to[n] = '\0';
}

struct leat_running_slot *leat_running_slot(struct leat_str processor, int32_t version,
                                            int64_t timeout_ms)
{
    if (table == NULL)
        return NULL;
    uint32_t i = atomic_fetch_add(&table->used, 1);
    if (i >= LEAT_RUNNING_SLOTS)
        return NULL;
    struct leat_running *what = &table->slots[i].what;
    put_text(what->processor, sizeof what->processor, processor);
    what->version = version;
    what->timeout_ms = timeout_ms;
    return &table->slots[i];
}

void leat_running_enter(struct leat_running_slot *slot, const struct leat_running_call *call)
{
    static _Thread_local struct leat_running_slot *last_slot;
    static _Thread_local const char *last_topic;
    if (slot == NULL)
        return;
    if (!prepared)
        prepare_thread();
    struct leat_running *what = &slot->what;
    if (last_topic != call->topic || last_slot != slot) {
        put_text(what->topic, sizeof what->topic, leat_str_of(call->topic));
        last_topic = call->topic;
        last_slot = slot;
    }
    put_text(what->type, sizeof what->type, call->type);
    what->key_bytes = call->key.len < sizeof what->key ? call->key.len : sizeof what->key;
    if (what->key_bytes > 0)
        memcpy(what->key, call->key.at, what->key_bytes);
    what->k = call->k;
    what->offset = call->offset;
    what->id = *call->id;
    uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_relaxed);
    mine = slot;
    atomic_store_explicit(&slot->turn, turn + 1, memory_order_release);
}

void leat_running_leave(struct leat_running_slot *slot)
{
    if (slot == NULL)
        return;
    uint64_t turn = atomic_load_explicit(&slot->turn, memory_order_relaxed);
    atomic_store_explicit(&slot->turn, turn + 1, memory_order_release);
    mine = NULL;
}
