/* SPDX-License-Identifier: Apache-2.0 */
/* transactions. */
#include "ctl/gather.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "transaction/transaction.h"

struct rows {
	json_t *list;
	unsigned worker;
	bool failed;
};

static void add_txn(void *arg, const struct txn_info *info)
{
	struct rows *rows = arg;
	char remote[NET_ADDR_TEXT];
	json_t *one = json_pack("{s:s, s:o, s:s, s:i, s:f, s:o, s:o, s:o, s:o, s:o, s:i}", "side",
	                        info->is_server ? "server" : "client", "method",
	                        ctl_json_str(info->method), "state", info->state, "status",
	                        info->status, "age", (double)info->age_ms / 1000, "transport",
	                        ctl_json_str(tp_proto_param(info->flow.proto)), "peer",
	                        ctl_json_str(net_addr_text(&info->flow.remote, remote)), "uri",
	                        ctl_json_uri(info->ruri), "call_id", ctl_json_str(info->call_id),
	                        "branch", ctl_json_str(info->branch), "worker", (int)rows->worker);

	rows->failed = json_array_append_new(rows->list, one) != 0 || rows->failed;
}

static bool txns_of(struct worker *w, struct ctl_env *env, struct ctl_call *call, json_t *list)
{
	struct rows rows = { .list = list, .worker = w->id };

	(void)call;
	txn_layer_each(env->txns[w->id], add_txn, &rows);
	return !rows.failed;
}

static void run_transactions(struct ctl_call *call, struct ctl_env *env)
{
	ctl_gather(call, env, "transactions", txns_of, NULL);
}

const struct ctl_command ctl_transaction_commands[] = {
	{ "transactions", "", "live transactions",
	  "side method state status age transport peer uri call_id", false, run_transactions },
	{ 0 },
};
