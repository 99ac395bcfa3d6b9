/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection: a non-blocking descriptor with one persistent read event, a write event only while
 * the kernel takes no more, and a bounded output queue. How bytes get in and out is a table, plain
 * here, TLS elsewhere. Output of a turn is collected and leaves with one system call at its end.
 *
 * It belongs to one worker. Its callbacks may not free it; @failed is called at most once, and
 * after it nothing else. What holds it frees it later, outside of its functions.
 */
#pragma once

#include "net/addr.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <sys/uio.h>

#define CONN_QUEUE_MAX  (256U << 10) /* bytes that wait for the peer to read */
#define CONN_QUEUES_MAX (64U << 20)  /* of all connections of a worker; above it each may have: */
#define CONN_QUEUE_SURE (16U << 10)
#define CONN_BATCH_MAX  64U /* pieces of output in a turn before they leave early */

struct conn;

struct conn_ops {
	/* Bytes; 0: the peer has shut down its side; -EAGAIN; -errno. */
	ssize_t (*read)(struct conn *c, void *to, size_t n);
	ssize_t (*writev)(struct conn *c, const struct iovec *iov, unsigned n);
	void (*close)(struct conn *c);
};

extern const struct conn_ops conn_plain_ops;

struct conn_user {
	void (*connected)(struct conn *c); /* only after conn_open_connecting() */
	void (*readable)(struct conn *c);
	void (*drained)(struct conn *c);         /* the queue has become empty */
	void (*failed)(struct conn *c, int err); /* -errno; the descriptor is closed */
};

struct conn_batch { /* output of this turn: borrowed bytes */
	struct conn_batch *next;
	struct iovec iov[CONN_BATCH_MAX];
	unsigned n;
	size_t bytes;
};

/* What the connections of one worker share. */
struct conn_env {
	struct event_base *base;
	struct conn_batch *free;
	size_t queued;            /* bytes that wait, of all */
	void (*event)(void *arg); /* called first in each event */
	void *event_arg;
};
void conn_env_fini(struct conn_env *env);
/* Does so much wait for peers to read that it is time to lose patience with them? */
static inline bool conn_env_is_full(const struct conn_env *env)
{
	return env->queued > CONN_QUEUES_MAX;
}

struct conn_chunk;

struct conn {
	int fd; /* -1: closed */
	bool is_connecting, is_reading;
	const struct conn_ops *ops;
	const struct conn_user *user;
	struct conn_env *env;
	struct event ev_read, ev_write;
	struct conn_batch *batch;        /* NULL: nothing to send in this turn */
	struct conn_chunk *first, *last; /* copies that wait */
	size_t queued;                   /* bytes in them */
	uint64_t written;                /* bytes the kernel has taken, ever */
};

/* Takes @fd. Reads at once if it is open, else waits for the end of connect(). 0 or -ENOMEM: @fd is
 * closed. */
int conn_open(struct conn *c, struct conn_env *env, int fd, bool is_connecting,
              const struct conn_user *user);
/* Borrows the bytes until conn_flush(). -ENOBUFS: more would wait than may. -ENOMEM. */
int conn_send(struct conn *c, const struct iovec *iov, unsigned n);
/* The turn's end: writes what was sent, copies what the kernel does not take. */
void conn_flush(struct conn *c);
static inline bool conn_has_output(const struct conn *c)
{
	return c->batch || c->queued > 0;
}
void conn_read_on(struct conn *c);
void conn_read_off(struct conn *c);
/* Sends FIN; what the peer sends can still be read. */
void conn_shutdown(struct conn *c);
/* No callbacks any more; output that waits is dropped. Twice is fine. */
void conn_close(struct conn *c);
