/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets as the transport layer wants them: non-blocking, close-on-exec, IPv6 apart from IPv4.
 * Functions that make one give the descriptor or -errno. Any thread.
 */
#pragma once

#include "net/addr.h"

#include <sys/socket.h>

/* The machine's first address of @family (4, 6, 0: either) that others can reach: IPv4 rather than
 * IPv6, the loopback at last. false: there is none, *addr_r is as it was. */
bool net_own_addr(uint8_t family, struct net_addr *addr_r);

/* Is the address free? Binds @type (SOCK_DGRAM, SOCK_STREAM) to it without SO_REUSEPORT, so that
 * another process there is noticed, and closes again. @bound_r gets the port when 0 was asked.
 * 0 or -errno. */
int net_probe(int type, const struct net_addr *addr, struct net_addr *bound_r);

/* A UDP socket that others of this process share the address with (SO_REUSEPORT); a wildcard one
 * tells the local address of each datagram. Large receive buffer; ICMP errors are queued. */
int net_udp_open(const struct net_addr *addr);
/* A listening TCP socket, shared likewise. */
int net_tcp_listen(const struct net_addr *addr);
/* Begins to connect; writable when that has ended: then net_socket_error(). @local: the address to
 * come from (port ignored), NULL: any. */
int net_tcp_connect(const struct net_addr *remote, const struct net_addr *local);
/* Takes a connection. -EAGAIN: none. */
int net_tcp_accept(int fd, struct net_addr *remote_r);

/* The pending error of a socket as -errno, 0: none. Takes it away. */
int net_socket_error(int fd);
int net_local_addr(int fd, struct net_addr *addr_r);
/* The address of this machine that datagrams to @remote would leave from, by the routes of now.
 * Sends nothing; four system calls. -errno: no way there. */
int net_route_source(const struct net_addr *remote, struct net_addr *source_r);

/* Takes one ICMP error off a UDP socket's queue: to whom the datagram went, and what was said (a
 * positive errno). false: there are no more. Local errors are skipped. */
bool net_udp_next_error(int fd, struct net_addr *remote_r, int *errno_r);

/* Ancillary data of a datagram: the local address it came to, or shall leave from. */
#define NET_PKTINFO_SPACE 64 /* bytes, aligned to 8 */
/* false: there is none in @hdr. The port is left 0. */
bool net_pktinfo_get(struct msghdr *hdr, struct net_addr *local_r);
/* Fills @space and puts it into @hdr. */
void net_pktinfo_set(struct msghdr *hdr, void *space, const struct net_addr *local);
