/* SPDX-License-Identifier: Apache-2.0 */
#include "util/str.h"

#include "support/unit.h"

#include <errno.h>

START_TEST(str_trim_takes_blanks_and_line_ends_off_both_ends)
{
	ck_assert_str_is(str_trim(STR(" \t\r\n a b \n")), "a b");
	ck_assert_str_is(str_trim(STR(" \t ")), "");
	ck_assert_str_is(str_trim(STR_NONE), "");
}
END_TEST

START_TEST(str_eq_nocase_folds_ascii_letters_only)
{
	ck_assert(str_eq_nocase(STR("Call-ID"), STR("cALL-id")));
	ck_assert(!str_eq_nocase(STR("a["), STR("a{")));
	ck_assert(!str_eq_nocase(STR("\xc4"), STR("\xe4")));
	ck_assert(!str_eq_nocase(STR("ab"), STR("abc")));
	ck_assert(str_eq_nocase(STR_NONE, STR("")));
}
END_TEST

START_TEST(str_eq_nocase_looks_at_every_byte_at_every_length)
{
	char a[] = "proxy.Example.com/0123456789", b[sizeof(a)];

	for (size_t n = 1; n < sizeof(a); n++) {
		struct str as = { a, n }, bs = { b, n };

		memcpy(b, a, n);
		ck_assert_msg(str_eq_nocase(as, bs), "%zu", n);
		for (size_t i = 0; i < n; i++) {
			memcpy(b, a, n);
			b[i] = (char)(b[i] ^ 0x20);
			ck_assert_msg(str_eq_nocase(as, bs) == ascii_is_alpha((unsigned char)a[i]),
			              "%zu of %zu", i, n);
			b[i] = '~';
			ck_assert_msg(!str_eq_nocase(as, bs), "%zu of %zu", i, n);
			ck_assert_msg(!str_eq_secret(as, bs), "%zu of %zu", i, n);
		}
	}
}
END_TEST

START_TEST(str_cmp_orders_by_bytes_then_shorter_first)
{
	ck_assert_int_lt(str_cmp(STR("ab"), STR("abc")), 0);
	ck_assert_int_gt(str_cmp(STR("\xff"), STR("a")), 0);
	ck_assert_int_eq(str_cmp(STR("x"), STR("x")), 0);
	ck_assert_int_eq(str_cmp(STR_NONE, STR("")), 0);
	ck_assert_int_lt(str_cmp(STR("B"), STR("a")), 0);
	ck_assert_int_gt(str_cmp_nocase(STR("B"), STR("a")), 0);
	ck_assert_int_eq(str_cmp_nocase(STR("AbC"), STR("aBc")), 0);
	ck_assert_int_lt(str_cmp_nocase(STR("AB"), STR("abc")), 0);
}
END_TEST

START_TEST(str_starts_and_ends_need_the_whole_part)
{
	ck_assert(str_starts(STR("sip:a"), STR("sip:")));
	ck_assert(!str_starts(STR("SIP:a"), STR("sip:")));
	ck_assert(str_starts_nocase(STR("SIP:a"), STR("sip:")));
	ck_assert(!str_starts(STR("si"), STR("sip:")));
	ck_assert(str_starts(STR("x"), STR("")));
	ck_assert(str_ends(STR("a.com"), STR(".com")));
	ck_assert(!str_ends(STR("com"), STR(".com")));
}
END_TEST

START_TEST(str_contains_nocase_finds_at_every_place)
{
	ck_assert(str_contains_nocase(STR("friendly-Scanner"), STR("SCAN")));
	ck_assert(str_contains_nocase(STR("abc"), STR("c")));
	ck_assert(str_contains_nocase(STR("abc"), STR("")));
	ck_assert(str_contains_nocase(STR(""), STR("")));
	ck_assert(!str_contains_nocase(STR("ab"), STR("abc")));
	ck_assert(!str_contains_nocase(STR("acb"), STR("ab")));
}
END_TEST

START_TEST(str_cut_splits_at_the_first_mark)
{
	struct str head, tail;

	ck_assert(str_cut(STR("a:b:c"), ':', &head, &tail));
	ck_assert_str_is(head, "a");
	ck_assert_str_is(tail, "b:c");
	ck_assert(!str_cut(STR("abc"), ':', &head, &tail));
	ck_assert_str_is(head, "abc");
	ck_assert_str_is(tail, "");
	ck_assert(str_cut(STR(":"), ':', &head, &tail));
	ck_assert_str_is(head, "");
	ck_assert_str_is(tail, "");
	ck_assert_int_eq(str_find(STR("abc"), 'c'), 2);
	ck_assert_int_eq(str_find(STR_NONE, 'c'), -1);
}
END_TEST

