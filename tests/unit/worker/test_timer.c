/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/timer.h"

#include "support/unit.h"

#include <errno.h>

#define START_MS 0xfffff000ULL /* the low 32 bits wrap soon */
#define MANY     200

struct fired {
	struct timer t;
	unsigned n;
	uint64_t at_ms;
};

static struct clock clk;
static struct timers *ts;
static int kind, kind_again;
static unsigned order_n;
static struct timer *order[MANY * 4];

static void on_timer(struct timer *t, void *arg)
{
	struct fired *f = (struct fired *)(void *)t;

	ck_assert_ptr_eq(arg, &clk);
	ck_assert(!timer_is_running(t));
	f->n++;
	f->at_ms = clk.now_ms;
	order[order_n++ % (MANY * 4)] = t;
}

static void on_timer_again(struct timer *t, void *arg)
{
	on_timer(t, arg);
	ck_assert_int_eq(timer_start(ts, t, kind_again, 10), 0);
}

static void set_up(void)
{
	clock_fake(&clk, START_MS, 0);
	ts = timers_new(&clk);
	ck_assert_ptr_nonnull(ts);
	kind = timers_kind(ts, on_timer, &clk);
	kind_again = timers_kind(ts, on_timer_again, &clk);
	ck_assert_int_gt(kind, 0);
	ck_assert_int_gt(kind_again, kind);
	order_n = 0;
}

START_TEST(a_timer_fires_once_when_due_and_not_before)
{
	struct fired f = { .n = 0 };

	set_up();
	ck_assert_int_eq(timers_next_ms(ts), -1);
	ck_assert_int_eq(timer_start(ts, &f.t, kind, 500), 0);
	ck_assert_int_eq(timers_next_ms(ts), 500);
	clock_advance(&clk, 499);
	ck_assert_uint_eq(timers_run(ts, 10), 0);
	ck_assert_int_eq(timers_next_ms(ts), 1);
	clock_advance(&clk, 1);
	ck_assert_int_eq(timers_next_ms(ts), 0);
	ck_assert_uint_eq(timers_run(ts, 10), 1);
	clock_advance(&clk, 100000);
	ck_assert_uint_eq(timers_run(ts, 10), 0);
	ck_assert_uint_eq(f.n, 1);
	timers_free(ts);
}
END_TEST

START_TEST(a_cancelled_timer_never_fires)
{
	struct fired f[3] = { 0 };

	set_up();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(timer_start(ts, &f[i].t, kind, 500), 0);
		clock_advance(&clk, 1);
	}
	timer_cancel(ts, &f[0].t);
	timer_cancel(ts, &f[0].t);
	ck_assert(!timer_is_running(&f[0].t));
	ck_assert_int_eq(timers_next_ms(ts), 498);
	timer_cancel(ts, &f[2].t);
	clock_advance(&clk, 1000);
	ck_assert_uint_eq(timers_run(ts, 10), 1);
	ck_assert_uint_eq(f[1].n, 1);
	timers_free(ts);
}
END_TEST

START_TEST(starting_a_running_timer_moves_it)
{
	struct fired f = { .n = 0 };

	set_up();
	ck_assert_int_eq(timer_start(ts, &f.t, kind, 100), 0);
	clock_advance(&clk, 99);
	ck_assert_int_eq(timer_start(ts, &f.t, kind, 100), 0);
	clock_advance(&clk, 99);
	ck_assert_uint_eq(timers_run(ts, 10), 0);
	clock_advance(&clk, 1);
	ck_assert_uint_eq(timers_run(ts, 10), 1);
	timers_free(ts);
}
END_TEST

/* More durations than FIFOs, the clock wrapping meanwhile: the heap takes the rest. */
START_TEST(timers_of_many_durations_fire_in_the_order_they_are_due)
{
	static struct fired f[MANY];

	set_up();
	for (unsigned i = 0; i < MANY; i++) {
		ck_assert_int_eq(timer_start(ts, &f[i].t, kind, 10000 - i * 37), 0);
	}
	for (unsigned i = 0; i < MANY; i += 3) {
		timer_cancel(ts, &f[i].t);
	}
	clock_advance(&clk, 10001);
	ck_assert_uint_eq(timers_run(ts, MANY), MANY - (MANY + 2) / 3);
	for (unsigned i = 0; i < order_n; i++) {
		ck_assert(i == 0 || (int32_t)(order[i]->due_ms - order[i - 1]->due_ms) > 0);
	}
	for (unsigned i = 0; i < MANY; i++) {
		ck_assert_uint_eq(f[i].n, i % 3 != 0);
	}
	timers_free(ts);
}
END_TEST

