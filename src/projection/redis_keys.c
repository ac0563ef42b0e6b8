#include "projection/redis_keys.h"

#include <string.h>

#include "base/json.h"

/* In all of them: rows and checkpoint are one key, so either both are there or none. An order or an
 * index that was evicted shows in its size: it has one entry per row. */
#define LOOK                                                                                       \
    "local have = redis.call('HGET', KEYS[1], '') or ''\n"                                         \
    "if have ~= ARGV[1] then return {0, have} end\n"                                               \
    "local rows = redis.call('HLEN', KEYS[1])\n"                                                   \
    "if have ~= '' then rows = rows - 1 end\n"                                                     \
    "local whole = redis.call('ZCARD', KEYS[2]) == rows and (have ~= '' or rows == 0)\n"           \
    "for i = 5, #KEYS do\n"                                                                        \
    "  if redis.call('ZCARD', KEYS[i]) ~= rows then whole = false end\n"                           \
    "end\n"

/* Arguments go to a command in pieces: Lua's stack holds about 8,000. HSET says how many fields it
 * made; where that is none, no key of a row is new; else key and text become score and key in
 * place. A script that ends in the middle (a command the user may not call) leaves "!", which is no
 * checkpoint: the slice is folded again. */
static const char script_apply[] =
    LOOK "if not whole then return {2, have} end\n"
         "redis.call('HSET', KEYS[1], '', '!')\n"
         "local at = 3\n"
         "local function list(size, f)\n"
         "  local to = at + tonumber(ARGV[at])\n"
         "  local from = at + 1\n"
         "  at = to + 1\n"
         "  while from <= to do\n"
         "    local last = math.min(from + size - 1, to)\n"
         "    f(from, last)\n"
         "    from = last + 1\n"
         "  end\n"
         "end\n"
         "list(2000, function(a, b) redis.call('HSET', KEYS[1], unpack(ARGV, a, b)) end)\n"
         "list(2000, function(a, b)\n"
         "  if redis.call('HSET', KEYS[1], unpack(ARGV, a, b)) == 0 then return end\n"
         "  for i = a, b, 2 do ARGV[i + 1] = ARGV[i] ARGV[i] = '0' end\n"
         "  redis.call('ZADD', KEYS[2], unpack(ARGV, a, b))\n"
         "end)\n"
         "list(2000, function(a, b)\n"
         "  redis.call('HDEL', KEYS[1], unpack(ARGV, a, b))\n"
         "  redis.call('ZREM', KEYS[2], unpack(ARGV, a, b))\n"
         "end)\n"
         "list(2000, function(a, b) redis.call('HSET', KEYS[3], unpack(ARGV, a, b)) end)\n"
         "for i = 5, #KEYS do\n"
         "  list(2000, function(a, b) redis.call('ZREM', KEYS[i], unpack(ARGV, a, b)) end)\n"
         "  list(2000, function(a, b) redis.call('ZADD', KEYS[i], unpack(ARGV, a, b)) end)\n"
         "end\n"
         "redis.call('HSET', KEYS[1], '', ARGV[2])\n"
         "return {1, ARGV[2]}\n";

static const char script_look[] =
    LOOK "if not whole then return {2, have} end\n"
         "if ARGV[2] ~= '0' then redis.call('SET', KEYS[4], ARGV[2]) end\n"
         "return {1, have}\n";

static const char script_clear[] = "local have = redis.call('HGET', KEYS[1], '') or ''\n"
                                   "if have ~= ARGV[1] then return {0, have} end\n"
                                   "redis.call('UNLINK', unpack(KEYS))\n"
                                   "return {1, ''}\n";

static const char script_version[] =
    "if redis.call('SISMEMBER', KEYS[4], ARGV[1]) == 1 then return 0 end\n"
    "redis.call('SET', KEYS[1], ARGV[2])\n"
    "redis.call('SADD', KEYS[2], ARGV[1])\n"
    "if ARGV[4] == '1' then redis.call('SET', KEYS[3], ARGV[1], 'NX') end\n"
    "redis.call('HSETNX', KEYS[5], 'made', ARGV[5])\n"
    "if ARGV[3] ~= '' then redis.call('HSETNX', KEYS[5], 'declaration', ARGV[3]) end\n"
    "return 1\n";

