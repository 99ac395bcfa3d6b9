/* SPDX-License-Identifier: Apache-2.0 */
/* A configuration: lines "-D KEY=VALUE" first, if any, then the text. No files are read. */
#include <stdint.h>
#include <stdlib.h>

#include "conf/conf.h"
#include "util/err.h"

#define OPTIONS_MAX 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* libconfig 1.5 leaks the string before a syntax error. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig.so";
}

struct sample {
	struct str_list names;
	int status;
	double share;
	bool on;
};

static const struct belfry_setting sample_settings[] = {
	BELFRY_SET_ENUMS(struct sample, names, "a,b", "a|b|c", "names"),
	BELFRY_SET_INT(struct sample, status, 403, 400, 699, "status"),
	BELFRY_SET_NUM(struct sample, share, 0.5, 0, 1, "share"),
	BELFRY_SET_BOOL(struct sample, on, true, "on"),
	BELFRY_SET_END,
};

static const struct conf_module_info *find(void *arg, struct str name, struct str module_dir,
                                           const char **error_r)
{
	static const struct conf_module_info sample = {
		.settings = sample_settings,
		.conf_size = sizeof(struct sample),
	};

	(void)arg;
	(void)module_dir;
	*error_r = "it is not there";
	return str_starts(name, STR("x")) ? NULL : &sample;
}

static void try(struct str text, char **options, size_t n)
{
	struct net_addr addr = { .family = 4 };
	struct conf *conf = NULL;
	char *error = NULL;
	int err = conf_load_text(text, "fuzz", options, n, find, NULL, &conf, &error);

	if ((err == 0) != (conf != NULL) || (err == BELFRY_ECONF) != (error != NULL)) {
		abort();
	}
	if (conf) {
		(void)conf_is_local_domain(conf, conf->domains.v[0]);
		(void)conf_is_trusted(conf, &addr);
		(void)conf_needs_restart(conf, conf);
	}
	free(error);
	conf_unref(&conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_make((const char *)data, size), line, rest;
	char *options[OPTIONS_MAX];
	size_t n = 0;

	if (str_contains_nocase(text, STR("@include"))) {
		return 0;
	}
	while (n < OPTIONS_MAX && str_starts(text, STR("-D "))) {
		(void)str_cut(text, '\n', &line, &rest);
		options[n] = str_dup(str_skip(line, 3));
		if (!options[n++]) {
			abort();
		}
		text = rest;
	}
	try(text, options, n);
	while (n > 0) {
		free(options[--n]);
	}
	return 0;
}
