/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/rig.h"

#include <stdio.h>

START_TEST(rfc3261_17_1_1_2_timer_a_doubles_until_timer_b)
{
	static const unsigned gaps_ms[] = { 500, 1000, 2000, 4000, 8000, 16000 };
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_sent(rig, "INVITE sip:bob@192.0.2.22 SIP/2.0\r\nVia: SIP/2.0/UDP proxy.example.com;");
	for (size_t i = 0; i < sizeof(gaps_ms) / sizeof(gaps_ms[0]); i++) {
		rig_pass(rig, gaps_ms[i] - 1);
		rig_nothing_sent(rig);
		rig_pass(rig, 1);
		rig_sent(rig, "INVITE sip:bob@192.0.2.22 SIP/2.0\r\n");
	}
	rig_pass(rig, 499); /* 31.5 s before */
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "failed:timeout client_end");
	rig_pass(rig, 60000);
	rig_nothing_sent(rig);
	ck_assert_uint_eq(txn_layer_counts(rig->l).client, 0);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_1_1_2_no_timer_a_over_tcp_but_timer_b)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_TCP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	rig_pass(rig, 31999);
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "failed:timeout client_end");
	rig_free(rig);
}
END_TEST

START_TEST(timer_b_can_be_set_shorter)
{
	struct rig *rig = rig_new();

	rig->conf.timers.b = 3000;
	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_pass(rig, 2999);
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "failed:timeout client_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_1_1_2_provisional_stops_retransmissions_and_timer_b)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	rig_respond(rig, TP_UDP, 100, NULL);
	rig_respond(rig, TP_UDP, 180, NULL);
	rig_respond(rig, TP_UDP, 180, NULL);
	rig_pass(rig, 600000);
	rig_nothing_sent(rig);
	rig_expect(rig, "response:100 response:180 response:180");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_1_1_3_ack_to_a_refusal)
{
	struct rig *rig = rig_new();
	struct tp_flow flow;
	struct str text, line;
	char via[256];

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	text = rig_sent(rig, "INVITE ");
	line = str_skip(text, (size_t)str_find(text, '\n') + 1);
	str_cut(line, '\n', &line, &text);
	snprintf(via, sizeof(via), "ACK sip:bob@192.0.2.22 SIP/2.0\r\n%.*s\n", STR_FMT(line));
	rig_respond(rig, TP_UDP, 486, NULL);
	text = rig_sent(rig, via); /* Request-URI and Via as sent */
	ck_assert(str_contains_nocase(text, STR("To: <sip:bob@example.com>;tag=bo\r\n")));
	ck_assert(str_contains_nocase(text, STR("From: <sip:alice@example.net>;tag=al\r\n")));
	ck_assert(str_contains_nocase(text, STR("CSeq: 7 ACK\r\n")));
	ck_assert(str_contains_nocase(text, STR("Call-ID: call@example.net\r\n")));
	ck_assert(str_contains_nocase(text, STR("Route: <sip:next.example.org;lr>\r\n")));
	ck_assert(!str_contains_nocase(text, STR("z9hG4bKrequest")));
	flow = rig_sent_flow(rig);
	ck_assert(net_addr_eq(&flow.remote, &rig->down));
	rig_expect(rig, "response:486");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_1_1_2_repeated_refusal_gets_the_ack_again_until_timer_d)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	rig_respond(rig, TP_UDP, 486, NULL);
	rig_sent(rig, "ACK ");
	rig_pass(rig, 31999);
	rig_nothing_sent(rig);
	rig_respond(rig, TP_UDP, 486, NULL);
	rig_sent(rig, "ACK ");
	rig_respond(rig, TP_UDP, 180, NULL); /* late and of no meaning */
	rig_nothing_sent(rig);
	rig_expect(rig, "response:486");
	rig_pass(rig, 1);
	rig_expect(rig, "client_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_1_1_2_timer_d_is_never_under_32_s_over_udp)
{
	struct rig *rig = rig_new();

	rig->conf.timers.t1 = 100;
	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_respond(rig, TP_UDP, 486, NULL);
	rig_pass(rig, 31999);
	rig_expect(rig, "response:486");
	rig_pass(rig, 1);
	rig_expect(rig, "client_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_1_1_2_timer_d_is_zero_over_tcp_and_the_ack_is_sent)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_TCP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	rig_respond(rig, TP_TCP, 404, NULL);
	rig_expect(rig, "response:404");
	rig_sent(rig, "ACK ");
	rig_expect(rig, "client_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc6026_7_2_every_2xx_goes_up_until_timer_m_and_gets_no_ack)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	rig_respond(rig, TP_UDP, 180, NULL);
	rig_respond(rig, TP_UDP, 200, NULL);
	rig_respond(rig, TP_UDP, 200, NULL);
	rig_pass(rig, 31999);
	rig_respond(rig, TP_UDP, 202, NULL);
	rig_respond(rig, TP_UDP, 180, NULL);
	rig_respond(rig, TP_UDP, 486, NULL);
	rig_nothing_sent(rig);
	rig_expect(rig, "response:180 response:200 response:200 response:202");
	rig_pass(rig, 1);
	rig_expect(rig, "client_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc6026_timer_m_runs_over_tcp_too)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_TCP, "INVITE"), 0);
	rig_respond(rig, TP_TCP, 200, NULL);
	rig_pass(rig, 31999);
	rig_respond(rig, TP_TCP, 200, NULL);
	rig_expect(rig, "response:200 response:200");
	rig_pass(rig, 1);
	rig_expect(rig, "client_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc6026_8_9_responses_after_the_end_are_stray)
{
	struct rig *rig = rig_new();
	char branch[BRANCH_LEN + 1];

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	snprintf(branch, sizeof(branch), "%.*s", STR_FMT(txn_client_branch(rig->ct)));
	rig_respond(rig, TP_UDP, 200, NULL);
	rig_pass(rig, 32000);
	rig_expect(rig, "response:200 client_end");
	rig_respond_to(rig, TP_UDP, branch, 200, "INVITE", "late");
	rig_expect(rig, "stray:200");
	/* Not even when the slot is in use again. */
	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_respond_to(rig, TP_UDP, branch, 200, "INVITE", "late");
	rig_expect(rig, "stray:200");
	rig_free(rig);
}
END_TEST

START_TEST(forged_branches_and_other_methods_find_nothing)
{
	struct rig *rig = rig_new();
	char branch[BRANCH_LEN + 1];

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	snprintf(branch, sizeof(branch), "%.*s", STR_FMT(txn_client_branch(rig->ct)));
	rig_respond_to(rig, TP_UDP, branch, 200, "BYE", "b");
	rig_expect(rig, "stray:200");
	branch[12] = branch[12] == 'A' ? 'B' : 'A';
	rig_respond_to(rig, TP_UDP, branch, 200, "INVITE", "b");
	rig_expect(rig, "stray:200");
	rig_respond_to(rig, TP_UDP, "z9hG4bKforeign", 200, "INVITE", "b");
	rig_expect(rig, "stray:200");
	rig_free(rig);
}
END_TEST

START_TEST(response_before_start_is_stray)
{
	struct rig *rig = rig_new();
	char branch[BRANCH_LEN + 1];

	rig_receive(rig, TP_UDP, "INVITE", "z9hG4bKa", "", "");
	ck_assert_int_eq(txn_client_new(rig->l, rig->req, 0, rig, &rig->ct), 0);
	snprintf(branch, sizeof(branch), "%.*s", STR_FMT(txn_client_branch(rig->ct)));
	rig_respond_to(rig, TP_UDP, branch, 200, "INVITE", "b");
	rig_expect(rig, "request:INVITE stray:200");
	txn_client_drop(&rig->ct);
	ck_assert_ptr_null(rig->ct);
	ck_assert_uint_eq(txn_layer_counts(rig->l).client, 0);
	rig_free(rig);
}
END_TEST

START_TEST(request_is_let_go_with_the_final_response)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	ck_assert_uint_eq(msgbuf_pool_used(rig->w->bufs), 1);
	ck_assert_ptr_nonnull(txn_client_request(rig->ct));
	rig_respond(rig, TP_UDP, 200, NULL);
	rig_turn(rig);
	ck_assert_uint_eq(msgbuf_pool_used(rig->w->bufs), 0);
	ck_assert_uint_eq(rig->w->arenas.used_n, 0);
	ck_assert_ptr_null(txn_client_request(rig->ct));
	ck_assert(net_addr_eq(&txn_client_flow(rig->ct)->remote, &rig->down));
	rig_free(rig);
}
END_TEST

static void response_drops(struct rig *rig, struct txn_client *ct, struct sip_msg *resp)
{
	(void)resp;
	ck_assert_ptr_nonnull(txn_client_request(ct));
	txn_client_drop(&rig->ct);
}

START_TEST(dropping_inside_response_ends_the_callbacks_but_not_the_machine)
{
	struct rig *rig = rig_new();
	char branch[BRANCH_LEN + 1];

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	snprintf(branch, sizeof(branch), "%.*s", STR_FMT(txn_client_branch(rig->ct)));
	rig->on_response = response_drops;
	rig_respond(rig, TP_UDP, 486, NULL);
	rig_sent(rig, "ACK ");
	rig_respond_to(rig, TP_UDP, branch, 486, "INVITE", "bo");
	rig_sent(rig, "ACK ");
	rig_pass(rig, 32000);
	rig_expect(rig, "response:486");
	ck_assert_uint_eq(txn_layer_counts(rig->l).linger_bytes, 0);
	rig_free(rig);
}
END_TEST

START_TEST(dropped_while_proceeding_it_ends_after_64_t1_and_still_acknowledges)
{
	struct rig *rig = rig_new();
	char branch[BRANCH_LEN + 1];

	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
		rig_sent(rig, "INVITE ");
		snprintf(branch, sizeof(branch), "%.*s", STR_FMT(txn_client_branch(rig->ct)));
		rig_respond(rig, TP_UDP, 180, NULL);
		txn_client_drop(&rig->ct);
		rig_pass(rig, 31999);
		if (i == 1) {
			rig_respond_to(rig, TP_UDP, branch, 480, "INVITE", "bo");
			rig_sent(rig, "ACK ");
		}
		ck_assert_uint_eq(txn_layer_counts(rig->l).client, i == 0);
		rig_pass(rig, i == 1 ? 32000 : 1);
		rig_expect(rig, "response:180");
		ck_assert_uint_eq(rig->l->slots.free->slot, 0); /* free again */
	}
	rig_free(rig);
}
END_TEST

START_TEST(dropped_while_calling_it_is_still_retransmitted_until_timer_b)
{
	struct rig *rig = rig_new();
	char branch[BRANCH_LEN + 1];

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	snprintf(branch, sizeof(branch), "%.*s", STR_FMT(txn_client_branch(rig->ct)));
	txn_client_drop(&rig->ct);
	rig_pass(rig, 500);
	rig_sent(rig, "INVITE ");
	rig_respond_to(rig, TP_UDP, branch, 180, "INVITE", "bo");
	rig_pass(rig, 31999);
	ck_assert_uint_eq(txn_layer_counts(rig->l).client, 1);
	rig_pass(rig, 1);
	ck_assert_uint_eq(txn_layer_counts(rig->l).client, 0);
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	rig_free(rig);
}
END_TEST

UNIT_MAIN("transaction/client_invite", rfc3261_17_1_1_2_timer_a_doubles_until_timer_b,
          rfc3261_17_1_1_2_no_timer_a_over_tcp_but_timer_b, timer_b_can_be_set_shorter,
          rfc3261_17_1_1_2_provisional_stops_retransmissions_and_timer_b,
          rfc3261_17_1_1_3_ack_to_a_refusal,
          rfc3261_17_1_1_2_repeated_refusal_gets_the_ack_again_until_timer_d,
          rfc3261_17_1_1_2_timer_d_is_never_under_32_s_over_udp,
          rfc3261_17_1_1_2_timer_d_is_zero_over_tcp_and_the_ack_is_sent,
          rfc6026_7_2_every_2xx_goes_up_until_timer_m_and_gets_no_ack,
          rfc6026_timer_m_runs_over_tcp_too, rfc6026_8_9_responses_after_the_end_are_stray,
          forged_branches_and_other_methods_find_nothing, response_before_start_is_stray,
          request_is_let_go_with_the_final_response,
          dropping_inside_response_ends_the_callbacks_but_not_the_machine,
          dropped_while_proceeding_it_ends_after_64_t1_and_still_acknowledges,
          dropped_while_calling_it_is_still_retransmitted_until_timer_b)
