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
	bool is_known = info->checked_ms_ago != UINT64_MAX;
	json_t *one =
		json_pack("{s:o, s:o, s:s, s:i, s:o, s:i}", "trunk", ctl_json_str(info->trunk),
	                  "target", ctl_json_str(info->target), "state",
	                  !is_known  ? "unknown"
	                  : info->up ? "up"
	                             : "down",
	                  "status", info->last_status, "checked",
	                  is_known ? json_real((double)info->checked_ms_ago / 1000) : json_null(),
	                  "calls", info->calls);

	rows->failed = json_array_append_new(rows->list, one) != 0 || rows->failed;
}

static bool trunks_of(struct worker *w, struct ctl_env *env, json_t *list)
{
	struct rows rows = { .list = list };

	proxy_each_trunk(env->proxies[w->id], add_trunk, &rows);
	return !rows.failed;
}

static bool is_same(const json_t *a, const json_t *b)
{
	return json_equal(json_object_get(a, "trunk"), json_object_get(b, "trunk")) &&
	       json_equal(json_object_get(a, "target"), json_object_get(b, "target"));
}

/* Does @a know something newer than @b? */
static bool is_newer(const json_t *a, const json_t *b)
{
	const json_t *ta = json_object_get(a, "checked"), *tb = json_object_get(b, "checked");

	return json_is_real(ta) && (!json_is_real(tb) || json_real_value(ta) < json_real_value(tb));
}

/* Each worker has its own view: the newest counts, calls are summed. false: out of memory. */
static bool merge(json_t *into, json_t *row)
{
	json_int_t calls = json_integer_value(json_object_get(into, "calls")) +
	                   json_integer_value(json_object_get(row, "calls"));

	if (is_newer(row, into) && json_object_update(into, row)) {
		return false;
	}
	return json_object_set_new(into, "calls", json_integer(calls)) == 0;
}

static void trunks_done(struct ctl_call *call, struct ctl_env *env, json_t *rows)
{
	json_t *out = json_array(), *row, *seen;
	size_t i, k;
	bool ok = out != NULL;

	(void)env;
	json_array_foreach(rows, i, row)
	{
		json_t *same = NULL;

		json_array_foreach(out, k, seen)
		{
			if (is_same(row, seen)) {
				same = seen;
				break;
			}
		}
		ok = ok && (same ? merge(same, row) : json_array_append(out, row) == 0);
	}
	json_decref(rows);
	if (!ok) {
		json_decref(out);
	}
	ctl_call_reply(call, ok ? json_pack("{s:o}", "trunks", out) : NULL);
}

static void run_trunks(struct ctl_call *call, struct ctl_env *env)
{
	ctl_gather(call, env, NULL, trunks_of, trunks_done);
}

const struct ctl_command ctl_trunk_commands[] = {
	{ "trunks", "", "state of each target of each trunk",
	  "trunk target state status checked calls", false, run_trunks },
	{ 0 },
};
