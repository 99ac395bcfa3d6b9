/* SPDX-License-Identifier: Apache-2.0 */
#include "util/slab.h"

#include <stdlib.h>

#if defined(__SANITIZE_ADDRESS__)
#define SLAB_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SLAB_ASAN 1
#endif
#endif

#ifdef SLAB_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n)   ASAN_POISON_MEMORY_REGION((p), (n))
#define UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION((p), (n))
#else
#define POISON(p, n)   ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define CHUNK_BYTES   65536U
#define PER_CHUNK_MIN 8U

struct slab_free {
	struct slab_free *next;
};

struct slab_chunk {
	struct slab_chunk *next;
	size_t unused; /* keeps the objects aligned to 16 */
	char data[];
};

void slab_init(struct slab *slab, size_t size)
{
	size = (size + 15) & ~(size_t)15;
	*slab = (struct slab){ .size = size, .per_chunk = (unsigned)(CHUNK_BYTES / size) };
	if (slab->per_chunk < PER_CHUNK_MIN) {
		slab->per_chunk = PER_CHUNK_MIN;
	}
}

void slab_fini(struct slab *slab)
{
	while (slab->chunks) {
		struct slab_chunk *chunk = slab->chunks;

		slab->chunks = chunk->next;
		UNPOISON(chunk->data, slab->size * slab->per_chunk);
		free(chunk);
	}
	slab->free = NULL;
	slab->used_n = 0;
}

static void free_push(struct slab *slab, void *p)
{
	struct slab_free *f = p;

	f->next = slab->free;
	slab->free = f;
	POISON(p, slab->size);
}

static int chunk_add(struct slab *slab)
{
	struct slab_chunk *chunk = malloc(sizeof(*chunk) + slab->size * slab->per_chunk);

	if (!chunk) {
		return -1;
	}
	chunk->next = slab->chunks;
	slab->chunks = chunk;
	for (size_t i = slab->per_chunk; i > 0; i--) { /* so that they leave in order */
		free_push(slab, chunk->data + (i - 1) * slab->size);
	}
	return 0;
}

void *slab_alloc(struct slab *slab)
{
	struct slab_free *f;

	if (!slab->free && chunk_add(slab) != 0) {
		return NULL;
	}
	f = slab->free;
	UNPOISON(f, slab->size);
	slab->free = f->next;
	slab->used_n++;
	return memset(f, 0, slab->size);
}

void slab_free(struct slab *slab, void *p)
{
	if (p) {
		slab->used_n--;
		free_push(slab, p);
	}
}
