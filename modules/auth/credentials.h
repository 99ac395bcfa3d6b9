/* SPDX-License-Identifier: Apache-2.0 */
/* Authorization and Proxy-Authorization with Digest credentials (RFC 7616 3.4, RFC 8760). Pure. */
#pragma once

#include "belfry/module.h"

struct credentials { /* text points into the message, or into the arena where it had escapes */
	struct str username; /* escapes resolved */
	struct str realm;
	struct str nonce, uri, cnonce; /* between the quotes, as it was: what is hashed */
	struct str nc_text;            /* 8 hexadecimal digits when has_qop */
	uint32_t nc;
	bool has_qop;   /* qop=auth */
	bool is_usable; /* algorithm and qop are among those that we offer at all */
	enum belfry_algorithm algorithm;
	unsigned char response[32];
	size_t response_n;
};

/* The realm alone, to tell whose credentials these are: empty if they are not Digest or have none.
 */
struct str credentials_realm(struct str value);

/* 0; BELFRY_EPARSE: *error_r is a reason phrase for a 400; -ENOMEM. Credentials for an algorithm or
 * qop that is not known are no error, but not usable. */
int credentials_parse(struct arena *arena, struct str value, struct credentials *c_r,
                      const char **error_r);

/* "SHA-256" etc. in any case; -1: none of ours. */
int algorithm_find(struct str name);
struct str algorithm_name(enum belfry_algorithm algorithm);
size_t algorithm_size(enum belfry_algorithm algorithm); /* bytes of a hash */
