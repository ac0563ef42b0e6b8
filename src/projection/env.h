/* env.h - one LMDB environment (one version of one model), and the only user of LMDB's handles.
 *
 * A process opens an environment once: leat_env_open() of the same folder gives the same handle,
 * counted. Any thread reads through a bounded pool of reset transactions (RETRY when none comes
 * free within 5 s); one thread writes at a time. Durability: a commit waits for the data, not for
 * the meta page (MDB_NOMETASYNC): power loss may take the last transaction back, rows and
 * checkpoints together. */
#ifndef LEAT_PROJECTION_ENV_H
#define LEAT_PROJECTION_ENV_H

#include <lmdb.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "leat/str.h"

struct leat_env;

typedef enum leat_env_db {
    LEAT_DB_ROWS = 0,
    LEAT_DB_INDEX,
    LEAT_DB_META,
    LEAT_DB_SKIPPED,
    LEAT_DB_EXPIRY, /* of rows with a `ttl`: when each goes; readers do without */
    LEAT_DB_COUNT,
} leat_env_db;

/* `create` makes folder and databases; without it a missing environment is ABSENT. map_bytes: first
 * size of the map (sparse; 0 = 16 GiB); it doubles when full. */
LEAT_MUST_CHECK leat_status leat_env_open(const char *dir, bool create, size_t map_bytes,
                                          struct leat_env **ret, struct leat_error *err);
/* The folder and those above it; those that are there stay. */
LEAT_MUST_CHECK leat_status leat_env_make_folders(const char *dir, struct leat_error *err);
void leat_env_close(struct leat_env *e); /* NULL allowed; the last one closes */
/* Sets *err from an LMDB result code. MDB_MAP_FULL is remembered: leat_env_write() retries. */
leat_status leat_env_fail(struct leat_env *e, int rc, struct leat_error *err, const char *doing);

/* Values point into the map: valid until the transaction ends or (writes) the next put. */
struct leat_env_txn {
    struct leat_env *env;
    MDB_txn *txn;
    MDB_dbi dbi[LEAT_DB_COUNT];
    int slot; /* private */
};

LEAT_MUST_CHECK leat_status leat_env_read_begin(struct leat_env *e, struct leat_env_txn *ret,
                                                struct leat_error *err);
void leat_env_read_end(struct leat_env_txn *t);

/* Runs `body` in one write transaction and commits it. When the map is full: aborts, doubles the
 * map, runs the body again, so it must start from its inputs. A body that fails aborts. */
typedef leat_status (*leat_env_body)(struct leat_env_txn *t, void *arg, struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_env_write(struct leat_env *e, leat_env_body body, void *arg,
                                           struct leat_error *err);
/* ABSENT without such a key. */
LEAT_MUST_CHECK leat_status leat_env_get(struct leat_env_txn *t, leat_env_db db,
                                         struct leat_str key, struct leat_str *ret,
                                         struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_env_put(struct leat_env_txn *t, leat_env_db db,
                                         struct leat_str key, struct leat_str value,
                                         struct leat_error *err);
/* Removing what is not there is fine. */
LEAT_MUST_CHECK leat_status leat_env_delete(struct leat_env_txn *t, leat_env_db db,
                                            struct leat_str key, struct leat_error *err);

/* The environment as it stands, into the file `data.mdb` of another folder, which is there; a
 * reader for as long as that takes. `compact`: without its free pages. */
LEAT_MUST_CHECK leat_status leat_env_copy(struct leat_env *e, const char *dir, bool compact,
                                          struct leat_error *err);
/* Lazy: commits do not wait for the disk, which a kill survives and a machine going down need not.
 * Back: what was written is on the disk. */
LEAT_MUST_CHECK leat_status leat_env_lazy(struct leat_env *e, bool lazy, struct leat_error *err);

struct leat_env_readers {    /* of all processes */
    uint64_t slots, reading; /* taken; within a transaction now */
    uint64_t oldest_txn;     /* that the oldest of those reads */
    uint64_t oldest_behind;  /* transactions committed since */
    int64_t oldest_pid;
};
/* Gives free the slots of processes that are gone, and looks at the others. */
void leat_env_readers(struct leat_env *e, struct leat_env_readers *ret);

struct leat_env_figures {
    uint64_t used_bytes, map_bytes, rows;
};
LEAT_MUST_CHECK leat_status leat_env_figures(struct leat_env *e, struct leat_env_figures *ret,
                                             struct leat_error *err);

#endif
