#include "projection/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "projection/index_key.h"

#define FINDING_BYTES 400
#define KEY_SHOWN     120
#define SKIP_KEY      12

struct verify {
    struct leat_verify *v;
    struct leat_env_txn txn;
    struct leat_shape *shape;
    struct leat_cell cells[LEAT_ROW_FIELDS_MAX];
};

static void found(struct verify *x, uint64_t *count, const char *fmt, ...) LEAT_PRINTF(3, 4);

static void found(struct verify *x, uint64_t *count, const char *fmt, ...)
{
    char text[FINDING_BYTES];
    va_list args;
    (*count)++;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    x->v->found(x->v->arg, text);
}

static struct leat_str str_of(const MDB_val *v)
{
    return (struct leat_str){v->mv_data, (uint32_t)v->mv_size};
}

/* Keys are text but for what stands for the rest of a long one. */
static struct leat_str shown(struct leat_str key)
{
    key.len = key.len < KEY_SHOWN ? key.len : KEY_SHOWN;
    for (uint32_t i = 0; i < key.len; i++) {
        if ((unsigned char)key.at[i] < ' ')
            key.len = i;
    }
    return key;
}

/* ---- rows ---- */

static void entry_of(const struct verify *x, uint32_t index_no, struct leat_str db_key,
                     struct leat_index_key *ret)
{
    const struct leat_shape_index *index = &x->shape->indexes[index_no];
    leat_index_key_start(ret, (uint8_t)index_no);
    for (uint32_t i = 0; i < index->n_columns; i++)
        leat_index_key_column(ret, &x->cells[index->columns[i].field],
                              index->columns[i].descending);
    leat_index_key_end(ret, db_key);
}

static bool columns_fit(const struct leat_shape *s)
{
    for (uint32_t i = 0; i < s->n_indexes; i++) {
        for (uint32_t j = 0; j < s->indexes[i].n_columns; j++) {
            if (s->indexes[i].columns[j].field >= s->n_fields)
                return false;
        }
    }
    return s->n_fields <= LEAT_ROW_FIELDS_MAX;
}

static void check_row(struct verify *x, struct leat_str db_key, struct leat_str bytes)
{
    struct leat_str kept = {NULL, 0}, ignored, at = shown(db_key);
    struct leat_error why = {0};
    uint8_t scratch[LEAT_ROW_KEY_MAX];
    bool shortened = false;
    if (leat_row_decode(bytes, x->cells, x->shape->n_fields, &kept, &why) != LEAT_OK) {
        found(x, &x->v->damaged, "row '%.*s' does not decode: %s", LEAT_STR_FMT(at), why.msg);
        return;
    }
    if (kept.len > 0 && !leat_str_eq(leat_row_key(kept, scratch, &shortened), db_key))
        found(x, &x->v->damaged, "row '%.*s' is kept under another key", LEAT_STR_FMT(at));
    for (uint32_t i = 0; i < x->shape->n_indexes; i++) {
        struct leat_index_key entry = {.len = 0};
        entry_of(x, i, db_key, &entry);
        x->v->index_entries++;
        if (leat_env_get(&x->txn, LEAT_DB_INDEX,
                         (struct leat_str){(const char *)entry.bytes, entry.len}, &ignored,
                         &why) != LEAT_OK)
            found(x, &x->v->missing, "row '%.*s' is not in index '%.*s' where it belongs",
                  LEAT_STR_FMT(at), LEAT_STR_FMT(x->shape->indexes[i].name));
    }
}

/* ---- index entries ---- */

static void check_entry(struct verify *x, struct leat_str entry)
{
    struct leat_str db_key = {NULL, 0}, bytes;
    struct leat_error why = {0};
    struct leat_index_key want = {.len = 0};
    uint32_t no = entry.len > 0 ? (uint8_t)entry.at[0] : UINT32_MAX;
    if (no >= x->shape->n_indexes ||
        !leat_index_key_row(entry, x->shape->indexes[no].columns, x->shape->indexes[no].n_columns,
                            &db_key) ||
        db_key.len == 0) {
        found(x, &x->v->stray, "an index entry of %u bytes is damaged", entry.len);
        return;
    }
    struct leat_str at = shown(db_key);
    bool there = leat_env_get(&x->txn, LEAT_DB_ROWS, db_key, &bytes, &why) == LEAT_OK;
    if (there && leat_row_decode(bytes, x->cells, x->shape->n_fields, NULL, &why) != LEAT_OK)
        return; /* told already */
    if (there)
        entry_of(x, no, db_key, &want);
    if (!there || !leat_str_eq(entry, (struct leat_str){(const char *)want.bytes, want.len}))
        found(x, &x->v->stray, "index '%.*s' has an entry that row '%.*s' does not need",
              LEAT_STR_FMT(x->shape->indexes[no].name), LEAT_STR_FMT(at));
}

