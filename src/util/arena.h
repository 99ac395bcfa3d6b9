/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that lives with one message or transaction and is freed at once. Chunks come from a
 * worker's pool (one free list, no lock); requests above ARENA_CHUNK go to malloc and are freed
 * with the rest. One thread uses an arena and its pool at a time.
 */
#pragma once

#include "util/str.h"

#include <stdarg.h>

#define ARENA_CHUNK 4096 /* bytes of a chunk, its header included */

struct arena_chunk;

struct arena_pool {
	struct arena_chunk *free;
	size_t free_n, free_max; /* chunks kept; the rest goes back to malloc */
	size_t used_n;
};

struct arena {
	struct arena_pool *pool;
	struct arena_chunk *chunks; /* newest first */
	char *p, *end;
};

void arena_pool_init(struct arena_pool *pool, size_t free_max);
void arena_pool_fini(struct arena_pool *pool);

/* No allocation yet. @pool may be NULL: plain malloc (tools, tests). */
BELFRY_API void arena_init(struct arena *arena, struct arena_pool *pool);
/* Frees all; the arena is as after arena_init(). */
BELFRY_API void arena_fini(struct arena *arena);

/* Aligned to 8; uninitialised. NULL when out of memory. */
BELFRY_API void *arena_alloc_slow(struct arena *arena, size_t size);

static inline void *arena_alloc(struct arena *arena, size_t size)
{
	char *p = arena->p;

	/* Room is a multiple of 8. No size, or one that would wrap around, is for the slow path. */
	if (size - 1 < (size_t)(arena->end - p)) {
		arena->p = p + ((size + 7) & ~(size_t)7);
		return p;
	}
	return arena_alloc_slow(arena, size);
}

BELFRY_API void *arena_zalloc(struct arena *arena, size_t size);
/* Copies; p is NULL when out of memory. A NUL follows the copy. */
BELFRY_API struct str arena_str(struct arena *arena, struct str s);
BELFRY_API struct str arena_printf(struct arena *arena, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
BELFRY_API struct str arena_vprintf(struct arena *arena, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
