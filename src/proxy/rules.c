/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `routes` rules: the first that matches decides. They are for requests that are to be routed:
 * not inside our dialogs, and without a Route or maddr that has decided already.
 */
#include "proxy/core.h"

struct facts { /* what rules look at */
	struct str user, domain, source;
	char user_text[256], source_text[NET_ADDR_TEXT];
};

static void gather(const struct belfry_req *req, struct facts *f)
{
	ptrdiff_t n = sip_unescape(req->ruri.user, f->user_text, sizeof(f->user_text));

	f->user = n >= 0 ? str_make(f->user_text, (size_t)n) : req->ruri.user;
	f->domain = req->ruri.host;
	f->source = net_addr_ip_text(&req->from.remote, f->source_text);
}

static bool source_matches(const struct conf_route *r, const struct belfry_req *req,
                           const struct facts *f)
{
	if (r->match.source.n == 0) {
		return true;
	}
	if (r->source_net.addr.family) {
		return net_prefix_has(&r->source_net, &req->from.remote);
	}
	return str_glob(r->match.source, f->source, true);
}

static bool matches(const struct conf_route *r, const struct belfry_req *req, const struct facts *f)
{
	const struct conf_route_match *m = &r->match;

	return (m->user.n == 0 || (req->ruri.has_user && str_glob(m->user, f->user, false))) &&
	       (m->domain.n == 0 || (f->domain.n > 0 && str_glob(m->domain, f->domain, true))) &&
	       (m->method.n == 0 || str_glob(m->method, req->msg->method_text, false)) &&
	       (m->uri.n == 0 || str_glob(m->uri, req->ruri.text, true)) &&
	       source_matches(r, req, f);
}

static const struct conf_route *find(const struct belfry_req *req)
{
	struct facts f;

	if (req->conf->routes_n == 0 || req->in_dialog || req->route.n > 0 || req->maddr) {
		return NULL;
	}
	gather(req, &f);
	for (size_t i = 0; i < req->conf->routes_n; i++) {
		if (matches(&req->conf->routes[i], req, &f)) {
			return &req->conf->routes[i];
		}
	}
	return NULL;
}

bool proxy_has_rule(const struct belfry_req *req)
{
	return find(req) != NULL;
}

/* $user and $domain are of the Request-URI, escaped as they came. */
static struct str substitute(struct belfry_req *req, struct str text)
{
	static const struct str names[] = { STR_INIT("$user"), STR_INIT("$domain") };
	const struct str values[] = { req->ruri.user, req->ruri.host };
	size_t cap = text.n + 1;
	struct sbuf b;
	char *space;

	for (size_t i = 0; i < text.n; i++) {
		cap += text.p[i] == '$' ? req->ruri.text.n : 0;
	}
	space = arena_alloc(proxy_arena(req), cap);
	if (space == NULL) {
		return STR_NONE;
	}
	sbuf_init(&b, space, cap);
	while (text.n > 0) {
		size_t k = 0;

		while (k < 2 && !str_starts(text, names[k])) {
			k++;
		}
		if (k < 2) {
			sbuf_add(&b, values[k]);
			text = str_skip(text, names[k].n);
		} else {
			sbuf_char(&b, text.p[0]);
			text = str_skip(text, 1);
		}
	}
	return sbuf_str(&b);
}

static enum step_result redirect_to(struct belfry_req *req, struct str uri, const char *rule)
{
	struct str contact = arena_printf(proxy_arena(req), "Contact: <%.*s>\r\n", STR_FMT(uri));

	if (uri.n == 0 || contact.n == 0) {
		return proxy_refuse(req, REFUSED_ERROR, 500, rule, STR_NONE);
	}
	note_s(req, rule, "redirected to %s", uri);
	if (!req->dry) {
		proxy_count(req->p, req->p->ids.redirected);
	}
	proxy_reply(req, 302, STR_NONE, contact, STR_NONE);
	return STEP_DONE;
}

static enum step_result retarget(struct belfry_req *req, struct str text)
{
	struct sip_uri uri;
	enum proxy_ruri kind;

