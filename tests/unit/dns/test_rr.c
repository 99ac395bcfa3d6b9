/* SPDX-License-Identifier: Apache-2.0 */
#include "dns/rr.h"

#include "util/err.h"

#include "support/unit.h"

/* A packet being built. */
struct packet {
	char p[4096];
	size_t n;
};

static void put(struct packet *k, const char *bytes, size_t n)
{
	memcpy(k->p + k->n, bytes, n);
	k->n += n;
}

#define PUT(k, literal) put((k), "" literal, sizeof(literal) - 1)

/* Header and the question example.com (at 12, "com" at 20). */
static void begin(struct packet *k, unsigned answers)
{
	k->n = 0;
	PUT(k, "\x12\x34\x81\x80\0\1\0");
	k->p[k->n++] = (char)answers;
	PUT(k, "\0\0\0\0\7example\3com\0\0\x21\0\1");
}

static void record(struct packet *k, unsigned type, const char *data, size_t n)
{
	PUT(k, "\xc0\x0c\0");
	k->p[k->n++] = (char)type;
	PUT(k, "\0\1\0\0\1\x2c");
	k->p[k->n++] = (char)(n >> 8);
	k->p[k->n++] = (char)n;
	put(k, data, n);
}

#define RECORD(k, type, literal) record((k), (type), "" literal, sizeof(literal) - 1)

static struct arena arena;

static int parse(const struct packet *k, uint16_t type, struct dns_rrs *rrs)
{
	return dns_rrs_parse(str_make(k->p, k->n), type, &arena, rrs);
}

START_TEST(srv_and_compressed_target_are_read)
{
	struct dns_rrs rrs;
	struct packet k;

	arena_init(&arena, NULL);
	begin(&k, 3);
	RECORD(&k, DNS_SRV, "\0\x0a\0\5\x13\xc4\4sip1\xc0\x0c");
	RECORD(&k, DNS_SRV, "\0\x14\0\0\x13\xc5\2s2\3org\0");
	RECORD(&k, DNS_A, "\xc0\0\2\1"); /* another type */
	ck_assert_int_eq(parse(&k, DNS_SRV, &rrs), 0);
	ck_assert_uint_eq(rrs.n, 2);
	ck_assert_int_eq(rrs.rcode, 0);
	ck_assert_uint_eq(rrs.v[0].srv.priority, 10);
	ck_assert_uint_eq(rrs.v[0].srv.weight, 5);
	ck_assert_uint_eq(rrs.v[0].srv.port, 5060);
	ck_assert_uint_eq(rrs.v[0].ttl_s, 300);
	ck_assert_str_is(rrs.v[0].srv.target, "sip1.example.com");
	ck_assert_str_is(rrs.v[1].srv.target, "s2.org");
	arena_fini(&arena);
}
END_TEST

