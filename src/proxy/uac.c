/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of our own (RFC 3261 8.1): out of dialog, one final response or an error by callback. */
#include "proxy/core.h"
#include "util/base64.h"

#include <errno.h>
#include <stdlib.h>

struct own_request {
	const struct client_ops *ops;
	struct list node; /* of p->own */
	struct proxy *p;
	struct sip_msg *msg; /* has a Via of no use, which is replaced */
	struct txn_client *ct;
	struct sip_uri next_hop;
	struct dns_query *query;
	struct dns_target *hops, numeric;
	size_t hops_n, hop_i;
	struct job job; /* an error that is told later */
	int err;
	bool is_queued, over;
	proxy_own_cb *cb;
	void *arg;
};

static void own_free(struct own_request *r)
{
	if (r->query) {
		dns_cancel(&r->query);
	}
	if (r->ct) {
		txn_client_drop(&r->ct);
	}
	list_del(&r->node);
	sip_msg_unref(&r->msg);
	free(r);
}

static void finish(struct own_request *r, int err, const struct sip_msg *resp)
{
	proxy_own_cb *cb = r->cb;
	void *arg = r->arg;

	if (cb) {
		cb(arg, err, resp);
	}
	own_free(r);
}

static void run_later(struct job *job, void *ctx)
{
	struct own_request *r = container_of(job, struct own_request, job);

	(void)ctx;
	if (r->over) { /* the proxy has gone */
		free(r);
		return;
	}
	r->is_queued = false;
	finish(r, r->err, NULL);
}

static void fail_later(struct own_request *r, int err)
{
	r->err = err;
	r->is_queued = true;
	r->job.run = run_later;
	worker_run(r->p->w, WORKER_CLASS_NORMAL, &r->job);
}

static struct str own_via(struct own_request *r, const struct tp_flow *flow)
{
	return arena_printf(&r->msg->arena, "Via: %.*s;branch=%.*s\r\n",
	                    STR_FMT(flow->listener->via_prefix), STR_FMT(txn_client_branch(r->ct)));
}

static int send_by(struct own_request *r, const struct tp_flow *flow)
{
	struct txn_client_start start = { .flow = *flow, .max_forwards = 70 };
	struct sip_edits edits;
	int err = txn_client_new(r->p->txns, r->msg, 0, r, &r->ct);

	if (err) {
		r->ct = NULL;
		return err;
	}
	start.via_line = own_via(r, flow);
	start.ruri = r->msg->ruri_text;
	sip_edits_init(&edits, r->msg, &r->msg->arena);
	sip_edit_remove_top_via(&edits);
	sip_edit_splice(&edits, r->msg->headers_off, 0, start.via_line);
	start.edits = &edits;
	err = start.via_line.n > 0 ? txn_client_start(r->ct, &start) : -ENOMEM;
	if (err) {
		txn_client_drop(&r->ct);
		r->ct = NULL;
	}
	return err;
}

/* 0: under way. */
static int next_hop(struct own_request *r)
{
	int err = BELFRY_EUNREACH;

	for (; r->hop_i < r->hops_n; r->hop_i++) {
		const struct dns_target *hop = &r->hops[r->hop_i];
		struct tp_flow flow;

		err = transport_pick(r->p->tp, hop->proto, &hop->addr, NULL, &flow);
		err = err ? err : send_by(r, &flow);
		if (err == 0) {
			return 0;
		}
	}
	return err;
}

static void on_answer(int err, const struct dns_answer *answer, void *arg)
{
	struct own_request *r = arg;

	r->query = NULL;
	r->hops_n = r->hop_i = 0;
	if (err == 0) {
		r->hops = arena_alloc(&r->msg->arena, answer->n * sizeof(*r->hops) + 1);
		for (size_t i = 0; r->hops && i < answer->n; i++) {
			r->hops[r->hops_n] = answer->v[i];
			r->hops[r->hops_n++].name = arena_str(&r->msg->arena, answer->v[i].name);
		}
		err = next_hop(r);
	}
	if (err) {
		finish(r, err, NULL);
	}
}

static int resolve(struct own_request *r)
{
	bool sips = r->next_hop.scheme == SIP_URI_SIPS;
	struct dns_ask ask = { .uri = &r->next_hop,
		               .sips = sips,
		               .have_protos = proxy_have_protos(r->p->w->conf->conf) };
	struct dns_answer answer = { 0 };
	int err;

	if (proxy_numeric_hop(&r->next_hop, sips, &r->numeric)) {
		r->hops = &r->numeric;
		r->hops_n = 1;
		return next_hop(r);
	}
	if (r->p->dns == NULL) {
		return BELFRY_ENOENT;
	}
	err = dns_resolve(r->p->dns, &ask, &r->msg->arena, &answer, on_answer, r, &r->query);
	if (err == BELFRY_WAIT) {
		return 0;
	}
	if (err) {
		return err;
	}
	r->hops = answer.v;
	r->hops_n = answer.n;
	return next_hop(r);
}

