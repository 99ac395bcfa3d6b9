/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 3xx that we follow ourselves (proxy.recurse_redirects; RFC 3261 16.5, 16.7 step 4): 300 to 302
 * retarget, 305 names another way to the same target; the rest is for the caller.
 */
#include "proxy/core.h"

static bool is_allowed(const struct belfry_req *req, const struct sip_uri *uri)
{
	if (uri->scheme != SIP_URI_SIP && uri->scheme != SIP_URI_SIPS) {
		return false;
	}
	if (req->ruri.scheme == SIP_URI_SIPS && uri->scheme != SIP_URI_SIPS) {
		return false;
	}
	return !req->conf->proxy.redirect_foreign ||
	       proxy_uri_kind(req, uri) != PROXY_RURI_ELSEWHERE;
}

static uint16_t contact_q(const struct sip_addr *contact)
{
	struct str text;
	uint16_t q;

	if (!sip_addr_param(contact, STR("q"), &text) || sip_q_parse(text, &q)) {
		return 1000;
	}
	return q;
}

/* 305: the same Request-URI by way of that proxy. */
static bool follow_proxy(struct belfry_branch *br, const struct sip_addr *contact, uint16_t q)
{
	struct belfry_req *req = br->req;
	struct str hop = arena_str(proxy_arena(req), contact->uri_text);
	struct proxy_target *t;

	if (hop.n == 0) {
		return false;
	}
	for (t = req->targets; t; t = t->next) {
		if (str_eq(t->hop, hop)) {
			return true; /* tried already */
		}
	}
	t = proxy_target_again(req, br->target, q);
	if (t) {
		t->hop = hop;
	}
	return t != NULL;
}

static bool follow(struct belfry_branch *br, const struct sip_addr *contact, int status)
{
	struct belfry_req *req = br->req;
	struct sip_uri uri;
	struct str text;

	if (!is_allowed(req, &contact->uri)) {
		return false;
	}
	note_s(req, "proxy.recurse_redirects", "follows %s", contact->uri_text);
	if (status == 305) {
		return follow_proxy(br, contact, contact_q(contact));
	}
	text = arena_str(proxy_arena(req), contact->uri_text);
	return text.n > 0 && sip_uri_parse(text, &uri, NULL) == 0 &&
	       proxy_expand_add(req, &uri, contact_q(contact), NULL) == 0;
}

bool proxy_follow_redirect(struct belfry_branch *br, const struct sip_msg *resp,
                           uint64_t *followed_r)
{
	struct belfry_req *req = br->req;
	struct sip_values it;
	struct sip_addr contact;
	bool rest = false;
	unsigned i = 0;

	*followed_r = 0;
	if (!req->conf->proxy.recurse_redirects || req->ruri_kind != PROXY_RURI_LOCAL ||
	    req->route.n > 0 || req->maddr || req->cancelled || req->got_6xx ||
	    (resp->status > 302 && resp->status != 305)) {
		return false;
	}
	sip_values_init(&it, resp, SIP_H_CONTACT);
	while (sip_values_next(&it)) {
		if (i < 64 && sip_addr_parse(it.value, &contact, NULL) == 0 && !contact.is_star &&
		    follow(br, &contact, resp->status)) {
			*followed_r |= (uint64_t)1 << i;
		} else {
			rest = true;
		}
		i++;
	}
	return *followed_r != 0 && !rest;
}
