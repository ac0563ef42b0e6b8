/* uses: base codec store topology query */
/* What somebody gives to say which dead letters or waiting messages are meant, and their lines. */
#include <criterion/criterion.h>

#include "base/hash.h"
#include "base/record_headers.h"
#include "query/dead_lines.h"
#include "query/filters.h"

#define NOW 1795352400000000

static struct leat_dead_filter filter;
static struct leat_error err;

static leat_status set(const char *name, const char *value)
{
    err = (struct leat_error){0};
    filter = leat_dead_filter_of(LEAT_DEAD_OPEN);
    return leat_dead_filter_set(&filter, name, leat_str_of(value), NOW, &err);
}

Test(query_operators, states_are_names_with_commas_and_two_words_for_several)
{
    cr_expect_eq(set("state", "dead"), LEAT_OK);
    cr_expect_eq(filter.states, 1);
    cr_expect_eq(set("state", "dropped,settled"), LEAT_OK);
    cr_expect_eq(filter.states, 1U << LEAT_DEAD_DROPPED | 1U << LEAT_DEAD_SETTLED);
    cr_expect_eq(set("state", "all"), LEAT_OK);
    cr_expect_eq(filter.states, LEAT_DEAD_ALL);
    cr_expect_eq(set("state", "open"), LEAT_OK);
    cr_expect_eq(filter.states, LEAT_DEAD_OPEN);
    cr_expect_eq(set("state", "quarantine"), LEAT_INVALID);
    cr_expect_str_eq(err.msg, "'quarantine' is no state of a dead letter");
    cr_expect_str_eq(err.hint, "Did you mean 'quarantined'?");
    cr_expect_eq(set("state", ""), LEAT_INVALID);
    cr_expect_eq(set("state", "dead,,settled"), LEAT_INVALID);
    cr_expect_str_eq(err.hint, "There are dead, redriving, quarantined, settled, dropped and all.");
}

