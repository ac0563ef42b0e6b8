#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "projection/model_rows_redis.h"
#include "projection/redis_ask.h"
#include "projection/redis_pool.h"
#include "topology/declaration.h"

#define TEXT_BYTES     16384 /* of a pattern */
#define SCAN_COUNT     1000
#define SLICE_KEYS_MAX (4 + LEAT_INDEXES_MAX + 1) /* one more: when rows end */

/* ---- which there are ---- */

static void send_about(struct leat_redis_ask *a, const char *version)
{
    leat_redis_command(a->redis, 2 + LEAT_ABOUTS);
    leat_redis_arg(a->redis, LEAT_STR("HMGET"));
    leat_redis_arg(a->redis, leat_redis_ask_key_of(a, "about", version));
    for (int i = 0; i < LEAT_ABOUTS; i++)
        leat_redis_arg(a->redis, leat_str_of(leat_redis_about[i]));
    LEAT_REDIS_SEND(a, LEAT_STR("EXISTS"), leat_redis_ask_key_of(a, "shape", version));
}

static leat_status read_about(struct leat_redis_ask *a, struct leat_version *v,
                              struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "version %s", v->name);
    if (leat_redis_count(reply) == LEAT_ABOUTS) {
        v->made_ms = leat_redis_told(leat_redis_item(reply, LEAT_ABOUT_MADE));
        v->left_ms = leat_redis_told(leat_redis_item(reply, LEAT_ABOUT_LEFT));
        v->building = !leat_redis_is_nil(leat_redis_item(reply, LEAT_ABOUT_BUILD_PID));
    }
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "version %s", v->name);
    v->has_data = leat_redis_int(reply) == 1;
    return LEAT_OK;
}

static bool name_version(struct leat_str text, struct leat_version *ret)
{
    *ret = (struct leat_version){.number = 1};
    if (text.len == 0 || text.len >= sizeof ret->name)
        return false;
    (void)snprintf(ret->name, sizeof ret->name, "%.*s", LEAT_STR_FMT(text));
    ret->hash = leat_version_hash(ret->name);
    const char *dash = strchr(ret->name, '-');
    int64_t n = 0;
    if (dash != NULL && leat_parse_int(leat_str_of(dash + 1), &n) == LEAT_UNITS_OK && n < INT32_MAX)
        ret->number = (int)n;
    return ret->hash != 0;
}

static int by_age(const void *a, const void *b)
{
    const struct leat_version *x = a, *y = b;
    if (x->made_ms != y->made_ms)
        return x->made_ms < y->made_ms ? -1 : 1;
    return x->number != y->number ? (x->number < y->number ? -1 : 1) : strcmp(x->name, y->name);
}

static void take_names(const struct leat_redis_reply *reply, struct leat_versions *ret)
{
    ret->at = calloc(leat_redis_count(reply) + 1, sizeof *ret->at);
    leat_assert(ret->at != NULL);
    for (size_t i = 0; i < leat_redis_count(reply); i++)
        ret->n += name_version(leat_redis_text(leat_redis_item(reply, i)), &ret->at[ret->n]);
}

static leat_status read_all(struct leat_redis_ask *a, struct leat_redis_versions *ret,
                            struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct leat_versions dropped = {0};
    struct leat_version current;
    LEAT_REDIS_SEND(a, LEAT_STR("SMEMBERS"), leat_redis_ask_key(a, "versions"));
    LEAT_REDIS_SEND(a, LEAT_STR("SMEMBERS"), leat_redis_ask_key(a, "dropped"));
    LEAT_REDIS_SEND(a, LEAT_STR("GET"), leat_redis_ask_key(a, "current"));
    LEAT_REDIS_SEND(a, LEAT_STR("GET"), leat_redis_ask_key(a, "held"));
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "versions");
    take_names(reply, &ret->all);
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "versions");
    take_names(reply, &dropped);
    ret->dropped = calloc(dropped.n + 1, sizeof *ret->dropped);
    leat_assert(ret->dropped != NULL);
    for (size_t i = 0; i < dropped.n; i++)
        memcpy(ret->dropped[ret->n_dropped++], dropped.at[i].name, sizeof *ret->dropped);
    leat_versions_free(&dropped);
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "current version");
    if (name_version(leat_redis_text(reply), &current))
        memcpy(ret->current, current.name, sizeof ret->current);
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "held");
    if (name_version(leat_redis_text(reply), &current))
        ret->held = current.hash;
    for (size_t i = 0; i < ret->all.n; i++)
        send_about(a, ret->all.at[i].name);
    for (size_t i = 0; i < ret->all.n; i++)
        LEAT_TRY(read_about(a, &ret->all.at[i], err), err, "versions");
    qsort(ret->all.at, ret->all.n, sizeof *ret->all.at, by_age);
    return LEAT_OK;
}

