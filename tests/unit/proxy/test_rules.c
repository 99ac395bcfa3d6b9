/* SPDX-License-Identifier: Apache-2.0 */
/* The `routes` rules, and requests addressed to the server itself. */
#include "proxy/rig.h"

#define RULE(name, match, what) "{ name = \"" name "\"; match: { " match " }; " what "; }"

START_TEST(the_first_rule_that_matches_decides)
{
	struct rig *rig = rig_new("routes = ( " RULE(
		"a", "user = \"a*\"; source = \"192.0.2.9\";",
		"reject = 488") "," RULE("n", "user = \"a*\"; source = \"198.51.100.0/24\";",
	                                 "reject = 489") "," RULE("b", "user = \"a*\";",
	                                                          "reject = 499") " );\n");

	rig_refuses(rig, "499", .uri = "sip:abc@example.com");
	rig_refuses(rig, "488", .uri = "sip:abc@example.com", .ip = "192.0.2.9");
	rig_refuses(rig, "489", .uri = "sip:abc@example.com", .ip = "198.51.100.77");
	rig_refuses(rig, "480", .uri = "sip:xabc@example.com");
	ck_assert_uint_eq(rig_counter(rig, rig->p->ids.rejected[REFUSED_RULE]), 3);
	rig_free(rig);
}
END_TEST

START_TEST(a_rule_matches_by_user_domain_method_and_uri)
{
	struct rig *rig =
		rig_new("routes = ( " RULE("u", "user = \"*99\";", "reject = 481") "," RULE(
			"d", "domain = \"*.example.org\";",
			"reject = 482") "," RULE("m",
	                                         "method = \"INFO\"; domain = \"example.com\";",
	                                         "reject = 483") "," RULE("i",
	                                                                  "uri = "
	                                                                  "\"urn:service:sos*\";",
	                                                                  "reject = 484") " );\n");

	rig_refuses(rig, "481", .uri = "sip:199@example.com");
	rig_refuses(rig, "481", .uri = "sip:1%399@example.com"); /* no way around by escapes */
	rig_refuses(rig, "482", .uri = "sip:x@A.Example.ORG");
	rig_refuses(rig, "483", .method = "INFO");
	rig_refuses(rig, "480", .method = "MESSAGE");
	rig_refuses(rig, "484", .uri = "urn:service:sos.fire");
	rig_refuses(rig, "416", .uri = "urn:service:other");
	rig_free(rig);
}
END_TEST

START_TEST(a_redirect_rule_answers_302_with_what_it_substitutes)
{
	struct rig *rig = rig_new(
		"routes = (\n"
		"  { name = \"old\"; match: { domain = \"old.example\"; method = \"INVITE\"; };\n"
		"    redirect = \"sip:$user-at-$domain@example.com\"; },\n"
		"  { name = \"same\"; match: { domain = \"other.example\"; };\n"
		"    redirect = \"sip:$user@example.org;x=$domain\"; } );\n");

	ck_assert_hdr(rig_refuses(rig, "302", .uri = "sip:joe%41@old.example"), "Contact",
	              "<sip:joe%41-at-old.example@example.com>");
	ck_assert_hdr(rig_refuses(rig, "302", .uri = "sip:joe@other.example:5070"), "Contact",
	              "<sip:joe@example.org;x=other.example>");
	ck_assert_uint_eq(rig_counter(rig, rig->p->ids.redirected), 2);
	rig_free(rig);
}
END_TEST

START_TEST(a_to_rule_retargets_to_a_user_of_ours_with_its_parameters)
{
	struct rig *rig =
		rig_new("routes = ( " RULE("d", "user = \"support\";",
	                                   "to = \"sip:desk@example.com;cause=302\"") " );\n");

	rig_bind(rig, "desk@example.com", "sip:desk@192.0.2.60", NULL);
	rig_ask(rig, .method = "MESSAGE", .uri = "sip:support@example.com");
	rig_sent(rig, "MESSAGE sip:desk@192.0.2.60 ");
	rig_free(rig);
}
END_TEST

