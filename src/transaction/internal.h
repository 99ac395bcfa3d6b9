/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this layer share. A server transaction is an entry of the table for as long as
 * it absorbs anything; struct txn_server beside it is there while the user holds it, struct
 * txn_final while a final response may have to be sent again. A client transaction is a slot that
 * our branch names; struct txn_live beside it is there until a final response has come. So what
 * only waits is small.
 */
#pragma once

#include "transaction/table.h"
#include "transaction/transaction.h"
#include "transport/branch.h"
#include "util/err.h"
#include "util/list.h"
#include "util/slab.h"

/* Of lingering records, over all workers: 5,000 registrations a second for the 32 s of Timer J.
 * Above that rate they linger for a shorter time, still much longer than anybody retransmits. */
#define TXN_LINGER_BYTES_MAX ((size_t)64 << 20)
/* Of MSGBUF_FULL: from there on a request gets no transaction. Streams go on until 14. */
#define TXN_LOAD_MAX           10U
#define TXN_LOAD_MAX_PREFERRED 13U
#define TXN_CLIENTS_MAX        (1U << 20) /* client transactions of a worker, lingering ones included */
#define TXN_TRYING_MS          200        /* RFC 3261 17.2.1 */
#define TXN_D_MIN_MS           32000      /* RFC 3261 17.1.1.2, Timer D */
#define TXN_BUCKETS            1024U      /* of destinations and of connections */
#define TXN_REFUSED_N          4096U      /* refusals inside dialogs remembered for their ACK */
#define TXN_TAG_LEN            22         /* base64url of 128 bits */
#define TXN_DETOURS_MAX        1024U /* of a worker; more responses are sent once and forgotten */
#define TXN_DETOUR_BYTES_MAX   ((size_t)4 << 20)
#define TXN_DOUBT_MS           5000U /* then what was sent to a peer after its FIN has got there */

enum txn_state {
	TXN_UNUSED, /* a client slot that is free */
	TXN_NEW,    /* a client transaction that has not been started */
	TXN_CALLING,
	TXN_TRYING,
	TXN_PROCEEDING,
	TXN_COMPLETED,
	TXN_CONFIRMED,
	TXN_ACCEPTED,
	TXN_SILENT, /* server: ended without a final response, absorbs what still comes */
	TXN_ENDED,  /* client: over; the slot waits for its CANCEL or for a callback to return */
};

/* ms, as of the beginning of the transaction. */
struct txn_times {
	uint32_t t1, t2, t4, b, f;
};

/* Keeps a message until what was sent of it has left; made before sending, so that letting go never
 * fails. Lives in the message's arena. */
struct txn_hold {
	struct job job;
	struct sip_msg *msg;
};

/* Bytes that may have to be sent again. */
struct txn_kept {
	struct job job;
	struct iovec iov;
	char bytes[];
};

/* A response, or an ACK, that may not have reached anybody; see detour.c. */
struct txn_detour {
	struct list node; /* of the layer */
	struct timer timer;
	struct txn_layer *l;
	struct txn_kept *kept;
	struct tp_flow flow;     /* where it has been sent, and is in doubt */
	struct tp_flow udp;      /* of an ACK: where @kept goes when there is no stream */
	struct net_addr refused; /* where nothing new could be opened */
	struct dns_query *query; /* NULL: none under way */
	struct net_addr *addrs;  /* of the sent-by name, in the order to try */
	size_t addrs_n, addr_i;
	bool is_new;   /* sent on a connection of its own, not on that of the request */
	bool is_asked; /* for the addresses of the name */
	bool is_ack;
};

/* In the queue of what only waits, oldest first. */
struct txn_linger {
	struct list node;
	uint32_t bytes; /* 0: not in it */
	bool is_client;
};

struct txn_key {
	struct hash128 id;
	uint32_t method_hash; /* of the name of an unknown method, else 0 */
	uint8_t method;       /* INVITE for ACK */
	bool is_old;          /* RFC 2543 */
};

