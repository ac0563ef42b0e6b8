#include "worker/cache.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/status.h"

#define CACHE_SLOTS_MIN 256

struct cache_entry {
    uint64_t hash;
    int64_t version, as_of;
    uint32_t generation; /* of its slice when it was put: older ones are dead */
    int32_t k;
    uint32_t key_len, state_len, state_room;
    bool used;    /* since the hand last passed */
    char bytes[]; /* key, then state */
};

struct leat_cache {
    struct cache_entry **slots;
    size_t cap, count, bytes, max_bytes, hand;
    uint32_t *generations; /* [partitions] */
    int32_t partitions;
};

static size_t entry_bytes(const struct cache_entry *e)
{
    return sizeof *e + e->key_len + e->state_room + sizeof(void *) * 2;
}

static void *need(void *p)
{
    leat_assert(p != NULL);
    return p;
}

struct leat_cache *leat_cache_new(size_t max_bytes, int32_t partitions)
{
    struct leat_cache *c = need(calloc(1, sizeof *c));
    c->cap = CACHE_SLOTS_MIN;
    c->slots = need(calloc(c->cap, sizeof(struct cache_entry *)));
    c->generations = need(calloc((size_t)partitions, sizeof *c->generations));
    c->max_bytes = max_bytes;
    c->partitions = partitions;
    return c;
}

void leat_cache_free(struct leat_cache *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->cap; i++)
        free(c->slots[i]);
    free(c->slots);
    free(c->generations);
    free(c);
}

static bool matches(const struct cache_entry *e, uint64_t hash, struct leat_str key)
{
    return e->hash == hash && e->key_len == key.len && memcmp(e->bytes, key.at, key.len) == 0;
}

static size_t find(const struct leat_cache *c, uint64_t hash, struct leat_str key)
{
    size_t i = hash & (c->cap - 1);
    while (c->slots[i] != NULL && !matches(c->slots[i], hash, key))
        i = (i + 1) & (c->cap - 1);
    return i;
}

/* Empties slot i and moves later members of its run back, so that no tombstones are needed. */
static void remove_at(struct leat_cache *c, size_t i)
{
    c->bytes -= entry_bytes(c->slots[i]);
    c->count--;
    free(c->slots[i]);
    c->slots[i] = NULL;
    for (size_t j = (i + 1) & (c->cap - 1); c->slots[j] != NULL; j = (j + 1) & (c->cap - 1)) {
        size_t home = c->slots[j]->hash & (c->cap - 1);
        bool stays = i <= j ? (i < home && home <= j) : (i < home || home <= j);
        if (stays)
            continue;
        c->slots[i] = c->slots[j];
        c->slots[j] = NULL;
        i = j;
    }
}

static void grow(struct leat_cache *c)
{
    struct cache_entry **old = c->slots;
    size_t old_cap = c->cap;
    c->cap *= 2;
    c->slots = need(calloc(c->cap, sizeof(struct cache_entry *)));
    for (size_t i = 0; i < old_cap; i++) {
        if (old[i] == NULL)
            continue;
        size_t j = old[i]->hash & (c->cap - 1);
        while (c->slots[j] != NULL)
            j = (j + 1) & (c->cap - 1);
        c->slots[j] = old[i];
    }
    free(old);
    c->hand = 0;
}

static bool alive(const struct leat_cache *c, const struct cache_entry *e)
{
    return e->generation == c->generations[e->k];
}

/* Every entry is passed at most twice: the first pass takes its `used` away. */
static void evict(struct leat_cache *c)
{
    while (c->bytes > c->max_bytes && c->count > 0) {
        c->hand = (c->hand + 1) & (c->cap - 1);
        struct cache_entry *e = c->slots[c->hand];
        if (e == NULL)
            continue;
        if (e->used && alive(c, e))
            e->used = false;
        else
            remove_at(c, c->hand);
    }
}

bool leat_cache_get(struct leat_cache *c, int32_t k, struct leat_str key, struct leat_cached *ret)
{
    struct cache_entry *e = c->slots[find(c, leat_hash64(key.at, key.len, 0), key)];
    if (e == NULL || e->k != k || !alive(c, e))
        return false;
    e->used = true;
    *ret = (struct leat_cached){e->version, e->as_of, {e->bytes + e->key_len, e->state_len}};
    return true;
}

static struct cache_entry *entry_new(uint64_t hash, struct leat_str key, uint32_t state_len)
{
    uint32_t room = state_len + state_len / 4 + 8; /* states tend to grow a little */
    struct cache_entry *e = need(malloc(sizeof *e + key.len + room));
    e->hash = hash;
    e->key_len = key.len;
    e->state_room = room;
    e->used = true;
    memcpy(e->bytes, key.at, key.len);
    return e;
}

void leat_cache_put(struct leat_cache *c, int32_t k, struct leat_str key,
                    const struct leat_cached *value)
{
    uint64_t hash = leat_hash64(key.at, key.len, 0);
    size_t i = find(c, hash, key);
    struct cache_entry *e = c->slots[i];
    if (e != NULL && e->state_room < value->state.len) {
        remove_at(c, i);
        i = find(c, hash, key);
        e = NULL;
    }
    if (e == NULL) {
        e = c->slots[i] = entry_new(hash, key, value->state.len);
        c->count++;
        c->bytes += entry_bytes(e);
    }
    e->k = k;
    e->generation = c->generations[k];
    e->version = value->version;
    e->as_of = value->as_of;
    e->state_len = value->state.len;
    if (value->state.len > 0)
        memcpy(e->bytes + e->key_len, value->state.at, value->state.len);
    e->used = true;
    evict(c);
    if (c->count * 4 > c->cap * 3)
        grow(c);
}

void leat_cache_drop(struct leat_cache *c, int32_t k, struct leat_str key)
{
    size_t i = find(c, leat_hash64(key.at, key.len, 0), key);
    if (c->slots[i] != NULL && c->slots[i]->k == k)
        remove_at(c, i);
}

void leat_cache_drop_slice(struct leat_cache *c, int32_t k)
{
    leat_assert(k >= 0 && k < c->partitions);
    c->generations[k]++;
}

size_t leat_cache_bytes(const struct leat_cache *c)
{
    return c->bytes;
}

size_t leat_cache_count(const struct leat_cache *c)
{
    return c->count;
}
