/* SPDX-License-Identifier: Apache-2.0 */
/* The group of workers: threads, posts from outside, calls on all of them. */
#include "worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/priv.h"

#define SETTLE_MAX      1000U /* rounds at the end; what still goes on then is a loop of ours */
#define FAKE_UNIX_MS    1704067200000LL
#define FAKE_BUFS_MAX   65536U
#define FAKE_MAIL_MAX   65536U
#define THREAD_NAME_MAX 16U

struct worker *workers_get(struct workers *ws, unsigned id)
{
	return ws->w[id];
}

unsigned workers_n(const struct workers *ws)
{
	return ws->n;
}

int workers_new(const struct workers_params *params, struct workers **ws_r)
{
	struct workers *ws = calloc(1, sizeof(*ws));
	int err = -ENOMEM;

	assert(params->n > 0 && params->n <= WORKERS_MAX);
	if (!ws) {
		return -ENOMEM;
	}
	ws->n = params->n;
	random_key(&ws->process_key, sizeof(ws->process_key));
	ws->w = calloc(ws->n, sizeof(struct worker *));
	ws->threads = calloc(ws->n, sizeof(*ws->threads));
	if (!ws->w || !ws->threads) {
		goto fail;
	}
	for (unsigned i = 0; i < ws->n; i++) {
		err = worker_new(ws, i, params, &ws->w[i]);
		if (err != 0) {
			goto fail;
		}
	}
	*ws_r = ws;
	return 0;
fail:
	workers_free(ws);
	return err;
}

void workers_free(struct workers *ws)
{
	if (!ws) {
		return;
	}
	for (unsigned i = 0; ws->w && i < ws->n; i++) {
		worker_free(ws->w[i]);
	}
	free(ws->w);
	free(ws->threads);
	free(ws);
}

/* --- threads -------------------------------------------------------------------------------------
 */

static void *thread_main(void *arg)
{
	struct worker *w = arg;
	char name[THREAD_NAME_MAX];

	snprintf(name, sizeof(name), "belfry-w%u", w->id);
	pthread_setname_np(pthread_self(), name);
	worker_loop(w);
	return NULL;
}

static void threads_stop(struct workers *ws, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		mailbox_post_sure(ws->w[i]->mailbox, &ws->w[i]->priv->stop);
	}
	for (unsigned i = 0; i < n; i++) {
		pthread_join(ws->threads[i], NULL);
		ws->w[i]->priv->is_stopping = false;
	}
}