const char *const leat_redis_scripts[LEAT_SCRIPT_COUNT] = {
    [LEAT_SCRIPT_APPLY] = script_apply,
    [LEAT_SCRIPT_LOOK] = script_look,
    [LEAT_SCRIPT_CLEAR] = script_clear,
    [LEAT_SCRIPT_VERSION] = script_version,
};

/* ---- names ---- */

struct leat_str leat_redis_model_key(struct leat_str topology, struct leat_str model,
                                     const char *what, struct leat_arena *arena)
{
    return leat_str_of(leat_arena_printf(arena, "{%.*s.%.*s}:%s", LEAT_STR_FMT(topology),
                                         LEAT_STR_FMT(model), what));
}

static void slice_keys(const struct leat_redis_keys_config *c, int32_t k, struct leat_arena *arena,
                       const struct leat_redis_keys *keys, struct leat_redis_slice_keys *ret)
{
    const char *tag = leat_arena_printf(arena, "{%.*s.%.*s.%s.%d}", LEAT_STR_FMT(c->topology),
                                        LEAT_STR_FMT(c->model), c->version, (int)k);
    ret->rows = leat_str_of(leat_arena_printf(arena, "%s:rows", tag));
    ret->order = leat_str_of(leat_arena_printf(arena, "%s:order", tag));
    ret->skipped = leat_str_of(leat_arena_printf(arena, "%s:skipped", tag));
    ret->fresh = leat_str_of(leat_arena_printf(arena, "%s:fresh", tag));
    ret->indexes = leat_arena_zalloc(arena, keys->n_indexes + (size_t)1, sizeof *ret->indexes);
    if (keys->ttl)
        ret->indexes[keys->n_indexes - 1] = leat_str_of(leat_arena_printf(arena, "%s:expiry", tag));
    for (uint32_t i = 0; i + keys->ttl < keys->n_indexes; i++) {
        ret->indexes[i] = leat_str_of(leat_arena_printf(arena, "%s:index:%.*s", tag,
                                                        LEAT_STR_FMT(c->shape->indexes[i].name)));
    }
}

void leat_redis_keys_of(const struct leat_redis_keys_config *c, struct leat_arena *arena,
                        struct leat_redis_keys *ret)
{
    const char *shape = leat_arena_printf(arena, "shape:%s", c->version);
    const char *about = leat_arena_printf(arena, "about:%s", c->version);
    *ret = (struct leat_redis_keys){
        .current = leat_redis_model_key(c->topology, c->model, "current", arena),
        .versions = leat_redis_model_key(c->topology, c->model, "versions", arena),
        .shape = leat_redis_model_key(c->topology, c->model, shape, arena),
        .dropped = leat_redis_model_key(c->topology, c->model, "dropped", arena),
        .about = leat_redis_model_key(c->topology, c->model, about, arena),
        .partitions = c->shape->partitions,
        .n_indexes = (c->by_stream ? c->shape->n_indexes : 0) + c->ttl,
        .ttl = c->ttl,
    };
    ret->slices = leat_arena_zalloc(arena, (size_t)ret->partitions, sizeof *ret->slices);
    for (int32_t k = 0; k < ret->partitions; k++)
        slice_keys(c, k, arena, ret, &ret->slices[k]);
}

/* ---- what a version says of itself ---- */

#define FORM_VERSION 2 /* 1: without bounds */
#define FORM_HEAD    6 /* version, by_stream, key parts, stream part, u16 fields */

static leat_row_op merge_op(leat_op_kind kind)
{
    switch (kind) {
    case LEAT_OP_ADD:
        return LEAT_ROW_ADD;
    case LEAT_OP_MIN:
        return LEAT_ROW_MIN;
    case LEAT_OP_MAX:
        return LEAT_ROW_MAX;
    case LEAT_OP_COLLECT:
        return LEAT_ROW_COLLECT;
    case LEAT_OP_SET:
    case LEAT_OP_APPEND:
    case LEAT_OP_DELETE:
        break;
    }
    return LEAT_ROW_SET;
}

