/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 3261 16.3: requests that are refused before they are routed; RFC 5393 loops. */
#include "proxy/rig.h"

START_TEST(rfc3261_16_3_max_forwards_zero_is_483)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *m;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	m = rig_refuses(rig, "483", .max_forwards = -2);
	ck_assert(strstr(rig_hdr(m, "To", 0), ";tag=") != NULL);
	rig_refuses(rig, "483", .method = "MESSAGE", .max_forwards = -2);
	ck_assert_uint_eq(rig_counter(rig, rig->p->ids.rejected[REFUSED_MAX_FORWARDS]), 2);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_3_options_with_max_forwards_zero_is_answered_as_if_for_us)
{
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	ck_assert_ptr_nonnull(
		rig_hdr(rig_refuses(rig, "200", .method = "OPTIONS", .max_forwards = -2), "Allow",
	                0));
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_3_unknown_scheme_is_416_when_nothing_gives_a_next_hop)
{
	struct rig *rig = rig_new("proxy: { relay = \"any\"; };\n");

	rig_refuses(rig, "416", .method = "MESSAGE", .uri = "nobodyknows:this");
	rig_refuses(rig, "416", .method = "MESSAGE", .uri = "tel:+15551234");
	rig_ask(rig, .method = "MESSAGE", .uri = "nobodyknows:this",
	        .lines = "Route: <sip:192.0.2.70;lr>\n");
	ck_assert_str_eq(rig_sent(rig, "MESSAGE nobodyknows:this ")->to, "192.0.2.70:5060");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_3_proxy_require_is_420_with_what_is_unknown)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *m;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	m = rig_refuses(rig, "420", .lines = "Proxy-Require: telepathy,foo\nProxy-Require: bar\n");
	ck_assert_hdr(m, "Unsupported", "telepathy, foo, bar");
	rig_ask(rig, .lines = "Proxy-Require: \n"); /* asks for nothing */
	rig_sent(rig, "INVITE ");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_22_1_require_and_proxy_require_in_an_ack_are_ignored)
{
	struct rig *rig = rig_new("proxy: { relay = \"any\"; };\n");

	rig_ask(rig, .method = "ACK", .uri = "sip:192.0.2.60", .to_tag = "b",
	        .lines = "Proxy-Require: foo\nRequire: foo\n");
	rig_sent(rig, "ACK ");
	rig_free(rig);
}
END_TEST

START_TEST(an_ack_is_never_answered)
{
	static const char *const uris[] = { "sip:nobody@example.com", "sip:example.com", "http:x",
		                            "sip:x@192.0.2.1", "sip:x@elsewhere.invalid" };
	struct rig *rig = rig_new(NULL);

	for (size_t i = 0; i < sizeof(uris) / sizeof(uris[0]); i++) {
		rig_ask(rig, .method = "ACK", .uri = uris[i], .to_tag = "x");
		rig_nothing(rig);
		rig_ask(rig, .method = "ACK", .uri = uris[i], .to_tag = "x", .max_forwards = -2);
		rig_nothing(rig);
	}
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	rig_free(rig);
}
END_TEST

/* The Vias of a request as it left, below the sender's own. */
static void vias_of(const struct sent *m, char *out, size_t cap)
{
	*out = '\0';
	for (unsigned k = 0; rig_hdr(m, "Via", k); k++) {
		snprintf(out + strlen(out), cap - strlen(out), "Via: %s\n", rig_hdr(m, "Via", k));
	}
}

