/* leat_sim - runs the protocol core under seeded crashes, pauses and lost messages.
 *
 *   leat_sim            what ./dev test runs: fixed, fresh and kept seeds, then every planted bug
 *   leat_sim --help     options
 *
 * Exit codes: 0 all held (--planted: every planted bug was found), 1 not, 2 usage. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "run.h"

#define PLANTED_SEEDS    600 /* a planted bug must be found within as many */
#define CONTROL_SEEDS    60  /* and a control must hold for as many */
#define MINIMISE_SECONDS 20
#define FAILURES_MAX     5
#define SEED_FILE        "tests/sim/seeds.txt"

struct settings {
    struct sim_options run;
    const char *name; /* of what is run, for the line of its result */
    uint64_t seeds, steps;
    double minutes;
    bool planted, minimise;
    const char *keep, *replay;
};

/* ---- one failure ---- */

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
                   "leat_sim: aborted in --seed %llu --commands %d --faults as given\n",
                   (unsigned long long)o->seed, o->commands);
}

static void keep(const char *path, const struct sim_options *o, const struct sim_result *r)
{
    FILE *f = fopen(path, "a");
    if (f == NULL) {
        printf("  not kept: %s: %s\n", path, strerror(errno));
        return;
    }
    sim_options_print(f, o);
    (void)fprintf(f, "  # %s\n", r->invariant);
    (void)fclose(f);
    printf("  kept in %s\n", path);
}

static void print_again(const struct sim_options *o)
{
    printf("  again with: leat_sim ");
    sim_options_print(stdout, o);
    printf(" --verbose\n");
    (void)fflush(stdout);
}

static void report(const struct settings *s, const struct sim_options *o, struct sim_result *r)
{
    printf("FAIL %s/seed-%llu: %s: %s\n", s->name, (unsigned long long)o->seed, r->invariant,
           r->why);
    printf("  after %llu steps, %.1f virtual seconds\n", (unsigned long long)r->steps,
           (double)r->virtual_us / 1e6);
    print_again(o);
    if (!s->minimise)
        return;
    struct sim_options least = *o;
    sim_minimise(&least, r, MINIMISE_SECONDS);
    printf("  minimised: %llu steps: %s: %s\n", (unsigned long long)r->steps, r->invariant, r->why);
    print_again(&least);
    if (s->keep != NULL)
        keep(s->keep, &least, r);
}

/* ---- many seeds ---- */

static void add(struct sim_result *sum, const struct sim_result *r)
{
    sum->steps += r->steps;
    sum->hash = sum->hash * 31 + r->hash;
    sum->crashes += r->crashes;
    sum->pauses += r->pauses;
    sum->conflicts += r->conflicts;
    sum->fenced += r->fenced;
    sum->commands += r->commands;
    sum->events += r->events;
    sum->faults += r->faults;
    sum->waited_us = r->waited_us > sum->waited_us ? r->waited_us : sum->waited_us;
}

static void print_sum(const struct settings *s, const struct sim_result *sum, uint64_t seeds,
                      uint64_t failures, double took)
{
    double rate = (double)sum->steps / (took > 0 ? took : 1);
    printf("{\"sim\":{\"run\":\"%s\",\"seed\":%llu,\"seeds\":%llu,\"failed\":%llu,\"steps\":%llu,"
           "\"steps_per_second\":%.0f,\"steps_per_minute\":%.0f,\"commands\":%llu,\"events\":%llu,"
           "\"faults\":%llu,\"crashes\":%llu,\"pauses\":%llu,\"conflicts\":%llu,\"fenced\":%llu,"
           "\"waited_ms\":%lld,\"history\":\"%016llx\"}}\n",
           s->name, (unsigned long long)s->run.seed, (unsigned long long)seeds,
           (unsigned long long)failures, (unsigned long long)sum->steps, rate, rate * 60,
           (unsigned long long)sum->commands, (unsigned long long)sum->events,
           (unsigned long long)sum->faults, (unsigned long long)sum->crashes,
           (unsigned long long)sum->pauses, (unsigned long long)sum->conflicts,
           (unsigned long long)sum->fenced, (long long)(sum->waited_us / SIM_MS),
           (unsigned long long)sum->hash);
    (void)fflush(stdout);
}

static int run_seeds(const struct settings *s)
{
    struct sim_options o = s->run;
    struct sim_result sum = {0};
    double start = sim_seconds();
    uint64_t seeds = 0, failures = 0;
    while (failures < FAILURES_MAX &&
           (seeds < s->seeds || sum.steps < s->steps || sim_seconds() - start < s->minutes * 60)) {
        struct sim_result r;
        note_seed(&o);
        sim_run_once(&o, &r);
        add(&sum, &r);
        if (r.failed) {
            report(s, &o, &r);
            failures++;
        }
        seeds++;
        o.seed++;
    }
    if (failures == 0)
        printf("ok %s: %llu seeds hold\n", s->name, (unsigned long long)seeds);
    print_sum(s, &sum, seeds, failures, sim_seconds() - start);
    return failures > 0 ? 1 : 0;
}

