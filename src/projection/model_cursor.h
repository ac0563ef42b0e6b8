/* model_cursor.h - where a list ended, as opaque text: sealed, so that a changed one, or one of
 * another list, is refused instead of answered wrongly. Versions of one declaration have the same
 * cursors, so that a list goes on where a rebuilt model was switched to. Not a secret: it holds a
 * key. Pure. */
#ifndef LEAT_PROJECTION_MODEL_CURSOR_H
#define LEAT_PROJECTION_MODEL_CURSOR_H

#include "base/buf.h"
#include "base/status.h"
#include "projection/index_key.h"
#include "projection/versions.h"

#define LEAT_CURSOR_BYTES_MAX 1024

/* `list` = what the list was asked for, in any fixed form; `entry`: the last one looked at. */
void leat_model_cursor_put(struct leat_str list, const char *version, struct leat_str entry,
                           struct leat_buf *out);
/* The version whose list it goes on in; false when it is no cursor, or of no version. */
bool leat_model_cursor_version(struct leat_str text, char ret[LEAT_VERSION_BYTES]);
/* Versions of one declaration hold the same rows in the same order. */
bool leat_model_cursor_fits(const char *version, const char *other);
/* INVALID: not a cursor of that list, or of a version of another declaration. */
LEAT_MUST_CHECK leat_status leat_model_cursor_read(struct leat_str text, struct leat_str list,
                                                   const char *version,
                                                   struct leat_index_key *ret_entry,
                                                   struct leat_error *err);

#endif
