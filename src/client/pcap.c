/* SPDX-License-Identifier: Apache-2.0 */
#include "client/pcap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC        0xa1b2c3d4u /* microseconds */
#define LINKTYPE_RAW 101
#define SNAPLEN      262144u
#define TTL          64
#define IP4_HEAD     20u
#define IP6_HEAD     40u
#define UDP_HEAD     8u
#define TCP_HEAD     20u
#define HEADS_MAX    (IP6_HEAD + TCP_HEAD)
#define DATAGRAM_MAX (65535u - IP4_HEAD - UDP_HEAD)
#define SEGMENT_MAX  32768u
#define STREAMS_MAX  256 /* remembered; the one longest unused goes first */

struct endpoint {
	uint8_t ip[16];
	uint16_t port;
	bool is_v6;
};

struct stream { /* one direction of a connection */
	struct endpoint from, to;
	uint32_t next; /* sequence number */
	uint64_t used;
};

struct pcap {
	FILE *f;
	uint16_t ip_id;
	uint64_t clock;
	struct stream streams[STREAMS_MAX];
	unsigned streams_n;
};

/* --- addresses ----------------------------------------------------------------------------------
 */

static bool endpoint_parse(const char *text, struct endpoint *e_r)
{
	char host[INET6_ADDRSTRLEN + 32];
	const char *colon = strrchr(text, ':');
	size_t n = colon ? (size_t)(colon - text) : 0;

	*e_r = (struct endpoint){ 0 };
	if (n == 0 || n >= sizeof(host)) {
		return false;
	}
	if (text[0] == '[') {
		e_r->is_v6 = true;
		text++;
		n -= n >= 2 ? 2 : 1;
	}
	memcpy(host, text, n);
	host[n] = '\0';
	host[strcspn(host, "%")] = '\0'; /* the zone of a link-local address */
	e_r->port = (uint16_t)strtoul(colon + 1, NULL, 10);
	return inet_pton(e_r->is_v6 ? AF_INET6 : AF_INET, host, e_r->ip) == 1;
}

static bool endpoint_eq(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && a->is_v6 == b->is_v6 &&
	       memcmp(a->ip, b->ip, sizeof(a->ip)) == 0;
}

/* --- headers ------------------------------------------------------------------------------------
 */

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)(v >> 16));
	put16(p + 2, (uint16_t)v);
}

/* The Internet checksum (RFC 1071), in pieces of which all but the last are even. */
static uint32_t sum(uint32_t so_far, const void *data, size_t n)
{
	const uint8_t *p = data;

	for (; n >= 2; n -= 2, p += 2) {
		so_far += (uint32_t)(p[0] << 8 | p[1]);
		so_far = (so_far & 0xffff) + (so_far >> 16);
	}
	return n ? so_far + (uint32_t)(p[0] << 8) : so_far;
}

static uint16_t sum_end(uint32_t v)
{
	while (v >> 16) {
		v = (v & 0xffff) + (v >> 16);
	}
	return (uint16_t)~v;
}

struct packet {
	struct endpoint from, to;
	uint8_t proto;
	uint8_t heads[HEADS_MAX];
	size_t ip_n, heads_n; /* bytes of the IP header, of all */
	const char *data;
	size_t n;
};

static void ip_header(struct pcap *p, struct packet *pk)
{
	uint8_t *h = pk->heads;
	size_t behind = pk->heads_n - pk->ip_n + pk->n;

	if (pk->from.is_v6) {
		h[0] = 0x60;
		put16(h + 4, (uint16_t)behind);
		h[6] = pk->proto;
		h[7] = TTL;
		memcpy(h + 8, pk->from.ip, 16);
		memcpy(h + 24, pk->to.ip, 16);
		return;
	}
	h[0] = 0x45;
	put16(h + 2, (uint16_t)(IP4_HEAD + behind));
	put16(h + 4, p->ip_id++);
	h[8] = TTL;
	h[9] = pk->proto;
	memcpy(h + 12, pk->from.ip, 4);
	memcpy(h + 16, pk->to.ip, 4);
	put16(h + 10, sum_end(sum(0, h, IP4_HEAD)));
}

/* Over the pseudo header (RFC 768, RFC 9293 3.1, RFC 8200 8.1), the header, the data. */
static uint16_t checksum(const struct packet *pk)
{
	size_t ip = pk->from.is_v6 ? 16 : 4, head_n = pk->heads_n - pk->ip_n;
	uint8_t pseudo[4] = { 0, pk->proto };
	uint32_t v = sum(0, pk->from.ip, ip);

	put16(pseudo + 2, (uint16_t)(head_n + pk->n));
	v = sum(v, pk->to.ip, ip);
	v = sum(v, pseudo, sizeof(pseudo));
	v = sum(v, pk->heads + pk->ip_n, head_n);
	return sum_end(sum(v, pk->data, pk->n));
}

