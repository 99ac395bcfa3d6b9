/* SPDX-License-Identifier: Apache-2.0 */
#include "client/trace.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/ladder.h"
#include "client/pcap.h"
#include "util/base64.h"

#define WIDTH 100 /* when it is not known */

struct trace {
	const struct trace_options *o;
	struct ladder *ladder; /* NULL: none is drawn */
	struct pcap *pcap;
	sigset_t mask; /* of signals, while waiting */
	bool is_broken;
	long long shown, dropped;
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
	(void)number;
	is_interrupted = 1;
}

/* From now on the two arrive only while we wait. */
static void catch_signals(struct trace *t)
{
	const struct sigaction action = { .sa_handler = on_signal };
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, &t->mask);
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
}

static bool wait_cb(int fd, void *arg)
{
	struct trace *t = arg;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	while (!is_interrupted && !t->is_broken) {
		if (ppoll(&pfd, 1, NULL, &t->mask) > 0) {
			return true;
		}
	}
	return false;
}

static unsigned width_of_terminal(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize ws;
	unsigned long n;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0) {
		return ws.ws_col;
	}
	n = columns ? strtoul(columns, NULL, 10) : 0;
	return n > 0 && n < 10000 ? (unsigned)n : WIDTH;
}

/* --- the capture file ---------------------------------------------------------------------------
 */

static const char *text_of(const json_t *m, const char *key)
{
	const char *v = json_string_value(json_object_get(m, key));

	return v ? v : "";
}

static bool write_message(struct pcap *p, const json_t *m)
{
	const json_t *text = json_object_get(m, "text"), *coded = json_object_get(m, "base64");
	struct pcap_message pm = {
		.unix_us = (int64_t)(json_number_value(json_object_get(m, "time")) * 1e6 + 0.5),
		.source = text_of(m, "source"),
		.destination = text_of(m, "destination"),
		.transport = text_of(m, "transport"),
		.data = json_string_value(text),
		.n = json_string_length(text),
	};
	char *space = NULL;
	bool ok;

	if (coded) {
		struct str in = str_make(json_string_value(coded), json_string_length(coded));
		ptrdiff_t n;

		space = malloc(in.n + 1);
		n = space ? base64_decode(space, in.n, in) : 0;
		pm.data = space;
		pm.n = n > 0 ? (size_t)n : 0;
	}
	ok = pm.n == 0 || pcap_write(p, &pm);
	free(space);
	return ok;
}

static void cannot_write(const char *path)
{
	(void)fprintf(stderr, "belfryctl: cannot write %s: %s\n", path, strerror(errno));
}

/* --- notifications ------------------------------------------------------------------------------
 */

static void show(struct trace *t, const json_t *m)
{
	t->shown++;
	if (t->pcap && !write_message(t->pcap, m)) {
		cannot_write(t->o->pcap);
		t->is_broken = true;
	}
	if (t->ladder) {
		ladder_message(t->ladder, m);
	}
}

static void event_cb(const json_t *params, void *arg)
{
	long long dropped = json_integer_value(json_object_get(params, "dropped"));
	struct trace *t = arg;

	if (t->o->json) {
		(void)json_dumpf(params, stdout, JSON_COMPACT | JSON_REAL_PRECISION(16));
		(void)putchar('\n');
		t->is_broken = fflush(stdout) != 0 || t->is_broken;
	}
	if (json_object_get(params, "started")) {
		(void)fputs("belfryctl: waiting for messages; Ctrl-C ends\n", stderr);
	} else if (dropped > 0) {
		t->dropped += dropped;
		if (t->ladder) {
			ladder_dropped(t->ladder, dropped);
		}
	} else if (json_object_get(params, "time")) {
		show(t, params);
	}
	if (t->ladder && ferror(stdout)) {
		t->is_broken = true; /* nobody reads it any more */
	}
}

/* --- the whole ----------------------------------------------------------------------------------
 */

static bool open_outputs(struct trace *t)
{
	const struct trace_options *o = t->o;

	if (o->pcap) {
		t->pcap = pcap_open(o->pcap);
		if (!t->pcap) {
			cannot_write(o->pcap);
			return false;
		}
	}
	if (!o->json && !(o->pcap && strcmp(o->pcap, "-") == 0)) {
		t->ladder = ladder_new(stdout, width_of_terminal(), o->with_text);
		if (!t->ladder) {
			(void)fputs("belfryctl: out of memory\n", stderr);
			return false;
		}
	}
	return true;
}

int trace_run(struct ask *ask, const char *method, json_t *params, const struct trace_options *o,
              json_t **result_r)
{
	struct trace t = { .o = o };
	const struct ask_stream stream = { .wait = wait_cb, .event = event_cb, .arg = &t };
	int code = -2;

	*result_r = NULL;
	if (open_outputs(&t)) {
		catch_signals(&t);
		code = ask_call_stream(ask, method, params, &stream, result_r);
		(void)fprintf(stderr, "belfryctl: %lld messages, %lld not shown\n", t.shown,
		              t.dropped);
	} else {
		json_decref(params);
	}
	ladder_free(t.ladder);
	pcap_close(t.pcap);
	return t.is_broken ? -2 : code;
}
