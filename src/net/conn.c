/* SPDX-License-Identifier: Apache-2.0 */
#include "net/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"

#define CHUNK_IOV_MAX 16U /* chunks written with one call */

struct conn_chunk {
	struct conn_chunk *next;
	size_t off, n; /* written; in all */
	char data[];
};

/* --- plain ---------------------------------------------------------------------------------------
 */

static ssize_t plain_read(struct conn *c, void *to, size_t n)
{
	ssize_t got;

	do {
		got = recv(c->fd, to, n, MSG_DONTWAIT);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

static ssize_t plain_writev(struct conn *c, const struct iovec *iov, unsigned n)
{
	const struct msghdr hdr = { .msg_iov = (struct iovec *)(uintptr_t)iov, .msg_iovlen = n };
	ssize_t put;

	do {
		put = sendmsg(c->fd, &hdr, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (put < 0 && errno == EINTR);
	return put < 0 ? -errno : put;
}

static void plain_close(struct conn *c)
{
	close(c->fd);
}

const struct conn_ops conn_plain_ops = {
	.read = plain_read,
	.writev = plain_writev,
	.close = plain_close,
};

/* --- output --------------------------------------------------------------------------------------
 */

static struct conn_batch *batch_get(struct conn_env *env)
{
	struct conn_batch *batch = env->free;

	if (batch) {
		env->free = batch->next;
	} else {
		batch = malloc(sizeof(*batch));
	}
	if (batch) {
		batch->n = 0;
		batch->bytes = 0;
	}
	return batch;
}

static void batch_put(struct conn *c)
{
	if (c->batch) {
		c->batch->next = c->env->free;
		c->env->free = c->batch;
		c->batch = NULL;
	}
}

void conn_env_fini(struct conn_env *env)
{
	while (env->free) {
		struct conn_batch *batch = env->free;

		env->free = batch->next;
		free(batch);
	}
}

static void fail(struct conn *c, int err)
{
	conn_close(c);
	c->user->failed(c, err);
}

/* Copies what is left of a batch behind the first @skip bytes. */
static int queue_rest(struct conn *c, const struct conn_batch *batch, size_t skip)
{
	size_t n = batch->bytes - skip;
	struct conn_chunk *chunk = malloc(sizeof(*chunk) + n);
	char *to;

	if (!chunk) {
		return -ENOMEM;
	}
	*chunk = (struct conn_chunk){ .n = n };
	to = chunk->data;
	for (unsigned i = 0; i < batch->n; i++) {
		size_t part = batch->iov[i].iov_len;
		size_t off = skip < part ? skip : part;

		memcpy(to, (char *)batch->iov[i].iov_base + off, part - off);
		to += part - off;
		skip -= off;
	}
	if (c->last) {
		c->last->next = chunk;
	} else {
		c->first = chunk;
	}
	c->last = chunk;
	c->queued += n;
	c->env->queued += n;
	return 0;
}

static void want_write(struct conn *c)
{
	if (!event_pending(&c->ev_write, EV_WRITE, NULL)) {
		event_add(&c->ev_write, NULL);
	}
}

void conn_flush(struct conn *c)
{
	struct conn_batch *batch = c->batch;
	ssize_t put = 0;

	if (!batch) {
		return;
	}
	if (!c->is_connecting && !c->first) {
		put = c->ops->writev(c, batch->iov, batch->n);
		if (put < 0 && put != -EAGAIN) {
			fail(c, (int)put);
			return;
		}
		put = put < 0 ? 0 : put;
		c->written += (uint64_t)put;
	}
	if ((size_t)put < batch->bytes) {
		int err = queue_rest(c, batch, (size_t)put);

		if (err != 0) { /* half a message is out: nothing else may follow */
			fail(c, err);
			return;
		}
		want_write(c);
	}
	batch_put(c);
}

/* A single message that is longer than what is sure may always go. */
static bool has_room(const struct conn *c, size_t bytes)
{
	size_t waits = c->queued + (c->batch ? c->batch->bytes : 0), then = waits + bytes;

	if (waits > 0 && then > CONN_QUEUE_SURE && conn_env_is_full(c->env)) {
		return false;
	}
	return then <= CONN_QUEUE_MAX;
}

int conn_send(struct conn *c, const struct iovec *iov, unsigned n)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < n; i++) {
		bytes += iov[i].iov_len;
	}
	if (!has_room(c, bytes)) {
		return -ENOBUFS;
	}
	for (unsigned i = 0; i < n; i++) {
		if (c->batch && c->batch->n == CONN_BATCH_MAX) {
			conn_flush(c);
		}
		if (c->fd < 0) {
			return -EPIPE;
		}
		if (!c->batch) {
			c->batch = batch_get(c->env);
		}
		if (!c->batch) {
			return -ENOMEM;
		}
		c->batch->iov[c->batch->n++] = iov[i];
		c->batch->bytes += iov[i].iov_len;
	}
	return 0;
}

/* Drops the first @n bytes of the queue. */
static void queue_take(struct conn *c, size_t n)
{
	c->queued -= n;
	c->env->queued -= n;
	c->written += n;
	while (n > 0) {
		struct conn_chunk *chunk = c->first;
		size_t left = chunk->n - chunk->off;

		if (n < left) {
			chunk->off += n;
			return;
		}
		n -= left;
		c->first = chunk->next;
		free(chunk);
	}
	if (!c->first) {
		c->last = NULL;
	}
}

static ssize_t queue_write(struct conn *c)
{
	struct iovec iov[CHUNK_IOV_MAX];
	unsigned n = 0;
	ssize_t put;

	for (struct conn_chunk *chunk = c->first; chunk && n < CHUNK_IOV_MAX; chunk = chunk->next) {
		iov[n++] = (struct iovec){ chunk->data + chunk->off, chunk->n - chunk->off };
	}
	put = c->ops->writev(c, iov, n);
	if (put > 0) {
		queue_take(c, (size_t)put);
	}
	return put;
}

static void queue_run(struct conn *c)
{
	ssize_t put = 0;

	while (c->first && put >= 0) {
		put = queue_write(c);
	}
	if (put < 0 && put != -EAGAIN) {
		fail(c, (int)put);
	} else if (c->first) {
		want_write(c);
	} else {
		c->user->drained(c);
	}
}

/* --- events --------------------------------------------------------------------------------------
 */

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)fd;
	(void)what;
	c->env->event(c->env->event_arg);
	c->user->readable(c);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;

	(void)what;
	c->env->event(c->env->event_arg);
	if (c->is_connecting) {
		int err = net_socket_error(fd);

		if (err != 0) {
			fail(c, err);
			return;
		}
		c->is_connecting = false;
		conn_read_on(c);
		c->user->connected(c);
	}
	if (c->fd >= 0 && c->first) {
		queue_run(c);
	}
}