	if (text.n == 0 || sip_uri_parse(text, &uri, NULL)) {
		return proxy_refuse(req, REFUSED_ERROR, 500, "routes", STR_NONE);
	}
	kind = proxy_uri_kind(req, &uri);
	note_s(req, "routes", "the target is %s", text);
	if (kind == PROXY_RURI_ELSEWHERE && req->conf->proxy.redirect_foreign) {
		return redirect_to(req, text, "proxy.redirect_foreign");
	}
	if (proxy_expand_rule(req, &uri)) {
		return proxy_refuse(req, REFUSED_ERROR, 500, "routes", STR_NONE);
	}
	return STEP_NEXT;
}

/* Sent to one of the trunk's targets, the Request-URI as it is. */
static enum step_result to_trunk(struct belfry_req *req, const struct conf_trunk *conf)
{
	struct proxy_target *t;

	note_s(req, "trunks", "goes to trunk %s", conf->name);
	t = proxy_target_new(req, &req->ruri, 1000, NULL, STR_NONE);
	if (t == NULL) {
		return proxy_refuse(req, REFUSED_ERROR, 500, "trunks", STR_NONE);
	}
	t->trunk = proxy_trunk_find(req->p, conf->name);
	t->conf_trunk = conf;
	req->leaves = true;
	return STEP_NEXT;
}

static enum step_result apply(struct belfry_req *req, const struct conf_route *r)
{
	note_s(req, "routes", "rule \"%s\" matches", r->name);
	if (r->reject) {
		return proxy_refuse(req, REFUSED_RULE, r->reject, "routes", STR_NONE);
	}
	if (r->redirect.n > 0) {
		if (req->is_ack) {
			req->final_sent = true;
			return STEP_DONE;
		}
		return redirect_to(req, substitute(req, r->redirect), "routes");
	}
	if (r->trunk >= 0) {
		return to_trunk(req, &req->conf->trunks[r->trunk]);
	}
	return retarget(req, substitute(req, r->to));
}

enum step_result proxy_scheme(struct belfry_req *req)
{
	if (req->ruri_kind != PROXY_RURI_OTHER || req->route.n > 0 || req->maddr || find(req)) {
		return STEP_NEXT;
	}
	return proxy_refuse(req, REFUSED_SCHEME, 416, "RFC 3261 16.3 (2)", STR_NONE);
}

bool proxy_leads_to_trunk(const struct belfry_req *req)
{
	const struct conf_route *r = find(req);

	return r && !r->reject && r->redirect.n == 0 && r->trunk >= 0;
}

/* The Request-URI itself. */
static enum step_result single_target(struct belfry_req *req)
{
	if (proxy_target_new(req, &req->ruri, 1000, NULL, STR_NONE) == NULL) {
		return proxy_refuse(req, REFUSED_ERROR, 500, "RFC 3261 16.5", STR_NONE);
	}
	return STEP_NEXT;
}

static void tell_no_rule(struct belfry_req *req)
{
	const char *why = req->in_dialog     ? "inside a dialog of ours"
	                  : req->route.n > 0 ? "a Route has decided"
	                  : req->maddr       ? "a maddr has decided"
	                                     : NULL;

	if (why) {
		proxy_note_detail(req, "routes", "no rule is looked at: %s", why);
	} else if (req->conf->routes_n == 0) {
		proxy_note_detail(req, "routes", "there are no rules");
	} else {
		proxy_note_detail(req, "routes", "none of %zu rules matches", req->conf->routes_n);
	}
}

enum step_result proxy_rules(struct belfry_req *req)
{
	const struct conf_route *r = find(req);

	if (r) {
		return apply(req, r);
	}
	if (req->dry) {
		tell_no_rule(req);
	}
	if (req->route.n > 0 || req->maddr) {
		return single_target(req);
	}
	switch (req->ruri_kind) {
	case PROXY_RURI_SELF: return proxy_answer_own(req);
	case PROXY_RURI_HOST: return proxy_refuse(req, REFUSED_NOT_FOUND, 404, "domains", STR_NONE);
	case PROXY_RURI_LOCAL:
		if (proxy_expand_add(req, &req->ruri, 1000, NULL)) {
			return proxy_refuse(req, REFUSED_ERROR, 500, "RFC 3261 16.5", STR_NONE);
		}
		return STEP_NEXT;
	default: return single_target(req);
	}
}
