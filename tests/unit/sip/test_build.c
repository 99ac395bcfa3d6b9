/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/build.h"

#include "sip_test.h"

#include <errno.h>

static struct str reply(const struct sip_msg *req, const struct sip_reply *r)
{
	struct arena arena;
	struct sip_out out;
	struct str got;

	arena_init(&arena, NULL);
	ck_assert_int_eq(sip_build_reply(req, r, &arena, &out), 0);
	ck_assert_uint_eq(out.iov_n, 1);
	got = test_flatten(&out);
	arena_fini(&arena);
	return got;
}

START_TEST(rfc3261_8_2_6_2_reply_copies_what_it_must)
{
	struct sip_msg *req = test_parse(
		STR("OPTIONS sip:bob@example.com SIP/2.0\r\n"
	            "v:\r\n SIP/2.0/UDP a;rport;branch=z9hG4bK1 ; received = x , SIP/2.0/UDP b\r\n"
	            "Timestamp: 54\r\nX: y\r\n"
	            "Via: SIP/2.0/TCP c\r\n"
	            "f: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\ni: x\r\n"
	            "CSeq: 5\r\n OPTIONS\r\n\r\n"));
	struct sip_reply r = { .code = 404,
		               .to_tag = STR("tt"),
		               .via_extra = STR(";received=192.0.2.1;rport=5060"),
		               .headers = STR("Warning: x\r\n"),
		               .body = STR("no") };
	struct str got = reply(req, &r);

	ck_assert_str_is(
		got, "SIP/2.0 404 Not Found\r\n"
		     "v:\r\n SIP/2.0/UDP a;branch=z9hG4bK1;received=192.0.2.1;rport=5060 , "
		     "SIP/2.0/UDP b\r\n"
		     "Via: SIP/2.0/TCP c\r\n"
		     "f: <sip:a@b>;tag=1\r\nt: <sip:c@d>;tag=tt\r\ni: x\r\nCSeq: 5\r\n OPTIONS\r\n"
		     "Warning: x\r\nContent-Length: 2\r\n\r\nno");
	test_free(got);
	r = (struct sip_reply){ .code = 100, .reason = STR("Hold on"), .to_tag = STR("tt") };
	got = reply(req, &r);
	ck_assert_str_is(
		got, "SIP/2.0 100 Hold on\r\n"
		     "v:\r\n SIP/2.0/UDP a;rport;branch=z9hG4bK1 ; received = x , SIP/2.0/UDP b\r\n"
		     "Via: SIP/2.0/TCP c\r\n"
		     "f: <sip:a@b>;tag=1\r\nt: <sip:c@d>\r\ni: x\r\nCSeq: 5\r\n OPTIONS\r\n"
		     "Timestamp: 54\r\nContent-Length: 0\r\n\r\n");
	test_free(got);
	sip_msg_unref(&req);
}
END_TEST

START_TEST(reply_keeps_a_to_tag_that_is_there)
{
	struct sip_msg *req = test_parse(STR("BYE sip:b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\n"
	                                     "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
	                                     "Call-ID: x\r\nCSeq: 5 BYE\r\n\r\n"));
	struct sip_reply r = { .code = 481, .to_tag = STR("other") };
	struct str got = reply(req, &r);

	ck_assert_ptr_nonnull(memmem(got.p, got.n, "\r\nTo: <sip:c@d>;tag=2\r\n", 23));
	ck_assert_ptr_null(memmem(got.p, got.n, "other", 5));
	test_free(got);
	sip_msg_unref(&req);
}
END_TEST

START_TEST(malformed_request_is_answered_with_what_is_there)
{
	struct str text = test_load("rfc4475/badinv01.dat"), got;
	struct sip_msg *req;
	struct sip_reply r = { .code = 400,
		               .to_tag = STR("tt"),
		               .via_extra = STR(";received=192.0.2.99") };

	ck_assert(sip_msg_parse_text(text, 0, &req) < 0);
	r.reason = str_from(req->error_r);
	got = reply(req, &r);
	ck_assert_str_is(got, "SIP/2.0 400 Bad Via\r\n"
	                      "Via: SIP/2.0/UDP 192.0.2.15;;;received=192.0.2.99,;,,\r\n"
	                      "From: sip:caller@example.net;tag=134161461246\r\n"
	                      "To: sip:j.user@example.com;tag=tt\r\n"
	                      "Call-ID: badinv01.0ha0isndaksdjasdf3234nas\r\nCSeq: 8 INVITE\r\n"
	                      "Content-Length: 0\r\n\r\n");
	test_free(got);
	sip_msg_unref(&req);
	test_free(text);
	text = test_load("rfc4475/insuf.dat");
	ck_assert(sip_msg_parse_text(text, 0, &req) < 0);
	r = (struct sip_reply){ .code = 400,
		                .reason = str_from(req->error_r),
		                .to_tag = STR("tt") };
	got = reply(req, &r);
	ck_assert_str_is(got, "SIP/2.0 400 Missing From\r\n"
	                      "Via: SIP/2.0/UDP 192.0.2.95;branch=z9hG4bKkdj.insuf\r\n"
	                      "CSeq: 193942 INVITE\r\nContent-Length: 0\r\n\r\n");
	test_free(got);
	sip_msg_unref(&req);
	test_free(text);
}
END_TEST

