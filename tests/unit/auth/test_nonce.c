/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/nonce.h"

#include "support/unit.h"

#define NOW 1700000000123U

/* Two secrets: what belfry_derive_key() gives before and after a rotation. */
static unsigned char secrets[2];
static bool has_old;

int belfry_derive_key(struct belfry_core *core, const char *purpose, unsigned generation, void *out,
                      size_t n)
{
	(void)core;
	ck_assert_str_eq(purpose, "auth nonce");
	if (generation == 1 && !has_old) {
		return BELFRY_ENOENT;
	}
	memset(out, secrets[generation], n);
	return 0;
}

static struct nonce_keys keys_of(unsigned char now, unsigned char old)
{
	struct nonce_keys keys;

	secrets[0] = now;
	secrets[1] = old;
	has_old = old != 0;
	ck_assert_int_eq(nonce_keys_derive(NULL, &keys), 0);
	return keys;
}

START_TEST(nonce_is_read_back_with_its_time)
{
	struct nonce_keys keys = keys_of(1, 0);
	struct nonce nonce, other;
	char text[NONCE_LEN];

	nonce_make(&keys, NOW, 7, STR("192.0.2.1"), text);
	ck_assert(nonce_read(&keys, str_make(text, sizeof(text)), STR("192.0.2.1"), &nonce));
	ck_assert_uint_eq(nonce.issued_ms, NOW);
	nonce_make(&keys, NOW, 8, STR("192.0.2.1"), text);
	ck_assert(nonce_read(&keys, str_make(text, sizeof(text)), STR("192.0.2.1"), &other));
	ck_assert_int_ne(memcmp(nonce.id, other.id, NONCE_ID), 0);
}
END_TEST

START_TEST(nonce_is_good_for_its_address_only)
{
	struct nonce_keys keys = keys_of(1, 0);
	struct nonce nonce;
	char text[NONCE_LEN];

	nonce_make(&keys, NOW, 7, STR("192.0.2.1"), text);
	ck_assert(!nonce_read(&keys, str_make(text, sizeof(text)), STR("192.0.2.11"), &nonce));
	ck_assert(!nonce_read(&keys, str_make(text, sizeof(text)), STR(""), &nonce));
}
END_TEST

START_TEST(nonce_with_any_character_changed_is_refused)
{
	struct nonce_keys keys = keys_of(1, 0);
	struct nonce nonce;
	char text[NONCE_LEN];

	nonce_make(&keys, NOW, 7, STR("192.0.2.1"), text);
	for (size_t i = 0; i < sizeof(text); i++) {
		const char *others = "AB-_z9\"";
		char was = text[i];

		for (const char *p = others; *p; p++) {
			if (*p == was) {
				continue;
			}
			text[i] = *p;
			ck_assert(!nonce_read(&keys, str_make(text, sizeof(text)), STR("192.0.2.1"),
			                      &nonce));
		}
		text[i] = was;
	}
	ck_assert(!nonce_read(&keys, str_make(text, sizeof(text) - 1), STR("192.0.2.1"), &nonce));
	ck_assert(!nonce_read(&keys, STR_NONE, STR("192.0.2.1"), &nonce));
}
END_TEST

START_TEST(nonce_outlives_a_restart_and_one_rotation_of_the_secret)
{
	struct nonce_keys keys = keys_of(1, 0);
	struct nonce nonce;
	char text[NONCE_LEN];
	struct str s = str_make(text, sizeof(text));

	nonce_make(&keys, NOW, 7, STR("192.0.2.1"), text);
	keys = keys_of(1, 0);
	ck_assert(nonce_read(&keys, s, STR("192.0.2.1"), &nonce));
	keys = keys_of(2, 1);
	ck_assert(nonce_read(&keys, s, STR("192.0.2.1"), &nonce));
	keys = keys_of(3, 2);
	ck_assert(!nonce_read(&keys, s, STR("192.0.2.1"), &nonce));
}
END_TEST

START_TEST(window_takes_each_nc_once)
{
	struct nonce_window w = { 0 };

	ck_assert(nonce_window_take(&w, 1));
	ck_assert(!nonce_window_take(&w, 1));
	ck_assert(nonce_window_take(&w, 2));
	ck_assert(nonce_window_take(&w, 5));
	ck_assert(nonce_window_take(&w, 4));
	ck_assert(nonce_window_take(&w, 3));
	ck_assert(!nonce_window_take(&w, 4));
	ck_assert(!nonce_window_take(&w, 5));
}
END_TEST

START_TEST(window_refuses_what_is_too_far_behind)
{
	struct nonce_window w = { 0 };

	ck_assert(nonce_window_take(&w, 100));
	ck_assert(nonce_window_take(&w, 37));
	ck_assert(!nonce_window_take(&w, 36));
	ck_assert(!nonce_window_take(&w, 37));
	ck_assert(nonce_window_take(&w, 163));
	ck_assert(!nonce_window_take(&w, 100));
	ck_assert(nonce_window_take(&w, 101));
	ck_assert(nonce_window_take(&w, 164));
	ck_assert(!nonce_window_take(&w, 100));
	ck_assert(nonce_window_take(&w, UINT32_MAX));
	ck_assert(!nonce_window_take(&w, UINT32_MAX));
	ck_assert(!nonce_window_take(&w, 165));
	ck_assert(nonce_window_take(&w, UINT32_MAX - 63));
}
END_TEST

START_TEST(window_takes_a_use_without_qop_once_and_alone)
{
	struct nonce_window w = { 0 };

	ck_assert(nonce_window_take(&w, 0));
	ck_assert(!nonce_window_take(&w, 0));
	ck_assert(!nonce_window_take(&w, 1));
	w = (struct nonce_window){ 0 };
	ck_assert(nonce_window_take(&w, 1));
	ck_assert(!nonce_window_take(&w, 0));
	ck_assert(nonce_window_take(&w, 2));
}
END_TEST

UNIT_MAIN("auth/nonce", nonce_is_read_back_with_its_time, nonce_is_good_for_its_address_only,
          nonce_with_any_character_changed_is_refused,
          nonce_outlives_a_restart_and_one_rotation_of_the_secret, window_takes_each_nc_once,
          window_refuses_what_is_too_far_behind, window_takes_a_use_without_qop_once_and_alone)
