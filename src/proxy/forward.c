/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request as it leaves on a branch (RFC 3261 16.6 steps 1 to 10): edits over the bytes that
 * came. All header lines of ours are one insertion in front of the first Via (or Route, or
 * Record-Route).
 */
#include "proxy/core.h"

#include <errno.h>

struct forward {
	struct belfry_branch *br;
	struct belfry_req *req;
	const struct sip_msg *msg;
	struct tp_flow *flow;
	struct sip_edits edits;
	struct sbuf block; /* our lines: Via first, then Route */
	struct str via_line, route_line;
	int max_forwards;
};

/* The top Via with received and rport (18.2.1, RFC 3581 4), the same for all branches. */
static struct str via_in(struct belfry_req *req)
{
	if (req->via_in.n == 0) {
		char ip[NET_ADDR_TEXT];

		req->via_in = sip_via_with_received(proxy_arena(req), &req->msg->via,
		                                    net_addr_ip_text(&req->from.remote, ip),
		                                    req->from.remote.port);
	}
	return req->via_in;
}

static void add_via(struct forward *f, struct str branch)
{
	size_t begin = f->block.n;

	sbuf_add(&f->block, STR("Via: "));
	sbuf_add(&f->block, f->flow->listener->via_prefix);
	sbuf_add(&f->block, STR(";branch="));
	sbuf_add(&f->block, branch);
	sbuf_add(&f->block, STR("\r\n"));
	f->via_line = str_make(f->block.p + begin, f->block.n - begin);
}

static void add_number(struct sbuf *b, struct str name, uint64_t n)
{
	sbuf_add(b, name);
	sbuf_u64(b, n);
	sbuf_add(b, STR("\r\n"));
}

/* Larger values than can be real are counted down all the same (16.6 step 3). */
static void edit_max_forwards(struct forward *f)
{
	int index = f->msg->first[SIP_H_MAX_FORWARDS];
	struct arena *arena = proxy_arena(f->req);
	uint64_t n;

	if (index < 0) {
		f->max_forwards = f->req->conf->proxy.max_forwards;
		add_number(&f->block, STR("Max-Forwards: "), (uint64_t)f->max_forwards);
		return;
	}
	str_to_u64(sip_msg_value(f->msg, index), INT32_MAX, &n);
	f->max_forwards = (int)n - 1;
	if (f->max_forwards < 100) {
		static const char digits[] = "00010203040506070809101112131415161718192021222324252"
					     "62728293031323334353637"
					     "38394041424344454647484950515253545556575859606162636"
					     "46566676869707172737475"
					     "767778798081828384858687888990919293949596979899";
		const char *p = digits + 2 * (size_t)f->max_forwards;

		sip_edit_set(&f->edits, index,
		             f->max_forwards < 10 ? str_make(p + 1, 1) : str_make(p, 2));
	} else {
		sip_edit_set(&f->edits, index, arena_printf(arena, "%d", f->max_forwards));
	}
}

/* RFC 5393 5.3.3: every request that is forwarded carries it. */
static void edit_max_breadth(struct forward *f)
{
	int index = f->msg->first[SIP_H_MAX_BREADTH];

	if (f->req->is_ack) {
		return;
	}
	if (index < 0) {
		add_number(&f->block, STR("Max-Breadth: "), f->br->breadth);
	} else {
		sip_edit_set(&f->edits, index,
		             arena_printf(proxy_arena(f->req), "%u", f->br->breadth));
	}
}

static void edit_route(struct forward *f)
{
	const struct belfry_branch *br = f->br;

	f->route_line = br->route_line;
	if (!br->route_changed) {
		return;
	}
	if (br->route_line.n > 0) {
		size_t begin = f->block.n;

		sbuf_add(&f->block, br->route_line);
		f->route_line = str_make(f->block.p + begin, br->route_line.n);
	}
	sip_edit_remove_all(&f->edits, SIP_H_ROUTE);
}

static void edit_modules(struct forward *f)
{
	for (const struct proxy_hidden *h = f->req->hidden; h; h = h->next) {
		sip_edit_remove(&f->edits, h->index);
	}
	for (const struct proxy_lines *l = f->br->lines; l; l = l->next) {
		sip_edit_insert(&f->edits, l->before, l->text);
	}
}

