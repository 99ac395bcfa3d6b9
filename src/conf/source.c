/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/err.h"

enum state { IN_CODE, IN_STRING, IN_COMMENT };

static int source_fail(struct conf_source *src, int err, const char *file, unsigned line,
                       const char *what)
{
	char where[24] = "";

	if (line > 0) {
		(void)snprintf(where, sizeof(where), ":%u", line);
	}
	free(src->error);
	src->error = malloc(strlen(file) + strlen(where) + strlen(what) + 3);
	if (!src->error) {
		return -ENOMEM;
	}
	(void)sprintf(src->error, "%s%s: %s", file, where, what);
	return err;
}

static int text_reserve(struct conf_source *src, size_t more)
{
	size_t want = src->n + more + 1;
	char *p;

	if (want <= src->cap) {
		return 0;
	}
	want = want < 4096 ? 4096 : want + want / 2;
	p = realloc(src->text, want);
	if (!p) {
		return -ENOMEM;
	}
	src->text = p;
	src->cap = want;
	return 0;
}

/* One line; ends in a line feed afterwards. */
static int text_add(struct conf_source *src, struct str line)
{
	int err = text_reserve(src, line.n + 1);

	if (err) {
		return err;
	}
	if (line.n) {
		memcpy(src->text + src->n, line.p, line.n);
		src->n += line.n;
	}
	if (line.n == 0 || line.p[line.n - 1] != '\n') {
		src->text[src->n++] = '\n';
	}
	src->text[src->n] = '\0';
	src->lines++;
	return 0;
}

static int segment_add(struct conf_source *src, unsigned file, unsigned from)
{
	struct conf_segment *p =
		reallocarray(src->segments, src->segments_n + 1, sizeof(*src->segments));

	if (!p) {
		return -ENOMEM;
	}
	src->segments = p;
	p[src->segments_n++] = (struct conf_segment){ src->lines + 1, file, from };
	return 0;
}

static int file_add(struct conf_source *src, struct str name)
{
	char **p = reallocarray(src->files, src->files_n + 1, sizeof(*src->files));

	if (!p) {
		return -ENOMEM;
	}
	src->files = p;
	p[src->files_n] = str_dup(name);
	if (!p[src->files_n]) {
		return -ENOMEM;
	}
	src->files_n++;
	return 0;
}

/* Whole of @file; *text_r is heap. */
static int read_all(const char *file, char **text_r, size_t *n_r)
{
	size_t n = 0, cap = 0;
	char *text = NULL;
	ssize_t got = 1;
	int err = 0, fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0) {
		return -errno;
	}
	while (got > 0 && !err) {
		if (n == cap) {
			char *p = realloc(text, cap = cap ? cap * 2 : 8192);

			if (!p) {
				err = -ENOMEM;
				break;
			}
			text = p;
		}
		got = read(fd, text + n, cap - n);
		if (got < 0) {
			err = -errno;
		} else {
			n += (size_t)got;
			err = n > CONF_TEXT_MAX ? -EFBIG : 0;
		}
	}
	(void)close(fd);
	if (err) {
		free(text);
		return err;
	}
	*text_r = text;
	*n_r = n;
	return 0;
}

static bool is_word_char(char c)
{
	return ascii_is_alpha((unsigned char)c) || ascii_is_digit((unsigned char)c) || c == '_' ||
	       c == '.' || c == '-' || c == '+' || c == '*';
}

/* libconfig cuts a whole number without L to 32 bits and says nothing. *@i is at the first
 * character of a word, and at its last afterwards. */
static bool is_cut_number(struct str line, size_t *i)
{
	char text[32], *end;
	size_t n = 0, at = *i;
	unsigned long long v;
	bool is_hex;

	while (at < line.n && is_word_char(line.p[at])) {
		if (n + 1 < sizeof(text) && line.p[at] != '-' && line.p[at] != '+') {
			text[n++] = line.p[at];
		}
		at++;
	}
	*i = at - 1;
	text[n] = '\0';
	if (!ascii_is_digit((unsigned char)text[0])) {
		return false;
	}
	is_hex = ascii_lower((unsigned char)text[1]) == 'x';
	v = strtoull(text, &end, is_hex ? 16 : 10);
	return *end == '\0' && v > (is_hex ? UINT32_MAX : INT32_MAX);
}

/* Follows strings and comments as libconfig's scanner does. *cut_r: a number is too large for it.
 */
static enum state scan_line(enum state state, struct str line, bool *cut_r)
{
	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i], next = i + 1 < line.n ? line.p[i + 1] : '\0';

		if (state == IN_STRING) {
			if (c == '\\') {
				i++;
			} else if (c == '"') {
				state = IN_CODE;
			}
		} else if (state == IN_COMMENT) {
			if (c == '*' && next == '/') {
				state = IN_CODE;
				i++;
			}
		} else if (c == '"') {
			state = IN_STRING;
		} else if (c == '/' && next == '*') {
			state = IN_COMMENT;
			i++;
		} else if (c == '#' || (c == '/' && next == '/')) {
			break;
		} else if (is_word_char(c)) {
			*cut_r = is_cut_number(line, &i) || *cut_r;
		}
	}
	return state;
}

/* Is it `@include "PATH"`? Then PATH, or a text that says what is wrong. */
static bool parse_include(struct str line, struct str *path_r, const char **error_r)
{
	static const struct str word = STR_INIT("@include");
	struct str s = str_trim(line), rest;

	if (!str_starts(s, word)) {
		return false;
	}
	s = str_trim(str_skip(s, word.n));
	*error_r = "@include wants a file name in quotes";
	if (s.n < 2 || s.p[0] != '"' || !str_cut(str_skip(s, 1), '"', path_r, &rest)) {
		return true;
	}
	rest = str_trim(rest);
	if (path_r->n == 0 || memchr(path_r->p, '\\', path_r->n)) {
		return true;
	}
	if (rest.n > 0 && rest.p[0] != '#' && !str_starts(rest, STR("//"))) {
		*error_r = "@include must have its line for itself";
		return true;
	}
	*error_r = NULL;
	return true;
}

