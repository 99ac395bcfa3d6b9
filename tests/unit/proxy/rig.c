/* SPDX-License-Identifier: Apache-2.0 */
#include "proxy/rig.h"

#include <errno.h>
#include <stdarg.h>

static const char base[] =
	"server: { name = \"proxy.example.com\"; user = \"\"; group = \"\"; trace_ring = 0; };\n"
	"listen = ( { transport = \"udp\"; address = \"192.0.2.1\"; port = 5060; },\n"
	"  { transport = \"tcp\"; address = \"192.0.2.1\"; port = 5060; },\n"
	"  { transport = \"udp\"; address = \"2001:db8::1\"; port = 5060; },\n"
	"  { transport = \"tcp\"; address = \"2001:db8::1\"; port = 5060; } );\n"
	"domains = ( \"example.com\" );\n"
	"modules = ();\n";

static const struct hash_key dialog_key = { { 0x1122334455667788, 0x99aabbccddeeff00 } };

/* --- making it */

static int load(struct rig *rig, const char *settings)
{
	char text[4096], *error = NULL;
	int err;

	snprintf(text, sizeof(text), "%s%s", base, settings ? settings : "");
	err = conf_load_text(str_from(text), "rig.conf", NULL, 0, NULL, NULL, &rig->conf, &error);
	ck_assert_msg(err == 0 || err == -ENOMEM, "%s", error ? error : "conf");
	free(error);
	return err;
}

static int start(struct rig *rig, bool async)
{
	struct proxy_params params = { .dialog_key = { &dialog_key } };
	int err;

	rig->w = worker_new_fake(rig->conf, 1000000);
	rig->tp = rig->w ? transport_new_fake(rig->w, &rig->wire) : NULL;
	if (rig->tp == NULL) {
		return -ENOMEM;
	}
	err = txn_layer_new(rig->w, rig->tp, &rig->txns);
	if (err == 0) {
		err = async ? loc_table_new_fake_async(rig->w, &rig->loc)
		            : loc_table_new(rig->w->group, NULL, NULL, &rig->loc);
	}
	if (err == 0) {
		err = loc_table_start_worker(rig->loc, rig->w);
	}
	params.worker = rig->w;
	params.transport = rig->tp;
	params.txns = rig->txns;
	params.location = rig->loc;
	params.subscribers = (struct sub_table *)(void *)rig;
	params.dns = (struct dns_resolver *)(void *)rig;
	return err ? err : proxy_new(&params, &rig->p);
}

int rig_init(struct rig *rig, const char *settings, bool async)
{
	int err;

	memset(rig, 0, sizeof(*rig));
	err = load(rig, settings);
	return err ? err : start(rig, async);
}

void rig_fini(struct rig *rig)
{
	if (rig->p) {
		proxy_free(rig->p);
	}
	if (rig->txns) {
		txn_layer_free(rig->txns);
	}
	if (rig->w) {
		worker_turn(rig->w); /* what left in the last turn is freed */
	}
	loc_table_free(rig->loc);
	if (rig->tp) {
		transport_free_fake(rig->tp);
	}
	if (rig->w) {
		worker_free_fake(rig->w);
	}
	if (rig->conf) {
		conf_unref(&rig->conf);
	}
	for (size_t i = 0; i < rig->sent_n; i++) {
		free(rig->sent[i].text);
	}
	free(rig->query);
}

static struct rig *make(const char *settings, bool async)
{
	struct rig *rig = malloc(sizeof(*rig));

	ck_assert_ptr_nonnull(rig);
	ck_assert_int_eq(rig_init(rig, settings, async), 0);
	return rig;
}

struct rig *rig_new(const char *settings)
{
	return make(settings, false);
}

struct rig *rig_new_async(const char *settings)
{
	return make(settings, true);
}

void rig_free(struct rig *rig)
{
	rig_fini(rig);
	free(rig);
}

/* --- bindings */

static void committed(int err, struct loc_set *set, void *arg)
{
	(void)set;
	(void)arg;
	ck_assert_int_eq(err, 0);
}

static void put_binding(struct rig *rig, const char *aor, struct loc_binding *b, const char *params)
{
	char call_id[32];
	struct loc_op op = { .kind = LOC_OP_SET };
	struct loc_change change = { .aor = str_from(aor), .ops = &op, .ops_n = 1, .cseq = 1 };
	struct str value;

	snprintf(call_id, sizeof(call_id), "reg-%d", ++rig->bound);
	change.call_id = str_from(call_id);
	b->q = 1000;
	b->params = str_from(params ? params : "");
	b->call_id = change.call_id;
	b->cseq = 1;
	b->expires_ms = rig->w->clock.now_ms + 3600000;
	if (sip_param_find(b->params, STR("q"), &value)) {
		b->has_q = true;
		ck_assert_int_eq(sip_q_parse(value, &b->q), 0);
	}
	if (sip_param_find(b->params, STR("+sip.instance"), &value)) {
		b->instance = str_make(value.p + 2, value.n - 4);
	}
	if (sip_param_find(b->params, STR("reg-id"), &value)) {
		str_to_u32(value, &b->reg_id);
	}
	op.b = *b;
	ck_assert_int_eq(loc_apply(rig->loc, rig->w, &change, committed, rig, NULL), 0);
	worker_turn(rig->w);
	worker_turn(rig->w);
	clock_advance(&rig->w->clock, 1);
}

