/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/health.h"

#include "util/list.h"
#include "util/slab.h"

#include <stdlib.h>

#define BUCKETS 1024U

struct health_entry {
	struct list bucket, age; /* age: oldest mark first */
	struct net_addr addr;
	uint8_t proto;
	uint8_t share;     /* eighths of the requests; 0: none until a probe has succeeded */
	bool is_told;      /* the target itself said for how long (Retry-After) */
	uint64_t until_ms; /* marked until then */
	uint64_t probe_ms; /* when the last probe was let through; 0: none since the mark */
	uint32_t last_s;   /* how long it was marked */
};

struct dns_health {
	const struct hash_key *key;
	struct list buckets[BUCKETS], age;
	struct slab slab;
	size_t n;
};

struct dns_health *dns_health_new(const struct hash_key *key)
{
	struct dns_health *h = malloc(sizeof(*h));

	if (!h) {
		return NULL;
	}
	for (unsigned i = 0; i < BUCKETS; i++) {
		list_init(&h->buckets[i]);
	}
	h->key = key;
	list_init(&h->age);
	slab_init(&h->slab, sizeof(struct health_entry));
	h->n = 0;
	return h;
}

void dns_health_free(struct dns_health *h)
{
	if (h) {
		slab_fini(&h->slab);
		free(h);
	}
}

size_t dns_health_n(const struct dns_health *h)
{
	return h->n;
}

static struct health_entry *find(const struct dns_health *h, const struct dns_target *t)
{
	const struct list *bucket = &h->buckets[net_addr_hash(h->key, &t->addr) % BUCKETS];

	if (h->n == 0) {
		return NULL;
	}
	list_for_each(it, bucket)
	{
		struct health_entry *e = container_of(it, struct health_entry, bucket);

		if (e->proto == t->proto && net_addr_eq(&e->addr, &t->addr)) {
			return e;
		}
	}
	return NULL;
}

static void forget(struct dns_health *h, struct health_entry *e)
{
	list_del(&e->bucket);
	list_del(&e->age);
	slab_free(&h->slab, e);
	h->n--;
}

static struct health_entry *add(struct dns_health *h, const struct dns_target *t)
{
	struct health_entry *e;

	if (h->n >= DNS_HEALTH_MAX) {
		forget(h, container_of(h->age.next, struct health_entry, age));
	}
	e = slab_alloc(&h->slab);
	if (!e) {
		return NULL;
	}
	e->addr = t->addr;
	e->proto = t->proto;
	list_add(&h->buckets[net_addr_hash(h->key, &t->addr) % BUCKETS], &e->bucket);
	list_init(&e->age);
	h->n++;
	return e;
}

static uint32_t mark_for_s(const struct health_entry *e, uint32_t ttl_s, uint32_t retry_after_s)
{
	uint64_t s = retry_after_s ? retry_after_s : e->last_s ? 2 * (uint64_t)e->last_s : ttl_s;
	uint64_t max = (uint64_t)ttl_s * DNS_BACKOFF_MAX;

	return (uint32_t)(s < max ? s : max);
}

bool dns_health_failed(struct dns_health *h, const struct dns_target *t, uint64_t now_ms,
                       uint32_t ttl_s, uint32_t retry_after_s)
{
	struct health_entry *e = find(h, t);
	uint64_t until_ms;
	uint32_t s;

	if (ttl_s == 0 || (e && e->until_ms > now_ms && retry_after_s == 0)) {
		return false;
	}
	e = e ? e : add(h, t);
	if (!e) {
		return false;
	}
	s = mark_for_s(e, ttl_s, retry_after_s);
	until_ms = now_ms + (uint64_t)s * 1000;
	if (until_ms <= e->until_ms) {
		return false;
	}
	e->until_ms = until_ms;
	e->last_s = s;
	e->is_told = retry_after_s != 0;
	e->share = 0;
	e->probe_ms = 0;
	list_del(&e->age);
	list_append(&h->age, &e->age);
	return true;
}

bool dns_health_good(struct dns_health *h, const struct dns_target *t, uint64_t now_ms)
{
	struct health_entry *e = find(h, t);

	if (!e || (e->is_told && e->until_ms > now_ms)) {
		return false;
	}
	e->until_ms = now_ms;
	e->share = e->share ? (uint8_t)(e->share * 2) : DNS_SHARE_FIRST;
	if (e->share >= DNS_SHARE_WHOLE) {
		forget(h, e);
	}
	return true;
}

bool dns_health_is_failed(const struct dns_health *h, const struct dns_target *t, uint64_t now_ms)
{
	const struct health_entry *e = find(h, t);

	return e && e->until_ms > now_ms;
}

bool dns_health_is_last(struct dns_health *h, const struct dns_target *t, uint64_t now_ms,
                        struct random *random)
{
	struct health_entry *e = find(h, t);

	if (!e) {
		return false;
	}
	if (e->until_ms > now_ms) {
		return true;
	}
	if (e->share) {
		return random_below(random, DNS_SHARE_WHOLE) >= e->share;
	}
	/* The same request may ask twice: the probe stays its own for the moment. */
	if (e->probe_ms == 0 || e->probe_ms == now_ms || now_ms - e->probe_ms >= DNS_PROBE_MS) {
		e->probe_ms = now_ms;
		return false;
	}
	return true;
}
