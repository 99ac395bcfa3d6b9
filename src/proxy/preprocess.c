/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3261 16.4: what strict routers did is undone, our own Route entries and maddr are taken away.
 */
#include "proxy/core.h"

#include <limits.h>

static bool has_param(const struct sip_uri *uri, struct str name)
{
	struct str value;

	return uri->params.n > 0 && sip_uri_param(uri, name, &value);
}

/* The port and transport that a URI names, explicitly or by default, are those it came by. */
static bool came_as_named(const struct belfry_req *req, const struct sip_uri *uri)
{
	const struct tp_listener *l = req->from.listener;
	bool secure = uri->scheme == SIP_URI_SIPS;
	uint16_t port = uri->port ? uri->port : secure ? 5061 : 5060;
	uint8_t proto = secure ? TP_TLS : TP_UDP;
	struct str transport;

	if (sip_uri_param(uri, STR("transport"), &transport)) {
		if (!str_eq_nocase(transport, tp_proto_param(req->from.proto)) &&
		    !(secure && req->from.proto == TP_TLS &&
		      str_eq_nocase(transport, STR("tcp")))) {
			return false;
		}
	} else if (req->from.proto != proto) {
		return false;
	}
	return l == NULL || port == l->addr.port || port == l->port;
}

/* A maddr of ours goes, with port and transport; any other makes the Request-URI the only target.
 */
static enum step_result handle_maddr(struct belfry_req *req)
{
	static const struct str drop[] = { STR_INIT("maddr"), STR_INIT("transport") };
	struct str maddr, text;

	if (req->ruri.params.n == 0 || !sip_uri_param(&req->ruri, STR("maddr"), &maddr)) {
		return STEP_NEXT;
	}
	if ((!proxy_is_own_host(req, maddr) && !conf_is_local_domain(req->conf, maddr)) ||
	    !came_as_named(req, &req->ruri)) {
		req->maddr = true;
		note_s(req, "RFC 3261 16.5", "maddr %s: the Request-URI is the only target", maddr);
		return STEP_NEXT;
	}
	text = sip_uri_as_target(proxy_arena(req), &req->ruri, drop, 2);
	if (req->ruri.port && text.n > 0) {
		const char *end = req->ruri.host.p + req->ruri.host.n;
		size_t head = (size_t)(end - req->ruri.text.p);

		/* The port stands between the host and what was left of the parameters. */
		text = str_skip(text, head);
		while (text.n > 0 && text.p[0] != ';' && text.p[0] != '?') {
			text = str_skip(text, 1);
		}
		text = arena_printf(proxy_arena(req), "%.*s%.*s", (int)head, req->ruri.text.p,
		                    STR_FMT(text));
	}
	if (text.n == 0 || sip_uri_parse(text, &req->ruri, NULL)) {
		return proxy_refuse(req, REFUSED_ERROR, 500, "RFC 3261 16.4", STR_NONE);
	}
	note(req, "RFC 3261 16.4", "a maddr of ours is taken away");
	return STEP_NEXT;
}

/* A value we once put into a Record-Route: the last Route value is what was meant. */
static enum step_result undo_strict_router(struct belfry_req *req)
{
	struct sip_values it;
	struct sip_addr addr;
	struct str check;
	int found, last = 0;

	if (!has_param(&req->ruri, STR("lr")) || !proxy_uri_is_own(req, &req->ruri)) {
		return STEP_NEXT;
	}
	sip_values_init(&it, req->msg, SIP_H_ROUTE);
	while ((found = sip_addr_next(&it, &addr)) > 0) {
		last++;
	}
	if (found < 0) {
		return proxy_refuse_syntax(req, STR("Bad Route"), "RFC 3261 16.4");
	}
	if (last == 0) {
		return STEP_NEXT;
	}
	if (sip_uri_param(&req->ruri, STR("rc"), &check) && proxy_rr_check(req, check)) {
		req->in_dialog = true;
	}
	req->ruri = addr.uri;
	req->route_popped = true;
	note_s(req, "RFC 3261 16.4", "a strict router sent it: the Request-URI is %s",
	       addr.uri_text);
	return STEP_NEXT;
}

