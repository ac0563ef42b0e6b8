/* plan_schemas.c - types beside what the store has registered and holds: a change must leave
 * everything readable that was ever written, and events readable to who still has the old form. */
#include "base/json.h"
#include "cli/plan.h"
#include "codec/compare.h"

#define JSON_BYTES_MAX ((size_t)4 << 20)

static bool is_state(const struct leat_topology *t, struct leat_str type)
{
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        if (leat_str_eq(t->aggregates[i].state, type))
            return true;
    }
    return false;
}

/* Why who still has the form of `id` could not read new events, and the way there in two steps. */
static const char *unreadable(struct leat_change_plan *p, int32_t id, const char *why)
{
    const char *symbol = strstr(why, "symbol '");
    const char *end = strstr(why, " is not known to the reader");
    if (symbol != NULL && end > symbol)
        return leat_arena_printf(p->s.arena,
                                 "%.*sreaders with id %d do not know %.*s: give the enum a default "
                                 "and apply, add the symbol in a later version; they then see it "
                                 "as the default",
                                 (int)(symbol - why), why, id, (int)(end - symbol), symbol);
    bool removed = strstr(why, "no default") != NULL;
    return leat_arena_printf(
        p->s.arena, "who reads with id %d could not read new events: %s%s", id, why,
        removed ? "; give it a default in one version, take it away in the next" : "");
}

/* NULL: the type's file goes together with what was written by the row's text. */
static const char *judge(struct leat_change_plan *p, struct leat_str type,
                         const struct leat_schema_row *row, bool newest)
{
    const struct leat_schema *now = leat_schemas_current(p->s.schemas, type);
    const struct leat_schema *old = leat_schemas_by_id(p->s.schemas, row->id);
    bool event = leat_topology_emitter(p->s.topology, type) != NULL;
    struct leat_error err = {0};
    if (leat_schema_reads(now, old, &err) != LEAT_OK)
        return leat_arena_printf(p->s.arena,
                                 "%s written under id %d could not be read any more: %s%s",
                                 event ? "events" : "commands", row->id, err.msg,
                                 strstr(err.msg, "no default") != NULL ? "; give it one" : "");
    if (event && newest && leat_schema_reads(old, now, &err) != LEAT_OK)
        return unreadable(p, row->id, err.msg);
    return NULL;
}

/* The new form must read all earlier ones; only the last of these needs to read it. */
static const char *judge_all(struct leat_change_plan *p, struct leat_str type,
                             const struct leat_schema_row *rows, size_t n, int32_t newest)
{
    const char *why = NULL;
    if (is_state(p->s.topology, type))
        return NULL; /* kept for speed alone */
    for (size_t i = n; i > 0 && why == NULL; i--) {
        if (leat_str_eq(rows[i - 1].subject, type))
            why = judge(p, type, &rows[i - 1], rows[i - 1].id == newest);
    }
    return why;
}

static void plan_type(struct leat_change_plan *p, struct leat_str type,
                      const struct leat_schema_row *rows, size_t n)
{
    const struct leat_schema_row *newest = NULL;
    for (size_t i = 0; i < n; i++) {
        if (leat_str_eq(rows[i].subject, type))
            newest = &rows[i];
    }
    if (newest == NULL) {
        leat_change_plan_add(p, LEAT_PLAN_SCHEMAS, LEAT_PLAN_MAKE, type.at, "new");
        return;
    }
    if (leat_str_eq(newest->text, leat_schemas_text(p->s.schemas, type)))
        return;
    const char *why = judge_all(p, type, rows, n, newest->id);
    if (why != NULL)
        leat_change_plan_add(p, LEAT_PLAN_SCHEMAS, LEAT_PLAN_REFUSE, type.at, why);
    else
        leat_change_plan_add(
            p, LEAT_PLAN_SCHEMAS, LEAT_PLAN_CHANGE, type.at,
            is_state(p->s.topology, type)
                ? "changed: states kept under the old form are made anew"
                : leat_arena_printf(p->s.arena,
                                    "changed: reads all that was written before (id %d)",
                                    newest->id));
}

/* --- keys of aggregates --- */

/* The text of a field of an event, empty when it has none such. */
static struct leat_str field_of(struct leat_change_plan *p, const struct leat_sample *e,
                                struct leat_str field)
{
    struct leat_json_token t;
    struct leat_str ret = {"", 0};
    LEAT_AUTO(leat_buf_done) struct leat_buf json;
    leat_buf_init(&json, JSON_BYTES_MAX);
    if (leat_schemas_to_json(p->s.schemas, e->payload, &json, NULL) != LEAT_OK ||
        leat_json_find(leat_buf_str(&json), field, &t, NULL, NULL) != LEAT_OK)
        return ret;
    if (t.kind == LEAT_JSON_STRING)
        ret = leat_json_unescape(&t, p->s.arena);
    else if (t.kind == LEAT_JSON_INT)
        ret = t.text;
    return leat_arena_copy(p->s.arena, ret);
}

/* Events know what they were keyed by: their stream is "<aggregate>-<key>". */
static void plan_key(struct leat_change_plan *p, const struct leat_aggregate *a)
{
    const struct leat_pending *have = &p->pending;
    for (size_t i = 0; i < have->sample_count; i++) {
        const struct leat_sample *e = &have->samples[i];
        if (e->stream.len <= a->name.len || e->stream.at[a->name.len] != '-' ||
            memcmp(e->stream.at, a->name.at, a->name.len) != 0)
            continue;
        struct leat_str key = {e->stream.at + a->name.len + 1, e->stream.len - a->name.len - 1};
        struct leat_str is = field_of(p, e, a->key);
        if (leat_topology_emitter(p->s.topology, e->type) != a || is.len == 0 ||
            leat_str_eq(is, key))
            continue;
        leat_change_plan_add(
            p, LEAT_PLAN_SCHEMAS, LEAT_PLAN_REFUSE,
            leat_arena_printf(p->s.arena, "aggregate %s", a->name.at),
            leat_arena_printf(p->s.arena,
                              "its streams were keyed by another field than '%s': an event %.*s "
                              "with %s '%.*s' is in stream '%.*s'; give the aggregate another name",
                              a->key.at, LEAT_STR_FMT(e->type), a->key.at, LEAT_STR_FMT(is),
                              LEAT_STR_FMT(e->stream)));
        return;
    }
}

leat_status leat_plan_schemas(struct leat_change_plan *p, struct leat_error *err)
{
    struct leat_schema_row *rows = NULL;
    size_t n = 0;
    leat_status st = LEAT_OK;
    if (p->pending.partitions > 0)
        st = leat_store_schemas(p->s.store, p->s.arena, &rows, &n, err);
    for (size_t i = 0; i < n && st == LEAT_OK; i++)
        st = leat_schemas_put(p->s.schemas, rows[i].id, rows[i].subject, rows[i].text, err);
    if (st != LEAT_OK)
        return st;
    struct leat_names types = leat_topology_types(p->s.topology, p->s.arena);
    for (uint32_t i = 0; i < types.n; i++)
        plan_type(p, types.at[i], rows, n);
    for (uint32_t i = 0; i < p->s.topology->n_aggregates; i++)
        plan_key(p, &p->s.topology->aggregates[i]);
    return LEAT_OK;
}
