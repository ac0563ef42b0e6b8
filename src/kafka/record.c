#include <string.h>

#include "base/record_headers.h"
#include "kafka/internal.h"

static int64_t time_of(const rd_kafka_message_t *m)
{
    rd_kafka_timestamp_type_t type;
    int64_t ms = rd_kafka_message_timestamp(m, &type);
    if (ms > LEAT_RECORD_TIME_MAX_MS)
        return LEAT_RECORD_TIME_MAX_MS;
    return ms < LEAT_RECORD_TIME_MIN_MS ? LEAT_RECORD_TIME_MIN_MS : ms;
}

void leat_record_from(struct leat_record *r, const char *topic, rd_kafka_message_t *m)
{
    *r = (struct leat_record){
        .topic = leat_str_of(topic),
        .partition = m->partition,
        .offset = m->offset,
        .timestamp_ms = time_of(m),
        .key = {m->key, (uint32_t)m->key_len},
        .value = {m->payload, (uint32_t)m->len},
        .key_null = m->key == NULL,
        .value_null = m->payload == NULL,
        .handle = m,
    };
}

bool leat_record_header(const struct leat_record *r, const char *name, struct leat_str *ret_value)
{
    rd_kafka_headers_t *headers = NULL;
    if (r->handle == NULL || rd_kafka_message_headers(r->handle, &headers) != 0)
        return false;
    const void *value = NULL;
    size_t len = 0;
    if (rd_kafka_header_get_last(headers, name, &value, &len) != 0)
        return false;
    *ret_value = (struct leat_str){value, (uint32_t)len};
    return true;
}

void leat_record_headers_pack(const struct leat_record *r, struct leat_buf *out)
{
    rd_kafka_headers_t *headers = NULL;
    if (r->handle == NULL || rd_kafka_message_headers(r->handle, &headers) != 0)
        return;
    const char *name = NULL;
    const void *value = NULL;
    size_t len = 0;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &len) == 0; i++) {
        if (value == NULL) {
            leat_headers_put_null(out, leat_str_of(name));
        } else {
            leat_headers_put(out, leat_str_of(name), (struct leat_str){value, (uint32_t)len});
        }
    }
}

void leat_records_free(struct leat_record *records, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (records[i].handle != NULL)
            rd_kafka_message_destroy(records[i].handle);
        records[i].handle = NULL;
    }
}
