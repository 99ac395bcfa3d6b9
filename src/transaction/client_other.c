/* SPDX-License-Identifier: Apache-2.0 */
/* Client transaction of any method but INVITE (RFC 3261 17.1.2). */
#include "transaction/internal.h"

/* Timer E: doubles up to T2; after a provisional it is T2. */
void txn_co_retransmit(struct txn_client *ct)
{
	struct txn_layer *l = ct->l;
	struct txn_live *live = ct->live;

	live->interval_ms = ct->state == TXN_PROCEEDING
	                            ? live->times.t2
	                            : txn_min(2 * live->interval_ms, live->times.t2);
	txn_timer_start(l, &live->retransmit, l->ids.client_retransmit, live->interval_ms);
	if (txn_client_send(ct) == 0) {
		txn_count(l, l->ids.retrans_out, 1);
	}
}

void txn_co_response(struct txn_client *ct, struct sip_msg *resp)
{
	struct txn_layer *l = ct->l;

	if (ct->state != TXN_TRYING && ct->state != TXN_PROCEEDING) {
		txn_count(l, l->ids.retrans_in, 1);
		return;
	}
	ct->live->status = resp->status;
	if (resp->status < 200) {
		ct->state = TXN_PROCEEDING;
		txn_dest_revive(ct);
		if (tp_proto_is_reliable(ct->flow.proto)) {
			txn_timer_cancel(l, &ct->live->retransmit); /* it has connected */
		}
		txn_client_up(ct, resp);
		return;
	}
	txn_client_settle(ct, TXN_COMPLETED,
	                  tp_proto_is_reliable(ct->flow.proto) ? 0 : ct->live->times.t4);
	txn_client_up(ct, resp);
	txn_live_free(ct);
}
