/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/args.h"

static bool set_name(struct ctl_arg *arg, struct str word)
{
	if (word.n == 0 || word.n >= sizeof(arg->name)) {
		return false;
	}
	for (size_t i = 0; i < word.n; i++) {
		char c = (char)ascii_lower((unsigned char)word.p[i]);

		arg->name[i] = (char)(c == '-' ? '_' : c);
	}
	arg->name[word.n] = '\0';
	return true;
}

/* @word is "--name"; @value what stands behind it, empty: nothing. */
static bool set_option(struct ctl_arg *arg, struct str word, struct str value)
{
	static const struct str from_stdin = STR_INIT("-stdin");

	word = str_skip(word, 2);
	arg->kind = value.n == 0                    ? CTL_ARG_FLAG
	            : str_eq(value, STR("FILE"))    ? CTL_ARG_FILE
	            : str_eq(value, STR("OUTFILE")) ? CTL_ARG_OUTFILE
	                                            : CTL_ARG_OPTION;
	if (value.n == 0 && str_ends(word, from_stdin)) {
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
		(void)str_cut(word, ' ', &word, &value);
		return set_option(arg_r, word, value);
	}
	if (word.n == 2 && word.p[0] == '-') {
		arg_r->kind = CTL_ARG_FLAG;
		return set_name(arg_r, str_skip(word, 1));
	}
	arg_r->kind = CTL_ARG_POSITIONAL;
	return set_name(arg_r, word);
}

const char *ctl_arg_kind_name(enum ctl_arg_kind kind)
{
	static const char *const names[] = { "positional", "option", "flag",
		                             "stdin",      "file",   "outfile" };

	return names[kind];
}
