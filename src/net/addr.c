/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>

#include "util/err.h"
#include "util/hash.h"

#define IP4_LEN 4U
#define IP6_LEN 16U

static const uint8_t mapped_prefix[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static bool is_mapped(const uint8_t ip[16])
{
	return memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static void set_ip6(struct net_addr *addr, const uint8_t ip[16])
{
	if (is_mapped(ip)) {
		addr->family = 4;
		memcpy(addr->ip, ip + sizeof(mapped_prefix), IP4_LEN);
	} else {
		addr->family = 6;
		memcpy(addr->ip, ip, IP6_LEN);
	}
}

/* "%eth0" or "%2" behind a link-local address. */
static int parse_scope(struct str text, uint32_t *scope_r)
{
	char name[IF_NAMESIZE];

	if (str_to_u32(text, scope_r) == 0) {
		return 0;
	}
	if (text.n == 0 || text.n >= sizeof(name)) {
		return BELFRY_EPARSE;
	}
	memcpy(name, text.p, text.n);
	name[text.n] = '\0';
	*scope_r = if_nametoindex(name);
	return *scope_r ? 0 : BELFRY_EPARSE;
}

static int parse_ip6(struct str host, struct net_addr *addr)
{
	char text[INET6_ADDRSTRLEN];
	uint8_t ip[IP6_LEN];
	struct str ip_text, scope;

	if (str_cut(host, '%', &ip_text, &scope) && parse_scope(scope, &addr->scope) != 0) {
		return BELFRY_EPARSE;
	}
	if (ip_text.n >= sizeof(text)) {
		return BELFRY_EPARSE;
	}
	memcpy(text, ip_text.p, ip_text.n);
	text[ip_text.n] = '\0';
	if (inet_pton(AF_INET6, text, ip) != 1) {
		return BELFRY_EPARSE;
	}
	set_ip6(addr, ip);
	return 0;
}

/* 0 to 255 without leading zeros, up to @end or the next dot; NULL: it is none. */
static const char *parse_octet(const char *p, const char *end, uint8_t *octet_r)
{
	const char *begin = p;
	unsigned v = 0;

	for (; p < end && ascii_is_digit((unsigned char)*p); p++) {
		v = v * 10 + (unsigned)(*p - '0');
		if (v > UINT8_MAX || (p > begin && *begin == '0')) {
			return NULL;
		}
	}
	*octet_r = (uint8_t)v;
	return p > begin ? p : NULL;
}

/* What inet_pton() takes; on the path of every message. */
static int parse_ip4(struct str host, struct net_addr *addr)
{
	const char *p = host.p, *end = p + host.n;

	addr->family = 4;
	for (unsigned i = 0; i < IP4_LEN; i++) {
		if (i > 0 && (p == end || *p++ != '.')) {
			return BELFRY_EPARSE;
		}
		p = parse_octet(p, end, &addr->ip[i]);
		if (p == NULL) {
			return BELFRY_EPARSE;
		}
	}
	return p == end ? 0 : BELFRY_EPARSE;
}

int net_addr_parse(struct str host, uint16_t port, struct net_addr *addr_r)
{
	struct net_addr addr = { .port = port };
	int err;

	if (host.n == 0 || memchr(host.p, '\0', host.n)) {
		return BELFRY_EPARSE;
	}
	if (host.p[0] == '[') {
		if (host.n < 2 || host.p[host.n - 1] != ']') {
			return BELFRY_EPARSE;
		}
		err = parse_ip6(str_make(host.p + 1, host.n - 2), &addr);
	} else if (str_find(host, ':') >= 0) {
		err = parse_ip6(host, &addr);
	} else {
		err = parse_ip4(host, &addr);
	}
	if (err == 0) {
		*addr_r = addr;
	}
	return err;
}

void net_addr_from_sockaddr(const struct sockaddr *sa, struct net_addr *addr_r)
{
	*addr_r = (struct net_addr){ 0 };
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;

		addr_r->family = 4;
		addr_r->port = ntohs(in->sin_port);
		memcpy(addr_r->ip, &in->sin_addr, IP4_LEN);
	} else if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sa;

		addr_r->port = ntohs(in6->sin6_port);
		addr_r->scope = in6->sin6_scope_id;
		set_ip6(addr_r, in6->sin6_addr.s6_addr);
	}
}

socklen_t net_addr_to_sockaddr(const struct net_addr *addr, struct sockaddr_storage *ss_r)
{
	if (addr->family == 4) {
		struct sockaddr_in *in = (void *)ss_r;

		*in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(addr->port) };
		memcpy(&in->sin_addr, addr->ip, IP4_LEN);
		return sizeof(*in);
	}
	if (addr->family == 6) {
		struct sockaddr_in6 *in6 = (void *)ss_r;

		*in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6,
			                      .sin6_port = htons(addr->port),
			                      .sin6_scope_id = addr->scope };
		memcpy(&in6->sin6_addr, addr->ip, IP6_LEN);
		return sizeof(*in6);
	}
	ss_r->ss_family = AF_UNSPEC;
	return 0;
}

