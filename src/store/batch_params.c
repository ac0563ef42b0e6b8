#include <string.h>

#include "base/hash.h"
#include "store/batch.h"

/* ---- texts that repeat are sent once ---- */

struct dict {
    struct leat_str *words; /* from 1 */
    int32_t *slots;         /* hash slot -> word, 0 = free */
    size_t count, cap, mask;
    struct leat_arena *arena;
};

static void dict_init(struct dict *d, size_t words_max, struct leat_arena *arena)
{
    *d = (struct dict){.mask = 15, .arena = arena};
    while (d->mask < 2 * words_max)
        d->mask = 2 * d->mask + 1;
    d->slots = leat_arena_zalloc(arena, d->mask + 1, sizeof *d->slots);
    d->words = leat_arena_grow(arena, NULL, sizeof *d->words, &d->cap, 64);
}

static int32_t dict_add(struct dict *d, struct leat_str word)
{
    for (size_t i = leat_hash64(word.at, word.len, 0) & d->mask;; i = (i + 1) & d->mask) {
        if (d->slots[i] == 0) {
            d->words = leat_arena_grow(d->arena, d->words, sizeof *d->words, &d->cap, d->count + 1);
            d->words[d->count++] = word;
            d->slots[i] = (int32_t)d->count;
            return d->slots[i];
        }
        if (leat_str_eq(d->words[d->slots[i] - 1], word))
            return d->slots[i];
    }
}

/* The word's index; neighbours are mostly the same. */
static int32_t dict_index(struct dict *d, struct leat_str word, int32_t *last)
{
    if (*last == 0 || !leat_str_eq(d->words[*last - 1], word))
        *last = dict_add(d, word);
    return *last;
}

struct coded { /* columns that are indexes into the dictionary */
    int32_t *type, *priority, *event_type, *topic;
};

static struct coded code(const struct leat_batch *b, struct dict *d)
{
    size_t n = b->command_count;
    struct coded c;
    c.type = leat_arena_alloc(d->arena, (n + 1) * sizeof(int32_t));
    c.priority = leat_arena_alloc(d->arena, (n + 1) * sizeof(int32_t));
    c.event_type = leat_arena_alloc(d->arena, (b->event_count + 1) * sizeof(int32_t));
    c.topic = leat_arena_alloc(d->arena, (b->outbox_count + 1) * sizeof(int32_t));
    int32_t last = 0;
    for (size_t i = 0; i < n; i++)
        c.type[i] = dict_index(d, b->commands[i].type, &last);
    last = 0;
    for (size_t i = 0; i < n; i++)
        c.priority[i] = dict_index(d, b->commands[i].priority, &last);
    last = 0;
    for (size_t i = 0; i < b->event_count; i++)
        c.event_type[i] = dict_index(d, b->events[i].type, &last);
    last = 0;
    for (size_t i = 0; i < b->outbox_count; i++)
        c.topic[i] = dict_index(d, b->outbox[i].topic, &last);
    return c;
}

/* ---- columns ---- */

static void fence_columns(const struct leat_batch *b, const struct leat_plan *plan,
                          struct leat_pg_params *p)
{
    size_t n = b->fence_count;
    const struct leat_batch_fence *f = b->fences;
    const size_t *of = plan->fence_of;
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, f[of[i]].k));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, f[of[i]].epoch));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, f[of[i]].since));
    leat_pg_int4s(p, plan->events_of, n);
    leat_pg_int4s(p, plan->outbox_of, n);
}

static void lane_columns(const struct leat_batch *b, const struct leat_plan *plan,
                         struct leat_pg_params *p)
{
    size_t n = b->lane_count;
    const struct leat_batch_lane *l = b->lanes;
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text(p, l[i].topic));
    leat_pg_int4s(p, plan->lane_at, n);
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, l[i].first_offset));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, l[i].next_offset));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, (int64_t)l[i].fingerprint));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, l[i].next_seq));
}

static void command_columns(const struct leat_batch *b, const struct leat_plan *plan,
                            const struct coded *coded, struct leat_pg_params *p)
{
    size_t n = b->command_count;
    const struct leat_batch_command *c = b->commands;
    leat_pg_int4s(p, plan->order, plan->order_count);
    leat_pg_int4s(p, plan->command_at, n);
    LEAT_PG_FIXED(p, LEAT_PG_UUID, n, 16, leat_pg_put16(to, c[i].id.b));
    leat_pg_int4s(p, coded->type, n);
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text(p, c[i].stream));
    leat_pg_int4s(p, coded->priority, n);
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text(p, c[i].source));
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put(p, c[i].payload.at, c[i].payload.len));
    LEAT_PG_FIXED(p, LEAT_PG_TIMESTAMPTZ, n, 8,
                  leat_pg_put8(to, c[i].received_at_ms * 1000 - LEAT_PG_EPOCH_US));
    leat_pg_int4s(p, plan->first, n);
    leat_pg_int4s(p, plan->last, n);
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, c[i].expected_version));
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, c[i].lane + 1));
    LEAT_PG_FIXED(p, LEAT_PG_INT8, n, 8, leat_pg_put8(to, c[i].offset));
}

