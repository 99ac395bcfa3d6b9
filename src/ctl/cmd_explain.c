/* SPDX-License-Identifier: Apache-2.0 */
/* explain, why: the decisions of the proxy, for a request that might come and for those that came.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/gather.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "proxy/proxy.h"
#include "util/err.h"
#include "util/random.h"

#define TEXT_MAX 8192 /* of the request that is made up */

/* --- explain ------------------------------------------------------------------------------------
 */

struct question {
	struct job job;
	struct ctl_call *call;
	struct ctl_env *env;
	struct worker *worker;
	struct sip_msg *msg;
	struct tp_flow from;
	bool has_from;
	char user[SIP_AOR_MAX];
	struct str user_aor;
	int err;
	json_t *decisions;
	size_t text_n;
	char text[TEXT_MAX];
};

static json_t *decision_json(const struct proxy_decision *d)
{
	return json_pack("{s:s, s:o, s:f}", "rule", d->rule, "text", ctl_json_str(d->text), "at",
	                 (double)d->at_us / 1000);
}

static void answer(struct job *job, void *ctx)
{
	struct question *q = (struct question *)(void *)job;

	(void)ctx;
	if (q->err) {
		json_decref(q->decisions);
		ctl_call_fail(q->call, CTL_EFAILED, "%s", belfry_strerror(q->err));
	} else {
		ctl_call_reply(q->call,
		               q->decisions ? json_pack("{s:o}", "decisions", q->decisions) : NULL);
	}
	free(q);
}

/* Back to the main thread. */
static void go_home(struct question *q, int err)
{
	if (q->msg) {
		sip_msg_unref(&q->msg);
	}
	q->err = err;
	q->job.run = answer;
	mailbox_post_sure(q->env->mailbox, &q->job);
}

static void released(struct job *job, void *ctx)
{
	(void)ctx;
	go_home((struct question *)(void *)job, 0);
}

/* The request still points into q->text: home at the turn's end, when it is gone. */
static void explained(void *arg, const struct proxy_decision *first)
{
	struct question *q = arg;
	bool ok;

	q->decisions = json_array();
	ok = q->decisions != NULL;
	for (; ok && first; first = first->next) {
		ok = json_array_append_new(q->decisions, decision_json(first)) == 0;
	}
	if (!ok) {
		json_decref(q->decisions);
		q->decisions = NULL;
	}
	q->job.run = released;
	worker_reap(q->worker, &q->job);
}

static void ask_proxy(struct job *job, void *ctx)
{
	struct question *q = (struct question *)(void *)job;
	int err;

	q->worker = ctx;
	err = sip_msg_parse_text(str_make(q->text, q->text_n), 0, &q->msg);

	err = err ? err
	          : proxy_explain(q->env->proxies[q->worker->id], q->msg,
	                          q->has_from ? &q->from : NULL, q->user_aor, explained, q);
	if (err) {
		go_home(q, err);
	}
}

/* "192.0.2.1" or "192.0.2.1:5060", as if it came to the first listener of that family. */
static bool take_source(struct question *q, struct str text)
{
	const struct tp_listener *l;
	struct net_addr addr;
	struct str host = text, port = STR_NONE;
	uint64_t v = 5060;

	if (text.n == 0) {
		return true;
	}
	if (net_addr_parse(text, 5060, &addr)) {
		ptrdiff_t colon = -1;

		for (size_t i = 0; i < text.n; i++) {
			colon = text.p[i] == ':' ? (ptrdiff_t)i : colon;
		}
		if (colon < 0) {
			return false;
		}
		host = str_make(text.p, (size_t)colon);
		port = str_skip(text, (size_t)colon + 1);
		if (str_to_u64(port, 65535, &v) || net_addr_parse(host, (uint16_t)v, &addr)) {
			return false;
		}
	}
	for (size_t i = 0; !q->has_from && (l = transport_listener(q->env->transports, i)); i++) {
		if (l->addr.family == addr.family) {
			q->from = (struct tp_flow){
				.listener = l, .remote = addr, .local = l->addr, .proto = TP_UDP
			};
			q->has_from = true;
		}
	}
	return q->has_from;
}

