#include "run.h"

#include <string.h>
#include <time.h>

#include "check.h"
#include "cluster.h"

/* Until nothing is left to do, then what must hold. */
static void settle(struct sim *w, const struct sim_options *o)
{
    const char *left = check_unfinished(w);
    while (!w->failed && left != NULL && w->now_us < o->deadline_us) {
        sim_run(w, w->now_us + SIM_SECOND / 2);
        left = check_unfinished(w);
    }
    if (!w->failed && left != NULL) {
        sim_fail(w, "stuck", "%lld s after the last fault: %s",
                 (long long)((w->now_us - o->busy_us) / SIM_SECOND), left);
    }
    if (!w->failed)
        check_end(w);
}

void sim_run_once(const struct sim_options *o, struct sim_result *ret)
{
    struct sim w;
    sim_init(&w, o);
    sim_store_init(&w);
    sim_log_init(&w);
    check_init(&w);
    sim_groups_start(&w);
    sim_cluster_start(&w);
    sim_clients_start(&w);
    sim_run(&w, o->busy_us);
    w.quiet = true;
    if ((o->faults & SIM_FAULT_RECREATE) != 0) {
        sim_run(&w, o->busy_us + 20 * SIM_SECOND);
        check_recreated(&w);
    } else {
        settle(&w, o);
    }
    sim_cluster_stop(&w);
    *ret = (struct sim_result){.steps = w.steps,
                               .hash = w.hash,
                               .crashes = w.cluster->crashes,
                               .pauses = w.cluster->pauses,
                               .conflicts = w.store->conflicts,
                               .fenced = w.store->fenced,
                               .commands = (uint64_t)w.store->row_count,
                               .events = (uint64_t)w.store->event_count,
                               .faults = w.drawn,
                               .virtual_us = w.now_us,
                               .waited_us = w.check->waited_us,
                               .failed = w.failed};
    memcpy(ret->invariant, w.invariant, sizeof ret->invariant);
    memcpy(ret->why, w.why, sizeof ret->why);
    sim_done(&w);
}

double sim_seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}
