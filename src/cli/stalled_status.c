/* `leat status`: lanes that stand still, as the process behind the HTTP door tells, and partitions
 * that nobody has. */
#include <stdio.h>

#include "base/clock.h"
#include "cli/stalled.h"

#define STALLED_BYTES (1u << 20)

/* ---- partitions without a process ---- */

static bool has_owner(const struct leat_status_group *g, int32_t k)
{
    for (size_t i = 0; i < g->members.n; i++)
        for (size_t j = 0; j < g->members.members[i].n; j++)
            if (g->members.members[i].partitions[j] == k)
                return true;
    return false;
}

static const struct leat_status_group *group_of(const struct leat_status_view *v, const char *name)
{
    for (size_t i = 0; i + 1 < v->n_groups; i++)
        if (strcmp(v->groups[i].name, name) == 0)
            return &v->groups[i];
    return NULL;
}

static bool is_orphan(const struct leat_status_view *v, const struct leat_lag_row *row)
{
    bool lane = row->kind == LEAT_LAG_LANE || row->kind == LEAT_LAG_SOURCE;
    const struct leat_status_group *g = lane && row->waiting > 0 ? group_of(v, row->name) : NULL;
    return g != NULL && g->unknown == NULL &&
           !has_owner(g, row->partition % v->s->topology->partitions);
}

static void put_orphan(const struct leat_status_view *v, const struct leat_lag_row *row,
                       struct leat_json_writer *w)
{
    char text[LEAT_STALLED_TEXT], since[32];
    const struct leat_status_group *g = group_of(v, row->name);
    int64_t age_ms = row->age_ms == LEAT_AGE_UNKNOWN ? 0 : row->age_ms;
    (void)snprintf(text, sizeof text, "not assigned: %s",
                   g->members.n == 0 ? "nothing runs its processor"
                                     : "no member of its group has it");
    leat_stalled_time(leat_now_ms() - age_ms, since);
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "processor", row->name);
    leat_json_put_cstr(w, "topic", row->topic);
    leat_json_put_int(w, "partition", row->partition);
    leat_json_put_int(w, "lag", row->waiting);
    leat_json_put_cstr(w, "since", since);
    leat_json_put_int(w, "stalled_ms", age_ms);
    leat_json_put_cstr(w, "reason", leat_stall_name(LEAT_STALL_NOT_ASSIGNED));
    leat_json_put_cstr(w, "text", text);
    leat_json_end_object(w);
}

/* ---- all of them ---- */

static void put_told(struct leat_str array, struct leat_json_writer *w)
{
    struct leat_json_reader r;
    struct leat_json_token t = {0};
    struct leat_error err = {0};
    struct leat_str raw;
    leat_json_reader_init(&r, array);
    if (array.len == 0 || leat_json_next(&r, &t, &err) != LEAT_OK ||
        t.kind != LEAT_JSON_ARRAY_BEGIN)
        return;
    while (leat_json_skip(&r, &raw, &err) == LEAT_OK && raw.at[0] != ']')
        leat_json_raw(w, raw);
}

void leat_stalled_collect(struct leat_status_view *v)
{
    struct leat_json_writer w;
    LEAT_AUTO(leat_buf_done) struct leat_buf out;
    leat_buf_init(&out, STALLED_BYTES);
    leat_json_writer_init(&w, &out);
    leat_json_begin_array(&w);
    put_told(v->door.stalled, &w);
    for (size_t i = 0; i < v->lag.n; i++)
        if (is_orphan(v, &v->lag.rows[i]))
            put_orphan(v, &v->lag.rows[i], &w);
    leat_json_end_array(&w);
    v->stalled = leat_arena_copy(v->s->arena, out.overflow ? LEAT_STR("[]") : leat_buf_str(&out));
}

/* ---- text ---- */

static struct leat_str member(const struct leat_status_view *v, struct leat_str object,
                              const char *name)
{
    struct leat_json_token t = {0};
    struct leat_error err = {0};
    if (leat_json_find(object, leat_str_of(name), &t, NULL, &err) != LEAT_OK)
        return LEAT_STR("?");
    return t.kind == LEAT_JSON_STRING ? leat_json_unescape(&t, v->s->arena)
           : t.kind == LEAT_JSON_INT  ? t.text
                                      : LEAT_STR("?");
}

static void put_line(const struct leat_status_view *v, struct leat_str object, struct leat_buf *out)
{
    leat_buf_printf(
        out, "  %-20.*s %.*s[%.*s]  lag %.*s  since %.*s\n    %.*s\n",
        LEAT_STR_FMT(member(v, object, "processor")), LEAT_STR_FMT(member(v, object, "topic")),
        LEAT_STR_FMT(member(v, object, "partition")), LEAT_STR_FMT(member(v, object, "lag")),
        LEAT_STR_FMT(member(v, object, "since")), LEAT_STR_FMT(member(v, object, "text")));
}

void leat_stalled_lines(const struct leat_status_view *v, struct leat_buf *out)
{
    struct leat_json_reader r;
    struct leat_json_token t = {0};
    struct leat_error err = {0};
    struct leat_str raw;
    if (v->stalled.len <= 2)
        return;
    leat_buf_puts(out, "\nstalled\n");
    leat_json_reader_init(&r, v->stalled);
    if (leat_json_next(&r, &t, &err) != LEAT_OK)
        return;
    while (leat_json_skip(&r, &raw, &err) == LEAT_OK && raw.at[0] != ']')
        put_line(v, raw, out);
}
