/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams over real sockets, with one and with four workers. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"
#include "transport/branch.h"
#include "transport/echo.h"
#include "util/err.h"

#define REQUESTS 300U
#define WINDOW   20U

static struct echo e;

static void ask_many(const struct net_addr *to, unsigned from, unsigned to_n)
{
	int fd = client_open(SOCK_DGRAM, to);
	unsigned got = from;

	for (unsigned i = from; i < to_n; i++) {
		client_send(fd, client_options("UDP", i));
		for (; i - got >= WINDOW; got++) {
			ck_assert(str_starts(client_receive(fd), STR("SIP/2.0 200 ")));
		}
	}
	for (; got < to_n; got++) {
		ck_assert(str_starts(client_receive(fd), STR("SIP/2.0 200 ")));
	}
	close(fd);
}

static void answers_all(unsigned workers)
{
	struct net_addr v4, v6;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_listen(&e, CONF_UDP, "::1");
	echo_start(&e, workers);
	v4 = echo_addr(&e, 0);
	v6 = echo_addr(&e, 1);
	ask_many(&v4, 0, REQUESTS);
	ask_many(&v6, REQUESTS, 2 * REQUESTS);
	ck_assert_uint_eq(echo_sum(&e, e.requests), 2 * REQUESTS);
	for (unsigned i = 0; i < workers; i++) {
		ck_assert_uint_gt(e.requests[i], 0); /* the Call-IDs spread */
	}
	ck_assert_uint_eq(echo_counted(&e, "belfry_requests_total",
	                               "method=\"OPTIONS\",transport=\"udp\""),
	                  2 * REQUESTS);
	echo_stop(&e);
}

START_TEST(one_worker_answers_every_datagram)
{
	answers_all(1);
}
END_TEST

START_TEST(four_workers_answer_every_datagram_each_its_own)
{
	answers_all(4);
}
END_TEST

START_TEST(a_reply_goes_to_the_source_and_says_what_it_was)
{
	struct net_addr server;
	struct tp_flow last;
	struct str got;
	char want[128];
	int fd;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 1);
	server = echo_addr(&e, 0);
	fd = client_open(SOCK_DGRAM, &server);
	client_send(fd, client_options("UDP", 1));
	got = client_receive(fd);
	last = echo_seen(&e).last;
	ck_assert_uint_eq(last.remote.family, 4);
	snprintf(want, sizeof(want), "rport=%u", last.remote.port);
	ck_assert(str_contains_nocase(got, str_from(want)));
	ck_assert(str_contains_nocase(got, STR("received=127.0.0.1")));
	ck_assert(net_addr_eq(&last.local, &server));
	ck_assert(!last.accepted && last.conn == 0 && last.proto == TP_UDP);
	close(fd);
	echo_stop(&e);
}
END_TEST

/* The client takes datagrams only from the address it sent to. */
static void answers_from(const char *any, const char *host)
{
	struct net_addr to;
	struct tp_flow last;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, any);
	echo_start(&e, 1);
	to = addr_of(host, echo_addr(&e, 0).port);
	ask_many(&to, 0, 3);
	last = echo_seen(&e).last;
	ck_assert(net_addr_eq(&last.local, &to));
	echo_stop(&e);
}

START_TEST(a_wildcard_socket_answers_from_the_address_that_was_asked)
{
	answers_from("0.0.0.0", "127.0.0.5");
	answers_from("0.0.0.0", "127.0.0.6");
	answers_from("::", "::1");
}
END_TEST

