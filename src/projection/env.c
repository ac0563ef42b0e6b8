#include "projection/env.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define FIRST_MAP_BYTES ((size_t)16 << 30)
#define LAST_MAP_BYTES  ((size_t)1 << 42)
#define READERS_MAX     512 /* slots in the lock file, shared by all processes */
#define POOL_MAX        16  /* reading transactions at once in this process */
#define READ_WAIT_S     5   /* for one of them */
#define FULL_BYTES      ((uint64_t)1 << 20)
#define FOLDER_MODE     0750
#define FILE_MODE       0640

struct leat_env {
    struct leat_env *next; /* registry */
    dev_t dev;
    ino_t ino;
    int users;
    MDB_env *mdb;
    MDB_dbi dbi[LEAT_DB_COUNT];
    bool read_only, map_full;
    /* Held shared by every transaction, exclusively while the map is resized: LMDB does not check.
     */
    pthread_rwlock_t map_lock;
    MDB_txn *pool[POOL_MAX];
    atomic_bool busy[POOL_MAX];
    atomic_int waiting; /* for one that is not busy: then the lock */
    pthread_mutex_t pool_lock;
    pthread_cond_t pool_free;
};

static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;
static struct leat_env *registry;

static const char *const db_names[LEAT_DB_COUNT] = {"rows", "index", "meta", "skipped", "expiry"};

/* LMDB says EIO when the disk took only a part of what it wrote. */
static bool is_disk_full(struct leat_env *e)
{
    const char *path = NULL;
    struct statvfs disk;
    return mdb_env_get_path(e->mdb, &path) == 0 && statvfs(path, &disk) == 0 &&
           (uint64_t)disk.f_bavail * disk.f_frsize < FULL_BYTES;
}

leat_status leat_env_fail(struct leat_env *e, int rc, struct leat_error *err, const char *doing)
{
    if (rc == MDB_MAP_FULL && e != NULL)
        e->map_full = true;
    if (rc == EIO && e != NULL && is_disk_full(e))
        rc = ENOSPC;
    leat_status status = rc == MDB_NOTFOUND || rc == ENOENT ? LEAT_ABSENT : LEAT_FATAL;
    return leat_fail(err, status, "could not %s: %s", doing, mdb_strerror(rc));
}

leat_status leat_env_make_folders(const char *dir, struct leat_error *err)
{
    char path[4096];
    size_t len = strlen(dir);
    if (len == 0 || len >= sizeof path)
        return leat_fail(err, LEAT_INVALID, "could not create folder '%s': bad length", dir);
    memcpy(path, dir, len + 1);
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        char kept = path[i];
        path[i] = 0;
        if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST) {
            return leat_fail(err, LEAT_FATAL, "could not create folder '%s': %s", path,
                             strerror(errno));
        }
        path[i] = kept;
    }
    return LEAT_OK;
}

static int open_dbs(struct leat_env *e, bool create)
{
    MDB_txn *txn = NULL;
    int rc = mdb_txn_begin(e->mdb, NULL, create ? 0 : MDB_RDONLY, &txn);
    for (int i = 0; rc == 0 && i < LEAT_DB_COUNT; i++) {
        rc = mdb_dbi_open(txn, db_names[i], create ? MDB_CREATE : 0, &e->dbi[i]);
        if (rc == MDB_NOTFOUND && i == LEAT_DB_EXPIRY)
            rc = 0; /* made before there was one */
    }
    if (rc == 0)
        return mdb_txn_commit(txn);
    if (txn != NULL)
        mdb_txn_abort(txn);
    return rc;
}

