/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When something has no room: mailboxes, buffers, descriptors, the kernel's queues. The workers run
 * in this thread, and the system calls can be made to fail (-Wl,--wrap).
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/echo.h"
#include "util/err.h"

static struct echo e;

/* --- system calls --------------------------------------------------------------------------------
 */

static struct {
	int sendmmsg_err, accept_err; /* 0: the real call */
	size_t sendmsg_max;           /* bytes taken by one call; 0: all */
	int sendmsg_err;              /* after so many calls: */
	unsigned sendmsg_calls;
	unsigned accepts;
} sys;

int __real_sendmmsg(int fd, struct mmsghdr *v, unsigned int n, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *v, unsigned int n, int flags);
ssize_t __real_sendmsg(int fd, const struct msghdr *hdr, int flags);
ssize_t __wrap_sendmsg(int fd, const struct msghdr *hdr, int flags);
int __real_accept4(int fd, struct sockaddr *sa, socklen_t *n, int flags);
int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *n, int flags);

int __wrap_sendmmsg(int fd, struct mmsghdr *v, unsigned int n, int flags)
{
	if (sys.sendmmsg_err) {
		errno = sys.sendmmsg_err;
		return -1;
	}
	return __real_sendmmsg(fd, v, n, flags);
}

ssize_t __wrap_sendmsg(int fd, const struct msghdr *hdr, int flags)
{
	struct iovec one = hdr->msg_iov[0];
	struct msghdr some = *hdr;

	sys.sendmsg_calls++;
	if (sys.sendmsg_err) {
		errno = sys.sendmsg_err;
		return -1;
	}
	if (sys.sendmsg_max) {
		one.iov_len = one.iov_len < sys.sendmsg_max ? one.iov_len : sys.sendmsg_max;
		some.msg_iov = &one;
		some.msg_iovlen = 1;
	}
	return __real_sendmsg(fd, &some, flags);
}

int __wrap_accept4(int fd, struct sockaddr *sa, socklen_t *n, int flags)
{
	if (sys.accept_err && sys.accepts++ % 2 == 0) { /* the spare descriptor lets one in */
		errno = sys.accept_err;
		return -1;
	}
	return __real_accept4(fd, sa, n, flags);
}

static int start(int transport, unsigned workers)
{
	struct net_addr to;

	echo_listen(&e, transport, "127.0.0.1");
	ck_assert_int_eq(echo_start_here(&e, workers), 0);
	to = echo_addr(&e, 0);
	return client_open(transport == CONF_UDP ? SOCK_DGRAM : SOCK_STREAM, &to);
}

static void stop(int fd)
{
	close(fd);
	echo_drop_kept(&e);
	echo_stop(&e);
}

/* --- datagrams -----------------------------------------------------------------------------------
 */

START_TEST(what_the_kernel_does_not_take_now_goes_later_in_order)
{
	int fd;

	echo_init(&e);
	fd = start(CONF_UDP, 1);
	sys.sendmmsg_err = EAGAIN;
	for (unsigned i = 0; i < 3; i++) {
		client_send(fd, client_options("UDP", i));
		echo_turn(&e);
		echo_turn(&e);
	}
	ck_assert_uint_eq(echo_sum(&e, e.requests), 3);
	sys.sendmmsg_err = 0;
	for (unsigned i = 0; i < 3; i++) {
		echo_turn_until_readable(&e, fd);
		client_expect(fd, "SIP/2.0 200 ", i);
	}
	stop(fd);
}
END_TEST

START_TEST(what_waits_for_the_kernel_is_bounded)
{
	const char *labels = "reason=\"send_queue\"";
	int fd;

	echo_init(&e);
	fd = start(CONF_UDP, 1);
	sys.sendmmsg_err = ENOBUFS;
	for (unsigned i = 0; i < 10000 && !echo_counted(&e, "belfry_udp_dropped_total", labels);
	     i++) {
		client_send(fd, client_options("UDP", i));
		echo_turn(&e);
	}
	ck_assert_uint_gt(echo_counted(&e, "belfry_udp_dropped_total", labels), 0);
	stop(fd);
}
END_TEST

START_TEST(a_datagram_that_cannot_go_anywhere_is_told)
{
	int fd;

	echo_init(&e);
	fd = start(CONF_UDP, 1);
	sys.sendmmsg_err = ENETUNREACH;
	client_send(fd, client_options("UDP", 1));
	for (int i = 0; i < 4; i++) {
		echo_turn(&e);
	}
	ck_assert_uint_eq(e.unreachable, 1);
	ck_assert_uint_eq(echo_counted(&e, "belfry_udp_dropped_total", "reason=\"send_error\""), 1);
	stop(fd);
}
END_TEST

