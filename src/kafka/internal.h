/* internal.h - what the files of this folder share; nobody else includes it. */
#ifndef LEAT_KAFKA_INTERNAL_H
#define LEAT_KAFKA_INTERNAL_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/log.h"
#include "kafka/kafka.h"

#define LEAT_KAFKA_ERRSTR 512

/* One property leat sets; `owned` ones are set after the user's and so win over them. */
struct leat_kafka_setting {
    const char *name, *value;
};

static inline void leat_kafka_conf_freep(rd_kafka_conf_t **c)
{
    if (*c != NULL)
        rd_kafka_conf_destroy(*c);
}

static inline void leat_kafka_list_freep(rd_kafka_topic_partition_list_t **l)
{
    if (*l != NULL)
        rd_kafka_topic_partition_list_destroy(*l);
}

static inline void leat_kafka_queue_freep(rd_kafka_queue_t **q)
{
    if (*q != NULL)
        rd_kafka_queue_destroy(*q);
}

static inline void leat_kafka_metadata_freep(const struct rd_kafka_metadata **m)
{
    if (*m != NULL)
        rd_kafka_metadata_destroy(*m);
}

static inline void leat_kafka_event_freep(rd_kafka_event_t **e)
{
    if (*e != NULL)
        rd_kafka_event_destroy(*e);
}

/* Defaults, then the user's properties, then the owned ones; logs and errors go to base/log.h.
 * Both lists end with a NULL name. `opaque` is what librdkafka hands to every callback. */
LEAT_MUST_CHECK leat_status leat_kafka_conf(const struct leat_kafka_config *c,
                                            const struct leat_kafka_setting *defaults,
                                            const struct leat_kafka_setting *owned, void *opaque,
                                            rd_kafka_conf_t **ret, struct leat_error *err);
/* Makes the handle and takes *conf in any case. */
LEAT_MUST_CHECK leat_status leat_kafka_handle(rd_kafka_type_t type, rd_kafka_conf_t **conf,
                                              rd_kafka_t **ret, struct leat_error *err);

#if defined(__SANITIZE_THREAD__)
void leat_kafka_tsan_threads(void); /* does nothing: called so that tsan_threads.c is linked */
#endif

/* admin.c: a topic's metadata alone, in m->topics[0]. INVALID = no name of a topic, ABSENT. */
LEAT_MUST_CHECK leat_status leat_kafka_topic(rd_kafka_t *rk, const char *topic, int timeout_ms,
                                             const struct rd_kafka_metadata **ret,
                                             struct leat_error *err);

/* admin.c: its handle, for the other files about topics. */
rd_kafka_t *leat_admin_handle(struct leat_admin *a);

/* A borrowed view of a message; `topic` outlives it. */
void leat_record_from(struct leat_record *r, const char *topic, rd_kafka_message_t *m);

/* The one place that decides what an error of librdkafka means to us. */
leat_status leat_kafka_status(rd_kafka_resp_err_t e);
/* The same of an error that comes in place of the record at an offset: ABSENT = it is not there. */
leat_status leat_kafka_read_status(rd_kafka_resp_err_t e);

rd_kafka_topic_partition_list_t *leat_kafka_list(const struct leat_position *at, size_t n);

/* Names that live as long as their owner: the same text gives the same pointer. Own lock. */
struct leat_kafka_names;
struct leat_kafka_names *leat_kafka_names_new(void);
void leat_kafka_names_free(struct leat_kafka_names *n);
const char *leat_kafka_names_get(struct leat_kafka_names *n, const char *name);

#endif
