#include "base/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define CAP_MIN    16
#define KEY_INLINE 16

struct leat_table_slot {
    uint64_t hash; /* 0 is a free slot */
    uint64_t value;
    uint32_t len;
    union { /* short keys live in the slot */
        char small[KEY_INLINE];
        char *big;
    } key;
};

static const char *key_at(const struct leat_table_slot *s)
{
    return s->len <= KEY_INLINE ? s->key.small : s->key.big;
}

static void *allocate(size_t count, size_t size)
{
    void *at = calloc(count, size);
    if (at == NULL) {
        (void)fprintf(stderr, "leat: out of memory (%zu bytes asked for)\n", count * size);
        abort();
    }
    return at;
}

static uint64_t hash_of(struct leat_str key)
{
    uint64_t h = leat_hash64(key.at, key.len, 0);
    return h == 0 ? 1 : h;
}

static struct leat_table_slot *find(const struct leat_table *t, struct leat_str key, uint64_t hash)
{
    if (t->cap == 0)
        return NULL;
    for (size_t i = (size_t)hash & (t->cap - 1);; i = (i + 1) & (t->cap - 1)) {
        struct leat_table_slot *s = &t->slots[i];
        if (s->hash == 0)
            return NULL;
        if (s->hash == hash && leat_str_eq((struct leat_str){key_at(s), s->len}, key))
            return s;
    }
}

static struct leat_table_slot *free_slot(struct leat_table *t, uint64_t hash)
{
    size_t i = (size_t)hash & (t->cap - 1);
    while (t->slots[i].hash != 0)
        i = (i + 1) & (t->cap - 1);
    return &t->slots[i];
}

static void grow(struct leat_table *t)
{
    struct leat_table grown = {.cap = t->cap == 0 ? CAP_MIN : t->cap * 2, .count = t->count};
    grown.slots = allocate(grown.cap, sizeof *grown.slots);
    for (size_t i = 0; i < t->cap; i++) {
        if (t->slots[i].hash != 0)
            *free_slot(&grown, t->slots[i].hash) = t->slots[i];
    }
    free(t->slots);
    *t = grown;
}

void leat_table_done(struct leat_table *t)
{
    for (size_t i = 0; i < t->cap; i++) {
        if (t->slots[i].hash != 0 && t->slots[i].len > KEY_INLINE)
            free(t->slots[i].key.big);
    }
    free(t->slots);
    *t = (struct leat_table){0};
}

bool leat_table_get(const struct leat_table *t, struct leat_str key, uint64_t *ret_value)
{
    const struct leat_table_slot *s = find(t, key, hash_of(key));
    if (s == NULL)
        return false;
    *ret_value = s->value;
    return true;
}

uint64_t *leat_table_at(struct leat_table *t, struct leat_str key, bool *ret_created)
{
    uint64_t hash = hash_of(key);
    struct leat_table_slot *s = find(t, key, hash);
    if (ret_created != NULL)
        *ret_created = s == NULL;
    if (s != NULL)
        return &s->value;
    if (t->count + 1 > t->cap - t->cap / 4)
        grow(t);
    s = free_slot(t, hash);
    *s = (struct leat_table_slot){.hash = hash, .len = key.len};
    if (key.len > KEY_INLINE)
        s->key.big = allocate(1, key.len);
    if (key.len > 0)
        memcpy(key.len > KEY_INLINE ? s->key.big : s->key.small, key.at, key.len);
    t->count++;
    return &s->value;
}

void leat_table_put(struct leat_table *t, struct leat_str key, uint64_t value)
{
    *leat_table_at(t, key, NULL) = value;
}

/* Moves later entries of the run back over the hole, so that no tombstones pile up. */
static void close_hole(struct leat_table *t, size_t hole)
{
    size_t mask = t->cap - 1;
    for (size_t i = (hole + 1) & mask; t->slots[i].hash != 0; i = (i + 1) & mask) {
        size_t home = (size_t)t->slots[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* it is between its home and here: the hole is before its home */
        t->slots[hole] = t->slots[i];
        hole = i;
    }
    t->slots[hole].hash = 0;
}

bool leat_table_delete(struct leat_table *t, struct leat_str key)
{
    struct leat_table_slot *s = find(t, key, hash_of(key));
    if (s == NULL)
        return false;
    if (s->len > KEY_INLINE)
        free(s->key.big);
    close_hole(t, (size_t)(s - t->slots));
    t->count--;
    return true;
}
