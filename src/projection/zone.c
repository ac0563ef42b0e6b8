#include "projection/zone.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Zone files (RFC 8536): header, a 32-bit block for old readers, header, a 64-bit block, a footer
 * with the rule for times after the last transition, which is not read: files carry explicit
 * transitions up to 2037 and the last one holds on. */
#define ZONE_FOLDER     "/usr/share/zoneinfo"
#define ZONE_BYTES_MAX  ((size_t)64 * 1024)
#define ZONES_MAX       64
#define HEADER_BYTES    44
#define TYPE_BYTES      6
#define OFFSET_S_LIMIT  (26 * 3600)
#define ZONE_NAME_BYTES 64

struct leat_zone {
    char name[ZONE_NAME_BYTES];
    int64_t *at; /* times from which offset[i] holds */
    int32_t *offset;
    size_t n;
    int32_t first; /* before the first transition */
};

struct block {
    const uint8_t *times, *kinds, *types;
    uint32_t n_times, n_types;
};

static pthread_mutex_t zones_lock = PTHREAD_MUTEX_INITIALIZER;
static struct leat_zone zones[ZONES_MAX];
static size_t zone_count;

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const uint8_t *p)
{
    return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

/* Reads a header and the places of its block; the block's length in all, 0 when it is damaged. */
static size_t read_block(const uint8_t *p, size_t left, size_t time_bytes, struct block *ret)
{
    if (left < HEADER_BYTES || memcmp(p, "TZif", 4) != 0)
        return 0;
    uint32_t n[6];
    for (int i = 0; i < 6; i++) {
        n[i] = be32(p + 20 + (ptrdiff_t)4 * i); /* isutc isstd leap time type char */
        if (n[i] > ZONE_BYTES_MAX)
            return 0;
    }
    ret->n_times = n[3];
    ret->n_types = n[4];
    ret->times = p + HEADER_BYTES;
    ret->kinds = ret->times + n[3] * time_bytes;
    ret->types = ret->kinds + n[3];
    size_t bytes = HEADER_BYTES + n[3] * (time_bytes + 1) + n[4] * (size_t)TYPE_BYTES + n[5] +
                   n[2] * (time_bytes + 4) + n[1] + n[0];
    return bytes <= left && n[4] > 0 ? bytes : 0;
}

static bool fill_zone(const struct block *b, struct leat_zone *z)
{
    z->n = b->n_times;
    z->at = calloc(z->n + 1, sizeof *z->at);
    z->offset = calloc(z->n + 1, sizeof *z->offset);
    if (z->at == NULL || z->offset == NULL)
        return false;
    z->first = (int32_t)be32(b->types);
    for (size_t i = 0; i < z->n; i++) {
        uint8_t kind = b->kinds[i];
        if (kind >= b->n_types)
            return false;
        z->at[i] = be64(b->times + 8 * i);
        z->offset[i] = (int32_t)be32(b->types + (size_t)kind * TYPE_BYTES);
        if (abs(z->offset[i]) > OFFSET_S_LIMIT || (i > 0 && z->at[i] < z->at[i - 1]))
            return false;
    }
    return true;
}

static bool parse_zone(const uint8_t *bytes, size_t len, struct leat_zone *z)
{
    struct block b;
    size_t old = read_block(bytes, len, 4, &b);
    if (old == 0 || read_block(bytes + old, len - old, 8, &b) == 0)
        return false;
    if (fill_zone(&b, z))
        return true;
    free(z->at);
    free(z->offset);
    return false;
}

static bool name_allowed(const char *name)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-/";
    size_t len = strlen(name);
    return len > 0 && len < ZONE_NAME_BYTES && name[0] != '/' && strspn(name, allowed) == len;
}

static bool read_zone(const char *name, struct leat_zone *z)
{
    char path[sizeof ZONE_FOLDER + ZONE_NAME_BYTES + 1];
    (void)snprintf(path, sizeof path, "%s/%s", ZONE_FOLDER, name);
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return false;
    uint8_t *bytes = malloc(ZONE_BYTES_MAX);
    size_t len = bytes == NULL ? 0 : fread(bytes, 1, ZONE_BYTES_MAX, f);
    (void)fclose(f);
    bool good = len > 0 && parse_zone(bytes, len, z);
    free(bytes);
    if (good)
        (void)snprintf(z->name, sizeof z->name, "%s", name);
    return good;
}

static const struct leat_zone *find_or_read(const char *name)
{
    for (size_t i = 0; i < zone_count; i++) {
        if (strcmp(zones[i].name, name) == 0)
            return &zones[i];
    }
    if (zone_count == ZONES_MAX || !read_zone(name, &zones[zone_count]))
        return NULL;
    return &zones[zone_count++];
}

leat_status leat_zone_load(const char *name, const struct leat_zone **ret, struct leat_error *err)
{
    if (name == NULL || strcmp(name, "UTC") == 0) {
        *ret = NULL;
        return LEAT_OK;
    }
    const struct leat_zone *zone = NULL;
    if (name_allowed(name)) {
        (void)pthread_mutex_lock(&zones_lock);
        zone = find_or_read(name);
        (void)pthread_mutex_unlock(&zones_lock);
    }
    if (zone == NULL) {
        return leat_fail(err, LEAT_INVALID, "could not load time zone '%s' from %s", name,
                         ZONE_FOLDER);
    }
    *ret = zone;
    return LEAT_OK;
}

int32_t leat_zone_offset(const struct leat_zone *zone, int64_t unix_s)
{
    if (zone == NULL)
        return 0;
    size_t low = 0, high = zone->n; /* first transition later than unix_s */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->at[middle] <= unix_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low == 0 ? zone->first : zone->offset[low - 1];
}
