/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/framer.h"

#include "sip_test.h"

static enum sip_frame next(struct str data, size_t max, size_t *n_r)
{
	struct sip_framer f = { 0 };

	return sip_framer_next(&f, data, max, n_r);
}

static void check(const char *data, enum sip_frame want, size_t n_want)
{
	size_t n;

	ck_assert_msg(next(str_from(data), SIP_MSG_MAX, &n) == want, "%s", data);
	ck_assert_uint_eq(n, n_want);
}

START_TEST(framer_cuts_messages_by_content_length)
{
	check("BYE x\r\nl: 4\r\n\r\nbodyBYE", SIP_FRAME_MESSAGE, 19);
	check("BYE x\r\nContent-Length :\r\n 4\r\nX: y\r\n\r\nbody", SIP_FRAME_MESSAGE, 41);
	check("BYE x\r\nl: 0\r\n\r\n", SIP_FRAME_MESSAGE, 15);
	check("BYE x\r\nl: 4\r\n\r\nbod", SIP_FRAME_MORE, 0);
	check("BYE x\r\nl: 4\r\n\r", SIP_FRAME_MORE, 0);
	check("B", SIP_FRAME_MORE, 0);
	check("", SIP_FRAME_MORE, 0);
	check("BYE x\r\nl: 4\r\nContent-Length: 4\r\n\r\nbody", SIP_FRAME_MESSAGE, 38);
}
END_TEST

START_TEST(rfc5626_3_5_1_double_crlf_is_a_keepalive)
{
	check("\r\n\r\n", SIP_FRAME_KEEPALIVE, 4);
	check("\r\n\r\n\r\nBYE", SIP_FRAME_KEEPALIVE, 4);
	check("\r\nBYE x", SIP_FRAME_CRLF, 2);
	check("\r", SIP_FRAME_MORE, 0);
	check("\r\n", SIP_FRAME_MORE, 0);
	check("\r\n\r", SIP_FRAME_MORE, 0);
	check("\r\n\rx", SIP_FRAME_CRLF, 2);
}
END_TEST

START_TEST(what_is_no_sip_is_told_by_its_first_byte)
{
	size_t n;

	check("\rx", SIP_FRAME_NOT_SIP, 0);
	check("\n", SIP_FRAME_NOT_SIP, 0);
	check(" BYE", SIP_FRAME_NOT_SIP, 0);
	ck_assert_int_eq(next(STR("\0\1\0\0"), SIP_MSG_MAX, &n), SIP_FRAME_NOT_SIP);
	ck_assert_int_eq(next(STR("\x16\x03\x01"), SIP_MSG_MAX, &n), SIP_FRAME_NOT_SIP);
}
END_TEST

START_TEST(message_that_cannot_be_delimited_ends_the_stream)
{
	check("BYE x\r\nX: y\r\n\r\nl: 4\r\n", SIP_FRAME_NO_LENGTH, 15);
	check("BYE x\r\n\r\n", SIP_FRAME_NO_LENGTH, 9);
	check("BYE x\r\nl: -1\r\n\r\n", SIP_FRAME_BAD, 16);
	check("BYE x\r\nl: 4 x\r\n\r\nbody", SIP_FRAME_BAD, 17);
	check("BYE x\r\nl:\r\n\r\n", SIP_FRAME_BAD, 13);
	check("BYE x\r\nl: 13\r\nl: 5\r\n\r\n", SIP_FRAME_BAD, 22);
}
END_TEST

START_TEST(head_or_message_above_the_limit_is_told)
{
	size_t n;

	ck_assert_int_eq(next(STR("BYE x\r\nl: 4\r\n\r\nbody"), 19, &n), SIP_FRAME_MESSAGE);
	ck_assert_int_eq(next(STR("BYE x\r\nl: 4\r\n\r\nbody"), 18, &n), SIP_FRAME_TOO_LARGE);
	ck_assert_uint_eq(n, 18);
	ck_assert_int_eq(next(STR("BYE x\r\nl: 4\r\n\r\n"), 18, &n), SIP_FRAME_TOO_LARGE);
	ck_assert_uint_eq(n, 15);
	ck_assert_int_eq(next(STR("BYE x\r\nl: 4\r\n\r\n"), 14, &n), SIP_FRAME_TOO_LARGE);
	ck_assert_int_eq(next(STR("BYE xxxxxxxxxxxx"), 14, &n), SIP_FRAME_TOO_LARGE);
	ck_assert_int_eq(next(STR("BYE x\r\nl: 4294967295\r\n\r\n"), SIP_MSG_MAX, &n),
	                 SIP_FRAME_TOO_LARGE);
	ck_assert_int_eq(next(STR("BYE x\r\nl: 99999999999999999999\r\n\r\n"), SIP_MSG_MAX, &n),
	                 SIP_FRAME_TOO_LARGE);
}
END_TEST

/* A stream of every kind of thing, given in pieces of @step bytes. */
static void feed(struct str stream, size_t step, char *log)
{
	struct sip_framer f = { 0 };
	size_t begin = 0, there = 0, n;

	for (;;) {
		struct str data = str_make(stream.p + begin, there - begin);

		switch (sip_framer_next(&f, data, 1000, &n)) {
		case SIP_FRAME_MORE:
			if (there == stream.n) {
				return;
			}
			there = there + step < stream.n ? there + step : stream.n;
			continue;
		case SIP_FRAME_MESSAGE: log += sprintf(log, "M%zu ", n); break;
		case SIP_FRAME_KEEPALIVE: log += sprintf(log, "K%zu ", n); break;
		case SIP_FRAME_CRLF: log += sprintf(log, "C%zu ", n); break;
		default: ck_abort_msg("stream is not understood at %zu", begin);
		}
		ck_assert_uint_gt(n, 0);
		begin += n;
		f = (struct sip_framer){ 0 };
	}
}

START_TEST(stream_in_pieces_of_any_size_gives_the_same_messages)
{
	struct str stream =
		STR("\r\n\r\nBYE x\r\nl: 7\r\n\r\na\r\n\r\nbc\r\n\r\n\r\nACK y\r\nFoo: \r\n bar\r\n"
	            "CONTENT-length: 3\r\n\r\n\r\n\r\r\n\r\n\r\nSIP/2.0 200 OK\r\nl:0\r\n\r\n");
	char want[256], got[256];

	feed(stream, stream.n, want);
	ck_assert_str_eq(want, "K4 M22 K4 C2 M44 K4 C2 M23 ");
	for (size_t step = 1; step < stream.n; step++) {
		feed(stream, step, got);
		ck_assert_str_eq(got, want);
	}
}
END_TEST

UNIT_MAIN("sip/framer", framer_cuts_messages_by_content_length,
          rfc5626_3_5_1_double_crlf_is_a_keepalive, what_is_no_sip_is_told_by_its_first_byte,
          message_that_cannot_be_delimited_ends_the_stream, head_or_message_above_the_limit_is_told,
          stream_in_pieces_of_any_size_gives_the_same_messages)
