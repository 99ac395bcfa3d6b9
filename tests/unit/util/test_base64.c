/* SPDX-License-Identifier: Apache-2.0 */
#include "util/base64.h"

#include "support/unit.h"

#include <errno.h>

static const struct {
	const char *plain, *standard, *url;
} vectors[] = {
	/* RFC 4648 10 */
	{ "", "", "" },
	{ "f", "Zg==", "Zg" },
	{ "fo", "Zm8=", "Zm8" },
	{ "foo", "Zm9v", "Zm9v" },
	{ "foob", "Zm9vYg==", "Zm9vYg" },
	{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
	{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/", "-_-_" },
};

START_TEST(base64_knows_the_vectors_of_rfc4648)
{
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		size_t n = strlen(vectors[i].plain);
		char out[32];

		ck_assert_str_is(str_make(out, base64_encode(out, vectors[i].plain, n)),
		                 vectors[i].standard);
		ck_assert_str_is(str_make(out, base64url_encode(out, vectors[i].plain, n)),
		                 vectors[i].url);
		ck_assert_uint_eq(strlen(vectors[i].standard), BASE64_LEN(n));
		ck_assert_uint_eq(strlen(vectors[i].url), BASE64URL_LEN(n));
		ck_assert_int_eq(base64_decode(out, n, str_from(vectors[i].standard)),
		                 (ptrdiff_t)n);
		ck_assert_mem_eq(out, vectors[i].plain, n);
		ck_assert_int_eq(base64url_decode(out, n, str_from(vectors[i].url)), (ptrdiff_t)n);
		ck_assert_mem_eq(out, vectors[i].plain, n);
	}
}
END_TEST

START_TEST(base64_refuses_what_is_not_canonical)
{
	static const char *const bad[] = { "Z",        "Zg",     "Zg=",  "Zh==",    "Zm9=",
		                           "Zm8=Zm8=", "====",   "=",    "Zg=a",    "Z g=",
		                           "Zg\n=",    "Zm9v\n", "-_-_", "Zm9v====" };
	static const char *const bad_url[] = { "Z", "Zg==", "Zh", "Zm9", "+/+/", "Zm9vY" };
	char out[32];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ck_assert_msg(base64_decode(out, sizeof(out), str_from(bad[i])) == -EINVAL, "%s",
		              bad[i]);
	}
	for (size_t i = 0; i < sizeof(bad_url) / sizeof(bad_url[0]); i++) {
		ck_assert_msg(base64url_decode(out, sizeof(out), str_from(bad_url[i])) == -EINVAL,
		              "%s", bad_url[i]);
	}
}
END_TEST

START_TEST(base64_writes_nothing_past_the_room_given)
{
	char out[4] = "....";

	ck_assert_int_eq(base64_decode(out, 2, STR("Zm9v")), -ENOSPC);
	ck_assert_mem_eq(out, "....", 4);
	ck_assert_int_eq(base64_decode(out, 1, STR("Zg==")), 1);
	ck_assert_mem_eq(out, "f...", 4);
	ck_assert_int_eq(base64url_decode(out, 0, STR("Zg")), -ENOSPC);
}
END_TEST

START_TEST(hex_goes_there_and_back_in_either_case)
{
	unsigned char bytes[4];
	char text[8];

	hex_encode(text, "\x00\x1f\xa0\xff", 4);
	ck_assert_str_is(str_make(text, 8), "001fa0ff");
	ck_assert_int_eq(hex_decode(bytes, 4, STR("001Fa0fF")), 0);
	ck_assert_mem_eq(bytes, "\x00\x1f\xa0\xff", 4);
	ck_assert_int_eq(hex_decode(bytes, 4, STR("001fa0f")), -EINVAL);
	ck_assert_int_eq(hex_decode(bytes, 4, STR("001fa0ff00")), -EINVAL);
	ck_assert_int_eq(hex_decode(bytes, 4, STR("001fa0fg")), -EINVAL);
	ck_assert_int_eq(hex_decode(bytes, 0, STR("")), 0);
	for (int c = 0; c < 256; c++) {
		char pair[2] = { '0', (char)c };
		int value = ascii_hex_value((unsigned char)c);

		ck_assert_int_eq(hex_decode(bytes, 1, str_make(pair, 2)), value < 0 ? -EINVAL : 0);
		ck_assert(value < 0 || bytes[0] == value);
	}
}
END_TEST

UNIT_MAIN("util/base64", base64_knows_the_vectors_of_rfc4648, base64_refuses_what_is_not_canonical,
          base64_writes_nothing_past_the_room_given, hex_goes_there_and_back_in_either_case)