START_TEST(str_glob_takes_a_star_at_either_end_only)
{
	ck_assert(str_glob(STR("+*"), STR("+49123"), false));
	ck_assert(!str_glob(STR("+*"), STR("49123"), false));
	ck_assert(str_glob(STR("*.example.com"), STR("a.Example.com"), true));
	ck_assert(!str_glob(STR("*.example.com"), STR("a.Example.com"), false));
	ck_assert(str_glob(STR("*b*"), STR("abc"), false));
	ck_assert(!str_glob(STR("*x*"), STR("abc"), false));
	ck_assert(str_glob(STR("*"), STR(""), false));
	ck_assert(str_glob(STR("**"), STR("x"), false));
	ck_assert(!str_glob(STR("a*c"), STR("abc"), false));
	ck_assert(str_glob(STR("a*c"), STR("a*c"), false));
	ck_assert(str_glob(STR(""), STR(""), false));
	ck_assert(!str_glob(STR(""), STR("a"), false));
}
END_TEST

START_TEST(str_to_u64_refuses_all_but_digits)
{
	uint64_t v = 7;
	uint32_t w = 7;

	ck_assert_int_eq(str_to_u64(STR("18446744073709551615"), UINT64_MAX, &v), 0);
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert_int_eq(str_to_u64(STR("18446744073709551616"), UINT64_MAX, &v), -ERANGE);
	ck_assert_uint_eq(v, UINT64_MAX);
	ck_assert_int_eq(str_to_u64(STR("99999999999999999999999999"), 10, &v), -ERANGE);
	ck_assert_uint_eq(v, 10);
	ck_assert_int_eq(str_to_u64(STR("0000000000000000000000000012"), 12, &v), 0);
	ck_assert_uint_eq(v, 12);
	ck_assert_int_eq(str_to_u64(STR(""), 10, &v), -EINVAL);
	ck_assert_int_eq(str_to_u64(STR("+1"), 10, &v), -EINVAL);
	ck_assert_int_eq(str_to_u64(STR("1 "), 10, &v), -EINVAL);
	ck_assert_int_eq(str_to_u64(STR("99999999999999999999999999x"), 10, &v), -EINVAL);
	ck_assert_uint_eq(v, 12);
	ck_assert_int_eq(str_to_u32(STR("4294967295"), &w), 0);
	ck_assert_uint_eq(w, UINT32_MAX);
	ck_assert_int_eq(str_to_u32(STR("4294967296"), &w), -ERANGE);
	ck_assert_int_eq(str_to_u32(STR("-1"), &w), -EINVAL);
}
END_TEST

START_TEST(str_eq_secret_compares_all_bytes)
{
	ck_assert(str_eq_secret(STR("abc"), STR("abc")));
	ck_assert(!str_eq_secret(STR("abc"), STR("abd")));
	ck_assert(!str_eq_secret(STR("\x81"), STR("\x01")));
	ck_assert(!str_eq_secret(STR("abc"), STR("ab")));
	ck_assert(str_eq_secret(STR_NONE, STR("")));
}
END_TEST

static int dup_scenario(void *arg)
{
	char *p = str_dup(STR("a\0b"));

	(void)arg;
	if (!p) {
		return -ENOMEM;
	}
	ck_assert_mem_eq(p, "a\0b\0", 4);
	free(p);
	return 0;
}

START_TEST(str_dup_ends_in_nul_and_survives_want_of_memory)
{
	char *p = str_dup(STR_NONE);

	ck_assert_ptr_nonnull(p);
	ck_assert_str_eq(p, "");
	free(p);
	oom_each(dup_scenario, NULL);
}
END_TEST

UNIT_MAIN("util/str", str_trim_takes_blanks_and_line_ends_off_both_ends,
          str_eq_nocase_folds_ascii_letters_only, str_eq_nocase_looks_at_every_byte_at_every_length,
          str_cmp_orders_by_bytes_then_shorter_first, str_starts_and_ends_need_the_whole_part,
          str_contains_nocase_finds_at_every_place, str_cut_splits_at_the_first_mark,
          str_glob_takes_a_star_at_either_end_only, str_to_u64_refuses_all_but_digits,
          str_eq_secret_compares_all_bytes, str_dup_ends_in_nul_and_survives_want_of_memory)
