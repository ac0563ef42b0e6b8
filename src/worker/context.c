/* One call of a handler: the functions of leat/leat.h. */
#include <stdarg.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/record_headers.h"
#include "worker/dispatch_internal.h"

#define CALL_TEXT_MAX     500
#define CALL_DELAY_MAX_MS INT64_C(31622400000) /* 366 days */
#define CALL_MADE_MAX     10000                /* events and commands of one call */

bool leat_fault_hit(struct leat_fault *fault, const char *where)
{
    if (fault->names != NULL && fault->seen < fault->names_room)
        fault->names[fault->seen] = where;
    if (++fault->seen != fault->nth)
        return false;
    fault->fired = where;
    return true;
}

static inline bool faulty(const struct leat_ctx *ctx, const char *where)
{
    return ctx->d->fault != NULL && leat_fault_hit(ctx->d->fault, where);
}

/* Before memory is taken from the arena, which ends the process when there is none. */
static inline void want_memory(const struct leat_ctx *ctx, const char *where)
{
    if (faulty(ctx, where))
        longjmp(ctx->d->fault->out, 1);
}

static struct leat_str text_of(struct leat_ctx *ctx, const char *fmt, va_list ap) LEAT_PRINTF(2, 0);

static struct leat_str text_of(struct leat_ctx *ctx, const char *fmt, va_list ap)
{
    char text[CALL_TEXT_MAX + 1];
    (void)vsnprintf(text, sizeof text, fmt, ap);
    return leat_arena_copy(ctx->call->arena, leat_str_of(text));
}

leat_answer leat_reject(struct leat_ctx *ctx, const char *code, const char *fmt, ...)
{
    want_memory(ctx, "leat_reject");
    if (ctx->failed) /* that is what is told */
        return LEAT_ANSWER_REJECTED;
    va_list ap;
    va_start(ap, fmt);
    ctx->call->text = text_of(ctx, fmt, ap);
    va_end(ap);
    ctx->call->code = leat_arena_copy(ctx->call->arena, leat_str_of(code));
    return LEAT_ANSWER_REJECTED;
}

leat_answer leat_retry(struct leat_ctx *ctx, const char *fmt, ...)
{
    want_memory(ctx, "leat_retry");
    if (ctx->failed) /* that is what is told */
        return LEAT_ANSWER_RETRY;
    va_list ap;
    va_start(ap, fmt);
    ctx->call->text = text_of(ctx, fmt, ap);
    va_end(ap);
    return LEAT_ANSWER_RETRY;
}

leat_answer leat_poison(struct leat_ctx *ctx, const char *fmt, ...)
{
    want_memory(ctx, "leat_poison");
    if (ctx->failed) /* that is what is told */
        return LEAT_ANSWER_POISON;
    va_list ap;
    va_start(ap, fmt);
    ctx->call->text = text_of(ctx, fmt, ap);
    va_end(ap);
    ctx->call->code = LEAT_STR("poison");
    return LEAT_ANSWER_POISON;
}

int64_t leat_now(const struct leat_ctx *ctx)
{
    return ctx->call->received_at_ms;
}

uint64_t leat_random(struct leat_ctx *ctx)
{
    uint64_t z = (ctx->random += 0x9E3779B97F4A7C15ull); /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

struct leat_str leat_key(const struct leat_ctx *ctx)
{
    return ctx->call->key;
}

int64_t leat_version(const struct leat_ctx *ctx)
{
    return ctx->call->version;
}

struct leat_str leat_priority(const struct leat_ctx *ctx)
{
    return ctx->d->processor->priorities.at[ctx->call->priority].name;
}

void *leat_alloc(struct leat_ctx *ctx, size_t bytes)
{
    want_memory(ctx, "leat_alloc");
    return leat_arena_alloc(ctx->call->arena, bytes);
}

struct leat_str leat_text(struct leat_ctx *ctx, const char *fmt, ...)
{
    char text[4096];
    want_memory(ctx, "leat_text");
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return leat_arena_copy(ctx->call->arena, leat_str_of(text));
}

const char *leat_option(const struct leat_ctx *ctx, const char *key, const char *fallback)
{
    return leat_options_get(&ctx->d->options, key, fallback);
}

void *leat_module_data(const struct leat_ctx *ctx)
{
    return ctx->d->module_data;
}

void leat_ctx_fail(struct leat_ctx *ctx, const char *code, const char *fmt, ...)
{
    if (ctx->failed)
        return;
    va_list ap;
    va_start(ap, fmt);
    ctx->call->text = text_of(ctx, fmt, ap);
    va_end(ap);
    ctx->call->code = leat_str_of(code);
    ctx->failed = true;
    ctx->failed_answer = LEAT_ANSWER_POISON;
}

void leat_send_priority(struct leat_ctx *ctx, const char *priority)
{
    ctx->send_priority_name = leat_str_of(priority);
    ctx->send_priority = leat_priority_find(&ctx->d->processor->priorities, leat_str_of(priority));
    if (ctx->send_priority < 0)
        leat_ctx_fail(ctx, "unknown-priority", "leat_send_priority: there is no priority '%s'",
                      priority);
}

static const struct dispatch_out *find_out(const struct dispatch_out *outs, size_t n,
                                           const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(outs[i].name.at, name) == 0)
            return &outs[i];
    return NULL;
}

