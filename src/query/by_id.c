#include "query/by_id.h"

#include <stdlib.h>
#include <string.h>

static leat_status several(const char *id, const char *what, struct leat_str a, struct leat_str b,
                           struct leat_error *err)
{
    (void)leat_fail(err, LEAT_INVALID, "%s %s at '%.*s' and at '%.*s'", id, what, LEAT_STR_FMT(a),
                    LEAT_STR_FMT(b));
    leat_error_hint(err, "Say which of these processors is meant.");
    return LEAT_INVALID;
}

leat_status leat_dead_by_id(struct leat_store *s, struct leat_str processor,
                            const struct leat_uuid *id, struct leat_arena *arena,
                            struct leat_dead_row *ret, struct leat_error *err)
{
    struct leat_dead_row *rows = NULL;
    size_t n = 0, found = 0;
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(id, text);
    leat_status status = leat_store_dead_find(s, id, arena, &rows, &n, err);
    if (status != LEAT_OK)
        return status;
    for (size_t i = 0; i < n; i++) {
        if (processor.len == 0 || leat_str_eq(rows[i].processor, processor))
            rows[found++] = rows[i];
    }
    if (found == 0)
        return leat_fail(err, LEAT_ABSENT, "there is no dead letter %s", text);
    if (found > 1)
        return several(text, "died", rows[0].processor, rows[1].processor, err);
    *ret = rows[0];
    return LEAT_OK;
}

/* By slice, then in the order of their deaths. */
static int compare(const void *a, const void *b)
{
    const struct leat_dead_row *x = a, *y = b;
    uint32_t n = x->processor.len < y->processor.len ? x->processor.len : y->processor.len;
    int order = memcmp(x->processor.at, y->processor.at, n);
    if (order == 0)
        order = (x->processor.len > y->processor.len) - (x->processor.len < y->processor.len);
    if (order == 0)
        order = (x->slice > y->slice) - (x->slice < y->slice);
    if (order == 0)
        order = (x->last_at_us > y->last_at_us) - (x->last_at_us < y->last_at_us);
    if (order == 0)
        order = (x->offset > y->offset) - (x->offset < y->offset);
    return order != 0 ? order : memcmp(x->id.b, y->id.b, sizeof x->id.b);
}

leat_status leat_dead_by_ids(struct leat_store *s, struct leat_str processor,
                             const struct leat_uuids *ids, struct leat_arena *arena,
                             struct leat_dead_rows *ret, struct leat_error *err)
{
    struct leat_dead_rows all = {leat_arena_zalloc(arena, ids->n + 1, sizeof *all.at), 0};
    for (size_t i = 0; i < ids->n; i++) {
        leat_status status = leat_dead_by_id(s, processor, &ids->at[i], arena, &all.at[i], err);
        if (status != LEAT_OK)
            return status;
    }
    qsort(all.at, ids->n, sizeof *all.at, compare);
    for (size_t i = 0; i < ids->n; i++) {
        if (all.n == 0 || compare(&all.at[i], &all.at[all.n - 1]) != 0)
            all.at[all.n++] = all.at[i];
    }
    *ret = all;
    return LEAT_OK;
}

struct leat_dead_ref *leat_dead_refs_of(const struct leat_dead_rows *rows, struct leat_arena *arena)
{
    struct leat_dead_ref *refs = leat_arena_zalloc(arena, rows->n + 1, sizeof *refs);
    for (size_t i = 0; i < rows->n; i++)
        refs[i] = (struct leat_dead_ref){rows->at[i].processor, rows->at[i].slice, rows->at[i].id};
    return refs;
}

leat_status leat_waiter_by_id(struct leat_store *s, struct leat_str processor,
                              const struct leat_uuid *id, struct leat_arena *arena,
                              struct leat_waiter *ret, struct leat_error *err)
{
    struct leat_waiter *rows = NULL;
    size_t n = 0, found = 0;
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(id, text);
    leat_status status = leat_store_waiter_find(s, id, arena, &rows, &n, err);
    if (status != LEAT_OK)
        return status;
    for (size_t i = 0; i < n; i++) {
        /* A copy of the message, parked behind it, is no other message. */
        bool copy = found > 0 && leat_str_eq(rows[i].processor, rows[found - 1].processor) &&
                    rows[i].slice == rows[found - 1].slice;
        if (!copy && (processor.len == 0 || leat_str_eq(rows[i].processor, processor)))
            rows[found++] = rows[i];
    }
    if (found == 0)
        return leat_fail(err, LEAT_ABSENT, "nothing waits under the id %s", text);
    if (found > 1)
        return several(text, "waits", rows[0].processor, rows[1].processor, err);
    *ret = rows[0];
    return LEAT_OK;
}
