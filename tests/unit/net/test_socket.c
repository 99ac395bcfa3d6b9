/* SPDX-License-Identifier: Apache-2.0 */
#include "net/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "support/unit.h"

static struct net_addr addr_of(const char *host, uint16_t port)
{
	struct net_addr addr;

	ck_assert_int_eq(net_addr_parse(str_from(host), port, &addr), 0);
	return addr;
}

static struct net_addr free_addr(int type, const char *host)
{
	struct net_addr asked = addr_of(host, 0), bound;

	ck_assert_int_eq(net_probe(type, &asked, &bound), 0);
	ck_assert_uint_ne(bound.port, 0);
	return bound;
}

static void wait_for(int fd, short what)
{
	struct pollfd p = { .fd = fd, .events = what };

	ck_assert_int_eq(poll(&p, 1, 5000), 1);
}

START_TEST(a_probe_notices_sockets_that_would_share_the_address)
{
	struct net_addr addr = free_addr(SOCK_DGRAM, "127.0.0.1"), bound;
	int one = net_udp_open(&addr), two = net_udp_open(&addr), tcp, tcp2;

	ck_assert_int_ge(one, 0);
	ck_assert_int_ge(two, 0);
	ck_assert_int_eq(net_probe(SOCK_DGRAM, &addr, &bound), -EADDRINUSE);
	addr = free_addr(SOCK_STREAM, "::1");
	tcp = net_tcp_listen(&addr);
	tcp2 = net_tcp_listen(&addr);
	ck_assert_int_ge(tcp, 0);
	ck_assert_int_ge(tcp2, 0);
	ck_assert_int_eq(net_probe(SOCK_STREAM, &addr, &bound), -EADDRINUSE);
	close(one);
	close(two);
	close(tcp);
	close(tcp2);
	ck_assert_int_eq(net_probe(SOCK_STREAM, &addr, &bound), 0);
}
END_TEST

START_TEST(an_address_that_is_not_ours_cannot_be_opened)
{
	struct net_addr addr = addr_of("192.0.2.1", 5060), bound;

	ck_assert_int_eq(net_probe(SOCK_DGRAM, &addr, &bound), -EADDRNOTAVAIL);
	ck_assert_int_eq(net_udp_open(&addr), -EADDRNOTAVAIL);
	ck_assert_int_eq(net_tcp_listen(&addr), -EADDRNOTAVAIL);
}
END_TEST

START_TEST(both_families_can_have_the_same_port)
{
	struct net_addr v4 = free_addr(SOCK_DGRAM, "0.0.0.0"), v6 = addr_of("::", v4.port);
	int one = net_udp_open(&v4), two = net_udp_open(&v6);

	ck_assert_int_ge(one, 0);
	ck_assert_int_ge(two, 0);
	close(one);
	close(two);
}
END_TEST

START_TEST(a_connection_has_both_addresses)
{
	struct net_addr addr = free_addr(SOCK_STREAM, "127.0.0.1"), from = addr_of("127.0.0.9", 1);
	struct net_addr remote, local, peer;
	int listening = net_tcp_listen(&addr), fd, conn;

	ck_assert_int_eq(net_tcp_accept(listening, &remote), -EAGAIN);
	fd = net_tcp_connect(&addr, &from);
	ck_assert_int_ge(fd, 0);
	wait_for(fd, POLLOUT);
	ck_assert_int_eq(net_socket_error(fd), 0);
	wait_for(listening, POLLIN);
	conn = net_tcp_accept(listening, &remote);
	ck_assert_int_ge(conn, 0);
	ck_assert(net_addr_eq_ip(&remote, &from));
	ck_assert_int_eq(net_local_addr(fd, &local), 0);
	ck_assert(net_addr_eq(&local, &remote));
	ck_assert_int_eq(net_local_addr(conn, &peer), 0);
	ck_assert(net_addr_eq(&peer, &addr));
	close(fd);
	close(conn);
	close(listening);
}
END_TEST

