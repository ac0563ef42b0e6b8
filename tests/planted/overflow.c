/* overflow.c - a Criterion test; with LEAT_PLANTED it reads one byte past an allocation. */
#include <criterion/criterion.h>
#include <stdlib.h>

#ifdef LEAT_PLANTED
#define READ_AT 100
#else
#define READ_AT 99
#endif

Test(planted, overflow)
{
    char *bytes = calloc(100, 1);
    cr_assert_not_null(bytes);
    volatile size_t at = READ_AT;
    volatile char seen = bytes[at];
    (void)seen;
    free(bytes);
}