leat_status leat_redis_versions_read(const struct leat_redis_model *m,
                                     struct leat_redis_versions *ret, struct leat_error *err)
{
    struct leat_redis_ask a;
    *ret = (struct leat_redis_versions){.held = 0};
    leat_status status = leat_redis_ask_start(m, &a, err);
    if (status == LEAT_OK)
        status = read_all(&a, ret, err);
    leat_redis_ask_done(&a);
    if (status != LEAT_OK)
        leat_redis_versions_free(ret);
    return status;
}

void leat_redis_versions_free(struct leat_redis_versions *v)
{
    leat_versions_free(&v->all);
    free(v->dropped);
    *v = (struct leat_redis_versions){.held = 0};
}

bool leat_redis_version_was_dropped(const struct leat_redis_versions *v, const char *version)
{
    for (size_t i = 0; i < v->n_dropped; i++) {
        if (strcmp(v->dropped[i], version) == 0)
            return true;
    }
    return false;
}

void leat_redis_version_next(const struct leat_redis_versions *v, uint64_t hash,
                             char ret[LEAT_VERSION_BYTES])
{
    int next = 1;
    for (size_t i = 0; i < v->all.n; i++) {
        if (v->all.at[i].hash == hash && v->all.at[i].number >= next)
            next = v->all.at[i].number + 1;
    }
    for (size_t i = 0; i < v->n_dropped; i++) {
        struct leat_version gone;
        if (name_version(leat_str_of(v->dropped[i]), &gone) && gone.hash == hash &&
            gone.number >= next)
            next = gone.number + 1;
    }
    if (next == 1)
        (void)snprintf(ret, LEAT_VERSION_BYTES, "%016" PRIx64, hash);
    else
        (void)snprintf(ret, LEAT_VERSION_BYTES, "%016" PRIx64 "-%d", hash, next);
}

/* ---- one of them ---- */

static void take_build(const struct leat_redis_reply *reply, struct leat_version_state *s)
{
    if (leat_redis_count(reply) != LEAT_ABOUTS)
        return;
    s->building = !leat_redis_is_nil(leat_redis_item(reply, LEAT_ABOUT_BUILD_PID));
    s->build = (struct leat_build_state){
        .done = leat_redis_told(leat_redis_item(reply, LEAT_ABOUT_BUILD_DONE)),
        .total = leat_redis_told(leat_redis_item(reply, LEAT_ABOUT_BUILD_TOTAL)),
        .per_s = leat_redis_told(leat_redis_item(reply, LEAT_ABOUT_BUILD_PER_S)),
        .started_ms = leat_redis_told(leat_redis_item(reply, LEAT_ABOUT_BUILD_STARTED)),
        .told_ms = leat_redis_told(leat_redis_item(reply, LEAT_ABOUT_BUILD_TOLD)),
        .pid = leat_redis_told(leat_redis_item(reply, LEAT_ABOUT_BUILD_PID)),
        .paused = !leat_redis_is_nil(leat_redis_item(reply, LEAT_ABOUT_PAUSED)),
        .pace_per_s = leat_redis_told(leat_redis_item(reply, LEAT_ABOUT_PACE)),
    };
}

