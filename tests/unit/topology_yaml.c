#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "topology/topology.h"

#define HEAD "leat: 1\nname: t\npartitions: 3\nkafka: {bootstrap.servers: k}\n"

static leat_status load(const char *yaml, struct leat_topology **t, struct leat_buf *text)
{
    struct leat_report report = {0};
    struct leat_error err = {0};
    leat_status status =
        leat_topology_load_text("/tmp/t.yaml", leat_str_of(yaml), false, t, &report, &err);
    leat_report_text(&report, text);
    leat_buf_putc(text, '\0');
    leat_report_done(&report);
    return status;
}

static void expect_findings(const char *yaml, const char *want)
{
    struct leat_topology *t = NULL;
    struct leat_buf text;
    leat_buf_init(&text, 100000);
    (void)load(yaml, &t, &text);
    cr_expect_str_eq(text.at, want);
    leat_topology_free(t);
    leat_buf_done(&text);
}

static struct leat_topology *load_ok(const char *yaml)
{
    struct leat_topology *t = NULL;
    struct leat_buf text;
    leat_buf_init(&text, 100000);
    cr_assert_eq(load(yaml, &t, &text), LEAT_OK, "%s", text.at);
    leat_buf_done(&text);
    return t;
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    cr_assert_not_null(f);
    (void)fputs(text, f);
    (void)fclose(f);
}

Test(variables, are_replaced_in_values_after_parsing)
{
    setenv("T_URL", "postgresql://u:p@h/d: x # no structure", 1);
    setenv("T_EMPTY", "", 1);
    unsetenv("T_UNSET");
    struct leat_topology *t = load_ok(HEAD "store: {url: \"${T_URL}\", schema: \"${T_EMPTY:-s_${T_"
                                           "UNSET:-x}}\"}\n"
                                           "processors: {p: {commands: [C], options: {price: "
                                           "\"$$${T_UNSET:-5}\", path: $.field}}}\n");
    cr_expect_str_eq(t->store.url, "postgresql://u:p@h/d: x # no structure");
    cr_expect_str_eq(t->store.schema, "s_x");
    cr_expect_str_eq(leat_props_get(&t->processors[0].options, "price", ""), "$5");
    cr_expect_str_eq(leat_props_get(&t->processors[0].options, "path", ""), "$.field");
    leat_topology_free(t);
}

Test(variables, unset_malformed_and_demanded)
{
    unsetenv("T_UNSET");
    expect_findings(HEAD "store: {url: \"${T_UNSET}${T_UNSET:?say where}${1x}${T_UNSET\"}\n",
                    "/tmp/t.yaml:5:14: error: ${T_UNSET}: not set in the environment "
                    "(${T_UNSET:-value} gives a default)\n"
                    "/tmp/t.yaml:5:14: error: ${T_UNSET} is not set: say where\n"
                    "/tmp/t.yaml:5:14: error: ${1x}: not a variable; $$ is a dollar sign\n"
                    "/tmp/t.yaml:5:14: error: ${T_UNSET}: no closing '}'\n");
}

Test(variables, a_secret_is_never_quoted)
{
    setenv("T_SECRET", "hunter2", 1);
    expect_findings(HEAD "store: {url: x, keep_commands: \"${T_SECRET}\"}\n",
                    "/tmp/t.yaml:5:32: error: store.keep_commands: '${T_SECRET}' is not a duration "
                    "(such as 500ms, 5s, 1m, 2h or 30d)\n");
}

Test(variables, files_hold_secrets_and_lose_their_last_line_break)
{
    write_file("/tmp/leat_unit_secret", "s3cret\n");
    struct leat_topology *t =
        load_ok("leat: 1\nname: t\npartitions: 3\nstore: {url: x}\n"
                "kafka: {bootstrap.servers: k, sasl.password: \"${file:/tmp/leat_unit_secret}\", "
                "ssl.ca.location: \"${file:/tmp/leat_unit_none:-}\"}\n");
    cr_expect_str_eq(leat_props_get(&t->kafka.common, "sasl.password", ""), "s3cret");
    cr_expect_null(leat_props_get(&t->kafka.common, "ssl.ca.location", NULL));
    leat_topology_free(t);
    (void)unlink("/tmp/leat_unit_secret");
}