static int open_mdb(struct leat_env *e, const char *dir, bool create, size_t map_bytes)
{
    int rc = mdb_env_create(&e->mdb);
    if (rc == 0)
        rc = mdb_env_set_maxdbs(e->mdb, LEAT_DB_COUNT);
    if (rc == 0)
        rc = mdb_env_set_maxreaders(e->mdb, READERS_MAX);
    if (rc == 0)
        rc = mdb_env_set_mapsize(e->mdb, map_bytes);
    unsigned flags = MDB_NOTLS | MDB_NOMETASYNC | MDB_NORDAHEAD;
    if (rc == 0)
        rc = mdb_env_open(e->mdb, dir, flags | (e->read_only ? MDB_RDONLY : 0U), FILE_MODE);
    int dead = 0;
    if (rc == 0 && !e->read_only)
        rc = mdb_reader_check(e->mdb, &dead); /* slots of killed processes */
    return rc == 0 ? open_dbs(e, create) : rc;
}

static void env_free(struct leat_env *e)
{
    if (e->mdb != NULL) {
        for (int i = 0; i < POOL_MAX; i++) {
            if (e->pool[i] != NULL)
                mdb_txn_abort(e->pool[i]);
        }
        mdb_env_close(e->mdb);
    }
    pthread_rwlock_destroy(&e->map_lock);
    pthread_mutex_destroy(&e->pool_lock);
    pthread_cond_destroy(&e->pool_free);
    free(e);
}

static struct leat_env *registered(const struct stat *st)
{
    for (struct leat_env *e = registry; e != NULL; e = e->next) {
        if (e->dev == st->st_dev && e->ino == st->st_ino)
            return e;
    }
    return NULL;
}

static leat_status env_new(const char *dir, const struct stat *st, bool create, size_t map_bytes,
                           struct leat_env **ret, struct leat_error *err)
{
    struct leat_env *e = calloc(1, sizeof *e);
    if (e == NULL)
        return leat_fail(err, LEAT_FATAL, "out of memory");
    e->dev = st->st_dev;
    e->ino = st->st_ino;
    e->read_only = !create && access(dir, W_OK) != 0;
    pthread_rwlockattr_t attr; /* a resize must not starve behind overlapping readers */
    (void)pthread_rwlockattr_init(&attr);
    (void)pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    (void)pthread_rwlock_init(&e->map_lock, &attr);
    (void)pthread_rwlockattr_destroy(&attr);
    (void)pthread_mutex_init(&e->pool_lock, NULL);
    (void)pthread_cond_init(&e->pool_free, NULL);
    int rc = open_mdb(e, dir, create, map_bytes == 0 ? FIRST_MAP_BYTES : map_bytes);
    if (rc != 0) {
        leat_status status = rc == MDB_NOTFOUND || rc == ENOENT ? LEAT_ABSENT : LEAT_FATAL;
        env_free(e);
        return leat_fail(err, status, "could not open read model '%s': %s", dir, mdb_strerror(rc));
    }
    *ret = e;
    return LEAT_OK;
}

static leat_status open_registered(const char *dir, bool create, size_t map_bytes,
                                   struct leat_env **ret, struct leat_error *err)
{
    struct stat st;
    char file[4096];
    int len = snprintf(file, sizeof file, "%s/data.mdb", dir);
    bool fits = len > 0 && (size_t)len < sizeof file;
    if (!fits || stat(dir, &st) != 0 || (!create && access(file, F_OK) != 0)) {
        return leat_fail(err, LEAT_ABSENT, "could not open read model '%s': it does not exist",
                         dir);
    }
    struct leat_env *e = registered(&st);
    if (e == NULL) {
        LEAT_TRY(env_new(dir, &st, create, map_bytes, &e, err), err, "open");
        leat_assert(e != NULL);
        e->next = registry;
        registry = e;
    }
    e->users++;
    *ret = e;
    return LEAT_OK;
}

leat_status leat_env_open(const char *dir, bool create, size_t map_bytes, struct leat_env **ret,
                          struct leat_error *err)
{
    if (create)
        LEAT_TRY(leat_env_make_folders(dir, err), err, "open read model");
    (void)pthread_mutex_lock(&registry_lock);
    leat_status status = open_registered(dir, create, map_bytes, ret, err);
    (void)pthread_mutex_unlock(&registry_lock);
    return status;
}

