/* uses: base cli */
/* Any bytes as rows of an import, CSV and JSONL: every row becomes well-formed JSON or is refused
 * with a code and a reason. */
#include <stdlib.h>

#include "base/json.h"
#include "cli/import_fields.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const char schema[] =
    "{\"type\":\"record\",\"name\":\"A\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"n\",\"type\":\"int\",\"default\":0},"
    "{\"name\":\"d\",\"type\":[\"null\",\"double\"]},{\"name\":\"b\",\"type\":\"boolean\","
    "\"default\":"
    "true},{\"name\":\"e\",\"type\":{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"x\",\"y\"]},"
    "\"default\":\"x\"},{\"name\":\"l\",\"type\":{\"type\":\"array\",\"items\":\"long\"},"
    "\"default\":[]}]}";

static void check_json(const struct leat_buf *json)
{
    struct leat_json_reader r;
    struct leat_json_token t;
    leat_json_reader_init(&r, leat_buf_str(json));
    do {
        if (leat_json_next(&r, &t, NULL) != LEAT_OK)
            abort();
    } while (t.kind != LEAT_JSON_END);
}

static void read_rows(struct leat_import_plan *plan, struct leat_str file, bool jsonl)
{
    static struct leat_csv csv;
    struct leat_buf json;
    leat_csv_init(&csv, ',');
    leat_buf_init(&json, 1 << 20);
    bool ready = jsonl;
    for (;;) {
        size_t used = 0;
        struct leat_csv_row row;
        struct leat_import_refusal why = {0};
        leat_csv_result how = jsonl ? leat_csv_next_line(&csv, file, true, &used, &row)
                                    : leat_csv_next(&csv, file, true, &used, &row);
        if (how == LEAT_CSV_END)
            break;
        file = (struct leat_str){file.at + used, file.len - (uint32_t)used};
        if (!ready) {
            if (leat_import_plan_header(plan, &row, NULL) != LEAT_OK)
                break;
            ready = true;
        } else if (leat_import_row(plan, &row, &json, &why)) {
            check_json(&json);
            (void)leat_import_row_id(plan);
        } else if (why.code == NULL || why.reason[0] == '\0') {
            abort();
        }
    }
    leat_buf_done(&json);
    leat_csv_done(&csv);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct leat_str ids[] = {LEAT_STR("id")};
    for (int jsonl = 0; jsonl < 2; jsonl++) {
        const struct leat_import_plan_options o = {.type = LEAT_STR("A"),
                                                   .schema = LEAT_STR(schema),
                                                   .key = LEAT_STR("id"),
                                                   .ids = ids,
                                                   .id_count = 1,
                                                   .ignore_unknown = n % 2 == 0};
        struct leat_import_plan *plan = NULL;
        if (leat_import_plan_new(&o, &plan, NULL) != LEAT_OK)
            abort();
        read_rows(plan, (struct leat_str){(const char *)bytes, (uint32_t)n}, jsonl == 1);
        leat_import_plan_free(plan);
    }
    return 0;
}
