/* http.auth and http.limits: who may ask what, and how often. */
#include <string.h>

#include "base/units.h"
#include "topology/files.h"
#include "topology/loader.h"

#define CLAIM_PREFIX     "$claim."
#define SHA256_HEX_BYTES 64
#define HS256_BYTES_MIN  32 /* RFC 7518 3.2: as long as the hash at least */

bool leat_access_serves(const struct leat_access *a, const char *listen)
{
    static const char *const own[] = {"127.", "localhost:", "[::1]:"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (listen != NULL && strncmp(listen, own[i], strlen(own[i])) == 0)
            return true;
    return a->given || listen == NULL;
}

/* ---- rates ---- */

static const struct {
    const char *name;
    struct leat_rate rate;
} presets[] = {
    {"default", {100, 60000}},
    {"elevated", {1000, 60000}},
    {"strict", {10, 60000}},
};

static bool parse_rate(struct leat_str s, struct leat_rate *ret)
{
    static const struct {
        const char *unit;
        int64_t ms;
    } windows[] = {{"/s", 1000}, {"/min", 60000}, {"/h", 3600000}, {"/d", 86400000}};
    for (size_t i = 0; i < sizeof presets / sizeof *presets; i++) {
        if (leat_str_eq(s, leat_str_of(presets[i].name))) {
            *ret = presets[i].rate;
            return true;
        }
    }
    for (size_t i = 0; i < sizeof windows / sizeof *windows; i++) {
        uint32_t n = (uint32_t)strlen(windows[i].unit);
        int64_t requests = 0;
        if (s.len <= n || memcmp(s.at + s.len - n, windows[i].unit, n) != 0)
            continue;
        if (leat_parse_int((struct leat_str){s.at, s.len - n}, &requests) != LEAT_UNITS_OK ||
            requests < 1 || requests > LEAT_RATE_REQUESTS_MAX)
            return false;
        *ret = (struct leat_rate){requests, windows[i].ms};
        return true;
    }
    return false;
}

static void load_rate(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                      struct leat_rate *ret)
{
    struct leat_str s;
    if (!leat_load_text(l, n, path, &s) || parse_rate(s, ret))
        return;
    leat_load_error(l, &n->place, "%s: '%.*s' is no rate", path, LEAT_STR_FMT(leat_load_quote(n)));
    leat_report_hint(l->report,
                     "default (100/min), elevated (1000/min), strict (10/min), or 1 to %d in /s, "
                     "/min, /h or /d",
                     LEAT_RATE_REQUESTS_MAX);
}

LEAT_KEY_LOADER(leat_load_http_rate)
{
    struct leat_access *a = target;
    load_rate(l, n, path, &a->rate);
}

LEAT_KEY_LOADER(leat_load_role_rate)
{
    struct leat_access_role *r = target;
    load_rate(l, n, path, &r->rate);
}

LEAT_KEY_LOADER(leat_load_http_limits)
{
    struct leat_http_section *http = target;
    leat_load_section(l, LEAT_SECTION_HTTP_LIMITS, n, path, &http->access);
}

/* ---- roles ---- */

static bool is_star(const struct leat_yaml *n)
{
    return n->kind == LEAT_YAML_SCALAR && !n->null && leat_str_eq(n->text, LEAT_STR("*"));
}

LEAT_KEY_LOADER(leat_load_role_commands)
{
    struct leat_access_role *r = target;
    r->all_commands = is_star(n);
    if (r->all_commands || !leat_load_names(l, n, path, &r->commands))
        return;
    for (uint32_t i = 0; i < r->commands.n; i++) {
        struct leat_choice choice;
        if (leat_topology_handler(l->t, r->commands.at[i]) != NULL)
            continue;
        leat_load_error(l, &n->place, "%s: no processor handles a command '%.*s'", path,
                        LEAT_STR_FMT(r->commands.at[i]));
        leat_choice_start(&choice, r->commands.at[i]);
        for (uint32_t p = 0; p < l->t->n_processors; p++) {
            for (uint32_t c = 0; c < l->t->processors[p].commands.n; c++)
                leat_choice_offer(&choice, l->t->processors[p].commands.at[c]);
        }
        leat_choice_hint(&choice, l->report);
    }
}

static void check_field(struct leat_loader *l, const struct leat_place *place, const char *path,
                        const struct leat_projection *model, struct leat_str field)
{
    struct leat_choice choice;
    leat_load_error(l, place, "%s: projection '%.*s' has no field '%.*s'", path,
                    LEAT_STR_FMT(model->name), LEAT_STR_FMT(field));
    leat_choice_start(&choice, field);
    for (uint32_t i = 0; i < model->fields.n; i++)
        leat_choice_offer(&choice, model->fields.at[i]);
    leat_choice_hint(&choice, l->report);
}

static bool load_filter(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path,
                        const struct leat_projection *model, struct leat_access_filter *ret)
{
    const uint32_t prefix = sizeof CLAIM_PREFIX - 1;
    const struct leat_yaml *n = pair->value;
    int32_t field = leat_projection_field(model, pair->key);
    if (field < 0) {
        check_field(l, &pair->place, path, model, pair->key);
        return false;
    }
    ret->field = (uint32_t)field;
    if (n->kind == LEAT_YAML_SCALAR && n->text.len > prefix &&
        memcmp(n->text.at, CLAIM_PREFIX, prefix) == 0) {
        ret->claim = (struct leat_str){n->text.at + prefix, n->text.len - prefix};
        return true;
    }
    if (!leat_load_expr(l, n, leat_load_path(l, path, pair->key), &ret->value))
        return false;
    if (leat_expr_is_constant(ret->value))
        return true;
    leat_load_error(l, &n->place, "%s.%.*s: neither a constant nor a claim", path,
                    LEAT_STR_FMT(pair->key));
    leat_report_hint(l->report, "such as eu, or $claim.tenant");
    return false;
}

LEAT_KEY_LOADER(leat_load_grant_where)
{
    struct leat_access_model *m = target;
    if (!leat_load_is_map(l, n, path))
        return;
    struct leat_access_filter *where = leat_arena_zalloc(l->arena, n->n, sizeof *where);
    for (uint32_t i = 0; i < n->n; i++)
        m->n_where += load_filter(l, &n->pairs[i], path, m->model, &where[m->n_where]) ? 1 : 0;
    m->where = where;
}

LEAT_KEY_LOADER(leat_load_grant_mask)
{
    struct leat_access_model *m = target;
    if (!leat_load_names(l, n, path, &m->mask))
        return;
    for (uint32_t i = 0; i < m->mask.n; i++) {
        if (leat_projection_field(m->model, m->mask.at[i]) < 0)
            check_field(l, &n->place, path, m->model, m->mask.at[i]);
    }
}

/* False: no such model, which is a finding. */
static bool grant_of(struct leat_loader *l, const struct leat_place *place, const char *path,
                     struct leat_str name, struct leat_access_model *ret)
{
    struct leat_choice choice;
    ret->model = leat_topology_projection(l->t, name);
    if (ret->model != NULL)
        return true;
    leat_load_error(l, place, "%s: no projection '%.*s'", path, LEAT_STR_FMT(name));
    leat_choice_start(&choice, name);
    for (uint32_t i = 0; i < l->t->n_projections; i++)
        leat_choice_offer(&choice, l->t->projections[i].name);
    leat_choice_hint(&choice, l->report);
    return false;
}

LEAT_KEY_LOADER(leat_load_role_models)
{
    struct leat_access_role *r = target;
    struct leat_names names = {.n = 0};
    bool map = n->kind == LEAT_YAML_MAP;
    r->all_models = is_star(n);
    if (r->all_models || (!map && !leat_load_names(l, n, path, &names)))
        return;
    uint32_t count = map ? n->n : names.n;
    struct leat_access_model *models = leat_arena_zalloc(l->arena, count, sizeof *models);
    for (uint32_t i = 0; i < count; i++) {
        struct leat_str name = map ? n->pairs[i].key : names.at[i];
        struct leat_access_model *m = &models[r->n_models];
        if (!grant_of(l, map ? &n->pairs[i].place : &n->place, path, name, m))
            continue;
        if (map && !n->pairs[i].value->null)
            leat_load_section(l, LEAT_SECTION_GRANT, n->pairs[i].value,
                              leat_load_path(l, path, name), m);
        r->n_models++;
    }
    r->models = models;
}

static void load_role(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path,
                      void *entry, uint32_t index)
{
    struct leat_access_role *r = entry;
    r->name = pair->key;
    if (index == LEAT_ROLES_MAX)
        leat_load_error(l, &pair->place, "%s: more than %d roles", path, LEAT_ROLES_MAX);
    leat_load_section(l, LEAT_SECTION_ROLE, pair->value, path, r);
}

LEAT_KEY_LOADER(leat_load_roles)
{
    struct leat_access *a = target;
    a->roles = leat_load_named(l, n, path, sizeof *a->roles, load_role, &a->n_roles);
}

static bool is_role(const struct leat_access *a, struct leat_str name)
{
    for (uint32_t r = 0; r < a->n_roles; r++)
        if (leat_str_eq(a->roles[r].name, name))
            return true;
    return false;
}

static void check_roles(struct leat_loader *l, const struct leat_access *a,
                        const struct leat_yaml *n, const char *path, const struct leat_names *names)
{
    for (uint32_t i = 0; i < names->n; i++) {
        struct leat_choice choice;
        if (is_role(a, names->at[i]))
            continue;
        leat_load_error(l, &n->place, "%s: there is no role '%.*s'", path,
                        LEAT_STR_FMT(names->at[i]));
        leat_choice_start(&choice, names->at[i]);
        for (uint32_t r = 0; r < a->n_roles; r++)
            leat_choice_offer(&choice, a->roles[r].name);
        leat_choice_hint(&choice, l->report);
    }
}

LEAT_KEY_LOADER(leat_load_anonymous)
{
    struct leat_access *a = target;
    if (leat_load_names(l, n, path, &a->anonymous))
        check_roles(l, a, n, path, &a->anonymous);
}

/* ---- keys, tokens ---- */

static bool is_sha256(const char *s)
{
    return strlen(s) == SHA256_HEX_BYTES && strspn(s, "0123456789abcdefABCDEF") == SHA256_HEX_BYTES;
}

static void load_claim(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path,
                       void *entry, uint32_t index)
{
    struct leat_access_claim *c = entry;
    (void)index;
    c->name = pair->key;
    (void)leat_load_text(l, pair->value, path, &c->value);
}

LEAT_KEY_LOADER(leat_load_key_claims)
{
    struct leat_access_key *k = target;
    k->claims = leat_load_named(l, n, path, sizeof *k->claims, load_claim, &k->n_claims);
}

static void load_key(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path,
                     void *entry, uint32_t index)
{
    struct leat_access_key *k = entry;
    (void)index;
    k->name = pair->key;
    leat_load_section(l, LEAT_SECTION_ACCESS_KEY, pair->value, path, k);
    if (k->sha256 == NULL || is_sha256(k->sha256))
        return;
    leat_load_error(l, &pair->value->place, "%s.sha256: not 64 hex digits", path);
    leat_report_hint(l->report, "of the key itself: printf %%s \"$KEY\" | sha256sum");
}

LEAT_KEY_LOADER(leat_load_access_keys)
{
    struct leat_access *a = target;
    a->keys = leat_load_named(l, n, path, sizeof *a->keys, load_key, &a->n_keys);
    for (uint32_t i = 0; i < a->n_keys; i++)
        check_roles(l, a, n, leat_load_path(l, path, a->keys[i].name), &a->keys[i].roles);
}

static bool starts(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

/* Whoever can change the keys on their way can sign anything: https, or this machine. */
static bool is_trusted_address(const char *url)
{
    static const char *const own[] = {"127.0.0.1", "localhost", "[::1]"};
    if (starts(url, "https://"))
        return url[8] != 0 && url[8] != '/';
    for (size_t i = 0; i < sizeof own / sizeof *own && starts(url, "http://"); i++) {
        const char *end = url + 7 + strlen(own[i]);
        if (starts(url + 7, own[i]) && (*end == 0 || *end == ':' || *end == '/'))
            return strchr(url, '@') == NULL; /* http://localhost:1@elsewhere/ */
    }
    return false;
}

LEAT_KEY_LOADER(leat_load_jwt)
{
    struct leat_access *a = target;
    struct leat_access_jwt *j = &a->jwt;
    leat_load_section(l, LEAT_SECTION_JWT, n, path, j);
    j->given = true;
    bool hs = j->algorithm == LEAT_JWT_HS256;
    if (hs && (j->secret == NULL || strlen(j->secret) < HS256_BYTES_MIN))
        leat_load_error(l, &n->place, "%s.secret: HS256 needs one of %d bytes or more", path,
                        HS256_BYTES_MIN);
    if (!hs && j->jwks == NULL)
        leat_load_error(l, &n->place, "%s.jwks: RS256 needs the keys of who signs", path);
    if (hs ? j->jwks != NULL : j->secret != NULL)
        leat_load_error(l, &n->place, "%s.%s: not with %s", path, hs ? "jwks" : "secret",
                        hs ? "HS256" : "RS256");
    if (j->ca != NULL)
        j->ca = leat_files_beside(l->arena, n->place.file, leat_str_of(j->ca));
    if (j->jwks != NULL && strstr(j->jwks, "://") == NULL) {
        j->jwks = leat_files_beside(l->arena, n->place.file, leat_str_of(j->jwks));
    } else if (j->jwks != NULL && !is_trusted_address(j->jwks)) {
        leat_load_error(l, &n->place, "%s.jwks: neither a file nor an https:// address", path);
        leat_report_hint(l->report, "http:// is for this machine: http://127.0.0.1:8080/…");
    }
}

LEAT_KEY_LOADER(leat_load_auth)
{
    struct leat_http_section *http = target;
    struct leat_access *a = &http->access;
    size_t errors = l->report->errors;
    leat_load_section(l, LEAT_SECTION_AUTH, n, path, a);
    a->given = true;
    if (l->report->errors == errors && a->n_keys == 0 && !a->jwt.given && a->anonymous.n == 0) {
        leat_load_error(l, &n->place, "%s: nobody could ask anything", path);
        leat_report_hint(l->report, "give `keys`, `jwt` or `anonymous`");
    }
}
