/* SPDX-License-Identifier: Apache-2.0 */
#include "util/hash.h"

#include "support/unit.h"

#include <endian.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#define TEXT_MAX 100

static unsigned char text[TEXT_MAX];
static struct hash_key key;

/* Key 00 01 02 ... and text 00 01 02 ..., as in the reference implementation's vectors.h. */
static void set_up(void)
{
	unsigned char k[16];

	for (unsigned int i = 0; i < TEXT_MAX; i++) {
		text[i] = (unsigned char)i;
	}
	memcpy(k, text, sizeof(k));
	memcpy(key.k, k, sizeof(k));
	key.k[0] = le64toh(key.k[0]);
	key.k[1] = le64toh(key.k[1]);
}

static struct str first(size_t n)
{
	return str_make((const char *)text, n);
}

START_TEST(siphash_2_4_64_gives_the_reference_vectors)
{
	static const unsigned char vectors[][8] = {
		{ 0x31, 0x0e, 0x0e, 0xdd, 0x47, 0xdb, 0x6f, 0x72 },
		{ 0xfd, 0x67, 0xdc, 0x93, 0xc5, 0x39, 0xf8, 0x74 },
		{ 0x5a, 0x4f, 0xa9, 0xd9, 0x09, 0x80, 0x6c, 0x0d },
		{ 0x2d, 0x7e, 0xfb, 0xd7, 0x96, 0x66, 0x67, 0x85 },
		{ 0xb7, 0x87, 0x71, 0x27, 0xe0, 0x94, 0x27, 0xcf },
		{ 0x8d, 0xa6, 0x99, 0xcd, 0x64, 0x55, 0x76, 0x18 },
		{ 0xce, 0xe3, 0xfe, 0x58, 0x6e, 0x46, 0xc9, 0xcb },
		{ 0x37, 0xd1, 0x01, 0x8b, 0xf5, 0x00, 0x02, 0xab },
		{ 0x62, 0x24, 0x93, 0x9a, 0x79, 0xf5, 0xf5, 0x93 },
	};

	set_up();
	for (size_t n = 0; n < sizeof(vectors) / sizeof(vectors[0]); n++) {
		uint64_t got = htole64(hash_mac64(&key, first(n)));

		ck_assert_mem_eq(&got, vectors[n], 8);
	}
	ck_assert(hash_mac64(&key, first(15)) == 0xa129ca6149be45e5ULL); /* the paper's example */
}
END_TEST

START_TEST(siphash_2_4_128_gives_the_reference_vectors)
{
	static const unsigned char vectors[][16] = {
		{ 0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7,
		  0x55, 0x02, 0x93 },
		{ 0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b,
		  0x22, 0xfc, 0x45 },
	};

	set_up();
	for (size_t n = 0; n < sizeof(vectors) / sizeof(vectors[0]); n++) {
		struct hash128 got = hash_mac128(&key, first(n));

		got.v[0] = htole64(got.v[0]);
		got.v[1] = htole64(got.v[1]);
		ck_assert_mem_eq(&got, vectors[n], 16);
	}
}
END_TEST

/* SipHash-c-d of the first @n bytes, by OpenSSL. */
static void openssl_siphash(size_t n, unsigned int c, unsigned int d, unsigned char *out,
                            size_t out_n)
{
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "SIPHASH", NULL);
	EVP_MAC_CTX *ctx = EVP_MAC_CTX_new(mac);
	OSSL_PARAM params[] = { OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &out_n),
		                OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_C_ROUNDS, &c),
		                OSSL_PARAM_construct_uint(OSSL_MAC_PARAM_D_ROUNDS, &d),
		                OSSL_PARAM_END };
	size_t got;

	ck_assert_int_eq(EVP_MAC_init(ctx, text, 16, params), 1);
	ck_assert_int_eq(EVP_MAC_update(ctx, text, n), 1);
	ck_assert_int_eq(EVP_MAC_final(ctx, out, &got, out_n), 1);
	ck_assert_uint_eq(got, out_n);
	EVP_MAC_CTX_free(ctx);
	EVP_MAC_free(mac);
}

