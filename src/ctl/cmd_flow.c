/* SPDX-License-Identifier: Apache-2.0 */
/* flows: the paths to phones (RFC 5626) that bindings use, streams with their age and activity. */
#include <stdio.h>

#include "ctl/gather.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "location/location.h"
#include "transport/transport.h"

/* "tcp:192.0.2.1:5060" and the connection's number, by which rows are put together. */
static void flow_key(const struct tp_flow *f, char out[NET_ADDR_TEXT + 40])
{
	char text[NET_ADDR_TEXT];
	struct str proto = tp_proto_param(f->proto), addr = net_addr_text(&f->remote, text);

	(void)snprintf(out, NET_ADDR_TEXT + 40, "%.*s:%.*s/%llx", STR_FMT(proto), STR_FMT(addr),
	               (unsigned long long)f->conn);
}

struct rows {
	json_t *list;
	bool failed;
};

static void add_conn(void *arg, const struct tp_conn_info *info)
{
	struct rows *rows = arg;
	char key[NET_ADDR_TEXT + 40];

	flow_key(&info->flow, key);
	rows->failed =
		json_array_append_new(rows->list,
	                              json_pack("[s, f, f]", key, (double)info->age_ms / 1000,
	                                        (double)info->idle_ms / 1000)) != 0 ||
		rows->failed;
}

static bool conns_of(struct worker *w, struct ctl_env *env, struct ctl_call *call, json_t *list)
{
	struct rows rows = { .list = list };

	(void)call;
	transport_each_conn(transport_get(env->transports, w->id), add_conn, &rows);
	return !rows.failed;
}

struct flows {
	struct ctl_env *env;
	json_t *by_key; /* of rows */
	json_t *conns;  /* of [age, idle] by key */
	bool failed;
};

static bool is_live(const struct flows *fs, const struct loc_binding *b)
{
	return b->has_flow && !b->flow_dead &&
	       (!b->flow.conn || transport_flow_is_alive(fs->env->transports, &b->flow));
}

static json_t *row_new(const struct flows *fs, const struct tp_flow *f, const char *key)
{
	char remote[NET_ADDR_TEXT], local[NET_ADDR_TEXT];
	const json_t *conn = json_object_get(fs->conns, key);
	const struct net_addr *at = f->local.family ? &f->local
	                            : f->listener   ? &f->listener->addr
	                                            : NULL;

	return json_pack("{s:o, s:o, s:o, s:s, s:o, s:o, s:[]}", "transport",
	                 ctl_json_str(tp_proto_param(f->proto)), "remote",
	                 ctl_json_str(net_addr_text(&f->remote, remote)), "local",
	                 at ? ctl_json_str(net_addr_text(at, local)) : json_null(), "kind",
	                 f->conn ? "stream" : "datagram", "age",
	                 conn ? json_real(json_real_value(json_array_get(conn, 1))) : json_null(),
	                 "idle",
	                 conn ? json_real(json_real_value(json_array_get(conn, 2))) : json_null(),
	                 "aors");
}

static bool add_binding(struct flows *fs, const struct tp_flow *f, struct str aor)
{
	char key[NET_ADDR_TEXT + 40], sip[SIP_AOR_MAX + 8];
	json_t *row, *aors;

	flow_key(f, key);
	row = json_object_get(fs->by_key, key);
	if (!row) {
		row = row_new(fs, f, key);
		if (!ctl_json_set(fs->by_key, key, row)) {
			return false;
		}
	}
	(void)snprintf(sip, sizeof(sip), "sip:%.*s", STR_FMT(aor));
	aors = json_object_get(row, "aors");
	return json_array_append_new(aors, ctl_json_str(str_from(sip))) == 0;
}

static bool add_set(void *arg, struct loc_set *set)
{
	struct flows *fs = arg;
	struct loc_binding b;

	for (size_t i = 0; !fs->failed && i < loc_set_n(set); i++) {
		loc_set_get(set, i, &b);
		if (is_live(fs, &b)) {
			fs->failed = !add_binding(fs, &b.flow, loc_set_aor(set));
		}
	}
	return !fs->failed;
}

/* Rows [key, age, idle] as an object by key. NULL: out of memory. */
static json_t *by_key(const json_t *rows)
{
	json_t *out = json_object(), *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		const char *key = json_string_value(json_array_get(row, 0));

		if (out && json_object_set(out, key, row)) {
			json_decref(out);
			out = NULL;
		}
	}
	return out;
}

static json_t *values(json_t *object)
{
	json_t *out = json_array(), *v;
	const char *key;

	json_object_foreach(object, key, v)
	{
		if (out && json_array_append(out, v)) {
			json_decref(out);
			out = NULL;
		}
	}
	return out;
}

static void gathered(struct ctl_call *call, struct ctl_env *env, json_t *rows)
{
	struct flows fs = { .env = env, .by_key = json_object(), .conns = by_key(rows) };
	json_t *list = NULL;

	fs.failed = !fs.by_key || !fs.conns;
	if (!fs.failed) {
		loc_each(env->location, add_set, &fs);
	}
	if (!fs.failed) {
		list = values(fs.by_key);
	}
	json_decref(rows);
	json_decref(fs.by_key);
	json_decref(fs.conns);
	ctl_call_reply(call, list ? json_pack("{s:o}", "flows", list) : NULL);
}

static void run_flows(struct ctl_call *call, struct ctl_env *env)
{
	ctl_gather(call, env, NULL, conns_of, gathered);
}

const struct ctl_command ctl_flow_commands[] = {
	{ "flows", "", "live flows that bindings use; age and idle time of streams",
	  "transport remote local kind age idle aors", CTL_READS, run_flows },
	{ 0 },
};
