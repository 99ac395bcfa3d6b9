/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 7616 3.4: the digests of tests/data/digest/vectors.tsv, some of them printed in the RFCs. */
#include "auth/digest.h"

#include "util/base64.h"

#include "support/unit.h"

#include <stdio.h>

#define HEX32 "0123456789abcdef0123456789abcdef"

enum column {
	NAME,
	ORIGIN,
	ALGORITHM,
	USERNAME,
	REALM,
	PASSWORD,
	METHOD,
	URI,
	NONCE,
	QOP,
	NC,
	CNONCE,
	BODY,
	HA1,
	RESPONSE,
	COLUMNS
};

static void split(char *line, struct str out[COLUMNS])
{
	char *p = line;

	line[strcspn(line, "\n")] = '\0';
	for (int i = 0; i < COLUMNS; i++) {
		size_t n = strcspn(p, "\t");

		out[i] = str_make(p, n);
		p += n + (p[n] == '\t');
	}
}

/* As a client would write it. */
static struct str header_of(const struct str v[COLUMNS], char *space, size_t cap)
{
	int n = snprintf(space, cap,
	                 "Digest username=\"%.*s\", realm=\"%.*s\", nonce=\"%.*s\", uri=\"%.*s\", "
	                 "response=\"%.*s\", algorithm=%.*s",
	                 STR_FMT(v[USERNAME]), STR_FMT(v[REALM]), STR_FMT(v[NONCE]),
	                 STR_FMT(v[URI]), STR_FMT(v[RESPONSE]), STR_FMT(v[ALGORITHM]));

	if (v[QOP].n) {
		n += snprintf(space + n, cap - (size_t)n, ", qop=%.*s, nc=%.*s, cnonce=\"%.*s\"",
		              STR_FMT(v[QOP]), STR_FMT(v[NC]), STR_FMT(v[CNONCE]));
	}
	return str_make(space, (size_t)n);
}

/* true: a vector for what we offer, and it came out right. */
static bool check_vector(struct digest *d, const struct str v[COLUMNS])
{
	char header[1024];
	unsigned char ha1[32], got[32];
	struct credentials c;
	const char *why;
	struct arena arena;
	size_t size;

	arena_init(&arena, NULL);
	ck_assert_int_eq(credentials_parse(&arena, header_of(v, header, sizeof(header)), &c, &why),
	                 0);
	ck_assert(str_eq(c.username, v[USERNAME]));
	arena_fini(&arena);
	if (!c.is_usable) {
		return false;
	}
	size = algorithm_size(c.algorithm);
	ck_assert_int_eq(hex_decode(ha1, size, v[HA1]), 0);
	ck_assert_int_eq(digest_response(d, &c, ha1, v[METHOD], got), 0);
	ck_assert_msg(memcmp(got, c.response, size) == 0, "%.*s", STR_FMT(v[NAME]));
	return true;
}

START_TEST(digests_of_the_vectors_come_out)
{
	FILE *f = fopen(unit_data("digest/vectors.tsv"), "r");
	struct str v[COLUMNS];
	struct digest d;
	char line[2048];
	int good = 0, other = 0;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(digest_init(&d), 0);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), f));
	while (fgets(line, sizeof(line), f)) {
		split(line, v);
		*(check_vector(&d, v) ? &good : &other) += 1;
	}
	fclose(f);
	digest_fini(&d);
	ck_assert_int_eq(good, 16);
	ck_assert_int_eq(other, 6); /* -sess and auth-int: never offered */
}
END_TEST

static void md5_hex(const char *text, char out[33])
{
	unsigned char hash[16];

	ck_assert_int_eq(EVP_Digest(text, strlen(text), hash, NULL, EVP_md5(), NULL), 1);
	hex_encode(out, hash, sizeof(hash));
	out[32] = '\0';
}

