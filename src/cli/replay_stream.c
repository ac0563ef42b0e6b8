#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/json.h"
#include "cli/replay.h"
#include "cli/show.h"
#include "query/streams.h"
#include "worker/dispatch.h"
#include "worker/registry.h"

#define PAGE_EVENTS     1000
#define STATE_BYTES_MAX ((size_t)8 << 20)
#define LINE_BYTES_MAX  ((size_t)16 << 20)

struct stream_replay {
    const struct leat_replay_options *o;
    struct leat_session s;
    struct leat_replay_end end;
    struct leat_dispatch *dispatch;
    const struct leat_schema *state_schema;
    struct leat_arena *page, *next; /* the state lies in `page`, with the events it borrows from */
    void *state;
    int64_t version;
    bool ended;
    struct leat_buf bytes, json, before, line;
};

static leat_status find_processor(const struct leat_topology *t, const char *stream,
                                  struct leat_str key, const struct leat_processor **ret,
                                  struct leat_error *err)
{
    size_t prefix = (size_t)(key.at - stream);
    for (uint32_t i = 0; i < t->n_processors; i++) {
        const struct leat_aggregate *a = t->processors[i].aggregate;
        if (a != NULL && a->name.len + 1 == prefix && memcmp(a->name.at, stream, prefix - 1) == 0) {
            *ret = &t->processors[i];
            return LEAT_OK;
        }
    }
    return leat_fail(err, LEAT_INVALID, "no processor works on '%.*s': nothing folds its state",
                     (int)prefix - 1, stream);
}

static leat_status open_dispatch(struct stream_replay *r, struct leat_str *ret_key,
                                 struct leat_error *err)
{
    const struct leat_topology *t = r->s.topology;
    const struct leat_processor *p = NULL;
    if (!leat_stream_key(t, leat_str_of(r->o->stream), ret_key)) {
        (void)leat_fail(err, LEAT_INVALID,
                        "'%.100s' is not a stream's id: no aggregate has that name", r->o->stream);
        leat_error_hint(err, "a stream's id is <aggregate>-<key>, as in '%s-…'",
                        t->n_aggregates > 0 ? t->aggregates[0].name.at : "x");
        return LEAT_INVALID;
    }
    leat_status status = find_processor(t, r->o->stream, *ret_key, &p, err);
    if (status != LEAT_OK)
        return status;
    leat_assert(p != NULL);
    r->state_schema = leat_schemas_current(r->s.schemas, p->aggregate->state);
    if (r->state_schema == NULL && p->aggregate->state.len > 0) {
        (void)leat_fail(err, LEAT_INVALID, "the schema of '%.*s' is not registered in the store",
                        LEAT_STR_FMT(p->aggregate->state));
        leat_error_hint(err, "Run `leat apply`: the state is shown by it.");
        return LEAT_INVALID;
    }
    if (r->state_schema == NULL) {
        return leat_fail(err, LEAT_INVALID, "aggregate '%s' declares no state",
                         p->aggregate->name.at);
    }
    LEAT_TRY(leat_modules_load(t, &p->name, 1, err), err, "modules");
    status = leat_dispatch_new(t, p, r->s.schemas, &r->dispatch, err);
    if (status != LEAT_OK && err->hint[0] == 0)
        leat_error_hint(err, "the module is of other schemas than the store has: run `leat apply`");
    return status;
}

/* ---- the state as JSON ---- */

static leat_status state_json(struct stream_replay *r, struct leat_error *err)
{
    leat_buf_clear(&r->bytes);
    leat_buf_clear(&r->json);
    LEAT_TRY(leat_dispatch_state_encode(r->dispatch, r->state, &r->bytes, err), err, "state");
    return leat_schema_to_json(r->state_schema, leat_buf_str(&r->bytes), &r->json, err);
}

