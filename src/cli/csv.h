/* csv.h - rows of a CSV file (RFC 4180), one at a time, out of a window of bytes. Pure: no I/O.
 *
 * Lines end with LF, CRLF or CR; quotes double inside quoted fields; line ends inside them are
 * kept; a quote in the middle of an unquoted field is a plain character; a byte order mark before
 * the first row and empty lines are skipped. A row whose quotes are broken, or that is too large,
 * is refused and reading goes on at the line after the one it began on: one stray quote costs one
 * line, not the rest of the file.
 *
 * Owner: one thread. What a row points to lives until the next call. */
#ifndef LEAT_CLI_CSV_H
#define LEAT_CLI_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "leat/str.h"

#define LEAT_CSV_FIELD_BYTES_MAX 65536
#define LEAT_CSV_ROW_BYTES_MAX   1048576
#define LEAT_CSV_FIELDS_MAX      1024

typedef enum leat_csv_result {
    LEAT_CSV_ROW,
    LEAT_CSV_BAD,  /* a row that is refused: `problem` says why, there are no fields */
    LEAT_CSV_MORE, /* the window ends inside a row: call again with more bytes */
    LEAT_CSV_END,
} leat_csv_result;

typedef enum leat_csv_problem {
    LEAT_CSV_FINE = 0,
    LEAT_CSV_AFTER_QUOTE,    /* something else than a delimiter after a closing quote */
    LEAT_CSV_UNCLOSED,       /* the file ends inside quotes */
    LEAT_CSV_FIELD_TOO_LONG, /* over LEAT_CSV_FIELD_BYTES_MAX; often a quote never closed */
    LEAT_CSV_ROW_TOO_LONG,
    LEAT_CSV_TOO_MANY_FIELDS,
} leat_csv_problem;

struct leat_csv_row {
    const struct leat_str *fields;
    size_t n;
    struct leat_str raw; /* without its line end; of a refused row its first line */
    int64_t line;        /* physical, from 1: where it begins */
    int64_t offset;      /* byte in the file where it begins */
    leat_csv_problem problem;
    uint32_t problem_field; /* from 0 */
};

struct leat_csv {
    char delimiter;
    int64_t line, offset; /* of the next byte to read */
    bool skipping;        /* the rest of a line that did not fit the window */
    struct leat_str fields[LEAT_CSV_FIELDS_MAX];
    struct leat_buf unescaped;
};

/* Starts at line 1, offset 0; for another place set line and offset afterwards. */
void leat_csv_init(struct leat_csv *c, char delimiter);
void leat_csv_done(struct leat_csv *c);
/* `window` begins at c->offset; `last`: the file ends with it. *ret_used = bytes of the window that
 * are done with, whatever the result. MORE never comes with `last`, nor with a window of more than
 * LEAT_CSV_ROW_BYTES_MAX + 8 bytes. */
leat_csv_result leat_csv_next(struct leat_csv *c, struct leat_str window, bool last,
                              size_t *ret_used, struct leat_csv_row *ret);
/* The same for files of one record per line (JSONL): no quotes, no fields, `raw` is the line.
 * Lines of nothing but spaces are skipped. */
leat_csv_result leat_csv_next_line(struct leat_csv *c, struct leat_str window, bool last,
                                   size_t *ret_used, struct leat_csv_row *ret);

#endif
