/* SPDX-License-Identifier: Apache-2.0 */
/* Several workers, with and without threads. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "support/unit.h"
#include "worker/worker.h"

#define N         4U
#define PER_OTHER 2000U /* posts from each worker to each */

static struct counters *counters;

static struct workers *group_new(size_t mailbox_max, struct conf *conf)
{
	struct workers_params params = {
		.n = N,
		.conf = conf,
		.mailbox_max = mailbox_max,
		.msgbufs_max = 64,
	};
	struct workers *ws;

	counters = counters_new();
	ck_assert_ptr_nonnull(counters);
	params.counters = counters;
	ck_assert_int_eq(workers_new(&params, &ws), 0);
	ck_assert_uint_eq(workers_n(ws), N);
	return ws;
}

static void group_free(struct workers *ws)
{
	workers_free(ws);
	counters_free(counters);
}

/* For the main thread to wait until a worker says so. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned n;
};

static struct gate gate = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0 };

static void gate_open(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.n++;
	pthread_cond_signal(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static void gate_wait(unsigned n)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.n < n) {
		pthread_cond_wait(&gate.changed, &gate.lock);
	}
	pthread_mutex_unlock(&gate.lock);
}

struct ping {
	struct job job;
	unsigned from, seq;
};

static struct ping pings[N][N][PER_OTHER];
static unsigned next_seq[N][N]; /* of the receiver, by sender */
static atomic_uint received;

static void ping_run(struct job *job, void *ctx)
{
	struct ping *p = (struct ping *)(void *)job;
	struct worker *w = ctx;

	ck_assert_uint_eq(p->seq, next_seq[w->id][p->from]++);
	if (atomic_fetch_add(&received, 1) + 1 == N * N * PER_OTHER) {
		gate_open();
	}
}

static void send_pings(struct worker *w, void *arg)
{
	bool *sure = arg;

	for (unsigned to = 0; to < N; to++) {
		for (unsigned i = 0; i < PER_OTHER; i++) {
			struct ping *p = &pings[w->id][to][i];

			*p = (struct ping){ .job.run = ping_run, .from = w->id, .seq = i };
			if (*sure) {
				worker_post_sure(w, to, &p->job);
			} else {
				ck_assert(worker_post(w, to, &p->job));
			}
		}
	}
}

START_TEST(posts_between_workers_all_arrive_in_the_order_of_their_sender)
{
	static bool sure[1] = { false };
	struct workers *ws = group_new(N * PER_OTHER, NULL);

	ck_assert_int_eq(workers_start(ws), 0);
	ck_assert_int_eq(workers_each(ws, send_pings, NULL, -1, &sure[0]), 0);
	gate_wait(1);
	workers_stop(ws);
	ck_assert_uint_eq(received, N * N * PER_OTHER);
	group_free(ws);
}
END_TEST

START_TEST(a_full_mailbox_refuses_and_a_sure_post_gets_through)
{
	struct workers *ws = group_new(4, NULL);
	struct worker *from = workers_get(ws, 0), *to = workers_get(ws, 1);
	static struct ping p[8];

	for (unsigned i = 0; i < 8; i++) {
		p[i] = (struct ping){ .job.run = ping_run, .from = 0, .seq = i };
	}
	for (unsigned i = 0; i < 4; i++) {
		ck_assert(worker_post(from, 1, &p[i].job));
	}
	ck_assert(!worker_post(from, 1, &p[4].job)); /* not sent yet */
	worker_turn(from);
	ck_assert(!worker_post(from, 1, &p[4].job)); /* in the mailbox */
	worker_post_sure(from, 1, &p[4].job);
	worker_turn(from);
	worker_turn(to);
	ck_assert_uint_eq(received, 5);
	ck_assert(worker_post(from, 1, &p[5].job));
	workers_stop(ws); /* what is under way still arrives */
	ck_assert_uint_eq(received, 6);
	group_free(ws);
}
END_TEST

static atomic_uint each_n[N];
static atomic_int done_on = -1;

static void each_fn(struct worker *w, void *arg)
{
	ck_assert_ptr_eq(arg, &gate);
	each_n[w->id]++;
}

