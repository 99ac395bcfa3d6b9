/* SPDX-License-Identifier: Apache-2.0 */
/* A request crosses: what the next hop and the caller see (RFC 3261 16.6, 16.7, 16.12). */
#include "proxy/rig.h"

START_TEST(rfc3261_16_6_next_hop_sees_the_request_with_our_changes_only)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got, *ok;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60:5070", NULL);
	rig_ask(rig, .lines = "X-Odd:   kept  as is \nsubject: s\nP-Unknown: a\np-unknown: b\n",
	        .body = "v=0");
	got = rig_sent(rig, "INVITE sip:bob@192.0.2.60:5070 SIP/2.0\r\n");
	ck_assert_str_eq(got->to, "192.0.2.60:5070");
	ck_assert_hdr(got, "Max-Forwards", "69");
	ck_assert_hdr(got, "Max-Breadth", "60");
	ck_assert_uint_eq(rig_hdr_n(got, "Via"), 2);
	ck_assert(rig_has(got, "\r\nVia: SIP/2.0/UDP proxy.example.com;branch=z9hG4bK"));
	ck_assert_str_eq(rig_hdr(got, "Via", 1), "SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bK-1;"
	                                         "received=192.0.2.50;rport=5060");
	ck_assert(rig_has(got, "\r\nX-Odd:   kept  as is \r\nsubject: s\r\nP-Unknown: a\r\n"
	                       "p-unknown: b\r\n"));
	ck_assert_uint_eq(rig_hdr_n(got, "Record-Route"), 1);
	ck_assert(rig_has(got, "\r\nRecord-Route: <sip:proxy.example.com;lr;rc="));
	ck_assert_str_eq(strstr(got->text, "\r\n\r\n") + 4, "v=0");
	rig_sent(rig, "SIP/2.0 100 ");
	rig_nothing(rig);
	rig_answer(rig, got, 180, "b", "X-Y: z\n");
	ok = rig_sent(rig, "SIP/2.0 180 Because");
	ck_assert_hdr(ok, "X-Y", "z");
	rig_answer(rig, got, 200, "b", NULL);
	ok = rig_sent(rig, "SIP/2.0 200 Because");
	ck_assert_uint_eq(rig_hdr_n(ok, "Via"), 1);
	ck_assert_str_eq(ok->to, "192.0.2.50:5060");
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_6_3_max_forwards_is_added_and_counted_down)
{
	struct rig *rig = rig_new("proxy: { max_forwards = 42; };\n");

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_ask(rig, .method = "MESSAGE", .max_forwards = -1);
	ck_assert_hdr(rig_sent(rig, "MESSAGE "), "Max-Forwards", "42");
	rig_ask(rig, .method = "MESSAGE", .max_forwards = 1);
	ck_assert_hdr(rig_sent(rig, "MESSAGE "), "Max-Forwards", "0");
	rig_ask(rig, .method = "MESSAGE", .max_forwards = 11);
	ck_assert_hdr(rig_sent(rig, "MESSAGE "), "Max-Forwards", "10");
	rig_ask(rig, .method = "MESSAGE", .max_forwards = 255);
	ck_assert_hdr(rig_sent(rig, "MESSAGE "), "Max-Forwards", "254");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_6_2_what_may_not_be_in_a_request_uri_is_left_out)
{
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60;method=INVITE;x=y?Subject=hi", NULL);
	rig_ask(rig, .method = "MESSAGE");
	rig_sent(rig, "MESSAGE sip:bob@192.0.2.60;x=y SIP/2.0\r\n");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_6_9_content_length_is_added_on_a_stream)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60;transport=tcp", NULL);
	rig_receive(rig,
	            "MESSAGE sip:bob@example.com SIP/2.0\n"
	            "Via: SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bKx\nMax-Forwards: 70\n"
	            "From: <sip:a@example.net>;tag=a\nTo: <sip:bob@example.com>\nCall-ID: i\n"
	            "CSeq: 1 MESSAGE\n\nfour",
	            TP_UDP, ALICE, 5060);
	got = rig_sent(rig, "MESSAGE ");
	ck_assert_int_eq(got->flow.proto, TP_TCP);
	ck_assert_hdr(got, "Content-Length", "4");
	ck_assert(rig_has(got, "\r\nVia: SIP/2.0/TCP proxy.example.com;"));
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_3_any_method_is_proxied)
{
	static const char *const methods[] = { "MESSAGE", "INFO",   "SUBSCRIBE", "NOTIFY",
		                               "PUBLISH", "REFER",  "UPDATE",    "PRACK",
		                               "OPTIONS", "FROBNI", "BYE" };
	struct rig *rig = rig_new(NULL);

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		const struct sent *got;

		rig_ask(rig, .method = methods[i], .lines = "Require: telepathy\n");
		got = rig_sent(rig, methods[i]);
		rig_nothing(rig);
		rig_answer(rig, got, 202, NULL, NULL);
		rig_sent(rig, "SIP/2.0 202 Because");
	}
	rig_free(rig);
}
END_TEST

