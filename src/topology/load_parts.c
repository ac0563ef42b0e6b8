#include <string.h>

#include "topology/loader.h"

LEAT_KEY_LOADER(leat_load_retry)
{
    struct leat_processor *p = target;
    if (leat_load_is_map(l, n, path)) /* over the defaults it already has */
        leat_load_overlay(l, LEAT_SECTION_RETRY, n, path, &p->retry);
}

LEAT_KEY_LOADER(leat_load_delays)
{
    struct leat_retry *retry = target;
    const struct leat_yaml *const *items;
    const struct leat_yaml *single;
    uint32_t count = leat_load_items(n, &items, &single);
    if (count > LEAT_RETRY_DELAYS_MAX) {
        leat_load_error(l, &n->place, "%s: more than %d delays", path, LEAT_RETRY_DELAYS_MAX);
        return;
    }
    int64_t *delays = leat_arena_zalloc(l->arena, count, sizeof *delays);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        kept +=
            leat_load_duration(l, items[i], path, 1, INT64_C(2592000000), &delays[kept]) ? 1 : 0;
    retry->delays_ms = delays;
    retry->n_delays = kept;
}

LEAT_KEY_LOADER(leat_load_flood)
{
    leat_load_section(l, LEAT_SECTION_FLOOD, n, path, target);
}

LEAT_KEY_LOADER(leat_load_scale)
{
    struct leat_processor *p = target;
    leat_load_section(l, LEAT_SECTION_SCALE, n, path, p);
    if (p->scale_max != 0 && p->scale_min > p->scale_max)
        leat_load_error(l, &n->place, "%s: min %lld is above max %lld", path,
                        (long long)p->scale_min, (long long)p->scale_max);
    if (p->scale_class.len > 0 && leat_priority_find(&p->priorities, p->scale_class) < 0)
        leat_load_error(l, &n->place, "%s.class: no priority '%.*s'", path,
                        LEAT_STR_FMT(p->scale_class));
}

static void load_call(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path,
                      void *entry, uint32_t index)
{
    struct leat_external_call *c = entry;
    (void)index;
    c->name = pair->key;
    leat_load_defaults(l, LEAT_SECTION_BREAKER, c); /* it counts without limits, too */
    leat_load_section(l, LEAT_SECTION_CALL, pair->value, path, c);
}

LEAT_KEY_LOADER(leat_load_calls)
{
    struct leat_processor *p = target;
    p->calls = leat_load_named(l, n, path, sizeof *p->calls, load_call, &p->n_calls);
}

LEAT_KEY_LOADER(leat_load_breaker)
{
    const struct leat_external_call *c = target;
    size_t errors = l->report->errors;
    leat_load_section(l, LEAT_SECTION_BREAKER, n, path, target);
    if (l->report->errors != errors || c->breaker.failures > 0 || c->breaker.rate > 0)
        return;
    leat_load_error(l, &n->place, "%s: nothing opens it", path);
    leat_report_hint(l->report, "give `failures` (in a row), `rate` (their share), or both");
}

/* --- options --- */

struct options {
    struct leat_prop *at;
    size_t n, cap;
};

static void flatten(struct leat_loader *l, const struct leat_yaml *n, const char *name,
                    struct options *o)
{
    if (o->n > LEAT_NAMED_MAX)
        return;
    if (n->kind == LEAT_YAML_SCALAR) {
        o->at = leat_arena_grow(l->arena, o->at, sizeof *o->at, &o->cap, o->n + 1);
        o->at[o->n++] = (struct leat_prop){name, n->null ? "" : n->text.at};
        return;
    }
    for (uint32_t i = 0; i < n->n; i++) {
        if (n->kind == LEAT_YAML_MAP)
            flatten(l, n->pairs[i].value, leat_load_path(l, name, n->pairs[i].key), o);
        else
            flatten(l, n->items[i], leat_arena_printf(l->arena, "%s.%u", name, i), o);
    }
}

LEAT_KEY_LOADER(leat_load_options)
{
    struct leat_processor *p = target;
    if (!leat_load_is_map(l, n, path))
        return;
    struct options o = {NULL, 0, 0};
    flatten(l, n, "", &o);
    if (o.n > LEAT_NAMED_MAX)
        leat_load_error(l, &n->place, "%s: more than %d values", path, LEAT_NAMED_MAX);
    p->options = (struct leat_props){o.at, (uint32_t)o.n};
}
