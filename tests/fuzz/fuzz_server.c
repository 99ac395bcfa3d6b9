/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All layers from the message up, with the modules, on a fake clock and a fake wire. The input is a
 * script; a line that begins with '@' begins a step:
 *
 *   @a            users must authenticate (the first step only)
 *   @u1, @t1      what follows comes from peer 1, by UDP or TCP
 *   @r486 2       the 2nd last request that left is answered with 486; what follows are more lines
 *   @p32000       so many ms pass
 *   @x1           nothing can be sent to peer 1 any more
 *
 * Requests that leave must be good ones, and in the end nothing is left. Where users must
 * authenticate nobody here can: then each message gets one answer at most, which goes to where it
 * came from and is not much longer, and nothing is kept of it.
 */
#include "module/rig.h"

#include "must.h"
#include "proxy/core.h"
#include "sip/build.h"

#define STEPS_MAX 64
#define SENT_MAX  8
#define MS_MAX    600000U
#define ROUNDS    4000U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern const struct belfry_module belfry_module_auth;
extern const struct belfry_module belfry_module_registrar;

static const struct belfry_module *const modules[] = { &belfry_module_auth,
	                                               &belfry_module_registrar, NULL };
static const struct rig_user users[] = { { "alice", "example.com", "a", false },
	                                 { NULL, NULL, NULL, false } };

#define RULES                                                                                      \
	"routes = ( { name = \"t\"; match: { user = \"+*\"; }; to = \"trunk:t\"; },\n"             \
	"  { name = \"r\"; match: { user = \"r*\"; }; redirect = \"sip:$user@example.org\"; },\n"  \
	"  { name = \"d\"; match: { user = \"d\"; }; to = \"sip:alice@example.com\"; } );\n"       \
	"trunks: { t: { targets = ( \"sip:192.0.2.8\", \"sip:192.0.2.9;transport=tcp\" );\n"       \
	"  probe = 0; max_calls = 3; }; };\n"

static const char open_all[] = "auth: { register = false; calls = \"none\"; };\n"
			       "proxy: { relay = \"any\"; recurse_redirects = true; };\n" RULES;
static const char closed[] = "auth: { register = true; };\n" RULES;

/* The rig's own expectations: there is no runner of Check here. */
void _mark_point(const char *file, int line);
void _mark_point(const char *file, int line)
{
	(void)file;
	(void)line;
}

void _ck_assert_failed(const char *file, int line, const char *expr, const char *msg, ...)
{
	(void)msg;
	fprintf(stderr, "%s:%d: %s\n", file, line, expr);
	abort();
}

struct sent { /* requests that have left, the last one last */
	struct str text;
	struct tp_flow flow;
};

struct run {
	struct rig rig;
	struct sent sent[SENT_MAX];
	size_t sent_n;
	bool is_closed;
};

static struct net_addr peer(struct str number)
{
	struct net_addr addr;
	char text[] = "192.0.2.0";

	if (number.n && ascii_is_digit((unsigned char)number.p[0])) {
		text[8] = number.p[0];
	}
	MUST(net_addr_parse(str_from(text), 5060, &addr) == 0);
	return addr;
}

static void keep(struct run *run, struct str text, const struct tp_flow *flow)
{
	struct sent *s;

	if (run->sent_n == SENT_MAX) {
		memmove(run->sent, run->sent + 1, sizeof(run->sent) - sizeof(run->sent[0]));
		run->sent_n--;
	}
	s = &run->sent[run->sent_n++];
	s->text = arena_str(&run->rig.arena, text);
	s->flow = *flow;
	MUST(s->text.p);
}

static int flags_of(const struct tp_flow *flow)
{
	return tp_proto_is_reliable(flow->proto) ? SIP_PARSE_STREAM : 0;
}

/* What left in this step. */
static void look(struct run *run)
{
	struct tp_flow flow;
	struct sip_msg *msg;
	struct str text;

	rig_settle(&run->rig);
	while (fake_wire_sent(run->rig.wire, &text, &flow)) {
		if (str_starts(text, STR("SIP/2.0 "))) {
			continue;
		}
		MUST(sip_msg_parse_text(text, flags_of(&flow), &msg) == 0);
		MUST(msg->is_request && !msg->error && msg->max_forwards >= 0);
		MUST(str_eq(msg->via.host, STR("192.0.2.1")) ||
		     str_eq(msg->via.host, STR("[2001:db8::1]")) ||
		     str_eq(msg->via.host, STR("sip.example.com")));
		MUST(!net_addr_is_loopback(&flow.remote));
		sip_msg_unref(&msg);
		keep(run, text, &flow);
	}
}

