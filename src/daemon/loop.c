/* SPDX-License-Identifier: Apache-2.0 */
/* The main thread's event loop: mailbox, signals, what happens once a second, the watchdog. */
#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <time.h>

#include "daemon/daemon.h"
#include "daemon/notify.h"
#include "util/log.h"

#define MAILBOX_MAX 65536 /* of the bounded lane; nobody uses it here */

static const int signal_numbers[] = { SIGTERM, SIGINT, SIGHUP };

uint64_t loop_now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* --- mailbox ------------------------------------------------------------------------------------
 */

static bool run_jobs(struct daemon *d)
{
	struct job *job = mailbox_take(d->mailbox);
	bool any = job != NULL;

	while (job) {
		struct job *next = job->next;

		job->run(job, NULL);
		job = next;
	}
	return any;
}

void loop_drain_mailbox(struct daemon *d)
{
	mailbox_awake(d->mailbox);
	do {
		while (run_jobs(d)) {
		}
	} while (mailbox_sleep(d->mailbox)); /* true: something came, awake again */
}

static void on_mailbox(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	loop_drain_mailbox(arg);
}

/* --- signals ------------------------------------------------------------------------------------
 */

static void on_signal(int number, short what, void *arg)
{
	(void)what;
	if (number == SIGHUP) {
		daemon_reload_soon(arg);
	} else {
		daemon_end(arg, false);
	}
}

static int signals_init(struct daemon *d)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };

	if (sigaction(SIGPIPE, &ignore, NULL)) {
		return -errno;
	}
	for (size_t i = 0; i < sizeof(signal_numbers) / sizeof(signal_numbers[0]); i++) {
		d->signals[i] = evsignal_new(d->base, signal_numbers[i], on_signal, d);
		if (!d->signals[i] || event_add(d->signals[i], NULL)) {
			return -ENOMEM;
		}
	}
	return 0;
}

/* --- time ---------------------------------------------------------------------------------------
 */

static void on_second(int fd, short what, void *arg)
{
	const struct daemon *d = arg;

	(void)fd;
	(void)what;
	log_flush_suppressed();
	transport_group_second(d->transports);
}

static void turn(struct worker *w, void *arg)
{
	(void)w;
	(void)arg;
}

static void all_turned(struct worker *w, void *arg)
{
	struct daemon *d = arg;

	(void)w;
	atomic_store_explicit(&d->has_turned, true, memory_order_release);
}

/* Feeds the service manager's watchdog when every worker has answered since the last time; a worker
 * that has nothing to do has no turns of its own. */
static void on_watchdog(int fd, short what, void *arg)
{
	struct daemon *d = arg;

	(void)fd;
	(void)what;
	if (d->is_watched &&
	    !atomic_exchange_explicit(&d->has_turned, false, memory_order_acq_rel)) {
		log_warning("watchdog.not_fed", LOG_Z("why", "a worker does not answer"));
		return;
	}
	notify_alive();
	d->is_watched = workers_each(d->workers, turn, all_turned, -1, d) == 0;
}

static int timer(struct daemon *d, struct event **event_r, event_callback_fn fn, uint64_t us)
{
	const struct timeval tv = { .tv_sec = (time_t)(us / 1000000),
		                    .tv_usec = (suseconds_t)(us % 1000000) };

	*event_r = event_new(d->base, -1, EV_PERSIST, fn, d);
	return *event_r && event_add(*event_r, &tv) == 0 ? 0 : -ENOMEM;
}

/* --- life ---------------------------------------------------------------------------------------
 */

int loop_init(struct daemon *d)
{
	d->base = event_base_new();
	d->mailbox = mailbox_new(MAILBOX_MAX);
	if (!d->base || !d->mailbox) {
		return -ENOMEM;
	}
	d->mailbox_event =
		event_new(d->base, mailbox_fd(d->mailbox), EV_READ | EV_PERSIST, on_mailbox, d);
	if (!d->mailbox_event || event_add(d->mailbox_event, NULL)) {
		return -ENOMEM;
	}
	return signals_init(d);
}

int loop_start(struct daemon *d)
{
	uint64_t us = notify_watchdog_us();
	int err = timer(d, &d->second, on_second, 1000000);

	loop_drain_mailbox(d);
	return err || us == 0 ? err : timer(d, &d->watchdog, on_watchdog, us / 3);
}

/* The process is at its end: a signal that comes now is late and must not change its exit code. */
static void signals_fini(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(signal_numbers) / sizeof(signal_numbers[0]); i++) {
		sigaddset(&set, signal_numbers[i]);
	}
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void loop_fini(struct daemon *d)
{
	struct event *all[] = { d->mailbox_event, d->signals[0], d->signals[1], d->signals[2],
		                d->second,        d->watchdog,   d->drain };

	signals_fini();
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (all[i]) {
			event_free(all[i]);
		}
	}
	if (d->mailbox) {
		mailbox_free(d->mailbox);
	}
	if (d->base) {
		event_base_free(d->base);
	}
}
