/* uses: base */
#include "base/json.h"

#include <stddef.h>
#include <stdint.h>

#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A string's bytes are ours to read and, unescaped, valid UTF-8 no longer than they were. */
static void check_text(const struct leat_json_token *t, struct leat_arena *arena)
{
    struct leat_str s = leat_json_unescape(t, arena);
    leat_assert(s.len <= t->text.len && leat_utf8_valid(s));
    leat_assert(leat_json_token_is(t, s));
}

static void put(struct leat_json_writer *w, const struct leat_json_token *t,
                struct leat_arena *arena)
{
    switch (t->kind) {
    case LEAT_JSON_END:
        break;
    case LEAT_JSON_OBJECT_BEGIN:
        leat_json_begin_object(w);
        break;
    case LEAT_JSON_OBJECT_END:
        leat_json_end_object(w);
        break;
    case LEAT_JSON_ARRAY_BEGIN:
        leat_json_begin_array(w);
        break;
    case LEAT_JSON_ARRAY_END:
        leat_json_end_array(w);
        break;
    case LEAT_JSON_KEY:
        leat_json_key(w, leat_json_unescape(t, arena));
        break;
    case LEAT_JSON_STRING:
        leat_json_str(w, leat_json_unescape(t, arena));
        break;
    case LEAT_JSON_INT:
        leat_json_int(w, t->integer);
        break;
    case LEAT_JSON_DOUBLE:
        leat_json_double(w, t->number);
        break;
    case LEAT_JSON_BOOL:
        leat_json_bool(w, t->boolean);
        break;
    case LEAT_JSON_NULL:
        leat_json_null(w);
        break;
    }
}

/* Reads all of it; what was read is written to `out`. */
static leat_status copy(struct leat_str text, struct leat_buf *out, struct leat_arena *arena)
{
    struct leat_json_reader r;
    struct leat_json_writer w;
    struct leat_json_token t = {.kind = LEAT_JSON_NULL};
    leat_json_reader_init(&r, text);
    leat_json_writer_init(&w, out);
    while (t.kind != LEAT_JSON_END) {
        leat_status status = leat_json_next(&r, &t, NULL);
        if (status != LEAT_OK)
            return status;
        if (t.kind == LEAT_JSON_KEY || t.kind == LEAT_JSON_STRING)
            check_text(&t, arena);
        put(&w, &t, arena);
    }
    return LEAT_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536)
        return 0;
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_buf once, twice;
    leat_buf_init(&once, 1 << 20);
    leat_buf_init(&twice, 1 << 20);
    struct leat_json_token t;
    struct leat_str text = {(const char *)data, (uint32_t)size};
    (void)!leat_json_find(text, LEAT_STR("id"), &t, NULL, NULL);
    /* What was accepted and written again is accepted again, and written the same. */
    if (copy(text, &once, arena) == LEAT_OK) {
        leat_assert(copy(leat_buf_str(&once), &twice, arena) == LEAT_OK);
        leat_assert(leat_str_eq(leat_buf_str(&once), leat_buf_str(&twice)));
    }
    leat_buf_done(&once);
    leat_buf_done(&twice);
    leat_arena_free(arena);
    return 0;
}
