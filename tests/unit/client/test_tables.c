/* SPDX-License-Identifier: Apache-2.0 */
#include "client/print.h"

#include "support/unit.h"

static void prints(const char *json, const char *columns, const char *want)
{
	json_t *v = json_loads(json, 0, NULL);
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	ck_assert_ptr_nonnull(v);
	print_result(f, v, columns);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert_str_eq(text, want);
	free(text);
	json_decref(v);
}

START_TEST(members_are_aligned)
{
	prints("{\"a\":1,\"long\":\"x\",\"t\":true,\"n\":null,\"r\":0.25,\"w\":2.0}", NULL,
	       "a:    1\nlong: x\nt:    yes\nn:    -\nr:    0.25\nw:    2\n");
	prints("{}", NULL, "");
}
END_TEST

START_TEST(rows_become_a_table)
{
	prints("{\"rows\":[{\"a\":1,\"b_c\":\"x\"},{\"a\":1000,\"b_c\":\"\xc3\xa4\"}]}", NULL,
	       "A     B-C\n1     x\n1000  \xc3\xa4\n");
	prints("{\"rows\":[{\"a\":1,\"b\":\"x\"},{\"a\":2,\"b\":\"\"}]}", "b a",
	       "B  A\nx  1\n-  2\n");
	prints("{\"rows\":[{\"n\":\"m\",\"l\":\"x=1\",\"v\":5},{\"n\":\"o\",\"l\":\"\",\"v\":6}]}",
	       "n{l} v", "N       V\nm{x=1}  5\no       6\n");
	prints("{\"rows\":[]}", NULL, "");
}
END_TEST

START_TEST(lists_and_groups_are_shown_in_place)
{
	prints("{\"a\":[\"x\",\"y\"],\"b\":{\"c\":1,\"d\":null},\"e\":[]}", NULL,
	       "a: x, y\nb: c=1 d=-\ne: -\n");
}
END_TEST

START_TEST(nothing_steers_the_terminal)
{
	prints("{\"a\":\"x\\u001b[2J\\ny\\u009b\"}", NULL, "a: x?[2J?y??\n");
	prints("{\"rows\":[{\"a\":\"\\u001b]0;x\\u0007\"}]}", NULL, "A\n?]0;x?\n");
}
END_TEST

UNIT_MAIN("client/print: tables", members_are_aligned, rows_become_a_table,
          lists_and_groups_are_shown_in_place, nothing_steers_the_terminal)
