/* SPDX-License-Identifier: Apache-2.0 */
#include "location/table.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/err.h"

static unsigned shard_index(const struct loc_table *t, unsigned owner, uint32_t hash)
{
	return owner * t->per_owner + hash % t->per_owner;
}

struct loc_shard *loc_shard_of(struct loc_table *t, unsigned owner, uint32_t hash)
{
	return &t->shards[shard_index(t, owner, hash)];
}

struct loc_where loc_where(struct loc_table *t, const struct worker *w, struct str aor)
{
	struct loc_where where;

	where.hash = (uint32_t)hash_str(&t->key, aor);
	where.owner = t->owners > 1 ? transport_owner_of_aor(w, aor) : 0;
	where.shard = loc_shard_of(t, where.owner, where.hash);
	return where;
}

struct loc_now loc_now(const struct worker *w)
{
	return (struct loc_now){ .now_ms = w->clock.now_ms, .unix_s = clock_unix_s(&w->clock) };
}

int64_t loc_unix_offset_ms(const struct loc_worker *lw)
{
	const struct clock *clock = &lw->w->clock;
	int64_t offset_ms = clock->unix_ms - (int64_t)clock->now_ms;

	return offset_ms > lw->t->unix_offset_min_ms ? offset_ms : lw->t->unix_offset_min_ms;
}

/* --- look-ups --- */

/* A look-up that answers later (loc_table_new_fake_async). */
struct lookup {
	struct loc_query query;
	struct job job;
	struct loc_table *t;
	loc_lookup_cb *cb; /* NULL: cancelled */
	void *arg;
	struct loc_where where;
	size_t aor_n;
	char aor[];
};

static void lookup_run(struct job *job, void *ctx)
{
	struct lookup *l = container_of(job, struct lookup, job);
	loc_lookup_cb *cb = l->cb;
	void *arg = l->arg;
	struct loc_set *set = NULL;

	(void)ctx;
	if (cb) {
		set = loc_shard_get(l->where.shard, l->where.hash, str_make(l->aor, l->aor_n));
	}
	free(l);
	if (cb) {
		cb(0, set, arg);
	}
	loc_set_unref(&set);
}

static int lookup_later(struct loc_table *t, struct worker *w, struct str aor, loc_lookup_cb *cb,
                        void *arg, struct loc_query **query_r)
{
	struct lookup *l = malloc(sizeof(*l) + aor.n);

	if (!l) {
		return -ENOMEM;
	}
	*l = (struct lookup){ .query = { .is_lookup = true },
		              .job = { .run = lookup_run },
		              .t = t,
		              .cb = cb,
		              .arg = arg,
		              .where = loc_where(t, w, aor),
		              .aor_n = aor.n };
	memcpy(l->aor, aor.p, aor.n);
	mailbox_post_sure(w->mailbox, &l->job);
	if (query_r) {
		*query_r = &l->query;
	}
	return BELFRY_WAIT;
}

int loc_lookup(struct loc_table *t, struct worker *w, struct str aor, struct loc_set **set_r,
               loc_lookup_cb *cb, void *arg, struct loc_query **query_r)
{
	struct loc_where where;

	*set_r = NULL;
	if (query_r) {
		*query_r = NULL;
	}
	if (t->is_fake_async) {
		return lookup_later(t, w, aor, cb, arg, query_r);
	}
	where = loc_where(t, w, aor);
	*set_r = loc_shard_get(where.shard, where.hash, aor);
	return 0;
}

void loc_lookup_cancel(struct loc_query **query)
{
	if (*query) {
		struct lookup *l = container_of(*query, struct lookup, query);

		assert((*query)->is_lookup);
		l->cb = NULL;
		*query = NULL;
	}
}

/* --- all of them --- */

/* References to all sets of a shard, taken under its lock into @sets of @cap; how many there are.
 */
static size_t shard_sets(struct loc_shard *sh, struct loc_set **sets, size_t cap)
{
	size_t n;

	pthread_mutex_lock(&sh->lock);
	n = sh->used;
	if (n <= cap) {
		size_t k = 0;

		for (uint32_t i = 0; i < sh->cap; i++) {
			if (sh->slots[i].set) {
				sets[k++] = loc_set_ref(sh->slots[i].set);
			}
		}
	}
	pthread_mutex_unlock(&sh->lock);
	return n;
}

/* false: @cb has had enough. */
static bool each_set(struct loc_set **sets, size_t n, bool is_wanted, loc_each_cb *cb, void *arg)
{
	for (size_t i = 0; i < n; i++) {
		is_wanted = is_wanted && cb(arg, sets[i]);
		loc_set_unref(&sets[i]);
	}
	return is_wanted;
}

