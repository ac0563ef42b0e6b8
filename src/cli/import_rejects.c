#include "cli/import_rejects.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"

#define ROW_BYTES_MAX ((size_t)8 * LEAT_CSV_ROW_BYTES_MAX)

static leat_status failed(const struct leat_import_rejects *r, struct leat_error *err)
{
    return leat_fail(err, LEAT_FATAL, "could not write '%s': %s", r->path, strerror(errno));
}

leat_status leat_import_rejects_open(struct leat_import_rejects *r, const char *path, int64_t keep,
                                     struct leat_error *err)
{
    size_t n = strlen(path);
    *r = (struct leat_import_rejects){.path = path};
    r->csv = n > 4 && strcasecmp(path + n - 4, ".csv") == 0;
    leat_buf_init(&r->row, ROW_BYTES_MAX);
    if (keep > 0)
        return leat_import_rejects_back(r, keep, err);
    if (unlink(path) != 0 && errno != ENOENT)
        return failed(r, err);
    return LEAT_OK;
}

void leat_import_rejects_close(struct leat_import_rejects *r)
{
    if (r->file != NULL)
        (void)fclose(r->file);
    r->file = NULL;
    leat_buf_done(&r->row);
}

static void put_quoted(struct leat_buf *out, struct leat_str s)
{
    leat_buf_putc(out, '"');
    for (uint32_t i = 0; i < s.len; i++) {
        if (s.at[i] == '"')
            leat_buf_putc(out, '"');
        leat_buf_putc(out, s.at[i]);
    }
    leat_buf_putc(out, '"');
}

static void put_csv(struct leat_buf *out, const struct leat_csv_row *row,
                    const struct leat_import_refusal *why)
{
    leat_buf_printf(out, "%jd,%s,", (intmax_t)row->line, why->code);
    put_quoted(out, leat_str_of(why->reason));
    leat_buf_putc(out, ',');
    put_quoted(out, row->raw);
    leat_buf_puts(out, "\r\n");
}

static void put_json(struct leat_buf *out, const struct leat_csv_row *row,
                     const struct leat_import_refusal *why)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_int(&w, "line", row->line);
    leat_json_put_cstr(&w, "code", why->code);
    leat_json_put_cstr(&w, "reason", why->reason);
    leat_json_put_str(&w, "row", row->raw);
    leat_json_end_object(&w);
    leat_buf_putc(out, '\n');
}

leat_status leat_import_rejects_add(struct leat_import_rejects *r, const struct leat_csv_row *row,
                                    const struct leat_import_refusal *why, struct leat_error *err)
{
    leat_buf_clear(&r->row);
    if (r->file == NULL) {
        r->file = fopen(r->path, "wbe");
        if (r->file == NULL)
            return failed(r, err);
        if (r->csv)
            leat_buf_puts(&r->row, "line,code,reason,row\r\n");
    }
    if (r->csv) {
        put_csv(&r->row, row, why);
    } else {
        put_json(&r->row, row, why);
    }
    if (fwrite(r->row.at, 1, r->row.len, r->file) != r->row.len)
        return failed(r, err);
    r->bytes += (int64_t)r->row.len;
    return LEAT_OK;
}

leat_status leat_import_rejects_flush(struct leat_import_rejects *r, int64_t *ret_bytes,
                                      struct leat_error *err)
{
    if (r->file != NULL && fflush(r->file) != 0)
        return failed(r, err);
    *ret_bytes = r->bytes;
    return LEAT_OK;
}

leat_status leat_import_rejects_back(struct leat_import_rejects *r, int64_t bytes,
                                     struct leat_error *err)
{
    if (r->file == NULL && bytes > 0)
        r->file = fopen(r->path, "r+be");
    if (r->file == NULL)
        return bytes > 0 ? failed(r, err) : LEAT_OK;
    if (fflush(r->file) != 0 || ftruncate(fileno(r->file), bytes) != 0 ||
        fseek(r->file, (long)bytes, SEEK_SET) != 0)
        return failed(r, err);
    r->bytes = bytes;
    return LEAT_OK;
}
