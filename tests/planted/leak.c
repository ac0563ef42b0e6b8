/* leak.c - a Criterion test that passes either way; with LEAT_PLANTED it leaks. */
#include <criterion/criterion.h>
#include <stdlib.h>

Test(planted, leak)
{
    char *volatile kept = malloc(100);
    cr_assert_not_null(kept);
#ifndef LEAT_PLANTED
    free(kept);
#endif
    kept = NULL;
}
