/* SPDX-License-Identifier: Apache-2.0 */
#include "client/words.h"

#include "support/unit.h"

#include <stdio.h>
#include <unistd.h>

static json_t *command(void)
{
	return json_pack("{s:s, s:[{s:s,s:s,s:b}, {s:s,s:s,s:b}, {s:s,s:s,s:b}, {s:s,s:s,s:b}, "
	                 "{s:s,s:s,s:b}]}",
	                 "name", "trace", "args", "name", "uri", "kind", "positional", "optional",
	                 0, "name", "call_id", "kind", "option", "optional", 1, "name", "v", "kind",
	                 "flag", "optional", 1, "name", "message", "kind", "file", "optional", 1,
	                 "name", "pcap", "kind", "outfile", "optional", 1);
}

static json_t *params(const char *why_want, int n, char **words)
{
	json_t *c = command(), *p;
	const char *why = "";

	p = words_params(c, words, n, &why);
	if (why_want) {
		ck_assert_ptr_null(p);
		ck_assert_msg(strstr(why, why_want) != NULL, "%s", why);
	} else {
		ck_assert_msg(p != NULL, "%s", why);
	}
	json_decref(c);
	return p;
}

#define PARAMS(why, ...)                                                                           \
	params((why), sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *), (char *[]){ __VA_ARGS__ })

START_TEST(options_are_typed_with_hyphens_and_sent_with_underscores)
{
	json_t *p = PARAMS(NULL, "--call-id", "x", "sip:a@b", "-v", "--pcap=file");

	ck_assert_str_eq(json_string_value(json_object_get(p, "call_id")), "x");
	ck_assert_str_eq(json_string_value(json_object_get(p, "uri")), "sip:a@b");
	ck_assert_str_eq(json_string_value(json_object_get(p, "pcap")), "file");
	ck_assert(json_is_true(json_object_get(p, "v")));
	json_decref(p);
}
END_TEST

START_TEST(the_content_of_a_file_is_sent)
{
	char path[] = "/tmp/belfry-words-XXXXXX";
	int fd = mkstemp(path);
	json_t *p;

	ck_assert_int_eq(write(fd, "one\r\ntwo", 8), 8);
	p = PARAMS(NULL, "sip:a@b", "--message", path);
	ck_assert_str_eq(json_string_value(json_object_get(p, "message")), "one\r\ntwo");
	json_decref(p);
	ck_assert_int_eq(write(fd, "\xff", 1), 1);
	PARAMS("UTF-8", "sip:a@b", "--message", path);
	ck_assert_int_eq(ftruncate(fd, 65537), 0);
	PARAMS("too large", "sip:a@b", "--message", path);
	close(fd);
	(void)unlink(path);
	PARAMS("cannot be read", "sip:a@b", "--message", path);
}
END_TEST

START_TEST(what_is_wrong_is_told)
{
	PARAMS("missing", "-v");
	PARAMS("no such option", "sip:a@b", "-x");
	PARAMS("no such option", "sip:a@b", "--nothing");
	PARAMS("no such option", "sip:a@b", "--v=1");
	PARAMS("lacks its value", "sip:a@b", "--call-id");
	PARAMS("too many", "sip:a@b", "more");
}
END_TEST

UNIT_MAIN("client/words", options_are_typed_with_hyphens_and_sent_with_underscores,
          the_content_of_a_file_is_sent, what_is_wrong_is_told)
