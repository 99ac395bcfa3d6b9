/* SPDX-License-Identifier: Apache-2.0 */
/* Putting a set in place, with all that is kept about it: flows, counts, rows that have gone. */
#include "location/table.h"

#include <errno.h>
#include <stdlib.h>

/* --- the index of flows --- */

static bool has_flow_hash(const struct loc_set *set, uint32_t flow, size_t before)
{
	for (size_t i = 0; i < before; i++) {
		if (loc_rec_flow_hash(loc_set_rec(set, i)) == flow) {
			return true;
		}
	}
	return false;
}

static bool same_flows(const struct loc_set *a, const struct loc_set *b)
{
	return loc_set_n(a) == 1 && loc_set_n(b) == 1 &&
	       loc_rec_flow_hash(loc_set_rec(a, 0)) == loc_rec_flow_hash(loc_set_rec(b, 0));
}

/* The connection is told whether it still carries a registered flow. */
static void connection_update(struct loc_worker *lw, const struct loc_rec *rec, bool more)
{
	struct tp_flow flow;

	if (lw->t->tg && loc_rec_flow(rec, &flow)) {
		transport_flow_use(lw->t->tg, &flow, more);
	}
}

/* Each flow of @set that @other has not, once. */
static void flows_update(struct loc_worker *lw, uint32_t hash, const struct loc_set *set,
                         const struct loc_set *other, bool add)
{
	for (size_t i = 0; i < loc_set_n(set); i++) {
		uint32_t flow = loc_rec_flow_hash(loc_set_rec(set, i));

		if (flow == 0 || has_flow_hash(set, flow, i) ||
		    has_flow_hash(other, flow, loc_set_n(other))) {
			continue;
		}
		connection_update(lw, loc_set_rec(set, i), add);
		if (!add) {
			loc_flow_index_del(&lw->flows, flow, hash);
		} else if (loc_flow_index_add(&lw->flows, flow, hash)) {
			lw->flows_incomplete = true;
		}
	}
}

/* --- what the metrics show --- */

void loc_flow_count(struct loc_worker *lw, const struct loc_rec *rec, int by)
{
	int proto = loc_rec_live_proto(rec);

	if (proto >= 0 && proto < TP_N && lw->flow_gauges[proto] >= 0) {
		counter_add(lw->w->counts, lw->flow_gauges[proto], by);
	}
}

static void count(struct loc_worker *lw, const struct loc_set *set, int by)
{
	for (size_t i = 0; i < loc_set_n(set); i++) {
		loc_flow_count(lw, loc_set_rec(set, i), by);
	}
}

void loc_publish(struct loc_worker *lw, struct loc_shard *shard, uint32_t hash, struct str aor,
                 struct loc_set *set, bool dirty)
{
	struct loc_set *old = loc_shard_put(shard, hash, aor, set, dirty);
	size_t n = atomic_load_explicit(&lw->bindings, memory_order_relaxed);

	if (!same_flows(old, set)) {
		flows_update(lw, hash, old, set, false);
		flows_update(lw, hash, set, old, true);
	}
	n += loc_set_n(set) - loc_set_n(old);
	atomic_store_explicit(&lw->bindings, n, memory_order_relaxed);
	if (lw->bindings_gauge >= 0) {
		counter_set_to(lw->w->counts, lw->bindings_gauge, n);
		count(lw, old, -1);
		count(lw, set, 1);
	}
	loc_set_unref(&old);
}

/* --- rows that have gone --- */

int loc_gone_reserve(struct loc_worker *lw, size_t n)
{
	size_t need = lw->gone_n + lw->gone_reserved + n;

	if (need > lw->gone_cap) {
		size_t cap = need + need / 2 + 64;
		uint64_t *gone = realloc(lw->gone, cap * sizeof(*gone));

		if (!gone) {
			return -ENOMEM;
		}
		lw->gone = gone;
		lw->gone_cap = cap;
	}
	lw->gone_reserved += n;
	return 0;
}

void loc_gone_unreserve(struct loc_worker *lw, size_t n)
{
	lw->gone_reserved -= n;
}

static bool has_id(const struct loc_set *set, uint64_t id)
{
	for (size_t i = 0; i < loc_set_n(set); i++) {
		if (loc_set_rec(set, i)->id == id) {
			return true;
		}
	}
	return false;
}

void loc_gone_add(struct loc_worker *lw, const struct loc_set *old, const struct loc_set *set)
{
	for (size_t i = 0; i < loc_set_n(old); i++) {
		uint64_t id = loc_set_rec(old, i)->id;

		if (!has_id(set, id)) {
			lw->gone[lw->gone_n++] = id;
		}
	}
}