/* Where the block goes: nothing that it has to precede lies before. */
static uint32_t block_place(const struct sip_msg *msg)
{
	static const enum sip_hdr kinds[] = { SIP_H_ROUTE, SIP_H_RECORD_ROUTE };
	uint32_t place = msg->headers[msg->via_header].off;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int index = msg->first[kinds[i]];

		if (index >= 0 && msg->headers[index].off < place) {
			place = msg->headers[index].off;
		}
	}
	return place;
}

static int build(struct forward *f, struct str branch)
{
	struct belfry_req *req = f->req;
	const struct sip_msg *msg = f->msg;
	size_t cap = PROXY_TEXT_MAX + f->br->route_line.n +
	             3 * (f->flow->listener->via_prefix.n + req->from.listener->via_prefix.n);
	char *space = arena_alloc(proxy_arena(req), cap);
	struct str via = via_in(req);

	if (space == NULL || via.n == 0) {
		return -ENOMEM;
	}
	sbuf_init(&f->block, space, cap);
	sip_edits_init(&f->edits, msg, proxy_arena(req));
	if (!str_eq(f->br->request_uri, msg->ruri_text)) {
		sip_edit_ruri(&f->edits, f->br->request_uri);
	}
	add_via(f, branch);
	edit_route(f);
	if (via.p != msg->via.text.p) {
		sip_edit_splice(&f->edits, msg->via_off, msg->via_end - msg->via_off, via);
	}
	if (proxy_rr_wanted(req, f->br, f->flow)) {
		proxy_rr_print(&f->block, req, f->flow);
	}
	edit_max_forwards(f);
	edit_max_breadth(f);
	edit_modules(f);
	if (msg->content_length < 0 && tp_proto_is_reliable(f->flow->proto)) {
		add_number(&f->block, STR("Content-Length: "), msg->body.n);
	}
	if (!sbuf_ok(&f->block)) {
		return BELFRY_ETOOBIG;
	}
	sip_edit_splice(&f->edits, block_place(msg), 0, sbuf_str(&f->block));
	return f->edits.err;
}

/* An ACK for a 2xx: without a transaction (16.11). */
static int build_stateless(struct forward *f, struct sip_out *out_r)
{
	char text[BRANCH_LEN];
	int err = build(f, txn_stateless_branch(f->req->p->txns, f->msg, text));

	return err ? err : sip_edits_out(&f->edits, proxy_arena(f->req), out_r);
}

static int send_stateless(struct forward *f)
{
	struct sip_out out;
	int err = build_stateless(f, &out);

	return err ? err : transport_send(f->req->p->tp, f->flow, !f->br->by_flow, &out);
}

/* What follows our Record-Route to where the dialog leads comes without that Route if it comes
 * again: a loop begins there. */
static uint64_t loop_of(const struct forward *f)
{
	return f->req->in_dialog && !f->br->target->from_location &&
	                       str_eq(f->br->request_uri, f->msg->ruri_text)
	               ? 0
	               : proxy_loop(f->req);
}

static int send_stateful(struct forward *f)
{
	struct belfry_branch *br = f->br;
	struct txn_client_start start;
	int err = txn_client_new(f->req->p->txns, f->req->msg, loop_of(f), br, &br->ct);

	if (err) {
		br->ct = NULL;
		return BELFRY_EFULL;
	}
	err = build(f, txn_client_branch(br->ct));
	if (err == 0) {
		start = (struct txn_client_start){ .edits = &f->edits,
			                           .via_line = f->via_line,
			                           .ruri = br->request_uri,
			                           .route_lines = f->route_line,
			                           .max_forwards = f->max_forwards,
			                           .flow = *f->flow,
			                           .wait_ms = br->by_tcp ? PROXY_VIA_TCP_MS : 0 };
		err = txn_client_start(br->ct, &start);
	}
	if (err) {
		txn_client_drop(&br->ct);
		br->ct = NULL;
	}
	return err;
}

static void tell_headers(const struct forward *f)
{
	struct str line = str_trim(f->br->route_line);

	if (f->req->dry && line.n > 0) {
		proxy_note_detail(f->req, "RFC 3261 16.6 (6)", "leaves with %.*s", STR_FMT(line));
	}
	if (f->req->dry && proxy_rr_wanted(f->req, f->br, f->flow)) {
		proxy_note_detail(f->req, "proxy.record_route",
		                  "this server stays on the way of the dialog (Record-Route)");
	}
}