/* The final response of a server transaction, while it may be wanted again. */
struct txn_final {
	struct timer g; /* INVITE over UDP */
	struct txn_entry *entry;
	struct txn_kept *kept;
	struct tp_flow to;
	uint32_t g_ms, t2, t4;
};

struct txn_entry {
	struct txn_entry *next;
	struct hash128 id;
	struct txn_server *st;   /* NULL: the user has let go */
	struct txn_final *final; /* NULL: nothing is sent again */
	struct timer timer;      /* 200 ms, RFC 4320's 100; then H, I, J, L */
	struct txn_linger linger;
	uint32_t method_hash;
	uint32_t response_to; /* RFC 2543: hash of the To tag that was sent (17.2.3) */
	uint8_t state, method;
	bool is_old, is_reliable;
};

struct txn_server {
	struct txn_layer *l;
	struct txn_entry *entry;
	void *user;
	struct sip_msg *req; /* until a final response */
	struct txn_hold *req_hold;
	struct txn_hold *last_hold; /* of a forwarded provisional */
	struct sip_out last;        /* the provisional that a retransmission gets */
	struct tp_flow from, to;
	struct list node; /* of the connection, while open */
	struct txn_times times;
	uint64_t since_ms;
	int last_status;
	bool is_final, is_cancelled, is_ending;
	char tag[TXN_TAG_LEN];
	uint8_t tag_n;
};

/* Our CANCEL: a non-INVITE client transaction of its own on the INVITE's slot. */
struct txn_cancel {
	struct timer retransmit, end; /* E; F, then K */
	struct txn_client *ct;
	struct txn_kept *kept;
	uint32_t interval_ms, t2, t4;
	bool is_proceeding, is_answered;
};

struct txn_live {
	struct timer retransmit; /* A, E; on a stream: the wait for a connection */
	struct list node;        /* of the destination, or of what has failed */
	struct txn_client *ct;
	struct sip_msg *req;
	struct txn_hold *hold;
	struct sip_out out;
	struct str via_line, ruri, route_lines, cancel_extra;
	struct txn_times times;
	uint64_t since_ms;
	uint32_t interval_ms;
	int max_forwards, status;
	int error; /* what failed() will say */
	bool is_connecting;
	uint8_t branch_n;
	char branch[BRANCH_LEN];
};

struct txn_client {
	struct timer timer; /* B, F; 64*T1 after CANCEL; D, K, M */
	struct txn_linger linger;
	struct txn_layer *l;
	void *user;
	struct txn_live *live;     /* NULL: a final response has come */
	struct txn_kept *ack;      /* of a refused INVITE over UDP */
	struct txn_cancel *cancel; /* NULL: none under way */
	struct txn_client *free_next;
	struct tp_flow flow;
	uint32_t slot, generation, method_hash;
	uint8_t state, method;
	bool is_attached, is_cancelled;
};

/* Client transactions, addressed by slot; chunks are never moved. */
struct txn_slots {
	struct txn_client **chunks;
	uint32_t chunks_n, chunks_cap;
	struct txn_client *free;
};

struct txn_refused {
	uint64_t id;
	uint64_t until_ms;
};

struct txn_ids { /* of counters and timer kinds */
	int entry, final_g, client, client_retransmit, cancel_retransmit, cancel_end, failing;
	int detour;
	int server_n, client_n, linger_n, retrans_in, retrans_out;
	int rejected_parse, rejected_full, stray, evicted, undelivered;
};

struct txn_layer {
	struct worker *w;
	struct transport *tp;
	struct txn_user user;
	struct txn_ids ids;
	struct txn_table table;
	struct txn_slots slots;
	struct slab entries, servers, finals, lives, cancels;
	struct list linger; /* oldest first */
	size_t linger_bytes, linger_n, linger_max;
	size_t server_open, client_open;
	struct list failing; /* of struct txn_live */
	struct timer failing_timer;
	struct txn_refused *refused; /* TXN_REFUSED_N */
	uint64_t refused_until_ms;   /* of the latest one */
	struct list *dests, *conns;  /* TXN_BUCKETS each */
	struct dns_resolver *dns;    /* NULL: names are not looked up */
	struct list detours;         /* oldest first, but for those whose name was looked up */
	size_t detours_n, detour_bytes;
	const struct sip_msg *handed; /* the request that the user is being told of, and its key */
	struct txn_key handed_key;
};

