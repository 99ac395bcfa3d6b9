/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include "util/counters.h"

#include "support/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

static const double bounds[] = { 0.001, 0.01 };
static const struct counter_def defs[] = {
	{ .type = COUNTER_COUNTER, .name = "belfry_a_total", .labels = "x=\"1\"", .help = "as" },
	{ .type = COUNTER_COUNTER, .name = "belfry_a_total", .labels = "x=\"2\"", .help = "as" },
	{ .type = COUNTER_GAUGE, .name = "belfry_b", .help = "bs" },
	{ .type = COUNTER_HISTOGRAM,
	  .name = "belfry_c_seconds",
	  .help = "cs",
	  .bounds = bounds,
	  .bounds_n = 2,
	  .scale = 1e-6 },
};

static struct counters *counters_with_values(void)
{
	struct counters *c = counters_new();
	struct counter_set *set = counters_set_new(c);
	int id[4];

	for (size_t i = 0; i < 4; i++) {
		id[i] = counters_register(c, &defs[i]);
		ck_assert_int_ge(id[i], 0);
	}
	counter_add(set, id[0], 3);
	counter_inc(set, id[1]);
	counter_set_to(set, id[2], 7);
	counter_observe(c, set, id[3], 500);
	counter_observe(c, set, id[3], 5000);
	return c;
}

static const char page[] = "# HELP belfry_a_total as\n"
			   "# TYPE belfry_a_total counter\n"
			   "belfry_a_total{x=\"1\"} 3\n"
			   "belfry_a_total{x=\"2\"} 1\n"
			   "# HELP belfry_b bs\n"
			   "# TYPE belfry_b gauge\n"
			   "belfry_b 7\n"
			   "# HELP belfry_c_seconds cs\n"
			   "# TYPE belfry_c_seconds histogram\n"
			   "belfry_c_seconds_bucket{le=\"0.001\"} 1\n"
			   "belfry_c_seconds_bucket{le=\"0.01\"} 2\n"
			   "belfry_c_seconds_bucket{le=\"+Inf\"} 2\n"
			   "belfry_c_seconds_sum 0.0055";

static void two_gauges(struct metrics_page *to, void *arg)
{
	metrics_gauge(to, "belfry_x", "Help", arg, 1);
	metrics_gauge(to, "belfry_x", "Help", "a=\"c\"", 0.5);
}

START_TEST(gauges_that_are_no_counters_are_told)
{
	struct metrics_source source = { .counters = counters_with_values(), .gauges = two_gauges };
	char labels[] = "a=\"b\"", *text;
	struct evbuffer *out = evbuffer_new();

	source.arg = labels;
	ck_assert(metrics_print(&source, out));
	ck_assert_int_eq(evbuffer_add(out, "", 1), 0);
	text = (char *)evbuffer_pullup(out, -1);
	ck_assert_msg(strstr(text, "# HELP belfry_x Help\n# TYPE belfry_x gauge\n"
	                           "belfry_x{a=\"b\"} 1\nbelfry_x{a=\"c\"} 0.5\n") != NULL,
	              "%s", text);
	evbuffer_free(out);
	counters_free(source.counters);
}
END_TEST

START_TEST(page_has_help_and_type_once_per_name)
{
	struct metrics_source source = { .counters = counters_with_values() };
	struct evbuffer *out = evbuffer_new();
	char *text;
	size_t n;

	ck_assert(metrics_print(&source, out));
	n = evbuffer_get_length(out);
	text = (char *)evbuffer_pullup(out, -1);
	ck_assert_uint_gt(n, sizeof(page));
	ck_assert_msg(memcmp(text, page, sizeof(page) - 1) == 0, "%.*s", (int)n, text);
	ck_assert(str_ends(str_make(text, n), STR("\nbelfry_c_seconds_count 2\n")));
	evbuffer_free(out);
	counters_free(source.counters);
}
END_TEST

/* The whole answer to one request, in a static buffer. */
static const char *get(struct event_base *base, const struct metrics *m, const char *request)
{
	static char answer[8192];
	struct net_addr addr = metrics_addr(m);
	struct sockaddr_storage ss;
	socklen_t len = net_addr_to_sockaddr(&addr, &ss);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	size_t n = 0;

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, len), 0);
	ck_assert_int_eq(write(fd, request, strlen(request)), (ssize_t)strlen(request));
	for (;;) {
		ssize_t got;

		ck_assert_int_ge(event_base_loop(base, EVLOOP_NONBLOCK), 0);
		got = recv(fd, answer + n, sizeof(answer) - n - 1, MSG_DONTWAIT);
		if (got == 0) {
			break;
		}
		ck_assert(got > 0 || errno == EAGAIN);
		n += got > 0 ? (size_t)got : 0;
	}
	answer[n] = '\0';
	(void)close(fd);
	return answer;
}

START_TEST(page_is_served_and_nothing_else)
{
	struct event_base *base = event_base_new();
	struct metrics_source source = { .counters = counters_with_values() };
	struct metrics *m;
	struct net_addr addr;
	char *error;
	const char *answer;

	ck_assert_int_eq(net_addr_parse(STR("127.0.0.1"), 0, &addr), 0);
	ck_assert_int_eq(metrics_new(base, &addr, &source, &m, &error), 0);
	ck_assert_uint_gt(metrics_addr(m).port, 0);
	answer = get(base, m, "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(answer, "200 OK"));
	ck_assert_ptr_nonnull(strstr(answer, "text/plain; version=0.0.4"));
	ck_assert_ptr_nonnull(strstr(answer, page));
	answer = get(base, m, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	ck_assert_ptr_nonnull(strstr(answer, "404"));
	answer = get(base, m,
	             "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	             "Content-Length: 0\r\n\r\n");
	ck_assert_ptr_null(strstr(answer, "200 OK"));
	metrics_free(m);
	counters_free(source.counters);
	event_base_free(base);
}
END_TEST

START_TEST(address_in_use_is_an_error_that_names_it)
{
	struct event_base *base = event_base_new();
	struct metrics_source source = { .counters = counters_with_values() };
	struct metrics *m, *second;
	struct net_addr addr;
	char *error;

	ck_assert_int_eq(net_addr_parse(STR("127.0.0.1"), 0, &addr), 0);
	ck_assert_int_eq(metrics_new(base, &addr, &source, &m, &error), 0);
	addr = metrics_addr(m);
	ck_assert_int_eq(metrics_new(base, &addr, &source, &second, &error), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(error, "metrics.listen 127.0.0.1:"));
	free(error);
	metrics_free(m);
	counters_free(source.counters);
	event_base_free(base);
}
END_TEST

UNIT_MAIN("metrics/metrics", gauges_that_are_no_counters_are_told,
          page_has_help_and_type_once_per_name, page_is_served_and_nothing_else,
          address_in_use_is_an_error_that_names_it)
