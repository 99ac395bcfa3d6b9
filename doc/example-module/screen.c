/* SPDX-License-Identifier: Apache-2.0 */
/* screen: answer known scanners with one status, by their User-Agent. */
#include "belfry/module.h"

struct screen_conf {
	struct str_list agents;
	int status;
};

static const struct belfry_setting screen_settings[] = {
	BELFRY_SET_STRS(struct screen_conf, agents, "friendly-scanner",
	                "parts of User-Agent values to refuse"),
	BELFRY_SET_INT(struct screen_conf, status, 403, 400, 699, "status code to answer with"),
	BELFRY_SET_END,
};

enum { SCREENED };

static const struct belfry_counter screen_counters[] = {
	[SCREENED] = { "belfry_screened_total", NULL, "requests refused by User-Agent" },
	{ 0 },
};

static enum belfry_verdict screen_request(struct belfry_req *req, struct belfry_mod *mod)
{
	const struct screen_conf *conf = belfry_conf(mod); /* same snapshot until we return */
	struct str agent = belfry_header(req, "User-Agent");

	for (size_t i = 0; i < conf->agents.n; i++) {
		if (str_contains_nocase(agent, conf->agents.v[i])) {
			belfry_count(mod, SCREENED, 1);
			belfry_decide(req, "screen.agents", "refused for its User-Agent");
			return belfry_reply(req, conf->status, NULL);
		}
	}
	return BELFRY_CONTINUE;
}

static const struct belfry_hook screen_hooks[] = {
	BELFRY_ON_REQUEST(10, screen_request), /* order: independent of load order; before auth */
	{ 0 },
};

BELFRY_MODULE(screen) = {
	.abi = BELFRY_MOD_ABI,
	.name = "screen",
	.version = "1",
	.settings = screen_settings,
	.conf_size = sizeof(struct screen_conf),
	.hooks = screen_hooks,
	.counters = screen_counters,
};
