/* uses: base topology codec kafka store query cli */
#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/import_fields.h"
#include "cli/import_progress.h"
#include "cli/import_rejects.h"
#include "cli/import_source.h"
#include "codec/fields.h"

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"Add\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"string\"},"
    "{\"name\":\"n\",\"type\":\"int\"},"
    "{\"name\":\"big\",\"type\":[\"null\",\"long\"],\"default\":null},"
    "{\"name\":\"ratio\",\"type\":[\"double\",\"null\"]},"
    "{\"name\":\"yes\",\"type\":\"boolean\",\"default\":false},"
    "{\"name\":\"at\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},"
    "\"default\":0},"
    "{\"name\":\"day\",\"type\":[\"null\",{\"type\":\"int\",\"logicalType\":\"date\"}]},"
    "{\"name\":\"tier\",\"type\":[\"null\",{\"type\":\"enum\",\"name\":\"T\",\"symbols\":[\"hot\","
    "\"cold\"]}]},"
    "{\"name\":\"tags\",\"type\":{\"type\":\"array\",\"items\":\"string\"},\"default\":[]},"
    "{\"name\":\"note\",\"type\":\"string\"}]}";

static struct leat_import_plan *plan_with(struct leat_import_plan_options o)
{
    struct leat_error err = {0};
    struct leat_import_plan *p = NULL;
    o.type = LEAT_STR("Add");
    o.schema = LEAT_STR(schema);
    o.key = LEAT_STR("id");
    cr_assert_eq(leat_import_plan_new(&o, &p, &err), LEAT_OK, "%s", err.msg);
    return p;
}

static leat_status header(struct leat_import_plan *p, struct leat_str *fields, size_t n,
                          struct leat_error *err)
{
    return leat_import_plan_header(p, &(struct leat_csv_row){.fields = fields, .n = n, .line = 1},
                                   err);
}

/* The command that one row of the columns id,n,<column> becomes, or "code: reason". */
static void row_is(const char *column, const char *value, const char *want)
{
    struct leat_error err = {0};
    struct leat_import_plan *p = plan_with((struct leat_import_plan_options){0});
    struct leat_str names[] = {LEAT_STR("id"), LEAT_STR(" n "), leat_str_of(column)};
    struct leat_str values[] = {LEAT_STR("a"), LEAT_STR("1"), leat_str_of(value)};
    cr_assert_eq(header(p, names, 3, &err), LEAT_INVALID); /* note has no default */
    leat_import_plan_free(p);

    p = plan_with((struct leat_import_plan_options){0});
    struct leat_str all[] = {names[0], names[1], names[2], LEAT_STR("note")};
    struct leat_str row[] = {values[0], values[1], values[2], LEAT_STR("x \"y\"")};
    cr_assert_eq(header(p, all, 4, &err), LEAT_OK, "%s", err.msg);
    struct leat_buf json;
    struct leat_import_refusal why = {0};
    char got[1024];
    leat_buf_init(&json, 4096);
    if (leat_import_row(p, &(struct leat_csv_row){.fields = row, .n = 4}, &json, &why))
        (void)snprintf(got, sizeof got, "%.*s", (int)json.len, json.at);
    else
        (void)snprintf(got, sizeof got, "%s: %s", why.code, why.reason);
    char expected[1024];
    if (want[0] == '!')
        (void)snprintf(expected, sizeof expected, "%s", want + 1);
    else
        (void)snprintf(expected, sizeof expected,
                       "{\"id\":\"a\",\"n\":1%s,\"note\":\"x \\\"y\\\"\"}", want);
    cr_expect_str_eq(got, expected);
    leat_buf_done(&json);
    leat_import_plan_free(p);
}

Test(import, values_become_the_fields_type)
{
    row_is("big", "-9007199254740993", ",\"big\":-9007199254740993");
    row_is("big", " 7\t", ",\"big\":7");
    row_is("big", "", "");
    row_is("ratio", "2.5e3", ",\"ratio\":2.5e3");
    row_is("ratio", "", ",\"ratio\":null");
    row_is("yes", "TRUE", ",\"yes\":true");
    row_is("yes", "0", ",\"yes\":false");
    row_is("at", "1700000000000", ",\"at\":1700000000000");
    row_is("at", "2026-03-01T10:00:00+01:00", ",\"at\":1772355600000");
    row_is("day", "2026-03-01", ",\"day\":20513");
    row_is("day", "20513", ",\"day\":20513");
    row_is("day", "", ",\"day\":null");
    row_is("tier", "hot", ",\"tier\":\"hot\"");
    row_is("tags", "[\"a\",\"b\"]", ",\"tags\":[\"a\",\"b\"]");
    row_is("tags", "", "");
}

