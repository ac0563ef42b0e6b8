#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/record_headers.h"
#include "base/suggest.h"
#include "codec/field_check.h"
#include "kafka/kafka.h"
#include "query/query.h"

#define PROPS_MAX    256
#define HEADER_BYTES 1024
#define POLL_MS      5
#define KEY_BYTES    32

/* What a waiting leat_sender_send() hands through the producer, told apart from the opaque pointers
 * of leat_sender_queue() by its lowest bit. */
struct waiting {
    atomic_int state; /* 0 under way, 1 delivered, 2 failed, 3 refused for good, 4 given up on */
};

struct leat_sender {
    const struct leat_topology *topology;
    struct leat_schemas *schemas;
    struct leat_producer *producer;
    pthread_mutex_t send_lock, poll_lock;
    leat_sender_done done;
    void *done_arg;
    atomic_size_t failed;
};

struct prepared { /* one record, ready to go */
    const struct leat_processor *processor;
    struct leat_uuid id;
    struct leat_buf value, headers;
    struct leat_arena *arena;
    struct leat_str key;
    const char *topic;
    int32_t slice;
};

static void on_delivered(void *arg, void *opaque, leat_status status, int32_t partition,
                         int64_t offset, const char *what)
{
    struct leat_sender *s = arg;
    (void)partition;
    (void)offset;
    (void)what;
    uintptr_t tagged = (uintptr_t)opaque;
    if ((tagged & 1) != 0) {
        struct waiting *w = (struct waiting *)(tagged & ~(uintptr_t)1);
        int under_way = 0;
        int to = status == LEAT_OK ? 1 : status == LEAT_INVALID ? 3 : 2;
        if (!atomic_compare_exchange_strong(&w->state, &under_way, to))
            free(w); /* nobody waits any more */
        return;
    }
    if (status != LEAT_OK)
        atomic_fetch_add(&s->failed, 1);
    if (s->done != NULL)
        s->done(s->done_arg, opaque, status);
}

void leat_sender_on_done(struct leat_sender *s, leat_sender_done done, void *arg)
{
    s->done = done;
    s->done_arg = arg;
}

static size_t add_props(struct leat_kafka_prop *to, size_t n, const struct leat_props *from)
{
    for (uint32_t i = 0; i < from->n && n < PROPS_MAX; i++)
        to[n++] = (struct leat_kafka_prop){from->at[i].name, from->at[i].value};
    return n;
}

leat_status leat_sender_new(const struct leat_topology *t, struct leat_schemas *schemas,
                            struct leat_sender **ret, struct leat_error *err)
{
    struct leat_sender *s = calloc(1, sizeof *s);
    leat_assert(s != NULL);
    struct leat_kafka_prop props[PROPS_MAX];
    size_t n = add_props(props, 0, &t->kafka.common);
    n = add_props(props, n, &t->kafka.producer);
    char client_id[128];
    (void)snprintf(client_id, sizeof client_id, "%s.sender", t->name.at);
    struct leat_kafka_config c = {.props = props, .prop_count = n, .client_id = client_id};
    s->topology = t;
    s->schemas = schemas;
    (void)pthread_mutex_init(&s->send_lock, NULL);
    (void)pthread_mutex_init(&s->poll_lock, NULL);
    leat_status status = leat_producer_new(&c, on_delivered, s, &s->producer, err);
    if (status != LEAT_OK) {
        leat_sender_free(s, 0);
        leat_error_wrap(err, "sender");
        return status;
    }
    *ret = s;
    return LEAT_OK;
}

void leat_sender_free(struct leat_sender *s, int timeout_ms)
{
    if (s == NULL)
        return;
    if (s->producer != NULL)
        leat_producer_free(s->producer, timeout_ms);
    (void)pthread_mutex_destroy(&s->send_lock);
    (void)pthread_mutex_destroy(&s->poll_lock);
    free(s);
}

/* ---- from a command to a record ---- */

static leat_status unknown_command(const struct leat_topology *t, struct leat_str type,
                                   struct leat_error *err)
{
    struct leat_suggest near;
    leat_suggest_start(&near, type);
    for (uint32_t i = 0; i < t->n_processors; i++) {
        for (uint32_t j = 0; j < t->processors[i].commands.n; j++)
            leat_suggest_offer(&near, t->processors[i].commands.at[j]);
    }
    leat_status status = leat_fail(err, LEAT_INVALID, "there is no command '%.*s'",
                                   (int)(type.len < 100 ? type.len : 100), type.at);
    if (near.best.len > 0)
        leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    return status;
}