START_TEST(datagrams_of_any_length_are_read_whole)
{
	static char text[65000];
	static const size_t sizes[] = {
		1500, 1900, 1935, 1936, 1937, 2047, 2048, 2049, 4000, 64000
	};
	struct net_addr to;
	int fd;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 4);
	to = echo_addr(&e, 0);
	fd = client_open(SOCK_DGRAM, &to);
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct str head = client_options("UDP", i);
		int n = snprintf(text, sizeof(text), "%.*sContent-Length: %05zu\r\n\r\n",
		                 (int)head.n - 21, head.p, (size_t)0);
		size_t body = sizes[i] - (size_t)n;

		snprintf(text, sizeof(text), "%.*sContent-Length: %05zu\r\n\r\n", (int)head.n - 21,
		         head.p, body);
		memset(text + n, 'x', body);
		client_send(fd, str_make(text, sizes[i]));
		client_expect(fd, "SIP/2.0 200 ", i);
		ck_assert_int_eq(echo_seen(&e).last_error, 0);
	}
	close(fd);
	echo_stop(&e);
}
END_TEST

START_TEST(keepalives_and_noise_are_counted_and_not_answered)
{
	struct net_addr to;
	int fd;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 1);
	to = echo_addr(&e, 0);
	fd = client_open(SOCK_DGRAM, &to);
	client_send(fd, STR("\r\n\r\n"));
	client_send(fd, STR("\0\0\0\0"));
	ck_assert_int_eq(send(fd, "", 0, 0), 0);
	client_send(fd, STR("\x80RTP"));
	client_send(fd, STR("\r\n{}"));
	client_send(fd, STR("OPTIONS is no SIP\r\n\r\n"));
	client_send(fd, client_options("UDP", 7));
	client_expect(fd, "SIP/2.0 200 ", 7);
	ck_assert_uint_eq(echo_counted(&e, "belfry_udp_dropped_total", "reason=\"keepalive\""), 3);
	ck_assert_uint_eq(echo_counted(&e, "belfry_udp_dropped_total", "reason=\"not_sip\""), 2);
	ck_assert_uint_eq(echo_counted(&e, "belfry_parse_errors_total", NULL), 1);
	ck_assert_uint_eq(echo_sum(&e, e.requests), 1);
	close(fd);
	echo_stop(&e);
}
END_TEST

START_TEST(empty_lines_before_a_request_are_skipped)
{
	struct net_addr to;
	char text[1100] = "\r\n\r\n";
	struct str options = client_options("UDP", 3);
	int fd;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 4);
	to = echo_addr(&e, 0);
	fd = client_open(SOCK_DGRAM, &to);
	memcpy(text + 4, options.p, options.n);
	client_send(fd, str_make(text, options.n + 4));
	client_expect(fd, "SIP/2.0 200 ", 3);
	close(fd);
	echo_stop(&e);
}
END_TEST

START_TEST(what_is_not_sip_goes_to_the_packet_hook_which_may_answer)
{
	struct net_addr to;
	int fd;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 4);
	to = echo_addr(&e, 0);
	fd = client_open(SOCK_DGRAM, &to);
	for (int i = 0; i < 20; i++) {
		client_send(fd, STR("\1STUN"));
		ck_assert_str_is(client_receive(fd), "\1STUN");
	}
	echo_wait(&e, &e.packets, 20);
	close(fd);
	echo_stop(&e);
}
END_TEST

START_TEST(a_response_goes_to_the_worker_that_our_branch_names)
{
	struct net_addr to;
	int fd;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 4);
	to = echo_addr(&e, 0);
	fd = client_open(SOCK_DGRAM, &to);
	for (uint8_t i = 0; i < 4; i++) {
		const struct branch b = { .kind = BRANCH_TXN, .worker = i };
		char branch[BRANCH_LEN], text[512];
		size_t n = branch_print(&b, workers_get(e.ws, 0)->process_key, branch);
		int len = snprintf(text, sizeof(text),
		                   "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP x;branch=%.*s\r\n"
		                   "From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n"
		                   "Call-ID: same\r\nCSeq: 1 INVITE\r\n\r\n",
		                   (int)n, branch);

		for (unsigned k = 0; k <= i; k++) {
			client_send(fd, str_make(text, (size_t)len));
		}
		echo_wait(&e, &e.responses[i], i + 1U);
	}
	ck_assert_uint_eq(echo_sum(&e, e.responses), 10);
	close(fd);
	echo_stop(&e);
}
END_TEST