START_TEST(siphash_agrees_with_openssl_at_every_length)
{
	set_up();
	for (size_t n = 0; n <= TEXT_MAX; n++) {
		unsigned char want[16];
		struct hash128 wide = hash_mac128(&key, first(n));
		uint64_t got = htole64(hash_str(&key, first(n)));

		openssl_siphash(n, 1, 3, want, 8);
		ck_assert_mem_eq(&got, want, 8);
		got = htole64(hash_mac64(&key, first(n)));
		openssl_siphash(n, 2, 4, want, 8);
		ck_assert_mem_eq(&got, want, 8);
		wide.v[0] = htole64(wide.v[0]);
		wide.v[1] = htole64(wide.v[1]);
		openssl_siphash(n, 2, 4, want, 16);
		ck_assert_mem_eq(&wide, want, 16);
	}
}
END_TEST

START_TEST(hash_in_pieces_is_that_of_the_whole)
{
	set_up();
	for (size_t a = 0; a <= 40; a++) {
		for (size_t b = 0; b <= 40; b++) {
			struct hash_state st;

			hash_begin(&st, &key, false);
			hash_add(&st, first(a));
			hash_add(&st, str_make((const char *)text + a, b));
			ck_assert(hash_end64(&st) == hash_mac64(&key, first(a + b)));
		}
	}
}
END_TEST

START_TEST(hash_nocase_folds_ascii_letters_and_no_other_byte)
{
	set_up();
	for (int c = 0; c < 256; c++) {
		/* in the words and in the tail */
		char given[11], lower[11];
		struct hash_state st;

		memset(given, c, sizeof(given));
		memset(lower, ascii_lower((unsigned char)c), sizeof(lower));
		ck_assert(hash_str_nocase(&key, str_make(given, 11)) ==
		          hash_str(&key, str_make(lower, 11)));
		hash_begin(&st, &key, false);
		hash_add_nocase(&st, str_make(given, 3));
		hash_add_nocase(&st, str_make(given, 11));
		hash_add_nocase(&st, str_make(given, 11));
		uint64_t folded = hash_end64(&st);

		hash_begin(&st, &key, false);
		hash_add(&st, str_make(lower, 3));
		hash_add(&st, str_make(lower, 11));
		hash_add(&st, str_make(lower, 11));
		ck_assert(hash_end64(&st) == folded);
	}
	/* A length that looks like a capital in the top byte of the last word. */
	memset(text, 'x', TEXT_MAX);
	ck_assert(hash_str_nocase(&key, first(65)) == hash_str(&key, first(65)));
	ck_assert(hash_str_nocase(&key, first(65)) != hash_str_nocase(&key, first(97)));
}
END_TEST

START_TEST(hash_of_a_name_folds_letters_and_depends_on_every_byte)
{
	char upper[40];

	for (size_t n = 0; n <= sizeof(upper); n++) {
		uint64_t h;

		for (size_t i = 0; i < n; i++) {
			text[i] = (unsigned char)('a' + i % 26);
			upper[i] = (char)('A' + i % 26);
		}
		h = hash_name(first(n));
		ck_assert(hash_name(str_make(upper, n)) == h);
		for (size_t i = 0; i < n; i++) {
			text[i] ^= 1;
			ck_assert_msg(hash_name(first(n)) != h, "%zu of %zu", i, n);
			text[i] ^= 1;
		}
		text[n] = '\0';
		ck_assert(hash_name(first(n + 1)) != h);
	}
}
END_TEST

START_TEST(hash_depends_on_the_key)
{
	struct hash_key a = { { 1, 2 } }, b = { { 1, 3 } };

	ck_assert(hash_str(&a, STR("alice")) != hash_str(&b, STR("alice")));
	ck_assert(hash_mac64(&a, STR("alice")) != hash_mac64(&b, STR("alice")));
	ck_assert(hash_str(&a, STR_NONE) == hash_str(&a, STR("")));
	ck_assert(hash_mix(1) != hash_mix(2));
}
END_TEST

UNIT_MAIN("util/hash", siphash_2_4_64_gives_the_reference_vectors,
          siphash_2_4_128_gives_the_reference_vectors, siphash_agrees_with_openssl_at_every_length,
          hash_in_pieces_is_that_of_the_whole, hash_nocase_folds_ascii_letters_and_no_other_byte,
          hash_of_a_name_folds_letters_and_depends_on_every_byte, hash_depends_on_the_key)
