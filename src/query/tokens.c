#include "query/tokens.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"

#define UUID_CHARS (LEAT_UUID_TEXT - 1)

static leat_status no_token(struct leat_str text, struct leat_str rest, struct leat_error *err)
{
    leat_status status =
        leat_fail(err, LEAT_INVALID, "not a position, at byte %u: '%.*s'", text.len - rest.len,
                  (int)(rest.len < 60 ? rest.len : 60), rest.at);
    leat_error_hint(err, "send a Leat-Position back as it came; several are joined with ';'");
    return status;
}

static bool take(struct leat_str *rest, char c)
{
    if (rest->len == 0 || rest->at[0] != c)
        return false;
    *rest = (struct leat_str){rest->at + 1, rest->len - 1};
    return true;
}

static bool take_number(struct leat_str *rest, int64_t max, int64_t *ret)
{
    uint32_t n = 0;
    while (n < rest->len && rest->at[n] >= '0' && rest->at[n] <= '9')
        n++;
    if (n == 0 || leat_parse_int((struct leat_str){rest->at, n}, ret) != LEAT_UNITS_OK ||
        *ret > max)
        return false;
    *rest = (struct leat_str){rest->at + n, rest->len - n};
    return true;
}

static bool take_part(struct leat_str *rest, struct leat_token_part *p)
{
    int64_t slice = 0;
    if (!take_number(rest, LEAT_PARTITIONS_MAX - 1, &slice) || !take(rest, '=') ||
        !take_number(rest, INT64_MAX, &p->seq))
        return false;
    p->slice = (int32_t)slice;
    return true;
}

static int by_slice(const void *a, const void *b)
{
    const struct leat_token_part *x = a, *y = b;
    int order = memcmp(&x->store_id, &y->store_id, sizeof x->store_id);
    if (order == 0)
        order = (x->slice > y->slice) - (x->slice < y->slice);
    return order != 0 ? order : (x->seq < y->seq) - (x->seq > y->seq); /* the greatest first */
}

static void join(struct leat_token *t)
{
    uint32_t kept = 0;
    if (t->n > 1)
        qsort(t->at, t->n, sizeof *t->at, by_slice);
    for (uint32_t i = 0; i < t->n; i++) {
        const struct leat_token_part *last = kept == 0 ? NULL : &t->at[kept - 1];
        if (last == NULL || last->slice != t->at[i].slice ||
            !leat_uuid_eq(&last->store_id, &t->at[i].store_id))
            t->at[kept++] = t->at[i];
    }
    t->n = kept;
}

leat_status leat_token_parse(struct leat_str text, struct leat_arena *arena, struct leat_token *ret,
                             struct leat_error *err)
{
    struct leat_str rest = text;
    struct leat_token_part part;
    size_t cap = 0;
    *ret = (struct leat_token){NULL, 0};
    if (text.len > LEAT_TOKEN_BYTES_MAX) {
        return leat_fail(err, LEAT_INVALID, "a position is at most %d bytes", LEAT_TOKEN_BYTES_MAX);
    }
    while (rest.len > 0) {
        if (rest.len < UUID_CHARS ||
            !leat_uuid_parse((struct leat_str){rest.at, UUID_CHARS}, &part.store_id))
            return no_token(text, rest, err);
        rest = (struct leat_str){rest.at + UUID_CHARS, rest.len - UUID_CHARS};
        if (!take(&rest, ':'))
            return no_token(text, rest, err);
        do {
            if (!take_part(&rest, &part))
                return no_token(text, rest, err);
            ret->at = leat_arena_grow(arena, ret->at, sizeof *ret->at, &cap, ret->n + (size_t)1);
            ret->at[ret->n++] = part;
        } while (take(&rest, ','));
        if (rest.len > 0 && !take(&rest, ';'))
            return no_token(text, rest, err);
    }
    join(ret);
    return LEAT_OK;
}

void leat_token_put(const struct leat_rows_position *p, struct leat_buf *out)
{
    char id[LEAT_UUID_TEXT];
    for (int32_t k = 0; k < p->n; k++) {
        bool same = k > 0 && leat_uuid_eq(&p->stores[k], &p->stores[k - 1]);
        leat_uuid_format(&p->stores[k], id);
        if (!same)
            leat_buf_printf(out, "%s%s:", k > 0 ? ";" : "", id);
        leat_buf_printf(out, "%s%d=%" PRId64, same ? "," : "", (int)k, p->seqs[k]);
    }
}

static bool is_unknown(const struct leat_uuid *id)
{
    static const struct leat_uuid none;
    return leat_uuid_eq(id, &none);
}

leat_token_state leat_token_check(const struct leat_token *t, const struct leat_rows_position *p)
{
    leat_token_state state = LEAT_TOKEN_REACHED;
    for (uint32_t i = 0; i < t->n; i++) {
        const struct leat_token_part *part = &t->at[i];
        if (part->seq == 0)
            continue; /* nothing is asked for */
        if (part->slice >= p->n)
            return LEAT_TOKEN_GONE;
        const struct leat_uuid *store = &p->stores[part->slice];
        if (!is_unknown(store) && !leat_uuid_eq(store, &part->store_id))
            return LEAT_TOKEN_GONE;
        if (is_unknown(store) || p->seqs[part->slice] < part->seq)
            state = LEAT_TOKEN_AHEAD;
    }
    return state;
}
