/* How fast does the store append? Commands with a 200-byte payload and one 130-byte event each, in
 * interleaved rounds beside a binary COPY of the events alone (the floor), both on connections of
 * their own. Left out: Kafka, handlers, reading back.
 * usage: bench_store_append URL [commands] [batch] [connections] [slices] [rounds] [prepare 0|1]
 *                           [snapshot every: events of a stream, which gets one in 10000 commands]
 * One connection gets all slices in every batch; several get their own slices, one per batch. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "store/pg.h"

#define SCHEMA     "bench_store_append"
#define PROCESSOR  "bench"
#define TOPIC      "bench.commands.hot"
#define KEYS       10000
#define SLICES_MAX 64
#define ROUNDS_MAX 64

static struct {
    const char *url;
    long commands, batch, connections, slices, rounds, snapshot_every;
    bool prepare;
} opt;

static char payload[200];
static int64_t versions[KEYS + SLICES_MAX];

struct appender {
    int number;
    struct leat_store *store;
    struct leat_arena *arena;
    int32_t ks[SLICES_MAX];
    int64_t epochs[SLICES_MAX], heads[SLICES_MAX], offsets[SLICES_MAX];
    size_t k_count;
    long keys_used;
    double server_cpu_us;
};

static void must(leat_status status, const struct leat_error *err)
{
    if (status == LEAT_OK)
        return;
    (void)fprintf(stderr, "%s: %s\n", leat_status_name(status), err->msg);
    exit(1);
}

static void run_sql(PGconn *conn, const char *sql)
{
    PGresult *r = PQexec(conn, sql);
    ExecStatusType kind = PQresultStatus(r);
    if (kind != PGRES_COMMAND_OK && kind != PGRES_TUPLES_OK && kind != PGRES_COPY_IN) {
        (void)fprintf(stderr, "%s: %s", sql, PQerrorMessage(conn));
        exit(1);
    }
    PQclear(r);
}

static PGconn *connect_plain(void)
{
    PGconn *conn = PQconnectdb(opt.url);
    if (PQstatus(conn) != CONNECTION_OK) {
        (void)fprintf(stderr, "%s", PQerrorMessage(conn));
        exit(1);
    }
    run_sql(conn, "set client_min_messages = error");
    return conn;
}

/* CPU time of a backend on this machine; 0 where it cannot be read. */
static double backend_cpu_us(int pid)
{
    char path[64];
    char text[1024];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return 0;
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    char *at = strrchr(text, ')');
    unsigned long ticks = 0;
    /* fields 14 and 15, counted from the state, which is field 3 */
    for (int field = 3; at != NULL && field <= 15; field++) {
        at = strchr(at + 1, ' ');
        if (at != NULL && field >= 14)
            ticks += strtoul(at + 1, NULL, 10);
    }
    return (double)ticks * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

/* ---- what is measured ---- */

struct columns { /* arrays of one batch, reused */
    struct leat_batch_command *commands;
    struct leat_batch_event *events;
    struct leat_batch_snapshot *snapshots;
    size_t snapshot_count;
    char (*text)[64];
};

static struct leat_uuid make_id(uint64_t a, uint64_t b)
{
    struct leat_uuid id;
    uint64_t words[2] = {a * 0x9E3779B97F4A7C15u, b};
    memcpy(id.b, words, sizeof id.b);
    return id;
}

static void fill_command(struct appender *a, struct columns *col, uint32_t i, size_t f)
{
    int32_t k = a->ks[f];
    long key = (a->keys_used++ * 7919) % (KEYS / opt.slices) * opt.slices + k;
    int64_t offset = a->offsets[f]++;
    int n = snprintf(col->text[(size_t)2 * i], 64, "lead-%05ld", key);
    int m = snprintf(col->text[(size_t)2 * i + 1], 64, TOPIC "/%d@%lld", k, (long long)offset);
    struct leat_uuid id = make_id((uint64_t)offset * 64 + (uint64_t)k, (uint64_t)offset);
    struct leat_uuid event_id = make_id((uint64_t)offset * 64 + (uint64_t)k + 1, ~(uint64_t)offset);
    col->commands[i] = (struct leat_batch_command){
        .k = k,
        .lane = (int32_t)f,
        .offset = offset,
        .id = id,
        .type = LEAT_STR("ScoreLead"),
        .stream = {col->text[(size_t)2 * i], (uint32_t)n},
        .source = {col->text[(size_t)2 * i + 1], (uint32_t)m},
        .priority = LEAT_STR("hot"),
        .payload = {payload, sizeof payload},
        .received_at_ms = 1700000000000,
        .expected_version = versions[key]++,
        .outcome = LEAT_OUTCOME_ACCEPTED,
    };
    col->events[i] = (struct leat_batch_event){.command = i,
                                               .schema_id = 1,
                                               .id = event_id,
                                               .type = LEAT_STR("LeadScored"),
                                               .payload = {payload, 130}};
    if (opt.snapshot_every > 0 && versions[key] % opt.snapshot_every == 0)
        col->snapshots[col->snapshot_count++] =
            (struct leat_batch_snapshot){i, versions[key], {payload, 100}};
}

static void append_one(struct appender *a, struct columns *col, size_t from, size_t ks)
{
    leat_assert(ks > 0);
    struct leat_error err = {0};
    struct leat_batch_fence fences[SLICES_MAX];
    struct leat_batch_lane lanes[SLICES_MAX];
    struct leat_batch b = {.processor = LEAT_STR(PROCESSOR),
                           .fences = fences,
                           .lanes = lanes,
                           .commands = col->commands,
                           .events = col->events,
                           .fence_count = ks,
                           .lane_count = ks,
                           .command_count = (size_t)opt.batch,
                           .event_count = (size_t)opt.batch};
    for (size_t i = 0; i < ks; i++) {
        fences[i] =
            (struct leat_batch_fence){a->ks[from + i], a->epochs[from + i], a->heads[from + i]};
        lanes[i] = (struct leat_batch_lane){
            .topic = LEAT_STR(TOPIC), .k = a->ks[from + i], .first_offset = a->offsets[from + i]};
    }
    col->snapshot_count = 0;
    for (uint32_t i = 0; i < (uint32_t)opt.batch; i++) {
        fill_command(a, col, i, from + i % ks);
        col->commands[i].lane = (int32_t)(i % ks);
    }
    for (size_t i = 0; i < ks; i++)
        lanes[i].next_offset = a->offsets[from + i];
    b.snapshots = col->snapshots;
    b.snapshot_count = col->snapshot_count;
    struct leat_reply reply;
    leat_arena_reset(a->arena);
    must(leat_store_append(a->store, &b, a->arena, &reply, &err), &err);
    for (size_t i = 0; i < ks; i++) {
        if (reply.fences[i].result != LEAT_FENCE_OK || reply.conflicts + reply.duplicates > 0) {
            (void)fprintf(stderr, "the batch was not stored\n");
            exit(1);
        }
        a->heads[from + i] = reply.fences[i].head_after;
    }
}

static void *append_all(void *arg)
{
    struct appender *a = arg;
    size_t n = (size_t)opt.batch;
    struct columns col = {.commands = calloc(n, sizeof *col.commands),
                          .events = calloc(n, sizeof *col.events),
                          .snapshots = calloc(n, sizeof *col.snapshots),
                          .text = calloc(2 * n, sizeof *col.text)};
    if (col.commands == NULL || col.events == NULL || col.snapshots == NULL || col.text == NULL)
        abort();
    int pid = PQbackendPID(a->store->conn);
    double before = backend_cpu_us(pid);
    long calls = opt.commands / opt.connections / opt.batch;
    for (long c = 0; c < calls; c++) {
        if (opt.connections == 1) {
            append_one(a, &col, 0, a->k_count);
        } else {
            append_one(a, &col, (size_t)c % a->k_count, 1);
        }
    }
    a->server_cpu_us = backend_cpu_us(pid) - before;
    free(col.commands);
    free(col.events);
    free(col.snapshots);
    free(col.text);
    return NULL;
}

/* ---- the floor: COPY of events, one connection per worker, one table ---- */

static void put_be(struct leat_buf *b, uint64_t v, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        leat_buf_putc(b, (char)(v >> (8 * i)));
}

static void put_field(struct leat_buf *b, const void *at, size_t len)
{
    put_be(b, len, 4);
    leat_buf_put(b, at, len);
}

static void copy_rows(struct leat_buf *b, int number, long from, int32_t *reached)
{
    leat_buf_clear(b);
    leat_buf_put(b, "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
    for (long i = from; i < from + opt.batch; i++) {
        long key = i * 7919 % (KEYS / opt.connections) * opt.connections + number;
        char stream[32];
        int n = snprintf(stream, sizeof stream, "lead-%05ld", key);
        struct leat_uuid id = make_id((uint64_t)(i * 64 + number), (uint64_t)i);
        struct leat_uuid command_id = make_id((uint64_t)(i * 64 + number), ~(uint64_t)i);
        put_be(b, 6, 2);
        put_field(b, stream, (size_t)n);
        put_be(b, 8, 4);
        put_be(b, (uint64_t)++reached[key], 8);
        put_field(b, "LeadScored", 10);
        put_field(b, id.b, 16);
        put_field(b, command_id.b, 16);
        put_field(b, payload, 130);
    }
    put_be(b, 0xffff, 2);
}

static void *copy_all(void *arg)
{
    int number = *(int *)arg;
    PGconn *conn = connect_plain();
    struct leat_buf b;
    leat_buf_init(&b, (size_t)256 << 20);
    int32_t *reached = calloc(KEYS + SLICES_MAX, sizeof *reached);
    if (reached == NULL)
        abort();
    char move[96];
    (void)snprintf(move, sizeof move, "update " SCHEMA "_floor.off set o = o + 1 where p = %d",
                   number);
    for (long at = 0; at + opt.batch <= opt.commands / opt.connections; at += opt.batch) {
        run_sql(conn, "begin");
        run_sql(conn,
                "copy " SCHEMA "_floor.ev(stream, version, type, event_id, command_id, payload)"
                " from stdin (format binary)");
        copy_rows(&b, number, at, reached);
        if (PQputCopyData(conn, b.at, (int)b.len) != 1 || PQputCopyEnd(conn, NULL) != 1)
            abort();
        for (PGresult *r; (r = PQgetResult(conn)) != NULL; PQclear(r)) {
            if (PQresultStatus(r) != PGRES_COMMAND_OK) {
                (void)fprintf(stderr, "%s", PQerrorMessage(conn));
                exit(1);
            }
        }
        run_sql(conn, move);
        run_sql(conn, "commit");
    }
    free(reached);
    leat_buf_done(&b);
    PQfinish(conn);
    return NULL;
}

static double measure_floor(PGconn *admin)
{
    run_sql(admin,
            "drop schema if exists " SCHEMA "_floor cascade; create schema " SCHEMA "_floor;"
            "create table " SCHEMA "_floor.ev (position bigint generated always as identity"
            " primary key, stream text not null, version bigint not null, type text not null,"
            " event_id uuid not null, command_id uuid not null unique, payload bytea not null,"
            " created_at timestamptz not null default now(), unique (stream, version));"
            "create table " SCHEMA "_floor.off (p int primary key, o bigint);"
            "insert into " SCHEMA "_floor.off select g, 0 from generate_series(0, 63) g");
    run_sql(admin, "checkpoint");
    pthread_t threads[SLICES_MAX];
    int numbers[SLICES_MAX];
    int64_t start_us = leat_mono_us();
    for (int i = 0; i < opt.connections; i++) {
        numbers[i] = i;
        if (pthread_create(&threads[i], NULL, copy_all, &numbers[i]) != 0)
            abort();
    }
    for (int i = 0; i < opt.connections; i++)
        (void)pthread_join(threads[i], NULL);
    double rate = (double)opt.commands * 1e6 / (double)(leat_mono_us() - start_us);
    run_sql(admin, "drop schema " SCHEMA "_floor cascade");
    return rate;
}

/* ---- rounds ---- */

static void open_appender(struct appender *a, int number)
{
    struct leat_error err = {0};
    struct leat_store_options o = {.url = opt.url, .schema = SCHEMA, .prepare = opt.prepare};
    *a = (struct appender){.number = number, .arena = leat_arena_new(1 << 20, 64 << 20)};
    must(leat_store_open(&o, &a->store, &err), &err);
    for (int32_t k = number; k < opt.slices; k += (int32_t)opt.connections)
        a->ks[a->k_count++] = k;
    struct leat_fence_ask ask = {LEAT_STR(PROCESSOR), a->ks, a->epochs, a->k_count};
    struct leat_fence_answer got;
    must(leat_store_claim(a->store, &ask, a->arena, &got, &err), &err);
    for (size_t i = 0; i < a->k_count; i++)
        a->epochs[i] = got.fences[i].epoch;
}

static double measure_store(PGconn *admin, double *ret_cpu_us)
{
    struct leat_error err = {0};
    struct leat_store *s = NULL;
    struct leat_store_options o = {.url = opt.url, .schema = SCHEMA};
    const char *processors[] = {PROCESSOR};
    struct leat_store_layout layout = {(int32_t)opt.slices, processors, 1};
    run_sql(admin, "drop schema if exists " SCHEMA " cascade");
    must(leat_store_open(&o, &s, &err), &err);
    must(leat_store_migrate(s, &layout, NULL, NULL, &err), &err);
    leat_store_close(s);
    run_sql(admin, "checkpoint");
    memset(versions, 0, sizeof versions);
    static struct appender appenders[SLICES_MAX];
    pthread_t threads[SLICES_MAX];
    for (int i = 0; i < opt.connections; i++)
        open_appender(&appenders[i], i);
    int64_t start_us = leat_mono_us();
    for (int i = 0; i < opt.connections; i++) {
        if (pthread_create(&threads[i], NULL, append_all, &appenders[i]) != 0)
            abort();
    }
    for (int i = 0; i < opt.connections; i++)
        (void)pthread_join(threads[i], NULL);
    double rate = (double)opt.commands * 1e6 / (double)(leat_mono_us() - start_us);
    *ret_cpu_us = 0;
    for (int i = 0; i < opt.connections; i++) {
        *ret_cpu_us += appenders[i].server_cpu_us / (double)opt.commands;
        leat_store_close(appenders[i].store);
        leat_arena_free(appenders[i].arena);
    }
    run_sql(admin, "drop schema " SCHEMA " cascade");
    return rate;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static long argument(int argc, char **argv, int i, long otherwise, long max)
{
    if (i >= argc)
        return otherwise;
    long v = strtol(argv[i], NULL, 10);
    if (v < 1 || v > max) {
        (void)fprintf(stderr, "argument %d must be 1 to %ld\n", i, max);
        exit(2);
    }
    return v;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fprintf(stderr, "usage: bench_store_append URL [commands] [batch] [connections]"
                              " [slices] [rounds] [prepare 0|1] [snapshot every]\n");
        return 2;
    }
    opt.url = argv[1];
    opt.commands = argument(argc, argv, 2, 100000, 100000000);
    opt.batch = argument(argc, argv, 3, 1000, 100000);
    opt.connections = argument(argc, argv, 4, 4, SLICES_MAX);
    opt.slices = argument(argc, argv, 5, 4, SLICES_MAX);
    opt.rounds = argument(argc, argv, 6, 3, ROUNDS_MAX);
    opt.prepare = argc > 7 && strcmp(argv[7], "0") != 0;
    opt.snapshot_every = argc > 8 ? argument(argc, argv, 8, 0, 1000000) : 0;
    if (opt.slices < opt.connections)
        opt.slices = opt.connections;
    opt.commands -= opt.commands % (opt.batch * opt.connections);
    memset(payload, 'x', sizeof payload);

    PGconn *admin = connect_plain();
    double store[ROUNDS_MAX];
    double ratio[ROUNDS_MAX];
    double cpu[ROUNDS_MAX];
    for (long i = 0; i < opt.rounds; i++) {
        double floor_rate = measure_floor(admin);
        store[i] = measure_store(admin, &cpu[i]);
        ratio[i] = store[i] / floor_rate;
    }
    PQfinish(admin);
    qsort(store, (size_t)opt.rounds, sizeof *store, by_value);
    qsort(ratio, (size_t)opt.rounds, sizeof *ratio, by_value);
    qsort(cpu, (size_t)opt.rounds, sizeof *cpu, by_value);
    size_t mid = (size_t)opt.rounds / 2;
    printf("{\"bench\":\"store_append\",\"commands\":%ld,\"batch\":%ld,\"connections\":%ld,"
           "\"slices\":%ld,\"prepare\":%s,\"rounds\":%ld,\"commands_per_s\":{\"min\":%.0f,"
           "\"p50\":%.0f,\"max\":%.0f},\"copy_ratio\":{\"min\":%.2f,\"p50\":%.2f,\"max\":%.2f},"
           "\"server_cpu_us_per_command\":%.2f}\n",
           opt.commands, opt.batch, opt.connections, opt.slices, opt.prepare ? "true" : "false",
           opt.rounds, store[0], store[mid], store[opt.rounds - 1], ratio[0], ratio[mid],
           ratio[opt.rounds - 1], cpu[mid]);
    return 0;
}
