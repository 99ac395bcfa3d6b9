/* SPDX-License-Identifier: Apache-2.0 */
/* The fake wire of unit tests: transport without sockets. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "transport/priv.h"
#include "util/err.h"
#include "util/list.h"

struct fake_stream {
	struct net_addr remote;
	const struct tp_listener *listener;
	uint8_t proto;
	bool accepted, alive, told; /* told: the user knows that it is up */
	bool half_closed;           /* by the peer's FIN */
};

struct fake_sent {
	struct list node;
	struct tp_flow flow;
	struct sip_out out; /* until the turn's end */
	char *bytes;        /* from then on */
	size_t n;
};

struct fake_wire {
	struct transport tp;
	struct transport_group g;
	struct transport *tps[1];
	struct list queued, sent;
	char *last; /* what fake_wire_sent() gave out */
	struct fake_stream *streams;
	size_t streams_n;
	bool is_slow; /* connections stay being opened */
	unsigned fail_n;
	int fail_err;
};

/* --- streams -------------------------------------------------------------------------------------
 */

static struct fake_stream *stream_of(struct fake_wire *wire, uint64_t conn)
{
	size_t i = (size_t)(conn >> 32);

	return i > 0 && i <= wire->streams_n && wire->streams[i - 1].alive ? &wire->streams[i - 1]
	                                                                   : NULL;
}

static uint64_t stream_id(const struct fake_wire *wire, const struct fake_stream *s)
{
	return (uint64_t)(s - wire->streams + 1) << 32 | 1;
}

/* NULL: there is none. @opened: only one that we opened. */
static struct fake_stream *stream_find(struct fake_wire *wire, uint8_t proto,
                                       const struct net_addr *remote, bool opened)
{
	for (size_t i = 0; i < wire->streams_n; i++) {
		struct fake_stream *s = &wire->streams[i];

		if (s->alive && !s->half_closed && s->proto == proto &&
		    net_addr_eq(&s->remote, remote) && !(opened && s->accepted)) {
			return s;
		}
	}
	return NULL;
}

static struct fake_stream *stream_new(struct fake_wire *wire, const struct tp_listener *listener,
                                      const struct net_addr *remote, bool accepted)
{
	struct fake_stream *v =
		reallocarray(wire->streams, wire->streams_n + 1, sizeof(*wire->streams));

	if (!v) {
		return NULL;
	}
	wire->streams = v;
	v += wire->streams_n++;
	*v = (struct fake_stream){ .remote = *remote,
		                   .listener = listener,
		                   .proto = listener->proto,
		                   .accepted = accepted,
		                   .alive = true };
	return v;
}

static struct tp_flow stream_flow(const struct fake_wire *wire, const struct fake_stream *s)
{
	return (struct tp_flow){ .listener = s->listener,
		                 .conn = stream_id(wire, s),
		                 .remote = s->remote,
		                 .local = s->listener->addr,
		                 .proto = s->proto,
		                 .accepted = s->accepted };
}

static void tell_flow(struct fake_wire *wire, size_t i, bool up)
{
	struct tp_flow flow = stream_flow(wire, &wire->streams[i]);

	if (wire->streams[i].told != up) {
		wire->streams[i].told = up;
		if (wire->tp.user.flow) {
			wire->tp.user.flow(wire->tp.user.arg, &flow, up);
		}
	}
}

/* --- sending -------------------------------------------------------------------------------------
 */

/* The connection of @flow, or the one to open. */
static int stream_for(struct fake_wire *wire, struct tp_flow *flow, bool reopen)
{
	struct fake_stream *s = stream_of(wire, flow->conn);

	if (flow->conn && !s && !reopen) {
		return BELFRY_EUNREACH;
	}
	if (!s) {
		s = stream_find(wire, flow->proto, &flow->remote, true);
	}
	if (!s) {
		s = stream_new(wire, flow->listener, &flow->remote, false);
	}
	if (!s) {
		return -ENOMEM;
	}
	flow->conn = stream_id(wire, s);
	flow->accepted = s->accepted;
	return 0;
}

static int fake_send(struct transport *tp, struct tp_flow *flow, bool reopen,
                     const struct sip_out *out)
{
	struct fake_wire *wire = tp->fake;
	struct fake_sent *sent;
	int err = 0;

	assert(flow->listener && flow->listener->proto == flow->proto && flow->remote.family);
	if (wire->fail_n > 0) {
		wire->fail_n--;
		return wire->fail_err;
	}
	if (tp_proto_is_reliable(flow->proto)) {
		err = stream_for(wire, flow, reopen);
	}
	sent = err == 0 ? calloc(1, sizeof(*sent)) : NULL;
	if (!sent) {
		return err ? err : -ENOMEM;
	}
	sent->flow = *flow;
	sent->out = *out;
	list_append(&wire->queued, &sent->node);
	return 0;
}

