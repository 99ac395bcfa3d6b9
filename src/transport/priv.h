/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the transport layer, for src/transport only. */
#pragma once

#include "transport/transport.h"

#include <stdatomic.h>

#include "transport/counts.h"

#define TP_LISTENERS_MAX 256U /* at the same time */

struct tp_bind;

/* Made by listener.c; never freed before the group, since flows point to it. */
struct listener {
	struct tp_listener pub; /* first: the public pointer is this one */
	struct tp_bind *bind;   /* its sockets; NULL: none (fake wire, gone after a reload) */
	struct listener *next;  /* of all */
};

/* What differs between real sockets and the fake wire. */
struct tp_ops {
	int (*send)(struct transport *tp, struct tp_flow *flow, bool reopen,
	            const struct sip_out *out);
	/* A connection that we opened there; 0: none. */
	uint64_t (*reuse)(struct transport *tp, uint8_t proto, const struct net_addr *remote);
	bool (*is_alive)(struct transport_group *g, uint64_t conn);
	void (*close)(struct transport *tp, uint64_t conn);
	void (*each_conn)(struct transport *tp, tp_conn_cb *cb, void *arg);
};

struct transport_group {
	struct workers *ws;
	unsigned n;
	struct transport **tp; /* one per worker */
	/* Listeners of now, NULL behind the last. Main writes; a reader in between sees old and new
	 * ones mixed, all of them valid. */
	_Atomic(struct listener *) now[TP_LISTENERS_MAX + 1];
	struct listener *all; /* ever made; main thread */
	uint32_t last_id;
	struct tp_counts counts;
};

struct transport {
	struct worker *w;
	struct transport_group *g;
	const struct tp_ops *ops;
	struct transport_user user;
	tp_trace_cb *trace;
	void *trace_arg;
	struct fake_wire *fake; /* NULL: real */
};

/* --- listener.c ----------------------------------------------------------------------------------
 */

/* The one that has been there before with the same names, or a new one. -ENOMEM. @bound: @listen's
 * address with the port it got. */
int listener_get(struct transport_group *g, const struct conf *conf,
                 const struct conf_listen *listen, const struct net_addr *bound,
                 struct listener **l_r);
void listeners_free(struct transport_group *g);

/* --- input.c -------------------------------------------------------------------------------------
 */

/* Parses and hands up. Takes over @buf. @status: 0, or what to refuse the message with whatever the
 * parser says. */
void tp_deliver(struct transport *tp, struct msgbuf *buf, size_t n, int parse_flags,
                uint16_t status, const struct tp_flow *from);

/* --- transport.c ---------------------------------------------------------------------------------
 */

static inline void tp_trace(struct transport *tp, bool sent, const struct tp_flow *flow,
                            const struct sip_out *out)
{
	if (__builtin_expect(tp->trace != NULL, 0)) {
		tp->trace(tp->trace_arg, sent, flow, out);
	}
}