static void each_done(struct worker *w, void *arg)
{
	ck_assert_ptr_eq(arg, &gate);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_uint_eq(each_n[i], 1);
	}
	done_on = (int)w->id;
	gate_open();
}

START_TEST(a_call_on_all_runs_once_on_each_and_ends_at_home)
{
	struct workers *ws = group_new(16, NULL);

	ck_assert_int_eq(workers_start(ws), 0);
	ck_assert_int_eq(workers_each(ws, each_fn, each_done, 2, &gate), 0);
	gate_wait(1);
	ck_assert_int_eq(done_on, 2);
	workers_stop(ws);
	group_free(ws);
}
END_TEST

static struct conf conf_a = { .refs = 1, .workers = 1 }, conf_b = { .refs = 1, .workers = 2 };

static void see_b(struct worker *w, void *arg)
{
	(void)arg;
	ck_assert_ptr_eq(w->conf->conf, &conf_b);
	gate_open();
}

START_TEST(new_settings_reach_every_worker_and_old_ones_last_while_held)
{
	struct workers *ws = group_new(16, &conf_a);
	struct worker *w = workers_get(ws, 0);
	struct worker_conf *held = worker_conf_ref(w);

	ck_assert_int_eq(workers_start(ws), 0);
	ck_assert_int_eq(workers_set_conf(ws, &conf_b, see_b, NULL), 0);
	ck_assert_int_eq(workers_each(ws, see_b, NULL, -1, NULL), 0);
	gate_wait(1 + N);
	workers_stop(ws);
	ck_assert_ptr_eq(held->conf, &conf_a);
	ck_assert_int_eq(conf_a.refs, 2);
	worker_conf_unref(&held);
	ck_assert_ptr_null(held);
	ck_assert_int_eq(conf_a.refs, 1);
	ck_assert_int_eq(conf_b.refs, 1 + N);
	group_free(ws);
	ck_assert_int_eq(conf_b.refs, 1);
}
END_TEST

static int tick_kind[N];
static struct timer tick[N];

static void on_tick(struct timer *t, void *arg)
{
	(void)t;
	(void)arg;
	gate_open();
}

static void start_tick(struct worker *w, void *arg)
{
	(void)arg;
	timer_start(w->timers, &tick[w->id], tick_kind[w->id], 20 + w->id);
}

START_TEST(timers_wake_a_sleeping_worker_and_turns_are_seen)
{
	struct workers *ws = group_new(16, NULL);

	for (unsigned i = 0; i < N; i++) {
		tick_kind[i] = timers_kind(workers_get(ws, i)->timers, on_tick, NULL);
	}
	ck_assert_int_eq(workers_start(ws), 0);
	ck_assert_int_eq(workers_each(ws, start_tick, NULL, -1, NULL), 0);
	gate_wait(N);
	workers_stop(ws);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_uint_gt(worker_last_turn_ms(workers_get(ws, i)), 0);
		ck_assert_uint_lt(worker_lag_us(workers_get(ws, i)), 10000000);
	}
	group_free(ws);
}
END_TEST

static int group_scenario(void *arg)
{
	struct workers_params params = { .n = 2, .mailbox_max = 4, .msgbufs_max = 4 };
	struct workers *ws;
	int err;

	(void)arg;
	params.conf = &conf_a;
	params.counters = counters_new();
	if (!params.counters) {
		return -ENOMEM;
	}
	err = workers_new(&params, &ws);
	if (err == 0) {
		err = workers_set_conf(ws, &conf_b, NULL, NULL);
		workers_stop(ws);
		workers_free(ws);
	}
	counters_free(params.counters);
	ck_assert_int_eq(conf_a.refs, 1);
	ck_assert_int_eq(conf_b.refs, 1);
	return err;
}

START_TEST(a_group_without_memory_leaves_nothing_behind)
{
	oom_each(group_scenario, NULL);
}
END_TEST

UNIT_MAIN("worker/workers", posts_between_workers_all_arrive_in_the_order_of_their_sender,
          a_full_mailbox_refuses_and_a_sure_post_gets_through,
          a_call_on_all_runs_once_on_each_and_ends_at_home,
          new_settings_reach_every_worker_and_old_ones_last_while_held,
          timers_wake_a_sleeping_worker_and_turns_are_seen,
          a_group_without_memory_leaves_nothing_behind)
