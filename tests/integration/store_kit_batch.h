/* store_kit_batch.h - batches put together line by line, and what must hold of any store. A batch
 * has one owner. */
#ifndef TESTS_STORE_KIT_BATCH_H
#define TESTS_STORE_KIT_BATCH_H

#include "store_kit.h"

#define KIT_ROWS 2048

struct kit_batch {
    struct leat_batch b;
    struct leat_batch_fence fences[8];
    struct leat_batch_lane lanes[8];
    struct leat_batch_command commands[KIT_ROWS];
    struct leat_batch_event events[KIT_ROWS];
    struct leat_batch_outbox outbox[KIT_ROWS];
    struct leat_arena *arena;
    struct leat_reply reply;
};

static inline struct leat_uuid kit_id(uint64_t n)
{
    struct leat_uuid id = {{0}};
    for (int i = 0; i < 8; i++)
        id.b[15 - i] = (uint8_t)(n >> (8 * i));
    return id;
}

static inline struct kit_batch *kit_batch(const char *processor)
{
    struct kit_batch *k = calloc(1, sizeof *k);
    if (k == NULL)
        abort();
    k->arena = leat_arena_new(1 << 16, 1 << 20);
    k->b = (struct leat_batch){.processor = leat_str_of(processor),
                               .fences = k->fences,
                               .lanes = k->lanes,
                               .commands = k->commands,
                               .events = k->events,
                               .outbox = k->outbox};
    return k;
}

static inline void kit_batch_free(struct kit_batch *k)
{
    leat_arena_free(k->arena);
    free(k);
}

static inline void kit_fence(struct kit_batch *k, int32_t slice, int64_t epoch, int64_t since)
{
    k->fences[k->b.fence_count++] = (struct leat_batch_fence){slice, epoch, since};
}

static inline void kit_lane(struct kit_batch *k, int32_t slice, int64_t first, int64_t next)
{
    k->lanes[k->b.lane_count++] = (struct leat_batch_lane){.topic = LEAT_STR("t"),
                                                           .k = slice,
                                                           .first_offset = first,
                                                           .next_offset = next,
                                                           .fingerprint = 77};
}

/* An accepted command; events follow with kit_event(). lane -1 = none. */
static inline struct leat_batch_command *
kit_command(struct kit_batch *k, int32_t slice, const char *stream, int64_t expected, uint64_t id)
{
    struct leat_batch_command *c = &k->commands[k->b.command_count++];
    *c = (struct leat_batch_command){.k = slice,
                                     .lane = -1,
                                     .id = kit_id(id),
                                     .type = LEAT_STR("Do"),
                                     .stream = leat_str_of(stream),
                                     .source = LEAT_STR("test"),
                                     .priority = LEAT_STR("hot"),
                                     .payload = LEAT_STR("command"),
                                     .received_at_ms = 1700000000123,
                                     .expected_version = expected,
                                     .outcome = LEAT_OUTCOME_ACCEPTED};
    return c;
}

static inline void kit_at(struct kit_batch *k, int32_t lane, int64_t offset)
{
    k->commands[k->b.command_count - 1].lane = lane;
    k->commands[k->b.command_count - 1].offset = offset;
}

static inline void kit_event(struct kit_batch *k)
{
    uint32_t c = (uint32_t)k->b.command_count - 1;
    struct leat_uuid id = k->commands[c].id;
    id.b[0] = (uint8_t)(1 + k->b.event_count);
    k->events[k->b.event_count++] = (struct leat_batch_event){.command = c,
                                                              .schema_id = 5,
                                                              .id = id,
                                                              .type = LEAT_STR("Done"),
                                                              .payload = LEAT_STR("event")};
}

static inline void kit_outbox(struct kit_batch *k, int32_t partition)
{
    k->outbox[k->b.outbox_count++] =
        (struct leat_batch_outbox){.command = (uint32_t)k->b.command_count - 1,
                                   .partition = partition,
                                   .topic = LEAT_STR("next"),
                                   .key = LEAT_STR("key"),
                                   .headers = LEAT_STR(""),
                                   .value = LEAT_STR("value")};
}

static inline leat_status kit_try(struct leat_store *s, struct kit_batch *k, struct leat_error *err)
{
    leat_arena_reset(k->arena);
    return leat_store_append(s, &k->b, k->arena, &k->reply, err);
}

static inline void kit_append(struct leat_store *s, struct kit_batch *k)
{
    OK(kit_try(s, k, &err));
}

/* One command with one event, without fence or lane, as an administrator would. */
static inline void kit_poke(struct leat_store *s, int32_t slice, const char *stream, uint64_t id)
{
    struct kit_batch *k = kit_batch("");
    kit_fence(k, slice, -1, -1);
    (void)kit_command(k, slice, stream, -1, id);
    kit_event(k);
    kit_append(s, k);
    CHECK_EQ(k->reply.settled[0], LEAT_SETTLED_STORED);
    kit_batch_free(k);
}

/* Takes k of a processor whatever its epoch; gives the new one. */
static inline int64_t kit_claim(struct leat_store *s, const char *processor, int32_t k,
                                int64_t *ret_next_offset)
{
    struct leat_arena *arena = leat_arena_new(4096, 0);
    struct leat_fence_answer got;
    int64_t epoch = 0;
    struct leat_fence_ask ask = {leat_str_of(processor), &k, &epoch, 1};
    bool claimed = false;
    while (!claimed) {
        OK(leat_store_fences(s, &ask, arena, &got, &err));
        epoch = got.fences[0].epoch;
        OK(leat_store_claim(s, &ask, arena, &got, &err));
        claimed = got.fences[0].claimed;
        epoch = got.fences[0].epoch;
    }
    if (ret_next_offset != NULL)
        *ret_next_offset = got.lane_count > 0 ? got.lanes[0].next_offset : 0;
    leat_arena_free(arena);
    return epoch;
}

/* What must hold of any store at any time. */
static inline void kit_check_dense(PGconn *c)
{
    CHECK_EQ(kit_number(c, "select count(*) from (select slice, count(*) n, min(seq) low, max(seq)"
                           " high from shop.events group by slice) s join shop.slices using (slice)"
                           " where n <> high or low <> 1 or high <> head_seq"),
             0);
    CHECK_EQ(kit_number(c,
                        "select count(*) from (select slice, stream, count(*) n, min(version) low,"
                        " max(version) high from shop.events group by slice, stream) s"
                        " where n <> high or low <> 1"),
             0);
    CHECK_EQ(kit_number(c, "select count(*) from shop.events e where not exists (select 1 from"
                           " shop.commands c where c.slice = e.slice and c.id = e.command_id and"
                           " e.seq between c.first_seq and c.last_seq)"),
             0);
}

#endif
