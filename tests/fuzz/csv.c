/* uses: base cli */
/* Any bytes as a CSV file: nothing crashes, every byte is read once, and reading in small windows
 * gives the rows that reading in one gives. */
#include "cli/csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static uint64_t digest(uint64_t h, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 0x100000001b3u;
    return (h ^ n) * 0x100000001b3u;
}

static uint64_t row_digest(uint64_t h, const struct leat_csv_row *row)
{
    h = digest(h, &row->line, sizeof row->line);
    h = digest(h, &row->offset, sizeof row->offset);
    h = digest(h, &row->problem, sizeof row->problem);
    for (size_t i = 0; i < row->n; i++)
        h = digest(h, row->fields[i].at, row->fields[i].len);
    return h;
}

static uint64_t read_all(struct leat_str file, size_t step, bool by_line)
{
    static struct leat_csv c;
    leat_csv_init(&c, ',');
    uint64_t h = 1;
    size_t from = 0, to = step < file.len ? step : file.len;
    for (;;) {
        size_t used = 0;
        struct leat_csv_row row;
        struct leat_str window = {file.at + from, (uint32_t)(to - from)};
        leat_csv_result how = by_line ? leat_csv_next_line(&c, window, to == file.len, &used, &row)
                                      : leat_csv_next(&c, window, to == file.len, &used, &row);
        from += used;
        if (from > to || c.offset != (int64_t)from)
            abort();
        if (how == LEAT_CSV_END)
            break;
        if (how == LEAT_CSV_MORE) {
            if (to == file.len)
                abort();
            to = file.len - to < step ? file.len : to + step;
            continue;
        }
        if (used == 0)
            abort(); /* a row of no bytes would never end */
        h = row_digest(h, &row);
    }
    if (from != file.len)
        abort();
    leat_csv_done(&c);
    return h;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct leat_str file = {(const char *)bytes, (uint32_t)n};
    size_t step = n == 0 ? 1 : 1 + bytes[0] % 7;
    if (read_all(file, n + 1, false) != read_all(file, step, false))
        abort();
    if (read_all(file, n + 1, true) != read_all(file, step, true))
        abort();
    return 0;
}
