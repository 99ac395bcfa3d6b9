/* SPDX-License-Identifier: Apache-2.0 */
#include "support/unit.h"

#include <poll.h>
#include <stdio.h>
#include <time.h>

#define PAUSE_MS 5

int unit_main(const char *name, const TTest *const *tests, size_t n)
{
	Suite *suite = suite_create(name);
	TCase *tcase = tcase_create(name);
	SRunner *runner;
	int failed;

	tcase_set_timeout(tcase, UNIT_TIMEOUT_S);
	for (size_t i = 0; i < n; i++) {
		tcase_add_test(tcase, tests[i]);
	}
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int unit_wait_ms(void)
{
	const char *text = getenv("CK_TIMEOUT_MULTIPLIER");
	double times = text ? strtod(text, NULL) : 1;

	return (int)(1000 * UNIT_WAIT_S * (times > 1 && times < 1000 ? times : 1));
}

static uint64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

uint64_t unit_wait_begin(void)
{
	return now_ms() + (uint64_t)unit_wait_ms();
}

bool unit_wait_more(uint64_t end)
{
	(void)poll(NULL, 0, PAUSE_MS);
	return now_ms() < end;
}

const char *unit_data(const char *name)
{
	static char path[1024];
	const char *top = getenv("top_srcdir");

	snprintf(path, sizeof(path), "%s/tests/data/%s", top ? top : ".", name);
	return path;
}
