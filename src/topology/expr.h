/* expr.h - value expressions of the topology: `placed`, `$.f`, `$meta.time`, `$row.f`,
 * `day($meta.time, 'Europe/Berlin')`. Parsed here once; projections, sources and queries evaluate.
 * Immutable after parsing; memory is the topology's.
 *
 *   value    = bare text | 'quoted' | number | $.path | $meta.name | $meta.header.name | $row.field
 *            | day(time [, zone]) | hour(time [, zone]) | lower(text) | concat(value, value …)
 *   path     = name { "." name }       (fields of nested records)
 *   condition = value ( == | != | < | <= | > | >= ) value */
#ifndef LEAT_TOPOLOGY_EXPR_H
#define LEAT_TOPOLOGY_EXPR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "leat/str.h"

#define LEAT_EXPR_ARGS_MAX  8
#define LEAT_EXPR_PATH_MAX  8
#define LEAT_EXPR_DEPTH_MAX 8
#define LEAT_EXPR_BYTES_MAX 1024

typedef enum leat_expr_kind {
    LEAT_EXPR_STRING, /* text */
    LEAT_EXPR_INT,    /* integer */
    LEAT_EXPR_DOUBLE, /* number */
    LEAT_EXPR_BOOL,   /* boolean */
    LEAT_EXPR_NULL,
    LEAT_EXPR_FIELD,  /* $.a.b: path of the event or command; text = the whole path "a.b" */
    LEAT_EXPR_META,   /* $meta.x: meta */
    LEAT_EXPR_HEADER, /* $meta.header.x: text = header name */
    LEAT_EXPR_ROW,    /* $row.f: text = field of the row as it was before the event */
    LEAT_EXPR_CALL,   /* fn(args) */
} leat_expr_kind;

typedef enum leat_meta {
    LEAT_META_TIME,        /* occurred_at, unix ms */
    LEAT_META_RECORDED_AT, /* unix ms */
    LEAT_META_KEY,
    LEAT_META_SEQ,
    LEAT_META_TYPE,
    LEAT_META_COMMAND_ID,
} leat_meta;

typedef enum leat_fn {
    LEAT_FN_DAY,  /* time [, zone] -> "2026-11-22" */
    LEAT_FN_HOUR, /* time [, zone] -> "2026-11-22T14" */
    LEAT_FN_LOWER,
    LEAT_FN_CONCAT,
} leat_fn;

struct leat_expr {
    leat_expr_kind kind;
    leat_meta meta;
    leat_fn fn;
    bool boolean;
    int64_t integer;
    double number;
    struct leat_str text;        /* NUL-terminated too */
    const struct leat_str *path; /* FIELD: its steps */
    uint32_t n_path;
    const struct leat_expr *const *args; /* CALL */
    uint32_t n_args;
    const char *zone; /* day, hour: IANA name; NULL = UTC */
};

typedef enum leat_compare {
    LEAT_COMPARE_EQ,
    LEAT_COMPARE_NE,
    LEAT_COMPARE_LT,
    LEAT_COMPARE_LE,
    LEAT_COMPARE_GT,
    LEAT_COMPARE_GE,
} leat_compare;

struct leat_condition {
    const struct leat_expr *left, *right;
    leat_compare compare;
};

/* `plain`: an unquoted YAML scalar, which may be a number, true, false or null; a quoted one that
 * is no $ or function expression is a string. Errors are LEAT_INVALID with the column (from 1). */
LEAT_MUST_CHECK leat_status leat_expr_parse(struct leat_arena *arena, struct leat_str text,
                                            bool plain, const struct leat_expr **ret,
                                            struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_condition_parse(struct leat_arena *arena, struct leat_str text,
                                                 struct leat_condition *ret,
                                                 struct leat_error *err);
bool leat_expr_equal(const struct leat_expr *a, const struct leat_expr *b);
/* Literals and functions of literals only. */
bool leat_expr_is_constant(const struct leat_expr *e);
const char *leat_meta_name(leat_meta meta);
const char *leat_fn_name(leat_fn fn);

#endif
