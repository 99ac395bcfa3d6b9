/* SPDX-License-Identifier: Apache-2.0 */
/* SipHash (Aumasson, Bernstein 2012), with c = 1 or 2 rounds a word and d = 3 or 4 at the end. */
#include "util/hash.h"

#include <endian.h>

static inline uint64_t rotl(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static inline void round1(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

static inline uint64_t load64(const void *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

static inline uint64_t load32(const void *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return le32toh(v);
}

/* The @n bytes (7 at most) from @p, the first one lowest; bytes that are read twice are ORed. */
static inline uint64_t load_tail(const char *p, size_t n)
{
	const unsigned char *u = (const unsigned char *)p;

	if (n >= 4) {
		return load32(p) | load32(p + n - 4) << (8 * (n - 4));
	}
	if (n == 0) {
		return 0;
	}
	return u[0] | (uint64_t)u[n / 2] << (8 * (n / 2)) | (uint64_t)u[n - 1] << (8 * (n - 1));
}

static inline void start(uint64_t v[4], const struct hash_key *key)
{
	v[0] = key->k[0] ^ 0x736f6d6570736575ULL;
	v[1] = key->k[1] ^ 0x646f72616e646f6dULL;
	v[2] = key->k[0] ^ 0x6c7967656e657261ULL;
	v[3] = key->k[1] ^ 0x7465646279746573ULL;
}

static inline void word13(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	round1(v);
	v[0] ^= m;
}

static inline void word24(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	round1(v);
	round1(v);
	v[0] ^= m;
}

static inline uint64_t result(uint64_t v[4], int rounds)
{
	while (rounds--) {
		round1(v);
	}
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Lower case of eight bytes at once: adds 0x20 to those from 'A' to 'Z'. */
static inline uint64_t lower8(uint64_t x)
{
	const uint64_t ones = 0x0101010101010101ULL;
	uint64_t low = x & (ones * 0x7f);
	uint64_t from_a = low + ones * (0x80 - 'A');
	uint64_t above_z = low + ones * (0x80 - 'Z' - 1);
	uint64_t upper = (from_a ^ above_z) & ~x & (ones * 0x80);

	return x | upper >> 2;
}

uint64_t hash_str(const struct hash_key *key, struct str s)
{
	uint64_t v[4];
	const char *p = s.p;
	size_t n = s.n;

	start(v, key);
	for (; n >= 8; p += 8, n -= 8) {
		word13(v, load64(p));
	}
	word13(v, load_tail(p, n) | (uint64_t)s.n << 56);
	v[2] ^= 0xff;
	return result(v, 3);
}

uint64_t hash_str_nocase(const struct hash_key *key, struct str s)
{
	uint64_t v[4];
	const char *p = s.p;
	size_t n = s.n;

	start(v, key);
	for (; n >= 8; p += 8, n -= 8) {
		word13(v, lower8(load64(p)));
	}
	/* The length byte is no text: it stays as it is. */
	word13(v, lower8(load_tail(p, n)) | (uint64_t)s.n << 56);
	v[2] ^= 0xff;
	return result(v, 3);
}

uint64_t hash_name(struct str s)
{
	uint64_t h = s.n;
	const char *p = s.p;
	size_t n = s.n;

	for (; n >= 8; p += 8, n -= 8) {
		h = hash_mix(h ^ lower8(load64(p)));
	}
	return hash_mix(h ^ lower8(load_tail(p, n)));
}

void hash_begin(struct hash_state *st, const struct hash_key *key, bool wide)
{
	start(st->v, key);
	if (wide) {
		st->v[1] ^= 0xee;
	}
	st->tail = 0;
	st->len = 0;
	st->wide = wide;
}

/* Behind the bytes that wait for a whole word (@at bits of them) come @n more, 8 at most, in @m. */
static inline void add_bytes(struct hash_state *st, unsigned int at, uint64_t m, size_t n)
{
	st->tail |= m << at;
	if (at + 8 * n >= 64) {
		word24(st->v, st->tail);
		st->tail = m >> 1 >> (63 - at);
	}
}

/* Most pieces are short: they only wait. */
__attribute__((always_inline)) static inline void add(struct hash_state *st, struct str s,
                                                      bool nocase)
{
	unsigned int at = 8 * (unsigned int)(st->len & 7);
	uint64_t m;

	st->len += s.n;
	for (; s.n >= 8; s = str_skip(s, 8)) {
		m = load64(s.p);
		add_bytes(st, at, nocase ? lower8(m) : m, 8);
	}
	if (s.n > 0) {
		m = load_tail(s.p, s.n);
		add_bytes(st, at, nocase ? lower8(m) : m, s.n);
	}
}

void hash_add(struct hash_state *st, struct str s)
{
	add(st, s, false);
}

void hash_add_nocase(struct hash_state *st, struct str s)
{
	add(st, s, true);
}

uint64_t hash_end64(struct hash_state *st)
{
	word24(st->v, st->tail | (uint64_t)st->len << 56);
	st->v[2] ^= st->wide ? 0xee : 0xff;
	return result(st->v, 4);
}

struct hash128 hash_end128(struct hash_state *st)
{
	struct hash128 h;

	h.v[0] = hash_end64(st);
	st->v[1] ^= 0xdd;
	h.v[1] = result(st->v, 4);
	return h;
}

uint64_t hash_mac64(const struct hash_key *key, struct str s)
{
	struct hash_state st;

	hash_begin(&st, key, false);
	hash_add(&st, s);
	return hash_end64(&st);
}

struct hash128 hash_mac128(const struct hash_key *key, struct str s)
{
	struct hash_state st;

	hash_begin(&st, key, true);
	hash_add(&st, s);
	return hash_end128(&st);
}
