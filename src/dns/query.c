/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/query.h"

#include "dns/order.h"
#include "util/err.h"

#include <errno.h>

static uint32_t min_ttl(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* --- asking ------------------------------------------------------------------------------------
 */

static void on_question(struct dns_question *question, void *arg)
{
	struct dns_query *q = arg;

	(void)question;
	q->pending--;
	if (q->pending == 0 && !q->is_stepping) {
		dns_query_wake(q);
	}
}

/* @name is a name that can be asked for; what cannot be asked counts as not there. */
static int ask(struct dns_query *q, struct str name, uint16_t type,
               struct dns_question **question_r)
{
	int err;

	q->pending++;
	err = dns_ask_name(q->ctx, name, type, &q->arena, on_question, q, question_r);
	if (err) {
		q->pending--;
	}
	return err == BELFRY_ENOENT ? 0 : err;
}

static bool is_name(struct str name)
{
	size_t label_n = 0;

	for (size_t i = 0; i < name.n; i++) {
		unsigned char c = (unsigned char)name.p[i];

		if (c == '.' ? label_n == 0
		             : !ascii_is_alpha(c) && !ascii_is_digit(c) && c != '-' && c != '_') {
			return false;
		}
		label_n = c == '.' ? 0 : label_n + 1;
		if (label_n > 63) {
			return false;
		}
	}
	return label_n > 0 && name.n <= DNS_NAME_MAX;
}

/* --- SRV ---------------------------------------------------------------------------------------
 */

static int add_set(struct dns_query *q, uint8_t proto, struct str name)
{
	struct dns_set *set;

	if (q->sets_n == DNS_SETS_MAX || !is_name(name)) {
		return 0;
	}
	set = &q->sets[q->sets_n++];
	*set = (struct dns_set){ .proto = proto, .name = name };
	return ask(q, name, DNS_SRV, &set->question);
}

static int ask_srv(struct dns_query *q, uint8_t proto)
{
	struct str prefix = dns_srv_prefix(proto);
	struct str name =
		arena_printf(&q->arena, "%.*s%.*s", STR_FMT(prefix), STR_FMT(q->plan.host));

	return name.p ? add_set(q, proto, name) : -ENOMEM;
}

/* Without NAPTR and transport: those that we have ("_sips" for SIPS URIs only, RFC 3263 4.1). */
static int ask_all_srv(struct dns_query *q)
{
	static const uint8_t plain[] = { CONF_UDP, CONF_TCP };
	int err = 0;

	for (unsigned i = 0; err == 0 && i < 2; i++) {
		if (dns_plan_has(&q->plan, plain[i])) {
			err = ask_srv(q, plain[i]);
		}
	}
	if (q->sets_n == 0) {
		err = ask_srv(q, q->plan.dflt);
	}
	return err;
}

/* --- sites -------------------------------------------------------------------------------------
 */

static int ask_addresses(struct dns_query *q, struct dns_site *site)
{
	int err = 0;

	for (unsigned i = 0; &q->sites[i] < site; i++) {
		if (str_eq_nocase(q->sites[i].name, site->name)) {
			site->same = q->sites[i].same ? q->sites[i].same : &q->sites[i];
			return 0;
		}
	}
	if (q->r->want_a) {
		err = ask(q, site->name, DNS_A, &site->a);
	}
	if (err == 0 && q->r->want_aaaa) {
		err = ask(q, site->name, DNS_AAAA, &site->aaaa);
	}
	return err;
}

static int add_site(struct dns_query *q, const struct dns_site *site)
{
	if (q->sites_n == DNS_SITES_MAX || !is_name(site->name)) {
		return 0;
	}
	q->sites[q->sites_n] = *site;
	return ask_addresses(q, &q->sites[q->sites_n++]);
}

/* The host itself. */
static int add_host(struct dns_query *q, uint8_t proto)
{
	const struct dns_site site = {
		.name = q->plan.host,
		.port = q->plan.port ? q->plan.port : dns_default_port(proto),
		.proto = proto,
		.ttl_s = q->ttl_s,
	};

	return add_site(q, &site);
}

static int sites_of_set(struct dns_query *q, unsigned at)
{
	struct dns_question *question = q->sets[at].question;
	int err = 0;

	if (!question || question->err) {
		return question && question->err == -ENOMEM ? -ENOMEM : 0;
	}
	dns_srv_order(question->rrs.v, question->rrs.n, &q->r->w->random);
	for (size_t i = 0; err == 0 && i < question->rrs.n; i++) {
		const struct dns_rr *rr = &question->rrs.v[i];

		if (rr->srv.target.n == 0 || rr->srv.port == 0) {
			q->is_refused = true; /* "." (RFC 2782) */
		} else {
			const struct dns_site site = {
				.name = rr->srv.target,
				.port = rr->srv.port,
				.proto = q->sets[at].proto,
				.set = (uint8_t)at,
				.priority = rr->srv.priority,
				.weight = rr->srv.weight,
				.ttl_s = min_ttl(q->ttl_s, rr->ttl_s),
			};

			err = add_site(q, &site);
		}
	}
	return err;
}

/* --- steps -------------------------------------------------------------------------------------
 */

/* The services of the first order that has one for us (RFC 3403 4.1: no later order then), in the
 * order of preference. How many. */
static int sets_of_naptr(struct dns_query *q)
{
	struct dns_question *question = q->naptr;
	const struct dns_rr *first = NULL;
	int err = 0;

	if (!question || question->err) {
		return question && question->err == -ENOMEM ? -ENOMEM : 0;
	}
	dns_naptr_order(question->rrs.v, question->rrs.n);
	for (size_t i = 0; err == 0 && i < question->rrs.n; i++) {
		const struct dns_rr *rr = &question->rrs.v[i];
		uint8_t proto = dns_naptr_proto(rr->naptr.service);

		if (!str_eq_nocase(rr->naptr.flags, STR("s")) || rr->naptr.regexp.n ||
		    proto == DNS_PROTO_NONE || !dns_plan_has(&q->plan, proto) ||
		    rr->naptr.replacement.n == 0) {
			continue;
		}
		if (first && rr->naptr.order != first->naptr.order) {
			break;
		}
		q->plan.dflt = first ? q->plan.dflt : proto;
		first = first ? first : rr;
		q->ttl_s = min_ttl(q->ttl_s, rr->ttl_s);
		err = add_set(q, proto, rr->naptr.replacement);
	}
	return err;
}

static int step_naptr(struct dns_query *q)
{
	int err = sets_of_naptr(q);

	q->step = DNS_STEP_SRV;
	return err || q->sets_n ? err : ask_all_srv(q);
}

static int step_srv(struct dns_query *q)
{
	int err = 0;

	q->step = DNS_STEP_ADDRESS;
	for (unsigned i = 0; err == 0 && i < q->sets_n; i++) {
		err = sites_of_set(q, i);
	}
	if (err || q->sites_n) {
		return err;
	}
	return q->is_refused ? BELFRY_ENOENT : add_host(q, q->plan.dflt);
}

static int begin(struct dns_query *q)
{
	const struct dns_plan *plan = &q->plan;

	q->ttl_s = UINT32_MAX;
	if (plan->port) {
		q->step = DNS_STEP_ADDRESS;
		return add_host(q, plan->dflt);
	}
	if (plan->fixed != DNS_PROTO_NONE) {
		q->step = DNS_STEP_SRV;
		return ask_srv(q, plan->fixed);
	}
	if (q->r->conf.naptr) {
		q->step = DNS_STEP_NAPTR;
		return ask(q, plan->host, DNS_NAPTR, &q->naptr);
	}
	q->step = DNS_STEP_SRV;
	return ask_all_srv(q);
}

/* All addresses are here or are not to be had. */
static int outcome(const struct dns_query *q)
{
	int err = BELFRY_ENXDOMAIN;

	for (unsigned i = 0; i < q->sites_n; i++) {
		const struct dns_question *v[] = { q->sites[i].a, q->sites[i].aaaa };

		for (unsigned j = 0; j < 2; j++) {
			if (!v[j]) {
				continue;
			}
			if (v[j]->err == 0 && v[j]->rrs.n) {
				return 0;
			}
			if (v[j]->err != BELFRY_ENXDOMAIN && err != BELFRY_ETIMEOUT) {
				err = v[j]->err ? v[j]->err : BELFRY_ENOENT;
			}
		}
	}
	/* Only the host of the URI is a name that does not exist; servers it names are a fault. */
	return err == BELFRY_ENXDOMAIN &&
	                       (q->sites_n == 0 || !str_eq(q->sites[0].name, q->plan.host))
	               ? BELFRY_ENOENT
	               : err;
}

static int next(struct dns_query *q)
{
	switch (q->step) {
	case DNS_STEP_NAPTR: return step_naptr(q);
	case DNS_STEP_SRV: return step_srv(q);
	default: q->step = DNS_STEP_DONE; return outcome(q);
	}
}

int dns_query_run(struct dns_query *q)
{
	int err = 0;

	q->is_stepping = true;
	if (q->step == DNS_STEP_NEW) {
		err = is_name(q->plan.host) ? begin(q) : BELFRY_ENXDOMAIN;
	}
	while (err == 0 && q->pending == 0 && q->step != DNS_STEP_DONE) {
		err = next(q);
	}
	q->is_stepping = false;
	return err ? err : q->pending ? BELFRY_WAIT : 0;
}

void dns_query_drop(struct dns_query *q)
{
	dns_question_drop(&q->naptr);
	for (unsigned i = 0; i < q->sets_n; i++) {
		dns_question_drop(&q->sets[i].question);
	}
	for (unsigned i = 0; i < q->sites_n; i++) {
		dns_question_drop(&q->sites[i].a);
		dns_question_drop(&q->sites[i].aaaa);
	}
}

/* --- the list ----------------------------------------------------------------------------------
 */

static bool has_target(const struct dns_answer *answer, const struct dns_target *t)
{
	for (size_t i = 0; i < answer->n; i++) {
		if (answer->v[i].proto == t->proto && net_addr_eq(&answer->v[i].addr, &t->addr)) {
			return true;
		}
	}
	return false;
}

static void add_target(struct dns_answer *answer, const struct dns_site *site,
                       const struct dns_rr *rr, struct str name)
{
	struct dns_target t = { .proto = site->proto, .name = name };

	t.ttl_s = min_ttl(site->ttl_s, rr->ttl_s);
	t.addr.family = rr->type == DNS_A ? 4 : 6;
	t.addr.port = site->port;
	memcpy(t.addr.ip, rr->ip, sizeof(t.addr.ip));
	if (answer->n < DNS_TARGETS_MAX && !has_target(answer, &t)) {
		answer->v[answer->n++] = t;
	}
}

/* Several addresses of one name share the requests. */
static void add_addresses(struct dns_query *q, struct dns_answer *answer,
                          const struct dns_site *site, const struct dns_question *question,
                          struct str name)
{
	size_t n = question && question->is_done && !question->err ? question->rrs.n : 0;
	size_t first = n > 1 ? (size_t)random_below(&q->r->w->random, n) : 0;

	for (size_t i = 0; i < n; i++) {
		add_target(answer, site, &question->rrs.v[(first + i) % n], name);
	}
}

/* Each set ordered anew by RFC 2782; the places of the sites in that order. */
static void order_sites(struct dns_query *q, unsigned *order)
{
	struct dns_rr v[DNS_SITES_MAX];
	unsigned begin = 0, end;

	for (; begin < q->sites_n; begin = end) {
		for (end = begin; end < q->sites_n && q->sites[end].set == q->sites[begin].set;
		     end++) {
			v[end].srv = (struct dns_srv){ .priority = q->sites[end].priority,
				                       .weight = q->sites[end].weight,
				                       .port = (uint16_t)end };
		}
		dns_srv_order(v + begin, end - begin, &q->r->w->random);
	}
	for (unsigned i = 0; i < q->sites_n; i++) {
		order[i] = v[i].srv.port;
	}
}

int dns_query_answer(struct dns_query *q, struct arena *arena, struct dns_answer *answer_r)
{
	struct dns_target found[DNS_TARGETS_MAX];
	struct dns_answer answer = { .v = found };
	struct str name = arena_str(arena, q->plan.host);
	unsigned order[DNS_SITES_MAX];

	order_sites(q, order);
	for (unsigned i = 0; i < q->sites_n; i++) {
		const struct dns_site *site = &q->sites[order[i]];
		const struct dns_site *from = site->same ? site->same : site;

		add_addresses(q, &answer, site, from->a, name);
		add_addresses(q, &answer, site, from->aaaa, name);
	}
	if (answer.n == 0) {
		return BELFRY_ENOENT;
	}
	dns_order(q->r, answer.v, answer.n);
	answer_r->v = arena_alloc(arena, answer.n * sizeof(*answer.v));
	if (!answer_r->v || !name.p) {
		return -ENOMEM;
	}
	memcpy(answer_r->v, found, answer.n * sizeof(*answer.v));
	answer_r->n = answer.n;
	return 0;
}

/* Shortens *ttl_s; false: no proper answer. */
static bool weigh(const struct dns_question *question, uint32_t *ttl_s)
{
	if (!question) {
		return true;
	}
	if (!question->is_done || (question->err && question->err != BELFRY_ENXDOMAIN)) {
		return false;
	}
	for (size_t i = 0; i < question->rrs.n; i++) {
		*ttl_s = min_ttl(*ttl_s, question->rrs.v[i].ttl_s);
	}
	return true;
}

uint64_t dns_query_good_for_ms(const struct dns_query *q)
{
	uint32_t ttl_s = DNS_CACHE_MS / 1000;
	bool ok = weigh(q->naptr, &ttl_s);

	for (unsigned i = 0; ok && i < q->sets_n; i++) {
		ok = weigh(q->sets[i].question, &ttl_s);
	}
	for (unsigned i = 0; ok && i < q->sites_n; i++) {
		ok = weigh(q->sites[i].a, &ttl_s) && weigh(q->sites[i].aaaa, &ttl_s);
	}
	return ok ? (uint64_t)ttl_s * 1000 : 0;
}
