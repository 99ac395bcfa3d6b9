/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/order.h"

static void swap(struct dns_rr *a, struct dns_rr *b)
{
	struct dns_rr t = *a;

	*a = *b;
	*b = t;
}

typedef bool(before_fn)(const struct dns_rr *a, const struct dns_rr *b);

/* Stable; the lists are short (DNS_RR_MAX). */
static void sort(struct dns_rr *v, size_t n, before_fn *before)
{
	for (size_t i = 1; i < n; i++) {
		for (size_t j = i; j > 0 && before(&v[j], &v[j - 1]); j--) {
			swap(&v[j], &v[j - 1]);
		}
	}
}

/* Those with weight 0 first within a priority: they have a small chance then. */
static bool srv_before(const struct dns_rr *a, const struct dns_rr *b)
{
	if (a->srv.priority != b->srv.priority) {
		return a->srv.priority < b->srv.priority;
	}
	return a->srv.weight == 0 && b->srv.weight != 0;
}

static bool naptr_before(const struct dns_rr *a, const struct dns_rr *b)
{
	if (a->naptr.order != b->naptr.order) {
		return a->naptr.order < b->naptr.order;
	}
	return a->naptr.preference < b->naptr.preference;
}

/* Which of @n of one priority comes next. */
static size_t draw(const struct dns_rr *v, size_t n, struct random *random)
{
	uint64_t sum = 0, at;
	size_t i;

	for (i = 0; i < n; i++) {
		sum += v[i].srv.weight;
	}
	if (sum == 0) { /* all alike */
		return (size_t)random_below(random, n);
	}
	at = random_below(random, sum + 1);
	for (i = 0, sum = v[0].srv.weight; sum < at; sum += v[i].srv.weight) {
		i++;
	}
	return i;
}

static void order_one_priority(struct dns_rr *v, size_t n, struct random *random)
{
	for (; n > 1; v++, n--) {
		/* What is drawn comes to the front; the others keep their order. */
		for (size_t i = draw(v, n, random); i > 0; i--) {
			swap(&v[i], &v[i - 1]);
		}
	}
}

void dns_srv_order(struct dns_rr *v, size_t n, struct random *random)
{
	size_t end;

	sort(v, n, srv_before);
	for (size_t i = 0; i < n; i = end) {
		end = i + 1;
		while (end < n && v[end].srv.priority == v[i].srv.priority) {
			end++;
		}
		order_one_priority(v + i, end - i, random);
	}
}

void dns_naptr_order(struct dns_rr *v, size_t n)
{
	sort(v, n, naptr_before);
}
