/* import_fields.h - rows of text into commands as JSON, by the fields of the command's schema.
 *
 * A plan is made once per import: which column goes into which field, and how. White space around a
 * value goes (unless keep_spaces); an empty value is one that is not given: the field's default,
 * null, or the empty string. What does not fit refuses the row, with a short code and a reason that
 * names column and value. Owner: one thread. */
#ifndef LEAT_CLI_IMPORT_FIELDS_H
#define LEAT_CLI_IMPORT_FIELDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/status.h"
#include "base/uuid.h"
#include "cli/csv.h"
#include "leat/str.h"

#define LEAT_IMPORT_FIELDS_MAX LEAT_CSV_FIELDS_MAX
#define LEAT_IMPORT_IDS_MAX    8

typedef enum leat_import_kind {
    LEAT_IMPORT_STRING,
    LEAT_IMPORT_INT,
    LEAT_IMPORT_LONG,
    LEAT_IMPORT_DOUBLE,
    LEAT_IMPORT_BOOL,
    LEAT_IMPORT_ENUM,
    LEAT_IMPORT_JSON, /* record, array, map, wider unions: the value is JSON text */
} leat_import_kind;

struct leat_import_field {
    struct leat_str name;
    leat_import_kind kind;
    bool nullable, has_default;
    bool date;                      /* INT: days since 1970-01-01 */
    int32_t per_ms;                 /* LONG: a time, in this many parts of a ms; 0 = no time */
    const struct leat_str *symbols; /* ENUM */
    uint32_t symbol_count;
};

struct leat_import_map { /* --map column=field */
    struct leat_str column, field;
};

struct leat_import_plan_options {
    struct leat_str type;   /* of the command */
    struct leat_str schema; /* Avro, JSON text, self-contained */
    struct leat_str key;    /* field that must not be empty; "" = none */
    const struct leat_import_map *maps;
    uint32_t map_count;
    const struct leat_str *ids; /* fields the command's id is made from */
    uint32_t id_count;
    bool ignore_unknown, keep_spaces;
};

struct leat_import_plan;

/* Texts of the options must outlive the plan. INVALID names what is wrong. */
LEAT_MUST_CHECK leat_status leat_import_plan_new(const struct leat_import_plan_options *o,
                                                 struct leat_import_plan **ret,
                                                 struct leat_error *err);
void leat_import_plan_free(struct leat_import_plan *p); /* NULL is allowed */
/* CSV: the header row, before any other. INVALID: unknown, double or missing columns, named. */
LEAT_MUST_CHECK leat_status leat_import_plan_header(struct leat_import_plan *p,
                                                    const struct leat_csv_row *header,
                                                    struct leat_error *err);

struct leat_import_refusal {
    const char *code; /* columns quote too-long utf8 type key json field */
    char reason[320];
};

/* A CSV row, or a JSONL line when the row has no fields -> a JSON object in `json` (cleared first).
 * False: refused, *why says it. */
bool leat_import_row(struct leat_import_plan *p, const struct leat_csv_row *row,
                     struct leat_buf *json, struct leat_import_refusal *why);
/* Whether a value may hold names of its own, which the plan does not look at. */
bool leat_import_plan_nested(const struct leat_import_plan *p);
/* The column that goes into a field; false: none, or not CSV. */
bool leat_import_column(const struct leat_import_plan *p, struct leat_str field,
                        struct leat_str *ret);
/* With ids in the plan: the id of the command made by the last leat_import_row(), while that row
 * lives. */
struct leat_uuid leat_import_row_id(const struct leat_import_plan *p);

#endif
