#include "projection/shape.h"

#include <stdlib.h>
#include <string.h>

#define CHECKPOINT_BYTES 48
#define CLOCK_BYTES      8

static const struct leat_str key_shape = {"shape", 5};
static const struct leat_str key_checkpoints = {"checkpoints", 11};
static const struct leat_str key_clocks = {"clocks", 6};
static const struct leat_str key_kinds = {"kinds", 5};

static struct leat_shape *shape_new(void)
{
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_shape *s = leat_arena_zalloc(arena, 1, sizeof *s);
    s->arena = arena;
    return s;
}

void leat_shape_free(struct leat_shape *s)
{
    if (s != NULL)
        leat_arena_free(s->arena); /* the shape itself lies in it */
}

static void shape_freep(struct leat_shape **s)
{
    leat_shape_free(*s);
}

leat_status leat_shape_of(const struct leat_projection *p, int32_t partitions,
                          struct leat_shape **ret, struct leat_error *err)
{
    LEAT_AUTO(shape_freep) struct leat_shape *s = shape_new();
    if (p->n_indexes > LEAT_INDEXES_MAX || p->fields.n > LEAT_ROW_FIELDS_MAX) {
        return leat_fail(err, LEAT_INVALID, "projection '%.*s' has too many indexes or fields",
                         LEAT_STR_FMT(p->name));
    }
    s->partitions = partitions;
    s->n_fields = p->fields.n;
    s->fields = leat_arena_zalloc(s->arena, p->fields.n, sizeof *s->fields);
    for (uint32_t i = 0; i < p->fields.n; i++)
        s->fields[i] = leat_arena_copy(s->arena, p->fields.at[i]);
    for (uint32_t i = 0; i < p->n_indexes; i++) {
        const struct leat_index *from = &p->indexes[i];
        struct leat_shape_index *to = &s->indexes[s->n_indexes++];
        if (from->n_columns > LEAT_INDEX_COLUMNS_MAX || from->n_columns == 0) {
            return leat_fail(
                err, LEAT_INVALID,
                "index '%.*s' of projection '%.*s' has %u columns; 1 to %d are allowed",
                LEAT_STR_FMT(from->name), LEAT_STR_FMT(p->name), from->n_columns,
                LEAT_INDEX_COLUMNS_MAX);
        }
        to->name = leat_arena_copy(s->arena, from->name);
        to->n_columns = from->n_columns;
        memcpy(to->columns, from->columns, from->n_columns * sizeof *to->columns);
    }
    *ret = LEAT_TAKE(s);
    return LEAT_OK;
}

int leat_shape_index(const struct leat_shape *s, struct leat_str name)
{
    for (uint32_t i = 0; i < s->n_indexes; i++) {
        if (leat_str_eq(s->indexes[i].name, name))
            return (int)i;
    }
    return -1;
}

/* Form: u32 partitions, u16 fields, u16 indexes; texts as u16 length and bytes; per index its name,
 * u8 columns, per column u16 field and u8 descending. Little-endian. */
static void put_u(struct leat_buf *b, uint64_t v, int bytes)
{
    for (int i = 0; i < bytes; i++)
        leat_buf_putc(b, (char)(uint8_t)(v >> (8 * i)));
}

static uint64_t get_u(struct leat_str *in, int bytes)
{
    uint64_t v = 0;
    if (in->len < (uint32_t)bytes) {
        in->len = 0;
        return 0;
    }
    for (int i = 0; i < bytes; i++)
        v |= (uint64_t)(uint8_t)in->at[i] << (8 * i);
    in->at += bytes;
    in->len -= (uint32_t)bytes;
    return v;
}

static void put_name(struct leat_buf *b, struct leat_str s)
{
    put_u(b, s.len, 2);
    leat_buf_put(b, s.at, s.len);
}

static struct leat_str get_name(struct leat_str *in, struct leat_arena *arena)
{
    uint32_t len = (uint32_t)get_u(in, 2);
    if (len > in->len)
        len = in->len;
    struct leat_str s = leat_arena_copy(arena, (struct leat_str){in->at, len});
    in->at += len;
    in->len -= len;
    return s;
}

