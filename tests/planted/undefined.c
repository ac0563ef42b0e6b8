/* undefined.c - a Criterion test; with LEAT_PLANTED a signed addition overflows. */
#include <criterion/criterion.h>
#include <limits.h>

#ifdef LEAT_PLANTED
#define START INT_MAX
#else
#define START 1
#endif

Test(planted, undefined)
{
    volatile int n = START;
    n = n + 1;
    cr_assert(n != 0);
}
