/* uses: base topology codec kafka store guard redis web auth projection query */
/* query_reads.c - positions as text, and bodies that ask read models. */
#include <criterion/criterion.h>

#include "query/questions.h"
#include "query/tokens.h"

#define A "11111111-1111-4111-8111-111111111111"
#define B "22222222-2222-4222-8222-222222222222"

static struct leat_arena *arena;

static void make(void)
{
    arena = leat_arena_new(4096, 0);
}

static void drop(void)
{
    leat_arena_free(arena);
}

TestSuite(query_reads, .init = make, .fini = drop, .timeout = 20);

static struct leat_token token(const char *text)
{
    struct leat_token t;
    struct leat_error err = {0};
    cr_assert_eq(leat_token_parse(leat_str_of(text), arena, &t, &err), LEAT_OK, "%s: %s", text,
                 err.msg);
    return t;
}

Test(query_reads, tokens_are_joined_by_slice)
{
    struct leat_token t = token(A ":1=5,0=7;" B ":0=1;" A ":1=9");
    cr_assert_eq(t.n, 3);
    cr_assert_eq(t.at[0].slice, 0);
    cr_assert_eq(t.at[0].seq, 7);
    cr_assert_eq(t.at[1].slice, 1);
    cr_assert_eq(t.at[1].seq, 9);
    cr_assert_eq(t.at[2].seq, 1);
    cr_assert_eq(token("").n, 0);
}

Test(query_reads, what_is_no_token_is_refused_with_its_place)
{
    static const char *const wrong[] = {
        "x",         A,         A ":",    A ":0",    A ":0=",     A ":0=1,",
        A ":=1",     A ":0=1x", A ";0=1", A ":0=-1", A ":9999=1", A ":0=99999999999999999999",
        ";" A ":0=1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct leat_token t;
        struct leat_error err = {0};
        cr_assert_eq(leat_token_parse(leat_str_of(wrong[i]), arena, &t, &err), LEAT_INVALID, "%s",
                     wrong[i]);
        cr_assert(strstr(err.msg, "not a position, at byte") != NULL, "%s", err.msg);
    }
}

Test(query_reads, a_token_is_reached_ahead_or_gone)
{
    struct leat_uuid stores[3] = {0};
    const int64_t seqs[3] = {5, 3, 0};
    struct leat_buf text;
    cr_assert(leat_uuid_parse(LEAT_STR(A), &stores[0]));
    cr_assert(leat_uuid_parse(LEAT_STR(B), &stores[1]));
    const struct leat_rows_position p = {.n = 3, .seqs = seqs, .stores = stores};
    static const struct {
        const char *token;
        leat_token_state state;
    } cases[] = {{"", LEAT_TOKEN_REACHED},
                 {A ":0=5;" B ":1=3", LEAT_TOKEN_REACHED},
                 {A ":0=6", LEAT_TOKEN_AHEAD},
                 {B ":2=1", LEAT_TOKEN_AHEAD},
                 {B ":2=0", LEAT_TOKEN_REACHED},
                 {B ":0=1", LEAT_TOKEN_GONE},
                 {A ":0=6;" A ":1=1", LEAT_TOKEN_GONE},
                 {A ":3=1", LEAT_TOKEN_GONE}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct leat_token t = token(cases[i].token);
        cr_assert_eq(leat_token_check(&t, &p), cases[i].state, "%s", cases[i].token);
    }
    leat_buf_init(&text, 1000);
    leat_token_put(&p, &text);
    struct leat_token own = token(leat_arena_cstr(arena, leat_buf_str(&text)));
    cr_assert_eq(own.n, 3);
    cr_assert_eq(leat_token_check(&own, &p), LEAT_TOKEN_REACHED);
    leat_buf_done(&text);
}

Test(query_reads, a_batch_is_taken_apart)
{
    struct leat_questions qs;
    struct leat_error err = {0};
    struct leat_str value;
    const char *body = "{\"at_least\":\"x\",\"reads\":[{\"read\":\"list\",\"model\":\"m\","
                       "\"fields\":[\"a\",\"b,\\\"c\"],\"limit\":3},{\"read\":\"rows\",\"model\":"
                       "\"m\",\"keys\":[\"k1\",\"k2\"]},{\"read\":\"query\",\"name\":\"Q\","
                       "\"params\":{\"p\":5}}]}";
    cr_assert_eq(leat_questions_batch(leat_str_of(body), arena, &qs, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(qs.n, 3);
    cr_assert(leat_str_eq(qs.at_least, LEAT_STR("x")));
    cr_assert_eq(qs.at[0].kind, LEAT_READ_LIST);
    cr_assert(leat_target_param(&qs.at[0].given, "fields", &value));
    cr_assert(leat_str_eq(value, LEAT_STR("\"a\",\"b,\"\"c\"")), "%.*s", LEAT_STR_FMT(value));
    cr_assert(leat_target_param(&qs.at[0].given, "limit", &value));
    cr_assert(leat_str_eq(value, LEAT_STR("3")));
    cr_assert_eq(qs.at[1].n_keys, 2);
    cr_assert(leat_str_eq(qs.at[1].keys[1], LEAT_STR("k2")));
    cr_assert_eq(qs.at[2].kind, LEAT_READ_QUERY);
    cr_assert(leat_target_param(&qs.at[2].given, "p", &value));
}

Test(query_reads, etags_and_waits_of_headers)
{
    struct leat_str tag = LEAT_STR("\"ab\"");
    int64_t ms = -1;
    cr_assert(leat_etag_listed(LEAT_STR("\"x\", W/\"ab\""), tag));
    cr_assert(leat_etag_listed(LEAT_STR("*"), tag));
    cr_assert(!leat_etag_listed(LEAT_STR("\"abc\", ab"), tag));
    cr_assert(!leat_prefer_wait(LEAT_STR("respond-async"), &ms));
    cr_assert_eq(ms, -1);
    cr_assert(leat_prefer_wait(LEAT_STR("respond-async, wait=0"), &ms));
    cr_assert_eq(ms, 0);
    cr_assert(leat_prefer_wait(LEAT_STR("wait=99999"), &ms));
    cr_assert_eq(ms, 60000);
}
