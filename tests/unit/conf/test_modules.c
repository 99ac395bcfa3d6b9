/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/modules.h"

#include "support.h"

struct screen_conf {
	struct str_list agents;
	int status, limit;
	bool on;
};

static const struct belfry_setting screen_settings[] = {
	BELFRY_SET_STRS(struct screen_conf, agents, "x,y", "parts of User-Agent values"),
	BELFRY_SET_INT(struct screen_conf, status, 403, 400, 699, "status code"),
	BELFRY_SET_INT(struct screen_conf, limit, 5, 0, 9, "limit"),
	BELFRY_SET_BOOL(struct screen_conf, on, true, "on"),
	BELFRY_SET_END,
};

static const char *screen_check(const void *values)
{
	const struct screen_conf *sc = values;

	if (sc->status == 499) {
		return "status 499 is taken";
	}
	return sc->limit == 9 ? "nine is too many" : NULL;
}

static const struct conf_module_info screen_info = {
	.settings = screen_settings,
	.conf_size = sizeof(struct screen_conf),
	.check = screen_check,
};
static const struct conf_module_info bare_info;

static const struct conf_module_info *find(void *arg, struct str name, struct str module_dir,
                                           const char **error_r)
{
	ck_assert_ptr_eq(arg, &bare_info);
	ck_assert_str_is(module_dir, "/m");
	if (str_eq(name, STR("screen"))) {
		return &screen_info;
	}
	if (str_eq(name, STR("bare"))) {
		return &bare_info;
	}
	*error_r = "it was looked for in /m";
	return NULL;
}

#define BASE CONF_BASE "server: { module_dir = \"/m\"; };\n"

static int try(const char *text, struct conf **conf_r, char **error_r)
{
	return conf_load_text(str_from(text), "t.conf", NULL, 0, find,
	                      (void *)(uintptr_t)&bare_info, conf_r, error_r);
}

static struct conf *good(const char *text)
{
	struct conf *conf;
	char *error;
	int err = try(text, &conf, &error);

	ck_assert_msg(err == 0, "%s", error);
	return conf;
}

static void bad(const char *text, const char *want)
{
	struct conf *conf;
	char *error;

	ck_assert_int_eq(try(text, &conf, &error), BELFRY_ECONF);
	ck_assert_msg(strstr(error, want) != NULL, "\"%s\" lacks \"%s\"", error, want);
	free(error);
}

START_TEST(module_gets_its_defaults_without_a_section)
{
	struct conf *conf = good(BASE "modules = ( \"screen\", \"bare\" );");
	const struct screen_conf *sc = conf_module_values(conf, STR("screen"));

	ck_assert_ptr_nonnull(sc);
	ck_assert_uint_eq(sc->agents.n, 2);
	ck_assert_str_is(sc->agents.v[1], "y");
	ck_assert_int_eq(sc->status, 403);
	ck_assert(sc->on);
	ck_assert_uint_eq(conf->module_n, 2);
	ck_assert(conf->module[0].enabled);
	ck_assert_ptr_null(conf_module_values(conf, STR("bare")));
	ck_assert_ptr_null(conf_module_values(conf, STR("none")));
	conf_unref(&conf);
}
END_TEST

START_TEST(module_gets_its_section)
{
	struct conf *conf = good(BASE "modules = ( \"screen\" );\n"
	                              "screen: { status = 404; on = false; agents = ( \"a\" ); };");
	const struct screen_conf *sc = conf_module_values(conf, STR("screen"));

	ck_assert_int_eq(sc->status, 404);
	ck_assert(!sc->on);
	ck_assert_uint_eq(sc->agents.n, 1);
	conf_unref(&conf);
	bad(BASE "modules = ( \"screen\" );\nscreen: { statu = 404; };",
	    "t.conf:4: screen: unknown setting \"statu\"; did you mean \"status\"?");
	bad(BASE "modules = ( \"screen\" );\nscreen: { status = 1; };", "400 to 699 are allowed");
	bad(BASE "modules = ( \"bare\" );\nbare: { x = 1; };",
	    "t.conf:4: bare: this module has no settings");
	bad(BASE "modules = ( \"screen\" );\nscreen = 5;", "screen: a group is wanted");
}
END_TEST

START_TEST(module_that_is_not_there_is_refused)
{
	bad(BASE "modules = ( \"screen\",\n \"screne\" );",
	    "modules.1: there is no module \"screne\"; it was looked for in /m");
	bad(BASE "modules = ( \"../x\" );", "\"../x\" is no name of a module");
	bad(BASE "modules = ( \"proxy\" );", "\"proxy\" is a part of the core");
}
END_TEST

START_TEST(section_of_a_module_that_is_not_loaded_is_checked_and_warned_about)
{
	struct conf *conf = good(BASE "modules = ( \"bare\" );\nscreen: { status = 404; };");

	ck_assert(warns(conf, "t.conf:4: screen: the module is not in `modules`"));
	ck_assert(!conf->module[1].enabled);
	conf_unref(&conf);
	bad(BASE "modules = ( \"bare\" );\nscreen: { status = 1; };", "400 to 699 are allowed");
	bad(BASE "modules = ( \"screen\" );\nscren: { };",
	    "unknown section \"scren\"; did you mean \"screen\"?");
}
END_TEST

START_TEST(what_a_module_says_gets_the_line_of_the_setting_it_names)
{
	bad(BASE "modules = ( \"screen\" );\nscreen: {\n\n status = 499; };",
	    "t.conf:6: screen.status: status 499 is taken");
	bad(BASE "modules = ( \"screen\" );\nscreen: {\n\n limit = 9; };",
	    "t.conf:4: screen: nine is too many");
}
END_TEST

UNIT_MAIN("conf/modules", module_gets_its_defaults_without_a_section, module_gets_its_section,
          module_that_is_not_there_is_refused,
          section_of_a_module_that_is_not_loaded_is_checked_and_warned_about,
          what_a_module_says_gets_the_line_of_the_setting_it_names)
