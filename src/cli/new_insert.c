#include "cli/new_insert.h"

#include <stdbool.h>
#include <string.h>

#define INDENT 2

struct line {
    struct leat_str text; /* without its end */
    uint32_t begin, end;  /* in the file; end is behind the line's end */
    uint32_t indent;
    bool blank, comment;
};

struct place {
    uint32_t at; /* byte of the file where the rows go; 0: nowhere */
    uint32_t indent;
    bool found;
};

static struct line line_at(struct leat_str file, uint32_t begin)
{
    struct line l = {.begin = begin};
    const char *end = memchr(file.at + begin, '\n', file.len - begin);
    uint32_t stop = end == NULL ? file.len : (uint32_t)(end - file.at);
    l.end = end == NULL ? stop : stop + 1;
    if (stop > begin && file.at[stop - 1] == '\r')
        stop--;
    l.text = (struct leat_str){file.at + begin, stop - begin};
    while (l.indent < l.text.len && l.text.at[l.indent] == ' ')
        l.indent++;
    l.blank = l.indent == l.text.len;
    l.comment = !l.blank && l.text.at[l.indent] == '#';
    return l;
}

/* Nothing but spaces and a comment behind `from`. */
static bool ends_there(struct leat_str text, uint32_t from)
{
    uint32_t i = from;
    while (i < text.len && text.at[i] == ' ')
        i++;
    return i == text.len || (text.at[i] == '#' && i > from);
}

/* Where the value of `section` begins when this is its line (plain or in quotes), else 0. */
static uint32_t behind_key(const struct line *l, struct leat_str section)
{
    const char *at = l->text.at;
    uint32_t quote = l->text.len > 0 && (at[0] == '"' || at[0] == '\'');
    uint32_t end = section.len + 2 * quote;
    bool same = l->text.len > end && memcmp(at + quote, section.at, section.len) == 0 &&
                (quote == 0 || at[end - 1] == at[0]) && at[end] == ':';
    return same ? end + 1 : 0;
}

/* Behind the last line of the section, its own comments included. */
static struct place behind_entries(struct leat_str file, uint32_t begin)
{
    struct place p = {.at = begin, .found = true};
    while (begin < file.len) {
        struct line l = line_at(file, begin);
        if (!l.blank && l.indent == 0)
            break;
        if (!l.blank && !l.comment && p.indent == 0)
            p.indent = l.indent;
        if (!l.blank)
            p.at = l.end;
        begin = l.end;
    }
    if (p.indent == 0)
        p.indent = INDENT;
    return p;
}

static struct place find_place(struct leat_str file, struct leat_str section)
{
    for (uint32_t begin = 0; begin < file.len;) {
        struct line l = line_at(file, begin);
        uint32_t value = behind_key(&l, section);
        bool flow = l.text.len > 0 && (l.text.at[0] == '{' || l.text.at[0] == '}');
        if (flow || (value > 0 && !ends_there(l.text, value)))
            return (struct place){.found = true};
        if (value > 0)
            return behind_entries(file, l.end);
        begin = l.end;
    }
    return (struct place){.at = file.len, .indent = INDENT};
}

static uint32_t put(char *to, uint32_t at, const char *bytes, size_t len)
{
    memcpy(to + at, bytes, len);
    return at + (uint32_t)len;
}

/* The rows, each indented and with the file's own line end. */
static uint32_t put_rows(char *to, uint32_t at, struct leat_str rows, uint32_t indent, bool crlf)
{
    for (uint32_t begin = 0; begin < rows.len;) {
        struct line l = line_at(rows, begin);
        memset(to + at, ' ', indent);
        at = put(to, at + indent, l.text.at, l.text.len);
        at = crlf ? put(to, at, "\r\n", 2) : put(to, at, "\n", 1);
        begin = l.end;
    }
    return at;
}

struct leat_str leat_new_insert(struct leat_str file, struct leat_str section, struct leat_str rows,
                                struct leat_arena *arena)
{
    struct place p = find_place(file, section);
    if (p.at == 0 && p.found)
        return (struct leat_str){NULL, 0};
    const char *first = file.len == 0 ? NULL : memchr(file.at, '\n', file.len);
    bool crlf = first != NULL && first > file.at && first[-1] == '\r';
    size_t lines = 1;
    for (uint32_t i = 0; i < rows.len; i++)
        lines += rows.at[i] == '\n';
    char *to = leat_arena_alloc(arena, file.len + rows.len + section.len + 16 +
                                           lines * ((size_t)p.indent + 2));
    uint32_t at = file.len == 0 ? 0 : put(to, 0, file.at, p.at);
    const char *end = crlf ? "\r\n" : "\n";
    if (at > 0 && to[at - 1] != '\n')
        at = put(to, at, end, strlen(end));
    if (!p.found) {
        at = put(to, at, end, strlen(end));
        at = put(to, at, section.at, section.len);
        at = put(to, at, ":", 1);
        at = put(to, at, end, strlen(end));
    }
    at = put_rows(to, at, rows, p.indent, crlf);
    if (p.at < file.len)
        at = put(to, at, file.at + p.at, file.len - p.at);
    return (struct leat_str){to, at};
}
