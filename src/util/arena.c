/* SPDX-License-Identifier: Apache-2.0 */
#include "util/arena.h"

#include <stdio.h>
#include <stdlib.h>

struct arena_chunk {
	struct arena_chunk *next;
	size_t size; /* header included; ARENA_CHUNK if it may go to a pool */
	char data[];
};

#define CHUNK_ROOM (ARENA_CHUNK - sizeof(struct arena_chunk)) /* a multiple of 8 */

void arena_pool_init(struct arena_pool *pool, size_t free_max)
{
	*pool = (struct arena_pool){ .free_max = free_max };
}

void arena_pool_fini(struct arena_pool *pool)
{
	while (pool->free) {
		struct arena_chunk *chunk = pool->free;

		pool->free = chunk->next;
		free(chunk);
	}
	pool->free_n = 0;
}

void arena_init(struct arena *arena, struct arena_pool *pool)
{
	*arena = (struct arena){ .pool = pool };
}

static void chunk_free(struct arena_pool *pool, struct arena_chunk *chunk)
{
	if (pool && chunk->size == ARENA_CHUNK) {
		pool->used_n--;
		if (pool->free_n < pool->free_max) {
			chunk->next = pool->free;
			pool->free = chunk;
			pool->free_n++;
			return;
		}
	}
	free(chunk);
}

void arena_fini(struct arena *arena)
{
	while (arena->chunks) {
		struct arena_chunk *chunk = arena->chunks;

		arena->chunks = chunk->next;
		chunk_free(arena->pool, chunk);
	}
	arena->p = arena->end = NULL;
}

/* An ordinary chunk, from the pool if it has one. */
static struct arena_chunk *chunk_new(struct arena_pool *pool)
{
	struct arena_chunk *chunk = pool ? pool->free : NULL;

	if (chunk) {
		pool->free = chunk->next;
		pool->free_n--;
	} else {
		chunk = malloc(ARENA_CHUNK);
		if (!chunk) {
			return NULL;
		}
		chunk->size = ARENA_CHUNK;
	}
	if (pool) {
		pool->used_n++;
	}
	return chunk;
}

/* A block of its own, behind the chunk in use, so that the rest of that one is not lost. */
static void *alloc_large(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk;

	if (size > SIZE_MAX - sizeof(*chunk)) {
		return NULL;
	}
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk) {
		return NULL;
	}
	/* Never mistaken for one of a pool. */
	chunk->size = sizeof(*chunk) + size;
	if (arena->chunks) {
		chunk->next = arena->chunks->next;
		arena->chunks->next = chunk;
	} else {
		chunk->next = NULL;
		arena->chunks = chunk;
	}
	return chunk->data;
}

void *arena_alloc_slow(struct arena *arena, size_t size)
{
	struct arena_chunk *chunk;

	if (size == 0) {
		return arena_alloc(arena, 1); /* a pointer like any other */
	}
	if (size > CHUNK_ROOM) {
		return alloc_large(arena, size);
	}
	chunk = chunk_new(arena->pool);
	if (!chunk) {
		return NULL;
	}
	chunk->next = arena->chunks;
	arena->chunks = chunk;
	arena->p = chunk->data + ((size + 7) & ~(size_t)7);
	arena->end = chunk->data + CHUNK_ROOM;
	return chunk->data;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	void *p = arena_alloc(arena, size);

	return p ? memset(p, 0, size) : NULL;
}

struct str arena_str(struct arena *arena, struct str s)
{
	char *p = s.n < SIZE_MAX ? arena_alloc(arena, s.n + 1) : NULL;

	if (!p) {
		return STR_NONE;
	}
	if (s.n) {
		memcpy(p, s.p, s.n);
	}
	p[s.n] = '\0';
	return str_make(p, s.n);
}

struct str arena_vprintf(struct arena *arena, const char *fmt, va_list ap)
{
	va_list again;
	char *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	p = n >= 0 ? arena_alloc(arena, (size_t)n + 1) : NULL;
	if (!p) {
		return STR_NONE;
	}
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	return str_make(p, (size_t)n);
}

struct str arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list ap;
	struct str s;

	va_start(ap, fmt);
	s = arena_vprintf(arena, fmt, ap);
	va_end(ap);
	return s;
}
