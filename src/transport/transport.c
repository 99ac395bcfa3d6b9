/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/transport.h"

#include "sip/via.h"
#include "transport/priv.h"
#include "util/err.h"

static const struct str proto_names[TP_N] = { STR_INIT("UDP"), STR_INIT("TCP"), STR_INIT("TLS"),
	                                      STR_INIT("WS"), STR_INIT("WSS") };
static const struct str proto_params[TP_N] = { STR_INIT("udp"), STR_INIT("tcp"), STR_INIT("tls"),
	                                       STR_INIT("ws"), STR_INIT("wss") };

struct str tp_proto_name(uint8_t proto)
{
	return proto < TP_N ? proto_names[proto] : STR_NONE;
}

struct str tp_proto_param(uint8_t proto)
{
	return proto < TP_N ? proto_params[proto] : STR_NONE;
}

/* The listener's names may have changed by a reload: its address counts. */
static bool listener_eq(const struct tp_listener *a, const struct tp_listener *b)
{
	return a == b || (a && b && a->proto == b->proto && net_addr_eq(&a->addr, &b->addr));
}

bool tp_flow_eq(const struct tp_flow *a, const struct tp_flow *b)
{
	if (a->conn || b->conn) {
		return a->conn == b->conn;
	}
	return a->proto == b->proto && net_addr_eq(&a->remote, &b->remote) &&
	       listener_eq(a->listener, b->listener) &&
	       (a->local.family == 0 || b->local.family == 0 ||
	        net_addr_eq_ip(&a->local, &b->local));
}

struct transport *transport_get(struct transport_group *g, unsigned worker)
{
	return g->tp[worker];
}

struct transport_group *transport_group_of(struct transport *tp)
{
	return tp->g;
}

void transport_set_user(struct transport *tp, const struct transport_user *user)
{
	tp->user = *user;
}

void transport_set_trace(struct transport *tp, tp_trace_cb *cb, void *arg)
{
	tp->trace = cb;
	tp->trace_arg = arg;
}

int transport_send(struct transport *tp, struct tp_flow *flow, bool reopen,
                   const struct sip_out *out)
{
	int err = tp->ops->send(tp, flow, reopen, out);

	/* What goes down a connection is told by its worker (stream_out.c). */
	if (err == 0 && (tp->fake || !tp_proto_is_reliable(flow->proto))) {
		tp_trace(tp, true, flow, out);
	}
	return err;
}

void transport_response_flow(const struct sip_via *via, const struct tp_flow *from,
                             struct tp_flow *to_r)
{
	*to_r = *from;
	if (via->has_rport && from->proto == TP_UDP) {
		return; /* RFC 3581 4: to where it came from */
	}
	to_r->remote.port = via->port ? via->port : sip_via_default_port(via->transport);
}

bool transport_flow_is_alive(struct transport_group *g, const struct tp_flow *flow)
{
	if (!tp_proto_is_reliable(flow->proto)) {
		return true;
	}
	return flow->conn != 0 && g->tp[0]->ops->is_alive(g, flow->conn);
}

enum tp_doubt transport_doubt(struct transport *tp, const struct tp_flow *flow)
{
	return flow->conn ? tp->ops->doubt(tp->g, flow->conn) : TP_NO_DOUBT;
}

void transport_flow_hold(struct transport_group *g, const struct tp_flow *flow, uint64_t until_ms)
{
	if (flow->conn && g->tp[0]->ops->hold) {
		g->tp[0]->ops->hold(g, flow->conn, until_ms);
	}
}

void transport_flow_use(struct transport_group *g, const struct tp_flow *flow, bool more)
{
	if (flow->conn && g->tp[0]->ops->use) {
		g->tp[0]->ops->use(g, flow->conn, more);
	}
}

void transport_close(struct transport *tp, const struct tp_flow *flow)
{
	if (flow->conn) {
		tp->ops->close(tp, flow->conn);
	}
}

void transport_each_conn(struct transport *tp, tp_conn_cb *cb, void *arg)
{
	tp->ops->each_conn(tp, cb, arg);
}
