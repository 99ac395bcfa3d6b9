/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Locating SIP servers (RFC 3263): URI -> ordered targets of transport, address and port. One
 * resolver per worker (libunbound inside the worker's event base); never blocks. Failed targets are
 * remembered per worker and broadcast (dns/health.h).
 *
 * The way of a name: plan.c reads the URI -> NAPTR -> SRV of the services it names (or of those we
 * have) -> A and AAAA of their targets -> one list, ordered afresh for each request, what has
 * failed last. All questions of a step are asked at once; libunbound caches and joins equal ones.
 */
#pragma once

#include "net/addr.h"
#include "sip/uri.h"
#include "util/arena.h"
#include "worker/worker.h"

struct dns_target {
	struct net_addr addr;
	uint8_t proto;   /* CONF_UDP .. CONF_WSS == TP_UDP .. */
	struct str name; /* the name asked for: TLS identity (RFC 5922) */
	uint32_t ttl_s;  /* how long the records may be believed; numeric: 0 */
};

#define DNS_TARGETS_MAX 64 /* in one answer */

struct dns_answer {
	struct dns_target *v; /* in the order to try */
	size_t n;
};

struct dns_resolver;
struct dns_query;

/* 0: targets. BELFRY_ENXDOMAIN: no such name; BELFRY_ETIMEOUT; BELFRY_ENOENT: no usable address or
 * transport. @answer lives during the call. Never called inside dns_resolve(). */
typedef void(dns_cb)(int err, const struct dns_answer *answer, void *arg);

/* What these settings need is there: with DNSSEC the root's key, which libunbound misses only when
 * it is asked, and then answers nothing. Negative with *error_r (heap). Any thread; as
 * server.user. */
int dns_settings_check(const struct conf *conf, char **error_r);

/* Main thread, before the worker runs. -ENOMEM, or BELFRY_ECONF with *error_r (heap). */
int dns_resolver_new(struct worker *w, struct dns_resolver **r_r, char **error_r);
/* Queries that are left end: those of dns_look() are told -ECANCELED, the others nothing. */
void dns_resolver_free(struct dns_resolver *r);
/* Marks of failure made on one worker are told to all: all[i] is that of worker i. Main thread,
 * before the workers run; @all is copied. -ENOMEM. */
int dns_resolvers_link(struct dns_resolver *const *all, unsigned n);
/* Adopts changed `dns` settings at a reload; queries under way end by the old ones. On its worker.
 * -ENOMEM, BELFRY_ECONF: the old ones stay. */
int dns_resolver_set_conf(struct dns_resolver *r, const struct conf *conf);

struct dns_ask {
	const struct sip_uri *uri;
	bool sips;            /* TLS on every hop, whatever the scheme */
	unsigned have_protos; /* bit per proto that we can send by */
	bool is_idle;         /* nothing will be sent there: its time is not counted */
};

/* 0: answered at once in @arena (*answer_r), numeric hosts always, names when all is in the cache.
 * BELFRY_WAIT: @cb follows on this worker unless cancelled; the query is over then. Other: no
 * usable target, as for dns_cb; -ENOMEM, BELFRY_EFULL. Failed targets are last already (dns_order).
 */
int dns_resolve(struct dns_resolver *r, const struct dns_ask *ask, struct arena *arena,
                struct dns_answer *answer_r, dns_cb *cb, void *arg, struct dns_query **query_r);
/* For people: always asks, is not counted, and tells what was asked on the way. 0 or BELFRY_WAIT:
 * @cb has run or follows, once; it walks dns_query_each() inside. @query is NULL when nothing had
 * to be asked. Other: no callback. */
typedef void(dns_look_cb)(int err, const struct dns_answer *answer, const struct dns_query *query,
                          void *arg);
int dns_look(struct dns_resolver *r, const struct dns_ask *ask, dns_look_cb *cb, void *arg,
             struct dns_query **query_r);
/* Every record that came, in the order of the steps; @rr NULL: @name has none of that type, and
 * @err says why (0: the name is there, and has none). */
struct dns_rr;
typedef void(dns_record_cb)(void *arg, struct str name, uint16_t type, int err,
                            const struct dns_rr *rr);
void dns_query_each(const struct dns_query *query, dns_record_cb *cb, void *arg);

/* Clears *query; NULL inside is fine. */
void dns_cancel(struct dns_query **query);

/* Health of (address, port, transport): what failed is tried last for failure_ttl. */
void dns_mark_failed(struct dns_resolver *r, const struct dns_target *t, uint32_t retry_after_s);
void dns_mark_good(struct dns_resolver *r, const struct dns_target *t);
bool dns_is_failed(struct dns_resolver *r, const struct dns_target *t);
/* Puts the marked ones last; keeps order otherwise. For lists put together by the caller. */
void dns_order(struct dns_resolver *r, struct dns_target *v, size_t n);
