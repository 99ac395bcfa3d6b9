/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/resolve.h"

#include "dns/health.h"
#include "dns/query.h"
#include "util/err.h"

#include <errno.h>
#include <stdlib.h>

/* --- one query ---------------------------------------------------------------------------------
 */

static void query_free(struct dns_query *q)
{
	struct timers *timers = q->r->w->timers;

	timer_cancel(timers, &q->timer);
	timer_cancel(timers, &q->wake);
	dns_query_drop(q);
	list_del(&q->node);
	arena_fini(&q->arena);
	free(q);
}

/* It is over: freed, or kept for the next one that asks the same. */
static void query_end(struct dns_query *q, int err)
{
	struct timers *timers = q->r->w->timers;

	timer_cancel(timers, &q->timer);
	timer_cancel(timers, &q->wake);
	q->is_over = true;
	if (err == 0) {
		q = dns_cache_put(q);
	}
	if (q) {
		query_free(q);
	}
}

static void cache_clear(struct dns_resolver *r)
{
	for (unsigned i = 0; i < DNS_CACHE_N; i++) {
		if (r->cache[i]) {
			query_free(r->cache[i]);
			r->cache[i] = NULL;
		}
	}
}

static void observe(const struct dns_query *q)
{
	const struct worker *w = q->r->w;

	if (!q->is_idle) {
		counter_observe(w->counters, w->counts, q->r->seconds,
		                w->clock.now_us - q->since_us);
	}
}

/* Tells the outcome; the query is over. When the time is up what has been found has to do. */
static void query_tell(struct dns_query *q, int err)
{
	struct dns_answer answer = { 0 };

	if (err == 0 || err == BELFRY_ETIMEOUT) {
		int found = dns_query_answer(q, &q->arena, &answer);

		err = found && err ? err : found;
	}
	observe(q);
	q->is_over = true;
	if (q->look) {
		q->look(err, err ? NULL : &answer, q, q->arg);
	} else {
		q->cb(err, err ? NULL : &answer, q->arg);
	}
	query_end(q, err);
}

static void query_step(struct timer *t, void *arg)
{
	struct dns_query *q = container_of(t, struct dns_query, wake);
	int err = dns_query_run(q);

	(void)arg;
	if (err != BELFRY_WAIT) {
		query_tell(q, err);
	}
}

void dns_query_wake(struct dns_query *q)
{
	timer_start(q->r->w->timers, &q->wake, q->r->kind_wake, 0);
}

static void query_timeout(struct timer *t, void *arg)
{
	(void)arg;
	query_tell(container_of(t, struct dns_query, timer), BELFRY_ETIMEOUT);
}

static struct dns_query *query_new(struct dns_resolver *r, const struct dns_plan *plan)
{
	struct dns_query *q = calloc(1, sizeof(*q));

	if (!q) {
		return NULL;
	}
	q->r = r;
	q->ctx = r->ctx;
	q->plan = *plan;
	q->since_us = r->w->clock.now_us;
	arena_init(&q->arena, &r->w->arenas);
	list_append(&r->queries, &q->node);
	q->plan.host = arena_str(&q->arena, plan->host);
	if (!q->plan.host.p || timer_start(r->w->timers, &q->timer, r->kind_timeout,
	                                   (uint32_t)r->conf.timeout * 1000) != 0) {
		query_free(q);
		return NULL;
	}
	return q;
}

void dns_cancel(struct dns_query **query)
{
	struct dns_query *q = *query;

	*query = NULL;
	if (q && !q->is_over) {
		query_free(q);
	}
}

/* --- resolving ---------------------------------------------------------------------------------
 */

static bool answer_numeric(const struct dns_plan *plan, struct arena *arena,
                           struct dns_answer *answer_r, int *err_r)
{
	uint16_t port = plan->port ? plan->port : dns_default_port(plan->dflt);
	struct net_addr addr;
	struct dns_target *t;

	if (net_addr_parse(plan->host, port, &addr) != 0) {
		return false;
	}
	t = arena_alloc(arena, sizeof(*t));
	*err_r = t ? 0 : -ENOMEM;
	if (t) {
		*t = (struct dns_target){ .addr = addr, .proto = plan->dflt, .name = plan->host };
		*answer_r = (struct dns_answer){ .v = t, .n = 1 };
	}
	return true;
}

int dns_resolve(struct dns_resolver *r, const struct dns_ask *ask, struct arena *arena,
                struct dns_answer *answer_r, dns_cb *cb, void *arg, struct dns_query **query_r)
{
	struct dns_query *q;
	struct dns_plan plan;
	int err = dns_plan_make(ask, &plan);

