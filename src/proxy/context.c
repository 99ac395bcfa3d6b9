/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/context.h"

#include "proxy/core.h"

#include <stdarg.h>

static enum step_result step_request(struct belfry_req *req)
{
	return proxy_request_hooks(req);
}

static enum step_result step_targets(struct belfry_req *req)
{
	return proxy_targets_hooks(req);
}

static enum step_result (*const steps[])(struct belfry_req *req) = {
	[PROXY_STEP_VALIDATE] = proxy_validate, [PROXY_STEP_PREPROCESS] = proxy_preprocess,
	[PROXY_STEP_REQUEST] = step_request,    [PROXY_STEP_SERVE] = proxy_serve,
	[PROXY_STEP_RULES] = proxy_rules,       [PROXY_STEP_POLICY] = proxy_policy,
	[PROXY_STEP_EXPAND] = proxy_expand,     [PROXY_STEP_TARGETS] = step_targets,
	[PROXY_STEP_FORK] = proxy_fork,
};

struct belfry_req *proxy_req_new(struct proxy *p, struct sip_msg *msg, const struct tp_flow *from)
{
	struct belfry_req *req = slab_alloc(&p->reqs);

	if (req == NULL) {
		return NULL;
	}
	req->p = p;
	req->msg = msg;
	req->from = *from;
	req->start_us = p->w->clock.now_us;
	req->wc = worker_conf_ref(p->w);
	req->conf = req->wc->conf;
	req->hooks = p->hooks;
	req->is_invite = msg->method == SIP_M_INVITE;
	req->is_ack = msg->method == SIP_M_ACK;
	req->trusted = from->remote.family != 0 && conf_is_trusted(req->conf, &from->remote);
	list_append(&p->live, &req->node);
	p->open_n++;
	return req;
}

/* All that only a request in progress needs. */
static void release(struct belfry_req *req)
{
	proxy_stop_waiting(req);
	if (req->accepted) {
		proxy_end_hooks(req);
	}
	proxy_ring_keep(req);
	proxy_answers_release(req);
	proxy_targets_release(req);
	if (req->dry) {
		proxy_explain_end(req);
	}
	req->notes = NULL;
	req->hooks = NULL;
	req->conf = NULL;
	worker_conf_unref(&req->wc);
	req->p->open_n--;
}

static void free_branches(struct belfry_req *req, bool all)
{
	struct belfry_branch **at = &req->branches, *br;

	while ((br = *at) != NULL) {
		if (!all && br->ct && br->got_2xx) {
			br->target = NULL;
			at = &br->next;
			continue;
		}
		*at = br->next;
		proxy_branch_free(br);
	}
}

/* All but the request itself and its message. */
static void dismantle(struct belfry_req *req)
{
	if (!req->compact) {
		release(req);
	}
	free_branches(req, true);
	if (req->st) {
		txn_server_detach(req->st);
	}
	list_del(&req->node);
}

static void give_back(struct belfry_req *req)
{
	struct proxy *p = req->p;

	if (req->msg) {
		sip_msg_unref(&req->msg);
	}
	slab_free(&p->reqs, req);
}

/* What an ACK was sent from leaves at the end of the turn: its message stays until then. */
static void reap_msg(struct job *job, void *ctx)
{
	(void)ctx;
	give_back(container_of(job, struct belfry_req, reap));
}

static void req_free(struct belfry_req *req)
{
	dismantle(req);
	if (req->is_ack && !req->dry) {
		req->reap.run = reap_msg;
		worker_reap(req->p->w, &req->reap);
	} else {
		give_back(req);
	}
}

/* What is still here has not been sent: an ACK that waits for DNS, say. No turn follows in which it
 * could be reaped. */
void proxy_reqs_free(struct proxy *p)
{
	while (!list_is_empty(&p->live)) {
		struct belfry_req *req = container_of(p->live.next, struct belfry_req, node);

		req->final_sent = true;
		dismantle(req);
		give_back(req);
	}
}

/* An answered INVITE: only late 2xx matter from now on (RFC 6026). */
static void compact(struct belfry_req *req)
{
	release(req);
	free_branches(req, false);
	sip_msg_unref(&req->msg);
	req->compact = true;
}

static bool waits_for_2xx(const struct belfry_req *req)
{
	for (const struct belfry_branch *br = req->branches; br; br = br->next) {
		if (br->ct && br->got_2xx) {
			return true;
		}
	}
	return false;
}

/* Compact, or over? */
static void settle(struct belfry_req *req)
{
	if (req->over || !req->final_sent || req->pending > 0) {
		return;
	}
	if (!req->is_invite || req->st == NULL || !waits_for_2xx(req)) {
		req->over = true;
	} else if (!req->compact) {
		compact(req);
	}
}

void proxy_enter(struct belfry_req *req)
{
	req->depth++;
}

void proxy_leave(struct belfry_req *req)
{
	if (req->depth == 1) {
		settle(req);
	}
	if (--req->depth == 0 && req->over) {
		req_free(req);
	}
}

void proxy_run(struct belfry_req *req)
{
	while (!req->over && !req->final_sent) {
		switch (steps[req->step](req)) {
		case STEP_NEXT:
			req->step++;
			req->hook_i = 0;
			break;
		case STEP_WAIT: return;
		case STEP_DONE:
			/* Neither answered nor taken over: an ACK, or a mistake of a module. */
			if (!req->final_sent && req->st == NULL && req->pending == 0) {
				req->final_sent = true;
			}
			return;
		}
	}
}

void proxy_on_request(void *arg, struct sip_msg *msg, const struct tp_flow *from)
{
	struct proxy *p = arg;
	struct belfry_req *req;

	proxy_follow_settings(p);
	req = proxy_req_new(p, msg, from);
	if (req == NULL) {
		txn_reply_stateless(p->txns, msg, from, &(struct sip_reply){ .code = 503 });
		proxy_count(p, p->ids.rejected[REFUSED_OVERLOAD]);
		sip_msg_unref(&msg);
		return;
	}
	if (req->is_invite && p->ring) {
		proxy_notes_begin(req);
	}
	proxy_enter(req);
	proxy_run(req);
	proxy_leave(req);
}
