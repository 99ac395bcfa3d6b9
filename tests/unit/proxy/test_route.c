/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3261 16.4, 16.5 and 16.6 step 6: Route, strict routers, maddr, what is ours. */
#include "proxy/rig.h"

#define OPEN "proxy: { relay = \"any\"; };\n"

START_TEST(rfc3261_16_4_our_own_route_entries_go_several_at_once)
{
	struct rig *rig = rig_new(OPEN);
	const struct sent *m;

	rig_ask(rig, .method = "MESSAGE", .uri = "sip:x@192.0.2.70",
	        .lines =
	                "Route: <sip:proxy.example.com;lr>, <sip:192.0.2.1:5060;transport=tcp;lr>\n"
	                "Route: <sip:example.com;lr>,<sip:[2001:db8::1];lr>,<sip:192.0.2.71;lr>\n"
	                "Route: <sip:192.0.2.72;lr>\n");
	m = rig_sent(rig, "MESSAGE sip:x@192.0.2.70 ");
	ck_assert_str_eq(m->to, "192.0.2.71:5060");
	ck_assert_uint_eq(rig_hdr_n(m, "Route"), 1);
	ck_assert_hdr(m, "Route", "<sip:192.0.2.71;lr>, <sip:192.0.2.72;lr>");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_4_another_port_of_our_host_is_not_ours)
{
	struct rig *rig = rig_new(OPEN);
	const struct sent *m;

	rig_ask(rig, .method = "MESSAGE", .uri = "sip:x@192.0.2.70",
	        .lines = "Route: <sip:192.0.2.1:5999;lr>\n");
	m = rig_sent(rig, "MESSAGE ");
	ck_assert_str_eq(m->to, "192.0.2.1:5999");
	ck_assert_hdr(m, "Route", "<sip:192.0.2.1:5999;lr>");
	rig_free(rig);
}
END_TEST

START_TEST(a_route_to_elsewhere_stays_as_it_was_written)
{
	struct rig *rig = rig_new(OPEN);
	const struct sent *m;

	rig_ask(rig, .method = "MESSAGE", .uri = "sip:x@192.0.2.70",
	        .lines = "route:  \"A, B\"  <sip:192.0.2.71;lr>;x=y ,<sip:192.0.2.72>\n");
	m = rig_sent(rig, "MESSAGE ");
	ck_assert(
		rig_has(m, "\r\nroute:  \"A, B\"  <sip:192.0.2.71;lr>;x=y ,<sip:192.0.2.72>\r\n"));
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_4_a_strict_router_before_us_is_undone)
{
	struct rig *rig = rig_new(OPEN);
	const struct sent *m;

	rig_ask(rig, .method = "MESSAGE", .uri = "sip:proxy.example.com;lr;rc=x",
	        .lines = "Route: <sip:192.0.2.71;lr>, <sip:192.0.2.72;lr>,<sip:x@192.0.2.70>\n");
	m = rig_sent(rig, "MESSAGE sip:x@192.0.2.70 ");
	ck_assert_str_eq(m->to, "192.0.2.71:5060");
	ck_assert_hdr(m, "Route", "<sip:192.0.2.71;lr>, <sip:192.0.2.72;lr>");
	rig_ask(rig, .method = "MESSAGE", .uri = "sip:proxy.example.com;lr;rc=x",
	        .lines = "Route: <sip:x@192.0.2.70>\n");
	m = rig_sent(rig, "MESSAGE sip:x@192.0.2.70 ");
	ck_assert_str_eq(m->to, "192.0.2.70:5060");
	ck_assert_uint_eq(rig_hdr_n(m, "Route"), 0);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_6_6_a_strict_router_behind_us_gets_what_it_expects)
{
	struct rig *rig = rig_new(OPEN);
	const struct sent *m;

	rig_ask(rig, .method = "MESSAGE", .uri = "sip:x@192.0.2.70",
	        .lines =
	                "Route: <sip:proxy.example.com;lr>,<sip:192.0.2.71>,<sip:192.0.2.72;lr>\n");
	m = rig_sent(rig, "MESSAGE sip:192.0.2.71 ");
	ck_assert_str_eq(m->to, "192.0.2.71:5060");
	ck_assert_hdr(m, "Route", "<sip:192.0.2.72;lr>, <sip:x@192.0.2.70>");
	rig_free(rig);
}
END_TEST

