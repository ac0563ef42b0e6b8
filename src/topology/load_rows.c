/* load_rows.c - what a projection in C declares: its rows' fields, their key, the events it reads.
 */
#include <string.h>

#include "topology/loader.h"

#define COLUMNS_MAX   256
#define KEY_PARTS_MAX 8
#define SCHEMA_BYTES  ((size_t)64 * 1024)
#define COLUMN_ALLOWED                                                                             \
    "string, int, long, double, boolean; with a ? behind it: or null; in brackets: "               \
    "a list, such as [string]"

static const char *type_of_word(struct leat_str word)
{
    static const char *const types[] = {"string", "int", "long", "double", "boolean"};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (leat_str_eq(word, leat_str_of(types[i])))
            return types[i];
    }
    return NULL;
}

static bool load_column(struct leat_loader *l, const struct leat_yaml_pair *pair, const char *path,
                        struct leat_row_column *ret)
{
    const struct leat_yaml *n = pair->value;
    ret->name = pair->key;
    ret->is_list = n->kind == LEAT_YAML_LIST && n->n == 1;
    if (ret->is_list)
        n = n->items[0];
    struct leat_str word = n->kind == LEAT_YAML_SCALAR ? n->text : (struct leat_str){"", 0};
    ret->nullable = !ret->is_list && word.len > 1 && word.at[word.len - 1] == '?';
    if (ret->nullable)
        word.len--;
    ret->type = type_of_word(word);
    if (ret->type != NULL)
        return true;
    leat_load_error(l, &pair->place, "%s: '%.*s' is not a type of a row's field", path,
                    LEAT_STR_FMT(leat_load_quote(n)));
    leat_report_hint(l->report, COLUMN_ALLOWED);
    return false;
}

static void put_column(const struct leat_row_column *c, struct leat_buf *out)
{
    leat_buf_printf(out, "{\"name\":\"%.*s\",\"type\":", LEAT_STR_FMT(c->name));
    if (c->is_list)
        leat_buf_printf(out, "{\"type\":\"array\",\"items\":\"%s\"}}", c->type);
    else if (c->nullable)
        leat_buf_printf(out, "[\"null\",\"%s\"],\"default\":null}", c->type);
    else
        leat_buf_printf(out, "\"%s\"}", c->type);
}

/* As an Avro record, which is what `leat gen` and the codec know. */
static struct leat_str schema_of(struct leat_loader *l, const struct leat_projection *p)
{
    LEAT_AUTO(leat_buf_done) struct leat_buf text;
    leat_buf_init(&text, SCHEMA_BYTES);
    leat_buf_printf(&text, "{\"type\":\"record\",\"name\":\"%.*s\",\"fields\":[",
                    LEAT_STR_FMT(p->row_type));
    for (uint32_t i = 0; i < p->n_columns; i++) {
        leat_buf_puts(&text, i == 0 ? "" : ",");
        put_column(&p->columns[i], &text);
    }
    leat_buf_puts(&text, "]}");
    return leat_arena_copy(l->arena, leat_buf_str(&text));
}

LEAT_KEY_LOADER(leat_load_row)
{
    struct leat_projection *p = target;
    if (!leat_load_is_map(l, n, path))
        return;
    if (n->n == 0 || n->n > COLUMNS_MAX) {
        leat_load_error(l, &n->place, "%s takes 1 to %d fields", path, COLUMNS_MAX);
        return;
    }
    struct leat_row_column *columns = leat_arena_zalloc(l->arena, n->n, sizeof *columns);
    for (uint32_t i = 0; i < n->n; i++) {
        uint32_t index = 0;
        const char *at = leat_load_path(l, path, n->pairs[i].key);
        if (!leat_load_field_index(l, n->pairs[i].key, &n->pairs[i].place, path, &index) ||
            !load_column(l, &n->pairs[i], at, &columns[index]))
            columns[index].type = "string"; /* said; it is a field all the same */
    }
    p->columns = columns;
    p->n_columns = (uint32_t)l->n_fields;
    p->fields = (struct leat_names){l->fields, (uint32_t)l->n_fields};
    p->row_type = leat_str_of(leat_arena_printf(l->arena, "%.*s_row", LEAT_STR_FMT(p->name)));
    p->row_schema = schema_of(l, p);
}

