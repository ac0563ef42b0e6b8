/* new_files.h - the files a verb is about to write: nothing is written before all of them are known
 * not to stand in anybody's way. */
#ifndef LEAT_CLI_NEW_FILES_H
#define LEAT_CLI_NEW_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/status.h"
#include "leat/str.h"

#define LEAT_NEW_FILES_MAX 64

typedef enum leat_new_act {
    LEAT_NEW_WRITE,  /* must not exist, unless forced */
    LEAT_NEW_KEEP,   /* exists and stays as it is; only shown */
    LEAT_NEW_CHANGE, /* exists and is replaced by the text, which was made of it */
} leat_new_act;

struct leat_new_file {
    leat_new_act act;
    const char *path;
    struct leat_str text;
};

struct leat_new_files {
    struct leat_arena *arena;
    bool force, dry_run, json;
    uint32_t n;
    struct leat_new_file at[LEAT_NEW_FILES_MAX]; /* written in this order */
};

void leat_new_file(struct leat_new_files *f, leat_new_act act, const char *path,
                   struct leat_str text);
/* Checks, writes (each file whole or not at all) unless it is a dry run, and lists what was done on
 * stdout. Exit code; errors are printed. */
int leat_new_write(const struct leat_new_files *f);

#endif
