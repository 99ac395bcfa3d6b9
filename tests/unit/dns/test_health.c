/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/health.h"

#include "support/unit.h"

#define TTL 60U

static const struct hash_key key = { { 1, 2 } };

static struct dns_target target(unsigned i)
{
	struct dns_target t = { .proto = 0 };

	net_addr_parse(STR("192.0.2.1"), (uint16_t)(1000 + i % 60000), &t.addr);
	t.addr.ip[1] = (uint8_t)(i / 60000);
	return t;
}

static unsigned last_of_1000(struct dns_health *h, uint64_t now_ms)
{
	struct random random = { 0 };
	struct dns_target t = target(0);
	unsigned n = 0;

	for (unsigned i = 0; i < 1000; i++) {
		n += dns_health_is_last(h, &t, now_ms, &random);
	}
	return n;
}

START_TEST(a_mark_lasts_for_failure_ttl_then_one_request_probes)
{
	struct dns_health *h = dns_health_new(&key);
	struct random random = { 0 };
	struct dns_target t = target(0);

	ck_assert(!dns_health_is_last(h, &t, 1000, &random));
	ck_assert(dns_health_failed(h, &t, 1000, TTL, 0));
	ck_assert(dns_health_is_failed(h, &t, 60999));
	ck_assert(dns_health_is_last(h, &t, 60999, &random));
	ck_assert(!dns_health_is_failed(h, &t, 61000));
	ck_assert(!dns_health_is_last(h, &t, 61000, &random)); /* the probe */
	ck_assert(dns_health_is_last(h, &t, 61001, &random));
	ck_assert(dns_health_is_last(h, &t, 61000 + DNS_PROBE_MS - 1, &random));
	ck_assert(!dns_health_is_last(h, &t, 61000 + DNS_PROBE_MS, &random)); /* another */
	dns_health_free(h);
}
END_TEST

START_TEST(a_failed_probe_doubles_the_mark_up_to_ten_times)
{
	static const unsigned want_s[] = { 60, 120, 240, 480, 600, 600 };
	struct dns_health *h = dns_health_new(&key);
	struct dns_target t = target(0);
	uint64_t now_ms = 5000;

	for (size_t i = 0; i < sizeof(want_s) / sizeof(want_s[0]); i++) {
		ck_assert(dns_health_failed(h, &t, now_ms, TTL, 0));
		/* The other requests that were under way change nothing. */
		ck_assert(!dns_health_failed(h, &t, now_ms + 5, TTL, 0));
		now_ms += want_s[i] * 1000;
		ck_assert(dns_health_is_failed(h, &t, now_ms - 1));
		ck_assert(!dns_health_is_failed(h, &t, now_ms));
	}
	dns_health_free(h);
}
END_TEST

START_TEST(each_success_doubles_the_share_until_it_is_forgotten)
{
	struct dns_health *h = dns_health_new(&key);
	struct dns_target t = target(0);

	dns_health_failed(h, &t, 0, TTL, 0);
	ck_assert(dns_health_good(h, &t, 61000));
	ck_assert_uint_gt(last_of_1000(h, 61001), 800); /* 7/8 */
	ck_assert_uint_lt(last_of_1000(h, 61001), 950);
	ck_assert(dns_health_good(h, &t, 61002));
	ck_assert_uint_gt(last_of_1000(h, 61003), 670); /* 3/4 */
	ck_assert_uint_lt(last_of_1000(h, 61003), 830);
	ck_assert(dns_health_good(h, &t, 61004));
	ck_assert_uint_gt(last_of_1000(h, 61005), 420); /* 1/2 */
	ck_assert_uint_lt(last_of_1000(h, 61005), 580);
	ck_assert(dns_health_good(h, &t, 61006));
	ck_assert_uint_eq(last_of_1000(h, 61007), 0);
	ck_assert_uint_eq(dns_health_n(h), 0);
	ck_assert(!dns_health_good(h, &t, 61008));
	/* Forgotten: the next failure begins anew. */
	dns_health_failed(h, &t, 70000, TTL, 0);
	ck_assert(!dns_health_is_failed(h, &t, 130000));
	dns_health_free(h);
}
END_TEST

