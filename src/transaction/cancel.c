/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CANCEL (RFC 3261 9). Received: answered without state, again at each retransmission, and told to
 * the user once. Sent: a small machine of its own on the INVITE's slot, since it has the INVITE's
 * branch; the slot is not used again before both have ended.
 */
#include "transaction/internal.h"

/* --- server side -------------------------------------------------------------------------------
 */

void txn_cancel_received(struct txn_layer *l, struct sip_msg *msg, const struct tp_flow *from)
{
	struct txn_entry *e = txn_find_cancelled(l, msg);
	struct sip_reply reply = { .code = e ? 200 : 481 };
	struct txn_server *st = e ? e->st : NULL;

	/* Its To tag is that of our own answers to the INVITE: the same fields are hashed (9.2). */
	txn_reply_stateless(l, msg, from, &reply);
	if (st && e->method == SIP_M_INVITE && !st->is_final && !st->is_cancelled) {
		st->is_cancelled = true;
		if (l->user.cancelled) {
			l->user.cancelled(st->user, st, msg);
		}
	}
}

/* --- client side -------------------------------------------------------------------------------
 */

static void cancel_release(struct txn_layer *l, struct txn_cancel *c)
{
	txn_timer_cancel(l, &c->retransmit);
	txn_timer_cancel(l, &c->end);
	txn_kept_free(l, &c->kept);
	slab_free(&l->cancels, c);
}

void txn_cancel_free(struct txn_client *ct)
{
	if (ct->cancel) {
		cancel_release(ct->l, ct->cancel);
		ct->cancel = NULL;
	}
}

static struct txn_kept *cancel_build(const struct txn_client *ct)
{
	const struct txn_live *live = ct->live;
	const struct sip_hop_request hop = {
		.ruri = live->ruri,
		.via = live->via_line,
		.route_lines = live->route_lines,
		.extra = live->cancel_extra,
		.max_forwards = live->max_forwards,
	};
	struct sip_out out;

	if (sip_build_cancel(live->req, &hop, &live->req->arena, &out) != 0) {
		return NULL;
	}
	return txn_kept_new(&out);
}

static struct txn_cancel *cancel_new(struct txn_client *ct)
{
	const struct txn_times *times = &ct->live->times;
	struct txn_layer *l = ct->l;
	struct txn_cancel *c = slab_alloc(&l->cancels);

	if (!c) {
		return NULL;
	}
	c->ct = ct;
	c->interval_ms = times->t1;
	c->t2 = times->t2;
	c->t4 = times->t4;
	c->kept = cancel_build(ct);
	if (!c->kept || txn_timer_start(l, &c->end, l->ids.cancel_end, times->f) != 0) {
		cancel_release(l, c);
		return NULL;
	}
	return c;
}

/* The INVITE is given up 64*T1 later whatever becomes of the CANCEL (9.1). */
void txn_cancel_send(struct txn_client *ct)
{
	struct txn_layer *l = ct->l;
	struct txn_cancel *c;
	struct sip_out out;

	txn_timer_start(l, &ct->timer, l->ids.client, 64 * ct->live->times.t1);
	c = ct->cancel = cancel_new(ct);
	if (!c) {
		return;
	}
	out = txn_kept_out(c->kept);
	txn_client_follow(ct, &out);
	if (!tp_proto_is_reliable(ct->flow.proto)) {
		txn_timer_start(l, &c->retransmit, l->ids.cancel_retransmit, c->interval_ms);
	}
}

void txn_client_cancel(struct txn_client *ct, struct str extra)
{
	if (ct->method != SIP_M_INVITE || ct->is_cancelled ||
	    (ct->state != TXN_CALLING && ct->state != TXN_PROCEEDING)) {
		return;
	}
	ct->is_cancelled = true;
	/* Without memory for what is extra it goes without. */
	ct->live->cancel_extra = arena_str(&ct->live->req->arena, extra);
	if (ct->state == TXN_PROCEEDING) {
		txn_cancel_send(ct);
	}
}

void txn_cancel_retransmit_timer(struct timer *t, void *arg)
{
	struct txn_layer *l = arg;
	struct txn_cancel *c = container_of(t, struct txn_cancel, retransmit);

	c->interval_ms = c->is_proceeding ? c->t2 : txn_min(2 * c->interval_ms, c->t2);
	txn_timer_start(l, &c->retransmit, l->ids.cancel_retransmit, c->interval_ms);
	if (txn_kept_send(l, c->kept, &c->ct->flow, false) == 0) {
		txn_count(l, l->ids.retrans_out, 1);
	}
}

void txn_cancel_response(struct txn_client *ct, const struct sip_msg *resp)
{
	struct txn_layer *l = ct->l;
	struct txn_cancel *c = ct->cancel;

	if (!c || c->is_answered) {
		txn_count(l, l->ids.retrans_in, 1);
		return;
	}
	if (resp->status < 200) {
		c->is_proceeding = true;
		return;
	}
	c->is_answered = true;
	txn_timer_cancel(l, &c->retransmit);
	txn_kept_free(l, &c->kept);
	txn_timer_start(l, &c->end, l->ids.cancel_end,
	                tp_proto_is_reliable(ct->flow.proto) ? 0 : c->t4); /* Timer K */
}

void txn_cancel_end_timer(struct timer *t, void *arg)
{
	struct txn_cancel *c = container_of(t, struct txn_cancel, end);
	struct txn_client *ct = c->ct;

	(void)arg;
	txn_cancel_free(ct);
	if (ct->state == TXN_ENDED) {
		txn_client_release(ct);
	}
}
