/* SPDX-License-Identifier: Apache-2.0 */
#include "util/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_key(void *out, size_t n)
{
	unsigned char *p = out;

	while (n) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0) {
			if (errno == EINTR) {
				continue;
			}
			abort();
		}
		p += got;
		n -= (size_t)got;
	}
}

void random_bytes(struct random *r, void *out, size_t n)
{
	unsigned char *p = out;

	if (n > sizeof(r->pool)) {
		random_key(out, n);
		return;
	}
	if (n > r->left) {
		random_key(r->pool, sizeof(r->pool));
		r->left = sizeof(r->pool);
	}
	/* What was handed out is not kept. */
	r->left -= n;
	memcpy(p, r->pool + r->left, n);
	memset(r->pool + r->left, 0, n);
}

uint64_t random_u64(struct random *r)
{
	uint64_t v;

	random_bytes(r, &v, sizeof(v));
	return v;
}

uint64_t random_below(struct random *r, uint64_t n)
{
	uint64_t floor, v;

	if (n < 2) {
		return 0;
	}
	floor = (0 - n) % n; /* 2^64 mod n: below it the low results would come once more often */
	do {
		v = random_u64(r);
	} while (v < floor);
	return v % n;
}
