/* SPDX-License-Identifier: Apache-2.0 */
/* The response context (RFC 3261 16.7, 16.9; RFC 4320, 6026). */
#include "proxy/rig.h"

static struct rig *three_phones(const char *settings)
{
	struct rig *rig = rig_new(settings);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.61", NULL);
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.62", NULL);
	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.63", NULL);
	return rig;
}

static void refuse(struct rig *rig, const struct sent *got, int code, const char *lines)
{
	rig_answer(rig, got, code, NULL, lines);
	rig_sent(rig, "ACK ");
}

START_TEST(rfc3261_16_7_5_provisionals_go_up_at_once_but_100)
{
	struct rig *rig = three_phones(NULL);
	const struct sent *got[3];

	rig_call(rig, &(struct ask){ 0 }, got, 3);
	rig_answer(rig, got[0], 100, NULL, NULL);
	rig_nothing(rig);
	rig_answer(rig, got[0], 180, "one", NULL);
	rig_sent(rig, "SIP/2.0 180");
	rig_answer(rig, got[1], 183, "two", NULL);
	ck_assert(strstr(rig_hdr(rig_sent(rig, "SIP/2.0 183"), "To", 0), ";tag=two") != NULL);
	rig_answer(rig, got[0], 180, "one", NULL);
	rig_sent(rig, "SIP/2.0 180");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_7_10_first_2xx_cancels_the_others_with_a_reason)
{
	struct rig *rig = three_phones(NULL);
	const struct sent *got[3], *c;

	rig_call(rig, &(struct ask){ 0 }, got, 3);
	rig_answer(rig, got[1], 180, NULL, NULL);
	rig_sent(rig, "SIP/2.0 180");
	rig_answer(rig, got[0], 200, "one", NULL);
	rig_sent(rig, "SIP/2.0 200");
	c = rig_sent(rig, "CANCEL ");
	ck_assert_str_eq(rig_hdr(c, "Via", 0), rig_hdr(got[1], "Via", 0));
	ck_assert_hdr(c, "Reason", "SIP;cause=200;text=\"Call completed elsewhere\"");
	rig_nothing(rig); /* the third waits for a provisional (9.1) */
	rig_answer(rig, got[2], 180, NULL, NULL);
	ck_assert_str_eq(rig_hdr(rig_sent(rig, "CANCEL "), "Via", 0), rig_hdr(got[2], "Via", 0));
	rig_nothing(rig); /* and its 180 comes after the final */
	refuse(rig, got[1], 487, NULL);
	refuse(rig, got[2], 487, NULL);
	rig_nothing(rig);
	worker_turn(rig->w);
	ck_assert_uint_eq(proxy_open_requests(rig->p), 0);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_7_5_every_2xx_is_forwarded_late_ones_too)
{
	struct rig *rig = three_phones(NULL);
	const struct sent *got[3], *ok;

	rig_call(rig, &(struct ask){ 0 }, got, 3);
	rig_answer(rig, got[0], 200, "one", NULL);
	rig_sent(rig, "SIP/2.0 200");
	rig_answer(rig, got[1], 200, "two", NULL);
	ok = rig_sent(rig, "SIP/2.0 200");
	ck_assert(strstr(rig_hdr(ok, "To", 0), ";tag=two") != NULL);
	rig_answer(rig, got[2], 486, NULL, NULL);
	rig_sent(rig, "ACK ");
	rig_pass(rig, 10000);
	rig_skip(rig);
	rig_answer(rig, got[1], 200, "two", NULL); /* sent again */
	rig_sent(rig, "SIP/2.0 200");
	rig_answer(rig, got[0], 200, "three", NULL); /* forked further down */
	ok = rig_sent(rig, "SIP/2.0 200");
	ck_assert(strstr(rig_hdr(ok, "To", 0), ";tag=three") != NULL);
	rig_nothing(rig);
	/* Timer M has ended it. */
	rig_pass(rig, 30000);
	rig_skip(rig);
	rig_answer(rig, got[1], 200, "two", NULL);
	rig_nothing(rig);
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_7_5_6xx_cancels_other_branches_and_goes_up_when_all_have_ended)
{
	struct rig *rig = three_phones(NULL);
	const struct sent *got[3], *c;

	rig_call(rig, &(struct ask){ 0 }, got, 3);
	rig_answer(rig, got[0], 180, NULL, NULL);
	rig_answer(rig, got[1], 180, NULL, NULL);
	rig_skip(rig);
	rig_answer(rig, got[2], 603, NULL, NULL);
	rig_sent(rig, "ACK ");
	c = rig_sent(rig, "CANCEL ");
	ck_assert_hdr(c, "Reason", "SIP;cause=603");
	rig_sent(rig, "CANCEL ");
	rig_nothing(rig);
	refuse(rig, got[0], 487, NULL);
	rig_nothing(rig);
	refuse(rig, got[1], 487, NULL);
	rig_sent(rig, "SIP/2.0 603");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_7_5_a_2xx_after_a_6xx_wins)
{
	struct rig *rig = three_phones(NULL);
	const struct sent *got[3];

	rig_call(rig, &(struct ask){ 0 }, got, 3);
	refuse(rig, got[0], 603, NULL);
	rig_nothing(rig);
	rig_answer(rig, got[1], 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	refuse(rig, got[2], 486, NULL);
	rig_nothing(rig); /* never a 6xx behind a 2xx */
	rig_free(rig);
}
END_TEST

/* The answers of three branches in both orders, and what goes up. */
START_TEST(rfc3261_16_7_6_the_best_response_is_chosen)
{
	static const struct {
		int codes[3];
		const char *best;
	} cases[] = {
		{ { 486, 404, 603 }, "SIP/2.0 603" }, { { 500, 486, 302 }, "SIP/2.0 302" },
		{ { 486, 401, 404 }, "SIP/2.0 401" }, { { 486, 407, 404 }, "SIP/2.0 407" },
		{ { 486, 415, 404 }, "SIP/2.0 415" }, { { 486, 420, 480 }, "SIP/2.0 420" },
		{ { 404, 484, 480 }, "SIP/2.0 484" }, { { 408, 486, 503 }, "SIP/2.0 486" },
		{ { 503, 501, 503 }, "SIP/2.0 501" }, { { 503, 503, 503 }, "SIP/2.0 500" },
		{ { 503, 407, 501 }, "SIP/2.0 407" }, { { 408, 408, 503 }, "SIP/2.0 408" },
		{ { 430, 486, 408 }, "SIP/2.0 486" }, { { 430, 430, 430 }, "SIP/2.0 480" },
	};

	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct rig *rig = three_phones(NULL);
		const struct sent *got[3];

		rig_call(rig, &(struct ask){ 0 }, got, 3);
		for (int k = 0; k < 3; k++) {
			int b = i % 2 ? 2 - k : k;

			rig_nothing(rig);
			refuse(rig, got[b], cases[i / 2].codes[b], NULL);
		}
		rig_sent(rig, cases[i / 2].best);
		rig_nothing(rig);
		rig_free(rig);
	}
}
END_TEST

