/* SPDX-License-Identifier: Apache-2.0 */
/* INVITE server transaction (RFC 3261 17.2.1, figure 7 of RFC 6026). */
#include "transaction/internal.h"

int txn_si_start(struct txn_server *st)
{
	st->entry->state = TXN_PROCEEDING;
	return txn_timer_start(st->l, &st->entry->timer, st->l->ids.entry, TXN_TRYING_MS);
}

static int send_provisional(struct txn_server *st, int code, const struct sip_out *out,
                            struct txn_hold **hold)
{
	txn_timer_cancel(st->l, &st->entry->timer);
	txn_hold_release(st->l, &st->last_hold);
	st->last_hold = *hold;
	*hold = NULL;
	st->last = *out;
	st->last_status = code;
	return txn_respond(st->l, &st->to, &st->last);
}

static int send_2xx(struct txn_server *st, int code, const struct sip_out *out)
{
	int err = txn_respond(st->l, &st->to, out);

	st->last_status = code;
	if (!st->is_final) {
		txn_server_settle(st, TXN_ACCEPTED, 64 * st->times.t1); /* Timer L */
	}
	return err;
}

static int send_refusal(struct txn_server *st, int code, const struct sip_out *out)
{
	struct txn_layer *l = st->l;
	struct txn_entry *e = st->entry;
	int err = txn_server_finish(st, out, true);

	st->last_status = code;
	if (e->final && !e->is_reliable) {
		txn_timer_start(l, &e->final->g, l->ids.final_g, e->final->g_ms);
	}
	txn_server_settle(st, TXN_COMPLETED, 64 * st->times.t1); /* Timer H */
	return err;
}

/* A transport error changes nothing (RFC 6026 7.1); it is only told. */
int txn_si_send(struct txn_server *st, int code, const struct sip_out *out, struct txn_hold **hold)
{
	uint8_t state = st->entry->state;

	if (code >= 200 && code < 300) {
		return state == TXN_PROCEEDING || state == TXN_ACCEPTED ? send_2xx(st, code, out)
		                                                        : 0;
	}
	if (state != TXN_PROCEEDING) {
		return 0;
	}
	return code < 200 ? send_provisional(st, code, out, hold) : send_refusal(st, code, out);
}

void txn_si_timer_g(struct timer *t, void *arg)
{
	struct txn_layer *l = arg;
	struct txn_final *final = container_of(t, struct txn_final, g);

	txn_resend(l, final->entry);
	final->g_ms = txn_min(2 * final->g_ms, final->t2);
	txn_timer_start(l, &final->g, l->ids.final_g, final->g_ms);
}

static void confirm(struct txn_layer *l, struct txn_entry *e)
{
	uint32_t t4 = e->final ? e->final->t4 : txn_times_now(l).t4;

	e->state = TXN_CONFIRMED;
	txn_final_free(l, &e->final);
	txn_entry_shrink(l, e);
	txn_timer_start(l, &e->timer, l->ids.entry, e->is_reliable ? 0 : t4); /* Timer I */
}

bool txn_si_ack(struct txn_layer *l, struct txn_entry *e)
{
	if (e->state == TXN_COMPLETED) {
		confirm(l, e);
	}
	return e->state != TXN_ACCEPTED;
}
