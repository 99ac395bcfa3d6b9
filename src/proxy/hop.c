/* SPDX-License-Identifier: Apache-2.0 */
/* Route and next hop of a branch (RFC 3261 16.6 steps 2, 6 and 7; RFC 3263). */
#include "proxy/core.h"
#include "sip/token.h"

#include <errno.h>

/* The Route values a branch is sent with, in order. */
struct routes {
	struct str *v;
	size_t n, cap;
};

static bool add_route(struct routes *r, struct str value)
{
	if (r->n == r->cap) {
		return false;
	}
	r->v[r->n++] = value;
	return true;
}

static bool add_path(struct routes *r, struct str path)
{
	while (path.n > 0) {
		const char *end = sip_value_end(path.p, path.p + path.n);
		struct str value = str_trim(str_make(path.p, (size_t)(end - path.p)));

		path = str_skip(path, (size_t)(end - path.p));
		path = path.n > 0 ? str_skip(path, 1) : path;
		if (value.n > 0 && !add_route(r, value)) {
			return false;
		}
	}
	return true;
}

/* What is left of the request's Route behind our own values and before one that was popped. */
static bool add_rest(struct routes *r, const struct belfry_req *req)
{
	struct sip_values it;
	unsigned skip = req->route_skip;

	if (req->route.n == 0) {
		return true;
	}
	sip_values_init(&it, req->msg, SIP_H_ROUTE);
	while (sip_values_next(&it)) {
		if (skip > 0) {
			skip--;
		} else if (!add_route(r, it.value)) {
			return false;
		}
	}
	r->n -= req->route_popped ? 1 : 0;
	return true;
}

static size_t count_commas(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		n += s.p[i] == ',';
	}
	return n;
}

static size_t count_values(const struct belfry_req *req, struct str path)
{
	size_t n = count_commas(path) + 3;

	for (int i = req->msg->first[SIP_H_ROUTE]; i >= 0;
	     i = sip_msg_next(req->msg, SIP_H_ROUTE, i)) {
		n += count_commas(sip_msg_value(req->msg, i)) + 1;
	}
	return n;
}

static struct str print_routes(struct arena *arena, const struct routes *r)
{
	size_t cap = sizeof("Route: \r\n");
	struct sbuf b;
	char *space;

	for (size_t i = 0; i < r->n; i++) {
		cap += r->v[i].n + 2;
	}
	space = arena_alloc(arena, cap);
	if (space == NULL) {
		return STR_NONE;
	}
	sbuf_init(&b, space, cap);
	sbuf_add(&b, STR("Route: "));
	for (size_t i = 0; i < r->n; i++) {
		sbuf_add(&b, i > 0 ? STR(", ") : STR_NONE);
		sbuf_add(&b, r->v[i]);
	}
	sbuf_add(&b, STR("\r\n"));
	return sbuf_str(&b);
}

/* The first value is the next hop; without lr it is a strict router, which wants to find itself in
 * the Request-URI and the Request-URI at the end of Route. */
static int post_process(struct belfry_branch *br, struct routes *r)
{
	struct arena *arena = proxy_arena(br->req);
	struct sip_addr first;
	struct str lr;

	if (sip_addr_parse(r->v[0], &first, NULL)) {
		return BELFRY_EPARSE;
	}
	br->next_hop = first.uri;
	br->is_ruri = false;
	if (!sip_uri_param(&first.uri, STR("lr"), &lr)) {
		struct str last = arena_printf(arena, "<%.*s>", STR_FMT(br->request_uri));

		if (last.n == 0 || !add_route(r, last)) {
			return -ENOMEM;
		}
		note_s(br->req, "RFC 3261 16.6 (6)", "%s is a strict router", first.uri_text);
		br->request_uri = arena_str(arena, sip_uri_as_target(arena, &first.uri, NULL, 0));
		r->v++;
		r->n--;
		br->route_changed = true;
	}
	if (r->n > 0) {
		br->route_line = print_routes(arena, r);
	}
	return br->request_uri.n > 0 && (r->n == 0 || br->route_line.n > 0) ? 0 : -ENOMEM;
}

static int choose_next_hop(struct belfry_branch *br)
{
	const struct proxy_target *t = br->target;

	br->next_hop = t->uri;
	br->is_ruri = true;
	if (t->hop.n > 0) {
		br->is_ruri = false;
		return sip_uri_parse(t->hop, &br->next_hop, NULL);
	}
	if (t->conf_trunk) {
		br->is_ruri = false;
		br->order = proxy_trunk_order(br->req, t);
		return br->order ? 0 : -ENOMEM;
	}
	return 0;
}

int proxy_route(struct belfry_branch *br)
{
	struct belfry_req *req = br->req;
	const struct proxy_target *t = br->target;
	struct routes r = { 0 };
	int err = choose_next_hop(br);

	br->is_prepared = true;
	/* What is sent may be sent again when the binding it is from has been let go. */
	br->request_uri =
		t->from_location ? arena_str(proxy_arena(req), t->request_uri) : t->request_uri;
	if (br->request_uri.n == 0) {
		return -ENOMEM;
	}
	br->route_changed = req->route_skip > 0 || req->route_popped || t->path.n > 0;
	if (err || (t->path.n == 0 && req->route.n == 0)) {
		return err;
	}
	r.cap = count_values(req, t->path);
	r.v = arena_alloc(proxy_arena(req), r.cap * sizeof(*r.v));
	if (r.v == NULL || !add_path(&r, t->path) || !add_rest(&r, req)) {
		return -ENOMEM;
	}
	return r.n > 0 ? post_process(br, &r) : 0;
}

