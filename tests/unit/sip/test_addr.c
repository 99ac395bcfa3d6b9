/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/addr.h"

#include "sip_test.h"

static int parse(const char *text, struct sip_addr *addr)
{
	return sip_addr_parse(str_from(text), addr, NULL);
}

START_TEST(addr_takes_every_part_apart)
{
	struct sip_addr a;
	struct str v;

	ck_assert_int_eq(
		parse(" \"A \\\"B\\\" <x>\" <sips:a@h:5061;lr?x=y>;tag=1 ; q = 0.5 ;x=\"a;b\" ",
	              &a),
		0);
	ck_assert_str_is(a.display, "\"A \\\"B\\\" <x>\"");
	ck_assert_str_is(a.uri_text, "sips:a@h:5061;lr?x=y");
	ck_assert_int_eq(a.uri.scheme, SIP_URI_SIPS);
	ck_assert_uint_eq(a.uri.port, 5061);
	ck_assert(a.has_brackets);
	ck_assert(!a.is_star);
	ck_assert(sip_addr_param(&a, STR("Q"), &v));
	ck_assert_str_is(v, "0.5");
	ck_assert(sip_addr_param(&a, STR("x"), &v));
	ck_assert_str_is(v, "\"a;b\"");
	ck_assert(!sip_addr_param(&a, STR("lr"), &v));
}
END_TEST

START_TEST(addr_without_brackets_leaves_the_parameters_to_the_header)
{
	struct sip_addr a;
	struct str v;

	ck_assert_int_eq(parse("sip:a@h;tag=1", &a), 0);
	ck_assert(!a.has_brackets);
	ck_assert_str_is(a.display, "");
	ck_assert_str_is(a.uri.params, "");
	ck_assert(sip_addr_param(&a, STR("tag"), &v));
	ck_assert_str_is(v, "1");
	ck_assert_int_eq(parse("tel:+1-201-555-0123;x", &a), 0);
	ck_assert_int_eq(a.uri.scheme, SIP_URI_TEL);
}
END_TEST

START_TEST(addr_takes_display_names_of_tokens_and_of_none)
{
	struct sip_addr a;

	ck_assert_int_eq(parse("caller<sip:a@h>", &a), 0);
	ck_assert_str_is(a.display, "caller");
	ck_assert_int_eq(parse("A. G. Bell  <sip:a@h>", &a), 0);
	ck_assert_str_is(a.display, "A. G. Bell");
	ck_assert_int_eq(parse("J\xc3\xbcrgen (Sales) <sip:a@h>", &a), 0);
	ck_assert_int_eq(parse("<sip:a@h>", &a), 0);
	ck_assert_str_is(a.display, "");
	ck_assert_int_eq(parse("\"\"<urn:service:sos>", &a), 0);
	ck_assert_str_is(a.display, "\"\"");
}
END_TEST

START_TEST(addr_takes_a_star)
{
	struct sip_addr a;

	ck_assert_int_eq(parse("*", &a), 0);
	ck_assert(a.is_star);
	ck_assert_str_is(a.uri.host, "");
	ck_assert(parse("*;expires=0", &a) < 0);
	ck_assert(parse("* ", &a) == 0 && a.is_star);
}
END_TEST

START_TEST(addr_refuses_what_could_be_read_in_two_ways)
{
	static const char *const bad[] = {
		"",
		" ",
		"Bell, Alexander <sip:a@h>",
		"\"Bell <sip:a@h>",
		"\"Bell\" x <sip:a@h>",
		"\"Bell\" sip:a@h",
		"x;y <sip:a@h>",
		"<sip:a@h",
		"<sip:a@h> x",
		"<sip:a@h>;",
		"<sip:a@h>;;x",
		"<sip:a@h>;=x",
		"<sip:a@h>;x=\"y",
		"< sip:a@h>",
		"<sip:a@h >",
		"<<sip:a@h>>",
		"<>",
		"<sip:>",
		"<a@h>",
		"sip:a@h?x=y",
		"sip:a,b@h",
		"sip:a@h sip:b@h",
		"<sip:a@h>,<sip:b@h>",
		"sip:a\"b@h",
	};
	struct sip_addr a;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(parse(bad[i], &a) == BELFRY_EPARSE, "\"%s\" is accepted", bad[i]);
	}
}
END_TEST

