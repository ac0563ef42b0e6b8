#include "store/migrate.h"

#include <stdio.h>
#include <string.h>

#include "store/adopt.h"
#include "store/reply.h"

#define SCRIPT_MS     120000
#define SQL_BYTES_MAX ((size_t)1 << 20)

/* A script put together from SQL of ours, names already quoted and numbers. */
static leat_status run(struct leat_store *s, struct leat_buf *text, struct leat_error *err)
{
    leat_buf_putc(text, '\0');
    leat_status status = text->overflow ? leat_fail(err, LEAT_FATAL, "out of memory")
                                        : leat_pg_script(s, text->at, SCRIPT_MS, err);
    leat_buf_done(text);
    return status;
}

void leat_migration_put(struct leat_buf *to, const char *sql, const char *quoted)
{
    static const char mark[] = "@schema@";
    for (const char *found; (found = strstr(sql, mark)) != NULL; sql = found + sizeof mark - 1) {
        leat_buf_put(to, sql, (size_t)(found - sql));
        leat_buf_puts(to, quoted);
    }
    leat_buf_puts(to, sql);
}

/* ---- what the store has ---- */

leat_status leat_store_applied(struct leat_store *s, struct leat_applied *ret,
                               struct leat_error *err)
{
    leat_pg_clear(&s->params);
    LEAT_PG_AUTO PGresult *result = NULL;
    leat_status status = leat_pg_call(
        s, LEAT_PG_READ, "select number, hash from @.migrations order by number", &result, err);
    if (status != LEAT_OK)
        return status;
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_pg_reply r = leat_reply_of(result, 2, arena);
    struct leat_applied a = {0};
    for (int i = 0; i < r.rows && !r.bad; i++) {
        int32_t number = leat_reply_int4(&r, i, 0);
        struct leat_str hash = leat_reply_bytes(&r, i, 1);
        if (number != i + 1 || (size_t)number > leat_migration_count) {
            a.newer = true;
            break;
        }
        char expected[LEAT_MIGRATION_HASH];
        leat_migration_hash(&leat_migrations[i], expected);
        if (!leat_str_eq(hash, leat_str_of(expected)) && a.differs == 0)
            a.differs = number;
        a.count++;
    }
    status = leat_reply_ok(&r, "migrations", err);
    leat_arena_free(arena);
    if (status == LEAT_OK)
        *ret = a;
    return status;
}

/* ABSENT from leat_store_applied() means that nothing is there yet. */
static leat_status judge_applied(const struct leat_store *s, const struct leat_applied *a,
                                 struct leat_error *err)
{
    if (a->newer)
        return leat_fail(err, LEAT_FATAL, "store '%s' was made by a newer leat", s->schema);
    if (a->differs == 0)
        return LEAT_OK;
    (void)leat_fail(err, LEAT_FATAL, "store '%s': migration %d is not the one of this leat",
                    s->schema, a->differs);
    leat_error_hint(err,
                    "Use the leat that made it; or, if nothing in it matters: drop schema %s "
                    "cascade, then 'leat apply'.",
                    s->quoted);
    return LEAT_FATAL;
}

/* ---- applying ---- */

/* Holds off other migrators until the transaction ends; then waits for nobody else for long. Each
 * begin has its end() behind it, whatever comes of it: also of a statement that fails inside it,
 * the server keeps the transaction open. */
static leat_status begin(struct leat_store *s, struct leat_error *err)
{
    struct leat_buf text;
    leat_buf_init(&text, SQL_BYTES_MAX);
    leat_buf_puts(&text, "begin isolation level read committed; set local lock_timeout = '60s';"
                         " select pg_advisory_xact_lock(1818583412, hashtext('");
    leat_buf_puts(&text, s->schema);
    leat_buf_puts(&text, "')); set local lock_timeout = '3s'; set local statement_timeout = '120s';"
                         " set local client_min_messages = error");
    s->locked = true;
    return run(s, &text, err);
}

static leat_status end(struct leat_store *s, leat_status status, struct leat_error *err)
{
    if (status == LEAT_OK) {
        status = leat_pg_script(s, "commit", SCRIPT_MS, err);
        s->locked = false;
    }
    leat_store_abort(s); /* after a failure */
    return status;
}

static leat_status make_schema(struct leat_store *s, struct leat_error *err)
{
    leat_status status = begin(s, err);
    if (status == LEAT_OK) {
        struct leat_buf text;
        leat_buf_init(&text, SQL_BYTES_MAX);
        leat_migration_put(&text,
                           "do $$ begin if to_regnamespace('@schema@') is null then"
                           " create schema @schema@; end if; end $$;"
                           " create table if not exists @schema@.migrations"
                           " (number int primary key, name text not null, hash text not null,"
                           " applied_at timestamptz not null default now())",
                           s->quoted);
        status = run(s, &text, err);
    }
    return end(s, status, err);
}

static leat_status run_migration(struct leat_store *s, const struct leat_migration *m,
                                 struct leat_error *err)
{
    char hash[LEAT_MIGRATION_HASH];
    struct leat_buf text;
    leat_migration_hash(m, hash);
    leat_buf_init(&text, SQL_BYTES_MAX);
    leat_migration_put(&text, m->sql, s->quoted);
    leat_buf_printf(&text,
                    ";\ninsert into %s.migrations (number, name, hash) values (%d, '%s', '%s')",
                    s->quoted, m->number, m->name, hash);
    return run(s, &text, err);
}

