/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One branch: a target, its next hops in turn, a client transaction for each attempt (RFC 3261 16.6
 * steps 7 to 11, RFC 3263 4.3). A next hop that fails is followed by the next one, a flow by the
 * next flow of the instance (RFC 5626 7).
 */
#include "proxy/core.h"

#include <errno.h>

void proxy_branch_free(struct belfry_branch *br)
{
	struct proxy *p = br->req->p;

	timer_cancel(p->w->timers, &br->timer_c);
	if (br->query) {
		dns_cancel(&br->query);
	}
	if (br->ct) {
		txn_client_drop(&br->ct);
	}
	slab_free(&p->branches, br);
}

static void quit(struct belfry_branch *br)
{
	struct belfry_req *req = br->req;

	if (br->state == BRANCH_ENDED) {
		return;
	}
	br->state = BRANCH_ENDED;
	br->is_queued = false;
	req->pending--;
	req->breadth += br->breadth;
	timer_cancel(req->p->w->timers, &br->timer_c);
	if (br->query) {
		dns_cancel(&br->query);
	}
	if (br->ct && !br->got_2xx) {
		txn_client_drop(&br->ct);
	}
}

void proxy_branch_end(struct belfry_branch *br, uint16_t code, struct sip_msg *resp,
                      struct str headers)
{
	struct belfry_req *req = br->req;
	struct proxy_answer answer = { .msg = resp, .code = code, .headers = headers };

	if (br->state == BRANCH_ENDED) {
		return;
	}
	quit(br);
	answer.from_location = br->target->from_location;
	answer.about_us = br->is_refused;
	answer.followed = br->followed;
	if (code >= 300) {
		if (req->notes) {
			proxy_note(req, "RFC 3261 16.7 (4)", "the branch to %s ended with %n",
			           br->target->request_uri, code);
		}
		proxy_answer_keep(req, &answer);
	}
	proxy_fork_go_on(req);
}

/* Over without an answer of its own: something else stands in for it. */
void proxy_branch_replaced(struct belfry_branch *br)
{
	quit(br);
	proxy_fork_go_on(br->req);
}

static int pick(const struct belfry_branch *br, uint8_t proto, const struct dns_target *hop,
                struct tp_flow *flow)
{
	const struct belfry_req *req = br->req;
	struct tp_flow prefer = req->from;

	if (req->out_hint) {
		prefer.listener = req->out_hint;
		prefer.local = req->out_hint->addr;
	}
	return transport_pick(req->p->tp, proto, &hop->addr, &prefer, flow);
}

/* "udp:127.0.0.1:5060", "tcp:[::1]:5060". */
static bool is_from_here(struct str received)
{
	struct str proto, host;

	return str_cut(received, ':', &proto, &host) &&
	       (str_starts(host, STR("127.")) || str_starts(host, STR("[::1]")));
}

/* What a contact, a name in it or a Request-URI leads to may be what only this machine can reach:
 * that is not for who comes from elsewhere, unless the settings, the phone itself or a dialog of
 * ours say so. A group or no address at all is for nobody. */
static bool is_off_limits(const struct belfry_branch *br, const struct net_addr *addr)
{
	const struct proxy_target *t = br->target;
	const struct belfry_req *req = br->req;

	if (net_addr_is_any(addr) || net_addr_is_multicast_or_broadcast(addr)) {
		return true;
	}
	return net_addr_is_loopback(addr) && req->from.remote.family != 0 &&
	       !net_addr_is_loopback(&req->from.remote) && !t->by_operator && !t->conf_trunk &&
	       !is_from_here(t->received) && !req->in_dialog && !req->trusted;
}

/* An ACK has no transaction that hears of a refusal: whoever sends it knows the other way, too. */
static int by_tcp_first(struct belfry_branch *br, const struct dns_target *hop, struct tp_flow *tcp)
{
	struct tp_flow udp;
	int err;

	if (!br->req->is_ack || br->req->dry) {
		return proxy_forward(br, tcp, false);
	}
	err = pick(br, hop->proto, hop, &udp);
	return err ? err : proxy_forward_ack(br, tcp, &udp);
}

/* RFC 3261 18.1.1: a large request goes by TCP, by UDP if that cannot be had. */
static int try_hop(struct belfry_branch *br, const struct dns_target *hop)
{
	struct tp_flow flow;
	int err;

	if (is_off_limits(br, &hop->addr)) {
		return BELFRY_EDENIED;
	}
	br->by_tcp = false;
	if (hop->proto == TP_UDP && !br->tcp_refused && proxy_is_too_large(br) &&
	    pick(br, TP_TCP, hop, &flow) == 0) {
		br->by_tcp = true;
		err = by_tcp_first(br, hop, &flow);
		if (err == 0) {
			note(br->req, "proxy.mtu", "too large for UDP: TCP first");
			return 0;
		}
		br->by_tcp = false;
	}
	err = pick(br, hop->proto, hop, &flow);
	return err ? err : proxy_forward(br, &flow, false);
}

