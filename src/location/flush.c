/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that are written when there is time: the latest state of AORs that changed with durability
 * `async`, and deletions of what has ended. Units of at most LOC_FLUSH_SETS sets or LOC_FLUSH_IDS
 * ids; FLUSHES_MAX at a time, so that they never fill the store's queue.
 *
 * Two rounds an interval, so that a change is written within one. A round first gathers what is
 * dirty, some shards in each tick, then hands it over in the order of rows, as much in each tick as
 * there are ticks left. What a round does not get done, since the store fails, stays dirty for the
 * next.
 */
#include <errno.h>
#include <stdlib.h>

#include "location/row.h"
#include "location/table.h"
#include "util/err.h"

#define FLUSHES_MAX 128  /* of one worker with the store at a time */
#define GONE_KEEP   4096 /* ids; a longer list goes back when it is empty */
#define GATHER_PART 4U   /* of a round: that long it gathers */
#define AHEAD       8U   /* slots whose sets are fetched into the cache before their turn */

static int flush_apply(struct store_unit *u, struct store *s)
{
	struct loc_flush *fl = container_of(u, struct loc_flush, unit);
	int err = 0;

	for (unsigned i = 0; i < fl->sets_n && !err; i++) {
		for (size_t k = 0; k < loc_set_n(fl->sets[i]) && !err; k++) {
			err = loc_row_write(s, loc_set_aor(fl->sets[i]),
			                    loc_set_rec(fl->sets[i], k), fl->unix_offset_ms);
		}
	}
	for (unsigned i = 0; i < fl->ids_n && !err; i++) {
		err = loc_row_delete(s, fl->ids[i]);
	}
	return err;
}

static struct loc_flush *flush_new(struct loc_worker *lw, int worker)
{
	struct loc_flush *fl = malloc(sizeof(*fl));

	if (!fl) {
		return NULL;
	}
	fl->unit =
		(struct store_unit){ .sync = STORE_LAZY, .apply = flush_apply, .worker = worker };
	list_init(&fl->link);
	fl->lw = lw;
	fl->unix_offset_ms = loc_unix_offset_ms(lw);
	fl->sets_n = fl->ids_n = 0;
	return fl;
}

static void flush_free(struct loc_flush *fl)
{
	for (unsigned i = 0; i < fl->sets_n; i++) {
		loc_set_unref(&fl->sets[i]);
	}
	list_del(&fl->link);
	free(fl);
}

/* --- while the worker runs --- */

static void mark_dirty(struct loc_worker *lw, const struct loc_set *set)
{
	struct str aor = loc_set_aor(set);
	struct loc_where where = loc_where(lw->t, lw->w, aor);
	struct loc_slot *slot = loc_shard_find(where.shard, where.hash, aor);

	if (slot) {
		loc_shard_set_dirty(where.shard, slot, true);
	}
}

static void hand_over(struct loc_worker *lw);

static void flush_done(struct store_unit *u, int err, void *ctx)
{
	struct loc_flush *fl = container_of(u, struct loc_flush, unit);
	struct loc_worker *lw = fl->lw;

	(void)ctx;
	lw->flushes_n--;
	if (!err) {
		flush_free(fl);
		hand_over(lw); /* what there was no room for */
		return;
	}
	for (unsigned i = 0; i < fl->sets_n; i++) {
		mark_dirty(lw, fl->sets[i]);
		loc_set_unref(&fl->sets[i]);
	}
	fl->sets_n = 0;
	if (fl->ids_n == 0) {
		flush_free(fl);
		return;
	}
	list_del(&fl->link);
	list_append(&lw->retries, &fl->link); /* the ids; there may be no memory to put them back */
}

/* Hands it to the store, or says no: then it is still the caller's. */
static bool flush_submit(struct loc_worker *lw, struct loc_flush *fl)
{
	fl->unit.done = flush_done;
	if (store_submit(lw->t->store, &fl->unit)) {
		return false;
	}
	list_del(&fl->link);
	list_append(&lw->flushes, &fl->link);
	lw->flushes_n++;
	return true;
}

static bool has_room(const struct loc_worker *lw)
{
	return lw->flushes_n < FLUSHES_MAX;
}

static void take_ids(struct loc_worker *lw, struct loc_flush *fl)
{
	size_t n = lw->gone_n < LOC_FLUSH_IDS ? lw->gone_n : LOC_FLUSH_IDS;

	memcpy(fl->ids, &lw->gone[lw->gone_n - n], n * sizeof(fl->ids[0]));
	fl->ids_n = (unsigned)n;
	lw->gone_n -= n;
}

