/* SPDX-License-Identifier: Apache-2.0 */
/* belfryd: arguments, and the order of things. */
#include <errno.h>
#include <event2/event.h>
#include <event2/thread.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "dns/resolve.h"
#include "util/err.h"
#include "util/log.h"

static void on_event_log(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN) {
		log_warning("libevent", LOG_Z("text", text));
	}
}

static void init_libraries(void)
{
	/* Before there are threads: objects are made on workers, too. */
	json_object_seed(0);
	(void)evthread_use_pthreads();
	event_set_log_callback(on_event_log);
}

static int tell(int err, char *error)
{
	(void)fprintf(stderr, "%s\n", error ? error : belfry_strerror(err));
	free(error);
	return err == BELFRY_ECONF ? EXIT_CONF : EXIT_SYSTEM;
}

/* -t: as the user the server will be. Opens nothing, writes nothing. */
static int test(const struct daemon *d)
{
	struct identity id;
	char *error = NULL;
	int err = ctl_group_check(&d->conf->control, &error);

	err = err ? err : identity_find(&d->conf->server, &id, &error);
	if (!err) {
		err = privileges_drop(&id, &error);
		identity_fini(&id);
	}
	err = err ? err : dns_settings_check(d->conf, &error);
	if (err) {
		(void)tell(err, error);
		return EXIT_SYSTEM;
	}
	if (access(d->options.file, R_OK)) {
		(void)fprintf(stderr,
		              "warning: %s: server.user cannot read it: no reload will work\n",
		              d->options.file);
	}
	for (size_t i = 0; i < d->conf->warnings_n; i++) {
		(void)fprintf(stderr, "warning: %.*s\n", STR_FMT(d->conf->warnings[i]));
	}
	(void)printf("%s is fine\n", d->options.file);
	return EXIT_FINE;
}

static int serve(struct daemon *d)
{
	int code;

	config_setup_log(&d->options, d->conf);
	config_warn(d->conf);
	code = daemon_start(d);
	if (!code && event_base_dispatch(d->base) < 0) {
		log_error("loop.failed", LOG_ERR(-errno));
		code = EXIT_SYSTEM;
	}
	daemon_stop(d);
	if (!code) {
		log_notice("stopped", LOG_I("pid", getpid()));
	}
	return code;
}

static int run(struct daemon *d)
{
	char *error = NULL;
	int err;

	d->loader = module_loader_new();
	err = d->loader ? config_load(&d->options, d->loader, &d->conf, &error) : -ENOMEM;
	if (err) {
		return tell(err, error);
	}
	return d->options.test ? test(d) : serve(d);
}

int main(int argc, char **argv)
{
	static struct daemon d;
	int code = options_parse(argc, argv, &d.options);

	if (code < 0) {
		init_libraries();
		code = run(&d);
		conf_unref(&d.conf);
		if (d.loader) {
			module_loader_free(d.loader);
		}
	}
	options_fini(&d.options);
	libevent_global_shutdown();
	return code;
}
