/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only global state of the program. Settings are atomics: a line that is being written during
 * a reload goes to the old place or to the new one. The lock covers the rate table, and the sink of
 * tests; no line is written with it held.
 */
#include "util/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>
#endif

#include "util/log_text.h"

#define IDENTIFIER     "belfryd"
#define RATE_SLOTS     512
#define RATE_PROBES    8
#define RATE_NAME_MAX  48
#define JOURNAL_FIELDS 24 /* of the caller, at most */

struct rate {
	char event[RATE_NAME_MAX]; /* "": free */
	time_t second;
	unsigned int passed;
	uint64_t suppressed;
};

static struct {
	atomic_int level, target, format;
	atomic_uint rate_max; /* lines a second and event; 0: no limit */
	pthread_mutex_t lock;
	struct rate rates[RATE_SLOTS];
	time_t told; /* the second in which suppressed lines were last told */
	log_sink_cb *sink;
	void *sink_arg;
	atomic_bool has_sink;
} log_state = {
	.level = LOG_LVL_INFO,
	.target = LOG_TO_STDERR,
	.format = LOG_AS_LOGFMT,
	.rate_max = LOG_RATE_MAX,
	.lock = PTHREAD_MUTEX_INITIALIZER,
};

static const char *const level_names[] = { "debug", "info", "notice", "warning", "error" };
static const int priorities[] = { LOG_DEBUG, LOG_INFO, LOG_NOTICE, LOG_WARNING, LOG_ERR };

bool log_has_journal(void)
{
#ifdef HAVE_SYSTEMD
	return true;
#else
	return false;
#endif
}

void log_setup(enum log_target target, enum log_format format, enum log_level level)
{
	if (target == LOG_TO_JOURNAL && !log_has_journal()) {
		target = LOG_TO_SYSLOG;
	}
	if (target == LOG_TO_SYSLOG) {
		openlog(IDENTIFIER, LOG_PID | LOG_NDELAY, LOG_DAEMON);
	}
	atomic_store(&log_state.format, (int)format);
	atomic_store(&log_state.target, (int)target);
	atomic_store(&log_state.level, (int)level);
}

bool log_is_on_stderr(void)
{
	return atomic_load(&log_state.target) == LOG_TO_STDERR;
}

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_state.level, (int)level, memory_order_relaxed);
}

void log_set_rate(unsigned int lines_per_s)
{
	atomic_store_explicit(&log_state.rate_max, lines_per_s, memory_order_relaxed);
}

enum log_level log_threshold(void)
{
	return (enum log_level)atomic_load_explicit(&log_state.level, memory_order_relaxed);
}

