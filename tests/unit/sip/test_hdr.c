/* SPDX-License-Identifier: Apache-2.0 */
#include "sip/hdr.h"

#include "support/unit.h"

START_TEST(every_header_name_is_found_in_any_case)
{
	for (int id = SIP_H_OTHER + 1; id < SIP_H_COUNT; id++) {
		struct str name = sip_hdr_name((enum sip_hdr)id);
		char upper[64], lower[64];

		ck_assert_uint_gt(name.n, 1);
		ck_assert_uint_lt(name.n, sizeof(upper));
		for (size_t i = 0; i < name.n; i++) {
			lower[i] = (char)ascii_lower((unsigned char)name.p[i]);
			upper[i] = ascii_is_alpha((unsigned char)name.p[i]) ? name.p[i] & 0x5f
			                                                    : name.p[i];
		}
		ck_assert_int_eq(sip_hdr_find(name), id);
		ck_assert_int_eq(sip_hdr_find(str_make(lower, name.n)), id);
		ck_assert_int_eq(sip_hdr_find(str_make(upper, name.n)), id);
		ck_assert(name.n == 2 ||
		          sip_hdr_find(str_make(upper, name.n - 1)) != (enum sip_hdr)id);
	}
}
END_TEST

START_TEST(every_compact_form_is_found)
{
	static const struct {
		const char *form;
		enum sip_hdr id;
	} forms[] = {
		{ "a", SIP_H_ACCEPT_CONTACT },
		{ "b", SIP_H_REFERRED_BY },
		{ "c", SIP_H_CONTENT_TYPE },
		{ "d", SIP_H_REQUEST_DISPOSITION },
		{ "e", SIP_H_CONTENT_ENCODING },
		{ "f", SIP_H_FROM },
		{ "i", SIP_H_CALL_ID },
		{ "j", SIP_H_REJECT_CONTACT },
		{ "k", SIP_H_SUPPORTED },
		{ "l", SIP_H_CONTENT_LENGTH },
		{ "m", SIP_H_CONTACT },
		{ "n", SIP_H_IDENTITY_INFO },
		{ "o", SIP_H_EVENT },
		{ "r", SIP_H_REFER_TO },
		{ "s", SIP_H_SUBJECT },
		{ "t", SIP_H_TO },
		{ "u", SIP_H_ALLOW_EVENTS },
		{ "v", SIP_H_VIA },
		{ "x", SIP_H_SESSION_EXPIRES },
		{ "y", SIP_H_IDENTITY },
	};
	unsigned int found = 0;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		char upper = (char)(forms[i].form[0] & 0x5f);

		ck_assert_int_eq(sip_hdr_find(str_from(forms[i].form)), forms[i].id);
		ck_assert_int_eq(sip_hdr_find(str_make(&upper, 1)), forms[i].id);
	}
	for (int c = 0; c < 256; c++) {
		char one = (char)c;

		found += sip_hdr_find(str_make(&one, 1)) != SIP_H_OTHER;
	}
	ck_assert_uint_eq(found, 2 * sizeof(forms) / sizeof(forms[0]));
}
END_TEST

START_TEST(what_is_near_a_header_name_is_not_found)
{
	static const struct str near[] = {
		STR_INIT(""),         STR_INIT("Vias"),
		STR_INIT("Vi"),       STR_INIT("Call\rID"),
		STR_INIT("Call_ID"),  STR_INIT("C%6Fntact"),
		STR_INIT("To "),      STR_INIT("Content-L"),
		STR_INIT("X-Custom"), STR_INIT("Max-Forwards-And-A-Very-Long-Rest"),
	};

	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
		ck_assert_int_eq(sip_hdr_find(near[i]), SIP_H_OTHER);
	}
}
END_TEST

START_TEST(header_name_with_one_letter_changed_is_not_found)
{
	for (int id = SIP_H_OTHER + 1; id < SIP_H_COUNT; id++) {
		struct str name = sip_hdr_name((enum sip_hdr)id);
		char text[64];

		memcpy(text, name.p, name.n);
		for (size_t i = 0; i < name.n; i++) {
			for (char c = '!'; c <= '~'; c++) {
				if ((c | 0x20) != (name.p[i] | 0x20)) {
					text[i] = c;
					ck_assert_int_ne(sip_hdr_find(str_make(text, name.n)), id);
				}
			}
			text[i] = name.p[i];
		}
	}
}
END_TEST

START_TEST(list_and_single_exclude_each_other)
{
	for (int id = 0; id < SIP_H_COUNT; id++) {
		ck_assert(!(sip_hdr_is_list((enum sip_hdr)id) &&
		            sip_hdr_is_single((enum sip_hdr)id)));
	}
	ck_assert(sip_hdr_is_list(SIP_H_ROUTE));
	ck_assert(sip_hdr_is_list(SIP_H_VIA));
	ck_assert(sip_hdr_is_single(SIP_H_CSEQ));
	ck_assert(!sip_hdr_is_list(SIP_H_AUTHORIZATION)); /* RFC 3261 7.3.1: rows, no commas */
	ck_assert(!sip_hdr_is_single(SIP_H_AUTHORIZATION));
	ck_assert(!sip_hdr_is_single(SIP_H_OTHER));
}
END_TEST

START_TEST(methods_are_found_by_their_exact_name)
{
	for (int m = SIP_M_OTHER + 1; m < SIP_M_COUNT; m++) {
		struct str name = sip_method_name((enum sip_method)m);

		ck_assert_int_eq(sip_method_find(name), m);
		ck_assert_int_eq(sip_method_find(str_make(name.p, name.n - 1)), SIP_M_OTHER);
	}
	ck_assert_int_eq(sip_method_find(STR("invite")), SIP_M_OTHER);
	ck_assert_int_eq(sip_method_find(STR("RE%47IST%45R")), SIP_M_OTHER);
	ck_assert_int_eq(sip_method_find(STR("NEWMETHOD")), SIP_M_OTHER);
	ck_assert_int_eq(sip_method_find(STR("")), SIP_M_OTHER);
	ck_assert_int_eq(sip_method_find(STR_NONE), SIP_M_OTHER);
}
END_TEST

START_TEST(reason_phrases_are_found_by_code)
{
	ck_assert_str_is(sip_reason_phrase(100), "Trying");
	ck_assert_str_is(sip_reason_phrase(404), "Not Found");
	ck_assert_str_is(sip_reason_phrase(608), "Rejected");
	ck_assert_str_is(sip_reason_phrase(499), "Unknown");
	ck_assert_str_is(sip_reason_phrase(0), "Unknown");
	ck_assert_str_is(sip_reason_phrase(1000), "Unknown");
	for (int code = 100; code < 700; code++) {
		ck_assert_uint_gt(sip_reason_phrase(code).n, 1);
	}
}
END_TEST

UNIT_MAIN("sip/hdr", every_header_name_is_found_in_any_case, every_compact_form_is_found,
          what_is_near_a_header_name_is_not_found, header_name_with_one_letter_changed_is_not_found,
          list_and_single_exclude_each_other, methods_are_found_by_their_exact_name,
          reason_phrases_are_found_by_code)
