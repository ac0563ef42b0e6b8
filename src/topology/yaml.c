#include "topology/yaml.h"

#include <libfyaml.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/status.h"
#include "topology/vars.h"

#define ANCHORS_MAX     1000
#define MERGE_PAIRS_MAX 10000

struct anchor {
    struct leat_str name;
    struct leat_yaml *node;
};

struct frame { /* a collection that is still open */
    struct leat_yaml *node;
    struct leat_str anchor; /* "" without one */
    struct leat_str key;    /* MAP: the key whose value comes next */
    struct leat_place key_place;
    bool has_key;
    size_t cap;
};

struct build {
    struct leat_arena *arena;
    struct leat_report *report;
    const char *file;
    struct frame stack[LEAT_YAML_DEPTH_MAX];
    int depth;
    struct anchor anchors[ANCHORS_MAX];
    size_t n_anchors;
    size_t n_nodes;
    size_t n_merged;
    struct leat_yaml *root;
    uint32_t line, column; /* of the last token with a place */
    bool failed;
};

static struct leat_place place_of(struct build *b, struct fy_token *token)
{
    const struct fy_mark *mark = token == NULL ? NULL : fy_token_start_mark(token);
    if (mark != NULL) {
        b->line = (uint32_t)mark->line + 1;
        b->column = (uint32_t)mark->column + 1;
    }
    return (struct leat_place){b->file, b->line, b->column};
}

static struct leat_str copy_token(struct build *b, struct fy_token *token)
{
    size_t len = 0;
    const char *text = token == NULL ? NULL : fy_token_get_text(token, &len);
    if (text == NULL)
        return (struct leat_str){"", 0};
    struct leat_str s = {text, (uint32_t)len};
    return (struct leat_str){leat_arena_cstr(b->arena, s), s.len};
}

static void give_up(struct build *b, const struct leat_place *place, const char *what)
{
    leat_report_add(b->report, LEAT_SEVERITY_ERROR, place, "%s", what);
    b->failed = true;
}

static struct leat_yaml *new_node(struct build *b, leat_yaml_kind kind, struct leat_place place)
{
    if (++b->n_nodes > LEAT_YAML_NODES_MAX)
        give_up(b, &place, "more than 100000 values");
    struct leat_yaml *n = leat_arena_zalloc(b->arena, 1, sizeof *n);
    n->kind = kind;
    n->place = place;
    return n;
}

static void remember_anchor(struct build *b, struct leat_str name, struct leat_yaml *node)
{
    if (name.len == 0)
        return;
    if (b->n_anchors == ANCHORS_MAX) {
        give_up(b, &node->place, "more than 1000 anchors");
        return;
    }
    b->anchors[b->n_anchors++] = (struct anchor){name, node};
}

/* The latest of that name, as YAML has it. A collection counts once it is closed, so that nothing
 * can contain itself. */
static struct leat_yaml *find_anchor(const struct build *b, struct leat_str name)
{
    for (size_t i = b->n_anchors; i > 0; i--) {
        if (leat_str_eq(b->anchors[i - 1].name, name))
            return b->anchors[i - 1].node;
    }
    return NULL;
}

static void add_pair(struct build *b, struct frame *f, struct leat_yaml_pair pair)
{
    f->node->pairs = leat_arena_grow(b->arena, f->node->pairs, sizeof *f->node->pairs, &f->cap,
                                     (size_t)f->node->n + 1);
    f->node->pairs[f->node->n++] = pair;
}

struct leat_yaml *leat_yaml_get(const struct leat_yaml *map, struct leat_str key)
{
    if (map == NULL || map->kind != LEAT_YAML_MAP)
        return NULL;
    for (uint32_t i = 0; i < map->n; i++) {
        if (leat_str_eq(map->pairs[i].key, key))
            return map->pairs[i].value;
    }
    return NULL;
}

static void merge_map(struct build *b, struct frame *f, const struct leat_yaml *from)
{
    for (uint32_t i = 0; i < from->n && !b->failed; i++) {
        if (++b->n_merged > MERGE_PAIRS_MAX)
            give_up(b, &from->place, "more than 10000 keys come from merge keys");
        else if (leat_yaml_get(f->node, from->pairs[i].key) == NULL)
            add_pair(b, f, from->pairs[i]);
    }
}

/* `<<` is worked in when its map closes: what the map says itself wins, then the first named. */
static void merge_into(struct build *b, struct frame *f, const struct leat_yaml *from)
{
    if (from->kind == LEAT_YAML_MAP) {
        merge_map(b, f, from);
        return;
    }
    for (uint32_t i = 0; from->kind == LEAT_YAML_LIST && i < from->n; i++) {
        if (from->items[i]->kind != LEAT_YAML_MAP)
            break;
        merge_map(b, f, from->items[i]);
        if (i + 1 == from->n)
            return;
    }
    leat_report_add(b->report, LEAT_SEVERITY_ERROR, &from->place,
                    "'<<' takes a mapping or a list of mappings");
}