void leat_env_close(struct leat_env *e)
{
    if (e == NULL)
        return;
    (void)pthread_mutex_lock(&registry_lock);
    bool last = --e->users == 0;
    if (last) {
        struct leat_env **at = &registry; /* it is in there */
        while (*at != e)
            at = &(*at)->next;
        *at = e->next;
        env_free(e); /* under the lock: a second open must not overlap with this one */
    }
    (void)pthread_mutex_unlock(&registry_lock);
}

/* Another process made the map larger: 0 adopts its size. */
static int adopt_map_size(struct leat_env *e)
{
    (void)pthread_rwlock_wrlock(&e->map_lock);
    int rc = mdb_env_set_mapsize(e->mdb, 0);
    (void)pthread_rwlock_unlock(&e->map_lock);
    return rc;
}

/* -1: every one is busy. Each thread begins where it found one last. */
static int try_slots(struct leat_env *e)
{
    static _Thread_local unsigned last;
    for (unsigned i = 0; i < POOL_MAX; i++) {
        unsigned slot = (last + i) % POOL_MAX;
        if (!atomic_load(&e->busy[slot]) && !atomic_exchange(&e->busy[slot], true)) {
            last = slot;
            return (int)slot;
        }
    }
    return -1;
}

/* -1: every one was busy for as long as READ_WAIT_S. */
static int await_slot(struct leat_env *e)
{
    int slot = -1, rc = 0;
    struct timespec until;
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += READ_WAIT_S;
    (void)pthread_mutex_lock(&e->pool_lock);
    (void)atomic_fetch_add(&e->waiting, 1); /* who gives one from now on sees this or is seen */
    while ((slot = try_slots(e)) < 0 && rc != ETIMEDOUT)
        rc = pthread_cond_clockwait(&e->pool_free, &e->pool_lock, CLOCK_MONOTONIC, &until);
    (void)atomic_fetch_sub(&e->waiting, 1);
    (void)pthread_mutex_unlock(&e->pool_lock);
    return slot;
}

static int take_slot(struct leat_env *e)
{
    int slot = try_slots(e);
    return slot >= 0 ? slot : await_slot(e);
}

static void give_slot(struct leat_env *e, int slot)
{
    atomic_store(&e->busy[slot], false);
    if (atomic_load(&e->waiting) == 0)
        return;
    (void)pthread_mutex_lock(&e->pool_lock);
    (void)pthread_cond_signal(&e->pool_free);
    (void)pthread_mutex_unlock(&e->pool_lock);
}

static int begin_in_slot(struct leat_env *e, int slot)
{
    if (e->pool[slot] != NULL)
        return mdb_txn_renew(e->pool[slot]);
    return mdb_txn_begin(e->mdb, NULL, MDB_RDONLY, &e->pool[slot]);
}

leat_status leat_env_read_begin(struct leat_env *e, struct leat_env_txn *ret,
                                struct leat_error *err)
{
    int slot = take_slot(e);
    if (slot < 0)
        return leat_fail(err, LEAT_RETRY, "all %d readers of the model are busy", POOL_MAX);
    (void)pthread_rwlock_rdlock(&e->map_lock);
    int rc = begin_in_slot(e, slot);
    if (rc == MDB_MAP_RESIZED) {
        (void)pthread_rwlock_unlock(&e->map_lock);
        rc = adopt_map_size(e);
        (void)pthread_rwlock_rdlock(&e->map_lock);
        rc = rc == 0 ? begin_in_slot(e, slot) : rc;
    }
    if (rc != 0) {
        (void)pthread_rwlock_unlock(&e->map_lock);
        give_slot(e, slot);
        return leat_env_fail(NULL, rc, err, "begin reading a model");
    }
    *ret = (struct leat_env_txn){.env = e, .txn = e->pool[slot], .slot = slot};
    memcpy(ret->dbi, e->dbi, sizeof ret->dbi);
    return LEAT_OK;
}

void leat_env_read_end(struct leat_env_txn *t)
{
    mdb_txn_reset(t->txn);
    (void)pthread_rwlock_unlock(&t->env->map_lock);
    give_slot(t->env, t->slot);
    t->txn = NULL;
}

