/* SPDX-License-Identifier: Apache-2.0 */
#include "module/loader.h"

#include "support/unit.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static char dir_text[PATH_MAX];

static struct str dir(void)
{
	const char *top = getenv("top_builddir");

	snprintf(dir_text, sizeof(dir_text), "%s/tests/unit/module/.libs", top ? top : ".");
	return str_from(dir_text);
}

static int load(struct module_loader *loader, const char *name, const char **why)
{
	const struct belfry_module *module;

	*why = "";
	return module_load(loader, dir(), str_from(name), &module, why);
}

START_TEST(loader_opens_a_module_once)
{
	struct module_loader *loader = module_loader_new();
	const struct belfry_module *a, *b;
	const char *why;

	ck_assert_int_eq(module_load(loader, dir(), STR("plain"), &a, &why), 0);
	ck_assert_str_eq(a->version, "9");
	ck_assert_int_eq(module_load(loader, STR("/nowhere"), STR("plain"), &b, &why), 0);
	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_eq(module_at(loader, 0), a);
	ck_assert_ptr_null(module_at(loader, 1));
	ck_assert_ptr_eq(module_find(loader, STR("plain")), a);
	ck_assert_ptr_null(module_find(loader, STR("plai")));
	module_loader_free(loader);
}
END_TEST

START_TEST(loader_refuses_another_abi_naming_file_and_both_numbers)
{
	struct module_loader *loader = module_loader_new();
	const char *why;
	char abi[16];

	ck_assert_int_eq(load(loader, "bad_abi", &why), BELFRY_EVERSION);
	ck_assert_ptr_nonnull(strstr(why, "/bad_abi.so"));
	snprintf(abi, sizeof(abi), "ABI %d,", BELFRY_MOD_ABI + 1);
	ck_assert_ptr_nonnull(strstr(why, abi));
	snprintf(abi, sizeof(abi), "has ABI %d", BELFRY_MOD_ABI);
	ck_assert_ptr_nonnull(strstr(why, abi));
	ck_assert_ptr_null(module_at(loader, 0));
	module_loader_free(loader);
}
END_TEST

START_TEST(loader_refuses_what_is_no_module_of_that_name)
{
	struct module_loader *loader = module_loader_new();
	const char *why;

	ck_assert_int_eq(load(loader, "bad_name", &why), BELFRY_ECORRUPT);
	ck_assert_ptr_nonnull(strstr(why, "\"other\""));
	ck_assert_int_eq(load(loader, "bad_symbol", &why), BELFRY_ECORRUPT);
	ck_assert_ptr_nonnull(strstr(why, "belfry_module_bad_symbol"));
	ck_assert_int_eq(load(loader, "bad_size", &why), BELFRY_ECORRUPT);
	ck_assert_ptr_nonnull(strstr(why, "conf_size"));
	ck_assert_int_eq(load(loader, "bad_link", &why), BELFRY_ECORRUPT);
	ck_assert_ptr_nonnull(strstr(why, "belfry_no_such_function"));
	ck_assert_ptr_null(module_at(loader, 0));
	module_loader_free(loader);
}
END_TEST

START_TEST(loader_says_where_it_looked)
{
	struct module_loader *loader = module_loader_new();
	const struct belfry_module *module;
	const char *why;

	ck_assert_int_eq(load(loader, "absent", &why), BELFRY_ENOENT);
	ck_assert_ptr_nonnull(strstr(why, dir_text));
	ck_assert_ptr_nonnull(strstr(why, "/absent.so"));
	ck_assert_int_eq(module_load(loader, STR_NONE, STR("absent"), &module, &why),
	                 BELFRY_ENOENT);
	ck_assert_ptr_nonnull(strstr(why, BELFRY_MODULE_DIR "/absent.so"));
	module_loader_free(loader);
}
END_TEST

START_TEST(loader_refuses_names_that_lead_elsewhere)
{
	struct module_loader *loader = module_loader_new();
	const char *names[] = { "", "../plain", "plain.so", "a/b", "1a", "a b", "a\xff" };
	const char *why;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ck_assert_int_eq(load(loader, names[i], &why), BELFRY_EPARSE);
	}
	module_loader_free(loader);
}
END_TEST

static const char *check_it(const void *values)
{
	return *(const int *)values == 1 ? NULL : "not one";
}

START_TEST(loader_gives_the_configuration_a_module_s_table)
{
	static const struct belfry_setting settings[] = { BELFRY_SET_END };
	const struct belfry_module module = {
		.abi = BELFRY_MOD_ABI,
		.name = "here",
		.settings = settings,
		.conf_size = 4,
		.check = check_it,
	};
	struct module_loader *loader = module_loader_new();
	const struct conf_module_info *info, *again;
	const char *why;

	ck_assert_int_eq(module_add(loader, &module, &why), 0);
	ck_assert_int_eq(module_add(loader, &module, &why), 0);
	info = module_conf_info(loader, STR("here"), STR("/nowhere"), &why);
	ck_assert_ptr_nonnull(info);
	ck_assert_ptr_eq(info->settings, settings);
	ck_assert_uint_eq(info->conf_size, 4);
	ck_assert_str_eq(info->check(&(int){ 2 }), "not one");
	ck_assert_int_eq(load(loader, "plain", &why), 0);
	again = module_conf_info(loader, STR("here"), STR("/nowhere"), &why);
	ck_assert_ptr_eq(info, again);
	ck_assert_ptr_null(module_conf_info(loader, STR("absent"), dir(), &why));
	ck_assert_ptr_nonnull(strstr(why, "absent.so"));
	module_loader_free(loader);
}
END_TEST

static int oom_loader(void *arg)
{
	struct module_loader *loader = module_loader_new();
	const char *why;
	int ret;

	(void)arg;
	if (!loader) {
		return -ENOMEM;
	}
	ret = load(loader, "plain", &why);
	ck_assert(ret == 0 || ret == -ENOMEM);
	module_loader_free(loader);
	return ret;
}

START_TEST(loader_survives_any_allocation_failing)
{
	const char *why;
	struct module_loader *loader = module_loader_new();

	load(loader, "plain", &why); /* what the dynamic linker keeps is not ours */
	module_loader_free(loader);
	oom_each(oom_loader, NULL);
}
END_TEST

UNIT_MAIN("module/loader", loader_opens_a_module_once,
          loader_refuses_another_abi_naming_file_and_both_numbers,
          loader_refuses_what_is_no_module_of_that_name, loader_says_where_it_looked,
          loader_refuses_names_that_lead_elsewhere, loader_gives_the_configuration_a_module_s_table,
          loader_survives_any_allocation_failing)
