/* fuzzed.c - a fuzz target; with LEAT_PLANTED the input "!!" makes it read past its end. */
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    volatile uint8_t seen = 0;
    if (n == 2 && bytes[0] == '!' && bytes[1] == '!') {
#ifdef LEAT_PLANTED
        seen = bytes[n];
#else
        seen = bytes[n - 1];
#endif
    }
    (void)seen;
    return 0;
}