/* REGISTER never, others when they may begin a dialog or have semantics we do not know. */
START_TEST(rfc3261_16_6_4_record_route_goes_where_dialogs_begin)
{
	static const struct {
		const char *method;
		unsigned n;
	} cases[] = { { "INVITE", 1 },  { "SUBSCRIBE", 1 }, { "REFER", 1 },   { "NOTIFY", 1 },
		      { "FROBNI", 1 },  { "MESSAGE", 0 },   { "OPTIONS", 0 }, { "BYE", 0 },
		      { "PUBLISH", 0 }, { "REGISTER", 0 } };
	struct rig *rig = rig_new("proxy: { relay = \"any\"; };\n");

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		rig_ask(rig, .method = cases[i].method, .uri = "sip:192.0.2.70");
		ck_assert_uint_eq(rig_hdr_n(rig_sent(rig, cases[i].method), "Record-Route"),
		                  cases[i].n);
		rig_skip(rig);
	}
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_6_4_record_route_goes_before_those_that_are_there)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_receive(rig,
	            "INVITE sip:bob@example.com SIP/2.0\nRecord-Route: <sip:p1.example.net;lr>\n"
	            "Via: SIP/2.0/UDP 192.0.2.50:5060;branch=z9hG4bKx\nMax-Forwards: 70\n"
	            "From: <sip:a@example.net>;tag=a\nTo: <sip:bob@example.com>\nCall-ID: i\n"
	            "CSeq: 1 INVITE\nContent-Length: 0\n\n",
	            TP_UDP, ALICE, 5060);
	got = rig_sent(rig, "INVITE ");
	ck_assert_uint_eq(rig_hdr_n(got, "Record-Route"), 2);
	ck_assert_str_eq(rig_hdr(got, "Record-Route", 1), "<sip:p1.example.net;lr>");
	ck_assert(strstr(rig_hdr(got, "Record-Route", 0), "proxy.example.com") != NULL);
	rig_free(rig);
}
END_TEST

START_TEST(record_route_is_twofold_when_transport_or_family_changes)
{
	struct rig *rig = rig_new("proxy: { record_route = false; };\n");
	const struct sent *got;
	const char *rr;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_bind(rig, "eve@example.com", "sip:eve@[2001:db8::60]", NULL);
	rig_ask(rig, .proto = TP_TCP);
	got = rig_sent(rig, "INVITE ");
	rr = rig_hdr(got, "Record-Route", 0);
	ck_assert_ptr_nonnull(rr);
	ck_assert(strncmp(rr, "<sip:proxy.example.com;lr;rc=", 29) == 0);
	ck_assert(strstr(rr, ", <sip:proxy.example.com;transport=tcp;lr;rc=") != NULL);
	rig_skip(rig);
	rig_ask(rig, .uri = "sip:eve@example.com");
	got = rig_sent(rig, "INVITE ");
	ck_assert_str_eq(got->to, "[2001:db8::60]:5060");
	ck_assert(strstr(rig_hdr(got, "Record-Route", 0), ">, <sip:") != NULL);
	rig_skip(rig);
	rig_ask(rig, .uri = "sip:bob@example.com"); /* the same on both sides */
	ck_assert_uint_eq(rig_hdr_n(rig_sent(rig, "INVITE "), "Record-Route"), 0);
	rig_free(rig);
}
END_TEST

static const char *uri_in(const char *value, unsigned k)
{
	static char uri[4][512];
	static unsigned at;
	char *out = uri[at++ % 4];

	for (; k > 0; k--) {
		value = strchr(value + 1, '<');
		ck_assert_ptr_nonnull(value);
	}
	snprintf(out, sizeof(uri[0]), "%.*s", (int)(strchr(value, '>') - value + 1), value);
	return out;
}

