/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands of modules: the control socket assembles its table from them and calls run() with a
 * struct belfry_call of its own making, whose functions do what belfry_command_*() say. Main
 * thread.
 */
#pragma once

#include "module/core.h"

struct belfry_call {
	/* Value as text (a number in decimal, a boolean as true or false), empty when absent; valid
	 * until the call is answered. */
	struct str (*param)(struct belfry_call *call, const char *name);
	/* Exactly one of these, exactly once; the call is gone then. */
	void (*reply)(struct belfry_call *call, struct str json);
	void (*fail)(struct belfry_call *call, const char *why);
};

/* Walks the commands of all modules that are enabled; NULL at the end. */
const struct belfry_command *module_command_at(const struct belfry_core *core, size_t i,
                                               const char **module_r);
/* Runs one of them. */
void module_command_run(struct belfry_core *core, const struct belfry_command *command,
                        struct belfry_call *call);
