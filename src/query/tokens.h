/* tokens.h - positions as text, as answers give them and askers send them back. Pure.
 *
 *   <store id>:<slice>=<seq>[,<slice>=<seq>…][;<store id>:…]
 *
 * Joining two is writing ';' between them: of one slice the greatest seq counts. */
#ifndef LEAT_QUERY_TOKENS_H
#define LEAT_QUERY_TOKENS_H

#include "base/arena.h"
#include "base/uuid.h"
#include "projection/model_rows.h"

#define LEAT_TOKEN_BYTES_MAX 32768

struct leat_token_part {
    struct leat_uuid store_id;
    int32_t slice;
    int64_t seq;
};
struct leat_token {
    struct leat_token_part *at; /* in the arena; by store id and slice, each once */
    uint32_t n;
};

/* Empty text: n 0. INVALID says where it is no token. */
LEAT_MUST_CHECK leat_status leat_token_parse(struct leat_str text, struct leat_arena *arena,
                                             struct leat_token *ret, struct leat_error *err);
/* All slices, also those at 0. */
void leat_token_put(const struct leat_rows_position *p, struct leat_buf *out);

typedef enum leat_token_state {
    LEAT_TOKEN_REACHED,
    LEAT_TOKEN_AHEAD, /* the model does not have all of it yet */
    LEAT_TOKEN_GONE,  /* of a store this model is not built from, or a slice it does not have */
} leat_token_state;
leat_token_state leat_token_check(const struct leat_token *t, const struct leat_rows_position *p);

#endif