Test(query_operators, an_origin_is_a_topic_and_perhaps_a_place_in_it)
{
    cr_expect_eq(set("origin", "shop.orders.hot"), LEAT_OK);
    cr_expect(leat_str_eq(filter.topic, LEAT_STR("shop.orders.hot")));
    cr_expect(filter.partition == -1 && filter.offset == -1);
    cr_expect_eq(set("origin", "t/3/42"), LEAT_OK);
    cr_expect(leat_str_eq(filter.topic, LEAT_STR("t")) && filter.partition == 3 &&
              filter.offset == 42);
    static const char *const wrong[] = {"", "/1", "t/", "t/x", "t/-1", "t/1/", "t/1/2/3", "t/1/-2"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(set("origin", wrong[i]), LEAT_INVALID, "%s", wrong[i]);
    cr_expect_str_eq(err.msg, "origin: 't/1/-2' is no place of a record");
}

Test(query_operators, a_text_that_is_empty_is_not_any)
{
    cr_expect_eq(set("code", ""), LEAT_INVALID);
    cr_expect_eq(set("key", ""), LEAT_OK);
    cr_expect(filter.has_key && filter.key.len == 0);
    cr_expect_eq(set("since", "later"), LEAT_INVALID);
    cr_expect_str_eq(err.msg, "since: 'later' is no time");
    cr_expect_eq(set("since", "1h"), LEAT_OK);
    cr_expect_eq(filter.since_us, NOW - (int64_t)3600 * 1000000);
}

Test(query_operators, what_is_due_before_is_so_long_from_now)
{
    struct leat_waiter_filter f = leat_waiter_filter_of(LEAT_WAITS_ALL);
    cr_expect_eq(leat_waiter_filter_set(&f, "until", LEAT_STR("1h"), NOW, &err), LEAT_OK);
    cr_expect_eq(f.due_until_us, NOW + (int64_t)3600 * 1000000);
    cr_expect_eq(leat_waiter_filter_set(&f, "reason", LEAT_STR("held,parked"), NOW, &err), LEAT_OK);
    cr_expect_eq(f.reasons, 1U << LEAT_WAIT_HELD | 1U << LEAT_WAIT_PARKED);
    cr_expect_eq(leat_waiter_filter_set(&f, "reason", LEAT_STR("parkd"), NOW, &err), LEAT_INVALID);
    cr_expect_str_eq(err.hint, "Did you mean 'parked'?");
}

Test(query_operators, a_cursor_comes_back_and_others_are_refused)
{
    struct leat_dead_row row = {.last_at_us = NOW, .processor = LEAT_STR("or_ders")};
    struct leat_dead_page page = {.limit = 1};
    struct leat_buf text;
    row.id = leat_uuid_v4();
    leat_buf_init(&text, 200);
    leat_dead_cursor_put(&row, &text);
    cr_assert_eq(leat_dead_cursor_read(leat_buf_str(&text), &page, &err), LEAT_OK);
    cr_expect(page.last_at_us == NOW && leat_uuid_eq(&page.id, &row.id));
    cr_expect(leat_str_eq(page.processor, row.processor));
    static const char *const wrong[] = {"",
                                        "_",
                                        "1_",
                                        "x_00000000-0000-0000-0000-000000000001_p",
                                        "1_00000000-0000-0000-0000-000000000001_",
                                        "1_00000000-0000-0000-0000-000000000001",
                                        "0_00000000-0000-0000-0000-000000000001_p"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        cr_expect_eq(leat_dead_cursor_read(leat_str_of(wrong[i]), &page, &err), LEAT_INVALID, "%s",
                     wrong[i]);
    leat_buf_done(&text);
}

/* ---- lines ---- */

static struct leat_arena *arena;
static struct leat_schemas *schemas;
static struct leat_buf line, headers;
static uint8_t digest[32];

static void start(void)
{
    arena = leat_arena_new(4096, 0);
    schemas = leat_schemas_new();
    leat_buf_init(&line, 1 << 16);
    leat_buf_init(&headers, 4096);
}

static void stop(void)
{
    leat_buf_done(&line);
    leat_buf_done(&headers);
    leat_schemas_free(schemas);
    leat_arena_free(arena);
}

static struct leat_dead_row a_row(struct leat_str value)
{
    leat_headers_put(&headers, LEAT_STR("ce_id"), LEAT_STR("\xff\0x"));
    leat_headers_put_null(&headers, LEAT_STR("none"));
    leat_sha256(value.at, value.len, digest);
    return (struct leat_dead_row){.processor = LEAT_STR("orders"),
                                  .slice = 3,
                                  .id = leat_uuid_v4(),
                                  .key = LEAT_STR("k\0\xfe"),
                                  .type = LEAT_STR("Place"),
                                  .priority = LEAT_STR("hot"),
                                  .source = LEAT_STR(""),
                                  .topic = LEAT_STR("shop.orders.hot"),
                                  .partition = 3,
                                  .offset = 1LL << 40,
                                  .event_seq = 7,
                                  .class = LEAT_STR("poison"),
                                  .code = LEAT_STR("poison"),
                                  .message = LEAT_STR("no \"good\" \xc3\xa9"),
                                  .attempts = 2,
                                  .handler_version = 9,
                                  .redrives = 3,
                                  .first_at_us = NOW + 1,
                                  .last_at_us = NOW + 123457,
                                  .changed_at_us = NOW + 999999,
                                  .headers = leat_buf_str(&headers),
                                  .value = value,
                                  .value_bytes = value.len,
                                  .value_sha256 = {(const char *)digest, 32},
                                  .state = LEAT_STR("quarantined"),
                                  .note = LEAT_STR("why")};
}

static struct leat_str text_of(const struct leat_dead_row *d)
{
    leat_buf_clear(&line);
    leat_dead_line_put(schemas, d, &line);
    struct leat_str s = leat_buf_str(&line);
    cr_assert(s.at[s.len - 1] == '\n');
    return leat_arena_copy(arena, (struct leat_str){s.at, s.len - 1});
}

Test(query_operators, a_line_comes_back_byte_by_byte, .init = start, .fini = stop)
{
    struct leat_dead_row d = a_row(LEAT_STR("\0\0\0\1\xff bytes that are no text\n")), back;
    struct leat_str text = text_of(&d);
    cr_assert_eq(leat_dead_line_read(text, arena, &back, &err), LEAT_OK, "%s", err.msg);
    cr_expect(leat_str_eq(text_of(&back), text));
    cr_expect(leat_str_eq(back.value, d.value) && leat_str_eq(back.headers, d.headers));
    cr_expect(leat_str_eq(back.key, d.key) && leat_str_eq(back.message, d.message));
    cr_expect(back.last_at_us == d.last_at_us && back.offset == d.offset && back.redrives == 3);
}

Test(query_operators, null_is_not_empty, .init = start, .fini = stop)
{
    struct leat_dead_row d = a_row(LEAT_STR("")), back;
    d.value_null = d.key_null = true;
    d.note = LEAT_STR("");
    cr_assert_eq(leat_dead_line_read(text_of(&d), arena, &back, &err), LEAT_OK, "%s", err.msg);
    cr_expect(back.value_null && back.key_null && back.note.len == 0);
    d.value_null = d.key_null = false;
    cr_assert_eq(leat_dead_line_read(text_of(&d), arena, &back, &err), LEAT_OK, "%s", err.msg);
    cr_expect(!back.value_null && !back.key_null);
}

Test(query_operators, one_that_was_being_redriven_is_dead_again, .init = start, .fini = stop)
{
    struct leat_dead_row d = a_row(LEAT_STR("{}")), back;
    d.state = LEAT_STR("redriving");
    cr_assert_eq(leat_dead_line_read(text_of(&d), arena, &back, &err), LEAT_OK, "%s", err.msg);
    cr_expect(leat_str_eq(back.state, LEAT_STR("dead")));
}

/* The line of a good row with `from` replaced by `to`: what is said of it. */
static const char *said_of(const char *from, const char *to)
{
    struct leat_dead_row d = a_row(LEAT_STR("{}")), back;
    struct leat_str text = text_of(&d);
    char *at = strstr(leat_arena_cstr(arena, text), from);
    cr_assert_not_null(at, "%s", from);
    char *whole = leat_arena_cstr(arena, text);
    size_t before = (size_t)(strstr(whole, from) - whole);
    struct leat_str changed = leat_str_of(leat_arena_printf(arena, "%.*s%s%s", (int)before, whole,
                                                            to, whole + before + strlen(from)));
    err = (struct leat_error){0};
    leat_buf_clear(&headers);
    cr_expect_eq(leat_dead_line_read(changed, arena, &back, &err), LEAT_INVALID, "%s", to);
    return err.msg;
}

Test(query_operators, a_wrong_line_is_refused_with_its_field, .init = start, .fini = stop)
{
    cr_expect_str_eq(said_of("\"slice\":3", "\"slice\":-3"),
                     "'slice' must be a whole number of 31 bits");
    cr_expect_str_eq(said_of("\"partition\":3,", ""), "'partition' is missing");
    cr_expect_str_eq(said_of("\"code\"", "\"cod\""), "there is no field 'cod'");
    cr_expect_str_eq(err.hint, "Did you mean 'code'?");
    cr_expect_str_eq(said_of("\"e30=\"", "\"e30\""), "'value' must be base64");
    cr_expect_str_eq(said_of("\"e30=\"", "\"e31=\""), "'value' must be base64");
    cr_expect_str_eq(said_of("\"e30=\"", "\"e30g\""), "'value' has 3 bytes, 'value_bytes' says 2");
    cr_expect_str_eq(said_of("\"e30=\"", "\"fX0=\""),
                     "'value' is not what 'value_sha256' was made of");
    cr_expect_str_eq(said_of("\"quarantined\"", "\"quarantine\""), "'state': 'quarantine' is none");
    cr_expect_str_eq(said_of("\"slice\":3", "\"slice\":3,\"slice\":3"), "'slice' is given twice");
    cr_expect_str_eq(said_of("\"orders\"", "null"), "'processor' must be a text");
    cr_expect(strncmp(said_of("{\"processor\"", "\"processor\""), "not", 3) == 0, "%s", err.msg);
}
