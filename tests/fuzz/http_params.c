/* uses: base topology codec kafka store guard redis web auth projection query */
/* http_params.c - request lines, preferences, keys and bodies as anybody may send them: bounded
 * results or a reason, never a crash. Input: request target, newline, Prefer, newline,
 * Idempotency-Key, newline, body. */
#include <stdlib.h>

#include "codec/field_check.h"
#include "projection/model_cursor.h"
#include "projection/model_filter.h"
#include "query/http.h"
#include "query/questions.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static struct leat_str take_line(struct leat_str *rest)
{
    const char *end = rest->len == 0 ? NULL : memchr(rest->at, '\n', rest->len);
    struct leat_str line = {rest->at, end == NULL ? rest->len : (uint32_t)(end - rest->at)};
    uint32_t used = line.len + (end != NULL);
    rest->at += used;
    rest->len -= used;
    return line;
}

#define LIST "list"

/* What is taken for a cursor is the text of the entry it holds. */
static void check_cursor(const struct leat_target *t)
{
    struct leat_str text, list = leat_str_of(LIST);
    struct leat_index_key entry = {.len = 0};
    struct leat_error err = {0};
    struct leat_buf again;
    if (!leat_target_param(t, "cursor", &text) ||
        leat_model_cursor_read(text, list, "1", &entry, &err) != LEAT_OK)
        return;
    leat_assert(entry.len > 0 && entry.len <= LEAT_INDEX_KEY_MAX);
    leat_buf_init(&again, LEAT_CURSOR_BYTES_MAX);
    leat_model_cursor_put(list, "1", (struct leat_str){(const char *)entry.bytes, entry.len},
                          &again);
    leat_assert(leat_str_eq(leat_buf_str(&again), text));
    leat_buf_done(&again);
}

/* A body that its schema takes and has no unknown names has only names of the schema. */
static void check_body(struct leat_str json, struct leat_arena *arena)
{
    static struct leat_schema *schema;
    struct leat_error err = {0};
    if (schema == NULL &&
        leat_schema_parse(LEAT_STR("{\"type\":\"record\",\"name\":\"T\",\"fields\":[{\"name\":"
                                   "\"id\",\"type\":\"string\"},{\"name\":\"r\",\"type\":["
                                   "\"null\",\"T\"],\"default\":null},{\"name\":\"l\",\"type\":{"
                                   "\"type\":\"array\",\"items\":{\"type\":\"map\","
                                   "\"values\":\"T\"}}}]}"),
                          &schema, &err) != LEAT_OK)
        abort();
    leat_status status = leat_check_fields(schema, json, arena, &err);
    leat_assert(status == LEAT_OK || status == LEAT_INVALID || status == LEAT_POISON);
    leat_assert(status == LEAT_OK || err.msg[0] != 0);
}

/* A filter that is taken holds or not for any row; what it keeps is bounded. */
static void check_filter(struct leat_str text, struct leat_arena *arena)
{
    static struct leat_str names[] = {{"total", 5}, {"note", 4}, {"tags", 4}};
    static struct leat_shape shape = {.fields = names, .n_fields = 3};
    static struct leat_projection declared = {.name = {"m", 1}};
    const struct leat_rows_version v = {.declared = &declared, .shape = &shape};
    const struct leat_cell cells[] = {{.kind = LEAT_CELL_INT, .i = 5},
                                      {.kind = LEAT_CELL_STRING, .s = {"Ann", 3}},
                                      {.kind = LEAT_CELL_NULL}};
    struct leat_filter f;
    struct leat_chosen chosen;
    struct leat_error err = {0};
    if (leat_filter_parse(&v, text, arena, &f, &err) == LEAT_OK) {
        leat_assert(f.n <= LEAT_FILTER_TESTS_MAX);
        (void)leat_filter_holds(&f, cells);
    } else {
        leat_assert(err.status == LEAT_INVALID && err.msg[0] != 0);
    }
    if (leat_choose_fields(&v, text, &chosen, &err) == LEAT_OK)
        leat_assert(chosen.all ? text.len == 0 : chosen.n <= 3);
}

/* What is taken for a token says the same when it is written and read again. */
static void check_token(struct leat_str text, struct leat_arena *arena)
{
    struct leat_token t;
    struct leat_error err = {0};
    if (leat_token_parse(text, arena, &t, &err) != LEAT_OK) {
        leat_assert(err.status == LEAT_INVALID && err.msg[0] != 0);
        return;
    }
    for (uint32_t i = 0; i < t.n; i++)
        leat_assert(t.at[i].slice >= 0 && t.at[i].slice < LEAT_PARTITIONS_MAX && t.at[i].seq >= 0);
}

static void check_reads(const struct leat_target *t, struct leat_arena *arena)
{
    struct leat_str value = {NULL, 0};
    const struct leat_str *keys = NULL;
    uint32_t n = 0;
    struct leat_error err = {0};
    if (leat_target_param(t, "where", &value))
        check_filter(value, arena);
    if (leat_target_param(t, "at_least", &value))
        check_token(value, arena);
    if (leat_target_param(t, "keys", &value) &&
        leat_read_split_keys(value, arena, &keys, &n, &err) == LEAT_OK)
        leat_assert(n >= 1 && n <= LEAT_MODEL_KEYS_MAX);
}

static void check_questions(struct leat_str body, struct leat_arena *arena)
{
    struct leat_questions qs;
    struct leat_error err = {0};
    if (leat_questions_batch(body, arena, &qs, &err) == LEAT_OK)
        leat_assert(qs.n >= 1 && qs.n <= LEAT_BATCH_MAX);
    if (leat_question_keys(body, arena, &qs, &err) == LEAT_OK)
        leat_assert(qs.at[0].n_keys >= 1 && qs.at[0].n_keys <= LEAT_MODEL_KEYS_MAX);
}

static void check_target(struct leat_str raw, struct leat_arena *arena)
{
    struct leat_request rq = {0};
    struct leat_error err = {0};
    char methods[64];
    int64_t limit = 100;
    if (leat_target_parse(raw, arena, &rq.target, &err) != LEAT_OK)
        return;
    leat_assert(rq.target.n_segments <= LEAT_SEGMENTS_MAX);
    leat_assert(rq.target.n_params <= LEAT_PARAMS_MAX);
    rq.route = leat_route_find("GET", &rq.target, methods);
    if (rq.route == NULL)
        return;
    check_cursor(&rq.target);
    check_reads(&rq.target, arena);
    if (rq.route->params != NULL &&
        leat_target_allow(&rq.target, rq.route->params, &err) != LEAT_OK)
        return;
    static const char *const names[] = {"model",   "key",     "id",  "subject",
                                        "version", "command", "name"};
    uint32_t total = 0;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        total += leat_route_value(&rq, names[i]).len;
    leat_assert(total <= 7 * raw.len);
    if (leat_target_int(&rq.target, "limit", 1, 1000, &limit, &err) == LEAT_OK)
        leat_assert(limit >= 1 && limit <= 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n > 65536)
        return 0;
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_str rest = {(const char *)bytes, (uint32_t)n};
    struct leat_uuid id;
    struct leat_error err = {0};
    check_target(take_line(&rest), arena);
    int64_t wait_ms = leat_prefer_wait_ms(take_line(&rest));
    leat_assert(wait_ms >= 0 && wait_ms <= LEAT_WAIT_S_MAX * 1000);
    (void)!leat_idempotency_id(LEAT_STR("shop"), take_line(&rest), &id, &err);
    check_body(rest, arena);
    check_questions(rest, arena);
    leat_arena_free(arena);
    return 0;
}
