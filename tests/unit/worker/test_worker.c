/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/worker.h"

#include <errno.h>

#include "support/unit.h"

#define LOG_MAX 64

/* What happened, in order. */
static char order[LOG_MAX + 1];
static size_t order_n;

static void note(char c)
{
	ck_assert_uint_lt(order_n, LOG_MAX);
	order[order_n++] = c;
	order[order_n] = '\0';
}

struct note_job {
	struct job job;
	char c;
	struct worker *ran_on;
	struct note_job *then; /* put into the run queue by this one */
};

static void note_run(struct job *job, void *ctx)
{
	struct note_job *nj = (struct note_job *)(void *)job;

	nj->ran_on = ctx;
	note(nj->c);
	if (nj->then) {
		worker_run(ctx, WORKER_CLASS_URGENT, &nj->then->job);
	}
}

static struct note_job job_of(char c)
{
	return (struct note_job){ .job.run = note_run, .c = c };
}

static void at_end(void *arg)
{
	(void)arg;
	note('.');
}

START_TEST(a_turn_runs_by_class_then_the_end_then_reaps)
{
	struct worker *w = worker_new_fake(NULL, 1000);
	struct note_job a = job_of('a'), b = job_of('b'), u = job_of('u'), r = job_of('r'),
			v = job_of('v');

	ck_assert_ptr_nonnull(w);
	ck_assert_int_eq(worker_at_turn_end(w, at_end, NULL), 0);
	a.then = &v;
	worker_reap(w, &r.job);
	worker_run(w, WORKER_CLASS_NORMAL, &a.job);
	worker_run(w, WORKER_CLASS_NORMAL, &b.job);
	worker_run(w, WORKER_CLASS_URGENT, &u.job);
	worker_turn(w);
	ck_assert_str_eq(order, "uavb.r");
	worker_turn(w);
	ck_assert_str_eq(order, "uavb.r.");
	worker_free_fake(w);
}
END_TEST

START_TEST(what_is_posted_to_oneself_runs_in_the_next_turn)
{
	struct worker *w = worker_new_fake(NULL, 1000);
	struct note_job a = job_of('a'), b = job_of('b'), c = job_of('c');

	ck_assert(worker_post(w, 0, &a.job));
	worker_post_sure(w, 0, &b.job);
	workers_post(w->group, 0, &c.job);
	worker_turn(w);
	ck_assert_str_eq(order, "c");
	worker_turn(w);
	ck_assert_str_eq(order, "cab");
	ck_assert_ptr_eq(b.ran_on, w);
	worker_free_fake(w);
}
END_TEST

static int tick_kind;
static struct timer tick;

static void on_tick(struct timer *t, void *arg)
{
	struct worker *w = arg;

	note((char)('0' + w->clock.now_ms / 100 % 10));
	if (w->clock.now_ms < 1400) {
		timer_start(w->timers, t, tick_kind, 100);
	}
}

START_TEST(time_passes_from_timer_to_timer)
{
	struct worker *w = worker_new_fake(NULL, 1000);

	tick_kind = timers_kind(w->timers, on_tick, w);
	timer_start(w->timers, &tick, tick_kind, 100);
	worker_pass(w, 350);
	ck_assert_str_eq(order, "123");
	ck_assert_uint_eq(w->clock.now_ms, 1350);
	worker_pass(w, 10000);
	ck_assert_str_eq(order, "1234");
	ck_assert_uint_eq(w->clock.now_ms, 11350);
	worker_free_fake(w);
}
END_TEST

#define MANY 3000U

static unsigned ran;

/* Takes 10 us of the real clock. */
static void slow_run(struct job *job, void *ctx)
{
	struct clock now = { 0 };
	uint64_t start_us;

	(void)job;
	(void)ctx;
	ran++;
	clock_update(&now);
	for (start_us = now.now_us; now.now_us < start_us + 10; clock_update(&now)) {
	}
}

START_TEST(a_turn_ends_when_its_time_is_spent_and_the_rest_waits)
{
	static struct job jobs[MANY];
	struct workers_params params = { .n = 1, .mailbox_max = 1, .msgbufs_max = 1 };
	struct workers *ws;
	struct worker *w;
	unsigned turns;

	params.counters = counters_new();
	ck_assert_int_eq(workers_new(&params, &ws), 0);
	w = workers_get(ws, 0);
	ck_assert(!worker_is_behind(w));
	for (unsigned i = 0; i < MANY; i++) {
		jobs[i].run = slow_run;
		worker_run(w, WORKER_CLASS_NORMAL, &jobs[i]);
	}
	ck_assert(worker_is_behind(w));
	worker_turn(w);
	ck_assert_uint_gt(ran, 0);
	ck_assert_uint_lt(ran, MANY);
	ck_assert_uint_ge(worker_lag_us(w), 2000);
	for (turns = 1; ran < MANY; turns++) {
		worker_turn(w);
	}
	ck_assert_uint_gt(turns, 5);
	ck_assert(!worker_is_behind(w));
	workers_free(ws);
	counters_free(params.counters);
}
END_TEST

static int fake_scenario(void *arg)
{
	struct worker *w = worker_new_fake(NULL, 1000);
	int err = 0;

	(void)arg;
	if (!w) {
		return -ENOMEM;
	}
	err = worker_at_turn_end(w, at_end, NULL);
	worker_turn(w);
	order_n = 0;
	worker_free_fake(w);
	return err;
}

START_TEST(a_fake_worker_without_memory_is_none)
{
	oom_each(fake_scenario, NULL);
}
END_TEST

UNIT_MAIN("worker/worker", a_turn_runs_by_class_then_the_end_then_reaps,
          what_is_posted_to_oneself_runs_in_the_next_turn, time_passes_from_timer_to_timer,
          a_turn_ends_when_its_time_is_spent_and_the_rest_waits,
          a_fake_worker_without_memory_is_none)