static void check_received(const char *via_text, const char *ip, uint16_t port, const char *params,
                           const char *whole)
{
	struct arena arena;
	struct sip_via via;

	arena_init(&arena, NULL);
	ck_assert_int_eq(sip_via_parse(str_from(via_text), &via), 0);
	ck_assert_str_is(sip_via_received_params(&arena, &via, str_from(ip), port), params);
	ck_assert_str_is(sip_via_with_received(&arena, &via, str_from(ip), port), whole);
	arena_fini(&arena);
}

START_TEST(rfc3261_18_2_1_received_is_put_in_when_sent_by_is_not_the_source)
{
	check_received("SIP/2.0/UDP 192.0.2.1:5060;branch=x", "192.0.2.1", 5060, "",
	               "SIP/2.0/UDP 192.0.2.1:5060;branch=x");
	check_received("SIP/2.0/UDP h.example.com;branch=x", "192.0.2.1", 5060,
	               ";received=192.0.2.1",
	               "SIP/2.0/UDP h.example.com;branch=x;received=192.0.2.1");
	check_received("SIP/2.0/UDP 192.0.2.2", "192.0.2.1", 5060, ";received=192.0.2.1",
	               "SIP/2.0/UDP 192.0.2.2;received=192.0.2.1");
	check_received("SIP/2.0/UDP [2001:DB8:0::1]", "2001:db8::1", 5060, "",
	               "SIP/2.0/UDP [2001:DB8:0::1]");
	/* what the sender claims is replaced */
	check_received("SIP/2.0/UDP 192.0.2.1;received=10.0.0.1;branch=x", "192.0.2.1", 5060,
	               ";received=192.0.2.1", "SIP/2.0/UDP 192.0.2.1;branch=x;received=192.0.2.1");
}
END_TEST

START_TEST(rfc3581_4_rport_brings_received_even_when_nothing_differs)
{
	check_received("SIP/2.0/UDP 192.0.2.1;rport;branch=x", "192.0.2.1", 5060,
	               ";received=192.0.2.1;rport=5060",
	               "SIP/2.0/UDP 192.0.2.1;branch=x;received=192.0.2.1;rport=5060");
	check_received("SIP/2.0/UDP 192.0.2.1;rport=7;branch=x", "192.0.2.9", 61000,
	               ";received=192.0.2.9;rport=61000",
	               "SIP/2.0/UDP 192.0.2.1;branch=x;received=192.0.2.9;rport=61000");
}
END_TEST

static int build_scenario(void *arg)
{
	struct sip_msg *req = arg;
	struct sip_hop_request hop = { .ruri = STR("sip:bob@192.0.2.4"),
		                       .via = STR("Via: SIP/2.0/UDP p;branch=z9hG4bKp\r\n"),
		                       .route_lines = STR("Route: <sip:r;lr>\r\n"),
		                       .extra = STR("Reason: SIP;cause=200\r\n"),
		                       .max_forwards = 69 };
	struct sip_reply r = { .code = 486 };
	struct arena arena;
	struct sip_out out;
	struct str s;
	int err;

	arena_init(&arena, NULL);
	s = sip_via_with_received(&arena, &req->via, STR("192.0.2.77"), 5060);
	err = s.p ? sip_build_cancel(req, &hop, &arena, &out) : -ENOMEM;
	if (err == 0) {
		ck_assert_str_is(str_make(out.iov->iov_base, out.iov->iov_len),
		                 "CANCEL sip:bob@192.0.2.4 SIP/2.0\r\n"
		                 "Via: SIP/2.0/UDP p;branch=z9hG4bKp\r\n"
		                 "Route: <sip:r;lr>\r\nMax-Forwards: 69\r\n"
		                 "From: \"Alice\" <sip:alice@example.com>;tag=a1\r\n"
		                 "To: <sip:bob@example.com>\r\nCall-ID: c1@192.0.2.1\r\n"
		                 "CSeq: 7 CANCEL\r\nReason: SIP;cause=200\r\n"
		                 "Content-Length: 0\r\n\r\n");
		hop.to_value = STR("<sip:bob@example.com>;tag=b");
		hop.extra = STR_NONE;
		err = sip_build_ack(req, &hop, &arena, &out);
	}
	if (err == 0) {
		ck_assert_str_is(str_make(out.iov->iov_base, out.iov->iov_len),
		                 "ACK sip:bob@192.0.2.4 SIP/2.0\r\n"
		                 "Via: SIP/2.0/UDP p;branch=z9hG4bKp\r\n"
		                 "Route: <sip:r;lr>\r\nMax-Forwards: 69\r\n"
		                 "From: \"Alice\" <sip:alice@example.com>;tag=a1\r\n"
		                 "To: <sip:bob@example.com>;tag=b\r\nCall-ID: c1@192.0.2.1\r\n"
		                 "CSeq: 7 ACK\r\nContent-Length: 0\r\n\r\n");
		err = sip_build_reply(req, &r, &arena, &out);
	}
	ck_assert(err == 0 || err == -ENOMEM);
	arena_fini(&arena);
	return err;
}