static void flush_gone(struct loc_worker *lw)
{
	while (!list_is_empty(&lw->retries) && has_room(lw)) {
		if (!flush_submit(lw, container_of(lw->retries.next, struct loc_flush, link))) {
			return;
		}
	}
	while (lw->gone_n && has_room(lw)) {
		struct loc_flush *fl = flush_new(lw, (int)lw->w->id);

		if (!fl) {
			return;
		}
		take_ids(lw, fl);
		if (!flush_submit(lw, fl)) {
			list_append(&lw->retries, &fl->link);
			return;
		}
	}
	if (lw->gone_n == 0 && lw->gone_cap > GONE_KEEP && lw->gone_reserved == 0) {
		free(lw->gone);
		lw->gone = NULL;
		lw->gone_cap = 0;
	}
}

/* --- rounds --- */

static void gather_shard(struct loc_worker *lw, const struct loc_shard *sh)
{
	for (uint32_t i = 0; sh->dirty_n && i < sh->cap; i++) {
		const struct loc_slot *slot = &sh->slots[i];

		if (i + AHEAD < sh->cap && slot[AHEAD].dirty) {
			__builtin_prefetch(slot[AHEAD].set);
		}
		/* Without memory it stays dirty for the next round. */
		if (slot->dirty &&
		    loc_dirty_add(&lw->dirty, loc_set_rec(slot->set, 0)->id, slot->hash)) {
			return;
		}
	}
}

static void gather(struct loc_worker *lw, unsigned shards_n)
{
	struct loc_shard *shards = loc_shard_of(lw->t, lw->w->id, 0);

	while (shards_n-- && lw->gather_at < lw->t->per_owner) {
		gather_shard(lw, &shards[lw->gather_at++]);
	}
}

/* What is dirty under this hash. What has a change pending is left: that change writes it, or the
 * next round. */
static void take_hash(struct loc_worker *lw, struct loc_flush *fl, uint32_t hash)
{
	struct loc_shard *sh = loc_shard_of(lw->t, lw->w->id, hash);
	uint32_t pos = UINT32_MAX;
	struct loc_slot *slot;

	while (fl->sets_n < LOC_FLUSH_SETS && (slot = loc_shard_next(sh, hash, &pos)) != NULL) {
		if (slot->dirty && !loc_chain_find(lw, hash, loc_set_aor(slot->set))) {
			fl->sets[fl->sets_n++] = loc_set_ref(slot->set);
			loc_shard_set_dirty(sh, slot, false);
		}
	}
}

/* false: the store takes no more for now. */
static bool flush_some(struct loc_worker *lw)
{
	struct loc_flush *fl = has_room(lw) ? flush_new(lw, (int)lw->w->id) : NULL;
	uint32_t hash;

	if (!fl) {
		return false;
	}
	while (lw->flush_quota && fl->sets_n < LOC_FLUSH_SETS &&
	       loc_dirty_next(&lw->dirty, &hash)) {
		lw->flush_quota--;
		take_hash(lw, fl, hash);
	}
	if (fl->sets_n && flush_submit(lw, fl)) {
		return true;
	}
	for (unsigned i = 0; i < fl->sets_n; i++) {
		mark_dirty(lw, fl->sets[i]);
	}
	flush_free(fl);
	return false;
}

static void hand_over(struct loc_worker *lw)
{
	while (lw->flush_quota && lw->dirty.left && flush_some(lw)) {
	}
}

static void round_begin(struct loc_worker *lw, unsigned ticks)
{
	lw->round_left = ticks;
	lw->gather_at = 0;
	lw->flush_quota = 0;
	loc_dirty_begin(&lw->dirty, atomic_load_explicit(&lw->t->next_id, memory_order_relaxed));
}

void loc_flush_tick(struct loc_worker *lw, unsigned tick_ms)
{
	unsigned interval_s = lw->flush_interval_s ? lw->flush_interval_s : 1;
	unsigned ticks = (unsigned)((uint64_t)interval_s * 1000 / tick_ms / 2);
	unsigned gather_ticks;

	flush_gone(lw);
	ticks = ticks > 2 ? ticks : 2;
	gather_ticks = ticks / GATHER_PART ? ticks / GATHER_PART : 1;
	if (lw->round_left == 0 ||
	    lw->round_left > ticks) { /* longer: the interval is another now */
		round_begin(lw, ticks);
	}
	if (lw->gather_at < lw->t->per_owner) {
		gather(lw, lw->t->per_owner / gather_ticks + 1);
	} else if (lw->dirty.left) {
		lw->flush_quota = lw->dirty.left / lw->round_left + 1;
		hand_over(lw);
	}
	if (--lw->round_left == 0) {
		loc_dirty_fini(&lw->dirty);
	}
}

/* --- at the end --- */

/* Writer thread. */
static void final_done(struct store_unit *u, int err, void *ctx)
{
	struct loc_flush *fl = container_of(u, struct loc_flush, unit);

	(void)ctx;
	if (err) {
		atomic_store_explicit(&fl->lw->t->flush_failed, true, memory_order_relaxed);
	}
	flush_free(fl);
}