/* Where the member's value stands in an object's text; "" when it has none. */
static struct leat_str member(struct leat_str object, struct leat_str name)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    struct leat_str raw = {NULL, 0};
    struct leat_error ignored = {0};
    leat_json_reader_init(&r, object);
    if (object.len == 0 || leat_json_next(&r, &t, &ignored) != LEAT_OK)
        return raw;
    while (leat_json_next(&r, &t, &ignored) == LEAT_OK && t.kind == LEAT_JSON_KEY) {
        bool found = leat_json_token_is(&t, name);
        if (leat_json_skip(&r, &raw, &ignored) != LEAT_OK)
            break;
        if (found)
            return raw;
    }
    return (struct leat_str){NULL, 0};
}

/* The fields that the event changed, as lines. */
static leat_status put_changes(struct stream_replay *r, struct leat_error *err)
{
    struct leat_json_reader reader;
    struct leat_json_token t;
    struct leat_str now = leat_buf_str(&r->json), before = leat_buf_str(&r->before), raw;
    leat_json_reader_init(&reader, now);
    LEAT_TRY(leat_json_next(&reader, &t, err), err, "state");
    for (;;) {
        LEAT_TRY(leat_json_next(&reader, &t, err), err, "state");
        if (t.kind != LEAT_JSON_KEY)
            return LEAT_OK;
        LEAT_TRY(leat_json_skip(&reader, &raw, err), err, "state");
        struct leat_str old = member(before, t.text);
        if (leat_str_eq(old, raw))
            continue;
        leat_buf_printf(&r->line, "        %-20.*s  ", LEAT_STR_FMT(t.text));
        if (old.len > 0) {
            leat_buf_put(&r->line, old.at, old.len);
            leat_buf_puts(&r->line, " -> ");
        }
        leat_buf_put(&r->line, raw.at, raw.len);
        leat_buf_putc(&r->line, '\n');
    }
}

/* ---- output ---- */

static void put_json_line(struct stream_replay *r, const struct leat_stored_event *e)
{
    struct leat_json_writer w;
    char id[LEAT_UUID_TEXT];
    leat_uuid_format(&e->id, id);
    leat_json_writer_init(&w, &r->line);
    leat_json_begin_object(&w);
    leat_json_put_int(&w, "version", e->version);
    leat_json_put_int(&w, "seq", e->seq);
    leat_json_put_str(&w, "type", e->type);
    leat_json_put_cstr(&w, "id", id);
    leat_json_put_int(&w, "recorded_at_ms", e->recorded_at_us / 1000);
    leat_json_key(&w, LEAT_STR("state"));
    leat_json_raw(&w, leat_buf_str(&r->json));
    leat_json_end_object(&w);
    leat_buf_putc(&r->line, '\n');
}

static leat_status print_event(struct stream_replay *r, const struct leat_stored_event *e,
                               struct leat_error *err)
{
    leat_buf_clear(&r->line);
    if (r->o->json) {
        put_json_line(r, e);
    } else if (r->o->at_version > 0) {
        LEAT_TRY(leat_show_object(leat_buf_str(&r->json), &r->line, err), err, "state");
    } else {
        leat_buf_printf(&r->line, "%6" PRId64 "  ", e->version);
        leat_show_time(e->recorded_at_us / 1000, &r->line);
        leat_buf_printf(&r->line, "  %.*s\n", LEAT_STR_FMT(e->type));
        LEAT_TRY(put_changes(r, err), err, "state");
    }
    if (leat_cli_print(&r->line) != LEAT_EXIT_OK)
        return leat_fail(err, LEAT_FATAL, "could not print");
    leat_buf_clear(&r->before);
    leat_buf_put(&r->before, r->json.at, r->json.len);
    return LEAT_OK;
}

/* ---- folding ---- */

static leat_status fold_event(struct stream_replay *r, const struct leat_stored_event *e,
                              struct leat_error *err)
{
    LEAT_TRY(leat_dispatch_fold(r->dispatch, e->type, e->payload, r->page, r->state, err), err,
             "version %lld", (long long)e->version);
    r->version = e->version;
    if (r->o->at_version > 0 && e->version != r->o->at_version)
        return LEAT_OK;
    LEAT_TRY(state_json(r, err), err, "version %lld", (long long)e->version);
    return print_event(r, e, err);
}

