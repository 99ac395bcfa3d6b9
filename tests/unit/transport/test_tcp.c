/* SPDX-License-Identifier: Apache-2.0 */
/* Streams over real sockets, with one and with four workers. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"
#include "transport/echo.h"
#include "util/err.h"

static struct echo e;

static int start(unsigned workers, struct net_addr *to_r)
{
	echo_init(&e);
	echo_listen(&e, CONF_TCP, "127.0.0.1");
	echo_start(&e, workers);
	*to_r = echo_addr(&e, 0);
	return client_open(SOCK_STREAM, to_r);
}

static void stop(int fd)
{
	close(fd);
	echo_stop(&e);
}

/* Reads answers until there are @n; they may come in any order and any cut. */
static void expect_answers(int fd, unsigned n)
{
	static char text[1 << 20];
	size_t len = 0;
	unsigned got = 0;

	while (got < n) {
		struct str more = client_receive(fd);
		const char *p = text, *end;

		ck_assert_uint_gt(more.n, 0);
		memcpy(text + len, more.p, more.n);
		len += more.n;
		for (got = 0; (end = memmem(p, (size_t)(text + len - p), "\r\n\r\n", 4)); got++) {
			ck_assert(str_starts(str_make(p, 12), STR("SIP/2.0 200 ")));
			p = end + 4;
		}
	}
	ck_assert_uint_eq(got, n);
}

static void byte_by_byte(unsigned workers)
{
	struct net_addr to;
	struct tp_flow last;
	int fd = start(workers, &to);

	for (unsigned i = 0; i < 3; i++) {
		struct str text = client_options("TCP", i);

		for (size_t k = 0; k < text.n; k++) {
			client_send(fd, str_make(text.p + k, 1));
		}
		client_expect(fd, "SIP/2.0 200 ", i);
	}
	last = echo_seen(&e).last;
	ck_assert(last.accepted && last.conn && last.proto == TP_TCP);
	ck_assert(net_addr_eq(&last.local, &to));
	stop(fd);
}

START_TEST(a_request_that_comes_byte_by_byte_is_answered)
{
	byte_by_byte(1);
	byte_by_byte(4);
}
END_TEST

/* Written in pieces that have nothing to do with messages. */
static void many_at_once(unsigned workers, size_t piece, unsigned n)
{
	static char text[1 << 20];
	struct net_addr to;
	size_t len = 0;
	int fd = start(workers, &to);

	for (unsigned i = 0; i < n; i++) {
		struct str one = client_options("TCP", i);

		memcpy(text + len, one.p, one.n);
		len += one.n;
	}
	for (size_t off = 0; off < len; off += piece) {
		client_send(fd, str_make(text + off, len - off < piece ? len - off : piece));
	}
	expect_answers(fd, n);
	ck_assert_uint_eq(echo_sum(&e, e.requests), n);
	stop(fd);
}

START_TEST(many_requests_in_one_write_are_all_answered)
{
	many_at_once(1, SIZE_MAX, 500);
	many_at_once(4, SIZE_MAX, 500);
	many_at_once(4, 1000, 300);
	many_at_once(1, 333, 300);
}
END_TEST

START_TEST(a_body_may_fill_a_message_to_the_limit)
{
	static char text[SIP_MSG_MAX];
	static const size_t sizes[] = { 1935, 1936, 1937, 2048, 5000, 20000, 65535, 65536 };
	struct net_addr to;
	int fd = start(4, &to);

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct str head = client_options("TCP", i);
		int n = snprintf(text, sizeof(text), "%.*sContent-Length: %05zu\r\n\r\n",
		                 (int)head.n - 21, head.p, (size_t)0);
		size_t body = sizes[i] - (size_t)n;

		snprintf(text, sizeof(text), "%.*sContent-Length: %05zu\r\n\r\n", (int)head.n - 21,
		         head.p, body);
		memset(text + n, 'x', body);
		client_send(fd, str_make(text, sizes[i]));
		client_expect(fd, "SIP/2.0 200 ", i);
	}
	stop(fd);
}
END_TEST