static void note_hop(const struct forward *f)
{
	char text[NET_ADDR_TEXT];

	if (f->req->notes == NULL) {
		return;
	}
	if (f->br->is_told) {
		proxy_note_detail(f->req, "RFC 3263 4.3", "if that fails, by %.*s to %.*s",
		                  STR_FMT(tp_proto_name(f->flow->proto)),
		                  STR_FMT(net_addr_text(&f->flow->remote, text)));
		return;
	}
	note_s(f->req, "RFC 3261 16.6 (2)", "Request-URI %s", f->br->request_uri);
	tell_headers(f);
	proxy_note(f->req, "RFC 3261 16.6 (7)",
	           f->flow->proto == TP_UDP   ? "sent by UDP to %s"
	           : f->flow->proto == TP_TCP ? "sent by TCP to %s"
	           : f->flow->proto == TP_TLS ? "sent by TLS to %s"
	                                      : "sent by WebSocket to %s",
	           net_addr_text(&f->flow->remote, text), 0);
}

int proxy_forward(struct belfry_branch *br, struct tp_flow *flow, bool by_flow)
{
	struct belfry_req *req = br->req;
	struct proxy *p = req->p;
	struct forward f = { .br = br, .req = req, .msg = req->msg, .flow = flow };
	int err;

	br->by_flow = by_flow;
	br->got_provisional = false;
	note_hop(&f);
	if (req->dry) {
		return 0;
	}
	err = req->is_ack ? send_stateless(&f) : send_stateful(&f);
	if (err) {
		return err;
	}
	if (req->is_ack) {
		proxy_branch_replaced(br);
		return 0;
	}
	br->state = BRANCH_RUNNING;
	if (req->is_invite) {
		timer_start(p->w->timers, &br->timer_c, p->ids.timer_c,
		            (uint32_t)(req->conf->proxy.timer_c * 1000));
	}
	return 0;
}

int proxy_forward_ack(struct belfry_branch *br, struct tp_flow *tcp, struct tp_flow *udp)
{
	struct belfry_req *req = br->req;
	struct forward f = { .br = br, .req = req, .msg = req->msg, .flow = tcp };
	struct forward other = { .br = br, .req = req, .msg = req->msg, .flow = udp };
	struct sip_out by_tcp, by_udp;
	int err = build_stateless(&f, &by_tcp);

	err = err ? err : build_stateless(&other, &by_udp);
	err = err ? err
	          : txn_ack_by_either(req->p->txns, tcp, &by_tcp, udp, &by_udp, PROXY_VIA_TCP_MS);
	if (err == 0) {
		proxy_branch_replaced(br);
	}
	return err;
}

/* What a request grows by, or a little more. Close enough to be the answer for most, without the
 * request being built for it. */
static size_t added_max(const struct belfry_branch *br)
{
	const struct belfry_req *req = br->req;
	const struct tp_listener *l = req->from.listener;
	/* Via, Record-Route twice, Max-Forwards and Max-Breadth, without what differs. */
	size_t n = sizeof("Via: ;branch=\r\n") + BRANCH_LEN + PROXY_RR_MAX +
	           sizeof("Max-Forwards: 255\r\nMax-Breadth: 4294967295\r\n");

	n += l->via_prefix.n + 2 * l->uri_hostport.n + br->request_uri.n + br->route_line.n;
	n += via_in(br->req).n;
	for (const struct proxy_lines *line = br->lines; line; line = line->next) {
		n += line->text.n;
	}
	return n;
}

/* As it would be sent; 0: no memory. The branch is one of the same length. */
static size_t forwarded_len(const struct belfry_branch *br)
{
	struct tp_flow flow = br->req->from;
	struct belfry_branch copy = *br;
	struct forward f = { .br = &copy, .req = br->req, .msg = br->req->msg, .flow = &flow };
	char text[BRANCH_LEN];
	struct sip_out out;

	return build(&f, txn_stateless_branch(br->req->p->txns, f.msg, text)) ||
	                       sip_edits_out(&f.edits, proxy_arena(br->req), &out)
	               ? 0
	               : out.len;
}

bool proxy_is_too_large(const struct belfry_branch *br)
{
	const struct belfry_req *req = br->req;
	size_t max = (size_t)req->conf->proxy.mtu;

	size_t replaced;

	if (max == 0 || req->from.listener == NULL) {
		return false; /* no listener: explain without a source */
	}
	replaced = req->msg->ruri_text.n + req->msg->via_end - req->msg->via_off;
	if (req->msg->text.n - replaced + added_max(br) <= max) {
		return false;
	}
	if (req->msg->first[SIP_H_ROUTE] < 0 && req->hidden == NULL && req->msg->text.n > max) {
		return true;
	}
	return forwarded_len(br) > max;
}