static uint16_t code_of(int err)
{
	switch (err) {
	case BELFRY_ETIMEOUT: return 408;
	case BELFRY_ENXDOMAIN: return 404;
	case BELFRY_EDENIED: return 403;
	default: return 503;
	}
}

static void tell_failure(struct belfry_branch *br, int err)
{
	const struct str host = br->next_hop.host;

	switch (err) {
	case BELFRY_EUNREACH:
		note_s(br->req, "listen", "%s cannot be reached by any listener now", host);
		break;
	case BELFRY_EDENIED:
		note_s(br->req, "proxy.trusted",
		       "%s leads to where the sender may not reach through us", host);
		break;
	case BELFRY_EFULL:
		note_s(br->req, "server.max_transactions", "no room for a request to %s", host);
		break;
	case BELFRY_ETOOBIG:
		note_s(br->req, "RFC 3261 18.1.1", "too large to be sent to %s", host);
		break;
	default: note_s(br->req, "RFC 3261 16.9", "could not be sent to %s", host); break;
	}
}

/* Starts the next attempt, in a dry run all of them. false: there is none left, br->last_error says
 * why. */
static bool next_attempt(struct belfry_branch *br)
{
	for (;;) {
		int err;

		while (br->hop_i < br->hops_n) {
			err = try_hop(br, &br->hops[br->hop_i]);
			if (err == 0 && br->req->dry) {
				br->is_told = true;
				br->hop_i++;
				continue;
			}
			if (err == 0) {
				return true;
			}
			tell_failure(br, err);
			br->last_error = err;
			if (err == BELFRY_EFULL || err == -ENOMEM) {
				br->is_refused = true;
				return false;
			}
			br->tcp_refused = false;
			br->hop_i++;
		}
		err = proxy_resolve(br);
		if (err == BELFRY_WAIT) {
			return true;
		}
		if (err == BELFRY_ENOENT && br->hops_done) {
			if (br->is_told) {
				proxy_branch_replaced(br);
			}
			return br->is_told;
		}
		if (err) {
			br->last_error = err;
		}
	}
}

static void give_up(struct belfry_branch *br)
{
	struct str headers = STR_NONE;

	if (br->is_refused) {
		headers = proxy_retry_after(br->req, 5);
	}
	proxy_branch_end(br, code_of(br->last_error), NULL, headers);
}

static void run(struct belfry_branch *br)
{
	if (!next_attempt(br)) {
		give_up(br);
	}
}

void proxy_branch_resolved(struct belfry_branch *br, int err)
{
	if (err) {
		br->last_error = err;
	}
	run(br);
}

static void tell_other_flows(const struct belfry_branch *br)
{
	char at[NET_ADDR_TEXT];

	for (const struct proxy_target *t = br->target->alt; t; t = t->alt) {
		proxy_note_detail(br->req, "RFC 5626 7",
		                  "if that flow fails, down that of %.*s, %.*s %.*s",
		                  STR_FMT(t->contact), STR_FMT(tp_proto_name(t->flow.proto)),
		                  STR_FMT(net_addr_text(&t->flow.remote, at)));
	}
}

void proxy_branch_go_on(struct belfry_branch *br)
{
	struct belfry_req *req = br->req;
	int err;

	if (req->wait) {
		br->is_queued = true;
		return;
	}
	if (proxy_branch_hooks(br) != STEP_NEXT || br->state == BRANCH_ENDED) {
		return;
	}
	if (!br->target->has_flow) {
		run(br);
		return;
	}
	note_s(req, "RFC 5626 7", "goes down the flow of %s", br->target->contact);
	err = proxy_route(br);
	if (err == 0) {
		err = proxy_forward(br, &br->target->flow, true);
	}
	if (err == 0 && req->dry) {
		tell_other_flows(br);
		proxy_branch_replaced(br);
		return;
	}
	if (err == BELFRY_EUNREACH) {
		proxy_flow_failed(br);
		proxy_branch_failed(br, 430, NULL);
	} else if (err) {
		br->is_refused = true;
		br->last_error = err;
		give_up(br);
	}
}

void proxy_branch_start(struct belfry_req *req, struct proxy_target *target, unsigned breadth)
{
	struct belfry_branch *br = slab_alloc(&req->p->branches), **at = &req->branches;
	struct proxy_answer none = { .code = 503, .about_us = true };

	if (br == NULL) {
		req->breadth += breadth;
		none.headers = proxy_retry_after(req, 5);
		proxy_answer_keep(req, &none);
		req->fork_again = true;
		return;
	}
	br->ops = &proxy_branch_ops;
	br->req = req;
	br->target = target;
	br->breadth = breadth;
	br->state = BRANCH_PREPARING;
	while (*at) {
		at = &(*at)->next;
	}
	*at = br;
	req->pending++;
	if (target->conf_trunk && !proxy_trunk_enter(req, target)) {
		note_s(req, "trunks", "max_calls of trunk %s is reached", target->conf_trunk->name);
		if (!req->dry) {
			proxy_count(req->p, req->p->ids.rejected[REFUSED_MAX_CALLS]);
		}
		br->is_refused = true;
		br->last_error = BELFRY_EFULL;
		give_up(br);
		return;
	}
	proxy_branch_go_on(br);
}