void leat_shape_text(const struct leat_shape *s, struct leat_buf *out)
{
    put_u(out, (uint64_t)s->partitions, 4);
    put_u(out, s->n_fields, 2);
    put_u(out, s->n_indexes, 2);
    for (uint32_t i = 0; i < s->n_fields; i++)
        put_name(out, s->fields[i]);
    for (uint32_t i = 0; i < s->n_indexes; i++) {
        put_name(out, s->indexes[i].name);
        put_u(out, s->indexes[i].n_columns, 1);
        for (uint32_t j = 0; j < s->indexes[i].n_columns; j++) {
            put_u(out, s->indexes[i].columns[j].field, 2);
            put_u(out, s->indexes[i].columns[j].descending, 1);
        }
    }
}

leat_status leat_shape_write(struct leat_env_txn *t, const struct leat_shape *s,
                             struct leat_error *err)
{
    struct leat_buf b;
    leat_buf_init(&b, LEAT_SHAPE_BYTES_MAX);
    leat_shape_text(s, &b);
    leat_status status = leat_env_put(t, LEAT_DB_META, key_shape, leat_buf_str(&b), err);
    leat_buf_done(&b);
    return status;
}

static void read_index(struct leat_str *in, struct leat_shape *s)
{
    struct leat_shape_index *to = &s->indexes[s->n_indexes++];
    to->name = get_name(in, s->arena);
    to->n_columns = (uint32_t)get_u(in, 1);
    if (to->n_columns > LEAT_INDEX_COLUMNS_MAX)
        to->n_columns = LEAT_INDEX_COLUMNS_MAX;
    for (uint32_t i = 0; i < to->n_columns; i++) {
        uint32_t field = (uint32_t)get_u(in, 2);
        to->columns[i].field = field < s->n_fields ? field : 0;
        to->columns[i].descending = get_u(in, 1) != 0;
    }
}

bool leat_shape_of_text(struct leat_str in, struct leat_shape **ret)
{
    struct leat_shape *s = shape_new();
    s->partitions = (int32_t)get_u(&in, 4);
    uint32_t fields = (uint32_t)get_u(&in, 2);
    uint32_t indexes = (uint32_t)get_u(&in, 2);
    if (s->partitions <= 0 || s->partitions > LEAT_PARTITIONS_MAX || fields > LEAT_ROW_FIELDS_MAX ||
        indexes > LEAT_INDEXES_MAX) {
        leat_shape_free(s);
        return false;
    }
    s->n_fields = fields;
    s->fields = leat_arena_zalloc(s->arena, fields, sizeof *s->fields);
    for (uint32_t i = 0; i < fields; i++)
        s->fields[i] = get_name(&in, s->arena);
    for (uint32_t i = 0; i < indexes; i++)
        read_index(&in, s);
    *ret = s;
    return true;
}

leat_status leat_shape_read(struct leat_env_txn *t, struct leat_shape **ret, struct leat_error *err)
{
    struct leat_str in;
    LEAT_TRY(leat_env_get(t, LEAT_DB_META, key_shape, &in, err), err, "read the model's shape");
    return leat_shape_of_text(in, ret)
               ? LEAT_OK
               : leat_fail(err, LEAT_FATAL, "could not read the model's shape: damaged");
}

static void pack_checkpoint(const struct leat_checkpoint *c, uint8_t to[CHECKPOINT_BYTES])
{
    memcpy(to, c->store_id.b, 16);
    memcpy(to + 16, c->event_id.b, 16);
    for (int i = 0; i < 8; i++) {
        to[32 + i] = (uint8_t)((uint64_t)c->seq >> (8 * i));
        to[40 + i] = (uint8_t)((uint64_t)c->next_offset >> (8 * i));
    }
}

static void unpack_checkpoint(const uint8_t *from, struct leat_checkpoint *c)
{
    uint64_t seq = 0, offset = 0;
    memcpy(c->store_id.b, from, 16);
    memcpy(c->event_id.b, from + 16, 16);
    for (int i = 0; i < 8; i++) {
        seq |= (uint64_t)from[32 + i] << (8 * i);
        offset |= (uint64_t)from[40 + i] << (8 * i);
    }
    c->seq = (int64_t)seq;
    c->next_offset = (int64_t)offset;
}

