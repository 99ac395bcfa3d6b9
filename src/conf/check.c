/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/check.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "util/err.h"
#include "util/near.h"

#define PATH_LEN 256

static const char *type_name(const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_GROUP: return "a group";
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64: return "a whole number";
	case CONFIG_TYPE_FLOAT: return "a number with a fraction";
	case CONFIG_TYPE_STRING: return "a string";
	case CONFIG_TYPE_BOOL: return "true or false";
	default: return "a list";
	}
}

static const char *type_wanted(enum belfry_set_type type)
{
	switch (type) {
	case BELFRY_T_BOOL: return "true or false (without quotes)";
	case BELFRY_T_INT: return "a whole number (without quotes)";
	case BELFRY_T_NUM: return "a number (without quotes)";
	case BELFRY_T_STR:
	case BELFRY_T_ENUM: return "a string in quotes";
	case BELFRY_T_STRS:
	case BELFRY_T_ENUMS: return "a list of strings, as in ( \"a\", \"b\" )";
	case BELFRY_T_INTS: return "a list of whole numbers, as in ( 1, 2 )";
	case BELFRY_T_GROUPS: return "a list of groups, as in ( { ... }, { ... } )";
	default: return "a group, as in { ... }";
	}
}

/* --- places and messages -----------------------------------------------------------------------
 */

static const char *option_of(const config_setting_t *s)
{
	return s ? config_setting_get_hook(s) : NULL;
}

/* "FILE:LINE" or "-D OPTION". */
static char *place(struct conf_loader *ld, const config_setting_t *at)
{
	const char *option = option_of(at), *file;
	unsigned line = 1;
	struct str s;

	if (option) {
		s = arena_printf(ld->arena, "-D %s", option);
	} else {
		file = conf_source_where(ld->source, at ? at->line : 1, &line);
		s = arena_printf(ld->arena, "%s:%u", file, line ? line : 1);
	}
	return (char *)(uintptr_t)s.p;
}

int conf_nomem(struct conf_loader *ld)
{
	if (!ld->err) {
		ld->err = -ENOMEM;
	}
	return ld->err;
}

static int fail_v(struct conf_loader *ld, const config_setting_t *at, const char *path,
                  const char *fmt, va_list ap)
{
	const char *where;
	struct str what, all;

	if (ld->err) {
		return ld->err;
	}
	where = place(ld, at);
	what = arena_vprintf(ld->arena, fmt, ap);
	if (!where || !what.p) {
		return conf_nomem(ld);
	}
	all = arena_printf(ld->arena, "%s: %s%s%.*s", where, path, *path ? ": " : "",
	                   STR_FMT(what));
	ld->error = all.p ? str_dup(all) : NULL;
	if (!ld->error) {
		return conf_nomem(ld);
	}
	return ld->err = BELFRY_ECONF;
}

int conf_fail(struct conf_loader *ld, const config_setting_t *at, const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = fail_v(ld, at, "", fmt, ap);
	va_end(ap);
	return err;
}

/* The setting, or the nearest thing around it that exists. */
static const config_setting_t *find_near(struct conf_loader *ld, const char *path)
{
	char part[PATH_LEN];
	const config_setting_t *s = NULL;
	char *dot;

	(void)snprintf(part, sizeof(part), "%s", path);
	while (!s && *part) {
		s = conf_tree_find(ld->tree, part);
		dot = strrchr(part, '.');
		*(dot ? dot : part) = '\0';
	}
	return s;
}

int conf_fail_path(struct conf_loader *ld, const char *path, const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = fail_v(ld, find_near(ld, path), path, fmt, ap);
	va_end(ap);
	return err;
}

int conf_warn_path(struct conf_loader *ld, const char *path, const char *fmt, ...)
{
	struct conf *conf = ld->conf;
	const char *where = place(ld, find_near(ld, path));
	struct str what, all, *v;
	va_list ap;

	va_start(ap, fmt);
	what = arena_vprintf(ld->arena, fmt, ap);
	va_end(ap);
	v = arena_alloc(ld->arena, (conf->warnings_n + 1) * sizeof(*v));
	if (!where || !what.p || !v) {
		return conf_nomem(ld);
	}
	all = arena_printf(ld->arena, "%s: %s: %.*s", where, path, STR_FMT(what));
	if (!all.p) {
		return conf_nomem(ld);
	}
	if (conf->warnings_n) {
		memcpy(v, conf->warnings, conf->warnings_n * sizeof(*v));
	}
	v[conf->warnings_n++] = all;
	conf->warnings = v;
	return 0;
}

