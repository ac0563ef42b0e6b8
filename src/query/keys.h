/* keys.h - bodies of the commands sent lately with an idempotency key, as hashes by command id, so
 * that the same key with another body is told apart. Bounded: the oldest goes first. Any thread. */
#ifndef LEAT_QUERY_KEYS_H
#define LEAT_QUERY_KEYS_H

#include "base/uuid.h"
#include "leat/str.h"

struct leat_keys;

struct leat_keys *leat_keys_new(size_t max);
void leat_keys_free(struct leat_keys *k);
typedef enum leat_key_seen {
    LEAT_KEY_NEW,   /* kept now */
    LEAT_KEY_SAME,  /* the same command again */
    LEAT_KEY_OTHER, /* another type or body under this id */
} leat_key_seen;
leat_key_seen leat_keys_check(struct leat_keys *k, const struct leat_uuid *id, struct leat_str type,
                              struct leat_str body);
/* The command was refused before it was one: its key is free again. */
void leat_keys_forget(struct leat_keys *k, const struct leat_uuid *id);

#endif
