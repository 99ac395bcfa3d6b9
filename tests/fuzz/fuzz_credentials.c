/* SPDX-License-Identifier: Apache-2.0 */
/* Authorization as it comes from anybody: parsed, and what came out is used. */
#include "auth/credentials.h"
#include "auth/digest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct digest digest;
	struct str value = str_trim(str_make((const char *)data, size));
	unsigned char ha1[32] = { 0 }, out[32];
	struct credentials c;
	struct arena arena;
	const char *why;

	if (!digest.ctx[0] && digest_init(&digest) < 0) {
		return 0;
	}
	arena_init(&arena, NULL);
	if (credentials_parse(&arena, value, &c, &why) == 0) {
		if (!str_eq(credentials_realm(value), c.realm)) {
			abort();
		}
		if (c.is_usable && c.response_n != algorithm_size(c.algorithm)) {
			abort();
		}
		if (digest_response(&digest, &c, ha1, STR("REGISTER"), out) < 0) {
			abort();
		}
	}
	arena_fini(&arena);
	return 0;
}
