/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/rig.h"

#include <stdio.h>

/* --- received ----------------------------------------------------------------------------------
 */

START_TEST(rfc3261_9_2_cancel_of_a_known_invite_gets_200_with_its_tag_and_is_told)
{
	struct rig *rig = rig_new();
	char tag[64];

	rig_server(rig, TP_UDP, "INVITE");
	snprintf(tag, sizeof(tag), "To: <sip:bob@example.com>;tag=%.*s\r\n",
	         STR_FMT(txn_server_tag(rig->st)));
	rig_receive(rig, TP_UDP, "CANCEL", "z9hG4bKserver", "", "");
	ck_assert(str_contains_nocase(rig_sent(rig, "SIP/2.0 200 OK\r\n"), str_from(tag)));
	rig_expect(rig, "cancelled");
	/* Retransmitted: answered again, told once. */
	rig_receive(rig, TP_UDP, "CANCEL", "z9hG4bKserver", "", "");
	ck_assert(str_contains_nocase(rig_sent(rig, "SIP/2.0 200 OK\r\n"), str_from(tag)));
	rig_expect(rig, "");
	rig_free(rig);
}
END_TEST

static void cancelled_answers(struct rig *rig, struct txn_server *st)
{
	struct sip_reply reply = { .code = 487 };

	(void)rig;
	ck_assert_int_eq(txn_server_reply(st, &reply), 0);
	txn_server_detach(st);
}

START_TEST(rfc3261_9_2_the_200_leaves_before_the_487)
{
	struct rig *rig = rig_new();

	rig->on_cancelled = cancelled_answers;
	rig_server(rig, TP_UDP, "INVITE");
	rig_receive(rig, TP_UDP, "CANCEL", "z9hG4bKserver", "", "");
	rig_sent(rig, "SIP/2.0 200 OK\r\n");
	rig_sent(rig, "SIP/2.0 487 Request Terminated\r\n");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_9_2_cancel_after_the_final_gets_200_and_nothing_else)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "INVITE");
	ck_assert_int_eq(rig_forward(rig, 200, "b"), 0);
	rig_sent(rig, "SIP/2.0 200 ");
	rig_receive(rig, TP_UDP, "CANCEL", "z9hG4bKserver", "", "");
	ck_assert(str_contains_nocase(rig_sent(rig, "SIP/2.0 200 OK\r\n"), STR("7 CANCEL")));
	rig_expect(rig, "");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_9_2_cancel_of_nothing_gets_481)
{
	struct rig *rig = rig_new();

	rig_receive(rig, TP_UDP, "CANCEL", "z9hG4bKserver", "", "");
	rig_sent(rig, "SIP/2.0 481 ");
	rig_expect(rig, "");
	rig_server(rig, TP_UDP, "INVITE");
	rig_receive(rig, TP_UDP, "CANCEL", "z9hG4bKother", "", "");
	rig_sent(rig, "SIP/2.0 481 ");
	rig_expect(rig, "");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_9_2_cancel_of_another_method_gets_200_without_effect)
{
	struct rig *rig = rig_new();

	rig_server(rig, TP_UDP, "MESSAGE");
	rig_receive(rig, TP_UDP, "CANCEL", "z9hG4bKserver", "", "");
	rig_sent(rig, "SIP/2.0 200 OK\r\n");
	rig_expect(rig, "");
	ck_assert(!txn_server_is_final(rig->st));
	rig_free(rig);
}
END_TEST

/* --- sent --------------------------------------------------------------------------------------
 */

