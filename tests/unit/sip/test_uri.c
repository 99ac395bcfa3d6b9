/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/uri.h"

#include "util/err.h"

#include "support/unit.h"

#include <errno.h>

static struct sip_uri parse(const char *text)
{
	struct sip_uri uri;
	const char *why = "";

	ck_assert_msg(sip_uri_parse(str_from(text), &uri, &why) == 0, "%s: %s", text, why);
	return uri;
}

static bool same(const char *a, const char *b)
{
	struct sip_uri ua = parse(a), ub = parse(b);
	bool eq = sip_uri_eq(&ua, &ub);

	ck_assert_msg(eq == sip_uri_eq(&ub, &ua), "%s and %s: not symmetric", a, b);
	return eq;
}

START_TEST(uri_takes_every_part_apart)
{
	struct sip_uri u = parse("SIPS:al%69ce;x=y:pa$$@[2001:db8::1]:5071;lr;a=b%20c?s=1&t=%41");

	ck_assert_int_eq(u.scheme, SIP_URI_SIPS);
	ck_assert_str_is(u.scheme_text, "SIPS");
	ck_assert_str_is(u.user, "al%69ce;x=y");
	ck_assert_str_is(u.password, "pa$$");
	ck_assert_str_is(u.host, "[2001:db8::1]");
	ck_assert_uint_eq(u.port, 5071);
	ck_assert_str_is(u.params, ";lr;a=b%20c");
	ck_assert_str_is(u.headers, "s=1&t=%41");
	ck_assert(u.has_user);
}
END_TEST

START_TEST(uri_without_user_port_and_parameters_leaves_them_empty)
{
	struct sip_uri u = parse("sip:example.com");

	ck_assert_str_is(u.host, "example.com");
	ck_assert(!u.has_user);
	ck_assert_uint_eq(u.port, 0);
	ck_assert_str_is(u.params, "");
	ck_assert_ptr_null(u.headers.p);
	ck_assert_ptr_null(u.password.p);
}
END_TEST

START_TEST(uri_refuses_what_the_grammar_has_not)
{
	static const char *const bad[] = {
		"",
		"sip",
		"sip:",
		":",
		"1sip:a@b",
		"alice@example.com",
		"sip:@example.com",
		"sip::pw@example.com",
		"sip:a@",
		"sip:a b@example.com",
		"sip:a@exam ple.com",
		"sip:a@example.com ",
		" sip:a@example.com",
		"<sip:a@example.com>",
		"sip:a@example.com>",
		"sip:a\"b@example.com",
		"sip:a@b@c",
		"sip:a%4@example.com",
		"sip:a%zz@example.com",
		"sip:a@example.com:",
		"sip:a@example.com:0",
		"sip:a@example.com:65536",
		"sip:a@example.com:99999999999999999999",
		"sip:a@example.com:50x",
		"sip:a@example..com",
		"sip:a@.example.com",
		"sip:a@example.com;",
		"sip:a@example.com;;lr",
		"sip:a@example.com;=x",
		"sip:a@example.com; lr",
		"sip:a@example.com;a=%",
		"sip:a@example.com;a=b,c",
		"sip:a@example.com?a=b c",
		"sip:2001:db8::10",
		"sip:[2001:db8::10",
		"sip:[2001:db8:::192.0.2.1]",
		"sip:[::1%eth0]",
		"sip:[]",
		"sip:[192.0.2.1]",
		"sip:[2001:db8::10]x",
		"tel:",
		"tel:+",
		"tel:+12a",
		"tel:hello",
		"tel:+12;=x",
		"http:",
		"http://a b",
		"urn:a\tb",
		"mailto:a<b",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct sip_uri u;
		const char *why = NULL;

		ck_assert_msg(sip_uri_parse(str_from(bad[i]), &u, &why) == BELFRY_EPARSE,
		              "\"%s\" is accepted", bad[i]);
		ck_assert_ptr_nonnull(why);
	}
	ck_assert(sip_uri_parse(STR("sip:a\0b@example.com"), &(struct sip_uri){ 0 }, NULL));
	ck_assert(sip_uri_parse(STR("sip:a@[::1\0]"), &(struct sip_uri){ 0 }, NULL));
}
END_TEST

