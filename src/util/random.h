/* SPDX-License-Identifier: Apache-2.0 */
/* Random bytes from getrandom(2), buffered. One thread per struct. */
#pragma once

#include "util/str.h"

struct random {
	size_t left;
	unsigned char pool[512];
};

/* Aborts if the kernel has no entropy source: nothing secure can run then. */
BELFRY_API void random_bytes(struct random *r, void *out, size_t n);
BELFRY_API uint64_t random_u64(struct random *r);
/* Uniform in [0, n). */
BELFRY_API uint64_t random_below(struct random *r, uint64_t n);
/* Unbuffered, any thread; for keys. */
BELFRY_API void random_key(void *out, size_t n);
