/* SPDX-License-Identifier: Apache-2.0 */
/* The inside of the transport layer, for src/transport only. */
#pragma once

#include "transport/transport.h"

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdatomic.h>

#include "net/conn.h"
#include "sip/framer.h"
#include "transport/counts.h"
#include "transport/peers.h"
#include "util/list.h"

#define TP_LISTENERS_MAX 256U /* at the same time */
#define TP_SOURCES       4096U

/* --- listeners -----------------------------------------------------------------------------------
 */

/* Made by listener.c; never freed before the group, since flows point to it. */
struct listener {
	struct tp_listener pub; /* first: the public pointer is this one */
	struct listener *next;  /* of all */
};

/* One worker's socket of a listener. */
struct tp_port {
	struct tp_port *next;               /* of the worker */
	const struct tp_listener *listener; /* its names may change by a reload, the address not */
	struct transport *tp;
	int fd;
	bool is_any;     /* bound to the wildcard address */
	bool is_leaving; /* of no listener any more: lets transactions finish, begins none */
	struct event read;
};

struct udp_port;
struct tcp_port;

/* The sockets of one listener, one per worker. Main thread; each port is its worker's. */
struct tp_bind {
	struct tp_bind *next;
	uint8_t proto;
	struct net_addr asked, addr; /* as configured; as bound */
	bool is_wanted;              /* by the settings looked at now */
	unsigned leaving_s;          /* until it is closed; 0: it is in use */
	unsigned n;
	struct tp_port *ports[];
};

/* --- the group -----------------------------------------------------------------------------------
 */

/* What differs between real sockets and the fake wire. */
struct tp_ops {
	int (*send)(struct transport *tp, struct tp_flow *flow, bool reopen,
	            const struct sip_out *out);
	/* A connection to there that we opened, or that was opened from there; 0: none. */
	uint64_t (*reuse)(struct transport *tp, uint8_t proto, const struct net_addr *remote);
	bool (*is_alive)(struct transport_group *g, uint64_t conn);
	enum tp_doubt (*doubt)(struct transport_group *g, uint64_t conn);
	void (*hold)(struct transport_group *g, uint64_t conn, uint64_t until_ms); /* or NULL */
	void (*use)(struct transport_group *g, uint64_t conn, bool more);          /* or NULL */
	void (*close)(struct transport *tp, uint64_t conn);
	void (*each_conn)(struct transport *tp, tp_conn_cb *cb, void *arg);
};

extern const struct tp_ops tp_socket_ops; /* sockets.c */

struct transport_group {
	struct workers *ws;
	unsigned n;
	struct transport **tp; /* one per worker */
	/* Listeners of now, NULL behind the last. Main writes; a reader in between sees old and new
	 * ones mixed, all of them valid. */
	_Atomic(struct listener *) now[TP_LISTENERS_MAX + 1];
	struct listener *all;  /* ever made; main thread */
	struct tp_bind *binds; /* main thread */
	uint32_t last_id;
	struct tp_counts counts;
	_Atomic unsigned conns_n;                /* of all workers */
	_Atomic unsigned conns_from[TP_SOURCES]; /* of them, accepted ones by their source's hash */
	struct peers *peers;                     /* connections opened by peers, of all workers */
};

struct udp_input;
struct stream;
struct stream_table;
struct ban_table;

struct transport {
	struct worker *w;
	struct transport_group *g;
	const struct tp_ops *ops;
	struct transport_user user;
	tp_trace_cb *trace;
	void *trace_arg;
	struct fake_wire *fake; /* NULL: real */
	bool is_started;
	struct tp_port *ports;
	unsigned leaving_n;         /* of them */
	struct udp_port *udp_dirty; /* have datagrams to send in this turn */
	struct udp_input *udp_in;
	struct stream_table *streams;
	struct ban_table *bans;
};

static inline void tp_count(struct transport *tp, int id)
{
	counter_inc(tp->w->counts, id);
}

static inline void tp_trace(struct transport *tp, bool sent, const struct tp_flow *flow,
                            const struct sip_out *out)
{
	if (__builtin_expect(tp->trace != NULL, 0)) {
		tp->trace(tp->trace_arg, sent, flow, out);
	}
}

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

/* Notes about received bytes; they lie at the end of the buffer that holds them and move with it.
 */
