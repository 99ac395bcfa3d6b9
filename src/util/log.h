/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line per event, an event name ("binding.stored") and typed fields. Any thread; one
 * write(2) per line, never blocking on the writer's own lock for longer than that. Formats:
 * logfmt, JSON, native journal fields. Each event name has a rate limit (lines a second, the
 * surplus is counted and told in a log.suppressed line), so that an attack cannot fill a disk.
 * Never log a secret: there is no way to print a credential type here.
 */
#pragma once

#include "util/err.h"
#include "util/str.h"

#define LOG_RATE_MAX 50 /* lines a second of one event name */

enum log_level { LOG_LVL_DEBUG, LOG_LVL_INFO, LOG_LVL_NOTICE, LOG_LVL_WARNING, LOG_LVL_ERROR };
enum log_target { LOG_TO_STDERR, LOG_TO_JOURNAL, LOG_TO_SYSLOG };
enum log_format { LOG_AS_LOGFMT, LOG_AS_JSON };

struct log_field {
	const char *key;
	enum { LOG_F_STR, LOG_F_I64, LOG_F_U64, LOG_F_BOOL } type;
	union {
		struct str s;
		int64_t i;
		uint64_t u;
		bool b;
	};
};

/* clang-format off */
#define LOG_S(k, v) { .key = (k), .type = LOG_F_STR, .s = (v) }         /* struct str */
#define LOG_Z(k, v) { .key = (k), .type = LOG_F_STR, .s = str_from(v) } /* char * */
#define LOG_I(k, v) { .key = (k), .type = LOG_F_I64, .i = (int64_t)(v) }
#define LOG_U(k, v) { .key = (k), .type = LOG_F_U64, .u = (uint64_t)(v) }
#define LOG_B(k, v) { .key = (k), .type = LOG_F_BOOL, .b = (v) }
#define LOG_ERR(e)  { .key = "error", .type = LOG_F_STR, .s = str_from(belfry_strerror(e)) }
/* clang-format on */

#define log_event(level, event, ...)                                                               \
	do {                                                                                       \
		if ((level) >= log_threshold()) {                                                  \
			const struct log_field log_fields_[] = { __VA_ARGS__ };                    \
			log_write((level), (event), log_fields_,                                   \
			          sizeof(log_fields_) / sizeof(log_fields_[0]));                   \
		}                                                                                  \
	} while (0)
/* log_notice("binding.stored", LOG_S("aor", aor), LOG_U("commit_us", us)); at least one field. */
#define log_debug(event, ...)   log_event(LOG_LVL_DEBUG, event, __VA_ARGS__)
#define log_info(event, ...)    log_event(LOG_LVL_INFO, event, __VA_ARGS__)
#define log_notice(event, ...)  log_event(LOG_LVL_NOTICE, event, __VA_ARGS__)
#define log_warning(event, ...) log_event(LOG_LVL_WARNING, event, __VA_ARGS__)
#define log_error(event, ...)   log_event(LOG_LVL_ERROR, event, __VA_ARGS__)

/* Main thread, before others start or at a reload. Without libsystemd the journal becomes
 * syslog. */
void log_setup(enum log_target target, enum log_format format, enum log_level level);
void log_set_level(enum log_level level); /* any thread */
BELFRY_API enum log_level log_threshold(void);
bool log_has_journal(void); /* built with libsystemd */
bool log_is_on_stderr(void);
/* Lines a second of one event name; 0: no limit. Any thread. */
void log_set_rate(unsigned int lines_per_s);
/* Tells what has been left out since the last time (log.suppressed of=EVENT lines=N). Happens by
 * itself with the first line of a second; call it now and then, and at the end, so that the last
 * burst is told too. Any thread. */
void log_flush_suppressed(void);
/* -EINVAL for an unknown name. */
int log_level_parse(struct str name, enum log_level *level_r);
const char *log_level_name(enum log_level level);
/* errno stays as it was. @event and keys are literals of letters, digits, `_`, `.` and `-`. */
BELFRY_API void log_write(enum log_level level, const char *event, const struct log_field *fields,
                          size_t n);
/* The line that must appear at every level: event=ready. */
void log_always(const char *event, const struct log_field *fields, size_t n);
/* Tests: lines go here instead, one at a time; @cb must not log. NULL: as set up again. */
typedef void(log_sink_cb)(void *arg, struct str line);
void log_set_sink(log_sink_cb *cb, void *arg);
