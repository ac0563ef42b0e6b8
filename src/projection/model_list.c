/* Lists of rows, page by page. */
#include <stdlib.h>
#include <string.h>

#include "projection/model.h"
#include "projection/model_cursor.h"
#include "projection/model_range.h"

struct list {
    struct leat_scan scan;
    struct leat_str name; /* what a cursor belongs to */
    struct leat_chosen chosen;
    struct leat_json_writer w;
};

static leat_status read_cursor(struct list *l, const struct leat_model_range *r,
                               const struct leat_rows_version *v, struct leat_error *err)
{
    struct leat_rows_range *range = &l->scan.range;
    if (r->cursor.len == 0)
        return LEAT_OK;
    return leat_model_cursor_read(r->cursor, l->name, v->version, &range->after, err);
}

static void put_cursor(struct list *l, const char *version, const struct leat_index_key *last)
{
    struct leat_buf text;
    leat_buf_init(&text, LEAT_CURSOR_BYTES_MAX);
    leat_model_cursor_put(l->name, version, (struct leat_str){(const char *)last->bytes, last->len},
                          &text);
    leat_json_put_str(&l->w, "cursor", leat_buf_str(&text));
    leat_buf_done(&text);
}

/* The rows; *ret_last = where to go on, len 0 when there are no more. */
static leat_status put_rows(struct list *l, int32_t limit, struct leat_index_key *ret_last,
                            struct leat_error *err)
{
    struct leat_model_row row;
    int32_t written = 0;
    bool wanted = false;
    leat_status status = LEAT_OK;
    const struct leat_shape *shape = l->scan.snapshot->version->shape;
    ret_last->len = 0;
    while ((status = leat_scan_look(&l->scan, &row, &wanted, err)) == LEAT_OK) {
        if (written == limit || l->scan.looked_at > LEAT_MODEL_SCAN_MAX)
            return LEAT_OK;
        if (wanted)
            leat_row_put(shape, &row, &l->chosen, &l->w);
        written += wanted;
        ret_last->len = row.entry.len;
        memcpy(ret_last->bytes, row.entry.at, row.entry.len);
    }
    ret_last->len = 0;
    return status == LEAT_ABSENT ? LEAT_OK : status;
}

static leat_status put_list(struct list *l, int32_t limit, const char *version,
                            struct leat_error *err)
{
    struct leat_index_key last;
    leat_json_begin_object(&l->w);
    leat_json_key(&l->w, LEAT_STR("rows"));
    leat_json_begin_array(&l->w);
    LEAT_TRY(put_rows(l, limit, &last, err), err, "list");
    leat_json_end_array(&l->w);
    if (last.len > 0) {
        put_cursor(l, version, &last);
    } else {
        leat_json_put_cstr(&l->w, "cursor", NULL);
    }
    leat_json_end_object(&l->w);
    return LEAT_OK;
}

static leat_status list_named(struct leat_model_read *read, struct list *l,
                              const struct leat_model_range *r, struct leat_buf *out,
                              struct leat_error *err)
{
    leat_status status = leat_scan_begin(read, r, false, &l->scan, err);
    if (status == LEAT_OK)
        status = leat_choose_fields(read->version, r->fields, &l->chosen, err);
    if (status == LEAT_OK)
        status = read_cursor(l, r, read->version, err);
    if (status != LEAT_OK)
        return status; /* worded for the asker */
    leat_json_writer_init(&l->w, out);
    status = put_list(l, r->limit, read->version->version, err);
    leat_scan_end(&l->scan);
    return status;
}

leat_status leat_read_list(struct leat_model_read *read, const struct leat_model_range *r,
                           struct leat_buf *out, struct leat_error *err)
{
    struct leat_buf name;
    struct list l;
    if (r->limit < 1 || r->limit > LEAT_MODEL_LIMIT_MAX)
        return leat_fail(err, LEAT_INVALID, "limit must be 1 to %d", LEAT_MODEL_LIMIT_MAX);
    leat_buf_init(&name, LEAT_LIST_BYTES_MAX);
    leat_range_name(r, &name);
    l.name = leat_buf_str(&name);
    leat_status status =
        name.overflow
            ? leat_fail(err, LEAT_INVALID, "the values of the range and the filter are too long")
            : list_named(read, &l, r, out, err);
    leat_buf_done(&name);
    return status;
}

void leat_model_skip_json(const uint8_t *key, struct leat_str text, struct leat_json_writer *w)
{
    int64_t slice = 0, seq = 0;
    for (int i = 0; i < 4; i++)
        slice = slice << 8 | key[i];
    for (int i = 4; i < LEAT_SKIP_KEY_BYTES; i++)
        seq = seq << 8 | key[i];
    const char *end = text.len == 0 ? NULL : memchr(text.at, 0, text.len);
    uint32_t type_len = end == NULL ? text.len : (uint32_t)(end - text.at);
    uint32_t reason_at = end == NULL ? text.len : type_len + 1;
    leat_json_begin_object(w);
    leat_json_put_int(w, "slice", slice);
    leat_json_put_int(w, "seq", seq);
    leat_json_put_str(w, "type", (struct leat_str){text.at, type_len});
    leat_json_put_str(w, "reason", (struct leat_str){text.at + reason_at, text.len - reason_at});
    leat_json_end_object(w);
}