START_TEST(a_register_goes_to_the_worker_of_its_address_of_record)
{
	static const char *const tos[] = { "<sip:alice@example.com>", "sip:alice@EXAMPLE.com",
		                           "\"A\" <sips:%61lice@example.com:5061>;x=y" };
	struct net_addr to;
	unsigned owner;
	char text[512];
	int fd;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 4);
	to = echo_addr(&e, 0);
	fd = client_open(SOCK_DGRAM, &to);
	for (unsigned i = 0; i < 30; i++) {
		int n = snprintf(text, sizeof(text),
		                 "REGISTER sip:example.com SIP/2.0\r\n"
		                 "Via: SIP/2.0/UDP x;rport;branch=z9hG4bK%u\r\n"
		                 "From: <sip:a@b>;tag=1\r\nt: %s\r\nCall-ID: call-%u\r\n"
		                 "CSeq: 1 REGISTER\r\n\r\n",
		                 i, tos[i % 3], i);

		client_send(fd, str_make(text, (size_t)n));
		client_expect(fd, "SIP/2.0 200 ", i);
	}
	echo_seen(&e); /* what the workers have counted is seen here */
	owner = transport_owner_of_aor(workers_get(e.ws, 0), STR("alice@example.com"));
	ck_assert_uint_eq(e.requests[owner], 30);
	close(fd);
	echo_stop(&e);
}
END_TEST

/* --- sending -------------------------------------------------------------------------------------
 */

struct sending {
	struct net_addr to;
	unsigned n;
	int err;
};

static const char hello[] = "hello";

static void send_hello(struct echo_user *u, void *arg)
{
	static const struct iovec iov = { (void *)(uintptr_t)hello, sizeof(hello) - 1 };
	const struct sip_out out = { .iov = (struct iovec *)(uintptr_t)&iov,
		                     .iov_n = 1,
		                     .len = iov.iov_len };
	struct sending *s = arg;
	struct tp_flow flow;

	s->err = transport_pick(u->tp, TP_UDP, &s->to, NULL, &flow);
	for (unsigned i = 0; s->err == 0 && i < s->n; i++) {
		s->err = transport_send(u->tp, &flow, false, &out);
	}
}

START_TEST(more_than_one_batch_can_be_sent_in_a_turn)
{
	struct sending s = { .n = 200 };
	int fd;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 1);
	fd = client_bind(SOCK_DGRAM, 4, &s.to);
	echo_call(&e, 0, send_hello, &s);
	ck_assert_int_eq(s.err, 0);
	for (unsigned i = 0; i < s.n; i++) {
		ck_assert_str_is(client_receive(fd), hello);
	}
	close(fd);
	echo_stop(&e);
}
END_TEST

START_TEST(a_closed_port_is_told_to_every_worker_and_hurts_no_other_peer)
{
	struct sending dead = { .n = 1 }, alive = { .n = 1 };
	struct echo_seen seen;
	int fd, dead_fd;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 4);
	dead_fd = client_bind_dead(SOCK_DGRAM, &dead.to);
	fd = client_bind(SOCK_DGRAM, 4, &alive.to);
	for (unsigned i = 1; i <= 5; i++) {
		echo_call(&e, i % 4, send_hello, &dead);
		echo_call(&e, i % 4, send_hello, &alive);
		ck_assert_str_is(client_receive(fd), hello);
		echo_wait(&e, &e.unreachable, 4 * i);
		seen = echo_seen(&e);
		ck_assert(net_addr_eq(&seen.gone, &dead.to));
		ck_assert_uint_eq(seen.gone_conn, 0);
	}
	ck_assert_uint_eq(echo_counted(&e, "belfry_icmp_errors_total", NULL), 5);
	close(dead_fd);
	close(fd);
	echo_stop(&e);
}
END_TEST

