/* schemas.c - the set of schemas. Readers take no lock: entries are immutable once published,
 * tables are replaced when they grow and the old ones kept until the end. */
#include "codec/schemas.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/json.h"
#include "codec/schemas_file.h"

#define SLOTS_MIN 64

struct entry {
    uint64_t hash;
    struct entry *older; /* all entries of a map, newest first */
};

struct slots {
    size_t cap; /* a power of two, at most half full */
    struct slots *older;
    _Atomic(struct entry *) at[];
};

struct map {
    _Atomic(struct slots *) slots;
    struct entry *newest;
    _Atomic size_t count;
};

struct current { /* replaced as a whole: id, text and schema always belong together */
    const struct leat_schema *schema;
    struct leat_str text;
    int32_t id;
};

struct type_entry {
    struct entry entry;
    struct leat_str name;
    bool from_file;
    _Atomic(const struct current *) current;
};

struct id_entry {
    struct entry entry;
    int32_t id;
    struct leat_str text;
    struct leat_schema *schema;
};

struct plan_entry {
    struct entry entry;
    int32_t id;
    const struct leat_type *type;
    struct leat_plan *plan;
};

struct owned_schema { /* parsed from files; those of rows belong to their entries */
    struct leat_schema *schema;
    struct owned_schema *next;
};

struct leat_schemas {
    struct map types, ids, plans;
    struct leat_arena *arena; /* names and texts; under the lock */
    struct owned_schema *owned;
    pthread_mutex_t lock; /* of every change */
};

/* ---- maps ---- */

static struct entry *first_at(const struct map *m, uint64_t hash, size_t *cursor)
{
    const struct slots *s = atomic_load_explicit(&m->slots, memory_order_acquire);
    for (size_t i = *cursor; s != NULL && i < s->cap; i++) {
        struct entry *e =
            atomic_load_explicit(&s->at[(hash + i) & (s->cap - 1)], memory_order_acquire);
        if (e == NULL)
            return NULL;
        if (e->hash == hash) {
            *cursor = i + 1;
            return e;
        }
    }
    return NULL;
}

static void place(struct slots *s, struct entry *e)
{
    size_t i = e->hash & (s->cap - 1);
    while (atomic_load_explicit(&s->at[i], memory_order_relaxed) != NULL)
        i = (i + 1) & (s->cap - 1);
    atomic_store_explicit(&s->at[i], e, memory_order_release);
}

static void insert(struct map *m, struct entry *e)
{
    struct slots *s = atomic_load_explicit(&m->slots, memory_order_relaxed);
    size_t count = atomic_load_explicit(&m->count, memory_order_relaxed);
    e->older = m->newest;
    m->newest = e;
    if (s != NULL && (count + 1) * 2 <= s->cap) {
        place(s, e);
    } else {
        size_t cap = s == NULL ? SLOTS_MIN : s->cap * 2;
        struct slots *grown = calloc(1, sizeof *grown + cap * sizeof grown->at[0]);
        leat_assert(grown != NULL);
        grown->cap = cap;
        grown->older = s;
        for (struct entry *old = m->newest; old != NULL; old = old->older)
            place(grown, old);
        atomic_store_explicit(&m->slots, grown, memory_order_release);
    }
    atomic_store_explicit(&m->count, count + 1, memory_order_release);
}

static void map_done(struct map *m, void (*done)(struct entry *))
{
    for (struct entry *e = m->newest; e != NULL;) {
        struct entry *older = e->older;
        done(e);
        free(e);
        e = older;
    }
    for (struct slots *s = m->slots; s != NULL;) {
        struct slots *older = s->older;
        free(s);
        s = older;
    }
}

static uint64_t hash_of_id(int32_t id)
{
    return (uint64_t)(uint32_t)id * UINT64_C(0x9e3779b97f4a7c15) >> 20;
}

static uint64_t hash_of_plan(int32_t id, const struct leat_type *type)
{
    return (((uint64_t)(uintptr_t)type >> 4) + (uint64_t)(uint32_t)id * 31) *
               UINT64_C(0x9e3779b97f4a7c15) >>
           20;
}

