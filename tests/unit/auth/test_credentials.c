/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/credentials.h"

#include "support/unit.h"

#include <errno.h>
#include <stdio.h>

#define R32 "0123456789abcdef0123456789abcdef"
#define BASE                                                                                       \
	"Digest username=\"alice\", realm=\"example.com\", nonce=\"abc\", uri=\"sip:example.com\""
#define FULL BASE ", response=\"" R32 "\""

static struct arena arena;

static int parse(const char *text, struct credentials *c)
{
	const char *why = NULL;
	int ret = credentials_parse(&arena, str_from(text), c, &why);

	ck_assert(ret == 0 || why != NULL);
	return ret;
}

START_TEST(credentials_without_qop_are_md5)
{
	struct credentials c;

	ck_assert_int_eq(parse(FULL, &c), 0);
	ck_assert_str_is(c.username, "alice");
	ck_assert_str_is(c.realm, "example.com");
	ck_assert_str_is(c.nonce, "abc");
	ck_assert_str_is(c.uri, "sip:example.com");
	ck_assert(c.is_usable && !c.has_qop);
	ck_assert_int_eq(c.algorithm, BELFRY_MD5);
	ck_assert_uint_eq(c.response_n, 16);
	ck_assert_uint_eq(c.response[15], 0xef);
}
END_TEST

START_TEST(credentials_with_qop_need_cnonce_and_nc)
{
	struct credentials c;

	ck_assert_int_eq(parse(FULL ", qop=auth, cnonce=\"x\", nc=0000000a", &c), 0);
	ck_assert(c.has_qop && c.is_usable);
	ck_assert_uint_eq(c.nc, 10);
	ck_assert_int_eq(parse(FULL ", qop=\"auth\", cnonce=\"x\", nc=00000001", &c), 0);
	ck_assert_int_eq(parse(FULL ", qop=auth, nc=00000001", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse(FULL ", qop=auth, cnonce=\"x\"", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse(FULL ", qop=auth, cnonce=\"x\", nc=1", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse(FULL ", qop=auth, cnonce=\"x\", nc=0000000g", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse(FULL ", qop=auth, cnonce=\"x\", nc=00000000", &c), BELFRY_EPARSE);
}
END_TEST

START_TEST(credentials_of_what_is_not_offered_are_not_usable)
{
	struct credentials c;

	ck_assert_int_eq(parse(FULL ", algorithm=SHA-3", &c), 0);
	ck_assert(!c.is_usable);
	ck_assert_int_eq(parse(FULL ", algorithm=MD5-sess", &c), 0);
	ck_assert(!c.is_usable);
	ck_assert_int_eq(parse(FULL ", qop=auth-int, cnonce=\"x\", nc=00000001", &c), 0);
	ck_assert(!c.is_usable);
	ck_assert_int_eq(parse(FULL ", userhash=true", &c), 0);
	ck_assert(!c.is_usable);
	ck_assert_int_eq(parse(FULL ", algorithm=\"md5\", userhash=false, unknown=1", &c), 0);
	ck_assert(c.is_usable);
}
END_TEST

START_TEST(credentials_response_has_the_length_of_its_algorithm)
{
	struct credentials c;

	ck_assert_int_eq(parse(FULL ", algorithm=SHA-256", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse(BASE ", response=\"" R32 R32 "\", algorithm=SHA-256", &c), 0);
	ck_assert_int_eq(c.algorithm, BELFRY_SHA256);
	ck_assert_int_eq(parse(BASE ", response=\"" R32 R32 "\", algorithm=SHA-512-256", &c), 0);
	ck_assert_int_eq(c.algorithm, BELFRY_SHA512_256);
	ck_assert_int_eq(parse(BASE ", response=\"" R32 R32 "\"", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse(BASE ", response=\"\"", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse(BASE ", response=\"xyz3456789abcdef0123456789abcdef\"", &c),
	                 BELFRY_EPARSE);
}
END_TEST

START_TEST(credentials_refuse_a_parameter_twice_or_missing)
{
	struct credentials c;

	ck_assert_int_eq(parse(FULL ", realm=\"other\"", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse(FULL ", Response=\"" R32 "\"", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse(BASE, &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse("Digest realm=\"r\", nonce=\"n\", uri=\"u\", response=\"" R32 "\"",
	                       &c),
	                 BELFRY_EPARSE);
	ck_assert_int_eq(
		parse("Digest username=\"\", realm=\"r\", nonce=\"\", uri=\"u\", response=\"" R32
	              "\"",
	              &c),
		BELFRY_EPARSE);
	ck_assert_int_eq(parse("Digest", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse("Digest ,", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse(FULL ",", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse(FULL ", nc", &c), BELFRY_EPARSE);
	ck_assert_int_eq(parse("Basic Zm9vOmJhcg==", &c), BELFRY_EPARSE);
}
END_TEST

START_TEST(credentials_user_name_loses_its_escapes)
{
	struct credentials c;

	ck_assert_int_eq(
		parse("Digest username=\"a\\\"b\\\\c\", realm=\"r\", nonce=\"n\", uri=\"u\", "
	              "response=\"" R32 "\"",
	              &c),
		0);
	ck_assert_str_is(c.username, "a\"b\\c");
}
END_TEST

START_TEST(credentials_realm_is_found_without_the_rest)
{
	ck_assert_str_is(credentials_realm(STR("Digest nonce=\"x\", REALM=\"a.b\"")), "a.b");
	ck_assert_str_is(credentials_realm(STR("digest realm=token")), "token");
	ck_assert_str_is(credentials_realm(STR("NoOneKnowsThisScheme realm=\"a.b\"")), "");
	ck_assert_str_is(credentials_realm(STR("Digest nonce=\"realm=x\"")), "");
	ck_assert_str_is(credentials_realm(STR("Digest nonce")), "");
	ck_assert_str_is(credentials_realm(STR_NONE), "");
}
END_TEST

START_TEST(algorithms_have_the_names_of_the_registry)
{
	ck_assert_int_eq(algorithm_find(STR("sha-512-256")), BELFRY_SHA512_256);
	ck_assert_int_eq(algorithm_find(STR("SHA-512")), -1);
	ck_assert_int_eq(algorithm_find(STR("")), -1);
	for (int i = 0; i < BELFRY_ALGORITHM_N; i++) {
		ck_assert_int_eq(algorithm_find(algorithm_name((enum belfry_algorithm)i)), i);
	}
}
END_TEST

static int oom_credentials(void *arg)
{
	struct credentials c;
	int ret;

	(void)arg;
	arena_init(&arena, NULL);
	ret = parse(
		"Digest username=\"a\\\"b\", realm=\"r\", nonce=\"n\", uri=\"u\", response=\"" R32
		"\"",
		&c);
	ck_assert(ret == 0 || ret == -ENOMEM);
	arena_fini(&arena);
	return ret;
}

START_TEST(credentials_survive_any_allocation_failing)
{
	oom_each(oom_credentials, NULL);
}
END_TEST

UNIT_MAIN("auth/credentials", credentials_without_qop_are_md5,
          credentials_with_qop_need_cnonce_and_nc,
          credentials_of_what_is_not_offered_are_not_usable,
          credentials_response_has_the_length_of_its_algorithm,
          credentials_refuse_a_parameter_twice_or_missing, credentials_user_name_loses_its_escapes,
          credentials_realm_is_found_without_the_rest, algorithms_have_the_names_of_the_registry,
          credentials_survive_any_allocation_failing)