unsigned proxy_have_protos(const struct conf *conf)
{
	unsigned bits = 0;

	for (size_t i = 0; i < conf->listen_n; i++) {
		bits |= 1U << conf->listen[i].transport;
	}
	return bits ? bits : 1U << TP_UDP | 1U << TP_TCP;
}

static bool proto_named(const struct sip_uri *uri, bool sips, uint8_t *proto_r)
{
	struct str param;
	uint8_t proto = sips ? TP_TLS : TP_UDP;

	if (uri->params.n > 0 && sip_uri_param(uri, STR("transport"), &param)) {
		proto = TP_UDP;
		while (proto < TP_N && !str_eq_nocase(param, tp_proto_param(proto))) {
			proto++;
		}
		if (proto == TP_N || (sips && proto == TP_UDP)) {
			return false;
		}
		if (sips && proto == TP_TCP) {
			proto = TP_TLS;
		}
	}
	*proto_r = proto;
	return true;
}

bool proxy_numeric_hop(const struct sip_uri *uri, bool sips, struct dns_target *hop_r)
{
	struct str host = uri->host, param;
	uint16_t port;
	uint8_t proto;

	if (uri->params.n > 0 && sip_uri_param(uri, STR("maddr"), &param)) {
		host = param;
	}
	if (host.n == 0 || (host.p[0] != '[' && !ascii_is_digit((unsigned char)host.p[0])) ||
	    !proto_named(uri, sips, &proto)) {
		return false;
	}
	port = uri->port ? uri->port : proto == TP_TLS ? 5061 : 5060;
	*hop_r = (struct dns_target){ .proto = proto, .name = host };
	return net_addr_parse(host, port, &hop_r->addr) == 0;
}

static int take_answer(struct belfry_branch *br, const struct dns_answer *answer)
{
	size_t size = answer->n * sizeof(*answer->v);

	br->hops_n = 0;
	br->hops = arena_alloc(proxy_arena(br->req), size > 0 ? size : 1);
	if (br->hops == NULL) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < answer->n; i++) {
		br->hops[i] = answer->v[i];
		br->hops[i].name = arena_str(proxy_arena(br->req), answer->v[i].name);
	}
	br->hops_n = answer->n;
	return answer->n > 0 ? 0 : BELFRY_ENOENT;
}

static void tell_failure(struct belfry_branch *br, int err)
{
	struct belfry_req *req = br->req;
	struct str uri = br->next_hop.text;

	switch (err) {
	case 0: break;
	case BELFRY_ENXDOMAIN: note_s(req, "RFC 3263 4", "DNS knows no host of %s", uri); break;
	case BELFRY_ETIMEOUT: note_s(req, "dns.timeout", "no answer of DNS for %s", uri); break;
	default: note_s(req, "RFC 3263 4", "no usable address and transport for %s", uri); break;
	}
}

/* Only the Request-URI's own host can be what does not exist; an answer that does not come in time
 * is no fault of the target. */
static int judge(struct belfry_branch *br, int err)
{
	tell_failure(br, err);
	if (err == BELFRY_ENXDOMAIN) {
		return br->is_ruri ? BELFRY_ENXDOMAIN : BELFRY_EUNREACH;
	}
	return err == BELFRY_ETIMEOUT ? BELFRY_EUNREACH : err;
}

static void on_answer(int err, const struct dns_answer *answer, void *arg)
{
	struct belfry_branch *br = arg;
	struct belfry_req *req = br->req;

	proxy_enter(req);
	br->query = NULL;
	if (err == 0) {
		err = take_answer(br, answer);
	}
	if (br->state != BRANCH_ENDED) {
		proxy_branch_resolved(br, judge(br, err));
	}
	proxy_leave(req);
}

static int resolve_uri(struct belfry_branch *br, const struct sip_uri *uri)
{
	struct belfry_req *req = br->req;
	bool sips = uri->scheme == SIP_URI_SIPS || req->ruri.scheme == SIP_URI_SIPS;
	struct dns_ask ask = { .uri = uri,
		               .sips = sips,
		               .have_protos = proxy_have_protos(req->conf),
		               .is_idle = req->dry };
	struct dns_answer answer = { 0 };
	int err;

	br->hop_i = br->hops_n = 0;
	if (uri->scheme != SIP_URI_SIP && uri->scheme != SIP_URI_SIPS) {
		return judge(br, BELFRY_ENOENT);
	}
	if (proxy_numeric_hop(uri, sips, &br->numeric)) {
		br->hops = &br->numeric;
		br->hops_n = 1;
		return 0;
	}
	if (req->p->dns == NULL) {
		return judge(br, BELFRY_ENOENT);
	}
	err = dns_resolve(req->p->dns, &ask, proxy_arena(req), &answer, on_answer, br, &br->query);
	if (err == BELFRY_WAIT) {
		note_s(req, "RFC 3263 4", "asks DNS for %s", uri->host);
		if (req->st) {
			txn_server_trying(req->st);
		}
		return BELFRY_WAIT;
	}
	return err ? judge(br, err) : take_answer(br, &answer);
}

int proxy_resolve(struct belfry_branch *br)
{
	int err;

	if (!br->is_prepared) {
		err = proxy_route(br);
		if (err) {
			br->hops_done = true;
			br->last_error = err;
			return BELFRY_ENOENT;
		}
	} else if (br->order == NULL) {
		br->hops_done = true;
		return BELFRY_ENOENT;
	}
	if (br->order == NULL) {
		return resolve_uri(br, &br->next_hop);
	}
	err = sip_uri_parse(br->order->uri, &br->next_hop, NULL);
	br->trunk_target = br->order->state;
	br->order = br->order->next;
	return err ? err : resolve_uri(br, &br->next_hop);
}
