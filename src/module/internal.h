/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share. */
#pragma once

#include "module/core.h"
#include "proxy/context.h"

struct module_entry { /* a module that has been initialised; main thread makes it, workers read */
	const struct belfry_module *module;
	int *counters; /* ids, in the order of module->counters */
	void *data;    /* made by init */
};

#define MODULES_MAX 64 /* named at once in a configuration */

struct belfry_core {
	struct module_core_params params;
	struct conf *conf; /* settings of now; main thread */
	/* Grows on the main thread before workers are told (workers_each); an entry never changes.
	 */
	struct module_entry entries[MODULES_MAX];
	size_t entries_n;
	struct belfry_shared *shared;
	unsigned char secret[32]; /* without a store: keys of this process */
	struct module_worker **workers;
	unsigned workers_n;
};

struct belfry_mod {
	struct module_worker *mw;
	const struct module_entry *entry;
	const struct conf *conf; /* of the request that is dealt with, or of now */
	void *state;
	bool is_ready; /* worker_init has been */
};

#define WAIT_CHUNK      64
#define WAIT_CHUNKS_MAX 1024

/* A hook that waits. Never freed before the workers end, so that belfry_resume() may look at it
 * from any thread. */
struct module_wait {
	struct hook_wait hook;
	struct job job;
	_Atomic uint64_t state; /* generation * 2, + 1 when resumed and on its way here */
	struct module_worker *mw;
	struct belfry_req *req; /* NULL: not waiting */
	struct belfry_mod *mod;
	belfry_resume_cb *resume;
	belfry_cancel_cb *cancel;
	void *arg;
	struct register_run *run; /* waits in a hook `register` */
	uint32_t slot, next_free;
};

/* The registrar has the other modules' hooks `register` run, and one of them waits. */
struct register_run {
	struct belfry_mod *self;
	enum belfry_register_phase phase;
	struct belfry_registration *reg;
	belfry_resume_cb *then;
	void *arg;
	size_t next; /* hook */
};

struct module_worker {
	struct belfry_core *core;
	struct worker *worker;
	struct transport *transport;
	struct proxy *proxy;
	struct belfry_mod mods[MODULES_MAX]; /* same index as core->entries */
	struct hook_table *table;            /* hooks.c keeps the older ones behind it */
	int timer_kind;
	_Atomic(struct module_wait *) wait_chunks[WAIT_CHUNKS_MAX];
	uint32_t waits_n, waits_free; /* free: slot + 1, 0: none */
	struct register_run *running; /* hooks `register` run now */
};

/* Before a hook or callback of the module runs: its settings are those of @req (NULL: of now). */
void mod_enter(struct belfry_mod *mod, const struct belfry_req *req);

/* hooks.c: makes the table of what @conf lists and gives it to the proxy. */
int module_hooks_build(struct module_worker *mw, const struct conf *conf);
void module_hooks_free(struct module_worker *mw);
bool module_is_enabled(const struct conf *conf, const struct belfry_module *module);

/* wait.c */
void module_waits_free(struct module_worker *mw);

/* register.c: after a hook `register` that waited has answered @verdict. */
enum belfry_verdict module_register_go_on(struct belfry_req *req, struct register_run *run,
                                          enum belfry_verdict verdict);

/* timer.c */
int module_timers_init(struct module_worker *mw);

/* packet.c: what the transport tells goes to the hooks packet and flow. */
void module_packets_begin(struct module_worker *mw);
