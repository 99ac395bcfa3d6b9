/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/gather.h"

#include <stdlib.h>

struct gather {
	struct job job; /* to the main thread */
	struct ctl_call *call;
	struct ctl_env *env;
	const char *plural;
	ctl_gather_cb *fn;
	ctl_gathered_cb *done;
	unsigned n;
	json_t *rows[]; /* one array per worker; NULL: out of memory */
};

static void gather_on(struct worker *w, void *arg)
{
	struct gather *g = arg;
	json_t *rows = json_array();

	if (rows && !g->fn(w, g->env, g->call, rows)) {
		json_decref(rows);
		rows = NULL;
	}
	g->rows[w->id] = rows;
}

static void finish(struct job *job, void *ctx)
{
	struct gather *g = (struct gather *)(void *)job;
	json_t *all = json_array();

	(void)ctx;
	for (unsigned i = 0; i < g->n; i++) {
		if (!g->rows[i] || !all || json_array_extend(all, g->rows[i])) {
			json_decref(all);
			all = NULL;
		}
		json_decref(g->rows[i]);
	}
	if (!all) {
		ctl_call_reply(g->call, NULL);
	} else if (g->done) {
		g->done(g->call, g->env, all);
	} else {
		ctl_call_reply(g->call, json_pack("{s:o}", g->plural, all));
	}
	free(g);
}

static void gathered(struct worker *w, void *arg)
{
	struct gather *g = arg;

	(void)w;
	g->job.run = finish;
	mailbox_post_sure(g->env->mailbox, &g->job);
}

void ctl_gather(struct ctl_call *call, struct ctl_env *env, const char *plural, ctl_gather_cb *fn,
                ctl_gathered_cb *done)
{
	unsigned n = workers_n(env->workers);
	struct gather *g = calloc(1, sizeof(*g) + n * sizeof(g->rows[0]));

	if (!g) {
		ctl_call_reply(call, NULL);
		return;
	}
	g->call = call;
	g->env = env;
	g->plural = plural;
	g->fn = fn;
	g->done = done;
	g->n = n;
	if (workers_each(env->workers, gather_on, gathered, -1, g)) {
		free(g);
		ctl_call_reply(call, NULL);
	}
}
