/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes on their way: each AOR's chain of pending sets. The head is published when it is durable
 * (or needs not be), then its callback runs, then the next one's turn comes. A head that cannot be
 * written takes all behind it with it, since they were worked out from it.
 */
#include "location/table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "util/err.h"

static struct loc_chain **bucket_of(struct loc_worker *lw, uint32_t hash)
{
	/* All hashes of a shard have the same remainder: other bits here. */
	return &lw->chains[hash_mix(hash) % LOC_CHAIN_BUCKETS];
}

struct loc_chain *loc_chain_find(struct loc_worker *lw, uint32_t hash, struct str aor)
{
	struct loc_chain *c = *bucket_of(lw, hash);

	while (c && (c->hash != hash || !str_eq(str_make(c->aor, c->aor_n), aor))) {
		c = c->next;
	}
	return c;
}

static struct loc_chain *chain_new(struct loc_worker *lw, const struct loc_where *where,
                                   struct str aor)
{
	struct loc_chain *c = malloc(sizeof(*c) + aor.n);
	struct loc_chain **bucket = bucket_of(lw, where->hash);

	if (!c) {
		return NULL;
	}
	*c = (struct loc_chain){ .next = *bucket,
		                 .shard = where->shard,
		                 .hash = where->hash,
		                 .aor_n = (uint32_t)aor.n };
	memcpy(c->aor, aor.p, aor.n);
	*bucket = c;
	return c;
}

/* Frees an empty chain, unless somebody still holds it. */
static void chain_release(struct loc_worker *lw, struct loc_chain *c)
{
	struct loc_chain **at = bucket_of(lw, c->hash);

	if (c->head || c->is_ready || c->is_running) {
		return;
	}
	while (*at != c) {
		at = &(*at)->next;
	}
	*at = c->next;
	free(c);
}

static void chain_append(struct loc_chain *c, struct loc_pending *p)
{
	p->chain = c;
	if (c->tail) {
		c->tail->next = p;
	} else {
		c->head = p;
	}
	c->tail = p;
}

static struct loc_pending *chain_pop(struct loc_chain *c)
{
	struct loc_pending *p = c->head;

	c->head = p->next;
	if (!c->head) {
		c->tail = NULL;
	}
	p->next = NULL;
	return p;
}

/* --- one change --- */

static void pending_unreserve(struct loc_pending *p)
{
	if (p->has_reserved) {
		p->has_reserved = false;
		loc_shard_unreserve(p->shard);
	}
	loc_gone_unreserve(p->lw, p->gone_reserved);
	p->gone_reserved = 0;
}

static void pending_free(struct loc_pending *p)
{
	pending_unreserve(p);
	list_del(&p->all);
	loc_set_unref(&p->base);
	loc_set_unref(&p->set);
	free(p);
}

static void publish(struct loc_pending *p)
{
	struct loc_chain *c = p->chain;

	pending_unreserve(p);
	if (!p->changes) {
		return;
	}
	if (p->is_dirty) {
		loc_gone_add(p->lw, p->base, p->set);
	}
	loc_publish(p->lw, c->shard, c->hash, str_make(c->aor, c->aor_n), loc_set_ref(p->set),
	            p->is_dirty);
}

static void answer(struct loc_pending *p, int err)
{
	loc_commit_cb *cb = p->cb;

	p->cb = NULL; /* too late to cancel */
	if (cb) {
		cb(err, err ? NULL : p->set, p->arg);
	}
}

/* Publishes and answers from the head on, as far as it goes. */
static void chain_run(struct loc_worker *lw, struct loc_chain *c)
{
	if (c->is_running) {
		return;
	}
	c->is_running = true;
	while (c->head && c->head->state == LOC_P_READY) {
		struct loc_pending *p = chain_pop(c);

		if (p->err == 0) {
			publish(p);
		}
		answer(p, p->err);
		pending_free(p);
	}
	c->is_running = false;
	chain_release(lw, c);
}

/* The head has failed: nothing that is pending for this AOR happens. */
static void chain_fail(struct loc_worker *lw, struct loc_chain *c)
{
	struct loc_pending *dropped = c->head;

	c->head = c->tail = NULL;
	for (struct loc_pending *p = dropped; p; p = p->next) {
		pending_unreserve(p);
	}
	chain_release(lw, c);
	while (dropped) {
		struct loc_pending *p = dropped;

		dropped = p->next;
		p->next = NULL;
		answer(p, p->err ? p->err : BELFRY_EAGAIN);
		if (p->state == LOC_P_WRITING) {
			p->state = LOC_P_ORPHAN;
		} else {
			pending_free(p);
		}
	}
}

void loc_pending_done(struct loc_pending *p, int err)
{
	struct loc_chain *c = p->chain;
	struct loc_worker *lw = p->lw;

	if (p->state == LOC_P_ORPHAN) {
		pending_free(p);
		return;
	}
	if (!err) {
		p->state = LOC_P_READY;
	}
	chain_run(lw, c); /* what is before it needs not wait for the run queue */
	if (err) {
		assert(c->head == p);
		chain_fail(lw, c);
	}
}

/* --- the worker's list of what is ready --- */