START_TEST(what_cannot_be_sent_is_refused_at_once)
{
	static char big[70000];
	static struct iovec iov = { big, sizeof(big) };
	struct sip_out out = { .iov = &iov, .iov_n = 1, .len = sizeof(big) };
	struct net_addr v4 = addr_of("127.0.0.1", 9), v6 = addr_of("::1", 9);
	struct tp_flow flow;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 1);
	workers_stop(e.ws); /* this thread is the worker now */
	ck_assert_int_eq(transport_pick(e.users[0].tp, TP_UDP, &v6, NULL, &flow), BELFRY_EUNREACH);
	ck_assert_int_eq(transport_pick(e.users[0].tp, TP_UDP, &v4, NULL, &flow), 0);
	ck_assert_int_eq(transport_send(e.users[0].tp, &flow, false, &out), BELFRY_ETOOBIG);
	flow.remote.port = 0;
	out.len = iov.iov_len = 5;
	ck_assert_int_eq(transport_send(e.users[0].tp, &flow, false, &out), BELFRY_EUNREACH);
	echo_stop(&e);
}
END_TEST

/* --- bans ----------------------------------------------------------------------------------------
 */

static void ban(struct echo_user *u, void *arg)
{
	ck_assert_int_eq(transport_ban_add(u->tp, arg, u->w->clock.now_ms + 60000), 0);
}

static void ban_many(struct echo_user *u, void *arg)
{
	struct net_addr ip = addr_of("10.0.0.0", 0);

	(void)arg;
	for (unsigned i = 0; i < 1000; i++) {
		ip.ip[2] = (uint8_t)(i >> 8);
		ip.ip[3] = (uint8_t)i;
		ck_assert_int_eq(transport_ban_add(u->tp, &ip, u->w->clock.now_ms + 60000), 0);
	}
}

static void unban(struct echo_user *u, void *arg)
{
	transport_ban_del(u->tp, arg);
}

START_TEST(a_banned_source_is_not_heard_until_it_is_let_in_again)
{
	struct net_addr to, me = addr_of("127.0.0.1", 0);
	int fd;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 1);
	to = echo_addr(&e, 0);
	fd = client_open(SOCK_DGRAM, &to);
	echo_call(&e, 0, ban, &me);
	echo_call(&e, 0, ban_many, NULL);
	client_send(fd, client_options("UDP", 1));
	while (echo_counted(&e, "belfry_udp_dropped_total", "reason=\"banned\"") == 0) {
	}
	echo_call(&e, 0, unban, &me);
	client_send(fd, client_options("UDP", 2));
	client_expect(fd, "SIP/2.0 200 ", 2);
	close(fd);
	echo_stop(&e);
}
END_TEST

/* --- listening -----------------------------------------------------------------------------------
 */

START_TEST(an_address_in_use_is_an_error_that_names_it)
{
	struct echo other;
	char *error = NULL, want[64];
	struct net_addr taken;

	for (int transport = CONF_UDP; transport <= CONF_TCP; transport++) {
		echo_init(&e);
		echo_listen(&e, transport, "127.0.0.1");
		echo_start(&e, 4);
		taken = echo_addr(&e, 0);
		echo_init(&other);
		echo_listen(&other, transport, "127.0.0.1");
		other.listens[0].addr.port = taken.port;
		ck_assert_int_eq(echo_try_start(&other, 2, &error), -EADDRINUSE);
		snprintf(want, sizeof(want), "%s 127.0.0.1:%u",
		         transport == CONF_UDP ? "udp" : "tcp", taken.port);
		ck_assert_msg(strstr(error, want), "%s", error);
		free(error);
		echo_stop(&e);
	}
}
END_TEST

START_TEST(a_transport_that_is_not_there_is_an_error)
{
	char *error = NULL;

	echo_init(&e);
	echo_listen(&e, CONF_WS, "127.0.0.1");
	ck_assert_int_eq(echo_try_start(&e, 1, &error), -EPROTONOSUPPORT);
	ck_assert_ptr_nonnull(error);
	free(error);
}
END_TEST

