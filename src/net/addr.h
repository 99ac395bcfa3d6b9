/* SPDX-License-Identifier: Apache-2.0 */
/* IPv4 and IPv6 addresses with a port, as a plain value; prefixes ("198.51.100.0/24"). */
#pragma once

#include "util/hash.h"
#include "util/str.h"

#include <sys/socket.h>

struct net_addr {
	uint8_t family; /* 4 or 6; 0: none. IPv4-mapped IPv6 is folded to 4 when it comes from a socket */
	uint16_t port;
	uint32_t scope; /* IPv6 link-local */
	uint8_t ip[16]; /* network order; IPv4 in the first four, the rest 0 */
};

#define NET_ADDR_TEXT 64

/* Numeric only: "192.0.2.1", "2001:db8::1", "[2001:db8::1]". 0 or BELFRY_EPARSE. Port is set to @port. */
int net_addr_parse(struct str host, uint16_t port, struct net_addr *addr_r);
void net_addr_from_sockaddr(const struct sockaddr *sa, struct net_addr *addr_r);
socklen_t net_addr_to_sockaddr(const struct net_addr *addr, struct sockaddr_storage *ss_r);
bool net_addr_eq(const struct net_addr *a, const struct net_addr *b); /* with port */
bool net_addr_eq_ip(const struct net_addr *a, const struct net_addr *b);
/* With port. Keyed, for outsiders choose addresses; IPv6 gives each of them plenty. */
uint64_t net_addr_hash(const struct hash_key *key, const struct net_addr *a);
/* Who that is: without port, and of IPv6 the network (the first 64 bits) only, for one host can have
 * any number of addresses in it. A link-local address stays whole. */
struct net_addr net_addr_source(const struct net_addr *a);
/* IP only, IPv6 without brackets; into @out of NET_ADDR_TEXT bytes, NUL-terminated. */
struct str net_addr_ip_text(const struct net_addr *a, char *out);
/* "192.0.2.1:5060", "[2001:db8::1]:5060". */
struct str net_addr_text(const struct net_addr *a, char *out);
bool net_addr_is_any(const struct net_addr *a);
bool net_addr_is_loopback(const struct net_addr *a);
bool net_addr_is_multicast_or_broadcast(const struct net_addr *a);

struct net_prefix {
	struct net_addr addr;
	unsigned bits;
};
int net_prefix_parse(struct str text, struct net_prefix *prefix_r); /* with or without /bits */
bool net_prefix_has(const struct net_prefix *prefix, const struct net_addr *addr);
