/* SPDX-License-Identifier: Apache-2.0 */
/* The hooks `packet` and `flow`, answers to packets, requests of a module's own. */
#include "module/internal.h"

#include <errno.h>
#include <stdlib.h>

static enum tp_verdict on_packet(void *arg, struct str data, const struct tp_flow *from)
{
	struct module_worker *mw = arg;
	const struct hook_table *t = mw->table;
	char source[NET_ADDR_TEXT];
	struct belfry_packet pkt = {
		.data = data,
		.source = net_addr_text(&from->remote, source),
		.proto = (enum belfry_proto)from->proto,
		.flow = from,
	};

	for (size_t i = 0; i < t->n[BELFRY_H_PACKET]; i++) {
		const struct hook_entry *e = &t->v[BELFRY_H_PACKET][i];

		mod_enter(e->mod, NULL);
		if (e->fn.packet(&pkt, e->mod) == BELFRY_DONE) {
			return TP_DONE;
		}
	}
	return TP_CONTINUE;
}

static void on_flow(void *arg, const struct tp_flow *flow, bool up)
{
	struct module_worker *mw = arg;
	const struct hook_table *t = mw->table;

	for (size_t i = 0; i < t->n[BELFRY_H_FLOW]; i++) {
		const struct hook_entry *e = &t->v[BELFRY_H_FLOW][i];

		mod_enter(e->mod, NULL);
		e->fn.flow(flow, up, e->mod);
	}
}

void module_packets_begin(struct module_worker *mw)
{
	const struct proxy_wire_hooks wire = { .packet = on_packet, .flow = on_flow, .arg = mw };

	proxy_set_wire_hooks(mw->proxy, &wire);
}

struct raw { /* lives until it has been sent */
	struct job job;
	struct iovec iov;
	char data[];
};

static void raw_free(struct job *job, void *ctx)
{
	(void)ctx;
	free(container_of(job, struct raw, job));
}

int belfry_send_raw(struct belfry_mod *mod, const void *flow, struct str data)
{
	struct raw *raw = malloc(sizeof(*raw) + data.n);
	struct tp_flow to = *(const struct tp_flow *)flow;
	struct sip_out out;
	int ret;

	if (!raw) {
		return -ENOMEM;
	}
	raw->job.run = raw_free;
	memcpy(raw->data, data.p, data.n);
	raw->iov = (struct iovec){ .iov_base = raw->data, .iov_len = data.n };
	out = (struct sip_out){ .iov = &raw->iov, .iov_n = 1, .len = data.n };
	ret = transport_send(mod->mw->transport, &to, false, &out);
	worker_reap(mod->mw->worker, &raw->job);
	return ret;
}

/* --- requests of our own --- */

struct own {
	struct belfry_mod *mod;
	belfry_response_cb *cb;
	void *arg;
};

static void own_answered(void *arg, int err, const struct sip_msg *resp)
{
	struct own own = *(struct own *)arg;

	free(arg);
	mod_enter(own.mod, NULL);
	own.cb(own.mod, err, resp, own.arg);
}

int belfry_send_request(struct belfry_mod *mod, const struct belfry_own_request *r,
                        belfry_response_cb *cb, void *arg)
{
	const struct proxy_own_request request = {
		.method = str_from(r->method),
		.uri = r->uri,
		.from_uri = r->from_uri,
		.to_uri = r->to_uri,
		.headers = r->headers,
		.body = r->body,
	};
	struct own *own = malloc(sizeof(*own));
	int ret;

	if (!own) {
		return -ENOMEM;
	}
	*own = (struct own){ .mod = mod, .cb = cb, .arg = arg };
	ret = proxy_send_request(mod->mw->proxy, &request, own_answered, own);
	if (ret < 0) {
		free(own);
	}
	return ret;
}