Test(yaml, anchors_aliases_and_merge_keys)
{
    struct leat_topology *t =
        load_ok(HEAD "x-base: &base {timeout: 7s, threads: 2}\nx-more: &more {threads: 9, "
                     "module: m}\n"
                     "store: {url: x}\n"
                     "processors:\n"
                     "  p: {<<: *base, commands: &c [C], threads: 1}\n"
                     "  q: {<<: [*base, *more], commands: [D]}\n");
    cr_expect_eq(t->processors[0].timeout_ms, 7000);
    cr_expect_eq(t->processors[0].threads, 1, "what the map says itself wins");
    cr_expect_eq(t->processors[1].threads, 2, "then what is merged first");
    cr_expect_str_eq(t->processors[1].module, "m");
    leat_topology_free(t);
}

Test(yaml, mistakes_have_their_place)
{
    expect_findings("a: [1, 2\nb: 3\n",
                    "/tmp/t.yaml:3:1: error: not YAML: flow sequence without a closing bracket\n");
    expect_findings("", "/tmp/t.yaml:1:1: error: empty file\n");
    expect_findings("- a\n", "/tmp/t.yaml:1:1: error: the file must hold keys and values (key: "
                             "value)\n");
    expect_findings(HEAD "store: {url: x, url: y}\n",
                    "/tmp/t.yaml:5:17: error: key 'url' is given twice\n");
    expect_findings(HEAD "store: {url: *nowhere}\n",
                    "/tmp/t.yaml:5:15: error: no anchor '&nowhere' before this\n");
    expect_findings(HEAD "store: &s {url: x, y: *s}\n",
                    "/tmp/t.yaml:5:20: error: unknown key 'y' in store (there are url, schema, "
                    "keep_commands, keep_dead_letters, prepare, replicas, shards)\n"
                    "/tmp/t.yaml:5:24: error: no anchor '&s' before this\n");
}

Test(yaml, bombs_are_refused, .timeout = 10)
{
    char text[4096];
    size_t n = (size_t)snprintf(text, sizeof text, "l0: &l0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 12; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "l%d: &l%d [*l%d,*l%d,*l%d,*l%d,*l%d,*l%d,*l%d,*l%d]\n", i, i, i - 1,
                              i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    expect_findings(text, "/tmp/t.yaml:6:9: error: aliases stand for more than 200000 values\n");
    memset(text, '[', 3000);
    text[3000] = '\0';
    expect_findings(text, "/tmp/t.yaml:1:25: error: nested more than 24 deep\n");
}

Test(include, merges_under_what_the_file_says)
{
    (void)mkdir("/tmp/leat_unit_include", 0755);
    write_file("/tmp/leat_unit_include/base.yaml",
               "include: more.yaml\nstore: {url: base, keep_commands: 5d}\n"
               "processors: {p: {commands: [C], timeout: 9s}}\n");
    write_file("/tmp/leat_unit_include/more.yaml", "store: {prepare: true, keep_commands: 9d}\n");
    write_file("/tmp/leat_unit_include/t.yaml",
               HEAD "include: [base.yaml]\nstore: {url: mine}\nprocessors: {p: {timeout: 1s}}\n");
    struct leat_topology *t = NULL;
    struct leat_report report = {0};
    struct leat_error err = {0};
    leat_status status = leat_topology_load("/tmp/leat_unit_include/t.yaml", &t, &report, &err);
    cr_assert_eq(status, LEAT_OK, "%s", err.msg);
    cr_expect_str_eq(t->store.url, "mine");
    cr_expect_eq(t->store.keep_commands_ms, INT64_C(432000000));
    cr_expect(t->store.prepare);
    cr_expect_eq(t->processors[0].timeout_ms, 1000);
    cr_expect_eq(t->processors[0].commands.n, 1);
    leat_topology_free(t);
    leat_report_done(&report);
}

Test(include, circles_and_absent_files_are_mistakes)
{
    (void)mkdir("/tmp/leat_unit_circle", 0755);
    write_file("/tmp/leat_unit_circle/a.yaml", "include: [a.yaml]\n");
    struct leat_topology *t = NULL;
    struct leat_report report = {0};
    struct leat_error err = {0};
    cr_expect_eq(leat_topology_load("/tmp/leat_unit_circle/a.yaml", &t, &report, &err),
                 LEAT_INVALID);
    cr_expect_str_eq(report.findings[0].message,
                     "includes go round: /tmp/leat_unit_circle/a.yaml -> "
                     "/tmp/leat_unit_circle/a.yaml");
    leat_report_done(&report);
}

Test(include, an_absent_file_is_a_mistake_at_its_place)
{
    expect_findings(HEAD "store: {url: x}\ninclude: leat_unit_none.yaml\n",
                    "/tmp/t.yaml:6:10: error: could not read '/tmp/leat_unit_none.yaml': No such "
                    "file or directory\n");
}