static struct type_entry *find_type(const struct leat_schemas *s, struct leat_str name)
{
    uint64_t hash = leat_hash64(name.at, name.len, 0);
    size_t cursor = 0;
    for (struct entry *e; (e = first_at(&s->types, hash, &cursor)) != NULL;) {
        struct type_entry *t = (struct type_entry *)e;
        if (leat_str_eq(t->name, name))
            return t;
    }
    return NULL;
}

static struct id_entry *find_id(const struct leat_schemas *s, int32_t id)
{
    size_t cursor = 0;
    for (struct entry *e; (e = first_at(&s->ids, hash_of_id(id), &cursor)) != NULL;) {
        struct id_entry *i = (struct id_entry *)e;
        if (i->id == id)
            return i;
    }
    return NULL;
}

static const struct leat_plan *find_plan(const struct leat_schemas *s, int32_t id,
                                         const struct leat_type *type)
{
    size_t cursor = 0;
    uint64_t hash = hash_of_plan(id, type);
    for (struct entry *e; (e = first_at(&s->plans, hash, &cursor)) != NULL;) {
        const struct plan_entry *p = (const struct plan_entry *)e;
        if (p->id == id && p->type == type)
            return p->plan;
    }
    return NULL;
}

/* ---- making ---- */

struct leat_schemas *leat_schemas_new(void)
{
    struct leat_schemas *s = calloc(1, sizeof *s);
    leat_assert(s != NULL);
    s->arena = leat_arena_new(16384, 0);
    (void)pthread_mutex_init(&s->lock, NULL);
    return s;
}

static void type_done(struct entry *e)
{
    (void)e;
}

static void id_done(struct entry *e)
{
    leat_schema_free(((struct id_entry *)e)->schema);
}

static void plan_done(struct entry *e)
{
    leat_plan_free(((struct plan_entry *)e)->plan);
}

void leat_schemas_free(struct leat_schemas *s)
{
    if (s == NULL)
        return;
    map_done(&s->plans, plan_done);
    map_done(&s->ids, id_done);
    map_done(&s->types, type_done);
    for (struct owned_schema *o = s->owned; o != NULL;) {
        struct owned_schema *next = o->next;
        leat_schema_free(o->schema);
        free(o);
        o = next;
    }
    leat_arena_free(s->arena);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

static struct type_entry *add_type(struct leat_schemas *s, struct leat_str name)
{
    struct type_entry *t = calloc(1, sizeof *t);
    leat_assert(t != NULL);
    t->name = (struct leat_str){leat_arena_cstr(s->arena, name), name.len};
    t->entry.hash = leat_hash64(name.at, name.len, 0);
    return t;
}

static void set_current(struct leat_schemas *s, struct type_entry *t,
                        const struct leat_schema *schema, struct leat_str text, int32_t id)
{
    struct current *c = leat_arena_alloc(s->arena, sizeof *c);
    *c = (struct current){schema, text, id};
    atomic_store_explicit(&t->current, c, memory_order_release);
}

static const struct current *current_of(const struct type_entry *t)
{
    return atomic_load_explicit(&t->current, memory_order_acquire);
}

static int32_t id_with_text(const struct leat_schemas *s, struct leat_str text)
{
    for (const struct entry *e = s->ids.newest; e != NULL; e = e->older) {
        const struct id_entry *i = (const struct id_entry *)e;
        if (leat_str_eq(i->text, text))
            return i->id;
    }
    return 0;
}

static void keep_file(struct leat_schemas *s, struct leat_str name, struct leat_schema *schema,
                      struct leat_str text)
{
    struct owned_schema *o = calloc(1, sizeof *o);
    leat_assert(o != NULL);
    *o = (struct owned_schema){schema, s->owned};
    s->owned = o;
    text = (struct leat_str){leat_arena_cstr(s->arena, text), text.len};
    struct type_entry *t = find_type(s, name);
    bool is_new = t == NULL;
    if (is_new)
        t = add_type(s, name);
    t->from_file = true;
    set_current(s, t, schema, text, id_with_text(s, text));
    if (is_new)
        insert(&s->types, &t->entry);
}

leat_status leat_schemas_load_file(struct leat_schemas *s, const char *const *dirs,
                                   size_t dir_count, struct leat_str type, struct leat_error *err)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, LEAT_SCHEMA_FILE_MAX);
    leat_status st = leat_schema_read_file(dirs, dir_count, type, &text, err);
    if (st != LEAT_OK)
        return st;
    struct leat_schema *schema = NULL;
    st = leat_schema_parse(leat_buf_str(&text), &schema, err);
    if (st != LEAT_OK) {
        leat_error_wrap(err, "could not read schema file '%.*s.avsc'", LEAT_STR_FMT(type));
        return st;
    }
    if (!leat_str_eq(leat_str_of(leat_schema_name(schema)), type)) {
        st = leat_fail(err, LEAT_INVALID, "schema file '%.*s.avsc' defines '%s'",
                       LEAT_STR_FMT(type), leat_schema_name(schema));
        leat_schema_free(schema);
        return st;
    }
    (void)pthread_mutex_lock(&s->lock);
    keep_file(s, type, schema, leat_buf_str(&text));
    (void)pthread_mutex_unlock(&s->lock);
    return LEAT_OK;
}

