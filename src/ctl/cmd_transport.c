/* SPDX-License-Identifier: Apache-2.0 */
/* connections. */
#include "ctl/gather.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "transport/transport.h"

struct rows {
	json_t *list;
	unsigned worker;
	bool failed;
};

static void add_conn(void *arg, const struct tp_conn_info *info)
{
	struct rows *rows = arg;
	char remote[NET_ADDR_TEXT], local[NET_ADDR_TEXT];
	const struct tp_listener *l = info->flow.listener;
	json_t *one =
		json_pack("{s:o, s:o, s:o, s:s, s:s, s:f, s:f, s:I, s:i}", "transport",
	                  ctl_json_str(tp_proto_param(info->flow.proto)), "remote",
	                  ctl_json_str(net_addr_text(&info->flow.remote, remote)), "local",
	                  l ? ctl_json_str(net_addr_text(&l->addr, local)) : json_null(), "state",
	                  info->state, "opened_by", info->flow.accepted ? "peer" : "us", "age",
	                  (double)info->age_ms / 1000, "idle", (double)info->idle_ms / 1000,
	                  "queued", (json_int_t)info->queued, "worker", (int)rows->worker);

	rows->failed = json_array_append_new(rows->list, one) != 0 || rows->failed;
}

static bool conns_of(struct worker *w, struct ctl_env *env, struct ctl_call *call, json_t *list)
{
	struct rows rows = { .list = list, .worker = w->id };

	(void)call;
	transport_each_conn(transport_get(env->transports, w->id), add_conn, &rows);
	return !rows.failed;
}

static void run_connections(struct ctl_call *call, struct ctl_env *env)
{
	ctl_gather(call, env, "connections", conns_of, NULL);
}

const struct ctl_command ctl_transport_commands[] = {
	{ "connections", "", "stream connections with their age and what waits to be sent",
	  "transport remote local state opened_by age idle queued worker", false, run_connections },
	{ 0 },
};
