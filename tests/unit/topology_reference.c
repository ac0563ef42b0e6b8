#include <criterion/criterion.h>
#include <stdio.h>

#include "base/buf.h"
#include "topology/keys.h"
#include "topology/topology.h"

/* `leat options --topology > docs/reference/topology.md` writes it again. */
Test(reference, the_page_in_the_tree_is_what_the_table_prints)
{
    static char page[200000];
    FILE *f = fopen(LEAT_SOURCE_DIR "/docs/reference/topology.md", "rb");
    cr_assert_not_null(f);
    size_t n = fread(page, 1, sizeof page - 1, f);
    (void)fclose(f);
    page[n] = '\0';
    struct leat_buf b;
    leat_buf_init(&b, sizeof page);
    leat_topology_reference(&b);
    leat_buf_putc(&b, '\0');
    cr_expect_str_eq(b.at, page);
    leat_buf_done(&b);
}

Test(reference, no_key_stands_twice_in_a_section_and_none_is_called_on)
{
    for (size_t i = 0; i < leat_key_count; i++) {
        const struct leat_key *k = &leat_keys[i];
        cr_expect_eq(leat_key_find(k->section, leat_str_of(k->name)), k, "%s", k->name);
        cr_expect_str_neq(k->name, "on", "YAML 1.1 readers take it for true");
        cr_expect(k->doc[0] != '\0', "%s", k->name);
    }
}
