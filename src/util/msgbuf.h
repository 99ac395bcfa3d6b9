/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reference-counted buffers that hold received bytes. A pool belongs to one worker; a buffer is
 * owned by one thread at a time (hand-over by mailbox), so the count is not atomic. A buffer freed
 * on a thread that is not its home goes home by the pool's lock-free return list.
 */
#pragma once

#include "util/str.h"

#define MSGBUF_SIZE 2048          /* bytes of data in an ordinary buffer */
#define MSGBUF_MAX  (65536 + 256) /* a large one: any datagram, any stream message, some notes */
#define MSGBUF_FULL 16

struct msgbuf_pool;

struct msgbuf {
	struct msgbuf_pool *home;
	struct msgbuf *next; /* free list, return list */
	uint32_t refs;
	uint32_t cap; /* bytes at data[] */
	char data[];
};

/* @limit: buffers alive at most (a named limit: it bounds what unprocessed input may cost); a large
 * one counts as the ordinary ones that it is as long as. */
struct msgbuf_pool *msgbuf_pool_new(size_t limit);
/* All buffers must be home. */
void msgbuf_pool_free(struct msgbuf_pool *pool);

/* With one reference. @size is rounded up to MSGBUF_SIZE or taken exactly above it. NULL above
 * MSGBUF_MAX, at the limit or out of memory. Home thread only. */
struct msgbuf *msgbuf_new(struct msgbuf_pool *pool, size_t size);

BELFRY_API struct msgbuf *msgbuf_ref(struct msgbuf *buf);
/* @self is the pool of the calling worker (may be NULL: treated as foreign). Clears *buf. */
BELFRY_API void msgbuf_unref(struct msgbuf **buf, struct msgbuf_pool *self);

/* Bytes in all ordinary buffers that there may be. */
size_t msgbuf_pool_bytes(const struct msgbuf_pool *pool);
/* Buffers handed out and not returned. Home thread only: takes back what the others returned. */
size_t msgbuf_pool_used(struct msgbuf_pool *pool);
/* Seven eighths of the limit are used: who can wait should. Home thread only. */
bool msgbuf_pool_is_tight(struct msgbuf_pool *pool);
/* How much of the pool that @buf is of was used when its home thread last took one: 0 to
 * MSGBUF_FULL. What lies in it for long must leave room for what comes. Any thread. */
unsigned msgbuf_load(const struct msgbuf *buf);
