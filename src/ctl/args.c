/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/args.h"

static bool set_name(struct ctl_arg *arg, struct str word)
{
	if (word.n == 0 || word.n >= sizeof(arg->name)) {
		return false;
	}
	for (size_t i = 0; i < word.n; i++) {
		arg->name[i] = (char)ascii_lower((unsigned char)word.p[i]);
	}
	arg->name[word.n] = '\0';
	return true;
}

static bool set_option(struct ctl_arg *arg, struct str word, bool has_value)
{
	static const struct str from_stdin = STR_INIT("-stdin");

	word = str_skip(word, 2);
	arg->kind = has_value ? CTL_ARG_OPTION : CTL_ARG_FLAG;
	if (!has_value && str_ends(word, from_stdin)) {
		arg->kind = CTL_ARG_STDIN;
		word.n -= from_stdin.n;
	}
	return set_name(arg, word);
}

bool ctl_arg_next(struct str *rest, struct ctl_arg *arg_r)
{
	struct str s = str_trim(*rest), word, value;

	if (s.n == 0) {
		return false;
	}
	arg_r->is_optional = s.p[0] == '[';
	if (arg_r->is_optional) {
		(void)str_cut(str_skip(s, 1), ']', &word, rest);
	} else {
		(void)str_cut(s, ' ', &word, rest);
		if (str_starts(word, STR("--"))) {
			struct str next;

			*rest = str_trim(*rest);
			(void)str_cut(*rest, ' ', &next, rest);
			word.n = (size_t)(next.p + next.n - word.p);
		}
	}
	if (str_starts(word, STR("--"))) {
		bool has_value = str_cut(word, ' ', &word, &value);

		return set_option(arg_r, word, has_value);
	}
	arg_r->kind = CTL_ARG_POSITIONAL;
	return set_name(arg_r, word);
}

const char *ctl_arg_kind_name(enum ctl_arg_kind kind)
{
	static const char *const names[] = { "positional", "option", "flag", "stdin" };

	return names[kind];
}