struct tp_input {
	struct job job;
	struct transport_group *g;
	struct msgbuf *buf;
	uint32_t n;
	uint16_t status; /* to refuse the message with, whatever the parser says; 0: none */
	uint8_t parse_flags;
	bool is_packet; /* not SIP by its first byte */
	struct tp_flow from;
};

/* Bytes of data that a buffer can take besides its notes. */
static inline size_t tp_input_cap(const struct msgbuf *buf)
{
	return (buf->cap & ~(size_t)7) - sizeof(struct tp_input);
}
/* A buffer for @n bytes of data and the notes; NULL: none left. */
struct msgbuf *tp_input_buf(struct transport *tp, size_t n);

/* Hands bytes to the worker that owns them: into its run queue. Takes over @buf. @owner from
 * tp_owner(), and worker_can_post() was true unless it is this worker; else they are dropped. */
void tp_input(struct transport *tp, unsigned owner, struct msgbuf *buf,
              const struct tp_input *notes);

/* Parses and hands up. Takes over @buf. */
void tp_deliver(struct transport *tp, struct msgbuf *buf, const struct tp_input *notes);

/* --- owner.c -------------------------------------------------------------------------------------
 */

/* The worker a message belongs to. */
unsigned tp_owner(const struct worker *w, struct str text);

/* --- udp.c ---------------------------------------------------------------------------------------
 */

/* NULL: no memory. Takes @fd in any case. */
struct tp_port *udp_port_new(struct transport *tp, const struct net_addr *bound, int fd);
void udp_port_free(struct tp_port *port);
int udp_input_new(struct transport *tp);
void udp_input_free(struct transport *tp);
int udp_send(struct transport *tp, const struct tp_flow *flow, const struct sip_out *out);
void udp_flush(struct transport *tp);

/* --- accept.c ------------------------------------------------------------------------------------
 */

struct tp_port *tcp_port_new(struct transport *tp, const struct net_addr *bound, int fd);
void tcp_port_free(struct tp_port *port);

/* --- stream.c ------------------------------------------------------------------------------------
 */

int streams_new(struct transport *tp);
void streams_free(struct transport *tp);
/* Takes @fd, which @remote has connected to, and the place reserved for it. */
void stream_accepted(struct transport *tp, const struct tp_listener *listener, int fd,
                     const struct net_addr *remote);
/* A place among those of all workers, and of the source that @from is (NULL: we open it); false:
 * there is none. */
bool streams_reserve(struct transport *tp, const struct net_addr *from);
int stream_send(struct transport *tp, struct tp_flow *flow, bool reopen, const struct sip_out *out);
uint64_t stream_reuse(struct transport *tp, uint8_t proto, const struct net_addr *remote);
bool stream_is_alive(struct transport_group *g, uint64_t conn);
enum tp_doubt stream_doubt(struct transport_group *g, uint64_t conn);
void stream_hold(struct transport_group *g, uint64_t conn, uint64_t until_ms);
void stream_use(struct transport_group *g, uint64_t conn, bool more);
void stream_close(struct transport *tp, uint64_t conn);
void stream_each(struct transport *tp, tp_conn_cb *cb, void *arg);
void streams_flush(struct transport *tp);
/* Those of this net_addr_source() end. */
void streams_close_from(struct transport *tp, const struct net_addr *source);

/* --- sockets.c -----------------------------------------------------------------------------------
 */

/* user->unreachable on every worker, not inside this call. */
void tp_unreachable(struct transport *tp, uint8_t proto, const struct net_addr *remote,
                    uint64_t conn);
/* The same for user->undelivered. */
void tp_undelivered(struct transport *tp, uint64_t conn);
/* This worker's socket for a listener's address; NULL: gone by a reload. */
struct tp_port *tp_port_find(const struct transport *tp, const struct tp_listener *listener);
void tp_port_start(struct tp_port *port);
/* Also from the main thread, of an event that was never added: then it looks at nothing shared. */
void tp_event_del(struct event *ev);

/* --- ban.c ---------------------------------------------------------------------------------------
 */

bool tp_is_banned_slow(struct transport *tp, const struct net_addr *ip);
static inline bool tp_is_banned(struct transport *tp, const struct net_addr *ip)
{
	return __builtin_expect(tp->bans != NULL, 0) && tp_is_banned_slow(tp, ip);
}
void tp_bans_free(struct transport *tp);
