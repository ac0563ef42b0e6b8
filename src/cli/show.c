#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"

#define COLUMNS_MAX 64
#define CELL_WIDTH  40
#define CUT         "\xe2\x80\xa6" /* … */

struct column {
    struct leat_str name;
    uint32_t width; /* characters */
};

/* Characters, not bytes: continuation bytes do not count. */
static uint32_t width_of(struct leat_str s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.at[i] & 0xc0) != 0x80;
    return n;
}

/* Control characters would let a stored text steer the terminal. */
static void put_clean(struct leat_str s, uint32_t limit, struct leat_buf *out)
{
    uint32_t shown = 0;
    bool cut = width_of(s) > limit;
    for (uint32_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        bool starts = (c & 0xc0) != 0x80;
        if (starts && cut && shown + 1 == limit) {
            leat_buf_puts(out, CUT);
            return;
        }
        shown += starts;
        leat_buf_putc(out, (char)(c < 0x20 || c == 0x7f ? ' ' : c));
    }
}

static void put_padded(struct leat_str s, uint32_t width, bool last, struct leat_buf *out)
{
    uint32_t used = width_of(s);
    put_clean(s, CELL_WIDTH, out);
    if (used > CELL_WIDTH)
        used = CELL_WIDTH;
    for (; used < width && !last; used++)
        leat_buf_putc(out, ' ');
}

/* The value of a member as text: strings bare, null empty, everything else as JSON. */
static leat_status value_text(struct leat_json_reader *r, struct leat_arena *arena,
                              struct leat_str *ret, struct leat_error *err)
{
    struct leat_str raw;
    struct leat_json_token token;
    LEAT_TRY(leat_json_skip(r, &raw, err), err, "answer");
    if (raw.len > 0 && raw.at[0] == '"') {
        struct leat_json_reader inner;
        leat_json_reader_init(&inner, raw);
        LEAT_TRY(leat_json_next(&inner, &token, err), err, "answer");
        raw = leat_json_unescape(&token, arena);
    } else if (leat_str_eq(raw, LEAT_STR("null"))) {
        raw = (struct leat_str){"", 0};
    }
    *ret = raw;
    return LEAT_OK;
}

struct row {
    struct leat_str names[COLUMNS_MAX], values[COLUMNS_MAX];
    uint32_t n;
};

/* One object, its BEGIN token already taken. */
static leat_status read_row(struct leat_json_reader *r, struct leat_arena *arena, struct row *row,
                            struct leat_error *err)
{
    struct leat_json_token token;
    row->n = 0;
    for (;;) {
        struct leat_str value;
        LEAT_TRY(leat_json_next(r, &token, err), err, "answer");
        if (token.kind == LEAT_JSON_OBJECT_END)
            return LEAT_OK;
        if (token.kind != LEAT_JSON_KEY)
            return leat_fail(err, LEAT_POISON, "not an object");
        struct leat_str name = leat_json_unescape(&token, arena);
        LEAT_TRY(value_text(r, arena, &value, err), err, "answer");
        if (row->n < COLUMNS_MAX) {
            row->names[row->n] = name;
            row->values[row->n++] = value;
        }
    }
}

static leat_status show_object(struct leat_str json, struct leat_arena *arena, struct leat_buf *out,
                               struct leat_error *err)
{
    struct leat_json_reader r;
    struct leat_json_token token;
    struct row *row = leat_arena_alloc(arena, sizeof *row);
    uint32_t width = 0;
    leat_json_reader_init(&r, json);
    LEAT_TRY(leat_json_next(&r, &token, err), err, "answer");
    if (token.kind != LEAT_JSON_OBJECT_BEGIN)
        return leat_fail(err, LEAT_POISON, "not an object");
    LEAT_TRY(read_row(&r, arena, row, err), err, "answer");
    for (uint32_t i = 0; i < row->n; i++) {
        if (width_of(row->names[i]) > width)
            width = width_of(row->names[i]);
    }
    for (uint32_t i = 0; i < row->n; i++) {
        put_padded(row->names[i], width + 2, false, out);
        put_clean(row->values[i], UINT32_MAX, out);
        leat_buf_putc(out, '\n');
    }
    return LEAT_OK;
}

