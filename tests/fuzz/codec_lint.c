/* uses: base codec */
/* Any bytes as a schema file: every finding stands inside the text, and what is found right and is
 * read by the parser can be read by itself. */
#include <stdint.h>
#include <stdlib.h>

#include "codec/compare.h"
#include "codec/lint.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void found(void *arg, const struct leat_lint_finding *f)
{
    const struct leat_str *text = arg;
    uint32_t lines = 1;
    for (uint32_t i = 0; i < text->len; i++)
        lines += text->at[i] == '\n' ? 1 : 0;
    if (f->line < 1 || f->line > lines || f->column < 1 || f->column > text->len + 1 ||
        f->message[0] == '\0')
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const struct leat_str files[] = {{"Line", 4}};
    struct leat_str text = {n == 0 ? "" : (const char *)bytes, (uint32_t)n};
    const struct leat_lint lint = {
        .type = "R", .record = true, .files = files, .file_count = 1, .found = found, .arg = &text};
    struct leat_schema *s = NULL;
    struct leat_error err = {0};
    if (leat_schema_lint(&lint, text) > 0)
        return 0;
    if (leat_schema_parse(text, &s, &err) != LEAT_OK)
        return 0; /* its bounds, and types of other files */
    if (leat_schema_reads(s, s, &err) != LEAT_OK)
        abort();
    leat_schema_free(s);
    return 0;
}