config_setting_t *conf_tree_find(config_t *tree, const char *path)
{
	config_setting_t *s = config_root_setting(tree);
	struct str rest = str_from(path), head;
	char name[PATH_LEN];
	uint64_t index;

	while (s && rest.n > 0) {
		(void)str_cut(rest, '.', &head, &rest);
		if (head.n >= sizeof(name)) {
			return NULL;
		}
		memcpy(name, head.p, head.n);
		name[head.n] = '\0';
		if (config_setting_is_group(s)) {
			s = config_setting_get_member(s, name);
		} else if (config_setting_is_aggregate(s) && !str_to_u64(head, INT_MAX, &index)) {
			s = config_setting_get_elem(s, (unsigned)index);
		} else {
			s = NULL;
		}
	}
	return s;
}

int conf_path_line(const struct conf_loader *ld, const char *path)
{
	const config_setting_t *s = conf_tree_find(ld->tree, path);
	unsigned line;

	if (!s || option_of(s) || s->line == 0) {
		return 0;
	}
	(void)conf_source_where(ld->source, s->line, &line);
	return (int)line;
}

const char *conf_hint(struct conf_loader *ld, struct str best)
{
	struct str s;

	if (best.n == 0) {
		return "";
	}
	s = arena_printf(ld->arena, "; did you mean \"%.*s\"?", STR_FMT(best));
	return s.p ? s.p : "";
}

/* --- words -------------------------------------------------------------------------------------
 */

/* `"a", "b" or "c"` of "a|b|c". */
static const char *words_text(struct conf_loader *ld, const char *words)
{
	struct str rest = str_from(words), head, out = STR("");
	bool more = true;

	while (more) {
		const char *sep = "";

		more = str_cut(rest, '|', &head, &rest);
		if (out.n) {
			sep = more ? ", " : " or ";
		}
		out = arena_printf(ld->arena, "%.*s%s\"%.*s\"", STR_FMT(out), sep, STR_FMT(head));
		if (!out.p) {
			return "";
		}
	}
	return out.p;
}

static int find_word(const char *words, struct str word)
{
	struct str rest = str_from(words), head;
	bool more = true;

	for (int i = 0; more; i++) {
		more = str_cut(rest, '|', &head, &rest);
		if (str_eq(head, word)) {
			return i;
		}
	}
	return -1;
}

static struct str nearest_word(const char *words, struct str word)
{
	struct str rest = str_from(words), head;
	struct near near;
	bool more = true;

	near_init(&near, word);
	while (more) {
		more = str_cut(rest, '|', &head, &rest);
		near_try(&near, head);
	}
	return near.best;
}

static int fail_word(struct conf_loader *ld, const config_setting_t *s, const char *path,
                     const char *words, struct str word)
{
	struct str near = nearest_word(words, word);

	return conf_fail(ld, s, "%s: unknown word \"%.*s\"; use %s%s%.*s%s", path, STR_FMT(word),
	                 words_text(ld, words), near.n ? "; did you mean \"" : "", STR_FMT(near),
	                 near.n ? "\"?" : "");
}

/* --- numbers -----------------------------------------------------------------------------------
 */

static bool has_range(const struct belfry_setting *def)
{
	return def->min != 0 || def->max != 0;
}

static int check_range(struct conf_loader *ld, const struct belfry_setting *def,
                       const config_setting_t *s, const char *path, double v, const char *as_text)
{
	if (isnan(v) || (has_range(def) && (v < def->min || v > def->max))) {
		return conf_fail(ld, s, "%s: %s is out of range; %.15g to %.15g are allowed", path,
		                 as_text, def->min, def->max);
	}
	return 0;
}

static int set_int(struct conf_loader *ld, const struct belfry_setting *def,
                   const config_setting_t *s, const char *path, long long v, int *out)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld", v);
	if (!has_range(def) && (v < INT_MIN || v > INT_MAX)) {
		return conf_fail(ld, s, "%s: %s is out of range; %d to %d are allowed", path, text,
		                 INT_MIN, INT_MAX);
	}
	*out = (int)v;
	return check_range(ld, def, s, path, (double)v, text);
}

static int set_num(struct conf_loader *ld, const struct belfry_setting *def,
                   const config_setting_t *s, const char *path, double v, double *out)
{
	char text[48];

	(void)snprintf(text, sizeof(text), "%.15g", v);
	*out = v;
	return check_range(ld, def, s, path, v, text);
}

/* --- from text: defaults and -D ----------------------------------------------------------------
 */