START_TEST(an_empty_fifo_is_given_to_another_duration)
{
	static struct fired f[MANY];

	set_up();
	for (unsigned i = 0; i < MANY; i++) {
		ck_assert_int_eq(timer_start(ts, &f[i].t, kind, 1000 + i), 0);
		ck_assert_uint_ne(f[i].t.queue, 255);
		timer_cancel(ts, &f[i].t);
	}
	timers_free(ts);
}
END_TEST

START_TEST(a_timer_may_start_itself_again)
{
	struct fired f = { .n = 0 };

	set_up();
	ck_assert_int_eq(timer_start(ts, &f.t, kind_again, 10), 0);
	for (int i = 0; i < 100; i++) {
		clock_advance(&clk, 1);
		timers_run(ts, 10);
	}
	ck_assert_uint_eq(f.n, 10);
	timers_free(ts);
}
END_TEST

START_TEST(a_run_stops_at_its_limit)
{
	static struct fired f[10];

	set_up();
	for (unsigned i = 0; i < 10; i++) {
		ck_assert_int_eq(timer_start(ts, &f[i].t, kind, 0), 0);
	}
	ck_assert_uint_eq(timers_run(ts, 4), 4);
	ck_assert_uint_eq(timers_run(ts, 100), 6);
	timers_free(ts);
}
END_TEST

START_TEST(kinds_run_out_with_an_error)
{
	set_up();
	for (int i = 2; i < 254; i++) {
		ck_assert_int_gt(timers_kind(ts, on_timer, NULL), 0);
	}
	ck_assert_int_eq(timers_kind(ts, on_timer, NULL), -ENOSPC);
	timers_free(ts);
}
END_TEST

static int many_timers(void *arg)
{
	static struct fired f[MANY];
	int err = 0;

	(void)arg;
	clock_fake(&clk, START_MS, 0);
	ts = timers_new(&clk);
	if (!ts) {
		return -ENOMEM;
	}
	kind = timers_kind(ts, on_timer, &clk);
	for (unsigned i = 0; i < MANY; i++) {
		f[i] = (struct fired){ .n = 0 };
		int one = timer_start(ts, &f[i].t, kind, 10 + i);

		ck_assert_int_eq(timer_is_running(&f[i].t), one == 0);
		err = one ? one : err;
	}
	clock_advance(&clk, 1000);
	timers_run(ts, MANY);
	timers_free(ts);
	return err;
}

START_TEST(no_memory_for_the_heap_leaves_the_timer_off)
{
	oom_each(many_timers, NULL);
}
END_TEST

START_TEST(real_time_moves_on_and_fake_time_does_not)
{
	struct clock real = { 0 };

	clock_update(&real);
	ck_assert_uint_gt(real.now_ms, 0);
	ck_assert_uint_eq(real.now_us / 1000, real.now_ms);
	ck_assert_int_gt(clock_unix_s(&real), 1700000000);
	clock_fake(&clk, 5, 7000);
	clock_update(&clk);
	ck_assert_uint_eq(clk.now_ms, 5);
	clock_advance(&clk, 1500);
	ck_assert_uint_eq(clk.now_us, 1505000);
	ck_assert_int_eq(clock_unix_s(&clk), 8);
}
END_TEST

UNIT_MAIN("worker/timer", a_timer_fires_once_when_due_and_not_before, a_cancelled_timer_never_fires,
          starting_a_running_timer_moves_it,
          timers_of_many_durations_fire_in_the_order_they_are_due,
          an_empty_fifo_is_given_to_another_duration, a_timer_may_start_itself_again,
          a_run_stops_at_its_limit, kinds_run_out_with_an_error,
          no_memory_for_the_heap_leaves_the_timer_off, real_time_moves_on_and_fake_time_does_not)
