/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/override.h"

#include <limits.h>

static int fail(struct conf_loader *ld, const char *option, const char *what)
{
	config_setting_t at = { .hook = (void *)(uintptr_t)option };

	return conf_fail(ld, &at, "%s", what);
}

static bool is_index(const char *name)
{
	return ascii_is_digit((unsigned char)name[0]);
}

/* Group for what comes after, or a list when that is a number. */
static int container_for(const char *next)
{
	return is_index(next) ? CONFIG_TYPE_LIST : CONFIG_TYPE_GROUP;
}

/* Member @name of @s; made if it is not there yet and @type is not NONE. */
static config_setting_t *child(config_setting_t *s, const char *name, int type)
{
	config_setting_t *c = NULL;
	uint64_t index;

	if (config_setting_is_group(s)) {
		c = config_setting_get_member(s, name);
		return c || type == CONFIG_TYPE_NONE ? c : config_setting_add(s, name, type);
	}
	if (!config_setting_is_aggregate(s) || str_to_u64(str_from(name), INT_MAX, &index)) {
		return NULL;
	}
	if (index < (uint64_t)config_setting_length(s)) {
		return config_setting_get_elem(s, (unsigned)index);
	}
	if (index > (uint64_t)config_setting_length(s) || type == CONFIG_TYPE_NONE) {
		return NULL;
	}
	return config_setting_add(s, NULL, type);
}

/* The leaf as a string with the option as its hook. */
static config_setting_t *set_leaf(config_setting_t *s, const char *name, const char *value)
{
	config_setting_t *leaf;

	if (config_setting_is_group(s)) {
		(void)config_setting_remove(s, name);
	}
	leaf = child(s, name, CONFIG_TYPE_STRING);
	return leaf && config_setting_set_string(leaf, value) ? leaf : NULL;
}

int conf_override(struct conf_loader *ld, const char *option)
{
	struct str key, value, part;
	config_setting_t *s = config_root_setting(ld->tree);
	struct str copy = arena_str(ld->arena, str_from(option));

	if (!copy.p) {
		return conf_nomem(ld);
	}
	if (!str_cut(copy, '=', &key, &value)) {
		return fail(ld, option, "KEY=VALUE is wanted, as in server.workers=1");
	}
	while (str_cut(key, '.', &part, &key)) {
		struct str name = arena_str(ld->arena, part), next = arena_str(ld->arena, key);

		if (!name.p || !next.p) {
			return conf_nomem(ld);
		}
		s = child(s, name.p, container_for(next.p));
		if (!s || !config_setting_is_aggregate(s)) {
			return fail(ld, option, "there is no such section or list entry");
		}
	}
	part = arena_str(ld->arena, part);
	if (!part.p) {
		return conf_nomem(ld);
	}
	s = set_leaf(s, part.p, value.p);
	if (!s) {
		return fail(ld, option, "there is no such setting");
	}
	config_setting_set_hook(s, (void *)(uintptr_t)option);
	return 0;
}