static int wrong_text(struct conf_loader *ld, const struct belfry_setting *def,
                      const config_setting_t *s, const char *path, const char *text)
{
	return conf_fail(ld, s, "%s: \"%s\" is wrong; %s is wanted", path, text,
	                 type_wanted(def->type));
}

/* Length of a list as text: "" is none, "a,b" two. */
static size_t count_text(const char *text)
{
	size_t n = *text != '\0';

	for (; *text; text++) {
		n += *text == ',';
	}
	return n;
}

static int list_from_text(struct conf_loader *ld, const struct belfry_setting *def,
                          const config_setting_t *s, const char *path, const char *text, void *at)
{
	struct str_list list = { NULL, count_text(text) };
	struct str rest = arena_str(ld->arena, str_from(text)), head;

	if (list.n > 0) {
		list.v = arena_alloc(ld->arena, list.n * sizeof(*list.v));
	}
	if (!rest.p || (list.n > 0 && !list.v)) {
		return conf_nomem(ld);
	}
	for (size_t i = 0; i < list.n; i++) {
		(void)str_cut(rest, ',', &head, &rest);
		list.v[i] = arena_str(ld->arena, str_trim(head));
		if (!list.v[i].p) {
			return conf_nomem(ld);
		}
		if (list.v[i].n == 0) {
			return conf_fail(ld, s, "%s: an entry is empty", path);
		}
		if (def->type == BELFRY_T_ENUMS && find_word(def->words, list.v[i]) < 0) {
			return fail_word(ld, s, path, def->words, list.v[i]);
		}
	}
	memcpy(at, &list, sizeof(list));
	return 0;
}

static int int_from_text(struct conf_loader *ld, const struct belfry_setting *def,
                         const config_setting_t *s, const char *path, const char *text, int *out)
{
	long long v;
	char *end;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (end == text || *end || errno) {
		return wrong_text(ld, def, s, path, text);
	}
	return s ? set_int(ld, def, s, path, v, out) : (*out = (int)v, 0);
}

static int ints_from_text(struct conf_loader *ld, const struct belfry_setting *def,
                          const config_setting_t *s, const char *path, const char *text, void *at)
{
	struct str_list parts;
	struct belfry_ints list;
	int err = list_from_text(ld, def, s, path, text, &parts);

	list = (struct belfry_ints){ NULL, err ? 0 : parts.n };
	if (!err && list.n > 0) {
		list.v = arena_alloc(ld->arena, list.n * sizeof(*list.v));
		err = list.v ? 0 : conf_nomem(ld);
	}
	for (size_t i = 0; !err && i < list.n; i++) {
		err = int_from_text(ld, def, s, path, parts.v[i].p, &list.v[i]);
	}
	memcpy(at, &list, sizeof(list));
	return err;
}

static int num_from_text(struct conf_loader *ld, const struct belfry_setting *def,
                         const config_setting_t *s, const char *path, const char *text, double *out)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end || !isfinite(v)) {
		return wrong_text(ld, def, s, path, text);
	}
	return s ? set_num(ld, def, s, path, v, out) : (*out = v, 0);
}

/* @s is NULL for a default, which is taken without a check of its range. */
static int value_from_text(struct conf_loader *ld, const struct belfry_setting *def,
                           const config_setting_t *s, const char *path, const char *text, void *at)
{
	struct str copy;
	int word;

	switch (def->type) {
	case BELFRY_T_BOOL:
		*(bool *)at = strcmp(text, "true") == 0;
		return *(bool *)at || strcmp(text, "false") == 0
		               ? 0
		               : wrong_text(ld, def, s, path, text);
	case BELFRY_T_INT: return int_from_text(ld, def, s, path, text, at);
	case BELFRY_T_NUM: return num_from_text(ld, def, s, path, text, at);
	case BELFRY_T_ENUM:
		word = find_word(def->words, str_from(text));
		*(int *)at = word;
		return word >= 0 ? 0 : fail_word(ld, s, path, def->words, str_from(text));
	case BELFRY_T_STR:
		copy = arena_str(ld->arena, str_from(text));
		*(struct str *)at = copy;
		return copy.p ? 0 : conf_nomem(ld);
	case BELFRY_T_STRS:
	case BELFRY_T_ENUMS: return list_from_text(ld, def, s, path, text, at);
	case BELFRY_T_INTS: return ints_from_text(ld, def, s, path, text, at);
	default: return conf_fail(ld, s, "%s: name a setting inside it, as in %s.NAME", path, path);
	}
}

/* --- from the tree -----------------------------------------------------------------------------
 */