START_TEST(a_cancel_has_the_route_of_its_invite)
{
	struct rig *rig = rig_new(OPEN);
	const struct sent *got, *m;

	rig_call(rig,
	         &(struct ask){ .uri = "sip:x@192.0.2.70",
	                        .lines = "Route: <sip:proxy.example.com;lr>\n"
	                                 "Route: <sip:192.0.2.71>,<sip:192.0.2.72;lr>\n" },
	         &got, 1);
	rig_answer(rig, got, 180, NULL, NULL);
	rig_sent(rig, "SIP/2.0 180");
	rig_ask(rig, .method = "CANCEL", .uri = "sip:x@192.0.2.70", .again = true);
	rig_sent(rig, "SIP/2.0 200");
	m = rig_sent(rig, "CANCEL sip:192.0.2.71 ");
	ck_assert_str_eq(rig_hdr(m, "Route", 0), rig_hdr(got, "Route", 0));
	ck_assert_str_eq(rig_hdr(m, "Via", 0), rig_hdr(got, "Via", 0));
	ck_assert_uint_eq(rig_hdr_n(m, "Via"), 1);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3327_path_becomes_the_route_set)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *m;

	rig_bind_path(rig, "bob@example.com", "sip:bob@10.0.0.7",
	              "<sip:tok@192.0.2.71;lr>, <sip:192.0.2.72;lr;x=\"a,b\">");
	rig_ask(rig, .method = "MESSAGE");
	m = rig_sent(rig, "MESSAGE sip:bob@10.0.0.7 ");
	ck_assert_str_eq(m->to, "192.0.2.71:5060");
	ck_assert_hdr(m, "Route", "<sip:tok@192.0.2.71;lr>, <sip:192.0.2.72;lr;x=\"a,b\">");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_4_a_maddr_of_ours_is_taken_away_with_port_and_transport)
{
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_ask(rig, .method = "MESSAGE",
	        .uri = "sip:bob@example.com:5060;maddr=192.0.2.1;transport=udp");
	rig_sent(rig, "MESSAGE sip:bob@192.0.2.60 ");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_5_any_other_maddr_makes_it_the_only_target_and_is_elsewhere)
{
	struct rig *rig = rig_new(NULL);
	struct rig *open = rig_new(OPEN);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_refuses(rig, "403", .method = "MESSAGE", .uri = "sip:bob@example.com;maddr=192.0.2.99");
	/* Ours, but on another transport than it came by. */
	rig_refuses(rig, "403", .method = "MESSAGE",
	            .uri = "sip:bob@example.com;maddr=192.0.2.1;transport=tcp");
	rig_ask(open, .method = "MESSAGE", .uri = "sip:bob@example.com;maddr=192.0.2.99");
	ck_assert_str_eq(rig_sent(open, "MESSAGE sip:bob@example.com;maddr=192.0.2.99 ")->to,
	                 "192.0.2.99:5060");
	rig_free(open);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_4_a_route_that_cannot_be_read_is_400)
{
	struct rig *rig = rig_new(OPEN);

	rig_refuses(rig, "400", .uri = "sip:x@192.0.2.70", .lines = "Route: <<>\n");
	rig_refuses(rig, "400", .uri = "sip:proxy.example.com;lr", .lines = "Route: nonsense\n");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_5_a_user_at_a_name_of_ours_that_is_no_domain_is_404)
{
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_refuses(rig, "404", .uri = "sip:bob@192.0.2.1");
	rig_refuses(rig, "404", .uri = "sip:bob@proxy.example.com:5060");
	rig_free(rig);
}
END_TEST

START_TEST(the_domain_is_ours_in_any_spelling_and_the_user_unescaped)
{
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_ask(rig, .method = "MESSAGE", .uri = "sip:%62ob@EXAMPLE.com.:5060;user=phone");
	rig_sent(rig, "MESSAGE sip:bob@192.0.2.60 ");
	rig_ask(rig, .method = "MESSAGE", .uri = "sip:bob@example.com;transport=tcp");
	rig_sent(rig, "MESSAGE sip:bob@192.0.2.60 ");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_5_an_aor_without_binding_is_480_or_404_to_those_who_may_know)
{
	struct rig *rig = rig_new("proxy: { trusted = ( \"192.0.2.40\" ); };\n");

	rig->users[0] = "bob@example.com";
	rig_refuses(rig, "480", .method = "MESSAGE");
	rig_refuses(rig, "480", .method = "MESSAGE", .uri = "sip:nobody@example.com");
	rig_refuses(rig, "480", .method = "MESSAGE", .ip = "192.0.2.40");
	rig_refuses(rig, "404", .method = "MESSAGE", .ip = "192.0.2.40",
	            .uri = "sip:nobody@example.com");
	rig_free(rig);
}
END_TEST

START_TEST(rfc5630_a_sips_uri_without_sips_contact_is_480_with_warning_380)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *m;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	m = rig_refuses(rig, "480", .uri = "sips:bob@example.com");
	ck_assert(strncmp(rig_hdr(m, "Warning", 0), "380 ", 4) == 0);
	rig_free(rig);
}
END_TEST

START_TEST(expired_bindings_are_no_targets)
{
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	clock_advance(&rig->w->clock, 3600000);
	rig_refuses(rig, "480", .method = "MESSAGE");
	rig_free(rig);
}
END_TEST

UNIT_MAIN("proxy/route", rfc3261_16_4_our_own_route_entries_go_several_at_once,
          rfc3261_16_4_another_port_of_our_host_is_not_ours,
          a_route_to_elsewhere_stays_as_it_was_written,
          rfc3261_16_4_a_strict_router_before_us_is_undone,
          rfc3261_16_6_6_a_strict_router_behind_us_gets_what_it_expects,
          a_cancel_has_the_route_of_its_invite, rfc3327_path_becomes_the_route_set,
          rfc3261_16_4_a_maddr_of_ours_is_taken_away_with_port_and_transport,
          rfc3261_16_5_any_other_maddr_makes_it_the_only_target_and_is_elsewhere,
          rfc3261_16_4_a_route_that_cannot_be_read_is_400,
          rfc3261_16_5_a_user_at_a_name_of_ours_that_is_no_domain_is_404,
          the_domain_is_ours_in_any_spelling_and_the_user_unescaped,
          rfc3261_16_5_an_aor_without_binding_is_480_or_404_to_those_who_may_know,
          rfc5630_a_sips_uri_without_sips_contact_is_480_with_warning_380,
          expired_bindings_are_no_targets)
