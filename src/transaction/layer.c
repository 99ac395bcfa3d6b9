/* SPDX-License-Identifier: Apache-2.0 */
/* The layer of one worker: making it, and what arrives from the transport. */
#include "transaction/internal.h"

#include <errno.h>
#include <stdlib.h>

/* --- requests ----------------------------------------------------------------------------------
 */

/* Cannot be parsed, but its top Via can: nothing is ever answered to an ACK. */
static void refuse(struct txn_layer *l, const struct sip_msg *msg, const struct tp_flow *from)
{
	struct sip_reply reply = { .code = msg->error, .reason = str_from(msg->error_r) };

	txn_count(l, l->ids.rejected_parse, 1);
	txn_reply_stateless(l, msg, from, &reply);
}

/* true: absorbed. Else it acknowledges a 2xx. */
static bool absorb_ack(struct txn_layer *l, const struct sip_msg *msg)
{
	struct txn_entry *e;

	txn_key_of(l, msg, &l->handed_key); /* wanted again for the branch it goes on with */
	l->handed = msg;
	e = txn_find_acked(l, msg);
	return e ? txn_si_ack(l, e) : txn_ack_is_for_refusal(l, msg);
}

static bool absorb_repeated(struct txn_layer *l, const struct sip_msg *msg)
{
	struct txn_entry *e;

	txn_key_of(l, msg, &l->handed_key);
	e = txn_find(l, &l->handed_key);
	if (!e) {
		l->handed = msg;
		return false;
	}
	txn_count(l, l->ids.retrans_in, 1);
	txn_resend(l, e);
	return true;
}

/* true: nothing for the user. */
static bool absorb(struct txn_layer *l, struct sip_msg *msg, const struct tp_flow *from)
{
	if (msg->error) {
		refuse(l, msg, from);
		return true;
	}
	if (msg->method == SIP_M_ACK) {
		return absorb_ack(l, msg);
	}
	if (msg->method == SIP_M_CANCEL) {
		txn_cancel_received(l, msg, from);
		return true;
	}
	return absorb_repeated(l, msg);
}

/* Over a listener that a reload took away only what has begun goes on. */
static bool is_too_late(struct txn_layer *l, const struct sip_msg *req, const struct tp_flow *from)
{
	bool is_first =
		req->to_tag.n == 0 && req->method != SIP_M_ACK && req->method != SIP_M_CANCEL;

	return is_first && !transport_takes_new(l->tp, from);
}

static void on_request(void *arg, struct sip_msg *msg, const struct tp_flow *from)
{
	struct txn_layer *l = arg;

	if (absorb(l, msg, from) || !l->user.request || is_too_late(l, msg, from)) {
		sip_msg_unref(&msg);
	} else {
		l->user.request(l->user.arg, msg, from);
	}
	l->handed = NULL;
}

/* --- responses ---------------------------------------------------------------------------------
 */

/* A response whose sent-by is not what we put there is none to us (RFC 3261 18.1.2). */
static bool is_sent_by_us(const struct sip_via *via, const struct tp_listener *l)
{
	uint16_t port = via->port;

	if (port != l->port) {
		uint16_t standard = sip_via_default_port(via->transport);

		port = port ? port : standard;
		if (port != (l->port ? l->port : standard)) {
			return false;
		}
	}
	return str_eq(via->host, l->host) || sip_host_eq(via->host, l->host);
}

/* By the branch, then by the method in CSeq (RFC 3261 17.1.3). */
static struct txn_client *client_of(const struct txn_layer *l, const struct sip_msg *resp)
{
	struct txn_client *ct;
	struct branch b;

	if (!branch_parse(resp->via.branch, l->w->process_key, &b) || b.kind != BRANCH_TXN ||
	    b.worker != l->w->id) {
		return NULL;
	}
	ct = txn_client_at(l, b.slot, b.generation);
	if (!ct || ct->state == TXN_NEW || !is_sent_by_us(&resp->via, ct->flow.listener)) {
		return NULL;
	}
	if (resp->method == SIP_M_CANCEL) {
		return ct->method == SIP_M_INVITE ? ct : NULL;
	}
	if (resp->method != ct->method || ct->state == TXN_ENDED ||
	    (ct->method_hash && ct->method_hash != txn_hash32(l, resp->cseq_method))) {
		return NULL;
	}
	return ct;
}

