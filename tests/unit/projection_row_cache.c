/* Rows that are remembered: never another than the last one written, whatever was forgotten. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "projection/row_cache.h"

#define SLICES 3
#define KEYS   500
#define STEPS  200000

struct kept { /* what is true of a key */
    bool written;
    uint32_t version, len; /* len 0: no row */
};

static uint64_t state;

static uint32_t below(uint32_t n)
{
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(state >> 33) % n;
}

static struct leat_str key_of(uint32_t i, char text[32])
{
    int n = snprintf(text, 32, "key-%u", i);
    return (struct leat_str){text, (uint32_t)n};
}

static uint64_t hash_of(int32_t slice, struct leat_str key)
{
    return leat_hash64(key.at, key.len, (uint64_t)slice);
}

static struct leat_str row_of(uint32_t version, uint32_t len, char *text)
{
    memset(text, 'a' + (int)(version % 26), len);
    return (struct leat_str){text, len};
}

static void put(struct leat_row_cache *c, int32_t slice, uint32_t i, const struct kept *k)
{
    static char row[1 << 16];
    char text[32];
    struct leat_str key = key_of(i, text);
    leat_row_cache_put(c, slice, hash_of(slice, key), key, row_of(k->version, k->len, row));
}

static leat_row_cached get(const struct leat_row_cache *c, int32_t slice, uint32_t i,
                           const struct kept *k)
{
    static char row[1 << 16];
    char text[32];
    struct leat_str key = key_of(i, text), found = {NULL, 0};
    leat_row_cache_expect(c, hash_of(slice, key), false);
    leat_row_cache_expect(c, hash_of(slice, key), true);
    leat_row_cached what = leat_row_cache_get(c, slice, hash_of(slice, key), key, &found);
    if (what == LEAT_CACHED_ROW)
        cr_assert(leat_str_eq(found, row_of(k->version, k->len, row)));
    if (what == LEAT_CACHED_ABSENT)
        cr_assert(k->len == 0);
    return what;
}

static void drive(size_t max_bytes, uint64_t *ret_known)
{
    static struct kept kept[SLICES][KEYS];
    struct leat_row_cache *c = leat_row_cache_new(SLICES, max_bytes);
    memset(kept, 0, sizeof kept);
    *ret_known = 0;
    for (int32_t k = 0; k < SLICES; k++)
        leat_row_cache_drop(c, k, true);
    for (uint32_t step = 1; step <= STEPS; step++) {
        int32_t slice = (int32_t)below(SLICES);
        uint32_t i = below(KEYS);
        struct kept *k = &kept[slice][i];
        if (below(1000) == 0) { /* somebody else writes: nothing is known */
            leat_row_cache_drop(c, slice, false);
            for (uint32_t j = 0; j < KEYS; j++)
                kept[slice][j].len = kept[slice][j].len > 0 ? kept[slice][j].len + 1 : 0;
        } else if (below(5000) == 0) { /* cleared */
            leat_row_cache_drop(c, slice, true);
            memset(kept[slice], 0, sizeof kept[slice]);
        } else if (below(2) == 0) {
            *k = (struct kept){true, step, below(10) == 0 ? 0 : below(50) == 0 ? 9000 : below(300)};
            put(c, slice, i, k);
        } else {
            *ret_known += get(c, slice, i, k) != LEAT_CACHED_UNKNOWN;
        }
    }
    leat_row_cache_free(c);
}

Test(row_cache, tells_the_last_row_or_nothing)
{
    uint64_t known = 0;
    drive((size_t)64 << 20, &known);
    cr_assert_gt(known, STEPS / 4);
    drive((size_t)200 << 10, &known); /* a fraction fits */
    cr_assert_gt(known, 0);
    cr_assert_lt(known, STEPS / 2);
    drive(0, &known);
    cr_assert_eq(known, 0);
}

Test(row_cache, a_slice_that_began_empty_is_whole_until_something_is_forgotten)
{
    struct leat_row_cache *c = leat_row_cache_new(SLICES, 64 * 1024);
    const struct kept none = {0};
    struct kept row = {true, 1, 200};
    cr_assert_eq(get(c, 0, 1, &none), LEAT_CACHED_UNKNOWN);
    leat_row_cache_drop(c, 0, true);
    leat_row_cache_drop(c, 1, true);
    cr_assert_eq(get(c, 0, 1, &none), LEAT_CACHED_ABSENT);
    for (uint32_t i = 0; i < KEYS; i++)
        put(c, 0, i, &row);
    cr_assert_eq(get(c, 0, KEYS - 1, &row), LEAT_CACHED_ROW);
    cr_assert_eq(get(c, 0, 0, &row), LEAT_CACHED_UNKNOWN);
    cr_assert_eq(get(c, 0, KEYS, &none), LEAT_CACHED_UNKNOWN);
    cr_assert_eq(get(c, 1, KEYS, &none), LEAT_CACHED_ABSENT);
    leat_row_cache_free(c);
}
