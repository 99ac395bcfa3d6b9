/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words behind a command, "AOR [URI] [--expires S] [--force] [-v] [--password-stdin]". An
 * option's value called FILE is a file that the client reads and sends, in place of the words that
 * must be there otherwise; one called OUTFILE is written by the client and never gets here.
 */
#pragma once

#include "util/str.h"

#define CTL_ARG_NAME_MAX 32

enum ctl_arg_kind {
	CTL_ARG_POSITIONAL,
	CTL_ARG_OPTION,
	CTL_ARG_FLAG,
	CTL_ARG_STDIN,
	CTL_ARG_FILE,
	CTL_ARG_OUTFILE,
};

struct ctl_arg {
	enum ctl_arg_kind kind;
	bool is_optional;
	char name[CTL_ARG_NAME_MAX]; /* of the parameter: "aor", "call_id", "password" */
};

/* Cuts the first argument off *rest. false: there are no more, or it is longer than is allowed. */
bool ctl_arg_next(struct str *rest, struct ctl_arg *arg_r);
/* "positional", "option", "flag", "stdin", "file", "outfile". */
const char *ctl_arg_kind_name(enum ctl_arg_kind kind);
