/* check.h - what must hold: some of it at every commit, the rest when all is quiet.
 * Nothing here uses leat's own protocol code; the model's fold alone is shared
 * with the handlers. */
#ifndef SIM_CHECK_H
#define SIM_CHECK_H

#include "log.h"
#include "store.h"

/* ---- at every commit, called by the store ---- */
void check_claim(struct sim *w, const struct sim_call *c, int32_t k); /* before it is won */
void check_owner(struct sim *w, const struct sim_call *c, int32_t k);
void check_command(struct sim *w, const struct leat_batch_command *c, const struct sim_stream *s);
void check_event(struct sim *w, const struct sim_stored *e, struct sim_stream *s); /* folds it */
void check_snapshot(struct sim *w, const struct leat_batch_snapshot *kept,
                    const struct sim_stream *s);
void check_settled(struct sim *w, const struct sim_call *call, const struct leat_batch_command *c,
                   leat_settled settled);
void check_lane(struct sim *w, const struct sim_call *c, const struct sim_lane *lane, int64_t next,
                int64_t next_seq);
void check_recorded(struct sim *w, const struct leat_published *move);

/* Before the command is stored: is it its turn among those of its key? */
void check_turn(struct sim *w, const struct sim_call *c, uint32_t index);
void check_released(struct sim *w, const struct leat_waiting_row *row); /* a scheduled command */
bool check_behind(const struct sim *w, const struct sim_waiting *r); /* another parks before it */
void check_cancelled(struct sim *w, int32_t processor, const struct leat_waiting_row *row);

/* ---- what clients have sent ---- */
struct sim_sent {
    int32_t processor, k;
    struct leat_uuid id;
    bool known_id; /* else leat makes one of the record's place */
    bool dead;     /* undecodable or poison */
    bool may_reject;
    bool left_out; /* not sent at all */
    bool may_die;  /* tries used up, or given up by a person */
    int32_t priority, other_priority, again_priority;
    struct sim_command command;
    struct sim_record *record;
};
struct sim_check {
    struct sim_sent *sent;
    int32_t sent_count;
    int64_t cancelled; /* by a person, of all times */
    uint64_t settled;  /* records so far */
    int64_t waited_us; /* longest time that a record of a class with max_wait had to wait */
    int64_t last_offset[SIM_TOPICS][SIM_PARTITIONS][SIM_KEYS]; /* order of keys within lanes */
};
void check_init(struct sim *w);

/* What is known of the store's past, for when it goes back there. */
struct sim_check_mark;
struct sim_check_mark *check_mark(struct sim *w);
void check_back(struct sim *w, const struct sim_check_mark *m);

/* ---- at the end ---- */
/* NULL when nothing is left to do, else what is (static text until the next call). */
const char *check_unfinished(struct sim *w);
void check_end(struct sim *w);
/* check_waiting.c */
const char *check_waiting_left(const struct sim *w, char *text, size_t size);
void check_scheduled(struct sim *w);
void check_recreated(struct sim *w); /* after SIM_FAULT_RECREATE, instead of all else */

/* client.c: schedules everything clients send during the run. */
void sim_clients_start(struct sim *w);

#endif
