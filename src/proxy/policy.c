/* SPDX-License-Identifier: Apache-2.0 */
/* No open relay: who may have a request sent to where this server is not responsible. */
#include "proxy/core.h"

/* A trusted peer, or a user who has shown who he is. */
static bool is_known(struct belfry_req *req)
{
	if (req->trusted) {
		note(req, "proxy.trusted", "the source is a trusted peer");
		return true;
	}
	if (req->user.n > 0) {
		note_s(req, "proxy.relay", "authenticated as %s", req->user);
		return true;
	}
	note(req, "proxy.relay", "neither authenticated nor a trusted peer");
	return false;
}

static bool may_relay(struct belfry_req *req)
{
	if (req->in_dialog) {
		note(req, "RFC 3261 16.12", "may pass: inside a dialog of ours");
		return true;
	}
	switch (req->conf->proxy.relay) {
	case CONF_RELAY_ANY: note(req, "proxy.relay", "anybody may send elsewhere"); return true;
	case CONF_RELAY_NONE: note(req, "proxy.relay", "nobody may send elsewhere"); return false;
	default: return is_known(req);
	}
}

static bool can_authenticate(const struct conf *conf)
{
	for (size_t i = 0; i < conf->modules.n; i++) {
		if (str_eq(conf->modules.v[i], STR("auth"))) {
			return true;
		}
	}
	return false;
}

/* A rule leads from a domain of ours to a trunk. That costs money: once users can authenticate,
 * only they and trusted peers get there. */
static bool may_use_trunk(struct belfry_req *req)
{
	if (req->conf->proxy.relay == CONF_RELAY_ANY || !can_authenticate(req->conf)) {
		note(req, "trunks", "anybody may have a request sent to a trunk");
		return true;
	}
	return is_known(req);
}

enum step_result proxy_policy(struct belfry_req *req)
{
	if (!req->elsewhere && !req->leaves) {
		proxy_note_detail(req, "proxy.relay", "does not apply: it is for a domain of ours");
		return STEP_NEXT;
	}
	if (req->elsewhere ? may_relay(req) : may_use_trunk(req)) {
		return STEP_NEXT;
	}
	return proxy_refuse(req, REFUSED_RELAY, 403, "proxy.relay", STR_NONE);
}
