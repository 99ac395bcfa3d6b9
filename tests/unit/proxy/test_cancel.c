/* SPDX-License-Identifier: Apache-2.0 */
/* CANCEL (RFC 3261 9.1, 16.10; RFC 3326) and Timer C (16.8). */
#include "proxy/rig.h"

static struct rig *phone(const char *settings)
{
	struct rig *rig = rig_new(settings);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	return rig;
}

static void cancel(struct rig *rig, const char *lines)
{
	rig_ask(rig, .method = "CANCEL", .again = true, .lines = lines);
	rig_sent(rig, "SIP/2.0 200");
}

START_TEST(rfc3261_9_1_cancel_waits_for_a_provisional)
{
	struct rig *rig = phone(NULL);
	const struct sent *got, *c;

	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	cancel(rig, NULL);
	rig_nothing(rig);
	rig_answer(rig, got, 100, NULL, NULL);
	c = rig_sent(rig, "CANCEL sip:bob@192.0.2.60 ");
	ck_assert_str_eq(rig_hdr(c, "Via", 0), rig_hdr(got, "Via", 0));
	ck_assert_hdr(c, "CSeq", "1 CANCEL");
	ck_assert_ptr_null(rig_hdr(c, "Reason", 0));
	rig_answer(rig, c, 200, NULL, NULL);
	rig_answer(rig, got, 487, "b", NULL);
	rig_sent(rig, "ACK ");
	ck_assert(strstr(rig_hdr(rig_sent(rig, "SIP/2.0 487"), "To", 0), ";tag=b") != NULL);
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3326_the_reason_of_the_cancel_travels_on)
{
	struct rig *rig = phone(NULL);
	const struct sent *got, *c;

	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	rig_answer(rig, got, 180, NULL, NULL);
	rig_sent(rig, "SIP/2.0 180");
	cancel(rig, "Reason: SIP;cause=480;text=\"bored\"\nReason: Q.850;cause=16\n");
	c = rig_sent(rig, "CANCEL ");
	ck_assert_uint_eq(rig_hdr_n(c, "Reason"), 2);
	ck_assert_hdr(c, "Reason", "SIP;cause=480;text=\"bored\"");
	ck_assert_str_eq(rig_hdr(c, "Reason", 1), "Q.850;cause=16");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_10_after_a_cancel_the_answer_is_487_whatever_the_branch_says)
{
	struct rig *rig = phone(NULL);
	const struct sent *got;

	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	rig_answer(rig, got, 180, NULL, NULL);
	rig_sent(rig, "SIP/2.0 180");
	cancel(rig, NULL);
	rig_sent(rig, "CANCEL ");
	rig_answer(rig, got, 503, NULL, NULL);
	rig_sent(rig, "ACK ");
	rig_sent(rig, "SIP/2.0 487");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_10_a_2xx_or_6xx_that_crosses_the_cancel_wins)
{
	static const int codes[] = { 200, 603 };

	for (int i = 0; i < 2; i++) {
		struct rig *rig = phone(NULL);
		const struct sent *got;

		rig_call(rig, &(struct ask){ 0 }, &got, 1);
		cancel(rig, NULL);
		rig_answer(rig, got, codes[i], NULL, NULL);
		if (i == 1) {
			rig_sent(rig, "ACK ");
		}
		rig_sent(rig, i == 0 ? "SIP/2.0 200" : "SIP/2.0 603");
		rig_nothing(rig);
		rig_free(rig);
	}
}
END_TEST

START_TEST(rfc3261_9_1_a_cancelled_branch_without_final_is_given_up_as_487)
{
	struct rig *rig = phone(NULL);
	const struct sent *got;

	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	rig_answer(rig, got, 180, NULL, NULL);
	rig_sent(rig, "SIP/2.0 180");
	cancel(rig, NULL);
	rig_answer(rig, rig_sent(rig, "CANCEL "), 200, NULL, NULL);
	rig_pass(rig, 31900);
	rig_nothing(rig);
	rig_pass(rig, 200);
	rig_sent(rig, "SIP/2.0 487");
	rig_free(rig);
}
END_TEST

