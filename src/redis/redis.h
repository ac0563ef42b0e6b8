/* redis.h - one connection to a Redis master: commands in pipelines, scripts by their hash.
 *
 * Commands are collected by leat_redis_command() and leat_redis_arg(), sent together by the first
 * leat_redis_reply() and answered in their order. Nothing waits longer than the time limits.
 * Errors name the server, never a password. RETRY = the server is away, is starting, full or no
 * master (any more): what was sent may or may not have been done; leat_redis_ready() then finds the
 * master anew. INVALID = URL or password. FATAL = the server refuses the command.
 * Owner: one thread at a time. */
#ifndef LEAT_REDIS_REDIS_H
#define LEAT_REDIS_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "leat/str.h"

#define LEAT_REDIS_SCRIPTS_MAX 8
#define LEAT_REDIS_POLICY_MAX  32

struct leat_redis;

struct leat_redis_options {
    /* redis://[[user]:password@]host[:port][,host[:port]…][/db]: of several hosts the one that says
     * it is the master is used. */
    const char *url;
    const char *const *scripts; /* Lua; known to the server whenever leat_redis_ready() is OK */
    size_t n_scripts;
    int timeout_ms; /* of connecting and of each wait for an answer; 0 = 5000 */
};

/* Reads the URL; does not connect. Texts of `o` are copied, scripts must stay. */
LEAT_MUST_CHECK leat_status leat_redis_open(const struct leat_redis_options *o,
                                            struct leat_redis **ret, struct leat_error *err);
void leat_redis_close(struct leat_redis *r); /* NULL allowed */
/* Connected to a master that knows the scripts; does nothing when that is so already. */
LEAT_MUST_CHECK leat_status leat_redis_ready(struct leat_redis *r, struct leat_error *err);
bool leat_redis_connected(const struct leat_redis *r);
/* How often a connection was made: another number = another server may answer now. */
uint64_t leat_redis_connections(const struct leat_redis *r);
const char *leat_redis_server(const struct leat_redis *r); /* "host:port", for messages */

/* ---- a pipeline: only after leat_redis_ready() ---- */

/* A command of n arguments, its name included; exactly n leat_redis_arg() follow. */
void leat_redis_command(struct leat_redis *r, size_t n);
void leat_redis_arg(struct leat_redis *r, struct leat_str arg);
void leat_redis_arg_int(struct leat_redis *r, int64_t value);
/* EVALSHA of scripts[script] with `keys` keys; the keys and then the `args` follow as arguments. */
void leat_redis_script(struct leat_redis *r, size_t script, size_t keys, size_t args);
/* Sends what was collected; answers are taken later. */
LEAT_MUST_CHECK leat_status leat_redis_send(struct leat_redis *r, struct leat_error *err);
size_t leat_redis_pending(const struct leat_redis *r); /* answers not taken yet */

struct leat_redis_reply; /* valid until the next leat_redis_reply(), _drop() or _close() */
LEAT_MUST_CHECK leat_status leat_redis_reply(struct leat_redis *r,
                                             const struct leat_redis_reply **ret,
                                             struct leat_error *err);
/* Takes the answers that are left and forgets them; the first error, if any. */
LEAT_MUST_CHECK leat_status leat_redis_finish(struct leat_redis *r, struct leat_error *err);
/* Closes the connection: what is pending is never answered. */
void leat_redis_drop(struct leat_redis *r);

/* ---- an answer ---- */

bool leat_redis_is_nil(const struct leat_redis_reply *r);
/* Bytes of a text or status; "" for anything else. */
struct leat_str leat_redis_text(const struct leat_redis_reply *r);
int64_t leat_redis_int(const struct leat_redis_reply *r);  /* 0 when it is no number */
size_t leat_redis_count(const struct leat_redis_reply *r); /* items of a list */
const struct leat_redis_reply *leat_redis_item(const struct leat_redis_reply *r, size_t i);

/* maxmemory-policy as the server has it, and whether it may remove keys that never expire. */
LEAT_MUST_CHECK leat_status leat_redis_policy(struct leat_redis *r,
                                              char ret_policy[LEAT_REDIS_POLICY_MAX],
                                              bool *ret_evicts, struct leat_error *err);

#endif
