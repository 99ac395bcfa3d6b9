/* SPDX-License-Identifier: Apache-2.0 */
#include "net/conn.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket.h"
#include "support/unit.h"

#define PIECES 200U

struct seen {
	struct conn conn; /* first */
	unsigned connected, readable, drained, failed;
	int err;
};

static struct conn_env env;
static struct seen seen;
static unsigned events;

static void on_connected(struct conn *c)
{
	((struct seen *)(void *)c)->connected++;
}

static void on_readable(struct conn *c)
{
	struct seen *s = (struct seen *)(void *)c;
	char text[64];
	ssize_t n = c->ops->read(c, text, sizeof(text));

	s->readable++;
	if (n <= 0) {
		conn_read_off(c);
	}
}

static void on_drained(struct conn *c)
{
	((struct seen *)(void *)c)->drained++;
}

static void on_failed(struct conn *c, int err)
{
	struct seen *s = (struct seen *)(void *)c;

	ck_assert_int_eq(c->fd, -1);
	s->failed++;
	s->err = err;
}

static const struct conn_user user = { .connected = on_connected,
	                               .readable = on_readable,
	                               .drained = on_drained,
	                               .failed = on_failed };

static void on_event(void *arg)
{
	ck_assert_ptr_eq(arg, &env);
	events++;
}

static int open_pair(void)
{
	int fds[2];

	env = (struct conn_env){ .base = event_base_new(), .event = on_event, .event_arg = &env };
	ck_assert_ptr_nonnull(env.base);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds),
	                 0);
	ck_assert_int_eq(conn_open(&seen.conn, &env, fds[0], false, &user), 0);
	return fds[1];
}

