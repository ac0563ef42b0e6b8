/* lint.h - everything that is wrong with the text of one schema file, each finding at its place.
 * Parsing (codec.h) stops at the first mistake and knows no place; this is for people. What it
 * accepts may still be refused by the parser for its bounds. Pure: no I/O; one thread. */
#ifndef LEAT_CODEC_LINT_H
#define LEAT_CODEC_LINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "leat/str.h"

struct leat_lint_finding {
    bool warning;
    uint32_t line, column; /* from 1; columns are bytes */
    const char *message;   /* until the call returns; "" is no hint */
    const char *hint;
};

struct leat_lint {
    const char *type;             /* what the file's name says it defines */
    bool record;                  /* it has to be a record: a command, event or state */
    bool state;                   /* of an aggregate: each field has a default */
    const struct leat_str *files; /* types with files of their own, to which it may refer */
    size_t file_count;
    void (*found)(void *arg, const struct leat_lint_finding *f);
    void (*refers)(void *arg, struct leat_str type); /* to a type of another file; NULL allowed */
    void *arg;
};

/* Returns the number of errors (warnings not counted). */
size_t leat_schema_lint(const struct leat_lint *lint, struct leat_str text);

#endif