static int wrong_type(struct conf_loader *ld, const struct belfry_setting *def,
                      const config_setting_t *s, const char *path)
{
	return conf_fail(ld, s, "%s: %s is wanted, not %s", path, type_wanted(def->type),
	                 type_name(s));
}

static int check_count(struct conf_loader *ld, const struct belfry_setting *def,
                       const config_setting_t *s, const char *path, size_t n)
{
	if (def->max > 0 && ((double)n < def->min || (double)n > def->max)) {
		return conf_fail(ld, s, "%s: %zu entries; %.0f to %.0f are allowed", path, n,
		                 def->min, def->max);
	}
	return 0;
}

static int check_twice(struct conf_loader *ld, const config_setting_t *s, const char *path,
                       const struct str_list *list, size_t i)
{
	for (size_t j = 0; j < i; j++) {
		if (str_eq(list->v[i], list->v[j])) {
			return conf_fail(ld, s, "%s: \"%.*s\" is listed twice", path,
			                 STR_FMT(list->v[i]));
		}
	}
	return 0;
}

static int read_string(struct conf_loader *ld, const config_setting_t *s, struct str *out)
{
	*out = arena_str(ld->arena, str_from(config_setting_get_string(s)));
	return out->p ? 0 : conf_nomem(ld);
}

static bool is_list(const config_setting_t *s)
{
	return config_setting_is_list(s) || config_setting_is_array(s);
}

static int read_strings(struct conf_loader *ld, const struct belfry_setting *def,
                        const config_setting_t *s, const char *path, void *at)
{
	size_t n = (size_t)config_setting_length(s);
	struct str_list list = { arena_zalloc(ld->arena, (n + 1) * sizeof(*list.v)), n };
	int err = list.v ? check_count(ld, def, s, path, n) : conf_nomem(ld);

	for (size_t i = 0; !err && i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);

		if (config_setting_type(e) != CONFIG_TYPE_STRING) {
			return wrong_type(ld, def, e, path);
		}
		err = read_string(ld, e, &list.v[i]);
		if (!err && def->type == BELFRY_T_ENUMS && find_word(def->words, list.v[i]) < 0) {
			err = fail_word(ld, e, path, def->words, list.v[i]);
		}
		err = err ? err : check_twice(ld, e, path, &list, i);
	}
	memcpy(at, &list, sizeof(list));
	return err;
}

static bool is_whole(const config_setting_t *s)
{
	return config_setting_type(s) == CONFIG_TYPE_INT ||
	       config_setting_type(s) == CONFIG_TYPE_INT64;
}

static int read_ints(struct conf_loader *ld, const struct belfry_setting *def,
                     const config_setting_t *s, const char *path, void *at)
{
	size_t n = (size_t)config_setting_length(s);
	struct belfry_ints list = { arena_zalloc(ld->arena, (n + 1) * sizeof(int)), n };
	int err = list.v ? 0 : conf_nomem(ld);

	for (size_t i = 0; !err && i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);

		err = is_whole(e)
		              ? set_int(ld, def, e, path, config_setting_get_int64(e), &list.v[i])
		              : wrong_type(ld, def, e, path);
	}
	memcpy(at, &list, sizeof(list));
	return err;
}

static int read_groups(struct conf_loader *ld, const struct belfry_setting *def,
                       const config_setting_t *s, const char *path, void *at)
{
	size_t n = (size_t)config_setting_length(s);
	struct belfry_groups list = { arena_zalloc(ld->arena, (n + 1) * def->group_size), n };
	int err = list.v ? check_count(ld, def, s, path, n) : conf_nomem(ld);
	char inner[PATH_LEN];

	for (size_t i = 0; !err && i < n; i++) {
		const config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
		char *base = (char *)list.v + i * def->group_size;

		if (!config_setting_is_group(e)) {
			return wrong_type(ld, def, e, path);
		}
		if (def->type == BELFRY_T_MAP) {
			struct str *name = (struct str *)(void *)base;

			*name = arena_str(ld->arena, str_from(config_setting_name(e)));
			err = name->p ? 0 : conf_nomem(ld);
			(void)snprintf(inner, sizeof(inner), "%s.%s", path, config_setting_name(e));
		} else {
			(void)snprintf(inner, sizeof(inner), "%s.%zu", path, i);
		}
		err = err ? err : conf_read_group(ld, def->group, e, inner, false, base);
	}
	memcpy(at, &list, sizeof(list));
	return err;
}

