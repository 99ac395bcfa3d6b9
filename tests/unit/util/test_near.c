/* SPDX-License-Identifier: Apache-2.0 */
#include "util/near.h"

#include "support/unit.h"

START_TEST(distance_counts_letters_to_change)
{
	char big[NEAR_LEN_MAX + 1];

	memset(big, 'a', sizeof(big));
	ck_assert_uint_eq(near_distance(STR("relay"), STR("relay")), 0);
	ck_assert_uint_eq(near_distance(STR("relay"), STR("RELAY")), 0);
	ck_assert_uint_eq(near_distance(STR("rely"), STR("relay")), 1);
	ck_assert_uint_eq(near_distance(STR("rleay"), STR("relay")), 1);
	ck_assert_uint_eq(near_distance(STR("kitten"), STR("sitting")), 3);
	ck_assert_uint_eq(near_distance(STR(""), STR("abc")), 3);
	ck_assert_uint_eq(near_distance(STR_NONE, STR_NONE), 0);
	ck_assert_uint_gt(near_distance(str_make(big, sizeof(big)), STR("a")), NEAR_LEN_MAX);
}
END_TEST

static struct str nearest(const char *typed, const char *const *names)
{
	struct near near;

	near_init(&near, str_from(typed));
	for (; *names; names++) {
		near_try(&near, str_from(*names));
	}
	return near.best;
}

START_TEST(near_names_the_nearest_or_nothing)
{
	static const char *const names[] = { "workers", "user", "group", "state_dir", NULL };

	ck_assert_str_is(nearest("worker", names), "workers");
	ck_assert_str_is(nearest("usr", names), "user");
	ck_assert_str_is(nearest("statedir", names), "state_dir");
	ck_assert_str_is(nearest("xyzzy", names), "");
	ck_assert_str_is(nearest("", names), "");
}
END_TEST

UNIT_MAIN("util/near", distance_counts_letters_to_change, near_names_the_nearest_or_nothing)
