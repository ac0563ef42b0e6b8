#include <stdint.h>
#include <string.h>

#include "base/hash.h"
#include "store/migrate.h"

/* One line per file in migrations/, in order; a file that is released is never edited. */
#define MIGRATIONS(M)                                                                              \
    M(1, 0001_tables)                                                                              \
    M(2, 0002_append)                                                                              \
    M(3, 0003_ownership)                                                                           \
    M(4, 0004_reading)                                                                             \
    M(5, 0005_append_events)                                                                       \
    M(6, 0006_anchors)                                                                             \
    M(7, 0007_snapshots)                                                                           \
    M(8, 0008_waiting)                                                                             \
    M(9, 0009_crashes)                                                                             \
    M(10, 0010_effects)                                                                            \
    M(11, 0011_operators)                                                                          \
    M(12, 0012_upkeep)                                                                             \
    M(13, 0013_adopt)

#define DECLARE(number, file) extern const char leat_store_##file##_sql[];
MIGRATIONS(DECLARE)

#define ROW(number, file) {number, #file, leat_store_##file##_sql},
const struct leat_migration leat_migrations[] = {MIGRATIONS(ROW)};
const size_t leat_migration_count = sizeof leat_migrations / sizeof leat_migrations[0];

void leat_migration_hash(const struct leat_migration *m, char ret_hex[LEAT_MIGRATION_HASH])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[32];
    leat_sha256(m->sql, strlen(m->sql), digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        ret_hex[2 * i] = digits[digest[i] >> 4];
        ret_hex[2 * i + 1] = digits[digest[i] & 15];
    }
    ret_hex[2 * sizeof digest] = '\0';
}
