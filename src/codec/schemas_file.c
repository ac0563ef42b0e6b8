#include "codec/schemas_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/json.h"
#include "base/table.h"
#include "codec/json_walk.h"
#include "codec/nodes.h"

struct inliner {
    const char *const *dirs;
    size_t dir_count;
    struct leat_arena *arena;  /* texts of the files read */
    struct leat_table defined; /* short names met so far */
    struct leat_json_writer w;
    struct leat_error *err;
    int depth;
};

static leat_status put_type(struct inliner *n, struct leat_str type);

static bool is_keyword(struct leat_str name)
{
    static const char *const words[] = {"null",   "boolean", "int",    "long",   "float",
                                        "double", "bytes",   "string", "record", "error",
                                        "enum",   "fixed",   "array",  "map"};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (leat_str_eq(name, leat_str_of(words[i])))
            return true;
    }
    return false;
}

static struct leat_str short_name(struct leat_str name)
{
    const char *dot = memrchr(name.at, '.', name.len);
    if (dot == NULL)
        return name;
    return (struct leat_str){dot + 1, (uint32_t)(name.at + name.len - dot - 1)};
}

static bool is_plain_name(struct leat_str name)
{
    for (uint32_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        bool ok =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        if (!ok)
            return false;
    }
    return name.len > 0 && name.len < 256;
}

static leat_status read_all(struct inliner *n, FILE *f, const char *path, struct leat_str *ret)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    char part[4096];
    leat_buf_init(&text, LEAT_SCHEMA_FILE_MAX);
    for (size_t got; (got = fread(part, 1, sizeof part, f)) > 0;)
        leat_buf_put(&text, part, got);
    if (ferror(f))
        return leat_fail(n->err, LEAT_INVALID, "could not read '%s'", path);
    if (text.overflow) {
        return leat_fail(n->err, LEAT_INVALID, "'%s' is larger than %u bytes", path,
                         LEAT_SCHEMA_FILE_MAX);
    }
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, leat_buf_str(&text));
    leat_status st = leat_json_skip(&r, NULL, n->err);
    if (st == LEAT_OK)
        st = leat_json_next(&r, &t, n->err); /* nothing may follow */
    if (st != LEAT_OK) {
        leat_error_wrap(n->err, "could not read '%s'", path);
        return leat_error_invalid(n->err);
    }
    *ret = leat_arena_copy(n->arena, leat_buf_str(&text));
    return LEAT_OK;
}

static leat_status read_type_file(struct inliner *n, struct leat_str type, struct leat_str *ret)
{
    char path[PATH_MAX];
    if (!is_plain_name(type))
        return leat_fail(n->err, LEAT_INVALID, "'%.*s' is not a type's name", LEAT_STR_FMT(type));
    for (size_t i = 0; i < n->dir_count; i++) {
        int len = snprintf(path, sizeof path, "%s/%.*s.avsc", n->dirs[i], LEAT_STR_FMT(type));
        if (len < 0 || (size_t)len >= sizeof path)
            continue;
        FILE *f = fopen(path, "re");
        if (f == NULL && errno == ENOENT)
            continue;
        if (f == NULL) {
            return leat_fail(n->err, LEAT_INVALID, "could not open '%s': %s", path,
                             strerror(errno));
        }
        leat_status st = read_all(n, f, path, ret);
        (void)fclose(f);
        return st;
    }
    (void)leat_fail(n->err, LEAT_ABSENT, "no schema file '%.*s.avsc'", LEAT_STR_FMT(type));
    leat_error_hint(n->err, "Looked in '%s'%s.", n->dir_count > 0 ? n->dirs[0] : "",
                    n->dir_count > 1 ? " and the other folders under 'schemas:'" : "");
    return LEAT_ABSENT;
}

static leat_status put_name(struct inliner *n, struct leat_str raw,
                            const struct leat_json_token *name)
{
    uint64_t seen = 0;
    struct leat_str text = {NULL, 0};
    struct leat_str type = short_name(name->text);
    if (is_keyword(name->text) || leat_table_get(&n->defined, type, &seen)) {
        leat_json_raw(&n->w, raw);
        return LEAT_OK;
    }
    leat_status st = read_type_file(n, type, &text);
    if (st == LEAT_OK)
        return put_type(n, text);
    leat_error_wrap(n->err, "type '%.*s' is not defined", LEAT_STR_FMT(type));
    return st == LEAT_ABSENT ? leat_error_invalid(n->err) : st;
}

