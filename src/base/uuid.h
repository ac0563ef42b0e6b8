/* uuid.h - 16-byte ids: random (v4), time-ordered (v7), named (v5, SHA-1). Any thread. */
#ifndef LEAT_BASE_UUID_H
#define LEAT_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#include "leat/str.h"

struct leat_uuid {
    uint8_t b[16];
};

#define LEAT_UUID_TEXT 37 /* 36 characters and NUL */

struct leat_uuid leat_uuid_v4(void);
struct leat_uuid leat_uuid_v7(int64_t unix_ms);
/* UUIDv5 of (space, name bytes). Hot path: about 150 ns, no allocation. */
struct leat_uuid leat_uuid_v5(const struct leat_uuid *space, const void *name, size_t len);
/* The id of the index-th event or command that `processor` makes from the input `id`: the same on
 * every execution. `kind` separates events ('e'), commands ('c') and outside calls ('x'). */
struct leat_uuid leat_uuid_child(const struct leat_uuid *id, struct leat_str processor, char kind,
                                 uint32_t index);
void leat_uuid_format(const struct leat_uuid *id, char ret_text[LEAT_UUID_TEXT]);
bool leat_uuid_parse(struct leat_str text, struct leat_uuid *ret_id); /* canonical form, any case */
bool leat_uuid_eq(const struct leat_uuid *a, const struct leat_uuid *b);

#endif