/* The same seed twice: a history that can not be repeated is no use. */
static int run_again(const struct settings *s)
{
    struct sim_result a, b;
    sim_run_once(&s->run, &a);
    sim_run_once(&s->run, &b);
    bool same = a.hash == b.hash && a.steps == b.steps;
    printf(same ? "ok again: seed %llu gives %016llx twice\n"
                : "FAIL again: seed %llu gives %016llx, then another history\n",
           (unsigned long long)s->run.seed, (unsigned long long)a.hash);
    return !same;
}

/* ---- planted bugs ---- */

static bool run_plant(const struct settings *s, const struct sim_plant *p)
{
    struct sim_options o = s->run;
    struct sim_result r = {0};
    uint64_t n = 0, most = sim_plant_holds(p) ? CONTROL_SEEDS : PLANTED_SEEDS;
    uint64_t first = o.seed;
    o.plant = p;
    o.faults = p->faults;
    for (; n < most && !r.failed; n++) {
        o.seed = p->seed == 0 ? first + n : n == 0 ? p->seed : first + n - 1;
        note_seed(&o);
        sim_run_once(&o, &r);
    }
    bool right = r.failed ? sim_plant_found_by(p, r.invariant) : sim_plant_holds(p);
    printf("%s planted/%s: entry %d, %s %llu seeds%s%s%s%s\n", right ? "ok" : "FAIL", p->name,
           p->entry, r.failed ? "found within" : "holds for", (unsigned long long)n,
           r.failed ? ": " : "", r.invariant, r.failed ? ": " : "", r.why);
    if (r.failed && n > 20)
        printf("  at seed %llu: plants.c may say so\n", (unsigned long long)o.seed);
    (void)fflush(stdout);
    return right;
}

static int run_planted(const struct settings *s)
{
    int wrong = 0;
    size_t cases = 0;
    /* Under a sanitizer a third of them will do: it looks for other things. */
    size_t step = getenv("LEAT_SIM_SHORT") != NULL ? 3 : 1;
    for (size_t i = 0; i < sim_plant_count; i++) {
        if (s->run.plant == NULL ? i % step != 0 : s->run.plant != &sim_plants[i])
            continue;
        wrong += !run_plant(s, &sim_plants[i]);
        cases++;
    }
    printf("{\"planted\":{\"cases\":%zu,\"wrong\":%d}}\n", cases, wrong);
    return wrong > 0 ? 1 : 0;
}

/* ---- kept seeds ---- */

/* A line with a plant must be found, any other must hold. */
static bool replay_line(const char *path, int number, char *line)
{
    struct sim_options o;
    struct sim_result r;
    sim_options_init(&o);
    if (!sim_options_parse(&o, line)) {
        printf("FAIL kept/%d: not understood: %s:%d\n", number, path, number);
        return false;
    }
    note_seed(&o);
    sim_run_once(&o, &r);
    bool right =
        r.failed ? o.plant != NULL && sim_plant_found_by(o.plant, r.invariant) : o.plant == NULL;
    printf("%s kept/%d: %s%s%s\n", right ? "ok" : "FAIL", number, r.failed ? r.invariant : "holds",
           r.failed ? ": " : "", r.why);
    return right;
}

static int replay(const char *path)
{
    char line[65536];
    int number = 0, wrong = 0;
    FILE *f = fopen(path, "r");
    if (f == NULL) {
        printf("FAIL kept: %s: %s\n", path, strerror(errno));
        return 1;
    }
    while (fgets(line, sizeof line, f) != NULL) {
        number++;
        if (line[strspn(line, " \t\n")] != '\0' && line[0] != '#')
            wrong += !replay_line(path, number, line);
    }
    (void)fclose(f);
    return wrong > 0;
}

/* ---- what ./dev test runs ---- */