static void keep_row(struct leat_schemas *s, struct id_entry *row, struct leat_str subject)
{
    insert(&s->ids, &row->entry);
    struct type_entry *t = find_type(s, subject);
    if (t == NULL) {
        t = add_type(s, subject);
        set_current(s, t, row->schema, row->text, row->id);
        insert(&s->types, &t->entry);
        return;
    }
    const struct current *c = current_of(t);
    if (row->id > c->id && !t->from_file)
        set_current(s, t, row->schema, row->text, row->id);
    else if (row->id > c->id && leat_str_eq(c->text, row->text))
        set_current(s, t, c->schema, c->text, row->id);
}

static leat_status put_locked(struct leat_schemas *s, int32_t id, struct leat_str subject,
                              struct leat_str text, struct leat_error *err)
{
    const struct id_entry *known = find_id(s, id);
    if (known != NULL && leat_str_eq(known->text, text))
        return LEAT_OK;
    if (known != NULL)
        return leat_fail(err, LEAT_INVALID, "schema id %d has two texts", id);
    struct leat_schema *schema = NULL;
    LEAT_TRY(leat_schema_parse(text, &schema, err), err, "schema id %d of '%.*s'", id,
             LEAT_STR_FMT(subject));
    struct id_entry *row = calloc(1, sizeof *row);
    leat_assert(row != NULL);
    row->entry.hash = hash_of_id(id);
    row->id = id;
    row->text = (struct leat_str){leat_arena_cstr(s->arena, text), text.len};
    row->schema = schema;
    keep_row(s, row, subject);
    return LEAT_OK;
}

leat_status leat_schemas_put(struct leat_schemas *s, int32_t id, struct leat_str subject,
                             struct leat_str text, struct leat_error *err)
{
    if (id <= 0)
        return leat_fail(err, LEAT_INVALID, "schema id %d is not positive", id);
    (void)pthread_mutex_lock(&s->lock);
    leat_status st = put_locked(s, id, subject, text, err);
    (void)pthread_mutex_unlock(&s->lock);
    return st;
}

/* ---- reading ---- */

bool leat_schemas_at(const struct leat_schemas *s, size_t index, struct leat_str *ret_type)
{
    const struct slots *slots = atomic_load_explicit(&s->types.slots, memory_order_acquire);
    for (size_t i = 0; slots != NULL && i < slots->cap; i++) {
        const struct entry *e = atomic_load_explicit(&slots->at[i], memory_order_acquire);
        if (e == NULL || index-- != 0)
            continue;
        *ret_type = ((const struct type_entry *)e)->name;
        return true;
    }
    return false;
}

const struct leat_schema *leat_schemas_by_id(const struct leat_schemas *s, int32_t id)
{
    const struct id_entry *e = find_id(s, id);
    return e == NULL ? NULL : e->schema;
}

const struct leat_schema *leat_schemas_current(const struct leat_schemas *s, struct leat_str type)
{
    const struct type_entry *t = find_type(s, type);
    return t == NULL ? NULL : current_of(t)->schema;
}

int32_t leat_schemas_id(const struct leat_schemas *s, struct leat_str type)
{
    const struct type_entry *t = find_type(s, type);
    return t == NULL ? 0 : current_of(t)->id;
}

struct leat_str leat_schemas_text(const struct leat_schemas *s, struct leat_str type)
{
    const struct type_entry *t = find_type(s, type);
    return t == NULL ? (struct leat_str){"", 0} : current_of(t)->text;
}

