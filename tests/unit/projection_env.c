/* One LMDB environment, several processes: the map grows under readers, and what a reader that
 * stands still or is killed holds back. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "projection/env.h"

#define TINY_MAP   ((size_t)256 << 10)
#define ROWS       60000
#define PER_COMMIT 3000
#define CHURN      150 /* transactions that write the same rows anew */
#define FEW        200

static char dir[] = "/tmp/leat-env-XXXXXX";
static struct leat_error err;

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(dir));
}

static void tear_down(void)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    char path[64];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(dir);
}

TestSuite(env, .init = set_up, .fini = tear_down, .timeout = 120);

static struct leat_env *open_env(bool create)
{
    struct leat_env *e = NULL;
    cr_assert_eq(leat_env_open(dir, create, TINY_MAP, &e, &err), LEAT_OK, "%s", err.msg);
    return e;
}

struct rows { /* of one transaction */
    int first, n, mark;
};

static leat_status put_rows(struct leat_env_txn *t, void *arg, struct leat_error *e)
{
    const struct rows *r = arg;
    char key[16], value[200];
    for (int i = r->first; i < r->first + r->n; i++) {
        int k = snprintf(key, sizeof key, "row%08d", i);
        int v = snprintf(value, sizeof value, "%0150d-%d", i, r->mark);
        LEAT_TRY(leat_env_put(t, LEAT_DB_ROWS, (struct leat_str){key, (uint32_t)k},
                              (struct leat_str){value, (uint32_t)v}, e),
                 e, "put");
    }
    return LEAT_OK;
}

static void write_rows(struct leat_env *e, int first, int n, int mark)
{
    struct rows r = {first, n, mark};
    cr_assert_eq(leat_env_write(e, put_rows, &r, &err), LEAT_OK, "%s", err.msg);
}

/* The row's mark; -1: not there; -2: it is not what was written. */
static int mark_of(struct leat_env_txn *t, int i)
{
    char key[16], want[200];
    struct leat_str value;
    struct leat_error ignored = {0};
    int k = snprintf(key, sizeof key, "row%08d", i);
    if (leat_env_get(t, LEAT_DB_ROWS, (struct leat_str){key, (uint32_t)k}, &value, &ignored) !=
        LEAT_OK)
        return -1;
    int n = snprintf(want, sizeof want, "%0150d-", i);
    if (value.len <= (uint32_t)n || memcmp(value.at, want, (size_t)n) != 0)
        return -2;
    return value.at[n] - '0';
}

/* Reads until the last row is there; 0: all that was read was right, and rows never went. */
static int read_until_whole(struct leat_env *e)
{
    int seen = 0, at = 0;
    while (seen < ROWS) {
        struct leat_env_txn t;
        struct leat_error why = {0};
        if (leat_env_read_begin(e, &t, &why) != LEAT_OK)
            return 1;
        if (seen > 0 && mark_of(&t, at % seen) != 1)
            return 2;
        while (seen < ROWS && mark_of(&t, seen) == 1)
            seen++;
        leat_env_read_end(&t);
        at += 7919;
    }
    return 0;
}

static void *reader_main(void *arg)
{
    return (void *)(intptr_t)read_until_whole(arg);
}

static int exit_code(pid_t pid)
{
    int status = 0;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Test(env, the_map_grows_under_readers_of_this_process_and_of_another)
{
    pthread_t readers[2];
    struct leat_env_figures before, after;
    leat_env_close(open_env(true)); /* a process of its own has handles of its own */
    pid_t child = fork();
    if (child == 0) {
        struct leat_env *own = NULL;
        bool opened = leat_env_open(dir, false, TINY_MAP, &own, &err) == LEAT_OK;
        _exit(opened ? read_until_whole(own) : 9);
    }
    struct leat_env *e = open_env(true);
    cr_assert_eq(leat_env_figures(e, &before, &err), LEAT_OK);
    cr_assert_eq(before.map_bytes, TINY_MAP);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(pthread_create(&readers[i], NULL, reader_main, e), 0);
    for (int first = 0; first < ROWS; first += PER_COMMIT)
        write_rows(e, first, PER_COMMIT, 1);
    for (int i = 0; i < 2; i++) {
        void *wrong = NULL;
        (void)pthread_join(readers[i], &wrong);
        cr_assert_eq((intptr_t)wrong, 0, "a reader of this process: %d", (int)(intptr_t)wrong);
    }
    cr_assert_eq(exit_code(child), 0, "a reader of another process");
    cr_assert_eq(leat_env_figures(e, &after, &err), LEAT_OK);
    cr_assert(after.map_bytes > 16 * TINY_MAP && after.rows == ROWS);
    leat_env_close(e);
}

static void await_byte(int fd)
{
    char byte;
    cr_assert_eq(read(fd, &byte, 1), 1);
}

/* Reads from a snapshot before and after somebody lets it go on; 0: both times the same. */
static int stand_still(int tell, int hear)
{
    struct leat_env *own = NULL;
    struct leat_env_txn t;
    char byte = 0;
    if (leat_env_open(dir, false, TINY_MAP, &own, &err) != LEAT_OK ||
        leat_env_read_begin(own, &t, &err) != LEAT_OK)
        return 9;
    int wrong = mark_of(&t, FEW - 1) != 1;
    if (write(tell, &byte, 1) != 1 || read(hear, &byte, 1) != 1)
        return 8;
    for (int i = 0; i < FEW; i++)
        wrong += mark_of(&t, i) != 1;
    leat_env_read_end(&t);
    leat_env_close(own);
    return wrong;
}

static pid_t start_standing(int *ret_let_go)
{
    int tell[2], hear[2];
    cr_assert(pipe(tell) == 0 && pipe(hear) == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(stand_still(tell[1], hear[0]));
    await_byte(tell[0]);
    *ret_let_go = hear[1];
    return child;
}

static uint64_t churn(struct leat_env *e, int mark)
{
    struct leat_env_figures f;
    for (int i = 0; i < CHURN; i++)
        write_rows(e, 0, FEW, mark);
    cr_assert_eq(leat_env_figures(e, &f, &err), LEAT_OK);
    return f.used_bytes;
}

Test(env, a_reader_that_stands_still_is_named_keeps_its_snapshot_and_is_cleared_when_killed)
{
    struct leat_env_readers r;
    int let_go[2];
    struct leat_env *e = open_env(true);
    write_rows(e, 0, FEW, 1);
    leat_env_close(e); /* children must not have our handle */
    pid_t goes_on = start_standing(&let_go[0]), killed = start_standing(&let_go[1]);
    cr_assert(kill(goes_on, SIGSTOP) == 0 && kill(killed, SIGSTOP) == 0);
    e = open_env(true);
    uint64_t held = churn(e, 2);
    leat_env_readers(e, &r);
    cr_assert(r.reading == 2 && r.oldest_behind >= CHURN);
    cr_assert(r.oldest_pid == goes_on || r.oldest_pid == killed);
    cr_assert(kill(goes_on, SIGCONT) == 0 && write(let_go[0], "", 1) == 1);
    cr_assert_eq(exit_code(goes_on), 0, "its snapshot has changed");
    cr_assert_eq(kill(killed, SIGKILL), 0);
    cr_assert_eq(exit_code(killed), 128 + SIGKILL);
    leat_env_readers(e, &r); /* gives its slot free */
    cr_assert_eq(r.reading, 0);
    uint64_t freed = churn(e, 3);
    cr_assert_lt(freed - held, held / 4, "%llu, then %llu bytes", (unsigned long long)held,
                 (unsigned long long)freed);
    leat_env_close(e);
}
