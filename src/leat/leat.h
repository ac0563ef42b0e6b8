/* leat.h - what a processor is written against. See docs/guide and topology/leads.yaml.
 *
 * A handler gets one command (or event) and the state of the stream it belongs to, and answers what
 * happened. It is deterministic: time, randomness and effects come from `ctx` only, because it may
 * run again (after a crash, a conflict, in a replay) and must then decide the same.
 * Threads: handlers of different keys may run at once; a ctx lives for one call. All pointers given
 * to a handler, and those it passes on, are valid until it returns. */
#ifndef LEAT_LEAT_H
#define LEAT_LEAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/abi.h"
#include "leat/str.h"
#include "leat/type.h"

struct leat_ctx; /* one call of one handler */

typedef enum leat_answer {
    LEAT_DONE = 0,        /* events and commands of this call are kept        */
    LEAT_ANSWER_REJECTED, /* made by leat_reject(): a business "no", recorded */
    LEAT_ANSWER_RETRY,    /* made by leat_retry(): transient, run again       */
    LEAT_ANSWER_POISON,   /* made by leat_poison(): can never succeed: dead   */
} leat_answer;

/* The three other answers. `code` is a short stable word ("order-exists"); the text is for people,
 * bounded at 500 bytes. Whatever the call had emitted or sent is dropped. */
