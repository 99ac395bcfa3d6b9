/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/order.h"

#include "support/unit.h"

#define ROUNDS 20000U

/* A sequence that is the same in every run: what random_bytes() would give is set before. */
static void refill(struct random *random, uint64_t *seed)
{
	for (size_t i = 0; i < sizeof(random->pool); i += 8) {
		*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
		uint64_t v = *seed ^ *seed >> 29;

		memcpy(random->pool + i, &v, sizeof(v));
	}
	random->left = sizeof(random->pool);
}

static struct dns_rr srv(uint16_t priority, uint16_t weight)
{
	return (struct dns_rr){ .type = DNS_SRV,
		                .srv = { .priority = priority, .weight = weight } };
}

/* How often that weight is first of @n. */
static unsigned count_first(const struct dns_rr *from, size_t n, uint16_t weight)
{
	struct random random = { 0 };
	uint64_t seed = 42;
	unsigned count = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct dns_rr v[8];

		if (random.left < 256) {
			refill(&random, &seed);
		}
		memcpy(v, from, n * sizeof(*v));
		dns_srv_order(v, n, &random);
		count += v[0].srv.weight == weight;
	}
	return count;
}

static void expect_share(unsigned count, double share)
{
	double got = (double)count / ROUNDS;

	ck_assert_msg(got > share - 0.015 && got < share + 0.015, "%f, wanted %f", got, share);
}

START_TEST(rfc2782_lower_priorities_come_first_whatever_their_weight)
{
	struct dns_rr v[] = { srv(30, 60000), srv(10, 0), srv(20, 5), srv(10, 0), srv(0, 1) };
	struct random random = { 0 };

	for (unsigned i = 0; i < 100; i++) {
		dns_srv_order(v, 5, &random);
		ck_assert_uint_eq(v[0].srv.priority, 0);
		ck_assert_uint_eq(v[1].srv.priority, 10);
		ck_assert_uint_eq(v[2].srv.priority, 10);
		ck_assert_uint_eq(v[3].srv.priority, 20);
		ck_assert_uint_eq(v[4].srv.priority, 30);
	}
}
END_TEST

START_TEST(rfc2782_weights_are_shares)
{
	const struct dns_rr v[] = { srv(1, 60), srv(1, 20), srv(1, 10), srv(1, 10) };
	const struct dns_rr pair[] = { srv(1, 1000), srv(1, 3000) };

	expect_share(count_first(v, 4, 60), 0.6);
	expect_share(count_first(v, 4, 20), 0.2);
	expect_share(count_first(v, 4, 10), 0.2);
	expect_share(count_first(pair, 2, 1000), 0.25);
}
END_TEST

START_TEST(rfc2782_weight_0_has_a_very_small_chance_beside_others)
{
	const struct dns_rr v[] = { srv(1, 0), srv(1, 100) };
	const struct dns_rr last[] = { srv(1, 100), srv(1, 0) };
	unsigned n = count_first(v, 2, 0);

	expect_share(n, 1.0 / 101);
	ck_assert_uint_gt(n, 0);
	ck_assert_uint_gt(count_first(last, 2, 0), 0);
}
END_TEST

START_TEST(equal_weights_of_0_share_evenly)
{
	struct random random = { 0 };
	uint64_t seed = 7;
	unsigned first[3] = { 0 };

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct dns_rr v[] = { srv(1, 0), srv(1, 0), srv(1, 0) };

		for (uint16_t j = 0; j < 3; j++) {
			v[j].srv.port = j;
		}
		if (random.left < 256) {
			refill(&random, &seed);
		}
		dns_srv_order(v, 3, &random);
		first[v[0].srv.port]++;
	}
	for (unsigned j = 0; j < 3; j++) {
		expect_share(first[j], 1.0 / 3);
	}
}
END_TEST

START_TEST(the_second_place_follows_the_weights_that_are_left)
{
	struct random random = { 0 };
	uint64_t seed = 9;
	unsigned count = 0, of = 0;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct dns_rr v[] = { srv(1, 60), srv(1, 30), srv(1, 10) };

		if (random.left < 256) {
			refill(&random, &seed);
		}
		dns_srv_order(v, 3, &random);
		if (v[0].srv.weight == 60) {
			of++;
			count += v[1].srv.weight == 30;
		}
	}
	ck_assert_uint_gt(of, ROUNDS / 2);
	expect_share((unsigned)((double)count / of * ROUNDS), 0.75);
}
END_TEST

START_TEST(naptr_goes_by_order_then_preference_and_is_stable)
{
	struct dns_rr v[] = {
		{ .naptr = { .order = 20, .preference = 1, .flags = STR("a") } },
		{ .naptr = { .order = 10, .preference = 9, .flags = STR("b") } },
		{ .naptr = { .order = 10, .preference = 5, .flags = STR("c") } },
		{ .naptr = { .order = 10, .preference = 5, .flags = STR("d") } },
	};

	dns_naptr_order(v, 4);
	ck_assert_str_is(v[0].naptr.flags, "c");
	ck_assert_str_is(v[1].naptr.flags, "d");
	ck_assert_str_is(v[2].naptr.flags, "b");
	ck_assert_str_is(v[3].naptr.flags, "a");
}
END_TEST

UNIT_MAIN("dns/order", rfc2782_lower_priorities_come_first_whatever_their_weight,
          rfc2782_weights_are_shares, rfc2782_weight_0_has_a_very_small_chance_beside_others,
          equal_weights_of_0_share_evenly, the_second_place_follows_the_weights_that_are_left,
          naptr_goes_by_order_then_preference_and_is_stable)
