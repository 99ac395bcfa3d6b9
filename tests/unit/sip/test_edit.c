/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/edit.h"

#include "sip_test.h"

#include <errno.h>

static struct str edited(const struct sip_edits *e)
{
	struct sip_out out;

	ck_assert_int_eq(sip_edits_out(e, e->arena, &out), 0);
	return test_flatten(&out);
}

/* Whether the edited message holds @line. */
static bool holds(struct str text, const char *line)
{
	return memmem(text.p, text.n, line, strlen(line)) != NULL;
}

START_TEST(edits_of_all_kinds_leave_the_rest_as_it_was)
{
	struct sip_msg *msg = test_parse(TEST_REQUEST("Route: <sip:r@h;lr>\r\nX: y\r\n", "body"));
	struct sip_edits e;
	struct str got;

	sip_edits_init(&e, msg, &msg->arena);
	sip_edit_append(&e, STR("Z: 1\r\n"));
	sip_edit_set(&e, msg->first[SIP_H_MAX_FORWARDS], STR("69"));
	sip_edit_insert(&e, SIP_H_VIA, STR("Via: SIP/2.0/UDP proxy\r\n"));
	sip_edit_ruri(&e, STR("sip:bob@192.0.2.4"));
	sip_edit_insert(&e, SIP_H_ROUTE, STR("Route: <sip:first;lr>\r\n"));
	sip_edit_insert(&e, SIP_H_RECORD_ROUTE, STR("Record-Route: <sip:proxy;lr>\r\n"));
	sip_edit_append(&e, STR("Z: 2\r\n"));
	sip_edit_insert(&e, SIP_H_VIA, STR("Foo: behind the new Via\r\n"));
	got = edited(&e);
	ck_assert_str_is(got, "INVITE sip:bob@192.0.2.4 SIP/2.0\r\n"
	                      "Via: SIP/2.0/UDP proxy\r\n"
	                      "Foo: behind the new Via\r\n"
	                      "Via: SIP/2.0/UDP 192.0.2.1:5062;branch=z9hG4bKabc;rport\r\n"
	                      "From: \"Alice\" <sip:alice@example.com>;tag=a1\r\n"
	                      "To: <sip:bob@example.com>\r\n"
	                      "Call-ID: c1@192.0.2.1\r\n"
	                      "CSeq: 7 INVITE\r\n"
	                      "Max-Forwards: 69\r\n"
	                      "Route: <sip:first;lr>\r\n"
	                      "Route: <sip:r@h;lr>\r\n"
	                      "X: y\r\n"
	                      "Z: 1\r\n"
	                      "Record-Route: <sip:proxy;lr>\r\n"
	                      "Z: 2\r\n"
	                      "\r\nbody");
	test_free(got);
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(insertion_stands_where_the_field_behind_it_is_removed)
{
	struct sip_msg *msg =
		test_parse(TEST_REQUEST("Route: <sip:r1>\r\nRoute: <sip:r2>\r\n", ""));
	struct sip_edits e;
	struct str got;

	sip_edits_init(&e, msg, &msg->arena);
	sip_edit_remove_all(&e, SIP_H_ROUTE);
	sip_edit_insert(&e, SIP_H_ROUTE, STR("Route: <sip:new>\r\n"));
	sip_edit_append(&e, STR("Last: 1\r\n"));
	got = edited(&e);
	ck_assert(holds(got, "Max-Forwards: 70\r\nRoute: <sip:new>\r\nLast: 1\r\n\r\n"));
	test_free(got);
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(start_line_of_a_response_can_be_replaced)
{
	struct sip_msg *msg =
		test_parse(STR("SIP/2.0 503 Whatever\r\nVia: SIP/2.0/UDP p, SIP/2.0/UDP c\r\n"
	                       "From: <sip:a@b>\r\nTo: <sip:c@d>\r\nCall-ID: x\r\n"
	                       "CSeq: 1 BYE\r\n\r\n"));
	struct sip_edits e;
	struct str got;

	sip_edits_init(&e, msg, &msg->arena);
	sip_edit_start_line(&e, STR("SIP/2.0 500 Server Internal Error"));
	sip_edit_remove_top_via(&e);
	got = edited(&e);
	ck_assert_str_is(str_make(got.p, 62),
	                 "SIP/2.0 500 Server Internal Error\r\nVia: SIP/2.0/UDP c\r\nFrom: <");
	test_free(got);
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(top_via_alone_in_its_field_goes_with_the_field)
{
	struct sip_msg *msg =
		test_parse(STR("SIP/2.0 200 OK\r\nv: SIP/2.0/UDP p\r\n"
	                       "v: SIP/2.0/UDP c\r\nFrom: <sip:a@b>\r\nTo: <sip:c@d>\r\n"
	                       "Call-ID: x\r\nCSeq: 1 BYE\r\n\r\n"));
	struct sip_edits e;
	struct str got;

	sip_edits_init(&e, msg, &msg->arena);
	sip_edit_remove_top_via(&e);
	got = edited(&e);
	ck_assert(holds(got, "OK\r\nv: SIP/2.0/UDP c\r\nFrom"));
	test_free(got);
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(copied_edits_go_separate_ways)
{
	struct sip_msg *msg = test_parse(TEST_REQUEST("", ""));
	struct sip_edits common, a, b, none;
	struct str got;

	sip_edits_init(&common, msg, &msg->arena);
	sip_edits_copy(&none, &common, &msg->arena);
	sip_edit_set(&common, msg->first[SIP_H_MAX_FORWARDS], STR("69"));
	sip_edit_append(&common, STR("X: 0\r\n"));
	sip_edits_copy(&a, &common, &msg->arena);
	sip_edits_copy(&b, &common, &msg->arena);
	sip_edit_append(&a, STR("X: a\r\n"));
	sip_edit_ruri(&b, STR("sip:b"));
	sip_edit_append(&b, STR("X: b\r\n"));
	got = edited(&a);
	ck_assert(holds(got, "Max-Forwards: 69\r\nX: 0\r\nX: a\r\n\r\n"));
	ck_assert(holds(got, "INVITE sip:bob@example.com "));
	test_free(got);
	got = edited(&b);
	ck_assert(holds(got, "Max-Forwards: 69\r\nX: 0\r\nX: b\r\n\r\n"));
	ck_assert(holds(got, "INVITE sip:b "));
	test_free(got);
	got = edited(&none);
	ck_assert(str_eq(got, msg->text));
	test_free(got);
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(two_edits_of_the_same_bytes_are_told)
{
	struct sip_msg *msg = test_parse(TEST_REQUEST("", ""));
	int i = msg->first[SIP_H_MAX_FORWARDS];
	struct sip_edits e;
	struct sip_out out;

	sip_edits_init(&e, msg, &msg->arena);
	sip_edit_set(&e, i, STR("69"));
	sip_edit_remove(&e, i);
	ck_assert_int_eq(sip_edits_out(&e, &msg->arena, &out), -EINVAL);
	sip_edits_init(&e, msg, &msg->arena);
	sip_edit_remove(&e, i);
	sip_edit_set(&e, i, STR("69"));
	ck_assert_int_eq(sip_edits_out(&e, &msg->arena, &out), -EINVAL);
	sip_edits_init(&e, msg, &msg->arena);
	sip_edit_remove(&e, i);
	sip_edit_splice(&e, msg->headers[i].off + 3, 0, STR("x"));
	ck_assert_int_eq(sip_edits_out(&e, &msg->arena, &out), -EINVAL);
	sip_edits_init(&e, msg, &msg->arena);
	sip_edit_splice(&e, msg->headers[i].off + 3, 0, STR("x"));
	sip_edit_remove(&e, i);
	ck_assert_int_eq(sip_edits_out(&e, &msg->arena, &out), -EINVAL);
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(removals_may_overlap)
{
	struct sip_msg *msg = test_parse(TEST_REQUEST("", "0123456789"));
	uint32_t at = msg->body_off;
	struct sip_edits e;
	struct str got;

	sip_edits_init(&e, msg, &msg->arena);
	sip_edit_splice(&e, at + 1, 2, STR_NONE);
	sip_edit_splice(&e, at + 6, 2, STR_NONE);
	sip_edit_splice(&e, at + 2, 5, STR_NONE); /* touches both */
	sip_edit_splice(&e, at + 3, 1, STR_NONE); /* inside */
	sip_edit_splice(&e, at + 8, 1, STR_NONE); /* adjacent */
	got = edited(&e);
	ck_assert_str_is(str_skip(got, at), "09");
	test_free(got);
	sip_msg_unref(&msg);
}
END_TEST

START_TEST(output_of_very_many_spans_becomes_one)
{
	char *p = malloc(65536);
	size_t n =
		(size_t)sprintf(p, "%.*s", (int)TEST_REQUEST("", "").n - 2, TEST_REQUEST("", "").p);
	struct sip_msg *msg;
	struct sip_edits e;
	struct sip_out out;

	for (int i = 0; i < 200; i++) {
		n += (size_t)sprintf(p + n, "X-%d: 1\r\n", i);
	}
	strcpy(p + n, "\r\n");
	msg = test_parse(str_from(p));
	sip_edits_init(&e, msg, &msg->arena);
	for (int i = 6; i < msg->headers_n; i += 2) {
		sip_edit_set(&e, i, STR("two"));
	}
	ck_assert_int_eq(sip_edits_out(&e, &msg->arena, &out), 0);
	ck_assert_uint_eq(out.iov_n, 1);
	ck_assert_uint_eq(out.len, msg->text.n + 200);
	ck_assert_uint_eq(out.iov[0].iov_len, out.len);
	ck_assert_uint_eq(sip_out_copy(&out, p, 10), 0); /* what does not fit is not cut */
	sip_msg_unref(&msg);
	free(p);
}
END_TEST

#define VALUES_MAX 8

/* One or two Route fields with @n values (the first @cut of them in the first field), spelled with
 * odd white space. */
static size_t write_routes(char *p, unsigned int n, unsigned int cut, const bool *gone)
{
	static const char *const seps[] = { ", ", ",", " ,\r\n  ", " , " };
	char *at = p;
	unsigned int in_field = 0;
	bool open = false;

	for (unsigned int i = 0; i < n; i++) {
		if (i == 0 || i == cut) {
			if (open) {
				at = stpcpy(at, "\r\n");
			}
			open = false;
			in_field = 0;
		}
		if (gone && gone[i]) {
			continue;
		}
		if (!open) {
			at = stpcpy(at, "Route: ");
			open = true;
		} else {
			at = stpcpy(at, gone ? "," : seps[(i + n) % 4]);
		}
		at += sprintf(at, "<sip:r%u,x@h;lr>;p=\"a,%u\"", i, i);
		in_field++;
	}
	if (open) {
		at = stpcpy(at, "\r\n");
	}
	return (size_t)(at - p);
}

/* Without the white space around commas outside quotes and brackets. */
static struct str squeeze(struct str text)
{
	char *p = malloc(text.n ? text.n : 1), *to = p;
	bool quoted = false, bracketed = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		quoted ^= c == '"';
		bracketed = c == '<' || (bracketed && c != '>');
		if (c == ',' && !quoted && !bracketed) {
			while (to > p && (to[-1] == ' ' || to[-1] == '\r' || to[-1] == '\n')) {
				to--;
			}
			while (i + 1 < text.n && strchr(" \r\n", text.p[i + 1])) {
				i++;
			}
		}
		*to++ = c;
	}
	return str_make(p, (size_t)(to - p));
}

static void remove_in_order(struct sip_edits *e, const unsigned int *order, unsigned int n)
{
	for (unsigned int k = 0; k < n; k++) {
		struct sip_values it;

		sip_values_init(&it, e->msg, SIP_H_ROUTE);
		for (unsigned int i = 0; i <= order[k]; i++) {
			ck_assert(sip_values_next(&it));
		}
		sip_edit_remove_value(e, &it);
	}
}

static uint32_t random_state = 12345;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

static void check_subset(unsigned int n, unsigned int cut, unsigned int subset)
{
	char routes[2048], want[2048], text[8192], want_text[8192];
	unsigned int order[VALUES_MAX], order_n = 0;
	bool gone[VALUES_MAX] = { false };
	struct str got, squeezed;
	struct sip_msg *msg;
	struct sip_edits e;

	for (unsigned int i = 0; i < n; i++) {
		gone[i] = subset >> i & 1;
		if (gone[i]) {
			order[order_n++] = i;
		}
	}
	for (unsigned int i = order_n; i > 1; i--) { /* in any order */
		unsigned int k = random_below(i), t = order[k];

		order[k] = order[i - 1];
		order[i - 1] = t;
	}
	routes[write_routes(routes, n, cut, NULL)] = '\0';
	want[write_routes(want, n, cut, gone)] = '\0';
	sprintf(text, "%.*s%sX: y\r\n\r\n", (int)TEST_REQUEST("", "").n - 2, TEST_REQUEST("", "").p,
	        routes);
	sprintf(want_text, "%.*s%sX: y\r\n\r\n", (int)TEST_REQUEST("", "").n - 2,
	        TEST_REQUEST("", "").p, want);
	msg = test_parse(str_from(text));
	sip_edits_init(&e, msg, &msg->arena);
	remove_in_order(&e, order, order_n);
	got = edited(&e);
	squeezed = squeeze(got);
	ck_assert_msg(str_eq(squeezed, str_from(want_text)), "without 0x%x of %u/%u:\n%.*s", subset,
	              n, cut, STR_FMT(got));
	test_free(got);
	test_free(squeezed);
	sip_msg_unref(&msg);
}

START_TEST(any_subset_of_list_values_can_be_removed_in_any_order)
{
	for (unsigned int n = 1; n <= 6; n++) {
		for (unsigned int cut = 1; cut <= n; cut++) {
			for (unsigned int subset = 0; subset < 1u << n; subset++) {
				check_subset(n, cut, subset);
				check_subset(n, cut, subset);
			}
		}
	}
}
END_TEST

/* Random edits at line boundaries and values against a plain implementation that rebuilds the
 * message as a list of lines. */
START_TEST(random_edits_agree_with_a_plain_implementation)
{
	static const char *const more =
		"Route: <sip:r1;lr>\r\nX-1: a\r\nRoute: <sip:r2;lr>\r\nX-2: b\r\n";
	struct str base =
		TEST_REQUEST("Route: <sip:r1;lr>\r\nX-1: a\r\nRoute: <sip:r2;lr>\r\nX-2: b\r\n",
	                     "0123");

	ck_assert(holds(base, more));
	for (int round = 0; round < 3000; round++) {
		struct sip_msg *msg = test_parse(base);
		char before[16][256] = { { 0 } }, set[16][64] = { { 0 } }, want[8192], *at = want;
		bool gone[16] = { false };
		struct sip_edits e;
		struct str got;

		sip_edits_init(&e, msg, &msg->arena);
		for (uint32_t k = random_below(8); k > 0; k--) {
			int i = (int)random_below(msg->headers_n);
			struct str line = arena_printf(&msg->arena, "N: %u\r\n", k);
			struct str value = arena_printf(&msg->arena, "v%u", k);

			switch (random_below(4)) {
			case 0:
				sip_edit_splice(&e, msg->headers[i].off, 0, line);
				strcat(before[i], line.p);
				break;
			case 1:
				sip_edit_append(&e, line);
				strcat(before[msg->headers_n], line.p);
				break;
			case 2:
				if (!gone[i] && !set[i][0]) {
					sip_edit_set(&e, i, value);
					strcpy(set[i], value.p);
				}
				break;
			default:
				if (!set[i][0]) {
					sip_edit_remove(&e, i); /* twice is fine */
					gone[i] = true;
				}
			}
		}
		at += sprintf(at, "%.*s", (int)msg->headers_off, msg->text.p);
		for (int i = 0; i < msg->headers_n; i++) {
			const struct sip_header *h = &msg->headers[i];

			at += sprintf(at, "%s", before[i]);
			if (gone[i]) {
				continue;
			}
			at += sprintf(at, "%.*s", (int)(h->value_off - h->off),
			              msg->text.p + h->off);
			at += set[i][0] ? sprintf(at, "%s\r\n", set[i])
			                : sprintf(at, "%.*s\r\n", STR_FMT(sip_msg_value(msg, i)));
		}
		at += sprintf(at, "%s\r\n0123", before[msg->headers_n]);
		got = edited(&e);
		ck_assert_str_is(got, want);
		test_free(got);
		sip_msg_unref(&msg);
	}
}
END_TEST

static int edit_scenario(void *arg)
{
	struct sip_msg *msg;
	struct sip_edits e, copy;
	struct sip_out out;
	int err = sip_msg_parse_text(*(const struct str *)arg, 0, &msg);

	if (err) {
		return err;
	}
	sip_edits_init(&e, msg, &msg->arena);
	for (int i = 0; i < 100; i++) {
		sip_edit_append(&e, STR("X: y\r\n"));
	}
	sip_edits_copy(&copy, &e, &msg->arena);
	sip_edit_ruri(&copy, STR("sip:x"));
	err = sip_edits_out(&copy, &msg->arena, &out);
	ck_assert(err == 0 || err == -ENOMEM);
	sip_msg_unref(&msg);
	return err;
}

START_TEST(edits_tell_when_memory_runs_out)
{
	struct str text = TEST_REQUEST("", "");

	oom_each(edit_scenario, &text);
}
END_TEST

UNIT_MAIN("sip/edit", edits_of_all_kinds_leave_the_rest_as_it_was,
          insertion_stands_where_the_field_behind_it_is_removed,
          start_line_of_a_response_can_be_replaced, top_via_alone_in_its_field_goes_with_the_field,
          copied_edits_go_separate_ways, two_edits_of_the_same_bytes_are_told, removals_may_overlap,
          output_of_very_many_spans_becomes_one,
          any_subset_of_list_values_can_be_removed_in_any_order,
          random_edits_agree_with_a_plain_implementation, edits_tell_when_memory_runs_out)