/* 5626 7: another flow of the same instance takes its place. */
static bool next_flow(struct belfry_branch *br, uint16_t code)
{
	struct proxy_target *alt = br->target->alt;
	struct belfry_req *req = br->req;
	unsigned breadth = br->breadth;

	if (alt == NULL || alt->tried || (code == 408 && br->got_provisional) ||
	    (code != 408 && code != 430)) {
		return false;
	}
	note_s(req, "RFC 5626 7", "the next flow of the instance: %s", alt->contact);
	alt->tried = true;
	quit(br);
	req->breadth -= breadth;
	proxy_branch_start(req, alt, breadth);
	proxy_fork_go_on(req);
	return true;
}

/* A non-INVITE has no time left for another attempt once the client has given up (RFC 4320). */
static bool has_time(const struct belfry_req *req)
{
	uint64_t age_ms = (req->p->w->clock.now_us - req->start_us) / 1000;

	return req->is_invite || age_ms < 64U * (unsigned)req->conf->timers.t1;
}

static uint32_t retry_after_s(const struct sip_msg *resp)
{
	struct str value = resp ? sip_msg_header(resp, SIP_H_RETRY_AFTER) : STR_NONE;
	uint32_t s = 0;
	size_t n = 0;

	while (n < value.n && ascii_is_digit((unsigned char)value.p[n])) {
		n++;
	}
	return sip_delta_parse(str_make(value.p, n), &s) ? 0 : s;
}

static void mark(const struct belfry_branch *br, int code, const struct sip_msg *resp)
{
	struct proxy *p = br->req->p;

	if (p->dns && !br->by_flow && br->hop_i < br->hops_n) {
		dns_mark_failed(p->dns, &br->hops[br->hop_i], retry_after_s(resp));
	}
	if (br->trunk_target && br->hop_i + 1 >= br->hops_n) {
		proxy_trunk_failed(p, br->trunk_target, code, retry_after_s(resp));
	}
}

void proxy_branch_failed(struct belfry_branch *br, uint16_t code, struct sip_msg *resp)
{
	struct belfry_req *req = br->req;
	bool more = !req->cancelled && !req->final_sent && !req->got_6xx && !req->got_2xx &&
	            !br->timed_out;
	bool answered = code == 408 && resp; /* no failure to reach it */

	if (br->ct && !br->got_2xx) {
		txn_client_drop(&br->ct);
	}
	timer_cancel(req->p->w->timers, &br->timer_c);
	if (code != 430 && !answered) {
		mark(br, code, resp);
	}
	if (more && next_flow(br, code)) {
		return;
	}
	if (br->by_flow || code == 430 || answered || !more || !has_time(req)) {
		proxy_branch_end(br, code, resp, STR_NONE);
		return;
	}
	br->last_error = code == 408 ? BELFRY_ETIMEOUT : BELFRY_EUNREACH;
	br->tcp_refused = false;
	br->hop_i++;
	br->state = BRANCH_PREPARING;
	if (next_attempt(br)) {
		proxy_count(req->p, req->p->ids.failovers);
		note(req, "RFC 3263 4.3", "the next hop failed, another one is tried");
		return;
	}
	if (br->last_error == BELFRY_EFULL || br->last_error == -ENOMEM) {
		give_up(br);
	} else {
		proxy_branch_end(br, code, resp, STR_NONE);
	}
}

/* By TCP it could not be sent: by UDP then (RFC 3261 18.1.1). */
void proxy_branch_by_udp(struct belfry_branch *br)
{
	txn_client_drop(&br->ct);
	timer_cancel(br->req->p->w->timers, &br->timer_c);
	note(br->req, "proxy.mtu", "no TCP there: by UDP");
	br->tcp_refused = true;
	br->state = BRANCH_PREPARING;
	run(br);
}

void proxy_branch_cancel(struct belfry_branch *br, struct str extra)
{
	if (br->state == BRANCH_ENDED) {
		return;
	}
	if (br->state == BRANCH_PREPARING || br->ct == NULL) {
		quit(br);
	} else if (br->req->is_invite) {
		txn_client_cancel(br->ct, extra);
	}
}

void proxy_cancel_pending(struct belfry_req *req, struct str extra)
{
	for (struct belfry_branch *br = req->branches; br; br = br->next) {
		proxy_branch_cancel(br, extra);
		if (!req->is_invite && req->final_sent) {
			quit(br); /* no CANCEL for others; what they still say is of no interest */
		}
	}
}

void proxy_branch_add_header(struct belfry_branch *br, enum sip_hdr before, struct str lines)
{
	struct proxy_lines **at = &br->lines;
	struct proxy_lines *l = arena_alloc(proxy_arena(br->req), sizeof(*l));

	if (l == NULL) {
		return;
	}
	while (*at) {
		at = &(*at)->next;
	}
	*l = (struct proxy_lines){ .before = before, .text = lines };
	*at = l;
}
