/* routes_operators.h - what routes_dead.c and routes_waiting.c share, and their handlers. */
#ifndef LEAT_QUERY_ROUTES_OPERATORS_H
#define LEAT_QUERY_ROUTES_OPERATORS_H

#include "query/http.h"
#include "query/sweep.h"

/* {id} of the address and the parameter `processor`, "" when it is not given. */
LEAT_MUST_CHECK leat_status leat_request_id(struct leat_request *rq, struct leat_uuid *ret,
                                            struct leat_str *ret_processor, struct leat_error *err);
/* What came of it; `left`: those that were not looked at. */
void leat_answer_sweep(struct leat_request *rq, const struct leat_sweep *s, bool ids, int64_t left);

void leat_route_list_dead(struct leat_request *rq);
void leat_route_get_dead(struct leat_request *rq);
void leat_route_redrive(struct leat_request *rq);
void leat_route_drop(struct leat_request *rq);
void leat_route_list_waiting(struct leat_request *rq);
void leat_route_get_waiting(struct leat_request *rq);
void leat_route_hurry(struct leat_request *rq);
void leat_route_cancel(struct leat_request *rq);

#endif