bool net_addr_eq_ip(const struct net_addr *a, const struct net_addr *b)
{
	return a->family == b->family && memcmp(a->ip, b->ip, sizeof(a->ip)) == 0 &&
	       a->scope == b->scope;
}

bool net_addr_eq(const struct net_addr *a, const struct net_addr *b)
{
	return a->port == b->port && net_addr_eq_ip(a, b);
}

uint64_t net_addr_hash(const struct hash_key *key, const struct net_addr *a)
{
	uint64_t half[2], h;

	memcpy(half, a->ip, sizeof(half));
	h = hash_mix(half[0] ^ key->k[0]);
	h = hash_mix(h ^ half[1] ^ key->k[1]);
	return hash_mix(h ^ ((uint64_t)a->port << 8 | a->family));
}

struct net_addr net_addr_source(const struct net_addr *a)
{
	struct net_addr source = *a;

	source.port = 0;
	if (a->family == 6 && !(a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80)) {
		memset(source.ip + 8, 0, sizeof(source.ip) - 8);
	}
	return source;
}

/* A number without sign; on the path of every message, where printf would cost too much. */
static char *number_print(char *p, unsigned v)
{
	char digits[10];
	size_t n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	while (n > 0) {
		*p++ = digits[--n];
	}
	return p;
}

static char *octet_print(char *p, unsigned v, char behind)
{
	if (v >= 100) {
		*p++ = (char)('0' + v / 100);
	}
	if (v >= 10) {
		*p++ = (char)('0' + v / 10 % 10);
	}
	*p++ = (char)('0' + v % 10);
	*p++ = behind;
	return p;
}

static size_t ip_print(const struct net_addr *a, char *out)
{
	char *p = out;

	if (a->family == 6) {
		return inet_ntop(AF_INET6, a->ip, out, NET_ADDR_TEXT) ? strlen(out) : 0;
	}
	if (a->family == 4) {
		p = octet_print(p, a->ip[0], '.');
		p = octet_print(p, a->ip[1], '.');
		p = octet_print(p, a->ip[2], '.');
		p = octet_print(p, a->ip[3], '\0') - 1;
	}
	*p = '\0';
	return (size_t)(p - out);
}

struct str net_addr_ip_text(const struct net_addr *a, char *out)
{
	return str_make(out, ip_print(a, out));
}

struct str net_addr_text(const struct net_addr *a, char *out)
{
	bool is_6 = a->family == 6;
	size_t n = is_6 ? 1 : 0;

	if (is_6) {
		out[0] = '[';
	}
	n += ip_print(a, out + n);
	if (is_6) {
		out[n++] = ']';
	}
	out[n++] = ':';
	n = (size_t)(number_print(out + n, a->port) - out);
	out[n] = '\0';
	return str_make(out, n);
}

bool net_addr_is_any(const struct net_addr *a)
{
	static const uint8_t any[16];

	return a->family != 0 && memcmp(a->ip, any, sizeof(any)) == 0;
}

bool net_addr_is_loopback(const struct net_addr *a)
{
	static const uint8_t one[16] = { [15] = 1 };

	if (a->family == 4) {
		return a->ip[0] == 127;
	}
	return a->family == 6 && memcmp(a->ip, one, sizeof(one)) == 0;
}

bool net_addr_is_multicast_or_broadcast(const struct net_addr *a)
{
	static const uint8_t all[4] = { 255, 255, 255, 255 };

	if (a->family == 4) {
		return (a->ip[0] & 0xf0) == 0xe0 || memcmp(a->ip, all, sizeof(all)) == 0;
	}
	return a->family == 6 && a->ip[0] == 0xff;
}

int net_prefix_parse(struct str text, struct net_prefix *prefix_r)
{
	struct net_prefix prefix;
	struct str host, bits_text;
	bool has_bits = str_cut(text, '/', &host, &bits_text);
	uint64_t bits;
	int err = net_addr_parse(host, 0, &prefix.addr);

	if (err != 0) {
		return err;
	}
	prefix.bits = prefix.addr.family == 4 ? 32 : 128;
	if (has_bits) {
		if (str_to_u64(bits_text, prefix.bits, &bits) != 0) {
			return BELFRY_EPARSE;
		}
		prefix.bits = (unsigned)bits;
	}
	*prefix_r = prefix;
	return 0;
}

bool net_prefix_has(const struct net_prefix *prefix, const struct net_addr *addr)
{
	unsigned bytes = prefix->bits / 8, rest = prefix->bits % 8;
	uint8_t mask = (uint8_t)(0xff00U >> rest);

	if (addr->family != prefix->addr.family || memcmp(addr->ip, prefix->addr.ip, bytes) != 0) {
		return false;
	}
	return rest == 0 || ((addr->ip[bytes] ^ prefix->addr.ip[bytes]) & mask) == 0;
}