START_TEST(rfc3261_9_1_cancel_repeats_the_invite_s_fields)
{
	struct rig *rig = rig_new();
	char via[256];
	struct str text, line;

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	text = rig_sent(rig, "INVITE ");
	line = str_skip(text, (size_t)str_find(text, '\n') + 1);
	str_cut(line, '\n', &line, &text);
	snprintf(via, sizeof(via), "CANCEL sip:bob@192.0.2.22 SIP/2.0\r\n%.*s\n", STR_FMT(line));
	rig_respond(rig, TP_UDP, 180, NULL);
	txn_client_cancel(rig->ct, STR("Reason: SIP;cause=200\r\n"));
	ck_assert(txn_client_is_cancelled(rig->ct));
	text = rig_sent(rig, via);
	ck_assert(str_contains_nocase(text, STR("To: <sip:bob@example.com>\r\n")));
	ck_assert(str_contains_nocase(text, STR("From: <sip:alice@example.net>;tag=al\r\n")));
	ck_assert(str_contains_nocase(text, STR("CSeq: 7 CANCEL\r\n")));
	ck_assert(str_contains_nocase(text, STR("Route: <sip:next.example.org;lr>\r\n")));
	ck_assert(str_contains_nocase(text, STR("Reason: SIP;cause=200\r\n")));
	ck_assert(!str_contains_nocase(text, STR("z9hG4bKrequest")));
	txn_client_cancel(rig->ct, STR("")); /* no effect */
	rig_nothing_sent(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_9_1_cancel_waits_for_a_provisional)
{
	struct rig *rig = rig_new();
	char extra[] = "Reason: SIP;cause=600\r\n";

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	txn_client_cancel(rig->ct, str_from(extra));
	memset(extra, 'x', sizeof(extra)); /* it has been copied */
	rig_nothing_sent(rig);
	rig_pass(rig, 500);
	rig_sent(rig, "INVITE "); /* goes on */
	rig_respond(rig, TP_UDP, 100, NULL);
	ck_assert(str_contains_nocase(rig_sent(rig, "CANCEL "), STR("Reason: SIP;cause=600\r\n")));
	rig_expect(rig, "response:100");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_9_1_no_cancel_when_a_final_comes_first)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	txn_client_cancel(rig->ct, STR_NONE);
	rig_respond(rig, TP_UDP, 200, NULL);
	rig_nothing_sent(rig);
	rig_expect(rig, "response:200");
	rig_free(rig);
}
END_TEST

START_TEST(cancel_after_a_final_or_of_another_method_does_nothing)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	rig_respond(rig, TP_UDP, 200, NULL);
	txn_client_cancel(rig->ct, STR_NONE);
	ck_assert(!txn_client_is_cancelled(rig->ct));
	rig_nothing_sent(rig);
	ck_assert_int_eq(rig_client(rig, TP_UDP, "MESSAGE"), 0);
	rig_sent(rig, "MESSAGE ");
	rig_respond(rig, TP_UDP, 100, NULL);
	txn_client_cancel(rig->ct, STR_NONE);
	rig_nothing_sent(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_1_2_cancel_is_retransmitted_by_timer_e_until_its_answer)
{
	static const unsigned gaps_ms[] = { 500, 1000, 2000, 4000, 4000 };
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	rig_respond(rig, TP_UDP, 180, NULL);
	txn_client_cancel(rig->ct, STR_NONE);
	rig_sent(rig, "CANCEL ");
	for (size_t i = 0; i < sizeof(gaps_ms) / sizeof(gaps_ms[0]); i++) {
		rig_pass(rig, gaps_ms[i] - 1);
		rig_nothing_sent(rig);
		rig_pass(rig, 1);
		rig_sent(rig, "CANCEL ");
	}
	rig_respond(rig, TP_UDP, 200, "CANCEL");
	rig_respond(rig, TP_UDP, 200, "CANCEL");
	rig_pass(rig, 10000);
	rig_nothing_sent(rig);
	rig_expect(rig, "response:180"); /* the answers are absorbed */
	rig_respond(rig, TP_UDP, 487, NULL);
	rig_sent(rig, "ACK ");
	rig_expect(rig, "response:487");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_1_2_provisional_to_cancel_sets_timer_e_to_t2)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	rig_respond(rig, TP_UDP, 180, NULL);
	txn_client_cancel(rig->ct, STR_NONE);
	rig_sent(rig, "CANCEL ");
	rig_respond(rig, TP_UDP, 100, "CANCEL");
	rig_pass(rig, 500);
	rig_sent(rig, "CANCEL ");
	rig_pass(rig, 3999);
	rig_nothing_sent(rig);
	rig_pass(rig, 1);
	rig_sent(rig, "CANCEL ");
	rig_free(rig);
}
END_TEST

