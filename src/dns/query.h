/* SPDX-License-Identifier: Apache-2.0 */
/* One resolution under way: the steps of RFC 3263. For src/dns only. */
#pragma once

#include "dns/plan.h"
#include "dns/unbound.h"

#define DNS_SETS_MAX  8U    /* SRV names asked for in one resolution */
#define DNS_SITES_MAX 32U   /* servers (name and port) whose addresses are asked for */
#define DNS_CACHE_N   128U  /* outcomes kept on a worker, a newer one in the place of an older */
#define DNS_CACHE_MS  10000 /* at most, so that new records are seen soon */

/* One SRV name. */
struct dns_set {
	uint8_t proto;
	struct str name;
	struct dns_question *question;
};

/* A name and port to find the addresses of. */
struct dns_site {
	struct str name;
	uint16_t port;
	uint8_t proto;
	uint8_t set; /* of one SRV answer: these are ordered among themselves */
	uint16_t priority, weight;
	uint32_t ttl_s;
	struct dns_question *a, *aaaa; /* NULL: not asked, or those of @same */
	const struct dns_site *same;   /* an earlier one of that name */
};

enum dns_step { DNS_STEP_NEW, DNS_STEP_NAPTR, DNS_STEP_SRV, DNS_STEP_ADDRESS, DNS_STEP_DONE };

struct dns_query {
	struct list node; /* of the resolver's */
	struct dns_resolver *r;
	struct dns_ctx *ctx; /* of the settings that it began with */
	struct arena arena;
	struct timer timer, wake; /* the end; the next step, soon */
	struct dns_plan plan;
	dns_cb *cb;
	dns_look_cb *look; /* instead of cb */
	void *arg;
	uint64_t since_us;
	uint8_t step;      /* enum dns_step */
	bool is_stepping;  /* answers that come at once are seen by the loop */
	bool is_over;      /* being told */
	bool is_idle;      /* its time is not counted */
	bool is_refused;   /* SRV said "." */
	unsigned pending;  /* questions of this step */
	uint64_t until_ms; /* in the cache: good until then */
	uint32_t ttl_s;    /* of what led here */
	struct dns_question *naptr;
	struct dns_set sets[DNS_SETS_MAX];
	unsigned sets_n;
	struct dns_site sites[DNS_SITES_MAX];
	unsigned sites_n;
};

struct dns_resolver {
	struct worker *w;
	struct dns_ctx *ctx;
	char *servers;        /* what ctx was made of, and conf.dnssec */
	struct conf_dns conf; /* without the strings */
	struct dns_health *health;
	struct dns_resolver **all; /* NULL: not linked */
	unsigned all_n;
	struct list queries;
	struct dns_query *cache[DNS_CACHE_N]; /* complete ones, by what was asked */
	int kind_timeout, kind_wake;          /* of timers */
	int seconds;                          /* histogram */
	bool want_a, want_aaaa;
};

/* Goes on until it must wait (BELFRY_WAIT) or is done: 0, or why there is nothing. */
int dns_query_run(struct dns_query *q);
/* The targets found so far, in @arena, in an order of their own each time. */
int dns_query_answer(struct dns_query *q, struct arena *arena, struct dns_answer *answer_r);
/* How long its outcome may be used again: 0 unless every question had a proper answer. */
uint64_t dns_query_good_for_ms(const struct dns_query *q);
/* Drops its questions. */
void dns_query_drop(struct dns_query *q);
/* Tells that a question is answered; inside libunbound. */
void dns_query_wake(struct dns_query *q);

/* --- cache.c: outcomes that are asked for again and again cost libunbound five questions each */
/* NULL: none that is still good. */
struct dns_query *dns_cache_find(struct dns_resolver *r, const struct dns_plan *plan);
/* Keeps a query that is over and has targets; what has to make room, or @q itself: to be freed. */
struct dns_query *dns_cache_put(struct dns_query *q);
