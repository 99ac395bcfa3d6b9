/* SPDX-License-Identifier: Apache-2.0 */
/* dns, dns-records: where a URI leads by RFC 3263, and the records that lead here. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/gather.h"
#include "ctl/json.h"
#include "ctl/table.h"
#include "dns/resolve.h"
#include "dns/rr.h"
#include "net/socket.h"
#include "transport/transport.h"
#include "util/err.h"

#define URI_MAX 2048

/* --- dns ----------------------------------------------------------------------------------------
 */

struct question {
	struct job job;
	struct ctl_call *call;
	struct ctl_env *env;
	struct sip_uri uri;
	struct dns_ask ask;
	struct dns_query *query;
	int err;
	json_t *records, *targets; /* NULL: out of memory */
	size_t text_n;
	char text[URI_MAX];
};

static void question_free(struct question *q)
{
	json_decref(q->records);
	json_decref(q->targets);
	free(q);
}

static const char *why_not(int err)
{
	switch (err) {
	case BELFRY_ENXDOMAIN: return "there is no such name";
	case BELFRY_ENOENT: return "no address for a transport that this server has";
	case BELFRY_ETIMEOUT: return "no answer from the name servers";
	default: return belfry_strerror(err);
	}
}

/* Nothing was found: what there is has to fit into one sentence. */
static void refuse(struct ctl_call *call, const struct question *q)
{
	char text[800];
	const json_t *row;
	size_t i, n = 0;

	text[0] = '\0';
	json_array_foreach(q->records, i, row)
	{
		int took = snprintf(text + n, sizeof(text) - n, "%s%s %s: %s", n ? "; " : " (",
		                    json_string_value(json_object_get(row, "type")),
		                    json_string_value(json_object_get(row, "name")),
		                    json_string_value(json_object_get(row, "data")));

		if (took < 0 || n + (size_t)took >= sizeof(text)) {
			text[n] = '\0';
			break;
		}
		n += (size_t)took;
	}
	ctl_call_fail(call, CTL_EFAILED, "%s%s%s", why_not(q->err), text, n ? ")" : "");
}

static void answer(struct job *job, void *ctx)
{
	struct question *q = (struct question *)(void *)job;

	(void)ctx;
	if (q->err) {
		refuse(q->call, q);
	} else {
		ctl_call_reply(q->call, q->records && q->targets
		                                ? json_pack("{s:O, s:O}", "records", q->records,
		                                            "targets", q->targets)
		                                : NULL);
	}
	question_free(q);
}

static void append(json_t **list, json_t *one)
{
	if (*list && json_array_append_new(*list, one)) {
		json_decref(*list);
		*list = NULL;
	} else if (!*list) {
		json_decref(one);
	}
}

/* --- on the worker */

static json_t *target_json(struct dns_resolver *r, const struct dns_target *t, size_t order)
{
	char text[NET_ADDR_TEXT];

	return json_pack("{s:i, s:o, s:o, s:o, s:o, s:b}", "order", (int)order, "transport",
	                 ctl_json_str(tp_proto_param(t->proto)), "address",
	                 ctl_json_str(net_addr_text(&t->addr, text)), "name",
	                 t->name.n ? ctl_json_str(t->name) : json_null(), "ttl",
	                 t->ttl_s ? json_integer(t->ttl_s) : json_null(), "failed",
	                 dns_is_failed(r, t));
}

static const char *type_name(uint16_t type)
{
	switch (type) {
	case DNS_A: return "A";
	case DNS_AAAA: return "AAAA";
	case DNS_SRV: return "SRV";
	default: return "NAPTR";
	}
}

/* As a zone file has it. */
static void print_data(char *out, size_t cap, const struct dns_rr *rr)
{
	struct net_addr addr = { .family = rr->type == DNS_A ? 4 : 6 };

	switch (rr->type) {
	case DNS_A:
	case DNS_AAAA:
		memcpy(addr.ip, rr->ip, rr->type == DNS_A ? 4 : sizeof(addr.ip));
		(void)net_addr_ip_text(&addr, out);
		break;
	case DNS_SRV:
		(void)snprintf(out, cap, "%u %u %u %.*s.", rr->srv.priority, rr->srv.weight,
		               rr->srv.port, STR_FMT(rr->srv.target));
		break;
	default:
		(void)snprintf(out, cap, "%u %u \"%.*s\" \"%.*s\" \"%.*s\" %.*s.", rr->naptr.order,
		               rr->naptr.preference, STR_FMT(rr->naptr.flags),
		               STR_FMT(rr->naptr.service), STR_FMT(rr->naptr.regexp),
		               STR_FMT(rr->naptr.replacement));
		break;
	}
}

