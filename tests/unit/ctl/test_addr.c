/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/addr.h"

#include "support/unit.h"

static void splits(const char *text, const char *host, unsigned port)
{
	struct str got_host;
	uint16_t got_port;

	ck_assert_int_eq(ctl_addr_split(str_from(text), &got_host, &got_port), port != 0);
	ck_assert_str_is(got_host, host);
	ck_assert_uint_eq(got_port, port);
}

START_TEST(a_port_is_cut_off)
{
	splits("192.0.2.1:5060", "192.0.2.1", 5060);
	splits("[2001:db8::1]:5061", "[2001:db8::1]", 5061);
}
END_TEST

START_TEST(what_has_no_port_stays_whole)
{
	splits("192.0.2.1", "192.0.2.1", 0);
	splits("2001:db8::1", "2001:db8::1", 0);
	splits("[2001:db8::1]", "[2001:db8::1]", 0);
	splits("192.0.2.1:", "192.0.2.1:", 0);
	splits("192.0.2.1:0", "192.0.2.1:0", 0);
	splits("192.0.2.1:65536", "192.0.2.1:65536", 0);
	splits("192.0.2.1:x", "192.0.2.1:x", 0);
	splits(":5060", ":5060", 0);
	splits("", "", 0);
}
END_TEST

UNIT_MAIN("ctl/addr", a_port_is_cut_off, what_has_no_port_stays_whole)