static void ready_run(struct job *job, void *ctx)
{
	struct loc_worker *lw = container_of(job, struct loc_worker, job);
	struct loc_chain *c = lw->ready;

	(void)ctx;
	lw->job_is_queued = false;
	lw->ready = NULL;
	lw->ready_last = &lw->ready;
	while (c) {
		struct loc_chain *next = c->ready_next;

		c->is_ready = false;
		chain_run(lw, c);
		c = next;
	}
}

void loc_chain_ready(struct loc_worker *lw, struct loc_chain *c)
{
	if (c->is_ready) {
		return;
	}
	c->is_ready = true;
	c->ready_next = NULL;
	*lw->ready_last = c;
	lw->ready_last = &c->ready_next;
	if (lw->job_is_queued) {
		return;
	}
	lw->job_is_queued = true;
	lw->job.run = ready_run;
	if (lw->t->is_fake_async) {
		mailbox_post_sure(lw->w->mailbox, &lw->job);
	} else {
		worker_run(lw->w, WORKER_CLASS_URGENT, &lw->job);
	}
}

/* --- loc_apply --- */

static struct loc_pending *pending_new(struct loc_worker *lw, const struct loc_change *change,
                                       loc_commit_cb *cb, void *arg)
{
	struct loc_pending *p = malloc(sizeof(*p));

	if (!p) {
		return NULL;
	}
	*p = (struct loc_pending){ .lw = lw,
		                   .cb = cb,
		                   .arg = arg,
		                   .state = LOC_P_READY,
		                   .is_dirty = change->durability == LOC_ASYNC && lw->t->store };
	p->unix_offset_ms = loc_unix_offset_ms(lw);
	list_append(&lw->pendings, &p->all);
	return p;
}

/* Works out what @p makes of the newest set of its AOR. */
static int pending_run(struct loc_pending *p, struct loc_where *where, struct loc_chain *c,
                       const struct loc_change *change)
{
	struct loc_worker *lw = p->lw;
	struct loc_slot *slot = loc_shard_find(where->shard, where->hash, change->aor);
	struct loc_set *tip = c && c->tail ? c->tail->set : slot ? slot->set : NULL;
	struct loc_now now = loc_now(lw->w);
	int err;

	p->base = loc_set_ref(tip);
	err = loc_change_run(&lw->t->mem, tip, change, &now, &lw->t->next_id, &p->set, &p->changes);
	if (err || !p->changes) {
		return err;
	}
	p->write_all = slot && slot->dirty;
	for (struct loc_pending *q = c ? c->head : NULL; q && !p->write_all; q = q->next) {
		p->write_all = q->is_dirty;
	}
	if (p->is_dirty) {
		err = loc_gone_reserve(lw, loc_set_n(p->base));
		p->gone_reserved = err ? 0 : loc_set_n(p->base);
	}
	if (!err && p->set && (c || !slot)) {
		err = loc_shard_reserve(where->shard);
		p->shard = where->shard;
		p->has_reserved = err == 0;
	}
	return err;
}

/* A remote store tells its refusals later. */
static int refuse_later(struct loc_pending *p, int err)
{
	if (!p->lw->t->is_fake_async || (err != BELFRY_ESTALE && err != BELFRY_EFULL)) {
		return err;
	}
	p->err = err;
	p->changes = false;
	loc_set_unref(&p->set);
	p->set = loc_set_ref(p->base);
	return 0;
}

int loc_apply(struct loc_table *t, struct worker *w, const struct loc_change *change,
              loc_commit_cb *cb, void *arg, struct loc_query **query_r)
{
	struct loc_worker *lw = &t->lw[w->id];
	struct loc_where where = loc_where(t, w, change->aor);
	struct loc_chain *c;
	struct loc_pending *p;
	int err;

	if (where.owner != w->id) {
		return -EINVAL; /* a module's mistake */
	}
	c = loc_chain_find(lw, where.hash, change->aor);
	p = pending_new(lw, change, cb, arg);
	err = p ? 0 : -ENOMEM;
	if (p) {
		err = pending_run(p, &where, c, change);
		err = err ? refuse_later(p, err) : 0;
	}
	if (!err && !c) {
		c = chain_new(lw, &where, change->aor);
		err = c ? 0 : -ENOMEM;
	}
	if (!err && p->changes && !p->is_dirty && t->store) {
		err = loc_pending_write(p, change->durability);
	}
	if (err) {
		if (p) {
			pending_free(p);
		}
		if (c) {
			chain_release(lw, c);
		}
		return err;
	}
	if (p->is_dirty) {
		lw->flush_interval_s = change->flush_interval_s;
	}
	chain_append(c, p);
	if (p->state == LOC_P_READY) {
		loc_chain_ready(lw, c);
	}
	if (query_r) {
		*query_r = &p->query;
	}
	return 0;
}

void loc_apply_cancel(struct loc_query **query)
{
	if (*query) {
		struct loc_pending *p = container_of(*query, struct loc_pending, query);

		assert(!(*query)->is_lookup);
		p->cb = NULL;
		*query = NULL;
	}
}

void loc_pending_free_all(struct loc_worker *lw)
{
	while (!list_is_empty(&lw->pendings)) {
		pending_free(container_of(lw->pendings.next, struct loc_pending, all));
	}
	for (size_t i = 0; i < LOC_CHAIN_BUCKETS; i++) {
		while (lw->chains[i]) {
			struct loc_chain *c = lw->chains[i];

			lw->chains[i] = c->next;
			free(c);
		}
	}
}
