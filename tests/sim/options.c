/* options.c - the options of a run as text: a failure prints them, a seed file keeps them. */
#include <stdlib.h>
#include <string.h>

#include "run.h"

void sim_options_init(struct sim_options *o)
{
    *o = (struct sim_options){.seed = 1,
                              .faults = SIM_FAULT_ALL,
                              .commands = 250,
                              .busy_us = 30 * SIM_SECOND,
                              .quiet_us = 30 * SIM_SECOND,
                              .deadline_us = 110 * SIM_SECOND};
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

/* "0-3,7": into one of two sets, which live as long as the program. */
static bool parse_set(const char *list, uint8_t *set, const uint8_t **ret)
{
    memset(set, 0, SIM_SET_MAX);
    while (*list != '\0') {
        char *end = NULL;
        long from = strtol(list, &end, 10), to = from;
        if (end == list)
            return false;
        if (*end == '-') {
            list = end + 1;
            to = strtol(list, &end, 10);
            if (end == list)
                return false;
        }
        if (from < 0 || to < from || to >= SIM_SET_MAX || (*end != ',' && *end != '\0'))
            return false;
        memset(set + from, 1, (size_t)(to - from) + 1);
        list = end + (*end == ',');
    }
    *ret = set;
    return true;
}

static bool parse_seconds(const char *text, int64_t *ret_us)
{
    char *end = NULL;
    double s = strtod(text, &end);
    if (end == text || *end != '\0' || s < 0 || s > 10000)
        return false;
    *ret_us = (int64_t)(s * 1e6 + 0.5);
    return true;
}

static bool parse_number(const char *text, uint64_t max, uint64_t *ret)
{
    char *end = NULL;
    unsigned long long n = strtoull(text, &end, 10);
    if (end == text || *end != '\0' || n > max)
        return false;
    *ret = n;
    return true;
}

bool sim_option_take(struct sim_options *o, const char *name, const char *value)
{
    static uint8_t commands[SIM_SET_MAX], faults[SIM_SET_MAX];
    uint64_t n = 0;
    if (strcmp(name, "seed") == 0)
        return parse_number(value, UINT64_MAX, &o->seed);
    if (strcmp(name, "commands") == 0) {
        bool ok = parse_number(value, 2000, &n) && n > 0;
        o->commands = ok ? (int32_t)n : o->commands;
        return ok;
    }
    if (strcmp(name, "faults") == 0)
        return parse_faults(value, &o->faults);
    if (strcmp(name, "plant") == 0) {
        o->plant = sim_plant_find(value);
        return o->plant != NULL;
    }
    if (strcmp(name, "quiet-after") == 0)
        return parse_seconds(value, &o->quiet_us);
    if (strcmp(name, "without-commands") == 0)
        return parse_set(value, commands, &o->no_command);
    if (strcmp(name, "without-faults") == 0)
        return parse_set(value, faults, &o->no_fault);
    return false;
}

bool sim_options_parse(struct sim_options *o, char *line)
{
    char *rest = NULL;
    for (char *word = strtok_r(line, " \t\n", &rest); word != NULL && word[0] != '#';
         word = strtok_r(NULL, " \t\n", &rest)) {
        char *value = strtok_r(NULL, " \t\n", &rest);
        if (strncmp(word, "--", 2) != 0 || value == NULL || !sim_option_take(o, word + 2, value))
            return false;
    }
    return true;
}

/* ---- printing ---- */

static void print_faults(FILE *to, uint32_t faults)
{
    const char *comma = "";
    (void)fputs(" --faults ", to);
    if (faults == 0 || faults == SIM_FAULT_ALL) {
        (void)fputs(faults == 0 ? "none" : "all", to);
        return;
    }
    for (uint32_t f = 1; f <= SIM_FAULT_RECREATE; f <<= 1) {
        if ((faults & f) == 0)
            continue;
        (void)fprintf(to, "%s%s", comma, sim_fault_name((sim_fault)f));
        comma = ",";
    }
}

static void print_set(FILE *to, const char *name, const uint8_t *set)
{
    const char *comma = "";
    if (set == NULL || memchr(set, 1, SIM_SET_MAX) == NULL)
        return;
    (void)fprintf(to, " --%s ", name);
    for (int i = 0; i < SIM_SET_MAX; i++) {
        int last = i;
        if (!set[i])
            continue;
        while (last + 1 < SIM_SET_MAX && set[last + 1])
            last++;
        (void)fprintf(to, last > i ? "%s%d-%d" : "%s%d", comma, i, last);
        comma = ",";
        i = last;
    }
}

void sim_options_print(FILE *to, const struct sim_options *o)
{
    (void)fprintf(to, "--seed %llu --commands %d", (unsigned long long)o->seed, o->commands);
    print_faults(to, o->faults);
    if (o->quiet_us < o->busy_us)
        (void)fprintf(to, " --quiet-after %.6f", (double)o->quiet_us / 1e6);
    print_set(to, "without-commands", o->no_command);
    print_set(to, "without-faults", o->no_fault);
    if (o->plant != NULL)
        (void)fprintf(to, " --plant %s", o->plant->name);
}