START_TEST(rfc5393_the_same_request_again_is_482_a_spiral_is_not)
{
	struct rig *rig = rig_new("proxy: { relay = \"any\"; };\n");
	const struct sent *got;
	char vias[2048];

	rig_ask(rig, .method = "MESSAGE", .uri = "sip:192.0.2.70");
	got = rig_sent(rig, "MESSAGE ");
	vias_of(got, vias, sizeof(vias));
	rig_refuses(rig, "482", .method = "MESSAGE", .uri = "sip:192.0.2.70", .ip = "192.0.2.70",
	            .vias = vias);
	/* What routing depends on has changed. */
	rig_ask(rig, .method = "MESSAGE", .uri = "sip:x@192.0.2.70", .ip = "192.0.2.70",
	        .vias = vias);
	rig_sent(rig, "MESSAGE ");
	rig_ask(rig, .method = "MESSAGE", .uri = "sip:192.0.2.70", .ip = "192.0.2.70", .vias = vias,
	        .lines = "Route: <sip:192.0.2.71;lr>\n");
	rig_sent(rig, "MESSAGE ");
	rig_free(rig);
}
END_TEST

START_TEST(rfc5393_a_request_of_a_dialog_that_comes_back_is_482_once_its_route_is_gone)
{
	struct rig *rig = rig_new("proxy: { relay = \"any\"; };\n");
	const struct sent *got[1];
	char vias[2048], route[256];

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_call(rig, &(struct ask){ .call_id = "c" }, got, 1);
	snprintf(route, sizeof(route), "Route: %s\n", rig_hdr(got[0], "Record-Route", 0));
	rig_ask(rig, .method = "INFO", .uri = "sip:192.0.2.70", .to_tag = "t", .call_id = "c",
	        .lines = route);
	vias_of(rig_sent(rig, "INFO "), vias, sizeof(vias));
	rig_ask(rig, .method = "INFO", .uri = "sip:192.0.2.70", .to_tag = "t", .call_id = "c",
	        .ip = "192.0.2.70", .vias = vias);
	vias_of(rig_sent(rig, "INFO "), vias, sizeof(vias));
	rig_refuses(rig, "482", .method = "INFO", .uri = "sip:192.0.2.70", .to_tag = "t",
	            .call_id = "c", .ip = "192.0.2.70", .vias = vias);
	rig_free(rig);
}
END_TEST

START_TEST(rfc5393_a_forged_branch_is_no_loop)
{
	struct rig *rig = rig_new("proxy: { relay = \"any\"; };\n");

	rig_ask(rig, .method = "MESSAGE", .uri = "sip:192.0.2.70",
	        .vias = "Via: SIP/2.0/UDP proxy.example.com;branch=z9hG4bKAAAAAAAAAAAAAAAAAAAAAAAAA"
	                "AAAAAAAAAAAAAAAAAAAAA\n");
	rig_sent(rig, "MESSAGE ");
	rig_free(rig);
}
END_TEST

START_TEST(rfc5393_a_binding_that_leads_back_is_482)
{
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:eve@example.com", NULL);
	rig_bind(rig, "eve@example.com", "sip:bob@example.com", NULL);
	rig_refuses(rig, "482", .method = "MESSAGE");
	/* With a way out it goes there. */
	rig_bind(rig, "eve@example.com", "sip:eve@192.0.2.60", NULL);
	rig_ask(rig, .method = "MESSAGE");
	rig_sent(rig, "MESSAGE sip:eve@192.0.2.60 ");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_3_merged_requests_are_no_error)
{
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_ask(rig, .method = "MESSAGE");
	rig_sent(rig, "MESSAGE ");
	rig_ask(rig, .method = "MESSAGE"); /* another branch, the same Call-ID, CSeq and tags */
	rig_sent(rig, "MESSAGE ");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_9_2_cancel_of_nothing_is_481)
{
	struct rig *rig = rig_new(NULL);

	rig_refuses(rig, "481", .method = "CANCEL");
	rig_free(rig);
}
END_TEST

START_TEST(refusals_leave_no_state_behind)
{
	struct rig *rig = rig_new(NULL);

	rig_refuses(rig, "480", .uri = "sip:nobody@example.com");
	rig_refuses(rig, "403", .uri = "sip:x@elsewhere.invalid");
	ck_assert_uint_eq(txn_layer_counts(rig->txns).server_open, 0);
	ck_assert_uint_eq(txn_layer_counts(rig->txns).server_lingering, 0);
	worker_turn(rig->w);
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	ck_assert_uint_eq(msgbuf_pool_used(rig->w->bufs), 0);
	rig_free(rig);
}
END_TEST

