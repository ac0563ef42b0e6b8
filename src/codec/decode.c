/* decode.c - running a plan over an Avro body. The hot path: nothing is allocated but arrays and
 * maps, strings stay in the input. */
#include "codec/plan.h"
#include "codec/values.h"
#include "codec/wire.h"

struct decode {
    struct leat_wire_in in;
    const struct leat_plan *plan;
    struct leat_arena *arena;
    struct leat_error *err;
    int depth;
};

static leat_status run_steps(struct decode *d, const struct leat_steps *steps, char *base);
static leat_status run_step(struct decode *d, const struct leat_step *step, char *base);

static leat_status __attribute__((noinline))
bad(struct decode *d, const struct leat_step *step, const char *why)
{
    return leat_fail(d->err, LEAT_POISON, "field '%s' at byte %zu: %s", step->name,
                     (size_t)(d->in.at - d->in.start), why);
}

static void run_fallbacks(const struct leat_steps *steps, char *base)
{
    for (uint32_t i = 0; i < steps->fallback_count; i++) {
        const struct leat_fallback *f = &steps->fallback[i];
        memcpy(base + f->offset, f->at, f->size);
        if (f->has_offset >= 0)
            *(bool *)(base + f->has_offset) = true;
    }
}

static leat_status run_enum(struct decode *d, const struct leat_step *step, char *at)
{
    int64_t v = 0;
    if (!leat_wire_long(&d->in, &v) || v < 0 || v >= step->size)
        return bad(d, step, "not an index of the enum");
    int32_t symbol = step->symbols == NULL ? (int32_t)v : step->symbols[v];
    if (symbol < 0)
        return bad(d, step, "the writer's enum symbol is not known here");
    LEAT_STORE(int32_t, at, symbol);
    return LEAT_OK;
}

static leat_status run_block(struct decode *d, const struct leat_step *step, char *item,
                             uint32_t count)
{
    for (uint32_t i = 0; i < count; i++, item += step->size) {
        if (step->code == LEAT_STEP_MAP) {
            struct leat_str key;
            if (!leat_wire_bytes(&d->in, &key) || !leat_wire_utf8(key))
                return bad(d, step, "a key is cut short or not valid UTF-8");
            LEAT_STORE(struct leat_str, item, key);
        }
        leat_status st = run_step(d, step->item, item);
        if (st != LEAT_OK)
            return st;
    }
    return LEAT_OK;
}

static leat_status run_items(struct decode *d, const struct leat_step *step, char *at)
{
    struct leat_items items = {NULL, 0};
    size_t cap = 0;
    if (++d->depth > LEAT_SCHEMA_DEPTH_MAX)
        return bad(d, step, "nested too deeply");
    for (;;) {
        uint32_t count = 0;
        int64_t bytes = -1;
        if (!leat_wire_block(&d->in, step->node, &count, &bytes))
            return bad(d, step, "more items than bytes left");
        if (count == 0)
            break;
        items.at = items.len == 0
                       ? leat_arena_alloc(d->arena, (size_t)count * step->size)
                       : leat_arena_grow(d->arena, items.at, step->size, &cap, items.len + count);
        if (cap < items.len + count)
            cap = items.len + count;
        char *first = (char *)items.at + items.len * step->size;
        memset(first, 0, (size_t)count * step->size);
        leat_status st = run_block(d, step, first, count);
        if (st != LEAT_OK)
            return st;
        items.len += count;
    }
    d->depth--;
    LEAT_STORE(struct leat_items, at, items);
    return LEAT_OK;
}

/* int and long, and what they promote to. */
static leat_status run_integer(struct decode *d, const struct leat_step *step, char *at)
{
    int64_t v = 0;
    if (!leat_wire_long(&d->in, &v))
        return bad(d, step, "number is cut short or too long");
    bool is_int = step->code == LEAT_STEP_INT || step->code == LEAT_STEP_INT_TO_LONG ||
                  step->code == LEAT_STEP_INT_TO_FLOAT || step->code == LEAT_STEP_INT_TO_DOUBLE;
    if (is_int && (v < INT32_MIN || v > INT32_MAX))
        return bad(d, step, "number does not fit an int");
    if (step->code == LEAT_STEP_INT) {
        LEAT_STORE(int32_t, at, (int32_t)v);
    } else if (step->code == LEAT_STEP_INT_TO_LONG) {
        LEAT_STORE(int64_t, at, v);
    } else if (step->code == LEAT_STEP_INT_TO_FLOAT || step->code == LEAT_STEP_LONG_TO_FLOAT) {
        LEAT_STORE(float, at, (float)v);
    } else {
        LEAT_STORE(double, at, (double)v);
    }
    return LEAT_OK;
}

