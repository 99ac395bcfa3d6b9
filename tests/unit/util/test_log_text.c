/* SPDX-License-Identifier: Apache-2.0 */
#include "util/log_text.h"

#include "support/unit.h"

#include <jansson.h>

static char space[LOG_LINE_MAX];

static struct str print(enum log_format format, const struct log_field *fields, size_t n)
{
	const struct log_line line = {
		.level = LOG_LVL_NOTICE, .event = "test.event", .fields = fields, .n = n
	};
	struct sbuf out;

	sbuf_init(&out, space, sizeof(space));
	log_text_print(&out, &line, format);
	ck_assert(sbuf_ok(&out));
	return sbuf_str(&out);
}

#define PRINT(format, ...)                                                                         \
	print((format), (const struct log_field[]){ __VA_ARGS__ },                                 \
	      sizeof((const struct log_field[]){ __VA_ARGS__ }) / sizeof(struct log_field))

START_TEST(logfmt_quotes_only_what_needs_it)
{
	ck_assert_str_is(PRINT(LOG_AS_LOGFMT, LOG_Z("aor", "sip:alice@example.com"),
	                       LOG_Z("empty", ""), LOG_I("i", -5), LOG_U("u", UINT64_MAX),
	                       LOG_B("b", true), LOG_Z("s", "a b"), LOG_Z("q", "say \"x\""),
	                       LOG_Z("eq", "a=b"), LOG_Z("u8", "gr\xc3\xbc\xc3\x9f")),
	                 "level=notice event=test.event aor=sip:alice@example.com empty=\"\" i=-5 "
	                 "u=18446744073709551615 b=true s=\"a b\" q=\"say \\\"x\\\"\" eq=\"a=b\" "
	                 "u8=gr\xc3\xbc\xc3\x9f");
}
END_TEST

START_TEST(logfmt_lets_no_control_character_through)
{
	ck_assert_str_is(PRINT(LOG_AS_LOGFMT, LOG_Z("a", "x\r\nevent=forged"),
	                       LOG_S("n", STR("\0")), LOG_Z("e", "\x1b[2J\x7f\t"),
	                       LOG_Z("c1", "\xc2\x9b"
	                                   "2J")),
	                 "level=notice event=test.event a=\"x\\r\\nevent=forged\" n=\"\\x00\" "
	                 "e=\"\\x1b[2J\\x7f\\t\" c1=\"\\xc2\\x9b2J\"");
}
END_TEST

START_TEST(logfmt_escapes_what_is_not_utf8)
{
	/* a lone byte, an overlong slash, a surrogate, above U+10FFFF, one cut off */
	ck_assert_str_is(PRINT(LOG_AS_LOGFMT, LOG_Z("a", "\xff"), LOG_Z("b", "\xc0\xaf"),
	                       LOG_Z("c", "\xed\xa0\x80"), LOG_Z("d", "\xf4\x90\x80\x80"),
	                       LOG_Z("e", "\xe2\x82"), LOG_Z("f", "\xe2\x82\xac\xf0\x9f\x94\x94")),
	                 "level=notice event=test.event a=\"\\xff\" b=\"\\xc0\\xaf\" "
	                 "c=\"\\xed\\xa0\\x80\" d=\"\\xf4\\x90\\x80\\x80\" e=\"\\xe2\\x82\" "
	                 "f=\xe2\x82\xac\xf0\x9f\x94\x94");
}
END_TEST

