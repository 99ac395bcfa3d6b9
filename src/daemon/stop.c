/* SPDX-License-Identifier: Apache-2.0 */
/* Ending: drain or at once, then everything in the opposite order of start.c. */
#include <event2/event.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/notify.h"
#include "dns/resolve.h"
#include "util/err.h"
#include "util/log.h"

#define DRAIN_POLL_MS 20
#define ANSWER_MS     1000 /* that clients of the control socket get to read their answer */

/* --- drain --------------------------------------------------------------------------------------
 */

static void begin_drain(struct worker *w, void *arg)
{
	struct daemon *d = arg;

	proxy_set_draining(d->proxies[w->id], true);
}

static void look_at(struct worker *w, void *arg)
{
	struct daemon *d = arg;

	if (!txn_layer_is_idle(d->txns[w->id])) {
		(void)atomic_fetch_add_explicit(&d->busy, 1, memory_order_relaxed);
	}
}

struct asked {
	struct job job;
	struct daemon *d;
};

static void on_asked(struct job *job, void *ctx)
{
	struct daemon *d = ((struct asked *)(void *)job)->d;

	(void)ctx;
	free(job);
	d->is_asking = false;
	if (atomic_load_explicit(&d->busy, memory_order_relaxed) == 0) {
		(void)event_base_loopbreak(d->base);
	}
}

static void all_looked(struct worker *w, void *arg)
{
	struct asked *asked = arg;

	(void)w;
	mailbox_post_sure(asked->d->mailbox, &asked->job);
}

static void look_for(struct worker *w, void *arg)
{
	look_at(w, ((struct asked *)arg)->d);
}

static void on_drain(int fd, short what, void *arg)
{
	struct daemon *d = arg;
	struct asked *asked;

	(void)fd;
	(void)what;
	if (loop_now_ms() >= d->drain_end_ms) {
		log_notice("drain.timeout", LOG_I("drain_timeout", d->conf->server.drain_timeout));
		(void)event_base_loopbreak(d->base);
		return;
	}
	asked = d->is_asking ? NULL : malloc(sizeof(*asked));
	if (!asked) {
		return;
	}
	*asked = (struct asked){ .job.run = on_asked, .d = d };
	atomic_store_explicit(&d->busy, 0, memory_order_relaxed);
	d->is_asking = workers_each(d->workers, look_for, all_looked, -1, asked) == 0;
	if (!d->is_asking) {
		free(asked);
	}
}

static bool start_drain(struct daemon *d)
{
	const struct timeval tv = { .tv_usec = DRAIN_POLL_MS * 1000 };

	d->drain = event_new(d->base, -1, EV_PERSIST, on_drain, d);
	d->drain_end_ms = loop_now_ms() + (uint64_t)d->conf->server.drain_timeout * 1000;
	return d->drain && event_add(d->drain, &tv) == 0 &&
	       workers_each(d->workers, begin_drain, NULL, -1, d) == 0;
}

void daemon_end(struct daemon *d, bool at_once)
{
	if (!d->is_stopping) {
		notify_stopping();
		log_notice("stopping", LOG_B("at_once", at_once));
	}
	at_once = at_once || d->is_stopping;
	d->is_stopping = true;
	d->env.is_draining = true;
	if (at_once || !start_drain(d)) {
		(void)event_base_loopbreak(d->base);
	}
}

/* --- taking down --------------------------------------------------------------------------------
 */

static void cancel_waits(struct worker *w, void *arg)
{
	struct daemon *d = arg;

	module_worker_cancel_waits(d->each[w->id].modules);
}

/* No thread but this one afterwards, and no result on its way. */
static void stop_threads(struct daemon *d)
{
	if (d->is_running) {
		(void)workers_each(d->workers, cancel_waits, NULL, -1, d);
	}
	if (d->workers) {
		workers_stop(d->workers);
	}
	if (d->is_running && loc_table_flush(d->location)) {
		log_error("location.not_flushed",
		          LOG_Z("error", "some bindings may be older in the "
		                         "database than they were"));
	}
	if (d->store) {
		store_stop(d->store);
	}
	if (d->workers) {
		workers_stop(d->workers); /* results of the store */
	}
	if (d->mailbox) {
		loop_drain_mailbox(d);
	}
}

static void free_layers(struct daemon *d)
{
	unsigned n = d->workers ? workers_n(d->workers) : 0;

	for (unsigned i = 0; d->proxies && i < n; i++) {
		if (d->proxies[i]) {
			proxy_free(d->proxies[i]);
		}
	}
	if (d->core) {
		module_core_free(d->core);
	}
	for (unsigned i = 0; i < n; i++) {
		if (d->txns && d->txns[i]) {
			txn_layer_free(d->txns[i]);
		}
		if (d->each && d->each[i].dns) {
			dns_resolver_free(d->each[i].dns);
		}
	}
	if (d->workers) {
		workers_stop(d->workers); /* messages that were to be freed at a turn's end */
	}
	if (d->proxy_shared) {
		proxy_shared_free(d->proxy_shared);
	}
	free(d->proxies);
	free(d->txns);
	free(d->each);
	if (d->location) {
		loc_table_free(d->location);
	}
	if (d->subscribers) {
		sub_table_free(d->subscribers);
	}
	store_free(d->store);
	if (d->transports) {
		transport_group_free(d->transports);
	}
}

void daemon_stop(struct daemon *d)
{
	if (d->control) {
		ctl_server_flush(d->control, ANSWER_MS);
	}
	stop_threads(d);
	ctl_server_free(d->control);
	if (d->control_fd >= 0) {
		(void)close(d->control_fd);
		(void)unlink(d->conf->control.socket.p);
	}
	metrics_free(d->metrics);
	free_layers(d);
	if (d->workers) {
		workers_free(d->workers);
	}
	if (d->counters) {
		counters_free(d->counters);
	}
	loop_fini(d);
	identity_fini(&d->identity);
	free(d->env.last_reload.error);
	log_flush_suppressed();
}
