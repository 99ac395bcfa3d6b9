/* SPDX-License-Identifier: Apache-2.0 */
/* The real transport of one worker: sends go to UDP or to streams, news of dead peers to all. */
#include <errno.h>
#include <stdlib.h>

#include "transport/priv.h"
#include "util/err.h"

struct tp_port *tp_port_find(const struct transport *tp, const struct tp_listener *listener)
{
	struct tp_port *port;

	for (port = tp->ports; port && port->listener != listener; port = port->next) {
	}
	if (port) {
		return port;
	}
	/* A flow from before a reload that changed the names only. */
	for (port = tp->ports; port; port = port->next) {
		if (port->listener->proto == listener->proto &&
		    net_addr_eq(&port->listener->addr, &listener->addr)) {
			break;
		}
	}
	return port;
}

bool transport_takes_new(struct transport *tp, const struct tp_flow *from)
{
	const struct tp_port *port;

	if (tp->leaving_n == 0 || tp_proto_is_reliable(from->proto)) {
		return true;
	}
	port = tp_port_find(tp, from->listener);
	if (port && !port->is_leaving) {
		return true;
	}
	tp_count(tp, tp->g->counts.dropped[TP_DROP_LEAVING]);
	return false;
}

void tp_port_start(struct tp_port *port)
{
	event_add(&port->read, NULL);
}

void tp_event_del(struct event *ev)
{
	if (event_pending(ev, EV_READ | EV_WRITE | EV_TIMEOUT, NULL)) {
		event_del(ev);
	}
}

int transport_start(struct transport *tp)
{
	tp->is_started = true;
	for (struct tp_port *port = tp->ports; port; port = port->next) {
		tp_port_start(port);
	}
	return 0;
}

/* --- dead peers ----------------------------------------------------------------------------------
 */

struct unreachable {
	struct transport_group *g;
	struct net_addr remote;
	uint64_t conn;
	uint8_t proto;
};

static void tell_one(struct worker *w, void *arg)
{
	const struct unreachable *u = arg;
	const struct transport_user *user = &u->g->tp[w->id]->user;

	if (user->unreachable) {
		user->unreachable(user->arg, u->proto, &u->remote, u->conn);
	}
}

static void tell_undelivered(struct worker *w, void *arg)
{
	const struct unreachable *u = arg;
	const struct transport_user *user = &u->g->tp[w->id]->user;

	if (user->undelivered) {
		user->undelivered(user->arg, u->conn);
	}
}

static void tell_done(struct worker *w, void *arg)
{
	(void)w;
	free(arg);
}

/* Without memory nobody is told: transactions then end by their timers. */
static void tell_all(struct transport *tp, const struct unreachable *news,
                     void (*tell)(struct worker *w, void *arg))
{
	struct unreachable *u = malloc(sizeof(*u));

	if (!u) {
		return;
	}
	*u = *news;
	if (workers_each(tp->g->ws, tell, tell_done, -1, u) != 0) {
		free(u);
	}
}

void tp_unreachable(struct transport *tp, uint8_t proto, const struct net_addr *remote,
                    uint64_t conn)
{
	const struct unreachable u = {
		.g = tp->g, .remote = *remote, .conn = conn, .proto = proto
	};

	tell_all(tp, &u, tell_one);
}

void tp_undelivered(struct transport *tp, uint64_t conn)
{
	const struct unreachable u = { .g = tp->g, .conn = conn };

	tell_all(tp, &u, tell_undelivered);
}

/* --- what transport.c calls ----------------------------------------------------------------------
 */

static int socket_send(struct transport *tp, struct tp_flow *flow, bool reopen,
                       const struct sip_out *out)
{
	if (tp_proto_is_reliable(flow->proto)) {
		return stream_send(tp, flow, reopen, out);
	}
	return udp_send(tp, flow, out);
}

const struct tp_ops tp_socket_ops = {
	.send = socket_send,
	.reuse = stream_reuse,
	.is_alive = stream_is_alive,
	.doubt = stream_doubt,
	.hold = stream_hold,
	.use = stream_use,
	.close = stream_close,
	.each_conn = stream_each,
};
