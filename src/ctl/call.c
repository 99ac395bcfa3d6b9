/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/call.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/table.h"
#include "util/err.h"
#include "util/log.h"

#define MESSAGE_MAX 1024

struct text {
	struct list node;
	size_t n;
	char v[];
};

/* --- commands of modules ------------------------------------------------------------------------
 */

static struct ctl_call *call_of(struct belfry_call *call)
{
	return container_of(call, struct ctl_call, for_module);
}

static struct str module_param(struct belfry_call *call, const char *name)
{
	return ctl_call_param(call_of(call), name);
}

static void reply_now(struct job *job, void *ctx)
{
	struct ctl_call *call = container_of(job, struct ctl_call, in_force);

	(void)ctx;
	ctl_call_reply(call, call->result);
}

static void pass_by(struct worker *w, void *arg)
{
	(void)w;
	(void)arg;
}

static void passed_all(struct worker *w, void *arg)
{
	struct ctl_call *call = arg;

	(void)w;
	call->in_force.run = reply_now;
	mailbox_post_sure(call->env->mailbox, &call->in_force);
}

/* What the module has told the workers to do is done when they have seen this too. */
static void reply_when_in_force(struct ctl_call *call, json_t *result)
{
	call->result = result;
	if (workers_each(call->env->workers, pass_by, passed_all, -1, call) < 0) {
		ctl_call_reply(call, result);
	}
}

static void module_reply(struct belfry_call *call, struct str json)
{
	json_t *result = json_loadb(json.p ? json.p : "", json.n, 0, NULL);

	if (!json_is_object(result)) {
		json_decref(result);
		ctl_call_fail(call_of(call), CTL_EINTERNAL,
		              "the module's answer is no JSON object");
		return;
	}
	if (call_of(call)->env) {
		reply_when_in_force(call_of(call), result);
	} else {
		ctl_call_reply(call_of(call), result);
	}
}

static void module_fail(struct belfry_call *call, const char *why)
{
	ctl_call_fail(call_of(call), CTL_EFAILED, "%s", why);
}

/* --- life ---------------------------------------------------------------------------------------
 */

struct ctl_call *ctl_call_new(struct rpc_request *req,
                              void (*answered)(struct ctl_call *call, struct evbuffer *line),
                              void *arg)
{
	struct ctl_call *call = calloc(1, sizeof(*call));

	if (!call) {
		rpc_request_fini(req);
		return NULL;
	}
	call->for_module = (struct belfry_call){ .param = module_param,
		                                 .reply = module_reply,
		                                 .fail = module_fail };
	list_init(&call->node);
	list_init(&call->texts);
	call->req = *req;
	*req = (struct rpc_request){ 0 };
	call->answered = answered;
	call->arg = arg;
	return call;
}

void ctl_call_free(struct ctl_call *call)
{
	list_for_each_safe(it, tmp, &call->texts)
	{
		list_del(it);
		free(container_of(it, struct text, node));
	}
	list_del(&call->node);
	rpc_request_fini(&call->req);
	free(call);
}

void ctl_call_left(struct ctl_call *call)
{
	call->arg = NULL;
	call->output = NULL;
	if (call->gone) {
		call->gone(call, call->gone_arg);
		ctl_call_free(call);
	}
}

/* --- parameters ---------------------------------------------------------------------------------
 */

bool ctl_call_has(const struct ctl_call *call, const char *name)
{
	return json_object_get(call->req.params, name) != NULL;
}

/* Keeps a text until the call is gone; empty when there is no memory. */
static struct str keep(struct ctl_call *call, struct str s)
{
	struct text *t = malloc(sizeof(*t) + s.n + 1);

	if (!t) {
		return STR("");
	}
	t->n = s.n;
	memcpy(t->v, s.p, s.n);
	t->v[s.n] = '\0';
	list_add(&call->texts, &t->node);
	return str_make(t->v, t->n);
}

struct str ctl_call_param(struct ctl_call *call, const char *name)
{
	const json_t *v = json_object_get(call->req.params, name);
	char number[40];

	switch (v ? json_typeof(v) : JSON_NULL) {
	case JSON_STRING: return str_make(json_string_value(v), json_string_length(v));
	case JSON_TRUE: return STR("true");
	case JSON_FALSE: return STR("false");
	case JSON_INTEGER:
		(void)snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
		return keep(call, str_from(number));
	case JSON_REAL:
		(void)snprintf(number, sizeof(number), "%.15g", json_real_value(v));
		return keep(call, str_from(number));
	default: return STR("");
	}
}

