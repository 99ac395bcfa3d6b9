/* SPDX-License-Identifier: Apache-2.0 */
/* Hooks, and requests that wait for one. */
#include "proxy/core.h"

void proxy_req_set_wait(struct belfry_req *req, struct hook_wait *wait)
{
	struct proxy *p = req->p;

	req->wait = wait;
	if (wait) {
		timer_start(p->w->timers, &req->wait_timer, p->ids.wait, BELFRY_WAIT_MAX_MS);
	} else {
		timer_cancel(p->w->timers, &req->wait_timer);
	}
}

const struct worker_conf *proxy_req_conf(const struct belfry_req *req)
{
	return req->wc;
}

void proxy_stop_waiting(struct belfry_req *req)
{
	struct hook_wait *wait = req->wait;

	timer_cancel(req->p->w->timers, &req->wait_timer);
	req->wait = NULL;
	req->hook_branch = NULL;
	if (req->lookup) {
		loc_lookup_cancel(&req->lookup);
	}
	if (wait) {
		wait->ended(wait);
	}
}

enum step_result proxy_begin_wait(struct belfry_req *req)
{
	struct proxy *p = req->p;

	if (proxy_accept(req)) {
		return STEP_DONE;
	}
	if (req->st) {
		txn_server_trying(req->st);
	}
	timer_start(p->w->timers, &req->wait_timer, p->ids.wait, BELFRY_WAIT_MAX_MS);
	return STEP_WAIT;
}

void proxy_wait_timer(struct timer *t, void *arg)
{
	struct belfry_req *req = container_of(t, struct belfry_req, wait_timer);

	(void)arg;
	proxy_enter(req);
	note(req, "RFC 3261 21.5.5", "what the request waited for did not come");
	proxy_reply(req, 504, STR_NONE, STR_NONE, STR_NONE);
	proxy_leave(req);
}

static void hook_enter(const struct belfry_req *req, struct belfry_mod *mod)
{
	if (req->hooks->enter) {
		req->hooks->enter(mod, req->wc);
	}
}

/* What a hook's answer means for the step it belongs to. */
static enum step_result hook_result(struct belfry_req *req, enum belfry_verdict verdict)
{
	switch (verdict) {
	case BELFRY_CONTINUE: return req->final_sent ? STEP_DONE : STEP_NEXT;
	case BELFRY_WAITING: return req->final_sent ? STEP_DONE : proxy_begin_wait(req);
	case BELFRY_DONE: break;
	}
	return STEP_DONE;
}

enum step_result proxy_request_hooks(struct belfry_req *req)
{
	while (req->hook_i < req->hooks->n[BELFRY_H_REQUEST]) {
		const struct hook_entry *h = &req->hooks->v[BELFRY_H_REQUEST][req->hook_i++];
		enum step_result result;

		hook_enter(req, h->mod);
		result = hook_result(req, h->fn.request(req, h->mod));
		if (result != STEP_NEXT) {
			return result;
		}
	}
	return STEP_NEXT;
}

enum step_result proxy_targets_hooks(struct belfry_req *req)
{
	while (req->hook_i < req->hooks->n[BELFRY_H_TARGETS]) {
		const struct hook_entry *h = &req->hooks->v[BELFRY_H_TARGETS][req->hook_i++];
		enum step_result result;

		hook_enter(req, h->mod);
		result = hook_result(req, h->fn.targets(req, h->mod));
		if (result != STEP_NEXT) {
			return result;
		}
	}
	return STEP_NEXT;
}

enum step_result proxy_branch_hooks(struct belfry_branch *br)
{
	struct belfry_req *req = br->req;

	while (br->hook_i < req->hooks->n[BELFRY_H_BRANCH]) {
		const struct hook_entry *h = &req->hooks->v[BELFRY_H_BRANCH][br->hook_i++];
		enum step_result result;

		hook_enter(req, h->mod);
		result = hook_result(req, h->fn.branch(req, br, h->mod));
		if (result == STEP_WAIT) {
			req->hook_branch = br;
		}
		if (result != STEP_NEXT) {
			return result;
		}
	}
	return STEP_NEXT;
}

bool proxy_response_hooks(struct belfry_req *req, struct belfry_branch *br,
                          const struct sip_msg *resp)
{
	for (size_t i = 0; i < req->hooks->n[BELFRY_H_RESPONSE]; i++) {
		const struct hook_entry *h = &req->hooks->v[BELFRY_H_RESPONSE][i];

		hook_enter(req, h->mod);
		if (h->fn.response(req, br, resp, h->mod) == BELFRY_DONE) {
			return true;
		}
	}
	return false;
}

void proxy_end_hooks(struct belfry_req *req)
{
	for (size_t i = 0; i < req->hooks->n[BELFRY_H_END]; i++) {
		const struct hook_entry *h = &req->hooks->v[BELFRY_H_END][i];

		hook_enter(req, h->mod);
		h->fn.end(req, h->mod);
	}
}

/* The method of the request, served by a module for local Request-URIs. */
enum step_result proxy_serve(struct belfry_req *req)
{
	if (!proxy_ruri_is_local(req) || req->route.n > 0 || req->maddr || req->is_ack) {
		return STEP_NEXT;
	}
	while (req->hook_i < req->hooks->services_n) {
		const struct hook_service *s = &req->hooks->services[req->hook_i++];
		enum step_result result;

		if (str_eq(s->method, req->msg->method_text)) {
			note_s(req, "modules", "a module serves %s for local domains", s->method);
			hook_enter(req, s->mod);
			result = hook_result(req, s->serve(req, s->mod));
			if (result != STEP_NEXT) {
				return result;
			}
		}
	}
	return STEP_NEXT;
}

/* One branch waits at a time; those that came to their hooks meanwhile go on now. */
static void go_on_with_branches(struct belfry_req *req, struct belfry_branch *waited,
                                enum belfry_verdict verdict)
{
	enum step_result result = hook_result(req, verdict);

	if (result == STEP_WAIT) {
		req->hook_branch = waited;
	} else if (result == STEP_NEXT) {
		proxy_branch_go_on(waited);
	}
	for (struct belfry_branch *br = req->branches; br && !req->wait && !req->final_sent;
	     br = br->next) {
		if (br->is_queued) {
			br->is_queued = false;
			proxy_branch_go_on(br);
		}
	}
}

void proxy_req_continue(struct belfry_req *req, enum belfry_verdict verdict)
{
	struct belfry_branch *br = req->hook_branch;

	proxy_enter(req);
	req->wait = NULL;
	req->hook_branch = NULL;
	timer_cancel(req->p->w->timers, &req->wait_timer);
	if (req->final_sent || req->over) {
		/* answered meanwhile */
	} else if (br) {
		go_on_with_branches(req, br, verdict);
	} else if (hook_result(req, verdict) == STEP_NEXT) {
		proxy_run(req);
	}
	proxy_leave(req);
}
