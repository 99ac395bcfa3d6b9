/* SPDX-License-Identifier: Apache-2.0 */
#include "util/mailbox.h"

#include "support/unit.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#define SENDERS 4
#define POSTS   20000 /* of each sender */

struct letter {
	struct job job;
	int sender, number;
};

static bool is_readable(const struct mailbox *mb, int wait_ms)
{
	struct pollfd pfd = { .fd = mailbox_fd(mb), .events = POLLIN };

	return poll(&pfd, 1, wait_ms) == 1;
}

START_TEST(mailbox_gives_in_order_of_posting_over_both_lanes)
{
	struct mailbox *mb = mailbox_new(10);
	struct letter l[6];
	struct job *job;

	ck_assert_ptr_null(mailbox_take(mb));
	for (int i = 0; i < 6; i++) {
		l[i].number = i;
		if (i % 2) {
			mailbox_post_sure(mb, &l[i].job);
		} else {
			ck_assert(mailbox_post(mb, &l[i].job));
		}
	}
	ck_assert_uint_eq(mailbox_len(mb), 3);
	job = mailbox_take(mb);
	for (int i = 0; i < 6; i++, job = job->next) {
		ck_assert_ptr_eq(job, &l[i].job);
	}
	ck_assert_ptr_null(job);
	ck_assert_uint_eq(mailbox_len(mb), 0);
	ck_assert_ptr_null(mailbox_take(mb));
	mailbox_free(mb);
}
END_TEST

START_TEST(mailbox_refuses_above_its_limit_in_the_bounded_lane_only)
{
	struct mailbox *mb = mailbox_new(2);
	struct job jobs[5];

	ck_assert(mailbox_post(mb, &jobs[0]));
	ck_assert(mailbox_post(mb, &jobs[1]));
	ck_assert(!mailbox_post(mb, &jobs[2]));
	mailbox_post_sure(mb, &jobs[3]);
	mailbox_post_sure(mb, &jobs[4]);
	ck_assert_uint_eq(mailbox_len(mb), 2);
	ck_assert_ptr_nonnull(mailbox_take(mb));
	ck_assert(mailbox_post(mb, &jobs[2]));
	ck_assert_ptr_eq(mailbox_take(mb), &jobs[2]);
	mailbox_free(mb);
}
END_TEST

START_TEST(mailbox_signals_a_sleeping_receiver_once_and_an_awake_one_never)
{
	struct mailbox *mb = mailbox_new(10);
	struct job jobs[4];
	uint64_t n;

	ck_assert(mailbox_post(mb, &jobs[0]));
	ck_assert(!is_readable(mb, 0));
	ck_assert(mailbox_sleep(mb)); /* there is something: it must not sleep */
	ck_assert_ptr_eq(mailbox_take(mb), &jobs[0]);
	ck_assert(!mailbox_sleep(mb));
	ck_assert(mailbox_post(mb, &jobs[1]));
	mailbox_post_sure(mb, &jobs[2]);
	ck_assert(mailbox_post(mb, &jobs[3]));
	ck_assert(is_readable(mb, 0));
	ck_assert_int_eq(read(mailbox_fd(mb), &n, sizeof(n)), sizeof(n));
	ck_assert_uint_eq(n, 1);
	mailbox_free(mb);
}
END_TEST

START_TEST(mailbox_awake_takes_the_signal_away)
{
	struct mailbox *mb = mailbox_new(10);
	struct job job;

	for (int i = 0; i < 3; i++) {
		ck_assert(!mailbox_sleep(mb));
		mailbox_post_sure(mb, &job);
		ck_assert(is_readable(mb, 0));
		mailbox_awake(mb);
		ck_assert(!is_readable(mb, 0));
		ck_assert_ptr_eq(mailbox_take(mb), &job);
		ck_assert(!mailbox_sleep(mb)); /* woken by something else */
		mailbox_awake(mb);
		mailbox_awake(mb);
		ck_assert(!is_readable(mb, 0));
	}
	mailbox_free(mb);
}
END_TEST