START_TEST(uri_accepts_what_is_odd_but_right)
{
	static const char *const good[] = {
		"sip:a@example.com.",
		"sip:a@192.0.2.1",
		"sip:a:@example.com",
		"sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/"
		";;*:&it+has=1,weird!*pas$wo~d_too."
		"(doesn't-it)@example.com",
		"sip:user;par=u%40example.net@example.com",
		"sip:*67#@example.com",
		"sip:a@my_host",
		"sip:a@[::ffff:192.0.2.1]:5060",
		"sip:[2001:db8::10:5070]",
		"sip:a@example.com:05060",
		"sip:a@h;x[:]/&+$=:",
		"sip:a@h;transport=",
		"sip:a@h?",
		"tel:+1-201-555-0123",
		"tel:7042;phone-context=example.com",
		"tel:*21#;phone-context=+1",
		"nobodyKnowsThisScheme:totallyopaquecontent",
		"soap.beep://192.0.2.103:3002",
		"urn:service:sos.fire",
	};

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		parse(good[i]);
	}
}
END_TEST

START_TEST(uri_of_an_unknown_scheme_is_kept_whole)
{
	struct sip_uri u = parse("soap.beep://192.0.2.103:3002");

	ck_assert_int_eq(u.scheme, SIP_URI_OTHER);
	ck_assert_str_is(u.scheme_text, "soap.beep");
	ck_assert_str_is(u.text, "soap.beep://192.0.2.103:3002");
	ck_assert_str_is(u.host, "");
	u = parse("sipx:a@b");
	ck_assert_int_eq(u.scheme, SIP_URI_OTHER);
	u = parse("tel:+1-201;ext=3");
	ck_assert_int_eq(u.scheme, SIP_URI_TEL);
	ck_assert_str_is(u.user, "+1-201");
	ck_assert_str_is(u.params, ";ext=3");
}
END_TEST

START_TEST(params_are_found_in_any_case_and_with_quotes)
{
	struct sip_uri u = parse("sip:a@h;Transport=TCP;lr;x=");
	struct str v;

	ck_assert(sip_uri_param(&u, STR("transport"), &v));
	ck_assert_str_is(v, "TCP");
	ck_assert(sip_uri_param(&u, STR("LR"), &v));
	ck_assert_str_is(v, "");
	ck_assert(sip_uri_param(&u, STR("x"), &v));
	ck_assert_str_is(v, "");
	ck_assert(!sip_uri_param(&u, STR("l"), &v));
	ck_assert(sip_param_find(STR(" ; a = \"x;\\\" b=3\" \r\n ;c =d"), STR("a"), &v));
	ck_assert_str_is(v, "\"x;\\\" b=3\"");
	ck_assert(sip_param_find(STR(" ; a = \"x;\\\" b=3\" \r\n ;c =d"), STR("c"), &v));
	ck_assert_str_is(v, "d");
	ck_assert(!sip_param_find(STR(";a=\"unterminated;c=d"), STR("c"), &v));
	ck_assert(!sip_param_find(STR_NONE, STR("c"), &v));
}
END_TEST

