/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a checked configuration to a server that is ready: bind, give up privileges (before there is
 * a second thread), then read keys and open the database as server.user, so that a later reload can
 * do the same; load, bring up the modules, start the workers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/dirs.h"
#include "daemon/notify.h"
#include "dns/resolve.h"
#include "util/err.h"
#include "util/log.h"
#include "util/random.h"

#define STATE_MODE  0750
#define RUN_MODE    0755
#define MAILBOX_MAX 65536 /* messages on their way to one worker */
#define MSGBUFS_MAX 65536 /* receive buffers of one worker */
#define DIALOG_KEY  "record-route"

/* Logs what stopped the start, and tells who started it; @error (heap) may be NULL. */
static int failed(int err, const char *what, char *error)
{
	const char *text = error ? error : belfry_strerror(err);

	log_error("start.failed", LOG_Z("what", what), LOG_Z("error", text));
	if (!log_is_on_stderr()) {
		(void)fprintf(stderr, "belfryd: %s: %s\n", what, text);
	}
	free(error);
	return EXIT_SYSTEM;
}

/* --- before privileges are dropped --------------------------------------------------------------
 */

/* Every connection needs a descriptor; the default of 1024 is soon used up. */
static void raise_descriptors(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0 && rl.rlim_cur < rl.rlim_max) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static int make_workers(struct daemon *d)
{
	struct workers_params params = {
		.n = d->conf->workers,
		.conf = d->conf,
		.mailbox_max = MAILBOX_MAX,
		.msgbufs_max = MSGBUFS_MAX,
	};

	d->counters = counters_new();
	if (!d->counters) {
		return -ENOMEM;
	}
	params.counters = d->counters;
	return workers_new(&params, &d->workers);
}

static int bind_metrics(struct daemon *d, char **error_r)
{
	const struct metrics_source source = daemon_metrics(d);

	*error_r = NULL;
	if (d->conf->metrics.listen.n == 0) {
		return 0;
	}
	return metrics_new(d->base, &d->conf->metrics.addr, &source, &d->metrics, error_r);
}

static int bind_all(struct daemon *d)
{
	char *error = NULL;
	int err = dir_make(d->conf->server.run_dir.p, RUN_MODE, &d->identity, &error);

	if (err) {
		return failed(err, "server.run_dir", error);
	}
	err = dir_make(d->conf->server.state_dir.p, STATE_MODE, &d->identity, &error);
	if (err) {
		return failed(err, "server.state_dir", error);
	}
	err = transport_group_new(d->workers, d->conf, &d->transports, &error);
	if (err) {
		return failed(err, "listen", error);
	}
	err = ctl_socket_open(&d->conf->control, &d->control_fd, &error);
	if (err) {
		return failed(err, "control.socket", error);
	}
	if (d->identity.is_changed &&
	    chown(d->conf->control.socket.p, d->identity.uid, (gid_t)-1)) {
		return failed(-errno, "control.socket", NULL);
	}
	err = bind_metrics(d, &error);
	return err ? failed(err, "metrics.listen", error) : 0;
}

/* --- state --------------------------------------------------------------------------------------
 */

static int derive_keys(struct daemon *d)
{
	int err = 0;

	for (unsigned generation = 0; !err && generation < 2; generation++) {
		err = store_derive_key(d->store, DIALOG_KEY, generation,
		                       &d->dialog_keys[generation], sizeof(d->dialog_keys[0]));
		if (err == BELFRY_ENOENT && generation == 1) {
			return 0; /* there has been no rotation */
		}
		d->dialog_keys_n = generation + 1;
	}
	return err;
}

static int load_state(struct daemon *d)
{
	char *error = NULL;
	int err = store_open(d->conf->server.state_dir, &d->store, &error);

	if (err) {
		return failed(err, "store", error);
	}
	err = derive_keys(d);
	if (err) {
		return failed(err, "keys", NULL);
	}
	err = sub_table_new(d->store, &d->subscribers);
	err = err ? err : sub_table_load(d->subscribers, &error);
	if (err) {
		return failed(err, "subscribers", error);
	}
	err = loc_table_new(d->workers, d->store, d->transports, &d->location);
	err = err ? err : loc_table_load(d->location, &error);
	return err ? failed(err, "location", error) : 0;
}

/* --- the layers of each worker ------------------------------------------------------------------
 */

static int make_proxy(struct daemon *d, struct worker *w)
{
	const struct proxy_params params = {
		.worker = w,
		.transport = transport_get(d->transports, w->id),
		.transports = d->transports,
		.txns = d->txns[w->id],
		.dns = d->each[w->id].dns,
		.location = d->location,
		.subscribers = d->subscribers,
		.shared = d->proxy_shared,
		.dialog_key = { &d->dialog_keys[0],
		                d->dialog_keys_n > 1 ? &d->dialog_keys[1] : NULL },
	};

	return proxy_new(&params, &d->proxies[w->id]);
}

static int make_layers(struct daemon *d, struct worker *w, char **error_r)
{
	struct transport *tp = transport_get(d->transports, w->id);
	int err = dns_resolver_new(w, &d->each[w->id].dns, error_r);

	err = err ? err : txn_layer_new(w, tp, &d->txns[w->id]);
	if (err) {
		return err;
	}
	txn_layer_set_dns(d->txns[w->id], d->each[w->id].dns);
	return make_proxy(d, w);
}

