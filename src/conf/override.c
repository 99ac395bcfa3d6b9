/* SPDX-License-Identifier: Apache-2.0 */
#include "conf/override.h"

#include <limits.h>
#include <string.h>

#include "util/arena.h"

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

/* A new member of group @s, or an element of a list: a new one, or the one that is there, emptied.
 * NULL: that has another type, or there is no such place. */
static config_setting_t *leaf(config_setting_t *s, const char *name, int type, const char *option)
{
	config_setting_t *c;

	if (config_setting_is_group(s)) {
		(void)config_setting_remove(s, name);
	}
	c = child(s, name, type, option);
	if (!c || config_setting_type(c) != type) {
		return NULL;
	}
	while (config_setting_length(c) > 0) {
		(void)config_setting_remove_elem(c, 0);
	}
	config_setting_set_hook(c, (void *)(uintptr_t)option);
	return c;
}

/* --- values as the file has them -----------------------------------------------------------------
 */

static bool copy_scalar(config_setting_t *to, const config_setting_t *from)
{
	switch (config_setting_type(from)) {
	case CONFIG_TYPE_INT: return config_setting_set_int(to, config_setting_get_int(from));
	case CONFIG_TYPE_INT64: return config_setting_set_int64(to, config_setting_get_int64(from));
	case CONFIG_TYPE_FLOAT: return config_setting_set_float(to, config_setting_get_float(from));
	case CONFIG_TYPE_BOOL: return config_setting_set_bool(to, config_setting_get_bool(from));
	default: return config_setting_set_string(to, config_setting_get_string(from));
	}
}

/* Into @to, which is new and of the same type. As deep as libconfig's parser has gone. */
static bool copy(config_setting_t *to, const config_setting_t *from, const char *option)
{
	if (!config_setting_is_aggregate(from)) {
		return copy_scalar(to, from);
	}
	for (int i = 0; i < config_setting_length(from); i++) {
		const config_setting_t *e = config_setting_get_elem(from, (unsigned)i);
		config_setting_t *c =
			add(to, config_setting_name(e), config_setting_type(e), option);

		if (!c || !copy(c, e, option)) {
			return false;
		}
	}
	return true;
}

/* Does @value begin as a list, an array, a group or a string in the file does? An address such as
 * [::1]:5060 does, too: what cannot be parsed is taken as text. */
static bool is_notation(const char *value)
{
	return *value && strchr("([{\"", *value) != NULL;
}

static bool parse(config_t *tree, struct str value, struct arena *arena)
{
	struct str text = arena_printf(arena, "v = %.*s;", STR_FMT(value));

	config_init(tree);
	return text.p && config_read_string(tree, text.p) == CONFIG_TRUE &&
	       config_setting_length(config_root_setting(tree)) == 1;
}

/* false: it cannot be set. */
static bool set_text(config_setting_t *s, const char *name, const char *value, const char *option)
{
	config_setting_t *c = leaf(s, name, CONFIG_TYPE_STRING, option);

	return c && config_setting_set_string(c, value);
}

static bool set_value(struct conf_loader *ld, config_setting_t *s, const char *name,
                      struct str value, const char *option)
{
	const config_setting_t *from;
	config_setting_t *c;
	config_t tree;
	bool ok = false;

	if (!is_notation(value.p)) {
		return set_text(s, name, value.p, option);
	}
	if (parse(&tree, value, ld->arena)) {
		from = config_lookup(&tree, "v");
		c = leaf(s, name, config_setting_type(from), option);
		ok = c && copy(c, from, option);
	} else {
		ok = set_text(s, name, value.p, option);
	}
	config_destroy(&tree);
	return ok;
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
	return set_value(ld, s, part.p, value, option)
	               ? 0
	               : fail(ld, option, "there is no such setting");
}
