/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "worker/priv.h"

#define BUDGET_US      2000U /* of the run queue in one turn; then sockets are looked at again */
#define BUDGET_JOBS    16U   /* between two looks at the clock */
#define BEHIND_JOBS    2048U /* waiting: some 40 ms of messages */
#define TIMERS_MAX     1024U /* callbacks in one turn */
#define TICK_MS        1000U /* the longest sleep: the watchdog wants to see turns */
#define ARENA_FREE_MAX 1024U /* chunks kept for reuse */

/* --- queues of jobs ------------------------------------------------------------------------------
 */

static void queue_init(struct job_queue *q)
{
	q->first = NULL;
	q->last = &q->first;
}

static void queue_add(struct job_queue *q, struct job *job)
{
	job->next = NULL;
	*q->last = job;
	q->last = &job->next;
}

static struct job *queue_pop(struct job_queue *q)
{
	struct job *job = q->first;

	if (job) {
		q->first = job->next;
		if (!q->first) {
			q->last = &q->first;
		}
	}
	return job;
}

void worker_run(struct worker *w, enum worker_class cls, struct job *job)
{
	queue_add(&w->priv->run[cls], job);
	w->priv->run_n++;
}

bool worker_is_behind(const struct worker *w)
{
	return w->priv->run_n >= BEHIND_JOBS;
}

void worker_reap(struct worker *w, struct job *job)
{
	queue_add(&w->priv->reap, job);
}

int worker_at_turn_end(struct worker *w, worker_turn_cb *cb, void *arg)
{
	struct worker_priv *p = w->priv;
	struct turn_end *ends = reallocarray(p->ends, p->ends_n + 1, sizeof(*ends));

	if (!ends) {
		return -ENOMEM;
	}
	ends[p->ends_n++] = (struct turn_end){ cb, arg };
	p->ends = ends;
	return 0;
}

void worker_at_turn_end_del(struct worker *w, worker_turn_cb *cb, void *arg)
{
	struct worker_priv *p = w->priv;

	for (size_t i = 0; i < p->ends_n; i++) {
		if (p->ends[i].cb == cb && p->ends[i].arg == arg) {
			p->ends_n--;
			memmove(&p->ends[i], &p->ends[i + 1], (p->ends_n - i) * sizeof(*p->ends));
			return;
		}
	}
}

/* --- posts to other workers ----------------------------------------------------------------------
 */

bool worker_can_post(const struct worker *from, unsigned to)
{
	const struct mailbox *mb = workers_get(from->group, to)->mailbox;

	return mailbox_len(mb) + from->priv->out[to].bounded_n < from->priv->mailbox_max;
}

bool worker_post(struct worker *from, unsigned to, struct job *job)
{
	struct worker_priv *p = from->priv;
	struct outbox *out = &p->out[to];

	if (!worker_can_post(from, to)) {
		return false;
	}
	queue_add(&out->bounded, job);
	out->bounded_n++;
	p->has_posted = true;
	return true;
}

void worker_post_sure(struct worker *from, unsigned to, struct job *job)
{
	queue_add(&from->priv->out[to].sure, job);
	from->priv->has_posted = true;
}

static void outbox_flush(struct outbox *out, struct mailbox *mb)
{
	struct job *job;

	while ((job = queue_pop(&out->bounded)) != NULL) {
		/* There was room when it was collected; others may have been quicker. */
		if (!mailbox_post(mb, job)) {
			mailbox_post_sure(mb, job);
		}
	}
	out->bounded_n = 0;
	while ((job = queue_pop(&out->sure)) != NULL) {
		mailbox_post_sure(mb, job);
	}
}

static void posts_flush(struct worker *w)
{
	if (!w->priv->has_posted) {
		return;
	}
	w->priv->has_posted = false;
	for (unsigned i = 0; i < w->n; i++) {
		outbox_flush(&w->priv->out[i], workers_get(w->group, i)->mailbox);
	}
}

/* --- a turn --------------------------------------------------------------------------------------
 */

void worker_event(struct worker *w)
{
	if (!w->priv->is_clock_new) {
		w->priv->is_clock_new = true;
		clock_update(&w->clock);
	}
}

static struct job *run_pop(struct worker *w)
{
	struct job *job = NULL;

	for (unsigned cls = 0; !job && cls < WORKER_CLASS_N; cls++) {
		job = queue_pop(&w->priv->run[cls]);
	}
	w->priv->run_n -= job != NULL;
	return job;
}

/* By priority, until nothing is left or the budget is spent. true: something ran. */
static bool run_drain(struct worker *w)
{
	uint64_t start_us = w->clock.now_us;
	struct job *job;
	unsigned n = 0;

	while ((job = run_pop(w)) != NULL) {
		job->run(job, w);
		if (++n % BUDGET_JOBS == 0) {
			clock_update(&w->clock);
			if (w->clock.now_us - start_us > BUDGET_US) {
				break;
			}
		}
	}
	return n > 0;
}