/* Null where it is the command's own id, which is what readers take for null. */
static void put_id(struct leat_pg_params *p, const struct leat_uuid *id,
                   const struct leat_uuid *own)
{
    static const struct leat_uuid zero;
    if (leat_uuid_eq(id, &zero) || leat_uuid_eq(id, own)) {
        leat_pg_put_null(p);
    } else {
        leat_pg_put(p, id->b, sizeof id->b);
    }
}

/* Columns that usually hold nothing but their default are then null as a whole. */
static void odd_columns(const struct leat_batch *b, const struct leat_plan *plan,
                        struct leat_pg_params *p)
{
    size_t n = b->command_count;
    const struct leat_batch_command *c = b->commands;
    if (plan->odd_outcome) {
        LEAT_PG_FIXED(p, LEAT_PG_INT2, n, 2, leat_pg_put2(to, (int16_t)c[i].outcome));
    } else {
        leat_pg_null(p);
    }
    if (plan->odd_attempts) {
        LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, c[i].attempts));
    } else {
        leat_pg_null(p);
    }
    if (plan->odd_error) {
        LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text_or_null(p, c[i].error_code));
        LEAT_PG_VARYING(p, LEAT_PG_TEXT, n, leat_pg_put_text_or_null(p, c[i].error_text));
    } else {
        leat_pg_null(p);
        leat_pg_null(p);
    }
    if (plan->odd_correlation) {
        LEAT_PG_VARYING(p, LEAT_PG_UUID, n, put_id(p, &c[i].correlation_id, &c[i].id));
    } else {
        leat_pg_null(p);
    }
    if (plan->odd_causation) {
        LEAT_PG_VARYING(p, LEAT_PG_UUID, n, put_id(p, &c[i].causation_id, &c[i].id));
    } else {
        leat_pg_null(p);
    }
}

static void event_columns(const struct leat_batch *b, const struct leat_plan *plan,
                          const struct coded *coded, struct leat_pg_params *p)
{
    size_t n = b->event_count;
    const struct leat_batch_event *e = b->events;
    leat_pg_int4s(p, plan->event_order, n);
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, (int32_t)e[i].command + 1));
    leat_pg_int4s(p, plan->event_rel, n);
    leat_pg_int8s(p, plan->event_version, n);
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, e[i].schema_id));
    leat_pg_int4s(p, coded->event_type, n);
    LEAT_PG_FIXED(p, LEAT_PG_UUID, n, 16, leat_pg_put16(to, e[i].id.b));
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put(p, e[i].payload.at, e[i].payload.len));
    leat_pg_null(p); /* headers: only append_events has them */
}

static void outbox_columns(const struct leat_batch *b, const struct leat_plan *plan,
                           const struct coded *coded, struct leat_pg_params *p)
{
    size_t n = b->outbox_count;
    const struct leat_batch_outbox *o = b->outbox;
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, (int32_t)o[i].command + 1));
    leat_pg_int4s(p, plan->outbox_rel, n);
    LEAT_PG_FIXED(p, LEAT_PG_INT4, n, 4, leat_pg_put4(to, o[i].partition));
    leat_pg_int4s(p, coded->topic, n);
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put_bytes(p, o[i].key, o[i].key_null));
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put(p, o[i].headers.at, o[i].headers.len));
    LEAT_PG_VARYING(p, LEAT_PG_BYTEA, n, leat_pg_put_bytes(p, o[i].value, o[i].value_null));
}

void leat_plan_params(const struct leat_batch *b, const struct leat_plan *plan, int lock_timeout_ms,
                      struct leat_arena *arena, struct leat_pg_params *p)
{
    struct dict d;
    dict_init(&d, 2 * b->command_count + b->event_count + b->outbox_count, arena);
    struct coded coded = code(b, &d);
    leat_pg_clear(p);
    leat_pg_text(p, b->processor);
    LEAT_PG_VARYING(p, LEAT_PG_TEXT, d.count, leat_pg_put_text(p, d.words[i]));
    leat_pg_bool(p, plan->look_up);
    leat_pg_int4(p, lock_timeout_ms);
    fence_columns(b, plan, p);
    lane_columns(b, plan, p);
    command_columns(b, plan, &coded, p);
    odd_columns(b, plan, p);
    event_columns(b, plan, &coded, p);
    outbox_columns(b, plan, &coded, p);
    leat_assert(p->count == LEAT_APPEND_PARAMS);
}
