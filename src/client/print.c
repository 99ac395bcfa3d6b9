/* SPDX-License-Identifier: Apache-2.0 */
#include "client/print.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "util/str.h"

#define COLUMNS_MAX 24
#define GAP         2 /* spaces between columns */

/* Columns on a screen: code points. */
static size_t width_of(const char *s)
{
	size_t n = 0;

	for (; *s; s++) {
		n += ((unsigned char)*s & 0xc0) != 0x80;
	}
	return n;
}

void print_tame(char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)s[0], next = (unsigned char)s[1];

		if (c < 0x20 || c == 0x7f) {
			*s = '?';
		} else if (c == 0xc2 && next >= 0x80 && next < 0xa0) {
			s[0] = '?';
			s[1] = '?';
		}
	}
}

/* --- values -------------------------------------------------------------------------------------
 */

static void put_value(FILE *f, const json_t *v);

/* Whole numbers of these names are Unix times. */
static bool is_time(struct str name, const json_t *v)
{
	return json_is_integer(v) && (str_eq(name, STR("created")) || str_eq(name, STR("time")));
}

/* As in the log. */
static void put_time(FILE *f, const json_t *v)
{
	time_t unix_s = (time_t)json_integer_value(v);
	char text[64];
	struct tm tm;

	if (gmtime_r(&unix_s, &tm) && strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm)) {
		(void)fputs(text, f);
	} else {
		put_value(f, v);
	}
}

static void put_named(FILE *f, struct str name, const json_t *v)
{
	if (is_time(name, v)) {
		put_time(f, v);
	} else {
		put_value(f, v);
	}
}

static void put_list(FILE *f, const json_t *v)
{
	const json_t *e;
	size_t i;

	json_array_foreach(v, i, e)
	{
		(void)fputs(i ? ", " : "", f);
		put_value(f, e);
	}
	(void)fputs(i ? "" : "-", f);
}

static void put_members(FILE *f, const json_t *v)
{
	const char *key, *sep = "";
	json_t *e;

	json_object_foreach((json_t *)(uintptr_t)v, key, e)
	{
		(void)fprintf(f, "%s%s=", sep, key);
		put_named(f, str_from(key), e);
		sep = " ";
	}
}

static void put_real(FILE *f, double v)
{
	char text[64];
	size_t n;

	(void)snprintf(text, sizeof(text), "%.3f", v);
	n = strlen(text);
	while (n > 1 && text[n - 1] == '0') {
		text[--n] = '\0';
	}
	if (n > 1 && text[n - 1] == '.') {
		text[--n] = '\0';
	}
	(void)fputs(text, f);
}

static void put_value(FILE *f, const json_t *v)
{
	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING: (void)fputs(json_string_length(v) ? json_string_value(v) : "-", f); break;
	case JSON_INTEGER: (void)fprintf(f, "%lld", (long long)json_integer_value(v)); break;
	case JSON_REAL: put_real(f, json_real_value(v)); break;
	case JSON_TRUE: (void)fputs("yes", f); break;
	case JSON_FALSE: (void)fputs("no", f); break;
	case JSON_ARRAY: put_list(f, v); break;
	case JSON_OBJECT: put_members(f, v); break;
	default: (void)fputs("-", f);
	}
}

/* Heap. */
static char *value_text(struct str name, const json_t *v, const json_t *behind)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	if (!f) {
		return NULL;
	}
	put_named(f, name, v);
	if (json_string_length(behind) > 0) {
		(void)fprintf(f, "{%s}", json_string_value(behind));
	}
	if (fclose(f)) {
		free(text);
		return NULL;
	}
	print_tame(text);
	return text;
}

/* --- tables -------------------------------------------------------------------------------------
 */

struct column {
	struct str name, behind; /* `behind` in the braces, or empty */
	size_t width;
};

struct table {
	struct column v[COLUMNS_MAX];
	size_t n;
	char **cells; /* row by row */
	size_t rows_n;
};

static void columns_from_text(struct table *t, const char *columns)
{
	struct str rest = str_from(columns), word, tail;

	while (rest.n > 0 && t->n < COLUMNS_MAX) {
		struct column *c = &t->v[t->n++];

		(void)str_cut(rest, ' ', &word, &rest);
		(void)str_cut(word, '{', &c->name, &tail);
		(void)str_cut(tail, '}', &c->behind, &tail);
	}
}

static void columns_from_row(struct table *t, const json_t *row)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)row, key, v)
	{
		if (t->n < COLUMNS_MAX) {
			t->v[t->n++].name = str_from(key);
		}
	}
}

static const json_t *get(const json_t *row, struct str name)
{
	return name.n ? json_object_getn(row, name.p, name.n) : NULL;
}