/* A loser of the race finds the row and leaves everything as it is. */
static leat_status apply_one(struct leat_store *s, const struct leat_migration *m,
                             struct leat_error *err)
{
    struct leat_applied a = {0};
    leat_status status = begin(s, err);
    if (status == LEAT_OK)
        status = leat_store_applied(s, &a, err);
    if (status == LEAT_OK && a.count + 1 == (size_t)m->number)
        status = run_migration(s, m, err);
    return end(s, status, err);
}

static leat_status apply_pending(struct leat_store *s, void (*log)(void *arg, const char *line),
                                 void *arg, struct leat_error *err)
{
    struct leat_applied a = {0};
    leat_status status = leat_store_applied(s, &a, err);
    if (status == LEAT_ABSENT) {
        LEAT_TRY(make_schema(s, err), err, "could not create schema '%s'", s->schema);
        status = LEAT_OK;
    }
    if (status == LEAT_OK)
        status = judge_applied(s, &a, err);
    for (size_t i = a.count; status == LEAT_OK && i < leat_migration_count; i++) {
        LEAT_TRY(apply_one(s, &leat_migrations[i], err), err, "migration %s",
                 leat_migrations[i].name);
        char line[128];
        (void)snprintf(line, sizeof line, "store %s: migration %s applied", s->schema,
                       leat_migrations[i].name);
        if (log != NULL)
            log(arg, line);
    }
    return status;
}

static leat_status call_make_layout(struct leat_store *s, const struct leat_store_layout *layout,
                                    int32_t *ret_made, struct leat_error *err)
{
    leat_pg_clear(&s->params);
    leat_pg_int4(&s->params, layout->partitions);
    LEAT_PG_VARYING(&s->params, LEAT_PG_TEXT, layout->processor_count,
                    leat_pg_put_text(&s->params, leat_str_of(layout->processors[i])));
    LEAT_PG_AUTO PGresult *result = NULL;
    leat_status status =
        leat_pg_call(s, LEAT_PG_WRITE, "select @.make_layout($1,$2)", &result, err);
    if (status != LEAT_OK)
        return status;
    struct leat_pg_reply r = leat_reply_of(result, 1, NULL);
    int32_t made = leat_reply_int4(&r, 0, 0);
    status = leat_reply_ok(&r, "layout", err);
    if (status == LEAT_OK)
        *ret_made = made;
    return status;
}

static leat_status make_layout(struct leat_store *s, const struct leat_store_layout *layout,
                               int32_t *ret_made, struct leat_error *err)
{
    leat_status status = begin(s, err);
    if (status == LEAT_OK)
        status = call_make_layout(s, layout, ret_made, err);
    return end(s, status, err);
}

leat_status leat_store_migrate(struct leat_store *s, const struct leat_store_layout *layout,
                               void (*log)(void *arg, const char *line), void *arg,
                               struct leat_error *err)
{
    if (layout->partitions < 1 || layout->partitions > 10000) {
        return leat_fail(err, LEAT_INVALID, "%d partitions: must be 1 to 10000",
                         layout->partitions);
    }
    int32_t made = 0;
    LEAT_TRY(apply_pending(s, log, arg, err), err, "could not migrate store '%s'", s->schema);
    LEAT_TRY(make_layout(s, layout, &made, err), err, "could not lay out store '%s'", s->schema);
    if (made > 0 && log != NULL) {
        char line[128];
        (void)snprintf(line, sizeof line, "store %s: %d fence rows made for %d partitions",
                       s->schema, made, layout->partitions);
        log(arg, line);
    }
    return LEAT_OK;
}

/* ---- checking ---- */

static leat_status not_ready(const struct leat_store *s, struct leat_error *err)
{
    (void)leat_fail(err, LEAT_ABSENT, "store '%s' is not ready for this leat", s->schema);
    leat_error_hint(err, "Run 'leat apply' to create or upgrade the store.");
    return LEAT_ABSENT;
}

leat_status leat_store_check(struct leat_store *s, int32_t partitions, struct leat_error *err)
{
    struct leat_applied a = {0};
    leat_status status = leat_store_applied(s, &a, err);
    if (status == LEAT_ABSENT)
        return not_ready(s, err);
    if (status == LEAT_OK)
        status = judge_applied(s, &a, err);
    if (status != LEAT_OK)
        return status;
    if (a.count < leat_migration_count)
        return not_ready(s, err);
    struct leat_servers servers = {0};
    status = leat_store_servers(s, &servers, err);
    if (status == LEAT_ABSENT)
        return not_ready(s, err);
    LEAT_TRY(status, err, "could not check store '%s'", s->schema);
    if (servers.partitions != partitions) {
        return leat_fail(err, LEAT_INVALID, "store '%s' has %d partitions, the topology says %d",
                         s->schema, servers.partitions, partitions);
    }
    if (servers.standby) {
        return leat_fail(err, LEAT_RETRY, "store '%s' is on a standby, not (yet) a primary",
                         s->schema);
    }
    return leat_server_is_adopted(&servers) ? LEAT_OK
                                            : leat_server_refuse(s, &servers, LEAT_FATAL, err);
}
