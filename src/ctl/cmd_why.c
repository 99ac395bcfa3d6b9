/* SPDX-License-Identifier: Apache-2.0 */
/* why: what was decided for calls in progress and for recent ones. */
#include <time.h>

#include "ctl/call.h"
#include "ctl/gather.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "proxy/proxy.h"

json_t *ctl_json_decision(const struct proxy_decision *d)
{
	return json_pack("{s:s, s:o, s:f}", "rule", d->rule, "text", ctl_json_str(d->text), "at",
	                 (double)d->at_us * 1e-6);
}

struct rows {
	json_t *list;
	bool with_decisions, failed;
};

static json_t *decisions_json(const struct proxy_decision *d)
{
	json_t *list = json_array();

	for (; list && d; d = d->next) {
		if (json_array_append_new(list, ctl_json_decision(d))) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

/* "2026-01-31T12:00:00.123Z" */
static json_t *time_json(int64_t unix_ms)
{
	time_t s = (time_t)(unix_ms / 1000);
	char text[40], all[48];
	struct tm tm;

	if (!gmtime_r(&s, &tm) || strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
		return json_null();
	}
	(void)snprintf(all, sizeof(all), "%s.%03uZ", text, (unsigned)(unix_ms % 1000));
	return json_string(all);
}

static void add_call(void *arg, const struct proxy_why *why)
{
	struct rows *rows = arg;
	json_t *one = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f}", "time",
	                        time_json(why->unix_ms), "method", ctl_json_str(why->method), "uri",
	                        ctl_json_str(why->uri), "from", ctl_json_str(why->from), "source",
	                        ctl_json_str(why->source), "call_id", ctl_json_str(why->call_id),
	                        "status",
	                        why->final_status ? json_integer(why->final_status) : json_null(),
	                        "took", (double)why->took_ms / 1000);

	if (one && rows->with_decisions &&
	    !ctl_json_set(one, "decisions", decisions_json(why->first))) {
		json_decref(one);
		one = NULL;
	}
	rows->failed = json_array_append_new(rows->list, one) != 0 || rows->failed;
}

static bool calls_of(struct worker *w, struct ctl_env *env, struct ctl_call *call, json_t *list)
{
	struct str call_id = ctl_call_param(call, "call_id");
	struct rows rows = { .list = list, .with_decisions = call_id.n > 0 };

	proxy_why(env->proxies[w->id], call_id, add_call, &rows);
	return !rows.failed;
}

/* Oldest first; the time's text sorts as the time does. Each worker told its newest first. */
static json_t *sorted(json_t *rows)
{
	json_t *out = json_array();

	for (size_t i = json_array_size(rows), k; i-- > 0;) {
		json_t *row = json_array_get(rows, i);
		const char *at = json_string_value(json_object_get(row, "time"));

		for (k = json_array_size(out); k > 0; k--) {
			const json_t *before = json_array_get(out, k - 1);
			const char *then = json_string_value(json_object_get(before, "time"));

			if (!at || !then || strcmp(then, at) <= 0) {
				break;
			}
		}
		if (json_array_insert(out, k, row)) {
			json_decref(out);
			return NULL;
		}
	}
	return out;
}

static void told(struct ctl_call *call, struct ctl_env *env, json_t *rows)
{
	json_t *out;

	if (json_array_size(rows) == 0 && ctl_call_has(call, "call_id")) {
		json_decref(rows);
		ctl_call_fail(call, CTL_EFAILED,
		              "no call with this Call-ID among the last %d "
		              "(server.trace_ring) and those in progress",
		              env->conf->server.trace_ring);
		return;
	}
	out = sorted(rows);
	json_decref(rows);
	ctl_call_reply(call, out ? json_pack("{s:o}", "calls", out) : NULL);
}

static void run_why(struct ctl_call *call, struct ctl_env *env)
{
	const json_t *call_id = json_object_get(call->req.params, "call_id");

	/* Workers read it at the same time: no number that would have to be made text there. */
	if (call_id && !json_is_string(call_id)) {
		ctl_call_fail(call, CTL_EPARAMS, "CALL-ID wants a text");
		return;
	}
	ctl_gather(call, env, NULL, calls_of, told);
}

const struct ctl_command ctl_why_commands[] = {
	{ "why", "[CALL-ID]",
	  "what was decided for a call, in progress or recent; or which there are",
	  "decisions/at rule text", CTL_READS, run_why },
	{ 0 },
};
