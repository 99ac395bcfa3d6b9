/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/digest.h"

#include "util/base64.h"
#include "util/sbuf.h"

#include <errno.h>

#define JOINED_MAX 256

static const char *const openssl_names[BELFRY_ALGORITHM_N] = {
	[BELFRY_MD5] = "MD5",
	[BELFRY_SHA256] = "SHA2-256",
	[BELFRY_SHA512_256] = "SHA2-512/256",
};

int digest_init(struct digest *d)
{
	*d = (struct digest){ 0 };
	for (int i = 0; i < BELFRY_ALGORITHM_N; i++) {
		EVP_MD *md = EVP_MD_fetch(NULL, openssl_names[i], NULL);
		int ok;

		d->ctx[i] = EVP_MD_CTX_new();
		ok = md && d->ctx[i] && EVP_DigestInit_ex2(d->ctx[i], md, NULL) == 1;
		EVP_MD_free(md); /* the context keeps it */
		if (!ok) {
			digest_fini(d);
			return -ENOMEM;
		}
	}
	return 0;
}

void digest_fini(struct digest *d)
{
	for (int i = 0; i < BELFRY_ALGORITHM_N; i++) {
		EVP_MD_CTX_free(d->ctx[i]);
		d->ctx[i] = NULL;
	}
}

static int update_each(EVP_MD_CTX *ctx, const struct str *parts, size_t n)
{
	int ok = 1;

	for (size_t i = 0; i < n && ok == 1; i++) {
		if (i > 0) {
			ok = EVP_DigestUpdate(ctx, ":", 1);
		}
		if (ok == 1 && parts[i].n > 0) {
			ok = EVP_DigestUpdate(ctx, parts[i].p, parts[i].n);
		}
	}
	return ok;
}

/* false: too long for its space. */
static bool join(struct sbuf *b, const struct str *parts, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		sbuf_add(b, i > 0 ? STR(":") : STR_NONE);
		sbuf_add(b, parts[i]);
	}
	return sbuf_ok(b);
}

/* Hash of the parts, joined by colons: in one piece if they are short, for a call of OpenSSL costs
 * more than to hash a few bytes. */
static int hash_joined(EVP_MD_CTX *ctx, const struct str *parts, size_t n, unsigned char out[32])
{
	int ok = EVP_DigestInit_ex2(ctx, NULL, NULL);
	char space[JOINED_MAX];
	struct sbuf b;

	sbuf_init(&b, space, sizeof(space));
	if (ok == 1) {
		ok = join(&b, parts, n) ? EVP_DigestUpdate(ctx, b.p, b.n)
		                        : update_each(ctx, parts, n);
	}
	return ok == 1 && EVP_DigestFinal_ex(ctx, out, NULL) == 1 ? 0 : -ENOMEM;
}

static bool is_kept(const struct digest_a2 *kept, struct str method, struct str uri)
{
	return kept->text_n == method.n + 1 + uri.n && kept->text[method.n] == ':' &&
	       memcmp(kept->text, method.p, method.n) == 0 &&
	       memcmp(kept->text + method.n + 1, uri.p, uri.n) == 0;
}

/* H(A2) in hex, good until the next call; NULL: out of memory. */
static const char *a2_hex(struct digest *d, enum belfry_algorithm algorithm, struct str method,
                          struct str uri)
{
	const struct str parts[] = { method, uri };
	struct digest_a2 *a2 = &d->a2[algorithm];
	unsigned char hash[32];
	struct sbuf text;

	if (is_kept(a2, method, uri)) {
		return a2->hex;
	}
	a2->text_n = 0;
	if (hash_joined(d->ctx[algorithm], parts, 2, hash) < 0) {
		return NULL;
	}
	hex_encode(a2->hex, hash, algorithm_size(algorithm));
	sbuf_init(&text, a2->text, sizeof(a2->text));
	a2->text_n = join(&text, parts, 2) ? text.n : 0; /* too long: not kept */
	return a2->hex;
}

int digest_response(struct digest *d, const struct credentials *c, const unsigned char *ha1,
                    struct str method, unsigned char out[32])
{
	EVP_MD_CTX *ctx = d->ctx[c->algorithm];
	size_t size = algorithm_size(c->algorithm);
	const char *ha2_hex = a2_hex(d, c->algorithm, method, c->uri);
	char ha1_hex[64];

	if (!ha2_hex) {
		return -ENOMEM;
	}
	hex_encode(ha1_hex, ha1, size);

	const struct str with_qop[] = {
		str_make(ha1_hex, size * 2), c->nonce, c->nc_text, c->cnonce, STR("auth"),
		str_make(ha2_hex, size * 2),
	};
	const struct str without[] = {
		str_make(ha1_hex, size * 2),
		c->nonce,
		str_make(ha2_hex, size * 2),
	};
	return c->has_qop ? hash_joined(ctx, with_qop, 6, out) : hash_joined(ctx, without, 3, out);
}
