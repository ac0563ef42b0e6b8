/* The rows of a read model put into an empty LMDB environment, without waiting for the disk until
 * the end: the part of a rebuild's floor that is LMDB's.
 *
 * usage: bench_rebuild_puts <folder of a version> <empty folder> [rows per transaction] */
#include <lmdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAP_BYTES ((size_t)16 << 30)

struct rows {
    MDB_val *keys, *values;
    size_t n, cap;
};

static double now_s(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void must(int rc, const char *what)
{
    if (rc == 0)
        return;
    (void)fprintf(stderr, "%s: %s\n", what, mdb_strerror(rc));
    exit(1);
}

static MDB_val copied(MDB_val v)
{
    void *bytes = malloc(v.mv_size);
    if (bytes == NULL)
        exit(1);
    memcpy(bytes, v.mv_data, v.mv_size);
    return (MDB_val){v.mv_size, bytes};
}

static void add(struct rows *r, MDB_val key, MDB_val value)
{
    if (r->n == r->cap) {
        r->cap = r->cap == 0 ? 1024 : r->cap * 2;
        r->keys = realloc(r->keys, r->cap * sizeof *r->keys);
        r->values = realloc(r->values, r->cap * sizeof *r->values);
        if (r->keys == NULL || r->values == NULL)
            exit(1);
    }
    r->keys[r->n] = copied(key);
    r->values[r->n++] = copied(value);
}

static MDB_env *opened(const char *dir, unsigned flags)
{
    MDB_env *env = NULL;
    must(mdb_env_create(&env), dir);
    must(mdb_env_set_maxdbs(env, 4), dir);
    must(mdb_env_set_mapsize(env, MAP_BYTES), dir);
    must(mdb_env_open(env, dir, flags, 0640), dir);
    return env;
}

static void read_rows(const char *dir, struct rows *r)
{
    MDB_env *env = opened(dir, MDB_RDONLY);
    MDB_txn *txn = NULL;
    MDB_dbi dbi;
    MDB_cursor *cursor = NULL;
    MDB_val k, v;
    must(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "read");
    must(mdb_dbi_open(txn, "rows", 0, &dbi), "rows");
    must(mdb_cursor_open(txn, dbi, &cursor), "rows");
    while (mdb_cursor_get(cursor, &k, &v, MDB_NEXT) == 0)
        add(r, k, v);
    mdb_cursor_close(cursor);
    mdb_txn_abort(txn);
    mdb_env_close(env);
}

/* Rows come in the order in which their streams began, not in that of their keys. */
static void shuffle(struct rows *r)
{
    uint64_t x = 88172645463325252ULL;
    for (size_t i = r->n; i > 1; i--) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        size_t j = (size_t)(x % i);
        MDB_val k = r->keys[i - 1], v = r->values[i - 1];
        r->keys[i - 1] = r->keys[j];
        r->values[i - 1] = r->values[j];
        r->keys[j] = k;
        r->values[j] = v;
    }
}

static void put_rows(MDB_env *env, struct rows *r, size_t batch)
{
    MDB_txn *txn = NULL;
    MDB_dbi dbi;
    for (size_t i = 0; i < r->n;) {
        must(mdb_txn_begin(env, NULL, 0, &txn), "write");
        must(mdb_dbi_open(txn, "rows", MDB_CREATE, &dbi), "rows");
        for (size_t j = 0; j < batch && i < r->n; j++, i++)
            must(mdb_put(txn, dbi, &r->keys[i], &r->values[i], 0), "put");
        must(mdb_txn_commit(txn), "commit");
    }
    must(mdb_env_sync(env, 1), "sync");
}

int main(int argc, char **argv)
{
    struct rows r = {0};
    if (argc < 3) {
        (void)fprintf(stderr, "usage: bench_rebuild_puts <version> <empty folder> [batch]\n");
        return 2;
    }
    size_t batch = argc > 3 ? (size_t)strtoull(argv[3], NULL, 10) : 1000;
    read_rows(argv[1], &r);
    shuffle(&r);
    MDB_env *env = opened(argv[2], MDB_NOSYNC);
    double from = now_s();
    put_rows(env, &r, batch);
    (void)printf("{\"rows\":%zu,\"seconds\":%.4f}\n", r.n, now_s() - from);
    mdb_env_close(env);
    return 0;
}
