/* leat replay: a read model or a stream's state folded again from the store. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/units.h"
#include "cli/replay.h"

#define FIELD(name) offsetof(struct leat_replay_options, name)
static const struct leat_opt options[] = {
    LEAT_CLI_TOPOLOGY(struct leat_replay_options, topology),
    {"at-seq", 0, LEAT_OPT_STR, FIELD(at_seq), "POSITION", NULL, NULL, 0, 0,
     "Stop each slice at this seq: 100, or 0=17,1=4 (others at 0), or a Leat-Position."},
    {"at-time", 0, LEAT_OPT_STR, FIELD(at_time), "TIME", NULL, NULL, 0, 0,
     "Stop before what was recorded after: 2026-11-22T10:00:00Z, or 10m for so long ago."},
    {"keep", 0, LEAT_OPT_STR, FIELD(keep), "DIR", NULL, NULL, 0, 0,
     "Keep the copy as a data folder: leat list --data DIR reads it."},
    {"stream", 's', LEAT_OPT_STR, FIELD(stream), "STREAM", NULL, NULL, 0, 0,
     "Fold one stream, <aggregate>-<key>: its state after each event."},
    {"at-version", 0, LEAT_OPT_INT, FIELD(at_version), "N", "0", NULL, 0, INT64_MAX,
     "With --stream: only the state as of this version."},
    {"limit", 'n', LEAT_OPT_INT, FIELD(limit), "N", "10", NULL, 0, 100000,
     "Rows shown at most of those that differ."},
    {"data", 0, LEAT_OPT_STR, FIELD(data), "DIR", NULL, "LEAT_DATA", 0, 0,
     "Folder of the live read models (default: .leat/<name> beside the topology)."},
    LEAT_CLI_JSON(struct leat_replay_options, json),
};

static const struct leat_opt_spec spec = {
    .usage = "leat replay [options] <model> | leat replay [options] --stream <aggregate>-<key>",
    .summary = "Fold events again in a sandbox; change nothing live.",
    .details =
        "Reads the store's events in order and folds them into a scratch copy (in $TMPDIR,\n"
        "else /tmp; removed at the end), with the code that folds the live model. Prints rows,\n"
        "events, position and a digest of the state, then compares the copy with the live\n"
        "model on this machine at exactly the live model's position. With --at-seq or --at-time\n"
        "nothing is compared. Exit code 0: equal, or nothing to compare; 3: different.\n\n"
        "  leat replay leads\n"
        "  leat replay leads --at-time 2026-11-22T10:00:00Z --keep /tmp/before\n"
        "  leat replay --stream lead-L-1001 --at-version 2\n",
    LEAT_OPTS(options),
    .args_max = 1,
};

/* ---- where to stop ---- */

static leat_status bad_position(const char *text, struct leat_error *err)
{
    (void)leat_fail(err, LEAT_INVALID, "--at-seq: '%.100s' is no position", text);
    leat_error_hint(err, "A number for all slices, or slice=seq pairs: 0=17,1=4.");
    return LEAT_INVALID;
}

/* "0=17", of the text from `at` to `len`. */
static leat_status parse_pair(const char *text, struct leat_str pair, int32_t partitions,
                              int64_t *ret_slice, int64_t *ret_seq, struct leat_error *err)
{
    const char *equals = memchr(pair.at, '=', pair.len);
    int64_t slice = 0, seq = 0;
    if (equals == NULL)
        return bad_position(text, err);
    uint32_t before = (uint32_t)(equals - pair.at);
    if (leat_parse_int((struct leat_str){pair.at, before}, &slice) != LEAT_UNITS_OK ||
        leat_parse_int((struct leat_str){equals + 1, pair.len - before - 1}, &seq) !=
            LEAT_UNITS_OK ||
        seq < 0)
        return bad_position(text, err);
    if (slice < 0 || slice >= partitions) {
        return leat_fail(err, LEAT_INVALID, "--at-seq: slice %lld: there are 0 to %d",
                         (long long)slice, (int)partitions - 1);
    }
    *ret_slice = slice;
    *ret_seq = seq;
    return LEAT_OK;
}