START_TEST(cancel_is_not_retransmitted_over_tcp)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_TCP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	rig_respond(rig, TP_TCP, 180, NULL);
	txn_client_cancel(rig->ct, STR_NONE);
	rig_sent(rig, "CANCEL ");
	rig_pass(rig, 31000);
	rig_nothing_sent(rig);
	rig_respond(rig, TP_TCP, 487, NULL);
	rig_sent(rig, "ACK ");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_9_1_without_a_final_it_is_given_up_64_t1_after_cancel)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_respond(rig, TP_UDP, 180, NULL);
	rig_pass(rig, 100000);
	txn_client_cancel(rig->ct, STR_NONE);
	rig_respond(rig, TP_UDP, 200, "CANCEL");
	rig_pass(rig, 20000);
	rig_respond(rig, TP_UDP, 180, NULL); /* does not put it off */
	rig_pass(rig, 11999);
	rig_expect(rig, "response:180 response:180");
	rig_pass(rig, 1);
	rig_expect(rig, "failed:timeout client_end");
	rig_free(rig);
}
END_TEST

START_TEST(a_2xx_after_cancel_goes_up)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_respond(rig, TP_UDP, 180, NULL);
	txn_client_cancel(rig->ct, STR_NONE);
	rig_respond(rig, TP_UDP, 200, NULL);
	rig_expect(rig, "response:180 response:200");
	rig_pass(rig, 32000);
	rig_expect(rig, "client_end");
	rig_free(rig);
}
END_TEST

START_TEST(the_slot_waits_for_the_cancel_s_end)
{
	struct rig *rig = rig_new();
	uint32_t slot, first;

	/* Over TCP the INVITE ends with its final, the CANCEL has had no answer. */
	ck_assert_int_eq(rig_client(rig, TP_TCP, "INVITE"), 0);
	first = rig->ct->slot;
	rig_respond(rig, TP_TCP, 180, NULL);
	txn_client_cancel(rig->ct, STR_NONE);
	rig_respond(rig, TP_TCP, 487, NULL);
	rig_turn(rig);
	rig_expect(rig, "response:180 response:487 client_end");
	ck_assert_int_eq(rig_client(rig, TP_TCP, "INVITE"), 0);
	slot = rig->ct->slot;
	ck_assert_uint_ne(slot, first);
	rig_respond(rig, TP_TCP, 404, NULL);
	rig_pass(rig, 32000); /* Timer F of the CANCEL */
	rig_expect(rig, "response:404 client_end");
	ck_assert_int_eq(rig_client(rig, TP_TCP, "INVITE"), 0);
	ck_assert_uint_eq(rig->ct->slot, first);
	rig_free(rig);
}
END_TEST

START_TEST(dropped_after_cancel_it_ends_by_itself)
{
	struct rig *rig = rig_new();
	char branch[BRANCH_LEN + 1];

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	snprintf(branch, sizeof(branch), "%.*s", STR_FMT(txn_client_branch(rig->ct)));
	txn_client_cancel(rig->ct, STR_NONE);
	txn_client_drop(&rig->ct);
	rig_respond_to(rig, TP_UDP, branch, 180, "INVITE", "bo");
	rig_sent(rig, "CANCEL ");
	rig_respond_to(rig, TP_UDP, branch, 200, "CANCEL", "bo");
	rig_respond_to(rig, TP_UDP, branch, 487, "INVITE", "bo");
	rig_sent(rig, "ACK ");
	rig_pass(rig, 32000);
	rig_nothing_sent(rig);
	rig_expect(rig, "");
	ck_assert_uint_eq(rig->l->slots.free->slot, 0);
	ck_assert_uint_eq(txn_layer_counts(rig->l).client, 0);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("transaction/cancel",
          rfc3261_9_2_cancel_of_a_known_invite_gets_200_with_its_tag_and_is_told,
          rfc3261_9_2_the_200_leaves_before_the_487,
          rfc3261_9_2_cancel_after_the_final_gets_200_and_nothing_else,
          rfc3261_9_2_cancel_of_nothing_gets_481,
          rfc3261_9_2_cancel_of_another_method_gets_200_without_effect,
          rfc3261_9_1_cancel_repeats_the_invite_s_fields,
          rfc3261_9_1_cancel_waits_for_a_provisional,
          rfc3261_9_1_no_cancel_when_a_final_comes_first,
          cancel_after_a_final_or_of_another_method_does_nothing,
          rfc3261_17_1_2_cancel_is_retransmitted_by_timer_e_until_its_answer,
          rfc3261_17_1_2_provisional_to_cancel_sets_timer_e_to_t2,
          cancel_is_not_retransmitted_over_tcp,
          rfc3261_9_1_without_a_final_it_is_given_up_64_t1_after_cancel, a_2xx_after_cancel_goes_up,
          the_slot_waits_for_the_cancel_s_end, dropped_after_cancel_it_ends_by_itself)