static bool mailbox_drain(struct worker *w)
{
	struct job *job = mailbox_take(w->mailbox);
	bool ret = job != NULL;

	while (job) {
		struct job *next = job->next;

		job->run(job, w);
		job = next;
	}
	return ret;
}

static bool reap_all(struct worker *w)
{
	struct job *job;
	bool ret = false;

	while ((job = queue_pop(&w->priv->reap)) != NULL) {
		job->run(job, w);
		ret = true;
	}
	return ret;
}

static bool turn_end(struct worker *w)
{
	const struct worker_priv *p = w->priv;
	bool ret;

	for (size_t i = 0; i < p->ends_n; i++) {
		p->ends[i].cb(p->ends[i].arg);
	}
	ret = reap_all(w) || p->has_posted;
	posts_flush(w);
	return ret;
}

bool worker_settle(struct worker *w)
{
	bool ret = mailbox_drain(w);

	ret = run_drain(w) || ret;
	return turn_end(w) || ret;
}

/* All but the events. */
static void turn_work(struct worker *w)
{
	struct worker_priv *p = w->priv;
	uint64_t start_us;

	worker_event(w);
	start_us = w->clock.now_us;
	mailbox_drain(w);
	run_drain(w);
	timers_run(w->timers, TIMERS_MAX);
	turn_end(w);
	p->is_clock_new = false;
	clock_update(&w->clock);
	atomic_store_explicit(&p->lag_us, w->clock.now_us - start_us, memory_order_relaxed);
	atomic_store_explicit(&p->last_turn_ms, w->clock.now_ms, memory_order_relaxed);
}

void worker_turn(struct worker *w)
{
	event_base_loop(w->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	turn_work(w);
}

void worker_pass(struct worker *w, uint64_t ms)
{
	uint64_t end_ms = w->clock.now_ms + ms;

	worker_turn(w);
	while (w->clock.now_ms < end_ms) {
		uint64_t left_ms = end_ms - w->clock.now_ms;
		int64_t next_ms = timers_next_ms(w->timers);

		if (next_ms >= 0 && (uint64_t)next_ms < left_ms) {
			left_ms = (uint64_t)next_ms;
		}
		clock_advance(&w->clock, left_ms);
		worker_turn(w);
	}
}

/* --- the loop of a thread ------------------------------------------------------------------------
 */

static void alarm_cb(evutil_socket_t fd, short what, void *arg)
{
	struct worker *w = arg;

	(void)fd;
	(void)what;
	w->priv->alarm_ms = 0;
}

static void wake_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	worker_event(arg); /* the mailbox itself is taken in every turn */
}

/* An alarm that is too early costs a turn for nothing; one that is set is moved only forward. */
static void alarm_set(struct worker *w, uint64_t ms)
{
	struct worker_priv *p = w->priv;
	uint64_t due_ms = w->clock.now_ms + ms;
	struct timeval tv = { .tv_sec = (time_t)(ms / 1000), .tv_usec = (long)(ms % 1000) * 1000 };

	if (p->alarm_ms == 0 || due_ms < p->alarm_ms) {
		event_add(p->alarm, &tv);
		p->alarm_ms = due_ms;
	}
}

static bool has_work(const struct worker *w)
{
	return w->priv->run_n > 0 || w->priv->reap.first || w->priv->has_posted;
}

static void wait_for_events(struct worker *w)
{
	int64_t next_ms = has_work(w) ? 0 : timers_next_ms(w->timers);
	bool is_asleep = false;

	if (next_ms != 0) {
		alarm_set(w, next_ms > 0 && next_ms < TICK_MS ? (uint64_t)next_ms : TICK_MS);
		is_asleep = !mailbox_sleep(w->mailbox);
	}
	event_base_loop(w->base, EVLOOP_ONCE | (is_asleep ? 0 : EVLOOP_NONBLOCK));
	if (next_ms != 0) {
		mailbox_awake(w->mailbox);
	}
}

void worker_loop(struct worker *w)
{
	clock_update(&w->clock);
	while (!w->priv->is_stopping) {
		wait_for_events(w);
		turn_work(w);
	}
}

static void stop_run(struct job *job, void *ctx)
{
	struct worker *w = ctx;

	(void)job;
	w->priv->is_stopping = true;
}

/* --- making one ----------------------------------------------------------------------------------
 */

static struct event_base *base_new(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *base = NULL;

	if (cfg) {
		event_config_set_flag(cfg, EVENT_BASE_FLAG_NOLOCK);
		/* No precise timers: they cost a system call a turn, and ours live with 4 ms. */
		base = event_base_new_with_config(cfg);
		event_config_free(cfg);
	}
	return base;
}

