/* uses: base cli */
#include <criterion/criterion.h>
#include <stdio.h>

#include "cli/csv.h"

/* Everything a file gives, as text: fields in [..|..], refused rows as !problem, lines before. */
static void read_all(struct leat_str file, size_t step, char *out, size_t out_bytes)
{
    static struct leat_csv c;
    leat_csv_init(&c, ',');
    size_t from = 0, to = step == 0 ? file.len : 0, n = 0;
    for (;;) {
        size_t used = 0;
        struct leat_csv_row row;
        struct leat_str window = {file.at + from, (uint32_t)(to - from)};
        leat_csv_result how = leat_csv_next(&c, window, to == file.len, &used, &row);
        from += used;
        cr_assert_leq(from, to);
        cr_assert_eq(c.offset, (int64_t)from);
        if (how == LEAT_CSV_END)
            break;
        if (how == LEAT_CSV_MORE) {
            cr_assert_lt(to, file.len, "MORE at the end of the file");
            to = to + step > file.len ? file.len : to + step;
            continue;
        }
        n += (size_t)snprintf(out + n, out_bytes - n, "%ld", (long)row.line);
        if (how == LEAT_CSV_BAD) {
            n += (size_t)snprintf(out + n, out_bytes - n, "!%d ", (int)row.problem);
            continue;
        }
        for (size_t i = 0; i < row.n; i++)
            n += (size_t)snprintf(out + n, out_bytes - n, "%c%.*s", i == 0 ? '[' : '|',
                                  LEAT_STR_FMT(row.fields[i]));
        n += (size_t)snprintf(out + n, out_bytes - n, "] ");
    }
    cr_assert_eq(from, file.len, "%zu bytes of %u were read", from, file.len);
    leat_csv_done(&c);
}

static void expect(const char *file, const char *want)
{
    char whole[4096] = "";
    read_all(leat_str_of(file), 0, whole, sizeof whole);
    cr_expect_str_eq(whole, want, "%s", whole);
    for (size_t step = 1; step < 8; step++) {
        char pieces[4096] = "";
        read_all(leat_str_of(file), step, pieces, sizeof pieces);
        cr_expect_str_eq(pieces, want, "in steps of %zu: %s", step, pieces);
    }
}

Test(csv, plain_rows_and_every_line_end)
{
    expect("a,b\nc,d\r\ne,f\rg,h", "1[a|b] 2[c|d] 3[e|f] 4[g|h] ");
}

Test(csv, empty_fields_and_a_delimiter_at_the_end)
{
    expect(",\na,\n,b\n,", "1[|] 2[a|] 3[|b] 4[|] ");
}

Test(csv, byte_order_mark_and_empty_lines_are_skipped_and_counted)
{
    expect("\xef\xbb\xbf\r\n\na,b\n\r\n\nc,d\n\n", "3[a|b] 6[c|d] ");
}

Test(csv, quotes_line_ends_and_delimiters_in_quoted_fields)
{
    expect("\"a,b\",\"c\nd\r\ne\"\n\"\",\"f\"\"g\"\"\"\nh,i\n",
           "1[a,b|c\nd\r\ne] 4[|f\"g\"] 5[h|i] ");
}

Test(csv, several_doubled_quotes_in_one_row_do_not_disturb_each_other)
{
    expect("\"a\"\"a\",\"b\"\"b\",\"c\"\"c\"\n", "1[a\"a|b\"b|c\"c] ");
}

Test(csv, a_quote_inside_an_unquoted_field_is_a_character)
{
    expect("5\" sign, \"x\"\n", "1[5\" sign| \"x\"] ");
}

Test(csv, text_after_a_closing_quote_costs_that_line_only)
{
    expect("\"a\"b,c\nd,e\n", "1!1 2[d|e] ");
    expect("\"a\nb\"c,d\ne,f\n", "1!1 2[b\"c|d] 3[e|f] ");
}

Test(csv, a_quote_never_closed_costs_one_line)
{
    expect("x,\"a\nb,c\nd,e", "1!2 2[b|c] 3[d|e] ");
}

Test(csv, an_empty_file_and_a_lone_quote)
{
    expect("", "");
    expect("\xef\xbb\xbf", "");
    expect("\"", "1!2 ");
    expect("\"\"", "1[] ");
}

Test(csv, a_field_over_the_limit_is_refused_and_the_next_row_read)
{
    static char file[LEAT_CSV_FIELD_BYTES_MAX + 64];
    memset(file, 'x', sizeof file);
    memcpy(file, "a,", 2);
    memcpy(file + sizeof file - 10, "\nb,c\n", 6);
    char out[64] = "";
    read_all(leat_str_of(file), 0, out, sizeof out);
    cr_expect_str_eq(out, "1!3 2[b|c] ");
}

Test(csv, a_line_longer_than_any_window_is_passed_in_pieces)
{
    static char file[3 * LEAT_CSV_ROW_BYTES_MAX];
    memset(file, ',', sizeof file);
    memcpy(file + sizeof file - 6, "\nb,c\n", 6);
    char out[64] = "";
    read_all(leat_str_of(file), LEAT_CSV_ROW_BYTES_MAX / 2, out, sizeof out);
    cr_expect_str_eq(out, "1!5 2[b|c] ");
}

Test(csv, raw_is_the_row_as_it_stands_and_offsets_lead_back_to_it)
{
    static struct leat_csv c;
    leat_csv_init(&c, ';');
    const char *file = "a;b\r\n\"c\n\";d\n";
    struct leat_csv_row row;
    size_t used = 0;
    cr_assert_eq(leat_csv_next(&c, leat_str_of(file), true, &used, &row), LEAT_CSV_ROW);
    cr_assert(leat_str_eq(row.raw, LEAT_STR("a;b")));
    struct leat_str rest = leat_str_of(file + used);
    cr_assert_eq(leat_csv_next(&c, rest, true, &used, &row), LEAT_CSV_ROW);
    cr_assert(leat_str_eq(row.raw, LEAT_STR("\"c\n\";d")));
    cr_assert_eq(row.offset, 5);
    cr_assert_eq(row.line, 2);
    leat_csv_done(&c);
}

Test(csv, lines_of_a_jsonl_file)
{
    static struct leat_csv c;
    leat_csv_init(&c, ',');
    struct leat_str file = LEAT_STR("\xef\xbb\xbf{\"a\":1}\r\n  \n\n{\"b\":\"x\"}");
    struct leat_csv_row row;
    size_t used = 0, from = 0;
    cr_assert_eq(leat_csv_next_line(&c, file, true, &used, &row), LEAT_CSV_ROW);
    cr_assert(leat_str_eq(row.raw, LEAT_STR("{\"a\":1}")));
    from += used;
    struct leat_str rest = {file.at + from, file.len - (uint32_t)from};
    cr_assert_eq(leat_csv_next_line(&c, rest, false, &used, &row), LEAT_CSV_MORE);
    from += used;
    rest = (struct leat_str){file.at + from, file.len - (uint32_t)from};
    cr_assert_eq(leat_csv_next_line(&c, rest, true, &used, &row), LEAT_CSV_ROW);
    cr_assert(leat_str_eq(row.raw, LEAT_STR("{\"b\":\"x\"}")));
    cr_assert_eq(row.line, 4);
    from += used;
    rest = (struct leat_str){file.at + from, file.len - (uint32_t)from};
    cr_assert_eq(leat_csv_next_line(&c, rest, true, &used, &row), LEAT_CSV_END);
    leat_csv_done(&c);
}
