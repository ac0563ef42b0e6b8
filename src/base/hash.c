#include "base/hash.h"

#include <openssl/evp.h>
#include <string.h>

#include "base/status.h"

#define MURMUR2_SEED 0x9747b28cU
#define MURMUR2_M    0x5bd1e995U
#define MURMUR2_R    24

static uint32_t load32le(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

uint32_t leat_murmur2(const void *data, size_t len)
{
    const uint8_t *p = data;
    uint32_t h = MURMUR2_SEED ^ (uint32_t)len;
    size_t tail = len & 3;
    for (const uint8_t *end = p + (len - tail); p < end; p += 4) {
        uint32_t k = load32le(p) * MURMUR2_M;
        k ^= k >> MURMUR2_R;
        h = (h * MURMUR2_M) ^ (k * MURMUR2_M);
    }
    if (tail > 0) {
        for (size_t i = tail; i > 0; i--)
            h ^= (uint32_t)p[i - 1] << (8 * (i - 1));
        h *= MURMUR2_M;
    }
    h = (h ^ (h >> 13)) * MURMUR2_M;
    return h ^ (h >> 15);
}

int32_t leat_partition(struct leat_str key, int32_t partitions)
{
    leat_assert(partitions > 0);
    return (int32_t)((leat_murmur2(key.at, key.len) & 0x7fffffffU) % (uint32_t)partitions);
}

__extension__ typedef unsigned __int128 wide;

static uint64_t mix(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t load64(const uint8_t *p, size_t len)
{
    uint64_t v = 0;
    memcpy(&v, p, len);
    return v;
}

/* Multiply-and-fold over 16-byte steps: two loads and one multiplication per step. */
uint64_t leat_hash64(const void *data, size_t len, uint64_t seed)
{
    const uint64_t k0 = 0x9e3779b97f4a7c15ULL, k1 = 0xd6e8feb86659fd93ULL;
    const uint8_t *p = data;
    uint64_t h = mix(seed ^ k0, (uint64_t)len ^ k1);
    size_t left = len;
    for (; left >= 16; left -= 16, p += 16)
        h = mix(load64(p, 8) ^ h, load64(p + 8, 8) ^ k1);
    uint64_t a = 0, b = 0;
    if (left >= 8) {
        a = load64(p, 8);
        if (left > 8)
            b = load64(p + 8, left - 8);
    } else if (left > 0) {
        a = load64(p, left);
    }
    h = mix(a ^ h, b ^ k0);
    return mix(h ^ k1, k0);
}

void leat_sha256(const void *data, size_t len, uint8_t ret_digest[32])
{
    unsigned int out = 0;
    int ok = EVP_Digest(data, len, ret_digest, &out, EVP_sha256(), NULL);
    leat_assert(ok == 1 && out == 32);
}
