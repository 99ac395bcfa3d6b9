/* SPDX-License-Identifier: Apache-2.0 */
#include "util/msgbuf.h"

#include "support/unit.h"
#include "util/mailbox.h"

#include <errno.h>
#include <pthread.h>

START_TEST(msgbuf_returns_to_its_pool_with_the_last_reference)
{
	struct msgbuf_pool *pool = msgbuf_pool_new(10);
	struct msgbuf *a = msgbuf_new(pool, 10), *b, *first = a;

	ck_assert_uint_eq(a->cap, MSGBUF_SIZE);
	memset(a->data, 1, a->cap);
	b = msgbuf_ref(a);
	msgbuf_unref(&a, pool);
	ck_assert_ptr_null(a);
	ck_assert_uint_eq(msgbuf_pool_used(pool), 1);
	msgbuf_unref(&b, pool);
	msgbuf_unref(&b, pool); /* NULL is fine */
	ck_assert_uint_eq(msgbuf_pool_used(pool), 0);
	a = msgbuf_new(pool, MSGBUF_SIZE);
	ck_assert_ptr_eq(a, first);
	msgbuf_unref(&a, pool);
	msgbuf_pool_free(pool);
}
END_TEST

START_TEST(msgbuf_large_ones_hold_exactly_what_was_asked_for)
{
	struct msgbuf_pool *pool = msgbuf_pool_new(40);
	struct msgbuf *a = msgbuf_new(pool, MSGBUF_SIZE + 1);
	struct msgbuf *b = msgbuf_new(pool, MSGBUF_MAX);

	ck_assert_uint_eq(a->cap, MSGBUF_SIZE + 1);
	ck_assert_uint_eq(b->cap, MSGBUF_MAX);
	memset(b->data, 1, b->cap);
	ck_assert_ptr_null(msgbuf_new(pool, MSGBUF_MAX + 1));
	msgbuf_unref(&a, pool);
	msgbuf_unref(&b, NULL);
	ck_assert_uint_eq(msgbuf_pool_used(pool), 0);
	msgbuf_pool_free(pool);
}
END_TEST

START_TEST(msgbuf_pool_stops_at_its_limit_until_one_comes_home)
{
	struct msgbuf_pool *pool = msgbuf_pool_new(2);
	struct msgbuf *a = msgbuf_new(pool, 1), *b = msgbuf_new(pool, 1);

	ck_assert_ptr_null(msgbuf_new(pool, 1));
	msgbuf_unref(&b, NULL); /* by the return list */
	b = msgbuf_new(pool, 1);
	ck_assert_ptr_nonnull(b);
	ck_assert_ptr_null(msgbuf_new(pool, 1));
	msgbuf_unref(&a, pool);
	a = msgbuf_new(pool, 1);
	ck_assert_ptr_nonnull(a);
	msgbuf_unref(&a, pool);
	msgbuf_unref(&b, pool);
	msgbuf_pool_free(pool);
}
END_TEST

START_TEST(msgbuf_large_ones_from_other_threads_do_not_pile_up)
{
	struct msgbuf_pool *pool = msgbuf_pool_new(12);
	struct msgbuf *spare = msgbuf_new(pool, 1), *a;

	msgbuf_unref(&spare, pool); /* an ordinary one is free all the time */
	for (int i = 0; i < 3; i++) {
		a = msgbuf_new(pool, 4 * MSGBUF_SIZE);
		ck_assert_ptr_nonnull(a);
		msgbuf_unref(&a, NULL);
		/* There is room for both only if that one is home. */
		a = msgbuf_new(pool, 9 * MSGBUF_SIZE);
		ck_assert_ptr_nonnull(a);
		msgbuf_unref(&a, NULL);
	}
	msgbuf_pool_free(pool);
}
END_TEST

