/* Text and Markdown as roff. */
#include <ctype.h>
#include <string.h>

#include "base/utf8.h"
#include "base/version.h"
#include "cli/man.h"

static uint32_t code_point(const char *at, size_t n)
{
    uint32_t c = (uint8_t)at[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++)
        c = c << 6 | ((uint8_t)at[i] & 0x3f);
    return c;
}

static void put_char(struct leat_buf *page, const char *at, size_t n, bool begins_line)
{
    if (n > 1) {
        leat_buf_printf(page, "\\[u%04X]", code_point(at, n));
        return;
    }
    if (begins_line && (*at == '.' || *at == '\''))
        leat_buf_puts(page, "\\&");
    switch (*at) {
    case '\\':
        leat_buf_puts(page, "\\e");
        break;
    case '-':
        leat_buf_puts(page, "\\-");
        break;
    case '\'':
        leat_buf_puts(page, "\\(aq");
        break;
    case '`':
        leat_buf_puts(page, "\\(ga");
        break;
    case '^':
        leat_buf_puts(page, "\\(ha");
        break;
    case '~':
        leat_buf_puts(page, "\\(ti");
        break;
    default:
        leat_buf_putc(page, *at);
    }
}

void leat_man_text(struct leat_buf *page, struct leat_str text)
{
    const char *end = text.at + text.len;
    for (const char *at = text.at; at < end;) {
        size_t n = leat_utf8_length(at, end);
        leat_assert(n > 0); /* of our own tables */
        put_char(page, at, n, page->len == 0 || page->at[page->len - 1] == '\n');
        at += n;
    }
}

void leat_man_head(struct leat_buf *page, const char *name, const char *section)
{
    leat_buf_puts(page, ".TH \"");
    for (const char *c = name; *c != '\0'; c++)
        leat_buf_putc(page, (char)toupper((unsigned char)*c));
    leat_buf_printf(page, "\" \"%s\" \"\" \"leat %s\" \"leat\"\n", section, leat_build_version());
}

/* ---- Markdown ---- */

/* `code` is bold, *words* are italic. */
static void put_inline(struct leat_buf *page, struct leat_str line)
{
    char mark = '\0';
    for (uint32_t i = 0; i < line.len;) {
        char c = line.at[i];
        struct leat_str rest = {line.at + i + 1, line.len - i - 1};
        bool opens = mark == '\0' && (c == '`' || c == '*') && rest.len > 0 && rest.at[0] != ' ' &&
                     memchr(rest.at, c, rest.len) != NULL;
        if (opens || (mark != '\0' && c == mark)) {
            mark = opens ? c : '\0';
            leat_buf_puts(page, !opens ? "\\fR" : c == '`' ? "\\fB" : "\\fI");
            i++;
            continue;
        }
        size_t n = leat_utf8_length(line.at + i, line.at + line.len);
        leat_assert(n > 0);
        leat_man_text(page, (struct leat_str){line.at + i, (uint32_t)n});
        i += (uint32_t)n;
    }
}

static struct leat_str trimmed(struct leat_str s)
{
    while (s.len > 0 && s.at[0] == ' ') {
        s.at++;
        s.len--;
    }
    while (s.len > 0 && s.at[s.len - 1] == ' ')
        s.len--;
    return s;
}

/* "| a | b | c |" -> the next cell; *row moves behind it. */
static struct leat_str next_cell(struct leat_str *row)
{
    const char *bar = row->len == 0 ? NULL : memchr(row->at, '|', row->len);
    uint32_t len = bar == NULL ? row->len : (uint32_t)(bar - row->at);
    struct leat_str cell = {row->at, len};
    uint32_t used = bar == NULL ? len : len + 1;
    row->at += used;
    row->len -= used;
    return trimmed(cell);
}

static bool is_key_row(struct leat_str line)
{
    return line.len > 3 && memcmp(line.at, "| `", 3) == 0;
}

/* | `key` * | value | default | what it means | */
static void put_key_row(struct leat_buf *page, struct leat_str row)
{
    (void)next_cell(&row);
    struct leat_str key = next_cell(&row);
    struct leat_str value = next_cell(&row);
    struct leat_str fallback = next_cell(&row);
    struct leat_str meaning = trimmed((struct leat_str){row.at, row.len - 1});
    bool required = key.at[key.len - 1] == '*';
    if (required)
        key = trimmed((struct leat_str){key.at, key.len - 1});
    leat_buf_puts(page, ".TP\n");
    put_inline(page, key);
    leat_buf_puts(page, "\n(");
    put_inline(page, value);
    leat_buf_puts(page, required ? "; required" : "");
    leat_buf_puts(page, fallback.len > 0 ? "; default " : "");
    put_inline(page, fallback);
    leat_buf_puts(page, ")\n");
    put_inline(page, meaning);
    leat_buf_putc(page, '\n');
}

static void put_heading(struct leat_buf *page, struct leat_str title)
{
    leat_buf_puts(page, ".SH \"");
    leat_man_text(page, title);
    leat_buf_puts(page, "\"\n");
}

static void put_line(struct leat_buf *page, struct leat_str line, bool *in_paragraph)
{
    bool starts = line.len > 2;
    if (line.len == 0 || line.at[0] == '|' || (line.len > 1 && memcmp(line.at, "# ", 2) == 0)) {
        *in_paragraph = false;
        if (is_key_row(line))
            put_key_row(page, line);
        return;
    }
    if (starts && line.len > 3 && memcmp(line.at, "## ", 3) == 0) {
        put_heading(page, (struct leat_str){line.at + 3, line.len - 3});
        return;
    }
    bool item = starts && memcmp(line.at, "- ", 2) == 0;
    if (item) {
        leat_buf_puts(page, ".IP \\(bu 2\n");
    } else if (!*in_paragraph) {
        leat_buf_puts(page, ".PP\n");
    }
    *in_paragraph = true;
    put_inline(page, trimmed(item ? (struct leat_str){line.at + 2, line.len - 2} : line));
    leat_buf_putc(page, '\n');
}

void leat_man_markdown(struct leat_buf *page, struct leat_str markdown)
{
    bool in_paragraph = false;
    const char *end = markdown.at + markdown.len;
    for (const char *at = markdown.at; at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL)
            stop = end;
        put_line(page, (struct leat_str){at, (uint32_t)(stop - at)}, &in_paragraph);
        at = stop + 1;
    }
}
