/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/rig.h"

START_TEST(rfc3261_17_1_2_2_timer_e_doubles_up_to_t2_until_timer_f)
{
	static const unsigned gaps_ms[] = { 500,  1000, 2000, 4000, 4000,
		                            4000, 4000, 4000, 4000, 4000 };
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "MESSAGE"), 0);
	rig_sent(rig, "MESSAGE sip:bob@192.0.2.22 SIP/2.0\r\n");
	for (size_t i = 0; i < sizeof(gaps_ms) / sizeof(gaps_ms[0]); i++) {
		rig_pass(rig, gaps_ms[i] - 1);
		rig_nothing_sent(rig);
		rig_pass(rig, 1);
		rig_sent(rig, "MESSAGE ");
	}
	rig_pass(rig, 499);
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "failed:timeout client_end");
	rig_pass(rig, 60000);
	rig_nothing_sent(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_1_2_2_after_a_provisional_timer_e_is_t2)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "MESSAGE"), 0);
	rig_sent(rig, "MESSAGE ");
	rig_respond(rig, TP_UDP, 100, NULL);
	rig_pass(rig, 500); /* the one that runs is not changed */
	rig_sent(rig, "MESSAGE ");
	for (int i = 0; i < 7; i++) {
		rig_pass(rig, 3999);
		rig_nothing_sent(rig);
		rig_pass(rig, 1);
		rig_sent(rig, "MESSAGE ");
	}
	rig_expect(rig, "response:100");
	rig_pass(rig, 3500); /* Timer F goes on */
	rig_expect(rig, "failed:timeout client_end");
	rig_free(rig);
}
END_TEST

START_TEST(timer_f_can_be_set_shorter)
{
	struct rig *rig = rig_new();

	rig->conf.timers.f = 1000;
	ck_assert_int_eq(rig_client(rig, TP_TCP, "MESSAGE"), 0);
	rig_pass(rig, 999);
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "failed:timeout client_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_1_2_2_no_timer_e_over_tcp)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_TCP, "MESSAGE"), 0);
	rig_sent(rig, "MESSAGE ");
	rig_pass(rig, 31999);
	rig_nothing_sent(rig);
	rig_pass(rig, 1);
	rig_expect(rig, "failed:timeout client_end");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_1_2_2_one_final_goes_up_and_timer_k_absorbs_the_rest)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "MESSAGE"), 0);
	rig_sent(rig, "MESSAGE ");
	rig_respond(rig, TP_UDP, 200, NULL);
	rig_respond(rig, TP_UDP, 200, NULL);
	rig_respond(rig, TP_UDP, 404, NULL);
	rig_pass(rig, 4999);
	rig_respond(rig, TP_UDP, 100, NULL);
	rig_expect(rig, "response:200");
	rig_pass(rig, 1);
	rig_expect(rig, "client_end");
	rig_nothing_sent(rig); /* no ACK */
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_17_1_2_2_timer_k_is_zero_over_tcp)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_TCP, "MESSAGE"), 0);
	rig_sent(rig, "MESSAGE ");
	rig_respond(rig, TP_TCP, 481, NULL);
	rig_expect(rig, "response:481");
	rig_turn(rig);
	rig_expect(rig, "client_end");
	rig_free(rig);
}
END_TEST

START_TEST(unknown_methods_are_told_apart_by_name)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "FOO"), 0);
	rig_sent(rig, "FOO ");
	rig_respond(rig, TP_UDP, 200, "BAR");
	rig_expect(rig, "stray:200");
	rig_respond(rig, TP_UDP, 200, "FOO");
	rig_expect(rig, "response:200");
	rig_free(rig);
}
END_TEST

START_TEST(a_full_udp_queue_is_a_lost_datagram)
{
	struct rig *rig = rig_new();

	fake_wire_fail(rig->wire, 1, BELFRY_EFULL);
	ck_assert_int_eq(rig_client(rig, TP_UDP, "MESSAGE"), 0);
	rig_pass(rig, 499);
	rig_nothing_sent(rig);
	rig_pass(rig, 1);
	rig_sent(rig, "MESSAGE ");
	rig_expect(rig, "");
	rig_free(rig);
}
END_TEST

START_TEST(a_full_stream_queue_is_a_transport_error)
{
	struct rig *rig = rig_new();

	fake_wire_fail(rig->wire, 1, BELFRY_EFULL);
	ck_assert_int_eq(rig_client(rig, TP_TCP, "MESSAGE"), 0);
	rig_turn(rig);
	rig_expect(rig, "failed:unreach client_end");
	rig_free(rig);
}
END_TEST

static void retry(struct rig *rig, struct txn_client *ct, int err)
{
	(void)err;
	ck_assert_ptr_nonnull(txn_client_request(ct));
	ck_assert(net_addr_eq(&txn_client_flow(ct)->remote, &rig->down));
	rig->on_failed = NULL;
	ck_assert_int_eq(rig_client(rig, TP_TCP, "MESSAGE"), 0);
}

START_TEST(another_one_can_be_started_inside_failed)
{
	struct rig *rig = rig_new();

	rig->on_failed = retry;
	fake_wire_fail(rig->wire, 2, BELFRY_EUNREACH);
	ck_assert_int_eq(rig_client(rig, TP_UDP, "MESSAGE"), 0);
	rig_expect(rig, "");
	rig_turn(rig);
	rig_expect(rig, "failed:unreach client_end failed:unreach client_end");
	ck_assert_uint_eq(txn_layer_counts(rig->l).client, 0);
	rig_free(rig);
}
END_TEST

static void failed_drops(struct rig *rig, struct txn_client *ct, int err)
{
	(void)ct;
	(void)err;
	txn_client_drop(&rig->ct);
}

START_TEST(dropping_inside_failed_leaves_out_client_end)
{
	struct rig *rig = rig_new();

	rig->on_failed = failed_drops;
	ck_assert_int_eq(rig_client(rig, TP_UDP, "MESSAGE"), 0);
	rig_pass(rig, 32000);
	rig_expect(rig, "failed:timeout");
	ck_assert_uint_eq(txn_layer_counts(rig->l).client, 0);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("transaction/client_other", rfc3261_17_1_2_2_timer_e_doubles_up_to_t2_until_timer_f,
          rfc3261_17_1_2_2_after_a_provisional_timer_e_is_t2, timer_f_can_be_set_shorter,
          rfc3261_17_1_2_2_no_timer_e_over_tcp,
          rfc3261_17_1_2_2_one_final_goes_up_and_timer_k_absorbs_the_rest,
          rfc3261_17_1_2_2_timer_k_is_zero_over_tcp, unknown_methods_are_told_apart_by_name,
          a_full_udp_queue_is_a_lost_datagram, a_full_stream_queue_is_a_transport_error,
          another_one_can_be_started_inside_failed, dropping_inside_failed_leaves_out_client_end)