static void turn(void)
{
	event_base_loop(env.base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

static void finish(int peer)
{
	conn_close(&seen.conn);
	conn_close(&seen.conn);
	conn_env_fini(&env);
	event_base_free(env.base);
	close(peer);
}

START_TEST(pieces_of_a_turn_leave_at_its_end_in_order)
{
	static char text[PIECES];
	struct iovec iov[PIECES];
	char got[2 * PIECES];
	int peer = open_pair();

	for (unsigned i = 0; i < PIECES; i++) {
		text[i] = (char)i;
		iov[i] = (struct iovec){ &text[i], 1 };
	}
	ck_assert_int_eq(conn_send(&seen.conn, iov, 10), 0);
	ck_assert(conn_has_output(&seen.conn));
	ck_assert_int_lt(recv(peer, got, sizeof(got), 0), 0);
	ck_assert_int_eq(conn_send(&seen.conn, iov + 10, PIECES - 10), 0);
	conn_flush(&seen.conn);
	ck_assert(!conn_has_output(&seen.conn));
	ck_assert_int_eq(recv(peer, got, sizeof(got), 0), PIECES);
	ck_assert_mem_eq(got, text, PIECES);
	conn_flush(&seen.conn);
	finish(peer);
}
END_TEST

START_TEST(a_full_peer_bounds_the_queue_and_drains_it_later)
{
	static char block[16384], got[16384];
	const struct iovec iov = { block, sizeof(block) };
	size_t sent = 0, received = 0;
	int err = 0, peer = open_pair();
	ssize_t n;

	while (err == 0) {
		memset(block, (int)(sent / sizeof(block)), sizeof(block));
		err = conn_send(&seen.conn, &iov, 1);
		conn_flush(&seen.conn);
		sent += err == 0 ? sizeof(block) : 0;
	}
	ck_assert_int_eq(err, -ENOBUFS);
	ck_assert_uint_le(seen.conn.queued, CONN_QUEUE_MAX);
	ck_assert_uint_eq(seen.drained, 0);
	while (received < sent) {
		turn();
		while ((n = recv(peer, got, sizeof(got), 0)) > 0) {
			for (ssize_t i = 0; i < n; i++) {
				size_t at = received + (size_t)i;

				ck_assert_int_eq(got[i], (char)(at / sizeof(block)));
			}
			received += (size_t)n;
		}
	}
	turn();
	ck_assert_uint_eq(seen.drained, 1);
	ck_assert_uint_eq(seen.conn.queued, 0);
	ck_assert_uint_eq(seen.conn.written, sent);
	ck_assert_uint_gt(events, 0);
	finish(peer);
}
END_TEST

/* Many peers that do not read share a limit; one message, and a little, each of them may have. */
START_TEST(what_all_connections_keep_is_bounded)
{
	static char block[CONN_QUEUE_SURE + 1];
	const struct iovec large = { block, sizeof(block) }, small = { block, 100 };
	int peer = open_pair();

	while (seen.conn.queued < 100) {
		ck_assert_int_eq(conn_send(&seen.conn, &small, 1), 0);
		conn_flush(&seen.conn);
	}
	ck_assert_uint_eq(env.queued, seen.conn.queued);
	ck_assert(!conn_env_is_full(&env));
	env.queued += CONN_QUEUES_MAX; /* others */
	ck_assert(conn_env_is_full(&env));
	ck_assert_int_eq(conn_send(&seen.conn, &small, 1), 0);
	ck_assert_int_eq(conn_send(&seen.conn, &large, 1), -ENOBUFS);
	conn_flush(&seen.conn);
	while (conn_has_output(&seen.conn)) {
		while (recv(peer, block, sizeof(block), 0) > 0) {
		}
		turn();
	}
	ck_assert_int_eq(conn_send(&seen.conn, &large, 1), 0); /* a single one */
	conn_flush(&seen.conn);
	conn_close(&seen.conn);
	ck_assert_uint_eq(env.queued, CONN_QUEUES_MAX);
	finish(peer);
}
END_TEST

START_TEST(reading_can_be_switched_off_and_on)
{
	int peer = open_pair();

	ck_assert_int_eq(send(peer, "x", 1, 0), 1);
	turn();
	ck_assert_uint_eq(seen.readable, 1);
	conn_read_off(&seen.conn);
	conn_read_off(&seen.conn);
	ck_assert_int_eq(send(peer, "x", 1, 0), 1);
	turn();
	ck_assert_uint_eq(seen.readable, 1);
	conn_read_on(&seen.conn);
	turn();
	ck_assert_uint_eq(seen.readable, 2);
	finish(peer);
}
END_TEST

START_TEST(a_write_to_a_peer_that_is_gone_fails_once)
{
	const struct iovec iov = { "x", 1 };
	int peer = open_pair();

	close(peer);
	ck_assert_int_eq(conn_send(&seen.conn, &iov, 1), 0);
	conn_flush(&seen.conn);
	ck_assert_uint_eq(seen.failed, 1);
	ck_assert_int_eq(seen.err, -EPIPE);
	ck_assert_int_eq(conn_send(&seen.conn, &iov, 1), -EPIPE);
	conn_flush(&seen.conn);
	ck_assert_uint_eq(seen.failed, 1);
	finish(dup(0));
}
END_TEST

START_TEST(after_shutdown_the_peer_sees_the_end_and_can_still_send)
{
	char c;
	int peer = open_pair();

	conn_shutdown(&seen.conn);
	ck_assert_int_eq(recv(peer, &c, 1, 0), 0);
	ck_assert_int_eq(send(peer, "x", 1, 0), 1);
	turn();
	ck_assert_uint_eq(seen.readable, 1);
	finish(peer);
}
END_TEST

START_TEST(output_waits_until_connected)
{
	const struct iovec iov = { "hello", 5 };
	struct net_addr addr, remote;
	char text[8];
	int listening, fd, peer;

	ck_assert_int_eq(net_addr_parse(STR("127.0.0.1"), 0, &addr), 0);
	listening = net_tcp_listen(&addr);
	ck_assert_int_eq(net_local_addr(listening, &addr), 0);
	close(open_pair());
	conn_close(&seen.conn);
	fd = net_tcp_connect(&addr, NULL);
	ck_assert_int_eq(conn_open(&seen.conn, &env, fd, true, &user), 0);
	ck_assert_int_eq(conn_send(&seen.conn, &iov, 1), 0);
	conn_flush(&seen.conn);
	ck_assert_uint_eq(seen.conn.queued, 5);
	while (seen.connected == 0) {
		turn();
	}
	ck_assert_uint_eq(seen.drained, 1);
	peer = net_tcp_accept(listening, &remote);
	ck_assert_int_eq(recv(peer, text, sizeof(text), 0), 5);
	close(listening);
	finish(peer);
}
END_TEST

static int send_scenario(void *arg)
{
	static char block[1 << 20];
	const struct iovec iov = { block, 200000 };
	int err, peer = open_pair();

	(void)arg;
	seen.failed = 0;
	err = conn_send(&seen.conn, &iov, 1);
	conn_flush(&seen.conn);
	err = err ? err : conn_send(&seen.conn, &iov, 1);
	conn_flush(&seen.conn);
	finish(peer);
	return seen.failed ? -ENOMEM : err;
}

START_TEST(without_memory_for_the_rest_the_connection_fails)
{
	oom_each(send_scenario, NULL);
}
END_TEST

UNIT_MAIN("net/conn", pieces_of_a_turn_leave_at_its_end_in_order,
          a_full_peer_bounds_the_queue_and_drains_it_later, what_all_connections_keep_is_bounded,
          reading_can_be_switched_off_and_on, a_write_to_a_peer_that_is_gone_fails_once,
          after_shutdown_the_peer_sees_the_end_and_can_still_send, output_waits_until_connected,
          without_memory_for_the_rest_the_connection_fails)
