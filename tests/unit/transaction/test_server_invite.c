/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/rig.h"

#include <stdio.h>

START_TEST(rfc3261_17_2_1_sends_100_when_the_user_is_silent_for_200_ms)
{
	struct rig *rig = rig_new();
	struct str text;

	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKa", "", "Timestamp: 54\n");
	ck_assert_int_eq(rig_server_new(rig, &rig->st), 0);
	rig_pass(rig, 199);
	rig_nothing_sent(rig);
	rig_pass(rig, 1);
	text = rig_sent(rig, "SIP/2.0 100 Trying\r\n");
	ck_assert(str_contains_nocase(text, STR("To: <sip:bob@example.com>\r\n")));
	ck_assert(str_contains_nocase(text, STR("Timestamp: 54\r\n")));
	ck_assert(str_contains_nocase(text, STR(";received=192.0.2.11")));
	rig_pass(rig, 60000);
	rig_nothing_sent(rig);
	rig_free(rig);
}
END_TEST

START_TEST(trying_sends_100_at_once_and_only_once)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	txn_server_trying(rig->st);
	rig_sent(rig, "SIP/2.0 100 ");
	txn_server_trying(rig->st);
	rig_pass(rig, 1000);
	rig_nothing_sent(rig);
	ck_assert_int_eq(txn_server_last_status(rig->st), 100);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_1_no_100_after_a_provisional)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	rig_reply(rig, 180);
	rig_sent(rig, "SIP/2.0 180 Ringing\r\n");
	rig_pass(rig, 1000);
	txn_server_trying(rig->st);
	rig_nothing_sent(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_1_retransmission_gets_the_most_recent_provisional)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKserver", "", "");
	rig_nothing_sent(rig);
	txn_server_trying(rig->st);
	rig_sent(rig, "SIP/2.0 100 ");
	ck_assert_int_eq(rig_forward(rig, 180, "b1"), 0);
	rig_sent(rig, "SIP/2.0 180 ");
	ck_assert_int_eq(rig_forward(rig, 183, "b2"), 0);
	rig_sent(rig, "SIP/2.0 183 ");
	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKserver", "", "");
	ck_assert(str_contains_nocase(rig_sent(rig, "SIP/2.0 183 "), STR("tag=b2")));
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	rig_free(rig);
}
END_TEST

START_TEST(forwarded_response_goes_without_our_via_to_the_requests_source)
{
	struct rig *rig = rig_new();
	struct tp_flow flow;
	struct str text;

	rig_server(rig, TP_UDP, "INVITE");
	ck_assert_int_eq(rig_forward(rig, 180, "b"), 0);
	text = rig_sent(rig, "SIP/2.0 180 ");
	ck_assert(!str_contains_nocase(text, STR("ours")));
	ck_assert(str_contains_nocase(text, STR("branch=z9hG4bKserver")));
	flow = rig_sent_flow(rig);
	ck_assert(net_addr_eq(&flow.remote, &rig->up));
	rig_free(rig);
}
END_TEST

START_TEST(a_forwarded_100_is_not_sent)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	ck_assert_int_eq(rig_forward(rig, 100, "b"), 0);
	rig_nothing_sent(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_1_timer_g_doubles_up_to_t2_until_timer_h)
{
	static const unsigned gaps_ms[] = { 500,  1000, 2000, 4000, 4000,
		                            4000, 4000, 4000, 4000, 4000 };
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	rig_reply(rig, 486);
	rig_sent(rig, "SIP/2.0 486 Busy Here\r\n");
	for (size_t i = 0; i < sizeof(gaps_ms) / sizeof(gaps_ms[0]); i++) {
		rig_pass(rig, gaps_ms[i] - 1);
		rig_nothing_sent(rig);
		rig_pass(rig, 1);
		rig_sent(rig, "SIP/2.0 486 ");
	}
	rig_expect(rig, ""); /* 31.5 s */
	rig_pass(rig, 499);
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "server_end");
	rig_pass(rig, 60000);
	rig_nothing_sent(rig);
	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKserver", "", "");
	rig_expect(rig, "request:INVITE"); /* a new one */
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_1_no_timer_g_over_tcp_but_timer_h)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_TCP, "INVITE");
	rig_reply(rig, 404);
	rig_sent(rig, "SIP/2.0 404 ");
	rig_pass(rig, 31999);
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "server_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_1_retransmission_in_completed_gets_the_final_response)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	ck_assert_int_eq(rig_forward(rig, 603, "b"), 0);
	rig_sent(rig, "SIP/2.0 603 ");
	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKserver", "", "");
	ck_assert(str_contains_nocase(rig_sent(rig, "SIP/2.0 603 "), STR("tag=b")));
	rig_expect(rig, "");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_1_ack_stops_g_and_timer_i_ends_it)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	rig_reply(rig, 486);
	rig_sent(rig, "SIP/2.0 486 ");
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKserver", ";tag=x", "");
	rig_pass(rig, 4999);
	rig_nothing_sent(rig);
	/* Confirmed absorbs further ACKs and INVITEs. */
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKserver", ";tag=x", "");
	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKserver", "", "");
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "server_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_1_timer_i_is_zero_over_tcp)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_TCP, "INVITE");
	rig_reply(rig, 486);
	rig_receive(rig, TP_TCP, "ACK", "z9hG4bKserver", ";tag=x", "");
	rig_turn(rig);
	rig_expect(rig, "server_end");
	ck_assert_uint_eq(txn_layer_counts(rig->l).server_lingering, 0);
	rig_free(rig);
}
END_TEST

