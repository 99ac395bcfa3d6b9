/* SPDX-License-Identifier: Apache-2.0 */
#include "load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH    64
#define DATAGRAM 4096
#define STREAM   262144

/* What epoll gives back: a wire (UDP socket or listener) or a connection. */
struct source {
	bool is_conn;
	int fd;
};

struct conn {
	struct source source;
	struct wire *wire;
	char *in;
	size_t in_n;
	char *out;
	size_t out_n;
};

struct wire {
	struct source source;
	int epoll;
	bool tcp;
	wire_cb *cb;
	void *arg;
	struct conn **conns;
	unsigned conns_n, opened_n;
	/* UDP */
	char (*in)[DATAGRAM], (*out)[DATAGRAM];
	struct mmsghdr in_hdr[BATCH], out_hdr[BATCH];
	struct iovec in_iov[BATCH], out_iov[BATCH];
	struct sockaddr_in in_addr[BATCH], out_addr[BATCH];
	unsigned out_n;
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void *need(void *p)
{
	if (!p) {
		die("memory");
	}
	return p;
}

static void watch(struct wire *w, struct source *s)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };

	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, s->fd, &ev) < 0) {
		die("epoll_ctl");
	}
}

static void udp_prepare(struct wire *w)
{
	int size = 8 << 20;

	setsockopt(w->source.fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(w->source.fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	w->in = need(calloc(BATCH, DATAGRAM));
	w->out = need(calloc(BATCH, DATAGRAM));
	for (unsigned i = 0; i < BATCH; i++) {
		w->in_iov[i] = (struct iovec){ w->in[i], DATAGRAM };
		w->in_hdr[i].msg_hdr = (struct msghdr){ .msg_name = &w->in_addr[i], .msg_iov = &w->in_iov[i], .msg_iovlen = 1 };
		w->out_iov[i].iov_base = w->out[i];
		w->out_hdr[i].msg_hdr = (struct msghdr){ .msg_name = &w->out_addr[i], .msg_namelen = sizeof(w->out_addr[i]),
							 .msg_iov = &w->out_iov[i], .msg_iovlen = 1 };
	}
}

struct wire *wire_new(int epoll, bool tcp, const struct sockaddr_in *local, bool listens, wire_cb *cb, void *arg)
{
	struct wire *w = need(calloc(1, sizeof(*w)));
	int on = 1;

	*w = (struct wire){ .epoll = epoll, .tcp = tcp, .cb = cb, .arg = arg, .source.fd = -1 };
	if (tcp && !listens) {
		return w;
	}
	w->source.fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0);
	if (w->source.fd < 0) {
		die("socket");
	}
	if (tcp) {
		setsockopt(w->source.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	}
	if (bind(w->source.fd, (const struct sockaddr *)local, sizeof(*local)) < 0) {
		die("bind");
	}
	if (tcp) {
		if (listen(w->source.fd, 512) < 0) {
			die("listen");
		}
	} else {
		udp_prepare(w);
	}
	watch(w, &w->source);
	return w;
}

static struct conn *conn_new(struct wire *w, int fd)
{
	struct conn *c = need(calloc(1, sizeof(*c)));
	int on = 1;

	c->source = (struct source){ true, fd };
	c->wire = w;
	c->in = need(malloc(STREAM));
	c->out = need(malloc(STREAM));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	w->conns = need(realloc(w->conns, (w->conns_n + 1) * sizeof(*w->conns)));
	w->conns[w->conns_n++] = c;
	watch(w, &c->source);
	return c;
}

void wire_connect(struct wire *w, const struct sockaddr_in *to, unsigned n)
{
	for (; n > 0; n--) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (fd < 0 || connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0) {
			die("connect");
		}
		conn_new(w, fd);
		w->opened_n++;
	}
}

struct peer wire_to(struct wire *w, const struct sockaddr_in *to, unsigned i)
{
	return (struct peer){ .wire = w, .addr = *to, .conn = w->tcp ? w->conns[i % w->opened_n] : NULL };
}

static void conn_flush(struct conn *c)
{
	while (c->out_n > 0) {
		ssize_t n = send(c->source.fd, c->out, c->out_n, MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN) {
			return; /* tried again at the next flush */
		}
		if (n < 0) {
			c->out_n = 0;
			return;
		}
		memmove(c->out, c->out + n, c->out_n - (size_t)n);
		c->out_n -= (size_t)n;
	}
}

static void udp_flush(struct wire *w)
{
	for (unsigned done = 0; done < w->out_n;) {
		int n = sendmmsg(w->source.fd, w->out_hdr + done, w->out_n - done, 0);

		done += n > 0 ? (unsigned)n : (errno == EAGAIN || errno == EINTR) ? 0 : 1;
	}
	w->out_n = 0;
}

void wire_flush(struct wire *w)
{
	if (!w->tcp) {
		udp_flush(w);
		return;
	}
	for (unsigned i = 0; i < w->conns_n; i++) {
		conn_flush(w->conns[i]);
	}
}

void wire_send(const struct peer *to, const char *p, size_t n)
{
	struct wire *w = to->wire;

	if (to->conn) {
		if (n <= STREAM - to->conn->out_n) {
			memcpy(to->conn->out + to->conn->out_n, p, n);
			to->conn->out_n += n;
		}
		return;
	}
	if (w->out_n == BATCH) {
		udp_flush(w);
	}
	memcpy(w->out[w->out_n], p, n);
	w->out_iov[w->out_n].iov_len = n;
	w->out_addr[w->out_n++] = to->addr;
}

static void udp_read(struct wire *w)
{
	int n;

	do {
		for (unsigned i = 0; i < BATCH; i++) {
			w->in_hdr[i].msg_hdr.msg_namelen = sizeof(w->in_addr[i]);
		}
		n = recvmmsg(w->source.fd, w->in_hdr, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++) {
			struct peer from = { .wire = w, .addr = w->in_addr[i] };

			w->cb(w->arg, w->in[i], w->in_hdr[i].msg_len, &from);
		}
	} while (n == BATCH);
}

static void conn_read(struct conn *c)
{
	ssize_t n = recv(c->source.fd, c->in + c->in_n, STREAM - c->in_n, MSG_DONTWAIT);
	struct peer from = { .wire = c->wire, .conn = c };
	size_t done = 0, k;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			epoll_ctl(c->wire->epoll, EPOLL_CTL_DEL, c->source.fd, NULL);
		}
		return;
	}
	c->in_n += (size_t)n;
	while ((k = frame(c->in + done, c->in_n - done)) > 0) {
		c->wire->cb(c->wire->arg, c->in + done, k, &from);
		done += k;
	}
	memmove(c->in, c->in + done, c->in_n - done);
	c->in_n -= done;
}

void wire_event(void *data)
{
	struct source *s = data;

	if (s->is_conn) {
		conn_read((struct conn *)data);
		return;
	}
	struct wire *w = data;
	if (!w->tcp) {
		udp_read(w);
		return;
	}
	for (int fd; (fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
		conn_new(w, fd);
	}
}

void wire_free(struct wire *w)
{
	for (unsigned i = 0; i < w->conns_n; i++) {
		close(w->conns[i]->source.fd);
		free(w->conns[i]->in);
		free(w->conns[i]->out);
		free(w->conns[i]);
	}
	if (w->source.fd >= 0) {
		close(w->source.fd);
	}
	free(w->conns);
	free(w->in);
	free(w->out);
	free(w);
}
