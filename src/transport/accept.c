/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listening TCP sockets. At the limit of connections, or without descriptors, accepting pauses for
 * a moment: the kernel's queue holds the rest back. A spare descriptor lets one connection in to be
 * closed when there are none left, so that the peer learns of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/socket.h"
#include "transport/priv.h"
#include "util/err.h"
#include "util/log.h"

#define ACCEPT_MAX 64 /* connections per event */

static const struct timeval pause_tv = { .tv_usec = 100000 };

struct tcp_port {
	struct tp_port port; /* first */
	struct event resume;
	int spare_fd;
};

static int spare_open(void)
{
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void pause_accepting(struct tcp_port *tcp)
{
	event_del(&tcp->port.read);
	event_add(&tcp->resume, &pause_tv);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct tcp_port *tcp = arg;

	(void)fd;
	(void)what;
	if (tcp->spare_fd < 0) {
		tcp->spare_fd = spare_open();
	}
	tp_port_start(&tcp->port);
}

static void no_descriptors(struct tcp_port *tcp, int err)
{
	struct net_addr remote;
	int fd;

	log_warning("tcp.accept_failed", LOG_ERR(err));
	tp_count(tcp->port.tp, tcp->port.tp->g->counts.rejected[TP_REJECT_CONNECTION_LIMIT]);
	if (tcp->spare_fd >= 0) {
		close(tcp->spare_fd);
		fd = net_tcp_accept(tcp->port.fd, &remote);
		if (fd >= 0) {
			close(fd);
		}
		tcp->spare_fd = spare_open();
	}
	pause_accepting(tcp);
}

/* false: no more for now. */
static bool accept_one(struct tcp_port *tcp)
{
	struct transport *tp = tcp->port.tp;
	struct net_addr remote;
	int fd;

	fd = net_tcp_accept(tcp->port.fd, &remote);
	if (fd == -EMFILE || fd == -ENFILE || fd == -ENOBUFS || fd == -ENOMEM) {
		no_descriptors(tcp, fd);
	}
	if (fd < 0) {
		return fd == -ECONNABORTED || fd == -EINTR;
	}
	if (tp_is_banned(tp, &remote)) {
		tp_count(tp, tp->g->counts.rejected[TP_REJECT_BANNED]);
		close(fd);
	} else if (!streams_reserve(tp, &remote)) { /* told at once, rather than left to wait */
		tp_count(tp, tp->g->counts.rejected[TP_REJECT_CONNECTION_LIMIT]);
		close(fd);
	} else {
		stream_accepted(tp, tcp->port.listener, fd, &remote);
	}
	return true;
}

static void on_acceptable(evutil_socket_t fd, short what, void *arg)
{
	struct tcp_port *tcp = arg;

	(void)fd;
	(void)what;
	worker_event(tcp->port.tp->w);
	for (int i = 0; i < ACCEPT_MAX && accept_one(tcp); i++) {
	}
}

struct tp_port *tcp_port_new(struct transport *tp, const struct net_addr *bound, int fd)
{
	struct tcp_port *tcp = calloc(1, sizeof(*tcp));

	if (!tcp) {
		close(fd);
		return NULL;
	}
	tcp->port.tp = tp;
	tcp->port.fd = fd;
	tcp->port.is_any = net_addr_is_any(bound);
	tcp->spare_fd = spare_open();
	event_assign(&tcp->port.read, tp->w->base, fd, EV_READ | EV_PERSIST, on_acceptable, tcp);
	evtimer_assign(&tcp->resume, tp->w->base, on_resume, tcp);
	return &tcp->port;
}

void tcp_port_free(struct tp_port *port)
{
	struct tcp_port *tcp = (struct tcp_port *)(void *)port;

	tp_event_del(&port->read);
	tp_event_del(&tcp->resume);
	close(port->fd);
	if (tcp->spare_fd >= 0) {
		close(tcp->spare_fd);
	}
	free(tcp);
}
