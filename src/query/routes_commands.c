#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/suggest.h"
#include "query/admission.h"
#include "query/http.h"
#include "query/keys.h"
#include "query/streams.h"

#define SEND_TIMEOUT_US 15000000
#define POLL_FIRST_MS   5

static void put_headers(struct leat_request *rq, const struct leat_command_status *st)
{
    char store[LEAT_UUID_TEXT];
    if (leat_command_waits(st))
        return;
    leat_uuid_format(&st->store_id, store);
    leat_answer_header(rq, "Leat-Position", "%s:%d=%" PRId64, store, (int)st->slice, st->last_seq);
    leat_answer_header(rq, "Leat-Age-Ms", "0"); /* read from the store itself */
}

static void write_status(struct leat_request *rq, struct leat_store *store,
                         const struct leat_command_status *st)
{
    struct leat_json_writer w;
    struct leat_error ignored = {0};
    struct leat_command_view view = {.status = *st};
    (void)!leat_command_events(store, rq->http->c.schemas, rq->arena, &view, &ignored);
    leat_buf_clear(&rq->out);
    leat_json_writer_init(&w, &rq->out);
    leat_command_json(rq->http->c.schemas, &view, &w);
    put_headers(rq, st);
}

/* What POST says: 200 when done, 422 with the handler's code when not. */
static void answer_outcome(struct leat_request *rq, struct leat_store *store,
                           const struct leat_command_status *st)
{
    char id[LEAT_UUID_TEXT];
    if (leat_str_eq(st->outcome, LEAT_STR("accepted"))) {
        write_status(rq, store, st);
        leat_answer_json(rq, 200);
        return;
    }
    put_headers(rq, st);
    leat_uuid_format(&st->id, id);
    leat_answer_header(rq, "Location", "/v1/commands/%s", id);
    bool dead = leat_str_eq(st->outcome, LEAT_STR("dead"));
    const char *code =
        leat_arena_cstr(rq->arena, st->error_code.len > 0 ? st->error_code : st->outcome);
    leat_answer_problem(rq, 422, dead ? "Command cannot be handled" : "Command rejected", code,
                        leat_arena_cstr(rq->arena, st->error_text), "");
}

/* ---- asking the store ---- */

static leat_status ask(struct leat_request *rq, int32_t slice, const struct leat_uuid *id,
                       void (*answer)(struct leat_request *, struct leat_store *,
                                      const struct leat_command_status *),
                       struct leat_error *err)
{
    struct leat_store *store = NULL;
    struct leat_command_status st;
    leat_status status = leat_store_pool_take(rq->http->stores, &store, err);
    if (status != LEAT_OK)
        return status;
    status = leat_store_command(store, slice, id, rq->arena, &st, err);
    if (status == LEAT_OK)
        answer(rq, store, &st);
    leat_store_pool_give(rq->http->stores, store);
    return status;
}

/* One that waits for its next try has no outcome yet. */
static void answer_if_settled(struct leat_request *rq, struct leat_store *store,
                              const struct leat_command_status *st)
{
    if (!leat_command_waits(st))
        answer_outcome(rq, store, st);
}

void leat_commands_look(struct leat_http *http, const struct leat_command_at *at,
                        struct leat_request *const *rqs, size_t n, struct leat_arena *arena)
{
    struct leat_store *store = NULL;
    struct leat_error err = {0};
    bool *settled = leat_arena_zalloc(arena, n + 1, sizeof *settled);
    if (n == 1)
        rqs[0]->settled = true; /* may be: asking for it says so just as well */
    if (n < 2 || leat_store_pool_take(http->stores, &store, &err) != LEAT_OK)
        return; /* what the store cannot say now, it says later */
    if (leat_store_settled(store, at, n, arena, settled, &err) == LEAT_OK) {
        for (size_t i = 0; i < n; i++)
            rqs[i]->settled = settled[i];
    }
    leat_store_pool_give(http->stores, store);
}

bool leat_command_poll(struct leat_request *rq)
{
    struct leat_error err = {0};
    leat_status status = ask(rq, rq->sent.slice, &rq->sent.id, answer_if_settled, &err);
    /* Sent it is: what the store cannot say now, it says later at the Location. */
    return status == LEAT_OK && rq->state == LEAT_REQUEST_READY;
}

void leat_command_accepted(struct leat_request *rq)
{
    struct leat_json_writer w;
    char id[LEAT_UUID_TEXT];
    leat_uuid_format(&rq->sent.id, id);
    leat_buf_clear(&rq->out);
    leat_json_writer_init(&w, &rq->out);
    leat_command_sent_json(rq->command_type, &rq->sent.id, rq->sent.processor, rq->sent.slice, &w);
    leat_answer_header(rq, "Location", "/v1/commands/%s", id);
    leat_answer_json(rq, 202);
}

/* ---- POST /v1/commands/{command} ---- */

static void unknown_type(struct leat_request *rq, struct leat_str type)
{
    const struct leat_topology *t = rq->http->c.topology;
    struct leat_suggest near;
    struct leat_error err = {0};
    leat_suggest_start(&near, type);
    for (uint32_t i = 0; i < t->n_processors; i++) {
        for (uint32_t j = 0; j < t->processors[i].commands.n; j++)
            leat_suggest_offer(&near, t->processors[i].commands.at[j]);
    }
    (void)leat_fail(&err, LEAT_ABSENT, "there is no command '%.*s'",
                    (int)(type.len < 100 ? type.len : 100), type.at);
    if (near.best.len > 0)
        leat_error_hint(&err, "did you mean '%.*s'?", LEAT_STR_FMT(near.best));
    leat_answer_error(rq, &err);
}

