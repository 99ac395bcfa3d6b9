/* SPDX-License-Identifier: Apache-2.0 */
/* The helper that makes memory run out, since every other test relies on it. */
#include "support/oom.h"

#include "support/unit.h"
#include "util/str.h"

#include <errno.h>
#include <signal.h>

struct probe {
	int runs;
	bool leaks;
};

static int three_allocations(void *arg)
{
	struct probe *probe = arg;
	/* volatile: a compiler may leave out what is only freed again */
	char *volatile a = malloc(10), *volatile b = str_dup(STR("b"));
	char *volatile c = calloc(2, 8);
	int err = a && b && c ? 0 : -ENOMEM;

	probe->runs++;
	ck_assert_int_eq(oom_hit(), err != 0);
	free(a);
	if (!probe->leaks) {
		free(b);
	}
	free(c);
	return err;
}

START_TEST(oom_each_fails_every_allocation_once_and_then_none)
{
	struct probe probe = { 0 };

	oom_each(three_allocations, &probe);
	ck_assert_int_eq(probe.runs, 4);
	ck_assert_uint_eq(oom_count(), 3);
}
END_TEST

START_TEST(oom_fails_each_kind_of_allocation)
{
	void *p = NULL;

	oom_fail_at(1);
	ck_assert_ptr_null(malloc(1));
	oom_fail_at(1);
	ck_assert_ptr_null(calloc(1, 1));
	oom_fail_at(1);
	ck_assert_ptr_null(aligned_alloc(64, 64));
	oom_fail_at(1);
	ck_assert_int_eq(posix_memalign(&p, 64, 64), ENOMEM);
	oom_fail_at(1);
	ck_assert_ptr_null(strdup("x"));
	oom_fail_at(1);
	ck_assert_ptr_null(strndup("x", 1));
	oom_fail_at(2);
	p = malloc(10);
	ck_assert_ptr_null(realloc(p, 1000)); /* the old block stays */
	oom_fail_at(1);
	ck_assert_ptr_null(reallocarray(NULL, 10, 10));
	oom_off();
	free(p);
}
END_TEST

START_TEST(oom_each_notices_a_leak)
{
	struct probe probe = { .leaks = true };

	oom_each(three_allocations, &probe); /* must end this test as failed */
}
END_TEST

static int gives_up_without_reason(void *arg)
{
	char *volatile p = malloc(1);

	(void)arg;
	free(p);
	return -EINVAL;
}

START_TEST(oom_each_notices_a_scenario_that_never_works)
{
	oom_each(gives_up_without_reason, NULL);
}
END_TEST

/* Failures of @test, run by itself. */
static int failures_of(const TTest *test)
{
	Suite *suite = suite_create("inner");
	TCase *tcase = tcase_create("inner");
	SRunner *runner;
	int n;

	tcase_add_test(tcase, test);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_SILENT);
	n = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n;
}

START_TEST(oom_each_fails_the_test_of_a_bad_scenario)
{
	ck_assert_int_eq(failures_of(oom_each_notices_a_leak), 1);
	ck_assert_int_eq(failures_of(oom_each_notices_a_scenario_that_never_works), 1);
	ck_assert_int_eq(failures_of(oom_each_fails_every_allocation_once_and_then_none), 0);
}
END_TEST

UNIT_MAIN("support/oom", oom_each_fails_every_allocation_once_and_then_none,
          oom_fails_each_kind_of_allocation, oom_each_fails_the_test_of_a_bad_scenario)
