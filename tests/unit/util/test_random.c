/* SPDX-License-Identifier: Apache-2.0 */
#include "util/random.h"

#include "support/unit.h"

START_TEST(random_bytes_do_not_repeat_over_refills)
{
	static uint64_t seen[2000];
	struct random r = { 0 };

	for (size_t i = 0; i < 2000; i++) {
		seen[i] = random_u64(&r);
		for (size_t j = 0; j < i; j++) {
			ck_assert_uint_ne(seen[i], seen[j]);
		}
	}
}
END_TEST

START_TEST(random_bytes_fill_all_of_any_length)
{
	struct random r = { 0 };
	unsigned char out[1400], any[1400] = { 0 };

	for (size_t round = 0; round < 40; round++) {
		size_t n = round % 2 ? 1300 : 100 + round;

		memset(out, 0, sizeof(out));
		random_bytes(&r, out, n);
		for (size_t i = 0; i < sizeof(out); i++) {
			any[i] |= out[i];
			ck_assert(i < n || out[i] == 0);
		}
	}
	for (size_t i = 0; i < 1300; i++) { /* 20 bytes all 0: one in 2^160 */
		ck_assert_int_ne(any[i], 0);
	}
}
END_TEST

START_TEST(random_pool_keeps_nothing_that_was_handed_out)
{
	struct random r = { 0 };
	unsigned char out[32];

	random_bytes(&r, out, sizeof(out));
	ck_assert_uint_eq(r.left, sizeof(r.pool) - sizeof(out));
	for (size_t i = r.left; i < sizeof(r.pool); i++) {
		ck_assert_int_eq(r.pool[i], 0);
	}
}
END_TEST

START_TEST(random_below_gives_every_value_and_none_above)
{
	struct random r = { 0 };
	size_t seen[10] = { 0 };

	for (int i = 0; i < 20000; i++) {
		uint64_t v = random_below(&r, 10);

		ck_assert_uint_lt(v, 10);
		seen[v]++;
	}
	for (int i = 0; i < 10; i++) { /* 2,000 expected; 10 standard deviations are 424 */
		ck_assert_uint_gt(seen[i], 1500);
		ck_assert_uint_lt(seen[i], 2500);
	}
	ck_assert_uint_eq(random_below(&r, 1), 0);
	ck_assert_uint_eq(random_below(&r, 0), 0);
	ck_assert_uint_lt(random_below(&r, (UINT64_MAX / 2) + 2), UINT64_MAX / 2 + 2);
}
END_TEST

UNIT_MAIN("util/random", random_bytes_do_not_repeat_over_refills,
          random_bytes_fill_all_of_any_length, random_pool_keeps_nothing_that_was_handed_out,
          random_below_gives_every_value_and_none_above)
