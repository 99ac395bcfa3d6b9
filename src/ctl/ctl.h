/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: JSON-RPC 2.0, one message a line, on a unix socket that file permissions
 * guard. The table of commands is assembled from those of the core (cmd_*.c) and of the modules;
 * `belfryctl` asks for it and has none of its own.
 *
 * All on the main thread. A command answers by ctl_call_reply() or ctl_call_fail(), exactly once,
 * at once or later: many ask the workers first (gather.h). Requests of one client are run one after
 * the other; a client that does not read is closed.
 */
#pragma once

#include "conf/conf.h"
#include "util/mailbox.h"
#include "util/str.h"

#include <jansson.h>
#include <sys/types.h>

struct belfry_core;
struct counters;
struct dns_resolver;
struct event_base;
struct evbuffer;
struct loc_table;
struct proxy;
struct store;
struct sub_table;
struct transport_group;
struct trace_hub;
struct txn_layer;
struct workers;

/* --- what commands look at ----------------------------------------------------------------------
 */

/* Said when a reload is over: NULL, or why it was refused. */
typedef void(ctl_reload_cb)(const char *error, void *arg);

/* The daemon as commands see it; belfryd fills it. What a build or a test does not have is NULL. */
struct ctl_env {
	struct conf *conf; /* of now */
	struct workers *workers;
	struct counters *counters;
	struct transport_group *transports;
	struct txn_layer **txns;  /* one per worker */
	struct proxy **proxies;   /* one per worker */
	struct dns_resolver *dns; /* of worker 0 */
	struct loc_table *location;
	struct sub_table *subscribers;
	struct store *store;
	struct belfry_core *core;
	struct mailbox *mailbox; /* of the main thread: jobs posted there run with NULL as context;
	                            NULL once the server has been freed */
	struct trace_hub *trace; /* made by the first `trace`, freed by ctl_server_free() */

	uint64_t started_ms; /* monotonic */
	bool is_ready, is_draining;
	struct {
		int64_t unix_s; /* 0: none yet */
		char *error;    /* heap; NULL: it went well */
	} last_reload;
	void (*stop)(void *arg, bool at_once); /* false: drain */
	void (*reload)(void *arg, ctl_reload_cb *cb, void *cb_arg);
	void *arg; /* of the two */
};

/* --- commands ------------------------------------------------------------------------------------
 */

struct ctl_call;

enum ctl_error { /* JSON-RPC's, and ours */
	         CTL_EPARSE = -32700,
	         CTL_EINVALID = -32600,
	         CTL_ENOMETHOD = -32601,
	         CTL_EPARAMS = -32602,
	         CTL_EINTERNAL = -32603,
	         CTL_EFAILED = 1, /* the server said no */
};

enum ctl_effect {
	CTL_READS,
	CTL_CHANGES, /* something: logged with who asked */
	CTL_STREAMS, /* says notifications until it is answered or its client leaves */
};

struct ctl_command {
	const char *name; /* "location.list": the words of belfryctl joined by `.` */
	/* "AOR [URI] [--expires S] [--force] [--password-stdin]": positional in capitals, options
	 * with a value, flags; what ends in -stdin is read from there by the client. Parameters are
	 * called aor, uri, expires, force, password. */
	const char *args;
	const char *help; /* one line */
	/* For people: members of the result's rows that a table shows, in order, separated by
	 * spaces; `a{b}` shows b behind a. NULL: all. */
	const char *columns;
	int effect; /* enum ctl_effect; a truth value will do */
	void (*run)(struct ctl_call *call, struct ctl_env *env);
};

/* Value of a parameter as text (numbers in decimal, true, false), n is 0 when absent. Valid until
 * the call is answered. */
struct str ctl_call_param(struct ctl_call *call, const char *name);
bool ctl_call_has(const struct ctl_call *call, const char *name);

/* Answers. Takes over @result (an object); NULL: there was no memory for it. The call is gone. */
void ctl_call_reply(struct ctl_call *call, json_t *result);
/* The result as JSON text without line feeds; drains @text. */
void ctl_call_reply_text(struct ctl_call *call, struct evbuffer *text);
/* Refuses with a sentence for people. The call is gone. */
void ctl_call_fail(struct ctl_call *call, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* --- commands that go on
 * ------------------------------------------------------------------------------- */

#define CTL_UNREAD_MAX (4u << 20) /* bytes that a client may leave unread of notifications */

/* The client has left (the end of what it sends counts as that), or the server ends. The call is
 * gone when this returns. */
typedef void(ctl_gone_cb)(struct ctl_call *call, void *arg);
/* The call stays open and says notifications. It still may be answered; then @gone does not run. */
void ctl_call_stream(struct ctl_call *call, ctl_gone_cb *gone, void *arg);
/* `{"jsonrpc":"2.0","method":METHOD,"params":PARAMS}` to the client; takes over @params, NULL is an
 * out of memory. 0; BELFRY_EFULL: the client has not read CTL_UNREAD_MAX bytes, nothing was said;
 * -ENOMEM. */
int ctl_call_notify(struct ctl_call *call, const char *method, json_t *params);

/* --- the server ----------------------------------------------------------------------------------
 */

struct ctl_server;

/* BELFRY_ENOENT with *error_r (heap): as root, a group that does not exist and is not the default. */
int ctl_group_check(const struct conf_control *control, char **error_r);
/* Makes the socket: with the mode and group of the configuration, in place of one that nobody
 * listens on. Before privileges are dropped; the descriptor in *fd_r. -errno with *error_r (heap):
 * -EADDRINUSE when another process listens. An unknown group, or one that may not be set, is a
 * warning unless run by root; the default group may be unknown then, too. */
int ctl_socket_open(const struct conf_control *control, int *fd_r, char **error_r);
/* Gives the socket another mode and group, where they differ. Other than 0 with *error_r (heap), and
 * nothing has changed. */
int ctl_socket_change(const struct conf_control *old, const struct conf_control *control,
                      char **error_r);

/* Takes over @fd, and removes @path at the end. @env must live longer; its conf and flags may
 * change meanwhile. */
int ctl_server_new(struct event_base *base, int fd, const char *path, struct ctl_env *env,
                   struct ctl_server **server_r);
/* Calls that have not been answered are dropped: workers and store must have ended and the main
 * thread's mailbox be empty. NULL is fine. */
void ctl_server_free(struct ctl_server *server);
/* Writes what is pending to clients for at most @ms: the answer to `stop` is to arrive. */
void ctl_server_flush(struct ctl_server *server, int ms);