/* "user@domain" or a URI; empty stays so. */
static bool take_user(struct question *q, struct str text)
{
	char uri_text[SIP_AOR_MAX + 8];
	struct sip_uri uri;

	if (text.n == 0) {
		return true;
	}
	(void)snprintf(uri_text, sizeof(uri_text), "%s%.*s",
	               str_starts_nocase(text, STR("sip")) ? "" : "sip:", STR_FMT(text));
	if (text.n + 5 > sizeof(uri_text) || sip_uri_parse(str_from(uri_text), &uri, NULL)) {
		return false;
	}
	q->user_aor = sip_uri_aor(&uri, q->user, sizeof(q->user));
	return q->user_aor.n > 0;
}

static bool has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		if ((unsigned char)s.p[i] <= ' ') {
			return true;
		}
	}
	return false;
}

/* A request such as might come. false: it cannot be made of these parts. */
static bool make_request(struct question *q, struct str method, struct str uri, struct str from)
{
	unsigned char random[8];
	uint64_t id = 0;
	int n;

	if (has_control(method) || has_control(uri) || has_control(from)) {
		return false;
	}
	random_key(random, sizeof(random));
	memcpy(&id, random, sizeof(id));
	from = from.n ? from : STR("sip:explain@anonymous.invalid");
	n = snprintf(q->text, sizeof(q->text),
	             "%.*s %.*s SIP/2.0\r\n"
	             "Via: SIP/2.0/UDP explain.invalid;branch=z9hG4bK%016llx\r\n"
	             "Max-Forwards: 70\r\n"
	             "From: <%.*s>;tag=%016llx\r\n"
	             "To: <%.*s>\r\n"
	             "Call-ID: explain-%016llx\r\n"
	             "CSeq: 1 %.*s\r\n"
	             "Content-Length: 0\r\n\r\n",
	             STR_FMT(method), STR_FMT(uri), (unsigned long long)id, STR_FMT(from),
	             (unsigned long long)id, STR_FMT(uri), (unsigned long long)id, STR_FMT(method));
	q->text_n = n > 0 ? (size_t)n : 0;
	return n > 0 && (size_t)n < sizeof(q->text);
}

static const char *take_all(struct question *q, struct ctl_call *call)
{
	if (!take_source(q, ctl_call_param(call, "source"))) {
		return "--source wants an address of a family that is listened on, as in 192.0.2.1";
	}
	if (!take_user(q, ctl_call_param(call, "user"))) {
		return "--user wants an address-of-record, as in user@domain";
	}
	if (!make_request(q, ctl_call_param(call, "method"), ctl_call_param(call, "uri"),
	                  ctl_call_param(call, "from"))) {
		return "no request can be made of this";
	}
	return NULL;
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
	why = take_all(q, call);
	if (why) {
		free(q);
		ctl_call_fail(call, CTL_EPARAMS, "%s", why);
		return;
	}
	workers_post(env->workers, 0, &q->job);
}

/* --- why ----------------------------------------------------------------------------------------
 */

struct rows {
	json_t *list;
	bool failed;
};

static void add_request(void *arg, const struct sip_msg *req, int64_t unix_ms, int final_status,
                        const struct proxy_decision *first)
{
	struct rows *rows = arg;

	for (; first && !rows->failed; first = first->next) {
		json_t *one = decision_json(first);

		rows->failed = !one ||
		               !ctl_json_set(one, "method", ctl_json_str(req->method_text)) ||
		               !ctl_json_set(one, "uri", ctl_json_str(req->ruri_text)) ||
		               !ctl_json_set(one, "call_id", ctl_json_str(req->call_id)) ||
		               !ctl_json_set(one, "status", json_integer(final_status)) ||
		               !ctl_json_set(one, "time", json_real((double)unix_ms / 1000)) ||
		               json_array_append(rows->list, one) != 0;
		json_decref(one);
	}
}

static bool why_of(struct worker *w, struct ctl_env *env, struct ctl_call *call, json_t *list)
{
	struct rows rows = { .list = list };

	proxy_why(env->proxies[w->id], ctl_call_param(call, "call_id"), add_request, &rows);
	return !rows.failed;
}

static void run_why(struct ctl_call *call, struct ctl_env *env)
{
	ctl_gather(call, env, "decisions", why_of, NULL);
}

const struct ctl_command ctl_explain_commands[] = {
	{ "explain", "METHOD URI [--from URI] [--source ADDR] [--user AOR]",
	  "what would be decided for such a request; nothing is sent. --user: as if authenticated",
	  "rule text", false, run_explain },
	{ "why", "CALL-ID", "what was decided for a recent call",
	  "method status at rule text", false, run_why },
	{ 0 },
};
