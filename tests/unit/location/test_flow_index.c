/* SPDX-License-Identifier: Apache-2.0 */
#include "location/flow_index.h"

#include <errno.h>

#include "support/unit.h"

static size_t count(const struct loc_flow_index *ix, uint32_t flow)
{
	uint32_t aor, from = 0;
	size_t n = 0;

	while (loc_flow_index_next(ix, flow, from, &aor)) {
		n++;
		if (aor == UINT32_MAX) {
			break;
		}
		from = aor + 1;
	}
	return n;
}

START_TEST(each_flow_finds_its_own)
{
	struct loc_flow_index ix;
	uint32_t aor = 0;

	loc_flow_index_init(&ix);
	ck_assert(!loc_flow_index_next(&ix, 1, 0, &aor));
	ck_assert(!loc_flow_index_del(&ix, 1, 0));
	for (uint32_t i = 0; i < 30000; i++) {
		uint32_t k = i * 2654435761U;

		ck_assert_int_eq(loc_flow_index_add(&ix, k % 1000, k), 0);
	}
	for (uint32_t flow = 0; flow < 1000; flow++) {
		ck_assert_uint_gt(count(&ix, flow), 0);
	}
	ck_assert_uint_eq(count(&ix, 1000), 0);
	for (uint32_t i = 0; i < 30000; i++) {
		uint32_t k = i * 2654435761U;

		ck_assert(loc_flow_index_del(&ix, k % 1000, k));
		ck_assert(!loc_flow_index_del(&ix, k % 1000, k));
	}
	ck_assert_uint_eq(ix.n, 0);
	loc_flow_index_fini(&ix);
}
END_TEST

START_TEST(a_flow_that_all_share_works_like_any_other)
{
	struct loc_flow_index ix;

	loc_flow_index_init(&ix);
	for (uint32_t i = 0; i < 50000; i++) {
		ck_assert_int_eq(loc_flow_index_add(&ix, 5, i * 2654435761U), 0);
	}
	ck_assert_uint_eq(count(&ix, 5), 50000);
	ck_assert_uint_eq(count(&ix, 4), 0);
	ck_assert_uint_eq(count(&ix, 6), 0);
	loc_flow_index_fini(&ix);
}
END_TEST

START_TEST(the_same_pair_may_be_there_more_than_once)
{
	struct loc_flow_index ix;

	loc_flow_index_init(&ix);
	for (int i = 0; i < 2000; i++) {
		ck_assert_int_eq(loc_flow_index_add(&ix, 5, UINT32_MAX), 0);
	}
	ck_assert_uint_eq(count(&ix, 5), 1);
	for (int i = 0; i < 2000; i++) {
		ck_assert(loc_flow_index_del(&ix, 5, UINT32_MAX));
	}
	ck_assert(!loc_flow_index_del(&ix, 5, UINT32_MAX));
	loc_flow_index_fini(&ix);
}
END_TEST

START_TEST(copies_of_a_pair_at_the_edge_of_a_leaf_are_all_found)
{
	struct loc_flow_index ix;

	loc_flow_index_init(&ix);
	for (uint32_t i = 0; i < 3000; i++) {
		ck_assert_int_eq(loc_flow_index_add(&ix, i % 3, 7), 0);
	}
	for (uint32_t i = 0; i < 3000; i++) {
		ck_assert(loc_flow_index_del(&ix, 1 + i / 1000 % 2, 7) == (i < 2000));
		ck_assert_uint_eq(count(&ix, 0), 1);
	}
	loc_flow_index_fini(&ix);
}
END_TEST

START_TEST(random_adds_and_deletes_agree_with_a_plain_array)
{
	static uint8_t there[64][64];
	struct loc_flow_index ix;
	uint32_t x = 1;

	loc_flow_index_init(&ix);
	for (int i = 0; i < 200000; i++) {
		uint32_t flow, aor;

		x = x * 1664525U + 1013904223U;
		flow = x >> 26;
		aor = x >> 20 & 63;
		if (there[flow][aor]) {
			ck_assert(loc_flow_index_del(&ix, flow, aor));
		} else {
			ck_assert_int_eq(loc_flow_index_add(&ix, flow, aor), 0);
		}
		there[flow][aor] ^= 1;
	}
	for (uint32_t flow = 0; flow < 64; flow++) {
		size_t n = 0;

		for (int k = 0; k < 64; k++) {
			n += there[flow][k];
		}
		ck_assert_uint_eq(count(&ix, flow), n);
	}
	loc_flow_index_fini(&ix);
}
END_TEST

START_TEST(what_is_added_in_bulk_is_found_and_grows_on)
{
	struct loc_flow_index ix;

	loc_flow_index_init(&ix);
	loc_flow_index_bulk_begin(&ix);
	ck_assert_int_eq(loc_flow_index_bulk_end(&ix), 0);
	ck_assert_uint_eq(ix.n, 0);
	loc_flow_index_bulk_begin(&ix);
	for (uint32_t i = 0; i < 20000; i++) {
		ck_assert_int_eq(loc_flow_index_add(&ix, i % 7, i * 2654435761U), 0);
	}
	ck_assert(!loc_flow_index_del(&ix, 0, 0));
	ck_assert_int_eq(loc_flow_index_bulk_end(&ix), 0);
	for (uint32_t i = 20000; i < 40000; i++) {
		ck_assert_int_eq(loc_flow_index_add(&ix, i % 7, i * 2654435761U), 0);
	}
	ck_assert_uint_eq(count(&ix, 0), 40000 / 7 + 1);
	ck_assert_uint_eq(count(&ix, 6), 40000 / 7);
	for (uint32_t i = 0; i < 40000; i++) {
		ck_assert(loc_flow_index_del(&ix, i % 7, i * 2654435761U));
	}
	ck_assert_uint_eq(ix.n, 0);
	loc_flow_index_fini(&ix);
}
END_TEST

static int oom_bulk(void *arg)
{
	struct loc_flow_index ix;
	int err;

	(void)arg;
	loc_flow_index_init(&ix);
	loc_flow_index_bulk_begin(&ix);
	for (uint32_t i = 0; i < 3000; i++) {
		(void)loc_flow_index_add(&ix, 1, i);
	}
	err = loc_flow_index_bulk_end(&ix);
	ck_assert(!ix.is_bulk);
	ck_assert_uint_le(count(&ix, 1), 3000);
	loc_flow_index_fini(&ix);
	return err;
}

static int oom(void *arg)
{
	struct loc_flow_index ix;
	uint32_t in = 0, n = 1500;

	(void)arg;
	loc_flow_index_init(&ix);
	for (uint32_t i = 0; i < n; i++) {
		in += loc_flow_index_add(&ix, 1, i) == 0;
	}
	ck_assert_uint_eq(count(&ix, 1), in);
	loc_flow_index_fini(&ix);
	return in == n ? 0 : -ENOMEM;
}

START_TEST(no_memory_leaves_out_that_pair_only)
{
	oom_each(oom, NULL);
	oom_each(oom_bulk, NULL);
}
END_TEST

UNIT_MAIN("location/flow_index", each_flow_finds_its_own,
          a_flow_that_all_share_works_like_any_other, the_same_pair_may_be_there_more_than_once,
          copies_of_a_pair_at_the_edge_of_a_leaf_are_all_found,
          random_adds_and_deletes_agree_with_a_plain_array,
          what_is_added_in_bulk_is_found_and_grows_on, no_memory_leaves_out_that_pair_only)