static void answer_key_reused(struct leat_request *rq)
{
    leat_answer_problem(rq, 422, "Idempotency key reused", "idempotency-key-reused",
                        "this Idempotency-Key came before with another type or body",
                        "use a new key for a new command");
}

/* Is the command the store knows under this id the one that is sent now? */
static bool is_same(struct leat_request *rq, const struct leat_command_in *in,
                    const struct leat_command_status *st)
{
    uint8_t hash[sizeof st->payload_sha256];
    struct leat_buf bytes;
    struct leat_error err = {0};
    leat_buf_init(&bytes, LEAT_ANSWER_BYTES_MAX);
    bool same = leat_str_eq(st->type, in->type) &&
                leat_sender_encode(rq->http->sender, in, &bytes, &err) == LEAT_OK;
    if (same)
        leat_sha256(bytes.at, bytes.len, hash);
    leat_buf_done(&bytes);
    return same && memcmp(hash, st->payload_sha256, sizeof hash) == 0;
}

static void answer_known(struct leat_request *rq, struct leat_store *store,
                         const struct leat_command_status *st)
{
    struct leat_command_in in = {
        .type = rq->command_type, .json = leat_buf_str(&rq->body), .id = &st->id};
    rq->sent =
        (struct leat_command_sent){.id = st->id, .slice = st->slice, .processor = st->processor};
    if (!is_same(rq, &in, st)) {
        answer_key_reused(rq);
    } else if (leat_prefer_wait_ms(leat_request_header(rq, "Prefer")) > 0 &&
               !leat_command_waits(st)) {
        answer_outcome(rq, store, st);
    } else {
        leat_command_accepted(rq);
    }
}

/* A key that came before: what became of its command is the answer, and nothing is sent. */
static bool answered_before(struct leat_request *rq, const struct leat_uuid *id)
{
    struct leat_error err = {0};
    leat_key_seen seen =
        leat_keys_check(rq->http->keys, id, rq->command_type, leat_buf_str(&rq->body));
    if (seen == LEAT_KEY_OTHER) {
        answer_key_reused(rq);
        return true;
    }
    return ask(rq, -1, id, answer_known, &err) == LEAT_OK;
}

static void send_command(struct leat_request *rq, const struct leat_uuid *id, int64_t wait_ms)
{
    struct leat_error err = {0};
    bool too_large = false;
    struct leat_command_in in = {.type = rq->command_type,
                                 .json = leat_buf_str(&rq->body),
                                 .id = id,
                                 .ret_too_large = &too_large};
    (void)leat_target_param(&rq->target, "priority", &in.priority);
    int64_t now_us = leat_mono_us();
    rq->deadline_us = wait_ms > 0 ? now_us + wait_ms * 1000 : 0;
    rq->next_poll_us = now_us + SEND_TIMEOUT_US; /* until it is delivered: when to give up */
    rq->poll_ms = POLL_FIRST_MS;
    leat_status status = leat_pump_send(rq->http->pump, rq, &in, &err);
    if (status == LEAT_OK)
        return;
    if (status == LEAT_INVALID && id != NULL)
        leat_keys_forget(rq->http->keys, id);
    if (too_large) {
        leat_answer_problem(rq, 413, "Command too large", NULL, err.msg, "limits.message");
    } else {
        leat_answer_error(rq, &err);
    }
}

void leat_route_post_command(struct leat_request *rq)
{
    struct leat_error err = {0};
    struct leat_uuid id;
    struct leat_str key = leat_request_header(rq, "Idempotency-Key");
    int64_t wait_ms = leat_prefer_wait_ms(leat_request_header(rq, "Prefer"));
    rq->command_type = leat_route_value(rq, "command");
    if (leat_topology_handler(rq->http->c.topology, rq->command_type) == NULL) {
        unknown_type(rq, rq->command_type);
        return;
    }
    if (key.at == NULL) {
        send_command(rq, NULL, wait_ms);
        return;
    }
    if (leat_idempotency_id(rq->http->c.topology->name, key, &id, &err) != LEAT_OK) {
        leat_answer_error(rq, &err);
        return;
    }
    if (!answered_before(rq, &id))
        send_command(rq, &id, wait_ms);
}

/* ---- GET /v1/commands/{command} ---- */

static void answer_unknown(struct leat_request *rq)
{
    leat_answer_problem(rq, 404, "Not found", NULL, "no such command is known (yet)",
                        "a command just sent is known once its processor has handled it");
}

/* Of a type the caller may not send nothing is told, not even that there is one. */
static void answer_status(struct leat_request *rq, struct leat_store *store,
                          const struct leat_command_status *st)
{
    if (!leat_admitted_to_command(rq, st->type)) {
        answer_unknown(rq);
        return;
    }
    write_status(rq, store, st);
    leat_answer_json(rq, 200);
}

void leat_route_get_command(struct leat_request *rq)
{
    struct leat_error err = {0};
    struct leat_uuid id;
    if (!leat_uuid_parse(leat_route_value(rq, "command"), &id)) {
        leat_answer_problem(rq, 400, "Bad request", NULL, "a command id is a UUID", "");
        return;
    }
    leat_status status = ask(rq, -1, &id, answer_status, &err);
    if (status == LEAT_ABSENT) {
        answer_unknown(rq);
    } else if (status != LEAT_OK) {
        leat_answer_error(rq, &err);
    }
}
