/* SPDX-License-Identifier: Apache-2.0 */
/* explain: the decisions of the proxy for a request that might come. Nothing is sent or changed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/addr.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "proxy/proxy.h"
#include "sip/addr.h"
#include "util/err.h"
#include "util/random.h"
#include "worker/worker.h"

#define TEXT_MAX 8192 /* of a request that is made up */

struct question {
	struct job job;
	struct ctl_call *call;
	struct ctl_env *env;
	struct tp_flow from; /* remote: family 0 when it was not told */
	char user[SIP_AOR_MAX];
	struct str user_aor;
	json_t *answer; /* made on the worker */
	json_t *decisions;
	int err;
	size_t text_n;
	char *text; /* the request */
};

static void question_free(struct question *q)
{
	json_decref(q->answer);
	free(q->text);
	free(q);
}

/* --- the answer ---------------------------------------------------------------------------------
 */

static void answer(struct job *job, void *ctx)
{
	struct question *q = (struct question *)(void *)job;
	struct ctl_call *call = q->call;
	json_t *result = q->answer;
	int err = q->err;

	(void)ctx;
	q->answer = NULL;
	question_free(q);
	if (err == 0 || err == -ENOMEM) {
		ctl_call_reply(call, result);
	} else {
		ctl_call_fail(call, CTL_EFAILED, "%s", belfry_strerror(err));
	}
}

/* Back to the main thread. */
static void go_home(struct question *q, int err)
{
	if (err) {
		json_decref(q->answer);
		q->answer = NULL;
	}
	q->err = err;
	q->job.run = answer;
	if (q->env->mailbox) {
		mailbox_post_sure(q->env->mailbox, &q->job);
	} else {
		question_free(q); /* the process is ending, its threads have ended */
	}
}

static bool tell(struct question *q, const char *rule, const char *text)
{
	return json_array_append_new(q->decisions, json_pack("{s:s, s:s, s:f}", "rule", rule,
	                                                     "text", text, "at", 0.0)) == 0;
}

static bool tell_error(struct question *q, const struct sip_msg *msg)
{
	char text[160];

	if (!msg) {
		return tell(q, "RFC 3261 18.3", "dropped without an answer: this is no SIP");
	}
	if (msg->method == SIP_M_ACK) {
		return tell(q, "RFC 3261 16.3 (1)", "dropped: a malformed ACK is not answered");
	}
	(void)snprintf(text, sizeof(text), "refused with %u %s", msg->error,
	               msg->error_r ? msg->error_r : "");
	return tell(q, "RFC 3261 16.3 (1)", text);
}

static json_t *json_of(struct str s)
{
	return s.n > 0 ? ctl_json_str(s) : json_null();
}

static struct str uri_of_from(const struct sip_msg *msg)
{
	struct str value = sip_msg_header(msg, SIP_H_FROM);
	struct sip_addr addr;

	return sip_addr_parse(value, &addr, NULL) == 0 ? addr.uri_text : value;
}

/* What is asked about, and what goes before the proxy's own decisions. */
static bool begin_answer(struct question *q, struct worker *w, const struct sip_msg *msg)
{
	struct str from = msg ? uri_of_from(msg) : STR_NONE;
	const struct net_addr *source = &q->from.remote;
	char space[NET_ADDR_TEXT];
	bool ok = true;

	q->answer =
		json_pack("{s:o, s:o, s:o, s:o, s:o, s:[]}", "method",
	                  json_of(msg ? msg->method_text : STR_NONE), "uri",
	                  json_of(msg ? msg->ruri_text : STR_NONE), "from", json_of(from), "source",
	                  source->family ? ctl_json_str(net_addr_text(source, space))
	                                 : json_string("not told: somebody unknown"),
	                  "transport", json_of(tp_proto_param(q->from.proto)), "decisions");
	q->decisions = json_object_get(q->answer, "decisions");
	if (!q->decisions) {
		return false;
	}
	if (source->family &&
	    transport_is_banned(transport_get(q->env->transports, w->id), source)) {
		ok = tell(q, "auth.max_failures",
		          "the source is banned: nothing of it is read; the rest is as if it was "
		          "not");
	}
	return ok && (!msg || msg->error || tell(q, "RFC 3261 16.3 (1)", "well-formed"));
}