START_TEST(json_is_read_back_as_it_was_given)
{
	struct str line =
		PRINT(LOG_AS_JSON, LOG_Z("aor", "a \"b\" \\ \n \x01 \xc3\xbc"), LOG_I("i", -5),
	              LOG_U("u", 7), LOG_B("yes", true), LOG_B("no", false), LOG_Z("bad", "x\xffy"),
	              LOG_S("none", STR_NONE));
	json_t *root = json_loadb(line.p, line.n, 0, NULL);

	ck_assert_msg(root != NULL, "%.*s", STR_FMT(line));
	ck_assert_ptr_nonnull(strstr(line.p, "\"event\":\"test.event\""));
	ck_assert_str_eq(json_string_value(json_object_get(root, "event")), "test.event");
	ck_assert_str_eq(json_string_value(json_object_get(root, "level")), "notice");
	ck_assert_str_eq(json_string_value(json_object_get(root, "aor")),
	                 "a \"b\" \\ \n \x01 \xc3\xbc");
	ck_assert_int_eq(json_integer_value(json_object_get(root, "i")), -5);
	ck_assert_int_eq(json_integer_value(json_object_get(root, "u")), 7);
	ck_assert(json_is_true(json_object_get(root, "yes")));
	ck_assert(json_is_false(json_object_get(root, "no")));
	ck_assert_str_eq(json_string_value(json_object_get(root, "bad")), "x\xef\xbf\xbdy");
	ck_assert_str_eq(json_string_value(json_object_get(root, "none")), "");
	json_decref(root);
}
END_TEST

START_TEST(log_text_cuts_long_values_between_characters)
{
	char value[LOG_VALUE_MAX + 2];
	struct str line;

	memset(value, 'v', sizeof(value));
	value[LOG_VALUE_MAX - 1] = (char)0xc3; /* a two-byte letter over the edge */
	value[LOG_VALUE_MAX] = (char)0xbc;
	line = PRINT(LOG_AS_LOGFMT, LOG_S("v", str_make(value, sizeof(value))));
	ck_assert(str_ends(line, STR("vvv...\"")));
	ck_assert_uint_eq(line.n,
	                  strlen("level=notice event=test.event v=\"...\"") + LOG_VALUE_MAX - 1);
}
END_TEST

START_TEST(log_text_leaves_out_fields_that_do_not_fit_and_says_so)
{
	char value[LOG_VALUE_MAX];

	memset(value, 1, sizeof(value)); /* four or six bytes each when escaped */
	for (int format = LOG_AS_LOGFMT; format <= LOG_AS_JSON; format++) {
		struct str line =
			PRINT((enum log_format)format, LOG_Z("first", "1"),
		              LOG_S("big", str_make(value, sizeof(value))), LOG_Z("last", "9"));

		ck_assert_uint_lt(line.n, LOG_LINE_MAX);
		if (format == LOG_AS_LOGFMT) {
			ck_assert_str_is(line, "level=notice event=test.event first=1 last=9 "
			                       "truncated=true");
		} else {
			ck_assert_str_is(line,
			                 "{\"level\":\"notice\",\"event\":\"test.event\","
			                 "\"first\":\"1\",\"last\":\"9\",\"truncated\":true}");
		}
	}
}
END_TEST

START_TEST(log_text_prints_the_time_in_utc)
{
	const struct log_field field = LOG_U("n", 1);
	const struct log_line line = { .time = { .tv_sec = 1000000000, .tv_nsec = 1234567 },
		                       .level = LOG_LVL_ERROR,
		                       .event = "e",
		                       .fields = &field,
		                       .n = 1 };
	struct sbuf out;

	sbuf_init(&out, space, sizeof(space));
	log_text_print(&out, &line, LOG_AS_LOGFMT);
	ck_assert_str_is(sbuf_str(&out), "ts=2001-09-09T01:46:40.001234Z level=error event=e n=1");
	sbuf_init(&out, space, sizeof(space));
	log_text_print(&out, &line, LOG_AS_JSON);
	ck_assert_str_is(sbuf_str(&out), "{\"ts\":\"2001-09-09T01:46:40.001234Z\","
	                                 "\"level\":\"error\",\"event\":\"e\",\"n\":1}");
}
END_TEST

UNIT_MAIN("util/log_text", logfmt_quotes_only_what_needs_it,
          logfmt_lets_no_control_character_through, logfmt_escapes_what_is_not_utf8,
          json_is_read_back_as_it_was_given, log_text_cuts_long_values_between_characters,
          log_text_leaves_out_fields_that_do_not_fit_and_says_so, log_text_prints_the_time_in_utc)