START_TEST(rfc6026_7_1_accepted_absorbs_invites_silently_until_timer_l)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	ck_assert_int_eq(rig_forward(rig, 200, "b"), 0);
	rig_sent(rig, "SIP/2.0 200 ");
	rig_pass(rig, 31999);
	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKserver", "", "");
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "server_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc6026_8_7_timer_l_runs_over_tcp_too)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_TCP, "INVITE");
	ck_assert_int_eq(rig_forward(rig, 200, "b"), 0);
	rig_pass(rig, 31999);
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "server_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc6026_7_1_every_2xx_in_accepted_is_sent)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	ck_assert_int_eq(rig_forward(rig, 200, "b1"), 0);
	rig_sent(rig, "SIP/2.0 200 ");
	rig_pass(rig, 500);
	ck_assert_int_eq(rig_forward(rig, 200, "b1"), 0);
	ck_assert(str_contains_nocase(rig_sent(rig, "SIP/2.0 200 "), STR("tag=b1")));
	rig_pass(rig, 20000);
	ck_assert_int_eq(rig_forward(rig, 202, "b2"), 0);
	ck_assert(str_contains_nocase(rig_sent(rig, "SIP/2.0 202 "), STR("tag=b2")));
	/* Anything else is not. */
	ck_assert_int_eq(rig_forward(rig, 486, "b3"), 0);
	ck_assert_int_eq(rig_forward(rig, 180, "b3"), 0);
	rig_nothing_sent(rig);
	/* They do not restart Timer L. */
	rig_pass(rig, 11500);
	rig_expect(rig, "server_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc6026_7_1_ack_in_accepted_goes_to_the_user)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	ck_assert_int_eq(rig_forward(rig, 200, "b"), 0);
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKserver", ";tag=b", "");
	rig_expect(rig, "request:ACK");
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKanother", ";tag=b", "");
	rig_expect(rig, "request:ACK");
	rig_free(rig);
}
END_TEST

START_TEST(ack_in_proceeding_is_dropped)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKserver", ";tag=b", "");
	rig_expect(rig, "");
	ck_assert(!txn_server_is_final(rig->st));
	rig_free(rig);
}
END_TEST

START_TEST(after_a_refusal_nothing_else_is_sent)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	rig_reply(rig, 486);
	rig_sent(rig, "SIP/2.0 486 ");
	ck_assert(txn_server_is_final(rig->st));
	rig_reply(rig, 500);
	ck_assert_int_eq(rig_forward(rig, 200, "b"), 0);
	ck_assert_int_eq(rig_forward(rig, 180, "b"), 0);
	rig_nothing_sent(rig);
	ck_assert_int_eq(txn_server_last_status(rig->st), 486);
	rig_free(rig);
}
END_TEST

START_TEST(rfc6026_7_1_transport_error_leaves_the_state)
{
	struct rig *rig = rig_new();
	struct sip_reply reply = { .code = 486 };

	rig_server(rig, TP_UDP, "INVITE");
	fake_wire_fail(rig->wire, 2, BELFRY_EUNREACH);
	reply.code = 180;
	ck_assert_int_eq(txn_server_reply(rig->st, &reply), BELFRY_EUNREACH);
	ck_assert(!txn_server_is_final(rig->st));
	reply = (struct sip_reply){ .code = 486 };
	ck_assert_int_eq(txn_server_reply(rig->st, &reply), BELFRY_EUNREACH);
	rig_turn(rig);
	rig_expect(rig, "");
	/* Retransmissions are absorbed, not taken for new requests; they bring the answer. */
	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKserver", "", "");
	rig_sent(rig, "SIP/2.0 486 ");
	rig_expect(rig, "");
	rig_pass(rig, 32000);
	rig_expect(rig, "server_end");
	rig_free(rig);
}
END_TEST

START_TEST(request_is_let_go_with_the_final_response)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	sip_msg_unref(&rig->req);
	ck_assert_uint_eq(msgbuf_pool_used(rig->w->bufs), 1);
	ck_assert_ptr_nonnull(txn_server_request(rig->st));
	rig_reply(rig, 486);
	ck_assert_ptr_null(txn_server_request(rig->st));
	ck_assert_uint_eq(msgbuf_pool_used(rig->w->bufs), 1); /* until it has left */
	rig_turn(rig);
	ck_assert_uint_eq(msgbuf_pool_used(rig->w->bufs), 0);
	rig_free(rig);
}
END_TEST