START_TEST(rfc3261_19_1_4_equivalent_uris_are_equal)
{
	ck_assert(same("sip:%61lice@atlanta.com;transport=TCP",
	               "sip:alice@AtLanTa.CoM;Transport=tcp"));
	ck_assert(same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
	ck_assert(same("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"));
	ck_assert(same("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"));
	ck_assert(same("sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
	               "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"));
	ck_assert(same("sip:alice@atlanta.com?subject=project%20x&priority=urgent",
	               "sip:alice@atlanta.com?priority=urgent&subject=project%20x"));
	ck_assert(!same("sip:alice@atlanta.com?subject=x&priority",
	                "sip:alice@atlanta.com?subject=x&"));
	ck_assert(!same("sip:alice@atlanta.com?subject=x&",
	                "sip:alice@atlanta.com?subject=x&priority"));
	/* not transitive */
	ck_assert(same("sip:carol@chicago.com", "sip:carol@chicago.com;security=off"));
}
END_TEST

START_TEST(rfc3261_19_1_4_different_uris_are_not_equal)
{
	ck_assert(!same("SIP:ALICE@AtLanTa.CoM;Transport=udp",
	                "sip:alice@AtLanTa.CoM;Transport=UDP"));
	ck_assert(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
	ck_assert(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
	ck_assert(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"));
	ck_assert(!same("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"));
	ck_assert(!same("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"));
	ck_assert(!same("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
}
END_TEST

START_TEST(uris_differ_in_scheme_user_password_and_what_is_never_ignored)
{
	ck_assert(!same("sip:a@h", "sips:a@h"));
	ck_assert(!same("sip:a@h", "sip:h"));
	ck_assert(!same("sip:a@h", "sip:a:@h"));
	ck_assert(!same("sip:a:x@h", "sip:a:y@h"));
	ck_assert(!same("sip:a@h;user=phone", "sip:a@h"));
	ck_assert(!same("sip:a@h;ttl=1", "sip:a@h"));
	ck_assert(!same("sip:a@h;method=INVITE", "sip:a@h"));
	ck_assert(!same("sip:a@h;%6Dethod=INVITE", "sip:a@h"));
	ck_assert(!same("sip:a@h;maddr=1.2.3.4", "sip:a@h"));
	ck_assert(!same("sip:a@h?x=1&x=1&y=2", "sip:a@h?x=1&y=2&y=2"));
	ck_assert(!same("sip:a@h?x=1", "sip:a@h?x=1&x=1"));
	ck_assert(same("sip:a@h?x=1&x=2", "sip:a@h?X=2&X=1"));
	ck_assert(!same("sip:a@h?x=a", "sip:a@h?x=A"));
}
END_TEST

START_TEST(escaped_reserved_characters_are_not_the_bare_ones)
{
	ck_assert(!same("sip:a%3Bb@h", "sip:a;b@h"));
	ck_assert(same("sip:a%3bb@h", "sip:a%3Bb@h"));
	ck_assert(same("sip:a%2Db@h", "sip:a-b@h"));
	ck_assert(!same("sip:null-%00-null@h", "sip:null-@h"));
	ck_assert(!same("sip:%00@h", "sip:%00%00@h"));
	ck_assert(!same("sip:a%2541@h", "sip:aA@h")); /* never twice */
}
END_TEST

START_TEST(hosts_are_equal_by_name_or_by_address)
{
	ck_assert(same("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::0001]"));
	ck_assert(!same("sip:a@[2001:db8::1]", "sip:a@[2001:db8::2]"));
	ck_assert(sip_host_eq(STR("Example.COM."), STR("example.com")));
	ck_assert(!sip_host_eq(STR("example.com"), STR("example.org")));
	ck_assert(sip_host_eq(STR("[::1]"), STR("0::1")));
	ck_assert(!sip_host_eq(STR("[::1]"), STR("localhost")));
	ck_assert(sip_host_eq(STR("192.0.2.1"), STR("192.0.2.1")));
}
END_TEST

START_TEST(tel_uris_are_compared_without_visual_separators)
{
	ck_assert(same("tel:+1-201-555-0123", "tel:+12015550123"));
	ck_assert(same("tel:+1(201)5550123;ext=1;isub=2", "TEL:+12015550123;ISUB=2;EXT=1"));
	ck_assert(!same("tel:+12015550123", "tel:12015550123;phone-context=+1"));
	ck_assert(!same("tel:+12015550123", "tel:+12015550123;ext=1"));
	ck_assert(!same("tel:+1201555012", "tel:+12015550123"));
	ck_assert(same("urn:service:sos", "URN:service:sos"));
	ck_assert(!same("urn:service:sos", "urn:service:SOS"));
}
END_TEST

START_TEST(uris_with_very_many_parameters_are_equal_only_as_text)
{
	char a[8200] = "sip:a@h", b[8200] = "sip:a@h";

	for (int i = 0; i < 2000; i++) {
		strcat(a, ";x=1");
		strcat(b, i == 0 ? ";X=1" : ";x=1");
	}
	ck_assert(same(a, a));
	ck_assert(!same(a, b));
}
END_TEST

static void check_aor(const char *text, const char *want)
{
	struct sip_uri u = parse(text);
	char out[64];

	ck_assert_str_is(sip_uri_aor(&u, out, sizeof(out)), want);
}

START_TEST(aor_is_unescaped_and_without_all_that_does_not_name)
{
	check_aor("sip:alice@Example.COM", "alice@example.com");
	check_aor("sips:alice@example.com.:5061;transport=tcp?x=y", "alice@example.com");
	check_aor("sip:Al%69ce:pw@example.com", "Alice@example.com");
	check_aor("sip:sips%3Auser%40example.com@example.net", "sips:user@example.com@example.net");
	check_aor("sip:example.com", "@example.com");
	check_aor("sip:a@[2001:DB8:0::1]", "a@[2001:db8::1]");
	check_aor("sip:%2541@h", "%41@h");
}
END_TEST

START_TEST(aor_is_refused_with_controls_other_schemes_or_want_of_room)
{
	struct sip_uri u = parse("sip:alice@example.com");
	char out[64];

	check_aor("sip:null-%00-null@example.com", "");
	check_aor("sip:a%0D%0Ab@example.com", "");
	check_aor("sip:a%7f@example.com", "");
	check_aor("tel:+12015550123", "");
	check_aor("urn:service:sos", "");
	ck_assert_str_is(sip_uri_aor(&u, out, 17), "alice@example.com");
	ck_assert_str_is(sip_uri_aor(&u, out, 16), "");
	ck_assert_str_is(sip_uri_aor(&u, out, 3), "");
	ck_assert_str_is(sip_uri_aor(&u, out, 5), "");
}
END_TEST

START_TEST(unescape_never_truncates)
{
	char out[4];

	ck_assert_int_eq(sip_unescape(STR("a%62c"), out, 3), 3);
	ck_assert_mem_eq(out, "abc", 3);
	ck_assert_int_eq(sip_unescape(STR("abcd"), out, 3), -ENOSPC);
	ck_assert_int_eq(sip_unescape(STR("%4"), out, 4), 2); /* no escape */
	ck_assert_int_eq(sip_unescape(STR_NONE, out, 0), 0);
}
END_TEST

START_TEST(escaped_user_comes_back_through_the_parser)
{
	struct arena arena;
	struct str user = STR("a b@c%\"\x01\xff:+#"), escaped, text;
	struct sip_uri u;
	char out[64];

	arena_init(&arena, NULL);
	escaped = sip_escape_user(&arena, user);
	ck_assert_str_is(escaped, "a%20b%40c%25%22%01%FF%3A+%23");
	text = arena_printf(&arena, "sip:%.*s@h", STR_FMT(escaped));
	ck_assert_int_eq(sip_uri_parse(text, &u, NULL), 0);
	ck_assert_int_eq(sip_unescape(u.user, out, sizeof(out)), (int)user.n);
	ck_assert_mem_eq(out, user.p, user.n);
	arena_fini(&arena);
}
END_TEST

static int as_target(void *arg)
{
	static const struct str drop[] = { STR_INIT("gr"), STR_INIT("ob") };
	struct sip_uri u = parse("sip:a@h:5070;method=BYE;x;gr=1;Method=x;y=2?Route=%3Csip:e%3E");
	struct arena arena;
	struct str got;

	(void)arg;
	arena_init(&arena, NULL);
	got = sip_uri_as_target(&arena, &u, drop, 2);
	if (got.p) {
		ck_assert_str_is(got, "sip:a@h:5070;x;y=2");
	}
	arena_fini(&arena);
	return got.p ? 0 : -ENOMEM;
}

START_TEST(target_loses_headers_and_method_and_what_is_dropped)
{
	struct sip_uri u = parse("sip:a@h;lr;x=1"), tel = parse("tel:+1;gr=2");
	struct str gr = STR("gr");
	struct arena arena;

	oom_each(as_target, NULL);
	arena_init(&arena, NULL);
	ck_assert_ptr_eq(sip_uri_as_target(&arena, &u, NULL, 0).p, u.text.p);
	ck_assert_str_is(sip_uri_as_target(&arena, &tel, &gr, 1), "tel:+1");
	u = parse("urn:service:sos?x");
	ck_assert_ptr_eq(sip_uri_as_target(&arena, &u, &gr, 1).p, u.text.p);
	u = parse("sip:a@h?x=1");
	ck_assert_str_is(sip_uri_as_target(&arena, &u, NULL, 0), "sip:a@h");
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("sip/uri", uri_takes_every_part_apart,
          uri_without_user_port_and_parameters_leaves_them_empty,
          uri_refuses_what_the_grammar_has_not, uri_accepts_what_is_odd_but_right,
          uri_of_an_unknown_scheme_is_kept_whole, params_are_found_in_any_case_and_with_quotes,
          rfc3261_19_1_4_equivalent_uris_are_equal, rfc3261_19_1_4_different_uris_are_not_equal,
          uris_differ_in_scheme_user_password_and_what_is_never_ignored,
          escaped_reserved_characters_are_not_the_bare_ones, hosts_are_equal_by_name_or_by_address,
          tel_uris_are_compared_without_visual_separators,
          uris_with_very_many_parameters_are_equal_only_as_text,
          aor_is_unescaped_and_without_all_that_does_not_name,
          aor_is_refused_with_controls_other_schemes_or_want_of_room, unescape_never_truncates,
          escaped_user_comes_back_through_the_parser,
          target_loses_headers_and_method_and_what_is_dropped)
