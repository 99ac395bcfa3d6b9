/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AORs whose rows are to be written, in the order of their rows: several rows share a page of the
 * database, and a page that is written once for all of them costs a fraction. Gathered without a
 * sort: rows are told apart by ranges of ids only, which is as good for pages.
 *
 * Owned by one worker. Holds hashes, no reference: what a hash leads to is looked up when its turn
 * comes. Eight bytes an AOR.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loc_dirty_at {
	uint32_t next; /* in its range: index + 1, 0 at the end */
	uint32_t hash;
};

struct loc_dirty {
	struct loc_dirty_at *v;
	uint32_t n, cap;
	uint32_t *ranges; /* first of each range: index + 1 */
	uint32_t ranges_n, range;
	unsigned shift; /* id >> shift is the range */
	uint32_t left;  /* to be taken */
};

/* Begins to gather; ids up to about @id_max are to come. */
void loc_dirty_begin(struct loc_dirty *d, uint64_t id_max);
/* The AOR with @hash has its (first) row at @id. -ENOMEM. */
int loc_dirty_add(struct loc_dirty *d, uint64_t id, uint32_t hash);
/* The next one in the order of rows; false: none is left. Nothing may be added from then on. */
bool loc_dirty_next(struct loc_dirty *d, uint32_t *hash_r);
/* Forgets all and gives the memory back. */
void loc_dirty_fini(struct loc_dirty *d);