static leat_status look_about(struct leat_redis_ask *a, const char *version,
                              struct leat_version_state *ret, struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    send_about(a, version);
    LEAT_REDIS_SEND(a, LEAT_STR("EXISTS"), leat_redis_ask_key_of(a, "builder", version));
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "version %s", version);
    take_build(reply, ret);
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "version %s", version);
    ret->has_data = leat_redis_int(reply) == 1;
    LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "version %s", version);
    ret->build.alive = leat_redis_int(reply) == 1;
    return LEAT_OK;
}

static size_t keys_of_slice(const struct leat_redis_keys *keys, int32_t k, struct leat_str *ret)
{
    const struct leat_redis_slice_keys *s = &keys->slices[k];
    size_t n = 0;
    ret[n++] = s->rows;
    ret[n++] = s->order;
    ret[n++] = s->skipped;
    ret[n++] = s->fresh;
    for (uint32_t i = 0; i < keys->n_indexes; i++)
        ret[n++] = s->indexes[i];
    return n;
}

/* What Redis will not estimate (an ACL, an old server) counts as nothing. */
static void look_sizes(struct leat_redis_ask *a, const struct leat_redis_keys *keys,
                       struct leat_version_state *ret)
{
    struct leat_str names[SLICE_KEYS_MAX];
    const struct leat_redis_reply *reply = NULL;
    struct leat_error ignored = {0};
    size_t n = 0;
    for (int32_t k = 0; k < keys->partitions; k++) {
        n = keys_of_slice(keys, k, names);
        for (size_t i = 0; i < n; i++)
            LEAT_REDIS_SEND(a, LEAT_STR("MEMORY"), LEAT_STR("USAGE"), names[i]);
    }
    for (size_t i = 0; i < n * (size_t)keys->partitions; i++) {
        if (leat_redis_pending(a->redis) > 0 &&
            leat_redis_reply(a->redis, &reply, &ignored) == LEAT_OK)
            ret->figures.used_bytes += (uint64_t)leat_redis_int(reply);
    }
}

static leat_status look_skipped(struct leat_redis_ask *a, const struct leat_redis_keys *keys,
                                struct leat_version_state *ret, struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    for (int32_t k = 0; k < keys->partitions; k++)
        LEAT_REDIS_SEND(a, LEAT_STR("HLEN"), keys->slices[k].skipped);
    for (int32_t k = 0; k < keys->partitions; k++) {
        LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "skipped");
        ret->skipped += (uint64_t)leat_redis_int(reply);
    }
    return LEAT_OK;
}

static leat_status look_rows(struct leat_redis_ask *a, struct leat_rows_version *v, bool full,
                             struct leat_arena *arena, struct leat_version_state *ret,
                             struct leat_error *err)
{
    struct leat_rows_snapshot *s = NULL;
    const struct leat_redis_keys *keys = &((struct leat_redis_version *)v)->keys;
    LEAT_TRY(leat_rows_redis.begin(v, arena, &s, err), err, "look");
    ret->partitions = keys->partitions;
    ret->at = leat_redis_snapshot_of(s)->at;
    ret->complete_ms = leat_redis_snapshot_of(s)->complete_ms;
    leat_status status = full ? leat_rows_redis.count(s, &ret->rows, err) : LEAT_OK;
    leat_rows_redis.end(s);
    if (full && status == LEAT_OK)
        status = look_skipped(a, keys, ret, err);
    if (full && status == LEAT_OK)
        look_sizes(a, keys, ret);
    return status;
}

leat_status leat_redis_version_look(const struct leat_redis_model *m, const char *version,
                                    bool full, struct leat_arena *arena,
                                    struct leat_version_state *ret, struct leat_error *err)
{
    const struct leat_rows_place place = {.topology = m->topology, .declared = m->projection};
    struct leat_version_state s = {0};
    struct leat_rows_version *v = NULL;
    struct leat_redis_ask a;
    leat_status status = leat_redis_ask_start(m, &a, err);
    if (status == LEAT_OK)
        status = look_about(&a, version, &s, err);
    if (status == LEAT_OK && s.has_data)
        status = leat_rows_redis.open(&place, version, &v, err);
    if (status == LEAT_OK && s.has_data)
        status = look_rows(&a, v, full, arena, &s, err);
    leat_rows_redis.close(v);
    leat_redis_ask_done(&a);
    if (status == LEAT_OK)
        *ret = s;
    return status;
}