START_TEST(a_failure_while_it_recovers_marks_it_for_longer)
{
	struct dns_health *h = dns_health_new(&key);
	struct dns_target t = target(0);

	dns_health_failed(h, &t, 0, TTL, 0);
	dns_health_good(h, &t, 61000);
	ck_assert(dns_health_failed(h, &t, 62000, TTL, 0));
	ck_assert(dns_health_is_failed(h, &t, 62000 + 119999));
	ck_assert(!dns_health_is_failed(h, &t, 62000 + 120000));
	ck_assert_uint_eq(last_of_1000(h, 62000 + 120000), 0); /* the probe, in one moment */
	dns_health_free(h);
}
END_TEST

START_TEST(retry_after_is_kept_even_when_others_are_answered)
{
	struct dns_health *h = dns_health_new(&key);
	struct dns_target t = target(0);

	ck_assert(dns_health_failed(h, &t, 0, TTL, 200));
	ck_assert(!dns_health_good(h, &t, 100));
	ck_assert(dns_health_is_failed(h, &t, 199999));
	ck_assert(!dns_health_is_failed(h, &t, 200000));
	/* Ten times failure_ttl at most; one that asks for less changes nothing. */
	ck_assert(dns_health_failed(h, &t, 300000, TTL, 100000));
	ck_assert(!dns_health_failed(h, &t, 300000, TTL, 5));
	ck_assert(dns_health_is_failed(h, &t, 300000 + 599999));
	ck_assert(!dns_health_is_failed(h, &t, 300000 + 600000));
	dns_health_free(h);
}
END_TEST

START_TEST(a_success_ends_a_mark_of_ours_early)
{
	struct dns_health *h = dns_health_new(&key);
	struct dns_target t = target(0);

	dns_health_failed(h, &t, 0, TTL, 0);
	ck_assert(dns_health_good(h, &t, 10));
	ck_assert(!dns_health_is_failed(h, &t, 11));
	ck_assert_uint_gt(last_of_1000(h, 11), 800);
	dns_health_free(h);
}
END_TEST

START_TEST(failure_ttl_0_remembers_nothing)
{
	struct dns_health *h = dns_health_new(&key);
	struct dns_target t = target(0);

	ck_assert(!dns_health_failed(h, &t, 0, 0, 0));
	ck_assert(!dns_health_failed(h, &t, 0, 0, 30));
	ck_assert_uint_eq(dns_health_n(h), 0);
	dns_health_free(h);
}
END_TEST

START_TEST(beyond_the_limit_the_oldest_mark_is_forgotten)
{
	struct dns_health *h = dns_health_new(&key);
	struct dns_target t;

	for (unsigned i = 0; i < DNS_HEALTH_MAX + 10; i++) {
		t = target(i);
		ck_assert(dns_health_failed(h, &t, i, TTL, 0));
	}
	ck_assert_uint_eq(dns_health_n(h), DNS_HEALTH_MAX);
	t = target(9);
	ck_assert(!dns_health_is_failed(h, &t, DNS_HEALTH_MAX));
	t = target(10);
	ck_assert(dns_health_is_failed(h, &t, DNS_HEALTH_MAX));
	dns_health_free(h);
}
END_TEST

UNIT_MAIN("dns/health", a_mark_lasts_for_failure_ttl_then_one_request_probes,
          a_failed_probe_doubles_the_mark_up_to_ten_times,
          each_success_doubles_the_share_until_it_is_forgotten,
          a_failure_while_it_recovers_marks_it_for_longer,
          retry_after_is_kept_even_when_others_are_answered, a_success_ends_a_mark_of_ours_early,
          failure_ttl_0_remembers_nothing, beyond_the_limit_the_oldest_mark_is_forgotten)
