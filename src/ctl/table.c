/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/table.h"

#include "module/command.h"
#include "util/near.h"

static const struct ctl_command *const groups[] = {
	ctl_server_commands,      ctl_location_commands, ctl_transport_commands,
	ctl_transaction_commands, ctl_trunk_commands,    ctl_user_commands,
	ctl_explain_commands,     ctl_why_commands,      ctl_trace_commands,
	ctl_flow_commands,        ctl_dns_commands,
};

bool ctl_entry_at(const struct ctl_env *env, size_t i, struct ctl_entry *entry_r)
{
	const struct belfry_command *m;
	const char *module;

	for (size_t g = 0; g < sizeof(groups) / sizeof(groups[0]); g++) {
		for (const struct ctl_command *c = groups[g]; c->name; c++) {
			if (i-- == 0) {
				*entry_r = (struct ctl_entry){
					.name = c->name,
					.args = c->args,
					.help = c->help,
					.columns = c->columns,
					.changes = c->effect == CTL_CHANGES,
					.streams = c->effect == CTL_STREAMS,
					.core = c,
				};
				return true;
			}
		}
	}
	m = env->core ? module_command_at(env->core, i, &module) : NULL;
	if (!m) {
		return false;
	}
	*entry_r = (struct ctl_entry){
		.name = m->name,
		.args = m->args,
		.help = m->help,
		.changes = m->changes,
		.module = m,
	};
	return true;
}

bool ctl_entry_find(const struct ctl_env *env, const char *name, struct ctl_entry *entry_r,
                    struct str *near_r)
{
	struct near near;

	near_init(&near, str_from(name));
	for (size_t i = 0; ctl_entry_at(env, i, entry_r); i++) {
		if (strcmp(entry_r->name, name) == 0) {
			return true;
		}
		near_try(&near, str_from(entry_r->name));
	}
	*near_r = near.best;
	return false;
}

json_t *ctl_entries_json(const struct ctl_env *env)
{
	json_t *list = json_array();
	struct ctl_entry entry;

	for (size_t i = 0; list && ctl_entry_at(env, i, &entry); i++) {
		if (json_array_append_new(list, ctl_entry_json(&entry))) {
			json_decref(list);
			list = NULL;
		}
	}
	return list ? json_pack("{s:o}", "commands", list) : NULL;
}
