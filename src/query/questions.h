/* questions.h - bodies that ask read models: several keys, or a batch of questions. Pure: hostile
 * JSON in, bounded questions or a reason out. Texts live in the arena.
 *
 *   {"keys": ["a", "b"], "fields": ["x"], "at_least": "<position>"}
 *   {"at_least": "<position>", "reads": [
 *      {"read": "row", "model": "orders", "key": "a", "fields": ["total"]},
 *      {"read": "rows", "model": "orders", "keys": ["a", "b"]},
 *      {"read": "list", "model": "orders", "index": "by_total", "order": "desc", "limit": 3},
 *      {"read": "count", …}, {"read": "aggregate", …}, {"read": "top", …},
 *      {"read": "query", "name": "OpenOrders", "params": {"customer": "c1"}}]}
 *
 * Other members of a read are the parameters of the same question by GET; a list of texts stands
 * for them with commas between. */
#ifndef LEAT_QUERY_QUESTIONS_H
#define LEAT_QUERY_QUESTIONS_H

#include "query/reads.h"

#define LEAT_BATCH_MAX 50

struct leat_question {
    leat_read_kind kind;
    struct leat_str model, name; /* name: of a query */
    struct leat_str key;
    const struct leat_str *keys;
    uint32_t n_keys;
    struct leat_target given; /* its parameters alone */
};
struct leat_questions {
    struct leat_str at_least;
    struct leat_question *at;
    uint32_t n;
};

/* One question of kind ROWS. INVALID names the member. */
LEAT_MUST_CHECK leat_status leat_question_keys(struct leat_str body, struct leat_arena *arena,
                                               struct leat_questions *ret, struct leat_error *err);
LEAT_MUST_CHECK leat_status leat_questions_batch(struct leat_str body, struct leat_arena *arena,
                                                 struct leat_questions *ret,
                                                 struct leat_error *err);

#endif