START_TEST(msgbuf_limit_is_one_of_bytes)
{
	struct msgbuf_pool *pool = msgbuf_pool_new(8);
	struct msgbuf *a = msgbuf_new(pool, 3 * MSGBUF_SIZE), *b = msgbuf_new(pool, 1), *c;

	ck_assert(!msgbuf_pool_is_tight(pool));
	ck_assert_ptr_null(msgbuf_new(pool, 5 * MSGBUF_SIZE));
	c = msgbuf_new(pool, 3 * MSGBUF_SIZE + 1);
	ck_assert_ptr_nonnull(c);
	ck_assert(msgbuf_pool_is_tight(pool));
	ck_assert_ptr_null(msgbuf_new(pool, 1));
	msgbuf_unref(&c, NULL);
	ck_assert(!msgbuf_pool_is_tight(pool));
	msgbuf_unref(&a, pool);
	msgbuf_unref(&b, pool);
	msgbuf_pool_free(pool);
}
END_TEST

#define READERS 3
#define BUFFERS 30000

struct parcel {
	struct job job;
	struct msgbuf *buf;
};

struct reader {
	pthread_t thread;
	struct mailbox *mb;
	struct msgbuf_pool *own;
	int bad;
};

/* Checks and frees buffers of another pool; an empty parcel ends it. */
static void *read_all(void *arg)
{
	struct reader *r = arg;

	for (;;) {
		struct job *job = mailbox_take(r->mb);

		while (job) {
			struct parcel *p = (struct parcel *)job;

			job = job->next;
			if (!p->buf) {
				return NULL;
			}
			for (int i = 1; i < 64; i++) {
				r->bad += p->buf->data[i] != p->buf->data[0];
			}
			msgbuf_unref(&p->buf, r->own);
		}
		sched_yield();
	}
}

static void hand_out(struct msgbuf_pool *pool, struct reader *readers, struct parcel *parcels)
{
	for (int i = 0; i < BUFFERS; i++) {
		struct msgbuf *buf;

		while (!(buf = msgbuf_new(pool, i % 50 ? 1 : 5000))) {
			sched_yield();
		}
		memset(buf->data, i & 0x7f, 64);
		parcels[i].buf = buf;
		mailbox_post_sure(readers[i % READERS].mb, &parcels[i].job);
	}
}

START_TEST(msgbuf_comes_home_from_other_threads)
{
	struct msgbuf_pool *pool = msgbuf_pool_new(64);
	struct parcel *parcels = calloc(BUFFERS, sizeof(*parcels)), ends[READERS] = { 0 };
	struct reader readers[READERS];

	for (int i = 0; i < READERS; i++) {
		readers[i] = (struct reader){ .mb = mailbox_new(1) };
		readers[i].own = i ? msgbuf_pool_new(1) : NULL;
		pthread_create(&readers[i].thread, NULL, read_all, &readers[i]);
	}
	hand_out(pool, readers, parcels);
	for (int i = 0; i < READERS; i++) {
		mailbox_post_sure(readers[i].mb, &ends[i].job);
		pthread_join(readers[i].thread, NULL);
		ck_assert_int_eq(readers[i].bad, 0);
		mailbox_free(readers[i].mb);
		msgbuf_pool_free(readers[i].own);
	}
	ck_assert_uint_eq(msgbuf_pool_used(pool), 0);
	msgbuf_pool_free(pool);
	free(parcels);
}
END_TEST

static int msgbuf_scenario(void *arg)
{
	struct msgbuf_pool *pool = msgbuf_pool_new(4);
	struct msgbuf *a, *b;
	int err = -ENOMEM;

	(void)arg;
	if (!pool) {
		return err;
	}
	a = msgbuf_new(pool, 1);
	b = msgbuf_new(pool, 4000);
	if (a && b) {
		err = 0;
	}
	msgbuf_unref(&a, pool);
	msgbuf_unref(&b, NULL);
	ck_assert_uint_eq(msgbuf_pool_used(pool), 0);
	msgbuf_pool_free(pool);
	return err;
}

START_TEST(msgbuf_survives_want_of_memory)
{
	oom_each(msgbuf_scenario, NULL);
}
END_TEST

UNIT_MAIN("util/msgbuf", msgbuf_returns_to_its_pool_with_the_last_reference,
          msgbuf_large_ones_hold_exactly_what_was_asked_for,
          msgbuf_pool_stops_at_its_limit_until_one_comes_home, msgbuf_limit_is_one_of_bytes,
          msgbuf_large_ones_from_other_threads_do_not_pile_up, msgbuf_comes_home_from_other_threads,
          msgbuf_survives_want_of_memory)
