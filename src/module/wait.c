/* SPDX-License-Identifier: Apache-2.0 */
/*
 * belfry_wait() and belfry_resume(). A wait has a slot that is never freed while workers run; a
 * handle names worker, slot and generation. belfry_resume() may be called from any thread: it turns
 * the slot's state from "waiting, generation g" to "resumed, generation g" in one step, or does
 * nothing; who has made that step posts the slot's own job to the worker. The worker alone moves a
 * slot to the next generation, and not before such a job has come home.
 */
#include "module/internal.h"

#include <stdatomic.h>
#include <stdlib.h>

static struct module_wait *wait_at(struct module_worker *mw, uint32_t slot)
{
	struct module_wait *chunk;

	if (slot / WAIT_CHUNK >= WAIT_CHUNKS_MAX) {
		return NULL;
	}
	chunk = atomic_load_explicit(&mw->wait_chunks[slot / WAIT_CHUNK], memory_order_acquire);
	return chunk ? &chunk[slot % WAIT_CHUNK] : NULL;
}

static void slot_free(struct module_wait *w)
{
	uint64_t generation = atomic_load_explicit(&w->state, memory_order_relaxed) / 2;

	w->req = NULL;
	w->run = NULL;
	atomic_store_explicit(&w->state, (generation + 1) * 2, memory_order_release);
	w->next_free = w->mw->waits_free;
	w->mw->waits_free = w->slot + 1;
}

/* The wait is over without belfry_resume(). A resume that is on its way frees the slot. */
static void slot_close(struct module_wait *w)
{
	uint64_t waiting = atomic_load_explicit(&w->state, memory_order_relaxed) & ~(uint64_t)1;

	w->req = NULL;
	if (atomic_compare_exchange_strong(&w->state, &waiting, waiting + 2)) {
		w->next_free = w->mw->waits_free;
		w->mw->waits_free = w->slot + 1;
	}
}

/* The request has ended first (CANCEL, time-out), as the proxy says. */
static void wait_ended(struct hook_wait *hook)
{
	struct module_wait *w = container_of(hook, struct module_wait, hook);
	struct belfry_mod *mod = w->mod;
	belfry_cancel_cb *cancel = w->cancel;
	void *arg = w->arg;

	slot_close(w);
	mod_enter(mod, NULL);
	cancel(mod, arg);
}

static void wait_resumed(struct job *job, void *ctx)
{
	struct module_wait w = *container_of(job, struct module_wait, job);
	enum belfry_verdict verdict;

	(void)ctx;
	slot_free(container_of(job, struct module_wait, job));
	if (!w.req) {
		return;
	}
	proxy_enter(w.req);
	proxy_req_set_wait(w.req, NULL);
	mod_enter(w.mod, w.req);
	verdict = w.resume(w.req, w.mod, w.arg);
	if (w.run) {
		verdict = module_register_go_on(w.req, w.run, verdict);
	}
	if (verdict != BELFRY_WAITING) {
		proxy_req_continue(w.req, verdict);
	}
	proxy_leave(w.req);
}

static int chunk_add(struct module_worker *mw)
{
	struct module_wait *chunk;

	if (mw->waits_n == WAIT_CHUNK * WAIT_CHUNKS_MAX) {
		return BELFRY_EFULL;
	}
	chunk = calloc(WAIT_CHUNK, sizeof(*chunk));
	if (!chunk) {
		return BELFRY_EFULL;
	}
	for (uint32_t i = 0; i < WAIT_CHUNK; i++) {
		struct module_wait *w = &chunk[i];

		w->mw = mw;
		w->hook.ended = wait_ended;
		w->job.run = wait_resumed;
		w->slot = mw->waits_n + i;
		w->next_free = mw->waits_free;
		mw->waits_free = w->slot + 1;
	}
	atomic_store_explicit(&mw->wait_chunks[mw->waits_n / WAIT_CHUNK], chunk,
	                      memory_order_release);
	mw->waits_n += WAIT_CHUNK;
	return 0;
}

enum belfry_verdict belfry_wait(struct belfry_req *req, struct belfry_mod *mod,
                                belfry_resume_cb *resume, belfry_cancel_cb *cancel, void *arg,
                                struct belfry_handle *handle_r)
{
	struct module_worker *mw = mod->mw;
	struct module_wait *w;

	if (!mw->waits_free && chunk_add(mw) < 0) {
		return belfry_reply(req, 503, NULL);
	}
	w = wait_at(mw, mw->waits_free - 1);
	mw->waits_free = w->next_free;
	w->req = req;
	w->mod = mod;
	w->resume = resume;
	w->cancel = cancel;
	w->arg = arg;
	w->run = mw->running;
	handle_r->v[0] = (uint64_t)mw->worker->id << 32 | w->slot;
	handle_r->v[1] = atomic_load_explicit(&w->state, memory_order_relaxed) / 2;
	proxy_req_set_wait(req, &w->hook);
	return BELFRY_WAITING;
}

void belfry_resume(struct belfry_core *core, struct belfry_handle handle)
{
	uint64_t id = handle.v[0] >> 32, waiting = handle.v[1] * 2;
	struct module_worker *mw = id < core->workers_n ? core->workers[id] : NULL;
	struct module_wait *w = mw ? wait_at(mw, (uint32_t)handle.v[0]) : NULL;

	if (w && atomic_compare_exchange_strong(&w->state, &waiting, waiting + 1)) {
		workers_post(core->params.workers, (unsigned)id, &w->job);
	}
}

void module_worker_cancel_waits(struct module_worker *mw)
{
	for (uint32_t slot = 0; slot < mw->waits_n; slot++) {
		struct module_wait *w = wait_at(mw, slot);
		struct belfry_req *req = w->req;

		if (!req) {
			continue;
		}
		proxy_enter(req);
		proxy_req_set_wait(req, NULL);
		wait_ended(&w->hook);
		belfry_reply(req, 503, NULL);
		proxy_req_continue(req, BELFRY_DONE);
		proxy_leave(req);
	}
}

void module_waits_free(struct module_worker *mw)
{
	for (size_t i = 0; i < WAIT_CHUNKS_MAX; i++) {
		free(atomic_load_explicit(&mw->wait_chunks[i], memory_order_relaxed));
	}
}