static int run_test(const struct settings *given)
{
    struct settings s = *given, calm, recreate, fresh;
    bool short_run = getenv("LEAT_SIM_SHORT") != NULL;
    s.minimise = true;
    s.name = "fixed";
    s.seeds = short_run ? 30 : 120;
    calm = recreate = fresh = s;
    calm.name = "calm";
    calm.run.faults = 0;
    recreate.name = "recreate";
    recreate.run.faults = SIM_FAULT_RECREATE;
    calm.seeds = recreate.seeds = s.seeds / 3;
    fresh.name = "fresh";
    fresh.run.seed = (uint64_t)time(NULL) * 1000;
    fresh.seeds = s.seeds / 2;
    /* Not built yet, fixed seeds tell what holds: a store that goes back; and a person's cancel of
     * what is parked while its lane is not past its record: read again, it is handled after all
     * (leat_sim --seed 1795383111047 --seeds 1). */
    fresh.run.faults &= ~(unsigned)(SIM_FAULT_BACK | SIM_FAULT_PERSON);
    int failed = run_again(&s) | run_seeds(&calm) | run_seeds(&recreate) | run_seeds(&s);
    failed |= run_seeds(&fresh) | replay(SEED_FILE);
    return run_planted(&s) | failed;
}

/* ---- options ---- */

static int usage(FILE *to)
{
    (void)fputs(
        "usage: leat_sim [options]      without any: what ./dev test runs, from the project's "
        "root\n"
        "  --seed S               first seed (1)\n"
        "  --seeds N, --steps N, --minutes M   how long; default 100 seeds, 1 with --verbose\n"
        "  --commands N           how many clients send in each history (250)\n"
        "  --faults LIST          all, none or crash,pause,twin,cut,late,member,copy,stray,tail,\n"
        "                         odd,away,disk,clock,back,redis,kill,person; recreate by\n"
        "                         itself\n"
        "  --quiet-after S        no faults after S virtual seconds\n"
        "  --without-commands LIST, --without-faults LIST   numbers left out: 0-3,7\n"
        "  --plant NAME           takes a defence away; plants.c names them\n"
        "  --planted              runs all plants (or the one named) until each is found\n"
        "  --minimise             makes what fails smaller\n"
        "  --keep FILE            and appends it there\n"
        "  --replay FILE          runs what such a file keeps\n"
        "  --verbose              prints the history\n",
        to);
    return to == stdout ? 0 : 2;
}

static const struct option options[] = {
    {"seed", required_argument, NULL, 'o'},
    {"commands", required_argument, NULL, 'o'},
    {"faults", required_argument, NULL, 'o'},
    {"plant", required_argument, NULL, 'o'},
    {"quiet-after", required_argument, NULL, 'o'},
    {"without-commands", required_argument, NULL, 'o'},
    {"without-faults", required_argument, NULL, 'o'},
    {"seeds", required_argument, NULL, 'n'},
    {"steps", required_argument, NULL, 't'},
    {"minutes", required_argument, NULL, 'm'},
    {"keep", required_argument, NULL, 'k'},
    {"replay", required_argument, NULL, 'r'},
    {"planted", no_argument, NULL, 'P'},
    {"minimise", no_argument, NULL, 'M'},
    {"verbose", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool take_option(struct settings *s, int option, const char *name)
{
    switch (option) {
    case 'o':
        return sim_option_take(&s->run, name, optarg);
    case 'n':
        s->seeds = strtoull(optarg, NULL, 10);
        return s->seeds > 0;
    case 't':
        s->steps = strtoull(optarg, NULL, 10);
        return s->steps > 0;
    case 'm':
        s->minutes = strtod(optarg, NULL);
        return s->minutes > 0;
    case 'k':
        s->keep = optarg;
        s->minimise = true;
        return true;
    case 'r':
        s->replay = optarg;
        return true;
    case 'P':
        s->planted = true;
        return true;
    case 'M':
        s->minimise = true;
        return true;
    case 'v':
        s->run.verbose = true;
        return true;
    default:
        return false;
    }
}

int main(int argc, char **argv)
{
    struct settings s = {.name = "seeds"};
    int option, index = 0;
    sim_options_init(&s.run);
    while ((option = getopt_long(argc, argv, "", options, &index)) != -1) {
        if (option == 'h')
            return usage(stdout);
        if (!take_option(&s, option, option == '?' ? "" : options[index].name)) {
            if (option != '?') {
                (void)fprintf(stderr, "leat_sim: '%s' is no value for --%s\n", optarg,
                              options[index].name);
            }
            return usage(stderr);
        }
    }
    if (optind < argc) {
        (void)fprintf(stderr, "leat_sim: unexpected argument '%s'\n", argv[optind]);
        return usage(stderr);
    }
    (void)signal(SIGABRT, on_abort);
    if (argc == 1)
        return run_test(&s);
    if (s.replay != NULL)
        return replay(s.replay);
    if (s.seeds == 0 && s.steps == 0 && s.minutes <= 0)
        s.seeds = s.run.verbose || s.run.no_command != NULL || s.run.no_fault != NULL ? 1 : 100;
    return s.planted ? run_planted(&s) : run_seeds(&s);
}
