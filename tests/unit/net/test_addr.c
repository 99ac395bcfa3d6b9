/* SPDX-License-Identifier: Apache-2.0 */
#include "net/addr.h"

#include "support/unit.h"
#include "util/err.h"

#include <arpa/inet.h>
#include <stdio.h>

static const struct hash_key key = { { 1, 2 } };

static struct net_addr addr_of(const char *host, uint16_t port)
{
	struct net_addr addr;

	ck_assert_msg(net_addr_parse(str_from(host), port, &addr) == 0, "%s", host);
	return addr;
}

static void check_text(const char *host, const char *ip, const char *both)
{
	struct net_addr addr = addr_of(host, 5060);
	char text[NET_ADDR_TEXT];

	ck_assert_str_is(net_addr_ip_text(&addr, text), ip);
	ck_assert_str_is(net_addr_text(&addr, text), both);
	ck_assert_str_eq(text, both);
}

START_TEST(addresses_are_printed_in_their_shortest_form)
{
	check_text("192.0.2.1", "192.0.2.1", "192.0.2.1:5060");
	check_text("2001:DB8:0::1", "2001:db8::1", "[2001:db8::1]:5060");
	check_text("[2001:db8::1]", "2001:db8::1", "[2001:db8::1]:5060");
	check_text("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1:5060");
	check_text("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	           "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:5060");
}
END_TEST

START_TEST(every_octet_goes_there_and_back)
{
	char host[NET_ADDR_TEXT], text[NET_ADDR_TEXT];

	for (unsigned i = 0; i < 256; i++) {
		struct net_addr addr;

		snprintf(host, sizeof(host), "%u.0.%u.255", i, 255 - i);
		addr = addr_of(host, 1);
		ck_assert_uint_eq(addr.ip[0], i);
		ck_assert_uint_eq(addr.ip[2], 255 - i);
		ck_assert_str_is(net_addr_ip_text(&addr, text), host);
	}
}
END_TEST

START_TEST(what_is_no_address_is_refused)
{
	static const char *const bad[] = {
		"",         "localhost",   "1.2.3",      "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ",
		"[::1",     "::1]",        "[]",         "[",         "[1.2.3.4]", ":::",
		"1::2::3",  "::1%",        "::1%no",     "g::1",      "[::1]]",    "1.2.3.4:60",
		"[::1]:60", "1.2.3.4%eth", ".1.2.3",     "1..2.3",    "1.2.3.",    "01.2.3.4",
		"00.0.0.0", "1.2.3.4.",    "1.2.3.1000",
	};
	struct net_addr addr;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(net_addr_parse(str_from(bad[i]), 1, &addr) == BELFRY_EPARSE, "%s",
		              bad[i]);
	}
	ck_assert_int_eq(net_addr_parse(STR("1.2.3.4\0"), 1, &addr), BELFRY_EPARSE);
}
END_TEST

START_TEST(a_link_local_address_keeps_its_interface)
{
	struct net_addr lo = addr_of("fe80::1%lo", 1), one = addr_of("fe80::1%1", 1);
	struct sockaddr_storage ss;
	struct net_addr back;

	ck_assert(net_addr_eq(&lo, &one));
	ck_assert_uint_eq(net_addr_to_sockaddr(&lo, &ss), sizeof(struct sockaddr_in6));
	net_addr_from_sockaddr((struct sockaddr *)&ss, &back);
	ck_assert(net_addr_eq(&lo, &back));
	one.scope = 2;
	ck_assert(!net_addr_eq_ip(&lo, &one));
}
END_TEST

START_TEST(socket_addresses_go_there_and_back)
{
	static const char *const hosts[] = { "192.0.2.1", "2001:db8::1", "::" };
	struct sockaddr_storage ss;
	struct net_addr back;

	for (size_t i = 0; i < 3; i++) {
		struct net_addr addr = addr_of(hosts[i], 5061);

		ck_assert_uint_gt(net_addr_to_sockaddr(&addr, &ss), 0);
		net_addr_from_sockaddr((struct sockaddr *)&ss, &back);
		ck_assert(net_addr_eq(&addr, &back));
		ck_assert_uint_eq(net_addr_hash(&key, &addr), net_addr_hash(&key, &back));
	}
	back = (struct net_addr){ 0 };
	ck_assert_uint_eq(net_addr_to_sockaddr(&back, &ss), 0);
	ss.ss_family = AF_UNIX;
	net_addr_from_sockaddr((struct sockaddr *)&ss, &back);
	ck_assert_uint_eq(back.family, 0);
}
END_TEST

START_TEST(a_mapped_address_from_a_socket_is_ipv4)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(9) };
	struct net_addr got, want = addr_of("192.0.2.7", 9);

	inet_pton(AF_INET6, "::ffff:192.0.2.7", &in6.sin6_addr);
	net_addr_from_sockaddr((struct sockaddr *)&in6, &got);
	ck_assert(net_addr_eq(&got, &want));
}
END_TEST

START_TEST(equality_is_of_family_address_and_port)
{
	struct net_addr a = addr_of("192.0.2.1", 1), b = addr_of("192.0.2.1", 2);
	struct net_addr c = addr_of("c000:201::", 1);

	ck_assert(net_addr_eq_ip(&a, &b));
	ck_assert(!net_addr_eq(&a, &b));
	ck_assert(!net_addr_eq_ip(&a, &c));
	ck_assert_uint_ne(net_addr_hash(&key, &a), net_addr_hash(&key, &b));
	ck_assert_uint_ne(net_addr_hash(&key, &a), net_addr_hash(&key, &c));
}
END_TEST

