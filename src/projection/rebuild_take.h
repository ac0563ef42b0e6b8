/* rebuild_take.h - blocks of decoded events into a fold: what leat_fold_take() does event by event.
 * Owner: the fold's thread. */
#ifndef LEAT_PROJECTION_REBUILD_TAKE_H
#define LEAT_PROJECTION_REBUILD_TAKE_H

#include "projection/rebuild_read.h"

/* The block goes on where the fold stands; it must live until the next commit. FATAL: it does not.
 */
LEAT_MUST_CHECK leat_status leat_fold_take_block(struct leat_fold *f,
                                                 const struct leat_rebuild_block *b,
                                                 struct leat_error *err);

#endif