leat_status leat_redis_version_declaration(const struct leat_redis_model *m, const char *version,
                                           struct leat_arena *arena, struct leat_str *ret,
                                           struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct leat_redis_ask a;
    leat_status status = leat_redis_ask_start(m, &a, err);
    if (status == LEAT_OK) {
        LEAT_REDIS_SEND(&a, LEAT_STR("HGET"), leat_redis_ask_key_of(&a, "about", version),
                        LEAT_STR("declaration"));
        status = leat_redis_reply(a.redis, &reply, err);
    }
    if (status == LEAT_OK)
        *ret = leat_arena_copy(arena, leat_redis_text(reply));
    leat_redis_ask_done(&a);
    return status;
}

struct leat_str leat_redis_declaration_text(const struct leat_redis_model *m,
                                            struct leat_arena *arena)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, LEAT_DECLARATION_BYTES_MAX);
    leat_declaration_text(m->topology, m->projection, &text);
    return text.overflow ? LEAT_STR("") : leat_arena_copy(arena, leat_buf_str(&text));
}

/* ---- switching, dropping ---- */

leat_status leat_redis_version_switch(const struct leat_redis_model *m, const char *version,
                                      bool held, struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct leat_redis_ask a;
    char hash[LEAT_VERSION_BYTES], from[LEAT_VERSION_BYTES] = "";
    leat_status status = leat_redis_ask_start(m, &a, err);
    (void)snprintf(hash, sizeof hash, "%016" PRIx64, m->projection->hash);
    if (status == LEAT_OK) {
        LEAT_REDIS_SEND(&a, LEAT_STR("GET"), leat_redis_ask_key(&a, "current"));
        status = leat_redis_reply(a.redis, &reply, err);
    }
    if (status == LEAT_OK) {
        (void)snprintf(from, sizeof from, "%.*s", LEAT_STR_FMT(leat_redis_text(reply)));
        LEAT_REDIS_SEND(&a, LEAT_STR("MULTI"));
        if (held)
            LEAT_REDIS_SEND(&a, LEAT_STR("SET"), leat_redis_ask_key(&a, "held"), leat_str_of(hash));
        else
            LEAT_REDIS_SEND(&a, LEAT_STR("UNLINK"), leat_redis_ask_key(&a, "held"));
        if (from[0] != 0 && strcmp(from, version) != 0)
            LEAT_REDIS_SEND(&a, LEAT_STR("HSET"), leat_redis_ask_key_of(&a, "about", from),
                            LEAT_STR("left"), leat_redis_ask_number(&a, leat_now_ms()));
        LEAT_REDIS_SEND(&a, LEAT_STR("HDEL"), leat_redis_ask_key_of(&a, "about", version),
                        LEAT_STR("left"));
        LEAT_REDIS_SEND(&a, LEAT_STR("SET"), leat_redis_ask_key(&a, "current"),
                        leat_str_of(version));
        LEAT_REDIS_SEND(&a, LEAT_STR("EXEC"));
        status = leat_redis_finish(a.redis, err);
    }
    leat_redis_ask_done(&a);
    return status;
}

/* One slice at a time: UNLINK leaves the freeing to a thread of the server. */
static leat_status unlink_slices(struct leat_redis_ask *a, const struct leat_redis_keys *keys,
                                 struct leat_error *err)
{
    struct leat_str names[SLICE_KEYS_MAX];
    for (int32_t k = 0; k < keys->partitions; k++) {
        size_t n = keys_of_slice(keys, k, names);
        for (size_t i = 0; i < n; i++)
            LEAT_REDIS_SEND(a, LEAT_STR("UNLINK"), names[i]);
        LEAT_TRY(leat_redis_finish(a->redis, err), err, "slice %d", (int)k);
    }
    return LEAT_OK;
}