	if (err || answer_numeric(&plan, arena, answer_r, &err)) {
		return err;
	}
	q = dns_cache_find(r, &plan);
	if (q) {
		return dns_query_answer(q, arena, answer_r);
	}
	dns_ctx_sweep(r->ctx);
	q = query_new(r, &plan);
	if (!q) {
		return -ENOMEM;
	}
	q->is_idle = ask->is_idle;
	err = dns_query_run(q);
	if (err == BELFRY_WAIT) {
		q->cb = cb;
		q->arg = arg;
		*query_r = q;
		return err;
	}
	if (err == 0) {
		err = dns_query_answer(q, arena, answer_r);
	}
	observe(q);
	query_end(q, err);
	return err;
}

int dns_look(struct dns_resolver *r, const struct dns_ask *ask, dns_look_cb *cb, void *arg,
             struct dns_query **query_r)
{
	struct dns_answer answer = { 0 };
	struct dns_query *q;
	struct dns_plan plan;
	struct arena arena;
	bool is_numeric;
	int err = dns_plan_make(ask, &plan);

	if (err) {
		return err;
	}
	arena_init(&arena, &r->w->arenas);
	is_numeric = answer_numeric(&plan, &arena, &answer, &err);
	if (is_numeric && err == 0) {
		cb(0, &answer, NULL, arg);
	}
	arena_fini(&arena);
	if (is_numeric) {
		return err;
	}
	dns_ctx_sweep(r->ctx);
	q = query_new(r, &plan);
	if (!q) {
		return -ENOMEM;
	}
	q->is_idle = true;
	q->look = cb;
	q->arg = arg;
	*query_r = q;
	err = dns_query_run(q);
	if (err != BELFRY_WAIT) {
		*query_r = NULL;
		query_tell(q, err);
		return 0;
	}
	return err;
}

/* --- the resolver ------------------------------------------------------------------------------
 */

/* Which kinds of addresses there are listeners for. */
static void adopt_listeners(struct dns_resolver *r, const struct conf *conf)
{
	r->want_a = r->want_aaaa = conf->listen_n == 0;
	for (size_t i = 0; i < conf->listen_n; i++) {
		r->want_a |= conf->listen[i].addr.family == 4;
		r->want_aaaa |= conf->listen[i].addr.family == 6;
	}
}

/* "a b c": to see whether they have changed. NULL: no memory. */
static char *servers_text(const struct str_list *servers)
{
	size_t n = 1;
	char *text, *p;

	for (size_t i = 0; i < servers->n; i++) {
		n += servers->v[i].n + 1;
	}
	p = text = malloc(n);
	if (!text) {
		return NULL;
	}
	for (size_t i = 0; i < servers->n; i++) {
		memcpy(p, servers->v[i].p, servers->v[i].n);
		p += servers->v[i].n;
		*p++ = ' ';
	}
	*p = '\0';
	return text;
}

static int set_conf(struct dns_resolver *r, const struct conf *conf, char **error_r)
{
	char *servers = servers_text(&conf->dns.nameservers);
	int err = servers ? 0 : -ENOMEM;

	if (err == 0 &&
	    !(r->ctx && conf->dns.dnssec == r->conf.dnssec && strcmp(servers, r->servers) == 0)) {
		err = dns_ctx_new(r->w->base, &conf->dns, r->ctx, &r->ctx, error_r);
	}
	if (err) {
		free(servers);
		return err;
	}
	cache_clear(r);
	free(r->servers);
	r->servers = servers;
	r->conf = conf->dns;
	r->conf.nameservers = (struct str_list){ 0 };
	adopt_listeners(r, conf);
	return 0;
}

int dns_resolver_set_conf(struct dns_resolver *r, const struct conf *conf)
{
	char *error = NULL;
	int err = set_conf(r, conf, &error);

	free(error);
	return err;
}

static int register_all(struct dns_resolver *r)
{
	static const double bounds[] = { 0.0001, 0.001, 0.005, 0.02, 0.1, 0.5, 1, 2, 5 };
	const struct counter_def def = {
		.type = COUNTER_HISTOGRAM,
		.name = "belfry_dns_seconds",
		.help = "Time to find where a host name leads (RFC 3263), in seconds",
		.bounds = bounds,
		.bounds_n = sizeof(bounds) / sizeof(bounds[0]),
		.scale = 1e-6,
	};

	r->seconds = counters_register(r->w->counters, &def);
	r->kind_timeout = timers_kind(r->w->timers, query_timeout, r);
	r->kind_wake = timers_kind(r->w->timers, query_step, r);
	return r->seconds < 0 || r->kind_timeout < 0 || r->kind_wake < 0 ? -ENOSPC : 0;
}

