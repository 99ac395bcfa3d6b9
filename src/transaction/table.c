/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/table.h"

#include "transaction/internal.h"

#include <errno.h>
#include <stdlib.h>

#define BUCKETS_MIN 1024U
#define MOVE_STEP   8U /* old buckets emptied at each insertion or removal */
#define SPARSE                                                                                     \
	4U /* buckets an entry: most chains that are looked into are empty, and what is            \
	    * in one would be a miss of the cache */

int txn_table_init(struct txn_table *t)
{
	*t = (struct txn_table){ .mask = BUCKETS_MIN - 1 };
	t->v = calloc(BUCKETS_MIN, sizeof(struct txn_entry *));
	return t->v ? 0 : -ENOMEM;
}

void txn_table_fini(struct txn_table *t)
{
	free(t->v);
	free(t->old);
	*t = (struct txn_table){ 0 };
}

static struct txn_entry **bucket_of(const struct txn_table *t, const struct hash128 *id)
{
	if (t->old && (id->v[0] & t->old_mask) >= t->moved) {
		return &t->old[id->v[0] & t->old_mask];
	}
	return &t->v[id->v[0] & t->mask];
}

struct txn_entry *txn_table_chain(const struct txn_table *t, const struct hash128 *id)
{
	return *bucket_of(t, id);
}

void txn_table_fetch(const struct txn_table *t, const struct hash128 *id)
{
	__builtin_prefetch(bucket_of(t, id));
}

static void grow_begin(struct txn_table *t)
{
	size_t n = (t->mask + 1) * 2;
	struct txn_entry **v = calloc(n, sizeof(struct txn_entry *));

	if (v) {
		t->old = t->v;
		t->old_mask = t->mask;
		t->moved = 0;
		t->v = v;
		t->mask = n - 1;
	}
}

static void move_bucket(struct txn_table *t)
{
	struct txn_entry *e = t->old[t->moved++];

	while (e) {
		struct txn_entry *next = e->next, **b = &t->v[e->id.v[0] & t->mask];

		e->next = *b;
		*b = e;
		e = next;
	}
}

static void grow_step(struct txn_table *t)
{
	for (unsigned i = 0; t->old && i < MOVE_STEP; i++) {
		move_bucket(t);
		if (t->moved > t->old_mask) {
			free(t->old);
			t->old = NULL;
		}
	}
}

void txn_table_add(struct txn_table *t, struct txn_entry *e)
{
	struct txn_entry **b;

	grow_step(t);
	if (!t->old && t->n * SPARSE > t->mask) {
		grow_begin(t);
	}
	b = bucket_of(t, &e->id);
	e->next = *b;
	*b = e;
	t->n++;
}

void txn_table_del(struct txn_table *t, struct txn_entry *e)
{
	struct txn_entry **p = bucket_of(t, &e->id);

	while (*p != e) {
		p = &(*p)->next;
	}
	*p = e->next;
	t->n--;
	grow_step(t);
}

static void each_in(struct txn_entry *e, txn_table_cb *cb, void *arg)
{
	while (e) {
		struct txn_entry *next = e->next;

		cb(arg, e);
		e = next;
	}
}

void txn_table_each(struct txn_table *t, txn_table_cb *cb, void *arg)
{
	/* No growing meanwhile: what is removed could be moved into a chain already walked. */
	while (t->old) {
		grow_step(t);
	}
	for (size_t i = 0; i <= t->mask; i++) {
		each_in(t->v[i], cb, arg);
	}
}