/* --- match.c */
void txn_key_of(const struct txn_layer *l, const struct sip_msg *req, struct txn_key *key_r);
struct txn_entry *txn_find(const struct txn_layer *l, const struct txn_key *key);
/* The transaction that a CANCEL is for: any method but ACK and CANCEL (9.2). */
struct txn_entry *txn_find_cancelled(const struct txn_layer *l, const struct sip_msg *cancel);
/* The INVITE that an ACK belongs to (17.2.3), RFC 2543's rule for its To tag included. */
struct txn_entry *txn_find_acked(const struct txn_layer *l, const struct sip_msg *ack);
uint32_t txn_hash32(const struct txn_layer *l, struct str s);

/* --- keep.c */
struct txn_hold *txn_hold_new(struct sip_msg *msg);
void txn_hold_release(struct txn_layer *l, struct txn_hold **hold);
struct txn_kept *txn_kept_new(const struct sip_out *out);
int txn_kept_send(struct txn_layer *l, struct txn_kept *kept, struct tp_flow *flow, bool reopen);
static inline struct sip_out txn_kept_out(struct txn_kept *kept)
{
	return (struct sip_out){ .iov = &kept->iov, .iov_n = 1, .len = kept->iov.iov_len };
}
void txn_kept_free(struct txn_layer *l, struct txn_kept **kept);
static inline size_t txn_kept_bytes(const struct txn_kept *kept)
{
	return kept ? sizeof(*kept) + kept->iov.iov_len : 0;
}

/* --- linger.c */
void txn_linger_add(struct txn_layer *l, struct txn_linger *linger, bool is_client, size_t bytes);
void txn_linger_del(struct txn_layer *l, struct txn_linger *linger);

/* --- stateless.c */
int txn_stateless_init(struct txn_layer *l);
/* @id is that of its key; @tag has room for TXN_TAG_LEN. */
struct str txn_tag(const struct txn_layer *l, const struct sip_msg *req, const struct hash128 *id,
                   char *tag);
/* ACK to a refusal of ours without state. */
bool txn_ack_is_for_refusal(const struct txn_layer *l, const struct sip_msg *ack);
struct str txn_via_extra(struct arena *arena, const struct sip_msg *req,
                         const struct tp_flow *from);

/* --- detour.c */
/* Sends a response, as transport_send() with @reopen. What is then in doubt is looked after. */
int txn_respond(struct txn_layer *l, struct tp_flow *to, const struct sip_out *out);
void txn_detours_connected(struct txn_layer *l, uint64_t conn);
void txn_detours_undelivered(struct txn_layer *l, uint64_t conn);
/* Does one still look for its way? */
bool txn_detours_are_open(const struct txn_layer *l);
void txn_detour_timer(struct timer *t, void *arg);
void txn_detours_fini(struct txn_layer *l);

/* --- server.c */
void txn_server_timer(struct timer *t, void *arg);
void txn_server_send_100(struct txn_server *st);
/* Sends a final response; with @keep it is kept for retransmission. */
int txn_server_finish(struct txn_server *st, const struct sip_out *out, bool keep);
/* A final response has gone (or never will): lets go of the request and waits for @ms in @state. */
void txn_server_settle(struct txn_server *st, uint8_t state, uint32_t ms);
void txn_final_free(struct txn_layer *l, struct txn_final **final);
/* Its record has become smaller. */
void txn_entry_shrink(struct txn_layer *l, struct txn_entry *e);
/* Sends the last response again, if there is one to send. */
void txn_resend(struct txn_layer *l, struct txn_entry *e);
/* The layer goes: stops the timers and lets go of messages; the memory goes with the slabs. */
void txn_entry_drop(struct txn_layer *l, struct txn_entry *e);

