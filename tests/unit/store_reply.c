/* uses: base store */
/* Replies whose bytes lie: each must be refused, none may be read past its end. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "store/reply.h"

/* A result of one row and one column; the value is copied. */
static PGresult *result(Oid type, int format, const void *value, int len)
{
    PGresult *r = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    char name[] = "c";
    PGresAttDesc column = {.name = name, .format = format, .typid = type, .typlen = -1};
    cr_assert_eq(PQsetResultAttrs(r, 1, &column), 1);
    char *copy = malloc((size_t)(len > 0 ? len : 1));
    if (len > 0)
        memcpy(copy, value, (size_t)len);
    cr_assert_eq(PQsetvalue(r, 0, 0, len < 0 ? NULL : copy, len), 1);
    free(copy);
    return r;
}

static struct leat_arena *arena;

static void make_arena(void)
{
    arena = leat_arena_new(1024, 0);
}

static void free_arena(void)
{
    leat_arena_free(arena);
}

TestSuite(store_reply, .init = make_arena, .fini = free_arena);

Test(store_reply, values_of_the_right_form_are_read)
{
    PGresult *r = result(LEAT_PG_INT8, 1, "\0\0\0\0\0\0\1\2", 8);
    struct leat_pg_reply reply = leat_reply_of(r, 1, arena);
    cr_expect_eq(leat_reply_int8(&reply, 0, 0), 258);
    cr_expect_not(reply.bad);
    cr_expect_eq(leat_reply_ok(&reply, "x", NULL), LEAT_OK);
    PQclear(r);
}

Test(store_reply, wrong_types_lengths_formats_and_places_are_bad)
{
    struct {
        Oid type;
        int format, len, row, col;
    } cases[] = {{LEAT_PG_INT8, 1, 4, 0, 0}, {LEAT_PG_INT4, 1, 8, 0, 0},
                 {LEAT_PG_INT8, 0, 8, 0, 0}, {LEAT_PG_INT8, 1, -1, 0, 0},
                 {LEAT_PG_INT8, 1, 8, 1, 0}, {LEAT_PG_INT8, 1, 8, 0, 1},
                 {LEAT_PG_INT8, 1, 0, 0, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        PGresult *r = result(cases[i].type, cases[i].format, "12345678", cases[i].len);
        struct leat_pg_reply reply = leat_reply_of(r, 1, arena);
        cr_expect_eq(leat_reply_int8(&reply, cases[i].row, cases[i].col), 0);
        cr_expect(reply.bad, "case %zu", i);
        PQclear(r);
    }
    PGresult *r = result(LEAT_PG_INT8, 1, "12345678", 8);
    struct leat_pg_reply reply = leat_reply_of(r, 2, arena);
    struct leat_error err = {0};
    cr_expect_eq(leat_reply_ok(&reply, "append", &err), LEAT_FATAL);
    cr_expect_str_eq(err.msg, "the store's answer to 'append' has an unexpected form");
    PQclear(r);
}

Test(store_reply, infinity_is_no_time)
{
    PGresult *r = result(LEAT_PG_TIMESTAMPTZ, 1, "\x7f\xff\xff\xff\xff\xff\xff\xff", 8);
    struct leat_pg_reply reply = leat_reply_of(r, 1, arena);
    cr_expect_eq(leat_reply_unix_us(&reply, 0, 0), 0);
    cr_expect(reply.bad);
    PQclear(r);
}

static const char two_ints[] = "\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\2\0\0\0\1"
                               "\0\0\0\4\0\0\0\7\0\0\0\4\xff\xff\xff\xff";

Test(store_reply, arrays_are_read)
{
    PGresult *r = result(LEAT_PG_INT4_ARRAY, 1, two_ints, sizeof two_ints - 1);
    struct leat_pg_reply reply = leat_reply_of(r, 1, arena);
    struct leat_pg_list list = leat_reply_list_of(&reply, 0, LEAT_PG_INT4, 2);
    cr_expect_eq(leat_list_int(&list), 7);
    cr_expect_eq(leat_list_int(&list), -1);
    cr_expect_not(reply.bad);
    (void)leat_list_int(&list); /* one too many */
    cr_expect(reply.bad);
    PQclear(r);

    r = result(LEAT_PG_INT4_ARRAY, 1, NULL, -1);
    reply = leat_reply_of(r, 1, arena);
    cr_expect_eq(leat_reply_list(&reply, 0, LEAT_PG_INT4).count, 0);
    cr_expect_not(reply.bad);
    PQclear(r);
}

/* Every byte of an array set to every interesting value, and every cut of it. */
Test(store_reply, damaged_arrays_never_lead_outside)
{
    int len = sizeof two_ints - 1;
    static const unsigned char values[] = {0, 1, 2, 0x17, 0x7f, 0x80, 0xff};
    for (int at = 0; at <= len; at++) {
        for (size_t v = 0; v < sizeof values; v++) {
            char bytes[sizeof two_ints];
            memcpy(bytes, two_ints, sizeof two_ints);
            bytes[at] = (char)values[v];
            for (int n = at == len ? 0 : len; n <= len; n++) {
                PGresult *r = result(LEAT_PG_INT4_ARRAY, 1, bytes, n);
                struct leat_pg_reply reply = leat_reply_of(r, 1, arena);
                struct leat_pg_list list = leat_reply_list(&reply, 0, LEAT_PG_INT4);
                cr_expect_leq(list.count, 4);
                for (size_t i = list.count; i > 0; i--)
                    (void)leat_list_int(&list);
                PQclear(r);
            }
        }
    }
}

Test(store_reply, elements_of_another_length_are_bad)
{
    PGresult *r = result(LEAT_PG_INT4_ARRAY, 1, two_ints, sizeof two_ints - 1);
    struct leat_pg_reply reply = leat_reply_of(r, 1, arena);
    struct leat_pg_list list = leat_reply_list(&reply, 0, LEAT_PG_INT4);
    (void)leat_list_uuid(&list);
    cr_expect(reply.bad);
    PQclear(r);
    r = result(LEAT_PG_INT4_ARRAY, 1, two_ints, sizeof two_ints - 1);
    reply = leat_reply_of(r, 1, arena);
    (void)leat_reply_list(&reply, 0, LEAT_PG_INT8);
    cr_expect(reply.bad);
    PQclear(r);
}

Test(store_reply, text_that_postgres_would_refuse_is_escaped)
{
    struct leat_pg_params p = {0};
    leat_buf_init(&p.bytes, 1024);
    leat_pg_text(&p, LEAT_STR("a\0b\xff\xc3\xa9"));
    cr_expect(leat_str_eq(leat_buf_str(&p.bytes), LEAT_STR("a\\x00b\\xff\xc3\xa9")));
    leat_pg_clear(&p);
    leat_pg_array(&p, LEAT_PG_TEXT, 1);
    leat_pg_put_text(&p, LEAT_STR("\xff"));
    leat_pg_array_end(&p);
    cr_expect_eq(p.of[0].len, 28);
    cr_expect_eq(memcmp(p.bytes.at + 20, "\0\0\0\4\\xff", 8), 0);
    leat_buf_done(&p.bytes);
}