/* --- answers ------------------------------------------------------------------------------------
 */

static void answer(struct ctl_call *call, struct evbuffer *line)
{
	if (call->arg) {
		call->answered(call, line);
	}
	ctl_call_free(call);
}

void ctl_call_fail(struct ctl_call *call, int code, const char *fmt, ...)
{
	struct evbuffer *line = evbuffer_new();
	char message[MESSAGE_MAX];
	char *text;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	text = rpc_error_text(call->req.id, code, message);
	if (!text) {
		/* Perhaps the message is no UTF-8: it may quote what an outsider sent. */
		text = rpc_error_text(call->req.id, code, belfry_strerror(BELFRY_EPARSE));
	}
	if (line && text) {
		(void)evbuffer_add(line, text, strlen(text));
	}
	answer(call, line);
	free(text);
	if (line) {
		evbuffer_free(line);
	}
}

void ctl_call_reply_text(struct ctl_call *call, struct evbuffer *text)
{
	char *begin = rpc_result_begin(call->req.id);

	if (!begin || evbuffer_prepend(text, begin, strlen(begin)) ||
	    evbuffer_add(text, RPC_RESULT_END, sizeof(RPC_RESULT_END) - 1)) {
		(void)evbuffer_drain(text, evbuffer_get_length(text));
	}
	free(begin);
	answer(call, text);
}

static int dump_cb(const char *text, size_t n, void *arg)
{
	return evbuffer_add(arg, text, n);
}

void ctl_call_reply(struct ctl_call *call, json_t *result)
{
	struct evbuffer *text = evbuffer_new();

	if (!result || !text || json_dump_callback(result, dump_cb, text, RPC_DUMP)) {
		ctl_call_fail(call, CTL_EINTERNAL, "out of memory");
	} else {
		ctl_call_reply_text(call, text);
	}
	json_decref(result);
	if (text) {
		evbuffer_free(text);
	}
}

/* --- notifications ------------------------------------------------------------------------------
 */

void ctl_call_stream(struct ctl_call *call, ctl_gone_cb *gone, void *arg)
{
	call->gone = gone;
	call->gone_arg = arg;
}

int ctl_call_notify(struct ctl_call *call, const char *method, json_t *params)
{
	json_t *all = NULL;
	char *text = NULL;
	int err = -ENOMEM;

	if (!call->output || evbuffer_get_length(call->output) > CTL_UNREAD_MAX) {
		json_decref(params);
		return BELFRY_EFULL;
	}
	if (params) {
		all = json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", method, "params",
		                params);
	}
	text = all ? json_dumps(all, RPC_DUMP) : NULL;
	if (text) {
		size_t n = strlen(text);

		text[n] = '\n'; /* in place of the NUL: a line is whole or not there */
		err = evbuffer_add(call->output, text, n + 1) ? -ENOMEM : 0;
	}
	free(text);
	json_decref(all);
	return err;
}

/* --- running ------------------------------------------------------------------------------------
 */

static void log_change(const struct ctl_entry *entry, uid_t uid, pid_t pid)
{
	if (entry->changes) {
		log_notice("control.command", LOG_Z("method", entry->name), LOG_I("uid", uid),
		           LOG_I("pid", pid));
	}
}

void ctl_call_run(struct ctl_call *call, struct ctl_env *env, uid_t uid, pid_t pid)
{
	struct ctl_entry entry;
	struct str near;
	char *why;
	int code;

	if (!ctl_entry_find(env, call->req.method, &entry, &near)) {
		ctl_call_fail(call, CTL_ENOMETHOD, "unknown command \"%.100s\"%s%.*s%s",
		              call->req.method, near.n ? "; did you mean \"" : "", STR_FMT(near),
		              near.n ? "\"?" : "");
		return;
	}
	code = ctl_params_check(&entry, call->req.params, &why);
	if (code) {
		ctl_call_fail(call, code, "%s", why ? why : "wrong arguments");
		free(why);
		return;
	}
	log_change(&entry, uid, pid);
	if (entry.core) {
		entry.core->run(call, env);
	} else {
		call->env = entry.changes ? env : NULL;
		module_command_run(env->core, entry.module, &call->for_module);
	}
}
