/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/nonce.h"

#include "util/base64.h"

#define WINDOW 64

/* On the wire, before base64url: key id, time in ms (6 bytes), salt (8), MAC (8). */
#define OFF_ID   0
#define OFF_TIME 1
#define OFF_SALT 7
#define OFF_MAC  15
#define RAW_LEN  23

_Static_assert(OFF_MAC - OFF_TIME == NONCE_ID, "time and salt tell nonces apart");
_Static_assert(BASE64URL_LEN(RAW_LEN) == NONCE_LEN, "length of a nonce");

static void put_be(unsigned char *out, uint64_t v, int n)
{
	for (int i = n; i-- > 0; v >>= 8) {
		out[i] = (unsigned char)v;
	}
}

static uint64_t get_be(const unsigned char *in, int n)
{
	uint64_t v = 0;

	for (int i = 0; i < n; i++) {
		v = v << 8 | in[i];
	}
	return v;
}

int nonce_keys_derive(struct belfry_core *core, struct nonce_keys *keys_r)
{
	for (unsigned generation = 0; generation < 2; generation++) {
		struct nonce_key *key = &keys_r->k[generation];
		unsigned char bytes[sizeof(key->key) + 1];
		int ret = belfry_derive_key(core, "auth nonce", generation, bytes, sizeof(bytes));

		key->is_set = ret == 0;
		if (ret < 0 && generation == 0) {
			return ret;
		}
		if (ret == 0) {
			memcpy(&key->key, bytes, sizeof(key->key));
			key->id = bytes[sizeof(key->key)];
		}
	}
	return 0;
}

static uint64_t mac(const struct nonce_key *key, const unsigned char *raw, struct str source_ip)
{
	struct hash_state st;

	hash_begin(&st, &key->key, false);
	hash_add(&st, str_make((const char *)raw, OFF_MAC));
	hash_add(&st, source_ip);
	return hash_end64(&st);
}

void nonce_make(const struct nonce_keys *keys, uint64_t unix_ms, uint64_t salt,
                struct str source_ip, char out[NONCE_LEN])
{
	unsigned char raw[RAW_LEN];

	raw[OFF_ID] = keys->k[0].id;
	put_be(raw + OFF_TIME, unix_ms, 6);
	put_be(raw + OFF_SALT, salt, 8);
	put_be(raw + OFF_MAC, mac(&keys->k[0], raw, source_ip), 8);
	base64url_encode(out, raw, sizeof(raw));
}

bool nonce_read(const struct nonce_keys *keys, struct str text, struct str source_ip,
                struct nonce *nonce_r)
{
	unsigned char raw[RAW_LEN], want[8];

	if (text.n != NONCE_LEN || base64url_decode(raw, sizeof(raw), text) != RAW_LEN) {
		return false;
	}
	for (int g = 0; g < 2; g++) {
		if (!keys->k[g].is_set || keys->k[g].id != raw[OFF_ID]) {
			continue;
		}
		put_be(want, mac(&keys->k[g], raw, source_ip), 8);
		if (str_eq_secret(str_make((char *)want, 8), str_make((char *)raw + OFF_MAC, 8))) {
			memcpy(nonce_r->id, raw + OFF_TIME, NONCE_ID);
			nonce_r->issued_ms = get_be(raw + OFF_TIME, 6);
			return true;
		}
	}
	return false;
}

bool nonce_window_take(struct nonce_window *w, uint32_t nc)
{
	uint32_t ahead;

	if (w->is_over || (nc == 0 && w->top > 0)) {
		return false;
	}
	if (nc == 0) {
		w->is_over = true;
		return true;
	}
	if (nc > w->top) {
		ahead = nc - w->top;
		w->seen = ahead < WINDOW ? w->seen << ahead : 0;
		w->seen |= 1;
		w->top = nc;
		return true;
	}
	ahead = w->top - nc;
	if (ahead >= WINDOW || (w->seen >> ahead & 1)) {
		return false;
	}
	w->seen |= (uint64_t)1 << ahead;
	return true;
}
