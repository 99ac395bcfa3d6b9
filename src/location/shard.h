/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One shard of the table: open addressing from the AOR's hash to its published set. Every shard
 * belongs to one worker, which alone writes it: it writes under the lock and reads without; all
 * others read under the lock. So the lock is held for one probe and a reference, or for putting one
 * pointer, and even a bigger array is filled before it is taken.
 */
#pragma once

#include <pthread.h>

#include "location/set.h"

#define LOC_NEVER_S 0x7fffffffU

struct loc_slot {
	uint32_t hash;
	uint32_t due_s : 31; /* monotonic second in which the first binding ends, rounded up */
	uint32_t dirty : 1;  /* durability `async`: not written since it changed */
	struct loc_set *set; /* NULL: empty */
};

struct loc_shard {
	_Alignas(64) pthread_mutex_t lock;
	struct loc_slot *slots;
	uint32_t cap, used;
	uint32_t reserved; /* slots promised to changes that are pending */
	uint32_t dirty_n;
};

void loc_shard_init(struct loc_shard *sh);
/* Drops all sets. */
void loc_shard_fini(struct loc_shard *sh);

/* Any thread. A reference, or NULL. */
struct loc_set *loc_shard_get(struct loc_shard *sh, uint32_t hash, struct str aor);

/* --- the owner (or the main thread while no worker runs) --- */

/* NULL: not there. Valid until the next put or reserve. */
struct loc_slot *loc_shard_find(struct loc_shard *sh, uint32_t hash, struct str aor);
/* Walks the slots with this hash, starting with *pos = UINT32_MAX. NULL at the end. */
struct loc_slot *loc_shard_next(struct loc_shard *sh, uint32_t hash, uint32_t *pos);
/* Makes sure that one more AOR fits when it comes; -ENOMEM. */
int loc_shard_reserve(struct loc_shard *sh);
void loc_shard_unreserve(struct loc_shard *sh);
/* Publishes @set (takes over the reference; NULL: the AOR goes) and gives back the reference to
 * what was there before. A new AOR must have been reserved; the reservation stays. */
struct loc_set *loc_shard_put(struct loc_shard *sh, uint32_t hash, struct str aor,
                              struct loc_set *set, bool dirty);
void loc_shard_set_dirty(struct loc_shard *sh, struct loc_slot *slot, bool dirty);
