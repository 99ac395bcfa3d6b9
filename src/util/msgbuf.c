/* SPDX-License-Identifier: Apache-2.0 */
#include "util/msgbuf.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define CACHE_LINE 64
#define KEEP_MAX   4096 /* free buffers kept (9 MB); the rest goes back to malloc */

struct msgbuf_pool {
	/* The home thread's. */
	struct msgbuf *free;
	size_t free_n, used;
	size_t limit;
	_Atomic size_t units; /* of those used, in ordinary buffers; others read it */
	/* Any thread pushes; the home thread takes all. */
	_Alignas(CACHE_LINE) _Atomic(struct msgbuf *) returned;
};

struct msgbuf_pool *msgbuf_pool_new(size_t limit)
{
	struct msgbuf_pool *pool = aligned_alloc(CACHE_LINE, sizeof(*pool));

	if (!pool) {
		return NULL;
	}
	pool->free = NULL;
	pool->free_n = pool->used = 0;
	pool->limit = limit;
	atomic_init(&pool->units, 0);
	atomic_init(&pool->returned, NULL);
	return pool;
}

static size_t units_of(size_t cap)
{
	return (cap + MSGBUF_SIZE - 1) / MSGBUF_SIZE;
}

static size_t units_used(const struct msgbuf_pool *pool)
{
	return atomic_load_explicit(&pool->units, memory_order_relaxed);
}

/* Only the home thread does. */
static void units_set(struct msgbuf_pool *pool, size_t n)
{
	atomic_store_explicit(&pool->units, n, memory_order_relaxed);
}

static void take_back(struct msgbuf_pool *pool, struct msgbuf *buf)
{
	pool->used--;
	units_set(pool, units_used(pool) - units_of(buf->cap));
	if (buf->cap != MSGBUF_SIZE || pool->free_n >= KEEP_MAX) {
		free(buf);
		return;
	}
	buf->next = pool->free;
	pool->free = buf;
	pool->free_n++;
}

static void collect(struct msgbuf_pool *pool)
{
	struct msgbuf *buf;

	if (!atomic_load_explicit(&pool->returned, memory_order_relaxed)) {
		return;
	}
	buf = atomic_exchange_explicit(&pool->returned, NULL, memory_order_acquire);
	while (buf) {
		struct msgbuf *next = buf->next;

		take_back(pool, buf);
		buf = next;
	}
}

void msgbuf_pool_free(struct msgbuf_pool *pool)
{
	if (!pool) {
		return;
	}
	collect(pool);
	assert(pool->used == 0);
	while (pool->free) {
		struct msgbuf *buf = pool->free;

		pool->free = buf->next;
		free(buf);
	}
	free(pool);
}

struct msgbuf *msgbuf_new(struct msgbuf_pool *pool, size_t size)
{
	bool is_large = size > MSGBUF_SIZE;
	struct msgbuf *buf;

	if (size > MSGBUF_MAX) {
		return NULL;
	}
	size = is_large ? size : MSGBUF_SIZE;
	/* Large ones always: they are no use to anybody until they are home, where they are freed.
	 */
	if (is_large || !pool->free || units_used(pool) >= pool->limit / 2) {
		collect(pool);
	}
	if (units_used(pool) + units_of(size) > pool->limit) {
		return NULL;
	}
	buf = is_large ? NULL : pool->free;
	if (buf) {
		pool->free = buf->next;
		pool->free_n--;
	} else {
		buf = malloc(sizeof(*buf) + size);
		if (!buf) {
			return NULL;
		}
		buf->home = pool;
		buf->cap = (uint32_t)size;
	}
	buf->next = NULL;
	buf->refs = 1;
	pool->used++;
	units_set(pool, units_used(pool) + units_of(size));
	return buf;
}

struct msgbuf *msgbuf_ref(struct msgbuf *buf)
{
	buf->refs++;
	return buf;
}

void msgbuf_unref(struct msgbuf **buf, struct msgbuf_pool *self)
{
	struct msgbuf *b = *buf;

	*buf = NULL;
	if (!b || --b->refs) {
		return;
	}
	if (b->home == self) {
		take_back(self, b);
		return;
	}
	b->next = atomic_load_explicit(&b->home->returned, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&b->home->returned, &b->next, b,
	                                              memory_order_release, memory_order_relaxed)) {
	}
}

size_t msgbuf_pool_used(struct msgbuf_pool *pool)
{
	collect(pool);
	return pool->used;
}

size_t msgbuf_pool_bytes(const struct msgbuf_pool *pool)
{
	return pool->limit * MSGBUF_SIZE;
}

bool msgbuf_pool_is_tight(struct msgbuf_pool *pool)
{
	size_t most = pool->limit - pool->limit / 8;

	if (units_used(pool) < most) {
		return false;
	}
	collect(pool);
	return units_used(pool) >= most;
}

unsigned msgbuf_load(const struct msgbuf *buf)
{
	return (unsigned)(units_used(buf->home) * MSGBUF_FULL / buf->home->limit);
}