Test(import, what_does_not_fit_is_refused_with_column_and_value)
{
    row_is("big", "ten", "!type: column big: 'ten' is no whole number");
    row_is("big", "1.5", "!type: column big: '1.5' is no whole number");
    row_is("big", "9223372036854775808",
           "!type: column big: '9223372036854775808' does not fit 64 "
           "bits");
    row_is("at", "2026-03-01",
           "!type: column at: '2026-03-01' is no time, like 2026-03-01T10:00:00Z or a number since "
           "1970");
    row_is("day", "2026-02-29",
           "!type: column day: '2026-02-29' is no date, like 2026-03-01 or a number of days since "
           "1970");
    row_is("ratio", "1,5", "!type: column ratio: '1,5' is no number");
    row_is("yes", "maybe", "!type: column yes: 'maybe' is neither true nor false");
    row_is("tier", "hit",
           "!type: column tier: 'hit' is none of the values allowed (did you mean "
           "'hot'?)");
    row_is("tags", "[a]", "!type: column tags: '[a]' is not JSON");
    row_is("big", "\xff", "!utf8: column big: not UTF-8");
    row_is("big", "0123456789012345678901234567890123456789xyz",
           "!type: column big: '0123456789012345678901234567890123456789' does not fit 64 bits");
}

Test(import, header_mistakes_are_named)
{
    struct leat_error err = {0};
    struct leat_str unknown[] = {LEAT_STR("id"), LEAT_STR("n"), LEAT_STR("nte")};
    struct leat_import_plan *p = plan_with((struct leat_import_plan_options){0});
    cr_assert_eq(header(p, unknown, 3, &err), LEAT_INVALID);
    cr_expect_str_eq(err.msg, "header: Add has no field 'nte'");
    cr_expect_str_eq(err.hint, "Did you mean 'note'?");
    leat_import_plan_free(p);

    struct leat_str twice[] = {LEAT_STR("id"), LEAT_STR("id")};
    p = plan_with((struct leat_import_plan_options){0});
    cr_assert_eq(header(p, twice, 2, &err), LEAT_INVALID);
    cr_expect_str_eq(err.msg, "header: two columns for the field 'id'");
    leat_import_plan_free(p);

    struct leat_str missing[] = {LEAT_STR("n"), LEAT_STR("note")};
    p = plan_with((struct leat_import_plan_options){0});
    cr_assert_eq(header(p, missing, 2, &err), LEAT_INVALID);
    cr_expect_str_eq(err.msg, "no column for the field 'id' of Add");
    leat_import_plan_free(p);
}

Test(import, columns_can_be_renamed_and_left_out)
{
    struct leat_error err = {0};
    const struct leat_import_map map = {LEAT_STR("Lead No"), LEAT_STR("id")};
    struct leat_import_plan *p = plan_with(
        (struct leat_import_plan_options){.maps = &map, .map_count = 1, .ignore_unknown = true});
    struct leat_str names[] = {LEAT_STR("Lead No"), LEAT_STR("other"), LEAT_STR("n"),
                               LEAT_STR("note")};
    struct leat_str row[] = {LEAT_STR("k"), LEAT_STR("\xff"), LEAT_STR("2"), LEAT_STR("")};
    cr_assert_eq(header(p, names, 4, &err), LEAT_OK, "%s", err.msg);
    struct leat_buf json;
    struct leat_import_refusal why;
    leat_buf_init(&json, 4096);
    cr_assert(leat_import_row(p, &(struct leat_csv_row){.fields = row, .n = 4}, &json, &why));
    cr_expect(leat_str_eq(leat_buf_str(&json), LEAT_STR("{\"id\":\"k\",\"n\":2,\"note\":\"\"}")));
    row[0] = LEAT_STR(" ");
    cr_assert_not(leat_import_row(p, &(struct leat_csv_row){.fields = row, .n = 4}, &json, &why));
    cr_expect_str_eq(why.reason, "column Lead No: empty, but it is the key");
    cr_assert_not(leat_import_row(p, &(struct leat_csv_row){.fields = row, .n = 3}, &json, &why));
    cr_expect_str_eq(why.reason, "3 fields, the header has 4: none for column note");
    struct leat_str wide[] = {row[0], row[1], row[2], row[3], LEAT_STR("too")};
    cr_assert_not(leat_import_row(p, &(struct leat_csv_row){.fields = wide, .n = 5}, &json, &why));
    cr_expect_str_eq(why.reason, "5 fields, the header has 4: no column for 'too'");
    struct leat_csv_row broken = {.problem = LEAT_CSV_AFTER_QUOTE, .problem_field = 3};
    cr_assert_not(leat_import_row(p, &broken, &json, &why));
    cr_expect_str_eq(why.reason, "column note: text after a closing quote");
    broken.problem_field = 4;
    cr_assert_not(leat_import_row(p, &broken, &json, &why));
    cr_expect_str_eq(why.reason, "field 5: text after a closing quote");
    struct leat_str column;
    cr_expect(leat_import_column(p, LEAT_STR("id"), &column));
    cr_expect(leat_str_eq(column, LEAT_STR("Lead No")));
    cr_expect_not(leat_import_column(p, LEAT_STR("tags"), &column));
    leat_buf_done(&json);
    leat_import_plan_free(p);
}

