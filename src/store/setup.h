/* setup.h - making, upgrading and checking a store; schemas registered in it. Part of store.h, with
 * its rules about threads and errors; the migrations are in migrations/. */
#ifndef LEAT_STORE_SETUP_H
#define LEAT_STORE_SETUP_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "leat/str.h"

struct leat_store;

struct leat_store_layout {
    int32_t partitions;
    const char *const *processors; /* fence rows are made for each x k */
    size_t processor_count;
};
/* Creates or upgrades schema, tables, functions; makes rows of slices, published, owners.
 * Idempotent, forward only, refuses (INVALID) another partition count. Says what it did through
 * `log`. */
LEAT_MUST_CHECK leat_status leat_store_migrate(struct leat_store *s,
                                               const struct leat_store_layout *layout,
                                               void (*log)(void *arg, const char *line), void *arg,
                                               struct leat_error *err);
/* ABSENT with a hint naming `leat apply` when the store is not ready for this binary; FATAL when
 * Postgres' system identifier or timeline is not the recorded one, or a migration differs. */
LEAT_MUST_CHECK leat_status leat_store_check(struct leat_store *s, int32_t partitions,
                                             struct leat_error *err);
struct leat_schema_row {
    int32_t id;
    struct leat_str subject, text;
};
/* Registers `text` under `subject` unless its newest version is the same text; gives the id. */
LEAT_MUST_CHECK leat_status leat_store_put_schema(struct leat_store *s, struct leat_str subject,
                                                  struct leat_str text, int32_t *ret_id,
                                                  struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_store_schemas(struct leat_store *s, struct leat_arena *arena,
                                               struct leat_schema_row **ret, size_t *ret_n,
                                               struct leat_error *err);

#endif
