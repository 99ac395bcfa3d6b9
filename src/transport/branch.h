/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The branch is the index (RFC 3261 8.1.1.7): z9hG4bK + base64url of kind, worker, slot,
 * generation, loop hash, and a MAC of 128 bits keyed per process start. The MAC is checked before
 * any field is used, so that a response finds its client transaction without a string hash and a
 * forged one finds nothing. It lies in this layer because the owner of a response is read from it.
 */
#pragma once

#include "util/hash.h"
#include "util/str.h"

enum branch_kind { BRANCH_TXN = 1, BRANCH_STATELESS = 2 };

struct branch {
	uint8_t kind;
	uint8_t worker;
	uint32_t slot, generation;
	uint64_t loop; /* RFC 5393 hash of what routing depends on; 0: none */
};

#define BRANCH_LEN 56 /* at most, cookie included */

/* Writes it into @out; its length. Stateless kind: slot/generation/loop are a keyed hash of the
 * received branch, made by the caller. */
size_t branch_print(const struct branch *b, const struct hash_key *key, char out[BRANCH_LEN]);
/* false: not ours (or from before a restart). */
bool branch_parse(struct str text, const struct hash_key *key, struct branch *b_r);
