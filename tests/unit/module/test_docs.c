/* SPDX-License-Identifier: Apache-2.0 */
/* The documents against the tables: each setting of the core and of its modules, with its default,
 * range, words and help. */
#include "belfry/module.h"

#include <stdio.h>

#include "conf/schema.h"
#include "support/unit.h"

extern const struct belfry_module belfry_module_auth, belfry_module_registrar;

static char *slurp(const char *name)
{
	const char *srcdir = getenv("top_srcdir");
	char path[1024];
	char *text = NULL;
	size_t n = 0;
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", srcdir ? srcdir : ".", name);
	f = fopen(path, "r");
	ck_assert_msg(f != NULL, "%s", path);
	ck_assert_int_ge(getdelim(&text, &n, '\0', f), 0);
	(void)fclose(f);
	return text;
}

/* What stands between the heading @from and the next @to. */
static struct str part(const char *text, const char *from, const char *to)
{
	const char *start = strstr(text, from), *end;

	ck_assert_msg(start != NULL, "no %s", from);
	start += strlen(from);
	end = strstr(start, to);
	return str_make(start, end ? (size_t)(end - start) : strlen(start));
}

static bool has(struct str text, const char *what)
{
	return memmem(text.p, text.n, what, strlen(what)) != NULL;
}

static bool is_list(const struct belfry_setting *s)
{
	return s->type == BELFRY_T_STRS || s->type == BELFRY_T_ENUMS || s->type == BELFRY_T_INTS;
}

/* As the documents write it; empty: not to be looked for. */
static void default_text(const struct belfry_setting *s, char *out, size_t cap)
{
	const char *d = s->dflt ? s->dflt : "";

	out[0] = '\0';
	if (s->type == BELFRY_T_STR || s->type == BELFRY_T_ENUM) {
		if (*d != '/') { /* paths depend on how it was built */
			(void)snprintf(out, cap, "`\"%s\"`", d);
		}
	} else if (!is_list(s) && strcmp(d, "-1") != 0) {
		(void)snprintf(out, cap, "`%s`", d);
	}
}

/* The range as the documents write it; empty: it has none. */
static void range_text(const struct belfry_setting *s, char *out, size_t cap)
{
	out[0] = '\0';
	if (s->max > s->min && !is_list(s)) {
		(void)snprintf(out, cap, "%.15g to %.15g", s->min, s->max);
	}
}

static void check_markdown(const struct belfry_setting *s, const char *path, struct str section)
{
	char text[256];
	struct str row;
	const char *at;

	(void)snprintf(text, sizeof(text), "| `%s` | ", path);
	at = memmem(section.p, section.n, text, strlen(text));
	ck_assert_msg(at != NULL, "configuration.md lacks %s", path);
	row = str_make(at, strcspn(at, "\n"));
	default_text(s, text, sizeof(text));
	ck_assert_msg(has(row, text), "configuration.md: %s is not %s by default", path, text);
	range_text(s, text, sizeof(text));
	ck_assert_msg(has(row, text), "configuration.md: %s is not %s", path, text);
	ck_assert_msg(has(row, s->help), "configuration.md: %s is not told \"%s\"", path, s->help);
}

/* Paragraphs end at .TP or at a heading. */
static void check_manual(const struct belfry_setting *s, const char *path, struct str section)
{
	char text[256];
	struct str entry;
	const char *at, *end;

	(void)snprintf(text, sizeof(text), ".B %s\n", path);
	at = memmem(section.p, section.n, text, strlen(text));
	ck_assert_msg(at != NULL, "belfry.conf.5 lacks %s", path);
	end = memmem(at, (size_t)(section.p + section.n - at), "\n.TP", 4);
	entry = str_make(at, (size_t)((end ? end : section.p + section.n) - at));
	range_text(s, text, sizeof(text));
	ck_assert_msg(has(entry, text), "belfry.conf.5: %s is not %s", path, text);
	if (s->type == BELFRY_T_INT || s->type == BELFRY_T_BOOL || s->type == BELFRY_T_NUM) {
		(void)snprintf(text, sizeof(text), "default %s.", s->dflt);
		ck_assert_msg(strcmp(s->dflt, "-1") == 0 || has(entry, text),
		              "belfry.conf.5: %s is not \"%s\"", path, text);
	}
	for (const char *word = s->words; word && *word; word += strcspn(word, "|")) {
		word += *word == '|';
		(void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(word, "|"), word);
		ck_assert_msg(strcmp(text, "redis") == 0 || has(entry, text),
		              "belfry.conf.5: %s lacks %s", path, text);
	}
}

static void check_table(const struct belfry_setting *table, const char *prefix, struct str md,
                        struct str man, struct str example)
{
	char path[128], text[160];

	for (const struct belfry_setting *s = table; s->type != BELFRY_T_END; s++) {
		bool is_tls = s->help && strstr(s->help, "(tls, wss)");

		(void)snprintf(path, sizeof(path), "%s%s", prefix, s->name);
		if (s->group) {
			(void)snprintf(text, sizeof(text), "%s.", path);
			check_table(s->group, text, md, man, example);
			continue;
		}
		check_markdown(s, path, md);
		check_manual(s, path, man);
		(void)snprintf(text, sizeof(text), "%s = ", s->name);
		ck_assert_msg(is_tls || strcmp(s->name, "tls_wildcard") == 0 ||
		                      has(example, text) || strstr(prefix, "match."),
		              "etc/belfry.conf lacks %s", path);
	}
}

/* The section @name of all three documents; @table may be NULL: a setting without a group. */
static void check_section(const char *name, const struct belfry_setting *table)
{
	char *md = slurp("doc/configuration.md"), *man = slurp("man/belfry.conf.5");
	char *example = slurp("etc/belfry.conf");
	char md_head[64], man_head[64], example_head[64];
	struct str md_part, man_part;

	(void)snprintf(md_head, sizeof(md_head), "\n## %s\n", name);
	(void)snprintf(man_head, sizeof(man_head), "\n.SS %s\n", name);
	(void)snprintf(example_head, sizeof(example_head), "\n%s", name);
	md_part = part(md, md_head, "\n## ");
	man_part = part(man, man_head, "\n.S");
	ck_assert_ptr_nonnull(strstr(example, example_head));
	if (table) {
		check_table(table, "", md_part, man_part, part(example, example_head, "\n\n"));
	}
	free(md);
	free(man);
	free(example);
}

START_TEST(documents_name_every_setting_with_its_default_and_range)
{
	for (const struct belfry_setting *s = conf_core_settings(); s->type != BELFRY_T_END; s++) {
		check_section(s->name, s->group);
	}
}
END_TEST

START_TEST(documents_name_every_setting_of_the_modules)
{
	static const struct belfry_module *const modules[] = { &belfry_module_auth,
		                                               &belfry_module_registrar };

	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		check_section(modules[i]->name, modules[i]->settings);
	}
}
END_TEST

START_TEST(manual_names_what_needs_a_restart)
{
	static const char *const names[] = {
		"server.workers", "server.user",       "server.group",   "server.state_dir",
		"server.run_dir", "server.module_dir", "control.socket", "registrar.store",
	};
	char *md = slurp("doc/configuration.md"), *man = slurp("man/belfry.conf.5");

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_msg(strstr(md, names[i]) && strstr(man, names[i]), "%s", names[i]);
	}
	free(md);
	free(man);
}
END_TEST

UNIT_MAIN("module/docs", documents_name_every_setting_with_its_default_and_range,
          documents_name_every_setting_of_the_modules,
          manual_names_what_needs_a_restart)
