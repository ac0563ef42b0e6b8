/* hash.h - partitioning and cheap content hashes. Pure. */
#ifndef LEAT_BASE_HASH_H
#define LEAT_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "leat/str.h"

uint32_t leat_murmur2(const void *data, size_t len); /* Kafka's seed, 32 bit */
/* Kafka's default partition of a key: (murmur2 & 0x7fffffff) % partitions. */
int32_t leat_partition(struct leat_str key, int32_t partitions);
uint64_t leat_hash64(const void *data, size_t len,
                     uint64_t seed); /* tables, fingerprints; not for attackers */
void leat_sha256(const void *data, size_t len, uint8_t ret_digest[32]);

#endif
