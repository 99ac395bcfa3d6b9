/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/query.h"

static struct dns_query **slot(struct dns_resolver *r, const struct dns_plan *plan)
{
	uint64_t h = hash_str_nocase(r->w->process_key, plan->host);

	h = hash_mix(h ^ plan->port ^ (uint64_t)plan->fixed << 16 ^ (uint64_t)plan->have << 24 ^
	             (uint64_t)plan->is_sips << 32);
	return &r->cache[h % DNS_CACHE_N];
}

/* The same question; dflt and what follows from it is its outcome. */
static bool is_same(const struct dns_plan *a, const struct dns_plan *b)
{
	return a->port == b->port && a->fixed == b->fixed && a->is_sips == b->is_sips &&
	       a->have == b->have && str_eq_nocase(a->host, b->host);
}

struct dns_query *dns_cache_find(struct dns_resolver *r, const struct dns_plan *plan)
{
	struct dns_query *q = *slot(r, plan);

	return q && q->until_ms > r->w->clock.now_ms && is_same(&q->plan, plan) ? q : NULL;
}

struct dns_query *dns_cache_put(struct dns_query *q)
{
	uint64_t good_for_ms = dns_query_good_for_ms(q);
	struct dns_query **place = slot(q->r, &q->plan), *before = *place;

	if (good_for_ms == 0 || q->ctx != q->r->ctx) {
		return q;
	}
	q->until_ms = q->r->w->clock.now_ms + good_for_ms;
	*place = q;
	return before;
}
