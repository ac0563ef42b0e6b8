#include "projection/model_cursor.h"

#include <string.h>

#include "base/hash.h"

#define SEAL_BYTES  8
#define BYTES_MAX   (SEAL_BYTES + LEAT_VERSION_BYTES + LEAT_INDEX_KEY_MAX)
#define LIST_BYTES  16384
#define SHA256_SIZE 32

/* Before the text form (base64url, no padding): seal, version, a zero, the entry. */

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void put_text(const uint8_t *bytes, size_t n, struct leat_buf *out)
{
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)bytes[i] << 16;
        v |= i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0;
        v |= i + 2 < n ? (uint32_t)bytes[i + 2] : 0;
        leat_buf_putc(out, digits[v >> 18]);
        leat_buf_putc(out, digits[v >> 12 & 63]);
        if (i + 1 < n)
            leat_buf_putc(out, digits[v >> 6 & 63]);
        if (i + 2 < n)
            leat_buf_putc(out, digits[v & 63]);
    }
}

/* False when it is not the text of some bytes, or of too many. */
static bool read_text(struct leat_str text, uint8_t to[BYTES_MAX], size_t *ret_n)
{
    uint32_t bits = 0, held = 0;
    size_t n = 0;
    for (uint32_t i = 0; i < text.len; i++) {
        const char *digit = text.at[i] == 0 ? NULL : strchr(digits, text.at[i]);
        if (digit == NULL || n == BYTES_MAX)
            return false;
        bits = bits << 6 | (uint32_t)(digit - digits);
        held += 6;
        if (held >= 8) {
            held -= 8;
            to[n++] = (uint8_t)(bits >> held);
        }
    }
    *ret_n = n;
    return held < 6 && (bits & ((1U << held) - 1)) == 0;
}

static void seal(struct leat_str list, const uint8_t *body, size_t n, uint8_t ret[SEAL_BYTES])
{
    struct leat_buf all;
    uint8_t digest[SHA256_SIZE];
    leat_buf_init(&all, LIST_BYTES);
    leat_buf_puts(&all, "leat cursor 1");
    leat_buf_put(&all, &list.len, sizeof list.len);
    leat_buf_put(&all, list.at, list.len);
    leat_buf_put(&all, body, n);
    leat_assert(!all.overflow);
    leat_sha256(all.at, all.len, digest);
    memcpy(ret, digest, SEAL_BYTES);
    leat_buf_done(&all);
}

void leat_model_cursor_put(struct leat_str list, const char *version, struct leat_str entry,
                           struct leat_buf *out)
{
    uint8_t bytes[BYTES_MAX];
    size_t len = strlen(version) + 1;
    leat_assert(len <= LEAT_VERSION_BYTES && entry.len <= LEAT_INDEX_KEY_MAX);
    memcpy(bytes + SEAL_BYTES, version, len);
    memcpy(bytes + SEAL_BYTES + len, entry.at, entry.len);
    seal(list, bytes + SEAL_BYTES, len + entry.len, bytes);
    put_text(bytes, SEAL_BYTES + len + entry.len, out);
}

bool leat_model_cursor_fits(const char *version, const char *other)
{
    size_t n = strcspn(version, "-"); /* "<hash>[-<n>]" */
    return n == strcspn(other, "-") && memcmp(version, other, n) == 0;
}

bool leat_model_cursor_version(struct leat_str text, char ret[LEAT_VERSION_BYTES])
{
    uint8_t bytes[BYTES_MAX];
    size_t n = 0;
    if (text.len > LEAT_CURSOR_BYTES_MAX || !read_text(text, bytes, &n) || n <= SEAL_BYTES)
        return false;
    const uint8_t *body = bytes + SEAL_BYTES, *end = memchr(body, 0, n - SEAL_BYTES);
    if (end == NULL || end - body >= LEAT_VERSION_BYTES)
        return false;
    memcpy(ret, body, (size_t)(end - body) + 1);
    return leat_version_hash(ret) != 0;
}

leat_status leat_model_cursor_read(struct leat_str text, struct leat_str list, const char *version,
                                   struct leat_index_key *ret_entry, struct leat_error *err)
{
    uint8_t bytes[BYTES_MAX], sealed[SEAL_BYTES];
    size_t n = 0;
    const uint8_t *body = bytes + SEAL_BYTES;
    bool good = text.len <= LEAT_CURSOR_BYTES_MAX && read_text(text, bytes, &n) && n > SEAL_BYTES;
    if (good) {
        seal(list, body, n - SEAL_BYTES, sealed);
        good = memcmp(sealed, bytes, SEAL_BYTES) == 0;
    }
    const uint8_t *end = good ? memchr(body, 0, n - SEAL_BYTES) : NULL;
    size_t left = end == NULL ? 0 : (size_t)(bytes + n - end) - 1;
    if (left == 0 || left > LEAT_INDEX_KEY_MAX) {
        leat_status status = leat_fail(err, LEAT_INVALID, "the cursor is not one of this list");
        leat_error_hint(err, "send it back as it came, with the same index, from, to and "
                             "parameters; start again without it");
        return status;
    }
    if (!leat_model_cursor_fits((const char *)body, version)) {
        leat_status status =
            leat_fail(err, LEAT_INVALID,
                      "the cursor is of a former declaration of the model: start again "
                      "without it");
        leat_error_hint(err, "or ask for that page alone, not together with others");
        return status;
    }
    ret_entry->len = (uint32_t)left;
    memcpy(ret_entry->bytes, end + 1, left);
    return LEAT_OK;
}
