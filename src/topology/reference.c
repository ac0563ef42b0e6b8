#include <string.h>

#include "base/buf.h"
#include "base/units.h"
#include "topology/keys.h"
#include "topology/topology.h"

static void put_number(struct leat_buf *b, const struct leat_key *k, int64_t v)
{
    char text[LEAT_UNITS_TEXT];
    if (k->type == LEAT_KEY_DURATION)
        leat_buf_puts(b, leat_format_duration(v, text));
    else if (k->type == LEAT_KEY_SIZE)
        leat_buf_puts(b, leat_format_size(v, text));
    else
        leat_buf_printf(b, "%lld", (long long)v);
}

static const char *fixed_shape(leat_key_type type)
{
    switch (type) {
    case LEAT_KEY_TEXT:
        return "text";
    case LEAT_KEY_WORD:
        return "name";
    case LEAT_KEY_RATIO:
        return "0 to 1";
    case LEAT_KEY_BOOL:
        return "true, false";
    case LEAT_KEY_NAMES:
        return "list of names";
    case LEAT_KEY_EXPR:
        return "value";
    case LEAT_KEY_INT:
    case LEAT_KEY_DURATION:
    case LEAT_KEY_SIZE:
    case LEAT_KEY_ENUM:
    case LEAT_KEY_OPS:
    case LEAT_KEY_OWN:
        break;
    }
    return NULL;
}

static void put_shape(struct leat_buf *b, const struct leat_key *k)
{
    const char *shape = fixed_shape(k->type);
    if (shape == NULL)
        shape = k->allowed;
    if (shape == NULL) {
        put_number(b, k, k->min);
        leat_buf_puts(b, " to ");
        put_number(b, k, k->max);
        return;
    }
    for (const char *p = shape; *p != '\0'; p++) { /* a bar would end the table's cell */
        if (*p == '|')
            leat_buf_puts(b, ", ");
        else
            leat_buf_putc(b, *p);
    }
}

static void put_row(struct leat_buf *b, const struct leat_key *k)
{
    leat_buf_printf(b, "| `%s`%s | ", k->name, (k->flags & LEAT_KEY_REQUIRED) != 0 ? " *" : "");
    put_shape(b, k);
    leat_buf_printf(b, " | %s | %s", k->def == NULL ? "" : k->def, k->doc);
    if ((k->flags & (LEAT_KEY_LATER | LEAT_KEY_REFUSED)) != 0)
        leat_buf_puts(b, (k->flags & LEAT_KEY_REFUSED) != 0
                             ? " *Not run yet: `leat run` refuses it.*"
                             : " *Read, not run yet.*");
    leat_buf_puts(b, " |\n");
}

static void put_section(struct leat_buf *b, leat_section section)
{
    const struct leat_section_row *row = &leat_sections[section];
    leat_buf_printf(b, "\n## %s\n\n", row->title);
    if (row->doc != NULL)
        leat_buf_printf(b, "%s\n\n", row->doc);
    leat_buf_puts(b, "| key | value | default | |\n|---|---|---|---|\n");
    for (size_t i = 0; i < leat_key_count; i++) {
        if (leat_keys[i].section == section)
            put_row(b, &leat_keys[i]);
    }
}

static const char intro[] =
    "# Topology file: all keys\n"
    "\n"
    "Printed by `leat options --topology`; do not edit. YAML 1.2. A key with * is required.\n"
    "`leat check` reports every mistake with file, line and column.\n"
    "\n"
    "- Durations `500ms 5s 1m 2h 30d` and sizes `512B 64KiB 1MiB` carry their unit; a bare number "
    "where\n  a unit belongs is an error.\n"
    "- Variables inside values, replaced after parsing: `${V}` `${V:-default}` `${V:?message}`\n"
    "  `${file:path}` `${file:path:-default}`; `$$` is a dollar sign. They never make structure.\n"
    "- Anchors, aliases and merge keys (`<<`) work; keys that begin with `x-` are ignored.\n"
    "- Values in projections and sources: a bare word is a literal, quoted ones stay texts; "
    "`$.field`,\n  `$.a.b`; `$meta.time`, `recorded_at`, `key`, `seq`, `type`, `command_id`, "
    "`header.x`;\n  `$row.field`; `day(time, 'Zone')`, `hour(time, 'Zone')`, `lower(text)`, "
    "`concat(a, b, …)`.\n";

void leat_topology_reference(struct leat_buf *ret_markdown)
{
    leat_buf_puts(ret_markdown, intro);
    for (int i = 0; i < LEAT_SECTION_COUNT; i++)
        put_section(ret_markdown, (leat_section)i);
}