static void on_response(void *arg, struct sip_msg *msg, const struct tp_flow *from)
{
	struct txn_layer *l = arg;
	struct txn_client *ct = client_of(l, msg);

	if (!ct) {
		txn_count(l, l->ids.stray, 1);
		if (l->user.stray) {
			l->user.stray(l->user.arg, msg, from);
		}
	} else if (msg->method == SIP_M_CANCEL) {
		txn_cancel_response(ct, msg);
	} else if (msg->method == SIP_M_INVITE) {
		txn_ci_response(ct, msg);
	} else {
		txn_co_response(ct, msg);
	}
	sip_msg_unref(&msg);
}

/* --- the transport's other news ----------------------------------------------------------------
 */

static void on_unreachable(void *arg, uint8_t proto, const struct net_addr *remote, uint64_t conn)
{
	txn_dest_unreachable(arg, proto, remote, conn);
}

static void on_undelivered(void *arg, uint64_t conn)
{
	txn_detours_undelivered(arg, conn);
}

static void on_flow(void *arg, const struct tp_flow *flow, bool up)
{
	struct txn_layer *l = arg;

	if (up) {
		txn_dest_connected(l, flow);
		txn_detours_connected(l, flow->conn);
	}
	if (l->user.flow) {
		l->user.flow(l->user.arg, flow, up);
	}
}

static bool on_in_use(void *arg, const struct tp_flow *flow)
{
	struct txn_layer *l = arg;

	return txn_conn_in_use(l, flow) || (l->user.in_use && l->user.in_use(l->user.arg, flow));
}

static enum tp_verdict on_packet(void *arg, struct str data, const struct tp_flow *from)
{
	struct txn_layer *l = arg;

	return l->user.packet ? l->user.packet(l->user.arg, data, from) : TP_CONTINUE;
}

/* --- making it ---------------------------------------------------------------------------------
 */

struct counter_place {
	size_t offset;
	struct counter_def def;
};

#define PLACE(field, type_, name_, labels_, help_)                                                 \
	{                                                                                          \
		offsetof(struct txn_ids, field),                                                   \
		{                                                                                  \
			.type = (type_), .name = (name_), .labels = (labels_), .help = (help_)     \
		}                                                                                  \
	}

static const struct counter_place places[] = {
	PLACE(server_n, COUNTER_GAUGE, "belfry_transactions", "kind=\"server\"",
	      "Transactions: server ones not yet completed, client ones without a final response, "
	      "and those that only absorb retransmissions"),
	PLACE(client_n, COUNTER_GAUGE, "belfry_transactions", "kind=\"client\"",
	      "Transactions: server ones not yet completed, client ones without a final response, "
	      "and those that only absorb retransmissions"),
	PLACE(linger_n, COUNTER_GAUGE, "belfry_transactions", "kind=\"lingering\"",
	      "Transactions: server ones not yet completed, client ones without a final response, "
	      "and those that only absorb retransmissions"),
	PLACE(retrans_in, COUNTER_COUNTER, "belfry_retransmissions_total", "direction=\"received\"",
	      "Requests and responses repeated by peers or by us"),
	PLACE(retrans_out, COUNTER_COUNTER, "belfry_retransmissions_total", "direction=\"sent\"",
	      "Requests and responses repeated by peers or by us"),
	PLACE(rejected_parse, COUNTER_COUNTER, "belfry_rejected_total", "reason=\"parse\"",
	      "Requests, messages and connections refused, by reason"),
	PLACE(rejected_full, COUNTER_COUNTER, "belfry_rejected_total", "reason=\"transactions\"",
	      "Requests, messages and connections refused, by reason"),
	PLACE(stray, COUNTER_COUNTER, "belfry_stray_responses_total", NULL,
	      "Responses that belong to no transaction; they are dropped"),
	PLACE(evicted, COUNTER_COUNTER, "belfry_transactions_evicted_total", NULL,
	      "Completed transactions ended early because all of them took too much memory"),
	PLACE(undelivered, COUNTER_COUNTER, "belfry_undelivered_responses_total", NULL,
	      "Responses whose connection was gone and that found no other way to the sender"),
};