static void explained(void *arg, const struct proxy_decision *first)
{
	struct question *q = arg;
	bool ok = true;

	for (; ok && first; first = first->next) {
		ok = json_array_append_new(q->decisions, ctl_json_decision(first)) == 0;
	}
	go_home(q, ok ? 0 : -ENOMEM);
}

/* --- on a worker --------------------------------------------------------------------------------
 */

static int parse(struct question *q, struct worker *w, struct sip_msg **msg_r)
{
	struct msgbuf *buf = msgbuf_new(w->bufs, q->text_n);
	int err;

	*msg_r = NULL;
	if (!buf) {
		return -ENOMEM;
	}
	memcpy(buf->data, q->text, q->text_n);
	err = sip_msg_parse(buf, q->text_n, 0, &w->arenas, w->bufs, msg_r);
	return err == BELFRY_EPARSE ? 0 : err;
}

static void ask_proxy(struct job *job, void *ctx)
{
	struct question *q = (struct question *)(void *)job;
	struct worker *w = ctx;
	struct sip_msg *msg;
	bool is_good;
	int err = parse(q, w, &msg);

	if (err == 0 && !begin_answer(q, w, msg)) {
		err = -ENOMEM;
	}
	is_good = msg && msg->error == 0 && msg->is_request;
	if (err == 0 && !is_good) {
		err = msg && !msg->is_request ? BELFRY_EPARSE : tell_error(q, msg) ? 0 : -ENOMEM;
	}
	if (err || !is_good) {
		go_home(q, err);
	} else {
		err = proxy_explain(q->env->proxies[w->id], msg, &q->from, q->user_aor, explained,
		                    q);
		if (err) {
			go_home(q, err);
		}
	}
	if (msg) {
		sip_msg_unref(&msg);
	}
}

/* --- the request --------------------------------------------------------------------------------
 */

static bool has_blank(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ') {
			return true;
		}
	}
	return false;
}

/* The domain that a user registers at: "sip:example.com" of "sip:alice@example.com". */
static struct str registrar_of(struct str uri_text, char *space, size_t cap)
{
	struct sip_uri uri;
	int n;

	if (sip_uri_parse(uri_text, &uri, NULL) || !uri.has_user) {
		return uri_text;
	}
	n = snprintf(space, cap, "%.*s:%.*s", STR_FMT(uri.scheme_text), STR_FMT(uri.host));
	return n > 0 && (size_t)n < cap ? str_make(space, (size_t)n) : uri_text;
}

struct parts {
	struct str method, uri, to, from, contact;
};

/* A REGISTER names the user in To and From, and some Contact. */
static void make_register(struct parts *p, char *space, size_t cap)
{
	p->to = p->from.n > 0 ? p->from : p->uri;
	p->from = p->to;
	p->uri = registrar_of(p->uri, space, cap);
	p->contact = STR("Contact: <sip:explain@explain.invalid>\r\n");
}

/* A request such as might come. NULL, or why it cannot be made. */
static const char *make_request(struct question *q, struct parts p)
{
	unsigned long long id;
	char space[TEXT_MAX];
	int n;

	if (p.method.n == 0 || p.uri.n == 0) {
		return "METHOD or URI is empty";
	}
	if (has_blank(p.method) || has_blank(p.uri) || has_blank(p.from)) {
		return "there is a blank in METHOD or a URI";
	}
	p.to = p.uri;
	if (str_eq(p.method, STR("REGISTER"))) {
		make_register(&p, space, sizeof(space));
	}
	p.from = p.from.n > 0 ? p.from : STR("sip:explain@anonymous.invalid");
	random_key(&id, sizeof(id));
	n = asprintf(&q->text,
	             "%.*s %.*s SIP/2.0\r\n"
	             "Via: SIP/2.0/UDP explain.invalid;branch=z9hG4bK%016llx\r\n"
	             "Max-Forwards: 70\r\n"
	             "From: <%.*s>;tag=%016llx\r\n"
	             "To: <%.*s>\r\n"
	             "Call-ID: explain-%016llx\r\n"
	             "CSeq: 1 %.*s\r\n"
	             "%.*sContent-Length: 0\r\n\r\n",
	             STR_FMT(p.method), STR_FMT(p.uri), id, STR_FMT(p.from), id, STR_FMT(p.to), id,
	             STR_FMT(p.method), STR_FMT(p.contact));
	if (n < 0) {
		q->text = NULL;
		return "out of memory";
	}
	q->text_n = (size_t)n;
	return n > TEXT_MAX ? "a URI is too long" : NULL;
}

