/* codec_made.h - C types of schemas as users have them: written by `leat gen`, made by the
 * compiler, loaded. What codec_dynamic.h lays out at run time lacks the functions that read and
 * write. */
#ifndef LEAT_TESTS_CODEC_MADE_H
#define LEAT_TESTS_CODEC_MADE_H

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "codec/gen.h"
#include "codec/nodes.h"

#ifdef __SANITIZE_ADDRESS__
#define MADE_FLAGS "-fsanitize=address,undefined -fno-sanitize-recover=undefined"
#else
#define MADE_FLAGS ""
#endif

struct made {
    char dir[32];
    void *lib;
    uint32_t count;
};

static inline void made_require(bool ok, const char *what)
{
    if (!ok) {
        (void)fprintf(stderr, "codec_made: %s\n", what);
        abort();
    }
}

static inline FILE *made_open(const struct made *m, const char *name)
{
    char path[100];
    (void)snprintf(path, sizeof path, "%s/%s", m->dir, name);
    FILE *f = fopen(path, "w");
    made_require(f != NULL, path);
    return f;
}

static inline void made_init(struct made *m)
{
    *m = (struct made){.dir = "/tmp/leat_made_XXXXXX"};
    made_require(mkdtemp(m->dir) != NULL, "no folder in /tmp");
}

/* The next number is the schema's: 0, 1, ... */
static inline void made_add(struct made *m, struct leat_str schema)
{
    struct leat_error err = {0};
    struct leat_schemas *all = leat_schemas_new();
    struct leat_schema *parsed = NULL;
    struct leat_buf out;
    char name[32];
    leat_buf_init(&out, 1u << 22);
    made_require(leat_schema_parse(schema, &parsed, &err) == LEAT_OK, err.msg);
    struct leat_str type = leat_str_of(leat_schema_name(parsed));
    struct leat_gen_input in = {.topology = LEAT_STR("t"), .types = {&type, 1}, .schemas = all};
    made_require(leat_schemas_put(all, 1, type, schema, &err) == LEAT_OK, err.msg);
    made_require(leat_gen_header(&in, &out, &err) == LEAT_OK, err.msg);
    (void)snprintf(name, sizeof name, "t%u.c", m->count);
    FILE *f = made_open(m, name);
    (void)fwrite(out.at, 1, out.len, f);
    (void)fprintf(f, "extern const struct leat_type *const made_%u;\n", m->count);
    (void)fprintf(f, "const struct leat_type *const made_%u = &leat_type_", m->count);
    for (uint32_t i = 0; i < type.len; i++) /* R12, N3: one word */
        (void)fputc(type.at[i] | 0x20, f);
    (void)fputs(";\n", f);
    made_require(fclose(f) == 0, name);
    leat_buf_done(&out);
    leat_schema_free(parsed);
    leat_schemas_free(all);
    m->count++;
}

static inline void made_build(struct made *m)
{
    char command[600];
    (void)snprintf(command, sizeof command,
                   "cd %s && cc -std=gnu17 -O1 -fPIC -shared " MADE_FLAGS
                   " -I'%s/src' -o made.so t*.c",
                   m->dir, LEAT_SOURCE_DIR);
    made_require(system(command) == 0, command);
    (void)snprintf(command, sizeof command, "%s/made.so", m->dir);
    m->lib = dlopen(command, RTLD_NOW);
    made_require(m->lib != NULL, command);
}

static inline const struct leat_type *made_type(const struct made *m, uint32_t i)
{
    char name[32];
    (void)snprintf(name, sizeof name, "made_%u", i);
    const struct leat_type *const *at = dlsym(m->lib, name);
    made_require(at != NULL, name);
    return *at;
}

static inline void made_done(struct made *m)
{
    char command[100];
    (void)snprintf(command, sizeof command, "rm -rf %s", m->dir);
    made_require(system(command) == 0, command);
    (void)dlclose(m->lib);
}

#endif
