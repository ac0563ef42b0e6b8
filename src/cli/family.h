/* family.h - what the processes of one `leat run` share: a page of memory, made by the supervisor,
 * in which each of them says what it runs and how it does. No locks: each part has one writer. */
#ifndef LEAT_CLI_FAMILY_H
#define LEAT_CLI_FAMILY_H

#include <stdatomic.h>
#include <sys/types.h>

#include "base/status.h"
#include "relay/relay.h"
#include "worker/running.h"
#include "worker/worker.h"

#define LEAT_FAMILY_MAX        65 /* 64 workers and one for projections and HTTP */
#define LEAT_FAMILY_EVIDENCE   128
#define LEAT_FAMILY_PROCESSORS 64

/* What a process tells the one that answers /metrics and /readyz. */
struct leat_family_figures {
    uint32_t processor_count;
    struct {
        char name[256];
        struct leat_worker_figures figures;
    } processors[LEAT_FAMILY_PROCESSORS];
    bool has_relay;
    struct leat_relay_figures relay; /* its `stopped` is told by the text below */
    char relay_stopped[256];         /* "" = it is not */
    uint32_t more_bytes;             /* metrics as text, whole lines: of the circuits */
    char more[16384];
};
struct leat_family_member { /* one process, whoever runs as it; cleared when it starts anew */
    _Atomic bool up;        /* all its roles have started */
    _Atomic uint32_t turn;  /* of the figures: odd while they are written; 0 = none yet */
    struct leat_family_figures figures;
    struct leat_running_table running;
};
/* A message that was found guilty of the end of a process, to be written to the store. */
struct leat_family_evidence {
    _Atomic bool written;
    struct leat_uuid id; /* of this piece: written twice it counts once */
    int32_t verdict;     /* running.h */
    struct leat_running what;
};
struct leat_family {
    uint32_t member_count;
    uint32_t worker_count;              /* the first so many run workers or relays */
    _Atomic uint64_t restarts, crashes; /* processes started again; marks found */
    uint32_t evidence_count;
    struct leat_family_evidence evidence[LEAT_FAMILY_EVIDENCE]; /* the supervisor's */
    struct leat_family_member members[];
};

/* ---- the supervisor ---- */
LEAT_MUST_CHECK leat_status leat_family_new(uint32_t workers, uint32_t others,
                                            struct leat_family **ret, int *ret_fd,
                                            struct leat_error *err);
#define LEAT_FAMILY_RECORDER (-1) /* instead of a member: writes the evidence, then ends */
/* In a process just forked, before exec: member `i` of the family it is to join. */
void leat_family_send(int fd, int i);
void leat_family_clear(struct leat_family *f, uint32_t member);

/* ---- its children ---- */
/* NULL, and *ret_member untouched: this process was not started by a supervisor. */
struct leat_family *leat_family_join(int *ret_member);
/* One thread of the member. */
void leat_family_publish(struct leat_family_member *m, const struct leat_family_figures *figures);
/* As last published, from any process; false: nothing was since it started. */
bool leat_family_read(const struct leat_family_member *m, struct leat_family_figures *ret);
/* Sums: processors by name, readiness only when all are ready. */
void leat_family_add(struct leat_family_figures *sum, const struct leat_family_figures *one);

#endif
