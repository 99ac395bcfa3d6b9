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

static config_setting_t *add(config_setting_t *s, const char *name, int type, const char *option)
{
	config_setting_t *c = config_setting_add(s, name, type);

	if (c) {
		config_setting_set_hook(c, (void *)(uintptr_t)option);
	}
	return c;
}

/* Member @name of @s; made if it is not there yet. */
static config_setting_t *child(config_setting_t *s, const char *name, int type, const char *option)
{
	config_setting_t *c;
	uint64_t index;

	if (config_setting_is_group(s)) {
		c = config_setting_get_member(s, name);
		return c ? c : add(s, name, type, option);
	}
	if (!config_setting_is_aggregate(s) || str_to_u64(str_from(name), INT_MAX, &index)) {
		return NULL;
	}
	if (index < (uint64_t)config_setting_length(s)) {
		return config_setting_get_elem(s, (unsigned)index);
	}
	return index == (uint64_t)config_setting_length(s) ? add(s, NULL, type, option) : NULL;
}

/* The leaf as a string. */
static config_setting_t *set_leaf(config_setting_t *s, const char *name, const char *value,
                                  const char *option)
{
	config_setting_t *leaf;

	if (config_setting_is_group(s)) {
		(void)config_setting_remove(s, name);
	}
	leaf = child(s, name, CONFIG_TYPE_STRING, option);
	if (!leaf || !config_setting_set_string(leaf, value)) {
		return NULL;
	}
	config_setting_set_hook(leaf, (void *)(uintptr_t)option);
	return leaf;
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
		s = child(s, name.p, container_for(next.p), option);
		if (!s || !config_setting_is_aggregate(s)) {
			return fail(ld, option, "there is no such section or list entry");
		}
	}
	part = arena_str(ld->arena, part);
	if (!part.p) {
		return conf_nomem(ld);
	}
	return set_leaf(s, part.p, value.p, option) ? 0
	                                            : fail(ld, option, "there is no such setting");
}