START_TEST(without_buffers_datagrams_are_dropped_until_some_come_home)
{
	int fd;

	echo_init(&e);
	e.msgbufs_max = 40; /* a batch, and 8 */
	e.is_keeping = true;
	fd = start(CONF_UDP, 1);
	for (unsigned i = 0; i < 100; i++) {
		client_send(fd, client_options("UDP", i));
		echo_turn(&e);
	}
	ck_assert_uint_le(e.kept_n, 40);
	ck_assert_uint_gt(echo_counted(&e, "belfry_udp_dropped_total", "reason=\"no_buffer\""), 0);
	e.is_keeping = false;
	echo_drop_kept(&e);
	client_send(fd, client_options("UDP", 200));
	echo_turn_until_readable(&e, fd);
	client_expect(fd, "SIP/2.0 200 ", 200);
	stop(fd);
}
END_TEST

START_TEST(a_full_mailbox_drops_datagrams)
{
	const char *labels = "reason=\"mailbox_full\"";
	uint64_t end, got, dropped;
	int fd;

	echo_init(&e);
	e.mailbox_max = 4;
	fd = start(CONF_UDP, 4);
	for (unsigned i = 0; i < 200; i++) {
		client_send(fd, client_options("UDP", i));
	}
	end = unit_wait_begin();
	do {
		echo_turn(&e);
		got = echo_sum(&e, e.requests);
		dropped = echo_counted(&e, "belfry_udp_dropped_total", labels);
	} while (got + dropped < 200 && unit_wait_more(end));
	ck_assert_uint_gt(got, 0);
	ck_assert_uint_lt(got, 200);
	ck_assert_uint_eq(got + dropped, 200);
	stop(fd);
}
END_TEST

/* --- streams -------------------------------------------------------------------------------------
 */

