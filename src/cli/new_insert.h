/* new_insert.h - a further entry in a section of a topology file, as an insertion of whole lines:
 * every byte that was there stays, comments and order included. Pure. */
#ifndef LEAT_CLI_NEW_INSERT_H
#define LEAT_CLI_NEW_INSERT_H

#include "base/arena.h"
#include "leat/str.h"

/* The file with `rows` (each with '\n', not indented) behind the last entry of the top-level key
 * `section`, indented as its first one; a section that is missing is put at the end. Empty when the
 * section is not written as plain indented lines. Whether the result is still the same topology is
 * the caller's to ask the loader. */
struct leat_str leat_new_insert(struct leat_str file, struct leat_str section, struct leat_str rows,
                                struct leat_arena *arena);

#endif
