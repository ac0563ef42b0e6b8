/* kept_show.h - one dead letter or waiting message, for a person. Pure. */
#ifndef LEAT_CLI_KEPT_SHOW_H
#define LEAT_CLI_KEPT_SHOW_H

#include "codec/schemas.h"
#include "store/operators.h"

void leat_dead_text(const struct leat_schemas *schemas, const struct leat_dead_row *d,
                    struct leat_buf *out);
void leat_waiter_text(const struct leat_schemas *schemas, const struct leat_waiter *r,
                      struct leat_buf *out);

#endif
