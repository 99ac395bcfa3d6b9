/* SPDX-License-Identifier: Apache-2.0 */
/* trunks. */
#include "ctl/gather.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "proxy/proxy.h"

struct rows {
	json_t *list;
	bool failed;
};

static void add_trunk(void *arg, const struct proxy_trunk_info *info)
{
	struct rows *rows = arg;
	bool is_probed = info->checked_ms_ago != UINT64_MAX;
	json_t *one =
		json_pack("{s:o, s:o, s:s, s:i, s:o, s:i}", "trunk", ctl_json_str(info->trunk),
	                  "target", ctl_json_str(info->target), "state",
	                  !info->is_known ? "unknown"
	                  : info->up      ? "up"
	                                  : "down",
	                  "status", info->last_status, "checked",
	                  is_probed ? json_real((double)info->checked_ms_ago / 1000) : json_null(),
	                  "calls", info->calls);

	rows->failed = json_array_append_new(rows->list, one) != 0 || rows->failed;
}

/* The state is one for all workers: the first tells it. */
static bool trunks_of(struct worker *w, struct ctl_env *env, struct ctl_call *call, json_t *list)
{
	struct rows rows = { .list = list };

	(void)call;
	if (w->id == 0) {
		proxy_each_trunk(env->proxies[0], add_trunk, &rows);
	}
	return !rows.failed;
}

static void run_trunks(struct ctl_call *call, struct ctl_env *env)
{
	ctl_gather(call, env, "trunks", trunks_of, NULL);
}

const struct ctl_command ctl_trunk_commands[] = {
	{ "trunks", "", "state of each target of each trunk",
	  "trunk target state status checked calls", false, run_trunks },
	{ 0 },
};