static leat_status read_clocks(struct leat_env_txn *t, int32_t partitions,
                               struct leat_checkpoint *ret, struct leat_error *err)
{
    struct leat_str v;
    leat_status status = leat_env_get(t, LEAT_DB_META, key_clocks, &v, err);
    if (status == LEAT_ABSENT)
        return LEAT_OK;
    LEAT_TRY(status, err, "read the model's clocks");
    for (int32_t k = 0; k < partitions && v.len == (size_t)partitions * CLOCK_BYTES; k++)
        memcpy(&ret[k].time_ms, v.at + (size_t)k * CLOCK_BYTES, CLOCK_BYTES);
    return LEAT_OK;
}

leat_status leat_clocks_write(struct leat_env_txn *t, int32_t partitions,
                              const struct leat_checkpoint *at, struct leat_error *err)
{
    char bytes[LEAT_PARTITIONS_MAX * CLOCK_BYTES];
    leat_assert(partitions > 0 && partitions <= LEAT_PARTITIONS_MAX);
    for (int32_t k = 0; k < partitions; k++)
        memcpy(bytes + (size_t)k * CLOCK_BYTES, &at[k].time_ms, CLOCK_BYTES);
    struct leat_str v = {bytes, (uint32_t)partitions * CLOCK_BYTES};
    return leat_env_put(t, LEAT_DB_META, key_clocks, v, err);
}

leat_status leat_checkpoints_read(struct leat_env_txn *t, int32_t partitions,
                                  struct leat_checkpoint *ret, struct leat_error *err)
{
    struct leat_str v;
    memset(ret, 0, (size_t)partitions * sizeof *ret);
    leat_status status = leat_env_get(t, LEAT_DB_META, key_checkpoints, &v, err);
    if (status == LEAT_ABSENT)
        return LEAT_OK;
    LEAT_TRY(status, err, "read the model's checkpoints");
    if (v.len != (size_t)partitions * CHECKPOINT_BYTES) {
        return leat_fail(err, LEAT_FATAL,
                         "the model has checkpoints of another number of partitions than %d",
                         (int)partitions);
    }
    for (int32_t k = 0; k < partitions; k++)
        unpack_checkpoint((const uint8_t *)v.at + (size_t)k * CHECKPOINT_BYTES, &ret[k]);
    return read_clocks(t, partitions, ret, err);
}

leat_status leat_checkpoints_write(struct leat_env_txn *t, int32_t partitions,
                                   const struct leat_checkpoint *at, struct leat_error *err)
{
    static _Thread_local uint8_t bytes[LEAT_PARTITIONS_MAX * CHECKPOINT_BYTES];
    leat_assert(partitions > 0 && partitions <= LEAT_PARTITIONS_MAX);
    for (int32_t k = 0; k < partitions; k++)
        pack_checkpoint(&at[k], bytes + (size_t)k * CHECKPOINT_BYTES);
    struct leat_str v = {(const char *)bytes, (uint32_t)partitions * CHECKPOINT_BYTES};
    return leat_env_put(t, LEAT_DB_META, key_checkpoints, v, err);
}

leat_status leat_column_kinds_read(struct leat_env_txn *t, struct leat_column_kinds *ret,
                                   struct leat_error *err)
{
    struct leat_str v;
    memset(ret, 0, sizeof *ret);
    leat_status status = leat_env_get(t, LEAT_DB_META, key_kinds, &v, err);
    if (status == LEAT_ABSENT)
        return LEAT_OK;
    LEAT_TRY(status, err, "read the model's columns");
    memcpy(ret->bits, v.at, v.len < sizeof ret->bits ? v.len : sizeof ret->bits);
    return LEAT_OK;
}

leat_status leat_column_kinds_write(struct leat_env_txn *t, const struct leat_column_kinds *kinds,
                                    struct leat_error *err)
{
    struct leat_str v = {(const char *)kinds->bits, sizeof kinds->bits};
    return leat_env_put(t, LEAT_DB_META, key_kinds, v, err);
}