void loc_each(struct loc_table *t, loc_each_cb *cb, void *arg)
{
	struct loc_set **sets = NULL;
	size_t cap = 0;
	bool is_wanted = true;

	for (unsigned i = 0; i < t->owners * t->per_owner && is_wanted; i++) {
		size_t n = shard_sets(&t->shards[i], sets, cap);

		while (n > cap) {
			size_t cap_new = n + n / 8 + 8;
			struct loc_set **more = realloc(sets, cap_new * sizeof(struct loc_set *));

			if (!more) {
				free(sets);
				return;
			}
			sets = more;
			cap = cap_new;
			n = shard_sets(&t->shards[i], sets, cap);
		}
		is_wanted = each_set(sets, n, true, cb, arg);
	}
	free(sets);
}

size_t loc_count(const struct loc_table *t)
{
	size_t n = 0;

	for (unsigned i = 0; i < t->owners; i++) {
		n += atomic_load_explicit(&t->lw[i].bindings, memory_order_relaxed);
	}
	return n;
}

/* --- making one --- */

static const struct counter_def bindings_def = {
	.type = COUNTER_GAUGE,
	.name = "belfry_bindings",
	.help = "Bindings in the location table",
};

/* -1: nobody counts. */
static int register_flows(struct counters *counters, unsigned proto)
{
	const char *names[TP_N] = { "udp", "tcp", "tls", "ws", "wss" };
	char labels[32];
	const struct counter_def def = {
		.type = COUNTER_GAUGE,
		.name = "belfry_flows",
		.labels = labels,
		.help = "Bindings that a live flow leads to",
	};

	(void)snprintf(labels, sizeof(labels), "transport=\"%s\"", names[proto]);
	return counters ? counters_register(counters, &def) : -1;
}

static void workers_init(struct loc_table *t)
{
	struct counters *counters = workers_get(t->ws, 0)->counters;
	int gauge = counters ? counters_register(counters, &bindings_def) : -1;
	int flows[TP_N];

	for (unsigned i = 0; i < TP_N; i++) {
		flows[i] = register_flows(counters, i);
	}

	for (unsigned i = 0; i < t->owners; i++) {
		struct loc_worker *lw = &t->lw[i];

		memset(lw, 0, sizeof(*lw));
		lw->t = t;
		lw->w = workers_get(t->ws, i);
		lw->ready_last = &lw->ready;
		lw->bindings_gauge = gauge;
		memcpy(lw->flow_gauges, flows, sizeof(flows));
		lw->timer_kind = -1;
		atomic_init(&lw->bindings, 0);
		loc_flow_index_init(&lw->flows);
		list_init(&lw->pendings);
		list_init(&lw->flushes);
		list_init(&lw->retries);
	}
}

static int parts_new(struct loc_table *t)
{
	size_t shards_n = (size_t)t->owners * t->per_owner;
	int err;

	t->shards = aligned_alloc(64, shards_n * sizeof(*t->shards));
	if (!t->shards) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < shards_n; i++) {
		loc_shard_init(&t->shards[i]);
	}
	t->lw = aligned_alloc(64, t->owners * sizeof(*t->lw));
	if (!t->lw) {
		return -ENOMEM;
	}
	workers_init(t);
	err = loc_slab_new(&t->mem.slab);
	return err ? err : loc_intern_new(&t->key, &t->mem.intern);
}

int loc_table_new(struct workers *ws, struct store *store, struct transport_group *tg,
                  struct loc_table **t_r)
{
	struct loc_table *t = calloc(1, sizeof(*t));
	int err;

	if (!t) {
		return -ENOMEM;
	}
	t->ws = ws;
	t->store = store;
	t->tg = tg;
	t->key = *workers_get(ws, 0)->process_key;
	t->key.k[0] ^= 0x6c6f636174696f6eULL; /* apart from the hash that chooses the owner */
	t->owners = workers_n(ws);
	t->per_owner = t->owners < LOC_SHARDS ? LOC_SHARDS / t->owners : 1;
	t->unix_offset_min_ms = INT64_MIN;
	atomic_init(&t->next_id, 1);
	atomic_init(&t->flush_failed, false);
	err = parts_new(t);
	if (err) {
		loc_table_free(t);
		return err;
	}
	*t_r = t;
	return 0;
}

int loc_table_new_fake_async(struct worker *w, struct loc_table **t_r)
{
	int err = loc_table_new(w->group, NULL, NULL, t_r);

	if (err == 0) {
		(*t_r)->is_fake_async = true;
	}
	return err;
}

static void worker_fini(struct loc_worker *lw)
{
	loc_sweep_fini(lw);
	loc_flush_fini(lw);
	loc_pending_free_all(lw);
	loc_flow_index_fini(&lw->flows);
	free(lw->gone);
}

void loc_table_free(struct loc_table *t)
{
	if (!t) {
		return;
	}
	for (unsigned i = 0; t->lw && i < t->owners; i++) {
		worker_fini(&t->lw[i]);
	}
	for (size_t i = 0; t->shards && i < (size_t)t->owners * t->per_owner; i++) {
		loc_shard_fini(&t->shards[i]);
	}
	free(t->lw);
	free(t->shards);
	loc_intern_free(t->mem.intern);
	loc_slab_free(t->mem.slab);
	free(t);
}