static struct worker_priv *priv_new(struct worker *w, const struct workers_params *params)
{
	struct worker_priv *p = aligned_alloc(_Alignof(struct worker_priv), sizeof(*p));

	if (!p) {
		return NULL;
	}
	*p = (struct worker_priv){ .mailbox_max = params->mailbox_max, .stop.run = stop_run };
	p->out = calloc(w->n, sizeof(*p->out));
	if (!p->out) {
		free(p);
		return NULL;
	}
	for (unsigned i = 0; i < w->n; i++) {
		queue_init(&p->out[i].bounded);
		queue_init(&p->out[i].sure);
	}
	for (unsigned i = 0; i < WORKER_CLASS_N; i++) {
		queue_init(&p->run[i]);
	}
	queue_init(&p->reap);
	return p;
}

static int events_new(struct worker *w)
{
	struct worker_priv *p = w->priv;

	w->base = base_new();
	if (!w->base) {
		return -ENOMEM;
	}
	p->wake = event_new(w->base, mailbox_fd(w->mailbox), EV_READ | EV_PERSIST, wake_cb, w);
	p->alarm = event_new(w->base, -1, 0, alarm_cb, w);
	if (!p->wake || !p->alarm || event_add(p->wake, NULL) != 0) {
		return -ENOMEM;
	}
	return 0;
}

static int parts_new(struct worker *w, const struct workers_params *params)
{
	w->priv = priv_new(w, params);
	w->timers = timers_new(&w->clock);
	w->mailbox = mailbox_new(params->mailbox_max);
	w->bufs = msgbuf_pool_new(params->msgbufs_max);
	w->counts = counters_set_new(params->counters);
	w->conf = worker_conf_new(params->conf);
	if (!w->priv || !w->timers || !w->mailbox || !w->bufs || !w->counts || !w->conf) {
		return -ENOMEM;
	}
	return events_new(w);
}

int worker_new(struct workers *ws, unsigned id, const struct workers_params *params,
               struct worker **w_r)
{
	struct worker *w = calloc(1, sizeof(*w));
	int err;

	if (!w) {
		return -ENOMEM;
	}
	w->id = id;
	w->n = ws->n;
	w->group = ws;
	w->process_key = &ws->process_key;
	w->counters = params->counters;
	arena_pool_init(&w->arenas, ARENA_FREE_MAX);
	clock_update(&w->clock);
	err = parts_new(w, params);
	if (err != 0) {
		worker_free(w);
		return err;
	}
	*w_r = w;
	return 0;
}

static void priv_free(struct worker_priv *p)
{
	if (!p) {
		return;
	}
	if (p->wake) {
		event_free(p->wake);
	}
	if (p->alarm) {
		event_free(p->alarm);
	}
	free(p->ends);
	free(p->out);
	free(p);
}

void worker_free(struct worker *w)
{
	if (!w) {
		return;
	}
	if (w->priv) {
		reap_all(w); /* what the layers let go of last */
	}
	worker_conf_unref(&w->conf);
	priv_free(w->priv);
	if (w->base) {
		event_base_free(w->base);
	}
	timers_free(w->timers);
	if (w->mailbox) {
		mailbox_free(w->mailbox);
	}
	if (w->bufs) {
		msgbuf_pool_free(w->bufs);
	}
	arena_pool_fini(&w->arenas);
	free(w);
}

/* --- settings ------------------------------------------------------------------------------------
 */

struct worker_conf *worker_conf_new(struct conf *conf)
{
	struct worker_conf *wc = calloc(1, sizeof(*wc));

	if (wc) {
		wc->conf = conf ? conf_ref(conf) : NULL;
		wc->refs = 1;
	}
	return wc;
}

struct worker_conf *worker_conf_ref(struct worker *w)
{
	w->conf->refs++;
	return w->conf;
}

void worker_conf_unref(struct worker_conf **wc)
{
	struct worker_conf *gone = *wc;

	*wc = NULL;
	if (!gone || --gone->refs > 0) {
		return;
	}
	if (gone->conf) {
		conf_unref(&gone->conf);
	}
	free(gone);
}

void worker_adopt_conf(struct worker *w, struct worker_conf *wc)
{
	struct worker_conf *old = w->conf;

	w->conf = wc;
	worker_conf_unref(&old);
}

/* --- looking in ----------------------------------------------------------------------------------
 */

uint64_t worker_lag_us(const struct worker *w)
{
	return atomic_load_explicit(&w->priv->lag_us, memory_order_relaxed);
}

uint64_t worker_last_turn_ms(const struct worker *w)
{
	return atomic_load_explicit(&w->priv->last_turn_ms, memory_order_relaxed);
}
