/* SPDX-License-Identifier: Apache-2.0 */
/* A request that runs: between the server and the commands. */
#pragma once

#include "ctl/ctl.h"
#include "ctl/rpc.h"
#include "module/command.h"
#include "util/list.h"

struct ctl_call {
	struct belfry_call for_module; /* what commands of modules get */
	struct list node;              /* in the server's list of calls */
	struct rpc_request req;
	/* Told the answer, a line or several pieces of one; the call is freed by the caller then.
	 */
	void (*answered)(struct ctl_call *call, struct evbuffer *line);
	void *arg; /* of the server; NULL: nobody waits for it any more */
	/* Of a call that streams: the client's output, and who wants to know that it has left. */
	struct evbuffer *output; /* set by the server before the call runs */
	ctl_gone_cb *gone;
	void *gone_arg;
	struct list texts; /* parameters as text */
	/* Of reload, and of a module's command that changes something. */
	struct ctl_env *env;
	/* Of the latter: its answer waits for the workers. */
	struct job in_force;
	json_t *result;
};

/* Takes over @req. NULL: out of memory (@req is freed). */
struct ctl_call *ctl_call_new(struct rpc_request *req,
                              void (*answered)(struct ctl_call *call, struct evbuffer *line),
                              void *arg);
void ctl_call_free(struct ctl_call *call);
/* Its client has left: a call that streams ends, any other goes on to be answered for nobody. */
void ctl_call_left(struct ctl_call *call);

/* Finds the command, checks parameters, logs who changes something, runs it. */
void ctl_call_run(struct ctl_call *call, struct ctl_env *env, uid_t uid, pid_t pid);
