#include <criterion/criterion.h>
#include <stddef.h>
#include <stdlib.h>

#include "base/opt.h"
#include "base/suggest.h"
#include "base/units.h"
#include "base/utf8.h"

Test(utf8, a_line_is_valid_and_bounded)
{
    char to[12];
    leat_utf8_line(to, sizeof to, LEAT_STR("a\nb\xff\xc3\xa9"), "...");
    cr_expect_str_eq(to, "a?b?\xc3\xa9");
    leat_utf8_line(to, sizeof to, LEAT_STR("12345678901"), "");
    cr_expect_str_eq(to, "12345678901");
    leat_utf8_line(to, sizeof to, LEAT_STR("123456789012"), "...");
    cr_expect_str_eq(to, "12345678...");
    leat_utf8_line(to, 4, LEAT_STR("12\xc3\xa9"), "");
    cr_expect_str_eq(to, "12");
}

Test(units, durations_need_their_unit)
{
    int64_t ms = -1;
    cr_expect_eq(leat_parse_duration(LEAT_STR("5s"), &ms), LEAT_UNITS_OK);
    cr_expect_eq(ms, 5000);
    cr_expect_eq(leat_parse_duration(LEAT_STR("1h30m"), &ms), LEAT_UNITS_OK);
    cr_expect_eq(ms, 5400000);
    cr_expect_eq(leat_parse_duration(LEAT_STR("30d"), &ms), LEAT_UNITS_OK);
    cr_expect_eq(ms, INT64_C(2592000000));
    cr_expect_eq(leat_parse_duration(LEAT_STR("250ms"), &ms), LEAT_UNITS_OK);
    cr_expect_eq(ms, 250);
    cr_expect_eq(leat_parse_duration(LEAT_STR("30"), &ms), LEAT_UNITS_NO_UNIT);
    cr_expect_eq(leat_parse_duration(LEAT_STR("30x"), &ms), LEAT_UNITS_UNKNOWN);
    cr_expect_eq(leat_parse_duration(LEAT_STR("s"), &ms), LEAT_UNITS_MALFORMED);
    cr_expect_eq(leat_parse_duration(LEAT_STR(""), &ms), LEAT_UNITS_MALFORMED);
    cr_expect_eq(leat_parse_duration(LEAT_STR("99999999999999w"), &ms), LEAT_UNITS_TOO_LARGE);
    cr_expect_eq(ms, 250, "untouched on failure");
}

Test(units, sizes_and_whole_numbers)
{
    int64_t n = 0;
    cr_expect_eq(leat_parse_size(LEAT_STR("1MiB"), &n), LEAT_UNITS_OK);
    cr_expect_eq(n, 1048576);
    cr_expect_eq(leat_parse_size(LEAT_STR("2kB"), &n), LEAT_UNITS_OK);
    cr_expect_eq(n, 2000);
    cr_expect_eq(leat_parse_size(LEAT_STR("1024"), &n), LEAT_UNITS_NO_UNIT);
    cr_expect_eq(leat_parse_size(LEAT_STR("1KiB2B"), &n), LEAT_UNITS_MALFORMED);
    cr_expect_eq(leat_parse_int(LEAT_STR("-12"), &n), LEAT_UNITS_OK);
    cr_expect_eq(n, -12);
    cr_expect_eq(leat_parse_int(LEAT_STR("12x"), &n), LEAT_UNITS_MALFORMED);
    cr_expect_eq(leat_parse_int(LEAT_STR("9223372036854775808"), &n), LEAT_UNITS_TOO_LARGE);
    char text[LEAT_UNITS_TEXT];
    cr_expect_str_eq(leat_format_duration(90000, text), "90s");
    cr_expect_str_eq(leat_format_duration(0, text), "0s");
    cr_expect_str_eq(leat_format_size(1048576, text), "1MiB");
    cr_expect_str_eq(leat_format_size(1500, text), "1500B");
}

static struct leat_str nearest(const char *wrong)
{
    static const char *const names[] = {"check", "apply", "projection", "processor", "run", "-t"};
    struct leat_suggest s;
    leat_suggest_start(&s, leat_str_of(wrong));
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        leat_suggest_offer_cstr(&s, names[i]);
    return s.best;
}

Test(suggest, finds_what_was_meant_and_nothing_for_another_word)
{
    cr_expect(leat_str_eq(nearest("chekc"), LEAT_STR("check")));
    cr_expect(leat_str_eq(nearest("Apply"), LEAT_STR("apply")));
    cr_expect(leat_str_eq(nearest("procesors"), LEAT_STR("processor")));
    cr_expect(leat_str_eq(nearest("rnu"), LEAT_STR("run")));
    cr_expect_eq(nearest("telescope").len, 0);
    cr_expect_eq(nearest("").len, 0);
    cr_expect_eq(leat_edit_distance(LEAT_STR("ca"), LEAT_STR("ac"), 5), 1);
    cr_expect_eq(leat_edit_distance(LEAT_STR("kitten"), LEAT_STR("sitting"), 5), 3);
}

struct options {
    bool json;
    const char *topology;
    int64_t threads, wait_ms, body_bytes;
    struct leat_opt_list set;
};

