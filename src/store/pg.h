/* pg.h - private to src/store: libpq with binary parameters, deadlines and our statuses.
 * No other header of the tree includes libpq. */
#ifndef LEAT_STORE_PG_H
#define LEAT_STORE_PG_H

#include <libpq-fe.h>

#include "base/buf.h"
#include "store/store.h"

/* Type oids of pg_type.dat, which never change. */
typedef enum leat_pg_type {
    LEAT_PG_BOOL = 16,
    LEAT_PG_BYTEA = 17,
    LEAT_PG_INT8 = 20,
    LEAT_PG_INT2 = 21,
    LEAT_PG_INT4 = 23,
    LEAT_PG_TEXT = 25,
    LEAT_PG_TIMESTAMPTZ = 1184,
    LEAT_PG_UUID = 2950,
    LEAT_PG_BOOL_ARRAY = 1000,
    LEAT_PG_INT2_ARRAY = 1005,
    LEAT_PG_INT4_ARRAY = 1007,
    LEAT_PG_TEXT_ARRAY = 1009,
    LEAT_PG_INT8_ARRAY = 1016,
    LEAT_PG_UUID_ARRAY = 2951,
} leat_pg_type;

#define LEAT_PG_PARAMS_MAX 100
#define LEAT_PG_EPOCH_US   946684800000000 /* 2000-01-01 in unix microseconds */

/* Parameters of one statement, in one buffer; cleared and reused for every call. */
struct leat_pg_params {
    struct leat_buf bytes;
    struct {
        uint32_t at;
        int32_t len; /* -1 = null */
    } of[LEAT_PG_PARAMS_MAX];
    int count;
};

void leat_pg_clear(struct leat_pg_params *p);
void leat_pg_null(struct leat_pg_params *p);
void leat_pg_bool(struct leat_pg_params *p, bool v);
void leat_pg_int4(struct leat_pg_params *p, int32_t v);
void leat_pg_int8(struct leat_pg_params *p, int64_t v);
void leat_pg_limit(struct leat_pg_params *p, size_t rows); /* int8, as far as that goes */
void leat_pg_bytes(struct leat_pg_params *p, const void *at, size_t len); /* text bytea uuid */
int64_t leat_pg_us(int64_t unix_us); /* a timestamptz; what is before all times: -infinity */
void leat_pg_time(struct leat_pg_params *p, int64_t unix_us); /* timestamptz; 0: null */
/* An array parameter: begin with its element count, exactly that many puts, end. */
void leat_pg_array(struct leat_pg_params *p, leat_pg_type element, size_t n);
void leat_pg_array_end(struct leat_pg_params *p);
/* Elements of one size: room for all of them at once, n * (4 + bytes), lengths filled in by the
 * put functions below. NULL when it does not fit. */
char *leat_pg_room(struct leat_pg_params *p, size_t n, size_t bytes);
char *leat_pg_put2(char *to, int16_t v); /* each returns where the next element goes */
char *leat_pg_put4(char *to, int32_t v);
char *leat_pg_put8(char *to, int64_t v);
char *leat_pg_put16(char *to, const void *v);
/* Elements of any size. */
void leat_pg_put(struct leat_pg_params *p, const void *at, size_t len);
void leat_pg_put_null(struct leat_pg_params *p);
void leat_pg_put_bytes(struct leat_pg_params *p, struct leat_str s, bool null);
/* Bytes that Postgres would refuse in a text (NUL, not UTF-8) are written as \xNN. */
void leat_pg_put_text(struct leat_pg_params *p, struct leat_str s);
void leat_pg_put_text_or_null(struct leat_pg_params *p, struct leat_str s); /* empty: null */
void leat_pg_text(struct leat_pg_params *p, struct leat_str s);
void leat_pg_int4s(struct leat_pg_params *p, const int32_t *v, size_t n); /* a whole array */
void leat_pg_int8s(struct leat_pg_params *p, const int64_t *v, size_t n);
bool leat_pg_text_fits(struct leat_str s);
/* An array whose elements have one size: PUT is an expression that moves `to` on. */
#define LEAT_PG_FIXED(p, oid, n, bytes, PUT)                                                       \
    do {                                                                                           \
        leat_pg_array((p), (oid), (n));                                                            \
        char *to = leat_pg_room((p), (n), (bytes));                                                \
        for (size_t i = 0; to != NULL && i < (n); i++)                                             \
            to = (PUT);                                                                            \
        leat_pg_array_end(p);                                                                      \
    } while (0)
/* One whose elements have any size: PUT puts element i. */
#define LEAT_PG_VARYING(p, oid, n, PUT)                                                            \
    do {                                                                                           \
        leat_pg_array((p), (oid), (n));                                                            \
        for (size_t i = 0; i < (n); i++)                                                           \
            (PUT);                                                                                 \
        leat_pg_array_end(p);                                                                      \
    } while (0)

/* ---- the connection ---- */

struct leat_store {
    PGconn *conn;
    bool broken;   /* no reply in time, or the connection is gone */
    bool locked;   /* inside the transaction of leat_store_lock() */
    bool prepared; /* the append statement is, on this connection */
    bool prepare, adopted_only;
    int connect_timeout_ms, lock_timeout_ms;
    char *url, *schema, *application_name;
    char *quoted; /* schema as an identifier */
    char *append_sql, *append_with_sql;
    char sqlstate[6];   /* of the last failure, "" when it had none */
    int32_t blocked_by; /* blocked.h */
    struct leat_pg_params params;
    struct leat_store_counts counts;
};

typedef enum leat_pg_trip {
    LEAT_PG_READ,
    LEAT_PG_WRITE
} leat_pg_trip;

static inline void leat_pg_free_result(PGresult **r)
{
    PQclear(*r);
}
#define LEAT_PG_AUTO LEAT_AUTO(leat_pg_free_result)

/* One statement with s->params, result in binary; each `@` in sql stands for the quoted schema.
 * Waits at most 30 s. On success the caller clears *ret. */
LEAT_MUST_CHECK leat_status leat_pg_call(struct leat_store *s, leat_pg_trip trip, const char *sql,
                                         PGresult **ret, struct leat_error *err);
/* The same with text that is ready, prepared under `name` when not NULL. */
LEAT_MUST_CHECK leat_status leat_pg_call_text(struct leat_store *s, leat_pg_trip trip,
                                              const char *sql, const char *name, PGresult **ret,
                                              struct leat_error *err);
/* Statements without results, as text, in one trip. */
LEAT_MUST_CHECK leat_status leat_pg_script(struct leat_store *s, const char *sql, int timeout_ms,
                                           struct leat_error *err);

/* ---- the steps of a call, for who makes them himself ---- */

/* The connection is gone, and what it was to do is open: RETRY. */
leat_status leat_pg_lost(struct leat_store *s, struct leat_error *err);
/* Until a result can be had without waiting. RETRY when it does not come in time, too. */
LEAT_MUST_CHECK leat_status leat_pg_wait_result(struct leat_store *s, int64_t until_us,
                                                struct leat_error *err);
/* Until something has been read (or written, where not all is sent yet): look again. */
LEAT_MUST_CHECK leat_status leat_pg_wait_input(struct leat_store *s, int64_t until_us,
                                               struct leat_error *err);
#endif
