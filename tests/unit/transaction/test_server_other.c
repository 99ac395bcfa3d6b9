/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/rig.h"

START_TEST(rfc4320_4_1_no_100_over_udp_before_timer_e_reaches_t2_then_one)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "MESSAGE");
	txn_server_trying(rig->st); /* does nothing */
	rig_pass(rig, 3499);
	rig_nothing_sent(rig);
	rig_pass(rig, 1);
	rig_sent(rig, "SIP/2.0 100 Trying\r\n");
	rig_pass(rig, 60000);
	rig_nothing_sent(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc4320_4_1_the_100_is_sent_over_tcp_too)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_TCP, "MESSAGE");
	rig_pass(rig, 3499);
	rig_nothing_sent(rig);
	rig_pass(rig, 1);
	rig_sent(rig, "SIP/2.0 100 Trying\r\n");
	rig_free(rig);
}
END_TEST

START_TEST(rfc4320_4_1_time_of_the_100_follows_t1_and_t2)
{
	struct rig *rig = rig_new();

	rig->conf.timers.t1 = 100;
	rig->conf.timers.t2 = 1000;
	rig_server(rig, TP_UDP, "OPTIONS");
	rig_pass(rig, 1499); /* 100 + 200 + 400 + 800 */
	rig_nothing_sent(rig);
	rig_pass(rig, 1);
	rig_sent(rig, "SIP/2.0 100 ");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_2_retransmissions_in_trying_are_discarded)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "MESSAGE");
	rig_receive(rig, TP_UDP, "MESSAGE", "z9hG4bKserver", "", "");
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_2_retransmission_in_proceeding_gets_the_100)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "MESSAGE");
	rig_pass(rig, 3500);
	rig_sent(rig, "SIP/2.0 100 ");
	rig_receive(rig, TP_UDP, "MESSAGE", "z9hG4bKserver", "", "");
	rig_sent(rig, "SIP/2.0 100 ");
	rig_free(rig);
}
END_TEST

START_TEST(rfc4320_4_1_provisionals_of_the_user_are_not_sent)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "MESSAGE");
	rig_reply(rig, 182);
	rig_reply(rig, 100);
	ck_assert_int_eq(rig_forward(rig, 183, "b"), 0);
	ck_assert_int_eq(rig_forward(rig, 100, "b"), 0);
	rig_nothing_sent(rig);
	ck_assert_int_eq(txn_server_last_status(rig->st), 0);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_2_final_answers_retransmissions_until_timer_j)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "MESSAGE");
	ck_assert_int_eq(rig_forward(rig, 202, "b"), 0);
	rig_sent(rig, "SIP/2.0 202 ");
	rig_reply(rig, 500);
	ck_assert_int_eq(rig_forward(rig, 200, "b"), 0);
	rig_nothing_sent(rig); /* any other final is discarded */
	rig_pass(rig, 31999);
	rig_nothing_sent(rig);
	rig_receive(rig, TP_UDP, "MESSAGE", "z9hG4bKserver", "", "");
	rig_sent(rig, "SIP/2.0 202 ");
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "server_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_2_2_timer_j_is_zero_over_tcp)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_TCP, "MESSAGE");
	rig_reply(rig, 200);
	rig_expect(rig, ""); /* never inside the call */
	rig_sent(rig, "SIP/2.0 200 ");
	rig_expect(rig, "server_end");
	ck_assert_uint_eq(txn_layer_counts(rig->l).server_lingering, 0);
	rig_free(rig);
}
END_TEST

START_TEST(rfc4320_4_2_408_is_never_sent_and_ends_it_silently)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "MESSAGE");
	ck_assert_int_eq(rig_forward(rig, 408, "b"), 0);
	ck_assert(txn_server_is_final(rig->st));
	rig_receive(rig, TP_UDP, "MESSAGE", "z9hG4bKserver", "", "");
	rig_pass(rig, 31999);
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "server_end");
	rig_server(rig, TP_TCP, "MESSAGE");
	rig_reply(rig, 408);
	rig_nothing_sent(rig);
	rig_expect(rig, "server_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc4320_408_of_an_invite_is_sent)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	rig_reply(rig, 408);
	rig_sent(rig, "SIP/2.0 408 ");
	rig_free(rig);
}
END_TEST

START_TEST(transport_error_on_the_final_keeps_it_for_retransmissions)
{
	struct rig *rig = rig_new();
	struct sip_reply reply = { .code = 200 };

	rig_server(rig, TP_UDP, "MESSAGE");
	fake_wire_fail(rig->wire, 1, BELFRY_EUNREACH);
	ck_assert_int_eq(txn_server_reply(rig->st, &reply), BELFRY_EUNREACH);
	rig_receive(rig, TP_UDP, "MESSAGE", "z9hG4bKserver", "", "");
	rig_sent(rig, "SIP/2.0 200 ");
	rig_free(rig);
}
END_TEST

START_TEST(lingering_message_needs_less_than_700_bytes)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "MESSAGE");
	sip_msg_unref(&rig->req);
	ck_assert_int_eq(rig_forward(rig, 200, "b"), 0);
	txn_server_detach(rig->st);
	rig_turn(rig);
	ck_assert_uint_lt(txn_layer_counts(rig->l).linger_bytes, 700);
	ck_assert_uint_eq(msgbuf_pool_used(rig->w->bufs), 0);
	ck_assert_uint_eq(rig->w->arenas.used_n, 0);
	rig_sent(rig, "SIP/2.0 200 ");
	rig_receive(rig, TP_UDP, "MESSAGE", "z9hG4bKserver", "", "");
	rig_sent(rig, "SIP/2.0 200 ");
	rig_free(rig);
}
END_TEST

START_TEST(response_over_tcp_goes_by_the_connection_of_the_request)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_TCP, "MESSAGE");
	ck_assert_uint_ne(rig->from.conn, 0);
	rig_reply(rig, 200);
	rig_sent(rig, "SIP/2.0 200 ");
	ck_assert_uint_eq(rig_sent_flow(rig).conn, rig->from.conn);
	rig_free(rig);
}
END_TEST

START_TEST(open_server_transaction_keeps_its_connection_in_use)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_TCP, "MESSAGE");
	ck_assert(txn_conn_in_use(rig->l, &rig->from));
	rig_reply(rig, 200);
	ck_assert(!txn_conn_in_use(rig->l, &rig->from));
	rig_free(rig);
}
END_TEST

UNIT_MAIN("transaction/server_other",
          rfc4320_4_1_no_100_over_udp_before_timer_e_reaches_t2_then_one,
          rfc4320_4_1_the_100_is_sent_over_tcp_too, rfc4320_4_1_time_of_the_100_follows_t1_and_t2,
          rfc3261_17_2_2_retransmissions_in_trying_are_discarded,
          rfc3261_17_2_2_retransmission_in_proceeding_gets_the_100,
          rfc4320_4_1_provisionals_of_the_user_are_not_sent,
          rfc3261_17_2_2_final_answers_retransmissions_until_timer_j,
          rfc3261_17_2_2_timer_j_is_zero_over_tcp,
          rfc4320_4_2_408_is_never_sent_and_ends_it_silently, rfc4320_408_of_an_invite_is_sent,
          transport_error_on_the_final_keeps_it_for_retransmissions,
          lingering_message_needs_less_than_700_bytes,
          response_over_tcp_goes_by_the_connection_of_the_request,
          open_server_transaction_keeps_its_connection_in_use)
