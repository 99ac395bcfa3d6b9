/* SPDX-License-Identifier: Apache-2.0 */
/* What client transactions report (RFC 3261 16.7, 16.8, 16.9). */
#include "proxy/core.h"

static void set_up(struct belfry_req *req)
{
	struct proxy *p = req->p;

	if (!req->is_invite || req->rang || req->msg->to_tag.n > 0) {
		return;
	}
	req->rang = true;
	counter_observe(p->w->counters, p->w->counts, p->ids.setup,
	                p->w->clock.now_us - req->start_us);
}

/* It came in a datagram, which needs no length; the stream it leaves on does (RFC 3261 20.14). */
static void add_length(struct sip_edits *edits, struct sip_msg *resp)
{
	sip_edit_append(edits, arena_printf(&resp->arena, "Content-Length: %zu\r\n", resp->body.n));
}

/* Without our Via, with what modules add; for a 3xx without the Contacts that we follow. */
void proxy_send_upstream(struct belfry_req *req, struct sip_msg *resp, uint64_t followed)
{
	struct sip_edits edits;
	struct sip_values it;

	sip_edits_init(&edits, resp, &resp->arena);
	sip_edit_remove_top_via(&edits);
	if (followed) {
		sip_values_init(&it, resp, SIP_H_CONTACT);
		for (unsigned i = 0; i < 64 && sip_values_next(&it); i++) {
			if (followed & (uint64_t)1 << i) {
				sip_edit_remove_value(&edits, &it);
			}
		}
	}
	if (resp->content_length < 0 && tp_proto_is_reliable(req->from.proto)) {
		add_length(&edits, resp);
	}
	for (const struct proxy_answer *a = req->compact ? NULL : req->challenges; a; a = a->next) {
		proxy_challenge_add(&edits, resp, a);
	}
	for (const struct proxy_lines *l = req->compact ? NULL : req->reply_lines; l; l = l->next) {
		sip_edit_append(&edits, arena_str(&resp->arena, l->text));
	}
	if (req->st) {
		txn_server_forward(req->st, resp, &edits);
	}
}

static void on_provisional(struct belfry_branch *br, struct sip_msg *resp)
{
	struct belfry_req *req = br->req;
	struct proxy *p = req->p;

	br->got_provisional = true;
	if (resp->status == 100 || !req->is_invite) {
		return;
	}
	if (!br->timed_out) {
		timer_start(p->w->timers, &br->timer_c, p->ids.timer_c,
		            (uint32_t)(req->conf->proxy.timer_c * 1000));
	}
	if (req->final_sent) {
		return;
	}
	set_up(req);
	proxy_response_hooks(req, NULL, resp);
	proxy_send_upstream(req, resp, 0);
}

/* Every 2xx to an INVITE goes up, the first 2xx to anything else (16.7 step 5). */
static void on_success(struct belfry_branch *br, struct sip_msg *resp)
{
	struct belfry_req *req = br->req;

	if (req->final_sent && !req->is_invite) {
		proxy_branch_replaced(br);
		return;
	}
	set_up(req);
	if (!req->final_sent) {
		proxy_note(req, "RFC 3261 16.7 (5)", "%n from %s is forwarded at once",
		           br->target->request_uri, resp->status);
	}
	proxy_response_hooks(req, NULL, resp);
	br->got_2xx = req->is_invite;
	req->got_2xx = true;
	req->final_sent = true;
	req->final_status = resp->status;
	proxy_send_upstream(req, resp, 0);
	proxy_branch_replaced(br);
	proxy_cancel_pending(req,
	                     STR("Reason: SIP;cause=200;text=\"Call completed elsewhere\"\r\n"));
}

static void on_decline(struct belfry_branch *br, struct sip_msg *resp)
{
	struct belfry_req *req = br->req;
	bool first = !req->got_6xx;

	req->got_6xx = true;
	if (first && req->is_invite) {
		struct str reason =
			arena_printf(proxy_arena(req), "Reason: SIP;cause=%u\r\n", resp->status);

		note(req, "RFC 3261 16.7 (5)", "a 6xx: all other branches are cancelled");
		for (struct belfry_branch *o = req->branches; o; o = o->next) {
			if (o != br) {
				proxy_branch_cancel(o, reason);
			}
		}
	}
	proxy_branch_end(br, resp->status, resp, STR_NONE);
}

static void on_redirect(struct belfry_branch *br, struct sip_msg *resp)
{
	bool all = proxy_follow_redirect(br, resp, &br->followed);

	if (br->followed) {
		proxy_expand_more(br->req);
	}
	if (all) { /* nothing is left of this response */
		proxy_branch_replaced(br);
	} else {
		proxy_branch_end(br, resp->status, resp, STR_NONE);
	}
}