/* What SCAN's pattern would take for more than itself is escaped. */
static struct leat_str pattern_of(struct leat_redis_ask *a, const char *version)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    const char *tag =
        leat_arena_printf(a->arena, "{%.*s.%.*s.%s.", LEAT_STR_FMT(a->m->topology->name),
                          LEAT_STR_FMT(a->m->projection->name), version);
    leat_buf_init(&text, TEXT_BYTES);
    for (; *tag != 0; tag++) {
        if (strchr("*?[]^-\\", *tag) != NULL)
            leat_buf_putc(&text, '\\');
        leat_buf_putc(&text, *tag);
    }
    leat_buf_putc(&text, '*');
    return leat_arena_copy(a->arena, leat_buf_str(&text));
}

/* Its form is gone, so its keys are looked for. */
static leat_status unlink_found(struct leat_redis_ask *a, const char *version,
                                struct leat_error *err)
{
    const struct leat_redis_reply *reply = NULL;
    struct leat_str pattern = pattern_of(a, version), cursor = LEAT_STR("0");
    do {
        LEAT_REDIS_SEND(a, LEAT_STR("SCAN"), cursor, LEAT_STR("MATCH"), pattern, LEAT_STR("COUNT"),
                        leat_redis_ask_number(a, SCAN_COUNT));
        LEAT_TRY(leat_redis_reply(a->redis, &reply, err), err, "scan");
        if (leat_redis_count(reply) != 2)
            return leat_fail(err, LEAT_FATAL, "scan: an answer that is none");
        cursor = leat_arena_copy(a->arena, leat_redis_text(leat_redis_item(reply, 0)));
        const struct leat_redis_reply *found = leat_redis_item(reply, 1);
        for (size_t i = 0; i < leat_redis_count(found); i++)
            LEAT_REDIS_SEND(a, LEAT_STR("UNLINK"), leat_redis_text(leat_redis_item(found, i)));
        LEAT_TRY(leat_redis_finish(a->redis, err), err, "scan");
    } while (!leat_str_eq(cursor, LEAT_STR("0")));
    return LEAT_OK;
}

static leat_status drop(struct leat_redis_ask *a, const char *version, struct leat_error *err)
{
    const struct leat_rows_place place = {.topology = a->m->topology, .declared = a->m->projection};
    struct leat_rows_version *v = NULL;
    struct leat_error absent = {0};
    LEAT_REDIS_SEND(a, LEAT_STR("MULTI"));
    LEAT_REDIS_SEND(a, LEAT_STR("SADD"), leat_redis_ask_key(a, "dropped"), leat_str_of(version));
    LEAT_REDIS_SEND(a, LEAT_STR("SREM"), leat_redis_ask_key(a, "versions"), leat_str_of(version));
    LEAT_REDIS_SEND(a, LEAT_STR("EXEC"));
    LEAT_TRY(leat_redis_finish(a->redis, err), err, "drop");
    if (leat_rows_redis.open(&place, version, &v, &absent) == LEAT_OK) {
        leat_status status = unlink_slices(a, &((struct leat_redis_version *)v)->keys, err);
        leat_rows_redis.close(v);
        LEAT_TRY(status, err, "drop");
    } else {
        LEAT_TRY(unlink_found(a, version, err), err, "drop");
    }
    LEAT_REDIS_SEND(a, LEAT_STR("UNLINK"), leat_redis_ask_key_of(a, "shape", version));
    LEAT_REDIS_SEND(a, LEAT_STR("UNLINK"), leat_redis_ask_key_of(a, "about", version));
    LEAT_REDIS_SEND(a, LEAT_STR("UNLINK"), leat_redis_ask_key_of(a, "builder", version));
    return leat_redis_finish(a->redis, err);
}

leat_status leat_redis_version_drop(const struct leat_redis_model *m, const char *version,
                                    struct leat_error *err)
{
    struct leat_redis_ask a;
    leat_status status = leat_redis_ask_start(m, &a, err);
    if (status == LEAT_OK)
        status = drop(&a, version, err);
    leat_redis_ask_done(&a);
    return status;
}
