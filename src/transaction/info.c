/* SPDX-License-Identifier: Apache-2.0 */
/* Looking in from outside: `belfryctl transactions`, drain. */
#include "transaction/internal.h"

struct each {
	struct txn_layer *l;
	txn_info_cb *cb;
	void *arg;
};

static const char *state_name(uint8_t state)
{
	static const char *const names[] = {
		[TXN_CALLING] = "calling",       [TXN_TRYING] = "trying",
		[TXN_PROCEEDING] = "proceeding", [TXN_COMPLETED] = "completed",
		[TXN_CONFIRMED] = "confirmed",   [TXN_ACCEPTED] = "accepted",
	};

	return names[state];
}

static void fill_request(struct txn_info *info, const struct sip_msg *req)
{
	info->method = req->method_text;
	info->call_id = req->call_id;
	info->ruri = req->ruri_text;
}

static void each_entry(void *arg, struct txn_entry *e)
{
	const struct each *each = arg;
	struct txn_info info = { .is_server = true };

	if (!e->st || e->st->is_final) {
		return;
	}
	fill_request(&info, e->st->req);
	info.state = state_name(e->state);
	info.branch = e->st->req->via.branch;
	info.status = e->st->last_status;
	info.age_ms = each->l->w->clock.now_ms - e->st->since_ms;
	info.flow = e->st->from;
	each->cb(each->arg, &info);
}

static void each_client(void *arg, struct txn_client *ct)
{
	const struct each *each = arg;
	struct txn_info info = { .is_server = false };

	if (ct->state != TXN_CALLING && ct->state != TXN_TRYING && ct->state != TXN_PROCEEDING) {
		return;
	}
	fill_request(&info, ct->live->req);
	info.state = state_name(ct->state);
	info.ruri = ct->live->ruri;
	info.branch = txn_client_branch(ct);
	info.status = ct->live->status;
	info.age_ms = each->l->w->clock.now_ms - ct->live->since_ms;
	info.flow = ct->flow;
	each->cb(each->arg, &info);
}

void txn_layer_each(struct txn_layer *l, txn_info_cb *cb, void *arg)
{
	struct each each = { l, cb, arg };

	txn_table_each(&l->table, each_entry, &each);
	txn_slots_each(l, each_client, &each);
}

struct txn_counts txn_layer_counts(const struct txn_layer *l)
{
	return (struct txn_counts){
		.server_open = l->server_open,
		.server_lingering = l->table.n - l->server_open,
		.client = l->client_open,
		.linger_bytes = l->linger_bytes,
	};
}

bool txn_layer_is_idle(const struct txn_layer *l)
{
	return l->server_open == 0 && l->client_open == 0 && !txn_detours_are_open(l);
}
