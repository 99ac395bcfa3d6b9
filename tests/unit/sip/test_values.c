/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/msg.h"

#include "sip_test.h"

/* The values of @id, each followed by '|'. */
static const char *join(const struct sip_msg *msg, enum sip_hdr id)
{
	static char out[1024];
	struct sip_values it;
	size_t n = 0;

	sip_values_init(&it, msg, id);
	while (sip_values_next(&it)) {
		ck_assert_str_is(str_make(msg->text.p + it.off, it.end - it.off),
		                 (snprintf(out + n, sizeof(out) - n, "%.*s", STR_FMT(it.value)),
		                  out + n));
		n += it.value.n;
		out[n++] = '|';
	}
	ck_assert(!sip_values_next(&it)); /* stays at the end */
	out[n] = '\0';
	return out;
}

START_TEST(values_are_walked_over_all_fields_in_order)
{
	struct sip_msg *msg = test_parse(TEST_REQUEST("Route: <sip:a@h;lr> , <sip:b@h>\r\n"
	                                              "X: y\r\nRoute:\r\n"
	                                              "rOUTE:\r\n <sip:c@h>\r\n",
	                                              ""));

	ck_assert_str_eq(join(msg, SIP_H_ROUTE), "<sip:a@h;lr>|<sip:b@h>|<sip:c@h>|");
	ck_assert_str_eq(join(msg, SIP_H_RECORD_ROUTE), "");
	ck_assert_str_eq(join(msg, SIP_H_VIA),
	                 "SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKabc;rport|");
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(commas_in_quotes_and_brackets_do_not_separate)
{
	struct sip_msg *msg = test_parse(
		TEST_REQUEST("m: \"a, \\\"b\" <sip:a,b@h>;x=\"1,2\",<sip:c@h?x=a,b>,sip:d@h\r\n",
	                     ""));

	ck_assert_str_eq(join(msg, SIP_H_CONTACT),
	                 "\"a, \\\"b\" <sip:a,b@h>;x=\"1,2\"|<sip:c@h?x=a,b>|sip:d@h|");
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(unclosed_quote_or_bracket_takes_the_rest_of_its_field)
{
	struct sip_msg *msg =
		test_parse(TEST_REQUEST("m: a,\"b,c\r\nm: d,<e,f\r\nm: g,h\\\r\n", ""));

	ck_assert_str_eq(join(msg, SIP_H_CONTACT), "a|\"b,c|d|<e,f|g|h\\|");
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(empty_values_are_left_out)
{
	struct sip_msg *msg = test_parse(TEST_REQUEST("k: ,a,, b ,\r\nk:\r\nk: ,\r\nk: c\r\n", ""));

	ck_assert_str_eq(join(msg, SIP_H_SUPPORTED), "a|b|c|");
	ck_assert(sip_msg_has_token(msg, SIP_H_SUPPORTED, STR("B")));
	ck_assert(sip_msg_has_token(msg, SIP_H_SUPPORTED, STR("c")));
	ck_assert(!sip_msg_has_token(msg, SIP_H_SUPPORTED, STR("")));
	ck_assert(!sip_msg_has_token(msg, SIP_H_SUPPORTED, STR("ab")));
	ck_assert(!sip_msg_has_token(msg, SIP_H_REQUIRE, STR("a")));
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(next_finds_every_field_of_a_kind)
{
	struct sip_msg *msg =
		test_parse(TEST_REQUEST("u: 1\r\nFoo: 2\r\nAllow-Events: 3\r\nBar: 4\r\n", ""));

	ck_assert_int_eq(sip_msg_next(msg, SIP_H_ALLOW_EVENTS, -1), 6);
	ck_assert_int_eq(sip_msg_next(msg, SIP_H_ALLOW_EVENTS, 6), 8);
	ck_assert_int_eq(sip_msg_next(msg, SIP_H_ALLOW_EVENTS, 8), -1);
	ck_assert_int_eq(sip_msg_next(msg, SIP_H_ROUTE, -1), -1);
	ck_assert_int_eq(sip_msg_next(msg, SIP_H_OTHER, -1), 7);
	ck_assert_int_eq(sip_msg_next(msg, SIP_H_OTHER, 7), 9);
	ck_assert_int_eq(sip_msg_next(msg, SIP_H_OTHER, 9), -1);
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(peek_agrees_with_the_parser)
{
	struct str text = TEST_REQUEST("", "");
	struct sip_peek peek;

	ck_assert(sip_msg_peek(text, &peek));
	ck_assert(peek.is_request);
	ck_assert_int_eq(peek.method, SIP_M_INVITE);
	ck_assert_str_is(peek.via_branch, "z9hG4bKabc");
	ck_assert_str_is(peek.call_id, "c1@192.0.2.1");
	ck_assert(sip_msg_peek(
		STR("\r\nREGISTER sip:h SIP/2.0\r\nX: y\r\n\tz\r\ni : 1\r\n"
	            "v:SIP/2.0/UDP h;branch=a,SIP/2.0/UDP i;branch=b\r\nt:\r\n <sip:a@h>\r\n"),
		&peek));
	ck_assert_int_eq(peek.method, SIP_M_REGISTER);
	ck_assert_str_is(peek.via_branch, "a");
	ck_assert_str_is(peek.to, "<sip:a@h>");
	ck_assert(sip_msg_peek(STR("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=q\r\n"), &peek));
	ck_assert(!peek.is_request);
	ck_assert_str_is(peek.via_branch, "q");
}
END_TEST

START_TEST(peek_takes_the_first_of_each_kind)
{
	struct sip_peek peek;

	ck_assert(sip_msg_peek(STR("REGISTER sip:h SIP/2.0\r\ni: 1\r\ni: 2\r\nt: a\r\nt: b\r\n"
	                           "v: SIP/2.0/UDP h\r\n"),
	                       &peek));
	ck_assert_str_is(peek.call_id, "1");
	ck_assert_str_is(peek.to, "a");
	ck_assert(sip_msg_peek(STR("BYE sip:h SIP/2.0\r\nv: SIP/2.0/UDP h;branch=1\r\n"
	                           "v: SIP/2.0/UDP h;branch=2\r\ni: 1\r\n"),
	                       &peek));
	ck_assert_str_is(peek.via_branch, "1");
}
END_TEST

START_TEST(peek_says_when_something_is_missing)
{
	struct sip_peek peek;

	ck_assert(!sip_msg_peek(STR_NONE, &peek));
	ck_assert(!sip_msg_peek(STR("\r\n\r\n"), &peek));
	ck_assert(!sip_msg_peek(STR("\0\1\0\0"), &peek));
	ck_assert(!sip_msg_peek(STR("BYE sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\ni: 1\r\n"),
	                        &peek));
	ck_assert(!sip_msg_peek(STR("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\n\r\n"), &peek));
	ck_assert(!sip_msg_peek(STR("REGISTER sip:h SIP/2.0\r\nv: SIP/2.0/UDP h\r\ni: 1\r\n\r\n"),
	                        &peek));
	/* without a branch it is still a request (RFC 2543) */
	ck_assert(sip_msg_peek(STR("BYE sip:a@h SIP/2.0\r\nVia: SIP/2.0/UDP h\r\ni: 1\r\n\r\n"),
	                       &peek));
	ck_assert_uint_eq(peek.via_branch.n, 0);
}
END_TEST

UNIT_MAIN("sip/values", values_are_walked_over_all_fields_in_order,
          commas_in_quotes_and_brackets_do_not_separate,
          unclosed_quote_or_bracket_takes_the_rest_of_its_field, empty_values_are_left_out,
          next_finds_every_field_of_a_kind, peek_agrees_with_the_parser,
          peek_takes_the_first_of_each_kind, peek_says_when_something_is_missing)
