#include "query/keys.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/status.h"
#include "base/table.h"

struct leat_keys {
    pthread_mutex_t lock;
    struct leat_table table; /* id -> hash */
    struct leat_uuid *ring;  /* in the order they came */
    size_t max, next, count;
};

struct leat_keys *leat_keys_new(size_t max)
{
    struct leat_keys *k = calloc(1, sizeof *k);
    leat_assert(k != NULL && max > 0);
    k->ring = calloc(max, sizeof *k->ring);
    leat_assert(k->ring != NULL);
    k->max = max;
    (void)pthread_mutex_init(&k->lock, NULL);
    return k;
}

void leat_keys_free(struct leat_keys *k)
{
    if (k == NULL)
        return;
    leat_table_done(&k->table);
    (void)pthread_mutex_destroy(&k->lock);
    free(k->ring);
    free(k);
}

static struct leat_str id_str(const struct leat_uuid *id)
{
    return (struct leat_str){(const char *)id->b, sizeof id->b};
}

static void forget_oldest(struct leat_keys *k)
{
    if (k->count == k->max) {
        (void)leat_table_delete(&k->table, id_str(&k->ring[k->next]));
    } else {
        k->count++;
    }
}

leat_key_seen leat_keys_check(struct leat_keys *k, const struct leat_uuid *id, struct leat_str type,
                              struct leat_str body)
{
    uint64_t seed = leat_hash64(type.at, type.len, 1);
    uint64_t hash = leat_hash64(body.at, body.len, seed), known = 0;
    (void)pthread_mutex_lock(&k->lock);
    leat_key_seen seen = LEAT_KEY_NEW;
    if (leat_table_get(&k->table, id_str(id), &known)) {
        seen = known == hash ? LEAT_KEY_SAME : LEAT_KEY_OTHER;
    } else {
        forget_oldest(k);
        k->ring[k->next] = *id;
        k->next = (k->next + 1) % k->max;
        leat_table_put(&k->table, id_str(id), hash);
    }
    (void)pthread_mutex_unlock(&k->lock);
    return seen;
}

void leat_keys_forget(struct leat_keys *k, const struct leat_uuid *id)
{
    (void)pthread_mutex_lock(&k->lock);
    (void)leat_table_delete(&k->table, id_str(id));
    (void)pthread_mutex_unlock(&k->lock);
}
