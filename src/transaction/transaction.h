/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions (RFC 3261 17 as corrected by RFC 6026, RFC 4320): four machines, one file each
 * (server_invite.c, server_other.c, client_invite.c, client_other.c), one struct txn_layer per
 * worker. Server transactions are found by a keyed hash of branch + sent-by + method, client ones
 * by the slot in our branch. Nothing here knows of proxying: the layer above is struct txn_user.
 *
 * A request that matches nothing goes to user->request without a transaction. The user then either
 * refuses it without state (txn_reply_stateless) or accepts it (txn_server_new) and from then on
 * answers through the server transaction. Retransmissions, ACK for non-2xx and CANCEL are dealt
 * with here.
 */
#pragma once

#include "sip/edit.h"
#include "sip/msg.h"
#include "transport/transport.h"
#include "worker/worker.h"

struct dns_resolver;
struct txn_layer;
struct txn_server;
struct txn_client;

struct txn_user {
	/* A new request, or an ACK that belongs to no INVITE transaction of ours (ACK for a 2xx).
	 * Takes over the reference. msg->error != 0 has been answered before and does not get here.
	 */
	void (*request)(void *arg, struct sip_msg *req, const struct tp_flow *from);
	/* CANCEL arrived for this INVITE server transaction (200 to it has been sent). */
	void (*cancelled)(void *user, struct txn_server *st, const struct sip_msg *cancel);
	/* The server transaction is gone (its last timer fired, or it was killed at a limit). */
	void (*server_end)(void *user, struct txn_server *st);
	/* A response to a client transaction that is to be acted on: first of its kind or not,
	 * every provisional, every 2xx to INVITE. Retransmitted finals do not get here. Borrowed.
	 */
	void (*response)(void *user, struct txn_client *ct, struct sip_msg *resp);
	/* No final response will come: BELFRY_ETIMEOUT (Timer B, F; given up after CANCEL),
	 * BELFRY_EUNREACH (transport error: counts as 503). Called once. */
	void (*failed)(void *user, struct txn_client *ct, int err);
	/* The client transaction is gone; the pointer is not to be used again. Called last, always.
	 */
	void (*client_end)(void *user, struct txn_client *ct);
	/* A response without client transaction. RFC 6026: never forwarded; counted. Borrowed. May
	 * be NULL. */
	void (*stray)(void *arg, struct sip_msg *resp, const struct tp_flow *from);
	/* Passed on from the transport, see struct transport_user; each may be NULL. */
	enum tp_verdict (*packet)(void *arg, struct str data, const struct tp_flow *from);
	void (*flow)(void *arg, const struct tp_flow *flow, bool up);
	bool (*in_use)(void *arg, const struct tp_flow *flow); /* beside the transactions */
	void *arg;
};

/* Main thread, before the worker runs. Becomes the user of @tp. -ENOMEM, -ENOSPC. */
int txn_layer_new(struct worker *w, struct transport *tp, struct txn_layer **l_r);
/* Ends all without callbacks. What was sent in this turn is freed at its end: the worker goes
 * later. */
void txn_layer_free(struct txn_layer *l);
void txn_layer_set_user(struct txn_layer *l, const struct txn_user *user);
/* What a response falls back to when its connection and a new one to `received` have failed (RFC
 * 3263 5). It outlives the layer. NULL, the beginning: names are not looked up. */
void txn_layer_set_dns(struct txn_layer *l, struct dns_resolver *dns);
/* Settings of `timers` and the limits are taken from worker->conf when a transaction begins. */

struct txn_counts {
	size_t server_open;      /* not yet completed */
	size_t server_lingering; /* compact records and completed ones */
	size_t client;
	size_t linger_bytes;
};
struct txn_counts txn_layer_counts(const struct txn_layer *l);

/* --- answering without state ------------------------------------------------------------------ */

/* Builds and sends a response with a To tag from a keyed hash (RFC 3261 8.2.7); an ACK to it is
 * absorbed (recognised by that tag). Nothing is kept. Never for ACK (does nothing). @reply->to_tag
 * and via_extra are filled in here. */
int txn_reply_stateless(struct txn_layer *l, const struct sip_msg *req, const struct tp_flow *from,
                        struct sip_reply *reply);

/* --- server side ------------------------------------------------------------------------------ */

struct txn_server_params {
	struct sip_msg *req; /* a reference is taken, and released after a final response */
	const struct tp_flow *from;
	void *user;        /* for cancelled and server_end; freed in server_end */
	bool is_preferred; /* for what goes on and for emergencies something is kept in reserve */
};
/* BELFRY_EFULL: max_transactions (of which the preferred ones alone get the last tenth), few receive
 * buffers, or no memory; answer 503 without state. BELFRY_EEXIST: there is one already (a
 * retransmission that came while the user waited before this call): drop the request. */
int txn_server_new(struct txn_layer *l, const struct txn_server_params *params,
                   struct txn_server **st_r);
