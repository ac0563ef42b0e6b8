#include <inttypes.h>
#include <stdlib.h>

#include "base/units.h"
#include "cli/doctor.h"
#include "worker/worker.h"

#define VERSION_MIN       130000
#define CLOCK_WARN_MS     1000
#define CLOCK_FAIL_MS     60000
#define OTHER_CONNECTIONS 10 /* relay, projector, HTTP's pool, a person with psql */

static bool is(struct leat_str text, const char *word)
{
    return leat_str_eq(text, leat_str_of(word));
}

static void look_at_version(struct leat_doctor *d, const struct leat_server_facts *f)
{
    if (f->version >= VERSION_MIN) {
        leat_doctor_ok(d, "version", "%.*s", LEAT_STR_FMT(f->version_text));
    } else {
        leat_doctor_say(
            d, LEAT_CHECK_FAIL, "version", "the store's tables and functions need 13 or newer",
            "upgrade the server, or use another", "%.*s", LEAT_STR_FMT(f->version_text));
    }
    if (f->in_recovery) {
        leat_doctor_say(d, LEAT_CHECK_FAIL, "role", "a standby takes no writes",
                        "let store.url name the primary (target_session_attrs=read-write)",
                        "this server is a standby");
    }
}

static void look_at_durability(struct leat_doctor *d, const struct leat_server_facts *f)
{
    static const char why[] = "after a crash of the server, what was acknowledged can be gone";
    if (is(f->fsync, "on") && is(f->full_page_writes, "on")) {
        leat_doctor_ok(d, "fsync", "on");
    } else {
        leat_doctor_say(d, LEAT_CHECK_WARN, "fsync", why,
                        "fine for tests; else fsync = on and full_page_writes = on",
                        "fsync is %.*s, full_page_writes %.*s", LEAT_STR_FMT(f->fsync),
                        LEAT_STR_FMT(f->full_page_writes));
    }
    if (!is(f->synchronous_commit, "off")) {
        leat_doctor_ok(d, "synchronous_commit", "%.*s", LEAT_STR_FMT(f->synchronous_commit));
    } else {
        leat_doctor_say(d, LEAT_CHECK_WARN, "synchronous_commit", why,
                        "set it to on for this database or role", "off");
    }
}

/* The server read its clock at some time between question and answer. */
static void look_at_clock(struct leat_doctor *d, const struct leat_server_facts *f)
{
    int64_t early = f->clock_us - f->answered_us, late = f->clock_us - f->asked_us;
    int64_t off_ms = early > 0 ? early / 1000 : late < 0 ? late / 1000 : 0;
    char text[LEAT_UNITS_TEXT];
    if (llabs(off_ms) < CLOCK_WARN_MS) {
        leat_doctor_ok(d, "clock", "no more than %" PRId64 " ms from this machine's",
                       (f->answered_us - f->asked_us) / 1000 + (int64_t)llabs(off_ms));
        return;
    }
    leat_doctor_say(d, llabs(off_ms) < CLOCK_FAIL_MS ? LEAT_CHECK_WARN : LEAT_CHECK_FAIL, "clock",
                    "ages and waits are counted with both clocks", "run NTP on both machines",
                    "the server is %s %s", leat_format_duration(llabs(off_ms), text),
                    off_ms > 0 ? "ahead" : "behind");
}

static void look_at_connections(struct leat_doctor *d, const struct leat_server_facts *f)
{
    int64_t needed = OTHER_CONNECTIONS;
    for (uint32_t i = 0; i < d->topology->n_processors; i++)
        needed += leat_worker_executors(d->topology, &d->topology->processors[i], 0);
    int64_t left = f->connections_max - f->connections;
    if (left >= needed) {
        leat_doctor_ok(d, "connections",
                       "%" PRId64 " of %" PRId64 " taken; one process needs %" PRId64,
                       f->connections, f->connections_max, needed);
    } else {
        leat_doctor_say(d, LEAT_CHECK_WARN, "connections",
                        "each executor of each processor has one of its own",
                        "raise max_connections, lower threads, or put PgBouncer in between",
                        "%" PRId64 " of %" PRId64 " taken; one process of leat needs %" PRId64,
                        f->connections, f->connections_max, needed);
    }
}

static void look_at_rights(struct leat_doctor *d, const struct leat_server_facts *f)
{
    const char *schema = d->topology->store.schema;
    if (f->schema_exists && f->may_use) {
        leat_doctor_ok(d, "permissions", "user '%.*s' may use schema '%s' of database '%.*s'",
                       LEAT_STR_FMT(f->user), schema, LEAT_STR_FMT(f->database));
    } else if (f->schema_exists) {
        leat_doctor_say(d, LEAT_CHECK_FAIL, "permissions", "apply and run work in that schema",
                        "as its owner: grant usage, create on schema … to …",
                        "user '%.*s' may not use schema '%s'", LEAT_STR_FMT(f->user), schema);
    } else if (f->may_create) {
        leat_doctor_ok(d, "permissions", "user '%.*s' may create schema '%s' in database '%.*s'",
                       LEAT_STR_FMT(f->user), schema, LEAT_STR_FMT(f->database));
    } else {
        leat_doctor_say(d, LEAT_CHECK_FAIL, "permissions", "leat apply makes the schema",
                        "as the database's owner: grant create on database … to …",
                        "user '%.*s' may not create a schema in database '%.*s'",
                        LEAT_STR_FMT(f->user), LEAT_STR_FMT(f->database));
    }
}

