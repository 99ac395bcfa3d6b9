/* SPDX-License-Identifier: Apache-2.0 */
/* Suspending the bindings of a flow that has gone (RFC 5626 4.2.1, and every other AOR's too). */
#include "location/table.h"

#include <stdlib.h>

#include "util/log.h"

/* The same path: a connection by its number; datagrams by both ends, as far as they are told. */
static bool is_same(const struct tp_flow *a, const struct tp_flow *gone)
{
	return a->proto == gone->proto && a->conn == gone->conn &&
	       net_addr_eq(&a->remote, &gone->remote) &&
	       (a->conn || !gone->listener || a->listener == gone->listener);
}

/* @lw is NULL for a set that is not published yet. */
static void mark(struct loc_worker *lw, struct loc_set *set, const struct tp_flow *gone)
{
	for (size_t i = 0; i < loc_set_n(set); i++) {
		struct loc_rec *rec = (void *)((char *)set + set->off[i]);
		struct tp_flow flow;

		if (loc_rec_flow(rec, &flow) && is_same(&flow, gone)) {
			if (lw) {
				loc_flow_count(lw, rec, -1);
			}
			atomic_store_explicit(&rec->dead, 1, memory_order_relaxed);
		}
	}
}

/* Without a complete index every set is looked at. */
static void mark_all(struct loc_worker *lw, const struct tp_flow *gone)
{
	struct loc_shard *shards = loc_shard_of(lw->t, lw->w->id, 0);

	for (unsigned i = 0; i < lw->t->per_owner; i++) {
		for (uint32_t k = 0; k < shards[i].cap; k++) {
			mark(lw, shards[i].slots[k].set, gone);
		}
	}
}

static void mark_indexed(struct loc_worker *lw, const struct tp_flow *gone)
{
	uint32_t flow = loc_flow_hash(gone), aor = 0;
	bool more = loc_flow_index_next(&lw->flows, flow, 0, &aor);

	while (more) {
		struct loc_shard *sh = loc_shard_of(lw->t, lw->w->id, aor);
		uint32_t pos = UINT32_MAX;

		for (struct loc_slot *slot; (slot = loc_shard_next(sh, aor, &pos)) != NULL;) {
			mark(lw, slot->set, gone);
		}
		more = aor < UINT32_MAX && loc_flow_index_next(&lw->flows, flow, aor + 1, &aor);
	}
}

void loc_flow_gone_here(struct loc_table *t, struct worker *w, const struct tp_flow *flow)
{
	struct loc_worker *lw = &t->lw[w->id];

	if (lw->flows_incomplete) {
		mark_all(lw, flow);
	} else {
		mark_indexed(lw, flow);
	}
	list_for_each(it, &lw->pendings)
	{
		mark(NULL, container_of(it, struct loc_pending, all)->set, flow);
	}
}

/* --- to all workers --- */

struct notice {
	struct job job;
	struct loc_table *t;
	struct tp_flow flow;
};

static void notice_run(struct job *job, void *ctx)
{
	struct notice *n = container_of(job, struct notice, job);

	loc_flow_gone_here(n->t, ctx, &n->flow);
	free(n);
}

void loc_flow_gone(struct loc_table *t, struct worker *w, const struct tp_flow *flow)
{
	loc_flow_gone_here(t, w, flow);
	for (unsigned i = 0; i < t->owners; i++) {
		struct notice *n = i == w->id ? NULL : malloc(sizeof(*n));

		if (n) {
			*n = (struct notice){ .job.run = notice_run, .t = t, .flow = *flow };
			worker_post_sure(w, i, &n->job);
		} else if (i != w->id) {
			/* Sending down that flow will find it dead. */
			log_warning("location.flow_gone", LOG_Z("error", "out of memory"));
		}
	}
}
