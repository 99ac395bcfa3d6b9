/* SPDX-License-Identifier: Apache-2.0 */
/*
 * User-Agent values, each kept once for all bindings. Bounded (LOC_INTERN_MAX values of at most
 * LOC_INTERN_LEN bytes): what does not fit stays with its binding, so that made-up values cost an
 * attacker no more than their own bindings do. A value lives as long as the table.
 */
#pragma once

#include "util/hash.h"

#define LOC_INTERN_MAX 4096
#define LOC_INTERN_LEN 256

struct loc_intern;

struct loc_text {
	uint32_t n;
	uint32_t hash;
	char p[];
};

int loc_intern_new(const struct hash_key *key, struct loc_intern **in_r);
void loc_intern_free(struct loc_intern *in);

/* Any thread. NULL: not kept here (empty, too long, the table is full, out of memory). */
const struct loc_text *loc_intern_get(struct loc_intern *in, struct str s);
