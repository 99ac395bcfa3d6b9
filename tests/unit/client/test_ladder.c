/* SPDX-License-Identifier: Apache-2.0 */
#include "client/ladder.h"

#include "support/unit.h"

#include <time.h>

static char *text; /* what was drawn */
static size_t text_n;
static FILE *out;

static struct ladder *begin(unsigned width, bool with_text)
{
	setenv("TZ", "UTC", 1);
	tzset();
	out = open_memstream(&text, &text_n);
	return ladder_new(out, width, with_text);
}

static void end(struct ladder *l)
{
	ladder_free(l);
	(void)fclose(out);
	free(text);
}

static void draw(struct ladder *l, json_t *m)
{
	ck_assert_ptr_nonnull(m);
	ladder_message(l, m);
	json_decref(m);
}

static json_t *request(const char *from, const char *call_id, const char *method)
{
	return json_pack("{s:f, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "time",
	                 1767225600.25, "direction", "received", "transport", "udp", "source", from,
	                 "destination", "192.0.2.1:5060", "call_id", call_id, "from",
	                 "sip:alice@example.com", "to", "sip:bob@example.com", "cseq", "1 INVITE",
	                 "method", method);
}

static json_t *sent(const char *to, const char *call_id, int status, const char *reason)
{
	return json_pack("{s:f, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:s}", "time",
	                 1767225600.5, "direction", "sent", "transport", "tcp", "source",
	                 "192.0.2.1:5060", "destination", to, "call_id", call_id, "from",
	                 "sip:alice@example.com", "to", "sip:bob@example.com", "cseq", "1 INVITE",
	                 "status", status, "reason", reason);
}

START_TEST(a_call_is_drawn_between_its_columns)
{
	struct ladder *l = begin(100, false);
	json_t *m;

	draw(l, request("198.51.100.7:5060", "c1", "INVITE"));
	m = request("x", "c1", "INVITE");
	json_object_set_new(m, "direction", json_string("sent"));
	json_object_set_new(m, "destination", json_string("203.0.113.9:5062"));
	draw(l, m);
	draw(l, sent("198.51.100.7:5060", "c1", 180, "Ringing"));
	ck_assert_str_eq(
		text, "[1] sip:alice@example.com -> sip:bob@example.com  Call-ID c1\n"
		      "                198.51.100.7:5060         belfry\n"
		"00:00:00.250            |------ INVITE ----->|  udp  1 INVITE\n"
		"                198.51.100.7:5060         belfry          203.0.113.9:5062\n"
		"00:00:00.250            |                    |------ INVITE ----->|  udp  1 "
		"INVITE\n"
		"00:00:00.500            |<--- 180 Ringing ---|                    |  tcp  1 "
		"INVITE\n");
	end(l);
}
END_TEST

START_TEST(calls_are_numbered_and_told_apart)
{
	struct ladder *l = begin(100, false);

	draw(l, request("198.51.100.7:5060", "c1", "INVITE"));
	draw(l, request("198.51.100.7:5060", "c2", "BYE"));
	ck_assert_ptr_nonnull(strstr(text, "\n\n[2] sip:alice@example.com"));
	ck_assert_ptr_nonnull(strstr(text, "- BYE -"));
	ck_assert_ptr_nonnull(strstr(text, ">|  udp  1 INVITE  [2]\n"));
	draw(l, sent("198.51.100.7:5060", "c1", 486, "Busy Here"));
	ck_assert_ptr_nonnull(strstr(text, "486 Busy Here"));
	ck_assert_ptr_nonnull(strstr(text, "tcp  1 INVITE  [1]\n"));
	end(l);
}
END_TEST

START_TEST(the_column_longest_unused_makes_room)
{
	struct ladder *l = begin(80, false); /* two peers */
	char addr[32];

	for (int i = 0; i < 5; i++) {
		(void)snprintf(addr, sizeof(addr), "192.0.2.%d:5060", 10 + i);
		draw(l, request("192.0.2.99:5060", "c1", "OPTIONS"));
		draw(l, sent(addr, "c1", 200, "OK"));
	}
	ck_assert_ptr_nonnull(strstr(text, "192.0.2.14:5060\n"));
	for (const char *line = text; line && *line;) {
		const char *nl = strchr(line, '\n');

		ck_assert_ptr_nonnull(nl);
		ck_assert_int_le(nl - line, 100);
		line = nl + 1;
	}
	end(l);
}
END_TEST

START_TEST(nothing_steers_the_terminal)
{
	struct ladder *l = begin(100, true);
	json_t *m = request("198.51.100.7:5060", "c\x1b[2J", "INV\x1b]0;x\x07");

	json_object_set_new(m, "text", json_string("INVITE \x1b[31m\r\nX: \xc2\x9b\r\n\r\nbody"));
	draw(l, m);
	m = request("198.51.100.7:5060", "d", "INVITE");
	json_object_set_new(m, "cseq", json_string("1\x1b[2J"));
	json_object_set_new(m, "base64", json_string("SU5WSVRFIP8bAGEK"));
	draw(l, m);
	for (size_t i = 0; i < text_n; i++) {
		ck_assert_msg((unsigned char)text[i] >= 0x20 || text[i] == '\n', "at %zu: %s", i,
		              text);
	}
	ck_assert_ptr_null(strchr(text, 0x7f));
	ck_assert_ptr_null(strstr(text, "\xc2\x9b"));
	ck_assert_ptr_nonnull(strstr(text, "\n\nINVITE ?[31m\nX: ??\n\nbody\n\n"));
	ck_assert_ptr_nonnull(strstr(text, "\nINVITE ???a\n"));
	end(l);
}
END_TEST

START_TEST(what_is_too_long_is_cut)
{
	struct ladder *l = begin(60, false);
	char reason[400], id[400];

	memset(reason, 'r', sizeof(reason) - 1);
	reason[sizeof(reason) - 1] = '\0';
	memset(id, 'i', sizeof(id) - 1);
	id[sizeof(id) - 1] = '\0';
	draw(l, sent("[2001:db8:1111:2222:3333:4444:5555:6666]:50600", id, 200, reason));
	ck_assert_ptr_nonnull(strstr(text, "..555:6666]:50600"));
	ck_assert_ptr_nonnull(strstr(text, "200 rrrrrr.. "));
	draw(l, request("198.51.100.7:5060", id, "AVERYLONGMETHODNAMETHATFITSNOWHERE"));
	ck_assert_ptr_nonnull(strstr(text, "AVERYLONGM.."));
	end(l);
}
END_TEST

START_TEST(a_message_without_facts_is_drawn_all_the_same)
{
	struct ladder *l = begin(100, true);

	draw(l, json_pack("{s:f}", "time", 0.0));
	draw(l, json_pack("{s:f, s:s, s:s}", "time", 0.0, "direction", "sent", "start_line",
	                  "SIP/2.0 nonsense"));
	ck_assert_ptr_nonnull(strstr(text, " SIP/2.0 nonse.. "));
	ladder_dropped(l, 7);
	ck_assert_ptr_nonnull(strstr(text, "... 7 messages are not shown"));
	end(l);
}
END_TEST

START_TEST(without_memory_there_is_no_ladder)
{
	oom_fail_at(1);
	ck_assert_ptr_null(ladder_new(stdout, 80, false));
	oom_off();
}
END_TEST

UNIT_MAIN("client/ladder", a_call_is_drawn_between_its_columns, calls_are_numbered_and_told_apart,
          the_column_longest_unused_makes_room, nothing_steers_the_terminal,
          what_is_too_long_is_cut, a_message_without_facts_is_drawn_all_the_same,
          without_memory_there_is_no_ladder)
