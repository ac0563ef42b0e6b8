#include "base/uuid.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "base/status.h"

#define SHA1_BYTES 20

static pthread_once_t once = PTHREAD_ONCE_INIT;
static EVP_MD *sha1;          /* fetched once: a fetch per digest costs more than the digest */
static pthread_key_t ctx_key; /* its destructor frees the context when a thread ends */

static _Thread_local EVP_MD_CTX *thread_ctx;

static void free_ctx(void *ctx)
{
    thread_ctx = NULL;
    EVP_MD_CTX_free(ctx);
}

static void set_up(void)
{
    sha1 = EVP_MD_fetch(NULL, "SHA1", NULL);
    leat_assert(sha1 != NULL);
    int rc = pthread_key_create(&ctx_key, free_ctx);
    leat_assert(rc == 0);
}

static EVP_MD_CTX *get_ctx(void)
{
    if (thread_ctx != NULL)
        return thread_ctx;
    (void)pthread_once(&once, set_up);
    thread_ctx = EVP_MD_CTX_new();
    leat_assert(thread_ctx != NULL);
    (void)pthread_setspecific(ctx_key, thread_ctx);
    return thread_ctx;
}

static void set_version(struct leat_uuid *id, uint8_t version)
{
    id->b[6] = (uint8_t)((id->b[6] & 0x0f) | version << 4);
    id->b[8] = (uint8_t)((id->b[8] & 0x3f) | 0x80);
}

struct leat_uuid leat_uuid_v4(void)
{
    struct leat_uuid id;
    int ok = RAND_bytes(id.b, sizeof id.b);
    leat_assert(ok == 1);
    set_version(&id, 4);
    return id;
}

struct leat_uuid leat_uuid_v7(int64_t unix_ms)
{
    struct leat_uuid id = leat_uuid_v4();
    for (int i = 0; i < 6; i++)
        id.b[i] = (uint8_t)((uint64_t)unix_ms >> (8 * (5 - i)));
    set_version(&id, 7);
    return id;
}

struct leat_uuid leat_uuid_v5(const struct leat_uuid *space, const void *name, size_t len)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = get_ctx();
    int ok = EVP_DigestInit_ex2(ctx, sha1, NULL);
    ok = ok == 1 && EVP_DigestUpdate(ctx, space->b, sizeof space->b) == 1;
    ok = ok == 1 && (len == 0 || EVP_DigestUpdate(ctx, name, len) == 1);
    ok = ok == 1 && EVP_DigestFinal_ex(ctx, digest, NULL) == 1;
    leat_assert(ok == 1);
    _Static_assert(SHA1_BYTES >= sizeof(struct leat_uuid), "a UUID is a truncated SHA-1");
    struct leat_uuid id;
    memcpy(id.b, digest, sizeof id.b);
    set_version(&id, 5);
    return id;
}

struct leat_uuid leat_uuid_child(const struct leat_uuid *id, struct leat_str processor, char kind,
                                 uint32_t index)
{
    /* processor name, NUL, kind, index big-endian: no two inputs give the same bytes, since
     * a processor's name holds no NUL. Names are bounded by the topology to 100 bytes. */
    char name[256];
    leat_assert(processor.len <= sizeof name - 6);
    if (processor.len > 0)
        memcpy(name, processor.at, processor.len);
    char *p = name + processor.len;
    *p++ = '\0';
    *p++ = kind;
    for (int shift = 24; shift >= 0; shift -= 8)
        *p++ = (char)(index >> shift);
    return leat_uuid_v5(id, name, (size_t)(p - name));
}

static const char hex_digits[] = "0123456789abcdef";

void leat_uuid_format(const struct leat_uuid *id, char ret_text[LEAT_UUID_TEXT])
{
    char *p = ret_text;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = hex_digits[id->b[i] >> 4];
        *p++ = hex_digits[id->b[i] & 15];
    }
    *p = '\0';
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool leat_uuid_parse(struct leat_str text, struct leat_uuid *ret_id)
{
    if (text.len != LEAT_UUID_TEXT - 1)
        return false;
    struct leat_uuid id;
    const char *p = text.at;
    for (int i = 0; i < 16; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-')
            return false;
        int high = hex_value(p[0]);
        int low = hex_value(p[1]);
        if (high < 0 || low < 0)
            return false;
        id.b[i] = (uint8_t)(high << 4 | low);
        p += 2;
    }
    *ret_id = id;
    return true;
}

bool leat_uuid_eq(const struct leat_uuid *a, const struct leat_uuid *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}