static char *path_beside(const char *file, struct str path)
{
	const char *slash = strrchr(file, '/');
	size_t dir = slash && path.p[0] != '/' ? (size_t)(slash - file) + 1 : 0;
	char *out = malloc(dir + path.n + 1);

	if (out) {
		memcpy(out, file, dir);
		memcpy(out + dir, path.p, path.n);
		out[dir + path.n] = '\0';
	}
	return out;
}

static int add_text(struct conf_source *src, struct str text, struct str name, unsigned depth);

static int add_include(struct conf_source *src, unsigned file, unsigned line, struct str path,
                       unsigned depth)
{
	char *name, *text = NULL, what[160];
	size_t n = 0;
	int err;

	if (depth + 1 >= CONF_INCLUDE_MAX) {
		return source_fail(src, BELFRY_ECONF, src->files[file], line,
		                   "too many files include one another; does one include itself?");
	}
	name = path_beside(src->files[file], path);
	if (!name) {
		return -ENOMEM;
	}
	err = read_all(name, &text, &n);
	if (err == -ENOMEM) {
		free(name);
		return err;
	}
	if (err) {
		(void)snprintf(what, sizeof(what), "cannot include \"%.*s\": %s",
		               (int)(path.n < 80 ? path.n : 80), path.p, belfry_strerror(err));
		err = source_fail(src, BELFRY_ECONF, src->files[file], line, what);
	} else {
		err = add_text(src, str_make(text, n), str_from(name), depth + 1);
	}
	free(text);
	free(name);
	return err;
}

static int add_line(struct conf_source *src, unsigned file, unsigned line_no, struct str line,
                    enum state *state)
{
	bool is_cut = false;

	*state = scan_line(*state, line, &is_cut);
	if (is_cut) {
		return source_fail(src, BELFRY_ECONF, src->files[file], line_no,
		                   "a number is out of range; 32 bits are allowed");
	}
	return text_add(src, line);
}

static int add_lines(struct conf_source *src, unsigned file, struct str text, unsigned depth)
{
	enum state state = IN_CODE;
	unsigned line_no = 0;

	while (text.n > 0) {
		ptrdiff_t nl = str_find(text, '\n');
		struct str line = str_make(text.p, nl < 0 ? text.n : (size_t)nl + 1), path;
		const char *error;
		int err;

		line_no++;
		text = str_skip(text, line.n);
		if (src->n + line.n >= CONF_TEXT_MAX) {
			return source_fail(src, BELFRY_ECONF, src->files[file], line_no,
			                   "the configuration is larger than 16 MiB");
		}
		if (state == IN_CODE && parse_include(line, &path, &error)) {
			err = error ? source_fail(src, BELFRY_ECONF, src->files[file], line_no,
			                          error)
			            : add_include(src, file, line_no, path, depth);
			err = err ? err : segment_add(src, file, line_no + 1);
		} else {
			err = add_line(src, file, line_no, line, &state);
		}
		if (err) {
			return err;
		}
	}
	if (state != IN_CODE) {
		return source_fail(src, BELFRY_ECONF, src->files[file], line_no,
		                   state == IN_STRING ? "the file ends inside a string"
		                                      : "the file ends inside a comment");
	}
	return 0;
}

static int add_text(struct conf_source *src, struct str text, struct str name, unsigned depth)
{
	unsigned file = (unsigned)src->files_n;
	const char *nul = text.n ? memchr(text.p, '\0', text.n) : NULL;
	int err = file_add(src, name);

	if (!err && nul) {
		unsigned line = 1;

		for (const char *p = text.p; p < nul; p++) {
			line += *p == '\n';
		}
		return source_fail(src, BELFRY_ECONF, src->files[file], line,
		                   "a NUL byte; this is no text file");
	}
	if (!err) {
		err = segment_add(src, file, 1);
	}
	return err ? err : add_lines(src, file, text, depth);
}

int conf_source_text(struct conf_source *src, struct str text, const char *name)
{
	int err;

	*src = (struct conf_source){ 0 };
	err = text_reserve(src, 0);
	if (err) {
		return err;
	}
	src->text[0] = '\0';
	return add_text(src, text, str_from(name), 0);
}

int conf_source_file(struct conf_source *src, const char *file)
{
	char *text = NULL;
	size_t n = 0;
	int err = read_all(file, &text, &n);

	*src = (struct conf_source){ 0 };
	if (err == -ENOMEM) {
		return err;
	}
	if (err) {
		return source_fail(src, err, file, 0, belfry_strerror(err));
	}
	err = conf_source_text(src, str_make(text, n), file);
	free(text);
	return err;
}

void conf_source_fini(struct conf_source *src)
{
	for (size_t i = 0; i < src->files_n; i++) {
		free(src->files[i]);
	}
	free(src->files);
	free(src->segments);
	free(src->text);
	free(src->error);
	*src = (struct conf_source){ 0 };
}

const char *conf_source_where(const struct conf_source *src, unsigned line, unsigned *line_r)
{
	const struct conf_segment *seg = &src->segments[0];

	for (size_t i = 1; i < src->segments_n && src->segments[i].line <= line; i++) {
		seg = &src->segments[i];
	}
	*line_r = seg->from + (line > seg->line ? line - seg->line : 0);
	return src->files[seg->file];
}