static void check_skip(struct verify *x, struct leat_str key)
{
    if (key.len != SKIP_KEY)
        found(x, &x->v->damaged, "an entry of the skipped events is damaged");
}

/* ---- all of it ---- */

static leat_status walk(struct verify *x, leat_env_db db, struct leat_error *err)
{
    MDB_cursor *cursor = NULL;
    MDB_val k, d;
    int rc = mdb_cursor_open(x->txn.txn, x->txn.dbi[db], &cursor);
    if (rc != 0)
        return leat_env_fail(NULL, rc, err, "read a model");
    while ((rc = mdb_cursor_get(cursor, &k, &d, MDB_NEXT)) == 0) {
        if (db == LEAT_DB_ROWS) {
            check_row(x, str_of(&k), str_of(&d));
        } else if (db == LEAT_DB_INDEX) {
            check_entry(x, str_of(&k));
        } else {
            check_skip(x, str_of(&k));
        }
    }
    mdb_cursor_close(cursor);
    return rc == MDB_NOTFOUND ? LEAT_OK : leat_env_fail(NULL, rc, err, "read a model");
}

static leat_status check_positions(struct verify *x, struct leat_error *err)
{
    struct leat_checkpoint at[LEAT_PARTITIONS_MAX];
    static const struct leat_uuid zero;
    if (x->shape->partitions < 1 || x->shape->partitions > LEAT_PARTITIONS_MAX)
        return leat_fail(err, LEAT_POISON, "its shape is damaged");
    LEAT_TRY(leat_checkpoints_read(&x->txn, x->shape->partitions, at, err), err, "checkpoints");
    for (int32_t k = 0; k < x->shape->partitions; k++) {
        x->v->events += at[k].seq;
        if (at[k].seq < 0 || (at[k].seq > 0 && (leat_uuid_eq(&at[k].store_id, &zero) ||
                                                leat_uuid_eq(&at[k].event_id, &zero))))
            found(x, &x->v->bad_positions, "the checkpoint of slice %d makes no sense", (int)k);
    }
    return LEAT_OK;
}

static leat_status verify(struct verify *x, struct leat_error *err)
{
    LEAT_TRY(leat_shape_read(&x->txn, &x->shape, err), err, "shape");
    if (!columns_fit(x->shape))
        return leat_fail(err, LEAT_POISON, "its shape is damaged");
    LEAT_TRY(check_positions(x, err), err, "verify");
    LEAT_TRY(walk(x, LEAT_DB_ROWS, err), err, "rows");
    LEAT_TRY(walk(x, LEAT_DB_INDEX, err), err, "indexes");
    LEAT_TRY(walk(x, LEAT_DB_SKIPPED, err), err, "skipped events");
    struct leat_model_side side = {&x->txn, x->shape};
    return leat_model_sum(&side, &x->v->sum, err);
}

leat_status leat_version_verify(const char *dir, struct leat_verify *v, struct leat_error *err)
{
    struct verify x = {.v = v};
    struct leat_env *env = NULL;
    LEAT_TRY(leat_env_open(dir, false, 0, &env, err), err, "verify");
    leat_status status = leat_env_read_begin(env, &x.txn, err);
    if (status == LEAT_OK) {
        status = verify(&x, err);
        leat_env_read_end(&x.txn);
    }
    leat_shape_free(x.shape);
    leat_env_close(env);
    return status;
}

bool leat_verify_is_good(const struct leat_verify *v)
{
    return v->damaged == 0 && v->missing == 0 && v->stray == 0 && v->bad_positions == 0;
}