static void line_is(struct leat_import_plan *p, const char *line, const char *want)
{
    struct leat_buf json;
    struct leat_import_refusal why = {0};
    leat_buf_init(&json, 4096);
    bool good = leat_import_row(p, &(struct leat_csv_row){.raw = leat_str_of(line)}, &json, &why);
    char got[512];
    (void)snprintf(got, sizeof got, "%.*s", good ? (int)json.len : (int)strlen(why.reason),
                   good ? json.at : why.reason);
    cr_expect(strncmp(got, want, strlen(want)) == 0, "'%s' is not '%s'", got, want);
    leat_buf_done(&json);
}

Test(import, a_value_that_only_the_schema_refuses_is_found)
{
    struct leat_error err = {0};
    struct leat_schema *s = NULL;
    cr_assert_eq(leat_schema_parse(LEAT_STR(schema), &s, &err), LEAT_OK, "%s", err.msg);
    struct leat_str field =
        leat_schema_misfit(s, LEAT_STR("{\"id\":\"a\",\"n\":1,\"tags\":[\"x\",2],\"note\":\"\"}"));
    cr_expect(leat_str_eq(field, LEAT_STR("tags")));
    cr_expect_eq(leat_schema_misfit(s, LEAT_STR("{\"id\":\"a\",\"tags\":[]}")).len, 0);
    leat_schema_free(s);
}

Test(import, jsonl_lines)
{
    const struct leat_str ids[] = {LEAT_STR("id")};
    struct leat_import_plan *p =
        plan_with((struct leat_import_plan_options){.ids = ids, .id_count = 1});
    line_is(p, " {\"id\": \"a\", \"tags\": [1, 2] } ", "{\"id\":\"a\",\"tags\":[1, 2]}");
    struct leat_uuid a = leat_import_row_id(p);
    line_is(p, "{\"n\":1,\"id\":\"a\"}", "{\"n\":1,\"id\":\"a\"}");
    struct leat_uuid again = leat_import_row_id(p);
    cr_expect(leat_uuid_eq(&a, &again), "the id is made from the field alone");
    line_is(p, "{\"id\":\"b\"}", "{\"id\":\"b\"}");
    struct leat_uuid b = leat_import_row_id(p);
    cr_expect_not(leat_uuid_eq(&a, &b));
    line_is(p, "{\"id\":\"11111111-2222-5333-8444-555555555555\"}", "{\"id\"");
    struct leat_uuid own = leat_import_row_id(p);
    cr_expect_eq(own.b[0], 0x11, "a UUID is taken as it is");

    line_is(p, "[1]", "not a JSON object");
    line_is(p, "{\"id\":\"a\"", "");
    line_is(p, "{\"id\":\"a\"} x", "");
    line_is(p, "{\"idd\":\"a\"}", "unknown field 'idd' (did you mean 'id'?)");
    line_is(p, "{\"id\":\"\"}", "id is empty, but it is the key");
    line_is(p, "{\"id\":null}", "id is empty, but it is the key");
    line_is(p, "{}", "id is empty, but it is the key");
    leat_import_plan_free(p);
}

