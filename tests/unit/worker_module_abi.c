/* The ABI number of a module is read from its file: this program carries one, as a module does. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "leat/abi.h"
#include "worker/module_abi.h"

LEAT_ABI_NOTE(unit_test);

#define SELF "/proc/self/exe"

static char path[] = "/tmp/leat-abi-XXXXXX";
static unsigned char *image;
static size_t image_bytes;

static void begin(void)
{
    FILE *f = fopen(SELF, "re");
    cr_assert_not_null(f);
    image = malloc(16 << 20);
    image_bytes = fread(image, 1, 16 << 20, f);
    (void)fclose(f);
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    (void)close(fd);
}

static void end(void)
{
    (void)unlink(path);
    free(image);
}

TestSuite(worker_module_abi, .init = begin, .fini = end);

static void write_file(size_t bytes)
{
    FILE *f = fopen(path, "we");
    cr_assert_not_null(f);
    cr_assert_eq(fwrite(image, 1, bytes, f), bytes);
    cr_assert_eq(fclose(f), 0);
}

/* Where the number of the note above lies in the file. */
static size_t number_at(void)
{
    static const char note[] = {5, 0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 'l', 'e', 'a', 't', 0};
    for (size_t i = 0; i + sizeof note < image_bytes; i++)
        if (i % 4 == 0 && memcmp(image + i, note, sizeof note) == 0)
            return i + 20;
    cr_assert_fail("the program carries no note");
    abort();
}

Test(worker_module_abi, the_number_is_read)
{
    struct leat_error err = {0};
    uint32_t abi = 0;
    cr_assert_eq(leat_module_abi(SELF, &abi, &err), LEAT_OK, "%s", err.msg);
    cr_assert_eq(abi, LEAT_ABI);
    cr_assert_eq(leat_module_abi_check(SELF, &err), LEAT_OK, "%s", err.msg);
}

Test(worker_module_abi, another_number_is_refused)
{
    struct leat_error err = {0};
    char text[256];
    image[number_at()] = LEAT_ABI + 1;
    write_file(image_bytes);
    cr_assert_eq(leat_module_abi_check(path, &err), LEAT_INVALID);
    (void)snprintf(text, sizeof text, "module '%s' was compiled for ABI %d; this leat has ABI %d",
                   path, LEAT_ABI + 1, LEAT_ABI);
    cr_assert_str_eq(err.msg, text);
}

Test(worker_module_abi, a_file_without_a_number_is_refused)
{
    struct leat_error err = {0};
    image[number_at() - 8] = 'x';
    write_file(image_bytes);
    cr_assert_eq(leat_module_abi_check(path, &err), LEAT_INVALID);
    cr_assert_not_null(strstr(err.msg, "has no ABI number"));
    cr_assert_eq(leat_module_abi_check("/nonexistent/x.so", &err), LEAT_INVALID);
    cr_assert_eq(leat_module_abi_check("/", &err), LEAT_INVALID);
}

Test(worker_module_abi, a_cut_file_has_its_number_or_is_refused)
{
    struct leat_error err = {0};
    for (size_t bytes = 0; bytes < 4096; bytes += 7) {
        uint32_t abi = 0;
        write_file(bytes);
        if (leat_module_abi(path, &abi, &err) == LEAT_OK)
            cr_assert(abi == 0 || abi == LEAT_ABI, "cut at %zu: %u", bytes, abi);
    }
}

Test(worker_module_abi, no_byte_of_the_heads_misleads_beyond_the_file)
{
    struct leat_error err = {0};
    size_t number = number_at();
    for (size_t i = 0; i < 1024; i++) {
        uint32_t abi = 0;
        if (i >= number && i < number + 4)
            continue;
        unsigned char kept = image[i];
        image[i] = 0xff;
        write_file(image_bytes < 8192 ? image_bytes : 8192);
        leat_status status = leat_module_abi(path, &abi, &err);
        image[i] = kept;
        cr_assert(status == LEAT_OK || status == LEAT_INVALID);
        cr_assert(abi == 0 || abi == LEAT_ABI, "byte %zu: %u", i, abi);
    }
}
