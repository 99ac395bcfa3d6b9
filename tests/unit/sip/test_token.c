/* SPDX-License-Identifier: Apache-2.0 */
/* The scanners that look at 8 or 16 bytes at a time, against ones that look at each. */
#include "sip/token.h"

#include "sip/line.h"
#include "support/unit.h"

#define TEXT_MAX 40

static const char *plain_eol(const char *p, const char *end)
{
	while (p < end && *p != '\r' && *p != '\n') {
		p++;
	}
	return p;
}

static const char *plain_name_end(const char *p, const char *end)
{
	while (p < end && (unsigned char)*p > ' ' && (unsigned char)*p < 128 && *p != ':') {
		p++;
	}
	return p;
}

static bool plain_has_blank(const char *p, const char *end)
{
	while (p < end && (unsigned char)*p > ' ') {
		p++;
	}
	return p < end;
}

/* Any byte at any place of a text of any length stops a scan exactly where it should. */
START_TEST(wide_scanners_stop_where_plain_ones_do)
{
	for (size_t n = 1; n <= TEXT_MAX; n++) {
		char *p = malloc(n), *end = p + n; /* no byte behind may be read */

		memset(p, 'a', n);
		for (size_t at = 0; at < n; at++) {
			for (int c = 0; c < 256; c++) {
				p[at] = (char)c;
				ck_assert_ptr_eq(sip_span_value(p, end),
				                 sip_span(p, end, SIP_C_VALUE));
				ck_assert_ptr_eq(sip_find_eol(p, end), plain_eol(p, end));
				ck_assert_ptr_eq(sip_name_end(p, end), plain_name_end(p, end));
				ck_assert(sip_has_blank(p, end) == plain_has_blank(p, end));
			}
			p[at] = 'a';
		}
		free(p);
	}
}
END_TEST

START_TEST(words_are_told_apart_by_every_letter)
{
	ck_assert(sip_is_word(STR("rPoRt"), "rport", 5));
	ck_assert(sip_is_word(STR("RECEIVED"), "received", 8));
	ck_assert(sip_is_word(STR("Tag"), "tag", 3));
	ck_assert(!sip_is_word(STR("receive"), "received", 8));
	for (size_t i = 0; i < 8; i++) {
		char text[] = "received";

		text[i] ^= 1;
		ck_assert(!sip_is_word(str_make(text, 8), "received", 8));
	}
	ck_assert(!sip_is_word(STR("tax"), "tag", 3));
	ck_assert(!sip_is_word(STR("tbg"), "tag", 3));
	ck_assert(!sip_is_word(STR("uag"), "tag", 3));
}
END_TEST

static int take(struct str text, struct str *name, struct str *value, size_t *left)
{
	const char *p = text.p;
	int got = sip_take_param(&p, text.p + text.n, name, value);

	*left = (size_t)(text.p + text.n - p);
	return got;
}

START_TEST(param_is_taken_with_white_space_around_it)
{
	struct str name, value;
	size_t left;

	ck_assert_int_eq(take(STR(" ;\r\n a =\t\"x\\\"\" ;b"), &name, &value, &left), 1);
	ck_assert_str_is(name, "a");
	ck_assert_str_is(value, "\"x\\\"\"");
	ck_assert_uint_eq(left, 3);
	ck_assert_int_eq(take(STR(";a,b"), &name, &value, &left), 1);
	ck_assert_uint_eq(left, 2);
	ck_assert_int_eq(take(STR("  "), &name, &value, &left), 0);
	ck_assert_uint_eq(left, 0);
	ck_assert_int_eq(take(STR(" ,"), &name, &value, &left), 0);
	ck_assert_uint_eq(left, 1);
	ck_assert_int_eq(take(STR(";"), &name, &value, &left), BELFRY_EPARSE);
	ck_assert_int_eq(take(STR(";a=\"b\\\""), &name, &value, &left), BELFRY_EPARSE);
	ck_assert_int_eq(take(STR(";a=\"b\\"), &name, &value, &left), BELFRY_EPARSE);
	ck_assert_int_eq(take(STR(";a/b"), &name, &value, &left), 1);
	ck_assert_uint_eq(left, 2); /* the caller sees that something is left */
}
END_TEST

UNIT_MAIN("sip/token", wide_scanners_stop_where_plain_ones_do, words_are_told_apart_by_every_letter,
          param_is_taken_with_white_space_around_it)
