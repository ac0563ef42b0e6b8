/* leat_sim - runs the protocol core under seeded crashes, pauses and lost messages.
 *
 *   leat_sim                             what ./dev test runs: many seeds, then every planted bug
 *   leat_sim [--seed S] [--seeds N] [--steps N] [--minutes N] [--commands N] [--faults list]
 *            [--plant NAME] [--planted] [--verbose]
 *
 * Exit codes: 0 all held (--planted: every planted bug was found), 1 not, 2 usage. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "cluster.h"

#define PLANTED_SEEDS 400 /* a planted bug must be found within as many */
#define CONTROL_SEEDS 100 /* and a control must hold for as many */

struct run {
    uint64_t steps, hash, crashes, pauses, conflicts, fenced, commands, events;
    int64_t virtual_us;
    bool failed;
    char invariant[64], why[512];
};

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

static void run_once(const struct sim_options *o, struct run *ret)
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
    *ret = (struct run){.steps = w.steps,
                        .hash = w.hash,
                        .crashes = w.cluster->crashes,
                        .pauses = w.cluster->pauses,
                        .conflicts = w.store->conflicts,
                        .fenced = w.store->fenced,
                        .commands = (uint64_t)w.store->row_count,
                        .events = (uint64_t)w.store->event_count,
                        .virtual_us = w.now_us,
                        .failed = w.failed};
    memcpy(ret->invariant, w.invariant, sizeof ret->invariant);
    memcpy(ret->why, w.why, sizeof ret->why);
    sim_done(&w);
}

/* ---- options ---- */

struct settings {
    struct sim_options run;
    uint64_t seeds, steps;
    double minutes;
    bool planted, faults_set;
};

static int usage(const char *why)
{
    (void)fprintf(
        stderr,
        "leat_sim: %s\nusage: leat_sim [--seed S] [--seeds N] [--steps N] [--minutes N] "
        "[--commands N]\n                [--faults all|none|crash,pause,…] [--plant NAME] "
        "[--planted] [--verbose]\n",
        why);
    return 2;
}

static bool parse_faults(const char *list, uint32_t *ret)
{
    uint32_t bits = 0;
    if (strcmp(list, "none") == 0) {
        *ret = 0;
        return true;
    }
    while (*list != '\0') {
        size_t n = strcspn(list, ",");
        uint32_t found = 0;
        for (uint32_t f = 1; f <= SIM_FAULT_RECREATE; f <<= 1) {
            const char *name = sim_fault_name((sim_fault)f);
            if (strlen(name) == n && strncmp(name, list, n) == 0)
                found = f;
        }
        if (n == 3 && strncmp(list, "all", 3) == 0)
            found = SIM_FAULT_ALL;
        if (found == 0)
            return false;
        bits |= found;
        list += n + (list[n] == ',');
    }
    *ret = bits;
    return true;
}

static bool parse_plant(const char *name, sim_plant *ret)
{
    for (int p = 0; p < SIM_PLANTS; p++) {
        if (strcmp(name, sim_plant_name((sim_plant)p)) == 0) {
            *ret = (sim_plant)p;
            return true;
        }
    }
    return false;
}

