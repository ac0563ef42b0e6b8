/* relay_internal.h - shared by relay.c, publish.c and acquire.c; nobody else includes it. */
#ifndef LEAT_RELAY_RELAY_INTERNAL_H
#define LEAT_RELAY_RELAY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "relay/relay.h"
#include "relay/window.h"
#include "store/lineage.h"
#include "worker/ownership.h"

#define RELAY_BATCH_BYTES 1000000 /* librdkafka's own default */
#define RELAY_SECTIONS    3       /* commands, events, dlq */
#define RELAY_ARENA_BLOCK ((size_t)256 << 10)
#define RELAY_ARENA_KEEP  ((size_t)1 << 20)
#define RELAY_HEADERS_MAX ((size_t)RELAY_SEND_MAX * 4096)
#define RELAY_SEND_MAX    256 /* records handed to the producer in one go */
/* Rows read from the store in one go: as many as hold about so much and find room. */
#define RELAY_READ_MIN     64
#define RELAY_READ_MAX     4096
#define RELAY_READ_BYTES   ((size_t)1 << 20)
#define RELAY_RECORD_MS    50 /* positions are recorded at most this often */
#define RELAY_POLL_BUSY_MS 10 /* heads are asked for: while something moves */
#define RELAY_POLL_IDLE_MS 200
#define RELAY_BUSY_MS      3000
#define RELAY_CONFIRM_MS   3000

#define RELAY_STALL_MS     2000 /* nothing acknowledged for so long: no more is handed over */
#define RELAY_WAITING_MS   5000 /* and for so long: told */
#define RELAY_TAIL_MS      250  /* the topic's end is looked at: a slice each */
#define RELAY_TAIL_WAIT_MS 200
#define RELAY_TAIL_REST_MS 5000 /* after no answer */
#define RELAY_RENEW_MS     1000 /* between two producers, at first; doubled up to: */
#define RELAY_RENEW_MAX_MS 30000

/* What is in flight is told by one word: kind, slice, generation, seq. The generation tells what a
 * window sent from what came before it: after a fork another event has that seq. */
#define RELAY_KIND_OUTBOX (1ull << 63)
#define RELAY_SLICE_SHIFT 47
#define RELAY_SEQ_BITS    40
#define RELAY_GENERATIONS 0x7f

/* How one of a slice's windows gets on, as of the relay's last look. */
struct relay_progress {
    int64_t acked;
    int64_t since_ms; /* when it got further, or had nothing to do */
};

struct relay_slice {
    pthread_mutex_t mutex; /* guards all below */
    bool owned;
    int64_t epoch;
    struct leat_uuid store_id;
    char store_text[LEAT_UUID_TEXT];
    struct leat_window events, outbox;
    struct relay_progress events_at, outbox_at;
    uint32_t generation;                  /* of the windows */
    int64_t offered_ms;                   /* when an executor here last offered something */
    int64_t polled_events, polled_outbox; /* heads at the poll before */
    bool failed;                          /* a delivery failed: send again from the store */
    /* Of the events topic's partition, which may lose what it has acknowledged. */
    int64_t end;     /* offset behind the last acknowledged record */
    int64_t lost_at; /* where it went on although it had been further; -1 = nowhere */
    bool unsure;     /* its end is looked at before anything more goes out */
    char *stopped;   /* why nothing is published any more, until somebody looks; NULL = flows */
};

struct leat_relay {
    struct leat_relay_config c;
    struct leat_kafka_config kafka, kafka_producer;
    char *client_id;
    char batch_bytes[24];
    struct relay_slice *slices; /* [partitions] */
    int32_t partitions;
    pthread_rwlock_t producer_lock; /* readers: senders; writer: who replaces it */
    struct leat_producer *producer;
    int bell; /* eventfd: deliveries have come */

    /* of the relay's thread */
    pthread_t thread;
    struct leat_store *store;
    struct leat_admin *admin;
    struct leat_group *group;
    struct leat_arena *arena;
    struct leat_ownership ownership;
    struct leat_held *held;
    struct leat_lineage lineage; /* as of the last start of a slice */
    int64_t group_due_ms, record_due_ms, heads_due_ms, moved_ms, retry_at_ms;
    int64_t renew_due_ms, renewed_ms, tail_due_ms;
    int32_t failures, renewals, tail_next;
    bool renew, renewing; /* the producer is to be made anew; is being */
    uint64_t seen_moves;
    bool rejoin;
    size_t page;        /* rows to read in one go */
    int32_t first_read; /* the slice that is read first in the next round */
    bool full;          /* the producer takes no more in this round */

    _Atomic bool quit;
    _Atomic int64_t quit_by_us;
    _Atomic bool joined;
    _Atomic int32_t acquiring;
    _Atomic uint64_t n_events, n_commands, n_reads, n_records, n_moves, n_again;
};

/* Of a clock that never steps: an hour back would be an hour's wait. */
int64_t leat_relay_now_ms(void);

/* publish.c */
void leat_relay_delivered(void *arg, void *opaque, leat_status status, int32_t partition,
                          int64_t offset, const char *what);
/* Reads what is behind from the store and sends it; adds what was sent. Relay's thread. */
LEAT_MUST_CHECK leat_status leat_relay_catch_up(struct leat_relay *r, size_t *ret_sent,
                                                struct leat_error *err);
/* acquire.c */
void leat_relay_acquire(struct leat_relay *r);
void leat_relay_let_go(struct leat_relay *r); /* of every slice */
LEAT_MUST_CHECK leat_status leat_relay_join(struct leat_relay *r, struct leat_error *err);
/* mend.c; relay's thread */
/* A record was not delivered, or the topic lost some: nothing that stands behind it in the producer
 * may arrive before it. Its slice has `failed` and waits for a new producer. */
void leat_relay_renew(struct leat_relay *r, const char *why);
/* Makes the producer anew and looks at ends, where either is due. */
void leat_relay_mend(struct leat_relay *r, int64_t now_ms);
/* Notes who gets on. */
void leat_relay_watch(struct leat_relay *r, int64_t now_ms);
/* Slice lock held. */
void leat_relay_progress(struct relay_slice *s, int64_t now_ms);
/* Says that events first..last go out again. */
void leat_relay_say_again(struct leat_relay *r, int32_t slice, int64_t first, int64_t last);
bool leat_relay_stalls(const struct leat_window *w, const struct relay_progress *p, int64_t now_ms);
/* False: the record is none of leat's. */
bool leat_relay_position_of(const struct leat_record *record, struct leat_uuid *ret_store_id,
                            int64_t *ret_seq);
/* -1 = the record is not one of ours, or void. */
int64_t leat_relay_seq_of(const struct leat_relay *r, int32_t slice,
                          const struct leat_record *record);
/* relay.c */
void leat_relay_store_trouble(struct leat_relay *r, const char *what, const struct leat_error *err);
bool leat_relay_connected(struct leat_relay *r);

#endif