static struct packet packet_begin(const struct endpoint *from, const struct endpoint *to,
                                  uint8_t proto, const char *data, size_t n)
{
	struct packet pk = { .from = *from, .to = *to, .proto = proto, .data = data, .n = n };

	pk.ip_n = from->is_v6 ? IP6_HEAD : IP4_HEAD;
	pk.heads_n = pk.ip_n + (proto == IPPROTO_UDP ? UDP_HEAD : TCP_HEAD);
	put16(pk.heads + pk.ip_n, from->port);
	put16(pk.heads + pk.ip_n + 2, to->port);
	return pk;
}

/* --- the file -----------------------------------------------------------------------------------
 */

static bool put(struct pcap *p, const void *data, size_t n)
{
	return fwrite(data, 1, n, p->f) == n;
}

static bool packet_write(struct pcap *p, struct packet *pk, int64_t unix_us)
{
	uint32_t n = (uint32_t)(pk->heads_n + pk->n);
	const uint32_t record[4] = { (uint32_t)(unix_us / 1000000), (uint32_t)(unix_us % 1000000),
		                     n, n };

	ip_header(p, pk);
	return put(p, record, sizeof(record)) && put(p, pk->heads, pk->heads_n) &&
	       put(p, pk->data, pk->n);
}

struct pcap *pcap_open(const char *path)
{
	static const struct {
		uint32_t magic;
		uint16_t major, minor;
		uint32_t zone, accuracy, snaplen, linktype;
	} head = { MAGIC, 2, 4, 0, 0, SNAPLEN, LINKTYPE_RAW };
	struct pcap *p = calloc(1, sizeof(*p));

	if (!p) {
		return NULL;
	}
	p->f = strcmp(path, "-") == 0 ? stdout : fopen(path, "wbe");
	if (!p->f || !put(p, &head, sizeof(head)) || fflush(p->f)) {
		int err = errno;

		pcap_close(p);
		errno = err;
		return NULL;
	}
	return p;
}

void pcap_close(struct pcap *p)
{
	if (p && p->f && p->f != stdout) {
		(void)fclose(p->f);
	}
	free(p);
}

/* --- messages -----------------------------------------------------------------------------------
 */

static bool write_datagram(struct pcap *p, const struct endpoint *from, const struct endpoint *to,
                           const struct pcap_message *m)
{
	struct packet pk = packet_begin(from, to, IPPROTO_UDP, m->data, m->n);
	uint8_t *h = pk.heads + pk.ip_n;
	uint16_t check;

	put16(h + 4, (uint16_t)(UDP_HEAD + m->n));
	check = checksum(&pk);
	put16(h + 6, check ? check : 0xffff);
	return packet_write(p, &pk, m->unix_us);
}

static struct stream *stream_get(struct pcap *p, const struct endpoint *from,
                                 const struct endpoint *to)
{
	struct stream *oldest = &p->streams[0];

	for (unsigned i = 0; i < p->streams_n; i++) {
		struct stream *s = &p->streams[i];

		if (endpoint_eq(&s->from, from) && endpoint_eq(&s->to, to)) {
			s->used = ++p->clock;
			return s;
		}
		oldest = s->used < oldest->used ? s : oldest;
	}
	if (p->streams_n < STREAMS_MAX) {
		oldest = &p->streams[p->streams_n++];
	}
	*oldest = (struct stream){ .from = *from, .to = *to, .next = 1, .used = ++p->clock };
	return oldest;
}

static bool write_segments(struct pcap *p, const struct endpoint *from, const struct endpoint *to,
                           const struct pcap_message *m)
{
	struct stream *back = stream_get(p, to, from), *s = stream_get(p, from, to);
	bool ok = true;

	for (size_t at = 0, n; ok && at < m->n; at += n) {
		struct packet pk;
		uint8_t *h;

		n = m->n - at < SEGMENT_MAX ? m->n - at : SEGMENT_MAX;
		pk = packet_begin(from, to, IPPROTO_TCP, m->data + at, n);
		h = pk.heads + pk.ip_n;
		put32(h + 4, s->next);
		put32(h + 8, back->next);
		h[12] = TCP_HEAD / 4 << 4;
		h[13] = 0x18; /* PSH, ACK */
		put16(h + 14, UINT16_MAX);
		put16(h + 16, checksum(&pk));
		ok = packet_write(p, &pk, m->unix_us);
		s->next += (uint32_t)n;
	}
	return ok;
}

bool pcap_write(struct pcap *p, const struct pcap_message *m)
{
	struct endpoint from, to;
	bool has_from = endpoint_parse(m->source, &from);
	bool has_to = endpoint_parse(m->destination, &to);
	bool ok;

	if (!has_from && !has_to) {
		errno = EINVAL;
		return false;
	}
	from.is_v6 = has_from ? from.is_v6 : to.is_v6; /* one unknown: all zeros */
	to.is_v6 = has_to ? to.is_v6 : from.is_v6;
	if (from.is_v6 != to.is_v6) {
		errno = EINVAL;
		return false;
	}
	if (strcmp(m->transport, "tcp") == 0 || m->n > DATAGRAM_MAX) {
		ok = write_segments(p, &from, &to, m);
	} else {
		ok = write_datagram(p, &from, &to, m);
	}
	return ok && fflush(p->f) == 0;
}
