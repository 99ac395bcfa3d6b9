/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of one size from chunks that are kept: allocating and freeing is a pop and a push on a
 * free list. For what a worker makes and ends thousands of times a second. One thread.
 */
#pragma once

#include "util/str.h"

struct slab_chunk;
struct slab_free;

struct slab {
	size_t size; /* of an object, rounded up to 16 */
	unsigned per_chunk;
	size_t used_n; /* objects handed out */
	struct slab_free *free;
	struct slab_chunk *chunks;
};

/* No allocation yet. A chunk holds about 64 KiB of objects, at least 8. */
void slab_init(struct slab *slab, size_t size);
/* All objects are gone with it, returned or not. */
void slab_fini(struct slab *slab);

/* Zeroed. NULL when out of memory. */
void *slab_alloc(struct slab *slab);
/* NULL is fine. */
void slab_free(struct slab *slab, void *p);