START_TEST(rfc5393_bad_max_breadth_is_400_and_zero_is_440)
{
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_refuses(rig, "400", .lines = "Max-Breadth: lots\n");
	rig_refuses(rig, "440", .lines = "Max-Breadth: 0\n");
	rig_refuses(rig, "200", .method = "OPTIONS", .uri = "sip:example.com",
	            .lines = "Max-Breadth: 0\n");
	rig_ask(rig, .lines = "Max-Breadth: 7\n");
	ck_assert_hdr(rig_sent(rig, "INVITE "), "Max-Breadth", "7");
	rig_skip(rig);
	rig_ask(rig, .lines = "Max-Breadth: 700\n");
	ck_assert_hdr(rig_sent(rig, "INVITE "), "Max-Breadth", "60");
	rig_free(rig);
}
END_TEST

START_TEST(draining_refuses_new_calls_only)
{
	struct rig *rig = rig_new("proxy: { relay = \"any\"; };\n");

	proxy_set_draining(rig->p, true);
	ck_assert_ptr_nonnull(
		rig_hdr(rig_refuses(rig, "503", .uri = "sip:192.0.2.60"), "Retry-After", 0));
	rig_ask(rig, .uri = "sip:192.0.2.60", .to_tag = "b");
	rig_sent(rig, "INVITE ");
	rig_skip(rig);
	rig_ask(rig, .method = "MESSAGE", .uri = "sip:192.0.2.60");
	rig_sent(rig, "MESSAGE ");
	proxy_set_draining(rig->p, false);
	rig_ask(rig, .uri = "sip:192.0.2.60");
	rig_sent(rig, "INVITE ");
	rig_free(rig);
}
END_TEST

START_TEST(at_max_transactions_the_answer_is_503_with_a_spread_retry_after)
{
	struct rig *rig = rig_new("proxy: { relay = \"any\"; };\n");
	bool refused = false;

	rig->conf->server.max_transactions = 100;
	for (int i = 0; i < 101 && !refused; i++) {
		const struct sent *m;

		rig_ask(rig, .method = "MESSAGE", .uri = "sip:192.0.2.60");
		m = rig_sent(rig, "");
		if (strncmp(m->text, "SIP/2.0 503", 11) == 0) {
			int s = atoi(rig_hdr(m, "Retry-After", 0));

			refused = true;
			ck_assert_int_ge(s, 5);
			ck_assert_int_le(s, 10);
		}
	}
	ck_assert(refused);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("proxy/validate", rfc3261_16_3_max_forwards_zero_is_483,
          rfc3261_16_3_options_with_max_forwards_zero_is_answered_as_if_for_us,
          rfc3261_16_3_unknown_scheme_is_416_when_nothing_gives_a_next_hop,
          rfc3261_16_3_proxy_require_is_420_with_what_is_unknown,
          rfc3261_22_1_require_and_proxy_require_in_an_ack_are_ignored, an_ack_is_never_answered,
          rfc5393_the_same_request_again_is_482_a_spiral_is_not,
          rfc5393_a_request_of_a_dialog_that_comes_back_is_482_once_its_route_is_gone,
          rfc5393_a_forged_branch_is_no_loop, rfc5393_a_binding_that_leads_back_is_482,
          rfc3261_16_3_merged_requests_are_no_error, rfc3261_9_2_cancel_of_nothing_is_481,
          refusals_leave_no_state_behind, rfc5393_bad_max_breadth_is_400_and_zero_is_440,
          draining_refuses_new_calls_only,
          at_max_transactions_the_answer_is_503_with_a_spread_retry_after)