static void mark_good(const struct belfry_branch *br, int status)
{
	struct proxy *p = br->req->p;

	if (br->trunk_target) {
		proxy_trunk_good(p, br->trunk_target, status);
	}
	if (p->dns && !br->by_flow && !br->target->from_location && br->hop_i < br->hops_n) {
		dns_mark_good(p->dns, &br->hops[br->hop_i]);
	}
}

static void on_final(struct belfry_branch *br, struct sip_msg *resp)
{
	struct belfry_req *req = br->req;
	unsigned class = resp->status / 100;

	timer_cancel(req->p->w->timers, &br->timer_c);
	if (resp->status != 503) {
		mark_good(br, resp->status);
	}
	if (class == 2) {
		on_success(br, resp);
		return;
	}
	if (req->final_sent) {
		proxy_branch_replaced(br);
		return;
	}
	if (!req->cancelled && !req->got_6xx && proxy_response_hooks(req, br, resp)) {
		note(req, "modules", "a module has put other targets in its place");
		proxy_branch_replaced(br);
		return;
	}
	switch (resp->status) {
	case 430:
		if (br->target->from_location) {
			proxy_binding_remove(br);
		}
		proxy_branch_failed(br, 430, resp);
		return;
	case 408:
	case 503: proxy_branch_failed(br, resp->status, resp); return;
	default: break;
	}
	if (class == 6) {
		on_decline(br, resp);
	} else if (class == 3) {
		on_redirect(br, resp);
	} else {
		proxy_branch_end(br, resp->status, resp, STR_NONE);
	}
}

/* A branch that had answered 2xx before: retransmitted, or another one through a fork further down.
 */
static void on_late(struct belfry_branch *br, struct sip_msg *resp)
{
	struct belfry_req *req = br->req;

	if (resp->status / 100 == 2 && br->got_2xx) {
		proxy_send_upstream(req, resp, 0);
	}
}

static void on_response(void *user, struct txn_client *ct, struct sip_msg *resp)
{
	struct belfry_branch *br = user;
	struct belfry_req *req = br->req;

	(void)ct;
	proxy_enter(req);
	if (resp->vias_n < 2) { /* not for anybody behind us (16.7 step 3): a broken peer */
		if (resp->status >= 200) {
			proxy_branch_end(br, 502, NULL, STR_NONE);
		}
	} else if (br->state == BRANCH_ENDED) {
		on_late(br, resp);
	} else if (resp->status < 200) {
		on_provisional(br, resp);
	} else {
		on_final(br, resp);
	}
	proxy_leave(req);
}

static void on_failed(void *user, struct txn_client *ct, int err)
{
	struct belfry_branch *br = user;
	struct belfry_req *req = br->req;
	bool cancelled = txn_client_is_cancelled(ct);

	proxy_enter(req);
	if (br->state == BRANCH_ENDED) {
		/* answered meanwhile */
	} else if (cancelled) { /* given up after 64*T1 (9.1) */
		proxy_branch_end(br, 487, NULL, STR_NONE);
	} else if (br->by_tcp && err == BELFRY_EUNREACH && !br->got_provisional &&
	           !req->cancelled && !req->final_sent) {
		proxy_branch_by_udp(br);
	} else if (err == BELFRY_EUNREACH && br->by_flow) {
		proxy_flow_failed(br);
		proxy_branch_failed(br, 430, NULL);
	} else {
		proxy_branch_failed(br, err == BELFRY_ETIMEOUT ? 408 : 503, NULL);
	}
	proxy_leave(req);
}

static void on_client_end(void *user, struct txn_client *ct)
{
	struct belfry_branch *br = user;
	struct belfry_req *req = br->req;

	(void)ct;
	proxy_enter(req);
	br->ct = NULL;
	proxy_leave(req);
}

const struct client_ops proxy_branch_ops = {
	.response = on_response,
	.failed = on_failed,
	.client_end = on_client_end,
};

/* 16.8: with a provisional the branch is cancelled, without one it counts as 408. */
void proxy_timer_c(struct timer *t, void *arg)
{
	struct belfry_branch *br = container_of(t, struct belfry_branch, timer_c);
	struct belfry_req *req = br->req;

	(void)arg;
	proxy_enter(req);
	if (br->state == BRANCH_RUNNING) {
		note(req, "proxy.timer_c", "Timer C fired");
		br->timed_out = true;
		if (br->got_provisional) {
			txn_client_cancel(br->ct, STR_NONE);
		} else {
			proxy_branch_failed(br, 408, NULL);
		}
	}
	proxy_leave(req);
}