static bool fill(struct table *t, const json_t *rows)
{
	const json_t *row;
	size_t i;

	t->cells = calloc(t->rows_n * t->n + 1, sizeof(*t->cells));
	if (!t->cells) {
		return false;
	}
	json_array_foreach(rows, i, row)
	{
		for (size_t k = 0; k < t->n; k++) {
			struct column *c = &t->v[k];
			char *text = value_text(c->name, get(row, c->name), get(row, c->behind));
			size_t w;

			if (!text) {
				return false;
			}
			t->cells[i * t->n + k] = text;
			w = width_of(text);
			c->width = w > c->width ? w : c->width;
		}
	}
	return true;
}

static void put_cell(FILE *out, const struct table *t, size_t k, const char *text)
{
	int pad = k + 1 < t->n ? (int)(t->v[k].width - width_of(text)) + GAP : 0;

	(void)fprintf(out, "%s%*s", text, pad, "");
}

static void put_heading(FILE *out, struct table *t)
{
	char name[64];

	for (size_t k = 0; k < t->n; k++) {
		struct column *c = &t->v[k];
		size_t n = c->name.n < sizeof(name) ? c->name.n : sizeof(name) - 1;

		for (size_t i = 0; i < n; i++) {
			char ch = c->name.p[i];

			name[i] = (char)(ch >= 'a' && ch <= 'z' ? ch - 32 : ch == '_' ? '-' : ch);
		}
		name[n] = '\0';
		c->width = n > c->width ? n : c->width;
		put_cell(out, t, k, name);
	}
	(void)fputc('\n', out);
}

static void print_table(FILE *out, const json_t *rows, const char *columns)
{
	struct table t = { .rows_n = json_array_size(rows) };

	if (t.rows_n == 0) {
		return;
	}
	if (columns) {
		columns_from_text(&t, columns);
	} else {
		columns_from_row(&t, json_array_get(rows, 0));
	}
	if (fill(&t, rows)) {
		put_heading(out, &t);
		for (size_t i = 0; i < t.rows_n * t.n; i++) {
			put_cell(out, &t, i % t.n, t.cells[i]);
			if (i % t.n == t.n - 1) {
				(void)fputc('\n', out);
			}
		}
	}
	for (size_t i = 0; t.cells && i < t.rows_n * t.n; i++) {
		free(t.cells[i]);
	}
	free(t.cells);
}

/* --- results ------------------------------------------------------------------------------------
 */

static bool is_rows(const json_t *v)
{
	return json_is_array(v) &&
	       (json_array_size(v) == 0 || json_is_object(json_array_get(v, 0)));
}

/* All but the member called @but (empty: none) and, beside it, other tables. */
static void print_members(FILE *out, const json_t *result, struct str but)
{
	size_t widest = 0;
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)result, key, v)
	{
		if (!str_eq(str_from(key), but) && !(but.n > 0 && is_rows(v))) {
			widest = strlen(key) > widest ? strlen(key) : widest;
		}
	}
	json_object_foreach((json_t *)(uintptr_t)result, key, v)
	{
		bool is_left_out = str_eq(str_from(key), but) || (but.n > 0 && is_rows(v));
		char *text = is_left_out ? NULL : value_text(str_from(key), v, NULL);

		if (text) {
			(void)fprintf(out, "%s:%*s%s\n", key, (int)(widest - strlen(key)) + 1, "",
			              text);
		}
		free(text);
	}
}

static bool has_members(const json_t *obj)
{
	const char *key;
	json_t *v;

	json_object_foreach((json_t *)(uintptr_t)obj, key, v)
	{
		if (!is_rows(v)) {
			return true;
		}
	}
	return false;
}

/* Members, below them other tables, then that of the one called @inner. */
static void print_block(FILE *out, const json_t *obj, struct str inner, const char *columns)
{
	const char *key;
	json_t *v;

	if (has_members(obj)) {
		print_members(out, obj, inner);
		(void)fputc('\n', out);
	}
	json_object_foreach((json_t *)(uintptr_t)obj, key, v)
	{
		if (is_rows(v) && json_array_size(v) > 0 && !str_eq(str_from(key), inner)) {
			print_table(out, v, NULL);
			(void)fputc('\n', out);
		}
	}
	print_table(out, get(obj, inner), columns);
}

static void print_blocks(FILE *out, const json_t *rows, struct str inner, const char *columns)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		(void)fputs(i ? "\n" : "", out);
		print_block(out, row, inner, columns);
	}
}

void print_result(FILE *out, const json_t *result, const char *columns)
{
	struct str inner = STR_NONE, rest;
	const json_t *only = NULL;

	if (columns && str_cut(str_from(columns), '/', &inner, &rest)) {
		columns = rest.p;
	} else {
		inner = STR_NONE;
	}
	if (json_object_size(result) == 1) {
		only = json_object_iter_value(json_object_iter((json_t *)(uintptr_t)result));
	}
	if (inner.n > 0 && get(result, inner)) {
		print_block(out, result, inner, columns);
	} else if (!only || !is_rows(only)) {
		print_members(out, result, STR_NONE);
	} else if (inner.n > 0 && get(json_array_get(only, 0), inner)) {
		print_blocks(out, only, inner, columns);
	} else {
		print_table(out, only, inner.n > 0 ? NULL : columns);
	}
}
