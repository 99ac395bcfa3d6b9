/* SPDX-License-Identifier: Apache-2.0 */
#include "support/unit.h"

#include <stdio.h>

static void tap_path(SRunner *runner, const char *name)
{
	const char *dir = getenv("UNIT_TAP_DIR");
	static char path[1024]; /* Check keeps the pointer */

	if (!dir) {
		return;
	}
	size_t n = (size_t)snprintf(path, sizeof(path), "%s/", dir);

	snprintf(path + n, sizeof(path) - n, "%s.tap", name);
	for (char *p = path + n; *p; p++) {
		if (*p == '/') {
			*p = '-';
		}
	}
	srunner_set_tap(runner, path);
}

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
	tap_path(runner, name);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

const char *unit_data(const char *name)
{
	static char path[1024];
	const char *top = getenv("top_srcdir");

	snprintf(path, sizeof(path), "%s/tests/data/%s", top ? top : ".", name);
	return path;
}
