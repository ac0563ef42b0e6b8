#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"

static int read_end;

/* stderr becomes a pipe: what is logged can be read back. */
static void catch_stderr(void)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    cr_assert_geq(dup2(ends[1], STDERR_FILENO), 0);
    (void)close(ends[1]);
    read_end = ends[0];
}

static struct leat_str logged(void)
{
    static char text[65536];
    ssize_t n = read(read_end, text, sizeof text);
    cr_assert_gt(n, 0);
    return (struct leat_str){text, (uint32_t)n};
}

static void expect_member(struct leat_str line, const char *key, const char *want)
{
    struct leat_json_token t;
    struct leat_error err = {0};
    cr_assert_eq(leat_json_find(line, leat_str_of(key), &t, NULL, &err), LEAT_OK, "%s: %s", key,
                 err.msg);
    cr_expect(leat_json_token_is(&t, leat_str_of(want)), "%s is %.*s", key, LEAT_STR_FMT(t.text));
}

Test(log, a_line_is_one_json_object)
{
    catch_stderr();
    leat_log_set_format(LEAT_LOG_JSON);
    leat_log_set_process("worker-1");
    leat_log_kv(LEAT_LOG_WARN, "worker", "lane-paused",
                LEAT_LOG_FIELDS(LEAT_LOG_CSTR("processor", "a\"b\n"), LEAT_LOG_INT("k", 7)),
                "lane %d paused", 7);
    struct leat_str line = logged();
    cr_expect_eq(line.at[line.len - 1], '\n');
    expect_member(line, "level", "warn");
    expect_member(line, "process", "worker-1");
    expect_member(line, "area", "worker");
    expect_member(line, "event", "lane-paused");
    expect_member(line, "message", "lane 7 paused");
    expect_member(line, "processor", "a\"b\n");
    struct leat_json_token t;
    cr_expect_eq(leat_json_find(line, LEAT_STR("k"), &t, NULL, NULL), LEAT_OK);
    cr_expect_eq(t.integer, 7);
}

Test(log, a_line_too_long_is_still_an_object)
{
    static char big[10000];
    memset(big, 'x', sizeof big - 1);
    catch_stderr();
    leat_log_set_format(LEAT_LOG_JSON);
    leat_log_kv(LEAT_LOG_ERROR, "a", "b", LEAT_LOG_FIELDS(LEAT_LOG_CSTR("big", big)), "m");
    expect_member(logged(), "message", "m");
}

Test(log, a_message_that_grows_when_written_is_still_an_object)
{
    char message[1000];
    memset(message, 1, sizeof message - 1);
    message[sizeof message - 1] = '\0';
    catch_stderr();
    leat_log_set_format(LEAT_LOG_JSON);
    leat_log(LEAT_LOG_WARN, "base", "odd", "%s", message);
    struct leat_str line = logged();
    cr_expect_eq(line.at[line.len - 1], '\n');
    expect_member(line, "event", "odd");
    expect_member(line, "message", "(too long to be logged)");
}

Test(log, text_holds_no_control_characters)
{
    catch_stderr();
    leat_log_set_format(LEAT_LOG_TEXT);
    leat_log_kv(LEAT_LOG_INFO, "cli", "x", LEAT_LOG_FIELDS(LEAT_LOG_CSTR("f", "\033[2J")), "a\nb");
    struct leat_str line = logged();
    for (uint32_t i = 0; i + 1 < line.len; i++)
        cr_assert_geq((unsigned char)line.at[i], 0x20);
}

Test(log, levels_below_the_chosen_one_are_not_written)
{
    catch_stderr();
    leat_log_set_level(LEAT_LOG_WARN);
    leat_log(LEAT_LOG_INFO, "a", "hidden", "no");
    leat_log(LEAT_LOG_ERROR, "a", "shown", "yes");
    struct leat_str line = logged();
    cr_expect_null(memmem(line.at, line.len, "hidden", 6));
    cr_expect_not_null(memmem(line.at, line.len, "shown", 5));
}

Test(log, a_site_passes_once_a_second_and_counts_the_rest)
{
    struct leat_log_site site = {0};
    uint32_t suppressed = 9;
    cr_expect(leat_log_site_pass(&site, &suppressed));
    cr_expect_eq(suppressed, 0);
    for (int i = 0; i < 5; i++)
        cr_expect_not(leat_log_site_pass(&site, &suppressed));
    site.next_us = 0; /* as if the second were over */
    cr_expect(leat_log_site_pass(&site, &suppressed));
    cr_expect_eq(suppressed, 5);
    catch_stderr();
    for (int i = 0; i < 3; i++)
        leat_log_limited(LEAT_LOG_ERROR, "a", "often", "number %d", i);
    struct leat_str line = logged();
    cr_expect_null(memmem(line.at, line.len, "number 1", 8));
}