static leat_status plan_locked(struct leat_schemas *s, int32_t id, const struct leat_type *type,
                               const struct leat_plan **ret, struct leat_error *err)
{
    *ret = find_plan(s, id, type);
    if (*ret != NULL)
        return LEAT_OK;
    const struct leat_schema *writer = leat_schemas_by_id(s, id);
    if (writer == NULL)
        return leat_fail(err, LEAT_ABSENT, "schema id %d is not known", id);
    struct leat_plan *plan = NULL;
    LEAT_TRY(leat_plan_new(writer, type, &plan, err), err, "schema id %d", id);
    struct plan_entry *e = calloc(1, sizeof *e);
    leat_assert(e != NULL);
    *e = (struct plan_entry){{hash_of_plan(id, type), NULL}, id, type, plan};
    insert(&s->plans, &e->entry);
    *ret = plan;
    return LEAT_OK;
}

/* From schema `id` into the struct, compiled on first use. */
static leat_status plan_of(struct leat_schemas *s, int32_t id, const struct leat_type *type,
                           const struct leat_plan **ret, struct leat_error *err)
{
    const struct leat_plan *plan = find_plan(s, id, type);
    leat_status st = LEAT_OK;
    if (plan == NULL) {
        (void)pthread_mutex_lock(&s->lock);
        st = plan_locked(s, id, type, &plan, err);
        (void)pthread_mutex_unlock(&s->lock);
    }
    if (st == LEAT_OK)
        *ret = plan;
    return st;
}

leat_status leat_schemas_decode(struct leat_schemas *s, const struct leat_type *type,
                                struct leat_str bytes, struct leat_arena *arena, void *value,
                                struct leat_error *err)
{
    int32_t id = 0;
    struct leat_str body;
    if (!leat_framing_split(bytes, &id, &body))
        return leat_decode_json(type, bytes, arena, value, err);
    const struct leat_plan *plan = NULL;
    leat_status st = plan_of(s, id, type, &plan, err);
    return st == LEAT_OK ? leat_decode_avro(plan, body, arena, value, err) : st;
}

static leat_status copy_json(struct leat_str json, struct leat_buf *out, struct leat_error *err)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, json);
    leat_status st = leat_json_skip(&r, NULL, err);
    if (st == LEAT_OK)
        st = leat_json_next(&r, &t, err);
    if (st != LEAT_OK)
        return st;
    leat_buf_put(out, json.at, json.len);
    return out->overflow ? leat_fail(err, LEAT_POISON,
                                     "value is larger than the limit of %zu bytes", out->max)
                         : LEAT_OK;
}

leat_status leat_schemas_to_json(const struct leat_schemas *s, struct leat_str bytes,
                                 struct leat_buf *out, struct leat_error *err)
{
    int32_t id = 0;
    struct leat_str body;
    if (!leat_framing_split(bytes, &id, &body))
        return copy_json(bytes, out, err);
    const struct leat_schema *schema = leat_schemas_by_id(s, id);
    if (schema == NULL)
        return leat_fail(err, LEAT_ABSENT, "schema id %d is not known", id);
    return leat_schema_to_json(schema, body, out, err);
}

leat_status leat_schemas_from_json(const struct leat_schemas *s, struct leat_str type, bool avro,
                                   struct leat_str json, struct leat_buf *out,
                                   struct leat_error *err)
{
    const struct type_entry *t = find_type(s, type);
    if (t == NULL)
        return leat_fail(err, LEAT_ABSENT, "type '%.*s' has no schema", LEAT_STR_FMT(type));
    const struct current *c = current_of(t);
    size_t start = out->len;
    if (avro && c->id == 0) {
        (void)leat_fail(err, LEAT_INVALID, "the schema of '%.*s' is not registered in the store",
                        LEAT_STR_FMT(type));
        leat_error_hint(err, "Run 'leat apply' first.");
        return LEAT_INVALID;
    }
    if (avro)
        leat_framing_put(out, c->id);
    leat_status st = leat_schema_from_json(c->schema, json, out, err);
    if (st == LEAT_OK && avro)
        return LEAT_OK;
    out->len = start; /* JSON travels as it was written: encoding only checked it */
    return st == LEAT_OK ? copy_json(json, out, err) : st;
}
