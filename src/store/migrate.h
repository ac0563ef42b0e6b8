/* migrate.h - private to src/store: the numbered SQL files built into the binary, oldest first. */
#ifndef LEAT_STORE_MIGRATE_H
#define LEAT_STORE_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

struct leat_migration {
    int number; /* dense from 1 */
    const char *name;
    const char *sql; /* @schema@ stands for the quoted schema */
};

extern const struct leat_migration leat_migrations[];
extern const size_t leat_migration_count;

/* Every `@schema@` of a migration becomes the schema's name. */
void leat_migration_put(struct leat_buf *to, const char *sql, const char *quoted);

struct leat_applied {
    size_t count; /* known to this binary, from 1 without a hole */
    bool newer;   /* the store has more */
    int differs;  /* number of a migration with another text, or 0 */
};
struct leat_store;
/* ABSENT: there is no store yet. */
LEAT_MUST_CHECK leat_status leat_store_applied(struct leat_store *s, struct leat_applied *ret,
                                               struct leat_error *err);

#define LEAT_MIGRATION_HASH 65 /* 64 hex digits of SHA-256 and NUL */
void leat_migration_hash(const struct leat_migration *m, char ret_hex[LEAT_MIGRATION_HASH]);

#endif
