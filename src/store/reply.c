#include "store/reply.h"

#include <endian.h>
#include <string.h>

struct leat_pg_reply leat_reply_of(const PGresult *r, int columns, struct leat_arena *arena)
{
    struct leat_pg_reply reply = {.result = r, .arena = arena, .rows = PQntuples(r)};
    reply.bad = PQnfields(r) != columns;
    for (int i = 0; i < columns && !reply.bad; i++)
        reply.bad = PQfformat(r, i) != 1;
    if (reply.bad)
        reply.rows = 0;
    return reply;
}

leat_status leat_reply_ok(const struct leat_pg_reply *r, const char *what, struct leat_error *err)
{
    if (!r->bad)
        return LEAT_OK;
    return leat_fail(err, LEAT_FATAL, "the store's answer to '%s' has an unexpected form", what);
}

bool leat_reply_null(struct leat_pg_reply *r, int row, int col)
{
    if (row >= r->rows || col >= PQnfields(r->result))
        r->bad = true;
    return r->bad || PQgetisnull(r->result, row, col) == 1;
}

/* The bytes of a value of this type and, unless negative, length; NULL when it is not. */
static const char *value(struct leat_pg_reply *r, int row, int col, leat_pg_type type, int len)
{
    if (leat_reply_null(r, row, col) || PQftype(r->result, col) != (Oid)type ||
        (len >= 0 && PQgetlength(r->result, row, col) != len)) {
        r->bad = true;
        return NULL;
    }
    return PQgetvalue(r->result, row, col);
}

static int64_t load(const void *at, int32_t len)
{
    uint64_t be8;
    uint32_t be4;
    uint16_t be2;
    switch (len) {
    case 8:
        memcpy(&be8, at, sizeof be8);
        return (int64_t)be64toh(be8);
    case 4:
        memcpy(&be4, at, sizeof be4);
        return (int32_t)be32toh(be4);
    case 2:
        memcpy(&be2, at, sizeof be2);
        return (int16_t)be16toh(be2);
    default:
        return *(const int8_t *)at;
    }
}

bool leat_reply_bool(struct leat_pg_reply *r, int row, int col)
{
    const char *at = value(r, row, col, LEAT_PG_BOOL, 1);
    return at != NULL && *at != 0;
}

int32_t leat_reply_int4(struct leat_pg_reply *r, int row, int col)
{
    const char *at = value(r, row, col, LEAT_PG_INT4, 4);
    return at == NULL ? 0 : (int32_t)load(at, 4);
}

int64_t leat_reply_int8(struct leat_pg_reply *r, int row, int col)
{
    const char *at = value(r, row, col, LEAT_PG_INT8, 8);
    return at == NULL ? 0 : load(at, 8);
}

int64_t leat_reply_unix_us(struct leat_pg_reply *r, int row, int col)
{
    const char *at = value(r, row, col, LEAT_PG_TIMESTAMPTZ, 8);
    int64_t us = at == NULL ? 0 : load(at, 8);
    int64_t unix_us = 0;
    if (__builtin_add_overflow(us, LEAT_PG_EPOCH_US, &unix_us))
        r->bad = true; /* 'infinity' is no time of ours */
    return r->bad ? 0 : unix_us;
}

int64_t leat_reply_unix_ms(struct leat_pg_reply *r, int row, int col)
{
    if (leat_reply_null(r, row, col))
        return 0;
    const char *at = value(r, row, col, LEAT_PG_TIMESTAMPTZ, 8);
    if (at != NULL && load(at, 8) == INT64_MAX)
        return LEAT_NEVER_MS;
    return leat_reply_unix_us(r, row, col) / 1000;
}

struct leat_uuid leat_reply_uuid(struct leat_pg_reply *r, int row, int col)
{
    struct leat_uuid id = {{0}};
    const char *at = value(r, row, col, LEAT_PG_UUID, 16);
    if (at != NULL)
        memcpy(id.b, at, sizeof id.b);
    return id;
}

struct leat_str leat_reply_bytes(struct leat_pg_reply *r, int row, int col)
{
    if (leat_reply_null(r, row, col))
        return LEAT_STR("");
    Oid type = PQftype(r->result, col);
    if (type != LEAT_PG_TEXT && type != LEAT_PG_BYTEA) {
        r->bad = true;
        return LEAT_STR("");
    }
    struct leat_str s = {PQgetvalue(r->result, row, col),
                         (uint32_t)PQgetlength(r->result, row, col)};
    return leat_arena_copy(r->arena, s);
}