void leat_redis_form_of(const struct leat_projection *p, struct leat_redis_form *ret)
{
    *ret = (struct leat_redis_form){.by_stream = p->keyed_by_stream,
                                    .ttl = p->ttl_ms > 0,
                                    .key_parts = (uint8_t)p->n_keys,
                                    .stream_part = (uint8_t)p->stream_part};
    for (uint32_t i = 0; i < p->n_from; i++) {
        for (uint32_t j = 0; j < p->from[i].n_ops; j++) {
            const struct leat_op *op = &p->from[i].ops[j];
            if (op->field >= LEAT_ROW_FIELDS_MAX || ret->merge[op->field] != LEAT_ROW_SET)
                continue;
            ret->merge[op->field] = (uint8_t)merge_op(op->kind);
            ret->bound[op->field] = (uint16_t)op->bound;
        }
    }
}

void leat_redis_form_text(const struct leat_redis_form *form, const struct leat_shape *shape,
                          struct leat_buf *out)
{
    const uint8_t head[FORM_HEAD] = {FORM_VERSION,
                                     (uint8_t)(form->by_stream | form->ttl << 1),
                                     form->key_parts,
                                     form->stream_part,
                                     (uint8_t)(shape->n_fields & 0xff),
                                     (uint8_t)(shape->n_fields >> 8)};
    leat_buf_put(out, head, sizeof head);
    leat_buf_put(out, form->merge, shape->n_fields);
    for (uint32_t i = 0; i < shape->n_fields; i++) {
        leat_buf_putc(out, (char)(uint8_t)form->bound[i]);
        leat_buf_putc(out, (char)(uint8_t)(form->bound[i] >> 8));
    }
    leat_shape_text(shape, out);
}

bool leat_redis_form_read(struct leat_str text, struct leat_redis_form *ret,
                          struct leat_shape **ret_shape)
{
    const uint8_t *at = (const uint8_t *)text.at;
    if (text.len < FORM_HEAD || at[0] < 1 || at[0] > FORM_VERSION)
        return false;
    uint32_t n = at[4] | (uint32_t)at[5] << 8;
    uint32_t head = FORM_HEAD + (at[0] == 1 ? n : 3 * n);
    if (n > LEAT_ROW_FIELDS_MAX || text.len < head)
        return false;
    *ret = (struct leat_redis_form){.by_stream = (at[1] & 1) != 0,
                                    .ttl = (at[1] & 2) != 0,
                                    .key_parts = at[2],
                                    .stream_part = at[3]};
    memcpy(ret->merge, at + FORM_HEAD, n);
    for (uint32_t i = 0; i < n; i++) {
        const uint8_t *bound = at + FORM_HEAD + n + (size_t)2 * i;
        ret->bound[i] =
            at[0] == 1 ? LEAT_COLLECT_BOUND : (uint16_t)(bound[0] | (uint32_t)bound[1] << 8);
    }
    return leat_shape_of_text((struct leat_str){text.at + head, text.len - head}, ret_shape);
}

/* ---- the checkpoint ---- */

static void put_kinds(const struct leat_column_kinds *kinds, const struct leat_shape *shape,
                      struct leat_buf *out)
{
    for (uint32_t i = 0; i < shape->n_indexes; i++) {
        for (uint32_t j = 0; j < shape->indexes[i].n_columns; j++)
            leat_buf_printf(out, "%02x", kinds->bits[i][j]);
    }
}

void leat_redis_at_text(const struct leat_checkpoint *at, const struct leat_column_kinds *kinds,
                        const struct leat_shape *shape, struct leat_buf *out)
{
    char event[LEAT_UUID_TEXT], store[LEAT_UUID_TEXT];
    leat_uuid_format(&at->event_id, event);
    leat_uuid_format(&at->store_id, store);
    leat_buf_printf(out,
                    "{\"seq\":%lld,\"event\":\"%s\",\"store\":\"%s\",\"offset\":%lld,\"time\":%lld,"
                    "\"kinds\":\"",
                    (long long)at->seq, event, store, (long long)at->next_offset,
                    (long long)at->time_ms);
    put_kinds(kinds, shape, out);
    leat_buf_puts(out, "\"}");
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : 0;
}