START_TEST(a_double_crlf_gets_a_single_one_also_between_messages)
{
	struct net_addr to;
	int fd = start(1, &to);
	struct str options = client_options("TCP", 1);
	char text[1100] = "\r\n\r\n";

	client_send(fd, STR("\r\n\r\n"));
	ck_assert_str_is(client_receive(fd), "\r\n");
	client_send(fd, STR("\r"));
	client_send(fd, STR("\n\r"));
	client_send(fd, STR("\n"));
	ck_assert_str_is(client_receive(fd), "\r\n");
	memcpy(text + 4, options.p, options.n);
	client_send(fd, str_make(text, 4 + options.n));
	ck_assert(str_starts(client_receive(fd), STR("\r\n")));
	client_send(fd, STR("\r\n")); /* a pong, or a line that nobody needs */
	client_send(fd, client_options("TCP", 2));
	expect_answers(fd, 1);
	ck_assert_uint_eq(echo_sum(&e, e.requests), 2);
	stop(fd);
}
END_TEST

/* --- what ends a stream --------------------------------------------------------------------------
 */

static void refused_and_closed(struct str bytes, const char *start_line)
{
	struct net_addr to;
	int fd = start(4, &to);
	struct str got;

	client_send(fd, client_options("TCP", 1));
	client_expect(fd, "SIP/2.0 200 ", 1);
	client_send(fd, bytes);
	got = client_receive_all(fd);
	ck_assert_msg(str_starts(got, str_from(start_line)), "%.*s", STR_FMT(got));
	close(fd);
	echo_wait(&e, &e.down, 1);
	echo_stop(&e);
}

static char huge[300000];

START_TEST(test_rfc3261_18_3_a_request_without_length_gets_400_and_the_end)
{
	struct str text = client_options("TCP", 2);

	memcpy(huge, text.p, text.n);
	memcpy(huge + text.n - 21, "\r\nOPTIONS", 9);
	refused_and_closed(str_make(huge, text.n - 21 + 9), "SIP/2.0 400 Missing Content-Length");
}
END_TEST

START_TEST(a_request_with_a_bad_length_gets_400_and_the_end)
{
	struct str text = client_options("TCP", 2);
	int n = snprintf(huge, sizeof(huge), "%.*sContent-Length: x\r\n\r\n", (int)text.n - 21,
	                 text.p);

	refused_and_closed(str_make(huge, (size_t)n), "SIP/2.0 400 ");
}
END_TEST

/* What it goes on sending is read, so that no RST overtakes the answer. */
START_TEST(a_message_too_large_gets_513_and_the_end)
{
	struct str text = client_options("TCP", 2);
	int n = snprintf(huge, sizeof(huge), "%.*sContent-Length: 250000\r\n\r\n", (int)text.n - 21,
	                 text.p);

	memset(huge + n, 'x', 250000);
	refused_and_closed(str_make(huge, (size_t)n + 250000), "SIP/2.0 513 Message Too Large");
}
END_TEST

START_TEST(a_head_without_end_gets_513_and_the_end)
{
	struct str text = client_options("TCP", 2);

	memset(huge, 'x', sizeof(huge));
	memcpy(huge, text.p, text.n - 21);
	memcpy(huge + text.n - 21, "X: ", 3);
	refused_and_closed(str_make(huge, 70000), "SIP/2.0 513 Message Too Large");
}
END_TEST

START_TEST(a_stream_that_is_not_sip_is_closed)
{
	refused_and_closed(STR("\x16\x03\x01TLS"), "");
	refused_and_closed(STR("\r\rx"), "");
}
END_TEST