START_TEST(a_cancel_that_comes_twice_is_sent_once)
{
	struct rig *rig = phone(NULL);
	const struct sent *got;

	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	rig_answer(rig, got, 180, NULL, NULL);
	rig_sent(rig, "SIP/2.0 180");
	cancel(rig, NULL);
	rig_sent(rig, "CANCEL ");
	rig_ask(rig, .method = "CANCEL", .again = true);
	rig_sent(rig, "SIP/2.0 200");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(a_cancel_after_the_final_response_changes_nothing)
{
	struct rig *rig = phone(NULL);
	const struct sent *got;

	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	rig_answer(rig, got, 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	rig_ask(rig, .method = "CANCEL", .again = true);
	rig_sent(rig, "SIP/2.0 200");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_8_timer_c_cancels_a_branch_that_rings_forever)
{
	struct rig *rig = phone(NULL);
	const struct sent *got;

	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	rig_answer(rig, got, 180, NULL, NULL);
	rig_sent(rig, "SIP/2.0 180");
	rig_pass(rig, 180000);
	rig_answer(rig, got, 183, NULL, NULL); /* 16.7 step 2: begins anew */
	rig_sent(rig, "SIP/2.0 183");
	rig_pass(rig, 180000);
	rig_answer(rig, got, 100, NULL, NULL); /* a 100 does not */
	rig_pass(rig, 4900);
	rig_nothing(rig);
	rig_pass(rig, 200);
	ck_assert_ptr_null(rig_hdr(rig_sent(rig, "CANCEL "), "Reason", 0));
	rig_answer(rig, got, 487, NULL, NULL);
	rig_sent(rig, "ACK ");
	rig_sent(rig, "SIP/2.0 487");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_8_timer_c_without_a_provisional_counts_as_408)
{
	struct rig *rig = phone("proxy: { timer_c = 0.3; };\n");
	const struct sent *got;

	rig_call(rig, &(struct ask){ .proto = TP_TCP }, &got, 1);
	rig_pass(rig, 299);
	rig_nothing(rig);
	rig_pass(rig, 2);
	rig_sent(rig, "SIP/2.0 408");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_7_timer_c_of_one_branch_leaves_the_others_alone)
{
	struct rig *rig = phone("proxy: { timer_c = 200; };\n");
	const struct sent *got[2];

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61", NULL);
	rig_call(rig, &(struct ask){ 0 }, got, 2);
	rig_answer(rig, got[0], 180, NULL, NULL);
	rig_pass(rig, 100);
	rig_answer(rig, got[1], 180, NULL, NULL);
	rig_pass(rig, 100000);
	rig_answer(rig, got[1], 180, NULL, NULL);
	rig_pass(rig, 100001);
	rig_skip(rig);
	rig_answer(rig, got[0], 487, NULL, NULL);
	rig_sent(rig, "ACK ");
	rig_nothing(rig);
	rig_answer(rig, got[1], 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	rig_free(rig);
}
END_TEST

UNIT_MAIN("proxy/cancel", rfc3261_9_1_cancel_waits_for_a_provisional,
          rfc3326_the_reason_of_the_cancel_travels_on,
          rfc3261_16_10_after_a_cancel_the_answer_is_487_whatever_the_branch_says,
          rfc3261_16_10_a_2xx_or_6xx_that_crosses_the_cancel_wins,
          rfc3261_9_1_a_cancelled_branch_without_final_is_given_up_as_487,
          a_cancel_that_comes_twice_is_sent_once, a_cancel_after_the_final_response_changes_nothing,
          rfc3261_16_8_timer_c_cancels_a_branch_that_rings_forever,
          rfc3261_16_8_timer_c_without_a_provisional_counts_as_408,
          rfc3261_16_7_timer_c_of_one_branch_leaves_the_others_alone)
