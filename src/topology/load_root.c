#include <string.h>

#include "topology/files.h"
#include "topology/loader.h"

#define GRAMMAR_VERSION    1
#define SQL_NAME_BYTES_MAX 48

/* Lowercase letters, digits and _: valid unquoted in SQL, in Kafka, in a metric's label, in C. */
static bool is_plain_name(struct leat_str s)
{
    for (uint32_t i = 0; i < s.len; i++) {
        char c = s.at[i];
        bool letter = (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && (i == 0 || c < '0' || c > '9'))
            return false;
    }
    return s.len > 0 && s.len <= SQL_NAME_BYTES_MAX;
}

LEAT_KEY_LOADER(leat_load_grammar)
{
    (void)target;
    int64_t version = 0;
    if (leat_load_int(l, n, path, 1, GRAMMAR_VERSION, &version))
        return;
    leat_report_hint(l->report, "this version of leat reads grammar %d", GRAMMAR_VERSION);
}

LEAT_KEY_LOADER(leat_load_name)
{
    struct leat_topology *t = target;
    struct leat_str s;
    if (!leat_load_text(l, n, path, &s))
        return;
    if (is_plain_name(s)) {
        t->name = s;
        return;
    }
    leat_load_error(l, &n->place, "%s: '%.*s' cannot be used", path,
                    LEAT_STR_FMT(leat_load_quote(n)));
    leat_report_hint(l->report, "a-z, 0-9 and _, a letter first, at most %d", SQL_NAME_BYTES_MAX);
}

LEAT_KEY_LOADER(leat_load_partitions)
{
    struct leat_topology *t = target;
    int64_t v = 0;
    if (leat_load_int(l, n, path, 1, LEAT_PARTITIONS_MAX, &v))
        t->partitions = (int32_t)v;
}

/* Handled elsewhere, or read by nobody yet. */
LEAT_KEY_LOADER(leat_load_nothing)
{
    (void)l;
    (void)n;
    (void)path;
    (void)target;
}

LEAT_KEY_LOADER(leat_load_schemas)
{
    struct leat_topology *t = target;
    const struct leat_yaml *const *items;
    const struct leat_yaml *single;
    uint32_t count = leat_load_items(n, &items, &single);
    const char **dirs = leat_arena_zalloc(l->arena, count, sizeof *dirs);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct leat_str s;
        if (!leat_load_text(l, items[i], path, &s))
            continue;
        dirs[kept] = leat_files_beside(l->arena, items[i]->place.file, s);
        if (l->check_files && !leat_files_is_dir(dirs[kept]))
            leat_load_error(l, &items[i]->place, "%s: no folder '%s'", path, dirs[kept]);
        kept++;
    }
    t->schema_dirs = dirs;
    t->n_schema_dirs = kept;
}

LEAT_KEY_LOADER(leat_load_store)
{
    struct leat_topology *t = target;
    leat_load_section(l, LEAT_SECTION_STORE, n, path, &t->store);
    if (t->store.schema != NULL && !is_plain_name(leat_str_of(t->store.schema))) {
        leat_load_error(l, &n->place, "%s.schema: '%.80s' cannot be used", path, t->store.schema);
        leat_report_hint(l->report, "a-z, 0-9 and _, a letter first, at most %d",
                         SQL_NAME_BYTES_MAX);
    }
}

LEAT_KEY_LOADER(leat_load_replicas)
{
    struct leat_store_section *store = target;
    const struct leat_yaml *const *items;
    const struct leat_yaml *single;
    uint32_t count = leat_load_items(n, &items, &single);
    const char **urls = leat_arena_zalloc(l->arena, count, sizeof *urls);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct leat_str s;
        if (leat_load_text(l, items[i], path, &s))
            urls[kept++] = s.at;
    }
    store->replicas = urls;
    store->n_replicas = kept;
}

LEAT_KEY_LOADER(leat_load_redis)
{
    static const char scheme[] = "redis://";
    struct leat_topology *t = target;
    leat_load_section(l, LEAT_SECTION_REDIS, n, path, &t->redis);
    if (t->redis.url != NULL && strncmp(t->redis.url, scheme, sizeof scheme - 1) != 0) {
        leat_load_error(l, &n->place, "%s.url: does not start with %s", path, scheme);
        leat_report_hint(l->report, "such as redis://127.0.0.1:6379/0; TLS is not spoken yet");
    }
}

LEAT_KEY_LOADER(leat_load_limits)
{
    leat_load_section(l, LEAT_SECTION_LIMITS, n, path, target);
}

LEAT_KEY_LOADER(leat_load_http)
{
    struct leat_topology *t = target;
    leat_load_section(l, LEAT_SECTION_HTTP, n, path, &t->http);
    if (t->http.listen != NULL && strrchr(t->http.listen, ':') == NULL) {
        leat_load_error(l, &n->place, "%s.listen: '%.80s' has no port", path, t->http.listen);
        leat_report_hint(l->report, "such as 127.0.0.1:8080 or [::]:8080");
    } else if (!leat_access_serves(&t->http.access, t->http.listen)) {
        leat_load_error(l, &n->place,
                        "%s.listen: '%.80s' is open to other machines, and there is "
                        "no %s.auth",
                        path, t->http.listen, path);
        leat_report_hint(l->report, "say who may do what, or listen on 127.0.0.1");
    }
}
