/* SPDX-License-Identifier: Apache-2.0 */
/* Server transaction of any method but INVITE (RFC 3261 17.2.2 as changed by RFC 4320). */
#include "transaction/internal.h"

/* When a client's Timer E is set to T2 for the first time: no 100 before that, one then at the
 * latest (RFC 4320 4.1). */
static uint32_t trying_after_ms(const struct txn_times *times)
{
	uint32_t sum = 0;

	for (uint32_t ms = times->t1; ms > 0 && ms < times->t2; ms *= 2) {
		sum += ms;
	}
	return sum;
}

int txn_so_start(struct txn_server *st)
{
	st->entry->state = TXN_TRYING;
	return txn_timer_start(st->l, &st->entry->timer, st->l->ids.entry,
	                       trying_after_ms(&st->times));
}

/* Over a reliable transport nothing is retransmitted and Timer J is 0. */
int txn_so_send(struct txn_server *st, int code, const struct sip_out *out)
{
	bool is_reliable = st->entry->is_reliable;
	int err;

	if (st->is_final) {
		return 0;
	}
	err = txn_server_finish(st, out, !is_reliable);
	st->last_status = code;
	txn_server_settle(st, TXN_COMPLETED, is_reliable ? 0 : 64 * st->times.t1); /* Timer J */
	return err;
}

/* 408 is of no use to a client that has given up by then (RFC 4320 4.2). */
void txn_so_silent(struct txn_server *st)
{
	txn_server_settle(st, TXN_SILENT, st->entry->is_reliable ? 0 : 64 * st->times.t1);
}
