/* SPDX-License-Identifier: Apache-2.0 */
#include "module/rig.h"

#include "sip/addr.h"

#include "util/log.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

#define BASE                                                                                       \
	"server: { name = \"sip.example.com\"; workers = 1; };\n"                                  \
	"listen = ( { transport = \"udp\"; address = \"192.0.2.1\"; port = 5060; },\n"             \
	"           { transport = \"tcp\"; address = \"192.0.2.1\"; port = 5060; },\n"             \
	"           { transport = \"udp\"; address = \"2001:db8::1\"; port = 5060; } );\n"         \
	"domains = ( \"example.com\", \"example.org\" );\n"

/* --- users: in place of src/subscriber --- */

static const struct rig *the_rig; /* the only one */

static const struct rig_user *find_user(struct str user, struct str domain)
{
	const struct rig_user *u = the_rig ? the_rig->users : NULL;

	for (; u && u->user; u++) {
		if (str_eq(str_from(u->user), user) && str_eq(str_from(u->domain), domain)) {
			return u;
		}
	}
	return NULL;
}

static void hash(const char *name, const struct rig_user *u, unsigned char out[32])
{
	char text[256];
	int n = snprintf(text, sizeof(text), "%s:%s:%s", u->user, u->domain, u->password);

	ck_assert(EVP_Digest(text, (size_t)n, out, NULL, EVP_get_digestbyname(name), NULL) == 1);
}

bool sub_find(struct sub_table *t, struct str user, struct str domain, struct subscriber *sub_r)
{
	const struct rig_user *u = find_user(user, domain);

	(void)t;
	if (!u) {
		return false;
	}
	*sub_r = (struct subscriber){ .has = { true, true, true }, .priority = u->priority };
	hash("MD5", u, sub_r->ha1[SUB_MD5]);
	hash("SHA256", u, sub_r->ha1[SUB_SHA256]);
	hash("SHA512-256", u, sub_r->ha1[SUB_SHA512_256]);
	return true;
}

bool sub_exists(struct sub_table *t, struct str aor)
{
	struct str user, domain;

	(void)t;
	return str_cut(aor, '@', &user, &domain) && find_user(user, domain);
}

size_t sub_count(const struct sub_table *t)
{
	(void)t;
	return the_rig && the_rig->users ? 1 : 0;
}

/* --- in place of src/dns and src/store: nothing but numeric hosts, no database --- */

int dns_resolve(struct dns_resolver *r, const struct dns_ask *ask, struct arena *arena,
                struct dns_answer *answer_r, dns_cb *cb, void *arg, struct dns_query **query_r)
{
	(void)r;
	(void)ask;
	(void)arena;
	(void)answer_r;
	(void)cb;
	(void)arg;
	(void)query_r;
	return BELFRY_ENXDOMAIN;
}

void dns_cancel(struct dns_query **query)
{
	*query = NULL;
}

void dns_mark_failed(struct dns_resolver *r, const struct dns_target *t, uint32_t retry_after_s)
{
	(void)r;
	(void)t;
	(void)retry_after_s;
}

void dns_mark_good(struct dns_resolver *r, const struct dns_target *t)
{
	(void)r;
	(void)t;
}

int store_derive_key(struct store *s, const char *purpose, unsigned generation, void *out, size_t n)
{
	(void)s;
	(void)purpose;
	(void)generation;
	(void)out;
	(void)n;
	return BELFRY_ENOENT;
}

/* --- making it --- */

static int conf_make(struct rig *rig, const struct rig_params *params)
{
	char text[4096];
	char *error = NULL;
	const char *why;
	int n = snprintf(text, sizeof(text), BASE "modules = (");
	int err = 0;

	for (size_t i = 0; params->modules[i] && !err; i++) {
		err = module_add(rig->loader, params->modules[i], &why);
		n += snprintf(text + n, sizeof(text) - (size_t)n, "%s\"%s\"", i ? ", " : " ",
		              params->modules[i]->name);
	}
	snprintf(text + n, sizeof(text) - (size_t)n, " );\n%s\n",
	         params->settings ? params->settings : "");
	if (!err) {
		err = conf_load_text(str_from(text), "rig.conf", NULL, 0, module_conf_info,
		                     rig->loader, &rig->conf, &error);
	}
	ck_assert_msg(err != BELFRY_ECONF, "%s", error);
	free(error);
	return err;
}

static int proxy_make(struct rig *rig)
{
	const struct proxy_params params = {
		.worker = rig->w,
		.transport = rig->tp,
		.txns = rig->txns,
		.location = rig->location,
		.subscribers = (struct sub_table *)rig,
	};

	return proxy_new(&params, &rig->proxy);
}

static int modules_make(struct rig *rig)
{
	const struct module_core_params params = {
		.loader = rig->loader,
		.conf = rig->conf,
		.workers = rig->w->group,
		.counters = rig->w->counters,
		.location = rig->location,
		.subscribers = (struct sub_table *)rig,
		.clock = &rig->w->clock,
	};
	char *error = NULL;
	int err = module_core_new(&params, &rig->core, &error);

	if (!err) {
		err = module_worker_new(rig->core, rig->w, rig->tp, rig->proxy, &rig->mw, &error);
	}
	free(error);
	return err;
}

/* Events are no part of what is tested, and there are many. */
static void drop_line(void *arg, struct str line)
{
	(void)arg;
	(void)line;
}

