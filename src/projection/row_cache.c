#include "projection/row_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/status.h"

#define MIN_BYTES   ((size_t)64 * 1024)
#define MAX_BYTES   ((size_t)4 << 30) /* places are counted in units of 8 bytes */
#define FIRST_SLOTS 1024
#define UNIT        8
#define CACHE_LINE  64
#define LARGE       16 /* a row takes at most this part of a generation */

struct entry { /* the key and the row follow */
    uint64_t hash;
    uint32_t epoch; /* of the slice, when it was written; 0 = void */
    int32_t slice;
    uint32_t key_len, row_len, room;
};

struct slot {       /* most of a hash tells other keys without a look at them, which is far away */
    uint32_t place; /* of the entry in units + 1; 0 = free */
    uint32_t mark;
};

struct generation {
    uint8_t *bytes;
    size_t used, n;
    struct slot *slots; /* open addressing */
    size_t n_slots;
    bool *has; /* per slice: something of it is here */
};

struct slice {
    uint32_t epoch;
    bool whole; /* what is not here does not exist */
};

struct leat_row_cache {
    int32_t n_slices;
    size_t max; /* of one generation */
    struct generation young, old;
    struct slice *slices;
};

/* ---- a generation ---- */

static void *zeroed(size_t n, size_t bytes)
{
    void *at = calloc(n, bytes);
    leat_assert(at != NULL);
    return at;
}

static void generation_init(struct generation *g, size_t max, int32_t slices)
{
    g->bytes = malloc(max); /* its pages are there once they are written */
    leat_assert(g->bytes != NULL);
    g->n_slots = FIRST_SLOTS;
    g->slots = zeroed(g->n_slots, sizeof *g->slots);
    g->has = zeroed((size_t)slices, sizeof *g->has);
}

static void generation_done(struct generation *g)
{
    free(g->bytes);
    free(g->slots);
    free(g->has);
}

static struct entry *entry_at(const struct generation *g, struct slot slot)
{
    return (struct entry *)(void *)(g->bytes + (size_t)(slot.place - 1) * UNIT);
}

static uint32_t mark_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static uint8_t *text_of(struct entry *e)
{
    return (uint8_t *)(e + 1);
}

/* The slot of the key: of its entry, or free for it. */
static size_t slot_of(const struct generation *g, int32_t slice, uint64_t hash, struct leat_str key)
{
    size_t at = hash & (g->n_slots - 1);
    for (; g->slots[at].place != 0; at = (at + 1) & (g->n_slots - 1)) {
        if (g->slots[at].mark != mark_of(hash))
            continue;
        struct entry *e = entry_at(g, g->slots[at]);
        if (e->hash == hash && e->slice == slice && e->key_len == key.len &&
            memcmp(text_of(e), key.at, key.len) == 0)
            break;
    }
    return at;
}

static struct entry *find(const struct generation *g, int32_t slice, uint64_t hash,
                          struct leat_str key)
{
    struct slot slot = g->slots[slot_of(g, slice, hash, key)];
    return slot.place == 0 ? NULL : entry_at(g, slot);
}

static void grow_slots(struct generation *g)
{
    size_t n = g->n_slots * 2;
    struct slot *slots = zeroed(n, sizeof *slots);
    for (size_t i = 0; i < g->n_slots; i++) {
        if (g->slots[i].place == 0)
            continue;
        size_t at = entry_at(g, g->slots[i])->hash & (n - 1);
        while (slots[at].place != 0)
            at = (at + 1) & (n - 1);
        slots[at] = g->slots[i];
    }
    free(g->slots);
    g->slots = slots;
    g->n_slots = n;
}

/* ---- the cache ---- */

struct leat_row_cache *leat_row_cache_new(int32_t slices, size_t max_bytes)
{
    struct leat_row_cache *c = zeroed(1, sizeof *c);
    c->n_slices = slices;
    c->max = max_bytes < MIN_BYTES ? 0 : max_bytes > MAX_BYTES ? MAX_BYTES / 2 : max_bytes / 2;
    c->slices = zeroed((size_t)slices, sizeof *c->slices);
    for (int32_t k = 0; k < slices; k++)
        c->slices[k].epoch = 1;
    if (c->max > 0) {
        generation_init(&c->young, c->max, slices);
        generation_init(&c->old, c->max, slices);
    }
    return c;
}

void leat_row_cache_free(struct leat_row_cache *c)
{
    if (c == NULL)
        return;
    generation_done(&c->young);
    generation_done(&c->old);
    free(c->slices);
    free(c);
}