int conn_open(struct conn *c, struct conn_env *env, int fd, bool is_connecting,
              const struct conn_user *user)
{
	*c = (struct conn){ .fd = fd,
		            .is_connecting = is_connecting,
		            .ops = &conn_plain_ops,
		            .user = user,
		            .env = env };
	if (event_assign(&c->ev_read, env->base, fd, EV_READ | EV_PERSIST, on_readable, c) != 0 ||
	    event_assign(&c->ev_write, env->base, fd, EV_WRITE, on_writable, c) != 0 ||
	    event_add(is_connecting ? &c->ev_write : &c->ev_read, NULL) != 0) {
		close(fd);
		c->fd = -1;
		return -ENOMEM;
	}
	c->is_reading = !is_connecting;
	return 0;
}

void conn_read_on(struct conn *c)
{
	if (c->fd >= 0 && !c->is_reading && !c->is_connecting) {
		c->is_reading = event_add(&c->ev_read, NULL) == 0;
	}
}

void conn_read_off(struct conn *c)
{
	if (c->is_reading) {
		event_del(&c->ev_read);
		c->is_reading = false;
	}
}

void conn_shutdown(struct conn *c)
{
	if (c->fd >= 0) {
		shutdown(c->fd, SHUT_WR);
	}
}

void conn_close(struct conn *c)
{
	if (c->fd < 0) {
		return;
	}
	conn_read_off(c);
	event_del(&c->ev_write);
	c->ops->close(c);
	c->fd = -1;
	batch_put(c);
	while (c->first) {
		struct conn_chunk *chunk = c->first;

		c->first = chunk->next;
		free(chunk);
	}
	c->last = NULL;
	c->env->queued -= c->queued;
	c->queued = 0;
}
