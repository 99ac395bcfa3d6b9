/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the tests of src/conf: loading a text, and what it must be refused with. */
#pragma once

#include "conf/conf.h"
#include "util/err.h"

#include "support/unit.h"

/* One mandatory line, on line 1. */
#define CONF_BASE "domains = ( \"example.com\" );\n"

struct wrong {
	const char *text;
	const char *error; /* a part of it */
};

static inline struct conf *load_with(const char *text, char *const *options, size_t n)
{
	struct conf *conf = NULL;
	char *error = NULL;
	int err = conf_load_text(str_from(text), "t.conf", options, n, NULL, NULL, &conf, &error);

	ck_assert_msg(err == 0, "%d: %s", err, error ? error : "no text");
	ck_assert_ptr_null(error);
	return conf;
}

static inline struct conf *load(const char *text)
{
	return load_with(text, NULL, 0);
}

static inline void refuse_with(const char *text, char *const *options, size_t n, const char *want)
{
	struct conf *conf = NULL;
	char *error = NULL;
	int err = conf_load_text(str_from(text), "t.conf", options, n, NULL, NULL, &conf, &error);

	ck_assert_msg(err == BELFRY_ECONF, "%d instead of \"%s\" for: %s", err, want, text);
	ck_assert_ptr_null(conf);
	ck_assert_ptr_nonnull(error);
	ck_assert_msg(strstr(error, want) != NULL, "\"%s\" lacks \"%s\"", error, want);
	free(error);
}

static inline void refuse(const char *text, const char *want)
{
	refuse_with(text, NULL, 0, want);
}

static inline void refuse_all(const struct wrong *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		refuse(cases[i].text, cases[i].error);
	}
}
#define REFUSE_ALL(cases) refuse_all((cases), sizeof(cases) / sizeof((cases)[0]))

/* Does one of the warnings hold @part? */
static inline bool warns(const struct conf *conf, const char *part)
{
	for (size_t i = 0; i < conf->warnings_n; i++) {
		if (strstr(conf->warnings[i].p, part)) {
			return true;
		}
	}
	return false;
}