/* Only now the bytes are read: what has been freed too early is found. */
static void fake_flush(void *arg)
{
	struct fake_wire *wire = arg;

	while (!list_is_empty(&wire->queued)) {
		struct fake_sent *sent = container_of(wire->queued.next, struct fake_sent, node);

		list_del(&sent->node);
		sent->bytes = malloc(sent->out.len + 1);
		if (!sent->bytes) { /* lost on the wire */
			free(sent);
			continue;
		}
		sent->n = sip_out_copy(&sent->out, sent->bytes, sent->out.len);
		list_append(&wire->sent, &sent->node);
	}
	for (size_t i = 0; i < wire->streams_n; i++) {
		if (wire->streams[i].alive && !wire->streams[i].half_closed && !wire->is_slow) {
			tell_flow(wire, i, true);
		}
	}
}

static void sent_free(struct list *all)
{
	list_for_each_safe(it, tmp, all)
	{
		struct fake_sent *sent = container_of(it, struct fake_sent, node);

		free(sent->bytes);
		free(sent);
	}
}

static uint64_t fake_reuse(struct transport *tp, uint8_t proto, const struct net_addr *remote)
{
	struct fake_stream *s = stream_find(tp->fake, proto, remote, true);

	return s ? stream_id(tp->fake, s) : 0;
}

static bool fake_is_alive(struct transport_group *g, uint64_t conn)
{
	const struct fake_stream *s = stream_of(g->tp[0]->fake, conn);

	return s && !s->half_closed;
}

static enum tp_doubt fake_doubt(struct transport_group *g, uint64_t conn)
{
	const struct fake_stream *s = stream_of(g->tp[0]->fake, conn);

	if (s && s->half_closed) {
		return TP_HALF_CLOSED;
	}
	return s && !s->told ? TP_OPENING : TP_NO_DOUBT;
}

static void stream_end(struct fake_wire *wire, struct fake_stream *s)
{
	size_t i = (size_t)(s - wire->streams);
	struct tp_flow flow = stream_flow(wire, s);
	const struct transport_user *user = &wire->tp.user;
	bool is_lost = !s->told; /* not open yet, or half closed */

	s->alive = false;
	tell_flow(wire, i, false);
	user->unreachable(user->arg, flow.proto, &flow.remote, flow.conn);
	if (is_lost && user->undelivered) {
		user->undelivered(user->arg, flow.conn);
	}
}

static void fake_close(struct transport *tp, uint64_t conn)
{
	struct fake_stream *s = stream_of(tp->fake, conn);

	if (s) {
		stream_end(tp->fake, s);
	}
}

static void fake_each_conn(struct transport *tp, tp_conn_cb *cb, void *arg)
{
	struct fake_wire *wire = tp->fake;

	for (size_t i = 0; i < wire->streams_n; i++) {
		struct tp_conn_info info = { .state = "open" };

		if (wire->streams[i].alive) {
			info.flow = stream_flow(wire, &wire->streams[i]);
			cb(arg, &info);
		}
	}
}

static const struct tp_ops fake_ops = {
	.send = fake_send,
	.reuse = fake_reuse,
	.is_alive = fake_is_alive,
	.doubt = fake_doubt,
	.close = fake_close,
	.each_conn = fake_each_conn,
};

/* --- what the tests call -------------------------------------------------------------------------
 */

static const struct tp_listener *listener_for(struct fake_wire *wire, uint8_t proto, uint8_t family)
{
	const struct tp_listener *l = NULL;

	for (size_t i = 0; (l = transport_listener(&wire->g, i)) != NULL; i++) {
		if (l->proto == proto && l->addr.family == family) {
			break;
		}
	}
	assert(l); /* the settings name no such listener */
	return l;
}

void fake_wire_receive(struct fake_wire *wire, struct str bytes, uint8_t proto,
                       const struct net_addr *from)
{
	const struct tp_listener *l = listener_for(wire, proto, from->family);
	struct tp_flow flow = { .listener = l, .remote = *from, .local = l->addr, .proto = proto };
	struct msgbuf *buf = msgbuf_new(wire->tp.w->bufs, bytes.n);
	int flags = 0;

	if (tp_is_banned(&wire->tp, from)) {
		msgbuf_unref(&buf, wire->tp.w->bufs);
		return;
	}
	if (buf && !tp_proto_is_reliable(proto) && bytes.n > 0 && (unsigned char)bytes.p[0] < 4) {
		if (wire->tp.user.packet) { /* STUN and the like */
			wire->tp.user.packet(wire->tp.user.arg, bytes, &flow);
		}
		msgbuf_unref(&buf, wire->tp.w->bufs);
		return;
	}
	if (buf && tp_proto_is_reliable(proto)) {
		struct fake_stream *s = stream_find(wire, proto, from, false);

		s = s ? s : stream_new(wire, l, from, true);
		if (!s) {
			msgbuf_unref(&buf, wire->tp.w->bufs);
			return;
		}
		tell_flow(wire, (size_t)(s - wire->streams), true);
		flow = stream_flow(wire, s);
		flags = proto < TP_WS ? SIP_PARSE_STREAM : SIP_PARSE_FRAME;
	}
	if (buf) {
		memcpy(buf->data, bytes.p, bytes.n);
		const struct tp_input notes = { .n = (uint32_t)bytes.n,
			                        .parse_flags = (uint8_t)flags,
			                        .from = flow };

		tp_deliver(&wire->tp, buf, &notes);
	}
}