static void add_answer(void *arg, struct str name, uint16_t type, int err, const struct dns_rr *rr)
{
	struct question *q = arg;
	char data[1200];

	if (rr) {
		print_data(data, sizeof(data), rr);
	} else {
		(void)snprintf(data, sizeof(data), "%s",
		               err == 0                  ? "none"
		               : err == BELFRY_ENXDOMAIN ? "no such name"
		                                         : "no answer");
	}
	append(&q->records,
	       json_pack("{s:o, s:s, s:o, s:o}", "name", ctl_json_str(name), "type",
	                 type_name(type), "ttl", rr ? json_integer(rr->ttl_s) : json_null(), "data",
	                 ctl_json_str(str_from(data))));
}

static void looked(int err, const struct dns_answer *dns, const struct dns_query *query, void *arg)
{
	struct question *q = arg;

	if (!q->env->mailbox) {
		question_free(q); /* the process is ending, its threads have ended */
		return;
	}
	q->err = err;
	if (query) {
		dns_query_each(query, add_answer, q);
	}
	for (size_t i = 0; dns && i < dns->n; i++) {
		append(&q->targets, target_json(q->env->dns, &dns->v[i], i + 1));
	}
	q->job.run = answer;
	mailbox_post_sure(q->env->mailbox, &q->job);
}

static void look(struct job *job, void *ctx)
{
	struct question *q = (struct question *)(void *)job;
	int err = dns_look(q->env->dns, &q->ask, looked, q, &q->query);

	(void)ctx;
	if (err && err != BELFRY_WAIT) {
		looked(err, NULL, NULL, q);
	}
}

static unsigned have_protos(const struct ctl_env *env)
{
	const struct tp_listener *l;
	unsigned have = 0;

	for (size_t i = 0; (l = transport_listener(env->transports, i)); i++) {
		have |= 1U << l->proto;
	}
	return have;
}

static void run_dns(struct ctl_call *call, struct ctl_env *env)
{
	struct str text = ctl_call_param(call, "uri");
	struct question *q = calloc(1, sizeof(*q));
	const char *why = "a SIP URI is wanted";

	if (!q) {
		ctl_call_reply(call, NULL);
		return;
	}
	q->text_n = text.n < sizeof(q->text) ? text.n : 0;
	memcpy(q->text, text.p, q->text_n);
	if (sip_uri_parse(str_make(q->text, q->text_n), &q->uri, &why) ||
	    (q->uri.scheme != SIP_URI_SIP && q->uri.scheme != SIP_URI_SIPS)) {
		free(q);
		ctl_call_fail(call, CTL_EPARAMS, "%s", why);
		return;
	}
	q->call = call;
	q->env = env;
	q->ask = (struct dns_ask){ .uri = &q->uri,
		                   .sips = q->uri.scheme == SIP_URI_SIPS,
		                   .have_protos = have_protos(env) };
	q->job.run = look;
	q->records = json_array();
	q->targets = json_array();
	workers_post(env->workers, 0, &q->job);
}

/* --- dns-records --------------------------------------------------------------------------------
 */

/* What a transport is called in NAPTR and SRV records (RFC 3263 4.1, RFC 7118 8.2). */
static const struct {
	const char *service, *prefix;
	uint16_t port;
} kinds[] = {
	[TP_UDP] = { "SIP+D2U", "_sip._udp", 5060 },   [TP_TCP] = { "SIP+D2T", "_sip._tcp", 5060 },
	[TP_TLS] = { "SIPS+D2T", "_sips._tcp", 5061 }, [TP_WS] = { "SIP+D2W", "_sip._ws", 80 },
	[TP_WSS] = { "SIPS+D2W", "_sips._ws", 443 },
};

struct records {
	json_t *list;
	bool failed;
	struct str domain;
};

static void add_record(struct records *r, const char *name, const char *type, const char *data)
{
	json_t *one = json_pack("{s:s, s:s, s:s}", "name", name, "type", type, "data", data);

	r->failed = json_array_append_new(r->list, one) != 0 || r->failed;
}