START_TEST(a_silent_half_message_is_closed_in_time)
{
	struct net_addr to;
	int fd;

	echo_init(&e);
	e.conf.server.message_timeout = 1;
	echo_listen(&e, CONF_TCP, "127.0.0.1");
	echo_start(&e, 1);
	to = echo_addr(&e, 0);
	fd = client_open(SOCK_STREAM, &to);
	client_send(fd, STR("OPTIONS sip:"));
	ck_assert_str_is(client_receive_all(fd), "");
	ck_assert_uint_eq(echo_counted(&e, "belfry_rejected_total", "reason=\"message_timeout\""),
	                  1);
	stop(fd);
}
END_TEST

START_TEST(an_idle_connection_is_closed_unless_it_is_in_use)
{
	struct net_addr to;
	int fd, used;

	echo_init(&e);
	e.conf.server.idle_timeout = 1;
	echo_listen(&e, CONF_TCP, "127.0.0.1");
	echo_start(&e, 1);
	to = echo_addr(&e, 0);
	fd = client_open(SOCK_STREAM, &to);
	ck_assert_str_is(client_receive_all(fd), "");
	close(fd);
	pthread_mutex_lock(&e.lock);
	e.is_in_use = true;
	pthread_mutex_unlock(&e.lock);
	used = client_open(SOCK_STREAM, &to);
	echo_wait(&e, &e.up, 2);
	ck_assert_int_lt(recv(used, huge, 1, MSG_DONTWAIT), 0);
	for (int i = 0; i < 3; i++) { /* three looks at it */
		struct timeval tv = { .tv_sec = 1 };

		setsockopt(used, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
		ck_assert_int_lt(recv(used, huge, 1, 0), 0);
		ck_assert_int_eq(errno, EAGAIN);
	}
	client_send(used, client_options("TCP", 1));
	client_expect(used, "SIP/2.0 200 ", 1);
	stop(used);
}
END_TEST

START_TEST(a_peer_that_has_shut_down_its_side_still_gets_the_answer)
{
	struct net_addr to;
	int fd = start(4, &to);
	struct tp_flow last;
	struct str got;

	for (unsigned i = 0; i < 4; i++) {
		client_send(fd, client_options("TCP", i));
	}
	shutdown(fd, SHUT_WR);
	expect_answers(fd, 4);
	echo_wait(&e, &e.unreachable, 4);
	echo_wait(&e, &e.down, 1);
	last = echo_seen(&e).last;
	ck_assert(!transport_flow_is_alive(e.g, &last));
	got = client_receive_all(fd);
	ck_assert_uint_eq(got.n, 0);
	stop(fd);
	ck_assert_uint_eq(e.undelivered, 0);
}
END_TEST

/* Closes with RST. */
static void reset(int fd)
{
	const struct linger abort = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof(abort));
	close(fd);
}

START_TEST(the_end_of_a_connection_is_told_to_every_worker)
{
	struct net_addr to;
	struct tp_flow flow;
	int fd = start(4, &to);

	echo_wait(&e, &e.up, 1);
	flow = echo_seen(&e).last;
	ck_assert(transport_flow_is_alive(e.g, &flow));
	reset(fd);
	echo_wait(&e, &e.unreachable, 4);
	echo_wait(&e, &e.down, 1);
	ck_assert_uint_eq(echo_seen(&e).gone_conn, flow.conn);
	ck_assert(!transport_flow_is_alive(e.g, &flow));
	fd = client_open(SOCK_STREAM, &to); /* its slot is used again */
	echo_wait(&e, &e.up, 2);
	ck_assert(!transport_flow_is_alive(e.g, &flow));
	stop(fd);
}
END_TEST

START_TEST(a_connection_without_open_questions_ends_with_the_peer_s_fin)
{
	struct net_addr to;
	int fd = start(1, &to);

	echo_wait(&e, &e.up, 1);
	client_send(fd, STR("\r\n\r\n"));
	ck_assert_str_is(client_receive(fd), "\r\n");
	shutdown(fd, SHUT_WR);
	ck_assert_str_is(client_receive_all(fd), "");
	echo_wait(&e, &e.down, 1);
	stop(fd);
}
END_TEST

/* --- limits --------------------------------------------------------------------------------------
 */

