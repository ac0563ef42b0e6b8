#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buf.h"
#include "codec/compare.h"
#include "codec/lint.h"

#define TEXT_BYTES_MAX 65536

static void note(void *arg, const struct leat_lint_finding *f)
{
    struct leat_buf *text = arg;
    leat_buf_printf(text, "%u:%u: %s%s", f->line, f->column, f->warning ? "warning: " : "",
                    f->message);
    if (f->hint[0] != '\0')
        leat_buf_printf(text, " (%s)", f->hint);
    leat_buf_putc(text, '\n');
}

static void refers(void *arg, struct leat_str type)
{
    leat_buf_printf(arg, "refers to %.*s\n", LEAT_STR_FMT(type));
}

static void expect(const char *json, const char *want)
{
    static const struct leat_str files[] = {{"Line", 4}, {"Address", 7}};
    struct leat_buf text;
    leat_buf_init(&text, TEXT_BYTES_MAX);
    const struct leat_lint lint = {.type = "R",
                                   .record = true,
                                   .files = files,
                                   .file_count = 2,
                                   .found = note,
                                   .refers = refers,
                                   .arg = &text};
    size_t errors = leat_schema_lint(&lint, leat_str_of(json));
    leat_buf_putc(&text, '\0');
    cr_expect_str_eq(text.at, want);
    cr_expect_eq(errors > 0, want[0] >= '0' && want[0] <= '9', "%s", want);
    leat_buf_done(&text);
}

#define RECORD(fields) "{\"type\": \"record\", \"name\": \"R\", \"fields\": [" fields "]}"

Test(lint, a_good_schema_is_quiet_and_other_files_are_named)
{
    expect(RECORD("{\"name\": \"a\", \"type\": \"long\", \"default\": 0},"
                  "{\"name\": \"b\", \"type\": {\"type\": \"array\", \"items\": \"Line\"}},"
                  "{\"name\": \"c\", \"type\": {\"type\": \"array\", \"items\": \"R\"}},"
                  "{\"name\": \"d\", \"type\": [\"null\", \"double\"], \"default\": null}"),
           "refers to Line\n");
}

Test(lint, every_mistake_is_told_with_its_place)
{
    expect(RECORD("\n{\"name\": \"a\", \"type\": \"lnog\"},\n{\"name\": \"a\", \"type\": \"Lin\"}"),
           "2:23: field 'a': unknown type 'lnog' (did you mean 'long'?)\n"
           "3:10: record 'R' has two fields 'a'\n"
           "3:23: field 'a': unknown type 'Lin' (did you mean 'Line'?)\n");
}

Test(lint, types_are_defined_once_and_before_they_are_used)
{
    expect(RECORD("{\"name\": \"a\", \"type\": \"E\"},"
                  "{\"name\": \"b\", \"type\": {\"type\": \"enum\", \"name\": \"E\", "
                  "\"symbols\": [\"X\"]}}"),
           "1:66: field 'a': type 'E' is used before it is defined (the first use holds the "
           "definition, later ones the name)\n");
}

Test(lint, a_record_may_not_hold_itself_but_in_arrays_and_maps)
{
    const char *want = "1:75: field 'r': record 'R' contains itself (hold them in an array or a "
                       "map: {\"type\": \"array\", \"items\": \"R\"})\n";
    expect(RECORD("{\"name\": \"r\", \"type\": [\"null\", \"R\"], \"default\": null}"), want);
    expect(RECORD("{\"name\": \"r\", \"type\": {\"type\": \"map\", \"values\": \"R\"}}"), "");
}

Test(lint, text_that_is_no_json_has_the_place_where_it_ends_to_be)
{
    expect("", "1:1: not JSON: text ends, expected a value\n");
    expect("{\"type\":\n \"rec", "2:2: not JSON: string has no end\n");
    expect("{} {}", "1:4: not JSON: more text after the value\n");
    expect("[]", "1:1: the file must hold one object ({\"type\": \"record\", \"name\": …, "
                 "\"fields\": […]})\n");
}