int workers_start(struct workers *ws)
{
	sigset_t all, old;
	int err = 0;
	unsigned n;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (n = 0; n < ws->n; n++) {
		err = pthread_create(&ws->threads[n], NULL, thread_main, ws->w[n]);
		if (err != 0) {
			threads_stop(ws, n);
			break;
		}
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	ws->is_running = err == 0;
	return -err;
}

void workers_stop(struct workers *ws)
{
	bool has_work = true;

	if (ws->is_running) {
		threads_stop(ws, ws->n);
		ws->is_running = false;
	}
	for (unsigned round = 0; has_work && round < SETTLE_MAX; round++) {
		has_work = false;
		for (unsigned i = 0; i < ws->n; i++) {
			has_work = worker_settle(ws->w[i]) || has_work;
		}
	}
}

/* --- calls from outside and on all ---------------------------------------------------------------
 */

void workers_post(struct workers *ws, unsigned to, struct job *job)
{
	mailbox_post_sure(ws->w[to]->mailbox, job);
}

struct each;

struct each_job {
	struct job job;
	struct each *each;
};

struct each {
	struct workers *ws;
	workers_each_cb *fn, *done;
	void *arg;
	int home;
	_Atomic unsigned left;
	struct each_job jobs[];
};

static void each_done(struct job *job, void *ctx)
{
	struct each *each = ((struct each_job *)(void *)job)->each;
	workers_each_cb *done = each->done;
	void *arg = each->arg;

	free(each);
	if (done) {
		done(ctx, arg);
	}
}

static void each_run(struct job *job, void *ctx)
{
	struct each *each = ((struct each_job *)(void *)job)->each;
	struct worker *w = ctx;

	each->fn(w, each->arg);
	if (atomic_fetch_sub_explicit(&each->left, 1, memory_order_acq_rel) != 1) {
		return;
	}
	if (each->home < 0 || (unsigned)each->home == w->id) {
		each_done(job, ctx);
	} else {
		job->run = each_done;
		workers_post(each->ws, (unsigned)each->home, job);
	}
}

int workers_each(struct workers *ws, workers_each_cb *fn, workers_each_cb *done, int home,
                 void *arg)
{
	struct each *each = calloc(1, sizeof(*each) + ws->n * sizeof(each->jobs[0]));

	if (!each) {
		return -ENOMEM;
	}
	each->ws = ws;
	each->fn = fn;
	each->done = done;
	each->arg = arg;
	each->home = home;
	atomic_init(&each->left, ws->n);
	for (unsigned i = 0; i < ws->n; i++) {
		each->jobs[i] = (struct each_job){ .job.run = each_run, .each = each };
	}
	for (unsigned i = 0, n = ws->n; i < n; i++) {
		workers_post(ws, i, &each->jobs[i].job); /* the last one may free @each */
	}
	return 0;
}

/* --- settings ------------------------------------------------------------------------------------
 */

struct adopt {
	workers_each_cb *done;
	void *arg;
	struct worker_conf *wc[];
};

static void adopt_one(struct worker *w, void *arg)
{
	struct adopt *adopt = arg;

	worker_adopt_conf(w, adopt->wc[w->id]);
}

static void adopt_done(struct worker *w, void *arg)
{
	struct adopt *adopt = arg;
	workers_each_cb *done = adopt->done;
	void *done_arg = adopt->arg;

	free(adopt);
	if (done) {
		done(w, done_arg);
	}
}

int workers_set_conf(struct workers *ws, struct conf *conf, workers_each_cb *done, void *arg)
{
	struct adopt *adopt = calloc(1, sizeof(*adopt) + ws->n * sizeof(struct worker_conf *));

	if (!adopt) {
		return -ENOMEM;
	}
	adopt->done = done;
	adopt->arg = arg;
	for (unsigned i = 0; i < ws->n; i++) {
		adopt->wc[i] = worker_conf_new(conf);
		if (!adopt->wc[i]) {
			goto fail;
		}
	}
	if (workers_each(ws, adopt_one, adopt_done, -1, adopt) == 0) {
		return 0;
	}
fail:
	for (unsigned i = 0; i < ws->n; i++) {
		worker_conf_unref(&adopt->wc[i]);
	}
	free(adopt);
	return -ENOMEM;
}

/* --- a fake one ----------------------------------------------------------------------------------
 */

struct worker *worker_new_fake(struct conf *conf, uint64_t start_ms)
{
	struct workers_params params = {
		.n = 1,
		.conf = conf,
		.counters = counters_new(),
		.mailbox_max = FAKE_MAIL_MAX,
		.msgbufs_max = FAKE_BUFS_MAX,
	};
	struct workers *ws;

	if (!params.counters) {
		return NULL;
	}
	if (workers_new(&params, &ws) != 0) {
		counters_free(params.counters);
		return NULL;
	}
	ws->own_counters = params.counters;
	ws->process_key = (struct hash_key){ { 0x0123456789abcdef, 0xfedcba9876543210 } };
	clock_fake(&ws->w[0]->clock, start_ms, FAKE_UNIX_MS);
	return ws->w[0];
}

void worker_free_fake(struct worker *w)
{
	struct counters *counters;

	if (!w) {
		return;
	}
	counters = w->group->own_counters;
	workers_free(w->group);
	counters_free(counters);
}