/* One IPv6 network has addresses and ports enough to look for those that meet in a bucket. */
START_TEST(nobody_can_choose_addresses_that_meet_in_a_hash_table)
{
	const struct hash_key other = { { 3, 4 } };
	struct net_addr a = addr_of("2001:db8::", 0), first = a;

	for (unsigned i = 1; i < 65536; i++) {
		/* The two changes took each other back once. */
		a.port = (uint16_t)i;
		memcpy(&a.ip[14], &a.port, 2);
		ck_assert_uint_ne(net_addr_hash(&key, &a), net_addr_hash(&key, &first));
	}
	ck_assert_uint_ne(net_addr_hash(&key, &a), net_addr_hash(&other, &a));
}
END_TEST

static bool is_same_source(const struct net_addr *a, const struct net_addr *b)
{
	const struct net_addr x = net_addr_source(a), y = net_addr_source(b);

	return net_addr_eq(&x, &y);
}

START_TEST(a_source_is_an_ipv4_address_or_an_ipv6_network)
{
	struct net_addr a = addr_of("2001:db8::1", 1), b = addr_of("2001:db8::ffff:2", 9);
	struct net_addr c = addr_of("2001:db8:0:1::1", 1);
	struct net_addr d = addr_of("192.0.2.1", 1), e = addr_of("192.0.2.1", 9);
	struct net_addr f = addr_of("192.0.2.2", 1);
	struct net_addr g = addr_of("fe80::1", 1), h = addr_of("fe80::2", 1);

	ck_assert(is_same_source(&a, &b));
	ck_assert(!is_same_source(&a, &c));
	ck_assert(is_same_source(&d, &e));
	ck_assert(!is_same_source(&d, &f));
	ck_assert(!is_same_source(&g, &h));
}
END_TEST

static bool has(const char *prefix, const char *host)
{
	struct net_prefix p;
	struct net_addr addr = addr_of(host, 0);

	ck_assert_msg(net_prefix_parse(str_from(prefix), &p) == 0, "%s", prefix);
	return net_prefix_has(&p, &addr);
}

START_TEST(a_prefix_has_the_addresses_that_share_its_bits)
{
	ck_assert(has("198.51.100.0/24", "198.51.100.255"));
	ck_assert(!has("198.51.100.0/24", "198.51.101.0"));
	ck_assert(has("198.51.100.128/25", "198.51.100.128"));
	ck_assert(!has("198.51.100.128/25", "198.51.100.127"));
	ck_assert(has("192.0.2.10", "192.0.2.10"));
	ck_assert(!has("192.0.2.10", "192.0.2.11"));
	ck_assert(has("0.0.0.0/0", "203.0.113.9"));
	ck_assert(!has("0.0.0.0/0", "::1"));
	ck_assert(has("2001:db8::/33", "2001:db8:7fff::1"));
	ck_assert(!has("2001:db8::/33", "2001:db8:8000::1"));
	ck_assert(has("::1", "::1"));
	ck_assert(!has("::1/128", "::2"));
}
END_TEST

START_TEST(a_prefix_with_too_many_bits_is_refused)
{
	struct net_prefix p;

	ck_assert_int_eq(net_prefix_parse(STR("192.0.2.0/33"), &p), BELFRY_EPARSE);
	ck_assert_int_eq(net_prefix_parse(STR("2001:db8::/129"), &p), BELFRY_EPARSE);
	ck_assert_int_eq(net_prefix_parse(STR("192.0.2.0/"), &p), BELFRY_EPARSE);
	ck_assert_int_eq(net_prefix_parse(STR("192.0.2.0/-1"), &p), BELFRY_EPARSE);
	ck_assert_int_eq(net_prefix_parse(STR("/8"), &p), BELFRY_EPARSE);
}
END_TEST

START_TEST(special_addresses_are_known)
{
	struct net_addr any4 = addr_of("0.0.0.0", 0), any6 = addr_of("::", 0);
	struct net_addr lo4 = addr_of("127.3.2.1", 0), lo6 = addr_of("::1", 0);
	struct net_addr multi4 = addr_of("239.1.2.3", 0), multi6 = addr_of("ff02::1", 0);
	struct net_addr all = addr_of("255.255.255.255", 0), none = { 0 };

	ck_assert(net_addr_is_any(&any4) && net_addr_is_any(&any6));
	ck_assert(!net_addr_is_any(&lo6) && !net_addr_is_any(&none));
	ck_assert(net_addr_is_loopback(&lo4) && net_addr_is_loopback(&lo6));
	ck_assert(!net_addr_is_loopback(&any4) && !net_addr_is_loopback(&any6));
	ck_assert(net_addr_is_multicast_or_broadcast(&multi4));
	ck_assert(net_addr_is_multicast_or_broadcast(&multi6));
	ck_assert(net_addr_is_multicast_or_broadcast(&all));
	ck_assert(!net_addr_is_multicast_or_broadcast(&lo4));
}
END_TEST

UNIT_MAIN("net/addr", addresses_are_printed_in_their_shortest_form, every_octet_goes_there_and_back,
          what_is_no_address_is_refused, a_link_local_address_keeps_its_interface,
          socket_addresses_go_there_and_back, a_mapped_address_from_a_socket_is_ipv4,
          equality_is_of_family_address_and_port,
          nobody_can_choose_addresses_that_meet_in_a_hash_table,
          a_source_is_an_ipv4_address_or_an_ipv6_network,
          a_prefix_has_the_addresses_that_share_its_bits, a_prefix_with_too_many_bits_is_refused,
          special_addresses_are_known)