static leat_status write_once(struct leat_env *e, leat_env_body body, void *arg,
                              struct leat_error *err)
{
    struct leat_env_txn t = {.env = e, .slot = -1};
    memcpy(t.dbi, e->dbi, sizeof t.dbi);
    int rc = mdb_txn_begin(e->mdb, NULL, 0, &t.txn);
    if (rc == MDB_MAP_RESIZED) {
        e->map_full = true; /* grow_map() adopts what the other process set */
        return leat_fail(err, LEAT_FATAL, "could not begin writing: %s", mdb_strerror(rc));
    }
    if (rc != 0)
        return leat_env_fail(e, rc, err, "begin writing a model");
    leat_status status = body(&t, arg, err);
    if (status != LEAT_OK) {
        mdb_txn_abort(t.txn);
        return status;
    }
    rc = mdb_txn_commit(t.txn);
    return rc == 0 ? LEAT_OK : leat_env_fail(e, rc, err, "commit to a model");
}

static leat_status grow_map(struct leat_env *e, struct leat_error *err)
{
    MDB_envinfo before, after;
    (void)pthread_rwlock_wrlock(&e->map_lock);
    (void)mdb_env_info(e->mdb, &before);
    int rc = mdb_env_set_mapsize(e->mdb, 0);
    (void)mdb_env_info(e->mdb, &after);
    if (rc == 0 && after.me_mapsize <= before.me_mapsize && before.me_mapsize < LAST_MAP_BYTES) {
        rc = mdb_env_set_mapsize(e->mdb, before.me_mapsize * 2);
    } else if (rc == 0 && after.me_mapsize <= before.me_mapsize) {
        rc = MDB_MAP_FULL;
    }
    (void)pthread_rwlock_unlock(&e->map_lock);
    if (rc == 0)
        return LEAT_OK;
    return leat_fail(err, LEAT_FATAL, "could not grow a read model beyond %zu bytes: %s",
                     (size_t)before.me_mapsize, mdb_strerror(rc));
}

leat_status leat_env_write(struct leat_env *e, leat_env_body body, void *arg,
                           struct leat_error *err)
{
    leat_assert(!e->read_only);
    for (;;) {
        e->map_full = false;
        (void)pthread_rwlock_rdlock(&e->map_lock);
        leat_status status = write_once(e, body, arg, err);
        (void)pthread_rwlock_unlock(&e->map_lock);
        if (status == LEAT_OK || !e->map_full)
            return status;
        LEAT_TRY(grow_map(e, err), err, "write");
    }
}

leat_status leat_env_get(struct leat_env_txn *t, leat_env_db db, struct leat_str key,
                         struct leat_str *ret, struct leat_error *err)
{
    MDB_val k = {.mv_size = key.len, .mv_data = (void *)(uintptr_t)key.at};
    MDB_val v;
    int rc = mdb_get(t->txn, t->dbi[db], &k, &v);
    if (rc == MDB_NOTFOUND)
        return LEAT_ABSENT;
    if (rc != 0)
        return leat_env_fail(t->env, rc, err, "read a model");
    *ret = (struct leat_str){v.mv_data, (uint32_t)v.mv_size};
    return LEAT_OK;
}

leat_status leat_env_put(struct leat_env_txn *t, leat_env_db db, struct leat_str key,
                         struct leat_str value, struct leat_error *err)
{
    MDB_val k = {.mv_size = key.len, .mv_data = (void *)(uintptr_t)key.at};
    MDB_val v = {.mv_size = value.len, .mv_data = (void *)(uintptr_t)value.at};
    int rc = mdb_put(t->txn, t->dbi[db], &k, &v, 0);
    return rc == 0 ? LEAT_OK : leat_env_fail(t->env, rc, err, "write to a model");
}