static leat_status put_field(struct inliner *n, struct leat_str field)
{
    struct leat_json_reader r;
    struct leat_json_token key;
    leat_json_reader_init(&r, field);
    leat_status st = leat_json_next(&r, &key, n->err);
    if (st == LEAT_OK && key.kind != LEAT_JSON_OBJECT_BEGIN)
        return leat_fail(n->err, LEAT_INVALID, "a field of a record is not an object");
    leat_json_begin_object(&n->w);
    for (bool more = true; st == LEAT_OK;) {
        struct leat_str raw = {NULL, 0};
        st = leat_json_member(&r, &key, &raw, &more, n->err);
        if (st != LEAT_OK || !more)
            break;
        leat_json_key(&n->w, key.text);
        if (leat_json_token_is(&key, LEAT_STR("type"))) {
            st = put_type(n, raw);
        } else {
            leat_json_raw(&n->w, raw);
        }
    }
    if (st == LEAT_OK)
        leat_json_end_object(&n->w);
    return st;
}

/* Each item of a union is a type; each of "fields" a field. */
static leat_status put_list(struct inliner *n, struct leat_str list,
                            leat_status (*put)(struct inliner *, struct leat_str))
{
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, list);
    leat_status st = leat_json_next(&r, &t, n->err);
    if (st == LEAT_OK && t.kind != LEAT_JSON_ARRAY_BEGIN)
        return leat_fail(n->err, LEAT_INVALID, "a list was expected in the schema");
    leat_json_begin_array(&n->w);
    for (bool more = true; st == LEAT_OK;) {
        struct leat_str raw = {NULL, 0};
        st = leat_json_item(&r, &raw, &more, n->err);
        if (st != LEAT_OK || !more)
            break;
        st = put(n, raw);
    }
    if (st == LEAT_OK)
        leat_json_end_array(&n->w);
    return st;
}

static void define(struct inliner *n, struct leat_str object)
{
    struct leat_json_token name;
    struct leat_str raw;
    if (leat_json_find(object, LEAT_STR("name"), &name, &raw, NULL) == LEAT_OK &&
        name.kind == LEAT_JSON_STRING)
        leat_table_put(&n->defined, short_name(name.text), 1);
}

static leat_status put_object(struct inliner *n, struct leat_str object)
{
    struct leat_json_reader r;
    struct leat_json_token key;
    define(n, object);
    leat_json_reader_init(&r, object);
    leat_status st = leat_json_next(&r, &key, n->err);
    leat_json_begin_object(&n->w);
    for (bool more = true; st == LEAT_OK;) {
        struct leat_str raw = {NULL, 0};
        st = leat_json_member(&r, &key, &raw, &more, n->err);
        if (st != LEAT_OK || !more)
            break;
        leat_json_key(&n->w, key.text);
        if (leat_json_token_is(&key, LEAT_STR("fields"))) {
            st = put_list(n, raw, put_field);
        } else if (leat_json_token_is(&key, LEAT_STR("type")) ||
                   leat_json_token_is(&key, LEAT_STR("items")) ||
                   leat_json_token_is(&key, LEAT_STR("values"))) {
            st = put_type(n, raw);
        } else {
            leat_json_raw(&n->w, raw);
        }
    }
    if (st == LEAT_OK)
        leat_json_end_object(&n->w);
    return st;
}

static leat_status put_type(struct inliner *n, struct leat_str type)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, type);
    leat_status st = leat_json_next(&r, &t, n->err);
    if (st != LEAT_OK)
        return st;
    if (n->depth == LEAT_SCHEMA_DEPTH_MAX / 4) /* each type takes up to three levels of JSON */
        return leat_fail(n->err, LEAT_INVALID, "types are nested too deeply");
    n->depth++;
    if (t.kind == LEAT_JSON_STRING) {
        st = put_name(n, type, &t);
    } else if (t.kind == LEAT_JSON_ARRAY_BEGIN) {
        st = put_list(n, type, put_type);
    } else if (t.kind == LEAT_JSON_OBJECT_BEGIN) {
        st = put_object(n, type);
    } else {
        st = leat_fail(n->err, LEAT_INVALID, "a type was expected in the schema");
    }
    n->depth--;
    return st;
}

static void free_arena(struct leat_arena **a)
{
    leat_arena_free(*a);
}

leat_status leat_schema_read_file(const char *const *dirs, size_t dir_count, struct leat_str type,
                                  struct leat_buf *out, struct leat_error *err)
{
    LEAT_AUTO(free_arena) struct leat_arena *arena = leat_arena_new(16384, 0);
    struct inliner n = {.dirs = dirs, .dir_count = dir_count, .arena = arena, .err = err};
    struct leat_str text = {NULL, 0};
    leat_status st = read_type_file(&n, type, &text);
    if (st != LEAT_OK)
        return st;
    leat_json_writer_init(&n.w, out);
    st = put_type(&n, text);
    leat_table_done(&n.defined);
    if (st == LEAT_OK && out->overflow)
        st = leat_fail(err, LEAT_INVALID, "schema is larger than %u bytes", LEAT_SCHEMA_FILE_MAX);
    if (st == LEAT_OK)
        return LEAT_OK;
    leat_error_wrap(err, "could not read schema file '%.*s.avsc'", LEAT_STR_FMT(type));
    return st == LEAT_POISON ? leat_error_invalid(err) : st;
}