static bool encode(struct leat_ctx *ctx, const struct leat_type *type, const void *value,
                   leat_format format, int32_t schema_id, struct leat_str *ret)
{
    struct leat_error err = {0};
    struct leat_buf *out = ctx->call->scratch;
    leat_buf_clear(out);
    leat_status status;
    if (faulty(ctx, type->name)) {
        status = leat_fail(&err, LEAT_RETRY, "out of memory");
    } else if (format == LEAT_FORMAT_AVRO) {
        leat_framing_put(out, schema_id);
        status = leat_encode_avro(type, value, out, &err);
    } else {
        status = leat_encode_json(type, value, out, &err);
    }
    if (status != LEAT_OK) {
        leat_ctx_fail(ctx, "unencodable", "%s: %s", type->name, err.msg);
        if (status == LEAT_RETRY || status == LEAT_FATAL)
            ctx->failed_answer = LEAT_ANSWER_RETRY; /* the message is not at fault */
        return false;
    }
    if (out->len > (size_t)ctx->d->topology->message_bytes_max) {
        leat_ctx_fail(ctx, "too-large", "%s: %zu bytes, allowed are %lld", type->name, out->len,
                      (long long)ctx->d->topology->message_bytes_max);
        return false;
    }
    want_memory(ctx, type->name);
    *ret = leat_arena_copy(ctx->call->arena, leat_buf_str(out));
    return true;
}

static bool room(struct leat_ctx *ctx, const char *what)
{
    if (ctx->failed)
        return false;
    if (ctx->made < CALL_MADE_MAX)
        return true;
    leat_ctx_fail(ctx, "too-many", "%s: a call makes at most %d events and commands", what,
                  CALL_MADE_MAX);
    return false;
}

void leat_emit(struct leat_ctx *ctx, const struct leat_type *type, const void *value)
{
    struct leat_call *call = ctx->call;
    if (!room(ctx, type->name))
        return;
    const struct dispatch_out *out = find_out(ctx->d->events, ctx->d->event_count, type->name);
    if (out == NULL) {
        leat_ctx_fail(ctx, "undeclared", "event '%s' is not in `emits` of processor '%s'",
                      type->name, ctx->d->processor->name.at);
        return;
    }
    if (call->event_count == ctx->event_cap)
        call->events = leat_arena_grow(call->arena, call->events, sizeof *call->events,
                                       &ctx->event_cap, call->event_count + 1);
    struct leat_made_event *e = &call->events[call->event_count];
    if (!encode(ctx, type, value, ctx->d->topology->events.format, out->schema_id, &e->payload))
        return;
    e->type = type;
    e->type_name = out->name;
    e->schema_id = out->schema_id;
    e->index = ctx->made++;
    e->id = leat_uuid_child(&call->id, ctx->d->processor->name, 'e', e->index);
    call->event_count++;
}

static void put_id(struct leat_buf *out, const char *name, const struct leat_uuid *id)
{
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(id, text);
    leat_headers_put(out, leat_str_of(name), (struct leat_str){text, LEAT_UUID_TEXT - 1});
}

static struct leat_str headers_of(struct leat_ctx *ctx, const struct leat_made_command *c,
                                  struct leat_str type, struct leat_str priority)
{
    struct leat_buf *out = ctx->call->scratch;
    leat_buf_clear(out);
    put_id(out, "ce_id", &c->id);
    leat_headers_put(out, LEAT_STR("ce_type"), type);
    leat_headers_put(out, LEAT_STR("leat-priority"), priority);
    put_id(out, "leat-causation", &ctx->call->id);
    put_id(out, "leat-correlation", &ctx->call->correlation_id);
    return leat_arena_copy(ctx->call->arena, leat_buf_str(out));
}

/* The priority travels by name: the processor that handles the command may number
 * them otherwise. */
static uint32_t priority_there(const struct leat_ctx *ctx, const struct dispatch_out *out)
{
    struct leat_str name = ctx->send_priority >= 0 ? ctx->send_priority_name : leat_priority(ctx);
    int32_t i = leat_priority_find(&out->to->priorities, name);
    return i >= 0 ? (uint32_t)i : out->to->priorities.default_index;
}