static void expect_all(int fd, unsigned n)
{
	static char text[1 << 18];
	size_t len = 0;
	unsigned got = 0;

	while (got < n) {
		const char *p = text, *end;
		struct str more;

		echo_turn_until_readable(&e, fd);
		more = client_receive(fd);
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

START_TEST(a_stream_waits_for_room_in_a_mailbox_and_loses_nothing)
{
	int fd;

	echo_init(&e);
	e.mailbox_max = 4;
	fd = start(CONF_TCP, 4);
	for (unsigned i = 0; i < 100; i++) {
		client_send(fd, client_options("TCP", i));
	}
	expect_all(fd, 100);
	stop(fd);
}
END_TEST

START_TEST(a_stream_waits_for_buffers_and_loses_nothing)
{
	unsigned kept;
	int fd;

	echo_init(&e);
	e.msgbufs_max = 4;
	e.is_keeping = true;
	fd = start(CONF_TCP, 1);
	for (unsigned i = 0; i < 20; i++) {
		client_send(fd, client_options("TCP", i));
	}
	for (int i = 0; i < 20; i++) {
		echo_turn(&e);
	}
	ck_assert_uint_gt(e.kept_n, 0);
	ck_assert_uint_lt(e.kept_n, 5);
	e.is_keeping = false;
	kept = e.kept_n; /* these are never answered, the others are */
	echo_drop_kept(&e);
	expect_all(fd, 20 - kept);
	stop(fd);
}
END_TEST

START_TEST(a_stream_that_holds_a_buffer_and_waits_for_one_ends_in_time)
{
	static char start_only[8 * MSGBUF_SIZE];
	char byte;
	struct net_addr to;
	int fd, other;

	echo_init(&e);
	e.msgbufs_max = 4;
	e.conf.server.message_timeout = 1;
	fd = start(CONF_TCP, 1);
	memset(start_only, 'x', sizeof(start_only));
	memcpy(start_only, "OPTIONS sip:", 12);
	client_send(fd, str_make(start_only, sizeof(start_only)));
	echo_turn_until_readable(&e, fd);
	ck_assert_int_le(recv(fd, &byte, 1, 0), 0);
	to = echo_addr(&e, 0);
	other = client_open(SOCK_STREAM, &to);
	client_send(other, client_options("TCP", 1));
	echo_turn_until_readable(&e, other);
	client_expect(other, "SIP/2.0 200 ", 1);
	close(other);
	stop(fd);
}
END_TEST

/* Who begins messages and does not end them keeps nobody else from being heard. */
START_TEST(unfinished_messages_give_way_when_buffers_are_few)
{
	enum { N = 8 };
	const char *labels = "reason=\"unfinished_message\"";
	static char start_only[8 * MSGBUF_SIZE];
	struct net_addr to;
	int fd, other, slow[N];
	uint64_t begin_ms;

	echo_init(&e);
	e.msgbufs_max = 64;
	fd = start(CONF_TCP, 1);
	to = echo_addr(&e, 0);
	memset(start_only, 'x', sizeof(start_only));
	memcpy(start_only, "OPTIONS sip:", 12);
	begin_ms = e.users[0].w->clock.now_ms;
	for (unsigned i = 0; i < N; i++) {
		slow[i] = client_open(SOCK_STREAM, &to);
		client_send(slow[i], str_make(start_only, sizeof(start_only)));
	}
	for (int i = 0; i < 50; i++) {
		echo_turn(&e);
	}
	if (e.users[0].w->clock.now_ms - begin_ms < 1000) { /* who is just sending is not cut off */
		ck_assert_uint_eq(echo_counted(&e, "belfry_rejected_total", labels), 0);
	}
	sleep(1);
	client_send(slow[N - 1], STR("x"));
	other = client_open(SOCK_STREAM, &to);
	client_send(other, client_options("TCP", 1));
	echo_turn_until_readable(&e, other);
	client_expect(other, "SIP/2.0 200 ", 1);
	ck_assert_uint_gt(echo_counted(&e, "belfry_rejected_total", labels), 0);
	ck_assert_uint_lt(echo_counted(&e, "belfry_rejected_total", labels), N);
	for (unsigned i = 0; i < N; i++) {
		close(slow[i]);
	}
	close(other);
	stop(fd);
}
END_TEST

START_TEST(output_in_small_pieces_comes_whole)
{
	int fd;

	echo_init(&e);
	fd = start(CONF_TCP, 1);
	sys.sendmsg_max = 7;
	for (unsigned i = 0; i < 50; i++) {
		client_send(fd, client_options("TCP", i));
	}
	expect_all(fd, 50);
	ck_assert_uint_gt(sys.sendmsg_calls, 500);
	stop(fd);
}
END_TEST

START_TEST(a_write_error_ends_the_stream)
{
	int fd;

	echo_init(&e);
	fd = start(CONF_TCP, 1);
	sys.sendmsg_err = ECONNRESET;
	client_send(fd, client_options("TCP", 1));
	for (int i = 0; i < 10; i++) {
		echo_turn(&e);
	}
	ck_assert_uint_eq(e.down, 1);
	ck_assert_uint_eq(e.unreachable, 1);
	ck_assert_uint_ne(e.seen.gone_conn, 0);
	stop(fd);
}
END_TEST

START_TEST(without_descriptors_a_connection_is_let_in_to_be_closed)
{
	struct net_addr to;
	int fd, second;

	echo_init(&e);
	sys.accept_err = EMFILE;
	fd = start(CONF_TCP, 1);
	echo_turn_until_readable(&e, fd);
	ck_assert_uint_eq(client_receive(fd).n, 0);
	sys.accept_err = 0;
	to = echo_addr(&e, 0);
	second = client_open(SOCK_STREAM, &to);
	client_send(second, client_options("TCP", 1));
	echo_turn_until_readable(&e, second); /* after a pause */
	client_expect(second, "SIP/2.0 200 ", 1);
	close(second);
	stop(fd);
}
END_TEST

UNIT_MAIN("transport/pressure", what_the_kernel_does_not_take_now_goes_later_in_order,
          what_waits_for_the_kernel_is_bounded, a_datagram_that_cannot_go_anywhere_is_told,
          without_buffers_datagrams_are_dropped_until_some_come_home,
          a_full_mailbox_drops_datagrams, a_stream_waits_for_room_in_a_mailbox_and_loses_nothing,
          a_stream_waits_for_buffers_and_loses_nothing,
          a_stream_that_holds_a_buffer_and_waits_for_one_ends_in_time,
          unfinished_messages_give_way_when_buffers_are_few, output_in_small_pieces_comes_whole,
          a_write_error_ends_the_stream, without_descriptors_a_connection_is_let_in_to_be_closed)
