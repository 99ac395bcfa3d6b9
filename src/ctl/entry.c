/* SPDX-License-Identifier: Apache-2.0 */
/* One command of the table: its usage, its description, its parameters. */
#include <stdio.h>
#include <stdlib.h>

#include "ctl/args.h"
#include "ctl/table.h"

char *ctl_entry_usage(const struct ctl_entry *entry)
{
	const char *args = entry->args ? entry->args : "";
	size_t n = strlen(entry->name);
	char *out = malloc(n + strlen(args) + 2);

	if (!out) {
		return NULL;
	}
	(void)sprintf(out, "%s%s%s", entry->name, *args ? " " : "", args);
	for (size_t i = 0; i < n; i++) {
		out[i] = out[i] == '.' ? ' ' : out[i];
	}
	return out;
}

static json_t *args_json(const struct ctl_entry *entry)
{
	struct str rest = str_from(entry->args ? entry->args : "");
	struct ctl_arg arg;
	json_t *list = json_array();

	while (list && ctl_arg_next(&rest, &arg)) {
		json_t *a = json_pack("{s:s, s:s, s:b}", "name", arg.name, "kind",
		                      ctl_arg_kind_name(arg.kind), "optional", arg.is_optional);

		if (json_array_append_new(list, a)) {
			json_decref(list);
			list = NULL;
		}
	}
	return list;
}

json_t *ctl_entry_json(const struct ctl_entry *entry)
{
	char *usage = ctl_entry_usage(entry);
	json_t *args = args_json(entry), *e = NULL;

	if (usage && args) {
		e = json_pack("{s:s, s:s, s:s, s:b, s:b, s:O, s:s*}", "name", entry->name, "usage",
		              usage, "help", entry->help, "changes", entry->changes, "streams",
		              entry->streams, "args", args, "columns", entry->columns);
	}
	json_decref(args);
	free(usage);
	return e;
}

static char *sentence(const char *what, const char *name, const struct ctl_entry *entry)
{
	char *usage = ctl_entry_usage(entry), *out = NULL;

	if (usage) {
		size_t cap = strlen(what) + strlen(name) + strlen(usage) + 32;

		out = malloc(cap);
		if (out) {
			(void)snprintf(out, cap, "%s \"%s\"; usage: %s", what, name, usage);
		}
	}
	free(usage);
	return out;
}

static bool is_scalar(const json_t *v)
{
	return json_is_string(v) || json_is_number(v) || json_is_boolean(v);
}

/* Is there the content of a file, in place of words? */
static bool has_file(const struct ctl_entry *entry, const json_t *params)
{
	struct str rest = str_from(entry->args ? entry->args : "");
	struct ctl_arg arg;

	while (ctl_arg_next(&rest, &arg)) {
		if (arg.kind == CTL_ARG_FILE && json_object_get(params, arg.name)) {
			return true;
		}
	}
	return false;
}

/* NULL, or what is wrong with a value. */
static const char *wrong_value(const struct ctl_arg *arg, const json_t *value)
{
	if (arg->kind == CTL_ARG_FLAG) {
		return json_is_boolean(value) ? NULL : "true or false is wanted for";
	}
	return is_scalar(value) ? NULL : "text or a number is wanted for";
}

int ctl_params_check(const struct ctl_entry *entry, json_t *params, char **why_r)
{
	struct str rest = str_from(entry->args ? entry->args : "");
	struct ctl_arg arg;
	const char *name;
	json_t *value;
	size_t known = 0;

	*why_r = NULL;
	while (ctl_arg_next(&rest, &arg)) {
		if (json_object_get(params, arg.name)) {
			known++;
		} else if (!arg.is_optional && !has_file(entry, params)) {
			*why_r = sentence("missing argument", arg.name, entry);
			return CTL_EPARAMS;
		}
	}
	json_object_foreach(params, name, value)
	{
		const char *wrong = "unknown argument";
		bool found = false;

		rest = str_from(entry->args ? entry->args : "");
		while (!found && ctl_arg_next(&rest, &arg)) {
			found = strcmp(arg.name, name) == 0 && arg.kind != CTL_ARG_OUTFILE;
		}
		if (found) {
			wrong = wrong_value(&arg, value);
		}
		if (wrong) {
			*why_r = sentence(wrong, name, entry);
			return CTL_EPARAMS;
		}
	}
	return known == json_object_size(params) ? 0 : CTL_EPARAMS;
}