Test(lint, very_many_mistakes_end)
{
    struct leat_buf json, text;
    leat_buf_init(&json, 4 << 20);
    leat_buf_init(&text, 4 << 20);
    leat_buf_puts(&json, "{\"type\": \"record\", \"name\": \"R\", \"fields\": [");
    for (int i = 0; i < 500; i++)
        leat_buf_printf(&json, "%s{\"name\": \"f\", \"type\": \"nope%d\"}", i == 0 ? "" : ",", i);
    leat_buf_puts(&json, "]}");
    const struct leat_lint lint = {.type = "R", .found = note, .arg = &text};
    cr_expect_eq(leat_schema_lint(&lint, leat_buf_str(&json)), 999);
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.at[i] == '\n' ? 1 : 0;
    cr_expect_eq(lines, 200);
    leat_buf_done(&json);
    leat_buf_done(&text);
}

/* --- compat --- */

static const char *reads(const char *reader, const char *writer)
{
    static char why[512];
    struct leat_schema *r = NULL, *w = NULL;
    struct leat_error err = {0};
    cr_assert_eq(leat_schema_parse(leat_str_of(reader), &r, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_schema_parse(leat_str_of(writer), &w, &err), LEAT_OK, "%s", err.msg);
    why[0] = '\0';
    if (leat_schema_reads(r, w, &err) != LEAT_OK)
        (void)snprintf(why, sizeof why, "%s", err.msg);
    leat_schema_free(r);
    leat_schema_free(w);
    return why;
}

#define F(type)          RECORD("{\"name\": \"f\", \"type\": " type "}")
#define ENUM(name, more) "{\"type\": \"enum\", \"name\": \"" name "\", \"symbols\": [" more "}"

Test(compat, what_may_change)
{
    static const struct {
        const char *reader, *writer;
    } rows[] = {
        {F("\"long\""), F("\"int\"")},
        {F("\"double\""), F("\"float\"")},
        {F("[\"null\", \"int\"]"), F("\"int\"")},
        {F("[\"null\", \"long\"]"), F("[\"int\", \"null\"]")},
        {F("\"string\""), F("\"bytes\"")},
        {RECORD(""), F("\"int\"")},
        {RECORD("{\"name\": \"g\", \"type\": \"int\", \"default\": 1}"), F("\"int\"")},
        {RECORD("{\"name\": \"g\", \"aliases\": [\"f\"], \"type\": \"int\"}"), F("\"int\"")},
        {F(ENUM("E", "\"A\", \"B\"]")), F(ENUM("E", "\"A\"]"))},
        {F(ENUM("E", "\"A\"], \"default\": \"A\"")), F(ENUM("E", "\"A\", \"B\"]"))},
        {F("{\"type\": \"array\", \"items\": \"R\"}"),
         F("{\"type\": \"array\", \"items\": \"R\"}")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_str_eq(reads(rows[i].reader, rows[i].writer), "", "row %zu", i);
}

Test(compat, what_may_not_change_is_named)
{
    static const struct {
        const char *reader, *writer, *why;
    } rows[] = {
        {F("\"int\""), F("\"long\""), "field 'f': long can't be read as int"},
        {F("\"int\""), F("\"string\""), "field 'f': string can't be read as int"},
        {F("\"int\""), F("[\"null\", \"int\"]"), "field 'f': null can't be read as int"},
        {F("\"int\""), RECORD(""), "field 'f': not in the writer's schema and has no default"},
        {F(ENUM("E", "\"A\"]")), F(ENUM("E", "\"A\", \"B\"]")),
         "field 'f': symbol 'B' is not known to the reader"},
        {F(ENUM("E", "\"A\"]")), F(ENUM("D", "\"A\"]")),
         "field 'f': enum 'E' is called 'D' by the writer, and has no such alias"},
        {F("{\"type\": \"array\", \"items\": \"int\"}"),
         F("{\"type\": \"array\", \"items\": \"string\"}"),
         "field 'f[]': string can't be read as int"},
        {F("{\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 9, \"scale\": 3}"),
         F("{\"type\": \"bytes\", \"logicalType\": \"decimal\", \"precision\": 9, \"scale\": 2}"),
         "field 'f': decimal of scale 2 can't be read as scale 3"},
        {F("{\"type\": \"long\", \"logicalType\": \"timestamp-micros\"}"),
         F("{\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}"),
         "field 'f': timestamp-millis can't be read as timestamp-micros"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        cr_expect_str_eq(reads(rows[i].reader, rows[i].writer), rows[i].why);
}