int dns_resolver_new(struct worker *w, struct dns_resolver **r_r, char **error_r)
{
	struct dns_resolver *r = calloc(1, sizeof(*r));
	int err;

	*error_r = NULL;
	if (!r) {
		return -ENOMEM;
	}
	r->w = w;
	list_init(&r->queries);
	r->health = dns_health_new(w->process_key);
	err = r->health ? register_all(r) : -ENOMEM;
	err = err ? err : set_conf(r, w->conf->conf, error_r);
	if (err) {
		dns_resolver_free(r);
		return err;
	}
	*r_r = r;
	return 0;
}

void dns_resolver_free(struct dns_resolver *r)
{
	if (!r) {
		return;
	}
	cache_clear(r);
	while (!list_is_empty(&r->queries)) {
		struct dns_query *q = container_of(r->queries.next, struct dns_query, node);

		if (q->look) {
			q->look(-ECANCELED, NULL, NULL, q->arg);
		}
		query_free(q);
	}
	dns_ctx_free(r->ctx);
	dns_health_free(r->health);
	free(r->servers);
	free(r->all);
	free(r);
}

/* --- health ------------------------------------------------------------------------------------
 */

int dns_resolvers_link(struct dns_resolver *const *all, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct dns_resolver **copy = calloc(n, sizeof(struct dns_resolver *));

		if (!copy) {
			return -ENOMEM;
		}
		memcpy(copy, all, n * sizeof(struct dns_resolver *));
		free(all[i]->all);
		all[i]->all = copy;
		all[i]->all_n = n;
	}
	return 0;
}

/* A mark on its way to another worker. */
struct news {
	struct job job;
	struct dns_resolver *to;
	struct dns_target target;
	uint32_t retry_after_s;
	bool is_good;
};

static void news_run(struct job *job, void *ctx)
{
	struct news *news = container_of(job, struct news, job);
	struct dns_resolver *r = news->to;
	uint64_t now_ms = r->w->clock.now_ms;

	(void)ctx;
	if (news->is_good) {
		dns_health_good(r->health, &news->target, now_ms);
	} else {
		dns_health_failed(r->health, &news->target, now_ms, (uint32_t)r->conf.failure_ttl,
		                  news->retry_after_s);
	}
	free(news);
}

/* Without memory the others find out by themselves. */
static void tell_others(struct dns_resolver *r, const struct dns_target *t, bool is_good,
                        uint32_t retry_after_s)
{
	for (unsigned i = 0; i < r->all_n; i++) {
		struct news *news = r->all[i] == r ? NULL : malloc(sizeof(*news));

		if (news) {
			*news = (struct news){ .job.run = news_run,
				               .to = r->all[i],
				               .target = *t,
				               .retry_after_s = retry_after_s,
				               .is_good = is_good };
			news->target.name = STR_NONE;
			worker_post_sure(r->w, i, &news->job);
		}
	}
}

void dns_mark_failed(struct dns_resolver *r, const struct dns_target *t, uint32_t retry_after_s)
{
	if (dns_health_failed(r->health, t, r->w->clock.now_ms, (uint32_t)r->conf.failure_ttl,
	                      retry_after_s)) {
		tell_others(r, t, false, retry_after_s);
	}
}

void dns_mark_good(struct dns_resolver *r, const struct dns_target *t)
{
	if (dns_health_good(r->health, t, r->w->clock.now_ms)) {
		tell_others(r, t, true, 0);
	}
}

bool dns_is_failed(struct dns_resolver *r, const struct dns_target *t)
{
	return dns_health_is_failed(r->health, t, r->w->clock.now_ms);
}

void dns_order(struct dns_resolver *r, struct dns_target *v, size_t n)
{
	struct dns_target last[DNS_TARGETS_MAX];
	size_t kept = 0, last_n = 0;

	if (n < 2 || dns_health_n(r->health) == 0) {
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (last_n < DNS_TARGETS_MAX &&
		    dns_health_is_last(r->health, &v[i], r->w->clock.now_ms, &r->w->random)) {
			last[last_n++] = v[i];
		} else {
			v[kept++] = v[i];
		}
	}
	memcpy(v + kept, last, last_n * sizeof(*last));
}