START_TEST(addr_says_what_is_wrong)
{
	const char *why = NULL;
	struct sip_addr a;

	ck_assert(sip_addr_parse(STR("<sip:a@h:x>"), &a, &why) < 0);
	ck_assert_str_eq(why, "bad port");
	ck_assert(sip_addr_parse(STR("<sip:a@h"), &a, &why) < 0);
	ck_assert_str_eq(why, "malformed name or address");
}
END_TEST

START_TEST(q_is_read_as_thousandths)
{
	static const struct {
		const char *text;
		int q;
	} right[] = { { "0", 0 },     { "1", 1000 },   { "0.", 0 },    { "1.", 1000 },
		      { "0.5", 500 }, { "0.75", 750 }, { "0.001", 1 }, { "1.000", 1000 } };
	static const char *const bad[] = { "",    ".5", "2",   "0.1234", "1.001",
		                           "0.x", "-0", "0,5", "00" };
	uint16_t q;

	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
		ck_assert_int_eq(sip_q_parse(str_from(right[i].text), &q), 0);
		ck_assert_int_eq(q, right[i].q);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(sip_q_parse(str_from(bad[i]), &q) < 0, "%s is accepted", bad[i]);
	}
}
END_TEST

START_TEST(delta_seconds_stop_at_32_bits)
{
	uint32_t s;

	ck_assert_int_eq(sip_delta_parse(STR("0"), &s), 0);
	ck_assert_uint_eq(s, 0);
	ck_assert_int_eq(sip_delta_parse(STR("4294967295"), &s), 0);
	ck_assert_uint_eq(s, UINT32_MAX);
	ck_assert_int_eq(sip_delta_parse(STR("100000000000000000000000000000"), &s), 0);
	ck_assert_uint_eq(s, UINT32_MAX);
	ck_assert(sip_delta_parse(STR(""), &s) < 0);
	ck_assert(sip_delta_parse(STR("-1"), &s) < 0);
	ck_assert(sip_delta_parse(STR("1 "), &s) < 0);
	ck_assert(sip_delta_parse(STR("0x1"), &s) < 0);
}
END_TEST

START_TEST(date_comes_back_as_it_was)
{
	static const struct {
		const char *text;
		int64_t t;
	} dates[] = {
		{ "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Sat, 13 Nov 2010 23:29:00 GMT", 1289690940 },
		{ "Tue, 29 Feb 2000 12:00:00 GMT", 951825600 },
		{ "Thu, 01 Mar 1900 00:00:00 GMT", -2203891200 },
		{ "Thu, 31 Dec 2026 23:59:59 GMT", 1798761599 },
		{ "Wed, 31 Dec 1969 23:59:59 GMT", -1 },
		{ "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
	};
	char out[30];
	int64_t t;

	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		ck_assert_int_eq(sip_date_parse(str_from(dates[i].text), &t), 0);
		ck_assert_int_eq(t, dates[i].t);
		sip_date_print(t, out);
		ck_assert_str_eq(out, dates[i].text);
	}
	for (t = -86400; t < 86400 * 366 * 8; t += 86399) {
		int64_t again = 0;

		sip_date_print(t, out);
		ck_assert_int_eq(sip_date_parse(str_from(out), &again), 0);
		ck_assert_int_eq(again, t);
	}
}
END_TEST

START_TEST(date_of_another_form_is_refused)
{
	static const char *const bad[] = {
		"",
		"Fri, 01 Jan 2010 16:00:00 EST",
		"Fri, 32 Jan 2010 16:00:00 GMT",
		"Sun, 29 Feb 2009 16:00:00 GMT",
		"Fri, 00 Jan 2010 16:00:00 GMT",
		"Fri, 01 Jax 2010 16:00:00 GMT",
		"Fxi, 01 Jan 2010 16:00:00 GMT",
		"Fri, 01 Jan 2010 24:00:00 GMT",
		"Fri, 01 Jan 2010 16:60:00 GMT",
		"Fri, 01 Jan 2010 16:00:61 GMT",
		"Fri, 1 Jan 2010 16:00:00 GMT",
		"Fri 01 Jan 2010 16:00:00  GMT",
		"Friday, 01-Jan-10 16:00:00 GMT",
		"Fri, 01 Jan 2010 16:00:00 GMT ",
	};
	int64_t t;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(sip_date_parse(str_from(bad[i]), &t) < 0, "%s is accepted", bad[i]);
	}
}
END_TEST