Test(import, progress_is_kept_whole)
{
    char path[] = "/tmp/leat-progress-XXXXXX";
    struct leat_error err = {0};
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    (void)close(fd);
    struct leat_import_progress p = {.command = "CreateLead",
                                     .bytes = 10,
                                     .modified_ms = 11,
                                     .offset = 5,
                                     .line = 2,
                                     .rejects_bytes = 7,
                                     .id = leat_uuid_v4(),
                                     .finished = true};
    p.counts.rows = 4;
    p.counts.sent = 3;
    leat_import_count_refusal(&p.counts, "utf8");
    cr_assert_eq(leat_import_progress_save(path, &p, &err), LEAT_OK, "%s", err.msg);
    struct leat_import_progress q = {0};
    cr_assert_eq(leat_import_progress_load(path, &q, &err), LEAT_OK, "%s", err.msg);
    cr_expect_str_eq(q.command, p.command);
    cr_expect_eq(memcmp(&q.counts, &p.counts, sizeof q.counts), 0);
    cr_expect(leat_uuid_eq(&q.id, &p.id) && q.finished && q.offset == 5 && q.rejects_bytes == 7);

    FILE *f = fopen(path, "w");
    cr_assert(f != NULL && fputs("{\"command\": 1", f) >= 0 && fclose(f) == 0);
    cr_expect_eq(leat_import_progress_load(path, &q, &err), LEAT_INVALID);
    (void)unlink(path);
    cr_expect_eq(leat_import_progress_load(path, &q, &err), LEAT_ABSENT);
}

Test(import, rejects_go_back_with_the_progress)
{
    char path[] = "/tmp/leat-rejects-XXXXXX.csv";
    struct leat_error err = {0};
    struct leat_import_rejects r;
    int fd = mkstemps(path, 4);
    cr_assert_geq(fd, 0);
    (void)close(fd);
    const struct leat_csv_row row = {.raw = LEAT_STR("a,\"b\n\""), .line = 3};
    const struct leat_import_refusal why = {"type", "column \"x\""};
    int64_t one = 0, two = 0;
    cr_assert_eq(leat_import_rejects_open(&r, path, 0, &err), LEAT_OK);
    cr_assert_eq(leat_import_rejects_add(&r, &row, &why, &err), LEAT_OK);
    cr_assert_eq(leat_import_rejects_flush(&r, &one, &err), LEAT_OK);
    cr_assert_eq(leat_import_rejects_add(&r, &row, &why, &err), LEAT_OK);
    cr_assert_eq(leat_import_rejects_flush(&r, &two, &err), LEAT_OK);
    leat_import_rejects_close(&r);

    cr_assert_eq(leat_import_rejects_open(&r, path, one, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(leat_import_rejects_add(&r, &row, &why, &err), LEAT_OK);
    leat_import_rejects_close(&r);
    char text[512] = "";
    FILE *f = fopen(path, "r");
    cr_assert_not_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    (void)unlink(path);
    cr_expect_eq((int64_t)n, two);
    const char *line = "3,type,\"column \"\"x\"\"\",\"a,\"\"b\n\"\"\"\r\n";
    char want[512];
    (void)snprintf(want, sizeof want, "line,code,reason,row\r\n%s%s", line, line);
    cr_expect_str_eq(text, want);
}

Test(import, reading_goes_on_at_any_row)
{
    char path[] = "/tmp/leat-source-XXXXXX";
    struct leat_error err = {0};
    struct leat_import_source s;
    struct leat_csv_row row;
    bool end = false;
    int fd = mkstemp(path);
    const char *text = "a,b\n1,\"2\n\"\n3,4\n";
    cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    (void)close(fd);
    cr_assert_eq(leat_import_source_open(&s, path, false, ',', &err), LEAT_OK, "%s", err.msg);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(leat_import_source_next(&s, &row, &end, &err), LEAT_OK);
    int64_t offset = row.offset, line = row.line;
    cr_expect_eq(line, 4);
    cr_assert_eq(leat_import_source_next(&s, &row, &end, &err), LEAT_OK);
    cr_expect(end);
    cr_assert_eq(leat_import_source_seek(&s, offset, line, &err), LEAT_OK);
    cr_assert_eq(leat_import_source_next(&s, &row, &end, &err), LEAT_OK);
    cr_expect(!end && leat_str_eq(row.fields[0], LEAT_STR("3")));
    uint8_t one[32], two[32];
    cr_assert_eq(leat_import_source_digest(&s, one, &err), LEAT_OK);
    cr_assert_eq(leat_import_source_digest(&s, two, &err), LEAT_OK);
    cr_expect_arr_eq(one, two, 32);
    leat_import_source_close(&s);
    (void)unlink(path);
    cr_expect_eq(leat_import_source_open(&s, "/dev/null", false, ',', &err), LEAT_INVALID);
}
