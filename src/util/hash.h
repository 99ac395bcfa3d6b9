/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keyed hashes. SipHash-1-3 for tables that outsiders can fill, SipHash-2-4 with 64 or 128 bits of
 * result where the value is shown to outsiders as a check (branch, tags, nonces).
 */
#pragma once

#include "util/str.h"

struct hash_key {
	uint64_t k[2];
};

struct hash128 {
	uint64_t v[2];
};

BELFRY_API uint64_t hash_str(const struct hash_key *key, struct str s);        /* 1-3 */
BELFRY_API uint64_t hash_str_nocase(const struct hash_key *key, struct str s); /* 1-3 of lower case */
BELFRY_API uint64_t hash_mac64(const struct hash_key *key, struct str s);      /* 2-4 */
BELFRY_API struct hash128 hash_mac128(const struct hash_key *key, struct str s); /* 2-4 */

/* The same in pieces: MACs over several fields. Separate the fields yourself (lengths or NUL). */
struct hash_state {
	uint64_t v[4], tail;
	size_t len;
	bool wide;
};
BELFRY_API void hash_begin(struct hash_state *st, const struct hash_key *key, bool wide);
BELFRY_API void hash_add(struct hash_state *st, struct str s);
BELFRY_API void hash_add_nocase(struct hash_state *st, struct str s);
BELFRY_API uint64_t hash_end64(struct hash_state *st);
BELFRY_API struct hash128 hash_end128(struct hash_state *st); /* begun with @wide */

/* Of lower case, not keyed: for tables that outsiders can only look into. */
BELFRY_API uint64_t hash_name(struct str s);

/* Spreads an integer; not keyed. */
static inline uint64_t hash_mix(uint64_t x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	return x ^ (x >> 32);
}
