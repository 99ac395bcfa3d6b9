/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which targets run when (RFC 3261 16.6): groups by q, parallel within a group as far as
 * Max-Breadth allows (RFC 5393), the next group when all branches of the former have ended without
 * 2xx or 6xx.
 */
#include "proxy/core.h"

static bool is_open(const struct proxy_target *t)
{
	return !t->tried && !t->is_alt;
}

/* The highest q of what has not been tried; -1: nothing left. */
static int next_q(const struct belfry_req *req)
{
	int q = -1;

	for (const struct proxy_target *t = req->targets; t; t = t->next) {
		if (is_open(t) && t->q > q) {
			q = t->q;
		}
	}
	return q;
}

static bool in_group(const struct belfry_req *req, const struct proxy_target *t)
{
	return is_open(t) && (t->q == req->group_q || req->conf->proxy.fork == CONF_FORK_PARALLEL);
}

static unsigned group_size(const struct belfry_req *req)
{
	unsigned n = 0;

	for (const struct proxy_target *t = req->targets; t; t = t->next) {
		n += in_group(req, t);
	}
	return n;
}

static bool may_start(const struct belfry_req *req)
{
	return !req->final_sent && !req->cancelled && !req->got_2xx && !req->got_6xx &&
	       req->lookup == NULL;
}

/* An ACK goes to one target only. */
static void start_group(struct belfry_req *req)
{
	unsigned n = req->is_ack ? 1 : group_size(req), width = n < req->breadth ? n : req->breadth;
	unsigned share, extra;

	if (width == 0) {
		return;
	}
	if (n > width) {
		note_n(req, "RFC 5393 5.3.3", "Max-Breadth allows %n at a time", width);
	}
	share = req->breadth / width;
	extra = req->breadth % width;
	for (struct proxy_target *t = req->targets; t && width > 0 && may_start(req); t = t->next) {
		if (in_group(req, t)) {
			unsigned breadth = share + (extra > 0 ? 1 : 0);

			extra -= extra > 0 ? 1 : 0;
			width--;
			t->tried = true;
			req->breadth -= breadth;
			proxy_branch_start(req, t, breadth);
		}
	}
}

/* The rest of the running group when breadth has come back, else the next one. */
static void start_some(struct belfry_req *req)
{
	int q = next_q(req);

	if (!may_start(req) || q < 0 || req->breadth == 0 || (req->is_ack && req->branches)) {
		return;
	}
	if (req->pending > 0 && q != req->group_q && req->conf->proxy.fork != CONF_FORK_PARALLEL) {
		return;
	}
	if (req->pending == 0 || req->branches == NULL) {
		req->group_q = (uint16_t)q;
		if (req->conf->proxy.fork == CONF_FORK_PARALLEL) {
			note(req, "proxy.fork", "forks to all targets at the same time");
		} else {
			note_n(req, "proxy.fork", "forks to the targets of q %q", q);
		}
	}
	start_group(req);
}

static void finish(struct belfry_req *req)
{
	if (req->final_sent || req->pending > 0 || req->lookup ||
	    (may_start(req) && next_q(req) >= 0)) {
		return;
	}
	if (req->is_ack || req->dry) {
		req->final_sent = true;
		return;
	}
	proxy_send_best(req);
}

void proxy_fork_go_on(struct belfry_req *req)
{
	if (req->forking) { /* a branch ended while it was being started */
		req->fork_again = true;
		return;
	}
	req->forking = true;
	do {
		req->fork_again = false;
		start_some(req);
	} while (req->fork_again);
	req->forking = false;
	finish(req);
}

enum step_result proxy_fork(struct belfry_req *req)
{
	if (next_q(req) < 0) {
		return proxy_no_target(req);
	}
	if (req->breadth == 0 && !req->is_ack) {
		return proxy_refuse(req, REFUSED_MAX_BREADTH, 440, "RFC 5393 5.3.3", STR_NONE);
	}
	if (proxy_accept(req)) {
		return STEP_DONE;
	}
	if (req->is_ack && req->breadth == 0) {
		req->breadth = 1;
	}
	proxy_fork_go_on(req);
	if (req->st && !req->final_sent) {
		txn_server_trying(req->st);
	}
	return STEP_DONE;
}