int rig_init(struct rig *rig, const struct rig_params *params)
{
	int err = -ENOMEM;

	*rig = (struct rig){ .users = params->users };
	the_rig = rig;
	log_set_sink(drop_line, NULL);
	arena_init(&rig->arena, NULL);
	rig->loader = module_loader_new();
	if (rig->loader) {
		err = conf_make(rig, params);
	}
	if (!err) {
		rig->w = worker_new_fake(rig->conf, 1000000);
		rig->tp = rig->w ? transport_new_fake(rig->w, &rig->wire) : NULL;
		err = rig->tp ? txn_layer_new(rig->w, rig->tp, &rig->txns) : -ENOMEM;
	}
	if (!err) {
		err = params->is_async ? loc_table_new_fake_async(rig->w, &rig->location)
		                       : loc_table_new(rig->w->group, NULL, NULL, &rig->location);
	}
	if (!err) {
		err = loc_table_start_worker(rig->location, rig->w);
	}
	if (!err) {
		err = proxy_make(rig);
	}
	if (!err) {
		err = modules_make(rig);
	}
	if (err) {
		rig_fini(rig);
	}
	return err;
}

void rig_fini(struct rig *rig)
{
	sip_msg_unref(&rig->last);
	if (rig->proxy) {
		proxy_free(rig->proxy);
	}
	module_core_free(rig->core);
	if (rig->txns) {
		txn_layer_free(rig->txns);
	}
	if (rig->tp) {
		transport_free_fake(rig->tp);
	}
	loc_table_free(rig->location);
	if (rig->w) {
		worker_free_fake(rig->w);
	}
	conf_unref(&rig->conf);
	module_loader_free(rig->loader);
	arena_fini(&rig->arena);
	the_rig = NULL;
}

/* --- using it --- */

static const char * or (const char *given, const char *otherwise)
{
	return given ? given : otherwise;
}

void rig_settle(struct rig *rig)
{
	for (int i = 0; i < 5; i++) {
		worker_turn(rig->w);
	}
}

void rig_send(struct rig *rig, const struct rig_request *r)
{
	static unsigned branch;
	const char *to = or (r->to, "<sip:alice@example.com>");
	const char *protos[] = { "UDP", "TCP" };
	struct net_addr from;
	char text[8192];
	int n = snprintf(text, sizeof(text),
	                 "%s %s SIP/2.0\r\n"
	                 "Via: SIP/2.0/%s %s;branch=z9hG4bK%u\r\n"
	                 "Max-Forwards: 70\r\n"
	                 "From: %s;tag=f\r\n"
	                 "To: %s\r\n"
	                 "Call-ID: %s\r\n"
	                 "CSeq: %u %s\r\n"
	                 "%s"
	                 "Content-Length: 0\r\n\r\n",
	                 or (r->method, "REGISTER"), or (r->uri, "sip:example.com"),
	                 protos[r->proto], or (r->via, "192.0.2.50:5060"), branch++,
	                 or (r->from, to), to, or (r->call_id, "c1"), r->cseq ? r->cseq : 1,
	                 or (r->method, "REGISTER"), or (r->headers, ""));

	ck_assert_int_lt(n, (int)sizeof(text));
	ck_assert_int_eq(net_addr_parse(str_from(or (r->ip, "192.0.2.50")),
	                                r->port ? r->port : 5060, &from),
	                 0);
	fake_wire_receive(rig->wire, str_make(text, (size_t)n), r->proto, &from);
	rig_settle(rig);
}

struct sip_msg *rig_next(struct rig *rig)
{
	struct str bytes;

	sip_msg_unref(&rig->last);
	if (!fake_wire_sent(rig->wire, &bytes, NULL)) {
		return NULL;
	}
	bytes = arena_str(&rig->arena, bytes);
	if (!bytes.p || sip_msg_parse_text(bytes, 0, &rig->last) < 0) {
		return NULL;
	}
	return rig->last;
}

int rig_ask(struct rig *rig, const struct rig_request *r)
{
	const struct sip_msg *m;

	rig_send(rig, r);
	m = rig_next(rig);
	return m && !m->is_request ? m->status : 0;
}

struct str rig_field(const struct rig *rig, enum sip_hdr id, int n)
{
	int i = -1;

	do {
		i = rig->last ? sip_msg_next(rig->last, id, i) : -1;
	} while (i >= 0 && n-- > 0);
	return i >= 0 ? sip_msg_value(rig->last, i) : STR_NONE;
}

struct str rig_header(struct rig *rig, enum sip_hdr id)
{
	struct str all = STR("");

	for (int i = -1; rig->last && (i = sip_msg_next(rig->last, id, i)) >= 0;) {
		struct str v = sip_msg_value(rig->last, i);

		all = arena_printf(&rig->arena, "%.*s%s%.*s", STR_FMT(all), all.n ? "; " : "",
		                   STR_FMT(v));
	}
	return all;
}

void rig_advance(struct rig *rig, uint64_t ms)
{
	clock_advance(&rig->w->clock, ms);
	rig_settle(rig);
}

uint64_t rig_count(const struct rig *rig, const char *name, const char *labels)
{
	const struct counter_def def = { .name = name, .labels = labels, .help = "" };
	int id = counters_register(rig->w->counters, &def);

	ck_assert_int_ge(id, 0);
	return counters_get(rig->w->counters, id);
}
