/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/branch.h"

#include <assert.h>

#include "sip/via.h"
#include "util/base64.h"

#define FIELDS_N 18U /* bytes of kind, worker, slot, generation, loop */
#define MAC_N    16U
#define COOKIE_N 7U

static_assert(COOKIE_N + BASE64URL_LEN(FIELDS_N + MAC_N) <= BRANCH_LEN, "a branch fits");

static void fields_mac(const unsigned char *fields, const struct hash_key *key, unsigned char *mac)
{
	struct hash128 h = hash_mac128(key, str_make((const char *)fields, FIELDS_N));

	memcpy(mac, &h, MAC_N);
}

/* The byte order is the machine's: nobody else reads it. */
size_t branch_print(const struct branch *b, const struct hash_key *key, char out[BRANCH_LEN])
{
	unsigned char raw[FIELDS_N + MAC_N];

	raw[0] = b->kind;
	raw[1] = b->worker;
	memcpy(raw + 2, &b->slot, sizeof(b->slot));
	memcpy(raw + 6, &b->generation, sizeof(b->generation));
	memcpy(raw + 10, &b->loop, sizeof(b->loop));
	fields_mac(raw, key, raw + FIELDS_N);
	memcpy(out, SIP_BRANCH_COOKIE.p, COOKIE_N);
	return COOKIE_N + base64url_encode(out + COOKIE_N, raw, sizeof(raw));
}

bool branch_parse(struct str text, const struct hash_key *key, struct branch *b_r)
{
	unsigned char raw[FIELDS_N + MAC_N], mac[MAC_N];

	if (text.n != COOKIE_N + BASE64URL_LEN(sizeof(raw)) ||
	    !str_starts(text, SIP_BRANCH_COOKIE) ||
	    base64url_decode(raw, sizeof(raw), str_skip(text, COOKIE_N)) !=
	            (ptrdiff_t)sizeof(raw)) {
		return false;
	}
	fields_mac(raw, key, mac);
	if (!str_eq_secret(str_make((const char *)mac, MAC_N),
	                   str_make((const char *)raw + FIELDS_N, MAC_N))) {
		return false;
	}
	b_r->kind = raw[0];
	b_r->worker = raw[1];
	memcpy(&b_r->slot, raw + 2, sizeof(b_r->slot));
	memcpy(&b_r->generation, raw + 6, sizeof(b_r->generation));
	memcpy(&b_r->loop, raw + 10, sizeof(b_r->loop));
	return true;
}