START_TEST(connections_over_the_limit_are_closed_at_once)
{
	struct net_addr to;
	int fds[4];

	echo_init(&e);
	e.conf.server.max_connections = 2;
	echo_listen(&e, CONF_TCP, "127.0.0.1");
	echo_start(&e, 1);
	to = echo_addr(&e, 0);
	for (unsigned i = 0; i < 2; i++) {
		fds[i] = client_open(SOCK_STREAM, &to);
		client_send(fds[i], client_options("TCP", i));
		client_expect(fds[i], "SIP/2.0 200 ", i);
	}
	fds[2] = client_open(SOCK_STREAM, &to);
	ck_assert_int_le(recv(fds[2], huge, 1, 0), 0);
	ck_assert_uint_eq(echo_counted(&e, "belfry_rejected_total", "reason=\"connection_limit\""),
	                  1);
	close(fds[2]);
	reset(fds[0]);
	echo_wait(&e, &e.down, 1);
	fds[3] = client_open(SOCK_STREAM, &to);
	client_send(fds[3], client_options("TCP", 3));
	client_expect(fds[3], "SIP/2.0 200 ", 3);
	close(fds[1]);
	stop(fds[3]);
}
END_TEST

struct sending {
	struct net_addr to;
	struct tp_flow flow;
	unsigned n;
	bool reopen;
	int err;
};

static const char hello[] = "hello";
static char block[8192];

static void send_text(struct echo_user *u, struct sending *s, const char *text, size_t n)
{
	static struct iovec iov[4];
	const struct sip_out out = { .iov = &iov[u->w->id], .iov_n = 1, .len = n };

	iov[u->w->id] = (struct iovec){ (void *)(uintptr_t)text, n };
	for (unsigned i = 0; s->err == 0 && i < s->n; i++) {
		s->err = transport_send(u->tp, &s->flow, s->reopen, &out);
	}
}

static void send_on_flow(struct echo_user *u, void *arg)
{
	send_text(u, arg, hello, sizeof(hello) - 1);
}

static void send_to(struct echo_user *u, void *arg)
{
	struct sending *s = arg;

	s->err = transport_pick(u->tp, TP_TCP, &s->to, NULL, &s->flow);
	send_text(u, s, hello, sizeof(hello) - 1);
}

static void send_blocks(struct echo_user *u, void *arg)
{
	send_text(u, arg, block, sizeof(block));
}

START_TEST(output_for_a_peer_that_does_not_read_is_bounded)
{
	struct sending s = { .n = 10 };
	struct net_addr to;
	int fd = start(1, &to);

	echo_wait(&e, &e.up, 1);
	s.flow = echo_seen(&e).last;
	for (int i = 0; i < 2000 && s.err == 0; i++) {
		echo_call(&e, 0, send_blocks, &s);
	}
	ck_assert_int_eq(s.err, BELFRY_EFULL);
	for (size_t n = 0; n < 100 * sizeof(block);) { /* what was accepted does come */
		n += client_receive(fd).n;
	}
	stop(fd);
}
END_TEST

/* --- connections that we open --------------------------------------------------------------------
 */

static int listen_on(struct net_addr *addr_r)
{
	int fd = client_bind(SOCK_STREAM, 4, addr_r);

	ck_assert_int_eq(listen(fd, 8), 0);
	return fd;
}

static void expect_hellos(int fd, unsigned n)
{
	size_t len = 0;

	while (len < n * (sizeof(hello) - 1)) {
		struct str got = client_receive(fd);

		ck_assert_uint_gt(got.n, 0);
		len += got.n;
	}
	ck_assert_uint_eq(len, n * (sizeof(hello) - 1));
}

