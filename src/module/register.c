/* SPDX-License-Identifier: Apache-2.0 */
/*
 * belfry_run_register(): the registrar has the hooks `register` run. One that waits leaves what is
 * to follow with its wait; the registrar goes on in its continuation.
 */
#include "module/internal.h"

static enum belfry_verdict run_hooks(struct belfry_req *req, struct register_run *run)
{
	const struct hook_table *t = req->hooks;
	struct module_worker *mw = run->self->mw;
	enum belfry_verdict verdict = BELFRY_CONTINUE;

	while (verdict == BELFRY_CONTINUE && run->next < t->n[BELFRY_H_REGISTER]) {
		const struct hook_entry *e = &t->v[BELFRY_H_REGISTER][run->next++];

		mod_enter(e->mod, req);
		mw->running = run;
		verdict = e->fn.on_register(req, run->phase, run->reg, e->mod);
		mw->running = NULL;
	}
	return verdict;
}

enum belfry_verdict module_register_go_on(struct belfry_req *req, struct register_run *run,
                                          enum belfry_verdict verdict)
{
	if (verdict == BELFRY_CONTINUE) {
		verdict = run_hooks(req, run);
	}
	if (verdict != BELFRY_CONTINUE) {
		return verdict;
	}
	mod_enter(run->self, req);
	return run->then(req, run->self, run->arg);
}

enum belfry_verdict belfry_run_register(struct belfry_req *req, struct belfry_mod *mod,
                                        enum belfry_register_phase phase,
                                        struct belfry_registration *reg, belfry_resume_cb *then,
                                        void *arg)
{
	struct register_run *run;
	enum belfry_verdict verdict;

	if (req->hooks->n[BELFRY_H_REGISTER] == 0) {
		return BELFRY_CONTINUE;
	}
	run = arena_alloc(proxy_arena(req), sizeof(*run));
	if (!run) {
		return belfry_reply(req, 500, NULL);
	}
	*run = (struct register_run){
		.self = mod, .phase = phase, .reg = reg, .then = then, .arg = arg
	};
	verdict = run_hooks(req, run);
	mod_enter(mod, req);
	return verdict;
}