START_TEST(rfc3261_16_7_7_challenges_of_all_branches_are_collected)
{
	struct rig *rig = three_phones(NULL);
	const struct sent *got[3], *m;

	rig_call(rig, &(struct ask){ 0 }, got, 3);
	refuse(rig, got[0], 401, "WWW-Authenticate: Digest realm=\"one\", nonce=\"1\"\n");
	refuse(rig, got[1], 407,
	       "Proxy-Authenticate: Digest realm=\"two\", nonce=\"2\"\n"
	       "Proxy-Authenticate: Digest realm=\"three\", nonce=\"3\"\n");
	refuse(rig, got[2], 401, "WWW-Authenticate: Digest realm=\"four\", nonce=\"4\"\n");
	m = rig_sent(rig, "SIP/2.0 401");
	ck_assert_uint_eq(rig_hdr_n(m, "WWW-Authenticate"), 2);
	ck_assert_uint_eq(rig_hdr_n(m, "Proxy-Authenticate"), 2);
	ck_assert_str_eq(rig_hdr(m, "WWW-Authenticate", 0), "Digest realm=\"one\", nonce=\"1\"");
	ck_assert_str_eq(rig_hdr(m, "WWW-Authenticate", 1), "Digest realm=\"four\", nonce=\"4\"");
	ck_assert_str_eq(rig_hdr(m, "Proxy-Authenticate", 1),
	                 "Digest realm=\"three\", nonce=\"3\"");
	rig_free(rig);
}
END_TEST

START_TEST(a_response_goes_up_as_it_came_but_for_our_via)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got, *m;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	rig_answer(rig, got, 486, "b", "X-Z:  q \nWarning: 399 x \"y\"\n");
	rig_sent(rig, "ACK ");
	m = rig_sent(rig, "SIP/2.0 486 Because\r\nVia: SIP/2.0/UDP 192.0.2.50:5060;");
	ck_assert(rig_has(m, "\r\nX-Z:  q \r\nWarning: 399 x \"y\"\r\n"));
	ck_assert(strstr(rig_hdr(m, "To", 0), ";tag=b") != NULL);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_9_an_unreachable_next_hop_counts_as_503)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got;
	struct net_addr dead;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	net_addr_parse(STR("192.0.2.60"), 5060, &dead);
	fake_wire_unreachable(rig->wire, TP_UDP, &dead);
	rig_sent(rig, "SIP/2.0 500");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_7_6_no_answer_to_an_invite_is_408)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	rig_pass(rig, 31900);
	rig_skip(rig);
	rig_pass(rig, 200);
	rig_sent(rig, "SIP/2.0 408");
	rig_free(rig);
}
END_TEST