START_TEST(unquote_resolves_escapes)
{
	struct arena arena;
	struct str plain = STR("token"), quoted = STR("\"a b\"");

	arena_init(&arena, NULL);
	ck_assert_ptr_eq(sip_unquote(&arena, plain).p, plain.p);
	ck_assert_ptr_eq(sip_unquote(&arena, quoted).p, quoted.p + 1); /* no copy */
	ck_assert_str_is(sip_unquote(&arena, STR("\"a\\\"b\\\\c\\d\"")), "a\"b\\cd");
	ck_assert_str_is(sip_unquote(&arena, STR("\"\"")), "");
	ck_assert_str_is(sip_unquote(&arena, STR("\"")), "\"");
	ck_assert_str_is(sip_unquote(&arena, STR("")), "");
	arena_fini(&arena);
}
END_TEST

START_TEST(credentials_are_walked)
{
	struct sip_auth_params a;
	struct str name, value;

	ck_assert_int_eq(
		sip_auth_parse(STR("Digest username=\"a,\\\"b\" ,\r\n realm = \"r\",nc=00000001"),
	                       &a),
		0);
	ck_assert_str_is(a.scheme, "Digest");
	ck_assert_int_eq(sip_auth_next(&a, &name, &value), 1);
	ck_assert_str_is(name, "username");
	ck_assert_str_is(value, "\"a,\\\"b\"");
	ck_assert_int_eq(sip_auth_next(&a, &name, &value), 1);
	ck_assert_str_is(name, "realm");
	ck_assert_str_is(value, "\"r\"");
	ck_assert_int_eq(sip_auth_next(&a, &name, &value), 1);
	ck_assert_str_is(name, "nc");
	ck_assert_str_is(value, "00000001");
	ck_assert_int_eq(sip_auth_next(&a, &name, &value), 0);
	ck_assert_int_eq(sip_auth_next(&a, &name, &value), 0);
}
END_TEST

/* Scanned in blocks: the escaped quote and the end at every place of one. */
START_TEST(quoted_strings_end_at_the_first_bare_quote)
{
	char text[64];

	for (size_t n = 2; n < 40; n++) {
		for (size_t at = 0; at + 2 <= n; at++) {
			struct sip_auth_params a;
			struct str name, value;

			memset(text, 'x', sizeof(text));
			memcpy(text, "Digest a=\"", 10);
			memcpy(text + 10 + at, at % 2 ? "\\\"" : "\\\\", 2);
			memcpy(text + 10 + n, "\",b=\"\"", 6);
			ck_assert_int_eq(sip_auth_parse(str_make(text, 10 + n + 6), &a), 0);
			ck_assert_int_eq(sip_auth_next(&a, &name, &value), 1);
			ck_assert_uint_eq(value.n, n + 2);
			ck_assert_int_eq(sip_auth_next(&a, &name, &value), 1);
			ck_assert_str_is(value, "\"\"");
			for (size_t cut = 10; cut <= 10 + n; cut++) {
				ck_assert_int_eq(sip_auth_parse(str_make(text, cut), &a), 0);
				ck_assert_int_eq(sip_auth_next(&a, &name, &value), BELFRY_EPARSE);
			}
		}
	}
}
END_TEST

START_TEST(malformed_credentials_are_refused)
{
	static const char *const bad[] = { "Digest a",     "Digest a=",    "Digest =b",
		                           "Digest a=\"b", "Digest a=b c", "Digest a=b,,",
		                           "Digest ,",     "Digest a=b," };
	struct sip_auth_params a;
	struct str name, value;

	ck_assert(sip_auth_parse(STR(""), &a) < 0);
	ck_assert(sip_auth_parse(STR("Digest"), &a) < 0);
	ck_assert(sip_auth_parse(STR("=x"), &a) < 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int got;

		ck_assert_int_eq(sip_auth_parse(str_from(bad[i]), &a), 0);
		while ((got = sip_auth_next(&a, &name, &value)) == 1) {
		}
		ck_assert_msg(got == BELFRY_EPARSE, "%s is accepted", bad[i]);
	}
}
END_TEST

UNIT_MAIN("sip/addr", addr_takes_every_part_apart,
          addr_without_brackets_leaves_the_parameters_to_the_header,
          addr_takes_display_names_of_tokens_and_of_none, addr_takes_a_star,
          addr_refuses_what_could_be_read_in_two_ways, addr_says_what_is_wrong,
          q_is_read_as_thousandths, delta_seconds_stop_at_32_bits, date_comes_back_as_it_was,
          date_of_another_form_is_refused, unquote_resolves_escapes, credentials_are_walked,
          quoted_strings_end_at_the_first_bare_quote, malformed_credentials_are_refused)
