/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a log line: logfmt or JSON. Whatever a field holds, the line stays one line of valid
 * UTF-8 with no control characters in it (a log is read in terminals). Pure functions.
 */
#pragma once

#include "util/log.h"
#include "util/sbuf.h"

#include <time.h>

#define LOG_LINE_MAX  4096 /* bytes with the newline: PIPE_BUF, so that a line stays whole */
#define LOG_VALUE_MAX 1024 /* bytes of one value, before escapes; the rest is cut off */

struct log_line {
	struct timespec time; /* left out if tv_sec is 0 */
	enum log_level level;
	const char *event;
	const struct log_field *fields;
	size_t n;
};

/* Without a newline. Fields that do not fit are left out and `truncated=true` ends the line;
 * @out.cap must be at least 256. */
void log_text_print(struct sbuf *out, const struct log_line *line, enum log_format format);

/* A value as text, not escaped: numbers and booleans are printed into @space (of 24 bytes or
 * more). */
struct str log_text_value(const struct log_field *field, char *space);