START_TEST(a_connection_that_we_opened_is_used_again)
{
	struct sending s = { .n = 3 };
	struct net_addr to;
	int ours = start(4, &to), listening = listen_on(&s.to), fd;
	uint64_t conn;

	echo_call(&e, 2, send_to, &s);
	ck_assert_int_eq(s.err, 0);
	conn = s.flow.conn;
	ck_assert_uint_ne(conn, 0);
	fd = accept(listening, NULL, NULL);
	expect_hellos(fd, 3);
	echo_call(&e, 2, send_to, &s);
	ck_assert_uint_eq(s.flow.conn, conn);
	expect_hellos(fd, 3);
	/* Named by a flow, any worker sends on it. */
	for (unsigned i = 0; i < 4; i++) {
		echo_call(&e, i, send_on_flow, &s);
		ck_assert_int_eq(s.err, 0);
		ck_assert_uint_eq(s.flow.conn, conn);
		expect_hellos(fd, 3);
	}
	/* And the peer may send on it too. */
	client_send(fd, client_options("TCP", 9));
	client_expect(fd, "SIP/2.0 200 ", 9);
	ck_assert(!echo_seen(&e).last.accepted);
	close(fd);
	close(listening);
	stop(ours);
}
END_TEST

START_TEST(a_dead_connection_is_opened_again_only_if_asked)
{
	struct sending s = { .n = 1 };
	struct net_addr to;
	int ours = start(4, &to), listening = listen_on(&s.to), fd;
	uint64_t conn;

	echo_call(&e, 1, send_to, &s);
	conn = s.flow.conn;
	fd = accept(listening, NULL, NULL);
	expect_hellos(fd, 1);
	echo_wait(&e, &e.up, 2);
	reset(fd);
	echo_wait(&e, &e.unreachable, 4);
	for (unsigned i = 0; i < 4; i += 2) {
		echo_call(&e, i, send_on_flow, &s);
		ck_assert_int_eq(s.err, BELFRY_EUNREACH);
		s.err = 0;
	}
	s.reopen = true;
	echo_call(&e, 3, send_on_flow, &s);
	ck_assert_int_eq(s.err, 0);
	ck_assert_uint_ne(s.flow.conn, conn);
	fd = accept(listening, NULL, NULL);
	expect_hellos(fd, 1);
	close(fd);
	close(listening);
	stop(ours);
}
END_TEST

static void tell_doubt(struct echo_user *u, void *arg)
{
	struct sending *s = arg;

	s->err = (int)transport_doubt(u->tp, &s->flow);
}

static enum tp_doubt doubt_of(unsigned worker, struct sending *s)
{
	echo_call(&e, worker, tell_doubt, s);
	return (enum tp_doubt)s->err;
}

/* Whichever worker asks for the answer. */
static void gone_after_fin(unsigned answering)
{
	struct sending s = { .n = 1, .reopen = true };
	struct net_addr to;
	int fd = start(4, &to);

	e.is_mute = true;
	client_send(fd, client_options("TCP", 1));
	echo_wait(&e, &e.up, 1);
	while (echo_sum(&e, e.requests) == 0) {
		echo_call(&e, 0, tell_doubt, &s);
	}
	s.flow = echo_seen(&e).last;
	ck_assert_int_eq(doubt_of(answering, &s), TP_NO_DOUBT);
	close(fd);
	echo_wait(&e, &e.unreachable, 4);
	echo_wait(&e, &e.down, 1);
	ck_assert_int_eq(doubt_of(answering, &s), TP_HALF_CLOSED);
	ck_assert_uint_eq(e.undelivered, 0);
	s.err = 0;
	echo_call(&e, answering, send_on_flow, &s);
	ck_assert_int_eq(s.err, 0);
	echo_wait(&e, &e.undelivered, 4); /* its RST was noticed */
	ck_assert_uint_eq(echo_seen(&e).gone_conn, s.flow.conn);
	ck_assert_int_eq(doubt_of(answering, &s), TP_NO_DOUBT);
	echo_stop(&e);
}

START_TEST(what_was_sent_to_a_peer_that_has_gone_after_its_fin_is_told_to_every_worker)
{
	for (unsigned i = 0; i < 4; i++) {
		gone_after_fin(i);
	}
}
END_TEST