static void work_in_merges(struct build *b, struct frame *f)
{
    uint32_t kept = 0;
    struct leat_yaml *merges[8];
    uint32_t n_merges = 0;
    for (uint32_t i = 0; i < f->node->n; i++) {
        struct leat_yaml_pair *p = &f->node->pairs[i];
        if (leat_str_eq(p->key, LEAT_STR("<<")) && n_merges < 8)
            merges[n_merges++] = p->value;
        else
            f->node->pairs[kept++] = *p;
    }
    f->node->n = kept;
    for (uint32_t i = 0; i < n_merges; i++)
        merge_into(b, f, merges[i]);
}

static void add_value(struct build *b, struct leat_yaml *value)
{
    if (b->depth == 0) {
        b->root = value;
        return;
    }
    struct frame *f = &b->stack[b->depth - 1];
    if (f->node->kind == LEAT_YAML_LIST) {
        f->node->items = leat_arena_grow(b->arena, f->node->items, sizeof(struct leat_yaml *),
                                         &f->cap, (size_t)f->node->n + 1);
        f->node->items[f->node->n++] = value;
        return;
    }
    f->has_key = false;
    bool merge = leat_str_eq(f->key, LEAT_STR("<<"));
    if (!merge && leat_yaml_get(f->node, f->key) != NULL) {
        leat_report_add(b->report, LEAT_SEVERITY_ERROR, &f->key_place, "key '%.*s' is given twice",
                        LEAT_STR_FMT(f->key));
        return;
    }
    add_pair(b, f, (struct leat_yaml_pair){f->key, f->key_place, value});
}

static bool wants_key(const struct build *b)
{
    return b->depth > 0 && b->stack[b->depth - 1].node->kind == LEAT_YAML_MAP &&
           !b->stack[b->depth - 1].has_key;
}

static bool is_null_word(struct leat_str s)
{
    return s.len == 0 || leat_str_eq(s, LEAT_STR("~")) || leat_str_eq(s, LEAT_STR("null")) ||
           leat_str_eq(s, LEAT_STR("Null")) || leat_str_eq(s, LEAT_STR("NULL"));
}

static void on_scalar(struct build *b, struct fy_event *e)
{
    struct fy_token *token = e->scalar.value;
    struct leat_place place = place_of(b, token);
    struct leat_str text = copy_token(b, token);
    enum fy_scalar_style style = token == NULL ? FYSS_PLAIN : fy_token_scalar_style(token);
    if ((style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED) && place.column > 1)
        place.column--; /* the library's mark is behind the quote */
    if (strlen(text.at) != text.len)
        give_up(b, &place, "a NUL byte in a value");
    if (wants_key(b)) {
        struct frame *f = &b->stack[b->depth - 1];
        f->key = text;
        f->key_place = place;
        f->has_key = true;
        return;
    }
    struct leat_yaml *n = new_node(b, LEAT_YAML_SCALAR, place);
    n->raw = text;
    n->text = leat_vars_replace(b->arena, text, &place, b->report);
    n->replaced = n->text.at != n->raw.at;
    n->weight = n->height = 1;
    n->plain = style == FYSS_PLAIN;
    n->null = n->plain && is_null_word(text);
    remember_anchor(b, copy_token(b, e->scalar.anchor), n);
    add_value(b, n);
}

static void on_alias(struct build *b, struct fy_event *e)
{
    struct leat_place place = place_of(b, e->alias.anchor);
    struct leat_str name = copy_token(b, e->alias.anchor);
    if (wants_key(b)) {
        give_up(b, &place, "an alias cannot be a key");
        return;
    }
    struct leat_yaml *n = find_anchor(b, name);
    if (n == NULL) {
        leat_report_add(b->report, LEAT_SEVERITY_ERROR, &place, "no anchor '&%.*s' before this",
                        LEAT_STR_FMT(name));
        n = new_node(b, LEAT_YAML_SCALAR, place);
        n->plain = n->null = true;
        n->weight = n->height = 1;
        n->raw = n->text = (struct leat_str){"", 0};
    }
    add_value(b, n);
}

static void on_open(struct build *b, leat_yaml_kind kind, struct fy_token *token,
                    struct fy_token *anchor)
{
    struct leat_place place = place_of(b, token);
    if (wants_key(b)) {
        give_up(b, &place, "a key must be plain text");
        return;
    }
    if (b->depth == LEAT_YAML_DEPTH_MAX) {
        give_up(b, &place, "nested more than 24 deep");
        return;
    }
    struct leat_yaml *n = new_node(b, kind, place);
    b->stack[b->depth++] = (struct frame){.node = n, .anchor = copy_token(b, anchor)};
}

