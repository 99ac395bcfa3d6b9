/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/rig.h"

#include "util/err.h"

#include <errno.h>
#include <stdio.h>

static struct tp_flow last_flow;

__attribute__((format(printf, 2, 3))) static void note(struct rig *rig, const char *fmt, ...)
{
	va_list ap;

	if (rig->log_n && rig->log_n + 1 < sizeof(rig->log)) {
		rig->log[rig->log_n++] = ' ';
	}
	va_start(ap, fmt);
	rig->log_n +=
		(size_t)vsnprintf(rig->log + rig->log_n, sizeof(rig->log) - rig->log_n, fmt, ap);
	va_end(ap);
	if (rig->log_n >= sizeof(rig->log)) {
		rig->log_n = sizeof(rig->log) - 1;
	}
}

/* --- the user ----------------------------------------------------------------------------------
 */

static void user_request(void *arg, struct sip_msg *req, const struct tp_flow *from)
{
	struct rig *rig = arg;

	note(rig, "request:%.*s", STR_FMT(req->method_text));
	sip_msg_unref(&rig->req);
	rig->req = req;
	rig->from = *from;
}

static void user_cancelled(void *user, struct txn_server *st, const struct sip_msg *cancel)
{
	struct rig *rig = user;

	ck_assert_int_eq(cancel->method, SIP_M_CANCEL);
	note(rig, "cancelled");
	if (rig->on_cancelled) {
		rig->on_cancelled(rig, st);
	}
}

static void user_server_end(void *user, struct txn_server *st)
{
	struct rig *rig = user;

	note(rig, "server_end");
	if (rig->on_server_end) {
		rig->on_server_end(rig, st);
	}
	if (st == rig->st) {
		rig->st = NULL;
	}
}

static void user_response(void *user, struct txn_client *ct, struct sip_msg *resp)
{
	struct rig *rig = user;

	note(rig, "response:%u", resp->status);
	if (rig->on_response) {
		rig->on_response(rig, ct, resp);
	}
}

static void user_failed(void *user, struct txn_client *ct, int err)
{
	struct rig *rig = user;

	note(rig, "failed:%s",
	     err == BELFRY_ETIMEOUT   ? "timeout"
	     : err == BELFRY_EUNREACH ? "unreach"
	                              : belfry_strerror(err));
	if (rig->on_failed) {
		rig->on_failed(rig, ct, err);
	}
}

static void user_client_end(void *user, struct txn_client *ct)
{
	struct rig *rig = user;

	note(rig, "client_end");
	if (ct == rig->ct) {
		rig->ct = NULL;
	}
}

static void user_stray(void *arg, struct sip_msg *resp, const struct tp_flow *from)
{
	(void)from;
	note(arg, "stray:%u", resp->status);
}

/* --- making it ---------------------------------------------------------------------------------
 */

static void conf_fill(struct conf *conf)
{
	*conf = (struct conf){
		.refs = 1,
		.workers = 1,
		.server.name = STR("proxy.example.com"),
		.server.max_transactions = 1000,
		.timers = { .t1 = 500, .t2 = 4000, .t4 = 5000, .b = 32000, .f = 32000 },
	};
}

int rig_init(struct rig *rig)
{
	const struct txn_user user = {
		.request = user_request,
		.cancelled = user_cancelled,
		.server_end = user_server_end,
		.response = user_response,
		.failed = user_failed,
		.client_end = user_client_end,
		.stray = user_stray,
		.arg = rig,
	};

	*rig = (struct rig){ 0 };
	conf_fill(&rig->conf);
	net_addr_parse(STR("192.0.2.11"), 5060, &rig->up);
	net_addr_parse(STR("192.0.2.22"), 5060, &rig->down);
	rig->w = worker_new_fake(&rig->conf, 1000000);
	if (!rig->w) {
		return -ENOMEM;
	}
	rig->tp = transport_new_fake(rig->w, &rig->wire);
	if (!rig->tp || txn_layer_new(rig->w, rig->tp, &rig->l) != 0) {
		rig_fini(rig);
		return -ENOMEM;
	}
	txn_layer_set_user(rig->l, &user);
	return 0;
}

void rig_fini(struct rig *rig)
{
	sip_msg_unref(&rig->req);
	txn_layer_free(rig->l);
	if (rig->tp) {
		transport_free_fake(rig->tp);
	}
	if (rig->w) {
		worker_free_fake(rig->w);
	}
}

struct rig *rig_new(void)
{
	struct rig *rig = malloc(sizeof(*rig));

	ck_assert_ptr_nonnull(rig);
	ck_assert_int_eq(rig_init(rig), 0);
	return rig;
}

void rig_free(struct rig *rig)
{
	rig_fini(rig);
	free(rig);
}

/* --- looking -----------------------------------------------------------------------------------
 */

void rig_expect(struct rig *rig, const char *want)
{
	rig->log[rig->log_n] = '\0';
	ck_assert_str_eq(rig->log, want);
	rig->log_n = 0;
	rig->log[0] = '\0';
}

