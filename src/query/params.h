/* params.h - what a request line and its headers say, taken apart. Pure: hostile text in, bounded
 * slices or a reason out. Decoded text lives in the arena, or in what was sent. */
#ifndef LEAT_QUERY_PARAMS_H
#define LEAT_QUERY_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "base/uuid.h"
#include "leat/str.h"

#define LEAT_TARGET_BYTES_MAX 8192
#define LEAT_SEGMENTS_MAX     8
#define LEAT_PARAMS_MAX       16
#define LEAT_KEY_BYTES_MAX    4096
#define LEAT_IDEMPOTENCY_MAX  255
#define LEAT_WAIT_S_MAX       60

struct leat_param {
    struct leat_str name, value;
};

struct leat_target {                             /* "/v1/models/leads/a%2Fb?limit=5" */
    struct leat_str segments[LEAT_SEGMENTS_MAX]; /* decoded, without empty last one */
    uint32_t n_segments;
    struct leat_str tails[LEAT_SEGMENTS_MAX]; /* decoded rest of the path from segment i on */
    struct leat_param params[LEAT_PARAMS_MAX];
    uint32_t n_params;
};

/* INVALID: not an absolute path, a bad escape, a NUL byte, text that is not UTF-8, too long or too
 * many parts. */
LEAT_MUST_CHECK leat_status leat_target_parse(struct leat_str raw, struct leat_arena *arena,
                                              struct leat_target *ret, struct leat_error *err);
/* False when it is absent. */
bool leat_target_param(const struct leat_target *t, const char *name, struct leat_str *ret);
/* INVALID names a parameter that is not in `allowed` (comma-separated), with the nearest valid one;
 * also one that is given twice. */
LEAT_MUST_CHECK leat_status leat_target_allow(const struct leat_target *t, const char *allowed,
                                              struct leat_error *err);
/* A whole number in [min, max]; *ret stays as it is when the parameter is absent or wrong. */
LEAT_MUST_CHECK leat_status leat_target_int(const struct leat_target *t, const char *name,
                                            int64_t min, int64_t max, int64_t *ret,
                                            struct leat_error *err);

/* Prefer: wait=5 among other preferences; milliseconds, at most LEAT_WAIT_S_MAX; 0 = not asked. */
int64_t leat_prefer_wait_ms(struct leat_str header);
/* The same; false = not asked, *ret_ms as it was: "wait=0" is asked. */
bool leat_prefer_wait(struct leat_str header, int64_t *ret_ms);
/* If-None-Match: is `etag` (with its quotes) one of those listed? */
bool leat_etag_listed(struct leat_str header, struct leat_str etag);
/* The command id an Idempotency-Key stands for: a UUID is taken as it is, other text is named
 * within the topology. INVALID when empty, too long or not printable. */
LEAT_MUST_CHECK leat_status leat_idempotency_id(struct leat_str topology, struct leat_str key,
                                                struct leat_uuid *ret, struct leat_error *err);

#endif