void leat_row_cache_expect(const struct leat_row_cache *c, uint64_t hash, bool second_round)
{
    if (c->max == 0)
        return;
    const struct slot *slot = &c->young.slots[hash & (c->young.n_slots - 1)];
    if (!second_round) {
        __builtin_prefetch(slot);
    } else if (slot->place != 0) {
        const char *e = (const char *)entry_at(&c->young, *slot);
        __builtin_prefetch(e);
        __builtin_prefetch(e + CACHE_LINE);
        __builtin_prefetch(e + 2 * (size_t)CACHE_LINE);
    }
}

leat_row_cached leat_row_cache_get(const struct leat_row_cache *c, int32_t slice, uint64_t hash,
                                   struct leat_str key, struct leat_str *ret)
{
    const struct slice *s = &c->slices[slice];
    if (c->max == 0)
        return LEAT_CACHED_UNKNOWN;
    struct entry *e = find(&c->young, slice, hash, key);
    if (e == NULL)
        e = find(&c->old, slice, hash, key);
    if (e == NULL || e->epoch != s->epoch)
        return s->whole ? LEAT_CACHED_ABSENT : LEAT_CACHED_UNKNOWN;
    *ret = (struct leat_str){(const char *)text_of(e) + e->key_len, e->row_len};
    return e->row_len > 0 ? LEAT_CACHED_ROW : LEAT_CACHED_ABSENT;
}

static void turn(struct leat_row_cache *c)
{
    for (int32_t k = 0; k < c->n_slices; k++)
        c->slices[k].whole = c->slices[k].whole && !c->old.has[k];
    struct generation empty = c->old;
    empty.used = empty.n = 0;
    memset(empty.slots, 0, empty.n_slots * sizeof *empty.slots);
    memset(empty.has, 0, (size_t)c->n_slices * sizeof *empty.has);
    c->old = c->young;
    c->young = empty;
}

static void forget(struct leat_row_cache *c, int32_t slice, uint64_t hash, struct leat_str key)
{
    struct entry *young = find(&c->young, slice, hash, key);
    struct entry *old = find(&c->old, slice, hash, key);
    if (young != NULL)
        young->epoch = 0;
    if (old != NULL)
        old->epoch = 0;
    c->slices[slice].whole = false;
}

static void append(struct leat_row_cache *c, const struct entry *head, const char *key,
                   const char *row)
{
    struct generation *g = &c->young;
    if ((g->n + 1) * 2 > g->n_slots)
        grow_slots(g);
    struct entry *e = (struct entry *)(void *)(g->bytes + g->used);
    struct leat_str name = {key, head->key_len};
    size_t slot = slot_of(g, head->slice, head->hash, name);
    *e = *head;
    memcpy(text_of(e), key, head->key_len);
    if (head->row_len > 0)
        memcpy(text_of(e) + head->key_len, row, head->row_len);
    g->n += g->slots[slot].place == 0;
    g->slots[slot] = (struct slot){(uint32_t)(g->used / UNIT) + 1, mark_of(head->hash)};
    g->used += sizeof *e + head->key_len + head->room;
    g->has[head->slice] = true;
}

void leat_row_cache_put(struct leat_row_cache *c, int32_t slice, uint64_t hash, struct leat_str key,
                        struct leat_str row)
{
    if (c->max == 0)
        return;
    struct entry *e = find(&c->young, slice, hash, key);
    if (e != NULL && e->room >= row.len) {
        if (row.len > 0)
            memcpy(text_of(e) + key.len, row.at, row.len);
        e->row_len = row.len;
        e->epoch = c->slices[slice].epoch;
        return;
    }
    size_t bytes = (sizeof *e + key.len + row.len + UNIT - 1) / UNIT * UNIT;
    if (bytes > c->max / LARGE) {
        forget(c, slice, hash, key);
        return;
    }
    if (c->young.used + bytes > c->max)
        turn(c);
    struct entry head = {.hash = hash,
                         .epoch = c->slices[slice].epoch,
                         .slice = slice,
                         .key_len = key.len,
                         .row_len = row.len,
                         .room = (uint32_t)(bytes - sizeof *e - key.len)};
    append(c, &head, key.at, row.at);
}

void leat_row_cache_drop(struct leat_row_cache *c, int32_t slice, bool empty)
{
    struct slice *s = &c->slices[slice];
    s->epoch = s->epoch == UINT32_MAX ? 1 : s->epoch + 1;
    s->whole = empty && c->max > 0;
}