static leat_status run_float(struct decode *d, const struct leat_step *step, char *at)
{
    size_t size = step->code == LEAT_STEP_DOUBLE ? sizeof(double) : sizeof(float);
    float v = 0;
    bool ok =
        leat_wire_raw(&d->in, step->code == LEAT_STEP_FLOAT_TO_DOUBLE ? (void *)&v : at, size);
    if (!ok)
        return bad(d, step, "number is cut short");
    if (step->code == LEAT_STEP_FLOAT_TO_DOUBLE)
        LEAT_STORE(double, at, (double)v);
    return LEAT_OK;
}

static inline leat_status run_string(struct decode *d, const struct leat_step *step, char *at)
{
    struct leat_str s;
    if (!leat_wire_bytes(&d->in, &s))
        return bad(d, step, "longer than the bytes left");
    if (step->code == LEAT_STEP_BYTES && step->size > 0 && s.len > step->size)
        return bad(d, step, "a decimal of too many bytes");
    if (step->code == LEAT_STEP_STRING && !leat_wire_utf8(s))
        return bad(d, step, "not valid UTF-8");
    LEAT_STORE(struct leat_str, at, s);
    return LEAT_OK;
}

static leat_status run_simple(struct decode *d, const struct leat_step *step, char *at)
{
    if (step->code == LEAT_STEP_BOOL)
        return leat_wire_bool(&d->in, (bool *)at) ? LEAT_OK : bad(d, step, "not a boolean");
    if (step->code == LEAT_STEP_FIXED)
        return leat_wire_raw(&d->in, at, step->size) ? LEAT_OK : bad(d, step, "cut short");
    return leat_node_skip(d->plan->writer, step->node, &d->in, d->depth)
               ? LEAT_OK
               : bad(d, step, "not a value of its type");
}

/* Into a union of the struct, or out of a union of the writer's into a field that is none. */
static leat_status run_union(struct decode *d, const struct leat_step *step, char *base)
{
    int64_t v = 0;
    if (step->size > 0 && (!leat_wire_long(&d->in, &v) || v < 0 || v >= step->size))
        return bad(d, step, "not a branch of its union");
    const struct leat_step *branch = &step->branches[v];
    if (branch->code == LEAT_STEP_NO_WAY)
        return bad(d, step, "the writer's branch of the union has no place here");
    if (step->code == LEAT_STEP_BRANCH)
        return run_step(d, branch, base);
    LEAT_STORE(int32_t, base + step->offset, branch->is);
    return run_step(d, branch, base + step->offset);
}

static inline leat_status run_present(struct decode *d, const struct leat_step *step, char *at)
{
    int64_t v = 0;
    switch ((leat_step_code)step->code) {
    case LEAT_STEP_STRING:
    case LEAT_STEP_BYTES:
        return run_string(d, step, at);
    case LEAT_STEP_LONG:
        if (!leat_wire_long(&d->in, &v))
            return bad(d, step, "number is cut short or too long");
        LEAT_STORE(int64_t, at, v);
        return LEAT_OK;
    case LEAT_STEP_INT:
    case LEAT_STEP_INT_TO_LONG:
    case LEAT_STEP_INT_TO_FLOAT:
    case LEAT_STEP_INT_TO_DOUBLE:
    case LEAT_STEP_LONG_TO_FLOAT:
    case LEAT_STEP_LONG_TO_DOUBLE:
        return run_integer(d, step, at);
    case LEAT_STEP_FLOAT:
    case LEAT_STEP_DOUBLE:
    case LEAT_STEP_FLOAT_TO_DOUBLE:
        return run_float(d, step, at);
    case LEAT_STEP_ENUM:
        return run_enum(d, step, at);
    case LEAT_STEP_RECORD:
        return run_steps(d, step->record, at);
    case LEAT_STEP_ARRAY:
    case LEAT_STEP_MAP:
        return run_items(d, step, at);
    case LEAT_STEP_SKIP:
    case LEAT_STEP_BOOL:
    case LEAT_STEP_FIXED:
        return run_simple(d, step, at);
    case LEAT_STEP_NULL:
        return LEAT_OK;
    case LEAT_STEP_UNION:
    case LEAT_STEP_BRANCH:
    case LEAT_STEP_NO_WAY:
        break;
    }
    return bad(d, step, "the writer's type has no place here");
}

/* The branch of a union: *ret_present tells which of the two it was. */
static inline leat_status run_branch(struct decode *d, const struct leat_step *step,
                                     bool *ret_present)
{
    int64_t branch = 0;
    if (!leat_wire_long(&d->in, &branch) || (branch != 0 && branch != 1))
        return bad(d, step, "not a branch of its union");
    *ret_present = branch != step->null_branch;
    if (!*ret_present && step->has_offset < 0)
        return bad(d, step, "is null where a value is needed");
    return LEAT_OK;
}

