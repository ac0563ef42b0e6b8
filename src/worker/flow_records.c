#include "worker/flow_records.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/record_headers.h"

/* What comes from the store instead of from Kafka. Its handle is told by its lowest bit. An event
 * that the topic missed has the headers it would have had, a waiting message those it came with. */
struct fetched {
    struct leat_str headers; /* packed; at NULL: an event */
    char id[LEAT_UUID_TEXT], correlation[LEAT_UUID_TEXT], seq[24];
    struct leat_str type;
    char bytes[]; /* type, key, value */
};

static struct fetched *fetched_of(const void *handle)
{
    uintptr_t word = (uintptr_t)handle;
    return (word & 1) == 0 ? NULL : (struct fetched *)(word - 1);
}

static bool fetched_header(const struct fetched *e, const char *name, struct leat_str *ret)
{
    if (e->headers.at != NULL)
        return leat_headers_find(e->headers, leat_str_of(name), ret);
    if (strcmp(name, "ce_id") == 0)
        *ret = leat_str_of(e->id);
    else if (strcmp(name, "ce_type") == 0)
        *ret = e->type;
    else if (strcmp(name, "leat-seq") == 0)
        *ret = leat_str_of(e->seq);
    else if (strcmp(name, "leat-correlation") == 0)
        *ret = leat_str_of(e->correlation);
    else
        return false;
    return true;
}

bool leat_record_of_flow_header(void *arg, const struct leat_incoming *r, const char *name,
                                struct leat_str *ret_value)
{
    (void)arg;
    const struct fetched *e = fetched_of(r->handle);
    struct leat_record record = {.handle = r->handle};
    return e != NULL ? fetched_header(e, name, ret_value)
                     : leat_record_header(&record, name, ret_value);
}

void leat_record_of_flow_pack(void *arg, const struct leat_incoming *r, struct leat_buf *out)
{
    (void)arg;
    static const char *const names[] = {"ce_id", "ce_type", "leat-seq", "leat-correlation"};
    const struct fetched *e = fetched_of(r->handle);
    struct leat_record record = {.handle = r->handle};
    struct leat_str value;
    if (e == NULL)
        leat_record_headers_pack(&record, out);
    if (e != NULL && e->headers.at != NULL) {
        leat_buf_put(out, e->headers.at, e->headers.len);
        return;
    }
    for (size_t i = 0; e != NULL && i < sizeof names / sizeof names[0]; i++)
        if (fetched_header(e, names[i], &value))
            leat_headers_put(out, leat_str_of(names[i]), value);
}

void leat_released_free(struct leat_released *r)
{
    leat_records_free(r->at, r->n);
    r->n = 0;
}

void leat_record_of_flow_release(void *arg, struct leat_incoming *r)
{
    struct leat_released *released = arg;
    struct fetched *event = fetched_of(r->handle);
    if (event != NULL) {
        free(event);
        return;
    }
    if (released->n == LEAT_RELEASED_MAX)
        leat_released_free(released);
    released->at[released->n++] = (struct leat_record){.handle = r->handle};
}

struct leat_incoming leat_fetched_new(const struct leat_stored_event *stored)
{
    struct leat_str key = leat_stored_key(stored->stream);
    struct fetched *e =
        malloc(sizeof *e + stored->type.len + (size_t)key.len + stored->payload.len);
    leat_assert(e != NULL);
    e->headers = (struct leat_str){0};
    leat_uuid_format(&stored->id, e->id);
    leat_uuid_format(&stored->correlation_id, e->correlation);
    (void)snprintf(e->seq, sizeof e->seq, "%lld", (long long)stored->seq);
    e->type = (struct leat_str){e->bytes, stored->type.len};
    struct leat_str k = {e->bytes + e->type.len, key.len};
    struct leat_str v = {e->bytes + e->type.len + key.len, stored->payload.len};
    memcpy(e->bytes, stored->type.at, stored->type.len);
    memcpy(e->bytes + e->type.len, key.at, key.len);
    memcpy(e->bytes + e->type.len + key.len, stored->payload.at, stored->payload.len);
    return (struct leat_incoming){.timestamp_ms = stored->recorded_at_us / 1000,
                                  .key = k,
                                  .value = v,
                                  .handle = (void *)((uintptr_t)e | 1)};
}

static struct leat_str keep(char **to, struct leat_str s)
{
    struct leat_str kept = {*to, s.len};
    if (s.len > 0)
        memcpy(*to, s.at, s.len);
    *to += s.len;
    return kept;
}

struct leat_flow_waiter leat_waiter_new(const struct leat_waiting_row *row, size_t asked)
{
    struct leat_flow_waiter w = {.asked = asked, .row = *row};
    struct leat_str *texts[] = {&w.row.key,        &w.row.type,  &w.row.priority, &w.row.topic,
                                &w.row.error_code, &w.row.error, &w.row.headers,  &w.row.value};
    const size_t n = sizeof texts / sizeof texts[0];
    size_t bytes = 0;
    for (size_t i = 0; i < n; i++)
        bytes += texts[i]->len;
    struct fetched *e = malloc(sizeof *e + bytes + 1);
    leat_assert(e != NULL);
    char *to = e->bytes;
    for (size_t i = 0; i < n; i++)
        *texts[i] = keep(&to, *texts[i]);
    e->headers = w.row.headers;
    w.in = (struct leat_incoming){.offset = row->offset,
                                  .timestamp_ms = row->received_at_ms,
                                  .key = w.row.key,
                                  .value = w.row.value,
                                  .value_null = row->value_null,
                                  .handle = (void *)((uintptr_t)e | 1)};
    return w;
}