START_TEST(a_reload_opens_and_closes_listeners_and_keeps_the_rest)
{
	struct conf_listen next[2];
	struct conf conf;
	struct net_addr first, second, third;
	const struct tp_listener *kept;
	char *error = NULL;
	void *plan;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_listen(&e, CONF_UDP, "::1");
	echo_start(&e, 4);
	kept = transport_listener(e.g, 0);
	first = echo_addr(&e, 0);
	second = echo_addr(&e, 1);
	conf = e.conf;
	conf.listen = next;
	next[0] = e.listens[0];
	next[1] = (struct conf_listen){ .transport = CONF_UDP, .addr = addr_of("127.0.0.2", 0) };
	for (unsigned round = 0; round < 20; round++) {
		ck_assert_int_eq(transport_group_prepare(e.g, &conf, &plan, &error), 0);
		transport_group_abort(e.g, plan);
		ck_assert_int_eq(transport_group_prepare(e.g, &conf, &plan, &error), 0);
		transport_group_commit(e.g, plan);
		ck_assert_ptr_eq(transport_listener(e.g, 0), kept);
		third = echo_addr(&e, 1);
		ck_assert(net_addr_eq_ip(&third, &next[1].addr));
		ask_many(&first, 0, 10);
		ask_many(&third, 10, 20);
		next[1].addr = second; /* back, and then forth again */
		ck_assert_int_eq(transport_group_prepare(e.g, &conf, &plan, &error), 0);
		transport_group_commit(e.g, plan);
		ask_many(&second, 20, 30);
		next[1].addr = addr_of("127.0.0.2", 0);
	}
	ck_assert_ptr_null(transport_listener(e.g, 2));
	next[1].addr = first; /* twice the same */
	ck_assert_int_eq(transport_group_prepare(e.g, &conf, &plan, &error), -EADDRINUSE);
	free(error);
	echo_stop(&e);
}
END_TEST

struct asking {
	struct tp_flow from;
	bool takes;
};

static void takes_new(struct echo_user *u, void *arg)
{
	struct asking *a = arg;

	a->takes = transport_takes_new(u->tp, &a->from);
}

/* On every worker, of the flow of the last request. */
static bool all_take_new(void)
{
	struct asking a;
	bool all = true;

	a.from = echo_seen(&e).last;
	for (unsigned i = 0; i < 4; i++) {
		echo_call(&e, i, takes_new, &a);
		all = all && a.takes;
	}
	return all;
}

static void reload_to(const struct conf_listen *listens, size_t n)
{
	struct conf conf = e.conf;
	char *error = NULL;
	void *plan;

	conf.listen = (struct conf_listen *)(uintptr_t)listens;
	conf.listen_n = n;
	conf.server.drain_timeout = 2;
	ck_assert_int_eq(transport_group_prepare(e.g, &conf, &plan, &error), 0);
	transport_group_commit(e.g, plan);
}

START_TEST(a_datagram_socket_that_a_reload_took_away_begins_nothing_and_closes_in_time)
{
	struct net_addr gone, bound;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "::1");
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 4);
	gone = echo_addr(&e, 1);
	ask_many(&gone, 0, 10);
	ck_assert(all_take_new());
	for (unsigned round = 0; round < 3; round++) { /* back before its time is over, each time */
		reload_to(e.listens, 1);
		ck_assert(!all_take_new());
		ask_many(&gone, 10, 20); /* what has begun goes on */
		transport_group_second(e.g);
		transport_group_second(e.g);
		ck_assert(!all_take_new());
		reload_to(e.listens, 2);
		ck_assert(all_take_new());
	}
	reload_to(e.listens, 1);
	for (unsigned s = 0; s < 3; s++) {
		ck_assert(!all_take_new());
		ck_assert_int_eq(net_probe(SOCK_DGRAM, &gone, &bound), -EADDRINUSE);
		transport_group_second(e.g);
	}
	(void)all_take_new(); /* all have adopted it */
	ck_assert_int_eq(net_probe(SOCK_DGRAM, &gone, &bound), 0);
	transport_group_second(e.g);
	echo_stop(&e);
}
END_TEST