int log_level_parse(struct str name, enum log_level *level_r)
{
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (str_eq(name, str_from(level_names[i]))) {
			*level_r = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
	return level_names[level];
}

void log_set_sink(log_sink_cb *cb, void *arg)
{
	pthread_mutex_lock(&log_state.lock);
	log_state.sink = cb;
	log_state.sink_arg = arg;
	atomic_store(&log_state.has_sink, cb != NULL);
	pthread_mutex_unlock(&log_state.lock);
}

/* -- where lines go */

static void to_stderr(struct sbuf *text)
{
	ssize_t n;

	sbuf_char(text, '\n');
	do {
		n = write(STDERR_FILENO, text->p, text->n);
	} while (n < 0 && errno == EINTR);
	/* A log that cannot be written has nowhere to say so. */
}

static void to_sink(struct str line)
{
	pthread_mutex_lock(&log_state.lock);
	if (log_state.sink) {
		log_state.sink(log_state.sink_arg, line);
	}
	pthread_mutex_unlock(&log_state.lock);
}

#ifdef HAVE_SYSTEMD
static void journal_key(struct sbuf *out, const char *key)
{
	sbuf_add(out, STR("BELFRY_"));
	for (; *key; key++) {
		char c = *key;

		if (ascii_is_alpha((unsigned char)c)) {
			c = (char)(c & ~0x20);
		} else if (!ascii_is_digit((unsigned char)c)) {
			c = '_';
		}
		sbuf_char(out, c);
	}
	sbuf_char(out, '=');
}

/* Field by field as the journal has them; the message itself reads like the logfmt line. */
static void to_journal(const struct log_line *line, struct str text)
{
	struct iovec iov[JOURNAL_FIELDS + 4];
	char space[3 * LOG_LINE_MAX], number[24];
	struct sbuf out;
	int n = 0;

	sbuf_init(&out, space, sizeof(space));
	for (size_t i = 0; i < line->n + 4 && n < JOURNAL_FIELDS + 4; i++) {
		size_t start = out.n;

		switch (i) {
		case 0:
			sbuf_add(&out, STR("MESSAGE="));
			sbuf_add(&out, text);
			break;
		case 1: sbuf_printf(&out, "PRIORITY=%d", priorities[line->level]); break;
		case 2: sbuf_add(&out, STR("SYSLOG_IDENTIFIER=" IDENTIFIER)); break;
		case 3: sbuf_printf(&out, "BELFRY_EVENT=%s", line->event); break;
		default: {
			struct str value = log_text_value(&line->fields[i - 4], number);

			journal_key(&out, line->fields[i - 4].key);
			value.n = value.n < LOG_VALUE_MAX ? value.n : LOG_VALUE_MAX;
			sbuf_add(&out, value);
		}
		}
		if (!sbuf_ok(&out)) {
			break;
		}
		iov[n++] = (struct iovec){ out.p + start, out.n - start };
	}
	sd_journal_sendv(iov, n);
}
#endif

static void emit(const struct log_line *given)
{
	struct log_line line = *given;
	enum log_target target = (enum log_target)atomic_load(&log_state.target);
	enum log_format format = (enum log_format)atomic_load(&log_state.format);
	bool has_sink = atomic_load(&log_state.has_sink);
	char space[LOG_LINE_MAX];
	struct sbuf text;

	if (has_sink || target == LOG_TO_STDERR) {
		clock_gettime(CLOCK_REALTIME, &line.time);
	}
	sbuf_init(&text, space, sizeof(space) - 1);
	log_text_print(&text, &line, target == LOG_TO_JOURNAL ? LOG_AS_LOGFMT : format);
	text.cap++;
	if (has_sink) {
		to_sink(sbuf_str(&text));
		return;
	}
	switch (target) {
	case LOG_TO_STDERR: to_stderr(&text); break;
	case LOG_TO_SYSLOG:
		syslog(LOG_DAEMON | priorities[line.level], "%.*s", STR_FMT(sbuf_str(&text)));
		break;
	case LOG_TO_JOURNAL:
#ifdef HAVE_SYSTEMD
		to_journal(&line, sbuf_str(&text));
#endif
		break;
	}
}

/* -- the rate of each event */

static time_t now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

static uint32_t hash_name(const char *event)
{
	uint32_t h = 2166136261U;

	for (; *event; event++) {
		h = (h ^ (unsigned char)*event) * 16777619U;
	}
	return h;
}

/* The record of @event. Event names are ours and few; should the table be crowded all the same, two
 * may share a record, and its limit. */
static struct rate *rate_find(const char *event)
{
	uint32_t h = hash_name(event);
	struct rate *rate = NULL;

	for (uint32_t i = 0; i < RATE_PROBES; i++) {
		rate = &log_state.rates[(h + i) % RATE_SLOTS];
		if (!*rate->event) {
			snprintf(rate->event, sizeof(rate->event), "%s", event);
			return rate;
		}
		if (strncmp(rate->event, event, sizeof(rate->event) - 1) == 0) {
			return rate;
		}
	}
	return rate;
}

static bool rate_allows(const char *event, unsigned int max)
{
	time_t now = now_s();
	struct rate *rate;
	bool ok, tell;

	pthread_mutex_lock(&log_state.lock);
	rate = rate_find(event);
	if (rate->second != now) {
		rate->second = now;
		rate->passed = 0;
	}
	ok = rate->passed < max;
	if (ok) {
		rate->passed++;
	} else {
		rate->suppressed++;
	}
	tell = log_state.told != now;
	log_state.told = now;
	pthread_mutex_unlock(&log_state.lock);
	if (tell) {
		log_flush_suppressed();
	}
	return ok;
}

void log_flush_suppressed(void)
{
	for (size_t i = 0; i < RATE_SLOTS; i++) {
		struct rate *rate = &log_state.rates[i];
		char event[RATE_NAME_MAX];
		uint64_t n;

		pthread_mutex_lock(&log_state.lock);
		n = rate->suppressed;
		rate->suppressed = 0;
		memcpy(event, rate->event, sizeof(event));
		pthread_mutex_unlock(&log_state.lock);
		if (n) {
			const struct log_field fields[] = { LOG_Z("of", event), LOG_U("lines", n) };

			emit(&(struct log_line){ .level = LOG_LVL_WARNING,
			                         .event = "log.suppressed",
			                         .fields = fields,
			                         .n = 2 });
		}
	}
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t n)
{
	unsigned int max = atomic_load_explicit(&log_state.rate_max, memory_order_relaxed);
	int saved_errno = errno;

	if (max == 0 || rate_allows(event, max)) {
		emit(&(struct log_line){
			.level = level, .event = event, .fields = fields, .n = n });
	}
	errno = saved_errno;
}

void log_always(const char *event, const struct log_field *fields, size_t n)
{
	int saved_errno = errno;

	emit(&(struct log_line){
		.level = LOG_LVL_NOTICE, .event = event, .fields = fields, .n = n });
	errno = saved_errno;
}
