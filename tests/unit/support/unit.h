/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every unit test includes: Check, the out-of-memory helpers, and a main().
 *
 *	START_TEST(uri_refuses_space_in_host)
 *	{
 *		...
 *	}
 *	END_TEST
 *
 *	UNIT_MAIN("sip/uri", uri_refuses_space_in_host, ...)
 *
 * Each test runs in a process of its own (CK_FORK=no: in this one, for a debugger).
 */
#pragma once

#include "util/str.h"

#include "support/oom.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define UNIT_TIMEOUT_S 240 /* of one test; times CK_TIMEOUT_MULTIPLIER */
#define UNIT_WAIT_S    60  /* for what has to come; times the same */

/* How long to wait for what has to come, so that only a test that fails waits that long however
 * slow the machine: UNIT_WAIT_S. */
int unit_wait_ms(void);
/* For what cannot be waited for but only looked at again: when to give up, and a pause before the
 * next look (false: it is time to give up).
 *
 *	uint64_t end = unit_wait_begin();
 *	while (!is_there() && unit_wait_more(end)) {
 *	}
 */
uint64_t unit_wait_begin(void);
bool unit_wait_more(uint64_t end);

int unit_main(const char *name, const TTest *const *tests, size_t n);

#define UNIT_MAIN(name, ...)                                                                       \
	int main(void)                                                                             \
	{                                                                                          \
		const TTest *const unit_tests_[] = { __VA_ARGS__ };                                \
                                                                                                   \
		return unit_main((name), unit_tests_,                                              \
		                 sizeof(unit_tests_) / sizeof(unit_tests_[0]));                    \
	}

/* A struct str against a C string. */
#define ck_assert_str_is(got, want)                                                                \
	do {                                                                                       \
		struct str unit_got_ = (got);                                                      \
		const char *unit_want_ = (want);                                                   \
                                                                                                   \
		ck_assert_msg(unit_got_.n == strlen(unit_want_) &&                                 \
		                      (unit_got_.n == 0 ||                                         \
		                       memcmp(unit_got_.p, unit_want_, unit_got_.n) == 0),         \
		              "%s is \"%.*s\", not \"%s\"", #got, (int)unit_got_.n,                \
		              unit_got_.p ? unit_got_.p : "", unit_want_);                         \
	} while (0)

/* The path of a file under tests/data/, in a static buffer (the next call takes it again). */
const char *unit_data(const char *name);