static Oid array_of(leat_pg_type element)
{
    switch (element) {
    case LEAT_PG_BOOL:
        return LEAT_PG_BOOL_ARRAY;
    case LEAT_PG_INT2:
        return LEAT_PG_INT2_ARRAY;
    case LEAT_PG_INT4:
        return LEAT_PG_INT4_ARRAY;
    case LEAT_PG_INT8:
        return LEAT_PG_INT8_ARRAY;
    case LEAT_PG_UUID:
        return LEAT_PG_UUID_ARRAY;
    case LEAT_PG_TEXT:
        return LEAT_PG_TEXT_ARRAY;
    case LEAT_PG_BYTEA:
    case LEAT_PG_TIMESTAMPTZ:
    case LEAT_PG_BOOL_ARRAY:
    case LEAT_PG_INT2_ARRAY:
    case LEAT_PG_INT4_ARRAY:
    case LEAT_PG_INT8_ARRAY:
    case LEAT_PG_UUID_ARRAY:
    case LEAT_PG_TEXT_ARRAY:
        break;
    }
    return InvalidOid;
}

struct leat_pg_list leat_reply_list(struct leat_pg_reply *r, int col, leat_pg_type element)
{
    struct leat_pg_list list = {.reply = r};
    if (leat_reply_null(r, 0, col))
        return list;
    const char *at = value(r, 0, col, (leat_pg_type)array_of(element), -1);
    int32_t len = at == NULL ? 0 : PQgetlength(r->result, 0, col);
    if (at == NULL || len < 12 || load(at + 8, 4) != (int32_t)element) {
        r->bad = true;
        return list;
    }
    int64_t dimensions = load(at, 4);
    if (dimensions == 0 && len == 12)
        return list;
    int64_t n = len < 20 ? -1 : load(at + 12, 4);
    if (dimensions != 1 || n < 0 || n > (len - 20) / 4) {
        r->bad = true;
        return list;
    }
    list.at = (const uint8_t *)at + 20;
    list.end = (const uint8_t *)at + len;
    list.count = list.left = (size_t)n;
    return list;
}

struct leat_pg_list leat_reply_list_of(struct leat_pg_reply *r, int col, leat_pg_type element,
                                       size_t n)
{
    struct leat_pg_list list = leat_reply_list(r, col, element);
    if (list.count != n) {
        r->bad = true;
        list.left = 0;
    }
    return list;
}

/* *ret_len = -1 for null. */
static const uint8_t *next_bytes(struct leat_pg_list *l, int32_t *ret_len)
{
    static const uint8_t nothing[16];
    *ret_len = -1;
    if (l->left == 0 || l->reply->bad || l->end - l->at < 4) {
        l->reply->bad = true;
        return nothing;
    }
    int32_t len = (int32_t)load(l->at, 4);
    const uint8_t *at = l->at + 4;
    if (len < -1 || (len > 0 && l->end - at < len)) {
        l->reply->bad = true;
        return nothing;
    }
    l->at = len > 0 ? at + len : at;
    l->left--;
    *ret_len = len;
    return len < 0 ? nothing : at;
}

int64_t leat_list_int(struct leat_pg_list *l)
{
    int32_t len = -1;
    const uint8_t *at = next_bytes(l, &len);
    if (len < 0)
        return 0;
    if (len != 1 && len != 2 && len != 4 && len != 8) {
        l->reply->bad = true;
        return 0;
    }
    return load(at, len);
}

struct leat_uuid leat_list_uuid(struct leat_pg_list *l)
{
    struct leat_uuid id = {{0}};
    int32_t len = -1;
    const uint8_t *at = next_bytes(l, &len);
    if (len == 16) {
        memcpy(id.b, at, sizeof id.b);
    } else {
        l->reply->bad = true;
    }
    return id;
}

struct leat_str leat_list_bytes(struct leat_pg_list *l)
{
    int32_t len = -1;
    const uint8_t *at = next_bytes(l, &len);
    if (len <= 0)
        return LEAT_STR("");
    return leat_arena_copy(l->reply->arena, (struct leat_str){(const char *)at, (uint32_t)len});
}