leat_status leat_env_delete(struct leat_env_txn *t, leat_env_db db, struct leat_str key,
                            struct leat_error *err)
{
    MDB_val k = {.mv_size = key.len, .mv_data = (void *)(uintptr_t)key.at};
    int rc = mdb_del(t->txn, t->dbi[db], &k, NULL);
    return rc == 0 || rc == MDB_NOTFOUND ? LEAT_OK
                                         : leat_env_fail(t->env, rc, err, "delete from a model");
}

leat_status leat_env_copy(struct leat_env *e, const char *dir, bool compact, struct leat_error *err)
{
    (void)pthread_rwlock_rdlock(&e->map_lock);
    int rc = mdb_env_copy2(e->mdb, dir, compact ? MDB_CP_COMPACT : 0);
    (void)pthread_rwlock_unlock(&e->map_lock);
    return rc == 0 ? LEAT_OK : leat_env_fail(NULL, rc, err, "copy a model");
}

leat_status leat_env_lazy(struct leat_env *e, bool lazy, struct leat_error *err)
{
    (void)pthread_rwlock_rdlock(&e->map_lock);
    int rc = lazy ? 0 : mdb_env_sync(e->mdb, 1);
    if (rc == 0)
        rc = mdb_env_set_flags(e->mdb, MDB_NOSYNC, lazy);
    (void)pthread_rwlock_unlock(&e->map_lock);
    return rc == 0 ? LEAT_OK : leat_env_fail(NULL, rc, err, "bring a model to the disk");
}

struct reader_look {
    struct leat_env_readers found;
    uint64_t last_txn;
};

/* "pid thread txnid", or "-" for the last when it is between transactions; first a heading. */
static int look_at_reader(const char *line, void *arg)
{
    struct reader_look *look = arg;
    long long pid = 0;
    unsigned long long txn = 0;
    char thread[32] = "";
    int n = sscanf(line, "%lld %31s %llu", &pid, thread, &txn);
    look->found.slots += n >= 2;
    if (n < 3)
        return 0;
    look->found.reading++;
    uint64_t behind = txn < look->last_txn ? look->last_txn - txn : 0;
    if (behind >= look->found.oldest_behind) {
        look->found.oldest_txn = txn;
        look->found.oldest_behind = behind;
        look->found.oldest_pid = pid;
    }
    return 0;
}

void leat_env_readers(struct leat_env *e, struct leat_env_readers *ret)
{
    struct reader_look look = {0};
    MDB_envinfo info;
    int dead = 0;
    (void)pthread_rwlock_rdlock(&e->map_lock);
    if (!e->read_only)
        (void)mdb_reader_check(e->mdb, &dead);
    if (mdb_env_info(e->mdb, &info) == 0)
        look.last_txn = info.me_last_txnid;
    (void)mdb_reader_list(e->mdb, look_at_reader, &look);
    (void)pthread_rwlock_unlock(&e->map_lock);
    *ret = look.found;
}

static leat_status count_rows(struct leat_env_txn *t, struct leat_env_figures *ret,
                              struct leat_error *err)
{
    MDB_stat stat;
    MDB_envinfo info;
    MDB_stat page;
    int rc = mdb_stat(t->txn, t->dbi[LEAT_DB_ROWS], &stat);
    if (rc == 0)
        rc = mdb_env_info(t->env->mdb, &info);
    if (rc == 0)
        rc = mdb_env_stat(t->env->mdb, &page);
    if (rc != 0)
        return leat_env_fail(NULL, rc, err, "measure a model");
    *ret = (struct leat_env_figures){
        .rows = stat.ms_entries,
        .map_bytes = info.me_mapsize,
        .used_bytes = (uint64_t)(info.me_last_pgno + 1) * page.ms_psize,
    };
    return LEAT_OK;
}

leat_status leat_env_figures(struct leat_env *e, struct leat_env_figures *ret,
                             struct leat_error *err)
{
    struct leat_env_txn t = {.env = e};
    LEAT_TRY(leat_env_read_begin(e, &t, err), err, "figures");
    leat_status status = count_rows(&t, ret, err);
    leat_env_read_end(&t);
    return status;
}
