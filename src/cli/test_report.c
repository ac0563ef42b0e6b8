#include "cli/test_report.h"

#include <inttypes.h>

#define GOT_BYTES 2000 /* of one line of what came */

static struct leat_str cut(struct leat_str s)
{
    return s.len > GOT_BYTES ? (struct leat_str){s.at, GOT_BYTES} : s;
}

/* ---- text ---- */

static void put_problem(const struct leat_test_done *d, const struct leat_test_problem *p,
                        struct leat_buf *out)
{
    uint32_t line = p->line == 0 ? d->c->place.line : p->line;
    uint32_t column = p->line == 0 ? d->c->place.column : p->column;
    leat_buf_printf(out, "%s:%u:%u: ", d->file, line, column);
    leat_buf_put(out, p->what.at, p->what.len);
    if (p->expected.len == 0 && p->actual.len == 0) {
        leat_buf_putc(out, '\n');
        return;
    }
    leat_buf_puts(out, "\n        expected  ");
    leat_buf_put(out, p->expected.at, cut(p->expected).len);
    leat_buf_puts(out, "\n        actual    ");
    leat_buf_put(out, p->actual.at, cut(p->actual).len);
    leat_buf_putc(out, '\n');
}

static void put_got(const struct leat_test_done *d, struct leat_buf *out)
{
    if (d->result.n_got == 0)
        leat_buf_puts(out, "      nothing came of it\n");
    else
        leat_buf_puts(out, "      what came of it:\n");
    for (uint32_t i = 0; i < d->result.n_got; i++) {
        leat_buf_puts(out, "        - ");
        leat_buf_put(out, d->result.got[i].at, cut(d->result.got[i]).len);
        leat_buf_putc(out, '\n');
    }
}

void leat_test_text(const struct leat_test_done *d, struct leat_buf *out)
{
    bool ok = d->result.n_problems == 0;
    leat_buf_printf(out, "%s  %s: %.*s\n", ok ? "ok  " : "FAIL", d->c->processor->name.at,
                    LEAT_STR_FMT(d->c->it));
    for (uint32_t i = 0; i < d->result.n_problems; i++) {
        leat_buf_puts(out, "      ");
        put_problem(d, &d->result.problems[i], out);
    }
    if (!ok && !d->result.died)
        put_got(d, out);
}

void leat_test_summary(const struct leat_test_sum *sum, struct leat_buf *out)
{
    leat_buf_printf(out, "%u passed, %u failed, %" PRId64 " faults walked\n", sum->n - sum->failed,
                    sum->failed, sum->faults);
}

/* ---- JSON ---- */

static void put_case(const struct leat_test_done *d, struct leat_json_writer *w)
{
    leat_json_begin_object(w);
    leat_json_put_cstr(w, "file", d->file);
    leat_json_put_int(w, "line", d->c->place.line);
    leat_json_put_str(w, "processor", d->c->processor->name);
    leat_json_put_str(w, "it", d->c->it);
    leat_json_put_bool(w, "passed", d->result.n_problems == 0);
    leat_json_put_int(w, "faults_walked", d->result.faults);
    leat_json_put_int(w, "us", d->result.us);
    leat_json_key(w, LEAT_STR("problems"));
    leat_json_begin_array(w);
    for (uint32_t i = 0; i < d->result.n_problems; i++) {
        const struct leat_test_problem *p = &d->result.problems[i];
        leat_json_begin_object(w);
        leat_json_put_int(w, "line", p->line == 0 ? d->c->place.line : p->line);
        leat_json_put_int(w, "column", p->line == 0 ? d->c->place.column : p->column);
        leat_json_put_str(w, "what", p->what);
        if (p->expected.len > 0 || p->actual.len > 0) {
            leat_json_put_str(w, "expected", p->expected);
            leat_json_put_str(w, "actual", p->actual);
        }
        leat_json_end_object(w);
    }
    leat_json_end_array(w);
    leat_json_key(w, LEAT_STR("got"));
    leat_json_begin_array(w);
    for (uint32_t i = 0; i < d->result.n_got; i++)
        leat_json_str(w, d->result.got[i]);
    leat_json_end_array(w);
    leat_json_end_object(w);
}

void leat_test_json(const struct leat_test_sum *sum, struct leat_buf *out)
{
    struct leat_json_writer w;
    leat_json_writer_init(&w, out);
    leat_json_begin_object(&w);
    leat_json_put_int(&w, "passed", sum->n - sum->failed);
    leat_json_put_int(&w, "failed", sum->failed);
    leat_json_put_int(&w, "faults_walked", sum->faults);
    leat_json_key(&w, LEAT_STR("cases"));
    leat_json_begin_array(&w);
    for (uint32_t i = 0; i < sum->n; i++)
        put_case(&sum->at[i], &w);
    leat_json_end_array(&w);
    leat_json_end_object(&w);
    leat_buf_putc(out, '\n');
}

/* ---- JUnit ---- */

/* XML 1.0 has no place for most control characters, escaped or not. */
static void put_xml(struct leat_buf *out, struct leat_str s)
{
    for (uint32_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.at[i];
        if (c == '<' || c == '>' || c == '&' || c == '"' || c == '\n')
            leat_buf_printf(out, "&#%u;", c);
        else
            leat_buf_putc(out, c < 0x20 && c != '\t' ? '?' : (char)c);
    }
}

static void put_junit_case(const struct leat_test_done *d, struct leat_buf *out)
{
    leat_buf_puts(out, "    <testcase classname=\"");
    put_xml(out, d->c->processor->name);
    leat_buf_puts(out, "\" name=\"");
    put_xml(out, d->c->it);
    leat_buf_puts(out, "\" file=\"");
    put_xml(out, leat_str_of(d->file));
    leat_buf_printf(out, "\" line=\"%u\" time=\"%.6f\"", d->c->place.line,
                    (double)d->result.us / 1e6);
    if (d->result.n_problems == 0) {
        leat_buf_puts(out, "/>\n");
        return;
    }
    struct leat_buf text;
    leat_buf_init(&text, 1u << 20);
    leat_buf_puts(out, ">\n      <failure message=\"");
    put_xml(out, d->result.problems[0].what);
    leat_buf_puts(out, "\">");
    leat_test_text(d, &text);
    put_xml(out, leat_buf_str(&text));
    leat_buf_puts(out, "</failure>\n    </testcase>\n");
    leat_buf_done(&text);
}

static uint32_t suite_end(const struct leat_test_sum *sum, uint32_t from, uint32_t *ret_failed)
{
    uint32_t to = from;
    *ret_failed = 0;
    for (; to < sum->n && sum->at[to].file == sum->at[from].file; to++)
        *ret_failed += sum->at[to].result.n_problems > 0 ? 1 : 0;
    return to;
}

void leat_test_junit(const struct leat_test_sum *sum, struct leat_buf *out)
{
    leat_buf_printf(out,
                    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                    "<testsuites tests=\"%u\" failures=\"%u\" time=\"%.6f\">\n",
                    sum->n, sum->failed, (double)sum->us / 1e6);
    for (uint32_t i = 0, failed = 0; i < sum->n;) {
        uint32_t end = suite_end(sum, i, &failed);
        leat_buf_puts(out, "  <testsuite name=\"");
        put_xml(out, leat_str_of(sum->at[i].file));
        leat_buf_printf(out, "\" tests=\"%u\" failures=\"%u\">\n", end - i, failed);
        for (; i < end; i++)
            put_junit_case(&sum->at[i], out);
        leat_buf_puts(out, "  </testsuite>\n");
    }
    leat_buf_puts(out, "</testsuites>\n");
}
