/* SPDX-License-Identifier: Apache-2.0 */
#include "net/socket.h"

#include <assert.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#define UDP_RCVBUF          (4 << 20) /* bytes: some 0.1 s of 50,000 datagrams/s at 800 bytes */
#define UDP_SNDBUF          (1 << 20)
#define TCP_BACKLOG         4096
#define TCP_USER_TIMEOUT_MS 10000 /* sent bytes unacknowledged that long: the peer is gone */
#define TCP_KEEP_IDLE_S     60    /* probes on a silent connection find a peer that lost power */
#define TCP_KEEP_INTVL_S    10

static_assert(NET_PKTINFO_SPACE >= CMSG_SPACE(sizeof(struct in6_pktinfo)), "pktinfo fits");
static_assert(NET_PKTINFO_SPACE >= CMSG_SPACE(sizeof(struct in_pktinfo)), "pktinfo fits");

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0 ? 0 : -errno;
}

/* For what is wanted but can be done without. */
static void try_set(int fd, int level, int name, int value)
{
	(void)set(fd, level, name, value);
}

static int socket_open(int type, const struct net_addr *addr)
{
	int domain = addr->family == 6 ? AF_INET6 : AF_INET;
	int fd = socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		return -errno;
	}
	if (addr->family == 6) {
		try_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	}
	return fd;
}

static int socket_bind(int fd, const struct net_addr *addr)
{
	struct sockaddr_storage ss;
	socklen_t n = net_addr_to_sockaddr(addr, &ss);

	return bind(fd, (struct sockaddr *)&ss, n) == 0 ? 0 : -errno;
}

/* Closes @fd if there was an error. */
static int fd_or(int fd, int err)
{
	if (err != 0) {
		close(fd);
		return err;
	}
	return fd;
}

int net_local_addr(int fd, struct net_addr *addr_r)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);

	if (getsockname(fd, (struct sockaddr *)&ss, &n) != 0) {
		return -errno;
	}
	net_addr_from_sockaddr((struct sockaddr *)&ss, addr_r);
	return 0;
}

int net_route_source(const struct net_addr *remote, struct net_addr *source_r)
{
	struct sockaddr_storage ss;
	socklen_t n = net_addr_to_sockaddr(remote, &ss);
	int fd = socket(ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0) {
		return -errno;
	}
	if (connect(fd, (struct sockaddr *)&ss, n) != 0) {
		err = -errno;
	}
	err = err ? err : net_local_addr(fd, source_r);
	close(fd);
	return err;
}

int net_probe(int type, const struct net_addr *addr, struct net_addr *bound_r)
{
	int fd = socket_open(type, addr), err = 0;

	if (fd < 0) {
		return fd;
	}
	/* Connections of an earlier process may linger in TIME_WAIT; with UDP it would share. */
	if (type == SOCK_STREAM) {
		err = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	}
	err = err ? err : socket_bind(fd, addr);
	err = err ? err : net_local_addr(fd, bound_r);
	close(fd);
	return err;
}

static void udp_options(int fd, const struct net_addr *addr)
{
	int level = addr->family == 6 ? IPPROTO_IPV6 : IPPROTO_IP;

	if (set(fd, SOL_SOCKET, SO_RCVBUFFORCE, UDP_RCVBUF) != 0) {
		try_set(fd, SOL_SOCKET, SO_RCVBUF, UDP_RCVBUF);
	}
	if (set(fd, SOL_SOCKET, SO_SNDBUFFORCE, UDP_SNDBUF) != 0) {
		try_set(fd, SOL_SOCKET, SO_SNDBUF, UDP_SNDBUF);
	}
	try_set(fd, level, addr->family == 6 ? IPV6_RECVERR : IP_RECVERR, 1);
}

static int udp_want_pktinfo(int fd, const struct net_addr *addr)
{
	if (!net_addr_is_any(addr)) {
		return 0;
	}
	return addr->family == 6 ? set(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
	                         : set(fd, IPPROTO_IP, IP_PKTINFO, 1);
}

int net_udp_open(const struct net_addr *addr)
{
	int fd = socket_open(SOCK_DGRAM, addr), err;

	if (fd < 0) {
		return fd;
	}
	udp_options(fd, addr);
	err = set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	err = err ? err : udp_want_pktinfo(fd, addr);
	err = err ? err : socket_bind(fd, addr);
	return fd_or(fd, err);
}

int net_tcp_listen(const struct net_addr *addr)
{
	int fd = socket_open(SOCK_STREAM, addr), err;

	if (fd < 0) {
		return fd;
	}
	err = set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	err = err ? err : set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	err = err ? err : socket_bind(fd, addr);
	if (err == 0 && listen(fd, TCP_BACKLOG) != 0) {
		err = -errno;
	}
	return fd_or(fd, err);
}

static void tcp_options(int fd)
{
	try_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	try_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, TCP_USER_TIMEOUT_MS);
	try_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	try_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, TCP_KEEP_IDLE_S);
	try_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, TCP_KEEP_INTVL_S);
}

