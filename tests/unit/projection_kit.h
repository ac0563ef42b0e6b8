/* projection_kit.h - a topology of a test, its models in a folder of their own, events folded into
 * them. The test defines `topology_text` before it includes this. */
#include <criterion/criterion.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "projection/fold.h"
#include "projection/projection.h"
#include "projection/versions.h"

#define KIT __attribute__((unused)) static

static struct leat_topology *topology;
static struct leat_schemas *schemas;
static char data_dir[] = "/tmp/leat-fold-XXXXXX";
static const struct leat_uuid store_id = {{7}};

KIT void set_up(void)
{
    struct leat_report report = {0};
    struct leat_error err = {0};
    struct leat_buf text;
    leat_buf_init(&text, 65536);
    leat_status status = leat_topology_load_text("t.yaml", leat_str_of(topology_text), false,
                                                 &topology, &report, &err);
    leat_report_text(&report, &text);
    cr_assert_eq(status, LEAT_OK, "%.*s", LEAT_STR_FMT(leat_buf_str(&text)));
    schemas = leat_schemas_new();
    cr_assert_not_null(mkdtemp(data_dir));
    leat_buf_done(&text);
    leat_report_done(&report);
}

KIT void remove_tree(const char *path)
{
    DIR *d = opendir(path);
    struct dirent *e = NULL;
    while (d != NULL && (e = readdir(d)) != NULL) {
        char inner[1024];
        if (e->d_name[0] == '.')
            continue;
        (void)snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        if (e->d_type == DT_DIR)
            remove_tree(inner);
        else
            (void)unlink(inner);
    }
    if (d != NULL)
        (void)closedir(d);
    (void)rmdir(path);
}

KIT void tear_down(void)
{
    leat_schemas_free(schemas);
    leat_topology_free(topology);
    remove_tree(data_dir);
}

KIT const struct leat_projection *projection(const char *name)
{
    return leat_topology_projection(topology, leat_str_of(name));
}

KIT struct leat_fold *open_fold(const char *name, size_t map_bytes)
{
    struct leat_fold *f = NULL;
    struct leat_error err = {0};
    char version[LEAT_VERSION_BYTES], dir[LEAT_MODEL_PATH_BYTES];
    const struct leat_projection *p = projection(name);
    cr_assert_eq(leat_version_pick(data_dir, p->name, p->hash, version, &err), LEAT_OK);
    cr_assert_eq(leat_version_dir(data_dir, p->name, version, dir, &err), LEAT_OK);
    cr_assert_eq(leat_fold_open(p, topology->partitions, dir, map_bytes, &f, &err), LEAT_OK, "%s",
                 err.msg);
    cr_assert_eq(leat_version_switch(data_dir, p->name, version, &err), LEAT_OK, "%s", err.msg);
    return f;
}

KIT struct leat_uuid event_id(int32_t slice, int64_t seq)
{
    struct leat_uuid id = {{0}};
    id.b[0] = (uint8_t)slice;
    memcpy(id.b + 8, &seq, sizeof seq);
    return id;
}

KIT struct leat_fold_event event(int32_t slice, int64_t seq, const char *type, const char *json)
{
    return (struct leat_fold_event){
        .slice = slice,
        .next_offset = seq + 1,
        .at = {.store_id = store_id, .event_id = event_id(slice, seq), .seq = seq},
        .meta = {.recorded_at_ms = 1700000000000 + seq,
                 .seq = seq,
                 .key = LEAT_STR("k"),
                 .type = leat_str_of(type)},
        .payload = leat_str_of(json),
    };
}

KIT leat_seq_verdict take(struct leat_fold *f, int32_t slice, int64_t seq, const char *type,
                          const char *json)
{
    struct leat_fold_event e = event(slice, seq, type, json);
    struct leat_seq_range hole;
    return leat_fold_take(f, &e, schemas, &hole);
}

KIT void commit(struct leat_fold *f)
{
    struct leat_error err = {0};
    cr_assert_eq(leat_fold_commit(f, &err), LEAT_OK, "%s", err.msg);
}

KIT void assert_row(const char *model, const char *key, const char *expected)
{
    struct leat_model *m = NULL;
    struct leat_buf out;
    struct leat_error err = {0};
    leat_buf_init(&out, 65536);
    cr_assert_eq(leat_model_open(topology, model, data_dir, &m, &err), LEAT_OK, "%s", err.msg);
    leat_status status = leat_model_get(m, leat_str_of(key), &out, &err);
    if (expected == NULL)
        cr_assert_eq(status, LEAT_ABSENT);
    else
        cr_assert(status == LEAT_OK && leat_str_eq(leat_buf_str(&out), leat_str_of(expected)),
                  "%.*s is not %s", LEAT_STR_FMT(leat_buf_str(&out)), expected);
    leat_model_close(m);
    leat_buf_done(&out);
}

KIT leat_status list(const char *model, const struct leat_model_range *r, struct leat_buf *out,
                     struct leat_error *err)
{
    struct leat_model *m = NULL;
    cr_assert_eq(leat_model_open(topology, model, data_dir, &m, err), LEAT_OK, "%s", err->msg);
    leat_status status = leat_model_list(m, r, out, err);
    leat_model_close(m);
    return status;
}