static int counters_make(struct txn_layer *l)
{
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int id = counters_register(l->w->counters, &places[i].def);

		if (id < 0) {
			return id;
		}
		memcpy((char *)&l->ids + places[i].offset, &id, sizeof(id));
	}
	return 0;
}

static int kind_make(struct txn_layer *l, timer_cb *cb, int *kind_r)
{
	*kind_r = timers_kind(l->w->timers, cb, l);
	return *kind_r < 0 ? *kind_r : 0;
}

static int kinds_make(struct txn_layer *l)
{
	struct txn_ids *ids = &l->ids;
	int err = kind_make(l, txn_server_timer, &ids->entry);

	err = err ? err : kind_make(l, txn_si_timer_g, &ids->final_g);
	err = err ? err : kind_make(l, txn_client_timer, &ids->client);
	err = err ? err : kind_make(l, txn_client_retransmit_timer, &ids->client_retransmit);
	err = err ? err : kind_make(l, txn_cancel_retransmit_timer, &ids->cancel_retransmit);
	err = err ? err : kind_make(l, txn_cancel_end_timer, &ids->cancel_end);
	err = err ? err : kind_make(l, txn_failing_timer, &ids->failing);
	return err ? err : kind_make(l, txn_detour_timer, &ids->detour);
}

static void attach(struct txn_layer *l)
{
	const struct transport_user user = {
		.request = on_request,
		.response = on_response,
		.unreachable = on_unreachable,
		.undelivered = on_undelivered,
		.packet = on_packet,
		.flow = on_flow,
		.in_use = on_in_use,
		.arg = l,
	};

	transport_set_user(l->tp, &user);
}

static void slabs_init(struct txn_layer *l)
{
	slab_init(&l->entries, sizeof(struct txn_entry));
	slab_init(&l->servers, sizeof(struct txn_server));
	slab_init(&l->finals, sizeof(struct txn_final));
	slab_init(&l->lives, sizeof(struct txn_live));
	slab_init(&l->cancels, sizeof(struct txn_cancel));
}

int txn_layer_new(struct worker *w, struct transport *tp, struct txn_layer **l_r)
{
	struct txn_layer *l = calloc(1, sizeof(*l));
	int err;

	if (!l) {
		return -ENOMEM;
	}
	l->w = w;
	l->tp = tp;
	l->linger_max = TXN_LINGER_BYTES_MAX / w->n;
	list_init(&l->linger);
	list_init(&l->detours);
	slabs_init(l);
	err = txn_table_init(&l->table);
	err = err ? err : txn_dest_init(l);
	err = err ? err : txn_stateless_init(l);
	err = err ? err : counters_make(l);
	err = err ? err : kinds_make(l);
	if (err) {
		txn_layer_free(l);
		return err;
	}
	attach(l);
	*l_r = l;
	return 0;
}

static void drop_entry(void *arg, struct txn_entry *e)
{
	txn_entry_drop(arg, e);
}

static void drop_client(void *arg, struct txn_client *ct)
{
	struct txn_layer *l = arg;

	txn_timer_cancel(l, &ct->timer);
	txn_linger_del(l, &ct->linger);
	txn_kept_free(l, &ct->ack);
	txn_cancel_free(ct);
	txn_live_free(ct);
}

void txn_layer_free(struct txn_layer *l)
{
	if (!l) {
		return;
	}
	if (l->table.v) {
		txn_table_each(&l->table, drop_entry, l);
	}
	txn_slots_each(l, drop_client, l);
	txn_detours_fini(l);
	txn_slots_fini(l);
	txn_table_fini(&l->table);
	txn_dest_fini(l);
	slab_fini(&l->entries);
	slab_fini(&l->servers);
	slab_fini(&l->finals);
	slab_fini(&l->lives);
	slab_fini(&l->cancels);
	free(l->refused);
	free(l);
}

void txn_layer_set_user(struct txn_layer *l, const struct txn_user *user)
{
	l->user = *user;
}

void txn_layer_set_dns(struct txn_layer *l, struct dns_resolver *dns)
{
	l->dns = dns;
}
