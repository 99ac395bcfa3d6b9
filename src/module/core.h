/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modules at work: what belfryd calls to bring them up, to follow a reload and to take them
 * down. struct belfry_core is the daemon as modules see it on the main thread; on each worker a
 * module has a struct belfry_mod.
 *
 * Order: module_core_new() (init), for each worker module_worker_new() (worker_init, hook table),
 * the workers run; at a reload module_core_prepare(), workers_set_conf(), module_core_adopt(); at
 * the end the workers stop, proxies are freed, module_core_free() (worker_fini, fini).
 */
#pragma once

#include "location/location.h"
#include "module/loader.h"
#include "proxy/proxy.h"
#include "store/store.h"
#include "subscriber/subscriber.h"

struct module_core_params {
	struct module_loader *loader;
	struct conf *conf;
	struct workers *workers;
	struct counters *counters;
	struct store *store; /* NULL: keys live as long as the process */
	struct loc_table *location;
	struct sub_table *subscribers; /* NULL: none */
	const struct clock *clock;     /* of the main thread; NULL: the system's, read when asked */
};

/* Main thread, before workers start. Runs init of every module that the configuration lists.
 * Nothing is kept when one fails: its error number, and a sentence in *error_r (heap). */
int module_core_new(const struct module_core_params *params, struct belfry_core **core_r,
                    char **error_r);
/* Workers have ended and their proxies have been freed (what was open has told its modules); timers
 * and location are still there. */
void module_core_free(struct belfry_core *core);

struct module_worker; /* the modules on one worker */

/* Before the worker starts. Gives @proxy its hook table, and the hooks what the transport tells. */
int module_worker_new(struct belfry_core *core, struct worker *worker, struct transport *transport,
                      struct proxy *proxy, struct module_worker **mw_r, char **error_r);

/* Reload, main thread, first phase: init of modules that are listed for the first time. An error
 * refuses the reload; what has been initialised stays so and is harmless without hooks. */
int module_core_prepare(struct belfry_core *core, struct conf *conf, char **error_r);
/* Second phase, when every worker has adopted @conf: worker_init where it has not been yet, new
 * hook tables. @done on the last worker to finish. */
int module_core_adopt(struct belfry_core *core, struct conf *conf, workers_each_cb *done,
                      void *arg);

/* Drain is over: every wait on this worker is cancelled (503 to its request). Worker thread. */
void module_worker_cancel_waits(struct module_worker *mw);

/* For `modules`: what is loaded. @hooks: names of the hooks and methods it uses, space-separated.
 */
struct module_info {
	struct str name, version;
	bool enabled;
	struct str hooks;
};
typedef void(module_info_cb)(void *arg, const struct module_info *info);
void module_core_each(struct belfry_core *core, module_info_cb *cb, void *arg);
