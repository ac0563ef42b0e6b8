/* migrate.h - private to src/store: the numbered SQL files built into the binary, oldest first. */
#ifndef LEAT_STORE_MIGRATE_H
#define LEAT_STORE_MIGRATE_H

#include <stddef.h>

struct leat_migration {
    int number; /* dense from 1 */
    const char *name;
    const char *sql; /* @schema@ stands for the quoted schema */
};

extern const struct leat_migration leat_migrations[];
extern const size_t leat_migration_count;

#define LEAT_MIGRATION_HASH 65 /* 64 hex digits of SHA-256 and NUL */
void leat_migration_hash(const struct leat_migration *m, char ret_hex[LEAT_MIGRATION_HASH]);

#endif
