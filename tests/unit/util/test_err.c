/* SPDX-License-Identifier: Apache-2.0 */
#include "util/err.h"

#include "support/unit.h"

#include <errno.h>

START_TEST(strerror_has_a_text_of_its_own_for_each_of_our_errors)
{
	for (int a = BELFRY_ECONF; a <= BELFRY_EPARSE; a++) {
		ck_assert_str_ne(belfry_strerror(a), "unknown error");
		for (int b = BELFRY_ECONF; b < a; b++) {
			ck_assert_str_ne(belfry_strerror(a), belfry_strerror(b));
		}
	}
	ck_assert_str_ne(belfry_strerror(BELFRY_WAIT), "unknown error");
}
END_TEST

START_TEST(strerror_takes_the_system_text_for_negative_errno)
{
	ck_assert_str_eq(belfry_strerror(-ENOENT), "No such file or directory");
	ck_assert_str_eq(belfry_strerror(0), "no error");
	ck_assert_str_eq(belfry_strerror(BELFRY_ECONF - 1), "unknown error");
	ck_assert_str_eq(belfry_strerror(-999), "unknown error");
	ck_assert_str_eq(belfry_strerror(77), "unknown error");
}
END_TEST

UNIT_MAIN("util/err", strerror_has_a_text_of_its_own_for_each_of_our_errors,
          strerror_takes_the_system_text_for_negative_errno)
