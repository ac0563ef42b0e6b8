#include "base/rsa_pem.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>

#define BITS_MIN 2048
#define BITS_MAX 8192

static void freep_bn(BIGNUM **p)
{
    BN_free(*p);
}

static void freep_pkey(EVP_PKEY **p)
{
    EVP_PKEY_free(*p);
}

static void freep_bio(BIO **p)
{
    (void)BIO_free(*p);
}

static EVP_PKEY *key_of(const BIGNUM *n, const BIGNUM *e)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    leat_assert(build != NULL && ctx != NULL);
    OSSL_PARAM *params = NULL;
    if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        params = OSSL_PARAM_BLD_to_param(build);
    if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

leat_status leat_rsa_pem(struct leat_str modulus, struct leat_str exponent,
                         struct leat_arena *arena, const char **ret, struct leat_error *err)
{
    if (modulus.len > BITS_MAX / 8 + 1 || exponent.len > 8)
        return leat_fail(err, LEAT_INVALID, "an RSA key of more than %d bits", BITS_MAX);
    LEAT_AUTO(freep_bn)
    BIGNUM *n = BN_bin2bn((const unsigned char *)modulus.at, (int)modulus.len, NULL);
    LEAT_AUTO(freep_bn)
    BIGNUM *e = BN_bin2bn((const unsigned char *)exponent.at, (int)exponent.len, NULL);
    leat_assert(n != NULL && e != NULL);
    if (BN_num_bits(n) < BITS_MIN || !BN_is_odd(e) || BN_is_one(e))
        return leat_fail(err, LEAT_INVALID, "not an RSA key of %d bits or more", BITS_MIN);
    LEAT_AUTO(freep_pkey) EVP_PKEY *key = key_of(n, e);
    LEAT_AUTO(freep_bio) BIO *out = BIO_new(BIO_s_mem());
    char *text = NULL;
    if (key == NULL || out == NULL || PEM_write_bio_PUBKEY(out, key) != 1)
        return leat_fail(err, LEAT_INVALID, "not an RSA key");
    long len = BIO_get_mem_data(out, &text);
    *ret = leat_arena_cstr(arena, (struct leat_str){text, (uint32_t)len});
    return LEAT_OK;
}
