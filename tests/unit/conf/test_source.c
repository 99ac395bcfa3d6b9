/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/source.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "support.h"

static char dir[] = "/tmp/belfry-conf-XXXXXX";

static void setup(void)
{
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static const char *path(const char *name)
{
	static char out[128];

	(void)snprintf(out, sizeof(out), "%s/%s", dir, name);
	return out;
}

static void put(const char *name, const char *text)
{
	FILE *f = fopen(path(name), "w");

	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

static void teardown(void)
{
	static const char *const names[] = { "a.conf", "b.conf", "c.conf" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		(void)unlink(path(names[i]));
	}
	(void)rmdir(dir);
}

static void file_refused(const char *want)
{
	struct conf *conf;
	char *error = NULL;

	ck_assert_int_eq(conf_load(path("a.conf"), NULL, 0, NULL, NULL, &conf, &error),
	                 BELFRY_ECONF);
	ck_assert_ptr_nonnull(error);
	ck_assert_msg(strstr(error, want) != NULL, "\"%s\" lacks \"%s\"", error, want);
	free(error);
}

START_TEST(lines_keep_their_file_and_number)
{
	struct conf_source src;
	unsigned line;

	setup();
	put("a.conf", "one\n@include \"b.conf\" # comment\nthree\n");
	put("b.conf", "b1\nb2\n\n@include \"c.conf\"\nb5");
	put("c.conf", "c1\n");
	ck_assert_int_eq(conf_source_file(&src, path("a.conf")), 0);
	ck_assert_str_eq(src.text, "one\nb1\nb2\n\nc1\nb5\nthree\n");
	ck_assert_str_eq(conf_source_where(&src, 1, &line), path("a.conf"));
	ck_assert_uint_eq(line, 1);
	ck_assert_str_eq(conf_source_where(&src, 3, &line), path("b.conf"));
	ck_assert_uint_eq(line, 2);
	ck_assert_str_eq(conf_source_where(&src, 5, &line), path("c.conf"));
	ck_assert_uint_eq(line, 1);
	ck_assert_str_eq(conf_source_where(&src, 6, &line), path("b.conf"));
	ck_assert_uint_eq(line, 5);
	ck_assert_str_eq(conf_source_where(&src, 7, &line), path("a.conf"));
	ck_assert_uint_eq(line, 3);
	conf_source_fini(&src);
	teardown();
}
END_TEST

START_TEST(errors_in_an_included_file_name_it)
{
	setup();
	put("a.conf", "domains = ( \"a.com\" );\n@include \"b.conf\"\nproxy: { fork = \"x\"; };\n");
	put("b.conf", "\nserver: { workrs = 1; };\n");
	file_refused("b.conf:2: server: unknown setting \"workrs\"");
	put("b.conf", "\nserver: { workers = 1; };\n");
	file_refused("a.conf:3: proxy.fork: unknown word");
	put("b.conf", "\n\nserver: { workers = ; };\n");
	file_refused("b.conf:3: syntax error");
	teardown();
}
END_TEST

START_TEST(includes_that_cannot_be_are_refused)
{
	setup();
	put("a.conf", "\n@include \"b.conf\"\n");
	file_refused("a.conf:2: cannot include \"b.conf\": No such file");
	put("a.conf", "@include b.conf\n");
	file_refused("a.conf:1: @include wants a file name in quotes");
	put("a.conf", "@include \"b.conf\" x = 1;\n");
	file_refused("a.conf:1: @include must have its line for itself");
	put("a.conf", "@include \"a.conf\"\n");
	file_refused("does one include itself?");
	put("a.conf", "@include \"b.conf\"\n");
	put("b.conf", "name = \"open\n");
	file_refused("b.conf:1: the file ends inside a string");
	put("b.conf", "/* open\n\n");
	file_refused("b.conf:2: the file ends inside a comment");
	teardown();
}
END_TEST

START_TEST(include_in_a_string_or_comment_is_text)
{
	struct conf_source src;
	const char *text =
		"/* \n@include \"x\"\n*/ a = \" \\\" \n@include \";\n# \"\n// /*\n# @include\n";

	ck_assert_int_eq(conf_source_text(&src, str_from(text), "t"), 0);
	ck_assert_str_eq(src.text, text);
	conf_source_fini(&src);
}
END_TEST

START_TEST(nul_bytes_are_refused)
{
	struct conf_source src;

	ck_assert_int_eq(conf_source_text(&src, STR("a = 1;\n\0b"), "t"), BELFRY_ECONF);
	ck_assert_str_eq(src.error, "t:2: a NUL byte; this is no text file");
	conf_source_fini(&src);
}
END_TEST

START_TEST(file_that_is_not_there_is_an_error_of_the_system)
{
	struct conf *conf;
	char *error = NULL;

	ck_assert_int_eq(conf_load("/nonexistent/x.conf", NULL, 0, NULL, NULL, &conf, &error),
	                 -ENOENT);
	ck_assert_ptr_null(conf);
	ck_assert_ptr_nonnull(strstr(error, "/nonexistent/x.conf: No such file"));
	free(error);
	ck_assert_int_eq(conf_load("/", NULL, 0, NULL, NULL, &conf, NULL), -EISDIR);
}
END_TEST

static int scenario(void *arg)
{
	struct conf *conf = NULL;
	char *error = NULL;
	int err = conf_load(arg, NULL, 0, NULL, NULL, &conf, &error);

	free(error);
	conf_unref(&conf);
	return err;
}

START_TEST(reading_survives_failing_allocations)
{
	setup();
	put("a.conf", "domains = ( \"a.com\" );\n@include \"b.conf\"\nproxy: { fork = \"q\"; };\n");
	put("b.conf", "\nserver: { workers = 1; };\n");
	oom_each(scenario, (void *)(uintptr_t)path("a.conf"));
	teardown();
}
END_TEST

UNIT_MAIN("conf/source", lines_keep_their_file_and_number, errors_in_an_included_file_name_it,
          includes_that_cannot_be_are_refused, include_in_a_string_or_comment_is_text,
          nul_bytes_are_refused, file_that_is_not_there_is_an_error_of_the_system,
          reading_survives_failing_allocations)
