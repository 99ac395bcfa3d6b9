/* SPDX-License-Identifier: Apache-2.0 */
/* INVITE client transaction (RFC 3261 17.1.1, figure 5 of RFC 6026). */
#include "transaction/internal.h"

/* Timer A: doubles without an upper bound (17.1.1.2). */
void txn_ci_retransmit(struct txn_client *ct)
{
	struct txn_layer *l = ct->l;
	struct txn_live *live = ct->live;

	live->interval_ms *= 2;
	txn_timer_start(l, &live->retransmit, l->ids.client_retransmit, live->interval_ms);
	if (txn_client_send(ct) == 0) {
		txn_count(l, l->ids.retrans_out, 1);
	}
}

static void on_provisional(struct txn_client *ct, struct sip_msg *resp)
{
	struct txn_layer *l = ct->l;
	bool is_first = ct->state == TXN_CALLING;

	ct->state = TXN_PROCEEDING;
	ct->live->status = resp->status;
	txn_dest_revive(ct);
	if (is_first) {
		txn_timer_cancel(l, &ct->timer);
		txn_timer_cancel(l, &ct->live->retransmit);
		if (ct->is_cancelled) {
			txn_cancel_send(ct);
		} else if (!ct->is_attached) {
			txn_timer_start(l, &ct->timer, l->ids.client, 64 * ct->live->times.t1);
		}
	}
	txn_client_up(ct, resp);
}

/* ACK to a refusal (17.1.1.3). Over UDP it is kept for as long as the refusal may be repeated. */
static void acknowledge(struct txn_client *ct, const struct sip_msg *resp)
{
	const struct txn_live *live = ct->live;
	const struct sip_hop_request hop = {
		.ruri = live->ruri,
		.via = live->via_line,
		.route_lines = live->route_lines,
		.to_value = sip_msg_header(resp, SIP_H_TO),
		.max_forwards = live->max_forwards,
	};
	struct sip_out out;

	if (sip_build_ack(live->req, &hop, &live->req->arena, &out) != 0) {
		return; /* no memory: the refusal comes again, but without an ACK to repeat */
	}
	ct->ack = tp_proto_is_reliable(ct->flow.proto) ? NULL : txn_kept_new(&out);
	if (ct->ack) {
		txn_kept_send(ct->l, ct->ack, &ct->flow, false);
	} else {
		txn_client_follow(ct, &out);
	}
}

static uint32_t timer_d_ms(const struct txn_client *ct)
{
	uint32_t ms = 64 * ct->live->times.t1;

	if (tp_proto_is_reliable(ct->flow.proto)) {
		return 0;
	}
	return ms < TXN_D_MIN_MS ? TXN_D_MIN_MS : ms;
}

static void on_final(struct txn_client *ct, struct sip_msg *resp)
{
	ct->live->status = resp->status;
	if (resp->status < 300) {
		txn_client_settle(ct, TXN_ACCEPTED, 64 * ct->live->times.t1); /* Timer M */
	} else {
		acknowledge(ct, resp);
		txn_client_settle(ct, TXN_COMPLETED, timer_d_ms(ct));
	}
	txn_client_up(ct, resp);
	txn_live_free(ct);
}

static void on_repeated(struct txn_client *ct, struct sip_msg *resp)
{
	struct txn_layer *l = ct->l;

	txn_count(l, l->ids.retrans_in, 1);
	if (ct->state == TXN_COMPLETED && resp->status >= 300 && ct->ack) {
		txn_kept_send(l, ct->ack, &ct->flow, false);
		txn_count(l, l->ids.retrans_out, 1);
	}
}

void txn_ci_response(struct txn_client *ct, struct sip_msg *resp)
{
	if (ct->state == TXN_CALLING || ct->state == TXN_PROCEEDING) {
		if (resp->status < 200) {
			on_provisional(ct, resp);
		} else {
			on_final(ct, resp);
		}
	} else if (ct->state == TXN_ACCEPTED && resp->status >= 200 && resp->status < 300) {
		txn_client_up(ct, resp); /* each one: RFC 6026 7.2 */
	} else {
		on_repeated(ct, resp);
	}
}
