/* SPDX-License-Identifier: Apache-2.0 */
#include "util/log.h"

#include "support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

/* What a test's sink has seen. */
struct seen {
	size_t lines, suppressed;
	char last[4096];
};

static void see(void *arg, struct str line)
{
	struct seen *seen = arg;
	const char *n;

	ck_assert_ptr_null(memchr(line.p, '\n', line.n));
	snprintf(seen->last, sizeof(seen->last), "%.*s", STR_FMT(line));
	n = strstr(seen->last, "event=log.suppressed of=");
	if (n) {
		seen->suppressed += strtoul(strstr(n, "lines=") + 6, NULL, 10);
	} else {
		seen->lines++;
	}
}

START_TEST(log_drops_lines_below_its_level)
{
	struct seen seen = { 0 };

	log_set_sink(see, &seen);
	log_set_level(LOG_LVL_NOTICE);
	log_debug("t.debug", LOG_U("n", 1));
	log_info("t.info", LOG_U("n", 1));
	ck_assert_uint_eq(seen.lines, 0);
	log_notice("t.notice", LOG_Z("who", "x"));
	ck_assert_ptr_nonnull(strstr(seen.last, " level=notice event=t.notice who=x"));
	log_error("t.error", LOG_ERR(BELFRY_EFULL));
	ck_assert_ptr_nonnull(
		strstr(seen.last, " level=error event=t.error error=\"a limit is reached\""));
	ck_assert_uint_eq(seen.lines, 2);
	log_set_level(LOG_LVL_DEBUG);
	log_debug("t.debug", LOG_U("n", 1));
	ck_assert_uint_eq(seen.lines, 3);
}
END_TEST

START_TEST(log_always_appears_at_every_level)
{
	struct seen seen = { 0 };
	const struct log_field field = LOG_U("n", 1);

	log_set_sink(see, &seen);
	log_set_level(LOG_LVL_ERROR);
	log_set_rate(1);
	for (int i = 0; i < 3; i++) {
		log_always("ready", &field, 1);
	}
	ck_assert_uint_eq(seen.lines, 3);
	ck_assert_ptr_nonnull(strstr(seen.last, " event=ready "));
}
END_TEST

START_TEST(log_levels_have_names_and_no_others)
{
	for (int i = LOG_LVL_DEBUG; i <= LOG_LVL_ERROR; i++) {
		enum log_level level = LOG_LVL_DEBUG;

		ck_assert_int_eq(log_level_parse(str_from(log_level_name((enum log_level)i)),
		                                 &level),
		                 0);
		ck_assert_int_eq((int)level, i);
	}
	enum log_level level;

	ck_assert_int_eq(log_level_parse(STR("verbose"), &level), -EINVAL);
	ck_assert_int_eq(log_level_parse(STR(""), &level), -EINVAL);
	ck_assert_int_eq(log_level_parse(STR("Info"), &level), -EINVAL);
}
END_TEST

START_TEST(log_limits_each_event_and_tells_how_many_lines_were_left_out)
{
	struct seen seen = { 0 };

	log_set_sink(see, &seen);
	for (int i = 0; i < 1000; i++) {
		log_info("t.flood", LOG_I("i", i));
	}
	ck_assert_uint_ge(seen.lines, LOG_RATE_MAX);
	ck_assert_uint_lt(seen.lines, 1000); /* however the seconds fell */
	log_info("t.other", LOG_U("n", 1));  /* has a limit of its own */
	ck_assert_ptr_nonnull(strstr(seen.last, "event=t.other"));
	log_flush_suppressed();
	ck_assert_uint_eq(seen.lines - 1 + seen.suppressed, 1000);
	seen.last[0] = '\0';
	log_flush_suppressed();
	ck_assert_str_eq(seen.last, "");
}
END_TEST

START_TEST(log_without_a_limit_leaves_nothing_out)
{
	struct seen seen = { 0 };

	log_set_sink(see, &seen);
	log_set_rate(0);
	for (int i = 0; i < 1000; i++) {
		log_info("t.flood", LOG_I("i", i));
	}
	ck_assert_uint_eq(seen.lines, 1000);
}
END_TEST

START_TEST(log_keeps_limits_for_more_events_than_it_has_room_for)
{
	struct seen seen = { 0 };
	char event[32];

	log_set_sink(see, &seen);
	log_set_rate(1);
	for (int i = 0; i < 5000; i++) {
		snprintf(event, sizeof(event), "t.%d", i);
		log_info(event, LOG_I("i", i));
	}
	log_flush_suppressed();
	ck_assert_uint_eq(seen.lines + seen.suppressed, 5000);
}
END_TEST

