/* minimise.c - leaves out commands, faults and time as long as the same invariant breaks. Commands
 * and faults have numbers that do not depend on what is left out before a run, so a set of numbers
 * and a seed are a history. */
#include <stdlib.h>
#include <string.h>

#include "run.h"

struct search {
    struct sim_options *o;
    struct sim_result *r; /* of the smallest one so far */
    double until;
};

static bool breaks(struct search *s, const struct sim_options *o)
{
    struct sim_result r;
    if (sim_seconds() > s->until)
        return false;
    sim_run_once(o, &r);
    if (!r.failed || strcmp(r.invariant, s->r->invariant) != 0)
        return false;
    *s->r = r;
    return true;
}

/* ---- kinds of faults, commands from the end, time ---- */

static void fewer_kinds(struct search *s)
{
    for (uint32_t f = 1; f <= SIM_FAULT_RECREATE; f <<= 1) {
        struct sim_options o = *s->o;
        o.faults &= ~f;
        if (o.faults != s->o->faults && breaks(s, &o))
            *s->o = o;
    }
}

static void less_time(struct search *s)
{
    int64_t low = 0, high = s->o->quiet_us;
    for (int i = 0; i < 8 && high - low > SIM_SECOND / 10; i++) {
        struct sim_options o = *s->o;
        o.quiet_us = low + (high - low) / 2;
        if (breaks(s, &o)) {
            *s->o = o;
            high = o.quiet_us;
        } else {
            low = o.quiet_us;
        }
    }
}

/* ---- one by one, in shrinking chunks (delta debugging) ---- */

static bool leave_out(struct search *s, uint8_t *set, size_t from, size_t n)
{
    uint8_t before[SIM_SET_MAX];
    bool any = false;
    memcpy(before, set, sizeof before);
    for (size_t i = from; i < from + n; i++) {
        any |= !set[i];
        set[i] = 1;
    }
    if (any && breaks(s, s->o))
        return true;
    memcpy(set, before, sizeof before);
    return false;
}

static void fewer(struct search *s, uint8_t *set, size_t n)
{
    if (n > SIM_SET_MAX)
        n = SIM_SET_MAX;
    for (size_t chunk = n; chunk > 0 && sim_seconds() < s->until; chunk /= 2) {
        for (size_t from = 0; from < n; from += chunk)
            (void)leave_out(s, set, from, chunk < n - from ? chunk : n - from);
    }
}

static void cut_commands(struct search *s, uint8_t *set)
{
    struct sim_options o = *s->o;
    while (o.commands > 1 && set[o.commands - 1])
        o.commands--;
    if (o.commands == s->o->commands || !breaks(s, &o))
        return;
    memset(set + o.commands, 0, (size_t)(s->o->commands - o.commands));
    *s->o = o;
}

void sim_minimise(struct sim_options *o, struct sim_result *r, double seconds_max)
{
    static uint8_t commands[SIM_SET_MAX], faults[SIM_SET_MAX];
    struct search s = {.o = o, .r = r, .until = sim_seconds() + seconds_max};
    memset(commands, 0, sizeof commands);
    memset(faults, 0, sizeof faults);
    if (o->no_command != NULL)
        memcpy(commands, o->no_command, sizeof commands);
    if (o->no_fault != NULL)
        memcpy(faults, o->no_fault, sizeof faults);
    o->no_command = commands;
    o->no_fault = faults;
    uint64_t before;
    do {
        before = r->steps;
        fewer_kinds(&s);
        less_time(&s);
        fewer(&s, commands, (size_t)o->commands);
        fewer(&s, faults, r->faults);
        cut_commands(&s, commands);
    } while (r->steps < before && sim_seconds() < s.until);
    sim_run_once(o, r);
}