START_TEST(a_refused_connection_is_told_to_every_worker)
{
	struct sending s = { .n = 1 };
	struct net_addr to;
	struct echo_seen seen;
	int ours = start(4, &to), dead = client_bind_dead(SOCK_STREAM, &s.to);

	echo_call(&e, 1, send_to, &s);
	if (s.err == 0) {
		echo_wait(&e, &e.unreachable, 4);
		seen = echo_seen(&e);
		ck_assert(net_addr_eq(&seen.gone, &s.to));
		ck_assert_uint_eq(seen.gone_conn, s.flow.conn);
		echo_wait(&e, &e.undelivered, 4);
	} else {
		ck_assert_int_eq(s.err, BELFRY_EUNREACH);
	}
	close(dead);
	stop(ours);
}
END_TEST

static unsigned listed;

static void on_conn(void *arg, const struct tp_conn_info *info)
{
	struct sending *s = arg;

	listed++;
	ck_assert_str_eq(info->state, "open");
	s->flow = info->flow;
}

static void list_conns(struct echo_user *u, void *arg)
{
	struct sending *s = arg;

	transport_each_conn(u->tp, on_conn, s);
}

static void close_flow(struct echo_user *u, void *arg)
{
	struct sending *s = arg;

	transport_close(u->tp, &s->flow);
}

START_TEST(connections_can_be_listed_and_closed_from_any_worker)
{
	struct sending s = { .n = 1 };
	struct net_addr to;
	int fd = start(4, &to);

	echo_wait(&e, &e.up, 1);
	for (unsigned i = 0; i < 4; i++) {
		echo_call(&e, i, list_conns, &s);
	}
	ck_assert_uint_eq(listed, 1);
	echo_call(&e, (unsigned)(s.flow.conn >> 56) ^ 1, close_flow, &s);
	ck_assert_str_is(client_receive_all(fd), "");
	stop(fd);
}
END_TEST

static void ban(struct echo_user *u, void *arg)
{
	ck_assert_int_eq(transport_ban_add(u->tp, arg, u->w->clock.now_ms + 60000), 0);
}

START_TEST(a_ban_closes_the_streams_of_its_source_and_lets_no_more_in)
{
	struct net_addr to, me = addr_of("127.0.0.1", 0);
	int fd = start(1, &to), again;

	echo_wait(&e, &e.up, 1);
	echo_call(&e, 0, ban, &me);
	ck_assert_str_is(client_receive_all(fd), "");
	again = client_open(SOCK_STREAM, &to);
	ck_assert_str_is(client_receive_all(again), "");
	ck_assert_uint_eq(echo_counted(&e, "belfry_rejected_total", "reason=\"banned\""), 1);
	close(again);
	stop(fd);
}
END_TEST

/* Keeps the port from others, and does not listen there. */
static int hold_port(const struct net_addr *addr)
{
	struct sockaddr_storage ss;
	socklen_t n = net_addr_to_sockaddr(addr, &ss);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, n), 0);
	return fd;
}

START_TEST(a_reload_that_closes_a_listener_keeps_its_connections)
{
	struct conf_listen next = { .transport = CONF_TCP };
	struct net_addr to;
	struct conf conf;
	char *error = NULL;
	void *plan;
	int fd = start(4, &to), held = hold_port(&to), refused;

	client_send(fd, client_options("TCP", 1));
	client_expect(fd, "SIP/2.0 200 ", 1);
	conf = e.conf;
	conf.listen = &next;
	next.addr = addr_of("127.0.0.2", 0);
	ck_assert_int_eq(transport_group_prepare(e.g, &conf, &plan, &error), 0);
	transport_group_commit(e.g, plan);
	for (unsigned i = 0; i < 4; i++) { /* all have adopted it */
		echo_call(&e, i, list_conns, &(struct sending){ 0 });
	}
	client_send(fd, client_options("TCP", 2));
	client_expect(fd, "SIP/2.0 200 ", 2);
	refused = net_tcp_connect(&to, NULL);
	if (refused >= 0) {
		struct pollfd p = { .fd = refused, .events = POLLOUT };

		ck_assert_int_eq(poll(&p, 1, unit_wait_ms()), 1);
		ck_assert_int_eq(net_socket_error(refused), -ECONNREFUSED);
		close(refused);
	}
	close(held);
	stop(fd);
}
END_TEST