static int final_submit(struct loc_worker *lw, struct loc_flush *fl)
{
	int err;

	fl->unit.done = final_done;
	err = store_submit(lw->t->store, &fl->unit);
	if (err == BELFRY_EFULL) {
		store_wait(lw->t->store);
		err = store_submit(lw->t->store, &fl->unit);
	}
	if (err) {
		flush_free(fl);
	}
	return err;
}

/* The sets that are dirty, in @v with a reference each; they count as clean from then on. */
struct dirty {
	struct loc_set **v;
	size_t n, cap;
};

static int dirty_add(struct dirty *d, struct loc_set *set)
{
	if (d->n == d->cap) {
		size_t cap = d->cap ? d->cap * 2 : 1024;
		struct loc_set **v = realloc(d->v, cap * sizeof(struct loc_set *));

		if (!v) {
			return -ENOMEM;
		}
		d->v = v;
		d->cap = cap;
	}
	d->v[d->n++] = loc_set_ref(set);
	return 0;
}

static int dirty_collect(struct dirty *d, struct loc_shard *sh)
{
	int err = 0;

	for (uint32_t i = 0; i < sh->cap && sh->dirty_n && !err; i++) {
		struct loc_slot *slot = &sh->slots[i];

		if (slot->set && slot->dirty) {
			err = dirty_add(d, slot->set);
			if (!err) {
				loc_shard_set_dirty(sh, slot, false);
			}
		}
	}
	return err;
}

static int by_id(const void *a, const void *b)
{
	const struct loc_set *const *x = a, *const *y = b;
	uint64_t i = loc_set_rec(*x, 0)->id, k = loc_set_rec(*y, 0)->id;

	return i < k ? -1 : i > k;
}

static int final_sets(struct loc_worker *lw, struct loc_set **v, size_t n)
{
	struct loc_flush *fl = flush_new(lw, STORE_INLINE);

	if (!fl) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < n; i++) {
		fl->sets[fl->sets_n++] = loc_set_ref(v[i]);
	}
	return final_submit(lw, fl);
}

/* In the order of rows: each page of the database is then written once. */
static int final_dirty(struct loc_worker *lw, struct dirty *d)
{
	int err = 0;

	if (d->n) {
		qsort(d->v, d->n, sizeof(d->v[0]), by_id);
	}
	for (size_t i = 0; i < d->n && !err; i += LOC_FLUSH_SETS) {
		size_t n = d->n - i < LOC_FLUSH_SETS ? d->n - i : LOC_FLUSH_SETS;

		err = final_sets(lw, &d->v[i], n);
	}
	for (size_t i = 0; i < d->n; i++) {
		loc_set_unref(&d->v[i]);
	}
	free(d->v);
	return err;
}

static int final_gone(struct loc_worker *lw)
{
	int err = 0;

	while (!list_is_empty(&lw->retries) && !err) {
		struct loc_flush *fl = container_of(lw->retries.next, struct loc_flush, link);

		list_del(&fl->link); /* it is freed on another thread */
		fl->unit.worker = STORE_INLINE;
		err = final_submit(lw, fl);
	}
	while (lw->gone_n && !err) {
		struct loc_flush *fl = flush_new(lw, STORE_INLINE);

		if (!fl) {
			return -ENOMEM;
		}
		take_ids(lw, fl);
		err = final_submit(lw, fl);
	}
	return err;
}

static int final_flush(struct loc_worker *lw)
{
	struct loc_shard *shards = loc_shard_of(lw->t, lw->w->id, 0);
	struct dirty d = { 0 };
	int err = 0, err2;

	for (unsigned k = 0; k < lw->t->per_owner && !err; k++) {
		err = dirty_collect(&d, &shards[k]);
	}
	err2 = final_dirty(lw, &d); /* what was collected, in any case */
	err = err ? err : err2;
	return err ? err : final_gone(lw);
}

int loc_table_flush(struct loc_table *t)
{
	int err = 0;

	if (!t->store) {
		return 0;
	}
	atomic_store_explicit(&t->flush_failed, false, memory_order_relaxed);
	for (unsigned i = 0; i < t->owners && !err; i++) {
		err = final_flush(&t->lw[i]);
	}
	store_wait(t->store);
	return err ? err : atomic_load(&t->flush_failed) ? BELFRY_EAGAIN : 0;
}

void loc_flush_fini(struct loc_worker *lw)
{
	loc_dirty_fini(&lw->dirty);
	while (!list_is_empty(&lw->flushes)) {
		flush_free(container_of(lw->flushes.next, struct loc_flush, link));
	}
	while (!list_is_empty(&lw->retries)) {
		flush_free(container_of(lw->retries.next, struct loc_flush, link));
	}
}
