/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What only waits for its last timer: one queue by age with a limit in bytes. Beyond it the oldest
 * go first. They end by their own timer, set to now, so that no callback runs inside the call that
 * made the queue too long.
 */
#include "transaction/internal.h"

static void evict(struct txn_layer *l, struct txn_linger *linger)
{
	struct timer *t;
	int kind;

	if (linger->is_client) {
		t = &container_of(linger, struct txn_client, linger)->timer;
		kind = l->ids.client;
	} else {
		t = &container_of(linger, struct txn_entry, linger)->timer;
		kind = l->ids.entry;
	}
	txn_linger_del(l, linger);
	txn_timer_start(l, t, kind, 0);
	txn_count(l, l->ids.evicted, 1);
}

static struct txn_entry *entry_at(struct list *node)
{
	struct txn_linger *linger = container_of(node, struct txn_linger, node);

	return linger->is_client ? NULL : container_of(linger, struct txn_entry, linger);
}

/* The oldest records are in no cache any more. While a message is worked on, what the next
 * evictions read is fetched: of the third one the record, of the second one what it points to, of
 * the first one the bytes that it keeps. */
static void fetch_oldest(struct txn_layer *l)
{
	struct list *first = l->linger.next, *second = first->next;
	const char *third = (const char *)second->next;
	const struct txn_entry *e = entry_at(first);

	if (e && e->final) {
		__builtin_prefetch(e->final->kept);
	}
	e = entry_at(second);
	if (e) {
		__builtin_prefetch(e->final);
		__builtin_prefetch((const char *)e->final + 64);
		txn_table_fetch(&l->table, &e->id);
	}
	for (int at = -64; at <= 128; at += 64) { /* whichever kind it is */
		__builtin_prefetch(third + at);
	}
}

void txn_linger_add(struct txn_layer *l, struct txn_linger *linger, bool is_client, size_t bytes)
{
	linger->bytes = (uint32_t)bytes;
	linger->is_client = is_client;
	list_append(&l->linger, &linger->node);
	l->linger_bytes += bytes;
	l->linger_n++;
	txn_count(l, l->ids.linger_n, 1);
	while (l->linger_bytes > l->linger_max && l->linger.next != &linger->node) {
		evict(l, container_of(l->linger.next, struct txn_linger, node));
		if (l->linger_n > 3) {
			fetch_oldest(l);
		}
	}
}

void txn_linger_del(struct txn_layer *l, struct txn_linger *linger)
{
	if (linger->bytes) {
		list_del(&linger->node);
		l->linger_bytes -= linger->bytes;
		linger->bytes = 0;
		l->linger_n--;
		txn_count(l, l->ids.linger_n, -1);
	}
}
