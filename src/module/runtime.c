/* SPDX-License-Identifier: Apache-2.0 */
/* A module on its worker: settings, state, time, counters, timers, users, bans, packets. */
#include "module/internal.h"

#include <errno.h>
#include <stdlib.h>

const void *belfry_conf(const struct belfry_mod *mod)
{
	return conf_module_values(mod->conf, str_from(mod->entry->module->name));
}

void *belfry_state(const struct belfry_mod *mod)
{
	return mod->state;
}

void *belfry_data(const struct belfry_mod *mod)
{
	return mod->entry->data;
}

unsigned belfry_worker_id(const struct belfry_mod *mod)
{
	return mod->mw->worker->id;
}

unsigned belfry_worker_n(const struct belfry_mod *mod)
{
	return mod->mw->worker->n;
}

struct belfry_core *belfry_core(const struct belfry_mod *mod)
{
	return mod->mw->core;
}

uint64_t belfry_now_ms(const struct belfry_mod *mod)
{
	return mod->mw->worker->clock.now_ms;
}

int64_t belfry_unix_ms(const struct belfry_mod *mod)
{
	return mod->mw->worker->clock.unix_ms;
}

void belfry_random(struct belfry_mod *mod, void *out, size_t n)
{
	random_bytes(&mod->mw->worker->random, out, n);
}

void belfry_count(struct belfry_mod *mod, unsigned counter, int64_t n)
{
	counter_add(mod->mw->worker->counts, mod->entry->counters[counter], n);
}

/* --- timers -------------------------------------------------------------------------------------
 */

struct belfry_timer {
	struct timer timer;
	struct belfry_mod *mod;
	belfry_timer_cb *cb;
	void *arg;
};

static void timer_fired(struct timer *t, void *arg)
{
	struct belfry_timer *bt = container_of(t, struct belfry_timer, timer);
	struct belfry_timer copy = *bt;

	(void)arg;
	free(bt);
	mod_enter(copy.mod, NULL);
	copy.cb(copy.mod, copy.arg);
}

int module_timers_init(struct module_worker *mw)
{
	mw->timer_kind = timers_kind(mw->worker->timers, timer_fired, mw);
	return mw->timer_kind < 0 ? mw->timer_kind : 0;
}

struct belfry_timer *belfry_timer_start(struct belfry_mod *mod, uint32_t ms, belfry_timer_cb *cb,
                                        void *arg)
{
	struct belfry_timer *t = calloc(1, sizeof(*t));

	if (!t) {
		return NULL;
	}
	t->mod = mod;
	t->cb = cb;
	t->arg = arg;
	if (timer_start(mod->mw->worker->timers, &t->timer, mod->mw->timer_kind, ms) < 0) {
		free(t);
		return NULL;
	}
	return t;
}

void belfry_timer_cancel(struct belfry_timer **t)
{
	if (*t) {
		timer_cancel((*t)->mod->mw->worker->timers, &(*t)->timer);
		free(*t);
		*t = NULL;
	}
}

/* --- subscribers --------------------------------------------------------------------------------
 */

_Static_assert((int)BELFRY_MD5 == SUB_MD5 && (int)BELFRY_SHA256 == SUB_SHA256 &&
                       (int)BELFRY_SHA512_256 == SUB_SHA512_256 &&
                       (int)BELFRY_ALGORITHM_N == SUB_HASH_N,
               "the contract's algorithms are those of subscribers");

bool belfry_subscriber(const struct belfry_mod *mod, struct str user, struct str domain,
                       struct belfry_credential *cred_r)
{
	struct sub_table *t = mod->mw->core->params.subscribers;
	struct subscriber sub;

	if (!t || !sub_find(t, user, domain, &sub)) {
		return false;
	}
	memcpy(cred_r->has, sub.has, sizeof(cred_r->has));
	memcpy(cred_r->ha1, sub.ha1, sizeof(cred_r->ha1));
	cred_r->priority = sub.priority;
	return true;
}

bool belfry_user_exists(const struct belfry_mod *mod, struct str aor)
{
	struct sub_table *t = mod->mw->core->params.subscribers;

	return t && sub_exists(t, aor);
}
