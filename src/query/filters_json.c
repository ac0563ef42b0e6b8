/* Dead letters and waiting messages as JSON. */
#include <string.h>

#include "base/base64.h"
#include "base/record_headers.h"
#include "base/utf8.h"
#include "query/filters.h"

#define VALUE_BYTES_MAX (16U << 20)
#define CURSOR_BYTES    512

static void put_id(struct leat_json_writer *w, const struct leat_uuid *id)
{
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(id, text);
    leat_json_put_cstr(w, "id", text);
}

/* Text where it is text, else {"base64": …}. */
static void bytes_json(struct leat_json_writer *w, struct leat_str bytes)
{
    struct leat_buf text;
    if (leat_utf8_valid(bytes)) {
        leat_json_str(w, bytes);
        return;
    }
    leat_buf_init(&text, (size_t)bytes.len * 2 + 8);
    leat_base64_put(&text, bytes);
    leat_json_begin_object(w);
    leat_json_put_str(w, "base64", leat_buf_str(&text));
    leat_json_end_object(w);
    leat_buf_done(&text);
}

static void put_headers(struct leat_str packed, struct leat_json_writer *w)
{
    struct leat_headers_iter it = {packed};
    struct leat_str name, value;
    bool null = false;
    leat_json_key(w, LEAT_STR("headers"));
    leat_json_begin_array(w); /* a name may come twice */
    while (leat_headers_next(&it, &name, &value, &null)) {
        leat_json_begin_object(w);
        leat_json_put_str(w, "name", name);
        leat_json_key(w, LEAT_STR("value"));
        if (null)
            leat_json_null(w);
        else
            bytes_json(w, value);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
}

void leat_record_json(const struct leat_schemas *schemas, struct leat_str headers,
                      const struct leat_str *value, struct leat_json_writer *w)
{
    struct leat_buf text;
    struct leat_error err = {0};
    put_headers(headers, w);
    leat_buf_init(&text, VALUE_BYTES_MAX);
    bool good = value != NULL && value->len > 0 &&
                leat_schemas_to_json(schemas, *value, &text, &err) == LEAT_OK && !text.overflow;
    leat_json_key(w, LEAT_STR("value"));
    if (good)
        leat_json_raw(w, leat_buf_str(&text));
    else
        leat_json_null(w);
    if (!good && value != NULL) {
        leat_json_put_cstr(w, "value_error", value->len == 0 ? "it is empty" : err.msg);
        leat_buf_clear(&text);
        leat_base64_put(&text, *value);
        leat_json_put_str(w, "value_base64", leat_buf_str(&text));
    }
    leat_buf_done(&text);
}

/* Of a page: where the next one goes on, if there is one. */
static void put_end(struct leat_buf *cursor, struct leat_json_writer *w)
{
    leat_json_key(w, LEAT_STR("cursor"));
    if (cursor->len > 0)
        leat_json_str(w, leat_buf_str(cursor));
    else
        leat_json_null(w);
    leat_json_end_object(w);
    leat_buf_done(cursor);
}

/* ---- dead letters ---- */

static void put_dead(const struct leat_dead_row *d, struct leat_json_writer *w)
{
    leat_json_put_int(w, "last_at", d->last_at_us / 1000);
    leat_json_put_str(w, "processor", d->processor);
    put_id(w, &d->id);
    leat_json_key(w, LEAT_STR("key"));
    if (d->key_null)
        leat_json_null(w);
    else
        bytes_json(w, d->key);
    leat_json_put_str(w, "type", d->type);
    leat_json_put_str(w, "class", d->class);
    leat_json_put_str(w, "code", d->code);
    leat_json_put_str(w, "message", d->message);
    leat_json_put_str(w, "topic", d->topic);
    leat_json_put_int(w, "partition", d->partition);
    leat_json_put_int(w, "offset", d->offset);
    leat_json_put_str(w, "state", d->state);
    leat_json_put_int(w, "redrives", d->redrives);
    leat_json_put_int(w, "attempts", d->attempts);
}

static void put_hash(struct leat_str hash, struct leat_json_writer *w)
{
    static const char hex[] = "0123456789abcdef";
    char text[65] = "";
    for (uint32_t i = 0; i < hash.len && i < 32; i++) {
        text[2 * i] = hex[(uint8_t)hash.at[i] >> 4];
        text[2 * i + 1] = hex[(uint8_t)hash.at[i] & 15];
        text[2 * i + 2] = 0;
    }
    leat_json_put_cstr(w, "value_sha256", text);
}

void leat_dead_json(const struct leat_schemas *schemas, const struct leat_dead_row *d,
                    struct leat_json_writer *w)
{
    leat_json_begin_object(w);
    put_dead(d, w);
    leat_json_put_int(w, "first_at", d->first_at_us / 1000);
    leat_json_put_int(w, "changed_at", d->changed_at_us / 1000);
    leat_json_key(w, LEAT_STR("note"));
    if (d->note.len > 0)
        leat_json_str(w, d->note);
    else
        leat_json_null(w);
    leat_json_put_str(w, "priority", d->priority);
    leat_json_put_str(w, "source", d->source);
    leat_json_put_int(w, "slice", d->slice);
    leat_json_put_int(w, "event_seq", d->event_seq);
    leat_json_put_int(w, "handler_version", d->handler_version);
    leat_json_put_int(w, "value_bytes", d->value_bytes);
    put_hash(d->value_sha256, w);
    leat_record_json(schemas, d->headers, d->value_null ? NULL : &d->value, w);
    leat_json_end_object(w);
}

leat_status leat_dead_list_read(struct leat_store *s, const struct leat_dead_filter *f,
                                const struct leat_dead_page *page, struct leat_arena *arena,
                                struct leat_dead_list *ret, struct leat_error *err)
{
    struct leat_dead_page one_more = *page;
    struct leat_dead_list l = {.n = 0};
    one_more.filter = f;
    one_more.limit = page->limit + 1;
    LEAT_TRY(leat_store_dead_groups(s, f, arena, &l.groups, err), err, "list");
    LEAT_TRY(leat_store_dead(s, &one_more, arena, &l.rows, &l.n, err), err, "list");
    l.more = l.n > page->limit;
    l.n -= l.more;
    *ret = l;
    return LEAT_OK;
}

void leat_dead_list_json(const struct leat_dead_list *l, struct leat_json_writer *w)
{
    struct leat_buf cursor;
    leat_buf_init(&cursor, CURSOR_BYTES);
    leat_json_begin_object(w);
    leat_json_put_int(w, "total", l->groups.total);
    leat_json_key(w, LEAT_STR("groups"));
    leat_json_begin_array(w);
    for (size_t i = 0; i < l->groups.n; i++) {
        const struct leat_dead_group *g = &l->groups.at[i];
        leat_json_begin_object(w);
        leat_json_put_int(w, "count", g->count);
        leat_json_put_str(w, "processor", g->processor);
        leat_json_put_str(w, "state", g->state);
        leat_json_put_str(w, "class", g->class);
        leat_json_put_str(w, "code", g->code);
        leat_json_put_str(w, "type", g->type);
        leat_json_put_int(w, "first", g->first_at_us / 1000);
        leat_json_put_int(w, "last", g->last_at_us / 1000);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
    leat_json_key(w, LEAT_STR("rows"));
    leat_json_begin_array(w);
    for (size_t i = 0; i < l->n; i++) {
        leat_json_begin_object(w);
        put_dead(&l->rows[i], w);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
    if (l->more)
        leat_dead_cursor_put(&l->rows[l->n - 1], &cursor);
    put_end(&cursor, w);
}

/* ---- what waits ---- */

static void put_due(struct leat_json_writer *w, int64_t due_at_us)
{
    leat_json_key(w, LEAT_STR("due_at"));
    if (due_at_us == LEAT_DUE_NEVER)
        leat_json_null(w);
    else
        leat_json_int(w, due_at_us / 1000);
}

static void put_waiter(const struct leat_waiter *r, struct leat_json_writer *w)
{
    put_due(w, r->due_at_us);
    leat_json_put_cstr(w, "reason", leat_waits_names[r->reason]);
    leat_json_put_str(w, "processor", r->processor);
    put_id(w, &r->id);
    leat_json_key(w, LEAT_STR("key"));
    bytes_json(w, r->key);
    leat_json_put_str(w, "type", r->type);
    leat_json_put_int(w, "attempt", r->attempt);
    leat_json_put_int(w, "ahead", r->ahead);
    leat_json_put_str(w, "error_code", r->error_code);
    leat_json_put_str(w, "error", r->error);
    leat_json_put_int(w, "received_at", r->received_at_us / 1000);
}

void leat_waiter_json(const struct leat_schemas *schemas, const struct leat_waiter *r,
                      struct leat_json_writer *w)
{
    leat_json_begin_object(w);
    put_waiter(r, w);
    leat_json_key(w, LEAT_STR("first_at"));
    if (r->first_at_us > 0)
        leat_json_int(w, r->first_at_us / 1000);
    else
        leat_json_null(w);
    leat_json_put_str(w, "priority", r->priority);
    leat_json_put_int(w, "slice", r->slice);
    leat_json_put_int(w, "ticket", r->ticket);
    leat_json_put_bool(w, "parks", r->parks);
    leat_json_put_str(w, "topic", r->topic);
    leat_json_put_int(w, "partition", r->partition);
    leat_json_put_int(w, "offset", r->offset);
    leat_json_put_int(w, "event_seq", r->event_seq);
    leat_record_json(schemas, r->headers, r->value_null ? NULL : &r->value, w);
    leat_json_end_object(w);
}

leat_status leat_waiter_list_read(struct leat_store *s, const struct leat_waiter_filter *f,
                                  const struct leat_waiter_page *page, struct leat_arena *arena,
                                  struct leat_waiter_list *ret, struct leat_error *err)
{
    struct leat_waiter_page one_more = *page;
    struct leat_waiter_list l = {.n = 0};
    one_more.filter = f;
    one_more.limit = page->limit + 1;
    LEAT_TRY(leat_store_waiter_groups(s, f, arena, &l.groups, err), err, "list");
    LEAT_TRY(leat_store_waiters(s, &one_more, arena, &l.rows, &l.n, err), err, "list");
    l.more = l.n > page->limit;
    l.n -= l.more;
    *ret = l;
    return LEAT_OK;
}

void leat_waiter_list_json(const struct leat_waiter_list *l, struct leat_json_writer *w)
{
    struct leat_buf cursor;
    leat_buf_init(&cursor, CURSOR_BYTES);
    leat_json_begin_object(w);
    leat_json_put_int(w, "total", l->groups.total);
    leat_json_key(w, LEAT_STR("groups"));
    leat_json_begin_array(w);
    for (size_t i = 0; i < l->groups.n; i++) {
        const struct leat_waiter_group *g = &l->groups.at[i];
        leat_json_begin_object(w);
        leat_json_put_int(w, "count", g->count);
        leat_json_put_str(w, "processor", g->processor);
        leat_json_put_cstr(w, "reason", leat_waits_names[g->reason]);
        leat_json_put_str(w, "type", g->type);
        leat_json_put_str(w, "error_code", g->code);
        put_due(w, g->due_at_us);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
    leat_json_key(w, LEAT_STR("rows"));
    leat_json_begin_array(w);
    for (size_t i = 0; i < l->n; i++) {
        leat_json_begin_object(w);
        put_waiter(&l->rows[i], w);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
    if (l->more)
        leat_waiter_cursor_put(&l->rows[l->n - 1], &cursor);
    put_end(&cursor, w);
}
