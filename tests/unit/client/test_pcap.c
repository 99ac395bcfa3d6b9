/* SPDX-License-Identifier: Apache-2.0 */
#include "client/pcap.h"

#include "support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static char path[] = "/tmp/belfry-pcap-XXXXXX";
static uint8_t file[400000];
static size_t file_n, at;

static struct pcap *begin(void)
{
	struct pcap *p;
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	close(fd);
	p = pcap_open(path);
	ck_assert_ptr_nonnull(p);
	return p;
}

static void end(struct pcap *p)
{
	FILE *f;

	pcap_close(p);
	f = fopen(path, "rb");
	ck_assert_ptr_nonnull(f);
	file_n = fread(file, 1, sizeof(file), f);
	(void)fclose(f);
	(void)unlink(path);
	at = 24;
}

static uint32_t host32(size_t i)
{
	uint32_t v;

	memcpy(&v, file + i, sizeof(v));
	return v;
}

static unsigned net16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

static uint32_t net32(const uint8_t *p)
{
	return (uint32_t)net16(p) << 16 | net16(p + 2);
}

/* The next packet; NULL: there is none. */
static const uint8_t *next(uint32_t *n_r)
{
	const uint8_t *p = file + at + 16;

	if (at == file_n) {
		return NULL;
	}
	*n_r = host32(at + 8);
	ck_assert_uint_eq(host32(at + 12), *n_r);
	at += 16 + *n_r;
	ck_assert_uint_le(at, file_n);
	return p;
}

/* Sums to all ones when a checksum is right. */
static unsigned sum(unsigned v, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		v += i % 2 ? p[i] : (unsigned)p[i] << 8;
	}
	while (v >> 16) {
		v = (v & 0xffff) + (v >> 16);
	}
	return v;
}

static void checksums_are_right(const uint8_t *p, size_t n)
{
	bool is_6 = p[0] >> 4 == 6;
	size_t head = is_6 ? 40 : 20;
	uint8_t pseudo[4] = { 0, is_6 ? p[6] : p[9], (uint8_t)((n - head) >> 8),
		              (uint8_t)(n - head) };
	unsigned v;

	ck_assert_uint_eq(is_6 ? net16(p + 4) + 40 : net16(p + 2), n);
	if (!is_6) {
		ck_assert_uint_eq(sum(0, p, 20), 0xffff);
	}
	v = is_6 ? sum(0, p + 8, 32) : sum(0, p + 12, 8);
	v = sum(v, pseudo, 4);
	ck_assert_uint_eq(sum(v, p + head, n - head), 0xffff);
}

static bool add(struct pcap *p, const char *from, const char *to, const char *transport,
                const char *data, size_t n)
{
	const struct pcap_message m = { .unix_us = 1767225600250001,
		                        .source = from,
		                        .destination = to,
		                        .transport = transport,
		                        .data = data,
		                        .n = n };

	return pcap_write(p, &m);
}

START_TEST(a_datagram_has_its_headers)
{
	struct pcap *p = begin();
	const uint8_t *pk;
	uint32_t n;

	ck_assert(add(p, "192.0.2.1:5060", "198.51.100.7:6000", "udp", "hello", 5));
	end(p);
	ck_assert_uint_eq(host32(0), 0xa1b2c3d4);
	ck_assert_uint_eq(host32(20), 101);
	ck_assert_uint_eq(host32(24), 1767225600);
	ck_assert_uint_eq(host32(28), 250001);
	pk = next(&n);
	ck_assert_uint_eq(n, 33);
	checksums_are_right(pk, n);
	ck_assert_uint_eq(pk[9], 17);
	ck_assert_uint_eq(net32(pk + 12), 0xc0000201);
	ck_assert_uint_eq(net32(pk + 16), 0xc6336407);
	ck_assert_uint_eq(net16(pk + 20), 5060);
	ck_assert_uint_eq(net16(pk + 22), 6000);
	ck_assert_uint_eq(net16(pk + 24), 13);
	ck_assert_mem_eq(pk + 28, "hello", 5);
	ck_assert_ptr_null(next(&n));
}
END_TEST

START_TEST(ipv6_and_what_is_encrypted_are_datagrams)
{
	struct pcap *p = begin();
	const uint8_t *pk;
	uint32_t n;

	ck_assert(add(p, "[2001:db8::1]:5061", "[fe80::2%eth0]:6000", "tls", "hello!", 6));
	end(p);
	pk = next(&n);
	ck_assert_uint_eq(n, 40 + 8 + 6);
	checksums_are_right(pk, n);
	ck_assert_uint_eq(pk[6], 17);
	ck_assert_uint_eq(net32(pk + 8), 0x20010db8);
	ck_assert_uint_eq(net16(pk + 24), 0xfe80);
	ck_assert_uint_eq(net16(pk + 40), 5061);
}
END_TEST