static const struct option options[] = {
    {"seed", required_argument, NULL, 's'},
    {"seeds", required_argument, NULL, 'n'},
    {"steps", required_argument, NULL, 't'},
    {"minutes", required_argument, NULL, 'm'},
    {"commands", required_argument, NULL, 'c'},
    {"faults", required_argument, NULL, 'f'},
    {"plant", required_argument, NULL, 'p'},
    {"planted", no_argument, NULL, 'P'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool take_option(struct settings *s, int option)
{
    switch (option) {
    case 's':
        s->run.seed = strtoull(optarg, NULL, 10);
        return true;
    case 'n':
        s->seeds = strtoull(optarg, NULL, 10);
        return s->seeds > 0;
    case 't':
        s->steps = strtoull(optarg, NULL, 10);
        return s->steps > 0;
    case 'm':
        s->minutes = strtod(optarg, NULL);
        return s->minutes > 0;
    case 'c':
        s->run.commands = (int32_t)strtol(optarg, NULL, 10);
        return s->run.commands > 0 && s->run.commands <= 2000;
    case 'f':
        return parse_faults(optarg, &s->run.faults);
    case 'p':
        return parse_plant(optarg, &s->run.plant);
    case 'P':
        s->planted = true;
        return true;
    case 'v':
        s->run.verbose = true;
        return true;
    default:
        return false;
    }
}

/* ---- many seeds ---- */

static double seconds(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void print_faults(uint32_t faults)
{
    bool first = true;
    for (uint32_t f = 1; f <= SIM_FAULT_RECREATE; f <<= 1) {
        if ((faults & f) != 0) {
            printf("%s%s", first ? "" : ",", sim_fault_name((sim_fault)f));
            first = false;
        }
    }
    if (first)
        printf("none");
}

static void print_failure(const struct sim_options *o, const struct run *r)
{
    printf("FAIL seed-%llu: %s: %s\n", (unsigned long long)o->seed, r->invariant, r->why);
    printf(
        "  after %llu steps, %.1f virtual seconds; again with: leat_sim --seed %llu --commands %d "
        "--faults ",
        (unsigned long long)r->steps, (double)r->virtual_us / 1e6, (unsigned long long)o->seed,
        o->commands);
    print_faults(o->faults);
    if (o->plant != SIM_PLANT_NONE)
        printf(" --plant %s", sim_plant_name(o->plant));
    printf(" --verbose\n");
}

/* If an assertion in the core ends the program, the seed must not be lost with it. */
static char abort_note[160];

static void on_abort(int signal_number)
{
    (void)signal_number;
    ssize_t n = write(STDOUT_FILENO, abort_note, strnlen(abort_note, sizeof abort_note));
    (void)n;
}

static void note_seed(const struct sim_options *o)
{
    (void)snprintf(abort_note, sizeof abort_note,
                   "leat_sim: aborted in --seed %llu --commands %d\n", (unsigned long long)o->seed,
                   o->commands);
}

static int run_seeds(const struct settings *s)
{
    struct sim_options o = s->run;
    struct run sum = {0};
    double start = seconds();
    uint64_t seeds = 0, failures = 0;
    while (seeds < s->seeds || sum.steps < s->steps || seconds() - start < s->minutes * 60) {
        struct run r;
        note_seed(&o);
        run_once(&o, &r);
        if (r.failed) {
            print_failure(&o, &r);
            failures++;
        }
        sum.steps += r.steps;
        sum.hash = sum.hash * 31 + r.hash;
        sum.crashes += r.crashes;
        sum.pauses += r.pauses;
        sum.conflicts += r.conflicts;
        sum.fenced += r.fenced;
        sum.commands += r.commands;
        sum.events += r.events;
        seeds++;
        o.seed++;
        if (failures >= 5)
            break;
    }
    double took = seconds() - start;
    if (failures == 0) {
        printf("ok %s: %llu seeds hold\n",
               o.faults == 0                    ? "calm"
               : o.faults == SIM_FAULT_RECREATE ? "recreate"
                                                : "seeds",
               (unsigned long long)seeds);
    }
    printf("{\"sim\":{\"seed\":%llu,\"seeds\":%llu,\"failed\":%llu,\"steps\":%llu,"
           "\"steps_per_minute\":%.0f,\"commands\":%llu,\"events\":%llu,\"crashes\":%llu,"
           "\"pauses\":%llu,\"conflicts\":%llu,\"fenced\":%llu,\"history\":\"%016llx\"}}\n",
           (unsigned long long)s->run.seed, (unsigned long long)seeds, (unsigned long long)failures,
           (unsigned long long)sum.steps, (double)sum.steps * 60 / (took > 0 ? took : 1),
           (unsigned long long)sum.commands, (unsigned long long)sum.events,
           (unsigned long long)sum.crashes, (unsigned long long)sum.pauses,
           (unsigned long long)sum.conflicts, (unsigned long long)sum.fenced,
           (unsigned long long)sum.hash);
    return failures > 0 ? 1 : 0;
}

static int run_planted(const struct settings *s)
{
    int wrong = 0;
    for (int p = SIM_PLANT_NONE + 1; p < SIM_PLANTS; p++) {
        struct sim_options o = s->run;
        struct run r = {0};
        uint64_t n = 0;
        o.plant = (sim_plant)p;
        o.faults = sim_plant_faults(o.plant);
        uint64_t most = sim_plant_holds(o.plant) ? CONTROL_SEEDS : PLANTED_SEEDS;
        while (n < most && !r.failed) {
            note_seed(&o);
            run_once(&o, &r);
            n++;
            o.seed++;
        }
        bool right = r.failed != sim_plant_holds(o.plant);
        printf("%s planted/%s: %s %llu seeds%s%s%s%s\n", right ? "ok" : "FAIL",
               sim_plant_name(o.plant), r.failed ? "found within" : "holds for",
               (unsigned long long)n, r.failed ? ": " : "", r.invariant, r.failed ? ": " : "",
               r.why);
        wrong += !right;
    }
    printf("{\"planted\":{\"cases\":%d,\"wrong\":%d}}\n", SIM_PLANTS - 1, wrong);
    return wrong > 0 ? 1 : 0;
}

int main(int argc, char **argv)
{
    struct settings s = {.run = {.seed = 1,
                                 .faults = SIM_FAULT_ALL,
                                 .commands = 250,
                                 .busy_us = 30 * SIM_SECOND,
                                 .deadline_us = 200 * SIM_SECOND}};
    int option;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (!take_option(&s, option))
            return usage(option == 'h' ? "seeded simulation of the protocol" : "bad argument");
    }
    if (optind < argc)
        return usage("unexpected argument");
    (void)signal(SIGABRT, on_abort);
    if (argc == 1) {
        s.seeds = getenv("LEAT_SIM_SHORT") != NULL ? 60 : 300;
        struct settings calm = s, recreate = s;
        calm.run.faults = 0;
        recreate.run.faults = SIM_FAULT_RECREATE;
        calm.seeds = recreate.seeds = s.seeds / 4;
        int failed = run_seeds(&calm) | run_seeds(&recreate) | run_seeds(&s);
        return run_planted(&s) | failed;
    }
    if (s.seeds == 0 && s.steps == 0 && s.minutes <= 0)
        s.seeds = s.run.verbose ? 1 : 100;
    return s.planted ? run_planted(&s) : run_seeds(&s);
}
