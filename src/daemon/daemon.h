/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process: every layer's objects, made in start.c and taken down in stop.c in the opposite
 * order. All on the main thread, which runs an event loop of its own (signals, the control socket,
 * the metrics page, the mailbox); SIP is done on the workers.
 */
#pragma once

#include "ctl/ctl.h"
#include "daemon/options.h"
#include "daemon/privileges.h"
#include "metrics/metrics.h"
#include "module/core.h"

struct event;

/* What there is once per worker. */
struct daemon_worker {
	struct dns_resolver *dns;
	struct module_worker *modules;
};

struct daemon {
	struct options options;
	struct identity identity;
	struct event_base *base;
	struct mailbox *mailbox;
	struct event *mailbox_event;
	struct event *signals[3];
	struct event *second; /* once a second: what the log suppressed */
	struct event *watchdog, *drain;
	_Atomic bool has_turned; /* every worker has, since the watchdog last asked */

	struct module_loader *loader;
	struct conf *conf;
	struct counters *counters;
	struct workers *workers;
	struct transport_group *transports;
	int control_fd;
	struct metrics *metrics;
	struct store *store;
	struct sub_table *subscribers;
	struct loc_table *location;
	struct hash_key dialog_keys[2]; /* of today, of before a rotation */
	unsigned dialog_keys_n;
	struct txn_layer **txns;
	struct proxy **proxies;
	struct proxy_shared *proxy_shared;
	struct daemon_worker *each;
	struct belfry_core *core;
	struct ctl_env env;
	struct ctl_server *control;

	bool is_running;       /* worker threads */
	bool is_stopping;      /* drain or stop has begun */
	bool is_watched;       /* a question of the watchdog is on its way */
	bool is_asking;        /* a question of drain is on its way */
	_Atomic unsigned busy; /* workers that drain has to wait for */
	uint64_t drain_end_ms;
	struct reload *reload; /* one that runs */
	bool is_reload_wanted; /* a SIGHUP came meanwhile */
};

/* start.c: from the checked configuration to a server that is ready. 0, or an exit code; what is
 * wrong has been logged. daemon_stop() in every case. */
int daemon_start(struct daemon *d);
/* stop.c: takes down what there is. */
void daemon_stop(struct daemon *d);

/* stop.c: ends the loop, at once or when transactions have finished. Again: at once. */
void daemon_end(struct daemon *d, bool at_once);

/* reload.c: @cb once, now or later. */
void daemon_reload(struct daemon *d, ctl_reload_cb *cb, void *cb_arg);
/* As SIGHUP: what comes of it is logged; behind one that runs. */
void daemon_reload_soon(struct daemon *d);

/* loop.c: the main thread's mailbox, signals, watchdog. 0 or -errno. */
int loop_init(struct daemon *d);
int loop_start(struct daemon *d); /* with the workers running */
void loop_fini(struct daemon *d);
/* Runs what is in the mailbox now. */
void loop_drain_mailbox(struct daemon *d);
uint64_t loop_now_ms(void);

/* gauges.c: what the metrics page is made from. */
struct metrics_source daemon_metrics(struct daemon *d);

/* config.c: reads and checks; what is wrong is told on stderr or in *error_r. */
int config_load(const struct options *o, struct module_loader *loader, struct conf **conf_r,
                char **error_r);
void config_setup_log(const struct options *o, const struct conf *conf);
void config_warn(const struct conf *conf);
