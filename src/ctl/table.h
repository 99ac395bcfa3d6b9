/* SPDX-License-Identifier: Apache-2.0 */
/* All commands: those of the core and those of the modules. */
#pragma once

#include "ctl/ctl.h"

struct belfry_command;

struct ctl_entry {
	const char *name, *args, *help, *columns;
	bool changes, streams;
	const struct ctl_command *core; /* one of the two */
	const struct belfry_command *module;
};

/* Walks all, in the order of the groups; false at the end. */
bool ctl_entry_at(const struct ctl_env *env, size_t i, struct ctl_entry *entry_r);
/* false: there is none; *near_r is the nearest name or empty. */
bool ctl_entry_find(const struct ctl_env *env, const char *name, struct ctl_entry *entry_r,
                    struct str *near_r);
/* "location add AOR URI [--expires S]", heap; NULL: out of memory. */
char *ctl_entry_usage(const struct ctl_entry *entry);
/* What `commands` says of it; NULL: out of memory. */
json_t *ctl_entry_json(const struct ctl_entry *entry);
/* {"commands": [...]}; NULL: out of memory. */
json_t *ctl_entries_json(const struct ctl_env *env);

/* Are @params what the command takes? 0, or CTL_EPARAMS with a sentence in *why_r (heap, NULL when
 * there was no memory for it). */
int ctl_params_check(const struct ctl_entry *entry, json_t *params, char **why_r);

/* Removes the bindings that were registered for @aor (canonical); static ones stay. 0: @then
 * follows on the main thread, when it is durable. -ENOMEM. */
typedef void(ctl_forgotten_cb)(int err, void *arg);
int ctl_location_forget(struct ctl_env *env, struct str aor, ctl_forgotten_cb *then, void *arg);

/* The groups; each ends with a NULL name. */
extern const struct ctl_command ctl_dns_commands[];
extern const struct ctl_command ctl_flow_commands[];
extern const struct ctl_command ctl_server_commands[];
extern const struct ctl_command ctl_explain_commands[];
extern const struct ctl_command ctl_location_commands[];
extern const struct ctl_command ctl_transport_commands[];
extern const struct ctl_command ctl_trace_commands[];
extern const struct ctl_command ctl_transaction_commands[];
extern const struct ctl_command ctl_trunk_commands[];
extern const struct ctl_command ctl_user_commands[];
extern const struct ctl_command ctl_why_commands[];
