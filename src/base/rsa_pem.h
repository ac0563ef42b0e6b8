/* rsa_pem.h - an RSA public key from its numbers to text. Pure. */
#ifndef LEAT_BASE_RSA_PEM_H
#define LEAT_BASE_RSA_PEM_H

#include "base/arena.h"
#include "base/status.h"
#include "leat/str.h"

/* Big-endian numbers; the PEM text ("BEGIN PUBLIC KEY") in the arena. INVALID: not a key, or one
 * of less than 2048 or more than 8192 bits. */
LEAT_MUST_CHECK leat_status leat_rsa_pem(struct leat_str modulus, struct leat_str exponent,
                                         struct leat_arena *arena, const char **ret,
                                         struct leat_error *err);

#endif
