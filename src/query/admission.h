/* admission.h - who asks, how often, and whether they may: settled before a request's body is
 * taken. Rows and fields are guarded when a model's snapshot is begun. Threads: any. */
#ifndef LEAT_QUERY_ADMISSION_H
#define LEAT_QUERY_ADMISSION_H

#include "projection/model_read.h"
#include "query/http.h"

struct leat_admission;

/* INVALID: a key set that cannot be read, or an address open to other machines without http.auth.
 */
LEAT_MUST_CHECK leat_status leat_admission_new(const struct leat_topology *t, const char *listen,
                                               struct leat_admission **ret, struct leat_error *err);
void leat_admission_free(struct leat_admission *a); /* NULL allowed */

/* Of a request whose route is known. False: 401, 403 or 429 is answered. */
bool leat_admitted(struct leat_request *rq);
/* False: 403 is answered. */
bool leat_admitted_to_model(struct leat_request *rq, const struct leat_projection *p);
/* Lays over the snapshot what the caller may not see. */
void leat_admission_guard(struct leat_request *rq, const struct leat_projection *p,
                          struct leat_model_read *m);
/* May the caller know what became of a command of this type? */
bool leat_admitted_to_command(const struct leat_request *rq, struct leat_str type);

#endif