/* ---- the store in it ---- */

static void look_at_schemas(struct leat_doctor *d, struct leat_store *s)
{
    struct leat_schema_row *rows = NULL;
    struct leat_error err = {0};
    struct leat_names types = leat_topology_types(d->topology, d->arena);
    size_t n = 0;
    leat_status status = leat_store_schemas(s, d->arena, &rows, &n, &err);
    for (size_t i = 0; i < n && status == LEAT_OK; i++)
        status = leat_schemas_put(d->schemas, rows[i].id, rows[i].subject, rows[i].text, &err);
    if (status != LEAT_OK) {
        leat_doctor_error(d, "registered schemas", "stored events cannot be read", "", &err);
        return;
    }
    for (uint32_t i = 0; i < types.n; i++) {
        if (leat_schemas_id(d->schemas, types.at[i]) == 0) {
            leat_doctor_say(d, LEAT_CHECK_FAIL, "registered schemas", "leat run refuses to start",
                            "run `leat apply`: it registers what is new",
                            "the schema of '%s' as it is in the file is not registered",
                            types.at[i].at);
            return;
        }
    }
    leat_doctor_ok(d, "registered schemas", "%zu, with all %u of the topology", n, types.n);
}

static void look_at_counters(struct leat_doctor *d, struct leat_store *s)
{
    const struct leat_topology *t = d->topology;
    struct leat_store_counters c = {0};
    struct leat_error err = {0};
    struct leat_str *names = leat_arena_zalloc(d->arena, t->n_processors + 1u, sizeof *names);
    for (uint32_t i = 0; i < t->n_processors; i++)
        names[i] = t->processors[i].name;
    if (leat_store_counters(s, names, t->n_processors, d->arena, &c, &err) != LEAT_OK) {
        leat_doctor_error(d, "owners", "processors cannot take partitions", "run `leat apply`",
                          &err);
        return;
    }
    if (c.owners_missing.len > 0) {
        leat_doctor_say(d, LEAT_CHECK_FAIL, "owners", "a processor without them takes nothing",
                        "run `leat apply`", "no rows for: %.*s", LEAT_STR_FMT(c.owners_missing));
    } else {
        leat_doctor_ok(d, "owners", "each processor has its rows");
    }
    if (c.outbox_refused > 0) {
        leat_doctor_say(d, LEAT_CHECK_WARN, "refused records",
                        "the broker would not take them: they wait in outbox_refused",
                        "see the table's reasons; often max.message.bytes of a topic is too small",
                        "%" PRId64 "; the newest: %.*s", c.outbox_refused,
                        LEAT_STR_FMT(c.refused_reason));
    }
}

/* Kept for the events topic, whose records name their store. */
static void read_positions(struct leat_doctor *d, struct leat_store *s)
{
    size_t n = (size_t)d->topology->partitions;
    struct leat_error err = {0};
    int32_t *ks = leat_arena_zalloc(d->arena, n, sizeof *ks);
    for (size_t k = 0; k < n; k++)
        ks[k] = (int32_t)k;
    if (leat_store_published(s, ks, n, d->arena, &d->published, &err) == LEAT_OK &&
        leat_store_lineage(s, d->topology->partitions, &d->lineage, &err) == LEAT_OK) {
        d->n_published = n;
    } else {
        leat_doctor_error(d, "positions", "the relay does not know what it has published",
                          "run `leat apply`", &err);
    }
}

static void look_at_store(struct leat_doctor *d, struct leat_store *s,
                          const struct leat_server_facts *f)
{
    struct leat_error err = {0};
    char size[LEAT_UNITS_TEXT];
    leat_status status = leat_store_check(s, d->topology->partitions, &err);
    if (status != LEAT_OK) {
        leat_doctor_error(d, "store", "leat run refuses to start", "run `leat apply`", &err);
        return;
    }
    leat_doctor_ok(d, "store", "schema '%s' is of this version and has %d partitions, %s",
                   d->topology->store.schema, (int)d->topology->partitions,
                   leat_format_size(f->schema_bytes >> 20 << 20, size));
    read_positions(d, s);
    look_at_schemas(d, s);
    look_at_counters(d, s);
}

void leat_doctor_store(struct leat_doctor *d)
{
    struct leat_store_options o = {.url = d->topology->store.url,
                                   .schema = d->topology->store.schema,
                                   .application_name = "leat-doctor",
                                   .connect_timeout_ms = d->timeout_ms};
    struct leat_store *s = NULL;
    struct leat_server_facts f = {0};
    struct leat_error err = {0};
    static const char why[] = "nothing can be stored: workers, relay and read models wait";
    if (leat_store_open(&o, &s, &err) != LEAT_OK) {
        leat_doctor_error(d, "reachable", why, "is Postgres up, and store.url right?", &err);
        leat_doctor_skip(d, "store", "Postgres was not to be reached");
        return;
    }
    if (leat_store_server(s, d->arena, &f, &err) != LEAT_OK) {
        leat_doctor_error(d, "reachable", why, "", &err);
        leat_store_close(s);
        return;
    }
    leat_doctor_ok(d, "reachable", "as '%.*s', database '%.*s'", LEAT_STR_FMT(f.user),
                   LEAT_STR_FMT(f.database));
    look_at_version(d, &f);
    look_at_durability(d, &f);
    look_at_clock(d, &f);
    look_at_connections(d, &f);
    look_at_rights(d, &f);
    look_at_store(d, s, &f);
    leat_store_close(s);
}