START_TEST(rfc4320_no_answer_to_anything_else_is_silence)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *m;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_ask(rig, .method = "MESSAGE", .proto = TP_TCP);
	rig_sent(rig, "MESSAGE ");
	rig_pass(rig, 60000);
	for (size_t i = 0; i < 40; i++) {
		struct str bytes;

		if (!fake_wire_sent(rig->wire, &bytes, NULL)) {
			break;
		}
		ck_assert(str_starts(bytes, STR("MESSAGE ")) ||
		          str_starts(bytes, STR("SIP/2.0 100")));
	}
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	/* A 408 from downstream is not passed on either. */
	rig_ask(rig, .method = "MESSAGE");
	m = rig_sent(rig, "MESSAGE ");
	rig_answer(rig, m, 408, NULL, NULL);
	rig_nothing(rig);
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	rig_free(rig);
}
END_TEST

START_TEST(rfc4320_no_provisional_of_a_non_invite_goes_up)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *m;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_ask(rig, .method = "MESSAGE");
	m = rig_sent(rig, "MESSAGE ");
	rig_answer(rig, m, 183, NULL, NULL);
	rig_nothing(rig);
	rig_answer(rig, m, 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	rig_free(rig);
}
END_TEST

START_TEST(a_forked_non_invite_ends_with_the_first_2xx)
{
	struct rig *rig = three_phones(NULL);
	const struct sent *got[3];

	rig_ask(rig, .method = "MESSAGE");
	for (int i = 0; i < 3; i++) {
		got[i] = rig_sent(rig, "MESSAGE ");
	}
	rig_answer(rig, got[1], 404, NULL, NULL);
	rig_nothing(rig);
	rig_answer(rig, got[0], 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	rig_answer(rig, got[2], 200, NULL, NULL);
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc6026_a_stray_response_goes_nowhere)
{
	struct rig *rig = rig_new(NULL);

	rig_receive(rig,
	            "SIP/2.0 200 OK\nVia: SIP/2.0/UDP proxy.example.com;branch=z9hG4bKnotours\n"
	            "Via: SIP/2.0/UDP 192.0.2.50;branch=z9hG4bKx\nFrom: <sip:a@b>;tag=1\n"
	            "To: <sip:c@d>;tag=2\nCall-ID: s\nCSeq: 1 INVITE\nContent-Length: 0\n\n",
	            TP_UDP, "192.0.2.60", 5060);
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_7_3_a_response_without_another_via_is_not_forwarded)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got;
	char text[1024];

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	for (int code = 180; code <= 200; code += 20) {
		snprintf(text, sizeof(text),
		         "SIP/2.0 %d X\nVia: %s\nFrom: %s\nTo: %s;tag=t\nCall-ID: %s\nCSeq: %s\n"
		         "Content-Length: 0\n\n",
		         code, rig_hdr(got, "Via", 0), rig_hdr(got, "From", 0),
		         rig_hdr(got, "To", 0), rig_hdr(got, "Call-ID", 0),
		         rig_hdr(got, "CSeq", 0));
		rig_nothing(rig);
		rig_receive(rig, text, TP_UDP, "192.0.2.60", 5060);
	}
	rig_sent(rig, "SIP/2.0 502");
	rig_free(rig);
}
END_TEST

START_TEST(a_response_after_the_final_one_is_not_forwarded)
{
	struct rig *rig = three_phones(NULL);
	const struct sent *got[3];

	rig_call(rig, &(struct ask){ 0 }, got, 3);
	rig_answer(rig, got[0], 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	rig_answer(rig, got[1], 183, NULL, NULL);
	rig_sent(rig, "CANCEL ");
	rig_nothing(rig);
	refuse(rig, got[1], 603, NULL);
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("proxy/response", rfc3261_16_7_5_provisionals_go_up_at_once_but_100,
          rfc3261_16_7_10_first_2xx_cancels_the_others_with_a_reason,
          rfc3261_16_7_5_every_2xx_is_forwarded_late_ones_too,
          rfc3261_16_7_5_6xx_cancels_other_branches_and_goes_up_when_all_have_ended,
          rfc3261_16_7_5_a_2xx_after_a_6xx_wins, rfc3261_16_7_6_the_best_response_is_chosen,
          rfc3261_16_7_7_challenges_of_all_branches_are_collected,
          a_response_goes_up_as_it_came_but_for_our_via,
          rfc3261_16_9_an_unreachable_next_hop_counts_as_503,
          rfc3261_16_7_6_no_answer_to_an_invite_is_408,
          rfc4320_no_answer_to_anything_else_is_silence,
          rfc4320_no_provisional_of_a_non_invite_goes_up,
          a_forked_non_invite_ends_with_the_first_2xx, rfc6026_a_stray_response_goes_nowhere,
          rfc3261_16_7_3_a_response_without_another_via_is_not_forwarded,
          a_response_after_the_final_one_is_not_forwarded)
