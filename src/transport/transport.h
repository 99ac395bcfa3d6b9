/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SIP over sockets (RFC 3261 18, RFC 3581): one struct transport per worker. It receives, decides
 * which worker owns a message, parses there, and hands requests and responses to the layer above
 * through struct transport_user. It sends iovecs over UDP (sendmmsg at the turn's end) and over
 * connections, which it opens, reuses in both directions and closes.
 *
 * The way of a datagram: udp.c reads a batch -> owner.c peeks (more than one worker) -> mailbox or
 * run queue -> sip_msg_parse -> received/rport noted in the flow -> user->request or ->response.
 */
#pragma once

#include "net/addr.h"
#include "sip/build.h"
#include "sip/edit.h"
#include "sip/msg.h"
#include "worker/worker.h"

enum tp_proto { TP_UDP, TP_TCP, TP_TLS, TP_WS, TP_WSS, TP_N };

struct transport;       /* per worker */
struct transport_group; /* all workers' and the listeners, shared */

/* One listening socket set (a socket per worker for UDP and for accepting). Reference-counted by
 * the group; unchanged listeners survive a reload as the same object. Immutable but for counters.
 */
struct tp_listener {
	uint32_t id;          /* never used again in this process */
	uint8_t proto;        /* enum tp_proto */
	struct net_addr addr; /* as bound; port known even if 0 was asked */
	struct str
		host; /* for Via, Record-Route, Path: advertise, or server.name; IPv6 in brackets */
	uint16_t port;           /* advertised; 0: the default, left out */
	struct str via_prefix;   /* "SIP/2.0/UDP host:port" */
	struct str uri_hostport; /* "host:port" or "host" */
};

/* Where a message came from or goes to; a plain value. Two messages with equal flows use the same
 * path through NATs (RFC 5626). */
struct tp_flow {
	const struct tp_listener *listener; /* the local side; of a connection too (its Via); valid
	                                       as long as the process */
	uint64_t conn; /* stream: names worker, slot and generation; 0: UDP, or a stream not open
	                  yet */
	struct net_addr remote;
	struct net_addr local; /* the address a datagram came to: answers leave from it */
	uint8_t proto;         /* enum tp_proto */
	bool accepted;         /* the peer opened this connection */
};

bool tp_flow_eq(const struct tp_flow *a, const struct tp_flow *b);
static inline bool tp_proto_is_reliable(uint8_t proto)
{
	return proto != TP_UDP;
}
struct str tp_proto_name(uint8_t proto);  /* "UDP": for Via */
struct str tp_proto_param(uint8_t proto); /* "udp": for ;transport= and logs */

enum tp_verdict { TP_CONTINUE, TP_DONE };

/* Filled by the transaction layer (and tests); @arg is its per-worker object. */
struct transport_user {
	/* Takes over the reference to @msg. A message whose parse failed has msg->error set. */
	void (*request)(void *arg, struct sip_msg *msg, const struct tp_flow *from);
	void (*response)(void *arg, struct sip_msg *msg, const struct tp_flow *from);
	/* Nothing can be sent there now: ICMP error, connection refused or lost, time-out. Called
	 * on every worker. With @conn != 0 only that connection is gone. */
	void (*unreachable)(void *arg, uint8_t proto, const struct net_addr *remote, uint64_t conn);
	/* A connection has ended while there was doubt about it (transport_doubt()): what was sent
	 * on it meanwhile has reached nobody. Called on every worker. May be NULL. */
	void (*undelivered)(void *arg, uint64_t conn);
	/* Data that is not SIP by its first byte (hook `packet`). TP_DONE: it has been dealt with.
	 * May be NULL. */
	enum tp_verdict (*packet)(void *arg, struct str data, const struct tp_flow *from);
	/* A connection came or went (on its worker). May be NULL. */
	void (*flow)(void *arg, const struct tp_flow *flow, bool up);
	/* Is a stream in use (a registered flow, a transaction)? Then idle_timeout does not close
	 * it. May be NULL. */
	bool (*in_use)(void *arg, const struct tp_flow *flow);
	void *arg;
};

/* Main thread, before workers start: binds every listener of the configuration (each first by a
 * probe socket without SO_REUSEPORT). -errno with *error_r (heap) naming the listener. */
int transport_group_new(struct workers *ws, const struct conf *conf, struct transport_group **g_r,
                        char **error_r);
/* Two phases of a reload: binds what is new (anything wrong: nothing has changed), then swaps. */
int transport_group_prepare(struct transport_group *g, const struct conf *conf, void **plan_r,
                            char **error_r);
void transport_group_commit(struct transport_group *g,
                            void *plan); /* with every worker adopting it */
void transport_group_abort(struct transport_group *g, void *plan);
/* Main thread, once a second: closes datagram sockets that a reload took away server.drain_timeout
 * ago. Until then what has begun over them goes on. */
void transport_group_second(struct transport_group *g);
void transport_group_free(struct transport_group *g); /* workers stopped */
struct transport *transport_get(struct transport_group *g, unsigned worker);
/* Walks the listeners of now; NULL at the end. Any thread that holds still (main, or a worker). */
const struct tp_listener *transport_listener(struct transport_group *g, size_t i);

/* May a request begin something? Not over a datagram socket that a reload took away (counted). */
bool transport_takes_new(struct transport *tp, const struct tp_flow *from);

void transport_set_user(struct transport *tp, const struct transport_user *user);
/* Begins to read: after the layers above are there. Stop: no new input (drain keeps it on). */
int transport_start(struct transport *tp);

/* Chooses the local side for a destination: @flow_r gets a listener of that protocol and address
 * family (the same interface as @prefer when it fits, may be NULL) and, for streams, the connection
 * to reuse if there is one. BELFRY_EUNREACH: no such listener (a stream can still be opened when
 * there is a listener of that protocol for the Via). */
int transport_pick(struct transport *tp, uint8_t proto, const struct net_addr *remote,
                   const struct tp_flow *prefer, struct tp_flow *flow_r);

/* Sends. @out's bytes and its iov array (not the struct) must live until the turn's end
 * (worker_reap() what holds them); what cannot be written then is copied. Opens a connection when
 * flow->conn is 0 (or names a dead one and @reopen). Responses have @reopen: they still go to a
 * peer that has shut down its side. Failures that come later arrive by unreachable(). 0;
 * BELFRY_EUNREACH: known dead flow, no such socket; BELFRY_EFULL: output queue or connection limit;
 * BELFRY_ETOOBIG: no datagram holds it; -ENOMEM. May set flow->conn. */
int transport_send(struct transport *tp, struct tp_flow *flow, bool reopen,
                   const struct sip_out *out);

/* Where the response to a request goes (RFC 3261 18.2.2, RFC 3581 4; maddr is not honoured): over
 * UDP to @from's address and rport or the sent-by port; on a stream the same connection, else a new
 * one to received and the sent-by port. @via is the top Via as received. */
void transport_response_flow(const struct sip_via *via, const struct tp_flow *from,
                             struct tp_flow *to_r);

/* 200 -> ";received=..;rport=.." is put in by sip_via_with_received() with these. */

/* Is a connection that a flow names alive? Its own worker only knows exactly; others ask by a
 * shared table of generations (one atomic load). */
bool transport_flow_is_alive(struct transport_group *g, const struct tp_flow *flow);
/* What was just sent on a connection may not get there: it is being opened, which ends with flow()
 * or undelivered(); or the peer has sent FIN, and undelivered() follows within 3 s if it has gone,
 * and not only stopped sending. Any worker (one atomic load). */
enum tp_doubt { TP_NO_DOUBT, TP_OPENING, TP_HALF_CLOSED };
enum tp_doubt transport_doubt(struct transport *tp, const struct tp_flow *flow);
/* A registered flow: server.idle_timeout does not close its connection before @until_ms (monotonic;
 * the latest one counts), as long as bindings use it. Any worker. Nothing for datagrams. */
void transport_flow_hold(struct transport_group *g, const struct tp_flow *flow, uint64_t until_ms);
/* One more address-of-record has bindings by that flow, or one less. The same. */
void transport_flow_use(struct transport_group *g, const struct tp_flow *flow, bool more);
/* Bans and malformed streams: closes. */
void transport_close(struct transport *tp, const struct tp_flow *flow);

/* Sources that are refused (UDP dropped before parsing, streams closed): each worker's copy. */
int transport_ban_add(struct transport *tp, const struct net_addr *ip, uint64_t until_ms);
void transport_ban_del(struct transport *tp, const struct net_addr *ip);
bool transport_is_banned(struct transport *tp, const struct net_addr *ip);

/* For the control socket: connections of this worker. */
struct tp_conn_info {
	struct tp_flow flow;
	uint64_t age_ms, idle_ms;
	size_t queued;
	const char *state; /* "connecting", "open" */
};
typedef void(tp_conn_cb)(void *arg, const struct tp_conn_info *info);
void transport_each_conn(struct transport *tp, tp_conn_cb *cb, void *arg);

/* Hooks for trace: called for each message as on the wire when set; one flag test otherwise. What
 * is sent down another worker's connection is told on that one. */
typedef void(tp_trace_cb)(void *arg, bool sent, const struct tp_flow *flow,
                          const struct sip_out *out);
void transport_set_trace(struct transport *tp, tp_trace_cb *cb, void *arg);

/* Owner of a message (DESIGN "Who owns a message"); other layers post by the same rule. */
unsigned transport_owner_of_aor(const struct worker *w, struct str aor); /* canonical AOR */
unsigned transport_owner_of_call(const struct worker *w, struct str call_id);

struct transport_group *transport_group_of(struct transport *tp);

/* Unit tests of the layers above: a wire that records what is sent and injects what is received.
 * A single fake worker; listeners as in its settings without sockets, without any: UDP and TCP on
 * 192.0.2.1:5060 and [2001:db8::1]:5060. NULL: no memory. */
struct fake_wire;
struct transport *transport_new_fake(struct worker *w, struct fake_wire **wire_r);
/* Before worker_free_fake(). */
void transport_free_fake(struct transport *tp);
/* One whole message. It is parsed and handed up inside this call; a datagram whose first byte is
 * that of STUN goes to the packet callback. What comes from a banned source is dropped. A stream
 * message comes on the connection from or to that address, or on a new accepted one. */
void fake_wire_receive(struct fake_wire *wire, struct str bytes, uint8_t proto,
                       const struct net_addr *from);
/* Takes the oldest message sent: bytes (valid until the next call) and flow; false: none. Flush
 * with worker_turn() first. Either result may be NULL. */
bool fake_wire_sent(struct fake_wire *wire, struct str *bytes_r, struct tp_flow *flow_r);
/* Nothing can be sent there: an ICMP error, or the end of the connection with that address. */
void fake_wire_unreachable(struct fake_wire *wire, uint8_t proto, const struct net_addr *to);
/* FIN on the connection from or to that address: responses can still be sent on it, until the end
 * by fake_wire_close(). Its id. */
uint64_t fake_wire_half_close(struct fake_wire *wire, uint8_t proto, const struct net_addr *from);
void fake_wire_close(struct fake_wire *wire, uint64_t conn);
/* What we open is open at the turn's end; with @is_slow not even then. */
void fake_wire_slow(struct fake_wire *wire, bool is_slow);
/* The next n sends fail with @err. */
void fake_wire_fail(struct fake_wire *wire, unsigned n, int err);