static leat_status find_priority(const struct leat_processor *p, struct leat_str name,
                                 uint32_t *ret, struct leat_error *err)
{
    if (name.len == 0) {
        *ret = p->priorities.default_index;
        return LEAT_OK;
    }
    int32_t found = leat_priority_find(&p->priorities, name);
    if (found < 0) {
        struct leat_suggest near;
        leat_suggest_start(&near, name);
        for (uint32_t i = 0; i < p->priorities.n; i++)
            leat_suggest_offer(&near, p->priorities.at[i].name);
        leat_status status = leat_fail(err, LEAT_INVALID, "there is no priority '%.*s'",
                                       (int)(name.len < 100 ? name.len : 100), name.at);
        if (near.best.len > 0)
            leat_error_hint(err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
        return status;
    }
    *ret = (uint32_t)found;
    return LEAT_OK;
}

static leat_status no_key(const struct prepared *r, const struct leat_schema *schema,
                          struct leat_str json, struct leat_error *err)
{
    struct leat_str field = r->processor->aggregate->key;
    struct leat_str meant = {"", 0};
    if (schema != NULL)
        meant = leat_field_meant(schema, json, field, r->arena);
    if (meant.len == 0)
        return leat_fail(err, LEAT_INVALID, "field '%.*s' is missing: it is the key",
                         LEAT_STR_FMT(field));
    return leat_fail(err, LEAT_INVALID,
                     "field '%.*s' is missing: it is the key; did '%.*s' mean it?",
                     LEAT_STR_FMT(field), LEAT_STR_FMT(meant));
}

/* The aggregate's key field; a processor without one spreads its commands by their id. */
static leat_status find_key(struct prepared *r, const struct leat_schema *schema,
                            struct leat_str json, struct leat_error *err)
{
    struct leat_json_token token;
    if (r->processor->aggregate == NULL) {
        char *text = leat_arena_alloc(r->arena, LEAT_UUID_TEXT);
        leat_uuid_format(&r->id, text);
        r->key = leat_str_of(text);
        return LEAT_OK;
    }
    struct leat_str field = r->processor->aggregate->key;
    leat_status status = leat_json_find(json, field, &token, NULL, err);
    if (status == LEAT_ABSENT)
        return no_key(r, schema, json, err);
    if (status != LEAT_OK) {
        return leat_fail(err, LEAT_INVALID, "the body is not a JSON object: %s",
                         err == NULL ? "" : err->msg);
    }
    if (token.kind == LEAT_JSON_STRING) {
        r->key = leat_json_unescape(&token, r->arena);
    } else if (token.kind == LEAT_JSON_INT) {
        r->key = leat_str_of(leat_arena_printf(r->arena, "%" PRId64, token.integer));
    }
    if (r->key.len == 0) {
        return leat_fail(err, LEAT_INVALID,
                         "field '%.*s' is the key: a text or a whole number, "
                         "not empty",
                         LEAT_STR_FMT(field));
    }
    return LEAT_OK;
}

static void put_headers(const struct leat_sender *s, struct prepared *r, struct leat_str type,
                        struct leat_str priority)
{
    char id[LEAT_UUID_TEXT];
    bool avro = s->topology->commands.format == LEAT_FORMAT_AVRO;
    leat_uuid_format(&r->id, id);
    leat_headers_put(&r->headers, LEAT_STR("ce_id"), leat_str_of(id));
    leat_headers_put(&r->headers, LEAT_STR("ce_type"), type);
    leat_headers_put(&r->headers, LEAT_STR("content-type"),
                     avro ? LEAT_STR("application/avro") : LEAT_STR("application/json"));
    leat_headers_put(&r->headers, LEAT_STR("leat-priority"), priority);
}

static leat_status prepare(const struct leat_sender *s, const struct leat_command_in *in,
                           struct prepared *r, struct leat_error *err)
{
    const struct leat_topology *t = s->topology;
    uint32_t priority = 0;
    r->processor = leat_topology_handler(t, in->type);
    if (r->processor == NULL)
        return unknown_command(t, in->type, err);
    leat_status status = find_priority(r->processor, in->priority, &priority, err);
    if (status != LEAT_OK)
        return status;
    r->id = in->id != NULL ? *in->id : leat_uuid_v7(leat_now_ms());
    const struct leat_schema *schema = leat_schemas_current(s->schemas, in->type);
    if ((status = find_key(r, schema, in->json, err)) != LEAT_OK)
        return status;
    status = leat_schemas_from_json(s->schemas, in->type, t->commands.format == LEAT_FORMAT_AVRO,
                                    in->json, &r->value, err);
    if (status == LEAT_POISON && err != NULL)
        err->status = LEAT_INVALID; /* what was given is wrong; the hint stays */
    if (status != LEAT_OK)
        return status == LEAT_POISON ? LEAT_INVALID : status;
    if (!in->any_fields && (status = leat_check_fields(schema, in->json, r->arena, err)) != LEAT_OK)
        return status;
    if (r->value.overflow || r->value.len > (size_t)t->message_bytes_max) {
        if (in->ret_too_large != NULL)
            *in->ret_too_large = true;
        return leat_fail(err, LEAT_INVALID, "the command is larger than %" PRId64 " bytes",
                         t->message_bytes_max);
    }
    r->slice = leat_partition(r->key, t->partitions);
    r->topic = r->processor->topics[priority].at;
    put_headers(s, r, in->type, r->processor->priorities.at[priority].name);
    return LEAT_OK;
}

static void prepared_init(const struct leat_sender *s, struct prepared *r)
{
    *r = (struct prepared){.arena = leat_arena_new(1024, 0)};
    leat_buf_init(&r->value, (size_t)s->topology->message_bytes_max + 64);
    leat_buf_init(&r->headers, HEADER_BYTES);
}

static void prepared_done(struct prepared *r)
{
    leat_buf_done(&r->value);
    leat_buf_done(&r->headers);
    leat_arena_free(r->arena);
}

static leat_status produce(struct leat_sender *s, const struct prepared *r, void *opaque,
                           struct leat_error *err)
{
    struct leat_outgoing out = {
        .topic = r->topic,
        .partition = r->slice,
        .key = r->key,
        .value = leat_buf_str(&r->value),
        .headers = leat_buf_str(&r->headers),
        .opaque = opaque,
    };
    size_t sent = 0;
    (void)pthread_mutex_lock(&s->send_lock);
    leat_status status = leat_producer_send(s->producer, &out, 1, &sent, err);
    (void)pthread_mutex_unlock(&s->send_lock);
    return status;
}

static leat_status send_opaque(struct leat_sender *s, const struct leat_command_in *in,
                               void *opaque, struct leat_command_sent *ret, struct leat_error *err)
{
    struct prepared r;
    prepared_init(s, &r);
    leat_status status = prepare(s, in, &r, err);
    if (status == LEAT_OK)
        status = produce(s, &r, opaque, err);
    if (status == LEAT_OK) {
        *ret = (struct leat_command_sent){
            .id = r.id, .slice = r.slice, .processor = r.processor->name};
    }
    prepared_done(&r);
    return status;
}

leat_status leat_sender_encode(struct leat_sender *s, const struct leat_command_in *in,
                               struct leat_buf *out, struct leat_error *err)
{
    struct prepared r;
    prepared_init(s, &r);
    leat_status status = prepare(s, in, &r, err);
    if (status == LEAT_OK)
        leat_buf_put(out, r.value.at, r.value.len);
    prepared_done(&r);
    return status;
}

leat_status leat_sender_queue(struct leat_sender *s, const struct leat_command_in *in, void *opaque,
                              struct leat_command_sent *ret, struct leat_error *err)
{
    leat_assert(((uintptr_t)opaque & 1) == 0);
    return send_opaque(s, in, opaque, ret, err);
}

static void serve(struct leat_sender *s, int timeout_ms)
{
    (void)pthread_mutex_lock(&s->poll_lock);
    (void)leat_producer_poll(s->producer, timeout_ms);
    (void)pthread_mutex_unlock(&s->poll_lock);
}

static leat_status await(struct leat_sender *s, struct waiting *w, int64_t until_us,
                         struct leat_error *err)
{
    int state = 0;
    while ((state = atomic_load(&w->state)) == 0 && leat_mono_us() < until_us)
        serve(s, POLL_MS);
    if (state == 0 && atomic_compare_exchange_strong(&w->state, &state, 4)) {
        const char *fatal = leat_producer_fatal(s->producer); /* w is freed by its delivery */
        return leat_fail(err, LEAT_RETRY, "Kafka did not acknowledge the command in time%s%s",
                         fatal == NULL ? "" : ": ", fatal == NULL ? "" : fatal);
    }
    state = atomic_load(&w->state);
    free(w);
    if (state == 3)
        return leat_fail(err, LEAT_INVALID, "Kafka refused the command for good");
    return state == 1 ? LEAT_OK : leat_fail(err, LEAT_RETRY, "Kafka did not take the command");
}

leat_status leat_sender_send(struct leat_sender *s, const struct leat_command_in *in,
                             int timeout_ms, struct leat_command_sent *ret, struct leat_error *err)
{
    int64_t until_us = leat_mono_us() + (int64_t)timeout_ms * 1000;
    struct waiting *w = calloc(1, sizeof *w);
    leat_assert(w != NULL && ((uintptr_t)w & 1) == 0);
    void *opaque = (void *)((uintptr_t)w | 1);
    leat_status status = send_opaque(s, in, opaque, ret, err);
    while (status == LEAT_RETRY && leat_mono_us() < until_us) {
        serve(s, POLL_MS);
        status = send_opaque(s, in, opaque, ret, err);
    }
    if (status != LEAT_OK) {
        free(w);
        return status;
    }
    return await(s, w, until_us, err);
}

size_t leat_sender_pending(struct leat_sender *s, int timeout_ms)
{
    serve(s, timeout_ms);
    return leat_producer_pending(s->producer);
}

size_t leat_sender_failed(struct leat_sender *s)
{
    return atomic_exchange(&s->failed, 0);
}