START_TEST(a_reload_that_renames_a_listener_keeps_its_socket)
{
	struct net_addr to;
	struct conf_listen next;
	struct conf conf;
	const struct tp_listener *old;
	char *error = NULL;
	void *plan;

	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_start(&e, 2);
	to = echo_addr(&e, 0);
	old = transport_listener(e.g, 0);
	conf = e.conf;
	conf.listen = &next;
	next = e.listens[0];
	next.advertise_host = STR("new.example.com");
	ck_assert_int_eq(transport_group_prepare(e.g, &conf, &plan, &error), 0);
	transport_group_commit(e.g, plan);
	ck_assert_str_is(transport_listener(e.g, 0)->host, "new.example.com");
	ck_assert_uint_ne(transport_listener(e.g, 0)->id, old->id);
	ck_assert(net_addr_eq(&transport_listener(e.g, 0)->addr, &to));
	ck_assert_str_is(old->host, "127.0.0.1"); /* flows may still point to it */
	ask_many(&to, 0, 10);
	echo_stop(&e);
}
END_TEST

static int group_scenario(void *arg)
{
	struct workers_params params = { .n = 2, .mailbox_max = 64, .msgbufs_max = 64 };
	struct transport_group *g;
	struct workers *ws;
	char *error = NULL;
	int err;

	(void)arg;
	echo_init(&e);
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	echo_listen(&e, CONF_TCP, "127.0.0.1");
	params.conf = &e.conf;
	params.counters = counters_new();
	if (!params.counters) {
		return -ENOMEM;
	}
	err = workers_new(&params, &ws);
	if (err == 0) {
		err = transport_group_new(ws, &e.conf, &g, &error);
		if (err == 0) {
			workers_stop(ws);
			transport_group_free(g);
		}
		free(error);
		workers_free(ws);
	}
	counters_free(params.counters);
	ck_assert_int_eq(e.conf.refs, 1);
	return err;
}

START_TEST(a_group_without_memory_leaves_nothing_open)
{
	int before = dup(0), after;

	close(before);
	oom_each(group_scenario, NULL);
	after = dup(0);
	close(after);
	ck_assert_int_eq(before, after);
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
	echo_listen(&e, CONF_UDP, "127.0.0.1");
	err = echo_start_here(&e, 1);
	if (err != 0) {
		return err;
	}
	to = echo_addr(&e, 0);
	fd = client_open(SOCK_DGRAM, &to);
	client_send(fd, client_options("UDP", 1));
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

UNIT_MAIN("transport/udp", one_worker_answers_every_datagram,
          four_workers_answer_every_datagram_each_its_own,
          a_reply_goes_to_the_source_and_says_what_it_was,
          a_wildcard_socket_answers_from_the_address_that_was_asked,
          datagrams_of_any_length_are_read_whole, keepalives_and_noise_are_counted_and_not_answered,
          empty_lines_before_a_request_are_skipped,
          what_is_not_sip_goes_to_the_packet_hook_which_may_answer,
          a_response_goes_to_the_worker_that_our_branch_names,
          a_register_goes_to_the_worker_of_its_address_of_record,
          more_than_one_batch_can_be_sent_in_a_turn,
          a_closed_port_is_told_to_every_worker_and_hurts_no_other_peer,
          what_cannot_be_sent_is_refused_at_once,
          a_banned_source_is_not_heard_until_it_is_let_in_again,
          an_address_in_use_is_an_error_that_names_it, a_transport_that_is_not_there_is_an_error,
          a_reload_opens_and_closes_listeners_and_keeps_the_rest,
          a_datagram_socket_that_a_reload_took_away_begins_nothing_and_closes_in_time,
          a_reload_that_renames_a_listener_keeps_its_socket,
          a_group_without_memory_leaves_nothing_open,
          without_memory_a_request_is_lost_and_nothing_else)
