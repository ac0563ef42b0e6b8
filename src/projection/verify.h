/* verify.h - is what stands in a version's file whole? Every row is decoded, every index entry is
 * compared with its row and the other way round, checkpoints are read, the state is summed up. LMDB
 * keeps no checksums: a changed byte of a value that is in no index is found by comparing with the
 * store (`leat replay`). Pure reading; a file that is broken enough may end the process. */
#ifndef LEAT_PROJECTION_VERIFY_H
#define LEAT_PROJECTION_VERIFY_H

#include "projection/compare.h"
#include "projection/seqrule.h"

struct leat_verify {
    /* in */
    void (*found)(void *arg, const char *what); /* for each finding */
    void *arg;
    /* out */
    struct leat_model_sum sum;
    uint64_t index_entries; /* that the rows need */
    uint64_t damaged;       /* rows, or entries of the list of skipped events */
    uint64_t missing;       /* index entries that rows lack */
    uint64_t stray;         /* index entries that no row needs */
    uint64_t bad_positions; /* checkpoints that make no sense */
    int64_t events;         /* the sum of the seqs */
};
/* An error is one of opening or reading; what was found is no error. */
LEAT_MUST_CHECK leat_status leat_version_verify(const char *dir, struct leat_verify *v,
                                                struct leat_error *err);
bool leat_verify_is_good(const struct leat_verify *v);

#endif