START_TEST(addresses_and_the_rcode_are_read)
{
	struct dns_rrs rrs;
	struct packet k;

	arena_init(&arena, NULL);
	begin(&k, 2);
	RECORD(&k, DNS_A, "\xc0\0\2\1");
	RECORD(&k, DNS_AAAA, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
	k.p[3] = (char)0x83;
	ck_assert_int_eq(parse(&k, DNS_A, &rrs), 0);
	ck_assert_uint_eq(rrs.n, 1);
	ck_assert_int_eq(rrs.rcode, DNS_NXDOMAIN);
	ck_assert_mem_eq(rrs.v[0].ip, "\xc0\0\2\1\0\0\0\0", 8);
	ck_assert_int_eq(parse(&k, DNS_AAAA, &rrs), 0);
	ck_assert_uint_eq(rrs.n, 1);
	ck_assert_mem_eq(rrs.v[0].ip, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16);
	arena_fini(&arena);
}
END_TEST

START_TEST(naptr_is_read)
{
	struct dns_rrs rrs;
	struct packet k;

	arena_init(&arena, NULL);
	begin(&k, 1);
	RECORD(&k, DNS_NAPTR, "\0\x32\0\x33\1s\7SIP+D2U\0\4_sip\4_udp\xc0\x0c");
	ck_assert_int_eq(parse(&k, DNS_NAPTR, &rrs), 0);
	ck_assert_uint_eq(rrs.n, 1);
	ck_assert_uint_eq(rrs.v[0].naptr.order, 50);
	ck_assert_uint_eq(rrs.v[0].naptr.preference, 51);
	ck_assert_str_is(rrs.v[0].naptr.flags, "s");
	ck_assert_str_is(rrs.v[0].naptr.service, "SIP+D2U");
	ck_assert_str_is(rrs.v[0].naptr.regexp, "");
	ck_assert_str_is(rrs.v[0].naptr.replacement, "_sip._udp.example.com");
	arena_fini(&arena);
}
END_TEST

START_TEST(root_target_is_an_empty_name)
{
	struct dns_rrs rrs;
	struct packet k;

	arena_init(&arena, NULL);
	begin(&k, 1);
	RECORD(&k, DNS_SRV, "\0\0\0\0\0\0\0");
	ck_assert_int_eq(parse(&k, DNS_SRV, &rrs), 0);
	ck_assert_uint_eq(rrs.n, 1);
	ck_assert_uint_eq(rrs.v[0].srv.target.n, 0);
	arena_fini(&arena);
}
END_TEST

START_TEST(records_that_are_wrong_inside_are_left_out)
{
	struct dns_rrs rrs;
	struct packet k;

	arena_init(&arena, NULL);
	begin(&k, 9);
	RECORD(&k, DNS_SRV, "\0\1\0\1\0\1\xc0\x2f"); /* points to itself */
	RECORD(&k, DNS_SRV, "\0\1\0\1\0\1\xff\xff"); /* ahead */
	RECORD(&k, DNS_SRV, "\0\1\0\1\0\1\5ab");     /* label too long */
	RECORD(&k, DNS_SRV, "\0\1\0\1\0\1\x80q");    /* reserved kind of label */
	RECORD(&k, DNS_SRV, "\0\1\0\1\0\1\1a");      /* no end */
	RECORD(&k, DNS_SRV, "\0\1\0\1\0");           /* too short */
	RECORD(&k, DNS_SRV, "\0\1\0\1\0\1\3a/b\0");  /* no host name */
	RECORD(&k, DNS_SRV, "\0\1\0\1\0\1\3a b\0");
	RECORD(&k, DNS_SRV, "\0\2\0\1\0\1\2ok\0");
	ck_assert_int_eq(parse(&k, DNS_SRV, &rrs), 0);
	ck_assert_uint_eq(rrs.n, 1);
	ck_assert_str_is(rrs.v[0].srv.target, "ok");
	begin(&k, 3);
	RECORD(&k, DNS_A, "\xc0\0\2");
	RECORD(&k, DNS_A, "\xc0\0\2\1\1");
	RECORD(&k, DNS_AAAA, "\xc0\0\2\1");
	ck_assert_int_eq(parse(&k, DNS_A, &rrs), 0);
	ck_assert_uint_eq(rrs.n, 0);
	begin(&k, 2);
	RECORD(&k, DNS_NAPTR, "\0\1\0\1\1s\x20SIP+D2U\0\1a\0");
	RECORD(&k, DNS_NAPTR, "\0\1\0\1\1s\7SIP+D2U");
	ck_assert_int_eq(parse(&k, DNS_NAPTR, &rrs), 0);
	ck_assert_uint_eq(rrs.n, 0);
	arena_fini(&arena);
}
END_TEST

START_TEST(names_that_are_too_long_are_left_out)
{
	struct dns_rrs rrs;
	struct packet k;
	char data[300] = { 0, 1, 0, 1, 0, 1 };
	size_t n;

	arena_init(&arena, NULL);
	for (unsigned labels = 3; labels < 5; labels++) {
		n = 6;
		for (unsigned i = 0; i < labels; i++) {
			data[n++] = 63;
			memset(data + n, 'a', 63);
			n += 63;
		}
		data[n++] = 0;
		begin(&k, 1);
		record(&k, DNS_SRV, data, n);
		ck_assert_int_eq(parse(&k, DNS_SRV, &rrs), 0);
		ck_assert_uint_eq(rrs.n, (labels == 3 ? 1 : 0));
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(every_cut_packet_is_refused)
{
	struct dns_rrs rrs;
	struct packet k;

	arena_init(&arena, NULL);
	begin(&k, 1);
	RECORD(&k, DNS_SRV, "\0\x0a\0\5\x13\xc4\4sip1\xc0\x0c");
	for (size_t n = 0; n < k.n; n++) {
		/* From a block of that very size, for the address sanitizer. */
		char *cut = malloc(n + 1);

		memcpy(cut, k.p, n);
		ck_assert_int_eq(dns_rrs_parse(str_make(cut, n), DNS_SRV, &arena, &rrs),
		                 BELFRY_EPARSE);
		ck_assert_uint_eq(rrs.n, 0);
		free(cut);
	}
	arena_fini(&arena);
}
END_TEST

START_TEST(more_records_than_the_limit_are_left_out)
{
	struct dns_rrs rrs;
	struct packet k;

	arena_init(&arena, NULL);
	begin(&k, 100);
	for (int i = 0; i < 100; i++) {
		RECORD(&k, DNS_A, "\xc0\0\2\1");
	}
	ck_assert_int_eq(parse(&k, DNS_A, &rrs), 0);
	ck_assert_uint_eq(rrs.n, DNS_RR_MAX);
	arena_fini(&arena);
}
END_TEST

UNIT_MAIN("dns/rr", srv_and_compressed_target_are_read, addresses_and_the_rcode_are_read,
          naptr_is_read, root_target_is_an_empty_name, records_that_are_wrong_inside_are_left_out,
          names_that_are_too_long_are_left_out, every_cut_packet_is_refused,
          more_records_than_the_limit_are_left_out)
