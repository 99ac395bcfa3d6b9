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

typedef int(opener)(const struct net_addr *addr);

/* At any free port. */
static int open_at(opener *open, const char *host, struct net_addr *addr_r)
{
	struct net_addr any = addr_of(host, 0);
	int fd = open(&any);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(net_local_addr(fd, addr_r), 0);
	ck_assert_uint_ne(addr_r->port, 0);
	return fd;
}

/* Nothing is there and nothing can come: a stream socket that does not listen refuses, a datagram
 * one that is connected elsewhere hears nobody else. */
static int open_dead(int type, const char *host, struct net_addr *addr_r)
{
	struct net_addr addr = addr_of(host, 0);
	struct sockaddr_storage ss;
	socklen_t n = net_addr_to_sockaddr(&addr, &ss);
	int fd = socket(ss.ss_family, type | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, n), 0);
	ck_assert_int_eq(net_local_addr(fd, addr_r), 0);
	if (type == SOCK_DGRAM) {
		addr.port = 9;
		n = net_addr_to_sockaddr(&addr, &ss);
		ck_assert_int_eq(connect(fd, (struct sockaddr *)&ss, n), 0);
	}
	return fd;
}

static void wait_for(int fd, short what)
{
	struct pollfd p = { .fd = fd, .events = what };

	ck_assert_int_eq(poll(&p, 1, unit_wait_ms()), 1);
}

START_TEST(a_probe_notices_sockets_that_would_share_the_address)
{
	struct net_addr addr, bound, any = addr_of("127.0.0.1", 0);
	int one = open_at(net_udp_open, "127.0.0.1", &addr), two = net_udp_open(&addr), tcp, tcp2;

	ck_assert_int_ge(two, 0);
	ck_assert_int_eq(net_probe(SOCK_DGRAM, &addr, &bound), -EADDRINUSE);
	tcp = open_at(net_tcp_listen, "::1", &addr);
	tcp2 = net_tcp_listen(&addr);
	ck_assert_int_ge(tcp2, 0);
	ck_assert_int_eq(net_probe(SOCK_STREAM, &addr, &bound), -EADDRINUSE);
	close(one);
	close(two);
	close(tcp);
	close(tcp2);
	ck_assert_int_eq(net_probe(SOCK_STREAM, &any, &bound), 0);
	ck_assert_uint_ne(bound.port, 0);
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
	struct net_addr v4, v6;
	int one = open_at(net_udp_open, "0.0.0.0", &v4), two;

	v6 = addr_of("::", v4.port);
	two = net_udp_open(&v6);
	ck_assert_int_ge(two, 0);
	close(one);
	close(two);
}
END_TEST

START_TEST(a_connection_has_both_addresses)
{
	struct net_addr addr, from = addr_of("127.0.0.9", 1), remote, local, peer;
	int listening = open_at(net_tcp_listen, "127.0.0.1", &addr), fd, conn;

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
	struct net_addr addr;
	int dead = open_dead(SOCK_STREAM, "127.0.0.1", &addr), fd = net_tcp_connect(&addr, NULL);

	if (fd >= 0) {
		wait_for(fd, POLLOUT);
		ck_assert_int_eq(net_socket_error(fd), -ECONNREFUSED);
		ck_assert_int_eq(net_socket_error(fd), 0);
		close(fd);
	} else {
		ck_assert_int_eq(fd, -ECONNREFUSED);
	}
	close(dead);
	ck_assert_int_eq(net_socket_error(-1), -EBADF);
}
END_TEST

/* From @local through the wildcard socket to one that sees where it came from. */
static void leaves_from(const char *any, const char *local_host)
{
	struct net_addr addr, local = addr_of(local_host, 0), peer_addr, seen, to;
	int fd = open_at(net_udp_open, any, &addr);
	int peer = open_at(net_udp_open, local_host, &peer_addr);
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
	struct net_addr addr, gone, got;
	int fd = open_at(net_udp_open, host, &addr), dead = open_dead(SOCK_DGRAM, host, &gone), err;
	struct sockaddr_storage ss;
	socklen_t n = net_addr_to_sockaddr(&gone, &ss);

	ck_assert(!net_udp_next_error(fd, &got, &err));
	ck_assert_int_eq(sendto(fd, "x", 1, 0, (struct sockaddr *)&ss, n), 1);
	wait_for(fd, POLLERR);
	ck_assert(net_udp_next_error(fd, &got, &err));
	ck_assert_int_eq(err, ECONNREFUSED);
	ck_assert(net_addr_eq(&got, &gone));
	ck_assert(!net_udp_next_error(fd, &got, &err));
	close(dead);
	close(fd);
}

START_TEST(an_icmp_error_names_the_peer)
{
	icmp_comes_back("127.0.0.1");
	icmp_comes_back("::1");
}
END_TEST

static void comes_from(const char *host)
{
	struct net_addr remote, source;

	ck_assert_int_eq(net_addr_parse(str_from(host), 5060, &remote), 0);
	ck_assert_int_eq(net_route_source(&remote, &source), 0);
	ck_assert(net_addr_eq_ip(&source, &remote)); /* to itself, of all its addresses */
}

START_TEST(the_routes_tell_what_a_datagram_would_come_from)
{
	comes_from("127.0.0.1");
	comes_from("::1");
}
END_TEST

UNIT_MAIN("net/socket", a_probe_notices_sockets_that_would_share_the_address,
          an_address_that_is_not_ours_cannot_be_opened, both_families_can_have_the_same_port,
          a_connection_has_both_addresses, a_refused_connection_gives_its_error,
          a_wildcard_socket_can_choose_and_tell_its_local_address, an_icmp_error_names_the_peer,
          the_routes_tell_what_a_datagram_would_come_from)
