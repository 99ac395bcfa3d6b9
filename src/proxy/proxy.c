/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/proxy.h"

#include "proxy/core.h"

#include <errno.h>
#include <stdlib.h>

static const char *const refusals[REFUSED_N] = {
	[REFUSED_SYNTAX] = "reason=\"syntax\"",
	[REFUSED_SCHEME] = "reason=\"scheme\"",
	[REFUSED_MAX_FORWARDS] = "reason=\"max_forwards\"",
	[REFUSED_LOOP] = "reason=\"loop\"",
	[REFUSED_EXTENSION] = "reason=\"extension\"",
	[REFUSED_METHOD] = "reason=\"method\"",
	[REFUSED_RELAY] = "reason=\"relay\"",
	[REFUSED_RULE] = "reason=\"rule\"",
	[REFUSED_NOT_FOUND] = "reason=\"not_found\"",
	[REFUSED_UNAVAILABLE] = "reason=\"unavailable\"",
	[REFUSED_MAX_BREADTH] = "reason=\"max_breadth\"",
	[REFUSED_MAX_CALLS] = "reason=\"max_calls\"",
	[REFUSED_OVERLOAD] = "reason=\"overload\"",
	[REFUSED_DRAIN] = "reason=\"drain\"",
	[REFUSED_ERROR] = "reason=\"error\"",
};

void proxy_count(struct proxy *p, int id)
{
	counter_inc(p->w->counts, id);
}

static int register_one(struct proxy *p, const struct counter_def *def, int *id_r)
{
	int id = counters_register(p->w->counters, def);

	if (id < 0) {
		return id;
	}
	*id_r = id;
	return 0;
}

static int register_counters(struct proxy *p)
{
	static const double bounds[] = { 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30 };
	const struct counter_def setup = {
		.type = COUNTER_HISTOGRAM,
		.name = "belfry_call_setup_seconds",
		.help = "INVITE to first 18x or 2xx, in seconds",
		.bounds = bounds,
		.bounds_n = sizeof(bounds) / sizeof(bounds[0]),
		.scale = 1e-6,
	};
	const struct counter_def redirected = {
		.type = COUNTER_COUNTER,
		.name = "belfry_redirected_total",
		.help = "Requests answered with 302 by a route rule",
	};
	const struct counter_def failovers = {
		.type = COUNTER_COUNTER,
		.name = "belfry_failovers_total",
		.help = "Attempts that failed and were followed by one to another next hop",
	};
	struct counter_def rejected = {
		.type = COUNTER_COUNTER,
		.name = "belfry_rejected_total",
		.help = "Requests, messages and connections refused, by reason",
	};
	int err = register_one(p, &setup, &p->ids.setup);

	err = err ? err : register_one(p, &redirected, &p->ids.redirected);
	err = err ? err : register_one(p, &failovers, &p->ids.failovers);
	for (int i = 0; i < REFUSED_N && err == 0; i++) {
		rejected.labels = refusals[i];
		err = register_one(p, &rejected, &p->ids.rejected[i]);
	}
	return err;
}

static int register_timers(struct proxy *p)
{
	struct timers *ts = p->w->timers;

	p->ids.timer_c = timers_kind(ts, proxy_timer_c, p);
	p->ids.wait = timers_kind(ts, proxy_wait_timer, p);
	p->ids.probe = timers_kind(ts, proxy_probe_timer, p);
	return p->ids.timer_c < 0 || p->ids.wait < 0 || p->ids.probe < 0 ? -ENOSPC : 0;
}

/* Branches and requests of our own differ by what their struct begins with. */
static void on_response(void *user, struct txn_client *ct, struct sip_msg *resp)
{
	(*(const struct client_ops *const *)user)->response(user, ct, resp);
}

static void on_failed(void *user, struct txn_client *ct, int err)
{
	(*(const struct client_ops *const *)user)->failed(user, ct, err);
}

static void on_client_end(void *user, struct txn_client *ct)
{
	(*(const struct client_ops *const *)user)->client_end(user, ct);
}

