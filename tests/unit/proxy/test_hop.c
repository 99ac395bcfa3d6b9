/* SPDX-License-Identifier: Apache-2.0 */
/* Next hops: DNS and failover (RFC 3263 4), large requests (RFC 3261 18.1.1). */
#include "proxy/rig.h"

#define OPEN "proxy: { relay = \"any\"; };\n"

static const struct rig_name two = { .name = "peer.test", .addr = { "192.0.2.91", "192.0.2.92" } };
static const struct ask to_peer = { .uri = "sip:x@peer.test" };

START_TEST(rfc3263_4_3_a_503_moves_on_with_a_new_branch_and_marks_the_target)
{
	struct rig *rig = rig_new(OPEN);
	const struct sent *a, *b;

	rig_name(rig, &two);
	rig_call(rig, &to_peer, &a, 1);
	ck_assert_str_eq(a->to, "192.0.2.91:5060");
	rig_answer(rig, a, 503, NULL, "Retry-After: 90\n");
	rig_sent(rig, "ACK ");
	b = rig_sent(rig, "INVITE sip:x@peer.test ");
	ck_assert_str_eq(b->to, "192.0.2.92:5060");
	ck_assert_str_ne(rig_hdr(a, "Via", 0), rig_hdr(b, "Via", 0));
	rig_answer(rig, b, 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	ck_assert_str_eq(rig->marked, "failed 192.0.2.91:5060/udp/90 good 192.0.2.92:5060/udp/0");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3263_4_3_a_refusal_other_than_503_is_the_answer)
{
	struct rig *rig = rig_new(OPEN);
	const struct sent *a;

	rig_name(rig, &two);
	rig_call(rig, &to_peer, &a, 1);
	rig_answer(rig, a, 500, NULL, NULL);
	rig_sent(rig, "ACK ");
	rig_sent(rig, "SIP/2.0 500 Because");
	rig_nothing(rig);
	ck_assert_str_eq(rig->marked, "good 192.0.2.91:5060/udp/0");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3263_4_3_timeout_and_transport_errors_move_on)
{
	struct rig *rig = rig_new(OPEN);
	const struct sent *a;
	struct net_addr dead;

	rig_name(rig, &two);
	rig_call(rig, &to_peer, &a, 1);
	rig_pass(rig, 31900);
	rig_skip(rig);
	rig_pass(rig, 200);
	ck_assert_str_eq(rig_sent(rig, "INVITE ")->to, "192.0.2.92:5060");
	net_addr_parse(STR("192.0.2.92"), 5060, &dead);
	fake_wire_unreachable(rig->wire, TP_UDP, &dead);
	rig_sent(rig, "SIP/2.0 500");
	rig_free(rig);
}
END_TEST

START_TEST(rfc4320_a_timed_out_non_invite_moves_on_only_while_the_client_waits)
{
	struct rig *rig = rig_new(OPEN);

	rig_name(rig, &two);
	rig_ask(rig, .method = "MESSAGE", .uri = "sip:x@peer.test");
	rig_sent(rig, "MESSAGE ");
	rig_pass(rig, 33000);
	rig_skip(rig);
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	rig_free(rig);
}
END_TEST

START_TEST(a_send_that_fails_at_once_moves_on)
{
	struct rig *rig = rig_new(OPEN);

	rig_name(rig, &two);
	fake_wire_fail(rig->wire, 1, BELFRY_EUNREACH);
	rig_ask_with(rig, &to_peer);
	worker_turn(rig->w);
	for (int i = 0;; i++) {
		struct tp_flow flow;
		char text[NET_ADDR_TEXT];

		ck_assert_int_lt(i, 3);
		worker_turn(rig->w);
		if (!fake_wire_sent(rig->wire, NULL, &flow)) {
			continue;
		}
		net_addr_text(&flow.remote, text);
		if (strcmp(text, "192.0.2.92:5060") == 0) {
			break;
		}
	}
	rig_free(rig);
}
END_TEST

START_TEST(nxdomain_of_the_request_uri_is_404_of_anything_else_500)
{
	struct rig *rig =
		rig_new(OPEN "routes = ( { name = \"t\"; match: { user = \"t\"; };\n"
	                     "  to = \"trunk:t\"; } );\n"
	                     "trunks: { t: { targets = ( \"sip:gone.test\" ); probe = 0; }; };\n");

	rig_ask(rig, .uri = "sip:x@gone.test");
	rig_sent(rig, "SIP/2.0 404");
	rig_ask(rig, .uri = "sip:x@192.0.2.70", .lines = "Route: <sip:gone.test;lr>\n");
	rig_sent(rig, "SIP/2.0 500");
	rig_bind_path(rig, "bob@example.com", "sip:bob@10.0.0.7", "<sip:gone.test;lr>");
	rig_ask(rig, .method = "MESSAGE");
	rig_sent(rig, "SIP/2.0 500");
	rig_ask(rig, .uri = "sip:t@example.com");
	rig_sent(rig, "SIP/2.0 500");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(no_dns_answer_in_time_is_500)
{
	struct rig *rig = rig_new(OPEN);

	rig_name(rig,
	         &(struct rig_name){ .name = "slow.test", .later = true, .err = BELFRY_ETIMEOUT });
	rig_ask(rig, .uri = "sip:x@slow.test");
	rig_sent(rig, "SIP/2.0 100"); /* it waits */
	rig_nothing(rig);
	rig_dns_answer(rig);
	rig_sent(rig, "SIP/2.0 500");
	rig_free(rig);
}
END_TEST

START_TEST(a_request_waits_for_dns_and_goes_on)
{
	struct rig *rig = rig_new(OPEN);
	const struct sent *m;

	rig_name(rig, &(struct rig_name){
			      .name = "slow.test", .later = true, .addr = { "192.0.2.93" } });
	rig_ask(rig, .uri = "sip:x@slow.test");
	rig_sent(rig, "SIP/2.0 100");
	rig_dns_answer(rig);
	m = rig_sent(rig, "INVITE sip:x@slow.test ");
	ck_assert_str_eq(m->to, "192.0.2.93:5060");
	rig_answer(rig, m, 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	rig_free(rig);
}
END_TEST

START_TEST(a_cancel_while_resolving_is_487_at_once)
{
	struct rig *rig = rig_new(OPEN);

	rig_name(rig, &(struct rig_name){
			      .name = "slow.test", .later = true, .addr = { "192.0.2.93" } });
	rig_ask(rig, .uri = "sip:x@slow.test");
	rig_sent(rig, "SIP/2.0 100");
	rig_ask(rig, .method = "CANCEL", .uri = "sip:x@slow.test", .again = true);
	rig_sent(rig, "SIP/2.0 200");
	rig_sent(rig, "SIP/2.0 487");
	rig_dns_answer(rig); /* for nobody */
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(a_2xx_while_another_branch_resolves_ends_it)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got;

	rig_name(rig, &(struct rig_name){
			      .name = "slow.test", .later = true, .addr = { "192.0.2.93" } });
	rig_bind(rig, "bob@example.com", "sip:bob@slow.test", NULL);
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	rig_answer(rig, got, 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	worker_turn(rig->w);
	ck_assert_uint_eq(proxy_open_requests(rig->p), 0);
	rig_dns_answer(rig);
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(an_ack_waits_for_dns_too)
{
	struct rig *rig = rig_new(OPEN);

	rig_name(rig, &(struct rig_name){
			      .name = "slow.test", .later = true, .addr = { "192.0.2.93" } });
	rig_ask(rig, .method = "ACK", .uri = "sip:x@slow.test", .to_tag = "b");
	rig_nothing(rig);
	rig_dns_answer(rig);
	rig_sent(rig, "ACK ");
	worker_turn(rig->w);
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	rig_free(rig);
}
END_TEST

/* A body so that the request as it would be sent has exactly @n bytes. */
static void ask_of_size(struct rig *rig, size_t n)
{
	static char body[2000];
	const struct sent *m;
	size_t with_none;

	rig_ask(rig, .method = "MESSAGE",
	        .body = "1234567890123456789012345678901234567890123456"
	                "789012345678901234567890123456789012345678901"
	                "2345678901234567890");
	m = rig_sent(rig, "MESSAGE ");
	with_none = m->n - 110;
	rig_answer(rig, m, 200, NULL, NULL);
	rig_skip(rig);
	memset(body, 'x', n - with_none);
	body[n - with_none] = '\0';
	rig_ask(rig, .method = "MESSAGE", .body = body);
}

START_TEST(rfc3261_18_1_1_more_than_mtu_goes_by_tcp_first)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *m;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	ask_of_size(rig, 1300);
	m = rig_sent(rig, "MESSAGE ");
	ck_assert_uint_eq(m->n, 1300);
	ck_assert_int_eq(m->flow.proto, TP_UDP);
	rig_skip(rig);
	ask_of_size(rig, 1301);
	m = rig_sent(rig, "MESSAGE ");
	ck_assert_int_eq(m->flow.proto, TP_TCP);
	ck_assert(rig_has(m, "\r\nVia: SIP/2.0/TCP "));
	rig_answer(rig, m, 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_18_1_1_when_tcp_is_refused_it_goes_by_udp)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *m;
	struct net_addr dead;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	ask_of_size(rig, 1500);
	m = rig_sent(rig, "MESSAGE ");
	ck_assert_int_eq(m->flow.proto, TP_TCP);
	net_addr_parse(STR("192.0.2.60"), 5060, &dead);
	fake_wire_unreachable(rig->wire, TP_TCP, &dead);
	m = rig_sent(rig, "MESSAGE ");
	ck_assert_int_eq(m->flow.proto, TP_UDP);
	rig_answer(rig, m, 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	rig_free(rig);
}
END_TEST

START_TEST(flows_and_mtu_zero_stay_with_udp)
{
	struct rig *rig = rig_new(NULL), *off = rig_new("proxy: { mtu = 0; };\n");

	rig_bind_flow(rig, "bob@example.com", "sip:bob@10.0.0.1", NULL, TP_UDP, "192.0.2.60");
	ask_of_size(rig, 1500);
	ck_assert_int_eq(rig_sent(rig, "MESSAGE ")->flow.proto, TP_UDP);
	rig_bind(off, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	ask_of_size(off, 1500);
	ck_assert_int_eq(rig_sent(off, "MESSAGE ")->flow.proto, TP_UDP);
	rig_free(off);
	rig_free(rig);
}
END_TEST

START_TEST(a_transport_that_is_not_served_is_503_of_the_branch)
{
	struct rig *rig = rig_new(OPEN);

	rig_ask(rig, .uri = "sip:x@192.0.2.70;transport=tls");
	rig_sent(rig, "SIP/2.0 500");
	rig_ask(rig, .uri = "sip:x@192.0.2.70;transport=carrier-pigeon");
	rig_sent(rig, "SIP/2.0 ");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("proxy/hop", rfc3263_4_3_a_503_moves_on_with_a_new_branch_and_marks_the_target,
          rfc3263_4_3_a_refusal_other_than_503_is_the_answer,
          rfc3263_4_3_timeout_and_transport_errors_move_on,
          rfc4320_a_timed_out_non_invite_moves_on_only_while_the_client_waits,
          a_send_that_fails_at_once_moves_on,
          nxdomain_of_the_request_uri_is_404_of_anything_else_500, no_dns_answer_in_time_is_500,
          a_request_waits_for_dns_and_goes_on, a_cancel_while_resolving_is_487_at_once,
          a_2xx_while_another_branch_resolves_ends_it, an_ack_waits_for_dns_too,
          rfc3261_18_1_1_more_than_mtu_goes_by_tcp_first,
          rfc3261_18_1_1_when_tcp_is_refused_it_goes_by_udp, flows_and_mtu_zero_stay_with_udp,
          a_transport_that_is_not_served_is_503_of_the_branch)
