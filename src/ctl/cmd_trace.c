/* SPDX-License-Identifier: Apache-2.0 */
/* trace: notifications, one per message, until the client leaves. */
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ctl/addr.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "ctl/trace.h"
#include "net/socket.h"
#include "sip/addr.h"
#include "util/base64.h"
#include "util/err.h"

#define METHOD "trace"

struct tracing {
	struct ctl_call *call;
	struct trace_tap *tap;
	bool with_text;
	uint64_t left; /* messages to show yet */
	json_int_t shown, dropped, untold;
};

static void tracing_free(struct tracing *t)
{
	trace_tap_close(&t->tap);
	free(t);
}

static void on_gone(struct ctl_call *call, void *arg)
{
	(void)call;
	tracing_free(arg);
}

/* --- a message ----------------------------------------------------------------------------------
 */

/* A datagram that left a wildcard socket: the kernel chose the address, and would choose it again.
 */
static void find_local(const struct trace_record *rec, struct net_addr *local)
{
	struct sockaddr_storage ss;
	uint16_t port = local->port;
	socklen_t n;
	int fd;

	if (local->family && !net_addr_is_any(local)) {
		return;
	}
	n = net_addr_to_sockaddr(&rec->remote, &ss);
	fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		return;
	}
	if (connect(fd, (const struct sockaddr *)&ss, n) == 0 && net_local_addr(fd, local) == 0) {
		local->port = port;
	}
	(void)close(fd);
}

static bool set_str(json_t *obj, const char *key, struct str s)
{
	return s.n == 0 || ctl_json_set(obj, key, ctl_json_str(s));
}

/* The URI of a From or To. */
static struct str uri_in(const struct sip_msg *msg, enum sip_hdr id)
{
	struct str value = sip_msg_header(msg, id);
	struct sip_addr addr;

	return sip_addr_parse(value, &addr, NULL) == 0 ? addr.uri_text : value;
}

static bool add_parsed(json_t *obj, const struct sip_msg *msg)
{
	bool ok = set_str(obj, "call_id", msg->call_id) &&
	          set_str(obj, "from", uri_in(msg, SIP_H_FROM)) &&
	          set_str(obj, "to", uri_in(msg, SIP_H_TO)) &&
	          set_str(obj, "cseq", sip_msg_header(msg, SIP_H_CSEQ));

	if (msg->is_request) {
		return ok && set_str(obj, "method", msg->method_text) &&
		       set_str(obj, "uri", msg->ruri_text);
	}
	return ok && ctl_json_set(obj, "status", json_integer(msg->status)) &&
	       set_str(obj, "reason", msg->reason);
}

/* What cannot be parsed is shown by its first line. */
static bool add_facts(json_t *obj, struct str text)
{
	struct trace_facts facts;
	struct sip_msg *msg = NULL;
	bool ok;

	(void)sip_msg_parse_text(text, 0, &msg);
	if (msg) {
		ok = add_parsed(obj, msg);
		sip_msg_unref(&msg);
		return ok;
	}
	return !trace_facts_read(text, &facts) || (set_str(obj, "call_id", facts.call_id) &&
	                                           set_str(obj, "start_line", facts.start_line));
}

/* As text, or in base64 when it is no UTF-8. */
static bool add_text(json_t *obj, const struct trace_record *rec)
{
	json_t *v = memchr(rec->text, '\0', rec->n) ? NULL : json_stringn(rec->text, rec->n);
	char *coded;
	bool ok;

	if (v) {
		return ctl_json_set(obj, "text", v);
	}
	coded = malloc(BASE64_LEN(rec->n) + 1);
	if (!coded) {
		return false;
	}
	ok = ctl_json_set(obj, "base64",
	                  json_stringn(coded, base64_encode(coded, rec->text, rec->n)));
	free(coded);
	return ok;
}

