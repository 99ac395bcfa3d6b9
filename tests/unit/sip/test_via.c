/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/via.h"

#include "support/unit.h"

START_TEST(via_takes_every_part_apart)
{
	struct sip_via v;

	ck_assert_int_eq(
		sip_via_parse(STR("SIP/2.0/UDP host.example.com:5070;branch=z9hG4bKx;rport="
	                          "5062;received=192.0.2.9;maddr=192.0.2.7;x=\"a;b\";alias"),
	                      &v),
		0);
	ck_assert_str_is(v.transport, "UDP");
	ck_assert_str_is(v.host, "host.example.com");
	ck_assert_uint_eq(v.port, 5070);
	ck_assert_str_is(v.branch, "z9hG4bKx");
	ck_assert(v.is_rfc3261);
	ck_assert(v.has_rport);
	ck_assert_uint_eq(v.rport, 5062);
	ck_assert_str_is(v.received, "192.0.2.9");
	ck_assert_str_is(v.maddr, "192.0.2.7");
	ck_assert_int_eq(v.params.p[0], ';');
}
END_TEST

START_TEST(via_lets_white_space_be_wherever_the_grammar_does)
{
	struct sip_via v;

	ck_assert_int_eq(sip_via_parse(STR("SIP  /   2.0\r\n /UDP\r\n    192.0.2.2 : 5062 ;\r\n "
	                                   "branch = 390skdjuw ; rport"),
	                               &v),
	                 0);
	ck_assert_str_is(v.host, "192.0.2.2");
	ck_assert_uint_eq(v.port, 5062);
	ck_assert_str_is(v.branch, "390skdjuw");
	ck_assert(!v.is_rfc3261);
	ck_assert(v.has_rport);
	ck_assert_uint_eq(v.rport, 0);
}
END_TEST

START_TEST(via_takes_ipv6_with_and_without_brackets_in_received)
{
	struct sip_via v;

	ck_assert_int_eq(sip_via_parse(STR("SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255]"
	                                   ";branch=z9hG4bKas3-111"),
	                               &v),
	                 0);
	ck_assert_str_is(v.host, "[2001:db8::9:1]");
	ck_assert_str_is(v.received, "[2001:db8::9:255]");
	ck_assert_int_eq(sip_via_parse(STR("SIP/2.0/TCP [::1]:5061;received=2001:db8::9:255"), &v),
	                 0);
	ck_assert_str_is(v.received, "2001:db8::9:255");
	ck_assert_uint_eq(v.port, 5061);
}
END_TEST

START_TEST(via_branch_of_nothing_but_the_cookie_is_not_rfc3261)
{
	struct sip_via v;

	ck_assert_int_eq(sip_via_parse(STR("SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK"), &v), 0);
	ck_assert(!v.is_rfc3261);
	ck_assert_int_eq(sip_via_parse(STR("SIP/2.0/UDP 192.0.2.1"), &v), 0);
	ck_assert(!v.is_rfc3261);
	ck_assert_ptr_null(v.branch.p);
}
END_TEST

START_TEST(via_that_is_malformed_behind_sent_by_still_tells_the_host)
{
	static const char *const bad[] = {
		"SIP/2.0/UDP 192.0.2.15;;",           "SIP/2.0/UDP 192.0.2.15;",
		"SIP/2.0/UDP 192.0.2.15 x",           "SIP/2.0/UDP 192.0.2.15;a=\"b",
		"SIP/7.0/UDP 192.0.2.15;branch=x",    "SIP/2.0/UDP 192.0.2.15;rport=x",
		"SIP/2.0/UDP 192.0.2.15;rport=70000",
	};
	struct sip_via v;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(sip_via_parse(str_from(bad[i]), &v) < 0, "%s is accepted", bad[i]);
		ck_assert_str_is(v.host, "192.0.2.15");
	}
}
END_TEST

START_TEST(via_without_a_readable_sent_by_has_no_host)
{
	static const char *const bad[] = {
		"",
		"SIP/2.0/UDP",
		"SIP/2.0/UDP ",
		"SIP/2.0/ 192.0.2.15",
		"SIP/2.0 192.0.2.15",
		"SIP/2.0/UDP;branch=x",
		"SIP/2.0/UDP [::1",
		"SIP/2.0/UDP 2001:db8::1",
		"SIP/2.0/UDP 192.0.2.15:",
		"SIP/2.0/UDP 192.0.2.15:0",
		"SIP/2.0/UDP 192.0.2.15:65536",
		"SIP/2.0/UDP192.0.2.15",
		"192.0.2.15",
	};
	struct sip_via v;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(sip_via_parse(str_from(bad[i]), &v) < 0, "%s is accepted", bad[i]);
		ck_assert_uint_eq(v.host.n, 0);
	}
}
END_TEST

START_TEST(via_default_port_goes_by_transport)
{
	ck_assert_uint_eq(sip_via_default_port(STR("UDP")), 5060);
	ck_assert_uint_eq(sip_via_default_port(STR("tls")), 5061);
	ck_assert_uint_eq(sip_via_default_port(STR("WS")), 80);
	ck_assert_uint_eq(sip_via_default_port(STR("wss")), 443);
	ck_assert_uint_eq(sip_via_default_port(STR("UNKNOWN")), 5060);
}
END_TEST

UNIT_MAIN("sip/via", via_takes_every_part_apart, via_lets_white_space_be_wherever_the_grammar_does,
          via_takes_ipv6_with_and_without_brackets_in_received,
          via_branch_of_nothing_but_the_cookie_is_not_rfc3261,
          via_that_is_malformed_behind_sent_by_still_tells_the_host,
          via_without_a_readable_sent_by_has_no_host, via_default_port_goes_by_transport)