START_TEST(a_refused_connection_gives_its_error)
{
	struct net_addr addr = free_addr(SOCK_STREAM, "127.0.0.1");
	int fd = net_tcp_connect(&addr, NULL);

	if (fd >= 0) {
		wait_for(fd, POLLOUT);
		ck_assert_int_eq(net_socket_error(fd), -ECONNREFUSED);
		ck_assert_int_eq(net_socket_error(fd), 0);
		close(fd);
	} else {
		ck_assert_int_eq(fd, -ECONNREFUSED);
	}
	ck_assert_int_eq(net_socket_error(-1), -EBADF);
}
END_TEST

/* From @local through the wildcard socket to one that sees where it came from. */
static void leaves_from(const char *any, const char *local_host)
{
	struct net_addr addr = free_addr(SOCK_DGRAM, any), local = addr_of(local_host, 0);
	struct net_addr peer_addr = free_addr(SOCK_DGRAM, local_host), seen, to;
	int fd = net_udp_open(&addr), peer = net_udp_open(&peer_addr);
	_Alignas(8) char space[NET_PKTINFO_SPACE];
	struct sockaddr_storage ss;
	char text[8];
	struct iovec iov = { text, sizeof(text) };
	struct msghdr hdr = { .msg_name = &ss, .msg_iov = &iov, .msg_iovlen = 1 };
	socklen_t n = sizeof(ss);

	hdr.msg_namelen = net_addr_to_sockaddr(&peer_addr, &ss);
	net_pktinfo_set(&hdr, space, &local);
	ck_assert_int_eq(sendmsg(fd, &hdr, 0), sizeof(text));
	wait_for(peer, POLLIN);
	ck_assert_int_eq(recvfrom(peer, text, sizeof(text), 0, (struct sockaddr *)&ss, &n),
	                 sizeof(text));
	net_addr_from_sockaddr((struct sockaddr *)&ss, &seen);
	ck_assert(net_addr_eq_ip(&seen, &local));
	/* And back: the wildcard socket sees what address was asked. */
	ck_assert_int_eq(sendto(peer, text, sizeof(text), 0, (struct sockaddr *)&ss, n),
	                 sizeof(text));
	wait_for(fd, POLLIN);
	hdr.msg_control = space;
	hdr.msg_controllen = sizeof(space);
	ck_assert_int_eq(recvmsg(fd, &hdr, 0), sizeof(text));
	ck_assert(net_pktinfo_get(&hdr, &to));
	ck_assert(net_addr_eq_ip(&to, &local));
	hdr.msg_controllen = 0;
	ck_assert(!net_pktinfo_get(&hdr, &to));
	close(fd);
	close(peer);
}

START_TEST(a_wildcard_socket_can_choose_and_tell_its_local_address)
{
	leaves_from("0.0.0.0", "127.0.0.7");
	leaves_from("::", "::1");
}
END_TEST

static void icmp_comes_back(const char *host)
{
	struct net_addr addr = free_addr(SOCK_DGRAM, host), gone = free_addr(SOCK_DGRAM, host), got;
	int fd = net_udp_open(&addr), err;
	struct sockaddr_storage ss;
	socklen_t n = net_addr_to_sockaddr(&gone, &ss);

	ck_assert(!net_udp_next_error(fd, &got, &err));
	ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&ss, n), 1);
	wait_for(fd, POLLERR);
	ck_assert(net_udp_next_error(fd, &got, &err));
	ck_assert_int_eq(err, ECONNREFUSED);
	ck_assert(net_addr_eq(&got, &gone));
	ck_assert(!net_udp_next_error(fd, &got, &err));
	close(fd);
}

START_TEST(an_icmp_error_names_the_peer)
{
	icmp_comes_back("127.0.0.1");
	icmp_comes_back("::1");
}
END_TEST

UNIT_MAIN("net/socket", a_probe_notices_sockets_that_would_share_the_address,
          an_address_that_is_not_ours_cannot_be_opened, both_families_can_have_the_same_port,
          a_connection_has_both_addresses, a_refused_connection_gives_its_error,
          a_wildcard_socket_can_choose_and_tell_its_local_address, an_icmp_error_names_the_peer)
