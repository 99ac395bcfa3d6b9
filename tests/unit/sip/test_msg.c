/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/msg.h"

#include "sip_test.h"

#include <errno.h>

/* Parses and expects a request refused with @code and @why. */
static void refused(struct str text, int flags, int code, const char *why)
{
	struct sip_msg *msg;

	ck_assert_int_eq(sip_msg_parse_text(text, flags, &msg), BELFRY_EPARSE);
	ck_assert_msg(msg != NULL, "dropped, not \"%s\"", why);
	ck_assert_str_eq(msg->error_r, why);
	ck_assert_int_eq(msg->error, code);
	ck_assert(msg->is_request);
	ck_assert_uint_gt(msg->via.host.n, 0);
	sip_msg_unref(&msg);
	ck_assert_ptr_null(msg);
}

static void dropped(struct str text)
{
	struct sip_msg *msg = (void *)1;

	ck_assert_int_eq(sip_msg_parse_text(text, 0, &msg), BELFRY_EPARSE);
	ck_assert_ptr_null(msg);
}

START_TEST(request_is_decoded_where_routing_needs_it)
{
	struct str text =
		TEST_REQUEST("Route: <sip:r@h;lr>, <sip:s@h>\r\nX-Y: z\r\nl: 4\r\n", "body");
	struct sip_msg *msg = test_parse(text);

	ck_assert(msg->is_request);
	ck_assert_int_eq(msg->error, 0);
	ck_assert_int_eq(msg->method, SIP_M_INVITE);
	ck_assert_str_is(msg->method_text, "INVITE");
	ck_assert_str_is(msg->ruri_text, "sip:bob@example.com");
	ck_assert_str_is(msg->ruri.user, "bob");
	ck_assert_str_is(msg->via.host, "192.0.2.1");
	ck_assert_uint_eq(msg->via.port, 5062);
	ck_assert_str_is(str_make(msg->text.p + msg->via_off, msg->via_end - msg->via_off),
	                 "SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKabc;rport");
	ck_assert_str_is(msg->from_tag, "a1");
	ck_assert_str_is(msg->to_uri_text, "sip:bob@example.com");
	ck_assert_str_is(msg->to_tag, "");
	ck_assert_str_is(msg->call_id, "c1@192.0.2.1");
	ck_assert_uint_eq(msg->cseq, 7);
	ck_assert_str_is(msg->cseq_method, "INVITE");
	ck_assert_int_eq(msg->max_forwards, 70);
	ck_assert_int_eq(msg->content_length, 4);
	ck_assert_str_is(msg->body, "body");
	ck_assert_uint_eq(msg->headers_n, 9);
	ck_assert_str_is(sip_msg_header_named(msg, STR("x-y")), "z");
	ck_assert_str_is(sip_msg_header_named(msg, STR("Content-Length")), "4");
	ck_assert_str_is(sip_msg_header_named(msg, STR("X-Z")), "");
	ck_assert_ptr_eq(msg->text.p, text.p); /* nothing is copied */
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(header_array_tells_where_each_field_is)
{
	struct sip_msg *msg =
		test_parse(TEST_REQUEST("Subject :\r\n  folded\r\n\ttext  \r\ns2:\r\n", ""));
	const struct sip_header *h = &msg->headers[6];

	ck_assert_int_eq(h->id, SIP_H_SUBJECT);
	ck_assert_str_is(str_make(msg->text.p + h->off, h->name_n), "Subject");
	ck_assert_str_is(sip_msg_value(msg, 6), "folded\r\n\ttext");
	ck_assert_uint_eq(h->next_off, msg->headers[7].off);
	ck_assert_str_is(sip_msg_value(msg, 7), "");
	ck_assert_uint_eq(msg->headers[7].next_off + 2, msg->body_off);
	ck_assert_uint_eq(msg->headers[0].off, msg->headers_off);
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(response_is_decoded)
{
	struct sip_msg *msg = test_parse(STR("SIP/2.0 183 Session  Progress\r\n"
	                                     "v: SIP/2.0/TCP h.example.com;branch=z9hG4bK1\r\n"
	                                     "f: <sip:a@b>;tag=1\r\nt: <sip:c@d>;tag=2\r\n"
	                                     "i: x\r\nCSeq: 4294967 PRACK\r\n\r\n"));

	ck_assert(!msg->is_request);
	ck_assert_int_eq(msg->status, 183);
	ck_assert_str_is(msg->reason, "Session  Progress");
	ck_assert_int_eq(msg->method, SIP_M_PRACK);
	ck_assert_str_is(msg->method_text, "PRACK");
	ck_assert_str_is(msg->to_tag, "2");
	ck_assert_int_eq(msg->max_forwards, -1);
	ck_assert_int_eq(msg->content_length, -1);
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(leading_crlfs_are_skipped)
{
	struct sip_msg *msg = test_parse(STR("\r\n\r\nSIP/2.0 200 OK\r\n"
	                                     "v: SIP/2.0/TCP h;branch=z9hG4bK1\r\n"
	                                     "f: <sip:a@b>;tag=1\r\nt: <sip:c@d>;tag=2\r\n"
	                                     "i: x\r\nCSeq: 4 BYE\r\n\r\n"));

	ck_assert_int_eq(msg->text.p[0], 'S');
	ck_assert_uint_eq(msg->headers_off, 16);
	sip_msg_unref(&msg);
	dropped(STR("\r\n\r\n"));
	dropped(STR("\0\0\0\0"));
	dropped(STR(""));
	dropped(STR_NONE);
}
END_TEST

#define START(line)                                                                                \
	STR(line "\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n"     \
	         "To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n")

START_TEST(request_line_must_be_as_the_grammar_has_it)
{
	static const char *const line = "Bad Request-Line", *const uri = "Bad Request-URI";

	refused(START("OPTIONS  sip:a@b SIP/2.0"), 0, 400, uri);
	refused(START("OPTIONS sip:a@b  SIP/2.0"), 0, 400, uri);
	refused(START("OPTIONS sip:a@b; lr SIP/2.0"), 0, 400, uri);
	refused(START("OPTIONS <sip:a@b> SIP/2.0"), 0, 400, uri);
	refused(START("OPTIONS sip:a@b?x=y SIP/2.0"), 0, 400, uri);
	refused(START("OPTIONS  SIP/2.0"), 0, 400, uri);
	refused(START("OPTIONS SIP/2.0"), 0, 400, line);
	refused(START("OPTIONS sip:a@b SIP/2.0 "), 0, 400, line);
	refused(START("OPTIONS sip:a@b"), 0, 400, line);
	refused(START("OPTIONS sip:a@b HTTP/1.1"), 0, 400, line);
	refused(START("OPTIONS sip:a@b SIP/2"), 0, 400, line);
	refused(START("OPTIONS sip:a@b SIP/2.x"), 0, 400, line);
	refused(START("OPTIONS sip:a@b SIP/3.0"), 0, 505, "Version Not Supported");
	refused(START("OPTIONS sip:a@b SIP/2.00"), 0, 505, "Version Not Supported");
	dropped(START("OPT(IONS sip:a@b SIP/2.0"));
	dropped(START(" OPTIONS sip:a@b SIP/2.0"));
	dropped(START("OPTIONS"));
}
END_TEST

START_TEST(version_is_read_in_any_case)
{
	struct sip_msg *msg = test_parse(START("OPTIONS sip:a@b sip/2.0"));

	ck_assert_str_is(msg->ruri_text, "sip:a@b");
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(status_line_must_be_as_the_grammar_has_it)
{
	struct sip_msg *msg = test_parse(START("SIP/2.0 100 "));

	ck_assert_str_is(msg->reason, "");
	sip_msg_unref(&msg);
	msg = test_parse(START("SIP/2.0 699"));
	ck_assert_int_eq(msg->status, 699);
	sip_msg_unref(&msg);
	dropped(START("SIP/2.0 99 x"));
	dropped(START("SIP/2.0 700 x"));
	dropped(START("SIP/2.0 2000 x"));
	dropped(START("SIP/2.0 20x x"));
	dropped(START("SIP/2.0  200 x"));
	dropped(START("SIP/3.0 200 OK"));
}
END_TEST

START_TEST(request_uri_above_8_kib_is_414_even_when_it_is_bad)
{
	size_t n = SIP_URI_MAX + 1;
	char *p = malloc(n + 400);
	struct sip_msg *msg;
	int off = sprintf(p, "OPTIONS sip:");

	memset(p + off, 'a', n - 4);
	sprintf(p + off + n - 4, " SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n"
	                         "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n"
	                         "CSeq: 1 OPTIONS\r\n\r\n");
	refused(str_from(p), 0, 414, "Request-URI Too Long");
	memmove(p + off, p + off + 1, strlen(p + off)); /* one less */
	msg = test_parse(str_from(p));
	ck_assert_uint_eq(msg->ruri_text.n, SIP_URI_MAX);
	sip_msg_unref(&msg);
	free(p);
}
END_TEST

START_TEST(each_missing_mandatory_field_is_named)
{
	static const char *const lines[] = {
		"Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n",
		"From: <sip:a@b>;tag=1\r\n",
		"To: <sip:c@d>\r\n",
		"Call-ID: x\r\n",
		"CSeq: 1 BYE\r\n",
	};
	static const char *const why[] = { NULL, "Missing From", "Missing To", "Missing Call-ID",
		                           "Missing CSeq" };

	for (size_t missing = 0; missing < 5; missing++) {
		char text[512] = "BYE sip:a@b SIP/2.0\r\n";

		for (size_t i = 0; i < 5; i++) {
			strcat(text, i == missing ? "" : lines[i]);
		}
		strcat(text, "\r\n");
		if (missing == 0) {
			dropped(str_from(text));
		} else {
			refused(str_from(text), 0, 400, why[missing]);
		}
	}
}
END_TEST

START_TEST(second_field_of_a_single_kind_is_refused)
{
	refused(TEST_REQUEST("CSeq: 7 INVITE\r\n", ""), 0, 400, "Duplicate CSeq");
	refused(TEST_REQUEST("i: c1@192.0.2.1\r\n", ""), 0, 400, "Duplicate Call-ID");
	refused(TEST_REQUEST("l: 0\r\nContent-Length: 0\r\n", ""), 0, 400,
	        "Duplicate Content-Length");
	refused(TEST_REQUEST("f: <sip:a@b>;tag=9\r\n", ""), 0, 400, "Duplicate From");
	refused(TEST_REQUEST("Max-Forwards: 1\r\n", ""), 0, 400, "Duplicate Max-Forwards");
}
END_TEST

#define FIELD(line)                                                                                \
	STR("BYE sip:bob@example.com SIP/2.0\r\n" line "\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n"        \
	    "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n\r\n")

START_TEST(bad_fields_are_refused_by_name)
{
	refused(FIELD("Max-Forwards: x"), 0, 400, "Bad Max-Forwards");
	refused(FIELD("Max-Forwards: -1"), 0, 400, "Bad Max-Forwards");
	refused(FIELD("Max-Forwards:"), 0, 400, "Bad Max-Forwards");
	refused(FIELD("Content-Length: -999"), 0, 400, "Bad Content-Length");
	refused(FIELD("Content-Length: 1"), 0, 400, "Bad Content-Length");
	refused(FIELD("Content-Length: 99999999999999999999"), 0, 400, "Bad Content-Length");
	refused(FIELD("CSeq: 2147483648 BYE"), 0, 400, "Bad CSeq");
	refused(FIELD("CSeq: -1 BYE"), 0, 400, "Bad CSeq");
	refused(FIELD("CSeq: 1"), 0, 400, "Bad CSeq");
	refused(FIELD("CSeq: 1 BYE x"), 0, 400, "Bad CSeq");
	refused(FIELD("CSeq: BYE"), 0, 400, "Bad CSeq");
	refused(FIELD("CSeq: 1 INVITE"), 0, 400, "CSeq Method Mismatch");
	refused(FIELD("CSeq: 1 bye"), 0, 400, "CSeq Method Mismatch");
	refused(FIELD("Call-ID:"), 0, 400, "Bad Call-ID");
	refused(FIELD("Call-ID: a b"), 0, 400, "Bad Call-ID");
	refused(FIELD("To: \"Mr. J. User <sip:j.user@example.com>"), 0, 400, "Bad To");
	refused(FIELD("To: < sip:a@b >"), 0, 400, "Bad To");
	refused(FIELD("To: alan@jasomi.com"), 0, 400, "Bad To");
	refused(FIELD("To: <sip:a@b"), 0, 400, "Bad To");
	refused(FIELD("To: <sip:a@b>;"), 0, 400, "Bad To");
	refused(FIELD("To:"), 0, 400, "Bad To");
	refused(FIELD("From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43"), 0, 400,
	        "Bad From");
	refused(FIELD("From: sip:a@b?x=y"), 0, 400, "Bad From");
	refused(FIELD("From: sip:a@b,sip:c@d"), 0, 400, "Bad From");
	refused(FIELD("no colon here"), 0, 400, "Bad Header Field");
	refused(FIELD(": no name"), 0, 400, "Bad Header Field");
	refused(FIELD("na(me: x"), 0, 400, "Bad Header Field");
	refused(FIELD("X: a\nY: b"), 0, 400, "Bad Header Field");
	refused(FIELD("X: a\rY: b"), 0, 400, "Bad Header Field");
	refused(FIELD(" X: folded start line"), 0, 400, "Bad Header Field");
	refused(FIELD("Via: SIP/2.0/UDP 192.0.2.15;;,;,,"), 0, 400, "Bad Via");
	dropped(FIELD("Via: SIP/2.0/UDP"));
}
END_TEST

START_TEST(refused_request_is_read_to_its_end)
{
	struct sip_msg *msg;

	ck_assert_int_eq(sip_msg_parse_text(STR("BYE sip:bob@example.com SIP/9.0\r\nbad\r\n"
	                                        "Via: SIP/2.0/UDP 192.0.2.1\r\nl: x\r\n"
	                                        "From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>;tag=2\r\n"
	                                        "Call-ID: x\r\nCSeq: 5 BYE\r\n\r\n"),
	                                    0, &msg),
	                 BELFRY_EPARSE);
	ck_assert_int_eq(msg->error, 505); /* the first stays */
	ck_assert_str_is(msg->from_tag, "1");
	ck_assert_str_is(msg->to_tag, "2");
	ck_assert_str_is(msg->call_id, "x");
	ck_assert_uint_eq(msg->cseq, 5);
	ck_assert_int_eq(msg->method, SIP_M_BYE);
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(response_with_any_fault_is_dropped)
{
	dropped(STR("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\nTo: <sip:c@d>\r\n"
	            "Call-ID: x\r\nCSeq: 9292394834772304023312 OPTIONS\r\n\r\n"));
	dropped(STR("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\nTo: <sip:c@d>\r\n"
	            "CSeq: 1 OPTIONS\r\n\r\n"));
	dropped(STR("SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\nTo: <sip:c@d>\r\n"
	            "Call-ID: x\r\nCSeq: 1 OPTIONS\r\nl: 3\r\n\r\nab"));
}
END_TEST

START_TEST(incomplete_head_is_refused)
{
	refused(STR("BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\n"
	            "To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n"),
	        0, 400, "Incomplete Header");
	refused(STR("BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b"), 0, 400,
	        "Incomplete Header");
	dropped(STR("BYE sip:a@b SIP/2.0\r\n"));
	dropped(STR("BYE sip:a@b SIP/2.0"));
}
END_TEST

START_TEST(body_is_what_content_length_says)
{
	struct sip_msg *msg = test_parse(TEST_REQUEST("l:3\r\n", "body"));

	ck_assert(msg->body_cut);
	ck_assert_str_is(msg->body, "bod");
	ck_assert_uint_eq(msg->text.n, msg->body_off + 3);
	sip_msg_unref(&msg);
	msg = test_parse(TEST_REQUEST("", "body"));
	ck_assert(!msg->body_cut);
	ck_assert_str_is(msg->body, "body");
	sip_msg_unref(&msg);
	refused(TEST_REQUEST("l: 5\r\n", "body"), 0, 400, "Bad Content-Length");
	refused(TEST_REQUEST("", "body"), SIP_PARSE_STREAM, 400, "Missing Content-Length");
	ck_assert_int_eq(sip_msg_parse_text(TEST_REQUEST("", "body"), SIP_PARSE_FRAME, &msg), 0);
	ck_assert_str_is(msg->body, "body");
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(max_forwards_above_255_counts_as_255)
{
	struct sip_msg *msg = test_parse(FIELD("Max-Forwards: 300"));

	ck_assert_int_eq(msg->max_forwards, 255);
	sip_msg_unref(&msg);
	msg = test_parse(FIELD("Max-Forwards: 0000000000000000000000000000"));
	ck_assert_int_eq(msg->max_forwards, 0);
	sip_msg_unref(&msg);
	msg = test_parse(FIELD("MAX-forwards\t : 99999999999999999999999999"));
	ck_assert_int_eq(msg->max_forwards, 255);
	sip_msg_unref(&msg);
	msg = test_parse(FIELD("CSeq2: x"));
	ck_assert_int_eq(msg->max_forwards, -1);
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(cseq_goes_up_to_2_to_the_31_less_1)
{
	struct sip_msg *msg = test_parse(
		STR("BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\n"
	            "To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 0002147483647\r\n\tBYE\r\n\r\n"));

	ck_assert_uint_eq(msg->cseq, 2147483647);
	sip_msg_unref(&msg);
}
END_TEST

static void many(const char *line, int n, const char *why)
{
	size_t cap = 400 + (size_t)n * strlen(line);
	char *p = malloc(cap), *at = p;
	struct sip_msg *msg;

	at += sprintf(at, "BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nFrom: <sip:a@b>\r\n"
	                  "To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 BYE\r\n");
	for (int i = 0; i < n; i++) {
		at = stpcpy(at, line);
	}
	strcpy(at, "\r\n");
	if (why) {
		refused(str_from(p), 0, 400, why);
	} else {
		msg = test_parse(str_from(p));
		ck_assert_uint_eq(msg->headers_n, (unsigned int)n + 5);
		/* The array grew by copying: nothing was lost. */
		ck_assert_str_is(sip_msg_value(msg, 3), "x");
		ck_assert_int_eq(msg->headers[n + 4].id, sip_hdr_find(str_make(line, 1)));
		sip_msg_unref(&msg);
	}
	free(p);
}

START_TEST(fields_and_via_values_have_a_limit)
{
	many("k: 1\r\n", 100, NULL);
	many("u: 1\r\n", SIP_HEADERS_MAX - 5, NULL);
	many("u: 1\r\n", SIP_HEADERS_MAX - 4, "Too Many Header Fields");
	many("v: SIP/2.0/UDP h\r\n", SIP_VIAS_MAX - 1, NULL);
	many("v: SIP/2.0/UDP h\r\n", SIP_VIAS_MAX, "Too Many Via Values");
	many("v: SIP/2.0/UDP h,SIP/2.0/UDP \"a,b\"\r\n", SIP_VIAS_MAX / 2, "Too Many Via Values");
}
END_TEST

START_TEST(message_above_64_kib_is_dropped)
{
	char *p = malloc(SIP_MSG_MAX + 1);
	struct str head = TEST_REQUEST("", "");
	struct sip_msg *msg;

	memset(p, 'x', SIP_MSG_MAX + 1);
	memcpy(p, head.p, head.n);
	msg = test_parse(str_make(p, SIP_MSG_MAX));
	sip_msg_unref(&msg);
	dropped(str_make(p, SIP_MSG_MAX + 1));
	free(p);
}
END_TEST

START_TEST(message_and_header_array_fit_one_arena_chunk)
{
	ck_assert_uint_lt(sizeof(struct sip_msg) + 32 * sizeof(struct sip_header), ARENA_CHUNK / 2);
}
END_TEST

static int parse_buffer(void *arg)
{
	struct str text = *(const struct str *)arg;
	struct msgbuf_pool *bufs = msgbuf_pool_new(2);
	struct msgbuf *buf = bufs ? msgbuf_new(bufs, text.n) : NULL;
	struct arena_pool pool;
	struct sip_msg *msg = NULL;
	int err = -ENOMEM;

	arena_pool_init(&pool, 4);
	if (buf) {
		memcpy(buf->data, text.p, text.n);
		err = sip_msg_parse(msgbuf_ref(buf), text.n, 0, &pool, bufs, &msg);
		if (err == 0) {
			struct sip_msg *second = sip_msg_ref(msg);

			ck_assert_uint_eq(buf->refs, 2);
			sip_msg_unref(&msg);
			ck_assert_str_is(second->call_id, "c1@192.0.2.1");
			sip_msg_unref(&second);
		} else {
			ck_assert_int_eq(err, -ENOMEM);
			ck_assert_ptr_null(msg);
		}
		ck_assert_uint_eq(buf->refs, 1);
		msgbuf_unref(&buf, bufs);
	}
	arena_pool_fini(&pool);
	if (bufs) {
		ck_assert_uint_eq(msgbuf_pool_used(bufs), 0);
		msgbuf_pool_free(bufs);
	}
	return err;
}

START_TEST(parser_gives_the_buffer_back_whatever_happens)
{
	struct str small = TEST_REQUEST("", "");
	char *p = malloc(8192), *at;
	struct str large = str_make(p, 0);

	oom_each(parse_buffer, &small);
	at = p + sprintf(p, "%.*s", (int)small.n - 2, small.p);
	for (int i = 0; i < 300; i++) { /* the array of fields outgrows a chunk */
		at = stpcpy(at, "Foo: bar\r\n");
	}
	at = stpcpy(at, "\r\n");
	large.n = (size_t)(at - p);
	oom_each(parse_buffer, &large);
	free(p);
}
END_TEST

UNIT_MAIN("sip/msg", request_is_decoded_where_routing_needs_it,
          header_array_tells_where_each_field_is, response_is_decoded, leading_crlfs_are_skipped,
          request_line_must_be_as_the_grammar_has_it, version_is_read_in_any_case,
          status_line_must_be_as_the_grammar_has_it,
          request_uri_above_8_kib_is_414_even_when_it_is_bad, each_missing_mandatory_field_is_named,
          second_field_of_a_single_kind_is_refused, bad_fields_are_refused_by_name,
          refused_request_is_read_to_its_end, response_with_any_fault_is_dropped,
          incomplete_head_is_refused, body_is_what_content_length_says,
          max_forwards_above_255_counts_as_255, cseq_goes_up_to_2_to_the_31_less_1,
          fields_and_via_values_have_a_limit, message_above_64_kib_is_dropped,
          message_and_header_array_fit_one_arena_chunk,
          parser_gives_the_buffer_back_whatever_happens)