START_TEST(detached_after_the_final_it_goes_on_by_itself_in_little_memory)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	rig_reply(rig, 486);
	rig_sent(rig, "SIP/2.0 486 ");
	txn_server_detach(rig->st);
	ck_assert_uint_lt(txn_layer_counts(rig->l).linger_bytes, 800);
	rig_pass(rig, 500);
	rig_sent(rig, "SIP/2.0 486 ");
	rig_receive(rig, TP_UDP, "ACK", "z9hG4bKserver", ";tag=x", "");
	ck_assert_uint_le(txn_layer_counts(rig->l).linger_bytes, 128);
	rig_pass(rig, 5000);
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	ck_assert_uint_eq(txn_layer_counts(rig->l).server_lingering, 0);
	ck_assert_uint_eq(txn_layer_counts(rig->l).linger_bytes, 0);
	rig_free(rig);
}
END_TEST

START_TEST(detached_before_a_final_it_absorbs_and_stays_silent)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	txn_server_detach(rig->st);
	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKserver", "", "");
	rig_pass(rig, 31999);
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	ck_assert(txn_layer_is_idle(rig->l));
	rig_pass(rig, 1);
	ck_assert_uint_eq(txn_layer_counts(rig->l).server_lingering, 0);
	rig_free(rig);
}
END_TEST

static void end_detaches(struct rig *rig, struct txn_server *st)
{
	(void)rig;
	txn_server_detach(st);
}

START_TEST(detaching_inside_server_end_is_harmless)
{
	struct rig *rig = rig_new();

	rig->on_server_end = end_detaches;
	rig_server(rig, TP_UDP, "INVITE");
	rig_reply(rig, 486);
	rig_pass(rig, 32000);
	rig_expect(rig, "server_end");
	rig_free(rig);
}
END_TEST

START_TEST(timers_are_those_of_the_beginning)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	rig->conf.timers.t1 = 100;
	rig_reply(rig, 486);
	rig_sent(rig, "SIP/2.0 486 ");
	rig_pass(rig, 499);
	rig_nothing_sent(rig);
	rig_pass(rig, 1);
	rig_sent(rig, "SIP/2.0 486 ");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_8_2_6_2_our_responses_share_one_to_tag_of_128_bits)
{
	struct rig *rig = rig_new();
	char tag[64];
	struct str t;

	rig_server(rig, TP_UDP, "INVITE");
	t = txn_server_tag(rig->st);
	ck_assert_uint_ge(t.n, 22);
	snprintf(tag, sizeof(tag), "To: <sip:bob@example.com>;tag=%.*s\r\n", STR_FMT(t));
	rig_reply(rig, 180);
	ck_assert(str_contains_nocase(rig_sent(rig, "SIP/2.0 180 "), str_from(tag)));
	rig_reply(rig, 486);
	ck_assert(str_contains_nocase(rig_sent(rig, "SIP/2.0 486 "), str_from(tag)));
	rig_free(rig);
}
END_TEST

UNIT_MAIN("transaction/server_invite", rfc3261_17_2_1_sends_100_when_the_user_is_silent_for_200_ms,
          trying_sends_100_at_once_and_only_once, rfc3261_17_2_1_no_100_after_a_provisional,
          rfc3261_17_2_1_retransmission_gets_the_most_recent_provisional,
          forwarded_response_goes_without_our_via_to_the_requests_source,
          a_forwarded_100_is_not_sent, rfc3261_17_2_1_timer_g_doubles_up_to_t2_until_timer_h,
          rfc3261_17_2_1_no_timer_g_over_tcp_but_timer_h,
          rfc3261_17_2_1_retransmission_in_completed_gets_the_final_response,
          rfc3261_17_2_1_ack_stops_g_and_timer_i_ends_it, rfc3261_17_2_1_timer_i_is_zero_over_tcp,
          rfc6026_7_1_accepted_absorbs_invites_silently_until_timer_l,
          rfc6026_8_7_timer_l_runs_over_tcp_too, rfc6026_7_1_every_2xx_in_accepted_is_sent,
          rfc6026_7_1_ack_in_accepted_goes_to_the_user, ack_in_proceeding_is_dropped,
          after_a_refusal_nothing_else_is_sent, rfc6026_7_1_transport_error_leaves_the_state,
          request_is_let_go_with_the_final_response,
          detached_after_the_final_it_goes_on_by_itself_in_little_memory,
          detached_before_a_final_it_absorbs_and_stays_silent,
          detaching_inside_server_end_is_harmless, timers_are_those_of_the_beginning,
          rfc3261_8_2_6_2_our_responses_share_one_to_tag_of_128_bits)