void rig_bind(struct rig *rig, const char *aor, const char *contact, const char *params)
{
	struct loc_binding b = { .contact = str_from(contact) };

	put_binding(rig, aor, &b, params);
}

void rig_bind_flow(struct rig *rig, const char *aor, const char *contact, const char *params,
                   uint8_t proto, const char *ip)
{
	struct loc_binding b = { .contact = str_from(contact), .has_flow = true };
	struct net_addr remote;

	if (proto == TP_UDP) {
		ck_assert_int_eq(net_addr_parse(str_from(ip), 5060, &remote), 0);
		ck_assert_int_eq(transport_pick(rig->tp, proto, &remote, NULL, &b.flow), 0);
	} else { /* the phone's own connection */
		rig_ask(rig, .method = "OPTIONS", .uri = "sip:example.com", .ip = ip,
		        .proto = proto);
		b.flow = rig_sent(rig, "SIP/2.0 200")->flow;
	}
	put_binding(rig, aor, &b, params);
}

void rig_bind_path(struct rig *rig, const char *aor, const char *contact, const char *path)
{
	struct loc_binding b = { .contact = str_from(contact), .path = str_from(path) };

	put_binding(rig, aor, &b, NULL);
}

void rig_bind_from(struct rig *rig, const char *aor, const char *contact, const char *received)
{
	struct loc_binding b = { .contact = str_from(contact), .received = str_from(received) };

	put_binding(rig, aor, &b, NULL);
}

size_t rig_bindings(struct rig *rig, const char *aor)
{
	struct loc_set *set = NULL;
	size_t n = 0;

	ck_assert_int_eq(loc_lookup(rig->loc, rig->w, str_from(aor), &set, NULL, NULL, NULL), 0);
	for (size_t i = 0; set && i < loc_set_n(set); i++) {
		struct loc_binding b;

		loc_set_get(set, i, &b);
		n += !b.flow_dead;
	}
	loc_set_unref(&set);
	return n;
}

/* --- what arrives */

void rig_receive(struct rig *rig, const char *text, uint8_t proto, const char *ip, uint16_t port)
{
	char wire[16384];
	struct net_addr from;
	size_t n = 0;

	for (const char *p = text; *p && n + 2 < sizeof(wire); p++) {
		if (*p == '\n' && (p == text || p[-1] != '\r')) {
			wire[n++] = '\r';
		}
		wire[n++] = *p;
	}
	ck_assert_int_eq(net_addr_parse(str_from(ip), port, &from), 0);
	fake_wire_receive(rig->wire, str_make(wire, n), proto, &from);
	worker_turn(rig->w);
}

static const char * or (const char *s, const char *dflt)
{
	return s ? s : dflt;
}

void rig_ask_with(struct rig *rig, const struct ask *ask)
{
	const char *method = or (ask->method, "INVITE"),
		   *uri = or (ask->uri, "sip:bob@example.com");
	const char *ip = or (ask->ip, ALICE), *body = or (ask->body, "");
	bool v6 = strchr(ip, ':') != NULL;
	char text[12000], branch[64], mf[32], tag[64];

	rig->branch += ask->again ? 0 : 1;
	snprintf(branch, sizeof(branch), "z9hG4bK-%u", rig->branch);
	snprintf(mf, sizeof(mf), "Max-Forwards: %d\n",
	         ask->max_forwards == 0    ? 70
	         : ask->max_forwards == -2 ? 0
	                                   : ask->max_forwards);
	snprintf(tag, sizeof(tag), ";tag=%s", or (ask->from_tag, "a"));
	snprintf(text, sizeof(text),
	         "%s %s SIP/2.0\nVia: SIP/2.0/%.*s %s%s%s:5060;branch=%s;rport\n%s%s"
	         "From: %s%s\nTo: %s%s%s\nCall-ID: %s\nCSeq: %u %s\n%sContent-Length: %zu\n\n",
	         method, uri, STR_FMT(tp_proto_name(ask->proto)), v6 ? "[" : "", ip, v6 ? "]" : "",
	         or (ask->branch, branch), or (ask->vias, ""), ask->max_forwards == -1 ? "" : mf,
	         or (ask->from, "<sip:alice@example.net>"),
	         ask->from_tag && strcmp(ask->from_tag, "-") == 0 ? "" : tag,
	         or (ask->to, "<sip:bob@example.com>"), ask->to_tag ? ";tag=" : "",
	         or (ask->to_tag, ""), or (ask->call_id, "call-1"), ask->cseq ? ask->cseq : 1,
	         method, or (ask->lines, ""), strlen(body));
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s", body);
	rig_receive(rig, text, ask->proto, ip, 5060);
}

