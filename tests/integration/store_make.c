/* uses: base store */
/* Makes a store for tests in other languages. usage: integration_store_make URL SCHEMA PARTITIONS
 */
#include <stdio.h>
#include <stdlib.h>

#include "store/store.h"

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    static const char *const processors[] = {"a"};
    struct leat_store_options o = {.url = argv[1], .schema = argv[2]};
    struct leat_store_layout layout = {(int32_t)strtol(argv[3], NULL, 10), processors, 1};
    struct leat_store *s = NULL;
    struct leat_error err = {0};
    leat_status status = leat_store_open(&o, &s, &err);
    if (status == LEAT_OK)
        status = leat_store_migrate(s, &layout, NULL, NULL, &err);
    if (status != LEAT_OK)
        (void)fprintf(stderr, "%s\n", err.msg);
    leat_store_close(s);
    return status == LEAT_OK ? 0 : 1;
}
