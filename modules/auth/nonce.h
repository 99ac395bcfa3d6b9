/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nonces that need no table: time, a salt, and a MAC over both and the source address, with a key
 * derived from the master secret, so that they outlive a restart. Only what has been used is kept:
 * the window of nc values, shared by all workers (RFC 7616 3.4).
 */
#pragma once

#include "belfry/module.h"

#define NONCE_LEN 31 /* characters */
#define NONCE_ID  14 /* bytes that tell one from another */

struct nonce_key {
	struct hash_key key;
	unsigned char id; /* goes into the nonce */
	bool is_set;
};

struct nonce_keys {
	struct nonce_key k[2]; /* today's, and the one before a rotation */
};

struct nonce { /* a good one, taken apart */
	unsigned char id[NONCE_ID];
	uint64_t issued_ms; /* Unix */
};

int nonce_keys_derive(struct belfry_core *core, struct nonce_keys *keys_r);

/* Into @out, NONCE_LEN characters. @salt from a random source. */
void nonce_make(const struct nonce_keys *keys, uint64_t unix_ms, uint64_t salt,
                struct str source_ip, char out[NONCE_LEN]);

/* false: not made by us, or not for that address. */
bool nonce_read(const struct nonce_keys *keys, struct str text, struct str source_ip,
                struct nonce *nonce_r);

/* The state of a used nonce: zeroed to begin. */
struct nonce_window {
	uint64_t seen; /* bit i: top - i was used */
	uint32_t top;
	bool is_over; /* used without qop */
};

/* RFC 7616 3.4: nc counts up; out of order within the window is fine, again is not. @nc 0: used
 * without qop, which must be the first and only use. */
bool nonce_window_take(struct nonce_window *w, uint32_t nc);
