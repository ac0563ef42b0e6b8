#include <criterion/criterion.h>

#include "base/hash.h"
#include "base/uuid.h"

/* Vectors of Kafka's own UtilsTest.testMurmur2. */
Test(hash, murmur2_is_kafkas)
{
    static const struct {
        const char *text;
        int32_t hash;
    } vectors[] = {
        {"21", -973932308},
        {"foobar", -790332482},
        {"a-little-bit-long-string", -985981536},
        {"a-little-bit-longer-string", -1486304829},
        {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
        {"abc", 479470107},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        cr_expect_eq((int32_t)leat_murmur2(vectors[i].text, strlen(vectors[i].text)),
                     vectors[i].hash, "%s", vectors[i].text);
}

Test(hash, partition_masks_the_sign_before_the_remainder)
{
    /* 0xc5f2a52c as unsigned is another remainder of 12 than its low 31 bits. */
    int32_t hash = -973932308;
    cr_assert_eq(leat_partition(LEAT_STR("21"), 12), (hash & 0x7fffffff) % 12);
    cr_assert_neq((uint32_t)hash % 12, (uint32_t)(hash & 0x7fffffff) % 12);
    for (int32_t n = 1; n < 50; n++) {
        int32_t k = leat_partition(LEAT_STR("foobar"), n);
        cr_assert(k >= 0 && k < n);
    }
}

Test(hash, hash64_depends_on_every_byte_and_the_seed)
{
    char text[64] = {0};
    for (size_t len = 1; len <= sizeof text; len++) {
        uint64_t before = leat_hash64(text, len, 1);
        cr_assert_neq(before, leat_hash64(text, len - 1, 1), "length %zu", len);
        cr_assert_neq(before, leat_hash64(text, len, 2), "seed at %zu", len);
        for (size_t i = 0; i < len; i++) {
            text[i] ^= 1;
            cr_assert_neq(before, leat_hash64(text, len, 1), "byte %zu of %zu", i, len);
            text[i] ^= 1;
        }
    }
}

Test(hash, sha256_of_abc)
{
    uint8_t digest[32];
    leat_sha256("abc", 3, digest);
    static const uint8_t first[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
    cr_assert_arr_eq(digest, first, sizeof first);
}

static const char *text_of(struct leat_uuid id)
{
    static char text[LEAT_UUID_TEXT];
    leat_uuid_format(&id, text);
    return text;
}

Test(uuid, v5_of_the_dns_space)
{
    struct leat_uuid dns;
    cr_assert(leat_uuid_parse(LEAT_STR("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), &dns));
    cr_expect_str_eq(text_of(leat_uuid_v5(&dns, "python.org", 10)),
                     "886313e1-3b8a-5372-9b90-0c9aee199e5d");
    cr_expect_str_eq(text_of(leat_uuid_v5(&dns, "www.example.com", 15)),
                     "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

Test(uuid, children_differ_by_processor_kind_and_index_and_are_stable)
{
    struct leat_uuid id = {{1, 2, 3}};
    struct leat_uuid a = leat_uuid_child(&id, LEAT_STR("orders"), 'e', 0);
    struct leat_uuid again = leat_uuid_child(&id, LEAT_STR("orders"), 'e', 0);
    cr_assert(leat_uuid_eq(&a, &again));
    struct leat_uuid others[] = {
        leat_uuid_child(&id, LEAT_STR("orders"), 'c', 0),
        leat_uuid_child(&id, LEAT_STR("orders"), 'e', 1),
        leat_uuid_child(&id, LEAT_STR("order"), 'e', 0),
        leat_uuid_child(&a, LEAT_STR("orders"), 'e', 0),
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        cr_expect_not(leat_uuid_eq(&a, &others[i]), "%zu", i);
}

Test(uuid, v4_and_v7_carry_their_version)
{
    cr_expect_eq(text_of(leat_uuid_v4())[14], '4');
    struct leat_uuid id = leat_uuid_v7(0x0123456789ab);
    cr_expect_eq(strncmp(text_of(id), "01234567-89ab-7", 15), 0, "%s", text_of(id));
    cr_expect_eq(id.b[8] & 0xc0, 0x80);
}

Test(uuid, parses_only_the_canonical_form_in_any_case)
{
    struct leat_uuid id = {{7}};
    cr_expect(leat_uuid_parse(LEAT_STR("886313E1-3b8a-5372-9b90-0c9aee199e5d"), &id));
    cr_expect_str_eq(text_of(id), "886313e1-3b8a-5372-9b90-0c9aee199e5d");
    static const char *const bad[] = {
        "", "886313e1-3b8a-5372-9b90-0c9aee199e5", "886313e1-3b8a-5372-9b90-0c9aee199e5dd",
        "886313e1x3b8a-5372-9b90-0c9aee199e5d", "886313e1-3b8a-5372-9b90-0c9aee199e5g"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct leat_uuid before = id;
        cr_expect_not(leat_uuid_parse(leat_str_of(bad[i]), &id), "%s", bad[i]);
        cr_expect(leat_uuid_eq(&id, &before), "untouched on failure");
    }
}
