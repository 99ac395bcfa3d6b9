/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/args.h"

#include "support/unit.h"

static void is(const char *text, enum ctl_arg_kind kind, const char *name, bool is_optional,
               struct str *rest)
{
	struct ctl_arg arg;

	ck_assert_msg(ctl_arg_next(rest, &arg), "%s: no %s", text, name);
	ck_assert_int_eq(arg.kind, kind);
	ck_assert_str_eq(arg.name, name);
	ck_assert_int_eq(arg.is_optional, is_optional);
}

START_TEST(arguments_are_told_apart)
{
	const char *text = "AOR [URI] --must X [--expires S] [--force] [--password-stdin] LAST";
	struct str rest = str_from(text);
	struct ctl_arg arg;

	is(text, CTL_ARG_POSITIONAL, "aor", false, &rest);
	is(text, CTL_ARG_POSITIONAL, "uri", true, &rest);
	is(text, CTL_ARG_OPTION, "must", false, &rest);
	is(text, CTL_ARG_OPTION, "expires", true, &rest);
	is(text, CTL_ARG_FLAG, "force", true, &rest);
	is(text, CTL_ARG_STDIN, "password", true, &rest);
	is(text, CTL_ARG_POSITIONAL, "last", false, &rest);
	ck_assert(!ctl_arg_next(&rest, &arg));
}
END_TEST

START_TEST(no_arguments_are_none)
{
	struct str rest = STR("");
	struct ctl_arg arg;

	ck_assert(!ctl_arg_next(&rest, &arg));
	rest = STR("  ");
	ck_assert(!ctl_arg_next(&rest, &arg));
}
END_TEST

START_TEST(name_that_is_too_long_ends_the_list)
{
	struct str rest = STR("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGHIJKLMNOPQRSTUVWXYZ");
	struct ctl_arg arg;

	ck_assert(!ctl_arg_next(&rest, &arg));
}
END_TEST

UNIT_MAIN("ctl/args", arguments_are_told_apart, no_arguments_are_none,
          name_that_is_too_long_ends_the_list)