/* Texts of the state lie in the page's events: it moves by its bytes, as a cached one does. */
static leat_status move_state(struct stream_replay *r, struct leat_error *err)
{
    struct leat_arena *old = r->page;
    leat_buf_clear(&r->bytes);
    LEAT_TRY(leat_dispatch_state_encode(r->dispatch, r->state, &r->bytes, err), err, "state");
    struct leat_str kept = leat_arena_copy(r->next, leat_buf_str(&r->bytes));
    void *state = leat_dispatch_state_new(r->dispatch, r->next);
    LEAT_TRY(leat_dispatch_state_decode(r->dispatch, kept, r->next, state, err), err, "state");
    r->state = state;
    r->page = r->next;
    r->next = old;
    leat_arena_reset(old);
    return LEAT_OK;
}

static bool is_past_end(const struct stream_replay *r, const struct leat_stored_event *e)
{
    return (r->o->at_version > 0 && e->version > r->o->at_version) ||
           (r->end.until_us > 0 && e->recorded_at_us > r->end.until_us);
}

static leat_status fold_page(struct stream_replay *r, struct leat_store_page *page,
                             struct leat_error *err)
{
    struct leat_stored_event *events = NULL;
    size_t n = 0;
    page->after = r->version;
    LEAT_TRY(leat_store_stream(r->s.store, page, r->page, &events, &n, err), err, "store");
    for (size_t i = 0; i < n && !r->ended; i++) {
        r->ended = is_past_end(r, &events[i]);
        if (!r->ended)
            LEAT_TRY(fold_event(r, &events[i], err), err, "%s", r->o->stream);
    }
    r->ended = r->ended || n < page->limit;
    return r->ended ? LEAT_OK : move_state(r, err);
}

static leat_status replay(struct stream_replay *r, struct leat_error *err)
{
    struct leat_str key;
    leat_status status =
        leat_replay_end_parse(r->o, r->s.topology->partitions, r->s.arena, &r->end, err);
    if (status == LEAT_OK)
        status = open_dispatch(r, &key, err);
    if (status != LEAT_OK)
        return status;
    struct leat_store_page page = {.slice = leat_partition(key, r->s.topology->partitions),
                                   .stream = leat_str_of(r->o->stream),
                                   .limit = PAGE_EVENTS};
    r->state = leat_dispatch_state_new(r->dispatch, r->page);
    while (!r->ended)
        LEAT_TRY(fold_page(r, &page, err), err, "replay");
    if (r->version == 0 && r->end.until_us == 0)
        return leat_fail(err, LEAT_ABSENT, "stream '%.100s' has no events", r->o->stream);
    if (r->version < r->o->at_version) {
        return leat_fail(err, LEAT_ABSENT, "stream '%.100s' is at version %lld", r->o->stream,
                         (long long)r->version);
    }
    return LEAT_OK;
}

static void done(struct stream_replay *r)
{
    leat_dispatch_free(r->dispatch);
    leat_arena_free(r->page);
    leat_arena_free(r->next);
    leat_buf_done(&r->bytes);
    leat_buf_done(&r->json);
    leat_buf_done(&r->before);
    leat_buf_done(&r->line);
    leat_session_close(&r->s);
}

int leat_replay_stream(const struct leat_replay_options *o)
{
    struct stream_replay r = {.o = o};
    struct leat_error err = {0};
    int code = leat_session_open_stored(&r.s, o->topology, o->data);
    if (code != LEAT_EXIT_GO_ON)
        return code;
    r.page = leat_arena_new(65536, (size_t)1 << 20);
    r.next = leat_arena_new(65536, (size_t)1 << 20);
    leat_buf_init(&r.bytes, STATE_BYTES_MAX);
    leat_buf_init(&r.json, LINE_BYTES_MAX);
    leat_buf_init(&r.before, LINE_BYTES_MAX);
    leat_buf_init(&r.line, 2 * LINE_BYTES_MAX);
    code = replay(&r, &err) == LEAT_OK ? LEAT_EXIT_OK : leat_cli_fail(&err);
    done(&r);
    return code;
}
