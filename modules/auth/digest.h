/* SPDX-License-Identifier: Apache-2.0 */
/* The digest computation (RFC 7616 3.4.1, without -sess and auth-int, which we never offer). */
#pragma once

#include "auth/credentials.h"

#include <openssl/evp.h>

#define DIGEST_A2_MAX 128

/* The last A2, "method:uri", and its hash in hex: all REGISTERs of a domain have the same. */
struct digest_a2 {
	char text[DIGEST_A2_MAX];
	size_t text_n; /* 0: none */
	char hex[64];
};

struct digest { /* one per worker: contexts are used again and again */
	EVP_MD_CTX *ctx[BELFRY_ALGORITHM_N];
	struct digest_a2 a2[BELFRY_ALGORITHM_N];
};

int digest_init(struct digest *d); /* -ENOMEM, or an algorithm is not to be had */
void digest_fini(struct digest *d);

/* KD(HA1, nonce:nc:cnonce:qop:HA2), or without qop KD(HA1, nonce:HA2), for @c's algorithm. @ha1 is
 * binary, algorithm_size() bytes. */
int digest_response(struct digest *d, const struct credentials *c, const unsigned char *ha1,
                    struct str method, unsigned char out[32]);