struct str rig_sent(struct rig *rig, const char *start)
{
	struct str text;

	worker_turn(rig->w);
	ck_assert_msg(fake_wire_sent(rig->wire, &text, &last_flow), "nothing sent, wanted %s",
	              start);
	ck_assert_msg(str_starts(text, str_from(start)), "sent %.*s, wanted %s", STR_FMT(text),
	              start);
	return text;
}

struct tp_flow rig_sent_flow(const struct rig *rig)
{
	(void)rig;
	return last_flow;
}

void rig_nothing_sent(struct rig *rig)
{
	struct str text;

	worker_turn(rig->w);
	if (fake_wire_sent(rig->wire, &text, NULL)) {
		ck_abort_msg("sent %.*s", STR_FMT(text));
	}
}

unsigned rig_count_sent(struct rig *rig, const char *start)
{
	struct str text;
	unsigned n = 0;

	worker_turn(rig->w);
	for (; fake_wire_sent(rig->wire, &text, NULL); n++) {
		ck_assert_msg(str_starts(text, str_from(start)), "sent %.*s, wanted %s",
		              STR_FMT(text), start);
	}
	return n;
}

void rig_pass(struct rig *rig, uint64_t ms)
{
	worker_pass(rig->w, ms);
	worker_turn(rig->w); /* what the last timers put into the run queue */
}

void rig_turn(struct rig *rig)
{
	worker_turn(rig->w);
}

/* --- the server side ---------------------------------------------------------------------------
 */

void rig_receive_text(struct rig *rig, uint8_t proto, const struct net_addr *from, const char *text)
{
	char buf[8192];
	size_t n = 0;

	for (; *text && n + 2 < sizeof(buf); text++) {
		if (*text == '\n') {
			buf[n++] = '\r';
		}
		buf[n++] = *text;
	}
	ck_assert_int_eq(*text, '\0');
	fake_wire_receive(rig->wire, str_make(buf, n), proto, from);
}

void rig_receive(struct rig *rig, uint8_t proto, const char *method, const char *branch,
                 const char *to_params, const char *lines)
{
	bool is_ack_or_cancel = !strcmp(method, "ACK") || !strcmp(method, "CANCEL");
	char text[4096];

	snprintf(text, sizeof(text),
	         "%s sip:bob@example.com SIP/2.0\n"
	         "Via: SIP/2.0/%s up.example.net:5060%s%s\n"
	         "Max-Forwards: 70\n"
	         "From: <sip:alice@example.net>;tag=al\n"
	         "To: <sip:bob@example.com>%s\n"
	         "Call-ID: call@example.net\n"
	         "CSeq: 7 %s\n"
	         "%s%s\n",
	         method, proto == TP_UDP ? "UDP" : "TCP", *branch ? ";branch=" : "", branch,
	         to_params, method, lines, is_ack_or_cancel ? "" : "Content-Length: 0\n");
	if (is_ack_or_cancel && proto != TP_UDP) {
		char *end = text + strlen(text) - 1;

		snprintf(end, sizeof(text) - (size_t)(end - text), "Content-Length: 0\n\n");
	}
	rig_receive_text(rig, proto, &rig->up, text);
}

int rig_server_new(struct rig *rig, struct txn_server **st_r)
{
	const struct txn_server_params params = {
		.req = rig->req,
		.from = &rig->from,
		.user = rig,
		.is_preferred = rig->req->to_tag.n > 0 ||
		                str_starts(rig->req->ruri_text, STR("urn:service:sos")),
	};

	return txn_server_new(rig->l, &params, st_r);
}

void rig_server(struct rig *rig, uint8_t proto, const char *method)
{
	char want[64];

	rig_receive(rig, proto, method, "z9hG4bKserver", "", "");
	snprintf(want, sizeof(want), "request:%s", method);
	rig_expect(rig, want);
	ck_assert_int_eq(rig_server_new(rig, &rig->st), 0);
}

void rig_reply(struct rig *rig, int code)
{
	struct sip_reply reply = { .code = code };

	ck_assert_int_eq(txn_server_reply(rig->st, &reply), 0);
}

int rig_forward(struct rig *rig, int code, const char *to_tag)
{
	struct sip_edits edits;
	struct sip_msg *resp;
	char text[1024];
	int err, n;

	n = snprintf(text, sizeof(text),
	             "SIP/2.0 %d Whatever\r\n"
	             "Via: SIP/2.0/UDP proxy.example.com;branch=z9hG4bKours\r\n"
	             "Via: SIP/2.0/UDP up.example.net:5060;branch=z9hG4bKserver\r\n"
	             "From: <sip:alice@example.net>;tag=al\r\n"
	             "To: <sip:bob@example.com>;tag=%s\r\n"
	             "Call-ID: call@example.net\r\n"
	             "CSeq: 7 %.*s\r\n"
	             "Content-Length: 0\r\n\r\n",
	             code, to_tag, STR_FMT(rig->req ? rig->req->method_text : STR("INVITE")));
	struct msgbuf *buf = msgbuf_new(rig->w->bufs, (size_t)n);

	if (!buf) {
		return -ENOMEM;
	}
	memcpy(buf->data, text, (size_t)n);
	err = sip_msg_parse(buf, (size_t)n, 0, &rig->w->arenas, rig->w->bufs, &resp);
	if (err) {
		return err;
	}
	sip_edits_init(&edits, resp, &resp->arena);
	sip_edit_remove_top_via(&edits);
	err = txn_server_forward(rig->st, resp, &edits);
	sip_msg_unref(&resp); /* the layer keeps what it needs */
	return err;
}

