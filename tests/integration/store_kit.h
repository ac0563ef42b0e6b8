/* store_kit.h - what the store's integration programs share: a database of their own on the server
 * of $STORE_URL, dropped at the end; checks; batches put together line by line. One thread per kit.
 */
#ifndef TESTS_STORE_KIT_H
#define TESTS_STORE_KIT_H

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/pg.h"

#define KIT_ROWS   2048
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
        if (setjmp(kit_out) == 0) {
            tests[i].run();
            printf("ok %s\n", tests[i].name);
        } else {
            failed++;
            printf("FAIL %s: %s\n", tests[i].name, kit_why);
        }
        (void)fflush(stdout);
    }
    PQfinish(kit_admin);
    kit_database("drop", name, server);
    return failed > 0 ? 1 : 0;
}

/* ---- batches ---- */

struct kit_batch {
    struct leat_batch b;
    struct leat_batch_fence fences[8];
    struct leat_batch_lane lanes[8];
    struct leat_batch_command commands[KIT_ROWS];
    struct leat_batch_event events[KIT_ROWS];
    struct leat_batch_outbox outbox[KIT_ROWS];
    struct leat_arena *arena;
    struct leat_reply reply;
};

static inline struct leat_uuid kit_id(uint64_t n)
{
    struct leat_uuid id = {{0}};
    for (int i = 0; i < 8; i++)
        id.b[15 - i] = (uint8_t)(n >> (8 * i));
    return id;
}

static inline struct kit_batch *kit_batch(const char *processor)
{
    struct kit_batch *k = calloc(1, sizeof *k);
    if (k == NULL)
        abort();
    k->arena = leat_arena_new(1 << 16, 1 << 20);
    k->b = (struct leat_batch){.processor = leat_str_of(processor),
                               .fences = k->fences,
                               .lanes = k->lanes,
                               .commands = k->commands,
                               .events = k->events,
                               .outbox = k->outbox};
    return k;
}

static inline void kit_batch_free(struct kit_batch *k)
{
    leat_arena_free(k->arena);
    free(k);
}

static inline void kit_fence(struct kit_batch *k, int32_t slice, int64_t epoch, int64_t since)
{
    k->fences[k->b.fence_count++] = (struct leat_batch_fence){slice, epoch, since};
}

static inline void kit_lane(struct kit_batch *k, int32_t slice, int64_t first, int64_t next)
{
    k->lanes[k->b.lane_count++] = (struct leat_batch_lane){.topic = LEAT_STR("t"),
                                                           .k = slice,
                                                           .first_offset = first,
                                                           .next_offset = next,
                                                           .fingerprint = 77};
}

/* An accepted command; events follow with kit_event(). lane -1 = none. */
static inline struct leat_batch_command *
kit_command(struct kit_batch *k, int32_t slice, const char *stream, int64_t expected, uint64_t id)
{
    struct leat_batch_command *c = &k->commands[k->b.command_count++];
    *c = (struct leat_batch_command){.k = slice,
                                     .lane = -1,
                                     .id = kit_id(id),
                                     .type = LEAT_STR("Do"),
                                     .stream = leat_str_of(stream),
                                     .source = LEAT_STR("test"),
                                     .priority = LEAT_STR("hot"),
                                     .payload = LEAT_STR("command"),
                                     .received_at_ms = 1700000000123,
                                     .expected_version = expected,
                                     .outcome = LEAT_OUTCOME_ACCEPTED};
    return c;
}

static inline void kit_at(struct kit_batch *k, int32_t lane, int64_t offset)
{
    k->commands[k->b.command_count - 1].lane = lane;
    k->commands[k->b.command_count - 1].offset = offset;
}

static inline void kit_event(struct kit_batch *k)
{
    uint32_t c = (uint32_t)k->b.command_count - 1;
    struct leat_uuid id = k->commands[c].id;
    id.b[0] = (uint8_t)(1 + k->b.event_count);
    k->events[k->b.event_count++] = (struct leat_batch_event){.command = c,
                                                              .schema_id = 5,
                                                              .id = id,
                                                              .type = LEAT_STR("Done"),
                                                              .payload = LEAT_STR("event")};
}

static inline void kit_outbox(struct kit_batch *k, int32_t partition)
{
    k->outbox[k->b.outbox_count++] =
        (struct leat_batch_outbox){.command = (uint32_t)k->b.command_count - 1,
                                   .partition = partition,
                                   .topic = LEAT_STR("next"),
                                   .key = LEAT_STR("key"),
                                   .headers = LEAT_STR(""),
                                   .value = LEAT_STR("value")};
}

static inline leat_status kit_try(struct leat_store *s, struct kit_batch *k, struct leat_error *err)
{
    leat_arena_reset(k->arena);
    return leat_store_append(s, &k->b, k->arena, &k->reply, err);
}

static inline void kit_append(struct leat_store *s, struct kit_batch *k)
{
    OK(kit_try(s, k, &err));
}

/* One command with one event, without fence or lane, as an administrator would. */
static inline void kit_poke(struct leat_store *s, int32_t slice, const char *stream, uint64_t id)
{
    struct kit_batch *k = kit_batch("");
    kit_fence(k, slice, -1, -1);
    (void)kit_command(k, slice, stream, -1, id);
    kit_event(k);
    kit_append(s, k);
    CHECK_EQ(k->reply.settled[0], LEAT_SETTLED_STORED);
    kit_batch_free(k);
}

/* Takes k of a processor whatever its epoch; gives the new one. */
static inline int64_t kit_claim(struct leat_store *s, const char *processor, int32_t k,
                                int64_t *ret_next_offset)
{
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_fence_answer got;
    int64_t epoch = 0;
    struct leat_fence_ask ask = {leat_str_of(processor), &k, &epoch, 1};
    bool claimed = false;
    while (!claimed) {
        OK(leat_store_fences(s, &ask, arena, &got, &err));
        epoch = got.fences[0].epoch;
        OK(leat_store_claim(s, &ask, arena, &got, &err));
        claimed = got.fences[0].claimed;
        epoch = got.fences[0].epoch;
    }
    if (ret_next_offset != NULL)
        *ret_next_offset = got.lane_count > 0 ? got.lanes[0].next_offset : 0;
    leat_arena_free(arena);
    return epoch;
}

/* What must hold of any store at any time. */
static inline void kit_check_dense(PGconn *c)
{
    CHECK_EQ(kit_number(c, "select count(*) from (select slice, count(*) n, min(seq) low, max(seq)"
                           " high from shop.events group by slice) s join shop.slices using (slice)"
                           " where n <> high or low <> 1 or high <> head_seq"),
             0);
    CHECK_EQ(kit_number(c,
                        "select count(*) from (select slice, stream, count(*) n, min(version) low,"
                        " max(version) high from shop.events group by slice, stream) s"
                        " where n <> high or low <> 1"),
             0);
    CHECK_EQ(kit_number(c, "select count(*) from shop.events e where not exists (select 1 from"
                           " shop.commands c where c.slice = e.slice and c.id = e.command_id and"
                           " e.seq between c.first_seq and c.last_seq)"),
             0);
}

#endif