START_TEST(log_leaves_errno_alone)
{
	struct seen seen = { 0 };
	int closed = dup(STDERR_FILENO);

	log_set_sink(see, &seen);
	errno = EDOM;
	log_info("t.errno", LOG_U("n", 1));
	ck_assert_int_eq(errno, EDOM);
	log_set_sink(NULL, NULL);
	close(STDERR_FILENO); /* every write fails */
	log_info("t.errno", LOG_U("n", 1));
	ck_assert_int_eq(errno, EDOM);
	dup2(closed, STDERR_FILENO);
}
END_TEST

/* Runs @fn with stderr going to a pipe; what came is in @text. */
static void with_stderr(void (*fn)(void), char *text, size_t size)
{
	int saved = dup(STDERR_FILENO), fds[2];
	ssize_t n;

	ck_assert_int_eq(pipe(fds), 0);
	ck_assert_int_ge(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20), 1 << 20);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	fn();
	dup2(saved, STDERR_FILENO);
	close(saved);
	size--;
	while ((n = read(fds[0], text, size)) > 0) {
		text += n;
		size -= (size_t)n;
	}
	*text = '\0';
	close(fds[0]);
}

static void log_to_stderr(void)
{
	log_setup(LOG_TO_STDERR, LOG_AS_LOGFMT, LOG_LVL_INFO);
	log_info("t.one", LOG_U("n", 1));
	log_setup(LOG_TO_STDERR, LOG_AS_JSON, LOG_LVL_INFO);
	log_info("t.two", LOG_U("n", 2));
}

START_TEST(log_writes_lines_with_their_time_to_stderr)
{
	char text[1000], *second;

	with_stderr(log_to_stderr, text, sizeof(text));
	ck_assert_int_eq(strncmp(text, "ts=2", 4), 0);
	second = strchr(text, '\n') + 1;
	ck_assert_ptr_nonnull(strstr(text, "Z level=info event=t.one n=1\n"));
	ck_assert_int_eq(strncmp(second, "{\"ts\":\"2", 8), 0);
	ck_assert_ptr_nonnull(strstr(second, "\"event\":\"t.two\",\"n\":2}\n"));
}
END_TEST

static void *log_many(void *arg)
{
	char value[200];

	memset(value, *(char *)arg, sizeof(value));
	for (int i = 0; i < 1000; i++) {
		log_info("t.thread", LOG_S("v", str_make(value, sizeof(value))));
		log_set_level(LOG_LVL_INFO);
	}
	return NULL;
}

static void log_from_threads(void)
{
	static char names[] = "abc";
	pthread_t threads[3];

	log_set_rate(0);
	for (int i = 0; i < 3; i++) {
		pthread_create(&threads[i], NULL, log_many, &names[i]);
	}
	for (int i = 0; i < 10; i++) { /* reloads meanwhile */
		log_setup(LOG_TO_STDERR, i % 2 ? LOG_AS_JSON : LOG_AS_LOGFMT, LOG_LVL_INFO);
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
	}
}

START_TEST(log_lines_of_many_threads_stay_whole)
{
	static char text[1 << 20];
	int lines = 0;

	with_stderr(log_from_threads, text, sizeof(text));
	for (char *p = text, *end; *p; p = end + 1, lines++) {
		size_t run;

		end = strchr(p, '\n');
		ck_assert_ptr_nonnull(end);
		*end = '\0';
		p = strstr(p, *p == '{' ? "\"v\":\"" : " v=");
		ck_assert_ptr_nonnull(p);
		p += *p == ' ' ? 3 : 5;
		run = strspn(p, (char[]){ *p, '\0' });
		ck_assert_uint_eq(run, 200);
	}
	ck_assert_int_eq(lines, 3000);
}
END_TEST

UNIT_MAIN("util/log", log_drops_lines_below_its_level, log_always_appears_at_every_level,
          log_levels_have_names_and_no_others,
          log_limits_each_event_and_tells_how_many_lines_were_left_out,
          log_without_a_limit_leaves_nothing_out,
          log_keeps_limits_for_more_events_than_it_has_room_for, log_leaves_errno_alone,
          log_writes_lines_with_their_time_to_stderr, log_lines_of_many_threads_stay_whole)