static void add_address(struct records *r, const char *name, const struct net_addr *addr)
{
	char ip[NET_ADDR_TEXT];

	(void)net_addr_ip_text(addr, ip);
	add_record(r, name, addr->family == 6 ? "AAAA" : "A", ip);
}

/* Is @host in the zone of @domain? */
static bool is_below(struct str host, struct str domain)
{
	return str_eq_nocase(host, domain) ||
	       (host.n > domain.n && host.p[host.n - domain.n - 1] == '.' &&
	        str_eq_nocase(str_skip(host, host.n - domain.n), domain));
}

/* The name that SRV records point to: the listener's, or sip.DOMAIN. It gets an address record
 * where it is of this domain; what stands in `advertise` is somebody else's address. */
static void host_name(struct records *r, const struct ctl_env *env, const struct tp_listener *l,
                      char out[300])
{
	struct net_addr addr = l->addr;

	if (net_addr_parse(l->host, 0, &addr) == 0) {
		(void)snprintf(out, 300, "sip.%.*s.", STR_FMT(r->domain));
		add_address(r, out, &addr);
		return;
	}
	(void)snprintf(out, 300, "%.*s.", STR_FMT(l->host));
	addr = l->addr;
	if (is_below(l->host, r->domain) && str_eq_nocase(l->host, env->conf->server.name) &&
	    (!net_addr_is_any(&addr) || net_own_addr(addr.family, &addr))) {
		add_address(r, out, &addr);
	}
}

/* Once per transport and domain, though several listeners may have it. */
static bool is_first(const struct ctl_env *env, size_t i, const struct tp_listener *l)
{
	const struct tp_listener *other;

	for (size_t k = 0; k < i && (other = transport_listener(env->transports, k)); k++) {
		if (other->proto == l->proto) {
			return false;
		}
	}
	return true;
}

static void add_listener(struct records *r, const struct ctl_env *env, size_t i,
                         const struct tp_listener *l)
{
	char name[300], data[400], host[300];
	unsigned port = l->port ? l->port : kinds[l->proto].port;

	(void)snprintf(name, sizeof(name), "%s.%.*s.", kinds[l->proto].prefix, STR_FMT(r->domain));
	if (is_first(env, i, l)) {
		char domain[300];

		/* Reliable transports first. */
		(void)snprintf(domain, sizeof(domain), "%.*s.", STR_FMT(r->domain));
		(void)snprintf(data, sizeof(data), "%d 50 \"s\" \"%s\" \"\" %s",
		               l->proto == TP_UDP ? 90 : 50, kinds[l->proto].service, name);
		add_record(r, domain, "NAPTR", data);
	}
	host_name(r, env, l, host);
	(void)snprintf(data, sizeof(data), "10 10 %u %s", port, host);
	add_record(r, name, "SRV", data);
}

/* Listeners of one address make the same records more than once. */
static json_t *without_doubles(json_t *list)
{
	json_t *out = json_array(), *one, *seen;
	size_t i, k;
	bool ok = out != NULL;

	json_array_foreach(list, i, one)
	{
		bool is_double = false;

		json_array_foreach(out, k, seen)
		{
			is_double = is_double || json_equal(one, seen);
		}
		ok = ok && (is_double || json_array_append(out, one) == 0);
	}
	json_decref(list);
	if (!ok) {
		json_decref(out);
		out = NULL;
	}
	return out;
}

static void run_records(struct ctl_call *call, struct ctl_env *env)
{
	struct records r = { .list = json_array() };
	const struct tp_listener *l;

	for (size_t d = 0; r.list && d < env->conf->domains.n; d++) {
		r.domain = env->conf->domains.v[d];
		for (size_t i = 0; (l = transport_listener(env->transports, i)); i++) {
			add_listener(&r, env, i, l);
		}
	}
	if (r.failed) {
		json_decref(r.list);
		r.list = NULL;
	}
	r.list = r.list ? without_doubles(r.list) : NULL;
	ctl_call_reply(call, r.list ? json_pack("{s:o}", "records", r.list) : NULL);
}

const struct ctl_command ctl_dns_commands[] = {
	{ "dns", "URI",
	  "where a URI leads (RFC 3263): the records, and the targets in the order they are tried",
	  "targets/order transport address name ttl failed", CTL_READS, run_dns },
	{ "dns-records", "", "the NAPTR, SRV and address records that this server's domains need",
	  "name type data", CTL_READS, run_records },
	{ 0 },
};