bool fake_wire_sent(struct fake_wire *wire, struct str *bytes_r, struct tp_flow *flow_r)
{
	struct fake_sent *sent;

	if (list_is_empty(&wire->sent)) {
		return false;
	}
	sent = container_of(wire->sent.next, struct fake_sent, node);
	list_del(&sent->node);
	free(wire->last);
	wire->last = sent->bytes;
	wire->last[sent->n] = '\0';
	if (bytes_r) {
		*bytes_r = str_make(sent->bytes, sent->n);
	}
	if (flow_r) {
		*flow_r = sent->flow;
	}
	free(sent);
	return true;
}

void fake_wire_unreachable(struct fake_wire *wire, uint8_t proto, const struct net_addr *to)
{
	struct fake_stream *s = NULL;

	if (tp_proto_is_reliable(proto)) {
		s = stream_find(wire, proto, to, false);
	}
	if (s) {
		stream_end(wire, s);
	} else {
		wire->tp.user.unreachable(wire->tp.user.arg, proto, to, 0);
	}
}

uint64_t fake_wire_half_close(struct fake_wire *wire, uint8_t proto, const struct net_addr *from)
{
	struct fake_stream *s = stream_find(wire, proto, from, false);
	struct tp_flow flow;

	assert(s); /* there is such a connection */
	flow = stream_flow(wire, s);
	s->half_closed = true;
	tell_flow(wire, (size_t)(s - wire->streams), false);
	wire->tp.user.unreachable(wire->tp.user.arg, flow.proto, &flow.remote, flow.conn);
	return flow.conn;
}

void fake_wire_close(struct fake_wire *wire, uint64_t conn)
{
	fake_close(&wire->tp, conn);
}

void fake_wire_slow(struct fake_wire *wire, bool is_slow)
{
	wire->is_slow = is_slow;
}

void fake_wire_fail(struct fake_wire *wire, unsigned n, int err)
{
	wire->fail_n = n;
	wire->fail_err = err;
}

static int listeners_make(struct fake_wire *wire, const struct conf *conf,
                          const struct conf_listen *listen, size_t n)
{
	for (size_t i = 0; i < n && i < TP_LISTENERS_MAX; i++) {
		struct net_addr bound = listen[i].addr;
		struct listener *l;
		int err;

		bound.port = bound.port ? bound.port : (uint16_t)listen[i].port;
		err = listener_get(&wire->g, conf, &listen[i], &bound, &l);
		if (err != 0) {
			return err;
		}
		wire->g.now[i] = l;
	}
	return 0;
}

static int listeners_default(struct fake_wire *wire, const struct conf *conf)
{
	struct conf_listen v[4] = { { .transport = CONF_UDP },
		                    { .transport = CONF_TCP },
		                    { .transport = CONF_UDP },
		                    { .transport = CONF_TCP } };

	for (int i = 0; i < 4; i++) {
		net_addr_parse(i < 2 ? STR("192.0.2.1") : STR("2001:db8::1"), 5060, &v[i].addr);
	}
	return listeners_make(wire, conf, v, 4);
}

struct transport *transport_new_fake(struct worker *w, struct fake_wire **wire_r)
{
	struct fake_wire *wire = calloc(1, sizeof(*wire));
	const struct conf *conf = w->conf->conf;
	int err;

	if (!wire) {
		return NULL;
	}
	list_init(&wire->queued);
	list_init(&wire->sent);
	wire->tps[0] = &wire->tp;
	wire->g.ws = w->group;
	wire->g.n = 1;
	wire->g.tp = wire->tps;
	wire->tp.w = w;
	wire->tp.g = &wire->g;
	wire->tp.ops = &fake_ops;
	wire->tp.fake = wire;
	err = tp_counts_register(&wire->g.counts, w->counters);
	if (err == 0) {
		err = conf && conf->listen_n
		              ? listeners_make(wire, conf, conf->listen, conf->listen_n)
		              : listeners_default(wire, conf);
	}
	if (err == 0) {
		err = worker_at_turn_end(w, fake_flush, wire);
	}
	if (err != 0) {
		transport_free_fake(&wire->tp);
		return NULL;
	}
	*wire_r = wire;
	return &wire->tp;
}

void transport_free_fake(struct transport *tp)
{
	struct fake_wire *wire;

	if (!tp) {
		return;
	}
	wire = tp->fake;
	worker_at_turn_end_del(tp->w, fake_flush, wire);
	tp_bans_free(tp);
	sent_free(&wire->queued);
	sent_free(&wire->sent);
	listeners_free(&wire->g);
	free(wire->last);
	free(wire->streams);
	free(wire);
}
