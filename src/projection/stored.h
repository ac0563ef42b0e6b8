/* stored.h - a stored event as a fold takes it. The projector's repairs and a scratch copy both
 * read the store; that they read it alike is what makes their rows equal. */
#ifndef LEAT_PROJECTION_STORED_H
#define LEAT_PROJECTION_STORED_H

#include "projection/fold.h"
#include "store/store.h"

/* Texts lie in the arena or are the stored event's own. */
struct leat_fold_event leat_fold_event_stored(const struct leat_stored_event *stored,
                                              const struct leat_uuid *store_id,
                                              struct leat_arena *arena);

#endif