/* A stranger buys nothing with a message. */
static void expect_little(struct run *run, size_t n, const struct net_addr *from)
{
	struct txn_counts counts;
	struct tp_flow flow;
	struct str text;

	rig_settle(&run->rig);
	counts = txn_layer_counts(run->rig.txns);
	MUST(counts.server_open == 0 && counts.server_lingering == 0 && counts.client == 0);
	MUST(run->rig.proxy->open_n == 0);
	if (fake_wire_sent(run->rig.wire, &text, &flow)) {
		MUST(str_starts(text, STR("SIP/2.0 ")) && text.n <= 2 * n + 600);
		MUST(net_addr_eq_ip(&flow.remote, from));
		MUST(!fake_wire_sent(run->rig.wire, &text, &flow));
	}
}

static void receive(struct run *run, struct str text, uint8_t proto, const struct net_addr *from)
{
	if (text.n == 0 || text.n > SIP_MSG_MAX) {
		return;
	}
	fake_wire_receive(run->rig.wire, text, proto, from);
	if (run->is_closed) {
		expect_little(run, text.n, from);
	}
}

/* "486 2": what is asked for is there, or nothing happens. */
static void answer(struct run *run, struct str how, struct str lines)
{
	struct str code, which;
	struct sip_reply reply = { .to_tag = STR("fuzz"), .headers = lines };
	struct sip_msg *msg;
	struct sip_out out;
	uint32_t n = 1, status;

	(void)str_cut(how, ' ', &code, &which);
	if (str_to_u32(code, &status) || status < 100 || status > 699 ||
	    (which.n && str_to_u32(which, &n)) || n == 0 || n > run->sent_n) {
		return;
	}
	const struct sent *s = &run->sent[run->sent_n - n];
	const struct net_addr from = s->flow.remote;
	const uint8_t proto = s->flow.proto;

	MUST(sip_msg_parse_text(s->text, flags_of(&s->flow), &msg) == 0);
	reply.code = (int)status;
	MUST(sip_build_reply(msg, &reply, &msg->arena, &out) == 0);
	receive(run, str_make(out.iov->iov_base, out.len), proto, &from);
	sip_msg_unref(&msg);
}

static void step(struct run *run, struct str head, struct str text)
{
	struct str how = str_skip(head, head.n > 2 ? 2 : head.n);
	struct net_addr addr = peer(how);
	uint32_t ms;

	switch (head.n > 1 ? head.p[1] : 0) {
	case 'u': receive(run, text, TP_UDP, &addr); break;
	case 't': receive(run, text, TP_TCP, &addr); break;
	case 'r': answer(run, how, text); break;
	case 'x': fake_wire_unreachable(run->rig.wire, TP_UDP, &addr); break;
	case 'p':
		if (str_to_u32(how, &ms) == 0) {
			worker_pass(run->rig.w, ms < MS_MAX ? ms : MS_MAX);
		}
		break;
	default: break;
	}
}

/* Up to the newline before the next '@'. */
static struct str take_text(struct str *rest)
{
	const char *end = memmem(rest->p, rest->n, "\n@", 2);
	struct str text = *rest;

	if (end) {
		text.n = (size_t)(end - rest->p);
	}
	*rest = str_skip(*rest, end ? text.n + 1 : text.n);
	return text;
}

static void finish(struct run *run)
{
	struct txn_counts counts = txn_layer_counts(run->rig.txns);

	for (unsigned i = 0; i < ROUNDS && (counts.server_open || run->rig.proxy->open_n); i++) {
		worker_pass(run->rig.w, 8000);
		look(run);
		counts = txn_layer_counts(run->rig.txns);
	}
	MUST(counts.server_open == 0 && run->rig.proxy->open_n == 0);
	worker_pass(run->rig.w, 64000);
	look(run);
	counts = txn_layer_counts(run->rig.txns);
	MUST(counts.server_lingering == 0 && counts.client == 0 && counts.linger_bytes == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct run run;
	struct str rest = str_make((const char *)data, size), head;

	run.is_closed = str_starts(rest, STR("@a"));
	const struct rig_params params = {
		.modules = modules,
		.settings = run.is_closed ? closed : open_all,
		.users = users,
	};

	MUST(rig_init(&run.rig, &params) == 0);
	run.sent_n = 0;
	for (unsigned i = 0; i < STEPS_MAX && rest.n > 0; i++) {
		(void)str_cut(rest, '\n', &head, &rest);
		if (str_starts(head, STR("@"))) {
			step(&run, head, str_starts(rest, STR("@")) ? STR_NONE : take_text(&rest));
			look(&run);
		}
	}
	finish(&run);
	rig_fini(&run.rig);
	return 0;
}
