/* SPDX-License-Identifier: Apache-2.0 */
/* What the journal and syslog are given: this program has their functions instead of the libraries.
 */
#include "util/log.h"

#include "support/unit.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/uio.h>
#include <syslog.h>

#define SEEN_MAX 40

static struct {
	int n, priority;
	char fields[SEEN_MAX][2048];
} seen;

int sd_journal_sendv(const struct iovec *iov, int n);

int sd_journal_sendv(const struct iovec *iov, int n)
{
	ck_assert_int_le(n, SEEN_MAX);
	seen.n = n;
	for (int i = 0; i < n; i++) {
		snprintf(seen.fields[i], sizeof(seen.fields[i]), "%.*s", (int)iov[i].iov_len,
		         (const char *)iov[i].iov_base);
	}
	return 0;
}

static void on_syslog(int priority, const char *fmt, va_list ap)
{
	seen.n++;
	seen.priority = priority;
	vsnprintf(seen.fields[0], sizeof(seen.fields[0]), fmt, ap);
}

void syslog(int priority, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	on_syslog(priority, fmt, ap);
	va_end(ap);
}

/* What a build with _FORTIFY_SOURCE calls instead. */
void __syslog_chk(int priority, int flag, const char *fmt, ...);

void __syslog_chk(int priority, int flag, const char *fmt, ...)
{
	va_list ap;

	(void)flag;
	va_start(ap, fmt);
	on_syslog(priority, fmt, ap);
	va_end(ap);
}

START_TEST(syslog_gets_the_line_with_its_priority_and_no_time)
{
	log_setup(LOG_TO_SYSLOG, LOG_AS_LOGFMT, LOG_LVL_INFO);
	log_warning("t.syslog", LOG_Z("who", "a%sb"));
	ck_assert_int_eq(seen.n, 1);
	ck_assert_int_eq(seen.priority, LOG_DAEMON | LOG_WARNING);
	ck_assert_str_eq(seen.fields[0], "level=warning event=t.syslog who=a%sb");
	log_setup(LOG_TO_SYSLOG, LOG_AS_JSON, LOG_LVL_INFO);
	log_error("t.syslog", LOG_U("n", 2));
	ck_assert_int_eq(seen.priority, LOG_DAEMON | LOG_ERR);
	ck_assert_str_eq(seen.fields[0], "{\"level\":\"error\",\"event\":\"t.syslog\",\"n\":2}");
}
END_TEST

#ifdef HAVE_SYSTEMD
START_TEST(journal_gets_each_field_by_its_own_name)
{
	ck_assert(log_has_journal());
	log_setup(LOG_TO_JOURNAL, LOG_AS_JSON, LOG_LVL_INFO);
	log_notice("binding.stored", LOG_Z("aor", "sip:a b\n@x"), LOG_U("commit-us", 12),
	           LOG_B("ok", true));
	ck_assert_int_eq(seen.n, 7);
	ck_assert_str_eq(seen.fields[0],
	                 "MESSAGE=level=notice event=binding.stored aor=\"sip:a b\\n@x\" "
	                 "commit-us=12 ok=true");
	ck_assert_str_eq(seen.fields[1], "PRIORITY=5");
	ck_assert_str_eq(seen.fields[2], "SYSLOG_IDENTIFIER=belfryd");
	ck_assert_str_eq(seen.fields[3], "BELFRY_EVENT=binding.stored");
	ck_assert_str_eq(seen.fields[4], "BELFRY_AOR=sip:a b\n@x");
	ck_assert_str_eq(seen.fields[5], "BELFRY_COMMIT_US=12");
	ck_assert_str_eq(seen.fields[6], "BELFRY_OK=true");
}
END_TEST

START_TEST(journal_gets_no_more_than_fits)
{
	static char value[5000];
	struct log_field fields[30];

	memset(value, 'x', sizeof(value));
	for (size_t i = 0; i < 30; i++) {
		fields[i] =
			(struct log_field)LOG_S("k", str_make(value, i < 9 ? sizeof(value) : 1));
	}
	log_setup(LOG_TO_JOURNAL, LOG_AS_LOGFMT, LOG_LVL_INFO);
	log_write(LOG_LVL_INFO, "t.many", fields, 30);
	ck_assert_int_ge(seen.n, 8);
	ck_assert_int_le(seen.n, 28);
	ck_assert_uint_lt(strlen(seen.fields[4]), 1100);
	log_write(LOG_LVL_INFO, "t.many", fields + 9, 21);
	ck_assert_int_eq(seen.n, 25);
}
END_TEST
#define JOURNAL_TESTS , journal_gets_each_field_by_its_own_name, journal_gets_no_more_than_fits
#else
START_TEST(journal_that_is_not_built_in_becomes_syslog)
{
	ck_assert(!log_has_journal());
	log_setup(LOG_TO_JOURNAL, LOG_AS_LOGFMT, LOG_LVL_INFO);
	log_info("t.journal", LOG_U("n", 1));
	ck_assert_str_eq(seen.fields[0], "level=info event=t.journal n=1");
}
END_TEST
#define JOURNAL_TESTS , journal_that_is_not_built_in_becomes_syslog
#endif

UNIT_MAIN("util/log_targets", syslog_gets_the_line_with_its_priority_and_no_time JOURNAL_TESTS)