START_TEST(rfc3261_9_1_and_17_1_1_3_cancel_and_ack_match_their_invite)
{
	struct sip_msg *req = test_parse(TEST_REQUEST("", ""));

	oom_each(build_scenario, req);
	sip_msg_unref(&req);
}
END_TEST

/* What we build we can read. */
static unsigned int answered_n;

static void check_answer(const char *file)
{
	struct str text = test_load(file), got;
	struct sip_msg *req = NULL, *resp;
	struct sip_reply r = { .code = 400,
		               .to_tag = STR("tt"),
		               .via_extra = STR(";received=::1") };
	int err = sip_msg_parse_text(text, 0, &req);

	if (err == 0 && req->is_request) {
		got = reply(req, &r);
		resp = test_parse(got);
		ck_assert_int_eq(resp->status, 400);
		ck_assert(str_eq(resp->call_id, req->call_id));
		ck_assert_uint_eq(resp->cseq, req->cseq);
		ck_assert_uint_eq(resp->vias_n, req->vias_n);
		ck_assert_str_is(resp->via.received, "::1");
		ck_assert_uint_gt(resp->to_tag.n, 0);
		sip_msg_unref(&resp);
		test_free(got);
		answered_n++;
	}
	sip_msg_unref(&req);
	test_free(text);
}

static bool is_path(struct str option)
{
	return str_eq_nocase(option, STR("path"));
}

START_TEST(rfc3261_8_2_2_3_unsupported_lists_what_is_not_known)
{
	struct sip_msg *req =
		test_parse(TEST_REQUEST("Require: a,path ,\r\n b,,c\r\nRequire: PATH, d\r\n"
	                                "Proxy-Require: path\r\n",
	                                ""));
	struct arena arena;

	arena_init(&arena, NULL);
	ck_assert_str_is(sip_build_unsupported(req, SIP_H_REQUIRE, is_path, &arena),
	                 "Unsupported: a, b, c, d\r\n");
	ck_assert_str_is(sip_build_unsupported(req, SIP_H_PROXY_REQUIRE, NULL, &arena),
	                 "Unsupported: path\r\n");
	ck_assert_str_is(sip_build_unsupported(req, SIP_H_PROXY_REQUIRE, is_path, &arena), "");
	ck_assert_str_is(sip_build_unsupported(req, SIP_H_SUPPORTED, NULL, &arena), "");
	arena_fini(&arena);
	sip_msg_unref(&req);
}
END_TEST

START_TEST(unsupported_holds_thousands_of_short_options)
{
	static char text[20000] =
		"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bKx\r\nRequire: ";
	size_t n = strlen(text);
	struct sip_msg *req;
	struct arena arena;
	struct str got;

	for (int i = 0; i < 8000; i++) {
		text[n++] = 'x';
		text[n++] = ',';
	}
	memcpy(text + n, "\r\n\r\n", 4);
	(void)sip_msg_parse_text(str_make(text, n + 4), 0, &req);
	arena_init(&arena, NULL);
	got = sip_build_unsupported(req, SIP_H_REQUIRE, NULL, &arena);
	ck_assert_uint_eq(got.n, strlen("Unsupported: ") + 8000 * 3);
	ck_assert(str_ends(got, STR(", x\r\n")));
	arena_fini(&arena);
	sip_msg_unref(&req);
}
END_TEST

START_TEST(replies_to_torture_messages_are_well_formed)
{
	static const char *const files[] = {
		"rfc4475/wsinv.dat",   "rfc4475/intmeth.dat",
		"rfc4475/longreq.dat", "rfc4475/esc01.dat",
		"rfc4475/inv2543.dat", "rfc4475/transports.dat",
		"rfc4475/mpart01.dat", "rfc5118/via-received-param-with-delim.dat",
		"rfc4475/dblreq.dat",  "flows/network/08-compact-invite.sip",
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		check_answer(files[i]);
	}
	ck_assert_uint_eq(answered_n, sizeof(files) / sizeof(files[0]));
}
END_TEST

UNIT_MAIN("sip/build", rfc3261_8_2_6_2_reply_copies_what_it_must,
          reply_keeps_a_to_tag_that_is_there, malformed_request_is_answered_with_what_is_there,
          rfc3261_18_2_1_received_is_put_in_when_sent_by_is_not_the_source,
          rfc3581_4_rport_brings_received_even_when_nothing_differs,
          rfc3261_8_2_2_3_unsupported_lists_what_is_not_known,
          unsupported_holds_thousands_of_short_options,
          rfc3261_9_1_and_17_1_1_3_cancel_and_ack_match_their_invite,
          replies_to_torture_messages_are_well_formed)