START_TEST(rfc3261_16_12_requests_in_the_dialog_go_both_ways_and_lose_our_routes)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got, *ok, *m;
	char lines[1024];

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_call(rig, &(struct ask){ .proto = TP_TCP }, &got, 1);
	rig_answer(rig, got, 200, "b", "Contact: <sip:bob@192.0.2.60>\n");
	ok = rig_sent(rig, "SIP/2.0 200");
	/* The caller's route set is Record-Route reversed. */
	snprintf(lines, sizeof(lines), "Route: %s,%s\n", uri_in(rig_hdr(ok, "Record-Route", 0), 1),
	         uri_in(rig_hdr(ok, "Record-Route", 0), 0));
	rig_ask(rig, .method = "ACK", .uri = "sip:bob@192.0.2.60", .to_tag = "b", .lines = lines,
	        .proto = TP_TCP);
	m = rig_sent(rig, "ACK sip:bob@192.0.2.60 ");
	ck_assert_uint_eq(rig_hdr_n(m, "Route"), 0);
	ck_assert_int_eq(m->flow.proto, TP_UDP);
	ck_assert_uint_eq(rig_hdr_n(m, "Record-Route"), 0);
	rig_nothing(rig);
	/* The callee's is Record-Route in order; its From tag is the initial To tag. */
	snprintf(lines, sizeof(lines), "Route: %s\nRoute: %s\n",
	         uri_in(rig_hdr(got, "Record-Route", 0), 0),
	         uri_in(rig_hdr(got, "Record-Route", 0), 1));
	rig_ask(rig, .method = "BYE", .uri = "sip:alice@192.0.2.50;transport=tcp", .from_tag = "b",
	        .to_tag = "a", .ip = "192.0.2.60", .lines = lines);
	m = rig_sent(rig, "BYE sip:alice@192.0.2.50;transport=tcp ");
	ck_assert_uint_eq(rig_hdr_n(m, "Route"), 0);
	ck_assert_int_eq(m->flow.proto, TP_TCP);
	rig_answer(rig, m, 200, NULL, NULL);
	rig_sent(rig, "SIP/2.0 200");
	rig_free(rig);
}
END_TEST

START_TEST(rfc3261_16_11_an_ack_sent_again_gets_the_same_branch)
{
	struct rig *rig = rig_new("proxy: { relay = \"any\"; };\n");
	const struct sent *a, *b;

	rig_ask(rig, .method = "ACK", .uri = "sip:192.0.2.60", .to_tag = "b");
	a = rig_sent(rig, "ACK ");
	rig_ask(rig, .method = "ACK", .uri = "sip:192.0.2.60", .to_tag = "b", .again = true);
	b = rig_sent(rig, "ACK ");
	ck_assert_str_eq(rig_hdr(a, "Via", 0), rig_hdr(b, "Via", 0));
	rig_ask(rig, .method = "ACK", .uri = "sip:192.0.2.60", .to_tag = "b");
	ck_assert_str_ne(rig_hdr(a, "Via", 0), rig_hdr(rig_sent(rig, "ACK "), "Via", 0));
	rig_nothing(rig);
	rig_free(rig);
}
END_TEST

START_TEST(an_answered_call_keeps_no_message)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	ck_assert_uint_eq(proxy_open_requests(rig->p), 1);
	rig_answer(rig, got, 200, "b", NULL);
	rig_sent(rig, "SIP/2.0 200");
	worker_turn(rig->w);
	ck_assert_uint_eq(proxy_open_requests(rig->p), 0);
	ck_assert_uint_eq(msgbuf_pool_used(rig->w->bufs), 0);
	ck_assert_uint_eq(rig->p->reqs.used_n, 1);
	rig_pass(rig, 40000);
	ck_assert_uint_eq(rig->p->reqs.used_n, 0);
	ck_assert_uint_eq(rig->p->branches.used_n, 0);
	rig_free(rig);
}
END_TEST

START_TEST(call_setup_time_is_taken_once_per_call)
{
	struct rig *rig = rig_new(NULL);
	const struct sent *got;

	rig_bind(rig, "bob@example.com", "sip:bob@192.0.2.60", NULL);
	rig_call(rig, &(struct ask){ 0 }, &got, 1);
	rig_pass(rig, 20);
	rig_answer(rig, got, 180, "b", NULL);
	rig_answer(rig, got, 183, "b", NULL);
	rig_answer(rig, got, 200, "b", NULL);
	/* Cells: ten bounds, +Inf, sum in us, count. */
	ck_assert_uint_eq(rig_counter(rig, rig->p->ids.setup + 12), 1);
	ck_assert_uint_eq(rig_counter(rig, rig->p->ids.setup + 11), 20000);
	rig_free(rig);
}
END_TEST

UNIT_MAIN("proxy/call", rfc3261_16_6_next_hop_sees_the_request_with_our_changes_only,
          rfc3261_16_6_3_max_forwards_is_added_and_counted_down,
          rfc3261_16_6_2_what_may_not_be_in_a_request_uri_is_left_out,
          rfc3261_16_6_9_content_length_is_added_on_a_stream, rfc3261_16_3_any_method_is_proxied,
          rfc3261_16_6_4_record_route_goes_where_dialogs_begin,
          rfc3261_16_6_4_record_route_goes_before_those_that_are_there,
          record_route_is_twofold_when_transport_or_family_changes,
          rfc3261_16_12_requests_in_the_dialog_go_both_ways_and_lose_our_routes,
          rfc3261_16_11_an_ack_sent_again_gets_the_same_branch, an_answered_call_keeps_no_message,
          call_setup_time_is_taken_once_per_call)