START_TEST(a_long_uri_is_hashed_whole)
{
	struct digest d;

	ck_assert_int_eq(digest_init(&d), 0);
	for (int n = 0; n < 1500; n += 7) {
		struct credentials c = { .algorithm = BELFRY_MD5, .nonce = STR_INIT("n") };
		unsigned char got[32], ha1[16] = { 0 };
		char text[2048], hex[33];

		snprintf(text, sizeof(text), "REGISTER:sip:%0*d", n + 1, n);
		c.uri = str_from(text + sizeof("REGISTER"));
		ck_assert_int_eq(digest_response(&d, &c, ha1, STR("REGISTER"), got), 0);
		md5_hex(text, hex);
		snprintf(text, sizeof(text), "00000000000000000000000000000000:n:%s", hex);
		md5_hex(text, hex);
		hex_encode(text, got, 16);
		ck_assert_int_eq(memcmp(text, hex, 32), 0);
	}
	digest_fini(&d);
}
END_TEST

START_TEST(digest_depends_on_every_part)
{
	const char *headers[] = {
		"Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"u\", response=\"" HEX32
		"\", qop=auth, nc=00000001, cnonce=\"c\"",
		"Digest username=\"a\", realm=\"r\", nonce=\"N\", uri=\"u\", response=\"" HEX32
		"\", qop=auth, nc=00000001, cnonce=\"c\"",
		"Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"U\", response=\"" HEX32
		"\", qop=auth, nc=00000001, cnonce=\"c\"",
		"Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"u\", response=\"" HEX32
		"\", qop=auth, nc=00000002, cnonce=\"c\"",
		"Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"u\", response=\"" HEX32
		"\", qop=auth, nc=00000001, cnonce=\"C\"",
		"Digest username=\"a\", realm=\"r\", nonce=\"n\", uri=\"u\", response=\"" HEX32
		"\"",
	};
	const size_t n = sizeof(headers) / sizeof(headers[0]);
	unsigned char got[8][32], ha1[32] = { 1 };
	struct credentials c;
	struct arena arena;
	struct digest d;
	const char *why;

	arena_init(&arena, NULL);
	ck_assert_int_eq(digest_init(&d), 0);
	for (size_t i = 0; i < n; i++) {
		ck_assert_int_eq(credentials_parse(&arena, str_from(headers[i]), &c, &why), 0);
		ck_assert_int_eq(digest_response(&d, &c, ha1, STR("REGISTER"), got[i]), 0);
		for (size_t k = 0; k < i; k++) {
			ck_assert_int_ne(memcmp(got[i], got[k], 16), 0);
		}
	}
	ck_assert_int_eq(digest_response(&d, &c, ha1, STR("INVITE"), got[n]), 0);
	ck_assert_int_ne(memcmp(got[n], got[n - 1], 16), 0);
	digest_fini(&d);
	arena_fini(&arena);
}
END_TEST

/* The hash of A2 is kept: of each algorithm, for the same method and URI only. */
START_TEST(digest_is_the_same_whatever_was_hashed_before)
{
	static const char *const methods[] = { "REGISTER", "INVITE", "REGISTER:sip" };
	struct digest used, fresh;
	char uri[200];

	ck_assert_int_eq(digest_init(&used), 0);
	memset(uri, 'u', sizeof(uri));
	for (size_t i = 0; i < 200; i++) {
		struct credentials c = {
			.algorithm = (enum belfry_algorithm)(i / 3 % BELFRY_ALGORITHM_N),
			.nonce = STR_INIT("n"),
			.uri = str_make(uri, i / 2 + (i & 1) + 100),
		};
		struct str method = str_from(methods[i / 7 % 3]);
		unsigned char want[32], got[32], ha1[32] = { 1 };

		ck_assert_int_eq(digest_init(&fresh), 0);
		ck_assert_int_eq(digest_response(&fresh, &c, ha1, method, want), 0);
		digest_fini(&fresh);
		for (int again = 0; again < 2; again++) {
			ck_assert_int_eq(digest_response(&used, &c, ha1, method, got), 0);
			ck_assert_int_eq(memcmp(got, want, algorithm_size(c.algorithm)), 0);
		}
	}
	digest_fini(&used);
}
END_TEST

UNIT_MAIN("auth/digest", digests_of_the_vectors_come_out, a_long_uri_is_hashed_whole,
          digest_depends_on_every_part, digest_is_the_same_whatever_was_hashed_before)
