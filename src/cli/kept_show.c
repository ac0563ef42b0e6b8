#include "cli/kept_show.h"

#include <inttypes.h>

#include "base/base64.h"
#include "base/record_headers.h"
#include "base/utf8.h"
#include "cli/show.h"

#define VALUE_BYTES_MAX (16U << 20)

/* Control characters would let a stored text steer the terminal. */
static void put_clean(struct leat_buf *out, struct leat_str s)
{
    if (!leat_utf8_valid(s)) {
        leat_buf_puts(out, "base64 ");
        leat_base64_put(out, s);
        return;
    }
    for (uint32_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        leat_buf_putc(out, (char)(c < 0x20 || c == 0x7f ? ' ' : c));
    }
}

static void put_text(struct leat_buf *out, const char *name, struct leat_str value)
{
    if (value.len == 0)
        return;
    leat_buf_printf(out, "%-12s ", name);
    put_clean(out, value);
    leat_buf_putc(out, '\n');
}

static void put_id(struct leat_buf *out, const struct leat_uuid *id)
{
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(id, text);
    put_text(out, "id", leat_str_of(text));
}

static void put_time(struct leat_buf *out, const char *name, int64_t us)
{
    leat_buf_printf(out, "%-12s ", name);
    leat_show_time(us / 1000, out);
    leat_buf_putc(out, '\n');
}

static void put_origin(struct leat_buf *out, struct leat_str topic, int32_t partition,
                       int64_t offset)
{
    leat_buf_printf(out, "%-12s %.*s/%d/%" PRId64 "\n", "origin", LEAT_STR_FMT(topic),
                    (int)partition, offset);
}

static void put_headers(struct leat_buf *out, struct leat_str packed)
{
    struct leat_headers_iter it = {packed};
    struct leat_str name, value;
    bool null = false;
    leat_buf_puts(out, "headers\n");
    while (leat_headers_next(&it, &name, &value, &null)) {
        leat_buf_puts(out, "    ");
        put_clean(out, name);
        leat_buf_puts(out, ": ");
        if (null)
            leat_buf_puts(out, "(null)");
        else
            put_clean(out, value);
        leat_buf_putc(out, '\n');
    }
}

static void put_value(struct leat_buf *out, const struct leat_schemas *schemas,
                      struct leat_str value)
{
    struct leat_buf text;
    struct leat_error err = {0};
    leat_buf_init(&text, VALUE_BYTES_MAX);
    if (value.len > 0 && leat_schemas_to_json(schemas, value, &text, &err) == LEAT_OK &&
        !text.overflow) {
        put_text(out, "value", leat_buf_str(&text));
    } else {
        leat_buf_printf(out, "%-12s %u bytes that do not decode%s%s\n%-12s base64 ", "value",
                        value.len, err.msg[0] != '\0' ? ": " : "", err.msg, "");
        leat_base64_put(out, value);
        leat_buf_putc(out, '\n');
    }
    leat_buf_done(&text);
}

void leat_dead_text(const struct leat_schemas *schemas, const struct leat_dead_row *d,
                    struct leat_buf *out)
{
    put_id(out, &d->id);
    put_text(out, "type", d->type);
    put_text(out, "processor", d->processor);
    put_text(out, "key", d->key);
    put_text(out, "state", d->state);
    leat_buf_printf(out, "%-12s %d\n", "redrives", (int)d->redrives);
    put_text(out, "note", d->note);
    put_time(out, "changed", d->changed_at_us);
    put_time(out, "died", d->last_at_us);
    put_time(out, "first", d->first_at_us);
    put_text(out, "class", d->class);
    put_text(out, "code", d->code);
    put_text(out, "message", d->message);
    leat_buf_printf(out, "%-12s %d, by version %d of the handler\n", "tries", (int)d->attempts,
                    (int)d->handler_version);
    put_origin(out, d->topic, d->partition, d->offset);
    put_text(out, "source", d->source);
    put_text(out, "priority", d->priority);
    put_headers(out, d->headers);
    if (!d->value_null)
        put_value(out, schemas, d->value);
    else if (d->value_bytes > 0)
        leat_buf_printf(out, "%-12s %" PRId64 " bytes, too large to be kept\n", "value",
                        d->value_bytes);
    else
        leat_buf_printf(out, "%-12s (null)\n", "value");
}

void leat_waiter_text(const struct leat_schemas *schemas, const struct leat_waiter *r,
                      struct leat_buf *out)
{
    put_id(out, &r->id);
    put_text(out, "type", r->type);
    put_text(out, "processor", r->processor);
    put_text(out, "key", r->key);
    put_text(out, "reason", leat_str_of(leat_waits_names[r->reason]));
    if (r->due_at_us == LEAT_DUE_NEVER)
        put_text(out, "due", LEAT_STR("when somebody says so"));
    else
        put_time(out, "due", r->due_at_us);
    leat_buf_printf(out, "%-12s %" PRId64 " of its key\n", "ahead", r->ahead);
    leat_buf_printf(out, "%-12s %d\n", "tries", (int)r->attempt);
    put_text(out, "code", r->error_code);
    put_text(out, "error", r->error);
    put_time(out, "received", r->received_at_us);
    if (r->first_at_us > 0)
        put_time(out, "first retry", r->first_at_us);
    put_origin(out, r->topic, r->partition, r->offset);
    put_text(out, "priority", r->priority);
    put_headers(out, r->headers);
    if (r->value_null)
        leat_buf_printf(out, "%-12s (null)\n", "value");
    else
        put_value(out, schemas, r->value);
}
