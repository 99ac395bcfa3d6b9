/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hook table: the proxy walks it, the module layer fills it. One per worker and settings
 * snapshot order; immutable while a request uses it.
 */
#pragma once

#include "belfry/module.h"
#include "worker/worker.h"

#include <stddef.h>

struct hook_entry {
	int order;
	union belfry_hook_fn fn;
	struct belfry_mod *mod;
};

struct hook_service {
	struct str method;
	enum belfry_verdict (*serve)(struct belfry_req *req, struct belfry_mod *mod);
	struct belfry_mod *mod;
};

struct hook_table {
	struct hook_entry *v[BELFRY_H_N]; /* sorted by order */
	size_t n[BELFRY_H_N];
	struct hook_service *services;
	size_t services_n;
	/* Called before each hook so that belfry_conf(mod) gives the request's snapshot. */
	void (*enter)(struct belfry_mod *mod, const struct worker_conf *wc);
};
