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

static void aor_is(const char *text, const char *want)
{
	char space[SIP_AOR_MAX];

	ck_assert_str_is(ctl_aor(str_from(text), space), want);
}

START_TEST(an_aor_is_taken_as_people_write_it)
{
	aor_is("alice@example.com", "alice@example.com");
	aor_is("sip:alice@Example.COM:5070;x=y", "alice@example.com");
	aor_is("SIPS:al%69ce@example.com", "alice@example.com");
	aor_is("j\xC3\xB6@example.com", "j\xC3\xB6@example.com");
	aor_is("two words@example.com", "two words@example.com");
	aor_is("a@b@example.com", "a@b@example.com");
	aor_is("50%@example.com", "50%@example.com");
	aor_is("sip:\"q\"<>@[2001:DB8::0:1]", "\"q\"<>@[2001:db8::1]");
}
END_TEST

START_TEST(what_is_no_aor_is_refused)
{
	char text[2 * SIP_AOR_MAX];

	aor_is("", "");
	aor_is("alice", "");
	aor_is("@example.com", "");
	aor_is("sip:example.com", "");
	aor_is("alice:secret@example.com", "");
	aor_is("a\tb@example.com", "");
	aor_is("a%0Ab@example.com", "");
	aor_is("alice@exam ple.com", "");
	memset(text, ' ', sizeof(text));
	memcpy(text + sizeof(text) - 13, "@example.com", 13);
	aor_is(text, "");
}
END_TEST

UNIT_MAIN("ctl/addr", a_port_is_cut_off, what_has_no_port_stays_whole,
          an_aor_is_taken_as_people_write_it, what_is_no_aor_is_refused)