static int read_scalar(struct conf_loader *ld, const struct belfry_setting *def,
                       const config_setting_t *s, const char *path, void *at)
{
	int type = config_setting_type(s);

	switch (def->type) {
	case BELFRY_T_BOOL:
		if (type == CONFIG_TYPE_BOOL) {
			*(bool *)at = config_setting_get_bool(s);
			return 0;
		}
		break;
	case BELFRY_T_INT:
		if (is_whole(s)) {
			return set_int(ld, def, s, path, config_setting_get_int64(s), at);
		}
		break;
	case BELFRY_T_NUM:
		if (type == CONFIG_TYPE_FLOAT || is_whole(s)) {
			double v = type == CONFIG_TYPE_FLOAT ? config_setting_get_float(s)
			                                     : (double)config_setting_get_int64(s);

			return set_num(ld, def, s, path, v, at);
		}
		break;
	case BELFRY_T_ENUM:
		if (type == CONFIG_TYPE_STRING) {
			return value_from_text(ld, def, s, path, config_setting_get_string(s), at);
		}
		break;
	default:
		if (type == CONFIG_TYPE_STRING) {
			return read_string(ld, s, at);
		}
	}
	return wrong_type(ld, def, s, path);
}

static int read_setting(struct conf_loader *ld, const struct belfry_setting *def,
                        const config_setting_t *s, const char *path, char *base)
{
	void *at = base + def->offset;

	if (option_of(s) && config_setting_type(s) == CONFIG_TYPE_STRING) {
		return value_from_text(ld, def, s, path, config_setting_get_string(s), at);
	}
	switch (def->type) {
	case BELFRY_T_STRS:
	case BELFRY_T_ENUMS:
		return is_list(s) ? read_strings(ld, def, s, path, at)
		                  : wrong_type(ld, def, s, path);
	case BELFRY_T_INTS:
		return is_list(s) ? read_ints(ld, def, s, path, at) : wrong_type(ld, def, s, path);
	case BELFRY_T_GROUPS:
		return is_list(s) ? read_groups(ld, def, s, path, at)
		                  : wrong_type(ld, def, s, path);
	case BELFRY_T_MAP:
		return config_setting_is_group(s) ? read_groups(ld, def, s, path, at)
		                                  : wrong_type(ld, def, s, path);
	case BELFRY_T_GROUP:
		return config_setting_is_group(s)
		               ? conf_read_group(ld, def->group, s, path, false, at)
		               : wrong_type(ld, def, s, path);
	default: return read_scalar(ld, def, s, path, at);
	}
}

static int set_default(struct conf_loader *ld, const struct belfry_setting *def, const char *path,
                       char *base)
{
	static const struct belfry_groups none;

	switch (def->type) {
	case BELFRY_T_GROUP:
		return conf_read_group(ld, def->group, NULL, path, false, base + def->offset);
	case BELFRY_T_GROUPS:
	case BELFRY_T_MAP: memcpy(base + def->offset, &none, sizeof(none)); return 0;
	default:
		return value_from_text(ld, def, NULL, path, def->dflt ? def->dflt : "",
		                       base + def->offset);
	}
}

static void join(char *out, const char *path, const char *name)
{
	(void)snprintf(out, PATH_LEN, "%s%s%s", path, *path ? "." : "", name);
}

static int check_names(struct conf_loader *ld, const struct belfry_setting *table,
                       const config_setting_t *group, const char *path)
{
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		const struct belfry_setting *def = table;
		struct near near;

		near_init(&near, str_from(config_setting_name(s)));
		for (; def->type != BELFRY_T_END; def++) {
			if (strcmp(def->name, config_setting_name(s)) == 0) {
				break;
			}
			near_try(&near, str_from(def->name));
		}
		if (def->type == BELFRY_T_END) {
			return conf_fail(ld, s, "%s: unknown setting \"%s\"%s", path,
			                 config_setting_name(s), conf_hint(ld, near.best));
		}
	}
	return 0;
}

int conf_read_group(struct conf_loader *ld, const struct belfry_setting *table,
                    const config_setting_t *group, const char *path, bool skip_unknown, void *base)
{
	char inner[PATH_LEN];
	int err = 0;

	if (group && !skip_unknown) {
		err = check_names(ld, table, group, path);
	}
	for (const struct belfry_setting *def = table; !err && def->type != BELFRY_T_END; def++) {
		const config_setting_t *s =
			group ? config_setting_get_member(group, def->name) : NULL;

		join(inner, path, def->name);
		if (s) {
			err = read_setting(ld, def, s, inner, base);
		} else if (def->mandatory) {
			err = conf_fail(ld, group && !config_setting_is_root(group) ? group : NULL,
			                "%s is missing; %s", inner, def->help);
		} else {
			err = set_default(ld, def, inner, base);
		}
	}
	return err;
}
