/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a configuration with its @include lines resolved, and where each of its lines came
 * from. An included file is looked for beside the one that names it, unless its path begins with
 * '/'. Single owner, used by one load.
 */
#pragma once

#include "util/str.h"

#define CONF_TEXT_MAX    (16u << 20) /* bytes, all included files together */
#define CONF_INCLUDE_MAX 10          /* files inside one another */

struct conf_segment {
	unsigned line; /* first line in the whole text */
	unsigned file; /* index in files */
	unsigned from; /* its line there */
};

struct conf_source {
	char *text; /* NUL-terminated */
	size_t n, cap;
	unsigned lines; /* complete lines so far */
	struct conf_segment *segments;
	size_t segments_n;
	char **files;
	size_t files_n;
	char *error; /* heap: FILE:LINE: what is wrong */
};

/* Each: 0, BELFRY_ECONF (an include or the text is bad), -errno (@file cannot be read), -ENOMEM;
 * except for the last with src->error set. conf_source_fini() in every case. */
int conf_source_file(struct conf_source *src, const char *file);
/* @name is what messages call it; includes are relative to its directory. */
int conf_source_text(struct conf_source *src, struct str text, const char *name);
void conf_source_fini(struct conf_source *src);

/* The place of a line of the whole text. Lines beyond the end belong to the last one. */
const char *conf_source_where(const struct conf_source *src, unsigned line, unsigned *line_r);
