#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIGN           16
#define BLOCK_BYTES_MIN 256

struct block {
    struct block *next;
    size_t cap, used;
    _Alignas(ALIGN) char bytes[];
};

struct leat_arena {
    struct block *current; /* newest first; the blocks behind it are full */
    struct block *spare;   /* kept by reset for the next lifetime */
    size_t block_bytes, keep_bytes;
    size_t used;
};

/* No crash of the message that asks: a process that aborts in a handler would blame it. */
static _Noreturn void no_memory(size_t bytes)
{
    (void)fprintf(stderr, "leat: out of memory (%zu bytes asked for)\n", bytes);
    _exit(1);
}

struct leat_arena *leat_arena_new(size_t block_bytes, size_t keep_bytes)
{
    struct leat_arena *a = calloc(1, sizeof *a);
    if (a == NULL)
        no_memory(sizeof *a);
    a->block_bytes = block_bytes < BLOCK_BYTES_MIN ? BLOCK_BYTES_MIN : block_bytes;
    a->keep_bytes = keep_bytes;
    return a;
}

static void free_blocks(struct block *b)
{
    while (b != NULL) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
}

void leat_arena_free(struct leat_arena *a)
{
    if (a == NULL)
        return;
    free_blocks(a->current);
    free_blocks(a->spare);
    free(a);
}

void leat_arena_reset(struct leat_arena *a)
{
    struct block *b = a->current;
    size_t kept = 0;
    for (struct block *s = a->spare; s != NULL; s = s->next)
        kept += s->cap;
    a->current = NULL;
    a->used = 0;
    while (b != NULL) {
        struct block *next = b->next;
        if (kept + b->cap <= a->keep_bytes) {
            kept += b->cap;
            b->used = 0;
            b->next = a->spare;
            a->spare = b;
        } else {
            free(b);
        }
        b = next;
    }
}

static struct block *take_spare(struct leat_arena *a, size_t bytes)
{
    for (struct block **at = &a->spare; *at != NULL; at = &(*at)->next) {
        if ((*at)->cap < bytes)
            continue;
        struct block *b = *at;
        *at = b->next;
        return b;
    }
    return NULL;
}

static void add_block(struct leat_arena *a, size_t bytes)
{
    struct block *b = take_spare(a, bytes);
    if (b == NULL) {
        size_t cap = bytes > a->block_bytes ? bytes : a->block_bytes;
        b = malloc(sizeof *b + cap);
        if (b == NULL)
            no_memory(cap);
        b->cap = cap;
    }
    b->used = 0;
    b->next = a->current;
    a->current = b;
}

void *leat_arena_alloc(struct leat_arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        no_memory(bytes);
    size_t rounded = (bytes + (ALIGN - 1)) & ~(size_t)(ALIGN - 1);
    if (a->current == NULL || a->current->cap - a->current->used < rounded)
        add_block(a, rounded);
    struct block *b = a->current;
    void *at = b->bytes + b->used;
    b->used += rounded;
    a->used += rounded;
    return at;
}

void *leat_arena_zalloc(struct leat_arena *a, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        no_memory(SIZE_MAX);
    void *at = leat_arena_alloc(a, count * size);
    memset(at, 0, count * size);
    return at;
}

struct leat_str leat_arena_copy(struct leat_arena *a, struct leat_str s)
{
    if (s.len == 0)
        return (struct leat_str){"", 0};
    char *at = leat_arena_alloc(a, s.len);
    memcpy(at, s.at, s.len);
    return (struct leat_str){at, s.len};
}

char *leat_arena_cstr(struct leat_arena *a, struct leat_str s)
{
    char *at = leat_arena_alloc(a, (size_t)s.len + 1);
    if (s.len > 0)
        memcpy(at, s.at, s.len);
    at[s.len] = '\0';
    return at;
}

char *leat_arena_printf(struct leat_arena *a, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, fmt);
    int n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0)
        no_memory(strlen(fmt));
    char *at = leat_arena_cstr(a, (struct leat_str){text, (uint32_t)n});
    free(text);
    return at;
}

size_t leat_arena_used(const struct leat_arena *a)
{
    return a->used;
}

void *leat_arena_grow(struct leat_arena *a, void *array, size_t elem_bytes, size_t *cap,
                      size_t need)
{
    if (need <= *cap)
        return array;
    size_t grown = *cap < 4 ? 8 : *cap * 2;
    if (grown < need)
        grown = need;
    if (grown > SIZE_MAX / 2 / elem_bytes)
        no_memory(SIZE_MAX);
    void *at = leat_arena_alloc(a, grown * elem_bytes);
    if (*cap > 0)
        memcpy(at, array, *cap * elem_bytes);
    *cap = grown;
    return at;
}