/* --- what left */

static struct sent *take(struct rig *rig)
{
	struct sent *m = &rig->sent[rig->sent_n];
	struct str bytes;

	if (!fake_wire_sent(rig->wire, &bytes, &m->flow)) {
		return NULL;
	}
	ck_assert_uint_lt(rig->sent_n, sizeof(rig->sent) / sizeof(rig->sent[0]));
	m->text = str_dup(bytes);
	ck_assert_ptr_nonnull(m->text);
	m->n = bytes.n;
	net_addr_text(&m->flow.remote, m->to);
	rig->sent_n++;
	return m;
}

const struct sent *rig_sent(struct rig *rig, const char *start)
{
	struct sent *m;

	worker_turn(rig->w);
	m = take(rig);
	ck_assert_msg(m != NULL, "nothing was sent, not \"%s\"", start);
	ck_assert_msg(strncmp(m->text, start, strlen(start)) == 0, "sent is not \"%s\" but:\n%s",
	              start, m->text);
	return m;
}

void rig_nothing(struct rig *rig)
{
	struct sent *m;

	worker_turn(rig->w);
	m = take(rig);
	ck_assert_msg(m == NULL, "sent:\n%s", m ? m->text : "");
}

void rig_skip(struct rig *rig)
{
	worker_turn(rig->w);
	while (fake_wire_sent(rig->wire, NULL, NULL)) {
	}
}

void rig_pass(struct rig *rig, uint64_t ms)
{
	worker_pass(rig->w, ms);
}

static const char *line_of(const struct sent *m, const char *name, unsigned k)
{
	size_t n = strlen(name);

	for (const char *p = strstr(m->text, "\r\n"); p; p = strstr(p, "\r\n")) {
		p += 2;
		if (*p == '\r') {
			return NULL;
		}
		if (strncasecmp(p, name, n) == 0 && p[n] == ':' && k-- == 0) {
			return p + n + 1;
		}
	}
	return NULL;
}

const char *rig_hdr(const struct sent *m, const char *name, unsigned k)
{
	static char values[8][2048];
	static unsigned at;
	const char *p = line_of(m, name, k);
	char *value = values[at++ % 8];

	if (p == NULL) {
		return NULL;
	}
	p += strspn(p, " ");
	snprintf(value, sizeof(values[0]), "%.*s", (int)strcspn(p, "\r"), p);
	return value;
}

unsigned rig_hdr_n(const struct sent *m, const char *name)
{
	unsigned k = 0;

	while (line_of(m, name, k)) {
		k++;
	}
	return k;
}

bool rig_has(const struct sent *m, const char *part)
{
	return strstr(m->text, part) != NULL;
}

static void add(char *text, size_t cap, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void add(char *text, size_t cap, const char *fmt, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text + n, cap - n, fmt, ap);
	va_end(ap);
}

void rig_answer(struct rig *rig, const struct sent *req, int code, const char *tag,
                const char *lines)
{
	const char *to = rig_hdr(req, "To", 0);
	char text[8192] = "", ip[NET_ADDR_TEXT];

	add(text, sizeof(text), "SIP/2.0 %d Because\n", code);
	for (unsigned k = 0; rig_hdr(req, "Via", k); k++) {
		add(text, sizeof(text), "Via: %s\n", rig_hdr(req, "Via", k));
	}
	for (unsigned k = 0; code / 100 <= 2 && rig_hdr(req, "Record-Route", k); k++) {
		add(text, sizeof(text), "Record-Route: %s\n", rig_hdr(req, "Record-Route", k));
	}
	add(text, sizeof(text), "From: %s\nTo: %s", rig_hdr(req, "From", 0), to);
	if (strstr(to, ";tag=") == NULL && code > 100) {
		add(text, sizeof(text), ";tag=%s", tag ? tag : "t");
	}
	add(text, sizeof(text), "\nCall-ID: %s\nCSeq: %s\n%sContent-Length: 0\n\n",
	    rig_hdr(req, "Call-ID", 0), rig_hdr(req, "CSeq", 0), lines ? lines : "");
	net_addr_ip_text(&req->flow.remote, ip);
	rig_receive(rig, text, req->flow.proto, ip, req->flow.remote.port);
}

