/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each worker does for its own shards without being asked: bindings that have ended are taken
 * out, and what is not stored yet is flushed. Ten ticks a second; every shard's turn to be looked
 * at for ended bindings comes each ten seconds. A tick reads the due times in the slots only, and
 * takes out no more than EXPIRE_MAX sets.
 */
#include "location/table.h"

#include <errno.h>

#define TICK_MS      100
#define EXPIRY_ROUND 100 /* ticks in which every shard is looked at */
#define EXPIRE_MAX   256 /* sets in one tick */

/* false: memory is short, later. */
static bool expire(struct loc_worker *lw, struct loc_shard *sh, const struct loc_slot *slot)
{
	struct loc_set *old = loc_set_ref(slot->set), *set = NULL;
	uint32_t hash = slot->hash;
	bool was_dirty = slot->dirty, is_stored = lw->t->store != NULL;
	size_t n = is_stored ? loc_set_n(old) : 0;
	int err = loc_gone_reserve(lw, n);

	if (!err) {
		loc_gone_unreserve(lw, n);
		err = loc_set_without_expired(&lw->t->mem, old, lw->w->clock.now_ms, &set);
	}
	if (!err) {
		if (is_stored) {
			loc_gone_add(lw, old, set);
		}
		loc_publish(lw, sh, hash, loc_set_aor(old), set, was_dirty);
	}
	loc_set_unref(&old);
	return err == 0;
}

/* true: the whole shard has been looked at. */
static bool sweep_shard(struct loc_worker *lw, struct loc_shard *sh, unsigned *left)
{
	uint32_t now_s = (uint32_t)(lw->w->clock.now_ms / 1000);

	while (lw->expiry_pos < sh->cap) {
		struct loc_slot *slot = &sh->slots[lw->expiry_pos];

		if (!slot->set || slot->due_s > now_s ||
		    loc_chain_find(lw, slot->hash, loc_set_aor(slot->set))) {
			lw->expiry_pos++; /* a pending change takes out what has ended itself */
			continue;
		}
		if (*left == 0 || !expire(lw, sh, slot)) {
			return false;
		}
		--*left; /* another AOR may be in this slot now: look at it again */
	}
	return true;
}

static void sweep_expired(struct loc_worker *lw)
{
	unsigned n = lw->t->per_owner / EXPIRY_ROUND + 1, left = EXPIRE_MAX;
	struct loc_shard *shards = loc_shard_of(lw->t, lw->w->id, 0);

	while (n-- && sweep_shard(lw, &shards[lw->expiry_at], &left)) {
		lw->expiry_pos = 0;
		lw->expiry_at = (lw->expiry_at + 1) % lw->t->per_owner;
	}
}

static void tick(struct timer *timer, void *arg)
{
	struct loc_worker *lw = arg;

	sweep_expired(lw);
	if (lw->t->store) {
		loc_flush_tick(lw, TICK_MS);
	}
	timer_start(lw->w->timers, timer, lw->timer_kind, TICK_MS);
}

int loc_table_start_worker(struct loc_table *t, struct worker *w)
{
	struct loc_worker *lw = &t->lw[w->id];
	int kind = timers_kind(w->timers, tick, lw);

	if (kind < 0) {
		return kind;
	}
	lw->timer_kind = kind;
	return timer_start(w->timers, &lw->timer, kind, TICK_MS);
}

void loc_sweep_fini(struct loc_worker *lw)
{
	if (timer_is_running(&lw->timer)) {
		timer_cancel(lw->w->timers, &lw->timer);
	}
}
