/* SPDX-License-Identifier: Apache-2.0 */
#include "module/shared.h"

#include "support/unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>

struct counted {
	bool was_new;
	uint64_t evicted_ms;
	int value;
};

static int add_one(const struct belfry_shared_look *look, void *arg)
{
	struct counted *out = arg;
	uint64_t *value = look->value;

	*value += 1;
	out->was_new = look->is_new;
	out->evicted_ms = look->evicted_ms;
	out->value = (int)*value;
	return out->value;
}

static int refuse(const struct belfry_shared_look *look, void *arg)
{
	(void)look;
	(void)arg;
	return BELFRY_EDENIED;
}

static int add_to(struct belfry_shared *t, const char *key, uint64_t now_ms, struct counted *out)
{
	return belfry_shared_with(t, str_from(key), now_ms, 1000, add_one, out);
}

static bool count_entry(struct str key, const void *value, void *arg)
{
	size_t *n = arg;

	ck_assert_uint_gt(key.n, 0);
	ck_assert_uint_gt(*(const uint64_t *)value, 0);
	(*n)++;
	return true;
}

static bool only_one(struct str key, const void *value, void *arg)
{
	count_entry(key, value, arg);
	return false;
}

static size_t entries(struct belfry_shared *t, uint64_t now_ms)
{
	size_t n = 0;

	belfry_shared_each(t, now_ms, count_entry, &n);
	return n;
}

START_TEST(shared_keeps_a_value_by_its_key)
{
	struct belfry_shared *list = NULL, *t = shared_new(16, sizeof(uint64_t), 100);
	struct counted c;

	shared_link(&list, t);
	ck_assert_int_eq(add_to(t, "a", 10, &c), 1);
	ck_assert(c.was_new);
	ck_assert_int_eq(add_to(t, "a", 20, &c), 2);
	ck_assert(!c.was_new);
	ck_assert_int_eq(add_to(t, "b", 20, &c), 1);
	ck_assert_int_eq(add_to(t, "0123456789abcdef", 20, &c), 1);
	ck_assert_int_eq(add_to(t, "0123456789abcdefX", 20, &c), BELFRY_ETOOBIG);
	ck_assert_int_eq(add_to(t, "", 20, &c), BELFRY_ETOOBIG);
	ck_assert_uint_eq(entries(t, 20), 3);
	ck_assert(belfry_shared_del(t, STR("a")));
	ck_assert(!belfry_shared_del(t, STR("a")));
	ck_assert_int_eq(add_to(t, "a", 30, &c), 1);
	shared_free_all(&list);
	ck_assert_ptr_null(list);
}
END_TEST

START_TEST(shared_forgets_what_was_not_touched_for_its_ttl)
{
	struct belfry_shared *t = shared_new(8, sizeof(uint64_t), 100);
	struct counted c;

	add_to(t, "a", 1000, &c);
	ck_assert_int_eq(add_to(t, "a", 1999, &c), 2);
	ck_assert_int_eq(add_to(t, "a", 2998, &c), 3);
	ck_assert_uint_eq(entries(t, 3997), 1);
	ck_assert_uint_eq(entries(t, 3998), 0);
	ck_assert_int_eq(add_to(t, "a", 3998, &c), 1);
	ck_assert(c.was_new);
	ck_assert_uint_eq(c.evicted_ms, 0);
	shared_free_all(&t);
}
END_TEST

START_TEST(shared_at_its_limit_lets_the_longest_untouched_go_and_tells)
{
	struct belfry_shared *t = shared_new(8, sizeof(uint64_t), 3);
	struct counted c;

	add_to(t, "a", 1, &c);
	add_to(t, "b", 2, &c);
	add_to(t, "c", 3, &c);
	add_to(t, "a", 4, &c);
	add_to(t, "d", 5, &c);
	ck_assert_uint_eq(c.evicted_ms, 2);
	ck_assert_uint_eq(entries(t, 5), 3);
	ck_assert_int_eq(add_to(t, "a", 6, &c), 2 + 1);
	ck_assert_int_eq(add_to(t, "b", 6, &c), 1);
	ck_assert(c.was_new);
	ck_assert_uint_eq(c.evicted_ms, 3);
	shared_free_all(&t);
}
END_TEST