/* --- the client side ---------------------------------------------------------------------------
 */

static int request_make(struct rig *rig, const char *method, struct sip_msg **req_r)
{
	char text[1024];
	int n = snprintf(text, sizeof(text),
	                 "%s sip:bob@example.com SIP/2.0\r\n"
	                 "Via: SIP/2.0/UDP up.example.net:5060;branch=z9hG4bKrequest\r\n"
	                 "Max-Forwards: 70\r\n"
	                 "Route: <sip:next.example.org;lr>\r\n"
	                 "From: <sip:alice@example.net>;tag=al\r\n"
	                 "To: <sip:bob@example.com>\r\n"
	                 "Call-ID: call@example.net\r\n"
	                 "CSeq: 7 %s\r\n"
	                 "Content-Length: 0\r\n\r\n",
	                 method, method);
	struct msgbuf *buf = msgbuf_new(rig->w->bufs, (size_t)n);

	if (!buf) {
		return -ENOMEM;
	}
	memcpy(buf->data, text, (size_t)n);
	return sip_msg_parse(buf, (size_t)n, 0, &rig->w->arenas, rig->w->bufs, req_r);
}

static int client_start(struct rig *rig, struct sip_msg *req, uint8_t proto, uint32_t wait_ms)
{
	struct txn_client_start start = {
		.ruri = STR("sip:bob@192.0.2.22"),
		.route_lines = STR("Route: <sip:next.example.org;lr>\r\n"),
		.max_forwards = 69,
		.wait_ms = wait_ms,
	};
	struct sip_edits edits;

	start.via_line =
		arena_printf(&req->arena, "Via: SIP/2.0/%s proxy.example.com;branch=%.*s\r\n",
	                     proto == TP_UDP ? "UDP" : "TCP", STR_FMT(txn_client_branch(rig->ct)));
	if (!start.via_line.p) {
		return -ENOMEM;
	}
	sip_edits_init(&edits, req, &req->arena);
	sip_edit_ruri(&edits, start.ruri);
	sip_edit_insert(&edits, SIP_H_VIA, start.via_line);
	start.edits = &edits;
	ck_assert_int_eq(transport_pick(rig->tp, proto, &rig->down, NULL, &start.flow), 0);
	return txn_client_start(rig->ct, &start);
}

int rig_client_wait(struct rig *rig, uint8_t proto, const char *method, uint32_t wait_ms)
{
	struct sip_msg *req = NULL;
	int err = request_make(rig, method, &req);

	if (err) {
		return err;
	}
	err = txn_client_new(rig->l, req, 0, rig, &rig->ct);
	if (err == 0) {
		err = client_start(rig, req, proto, wait_ms);
		if (err) {
			txn_client_drop(&rig->ct);
		}
	}
	sip_msg_unref(&req);
	return err;
}

int rig_client(struct rig *rig, uint8_t proto, const char *method)
{
	return rig_client_wait(rig, proto, method, 0);
}

void rig_respond_to(struct rig *rig, uint8_t proto, const char *branch, int code,
                    const char *method, const char *to_tag)
{
	char text[1024];

	snprintf(text, sizeof(text),
	         "SIP/2.0 %d Whatever\n"
	         "Via: SIP/2.0/%s proxy.example.com;branch=%s\n"
	         "Via: SIP/2.0/UDP up.example.net:5060;branch=z9hG4bKrequest\n"
	         "From: <sip:alice@example.net>;tag=al\n"
	         "To: <sip:bob@example.com>;tag=%s\n"
	         "Call-ID: call@example.net\n"
	         "CSeq: 7 %s\n"
	         "Content-Length: 0\n\n",
	         code, proto == TP_UDP ? "UDP" : "TCP", branch, to_tag, method);
	rig_receive_text(rig, proto, &rig->down, text);
}

void rig_respond(struct rig *rig, uint8_t proto, int code, const char *method)
{
	const struct txn_client *ct = rig->ct;
	struct branch b = { BRANCH_TXN, 0, ct->slot, ct->generation, 0 };
	char branch[BRANCH_LEN + 1];

	branch[branch_print(&b, rig->w->process_key, branch)] = '\0';
	if (!method) {
		method = ct->method == SIP_M_OTHER ? "FOO" : sip_method_name(ct->method).p;
	}
	rig_respond_to(rig, proto, branch, code, method, "bo");
}