#define CLIENTS 40

START_TEST(many_connections_over_four_workers_end_in_the_middle_of_work)
{
	struct net_addr to;
	int fds[CLIENTS];

	fds[0] = start(4, &to);
	for (int i = 1; i < CLIENTS; i++) {
		fds[i] = client_open(SOCK_STREAM, &to);
	}
	for (unsigned round = 0; round < 10; round++) {
		for (int i = 0; i < CLIENTS; i++) {
			client_send(fds[i], client_options("TCP", round * CLIENTS + (unsigned)i));
		}
		for (int i = 0; i < CLIENTS; i++) {
			expect_answers(fds[i], 1);
		}
	}
	for (int i = 0; i < CLIENTS; i++) {
		for (unsigned k = 0; k < 5; k++) {
			client_send(fds[i], client_options("TCP", k));
		}
	}
	for (int i = 1; i < CLIENTS; i += 2) {
		close(fds[i]);
	}
	echo_stop(&e); /* with all that on its way */
	for (int i = 0; i < CLIENTS; i += 2) {
		close(fds[i]);
	}
}
END_TEST

#define TURNS 6 /* enough for what goes through mailbox and run queue */

/* A server without threads is asked, and turned by hand. */
static int ask_scenario(void *arg)
{
	struct net_addr to;
	char text[2048];
	ssize_t n;
	int fd, err;

	(void)arg;
	echo_init(&e);
	echo_listen(&e, CONF_TCP, "127.0.0.1");
	err = echo_start_here(&e, 1);
	if (err != 0) {
		return err;
	}
	to = echo_addr(&e, 0);
	fd = client_open(SOCK_STREAM, &to);
	client_send(fd, client_options("TCP", 1));
	for (int i = 0; i < TURNS; i++) {
		echo_turn(&e);
	}
	n = recv(fd, text, sizeof(text), MSG_DONTWAIT);
	close(fd);
	echo_turn(&e);
	echo_stop(&e);
	return n > 0 ? 0 : -ENOMEM;
}

START_TEST(without_memory_a_request_is_lost_and_nothing_else)
{
	oom_each(ask_scenario, NULL);
}
END_TEST

UNIT_MAIN("transport/tcp", a_request_that_comes_byte_by_byte_is_answered,
          many_requests_in_one_write_are_all_answered, a_body_may_fill_a_message_to_the_limit,
          a_double_crlf_gets_a_single_one_also_between_messages,
          test_rfc3261_18_3_a_request_without_length_gets_400_and_the_end,
          a_request_with_a_bad_length_gets_400_and_the_end,
          a_message_too_large_gets_513_and_the_end, a_head_without_end_gets_513_and_the_end,
          a_stream_that_is_not_sip_is_closed, a_silent_half_message_is_closed_in_time,
          an_idle_connection_is_closed_unless_it_is_in_use,
          a_peer_that_has_shut_down_its_side_still_gets_the_answer,
          the_end_of_a_connection_is_told_to_every_worker,
          a_connection_without_open_questions_ends_with_the_peer_s_fin,
          connections_over_the_limit_are_closed_at_once,
          output_for_a_peer_that_does_not_read_is_bounded,
          a_connection_that_we_opened_is_used_again,
          a_dead_connection_is_opened_again_only_if_asked,
          a_refused_connection_is_told_to_every_worker,
          what_was_sent_to_a_peer_that_has_gone_after_its_fin_is_told_to_every_worker,
          connections_can_be_listed_and_closed_from_any_worker,
          a_ban_closes_the_streams_of_its_source_and_lets_no_more_in,
          a_reload_that_closes_a_listener_keeps_its_connections,
          many_connections_over_four_workers_end_in_the_middle_of_work,
          without_memory_a_request_is_lost_and_nothing_else)