int net_tcp_connect(const struct net_addr *remote, const struct net_addr *local)
{
	struct sockaddr_storage ss;
	socklen_t n = net_addr_to_sockaddr(remote, &ss);
	int fd = socket_open(SOCK_STREAM, remote), err = 0;

	if (fd < 0) {
		return fd;
	}
	tcp_options(fd);
	if (local) {
		struct net_addr from = *local;

		from.port = 0;
		try_set(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
		err = socket_bind(fd, &from);
	}
	if (err == 0 && connect(fd, (struct sockaddr *)&ss, n) != 0 && errno != EINPROGRESS) {
		err = -errno;
	}
	return fd_or(fd, err);
}

int net_tcp_accept(int fd, struct net_addr *remote_r)
{
	struct sockaddr_storage ss;
	socklen_t n = sizeof(ss);
	int conn = accept4(fd, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (conn < 0) {
		return -errno;
	}
	net_addr_from_sockaddr((struct sockaddr *)&ss, remote_r);
	tcp_options(conn);
	return conn;
}

int net_socket_error(int fd)
{
	int err = 0;
	socklen_t n = sizeof(err);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &n) != 0) {
		return -errno;
	}
	return -err;
}

/* --- ICMP ----------------------------------------------------------------------------------------
 */

/* The error that a message from the queue tells of; 0: a local one, or none. */
static int icmp_errno(struct msghdr *hdr)
{
	struct sock_extended_err ee;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
		if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR)) {
			memcpy(&ee, CMSG_DATA(c), sizeof(ee));
			return ee.ee_origin == SO_EE_ORIGIN_LOCAL ? 0 : (int)ee.ee_errno;
		}
	}
	return 0;
}

bool net_udp_next_error(int fd, struct net_addr *remote_r, int *errno_r)
{
	_Alignas(struct cmsghdr) char control[512];
	struct sockaddr_storage ss;
	struct msghdr hdr;

	for (;;) {
		ss.ss_family = AF_UNSPEC;
		hdr = (struct msghdr){ .msg_name = &ss,
			               .msg_namelen = sizeof(ss),
			               .msg_control = control,
			               .msg_controllen = sizeof(control) };
		if (recvmsg(fd, &hdr, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
			return false;
		}
		*errno_r = icmp_errno(&hdr);
		net_addr_from_sockaddr((struct sockaddr *)&ss, remote_r);
		if (*errno_r != 0 && remote_r->family != 0) {
			return true;
		}
	}
}

/* --- local addresses of datagrams ----------------------------------------------------------------
 */

bool net_pktinfo_get(struct msghdr *hdr, struct net_addr *local_r)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(hdr); c; c = CMSG_NXTHDR(hdr, c)) {
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			*local_r = (struct net_addr){ .family = 4 };
			memcpy(local_r->ip, &info.ipi_addr, sizeof(info.ipi_addr));
			return true;
		}
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof(info));
			*local_r = (struct net_addr){ .family = 6 };
			memcpy(local_r->ip, &info.ipi6_addr, sizeof(info.ipi6_addr));
			if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) {
				local_r->scope = info.ipi6_ifindex;
			}
			return true;
		}
	}
	return false;
}

static void *pktinfo_begin(struct msghdr *hdr, void *space, int level, int type, size_t n)
{
	struct cmsghdr *c = space;

	hdr->msg_control = space;
	hdr->msg_controllen = CMSG_SPACE(n);
	memset(space, 0, CMSG_SPACE(n));
	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	return CMSG_DATA(c);
}

void net_pktinfo_set(struct msghdr *hdr, void *space, const struct net_addr *local)
{
	if (local->family == 6) {
		struct in6_pktinfo info = { .ipi6_ifindex = local->scope };
		void *data = pktinfo_begin(hdr, space, IPPROTO_IPV6, IPV6_PKTINFO, sizeof(info));

		memcpy(&info.ipi6_addr, local->ip, sizeof(info.ipi6_addr));
		memcpy(data, &info, sizeof(info));
	} else {
		struct in_pktinfo info = { 0 };
		void *data = pktinfo_begin(hdr, space, IPPROTO_IP, IP_PKTINFO, sizeof(info));

		memcpy(&info.ipi_spec_dst, local->ip, sizeof(info.ipi_spec_dst));
		memcpy(data, &info, sizeof(info));
	}
}

/* --- the machine -------------------------------------------------------------------------------
 */

/* 0: no use; otherwise the larger the better. */
static int rank(const struct ifaddrs *ifa, struct net_addr *addr_r)
{
	bool is_v4;

	if (!ifa->ifa_addr || !(ifa->ifa_flags & IFF_UP) ||
	    (ifa->ifa_addr->sa_family != AF_INET && ifa->ifa_addr->sa_family != AF_INET6)) {
		return 0;
	}
	net_addr_from_sockaddr(ifa->ifa_addr, addr_r);
	is_v4 = addr_r->family == 4;
	if (addr_r->family == 6 && addr_r->ip[0] == 0xfe && (addr_r->ip[1] & 0xc0) == 0x80) {
		return 0; /* link-local */
	}
	return (net_addr_is_loopback(addr_r) ? 1 : 3) + is_v4;
}

bool net_own_addr(uint8_t family, struct net_addr *addr_r)
{
	struct ifaddrs *list = NULL;
	struct net_addr addr;
	int best = 0;

	if (getifaddrs(&list)) {
		return false;
	}
	for (const struct ifaddrs *ifa = list; ifa; ifa = ifa->ifa_next) {
		int r = rank(ifa, &addr);

		if (r > best && (family == 0 || family == addr.family)) {
			best = r;
			*addr_r = addr;
		}
	}
	freeifaddrs(list);
	return best > 0;
}
