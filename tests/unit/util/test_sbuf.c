/* SPDX-License-Identifier: Apache-2.0 */
#include "util/sbuf.h"

#include "support/unit.h"

START_TEST(sbuf_remembers_what_did_not_fit_and_writes_none_of_it)
{
	char space[8] = "........";
	struct sbuf b;

	sbuf_init(&b, space, 4);
	sbuf_add(&b, STR("abc"));
	ck_assert(sbuf_ok(&b));
	sbuf_add(&b, STR("de"));
	ck_assert(!sbuf_ok(&b));
	sbuf_char(&b, 'f');
	ck_assert(!sbuf_ok(&b));
	ck_assert_str_is(sbuf_str(&b), "abcf");
	ck_assert_mem_eq(space, "abcf....", 8);
	sbuf_add(&b, STR_NONE);
	ck_assert_str_is(sbuf_str(&b), "abcf");
}
END_TEST

START_TEST(sbuf_prints_numbers_without_a_nul)
{
	char space[32];
	struct sbuf b;

	sbuf_init(&b, space, 21);
	sbuf_u64(&b, 0);
	sbuf_u64(&b, UINT64_MAX);
	ck_assert(sbuf_ok(&b));
	ck_assert_str_is(sbuf_str(&b), "018446744073709551615");
	sbuf_u64(&b, 1);
	ck_assert(!sbuf_ok(&b));
}
END_TEST

START_TEST(sbuf_printf_fills_the_space_to_its_last_byte)
{
	char space[1001];
	struct sbuf b;

	space[4] = '!';
	sbuf_init(&b, space, 4);
	sbuf_printf(&b, "%s", "abcd");
	ck_assert(sbuf_ok(&b));
	ck_assert_str_is(sbuf_str(&b), "abcd");
	ck_assert_int_eq(space[4], '!');
	sbuf_printf(&b, "x");
	ck_assert(!sbuf_ok(&b));

	space[1000] = '!';
	sbuf_init(&b, space, 1000);
	sbuf_printf(&b, "%999d", 1); /* longer than any buffer of its own */
	ck_assert(sbuf_ok(&b));
	ck_assert_uint_eq(b.n, 999);
	ck_assert_int_eq(space[998], '1');
	ck_assert_int_eq(space[1000], '!');

	sbuf_init(&b, space, 1000);
	sbuf_printf(&b, "%1000d", 1);
	ck_assert(!sbuf_ok(&b));
	ck_assert_uint_eq(b.n, 0);
	ck_assert_int_eq(space[1000], '!');
}
END_TEST

UNIT_MAIN("util/sbuf", sbuf_remembers_what_did_not_fit_and_writes_none_of_it,
          sbuf_prints_numbers_without_a_nul, sbuf_printf_fills_the_space_to_its_last_byte)
