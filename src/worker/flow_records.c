#include "worker/flow_records.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/record_headers.h"

/* An event fetched from the store because the topic missed it. Its handle is told from one of Kafka
 * by its lowest bit. */
struct fetched {
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