/* What one worker learns of a target's health the others learn from it. */
static int link_resolvers(struct daemon *d, unsigned n)
{
	struct dns_resolver **all = calloc(n, sizeof(struct dns_resolver *));
	int err;

	if (!all) {
		return -ENOMEM;
	}
	for (unsigned i = 0; i < n; i++) {
		all[i] = d->each[i].dns;
	}
	err = dns_resolvers_link(all, n);
	free(all);
	return err;
}

static int make_all_layers(struct daemon *d)
{
	unsigned n = workers_n(d->workers);
	char *error = NULL;
	int err = 0;

	d->txns = calloc(n, sizeof(struct txn_layer *));
	d->proxies = calloc(n, sizeof(struct proxy *));
	d->each = calloc(n, sizeof(*d->each));
	d->proxy_shared = proxy_shared_new();
	if (!d->txns || !d->proxies || !d->each || !d->proxy_shared) {
		return failed(-ENOMEM, "workers", NULL);
	}
	err = dns_settings_check(d->conf, &error);
	if (err) {
		return failed(err, "dns", error);
	}
	for (unsigned i = 0; !err && i < n; i++) {
		err = make_layers(d, workers_get(d->workers, i), &error);
	}
	err = err ? err : link_resolvers(d, n);
	return err ? failed(err, "workers", error) : 0;
}

static int make_modules(struct daemon *d)
{
	const struct module_core_params params = {
		.loader = d->loader,
		.conf = d->conf,
		.workers = d->workers,
		.counters = d->counters,
		.store = d->store,
		.location = d->location,
		.subscribers = d->subscribers,
	};
	char *error = NULL;
	int err = module_core_new(&params, &d->core, &error);

	for (unsigned i = 0; !err && i < workers_n(d->workers); i++) {
		err = module_worker_new(d->core, workers_get(d->workers, i),
		                        transport_get(d->transports, i), d->proxies[i],
		                        &d->each[i].modules, &error);
	}
	return err ? failed(err, "modules", error) : 0;
}

/* --- running ------------------------------------------------------------------------------------
 */

static void end_cb(void *arg, bool at_once)
{
	daemon_end(arg, at_once);
}

static void reload_cb(void *arg, ctl_reload_cb *cb, void *cb_arg)
{
	daemon_reload(arg, cb, cb_arg);
}

static int open_control(struct daemon *d)
{
	int err;

	d->env = (struct ctl_env){
		.conf = d->conf,
		.workers = d->workers,
		.counters = d->counters,
		.transports = d->transports,
		.txns = d->txns,
		.proxies = d->proxies,
		.dns = d->each[0].dns,
		.location = d->location,
		.subscribers = d->subscribers,
		.store = d->store,
		.core = d->core,
		.mailbox = d->mailbox,
		.started_ms = loop_now_ms(),
		.stop = end_cb,
		.reload = reload_cb,
		.arg = d,
	};
	err = ctl_server_new(d->base, d->control_fd, d->conf->control.socket.p, &d->env,
	                     &d->control);
	if (!err) {
		d->control_fd = -1;
	}
	return err;
}

static int run_threads(struct daemon *d)
{
	int err;

	store_set_main(d->store, d->mailbox);
	err = store_start(d->store, d->workers, d->counters);
	for (unsigned i = 0; !err && i < workers_n(d->workers); i++) {
		err = loc_table_start_worker(d->location, workers_get(d->workers, i));
		err = err ? err : transport_start(transport_get(d->transports, i));
	}
	err = err ? err : open_control(d);
	err = err ? err : workers_start(d->workers);
	if (!err) {
		d->is_running = true;
		err = loop_start(d);
	}
	return err ? failed(err, "threads", NULL) : 0;
}

static void say_ready(struct daemon *d)
{
	const struct log_field fields[] = {
		LOG_Z("version", PACKAGE_VERSION),
		LOG_U("workers", workers_n(d->workers)),
		LOG_U("bindings", loc_count(d->location)),
		LOG_S("control", d->conf->control.socket),
	};
	const struct tp_listener *l;
	char text[NET_ADDR_TEXT];

	for (size_t i = 0; (l = transport_listener(d->transports, i)); i++) {
		log_notice("listen", LOG_S("transport", tp_proto_param(l->proto)),
		           LOG_S("address", net_addr_text(&l->addr, text)),
		           LOG_S("as", l->uri_hostport));
	}
	d->env.is_ready = true;
	notify_ready();
	log_always("ready", fields, sizeof(fields) / sizeof(fields[0]));
}

int daemon_start(struct daemon *d)
{
	static int (*const steps[])(struct daemon *) = {
		load_state,
		make_all_layers,
		make_modules,
		run_threads,
	};
	char *error = NULL;
	int err, code;

	d->control_fd = -1;
	raise_descriptors();
	err = identity_find(&d->conf->server, &d->identity, &error);
	if (err) {
		return failed(err, "server.user", error);
	}
	err = loop_init(d);
	err = err ? err : make_workers(d);
	if (err) {
		return failed(err, "workers", NULL);
	}
	code = bind_all(d);
	if (code) {
		return code;
	}
	err = privileges_drop(&d->identity, &error);
	if (err) {
		return failed(err, "privileges", error);
	}
	for (size_t i = 0; !code && i < sizeof(steps) / sizeof(steps[0]); i++) {
		code = steps[i](d);
	}
	if (!code) {
		say_ready(d);
	}
	return code;
}
