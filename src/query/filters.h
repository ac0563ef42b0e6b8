/* filters.h - which dead letters or waiting messages somebody means, and what a page of them
 * answers: the same for the verbs and for HTTP. Pure, except that processors are asked for. */
#ifndef LEAT_QUERY_FILTERS_H
#define LEAT_QUERY_FILTERS_H

#include "base/json.h"
#include "codec/schemas.h"
#include "store/operators.h"

/* Names that leat_dead_filter_set() and leat_waiter_filter_set() take, comma-separated. */
#define LEAT_DEAD_FILTERS   "processor,key,code,class,type,origin,state,since,until"
#define LEAT_WAITER_FILTERS "processor,key,code,type,reason,until"

struct leat_dead_filter leat_dead_filter_of(uint32_t states);
struct leat_waiter_filter leat_waiter_filter_of(uint32_t reasons);
/* INVALID says what is allowed. Texts are borrowed. */
LEAT_MUST_CHECK leat_status leat_dead_filter_set(struct leat_dead_filter *f, const char *name,
                                                 struct leat_str value, int64_t now_us,
                                                 struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_waiter_filter_set(struct leat_waiter_filter *f, const char *name,
                                                   struct leat_str value, int64_t now_us,
                                                   struct leat_error *err);
/* Processors of the store; ABSENT names the nearest. */
LEAT_MUST_CHECK leat_status leat_processor_known(struct leat_store *s, struct leat_str name,
                                                 struct leat_arena *arena, struct leat_error *err);

/* Where a page goes on. */
void leat_dead_cursor_put(const struct leat_dead_row *last, struct leat_buf *out);
LEAT_MUST_CHECK leat_status leat_dead_cursor_read(struct leat_str text, struct leat_dead_page *ret,
                                                  struct leat_error *err);
void leat_waiter_cursor_put(const struct leat_waiter *last, struct leat_buf *out);
LEAT_MUST_CHECK leat_status leat_waiter_cursor_read(struct leat_str text,
                                                    struct leat_waiter_page *ret,
                                                    struct leat_error *err);

/* ---- as JSON ---- */

/* {"total", "groups", "rows", "cursor"} */
struct leat_dead_list {
    struct leat_dead_groups groups;
    struct leat_dead_row *rows;
    size_t n;
    bool more;
};
LEAT_MUST_CHECK leat_status leat_dead_list_read(struct leat_store *s,
                                                const struct leat_dead_filter *f,
                                                const struct leat_dead_page *page,
                                                struct leat_arena *arena,
                                                struct leat_dead_list *ret, struct leat_error *err);
void leat_dead_list_json(const struct leat_dead_list *l, struct leat_json_writer *w);
struct leat_waiter_list {
    struct leat_waiter_groups groups;
    struct leat_waiter *rows;
    size_t n;
    bool more;
};
LEAT_MUST_CHECK leat_status leat_waiter_list_read(
    struct leat_store *s, const struct leat_waiter_filter *f, const struct leat_waiter_page *page,
    struct leat_arena *arena, struct leat_waiter_list *ret, struct leat_error *err);
void leat_waiter_list_json(const struct leat_waiter_list *l, struct leat_json_writer *w);
/* One row with its headers, and its value decoded by `schemas` (null and `value_error` when it
 * cannot be). */
void leat_dead_json(const struct leat_schemas *schemas, const struct leat_dead_row *d,
                    struct leat_json_writer *w);
void leat_waiter_json(const struct leat_schemas *schemas, const struct leat_waiter *d,
                      struct leat_json_writer *w);
/* Members "headers", "value" and "value_error" of the object under way. */
void leat_record_json(const struct leat_schemas *schemas, struct leat_str headers,
                      const struct leat_str *value, struct leat_json_writer *w);

#endif
