/* SPDX-License-Identifier: Apache-2.0 */
/* The hook table of a worker: what the enabled modules ask for, in the order of their numbers. */
#include "module/internal.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct table { /* a hook_table and what it is made of */
	struct hook_table t;
	struct table *next; /* older */
	struct hook_entry entries[];
	/* services follow */
};

static struct table *table_of(struct hook_table *t)
{
	return container_of(t, struct table, t);
}

static void enter(struct belfry_mod *mod, const struct worker_conf *wc)
{
	mod->conf = wc->conf;
}

void mod_enter(struct belfry_mod *mod, const struct belfry_req *req)
{
	mod->conf = req ? proxy_req_conf(req)->conf : mod->mw->worker->conf->conf;
}

static bool takes_part(const struct belfry_mod *mod, const struct conf *conf)
{
	return mod->is_ready && module_is_enabled(conf, mod->entry->module);
}

struct sizes {
	size_t hooks[BELFRY_H_N], hooks_n, services_n;
};

static void count(const struct module_worker *mw, const struct conf *conf, struct sizes *sizes_r)
{
	*sizes_r = (struct sizes){ 0 };
	for (size_t i = 0; i < mw->core->entries_n; i++) {
		const struct belfry_mod *mod = &mw->mods[i];
		const struct belfry_module *module = mw->core->entries[i].module;

		if (!takes_part(mod, conf)) {
			continue;
		}
		for (const struct belfry_hook *h = module->hooks; h && h->point; h++) {
			sizes_r->hooks[h->point]++;
			sizes_r->hooks_n++;
		}
		for (const struct belfry_service *s = module->services; s && s->method; s++) {
			sizes_r->services_n++;
		}
	}
}

/* Sorted by order; of the same order, by name: never by the order of loading. */
static void insert(struct hook_table *t, const struct belfry_hook *h, struct belfry_mod *mod)
{
	struct hook_entry *v = t->v[h->point];
	size_t i = t->n[h->point]++;

	while (i > 0 && (v[i - 1].order > h->order ||
	                 (v[i - 1].order == h->order && strcmp(v[i - 1].mod->entry->module->name,
	                                                       mod->entry->module->name) > 0))) {
		v[i] = v[i - 1];
		i--;
	}
	v[i] = (struct hook_entry){ .order = h->order, .fn = h->fn, .mod = mod };
}

static void add_module(struct hook_table *t, struct belfry_mod *mod)
{
	const struct belfry_module *module = mod->entry->module;

	for (const struct belfry_hook *h = module->hooks; h && h->point; h++) {
		insert(t, h, mod);
	}
	for (const struct belfry_service *s = module->services; s && s->method; s++) {
		t->services[t->services_n++] = (struct hook_service){
			.method = str_from(s->method),
			.serve = s->serve,
			.mod = mod,
		};
	}
}

static struct table *table_new(const struct sizes *sizes)
{
	struct table *table =
		calloc(1, sizeof(*table) + sizes->hooks_n * sizeof(struct hook_entry) +
	                          sizes->services_n * sizeof(struct hook_service));
	struct hook_entry *at;

	if (!table) {
		return NULL;
	}
	at = table->entries;
	for (int p = 0; p < BELFRY_H_N; p++) {
		table->t.v[p] = at;
		at += sizes->hooks[p];
	}
	table->t.services = (struct hook_service *)(void *)at;
	table->t.enter = enter;
	return table;
}

/* Older tables that no request uses any more. */
static void free_unused(struct module_worker *mw)
{
	struct table **at = &table_of(mw->table)->next;

	while (*at) {
		struct table *old = *at;

		if (proxy_hooks_in_use(mw->proxy, &old->t)) {
			at = &old->next;
		} else {
			*at = old->next;
			free(old);
		}
	}
}

int module_hooks_build(struct module_worker *mw, const struct conf *conf)
{
	struct table *table;
	struct sizes sizes;

	count(mw, conf, &sizes);
	table = table_new(&sizes);
	if (!table) {
		return -ENOMEM;
	}
	for (size_t i = 0; i < mw->core->entries_n; i++) {
		if (takes_part(&mw->mods[i], conf)) {
			add_module(&table->t, &mw->mods[i]);
		}
	}
	/* Requests in progress keep the table they began with. */
	table->next = mw->table ? table_of(mw->table) : NULL;
	mw->table = &table->t;
	proxy_set_hooks(mw->proxy, mw->table);
	free_unused(mw);
	return 0;
}

void module_hooks_free(struct module_worker *mw)
{
	struct table *table = mw->table ? table_of(mw->table) : NULL;

	while (table) {
		struct table *next = table->next;

		free(table);
		table = next;
	}
	mw->table = NULL;
}