static json_t *message_json(const struct trace_record *rec, bool with_text)
{
	struct net_addr local = rec->local;
	char here[NET_ADDR_TEXT], there[NET_ADDR_TEXT];
	json_t *obj;

	find_local(rec, &local);
	(void)net_addr_text(&local, here);
	(void)net_addr_text(&rec->remote, there);
	obj = json_pack("{s:f, s:s, s:o, s:s, s:s, s:I}", "time", (double)rec->unix_us * 1e-6,
	                "direction", rec->is_sent ? "sent" : "received", "transport",
	                ctl_json_str(tp_proto_param(rec->proto)), "source",
	                rec->is_sent ? here : there, "destination", rec->is_sent ? there : here,
	                "bytes", (json_int_t)rec->n);
	if (obj && add_facts(obj, str_make(rec->text, rec->n)) &&
	    (!with_text || add_text(obj, rec))) {
		return obj;
	}
	json_decref(obj);
	return NULL;
}

/* --- the stream ---------------------------------------------------------------------------------
 */

static void on_opened(void *arg)
{
	struct tracing *t = arg;

	(void)ctl_call_notify(t->call, METHOD, json_pack("{s:b}", "started", 1));
}

/* What was not shown is said before the next message. false: not even that can be. */
static bool tell_dropped(struct tracing *t)
{
	json_int_t n = (json_int_t)trace_tap_dropped(t->tap);

	t->dropped += n;
	t->untold += n;
	if (t->untold == 0) {
		return true;
	}
	if (ctl_call_notify(t->call, METHOD, json_pack("{s:I}", "dropped", t->untold))) {
		return false;
	}
	t->untold = 0;
	return true;
}

static void on_record(void *arg, const struct trace_record *rec)
{
	struct tracing *t = arg;

	if (!tell_dropped(t) || ctl_call_notify(t->call, METHOD, message_json(rec, t->with_text))) {
		t->dropped++;
		t->untold++;
		return;
	}
	t->shown++;
	if (t->left > 0 && --t->left == 0) {
		struct ctl_call *call = t->call;
		json_t *result =
			json_pack("{s:I, s:I}", "messages", t->shown, "dropped", t->dropped);

		tracing_free(t);
		ctl_call_reply(call, result);
	}
}

/* --- the command --------------------------------------------------------------------------------
 */

/* "alice", or "alice@example.com" with or without a scheme, in its canonical form. */
static bool read_user(struct str text, char space[SIP_AOR_MAX], struct str *user_r)
{
	*user_r = text;
	if (str_find(text, '@') < 0) {
		return true;
	}
	*user_r = ctl_aor(text, space);
	return user_r->n > 0;
}

/* NULL, or which argument is wrong. */
static const char *read_params(struct ctl_call *call, struct tracing *t,
                               struct trace_filter *filter, char space[SIP_AOR_MAX])
{
	struct str source = ctl_call_param(call, "source"), count = ctl_call_param(call, "count");

	filter->call_id = ctl_call_param(call, "call_id");
	if (!read_user(ctl_call_param(call, "user"), space, &filter->user)) {
		return "--user wants a name or an address-of-record";
	}
	if (source.n > 0 && trace_filter_source(filter, source)) {
		return "--source wants an address, 192.0.2.1, 192.0.2.1:5060 or 192.0.2.0/24";
	}
	if (count.n > 0 && (str_to_u64(count, UINT32_MAX, &t->left) || t->left == 0)) {
		return "--count wants a number of messages";
	}
	t->with_text = str_eq(ctl_call_param(call, "v"), STR("true"));
	return NULL;
}

static void run_trace(struct ctl_call *call, struct ctl_env *env)
{
	struct tracing *t = calloc(1, sizeof(*t));
	struct trace_tap_params params = { .opened = on_opened, .record = on_record, .arg = t };
	char space[SIP_AOR_MAX];
	const char *wrong;

	if (!t) {
		ctl_call_reply(call, NULL);
		return;
	}
	t->call = call;
	wrong = read_params(call, t, &params.filter, space);
	if (wrong) {
		free(t);
		ctl_call_fail(call, CTL_EPARAMS, "%s", wrong);
		return;
	}
	if (trace_tap_open(env, &params, &t->tap)) {
		free(t);
		ctl_call_reply(call, NULL);
		return;
	}
	ctl_call_stream(call, on_gone, t);
}

const struct ctl_command ctl_trace_commands[] = {
	{ "trace", "[--call-id X] [--user U] [--source ADDR] [-v] [--pcap OUTFILE] [--count N]",
	  "draw calls as they happen; -v: messages as on the wire; ends with Ctrl-C", NULL,
	  CTL_STREAMS, run_trace },
	{ 0 },
};