START_TEST(a_to_rule_that_leads_elsewhere_keeps_target_and_cause)
{
	struct rig *rig = rig_new("routes = ( " RULE(
		"v", "user = \"vm\";",
		"to = \"sip:box@192.0.2.70;target=sip:vm%40example.com;cause=486\"") " );\n");

	rig_ask(rig, .method = "MESSAGE", .uri = "sip:vm@example.com");
	rig_sent(rig,
	         "MESSAGE sip:box@192.0.2.70;target=sip:vm%40example.com;cause=486 SIP/2.0\r\n");
	rig_free(rig);
}
END_TEST

START_TEST(rules_are_not_for_what_is_inside_our_dialogs)
{
	struct rig *rig =
		rig_new("routes = ( " RULE("n", "method = \"BYE\";", "reject = 488") " );\n");
	const struct sent *got;
	char line[512];

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	snprintf(line, sizeof(line), "Route: %s\n", rig_hdr(got, "Record-Route", 0));
	rig_ask(rig, .method = "BYE", .uri = "sip:bob@192.0.2.60", .to_tag = "b", .lines = line);
	rig_sent(rig, "BYE ");
	rig_refuses(rig, "488", .method = "BYE", .uri = "sip:bob@192.0.2.60", .to_tag = "b");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_11_2_options_to_the_server_itself_is_200_with_what_it_can_do)
{
	static const char *const uris[] = { "sip:example.com", "sip:192.0.2.1",
		                            "sip:proxy.example.com:5060", "sip:[2001:db8:0::1]" };
	static const char *const names[] = { "Allow", "Accept", "Accept-Encoding",
		                             "Accept-Language", "Supported" };
	struct rig *rig = rig_new(NULL);

	for (size_t i = 0; i < 4; i++) {
		const struct sent *m = rig_refuses(rig, "200", .method = "OPTIONS", .uri = uris[i]);

		for (size_t k = 0; k < 5; k++) {
			ck_assert_msg(rig_hdr(m, names[k], 0) != NULL, "%s is not there", names[k]);
		}
		ck_assert_ptr_nonnull(strstr(rig_hdr(m, "To", 0), ";tag="));
	}
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_8_2_1_other_methods_to_the_server_itself_are_405_or_501)
{
	struct rig *rig = rig_new(NULL);

	ck_assert_hdr(rig_refuses(rig, "405", .method = "MESSAGE", .uri = "sip:example.com"),
	              "Allow", "OPTIONS");
	rig_refuses(rig, "405", .method = "INVITE", .uri = "sip:192.0.2.1:5060");
	rig_refuses(rig, "405", .method = "REGISTER", .uri = "sip:example.com");
	rig_refuses(rig, "501", .method = "FROBNI", .uri = "sip:example.com");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_8_2_2_3_require_of_something_unknown_is_420_at_the_server_itself)
{
	struct rig *rig = rig_new(NULL);

	ck_assert_hdr(rig_refuses(rig, "420", .method = "OPTIONS", .uri = "sip:example.com",
	                          .lines = "Require: telepathy, foo\n"),
	              "Unsupported", "telepathy, foo");
	rig_free(rig);
}
END_TEST

UNIT_MAIN("proxy/rules", the_first_rule_that_matches_decides,
          a_rule_matches_by_user_domain_method_and_uri,
          a_redirect_rule_answers_302_with_what_it_substitutes,
          a_to_rule_retargets_to_a_user_of_ours_with_its_parameters,
          a_to_rule_that_leads_elsewhere_keeps_target_and_cause,
          rules_are_not_for_what_is_inside_our_dialogs,
          rfc3261_11_2_options_to_the_server_itself_is_200_with_what_it_can_do,
          rfc3261_8_2_1_other_methods_to_the_server_itself_are_405_or_501,
          rfc3261_8_2_2_3_require_of_something_unknown_is_420_at_the_server_itself)
