/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/modules.h"

#include <stdio.h>

#include "conf/schema.h"
#include "util/near.h"

#define PATH_LEN 160

static bool is_core(const char *name)
{
	for (const struct belfry_setting *s = conf_core_settings(); s->type != BELFRY_T_END; s++) {
		if (strcmp(s->name, name) == 0) {
			return true;
		}
	}
	return false;
}

/* What may become part of a file name. */
static bool is_module_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (!ascii_is_alpha((unsigned char)c) && !ascii_is_digit((unsigned char)c) &&
		    c != '_') {
			return false;
		}
	}
	return name.n > 0 && name.n <= 64;
}

/* NULL: there is none. Without a callback each name is a module without settings. */
static const struct conf_module_info *find_info(struct conf_loader *ld, struct str name,
                                                const char **error_r)
{
	static const struct conf_module_info bare;

	*error_r = NULL;
	if (!ld->cb) {
		return &bare;
	}
	return ld->cb(ld->cb_arg, name, ld->conf->server.module_dir, error_r);
}

static int read_section(struct conf_loader *ld, struct conf_module *m,
                        const struct conf_module_info *info)
{
	const config_setting_t *s =
		config_setting_get_member(config_root_setting(ld->tree), m->name.p);

	m->info = info;
	m->settings = info->settings;
	if (s && !config_setting_is_group(s)) {
		return conf_fail(ld, s, "%s: a group is wanted, as in %s: { ... };", m->name.p,
		                 m->name.p);
	}
	if (!m->settings) {
		return s && config_setting_length(s) > 0
		               ? conf_fail(ld, s, "%s: this module has no settings", m->name.p)
		               : 0;
	}
	m->values = arena_zalloc(ld->arena, info->conf_size);
	if (!m->values) {
		return conf_nomem(ld);
	}
	return conf_read_group(ld, m->settings, s, m->name.p, false, m->values);
}

static int read_listed(struct conf_loader *ld, size_t i)
{
	struct conf_module *m = &ld->conf->module[ld->conf->module_n];
	const struct conf_module_info *info;
	const char *why;
	char path[PATH_LEN];

	(void)snprintf(path, sizeof(path), "modules.%zu", i);
	m->name = ld->conf->modules.v[i];
	m->enabled = true;
	if (!is_module_name(m->name)) {
		return conf_fail_path(ld, path, "\"%.*s\" is no name of a module",
		                      STR_FMT(m->name));
	}
	if (is_core(m->name.p)) {
		return conf_fail_path(ld, path, "\"%s\" is a part of the core; leave it out",
		                      m->name.p);
	}
	info = find_info(ld, m->name, &why);
	if (!info && conf_unbuilt(m->name.p)) {
		return conf_fail_path(ld, path, "\"%s\": %s", m->name.p, conf_unbuilt(m->name.p));
	}
	if (!info) {
		return conf_fail_path(ld, path, "there is no module \"%s\"%s%s", m->name.p,
		                      why ? "; " : "", why ? why : "");
	}
	ld->conf->module_n++;
	return read_section(ld, m, info);
}

static bool is_listed(const struct conf *conf, const char *name)
{
	for (size_t i = 0; i < conf->modules.n; i++) {
		if (str_eq(conf->modules.v[i], str_from(name))) {
			return true;
		}
	}
	return false;
}

static int unknown_section(struct conf_loader *ld, const config_setting_t *s)
{
	const char *name = config_setting_name(s);
	struct near near;

	near_init(&near, str_from(name));
	for (const struct belfry_setting *c = conf_core_settings(); c->type != BELFRY_T_END; c++) {
		near_try(&near, str_from(c->name));
	}
	for (size_t i = 0; i < ld->conf->modules.n; i++) {
		near_try(&near, ld->conf->modules.v[i]);
	}
	return conf_fail(ld, s, "unknown section \"%s\"%s", name, conf_hint(ld, near.best));
}

static int read_unlisted(struct conf_loader *ld, const config_setting_t *s)
{
	const char *name = config_setting_name(s), *why;
	struct conf_module *m = &ld->conf->module[ld->conf->module_n];
	const struct conf_module_info *info = NULL;

	m->name = arena_str(ld->arena, str_from(name));
	if (!m->name.p) {
		return conf_nomem(ld);
	}
	if (ld->cb && is_module_name(m->name)) {
		info = find_info(ld, m->name, &why);
	}
	if (!info) {
		return conf_unbuilt(name) ? conf_fail(ld, s, "%s: %s", name, conf_unbuilt(name))
		                          : unknown_section(ld, s);
	}
	ld->conf->module_n++;
	return read_section(ld, m, info)
	               ? ld->err
	               : conf_warn_path(ld, name,
	                                "the module is not in `modules`: the section is not used");
}

int conf_modules_read(struct conf_loader *ld)
{
	struct conf *conf = ld->conf;
	const config_setting_t *root = config_root_setting(ld->tree);
	size_t n = conf->modules.n + (size_t)config_setting_length(root);
	int err = 0;

	conf->module = arena_zalloc(ld->arena, n * sizeof(*conf->module));
	if (!conf->module) {
		return conf_nomem(ld);
	}

	for (size_t i = 0; !err && i < conf->modules.n; i++) {
		err = read_listed(ld, i);
	}
	for (int i = 0; !err && i < config_setting_length(root); i++) {
		const config_setting_t *s = config_setting_get_elem(root, (unsigned)i);

		if (!is_core(config_setting_name(s)) && !is_listed(conf, config_setting_name(s))) {
			err = read_unlisted(ld, s);
		}
	}
	return err;
}

/* The path of the setting that a module's sentence begins with, else of its section. */
static void blame(const struct conf_module *m, const char *sentence, char path[PATH_LEN])
{
	size_t n = strcspn(sentence, " :");

	(void)snprintf(path, PATH_LEN, "%s", m->name.p);
	for (const struct belfry_setting *s = m->settings; s && s->type != BELFRY_T_END; s++) {
		if (strlen(s->name) == n && strncmp(s->name, sentence, n) == 0) {
			(void)snprintf(path, PATH_LEN, "%s.%s", m->name.p, s->name);
		}
	}
}

int conf_modules_check(struct conf_loader *ld)
{
	int err = 0;

	for (size_t i = 0; !err && i < ld->conf->module_n; i++) {
		const struct conf_module *m = &ld->conf->module[i];
		char path[PATH_LEN];
		const char *why = m->info->check ? m->info->check(m->values) : NULL;

		if (why) {
			blame(m, why, path);
			err = conf_fail_path(ld, path, "%s", why);
		}
	}
	return err;
}