START_TEST(shared_room_is_made_by_expired_entries_first)
{
	struct belfry_shared *t = shared_new(8, sizeof(uint64_t), 2);
	struct counted c;

	add_to(t, "a", 1, &c);
	add_to(t, "b", 900, &c);
	add_to(t, "c", 1500, &c);
	ck_assert_uint_eq(c.evicted_ms, 0);
	ck_assert_int_eq(add_to(t, "b", 1500, &c), 2);
	shared_free_all(&t);
}
END_TEST

START_TEST(shared_drops_the_entry_when_the_callback_says_no)
{
	struct belfry_shared *t = shared_new(8, sizeof(uint64_t), 2);
	struct counted c;

	ck_assert_int_eq(belfry_shared_with(t, STR("a"), 1, 1000, refuse, NULL), BELFRY_EDENIED);
	ck_assert_uint_eq(entries(t, 1), 0);
	add_to(t, "a", 1, &c);
	ck_assert(c.was_new);
	ck_assert_int_eq(belfry_shared_with(t, STR("a"), 1, 1000, refuse, NULL), BELFRY_EDENIED);
	ck_assert_uint_eq(entries(t, 1), 0);
	shared_free_all(&t);
}
END_TEST

START_TEST(shared_each_stops_when_told)
{
	struct belfry_shared *t = shared_new(16, sizeof(uint64_t), 100000);
	struct counted c;
	size_t n = 0;

	add_to(t, "a", 1, &c);
	add_to(t, "b", 1, &c);
	add_to(t, "c", 1, &c);
	belfry_shared_each(t, 1, only_one, &n);
	ck_assert_uint_eq(n, 1);
	shared_free_all(&t);
}
END_TEST

START_TEST(shared_holds_as_many_as_it_may_and_no_more)
{
	const size_t limit = 6400;
	struct belfry_shared *t = shared_new(16, sizeof(uint64_t), limit);
	struct counted c;
	char key[16];
	size_t n;

	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		ck_assert_int_eq(add_to(t, key, 1, &c), 1);
	}
	n = entries(t, 1);
	ck_assert_uint_le(n, limit);
	ck_assert_uint_gt(n, limit * 9 / 10);
	snprintf(key, sizeof(key), "k%d", 19999);
	ck_assert_int_eq(add_to(t, key, 1, &c), 2);
	shared_free_all(&t);
}
END_TEST

static void *hammer(void *arg)
{
	struct belfry_shared *t = arg;
	struct counted c;
	char key[16];

	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "k%d", i % 50);
		add_to(t, key, 1, &c);
		if (i % 1000 == 0) {
			entries(t, 1);
		}
	}
	return NULL;
}

START_TEST(shared_counts_right_from_four_threads)
{
	struct belfry_shared *t = shared_new(16, sizeof(uint64_t), 10000);
	pthread_t threads[4];
	struct counted c;

	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(pthread_create(&threads[i], NULL, hammer, t), 0);
	}
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
	}
	for (int i = 0; i < 50; i++) {
		char key[16];

		snprintf(key, sizeof(key), "k%d", i);
		ck_assert_int_eq(add_to(t, key, 1, &c), 4 * 400 + 1);
	}
	shared_free_all(&t);
}
END_TEST

static int oom_scenario_shared(void *arg)
{
	struct belfry_shared *t = shared_new(16, sizeof(uint64_t), 100000);
	struct counted c;
	char key[16];
	int ret = 0;

	(void)arg;
	if (!t) {
		return -ENOMEM;
	}
	for (int i = 0; i < 300 && ret >= 0; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		ret = add_to(t, key, 1, &c);
		ck_assert(ret == 1 || ret == -ENOMEM);
	}
	shared_free_all(&t);
	return ret < 0 ? ret : 0;
}

START_TEST(shared_survives_any_allocation_failing)
{
	oom_each(oom_scenario_shared, NULL);
}
END_TEST

UNIT_MAIN("module/shared", shared_keeps_a_value_by_its_key,
          shared_forgets_what_was_not_touched_for_its_ttl,
          shared_at_its_limit_lets_the_longest_untouched_go_and_tells,
          shared_room_is_made_by_expired_entries_first,
          shared_drops_the_entry_when_the_callback_says_no, shared_each_stops_when_told,
          shared_holds_as_many_as_it_may_and_no_more, shared_counts_right_from_four_threads,
          shared_survives_any_allocation_failing)