/* "0=17,1=4", or "<store id>:0=17;<store id>:1=4" as Leat-Position has it. */
static leat_status parse_pairs(const char *text, int32_t partitions, struct leat_replay_end *end,
                               struct leat_error *err)
{
    struct leat_uuid store = {0};
    for (const char *at = text; *at != 0;) {
        size_t len = strcspn(at, ",;");
        const char *colon = memchr(at, ':', len);
        struct leat_str pair = {at, (uint32_t)len};
        int64_t slice = 0, seq = 0;
        if (colon != NULL) {
            if (!leat_uuid_parse((struct leat_str){at, (uint32_t)(colon - at)}, &store))
                return bad_position(text, err);
            pair = (struct leat_str){colon + 1, (uint32_t)(at + len - colon - 1)};
        }
        leat_status status = parse_pair(text, pair, partitions, &slice, &seq, err);
        if (status != LEAT_OK)
            return status;
        end->seqs[slice] = seq;
        end->stores[slice] = store;
        at += len + (at[len] != 0);
    }
    return LEAT_OK;
}

static leat_status parse_seqs(const char *text, int32_t partitions, struct leat_replay_end *end,
                              struct leat_error *err)
{
    int64_t all = 0;
    end->has_seqs = true;
    if (leat_parse_int(leat_str_of(text), &all) == LEAT_UNITS_OK && all >= 0) {
        for (int32_t k = 0; k < partitions; k++)
            end->seqs[k] = all;
        return LEAT_OK;
    }
    memset(end->seqs, 0, (size_t)partitions * sizeof *end->seqs);
    return *text == 0 ? bad_position(text, err) : parse_pairs(text, partitions, end, err);
}

static leat_status parse_time(const char *text, int64_t *ret_us, struct leat_error *err)
{
    int64_t ago_ms = 0;
    struct tm tm = {0};
    if (leat_parse_duration(leat_str_of(text), &ago_ms) == LEAT_UNITS_OK) {
        *ret_us = (leat_now_ms() - ago_ms) * 1000;
        return LEAT_OK;
    }
    const char *rest = strptime(text, "%Y-%m-%d", &tm);
    if (rest != NULL && (*rest == 'T' || *rest == ' '))
        rest = strptime(rest + 1, "%H:%M:%S", &tm);
    double fraction = 0;
    if (rest != NULL && *rest == '.') {
        char *end = NULL;
        fraction = strtod(rest, &end);
        rest = end;
    }
    if (rest == NULL || (*rest != 0 && strcmp(rest, "Z") != 0)) {
        (void)leat_fail(err, LEAT_INVALID, "--at-time: '%.100s' is no time", text);
        leat_error_hint(err, "In UTC, as 2026-11-22T10:00:00Z, or how long ago, as 10m.");
        return LEAT_INVALID;
    }
    *ret_us = (int64_t)timegm(&tm) * 1000000 + (int64_t)(fraction * 1e6);
    return LEAT_OK;
}

leat_status leat_replay_end_parse(const struct leat_replay_options *o, int32_t partitions,
                                  struct leat_arena *arena, struct leat_replay_end *ret,
                                  struct leat_error *err)
{
    struct leat_replay_end end = {
        .seqs = leat_arena_zalloc(arena, (size_t)partitions, sizeof *end.seqs),
        .stores = leat_arena_zalloc(arena, (size_t)partitions, sizeof *end.stores)};
    leat_status status = LEAT_OK;
    for (int32_t k = 0; k < partitions; k++)
        end.seqs[k] = INT64_MAX;
    if (o->at_seq != NULL)
        status = parse_seqs(o->at_seq, partitions, &end, err);
    if (status == LEAT_OK && o->at_time != NULL)
        status = parse_time(o->at_time, &end.until_us, err);
    if (status == LEAT_OK)
        *ret = end;
    return status;
}

/* ---- the verb ---- */

static leat_status check_call(const struct leat_replay_options *o, int args, struct leat_error *err)
{
    if ((args == 0) == (o->stream == NULL)) {
        return leat_fail(err, LEAT_INVALID,
                         args == 0 ? "name a read model, or a stream with --stream"
                                   : "a read model or --stream, not both");
    }
    if (o->stream != NULL && (o->keep != NULL || o->at_seq != NULL)) {
        return leat_fail(err, LEAT_INVALID, "--%s is for read models, not for --stream",
                         o->keep != NULL ? "keep" : "at-seq");
    }
    if (o->stream == NULL && o->at_version != 0)
        return leat_fail(err, LEAT_INVALID, "--at-version goes with --stream");
    return LEAT_OK;
}

int leat_cmd_replay(struct leat_cli *cli, int argc, char **argv);

int leat_cmd_replay(struct leat_cli *cli, int argc, char **argv)
{
    (void)cli;
    struct leat_replay_options o = {0};
    struct leat_error err = {0};
    int args = 0, code = leat_cli_parse(&spec, argc, argv, &o, &args);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    if (check_call(&o, args, &err) != LEAT_OK)
        return leat_cli_fail(&err);
    return o.stream != NULL ? leat_replay_stream(&o) : leat_replay_model(&o, argv[1]);
}
