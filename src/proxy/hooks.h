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

/* --- requests that wait */

/*
 * A hook that answers BELFRY_WAITING has called belfry_wait(); a service that answers BELFRY_DONE
 * without a reply has belfry_accept()ed and answers later. Either way the module layer leaves one
 * struct hook_wait with the request, so that it learns when the request ends first.
 */
struct hook_wait {
	/* Called at most once, when the request ends (CANCEL, the transaction is gone) or the
	 * server gives up on it: the request is not to be touched any more. */
	void (*ended)(struct hook_wait *wait);
};

/* Provided by the proxy (wait.c). One at a time; NULL takes it away. The request lives, and its
 * settings stay pinned, as long as a wait is set. */
void proxy_req_set_wait(struct belfry_req *req, struct hook_wait *wait);
/* The wait is over: the chain goes on after the hook that waited, as if it had answered @verdict.
 * The request may be gone afterwards. */
void proxy_req_continue(struct belfry_req *req, enum belfry_verdict verdict);
/* The settings this request began with. */
const struct worker_conf *proxy_req_conf(const struct belfry_req *req);