START_TEST(a_connection_counts_its_bytes)
{
	static const char *const ends[] = { "192.0.2.1:5060", "198.51.100.7:6000" };
	struct pcap *p = begin();
	const uint8_t *pk;
	uint32_t n;

	ck_assert(add(p, ends[1], ends[0], "tcp", "hello", 5));
	ck_assert(add(p, ends[0], ends[1], "tcp", "odd", 3));
	ck_assert(add(p, ends[1], ends[0], "tcp", "again", 5));
	end(p);
	pk = next(&n);
	checksums_are_right(pk, n);
	ck_assert_uint_eq(pk[9], 6);
	ck_assert_uint_eq(net32(pk + 24), 1);
	ck_assert_uint_eq(net32(pk + 28), 1);
	pk = next(&n);
	checksums_are_right(pk, n);
	ck_assert_uint_eq(net32(pk + 24), 1);
	ck_assert_uint_eq(net32(pk + 28), 6);
	pk = next(&n);
	checksums_are_right(pk, n);
	ck_assert_uint_eq(net32(pk + 24), 6);
	ck_assert_uint_eq(net32(pk + 28), 4);
	ck_assert_mem_eq(pk + 40, "again", 5);
}
END_TEST

START_TEST(what_no_datagram_holds_is_cut_into_segments)
{
	static char big[65536];
	struct pcap *p = begin();
	const uint8_t *pk;
	size_t sum_n = 0;
	uint32_t n;

	memset(big, 'x', sizeof(big));
	ck_assert(add(p, "192.0.2.1:5060", "198.51.100.7:6000", "wss", big, sizeof(big)));
	ck_assert(add(p, "192.0.2.1:5060", "198.51.100.7:6000", "udp", big, 65507));
	end(p);
	while (sum_n < sizeof(big) && (pk = next(&n))) {
		checksums_are_right(pk, n);
		ck_assert_uint_eq(net32(pk + 24), 1 + sum_n);
		sum_n += n - 40;
	}
	ck_assert_uint_eq(sum_n, sizeof(big));
	pk = next(&n);
	ck_assert_uint_eq(n, 65535);
	checksums_are_right(pk, n);
}
END_TEST

START_TEST(an_unknown_end_is_all_zeros_and_nonsense_is_refused)
{
	struct pcap *p = begin();
	const uint8_t *pk;
	uint32_t n;

	ck_assert(add(p, "", "198.51.100.7:6000", "udp", "x", 1));
	ck_assert(add(p, "[2001:db8::1]:5060", "", "udp", "x", 1));
	ck_assert(!add(p, "", "", "udp", "x", 1));
	ck_assert(!add(p, "example.com:5060", ":", "udp", "x", 1));
	ck_assert(!add(p, "192.0.2.1:5060", "[2001:db8::1]:5060", "udp", "x", 1));
	end(p);
	pk = next(&n);
	checksums_are_right(pk, n);
	ck_assert_uint_eq(net32(pk + 12), 0);
	pk = next(&n);
	checksums_are_right(pk, n);
	ck_assert_ptr_null(next(&n));
}
END_TEST

START_TEST(many_connections_forget_the_oldest)
{
	struct pcap *p = begin();
	char from[32];
	const uint8_t *pk = NULL, *got;
	uint32_t n;

	for (int i = 0; i < 300; i++) {
		(void)snprintf(from, sizeof(from), "192.0.2.1:%d", 6000 + i);
		ck_assert(add(p, from, "198.51.100.7:5060", "tcp", "x", 1));
	}
	ck_assert(add(p, from, "198.51.100.7:5060", "tcp", "x", 1));
	end(p);
	while ((got = next(&n))) {
		pk = got;
	}
	ck_assert_uint_eq(net32(pk + 24), 2);
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_told)
{
	struct pcap *p;

	errno = 0;
	ck_assert_ptr_null(pcap_open("/nonexistent/x"));
	ck_assert_int_eq(errno, ENOENT);
	ck_assert_ptr_null(pcap_open("/dev/full"));
	ck_assert_int_eq(errno, ENOSPC);
	oom_fail_at(1);
	p = pcap_open(path);
	oom_off();
	ck_assert_ptr_null(p);
}
END_TEST

UNIT_MAIN("client/pcap", a_datagram_has_its_headers, ipv6_and_what_is_encrypted_are_datagrams,
          a_connection_counts_its_bytes, what_no_datagram_holds_is_cut_into_segments,
          an_unknown_end_is_all_zeros_and_nonsense_is_refused, many_connections_forget_the_oldest,
          a_file_that_cannot_be_written_is_told)
