/* uses: base topology codec kafka store redis guard web auth worker relay projection query cli */
/* Any bytes as a *_test.yaml of a small topology: cases that would run, or findings with a place,
 * never a crash and never a case without a processor. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/test_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses a buffer of its reader in some texts it refuses. Of good ones the unit
 * tests see what is lost. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so";
}

static const char topology_text[] =
    "leat: 1\n"
    "name: t\n"
    "partitions: 2\n"
    "kafka: {bootstrap.servers: 127.0.0.1:1}\n"
    "store: {url: 'postgresql:///t'}\n"
    "priorities: {hot: {weight: 3}, all: {weight: 1, default: true}}\n"
    "aggregates: {order: {key: order_id, state: OrderState}}\n"
    "processors:\n"
    "  orders: {aggregate: order, commands: [Place], emits: [Placed], sends: [Pay]}\n"
    "  payments: {aggregate: order, commands: [Pay], emits: [Paid]}\n"
    "  checkout: {events: [Placed, Paid], sends: [Pay]}\n";

#define FIELDS                                                                                     \
    "{\"name\":\"order_id\",\"type\":\"string\"},"                                                 \
    "{\"name\":\"cents\",\"type\":\"long\",\"default\":0},"                                        \
    "{\"name\":\"lines\",\"type\":{\"type\":\"array\",\"items\":\"string\"},\"default\":[]}"

static struct leat_test_env env;
static int file = -1;
static char path[64];

static void set_up(void)
{
    static const char *const types[] = {"OrderState", "Place", "Placed", "Pay", "Paid"};
    struct leat_report report = {0};
    struct leat_error err = {0};
    struct leat_topology *t = NULL;
    struct leat_schemas *s = leat_schemas_new();
    if (leat_topology_load_text("t.yaml", leat_str_of(topology_text), false, &t, &report, &err) !=
        LEAT_OK)
        abort();
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        char text[512];
        (void)snprintf(text, sizeof text, "{\"type\":\"record\",\"name\":\"%s\",\"fields\":[%s]}",
                       types[i], FIELDS);
        if (leat_schemas_put(s, (int32_t)i + 1, leat_str_of(types[i]), leat_str_of(text), &err) !=
            LEAT_OK)
            abort();
    }
    leat_report_done(&report);
    env = (struct leat_test_env){.topology = t, .schemas = s, .arena = leat_arena_new(65536, 0)};
    file = memfd_create("test_yaml", 0);
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    if (file < 0)
        abort();
}

static void check_cases(const struct leat_test_file *found)
{
    for (uint32_t i = 0; i < found->n; i++) {
        const struct leat_test_case *c = &found->cases[i];
        if (c->processor == NULL || c->n_when == 0)
            abort();
        for (uint32_t j = 0; j < c->n_when; j++) {
            if (c->when[j].type.len == 0)
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct leat_report report = {0};
    struct leat_error err = {0};
    struct leat_test_file found = {0};
    if (file < 0)
        set_up();
    if (n > 65536 || ftruncate(file, 0) != 0 || pwrite(file, bytes, n, 0) != (ssize_t)n)
        return 0;
    leat_arena_reset(env.arena);
    leat_status status = leat_test_file_read(&env, path, n % 2 == 0, &report, &found, &err);
    if (status == LEAT_OK && report.errors == 0 && !found.foreign)
        check_cases(&found);
    if (status != LEAT_OK && err.msg[0] == 0)
        abort();
    for (size_t i = 0; i < report.n; i++) {
        if (report.findings[i].message[0] == 0)
            abort();
    }
    leat_report_done(&report);
    return 0;
}
