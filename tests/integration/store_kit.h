/* store_kit.h - what the store's integration programs share: a database of their own on the server
 * of $STORE_URL, dropped at the end, and checks.
 */
#ifndef TESTS_STORE_KIT_H
#define TESTS_STORE_KIT_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/pg.h"

#define KIT_SCHEMA "shop"

struct kit_test {
    const char *name;
    void (*run)(void);
};

static _Thread_local jmp_buf kit_out;
static _Thread_local char kit_why[512];
static char kit_url[512];
static PGconn *kit_admin; /* of the main thread, in the test's database */

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            kit_fail(__FILE__, __LINE__, #cond);                                                   \
    } while (0)
#define CHECK_EQ(a, b)                                                                             \
    do {                                                                                           \
        long long kit_a = (long long)(a);                                                          \
        long long kit_b = (long long)(b);                                                          \
        if (kit_a != kit_b)                                                                        \
            kit_fail_eq(__FILE__, __LINE__, #a, kit_a, kit_b);                                     \
    } while (0)
#define OK(call)                                                                                   \
    do {                                                                                           \
        struct leat_error err = {0};                                                               \
        if ((call) != LEAT_OK)                                                                     \
            kit_fail(__FILE__, __LINE__, err.msg);                                                 \
    } while (0)

static inline _Noreturn void kit_fail(const char *file, int line, const char *what)
{
    const char *name = strrchr(file, '/');
    (void)snprintf(kit_why, sizeof kit_why, "%.400s (%s:%d)", what, name == NULL ? file : name + 1,
                   line);
    longjmp(kit_out, 1);
}

static inline _Noreturn void kit_fail_eq(const char *file, int line, const char *what, long long a,
                                         long long b)
{
    char text[256];
    (void)snprintf(text, sizeof text, "%s is %lld, expected %lld", what, a, b);
    kit_fail(file, line, text);
}

/* ---- SQL beside leat's own code ---- */

static inline PGconn *kit_connect(const char *url)
{
    PGconn *c = PQconnectdb(url);
    if (PQstatus(c) != CONNECTION_OK) {
        (void)fprintf(stderr, "%s", PQerrorMessage(c));
        exit(1);
    }
    PQclear(PQexec(c, "set client_min_messages = error"));
    return c;
}

static inline void kit_sql(PGconn *c, const char *sql)
{
    PGresult *r = PQexec(c, sql);
    ExecStatusType kind = PQresultStatus(r);
    PQclear(r);
    if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK)
        kit_fail(__FILE__, __LINE__, PQerrorMessage(c));
}

/* The one number of a query; null reads as -999. */
static inline long long kit_number(PGconn *c, const char *sql)
{
    PGresult *r = PQexec(c, sql);
    long long v = -999;
    if (PQresultStatus(r) != PGRES_TUPLES_OK) {
        PQclear(r);
        kit_fail(__FILE__, __LINE__, PQerrorMessage(c));
    }
    if (PQntuples(r) > 0 && PQgetisnull(r, 0, 0) == 0)
        v = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    return v;
}

static inline bool kit_text_is(PGconn *c, const char *sql, const char *expected)
{
    PGresult *r = PQexec(c, sql);
    bool same = PQntuples(r) > 0 && strcmp(PQgetvalue(r, 0, 0), expected) == 0;
    if (!same)
        (void)fprintf(stderr, "got '%s'\n", PQntuples(r) > 0 ? PQgetvalue(r, 0, 0) : "no row");
    PQclear(r);
    return same;
}

/* ---- a database of our own ---- */

static inline struct leat_store *kit_open(void)
{
    struct leat_store_options o = {.url = kit_url, .schema = KIT_SCHEMA, .lock_timeout_ms = 2000};
    struct leat_store *s = NULL;
    OK(leat_store_open(&o, &s, &err));
    return s;
}

/* A fresh schema with 4 slices and processors a, b, p0 … p7. */
static inline struct leat_store *kit_fresh(void)
{
    static const char *const processors[] = {"a",  "b",  "p0", "p1", "p2",
                                             "p3", "p4", "p5", "p6", "p7"};
    struct leat_store_layout layout = {4, processors, sizeof processors / sizeof processors[0]};
    kit_sql(kit_admin, "drop schema if exists " KIT_SCHEMA " cascade");
    struct leat_store *s = kit_open();
    OK(leat_store_migrate(s, &layout, NULL, NULL, &err));
    return s;
}

static inline void kit_database(const char *verb, const char *name, const char *server_url)
{
    char sql[160];
    PGconn *c = kit_connect(server_url);
    (void)snprintf(sql, sizeof sql, "drop database if exists %s with (force)", name);
    PQclear(PQexec(c, sql));
    if (strcmp(verb, "create") == 0) {
        (void)snprintf(sql, sizeof sql, "create database %s", name);
        PQclear(PQexec(c, sql));
    }
    PQfinish(c);
}

/* 1 when it failed. A function of its own: longjmp comes back to its frame. */
static inline int kit_run(const struct kit_test *test)
{
    if (setjmp(kit_out) == 0) {
        test->run();
        printf("ok %s\n", test->name);
        return 0;
    }
    printf("FAIL %s: %s\n", test->name, kit_why);
    return 1;
}

static inline int kit_main(const struct kit_test *tests, size_t n, int argc, char **argv)
{
    const char *server = getenv("STORE_URL");
    if (server == NULL)
        server = "postgresql://leat@127.0.0.1:15432/leat";
    char name[64];
    (void)snprintf(name, sizeof name, "leat_store_test_%ld", (long)getpid());
    const char *slash = strrchr(server, '/');
    (void)snprintf(kit_url, sizeof kit_url, "%.*s/%s", (int)(slash - server), server, name);
    kit_database("create", name, server);
    kit_admin = kit_connect(kit_url);
    int failed = 0;
    for (size_t i = 0; i < n; i++) {
        if (argc > 1 && strcmp(argv[1], tests[i].name) != 0)
            continue;
        failed += kit_run(&tests[i]);
        (void)fflush(stdout);
    }
    PQfinish(kit_admin);
    kit_database("drop", name, server);
    return failed > 0 ? 1 : 0;
}

#endif