/* NULL after a final response: who needs it longer takes a reference of its own. */
struct sip_msg *txn_server_request(struct txn_server *st);
const struct tp_flow *txn_server_flow(const struct txn_server *st);
bool txn_server_is_final(const struct txn_server *st);   /* a final response has gone */
int txn_server_last_status(const struct txn_server *st); /* 0: nothing sent */
/* Keyed To tag for responses of our own, the same for each response of the transaction, for 200 to
 * its CANCEL too. To be asked for before a final response. */
struct str txn_server_tag(struct txn_server *st);

/* A response of our own; to_tag (unless given) and via_extra are filled in here. 100 only through
 * txn_server_trying(). After a final response: does nothing. Negative: -ENOMEM and nothing has
 * happened, or a transport error, which changes nothing for the transaction (RFC 6026 7.1). The
 * same for txn_server_forward(). */
int txn_server_reply(struct txn_server *st, struct sip_reply *reply);
/* A response that is forwarded: @resp with the edits applied (top Via removed by the caller).
 * INVITE: after a 2xx further ones go out too. Non-INVITE: provisionals and 408 are not sent (RFC
 * 4320); a 408 ends it silently. */
int txn_server_forward(struct txn_server *st, struct sip_msg *resp, const struct sip_edits *edits);
/* 100 to an INVITE now, if nothing has been sent yet. Non-INVITE: a timer of ours does it when
 * RFC 4320 allows. */
void txn_server_trying(struct txn_server *st);
/* The user forgets it: callbacks end and @st is not to be used again; the machine lingers by
 * itself, in less memory. Without a final response none will be sent; retransmissions are absorbed.
 */
void txn_server_detach(struct txn_server *st);

/* --- client side ------------------------------------------------------------------------------ */

/* A slot and with it the branch (txn_client_branch), before the request is built. @req is the
 * request being forwarded (INVITE or another method; reference taken), @loop goes into the branch.
 * BELFRY_EFULL. */
int txn_client_new(struct txn_layer *l, struct sip_msg *req, uint64_t loop, void *user,
                   struct txn_client **ct_r);
struct str txn_client_branch(const struct txn_client *ct);
/* Sends it: @edits over the request given before, our Via line among them and given again as
 * @via_line ("Via: ...\r\n", which the layer needs for CANCEL and ACK), @ruri and @route_lines as
 * sent. All in the arena of the request. Transport errors are told by failed(), never inside this
 * call; -ENOMEM (or what sip_edits_out() gives): nothing was sent and no callback follows, drop it.
 * @wait_ms: how long a connection may take to open before it is closed, which counts as
 * BELFRY_EUNREACH (0: until Timer B/F). */
struct txn_client_start {
	const struct sip_edits *edits;
	struct str via_line, ruri, route_lines;
	int max_forwards;
	struct tp_flow flow;
	uint32_t wait_ms;
};
int txn_client_start(struct txn_client *ct, const struct txn_client_start *start);
const struct tp_flow *txn_client_flow(const struct txn_client *ct);
/* NULL after the final response has been told. */
struct sip_msg *txn_client_request(struct txn_client *ct);
/* CANCEL (9.1): sent now or when a provisional comes; @extra: complete lines (Reason, ...). Without
 * a final response 64*T1 later it fails with BELFRY_ETIMEOUT. INVITE only; again: no effect. */
void txn_client_cancel(struct txn_client *ct, struct str extra);
bool txn_client_is_cancelled(const struct txn_client *ct);
/* Not started, or of no interest any more: no callbacks (client_end included) from now on. What has
 * been started goes on by itself (retransmissions, ACK) until it ends. */
void txn_client_drop(struct txn_client **ct);

/* --- stateless forwarding (ACK for 2xx) --------------------------------------------------------
 */

/* A branch made of a keyed hash of the received one (RFC 3261 16.11). @out: BRANCH_LEN bytes. */
struct str txn_stateless_branch(struct txn_layer *l, const struct sip_msg *req, char *out);
/* Sends an ACK that is large for a datagram by the stream @tcp, and if that does not open within
 * @wait_ms, as @by_udp by @udp (RFC 3261 18.1.1). As transport_send(); an error: not sent at all. */
int txn_ack_by_either(struct txn_layer *l, struct tp_flow *tcp, const struct sip_out *by_tcp,
                      const struct tp_flow *udp, const struct sip_out *by_udp, uint32_t wait_ms);

/* --- looking in --------------------------------------------------------------------------------
 */

struct txn_info {
	bool is_server;
	const char *state; /* RFC 3261's names, lower case: "trying", "proceeding", ... */
	struct str method, call_id, ruri, branch;
	int status;
	uint64_t age_ms;
	struct tp_flow flow;
};
typedef void(txn_info_cb)(void *arg, const struct txn_info *info);
void txn_layer_each(struct txn_layer *l, txn_info_cb *cb, void *arg);
/* Nothing left that drain has to wait for (lingering ones do not count). */
bool txn_layer_is_idle(const struct txn_layer *l);