/* --- server_invite.c, server_other.c: the machines. Those that send may take over *hold. */
int txn_si_start(struct txn_server *st);
int txn_si_send(struct txn_server *st, int code, const struct sip_out *out, struct txn_hold **hold);
/* false: for the user (ACK in Accepted). */
bool txn_si_ack(struct txn_layer *l, struct txn_entry *e);
void txn_si_timer_g(struct timer *t, void *arg);
int txn_so_start(struct txn_server *st);
int txn_so_send(struct txn_server *st, int code, const struct sip_out *out);
void txn_so_silent(struct txn_server *st);

/* --- client.c */
struct txn_client *txn_client_at(const struct txn_layer *l, uint32_t slot, uint32_t generation);
void txn_client_settle(struct txn_client *ct, uint8_t state, uint32_t ms);
void txn_client_up(struct txn_client *ct, struct sip_msg *resp);
void txn_live_free(struct txn_client *ct);
/* Tells the user and ends it; from a timer only. */
void txn_client_fail(struct txn_client *ct, int err);
void txn_client_release(struct txn_client *ct);
int txn_client_send(struct txn_client *ct);
/* What belongs to the INVITE: its CANCEL, the ACK to a refusal. @out as for transport_send(). */
int txn_client_follow(struct txn_client *ct, const struct sip_out *out);
void txn_client_timer(struct timer *t, void *arg);
void txn_client_retransmit_timer(struct timer *t, void *arg);
void txn_slots_fini(struct txn_layer *l);
typedef void(txn_slots_cb)(void *arg, struct txn_client *ct);
void txn_slots_each(struct txn_layer *l, txn_slots_cb *cb, void *arg);

/* --- client_invite.c, client_other.c: the machines */
void txn_ci_response(struct txn_client *ct, struct sip_msg *resp);
void txn_ci_retransmit(struct txn_client *ct);
void txn_co_response(struct txn_client *ct, struct sip_msg *resp);
void txn_co_retransmit(struct txn_client *ct);

/* --- cancel.c */
void txn_cancel_received(struct txn_layer *l, struct sip_msg *msg, const struct tp_flow *from);
void txn_cancel_send(struct txn_client *ct);
void txn_cancel_response(struct txn_client *ct, const struct sip_msg *resp);
void txn_cancel_retransmit_timer(struct timer *t, void *arg);
void txn_cancel_end_timer(struct timer *t, void *arg);
void txn_cancel_free(struct txn_client *ct);

/* --- dest.c */
int txn_dest_init(struct txn_layer *l);
void txn_dest_fini(struct txn_layer *l);
void txn_dest_add(struct txn_client *ct);
/* A response has come after all: not failing any more. */
void txn_dest_revive(struct txn_client *ct);
/* Is another transaction waiting for the connection that this one uses to open? */
bool txn_dest_is_connecting(const struct txn_client *ct);
void txn_dest_unreachable(struct txn_layer *l, uint8_t proto, const struct net_addr *remote,
                          uint64_t conn);
void txn_dest_connected(struct txn_layer *l, const struct tp_flow *flow);
/* Fails it soon, from a timer. */
void txn_dest_fail(struct txn_client *ct, int err);
void txn_failing_timer(struct timer *t, void *arg);
void txn_conn_add(struct txn_server *st);
bool txn_conn_in_use(const struct txn_layer *l, const struct tp_flow *flow);

/* --- small things */
static inline void txn_count(struct txn_layer *l, int id, int64_t n)
{
	counter_add(l->w->counts, id, n);
}

static inline struct txn_times txn_times_now(const struct txn_layer *l)
{
	const struct conf_timers *t = &l->w->conf->conf->timers;

	return (struct txn_times){ (uint32_t)t->t1, (uint32_t)t->t2, (uint32_t)t->t4,
		                   (uint32_t)t->b, (uint32_t)t->f };
}

/* Can only fail when 64 other durations are in use and memory is out: then what lingers stays until
 * its byte limit ends it. */
static inline int txn_timer_start(struct txn_layer *l, struct timer *t, int kind, uint32_t ms)
{
	return timer_start(l->w->timers, t, kind, ms);
}

static inline void txn_timer_cancel(struct txn_layer *l, struct timer *t)
{
	timer_cancel(l->w->timers, t);
}

static inline uint32_t txn_min(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}