leat_status leat_show_object(struct leat_str json, struct leat_buf *out, struct leat_error *err)
{
    struct leat_arena *arena = leat_arena_new(4096, 0);
    leat_status status = show_object(json, arena, out, err);
    leat_arena_free(arena);
    return status;
}

struct rows {
    struct row **at;
    size_t n, cap;
    struct column columns[COLUMNS_MAX];
    uint32_t n_columns;
};

static leat_status read_rows(struct leat_str json, struct leat_arena *arena, struct rows *rows,
                             struct leat_error *err)
{
    struct leat_json_reader r;
    struct leat_json_token token;
    leat_json_reader_init(&r, json);
    LEAT_TRY(leat_json_next(&r, &token, err), err, "answer");
    if (token.kind != LEAT_JSON_ARRAY_BEGIN)
        return leat_fail(err, LEAT_POISON, "not an array");
    for (;;) {
        LEAT_TRY(leat_json_next(&r, &token, err), err, "answer");
        if (token.kind == LEAT_JSON_ARRAY_END)
            return LEAT_OK;
        if (token.kind != LEAT_JSON_OBJECT_BEGIN)
            return leat_fail(err, LEAT_POISON, "not an array of objects");
        struct row *row = leat_arena_alloc(arena, sizeof *row);
        LEAT_TRY(read_row(&r, arena, row, err), err, "answer");
        rows->at = leat_arena_grow(arena, rows->at, sizeof(void *), &rows->cap, rows->n + 1);
        rows->at[rows->n++] = row;
    }
}

static struct leat_str cell(const struct row *row, struct leat_str name)
{
    for (uint32_t i = 0; i < row->n; i++) {
        if (leat_str_eq(row->names[i], name))
            return row->values[i];
    }
    return (struct leat_str){"", 0};
}

static void measure(struct rows *rows)
{
    rows->n_columns = rows->at[0]->n;
    for (uint32_t c = 0; c < rows->n_columns; c++) {
        struct column *col = &rows->columns[c];
        col->name = rows->at[0]->names[c];
        col->width = width_of(col->name);
        for (size_t i = 0; i < rows->n; i++) {
            uint32_t w = width_of(cell(rows->at[i], col->name));
            col->width = w > col->width ? w : col->width;
        }
        col->width = col->width < CELL_WIDTH ? col->width : CELL_WIDTH;
    }
}

leat_status leat_show_rows(struct leat_str json, struct leat_buf *out, struct leat_error *err)
{
    struct leat_arena *arena = leat_arena_new(65536, 0);
    struct rows *rows = leat_arena_zalloc(arena, 1, sizeof *rows);
    leat_status status = read_rows(json, arena, rows, err);
    if (status == LEAT_OK && rows->n > 0) {
        measure(rows);
        for (uint32_t c = 0; c < rows->n_columns; c++) {
            put_padded(rows->columns[c].name, rows->columns[c].width + 2, c + 1 == rows->n_columns,
                       out);
        }
        leat_buf_putc(out, '\n');
        for (size_t i = 0; i < rows->n; i++) {
            for (uint32_t c = 0; c < rows->n_columns; c++) {
                put_padded(cell(rows->at[i], rows->columns[c].name), rows->columns[c].width + 2,
                           c + 1 == rows->n_columns, out);
            }
            leat_buf_putc(out, '\n');
        }
    }
    leat_arena_free(arena);
    return status;
}

void leat_show_time(int64_t unix_ms, struct leat_buf *out)
{
    struct tm tm;
    char text[32];
    time_t s = (time_t)(unix_ms / 1000);
    if (gmtime_r(&s, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0) {
        leat_buf_puts(out, "-");
        return;
    }
    leat_buf_printf(out, "%s.%03dZ", text, (int)(unix_ms % 1000));
}
