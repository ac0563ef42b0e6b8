/* new_change.h - adding to a topology file that is there: read, insert, and ask the loader whether
 * the result is what was there and one thing more. */
#ifndef LEAT_CLI_NEW_CHANGE_H
#define LEAT_CLI_NEW_CHANGE_H

#include "cli/new.h"

struct leat_new_change {
    struct leat_topology *t; /* as it is */
    struct leat_arena *arena;
    struct leat_str text; /* of the file, with what was inserted so far */
    struct leat_buf snippet;
    bool safe;                                    /* every insertion could be made */
    uint32_t aggregates, processors, projections; /* inserted */
};

/* GO_ON, or the code to return; errors are printed. End with leat_new_change_done(). */
int leat_new_change_open(struct leat_new_change *c, const char *path);
void leat_new_change_insert(struct leat_new_change *c, const char *section, struct leat_str rows);
/* Checks the whole, writes `f` and then the topology; or, when the rows could not be inserted
 * safely, writes `f` and prints the rows to be put in by hand. Exit code. */
int leat_new_change_write(struct leat_new_change *c, struct leat_new_files *f);
void leat_new_change_done(struct leat_new_change *c);

#endif
