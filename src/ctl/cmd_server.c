/* SPDX-License-Identifier: Apache-2.0 */
/* status, stats, reload, drain, stop, modules, log-level, commands. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/call.h"
#include "ctl/gather.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "location/location.h"
#include "module/core.h"
#include "store/store.h"
#include "transaction/transaction.h"
#include "transport/transport.h"
#include "util/log.h"

static uint64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static json_t *empty(void)
{
	return json_object();
}

/* --- status -------------------------------------------------------------------------------------
 */

static void count_conn(void *arg, const struct tp_conn_info *info)
{
	(void)info;
	++*(json_int_t *)arg;
}

/* [transactions, connections, lag in us] of a worker. */
static bool status_of(struct worker *w, struct ctl_env *env, struct ctl_call *call, json_t *rows)
{
	json_int_t txns = 0, conns = 0;

	(void)call;
	if (env->txns) {
		txns = (json_int_t)txn_layer_counts(env->txns[w->id]).server_open;
	}
	if (env->transports) {
		transport_each_conn(transport_get(env->transports, w->id), count_conn, &conns);
	}
	return json_array_append_new(rows, json_pack("[I, I, I]", txns, conns,
	                                             (json_int_t)worker_lag_us(w))) == 0;
}

static json_t *listeners_json(struct ctl_env *env)
{
	json_t *list = json_array();
	const struct tp_listener *l;
	char text[NET_ADDR_TEXT];

	for (size_t i = 0; env->transports && list && (l = transport_listener(env->transports, i));
	     i++) {
		struct str proto = tp_proto_param(l->proto), addr = net_addr_text(&l->addr, text);
		json_t *one = json_pack("{s:s%, s:s%}", "transport", proto.p, proto.n, "address",
		                        addr.p, addr.n);

		if (json_array_append_new(list, one)) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

static json_t *reload_json(const struct ctl_env *env)
{
	if (env->last_reload.unix_s == 0) {
		return json_null();
	}
	return json_pack("{s:I, s:b, s:s*}", "time", (json_int_t)env->last_reload.unix_s, "ok",
	                 env->last_reload.error == NULL, "error", env->last_reload.error);
}

static json_t *sums_json(const json_t *rows)
{
	json_int_t sum[2] = { 0, 0 }, lag = 0;
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		json_int_t us = json_integer_value(json_array_get(row, 2));

		sum[0] += json_integer_value(json_array_get(row, 0));
		sum[1] += json_integer_value(json_array_get(row, 1));
		lag = us > lag ? us : lag;
	}
	return json_pack("{s:I, s:I, s:f}", "transactions", sum[0], "connections", sum[1],
	                 "loop_lag", (double)lag * 1e-6);
}

static void status_done(struct ctl_call *call, struct ctl_env *env, json_t *rows)
{
	char health[256];
	struct str store =
		env->store ? store_health(env->store, health, sizeof(health)) : STR("none");
	json_t *sums = sums_json(rows), *out = NULL;
	bool ok;

	json_decref(rows);
	if (sums) {
		out = json_pack("{s:s, s:I, s:i, s:b, s:b}", "version", PACKAGE_VERSION, "uptime",
		                (json_int_t)((now_ms() - env->started_ms) / 1000), "workers",
		                (int)workers_n(env->workers), "ready", env->is_ready, "draining",
		                env->is_draining);
	}
	ok = out &&
	     ctl_json_set(out, "bindings",
	                  json_integer(env->location ? (json_int_t)loc_count(env->location) : 0)) &&
	     json_object_update(out, sums) == 0 &&
	     ctl_json_set(out, "store", ctl_json_str(store)) &&
	     ctl_json_set(out, "listeners", listeners_json(env)) &&
	     ctl_json_set(out, "last_reload", reload_json(env));
	json_decref(sums);
	if (!ok) {
		json_decref(out);
		out = NULL;
	}
	ctl_call_reply(call, out);
}

static void run_status(struct ctl_call *call, struct ctl_env *env)
{
	ctl_gather(call, env, NULL, status_of, status_done);
}

/* --- stats --------------------------------------------------------------------------------------
 */

struct stats {
	json_t *list;
	struct str prefix;
	bool failed;
};

static void add_counter(void *arg, const struct counter_def *def, const char *name,
                        const char *labels, double value)
{
	struct stats *st = arg;
	json_t *v, *one;

	(void)def;
	if (!str_starts(str_from(name), st->prefix)) {
		return;
	}
	v = value == (double)(json_int_t)value ? json_integer((json_int_t)value) : json_real(value);
	one = json_pack("{s:s, s:s, s:o}", "name", name, "labels", labels ? labels : "", "value",
	                v);
	st->failed = json_array_append_new(st->list, one) != 0 || st->failed;
}

static void run_stats(struct ctl_call *call, struct ctl_env *env)
{
	struct stats st = { .list = json_array(), .prefix = ctl_call_param(call, "prefix") };
	struct str full = STR("belfry_");
	char name[128];

	if (st.prefix.n > 0 && !str_starts(st.prefix, full) &&
	    st.prefix.n + full.n < sizeof(name)) {
		memcpy(name, full.p, full.n);
		memcpy(name + full.n, st.prefix.p, st.prefix.n);
		st.prefix = str_make(name, full.n + st.prefix.n);
	}
	if (st.list) {
		counters_each(env->counters, add_counter, &st);
	}
	if (!st.list || st.failed) {
		json_decref(st.list);
		ctl_call_reply(call, NULL);
		return;
	}
	ctl_call_reply(call, json_pack("{s:o}", "counters", st.list));
}

/* --- the process --------------------------------------------------------------------------------
 */

/* What is doubtful in the settings of now; NULL: nothing, or no memory. */
static json_t *warnings_json(const struct conf *conf)
{
	json_t *list = conf && conf->warnings_n > 0 ? json_array() : NULL;

	for (size_t i = 0; list && i < conf->warnings_n; i++) {
		(void)json_array_append_new(list, ctl_json_str(conf->warnings[i]));
	}
	return list;
}

static void reload_done(const char *error, void *arg)
{
	struct ctl_call *call = arg;

	if (error) {
		ctl_call_fail(call, CTL_EFAILED, "%s", error);
	} else {
		ctl_call_reply(call,
		               json_pack("{s:o*}", "warnings", warnings_json(call->env->conf)));
	}
}

static void run_reload(struct ctl_call *call, struct ctl_env *env)
{
	call->env = env;
	env->reload(env->arg, reload_done, call);
}

static void run_drain(struct ctl_call *call, struct ctl_env *env)
{
	ctl_call_reply(call, empty());
	env->stop(env->arg, false);
}

static void run_stop(struct ctl_call *call, struct ctl_env *env)
{
	ctl_call_reply(call, empty());
	env->stop(env->arg, true);
}

static void run_log_level(struct ctl_call *call, struct ctl_env *env)
{
	enum log_level level;
	struct str name = ctl_call_param(call, "level");

	(void)env;
	if (log_level_parse(name, &level)) {
		ctl_call_fail(call, CTL_EFAILED,
		              "unknown level \"%.*s\"; use debug, info, notice, warning or error",
		              (int)(name.n < 40 ? name.n : 40), name.p);
		return;
	}
	log_set_level(level);
	ctl_call_reply(call, json_pack("{s:s}", "level", log_level_name(level)));
}

static void add_module(void *arg, const struct module_info *info)
{
	json_t **list = arg;
	json_t *one = json_pack("{s:o, s:o, s:b, s:o}", "name", ctl_json_str(info->name), "version",
	                        ctl_json_str(info->version), "enabled", info->enabled, "hooks",
	                        ctl_json_str(info->hooks));

	if (*list && json_array_append_new(*list, one)) {
		json_decref(*list);
		*list = NULL;
	}
}

static void run_modules(struct ctl_call *call, struct ctl_env *env)
{
	json_t *list = json_array();

	if (env->core && list) {
		module_core_each(env->core, add_module, &list);
	}
	ctl_call_reply(call, list ? json_pack("{s:o}", "modules", list) : NULL);
}

static void run_commands(struct ctl_call *call, struct ctl_env *env)
{
	ctl_call_reply(call, ctl_entries_json(env));
}

const struct ctl_command ctl_server_commands[] = {
	{ "status", "",
	  "version, uptime, workers, listeners, bindings, transactions, store, last reload", NULL,
	  false, run_status },
	{ "stats", "[PREFIX]", "counters, or those whose names begin so", "name{labels} value",
	  false, run_stats },
	{ "reload", "", "read the configuration again; what is wrong is told and changes nothing",
	  NULL, true, run_reload },
	{ "drain", "", "take no new calls, let transactions finish, then end", NULL, true,
	  run_drain },
	{ "stop", "", "end at once", NULL, true, run_stop },
	{ "modules", "", "modules with their versions and hooks", NULL, false, run_modules },
	{ "log-level", "LEVEL", "change the log level: debug, info, notice, warning, error", NULL,
	  true, run_log_level },
	{ "commands", "", "this table", "usage help", false, run_commands },
	{ 0 },
};
