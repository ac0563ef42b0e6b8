/* uses: base topology */
#include "topology/topology.h"

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libfyaml 0.7.12 loses a buffer of its reader in some texts it refuses. Of good ones the unit
 * tests see what is lost. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libfyaml.so";
}

/* Any text either loads, or is refused with at least one finding; nothing else happens. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65536)
        return 0;
    struct leat_topology *t = NULL;
    struct leat_report report = {0};
    struct leat_error err = {0};
    struct leat_buf text;
    struct leat_str yaml = {(const char *)data, (uint32_t)size};
    leat_buf_init(&text, 1 << 20);
    leat_status status =
        leat_topology_load_text("/nowhere/fuzz.yaml", yaml, false, &t, &report, &err);
    leat_assert((status == LEAT_OK) == (t != NULL));
    leat_assert((status == LEAT_OK) == (report.errors == 0));
    leat_assert(status == LEAT_OK || err.msg[0] != '\0');
    if (t != NULL) {
        leat_assert(t->partitions >= 1 && t->priorities.n >= 1 && t->name.len > 0);
        (void)leat_topology_unsupported(t, &report);
        (void)leat_topology_types(t, t->arena);
    }
    leat_report_text(&report, &text);
    leat_topology_free(t);
    leat_report_done(&report);
    leat_buf_done(&text);
    return 0;
}
