#include "topology/loader.h"

#include <stdio.h>
#include <string.h>

#include "base/suggest.h"

/* One scratch text per finding: what the report keeps is bounded anyway. */
#define TEXT_BYTES_MAX 600

void leat_load_error(struct leat_loader *l, const struct leat_place *place, const char *fmt, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    leat_report_add(l->report, LEAT_SEVERITY_ERROR, place, "%s", text);
}

void leat_load_warning(struct leat_loader *l, const struct leat_place *place, const char *fmt, ...)
{
    char text[TEXT_BYTES_MAX];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    leat_report_add(l->report, LEAT_SEVERITY_WARNING, place, "%s", text);
}

void leat_load_later(struct leat_loader *l, const struct leat_place *place, bool refused,
                     const char *what, const char *why)
{
    l->used = leat_arena_grow(l->arena, l->used, sizeof *l->used, &l->cap_used, l->n_used + 1);
    l->used[l->n_used++] = (struct leat_unsupported){*place, what, why, refused};
}

void leat_load_suggest(struct leat_loader *l, struct leat_str best)
{
    if (best.len > 0)
        leat_report_hint(l->report, "did you mean '%.*s'?", LEAT_STR_FMT(best));
}

const char *leat_load_path(struct leat_loader *l, const char *path, struct leat_str key)
{
    if (path[0] == '\0')
        return leat_arena_printf(l->arena, "%.*s", LEAT_STR_FMT(key));
    return leat_arena_printf(l->arena, "%s.%.*s", path, LEAT_STR_FMT(key));
}

static const char *title(const char *path)
{
    return path[0] == '\0' ? "the file" : path;
}

bool leat_load_is_map(struct leat_loader *l, const struct leat_yaml *n, const char *path)
{
    if (n->kind == LEAT_YAML_MAP)
        return true;
    leat_load_error(l, &n->place, "%s must hold keys and values (key: value)", title(path));
    return false;
}

/* --- one value by its row --- */

static void *field_of(const struct leat_key *k, void *target)
{
    return (char *)target + k->offset;
}

static void load_text(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                      const char **to)
{
    struct leat_str s;
    if (leat_load_text(l, n, path, &s))
        *to = s.at;
}

static void load_ratio(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                       double *to)
{
    const struct leat_expr *e = NULL;
    struct leat_error err;
    bool number = n->kind == LEAT_YAML_SCALAR &&
                  leat_expr_parse(l->arena, n->text, true, &e, &err) == LEAT_OK &&
                  (e->kind == LEAT_EXPR_INT || e->kind == LEAT_EXPR_DOUBLE);
    double v = number ? (e->kind == LEAT_EXPR_INT ? (double)e->integer : e->number) : -1;
    if (v >= 0 && v <= 1)
        *to = v;
    else
        leat_load_error(l, &n->place, "%s: '%.*s' is not a number from 0 to 1", path,
                        LEAT_STR_FMT(leat_load_quote(n)));
}

static void load_value(struct leat_loader *l, const struct leat_key *k, const struct leat_yaml *n,
                       const char *path, void *target)
{
    void *to = k->type == LEAT_KEY_OWN || k->type == LEAT_KEY_OPS ? target : field_of(k, target);
    switch (k->type) {
    case LEAT_KEY_TEXT:
        load_text(l, n, path, to);
        break;
    case LEAT_KEY_WORD:
        (void)leat_load_word(l, n, path, to);
        break;
    case LEAT_KEY_INT:
        (void)leat_load_int(l, n, path, k->min, k->max, to);
        break;
    case LEAT_KEY_DURATION:
        (void)leat_load_duration(l, n, path, k->min, k->max, to);
        break;
    case LEAT_KEY_SIZE:
        (void)leat_load_size(l, n, path, k->min, k->max, to);
        break;
    case LEAT_KEY_RATIO:
        load_ratio(l, n, path, to);
        break;
    case LEAT_KEY_BOOL:
        (void)leat_load_bool(l, n, path, to);
        break;
    case LEAT_KEY_ENUM:
        (void)leat_load_enum(l, n, path, k->allowed, to);
        break;
    case LEAT_KEY_NAMES:
        (void)leat_load_names(l, n, path, to);
        break;
    case LEAT_KEY_EXPR:
        (void)leat_load_expr(l, n, path, to);
        break;
    case LEAT_KEY_OPS:
        leat_load_ops(l, k, n, path, to);
        break;
    case LEAT_KEY_OWN:
        k->load(l, n, path, to);
        break;
    }
}

/* --- sections --- */

void leat_load_defaults(struct leat_loader *l, leat_section section, void *target)
{
    for (size_t i = 0; i < leat_key_count; i++) {
        const struct leat_key *k = &leat_keys[i];
        if (k->section != section || k->def == NULL || k->type == LEAT_KEY_OWN)
            continue;
        struct leat_yaml n = {.kind = LEAT_YAML_SCALAR,
                              .plain = true,
                              .raw = leat_str_of(k->def),
                              .text = leat_str_of(k->def)};
        size_t errors = l->report->errors;
        load_value(l, k, &n, k->name, target);
        leat_assert(l->report->errors == errors); /* the table's own default breaks its row */
    }
}

static bool is_extension(struct leat_str key)
{
    return key.len >= 2 && key.at[0] == 'x' && key.at[1] == '-';
}

/* The section's key that an unknown one is near to; NULL: none. */
static const struct leat_key *near_key(leat_section section, struct leat_str wrong)
{
    struct leat_suggest s;
    leat_suggest_start(&s, wrong);
    for (size_t i = 0; i < leat_key_count; i++) {
        if (leat_keys[i].section == section)
            leat_suggest_offer_cstr(&s, leat_keys[i].name);
    }
    return s.best.len == 0 ? NULL : leat_key_find(section, s.best);
}