static leat_status run_step(struct decode *d, const struct leat_step *step, char *base)
{
    bool present = step->code != LEAT_STEP_NULL;
    if (step->code == LEAT_STEP_UNION || step->code == LEAT_STEP_BRANCH)
        return run_union(d, step, base);
    if (step->null_branch != LEAT_NO_UNION) {
        leat_status st = run_branch(d, step, &present);
        if (st != LEAT_OK || !present)
            return st;
    }
    if (step->has_offset >= 0)
        *(bool *)(base + step->has_offset) = present;
    return run_present(d, step, base + step->offset);
}

/* ---- the straight way ----
 * What is well formed and plain is read here, with the position in a register. Everything else (a
 * number of more than eight bytes, text that is not ASCII, the last bytes of the body, what is
 * malformed) is left to run_step(), from the start of the value. */

/* After the value, or NULL: not a matter for here. Asking in turn is foretold better than a jump
 * through a table. */
static inline const uint8_t *fast_value(const struct leat_step *step, const uint8_t *p,
                                        const uint8_t *end, char *at)
{
    const uint32_t fast = step->fast;
    if ((fast & LEAT_FAST_TEXT) != 0)
        return fast == LEAT_FAST_STRING ? leat_read_text(p, end, at) : leat_read_bytes(p, end, at);
    if ((fast & LEAT_FAST_LONG) != 0)
        return leat_read_long(p, end, at);
    if ((fast & LEAT_FAST_WHOLE) != 0)
        return fast == LEAT_FAST_INT ? leat_read_int(p, end, at)
                                     : leat_read_enum(p, end, at, step->size);
    if ((fast & LEAT_FAST_DOUBLE) != 0)
        return leat_read_raw(p, end, at, sizeof(double));
    if ((fast & LEAT_FAST_BOOL) != 0)
        return leat_read_bool(p, end, (bool *)at);
    return NULL;
}

/* Also the branch of a union with null. */
static inline const uint8_t *fast_step(const struct leat_step *step, const uint8_t *p,
                                       const uint8_t *end, char *base)
{
    if (step->has_offset >= 0) {
        bool *has = (bool *)(base + step->has_offset);
        p = step->fast == 0 ? NULL : leat_read_has(p, end, has, step->null_branch);
        if (p == NULL || !*has)
            return p;
    }
    return fast_value(step, p, end, base + step->offset);
}

static leat_status run_straight(struct decode *d, const struct leat_steps *steps, uint32_t from,
                                char *base)
{
    const struct leat_step *last = steps->at + steps->count;
    const uint8_t *p = d->in.at;
    const uint8_t *const end = d->in.end;
    for (const struct leat_step *step = steps->at + from; step < last; step++) {
        const uint8_t *next = fast_step(step, p, end, base);
        if (__builtin_expect(next == NULL, 0)) {
            d->in.at = p;
            leat_status st = run_step(d, step, base);
            if (__builtin_expect(st != LEAT_OK, 0))
                return st;
            next = d->in.at;
        }
        p = next;
    }
    d->in.at = p;
    return LEAT_OK;
}

/* The struct's own function, and run_step() for each value that it leaves. */
static leat_status run_own(struct decode *d, const struct leat_steps *steps, char *base)
{
    uint32_t i = 0;
    while ((i = steps->read(&d->in.at, d->in.end, i, base)) < steps->read_count) {
        leat_status st = run_step(d, &steps->at[i], base);
        if (__builtin_expect(st != LEAT_OK, 0))
            return st;
        i++;
    }
    return LEAT_OK;
}

static leat_status run_steps(struct decode *d, const struct leat_steps *steps, char *base)
{
    leat_status st = LEAT_OK;
    if (++d->depth > LEAT_SCHEMA_DEPTH_MAX)
        return leat_fail(d->err, LEAT_POISON, "records are nested too deeply");
    if (steps->read != NULL)
        st = run_own(d, steps, base);
    if (st == LEAT_OK && steps->read_count < steps->count)
        st = run_straight(d, steps, steps->read_count, base);
    if (__builtin_expect(st != LEAT_OK, 0))
        return st;
    d->depth--;
    if (steps->fallback_count > 0)
        run_fallbacks(steps, base);
    return LEAT_OK;
}

leat_status leat_decode_avro(const struct leat_plan *plan, struct leat_str body,
                             struct leat_arena *arena, void *value, struct leat_error *err)
{
    struct decode d = {.in = leat_wire_in_of(body), .plan = plan, .arena = arena, .err = err};
    memset(value, 0, plan->type->size);
    leat_status st = run_steps(&d, plan->top, value);
    if (st == LEAT_OK && d.in.at != d.in.end) {
        st = leat_fail(err, LEAT_POISON, "%zu bytes are left after the last field",
                       leat_wire_left(&d.in));
    }
    if (st != LEAT_OK)
        leat_error_wrap(err, "could not decode %s", plan->type->name);
    return st;
}