static void add_kinds(struct leat_str text, const struct leat_shape *shape,
                      struct leat_column_kinds *kinds)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < shape->n_indexes; i++) {
        for (uint32_t j = 0; j < shape->indexes[i].n_columns && at + 1 < text.len; j++, at += 2)
            kinds->bits[i][j] |= (uint8_t)(hex(text.at[at]) << 4 | hex(text.at[at + 1]));
    }
}

static bool uuid_member(const struct leat_json_token *t, struct leat_uuid *ret)
{
    return t->kind == LEAT_JSON_STRING && leat_uuid_parse(t->text, ret);
}

static bool take_member(const struct leat_json_token *name, const struct leat_json_token *value,
                        const struct leat_shape *shape, struct leat_checkpoint *ret,
                        struct leat_column_kinds *kinds)
{
    if (leat_json_token_is(name, LEAT_STR("seq"))) {
        ret->seq = value->integer;
        return value->kind == LEAT_JSON_INT && ret->seq >= 0;
    }
    if (leat_json_token_is(name, LEAT_STR("offset"))) {
        ret->next_offset = value->integer;
        return value->kind == LEAT_JSON_INT;
    }
    if (leat_json_token_is(name, LEAT_STR("time"))) {
        ret->time_ms = value->integer;
        return value->kind == LEAT_JSON_INT;
    }
    if (leat_json_token_is(name, LEAT_STR("event")))
        return uuid_member(value, &ret->event_id);
    if (leat_json_token_is(name, LEAT_STR("store")))
        return uuid_member(value, &ret->store_id);
    if (leat_json_token_is(name, LEAT_STR("kinds")) && value->kind == LEAT_JSON_STRING)
        add_kinds(value->text, shape, kinds);
    return true;
}

bool leat_redis_at_read(struct leat_str text, const struct leat_shape *shape,
                        struct leat_checkpoint *ret, struct leat_column_kinds *kinds)
{
    struct leat_json_reader in;
    struct leat_json_token name, value;
    struct leat_error ignored = {0};
    memset(ret, 0, sizeof *ret);
    if (text.len == 0)
        return true;
    leat_json_reader_init(&in, text);
    if (leat_json_next(&in, &name, &ignored) != LEAT_OK || name.kind != LEAT_JSON_OBJECT_BEGIN)
        return false;
    for (;;) {
        if (leat_json_next(&in, &name, &ignored) != LEAT_OK)
            return false;
        if (name.kind != LEAT_JSON_KEY)
            return ret->seq > 0;
        if (leat_json_next(&in, &value, &ignored) != LEAT_OK ||
            !take_member(&name, &value, shape, ret, kinds))
            return false;
    }
}

/* ---- scripts ---- */

void leat_redis_run(struct leat_redis *r, leat_redis_script_no no, const struct leat_redis_keys *k,
                    int32_t slice, size_t args)
{
    const struct leat_redis_slice_keys *s = &k->slices[slice];
    leat_redis_script(r, no, 4 + (size_t)k->n_indexes, args);
    leat_redis_arg(r, s->rows);
    leat_redis_arg(r, s->order);
    leat_redis_arg(r, s->skipped);
    leat_redis_arg(r, s->fresh);
    for (uint32_t i = 0; i < k->n_indexes; i++)
        leat_redis_arg(r, s->indexes[i]);
}

leat_redis_found leat_redis_answer(const struct leat_redis_reply *reply, struct leat_str *ret_at)
{
    *ret_at = (struct leat_str){NULL, 0};
    if (leat_redis_count(reply) != 2)
        return LEAT_FOUND_OTHER;
    *ret_at = leat_redis_text(leat_redis_item(reply, 1));
    int64_t code = leat_redis_int(leat_redis_item(reply, 0));
    return code == LEAT_FOUND_SAME || code == LEAT_FOUND_TORN ? (leat_redis_found)code
                                                              : LEAT_FOUND_OTHER;
}