static const struct leat_opt rows[] = {
    {"json", 'j', LEAT_OPT_FLAG, offsetof(struct options, json), NULL, NULL, NULL, 0, 0, "As JSON"},
    {"topology", 't', LEAT_OPT_STR, offsetof(struct options, topology), "FILE", "leat.yaml",
     "LEAT_TEST_TOPOLOGY", 0, 0, "Topology file"},
    {"threads", 0, LEAT_OPT_INT, offsetof(struct options, threads), "N", "4", NULL, 1, 64,
     "Executors"},
    {"wait", 'w', LEAT_OPT_DURATION, offsetof(struct options, wait_ms), "DURATION", NULL, NULL, 1,
     60000, "How long"},
    {"max-body", 0, LEAT_OPT_SIZE, offsetof(struct options, body_bytes), "SIZE", "1MiB", NULL, 0, 0,
     "Largest body"},
    {"set", 's', LEAT_OPT_LIST, offsetof(struct options, set), "K=V", NULL, NULL, 0, 0, "Values"},
};
static const struct leat_opt_spec spec = {
    "leat test [options] [ARG …]", "Tests options.", "Example: leat test a", LEAT_OPTS(rows), 0, 2};

#define PARSE(o, ...)                                                                              \
    char *argv[] = {(char[]){"test"}, __VA_ARGS__};                                                \
    struct leat_opt_result result = {-1, false};                                                   \
    struct leat_error err = {0};                                                                   \
    leat_status status =                                                                           \
        leat_opt_parse(&spec, (int)(sizeof argv / sizeof *argv), argv, (o), &result, &err)
#define WORD(literal) ((char[]){literal})

Test(opt, mixes_options_and_arguments)
{
    struct options o = {0};
    PARSE(&o, WORD("first"), WORD("-jt"), WORD("shop.yaml"), WORD("--wait=1m"), WORD("--set"),
          WORD("a=1"), WORD("-sb=2"), WORD("--"), WORD("--json"));
    cr_assert_eq(status, LEAT_OK, "%s", err.msg);
    cr_expect(o.json);
    cr_expect_str_eq(o.topology, "shop.yaml");
    cr_expect_eq(o.threads, 4);
    cr_expect_eq(o.wait_ms, 60000);
    cr_expect_eq(o.body_bytes, 1048576);
    cr_expect_eq(o.set.n, 2);
    cr_expect_str_eq(o.set.at[1], "b=2");
    cr_expect_eq(result.args, 2);
    cr_expect_str_eq(argv[1], "first");
    cr_expect_str_eq(argv[2], "--json");
}

Test(opt, environment_beats_the_default_and_the_flag_beats_both)
{
    struct options o = {0};
    setenv("LEAT_TEST_TOPOLOGY", "env.yaml", 1);
    PARSE(&o, WORD("--no-json"));
    cr_assert_eq(status, LEAT_OK);
    cr_expect_str_eq(o.topology, "env.yaml");
}

#define EXPECT_REFUSED(text, ...)                                                                  \
    do {                                                                                           \
        struct options o = {0};                                                                    \
        PARSE(&o, __VA_ARGS__);                                                                    \
        cr_expect_eq(status, LEAT_INVALID);                                                        \
        cr_expect_str_eq(err.msg, text);                                                           \
    } while (0)

Test(opt, errors_name_the_flag_and_what_is_allowed)
{
    EXPECT_REFUSED("unknown option '--topolgy', did you mean '--topology'?", WORD("--topolgy=x"));
    EXPECT_REFUSED("unknown option '-x'", WORD("-x"));
    EXPECT_REFUSED("--threads: 65 is out of range, allowed: 1 to 64", WORD("--threads=65"));
    EXPECT_REFUSED("--threads: 'x' is not a whole number", WORD("--threads"), WORD("x"));
    EXPECT_REFUSED("--wait: '5' is not a duration with its unit, such as 500ms, 5s or 1m",
                   WORD("--wait=5"));
    EXPECT_REFUSED("--wait needs a value (DURATION)", WORD("--wait"));
    EXPECT_REFUSED("unexpected argument 'c'", WORD("a"), WORD("b"), WORD("c"));
}

Test(opt, help_lists_every_option_with_default_range_and_variable)
{
    struct options o = {0};
    PARSE(&o, WORD("--threads=99"), WORD("--help"));
    cr_assert_eq(status, LEAT_OK);
    cr_assert(result.help);
    struct leat_buf b;
    leat_buf_init(&b, 10000);
    leat_opt_help(&spec, &b);
    leat_buf_putc(&b, '\0');
    cr_expect_str_eq(b.at, "Usage: leat test [options] [ARG …]\n"
                           "Tests options.\n"
                           "\n"
                           "Options:\n"
                           "  -j, --json              As JSON\n"
                           "  -t, --topology FILE     Topology file (default leat.yaml; "
                           "$LEAT_TEST_TOPOLOGY)\n"
                           "      --threads N         Executors (1 to 64; default 4)\n"
                           "  -w, --wait DURATION     How long (1ms to 1m)\n"
                           "      --max-body SIZE     Largest body (default 1MiB)\n"
                           "  -s, --set K=V           Values\n"
                           "  -h, --help              Show this text\n"
                           "\n"
                           "Example: leat test a\n");
    leat_buf_done(&b);
}
