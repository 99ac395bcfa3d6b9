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
	(void)fclose(f);
	ck_assert_str_eq(text, want);
	free(text);
	json_decref(v);
}

START_TEST(rows_are_a_table_of_the_chosen_columns)
{
	prints("{\"users\":[{\"aor\":\"a\",\"n\":1,\"l\":\"x\"},{\"aor\":\"bcd\",\"n\":20,\"l\":"
	       "\"\"}]"
	       "}",
	       "n{l} aor",
	       "N     AOR\n"
	       "1{x}  a\n"
	       "20    bcd\n");
	prints("{\"users\":[]}", "aor", "");
}
END_TEST

START_TEST(members_are_names_with_values)
{
	prints("{\"a\":1,\"long\":[\"x\",\"y\"],\"none\":null,\"yes\":true,\"t\":0.5}", NULL,
	       "a:    1\nlong: x, y\nnone: -\nyes:  yes\nt:    0.5\n");
}
END_TEST

START_TEST(times_are_dates)
{
	prints("{\"last_reload\":{\"time\":1795941465,\"ok\":true},\"created\":0,\"uptime\":3}",
	       NULL,
	       "last_reload: time=2026-11-29T08:37:45Z ok=yes\n"
	       "created:     1970-01-01T00:00:00Z\n"
	       "uptime:      3\n");
	prints("{\"users\":[{\"aor\":\"a\",\"created\":1795941464}]}", NULL,
	       "AOR  CREATED\n"
	       "a    2026-11-29T08:37:44Z\n");
}
END_TEST

START_TEST(an_inner_table_stands_below_the_members)
{
	prints("{\"method\":\"INVITE\",\"steps\":[{\"rule\":\"r\",\"text\":\"t\",\"at\":1}]}",
	       "steps/rule text",
	       "method: INVITE\n\n"
	       "RULE  TEXT\n"
	       "r     t\n");
}
END_TEST

START_TEST(other_tables_stand_above_the_inner_one)
{
	prints("{\"records\":[{\"name\":\"n\"}],\"none\":[],\"targets\":[{\"order\":1,\"x\":2}]}",
	       "targets/order",
	       "NAME\nn\n"
	       "\n"
	       "ORDER\n1\n");
}
END_TEST

START_TEST(rows_with_inner_tables_are_blocks)
{
	prints("{\"calls\":[{\"id\":1,\"steps\":[{\"at\":1}]},{\"id\":2,\"steps\":[{\"at\":2}]}]}",
	       "steps/at",
	       "id: 1\n\nAT\n1\n"
	       "\n"
	       "id: 2\n\nAT\n2\n");
	prints("{\"calls\":[{\"id\":1},{\"id\":2}]}", "steps/at", "ID\n1\n2\n");
}
END_TEST

START_TEST(nothing_steers_the_terminal)
{
	prints("{\"a\":\"\\u001b[2J\\u009b\\u007f\\n\"}", NULL, "a: ?[2J????\n");
}
END_TEST

UNIT_MAIN("client/print", rows_are_a_table_of_the_chosen_columns, members_are_names_with_values,
          times_are_dates, an_inner_table_stands_below_the_members,
          other_tables_stand_above_the_inner_one, rows_with_inner_tables_are_blocks,
          nothing_steers_the_terminal)