static void weigh(struct build *b, struct leat_yaml *n)
{
    uint32_t weight = 1;
    uint32_t height = 0;
    for (uint32_t i = 0; i < n->n && weight <= LEAT_YAML_WEIGHT_MAX; i++) {
        const struct leat_yaml *c = n->kind == LEAT_YAML_MAP ? n->pairs[i].value : n->items[i];
        weight += c->weight; /* each at most the maximum: no overflow */
        height = c->height > height ? c->height : height;
    }
    n->weight = weight;
    n->height = height + 1;
    if (weight > LEAT_YAML_WEIGHT_MAX)
        give_up(b, &n->place, "aliases stand for more than 200000 values");
    if (n->height > LEAT_YAML_DEPTH_MAX)
        give_up(b, &n->place, "nested more than 24 deep");
}

static void on_close(struct build *b)
{
    struct frame f = b->stack[--b->depth];
    if (f.node->kind == LEAT_YAML_MAP)
        work_in_merges(b, &f);
    weigh(b, f.node);
    remember_anchor(b, f.anchor, f.node);
    add_value(b, f.node);
}

/* False when the document is over. */
static bool on_event(struct build *b, struct fy_event *e)
{
    switch (e->type) {
    case FYET_SCALAR:
        on_scalar(b, e);
        break;
    case FYET_ALIAS:
        on_alias(b, e);
        break;
    case FYET_MAPPING_START:
        on_open(b, LEAT_YAML_MAP, e->mapping_start.mapping_start, e->mapping_start.anchor);
        break;
    case FYET_SEQUENCE_START:
        on_open(b, LEAT_YAML_LIST, e->sequence_start.sequence_start, e->sequence_start.anchor);
        break;
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        on_close(b);
        break;
    case FYET_DOCUMENT_START:
        if (b->root != NULL)
            give_up(b, NULL, "more than one document in the file");
        break;
    case FYET_STREAM_END:
        return false;
    case FYET_NONE:
    case FYET_STREAM_START:
    case FYET_DOCUMENT_END:
        break;
    }
    return !b->failed;
}

/* The library's words say what it met, not what was meant. */
static void hint_syntax(struct build *b, const char *msg)
{
    static const struct {
        const char *part, *hint;
    } rows[] = {
        {"tab character", "indent with spaces"},
        {"invalid indentation", "keys of one section begin in the same column"},
        {"wrongly indented double-quoted", "a quote that is not closed?"},
        {"wrongly indented single-quoted", "a quote that is not closed?"},
        {"multiline", "a quote or bracket that is not closed?"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strstr(msg, rows[i].part) != NULL) {
            leat_report_hint(b->report, "%s", rows[i].hint);
            return;
        }
    }
}

static void report_syntax(struct build *b, struct fy_diag *diag)
{
    void *cursor = NULL;
    struct fy_diag_error *e;
    bool any = false;
    while ((e = fy_diag_errors_iterate(diag, &cursor)) != NULL && !any) {
        struct leat_place place = {b->file, (uint32_t)(e->line < 0 ? 0 : e->line),
                                   (uint32_t)(e->column < 0 ? 0 : e->column)};
        leat_report_add(b->report, LEAT_SEVERITY_ERROR, &place, "not YAML: %s",
                        e->msg == NULL ? "syntax error" : e->msg);
        hint_syntax(b, e->msg == NULL ? "" : e->msg);
        any = true;
    }
    struct leat_place last = {b->file, b->line, b->column};
    if (!any)
        leat_report_add(b->report, LEAT_SEVERITY_ERROR, &last, "not YAML: syntax error after this");
    b->failed = true;
}

static void drain(struct build *b, struct fy_parser *parser, struct fy_diag *diag)
{
    for (;;) {
        struct fy_event *e = fy_parser_parse(parser);
        if (e == NULL) {
            report_syntax(b, diag);
            return;
        }
        bool more = on_event(b, e);
        fy_parser_event_free(parser, e);
        if (!more)
            return;
    }
}

static bool starts_line(struct leat_str text, uint32_t i)
{
    const uint8_t *at = (const uint8_t *)text.at;
    if (i == 0 || at[i - 1] == '\n' || at[i - 1] == '\r')
        return true;
    if (i >= 2 && at[i - 2] == 0xc2 && at[i - 1] == 0x85)
        return true; /* the other line breaks YAML knows */
    if (i < 3)
        return false;
    bool separator = at[i - 3] == 0xe2 && at[i - 2] == 0x80 && (at[i - 1] & 0xfe) == 0xa8;
    bool mark = i == 3 && at[0] == 0xef && at[1] == 0xbb && at[2] == 0xbf;
    return separator || mark;
}