static void on_response(void *user, struct txn_client *ct, struct sip_msg *resp)
{
	struct own_request *r = user;

	(void)ct;
	if (resp->status >= 200) {
		finish(r, 0, resp);
	}
}

static void on_failed(void *user, struct txn_client *ct, int err)
{
	struct own_request *r = user;

	(void)ct;
	txn_client_drop(&r->ct);
	r->ct = NULL;
	if (r->p->dns) {
		dns_mark_failed(r->p->dns, &r->hops[r->hop_i], 0);
	}
	r->hop_i++;
	if (err == BELFRY_ETIMEOUT || next_hop(r)) {
		finish(r, err, NULL);
	}
}

static void on_client_end(void *user, struct txn_client *ct)
{
	struct own_request *r = user;

	(void)ct;
	r->ct = NULL;
}

static const struct client_ops own_ops = {
	.response = on_response,
	.failed = on_failed,
	.client_end = on_client_end,
};

static void random_text(struct proxy *p, char out[22])
{
	unsigned char raw[16];

	random_bytes(&p->w->random, raw, sizeof(raw));
	base64url_encode(out, raw, sizeof(raw));
}

static void print(struct sbuf *b, struct proxy *p, const struct proxy_own_request *r)
{
	struct str name = p->w->conf->conf->server.name;
	char tag[22], call_id[22];

	random_text(p, tag);
	random_text(p, call_id);
	sbuf_printf(b,
	            "%.*s %.*s SIP/2.0\r\nVia: SIP/2.0/UDP %.*s;branch=z9hG4bK%.22s\r\n"
	            "Max-Forwards: 70\r\nFrom: <%s%.*s>;tag=%.22s\r\nTo: <%.*s>\r\n"
	            "Call-ID: %.22s\r\nCSeq: 1 %.*s\r\n%.*sContent-Length: %zu\r\n\r\n",
	            STR_FMT(r->method), STR_FMT(r->uri), STR_FMT(name), call_id,
	            r->from_uri.n > 0 ? "" : "sip:",
	            STR_FMT(r->from_uri.n > 0 ? r->from_uri : name), tag,
	            STR_FMT(r->to_uri.n > 0 ? r->to_uri : r->uri), call_id, STR_FMT(r->method),
	            STR_FMT(r->headers), r->body.n);
	sbuf_add(b, r->body);
}

static int make_msg(struct proxy *p, const struct proxy_own_request *r, struct sip_msg **msg_r)
{
	struct str name = p->w->conf->conf->server.name;
	size_t cap = 512 + 2 * name.n + 2 * r->method.n + 2 * r->uri.n + r->from_uri.n +
	             r->to_uri.n + r->headers.n + r->body.n;
	struct msgbuf *buf = msgbuf_new(p->w->bufs, cap);
	struct sbuf b;
	int err;

	if (buf == NULL) {
		return -ENOMEM;
	}
	sbuf_init(&b, buf->data, buf->cap);
	print(&b, p, r);
	if (!sbuf_ok(&b)) {
		msgbuf_unref(&buf, p->w->bufs);
		return BELFRY_ETOOBIG;
	}
	err = sip_msg_parse(buf, b.n, 0, &p->w->arenas, p->w->bufs, msg_r);
	if (err) { /* one that could be answered all the same is there too */
		sip_msg_unref(msg_r);
	}
	return err;
}

int proxy_send_request(struct proxy *p, const struct proxy_own_request *request, proxy_own_cb *cb,
                       void *arg)
{
	struct own_request *r = calloc(1, sizeof(*r));
	struct str hop;
	int err;

	if (r == NULL) {
		return -ENOMEM;
	}
	list_init(&r->node);
	r->ops = &own_ops;
	r->p = p;
	err = make_msg(p, request, &r->msg);
	if (err) {
		free(r);
		return err;
	}
	hop = arena_str(&r->msg->arena, request->next_hop.n > 0 ? request->next_hop : request->uri);
	err = hop.n > 0 ? sip_uri_parse(hop, &r->next_hop, NULL) : -ENOMEM;
	if (err) {
		own_free(r);
		return err;
	}
	list_append(&p->own, &r->node);
	r->cb = cb;
	r->arg = arg;
	err = resolve(r);
	if (err) {
		fail_later(r, err);
	}
	return 0;
}

void proxy_own_free(struct proxy *p)
{
	while (!list_is_empty(&p->own)) {
		struct own_request *r = container_of(p->own.next, struct own_request, node);
		bool is_queued = r->is_queued;

		if (r->cb) {
			r->cb(r->arg, BELFRY_ECANCELED, NULL);
		}
		if (is_queued) { /* its job is still in the run queue */
			list_del(&r->node);
			sip_msg_unref(&r->msg);
			r->over = true;
		} else {
			own_free(r);
		}
	}
}