bool leat_load_misspelt(const struct leat_loader *l, leat_section section, const char *name)
{
    for (size_t i = 0; i < l->n_misspelt; i++) {
        if (l->misspelt[i]->section == section &&
            (name == NULL || strcmp(l->misspelt[i]->name, name) == 0))
            return true;
    }
    return false;
}

static void report_unknown(struct leat_loader *l, leat_section section,
                           const struct leat_yaml_pair *pair, const char *path)
{
    const struct leat_key *near = near_key(section, pair->key);
    char all[400] = "";
    size_t used = 0;
    for (size_t i = 0; i < leat_key_count; i++) {
        if (leat_keys[i].section != section)
            continue;
        int n = snprintf(all + used, sizeof all - used, "%s%s", used == 0 ? "" : ", ",
                         leat_keys[i].name);
        used += n < 0 || (size_t)n >= sizeof all - used ? 0 : (size_t)n;
    }
    all[used] = '\0';
    leat_load_error(l, &pair->place, "unknown key '%.*s' in %s", LEAT_STR_FMT(pair->key),
                    title(path));
    if (near == NULL) {
        leat_report_hint(l->report, "there are %s", all);
        return;
    }
    leat_load_suggest(l, leat_str_of(near->name));
    l->misspelt = leat_arena_grow(l->arena, l->misspelt, sizeof *l->misspelt, &l->cap_misspelt,
                                  l->n_misspelt + 1);
    l->misspelt[l->n_misspelt++] = near;
}

static void note_later(struct leat_loader *l, const struct leat_key *k,
                       const struct leat_yaml_pair *pair, const char *path)
{
    if ((k->flags & (LEAT_KEY_LATER | LEAT_KEY_REFUSED)) != 0)
        leat_load_later(l, &pair->place, (k->flags & LEAT_KEY_REFUSED) != 0, path,
                        "not run yet by this version");
}

void leat_load_overlay(struct leat_loader *l, leat_section section, const struct leat_yaml *n,
                       const char *path, void *target)
{
    for (uint32_t j = 0; j < n->n; j++) { /* first: what follows from a slip is not said */
        if (leat_key_find(section, n->pairs[j].key) == NULL && !is_extension(n->pairs[j].key))
            report_unknown(l, section, &n->pairs[j], path);
    }
    for (size_t i = 0; i < leat_key_count; i++) {
        const struct leat_key *k = &leat_keys[i];
        if (k->section != section)
            continue;
        for (uint32_t j = 0; j < n->n; j++) { /* table order, not the file's */
            if (!leat_str_eq(n->pairs[j].key, leat_str_of(k->name)))
                continue;
            const char *at = leat_load_path(l, path, n->pairs[j].key);
            note_later(l, k, &n->pairs[j], at);
            load_value(l, k, n->pairs[j].value, at, target);
        }
    }
}

/* This very map has a key that was meant to be `k`. */
static bool is_meant(const struct leat_yaml *n, const struct leat_key *k)
{
    for (uint32_t j = 0; j < n->n; j++) {
        struct leat_str key = n->pairs[j].key;
        if (leat_key_find(k->section, key) == NULL && !is_extension(key) &&
            near_key(k->section, key) == k)
            return true;
    }
    return false;
}

void leat_load_required(struct leat_loader *l, leat_section section, const struct leat_yaml *n,
                        const char *path)
{
    for (size_t i = 0; i < leat_key_count; i++) {
        const struct leat_key *k = &leat_keys[i];
        if (k->section != section || (k->flags & LEAT_KEY_REQUIRED) == 0 ||
            leat_yaml_get(n, leat_str_of(k->name)) != NULL || is_meant(n, k))
            continue;
        leat_load_error(l, &n->place, "%s: '%s' is missing", title(path), k->name);
        leat_report_hint(l->report, "%s", k->doc);
    }
}

void leat_load_section(struct leat_loader *l, leat_section section, const struct leat_yaml *n,
                       const char *path, void *target)
{
    static const struct leat_yaml empty = {.kind = LEAT_YAML_MAP};
    leat_load_defaults(l, section, target);
    struct leat_yaml nothing = empty;
    if (n->null) { /* "http:" with nothing behind it */
        nothing.place = n->place;
        n = &nothing;
    }
    if (!leat_load_is_map(l, n, path))
        return;
    leat_load_overlay(l, section, n, path, target);
    leat_load_required(l, section, n, path);
}

void *leat_load_named(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                      size_t bytes, leat_load_entry fn, uint32_t *ret_n)
{
    *ret_n = 0;
    if (n->null || !leat_load_is_map(l, n, path))
        return NULL;
    if (n->n > LEAT_NAMED_MAX) {
        leat_load_error(l, &n->place, "%s: more than %d entries", path, LEAT_NAMED_MAX);
        return NULL;
    }
    char *all = leat_arena_zalloc(l->arena, n->n, bytes);
    uint32_t count = 0;
    for (uint32_t i = 0; i < n->n; i++) {
        const struct leat_yaml_pair *pair = &n->pairs[i];
        if (is_extension(pair->key))
            continue;
        const char *at = leat_load_path(l, path, pair->key);
        if (!leat_load_is_word(pair->key)) {
            leat_load_error(l, &pair->place, "%s: '%.*s' is not a name", path,
                            LEAT_STR_FMT(pair->key));
            leat_report_hint(l->report, "letters, digits, '_', '-' and '.', a letter first, at "
                                        "most 100");
            continue;
        }
        leat_load_mark(l, pair->key.at, &pair->place);
        fn(l, pair, at, all + count * bytes, count);
        count++;
    }
    *ret_n = count;
    return all;
}
