#include "cli/plan.h"

#include "cli/cli.h"

static const char *const section_names[] = {"topics", "store", "schemas", "models"};

int leat_change_plan_open(struct leat_change_plan *p, const char *topology_path)
{
    *p = (struct leat_change_plan){.n = 0};
    int code = leat_session_files(&p->s, topology_path, NULL);
    if (code == LEAT_EXIT_GO_ON && (code = leat_session_check(&p->s)) != LEAT_EXIT_GO_ON)
        leat_session_close(&p->s);
    return code;
}

void leat_change_plan_close(struct leat_change_plan *p)
{
    leat_admin_free(p->admin);
    leat_session_close(&p->s);
}

void leat_change_plan_add(struct leat_change_plan *p, leat_plan_section section,
                          leat_plan_mark mark, const char *what, const char *detail)
{
    p->items = leat_arena_grow(p->s.arena, p->items, sizeof *p->items, &p->cap, p->n + 1);
    p->items[p->n++] = (struct leat_plan_item){section, mark, what, detail, {"", 0}};
    if (section == LEAT_PLAN_MODELS)
        return;
    p->todo += mark == LEAT_PLAN_MAKE || mark == LEAT_PLAN_CHANGE ? 1 : 0;
    p->refused += mark == LEAT_PLAN_REFUSE ? 1 : 0;
    p->foreign += mark == LEAT_PLAN_FOREIGN ? 1 : 0;
}

static leat_status open_kafka(struct leat_change_plan *p, struct leat_error *err)
{
    const struct leat_props *common = &p->s.topology->kafka.common;
    struct leat_kafka_prop *props =
        leat_arena_zalloc(p->s.arena, (size_t)common->n + 1, sizeof *props);
    for (uint32_t i = 0; i < common->n; i++)
        props[i] = (struct leat_kafka_prop){common->at[i].name, common->at[i].value};
    struct leat_kafka_config config = {props, common->n, "leat-apply"};
    return leat_admin_new(&config, &p->admin, err);
}

leat_status leat_change_plan_make(struct leat_change_plan *p, struct leat_error *err)
{
    LEAT_TRY(open_kafka(p, err), err, "kafka");
    LEAT_TRY(leat_store_open(&p->s.store_options, &p->s.store, err), err, "store");
    LEAT_TRY(leat_store_pending(p->s.store, p->s.arena, &p->pending, err), err, "store");
    LEAT_TRY(leat_plan_topics(p, err), err, "topics");
    LEAT_TRY(leat_plan_store(p, err), err, "store");
    LEAT_TRY(leat_plan_schemas(p, err), err, "schemas");
    leat_plan_models(p);
    return LEAT_OK;
}

/* --- showing --- */

static char mark_of(const struct leat_plan_item *item)
{
    return item->mark == LEAT_PLAN_FOREIGN ? (char)LEAT_PLAN_REFUSE : (char)item->mark;
}

static size_t width_of(const struct leat_change_plan *p, leat_plan_section section)
{
    size_t width = 0;
    for (size_t i = 0; i < p->n; i++) {
        size_t len = strlen(p->items[i].what);
        if (p->items[i].section == section && len > width)
            width = len;
    }
    return width > 40 ? 40 : width;
}

static void put_section(const struct leat_change_plan *p, leat_plan_section section, bool sql,
                        struct leat_buf *out)
{
    bool any = false;
    int width = (int)width_of(p, section);
    for (size_t i = 0; i < p->n; i++) {
        const struct leat_plan_item *item = &p->items[i];
        if (item->section != section)
            continue;
        if (!any)
            leat_buf_printf(out, "%s%s\n", section_names[section],
                            section == LEAT_PLAN_MODELS ? " (`leat run` does this)" : "");
        any = true;
        leat_buf_printf(out, "  %c %-*s  %s\n", mark_of(item), width, item->what, item->detail);
        if (sql && item->sql.len > 0) {
            leat_buf_put(out, item->sql.at, item->sql.len);
            leat_buf_putc(out, '\n');
        }
    }
}

void leat_change_plan_text(const struct leat_change_plan *p, bool sql, struct leat_buf *out)
{
    for (int section = 0; section < LEAT_PLAN_SECTIONS; section++)
        put_section(p, (leat_plan_section)section, sql, out);
}

void leat_change_plan_summary(const struct leat_change_plan *p, struct leat_buf *out)
{
    if (p->todo + p->refused + p->foreign == 0) {
        leat_buf_printf(out, "%s: nothing to do\n", p->s.topology->name.at);
        return;
    }
    leat_buf_printf(out, "%s: %zu to do", p->s.topology->name.at, p->todo);
    if (p->refused > 0)
        leat_buf_printf(out, ", %zu refused", p->refused);
    if (p->foreign > 0)
        leat_buf_printf(out, ", %zu that apply cannot do", p->foreign);
    leat_buf_putc(out, '\n');
}

void leat_change_plan_json(const struct leat_change_plan *p, bool sql, struct leat_json_writer *w)
{
    leat_json_key(w, LEAT_STR("changes"));
    leat_json_begin_array(w);
    for (size_t i = 0; i < p->n; i++) {
        const struct leat_plan_item *item = &p->items[i];
        leat_json_begin_object(w);
        leat_json_put_cstr(w, "section", section_names[item->section]);
        leat_json_put_str(w, "mark", (struct leat_str){(char[]){mark_of(item)}, 1});
        leat_json_put_cstr(w, "what", item->what);
        leat_json_put_cstr(w, "detail", item->detail);
        if (sql && item->sql.len > 0)
            leat_json_put_str(w, "sql", item->sql);
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
    leat_json_put_int(w, "to_do", (int64_t)p->todo);
    leat_json_put_int(w, "refused", (int64_t)p->refused);
    leat_json_put_int(w, "missing", (int64_t)p->foreign);
}
