#include <string.h>

#include "query/streams.h"

static void put_id(struct leat_json_writer *w, const char *name, const struct leat_uuid *id)
{
    char text[LEAT_UUID_TEXT];
    leat_uuid_format(id, text);
    leat_json_put_cstr(w, name, text);
}

leat_status leat_command_events(struct leat_store *store, struct leat_schemas *schemas,
                                struct leat_arena *arena, struct leat_command_view *v,
                                struct leat_error *err)
{
    struct leat_error ignored = {0};
    struct leat_store_page page = {.slice = v->status.slice,
                                   .after = v->status.first_seq - 1,
                                   .upto = v->status.last_seq,
                                   .limit = LEAT_COMMAND_EVENTS_SHOWN};
    struct leat_stored_event *all = NULL;
    size_t n = 0;
    v->n = 0;
    if (!leat_str_eq(v->status.outcome, LEAT_STR("accepted")))
        return LEAT_OK;
    LEAT_TRY(leat_store_slice(store, &page, arena, &all, &n, err), err, "events");
    if (!leat_schemas_know(schemas, all, n))
        (void)!leat_schemas_refresh(schemas, store, arena, &ignored);
    v->events = all;
    for (size_t i = 0; i < n; i++) { /* one without events has the head at its commit as its seqs */
        if (leat_uuid_eq(&all[i].command_id, &v->status.id))
            all[v->n++] = all[i];
    }
    return LEAT_OK;
}

static void put_times(const struct leat_command_status *st, struct leat_json_writer *w)
{
    int64_t us = st->finished_at_us - st->received_at_us;
    leat_json_put_int(w, "received_at", st->received_at_us / 1000);
    if (leat_command_waits(st)) {
        leat_json_put_str(w, "waits", st->waits);
        leat_json_put_int(w, "attempts", st->attempts);
        leat_json_key(w, LEAT_STR("due_at"));
        if (st->due_at_us > 0)
            leat_json_int(w, st->due_at_us / 1000);
        else
            leat_json_null(w);
        return;
    }
    leat_json_put_int(w, "finished_at", st->finished_at_us / 1000);
    leat_json_put_int(w, "wait_ms", us > 0 ? us / 1000 : 0);
}

static void put_position(const struct leat_command_status *st, struct leat_json_writer *w)
{
    leat_json_key(w, LEAT_STR("position"));
    leat_json_begin_object(w);
    put_id(w, "store_id", &st->store_id);
    leat_json_put_int(w, "slice", st->slice);
    leat_json_put_int(w, "seq", st->last_seq);
    leat_json_end_object(w);
}

void leat_command_json(const struct leat_schemas *schemas, const struct leat_command_view *v,
                       struct leat_json_writer *w)
{
    const struct leat_command_status *st = &v->status;
    leat_json_begin_object(w);
    put_id(w, "id", &st->id);
    leat_json_put_str(w, "type", st->type);
    leat_json_put_str(w, "processor", st->processor);
    if (!leat_command_waits(st))
        leat_json_put_str(w, "stream", st->stream);
    leat_json_put_str(w, "outcome", st->outcome);
    if (st->error_code.len > 0)
        leat_json_put_str(w, "error_code", st->error_code);
    if (st->error_text.len > 0)
        leat_json_put_str(w, "error_text", st->error_text);
    put_times(st, w);
    leat_json_key(w, LEAT_STR("events"));
    leat_json_begin_array(w);
    for (size_t i = 0; i < v->n; i++)
        leat_event_json(schemas, &v->events[i], w);
    leat_json_end_array(w);
    if (!leat_command_waits(st))
        put_position(st, w);
    leat_json_end_object(w);
}

void leat_command_sent_json(struct leat_str type, const struct leat_uuid *id,
                            struct leat_str processor, int32_t slice, struct leat_json_writer *w)
{
    leat_json_begin_object(w);
    put_id(w, "id", id);
    leat_json_put_str(w, "type", type);
    leat_json_put_str(w, "processor", processor);
    leat_json_put_int(w, "slice", slice);
    leat_json_put_cstr(w, "outcome", "sent");
    leat_json_end_object(w);
}