const struct sent *rig_refused(struct rig *rig, const struct ask *ask, const char *status)
{
	char start[64];
	const struct sent *m;

	snprintf(start, sizeof(start), "SIP/2.0 %s", status);
	rig_ask_with(rig, ask);
	m = rig_sent(rig, start);
	rig_nothing(rig);
	return m;
}

void rig_call(struct rig *rig, const struct ask *ask, const struct sent **got, size_t n)
{
	rig_ask_with(rig, ask);
	for (size_t i = 0; i < n; i++) {
		got[i] = rig_sent(rig, "INVITE ");
	}
	rig_sent(rig, "SIP/2.0 100 ");
	rig_nothing(rig);
}

/* --- DNS */

struct dns_query {
	dns_cb *cb;
	void *arg;
	const struct rig_name *name;
};

static struct rig *rig_of(struct dns_resolver *r)
{
	return (struct rig *)(void *)r;
}

static void fill(const struct rig_name *name, struct dns_answer *answer, struct dns_target *v)
{
	*answer = (struct dns_answer){ .v = v };
	for (size_t i = 0; i < 4 && name->addr[i]; i++) {
		v[i].proto = name->proto[i];
		v[i].name = str_from(name->name);
		ck_assert_int_eq(net_addr_parse(str_from(name->addr[i]), 5060, &v[i].addr), 0);
		answer->n++;
	}
}

int dns_resolve(struct dns_resolver *r, const struct dns_ask *ask, struct arena *arena,
                struct dns_answer *answer_r, dns_cb *cb, void *arg, struct dns_query **query_r)
{
	struct rig *rig = rig_of(r);
	struct dns_target *v;

	for (size_t i = 0; i < rig->names_n; i++) {
		const struct rig_name *name = &rig->names[i];

		if (!str_eq_nocase(str_from(name->name), ask->uri->host)) {
			continue;
		}
		if (name->later) {
			rig->query = malloc(sizeof(*rig->query));
			if (rig->query == NULL) {
				return -ENOMEM;
			}
			*rig->query = (struct dns_query){ .cb = cb, .arg = arg, .name = name };
			*query_r = rig->query;
			return BELFRY_WAIT;
		}
		if (name->err) {
			return name->err;
		}
		v = arena_zalloc(arena, 4 * sizeof(*v));
		if (v == NULL) {
			return -ENOMEM;
		}
		fill(name, answer_r, v);
		return 0;
	}
	return BELFRY_ENXDOMAIN;
}

void dns_cancel(struct dns_query **query)
{
	(*query)->cb = NULL;
	*query = NULL;
}

void rig_dns_answer(struct rig *rig)
{
	struct dns_query *query = rig->query;
	struct dns_target v[4] = { 0 };
	struct dns_answer answer;

	ck_assert_ptr_nonnull(query);
	rig->query = NULL;
	fill(query->name, &answer, v);
	if (query->cb) {
		query->cb(query->name->err, &answer, query->arg);
	}
	free(query);
	worker_turn(rig->w);
}

static void mark(struct rig *rig, const char *what, const struct dns_target *t, uint32_t s)
{
	char addr[NET_ADDR_TEXT];

	net_addr_text(&t->addr, addr);
	add(rig->marked, sizeof(rig->marked), "%s%s %s/%.*s/%u", rig->marked[0] ? " " : "", what,
	    addr, STR_FMT(tp_proto_param(t->proto)), s);
}

void dns_mark_failed(struct dns_resolver *r, const struct dns_target *t, uint32_t retry_after_s)
{
	mark(rig_of(r), "failed", t, retry_after_s);
}

void dns_mark_good(struct dns_resolver *r, const struct dns_target *t)
{
	mark(rig_of(r), "good", t, 0);
}

void rig_name(struct rig *rig, const struct rig_name *name)
{
	rig->names[rig->names_n++] = *name;
}

/* --- subscribers */

size_t sub_count(const struct sub_table *t)
{
	const struct rig *rig = (const void *)t;
	size_t n = 0;

	while (n < 4 && rig->users[n]) {
		n++;
	}
	return n;
}

bool sub_exists(struct sub_table *t, struct str aor)
{
	const struct rig *rig = (const void *)t;

	for (size_t i = 0; i < 4 && rig->users[i]; i++) {
		if (str_eq(aor, str_from(rig->users[i]))) {
			return true;
		}
	}
	return false;
}

/* --- the rest */

void rig_hook(struct rig *rig, enum belfry_hook_point point, union belfry_hook_fn fn)
{
	static size_t n;
	size_t i = n++ % 4;

	rig->entries[i] = (struct hook_entry){ .order = 1, .fn = fn };
	rig->hooks.v[point] = &rig->entries[i];
	rig->hooks.n[point] = 1;
	proxy_set_hooks(rig->p, &rig->hooks);
}

uint64_t rig_counter(struct rig *rig, int id)
{
	return counters_get(rig->w->counters, id);
}
