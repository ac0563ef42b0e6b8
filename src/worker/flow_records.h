/* flow_records.h - records of Kafka, and events fetched from the store in their place, as a flow
 * sees them: the callbacks of leat_flow_config. `arg` begins with a struct leat_released. */
#ifndef LEAT_WORKER_FLOW_RECORDS_H
#define LEAT_WORKER_FLOW_RECORDS_H

#include "kafka/kafka.h"
#include "worker/flow.h"

#define LEAT_RELEASED_MAX 4096

struct leat_released { /* records the flow has let go of, given back to Kafka in one go */
    struct leat_record at[LEAT_RELEASED_MAX];
    size_t n;
};
void leat_released_free(struct leat_released *r);

bool leat_record_of_flow_header(void *arg, const struct leat_incoming *r, const char *name,
                                struct leat_str *ret_value);
void leat_record_of_flow_pack(void *arg, const struct leat_incoming *r, struct leat_buf *out);
void leat_record_of_flow_release(void *arg, struct leat_incoming *r);

/* A row of the waiting room as the record it was, and with its texts in it. */
struct leat_flow_waiter leat_waiter_new(const struct leat_waiting_row *row, size_t asked);
/* A stored event as the record it would have been; freed when the flow releases it. */
struct leat_incoming leat_fetched_new(const struct leat_stored_event *stored);

#endif
