/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/trace_filter.h"

#include "support/unit.h"

#define INVITE                                                                                     \
	"INVITE sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\n"             \
	"f: \"A, B\" <sip:al%69ce@Example.COM;x=y>;tag=1\r\nTo: <sip:bob@example.com>\r\n"         \
	"i: one@x\r\nCSeq: 1 INVITE\r\n\r\nCall-ID: body\r\n"

static struct trace_facts facts_of(const char *text)
{
	struct trace_facts facts;

	ck_assert(trace_facts_read(str_from(text), &facts));
	return facts;
}

static struct net_addr addr(const char *ip, uint16_t port)
{
	struct net_addr a;

	ck_assert_int_eq(net_addr_parse(str_from(ip), port, &a), 0);
	return a;
}

START_TEST(facts_are_found_in_any_spelling)
{
	struct trace_facts facts = facts_of("\r\n\r\n" INVITE);

	ck_assert_str_is(facts.start_line, "INVITE sip:bob@example.com SIP/2.0");
	ck_assert_str_is(facts.call_id, "one@x");
	ck_assert_str_is(facts.to, "<sip:bob@example.com>");
	ck_assert_str_is(facts.from, "\"A, B\" <sip:al%69ce@Example.COM;x=y>;tag=1");
	facts = facts_of("SIP/2.0 200 OK\r\nCall-ID: two\r\nCall-ID: three\r\n");
	ck_assert_str_is(facts.call_id, "two");
	facts = facts_of("OPTIONS sip:a SIP/2.0"); /* cut off, malformed: shown all the same */
	ck_assert_uint_eq(facts.call_id.n, 0);
	facts = facts_of("OPTIONS sip:a SIP/2.0\r\nno field\r\nCall-ID: x\r\n\r\n");
	ck_assert_str_is(facts.call_id, "x");
}
END_TEST

START_TEST(what_is_no_sip_has_no_facts)
{
	struct trace_facts facts;

	ck_assert(!trace_facts_read(STR(""), &facts));
	ck_assert(!trace_facts_read(STR("\r\n\r\n"), &facts));
	ck_assert(!trace_facts_read(STR("\x01\x02 x"), &facts));
	ck_assert(!trace_facts_read(STR("GET"), &facts));
}
END_TEST

START_TEST(call_id_is_compared_whole)
{
	struct trace_facts facts = facts_of(INVITE);
	struct trace_filter filter = { .call_id = STR_NONE };

	ck_assert(trace_filter_call_id(&filter, &facts));
	filter.call_id = STR("one@x");
	ck_assert(trace_filter_call_id(&filter, &facts));
	filter.call_id = STR("one");
	ck_assert(!trace_filter_call_id(&filter, &facts));
	ck_assert(!trace_filter_by_call(&filter));
}
END_TEST

static bool user_passes(const char *user, const char *text)
{
	struct trace_facts facts = facts_of(text);
	struct trace_filter filter = { .user = str_from(user) };
	struct net_addr remote = addr("192.0.2.1", 5060);

	ck_assert(trace_filter_by_call(&filter));
	return trace_filter_rest(&filter, &facts, &remote);
}

START_TEST(user_is_looked_for_in_request_uri_from_and_to)
{
	ck_assert(user_passes("alice", INVITE));
	ck_assert(user_passes("bob", INVITE));
	ck_assert(user_passes("alice@example.com", INVITE));
	ck_assert(!user_passes("alice@example.net", INVITE));
	ck_assert(!user_passes("ali", INVITE));
	ck_assert(!user_passes("A", INVITE));
	ck_assert(user_passes("x", "ACK sip:x@y SIP/2.0\r\n\r\n"));
	ck_assert(!user_passes("x", "SIP/2.0 200 sip:x@y\r\n\r\n"));
	ck_assert(user_passes("+49", "INVITE tel:+49 SIP/2.0\r\n\r\n"));
	ck_assert(!user_passes("a", "INVITE sip: SIP/2.0\r\nFrom: <\r\nTo:\r\n\r\n"));
}
END_TEST

static bool source_passes(const char *source, const char *ip, uint16_t port)
{
	struct trace_facts facts = facts_of(INVITE);
	struct trace_filter filter = { .user = STR_NONE };
	struct net_addr remote = addr(ip, port);

	ck_assert_int_eq(trace_filter_source(&filter, str_from(source)), 0);
	ck_assert(trace_filter_by_call(&filter));
	return trace_filter_rest(&filter, &facts, &remote);
}

START_TEST(source_is_an_address_a_prefix_or_has_a_port)
{
	ck_assert(source_passes("192.0.2.1", "192.0.2.1", 7));
	ck_assert(!source_passes("192.0.2.1", "192.0.2.2", 7));
	ck_assert(source_passes("192.0.2.1:7", "192.0.2.1", 7));
	ck_assert(!source_passes("192.0.2.1:7", "192.0.2.1", 8));
	ck_assert(source_passes("192.0.2.0/24", "192.0.2.77", 7));
	ck_assert(source_passes("[2001:db8::1]:7", "2001:db8::1", 7));
	ck_assert(!source_passes("[2001:db8::1]:7", "2001:db8::1", 9));
	ck_assert(source_passes("2001:db8::/32", "2001:db8::9", 7));
}
END_TEST

START_TEST(a_source_that_is_no_address_is_refused)
{
	struct trace_filter filter = { .user = STR_NONE };

	ck_assert_int_lt(trace_filter_source(&filter, STR("example.com")), 0);
	ck_assert_int_lt(trace_filter_source(&filter, STR("192.0.2.1:x")), 0);
	ck_assert_int_lt(trace_filter_source(&filter, STR("192.0.2.0/33")), 0);
	ck_assert(!filter.has_source);
}
END_TEST

START_TEST(user_and_source_must_both_fit)
{
	struct trace_facts facts = facts_of(INVITE);
	struct trace_filter filter = { .user = STR("alice") };
	struct net_addr here = addr("192.0.2.1", 1), there = addr("192.0.2.2", 1);

	ck_assert_int_eq(trace_filter_source(&filter, STR("192.0.2.1")), 0);
	ck_assert(trace_filter_rest(&filter, &facts, &here));
	ck_assert(!trace_filter_rest(&filter, &facts, &there));
	filter.user = STR("carol");
	ck_assert(!trace_filter_rest(&filter, &facts, &here));
}
END_TEST

UNIT_MAIN("ctl/trace_filter", facts_are_found_in_any_spelling, what_is_no_sip_has_no_facts,
          call_id_is_compared_whole, user_is_looked_for_in_request_uri_from_and_to,
          source_is_an_address_a_prefix_or_has_a_port, a_source_that_is_no_address_is_refused,
          user_and_source_must_both_fit)
