/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of belfryd. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum exit_code {
	EXIT_FINE = 0,
	EXIT_CONF = 1,   /* the configuration is wrong */
	EXIT_SYSTEM = 2, /* the system refused something */
	EXIT_USAGE = 64,
};

struct options {
	const char *file;
	char **overrides; /* KEY=VALUE, heap array of borrowed words */
	size_t overrides_n;
	bool foreground, test;
};

/* -1: go on with *o_r; else the exit code: help and version have been printed, or usage. */
int options_parse(int argc, char **argv, struct options *o_r);
void options_fini(struct options *o);
