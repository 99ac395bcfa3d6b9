/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reload in two phases. Prepare: the whole configuration is read and checked, modules look at it,
 * new listeners are bound; anything wrong undoes that, is told to the caller, and nothing has
 * changed. Then every worker adopts the new settings, and the modules; the answer comes when all
 * have.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "daemon/daemon.h"
#include "daemon/notify.h"
#include "dns/resolve.h"
#include "util/err.h"
#include "util/log.h"

struct reload {
	struct job job; /* from the last worker to this thread */
	struct daemon *d;
	struct conf *conf; /* the new one */
	void *plan;        /* of the listeners; NULL: committed or none */
	struct metrics *metrics;
	bool has_metrics; /* put in place of the old ones */
	ctl_reload_cb *cb;
	void *cb_arg;
};

static void end(struct reload *r, char *error)
{
	struct daemon *d = r->d;
	ctl_reload_cb *cb = r->cb;
	void *cb_arg = r->cb_arg;

	if (error) {
		log_error("reload.refused", LOG_Z("error", error));
	} else {
		log_notice("reloaded", LOG_S("file", d->conf->file));
	}
	free(d->env.last_reload.error);
	d->env.last_reload.error = error;
	d->env.last_reload.unix_s = time(NULL);
	conf_unref(&r->conf);
	d->reload = NULL;
	free(r);
	if (!d->is_stopping) {
		notify_ready();
	}
	cb(error, cb_arg);
	if (d->is_reload_wanted) {
		daemon_reload_soon(d);
	}
}

/* Undoes what has been prepared. @error is heap; NULL: the text of @err. */
static void refuse(struct reload *r, int err, char *error)
{
	if (r->plan) {
		transport_group_abort(r->d->transports, r->plan);
	}
	if (r->has_metrics) {
		metrics_free(r->metrics);
	}
	end(r, error ? error : str_dup(str_from(belfry_strerror(err))));
}

/* --- second phase -------------------------------------------------------------------------------
 */

static void post_home(struct worker *w, void *arg)
{
	struct reload *r = arg;

	(void)w;
	mailbox_post_sure(r->d->mailbox, &r->job);
}

static void take_metrics(struct reload *r)
{
	if (r->has_metrics) {
		metrics_free(r->d->metrics);
		r->d->metrics = r->metrics;
	}
}

static void on_modules_adopted(struct job *job, void *ctx)
{
	struct reload *r = (struct reload *)(void *)job;
	struct daemon *d = r->d;
	struct conf *old = d->conf;

	(void)ctx;
	take_metrics(r);
	d->conf = conf_ref(r->conf);
	d->env.conf = d->conf;
	conf_unref(&old);
	config_setup_log(&d->options, d->conf);
	config_warn(d->conf);
	end(r, NULL);
}

static void adopt_dns(struct worker *w, void *arg)
{
	struct reload *r = arg;

	if (dns_resolver_set_conf(r->d->each[w->id].dns, r->conf)) {
		log_error("dns.settings_not_adopted", LOG_U("worker", w->id));
	}
}

static void dns_adopted(struct worker *w, void *arg)
{
	post_home(w, arg);
}

/* Past the point of return: what fails here is logged, and the rest goes on. */
static void on_dns(struct job *job, void *ctx)
{
	struct reload *r = (struct reload *)(void *)job;

	r->job.run = on_modules_adopted;
	if (module_core_adopt(r->d->core, r->conf, post_home, r)) {
		log_error("modules.settings_not_adopted", LOG_Z("error", "out of memory"));
		on_modules_adopted(job, ctx);
	}
}

static void on_workers_adopted(struct job *job, void *ctx)
{
	struct reload *r = (struct reload *)(void *)job;

	r->job.run = on_dns;
	if (workers_each(r->d->workers, adopt_dns, dns_adopted, -1, r)) {
		log_error("dns.settings_not_adopted", LOG_Z("error", "out of memory"));
		on_dns(job, ctx);
	}
}

/* --- first phase --------------------------------------------------------------------------------
 */

static int prepare_metrics(struct reload *r, char **error_r)
{
	struct daemon *d = r->d;
	const struct metrics_source source = daemon_metrics(d);

	*error_r = NULL;
	if (str_eq(r->conf->metrics.listen, d->conf->metrics.listen)) {
		return 0;
	}
	if (r->conf->metrics.listen.n > 0) {
		int err =
			metrics_new(d->base, &r->conf->metrics.addr, &source, &r->metrics, error_r);

		if (err) {
			return err;
		}
	}
	r->has_metrics = true;
	return 0;
}

static int prepare(struct reload *r, char **error_r)
{
	struct daemon *d = r->d;
	const char *name;
	int err = config_load(&d->options, d->loader, &r->conf, error_r);

	if (err) {
		return err;
	}
	name = conf_needs_restart(d->conf, r->conf);
	if (name) {
		if (asprintf(error_r, "%s: a change of %s needs a restart", d->options.file, name) <
		    0) {
			*error_r = NULL;
		}
		return BELFRY_ECONF;
	}
	err = dns_settings_check(r->conf, error_r);
	err = err ? err : module_core_prepare(d->core, r->conf, error_r);
	err = err ? err : prepare_metrics(r, error_r);
	err = err ? err : transport_group_prepare(d->transports, r->conf, &r->plan, error_r);
	/* The last one: this is not undone. */
	return err ? err : ctl_socket_change(&d->conf->control, &r->conf->control, error_r);
}

void daemon_reload(struct daemon *d, ctl_reload_cb *cb, void *cb_arg)
{
	struct reload *r;
	const char *why;
	char *error = NULL;
	int err;

	r = d->reload || d->is_stopping ? NULL : calloc(1, sizeof(*r));
	if (!r) {
		why = d->reload        ? "a reload is going on"
		      : d->is_stopping ? "the server is stopping"
		                       : "out of memory";
		log_error("reload.refused", LOG_Z("error", why));
		cb(why, cb_arg);
		return;
	}
	*r = (struct reload){ .job.run = on_workers_adopted, .d = d, .cb = cb, .cb_arg = cb_arg };
	d->reload = r;
	notify_reloading();
	err = prepare(r, &error);
	err = err ? err : workers_set_conf(d->workers, r->conf, post_home, r);
	if (err) {
		refuse(r, err, error);
		return;
	}
	transport_group_commit(d->transports, r->plan);
	r->plan = NULL;
}

static void nobody_waits(const char *error, void *arg)
{
	(void)error; /* it has been logged */
	(void)arg;
}

void daemon_reload_soon(struct daemon *d)
{
	/* The file may have changed since the one that runs has read it. */
	d->is_reload_wanted = d->reload != NULL;
	if (!d->reload) {
		daemon_reload(d, nobody_waits, NULL);
	}
}
