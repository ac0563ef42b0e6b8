/* projector_versions.h - which versions of the LMDB models a projector feeds. Used by projector*.c.
 *
 * All that are whole and not given up, whoever made them: those of a former declaration by the
 * declaration in their folder. A declaration nobody has a version of is built from the store by a
 * thread of its own while readers keep what they have, and switched to when it is at or past that;
 * a model readers have nothing of yet is fed from the start. Owner: the projector's thread. */
#ifndef LEAT_PROJECTION_PROJECTOR_VERSIONS_H
#define LEAT_PROJECTION_PROJECTOR_VERSIONS_H

#include "projection/projector.h"

#define LEAT_VERSIONS_FED 8 /* of one model at most */

/* Opens what there is. */
LEAT_MUST_CHECK leat_status leat_projector_versions_new(struct leat_projector *p,
                                                        struct leat_error *err);
size_t leat_projector_versions_count(const struct leat_projector *p); /* models declared */
void leat_projector_versions_free(
    struct leat_projector *p); /* ends builds; they are gone on with */
/* Notices, a few times a second, what was made, switched or dropped. True: a model starts at the
 * beginning of the topic. */
bool leat_projector_follow(struct leat_projector *p, bool now);
/* Opens all versions again, as another projector has left them. */
void leat_projector_reopen(struct leat_projector *p);
/* Gives free the slots of readers that are gone, and tells of those that hold a file back. */
void leat_projector_look_at_readers(struct leat_projector *p);
/* Marks the version and lets go of it. */
void leat_projector_give_up(struct leat_projector *p, struct leat_projector_model *m);

#endif