/* As it is; lines that an editor left without CR get one. */
static const char *take_message(struct question *q, struct str text)
{
	bool has_cr = str_find(text, '\r') >= 0;

	q->text = malloc(2 * text.n + 1);
	if (!q->text) {
		return "out of memory";
	}
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '\n' && !has_cr) {
			q->text[q->text_n++] = '\r';
		}
		q->text[q->text_n++] = text.p[i];
	}
	return q->text_n > SIP_MSG_MAX ? "the message is too large" : NULL;
}

static const char *take_request(struct question *q, struct ctl_call *call)
{
	char from[SIP_AOR_MAX + 8];
	struct parts p = {
		.method = ctl_call_param(call, "method"),
		.uri = ctl_call_param(call, "uri"),
		.from = ctl_call_param(call, "from"),
	};
	struct str message = ctl_call_param(call, "message");

	if (message.n == 0) {
		if (p.from.n == 0 && q->user_aor.n > 0) {
			(void)snprintf(from, sizeof(from), "sip:%.*s", STR_FMT(q->user_aor));
			p.from = str_from(from);
		}
		return make_request(q, p);
	}
	if (p.method.n > 0 || p.from.n > 0) {
		return "METHOD, URI and --from are in the message";
	}
	return take_message(q, message);
}

/* --- who asks -----------------------------------------------------------------------------------
 */

/* The transport in the top Via, as far as the message can be read. */
static uint8_t proto_of(const struct question *q)
{
	struct sip_msg *msg = NULL;
	uint8_t proto = 0;

	(void)sip_msg_parse_text(str_make(q->text, q->text_n), 0, &msg);
	if (!msg) {
		return TP_UDP;
	}
	while (proto < TP_N && !str_eq_nocase(tp_proto_name(proto), msg->via.transport)) {
		proto++;
	}
	sip_msg_unref(&msg);
	return proto < TP_N ? proto : TP_UDP;
}

/* The listener it would come to: of the source's family, of that transport if there is one. */
static bool choose_listener(struct question *q, uint8_t proto)
{
	const struct tp_listener *l, *best = NULL;

	for (size_t i = 0; (l = transport_listener(q->env->transports, i)); i++) {
		if (q->from.remote.family && q->from.remote.family != l->addr.family) {
			continue;
		}
		if (!best || (best->proto != proto && l->proto == proto)) {
			best = l;
		}
	}
	if (best) {
		q->from.listener = best;
		q->from.local = best->addr;
		q->from.proto = best->proto;
	}
	return best != NULL;
}

static const char *take_source(struct question *q, struct str text)
{
	struct str host;
	uint16_t port;

	if (text.n > 0) {
		(void)ctl_addr_split(text, &host, &port);
		if (net_addr_parse(host, port ? port : 5060, &q->from.remote)) {
			return "--source wants an address, as in 192.0.2.1 or 192.0.2.1:5060";
		}
	}
	return choose_listener(q, proto_of(q)) ? NULL
	                                       : "there is no listener of that address family";
}

/* "user@domain" or a URI; empty stays so. */
static const char *take_user(struct question *q, struct str text)
{
	if (text.n == 0) {
		return NULL;
	}
	q->user_aor = ctl_aor(text, q->user);
	return q->user_aor.n > 0 ? NULL : "--user wants an address-of-record, as in user@domain";
}

static void run_explain(struct ctl_call *call, struct ctl_env *env)
{
	struct question *q = calloc(1, sizeof(*q));
	const char *why;

	if (!q) {
		ctl_call_reply(call, NULL);
		return;
	}
	q->call = call;
	q->env = env;
	q->job.run = ask_proxy;
	why = take_user(q, ctl_call_param(call, "user"));
	why = why ? why : take_request(q, call);
	why = why ? why : take_source(q, ctl_call_param(call, "source"));
	if (why) {
		question_free(q);
		ctl_call_fail(call, CTL_EPARAMS, "%s", why);
		return;
	}
	workers_post(env->workers, 0, &q->job);
}

const struct ctl_command ctl_explain_commands[] = {
	{ "explain", "METHOD URI [--from URI] [--source ADDR] [--user AOR] [--message FILE]",
	  "what would be decided for such a request, or for the message in FILE, and why; nothing "
	  "is "
	  "sent or changed",
	  "decisions/rule text", CTL_READS, run_explain },
	{ 0 },
};
