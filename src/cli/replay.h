/* replay.h - what the parts of `leat replay` share. Nothing here writes to anything live. */
#ifndef LEAT_CLI_REPLAY_H
#define LEAT_CLI_REPLAY_H

#include "cli/cli.h"
#include "cli/session.h"
#include "projection/compare.h"
#include "projection/versions.h"

struct leat_replay_options {
    const char *topology, *data, *at_seq, *at_time, *keep, *stream;
    int64_t at_version, limit;
    bool json;
};

/* A folder of its own under $TMPDIR for LMDB files, and away with it and them. */
LEAT_MUST_CHECK leat_status leat_scratch_folder(char ret[LEAT_MODEL_PATH_BYTES],
                                                struct leat_error *err);
void leat_scratch_folder_remove(const char *dir);

/* Where to stop: at_seq and at_time, parsed. */
struct leat_replay_end {
    int64_t *seqs;            /* per slice; INT64_MAX = its head */
    struct leat_uuid *stores; /* per slice: the store that --at-seq named; zero = none */
    bool has_seqs;            /* --at-seq was given */
    int64_t until_us;         /* 0 = no limit */
};
LEAT_MUST_CHECK leat_status leat_replay_end_parse(const struct leat_replay_options *o,
                                                  int32_t partitions, struct leat_arena *arena,
                                                  struct leat_replay_end *ret,
                                                  struct leat_error *err);

/* What came out of the replay of a model. */
struct leat_replay_result {
    const struct leat_projection *projection;
    char version[64];
    struct leat_model_sum sum, live_sum;
    const struct leat_checkpoint *at; /* per slice */
    int32_t partitions;
    uint64_t events;
    int64_t took_ms;
    bool compared;
    const char *why_not;         /* not compared: the reason */
    const char *other_history;   /* compared, but the live one is not of this store's history */
    struct leat_comparison c;    /* left = live, right = replay */
    struct leat_buf differences; /* rows that differ, as text or as a JSON array; bounded */
    uint64_t shown;
};
/* `found` of the comparison: adds to r->differences (arg = struct leat_replay_show). */
struct leat_replay_show {
    struct leat_replay_result *result;
    int64_t limit;
    bool json;
};
void leat_replay_found(void *arg, const struct leat_difference *d);
int leat_replay_print(const struct leat_replay_result *r, bool json);

int leat_replay_model(const struct leat_replay_options *o, const char *model);
int leat_replay_stream(const struct leat_replay_options *o);

#endif