/* How many Route values may be looked at: not the last one when it has become the Request-URI. */
static unsigned route_count(const struct belfry_req *req)
{
	struct sip_values it;
	unsigned n = 0;

	if (!req->route_popped) {
		return UINT_MAX;
	}
	sip_values_init(&it, req->msg, SIP_H_ROUTE);
	while (sip_values_next(&it)) {
		n++;
	}
	return n - 1;
}

static const struct tp_listener *listener_named(struct belfry_req *req, const struct sip_uri *uri)
{
	struct str transport = STR("udp");

	sip_uri_param(uri, STR("transport"), &transport);
	for (size_t i = 0; req->p->tg; i++) {
		const struct tp_listener *l = transport_listener(req->p->tg, i);
		struct net_addr addr;

		if (l == NULL) {
			break;
		}
		if (str_eq_nocase(tp_proto_param(l->proto), transport) &&
		    (uri->port == 0 || uri->port == l->port || uri->port == l->addr.port) &&
		    (sip_host_eq(l->host, uri->host) || (net_addr_parse(uri->host, 0, &addr) == 0 &&
		                                         net_addr_eq_ip(&addr, &l->addr)))) {
			return l;
		}
	}
	return NULL;
}

static enum step_result take_own_routes(struct belfry_req *req)
{
	struct sip_values it;
	struct sip_addr addr;
	unsigned left;
	int found;

	if (req->msg->first[SIP_H_ROUTE] < 0) {
		return STEP_NEXT;
	}
	left = route_count(req);
	sip_values_init(&it, req->msg, SIP_H_ROUTE);
	while (left-- > 0) {
		struct str check;

		found = sip_addr_next(&it, &addr);
		if (found == 0) {
			break;
		}
		if (found < 0) {
			return proxy_refuse_syntax(req, STR("Bad Route"), "RFC 3261 16.4");
		}
		if (!proxy_uri_is_own(req, &addr.uri)) {
			req->route = addr.text;
			req->route_uri = addr.uri;
			note_s(req, "RFC 3261 16.6 (6)", "a Route leads to %s", addr.uri_text);
			break;
		}
		if (!req->in_dialog && sip_uri_param(&addr.uri, STR("rc"), &check) &&
		    proxy_rr_check(req, check)) {
			req->in_dialog = true;
		}
		if (req->route_skip++ > 0) { /* the second one names the other side */
			req->out_hint = listener_named(req, &addr.uri);
		}
	}
	if (req->route_skip) {
		note_n(req, "RFC 3261 16.4", "%n Route values of ours are taken away",
		       req->route_skip);
	}
	return STEP_NEXT;
}

static void judge(struct belfry_req *req)
{
	req->ruri_kind = (uint8_t)proxy_uri_kind(req, &req->ruri);
	req->elsewhere = req->route.n > 0 || req->maddr || req->ruri_kind == PROXY_RURI_ELSEWHERE ||
	                 req->ruri_kind == PROXY_RURI_OTHER;
	/* The check is for what follows, not for what begins; a REGISTER is in no dialog (10.2). */
	if (req->msg->to_tag.n == 0 || req->msg->method == SIP_M_REGISTER) {
		req->in_dialog = false;
	}
	note(req, "RFC 3261 16.5",
	     req->elsewhere                       ? "the next hop is elsewhere"
	     : req->ruri_kind == PROXY_RURI_LOCAL ? "a user of a domain of ours"
	     : req->ruri_kind == PROXY_RURI_HOST  ? "a user at a name of ours that is no domain"
	                                          : "addressed to the server itself");
	if (req->in_dialog) {
		note(req, "RFC 3261 16.12", "inside a dialog that this server record-routed");
	}
}

enum step_result proxy_preprocess(struct belfry_req *req)
{
	enum step_result result;

	req->ruri = req->msg->ruri;
	if (req->ruri.params.n > 0) {
		result = undo_strict_router(req);
		if (result == STEP_NEXT) {
			result = handle_maddr(req);
		}
		if (result != STEP_NEXT) {
			return result;
		}
	}
	result = take_own_routes(req);
	if (result != STEP_NEXT) {
		return result;
	}
	judge(req);
	return proxy_scheme(req);
}
