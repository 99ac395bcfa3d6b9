/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of our own (RFC 3261 8.2.6), and the moment a request gets a server transaction. */
#include "proxy/core.h"

#include <errno.h>

struct str proxy_retry_after(struct belfry_req *req, unsigned s)
{
	uint64_t spread = random_below(&req->p->w->random, s + 1);

	return arena_printf(proxy_arena(req), "Retry-After: %u\r\n", s + (unsigned)spread);
}

/* What goes on, and emergencies. A To tag alone is easily made up: where we record-route it needs
 * our check, or somebody who is known. */
static bool is_preferred(const struct belfry_req *req)
{
	if (str_starts_nocase(req->msg->ruri_text, STR("urn:service:sos"))) {
		return true;
	}
	return req->msg->to_tag.n > 0 && (req->in_dialog || req->trusted || req->user.n > 0 ||
	                                  !req->conf->proxy.record_route);
}

int proxy_accept(struct belfry_req *req)
{
	const struct txn_server_params params = {
		.req = req->msg, .from = &req->from, .user = req, .is_preferred = is_preferred(req)
	};
	int err;

	if (req->st || req->is_ack || req->dry) {
		return 0;
	}
	if (req->final_sent) {
		return BELFRY_EFULL;
	}
	err = txn_server_new(req->p->txns, &params, &req->st);
	if (err == BELFRY_EEXIST) { /* it came again while a hook waited */
		req->st = NULL;
		req->final_sent = true;
		return BELFRY_EFULL;
	}
	if (err) {
		req->st = NULL;
		proxy_refuse(req, REFUSED_OVERLOAD, 503, "server.max_transactions",
		             proxy_retry_after(req, 5));
		return BELFRY_EFULL;
	}
	req->accepted = true;
	return 0;
}

static struct str all_headers(struct belfry_req *req, struct str headers)
{
	struct arena *arena = proxy_arena(req);

	for (const struct proxy_lines *l = req->reply_lines; l; l = l->next) {
		struct str both =
			arena_printf(arena, "%.*s%.*s", STR_FMT(headers), STR_FMT(l->text));

		if (both.p) {
			headers = both;
		}
	}
	return headers;
}

static void send_reply(struct belfry_req *req, struct sip_reply *reply)
{
	if (req->dry || req->is_ack) {
		return;
	}
	reply->headers = all_headers(req, reply->headers);
	if (req->st) {
		txn_server_reply(req->st, reply);
	} else {
		txn_reply_stateless(req->p->txns, req->msg, &req->from, reply);
	}
}

static bool may_reply(const struct belfry_req *req, int code)
{
	return !req->final_sent && !req->compact && (code >= 200 || req->st || req->dry);
}

/* The phrase of an answer of ours. */
static struct str phrase(int code, struct str reason)
{
	return reason.n > 0 ? reason : sip_reason_phrase(code);
}

static void answer(struct belfry_req *req, struct sip_reply *reply)
{
	send_reply(req, reply);
	if (reply->code < 200) {
		return;
	}
	req->final_sent = true;
	req->final_status = (uint16_t)reply->code;
	proxy_stop_waiting(req);
	proxy_cancel_pending(req, STR_NONE);
}

void proxy_reply(struct belfry_req *req, int code, struct str reason, struct str headers,
                 struct str body)
{
	struct sip_reply reply = {
		.code = code, .reason = reason, .headers = headers, .body = body
	};

	if (may_reply(req, code)) {
		if (req->notes) {
			proxy_note(req, "RFC 3261 8.2.6", "answered by this server with %n %s",
			           phrase(code, reason), code);
		}
		answer(req, &reply);
	}
}

static enum step_result refuse(struct belfry_req *req, enum refusal why, struct sip_reply *reply,
                               const char *rule)
{
	struct proxy *p = req->p;

	if (!req->dry && !req->is_ack) {
		proxy_count(p, p->ids.rejected[why]);
	}
	if (req->is_ack) {
		note(req, rule, "dropped: an ACK is never answered");
		req->final_sent = true;
		return STEP_DONE;
	}
	if (may_reply(req, reply->code)) {
		if (req->notes) {
			proxy_note(req, rule, "refused with %n %s",
			           phrase(reply->code, reply->reason), reply->code);
		}
		answer(req, reply);
	}
	return STEP_DONE;
}

enum step_result proxy_refuse(struct belfry_req *req, enum refusal why, int code, const char *rule,
                              struct str headers)
{
	struct sip_reply reply = { .code = code, .headers = headers };

	return refuse(req, why, &reply, rule);
}

enum step_result proxy_refuse_syntax(struct belfry_req *req, struct str reason, const char *rule)
{
	struct sip_reply reply = { .code = 400, .reason = reason };

	return refuse(req, REFUSED_SYNTAX, &reply, rule);
}

void proxy_add_reply_header(struct belfry_req *req, struct str lines)
{
	struct proxy_lines **at = &req->reply_lines;
	struct proxy_lines *l = arena_zalloc(proxy_arena(req), sizeof(*l));

	if (l == NULL) {
		return;
	}
	while (*at) {
		at = &(*at)->next;
	}
	l->text = lines;
	*at = l;
}

int proxy_set_user(struct belfry_req *req, struct str aor, bool priority)
{
	struct str copy = arena_str(proxy_arena(req), aor);

	if (copy.p == NULL) {
		return -ENOMEM;
	}
	req->user = copy;
	req->user_priority = priority;
	return 0;
}

void proxy_hide_header(struct belfry_req *req, int index)
{
	struct proxy_hidden *h;

	for (h = req->hidden; h; h = h->next) {
		if (h->index == index) {
			return;
		}
	}
	h = arena_alloc(proxy_arena(req), sizeof(*h));
	if (h == NULL) {
		/* What must not be passed on is not: the request goes no further. */
		proxy_reply(req, 500, STR_NONE, STR_NONE, STR_NONE);
		return;
	}
	h->index = index;
	h->next = req->hidden;
	req->hidden = h;
}

struct str proxy_allow(struct belfry_req *req)
{
	struct str text = STR("Allow: OPTIONS");

	for (size_t i = 0; i < req->hooks->services_n; i++) {
		text = arena_printf(proxy_arena(req), "%.*s, %.*s", STR_FMT(text),
		                    STR_FMT(req->hooks->services[i].method));
	}
	return arena_printf(proxy_arena(req), "%.*s\r\n", STR_FMT(text));
}
