/* SPDX-License-Identifier: Apache-2.0 */
#include "location/dirty.h"

#include "support/unit.h"

#define N     100000U
#define RANGE 1024U /* ids that count as neighbours */

START_TEST(all_come_back_once_in_the_order_of_their_rows)
{
	static unsigned char seen[N];
	struct loc_dirty d = { 0 };
	uint32_t hash, last = 0, n = 0;

	loc_dirty_begin(&d, 1); /* the ids come up while they are gathered */
	for (uint32_t i = 0; i < N; i++) {
		uint32_t id = (uint32_t)((uint64_t)i * 7919 % N);

		ck_assert_int_eq(loc_dirty_add(&d, id, id), 0);
	}
	ck_assert_uint_eq(d.left, N);
	memset(seen, 0, sizeof(seen));
	while (loc_dirty_next(&d, &hash)) {
		ck_assert_uint_ge(hash / RANGE, last / RANGE);
		ck_assert_uint_eq(seen[hash]++, 0);
		last = hash;
		n++;
	}
	ck_assert_uint_eq(n, N);
	ck_assert_uint_eq(d.left, 0);
	loc_dirty_fini(&d);
	ck_assert(!loc_dirty_next(&d, &hash));
}
END_TEST

START_TEST(ids_of_any_size_take_little_memory)
{
	static const uint64_t ids[] = {
		0, 1, 1023, 1024, UINT64_C(1) << 26, UINT64_C(1) << 40, INT64_MAX
	};
	struct loc_dirty d = { 0 };
	uint32_t hash, n = 0;

	for (unsigned round = 0; round < 2; round++) {
		loc_dirty_begin(&d, round ? INT64_MAX : 0);
		for (uint32_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
			ck_assert_int_eq(loc_dirty_add(&d, ids[i], i), 0);
		}
		ck_assert_uint_le(d.ranges_n, 1U << 17);
		for (n = 0; loc_dirty_next(&d, &hash); n++) {
		}
		ck_assert_uint_eq(n, sizeof(ids) / sizeof(ids[0]));
	}
	loc_dirty_fini(&d);
}
END_TEST

static int scenario(void *arg)
{
	struct loc_dirty d = { 0 };
	uint32_t hash, n = 0, added = 0;

	(void)arg;
	loc_dirty_begin(&d, 1);
	for (uint32_t i = 0; i < 600; i++) {
		added += loc_dirty_add(&d, i * (uint64_t)RANGE, i) == 0;
	}
	while (loc_dirty_next(&d, &hash)) {
		n++;
	}
	ck_assert_uint_eq(n, added); /* what was refused is not there, all else is */
	loc_dirty_fini(&d);
	return added == 600 ? 0 : -1;
}

START_TEST(what_there_is_no_memory_for_is_refused_alone)
{
	oom_each(scenario, NULL);
}
END_TEST

UNIT_MAIN("location/dirty", all_come_back_once_in_the_order_of_their_rows,
          ids_of_any_size_take_little_memory, what_there_is_no_memory_for_is_refused_alone)