/* Nobody needs directives here, and libfyaml 0.7 never comes back from some broken ones. */
static bool has_directive(struct build *b, struct leat_str text)
{
    struct leat_place place = {b->file, 1, 1};
    for (uint32_t i = 0; i < text.len; i++) {
        if (text.at[i] == '%' && starts_line(text, i)) {
            leat_report_add(b->report, LEAT_SEVERITY_ERROR, &place,
                            "a line that begins with %% is a YAML directive; there are none here");
            b->failed = true;
            return true;
        }
        place.line += text.at[i] == '\n';
    }
    return false;
}

static void parse_with(struct build *b, struct fy_diag *diag, struct leat_str text)
{
    if (has_directive(b, text))
        return;
    const struct fy_parse_cfg cfg = {.flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG, .diag = diag};
    struct fy_parser *parser = fy_parser_create(&cfg);
    leat_assert(parser != NULL);
    if (fy_parser_set_string(parser, text.at, text.len) != 0)
        report_syntax(b, diag);
    else
        drain(b, parser, diag);
    fy_parser_destroy(parser);
}

struct leat_yaml *leat_yaml_parse(struct leat_arena *arena, const char *file, struct leat_str text,
                                  struct leat_report *report)
{
    struct build *b = leat_arena_zalloc(arena, 1, sizeof *b);
    b->arena = arena;
    b->report = report;
    b->file = file;
    b->line = b->column = 1;
    struct leat_place top = {file, 1, 1};
    if (text.len > LEAT_YAML_BYTES_MAX) {
        give_up(b, &top, "larger than 1 MiB");
        return NULL;
    }
    struct fy_diag_cfg cfg;
    fy_diag_cfg_default(&cfg);
    cfg.fp = NULL;
    struct fy_diag *diag = fy_diag_create(&cfg);
    leat_assert(diag != NULL);
    fy_diag_set_collect_errors(diag, true);
    parse_with(b, diag, text);
    fy_diag_destroy(diag);
    if (!b->failed && b->root == NULL)
        give_up(b, &top, "empty file");
    return b->failed ? NULL : b->root;
}

uint64_t leat_yaml_hash(const struct leat_yaml *n, uint64_t seed)
{
    uint64_t h = leat_hash64(&n->kind, sizeof n->kind, seed);
    if (n->kind == LEAT_YAML_SCALAR)
        return leat_hash64(n->text.at, n->text.len, h + (n->plain ? 1 : 0));
    for (uint32_t i = 0; i < n->n; i++) {
        if (n->kind == LEAT_YAML_LIST) {
            h = leat_yaml_hash(n->items[i], h);
        } else {
            h = leat_hash64(n->pairs[i].key.at, n->pairs[i].key.len, h);
            h = leat_yaml_hash(n->pairs[i].value, h);
        }
    }
    return h;
}

static struct leat_yaml_pair *find_pair(struct leat_yaml *map, struct leat_str key)
{
    for (uint32_t i = 0; i < map->n; i++) {
        if (leat_str_eq(map->pairs[i].key, key))
            return &map->pairs[i];
    }
    return NULL;
}

/* A copy whose pairs are its own: the node may be shared by aliases. */
static struct leat_yaml *own_map(struct leat_arena *arena, const struct leat_yaml *map)
{
    struct leat_yaml *own = leat_arena_zalloc(arena, 1, sizeof *own);
    *own = *map;
    own->pairs = leat_arena_zalloc(arena, map->n, sizeof *own->pairs);
    if (map->n > 0)
        memcpy(own->pairs, map->pairs, map->n * sizeof *own->pairs);
    return own;
}

struct leat_yaml *leat_yaml_merge(struct leat_arena *arena, const struct leat_yaml *into,
                                  const struct leat_yaml *from)
{
    struct leat_yaml *merged = own_map(arena, into);
    size_t cap = merged->n;
    for (uint32_t i = 0; i < from->n; i++) {
        struct leat_yaml_pair *mine = find_pair(merged, from->pairs[i].key);
        if (mine == NULL) {
            merged->pairs = leat_arena_grow(arena, merged->pairs, sizeof *merged->pairs, &cap,
                                            (size_t)merged->n + 1);
            merged->pairs[merged->n++] = from->pairs[i];
        } else if (mine->value->kind == LEAT_YAML_MAP &&
                   from->pairs[i].value->kind == LEAT_YAML_MAP) {
            mine->value = leat_yaml_merge(arena, mine->value, from->pairs[i].value);
        }
    }
    return merged;
}
