/* SPDX-License-Identifier: Apache-2.0 */
/* Failures per source address and the bans that follow from them, over all workers. */
#pragma once

#include "belfry/module.h"

struct guard {
	struct belfry_shared *failures; /* source address -> count within ban_time */
	struct belfry_shared *bans;     /* source address -> until when */
};

int guard_init(struct guard *g, struct belfry_core *core);

/* A failure that @ip has to answer for. true: @max within @ban_time_s, the address is banned now.
 */
bool guard_failure(struct guard *g, struct belfry_mod *mod, struct str ip, int max, int ban_time_s);

/* Commands `ban list` and `ban del ADDR`; @data has the guard first. */
void guard_list(struct belfry_call *call, struct belfry_core *core, void *data);
void guard_del(struct belfry_call *call, struct belfry_core *core, void *data);