/* NULL: it could not be made, which is the call's answer. */
static struct leat_made_command *make_command(struct leat_ctx *ctx, const struct leat_type *type,
                                              const void *value)
{
    struct leat_call *call = ctx->call;
    if (!room(ctx, type->name))
        return NULL;
    const struct dispatch_out *out = find_out(ctx->d->commands, ctx->d->command_count, type->name);
    if (out == NULL) {
        leat_ctx_fail(ctx, "undeclared", "command '%s' is not in `sends` of processor '%s'",
                      type->name, ctx->d->processor->name.at);
        return NULL;
    }
    if (call->command_count == ctx->command_cap)
        call->commands = leat_arena_grow(call->arena, call->commands, sizeof *call->commands,
                                         &ctx->command_cap, call->command_count + 1);
    struct leat_made_command *c = &call->commands[call->command_count];
    if (!encode(ctx, type, value, ctx->d->topology->commands.format, out->schema_id, &c->value))
        return NULL;
    struct leat_str key = leat_type_key(type, value, call->arena);
    c->key = leat_arena_copy(call->arena, key.len > 0 ? key : call->key);
    uint32_t priority = priority_there(ctx, out);
    c->topic = out->topics[priority].at;
    c->partition = leat_partition(c->key, ctx->d->topology->partitions);
    c->type_name = out->name;
    c->priority = out->to->priorities.at[priority].name;
    c->index = ctx->made++;
    c->id = leat_uuid_child(&call->id, ctx->d->processor->name, 'c', c->index);
    c->headers = headers_of(ctx, c, out->name, c->priority);
    c->due_ms = 0;
    call->command_count++;
    return c;
}

void leat_send(struct leat_ctx *ctx, const struct leat_type *type, const void *value)
{
    (void)make_command(ctx, type, value);
}

struct leat_str leat_send_after(struct leat_ctx *ctx, int64_t delay_ms,
                                const struct leat_type *type, const void *value)
{
    struct leat_made_command *c = make_command(ctx, type, value);
    if (c == NULL)
        return (struct leat_str){"", 0};
    if (delay_ms < 0 || delay_ms > CALL_DELAY_MAX_MS) {
        leat_ctx_fail(ctx, "bad-delay", "leat_send_after: %lld ms, allowed are 0 to %lld",
                      (long long)delay_ms, (long long)CALL_DELAY_MAX_MS);
        return (struct leat_str){"", 0};
    }
    c->due_ms = ctx->call->received_at_ms + delay_ms;
    char *text = leat_arena_alloc(ctx->call->arena, LEAT_UUID_TEXT);
    leat_uuid_format(&c->id, text);
    return (struct leat_str){text, LEAT_UUID_TEXT - 1};
}

void leat_cancel(struct leat_ctx *ctx, struct leat_str id)
{
    struct leat_call *call = ctx->call;
    struct leat_uuid wanted;
    if (!room(ctx, "leat_cancel"))
        return;
    if (!leat_uuid_parse(id, &wanted)) {
        leat_ctx_fail(ctx, "bad-id", "leat_cancel: '%.*s' is no id of a command", LEAT_STR_FMT(id));
        return;
    }
    want_memory(ctx, "leat_cancel");
    call->cancels = leat_arena_grow(call->arena, call->cancels, sizeof *call->cancels,
                                    &ctx->cancel_cap, call->cancel_count + 1);
    call->cancels[call->cancel_count++] = wanted;
    ctx->made++;
}

void leat_dispatch_call(struct leat_call *call, int32_t handler, const void *message,
                        const void *state)
{
    struct leat_ctx ctx = {.call = call, .d = call->dispatch, .send_priority = -1, .last_use = -1};
    memcpy(&ctx.random, call->id.b, sizeof ctx.random);
    call->code = call->text = (struct leat_str){0};
    call->events = NULL;
    call->commands = NULL;
    call->cancels = NULL;
    call->event_count = call->command_count = call->cancel_count = 0;
    call->unavailable = false;
    leat_calls_begin(&ctx);
    call->answer = leat_on_call(&call->dispatch->def->on[handler], &ctx, message, state);
    if (ctx.failed)
        call->answer = ctx.failed_answer;
    leat_calls_done(&ctx);
    if (call->answer == LEAT_DONE)
        return;
    call->event_count = call->command_count = call->cancel_count = 0;
    if (call->answer < LEAT_DONE || call->answer > LEAT_ANSWER_POISON) {
        call->answer = LEAT_ANSWER_POISON;
        call->code = LEAT_STR("bad-answer");
        call->text = LEAT_STR("the handler returned something that is no answer");
    }
}