leat_answer leat_reject(struct leat_ctx *ctx, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
leat_answer leat_retry(struct leat_ctx *ctx, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
leat_answer leat_poison(struct leat_ctx *ctx, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

int64_t leat_now(const struct leat_ctx *ctx); /* unix ms: when this command was first received */
uint64_t leat_random(struct leat_ctx *ctx);   /* seeded by the command's id */
struct leat_str leat_key(const struct leat_ctx *ctx); /* the stream's key */
int64_t leat_version(const struct leat_ctx *ctx);     /* of the stream before this call; 0 = new */
struct leat_str leat_priority(const struct leat_ctx *ctx); /* name: hot, warm, cold */
/* Memory for strings and arrays that the call passes on; freed by leat after the batch. */
void *leat_alloc(struct leat_ctx *ctx, size_t bytes);
struct leat_str leat_text(struct leat_ctx *ctx, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The processor's `options` from the topology: text of `key`, or `fallback`. Valid
 * for the process. */
const char *leat_option(const struct leat_ctx *ctx, const char *key, const char *fallback);
/* What the module's `open` returned (rules read from a file and the like), or NULL. */
void *leat_module_data(const struct leat_ctx *ctx);

/* Priority of the commands sent after this call within the handler; by default they inherit that of
 * the command being handled. An unknown name makes the call poison. Like all words that code spells
 * out, `code` of leat_reject() among them, it is a C string, which must stay valid until the
 * handler returns; what comes out of messages is a struct leat_str. */
void leat_send_priority(struct leat_ctx *ctx, const char *priority);

/* What generated code calls: emit_<event>() and send_<command>(). The value is encoded at once. */
void leat_emit(struct leat_ctx *ctx, const struct leat_type *type, const void *value);
void leat_send(struct leat_ctx *ctx, const struct leat_type *type, const void *value);
/* The same, sent delay_ms (0 to 366 days) after leat_now(): generated send_<command>_after(). Gives
 * its id, to be kept in an event by
 * who may want to cancel it; "" when it could not be made. It stands in the store until then: no
 * restart or move loses it, `leat retries` shows it. */
struct leat_str leat_send_after(struct leat_ctx *ctx, int64_t delay_ms,
                                const struct leat_type *type, const void *value);
/* Takes back what a call of this processor for the same key has scheduled, if it has not been sent
 * yet; if it has, or never was, nothing happens. Text that is no id makes the call poison. */
void leat_cancel(struct leat_ctx *ctx, struct leat_str id);

/* ---- services outside: those of `calls` in the topology, by name; an unknown name makes the call
 * poison ----
 *
 *     if (!leat_call_begin(ctx, "psp"))
 *         return leat_retry(ctx, "psp is away");        (or do without it)
 *     bool ok = ask_psp(leat_call_url(ctx, "psp"), leat_call_timeout_ms(ctx, "psp"),
 *                       leat_call_id(ctx, "psp", 0));
 *     leat_call_end(ctx, "psp", ok);
 *     if (!ok)
 *         return leat_retry(ctx, "psp did not answer");
 */

/* Its `url`. Valid for the process; "" for an unknown name. */
const char *leat_call_url(struct leat_ctx *ctx, const char *name);
/* Milliseconds left of the processor's `timeout` for this call of the handler; 0 = none. */
int64_t leat_deadline_ms(struct leat_ctx *ctx);
/* How long one call may take now: its `timeout`, or what is left of the deadline if that is less.
 * At least 1, as 0 means "for ever" to libcurl and others. */
int64_t leat_call_timeout_ms(struct leat_ctx *ctx, const char *name);
/* Before a call. False: its circuit is open, so do not call: answer leat_retry(), or do without it.
 * A retry while the circuit is open pauses the lane until it may be tried again and counts as no
 * attempt: an outage dead-letters nothing. Also false in a dry run, where a test says so, and once
 * the call is poison anyway. */
bool leat_call_begin(struct leat_ctx *ctx, const char *name);
/* After it. `ok` says whether the service works, not whether it said yes: an answer that blames the
 * request (HTTP 4xx) is ok. One without end when the handler returns, or at the next begin of the
 * same name, was not ok. */
void leat_call_end(struct leat_ctx *ctx, const char *name, bool ok);
/* The n-th stable key for the service to know a repeated request by (`Idempotency-Key`): UUID text,
 * the same at each try of this message, different for any other message, name or n. */
struct leat_str leat_call_id(struct leat_ctx *ctx, const char *name, uint32_t n);

/* ---- effects outside that must not happen twice, where the service itself can't tell (SMTP):
 * services with `effects: claim`. The intent is stored before the call and the result after it,
 * each at once and for good, whatever becomes of the batch:
 *
 *     struct leat_str id;
 *     switch (leat_effect_claim(ctx, "smtp", 0, &id)) {
 *     case LEAT_CLAIM_AWAY:
 *         return leat_retry(ctx, "the claim could not be stored");
 *     case LEAT_CLAIM_UNKNOWN:                     (see `on_unknown`)
 *         emit_mail_unknown(…);
 *         return LEAT_DONE;
 *     case LEAT_CLAIM_MINE:
 *         if (!leat_call_begin(ctx, "smtp"))
 *             return leat_retry(ctx, "smtp is away");        (takes the claim back)
 *         … send it; leat_call_end() …
 *         leat_effect_done(ctx, "smtp", 0, id);
 *     case LEAT_CLAIM_DONE:
 *         emit_mail_sent(… id …);
 *         return LEAT_DONE;
 *     }
 *
 * What fails between the claim and its result (a crash, a reply that never came) is done at most
 * once and its outcome unknown: no try of this message makes it again, unless `on_unknown: repeat`.
 * Never twice and never lost is not to be had. */

typedef enum leat_claim {
    LEAT_CLAIM_MINE = 0, /* nobody has begun it: make the call now */
    LEAT_CLAIM_DONE,     /* it has been made, with this result */
    LEAT_CLAIM_UNKNOWN,  /* a try before this one began it, and never told what came of it. With
                            `on_unknown: hold` the message is dead whatever the handler answers */
    LEAT_CLAIM_AWAY,     /* not known now: the store is away. A retry counts as no attempt */
} leat_claim;

/* The n-th effect of this message on a service. *ret_result (NULL allowed) lives as long as the
 * call of the handler. */
leat_claim leat_effect_claim(struct leat_ctx *ctx, const char *name, uint32_t n,
                             struct leat_str *ret_result);
/* It was made: `result` (at most 8 KiB) comes back from every later claim. */
void leat_effect_done(struct leat_ctx *ctx, const char *name, uint32_t n, struct leat_str result);
/* It was certainly not made (refused before anything was sent): another try may. This is done by
 * itself for a claim whose leat_call_begin() was refused. */
void leat_effect_undone(struct leat_ctx *ctx, const char *name, uint32_t n);

/* ---- registration: filled in by LEAT_PROCESSOR and LEAT_AGGREGATE, run when the
 * module loads ---- */

/* One message type a processor handles. Generated ON_<TYPE>(fn) makes it and refuses, at compile
 * time, a function of another type: `call` takes the message's and the state's own struct types,
 * and is kept here with their addresses as void pointers. Call it through leat_on_call(). */
struct leat_on {
    const struct leat_type *message;
    const struct leat_type *state; /* NULL: no aggregate, then `react` is set instead of `call` */
    union {
        leat_answer (*call)(struct leat_ctx *ctx, const void *message, const void *state);
        leat_answer (*react)(struct leat_ctx *ctx, const void *message);
    };
};

static inline leat_answer leat_on_call(const struct leat_on *on, struct leat_ctx *ctx,
                                       const void *message, const void *state)
{
    return on->state == NULL ? on->react(ctx, message) : on->call(ctx, message, state);
}

/* One event folded into a state: generated FOLD_<EVENT>(fn). */
struct leat_fold {
    const struct leat_type *event;
    const struct leat_type *state;
    void (*call)(void *state, const void *event);
};

struct leat_processor_def {
    const char *name;
    int version;
    const struct leat_on *on;
    size_t on_count;
    /* Optional: called once before the first message, `options` as text; what it returns reaches
     * handlers by leat_module_data(). NULL with a text in `error` stops the start. */
    void *(*open)(const struct leat_options *options, char *error, size_t error_bytes);
    void (*close)(void *data);
    struct leat_processor_def *next;
};

struct leat_aggregate_def {
    const char *name;
    int version;
    const struct leat_fold *fold;
    size_t fold_count;
    struct leat_aggregate_def *next;
};

void leat_register_processor(struct leat_processor_def *def);
void leat_register_aggregate(struct leat_aggregate_def *def);

/* LEAT_PROCESSOR(orders, 1, ON_PLACE_ORDER(place), ON_MARK_PAID(paid)); */
#define LEAT_PROCESSOR(name_, version_, ...)                                                       \
    LEAT_PROCESSOR_WITH(name_, version_, NULL, NULL, __VA_ARGS__)

/* The same with open and close functions for what the module needs besides messages. */
#define LEAT_PROCESSOR_WITH(name_, version_, open_, close_, ...)                                   \
    static const struct leat_on leat_on_##name_[] = {__VA_ARGS__};                                 \
    static struct leat_processor_def leat_def_##name_ = {.name = #name_,                           \
                                                         .version = (version_),                    \
                                                         .on = leat_on_##name_,                    \
                                                         .on_count = sizeof leat_on_##name_ /      \
                                                                     sizeof leat_on_##name_[0],    \
                                                         .open = (open_),                          \
                                                         .close = (close_)};                       \
    __attribute__((constructor)) static void leat_enter_##name_(void)                              \
    {                                                                                              \
        leat_register_processor(&leat_def_##name_);                                                \
    }                                                                                              \
    LEAT_ABI_NOTE(processor_##name_) /* takes the semicolon */

/* LEAT_AGGREGATE(order, 1, FOLD_ORDER_PLACED(placed), FOLD_ORDER_PAID(paid)); */
#define LEAT_AGGREGATE(name_, version_, ...)                                                       \
    static const struct leat_fold leat_fold_##name_[] = {__VA_ARGS__};                             \
    static struct leat_aggregate_def leat_aggregate_##name_ = {                                    \
        .name = #name_,                                                                            \
        .version = (version_),                                                                     \
        .fold = leat_fold_##name_,                                                                 \
        .fold_count = sizeof leat_fold_##name_ / sizeof leat_fold_##name_[0]};                     \
    __attribute__((constructor)) static void leat_enter_aggregate_##name_(void)                    \
    {                                                                                              \
        leat_register_aggregate(&leat_aggregate_##name_);                                          \
    }                                                                                              \
    LEAT_ABI_NOTE(aggregate_##name_) /* takes the semicolon */

#endif
