/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3261 16.3: request validation, in its order; the scheme of a request with Route is judged when
 * it is known where that leads (proxy_scheme()). */
#include "proxy/core.h"

/* What routing depends on, without what changes at each hop (RFC 5393 4.2.2). */
static uint64_t loop_hash(const struct proxy *p, const struct sip_msg *msg)
{
	static const enum sip_hdr kinds[] = { SIP_H_ROUTE, SIP_H_PROXY_REQUIRE,
		                              SIP_H_PROXY_AUTHORIZATION };
	const struct str nul = { "", 1 };
	struct hash_state st;
	uint64_t hash;

	hash_begin(&st, p->w->process_key, false);
	hash_add(&st, msg->ruri_text);
	hash_add(&st, nul);
	hash_add(&st, msg->call_id);
	hash_add(&st, nul);
	hash_add(&st, msg->from_tag);
	hash_add(&st, nul);
	hash_add(&st, msg->to_tag);
	hash_add(&st, str_make((const char *)&msg->cseq, sizeof(msg->cseq)));
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (int i = msg->first[kinds[k]]; i >= 0; i = sip_msg_next(msg, kinds[k], i)) {
			hash_add(&st, sip_msg_value(msg, i));
			hash_add(&st, nul);
		}
	}
	hash = hash_end64(&st);
	return hash ? hash : 1;
}

uint64_t proxy_loop(struct belfry_req *req)
{
	if (req->loop == 0) {
		req->loop = loop_hash(req->p, req->msg);
	}
	return req->loop;
}

/* Has it been here with the same routing before? Then one of its Vias has a branch of ours with
 * that hash. */
static bool is_loop(struct belfry_req *req)
{
	struct sip_values it;

	if (req->msg->vias_n < 2) {
		return false;
	}
	sip_values_init(&it, req->msg, SIP_H_VIA);
	while (sip_values_next(&it)) {
		struct sip_via via;
		struct branch branch;

		if (sip_via_parse(it.value, &via) == 0 &&
		    branch_parse(via.branch, req->p->w->process_key, &branch) &&
		    branch.kind == BRANCH_TXN && branch.loop == proxy_loop(req)) {
			return true;
		}
	}
	return false;
}

/* None of the options that a proxy could be asked for is known here. */
static enum step_result refuse_extensions(struct belfry_req *req, enum sip_hdr id, const char *rule)
{
	struct str text = sip_build_unsupported(req->msg, id, NULL, proxy_arena(req));

	if (text.p && text.n == 0) {
		return STEP_NEXT;
	}
	note_s(req, rule, "required, but not known here: %s",
	       str_trim(str_skip(text, sizeof("Unsupported: ") - 1)));
	return proxy_refuse(req, REFUSED_EXTENSION, 420, rule, text);
}

enum step_result proxy_require(struct belfry_req *req)
{
	if (req->msg->first[SIP_H_REQUIRE] < 0) {
		return STEP_NEXT;
	}
	return refuse_extensions(req, SIP_H_REQUIRE, "RFC 3261 8.2.2.3");
}

/* RFC 5393 5.3.3: absent or more than we take: what we take. */
static enum step_result max_breadth(struct belfry_req *req)
{
	struct str value = sip_msg_header(req->msg, SIP_H_MAX_BREADTH);
	uint32_t n, max = (uint32_t)req->conf->proxy.max_breadth;

	req->breadth = max;
	if (value.n == 0) {
		return STEP_NEXT;
	}
	if (sip_delta_parse(value, &n)) {
		return proxy_refuse_syntax(req, STR("Bad Max-Breadth"), "RFC 5393 5");
	}
	req->breadth = n < max ? n : max;
	return STEP_NEXT;
}

static void tell_passed(struct belfry_req *req)
{
	if (!req->dry) {
		return;
	}
	if (req->msg->max_forwards < 0) {
		proxy_note_detail(req, "proxy.max_forwards", "no Max-Forwards: it gets one of %d",
		                  req->conf->proxy.max_forwards);
	} else {
		proxy_note_detail(req, "RFC 3261 16.3 (3)", "Max-Forwards %d lets it pass",
		                  req->msg->max_forwards);
	}
	proxy_note_detail(req, "RFC 3261 16.3 (4)", "no loop: it has not been here before");
	proxy_note_detail(req, "RFC 3261 16.3 (5)", "no extension is required of this proxy");
}

/* Neither a Route nor a rule leads anywhere from a URI of a scheme that is not known. */
static bool is_unknown_scheme(struct belfry_req *req)
{
	const struct sip_uri *uri = &req->msg->ruri;

	if (uri->scheme == SIP_URI_SIP || uri->scheme == SIP_URI_SIPS) {
		return false;
	}
	req->ruri = *uri;
	return req->msg->first[SIP_H_ROUTE] < 0 && !proxy_has_rule(req);
}

enum step_result proxy_validate(struct belfry_req *req)
{
	const struct sip_msg *msg = req->msg;

	if (msg->method == SIP_M_CANCEL) { /* its INVITE is not known (9.2) */
		note(req, "RFC 3261 9.2", "no INVITE under way has its branch");
		return proxy_refuse(req, REFUSED_METHOD, 481, "RFC 3261 9.2", STR_NONE);
	}
	if (req->p->draining && req->is_invite && msg->to_tag.n == 0) {
		note(req, "server.drain_timeout", "the server is ending: no new calls");
		return proxy_refuse(
			req, REFUSED_DRAIN, 503, "server.drain_timeout",
			proxy_retry_after(req, (unsigned)req->conf->server.drain_timeout + 1));
	}
	if (is_unknown_scheme(req)) {
		return proxy_refuse(req, REFUSED_SCHEME, 416, "RFC 3261 16.3 (2)", STR_NONE);
	}
	if (msg->max_forwards == 0) {
		if (msg->method == SIP_M_OPTIONS) {
			note(req, "RFC 3261 16.3 (3)", "Max-Forwards 0: answered as if for us");
			return proxy_answer_own(req);
		}
		return proxy_refuse(req, REFUSED_MAX_FORWARDS, 483, "RFC 3261 16.3 (3)", STR_NONE);
	}
	if (req->is_ack) { /* its branch is stateless; Max-Forwards ends a loop */
		return max_breadth(req);
	}
	if (is_loop(req)) {
		note(req, "RFC 3261 16.3 (4)",
		     "a Via shows that it was routed here just so before");
		return proxy_refuse(req, REFUSED_LOOP, 482, "RFC 3261 16.3 (4)", STR_NONE);
	}
	if (msg->first[SIP_H_PROXY_REQUIRE] >= 0) {
		enum step_result result =
			refuse_extensions(req, SIP_H_PROXY_REQUIRE, "RFC 3261 16.3 (5)");

		if (result != STEP_NEXT) {
			return result;
		}
	}
	tell_passed(req);
	return max_breadth(req);
}
