#include "projection/model_changes.h"

#include <stdlib.h>

#include "projection/rules.h"
#include "projection/stored.h"

struct leat_changes {
    const struct leat_projection *projection;
    struct leat_rules *rules;
};

leat_status leat_changes_new(const struct leat_projection *p, struct leat_changes **ret,
                             struct leat_error *err)
{
    struct leat_rules *rules = NULL;
    if (p->module != NULL) {
        return leat_fail(err, LEAT_INVALID,
                         "model '%.*s' is written in C: which rows an event changes is not known",
                         LEAT_STR_FMT(p->name));
    }
    LEAT_TRY(leat_rules_new(p, &rules, err), err, "changes");
    *ret = malloc(sizeof **ret);
    leat_assert(*ret != NULL);
    **ret = (struct leat_changes){p, rules};
    return LEAT_OK;
}

void leat_changes_free(struct leat_changes *c)
{
    if (c == NULL)
        return;
    leat_rules_free(c->rules);
    free(c);
}

static bool key_of(struct leat_changes *c, const struct leat_schemas *schemas,
                   const struct leat_stored_event *event, struct leat_arena *arena,
                   struct leat_str *ret)
{
    static const struct leat_uuid none;
    struct leat_rule *rule = leat_rules_find(c->rules, event->type);
    struct leat_error ignored = {0};
    const struct leat_value *picked = NULL;
    if (rule == NULL ||
        leat_rule_pick(rule, schemas, event->payload, arena, &picked, &ignored) != LEAT_OK)
        return false;
    struct leat_fold_event e = leat_fold_event_stored(event, &none, arena);
    struct leat_eval_scope scope = {.picked = picked, .meta = &e.meta, .arena = arena};
    return leat_rule_key(rule, &scope, ret);
}

struct found {
    struct leat_str key;
    size_t last; /* number of its last event */
};

static int by_key(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    uint32_t n = x->key.len < y->key.len ? x->key.len : y->key.len;
    int order = memcmp(x->key.at, y->key.at, n);
    if (order == 0)
        order = (x->key.len > y->key.len) - (x->key.len < y->key.len);
    return order != 0 ? order : (x->last < y->last) - (x->last > y->last); /* the latest first */
}

static int by_event(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return (x->last > y->last) - (x->last < y->last);
}

void leat_changes_keys(struct leat_changes *c, const struct leat_schemas *schemas,
                       const struct leat_stored_event *events, size_t n, struct leat_arena *arena,
                       struct leat_changed *ret)
{
    struct found *all = leat_arena_alloc(arena, (n + 1) * sizeof *all);
    size_t found = 0, kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (key_of(c, schemas, &events[i], arena, &all[found].key))
            all[found++].last = i;
    }
    if (found > 1)
        qsort(all, found, sizeof *all, by_key);
    for (size_t i = 0; i < found; i++) {
        if (kept == 0 || !leat_str_eq(all[kept - 1].key, all[i].key))
            all[kept++] = all[i];
    }
    if (kept > 1)
        qsort(all, kept, sizeof *all, by_event);
    ret->keys = leat_arena_alloc(arena, (kept + 1) * sizeof *ret->keys);
    ret->n = (uint32_t)kept;
    for (size_t i = 0; i < kept; i++)
        ret->keys[i] = all[i].key;
}