struct sender {
	pthread_t thread;
	struct mailbox *mb;
	struct letter *letters;
	int id;
};

static void *send_all(void *arg)
{
	struct sender *s = arg;

	for (int i = 0; i < POSTS; i++) {
		struct letter *l = &s->letters[i];

		l->sender = s->id;
		l->number = i;
		if (i % 3 == 0) {
			mailbox_post_sure(s->mb, &l->job);
		} else {
			while (!mailbox_post(s->mb, &l->job)) {
				sched_yield();
			}
		}
	}
	return NULL;
}

/* Takes until all have come; returns the number that came out of order. */
static int receive_all(struct mailbox *mb)
{
	int next[SENDERS] = { 0 }, got = 0, wrong = 0;

	while (got < SENDERS * POSTS) {
		struct job *job = mailbox_take(mb);

		if (!job && !mailbox_sleep(mb)) {
			ck_assert_msg(is_readable(mb, unit_wait_ms()), "a wake-up is lost after %d",
			              got);
			mailbox_awake(mb);
		}
		while (job) {
			struct letter *l = (struct letter *)job;

			job = job->next;
			wrong += next[l->sender] != l->number;
			next[l->sender] = l->number + 1;
			got++;
		}
	}
	return wrong;
}

START_TEST(mailbox_loses_and_reorders_nothing_of_many_senders)
{
	struct mailbox *mb = mailbox_new(100);
	struct sender senders[SENDERS];

	for (int i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ .mb = mb, .id = i };
		senders[i].letters = calloc(POSTS, sizeof(struct letter));
		ck_assert_int_eq(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]),
		                 0);
	}
	ck_assert_int_eq(receive_all(mb), 0);
	for (int i = 0; i < SENDERS; i++) {
		pthread_join(senders[i].thread, NULL);
		free(senders[i].letters);
	}
	ck_assert_uint_eq(mailbox_len(mb), 0);
	ck_assert_ptr_null(mailbox_take(mb));
	mailbox_free(mb);
}
END_TEST

/* Ping-pong: each post finds the other side asleep or about to sleep. */
struct side {
	struct mailbox *in, *out;
	int rounds;
};

static void *play(void *arg)
{
	struct side *s = arg;

	for (int i = 0; i < s->rounds; i++) {
		struct job *job;

		while (!(job = mailbox_take(s->in))) {
			if (!mailbox_sleep(s->in)) {
				if (!is_readable(s->in, unit_wait_ms())) {
					return s;
				}
				mailbox_awake(s->in);
			}
		}
		mailbox_post_sure(s->out, job);
	}
	return NULL;
}

START_TEST(mailbox_wakes_every_time_when_two_threads_pass_one_job)
{
	struct side a = { mailbox_new(1), mailbox_new(1), 20000 };
	struct side b = { a.out, a.in, 20000 };
	struct job job;
	pthread_t thread;
	void *lost_a, *lost_b;

	ck_assert_int_eq(pthread_create(&thread, NULL, play, &b), 0);
	mailbox_post_sure(a.in, &job);
	lost_a = play(&a);
	pthread_join(thread, &lost_b);
	ck_assert_ptr_null(lost_a);
	ck_assert_ptr_null(lost_b);
	mailbox_free(a.in);
	mailbox_free(a.out);
}
END_TEST

static int mailbox_scenario(void *arg)
{
	struct mailbox *mb = mailbox_new(1);

	(void)arg;
	mailbox_free(mb);
	return mb ? 0 : -ENOMEM;
}

START_TEST(mailbox_survives_want_of_memory)
{
	oom_each(mailbox_scenario, NULL);
}
END_TEST

UNIT_MAIN("util/mailbox", mailbox_gives_in_order_of_posting_over_both_lanes,
          mailbox_refuses_above_its_limit_in_the_bounded_lane_only,
          mailbox_signals_a_sleeping_receiver_once_and_an_awake_one_never,
          mailbox_awake_takes_the_signal_away, mailbox_loses_and_reorders_nothing_of_many_senders,
          mailbox_wakes_every_time_when_two_threads_pass_one_job, mailbox_survives_want_of_memory)
