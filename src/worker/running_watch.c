/* The supervisor's side of running.h. */
#include <signal.h>
#include <stddef.h>

#include "worker/running.h"

static uint32_t used(const struct leat_running_table *t)
{
    uint32_t n = atomic_load_explicit(&t->used, memory_order_acquire);
    return n < LEAT_RUNNING_SLOTS ? n : LEAT_RUNNING_SLOTS;
}

static uint64_t turn_of(const struct leat_running_table *t, uint32_t i)
{
    return atomic_load_explicit(&t->slots[i].turn, memory_order_acquire);
}

static bool goes_on(const struct leat_running_table *t, const struct leat_running_clock *c,
                    uint32_t i)
{
    uint64_t turn = turn_of(t, i);
    return (turn & 1) != 0 && turn == c->turn[i];
}

int32_t leat_running_tick(const struct leat_running_table *t, struct leat_running_clock *c,
                          int64_t ms, int64_t grace_ms)
{
    int32_t late = -1;
    for (uint32_t i = 0; i < used(t); i++) {
        if (!goes_on(t, c, i)) {
            c->turn[i] = turn_of(t, i);
            c->ran_ms[i] = 0;
            continue;
        }
        c->ran_ms[i] += ms;
        int64_t limit_ms = t->slots[i].what.timeout_ms;
        if (late < 0 && limit_ms > 0 && c->ran_ms[i] > limit_ms + grace_ms)
            late = (int32_t)i;
    }
    return late;
}

bool leat_running_busy(const struct leat_running_table *t, const struct leat_running_clock *c)
{
    for (uint32_t i = 0; i < used(t); i++) {
        if (goes_on(t, c, i))
            return true;
    }
    return false;
}

bool leat_running_hung(struct leat_running_table *t, const struct leat_running_clock *c,
                       int32_t slot)
{
    int32_t none = 0;
    return goes_on(t, c, (uint32_t)slot) &&
           atomic_compare_exchange_strong(&t->slots[slot].verdict, &none, LEAT_RUNNING_HUNG);
}

int32_t leat_running_evidence(const struct leat_running_table *t, uint32_t *at,
                              struct leat_running *ret)
{
    while (*at < used(t)) {
        const struct leat_running_slot *slot = &t->slots[(*at)++];
        int32_t verdict = atomic_load_explicit(&slot->verdict, memory_order_acquire);
        if (verdict == 0)
            continue;
        *ret = slot->what;
        return verdict;
    }
    return 0;
}

const char *leat_running_verdict_name(int32_t verdict)
{
    static const struct {
        int32_t verdict;
        const char *name;
    } names[] = {
        {SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},          {SIGFPE, "SIGFPE"},
        {SIGILL, "SIGILL"},   {SIGABRT, "SIGABRT"},        {SIGSYS, "SIGSYS"},
        {SIGTRAP, "SIGTRAP"}, {LEAT_RUNNING_HUNG, "hung"}, {LEAT_RUNNING_EXITED, "exit()"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (names[i].verdict == verdict)
            return names[i].name;
    }
    return "a signal";
}
