/* codec_random.h - random schemas, and random values of any struct; the same for the same seed. */
#ifndef LEAT_TESTS_CODEC_RANDOM_H
#define LEAT_TESTS_CODEC_RANDOM_H

#include "codec_dynamic.h"

static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
    return (uint32_t)(random_next(state) % n);
}

/* Numbers of every size, the edges among them. */
static inline int64_t random_long(uint64_t *state)
{
    static const int64_t edges[] = {0,   -1,        63,        64,        -64,
                                    -65, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    if (random_below(state, 4) == 0)
        return edges[random_below(state, sizeof edges / sizeof edges[0])];
    return (int64_t)(random_next(state) >> random_below(state, 64)) *
           (random_below(state, 2) == 0 ? 1 : -1);
}

static inline struct leat_str random_text(uint64_t *state, struct leat_arena *arena)
{
    static const char *const parts[] = {
        "a",   "Z", "0", " ", "\"", "\\", "\n", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
        "lead"};
    char text[128];
    size_t len = 0;
    for (uint32_t n = random_below(state, 20); n > 0; n--) {
        const char *part = parts[random_below(state, sizeof parts / sizeof parts[0])];
        memcpy(text + len, part, strlen(part));
        len += strlen(part);
    }
    return leat_arena_copy(arena, (struct leat_str){text, (uint32_t)len});
}

static inline void random_record(uint64_t *state, struct leat_arena *arena,
                                 const struct leat_type *type, char *base, int depth);

static inline void random_field(uint64_t *state, struct leat_arena *arena,
                                const struct leat_field *f, char *base, int depth);

static inline void random_items(uint64_t *state, struct leat_arena *arena,
                                const struct leat_field *f, char *at, int depth)
{
    struct leat_items items = {NULL, depth > 6 ? 0 : random_below(state, 4)};
    items.at = leat_arena_zalloc(arena, items.len + 1, f->item_bytes);
    for (size_t i = 0; i < items.len; i++) {
        char *item = (char *)items.at + i * f->item_bytes;
        if (f->kind == LEAT_KIND_MAP) {
            const char *key = leat_arena_printf(arena, "k%zu", i);
            LEAT_STORE(struct leat_str, item, leat_str_of(key));
        }
        random_field(state, arena, f->item, item, depth + 1);
    }
    LEAT_STORE(struct leat_items, at, items);
}

static inline void random_field(uint64_t *state, struct leat_arena *arena,
                                const struct leat_field *f, char *base, int depth)
{
    char *at = base + f->offset;
    if (f->has_offset >= 0) {
        *(bool *)(base + f->has_offset) = random_below(state, 3) > 0;
        if (!*(bool *)(base + f->has_offset))
            return;
    }
    switch (f->kind) {
    case LEAT_KIND_BOOL:
        *(bool *)at = random_below(state, 2) == 1;
        break;
    case LEAT_KIND_INT:
        LEAT_STORE(int32_t, at, (int32_t)random_long(state));
        break;
    case LEAT_KIND_LONG:
        LEAT_STORE(int64_t, at, random_long(state));
        break;
    case LEAT_KIND_FLOAT:
        LEAT_STORE(float, at, (float)random_long(state) / 8);
        break;
    case LEAT_KIND_DOUBLE:
        LEAT_STORE(double, at, (double)random_long(state) / 1024);
        break;
    case LEAT_KIND_STRING:
        LEAT_STORE(struct leat_str, at, random_text(state, arena));
        break;
    case LEAT_KIND_BYTES: {
        char bytes[8];
        uint64_t v = random_next(state);
        memcpy(bytes, &v, sizeof bytes);
        struct leat_str s = {bytes, random_below(state, 9)};
        LEAT_STORE(struct leat_str, at, leat_arena_copy(arena, s));
        break;
    }
    case LEAT_KIND_FIXED:
        for (uint32_t i = 0; i < f->item_bytes; i++)
            at[i] = (char)random_next(state);
        break;
    case LEAT_KIND_ENUM:
        LEAT_STORE(int32_t, at, (int32_t)random_below(state, f->symbol_count));
        break;
    case LEAT_KIND_RECORD:
        random_record(state, arena, f->record, at, depth + 1);
        break;
    case LEAT_KIND_UNION: {
        int32_t is = (int32_t)random_below(state, f->symbol_count);
        LEAT_STORE(int32_t, at, is);
        random_field(state, arena, &f->item[is], at, depth + 1);
        break;
    }
    case LEAT_KIND_NULL:
        break;
    case LEAT_KIND_ARRAY:
    case LEAT_KIND_MAP:
        random_items(state, arena, f, at, depth);
        break;
    }
}

static inline void random_record(uint64_t *state, struct leat_arena *arena,
                                 const struct leat_type *type, char *base, int depth)
{
    for (uint32_t i = 0; i < type->field_count; i++)
        random_field(state, arena, &type->fields[i], base, depth);
}

static inline void random_type(uint64_t *state, struct leat_buf *out, int depth, int *names);

/* Three to five branches that differ. */
static inline void random_union(uint64_t *state, struct leat_buf *out, int depth, int *names)
{
    static const char *const scalars[] = {"null", "long", "double", "boolean"};
    uint32_t first = random_below(state, 4);
    uint32_t count = 2 + random_below(state, 2);
    leat_buf_putc(out, '[');
    for (uint32_t i = 0; i < count; i++)
        leat_buf_printf(out, "\"%s\",", scalars[(first + i) % 4]);
    if (random_below(state, 2) == 0)
        leat_buf_puts(out, "{\"type\":\"array\",\"items\":\"string\"},");
    leat_buf_printf(out,
                    "{\"type\":\"record\",\"name\":\"n.s.R%d\",\"fields\":["
                    "{\"name\":\"x\",\"type\":",
                    ++*names);
    random_type(state, out, depth + 2, names);
    leat_buf_puts(out, "}]}]");
}

/* Appends a random type; `names` numbers the named ones. */
static inline void random_type(uint64_t *state, struct leat_buf *out, int depth, int *names)
{
    static const char *const scalars[] = {"boolean", "int",    "long", "float",
                                          "double",  "string", "bytes"};
    uint32_t pick = random_below(state, depth > 2 ? 9 : 14);
    if (pick < 7) {
        leat_buf_printf(out, "\"%s\"", scalars[pick]);
    } else if (pick == 7) {
        leat_buf_printf(out, "{\"type\":\"enum\",\"name\":\"E%d\",\"symbols\":[\"A\",\"B\",\"C\"]}",
                        ++*names);
    } else if (pick == 8) {
        leat_buf_printf(out, "{\"type\":\"fixed\",\"name\":\"F%d\",\"size\":%u}", ++*names,
                        1 + random_below(state, 16));
    } else if (pick == 9) {
        leat_buf_puts(out, "{\"type\":\"array\",\"items\":");
        random_type(state, out, depth + 1, names);
        leat_buf_putc(out, '}');
    } else if (pick == 10) {
        leat_buf_puts(out, "{\"type\":\"map\",\"values\":");
        random_type(state, out, depth + 1, names);
        leat_buf_putc(out, '}');
    } else if (pick == 11) {
        random_union(state, out, depth, names);
    } else {
        leat_buf_printf(out, "{\"type\":\"record\",\"name\":\"R%d\",\"fields\":[", ++*names);
        uint32_t count = 1 + random_below(state, 6);
        for (uint32_t i = 0; i < count; i++) {
            leat_buf_printf(out, "%s{\"name\":\"f%u\",\"type\":", i == 0 ? "" : ",", i);
            struct leat_buf inner;
            leat_buf_init(&inner, 1u << 20);
            random_type(state, &inner, depth + 1, names);
            uint32_t null = inner.at[0] == '[' ? 6 : random_below(state, 6);
            leat_buf_printf(out, "%s%.*s%s}",
                            null == 0   ? "[\"null\","
                            : null == 1 ? "["
                                        : "",
                            (int)inner.len, inner.at,
                            null == 0   ? "]"
                            : null == 1 ? ",\"null\"]"
                                        : "");
            leat_buf_done(&inner);
        }
        leat_buf_puts(out, "]}");
    }
}

static inline void random_schema(uint64_t *state, struct leat_buf *out)
{
    int names = 0;
    do {
        leat_buf_clear(out);
        names = 0;
        random_type(state, out, 0, &names);
    } while (out->len < 20 || strncmp(out->at, "{\"type\":\"record\"", 16) != 0);
}

#endif