static void set_user(struct proxy *p)
{
	const struct txn_user user = {
		.request = proxy_on_request,
		.cancelled = proxy_on_cancelled,
		.server_end = proxy_on_server_end,
		.response = on_response,
		.failed = on_failed,
		.client_end = on_client_end,
		.packet = proxy_on_packet,
		.flow = proxy_on_flow,
		.in_use = proxy_on_in_use,
		.arg = p,
	};

	txn_layer_set_user(p->txns, &user);
}

static void set_keys(struct proxy *p, const struct proxy_params *params)
{
	for (int i = 0; i < 2; i++) {
		p->dialog_key[i] = params->dialog_key[i];
	}
	if (p->dialog_key[0] == NULL) {
		random_key(&p->spare_key, sizeof(p->spare_key));
		p->dialog_key[0] = &p->spare_key;
	}
	for (int i = 0; i < 2; i++) {
		if (p->dialog_key[i]) {
			p->dialog_key_id[i] =
				(uint8_t)hash_mac64(p->dialog_key[i], STR("record-route key"));
		}
	}
}

int proxy_follow_settings(struct proxy *p)
{
	int err;

	if (p->wc == p->w->conf) {
		return 0;
	}
	err = proxy_names_update(p);
	err = err ? err : proxy_trunks_update(p);
	err = err ? err : proxy_ring_update(p);
	if (err == 0) {
		if (p->wc) {
			worker_conf_unref(&p->wc);
		}
		p->wc = worker_conf_ref(p->w);
	}
	return err;
}

int proxy_new(const struct proxy_params *params, struct proxy **p_r)
{
	struct proxy *p = calloc(1, sizeof(*p));
	int err;

	if (p == NULL) {
		return -ENOMEM;
	}
	p->w = params->worker;
	p->tp = params->transport;
	p->tg = params->transports ? params->transports : transport_group_of(params->transport);
	p->txns = params->txns;
	p->dns = params->dns;
	p->location = params->location;
	p->subs = params->subscribers;
	p->hooks = &p->no_hooks;
	p->shared = params->shared;
	set_keys(p, params);
	list_init(&p->live);
	list_init(&p->own);
	slab_init(&p->reqs, sizeof(struct belfry_req));
	slab_init(&p->branches, sizeof(struct belfry_branch));
	err = register_counters(p);
	err = err ? err : register_timers(p);
	err = err ? err : proxy_follow_settings(p);
	if (err) {
		proxy_free(p);
		return err;
	}
	set_user(p);
	*p_r = p;
	return 0;
}

void proxy_free(struct proxy *p)
{
	if (p == NULL) {
		return;
	}
	proxy_reqs_free(p);
	proxy_own_free(p);
	proxy_ring_free(p);
	proxy_trunks_free(p);
	proxy_names_free(p);
	if (p->wc) {
		worker_conf_unref(&p->wc);
	}
	slab_fini(&p->reqs);
	slab_fini(&p->branches);
	free(p);
}

void proxy_set_hooks(struct proxy *p, struct hook_table *hooks)
{
	proxy_follow_settings(p); /* a reload: now, not with the next request */
	p->hooks = hooks ? hooks : &p->no_hooks;
}

bool proxy_hooks_in_use(const struct proxy *p, const struct hook_table *hooks)
{
	if (p->hooks == hooks) {
		return true;
	}
	list_for_each(it, &p->live)
	{
		if (container_of(it, struct belfry_req, node)->hooks == hooks) {
			return true;
		}
	}
	return false;
}

void proxy_set_wire_hooks(struct proxy *p, const struct proxy_wire_hooks *wire)
{
	p->wire = *wire;
}

enum tp_verdict proxy_on_packet(void *arg, struct str data, const struct tp_flow *from)
{
	struct proxy *p = arg;

	return p->wire.packet ? p->wire.packet(p->wire.arg, data, from) : TP_CONTINUE;
}

bool proxy_on_in_use(void *arg, const struct tp_flow *flow)
{
	struct proxy *p = arg;

	return p->wire.in_use && p->wire.in_use(p->wire.arg, flow);
}

void proxy_set_draining(struct proxy *p, bool on)
{
	p->draining = on;
}

size_t proxy_open_requests(const struct proxy *p)
{
	return p->open_n;
}