LEAT_KEY_LOADER(leat_load_row_events)
{
    struct leat_projection *p = target;
    struct leat_names names = {NULL, 0};
    if (!leat_load_names(l, n, path, &names))
        return;
    struct leat_from *from = leat_arena_zalloc(l->arena, names.n, sizeof *from);
    for (uint32_t i = 0; i < names.n; i++)
        from[i] = (struct leat_from){.place = n->place, .event = names.at[i]};
    p->from = from;
    p->n_from = names.n;
}

static bool load_part(struct leat_loader *l, const struct leat_projection *p,
                      const struct leat_yaml *n, const char *path, uint32_t *ret)
{
    struct leat_str name;
    struct leat_choice choice;
    if (!leat_load_text(l, n, path, &name))
        return false;
    int32_t field = leat_projection_field(p, name);
    if (field >= 0 && !p->columns[field].is_list && !p->columns[field].nullable) {
        *ret = (uint32_t)field;
        return true;
    }
    if (field >= 0) {
        leat_load_error(l, &n->place, "%s: '%.*s' may be null, or is a list", path,
                        LEAT_STR_FMT(name));
        leat_report_hint(l->report, "a key is made of fields that always have one value");
        return false;
    }
    leat_load_error(l, &n->place, "%s: `row` has no field '%.*s'", path, LEAT_STR_FMT(name));
    leat_choice_start(&choice, name);
    for (uint32_t i = 0; i < p->fields.n; i++)
        leat_choice_offer(&choice, p->fields.at[i]);
    leat_choice_hint(&choice, l->report);
    return false;
}

void leat_load_coded_key(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                         struct leat_projection *p)
{
    const struct leat_yaml *const *items;
    const struct leat_yaml *single;
    uint32_t count = leat_load_items(n, &items, &single);
    if (count == 0 || count > KEY_PARTS_MAX) {
        leat_load_error(l, &n->place, "%s takes 1 to %d fields of `row`", path, KEY_PARTS_MAX);
        return;
    }
    uint32_t *parts = leat_arena_zalloc(l->arena, count, sizeof *parts);
    for (uint32_t i = 0; i < count; i++) {
        if (!load_part(l, p, items[i], path, &parts[p->n_key_fields]))
            continue;
        if (i == 0 && strcmp(p->columns[parts[0]].type, "string") != 0)
            leat_load_error(l, &items[i]->place, "%s: '%.*s' is the stream's key, a string", path,
                            LEAT_STR_FMT(p->columns[parts[0]].name));
        p->n_key_fields++;
    }
    p->key_fields = parts;
    p->n_keys = p->n_key_fields;
}

/* What only one of the two kinds has. */
void leat_load_coded_check(struct leat_loader *l, const struct leat_yaml *n, const char *path,
                           struct leat_projection *p)
{
    const struct leat_yaml *from = leat_yaml_get(n, LEAT_STR("from"));
    const struct leat_yaml *events = leat_yaml_get(n, LEAT_STR("events"));
    bool misspelt = leat_load_misspelt(l, LEAT_SECTION_PROJECTION, NULL);
    p->is_coded = from == NULL;
    if (from != NULL) {
        static const char *const of_code[] = {"row", "events", "module"};
        for (size_t i = 0; i < sizeof of_code / sizeof *of_code; i++) {
            const struct leat_yaml *v = leat_yaml_get(n, leat_str_of(of_code[i]));
            if (v == NULL)
                continue;
            leat_load_error(l, &v->place, "%s has both `from` and `%s`", path, of_code[i]);
            leat_report_hint(l->report, "`from` declares it; `row`, `events` and `module` are of a "
                                        "projection written in C");
        }
        p->module = NULL;
        return;
    }
    if (p->module == NULL)
        p->module = leat_arena_cstr(l->arena, p->name);
    if ((events == NULL || leat_yaml_get(n, LEAT_STR("row")) == NULL) && !misspelt) {
        leat_load_error(l, &n->place, "%s: '%s' is missing", path,
                        events == NULL && p->n_columns == 0 ? "from"
                        : events == NULL                    ? "events"
                                                            : "row");
        leat_report_hint(l->report,
                         "either `from` (declared), or `events` and `row` (written in C)");
    }
    if (p->store == LEAT_MODEL_REDIS) {
        leat_load_error(l, &n->place, "%s: a projection in C cannot be in Redis", path);
        leat_report_hint(l->report, "`store: lmdb`: its functions read rows while they fold, and "
                                    "Redis is too far away for that");
    }
}
