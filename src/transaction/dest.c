/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who uses which destination: client transactions by (transport, address), so that a transport
 * error fails those that have had no response yet (RFC 3261 17.1.4), at once but not inside
 * the call that brought it; and open server transactions by the connection they came on.
 */
#include "transaction/internal.h"

#include <errno.h>
#include <stdlib.h>

static struct list *dest_bucket(const struct txn_layer *l, const struct net_addr *remote)
{
	return &l->dests[net_addr_hash(l->w->process_key, remote) % TXN_BUCKETS];
}

static struct list *conn_bucket(const struct txn_layer *l, uint64_t conn)
{
	return &l->conns[hash_mix(conn) % TXN_BUCKETS];
}

/* --- failing -----------------------------------------------------------------------------------
 */

/* Those that are there now; what a callback adds waits for the next run. */
static void failing_run(struct txn_layer *l)
{
	struct list batch;

	list_init(&batch);
	while (!list_is_empty(&l->failing)) {
		struct list *node = l->failing.next;

		list_del(node);
		list_append(&batch, node);
	}
	while (!list_is_empty(&batch)) {
		struct txn_live *live = container_of(batch.next, struct txn_live, node);

		txn_client_fail(live->ct, live->error);
	}
}

void txn_failing_timer(struct timer *t, void *arg)
{
	(void)t;
	failing_run(arg);
}

void txn_dest_fail(struct txn_client *ct, int err)
{
	struct txn_layer *l = ct->l;

	ct->live->error = err;
	list_del(&ct->live->node);
	list_append(&l->failing, &ct->live->node);
	if (!timer_is_running(&l->failing_timer)) {
		txn_timer_start(l, &l->failing_timer, l->ids.failing, 0);
	}
}

void txn_dest_revive(struct txn_client *ct)
{
	if (ct->live->error) {
		ct->live->error = 0;
		list_del(&ct->live->node);
		txn_dest_add(ct);
	}
}

/* --- the layer ---------------------------------------------------------------------------------
 */

static struct list *buckets_new(void)
{
	struct list *v = calloc(TXN_BUCKETS, sizeof(*v));

	for (unsigned i = 0; v && i < TXN_BUCKETS; i++) {
		list_init(&v[i]);
	}
	return v;
}

int txn_dest_init(struct txn_layer *l)
{
	list_init(&l->failing);
	l->dests = buckets_new();
	l->conns = buckets_new();
	return l->dests && l->conns ? 0 : -ENOMEM;
}

void txn_dest_fini(struct txn_layer *l)
{
	txn_timer_cancel(l, &l->failing_timer);
	free(l->dests);
	free(l->conns);
}

/* --- client transactions -----------------------------------------------------------------------
 */

void txn_dest_add(struct txn_client *ct)
{
	list_append(dest_bucket(ct->l, &ct->flow.remote), &ct->live->node);
}

static bool is_at(const struct txn_client *ct, uint8_t proto, const struct net_addr *remote,
                  uint64_t conn)
{
	if (conn) {
		return ct->flow.conn == conn;
	}
	return ct->flow.proto == proto && net_addr_eq(&ct->flow.remote, remote);
}

bool txn_dest_is_connecting(const struct txn_client *ct)
{
	if (!tp_proto_is_reliable(ct->flow.proto)) {
		return false;
	}
	list_for_each(it, dest_bucket(ct->l, &ct->flow.remote))
	{
		const struct txn_live *live = container_of(it, struct txn_live, node);

		if (live->is_connecting && live->ct->flow.conn == ct->flow.conn) {
			return true;
		}
	}
	return false;
}

void txn_dest_unreachable(struct txn_layer *l, uint8_t proto, const struct net_addr *remote,
                          uint64_t conn)
{
	list_for_each_safe(it, tmp, dest_bucket(l, remote))
	{
		struct txn_live *live = container_of(it, struct txn_live, node);

		if (live->status == 0 && is_at(live->ct, proto, remote, conn)) {
			txn_dest_fail(live->ct, BELFRY_EUNREACH);
		}
	}
}

void txn_dest_connected(struct txn_layer *l, const struct tp_flow *flow)
{
	list_for_each(it, dest_bucket(l, &flow->remote))
	{
		struct txn_live *live = container_of(it, struct txn_live, node);

		if (live->is_connecting && live->ct->flow.conn == flow->conn) {
			live->is_connecting = false;
			txn_timer_cancel(l, &live->retransmit);
		}
	}
}

/* --- connections -------------------------------------------------------------------------------
 */

void txn_conn_add(struct txn_server *st)
{
	if (st->from.conn) {
		list_append(conn_bucket(st->l, st->from.conn), &st->node);
	}
}

bool txn_conn_in_use(const struct txn_layer *l, const struct tp_flow *flow)
{
	list_for_each(it, conn_bucket(l, flow->conn))
	{
		if (container_of(it, struct txn_server, node)->from.conn == flow->conn) {
			return true;
		}
	}
	list_for_each(it, dest_bucket(l, &flow->remote))
	{
		if (container_of(it, struct txn_live, node)->ct->flow.conn == flow->conn) {
			return true;
		}
	}
	return false;
}
