/* SPDX-License-Identifier: Apache-2.0 */
#include "transaction/rig.h"

START_TEST(rfc3261_17_1_4_unreachable_fails_all_that_wait_there_soon_but_not_inside)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	ck_assert_int_eq(rig_client(rig, TP_UDP, "MESSAGE"), 0);
	fake_wire_unreachable(rig->wire, TP_UDP, &rig->down);
	rig_expect(rig, "");
	rig_turn(rig);
	rig_expect(rig, "failed:unreach client_end failed:unreach client_end");
	ck_assert_uint_eq(txn_layer_counts(rig->l).client, 0);
	ck_assert_uint_eq(rig_count_sent(rig, ""), 2);
	rig_pass(rig, 60000);
	rig_nothing_sent(rig);
	rig_free(rig);
}
END_TEST

START_TEST(unreachable_elsewhere_or_by_another_transport_fails_nothing)
{
	struct rig *rig = rig_new();
	struct net_addr other = rig->down;

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	other.port++;
	fake_wire_unreachable(rig->wire, TP_UDP, &other);
	fake_wire_unreachable(rig->wire, TP_UDP, &rig->up);
	fake_wire_unreachable(rig->wire, TP_TCP, &rig->down);
	rig_turn(rig);
	rig_expect(rig, "");
	rig_free(rig);
}
END_TEST

START_TEST(what_has_had_a_response_is_left_alone)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_respond(rig, TP_UDP, 180, NULL);
	fake_wire_unreachable(rig->wire, TP_UDP, &rig->down);
	rig_turn(rig);
	rig_expect(rig, "response:180");
	rig_respond(rig, TP_UDP, 200, NULL);
	rig_expect(rig, "response:200");
	rig_free(rig);
}
END_TEST

START_TEST(a_response_right_after_the_error_saves_it)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	fake_wire_unreachable(rig->wire, TP_UDP, &rig->down);
	rig_respond(rig, TP_UDP, 100, NULL);
	rig_turn(rig);
	rig_expect(rig, "response:100");
	ck_assert_int_eq(rig_client(rig, TP_UDP, "MESSAGE"), 0);
	fake_wire_unreachable(rig->wire, TP_UDP, &rig->down);
	rig_respond(rig, TP_UDP, 200, NULL);
	rig_turn(rig);
	rig_expect(rig, "response:200");
	rig_free(rig);
}
END_TEST

START_TEST(a_lost_connection_fails_what_waits_on_it)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_TCP, "INVITE"), 0);
	rig_sent(rig, "INVITE ");
	ck_assert(txn_conn_in_use(rig->l, txn_client_flow(rig->ct)));
	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	fake_wire_unreachable(rig->wire, TP_TCP, &rig->down);
	rig_turn(rig);
	rig_expect(rig, "failed:unreach client_end");
	ck_assert_ptr_nonnull(rig->ct);
	rig_free(rig);
}
END_TEST

START_TEST(a_send_that_fails_is_told_after_start_has_returned)
{
	struct rig *rig = rig_new();

	fake_wire_fail(rig->wire, 1, BELFRY_EUNREACH);
	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig_expect(rig, "");
	rig_turn(rig);
	rig_expect(rig, "failed:unreach client_end");
	rig_free(rig);
}
END_TEST

START_TEST(a_retransmission_that_fails_is_a_transport_error)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	fake_wire_fail(rig->wire, 1, BELFRY_EUNREACH);
	rig_pass(rig, 500);
	rig_expect(rig, "failed:unreach client_end");
	rig_free(rig);
}
END_TEST

/* The fake wire opens connections at the turn's end: until then nothing is connected. */
START_TEST(a_connection_that_does_not_open_in_time_is_a_transport_error)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_TCP, "OPTIONS"), 0);
	ck_assert_int_eq(rig_client_wait(rig, TP_TCP, "MESSAGE", 2000), 0); /* the same one */
	clock_advance(&rig->w->clock, 1999);
	timers_run(rig->w->timers, 10);
	rig_expect(rig, "");
	clock_advance(&rig->w->clock, 1);
	timers_run(rig->w->timers, 10);
	rig_expect(rig, "failed:unreach client_end failed:unreach client_end");
	ck_assert_uint_eq(txn_layer_counts(rig->l).client, 0);
	rig_free(rig);
}
END_TEST

START_TEST(a_connection_that_opens_ends_the_wait)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client_wait(rig, TP_TCP, "MESSAGE", 2000), 0);
	rig_turn(rig); /* opens */
	rig_pass(rig, 31999);
	rig_expect(rig, "");
	rig_pass(rig, 1);
	rig_expect(rig, "failed:timeout client_end");
	rig_free(rig);
}
END_TEST

static void failed_drops_the_other(struct rig *rig, struct txn_client *ct, int err)
{
	(void)ct;
	(void)err;
	if (rig->ct && rig->ct != ct) {
		txn_client_drop(&rig->ct);
	}
}

START_TEST(one_that_fails_may_drop_another_that_is_about_to)
{
	struct rig *rig = rig_new();

	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	ck_assert_int_eq(rig_client(rig, TP_UDP, "INVITE"), 0);
	rig->on_failed = failed_drops_the_other;
	fake_wire_unreachable(rig->wire, TP_UDP, &rig->down);
	rig_turn(rig);
	rig_expect(rig, "failed:unreach client_end");
	ck_assert_uint_eq(txn_layer_counts(rig->l).client, 0);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("transaction/dest",
          rfc3261_17_1_4_unreachable_fails_all_that_wait_there_soon_but_not_inside,
          unreachable_elsewhere_or_by_another_transport_fails_nothing,
          what_has_had_a_response_is_left_alone, a_response_right_after_the_error_saves_it,
          a_lost_connection_fails_what_waits_on_it,
          a_send_that_fails_is_told_after_start_has_returned,
          a_retransmission_that_fails_is_a_transport_error,
          a_connection_that_does_not_open_in_time_is_a_transport_error,
          a_connection_that_opens_ends_the_wait, one_that_fails_may_drop_another_that_is_about_to)
