/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/metrics.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/counters.h"
#include "util/err.h"
#include "worker/worker.h"

#define TIMEOUT_S   10
#define HEADERS_MAX 8192
#define BACKLOG     16

struct metrics {
	struct evhttp *http;
	struct metrics_source source;
	struct net_addr addr;
};

/* --- the page -----------------------------------------------------------------------------------
 */

struct metrics_page {
	struct evbuffer *out;
	const char *last; /* name whose HELP and TYPE have been written */
	bool failed;
};

static void heading(struct metrics_page *page, const char *name, const char *help, const char *type)
{
	if (page->last && strcmp(page->last, name) == 0) {
		return;
	}
	page->last = name;
	page->failed |= evbuffer_add_printf(page->out, "# HELP %s %s\n# TYPE %s %s\n", name, help,
	                                    name, type) < 0;
}

static void line(struct metrics_page *page, const char *name, const char *labels, double value)
{
	const char *open = labels && *labels ? "{" : "", *close = *open ? "}" : "";

	page->failed |= evbuffer_add_printf(page->out, "%s%s%s%s %.15g\n", name, open,
	                                    labels ? labels : "", close, value) < 0;
}

static void add_counter(void *arg, const struct counter_def *def, const char *name,
                        const char *labels, double value)
{
	static const char *const types[] = {
		[COUNTER_COUNTER] = "counter",
		[COUNTER_GAUGE] = "gauge",
		[COUNTER_HISTOGRAM] = "histogram",
	};

	heading(arg, def->name, def->help ? def->help : "", types[def->type]);
	line(arg, name, labels, value);
}

static void add_lag(struct metrics_page *page, struct workers *workers)
{
	static const char name[] = "belfry_worker_loop_lag_seconds";
	char labels[32];

	heading(page, name, "Time that a worker's last turn took, in seconds", "gauge");
	for (unsigned i = 0; i < workers_n(workers); i++) {
		(void)snprintf(labels, sizeof(labels), "worker=\"%u\"", i);
		line(page, name, labels, (double)worker_lag_us(workers_get(workers, i)) * 1e-6);
	}
}

void metrics_gauge(struct metrics_page *page, const char *name, const char *help,
                   const char *labels, double value)
{
	heading(page, name, help, "gauge");
	line(page, name, labels, value);
}

bool metrics_print(const struct metrics_source *source, struct evbuffer *out)
{
	struct metrics_page page = { .out = out };

	counters_each(source->counters, add_counter, &page);
	if (source->gauges) {
		source->gauges(&page, source->arg);
	}
	if (source->workers) {
		add_lag(&page, source->workers);
	}
	return !page.failed;
}

/* --- the server ---------------------------------------------------------------------------------
 */

static void serve(struct evhttp_request *req, void *arg)
{
	const struct metrics *m = arg;
	struct evbuffer *out = evbuffer_new();

	if (out && metrics_print(&m->source, out)) {
		(void)evhttp_add_header(evhttp_request_get_output_headers(req), "Content-Type",
		                        "text/plain; version=0.0.4; charset=utf-8");
		evhttp_send_reply(req, HTTP_OK, "OK", out);
	} else {
		evhttp_send_reply(req, HTTP_INTERNAL, "Out of Memory", NULL);
	}
	if (out) {
		evbuffer_free(out);
	}
}

static int fail(int err, const struct net_addr *addr, char **error_r)
{
	char text[NET_ADDR_TEXT];
	struct str where = net_addr_text(addr, text);

	if (asprintf(error_r, "metrics.listen %.*s: %s", STR_FMT(where), belfry_strerror(err)) <
	    0) {
		*error_r = NULL;
	}
	return err;
}

static int bind_to(struct net_addr *addr, int *fd_r)
{
	struct sockaddr_storage ss;
	socklen_t n = net_addr_to_sockaddr(addr, &ss);
	int one = 1, err = 0;
	int fd = socket(ss.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -errno;
	}
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, (const struct sockaddr *)&ss, n) || listen(fd, BACKLOG)) {
		err = -errno;
	}
	n = sizeof(ss);
	if (!err && getsockname(fd, (struct sockaddr *)&ss, &n)) {
		err = -errno;
	}
	if (err) {
		(void)close(fd);
		return err;
	}
	net_addr_from_sockaddr((const struct sockaddr *)&ss, addr);
	*fd_r = fd;
	return 0;
}

int metrics_new(struct event_base *base, const struct net_addr *addr,
                const struct metrics_source *source, struct metrics **m_r, char **error_r)
{
	struct metrics *m = calloc(1, sizeof(*m));
	int fd = -1, err = -ENOMEM;

	*error_r = NULL;
	if (!m) {
		return fail(err, addr, error_r);
	}
	m->source = *source;
	m->addr = *addr;
	m->http = evhttp_new(base);
	if (m->http) {
		err = bind_to(&m->addr, &fd);
	}
	if (!err && evhttp_accept_socket(m->http, fd)) {
		(void)close(fd);
		err = -ENOMEM;
	}
	if (err) {
		metrics_free(m);
		return fail(err, addr, error_r);
	}
	evhttp_set_allowed_methods(m->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_timeout(m->http, TIMEOUT_S);
	evhttp_set_max_headers_size(m->http, HEADERS_MAX);
	evhttp_set_max_body_size(m->http, 0);
	(void)evhttp_set_cb(m->http, "/metrics", serve, m);
	*m_r = m;
	return 0;
}

void metrics_free(struct metrics *m)
{
	if (m && m->http) {
		evhttp_free(m->http);
	}
	free(m);
}

struct net_addr metrics_addr(const struct metrics *m)
{
	return m->addr;
}
