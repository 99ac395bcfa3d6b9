/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table-driven part of a load: a libconfig tree against tables of settings. Errors name the
 * place of the value, or the -D option it came from. The first error ends the load.
 *
 * What came from -D has the text of the option as its hook. A setting is a string then, converted by
 * the type that the table gives, as defaults are.
 */
#pragma once

#include "conf/conf.h"
#include "conf/source.h"
#include "util/arena.h"

#include <libconfig.h>

struct conf_loader {
	struct conf *conf;
	struct arena *arena; /* of conf: values live there */
	const struct conf_source *source;
	config_t *tree;
	conf_module_cb *cb;
	void *cb_arg;
	int err;     /* 0, or the first failure */
	char *error; /* heap; NULL when there was no memory for it */
};

/* Each returns the error it notes. @at may be NULL: the file as a whole. */
int conf_fail(struct conf_loader *ld, const config_setting_t *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int conf_nomem(struct conf_loader *ld);
/* At the setting of that path ("listen.0.port"), or what there is of it; the path leads the text.
 */
int conf_fail_path(struct conf_loader *ld, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Remembered in conf->warnings with its place. */
int conf_warn_path(struct conf_loader *ld, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The setting of a path with numbers for places in lists; NULL. */
config_setting_t *conf_tree_find(config_t *tree, const char *path);
/* Its line in its file; 0 when it came from an option or is not there. */
int conf_path_line(const struct conf_loader *ld, const char *path);

/* Reads @group (NULL: defaults only) into the struct at @base. @path is "" or the path of the
 * group. Unknown members are errors unless @skip_unknown. */
int conf_read_group(struct conf_loader *ld, const struct belfry_setting *table,
                    const config_setting_t *group, const char *path, bool skip_unknown, void *base);

/* ": did you mean" part of a message about an unknown name: "" or `; did you mean "x"?`. In the
 * loader's arena. */
const char *conf_hint(struct conf_loader *ld, struct str best);
