/* SPDX-License-Identifier: Apache-2.0 */
/* H(user:realm:password) (RFC 7616 3.4.2). */
#include <errno.h>
#include <openssl/evp.h>

#include "subscriber/subscriber.h"

int sub_hash_ha1(enum sub_hash h, struct str user, struct str realm, struct str password,
                 unsigned char out[32])
{
	const EVP_MD *const mds[SUB_HASH_N] = { EVP_md5(), EVP_sha256(), EVP_sha512_256() };
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok;

	if (!ctx) {
		return -ENOMEM;
	}
	ok = EVP_DigestInit_ex(ctx, mds[h], NULL) && EVP_DigestUpdate(ctx, user.p, user.n) &&
	     EVP_DigestUpdate(ctx, ":", 1) && EVP_DigestUpdate(ctx, realm.p, realm.n) &&
	     EVP_DigestUpdate(ctx, ":", 1) && EVP_DigestUpdate(ctx, password.p, password.n) &&
	     EVP_DigestFinal_ex(ctx, out, NULL);
	EVP_MD_CTX_free(ctx);
	return ok ? 0 : -ENOTSUP; /* a library that refuses MD5 */
}
